//! Updates of jobs (`updates.md`): instance by instance to another version, and back if that is no
//! good.
//!
//! How far an update has come is durable ([`store`], [`course`]), so that a scheduler that takes over,
//! or one that resumes, goes on exactly where it was. What happens next follows from that and from
//! the job's tasks: [`table`] says where an update may go, [`judge`] what one instance needs,
//! [`strategy`] how many are taken up, [`plan`] puts these together and `act` carries it out.

mod act;
mod affinity;
mod course;
mod diff;
mod history;
mod judge;
mod limits;
mod plan;
mod queries;
mod quota;
mod requests;
mod sla;
mod start;
mod store;
mod strategy;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{TaskConfig, Timestamp};
use aurora_model::key::{InstanceKey, JobKey};
use aurora_model::update::{JobUpdateRequest, UpdateKey, UpdateStatus};

use crate::scheduler::Turn;

pub use course::{Phase, Taken, Tally};
pub use diff::{JobDiff, diff, unknown_in_scope};
pub use judge::{Need, Observed, judge};
pub use queries::{SlaKills, UpdateQuery, UpdateSummary};
pub use store::{Update, UpdateOp, UpdateSnapshot, Updates};
pub use strategy::group_size;
pub use table::{ActionVerdict, UpdateAction, may_go, on_action};

pub(crate) use affinity::Affinity;
pub(crate) use start::{check_scope, check_service, instructions};

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum UpdateRequest {
    /// A job is to become another.
    Start {
        /// What it is to be.
        request: Box<JobUpdateRequest>,
        /// Why.
        message: Option<String>,
    },
    /// Something is to be done to an update.
    Act {
        /// The update.
        key: UpdateKey,
        /// What.
        action: UpdateAction,
        /// Why.
        message: Option<String>,
    },
    /// An outside service says that an update may go on.
    Pulse(UpdateKey),
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq)]
pub enum UpdateResponse {
    /// The update has begun.
    Started(UpdateKey),
    /// The job is what it is to be already: there is no update.
    Unchanged,
    /// The update is in this status.
    Acted(UpdateStatus),
    /// The pulse has come.
    Pulsed {
        /// The update needs no more of them: it is over, never needed any, or is not known.
        finished: bool,
    },
}

/// Something that is due at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UpdateTimer {
    /// An instance may have stayed up for long enough.
    Watch(UpdateKey, u32),
    /// More instances are to be taken up, and those looked at that were, from one on if one is given.
    GoOn(UpdateKey, Option<u32>),
    /// A pulse may be missing.
    Pulse(UpdateKey),
    /// The SLA policy of an instance is to be asked again.
    AskAgain(UpdateKey, u32),
    /// Something has happened that may make policies allow what they did not.
    AskWaiting(UpdateKey),
    /// An agent is kept for an instance no longer.
    EndReservation(InstanceKey),
    /// Old updates are to be forgotten: of the jobs from one on, or of all.
    Prune(Option<JobKey>),
}

/// What is made anew at every start.
#[derive(Debug, Default)]
pub(crate) struct Updating {
    /// The updates that have an [`UpdateTimer::Pulse`], and when it is due.
    pulses: BTreeMap<UpdateKey, Timestamp>,
    /// When instances have an [`UpdateTimer::Watch`].
    watches: BTreeMap<(UpdateKey, u32), Timestamp>,
    /// The instances that wait for their SLA policy.
    asking: BTreeMap<(UpdateKey, u32), sla::Asking>,
    /// When policies were last asked because something had happened.
    looks: BTreeMap<UpdateKey, sla::Look>,
    /// Stops that an SLA policy was asked about, by job.
    asked: BTreeMap<JobKey, queries::SlaKills>,
}

impl Turn<'_> {
    /// Makes anew what the log does not hold.
    pub(crate) fn start_updates(&mut self) {
        let active = self.scheduler.state.updates.active();
        let keys: Vec<UpdateKey> = active.map(|update| update.update().key.clone()).collect();
        for key in keys {
            if self.is_full() {
                self.watch_pulse(&key);
                self.go_on_later(&key, Some(0));
            } else {
                self.go_on_updating(&key);
            }
        }
        let interval = self.scheduler.settings.update_history_interval_ms;
        self.after(interval, crate::timers::Timer::Update(UpdateTimer::Prune(None)));
    }

    pub(crate) fn run_updates_timer(&mut self, timer: UpdateTimer) {
        match timer {
            UpdateTimer::Watch(key, instance) => self.watched(&key, instance),
            UpdateTimer::GoOn(key, Some(from)) => self.look_from(&key, from),
            UpdateTimer::GoOn(key, None) => self.advance(&key, &BTreeSet::new()),
            UpdateTimer::Pulse(key) => self.miss_pulse(&key),
            UpdateTimer::AskAgain(key, instance) => self.ask_again(&key, instance),
            UpdateTimer::AskWaiting(key) => self.look_is_due(&key),
            UpdateTimer::EndReservation(instance) => self.expire_reservation(&instance),
            UpdateTimer::Prune(from) => self.prune_updates(from.as_ref()),
        }
    }
}

/// Whether a run of `new` can take the place of one of `old`: it needs no more, and may run in the
/// same places.
fn fits_in_place_of(new: &TaskConfig, old: &TaskConfig) -> bool {
    old.resources.bag().covers(&new.resources.bag()) && old.constraints == new.constraints
}
