//! The script of the pages. They can be read without it.

use std::sync::LazyLock;

use aurora_daemon::web::Asset;
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::pages;

static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("assets/observer.js");
    Asset::new("observer", "js", "text/javascript; charset=utf-8", content)
});

/// Where pages find the script.
pub(crate) fn script_path() -> &'static str {
    SCRIPT.path()
}

pub(crate) fn router() -> Router {
    SCRIPT.router().route("/assets/{name}", get(unknown))
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
                 img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
            ),
        );
    }
    page
}
