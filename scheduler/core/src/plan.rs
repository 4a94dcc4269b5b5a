//! What a job would do to the cluster, without doing it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::job::{JobConfiguration, MilliCpus, TaskConfig};
use aurora_model::quota::ResourceAggregate;
use aurora_model::update::{InstanceConfig, InstanceRange, UpdateSettings, to_ranges};

use crate::cron::{check_timetable, has_other_tasks};
use crate::input::{ErrorKind, RequestError};
use crate::scheduler::Scheduler;
use crate::updates::{JobDiff, check_scope, check_service, diff, instructions};
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
    /// Why it would be refused as things are, whatever it is: it is being updated, its key is in use,
    /// or what there is of it cannot become this. Apart from its quota.
    pub conflicts: Vec<RequestError>,
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
    /// What it would use; while it is updated, the most that it may.
    pub after: ResourceAggregate,
    /// By how much that is too much; zeros if it is not.
    pub exceeded: ResourceAggregate,
}

/// What a job is compared with.
struct Known {
    action: PlanAction,
    /// What its instances are; those of a cron job, what those of its next run would be.
    instances: BTreeMap<u32, Arc<TaskConfig>>,
    /// The instances that may change; all if it is empty.
    scope: Vec<InstanceRange>,
}

impl Scheduler {
    /// What a job would do if it were created, or updated to, or scheduled. Of the instances only
    /// those in `scope` may change, or all if it is empty; a cron job is always replaced whole.
    pub fn plan(&self, mut job: JobConfiguration, scope: &BTreeSet<u32>) -> Plan {
        let mut found = problems(&mut job, &self.settings);
        found.extend(check_instances(&job, &self.settings).err());
        let known = self.known(&job, scope);
        if known.action == PlanAction::Schedule {
            found.extend(check_timetable(&job, &self.settings).err());
        }
        // A job with too many instances is not gone through one by one.
        let count = job.instance_count.min(self.settings.max_tasks_per_job);
        let task = Arc::new(job.task.clone());
        let changes = diff(&known.instances, &task, count, &known.scope);
        let mut plan = Plan {
            problems: found,
            conflicts: self.conflicts(&job, &known, count, &changes),
            action: known.action,
            add: instances(&changes.add),
            remove: instances(&changes.remove),
            update: changes
                .update
                .iter()
                .map(|config| (config.task.clone(), config.iter().collect()))
                .collect(),
            unchanged: instances(&changes.unchanged),
            quota: None,
            job,
        };
        plan.quota = self.quota_effect(&plan, &task, changes);
        plan
    }

    fn known(&self, job: &JobConfiguration, scope: &BTreeSet<u32>) -> Known {
        if job.cron_schedule.is_none() {
            let is_new = self.state.active_of(&job.key).next().is_none();
            return Known {
                action: if is_new { PlanAction::Create } else { PlanAction::Update },
                instances: self.current_configs(&job.key),
                scope: to_ranges(scope.iter().copied()),
            };
        }
        let template = self.state.crons().get(&job.key).map(|cron| &*cron.job);
        let instances = template.map_or_else(BTreeMap::new, |template| {
            let task = Arc::new(template.task.clone());
            (0..template.instance_count).map(|instance| (instance, task.clone())).collect()
        });
        Known { action: PlanAction::Schedule, instances, scope: Vec::new() }
    }

    /// Why the action would be refused as things are, in the order in which it would be.
    fn conflicts(
        &self,
        job: &JobConfiguration,
        known: &Known,
        count: u32,
        changes: &JobDiff,
    ) -> Vec<RequestError> {
        let key = &job.key;
        let is_cron = self.state.crons().get(key).is_some();
        let exists =
            |message: String| Err(RequestError { kind: ErrorKind::AlreadyExists, message });
        let checks: Vec<Result<(), RequestError>> = match known.action {
            PlanAction::Create => vec![
                self.check_not_updating(key),
                match is_cron {
                    true => exists(format!("Job already exists: {key}")),
                    false => Ok(()),
                },
            ],
            PlanAction::Update => {
                let mut checks = vec![
                    self.check_no_cron(key),
                    check_scope(&known.instances, key, count, &known.scope),
                ];
                // What stays as it is need not be updated.
                if !changes.is_empty() {
                    checks.insert(0, check_service(&job.task));
                    checks.push(self.check_not_updating(key));
                }
                checks
            }
            PlanAction::Schedule => vec![
                self.check_not_updating(key),
                match !is_cron && self.state.active_of(key).next().is_some() {
                    true => exists(has_other_tasks(key)),
                    false => Ok(()),
                },
            ],
        };
        checks.into_iter().filter_map(Result::err).collect()
    }

    fn quota_effect(
        &self,
        plan: &Plan,
        task: &Arc<TaskConfig>,
        changes: JobDiff,
    ) -> Option<QuotaEffect> {
        if !task.production || task.is_dedicated() {
            return None;
        }
        let (key, role) = (&plan.job.key, plan.job.key.role());
        let quota = self.role_quota(role);
        let before = quota.consumption.production_shared;
        let adds = !(plan.add.is_empty() && plan.update.is_empty());
        let after = match plan.action {
            PlanAction::Schedule => self.role_usage_with(role, None, Some(&plan.job)),
            PlanAction::Update if !changes.is_empty() => {
                let how = instructions(changes, task, None, UpdateSettings::default());
                self.role_usage_with(role, Some((key, &how)), None)
            }
            PlanAction::Update => self.role_usage(role),
            PlanAction::Create => {
                let mut usage = self.role_usage(role);
                usage.add_all(task, u32::try_from(plan.add.len()).unwrap_or(u32::MAX));
                usage
            }
        };
        let after = after.consumption().production_shared;
        // An update that only takes instances away is accepted whatever the quota is.
        let is_asked = adds || plan.action == PlanAction::Schedule;
        let exceeded = match quota.limit.filter(|_| is_asked) {
            Some(limit) => over(after, limit),
            None => ResourceAggregate::default(),
        };
        Some(QuotaEffect { limit: quota.limit, before, after, exceeded })
    }
}

fn instances(configs: &[InstanceConfig]) -> BTreeSet<u32> {
    configs.iter().flat_map(InstanceConfig::iter).collect()
}

impl Plan {
    /// How many instances would need a place.
    pub fn placed(&self) -> u32 {
        let changed: usize = self.update.iter().map(|(_, instances)| instances.len()).sum();
        u32::try_from(self.add.len() + changed).unwrap_or(u32::MAX)
    }
}

/// What of some amounts is more than others.
fn over(amounts: ResourceAggregate, limit: ResourceAggregate) -> ResourceAggregate {
    ResourceAggregate {
        cpus: MilliCpus(amounts.cpus.0.saturating_sub(limit.cpus.0)),
        ram_mb: amounts.ram_mb.saturating_sub(limit.ram_mb),
        disk_mb: amounts.disk_mb.saturating_sub(limit.disk_mb),
    }
}
