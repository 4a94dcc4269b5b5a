//! What goes between the scheduler core and a Mesos master, in the words of each.
//!
//! [`Session`] knows what the master has on offer, as the master said it. Of events it makes inputs, of
//! effects calls: [`Launcher`] says what a task is launched as. It sends nothing and waits for nothing;
//! who has a connection does, and who simulates one.

mod allocate;
mod inverse;

use std::collections::BTreeMap;

use aurora_mesos::v1;
use aurora_mesos::v1::scheduler::{Call, Event, call, event};
use aurora_model::job::{AssignedTask, TaskState};
use aurora_model::key::{AgentId, OfferId, TaskId};
use aurora_scheduler_core::{Effect, Input, StatusUpdate};

pub use allocate::{Launcher, Program, TooLittle};
use allocate::{Pool, core_offer};
use inverse::core_inverse;

/// What one scheduler and its master have said to each other.
#[derive(Debug)]
pub struct Session {
    launcher: Launcher,
    refuse_seconds: f64,
    /// The offers that the core knows of, as Mesos made them.
    offers: BTreeMap<String, v1::Offer>,
}

/// What comes of an effect.
#[derive(Debug, Default)]
pub struct Sent {
    /// What the master is to be told.
    pub call: Option<Call>,
    /// What the core is to be told: tasks that could not be launched.
    pub lost: Vec<StatusUpdate>,
}

impl Session {
    /// A session in which nothing was said. What is given back is not to be offered again for
    /// `refuse_seconds`.
    pub fn new(launcher: Launcher, refuse_seconds: f64) -> Self {
        Self { launcher, refuse_seconds, offers: BTreeMap::new() }
    }

    /// Forgets all offers: the connection has begun anew, or is gone.
    pub fn forget_offers(&mut self) {
        self.offers.clear();
    }

    /// What an event means to the core, if anything.
    ///
    /// # Errors
    /// It cannot be read; the text says why.
    pub fn input(&mut self, event: Event) -> Result<Option<Input>, String> {
        Ok(match event.r#type() {
            event::Type::Offers => {
                let made = event.offers.map(|offers| offers.offers).unwrap_or_default();
                let mut known = Vec::with_capacity(made.len());
                for offer in made {
                    match core_offer(&offer) {
                        Ok(read) => {
                            known.push(read);
                            self.offers.insert(offer.id.value.clone(), offer);
                        }
                        Err(error) => {
                            tracing::error!(%error, offer = offer.id.value, "an offer is unusable");
                        }
                    }
                }
                Some(Input::Offers(known))
            }
            event::Type::InverseOffers => {
                let made =
                    event.inverse_offers.map(|offers| offers.inverse_offers).unwrap_or_default();
                let read = made.into_iter().map(core_inverse).filter_map(|offer| {
                    offer
                        .inspect_err(
                            |error| tracing::error!(%error, "an inverse offer is unusable"),
                        )
                        .ok()
                });
                Some(Input::InverseOffers(read.collect()))
            }
            event::Type::Rescind => {
                let Some(rescind) = event.rescind else { return Ok(None) };
                self.offers.remove(&rescind.offer_id.value);
                let id = OfferId::new(rescind.offer_id.value).map_err(|error| error.to_string())?;
                Some(Input::Rescinded(id))
            }
            event::Type::Update => {
                let Some(update) = event.update else { return Ok(None) };
                Some(Input::Status(status(update.status)?))
            }
            event::Type::Failure => {
                if let Some(failure) = event.failure {
                    let agent = failure.agent_id.map(|id| id.value).unwrap_or_default();
                    let executor = failure.executor_id.map(|id| id.value);
                    // Every executor ends when its task has: that is no failure.
                    if executor.is_some() && failure.status == Some(0) {
                        return Ok(None);
                    }
                    tracing::warn!(
                        agent,
                        executor,
                        status = failure.status,
                        "an agent or executor has failed"
                    );
                    metrics::counter!("mesos_failures").increment(1);
                }
                None
            }
            _ => None,
        })
    }

    /// What an effect means to the master; nothing if it is not about it.
    pub fn send(&mut self, effect: Effect) -> Sent {
        let call = match effect {
            Effect::Launch { offers, tasks } => return self.accept(&offers, &tasks),
            Effect::Decline(offer) => {
                self.offers.remove(offer.as_str());
                Call {
                    r#type: Some(call::Type::Decline as i32),
                    decline: Some(call::Decline {
                        offer_ids: vec![v1::OfferId { value: offer.to_string() }],
                        filters: Some(v1::Filters { refuse_seconds: Some(self.refuse_seconds) }),
                    }),
                    ..Call::default()
                }
            }
            Effect::Kill { task, agent } => Call {
                r#type: Some(call::Type::Kill as i32),
                kill: Some(call::Kill {
                    task_id: v1::TaskId { value: task.to_string() },
                    agent_id: agent.map(|id| v1::AgentId { value: id.to_string() }),
                    kill_policy: None,
                }),
                ..Call::default()
            },
            Effect::Acknowledge { task, agent, uuid } => Call {
                r#type: Some(call::Type::Acknowledge as i32),
                acknowledge: Some(call::Acknowledge {
                    agent_id: v1::AgentId { value: agent.to_string() },
                    task_id: v1::TaskId { value: task.to_string() },
                    uuid: uuid.into(),
                }),
                ..Call::default()
            },
            Effect::Reconcile(tasks) => Call {
                r#type: Some(call::Type::Reconcile as i32),
                reconcile: Some(call::Reconcile {
                    tasks: tasks
                        .into_iter()
                        .map(|(task, agent)| call::reconcile::Task {
                            task_id: v1::TaskId { value: task.to_string() },
                            agent_id: agent.map(|id| v1::AgentId { value: id.to_string() }),
                        })
                        .collect(),
                }),
                ..Call::default()
            },
            Effect::AcceptInverse(offer) => inverse::accept(&offer),
            Effect::Reply { .. }
            | Effect::Changed(_)
            | Effect::AskCoordinator(_)
            | Effect::Misfit(_) => return Sent::default(),
        };
        Sent { call: Some(call), lost: Vec::new() }
    }

    /// What is to be sent, and again until the master has it, when nobody knows whether a call has
    /// arrived. Offers of which the master was not told that they are given back or used would be kept
    /// from everybody for as long as the connection lasts. One that has used them after all knows
    /// them no more. Everything else comes again by itself.
    pub fn instead(call: &Call) -> Option<Call> {
        let (offer_ids, filters) = match (&call.accept, &call.decline) {
            (Some(accept), _) => (accept.offer_ids.clone(), accept.filters),
            (None, Some(decline)) => (decline.offer_ids.clone(), decline.filters),
            (None, None) => return None,
        };
        Some(Call {
            r#type: Some(call::Type::Decline as i32),
            decline: Some(call::Decline { offer_ids, filters }),
            ..Call::default()
        })
    }

    /// An ACCEPT of offers with tasks; none if the offers are gone.
    fn accept(&mut self, ids: &[OfferId], tasks: &[AssignedTask]) -> Sent {
        let open: Vec<v1::Offer> =
            ids.iter().filter_map(|id| self.offers.remove(id.as_str())).collect();
        let Some(agent) =
            open.first().map(|offer| offer.agent_id.clone()).filter(|_| open.len() == ids.len())
        else {
            let reason = "the offer was gone before the task could be launched";
            let lost = tasks.iter().map(|task| lost(task, reason)).collect();
            // Those that are not gone are held by nobody any more.
            let call = (!open.is_empty()).then(|| Call {
                r#type: Some(call::Type::Decline as i32),
                decline: Some(call::Decline {
                    offer_ids: open.into_iter().map(|offer| offer.id).collect(),
                    filters: Some(v1::Filters { refuse_seconds: Some(0.0) }),
                }),
                ..Call::default()
            });
            return Sent { call, lost };
        };
        let mut sent = Sent::default();
        let mut pool = Pool::new(open.into_iter().flat_map(|offer| offer.resources));
        let mut infos = Vec::with_capacity(tasks.len());
        for task in tasks {
            match self.launcher.task_info(task, &agent, &mut pool) {
                Ok(info) => infos.push(info),
                Err(error) => sent.lost.push(lost(task, &error.to_string())),
            }
        }
        metrics::counter!("tasks_launched").increment(infos.len() as u64);
        sent.call = Some(Call {
            r#type: Some(call::Type::Accept as i32),
            accept: Some(call::Accept {
                offer_ids: ids.iter().map(|id| v1::OfferId { value: id.to_string() }).collect(),
                operations: vec![v1::offer::Operation {
                    r#type: Some(v1::offer::operation::Type::Launch as i32),
                    launch: Some(v1::offer::operation::Launch { task_infos: infos }),
                    ..Default::default()
                }],
                // What is left over is wanted at once: other tasks may be waiting.
                filters: Some(v1::Filters { refuse_seconds: Some(0.0) }),
            }),
            ..Call::default()
        });
        sent
    }
}

fn lost(task: &AssignedTask, message: &str) -> StatusUpdate {
    metrics::counter!("assigner_launch_failures").increment(1);
    StatusUpdate {
        task: task.task_id.clone(),
        state: TaskState::Lost,
        agent: None,
        message: Some(message.to_owned()),
        reason: None,
        uuid: None,
    }
}

/// How much of a message is kept, in bytes: each task keeps those of all its events.
const MAX_MESSAGE: usize = 4 << 10;

/// As much of a message as is kept.
fn clipped(message: &str) -> String {
    let cut = message.floor_char_boundary(MAX_MESSAGE);
    match message.get(..cut) {
        Some(part) if cut < message.len() => format!("{part}…"),
        _ => message.to_owned(),
    }
}

/// What Mesos's states mean here (`scheduler.md` 3.8).
fn status(status: v1::TaskStatus) -> Result<StatusUpdate, String> {
    use v1::TaskState as Mesos;
    let state = match status.state() {
        Mesos::TaskStaging | Mesos::TaskStarting => TaskState::Starting,
        Mesos::TaskRunning => TaskState::Running,
        Mesos::TaskFinished => TaskState::Finished,
        Mesos::TaskFailed => TaskState::Failed,
        Mesos::TaskKilling | Mesos::TaskKilled => TaskState::Killed,
        Mesos::TaskUnreachable | Mesos::TaskUnknown => TaskState::Partitioned,
        _ => TaskState::Lost,
    };
    use v1::task_status::Reason;
    let message = status.message.as_deref().filter(|message| !message.is_empty()).map(clipped);
    let message = match status.reason() {
        Reason::ContainerLimitationMemory if message.is_none() => {
            Some("Task used more memory than requested.".to_owned())
        }
        Reason::ContainerLimitationDisk if message.is_none() => {
            Some("Task used more disk than requested.".to_owned())
        }
        // It only says that the agent gave up waiting, in words that change with its version.
        Reason::ExecutorUnregistered => None,
        _ => message,
    };
    let reason = status.reason.is_some().then(|| status.reason().as_str_name());
    Ok(StatusUpdate {
        task: TaskId::new(status.task_id.value).map_err(|error| error.to_string())?,
        state,
        agent: status.agent_id.and_then(|id| AgentId::new(id.value).ok()),
        message,
        reason,
        uuid: status.uuid.map(|uuid| uuid.to_vec()),
    })
}

/// What a scheduler says of itself when it subscribes.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The user that executors run as.
    pub user: String,
    /// The framework's name.
    pub name: String,
    /// The id that an earlier subscription was given, if there was one.
    pub id: Option<String>,
    /// How long the master waits for it to come back, in seconds.
    pub failover_timeout: f64,
    /// The role of its offers.
    pub role: String,
    /// Its host.
    pub hostname: String,
    /// Where people find its pages.
    pub web_url: String,
    /// Whether it wants resources that may be taken back.
    pub revocable: bool,
    /// Whether it wants agents with GPUs, which a master keeps for those that say so.
    pub gpus: bool,
}

impl From<Identity> for v1::FrameworkInfo {
    fn from(identity: Identity) -> Self {
        use v1::framework_info::Capability;
        use v1::framework_info::capability::Type;
        Self {
            user: identity.user,
            name: identity.name,
            id: identity.id.map(|value| v1::FrameworkId { value }),
            failover_timeout: Some(identity.failover_timeout),
            checkpoint: Some(true),
            roles: vec![identity.role],
            hostname: Some(identity.hostname),
            webui_url: Some(identity.web_url),
            capabilities: [Type::PartitionAware, Type::MultiRole]
                .into_iter()
                .chain(identity.revocable.then_some(Type::RevocableResources))
                .chain(identity.gpus.then_some(Type::GpuResources))
                .map(|ty| Capability { r#type: Some(ty as i32) })
                .collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_message_the_beginning_is_kept() {
        let read = |message: String| {
            let mut reported = v1::TaskStatus { message: Some(message), ..Default::default() };
            reported.task_id.value = "t".to_owned();
            reported.state = v1::TaskState::TaskFailed as i32;
            status(reported).unwrap().message.unwrap()
        };
        assert_eq!(read("short".to_owned()), "short");
        let kept = read("ü".repeat(MAX_MESSAGE));
        assert!(
            kept.len() <= MAX_MESSAGE + '…'.len_utf8() && kept.ends_with("ü…"),
            "{}",
            kept.len()
        );
    }

    #[test]
    fn an_offer_that_cannot_be_read_takes_no_other_with_it() {
        let mut session = session();
        let Ok(Some(Input::Offers(known))) = session.input(offers(&["1", "", "3"])) else {
            panic!("no offers")
        };
        let known: Vec<&str> = known.iter().map(|offer| offer.id.as_str()).collect();
        assert_eq!(known, ["1", "3"]);
        assert!(session.offers.keys().eq(["1", "3"]));
    }

    #[test]
    fn of_offers_that_cannot_be_used_together_those_that_are_there_are_given_back() {
        let mut session = session();
        session.input(offers(&["1", "2", "3"])).unwrap();
        let rescind = event::Rescind { offer_id: v1::OfferId { value: "2".to_owned() } };
        let event = Event {
            r#type: Some(event::Type::Rescind as i32),
            rescind: Some(rescind),
            ..Event::default()
        };
        session.input(event).unwrap();
        let ids = ["1", "2", "3"].map(|id| OfferId::new(id).unwrap());
        let sent = session.send(Effect::Launch { offers: ids.to_vec(), tasks: Vec::new() });
        let declined = sent.call.unwrap().decline.unwrap().offer_ids;
        let declined: Vec<&str> = declined.iter().map(|id| id.value.as_str()).collect();
        assert_eq!(declined, ["1", "3"]);
        assert!(session.offers.is_empty());
        let sent = session.send(Effect::Launch { offers: ids.to_vec(), tasks: Vec::new() });
        assert!(sent.call.is_none());
    }

    fn offers(ids: &[&str]) -> Event {
        let offer = |id: &&str| v1::Offer {
            id: v1::OfferId { value: (*id).to_owned() },
            agent_id: v1::AgentId { value: "A".to_owned() },
            hostname: "host".to_owned(),
            ..v1::Offer::default()
        };
        Event {
            r#type: Some(event::Type::Offers as i32),
            offers: Some(event::Offers { offers: ids.iter().map(offer).collect() }),
            ..Event::default()
        }
    }

    fn session() -> Session {
        let launcher = Launcher {
            executor: Program::There("executor".to_owned()),
            executor_flags: String::new(),
            overhead: Default::default(),
            default_tier: "preemptible".to_owned(),
            revocable_tiers: Vec::new(),
            revocable_cpus: true,
            revocable_ram: false,
            discovery: None,
        };
        Session::new(launcher, 5.0)
    }

    #[test]
    fn reasons_are_kept_and_give_words_only_where_there_are_none() {
        use v1::task_status::Reason;
        let told = |reason: Option<Reason>, message: Option<&str>| {
            let found = status(v1::TaskStatus {
                task_id: v1::TaskId { value: "t".to_owned() },
                state: v1::TaskState::TaskFailed as i32,
                reason: reason.map(|reason| reason as i32),
                message: message.map(str::to_owned),
                ..v1::TaskStatus::default()
            });
            let found = found.unwrap();
            (found.reason, found.message)
        };
        let memory = Some(Reason::ContainerLimitationMemory);
        let name = Some("REASON_CONTAINER_LIMITATION_MEMORY");
        let used = |what: &str| Some(format!("Task used more {what} than requested."));
        assert_eq!(told(memory, None), (name, used("memory")));
        assert_eq!(told(memory, Some("")), (name, used("memory")));
        assert_eq!(told(memory, Some("by 3 MB")), (name, Some("by 3 MB".to_owned())));
        assert_eq!(told(Some(Reason::ContainerLimitationDisk), None).1, used("disk"));
        assert_eq!(told(Some(Reason::ExecutorUnregistered), Some("gave up")).1, None);
        assert_eq!(told(None, Some("x")), (None, Some("x".to_owned())));
    }
}
