//! Which change was the last that touched what.
//!
//! An answer may be told once what it rests on is durable. Most of what is asked for was last touched
//! long ago, so that the answer need not wait for what has been changed a moment ago elsewhere.
//!
//! A version is kept for each job that has tasks, each role that has such jobs and each host that has
//! tasks. For all that is not there one version stands, which is that of the last change of anything
//! that was not there afterwards: so what has gone is not forgotten, and nothing is kept of it.

use aurora_model::key::JobKey;

use super::State;
use crate::cron::CronOp;
use crate::input::Op;
use crate::maintenance::MaintenanceOp;
use crate::updates::UpdateOp;

/// What an answer rests on, whether that is there or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Anything.
    All,
    /// A job: its tasks, as a cron job, its updates and its stand-in.
    Job(&'a JobKey),
    /// The jobs of a role, and its quota.
    Role(&'a str),
    /// The tasks that a host's agents have or had, its attributes and its maintenance.
    Host(&'a str),
}

impl State {
    /// The version that the last change has made of all that touched this, or a later one. What is
    /// asked about it had the same answer ever since.
    pub fn touched(&self, scope: Scope<'_>) -> u64 {
        let last = match scope {
            Scope::All => self.version,
            Scope::Job(job) => self.index.job_touched(job),
            Scope::Role(role) => self.index.role_touched(role),
            Scope::Host(host) => self.index.host_touched(host),
        };
        // A snapshot says its version last, and may have come to another one by its own ops.
        last.min(self.version)
    }

    /// Notes what an op touches beside tasks.
    pub(super) fn touch(&mut self, op: &Op) {
        let index = &mut self.index;
        match op {
            Op::PutHost { name, .. } => index.touch_host(name),
            Op::PutQuota { role, .. } | Op::RemoveQuota(role) => index.touch_role(role.as_str()),
            Op::Cron(CronOp::Put { job, .. }) => index.touch_job(&job.key),
            Op::Cron(
                CronOp::Remove(job) | CronOp::Due { job, .. } | CronOp::Record { job, .. },
            ) => index.touch_job(job),
            Op::Update(op) => match op {
                UpdateOp::Put(snapshot) => index.touch_job(&snapshot.update.key.job),
                UpdateOp::Status { key, .. }
                | UpdateOp::Phase { key, .. }
                | UpdateOp::Failure { key, .. }
                | UpdateOp::Events { key, .. }
                | UpdateOp::Pulse { key, .. }
                | UpdateOp::Add { key, .. } => index.touch_job(&key.job),
                UpdateOp::Remove(keys) => keys.iter().for_each(|key| index.touch_job(&key.job)),
            },
            Op::Maintenance(op) => match op {
                MaintenanceOp::Put { host, .. } => index.touch_host(host),
                MaintenanceOp::PutStandIn { job, .. } | MaintenanceOp::EndStandIn { job } => {
                    index.touch_job(job);
                }
            },
            // The index sees for itself which tasks change; the rest is asked for with everything.
            Op::PutTasks { .. }
            | Op::Reschedule { .. }
            | Op::Transition { .. }
            | Op::Assign { .. }
            | Op::CountFailure(_)
            | Op::Remove(_)
            | Op::SaveFrameworkId(_)
            | Op::PutRequest { .. }
            | Op::Version(_) => {}
        }
    }
}

/// How many versions an op makes.
pub(super) fn versions(op: &Op) -> u64 {
    match op {
        // Each task is a change that somebody may watch for.
        Op::PutTasks { tasks, .. } => (tasks.len() as u64).max(1),
        _ => 1,
    }
}
