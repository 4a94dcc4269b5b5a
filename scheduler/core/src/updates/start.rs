//! Starts updates (`updates.md` 2).

use std::collections::BTreeMap;
use std::sync::Arc;

use aurora_model::job::{JobConfiguration, TaskConfig};
use aurora_model::key::{JobKey, UpdateId};
use aurora_model::update::{
    InstanceConfig, InstanceRange, JobUpdate, JobUpdateRequest, UpdateEvent, UpdateInstructions,
    UpdateKey, UpdateSettings, UpdateStatus, UpdateStrategy, to_ranges,
};

use super::diff::{JobDiff, diff, unknown_in_scope};
use super::requests::check_message;
use super::store::{UpdateOp, UpdateSnapshot};
use super::{UpdateResponse, limits, table};
use crate::input::{ErrorKind, Op, RequestError};
use crate::scheduler::{Scheduler, Turn};
use crate::settings::Settings;
use crate::validate::{check_ids, validate};

/// How many ranges of instances a refusal names.
const MAX_NAMED: usize = 10;

impl Turn<'_> {
    pub(super) fn start_update(
        &mut self,
        user: &str,
        request: JobUpdateRequest,
        message: Option<String>,
    ) -> Result<UpdateResponse, RequestError> {
        limits::check_request(&request)?;
        let JobUpdateRequest { task, instance_count, settings, metadata } = request;
        check_service(&task)?;
        check_settings(&settings, instance_count, &self.scheduler.settings)?;
        if settings.sla_aware && task.sla_policy.is_none() {
            return Err(RequestError::invalid(format!(
                "sla_aware is set, but {} has no SLA policy: give it one, or leave sla_aware out",
                task.job
            )));
        }
        let task = self.scheduler.normalised(task, instance_count)?;
        let job = task.job.clone();
        self.scheduler.check_no_cron(&job)?;
        let current = self.scheduler.current_configs(&job);
        check_scope(&current, &job, instance_count, &settings.only_instances)?;
        let found = diff(&current, &task, instance_count, &settings.only_instances);
        if found.is_empty() {
            return Ok(UpdateResponse::Unchanged);
        }
        let surge = self.surge(&job, &found, instance_count, settings.surge)?;
        let last = surge.map_or(instance_count.saturating_sub(1), |surge| surge.last);
        check_ids(&job, last)?;
        let instructions = instructions(found, &task, surge, settings);
        limits::check_configs(&instructions)?;
        self.scheduler.check_update_quota(&job, &instructions)?;
        check_message(message.as_deref())?;
        self.scheduler.check_not_updating(&job)?;
        self.give_up_stand_in(&job);

        let id = UpdateId::new(self.scheduler.random.uuid())
            .map_err(|error| RequestError::invalid(error.to_string()))?;
        let key = UpdateKey { job, id };
        let status = match instructions.settings.pulse_timeout_ms {
            Some(_) => UpdateStatus::RollForwardAwaitingPulse,
            None => UpdateStatus::RollingForward,
        };
        let user = user.to_owned();
        let event = UpdateEvent { status, timestamp: self.now, user: Some(user.clone()), message };
        let update = JobUpdate { key: key.clone(), user, instructions, metadata };
        self.apply(Op::Update(UpdateOp::Put(Box::new(UpdateSnapshot {
            update: Arc::new(update),
            events: vec![event],
            taken: Vec::new(),
            acted: false,
            last_pulse: None,
            tally: None,
        }))));
        self.scheduler.count(table::counter(status), 1);
        self.go_on_updating(&key);
        Ok(UpdateResponse::Started(key))
    }

    /// The instances that run the new version beside the others, if any are asked for and any are
    /// replaced. Their numbers are new to the job, so that no two runs are ever of one instance.
    fn surge(
        &self,
        job: &JobKey,
        found: &JobDiff,
        instance_count: u32,
        wanted: u32,
    ) -> Result<Option<InstanceRange>, RequestError> {
        let max = self.scheduler.settings.max_tasks_per_job;
        let replaced: u64 =
            found.update.iter().flat_map(|c| &c.instances).map(InstanceRange::count).sum();
        let count = u64::from(wanted).min(replaced);
        if instance_count == 0 || u64::from(instance_count) + count > u64::from(max) {
            let beside = match count {
                0 => String::new(),
                count => format!(" and {count} beside them during the update"),
            };
            return Err(RequestError::invalid(match instance_count {
                0 => "instance count must be positive".to_owned(),
                _ => format!(
                    "{job} asks for {instance_count} instances{beside}; a job may have at most {max}"
                ),
            }));
        }
        let Ok(count @ 1..) = u32::try_from(count) else { return Ok(None) };
        let highest = self.scheduler.state.active_of(job).map(|task| task.assigned.instance).max();
        let first = highest.map_or(0, |highest| highest.saturating_add(1)).max(instance_count);
        Ok(first.checked_add(count - 1).map(|last| InstanceRange { first, last }))
    }
}

impl Scheduler {
    /// What would have to change for a job to become what a request asks for.
    ///
    /// # Errors
    /// The request could not be carried out whatever the job is.
    pub fn update_diff(&self, request: JobUpdateRequest) -> Result<JobDiff, RequestError> {
        limits::check_request(&request)?;
        let JobUpdateRequest { task, instance_count, settings, .. } = request;
        let task = self.normalised(task, instance_count)?;
        self.check_no_cron(&task.job)?;
        let current = self.current_configs(&task.job);
        Ok(diff(&current, &task, instance_count, &settings.only_instances))
    }

    /// What the instances of a job are, as [`diff`] takes it. Those that are being ended do not
    /// belong to it any more; one that stands in for another while that is moved never did.
    pub fn current_configs(&self, job: &JobKey) -> BTreeMap<u32, Arc<TaskConfig>> {
        let stand_in = self.state.maintenance.stand_in(job).map(|stand_in| stand_in.number);
        let active = self.state.active_of(job);
        active
            .filter(|task| task.state != aurora_model::job::TaskState::Killing)
            .filter(|task| Some(task.assigned.instance) != stand_in)
            .map(|task| (task.assigned.instance, task.assigned.task.clone()))
            .collect()
    }

    /// Refuses to update a job that runs by a schedule.
    pub(crate) fn check_no_cron(&self, job: &JobKey) -> Result<(), RequestError> {
        if self.state.crons.get(job).is_none() {
            return Ok(());
        }
        Err(RequestError::invalid(format!(
            "{job} is a cron job: it is not updated. Replace it; its next run is of the new \
             configuration"
        )))
    }

    /// A task as it would be stored, of a job that may have so many instances.
    fn normalised(
        &self,
        task: TaskConfig,
        instance_count: u32,
    ) -> Result<Arc<TaskConfig>, RequestError> {
        // Before anything is made for each of them. That there is none is looked at later.
        let max = self.settings.max_tasks_per_job;
        if instance_count > max {
            return Err(RequestError::invalid(format!(
                "{} asks for {instance_count} instances; a job may have at most {max}",
                task.job
            )));
        }
        let mut job = JobConfiguration::unscheduled(task, instance_count.max(1));
        validate(&mut job, &self.settings)?;
        Ok(Arc::new(job.task))
    }

    /// Refuses what would disturb an update of a job.
    ///
    /// # Errors
    /// The job is being updated.
    pub fn check_not_updating(&self, job: &JobKey) -> Result<(), RequestError> {
        let Some(update) = self.state.updates.active_of(job) else { return Ok(()) };
        Err(RequestError {
            kind: ErrorKind::JobUpdating,
            message: format!(
                "{job} is being updated: update {} is {}. Wait for its end, or abort it first",
                update.update().key.id,
                update.status()
            ),
        })
    }
}

/// Refuses to update what ends by itself.
pub(crate) fn check_service(task: &TaskConfig) -> Result<(), RequestError> {
    if task.is_service {
        return Ok(());
    }
    Err(RequestError::invalid(format!(
        "{} is not a service: only services can be updated. Kill it and create it anew",
        task.job
    )))
}

/// Refuses to change instances that a job neither has nor is to have.
pub(crate) fn check_scope(
    current: &BTreeMap<u32, Arc<TaskConfig>>,
    job: &JobKey,
    instance_count: u32,
    scope: &[InstanceRange],
) -> Result<(), RequestError> {
    let unknown = unknown_in_scope(current, instance_count, scope);
    if unknown.is_empty() {
        return Ok(());
    }
    Err(RequestError::invalid(format!(
        "instances {} are neither in {job} now nor among the {instance_count} it is to have",
        named(&unknown)
    )))
}

fn check_settings(
    update: &UpdateSettings,
    instance_count: u32,
    settings: &Settings,
) -> Result<(), RequestError> {
    let sizes: &[u32] = match &update.strategy {
        UpdateStrategy::Queue { group_size } | UpdateStrategy::Batch { group_size, .. } => {
            std::slice::from_ref(group_size)
        }
        UpdateStrategy::VariableBatch { group_sizes, .. } => group_sizes,
    };
    if sizes.is_empty() || sizes.contains(&0) {
        return Err(RequestError::invalid("every group size of the update must be more than 0"));
    }
    let failures =
        u64::from(update.max_per_instance_failures).saturating_mul(instance_count.into());
    if failures > settings.max_update_instance_failures {
        return Err(RequestError::invalid(format!(
            "{} failures of each of {instance_count} instances are {failures}; at most {} may be \
             forgiven",
            update.max_per_instance_failures, settings.max_update_instance_failures
        )));
    }
    if update.canary.is_some_and(|canary| canary.instances == 0) {
        return Err(RequestError::invalid("a canary needs at least one instance"));
    }
    if let Some(range) = update.only_instances.iter().find(|range| range.first > range.last) {
        return Err(RequestError::invalid(format!(
            "instances {}-{} are turned round",
            range.first, range.last
        )));
    }
    Ok(())
}

fn named(ranges: &[InstanceRange]) -> String {
    let texts: Vec<String> = ranges
        .iter()
        .take(MAX_NAMED)
        .map(|InstanceRange { first, last }| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        })
        .collect();
    let more = ranges.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more ranges") } else { String::new() };
    texts.join(", ") + &more
}

pub(crate) fn instructions(
    found: JobDiff,
    task: &Arc<TaskConfig>,
    surge: Option<InstanceRange>,
    settings: UpdateSettings,
) -> UpdateInstructions {
    let JobDiff { add, remove, update, .. } = found;
    let wanted = to_ranges(add.iter().chain(&update).flat_map(InstanceConfig::iter));
    let desired =
        (!wanted.is_empty()).then(|| InstanceConfig { task: task.clone(), instances: wanted });
    // An old configuration may be of instances that go and of some that change.
    let mut initial: Vec<InstanceConfig> = Vec::new();
    for config in remove.into_iter().chain(update) {
        match initial.iter_mut().find(|known| super::diff::same(&known.task, &config.task)) {
            Some(known) => known.instances = to_ranges(known.iter().chain(config.iter())),
            None => initial.push(config),
        }
    }
    UpdateInstructions { initial, desired, surge, settings }
}
