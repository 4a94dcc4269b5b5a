//! How well jobs are served.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use aurora_api::v1;
use aurora_model::job::Timestamp;
use aurora_model::key::JobKey;

use super::{Scheduler, tasks_of};
use crate::error::Error;
use crate::sla::{Fleet, Uptimes, live_states};

/// Jobs or hosts that one question names.
const SOME: usize = 1000;

/// The clock of this machine.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl Scheduler {
    /// For how long the live instances of a job have been up.
    pub async fn uptimes(&self, job: &JobKey) -> Result<Uptimes, Error> {
        let query = v1::TaskQuery { states: live_states(), ..tasks_of(job) };
        Ok(Uptimes::of(&self.bare_tasks(query).await?, now()))
    }

    /// The large production jobs that have instances on some hosts, or all of them.
    pub async fn fleet(
        &self,
        hosts: Option<&BTreeSet<String>>,
        min_instances: usize,
    ) -> Result<Fleet, Error> {
        let live = || v1::TaskQuery { states: live_states(), ..v1::TaskQuery::default() };
        let Some(hosts) = hosts else {
            return Ok(Fleet::of(&self.bare_tasks(live()).await?, min_instances, now()));
        };
        let mut jobs = BTreeSet::new();
        let hosts: Vec<&String> = hosts.iter().collect();
        for some in hosts.chunks(SOME) {
            let agent_hosts = some.iter().map(|host| (*host).clone()).collect();
            let found = self.bare_tasks(v1::TaskQuery { agent_hosts, ..live() }).await?;
            jobs.extend(found.iter().map(|task| task.job().clone()));
        }
        let mut tasks = Vec::new();
        let jobs: Vec<JobKey> = jobs.into_iter().collect();
        for some in jobs.chunks(SOME) {
            let jobs = some.iter().map(v1::JobKey::from).collect();
            tasks.extend(self.bare_tasks(v1::TaskQuery { jobs, ..live() }).await?);
        }
        Ok(Fleet::of(&tasks, min_instances, now()))
    }
}
