//! `aurora job restart`.

use std::time::Duration;

use aurora_client::{
    Connection, Error, Scheduler,
    keys::InstancesKey,
    near,
    restart::{Limits, Outcome, Restart, Step},
    scheduler::instances_of,
};
use serde_json::json;

use super::{Checked, near_if, warn_ignored};
use crate::browser::OpenBrowser;
use crate::dry_run::{DryRun, would};
use crate::failure::{Code, Failure};
use crate::number;
use crate::output::{Output, note, print};
use crate::timeout::{Timeout, words};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job, or instances of it: cluster/role/environment/name or …/name/0,2-4.
    #[arg(value_name = "JOB[/INSTANCES]")]
    key: InstancesKey,
    /// Restart so many instances at a time, and wait for them before the next.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = number::from::<u32>(1))]
    batch_size: u32,
    /// An instance is well when it has run for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = number::from::<u32>(0))]
    watch_secs: u32,
    /// Restart an instance that is not well again, so many times.
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = number::signed)]
    max_per_instance_failures: i64,
    /// Go on although so many instances have not come up well.
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = number::signed)]
    max_total_failures: i64,
    /// Fail unless every named instance is active.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    timeout: Timeout,
    #[command(flatten)]
    dry_run: DryRun,
    #[command(flatten)]
    checked: Checked,
    #[command(flatten)]
    open_browser: OpenBrowser,
    /// Has no effect.
    #[arg(long, hide = true)]
    force: bool,
    /// Has no effect.
    #[arg(long, hide = true, value_name = "SECONDS", value_parser = number::from::<u32>(0))]
    healthcheck_interval_seconds: Option<u32>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let key = &self.key.job;
        let limits = self.limits()?;
        if self.force {
            warn_ignored("--force", "a restart is never held back");
        }
        if self.healthcheck_interval_seconds.is_some() {
            warn_ignored("--healthcheck-interval-seconds", "changes are told when they happen");
        }
        self.checked.check(key, &self.connection).await?;
        let scheduler = Scheduler::of_cluster(&key.cluster, &self.connection).await?;
        // That the scheduler does not say is no mistake of who asked (`client.md` 15, 54).
        let active = scheduler.active(&key.job).await.map_err(Error::on_the_way)?;
        let active = instances_of(&active);
        let named = self.key.instances.as_ref();
        let missing: Vec<u32> =
            named.into_iter().flatten().copied().filter(|i| !active.contains(i)).collect();
        if self.strict && !missing.is_empty() {
            return Err(Failure::new(
                Code::InvalidParameter,
                format!(
                    "instances {missing:?} of {key} are not active: nothing was restarted{}",
                    near_if(active.is_empty(), &scheduler, key).await
                ),
            ));
        }
        let instances = named.unwrap_or(&active);
        if self.dry_run.dry_run {
            return would("restart", key, &Vec::from_iter(instances.iter().copied()), self.output);
        }
        if instances.is_empty() {
            let near = near::hint_of(&scheduler, key).await;
            note(&format!("{key} has no active tasks to restart{near}"));
        }
        let watch = Duration::from_secs(self.watch_secs.into());
        let instances = instances.iter().copied();
        let mut restart = Restart::new(&scheduler, &key.job, instances, limits, watch);
        let running = restart.run(tell);
        let is_late = match self.timeout.timeout {
            None => running.await.map(|()| false),
            Some(timeout) => match tokio::time::timeout(timeout, running).await {
                Ok(ended) => ended.map(|()| false),
                Err(_) => Ok(true),
            },
        };
        let outcome = restart.outcome();
        let is_late = match is_late {
            Ok(is_late) => is_late,
            Err(failure) => {
                let failed: Vec<u32> = outcome.failed.keys().copied().collect();
                let done = match (outcome.restarted.as_slice(), failed.as_slice()) {
                    ([], []) => return Err(failure),
                    (well, []) => format!("instances {well:?} of {key} were restarted"),
                    ([], failed) => format!("instances {failed:?} of {key} have not come up well"),
                    (well, failed) => format!(
                        "instances {well:?} of {key} were restarted, and {failed:?} have not come up well"
                    ),
                };
                self.print(&outcome)?;
                return Err(failure.after(done));
            }
        };
        if self.open_browser.is_wanted() {
            self.open_browser.show(&scheduler.page_of(&key.job).await);
        }
        self.end(&outcome, is_late)
    }

    fn limits(&self) -> Result<Limits, Failure> {
        let wrong = || {
            Failure::new(
                Code::InvalidParameter,
                format!(
                    "--max-total-failures is {}; it must be 0 or more",
                    self.max_total_failures
                ),
            )
        };
        Ok(Limits {
            batch_size: self.batch_size as usize,
            // As in the original, a negative one is none.
            max_per_instance_failures: u32::try_from(self.max_per_instance_failures.max(0))
                .unwrap_or(u32::MAX),
            max_total_failures: match u64::try_from(self.max_total_failures) {
                Ok(count) => u32::try_from(count).unwrap_or(u32::MAX),
                Err(_) => return Err(wrong()),
            },
        })
    }

    /// Prints the result for programs, if it is for them.
    fn print(&self, outcome: &Outcome) -> Result<(), Failure> {
        let Outcome { restarted, failed, left, .. } = outcome;
        if !self.output.is_data() {
            return Ok(());
        }
        self.output.print(&json!({
            "job": self.key.job.to_string(),
            "restarted": restarted,
            "failed": failed.iter()
                .map(|(instance, why)| json!({ "instance": instance, "reason": why }))
                .collect::<Vec<_>>(),
            "left": left,
        }))
    }

    fn end(&self, outcome: &Outcome, is_late: bool) -> Result<(), Failure> {
        let key = &self.key.job;
        let Outcome { failed, left, is_enough, .. } = outcome;
        self.print(outcome)?;
        let failures: Vec<u32> = failed.keys().copied().collect();
        if *is_enough {
            let rest = if left.is_empty() {
                String::new()
            } else {
                format!("; {left:?} were not restarted, or not to their end")
            };
            return Err(Failure::new(
                Code::CommandFailure,
                format!("instances {failures:?} of {key} have not come up well{rest}"),
            ));
        }
        if is_late {
            let after = self.timeout.timeout.map(words).unwrap_or_default();
            return Err(Failure::new(
                Code::Timeout,
                format!("the restart of {key} is not over after {after}: {left:?} are not done"),
            ));
        }
        if !failures.is_empty() {
            note(&format!("Instances {failures:?} have not come up well, as many as may"));
        }
        if self.output.is_data() {
            return Ok(());
        }
        print(&format!("Job {key} restarted successfully\n"))
    }
}

fn tell(step: Step<'_>) -> Result<(), Failure> {
    note(&match step {
        Step::Begins(batch) => format!("Restarting instances {batch:?}"),
        Step::Well(instance) => format!("Instance {instance} runs well"),
        Step::Failed(instance, why) => format!("Instance {instance} is not well: {why}"),
    });
    Ok(())
}
