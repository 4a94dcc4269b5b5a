//! `aurora job kill` and `killall`.

use std::collections::BTreeSet;
use std::time::Duration;

use aurora_client::{
    Connection,
    keys::InstancesKey,
    near,
    scheduler::{Scheduler, instances_of},
    wait,
};
use aurora_model::key::ClusterJobKey;
use serde_json::json;

use super::{Checked, unadjusted_sla};
use crate::browser::OpenBrowser;
use crate::dry_run::{DryRun, would};
use crate::failure::{Code, Failure};
use crate::number;
use crate::output::{Output, note, print};
use crate::timeout::{duration, words};

/// How long the instances of a batch may take to end, unless it is said: as long as the original waits.
const PATIENCE: &str = "254s";

/// How instances are killed.
#[derive(Debug, clap::Args)]
struct How {
    /// Kill so many instances at a time, and wait for them before the next.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = number::from::<u32>(1))]
    batch_size: u32,
    /// Go on although so many batches have not ended in time.
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = number::from::<u32>(0))]
    max_total_failures: u32,
    /// Kill all instances at once.
    #[arg(long)]
    no_batching: bool,
    /// The instances of a batch may take so long to end, such as 90s, 5m or 1h30m.
    #[arg(long, value_name = "TIME", default_value = PATIENCE, value_parser = duration)]
    timeout: Duration,
    /// Fail unless there is something to kill, and every named instance is active.
    #[arg(long)]
    strict: bool,
    /// Why, to be kept with the tasks.
    #[arg(long, short = 'm', value_name = "TEXT")]
    message: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
    #[command(flatten)]
    checked: Checked,
    #[command(flatten)]
    open_browser: OpenBrowser,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, clap::Args)]
pub(crate) struct KillArgs {
    /// The instances: cluster/role/environment/name/0,2-4.
    #[arg(value_name = "JOB/INSTANCES")]
    key: InstancesKey,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
pub(crate) struct KillAllArgs {
    /// The job: cluster/role/environment/name.
    #[arg(value_name = "JOB")]
    key: ClusterJobKey,
    #[command(flatten)]
    how: How,
}

impl KillArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Some(instances) = self.key.instances else {
            return Err(Failure::new(
                Code::InvalidParameter,
                format!(
                    "{} names no instances: add them, as in {0}/0,2-4, or use killall",
                    self.key.job
                ),
            ));
        };
        self.how.kill(&self.key.job, Some(instances), "kill").await
    }
}

impl KillAllArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        self.how.kill(&self.key, None, "killall").await
    }
}

impl How {
    async fn kill(
        self,
        key: &ClusterJobKey,
        named: Option<BTreeSet<u32>>,
        verb: &str,
    ) -> Result<(), Failure> {
        self.checked.check(key, &self.connection).await?;
        let scheduler = Scheduler::of_cluster(&key.cluster, &self.connection).await?;
        let active = scheduler.active(&key.job).await?;
        if let Some(warning) = named.as_ref().and_then(|_| unadjusted_sla(&active)) {
            self.output.warn(&warning)?;
        }
        let active = instances_of(&active);
        let wanted: Vec<u32> = match &named {
            Some(named) => named.intersection(&active).copied().collect(),
            None => active.iter().copied().collect(),
        };
        if self.strict {
            let missing: Vec<u32> =
                named.iter().flatten().copied().filter(|i| !active.contains(i)).collect();
            if !missing.is_empty() {
                return Err(Failure::new(
                    Code::InvalidParameter,
                    format!("instances {missing:?} of {key} are not active; nothing was killed"),
                ));
            }
            if wanted.is_empty() {
                return Err(Failure::new(
                    Code::InvalidParameter,
                    format!("{key} has no active tasks{}", near::hint_of(&scheduler, key).await),
                ));
            }
        }
        if self.dry_run.dry_run {
            return would("kill", key, &wanted, self.output);
        }
        if wanted.is_empty() {
            let near = near::hint_of(&scheduler, key).await;
            note(&format!("{key} has no active tasks to kill{near}"));
        }
        let size = if self.no_batching { wanted.len().max(1) } else { self.batch_size as usize };
        let is_all = named.is_none() && self.no_batching;
        let (mut killed, mut late) = (Vec::new(), Vec::new());
        let mut failures = 0;
        let mut refused = None;
        for batch in wanted.chunks(size) {
            let (batch, has_ended) = match self.kill_batch(&scheduler, key, batch, is_all).await {
                Ok(done) => done,
                Err(failure) => {
                    refused = Some(failure);
                    break;
                }
            };
            if has_ended {
                killed.extend_from_slice(&batch);
                if !self.output.is_data() {
                    print(&format!("Successfully killed instances {batch:?}\n"))?;
                }
                continue;
            }
            note(&format!("Instances {batch:?} were not killed in time"));
            late.extend_from_slice(&batch);
            failures += 1;
            if failures > self.max_total_failures {
                break;
            }
        }
        let is_begun = !killed.is_empty() || !late.is_empty();
        if self.open_browser.is_wanted() && (is_begun || refused.is_none()) {
            self.open_browser.show(&scheduler.page_of(&key.job).await);
        }
        if self.output.is_data() && (is_begun || refused.is_none()) {
            self.output.print(
                &json!({ "job": key.to_string(), "killed": killed, "not_killed_in_time": late }),
            )?;
        }
        if let Some(failure) = refused {
            let done = match (killed.as_slice(), late.as_slice()) {
                ([], []) => return Err(failure),
                (killed, []) => format!("instances {killed:?} of {key} were killed before that"),
                ([], late) => format!("instances {late:?} of {key} were told to end before that"),
                (killed, late) => format!(
                    "instances {killed:?} of {key} were killed before that, and {late:?} told to end"
                ),
            };
            return Err(failure.after(done));
        }
        if failures > 0 {
            let code = if self.no_batching { Code::Timeout } else { Code::CommandFailure };
            return Err(Failure::new(
                code,
                format!(
                    "instances {late:?} of {key} have not ended within {}",
                    words(self.timeout)
                ),
            ));
        }
        if self.output.is_data() { Ok(()) } else { print(&format!("Job {verb} succeeded\n")) }
    }

    /// Kills a batch and waits. Gives the instances that were told to end, and whether they did in time.
    async fn kill_batch(
        &self,
        scheduler: &Scheduler,
        key: &ClusterJobKey,
        batch: &[u32],
        is_all: bool,
    ) -> Result<(Vec<u32>, bool), Failure> {
        // Whoever means all means those too that were added since they were counted.
        let named = if is_all { Vec::new() } else { batch.to_vec() };
        let told = scheduler.kill(&key.job, named, self.message.clone()).await?;
        let batch: BTreeSet<u32> = batch.iter().copied().chain(told).collect();
        let waiting = wait::wait(scheduler, &key.job, Some(&batch), wait::Until::Ended);
        let has_ended = match tokio::time::timeout(self.timeout, waiting).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                let batch = Vec::from_iter(batch);
                let told = format_args!("instances {batch:?} of {key} were told to end");
                return Err(error.after(told).into());
            }
            Err(_) => false,
        };
        Ok((batch.into_iter().collect(), has_ended))
    }
}
