//! What roles may use, and what they use (`scheduler.md` 8).
//!
//! Only production tasks on hosts that all share are limited: tasks of other tiers make room when
//! it is needed, and dedicated hosts are their owner's. A task counts from its creation until it
//! has ended. A run that replaces another takes the place of one that has ended, so what can exceed
//! a quota is only what adds instances; that asks [`Scheduler::check_quota`] first.
//!
//! A cron job counts at any time as what a run of it needs, or as what its tasks use if that is more,
//! for each kind of resource: when it is due there is room for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use aurora_model::job::{JobConfiguration, MilliCpus, TaskConfig};
use aurora_model::key::Role;
use aurora_model::quota::ResourceAggregate;

use crate::input::{ErrorKind, Op, RecordedResponse, RequestError};
use crate::scheduler::{Scheduler, Turn};

/// What the active tasks of a role ask for, by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Consumption<T = ResourceAggregate> {
    /// Of production tasks on hosts that all share: what counts against the quota.
    pub production_shared: T,
    /// Of other tasks on such hosts.
    pub non_production_shared: T,
    /// Of production tasks with a dedicated constraint.
    pub production_dedicated: T,
    /// Of other tasks with one.
    pub non_production_dedicated: T,
}

impl<T> Consumption<T> {
    fn zip(self, other: Self, with: impl Fn(T, T) -> T) -> Self {
        Self {
            production_shared: with(self.production_shared, other.production_shared),
            non_production_shared: with(self.non_production_shared, other.non_production_shared),
            production_dedicated: with(self.production_dedicated, other.production_dedicated),
            non_production_dedicated: with(
                self.non_production_dedicated,
                other.non_production_dedicated,
            ),
        }
    }

    fn of_class(&mut self, task: &TaskConfig) -> &mut T {
        match (task.production, task.is_dedicated()) {
            (true, false) => &mut self.production_shared,
            (false, false) => &mut self.non_production_shared,
            (true, true) => &mut self.production_dedicated,
            (false, true) => &mut self.non_production_dedicated,
        }
    }
}

/// The quota of a role, and what it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleQuota {
    /// What has been set.
    pub set: Option<ResourceAggregate>,
    /// What the role's production tasks may use together; nothing if they are not limited.
    pub limit: Option<ResourceAggregate>,
    /// What its tasks use.
    pub consumption: Consumption,
}

/// What some tasks ask for together. Wide enough for any tasks: what was added can be taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    tasks: u64,
    millicpus: u128,
    ram_mb: u128,
    disk_mb: u128,
}

impl Sum {
    fn plus(self, task: ResourceAggregate, times: u32) -> Self {
        let times_wide = u128::from(times);
        Self {
            tasks: self.tasks + u64::from(times),
            millicpus: self.millicpus + u128::from(task.cpus.0) * times_wide,
            ram_mb: self.ram_mb + u128::from(task.ram_mb) * times_wide,
            disk_mb: self.disk_mb + u128::from(task.disk_mb) * times_wide,
        }
    }

    fn minus(self, task: ResourceAggregate, times: u32) -> Self {
        let times_wide = u128::from(times);
        Self {
            tasks: self.tasks - u64::from(times),
            millicpus: self.millicpus - u128::from(task.cpus.0) * times_wide,
            ram_mb: self.ram_mb - u128::from(task.ram_mb) * times_wide,
            disk_mb: self.disk_mb - u128::from(task.disk_mb) * times_wide,
        }
    }

    /// Kind by kind.
    fn zip(self, other: Self, with: impl Fn(u128, u128) -> u128) -> Self {
        let tasks = with(self.tasks.into(), other.tasks.into());
        Self {
            tasks: u64::try_from(tasks).unwrap_or(u64::MAX),
            millicpus: with(self.millicpus, other.millicpus),
            ram_mb: with(self.ram_mb, other.ram_mb),
            disk_mb: with(self.disk_mb, other.disk_mb),
        }
    }

    fn amounts(&self) -> ResourceAggregate {
        let amount = |sum| u64::try_from(sum).unwrap_or(u64::MAX);
        ResourceAggregate {
            cpus: MilliCpus(amount(self.millicpus)),
            ram_mb: amount(self.ram_mb),
            disk_mb: amount(self.disk_mb),
        }
    }

    /// By how much this is more than a limit, in the original's words; nothing if it is not.
    fn excess(&self, limit: &ResourceAggregate) -> Option<String> {
        let kinds = [
            ("CPU", "core(s)", self.millicpus, limit.cpus.0, 1000.0),
            ("RAM", "MB", self.ram_mb, limit.ram_mb, 1.0),
            ("disk", "MB", self.disk_mb, limit.disk_mb, 1.0),
        ];
        let texts: Vec<String> = kinds
            .into_iter()
            .filter_map(|(name, unit, sum, limit, scale)| {
                let excess = sum.checked_sub(u128::from(limit)).filter(|excess| *excess > 0)?;
                #[expect(clippy::cast_precision_loss, reason = "for people")]
                let excess = excess as f64 / scale;
                Some(format!("{name} quota exceeded by {excess:.2} {unit}"))
            })
            .collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }
}

/// How many in a row share a configuration. Instances mostly do.
pub(crate) fn runs<'a>(
    configs: impl Iterator<Item = &'a Arc<TaskConfig>>,
) -> impl Iterator<Item = (&'a Arc<TaskConfig>, u32)> {
    let mut configs = configs.peekable();
    std::iter::from_fn(move || {
        let first = configs.next()?;
        let mut count = 1;
        while configs.next_if(|next| Arc::ptr_eq(next, first)).is_some() {
            count += 1;
        }
        Some((first, count))
    })
}

/// What the active tasks of one role use. Kept up to date with each change of a task.
pub(crate) type Usage = Consumption<Sum>;

impl Usage {
    pub(crate) fn add(&mut self, task: &TaskConfig) {
        self.add_all(task, 1);
    }

    pub(crate) fn add_all(&mut self, task: &TaskConfig, instances: u32) {
        let sum = self.of_class(task);
        *sum = sum.plus((&task.resources).into(), instances);
    }

    pub(crate) fn remove(&mut self, task: &TaskConfig) {
        self.remove_all(task, 1);
    }

    pub(crate) fn remove_all(&mut self, task: &TaskConfig, instances: u32) {
        let sum = self.of_class(task);
        *sum = sum.minus((&task.resources).into(), instances);
    }

    /// Counts, in each class, the most that one of these tasks asks for of each kind, so many times.
    pub(crate) fn add_most<'a>(
        &mut self,
        tasks: impl Iterator<Item = &'a TaskConfig>,
        instances: u32,
    ) {
        let mut most: Consumption<Option<ResourceAggregate>> = Consumption::default();
        for task in tasks {
            let asked = ResourceAggregate::from(&task.resources);
            let known = most.of_class(task);
            *known = Some(known.map_or(asked, |known| ResourceAggregate {
                cpus: known.cpus.max(asked.cpus),
                ram_mb: known.ram_mb.max(asked.ram_mb),
                disk_mb: known.disk_mb.max(asked.disk_mb),
            }));
        }
        for (sum, most) in [
            (&mut self.production_shared, most.production_shared),
            (&mut self.non_production_shared, most.non_production_shared),
            (&mut self.production_dedicated, most.production_dedicated),
            (&mut self.non_production_dedicated, most.non_production_dedicated),
        ] {
            if let Some(most) = most {
                *sum = sum.plus(most, instances);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn consumption(&self) -> Consumption {
        Consumption {
            production_shared: self.production_shared.amounts(),
            non_production_shared: self.non_production_shared.amounts(),
            production_dedicated: self.production_dedicated.amounts(),
            non_production_dedicated: self.non_production_dedicated.amounts(),
        }
    }
}

impl Scheduler {
    /// The quota of a role, and what it uses.
    pub fn role_quota(&self, role: &str) -> RoleQuota {
        RoleQuota {
            set: self.state.quota(role).copied(),
            limit: self.quota_limit(role),
            consumption: self.role_usage(role).consumption(),
        }
    }

    /// Every role that has a quota, active tasks or cron jobs, with its quota and what it uses.
    pub fn role_quotas(&self) -> Vec<(Role, RoleQuota)> {
        let state = &self.state;
        let mut roles: BTreeSet<Role> = state.quotas().map(|(role, _)| role.clone()).collect();
        roles.extend(state.usages_after(None).map(|(role, _)| role.clone()));
        roles.extend(state.updates().active().map(|update| Role::from(&update.update().key.job)));
        roles.extend(state.crons().iter().map(|(key, _)| Role::from(key)));
        roles.into_iter().map(|role| (role.clone(), self.role_quota(role.as_str()))).collect()
    }

    /// What the tasks of a role use and its cron jobs may, `instead` being one in place of that of its
    /// key.
    pub(crate) fn usage_with_crons(&self, role: &str, instead: Option<&JobConfiguration>) -> Usage {
        let mut usage = self.state.usage(role);
        let templates = self.state.crons().of_role(role, None).map(|(_, cron)| &*cron.job);
        let templates = templates.filter(|job| instead.is_none_or(|new| new.key != job.key));
        for job in templates.chain(instead) {
            let mut running = Usage::default();
            for (config, count) in runs(self.state.active_of(&job.key).map(|t| &t.assigned.task)) {
                running.add_all(config, count);
            }
            let mut reserved = Usage::default();
            reserved.add_all(&job.task, job.instance_count);
            let more = reserved
                .zip(running, |reserved, running| reserved.zip(running, u128::saturating_sub));
            usage = usage.zip(more, |used, more| used.zip(more, u128::saturating_add));
        }
        usage
    }

    /// What an operator types to grant these amounts.
    fn quota_command(&self, role: &str, amounts: &ResourceAggregate) -> String {
        let ResourceAggregate { cpus, ram_mb, disk_mb } = amounts;
        let cluster = &self.settings.cluster_name;
        format!("aurora quota set {cluster}/{role} {cpus} {ram_mb}MB {disk_mb}MB")
    }

    fn quota_limit(&self, role: &str) -> Option<ResourceAggregate> {
        self.state.quota(role).copied().or(self.settings.unset_quota)
    }

    /// Whether so many more tasks are within their role's quota.
    pub(crate) fn check_quota(
        &self,
        task: &TaskConfig,
        instances: u32,
    ) -> Result<(), RequestError> {
        if !task.production || task.is_dedicated() {
            return Ok(());
        }
        let used = self.role_usage(task.job.role()).production_shared;
        self.check_usage(task, used.plus((&task.resources).into(), instances))
    }

    /// Whether a cron job, in place of the one of the same key, is within its role's quota.
    pub(crate) fn check_cron_quota(&self, job: &JobConfiguration) -> Result<(), RequestError> {
        let wanted = self.role_usage_with(job.key.role(), None, Some(job));
        self.check_usage(&job.task, wanted.production_shared)
    }

    /// Whether a role may use so much for the sake of a task.
    pub(crate) fn check_usage(&self, task: &TaskConfig, wanted: Sum) -> Result<(), RequestError> {
        if !task.production || task.is_dedicated() {
            return Ok(());
        }
        let role = task.job.role();
        let Some(limit) = self.quota_limit(role) else { return Ok(()) };
        let Some(excess) = wanted.excess(&limit) else { return Ok(()) };
        let used = self.role_usage(role).production_shared;
        let has = match self.state.quota(role) {
            Some(quota) => {
                format!(
                    "{role} has {}, of which {} are in use",
                    shown(quota),
                    shown(&used.amounts())
                )
            }
            None => format!("no quota is set for {role}"),
        };
        Err(RequestError {
            kind: ErrorKind::QuotaExceeded,
            message: format!(
                "Insufficient resource quota: {excess}. Production jobs need quota, and {has}: set \
                 at least `{}`, or give the job a tier that is not production",
                self.quota_command(role, &wanted.amounts())
            ),
        })
    }
}

impl Turn<'_> {
    /// Sets what the production tasks of a role may use together.
    pub(crate) fn set_quota(
        &mut self,
        role: Role,
        quota: ResourceAggregate,
    ) -> Result<RecordedResponse, RequestError> {
        let used = self.scheduler.role_usage(role.as_str()).production_shared;
        if let Some(excess) = used.excess(&quota) {
            return Err(RequestError {
                kind: ErrorKind::FailedPrecondition,
                message: format!(
                    "the quota of {role} cannot be less than what its production tasks use: \
                     {excess}. End some of them first, or set at least `{}`",
                    self.scheduler.quota_command(role.as_str(), &used.amounts())
                ),
            });
        }
        if self.scheduler.state.quota(role.as_str()) != Some(&quota) {
            self.apply(Op::PutQuota { role, quota });
        }
        Ok(RecordedResponse::QuotaSet)
    }

    /// Takes a role's own quota away, so that it has what roles have for which none was set.
    pub(crate) fn remove_quota(&mut self, role: Role) -> Result<RecordedResponse, RequestError> {
        let used = self.scheduler.role_usage(role.as_str()).production_shared;
        let limit = self.scheduler.settings.unset_quota;
        if let Some(excess) = limit.and_then(|limit| used.excess(&limit)) {
            return Err(RequestError {
                kind: ErrorKind::FailedPrecondition,
                message: format!(
                    "the quota of {role} cannot be removed: its production tasks use more than roles \
                     without a quota may: {excess}. End some of them first"
                ),
            });
        }
        if self.scheduler.state.quota(role.as_str()).is_some() {
            self.apply(Op::RemoveQuota(role));
        }
        Ok(RecordedResponse::QuotaRemoved)
    }
}

fn shown(amounts: &ResourceAggregate) -> String {
    let ResourceAggregate { cpus, ram_mb, disk_mb } = amounts;
    format!("{cpus} core(s), {ram_mb} MB of RAM and {disk_mb} MB of disk")
}
