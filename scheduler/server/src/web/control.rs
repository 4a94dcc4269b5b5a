//! What changes this process. Only from the machine that it runs on, and from no page of another
//! site: nothing else protects these endpoints.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use aurora_daemon::telemetry;
use aurora_daemon::web::{Crumb, Page};
use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use maud::html;

use super::{Pages, SERVICE};

/// What is said to who is not on this machine; nothing to who is.
fn refusal(
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: &HeaderMap,
) -> Option<Response> {
    let is_here =
        peer.is_some_and(|Extension(ConnectInfo(peer))| peer.ip().to_canonical().is_loopback());
    // A browser on this machine may have been told to by anybody's page; a proxy speaks for others.
    let speaks_for_itself = !headers.contains_key(header::ORIGIN)
        && !headers.contains_key("x-forwarded-for")
        && !headers.contains_key(header::FORWARDED);
    let text =
        "this is allowed only from the scheduler's own machine, without a browser or a proxy\n";
    (!(is_here && speaks_for_itself)).then(|| (StatusCode::FORBIDDEN, text).into_response())
}

/// Ends this scheduler as it should end.
pub(super) async fn quit(
    State(pages): State<Pages>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refusal(peer, &headers) {
        return refusal;
    }
    tracing::warn!("told to end through /quitquitquit");
    pages.quit.cancel();
    "the scheduler ends\n".into_response()
}

/// Ends the process at once.
pub(super) async fn abort(
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refusal(peer, &headers) {
        return refusal;
    }
    tracing::error!("told to abort through /abortabortabort");
    std::process::abort()
}

pub(super) async fn log_filter() -> Response {
    let crumbs = [Crumb::link("Roles", "/scheduler"), Crumb::here("Log")];
    let page = Page { service: SERVICE, title: "Log", crumbs: &crumbs };
    page.render(&html! {
        dl {
            dt { "Filter" }
            dd { code { (telemetry::filter().unwrap_or_else(|| "none: no log is kept".to_owned())) } }
        }
        p.faint {
            "To change it, on this machine: "
            code { "curl -d filter=info,aurora_scheduler_core=debug http://localhost:PORT/logconfig" }
        }
    })
}

/// Takes `filter`, or the original's `logger` and `level`.
pub(super) async fn set_log_filter(
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    asked: Result<Form<BTreeMap<String, String>>, FormRejection>,
) -> Response {
    if let Some(refusal) = refusal(peer, &headers) {
        return refusal;
    }
    let asked = match asked {
        Ok(Form(asked)) => asked,
        Err(rejection) => return rejection.into_response(),
    };
    let filter = match (asked.get("filter"), asked.get("logger"), asked.get("level")) {
        (Some(filter), ..) => filter.clone(),
        (None, logger, Some(level)) => {
            let level = match level.to_ascii_lowercase().as_str() {
                "all" => "trace".to_owned(),
                "inherit" => "info".to_owned(),
                level => level.to_owned(),
            };
            let before = telemetry::filter().unwrap_or_default();
            match logger.map(String::as_str) {
                None | Some("" | "ROOT") => level,
                Some(logger) if before.is_empty() => format!("{logger}={level}"),
                Some(logger) => format!("{before},{logger}={level}"),
            }
        }
        _ => {
            let text = "give filter=FILTER, or logger=NAME and level=LEVEL\n";
            return (StatusCode::BAD_REQUEST, text).into_response();
        }
    };
    match telemetry::set_filter(&filter) {
        Ok(()) => {
            tracing::info!(filter, "the log's filter was changed");
            format!("{filter}\n").into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
