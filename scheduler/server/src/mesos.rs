//! The session with the Mesos master: what it says becomes inputs, what the core wants becomes
//! calls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aurora_mesos::CallError;
use aurora_mesos::scheduler::{Calls, SessionEvent};
use aurora_mesos::v1::scheduler::{Call, call, event};
use aurora_model::key::FrameworkId;
use aurora_scheduler_core::{Effect, Input};
use aurora_scheduler_session::{Sent, Session};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::actor::Core;

/// How long after a failed call offers are given back, and the longest time between two attempts.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Sends calls.
pub(crate) struct Mesos {
    calls: Calls,
    session: Arc<Mutex<Session>>,
    core: Core,
}

/// Connects a session with the core. The task ends with the session, and says why the master has
/// ended it if it has.
pub(crate) fn connect(
    calls: Calls,
    mut events: mpsc::Receiver<SessionEvent>,
    session: Session,
    core: Core,
) -> (Mesos, JoinHandle<Option<String>>) {
    let session = Arc::new(Mutex::new(session));
    let mesos = Mesos { calls, session: session.clone(), core: core.clone() };
    let listening = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            count(&event);
            let input = match event {
                SessionEvent::Subscribed { framework_id, master } => {
                    let master = master.map(|master| master.id).unwrap_or_default();
                    tracing::info!(framework = framework_id.value, master, "registered");
                    lock(&session).forget_offers();
                    FrameworkId::new(framework_id.value)
                        .map(|framework_id| Input::Registered { framework_id })
                        .map_err(|error| error.to_string())
                }
                SessionEvent::Disconnected { reason } => {
                    tracing::warn!(reason, "not connected to a master");
                    lock(&session).forget_offers();
                    Ok(Input::Disconnected)
                }
                SessionEvent::Ended { message } => return Some(message),
                SessionEvent::Event(event) => {
                    let read = lock(&session).input(*event);
                    match read {
                        Ok(Some(input)) => Ok(input),
                        Ok(None) => continue,
                        Err(error) => Err(error),
                    }
                }
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

/// Counts what the master says, by the original's names.
fn count(said: &SessionEvent) {
    let one = |name: &'static str| metrics::counter!(name).increment(1);
    match said {
        SessionEvent::Subscribed { .. } => one("scheduler_framework_registers"),
        SessionEvent::Disconnected { .. } => one("scheduler_framework_disconnects"),
        SessionEvent::Ended { .. } => {}
        SessionEvent::Event(event) => {
            let name = event.r#type().as_str_name();
            metrics::counter!("mesos_scheduler_event", "type" => name).increment(1);
            match event.r#type() {
                event::Type::Offers => {
                    let offers = event.offers.as_ref().map_or(0, |offers| offers.offers.len());
                    metrics::counter!("scheduler_resource_offers").increment(offers as u64);
                }
                event::Type::InverseOffers => {
                    let said = event.inverse_offers.as_ref();
                    let offers = said.map_or(0, |offers| offers.inverse_offers.len());
                    metrics::counter!("scheduler_inverse_offers").increment(offers as u64);
                }
                event::Type::Rescind => one("offers_rescinded"),
                event::Type::Update => one("scheduler_status_update"),
                event::Type::Message => one("scheduler_framework_message"),
                event::Type::Failure => match &event.failure {
                    Some(failure) if failure.executor_id.is_some() => {
                        one("scheduler_lost_executors");
                    }
                    _ => one("slaves_lost"),
                },
                _ => {}
            }
        }
    }
}

fn lock(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mesos {
    /// Carries out an effect that is meant for Mesos. A call that fails is not repeated here: the
    /// core asks for the state of all tasks when it is registered again, kills are repeated, and
    /// updates come again.
    pub(crate) async fn carry_out(&self, effect: Effect) {
        let Sent { call, lost } = lock(&self.session).send(effect);
        for update in lost {
            // Without a core the scheduler is ending.
            let _ = self.core.put(Input::Status(update)).await;
        }
        let Some(call) = call else { return };
        let instead = Session::instead(&call);
        let Err(error) = self.send(call).await else { return };
        if let Some(instead) = instead
            && is_unclear(&error)
        {
            tokio::spawn(give_back(self.calls.clone(), instead));
        }
    }

    async fn send(&self, call: Call) -> Result<(), CallError> {
        let what = call.r#type().as_str_name();
        let is_kill = call.r#type() == call::Type::Kill;
        let sent = self.calls.send(call).await;
        if let Err(error) = &sent {
            metrics::counter!("mesos_call_failures", "call" => what.to_ascii_lowercase())
                .increment(1);
            if is_kill {
                metrics::counter!("scheduler_driver_kill_failures").increment(1);
            }
            tracing::warn!(%error, call = what, "a call to the master has failed");
        }
        sent
    }
}

/// Whether the master may have taken a call or not, and still has the offers that it was about.
fn is_unclear(error: &CallError) -> bool {
    !matches!(error, CallError::NotSubscribed | CallError::Refused { .. })
}

/// Gives offers back until the master has heard it, or has forgotten them with the connection.
async fn give_back(calls: Calls, call: Call) {
    let mut wait = AGAIN.0;
    loop {
        tokio::time::sleep(wait).await;
        match calls.send(call.clone()).await {
            Err(error) if is_unclear(&error) => wait = (wait * 2).min(AGAIN.1),
            _ => return,
        }
    }
}
