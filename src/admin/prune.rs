//! `prune_tasks`: forgetting tasks that have ended.

use std::collections::BTreeMap;

use aurora_api::v1;
use aurora_client::Scheduler;
use aurora_model::job::TaskState;
use aurora_model::key::Role;
use serde_json::json;

use super::consent::Consent;
use super::target::Target;
use super::{task_state, wire};
use crate::failure::Failure;
use crate::number;
use crate::output::{Output, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Only in these states, of those in which a task has ended; all of them if none is named.
    #[arg(long, value_name = "STATE,…", value_delimiter = ',', value_parser = ended_state)]
    states: Vec<TaskState>,
    /// Only of this role.
    #[arg(long, value_name = "ROLE")]
    role: Option<Role>,
    /// Only in this environment.
    #[arg(long, visible_alias = "environment", value_name = "NAME")]
    env: Option<String>,
    /// At most so many; 0 is no limit.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = number::from::<u32>(0))]
    limit: u32,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = self.target.scheduler().await?;
        let limit = (self.limit > 0).then_some(self.limit);
        let query = self.query();
        if self.consent.dry_run || self.consent.asks() {
            let would = Would::find(&scheduler, query.clone(), limit).await?;
            if self.consent.dry_run {
                return self.show(&would);
            }
            let cluster = &self.target.name;
            self.consent.ask(&format!("This forgets {} of {cluster}.", would.words())).await?;
        }
        let pruned = scheduler.prune(query, limit).await?;
        if self.output.is_data() {
            return self.output.print(&json!({ "pruned": pruned }));
        }
        print(&format!("Tasks pruned: {pruned}\n"))
    }

    fn query(&self) -> v1::TaskQuery {
        let states = if self.states.is_empty() { ended().collect() } else { self.states.clone() };
        v1::TaskQuery {
            role: self.role.as_ref().map(ToString::to_string).unwrap_or_default(),
            environment: self.env.clone().unwrap_or_default(),
            states: wire(states),
            ..v1::TaskQuery::default()
        }
    }

    fn show(&self, would: &Would) -> Result<(), Failure> {
        if self.output.is_data() {
            return self
                .output
                .print(&json!({ "wouldPrune": would.count, "states": would.states }));
        }
        print(&format!("Would prune {}\n", would.words()))
    }
}

/// What would be forgotten.
struct Would {
    count: u64,
    /// Those that match, by their states.
    states: BTreeMap<&'static str, u64>,
}

impl Would {
    async fn find(
        scheduler: &Scheduler,
        query: v1::TaskQuery,
        limit: Option<u32>,
    ) -> Result<Self, Failure> {
        let mut states = BTreeMap::new();
        for task in scheduler.bare_tasks(query).await? {
            *states.entry(task.state.name()).or_default() += 1;
        }
        let all: u64 = states.values().sum();
        Ok(Self { count: limit.map_or(all, |limit| all.min(limit.into())), states })
    }

    /// `5 tasks (of 2 FAILED, 7 FINISHED)`.
    fn words(&self) -> String {
        let states: Vec<String> =
            self.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        match states.as_slice() {
            [] => "no tasks".to_owned(),
            states => format!("{} tasks (of {})", self.count, states.join(", ")),
        }
    }
}

fn ended() -> impl Iterator<Item = TaskState> {
    TaskState::ALL.into_iter().filter(|state| state.is_terminal())
}

/// A state in which a task has ended.
fn ended_state(text: &str) -> Result<TaskState, String> {
    let names: Vec<&str> = ended().map(TaskState::name).collect();
    match task_state(text)? {
        state if state.is_terminal() => Ok(state),
        state => Err(format!(
            "a task that is {state} has not ended: only {} can be forgotten",
            names.join(", ")
        )),
    }
}
