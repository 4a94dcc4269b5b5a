//! What people and their tools look at: pages, and the endpoints of the original (`api-and-http.md` 3).

mod agents;
mod control;
mod dump;
mod endpoints;
mod graph;
mod jobs;
mod lists;
mod locate;
pub(crate) mod stream;
pub(crate) mod utilization;

use std::sync::Arc;

use aurora_daemon::web::{Crumb, Page};
use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

use crate::actor::Core;
use crate::history::History;
use crate::quotas;

pub(crate) const SERVICE: &str = "Scheduler";

#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) core: Core,
    pub(crate) cluster: Arc<str>,
    pub(crate) observer_port: u16,
    /// Where people find how a job does, if anywhere: its key is appended.
    pub(crate) stats_url_prefix: Arc<str>,
    pub(crate) history: History,
    /// Cancelled to end this scheduler.
    pub(crate) quit: CancellationToken,
}

pub(crate) fn router(pages: Pages) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/scheduler") }))
        .route("/scheduler", get(jobs::roles))
        .route("/scheduler/{role}", get(jobs::role))
        .route("/scheduler/{role}/{environment}", get(jobs::environment))
        .route("/scheduler/{role}/{environment}/{name}", get(jobs::job))
        .route("/scheduler/{role}/{environment}/{name}/{instance}", get(jobs::instance))
        .route("/pending", get(lists::pending))
        .route("/quota", get(lists::quota))
        .route("/crons", get(lists::crons))
        .route("/updates", get(lists::updates))
        .route("/agents", get(agents::page))
        .route("/slaves", get(|| async { Redirect::permanent("/agents") }))
        .route("/pendingtasks", get(endpoints::pending))
        .route("/quotas", get(quotas::page))
        .route("/offers", get(endpoints::offers))
        .route("/maintenance", get(endpoints::maintenance))
        .route("/cron", get(endpoints::cron))
        .route("/tiers", get(endpoints::tiers))
        .route("/state", get(endpoints::state))
        .route("/services", get(endpoints::services))
        .route("/leaderhealth", get(endpoints::leader_health))
        .route("/structdump", get(dump::usage))
        .route("/structdump/task/{id}", get(dump::task))
        .route("/structdump/cron/{role}/{environment}/{name}", get(dump::cron))
        .route("/utilization", get(utilization::total))
        .route("/utilization/{kind}", get(utilization::by_role))
        .route("/utilization/{kind}/{role}", get(utilization::by_job))
        .route("/mname", get(locate::usage))
        .route(
            "/mname/{role}/{environment}/{name}/{instance}",
            get(locate::to_root).put(locate::to_root).post(locate::to_root).delete(locate::to_root),
        )
        .route(
            "/mname/{role}/{environment}/{name}/{instance}/{*rest}",
            get(locate::to_path).put(locate::to_path).post(locate::to_path).delete(locate::to_path),
        )
        .route("/graphdata", get(graph::data))
        .route("/graphview", get(graph::page))
        .route("/logconfig", get(control::log_filter).post(control::set_log_filter))
        .route("/quitquitquit", post(control::quit))
        .route("/abortabortabort", post(control::abort))
        .fallback(unknown)
        .with_state(pages)
}

/// Whether JSON is asked for where people get a page: it is named, and pages are not.
fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let kinds: Vec<&str> = accepted
        .flat_map(|value| value.split(','))
        .filter_map(|kind| kind.split(';').next())
        .map(str::trim)
        .collect();
    let has = |wanted: &str| kinds.iter().any(|kind| kind.eq_ignore_ascii_case(wanted));
    has("application/json") && !has("text/html")
}

pub(crate) fn ending() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the scheduler is shutting down").into_response()
}

async fn unknown(uri: Uri) -> Response {
    let crumbs = [Crumb::link("Roles", "/scheduler")];
    let page = Page { service: SERVICE, title: "Not found", crumbs: &crumbs };
    page.error(StatusCode::NOT_FOUND, &format!("There is nothing at {}.", uri.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_given_to_who_names_it_and_no_page() {
        for (accept, wanted) in [
            (None, false),
            (Some("*/*"), false),
            (Some("application/json"), true),
            (Some("Application/JSON; q=0.9, */*;q=0.1"), true),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), false),
            (Some("text/html, application/json"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(wants_json(&headers), wanted, "{accept:?}");
        }
    }
}
