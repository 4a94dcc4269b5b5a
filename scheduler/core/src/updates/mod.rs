//! Updates of jobs (`updates.md`).

use aurora_model::key::{JobKey, TaskId};

use crate::changes::TaskChange;
use crate::input::RequestError;
use crate::scheduler::Turn;
use crate::state::Misfit;

/// What the log holds of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Updates {}

/// A durable change.
#[derive(Debug, Clone, PartialEq)]
pub enum UpdateOp {}

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum UpdateRequest {}

/// What a client is told.
#[derive(Debug, Clone, PartialEq)]
pub enum UpdateResponse {}

/// Something that is due at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UpdateTimer {}

impl Updates {
    pub(crate) fn apply(&mut self, op: &UpdateOp) -> Result<(), Misfit> {
        match *op {}
    }

    pub(crate) fn to_ops(&self) -> impl Iterator<Item = UpdateOp> + '_ {
        std::iter::empty()
    }
}

impl Turn<'_> {
    /// Makes anew what the log does not hold.
    pub(crate) fn start_updates(&mut self) {}

    pub(crate) fn updates_request(
        &mut self,
        _user: &str,
        request: UpdateRequest,
    ) -> Result<UpdateResponse, RequestError> {
        match request {}
    }

    pub(crate) fn run_updates_timer(&mut self, timer: UpdateTimer) {
        match timer {}
    }

    /// A coordinator has said whether a task may be stopped for the job's update.
    pub(crate) fn update_sla_answered(
        &mut self,
        _job: &JobKey,
        _instance: u32,
        _task: &TaskId,
        _is_allowed: bool,
    ) {
    }

    /// Takes in what has become of a task.
    pub(crate) fn updates_see(&mut self, _change: &TaskChange) {}
}
