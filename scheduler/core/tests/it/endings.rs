//! **U2**: failure budgets end an update at exactly the stated count, on the way forward and on the way
//! back; and what ran beside the others ends with the update, whichever way that ends.

use std::collections::BTreeMap;

use aurora_model::job::TaskState;
use aurora_model::update::{UpdateSettings, UpdateStatus};
use aurora_scheduler_core::{Request, UpdateAction};

use crate::updates_world::{queue, web};
use crate::world::World;

/// Lets an instance that waits for a place have it, and fail so often.
fn fail(world: &mut World, instance: u32, times: u32) {
    for _ in 0..times {
        let waits = |world: &World| {
            let state = world.instance(instance).map(|task| task.state);
            matches!(state, Some(TaskState::Pending | TaskState::Throttled))
        };
        while waits(world) {
            world.offer("A", 100);
            world.wait(60_000);
        }
        world.set(instance, TaskState::Failed);
    }
}

/// An update of four instances whose surge of two runs, with the first instance being replaced.
fn with_surge(settings: UpdateSettings) -> World {
    let mut world = World::with_web(4);
    world.started(4, UpdateSettings { surge: 2, ..settings });
    assert_eq!(world.instance(4).map(|task| task.state), Some(TaskState::Pending));
    world.offer("A", 100);
    world.set(4, TaskState::Running);
    world.set(5, TaskState::Running);
    assert_eq!(world.instance(0).map(|task| task.state), Some(TaskState::Killing));
    world
}

/// Nothing is left of what ran beside the others, and nothing of it comes back.
fn no_surge_is_left(mut world: World, status: UpdateStatus) {
    assert_eq!(world.at(), status);
    let ends = |world: &World| {
        [4, 5].into_iter().all(|instance| {
            world.instance(instance).is_none_or(|task| task.state == TaskState::Killing)
        })
    };
    assert!(ends(&world), "{:?}", world.web());
    // Nor with another scheduler, nor in time.
    world.restart();
    world.register();
    world.obey();
    world.wait(24 * 3_600_000);
    world.obey();
    assert!(world.instance(4).is_none() && world.instance(5).is_none(), "{:?}", world.web());
    // The job is free for whatever is wanted of it.
    world.ask(Request::KillTasks { job: web(), instances: [0].into(), message: None }).unwrap();
}

#[test]
fn a_surge_ends_with_an_update_that_is_done() {
    let mut world = with_surge(queue(1));
    world.obey();
    assert_eq!(world.active_web().len(), 4);
    no_surge_is_left(world, UpdateStatus::RolledForward);
}

#[test]
fn a_surge_ends_with_an_update_that_has_failed() {
    let mut world = with_surge(UpdateSettings { rollback_on_failure: false, ..queue(1) });
    world.set(0, TaskState::Killed);
    fail(&mut world, 0, 1);
    no_surge_is_left(world, UpdateStatus::Failed);
}

#[test]
fn a_surge_ends_with_an_update_that_fails_by_it() {
    let mut world = World::with_web(4);
    world.started(4, UpdateSettings { surge: 2, rollback_on_failure: false, ..queue(1) });
    fail(&mut world, 4, 1);
    no_surge_is_left(world, UpdateStatus::Failed);
}

#[test]
fn a_surge_ends_with_an_update_that_is_given_up() {
    let mut world = with_surge(queue(1));
    world.act(UpdateAction::Abort).unwrap();
    no_surge_is_left(world, UpdateStatus::Aborted);
}

#[test]
fn a_surge_ends_with_an_update_that_is_undone() {
    for by_failure in [true, false] {
        let settings = UpdateSettings { rollback_on_failure: by_failure, ..queue(1) };
        let mut world = with_surge(settings);
        world.set(0, TaskState::Killed);
        if by_failure {
            fail(&mut world, 0, 1);
        } else {
            world.act(UpdateAction::RollBack).unwrap();
        }
        assert_eq!(world.at(), UpdateStatus::RollingBack);
        // They serve until everything is what it was.
        assert_eq!(world.instance(4).map(|task| task.state), Some(TaskState::Running));
        world.obey();
        assert!(world.web().iter().all(|task| task.contains(":v1:")), "{:?}", world.web());
        no_surge_is_left(world, UpdateStatus::RolledBack);
    }
}

#[test]
fn a_surge_ends_with_an_update_that_fails_on_its_way_back() {
    let mut world = with_surge(queue(1));
    world.set(0, TaskState::Killed);
    world.act(UpdateAction::RollBack).unwrap();
    // The first instance goes back, and its old version does not run any more.
    while world.instance(0).is_none_or(|task| task.state != TaskState::Running) {
        assert_eq!(world.at(), UpdateStatus::RollingBack);
        let before = world.web();
        if let Some(task) = world.instance(0)
            && task.state == TaskState::Assigned
            && crate::updates_world::runs(&task.assigned.task, "v1")
        {
            break;
        }
        world.obey_once();
        assert_ne!(world.web(), before);
    }
    world.set(0, TaskState::Failed);
    no_surge_is_left(world, UpdateStatus::Failed);
}

#[test]
fn a_surge_ends_with_an_update_that_stands_and_is_given_up() {
    for fails_meanwhile in [false, true] {
        let mut world = with_surge(queue(1));
        world.act(UpdateAction::Pause).unwrap();
        if fails_meanwhile {
            // It comes back while the update stands, as what it was.
            world.set(5, TaskState::Failed);
        }
        world.act(UpdateAction::Abort).unwrap();
        no_surge_is_left(world, UpdateStatus::Aborted);
    }
}

#[test]
fn a_surge_that_is_on_its_way_out_does_not_come_back_after_the_end() {
    for state in [TaskState::Draining, TaskState::Preempting, TaskState::Restarting] {
        let mut world = with_surge(queue(1));
        let id = world.instance(5).unwrap().id().clone();
        let request = aurora_scheduler_core::AdminRequest::ForceState { task: id, state };
        world.ask(Request::Admin(request)).unwrap();
        world.act(UpdateAction::Abort).unwrap();
        no_surge_is_left(world, UpdateStatus::Aborted);
    }
}

/// Fails instances of an update that goes one way until it is over, each as often as fails it for good;
/// gives how many failures that took.
fn failed_until_over(world: &mut World, version: &str, per_instance: u32) -> u32 {
    let mut failures = BTreeMap::<u32, u32>::new();
    let way = world.at();
    for _ in 0..1_000 {
        if world.at() != way {
            return failures.values().sum();
        }
        let bad = world.active_web().into_iter().find(|task| {
            task.state == TaskState::Assigned
                && crate::updates_world::runs(&task.assigned.task, version)
                && failures.get(&task.assigned.instance).is_none_or(|count| *count <= per_instance)
        });
        match bad.map(|task| (task.assigned.instance, task.id().clone())) {
            Some((instance, id)) => {
                world.status(&id, TaskState::Failed);
                *failures.entry(instance).or_default() += 1;
            }
            None => {
                if !world.obey_once() {
                    world.wait(60_000);
                }
            }
        }
    }
    panic!("it does not end: {:?}", world.web());
}

#[test]
fn an_update_ends_at_exactly_the_stated_count_of_failures_either_way() {
    for (per_instance, instances) in [(0, 0), (0, 2), (2, 0), (1, 2)] {
        // What ends the update is one failure more than all that it forgives, taken one instance after
        // the other.
        let expected = (instances + 1) * (per_instance + 1);
        let settings = UpdateSettings {
            max_per_instance_failures: per_instance,
            max_failed_instances: instances,
            rollback_on_failure: true,
            ..queue(1)
        };
        let mut world = World::with_web(6);
        world.started(6, settings);
        assert_eq!(failed_until_over(&mut world, "v2", per_instance), expected);
        assert_eq!(world.at(), UpdateStatus::RollingBack);
        // On the way back the count begins anew, and its end is the end.
        let back = failed_until_over(&mut world, "v1", per_instance);
        assert!(world.at().is_terminal());
        if back == expected {
            assert_eq!(world.at(), UpdateStatus::Failed);
        } else {
            // Fewer had been touched than may fail.
            assert_eq!(world.at(), UpdateStatus::RolledBack);
            assert!(back < expected, "{back}");
        }
        assert_eq!(world.active_web().iter().filter(|t| t.state.is_terminal()).count(), 0);
    }
}
