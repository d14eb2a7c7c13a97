//! Wiring: opens log and store, starts the actors and the server, and stops it all in order.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_rt::net::TcpStream;
use actix_server::{Server, ServerHandle};
use actix_service::{ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::web;
use metrics_exporter_prometheus::PrometheusHandle;
use socket2::{Domain, Socket, Type};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, LogKind, StoreKind, mask_password};
use crate::core::record;
use crate::http::connection::Connection;
use crate::http::requests::Requests;
use crate::http::{self, Edge};
use crate::hub::bridge::Bridge;
use crate::hub::outbound::Ending;
use crate::hub::persister::Persister;
use crate::hub::presence::{Farewell, PresenceActor};
use crate::hub::signals::Signals;
use crate::hub::{Hub, clock, inbound, logins};
use crate::log::kafka::{KafkaLog, KafkaSettings};
use crate::log::local::{LocalBus, LocalLog};
use crate::log::{Bus, Channel, Inbound, Log, LogError};
use crate::store::{Store, StoreError};

/// The whole stop takes at most this; then the process ends all the same.
const STOP_WITHIN: Duration = Duration::from_secs(9);
/// How long the sockets take to be closed, however many there are.
const CLOSE_SOCKETS_WITHIN: Duration = Duration::from_secs(3);
/// Sockets closed in one step of the pace.
const SOCKETS_A_STEP: usize = 50;
/// Requests that are being answered may take this long to finish, in seconds.
const FINISH_REQUESTS_WITHIN: u64 = 3;
/// For how long a stop waits for the store to have what was accepted.
const STORED_WITHIN: Duration = Duration::from_secs(1);
const SLOW_REQUEST_HEAD: Duration = Duration::from_secs(10);
/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 4_096;
/// Connections of one worker.
const MOST_CONNECTIONS: usize = 1 << 20;
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Without a byte of an answer for so long, a connection ends, whatever its client sends.
const QUIET_CONNECTION: Duration = Duration::from_secs(90);

/// Why the hub cannot start, in one line that names the setting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("store.url: {0}: {1}")]
    Store(String, StoreError),
    #[error("log.brokers: {}", .0.0)]
    Kafka(LogError),
    #[error("data.dir: {0}: {1}")]
    Local(String, String),
    #[error("cannot start: {0}")]
    Log(#[from] LogError),
    #[error("data.dir: cannot use {0}: {1}")]
    Data(String, io::Error),
    #[error("server.listen: cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    #[error("server.instance: no random bytes to make one up: {0}")]
    Random(#[from] getrandom::Error),
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
}

/// Opens the store alone, as `rookery migrate` and `rookery user` do.
pub async fn open_store(config: &Config) -> Result<Store, StartError> {
    match config.store.kind {
        StoreKind::Sqlite => {
            make_data_dir(config)?;
            let store = Store::sqlite(&config.data.dir.join("rookery.db")).await;
            store.map_err(|error| local(config, &error))
        }
        StoreKind::Mysql => {
            let store = Store::mysql(&config.store.url, config.store.connections).await;
            store.map_err(|error| remote(config, error))
        }
    }
}

fn remote(config: &Config, error: StoreError) -> StartError {
    StartError::Store(mask_password(&config.store.url), error)
}

fn local(config: &Config, error: &dyn std::error::Error) -> StartError {
    StartError::Local(config.data.dir.display().to_string(), error.to_string())
}

fn make_data_dir(config: &Config) -> Result<(), StartError> {
    let dir = &config.data.dir;
    std::fs::create_dir_all(dir).map_err(|error| StartError::Data(dir.display().to_string(), error))
}

/// The log, what beside it the instances tell each other by, and where other programs post.
type Opened = (Arc<dyn Log>, Arc<dyn Bus>, Option<Arc<dyn Inbound>>);

async fn open_log(config: &Config) -> Result<Opened, StartError> {
    match config.log.kind {
        LogKind::Local => {
            make_data_dir(config)?;
            let log = LocalLog::open(&config.data.dir).map_err(|error| local(config, &error))?;
            Ok((log, LocalBus::new(), None))
        }
        LogKind::Kafka => open_kafka(config).await,
    }
}

async fn open_kafka(config: &Config) -> Result<Opened, StartError> {
    const MS_AN_HOUR: i64 = 3_600_000;
    let settings = &config.log;
    let kafka = KafkaLog::open(KafkaSettings {
        brokers: settings.brokers.clone(),
        topic_prefix: settings.topic_prefix.clone(),
        partitions: settings.partitions,
        instance: config.server.instance.clone(),
        message_retention_ms: match settings.retention_hours {
            hours if hours < 0 => -1,
            hours => hours.saturating_mul(MS_AN_HOUR),
        },
        entry_bytes: record::most_bytes(&config.limits.text()),
        extra: settings.properties.clone(),
    })
    .await
    .map_err(StartError::Kafka)?;
    Ok((kafka.clone(), kafka.clone(), Some(kafka)))
}

/// Runs one instance until SIGTERM or SIGINT, then stops it in order.
pub async fn serve(config: Config, figures: Option<PrometheusHandle>) -> Result<(), StartError> {
    let started = Instant::now();
    raise_open_files();
    let (mut config, incarnation) = name_instance(config)?;
    // First of all, so that a taken port leaves nothing half started.
    let listen = config.server.listen;
    let listener = listener(listen).map_err(|error| StartError::Listen(listen, error))?;
    let address = format!("http://{}", listener.local_addr()?);
    let store = open_store(&config).await?;
    clock::compare(&store).await;
    let (log, bus, door) = open_log(&config).await?;
    let store_failed = |error| remote(&config, error);
    // In this order: what others append and store meanwhile must not look like a shorter log.
    let offsets = store.offsets().await.map_err(store_failed)?;
    let ends = log.ends().await?;
    let epoch = store.open_log(&offsets, &ends, log.is_new()).await.map_err(store_failed)?;
    let mut stored = vec![0; ends.len()];
    for (partition, _, next) in store.offsets().await.map_err(store_failed)? {
        if let Some(mark) = stored.get_mut(usize::from(partition)) {
            *mark = next;
        }
    }
    let feed = log.follow(stored.clone()).await?;
    let (signals, presence) =
        (bus.listen(Channel::Signals).await?, bus.listen(Channel::Presence).await?);

    if config.server.workers == 0 {
        config.server.workers = std::thread::available_parallelism().map_or(1, usize::from);
    }
    let workers = config.server.workers;
    let hub = Hub::new(config, incarnation, (log, bus, store), epoch, stored);
    let arbiters: Vec<Arbiter> = (0..workers).map(|_| Arbiter::new()).collect();
    hub.rooms.run_on(arbiters.iter().map(Arbiter::handle).collect());
    // Among the rooms, which it hands what it reads.
    let bridge = Bridge::new(hub.clone(), feed, ends);
    let bridge = Bridge::start_in_arbiter(&arbiters[0].handle(), |_| bridge);
    let presence = PresenceActor::new(hub.clone(), presence);
    hub.introduce(bridge, presence.start());
    Signals::new(hub.clone(), signals).start();
    actix_rt::spawn(logins::watch(hub.clone()));
    actix_rt::spawn(clock::watch(hub.clone()));
    if let Some(door) = door {
        actix_rt::spawn(inbound::post_all(hub.clone(), door));
    }
    let persister = Persister::new(hub.clone());
    Persister::start_in_arbiter(&Arbiter::new().handle(), |_| persister);

    // Before anybody can see that it is ready, and stop it.
    let told_to_stop = told_to_stop()?;
    let edge = web::Data::new(Edge::new(&hub.config));
    let server = serve_on(&hub, &edge, listener, figures)?;
    let handle = server.handle();
    tracing::info!(%address, took = ?started.elapsed(), "rookery is listening");
    let stopped = actix_rt::spawn(async move {
        told_to_stop.await;
        tracing::info!("stopping");
        if tokio::time::timeout(STOP_WITHIN, stop(&hub, &edge.requests, &handle)).await.is_err() {
            tracing::warn!("stopping took too long; what is left is cut off");
        }
    });
    tokio::pin!(stopped);
    tokio::select! {
        ended = server => {
            ended?;
            // Its panic was logged; there is nothing left to stop.
            let _ = stopped.await;
        }
        // Connections that nobody uses may still be open; they end with the process.
        _ = &mut stopped => {}
    }
    tracing::info!("stopped");
    Ok(())
}

/// Gives the instance a name, and this run of it one that no other run ever has.
fn name_instance(mut config: Config) -> Result<(Config, String), StartError> {
    let mut random = [0u8; 6];
    getrandom::fill(&mut random)?;
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    if config.server.instance.is_empty() {
        config.server.instance = format!("rookery-{}", &random[..6]);
    }
    // The key of a lease; a slash in it would read as a person's entry.
    let incarnation = format!("{}.{random}", config.server.instance.replace('/', "_"));
    Ok((config, incarnation))
}

/// Each socket takes a file. What is started with the usual limit, made for programs that look at all
/// their files one by one, could have a thousand.
fn raise_open_files() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => tracing::debug!(files, "open files at the most"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
}

/// Takes the address. After a storm of lost connections many come back at once, hence the backlog.
fn listener(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(listen), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&listen.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn serve_on(
    hub: &Arc<Hub>,
    edge: &web::Data<Edge>,
    listener: TcpListener,
    figures: Option<PrometheusHandle>,
) -> Result<Server, StartError> {
    let figures = web::Data::new(figures);
    let (shared, edge) = (hub.clone(), edge.clone());
    let service = move || {
        let (door, door_edge) = (shared.clone(), edge.clone());
        let upgrade = fn_service(move |(request, framed)| {
            http::socket::upgrade(door.clone(), door_edge.clone(), request, framed)
        });
        let app = http::app(shared.clone(), edge.clone(), figures.clone());
        let serve = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(SLOW_REQUEST_HEAD)
            .upgrade(upgrade)
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(|socket: TcpStream| async move {
            // Only a hint: without it answers wait a little for each other.
            let _ = socket.set_nodelay(true);
            let peer = socket.peer_addr().ok();
            let connection = Connection::new(socket, QUIET_CONNECTION);
            Ok::<_, DispatchError>((connection, Protocol::Http1, peer))
        })
        .and_then(serve)
    };
    let server = Server::build()
        .workers(hub.config.server.workers)
        // Files are what limits them; of a worker's own limit nobody would know.
        .max_concurrent_connections(MOST_CONNECTIONS)
        .shutdown_timeout(FINISH_REQUESTS_WITHIN)
        .disable_signals()
        .listen("rookery", listener, service)?;
    Ok(server.run())
}

/// Hears SIGTERM and SIGINT from this call on; the future ends with the first of them.
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Not ready; the sockets sent elsewhere at a measured pace; what is in flight finished.
async fn stop(hub: &Arc<Hub>, requests: &Requests, server: &ServerHandle) {
    hub.drain();
    close_sockets(hub).await;
    tokio::select! {
        // Waits for every connection, so it only takes less when there is none.
        () = server.stop(true) => {}
        () = requests.finished() => {}
    }
    hub.bus.flush().await;
    hub.log.close().await;
    // A batch for the store may be waiting for company. What is not written now is with the next
    // start, or by another instance.
    let _ = tokio::time::timeout(STORED_WITHIN, hub.store_up_to_date()).await;
}

async fn close_sockets(hub: &Arc<Hub>) {
    let sessions = hub.sessions.all();
    let steps = sessions.len().div_ceil(SOCKETS_A_STEP).max(1);
    let pause = (CLOSE_SOCKETS_WITHIN / 2 / steps as u32).min(Duration::from_millis(50));
    for step in sessions.chunks(SOCKETS_A_STEP) {
        step.iter().for_each(|session| session.outbound.end(Ending::Draining));
        tokio::time::sleep(pause).await;
    }
    // Before the other sides have answered: some never do.
    if let Some(presence) = hub.presence() {
        // Only a stopped actor does not answer, and then there is nothing to tell.
        let _ = presence.send(Farewell).await;
    }
    let until = Instant::now() + CLOSE_SOCKETS_WITHIN / 2;
    while hub.sessions.count() > 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
