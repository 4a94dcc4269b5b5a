//! A task, its configuration, and a process of it.

use aurora_daemon::beneath::blocking;
use aurora_daemon::web::{Crumb, bytes, duration, segment, state_badge, utc};
use aurora_thermos::view::{Header, Run, Stream};
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};

use super::plot::plot;
use super::{
    App, label, missing, not_found, page, ports, refreshed, settled, state, time, unreadable, way,
};
use crate::tasks::{Observed, Seen, command_line, configuration};
use crate::usage::{Point, Usage};

pub(super) async fn task(State(observed): App, Path(id): Path<String>) -> Response {
    let task = match observed.task(&id).await {
        Ok(Some(task)) => task,
        Ok(None) => return not_found(&id),
        Err(error) => return unreadable(&error),
    };
    if task.header().is_none() {
        return missing(&format!(
            "The checkpoint of task {id} is not readable{}",
            task.damage()
                .map_or_else(|| " yet. Try again shortly.".to_owned(), |why| format!(": {why}"))
        ));
    }
    let seen = task.clone();
    let shown = match blocking(move || Ok(task_shown(&observed, &seen))).await {
        Ok(shown) => shown,
        Err(error) => return unreadable(&error),
    };
    let name = label(&task);
    let crumbs = [Crumb::link("Tasks", "/"), Crumb::here(name.clone())];
    if task.is_live() { refreshed(&name, &crumbs, &shown) } else { settled(&name, &crumbs, &shown) }
}

fn task_shown(observed: &Observed, task: &Seen) -> Markup {
    let Some(header) = task.header() else { return html! {} };
    let used = observed.sampler.of_task(task);
    let path = segment(task.id()).to_string();
    html! {
        @if let Some(damage) = task.damage() {
            p.empty role="alert" { "The checkpoint is damaged: " (damage) ". What follows is what was read before." }
        }
        dl {
            dt { "Task" } dd { (task.id()) }
            dt { "State" } dd { (state(task)) }
            dt { "Launched" } dd { (time(task.started_ms())) }
            dt { "User" } dd { (header.user) }
            dt { "Host" } dd { a href="/" { (header.hostname) } }
            @if !header.ports.is_empty() { dt { "Ports" } dd { (ports(task)) } }
            @if used.processes.processes > 0 { dt { "Uses" } dd { (used_text(&used.processes)) } }
            @if used.disk > 0 { dt { "Disk" } dd { (bytes(used.disk)) } }
            dt { "Sandbox" } dd { a href={ "/browse/" (path) } { "browse" } " " span.faint { (header.sandbox.display()) } }
            dt { "Configuration" } dd { a href={ "/rawtask/" (path) } { "as JSON" } }
            @if let Some(url) = in_scheduler(observed, header) {
                dt { "Job" } dd { a href=(url) { "instance in the scheduler" } }
            }
        }
        (plots(&observed.sampler.past(task.id(), None), true))
        h2 #processes { "Processes" }
        div.scroll tabindex="0" role="region" aria-labelledby="processes" { table {
            thead { tr {
                th scope="col" { "Process" } (run_heads())
                th.number scope="col" { "CPU" } th.number scope="col" { "Memory" }
            } }
            tbody {
                @for process in task.process_names() {
                    @let runs = task.runs(&process);
                    @if let Some(run) = runs.last() {
                        @let used = observed.sampler.of_run(task, &process, run);
                        tr {
                            td { a href={ "/process/" (path) "/" (segment(&process)) } { (process) } }
                            (run_cells(&path, &process, run))
                            td.number { @if let Some(used) = &used { (format!("{:.3}", used.cpu)) } }
                            td.number { @if let Some(used) = &used { (bytes(used.ram)) } }
                        }
                    } @else {
                        tr {
                            td { (process) }
                            td colspan="8" { span.faint { "not started" } }
                        }
                    }
                }
            }
        } }
        h2 #history { "History" }
        div.scroll tabindex="0" role="region" aria-labelledby="history" { table {
            thead { tr { th scope="col" { "Time" } th scope="col" { "State" } th scope="col" { "Why" } } }
            tbody {
                @for status in task.history().statuses() {
                    tr { td { (utc(status.time_ms)) } td { (state_badge(status.state.name())) } td { (status.reason) } }
                }
            }
        } }
    }
}

/// The scheduler's page of the task's instance.
fn in_scheduler(observed: &Observed, header: &Header) -> Option<String> {
    let (url, job) = (observed.scheduler_url.as_ref()?, header.job.as_ref()?);
    Some(format!(
        "{url}/scheduler/{}/{}/{}/{}",
        segment(&job.role),
        segment(&job.environment),
        segment(&job.name),
        job.instance
    ))
}

fn used_text(used: &Usage) -> String {
    format!(
        "{:.3} CPUs, {} of memory, {:.1} s in user mode, {:.1} s in the kernel; processes: {}, threads: {}, open files: {}",
        used.cpu,
        bytes(used.ram),
        used.user,
        used.system,
        used.processes,
        used.threads,
        used.open_files
    )
}

fn plots(past: &[(u64, Point)], has_disk: bool) -> Markup {
    let of = |figure: fn(&Point) -> f64| -> Vec<(u64, f64)> {
        past.iter().map(|(ago, point)| (*ago, figure(point))).collect()
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of bytes")]
    let size = |count: f64| bytes(count as u64);
    #[expect(clippy::cast_precision_loss, reason = "a picture shows three digits")]
    let (ram, disk) = (of(|point| point.ram as f64), of(|point| point.disk as f64));
    if past.len() < 2 {
        return html! {};
    }
    html! {
        h2 #use { "Use over time" }
        div.plots {
            (plot("CPU", &of(|point| point.cpu), |cores| format!("{cores:.3}")))
            (plot("Memory", &ram, size))
            @if has_disk { (plot("Disk", &disk, size)) }
        }
    }
}

fn result(run: &Run) -> String {
    match (run.exit_code, run.signal) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => run.reason.clone(),
    }
}

fn run_heads() -> Markup {
    html! {
        th.number scope="col" { "Run" } th scope="col" { "State" } th scope="col" { "Result" }
        th scope="col" { "Started" } th scope="col" { "Ended" } th scope="col" { "Output" }
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
                a href={ "/logs/" (path) "/" (segment(process)) "/" (run.number) "/" (stream.name()) }
                    aria-label={ (stream.name()) " of run " (run.number) " of " (process) } {
                    (stream.name())
                } " "
            }
        }
    }
}

pub(super) async fn raw_task(State(observed): App, Path(id): Path<String>) -> Response {
    let task = match observed.task(&id).await {
        Ok(Some(task)) => task,
        Ok(None) => return not_found(&id),
        Err(error) => return unreadable(&error),
    };
    let Some(config) = configuration(&task) else {
        return missing(&format!("The configuration of task {id} is not readable."));
    };
    let mut crumbs = way(&task);
    crumbs.push(Crumb::here("Configuration"));
    page("Configuration", &crumbs).render(&html! {
        pre tabindex="0" aria-label="Configuration as JSON" { (format!("{config:#}")) }
    })
}

pub(super) async fn process(
    State(observed): App,
    Path((id, process)): Path<(String, String)>,
) -> Response {
    let task = match observed.task(&id).await {
        Ok(Some(task)) => task,
        Ok(None) => return not_found(&id),
        Err(error) => return unreadable(&error),
    };
    if task.runs(&process).is_empty() {
        return missing(&format!("Invalid task/process combination: {id}/{process}"));
    }
    let (seen, name) = (task.clone(), process.clone());
    let shown = match blocking(move || Ok(process_shown(&observed, &seen, &name))).await {
        Ok(shown) => shown,
        Err(error) => return unreadable(&error),
    };
    let mut crumbs = way(&task);
    crumbs.push(Crumb::here(process.clone()));
    if task.is_live() {
        refreshed(&process, &crumbs, &shown)
    } else {
        settled(&process, &crumbs, &shown)
    }
}

fn process_shown(observed: &Observed, task: &Seen, process: &str) -> Markup {
    let runs = task.runs(process);
    let used = runs.last().and_then(|run| observed.sampler.of_run(task, process, run));
    let path = segment(task.id()).to_string();
    html! {
        dl {
            @if let Some(run) = runs.last() {
                dt { "State" } dd { (state_badge(run.state.name())) }
                @if let Some(process) = run.process { dt { "Process id" } dd { (process.pid) } }
            }
            dt { "Uses" } dd { @if let Some(used) = used { (used_text(&used)) } @else { "N/A" } }
        }
        (plots(&observed.sampler.past(task.id(), Some(process)), false))
        @if let Some(command) = command_line(task, process) {
            h2 #command { "Command" } pre tabindex="0" aria-labelledby="command" { (command) }
        }
        h2 #runs { "Runs" }
        div.scroll tabindex="0" role="region" aria-labelledby="runs" { table {
            thead { tr { (run_heads()) } }
            tbody { @for run in runs.iter().rev() { tr { (run_cells(&path, process, run)) } } }
        } }
    }
}
