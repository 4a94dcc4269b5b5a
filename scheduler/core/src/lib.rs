//! The scheduler as a deterministic state machine.
//!
//! There is one way in: [`Scheduler::handle`] takes the time and an [`Input`] (a request, something
//! that Mesos said, a timer that is due) and gives a [`Step`]: the [`Op`]s it has made of it, which
//! are to be stored, and the [`Effect`]s, which are to be carried out. The same state, time and
//! input give the same step; all randomness comes from a generator that is seeded by an input.
//!
//! **The release rule.** The ops of a step belong together: they are stored all or not at all. Its
//! effects may be carried out once they, and all ops before them, are durable. A shell that cannot
//! store ops must stop: its scheduler is ahead of the log.
//!
//! [`State`] is what survives: it changes by [`State::apply`] alone, so that a scheduler that is
//! restored from its log equals the one that wrote it. Offers, timers and groups of waiting tasks
//! do not survive; [`Input::Started`] makes them anew.
//!
//! Where to look: [`table`] is the task state machine, `task` carries its effects out, `placement`
//! puts tasks into offers, `preemption` makes room for them, `requests` are what clients
//! ask, `jobs`, `cron`, `updates` and `maintenance` what becomes of it, `sla` whether a task may be
//! stopped, `quota` what roles may use, `timers` what happens by itself.
//!
//! Nothing here does I/O, reads a clock, starts a thread or looks at a global.

mod admin;
mod changes;
mod counters;
mod cron;
mod ends;
mod events;
mod input;
mod jobs;
mod maintenance;
mod penalty;
mod placement;
mod plan;
mod preemption;
mod queries;
mod quota;
mod random;
mod recovery;
mod requests;
mod scheduler;
mod settings;
mod sla;
mod state;
mod summary;
pub mod table;
mod task;
mod timers;
mod updates;
mod validate;

pub use admin::{AdminRequest, AdminResponse, MAX_RECONCILED_AT_ONCE};
pub use cron::{CronJob, CronOp, CronRequest, CronResponse, CronStatus, Crons};
pub use ends::{Ends, JobEnds, StatusResult};
pub use events::{Change, Event, Forgotten, Moved};
pub use input::{
    Effect, ErrorKind, Fingerprint, Input, Offer, Op, PortRange, RecordedResponse, Request,
    RequestError, RequestMark, Response, StatusUpdate, Step, TaskRecord, Ticket,
};
pub use maintenance::{
    HostStatus, InverseOffer, Maintenance, MaintenanceOp, MaintenanceRequest, MaintenanceResponse,
    WaitingTask,
};
pub use placement::{
    EmptySlots, OfferOrder, PendingReason, SlotSize, Trial, UnknownOrder, VetoCount, VetoKind,
};
pub use plan::{Plan, PlanAction, QuotaEffect};
pub use queries::{JobCounts, PendingGroup, Stats, TaskCursor, TaskQuery};
pub use quota::{Consumption, RoleQuota};
pub use recovery::Recovery;
pub use scheduler::Scheduler;
pub use settings::{
    BadPattern, Environments, MAX_CRON_CATCH_UP, MAX_TASKS_PER_JOB, Settings, Tier,
};
pub use sla::{
    CoordinatorAnswer, CoordinatorQuestion, QuestionId, SlaCategory, SlaMetrics, SlaSample,
};
pub use state::{Host, Misfit, Scope, State};
pub use summary::HeldOffer;
pub use updates::{
    ActionVerdict, JobDiff, Need, Observed, Phase, SlaKills, Taken, Tally, Update, UpdateAction,
    UpdateOp, UpdateQuery, UpdateRequest, UpdateResponse, UpdateSnapshot, UpdateSummary, Updates,
    diff, group_size, judge, may_go, on_action, unknown_in_scope,
};
