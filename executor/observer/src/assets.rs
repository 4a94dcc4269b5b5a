//! The script of the pages, and the icon. Pages can be read without either.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use crate::pages;

const SCRIPT: &str = include_str!("assets/observer.js");
const ICON: &str = include_str!("assets/icon.svg");

/// Where pages find the script. The name changes with the content, so that it can be kept for ever.
static SCRIPT_PATH: LazyLock<String> =
    LazyLock::new(|| format!("/assets/observer-{:016x}.js", fnv(SCRIPT.as_bytes())));

/// FNV-1a: tells contents apart that nobody wants to be the same.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

pub(crate) fn script_path() -> &'static str {
    &SCRIPT_PATH
}

pub(crate) fn router() -> Router {
    let kept = (header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    let script = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), kept];
    let icon = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "public, max-age=86400"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ];
    Router::new()
        .route(script_path(), get(move || async move { (script, SCRIPT) }))
        .route("/assets/favicon.ico", get(move || async move { (icon, ICON) }))
        .route("/assets/{name}", get(unknown))
        .route("/favicon.ico", get(|| async { Redirect::to("/assets/favicon.ico") }))
}

async fn unknown(Path(name): Path<String>) -> Response {
    pages::missing(&format!("Unknown asset: {name}")).into_response()
}

/// Lets a page run the observer's own script, ask the observer, and send forms to it. Nothing else.
pub(crate) fn scripted(mut page: Response) -> Response {
    if page.status() == StatusCode::OK {
        page.headers_mut().insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; \
                 img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
            ),
        );
    }
    page
}
