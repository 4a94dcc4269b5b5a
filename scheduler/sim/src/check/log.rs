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
                 steps given to it since: {}",
                difference(found, &self.acknowledged)
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

/// The first ways in which two states differ, as the ops that make them.
fn difference(found_state: &State, expected_state: &State) -> String {
    let shown = |op: Option<&Op>| {
        let mut text = format!("{op:?}");
        text.truncate(2000);
        text
    };
    // Which tasks go together in an op depends on which configurations are shared.
    let each = |op: Op| match op {
        Op::PutTasks { config, tasks } => tasks
            .into_iter()
            .map(|task| Op::PutTasks { config: config.clone(), tasks: vec![task] })
            .collect(),
        op => vec![op],
    };
    let ops = |state: &State| state.to_ops().flat_map(each).collect::<Vec<Op>>();
    let (found, expected) = (ops(found_state), ops(expected_state));
    let extra = found.iter().find(|op| !expected.contains(op));
    let missing = expected.iter().find(|op| !found.contains(op));
    if extra.is_none() && missing.is_none() {
        // What is worked out from the ops differs.
        let parts = |state: &State| {
            let (updates, crons) = (state.updates(), state.crons());
            format!("{updates:#?}\n{crons:#?}\n{:#?}", state.maintenance())
        };
        let (found, expected) = (parts(found_state), parts(expected_state));
        let mut lines = found.lines().zip(expected.lines());
        let differing = lines.find(|(found, expected)| found != expected);
        return format!("made of the same ops, they differ in {differing:?}");
    }
    format!("it has {}, and should have {}", shown(extra), shown(missing))
}

fn apply(state: &mut State, step: &[Op]) -> Result<(), Violation> {
    for op in step {
        if let Err(error) = state.apply(op) {
            return broken("L3", format!("a step cannot be replayed: {error}"));
        }
    }
    Ok(())
}
