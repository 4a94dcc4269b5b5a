//! What is equal is kept once: a configuration is in memory once per job, however many runs, instances,
//! updates or restarts have named it.

use std::sync::Arc;

use aurora_model::job::{TaskConfig, TaskState};
use aurora_model::key::JobKey;
use aurora_model::maintenance::MaintenanceMode;
use aurora_scheduler_core::{CronRequest, Op, Request, State};

use crate::updates_world::{queue, web};
use crate::world::{World, job};

/// How many configurations the tasks of a job have, counted by where they are.
fn configs(state: &State, job: &str) -> usize {
    let key = JobKey::new("www", "prod", job).unwrap();
    let mut known: Vec<*const TaskConfig> =
        state.tasks_of(&key).map(|task| Arc::as_ptr(&task.assigned.task)).collect();
    known.sort_unstable();
    known.dedup();
    known.len()
}

/// The same state, made of ops as a log has them: none shares anything with another.
fn replayed(world: &World) -> State {
    let mut state = State::default();
    for op in world.log.iter().flatten() {
        let op = match op {
            Op::PutTasks { config, tasks } => {
                Op::PutTasks { config: Arc::new(TaskConfig::clone(config)), tasks: tasks.clone() }
            }
            op => op.clone(),
        };
        state.apply(&op).unwrap();
    }
    assert_eq!(&state, world.scheduler.state());
    state
}

#[test]
fn runs_of_a_cron_job_share_their_configuration() {
    let mut world = World::registered();
    let mut cron = job("nightly", 3, false);
    cron.cron_schedule = Some("0 0 * * *".into());
    let key = cron.key.clone();
    world.ask(Request::Cron(CronRequest::Schedule(Box::new(cron.clone())))).unwrap();
    for _ in 0..5 {
        world.ask(Request::Cron(CronRequest::Start(key.clone()))).unwrap();
        world.offer("A", 10);
        world.obey_once();
        for task in world.ids_in(&[TaskState::Running]) {
            world.status(&task, TaskState::Finished);
        }
    }
    assert_eq!(world.tasks("nightly").len(), 15);
    assert_eq!(configs(world.scheduler.state(), "nightly"), 1);
    assert_eq!(configs(&replayed(&world), "nightly"), 1);
    // Another version is another one.
    cron.task.priority = 5;
    world.ask(Request::Cron(CronRequest::Schedule(Box::new(cron)))).unwrap();
    world.ask(Request::Cron(CronRequest::Start(key))).unwrap();
    assert_eq!(configs(world.scheduler.state(), "nightly"), 2);
}

#[test]
fn instances_that_are_added_share_the_configuration_of_those_they_are_like() {
    let mut world = World::registered();
    world.create(job("web", 2, true)).unwrap();
    for _ in 0..3 {
        let add = Request::AddInstances { job: web(), like: 0, count: 2 };
        world.ask(add).unwrap();
    }
    assert_eq!(world.tasks("web").len(), 8);
    assert_eq!(configs(world.scheduler.state(), "web"), 1);
    assert_eq!(configs(&replayed(&world), "web"), 1);
}

#[test]
fn a_stand_in_shares_the_configuration_of_whom_it_stands_in_for() {
    let (mut world, _) = World::with_running(job("web", 1, true));
    let policy = crate::upkeep::percentage(0.0, 0);
    world.surge_drain("host-A", policy, 100_000);
    assert_eq!(world.mode("host-A"), MaintenanceMode::Draining);
    assert_eq!(world.tasks("web").len(), 2);
    assert_eq!(configs(world.scheduler.state(), "web"), 1);
    assert_eq!(configs(&replayed(&world), "web"), 1);
}

#[test]
fn an_update_names_the_configurations_that_are_there() {
    let mut world = World::with_web(3);
    world.started(3, queue(3));
    world.obey();
    let state = replayed(&world);
    let update = state.updates().active().next();
    assert!(update.is_none(), "it is over");
    // The old version and the new one.
    assert_eq!(configs(&state, "web"), 2);
    let initial = &world.update().update().instructions.initial[0].task;
    let ended = world.tasks("web").into_iter().find(|task| task.state == TaskState::Killed);
    assert!(Arc::ptr_eq(initial, &ended.unwrap().assigned.task));
}

#[test]
fn what_nobody_uses_any_more_is_let_go() {
    let mut world = World::registered();
    world.create(job("web", 1, true)).unwrap();
    let config = Arc::downgrade(&world.tasks("web")[0].assigned.task);
    world.log.clear();
    assert!(config.upgrade().is_some());
    // It had no place yet: nothing is remembered of it.
    world.kill("web").unwrap();
    world.log.clear();
    assert!(config.upgrade().is_none());
}
