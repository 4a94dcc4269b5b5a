//! Lists over all roles: what waits, what roles may use, what runs by the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use aurora_daemon::web::{Crumb, Page, segment, state_badge, utc};
use aurora_model::key::{JobKey, Role};
use aurora_model::update::UpdateStatus;
use aurora_scheduler_core::{PendingReason, UpdateQuery, UpdateSummary};
use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};

use super::{Pages, SERVICE, ending};
use crate::queries::PATIENCE;

/// Rows of a page.
const ROWS: usize = 200;

/// Updates of a list.
const UPDATES: usize = 100;

/// Why tasks wait, those that are alike together.
pub(super) async fn pending(State(pages): State<Pages>) -> Response {
    let mut all: Vec<(JobKey, usize, Option<Arc<PendingReason>>)> = Vec::new();
    let mut has_more = true;
    while has_more && all.len() < ROWS {
        let skip = all.len();
        let found = pages
            .core
            .ask(move |scheduler| {
                let began = Instant::now();
                let mut some = Vec::new();
                for (job, count, first) in scheduler.waiting_groups(skip, ROWS) {
                    let reason = first.and_then(|id| scheduler.pending(&id));
                    some.push((job, count, reason));
                    if began.elapsed() > PATIENCE {
                        return (some, true);
                    }
                }
                let has_more = some.len() == ROWS;
                (some, has_more)
            })
            .await;
        let Ok((some, more)) = found else { return ending() };
        all.extend(some);
        has_more = more;
    }
    let crumbs = [Crumb::link("Roles", "/scheduler"), Crumb::here("Waiting")];
    let page = Page { service: SERVICE, title: "Waiting tasks", crumbs: &crumbs };
    page.render(&html! {
        @if all.is_empty() {
            p.empty { "No task waits for a place." }
        } @else {
            div.scroll { table {
                thead { tr { th { "Job" } th.number { "Tasks" } th { "Why" } } }
                tbody {
                    @for (job, count, reason) in &all {
                        tr {
                            td { a href={ "/scheduler/" (job) } { (job) } }
                            td.number { (count) }
                            td { @if let Some(reason) = reason { (why(reason)) } }
                        }
                    }
                }
            } }
            @if has_more { p.faint { "There are more; /pendingtasks has all of them." } }
        }
    })
}

/// Why tasks wait, in words and in figures.
pub(super) fn why(reason: &PendingReason) -> Markup {
    html! {
        (reason.text)
        @if !reason.vetoes.is_empty() {
            details {
                summary { "of " (reason.hosts) " hosts" }
                ul {
                    @for veto in &reason.vetoes {
                        li {
                            (veto.hosts) ": " (format!("{:?}", veto.kind).to_lowercase())
                            @if !veto.detail.is_empty() { " (" (veto.detail) ")" }
                        }
                    }
                }
                @if let Some(nearest) = &reason.nearest { p.faint { "nearest: " (nearest) } }
            }
        }
    }
}

/// What roles may use, and what they use.
pub(super) async fn quota(
    State(pages): State<Pages>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let after = asked.get("after").and_then(|after| Role::new(after).ok());
    let found = pages
        .core
        .ask(move |scheduler| {
            let set = scheduler.state().quotas_after(after.as_ref()).map(|(role, _)| role);
            let using = scheduler.consumption_by_role(after.as_ref()).map(|(role, _)| role);
            let roles: BTreeSet<&Role> = set.take(ROWS + 1).chain(using.take(ROWS + 1)).collect();
            let quota = |role: &Role| (role.to_string(), scheduler.role_quota(role.as_str()));
            roles.into_iter().take(ROWS + 1).map(quota).collect::<Vec<_>>()
        })
        .await;
    let Ok(mut roles) = found else { return ending() };
    let has_more = roles.len() > ROWS;
    roles.truncate(ROWS);
    let crumbs = [Crumb::link("Roles", "/scheduler"), Crumb::here("Quota")];
    let page = Page { service: SERVICE, title: "Quota", crumbs: &crumbs };
    page.render(&html! {
        @if roles.is_empty() {
            p.empty { "No role has a quota or uses anything." }
        } @else {
            div.scroll { table {
                thead { tr {
                    th { "Role" } th { "" }
                    th.number { "CPU" } th.number { "RAM (MB)" } th.number { "Disk (MB)" }
                } }
                tbody { @for (role, quota) in &roles {
                    (super::jobs::quota_rows(Some(role), quota))
                } }
            } }
            @if let Some((last, _)) = roles.last().filter(|_| has_more) {
                nav.pager { a href={ "/quota?after=" (segment(last)) } { "More" } }
            }
        }
    })
}

/// What runs by the clock.
pub(super) async fn crons(
    State(pages): State<Pages>,
    Query(mut asked): Query<BTreeMap<String, String>>,
) -> Response {
    let after = asked.remove("after").and_then(|after| after.parse::<JobKey>().ok());
    let found = pages
        .core
        .ask(move |s| s.crons("", after.as_ref()).take(ROWS + 1).collect::<Vec<_>>())
        .await;
    let Ok(mut found) = found else { return ending() };
    let has_more = found.len() > ROWS;
    found.truncate(ROWS);
    let crumbs = [Crumb::link("Roles", "/scheduler"), Crumb::here("Cron jobs")];
    let page = Page { service: SERVICE, title: "Cron jobs", crumbs: &crumbs };
    page.render(&html! {
        @if found.is_empty() {
            p.empty { "There are no cron jobs." }
        } @else {
            div.scroll { table {
                thead { tr { th { "Job" } th { "Schedule" } th { "Time zone" } th { "Next run" } th { "Waiting runs" } } }
                tbody { @for cron in &found {
                    tr {
                        td { a href={ "/scheduler/" (cron.job.key) } { (cron.job.key) } }
                        td { code { (cron.job.cron_schedule.as_deref().unwrap_or("")) } }
                        td { (cron.zone) }
                        td {
                            @if let Some(next) = cron.next { (utc(next.0)) }
                            @else if let Some(problem) = &cron.problem { (problem) }
                        }
                        td.number { (cron.queue.len()) }
                    }
                } }
            } }
            @if let Some(last) = found.last().filter(|_| has_more) {
                nav.pager { a href={ "/crons?after=" (segment(&last.job.key.to_string())) } { "More" } }
            }
        }
    })
}

/// The updates that go on, and those that were changed last.
pub(super) async fn updates(State(pages): State<Pages>) -> Response {
    let found = pages
        .core
        .ask(|scheduler| {
            let list = |statuses: BTreeSet<UpdateStatus>| {
                let query = UpdateQuery { statuses, ..UpdateQuery::default() };
                let found = scheduler.updates(&query, None, UPDATES);
                found.into_iter().map(UpdateSummary::from).collect::<Vec<_>>()
            };
            let (active, ended) =
                UpdateStatus::ALL.into_iter().partition(|status| !status.is_terminal());
            (list(active), list(ended))
        })
        .await;
    let Ok((active, ended)) = found else { return ending() };
    let crumbs = [Crumb::link("Roles", "/scheduler"), Crumb::here("Updates")];
    let page = Page { service: SERVICE, title: "Updates", crumbs: &crumbs };
    page.render(&html! {
        h2 { "In progress" }
        @if active.is_empty() { p.empty { "No job is being updated." } } @else { (update_rows(&active)) }
        h2 { "Ended" }
        @if ended.is_empty() { p.empty { "No update has ended yet." } } @else { (update_rows(&ended)) }
    })
}

/// Updates, a row each.
pub(super) fn update_rows(updates: &[UpdateSummary]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th { "Job" } th { "Update" } th { "Status" } th { "User" } th { "Began" } th { "Changed" } } }
            tbody { @for update in updates {
                tr {
                    td { a href={ "/scheduler/" (update.key.job) } { (update.key.job) } }
                    td { (update.key.id) }
                    td { (state_badge(update.status.name())) }
                    td { (update.user) }
                    td { (utc(update.created.0)) }
                    td { (utc(update.modified.0)) }
                }
            } }
        } }
    }
}
