//! What the rest of an agent looks at: which containers run, what a command in one needs, how many there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::Executors;
use crate::agent::launch;

/// Where a command is to run.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) sandbox: PathBuf,
    pub(crate) cgroup: Option<PathBuf>,
    /// Whether the executor has said of a task that it runs.
    pub(crate) is_running: bool,
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Executors {
    /// The id by which the master knows this agent, once it does.
    pub(crate) fn agent_id(&self) -> Option<String> {
        self.lock().agent.id.as_ref().map(|id| id.value.clone())
    }

    /// The containers whose executors run: framework, executor and container.
    pub(crate) fn running_containers(&self) -> Vec<(String, String, String)> {
        let inner = self.lock();
        let running = inner.executors.iter().filter(|(_, executor)| executor.is_running());
        let named = running.map(|((framework, id), executor)| {
            (framework.clone(), id.clone(), executor.container.clone())
        });
        named.collect()
    }

    /// What a command needs to know that is to run in a container; nothing of one that does not run.
    pub(crate) fn inside(&self, container: &str) -> Option<Inside> {
        let inner = self.lock();
        let agent_id = inner.agent.id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
        let mut all = inner.executors.values();
        let executor =
            all.find(|executor| executor.container == container && executor.is_running())?;
        let surroundings = self.surroundings(agent_id);
        Some(Inside {
            sandbox: executor.sandbox.clone(),
            cgroup: executor.cgroup.clone(),
            is_running: executor.has_begun(),
            environment: launch::environment(
                &executor.framework,
                &executor.info,
                &executor.sandbox,
                &surroundings,
            ),
        })
    }

    /// Containers that have ended although that is not written down: when, and whether a task of theirs failed.
    pub(crate) fn unwritten(&self) -> BTreeMap<String, (i64, bool)> {
        self.lock().unwritten.clone()
    }

    /// The containers that this agent still has to do with: they run, or somebody is still to be told
    /// of their end.
    pub(crate) fn containers(&self) -> BTreeSet<String> {
        self.lock().executors.values().map(|executor| executor.container.clone()).collect()
    }

    /// Takes in that nothing is left of a container.
    pub(crate) fn collected(&self, container: &str) {
        self.lock().unwritten.remove(container);
    }

    /// Does something while no container is made.
    pub(crate) fn undisturbed<T>(&self, act: impl FnOnce() -> T) -> T {
        let _inner = self.lock();
        act()
    }

    /// How many executors there are.
    pub(crate) fn running(&self) -> usize {
        self.lock().executors.values().filter(|executor| executor.ended_ms == 0).count()
    }

    /// How many updates no framework has acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.lock()
            .executors
            .values()
            .flat_map(|executor| executor.tasks.values())
            .map(|task| task.pending.len())
            .sum()
    }
}
