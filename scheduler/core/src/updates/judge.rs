//! What an instance needs to become what an update wants (`updates.md` 7), as a table.

use aurora_model::job::TaskState;

/// The run that has the instance at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// Whether it is what is wanted.
    pub is_wanted: bool,
    /// Where it is in its life.
    pub state: TaskState,
    /// How long it has been there, in milliseconds.
    pub since_ms: i64,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Start it.
    Add,
    /// Stop what runs.
    Kill,
    /// Wait for what becomes of it.
    Await,
    /// Look again in so many milliseconds.
    Watch(i64),
    /// Nothing: it is what is wanted.
    Nothing,
}

/// What an instance needs. `is_there` says whether an update wants it to exist; a run must stay up
/// for `min_wait_ms` to be good.
///
/// Runs that have ended are not looked at here: the task state machine replaces them, or they leave
/// their place free.
pub fn judge(is_there: bool, observed: Option<Observed>, min_wait_ms: i64) -> Need {
    let Some(Observed { is_wanted, state, since_ms }) = observed else {
        return if is_there { Need::Add } else { Need::Nothing };
    };
    let left = min_wait_ms.saturating_sub(since_ms);
    match (is_there && is_wanted, state) {
        (true, TaskState::Running) if left <= 0 => Need::Nothing,
        (true, TaskState::Running) => Need::Watch(left),
        (true, _) | (false, TaskState::Killing) => Need::Await,
        (false, _) => Need::Kill,
    }
}
