//! The endpoints that operators and their tools look at: `/health`, `/vars`, `/vars.json`,
//! `/metrics`, `/version`.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;

use crate::metrics::Metrics;
use crate::process;

/// What the endpoints tell.
#[derive(Clone)]
pub struct Ops {
    /// The daemon's name, such as `scheduler`.
    pub service: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// Its numbers.
    pub metrics: Metrics,
}

impl Ops {
    /// The endpoints' words for a daemon.
    pub fn new(service: &'static str, version: &'static str) -> Self {
        let metrics = crate::metrics::install();
        // Uptime counts from here.
        process::measure();
        Self { service, version, metrics }
    }
}

/// The endpoints.
pub fn router(ops: Ops) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/vars", get(vars))
        .route("/vars.json", get(vars_json))
        .route("/metrics", get(prometheus))
        .route("/version", get(version))
        .with_state(ops)
}

/// A daemon is well as long as it answers: one that waits for its master is not made better by being
/// started anew.
async fn health() -> &'static str {
    "OK\n"
}

async fn vars(State(ops): State<Ops>) -> String {
    process::measure();
    ops.metrics.vars().into_iter().fold(String::new(), |mut text, (name, value)| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name} {value}");
        text
    })
}

async fn vars_json(
    State(ops): State<Ops>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    process::measure();
    let vars = ops.metrics.vars();
    if asked.get("pretty").map(String::as_str) != Some("true") {
        return Json(vars).into_response();
    }
    let text = format!("{:#}\n", serde_json::json!(vars));
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

async fn prometheus(State(ops): State<Ops>) -> Response {
    process::measure();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], ops.metrics.prometheus())
        .into_response()
}

async fn version(State(ops): State<Ops>) -> Response {
    Json(serde_json::json!({ "service": ops.service, "version": ops.version })).into_response()
}
