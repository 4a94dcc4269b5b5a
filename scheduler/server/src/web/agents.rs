//! The hosts of the cluster.

use std::collections::BTreeMap;

use aurora_daemon::web::{Crumb, Page, segment, state_badge};
use aurora_model::maintenance::MaintenanceMode;
use aurora_scheduler_core::{Host, HostStatus};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Json, Response};
use maud::html;
use serde_json::{Value, json};

use super::{Pages, SERVICE, ending, wants_json};

/// Hosts of a page.
const HOSTS: usize = 250;

pub(super) async fn page(
    State(pages): State<Pages>,
    Query(mut asked): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let after = asked.remove("after");
    let found = pages
        .core
        .ask(move |scheduler| {
            let statuses = scheduler.host_statuses(false, after.as_deref(), HOSTS + 1);
            statuses
                .into_iter()
                .map(|status| {
                    let host = scheduler.state().host(&status.host).cloned();
                    (status, host)
                })
                .collect::<Vec<_>>()
        })
        .await;
    let Ok(mut found) = found else { return ending() };
    let has_more = found.len() > HOSTS;
    found.truncate(HOSTS);
    let next = found.last().filter(|_| has_more).map(|(status, _)| status.host.clone());
    if wants_json(&headers) {
        let agents: Vec<Value> =
            found.iter().map(|(status, host)| agent_json(status, host.as_ref())).collect();
        return Json(json!({ "agents": agents, "next": next })).into_response();
    }
    let crumbs = [Crumb::link("Roles", "/scheduler"), Crumb::here("Agents")];
    let page = Page { service: SERVICE, title: "Agents", crumbs: &crumbs };
    page.render(&html! {
        @if found.is_empty() {
            p.empty { "No agent has offered anything yet." }
        } @else {
            div.scroll { table {
                thead { tr {
                    th { "Host" } th { "Agent" } th { "Maintenance" } th.number { "Tasks" } th { "Attributes" }
                } }
                tbody {
                    @for (status, host) in &found {
                        tr {
                            td {
                                a href={ "http://" (status.host) ":" (pages.observer_port) } { (status.host) }
                            }
                            td { @if let Some(host) = host { (host.agent) } }
                            td {
                                @if status.maintenance.mode == MaintenanceMode::None {
                                    span.faint { "none" }
                                } @else {
                                    (state_badge(status.maintenance.mode.name()))
                                }
                                @for task in &status.waiting {
                                    br; span.faint { (task.id) ": " (task.reason) }
                                }
                            }
                            td.number { (status.tasks) }
                            td { @if let Some(host) = host {
                                @for (name, values) in &host.attributes {
                                    (name) ": " (values.iter().cloned().collect::<Vec<_>>().join(", ")) br;
                                }
                            } }
                        }
                    }
                }
            } }
            @if let Some(next) = next {
                nav.pager { a href={ "/agents?after=" (segment(&next)) } { "More hosts" } }
            }
        }
    })
}

fn agent_json(status: &HostStatus, host: Option<&Host>) -> Value {
    let waiting = status
        .waiting
        .iter()
        .map(|task| json!({ "taskId": task.id.as_str(), "reason": task.reason }));
    json!({
        "host": status.host,
        "agentId": host.map(|host| host.agent.as_str()),
        "attributes": host.map(|host| &host.attributes),
        "mode": status.maintenance.mode.name(),
        "tasks": status.tasks,
        "waiting": waiting.collect::<Vec<_>>(),
    })
}
