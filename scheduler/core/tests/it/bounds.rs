//! A step is one record of the log, and nobody else is heard while it is made: however much there is to
//! do at once, a step does a bounded part of it, and in the end all is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::cron::{CronOutcome, CronSkip};
use aurora_model::job::{CronCatchUp, MilliCpus, TaskEvent, TaskState, Timestamp};
use aurora_model::key::{AgentId, JobKey, TaskId, UpdateId};
use aurora_model::maintenance::MaintenanceMode;
use aurora_model::update::{
    JobUpdate, UpdateEvent, UpdateInstructions, UpdateKey, UpdateSettings, UpdateStatus,
};
use aurora_scheduler_core::{
    CronRequest, Effect, Input, MaintenanceRequest, Op, Request, Settings, State, TaskRecord,
    UpdateAction, UpdateOp, UpdateSnapshot,
};

use crate::updates_world::{batch, version, web};
use crate::upkeep::percentage;
use crate::world::{World, job};

const DAY: i64 = 24 * 3_600_000;

/// Changes of tasks that a step makes at most in these worlds, whose jobs are small: what waits in turn
/// and what comes of it.
const MOST: usize = 5_000;

/// How many tasks ops are about.
fn size(ops: &[Op]) -> usize {
    ops.iter()
        .map(|op| match op {
            Op::PutTasks { tasks, .. } => tasks.len(),
            Op::Remove(ids) => ids.len(),
            _ => 1,
        })
        .sum()
}

impl World {
    /// Wakes the scheduler for as long as it wants to be at once, a millisecond later each time, and
    /// holds each step to its bound, the last ones before included. Gives how many steps it took.
    fn drive(&mut self, since: usize) -> usize {
        for _ in 0..100_000 {
            let is_due = |world: &Self| {
                world.scheduler.next_wakeup().is_some_and(|at| at <= world.now.plus_ms(2))
            };
            if !is_due(self) {
                break;
            }
            self.wait(1);
        }
        for step in &self.log[since..] {
            assert!(size(step) <= MOST, "a step of {} changes", size(step));
        }
        self.log.len() - since
    }

    fn count_of(&self, state: TaskState) -> u64 {
        self.scheduler.state().counts().get(&state).copied().unwrap_or(0)
    }
}

/// Tasks of jobs of 1,000 instances that have been in a state since the first day, on as many hosts as
/// given, and these hosts.
fn state_of(tasks: u32, state: TaskState, hosts: u32, is_service: bool) -> State {
    let mut made = State::default();
    for host in 0..hosts {
        made.apply(&Op::PutHost {
            name: format!("h{host:05}"),
            agent: AgentId::new(format!("a{host:05}")).unwrap(),
            address: format!("h{host:05}:5051"),
            attributes: BTreeMap::from([(
                "host".to_owned(),
                BTreeSet::from([format!("h{host:05}")]),
            )]),
        })
        .unwrap();
    }
    for number in 0..tasks.div_ceil(1_000) {
        let config = Arc::new(job(&format!("j{number:04}"), 1_000, is_service).task);
        let records = (number * 1_000..tasks.min((number + 1) * 1_000)).map(|task| {
            let host = task % hosts.max(1);
            let place = (format!("a{host:05}"), format!("h{host:05}"));
            TaskRecord {
                id: TaskId::new(format!("t{task:06}")).unwrap(),
                instance: task % 1_000,
                state,
                agent: Some((AgentId::new(place.0).unwrap(), place.1)),
                ports: BTreeMap::new(),
                failure_count: 0,
                times_partitioned: 0,
                events: vec![TaskEvent {
                    timestamp: Timestamp(DAY),
                    state,
                    message: None,
                    scheduler: None,
                }],
                ancestor: None,
            }
        });
        made.apply(&Op::PutTasks { config, tasks: records.collect() }).unwrap();
    }
    made
}

fn settings() -> Settings {
    Settings { min_offer_hold_ms: 1_000 * DAY, unset_quota: None, ..Settings::default() }
}

fn world_with(state: State, settings: Settings) -> World {
    let mut world = World::with(settings);
    world.log.clear();
    world.now = Timestamp(DAY + 1);
    world.take_over(state);
    world
}

#[test]
fn timers_that_are_all_due_run_some_at_a_time() {
    // Each has a timer that gives it up and one that repeats its kill.
    const TASKS: u32 = 100_000;
    let mut world = world_with(state_of(TASKS, TaskState::Killing, 100, true), settings());
    assert_eq!(world.drive(0), 1, "what is restored is not done anew");
    // The process stood still for an hour.
    let since = world.log.len();
    world.wait(3_600_000);
    assert!(world.scheduler.next_wakeup().unwrap() <= world.now, "there is more to do at once");
    // Others are heard meanwhile.
    world.create(job("small", 1, true)).unwrap();
    assert!(world.count_of(TaskState::Killing) > 50_000);
    let steps = world.drive(since);
    assert!(steps > 50, "{steps}");
    assert_eq!(world.count_of(TaskState::Lost), u64::from(TASKS));
    assert_eq!(world.count_of(TaskState::Killing), 0);
}

#[test]
fn runs_that_are_replaced_all_at_once_are_replaced_some_at_a_time() {
    const TASKS: u32 = 10_000;
    let mut world = world_with(state_of(TASKS, TaskState::Assigned, 100, true), settings());
    let since = world.log.len();
    world.wait(3_600_000);
    let steps = world.drive(since);
    assert!(steps > 10, "{steps}");
    assert_eq!(world.count_of(TaskState::Lost), u64::from(TASKS));
    assert_eq!(world.count_of(TaskState::Pending), u64::from(TASKS));
}

#[test]
fn after_a_registration_all_tasks_are_asked_about_a_batch_at_a_time() {
    const TASKS: u32 = 3_500;
    let mut world = world_with(state_of(TASKS, TaskState::Running, 10, true), settings());
    let pause = settings().reconciliation_batch_interval_ms;
    let asked = |effects: &[Effect]| -> Vec<usize> {
        let batches = effects.iter().filter_map(|effect| match effect {
            Effect::Reconcile(batch) if !batch.is_empty() => Some(batch.len()),
            _ => None,
        });
        batches.collect()
    };
    assert_eq!(asked(&world.register()), [1_000]);
    assert_eq!(asked(&world.wait(pause)), [1_000]);
    // Who is registered anew begins anew, and not a second time beside.
    assert_eq!(asked(&world.register()), [1_000]);
    let rest: Vec<usize> = (0..6).flat_map(|_| asked(&world.wait(pause))).collect();
    assert_eq!(rest, [1_000, 1_000, 500]);
}

#[test]
fn missed_runs_of_many_cron_jobs_are_started_some_at_a_time() {
    const JOBS: u32 = 200;
    let mut world = World::with(settings());
    world.now = Timestamp(DAY);
    for number in 0..JOBS {
        let mut cron = job(&format!("c{number:03}"), 100, false);
        cron.cron_schedule = Some("0 * * * *".into());
        world.ask(Request::Cron(CronRequest::Schedule(Box::new(cron)))).unwrap();
    }
    let state = world.scheduler.state().clone();
    world.now = Timestamp(2 * DAY + 600_000);
    let since = world.log.len();
    world.take_over(state);
    let steps = world.drive(since);
    assert!(steps >= 10, "{steps}");
    assert_eq!(world.count_of(TaskState::Pending), u64::from(JOBS) * 100);
}

#[test]
fn a_year_of_missed_minutes_is_looked_at_in_parts_and_comes_out_as_one() {
    for (catch_up, waiting, skip) in [
        (CronCatchUp::RunAll, 4, CronSkip::CatchUpLimit),
        (CronCatchUp::RunLatest, 0, CronSkip::Superseded),
        (CronCatchUp::Skip, 0, CronSkip::Policy),
    ] {
        let settings = Settings { cron_catch_up_limit: 5, ..settings() };
        let mut world = World::with(settings);
        world.now = Timestamp(DAY);
        let mut cron = job("nightly", 1, false);
        cron.cron_schedule = Some("*/10 * * * *".into());
        cron.cron_catch_up = catch_up;
        world.ask(Request::Cron(CronRequest::Schedule(Box::new(cron)))).unwrap();
        let state = world.scheduler.state().clone();
        // Not on time.
        world.now = Timestamp(366 * DAY + 300_000);
        let since = world.log.len();
        world.take_over(state);
        let steps = world.drive(since);
        assert!(steps > 20, "{steps}");
        let status = world.scheduler.cron(&JobKey::new("www", "prod", "nightly").unwrap()).unwrap();
        assert_eq!(status.queue.len(), waiting, "{catch_up:?}");
        let skipped = status.runs.iter().find_map(|run| match run.outcome {
            CronOutcome::Skipped { reason, count, .. } => Some((reason, count)),
            CronOutcome::Started { .. } => None,
        });
        let started = u64::from(catch_up != CronCatchUp::Skip);
        let expected = 365 * 24 * 6 - waiting as u64 - started;
        assert_eq!(skipped, Some((skip, expected)), "{catch_up:?}");
    }
}

#[test]
fn missed_runs_that_the_quota_refuses_are_given_up_some_at_a_time() {
    const RUNS: u32 = 10_000;
    let given = |unset_quota| Settings { unset_quota, cron_catch_up_limit: RUNS, ..settings() };
    let mut world = World::with(given(None));
    world.now = Timestamp(DAY);
    let mut cron = job("nightly", 1, false);
    cron.task.tier = Some("preferred".into());
    cron.cron_schedule = Some("* * * * *".into());
    cron.cron_catch_up = CronCatchUp::RunAll;
    let key = cron.key.clone();
    world.ask(Request::Cron(CronRequest::Schedule(Box::new(cron)))).unwrap();
    let state = world.scheduler.state().clone();
    world = World::with(given(Some(Default::default())));
    world.now = Timestamp(DAY + 60_000 * i64::from(RUNS) + 300_000);
    world.log.clear();
    world.take_over(state);
    let steps = world.drive(0);
    assert!(steps > 5, "{steps}");
    let status = world.scheduler.cron(&key).unwrap();
    assert!(status.queue.is_empty(), "{}", status.queue.len());
    assert_eq!(world.scheduler.state().tasks_of(&key).count(), 0);
}

#[test]
fn all_hosts_are_drained_some_at_a_time_and_after_a_crash_too() {
    const TASKS: u32 = 20_000;
    const HOSTS: u32 = 1_000;
    for crash in [false, true] {
        let mut world = world_with(state_of(TASKS, TaskState::Running, HOSTS, true), settings());
        world.register();
        let since = world.log.len();
        let hosts: BTreeSet<String> = (0..HOSTS).map(|host| format!("h{host:05}")).collect();
        world.ask(Request::Maintenance(MaintenanceRequest::Drain { hosts })).unwrap();
        let marked = |world: &World| {
            let hosts = world.scheduler.state().maintenance().hosts();
            hosts.filter(|(_, host)| host.mode == MaintenanceMode::Draining).count()
        };
        assert_eq!(marked(&world), HOSTS as usize, "none takes tasks before the first is left");
        assert!(world.count_of(TaskState::Draining) < u64::from(TASKS));
        if crash {
            world.restart();
            world.register();
        }
        assert!(world.drive(since) > 10);
        assert_eq!(world.count_of(TaskState::Draining), u64::from(TASKS));
    }
}

#[test]
fn ended_tasks_are_forgotten_some_at_a_time() {
    const TASKS: u32 = 20_000;
    let keeps_few = || Settings { history_max_per_job: 10, ..settings() };
    let mut world = world_with(state_of(TASKS, TaskState::Finished, 0, false), keeps_few());
    assert_eq!(world.drive(0), 1, "they have ended a moment ago");
    // Too many, and long enough ago.
    world.now = Timestamp(DAY + 2 * 3_600_000);
    let since = world.log.len();
    let state = world.scheduler.state().clone();
    world.take_over(state);
    assert!(world.drive(since) > 5);
    assert_eq!(world.count_of(TaskState::Finished), 20 * 10);
    // Too old.
    world.wait(3 * DAY);
    world.drive(since);
    assert_eq!(world.count_of(TaskState::Finished), 0);
}

/// A job of one thing whose instances all run.
fn running_web(instances: u32) -> World {
    let mut made = state_of(0, TaskState::Running, 1, true);
    let tasks = (0..instances).map(|instance| TaskRecord {
        id: TaskId::new(format!("w{instance:06}")).unwrap(),
        instance,
        state: TaskState::Running,
        agent: Some((AgentId::new("a00000").unwrap(), "h00000".to_owned())),
        ports: BTreeMap::new(),
        failure_count: 0,
        times_partitioned: 0,
        events: vec![TaskEvent {
            timestamp: Timestamp(DAY),
            state: TaskState::Running,
            message: None,
            scheduler: None,
        }],
        ancestor: None,
    });
    let mut task = version("v1");
    // As a scheduler keeps it.
    task.tier = Some("preemptible".into());
    let op = Op::PutTasks { config: Arc::new(task), tasks: tasks.collect() };
    made.apply(&op).unwrap();
    let mut world = world_with(made, Settings { max_tasks_per_job: 100_000, ..settings() });
    world.register();
    world
}

#[test]
fn a_large_batch_of_an_update_is_taken_up_some_at_a_time() {
    const INSTANCES: u32 = 20_000;
    for crash in [false, true] {
        let mut world = running_web(INSTANCES);
        let since = world.log.len();
        world.started(INSTANCES, batch(INSTANCES, false));
        assert!(world.count_of(TaskState::Killing) < 1_000);
        world.wait(1);
        if crash {
            world.restart();
            world.register();
        }
        assert!(world.drive(since) > 20);
        assert_eq!(world.count_of(TaskState::Killing), u64::from(INSTANCES));
        assert_eq!(world.update().tally().working, INSTANCES);
    }
}

#[test]
fn a_batch_that_is_taken_up_in_parts_is_still_one_batch() {
    let mut world = running_web(1_000);
    world.started(1_000, batch(600, true));
    world.drive(0);
    // The second batch waits for all of the first, and for somebody.
    assert_eq!(world.count_of(TaskState::Killing), 600);
    world.obey();
    world.drive(0);
    assert_eq!(world.at(), UpdateStatus::RollForwardPaused);
    assert_eq!(world.update().tally().good, 600);
    world.act(UpdateAction::Resume).unwrap();
    world.drive(0);
    assert_eq!(world.count_of(TaskState::Killing), 400);
    world.obey();
    world.drive(0);
    assert_eq!(world.at(), UpdateStatus::RolledForward);
}

#[test]
fn an_update_that_stands_goes_on_with_none_of_the_rest() {
    let mut world = running_web(1_000);
    world.started(1_000, batch(1_000, false));
    let begun = world.count_of(TaskState::Killing);
    assert!(begun < 1_000);
    world.act(UpdateAction::Pause).unwrap();
    world.drive(0);
    assert_eq!(world.count_of(TaskState::Killing), begun);
    world.act(UpdateAction::Resume).unwrap();
    world.drive(0);
    assert_eq!(world.count_of(TaskState::Killing), 1_000);
    // What has been taken up by the update alone is undone, and all of it.
    world.act(UpdateAction::RollBack).unwrap();
    world.obey();
    world.drive(0);
    world.obey();
    assert_eq!(world.at(), UpdateStatus::RolledBack);
    assert_eq!(world.scheduler.state().active_of(&web()).count(), 1_000);
}

#[test]
fn a_kill_is_whole_when_it_is_answered() {
    const INSTANCES: u32 = 20_000;
    let mut world = running_web(INSTANCES);
    let since = world.log.len();
    world.kill("web").unwrap();
    assert_eq!(world.log.len(), since + 1);
    world.restart();
    assert_eq!(world.count_of(TaskState::Killing), u64::from(INSTANCES));
    let too_long = Request::KillTasks {
        job: web(),
        instances: BTreeSet::new(),
        message: Some("x".repeat(1_025)),
    };
    let error = world.ask(too_long).unwrap_err();
    assert!(error.message.contains("1025 bytes long; at most 1024"), "{error}");
}

#[test]
fn a_search_for_room_goes_through_a_large_cluster_in_parts() {
    const HOSTS: u32 = 5_000;
    let mut world = world_with(state_of(HOSTS, TaskState::Running, HOSTS, true), settings());
    world.register();
    let mut large = job("large", 1, true);
    large.task.tier = Some("preferred".into());
    // No host has so much, whoever goes.
    large.task.resources.cpus = MilliCpus(64_000);
    world.create(large).unwrap();
    world.wait(180_000);
    let failed = |world: &World| {
        let counters = world.scheduler.counters();
        counters.get("preemptor_slot_search_failed_for_prod").copied().unwrap_or(0)
    };
    world.wait(1);
    assert_eq!(failed(&world), 0, "one step looks at some hosts");
    world.drive(0);
    assert_eq!(failed(&world), 1, "each host is looked at once");
}

#[test]
fn nothing_that_is_over_leaves_a_timer_behind() {
    let (mut world, _) = World::with_running(job("web", 1, true));
    // A partition policy that waits for years.
    let mut patient = job("patient", 1, true);
    patient.task.partition_policy =
        Some(aurora_model::job::PartitionPolicy { reschedule: true, delay_secs: 1 << 40 });
    world.create(patient).unwrap();
    world.offer("A", 4);
    let id = world.task_in("patient", TaskState::Assigned);
    world.status(&id, TaskState::Running);
    world.wait(DAY);
    let timers = |world: &World| format!("{:?}", world.scheduler).matches("EndPartition").count();
    for _ in 0..10 {
        world.status(&id, TaskState::Partitioned);
        assert_eq!(timers(&world), 1);
        world.status(&id, TaskState::Running);
        assert_eq!(timers(&world), 0);
        world.wait(1);
    }
    // An update that watches for long.
    let watch = UpdateSettings {
        min_wait_in_running_ms: 1_000_000_000,
        max_per_instance_failures: 20_000,
        ..crate::updates_world::queue(1)
    };
    world.started(1, watch);
    let watches = |world: &World| format!("{:?}", world.scheduler).matches("Watch(").count();
    world.obey();
    assert_eq!(watches(&world), 1);
    for _ in 0..3 {
        world.set(0, TaskState::Failed);
        assert_eq!(watches(&world), 0);
        world.wait(300_000);
        world.obey();
        assert_eq!(watches(&world), 1);
    }
    world.act(UpdateAction::Pause).unwrap();
    assert_eq!(watches(&world), 0);
    world.act(UpdateAction::Resume).unwrap();
    assert_eq!(watches(&world), 1);
    world.act(UpdateAction::Abort).unwrap();
    assert_eq!(watches(&world), 0);
}

#[test]
fn a_drain_that_is_over_leaves_no_deadline_behind() {
    let mut world = World::with_service(&[1], None);
    let deadlines =
        |world: &World| format!("{:?}", world.scheduler).matches("Drain(\"host-A\")").count();
    for _ in 0..5 {
        world.sla_drain(&["host-A"], percentage(100.0, 0), 1 << 40);
        assert_eq!(deadlines(&world), 1);
        world.end("host-A");
        assert_eq!(deadlines(&world), 0);
        world.wait(1);
    }
}

#[test]
fn old_updates_are_forgotten_some_at_a_time() {
    const JOBS: u32 = 1_200;
    let mut state = State::default();
    for number in 0..JOBS {
        let key = JobKey::new("www", "prod", &format!("u{number:05}")).unwrap();
        let instructions = UpdateInstructions {
            initial: Vec::new(),
            desired: None,
            surge: None,
            settings: UpdateSettings::default(),
        };
        let key = UpdateKey { job: key, id: UpdateId::new(format!("{number}")).unwrap() };
        let user = "me".to_owned();
        let update = JobUpdate { key, user, instructions, metadata: BTreeSet::new() };
        let event = UpdateEvent {
            status: UpdateStatus::RolledForward,
            timestamp: Timestamp(DAY),
            user: None,
            message: None,
        };
        let put = UpdateOp::Put(Box::new(UpdateSnapshot {
            update: Arc::new(update),
            events: vec![event],
            taken: Vec::new(),
            acted: false,
            last_pulse: None,
            tally: None,
        }));
        state.apply(&Op::Update(put)).unwrap();
    }
    // Nothing is remembered of their jobs.
    let mut world = world_with(state, settings());
    let since = world.log.len();
    world.wait(settings().update_history_interval_ms);
    assert!(world.scheduler.state().updates().len() > 600);
    world.drive(since);
    assert!(world.scheduler.state().updates().is_empty());
    let forgets = |op: &Op| match op {
        Op::Update(UpdateOp::Remove(keys)) => Some(keys.len()),
        _ => None,
    };
    let forgotten: Vec<usize> = world.log[since..].iter().flatten().filter_map(forgets).collect();
    assert_eq!(forgotten, [500, 500, 200]);
}

#[test]
fn a_snapshot_of_a_job_that_has_ended_very_often_is_in_parts() {
    let made = state_of(1_000, TaskState::Finished, 0, false);
    let config = made.tasks().next().unwrap().assigned.task.clone();
    let mut state = State::default();
    for part in 0..25_u32 {
        let records = (0..1_000).map(|task| TaskRecord {
            id: TaskId::new(format!("t{part}-{task}")).unwrap(),
            instance: task,
            state: TaskState::Finished,
            agent: None,
            ports: BTreeMap::new(),
            failure_count: 0,
            times_partitioned: 0,
            events: Vec::new(),
            ancestor: None,
        });
        let tasks = records.collect();
        state.apply(&Op::PutTasks { config: config.clone(), tasks }).unwrap();
    }
    let ops: Vec<Op> = state.to_ops().collect();
    assert!(ops.iter().all(|op| size(std::slice::from_ref(op)) <= 10_000));
    let mut again = State::default();
    ops.iter().for_each(|op| again.apply(op).unwrap());
    assert_eq!(again, state);
}

#[test]
fn coordinators_are_asked_in_turn_and_only_those_whose_turn_it_is() {
    // 300 tasks of as many hosts, all with one coordinator.
    const HOSTS: u32 = 300;
    let policy = aurora_model::job::SlaPolicy::Coordinator {
        coordinator_url: "http://here/".into(),
        status_key: "drain".into(),
    };
    let mut world = world_with(state_of(HOSTS, TaskState::Running, HOSTS, true), settings());
    world.register();
    world.effects.clear();
    let hosts: BTreeSet<String> = (0..HOSTS).map(|host| format!("h{host:05}")).collect();
    let request = MaintenanceRequest::SlaDrain {
        hosts,
        default_policy: policy,
        timeout_secs: 1_000_000,
        surge: false,
    };
    world.ask(Request::Maintenance(request)).unwrap();
    let starved = |world: &World| {
        let counters = world.scheduler.counters();
        counters.get("sla_coordinator_lock_starvation").copied().unwrap_or(0)
    };
    let mut asked = BTreeSet::new();
    let before = starved(&world);
    for _ in 0..HOSTS {
        let questions: Vec<_> = std::mem::take(&mut world.effects)
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::AskCoordinator(question) => Some(question),
                _ => None,
            })
            .collect();
        assert_eq!(questions.len(), 1, "one question at a time");
        asked.insert(questions[0].task.id().clone());
        let answer = aurora_scheduler_core::CoordinatorAnswer::Denied;
        world.put(Input::CoordinatorAnswered { id: questions[0].id, answer });
    }
    assert_eq!(asked.len(), HOSTS as usize, "none is passed over for another");
    assert_eq!(starved(&world), before, "nobody is asked in vain after an answer");
}
