//! What is done to the largest job there may be is one step, and the log takes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use aurora_model::job::TaskState;
use aurora_model::key::{JobKey, TaskId};
use aurora_model::update::{InstanceRange, JobUpdateRequest, UpdateSettings, UpdateStrategy};
use aurora_scheduler_core::{
    CronRequest, MAX_TASKS_PER_JOB, Op, Request, Response, Settings, State, TaskRecord,
    UpdateAction, UpdateRequest, UpdateResponse,
};
use aurora_scheduler_storage::{Log, Store, frame};

use crate::world::{World, job};

const INSTANCES: u32 = 200;

/// Steps that are appended together share a record up to this size.
const SHARED: u64 = 16 << 20;

/// How long the record of a step may be.
const MOST: u64 = frame::MAX_PAYLOAD as u64 - SHARED;

/// How long the record of a step is, in bytes.
fn length(step: &[Op]) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    store.append(&[step.to_vec()]).unwrap();
    store.since_snapshot()
}

/// A world in which ids, names and messages are as long as they may be, and the name of a job.
fn long_world() -> (World, String) {
    let settings = Settings {
        scheduler_host: "h".repeat(255),
        max_tasks_per_job: MAX_TASKS_PER_JOB,
        unset_quota: None,
        ..Settings::default()
    };
    let mut world = World::with(settings);
    world.register();
    (world, "n".repeat(190))
}

/// Lets all that waits run.
fn run_all(world: &mut World, name: &str) {
    while !world.tasks(name).iter().all(|task| task.state == TaskState::Running) {
        world.offer("A", 100);
        let placed = world.tasks(name).into_iter().filter(|t| t.state == TaskState::Assigned);
        let ids: Vec<TaskId> = placed.map(|task| task.id().clone()).collect();
        for id in ids {
            world.status(&id, TaskState::Running);
        }
    }
}

/// Holds steps that are about [`INSTANCES`] to the limit as if they were about the most there may be.
fn check(lengths: &[(&str, u64)]) {
    for (what, length) in lengths {
        let whole = length * u64::from(MAX_TASKS_PER_JOB / INSTANCES);
        assert!(whole < MOST, "{what}: {whole} bytes, and a record may have {MOST}");
    }
}

#[test]
fn what_is_done_to_the_largest_job_is_no_longer_than_a_record_may_be() {
    let message = Some("x".repeat(1 << 10));
    let mut lengths = Vec::new();
    for runs in [false, true] {
        let (mut world, name) = long_world();
        let key = JobKey::new("www", "prod", &name).unwrap();
        world.create(job(&name, INSTANCES, true)).unwrap();
        lengths.push(("create", length(world.log.last().unwrap())));
        let all: BTreeSet<u32> = (0..INSTANCES).collect();
        if runs {
            run_all(&mut world, &name);
            let restart = Request::RestartTasks { job: key.clone(), instances: all.clone() };
            world.ask_as(Some("r"), restart).unwrap();
            lengths.push(("restart", length(world.log.last().unwrap())));
        }
        let (job, message) = (key.clone(), message.clone());
        world.ask_as(Some("k"), Request::KillTasks { job, instances: all, message }).unwrap();
        lengths.push(("kill", length(world.log.last().unwrap())));
    }
    check(&lengths);
}

#[test]
fn a_run_of_the_largest_cron_job_is_no_longer_than_a_record_may_be() {
    let (mut world, name) = long_world();
    let mut cron = job(&name, INSTANCES, false);
    cron.cron_schedule = Some("0 0 * * *".into());
    let key = cron.key.clone();
    world.ask(Request::Cron(CronRequest::Schedule(Box::new(cron)))).unwrap();
    world.ask_as(Some("s"), Request::Cron(CronRequest::Start(key))).unwrap();
    assert_eq!(world.tasks(&name).len(), INSTANCES as usize);
    check(&[("run", length(world.log.last().unwrap()))]);
}

fn start(world: &mut World, request: JobUpdateRequest) -> aurora_model::update::UpdateKey {
    let message = Some("\u{1f680}".repeat(1 << 10));
    let ask = Request::Update(UpdateRequest::Start { request: Box::new(request), message });
    match world.ask_as(Some("u"), ask).unwrap() {
        Response::Update(UpdateResponse::Started(key)) => key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_end_of_the_largest_update_is_no_longer_than_a_record_may_be() {
    let (mut world, name) = long_world();
    world.create(job(&name, INSTANCES, true)).unwrap();
    run_all(&mut world, &name);
    let mut task = job(&name, INSTANCES, true).task;
    task.executor.as_mut().unwrap().data = "v2".into();
    let settings = UpdateSettings {
        strategy: UpdateStrategy::Queue { group_size: INSTANCES },
        surge: INSTANCES,
        ..UpdateSettings::default()
    };
    let metadata = BTreeSet::new();
    let key =
        start(&mut world, JobUpdateRequest { task, instance_count: INSTANCES, settings, metadata });
    // As many run beside the others, and all of these go at once.
    for _ in 0..10 {
        world.wait(1);
    }
    let placed = |world: &World| world.tasks(&name).len();
    assert_eq!(placed(&world), 2 * INSTANCES as usize);
    let killed = |world: &World| world.log.last().unwrap().len();
    for _ in 0..INSTANCES / 50 {
        world.offer("B", 100);
    }
    let (action, message) = (UpdateAction::Abort, Some("\u{1f680}".repeat(1 << 10)));
    world.ask_as(Some("a"), Request::Update(UpdateRequest::Act { key, action, message })).unwrap();
    assert!(killed(&world) >= INSTANCES as usize, "{}", killed(&world));
    check(&[("abort", length(world.log.last().unwrap()))]);
}

#[test]
fn the_start_of_the_largest_update_is_no_longer_than_a_record_may_be() {
    const LARGE: usize = 4 << 20;
    const INSTANCES: u32 = 10_000;
    let (world, name) = long_world();
    let mut state: State = world.scheduler.state().clone();
    let config = |number: u32| {
        let mut config = job(&name, 1, true).task;
        let data = format!("{number:02}{}", "x".repeat(LARGE - 2));
        config.executor.as_mut().unwrap().data = data;
        config
    };
    // With the new one descriptions of 60 MiB, of which each is one instance's.
    for number in 0..14 {
        let record = TaskRecord {
            id: TaskId::new(format!("t{number}")).unwrap(),
            instance: 2 * number,
            state: TaskState::Pending,
            agent: None,
            ports: Default::default(),
            failure_count: 0,
            times_partitioned: 0,
            events: Vec::new(),
            ancestor: None,
        };
        state
            .apply(&Op::PutTasks { config: Arc::new(config(number)), tasks: vec![record] })
            .unwrap();
    }
    let (mut world, _) = long_world();
    world.take_over(state);
    world.register();
    let settings = UpdateSettings {
        strategy: UpdateStrategy::VariableBatch {
            group_sizes: vec![u32::MAX / 4; 1_000],
            autopause_after_batch: false,
        },
        only_instances: (0..INSTANCES / 2)
            .map(|range| InstanceRange { first: 2 * range, last: 2 * range })
            .collect(),
        ..UpdateSettings::default()
    };
    let metadata = (0..1_000).map(|n| (format!("{n:03}"), "m".repeat(60))).collect();
    let task = config(99);
    start(&mut world, JobUpdateRequest { task, instance_count: INSTANCES, settings, metadata });
    let length = length(world.log.last().unwrap());
    assert!(length > 60 << 20, "{length}");
    assert!(length < MOST, "{length} bytes, and a record may have {MOST}");
}

#[test]
fn each_part_of_a_snapshot_is_no_longer_than_a_record_may_be() {
    const ENDED: usize = 12_000;
    let (mut world, name) = long_world();
    world.create(job(&name, 1, true)).unwrap();
    run_all(&mut world, &name);
    let kill = Request::KillTasks {
        job: JobKey::new("www", "prod", &name).unwrap(),
        instances: BTreeSet::new(),
        message: Some("x".repeat(1 << 10)),
    };
    world.ask(kill).unwrap();
    let id = world.tasks(&name)[0].id().clone();
    world.status(&id, TaskState::Killed);
    let one = world.scheduler.state().to_ops().find_map(|op| match op {
        Op::PutTasks { config, tasks } => Some((config, tasks)),
        _ => None,
    });
    let (config, tasks) = one.unwrap();
    let tasks = (0..ENDED).map(|number| {
        let prefix = id.as_str().len() - 6;
        let id = TaskId::new(format!("{}{number:06}", &id.as_str()[..prefix])).unwrap();
        TaskRecord { id, ..tasks[0].clone() }
    });
    let mut state = State::default();
    state.apply(&Op::PutTasks { config, tasks: tasks.collect() }).unwrap();
    let parts = state.to_ops().filter_map(|op| match &op {
        Op::PutTasks { tasks, .. } => Some((tasks.len(), length(&[op]))),
        _ => None,
    });
    let parts: Vec<(usize, u64)> = parts.collect();
    // A job may have ended any number of times: what grows with that is not the length of a part.
    assert!(parts.len() > 1);
    assert!(parts.iter().all(|(_, length)| *length < MOST), "{parts:?}");
    assert_eq!(parts.iter().map(|(tasks, _)| tasks).sum::<usize>(), ENDED);
}
