//! What operators ask for by hand (`scheduler.md` 7, `api-and-http.md` 2.3).

use aurora_model::job::TaskState;
use aurora_model::key::TaskId;

use crate::input::{Effect, ErrorKind, RequestError};
use crate::queries::TaskQuery;
use crate::scheduler::Turn;
use crate::table::{Verdict, verdict};

/// Ended tasks that are forgotten by one request at most: the step that forgets them is one.
const MAX_PRUNED: usize = 100_000;

/// Tasks that are asked about at once at most, whatever an operator asks for: a larger batch is one
/// call that the master may not take.
pub const MAX_RECONCILED_AT_ONCE: u32 = 10_000;

/// What an operator can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum AdminRequest {
    /// A task's transition, whatever Mesos says of it.
    ForceState {
        /// The task.
        task: TaskId,
        /// Where to.
        state: TaskState,
    },
    /// That Mesos is asked for the state of every task that an agent should have.
    ReconcileExplicit {
        /// How many are asked about at once, 10,000 at most; as many as is usual without.
        batch_size: Option<u32>,
    },
    /// That Mesos tells the state of every task it knows.
    ReconcileImplicit,
    /// That ended tasks are no longer remembered.
    Prune {
        /// Which, of those that have ended.
        query: TaskQuery,
        /// How many at most.
        limit: Option<u32>,
    },
}

/// What an operator is told.
#[derive(Debug, Clone, PartialEq)]
pub enum AdminResponse {
    /// The task has gone from one state to another.
    Forced {
        /// Where it was.
        from: TaskState,
        /// Where it is now; none if it is no longer remembered.
        to: Option<TaskState>,
    },
    /// So many tasks are asked about.
    Reconciling {
        /// Zero if all are, at once.
        tasks: u64,
    },
    /// So many tasks are no longer remembered.
    Pruned {
        /// How many.
        tasks: u64,
        /// Whether more would have matched.
        has_more: bool,
    },
}

fn refused(kind: ErrorKind, message: String) -> RequestError {
    RequestError { kind, message }
}

impl Turn<'_> {
    pub(crate) fn admin_request(
        &mut self,
        user: &str,
        request: AdminRequest,
    ) -> Result<AdminResponse, RequestError> {
        match request {
            AdminRequest::ForceState { task, state } => self.force_state(&task, state, user),
            AdminRequest::ReconcileExplicit { batch_size } => {
                let size = match batch_size {
                    Some(0) => {
                        return Err(RequestError::invalid("batch_size must be more than 0"));
                    }
                    Some(size) => usize::try_from(size).unwrap_or(usize::MAX),
                    None => self.scheduler.settings.reconciliation_batch_size,
                };
                let size = size.clamp(1, MAX_RECONCILED_AT_ONCE as usize);
                self.must_be_registered()?;
                self.scheduler.count("reconciliation_explicit_runs", 1);
                let counts = self.scheduler.state.counts();
                let on_agents = counts.iter().filter(|(state, _)| state.is_slave_assigned());
                let tasks = on_agents.map(|(_, count)| count).sum();
                self.reconcile_by(size);
                Ok(AdminResponse::Reconciling { tasks })
            }
            AdminRequest::ReconcileImplicit => {
                self.must_be_registered()?;
                self.scheduler.count("reconciliation_implicit_runs", 1);
                self.step.effects.push(Effect::Reconcile(Vec::new()));
                Ok(AdminResponse::Reconciling { tasks: 0 })
            }
            AdminRequest::Prune { query, limit } => self.prune_tasks(query, limit),
        }
    }

    fn must_be_registered(&self) -> Result<(), RequestError> {
        if self.scheduler.registered {
            return Ok(());
        }
        Err(refused(
            ErrorKind::FailedPrecondition,
            "no Mesos master can be asked: the scheduler is not registered. It asks about every \
             task by itself when it is again"
                .to_owned(),
        ))
    }

    /// Says what came of it, where the original says OK to everything.
    fn force_state(
        &mut self,
        id: &TaskId,
        to: TaskState,
        user: &str,
    ) -> Result<AdminResponse, RequestError> {
        let Some(task) = self.scheduler.state.task(id) else {
            return Err(refused(ErrorKind::NotFound, format!("there is no task {id}")));
        };
        let from = task.state;
        match verdict(Some(from), Some(to)) {
            Verdict::Already => Ok(AdminResponse::Forced { from, to: Some(to) }),
            Verdict::Illegal(_) => Err(refused(
                ErrorKind::FailedPrecondition,
                format!("task {id} is {from}: it cannot go to {to} from there"),
            )),
            Verdict::Go(_) => {
                self.change(id, to, Some(&format!("Transition forced by {user}")));
                // A state may have led to another one at once.
                let to = self.scheduler.state.task(id).map(|task| task.state);
                Ok(AdminResponse::Forced { from, to })
            }
        }
    }

    /// Forgets ended tasks. No states at all mean all in which a task has ended, never those in
    /// which it has not.
    fn prune_tasks(
        &mut self,
        mut query: TaskQuery,
        limit: Option<u32>,
    ) -> Result<AdminResponse, RequestError> {
        if let Some(state) = query.states.iter().find(|state| !state.is_terminal()) {
            return Err(RequestError::invalid(format!(
                "tasks that are {state} have not ended: only ended tasks are pruned. Kill them first"
            )));
        }
        if query.states.is_empty() {
            let ended = TaskState::ALL.into_iter().filter(|state| state.is_terminal());
            query.states = ended.collect();
        }
        let wanted = limit.map_or(MAX_PRUNED, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let (found, has_more) = self.scheduler.first_tasks(&query, wanted.min(MAX_PRUNED));
        let found: Vec<TaskId> = found.into_iter().map(|task| task.id().clone()).collect();
        let tasks = found.len() as u64;
        self.forget(found);
        Ok(AdminResponse::Pruned { tasks, has_more })
    }
}
