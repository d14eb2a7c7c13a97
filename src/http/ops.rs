//! For operators: is the process up, is the instance ready, and its figures.

use actix_web::{HttpResponse, web};
use metrics_exporter_prometheus::PrometheusHandle;

use super::errors::{Answer, Problem};
use super::extract::Shared;

pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// Ready: log and store reachable, caught up with the log, told who is online, and not
/// draining.
pub async fn readyz(hub: Shared) -> Answer {
    if hub.is_draining() {
        return Err(Problem::unavailable("draining"));
    }
    if !hub.is_caught_up() {
        return Err(Problem::unavailable("catching up with the log"));
    }
    if !hub.knows_who_is_here() {
        return Err(Problem::unavailable("asking the other instances who is online"));
    }
    if !hub.log.is_up() {
        return Err(Problem::unavailable("the log cannot be reached"));
    }
    hub.store.ping().await?;
    Ok(HttpResponse::Ok().content_type("text/plain").body("ready\n"))
}

pub async fn metrics(hub: Shared, figures: web::Data<Option<PrometheusHandle>>) -> HttpResponse {
    metrics::gauge!("rookery_sockets").set(hub.sessions.count() as f64);
    metrics::gauge!("rookery_rooms_awake").set(hub.rooms.count() as f64);
    let (read, stored) = (hub.followed.all(), hub.stored.all());
    let behind = read.iter().zip(&stored).map(|(read, stored)| (read - stored).max(0));
    metrics::gauge!("rookery_store_lag_entries").set(behind.sum::<i64>() as f64);
    let text = figures.as_ref().as_ref().map(PrometheusHandle::render).unwrap_or_default();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text)
}
