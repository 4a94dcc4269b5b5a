//! Why a job is as it is: what its instances wait for, what they died of, and what would help. Found out from
//! what the scheduler remembers, without I/O but in [`ask`].

use std::collections::BTreeMap;
use std::time::Duration;

use aurora_api::v1;
use aurora_model::job::{ScheduledTask, TaskEvent, TaskState};
use aurora_model::key::{ClusterJobKey, JobKey};
use aurora_model::update::{UpdateStatus, to_ranges};
use aurora_thermos::view::Stream;
use serde::Serialize;

use crate::error::{Code, Error};
use crate::keys::InstancesKey;
use crate::logs;
use crate::near;
use crate::sandbox;
use crate::scheduler::{Scheduler, tasks_of};
use crate::updates::{self, Update};

/// What the executor says before the end of a process's standard error.
const STDERR: &str = "; its stderr ends: ";
/// What is between the lines of it.
const BETWEEN: &str = " | ";
/// Of so many runs at most what they printed is read from their sandboxes, and so many lines of each.
const READ: usize = 5;
const LINES: usize = 20;
/// How long the agent of one may take.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// The last events of a run that are told.
const EVENTS: usize = 5;

/// Why a job is as it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Why {
    /// The job, with its cluster.
    pub job: String,
    /// Its instances, those that are alike together; those in trouble first.
    pub instances: Vec<Case>,
    /// Its last update, unless that came to its end.
    pub update: Option<UpdateCase>,
    /// What is due, if it is a cron job.
    pub cron: Option<CronCase>,
}

/// Instances that are alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Case {
    /// Which, as `0,2-4`.
    pub instances: String,
    /// What they do, or what has become of them.
    pub condition: Condition,
    /// The state of the latest run.
    pub state: &'static str,
    /// Since when the first of them is in it, in milliseconds since the epoch.
    pub since_ms: i64,
    /// Why they wait, if they do.
    pub waits: Option<Waits>,
    /// How the last run ended that did not end well, of the first of them.
    pub death: Option<Death>,
    /// How often the first of them has failed, as far as it is remembered.
    pub failures: u32,
    /// What would help.
    pub advice: Vec<String>,
}

/// What instances do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// They have failed, or were lost, and are not begun anew.
    Dead,
    /// They have failed again and again, and wait to be begun anew.
    Flapping,
    /// They wait for a place.
    Waiting,
    /// They are on their way.
    Starting,
    /// They are about to end.
    Ending,
    /// They run now, and have failed before.
    Recovered,
    /// They run.
    Running,
    /// They have ended as they should, or were told to.
    Ended,
}

/// Why instances wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// In words.
    pub reason: String,
    /// What speaks against hosts.
    pub vetoes: Vec<Veto>,
    /// How many hosts have been looked at.
    pub hosts: u32,
    /// The one that came nearest to taking them.
    pub nearest_host: Option<String>,
    /// What would help.
    pub hint: Option<String>,
}

/// What speaks against some hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Veto {
    /// What kind of thing.
    pub kind: &'static str,
    /// Which attribute or resource.
    pub detail: String,
    /// Against how many hosts.
    pub hosts: u32,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Death {
    /// Which run.
    pub task_id: String,
    /// Where it ran.
    pub host: Option<String>,
    /// `FAILED`, `LOST` or `KILLED`.
    pub state: &'static str,
    /// When.
    pub at_ms: i64,
    /// For how long it had run, if it ever did.
    pub ran_ms: Option<i64>,
    /// What the executor, the agent or the scheduler said: which process ended with which status.
    pub reason: Option<String>,
    /// The exit code of the process, as far as that is said.
    pub exit_code: Option<i32>,
    /// The process that failed.
    pub process: Option<String>,
    /// The last lines of its standard error.
    pub stderr: Vec<String>,
    /// Why there may be more of them than the executor has told of, if they cannot be read.
    pub stderr_problem: Option<String>,
    /// The last that happened to it, oldest first.
    pub events: Vec<Event>,
}

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
    /// The state it went to.
    pub state: &'static str,
    /// What was said.
    pub message: Option<String>,
}

/// An update that goes on, or did not end well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UpdateCase {
    /// Which.
    pub id: String,
    /// Where it is.
    pub status: &'static str,
    /// What was said when it ended or turned back.
    pub reason: Option<String>,
    /// The instances that failed in it, and what was said of each last.
    pub failed: BTreeMap<u32, Option<String>>,
    /// What would help.
    pub advice: Vec<String>,
}

/// A cron job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CronCase {
    /// Its schedule.
    pub schedule: String,
    /// When it is due next.
    pub next_ms: Option<i64>,
    /// Why that cannot be said.
    pub problem: Option<String>,
    /// Why its last run was not started, if it was not.
    pub skipped: Option<String>,
}

/// Finds out why a job is as it is.
pub async fn ask(scheduler: &Scheduler, key: &InstancesKey) -> Result<Why, Error> {
    let job = &key.job.job;
    let query = v1::TaskQuery {
        instances: key.instances.iter().flatten().copied().collect(),
        ..tasks_of(job)
    };
    let found = scheduler.tasks(query).await?;
    let tasks = found.tasks.iter().cloned().map(ScheduledTask::try_from);
    let tasks: Vec<ScheduledTask> = tasks
        .collect::<Result<_, _>>()
        .map_err(|error| Error::new(Code::Api, error.to_string()))?;
    let update = match updates::latest(scheduler, job).await? {
        Some(update) if update.status != UpdateStatus::RolledForward => {
            let details = scheduler.update(&update.key).await?;
            Some(update_case(&key.job, &update, &details))
        }
        _ => None,
    };
    let cron = cron_case(scheduler, job).await?;
    if tasks.is_empty() && update.is_none() && cron.is_none() {
        let of = key.instances.as_ref().map(|_| " of these instances").unwrap_or_default();
        return Err(Error::new(
            Code::InvalidParameter,
            format!(
                "{} has no tasks{of}, and is no cron job: `aurora job list {}` shows what is there{}",
                key.job,
                key.job.cluster,
                near::hint_of(scheduler, &key.job).await
            ),
        ));
    }
    let mut instances = cases(&key.job, &tasks, &found.pending_reasons);
    let deaths = instances.iter_mut().filter_map(|case| case.death.as_mut()).take(READ);
    read_stderr(scheduler, &found.tasks, deaths).await;
    Ok(Why { job: key.job.to_string(), instances, update, cron })
}

/// Reads what the processes that failed have printed last, where their sandboxes still are. Where that cannot be
/// done there is what the executor has said.
async fn read_stderr(
    scheduler: &Scheduler,
    tasks: &[v1::ScheduledTask],
    deaths: impl Iterator<Item = &mut Death>,
) {
    let mut deaths: BTreeMap<String, &mut Death> = deaths
        .filter(|death| death.process.is_some())
        .map(|death| (death.task_id.clone(), death))
        .collect();
    if deaths.is_empty() {
        return;
    }
    let id = |task: &v1::ScheduledTask| task.assigned.as_ref().map(|it| it.task_id.clone());
    let dead: Vec<v1::ScheduledTask> = tasks
        .iter()
        .filter(|task| id(task).is_some_and(|id| deaths.contains_key(&id)))
        .cloned()
        .collect();
    let ids: Vec<Option<String>> = dead.iter().map(id).collect();
    let sandboxes = match sandbox::of_tasks(scheduler, &dead).await {
        Ok(sandboxes) => sandboxes,
        Err(error) => dead.iter().map(|_| Err(error.clone())).collect(),
    };
    for (id, sandbox) in ids.into_iter().flatten().zip(sandboxes) {
        let Some(death) = deaths.get_mut(&id) else { continue };
        let process = death.process.clone().unwrap_or_default();
        let read = async { logs::last_lines(&sandbox?, &process, Stream::Stderr, LINES).await };
        match tokio::time::timeout(READ_TIMEOUT, read).await {
            Ok(Ok(lines)) if lines.is_empty() => {}
            Ok(Ok(lines)) => death.stderr = lines,
            Ok(Err(error)) => death.stderr_problem = Some(error.to_string()),
            Err(_) => {
                death.stderr_problem =
                    Some(format!("its agent does not answer within {READ_TIMEOUT:?}"));
            }
        }
    }
}

async fn cron_case(scheduler: &Scheduler, job: &JobKey) -> Result<Option<CronCase>, Error> {
    use v1::cron_outcome::Kind;
    let found = match scheduler.cron(job).await {
        Err(error) if error.code == Code::InvalidParameter => return Ok(None),
        found => found?,
    };
    let last = found.runs.last().and_then(|run| run.outcome.as_ref()?.kind.as_ref());
    Ok(Some(CronCase {
        schedule: found.job.and_then(|job| job.cron_schedule).unwrap_or_default(),
        next_ms: found.next_ms,
        problem: found.problem,
        skipped: match last {
            Some(Kind::Skipped(skipped)) => Some(skipped.message.clone()),
            _ => None,
        },
    }))
}

fn update_case(
    job: &ClusterJobKey,
    update: &Update,
    details: &v1::GetUpdateResponse,
) -> UpdateCase {
    use v1::InstanceAction::{RollbackFailed, UpdateFailed};
    let failed = details
        .instance_events
        .iter()
        .filter(|event| [UpdateFailed as i32, RollbackFailed as i32].contains(&event.action))
        .map(|event| (event.instance, event.message.clone()));
    let id = &update.key.id;
    let advice = match update.status {
        UpdateStatus::RollForwardPaused | UpdateStatus::RollBackPaused => {
            format!(
                "`aurora update resume {job}` lets it go on, `aurora update rollback {job}` undoes it"
            )
        }
        status if status.awaits_pulse() => {
            "it goes on when whoever watches over it sends a pulse".to_owned()
        }
        status if status.is_terminal() => {
            format!("`aurora update info {job} {id}` tells all of it")
        }
        _ => format!("`aurora update info {job} --watch` shows how it goes on"),
    };
    UpdateCase {
        id: id.clone(),
        status: update.status.name(),
        reason: updates::why(&details.events),
        failed: failed.collect(),
        advice: vec![advice],
    }
}

/// The instances of a job, those that are alike together.
fn cases(job: &ClusterJobKey, tasks: &[ScheduledTask], reasons: &[v1::PendingReason]) -> Vec<Case> {
    let reasons: BTreeMap<&str, &v1::PendingReason> =
        reasons.iter().map(|reason| (reason.task_id.as_str(), reason)).collect();
    let mut by_instance: BTreeMap<u32, Vec<&ScheduledTask>> = BTreeMap::new();
    for task in tasks {
        by_instance.entry(task.assigned.instance).or_default().push(task);
    }
    let mut cases: Vec<(Case, Vec<u32>)> = Vec::new();
    for (instance, mut runs) in by_instance {
        // A run and its replacement may come to be within a millisecond: the one that has not ended is later.
        runs.sort_by_key(|run| (born_ms(run), run.state.is_active()));
        let Some(case) = case(&runs, &reasons) else { continue };
        match cases.iter_mut().find(|(known, _)| is_alike(known, &case)) {
            Some((_, instances)) => instances.push(instance),
            None => cases.push((case, vec![instance])),
        }
    }
    let mut cases: Vec<Case> = cases
        .into_iter()
        .map(|(case, instances)| {
            let first = instances.first().copied().unwrap_or_default();
            let advice = advice(job, first, &case);
            Case { instances: ranges(instances), advice, ..case }
        })
        .collect();
    cases.sort_by_key(|case| case.condition);
    cases
}

/// Whether one account is enough for both.
fn is_alike(a: &Case, b: &Case) -> bool {
    let death = |case: &Case| {
        case.death.as_ref().map(|death| (death.state, death.reason.clone(), death.stderr.clone()))
    };
    (a.condition, a.state, &a.waits) == (b.condition, b.state, &b.waits) && death(a) == death(b)
}

/// Instances as people write them.
pub fn ranges(instances: impl IntoIterator<Item = u32>) -> String {
    let ranges = to_ranges(instances).into_iter().map(|range| match range.count() {
        1 => range.first.to_string(),
        _ => format!("{}-{}", range.first, range.last),
    });
    ranges.collect::<Vec<_>>().join(",")
}

fn born_ms(task: &ScheduledTask) -> i64 {
    task.events.first().map_or(0, |event| event.timestamp.0)
}

/// What is known of an instance from its runs, oldest first.
fn case(runs: &[&ScheduledTask], reasons: &BTreeMap<&str, &v1::PendingReason>) -> Option<Case> {
    let latest = runs.last()?;
    let death = runs.iter().rev().find(|run| is_bad_end(run)).map(|run| death(run));
    let failed = runs.iter().filter(|run| run.state == TaskState::Failed).count();
    let failures = u32::try_from(failed).unwrap_or(u32::MAX).max(latest.failure_count);
    Some(Case {
        instances: String::new(),
        condition: condition(latest, death.is_some()),
        state: latest.state.name(),
        since_ms: latest.events.last().map_or(0, |event| event.timestamp.0),
        waits: reasons.get(latest.id().as_str()).map(|reason| waits(reason)),
        death,
        failures,
        advice: Vec::new(),
    })
}

/// Whether a run ended as nobody wanted.
fn is_bad_end(run: &ScheduledTask) -> bool {
    matches!(run.state, TaskState::Failed | TaskState::Lost)
}

fn condition(latest: &ScheduledTask, has_died: bool) -> Condition {
    use TaskState::{
        Assigned, Draining, Failed, Finished, Init, Killed, Killing, Lost, Partitioned, Pending,
        Preempting, Restarting, Running, Starting, Throttled,
    };
    match latest.state {
        Failed | Lost => Condition::Dead,
        Throttled => Condition::Flapping,
        Init | Pending => Condition::Waiting,
        Assigned | Starting => Condition::Starting,
        Killing | Preempting | Restarting | Draining | Partitioned => Condition::Ending,
        Running if has_died => Condition::Recovered,
        Running => Condition::Running,
        Finished | Killed => Condition::Ended,
    }
}

fn waits(reason: &v1::PendingReason) -> Waits {
    use v1::VetoKind::{
        Constraint, Dedicated, Limit, Maintenance, Reserved, Resources, Unspecified,
    };
    let vetoes = reason.vetoes.iter().map(|veto| Veto {
        kind: match veto.kind() {
            Unspecified => "unknown",
            Dedicated => "dedicated",
            Maintenance => "maintenance",
            Reserved => "reserved",
            Constraint => "constraint",
            Limit => "limit",
            Resources => "resources",
        },
        detail: veto.detail.clone(),
        hosts: veto.hosts,
    });
    Waits {
        reason: reason.reason.clone(),
        vetoes: vetoes.collect(),
        hosts: reason.hosts,
        nearest_host: reason.nearest_host.clone(),
        hint: reason.hint.clone(),
    }
}

fn death(run: &ScheduledTask) -> Death {
    let end = run.events.last();
    let message = end.and_then(|event| event.message.as_deref());
    let (reason, stderr) = match message.and_then(|message| message.split_once(STDERR)) {
        Some((reason, stderr)) => {
            (Some(reason), stderr.split(BETWEEN).map(ToOwned::to_owned).collect())
        }
        None => (message, Vec::new()),
    };
    let at_ms = end.map_or(0, |event| event.timestamp.0);
    let ran = run.events.iter().find(|event| event.state == TaskState::Running);
    let from = run.events.len().saturating_sub(EVENTS);
    Death {
        task_id: run.id().to_string(),
        host: run.assigned.agent.as_ref().map(|(_, host)| host.to_string()),
        state: run.state.name(),
        at_ms,
        ran_ms: ran.map(|event| at_ms - event.timestamp.0),
        reason: reason.map(ToOwned::to_owned),
        exit_code: reason.and_then(exit_code),
        process: reason.and_then(process),
        stderr,
        stderr_problem: None,
        events: run.events.iter().skip(from).map(event).collect(),
    }
}

fn event(event: &TaskEvent) -> Event {
    Event {
        at_ms: event.timestamp.0,
        state: event.state.name(),
        message: event.message.as_deref().map(ToOwned::to_owned),
    }
}

/// The process in `process "a" failed with exit code 3`.
fn process(reason: &str) -> Option<String> {
    let (_, rest) = reason.split_once("process \"")?;
    rest.split_once('"').map(|(name, _)| name.to_owned())
}

/// The exit code in `process "a" failed with exit code 3`.
fn exit_code(reason: &str) -> Option<i32> {
    let (_, rest) = reason.split_once("exit code ")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// What would help instances like this one.
fn advice(job: &ClusterJobKey, instance: u32, case: &Case) -> Vec<String> {
    let mut advice = Vec::new();
    if let Some(waits) = &case.waits {
        let has = |kind: &str| waits.vetoes.iter().any(|veto| veto.kind == kind);
        if has("resources") || waits.reason.starts_with("Insufficient") {
            advice.push("ask for less, free something, or add hosts".to_owned());
        }
        if has("constraint") || has("limit") || has("dedicated") {
            advice.push("look at the job's constraints and the hosts' attributes".to_owned());
        }
        if has("maintenance") {
            advice.push("hosts under maintenance take nothing until it is over".to_owned());
        }
    }
    if let (Some(death), true) = (&case.death, case.condition != Condition::Running) {
        let reason = death.reason.as_deref().unwrap_or_default();
        if reason.contains("out of memory") {
            advice
                .push("let it use more memory (`ram` of its resources), or less of it".to_owned());
        } else if reason.contains("health check") {
            advice.push(
                "look whether its health check asks for the right thing, soon enough".to_owned(),
            );
        } else if death.exit_code == Some(127) || death.exit_code == Some(126) {
            advice.push(
                "a command is not there, or may not be run: look at `cmdline` and `PATH`"
                    .to_owned(),
            );
        } else if death.state == "LOST" {
            advice.push(
                "its host or agent is gone, or did not take it: look at `/agents`".to_owned(),
            );
        }
        advice.push(format!(
            "`aurora task logs {job}/{instance}` shows what it printed, `aurora job status {job}` all its runs"
        ));
    }
    if case.condition == Condition::Dead {
        advice.push("when it is mended, create or update the job again".to_owned());
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(instance: u32, id: &str, events: &[(TaskState, i64, Option<&str>)]) -> ScheduledTask {
        let wire = v1::ScheduledTask {
            assigned: Some(v1::AssignedTask {
                task_id: id.to_owned(),
                agent_id: "agent".to_owned(),
                agent_host: "host0".to_owned(),
                task: Some(v1::TaskConfig {
                    job: Some(v1::JobKey {
                        role: "r".to_owned(),
                        environment: "e".to_owned(),
                        name: "n".to_owned(),
                    }),
                    owner: "r".to_owned(),
                    resources: Some(v1::Resources {
                        cpus: 1.0,
                        ram_mb: 1,
                        disk_mb: 1,
                        ..v1::Resources::default()
                    }),
                    executor: Some(v1::ExecutorConfig {
                        name: "AuroraExecutor".to_owned(),
                        data: "{}".to_owned(),
                    }),
                    ..v1::TaskConfig::default()
                }),
                instance,
                ..v1::AssignedTask::default()
            }),
            state: events.last().map_or(0, |(state, ..)| v1::TaskState::from(*state) as i32),
            events: events
                .iter()
                .map(|(state, at, message)| v1::TaskEvent {
                    timestamp_ms: *at,
                    state: v1::TaskState::from(*state) as i32,
                    message: message.map(ToOwned::to_owned),
                    scheduler: None,
                })
                .collect(),
            ..v1::ScheduledTask::default()
        };
        wire.try_into().unwrap()
    }

    fn of(tasks: &[ScheduledTask], reasons: &[v1::PendingReason]) -> Vec<Case> {
        cases(&"c/r/e/n".parse().unwrap(), tasks, reasons)
    }

    #[test]
    fn an_end_is_told_with_its_exit_code_and_its_last_words() {
        use TaskState::{Failed, Pending, Running};
        let said = "process \"main\" failed with exit code 3; its stderr ends: one | two";
        let run = [(Pending, 1, None), (Running, 2_000, None), (Failed, 5_000, Some(said))];
        let [case] = of(&[task(0, "a", &run)], &[]).try_into().unwrap();
        let death = case.death.unwrap();
        assert_eq!(
            (case.condition, death.exit_code, death.ran_ms),
            (Condition::Dead, Some(3), Some(3_000))
        );
        assert_eq!(death.stderr, ["one", "two"]);
        assert_eq!(death.process.as_deref(), Some("main"));
        assert_eq!(death.reason.unwrap(), "process \"main\" failed with exit code 3");
        assert_eq!(death.events.len(), 3);
    }

    #[test]
    fn those_that_are_alike_are_told_together_and_trouble_first() {
        use TaskState::{Failed, Pending, Running, Throttled};
        let reason = |id: &str| v1::PendingReason {
            task_id: id.to_owned(),
            reason: "Insufficient: CPU".to_owned(),
            ..v1::PendingReason::default()
        };
        let tasks = [
            task(0, "a", &[(Running, 1, None)]),
            task(1, "b", &[(Pending, 1, None)]),
            task(2, "c", &[(Pending, 2, None)]),
            task(3, "d", &[(Pending, 3, None)]),
            task(5, "e", &[(Failed, 3, None)]),
            task(5, "f", &[(Throttled, 4, None)]),
        ];
        let found = of(&tasks, &[reason("b"), reason("c"), reason("d")]);
        let told: Vec<_> =
            found.iter().map(|case| (case.condition, case.instances.as_str())).collect();
        assert_eq!(
            told,
            [(Condition::Flapping, "5"), (Condition::Waiting, "1-3"), (Condition::Running, "0")]
        );
        assert_eq!(found[1].advice, ["ask for less, free something, or add hosts"]);
        assert_eq!((found[0].failures, found[2].advice.len()), (1, 0));
    }

    #[test]
    fn advice_is_about_what_was_said() {
        use TaskState::{Failed, Lost};
        for (state, said, wanted) in [
            (Failed, "out of memory, 1 killed by the kernel", "more memory"),
            (Failed, "Failed health check! not ok", "health check"),
            (Failed, "process \"a\" failed with exit code 127", "not there"),
            (Lost, "the agent is gone", "/agents"),
        ] {
            let [case] = of(&[task(0, "a", &[(state, 1, Some(said))])], &[]).try_into().unwrap();
            assert!(case.advice[0].contains(wanted), "{said}: {:?}", case.advice);
        }
        assert_eq!(exit_code("exit code 12, again"), Some(12));
        assert_eq!(exit_code("signal 9"), None);
    }
}
