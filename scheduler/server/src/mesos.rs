//! The session with the Mesos master: what it says becomes inputs, what the core wants becomes
//! calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aurora_mesos::scheduler::{Calls, SessionEvent};
use aurora_mesos::v1;
use aurora_mesos::v1::scheduler::{Call, Event, call, event};
use aurora_model::job::TaskState;
use aurora_model::key::{AgentId, FrameworkId, OfferId, TaskId};
use aurora_scheduler_core::{Effect, Input, StatusUpdate};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::actor::Core;
use crate::allocate::{Launcher, Pool, core_offer};
use crate::inverse::{self, core_inverse};

/// The offers that the core knows of, as Mesos made them.
type OpenOffers = Arc<Mutex<BTreeMap<String, v1::Offer>>>;

/// Sends calls.
pub(crate) struct Mesos {
    calls: Calls,
    offers: OpenOffers,
    launcher: Launcher,
    refuse_seconds: f64,
    core: Core,
}

/// Connects a session with the core. The task ends with the session, and says why the master has
/// ended it if it has.
pub(crate) fn connect(
    calls: Calls,
    mut events: mpsc::Receiver<SessionEvent>,
    launcher: Launcher,
    refuse_seconds: f64,
    core: Core,
) -> (Mesos, JoinHandle<Option<String>>) {
    let offers = OpenOffers::default();
    let mesos =
        Mesos { calls, offers: offers.clone(), launcher, refuse_seconds, core: core.clone() };
    let listening = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let input = match event {
                SessionEvent::Subscribed { framework_id, master } => {
                    let master = master.map(|master| master.id).unwrap_or_default();
                    tracing::info!(framework = framework_id.value, master, "registered");
                    lock(&offers).clear();
                    FrameworkId::new(framework_id.value)
                        .map(|framework_id| Input::Registered { framework_id })
                        .map_err(|error| error.to_string())
                }
                SessionEvent::Disconnected { reason } => {
                    tracing::warn!(reason, "not connected to a master");
                    lock(&offers).clear();
                    Ok(Input::Disconnected)
                }
                SessionEvent::Ended { message } => return Some(message),
                SessionEvent::Event(event) => match input(*event, &offers) {
                    Ok(Some(input)) => Ok(input),
                    Ok(None) => continue,
                    Err(error) => Err(error),
                },
            };
            match input {
                Ok(input) => {
                    if core.put(input).await.is_err() {
                        return None;
                    }
                }
                Err(error) => tracing::error!(error, "the master sent something unusable"),
            }
        }
        None
    });
    (mesos, listening)
}

fn lock(offers: &OpenOffers) -> std::sync::MutexGuard<'_, BTreeMap<String, v1::Offer>> {
    offers.lock().unwrap_or_else(PoisonError::into_inner)
}

fn input(event: Event, offers: &OpenOffers) -> Result<Option<Input>, String> {
    Ok(match event.r#type() {
        event::Type::Offers => {
            let made = event.offers.map(|offers| offers.offers).unwrap_or_default();
            let mut known = Vec::with_capacity(made.len());
            for offer in made {
                match core_offer(&offer) {
                    Ok(read) => {
                        known.push(read);
                        lock(offers).insert(offer.id.value.clone(), offer);
                    }
                    Err(error) => {
                        tracing::error!(%error, offer = offer.id.value, "an offer is unusable");
                    }
                }
            }
            Some(Input::Offers(known))
        }
        event::Type::InverseOffers => {
            let made = event.inverse_offers.map(|offers| offers.inverse_offers).unwrap_or_default();
            let read = made.into_iter().map(core_inverse);
            let known = read.filter_map(|offer| {
                offer
                    .inspect_err(|error| tracing::error!(%error, "an inverse offer is unusable"))
                    .ok()
            });
            Some(Input::InverseOffers(known.collect()))
        }
        event::Type::Rescind => {
            let Some(rescind) = event.rescind else { return Ok(None) };
            lock(offers).remove(&rescind.offer_id.value);
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
    let message = status.message.clone().filter(|message| !message.is_empty());
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
    if status.reason.is_some() {
        let reason = status.reason().as_str_name();
        metrics::counter!("status_update", "reason" => reason).increment(1);
    }
    Ok(StatusUpdate {
        task: TaskId::new(status.task_id.value).map_err(|error| error.to_string())?,
        state,
        agent: status.agent_id.and_then(|id| AgentId::new(id.value).ok()),
        message,
        uuid: status.uuid.map(|uuid| uuid.to_vec()),
    })
}

impl Mesos {
    /// Carries out an effect that is meant for Mesos. A call that fails is not repeated here: the
    /// core asks for the state of all tasks when it is registered again, kills are repeated, and
    /// updates come again.
    pub(crate) async fn carry_out(&self, effect: Effect) {
        let what = match &effect {
            Effect::Launch { .. } => "launch",
            Effect::Decline(_) => "decline",
            Effect::Kill { .. } => "kill",
            Effect::Acknowledge { .. } => "acknowledge",
            Effect::Reconcile(_) => "reconcile",
            Effect::AcceptInverse(_) => "accept inverse offers",
            Effect::Reply { .. } | Effect::Changed(_) | Effect::AskCoordinator(_) => return,
        };
        let call = match effect {
            Effect::Launch { offers, tasks } => match self.accept(&offers, &tasks).await {
                Some(call) => call,
                None => return,
            },
            Effect::Decline(offer) => {
                lock(&self.offers).remove(offer.as_str());
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
            Effect::Reply { .. } | Effect::Changed(_) | Effect::AskCoordinator(_) => return,
        };
        if let Err(error) = self.calls.send(call).await {
            metrics::counter!("mesos_call_failures", "call" => what).increment(1);
            tracing::warn!(%error, call = what, "a call to the master has failed");
        }
    }

    /// An ACCEPT of offers with tasks; nothing if the offers are gone, which the core is told.
    async fn accept(
        &self,
        ids: &[OfferId],
        tasks: &[aurora_model::job::AssignedTask],
    ) -> Option<Call> {
        let open: Vec<v1::Offer> = {
            let mut offers = lock(&self.offers);
            ids.iter().filter_map(|id| offers.remove(id.as_str())).collect()
        };
        let Some(agent) =
            open.first().map(|offer| offer.agent_id.clone()).filter(|_| open.len() == ids.len())
        else {
            self.lose(tasks, "the offer was gone before the task could be launched").await;
            return None;
        };
        let mut pool = Pool::new(open.into_iter().flat_map(|offer| offer.resources));
        let mut infos = Vec::with_capacity(tasks.len());
        for task in tasks {
            match self.launcher.task_info(task, &agent, &mut pool) {
                Ok(info) => infos.push(info),
                Err(error) => self.lose(std::slice::from_ref(task), &error.to_string()).await,
            }
        }
        metrics::counter!("tasks_launched").increment(infos.len() as u64);
        Some(Call {
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
        })
    }

    async fn lose(&self, tasks: &[aurora_model::job::AssignedTask], message: &str) {
        for task in tasks {
            metrics::counter!("assigner_launch_failures").increment(1);
            let update = StatusUpdate {
                task: task.task_id.clone(),
                state: TaskState::Lost,
                agent: None,
                message: Some(message.to_owned()),
                uuid: None,
            };
            // Without a core the scheduler is ending.
            let _ = self.core.put(Input::Status(update)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_that_cannot_be_read_takes_no_other_with_it() {
        let offer = |id: &str| v1::Offer {
            id: v1::OfferId { value: id.to_owned() },
            agent_id: v1::AgentId { value: "A".to_owned() },
            hostname: "host".to_owned(),
            ..v1::Offer::default()
        };
        let made = vec![offer("1"), offer(""), offer("3")];
        let event = Event {
            r#type: Some(event::Type::Offers as i32),
            offers: Some(event::Offers { offers: made }),
            ..Event::default()
        };
        let open = OpenOffers::default();
        let Ok(Some(Input::Offers(known))) = input(event, &open) else { panic!("no offers") };
        let known: Vec<&str> = known.iter().map(|offer| offer.id.as_str()).collect();
        assert_eq!(known, ["1", "3"]);
        assert!(lock(&open).keys().eq(["1", "3"]));
    }
}
