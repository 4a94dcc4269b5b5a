//! Roles, their jobs, the instances of a job.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_daemon::web::{Crumb, Page, duration, segment, state_badge, utc};
use aurora_model::cron::CronOutcome;
use aurora_model::job::{ScheduledTask, TaskConfig, TaskState, Timestamp};
use aurora_model::key::{JobKey, Role};
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::{
    CronStatus, JobCounts, RoleQuota, Scheduler, Scope, TaskCursor, TaskQuery, UpdateQuery,
    UpdateSummary,
};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::lists::{update_rows, why};
use super::{Pages, SERVICE, ending};
use crate::actor::now;
use crate::queries::{self, Found, Job};

/// Jobs of a page.
const JOBS: usize = 250;
/// Tasks of a page.
const TASKS: usize = 500;
/// Updates of a job that are shown.
const UPDATES: usize = 10;
/// Tasks on the same host that are shown beside one.
const NEIGHBOURS: usize = 50;

pub(super) async fn roles(State(pages): State<Pages>) -> Response {
    let (Ok(roles), Ok(stats)) = (pages.core.roles().await, pages.core.ask(|s| s.stats()).await)
    else {
        return ending();
    };
    let jobs: u32 = roles.values().map(|sums| sums.jobs).sum();
    let crumbs = [Crumb::here(pages.cluster.to_string())];
    let page = Page { service: SERVICE, title: "Roles", crumbs: &crumbs };
    page.render(&html! {
        p.faint {
            (roles.len()) " roles, " (jobs) " jobs, " (stats.offers) " offers; "
            @if stats.registered { "registered with Mesos" } @else { "waiting for a Mesos master" }
        }
        nav.pager aria-label="Lists" {
            a href="/pending" { "Waiting tasks" }
            a href="/updates" { "Updates" }
            a href="/crons" { "Cron jobs" }
            a href="/quota" { "Quota" }
            a href="/utilization" { "Utilization" }
            a href="/agents" { "Agents" }
            a href="/graphview" { "Graphs" }
        }
        @if roles.is_empty() {
            p.empty { "No job has been created yet." }
        } @else {
            div.scroll { table {
                thead { tr { th { "Role" } th.number { "Jobs" } th.number { "Cron jobs" } (counts_head()) } }
                tbody {
                    @for (role, sums) in &roles {
                        tr {
                            td { a href={ "/scheduler/" (role) } { (role) } }
                            td.number { (sums.jobs) }
                            td.number { (sums.cron_jobs) }
                            (counts_cells(&sums.counts))
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

pub(super) async fn role(
    State(pages): State<Pages>,
    Path(role): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let crumbs = [Crumb::link("Roles", "/scheduler"), Crumb::here(role.clone())];
    jobs_of(&pages, &role, None, &asked, &crumbs).await
}

pub(super) async fn environment(
    State(pages): State<Pages>,
    Path((role, environment)): Path<(String, String)>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let crumbs = [
        Crumb::link("Roles", "/scheduler"),
        Crumb::link(role.clone(), format!("/scheduler/{role}")),
        Crumb::here(environment.clone()),
    ];
    jobs_of(&pages, &role, Some(&environment), &asked, &crumbs).await
}

async fn jobs_of(
    pages: &Pages,
    role: &str,
    environment: Option<&str>,
    asked: &BTreeMap<String, String>,
    crumbs: &[Crumb],
) -> Response {
    let of = environment.map_or(role.to_owned(), |name| format!("{role}/{name}"));
    let page = Page { service: SERVICE, title: &format!("Jobs of {of}"), crumbs };
    if Role::new(role).is_err() {
        return page.error(StatusCode::NOT_FOUND, "No role can have this name.");
    }
    let after = asked.get("after").and_then(|after| after.parse::<JobKey>().ok());
    let is_first = after.is_none();
    let Ok(found) = pages.core.jobs(role, after, JOBS, true).await else { return ending() };
    let name = role.to_owned();
    let quota =
        pages.core.ask_of(move |s| (s.role_quota(&name), s.state().touched(Scope::Role(&name))));
    let Ok((quota, _)) = quota.await else { return ending() };
    let is_meant = |job: &&Job| environment.is_none_or(|name| job.key.environment() == name);
    let jobs: Vec<&Job> = found.found.iter().filter(is_meant).collect();
    if jobs.is_empty() && is_first && found.next.is_none() && quota.set.is_none() {
        return page.error(StatusCode::NOT_FOUND, "This role has no jobs.");
    }
    page.render(&html! {
        @if is_first {
            h2 { "Resources" }
            div.scroll { table {
                thead { tr { th { "" } th.number { "CPU" } th.number { "RAM (MB)" } th.number { "Disk (MB)" } } }
                tbody { (quota_rows(None, &quota)) }
            } }
        }
        h2 { "Jobs" }
        div.scroll { table {
            thead { tr { th { "Job" } th { "Environment" } th { "Kind" } (counts_head()) th { "Next run" } } }
            tbody {
                @for job in &jobs {
                    tr {
                        td {
                            a href={ "/scheduler/" (job.key) } { (job.key.name()) }
                            @if job.config.as_ref().is_some_and(|config| config.task.production) {
                                " " span title="production" { "★" }
                            }
                        }
                        td { a href={ "/scheduler/" (job.key.role()) "/" (job.key.environment()) } { (job.key.environment()) } }
                        td { (kind(job)) }
                        (counts_cells(&job.counts))
                        td { @if let Some(next) = job.cron.as_ref().and_then(|cron| cron.next) { (utc(next.0)) } }
                    }
                }
            }
        } }
        @if let Some(next) = &found.next {
            nav.pager { a href={ "?after=" (segment(&next.to_string())) } { "More jobs" } }
        }
    })
}

fn kind(job: &Job) -> &'static str {
    match job {
        Job { cron: Some(_), .. } => "cron",
        Job { counts, .. } if counts.is_service => "service",
        _ => "batch",
    }
}

/// What a role may use and what it uses: a row each. What is not used is left out.
pub(super) fn quota_rows(role: Option<&str>, quota: &RoleQuota) -> Markup {
    let used = &quota.consumption;
    let limit = match (quota.set, quota.limit) {
        (Some(set), _) => ("Quota", set),
        (None, Some(limit)) => ("Quota (none was set)", limit),
        (None, None) => ("Quota (not limited)", ResourceAggregate::default()),
    };
    let rows = [
        ("Production", used.production_shared),
        ("Production, dedicated", used.production_dedicated),
        ("Not production", used.non_production_shared),
        ("Not production, dedicated", used.non_production_dedicated),
    ];
    let used = rows.into_iter().filter(|(_, amounts)| *amounts != ResourceAggregate::default());
    html! {
        @for (index, (name, amounts)) in std::iter::once(limit).chain(used).enumerate() {
            tr {
                @if let Some(role) = role {
                    td { @if index == 0 { a href={ "/scheduler/" (role) } { (role) } } }
                }
                td { (name) }
                td.number { (amounts.cpus) }
                td.number { (amounts.ram_mb) }
                td.number { (amounts.disk_mb) }
            }
        }
    }
}

/// What the page of a job tells beside its tasks.
type AboutJob =
    (Job, Option<CronStatus>, Vec<(Arc<TaskConfig>, BTreeSet<u32>)>, Vec<UpdateSummary>);

fn about_job(scheduler: &Scheduler, key: &JobKey) -> Option<AboutJob> {
    let job = queries::job(scheduler, key)?;
    let query = UpdateQuery { job: Some(key.clone()), ..Default::default() };
    let updates = scheduler.updates(&query, None, UPDATES).into_iter().map(UpdateSummary::from);
    let groups = queries::config_groups(scheduler, key);
    Some((job, scheduler.cron(key), groups, updates.collect()))
}

pub(super) async fn job(
    State(pages): State<Pages>,
    Path((role, environment, name)): Path<(String, String, String)>,
    Query(asked): Query<BTreeMap<String, String>>,
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
    let wanted = key.clone();
    let about = pages
        .core
        .ask_of(move |scheduler| {
            (about_job(scheduler, &wanted), scheduler.state().touched(Scope::Job(&wanted)))
        })
        .await;
    let Ok((about, _)) = about else { return ending() };
    let Some((job, cron, groups, updates)) = about else {
        return page.error(StatusCode::NOT_FOUND, "There is no such job.");
    };
    let after = asked.get("after").and_then(|after| TaskCursor::parse(after));
    let query = Arc::new(TaskQuery::of_job(&key));
    let Ok(tasks) = pages.core.tasks(&query, after, TASKS).await else { return ending() };
    let (active, ended): (Vec<&Found>, Vec<&Found>) =
        tasks.found.iter().partition(|found| found.task.state.is_active());
    let time = now();
    page.render(&html! {
        dl {
            dt { "Kind" } dd { (kind(&job)) }
            @if !pages.stats_url_prefix.is_empty() {
                dt { "Numbers" } dd {
                    @let address = format!("{}{key}", pages.stats_url_prefix);
                    a href=(address) { (address) }
                }
            }
            @if let Some(config) = &job.config { (about_config(&config.task)) }
        }
        @if let Some(cron) = &cron { (about_cron(cron)) }
        @if groups.len() > 1 {
            h2 { "Configurations" }
            @for (config, instances) in &groups {
                details {
                    summary { "instances " (shown_ranges(instances)) }
                    dl { (about_config(config)) }
                }
            }
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
        @if let Some(next) = &tasks.next {
            nav.pager { a href={ "?after=" (segment(&next.to_text())) } { "More tasks" } }
        }
        @if !updates.is_empty() {
            h2 { "Updates" }
            (update_rows(&updates))
        }
    })
}

fn shown_ranges(instances: &BTreeSet<u32>) -> String {
    let shown = |range: aurora_api::v1::InstanceRange| match range.first == range.last {
        true => range.first.to_string(),
        false => format!("{}-{}", range.first, range.last),
    };
    queries::ranges(instances).into_iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn about_config(config: &TaskConfig) -> Markup {
    let resources = &config.resources;
    html! {
        dt { "Tier" } dd { (config.tier.as_deref().unwrap_or("")) }
        dt { "Resources" } dd {
            (resources.cpus) " CPU, " (resources.ram_mb) " MB of memory, "
            (resources.disk_mb) " MB of disk"
            @if !resources.ports.is_empty() {
                ", ports " (resources.ports.iter().cloned().collect::<Vec<_>>().join(", "))
            }
            @if resources.gpus > 0 { ", " (resources.gpus) " GPUs" }
        }
        @for constraint in &config.constraints {
            dt { "Constraint" } dd { (constraint.attribute) ": " (rule(&constraint.rule)) }
        }
        @if !config.metadata.is_empty() {
            dt { "Metadata" } dd {
                @for (key, value) in &config.metadata { (key) ": " (value) br; }
            }
        }
        @if let Some(contact) = &config.contact_email { dt { "Contact" } dd { (contact) } }
    }
}

/// As files write it.
fn rule(rule: &aurora_model::job::ConstraintRule) -> String {
    use aurora_model::job::ConstraintRule;
    match rule {
        ConstraintRule::Limit(limit) => format!("limit:{limit}"),
        ConstraintRule::Value { negated, values } => {
            let values = values.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            format!("{}{values}", if *negated { "!" } else { "" })
        }
    }
}

fn about_cron(cron: &CronStatus) -> Markup {
    html! {
        h2 { "Schedule" }
        dl {
            dt { "Schedule" } dd { code { (cron.job.cron_schedule.as_deref().unwrap_or("")) } " in " (cron.zone) }
            dt { "Next run" } dd {
                @if let Some(next) = cron.next { (utc(next.0)) }
                @else if let Some(problem) = &cron.problem { (problem) }
            }
            dt { "Instances" } dd { (cron.job.instance_count) }
        }
        @if !cron.runs.is_empty() {
            details {
                summary { "Last runs" }
                ul { @for run in cron.runs.iter().rev() {
                    li {
                        (utc(run.due.0)) ": "
                        @match &run.outcome {
                            CronOutcome::Started { instances } => { "started " (instances) " instances" }
                            CronOutcome::Skipped { reason, count, .. } => {
                                "skipped" @if *count > 1 { " " (count) " times" } ": " (reason.text())
                            }
                        }
                    }
                } }
            }
        }
    }
}

fn instances(tasks: &[&Found], time: Timestamp, observer_port: u16) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th.number { "Instance" } th { "State" } th { "Since" } th { "Host" } th { "Why" } th { "History" }
            } }
            tbody {
                @for Found { task, reason } in tasks {
                    @let last = task.latest_event();
                    tr {
                        td.number {
                            a href={ "/scheduler/" (task.job()) "/" (task.assigned.instance) } { (task.assigned.instance) }
                        }
                        td { (state_badge(task.state.name())) }
                        td title=(last.map(|event| utc(event.timestamp.0)).unwrap_or_default()) {
                            (last.map(|event| duration(time.ms_since(event.timestamp))).unwrap_or_default())
                        }
                        td { (place(task, observer_port)) }
                        td {
                            @if let Some(reason) = reason {
                                (why(reason))
                            } @else if let Some(message) = last.and_then(|event| event.message.as_ref()) {
                                (message)
                            }
                        }
                        td { details {
                            summary { (task.events.len()) " events" }
                            (history(task))
                            span.faint { (task.id()) }
                        } }
                    }
                }
            }
        } }
    }
}

fn place(task: &ScheduledTask, observer_port: u16) -> Markup {
    html! {
        @if let Some((_, host)) = &task.assigned.agent {
            a href={ "http://" (host) ":" (observer_port) "/task/" (task.id()) } { (host) }
            @for (name, port) in &task.assigned.assigned_ports {
                br; span.faint { (name) ": " (port) }
            }
        }
    }
}

fn history(task: &ScheduledTask) -> Markup {
    html! {
        dl {
            @for event in &task.events {
                dt { (utc(event.timestamp.0)) }
                dd { (event.state.name()) " " (event.message.as_deref().unwrap_or("")) }
            }
        }
    }
}

pub(super) async fn instance(
    State(pages): State<Pages>,
    Path((role, environment, name, instance)): Path<(String, String, String, String)>,
) -> Response {
    let crumbs = [
        Crumb::link("Roles", "/scheduler"),
        Crumb::link(role.clone(), format!("/scheduler/{role}")),
        Crumb::link(
            format!("{environment}/{name}"),
            format!("/scheduler/{role}/{environment}/{name}"),
        ),
        Crumb::here(instance.clone()),
    ];
    let title = format!("{role}/{environment}/{name}/{instance}");
    let page = Page { service: SERVICE, title: &title, crumbs: &crumbs };
    let (Ok(key), Ok(number)) = (JobKey::new(&role, &environment, &name), instance.parse::<u32>())
    else {
        return page.error(StatusCode::NOT_FOUND, "No instance can have this name.");
    };
    let query = TaskQuery { instances: [number].into(), ..TaskQuery::of_job(&key) };
    let Ok(tasks) = pages.core.tasks(&Arc::new(query), None, TASKS).await else {
        return ending();
    };
    let (active, ended): (Vec<&Found>, Vec<&Found>) =
        tasks.found.iter().partition(|found| found.task.state.is_active());
    if tasks.found.is_empty() {
        return page.error(StatusCode::NOT_FOUND, "Nothing is known of this instance.");
    }
    let host = active.last().and_then(|found| found.task.assigned.agent.as_ref());
    let neighbours = match host.map(|(_, host)| host.clone()) {
        Some(host) => {
            let id = active.last().map(|found| found.task.id().clone());
            let found = pages.core.ask_of(move |scheduler| {
                let state = scheduler.state();
                let running = state
                    .tasks_on(&host)
                    .filter(|task| {
                        task.state == TaskState::Running && Some(task.id()) != id.as_ref()
                    })
                    .map(|task| task.assigned.instance_key())
                    .take(NEIGHBOURS)
                    .collect::<Vec<_>>();
                (running, state.touched(Scope::Host(&host)))
            });
            let Ok((found, _)) = found.await else { return ending() };
            found
        }
        None => Vec::new(),
    };
    let time = now();
    page.render(&html! {
        @for Found { task, reason } in &active {
            dl {
                dt { "State" } dd { (state_badge(task.state.name())) }
                dt { "Task" } dd { a href={ "/structdump/task/" (segment(task.id().as_str())) } { (task.id()) } }
                @if task.assigned.agent.is_some() { dt { "Host" } dd { (place(task, pages.observer_port)) } }
                @if let Some(reason) = reason { dt { "Waits" } dd { (why(reason)) } }
            }
            h2 { "Timeline" }
            (history(task))
        }
        @if active.is_empty() { p.empty { "This instance is not active." } }
        @if !neighbours.is_empty() {
            h2 { "On the same host" }
            ul { @for other in &neighbours {
                li { a href={ "/scheduler/" (other.job) "/" (other.instance) } { (other) } }
            } }
        }
        @if !ended.is_empty() {
            h2 { "Ended runs" }
            (instances(&ended, time, pages.observer_port))
        }
    })
}
