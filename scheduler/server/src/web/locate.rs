//! Leads to where an instance of a job listens.

use aurora_daemon::web::segment;
use aurora_model::job::TaskState;
use aurora_model::key::JobKey;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::{Pages, ending};

/// The ports at which something may be shown, the best first.
const PORTS: [&str; 5] = ["health", "http", "HTTP", "web", "admin"];

type Place = (String, String, String, String);

pub(super) async fn usage() -> Response {
    let text = "name an instance: /mname/ROLE/ENVIRONMENT/JOB/INSTANCE, and after it, if you like, a \
                path there\n";
    (StatusCode::BAD_REQUEST, text).into_response()
}

pub(super) async fn to_root(
    State(pages): State<Pages>,
    Path(place): Path<Place>,
    RawQuery(query): RawQuery,
) -> Response {
    lead(&pages, place, "", query).await
}

pub(super) async fn to_path(
    State(pages): State<Pages>,
    Path((role, environment, name, instance, rest)): Path<(String, String, String, String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    lead(&pages, (role, environment, name, instance), &rest, query).await
}

async fn lead(pages: &Pages, place: Place, rest: &str, query: Option<String>) -> Response {
    let (role, environment, name, instance) = place;
    let none = |text: String| (StatusCode::NOT_FOUND, text).into_response();
    let shown = format!("{role}/{environment}/{name}/{instance}");
    let (Ok(job), Ok(number)) = (JobKey::new(&role, &environment, &name), instance.parse::<u32>())
    else {
        return none(format!("{shown} is no instance of a job\n"));
    };
    let found = pages
        .core
        .ask(move |scheduler| {
            let task = scheduler.state().active_instance(&job, number)?;
            let host = task.assigned.agent.as_ref().map(|(_, host)| host.to_string());
            Some((task.state, host, task.assigned.assigned_ports.clone()))
        })
        .await;
    let Ok(found) = found else { return ending() };
    let Some((state, host, ports)) = found else {
        return none(format!("{shown} has no active task\n"));
    };
    let (TaskState::Running, Some(host)) = (state, host) else {
        return none(format!("{shown} is not running: it is {state}\n"));
    };
    let Some(port) = PORTS.iter().find_map(|name| ports.get(*name)) else {
        return none(format!("{shown} has none of the ports {}\n", PORTS.join(", ")));
    };
    // What was decoded for matching is put into an address again, part by part.
    let path: Vec<String> = rest.split('/').map(|part| segment(part).to_string()).collect();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Redirect::temporary(&format!("http://{host}:{port}/{}{query}", path.join("/"))).into_response()
}
