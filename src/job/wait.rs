//! `aurora job wait`.

use std::time::Duration;

use aurora_api::v1;
use aurora_client::{
    Connection, Scheduler,
    keys::InstancesKey,
    near,
    scheduler::{instances_of, tasks_of},
    updates::{self, Aim},
    wait::{self, Until, Wait},
};
use serde_json::json;

use crate::failure::{Code, Failure};
use crate::live::Progress;
use crate::output::{Output, print};
use crate::timeout::{Timeout, duration, words};
use crate::update;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Condition {
    /// Every instance runs, all at the same time; an instance is RUNNING when its health checks say so.
    Running,
    /// The same, without a break for as long as --stable-for says.
    Healthy,
    /// Every instance has ended, and well.
    Finished,
    /// Every instance has ended, however.
    Ended,
    /// Nothing of it is active, and nothing need have been.
    Gone,
    /// The active update, or the last one, has brought the job to its new version.
    Update,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job, or instances of it: cluster/role/environment/name or …/name/0,2-4.
    #[arg(value_name = "JOB[/INSTANCES]")]
    key: InstancesKey,
    /// Wait for this.
    #[arg(long = "for", value_enum, ignore_case = true, value_name = "CONDITION")]
    condition: Condition,
    /// How long `healthy` must hold.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    stable_for: Duration,
    #[command(flatten)]
    timeout: Timeout,
    #[command(flatten)]
    progress: Progress,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let key = &self.key.job;
        let stable = match self.condition {
            Condition::Healthy => self.stable_for,
            _ => Duration::ZERO,
        };
        if let Some(timeout) = self.timeout.timeout.filter(|timeout| *timeout < stable) {
            return Err(Failure::new(
                Code::Usage,
                format!(
                    "--timeout {} is over before anything has been well for {}: give a longer one, or a shorter \
                     --stable-for",
                    words(timeout),
                    words(stable)
                ),
            ));
        }
        let scheduler = Scheduler::of_cluster(&key.cluster, &self.connection).await?;
        let until = match self.condition {
            Condition::Running | Condition::Healthy => Until::Running,
            Condition::Finished => Until::Finished,
            Condition::Ended | Condition::Gone => Until::Ended,
            Condition::Update => return self.update(&scheduler).await,
        };
        if self.condition != Condition::Gone {
            self.check_there(&scheduler).await?;
        }
        let wait = Wait { until, stable, timeout: self.timeout.timeout };
        wait::wait(&scheduler, &key.job, self.key.instances.as_ref(), wait).await?;
        let condition = clap::ValueEnum::to_possible_value(&self.condition);
        let condition = condition.map(|value| value.get_name().to_owned()).unwrap_or_default();
        if self.output.is_data() {
            return self.output.print(&json!({ "job": key.to_string(), "condition": condition }));
        }
        print(&format!("{key} is {condition}\n"))
    }

    /// What there never was is not waited for.
    async fn check_there(&self, scheduler: &Scheduler) -> Result<(), Failure> {
        let key = &self.key.job;
        let named = self.key.instances.as_ref();
        let query = v1::TaskQuery {
            instances: named.into_iter().flatten().copied().collect(),
            ..tasks_of(&key.job)
        };
        let there = instances_of(&scheduler.tasks(query).await?.tasks);
        let missing: Vec<u32> =
            named.into_iter().flatten().copied().filter(|it| !there.contains(it)).collect();
        if !missing.is_empty() {
            return Err(Failure::new(
                Code::InvalidParameter,
                format!("{key} has no instances {missing:?}: there is nothing to wait for"),
            ));
        }
        if there.is_empty() {
            return Err(Failure::new(
                Code::InvalidParameter,
                format!(
                    "{key} has no tasks: there is nothing to wait for{}",
                    near::hint_of(scheduler, key).await
                ),
            ));
        }
        Ok(())
    }

    async fn update(&self, scheduler: &Scheduler) -> Result<(), Failure> {
        let key = &self.key.job;
        let Some(found) = updates::latest(scheduler, &key.job).await? else {
            return Err(Failure::new(
                Code::InvalidParameter,
                format!("{key} has had no update: there is nothing to wait for"),
            ));
        };
        let (output, progress) = (self.output, self.progress);
        let followed = update::follow(scheduler, key, &found.key, Aim::Forward, output, progress);
        update::within(self.timeout.timeout, &found.key.id, followed).await
    }
}
