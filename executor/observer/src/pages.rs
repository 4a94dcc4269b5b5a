//! Pages for people: tasks, a task, a process, what it printed, its sandbox (`observer.md` 5).

use std::sync::Arc;

use aurora_daemon::beneath::{self, Entry, blocking};
use aurora_daemon::web::{Crumb, Page, bytes, duration, segment, state_badge, utc};
use aurora_thermos::view::{Run, Stream, Task};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use crate::files;
use crate::tasks::{Listed, Observed, PAGE, Which, command_line, configuration, state_name};
use crate::usage::{self, Usage};

const SERVICE: &str = "Observer";
/// How much of a file one page shows, in bytes.
const SHOWN: u64 = 64 << 10;
/// Seconds after which a page of something that changes is shown anew.
const REFRESH: &str = "5";

type App = State<Arc<Observed>>;

pub(crate) fn router(observed: Arc<Observed>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/main", get(index))
        .route("/main/{which}", get(list))
        .route("/main/{which}/{offset}", get(list))
        .route("/task/{id}", get(task))
        .route("/rawtask/{id}", get(raw_task))
        .route("/process/{id}/{process}", get(process))
        .route("/logs/{id}/{process}/{run}/{stream}", get(log))
        .route("/browse/{id}", get(browse))
        .route("/browse/{id}/{*path}", get(browse))
        .route("/file/{id}/{*path}", get(file))
        .with_state(observed)
}

fn page<'a>(title: &'a str, crumbs: &'a [Crumb]) -> Page<'a> {
    Page { service: SERVICE, title, crumbs }
}

fn missing(message: &str) -> Response {
    page("Not found", &[Crumb::link("Tasks", "/")]).error(StatusCode::NOT_FOUND, message)
}

fn unreadable(error: &std::io::Error) -> Response {
    page("Something is wrong", &[Crumb::link("Tasks", "/")])
        .error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
}

fn refreshed(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::REFRESH, HeaderValue::from_static(REFRESH));
    answer
}

pub(crate) async fn unknown(uri: Uri) -> Response {
    missing(&format!("Not found: {}", uri.path()))
}

fn not_found(id: &str) -> Response {
    missing(&format!("Failed to find task {id}. Try again shortly."))
}

async fn index(State(observed): App) -> Response {
    let active = observed.list(Which::Active, 0, PAGE).await;
    let finished = observed.list(Which::Finished, 0, PAGE).await;
    let (active, finished) = match (active, finished) {
        (Ok(active), Ok(finished)) => (active, finished),
        (Err(error), _) | (_, Err(error)) => return unreadable(&error),
    };
    let root = observed.root().display().to_string();
    let lists = blocking(move || Ok((table(&active), table(&finished), active, finished))).await;
    let (active_table, finished_table, active, finished) = match lists {
        Ok(lists) => lists,
        Err(error) => return unreadable(&error),
    };
    refreshed(page("Tasks", &[Crumb::here("Tasks")]).render(&html! {
        p.faint { "Checkpoints below " (root) ", the executor's --checkpoint-root." }
        h2 { "Active" } (active_table) (pager(&active))
        h2 { "Finished" } (finished_table) (pager(&finished))
    }))
}

async fn list(State(observed): App, Path(part): Path<Vec<(String, String)>>) -> Response {
    let of = |wanted: &str| {
        part.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    };
    let which = of("which").unwrap_or("all");
    let Some(which) = Which::parse(which) else {
        return missing(&format!("Invalid task type: {which}"));
    };
    let offset = of("offset").unwrap_or("0");
    let Ok(from) = offset.parse::<i64>() else {
        return missing(&format!("Invalid offset: {offset}"));
    };
    let listed = match observed.list(which, from, PAGE).await {
        Ok(listed) => listed,
        Err(error) => return unreadable(&error),
    };
    match blocking(move || Ok((table(&listed), listed))).await {
        Ok((table, listed)) => {
            page("Tasks", &[Crumb::link("Tasks", "/"), Crumb::here(which.name())])
                .render(&html! { (table) (pager(&listed)) })
        }
        Err(error) => unreadable(&error),
    }
}

fn pager(listed: &Listed) -> Markup {
    let Listed { which, offset, size, total, .. } = listed;
    let end = (offset + size).min(*total);
    html! {
        @if *total > *size {
            div.pager {
                @if *offset > 0 {
                    a href={ "/main/" (which.name()) "/" (offset.saturating_sub(*size)) } { "← newer" }
                }
                span.faint { (offset + 1) "–" (end) " of " (total) }
                @if end < *total {
                    a href={ "/main/" (which.name()) "/" (end) } { "older →" }
                }
            }
        }
    }
}

fn table(listed: &Listed) -> Markup {
    if listed.tasks.is_empty() {
        return html! { p.empty { "No tasks." } };
    }
    html! {
        div.scroll { table {
            thead { tr {
                th { "Task" } th { "User" } th { "State" } th { "Launched" } th.number { "Memory" }
                th { "Ports" } th { "Sandbox" }
            } }
            tbody {
                @for task in &listed.tasks {
                    @let id = segment(task.id()).to_string();
                    tr {
                        td { a href={ "/task/" (id) } { (label(task)) } br; span.faint { (task.id()) } }
                        td { (task.header().map_or("", |header| header.user.as_str())) }
                        td { (state(task)) }
                        td { (time(task.started_ms())) }
                        td.number {
                            @let used = usage::of_task(task);
                            @if used.processes > 0 { (bytes(used.ram)) }
                        }
                        td { (ports(task)) }
                        td { @if task.header().is_some() { a href={ "/browse/" (id) } { "browse" } } }
                    }
                }
            }
        } }
    }
}

/// The task's job and instance, if it has one.
fn label(task: &Task) -> String {
    task.header().and_then(|header| header.job.as_ref()).map_or_else(
        || task.id().to_owned(),
        |job| format!("{}/{}/{}/{}", job.role, job.environment, job.name, job.instance),
    )
}

fn state(task: &Task) -> Markup {
    html! {
        (state_badge(state_name(task)))
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
            div { a href={ "http://" (host) ":" (port) "/" } rel="noopener" { (name) ": " (port) } }
        }
    }
}

async fn task(State(observed): App, Path(id): Path<String>) -> Response {
    let task = match observed.task(&id).await {
        Ok(Some(task)) => task,
        Ok(None) => return not_found(&id),
        Err(error) => return unreadable(&error),
    };
    let Some(header) = task.header() else {
        return missing(&format!(
            "The checkpoint of task {id} is not readable{}",
            task.damage()
                .map_or_else(|| " yet. Try again shortly.".to_owned(), |why| format!(": {why}"))
        ));
    };
    let seen = Arc::clone(&task);
    let used = match blocking(move || Ok(usage::of_task(&seen))).await {
        Ok(used) => used,
        Err(error) => return unreadable(&error),
    };
    let path = segment(&id).to_string();
    let name = label(&task);
    let crumbs = [Crumb::link("Tasks", "/"), Crumb::here(name.clone())];
    let answer = page(&name, &crumbs).render(&html! {
        @if let Some(damage) = task.damage() { p.empty { "The checkpoint is damaged: " (damage) } }
        dl {
            dt { "Task" } dd { (id) }
            dt { "State" } dd { (state(&task)) }
            dt { "User" } dd { (header.user) }
            dt { "Host" } dd { (header.hostname) }
            @if !header.ports.is_empty() { dt { "Ports" } dd { (ports(&task)) } }
            @if used.processes > 0 { dt { "Uses" } dd { (used_text(&used)) } }
            dt { "Sandbox" } dd { a href={ "/browse/" (path) } { "browse" } " " span.faint { (header.sandbox.display()) } }
            dt { "Configuration" } dd { a href={ "/rawtask/" (path) } { "as JSON" } }
        }
        h2 { "Processes" }
        div.scroll { table {
            thead { tr {
                th { "Process" } th.number { "Run" } th { "State" } th { "Result" } th { "Started" }
                th { "Ended" } th { "Output" }
            } }
            tbody {
                @for process in task.process_names() {
                    @let runs = task.runs(&process);
                    @if let Some(run) = runs.last() {
                        tr {
                            td { a href={ "/process/" (path) "/" (segment(&process)) } { (process) } }
                            (run_cells(&path, &process, run))
                        }
                    } @else {
                        tr {
                            td { (process) }
                            td colspan="6" { span.faint { "not started" } }
                        }
                    }
                }
            }
        } }
        h2 { "History" }
        div.scroll { table { tbody {
            @for status in task.history().statuses() {
                tr { td { (utc(status.time_ms)) } td { (state_badge(status.state.name())) } td { (status.reason) } }
            }
        } } }
    });
    if task.is_live() { refreshed(answer) } else { answer }
}

fn used_text(used: &Usage) -> String {
    format!(
        "{} of memory, {:.1} s of computing, {} processes, {} threads",
        bytes(used.ram),
        used.user + used.system,
        used.processes,
        used.threads
    )
}

fn result(run: &Run) -> String {
    match (run.exit_code, run.signal) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => run.reason.clone(),
    }
}

fn run_cells(path: &str, process: &str, run: &Run) -> Markup {
    html! {
        td.number { (run.number) }
        td { (state_badge(run.state.name())) }
        td { (result(run)) }
        td { (time(run.started_ms)) }
        td {
            (time(run.stopped_ms))
            @if let (Some(started), Some(stopped)) = (run.started_ms, run.stopped_ms) {
                " " span.faint { "(" (duration(stopped - started)) ")" }
            }
        }
        td {
            @for stream in Stream::ALL {
                a href={ "/logs/" (path) "/" (segment(process)) "/" (run.number) "/" (stream.name()) } {
                    (stream.name())
                } " "
            }
        }
    }
}

async fn raw_task(State(observed): App, Path(id): Path<String>) -> Response {
    let task = match observed.task(&id).await {
        Ok(Some(task)) => task,
        Ok(None) => return not_found(&id),
        Err(error) => return unreadable(&error),
    };
    let Some(config) = configuration(&task) else {
        return missing(&format!("The configuration of task {id} is not readable."));
    };
    let crumbs = [
        Crumb::link("Tasks", "/"),
        Crumb::link(label(&task), format!("/task/{}", segment(&id))),
        Crumb::here("Configuration"),
    ];
    page("Configuration", &crumbs).render(&html! { pre { (format!("{config:#}")) } })
}

async fn process(State(observed): App, Path((id, process)): Path<(String, String)>) -> Response {
    let task = match observed.task(&id).await {
        Ok(Some(task)) => task,
        Ok(None) => return not_found(&id),
        Err(error) => return unreadable(&error),
    };
    let runs = task.runs(&process);
    let Some(last) = runs.last().cloned() else {
        return missing(&format!("Invalid task/process combination: {id}/{process}"));
    };
    let used = match blocking(move || Ok(usage::of_run(&last))).await {
        Ok(used) => used,
        Err(error) => return unreadable(&error),
    };
    let path = segment(&id).to_string();
    let crumbs = [
        Crumb::link("Tasks", "/"),
        Crumb::link(label(&task), format!("/task/{path}")),
        Crumb::here(process.clone()),
    ];
    let answer = page(&process, &crumbs).render(&html! {
        dl {
            @if let Some(run) = runs.last() {
                dt { "State" } dd { (state_badge(run.state.name())) }
                @if let Some(process) = run.process { dt { "Process id" } dd { (process.pid) } }
            }
            @if let Some(used) = used { dt { "Uses" } dd { (used_text(&used)) } }
        }
        @if let Some(command) = command_line(&task, &process) { h2 { "Command" } pre { (command) } }
        h2 { "Runs" }
        div.scroll { table {
            thead { tr {
                th.number { "Run" } th { "State" } th { "Result" } th { "Started" } th { "Ended" }
                th { "Output" }
            } }
            tbody { @for run in runs.iter().rev() { tr { (run_cells(&path, &process, run)) } } }
        } }
    });
    if task.is_live() { refreshed(answer) } else { answer }
}

/// Which part of a file a page shows: up to this offset; the last part if there is none.
#[derive(Debug, Deserialize)]
struct Until {
    until: Option<u64>,
}

/// A part of a file, cut at the beginning of a line.
struct Text {
    text: String,
    from: u64,
    until: u64,
    size: u64,
}

fn read_text(file: &std::fs::File, until: Option<u64>) -> std::io::Result<Text> {
    let size = file.metadata()?.len();
    let until = until.unwrap_or(size).min(size);
    let mut from = until.saturating_sub(SHOWN);
    let mut found = beneath::read(file, from, until - from)?;
    if from > 0
        && let Some(end) = found.iter().position(|byte| *byte == b'\n')
        && end + 1 < found.len()
    {
        found.drain(..=end);
        from += end as u64 + 1;
    }
    Ok(Text { text: String::from_utf8_lossy(&found).into_owned(), from, until, size })
}

fn shown(text: &Text, path: &str) -> Markup {
    html! {
        div.pager {
            @if text.from > 0 { a href={ (path) "?until=" (text.from) } { "↑ earlier" } }
            span.faint { (bytes(text.until - text.from)) " of " (bytes(text.size)) }
            @if text.until < text.size { a href=(path) { "↓ latest" } }
        }
        @if text.size == 0 { p.empty { "Nothing has been printed." } } @else { pre { (text.text) } }
    }
}

async fn log(
    State(observed): App,
    Path((id, process, run, name)): Path<(String, String, String, String)>,
    Query(Until { until }): Query<Until>,
) -> Response {
    let Some(stream) = files::stream(&name) else {
        return missing(&format!("No such log type: {name}"));
    };
    let task = match observed.task(&id).await {
        Ok(Some(task)) => task,
        Ok(None) => return not_found(&id),
        Err(error) => return unreadable(&error),
    };
    let Ok(number) = run.parse::<i64>() else {
        return missing(&format!("Invalid run: {run}"));
    };
    let (seen, of) = (Arc::clone(&task), process.clone());
    let found = blocking(move || {
        let (file, below) = files::open_log(&seen, &of, number, stream)?;
        Ok((read_text(&file, until)?, below))
    })
    .await;
    let (text, below) = match found {
        Ok(found) => found,
        Err(error) => {
            return missing(&format!("There is no {name} of run {run} of {id}/{process}: {error}"));
        }
    };
    let task_path = segment(&id).to_string();
    let process_path = segment(&process).to_string();
    let crumbs = [
        Crumb::link("Tasks", "/"),
        Crumb::link(label(&task), format!("/task/{task_path}")),
        Crumb::link(process.clone(), format!("/process/{task_path}/{process_path}")),
        Crumb::here(format!("run {run} {name}")),
    ];
    let title = format!("{process}: {name} of run {run}");
    let path = format!("/logs/{task_path}/{process_path}/{}/{name}", segment(&run));
    let answer = page(&title, &crumbs).render(&html! {
        p { a href={ "/download/" (task_path) "/" (joined(&below.to_string_lossy())) } { "download" } }
        (shown(&text, &path))
    });
    if task.is_live() && until.is_none() { refreshed(answer) } else { answer }
}

/// A path within a sandbox, part by part ready to be put into an address.
fn joined(path: &str) -> String {
    path.split('/').map(|part| segment(part).to_string()).collect::<Vec<_>>().join("/")
}

fn way(task: &Task, id: &str, path: &str) -> Vec<Crumb> {
    let mut crumbs = vec![
        Crumb::link("Tasks", "/"),
        Crumb::link(label(task), format!("/task/{}", segment(id))),
        Crumb::link("sandbox", format!("/browse/{}", segment(id))),
    ];
    let mut at = format!("/browse/{}", segment(id));
    for part in path.split('/').filter(|part| !part.is_empty()) {
        at = format!("{at}/{}", segment(part));
        crumbs.push(Crumb::link(part, at.clone()));
    }
    if let Some(last) = crumbs.last_mut() {
        last.href = None;
    }
    crumbs
}

async fn browse(State(observed): App, Path(part): Path<Vec<(String, String)>>) -> Response {
    let of = |wanted: &str| {
        part.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str())
    };
    let (id, path) = (of("id").to_owned(), of("path").trim_matches('/').to_owned());
    let gone = || missing("Sandbox does not exist.");
    let Ok(Some(task)) = observed.task(&id).await else { return gone() };
    let Some(sandbox) = task.header().map(|header| header.sandbox.clone()) else { return gone() };
    let below = path.clone();
    let Ok(entries) = blocking(move || beneath::list(&sandbox, std::path::Path::new(&below))).await
    else {
        return gone();
    };
    let title = if path.is_empty() { "Sandbox".to_owned() } else { path.clone() };
    let base = if path.is_empty() {
        segment(&id).to_string()
    } else {
        format!("{}/{}", segment(&id), joined(&path))
    };
    page(&title, &way(&task, &id, &path)).render(&html! {
        div.scroll { table {
            thead { tr {
                th { "Name" } th { "Mode" } th { "User" } th { "Group" } th.number { "Size" }
                th { "Changed" } th {}
            } }
            tbody {
                @if entries.is_empty() { tr { td colspan="7" { span.faint { "empty" } } } }
                @for entry in &entries { (entry_row(&base, entry)) }
            }
        } }
    })
}

fn entry_row(base: &str, entry: &Entry) -> Markup {
    let path = format!("{base}/{}", segment(&entry.name));
    html! {
        tr {
            td {
                @if entry.is_folder() {
                    a href={ "/browse/" (path) } { (entry.name) "/" }
                } @else {
                    a href={ "/file/" (path) } { (entry.name) }
                }
            }
            td { code { (entry.mode) } }
            td { (entry.user) } td { (entry.group) }
            td.number { (bytes(entry.size)) }
            td { (utc(entry.modified.saturating_mul(1000))) }
            td { @if !entry.is_folder() { a href={ "/download/" (path) } { "download" } } }
        }
    }
}

async fn file(
    State(observed): App,
    Path((id, path)): Path<(String, String)>,
    Query(Until { until }): Query<Until>,
) -> Response {
    let gone = || missing("No such file.");
    let Ok(Some(task)) = observed.task(&id).await else { return gone() };
    let Some(sandbox) = task.header().map(|header| header.sandbox.clone()) else { return gone() };
    let below = path.clone();
    let found = blocking(move || {
        let file = beneath::open_file(&sandbox, std::path::Path::new(&below))?;
        read_text(&file, until)
    })
    .await;
    let Ok(text) = found else { return gone() };
    let address = format!("{}/{}", segment(&id), joined(&path));
    page(&path, &way(&task, &id, &path)).render(&html! {
        p { a href={ "/download/" (address) } { "download" } }
        (shown(&text, &format!("/file/{address}")))
    })
}
