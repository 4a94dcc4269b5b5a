//! A scheduler that is made anew of what was written down goes on where the last one was.

use aurora_model::job::{PartitionPolicy, TaskState};
use aurora_scheduler_core::{Effect, Input};

use crate::world::{World, job, launched};

fn kills(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Kill { .. })).count()
}

#[test]
fn a_throttled_task_waits_for_the_rest_of_its_penalty() {
    let (mut world, mut id) = World::with_running(job("web", 1, true));
    world.status(&id, TaskState::Failed);
    world.offer("A", 4);
    id = world.task_in("web", TaskState::Assigned);
    world.status(&id, TaskState::Running);
    world.status(&id, TaskState::Failed);
    let throttled = world.task_in("web", TaskState::Throttled);
    world.wait(20_000);
    world.restart();
    world.wait(9_999);
    assert_eq!(world.task_in("web", TaskState::Throttled), throttled);
    world.wait(30_001);
    assert_eq!(world.task_in("web", TaskState::Pending), throttled);
}

#[test]
fn a_kill_is_repeated_and_given_up_in_the_end() {
    let (mut world, _) = World::with_running(job("web", 1, true));
    world.kill("web").unwrap();
    world.restart();
    world.register();
    assert_eq!(kills(&world.wait(30_001)), 1);
    assert_eq!(world.shown("web"), ["0:KILLING"]);
    world.wait(269_999);
    assert_eq!(world.shown("web"), ["0:LOST"]);
}

#[test]
fn a_partition_lasts_as_long_as_its_policy_allows() {
    let mut patient = job("patient", 1, true);
    patient.task.partition_policy = Some(PartitionPolicy { reschedule: true, delay_secs: 60 });
    let (mut world, id) = World::with_running(patient);
    world.status(&id, TaskState::Partitioned);
    world.wait(40_000);
    world.restart();
    world.wait(19_999);
    assert_eq!(world.shown("patient"), ["0:PARTITIONED"]);
    world.wait(1);
    assert_eq!(world.shown("patient"), ["0:LOST", "0:PENDING"]);
}

#[test]
fn a_task_that_was_on_its_way_gets_its_full_time_again() {
    let mut world = World::registered();
    world.offer("A", 4);
    world.create(job("web", 1, true)).unwrap();
    world.wait(200_000);
    world.restart();
    world.wait(299_999);
    assert_eq!(world.shown("web"), ["0:ASSIGNED"]);
    world.wait(1);
    assert_eq!(world.shown("web"), ["0:LOST", "0:PENDING"]);
}

#[test]
fn who_has_waited_longest_is_placed_first() {
    let mut world = World::registered();
    world.create(job("late-in-the-alphabet", 1, true)).unwrap();
    world.wait(1);
    world.create(job("early-in-the-alphabet", 12, true)).unwrap();
    world.restart();
    world.register();
    assert_eq!(
        launched(&world.offer("A", 1)),
        [world.task_in("late-in-the-alphabet", TaskState::Assigned)]
    );
    world.offer("B", 3);
    let placed: Vec<String> = world.shown("early-in-the-alphabet");
    assert_eq!(placed[..4], ["0:ASSIGNED", "1:ASSIGNED", "2:ASSIGNED", "3:PENDING"]);
}

#[test]
fn ended_tasks_are_remembered_for_an_hour_at_least() {
    let mut batch = job("batch", 1, false);
    batch.task.max_task_failures = 1;
    let (mut world, id) = World::with_running(batch);
    world.status(&id, TaskState::Finished);
    world.now = world.now.plus_ms(100 * 3_600_000);
    world.restart();
    world.wait(3_599_999);
    assert_eq!(world.shown("batch"), ["0:FINISHED"]);
    world.wait(1);
    assert!(world.tasks("batch").is_empty());
}

#[test]
fn offers_of_the_last_run_are_not_used() {
    let mut world = World::registered();
    world.offer("A", 4);
    world.restart();
    world.register();
    world.create(job("web", 1, true)).unwrap();
    assert_eq!(world.shown("web"), ["0:PENDING"]);
    let id = world.task_in("web", TaskState::Pending);
    world.put(Input::Wakeup);
    assert_eq!(launched(&world.offer("A", 4)), [id]);
}
