//! Maintenance of hosts (`scheduler.md` 2.12 and 12): what a host's tasks are to expect.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::job::{SlaPolicy, Timestamp};

/// What is done with a host.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MaintenanceMode {
    /// Nothing out of the ordinary.
    #[default]
    None,
    /// It will be drained: tasks go there only if there is no other place.
    Scheduled,
    /// Its tasks are being moved away, and no new ones come.
    Draining,
    /// It has no tasks, and gets none.
    Drained,
}

impl MaintenanceMode {
    /// Every mode, in the order in which a host goes through them.
    pub const ALL: [Self; 4] = [Self::None, Self::Scheduled, Self::Draining, Self::Drained];

    /// The name in capitals, as the API and the pages show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Scheduled => "SCHEDULED",
            Self::Draining => "DRAINING",
            Self::Drained => "DRAINED",
        }
    }

    /// Whether the host takes tasks.
    pub const fn takes_tasks(self) -> bool {
        matches!(self, Self::None | Self::Scheduled)
    }
}

impl fmt::Display for MaintenanceMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown maintenance mode {0:?}: use NONE, SCHEDULED, DRAINING or DRAINED")]
pub struct UnknownMaintenanceMode(pub String);

impl FromStr for MaintenanceMode {
    type Err = UnknownMaintenanceMode;

    fn from_str(text: &str) -> Result<Self, UnknownMaintenanceMode> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownMaintenanceMode(text.to_owned()))
    }
}

/// Who wants a host to be left alone, and may say that it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum MaintenanceCause {
    /// Somebody who asked the scheduler.
    #[default]
    Operator,
    /// The maintenance schedule of the Mesos master.
    Mesos,
}

/// How a host is drained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drain {
    /// What is demanded for the tasks of jobs that have no policy of their own.
    pub default_policy: SlaPolicy,
    /// When it was asked for.
    pub created: Timestamp,
    /// How long policies are heeded, in seconds.
    pub timeout_secs: u64,
    /// Whether services of a single instance are started elsewhere before they are stopped.
    pub surge: bool,
}

impl Drain {
    /// A drain that heeds nothing.
    pub fn at_once(created: Timestamp) -> Self {
        Self { default_policy: Self::demands_nothing(), created, timeout_secs: 0, surge: false }
    }

    /// The policy that always lets a task be stopped.
    pub const fn demands_nothing() -> SlaPolicy {
        SlaPolicy::Percentage { percentage: 0.0, duration_secs: 0 }
    }

    /// From when on tasks are moved whatever their policies say.
    pub fn deadline(&self) -> Timestamp {
        let ms = i64::try_from(self.timeout_secs).unwrap_or(i64::MAX).saturating_mul(1000);
        self.created.plus_ms(ms)
    }
}

/// What is recorded of a host on which something is done.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HostMaintenance {
    /// What is done.
    pub mode: MaintenanceMode,
    /// Who wants it.
    pub cause: MaintenanceCause,
    /// How it is drained, while it is.
    pub drain: Option<Drain>,
}

/// An instance that serves while another one, the only one of its job, is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// The instance that is moved.
    pub instance: u32,
    /// The number of the one that stands in.
    pub number: u32,
    /// How long either must have run before the other may go, in seconds.
    pub duration_secs: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_they_are_shown() {
        for mode in MaintenanceMode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        let error = "BROKEN".parse::<MaintenanceMode>().unwrap_err().to_string();
        assert!(error.contains("\"BROKEN\""), "{error}");
    }

    #[test]
    fn a_drain_that_never_ends_by_force_does_not_overflow() {
        let drain = Drain { timeout_secs: u64::MAX, ..Drain::at_once(Timestamp(1)) };
        assert_eq!(drain.deadline(), Timestamp(i64::MAX));
        assert_eq!(Drain::at_once(Timestamp(7)).deadline(), Timestamp(7));
    }
}
