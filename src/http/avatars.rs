//! Pictures of people over HTTP: setting my own, taking it away, showing anybody's.

use std::sync::LazyLock;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, EntityTag};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::errors::{Answer, Problem};
use super::extract::{LoggedIn, Query, Shared, Viewer, body_bytes, path_id};
use super::users::seen_changed;
use crate::core::avatar::{self, Avatar, NoPicture};
use crate::core::types::UserId;
use crate::hub::pace::Weight;
use crate::store::{Account, StoreError};

/// Pictures that are made at once; each takes a core and tens of megabytes for a moment.
static MAKING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));
/// How long a picture waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// An address never changes what it shows.
const FOR_EVER: &str = "private, max-age=31536000, immutable";
const ASK_EACH_TIME: &str = "private, no-cache";
/// Opened on its own it is a picture and nothing else.
const NOTHING_BUT_ITSELF: &str = "default-src 'none'; sandbox";

impl From<NoPicture> for Problem {
    fn from(no_picture: NoPicture) -> Problem {
        Problem::invalid("avatar", no_picture.to_string())
    }
}

/// Where a person's picture is; `None` for who has none.
pub fn address_of(account: &Account) -> Option<String> {
    address(account.person.id, account.avatar.as_deref())
}

/// As [`address_of`], of this version.
pub fn address(user: UserId, version: Option<&str>) -> Option<String> {
    version.map(|version| format!("/api/v1/users/{user}/avatar?v={version}"))
}

/// The body of a request that has an image in it. 415 for another type.
pub struct Image {
    format: image::ImageFormat,
    bytes: web::Bytes,
}

impl FromRequest for Image {
    type Error = Problem;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Image, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = request.mime_type().ok().flatten();
        let format = kind.and_then(|kind| avatar::format_of(kind.essence_str()));
        let bytes = body_bytes(request, payload);
        Box::pin(async move {
            let format = format.ok_or_else(|| {
                let detail = "send the picture as image/png, image/jpeg or image/webp";
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                Problem::new(status, "unsupported_media_type", detail)
            })?;
            Ok(Image { format, bytes: bytes.await? })
        })
    }
}

pub async fn put(hub: Shared, LoggedIn(viewer, image): LoggedIn<Image>) -> Answer {
    hub.pace.count(viewer.id(), Weight::ONE)?;
    let made = make(image).await?;
    match hub.store.set_avatar(viewer.id(), &made).await {
        // The account was deleted meanwhile.
        Err(StoreError::Fenced) => return Err(Problem::not_logged_in()),
        set => set?,
    }
    seen_changed(&hub, viewer.id()).await
}

pub async fn delete(hub: Shared, viewer: Viewer) -> Answer {
    hub.pace.count(viewer.id(), Weight::ONE)?;
    hub.store.delete_avatar(viewer.id()).await?;
    seen_changed(&hub, viewer.id()).await
}

/// Off the threads that events run on, and not too many at once.
async fn make(image: Image) -> Result<Avatar, Problem> {
    let busy = || Problem::unavailable("too many pictures are being made at once");
    let turn = tokio::time::timeout(TURN_WITHIN, MAKING.acquire()).await.map_err(|_| busy())?;
    let turn = turn.map_err(|_| busy())?;
    let made = web::block(move || {
        // It goes with the job: a client that hangs up does not make room for another one.
        let _turn = turn;
        avatar::make(image.format, &image.bytes)
    });
    Ok(made.await.map_err(|_| Problem::internal())??)
}

#[derive(Deserialize)]
pub struct Version {
    v: Option<String>,
}

pub async fn show(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(_, Query(asked)): LoggedIn<Query<Version>>,
) -> Answer {
    let user: UserId = path_id(&request, "user")?;
    let avatar = hub.store.avatar(user).await?.ok_or_else(Problem::not_found)?;
    let etag = EntityTag::new_strong(avatar.version.clone());
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_fresh = known.is_some_and(|known| known.contains(etag.tag()));
    let lasting = asked.v.as_deref() == Some(etag.tag());
    let mut answer = if is_fresh { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer
        .insert_header((header::CACHE_CONTROL, if lasting { FOR_EVER } else { ASK_EACH_TIME }))
        .insert_header((header::CONTENT_SECURITY_POLICY, NOTHING_BUT_ITSELF))
        .insert_header(header::ETag(etag));
    match is_fresh {
        true => Ok(answer.finish()),
        false => Ok(answer.content_type(avatar.kind).body(avatar.bytes)),
    }
}
