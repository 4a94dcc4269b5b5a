//! Cron jobs: what is due is run once or recorded as skipped, over collisions, failovers and clocks.

use std::collections::VecDeque;
use std::sync::Arc;

use aurora_model::cron::{CronDue, CronOutcome, CronRun, CronSkip, CronTrigger};
use aurora_model::job::{CronCatchUp, CronCollisionPolicy, JobConfiguration, TaskState, Timestamp};
use aurora_model::key::JobKey;
use aurora_scheduler_core::{
    CronOp, CronRequest, CronResponse, CronStatus, ErrorKind, Op, Request, RequestError, Response,
    Settings, State,
};

use crate::world::{World, job};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn key() -> JobKey {
    JobKey::new("www", "prod", "nightly").unwrap()
}

/// A job of two instances that is due at every full hour.
fn hourly(policy: CronCollisionPolicy) -> JobConfiguration {
    let mut hourly = job("nightly", 2, false);
    hourly.cron_schedule = Some("0 * * * *".into());
    hourly.cron_collision_policy = policy;
    hourly
}

fn catching_up(catch_up: CronCatchUp) -> JobConfiguration {
    let mut job = hourly(CronCollisionPolicy::CancelNew);
    job.cron_catch_up = catch_up;
    job
}

fn cron(world: &mut World, request: CronRequest) -> Result<CronResponse, RequestError> {
    match world.ask(Request::Cron(request))? {
        Response::Cron(response) => Ok(response),
        other => panic!("{other:?}"),
    }
}

fn schedule(world: &mut World, job: JobConfiguration) -> Result<CronResponse, RequestError> {
    cron(world, CronRequest::Schedule(Box::new(job)))
}

/// A registered world, at ten minutes to the first full hour, with the job.
fn scheduled(job: JobConfiguration) -> World {
    let mut world = World::registered();
    world.now = Timestamp(DAY - 10 * MINUTE);
    schedule(&mut world, job).unwrap();
    world
}

fn status(world: &World) -> CronStatus {
    world.scheduler.cron(&key()).unwrap()
}

/// The runs as `due: outcome`, hours and minutes since the first full hour.
fn runs(world: &World) -> Vec<String> {
    status(world).runs.iter().map(shown).collect()
}

fn time(time: Timestamp) -> String {
    let minutes = (time.0 - DAY).div_euclid(MINUTE);
    format!("{}:{:02}", minutes.div_euclid(60), minutes.rem_euclid(60))
}

fn shown(run: &CronRun) -> String {
    let why = match &run.trigger {
        CronTrigger::Schedule => "",
        CronTrigger::CatchUp => " late",
        CronTrigger::User(_) => " asked",
    };
    let what = match run.outcome {
        CronOutcome::Started { instances } => format!("started {instances}"),
        CronOutcome::Skipped { reason, count: 1, .. } => format!("{reason:?}"),
        CronOutcome::Skipped { reason, count, last } => {
            format!("{reason:?} x{count} to {}", time(last))
        }
    };
    format!("{}{why} {what}", time(run.due))
}

fn all_go_to(world: &mut World, state: TaskState) {
    let ids: Vec<_> =
        world.scheduler.state().active_of(&key()).map(|task| task.id().clone()).collect();
    for id in ids {
        world.status(&id, state);
    }
}

/// The scheduler is away until a time, and then another one goes on with what was written down.
fn away_until(world: &mut World, time: Timestamp) {
    let mut restored = State::default();
    world.scheduler.state().to_ops().for_each(|op| restored.apply(&op).unwrap());
    assert_eq!(&restored, world.scheduler.state());
    let mut replayed = State::default();
    world.log.iter().flatten().for_each(|op| replayed.apply(op).unwrap());
    assert_eq!(&replayed, world.scheduler.state());
    world.now = time;
    world.take_over(replayed);
    world.register();
}

fn counter(world: &World, name: &str) -> u64 {
    world.scheduler.counters().get(name).copied().unwrap_or(0)
}

#[test]
fn a_job_is_run_when_it_is_due_and_not_before() {
    let mut world = scheduled(hourly(CronCollisionPolicy::KillExisting));
    assert_eq!(status(&world).next, Some(Timestamp(DAY)));
    world.wait(10 * MINUTE - 1);
    assert!(world.tasks("nightly").is_empty());
    world.wait(1);
    assert_eq!(world.shown("nightly"), ["0:PENDING", "1:PENDING"]);
    assert_eq!(runs(&world), ["0:00 started 2"]);
    assert_eq!(status(&world).next, Some(Timestamp(DAY + HOUR)));
    world.offer("A", 4);
    all_go_to(&mut world, TaskState::Finished);
    world.wait(HOUR);
    assert_eq!(world.shown("nightly"), ["0:FINISHED", "0:PENDING", "1:FINISHED", "1:PENDING"]);
    assert_eq!(runs(&world), ["0:00 started 2", "1:00 started 2"]);
    assert_eq!(counter(&world, "cron_job_triggers"), 2);
    assert_eq!(counter(&world, "cron_job_collisions"), 0);
}

#[test]
fn cancel_new_lets_the_run_before_go_on() {
    let mut world = scheduled(hourly(CronCollisionPolicy::CancelNew));
    world.wait(10 * MINUTE);
    world.offer("A", 4);
    all_go_to(&mut world, TaskState::Running);
    world.wait(HOUR);
    assert_eq!(world.shown("nightly").len(), 2);
    assert_eq!(runs(&world), ["0:00 started 2", "1:00 Collision"]);
    assert_eq!(counter(&world, "cron_job_collisions"), 1);
}

#[test]
fn kill_existing_waits_for_the_end_of_the_run_before() {
    let mut world = scheduled(hourly(CronCollisionPolicy::KillExisting));
    world.wait(10 * MINUTE);
    world.offer("A", 1);
    let running = world.task_in("nightly", TaskState::Assigned);
    world.status(&running, TaskState::Running);
    world.wait(HOUR);
    // What had no place is gone at once, what runs is asked to end.
    assert_eq!(world.shown("nightly"), ["0:KILLING"]);
    let message = world.tasks("nightly")[0].latest_event().unwrap().message.clone();
    assert_eq!(message.as_deref(), Some("Killed by cronScheduler"));
    assert_eq!(runs(&world), ["0:00 started 2"]);
    let waiting =
        CronDue { due: Timestamp(DAY + HOUR), trigger: CronTrigger::Schedule, in_turn: false };
    assert_eq!(status(&world).queue, [waiting]);
    world.status(&running, TaskState::Killed);
    assert_eq!(world.shown("nightly"), ["0:KILLED", "0:PENDING", "1:PENDING"]);
    assert_eq!(runs(&world), ["0:00 started 2", "1:00 started 2"]);
    assert_eq!(status(&world).runs[1].at, world.now);
    assert_eq!(counter(&world, "cron_job_collisions"), 1);
}

#[test]
fn a_failover_while_a_run_waits_for_the_one_before_loses_nothing() {
    let mut world = scheduled(hourly(CronCollisionPolicy::KillExisting));
    world.wait(10 * MINUTE);
    world.offer("A", 4);
    all_go_to(&mut world, TaskState::Running);
    world.wait(HOUR);
    assert_eq!(world.shown("nightly"), ["0:KILLING", "1:KILLING"]);
    let now = world.now.plus_ms(MINUTE);
    away_until(&mut world, now);
    assert_eq!(world.shown("nightly"), ["0:KILLING", "1:KILLING"]);
    // Nobody answers: they are given up in the end.
    world.wait(5 * MINUTE);
    assert_eq!(world.shown("nightly"), ["0:LOST", "0:PENDING", "1:LOST", "1:PENDING"]);
    assert_eq!(runs(&world), ["0:00 started 2", "1:00 started 2"]);
}

#[test]
fn what_is_due_while_a_run_still_waits_is_recorded_as_skipped() {
    let settings = Settings { transient_timeout_ms: 10 * HOUR, ..Settings::default() };
    let mut world = World::with(settings);
    world.register();
    world.now = Timestamp(DAY - MINUTE);
    schedule(&mut world, hourly(CronCollisionPolicy::KillExisting)).unwrap();
    world.wait(MINUTE);
    world.offer("A", 8);
    all_go_to(&mut world, TaskState::Running);
    world.wait(HOUR);
    world.wait(HOUR);
    assert_eq!(runs(&world), ["0:00 started 2", "2:00 Waiting"]);
    assert_eq!(counter(&world, "cron_job_concurrent_runs"), 1);
    let refused = cron(&mut world, CronRequest::Start(key())).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::FailedPrecondition);
    assert!(refused.message.contains("waits for the tasks of the one before"), "{refused}");
    all_go_to(&mut world, TaskState::Killed);
    assert_eq!(runs(&world), ["0:00 started 2", "2:00 Waiting", "1:00 started 2"]);
}

#[test]
fn failed_instances_are_retried_like_those_of_a_batch_job() {
    let mut retried = hourly(CronCollisionPolicy::CancelNew);
    retried.instance_count = 1;
    retried.task.max_task_failures = 2;
    let mut world = scheduled(retried);
    world.wait(10 * MINUTE);
    world.offer("A", 4);
    all_go_to(&mut world, TaskState::Failed);
    assert_eq!(world.shown("nightly"), ["0:FAILED", "0:PENDING"]);
    world.wait(HOUR);
    assert_eq!(runs(&world), ["0:00 started 1", "1:00 Collision"]);
}

#[test]
fn a_run_can_be_asked_for() {
    let mut world = scheduled(hourly(CronCollisionPolicy::CancelNew));
    let started = cron(&mut world, CronRequest::Start(key())).unwrap();
    let outcome = Some(CronOutcome::Started { instances: 2 });
    assert_eq!(started, CronResponse::Triggered { outcome });
    let again = cron(&mut world, CronRequest::Start(key())).unwrap();
    let CronResponse::Triggered { outcome: Some(CronOutcome::Skipped { reason, .. }) } = again
    else {
        panic!("{again:?}")
    };
    assert_eq!(reason, CronSkip::Collision);
    assert_eq!(runs(&world), ["-1:50 asked started 2", "-1:50 asked Collision"]);
    assert_eq!(status(&world).runs[0].trigger, CronTrigger::User("tester".into()));
    // That changes nothing about when it is due.
    assert_eq!(status(&world).next, Some(Timestamp(DAY)));
    let unknown = JobKey::new("www", "prod", "other").unwrap();
    let refused = cron(&mut world, CronRequest::Start(unknown)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
}

#[test]
fn a_run_that_is_asked_for_ends_the_one_before_if_the_policy_says_so() {
    let mut world = scheduled(hourly(CronCollisionPolicy::KillExisting));
    cron(&mut world, CronRequest::Start(key())).unwrap();
    world.offer("A", 4);
    let waits = cron(&mut world, CronRequest::Start(key())).unwrap();
    assert_eq!(waits, CronResponse::Triggered { outcome: None });
    all_go_to(&mut world, TaskState::Killed);
    assert_eq!(runs(&world), ["-1:50 asked started 2"; 2]);
}

#[test]
fn of_missed_runs_the_last_is_made_up_for() {
    let mut world = scheduled(catching_up(CronCatchUp::RunLatest));
    away_until(&mut world, Timestamp(DAY + 5 * HOUR + 20 * MINUTE));
    assert_eq!(runs(&world), ["0:00 late Superseded x5 to 4:00", "5:00 late started 2"]);
    assert_eq!(world.tasks("nightly").len(), 2);
    assert_eq!(status(&world).next, Some(Timestamp(DAY + 6 * HOUR)));
    assert_eq!(counter(&world, "cron_job_misfires"), 6);
    // Once.
    away_until(&mut world, Timestamp(DAY + 5 * HOUR + 30 * MINUTE));
    assert_eq!(runs(&world).len(), 2);
}

#[test]
fn a_missed_run_collides_as_any_other() {
    let mut world = scheduled(catching_up(CronCatchUp::RunLatest));
    world.wait(10 * MINUTE);
    world.offer("A", 4);
    away_until(&mut world, Timestamp(DAY + HOUR + 20 * MINUTE));
    assert_eq!(runs(&world), ["0:00 started 2", "1:00 late Collision"]);
}

#[test]
fn a_failover_that_is_over_within_a_minute_misses_nothing() {
    for catch_up in [CronCatchUp::RunLatest, CronCatchUp::RunAll, CronCatchUp::Skip] {
        let mut world = scheduled(catching_up(catch_up));
        away_until(&mut world, Timestamp(DAY + MINUTE));
        assert_eq!(runs(&world), ["0:00 started 2"], "{catch_up:?}");
    }
}

#[test]
fn missed_runs_are_skipped_if_the_job_wants_none() {
    let mut world = scheduled(catching_up(CronCatchUp::Skip));
    away_until(&mut world, Timestamp(DAY + 5 * HOUR + MINUTE + 1));
    assert_eq!(runs(&world), ["0:00 late Policy x6 to 5:00"]);
    assert!(world.tasks("nightly").is_empty());
    away_until(&mut world, Timestamp(DAY + 7 * HOUR + 1));
    assert_eq!(runs(&world), ["0:00 late Policy x6 to 5:00", "6:00 late Policy", "7:00 started 2"]);
}

#[test]
fn all_missed_runs_are_made_up_for_one_after_the_other() {
    let mut world = scheduled(catching_up(CronCatchUp::RunAll));
    away_until(&mut world, Timestamp(DAY + 2 * HOUR + 20 * MINUTE));
    assert_eq!(runs(&world), ["0:00 late started 2"]);
    let refused = cron(&mut world, CronRequest::Start(key())).unwrap_err();
    assert!(refused.message.contains("are being made up for"), "{refused}");
    world.offer("A", 4);
    all_go_to(&mut world, TaskState::Finished);
    assert_eq!(runs(&world), ["0:00 late started 2", "1:00 late started 2"]);
    // What is due meanwhile takes its turn, also over a failover.
    world.wait(40 * MINUTE);
    assert_eq!(status(&world).queue.len(), 2);
    let now = world.now.plus_ms(MINUTE);
    away_until(&mut world, now);
    world.offer("A", 8);
    all_go_to(&mut world, TaskState::Finished);
    world.offer("A", 8);
    all_go_to(&mut world, TaskState::Finished);
    assert_eq!(
        runs(&world),
        ["0:00", "1:00", "2:00", "3:00"].map(|time| format!("{time} late started 2"))
    );
    assert!(status(&world).queue.is_empty());
    world.offer("A", 8);
    all_go_to(&mut world, TaskState::Finished);
    let wait = Timestamp(DAY + 4 * HOUR).ms_since(world.now);
    world.wait(wait);
    assert_eq!(runs(&world).last().unwrap(), "4:00 started 2");
}

#[test]
fn no_more_runs_are_made_up_for_than_the_cluster_allows() {
    for (limit, expected) in [
        (3, vec!["0:00 late CatchUpLimit x7 to 6:00", "7:00 late started 2"]),
        (10, vec!["0:00 late started 2"]),
        (0, vec!["0:00 late CatchUpLimit x10 to 9:00"]),
    ] {
        let settings = Settings { cron_catch_up_limit: limit, ..Settings::default() };
        let mut world = World::with(settings);
        world.now = Timestamp(DAY - MINUTE);
        schedule(&mut world, catching_up(CronCatchUp::RunAll)).unwrap();
        away_until(&mut world, Timestamp(DAY + 9 * HOUR + 20 * MINUTE));
        assert_eq!(runs(&world), expected);
        assert_eq!(status(&world).queue.len(), usize::try_from(limit).unwrap().saturating_sub(1));
    }
}

#[test]
fn where_no_run_is_made_up_for_those_that_are_on_time_run() {
    for catch_up in [CronCatchUp::RunAll, CronCatchUp::RunLatest, CronCatchUp::Skip] {
        let settings = Settings { cron_catch_up_limit: 0, ..Settings::default() };
        let mut world = World::with(settings);
        world.now = Timestamp(DAY - MINUTE);
        schedule(&mut world, catching_up(catch_up)).unwrap();
        // Three were missed; the last one is due at this very moment.
        away_until(&mut world, Timestamp(DAY + 3 * HOUR));
        let reason = match catch_up {
            CronCatchUp::RunAll => "CatchUpLimit",
            CronCatchUp::RunLatest => "Superseded",
            CronCatchUp::Skip => "Policy",
        };
        let missed = format!("0:00 late {reason} x3 to 2:00");
        assert_eq!(runs(&world), [missed.as_str(), "3:00 started 2"]);
        world.offer("A", 8);
        all_go_to(&mut world, TaskState::Finished);
        world.wait(HOUR);
        assert_eq!(runs(&world).last().unwrap(), "4:00 started 2");
    }
}

#[test]
fn a_clock_that_jumps_ahead_is_like_an_absence_and_one_that_goes_back_repeats_nothing() {
    let mut world = scheduled(catching_up(CronCatchUp::RunLatest));
    world.wait(3 * HOUR + 30 * MINUTE);
    assert_eq!(runs(&world), ["0:00 late Superseded x3 to 2:00", "3:00 late started 2"]);
    world.offer("A", 4);
    all_go_to(&mut world, TaskState::Finished);
    world.wait(-2 * HOUR);
    world.wait(HOUR);
    let mut again = catching_up(CronCatchUp::RunLatest);
    again.instance_count = 1;
    schedule(&mut world, again).unwrap();
    world.wait(HOUR);
    assert_eq!(runs(&world).len(), 2);
    world.wait(40 * MINUTE);
    assert_eq!(runs(&world).last().unwrap(), "4:00 started 1");
}

#[test]
fn times_that_the_clock_leaves_out_or_shows_twice_are_due_once() {
    // 2026-03-28T12:00Z and 2026-10-24T12:00Z: the days before clocks are turned in Rome.
    for start in [1_774_699_200_000, 1_792_843_200_000] {
        let mut world = World::registered();
        world.now = Timestamp(start);
        let mut nightly = hourly(CronCollisionPolicy::CancelNew);
        nightly.cron_schedule = Some("30 2 * * *".into());
        nightly.cron_time_zone = Some("Europe/Rome".into());
        schedule(&mut world, nightly).unwrap();
        assert_eq!(status(&world).zone, "Europe/Rome");
        for _ in 0..3 * 48 {
            world.wait(HOUR / 2);
            world.offer("A", 8);
            all_go_to(&mut world, TaskState::Finished);
        }
        let runs = status(&world).runs;
        assert_eq!(runs.len(), 3, "{runs:?}");
        assert!(runs.iter().all(|run| run.at.ms_since(run.due) < HOUR / 2), "{runs:?}");
    }
}

#[test]
fn a_job_is_replaced_and_what_runs_goes_on() {
    let mut world = scheduled(hourly(CronCollisionPolicy::CancelNew));
    world.wait(10 * MINUTE);
    world.offer("A", 4);
    let mut new = hourly(CronCollisionPolicy::KillExisting);
    new.cron_schedule = Some("30 * * * *".into());
    new.instance_count = 1;
    let replaced = cron(&mut world, CronRequest::Replace(Box::new(new.clone()))).unwrap();
    let next = Some(Timestamp(DAY + HOUR / 2));
    assert_eq!(replaced, CronResponse::Scheduled { key: key(), next });
    assert_eq!(world.shown("nightly"), ["0:ASSIGNED", "1:ASSIGNED"]);
    world.wait(HOUR / 2);
    all_go_to(&mut world, TaskState::Killed);
    world.wait(HOUR / 2);
    assert_eq!(runs(&world), ["0:00 started 2", "0:30 started 1"]);
    new.key = JobKey::new("www", "prod", "other").unwrap();
    new.task.job = new.key.clone();
    let refused = cron(&mut world, CronRequest::Replace(Box::new(new))).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
}

#[test]
fn who_stops_making_up_for_all_gives_up_what_waits() {
    let mut world = scheduled(catching_up(CronCatchUp::RunAll));
    away_until(&mut world, Timestamp(DAY + 2 * HOUR + 20 * MINUTE));
    assert_eq!(status(&world).queue.len(), 2);
    schedule(&mut world, catching_up(CronCatchUp::Skip)).unwrap();
    assert_eq!(runs(&world), ["0:00 late started 2", "1:00 late Replaced", "2:00 late Replaced"]);
}

#[test]
fn a_job_that_is_descheduled_is_run_no_more_and_what_runs_goes_on() {
    let mut world = scheduled(hourly(CronCollisionPolicy::CancelNew));
    world.wait(10 * MINUTE);
    let gone = cron(&mut world, CronRequest::Deschedule(key())).unwrap();
    assert_eq!(gone, CronResponse::Descheduled { existed: true });
    let gone = cron(&mut world, CronRequest::Deschedule(key())).unwrap();
    assert_eq!(gone, CronResponse::Descheduled { existed: false });
    world.wait(3 * HOUR);
    assert_eq!(world.shown("nightly"), ["0:PENDING", "1:PENDING"]);
    assert_eq!(world.scheduler.cron(&key()), None);
    // While they are there, it is no cron job.
    let refused = schedule(&mut world, hourly(CronCollisionPolicy::CancelNew)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AlreadyExists);
}

#[test]
fn bad_cron_jobs_are_refused_with_a_reason() {
    type Change = fn(&mut JobConfiguration);
    let cases: [(Change, &str); 8] = [
        (|job| job.cron_schedule = None, "has no cron schedule: it is created, not scheduled"),
        (|job| job.cron_schedule = Some(String::new()), "has 0 fields instead of five"),
        (|job| job.cron_schedule = Some("* * * *".into()), "has 4 fields instead of five"),
        (|job| job.task.is_service = true, "cannot be a service"),
        (
            |job| job.cron_time_zone = Some("Rome".into()),
            "there is no time zone \"Rome\": did you mean Europe/Rome?",
        ),
        (
            |job| job.cron_collision_policy = CronCollisionPolicy::RunOverlap,
            "RUN_OVERLAP is not supported",
        ),
        (|job| job.instance_count = 4001, "at most 4000"),
        (|job| job.task.tier = Some("preferred".into()), "Insufficient resource quota"),
    ];
    for (change, message) in cases {
        let mut world = World::registered();
        let mut bad = hourly(CronCollisionPolicy::CancelNew);
        change(&mut bad);
        let error = schedule(&mut world, bad.clone()).unwrap_err();
        assert!(error.message.contains(message), "{error}");
        assert_eq!(world.scheduler.cron_count(), 0);
        // Who asks beforehand is told the same.
        let asked = world.ask(Request::ValidateJob(Box::new(bad.clone())));
        if bad.cron_schedule.is_some() && bad.task.tier.is_none() {
            assert_eq!(asked.unwrap_err(), error);
        }
    }
}

#[test]
fn a_cron_job_is_neither_created_nor_given_more_instances() {
    let mut world = scheduled(hourly(CronCollisionPolicy::CancelNew));
    let refused = world.create(job("nightly", 1, false)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AlreadyExists);
    let refused = world.create(hourly(CronCollisionPolicy::CancelNew)).unwrap_err();
    assert!(refused.message.contains("it is scheduled, not created"), "{refused}");
    world.wait(10 * MINUTE);
    let refused = world.ask(Request::AddInstances { job: key(), like: 0, count: 1 }).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::FailedPrecondition);
    // Killing its instances is like killing others.
    assert_eq!(world.kill("nightly").unwrap(), Response::Killed { instances: vec![0, 1] });
}

#[test]
fn a_repeated_request_schedules_and_starts_once() {
    let mut world = scheduled(hourly(CronCollisionPolicy::CancelNew));
    let start = || Request::Cron(CronRequest::Start(key()));
    let first = world.ask_as(Some("r"), start()).unwrap();
    assert_eq!(world.ask_as(Some("r"), start()).unwrap(), first);
    assert_eq!(runs(&world).len(), 1);
}

#[test]
fn of_the_last_runs_fifty_are_remembered() {
    let mut world = scheduled(hourly(CronCollisionPolicy::CancelNew));
    world.wait(10 * MINUTE);
    for _ in 0..60 {
        world.wait(HOUR);
    }
    let runs = status(&world).runs;
    assert_eq!((runs.len(), shown(&runs[49])), (50, "60:00 Collision".to_owned()));
}

#[test]
fn a_zone_that_is_gone_from_the_tables_stops_one_job_and_no_other() {
    let mut world = scheduled(hourly(CronCollisionPolicy::CancelNew));
    let mut state = world.scheduler.state().clone();
    let mut other = hourly(CronCollisionPolicy::CancelNew);
    other.key = JobKey::new("www", "prod", "other").unwrap();
    other.cron_time_zone = Some("Atlantis/Capital".into());
    let put = CronOp::Put { job: Arc::new(other), handled: world.now };
    state.apply(&Op::Cron(put)).unwrap();
    world.take_over(state);
    world.wait(10 * MINUTE);
    assert_eq!(runs(&world), ["0:00 started 2"]);
    let crons: Vec<CronStatus> = world.scheduler.crons("www", None).collect();
    assert_eq!(crons.len(), 2);
    let problem = crons[1].problem.as_deref().unwrap();
    assert!(problem.starts_with("there is no time zone \"Atlantis/Capital\""), "{problem}");
    assert_eq!((crons[1].next, crons[1].zone.as_str()), (None, "Atlantis/Capital"));
    assert_eq!(counter(&world, "cron_job_launch_failures"), 1);
    assert_eq!(world.scheduler.crons("ww", None).count(), 0);
    assert_eq!(world.scheduler.crons("", Some(&key())).count(), 1);
}

#[test]
fn a_change_of_a_cron_job_that_is_not_there_is_refused() {
    let mut state = State::default();
    for op in [
        CronOp::Remove(key()),
        CronOp::Due { job: key(), handled: Timestamp(0), queued: vec![] },
        CronOp::Record { job: key(), runs: vec![], taken: 0 },
    ] {
        let error = state.apply(&Op::Cron(op)).unwrap_err().to_string();
        assert_eq!(error, "cron job www/prod/nightly is changed but does not exist");
    }
    let world = scheduled(hourly(CronCollisionPolicy::CancelNew));
    let mut state = world.scheduler.state().clone();
    let op = CronOp::Record { job: key(), runs: vec![], taken: 1 };
    let error = state.apply(&Op::Cron(op)).unwrap_err().to_string();
    assert_eq!(error, "a run of cron job www/prod/nightly is changed but does not exist");
    assert_eq!(&state, world.scheduler.state());
    assert_eq!(state.crons().get(&key()).unwrap().queue, VecDeque::new());
}
