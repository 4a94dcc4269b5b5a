//! What updates share with the rest (quotas, SLA policies, agents), and what they do beyond
//! `updates.md`: instances that run beside the others, and those that go first.

use aurora_model::job::{MilliCpus, SlaPolicy, TaskState};
use aurora_model::key::Role;
use aurora_model::quota::ResourceAggregate;
use aurora_model::update::{Canary, UpdateSettings, UpdateStatus};
use aurora_scheduler_core::{
    CoordinatorAnswer, Effect, ErrorKind, Input, Request, Settings, UpdateAction, UpdateResponse,
};

use crate::updates_world::{batch, queue, runs, version, web};
use crate::world::{World, job};

fn set_quota(world: &mut World, cpus: u64) -> Result<(), ErrorKind> {
    let quota = ResourceAggregate { cpus: MilliCpus(cpus * 1000), ram_mb: 90_000, disk_mb: 90_000 };
    let role = Role::new("www").unwrap();
    world.ask(Request::SetQuota { role, quota }).map(|_| ()).map_err(|error| error.kind)
}

/// A production job of the first version; each instance asks for so many cores.
fn with_production(instances: u32, cpus: u64, quota: u64) -> World {
    let mut world = World::registered();
    set_quota(&mut world, quota).unwrap();
    let mut first = job("web", instances, true);
    first.task = production("v1", cpus);
    world.create(first).unwrap();
    world.obey();
    world
}

fn production(name: &str, cpus: u64) -> aurora_model::job::TaskConfig {
    let mut task = version(name);
    task.tier = Some("preferred".into());
    task.resources.cpus = MilliCpus(cpus * 1000);
    task
}

fn used(world: &World) -> u64 {
    world.scheduler.role_quota("www").consumption.production_shared.cpus.0 / 1000
}

#[test]
fn quotas_have_room_for_the_most_that_each_instance_may_be() {
    let mut world = with_production(3, 2, 8);
    let error = world.start(production("v2", 3), 3, queue(1)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::QuotaExceeded);
    assert!(error.message.contains("CPU quota exceeded by 1.00 core(s)"), "{error}");
    // Smaller ones, but one more of them.
    world.start(production("v2", 1), 4, queue(4)).unwrap();
    assert_eq!(used(&world), 7);
    // Nobody takes what the way back needs.
    let mut other = job("other", 2, true);
    other.task.tier = Some("preferred".into());
    assert_eq!(world.create(other.clone()).unwrap_err().kind, ErrorKind::QuotaExceeded);
    other.instance_count = 1;
    world.create(other).unwrap();
    assert_eq!(set_quota(&mut world, 7), Err(ErrorKind::FailedPrecondition));
    world.obey();
    assert_eq!(world.at(), UpdateStatus::RolledForward);
    assert_eq!(used(&world), 5);
    world.start(production("v3", 1), 4, batch(2, true)).unwrap();
    world.obey();
    assert_eq!((world.at(), used(&world)), (UpdateStatus::RollForwardPaused, 5));
    // What leaves production needs its place until it cannot come back.
    world.act(UpdateAction::Abort).unwrap();
    let mut cheap = production("v4", 1);
    cheap.tier = None;
    world.start(cheap, 4, batch(2, true)).unwrap();
    world.obey();
    assert_eq!(used(&world), 5);
    world.act(UpdateAction::Resume).unwrap();
    world.obey();
    assert_eq!((world.at(), used(&world)), (UpdateStatus::RolledForward, 1));
}

#[test]
fn the_extra_instances_of_a_surge_need_quota() {
    let mut world = with_production(2, 2, 5);
    let surge = |surge| UpdateSettings { surge, ..queue(1) };
    let error = world.start(production("v2", 2), 2, surge(1)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::QuotaExceeded);
    set_quota(&mut world, 6).unwrap();
    world.start(production("v2", 2), 2, surge(1)).unwrap();
    assert_eq!(used(&world), 6);
    world.obey();
    assert_eq!((world.at(), used(&world)), (UpdateStatus::RolledForward, 4));
}

fn running(world: &World) -> usize {
    world.active_web().iter().filter(|task| task.state == TaskState::Running).count()
}

#[test]
fn with_a_surge_no_old_instance_stops_before_a_new_one_runs() {
    let mut world = World::with_web(3);
    let settings = UpdateSettings { surge: 1, min_wait_in_running_ms: 10_000, ..queue(1) };
    world.started(3, settings);
    // The new one has a number of its own: no instance is there twice.
    assert_eq!(world.web()[3], "3:v2:PENDING");
    world.obey();
    assert_eq!(running(&world), 4);
    while !world.at().is_terminal() {
        assert!(running(&world) >= 3, "{:?}", world.web());
        world.obey_once();
        if !world.at().is_terminal() && !world.obey_once() {
            world.wait(10_000);
        }
    }
    assert_eq!(world.at(), UpdateStatus::RolledForward);
    assert_eq!(world.web()[3], "3:v2:KILLING");
    world.obey();
    assert_eq!(world.web(), ["0:v2:RUNNING", "1:v2:RUNNING", "2:v2:RUNNING"]);
    assert_eq!(world.instance_events()[..2], ["3:UPDATING", "3:UPDATED"]);
}

#[test]
fn a_surge_that_does_not_come_up_stops_no_old_instance() {
    let mut world = World::with_web(3);
    world.started(3, UpdateSettings { surge: 2, ..batch(3, true) });
    assert_eq!(world.web()[3..], ["3:v2:PENDING", "4:v2:PENDING"]);
    world.offer("A", 100);
    world.set(3, TaskState::Running);
    world.set(4, TaskState::Failed);
    world.obey();
    assert_eq!(world.statuses(), ["ROLLING_FORWARD", "ROLLING_BACK", "ROLLED_BACK"]);
    assert_eq!(world.web(), ["0:v1:RUNNING", "1:v1:RUNNING", "2:v1:RUNNING"]);
    let kills = |world: &World| {
        let old = world.tasks("web").into_iter().filter(|task| runs(&task.assigned.task, "v1"));
        old.filter(|task| task.state == TaskState::Killed).count()
    };
    assert_eq!(kills(&world), 0);
}

#[test]
fn what_ran_beside_the_others_ends_with_the_update_however_it_ends() {
    for action in [UpdateAction::Abort, UpdateAction::RollBack] {
        for restart in [false, true] {
            let mut world = World::with_web(2);
            world.started(2, UpdateSettings { surge: 5, ..queue(1) });
            // Not more of them than there are instances to be replaced.
            assert_eq!(world.web().len(), 4);
            world.obey_once();
            world.obey_once();
            if restart {
                world.restart();
                world.register();
            }
            world.act(action).unwrap();
            world.obey();
            assert!(world.at().is_terminal());
            assert!(world.instance(2).is_none() && world.instance(3).is_none());
        }
    }
    // What only adds or removes has nothing to replace.
    let mut world = World::with_web(2);
    world.start(version("v1"), 3, UpdateSettings { surge: 5, ..queue(1) }).unwrap();
    assert_eq!(world.update().update().instructions.surge, None);
}

#[test]
fn a_surge_gets_numbers_that_nobody_has() {
    let mut world = World::with_web(5);
    world.started(2, UpdateSettings { surge: 1, ..queue(1) });
    assert_eq!(world.web()[5], "5:v2:PENDING");
    world.obey();
    assert_eq!(world.web(), ["0:v2:RUNNING", "1:v2:RUNNING"]);
}

fn canary(instances: u32) -> UpdateSettings {
    let canary = Some(Canary { instances, watch_ms: 600_000 });
    UpdateSettings { canary, max_per_instance_failures: 3, max_failed_instances: 3, ..queue(3) }
}

#[test]
fn the_others_follow_by_themselves_when_those_that_go_first_are_good() {
    let mut world = World::with_web(5);
    world.started(5, canary(2));
    world.obey();
    let new = |world: &World| {
        world.active_web().iter().filter(|task| runs(&task.assigned.task, "v2")).count()
    };
    assert_eq!(new(&world), 2);
    world.wait(300_000);
    world.restart();
    world.register();
    world.wait(299_999);
    assert_eq!((new(&world), world.update().tally().good), (2, 0));
    world.wait(1);
    world.obey();
    // The others need not be watched for as long.
    assert_eq!(world.at(), UpdateStatus::RolledForward);
    assert_eq!(new(&world), 5);
}

#[test]
fn those_that_go_first_must_not_fail_at_all() {
    for (back, end) in [(true, UpdateStatus::RolledBack), (false, UpdateStatus::Failed)] {
        let mut world = World::with_web(4);
        world.started(4, UpdateSettings { rollback_on_failure: back, ..canary(2) });
        world.obey();
        world.wait(500_000);
        world.set(1, TaskState::Failed);
        world.obey();
        assert_eq!(world.at(), end);
        let old = world.active_web().iter().filter(|t| runs(&t.assigned.task, "v1")).count();
        assert_eq!(old, if back { 4 } else { 2 });
    }
    // Those that come after them may.
    let mut world = World::with_web(4);
    world.started(4, canary(1));
    world.obey();
    world.wait(600_000);
    world.obey_once();
    world.offer("A", 100);
    world.set(1, TaskState::Failed);
    assert_eq!(world.at(), UpdateStatus::RollingForward);
}

#[test]
fn a_canary_is_a_batch_and_comes_after_the_surge() {
    let mut world = World::with_web(4);
    world.started(4, UpdateSettings { surge: 1, ..UpdateSettings { ..canary(1) } });
    assert_eq!(world.web()[4..], ["4:v2:PENDING"]);
    world.obey();
    assert_eq!(world.web()[..2], ["0:v2:RUNNING", "1:v1:RUNNING"]);
    let mut world = World::with_web(4);
    let canary = Some(Canary { instances: 1, watch_ms: 1 });
    world.started(4, UpdateSettings { canary, ..batch(2, true) });
    world.obey();
    world.wait(1);
    assert_eq!(world.at(), UpdateStatus::RollForwardPaused);
    world.act(UpdateAction::Resume).unwrap();
    world.obey();
    assert_eq!(world.update().tally().good, 3);
}

/// Twenty instances, of which so many must stay up.
fn protected(policy: SlaPolicy, settings: UpdateSettings) -> World {
    let mut world = with_production(20, 1, 100);
    let mut task = production("v2", 1);
    task.sla_policy = Some(policy);
    world.wait(60_000);
    let settings = UpdateSettings { sla_aware: true, ..settings };
    let started = world.start(task, 20, settings);
    assert!(matches!(started, Ok(UpdateResponse::Started(_))), "{started:?}");
    world
}

#[test]
fn section_13_policies_hold_updates_back() {
    let policy = SlaPolicy::Count { count: 18, duration_secs: 0 };
    let mut world = protected(policy, queue(5));
    let killing =
        |world: &World| world.scheduler.state().counts().get(&TaskState::Killing).copied();
    assert_eq!(killing(&world), Some(2));
    assert_eq!(world.update().tally().working, 5);
    let messages: Vec<&str> =
        world.update().instance_events().iter().filter_map(|e| e.message.as_deref()).collect();
    assert_eq!(messages.iter().filter(|m| **m == "Checking SLA before continuing.").count(), 5);
    assert_eq!(messages.iter().filter(|m| **m == "SLA check passed, continuing.").count(), 2);
    // A pause stops the questions, a resumption asks again.
    world.act(UpdateAction::Pause).unwrap();
    world.obey();
    world.wait(600_000);
    assert_eq!(killing(&world), None);
    world.act(UpdateAction::Resume).unwrap();
    // Those that were stopped are started first, and then others may be.
    let mut least = 20;
    for _ in 0..200 {
        if world.at().is_terminal() {
            break;
        }
        world.obey();
        world.wait(301_000);
        least = least.min(running(&world));
    }
    assert_eq!(world.at(), UpdateStatus::RolledForward);
    assert!(least >= 18, "{least}");
    let kills = world.scheduler.update_sla_kills()[&web()];
    assert_eq!(kills.passed, 20);
    assert!(kills.attempts > 20);
}

#[test]
fn section_13_policies_of_a_large_job_are_not_asked_for_each_change() {
    const INSTANCES: u32 = 800;
    let mut world = with_production(INSTANCES, 1, 2_000);
    world.wait(7_200_000);
    let mut task = production("v2", 1);
    // What is replaced counts after an hour.
    task.sla_policy =
        Some(SlaPolicy::Count { count: u64::from(INSTANCES) - 20, duration_secs: 3_600 });
    // And nothing else is taken up meanwhile.
    let min_wait_in_running_ms = 7_200_000;
    let settings = UpdateSettings { sla_aware: true, min_wait_in_running_ms, ..queue(40) };
    world.start(task, INSTANCES, settings).unwrap();
    let attempts = |world: &World| world.scheduler.update_sla_kills()[&web()].attempts;
    assert_eq!(attempts(&world), 40);
    world.wait(10);
    let before = attempts(&world);
    world.obey();
    assert_eq!(running(&world), INSTANCES as usize);
    let after = attempts(&world);
    assert!(after - before <= 1, "20 have ended and 20 run, and {} were asked", after - before);
    // What has happened meanwhile is not lost.
    world.wait(10);
    assert_eq!(attempts(&world), after + 1);
    world.wait(10);
    assert_eq!(attempts(&world), after + 1);
    // Nor does an end leave anything behind.
    world.set(INSTANCES - 1, TaskState::Failed);
    world.set(INSTANCES - 2, TaskState::Failed);
    world.act(UpdateAction::Abort).unwrap();
    assert!(!format!("{:?}", world.scheduler).contains("AskWaiting"));
}

#[test]
fn section_13_coordinators_are_asked_and_heard() {
    let policy = SlaPolicy::Coordinator {
        coordinator_url: "http://here/".into(),
        status_key: "drain".into(),
    };
    let mut world = protected(policy, queue(1));
    let asked = |world: &mut World| {
        let effects = std::mem::take(&mut world.effects);
        effects.into_iter().find_map(|effect| match effect {
            Effect::AskCoordinator(question) => Some(question),
            _ => None,
        })
    };
    let question = asked(&mut world).unwrap();
    assert_eq!(question.task.assigned.instance, 0);
    world.put(Input::CoordinatorAnswered { id: question.id, answer: CoordinatorAnswer::Denied });
    assert_eq!(world.web()[0], "0:v1:RUNNING");
    world.wait(300_000);
    let question = asked(&mut world).unwrap();
    // What is allowed too late is not done.
    world.act(UpdateAction::Pause).unwrap();
    world.put(Input::CoordinatorAnswered { id: question.id, answer: CoordinatorAnswer::Allowed });
    assert_eq!(world.web()[0], "0:v1:RUNNING");
    world.act(UpdateAction::Resume).unwrap();
    let question = asked(&mut world).unwrap();
    world.put(Input::CoordinatorAnswered { id: question.id, answer: CoordinatorAnswer::Allowed });
    assert_eq!(world.web()[0], "0:v1:KILLING");
}

#[test]
fn section_13_an_answer_about_a_task_that_is_gone_takes_no_question_away() {
    let policy = SlaPolicy::Coordinator {
        coordinator_url: "http://here/".into(),
        status_key: "drain".into(),
    };
    let mut world = protected(policy.clone(), queue(1));
    let asked = |world: &mut World| {
        let effects = std::mem::take(&mut world.effects);
        effects.into_iter().find_map(|effect| match effect {
            Effect::AskCoordinator(question) => Some(question),
            _ => None,
        })
    };
    let stale = asked(&mut world).unwrap();
    world.act(UpdateAction::Abort).unwrap();
    world.ask(Request::RestartTasks { job: web(), instances: [0].into() }).unwrap();
    world.obey();
    assert_eq!(world.web()[0], "0:v1:RUNNING");
    let mut task = production("v3", 1);
    task.sla_policy = Some(policy);
    world.start(task, 20, UpdateSettings { sla_aware: true, ..queue(1) }).unwrap();
    // Its coordinator is not asked two questions at the same time.
    assert!(asked(&mut world).is_none());
    world.put(Input::CoordinatorAnswered { id: stale.id, answer: CoordinatorAnswer::Denied });
    let question = asked(&mut world).unwrap();
    assert_ne!(question.task.id(), stale.task.id());
    assert_eq!(world.web()[0], "0:v1:RUNNING");
    world.put(Input::CoordinatorAnswered { id: question.id, answer: CoordinatorAnswer::Allowed });
    assert_eq!(world.web()[0], "0:v1:KILLING");
}

#[test]
fn section_13_what_does_not_run_is_stopped_without_asking() {
    let mut world = World::registered();
    set_quota(&mut world, 100).unwrap();
    let mut first = job("web", 20, true);
    first.task = production("v1", 1);
    world.create(first).unwrap();
    let mut task = production("v2", 1);
    task.sla_policy = Some(SlaPolicy::Count { count: 19, duration_secs: 0 });
    world.start(task, 20, UpdateSettings { sla_aware: true, ..queue(20) }).unwrap();
    assert!(world.web().iter().all(|shown| shown.ends_with("v2:PENDING")));
}

#[test]
fn a_large_job_is_updated_without_writing_its_configuration_again() {
    let settings = Settings { offer_hold_jitter_ms: 0, ..Settings::default() };
    let mut world = World::with(settings);
    world.register();
    world.create_web(1000);
    world.started(1000, queue(100));
    world.obey();
    assert_eq!(world.at(), UpdateStatus::RolledForward);
    // Its log does not hold the configuration once more for each instance.
    let ops = world.log.iter().flatten();
    let puts = ops.filter(|op| matches!(op, aurora_scheduler_core::Op::PutTasks { .. })).count();
    assert_eq!(puts, 1);
}

#[test]
fn the_agent_of_an_instance_is_kept_for_what_replaces_it() {
    let settings = Settings {
        enable_update_affinity: true,
        executor_overhead: Default::default(),
        ..Settings::default()
    };
    let mut world = World::with(settings);
    world.register();
    world.create_web(1);
    let agent = |world: &World| {
        let task = world.instance(0).unwrap();
        task.assigned.agent.as_ref().map(|(agent, _)| agent.to_string())
    };
    world.started(1, queue(1));
    world.set(0, TaskState::Killed);
    world.offer("B", 100);
    assert_eq!(agent(&world), None, "it waits for where it was");
    world.create(job("other", 1, true)).unwrap();
    world.obey_once();
    assert_eq!(agent(&world).as_deref(), Some("A"));
    world.obey();
    assert_eq!(world.at(), UpdateStatus::RolledForward);
    // It does not wait for ever.
    world.start(version("v3"), 1, queue(1)).unwrap();
    world.set(0, TaskState::Killed);
    world.offer("B", 100);
    world.wait(179_000);
    assert_eq!(agent(&world), None);
    world.wait(1_000);
    assert_eq!(agent(&world).as_deref(), Some("B"));
    // A larger one would not fit where it was.
    world.obey();
    let mut large = version("v4");
    large.resources.cpus = MilliCpus(2000);
    world.start(large, 1, queue(1)).unwrap();
    world.set(0, TaskState::Killed);
    world.offer("C", 100);
    assert_eq!(agent(&world).as_deref(), Some("C"));
}

#[test]
fn what_stands_in_for_an_instance_is_no_part_of_an_update() {
    let mut world = World::with_web(1);
    let drain = aurora_scheduler_core::MaintenanceRequest::SlaDrain {
        hosts: ["host-A".into()].into(),
        default_policy: SlaPolicy::Count { count: 1, duration_secs: 0 },
        timeout_secs: 3600,
        surge: true,
    };
    world.ask(Request::Maintenance(drain)).unwrap();
    assert_eq!(world.web(), ["0:v1:RUNNING", "1:v1:PENDING"]);
    world.offer("B", 100);
    world.started(2, queue(1));
    let initial = &world.update().update().instructions.initial;
    assert_eq!(initial.iter().flat_map(|config| config.iter()).collect::<Vec<_>>(), [0]);
    for _ in 0..20 {
        world.obey_once();
        world.offer("B", 100);
    }
    assert_eq!(world.at(), UpdateStatus::RolledForward);
    assert_eq!(world.web(), ["0:v2:RUNNING", "1:v2:RUNNING"]);
}
