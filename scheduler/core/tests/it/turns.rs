//! Everybody gets a turn, hears of what it waits for, and is told the true reason.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{Constraint, ConstraintRule, MilliCpus, ResourceBag, SlaPolicy, TaskState};
use aurora_scheduler_core::{Input, Settings};

use crate::updates_world::{queue, version};
use crate::upkeep::MINUTE;
use crate::world::{World, job};

fn settings() -> Settings {
    Settings {
        executor_overhead: ResourceBag::default(),
        unset_quota: None,
        min_offer_hold_ms: 1_000 * MINUTE,
        ..Settings::default()
    }
}

#[test]
fn groups_that_wait_take_turns_across_steps() {
    const JOBS: usize = 30;
    let mut world = World::registered();
    for number in 0..JOBS {
        world.create(job(&format!("j{number:02}"), 100, true)).unwrap();
    }
    let offers = (0..200).map(|agent| world.an_offer(&format!("A{agent}"), 20)).collect();
    let placed = |world: &World| -> Vec<usize> {
        let of_job = |number| {
            let tasks = world.tasks(&format!("j{number:02}"));
            tasks.iter().filter(|task| task.state == TaskState::Assigned).count()
        };
        (0..JOBS).map(of_job).collect()
    };
    world.put(Input::Offers(offers));
    let mut expected = vec![0; JOBS];
    for step in 0..6 {
        expected[step % 3 * 10..][..10].fill(5 * (step / 3 + 1));
        assert_eq!(placed(&world), expected, "after step {step}");
        world.wait(0);
    }
}

#[test]
fn who_has_not_had_a_turn_is_told_so() {
    let mut world = World::registered();
    for number in 0..12 {
        world.create(job(&format!("j{number:02}"), 5, true)).unwrap();
    }
    let offers = (0..20).map(|agent| world.an_offer(&format!("A{agent}"), 3)).collect();
    world.put(Input::Offers(offers));
    let id = world.tasks("j11")[0].id().clone();
    let reason = world.scheduler.pending(&id).unwrap();
    assert!(
        reason.text.contains("hosts have room: tasks go there when it is their turn"),
        "{reason:?}"
    );
    assert_eq!(reason.vetoes, []);
    assert_eq!(reason.hint.as_deref(), Some(reason.text.as_str()));
    world.wait(0);
    assert_eq!(world.scheduler.pending(&id), None);
}

#[test]
fn a_trial_says_which_hosts_take_some() {
    let mut world = World::registered();
    world.offer("A", 2);
    let config = job("web", 1, true).task;
    let trial = world.scheduler.trial(world.now, &config, 3);
    assert_eq!(trial.fits, 2);
    assert_eq!(trial.reason.unwrap().text, "1 host has room for some of them only");
}

#[test]
fn a_host_with_other_attributes_lets_those_in_that_wait_for_a_limit() {
    let mut world = World::with(settings());
    world.register();
    let mut web = job("web", 2, true);
    web.task.constraints = BTreeSet::from([Constraint {
        attribute: "rack".to_owned(),
        rule: ConstraintRule::Limit(1),
    }]);
    world.offer("A", 4);
    world.create(web).unwrap();
    world.offer("B", 4);
    world.wait(0);
    let waits = world.task_in("web", TaskState::Pending);
    let reason = world.scheduler.pending_reason(&waits).unwrap();
    assert!(reason.starts_with("Limit not satisfied: rack"), "{reason}");
    let used = world.tasks("web").iter().find_map(|task| task.assigned.agent.clone()).unwrap().0;
    // The host that has the other one is in another rack now; it has nothing to give itself.
    let mut moved = world.an_offer(used.as_str(), 0);
    moved.attributes.insert("rack".to_owned(), BTreeSet::from(["b".to_owned()]));
    world.put(Input::Offers(vec![moved]));
    assert_eq!(world.shown("web"), ["0:ASSIGNED", "1:ASSIGNED"]);
}

#[test]
fn an_instance_that_waits_for_where_it_was_says_so() {
    let settings = Settings { enable_update_affinity: true, ..settings() };
    let mut world = World::with(settings);
    world.register();
    world.create_web(1);
    world.started(1, queue(1));
    world.set(0, TaskState::Killed);
    world.offer("B", 100);
    let id = world.instance(0).unwrap().id().clone();
    let reason = world.scheduler.pending_reason(&id).unwrap();
    assert!(
        reason.starts_with("Waiting for a place that an update keeps: it goes to host-A"),
        "{reason}"
    );
    // Others are told that what has room is kept.
    let mut other = job("other", 1, true);
    other.task.resources.cpus = MilliCpus(50_000);
    world.create(other).unwrap();
    world.wait(0);
    world.offer("A", 10);
    world.obey();
    assert_eq!(world.web(), ["0:v2:RUNNING"]);
}

#[test]
fn an_update_asks_again_when_another_instance_comes_up() {
    // Twenty instances of which nineteen must be up; one of them is not.
    let mut world = World::with(settings());
    world.register();
    let mut first = job("web", 20, true);
    first.task = version("v1");
    first.task.tier = Some("preferred".into());
    world.create(first).unwrap();
    world.obey();
    world.wait(MINUTE);
    world.set(19, TaskState::Lost);
    let mut task = version("v2");
    task.tier = Some("preferred".into());
    task.sla_policy = Some(SlaPolicy::Count { count: 19, duration_secs: 0 });
    let scope = aurora_model::update::UpdateSettings {
        sla_aware: true,
        only_instances: vec![aurora_model::update::InstanceRange { first: 0, last: 3 }],
        ..queue(4)
    };
    world.start(task, 20, scope).unwrap();
    let killing = |world: &World| world.count_in(TaskState::Killing);
    assert_eq!(killing(&world), 0);
    world.offer("B", 100);
    world.set(19, TaskState::Running);
    assert_eq!(killing(&world), 0, "it has not run for a moment yet");
    let due = world.scheduler.next_wakeup().unwrap();
    assert!(due.ms_since(world.now) <= 1_000, "the policy said when it will allow it");
    world.now = due;
    world.wait(0);
    assert_eq!(killing(&world), 1, "as many as the policy allows, and no more");
    // The next one is stopped as soon as this one is replaced, with nobody waiting in between.
    for stopped in 2..=4 {
        world.obey_once();
        world.obey_once();
        let started = world.now;
        while killing(&world) == 0 && world.update().status().is_rolling() {
            let due = world.scheduler.next_wakeup().unwrap();
            assert!(due.ms_since(started) <= 2_000, "{stopped}");
            world.now = due.max(world.now.plus_ms(1));
            world.wait(0);
        }
    }
}

#[test]
fn what_becomes_due_for_one_host_does_for_others() {
    // Ten tasks on each of three hosts, of which two may be moved when all have run for ten minutes.
    let mut world = World::with(settings());
    world.register();
    let mut service = job("web", 30, true);
    service.task.tier = Some("preferred".into());
    world.create(service).unwrap();
    for agent in ["A", "B", "C"] {
        world.offer(agent, 10);
    }
    world.run_placed();
    world.sla_drain(
        &["host-A", "host-B"],
        SlaPolicy::Count { count: 28, duration_secs: 600 },
        1_000_000,
    );
    assert_eq!(world.count_in(TaskState::Draining), 0);
    let mut drained = BTreeMap::new();
    world.wait(600_001);
    for host in ["host-A", "host-B"] {
        let on = world.on(host);
        let tasks = on.iter().filter_map(|id| world.scheduler.state().task(id));
        drained.insert(host, tasks.filter(|task| task.state == TaskState::Draining).count());
    }
    assert_eq!(drained.values().sum::<usize>(), 2, "{drained:?}");
}
