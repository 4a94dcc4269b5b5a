//! Moves services of a single instance without a gap: a stand-in, an instance with the next number,
//! is started elsewhere; when it runs, the instance is moved as any other; when that runs again, the
//! stand-in ends. So no instance is ever there twice.

use std::collections::BTreeMap;

use aurora_model::job::{ScheduledTask, TaskState, Timestamp};
use aurora_model::key::{JobKey, TaskId};
use aurora_model::maintenance::{Drain, StandIn};

use super::{Maintenance, MaintenanceOp, MaintenanceTimer};
use crate::changes::TaskChange;
use crate::input::Op;
use crate::scheduler::{Scheduler, Turn};
use crate::timers::Timer;

/// What a stand-in's history says of its end.
const OVER: &str = "The instance that it stood in for is served again.";

/// Whether an instance may be moved as far as its stand-in is concerned.
pub(super) enum Cover {
    /// It needs none, or has one that runs.
    Fine,
    /// It must wait, for this reason; until a time if nothing else must happen.
    Wait(String, Option<Timestamp>),
}

impl Maintenance {
    /// The stand-in of a job, if it has one.
    pub fn stand_in(&self, job: &JobKey) -> Option<&StandIn> {
        self.stand_ins.get(job)
    }

    pub(super) fn stand_ins(&self) -> &BTreeMap<JobKey, StandIn> {
        &self.stand_ins
    }
}

impl Scheduler {
    /// The number of a job's stand-in, unless that is being ended.
    pub(crate) fn lasting_stand_in(&self, job: &JobKey) -> Option<u32> {
        let number = self.state.maintenance.stand_in(job)?.number;
        let task = self.state.active_instance(job, number)?;
        (task.state != TaskState::Killing).then_some(number)
    }
}

/// Since when a task runs.
fn runs_since(task: &ScheduledTask) -> Option<Timestamp> {
    let is_last = |since: &&aurora_model::job::TaskEvent| since.state == TaskState::Running;
    let latest = task.latest_event().filter(is_last)?;
    Some(latest.timestamp)
}

impl Turn<'_> {
    /// Sees to a stand-in for an instance that is about to be moved, if the drain wants one.
    pub(super) fn cover(&mut self, id: &TaskId, drain: &Drain) -> Cover {
        let state = &self.scheduler.state;
        let Some(task) = state.task(id) else { return Cover::Fine };
        let job = task.job().clone();
        let config = task.assigned.task.clone();
        let instance = task.assigned.instance;
        if let Some(stand_in) = state.maintenance.stand_in(&job).copied() {
            return self.covered(&job, instance, stand_in);
        }
        // What does not run is not missed. Jobs with a policy of their own have chosen another way.
        let is_meant = drain.surge
            && config.is_service
            && config.sla_policy.is_none()
            && task.state == TaskState::Running
            && state.active_count(&job) == 1;
        if !is_meant {
            return Cover::Fine;
        }
        let Some(number) = instance.checked_add(1) else { return Cover::Fine };
        let refused = self
            .scheduler
            .check_not_updating(&job)
            .and_then(|()| crate::validate::check_ids(&job, number))
            .and_then(|()| self.scheduler.check_quota(&config, 1));
        if let Err(error) = refused {
            return Cover::Wait(format!("it cannot have a stand-in: {error}"), None);
        }
        let duration_secs = crate::sla::duration_secs(&drain.default_policy);
        let stand_in = StandIn { instance, number, duration_secs };
        let op = MaintenanceOp::PutStandIn { job: job.clone(), stand_in };
        self.apply(Op::Maintenance(op));
        self.insert_pending(config, number..=number);
        self.covered(&job, instance, stand_in)
    }

    /// Whether an instance may be moved now that its job has a stand-in.
    fn covered(&self, job: &JobKey, instance: u32, stand_in: StandIn) -> Cover {
        let state = &self.scheduler.state;
        if instance != stand_in.instance {
            return Cover::Fine;
        }
        let Some(other) = state.active_instance(job, stand_in.number) else { return Cover::Fine };
        match runs_since(other).map(|since| self.runs_long_enough(since, stand_in)) {
            Some(Ok(())) => Cover::Fine,
            Some(Err(time)) => {
                Cover::Wait("its stand-in has not run for long".to_owned(), Some(time))
            }
            None => Cover::Wait("its stand-in is being started elsewhere".to_owned(), None),
        }
    }

    /// Whether what runs since a time counts, or when it will.
    fn runs_long_enough(&self, since: Timestamp, stand_in: StandIn) -> Result<(), Timestamp> {
        let ms = i64::try_from(stand_in.duration_secs).unwrap_or(i64::MAX).saturating_mul(1000);
        let time = since.plus_ms(ms);
        if time <= self.now { Ok(()) } else { Err(time) }
    }

    /// Takes in what has become of a task of a job that has a stand-in.
    pub(super) fn stand_ins_see(&mut self, change: &TaskChange) {
        let job = &change.config.job;
        if self.scheduler.state.maintenance.stand_in(job).is_some() {
            self.look_at_stand_in(job);
        }
    }

    /// Looks at every stand-in.
    pub(super) fn look_at_stand_ins(&mut self) {
        let jobs: Vec<JobKey> =
            self.scheduler.state.maintenance.stand_ins().keys().cloned().collect();
        for job in jobs {
            if self.is_full() {
                self.after(1, Timer::Maintenance(MaintenanceTimer::StandIn(job)));
            } else {
                self.look_at_stand_in(&job);
            }
        }
    }

    /// Moves on with what a stand-in is for, and ends it when it is needed no more.
    pub(super) fn look_at_stand_in(&mut self, job: &JobKey) {
        let state = &self.scheduler.state;
        let Some(stand_in) = state.maintenance.stand_in(job).copied() else { return };
        let other = state.active_instance(job, stand_in.number).map(|task| task.id().clone());
        let Some(task) = state.active_instance(job, stand_in.instance) else {
            // The instance has ended for good, and nobody wants its stand-in.
            return self.end_stand_in(job, other.as_ref());
        };
        let Some(other) = other else { return self.end_stand_in(job, None) };
        let host = task.assigned.agent.as_ref().map(|(_, host)| host.to_string());
        let drained = host.filter(|host| self.drain_of(host).is_some());
        if let Some(host) = drained {
            if task.state == TaskState::Running {
                let id = task.id().clone();
                self.drain_one(&host, &id);
            }
            return;
        }
        match runs_since(task).map(|since| self.runs_long_enough(since, stand_in)) {
            Some(Ok(())) => self.end_stand_in(job, Some(&other)),
            Some(Err(time)) => {
                let timer = Timer::Maintenance(MaintenanceTimer::StandIn(job.clone()));
                self.after(time.ms_since(self.now), timer);
            }
            None => {}
        }
    }

    /// Ends a job's stand-in before the job itself changes: its number may be wanted.
    pub(crate) fn give_up_stand_in(&mut self, job: &JobKey) {
        let state = &self.scheduler.state;
        let Some(stand_in) = state.maintenance.stand_in(job).copied() else { return };
        let task = state.active_instance(job, stand_in.number).map(|task| task.id().clone());
        self.end_stand_in(job, task.as_ref());
    }

    /// Makes a job's stand-in an instance of it like any other.
    pub(crate) fn keep_stand_in(&mut self, job: &JobKey) {
        self.end_stand_in(job, None);
    }

    fn end_stand_in(&mut self, job: &JobKey, task: Option<&TaskId>) {
        self.apply(Op::Maintenance(MaintenanceOp::EndStandIn { job: job.clone() }));
        if let Some(task) = task {
            self.change(task, TaskState::Killing, Some(OVER));
        }
    }
}
