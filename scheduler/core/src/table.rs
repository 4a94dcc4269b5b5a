//! The task state machine (`scheduler.md` 3.2) as one table.
//!
//! Three rows differ from the original's, where the word of an agent was dropped: a task that is
//! partitioned away before it has begun is partitioned, one whose end is told by an agent that is back
//! has ended, and of these what runs for ever or was killed by nobody here is replaced.

use aurora_model::job::TaskState;
use aurora_model::job::TaskState::{
    Assigned, Draining, Failed, Finished, Init, Killed, Killing, Lost, Partitioned, Pending,
    Preempting, Restarting, Running, Starting, Throttled,
};

/// What a transition brings with it, apart from being recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Record the new state.
    Save,
    /// Ask Mesos to end the task.
    Kill,
    /// Replace the task.
    Reschedule,
    /// Replace the task unless it was being killed before.
    RescheduleUnlessKilled,
    /// Replace the task if it is a service.
    RescheduleService,
    /// Count the failure, and replace the task if it may fail again.
    CountFailure,
    /// Forget the task.
    Delete,
    /// Go on to [`TaskState::Lost`].
    GoLost,
}

use Action::{
    CountFailure, Delete, GoLost, Kill, Reschedule, RescheduleService, RescheduleUnlessKilled, Save,
};

/// A state a task can go to; `None` is "not in the store".
pub type Target = Option<TaskState>;

/// One allowed transition.
type Row = (TaskState, &'static [(Target, &'static [Action])]);

/// Beginning with the state a task is in, where it may go and what that brings.
const TABLE: [Row; 15] = [
    (Init, &[(Some(Pending), &[Save]), (Some(Throttled), &[Save])]),
    (Throttled, &[(Some(Pending), &[Save]), (Some(Killing), &[Delete])]),
    (Pending, &[(Some(Assigned), &[Save]), (Some(Killing), &[Delete])]),
    (
        Assigned,
        &[
            (Some(Starting), &[Save]),
            (Some(Running), &[Save]),
            (Some(Finished), &[Save, RescheduleService]),
            (Some(Failed), &[CountFailure, Save]),
            (Some(Restarting), &[Save, Kill]),
            (Some(Draining), &[Save, Kill]),
            (Some(Preempting), &[Save, Kill]),
            (Some(Killing), &[Save, Kill]),
            (Some(Killed), &[Save, Reschedule]),
            (Some(Lost), &[Save, Reschedule, Kill]),
            (Some(Partitioned), &[Save]),
        ],
    ),
    (
        Starting,
        &[
            (Some(Running), &[Save]),
            (Some(Finished), &[Save, RescheduleService]),
            (Some(Failed), &[CountFailure, Save]),
            (Some(Restarting), &[Save, Kill]),
            (Some(Draining), &[Save, Kill]),
            (Some(Preempting), &[Save, Kill]),
            (Some(Killing), &[Save, Kill]),
            (Some(Killed), &[Save, Reschedule]),
            (Some(Lost), &[Save, Reschedule]),
            (Some(Partitioned), &[Save]),
        ],
    ),
    (
        Running,
        &[
            (Some(Finished), &[Save, RescheduleService]),
            (Some(Failed), &[CountFailure, Save]),
            (Some(Restarting), &[Save, Kill]),
            (Some(Draining), &[Save, Kill]),
            (Some(Preempting), &[Save, Kill]),
            (Some(Killing), &[Save, Kill]),
            (Some(Killed), &[Save, Reschedule]),
            (Some(Lost), &[Save, Reschedule]),
            (Some(Partitioned), &[Save]),
        ],
    ),
    (
        Partitioned,
        &[
            (Some(Running), &[Save]),
            (Some(Starting), &[Save]),
            (Some(Assigned), &[Save]),
            (Some(Finished), &[Save, RescheduleService]),
            (Some(Failed), &[CountFailure, Save]),
            (Some(Killed), &[Save, Reschedule]),
            (Some(Lost), &[Save, RescheduleUnlessKilled, Kill]),
            (Some(Restarting), &[Save, GoLost]),
            (Some(Draining), &[Save, GoLost]),
            (Some(Preempting), &[Save, GoLost]),
            (Some(Killing), &[Save, GoLost]),
        ],
    ),
    (Preempting, ON_ITS_WAY_OUT),
    (Restarting, ON_ITS_WAY_OUT),
    (Draining, ON_ITS_WAY_OUT),
    (
        Killing,
        &[
            (Some(Finished), &[Save]),
            (Some(Failed), &[Save]),
            (Some(Killed), &[Save]),
            (Some(Lost), &[Save]),
            (Some(Partitioned), &[Save, GoLost]),
            (None, &[Delete]),
        ],
    ),
    (Finished, ENDED),
    (Failed, ENDED),
    (Killed, ENDED),
    (Lost, ENDED),
];

const ON_ITS_WAY_OUT: &[(Target, &[Action])] = &[
    (Some(Finished), &[Save, Reschedule]),
    (Some(Failed), &[Save, Reschedule]),
    (Some(Killed), &[Save, Reschedule]),
    (Some(Lost), &[Save, Reschedule, Kill]),
    (Some(Partitioned), &[Save, GoLost]),
    (Some(Killing), &[Save]),
];

const ENDED: &[(Target, &[Action])] = &[(None, &[Delete])];

/// What the table says about going from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The task goes there, with these actions.
    Go(&'static [Action]),
    /// It is there already: nothing happens.
    Already,
    /// It may not go there. Actions may follow all the same: a task that Mesos runs although it
    /// should have ended is killed.
    Illegal(&'static [Action]),
}

/// What happens when a task in `from` is to go to `to`; `None` is a task that is not known.
pub fn verdict(from: Target, to: Target) -> Verdict {
    if from == to {
        return Verdict::Already;
    }
    let row = TABLE.iter().find(|(state, _)| Some(*state) == from);
    if let Some((_, targets)) = row
        && let Some((_, actions)) = targets.iter().find(|(target, _)| *target == to)
    {
        return Verdict::Go(actions);
    }
    let should_have_ended = match from {
        None => true,
        Some(state) => {
            state.is_terminal() || matches!(state, Preempting | Restarting | Draining | Killing)
        }
    };
    let runs = matches!(to, Some(Assigned | Starting | Running));
    Verdict::Illegal(if should_have_ended && runs { &[Kill] } else { &[] })
}
