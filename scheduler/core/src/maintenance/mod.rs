//! Maintenance of hosts (`scheduler.md` 11 and 12).

use crate::changes::TaskChange;
use crate::input::RequestError;
use crate::scheduler::Turn;
use crate::state::Misfit;

/// What the log holds of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Maintenance {}

/// A durable change.
#[derive(Debug, Clone, PartialEq)]
pub enum MaintenanceOp {}

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum MaintenanceRequest {}

/// What a client is told.
#[derive(Debug, Clone, PartialEq)]
pub enum MaintenanceResponse {}

/// Something that is due at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MaintenanceTimer {}

impl Maintenance {
    pub(crate) fn apply(&mut self, op: &MaintenanceOp) -> Result<(), Misfit> {
        match *op {}
    }

    pub(crate) fn to_ops(&self) -> impl Iterator<Item = MaintenanceOp> + '_ {
        std::iter::empty()
    }
}

impl Turn<'_> {
    /// Makes anew what the log does not hold.
    pub(crate) fn start_maintenance(&mut self) {}

    pub(crate) fn maintenance_request(
        &mut self,
        _user: &str,
        request: MaintenanceRequest,
    ) -> Result<MaintenanceResponse, RequestError> {
        match request {}
    }

    pub(crate) fn run_maintenance_timer(&mut self, timer: MaintenanceTimer) {
        match timer {}
    }

    /// Takes in what has become of a task.
    pub(crate) fn maintenance_see(&mut self, _change: &TaskChange) {}
}
