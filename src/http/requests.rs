//! The requests that are being answered. An orderly stop waits for them, and for nothing else: the
//! connections that browsers and load balancers keep open for later would hold it up for seconds.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::ConnectionType;
use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};

use super::Edge;
use super::extract::Shared;

const LOOK_EVERY: Duration = Duration::from_millis(10);
/// That long without any, so that the last answer has left and none was just arriving.
const QUIET_LOOKS: usize = 5;

#[derive(Default)]
pub struct Requests(AtomicUsize);

impl Requests {
    fn begin(self: &Arc<Self>) -> Answering {
        self.0.fetch_add(1, Ordering::SeqCst);
        Answering(self.clone())
    }

    /// Waits until all are answered. Whoever calls it says for how long at most.
    pub async fn finished(&self) {
        let mut quiet = 0;
        while quiet < QUIET_LOOKS {
            tokio::time::sleep(LOOK_EVERY).await;
            quiet = if self.0.load(Ordering::SeqCst) == 0 { quiet + 1 } else { 0 };
        }
    }
}

/// One request, from its head to the end of its answer's body.
struct Answering(Arc<Requests>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Middleware: counts the request, and ends its connection when the instance is stopping.
pub async fn count(
    hub: Shared,
    edge: web::Data<Edge>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<Counted>, Error> {
    let answering = edge.requests.begin();
    let mut response = next.call(request).await?;
    if hub.is_draining() {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let counted = |body: BoxBody| Counted { body, _answering: answering };
    Ok(response.map_into_boxed_body().map_body(|_, body| counted(body)))
}

/// The body of an answer; the request counts until it was handed over.
pub struct Counted {
    body: BoxBody,
    _answering: Answering,
}

impl MessageBody for Counted {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(context)
    }
}
