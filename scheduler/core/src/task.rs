//! Carries transitions of tasks out (`scheduler.md` 3.3 and 3.4).

use std::collections::BTreeSet;

use aurora_model::job::{ScheduledTask, TaskEvent, TaskState, Timestamp};
use aurora_model::key::{AgentId, JobKey, TaskId};

use crate::changes::TaskChange;
use crate::ends::StatusResult;
use crate::input::{Effect, Op};
use crate::penalty::penalty_ms;
use crate::scheduler::{Scheduler, Turn};
use crate::table::{Action, Verdict, verdict};
use crate::timers::Timer;

/// Tasks, or updates, that one change takes away at most.
pub(crate) const MAX_FORGOTTEN_AT_ONCE: usize = 1_000;

impl Turn<'_> {
    /// Asks for a transition. Gives whether it happened.
    pub(crate) fn change(&mut self, id: &TaskId, to: TaskState, message: Option<&str>) -> bool {
        self.change_reported(id, to, None, message) == StatusResult::Success
    }

    /// Asks for a transition if the task is in `from`.
    pub(crate) fn change_from(
        &mut self,
        id: &TaskId,
        from: TaskState,
        to: TaskState,
        message: Option<&str>,
    ) -> bool {
        let is_there = self.scheduler.state.task(id).is_some_and(|task| task.state == from);
        is_there && self.change(id, to, message)
    }

    /// Asks for the transition to what an agent reports; the agent is where a task that is not
    /// known is killed.
    pub(crate) fn change_reported(
        &mut self,
        id: &TaskId,
        to: TaskState,
        reported_by: Option<&AgentId>,
        message: Option<&str>,
    ) -> StatusResult {
        let from = self.scheduler.state.task(id).map(|task| task.state);
        match verdict(from, Some(to)) {
            Verdict::Already => StatusResult::Noop,
            Verdict::Illegal(actions) => {
                self.scheduler.count("scheduler_illegal_task_state_transitions", 1);
                if !actions.contains(&Action::Kill) {
                    return StatusResult::Illegal;
                }
                self.kill(id, reported_by);
                StatusResult::IllegalWithSideEffects
            }
            Verdict::Go(actions) => {
                self.carry_out(id, to, actions, message);
                StatusResult::Success
            }
        }
    }

    /// The order of the actions is fixed: failures are counted before the state is saved, the
    /// replacement is made before the task is killed.
    fn carry_out(&mut self, id: &TaskId, to: TaskState, actions: &[Action], message: Option<&str>) {
        let Some(task) = self.scheduler.state.task(id) else { return };
        let config = task.assigned.task.clone();
        let failures = i64::from(task.failure_count);
        let was_killed = task.events.iter().any(|event| event.state == TaskState::Killing);
        let from = task.state;
        // However long a policy waits, its timer goes with the partition.
        let partition = partition_end(task, self.scheduler.settings.transient_timeout_ms)
            .zip(task.latest_event().map(|event| event.timestamp));
        let mut seen = TaskChange {
            id: id.clone(),
            config: config.clone(),
            instance: task.assigned.instance,
            host: task.assigned.agent.as_ref().map(|(_, host)| host.to_string()),
            from,
            to: Some(to),
        };
        let replace = actions.iter().any(|action| match action {
            Action::Reschedule => true,
            Action::RescheduleUnlessKilled => !was_killed,
            Action::RescheduleService => config.is_service,
            Action::CountFailure => {
                let max = i64::from(config.max_task_failures);
                config.is_service || max == -1 || failures < max - 1
            }
            _ => false,
        });
        if actions.contains(&Action::CountFailure) {
            self.apply(Op::CountFailure(id.clone()));
        }
        if actions.contains(&Action::Save) {
            let event = TaskEvent {
                timestamp: self.now,
                state: to,
                message: message.map(str::to_owned),
                scheduler: Some(self.scheduler.host_name.clone()),
            };
            self.apply(Op::Transition { id: id.clone(), event });
            self.count_end(&seen);
        }
        // Who watches hears of the end of a run before its replacement.
        self.step.effects.push(Effect::Changed(id.clone()));
        if replace {
            self.replace(id);
        }
        if actions.contains(&Action::GoLost) {
            let message = format!("{to} of a task whose agent is partitioned away");
            self.change(id, TaskState::Lost, Some(&message));
        }
        if actions.contains(&Action::Kill) {
            self.kill(id, None);
        }
        if from == TaskState::Pending {
            self.scheduler.groups.remove(id);
        }
        if let Some((end, since)) = partition {
            self.scheduler.timers.forget(end, Timer::EndPartition(id.clone(), since));
        }
        if actions.contains(&Action::Delete) {
            self.apply(Op::Remove(vec![id.clone()]));
            seen.to = None;
            self.changes.push_back(seen);
        } else if self.scheduler.state.task(id).is_some_and(|task| task.state == to) {
            // A task that had to go on to another state needs nothing in this one.
            self.entered(id, to, false);
            self.changes.push_back(seen);
        }
    }

    fn kill(&mut self, id: &TaskId, reported_by: Option<&AgentId>) {
        let known = self.scheduler.state.task(id).and_then(|task| task.assigned.agent.as_ref());
        let agent = known.map(|(agent, _)| agent).or(reported_by).cloned();
        self.step.effects.push(Effect::Kill { task: id.clone(), agent });
    }

    /// Makes a new run of the same instance.
    fn replace(&mut self, id: &TaskId) {
        let Scheduler { state, settings, random, .. } = &mut *self.scheduler;
        let Some(task) = state.task(id) else { return };
        let penalty = penalty_ms(state, task, settings);
        let new = TaskId::for_instance(&task.assigned.instance_key(), &random.uuid());
        self.apply(Op::Reschedule { ancestor: id.clone(), id: new.clone() });
        if penalty > 0 {
            let message = format!("Rescheduled, penalized for {penalty} ms for flapping");
            self.change(&new, TaskState::Throttled, Some(&message));
            self.after(penalty, Timer::Unthrottle(new));
        } else {
            self.change(&new, TaskState::Pending, Some("Rescheduled"));
        }
    }

    /// Sees to what a state needs: a place, a timer. `restored` is a task from the log, whose time
    /// in the state began before this scheduler did.
    pub(crate) fn entered(&mut self, id: &TaskId, state: TaskState, restored: bool) {
        let Some(task) = self.scheduler.state.task(id) else { return };
        let config = task.assigned.task.clone();
        let since = task.latest_event().map_or(self.now, |event| event.timestamp);
        let timeout = self.scheduler.settings.transient_timeout_ms;
        match state {
            TaskState::Pending => {
                let Scheduler { groups, settings, .. } = &mut *self.scheduler;
                groups.add([id.clone()], &config, settings);
            }
            TaskState::Throttled if restored => {
                let Scheduler { state, settings, .. } = &mut *self.scheduler;
                let ancestor = state
                    .task(id)
                    .and_then(|task| task.ancestor.as_ref())
                    .and_then(|a| state.task(a));
                let penalty = ancestor.map_or(0, |task| penalty_ms(state, task, settings));
                self.scheduler.timers.set(since.plus_ms(penalty), Timer::Unthrottle(id.clone()));
            }
            TaskState::Assigned
            | TaskState::Preempting
            | TaskState::Restarting
            | TaskState::Draining
            | TaskState::Killing => {
                self.after(timeout, Timer::Timeout(id.clone(), state, since));
                if state == TaskState::Killing {
                    self.set_kill_retry(id, 0);
                }
            }
            TaskState::Partitioned => {
                if let Some(end) = partition_end(task, timeout) {
                    self.scheduler.timers.set(end, Timer::EndPartition(id.clone(), since));
                }
            }
            state if state.is_terminal() => {
                self.scheduler.groups.job_changed(&config.job);
                self.forget_surplus(&config.job);
                self.set_prune(&config.job, 0);
            }
            _ => {}
        }
    }

    /// Forgets the oldest ended tasks of a job that has too many.
    pub(crate) fn forget_surplus(&mut self, job: &JobKey) {
        let retention = self.scheduler.settings.history_min_retention_ms;
        self.forget_ended(job, self.surplus(job), retention);
    }

    /// How many more tasks of a job have ended than are remembered.
    pub(crate) fn surplus(&self, job: &JobKey) -> usize {
        let keep = self.scheduler.settings.history_max_per_job;
        self.scheduler.state.ended_of(job).len().saturating_sub(keep)
    }

    /// Forgets the ended tasks of a job that are too many or old enough, and sees to the next one.
    pub(crate) fn prune(&mut self, job: &JobKey) {
        self.forget_surplus(job);
        self.forget_ended(job, usize::MAX, self.scheduler.settings.history_ms());
        self.set_prune(job, 0);
    }

    /// Forgets the oldest ended tasks of a job, so many at most, that ended so long ago. If there are
    /// more of them than one change takes away, the others follow at once.
    fn forget_ended(&mut self, job: &JobKey, most: usize, age_ms: i64) {
        let ended = self.scheduler.state.ended_of(job).take(most);
        let old = ended.take_while(|(at, _)| self.now.ms_since(*at) >= age_ms).map(|(_, id)| id);
        let mut old: Vec<TaskId> = old.take(MAX_FORGOTTEN_AT_ONCE + 1).cloned().collect();
        let has_more = old.len() > MAX_FORGOTTEN_AT_ONCE;
        old.truncate(MAX_FORGOTTEN_AT_ONCE);
        self.forget(old);
        if has_more {
            self.prune_at_once(job);
        }
    }

    /// Sets the timer for the job's oldest ended task, unless one is due by then: at least `min_ms` from
    /// now. Of too many it goes when it is old enough, though no other ends until then.
    pub(crate) fn set_prune(&mut self, job: &JobKey, min_ms: i64) {
        let Some((at, _)) = self.scheduler.state.ended_of(job).next() else { return };
        let settings = &self.scheduler.settings;
        let age = match self.surplus(job) {
            0 => settings.history_ms(),
            _ => settings.history_min_retention_ms.min(settings.history_ms()),
        };
        let due = self.now.plus_ms(at.plus_ms(age).ms_since(self.now).max(min_ms).max(1));
        if self.scheduler.pruning.get(job).is_none_or(|set| *set > due) {
            self.prune_at(job, due);
        }
    }

    /// Goes on with a job's ended tasks in the next step.
    pub(crate) fn prune_at_once(&mut self, job: &JobKey) {
        self.prune_at(job, self.now.plus_ms(1));
    }

    fn prune_at(&mut self, job: &JobKey, at: Timestamp) {
        let Scheduler { timers, pruning, .. } = &mut *self.scheduler;
        if let Some(before) = pruning.insert(job.clone(), at) {
            timers.forget(before, Timer::Prune(job.clone()));
        }
        timers.set(at, Timer::Prune(job.clone()));
    }

    /// Removes ended tasks from the store.
    pub(crate) fn forget(&mut self, ids: Vec<TaskId>) {
        if ids.is_empty() {
            return;
        }
        self.scheduler.count("tasks_pruned", ids.len() as u64);
        self.step.effects.extend(ids.iter().cloned().map(Effect::Changed));
        let job_of = |id| self.scheduler.state.task(id).map(|task| task.job().clone());
        let jobs: BTreeSet<JobKey> = ids.iter().filter_map(job_of).collect();
        // Each is an event, which those who read events must be able to take.
        for some in ids.chunks(MAX_FORGOTTEN_AT_ONCE) {
            self.apply(Op::Remove(some.to_vec()));
        }
        let Scheduler { state, ends, .. } = &mut *self.scheduler;
        jobs.iter().for_each(|job| ends.forget_job(job, state));
    }
}

/// When a task that is partitioned away is given up, if ever; nothing for one that is not. `timeout_ms`
/// is how long a task may be on its way.
fn partition_end(task: &ScheduledTask, timeout_ms: i64) -> Option<Timestamp> {
    if task.state != TaskState::Partitioned {
        return None;
    }
    let delay_ms = match task.assigned.task.partition_policy {
        None => 0,
        Some(policy) if policy.reschedule => {
            i64::try_from(policy.delay_secs).unwrap_or(i64::MAX).saturating_mul(1000)
        }
        // What has never begun has nothing that is worth waiting for without end.
        Some(_) => {
            let began =
                |event: &TaskEvent| matches!(event.state, TaskState::Starting | TaskState::Running);
            if task.events.iter().any(began) {
                return None;
            }
            timeout_ms
        }
    };
    Some(task.latest_event()?.timestamp.plus_ms(delay_ms))
}
