//! The endpoints of the original that its tools read as JSON or text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::job::{ResourceBag, TaskConfig, TaskState};
use aurora_model::key::TaskId;
use aurora_model::maintenance::MaintenanceMode;
use aurora_scheduler_core::{HeldOffer, TaskQuery};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Map, Value, json};

use super::{Pages, ending};
use crate::json;

/// Agents that the core is asked for at once.
const AGENTS: usize = 250;

/// What waits, and why.
pub(super) async fn pending(State(pages): State<Pages>) -> Response {
    let mut groups = Vec::new();
    let mut after = None;
    loop {
        let found = pages.core.ask(move |scheduler| scheduler.pending_groups_page(after)).await;
        let Ok((some, next)) = found else { return ending() };
        groups.extend(some);
        if next.is_none() {
            break;
        }
        after = next;
    }
    let groups: Vec<Value> = groups
        .into_iter()
        .map(|group| {
            json!({
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

/// What is on offer, in the shape that Mesos gives offers in.
pub(super) async fn offers(State(pages): State<Pages>) -> Response {
    let mut all: Vec<Value> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut skip = 0;
    loop {
        let found = pages.core.ask(move |scheduler| scheduler.held_offers(skip, AGENTS)).await;
        let Ok(found) = found else { return ending() };
        let count = found.len();
        // The order may have changed between two questions.
        for offer in found.iter().filter(|offer| seen.insert(offer.agent.clone())) {
            all.push(offer_json(offer));
        }
        if count < AGENTS {
            return Json(all).into_response();
        }
        skip += count;
    }
}

fn offer_json(offer: &HeldOffer) -> Value {
    let scalar = |name: &str, value: f64, revocable: bool| {
        let mut resource = json!({
            "name": name,
            "type": "SCALAR",
            "scalar": { "value": value },
        });
        if revocable && let Some(resource) = resource.as_object_mut() {
            resource.insert("revocable".to_owned(), json!({}));
        }
        resource
    };
    #[expect(clippy::cast_precision_loss, reason = "JSON's numbers are floats")]
    let scalars = |bag: &ResourceBag, revocable: bool| -> Vec<Value> {
        [
            ("cpus", bag.cpus.cores()),
            ("mem", bag.ram_mb as f64),
            ("disk", bag.disk_mb as f64),
            ("gpus", bag.gpus as f64),
        ]
        .into_iter()
        .filter(|(_, value)| *value > 0.0)
        .map(|(name, value)| scalar(name, value, revocable))
        .collect()
    };
    let mut resources = scalars(&offer.fixed, false);
    resources.extend(scalars(&offer.revocable, true));
    if !offer.ports.is_empty() {
        let ranges: Vec<Value> = offer
            .ports
            .iter()
            .map(|range| json!({ "begin": range.begin, "end": range.end }))
            .collect();
        resources.push(json!({
            "name": "ports",
            "type": "RANGES",
            "ranges": { "range": ranges },
        }));
    }
    let attributes: Vec<Value> = offer
        .attributes
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (name, value)))
        .map(|(name, value)| json!({ "name": name, "type": "TEXT", "text": { "value": value } }))
        .collect();
    let mut object = json!({
        "id": { "value": offer.ids.first().map(|id| id.as_str()) },
        "agent_id": { "value": offer.agent.as_str() },
        "hostname": offer.host,
        "resources": resources,
        "attributes": attributes,
    });
    if let (Some(start), Some(object)) = (offer.unavailable_from, object.as_object_mut()) {
        let nanoseconds = start.0.saturating_mul(1_000_000);
        object.insert(
            "unavailability".to_owned(),
            json!({ "start": { "nanoseconds": nanoseconds } }),
        );
    }
    object
}

/// The hosts that are in maintenance, by what is done with them.
pub(super) async fn maintenance(State(pages): State<Pages>) -> Response {
    let (mut scheduled, mut drained) = (Vec::new(), Vec::new());
    let mut draining: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let from = after.clone();
        let found = pages
            .core
            .ask(move |scheduler| {
                let statuses = scheduler.host_statuses(true, from.as_deref(), AGENTS);
                statuses
                    .into_iter()
                    .map(|status| {
                        let mode = status.maintenance.mode;
                        let tasks: Vec<String> = match mode {
                            MaintenanceMode::Draining => scheduler
                                .state()
                                .tasks_on(&status.host)
                                .map(|task| task.id().to_string())
                                .collect(),
                            _ => Vec::new(),
                        };
                        (status.host, mode, tasks)
                    })
                    .collect::<Vec<_>>()
            })
            .await;
        let Ok(found) = found else { return ending() };
        let is_last = found.len() < AGENTS;
        after = found.last().map(|(host, ..)| host.clone());
        for (host, mode, tasks) in found {
            match mode {
                MaintenanceMode::Scheduled => scheduled.push(host),
                MaintenanceMode::Drained => drained.push(host),
                MaintenanceMode::Draining if !tasks.is_empty() => {
                    draining.insert(host, tasks);
                }
                MaintenanceMode::Draining | MaintenanceMode::None => {}
            }
        }
        if is_last {
            let answer =
                json!({ "SCHEDULED": scheduled, "DRAINED": drained, "DRAINING": draining });
            return Json(answer).into_response();
        }
    }
}

/// When cron jobs run.
pub(super) async fn cron(State(pages): State<Pages>) -> Response {
    let found = pages
        .core
        .ask(|scheduler| {
            let crons = scheduler.state().crons().iter();
            crons
                .map(|(key, cron)| {
                    (key.to_string(), json!(cron.job.cron_schedule.as_deref().unwrap_or("")))
                })
                .collect::<Map<_, _>>()
        })
        .await;
    match found {
        Ok(scheduled) => Json(json!({ "scheduled": scheduled })).into_response(),
        Err(_) => ending(),
    }
}

/// The tiers that jobs can have.
pub(super) async fn tiers(State(pages): State<Pages>) -> Response {
    let found = pages
        .core
        .ask(|scheduler| {
            let settings = scheduler.settings();
            (settings.default_tier.clone(), settings.tiers.clone())
        })
        .await;
    let Ok((default, tiers)) = found else { return ending() };
    let tiers: BTreeMap<String, Value> = tiers
        .into_iter()
        .map(|(name, tier)| {
            (name, json!({ "preemptible": tier.preemptible, "revocable": tier.revocable }))
        })
        .collect();
    Json(json!({ "default": default, "tiers": tiers })).into_response()
}

/// Which configurations run on which agent.
pub(super) async fn state(State(pages): State<Pages>) -> Response {
    let query = TaskQuery {
        states: TaskState::ALL.into_iter().filter(|state| state.is_slave_assigned()).collect(),
        ..TaskQuery::default()
    };
    let Ok(tasks) = pages.core.tasks(&Arc::new(query), None, usize::MAX).await else {
        return ending();
    };
    let mut configs: Map<String, Value> = Map::new();
    let mut agents: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // Tasks that share their configuration are alike.
    let mut keys: BTreeMap<*const TaskConfig, String> = BTreeMap::new();
    for found in &tasks.found {
        let assigned = &found.task.assigned;
        let key = keys.entry(Arc::as_ptr(&assigned.task)).or_insert_with(|| {
            let config = json::config(&assigned.task);
            let key = format!("{}-{:016x}", assigned.task.job, hash(&config.to_string()));
            configs.insert(key.clone(), config);
            key
        });
        if let Some((agent, _)) = &assigned.agent {
            agents.entry(agent.to_string()).or_default().push(key.clone());
        }
    }
    Json(json!({ "taskConfigs": configs, "agents": agents })).into_response()
}

/// FNV-1a: the same for the same text, in every program.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// The parts of this process, and how they are.
pub(super) async fn services(State(pages): State<Pages>) -> Response {
    let Ok(stats) = pages.core.ask(|scheduler| scheduler.stats()).await else { return ending() };
    let mesos = if stats.registered { "RUNNING" } else { "STARTING" };
    let services = json!([
        { "name": "log", "state": "RUNNING" },
        { "name": "scheduler", "state": "RUNNING" },
        { "name": "mesos", "state": mesos },
        { "name": "http", "state": "RUNNING" },
    ]);
    Json(services).into_response()
}

/// Whether this scheduler leads. One that runs does: others cannot have its log.
pub(super) async fn leader_health(State(pages): State<Pages>) -> Response {
    let leads = pages.core.ask(|_| ()).await.is_ok();
    let (status, line) = match leads {
        true => (StatusCode::OK, "This scheduler is the leader."),
        false => (StatusCode::BAD_GATEWAY, "There is no leader: this scheduler is ending."),
    };
    let help = "200: this scheduler leads\n503: another one leads\n502: there is no leader, or it is \
                not known\n";
    (status, format!("{line}\n\n{help}")).into_response()
}
