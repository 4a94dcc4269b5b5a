//! Bringing a job to what a file says, so that it can be done again at any time: what is to be done, and how what
//! was begun has ended.

use aurora_api::v1;
use aurora_model::job::TaskState;
use aurora_model::key::JobKey;
use aurora_model::update::JobUpdateRequest;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::plan::{Action, Plan};
use crate::scheduler::{Scheduler, tasks_of};
use crate::updates::find_active;
use crate::wait::Latest;

/// By this name an update says which deployment it is.
const KEY: &str = "org.apache.aurora.client.idempotency_key";
/// By this name an update says what it brings the job to.
const CONTENT: &str = "org.apache.aurora.client.content";

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The job is what the file says.
    Nothing,
    /// A batch job of which nothing runs: it is created.
    Create,
    /// A service: it is updated, from nothing if it is not there.
    Update,
    /// A cron job: it is scheduled.
    Schedule,
    /// This deployment goes on already: its update is followed.
    Join(v1::UpdateKey),
    /// It cannot be done as things are.
    Refused(String),
}

/// Which deployment it is: what a caller calls it, and what it brings the job to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    key: String,
    content: String,
}

impl Deployment {
    /// The deployment of what a plan is of. Without a key of the caller's it is known by its content.
    pub fn new(plan: &Plan, key: Option<&str>) -> Self {
        let content = plan.id.wanted().to_owned();
        Self { key: key.map_or_else(|| content.clone(), ToOwned::to_owned), content }
    }

    /// What marks its update.
    pub fn mark(&self, update: &mut JobUpdateRequest) {
        for (name, value) in [(KEY, &self.key), (CONTENT, &self.content)] {
            update.metadata.insert((name.to_owned(), value.clone()));
        }
    }

    /// The id of its only request to create a job, the same however often it is made.
    pub fn request_id(&self, job: &JobKey) -> String {
        let digest = Sha256::digest(format!("{job} {} {}", self.key, self.content).as_bytes());
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("deploy-{hex}")
    }

    /// What is to be done, as things are: what is planned, and the update of the job that goes on.
    pub fn step(&self, plan: &Plan, active: Option<&v1::UpdateSummary>) -> Step {
        if let Some(active) = active {
            return self.beside(active);
        }
        if !plan.has_changes() {
            return Step::Nothing;
        }
        let refusals = plan.refusals();
        if !refusals.is_empty() {
            return Step::Refused(refusals.join("; "));
        }
        match plan.action {
            Action::Schedule => Step::Schedule,
            Action::Create if !plan.job.task.is_service => Step::Create,
            Action::Create | Action::Update => Step::Update,
        }
    }

    /// What is to be done while an update goes on: it is followed if it is this deployment's.
    pub fn beside(&self, active: &v1::UpdateSummary) -> Step {
        let Some(key) = &active.key else {
            return Step::Refused("the scheduler told of an update without a key".to_owned());
        };
        let of = |name: &str| {
            active.metadata.iter().find(|pair| pair.key == name).map(|pair| pair.value.as_str())
        };
        let (id, user) = (&key.id, &active.user);
        match (of(KEY), of(CONTENT)) {
            (Some(key), _) if key != self.key => Step::Refused(format!(
                "another deployment goes on: update {id} of {user}, with the idempotency key {key}. Wait for \
                 its end with `aurora update wait`, or give it up with `aurora update abort`"
            )),
            (Some(_), Some(content)) if content == self.content => Step::Join(key.clone()),
            (Some(name), _) => Step::Refused(format!(
                "update {id} of {user} has the same idempotency key {name}, and brings the job to something \
                 else: give each deployment a key of its own"
            )),
            (None, _) => Step::Refused(format!(
                "update {id} of {user} goes on, which is no deployment of `aurora deploy`. Wait for its end with \
                 `aurora update wait`, or give it up with `aurora update abort`"
            )),
        }
    }
}

/// The update of a job that goes on, if one does.
pub async fn active(
    scheduler: &Scheduler,
    job: &JobKey,
) -> Result<Option<v1::UpdateSummary>, Error> {
    Ok(find_active(scheduler, job).await?.into_iter().next())
}

/// How many instances of a batch job have ended, and how many of them not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ends {
    /// All instances.
    pub total: u32,
    /// Those that have finished.
    pub good: u32,
    /// Those that have failed, or were killed or lost for good.
    pub failed: u32,
}

/// What became of the latest run of each of the first instances of a job: others are of earlier times.
pub async fn ends(scheduler: &Scheduler, job: &JobKey, count: u32) -> Result<Ends, Error> {
    latest_ends(&scheduler.tasks(tasks_of(job)).await?.tasks, count)
}

fn latest_ends(tasks: &[v1::ScheduledTask], count: u32) -> Result<Ends, Error> {
    let mut latest = Latest::default();
    for task in tasks {
        latest.take(task, None)?;
    }
    let states = latest.states().filter(|(instance, _)| *instance < count);
    Ok(states.fold(Ends::default(), |ends, (_, state)| Ends {
        total: ends.total + 1,
        good: ends.good + u32::from(state == TaskState::Finished),
        failed: ends.failed + u32::from(state.is_terminal() && state != TaskState::Finished),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(key: &str, content: &str) -> Deployment {
        Deployment { key: key.to_owned(), content: content.to_owned() }
    }

    fn update(marks: &[(&str, &str)]) -> v1::UpdateSummary {
        let pair = |(key, value): &(&str, &str)| v1::Metadata {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        };
        v1::UpdateSummary {
            key: Some(v1::UpdateKey { job: None, id: "u1".to_owned() }),
            user: "ann".to_owned(),
            metadata: marks.iter().map(pair).collect(),
            ..v1::UpdateSummary::default()
        }
    }

    #[test]
    fn only_the_same_deployment_is_joined() {
        let mine = deployment("sha1", "content");
        let beside = |marks: &[(&str, &str)]| mine.beside(&update(marks));
        assert!(
            matches!(beside(&[(KEY, "sha1"), (CONTENT, "content")]), Step::Join(key) if key.id == "u1")
        );
        for (marks, why) in [
            (&[(KEY, "sha2"), (CONTENT, "content")][..], "the idempotency key sha2"),
            (&[(KEY, "sha1"), (CONTENT, "other")], "a key of its own"),
            (&[(KEY, "sha1")], "a key of its own"),
            (&[], "no deployment"),
        ] {
            let Step::Refused(said) = beside(marks) else { panic!("{marks:?} was joined") };
            assert!(said.contains(why) && said.contains("u1 of ann"), "{said}");
        }
    }

    #[test]
    fn a_request_is_the_same_for_the_same_deployment_only() {
        let job: JobKey = "www/prod/hello".parse().unwrap();
        let id = deployment("k", "c").request_id(&job);
        assert_eq!(deployment("k", "c").request_id(&job), id);
        assert_ne!(deployment("k", "d").request_id(&job), id);
        assert_ne!(deployment("k", "c").request_id(&"www/prod/other".parse().unwrap()), id);
    }

    #[test]
    fn the_latest_run_of_each_instance_counts() {
        let task = |instance, born, state: TaskState| v1::ScheduledTask {
            assigned: Some(v1::AssignedTask { instance, ..Default::default() }),
            state: v1::TaskState::from(state) as i32,
            events: vec![v1::TaskEvent { timestamp_ms: born, ..Default::default() }],
            ..Default::default()
        };
        let tasks = [
            task(0, 5, TaskState::Failed),
            task(0, 6, TaskState::Finished),
            task(1, 5, TaskState::Failed),
            task(2, 5, TaskState::Running),
            // The job was larger once.
            task(3, 5, TaskState::Failed),
        ];
        assert_eq!(latest_ends(&tasks, 3).unwrap(), Ends { total: 3, good: 1, failed: 1 });
    }
}
