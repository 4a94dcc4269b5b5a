//! `aurora deploy`: brings a job to what a file says, tells how that went, and can be done again at any time.

mod accompany;
mod course;
mod summary;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use aurora_api::v1;
use aurora_client::deploy::{Deployment, Step, active};
use aurora_client::keys::InstancesKey;
use aurora_client::plan::{Plan, PlanId};
use aurora_client::updates::status;
use aurora_client::{Connection, Scheduler};
use aurora_eval::ReadyJob;
use aurora_model::key::ClusterJobKey;

use crate::ask::{answer, is_yes};
use crate::config::is_stdin;
use crate::failure::{Code, Failure};
use crate::job::{File, ask_plan, plan_text};
use crate::output::{Output, note, print, warn};
use crate::update::request;
use accompany::{Choice, Signals};
use course::{Course, Followed, note_pause};
use summary::Summary;

/// How long a scheduler may be out of reach once it has answered: another one may be about to take over.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest idempotency key, in characters.
const MAX_KEY: usize = 200;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job: cluster/role/environment/name.
    #[arg(value_name = "JOB")]
    key: ClusterJobKey,
    #[command(flatten)]
    file: File,
    /// Do not ask. Needed where there is no terminal to ask on.
    #[arg(long, short = 'y')]
    yes: bool,
    /// Deploy only if a plan with this id is still what would happen: `aurora plan` gives it.
    #[arg(long, value_name = "ID")]
    check_plan: Option<PlanId>,
    /// Which deployment this is, such as the commit: while it goes on, the same command with the same key follows
    /// it instead of failing [default: what the file comes to].
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    idempotency_key: Option<String>,
    /// Why, to be kept with the update.
    #[arg(long, short = 'm', value_name = "TEXT")]
    message: Option<String>,
    /// Begin, and do not wait for the end.
    #[arg(long, conflicts_with_all = ["timeout", "on_timeout", "on_interrupt"])]
    no_wait: bool,
    /// Wait no longer than this, such as 90s, 5m or 1h30m; then the status is 9. Without it there is no limit.
    #[arg(long, value_name = "TIME", value_parser = crate::timeout::duration)]
    timeout: Option<Duration>,
    /// What becomes of the deployment if the time is over.
    #[arg(long, value_enum, default_value = "leave", value_name = "WHAT")]
    on_timeout: Choice,
    /// What becomes of the deployment on Ctrl-C or SIGTERM [default: to ask on a terminal, leave elsewhere].
    #[arg(long, value_enum, value_name = "WHAT")]
    on_interrupt: Option<Choice>,
    /// Write the summary to this file as JSON, whatever the form on standard output.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

fn idempotency_key(text: &str) -> Result<String, String> {
    let is_proper =
        (1..=MAX_KEY).contains(&text.chars().count()) && text.chars().all(|c| c.is_ascii_graphic());
    match is_proper {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "give 1 to {MAX_KEY} letters, digits and signs without blanks, such as the id of a commit"
        )),
    }
}

impl Args {
    pub(crate) async fn run(self) -> Result<ExitCode, Failure> {
        if !self.yes && !self.can_ask() {
            return Err(Failure::new(
                Code::Usage,
                "there is no terminal to ask on whether to deploy: give --yes to deploy without a question",
            ));
        }
        let mut summary = Summary::begin(&self.key);
        let ended = self.deploy(&mut summary).await;
        summary.end(&ended);
        let written = self.summary.as_ref().map_or(Ok(()), |file| summary.write(file));
        let printed = if self.output.is_data() {
            self.output.print(&summary)
        } else if ended.is_ok() {
            print(&summary.text())
        } else {
            Ok(())
        };
        let told = written.and(printed);
        // How the deployment has ended counts for more than where that is written.
        if let (Err(_), Err(failure)) = (&ended, &told) {
            warn(&failure.to_string());
        }
        ended.and(told).map(|()| ExitCode::SUCCESS)
    }

    /// Whether somebody can be asked, and the standard input is not the file.
    fn can_ask(&self) -> bool {
        !is_stdin(&self.file.path)
            && std::io::stdin().is_terminal()
            && std::io::stderr().is_terminal()
    }

    async fn deploy(&self, summary: &mut Summary) -> Result<(), Failure> {
        let mut signals = Signals::listen()?;
        let job = self.file.job_to_update(&self.key, &self.connection);
        let job = signals.unless_interrupted(job).await?;
        let ready = signals.unless_interrupted(self.prepare(&job, summary)).await?;
        let Some(Ready { scheduler, deployment, step }) = ready else { return Ok(()) };
        let begun = match step {
            Step::Nothing | Step::Refused(_) => None,
            Step::Join(update) => Some(Followed::Update(update)),
            Step::Schedule => {
                let begin = async {
                    let job = v1::JobConfiguration::from(&job.request);
                    Ok(scheduler.schedule_cron(job).await?)
                };
                signals.begin(begin, || self.unknown("cron show")).await?;
                summary.result("scheduled");
                None
            }
            Step::Create => {
                let begin = self.create(&scheduler, &job, &deployment);
                Some(signals.begin(begin, || self.unknown("job status")).await?)
            }
            Step::Update => {
                let begin = self.update(&scheduler, &job, &deployment, summary);
                signals.begin(begin, || self.unknown("update list")).await?
            }
        };
        let Some(followed) = begun else { return Ok(()) };
        if let Followed::Update(update) = &followed {
            summary.update_id = Some(update.id.clone());
        }
        if self.no_wait {
            summary.result("started");
            return Ok(());
        }
        let limits = accompany::Limits {
            timeout: self.timeout,
            on_timeout: self.on_timeout,
            on_interrupt: self.on_interrupt,
            can_ask: self.can_ask(),
        };
        let course = Course { scheduler: &scheduler, job: &self.key, followed };
        course.run(&limits, &mut signals, summary).await
    }

    /// Everything before the deployment: the plan, and whether it is wanted. Nothing if there is nothing to do.
    async fn prepare(
        &self,
        job: &ReadyJob,
        summary: &mut Summary,
    ) -> Result<Option<Ready>, Failure> {
        let scheduler = Scheduler::of_cluster(&self.key.cluster, &self.connection).await?;
        let key = InstancesKey { job: self.key.clone(), instances: None };
        let before = active(&scheduler, &self.key.job).await?;
        let mut plan = ask_plan(&scheduler, job, &key, true).await?;
        let scheduler = scheduler.patient(PATIENCE);
        let going_on = active(&scheduler, &self.key.job).await?;
        if going_on.is_none() && (before.is_some() || !plan.conflicts.is_empty()) {
            // An update has ended since then: it may have stood in the way, and has changed what runs.
            plan = ask_plan(&scheduler, job, &key, true).await?;
        }
        self.show(&plan)?;
        let deployment = Deployment::new(&plan, self.idempotency_key.as_deref());
        summary.plan(&plan);
        summary.url = Some(scheduler.page_of(&self.key.job).await);
        let step = deployment.step(&plan, going_on.as_ref());
        if let Some(planned) = &self.check_plan {
            let checked = match step {
                Step::Nothing | Step::Refused(_) => Ok(()),
                // What runs is being changed by this very deployment.
                Step::Join(_) => plan.check_wanted(planned),
                Step::Create | Step::Update | Step::Schedule => plan.check(planned),
            };
            checked.inspect_err(|_| summary.result("refused"))?;
        }
        match &step {
            Step::Nothing => {
                summary.result("unchanged");
                return Ok(None);
            }
            Step::Refused(why) => return Err(refused(summary, &self.key, why)),
            Step::Join(update) => {
                note(&format!("This deployment goes on already, as update {}", update.id));
                // Who follows it is told on the way.
                if let Some(going_on) = going_on.as_ref().filter(|_| self.no_wait) {
                    note_pause(&self.key, &update.id, status(going_on.status)?);
                }
            }
            Step::Create | Step::Update | Step::Schedule => {
                if !self.yes && !is_yes(&answer("Deploy this? [y/N] ").await?) {
                    return Err(refused(summary, &self.key, "nobody said yes"));
                }
            }
        }
        Ok(Some(Ready { scheduler, deployment, step }))
    }

    /// Whoever does not wait for the answer is told how to find out.
    fn unknown(&self, look: &str) -> String {
        let job = &self.key;
        format!(
            "interrupted: whether the deployment has begun is not known; `aurora {look} {job}` tells"
        )
    }

    fn show(&self, plan: &Plan) -> Result<(), Failure> {
        let text = plan_text::text(plan, &self.key);
        if self.output.is_data() {
            note(text.trim_end());
            return Ok(());
        }
        print(&text)
    }

    /// Starts an update. If another process of this deployment was faster, its update is the one to follow. Nothing if
    /// there is nothing to update.
    async fn update(
        &self,
        scheduler: &Scheduler,
        job: &ReadyJob,
        deployment: &Deployment,
        summary: &mut Summary,
    ) -> Result<Option<Followed>, Failure> {
        let id = uuid::Uuid::new_v4().to_string();
        let mut update = request(job, None, &id)?;
        deployment.mark(&mut update);
        let started = scheduler.start_update((&update).into(), &id, self.message.clone()).await;
        let key = match started {
            Ok(Some(key)) => key,
            Ok(None) => {
                summary.result("unchanged");
                return Ok(None);
            }
            Err(error) => match active(scheduler, &self.key.job).await? {
                Some(faster) => match deployment.beside(&faster) {
                    Step::Join(key) => key,
                    _ => return Err(refused(summary, &self.key, &error.to_string())),
                },
                None => return Err(error.into()),
            },
        };
        note(&format!("Update {} has started", key.id));
        Ok(Some(Followed::Update(key)))
    }

    /// Creates a batch job.
    async fn create(
        &self,
        scheduler: &Scheduler,
        job: &ReadyJob,
        deployment: &Deployment,
    ) -> Result<Followed, Failure> {
        let wanted = v1::JobConfiguration::from(&job.request);
        match &self.idempotency_key {
            // Only what the caller says is the same deployment is.
            Some(_) => {
                scheduler.create_once(wanted, deployment.request_id(&self.key.job)).await?;
            }
            None => {
                scheduler.create(wanted).await?;
            }
        }
        note(&format!("{} has been created", self.key));
        Ok(Followed::Batch(job.request.instance_count))
    }
}

/// A deployment that can begin.
struct Ready {
    scheduler: Scheduler,
    deployment: Deployment,
    step: Step,
}

fn refused(summary: &mut Summary, key: &ClusterJobKey, why: &str) -> Failure {
    summary.result("refused");
    Failure::new(Code::CommandFailure, format!("{key} was not deployed: {why}"))
}
