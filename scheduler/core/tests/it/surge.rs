//! Moving services of a single instance without a gap.

use aurora_model::job::TaskState;
use aurora_model::maintenance::MaintenanceMode;
use aurora_scheduler_core::{Request, Response, Settings, State};
use proptest::prelude::*;

use crate::upkeep::{MINUTE, coordinator, percentage, settings};
use crate::world::{World, job};

fn shown(world: &World) -> Vec<String> {
    world.shown("web")
}

#[test]
fn a_stand_in_serves_while_the_only_instance_is_moved() {
    let mut world = World::with_service(&[1], None);
    world.surge_drain("host-A", percentage(0.0, 10), 3600);
    assert_eq!(shown(&world), ["0:RUNNING", "1:PENDING"]);
    assert_eq!(world.reasons("host-A"), ["its stand-in is being started elsewhere"]);
    world.offer("B", 1);
    world.run_placed();
    assert_eq!(shown(&world), ["0:RUNNING", "1:RUNNING"]);
    assert_eq!(world.on("host-B").len(), 1);
    world.wait(9_999);
    assert_eq!(world.count_in(TaskState::Draining), 0);
    world.wait(1);
    assert_eq!(shown(&world), ["0:DRAINING", "1:RUNNING"]);
    world.end_all();
    assert_eq!(world.mode("host-A"), MaintenanceMode::Drained);
    world.offer("C", 1);
    world.run_placed();
    world.wait(9_999);
    assert_eq!(shown(&world), ["0:KILLED", "0:RUNNING", "1:RUNNING"]);
    world.wait(1);
    assert_eq!(shown(&world), ["0:KILLED", "0:RUNNING", "1:KILLING"]);
    world.end_all();
    assert_eq!(shown(&world), ["0:KILLED", "0:RUNNING", "1:KILLED"]);
    let key = job("web", 1, true).key;
    assert_eq!(world.scheduler.state().maintenance().stand_in(&key), None);
}

#[test]
fn it_goes_on_after_a_restart_at_every_step() {
    let mut world = World::with_service(&[1], None);
    let again = |world: &mut World| {
        let mut state = State::default();
        world.log.iter().flatten().for_each(|op| state.apply(op).unwrap());
        let mut restored = State::default();
        state.to_ops().for_each(|op| restored.apply(&op).unwrap());
        assert_eq!(restored, state);
        world.take_over(state);
        world.register();
    };
    world.surge_drain("host-A", percentage(0.0, 10), 3600);
    again(&mut world);
    world.offer("B", 1);
    world.run_placed();
    again(&mut world);
    world.wait(10_000);
    assert_eq!(shown(&world), ["0:DRAINING", "1:RUNNING"]);
    again(&mut world);
    world.end_all();
    world.offer("C", 1);
    world.run_placed();
    again(&mut world);
    world.wait(10_000);
    assert_eq!(shown(&world), ["0:KILLED", "0:RUNNING", "1:KILLING"]);
}

#[test]
fn a_job_that_grows_keeps_its_stand_in() {
    let add = |world: &mut World, like, count| {
        let job = job("web", 1, true).key;
        match world.ask(Request::AddInstances { job, like, count }) {
            Ok(Response::Added { instances }) => instances,
            other => panic!("{other:?}"),
        }
    };
    // Its stand-in is the first of those that are added, whichever it is to be like.
    for (like, count, added) in [(0, 2, vec![1, 2]), (1, 1, vec![1])] {
        let mut world = World::with_service(&[1], None);
        world.surge_drain("host-A", percentage(0.0, 10), 3600);
        assert_eq!(add(&mut world, like, count), added);
        let key = job("web", 1, true).key;
        assert_eq!(world.scheduler.state().maintenance().stand_in(&key), None);
        for _ in 0..3 {
            world.offer("B", 3);
            world.run_placed();
            world.wait(60_000);
            world.end_all();
        }
        let running = world.ids_in(&[TaskState::Running]);
        let of = |id| world.scheduler.state().task(id).unwrap().assigned.instance;
        let numbers: std::collections::BTreeSet<u32> = running.iter().map(of).collect();
        assert_eq!(numbers, (0..=count).collect());
    }
    // One that is being ended is not of the job, but its number is not free yet.
    let mut world = World::with_service(&[1], None);
    world.surge_drain("host-A", percentage(0.0, 10), 3600);
    world.offer("B", 1);
    world.run_placed();
    world.end("host-A");
    assert_eq!(shown(&world), ["0:RUNNING", "1:KILLING"]);
    assert_eq!(add(&mut world, 0, 1), [2]);
}

#[test]
fn without_need_there_is_no_stand_in() {
    // More than one instance, a batch job, a policy of its own, a task that does not run.
    let mut world = World::with_service(&[2], None);
    world.surge_drain("host-A", percentage(0.0, 0), 3600);
    assert_eq!(shown(&world), ["0:DRAINING", "1:DRAINING"]);
    let (mut world, _) = World::with_running(job("web", 1, false));
    world.surge_drain("host-A", percentage(0.0, 0), 3600);
    assert_eq!(shown(&world), ["0:DRAINING"]);
    let mut world = World::with_service(&[1], Some(coordinator("http://c/")));
    world.surge_drain("host-A", percentage(0.0, 0), 3600);
    assert_eq!(shown(&world), ["0:RUNNING"]);
    let mut world = World::with(settings());
    world.register();
    world.offer("A", 1);
    world.create(job("web", 1, true)).unwrap();
    world.surge_drain("host-A", percentage(0.0, 0), 3600);
    assert_eq!(shown(&world), ["0:DRAINING"]);
}

#[test]
fn a_drain_that_is_called_off_needs_no_stand_in() {
    let mut world = World::with_service(&[1], None);
    world.surge_drain("host-A", percentage(0.0, 10), 3600);
    world.offer("B", 1);
    world.run_placed();
    world.end("host-A");
    assert_eq!(shown(&world), ["0:RUNNING", "1:KILLING"]);
}

#[test]
fn the_deadline_is_kept_with_or_without_a_stand_in() {
    let mut world = World::with_service(&[1], None);
    world.surge_drain("host-A", percentage(0.0, 10), 60);
    world.wait(60_000);
    assert_eq!(shown(&world), ["0:DRAINING", "1:PENDING"]);
    world.end_all();
    // The first place there is goes to who has waited longest; in the end the instance is back and
    // alone.
    world.offer("B", 2);
    world.run_placed();
    world.wait(10_000);
    world.end_all();
    world.offer("C", 2);
    world.run_placed();
    world.wait(10_000);
    world.end_all();
    let running = world.ids_in(&[TaskState::Running]);
    assert_eq!(running.len(), 1);
    assert_eq!(world.scheduler.state().task(&running[0]).unwrap().assigned.instance, 0);
    assert_eq!(world.count_in(TaskState::Pending), 0);
}

#[test]
fn without_quota_the_instance_waits_for_the_deadline_and_says_why() {
    let cpus = aurora_model::job::MilliCpus(1000);
    let quota = aurora_model::quota::ResourceAggregate { cpus, ram_mb: 100, disk_mb: 100 };
    let mut world = World::with(Settings { unset_quota: Some(quota), ..settings() });
    world.register();
    world.offer("A", 1);
    let mut service = job("web", 1, true);
    service.task.tier = Some("preferred".into());
    world.create(service).unwrap();
    world.run_placed();
    world.surge_drain("host-A", percentage(0.0, 0), 60);
    assert_eq!(shown(&world), ["0:RUNNING"]);
    let reasons = world.reasons("host-A");
    assert!(
        reasons[0].contains("cannot have a stand-in: Insufficient resource quota"),
        "{reasons:?}"
    );
    world.wait(60_000);
    assert_eq!(shown(&world), ["0:DRAINING"]);
}

#[test]
fn a_job_that_is_killed_takes_its_stand_in_with_it() {
    for instances in [&[][..], &[0]] {
        let mut world = World::with_service(&[1], None);
        world.surge_drain("host-A", percentage(0.0, 10), 3600);
        world.offer("B", 1);
        world.run_placed();
        world.kill_instances("web", instances);
        world.end_all();
        world.end_all();
        assert!(world.scheduler.state().tasks().all(|task| task.state.is_terminal()));
        assert_eq!(world.mode("host-A"), MaintenanceMode::Drained);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the order of things, one of the two runs at any time before the deadline, and none is
    /// there twice.
    #[test]
    fn there_is_always_one_that_runs(steps in prop::collection::vec((0_u8..7, 1_i64..20_000), 1..60)) {
        let mut world = World::with_service(&[1], None);
        world.surge_drain("host-A", percentage(0.0, 10), 100_000);
        for (what, ms) in steps {
            match what {
                0 => { world.offer("B", 1); }
                1 => { world.offer("C", 1); }
                2 => world.run_placed(),
                3 => world.end_all(),
                4 => { world.restart(); world.register(); }
                5 => { world.offer("A", 1); }
                _ => { world.wait(ms); }
            }
            prop_assert!(world.count_in(TaskState::Running) >= 1, "{:?}", shown(&world));
            for instance in 0..2 {
                let active = world.scheduler.state().tasks().filter(|task| {
                    task.assigned.instance == instance && task.state.is_active()
                });
                prop_assert!(active.count() <= 1);
            }
        }
        for _ in 0..4 {
            for agent in ["D", "E", "F"] {
                world.offer(agent, 1);
            }
            world.run_placed();
            world.wait(MINUTE);
            world.end_all();
        }
        prop_assert_eq!(world.count_in(TaskState::Running), 1);
        prop_assert_eq!(world.mode("host-A"), MaintenanceMode::Drained);
        prop_assert_eq!(world.scheduler.state().maintenance().stand_in(&job("web", 1, true).key), None);
    }
}
