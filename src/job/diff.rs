//! `aurora job diff`: what submitting a job would change of what runs.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use aurora_api::convert::ConvertError;
use aurora_api::v1;
use aurora_client::{
    Connection,
    compare::{Comparison, compare},
    keys::InstancesKey,
    plan::{Asked, Plan},
    scheduler::{Scheduler, active_states, tasks_of},
};
use aurora_model::job::{JobConfiguration, ScheduledTask, TaskConfig};
use aurora_model::key::{ClusterJobKey, JobKey};

use super::File;
use super::compare::{json, text};
use super::viewer;
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
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        let key = &self.key.job;
        let job = self.file.job_to_update(key, &self.connection).await?;
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
        check_named(key, named, &found)?;
        if self.output.is_data() {
            self.output.print(&json(&found, &key.to_string()))?;
        } else if let Some(viewer) = viewer::chosen() {
            print(&viewer.text(&found)?)?;
        } else {
            print(&text(&found))?;
        }
        Ok(detailed(self.detailed_exitcode, found.has_changes()))
    }
}

/// The status of a command that is asked for what would change.
pub(super) fn detailed(is_asked: bool, has_changes: bool) -> ExitCode {
    if is_asked && has_changes { ExitCode::from(CHANGES) } else { ExitCode::SUCCESS }
}

/// Each instance that is named must be known.
pub(super) fn check_named(
    key: &ClusterJobKey,
    named: Option<&BTreeSet<u32>>,
    found: &Comparison,
) -> Result<(), Failure> {
    let known = found.instances();
    let missing: BTreeSet<u32> =
        named.into_iter().flatten().copied().filter(|it| !known.contains(it)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Code::InvalidParameter,
        format!("instances {missing:?} of {key} neither run nor are they in the file"),
    ))
}

/// Compares a job with what runs under its key.
pub(crate) async fn against(
    scheduler: &Scheduler,
    job: &JobConfiguration,
    named: Option<&BTreeSet<u32>>,
) -> Result<Comparison, Failure> {
    let asked = Asked { job, update: None, instances: named, placement: false };
    let plan = scheduler.plan(asked).await?;
    tell_conflicts(&plan);
    Ok(plan.found)
}

/// What differs is of use even if it cannot be done.
pub(crate) fn tell_conflicts(plan: &Plan) {
    for conflict in &plan.conflicts {
        warn(&format!("as things are, this would be refused: {conflict}"));
    }
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
