//! The states of tasks and processes, and which may follow which (`executor.md` 6 and 7).

use std::fmt;

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    /// Its regular processes run.
    Active,
    /// They are over, or were told to end; the runner waits until nothing of them lives.
    Cleaning,
    /// Its final processes run.
    Finalizing,
    /// It did what it was asked to.
    Success,
    /// Too many of its processes failed, or none of the rest can ever run.
    Failed,
    /// It was told to end.
    Killed,
    /// It was given up.
    Lost,
}

impl TaskState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Active,
        Self::Cleaning,
        Self::Finalizing,
        Self::Success,
        Self::Failed,
        Self::Killed,
        Self::Lost,
    ];

    /// Whether the task is over.
    pub fn is_terminal(self) -> bool {
        self.next().is_empty()
    }

    /// The states that may follow. The table of `executor.md` 6, row by row.
    pub fn next(self) -> &'static [Self] {
        use TaskState::{Active, Cleaning, Failed, Finalizing, Killed, Lost, Success};
        match self {
            // From there the others are reached only when the runner itself is gone.
            Active => &[Cleaning, Killed, Lost],
            Cleaning => &[Finalizing, Success, Failed, Killed, Lost],
            Finalizing => &[Success, Failed, Killed, Lost],
            Success | Failed | Killed | Lost => &[],
        }
    }

    /// The name, in capitals as the original wrote it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Cleaning => "CLEANING",
            Self::Finalizing => "FINALIZING",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
            Self::Lost => "LOST",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where one run of a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProcessState {
    /// It is about to start.
    Waiting,
    /// It is being started.
    Forked,
    /// Its shell runs.
    Running,
    /// It ended with exit code 0.
    Success,
    /// It ended with another exit code, or could not be started.
    Failed,
    /// A signal ended it.
    Killed,
    /// Nobody knows what became of it.
    Lost,
}

impl ProcessState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Forked,
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::Killed,
        Self::Lost,
    ];

    /// Whether the run is over.
    pub fn is_terminal(self) -> bool {
        self.next().is_empty()
    }

    /// Whether a process of the operating system belongs to the run, as far as is known.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Forked | Self::Running)
    }

    /// The states that may follow within the same run. The table of `executor.md` 7, row by row;
    /// FORKED may also become FAILED, since a run that cannot be started says so at once, and
    /// WAITING become LOST, since a runner may die before it knows what has become of a start.
    pub fn next(self) -> &'static [Self] {
        use ProcessState::{Failed, Forked, Killed, Lost, Running, Success, Waiting};
        match self {
            Waiting => &[Forked, Failed, Lost],
            Forked => &[Running, Failed, Killed, Lost],
            Running => &[Success, Failed, Killed, Lost],
            Success | Failed | Killed | Lost => &[],
        }
    }

    /// The name, in capitals as the original wrote it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Forked => "FORKED",
            Self::Running => "RUNNING",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
            Self::Lost => "LOST",
        }
    }
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{ProcessState, TaskState};

    #[test]
    fn tasks_end_only_from_cleaning_on_or_by_force() {
        let table = [
            (TaskState::Active, "CLEANING KILLED LOST"),
            (TaskState::Cleaning, "FINALIZING SUCCESS FAILED KILLED LOST"),
            (TaskState::Finalizing, "SUCCESS FAILED KILLED LOST"),
            (TaskState::Success, ""),
            (TaskState::Failed, ""),
            (TaskState::Killed, ""),
            (TaskState::Lost, ""),
        ];
        for ((state, next), all) in table.into_iter().zip(TaskState::ALL) {
            assert_eq!(state, all);
            assert_eq!(state.next().iter().map(|s| s.name()).collect::<Vec<_>>().join(" "), next);
            assert_eq!(state.is_terminal(), next.is_empty());
        }
    }

    #[test]
    fn runs_follow_the_table() {
        let table = [
            (ProcessState::Waiting, "FORKED FAILED LOST"),
            (ProcessState::Forked, "RUNNING FAILED KILLED LOST"),
            (ProcessState::Running, "SUCCESS FAILED KILLED LOST"),
            (ProcessState::Success, ""),
            (ProcessState::Failed, ""),
            (ProcessState::Killed, ""),
            (ProcessState::Lost, ""),
        ];
        for ((state, next), all) in table.into_iter().zip(ProcessState::ALL) {
            assert_eq!(state, all);
            assert_eq!(state.next().iter().map(|s| s.name()).collect::<Vec<_>>().join(" "), next);
            assert_eq!(state.is_terminal(), next.is_empty());
        }
    }
}
