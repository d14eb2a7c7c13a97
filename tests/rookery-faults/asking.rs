//! HTTP as an observer speaks it: nothing that goes wrong is an error here, it is what was seen.

use std::time::Duration;

use reqwest::Method;
use rookery::guarantees::history::{Line, Outcome, Try};
use serde_json::{Value, json};

use crate::recording::{Clock, line_of};

/// Past it an outcome is unknown.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);

/// Somebody with a login.
#[derive(Debug, Clone)]
pub struct Login {
    pub id: String,
    pub name: String,
    pub token: String,
}

/// An instance, asked without a balancer in between.
#[derive(Debug, Clone)]
pub struct Place {
    pub name: String,
    pub base: String,
}

/// The first word of a message, which no other has.
pub fn client_id(body: &str) -> &str {
    body.split(' ').next().unwrap_or_default()
}

#[derive(Debug, Clone)]
pub struct Asking {
    http: reqwest::Client,
}

/// A status with a body, or nothing where the connection or the time was over first.
pub type Told = Option<(u16, Value)>;

impl Asking {
    pub fn new() -> Asking {
        // A kept connection could be one to an instance that was killed since.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).timeout(ANSWERED_WITHIN);
        Asking { http: http.build().expect("an HTTP client") }
    }

    pub async fn ask(
        &self,
        base: &str,
        login: &Login,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Told {
        let mut request = self.http.request(method, format!("{base}/api/v1{path}"));
        request = request.bearer_auth(&login.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    pub async fn get(&self, base: &str, login: &Login, path: &str) -> Told {
        self.ask(base, login, Method::GET, path, None).await
    }

    pub async fn is_ready(&self, base: &str) -> bool {
        let asked = self.http.get(format!("{base}/readyz")).timeout(Duration::from_secs(2));
        asked.send().await.is_ok_and(|answer| answer.status() == 200)
    }

    /// The value of a gauge or counter without labels.
    pub async fn metric(&self, base: &str, name: &str) -> Option<f64> {
        let asked = self.http.get(format!("{base}/metrics")).timeout(Duration::from_secs(2));
        let text = asked.send().await.ok()?.text().await.ok()?;
        let line = text.lines().find(|line| line.split(' ').next() == Some(name))?;
        line.split(' ').nth(1)?.parse().ok()
    }

    /// Posts a message.
    async fn post(&self, base: &str, login: &Login, room: &str, body: &str) -> Outcome {
        let path = format!("/rooms/{room}/messages");
        let message = json!({"body": body, "client_id": client_id(body)});
        match self.ask(base, login, Method::POST, &path, Some(message)).await {
            Some((200 | 201, answer)) => Outcome::Acknowledged(line_of(&answer["message"])),
            Some((status @ (400..=499 | 503), answer)) => {
                // A balancer has no code of ours; what it did not hand on was not done.
                let code =
                    answer["code"].as_str().map_or_else(|| status.to_string(), str::to_owned);
                Outcome::Refused(code)
            }
            _ => Outcome::Unknown,
        }
    }

    /// Posts a message, and notes when it was asked and answered.
    pub async fn try_to_post(
        &self,
        clock: Clock,
        place: Place,
        login: &Login,
        room: &str,
        body: &str,
    ) -> Try {
        let at = clock.now();
        let outcome = self.post(&place.base, login, room, body).await;
        Try { instance: place.name, at, answered_at: clock.now(), outcome }
    }

    /// The whole history of a room from the start: its lines, the status that refused them, or
    /// nothing where the instance does not answer.
    pub async fn history(
        &self,
        base: &str,
        login: &Login,
        room: &str,
    ) -> Option<Result<Vec<Line>, u16>> {
        let (mut lines, mut after) = (Vec::<Line>::new(), 0);
        loop {
            let path = format!("/rooms/{room}/messages?after={after}&limit=100");
            match self.get(base, login, &path).await? {
                (200, page) => {
                    lines.extend(page["messages"].as_array()?.iter().map(line_of));
                    match (page["has_newer"].as_bool(), lines.last()) {
                        (Some(true), Some(last)) => after = last.position,
                        _ => return Some(Ok(lines)),
                    }
                }
                (status @ (403 | 404), _) => return Some(Err(status)),
                _ => return None,
            }
        }
    }
}
