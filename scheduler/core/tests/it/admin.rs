//! What operators ask for by hand, with a master.

use aurora_model::job::{MilliCpus, TaskState};
use aurora_scheduler_core::{
    AdminRequest, AdminResponse, Effect, ErrorKind, Op, Request, Response, Settings, TaskQuery,
};

use crate::world::{World, job};

/// How many tasks are asked about, call by call.
fn asked(effects: &[Effect]) -> Vec<usize> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Reconcile(tasks) => Some(tasks.len()),
            _ => None,
        })
        .collect()
}

fn admin(world: &mut World, request: AdminRequest) -> AdminResponse {
    match world.ask(Request::Admin(request)) {
        Ok(Response::Admin(response)) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_task_on_an_agent_is_asked_about_once_in_batches() {
    let mut world = World::with(Settings::default());
    let none = AdminRequest::ReconcileImplicit;
    let refused = world.ask(Request::Admin(none.clone())).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::FailedPrecondition);
    world.register();
    for agent in ["A", "B", "C"] {
        world.offer(agent, 4);
    }
    let mut five = job("web", 5, true);
    five.task.resources.cpus = MilliCpus(1000);
    world.create(five).unwrap();
    assert_eq!(world.shown("web").iter().filter(|shown| shown.ends_with("ASSIGNED")).count(), 5);
    world.effects.clear();
    let request = AdminRequest::ReconcileExplicit { batch_size: Some(2) };
    assert_eq!(admin(&mut world, request), AdminResponse::Reconciling { tasks: 5 });
    let pause = Settings::default().reconciliation_batch_interval_ms;
    world.wait(pause - 1);
    assert_eq!(asked(&world.effects), [2]);
    world.wait(1);
    world.wait(pause);
    world.wait(pause);
    assert_eq!(asked(&world.effects), [2, 2, 1]);
    world.effects.clear();
    assert_eq!(admin(&mut world, none), AdminResponse::Reconciling { tasks: 0 });
    assert_eq!(asked(&world.effects), [0], "none are named: all are meant");
}

#[test]
fn a_limit_is_kept_and_what_has_not_ended_stays() {
    let (mut world, id) = World::with_running(job("web", 1, true));
    for _ in 0..3 {
        let id = world.tasks("web").into_iter().find(|task| task.state == TaskState::Running);
        let id = id.map_or(id_of(&world), |task| task.id().clone());
        world.status(&id, TaskState::Failed);
        world.wait(400_000);
        world.offer("A", 4);
        let next = world.tasks("web").into_iter().find(|task| task.state == TaskState::Assigned);
        if let Some(next) = next.map(|task| task.id().clone()) {
            world.status(&next, TaskState::Running);
        }
    }
    let ended = world.tasks("web").iter().filter(|task| task.state.is_terminal()).count();
    assert!(ended >= 2, "{:?}", world.shown("web"));
    let prune = |limit| AdminRequest::Prune { query: TaskQuery::default(), limit };
    let first = admin(&mut world, prune(Some(1)));
    assert_eq!(first, AdminResponse::Pruned { tasks: 1, has_more: true });
    assert!(world.scheduler.state().task(&id).is_none(), "the oldest goes first");
    let rest = admin(&mut world, prune(None));
    assert_eq!(rest, AdminResponse::Pruned { tasks: ended as u64 - 1, has_more: false });
    assert_eq!(world.tasks("web").len(), 1, "{:?}", world.shown("web"));
}

fn id_of(world: &World) -> aurora_model::key::TaskId {
    world.tasks("web").last().unwrap().id().clone()
}

#[test]
fn no_event_is_of_more_than_a_thousand_forgotten_tasks() {
    const TASKS: usize = 1_050;
    let mut world = World::registered();
    let mut small = job("batch", u32::try_from(TASKS).unwrap(), false);
    small.task.resources.cpus = MilliCpus(1);
    small.task.resources.ram_mb = 1;
    small.task.resources.disk_mb = 1;
    world.create(small).unwrap();
    for round in 0.. {
        world.offer(&format!("A{round}"), 4);
        world.wait(1_000);
        let waiting = world.scheduler.stats().tasks.get(&TaskState::Pending).copied();
        if waiting.unwrap_or(0) == 0 {
            break;
        }
    }
    let ids: Vec<_> = world.tasks("batch").iter().map(|task| task.id().clone()).collect();
    for id in &ids {
        world.status(id, TaskState::Finished);
    }
    let before = world.log.len();
    let prune = AdminRequest::Prune { query: TaskQuery::default(), limit: None };
    let pruned = admin(&mut world, prune);
    assert_eq!(pruned, AdminResponse::Pruned { tasks: TASKS as u64, has_more: false });
    let removed: Vec<usize> = world.log[before..]
        .iter()
        .flatten()
        .filter_map(|op| match op {
            Op::Remove(ids) => Some(ids.len()),
            _ => None,
        })
        .collect();
    assert_eq!(removed, [1_000, 50]);
    assert!(world.tasks("batch").is_empty());
}
