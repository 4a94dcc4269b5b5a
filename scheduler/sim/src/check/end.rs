//! T1, T2, T5, T6, V1, V2 and L4: what must hold when nothing has broken for long.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aurora_model::job::{ConstraintRule, ScheduledTask, TaskState};
use aurora_model::key::TaskId;
use aurora_model::maintenance::MaintenanceMode;
use aurora_scheduler_core::{Scheduler, TaskQuery};
use aurora_scheduler_storage::Store;

use super::offers::{Attributes, constraint_against};
use super::truth::doubles;
use crate::agent::Agent;
use crate::process::{FOLDER, overhead};
use crate::world::{Violation, World, broken};

/// How large the log may be: a snapshot, what is appended until the next one, and what one group has.
const MAX_LOG: usize = 4 << 20;
/// How long a task may be on its way when nothing breaks, in milliseconds.
const SETTLED_MS: i64 = 10 * 60_000;
/// How many ended tasks of one job are remembered beside those that ended in the last hour.
const HISTORY: usize = 100;

impl World {
    /// Looks at everything once more.
    pub(crate) fn check_end(&mut self) -> Result<(), Violation> {
        let Some(leader) = self.leader else {
            return broken("V1", "no scheduler leads although nothing has broken for long");
        };
        let Some(process) = self.processes.get(&leader) else {
            return broken("V1", "the scheduler that leads is not there");
        };
        let scheduler = &process.scheduler;
        if !scheduler.stats().registered {
            return broken("V1", "no master has taken the subscription");
        }
        self.check_wanted(scheduler)?;
        self.check_agents(scheduler)?;
        self.check_waiting(scheduler)?;
        self.check_bounds(scheduler)?;
        for agent in &self.agents {
            self.truth.fits(agent)?;
        }
        self.cover.path(format!(
            "tasks launched{}",
            if self.truth.launches() == 0 { ": none" } else { "" }
        ));
        self.check_log(leader)
    }

    /// T1: everything that was granted is there, and nothing that was taken away.
    fn check_wanted(&self, scheduler: &Scheduler) -> Result<(), Violation> {
        for (key, job) in self.clients.jobs.iter().filter(|(_, job)| !job.updated) {
            if self.clients.is_busy(key) {
                return broken("V1", format!("nobody answers what was asked about {key}"));
            }
            let tasks = scheduler.tasks(&TaskQuery::of_job(key));
            for instance in job.wanted.difference(&job.unsure) {
                let of_instance =
                    || tasks.iter().filter(|task| task.assigned.instance == *instance);
                let is_active = of_instance().any(|task| task.state.is_active());
                // A run to the end is forgotten after a while.
                if !is_active && job.config.task.is_service {
                    let states: Vec<TaskState> = of_instance().map(|task| task.state).collect();
                    return broken("T1", format!("{key}/{instance} is lost; it was {states:?}"));
                }
                // Which run was the last cannot be told by clocks that jump.
                let has_ended = job.pruned
                    || of_instance().next().is_none()
                    || of_instance()
                        .any(|task| matches!(task.state, TaskState::Finished | TaskState::Failed));
                if !is_active && !has_ended {
                    return broken("T1", format!("{key}/{instance} did not run to its end"));
                }
            }
            let stand_in =
                scheduler.state().maintenance().stand_in(key).map(|stand_in| stand_in.number);
            let unwanted = tasks.iter().find(|task| {
                let instance = task.assigned.instance;
                task.state.is_active()
                    && !job.wanted.contains(&instance)
                    && !job.unsure.contains(&instance)
                    && stand_in != Some(instance)
            });
            if let Some(task) = unwanted {
                return broken("T1", format!("{} is {} and was killed", task.id(), task.state));
            }
        }
        Ok(())
    }

    /// T2, T5, T6: agents run what the scheduler thinks they do, once.
    fn check_agents(&self, scheduler: &Scheduler) -> Result<(), Violation> {
        if let Some((instance, runs)) = doubles(&self.agents).first_key_value() {
            return broken("T2", format!("{instance} runs more than once: {runs:?}"));
        }
        let mut alive = BTreeSet::new();
        for agent in &self.agents {
            let booked = agent.id.iter().flat_map(|id| self.master.core.running_on(id));
            let ghost =
                booked.into_iter().find(|id| agent.runs.get(*id).is_none_or(|run| !run.is_alive()));
            if let Some(id) = ghost {
                let why = "the master keeps room for it";
                return broken("V2", format!("{} has no {id}, and {why}", agent.host));
            }
            for (id, _) in agent.runs.iter().filter(|(_, run)| run.is_alive()) {
                let task = TaskId::new(id).ok().and_then(|id| scheduler.state().task(&id));
                let is_known = task.is_some_and(|task| task.state.is_slave_assigned());
                if !is_known {
                    let state = task.map(|task| task.state);
                    return broken("T6", format!("{} runs {id}, which is {state:?}", agent.host));
                }
                alive.insert(id.clone());
            }
        }
        for task in scheduler.state().tasks() {
            let (id, state) = (task.id(), task.state);
            // Batch jobs and updates go on, so that some are on their way at any time.
            let since = task
                .latest_event()
                .map_or(0, |event| self.wall(self.home).ms_since(event.timestamp));
            // Its job wants it to be waited for, however long.
            let policy = task.assigned.task.partition_policy;
            if state == TaskState::Partitioned && policy.is_some_and(|policy| !policy.reschedule) {
                continue;
            }
            if since > SETTLED_MS && state.is_slave_assigned() && !alive.contains(id.as_str()) {
                return broken("T5", format!("{id} is {state}, and no agent has it"));
            }
            if since > SETTLED_MS
                && state.is_active()
                && !matches!(state, TaskState::Running | TaskState::Pending)
            {
                return broken("T5", format!("{id} is still {state}"));
            }
        }
        Ok(())
    }

    /// V1: what waits has a reason, and has no room.
    fn check_waiting(&self, scheduler: &Scheduler) -> Result<(), Violation> {
        let mut free: BTreeMap<&str, ([u64; 3], usize)> =
            self.agents.iter().map(|agent| (agent.host.as_str(), room(agent))).collect();
        let attributes: BTreeMap<&str, Attributes> =
            self.agents.iter().map(|agent| (agent.host.as_str(), attributes(agent))).collect();
        let kept = self.kept_hosts(scheduler);
        for task in scheduler.state().tasks().filter(|task| task.state == TaskState::Pending) {
            let reason = scheduler.pending_reason(task.id());
            if reason.as_ref().is_none_or(String::is_empty) {
                return broken("T1", format!("{} waits and nobody says why", task.id()));
            }
            // What has begun to wait a moment ago may wait.
            let since = task
                .latest_event()
                .map_or(0, |event| self.wall(self.home).ms_since(event.timestamp));
            if since < 120_000 {
                continue;
            }
            for (host, room) in &mut free {
                // A wish to empty it that was long on its way may have come after the last word.
                let mode = scheduler.state().host_mode(host);
                if kept.contains(*host) || mode != MaintenanceMode::None {
                    continue;
                }
                let Some(has) = attributes.get(host) else { continue };
                if fits(task, *room, has) && within_limits(task, has, scheduler, &attributes) {
                    return broken(
                        "V1",
                        format!(
                            "{} fits on {host}, and waits: {}",
                            task.id(),
                            reason.unwrap_or_default()
                        ),
                    );
                }
            }
        }
        Ok(())
    }

    /// The hosts that an update may keep for what replaces a run there that has just ended, and those
    /// on which others were just stopped to make room.
    fn kept_hosts(&self, scheduler: &Scheduler) -> BTreeSet<String> {
        let now = self.wall(self.home);
        let affinity = self.settings.update_affinity_hold_ms;
        let reservation = self.settings.offer_reservation_ms;
        let kept = scheduler.state().tasks().filter(|task| {
            let since = task.latest_event().map_or(0, |event| now.ms_since(event.timestamp));
            let has_ended = task.state.is_terminal() && since <= affinity;
            let was_stopped = task.events.iter().any(|event| {
                event.state == TaskState::Preempting && now.ms_since(event.timestamp) <= reservation
            });
            self.settings.enable_update_affinity && has_ended || was_stopped
        });
        kept.filter_map(|task| task.assigned.agent.as_ref().map(|(_, host)| host.to_string()))
            .collect()
    }

    /// V2.
    fn check_bounds(&self, scheduler: &Scheduler) -> Result<(), Violation> {
        let offers = scheduler.stats().offers;
        if offers > 4 * self.agents.len() as u64 {
            return broken(
                "V2",
                format!("{offers} offers of {} agents are held", self.agents.len()),
            );
        }
        let (bytes, files) = self.disk.usage(Path::new(FOLDER));
        if bytes > MAX_LOG || files > 6 {
            return broken("V2", format!("the log has {files} files of {bytes} bytes"));
        }
        let mut ended: BTreeMap<String, usize> = BTreeMap::new();
        let now = self.wall(self.home);
        for task in scheduler.state().tasks().filter(|task| task.state.is_terminal()) {
            let age = task.latest_event().map_or(0, |event| now.ms_since(event.timestamp));
            if age > 2 * 3_600_000 {
                *ended.entry(task.job().to_string()).or_default() += 1;
            }
        }
        if let Some((job, count)) = ended.iter().find(|(_, count)| **count > HISTORY) {
            return broken("V2", format!("{count} ended tasks of {job} are remembered"));
        }
        Ok(())
    }

    /// L4: what is on disk makes the state that is in memory.
    fn check_log(&mut self, leader: u64) -> Result<(), Violation> {
        while self.processes.get(&leader).is_some_and(crate::process::Process::has_work) {
            self.write(leader)?;
        }
        self.kill_process(leader, "the run is over")?;
        let id = self.clients.next_id();
        match Store::open_on(self.disk.of(id), Path::new(FOLDER)) {
            Ok((_, state)) => self.log.recovered(&state),
            Err(error) => broken("L5", format!("the log cannot be opened at the end: {error}")),
        }
    }
}

fn room(agent: &Agent) -> ([u64; 3], usize) {
    let mut free = agent.has;
    let mut ports = 20;
    for run in agent.runs.values().filter(|run| run.is_alive()) {
        for (left, used) in free.iter_mut().zip(run.uses) {
            *left = left.saturating_sub(used);
        }
        ports -= run.ports.len();
    }
    (free, ports)
}

fn attributes(agent: &Agent) -> Attributes {
    agent
        .attribute_names()
        .filter_map(|name| Some((name.to_owned(), [agent.attribute(name)?.to_owned()].into())))
        .collect()
}

fn fits(task: &ScheduledTask, (free, ports): ([u64; 3], usize), attributes: &Attributes) -> bool {
    let config = &task.assigned.task;
    let asks = config.resources.bag().plus(overhead());
    let asks_for = [asks.cpus.0, asks.ram_mb * 1000, asks.disk_mb * 1000];
    asks_for.iter().zip(free).all(|(asked, has)| *asked <= has)
        && config.resources.ports.len() <= ports
        && (config.is_dedicated() || !attributes.contains_key("dedicated"))
        && constraint_against(config.constraints.iter(), attributes).is_none()
}

fn within_limits(
    task: &ScheduledTask,
    attributes: &Attributes,
    scheduler: &Scheduler,
    hosts: &BTreeMap<&str, Attributes>,
) -> bool {
    task.assigned.task.constraints.iter().all(|constraint| {
        let ConstraintRule::Limit(limit) = constraint.rule else { return true };
        let name = &constraint.attribute;
        attributes.get(name).is_some_and(|values| {
            values.iter().all(|value| {
                let there = scheduler
                    .state()
                    .tasks_of(task.job())
                    .filter(|other| other.state.is_slave_assigned())
                    .filter_map(|other| other.assigned.agent.as_ref())
                    .filter(|(_, host)| {
                        hosts
                            .get(&**host)
                            .and_then(|has| has.get(name))
                            .is_some_and(|has| has.contains(value))
                    })
                    .count();
                there < usize::try_from(limit).unwrap_or(0)
            })
        })
    })
}
