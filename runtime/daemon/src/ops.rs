//! The endpoints that operators and their tools look at: `/health`, `/vars`, `/vars.json`,
//! `/metrics`, `/version`.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
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
    /// Whether it is well; the text says why not.
    pub health: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

impl Ops {
    /// A daemon that is well as long as it answers.
    pub fn new(service: &'static str, version: &'static str) -> Self {
        let metrics = crate::metrics::install();
        // Uptime counts from here.
        process::measure();
        Self { service, version, metrics, health: Arc::new(|| Ok(())) }
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

async fn health(State(ops): State<Ops>) -> Response {
    match (ops.health)() {
        Ok(()) => "OK\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason).into_response(),
    }
}

async fn vars(State(ops): State<Ops>) -> String {
    process::measure();
    ops.metrics.vars().into_iter().fold(String::new(), |mut text, (name, value)| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name} {value}");
        text
    })
}

async fn vars_json(State(ops): State<Ops>) -> Response {
    process::measure();
    Json(ops.metrics.vars()).into_response()
}

async fn prometheus(State(ops): State<Ops>) -> Response {
    process::measure();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], ops.metrics.prometheus())
        .into_response()
}

async fn version(State(ops): State<Ops>) -> Response {
    Json(serde_json::json!({ "service": ops.service, "version": ops.version })).into_response()
}
