//! What the Mesos master has announced: an agent's host goes into maintenance, and whoever has tasks
//! there is asked to leave.
//!
//! The master asks again and again for as long as there is something to leave and its schedule says
//! so; what it has announced need not survive, and is void when it is not heard of any more.
//! What the master has begun, the master ends: an offer of the host that says nothing of maintenance.

use aurora_model::job::Timestamp;
use aurora_model::key::{AgentId, OfferId};
use aurora_model::maintenance::{Drain, HostMaintenance, MaintenanceCause, MaintenanceMode};

use super::MaintenanceTimer;
use crate::input::{Effect, Offer};
use crate::scheduler::Turn;
use crate::timers::Timer;

/// For how long an announcement holds. The shell has the master repeat it far more often.
const HOLDS_MS: i64 = 2 * 60 * 1000;

/// The master asks to leave an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InverseOffer {
    /// Its id.
    pub id: OfferId,
    /// The agent.
    pub agent: Option<AgentId>,
    /// The agent's host, as far as it is told.
    pub host: Option<String>,
    /// When the maintenance begins.
    pub unavailable_from: Timestamp,
}

/// What the master has announced of a host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announced {
    pub(super) from: Timestamp,
    heard: Timestamp,
}

impl Turn<'_> {
    /// Agrees to leave, and sees to it in time.
    pub(crate) fn take_inverse(&mut self, offer: InverseOffer) {
        self.step.effects.push(Effect::AcceptInverse(offer.id));
        let by_agent = offer.agent.as_ref().and_then(|agent| self.scheduler.host_of(agent));
        let Some(host) = by_agent.map(str::to_owned).or(offer.host) else {
            self.scheduler.count("inverse_offers_without_host", 1);
            return;
        };
        let from = offer.unavailable_from;
        let announced = Announced { from, heard: self.now };
        let before = self.scheduler.drains.announced.insert(host.clone(), announced);
        let leave_at = self.leave_at(from);
        if leave_at <= self.now {
            self.leave(&host);
        } else if before.is_none_or(|before| before.from != from) {
            let wait = leave_at.ms_since(self.now);
            self.after(wait, Timer::Maintenance(MaintenanceTimer::Leave(host)));
        }
    }

    fn leave_at(&self, from: Timestamp) -> Timestamp {
        from.plus_ms(self.scheduler.settings.unavailability_threshold_ms.saturating_neg())
    }

    /// Begins to drain a host whose maintenance is near, unless it is being left already. Policies
    /// are heeded until the maintenance begins.
    pub(super) fn leave(&mut self, host: &str) {
        let Some(announced) = self.scheduler.drains.announced.get(host).copied() else { return };
        let is_due = self.leave_at(announced.from) <= self.now;
        let holds = self.now.ms_since(announced.heard) <= HOLDS_MS;
        if !is_due || !holds || !self.scheduler.state.host_mode(host).takes_tasks() {
            return;
        }
        let left = announced.from.ms_since(self.now).max(0);
        let drain = Drain {
            default_policy: Drain::demands_nothing(),
            created: self.now,
            timeout_secs: u64::try_from(left / 1000).unwrap_or(0),
            surge: false,
        };
        let mode = MaintenanceMode::Draining;
        let cause = MaintenanceCause::Mesos;
        self.put_host(host, HostMaintenance { mode, cause, drain: Some(drain) });
        self.hosts_changed(&[host.to_owned()].into());
        self.drain_in_time(host);
    }

    /// Takes in what an offer says of its host: without a word of maintenance, what the master has
    /// announced is over.
    pub(crate) fn maintenance_sees_offer(&mut self, offer: &Offer) {
        if offer.unavailable_from.is_some() {
            return;
        }
        self.scheduler.drains.announced.remove(&offer.host);
        let maintenance = self.scheduler.state.maintenance.host(&offer.host);
        if maintenance.is_some_and(|host| host.cause == MaintenanceCause::Mesos) {
            self.put_host(&offer.host, HostMaintenance::default());
            self.hosts_changed(&[offer.host.clone()].into());
            self.look_at_stand_ins();
        }
    }
}
