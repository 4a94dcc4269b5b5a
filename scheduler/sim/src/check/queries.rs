//! What a scheduler answers: page by page it tells of the same tasks as its ops.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::TaskState;
use aurora_model::key::{JobKey, TaskId};
use aurora_scheduler_core::{Scheduler, TaskQuery};

use super::watch::{Task, Tasks};
use crate::jobs;
use crate::rng::Rng;
use crate::world::{Violation, broken};

/// Asks for some tasks in pages, and looks at whether these are all of them, each once.
pub(crate) fn check(
    rng: &mut Rng,
    scheduler: &Scheduler,
    tasks: &Tasks,
    hosts: &[String],
) -> Result<(), Violation> {
    let query = think_of_query(rng, hosts);
    let expected: BTreeSet<&TaskId> =
        tasks.all().filter(|(_, task)| is_meant(&query, task)).map(|(id, _)| id).collect();
    let size = usize::try_from(rng.range(1, 8)).unwrap_or(1);
    let mut found = BTreeSet::new();
    let mut after = None;
    loop {
        let (page, next) = scheduler.tasks_page(&query, after.as_ref(), size);
        for task in page {
            if !found.insert(task.id()) {
                return broken("L3", format!("{query:?} is answered with {} twice", task.id()));
            }
        }
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    if found != expected {
        let wrong: Vec<_> = found.symmetric_difference(&expected).collect();
        return broken("L3", format!("{query:?} is answered wrongly about {wrong:?}"));
    }
    check_counts(scheduler, tasks)?;
    check_waiting(scheduler, tasks)
}

/// The jobs and what their tasks are doing.
fn check_counts(scheduler: &Scheduler, tasks: &Tasks) -> Result<(), Violation> {
    let mut expected: BTreeMap<&JobKey, BTreeMap<TaskState, u32>> = BTreeMap::new();
    for (_, task) in tasks.all() {
        *expected.entry(&task.config.job).or_default().entry(task.state).or_default() += 1;
    }
    let found = scheduler.jobs("");
    if let Some((job, _)) = found.iter().find(|(job, counts)| {
        let states = counts.states.iter().filter(|(_, count)| **count > 0);
        expected.get(job) != Some(&states.map(|(state, count)| (*state, *count)).collect())
    }) {
        return broken("L3", format!("the tasks of {job} are miscounted"));
    }
    if found.len() != expected.len() {
        return broken(
            "L3",
            format!("{} jobs are told of; there are {}", found.len(), expected.len()),
        );
    }
    Ok(())
}

/// Whoever waits for a place is told of, once, with a reason.
fn check_waiting(scheduler: &Scheduler, tasks: &Tasks) -> Result<(), Violation> {
    let groups = scheduler.pending_groups();
    let found: Vec<&TaskId> = groups.iter().flat_map(|group| &group.tasks).collect();
    let waiting = || tasks.all().filter(|(_, task)| task.state == TaskState::Pending);
    let expected: BTreeSet<&TaskId> = waiting().map(|(id, _)| id).collect();
    if found.len() != expected.len() || found.into_iter().any(|id| !expected.contains(id)) {
        return broken("L3", "those that wait for a place are not those that are told of");
    }
    let is_mute = |id: &&TaskId| scheduler.pending_reason(id).is_none_or(|why| why.is_empty());
    if let Some(id) = waiting().map(|(id, _)| id).find(is_mute) {
        return broken("T1", format!("{id} waits and nobody can say why"));
    }
    Ok(())
}

fn think_of_query(rng: &mut Rng, hosts: &[String]) -> TaskQuery {
    let mut query = TaskQuery::default();
    if rng.chance(500)
        && let Some(key) = jobs::key(rng)
    {
        query.role = key.role().to_owned();
        if rng.chance(600) {
            query.environment = key.environment().to_owned();
            query.name = key.name().to_owned();
        }
    }
    if rng.chance(400) {
        query.states.extend(TaskState::ALL.into_iter().filter(|_| rng.chance(200)));
    }
    if rng.chance(300) {
        query.hosts.extend(hosts.iter().filter(|_| rng.chance(300)).cloned());
    }
    if rng.chance(200) {
        query.instances.extend((0..4).filter(|_| rng.chance(500)));
    }
    query
}

/// Which tasks a query means, written down once more.
fn is_meant(query: &TaskQuery, task: &Task) -> bool {
    let job = &task.config.job;
    let is = |wanted: &str, has: &str| wanted.is_empty() || wanted == has;
    let is_on = |host: &String| task.host.as_ref() == Some(host);
    is(&query.role, job.role())
        && is(&query.environment, job.environment())
        && is(&query.name, job.name())
        && (query.states.is_empty() || query.states.contains(&task.state))
        && (query.instances.is_empty() || query.instances.contains(&task.instance))
        && (query.hosts.is_empty() || query.hosts.iter().any(is_on))
}
