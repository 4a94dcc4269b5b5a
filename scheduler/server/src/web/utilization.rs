//! What active tasks ask for, in all and by role and job (`api-and-http.md` 3.3 and 7.9).

use std::collections::BTreeMap;

use aurora_daemon::web::{Crumb, Page, segment};
use aurora_model::job::MilliCpus;
use aurora_model::key::{JobKey, Role};
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::Consumption;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use maud::html;
use serde_json::{Map, Value, json};

use super::{Pages, SERVICE, ending, wants_json};
use crate::actor::{Core, Ended};

/// Jobs of a page.
const JOBS: usize = 250;

/// What is counted: of which tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Total,
    Dedicated,
    Quota,
    FreePool,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Total, Self::Dedicated, Self::Quota, Self::FreePool];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Total => "total_consumed",
            Self::Dedicated => "dedicated_consumed",
            Self::Quota => "quota_consumed",
            Self::FreePool => "free_pool_consumed",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn counts(self, production: bool, dedicated: bool) -> bool {
        match self {
            Self::Total => true,
            Self::Dedicated => dedicated,
            Self::Quota => production && !dedicated,
            Self::FreePool => !production && !dedicated,
        }
    }

    /// The part of what a role uses that is counted.
    pub(crate) fn of(self, used: &Consumption) -> ResourceAggregate {
        let classes = [
            (true, false, used.production_shared),
            (false, false, used.non_production_shared),
            (true, true, used.production_dedicated),
            (false, true, used.non_production_dedicated),
        ];
        classes
            .into_iter()
            .filter(|(production, dedicated, _)| self.counts(*production, *dedicated))
            .fold(ResourceAggregate::default(), |sum, (.., amounts)| plus(sum, amounts))
    }
}

pub(crate) fn plus(a: ResourceAggregate, b: ResourceAggregate) -> ResourceAggregate {
    ResourceAggregate {
        cpus: MilliCpus(a.cpus.0.saturating_add(b.cpus.0)),
        ram_mb: a.ram_mb.saturating_add(b.ram_mb),
        disk_mb: a.disk_mb.saturating_add(b.disk_mb),
    }
}

/// What the tasks of each role use.
pub(crate) async fn by_roles(core: &Core) -> Result<BTreeMap<Role, Consumption>, Ended> {
    let all = core.all_of(|scheduler, after, size| {
        let roles = scheduler.consumption_by_role(after).take(size);
        roles.map(|(role, used)| (role.clone(), used)).collect()
    });
    Ok(all.await?.into_iter().collect())
}

pub(super) async fn total(State(pages): State<Pages>, headers: HeaderMap) -> Response {
    let Ok(roles) = by_roles(&pages.core).await else { return ending() };
    let rows = Kind::ALL.map(|kind| {
        let sum =
            roles.values().fold(ResourceAggregate::default(), |sum, used| plus(sum, kind.of(used)));
        (kind.name().to_owned(), Some(format!("/utilization/{}", kind.name())), sum)
    });
    let crumbs = [Crumb::link("Roles", "/scheduler"), Crumb::here("Utilization")];
    show(&headers, "Utilization", &crumbs, &rows, None)
}

pub(super) async fn by_role(
    State(pages): State<Pages>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(kind) = Kind::parse(&name) else { return unknown(&name) };
    let Ok(roles) = by_roles(&pages.core).await else { return ending() };
    let rows: Vec<_> = roles
        .iter()
        .map(|(role, used)| {
            let link = format!("/utilization/{}/{role}", kind.name());
            (role.to_string(), Some(link), kind.of(used))
        })
        .filter(|(.., amounts)| *amounts != ResourceAggregate::default())
        .collect();
    let crumbs = [
        Crumb::link("Roles", "/scheduler"),
        Crumb::link("Utilization", "/utilization"),
        Crumb::here(kind.name()),
    ];
    show(&headers, &format!("Utilization: {}", kind.name()), &crumbs, &rows, None)
}

pub(super) async fn by_job(
    State(pages): State<Pages>,
    Path((name, role)): Path<(String, String)>,
    Query(asked): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let Some(kind) = Kind::parse(&name) else { return unknown(&name) };
    let after = asked.get("after").and_then(|after| after.parse::<JobKey>().ok());
    let Ok(jobs) = pages.core.jobs(&role, after, JOBS, false).await else { return ending() };
    let mut rows = Vec::new();
    for job in jobs.found {
        let key = job.key.clone();
        let Ok(groups) = pages.core.config_groups(key).await else { return ending() };
        let sum = groups
            .iter()
            .filter(|(config, _)| kind.counts(config.production, config.is_dedicated()))
            .fold(ResourceAggregate::default(), |sum, (config, instances)| {
                let one = ResourceAggregate::from(&config.resources);
                let times = instances.len() as u64;
                let all = ResourceAggregate {
                    cpus: MilliCpus(one.cpus.0.saturating_mul(times)),
                    ram_mb: one.ram_mb.saturating_mul(times),
                    disk_mb: one.disk_mb.saturating_mul(times),
                };
                plus(sum, all)
            });
        if sum != ResourceAggregate::default() {
            rows.push((job.key.to_string(), Some(format!("/scheduler/{}", job.key)), sum));
        }
    }
    let crumbs = [
        Crumb::link("Roles", "/scheduler"),
        Crumb::link("Utilization", "/utilization"),
        Crumb::link(kind.name(), format!("/utilization/{}", kind.name())),
        Crumb::here(role.clone()),
    ];
    let title = format!("Utilization: {} of {role}", kind.name());
    show(&headers, &title, &crumbs, &rows, jobs.next.as_ref())
}

fn unknown(name: &str) -> Response {
    let known = Kind::ALL.map(Kind::name).join(", ");
    let text = format!("unknown kind of consumption {name:?}: use one of {known}\n");
    (StatusCode::BAD_REQUEST, text).into_response()
}

/// What uses how much, and where that is told in parts.
type Row = (String, Option<String>, ResourceAggregate);

/// As JSON or as a page, whichever is asked for.
fn show(
    headers: &HeaderMap,
    title: &str,
    crumbs: &[Crumb],
    rows: &[Row],
    next: Option<&JobKey>,
) -> Response {
    if !wants_json(headers) {
        return table(title, crumbs, rows, next);
    }
    let used = rows.iter().map(|(name, _, used)| {
        let used =
            json!({ "cpus": used.cpus.cores(), "ramMb": used.ram_mb, "diskMb": used.disk_mb });
        (name.clone(), used)
    });
    let used: Map<String, Value> = used.collect();
    Json(json!({ "used": used, "next": next.map(ToString::to_string) })).into_response()
}

fn table(title: &str, crumbs: &[Crumb], rows: &[Row], next: Option<&JobKey>) -> Response {
    let page = Page { service: SERVICE, title, crumbs };
    page.render(&html! {
        @if rows.is_empty() && next.is_none() {
            p.empty { "Nothing is used." }
        } @else {
            div.scroll { table {
                thead { tr { th { "What" } th.number { "CPU" } th.number { "RAM (MB)" } th.number { "Disk (MB)" } } }
                tbody {
                    @for (name, link, amounts) in rows {
                        tr {
                            td { @if let Some(link) = link { a href=(link) { (name) } } @else { (name) } }
                            td.number { (amounts.cpus) }
                            td.number { (amounts.ram_mb) }
                            td.number { (amounts.disk_mb) }
                        }
                    }
                }
            } }
        }
        @if let Some(next) = next {
            nav.pager { a href={ "?after=" (segment(&next.to_string())) } { "More jobs" } }
        }
    })
}
