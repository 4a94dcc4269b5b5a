//! `query`: tasks, one on each line.

use std::collections::BTreeSet;

use aurora_api::v1;
use aurora_client::keys::instance_set;
use aurora_model::job::{ScheduledTask, TaskState};
use aurora_model::key::Role;

use super::target::Target;
use super::template::{Template, document};
use super::{task_state, wire};
use crate::failure::{Code, Failure};
use crate::output::{Output, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Only of this role.
    #[arg(value_name = "ROLE")]
    role: Option<Role>,
    /// Only of the jobs of this name.
    #[arg(value_name = "JOB")]
    job: Option<String>,
    /// Only in this environment.
    #[arg(long, visible_alias = "environment", value_name = "NAME")]
    env: Option<String>,
    /// Only these instances, such as 0,2-5.
    #[arg(long, value_name = "INSTANCES", value_parser = instance_set)]
    shards: Option<BTreeSet<u32>>,
    /// Only in these states.
    #[arg(
        long,
        value_name = "STATE,…",
        value_delimiter = ',',
        default_value = "RUNNING",
        value_parser = task_state
    )]
    states: Vec<TaskState>,
    /// What to print of each task: %taskId%, %slaveHost% and so on stand for what it has.
    #[arg(
        long,
        short = 'l',
        value_name = "TEXT",
        default_value = "%role%/%name%/%instanceId% %status%"
    )]
    listformat: Template,
    /// Ask for all roles, all jobs, or tasks that have ended, which may be many.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        self.check_size()?;
        let scheduler = self.target.scheduler().await?;
        let query = v1::TaskQuery {
            role: self.role.as_ref().map(ToString::to_string).unwrap_or_default(),
            environment: self.env.clone().unwrap_or_default(),
            name: self.job.clone().unwrap_or_default(),
            states: wire(self.states.iter().copied()),
            instances: self.shards.iter().flatten().copied().collect(),
            ..v1::TaskQuery::default()
        };
        let tasks = if self.output.is_data() || self.listformat.needs_executor() {
            let found = scheduler.tasks(query).await?.tasks;
            let found = found.into_iter().map(ScheduledTask::try_from).collect::<Result<_, _>>();
            found.map_err(|error| Failure::new(Code::Api, error.to_string()))?
        } else {
            scheduler.bare_tasks(query).await?
        };
        let documents = tasks.iter().map(document);
        if self.output.is_data() {
            return self.output.print(&documents.collect::<Vec<_>>());
        }
        print(&documents.map(|it| self.listformat.fill(&it) + "\n").collect::<String>())
    }

    /// Refuses what may be more than was meant.
    fn check_size(&self) -> Result<(), Failure> {
        let ended = self.states.iter().find(|state| !state.is_active());
        let all = match (&self.role, &self.job, ended) {
            _ if self.force => return Ok(()),
            (None, ..) => "all roles".to_owned(),
            (_, None, _) => "all jobs of a role".to_owned(),
            (.., Some(state)) => format!("{state} tasks"),
            _ => return Ok(()),
        };
        let message = format!("this asks for {all}, which may be many: say so with --force");
        Err(Failure::new(Code::Usage, message))
    }
}
