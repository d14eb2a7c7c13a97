//! The pages, rendered on the server, and their assets, all embedded in the binary.

use std::borrow::Cow;
use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

use super::errors::{Answer, Problem};
use super::extract::{Shared, Viewer, login_of};
use crate::store::ActiveLogin;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Assets;

/// Changes with any asset, so that a new version is fetched at once.
static ASSET_VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for name in Assets::iter() {
        hash.update(Assets::get(&name).map(|file| file.metadata.sha256_hash()).unwrap_or_default());
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
});

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    asset_version: &'a str,
}

#[derive(Template)]
#[template(path = "signup.html")]
struct SignUpPage<'a> {
    asset_version: &'a str,
}

#[derive(Template)]
#[template(path = "chat.html")]
struct ChatPage<'a> {
    asset_version: &'a str,
    user_id: String,
    username: &'a str,
    display_name: &'a str,
    read_receipts: bool,
    receipt_members: usize,
}

fn page(template: &impl Template) -> Answer {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        Problem::internal()
    })?;
    let no_store = (header::CACHE_CONTROL, "no-store");
    Ok(HttpResponse::Ok()
        .insert_header(no_store)
        .content_type("text/html; charset=utf-8")
        .body(html))
}

pub async fn chat(request: HttpRequest, hub: Shared) -> Answer {
    let peer = request.peer_addr().map(|address| address.ip());
    let Some(ActiveLogin { account, .. }) = login_of(&hub, peer, request.headers()).await? else {
        return Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, "/login")).finish());
    };
    let person = &account.person;
    page(&ChatPage {
        asset_version: &ASSET_VERSION,
        user_id: person.id.to_string(),
        username: &person.username,
        display_name: &person.display_name,
        read_receipts: account.read_receipts,
        receipt_members: hub.config.limits.receipt_members,
    })
}

async fn form(viewer: Option<Viewer>, template: &impl Template) -> Answer {
    match viewer {
        Some(_) => Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, "/")).finish()),
        None => page(template),
    }
}

pub async fn login(viewer: Option<Viewer>) -> Answer {
    form(viewer, &LoginPage { asset_version: &ASSET_VERSION }).await
}

pub async fn signup(viewer: Option<Viewer>) -> Answer {
    form(viewer, &SignUpPage { asset_version: &ASSET_VERSION }).await
}

/// An asset. Browsers ask each time whether theirs is still the newest, and mostly hear yes.
pub async fn asset(request: HttpRequest, name: web::Path<String>) -> Answer {
    let EmbeddedFile { data, metadata } = Assets::get(&name).ok_or_else(Problem::not_found)?;
    let hash: String = metadata.sha256_hash().iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = header::EntityTag::new_strong(hash);
    let is_fresh = match request.headers().get(header::IF_NONE_MATCH).map(|value| value.to_str()) {
        Some(Ok(known)) => known.contains(etag.tag()),
        _ => false,
    };
    let mut response = if is_fresh { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::CACHE_CONTROL, "no-cache")).insert_header(header::ETag(etag));
    if is_fresh {
        return Ok(response.finish());
    }
    let kind = mime_guess::from_path(name.as_str()).first_or_octet_stream();
    let kind = match kind.type_() == mime_guess::mime::TEXT {
        true => format!("{kind}; charset=utf-8"),
        false => kind.to_string(),
    };
    let body: web::Bytes = match data {
        Cow::Borrowed(bytes) => web::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Ok(response.content_type(kind).body(body))
}
