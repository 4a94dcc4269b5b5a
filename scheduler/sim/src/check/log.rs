//! L1 to L4 and L7: what the log holds, from what was given to it.
//!
//! The model is the state that all acknowledged steps make, and the steps that were given to the log
//! since, of which nobody knows yet. What a scheduler finds when it opens the log, be it from a snapshot
//! or from the steps one by one, must be the first with a beginning of the second.

use aurora_model::key::RequestId;
use aurora_scheduler_core::{Op, RequestError, Response, State};

use crate::world::{Violation, broken};

/// What the log must hold.
#[derive(Debug, Default)]
pub(crate) struct LogModel {
    acknowledged: State,
    unknown: Vec<Vec<Op>>,
}

impl LogModel {
    /// A scheduler gives steps to the log.
    pub(crate) fn issued(&mut self, steps: &[Vec<Op>]) {
        self.unknown.extend_from_slice(steps);
    }

    /// The log says that steps are durable.
    pub(crate) fn acknowledged(
        &mut self,
        by_leader: bool,
        steps: Vec<Vec<Op>>,
    ) -> Result<(), Violation> {
        if !by_leader {
            return broken(
                "L2",
                "the log took steps of a scheduler although another one has taken it over",
            );
        }
        self.unknown.clear();
        steps.iter().try_for_each(|step| apply(&mut self.acknowledged, step))
    }

    /// A scheduler has opened the log and found this.
    pub(crate) fn recovered(&mut self, found: &State) -> Result<(), Violation> {
        let unknown = std::mem::take(&mut self.unknown);
        let count = unknown.len();
        if *found == self.acknowledged {
            return Ok(());
        }
        for step in unknown {
            apply(&mut self.acknowledged, &step)?;
            if *found == self.acknowledged {
                return Ok(());
            }
        }
        broken(
            "L1",
            format!(
                "the log holds neither what was acknowledged nor that and some of the {count} \
                 steps given to it since: {} tasks instead of {}",
                found.tasks().count(),
                self.acknowledged.tasks().count()
            ),
        )
    }

    /// A scheduler ends: its state must be what its steps make, those included that it has not given
    /// to the log yet.
    pub(crate) fn is_ahead(&self, live: &State, unwritten: &[Vec<Op>]) -> Result<(), Violation> {
        let mut expected = self.acknowledged.clone();
        for step in self.unknown.iter().chain(unwritten) {
            apply(&mut expected, step)?;
        }
        if expected == *live {
            return Ok(());
        }
        broken("L3", "the state of a scheduler is not what its steps make")
    }

    /// An answer leaves: what it says must be in the log, once.
    pub(crate) fn check_reply(
        &self,
        asked: Option<(RequestId, bool)>,
        result: &Result<Response, RequestError>,
    ) -> Result<(), Violation> {
        let Some((id, is_remembered)) = asked else { return Ok(()) };
        match self.acknowledged.answered(&id) {
            Some(recorded) => {
                let first = Ok(Response::from(recorded.clone()));
                if *result != first {
                    return broken(
                        "L7",
                        format!("request {id} was answered {first:?} and now {result:?}"),
                    );
                }
            }
            None if is_remembered && result.is_ok() => {
                return broken("L7", format!("request {id} was granted and is not remembered"));
            }
            None => {}
        }
        Ok(())
    }
}

fn apply(state: &mut State, step: &[Op]) -> Result<(), Violation> {
    for op in step {
        if let Err(error) = state.apply(op) {
            return broken("L3", format!("a step cannot be replayed: {error}"));
        }
    }
    Ok(())
}
