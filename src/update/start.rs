//! `aurora update start`.

use std::collections::BTreeSet;

use aurora_client::{Connection, Scheduler, keys::InstancesKey, plan::PlanId, updates::Aim};
use aurora_eval::ReadyJob;
use aurora_model::update::{JobUpdateRequest, UpdateSettings, to_ranges};
use serde_json::json;

use super::{Message, wait};
use crate::browser::OpenBrowser;
use crate::dry_run::DryRun;
use crate::failure::{Code, Failure};
use crate::job::{File, ask_plan, dry_run, tell_conflicts, text, warn_ignored};
use crate::live::Progress;
use crate::output::{Output, note, print};
use crate::timeout::Timeout;

/// By this name the original's client marks its updates.
const MARK: &str = "org.apache.aurora.client.update_id";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job, or instances of it: cluster/role/environment/name or …/name/0,2-4.
    #[arg(value_name = "JOB[/INSTANCES]")]
    key: InstancesKey,
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    message: Message,
    /// Wait until it is over: 0 if the job is what the file says, 4 if it is what it was, 20 otherwise.
    #[arg(long)]
    wait: bool,
    /// Start nothing unless a plan with this id is still what would happen: `aurora plan` gives it.
    #[arg(long, value_name = "ID")]
    check_plan: Option<PlanId>,
    #[command(flatten)]
    progress: Progress,
    #[command(flatten)]
    timeout: Timeout,
    #[command(flatten)]
    open_browser: OpenBrowser,
    /// Has no effect.
    #[arg(long, hide = true)]
    strict: bool,
    /// Has no effect.
    #[arg(long, hide = true, value_name = "SECONDS")]
    healthcheck_interval_seconds: Option<u32>,
    #[command(flatten)]
    dry_run: DryRun,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let key = &self.key.job;
        if self.strict {
            warn_ignored("--strict", "an update also makes the instances that are not there");
        }
        if self.healthcheck_interval_seconds.is_some() {
            warn_ignored("--healthcheck-interval-seconds", "the scheduler watches the instances");
        }
        let job = self.file.job_to_update(key, &self.connection).await?;
        if let Some(schedule) = &job.request.cron_schedule {
            return Err(Failure::new(
                Code::CommandFailure,
                format!(
                    "{key} has the cron schedule {schedule:?}: it cannot be updated, only scheduled, with `aurora cron schedule`"
                ),
            ));
        }
        let id = uuid::Uuid::new_v4().to_string();
        let update = request(&job, self.key.instances.as_ref(), &id)?;
        let scheduler = Scheduler::of_cluster(&key.cluster, &self.connection).await?;
        if self.dry_run.dry_run {
            return dry_run(&scheduler, &job, &self.key, Code::Api, self.output).await.map(drop);
        }
        let plan = ask_plan(&scheduler, &job, &self.key, false).await?;
        tell_conflicts(&plan);
        let changes = text(&plan.found);
        if self.output.is_data() {
            note(changes.trim_end());
        } else {
            print(&changes)?;
        }
        if let Some(planned) = &self.check_plan {
            plan.check(planned)?;
        }
        let message = self.message.message.clone();
        let Some(started) = scheduler.start_update((&update).into(), &id, message).await? else {
            return self.nothing_to_do();
        };
        let page = scheduler.page_of(&job.request.key).await;
        self.open_browser.show(&page);
        if self.wait {
            note(&started_text(&started.id, &page));
            let (output, progress) = (self.output, self.progress);
            let followed = wait::follow(&scheduler, key, &started, Aim::Forward, output, progress);
            return wait::within(self.timeout.timeout, &started.id, followed).await;
        }
        if self.output.is_data() {
            return self
                .output
                .print(&json!({ "job": key.to_string(), "id": started.id, "url": page }));
        }
        print(&(started_text(&started.id, &page) + "\n"))
    }

    fn nothing_to_do(&self) -> Result<(), Failure> {
        let key = &self.key.job;
        if self.output.is_data() {
            return self.output.print(&json!({ "job": key.to_string(), "id": null, "url": null }));
        }
        print(&format!("{key} is what the file says: there is nothing to update\n"))
    }
}

fn started_text(id: &str, page: &str) -> String {
    format!("Job update has started. View your update progress at {page}\nUpdate id: {id}")
}

/// What is asked for; `id` marks it as this client's.
pub(crate) fn request(
    job: &ReadyJob,
    only: Option<&BTreeSet<u32>>,
    id: &str,
) -> Result<JobUpdateRequest, Failure> {
    let settings = job.config.update_config.clone().unwrap_or_default();
    let settings = UpdateSettings::try_from(&settings)
        .map_err(|error| Failure::new(Code::InvalidConfiguration, error.to_string()))?;
    Ok(JobUpdateRequest {
        task: job.request.task.clone(),
        instance_count: job.request.instance_count,
        settings: UpdateSettings {
            only_instances: to_ranges(only.into_iter().flatten().copied()),
            ..settings
        },
        metadata: [(MARK.to_owned(), id.to_owned())].into(),
    })
}
