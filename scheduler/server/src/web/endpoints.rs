//! The endpoints of the original that its tools read as JSON or text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use aurora_model::job::{JobConfiguration, ResourceBag, ScheduledTask, TaskConfig, TaskState};
use aurora_model::key::{AgentId, JobKey, TaskId};
use aurora_model::maintenance::MaintenanceMode;
use aurora_scheduler_core::{
    HeldOffer, HostStatus, PendingGroup, Scheduler, TaskCursor, TaskQuery,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use futures::StreamExt;
use serde_json::{Value, json};

use super::{Pages, ending, stream};
use crate::actor::{Core, Ended};
use crate::json;

/// Agents that the core is asked for at once.
const AGENTS: usize = 250;
/// Cron jobs that the core is asked for at once.
const CRONS: usize = 250;
/// Tasks that the core is asked for at once, of which no copy is made.
const TASKS: usize = 500;

/// What waits, and why.
pub(super) async fn pending(State(Pages { core, .. }): State<Pages>) -> Response {
    let groups = stream::pages(move |after| {
        let core = core.clone();
        async move {
            let (groups, next) =
                core.ask(move |scheduler| scheduler.pending_groups_page(after)).await?;
            Ok((groups.iter().map(|group| group_json(group).to_string()).collect(), next))
        }
    });
    stream::answer(stream::elements("[", groups, "]")).await
}

fn group_json(group: &PendingGroup) -> Value {
    json!({
        "name": group.job.to_string(),
        "taskIds": group.tasks.iter().map(TaskId::as_str).collect::<Vec<_>>(),
        // Groups are tried when something has changed, not after a while.
        "penaltyMs": 0,
        "reason": format!("[{}]", group.reasons.join(", ")),
    })
}

/// What is on offer, in the shape that Mesos gives offers in.
pub(super) async fn offers(State(Pages { core, .. }): State<Pages>) -> Response {
    let seen: Arc<Mutex<BTreeSet<AgentId>>> = Arc::default();
    let offers = stream::pages(move |skip| {
        let (core, seen, skip) = (core.clone(), seen.clone(), skip.unwrap_or(0));
        async move {
            let found = core.ask(move |scheduler| scheduler.held_offers(skip, AGENTS)).await?;
            let next = (found.len() == AGENTS).then_some(skip + AGENTS);
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            // The order may have changed between two questions.
            let new = found.iter().filter(|offer| seen.insert(offer.agent.clone()));
            Ok((new.map(|offer| offer_json(offer).to_string()).collect(), next))
        }
    });
    stream::answer(stream::elements("[", offers, "]")).await
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
    let hosts = pages.core.all_of(|scheduler, after: Option<&String>, size| {
        let statuses = scheduler.host_statuses(true, after.map(String::as_str), size);
        let tasks_on = |status: &HostStatus| match status.maintenance.mode {
            MaintenanceMode::Draining => {
                let tasks = scheduler.state().tasks_on(&status.host);
                tasks.map(|task| task.id().to_string()).collect()
            }
            _ => Vec::new(),
        };
        let with_tasks = statuses.into_iter().map(|status| {
            let tasks = tasks_on(&status);
            (status.host, (status.maintenance.mode, tasks))
        });
        with_tasks.collect()
    });
    let Ok(hosts) = hosts.await else { return ending() };
    for (host, (mode, tasks)) in hosts {
        match mode {
            MaintenanceMode::Scheduled => scheduled.push(host),
            MaintenanceMode::Drained => drained.push(host),
            MaintenanceMode::Draining if !tasks.is_empty() => {
                draining.insert(host, tasks);
            }
            MaintenanceMode::Draining | MaintenanceMode::None => {}
        }
    }
    let answer = json!({ "SCHEDULED": scheduled, "DRAINED": drained, "DRAINING": draining });
    Json(answer).into_response()
}

/// When cron jobs run.
pub(super) async fn cron(State(Pages { core, .. }): State<Pages>) -> Response {
    let crons = stream::pages(move |after: Option<JobKey>| {
        let core = core.clone();
        async move {
            let found = core
                .ask(move |scheduler| {
                    let some = scheduler.crons("", after.as_ref()).take(CRONS);
                    some.map(|cron| cron.job).collect::<Vec<_>>()
                })
                .await?;
            let next = found.last().filter(|_| found.len() == CRONS).map(|job| job.key.clone());
            let schedule = |job: &Arc<JobConfiguration>| {
                let schedule = job.cron_schedule.as_deref().unwrap_or_default();
                stream::member(&job.key.to_string(), &schedule.into())
            };
            Ok((found.iter().map(schedule).collect(), next))
        }
    });
    stream::answer(stream::elements("{\"scheduled\":{", crons, "}}")).await
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
pub(super) async fn state(State(Pages { core, .. }): State<Pages>) -> Response {
    let Ok(Running { configs, agents }) = running(&core).await else { return ending() };
    let keys: Arc<[String]> = configs.iter().map(|(key, _)| key.clone()).collect();
    // What is alike of several jobs or runs is told once.
    let mut told = BTreeSet::new();
    let configs = configs.into_iter().filter(move |(key, _)| told.insert(key.clone()));
    let configs = configs.map(|(key, config)| stream::member(&key, &json::config(&config)));
    let agents = agents.into_iter().map(move |(agent, on)| {
        let on: Vec<&str> = on.iter().filter_map(|at| keys.get(*at).map(String::as_str)).collect();
        stream::member(agent.as_str(), &on.into())
    });
    let one_by_one = |member: String| Ok(vec![member]);
    let configs = futures::stream::iter(configs.map(one_by_one));
    let agents = futures::stream::iter(agents.map(one_by_one));
    let parts = stream::elements("{\"taskConfigs\":{", configs, "},").chain(stream::elements(
        "\"agents\":{",
        agents,
        "}}",
    ));
    stream::answer(parts).await
}

/// What runs where.
#[derive(Default)]
struct Running {
    /// By the names that the endpoint gives them, which equal ones share.
    configs: Vec<(String, Arc<TaskConfig>)>,
    /// Places in `configs`, one for each task.
    agents: BTreeMap<AgentId, Vec<usize>>,
}

async fn running(core: &Core) -> Result<Running, Ended> {
    let states = TaskState::ALL.into_iter().filter(|state| state.is_slave_assigned()).collect();
    let query = Arc::new(TaskQuery { states, ..TaskQuery::default() });
    let mut all = Running::default();
    // Tasks that share their configuration are alike. Those in `all` stay where they are.
    let mut known: BTreeMap<usize, usize> = BTreeMap::new();
    let mut after = None;
    loop {
        let query = query.clone();
        let (found, next) = core.ask(move |s| some_running(s, &query, after.as_ref())).await?;
        for (agent, config) in found {
            let place = *known.entry(Arc::as_ptr(&config).addr()).or_insert_with(|| {
                let key =
                    format!("{}-{:016x}", config.job, hash(&json::config(&config).to_string()));
                all.configs.push((key, config));
                all.configs.len() - 1
            });
            all.agents.entry(agent).or_default().push(place);
        }
        if next.is_none() {
            return Ok(all);
        }
        after = next;
    }
}

/// The agents of some tasks, and what runs there.
fn some_running(
    scheduler: &Scheduler,
    query: &TaskQuery,
    after: Option<&TaskCursor>,
) -> (Vec<(AgentId, Arc<TaskConfig>)>, Option<TaskCursor>) {
    let (tasks, next) = scheduler.tasks_page(query, after, TASKS);
    let place = |task: &ScheduledTask| {
        let (agent, _) = task.assigned.agent.as_ref()?;
        Some((agent.clone(), task.assigned.task.clone()))
    };
    (tasks.into_iter().filter_map(place).collect(), next)
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
