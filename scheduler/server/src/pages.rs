//! Pages for people: roles, their jobs, the instances of a job.

use std::collections::BTreeMap;
use std::sync::Arc;

use aurora_daemon::web::{Crumb, Page, duration, state_badge, utc};
use aurora_model::job::{ScheduledTask, Timestamp};
use aurora_model::key::{JobKey, TaskId};
use aurora_scheduler_core::{JobCounts, TaskQuery};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Json, Redirect, Response};
use axum::routing::get;
use maud::{Markup, html};

use crate::actor::{Core, now};
use crate::quotas;

const SERVICE: &str = "Scheduler";

#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) core: Core,
    pub(crate) cluster: Arc<str>,
    pub(crate) observer_port: u16,
}

pub(crate) fn router(pages: Pages) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/scheduler") }))
        .route("/scheduler", get(roles))
        .route("/scheduler/{role}", get(jobs))
        .route("/scheduler/{role}/{environment}/{name}", get(job))
        .route("/pendingtasks", get(pending))
        .route("/quotas", get(quotas::page))
        .fallback(unknown)
        .with_state(pages)
}

pub(crate) fn ending() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the scheduler is shutting down").into_response()
}

async fn unknown(uri: Uri) -> Response {
    let crumbs = [Crumb::link("Roles", "/scheduler")];
    let page = Page { service: SERVICE, title: "Not found", crumbs: &crumbs };
    page.error(StatusCode::NOT_FOUND, &format!("There is nothing at {}.", uri.path()))
}

async fn roles(State(pages): State<Pages>) -> Response {
    let Ok((jobs, stats)) = pages.core.ask(|s| (s.jobs(""), s.stats())).await else {
        return ending();
    };
    let mut roles: BTreeMap<String, (usize, JobCounts)> = BTreeMap::new();
    for (key, counts) in &jobs {
        let (number, sum) = roles.entry(key.role().to_owned()).or_default();
        *number += 1;
        sum.pending += counts.pending;
        sum.active += counts.active;
        sum.finished += counts.finished;
        sum.failed += counts.failed;
    }
    let crumbs = [Crumb::here(pages.cluster.to_string())];
    let page = Page { service: SERVICE, title: "Roles", crumbs: &crumbs };
    page.render(&html! {
        p.faint {
            (roles.len()) " roles, " (jobs.len()) " jobs, " (stats.offers) " offers; "
            @if stats.registered { "registered with Mesos" } @else { "waiting for a Mesos master" }
        }
        @if roles.is_empty() {
            p.empty { "No job has been created yet." }
        } @else {
            div.scroll { table {
                thead { tr { th { "Role" } th.number { "Jobs" } (counts_head()) } }
                tbody {
                    @for (role, (number, counts)) in &roles {
                        tr {
                            td { a href={ "/scheduler/" (role) } { (role) } }
                            td.number { (number) }
                            (counts_cells(counts))
                        }
                    }
                }
            } }
        }
    })
}

fn counts_head() -> Markup {
    html! {
        th.number { "Pending" } th.number { "Active" } th.number { "Finished" } th.number { "Failed" }
    }
}

fn counts_cells(counts: &JobCounts) -> Markup {
    html! {
        td.number { (counts.pending) } td.number { (counts.active) }
        td.number { (counts.finished) } td.number { (counts.failed) }
    }
}

async fn jobs(State(pages): State<Pages>, Path(role): Path<String>) -> Response {
    let wanted = role.clone();
    let Ok(jobs) = pages.core.ask(move |s| s.jobs(&wanted)).await else { return ending() };
    let crumbs = [Crumb::link("Roles", "/scheduler"), Crumb::here(role.clone())];
    let page = Page { service: SERVICE, title: &format!("Jobs of {role}"), crumbs: &crumbs };
    if jobs.is_empty() {
        return page.error(StatusCode::NOT_FOUND, "This role has no jobs.");
    }
    page.render(&html! {
        div.scroll { table {
            thead { tr { th { "Job" } th { "Environment" } th { "Kind" } (counts_head()) } }
            tbody {
                @for (key, counts) in &jobs {
                    tr {
                        td { a href={ "/scheduler/" (key) } { (key.name()) } }
                        td { (key.environment()) }
                        td { @if counts.is_service { "service" } @else { "batch" } }
                        (counts_cells(counts))
                    }
                }
            }
        } }
    })
}

async fn job(
    State(pages): State<Pages>,
    Path((role, environment, name)): Path<(String, String, String)>,
) -> Response {
    let crumbs = [
        Crumb::link("Roles", "/scheduler"),
        Crumb::link(role.clone(), format!("/scheduler/{role}")),
        Crumb::here(format!("{environment}/{name}")),
    ];
    let title = format!("{role}/{environment}/{name}");
    let page = Page { service: SERVICE, title: &title, crumbs: &crumbs };
    let Ok(key) = JobKey::new(&role, &environment, &name) else {
        return page.error(StatusCode::NOT_FOUND, "No job can have this name.");
    };
    let found = pages
        .core
        .ask(move |scheduler| {
            scheduler
                .tasks(&TaskQuery::of_job(&key))
                .into_iter()
                .map(|task| (task.clone(), scheduler.pending_reason(task.id())))
                .collect::<Vec<_>>()
        })
        .await;
    let Ok(tasks) = found else { return ending() };
    let Some(latest) = latest(&tasks) else {
        return page.error(StatusCode::NOT_FOUND, "There is no such job.");
    };
    let config = latest.assigned.task.clone();
    let (active, ended): (Vec<_>, Vec<_>) =
        tasks.iter().partition(|(task, _)| task.state.is_active());
    let time = now();
    page.render(&html! {
        dl {
            dt { "Kind" } dd { @if config.is_service { "service" } @else { "batch" } }
            dt { "Tier" } dd { (config.tier.as_deref().unwrap_or("")) }
            dt { "Resources" } dd {
                (config.resources.cpus) " CPU, " (config.resources.ram_mb) " MB of memory, "
                (config.resources.disk_mb) " MB of disk"
                @if !config.resources.ports.is_empty() {
                    ", ports " (config.resources.ports.iter().cloned().collect::<Vec<_>>().join(", "))
                }
            }
            @if let Some(contact) = &config.contact_email { dt { "Contact" } dd { (contact) } }
        }
        h2 { "Active instances" }
        @if active.is_empty() {
            p.empty { "No instance of this job is active." }
        } @else {
            (instances(&active, time, pages.observer_port))
        }
        @if !ended.is_empty() {
            h2 { "Ended runs" }
            (instances(&ended, time, pages.observer_port))
        }
    })
}

/// The run that began last, of those that are active if there are any: what the job is now.
fn latest(tasks: &[(ScheduledTask, Option<String>)]) -> Option<&ScheduledTask> {
    tasks.iter().map(|(task, _)| task).max_by_key(|task| {
        (task.state.is_active(), task.events.first().map(|event| event.timestamp))
    })
}

fn instances(
    tasks: &[&(ScheduledTask, Option<String>)],
    time: Timestamp,
    observer_port: u16,
) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th.number { "Instance" } th { "State" } th { "Since" } th { "Host" } th { "Why" } th { "History" }
            } }
            tbody {
                @for (task, reason) in tasks {
                    @let last = task.latest_event();
                    tr {
                        td.number { (task.assigned.instance) }
                        td { (state_badge(task.state.name())) }
                        td title=(last.map(|event| utc(event.timestamp.0)).unwrap_or_default()) {
                            (last.map(|event| duration(time.ms_since(event.timestamp))).unwrap_or_default())
                        }
                        td {
                            @if let Some((_, host)) = &task.assigned.agent {
                                a href={ "http://" (host) ":" (observer_port) "/task/" (task.id()) } { (host) }
                                @for (name, port) in &task.assigned.assigned_ports {
                                    br; span.faint { (name) ": " (port) }
                                }
                            }
                        }
                        td {
                            @if let Some(reason) = reason {
                                (reason)
                            } @else if let Some(message) = last.and_then(|event| event.message.as_ref()) {
                                (message)
                            }
                        }
                        td { details {
                            summary { (task.events.len()) " events" }
                            dl {
                                @for event in &task.events {
                                    dt { (utc(event.timestamp.0)) }
                                    dd { (event.state.name()) " " (event.message.as_deref().unwrap_or("")) }
                                }
                            }
                            span.faint { (task.id()) }
                        } }
                    }
                }
            }
        } }
    }
}

/// What waits, and why, in the form that the original's tools read.
async fn pending(State(pages): State<Pages>) -> Response {
    let Ok(groups) = pages.core.ask(|scheduler| scheduler.pending_groups()).await else {
        return ending();
    };
    let groups: Vec<serde_json::Value> = groups
        .into_iter()
        .map(|group| {
            serde_json::json!({
                "name": group.job.to_string(),
                "taskIds": group.tasks.iter().map(TaskId::as_str).collect::<Vec<_>>(),
                // Groups are tried when something has changed, not after a while.
                "penaltyMs": 0,
                "reason": format!("[{}]", group.reasons.join(", ")),
            })
        })
        .collect();
    Json(groups).into_response()
}

#[cfg(test)]
mod tests {
    use aurora_api::v1;

    use super::*;

    fn run(id: &str, instance: u32, state: v1::TaskState, at: i64) -> ScheduledTask {
        let job = v1::JobKey { role: "www".into(), environment: "prod".into(), name: "web".into() };
        let event = v1::TaskEvent { timestamp_ms: at, state: state.into(), ..Default::default() };
        let assigned = v1::AssignedTask {
            task_id: id.into(),
            instance,
            task: Some(v1::TaskConfig {
                job: Some(job),
                resources: Some(v1::Resources::default()),
                ..Default::default()
            }),
            ..Default::default()
        };
        ScheduledTask::try_from(v1::ScheduledTask {
            assigned: Some(assigned),
            state: state.into(),
            events: vec![event],
            ..Default::default()
        })
        .unwrap()
    }

    #[test]
    fn a_job_is_what_its_latest_active_run_is() {
        let runs = [
            run("old", 0, v1::TaskState::Running, 1),
            run("new", 1, v1::TaskState::Running, 2),
            run("older", 2, v1::TaskState::Running, 0),
            run("ended", 3, v1::TaskState::Failed, 3),
        ]
        .map(|run| (run, None));
        assert_eq!(latest(&runs).unwrap().id().as_str(), "new");
        assert_eq!(latest(&runs[3..]).unwrap().id().as_str(), "ended");
    }
}
