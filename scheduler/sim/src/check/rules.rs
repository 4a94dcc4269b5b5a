//! T3: the task state machine once more, written down independently of the one that runs.

use aurora_model::job::TaskState::{self, *};

use crate::cover::Place;

/// What a transition must bring with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Row {
    /// Mesos is asked to end the task.
    pub(crate) kill: bool,
    /// When the instance gets another run.
    pub(crate) again: Again,
    /// A failure is counted.
    pub(crate) counts: bool,
    /// The task goes on to LOST at once.
    pub(crate) then_lost: bool,
}

/// When an instance gets another run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Again {
    #[default]
    Never,
    Always,
    IfService,
    IfFailuresAllow,
    UnlessKilled,
}

/// The rows, as `from: to+effects …`: K kills, R runs again, S does if it is a service, F counts a
/// failure, U runs again unless it was being killed, L goes on to LOST.
const ROWS: &[(TaskState, &[(TaskState, &str)])] = &[
    (Init, &[(Pending, ""), (Throttled, "")]),
    (Throttled, &[(Pending, "")]),
    (Pending, &[(Assigned, "")]),
    (
        Assigned,
        &[
            (Starting, ""),
            (Running, ""),
            (Finished, "S"),
            (Failed, "F"),
            (Restarting, "K"),
            (Draining, "K"),
            (Preempting, "K"),
            (Killing, "K"),
            (Killed, "R"),
            (Lost, "RK"),
            (Partitioned, ""),
        ],
    ),
    (
        Starting,
        &[
            (Running, ""),
            (Finished, "S"),
            (Failed, "F"),
            (Restarting, "K"),
            (Draining, "K"),
            (Preempting, "K"),
            (Killing, "K"),
            (Killed, "R"),
            (Lost, "R"),
            (Partitioned, ""),
        ],
    ),
    (
        Running,
        &[
            (Finished, "S"),
            (Failed, "F"),
            (Restarting, "K"),
            (Draining, "K"),
            (Preempting, "K"),
            (Killing, "K"),
            (Killed, "R"),
            (Lost, "R"),
            (Partitioned, ""),
        ],
    ),
    (
        Partitioned,
        &[
            (Running, ""),
            (Starting, ""),
            (Assigned, ""),
            (Finished, "S"),
            (Failed, "F"),
            (Killed, "R"),
            (Lost, "KU"),
            (Restarting, "L"),
            (Draining, "L"),
            (Preempting, "L"),
            (Killing, "L"),
        ],
    ),
    (Preempting, LEAVING),
    (Restarting, LEAVING),
    (Draining, LEAVING),
    (Killing, &[(Finished, ""), (Failed, ""), (Killed, ""), (Lost, ""), (Partitioned, "L")]),
];

const LEAVING: &[(TaskState, &str)] = &[
    (Finished, "R"),
    (Failed, "R"),
    (Killed, "R"),
    (Lost, "RK"),
    (Partitioned, "L"),
    (Killing, ""),
];

/// What going from one state to another brings; none if a task may not go there.
pub(crate) fn row(from: TaskState, to: TaskState) -> Option<Row> {
    let (_, targets) = ROWS.iter().find(|(state, _)| *state == from)?;
    let (_, effects) = targets.iter().find(|(state, _)| *state == to)?;
    let mut row = Row::default();
    for effect in effects.chars() {
        match effect {
            'K' => row.kill = true,
            'R' => row.again = Again::Always,
            'S' => row.again = Again::IfService,
            'U' => row.again = Again::UnlessKilled,
            'L' => row.then_lost = true,
            _ => (row.counts, row.again) = (true, Again::IfFailuresAllow),
        }
    }
    Some(row)
}

/// Where a task may go.
pub(crate) fn targets(from: TaskState) -> impl Iterator<Item = TaskState> {
    let row = ROWS.iter().find(|(state, _)| *state == from);
    row.into_iter().flat_map(|(_, targets)| targets.iter().map(|(to, _)| *to))
}

/// Every transition that there is; `None` is "forgotten".
pub(crate) fn all() -> impl Iterator<Item = (TaskState, Place)> {
    let rows =
        ROWS.iter().flat_map(|(from, targets)| targets.iter().map(|(to, _)| (*from, Some(*to))));
    let gone = [Throttled, Pending, Finished, Failed, Killed, Lost];
    rows.chain(gone.into_iter().map(|from| (from, None)))
}

/// Whether a task that Mesos says does this, and that is thought to be in `from`, must be ended.
pub(crate) fn is_zombie(from: Place, reported: TaskState) -> bool {
    let over = from.is_none_or(|state| {
        state.is_terminal() || matches!(state, Preempting | Restarting | Draining | Killing)
    });
    over && matches!(reported, Assigned | Starting | Running)
}

/// Transitions that nothing leads to.
pub(crate) fn is_out_of_reach(from: TaskState, to: Place) -> bool {
    // What waits is never LOST, and has no penalty that is forgotten with it but by chance.
    (from, to) == (Init, None)
}
