//! What a job would do to the cluster, without doing it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::job::{JobConfiguration, MilliCpus, TaskConfig};
use aurora_model::quota::ResourceAggregate;

use crate::input::RequestError;
use crate::scheduler::Scheduler;
use crate::validate::{check_instances, problems};

/// How a job would come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanAction {
    /// Nothing of it runs: it would be created.
    Create,
    /// Instances of it run: it would be updated.
    Update,
    /// It is a cron job: it would be scheduled.
    Schedule,
}

/// What a job would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Everything that is wrong with it, apart from its quota. If there is anything, the rest is only
    /// what could be found out.
    pub problems: Vec<RequestError>,
    /// The job as the scheduler would keep it.
    pub job: JobConfiguration,
    /// How it would come to be.
    pub action: PlanAction,
    /// Instances that would be new.
    pub add: BTreeSet<u32>,
    /// Instances that would be no more.
    pub remove: BTreeSet<u32>,
    /// Instances that would become something else, by what they are now.
    pub update: Vec<(Arc<TaskConfig>, BTreeSet<u32>)>,
    /// Instances that would stay as they are.
    pub unchanged: BTreeSet<u32>,
    /// What would become of the role's quota; nothing if the job does not count against it.
    pub quota: Option<QuotaEffect>,
}

/// What would become of what a role uses of its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaEffect {
    /// What the role may use; nothing if it is not limited.
    pub limit: Option<ResourceAggregate>,
    /// What it uses.
    pub before: ResourceAggregate,
    /// What it would use.
    pub after: ResourceAggregate,
    /// By how much that is too much; zeros if it is not.
    pub exceeded: ResourceAggregate,
}

impl Scheduler {
    /// What a job would do if it were created, or updated to, or scheduled. Of the instances only
    /// those in `scope` may change, or all if it is empty.
    pub fn plan(&self, mut job: JobConfiguration, scope: &BTreeSet<u32>) -> Plan {
        let mut found = problems(&mut job, &self.settings);
        found.extend(check_instances(&job, &self.settings).err());
        let running: BTreeMap<u32, &Arc<TaskConfig>> = self
            .state
            .active_of(&job.key)
            .map(|task| (task.assigned.instance, &task.assigned.task))
            .collect();
        let action = match (&job.cron_schedule, running.is_empty()) {
            (Some(_), _) => PlanAction::Schedule,
            (None, true) => PlanAction::Create,
            (None, false) => PlanAction::Update,
        };
        // A job with too many instances is not gone through one by one.
        let count = job.instance_count.min(self.settings.max_tasks_per_job);
        let is_meant = |instance: &u32| scope.is_empty() || scope.contains(instance);
        let mut plan = Plan {
            problems: found,
            action,
            add: (0..count)
                .filter(|instance| is_meant(instance) && !running.contains_key(instance))
                .collect(),
            remove: BTreeSet::new(),
            update: Vec::new(),
            unchanged: BTreeSet::new(),
            quota: None,
            job,
        };
        for (instance, config) in running {
            if !is_meant(&instance) || (instance < count && **config == plan.job.task) {
                plan.unchanged.insert(instance);
            } else if instance >= count {
                plan.remove.insert(instance);
            } else {
                plan.becomes_else(instance, config);
            }
        }
        plan.quota = self.quota_effect(&plan);
        plan
    }

    fn quota_effect(&self, plan: &Plan) -> Option<QuotaEffect> {
        let counts = |task: &TaskConfig| task.production && !task.is_dedicated();
        if !counts(&plan.job.task) {
            return None;
        }
        let quota = self.role_quota(plan.job.key.role());
        let before = quota.consumption.production_shared;
        let gone = self
            .state
            .active_of(&plan.job.key)
            .filter(|task| !plan.unchanged.contains(&task.assigned.instance))
            .filter(|task| counts(&task.assigned.task))
            .map(|task| ResourceAggregate::from(&task.assigned.task.resources));
        let left = gone.fold(before, |left, amounts| each(left, amounts, u64::saturating_sub));
        let one = ResourceAggregate::from(&plan.job.task.resources);
        let changed: usize = plan.update.iter().map(|(_, instances)| instances.len()).sum();
        let times = (plan.add.len() + changed) as u64;
        let new = each(one, one, |amount, _| amount.saturating_mul(times));
        let after = each(left, new, u64::saturating_add);
        let exceeded = quota
            .limit
            .map_or_else(Default::default, |limit| each(after, limit, u64::saturating_sub));
        Some(QuotaEffect { limit: quota.limit, before, after, exceeded })
    }
}

impl Plan {
    fn becomes_else(&mut self, instance: u32, config: &Arc<TaskConfig>) {
        let alike = self
            .update
            .iter_mut()
            .find(|(other, _)| Arc::ptr_eq(other, config) || **other == **config);
        match alike {
            Some((_, instances)) => {
                instances.insert(instance);
            }
            None => self.update.push((config.clone(), BTreeSet::from([instance]))),
        }
    }

    /// How many instances would need a place.
    pub fn placed(&self) -> u32 {
        let changed: usize = self.update.iter().map(|(_, instances)| instances.len()).sum();
        u32::try_from(self.add.len() + changed).unwrap_or(u32::MAX)
    }
}

fn each(
    a: ResourceAggregate,
    b: ResourceAggregate,
    f: impl Fn(u64, u64) -> u64,
) -> ResourceAggregate {
    ResourceAggregate {
        cpus: MilliCpus(f(a.cpus.0, b.cpus.0)),
        ram_mb: f(a.ram_mb, b.ram_mb),
        disk_mb: f(a.disk_mb, b.disk_mb),
    }
}
