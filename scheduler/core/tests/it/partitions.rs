//! Partitions, penalties and what is counted of ends: where the original dropped or miscounted.

use aurora_model::job::{PartitionPolicy, TaskState};
use aurora_model::key::{JobKey, TaskId};
use aurora_scheduler_core::{Effect, Input, StatusResult, StatusUpdate};

use crate::world::{World, job};

fn patient() -> aurora_model::job::JobConfiguration {
    let mut patient = job("web", 1, true);
    patient.task.partition_policy = Some(PartitionPolicy { reschedule: false, delay_secs: 0 });
    patient
}

fn kills(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Kill { .. })).count()
}

#[test]
fn a_service_that_ended_while_it_was_partitioned_is_replaced() {
    for state in [TaskState::Finished, TaskState::Failed, TaskState::Killed] {
        let (mut world, id) = World::with_running(patient());
        world.status(&id, TaskState::Partitioned);
        world.status(&id, state);
        assert_eq!(world.shown("web"), [format!("0:{state}"), "0:PENDING".into()]);
    }
}

#[test]
fn a_batch_task_that_was_killed_by_nobody_here_while_partitioned_is_replaced() {
    let mut batch = patient();
    batch.task.is_service = false;
    let (mut world, id) = World::with_running(batch.clone());
    world.status(&id, TaskState::Partitioned);
    world.status(&id, TaskState::Killed);
    assert_eq!(world.shown("web"), ["0:KILLED", "0:PENDING"]);
    let (mut world, id) = World::with_running(batch);
    world.status(&id, TaskState::Partitioned);
    world.status(&id, TaskState::Finished);
    assert_eq!(world.shown("web"), ["0:FINISHED"]);
}

#[test]
fn a_task_that_is_partitioned_before_it_has_begun_is_not_waited_for_without_end() {
    let mut world = World::registered();
    world.offer("A", 4);
    world.create(patient()).unwrap();
    let id = world.task_in("web", TaskState::Assigned);
    world.status(&id, TaskState::Partitioned);
    assert_eq!(world.shown("web"), ["0:PARTITIONED"]);
    world.wait(299_999);
    assert_eq!(world.shown("web"), ["0:PARTITIONED"]);
    assert_eq!(kills(&world.wait(1)), 1);
    assert_eq!(world.shown("web"), ["0:LOST", "0:PENDING"]);
    // If it comes up after all, it is ended.
    assert_eq!(kills(&world.status(&id, TaskState::Running)), 1);
}

#[test]
fn a_task_that_begins_after_its_partition_is_what_its_agent_says() {
    let mut world = World::registered();
    world.offer("A", 4);
    world.create(patient()).unwrap();
    let id = world.task_in("web", TaskState::Assigned);
    world.status(&id, TaskState::Partitioned);
    world.status(&id, TaskState::Running);
    world.wait(300_000);
    assert_eq!(world.shown("web"), ["0:RUNNING"]);
    world.status(&id, TaskState::Partitioned);
    world.wait(100 * 3_600_000);
    assert_eq!(world.shown("web"), ["0:PARTITIONED"]);
}

/// Lets the instance fail once more, and gives the run that takes its place.
fn fail(world: &mut World, id: &TaskId) -> TaskId {
    world.status(id, TaskState::Running);
    world.status(id, TaskState::Failed);
    world.tasks("web").last().unwrap().id().clone()
}

#[test]
fn a_service_that_ran_for_long_has_no_penalty_for_its_partitions() {
    let (mut world, mut id) = World::with_running(job("web", 1, true));
    for _ in 0..3 {
        world.wait(3_600_000);
        world.status(&id, TaskState::Partitioned);
        world.wait(1);
        assert_eq!(world.scheduler.state().task(&id).unwrap().state, TaskState::Lost);
        world.task_in("web", TaskState::Pending);
        world.offer("A", 4);
        id = world.task_in("web", TaskState::Assigned);
        world.status(&id, TaskState::Running);
    }
    // One that comes back from a partition has run since before it.
    let (mut world, mut id) = World::with_running(patient());
    for _ in 0..2 {
        world.wait(3_600_000);
        world.status(&id, TaskState::Partitioned);
        world.status(&id, TaskState::Running);
        world.status(&id, TaskState::Failed);
        world.task_in("web", TaskState::Pending);
        world.offer("A", 4);
        id = world.task_in("web", TaskState::Assigned);
        world.status(&id, TaskState::Running);
    }
}

#[test]
fn the_penalty_that_is_announced_is_the_one_that_is_waited_also_over_a_restart() {
    for restarts in [false, true] {
        let (mut world, mut id) = World::with_running(job("web", 1, true));
        for round in 0..4 {
            id = fail(&mut world, &id);
            let task = world.scheduler.state().task(&id).unwrap();
            if round == 0 {
                assert_eq!(task.state, TaskState::Pending, "the first failure is free");
            } else {
                let message = task.latest_event().unwrap().message.clone().unwrap();
                let words: Vec<&str> = message.split(' ').collect();
                assert_eq!((words[0], words[4]), ("Rescheduled,", "ms"), "{message}");
                let penalty: i64 = words[3].parse().unwrap();
                if restarts {
                    world.wait(penalty / 2);
                    world.restart();
                    world.register();
                    world.wait(penalty - penalty / 2 - 1);
                } else {
                    world.wait(penalty - 1);
                }
                let state = world.tasks("web").last().unwrap().state;
                assert_eq!(state, TaskState::Throttled, "{round} {restarts} {penalty}");
                world.wait(1);
            }
            world.offer("A", 4);
            assert_eq!(world.tasks("web").last().unwrap().state, TaskState::Assigned);
        }
    }
}

#[test]
fn bad_ends_are_counted_by_job_and_rack_and_forgotten_with_the_job() {
    let (mut world, id) = World::with_running(job("web", 1, true));
    let web = JobKey::new("www", "prod", "web").unwrap();
    world.status(&id, TaskState::Failed);
    world.offer("A", 4);
    let id = world.task_in("web", TaskState::Assigned);
    world.status(&id, TaskState::Lost);
    let ends = world.scheduler.ends();
    assert_eq!((ends.jobs()[&web].lost, ends.jobs()[&web].failed), (1, 1));
    assert_eq!(ends.lost_by_rack()["a"], 1);
    assert!(ends.lost_by_dedicated().is_empty());
    world.kill("web").unwrap();
    world.wait(49 * 3_600_000);
    assert!(world.tasks("web").is_empty());
    assert!(world.scheduler.ends().jobs().is_empty());
}

#[test]
fn what_comes_of_each_reason_is_counted() {
    let (mut world, id) = World::with_running(job("web", 1, true));
    let say = |world: &mut World, task: &TaskId, state| {
        world.put(Input::Status(StatusUpdate {
            task: task.clone(),
            state,
            agent: None,
            message: None,
            reason: Some("REASON_RECONCILIATION"),
            uuid: None,
        }))
    };
    say(&mut world, &id, TaskState::Running);
    say(&mut world, &id, TaskState::Starting);
    say(&mut world, &id, TaskState::Finished);
    say(&mut world, &id, TaskState::Running);
    let counts: Vec<(&str, u64)> = world
        .scheduler
        .ends()
        .statuses()
        .iter()
        .map(|((reason, result), count)| {
            assert_eq!(*reason, "REASON_RECONCILIATION");
            (StatusResult::name(*result), *count)
        })
        .collect();
    let expected = [("SUCCESS", 1), ("NOOP", 1), ("ILLEGAL", 1), ("ILLEGAL_WITH_SIDE_EFFECTS", 1)];
    assert_eq!(counts, expected);
}
