//! `aurora job add`.

use aurora_client::{Connection, Scheduler, keys::InstanceKey, scheduler::instances_of, wait};
use serde_json::json;

use super::create::WaitUntil;
use super::{Checked, near_if, unadjusted_sla};
use crate::browser::OpenBrowser;
use crate::failure::{Code, Failure};
use crate::number;
use crate::output::{Output, note};
use crate::timeout::Timeout;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The instance that the new ones are like: cluster/role/environment/name/0.
    #[arg(value_name = "JOB/INSTANCE")]
    like: InstanceKey,
    /// How many are added.
    #[arg(value_name = "COUNT", value_parser = number::from::<u32>(1))]
    count: u32,
    /// Wait until every new instance is this far.
    #[arg(long, value_enum, ignore_case = true, default_value = "PENDING", value_name = "STATE")]
    wait_until: WaitUntil,
    #[command(flatten)]
    timeout: Timeout,
    #[command(flatten)]
    open_browser: OpenBrowser,
    #[command(flatten)]
    checked: Checked,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let InstanceKey { job: key, instance } = &self.like;
        self.checked.check(key, &self.connection).await?;
        let scheduler = Scheduler::of_cluster(&key.cluster, &self.connection).await?;
        let active = scheduler.active(&key.job).await?;
        if !instances_of(&active).contains(instance) {
            let near = near_if(active.is_empty(), &scheduler, key).await;
            return Err(Failure::new(
                Code::InvalidParameter,
                format!("instance {instance} of {key} is not active: nothing was added{near}"),
            ));
        }
        if let Some(warning) = unadjusted_sla(&active) {
            self.output.warn(&warning)?;
        }
        let added = scheduler.add_instances(&key.job, *instance, self.count).await?;
        if let Some(until) = self.wait_until.until() {
            let wait = wait::Wait { timeout: self.timeout.timeout, ..until.into() };
            let new = added.iter().copied().collect();
            let waited = wait::wait(&scheduler, &key.job, Some(&new), wait).await;
            waited.map_err(|error| {
                error.after(format_args!("instances {added:?} were added to {key}"))
            })?;
        }
        if self.open_browser.is_wanted() {
            self.open_browser.show(&scheduler.page_of(&key.job).await);
        }
        if self.output.is_data() {
            return self.output.print(&json!({ "job": key.to_string(), "added": added }));
        }
        // As the original, it prints no result.
        note(&format!("Instances {added:?} have been added to {key}"));
        Ok(())
    }
}
