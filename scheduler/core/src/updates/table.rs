//! The life of an update (`updates.md` 4 and 5) as tables.

use aurora_model::update::UpdateStatus;
use aurora_model::update::UpdateStatus::{
    Aborted, Error, Failed, RollBackAwaitingPulse, RollBackPaused, RollForwardAwaitingPulse,
    RollForwardPaused, RolledBack, RolledForward, RollingBack, RollingForward,
};

/// Where an update may go from each status that is not an end.
const TABLE: [(UpdateStatus, &[UpdateStatus]); 6] = [
    (
        RollingForward,
        &[
            RollingBack,
            RollForwardPaused,
            RollForwardAwaitingPulse,
            RolledForward,
            Aborted,
            Failed,
            Error,
        ],
    ),
    (RollingBack, &[RollBackPaused, RollBackAwaitingPulse, RolledBack, Aborted, Failed, Error]),
    (RollForwardPaused, &[RollingBack, RollingForward, RollForwardAwaitingPulse, Aborted, Error]),
    (RollBackPaused, &[RollingBack, RollBackAwaitingPulse, Aborted, Error]),
    (RollForwardAwaitingPulse, &[RollingBack, RollingForward, RollForwardPaused, Aborted, Error]),
    (RollBackAwaitingPulse, &[RollingBack, RollBackPaused, Aborted, Error]),
];

/// Whether an update may go from one status to another.
pub fn may_go(from: UpdateStatus, to: UpdateStatus) -> bool {
    TABLE.iter().any(|(status, targets)| *status == from && targets.contains(&to))
}

/// What users do to an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UpdateAction {
    /// Stop it for the time being.
    Pause,
    /// Let it go on.
    Resume,
    /// Give it up.
    Abort,
    /// Undo it.
    RollBack,
}

impl UpdateAction {
    /// Every action.
    pub const ALL: [Self; 4] = [Self::Pause, Self::Resume, Self::Abort, Self::RollBack];
}

impl std::fmt::Display for UpdateAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
            Self::RollBack => "roll back",
        })
    }
}

/// What comes of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionVerdict {
    /// The update goes to this status.
    Go(UpdateStatus),
    /// It is there already.
    Already,
    /// It cannot.
    Refused,
}

use ActionVerdict::{Already, Go, Refused};

/// For each status what comes of pausing, of resuming with pulses (or without the need for them),
/// of resuming without, of aborting and of rolling back.
const ACTIONS: [(UpdateStatus, [ActionVerdict; 5]); 6] = [
    (RollingForward, [Go(RollForwardPaused), Already, Refused, Go(Aborted), Go(RollingBack)]),
    (RollingBack, [Go(RollBackPaused), Already, Refused, Go(Aborted), Already]),
    (
        RollForwardPaused,
        [Already, Go(RollingForward), Go(RollForwardAwaitingPulse), Go(Aborted), Go(RollingBack)],
    ),
    (
        RollBackPaused,
        [Already, Go(RollingBack), Go(RollBackAwaitingPulse), Go(Aborted), Go(RollingBack)],
    ),
    (
        RollForwardAwaitingPulse,
        [Go(RollForwardPaused), Refused, Already, Go(Aborted), Go(RollingBack)],
    ),
    (RollBackAwaitingPulse, [Go(RollBackPaused), Refused, Already, Go(Aborted), Go(RollingBack)]),
];

/// What an action does to an update in a status; `lacks_pulse` says that it needs pulses and has had
/// none in time. Nothing can be done to an update that is over.
pub fn on_action(action: UpdateAction, from: UpdateStatus, lacks_pulse: bool) -> ActionVerdict {
    let Some((_, verdicts)) = ACTIONS.iter().find(|(status, _)| *status == from) else {
        return Refused;
    };
    let [pause, resume, resume_without_pulse, abort, roll_back] = *verdicts;
    match action {
        UpdateAction::Pause => pause,
        UpdateAction::Resume if lacks_pulse => resume_without_pulse,
        UpdateAction::Resume => resume,
        UpdateAction::Abort => abort,
        UpdateAction::RollBack => roll_back,
    }
}

/// The status of an update that goes the same way as one in `status` but has stopped.
pub(super) fn paused(status: UpdateStatus) -> UpdateStatus {
    if is_back(status) { RollBackPaused } else { RollForwardPaused }
}

/// The same, for one that waits for a pulse.
pub(super) fn awaiting_pulse(status: UpdateStatus) -> UpdateStatus {
    if is_back(status) { RollBackAwaitingPulse } else { RollForwardAwaitingPulse }
}

/// The same, for one that moves.
pub(super) fn rolling(status: UpdateStatus) -> UpdateStatus {
    if is_back(status) { RollingBack } else { RollingForward }
}

/// Whether an update in this status has turned back.
pub(super) fn is_back(status: UpdateStatus) -> bool {
    matches!(status, RollingBack | RollBackPaused | RollBackAwaitingPulse | RolledBack)
}

/// What each transition is counted as.
pub(super) fn counter(status: UpdateStatus) -> &'static str {
    match status {
        RollingForward => "update_transition_ROLLING_FORWARD",
        RollingBack => "update_transition_ROLLING_BACK",
        RollForwardPaused => "update_transition_ROLL_FORWARD_PAUSED",
        RollBackPaused => "update_transition_ROLL_BACK_PAUSED",
        RollForwardAwaitingPulse => "update_transition_ROLL_FORWARD_AWAITING_PULSE",
        RollBackAwaitingPulse => "update_transition_ROLL_BACK_AWAITING_PULSE",
        RolledForward => "update_transition_ROLLED_FORWARD",
        RolledBack => "update_transition_ROLLED_BACK",
        Aborted => "update_transition_ABORTED",
        Failed => "update_transition_FAILED",
        Error => "update_transition_ERROR",
    }
}
