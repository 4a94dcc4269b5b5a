//! `aurora job diff`: what submitting a job would change of what runs.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use aurora_api::convert::ConvertError;
use aurora_api::v1;
use aurora_client::{
    Connection,
    keys::InstancesKey,
    scheduler::{Scheduler, active_states, tasks_of},
};
use aurora_model::job::{JobConfiguration, ScheduledTask, TaskConfig};
use aurora_model::key::{ClusterJobKey, JobKey};

use super::File;
use super::compare::{Comparison, compare};
use crate::failure::{Code, Failure};
use crate::output::{Output, print, warn};

/// The status of `--detailed-exitcode` if something differs, as terraform has it.
const CHANGES: u8 = 2;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job, or instances of it: cluster/role/environment/name or …/name/0,2-4.
    #[arg(value_name = "JOB[/INSTANCES]")]
    key: InstancesKey,
    #[command(flatten)]
    file: File,
    /// Compare with what runs of this job instead: cluster/role/environment/name.
    #[arg(long, value_name = "JOB")]
    from: Option<ClusterJobKey>,
    /// End with 2 if something differs, with 0 if nothing does.
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let key = &self.key.job;
        let job = self.file.job(key)?;
        let scheduler = Scheduler::of_cluster(&key.cluster, &self.connection).await?;
        let named = self.key.instances.as_ref();
        let found = match &self.from {
            None => against(&scheduler, &job.request, named).await?,
            Some(from) => {
                let wanted = as_kept(&scheduler, &job.request).await?;
                let there = Scheduler::of_cluster(&from.cluster, &self.connection).await?;
                let running = running(&there, &from.job).await?;
                if running.is_empty() {
                    return Err(Failure::new(
                        Code::InvalidParameter,
                        format!("nothing runs of {from}: name a job that does with --from"),
                    ));
                }
                compare(&wanted, &running, named)
            }
        };
        let missing: BTreeSet<u32> = named
            .into_iter()
            .flatten()
            .copied()
            .filter(|it| !found.instances().contains(it))
            .collect();
        if !missing.is_empty() {
            return Err(Failure::new(
                Code::InvalidParameter,
                format!("instances {missing:?} of {key} neither run nor are they in the file"),
            ));
        }
        if self.output.is_data() {
            self.output.print(&found.json(&key.to_string()))?;
        } else {
            print(&found.text())?;
        }
        let has_changes = self.detailed_exitcode && found.has_changes();
        Ok(if has_changes { ExitCode::from(CHANGES) } else { ExitCode::SUCCESS })
    }
}

/// Compares a job with what runs under its key.
pub(crate) async fn against(
    scheduler: &Scheduler,
    job: &JobConfiguration,
    named: Option<&BTreeSet<u32>>,
) -> Result<Comparison, Failure> {
    let plan = scheduler.plan(v1::JobConfiguration::from(job)).await?;
    if !plan.problems.is_empty() {
        return Err(Failure::new(Code::InvalidConfiguration, plan.problems.join("; ")));
    }
    // What differs is still of use.
    for conflict in &plan.conflicts {
        warn(&format!("as things are, this would be refused: {conflict}"));
    }
    let unusable = |error: ConvertError| Failure::new(Code::Api, error.to_string());
    let kept = plan.job.ok_or_else(|| unusable(ConvertError::Missing("job")))?;
    let kept = JobConfiguration::try_from(kept).map_err(unusable)?;
    // Those that go are compared with nothing; those that stay are what they would be.
    let mut running: BTreeMap<u32, TaskConfig> = BTreeMap::new();
    for range in plan.remove.iter().chain(&plan.unchanged) {
        running.extend((range.first..=range.last).map(|instance| (instance, kept.task.clone())));
    }
    for change in plan.update {
        let config = change.running.ok_or_else(|| unusable(ConvertError::Missing("running")))?;
        let config = TaskConfig::try_from(config).map_err(unusable)?;
        for range in &change.instances {
            let all = range.first..=range.last;
            running.extend(all.map(|instance| (instance, config.clone())));
        }
    }
    Ok(compare(&kept, &running, named))
}

/// The job with what the scheduler fills in.
async fn as_kept(
    scheduler: &Scheduler,
    job: &JobConfiguration,
) -> Result<JobConfiguration, Failure> {
    let job = v1::JobConfiguration::from(job);
    let kept = scheduler.validate(job, Code::InvalidConfiguration).await?;
    JobConfiguration::try_from(kept).map_err(|error| Failure::new(Code::Api, error.to_string()))
}

/// What the active instances of a job run as.
async fn running(
    scheduler: &Scheduler,
    job: &JobKey,
) -> Result<BTreeMap<u32, TaskConfig>, Failure> {
    let mut query = tasks_of(job);
    query.states = active_states();
    let tasks = scheduler.tasks(query).await?.tasks;
    let read = |task: v1::ScheduledTask| {
        let task = ScheduledTask::try_from(task)?;
        let config = std::sync::Arc::unwrap_or_clone(task.assigned.task);
        Ok::<_, ConvertError>((task.assigned.instance, config))
    };
    tasks
        .into_iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::new(Code::Api, error.to_string()))
}
