//! Going back to a state that was kept (`storage-and-ha.md` 8): it is looked at and changed beside the
//! live one, and takes its place at a restart.

use aurora_model::job::ScheduledTask;
use aurora_model::key::TaskId;

use crate::input::Op;
use crate::queries::{TaskCursor, TaskQuery};
use crate::scheduler::Scheduler;
use crate::settings::Settings;
use crate::state::{Misfit, State};

/// A state that may take the place of the live one.
#[derive(Debug)]
pub struct Recovery {
    /// Never started: it answers questions.
    scheduler: Scheduler,
}

impl Recovery {
    /// What is to be gone back to.
    pub fn new(state: State) -> Self {
        Self { scheduler: Scheduler::new(Settings::default(), state) }
    }

    /// The state as it would be gone back to.
    pub fn state(&self) -> &State {
        self.scheduler.state()
    }

    /// Its tasks, as [`Scheduler::tasks_page`] gives those of a live one.
    pub fn tasks_page(
        &self,
        query: &TaskQuery,
        after: Option<&TaskCursor>,
        limit: usize,
    ) -> (Vec<&ScheduledTask>, Option<TaskCursor>) {
        self.scheduler.tasks_page(query, after, limit)
    }

    /// Forgets the tasks that are meant, as if they had never been: of no other instance is one made in
    /// their place. An update or a cron job goes on by its own rules. Gives how many there were.
    ///
    /// # Errors
    /// A task that was found is not there, which cannot be.
    pub fn remove_tasks(&mut self, query: &TaskQuery) -> Result<u64, Misfit> {
        let (found, _) = self.scheduler.first_tasks(query, usize::MAX);
        let found: Vec<TaskId> = found.into_iter().map(|task| task.id().clone()).collect();
        let count = found.len() as u64;
        if !found.is_empty() {
            self.scheduler.state.apply(&Op::Remove(found))?;
        }
        Ok(count)
    }
}

impl State {
    /// Becomes what comes after a live state: the master knows the scheduler by the same id as before,
    /// and no version is there twice. May be frozen. If the live one has no id yet this keeps its own.
    ///
    /// # Errors
    /// None of the changes can be one of what is not there.
    pub fn succeed(&mut self, live: &Self) -> Result<(), Misfit> {
        if let Some(id) = live.framework_id() {
            self.apply(&Op::SaveFrameworkId(id.clone()))?;
        }
        self.apply(&Op::Version(self.version().max(live.version()) + 1))
    }
}
