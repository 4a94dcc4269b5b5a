//! Lists of tasks: `/` and `/main/…`.

use std::sync::Arc;

use aurora_daemon::beneath::blocking;
use aurora_daemon::web::{Crumb, bytes, segment};
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};

use super::{App, label, missing, ports, refreshed, state, time, unreadable};
use crate::tasks::{Listed, Observed, Seen, Which};

pub(super) async fn index(State(observed): App) -> Response {
    let (active, finished) = match observed.newest().await {
        Ok(newest) => newest,
        Err(error) => return unreadable(&error),
    };
    let root = observed.root().display().to_string();
    let is_empty = active.total + finished.total == 0;
    let lists = blocking(move || {
        let root_is_there = observed.root().is_dir();
        Ok(html! {
            @if is_empty && !root_is_there {
                p.empty {
                    "There is no folder " code { (root) } " yet. Are executors told to write elsewhere, by --checkpoint-root?"
                }
            } @else {
                p.faint { "Checkpoints below " code { (root) } ", the executor's --checkpoint-root." }
            }
            h2 #active { "Active" } (table(&observed, "active", &active)) (pager(&active))
            h2 #finished { "Finished" } (table(&observed, "finished", &finished)) (pager(&finished))
        })
    });
    match lists.await {
        Ok(lists) => refreshed("Tasks", &[Crumb::here("Tasks")], &lists),
        Err(error) => unreadable(&error),
    }
}

pub(super) async fn list(
    State(observed): App,
    Path(part): Path<Vec<(String, String)>>,
) -> Response {
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
    let num = of("num").unwrap_or("0");
    let Ok(size) = num.parse::<usize>() else {
        return missing(&format!("Invalid count: {num}"));
    };
    let listed = match observed.list(which, from, size).await {
        Ok(listed) => listed,
        Err(error) => return unreadable(&error),
    };
    let shown = blocking(move || {
        Ok(html! {
            h2 #listed { (which.name()) " tasks" }
            (table(&observed, "listed", &listed))
            (pager(&listed))
        })
    });
    match shown.await {
        Ok(shown) => {
            let crumbs = [Crumb::link("Tasks", "/"), Crumb::here(which.name())];
            refreshed("Tasks", &crumbs, &shown)
        }
        Err(error) => unreadable(&error),
    }
}

fn pager(listed: &Listed) -> Markup {
    let Listed { which, offset, size, total, tasks } = listed;
    let end = offset + tasks.len();
    let page = |offset: usize| {
        let num = if *size == crate::tasks::PAGE { String::new() } else { format!("/{size}") };
        format!("/main/{}/{offset}{num}", which.name())
    };
    html! {
        @if *total > tasks.len() {
            nav.pager aria-label={ "Pages of " (which.name()) " tasks" } {
                @if *offset > 0 {
                    a rel="prev" href=(page(offset.saturating_sub(*size))) { "← newer" }
                }
                span.faint {
                    @if tasks.is_empty() { "none of " } @else { (offset + 1) "–" (end) " of " }
                    (total)
                }
                @if end < *total { a rel="next" href=(page(end)) { "older →" } }
            }
        }
    }
}

fn table(observed: &Arc<Observed>, heading: &str, listed: &Listed) -> Markup {
    if listed.tasks.is_empty() {
        return html! { p.empty { "No tasks." } };
    }
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby=(heading) { table {
            thead { tr {
                th scope="col" { "Task" } th scope="col" { "User" } th scope="col" { "State" }
                th scope="col" { "Launched" } th.number scope="col" { "CPU" }
                th.number scope="col" { "Memory" } th.number scope="col" { "Disk" }
                th scope="col" { "Ports" } th scope="col" { "Sandbox" }
            } }
            tbody { @for task in &listed.tasks { (row(observed, task)) } }
        } }
    }
}

fn row(observed: &Observed, task: &Seen) -> Markup {
    let id = segment(task.id()).to_string();
    let (label, used) = (label(task), observed.sampler.of_task(task));
    html! {
        tr {
            td {
                a href={ "/task/" (id) } { (label) }
                @if label != task.id() { br; span.faint { (task.id()) } }
            }
            td { (task.header().map_or("", |header| header.user.as_str())) }
            td { (state(task)) }
            td { (time(task.started_ms())) }
            td.number { @if used.processes.processes > 0 { (format!("{:.3}", used.processes.cpu)) } }
            td.number { @if used.processes.processes > 0 { (bytes(used.processes.ram)) } }
            td.number { @if used.disk > 0 { (bytes(used.disk)) } }
            td { (ports(task)) }
            td {
                @if task.header().is_some() {
                    a href={ "/browse/" (id) } aria-label={ "browse the sandbox of " (label) } { "browse" }
                }
            }
        }
    }
}
