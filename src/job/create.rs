//! `aurora job create`.

use aurora_api::v1;
use aurora_client::{Connection, Scheduler, keys::InstancesKey, plan::Action, wait};
use aurora_model::key::ClusterJobKey;
use serde_json::json;

use super::{File, dry_run};
use crate::browser::OpenBrowser;
use crate::dry_run::DryRun;
use crate::failure::{Code, Failure};
use crate::output::{Output, print};
use crate::timeout::Timeout;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum WaitUntil {
    /// Nothing: the job is created.
    #[value(name = "PENDING")]
    Pending,
    /// Every instance runs, or has ended.
    #[value(name = "RUNNING")]
    Running,
    /// Every instance has ended.
    #[value(name = "FINISHED")]
    Finished,
}

impl WaitUntil {
    /// What that means for an instance; none if nothing is waited for.
    pub(super) fn until(self) -> Option<wait::Until> {
        match self {
            Self::Pending => None,
            Self::Running => Some(wait::Until::Begun),
            Self::Finished => Some(wait::Until::Ended),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job: cluster/role/environment/name.
    #[arg(value_name = "JOB")]
    key: ClusterJobKey,
    #[command(flatten)]
    file: File,
    /// Wait until every instance is this far.
    #[arg(long, value_enum, ignore_case = true, default_value = "PENDING", value_name = "STATE")]
    wait_until: WaitUntil,
    #[command(flatten)]
    dry_run: DryRun,
    #[command(flatten)]
    timeout: Timeout,
    #[command(flatten)]
    open_browser: OpenBrowser,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let job = self.file.job(&self.key, &self.connection).await?;
        if let Some(schedule) = &job.request.cron_schedule {
            return Err(Failure::new(
                Code::CommandFailure,
                format!(
                    "{} has the cron schedule {schedule:?}: it cannot be created, only scheduled, with `aurora cron schedule`",
                    self.key
                ),
            ));
        }
        let scheduler = Scheduler::of_cluster(&self.key.cluster, &self.connection).await?;
        if self.dry_run.dry_run {
            let key = InstancesKey { job: self.key.clone(), instances: None };
            let refused = Code::CommandFailure;
            let plan = dry_run(&scheduler, &job, &key, refused, self.output).await?;
            return match plan.action {
                Action::Update => Err(Failure::new(
                    refused,
                    format!(
                        "{} has active instances: it cannot be created, only updated",
                        self.key
                    ),
                )),
                Action::Create | Action::Schedule => Ok(()),
            };
        }
        let created = scheduler.create(v1::JobConfiguration::from(&job.request)).await?;
        if let Some(until) = self.wait_until.until() {
            let wait = wait::Wait { timeout: self.timeout.timeout, ..until.into() };
            let waited = wait::wait(&scheduler, &job.request.key, None, wait).await;
            waited.map_err(|error| error.after(format_args!("{} was created", self.key)))?;
        }
        let page = scheduler.page_of(&job.request.key).await;
        self.open_browser.show(&page);
        if self.output.is_data() {
            self.output.print(&json!({
                "job": self.key.to_string(),
                "instances": created.instance_count,
                "url": page,
            }))
        } else {
            print(&format!("Job create succeeded: job url={page}\n"))
        }
    }
}
