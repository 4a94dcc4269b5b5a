//! What frameworks call.

use aurora_mesos::v1;
use aurora_mesos::v1::scheduler::{Call, call};

use super::Core;
use crate::api;

/// How long refused resources stay away when the framework does not say.
const DEFAULT_REFUSE_SECONDS: f64 = 5.0;

/// Why a call is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// An update is acknowledged by something else than its uuid.
    #[error("Not a valid UUID")]
    Uuid,
    /// This master does not have it.
    #[error("{0} is not supported by the embedded master")]
    Unsupported(&'static str),
}

impl Core {
    /// Carries out a call of a framework that is connected.
    ///
    /// # Errors
    /// [`Refused`]; nothing has happened.
    pub fn call(&mut self, now: u64, framework: &str, call: Call) -> Result<(), Refused> {
        use call::Type;
        let refuse_seconds = |filters: Option<v1::Filters>| {
            filters.and_then(|filters| filters.refuse_seconds).unwrap_or(DEFAULT_REFUSE_SECONDS)
        };
        match call.r#type() {
            Type::Teardown => self.teardown(now, framework),
            Type::Accept => {
                let accept = call.accept.unwrap_or_default();
                let seconds = refuse_seconds(accept.filters);
                self.accept(now, framework, &accept.offer_ids, &accept.operations, seconds);
            }
            Type::Decline => {
                let decline = call.decline.unwrap_or_default();
                self.decline(now, framework, &decline.offer_ids, refuse_seconds(decline.filters));
            }
            Type::Revive => self.revive(now, framework),
            Type::Suppress => self.suppress(framework),
            Type::Kill => {
                let kill = call.kill.unwrap_or_default();
                let agent = kill.agent_id.as_ref().map(|id| id.value.as_str());
                self.kill(now, framework, &kill.task_id.value, agent, kill.kill_policy);
            }
            Type::Acknowledge => {
                let acknowledge = call.acknowledge.unwrap_or_default();
                if !api::is_uuid(&acknowledge.uuid) {
                    return Err(Refused::Uuid);
                }
                self.acknowledge(
                    framework,
                    &acknowledge.agent_id.value,
                    &acknowledge.task_id.value,
                    acknowledge.uuid,
                );
            }
            Type::Reconcile => {
                self.reconcile(now, framework, &call.reconcile.unwrap_or_default().tasks);
            }
            kind => return Err(Refused::Unsupported(kind.as_str_name())),
        }
        Ok(())
    }
}
