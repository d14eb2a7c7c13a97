//! Every setting, with its default, in one place: a TOML file, then the environment, which wins.
//!
//! `section.key` in the file is `ROOKERY_SECTION__KEY` in the environment. A few well-known names
//! (`KAFKA_BROKERS`, `DATABASE_URL`, `DB_HOST` …) are shorthand, and setting one chooses its kind.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Value};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::core::text::TextLimits;

/// Past a second, other instances take it that nobody writes.
const LONGEST_BATCH_AGE_MS: u64 = 500;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub data: Data,
    pub log: Log,
    pub store: Store,
    pub limits: Limits,
    pub presence: Presence,
    pub logging: Logging,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// The name of this instance; made up if empty.
    pub instance: String,
    /// How browsers reach the hub, as in `https://chat.example.org`. Empty: taken from each
    /// request's `Host`. With `https` cookies are marked secure.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Worker threads for HTTP and sockets; 0 is one for each core.
    pub workers: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// Folder of the embedded log and store.
    pub dir: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogKind {
    Local,
    Kafka,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub kind: LogKind,
    /// Kafka's bootstrap servers, comma-separated.
    pub brokers: String,
    pub topic_prefix: String,
    /// Partitions of the log; fixed once its topic is made.
    pub partitions: u16,
    /// How long Kafka keeps the log, in hours; -1 is for ever.
    pub retention_hours: i64,
    /// More librdkafka properties, as in `"security.protocol" = "SASL_SSL"`.
    pub properties: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    Sqlite,
    Mysql,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    pub kind: StoreKind,
    /// `mysql://user:password@host:port/database`.
    pub url: String,
    /// Connections of one instance at the most.
    pub connections: usize,
    /// Entries of the log in one transaction at the most.
    pub batch_size: usize,
    /// How long the first entry of a batch waits for company, in milliseconds; 0 is as
    /// [`Config::batch_age`] chooses.
    pub batch_age_ms: u64,
}

/// Sizes and rates. Past one the answer says so; nothing grows without bound.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Of one user, over all sockets and requests to one instance.
    pub messages_per_second: u32,
    pub messages_burst: u32,
    /// Changes of one user to rooms and members, on one instance.
    pub changes_per_second: u32,
    pub changes_burst: u32,
    /// Events replayed to a resuming client for each room; past it, `reset`.
    pub resume_events: usize,
    pub sockets_per_user: usize,
    /// Sockets between their handshake and the end of their greeting; past it they are sent away
    /// until later.
    pub arriving_sockets: usize,
    /// Of these, how many are greeted at the same time; the others wait in order.
    pub greetings_at_once: usize,
    /// Bytes of an HTTP body and of a socket frame.
    pub body_bytes: usize,
    /// Bytes waiting for one socket; past it the reader is too slow (4408).
    pub outbound_bytes: usize,
    /// Rows of one page at the most.
    pub page: usize,
    /// Members of a room whose members are told how far the others have read; 0: nobody ever is.
    pub receipt_members: usize,
    pub failed_logins_per_name: u32,
    pub failed_logins_per_address: u32,
    /// Accounts made in a minute.
    pub signups_per_address: u32,
    /// Bytes of the log that are kept in memory until the store has them.
    pub tail_bytes: usize,
    pub message_characters: usize,
    pub username_characters: usize,
    pub display_name_characters: usize,
    pub room_name_characters: usize,
    pub topic_characters: usize,
}

impl Limits {
    /// Bytes of events that a room repeats to a resuming client, together with what waits for it then,
    /// unless that is little. The rest of the cap is for what happens meanwhile.
    pub fn replay_bytes(&self) -> usize {
        self.outbound_bytes / 4 * 3
    }

    pub fn text(&self) -> TextLimits {
        TextLimits {
            message_characters: self.message_characters,
            username_characters: self.username_characters,
            display_name_characters: self.display_name_characters,
            room_name_characters: self.room_name_characters,
            topic_characters: self.topic_characters,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Presence {
    /// Who has given no input for this long is away.
    pub away_seconds: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    pub format: LogFormat,
    /// As in `RUST_LOG`: `info`, or `warn,rookery=debug`.
    pub filter: String,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            instance: String::new(),
            public_url: String::new(),
            trusted_proxies: Vec::new(),
            workers: 0,
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Data { dir: "data".into() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log {
            kind: LogKind::Local,
            brokers: "127.0.0.1:9092".into(),
            topic_prefix: "chat".into(),
            partitions: 12,
            retention_hours: -1,
            properties: BTreeMap::new(),
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Store {
            kind: StoreKind::Sqlite,
            url: String::new(),
            connections: 16,
            batch_size: 1_000,
            batch_age_ms: 0,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            messages_per_second: 10,
            messages_burst: 50,
            changes_per_second: 50,
            changes_burst: 1_000,
            resume_events: 1_000,
            sockets_per_user: 100,
            arriving_sockets: 2_000,
            greetings_at_once: 16,
            body_bytes: 64 * 1024,
            outbound_bytes: 512 * 1024,
            page: 100,
            receipt_members: 20,
            failed_logins_per_name: 10,
            failed_logins_per_address: 50,
            signups_per_address: 60,
            tail_bytes: 64 * 1024 * 1024,
            message_characters: 4_000,
            username_characters: 32,
            display_name_characters: 50,
            room_name_characters: 80,
            topic_characters: 250,
        }
    }
}

impl Default for Presence {
    fn default() -> Self {
        Presence { away_seconds: 300 }
    }
}

impl Default for Logging {
    fn default() -> Self {
        Logging {
            format: LogFormat::Text,
            filter: "info,refinery_core=warn,actix_server=warn,tracing_actix_web=warn".into(),
        }
    }
}

/// What is wrong with the configuration, in one line that names the setting.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Config {
    /// Reads the file (if given), then the environment, and checks the whole.
    pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(ConfigError(format!("--config: there is no file {}", file.display())));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        figment = figment.merge(Serialized::defaults(shorthand()));
        let ours =
            Env::prefixed("ROOKERY_").filter(|name| name.as_str().contains("__")).split("__");
        let config: Config = figment.merge(ours).extract().map_err(|error| explain(&error))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |text: &str| Err(ConfigError(text.to_owned()));
        let (log, limits, store) = (&self.log, &self.limits, &self.store);
        if log.kind == LogKind::Kafka && log.brokers.trim().is_empty() {
            return wrong("log.brokers: should be host:port, since log.kind is \"kafka\"");
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if log.topic_prefix.is_empty() || !log.topic_prefix.chars().all(plain) {
            return wrong(
                "log.topic_prefix: should be letters, digits, dots, underscores or hyphens",
            );
        }
        if !(1..=1024).contains(&log.partitions) {
            return wrong("log.partitions: should be 1 to 1024");
        }
        if store.kind == StoreKind::Mysql && !store.url.starts_with("mysql://") {
            return wrong("store.url: should be mysql://user:password@host:port/database");
        }
        if self.log.kind == LogKind::Kafka && store.kind == StoreKind::Sqlite {
            return wrong(
                "store.kind: should be \"mysql\" where log.kind is \"kafka\": instances share one store",
            );
        }
        if store.connections < 2 {
            return wrong("store.connections: should be at least 2");
        }
        if store.batch_age_ms > LONGEST_BATCH_AGE_MS {
            return wrong("store.batch_age_ms: should be at most 500");
        }
        let url = &self.server.public_url;
        if !url.is_empty() && crate::http::origin::Origin::parse(url).is_none() {
            return wrong(
                "server.public_url: should be http:// or https:// and a host, without a path",
            );
        }
        let positive = [
            ("limits.messages_per_second", limits.messages_per_second as usize),
            ("limits.messages_burst", limits.messages_burst as usize),
            ("limits.changes_per_second", limits.changes_per_second as usize),
            ("limits.changes_burst", limits.changes_burst as usize),
            ("limits.sockets_per_user", limits.sockets_per_user),
            ("limits.arriving_sockets", limits.arriving_sockets),
            ("limits.greetings_at_once", limits.greetings_at_once),
            ("limits.page", limits.page),
            ("limits.failed_logins_per_name", limits.failed_logins_per_name as usize),
            ("limits.failed_logins_per_address", limits.failed_logins_per_address as usize),
            ("limits.signups_per_address", limits.signups_per_address as usize),
            ("limits.tail_bytes", limits.tail_bytes),
            ("store.batch_size", store.batch_size),
            ("presence.away_seconds", self.presence.away_seconds as usize),
            ("limits.message_characters", limits.message_characters),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return wrong(&format!("{name}: should be at least 1"));
        }
        if limits.body_bytes < 1024 || limits.outbound_bytes < limits.body_bytes {
            return wrong(
                "limits.outbound_bytes: should be at least limits.body_bytes, and that at least 1024",
            );
        }
        Ok(())
    }

    /// How long the first entry of a batch for the store waits for company. Where there is one
    /// instance, everybody who waits for the store is there, and a batch is hurried for them.
    pub fn batch_age(&self) -> Duration {
        let chosen = match (self.store.batch_age_ms, self.log.kind) {
            (0, LogKind::Local) => 100,
            (0, LogKind::Kafka) => 20,
            (chosen, _) => chosen,
        };
        Duration::from_millis(chosen)
    }

    /// Every setting as TOML, with secrets masked.
    pub fn masked(&self) -> String {
        let mut shown = self.clone();
        shown.store.url = mask_password(&self.store.url);
        for (name, value) in &mut shown.log.properties {
            if ["password", "secret", "key", "token"].iter().any(|word| name.contains(word)) {
                *value = "***".to_owned();
            }
        }
        toml_lines(&shown)
    }
}

/// `section.key = value` lines, in the order of the sections.
fn toml_lines(config: &Config) -> String {
    let mut lines = Vec::new();
    if let Ok(serde_json::Value::Object(sections)) = serde_json::to_value(config) {
        for (section, values) in sections {
            for (key, value) in values.as_object().into_iter().flatten() {
                lines.push(format!("{section}.{key} = {value}"));
            }
        }
    }
    lines.join("\n")
}

/// The URL without its password.
pub fn mask_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((login, host)) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{host}")
        }
        None => url.to_owned(),
    }
}

/// The well-known names of the environment, as settings.
fn shorthand() -> Dict {
    let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut settings = Dict::new();
    let mut set = |section: &str, values: [(&str, String); 2]| {
        let values = values.map(|(key, value)| (key.to_owned(), Value::from(value)));
        settings.insert(section.to_owned(), Value::from(Dict::from(values)));
    };
    if let Some(brokers) = var("KAFKA_BROKERS") {
        set("log", [("kind", "kafka".into()), ("brokers", brokers)]);
    }
    let parts = || {
        let host = var("DB_HOST")?;
        let or = |name, default: &str| var(name).unwrap_or(default.to_owned());
        let (port, name) = (or("DB_PORT", "3306"), or("DB_NAME", "rookery"));
        let (user, password) = (or("DB_USER", "rookery"), or("DB_PASSWORD", ""));
        Some(format!("mysql://{}:{}@{host}:{port}/{name}", escape(&user), escape(&password)))
    };
    if let Some(url) = var("DATABASE_URL").or_else(parts) {
        set("store", [("kind", "mysql".into()), ("url", url)]);
    }
    settings
}

/// Percent-encodes what would end the user or password of a URL.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// One line: the setting, what it should be, and where the wrong value came from.
fn explain(error: &figment::Error) -> ConfigError {
    let name = match error.path.is_empty() {
        true => String::new(),
        false => format!("{}: ", error.path.join(".")),
    };
    let from = error.metadata.as_ref().map(|metadata| {
        let source = metadata.source.as_ref().map(|source| format!(" {source}"));
        format!(" (from {}{})", metadata.name, source.unwrap_or_default())
    });
    // A syntax error comes with a drawing of the line; its words fit on one.
    let kind = error.kind.to_string();
    let words: Vec<&str> = kind
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains('|'))
        .collect();
    let mut words = words.join(": ");
    for number in ["usize", "u16", "u32", "u64", "i64"] {
        words = words.replace(&format!("expected {number}"), "should be a whole number");
    }
    ConfigError(format!("{name}{words}{}", from.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked() {
        assert_eq!(mask_password("mysql://ann:p%40ss@db:1/x"), "mysql://ann:***@db:1/x");
        let mut config = Config::default();
        config.store.url = "mysql://ann:hush@db/x".into();
        config.log.properties.insert("sasl.password".into(), "hush".into());
        assert!(!config.masked().contains("hush"));
        assert!(config.masked().contains("limits.page = 100"));
    }

    #[test]
    fn the_sample_file_is_every_default() {
        let sample: Config =
            Figment::from(Toml::string(include_str!("../config/rookery.toml"))).extract().unwrap();
        assert_eq!(sample.masked(), Config::default().masked());
        let names = |text: &str| text.lines().filter(|line| line.contains(" = ")).count();
        let settings = names(&Config::default().masked()) - 1;
        let written = include_str!("../config/rookery.toml").lines();
        let written = written.filter(|line| !line.starts_with('#') && line.contains(" = ")).count();
        assert_eq!(written, settings, "log.properties is a section of its own");
    }

    #[test]
    fn the_defaults_are_usable_and_a_contradiction_is_named() {
        assert!(Config::default().check().is_ok());
        let mut config = Config::default();
        config.log.kind = LogKind::Kafka;
        let error = config.check().unwrap_err().to_string();
        assert!(error.starts_with("store.kind: "), "{error}");
    }
}
