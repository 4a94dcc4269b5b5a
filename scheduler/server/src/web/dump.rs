//! Single tasks and cron jobs with everything that is known of them.

use std::fmt::Write;

use aurora_daemon::web::{Crumb, Page};
use aurora_model::key::{JobKey, TaskId};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::html;
use serde_json::Value;

use super::{Pages, SERVICE, ending};
use crate::json;

pub(super) async fn usage() -> Response {
    let text = "name what is to be shown: /structdump/task/TASK_ID or \
                /structdump/cron/ROLE/ENVIRONMENT/JOB\n";
    (StatusCode::BAD_REQUEST, text).into_response()
}

pub(super) async fn task(State(pages): State<Pages>, Path(id): Path<String>) -> Response {
    let found = match TaskId::new(id.clone()) {
        Ok(wanted) => {
            pages.core.ask(move |scheduler| scheduler.state().task(&wanted).cloned()).await
        }
        Err(_) => Ok(None),
    };
    let Ok(found) = found else { return ending() };
    show(&format!("Task {id}"), found.map(|task| json::task(&task)))
}

pub(super) async fn cron(
    State(pages): State<Pages>,
    Path((role, environment, name)): Path<(String, String, String)>,
) -> Response {
    let found = match JobKey::new(&role, &environment, &name) {
        Ok(key) => pages.core.ask(move |scheduler| scheduler.cron(&key)).await,
        Err(_) => Ok(None),
    };
    let Ok(found) = found else { return ending() };
    let title = format!("Cron job {role}/{environment}/{name}");
    show(&title, found.map(|cron| json::job(&cron.job)))
}

/// What is not there is no error: the original's tools read the text.
fn show(title: &str, found: Option<Value>) -> Response {
    let crumbs = [Crumb::link("Roles", "/scheduler"), Crumb::here(title)];
    let page = Page { service: SERVICE, title, crumbs: &crumbs };
    let mut text = String::new();
    match found {
        // Writing to a string cannot fail.
        Some(value) => _ = write!(text, "{value:#}"),
        None => text.push_str("There is nothing by this name."),
    }
    page.render(&html! { pre { (text) } })
}
