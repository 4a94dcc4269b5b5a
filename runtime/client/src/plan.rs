//! What submitting a job would do, before it is done, and how it is known later that nothing has come between.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use aurora_api::convert::ConvertError;
use aurora_api::v1;
use aurora_model::config::UpdateConfig;
use aurora_model::job::{JobConfiguration, TaskConfig};
use aurora_model::key::JobKey;
use aurora_model::update::to_ranges;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::compare::{Comparison, FieldChange, changes, compare, shown};
use crate::error::{Code, Error};
use crate::scheduler::Scheduler;

/// How many characters of each of the two digests of an id are written.
const DIGITS: usize = 12;

/// What a plan is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The job, as it would be submitted.
    pub job: &'a JobConfiguration,
    /// How it would be updated.
    pub update: Option<&'a UpdateConfig>,
    /// The instances that may change; all if none is named.
    pub instances: Option<&'a BTreeSet<u32>>,
    /// Whether places are looked for.
    pub placement: bool,
}

/// How a job would come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing of it runs: it would be created.
    Create,
    /// Instances of it run: they would be updated.
    Update,
    /// It is a cron job: it would be scheduled.
    Schedule,
}

impl Action {
    /// The word for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Schedule => "schedule",
        }
    }
}

/// What submitting a job would do.
#[derive(Debug)]
pub struct Plan {
    /// How it would come to be.
    pub action: Action,
    /// The job as the scheduler would keep it.
    pub job: JobConfiguration,
    /// What would become of its instances.
    pub found: Comparison,
    /// What would be different of a cron job's schedule.
    pub schedule: Vec<FieldChange>,
    /// Why it would be refused as things are, apart from its quota.
    pub conflicts: Vec<String>,
    /// What would become of the role's quota, if the job counts against it.
    pub quota: Option<v1::QuotaEffect>,
    /// How many instances would find a place, if that was asked for and any needs one.
    pub placement: Option<v1::TrialPlacement>,
    /// What this plan is recognised by.
    pub id: PlanId,
}

impl Plan {
    /// Whether anything would change.
    pub fn has_changes(&self) -> bool {
        self.found.has_changes() || !self.schedule.is_empty()
    }

    /// Everything that stands against it as things are.
    pub fn refusals(&self) -> Vec<String> {
        let mut all = self.conflicts.clone();
        if let Some(by) = self.quota.as_ref().and_then(|quota| quota.exceeded_by) {
            all.push(format!(
                "it exceeds the quota of {} by {:?} core(s), {} MB of memory, {} MB of disk",
                self.job.key.role(),
                by.cpus,
                by.ram_mb,
                by.disk_mb
            ));
        }
        all
    }

    /// Nothing if this is still what a plan of that id has said.
    pub fn check(&self, planned: &PlanId) -> Result<(), Error> {
        self.check_wanted(planned)?;
        match self.id.running == planned.running {
            true => Ok(()),
            false => Err(self.other(planned, "what runs has changed since it was planned")),
        }
    }

    /// Nothing if what is to be is still what a plan of that id has said, whatever runs by now.
    pub fn check_wanted(&self, planned: &PlanId) -> Result<(), Error> {
        match self.id.wanted == planned.wanted {
            true => Ok(()),
            false => Err(self.other(
                planned,
                "what would be submitted is not what was planned: the file, what is bound, the instances \
                 named, or who submits it has changed",
            )),
        }
    }

    fn other(&self, planned: &PlanId, what: &str) -> Error {
        Error::new(
            Code::CommandFailure,
            format!(
                "{what}; nothing was done. Look at it again with `aurora plan`: its id is {} now, not {planned}",
                self.id
            ),
        )
    }
}

/// What a plan is recognised by: a digest of what runs, and one of what is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanId {
    running: String,
    wanted: String,
}

impl PlanId {
    /// The digest of what is to be.
    pub fn wanted(&self) -> &str {
        &self.wanted
    }
}

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.running, self.wanted)
    }
}

impl FromStr for PlanId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_digest =
            |part: &str| part.len() == DIGITS && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        match text.trim().split_once('-') {
            Some((running, wanted)) if is_digest(running) && is_digest(wanted) => {
                Ok(Self { running: running.to_lowercase(), wanted: wanted.to_lowercase() })
            }
            _ => Err(format!("{text:?} is no id of a plan: give what `aurora plan` says it is")),
        }
    }
}

impl Scheduler {
    /// What submitting a job would do. That it cannot be kept at all is an error.
    pub async fn plan(&self, asked: Asked<'_>) -> Result<Plan, Error> {
        let answer = self
            .plan_job(v1::PlanJobRequest {
                job: Some(v1::JobConfiguration::from(asked.job)),
                instances: to_ranges(asked.instances.into_iter().flatten().copied())
                    .into_iter()
                    .map(|range| v1::InstanceRange { first: range.first, last: range.last })
                    .collect(),
                without_placement: !asked.placement,
            })
            .await?;
        if !answer.problems.is_empty() {
            return Err(Error::new(Code::InvalidConfiguration, answer.problems.join("; ")));
        }
        let action = match answer.action() {
            v1::PlanAction::Create => Action::Create,
            v1::PlanAction::Update => Action::Update,
            v1::PlanAction::Schedule => Action::Schedule,
            v1::PlanAction::Unspecified => return Err(unusable(ConvertError::Missing("action"))),
        };
        let scheduled = match action {
            Action::Schedule => self.known_cron(&asked.job.key).await?,
            Action::Create | Action::Update => None,
        };
        read(asked, action, answer, scheduled.as_ref())
    }

    /// What there is of a cron job; none if it has no schedule.
    async fn known_cron(&self, job: &JobKey) -> Result<Option<JobConfiguration>, Error> {
        match self.cron(job).await {
            Ok(cron) => {
                let kept = cron.job.ok_or_else(|| unusable(ConvertError::Missing("job")))?;
                JobConfiguration::try_from(kept).map(Some).map_err(unusable)
            }
            Err(error) if error.code == Code::InvalidParameter => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn unusable(error: ConvertError) -> Error {
    Error::new(Code::Api, error.to_string())
}

fn read(
    asked: Asked<'_>,
    action: Action,
    answer: v1::PlanJobResponse,
    scheduled: Option<&JobConfiguration>,
) -> Result<Plan, Error> {
    let kept = answer.job.ok_or_else(|| unusable(ConvertError::Missing("job")))?;
    let kept = JobConfiguration::try_from(kept).map_err(unusable)?;
    // Those that go are compared with nothing; those that stay are what they would be.
    let mut running: BTreeMap<u32, TaskConfig> = BTreeMap::new();
    for range in answer.remove.iter().chain(&answer.unchanged) {
        running.extend((range.first..=range.last).map(|instance| (instance, kept.task.clone())));
    }
    for change in answer.update {
        let config = change.running.ok_or_else(|| unusable(ConvertError::Missing("running")))?;
        let config = TaskConfig::try_from(config).map_err(unusable)?;
        for range in &change.instances {
            let all = range.first..=range.last;
            running.extend(all.map(|instance| (instance, config.clone())));
        }
    }
    let found = compare(&kept, &running, asked.instances);
    let schedule = match action {
        Action::Schedule => changes(&scheduled.map_or(Value::Null, timetable), &timetable(&kept)),
        Action::Create | Action::Update => Vec::new(),
    };
    let id = PlanId {
        running: digest(&now(action, &found, scheduled)),
        wanted: digest(&json!({
            "task": shown(&kept.task),
            "instances": kept.instance_count,
            "timetable": timetable(&kept),
            "update": asked.update,
            "named": asked.instances,
        })),
    };
    Ok(Plan {
        action,
        job: kept,
        found,
        schedule,
        conflicts: answer.conflicts,
        quota: answer.quota,
        placement: answer.placement,
        id,
    })
}

/// When a job runs; nothing of one that no clock runs.
fn timetable(job: &JobConfiguration) -> Value {
    let Some(schedule) = &job.cron_schedule else { return Value::Null };
    json!({
        "cron_schedule": schedule,
        "cron_collision_policy": format!("{:?}", job.cron_collision_policy),
        "cron_time_zone": job.cron_time_zone,
        "cron_catch_up": format!("{:?}", job.cron_catch_up),
    })
}

/// What there is, for its digest.
fn now(action: Action, found: &Comparison, scheduled: Option<&JobConfiguration>) -> Value {
    let ranges = |instances: &BTreeSet<u32>| {
        let ranges = to_ranges(instances.iter().copied());
        ranges.iter().map(|range| format!("{}-{}", range.first, range.last)).collect::<Vec<_>>()
    };
    let update = found
        .update
        .iter()
        .map(|update| json!({ "instances": ranges(&update.instances), "running": update.running }));
    json!({
        "action": action.name(),
        "remove": ranges(&found.remove),
        "same": ranges(&found.same),
        "update": update.collect::<Vec<_>>(),
        "timetable": scheduled.map(timetable),
    })
}

/// The same for the same value, however its tables are ordered: those of JSON here are by name.
fn digest(value: &Value) -> String {
    let digest = Sha256::digest(value.to_string().as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.chars().take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aurora_model::job::{MilliCpus, TaskResources};

    fn job(instances: u32, cpus: u32) -> JobConfiguration {
        let resources = TaskResources { cpus: MilliCpus(cpus.into()), ..TaskResources::default() };
        let task = TaskConfig::plain("www/prod/hello".parse().unwrap(), "me", resources);
        JobConfiguration::unscheduled(task, instances)
    }

    /// The plan of a job of which instances run as another one.
    fn plan(wanted: &JobConfiguration, count: u32, running: &JobConfiguration) -> Plan {
        let last = count - 1;
        let range = v1::InstanceRange { first: 0, last };
        let answer = v1::PlanJobResponse {
            job: Some(wanted.into()),
            update: vec![v1::InstanceChange {
                instances: vec![range],
                running: Some((&running.task).into()),
                fields: Vec::new(),
            }],
            ..v1::PlanJobResponse::default()
        };
        let asked = Asked { job: wanted, update: None, instances: None, placement: false };
        read(asked, Action::Update, answer, None).unwrap()
    }

    #[test]
    fn a_plan_is_the_same_until_what_runs_or_what_is_wanted_changes() {
        let first = plan(&job(2, 500), 2, &job(2, 250));
        let id: PlanId = first.id.to_string().parse().unwrap();
        assert_eq!(
            plan(&job(2, 500), 2, &job(2, 250)).check(&id).map_err(|it| it.to_string()),
            Ok(())
        );
        for (changed, what) in [
            (plan(&job(2, 500), 1, &job(2, 250)), "what runs has changed"),
            (plan(&job(2, 500), 2, &job(2, 300)), "what runs has changed"),
            (plan(&job(2, 750), 2, &job(2, 250)), "what would be submitted is not"),
            (plan(&job(3, 500), 2, &job(2, 250)), "what would be submitted is not"),
        ] {
            let refused = changed.check(&id).unwrap_err();
            assert_eq!(refused.code, Code::CommandFailure);
            assert!(refused.to_string().starts_with(what), "{refused}");
            let is_same = what.starts_with("what runs");
            assert_eq!(changed.check_wanted(&id).is_ok(), is_same, "{refused}");
        }
    }

    #[test]
    fn an_id_is_two_digests() {
        assert!("0123456789ab-0123456789AB".parse::<PlanId>().is_ok());
        for wrong in ["", "0123456789ab", "0123456789ab-0123456789a", "0123456789ab-0123456789ag"] {
            assert!(wrong.parse::<PlanId>().unwrap_err().contains("aurora plan"), "{wrong}");
        }
    }
}
