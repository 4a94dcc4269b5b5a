//! Cron jobs (`scheduler.md` 9).

use crate::changes::TaskChange;
use crate::input::RequestError;
use crate::scheduler::Turn;
use crate::state::Misfit;

/// What the log holds of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Crons {}

/// A durable change.
#[derive(Debug, Clone, PartialEq)]
pub enum CronOp {}

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum CronRequest {}

/// What a client is told.
#[derive(Debug, Clone, PartialEq)]
pub enum CronResponse {}

/// Something that is due at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CronTimer {}

impl Crons {
    pub(crate) fn apply(&mut self, op: &CronOp) -> Result<(), Misfit> {
        match *op {}
    }

    pub(crate) fn to_ops(&self) -> impl Iterator<Item = CronOp> + '_ {
        std::iter::empty()
    }
}

impl Turn<'_> {
    /// Makes anew what the log does not hold.
    pub(crate) fn start_cron(&mut self) {}

    pub(crate) fn cron_request(
        &mut self,
        _user: &str,
        request: CronRequest,
    ) -> Result<CronResponse, RequestError> {
        match request {}
    }

    pub(crate) fn run_cron_timer(&mut self, timer: CronTimer) {
        match timer {}
    }

    /// Takes in what has become of a task.
    pub(crate) fn cron_see(&mut self, _change: &TaskChange) {}
}
