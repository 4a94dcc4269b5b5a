//! What is remembered of tasks, and for how long.

use aurora_model::job::{PartitionPolicy, TaskEvent, TaskState};
use aurora_model::key::{AgentId, TaskId};
use aurora_scheduler_core::{Op, Settings, State};

use crate::world::{World, job};

const HOUR: i64 = 3_600_000;

/// A world that remembers three ended tasks of a job, with a batch job of five that have ended, a
/// second apart.
fn five_ended() -> World {
    let mut world = World::with(Settings { history_max_per_job: 3, ..Settings::default() });
    world.register();
    world.create(job("batch", 5, false)).unwrap();
    world.offer("A", 10);
    for instance in 0..5 {
        let id = world.tasks("batch")[instance].id().clone();
        world.status(&id, TaskState::Finished);
        world.wait(1000);
    }
    world
}

fn instances(world: &World) -> Vec<u32> {
    world.tasks("batch").iter().map(|task| task.assigned.instance).collect()
}

#[test]
fn of_too_many_ended_tasks_the_oldest_go_but_not_the_young() {
    let mut world = five_ended();
    assert_eq!(instances(&world), [0, 1, 2, 3, 4], "none is an hour old");
    world.wait(HOUR);
    assert_eq!(instances(&world), [2, 3, 4], "they go in time though no other ends");
    let mut again = job("batch", 6, false);
    again.task.priority = 1;
    world.create(again).unwrap();
    world.offer("A", 10);
    let id = world
        .tasks("batch")
        .into_iter()
        .find(|task| task.assigned.instance == 5)
        .map(|task| task.id().clone())
        .unwrap();
    world.status(&id, TaskState::Failed);
    let ended: Vec<u32> = world
        .tasks("batch")
        .into_iter()
        .filter(|task| task.state.is_terminal())
        .map(|task| task.assigned.instance)
        .collect();
    assert_eq!(ended, [3, 4, 5]);
    assert_eq!(world.scheduler.counters()["tasks_pruned"], 3);
}

#[test]
fn of_too_many_ended_tasks_the_oldest_go_at_a_start() {
    let mut world = five_ended();
    world.now = world.now.plus_ms(HOUR);
    world.restart();
    assert_eq!(instances(&world), [2, 3, 4]);
    assert_eq!(world.log.last().map(Vec::len), Some(1), "all of a job with one op");
}

#[test]
fn each_ended_task_goes_at_its_time() {
    let mut world = World::registered();
    world.create(job("batch", 3, false)).unwrap();
    world.offer("A", 10);
    let ids: Vec<TaskId> = world.tasks("batch").iter().map(|task| task.id().clone()).collect();
    for id in &ids {
        world.status(id, TaskState::Running);
    }
    for id in &ids {
        world.status(id, TaskState::Finished);
        world.wait(HOUR);
    }
    let left: Vec<usize> = [45 * HOUR - 1, 1, HOUR - 1, 1, HOUR - 1, 1]
        .map(|ms| {
            world.wait(ms);
            world.tasks("batch").len()
        })
        .into();
    assert_eq!(left, [3, 2, 2, 1, 1, 0]);
}

#[test]
fn the_history_of_a_task_that_flaps_between_partitions_stays_short() {
    let mut patient = job("patient", 1, true);
    patient.task.partition_policy = Some(PartitionPolicy { reschedule: false, delay_secs: 0 });
    let (mut world, id) = World::with_running(patient);
    for _ in 0..20 {
        world.status(&id, TaskState::Partitioned);
        world.status(&id, TaskState::Running);
    }
    world.status(&id, TaskState::Partitioned);
    let task = world.scheduler.state().task(&id).unwrap();
    let states: Vec<&str> = task.events.iter().map(|event| event.state.name()).collect();
    assert_eq!(states, ["PENDING", "ASSIGNED", "STARTING", "RUNNING", "PARTITIONED"]);
    assert_eq!(task.times_partitioned, 21);
}

#[test]
fn the_numbers_of_tasks_by_state_follow_them() {
    let mut world = five_ended();
    world.create(job("web", 2, true)).unwrap();
    let counts = world.scheduler.stats().tasks;
    assert_eq!(counts, [(TaskState::Pending, 2), (TaskState::Finished, 5)].into());
    world.wait(49 * HOUR);
    world.kill("web").unwrap();
    assert!(world.scheduler.stats().tasks.is_empty());
}

#[test]
fn a_change_of_what_is_not_there_is_refused_as_a_whole() {
    let world = five_ended();
    let mut state = world.scheduler.state().clone();
    let known = world.tasks("batch")[0].id().clone();
    let id = TaskId::new("ghost").unwrap();
    let event =
        TaskEvent { timestamp: world.now, state: TaskState::Lost, message: None, scheduler: None };
    let agent = AgentId::new("A").unwrap();
    for op in [
        Op::Transition { id: id.clone(), event },
        Op::Assign { id: id.clone(), agent, host: "h".into(), ports: [].into() },
        Op::CountFailure(id.clone()),
        Op::Reschedule { ancestor: id.clone(), id: TaskId::new("new").unwrap() },
        Op::Remove(vec![known, id]),
    ] {
        let error = state.apply(&op).unwrap_err().to_string();
        assert_eq!(error, "task ghost is changed but does not exist");
        assert_eq!(&state, world.scheduler.state());
    }
    assert_eq!(State::default().apply(&Op::Remove(vec![])), Ok(()));
}
