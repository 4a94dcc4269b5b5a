//! `aurora job plan`: everything that submitting a job would do, before it is done.

use std::process::ExitCode;

use aurora_client::{
    Connection,
    keys::InstancesKey,
    plan::{Asked, Plan},
    scheduler::Scheduler,
};
use aurora_eval::ReadyJob;
use aurora_model::key::ClusterJobKey;

use super::{File, diff, plan_text};
use crate::failure::{Code, Failure};
use crate::output::{Output, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job, or instances of it: cluster/role/environment/name or …/name/0,2-4.
    #[arg(value_name = "JOB[/INSTANCES]")]
    key: InstancesKey,
    #[command(flatten)]
    file: File,
    /// End with 2 if something would change, with 0 if nothing would, with something else if this
    /// cannot be told.
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
        let plan = ask(&scheduler, &job, &self.key, true).await?;
        show(&plan, key, &job.warnings, self.output)?;
        Ok(diff::detailed(self.detailed_exitcode, plan.has_changes()))
    }
}

fn show(
    plan: &Plan,
    key: &ClusterJobKey,
    warnings: &[String],
    output: Output,
) -> Result<(), Failure> {
    if output.is_data() {
        return output.print(&plan_text::json(plan, key, warnings));
    }
    print(&plan_text::text(plan, key))
}

/// Shows what a command would do that submits a job, and ends as it would if it were refused.
pub(crate) async fn dry_run(
    scheduler: &Scheduler,
    job: &ReadyJob,
    key: &InstancesKey,
    refused: Code,
    output: Output,
) -> Result<Plan, Failure> {
    let plan = ask(scheduler, job, key, true).await?;
    show(&plan, &key.job, &job.warnings, output)?;
    match plan.refusals() {
        refusals if refusals.is_empty() => Ok(plan),
        refusals => Err(Failure::new(refused, refusals.join("; "))),
    }
}

/// The plan of a job of a file. Places are looked for if that is asked for.
pub(crate) async fn ask(
    scheduler: &Scheduler,
    job: &ReadyJob,
    key: &InstancesKey,
    placement: bool,
) -> Result<Plan, Failure> {
    let asked = Asked {
        job: &job.request,
        update: job.config.update_config.as_ref(),
        instances: key.instances.as_ref(),
        placement,
    };
    let plan = scheduler.plan(asked).await?;
    diff::check_named(&key.job, key.instances.as_ref(), &plan.found)?;
    Ok(plan)
}
