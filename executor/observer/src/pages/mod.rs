//! Pages for people: tasks, a task, a process, what it printed, its sandbox (`observer.md` 5).
//!
//! All can be read without scripts. With them, what changes is shown anew by itself, and what comes
//! to a file is shown as it comes.

mod lists;
mod plot;
mod sandbox;
mod task;
mod text;

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use aurora_daemon::beneath;
use aurora_daemon::web::{Crumb, Page, segment, state_badge, utc};
use aurora_thermos::view::Task;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};

use crate::assets::{script_path, scripted};
use crate::tasks::{Observed, Seen};

const SERVICE: &str = "Observer";
/// Seconds after which a page of something that changes is shown anew.
const REFRESH: u32 = 10;

type App = State<Arc<Observed>>;

pub(crate) fn router(observed: Arc<Observed>) -> Router {
    Router::new()
        .route("/", get(lists::index))
        .route("/main", get(lists::list))
        .route("/main/{which}", get(lists::list))
        .route("/main/{which}/{offset}", get(lists::list))
        .route("/main/{which}/{offset}/{num}", get(lists::list))
        .route("/task/{id}", get(task::task))
        .route("/rawtask/{id}", get(task::raw_task))
        .route("/process/{id}/{process}", get(task::process))
        .route("/logs/{id}/{process}/{run}/{stream}", get(text::log))
        .route("/search/{id}/{process}/{run}/{stream}", get(text::search_log))
        .route("/browse/{id}", get(sandbox::browse))
        .route("/browse/{id}/", get(sandbox::browse))
        .route("/browse/{id}/{*path}", get(sandbox::browse))
        .route("/file/{id}/{*path}", get(text::file))
        .route("/searchfile/{id}/{*path}", get(text::search_file))
        .with_state(observed)
}

fn page<'a>(title: &'a str, crumbs: &'a [Crumb]) -> Page<'a> {
    Page { service: SERVICE, title, crumbs }
}

/// A page with the script; what is in `live` is shown anew from time to time.
fn refreshed(title: &str, crumbs: &[Crumb], live: &Markup) -> Response {
    scripted(page(title, crumbs).render(&html! {
        noscript { meta http-equiv="refresh" content=(REFRESH); }
        div #live data-refresh=(REFRESH) { (live) }
        (script())
    }))
}

/// A page whose content does not change any more; one that was shown while it did takes it over.
fn settled(title: &str, crumbs: &[Crumb], content: &Markup) -> Response {
    page(title, crumbs).render(&html! { div #live { (content) } })
}

fn script() -> Markup {
    html! { script src=(script_path()) defer {} }
}

pub(crate) fn missing(message: &str) -> Response {
    page("Not found", &[Crumb::link("Tasks", "/")]).error(StatusCode::NOT_FOUND, message)
}

/// The page for what cannot be shown: `gone` if that is because it is not there.
pub(crate) fn failed(error: &io::Error, gone: &str) -> Response {
    let why = error.to_string();
    let status = beneath::logged_status(error, gone);
    let (title, text) = match status {
        StatusCode::NOT_FOUND => return missing(gone),
        StatusCode::FORBIDDEN => (
            "Not allowed",
            "The observer's user may not read this. Start the observer as one who may, such as root.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => ("Busy", why.as_str()),
        _ => ("Something is wrong", why.as_str()),
    };
    beneath::later(page(title, &[Crumb::link("Tasks", "/")]).error(status, text))
}

/// The page for tasks that cannot be looked at.
fn unreadable(error: &io::Error) -> Response {
    failed(error, "Tasks cannot be read.")
}

pub(crate) async fn unknown(uri: Uri) -> Response {
    missing(&format!("Not found: '{}'", uri.path()))
}

fn not_found(id: &str) -> Response {
    missing(&format!("Failed to find task {id}.  Try again shortly."))
}

/// The task's job and instance, if it has one.
fn label(task: &Task) -> String {
    task.header().and_then(|header| header.job.as_ref()).map_or_else(
        || task.id().to_owned(),
        |job| format!("{}/{}/{}/{}", job.role, job.environment, job.name, job.instance),
    )
}

/// The way to a task's page.
fn way(task: &Task) -> Vec<Crumb> {
    vec![
        Crumb::link("Tasks", "/"),
        Crumb::link(label(task), format!("/task/{}", segment(task.id()))),
    ]
}

fn state(task: &Seen) -> Markup {
    html! {
        (state_badge(task.state_name()))
        @if task.damage().is_some() { " " span.badge.bad { "checkpoint damaged" } }
        @if task.is_abandoned() { " " span.badge.bad { "its runner is gone" } }
    }
}

fn time(ms: Option<i64>) -> String {
    ms.map(utc).unwrap_or_default()
}

fn ports(task: &Task) -> Markup {
    let header = task.header();
    html! {
        @for (name, port) in header.iter().flat_map(|header| &header.ports) {
            @let host = header.map_or("", |header| header.hostname.as_str());
            div { a href={ "http://" (segment(host)) ":" (port) "/" } rel="noopener noreferrer" { (name) ": " (port) } }
        }
    }
}

/// A path within a sandbox, part by part ready to be put into an address.
fn joined(path: &Path) -> String {
    let parts = path.as_os_str().as_bytes().split(|byte| *byte == b'/');
    parts.map(|part| segment(part).to_string()).collect::<Vec<_>>().join("/")
}
