//! Single tasks and cron jobs with everything that is known of them.

use std::fmt::Write;

use aurora_daemon::web::{Crumb, Page};
use aurora_model::key::{JobKey, TaskId};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use maud::html;
use serde_json::{Value, json};

use super::{Pages, SERVICE, ending, wants_json};
use crate::json as objects;

const NOTHING: &str = "There is nothing by this name.";

pub(super) async fn usage() -> Response {
    let text = "name what is to be shown: /structdump/task/TASK_ID or \
                /structdump/cron/ROLE/ENVIRONMENT/JOB\n";
    (StatusCode::BAD_REQUEST, text).into_response()
}

pub(super) async fn task(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let found = match TaskId::new(id.clone()) {
        Ok(wanted) => {
            pages.core.ask(move |scheduler| scheduler.state().task(&wanted).cloned()).await
        }
        Err(_) => Ok(None),
    };
    let Ok(found) = found else { return ending() };
    show(&headers, &format!("Task {id}"), found.map(|task| objects::task(&task)))
}

pub(super) async fn cron(
    State(pages): State<Pages>,
    Path((role, environment, name)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let found = match JobKey::new(&role, &environment, &name) {
        Ok(key) => pages.core.ask(move |scheduler| scheduler.cron(&key)).await,
        Err(_) => Ok(None),
    };
    let Ok(found) = found else { return ending() };
    let title = format!("Cron job {role}/{environment}/{name}");
    show(&headers, &title, found.map(|cron| objects::job(&cron.job)))
}

/// What is not there is no error on the page: the original's tools read the text.
fn show(headers: &HeaderMap, title: &str, found: Option<Value>) -> Response {
    if wants_json(headers) {
        return match found {
            Some(value) => Json(value).into_response(),
            None => (StatusCode::NOT_FOUND, Json(json!({ "error": NOTHING }))).into_response(),
        };
    }
    let crumbs = [Crumb::link("Roles", "/scheduler"), Crumb::here(title)];
    let page = Page { service: SERVICE, title, crumbs: &crumbs };
    let mut text = String::new();
    match found {
        // Writing to a string cannot fail.
        Some(value) => _ = write!(text, "{value:#}"),
        None => text.push_str(NOTHING),
    }
    page.render(&html! { pre { (text) } })
}
