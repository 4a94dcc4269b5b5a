//! What became of the due times of a job.

use serde::{Deserialize, Serialize};

use crate::job::Timestamp;

/// Why a run is, or was, to be started.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CronTrigger {
    /// It was due.
    Schedule,
    /// It had been due while nobody was there to start it.
    CatchUp,
    /// Somebody asked for it.
    User(String),
}

/// A run that is to be started.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CronDue {
    /// When it was due, or asked for.
    pub due: Timestamp,
    /// Why it is to be started.
    pub trigger: CronTrigger,
    /// Whether it waits for the end of the run before, whatever the job's collision policy.
    pub in_turn: bool,
}

/// Why a run was not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CronSkip {
    /// The run before was still going, and the job's collision policy lets it.
    Collision,
    /// The run before was itself still waiting for tasks to end.
    Waiting,
    /// It was missed, and the job makes up for the last run alone.
    Superseded,
    /// It was missed, and the job makes up for none.
    Policy,
    /// It was missed, and there were more than are made up for.
    CatchUpLimit,
    /// It waited for its turn, and the job was replaced by one that does not make up for all runs.
    Replaced,
    /// The role's quota is exceeded.
    Quota,
}

impl CronSkip {
    /// In words, for people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Collision => "the run before was still going",
            Self::Waiting => "the run before was still waiting for tasks to end",
            Self::Superseded => "it was missed, and a later run made up for it",
            Self::Policy => "it was missed, and the job does not make up for missed runs",
            Self::CatchUpLimit => "it was missed, and too many later runs were missed too",
            Self::Replaced => "it waited for its turn when the job was replaced",
            Self::Quota => "the quota of its role was exceeded",
        }
    }
}

/// What became of a run, or of several in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CronOutcome {
    /// Its instances were created.
    Started {
        /// How many.
        instances: u32,
    },
    /// It was not started.
    Skipped {
        /// Why not.
        reason: CronSkip,
        /// For how many due times in a row that holds; more than one only of missed runs.
        count: u64,
        /// The last of these due times.
        last: Timestamp,
    },
}

/// A run that was due, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CronRun {
    /// When it was due, or asked for; of several the first.
    pub due: Timestamp,
    /// When it was started or given up.
    pub at: Timestamp,
    /// Why it was to be started.
    pub trigger: CronTrigger,
    /// What became of it.
    pub outcome: CronOutcome,
}
