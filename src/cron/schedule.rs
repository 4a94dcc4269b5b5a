//! `aurora cron schedule`.

use aurora_api::v1;
use aurora_client::{Connection, Scheduler, keys::InstancesKey};
use aurora_model::key::ClusterJobKey;
use serde_json::json;

use super::time;
use crate::dry_run::DryRun;
use crate::failure::{Code, Failure};
use crate::job::{File, dry_run};
use crate::output::{Output, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job: cluster/role/environment/name.
    #[arg(value_name = "JOB")]
    key: ClusterJobKey,
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    dry_run: DryRun,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let job = self.file.job(&self.key, &self.connection).await?;
        if job.request.cron_schedule.is_none() {
            return Err(Failure::new(
                Code::CommandFailure,
                format!(
                    "{} has no cron_schedule: it cannot be scheduled, only created, with `aurora job create`",
                    self.key
                ),
            ));
        }
        let scheduler = Scheduler::of_cluster(&self.key.cluster, &self.connection).await?;
        if self.dry_run.dry_run {
            let key = InstancesKey { job: self.key.clone(), instances: None };
            return dry_run(&scheduler, &job, &key, Code::Api, self.output).await.map(drop);
        }
        let scheduled = scheduler.schedule_cron(v1::JobConfiguration::from(&job.request)).await?;
        let page = scheduler.page_of(&job.request.key).await;
        if self.output.is_data() {
            return self.output.print(&json!({
                "job": self.key.to_string(),
                "next": scheduled.next_ms.map(time),
                "url": page,
            }));
        }
        let next =
            scheduled.next_ms.map_or_else(String::new, |ms| format!("; due next at {}", time(ms)));
        print(&format!("{} has been scheduled{next}. Its page: {page}\n", self.key))
    }
}
