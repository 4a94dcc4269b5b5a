//! Updates of jobs, told as stories by the sections of `updates.md`.

use aurora_model::job::TaskState;
use aurora_model::key::{JobKey, UpdateId};
use aurora_model::update::{
    InstanceRange, JobUpdateRequest, UpdateKey, UpdateSettings, UpdateStatus, UpdateStrategy,
};
use aurora_scheduler_core::{
    ErrorKind, JobDiff, Request, UpdateAction, UpdateQuery, UpdateRequest, UpdateResponse,
    UpdateSummary,
};

use crate::updates_world::{batch, queue, version, web};
use crate::world::{World, job};

fn range(first: u32, last: u32) -> InstanceRange {
    InstanceRange { first, last }
}

#[test]
fn an_update_goes_from_instance_to_instance() {
    let mut world = World::with_web(3);
    world.started(3, queue(1));
    assert_eq!(world.at(), UpdateStatus::RollingForward);
    assert_eq!(world.web(), ["0:v1:KILLING", "1:v1:RUNNING", "2:v1:RUNNING"]);
    world.obey();
    assert_eq!(world.at(), UpdateStatus::RolledForward);
    assert_eq!(world.web(), ["0:v2:RUNNING", "1:v2:RUNNING", "2:v2:RUNNING"]);
    assert_eq!(
        world.instance_events(),
        ["0:UPDATING", "0:UPDATED", "1:UPDATING", "1:UPDATED", "2:UPDATING", "2:UPDATED"]
    );
    let tally = world.update().tally();
    assert_eq!((tally.total, tally.good, tally.working, tally.failed), (3, 3, 0, 0));
    let (first, last) = (&world.update().events()[0], &world.update().events()[1]);
    assert_eq!((first.user.as_deref(), first.message.as_deref()), (Some("tester"), Some("go")));
    assert_eq!((&last.user, &last.message), (&None, &None));
    let killed = world.tasks("web").into_iter().find(|task| task.state == TaskState::Killed);
    let message = killed.unwrap().events.iter().find_map(|event| event.message.clone()).unwrap();
    assert_eq!(message, format!("Killed for job update {}", world.update().update().key.id));
}

#[test]
fn section_2_what_cannot_be_started_is_refused_with_the_reason() {
    let mut world = World::with_web(2);
    let mut refuse = |change: &dyn Fn(&mut JobUpdateRequest), wanted: &str| {
        let mut request = JobUpdateRequest {
            task: version("v2"),
            instance_count: 2,
            settings: queue(1),
            metadata: Default::default(),
        };
        change(&mut request);
        let before = world.scheduler.state().clone();
        let error = world.start(request.task, request.instance_count, request.settings);
        let error = error.unwrap_err();
        assert!(error.message.contains(wanted), "{wanted}: {error}");
        assert_eq!(*world.scheduler.state(), before);
        error.kind
    };
    let invalid = ErrorKind::Invalid;
    assert_eq!(refuse(&|r| r.task.is_service = false, "is not a service"), invalid);
    let sizes = |sizes: &[u32]| UpdateStrategy::VariableBatch {
        group_sizes: sizes.to_vec(),
        autopause_after_batch: false,
    };
    assert_eq!(refuse(&|r| r.settings.strategy = sizes(&[1, 0]), "group size"), invalid);
    assert_eq!(refuse(&|r| r.settings.strategy = sizes(&[]), "group size"), invalid);
    assert_eq!(refuse(&|r| r.settings = queue(0), "group size"), invalid);
    // 64 bits hold what 32 do not.
    let huge = |r: &mut JobUpdateRequest| {
        r.settings.max_per_instance_failures = u32::MAX;
        r.instance_count = u32::MAX;
    };
    assert_eq!(refuse(&huge, "at most 20000"), invalid);
    let many = |r: &mut JobUpdateRequest| r.instance_count = u32::MAX;
    let said = "asks for 4294967295 instances; a job may have at most 4000";
    assert_eq!(refuse(&many, said), invalid);
    let few = |r: &mut JobUpdateRequest| {
        many(r);
        r.settings.only_instances = vec![range(0, 1)];
    };
    assert_eq!(refuse(&few, said), invalid);
    assert_eq!(refuse(&|r| r.settings.sla_aware = true, "has no SLA policy"), invalid);
    let elsewhere = |r: &mut JobUpdateRequest| {
        r.task.job = JobKey::new("www", "moon", "web").unwrap();
    };
    assert_eq!(refuse(&elsewhere, "environment \"moon\" is not allowed"), invalid);
    let tier = |r: &mut JobUpdateRequest| r.task.tier = Some("gold".into());
    assert_eq!(refuse(&tier, "unknown tier"), invalid);
    let scope = |r: &mut JobUpdateRequest| r.settings.only_instances = vec![range(1, 5)];
    assert_eq!(refuse(&scope, "instances 2-5 are neither"), invalid);
    let turned = |r: &mut JobUpdateRequest| r.settings.only_instances = vec![range(1, 0)];
    assert_eq!(refuse(&turned, "turned round"), invalid);
    assert_eq!(refuse(&|r| r.instance_count = 0, "instance count must be positive"), invalid);
    assert_eq!(refuse(&|r| r.instance_count = 4001, "at most 4000"), invalid);
    let beside = |r: &mut JobUpdateRequest| {
        r.instance_count = 4000;
        r.settings.surge = 5;
    };
    assert_eq!(refuse(&beside, "4000 instances and 2 beside them"), invalid);
    let production = |r: &mut JobUpdateRequest| r.task.tier = Some("preferred".into());
    assert_eq!(refuse(&production, "Insufficient resource quota"), ErrorKind::QuotaExceeded);

    let request = Box::new(JobUpdateRequest {
        task: version("v2"),
        instance_count: 2,
        settings: queue(1),
        metadata: Default::default(),
    });
    let long = Some("é".repeat(1025));
    let ask = UpdateRequest::Start { request: request.clone(), message: long };
    let error = world.ask(Request::Update(ask)).unwrap_err();
    assert_eq!(error.message, "the message is 1025 characters long; at most 1024 are allowed");
    let ask = UpdateRequest::Start { request, message: Some("é".repeat(1024)) };
    world.ask(Request::Update(ask)).unwrap();
}

#[test]
fn section_2_an_update_is_no_larger_than_what_can_be_written_down() {
    let mut world = World::with_web(1);
    let mut refused = |change: &dyn Fn(&mut JobUpdateRequest)| {
        let settings = queue(1);
        let mut request = JobUpdateRequest {
            task: version("v2"),
            instance_count: 1,
            settings,
            metadata: [].into(),
        };
        change(&mut request);
        let ask = UpdateRequest::Start { request: Box::new(request), message: None };
        let error = world.ask(Request::Update(ask)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        error.message
    };
    let message = refused(&|request| request.settings.only_instances = vec![range(0, 0); 5_001]);
    assert_eq!(message, "the update has 5001 ranges of instances; at most 5000 are allowed");
    let message = refused(&|request| {
        request.settings.strategy = UpdateStrategy::VariableBatch {
            group_sizes: vec![1; 1_001],
            autopause_after_batch: false,
        };
    });
    assert_eq!(message, "the update has 1001 sizes of batches; at most 1000 are allowed");
    let message = refused(&|request| {
        request.metadata = (0..1_001).map(|n| (n.to_string(), String::new())).collect();
    });
    assert_eq!(message, "the update has 1001 entries of metadata; at most 1000 are allowed");
    let message = refused(&|request| {
        request.metadata = [("key".to_owned(), "x".repeat(64 << 10))].into();
    });
    assert_eq!(message, "the update has 65539 bytes of metadata; at most 65536 are allowed");
    // Nothing is left of them.
    world.started(1, queue(1));
}

#[test]
fn section_2_a_job_of_too_many_different_things_is_updated_in_parts() {
    const LARGE: usize = 4 << 20;
    let mut world = World::with_web(17);
    let large = |number: u32| {
        let mut task = version("");
        task.executor.as_mut().unwrap().data = format!("{number:04}{}", "x".repeat(LARGE - 4));
        task
    };
    for instance in 0..17 {
        let only_instances = vec![range(instance, instance)];
        let settings = UpdateSettings { only_instances, ..queue(1) };
        world.start(large(instance), 17, settings).unwrap();
        world.obey();
    }
    let error = world.start(version("v2"), 17, queue(1)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("of 17 configurations"), "{error}");
    let settings = UpdateSettings { only_instances: vec![range(0, 7)], ..queue(1) };
    world.start(version("v2"), 17, settings).unwrap();
}

#[test]
fn section_2_a_job_that_is_what_it_is_to_be_needs_no_update() {
    let mut world = World::with_web(2);
    let response = world.start(version("v1"), 2, queue(1));
    assert_eq!(response, Ok(UpdateResponse::Unchanged));
    assert!(world.scheduler.state().updates().is_empty());
    // What the scheduler fills in does not count as a difference.
    let mut task = version("v1");
    task.tier = Some("preemptible".into());
    assert_eq!(world.start(task, 2, queue(1)), Ok(UpdateResponse::Unchanged));
}

#[test]
fn section_2_a_job_that_is_not_there_is_created() {
    let mut world = World::registered();
    world.started(2, queue(5));
    world.obey();
    assert_eq!(world.web(), ["0:v2:RUNNING", "1:v2:RUNNING"]);
    assert_eq!(world.at(), UpdateStatus::RolledForward);
    let status = world.statuses();
    assert_eq!(status, ["ROLLING_FORWARD", "ROLLED_FORWARD"]);
}

#[test]
fn section_1_everything_else_is_kept_from_a_job_that_is_updated() {
    let mut world = World::with_web(2);
    let key = world.started(2, queue(1));
    let error = world.start(version("v3"), 2, queue(1)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::JobUpdating);
    assert!(error.message.contains(key.id.as_str()), "{error}");
    assert_eq!(world.kill("web").unwrap_err().kind, ErrorKind::JobUpdating);
    let error = world.create(job("web", 1, true)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::JobUpdating);
    world.create(job("other", 1, true)).unwrap();
    world.obey();
    world.kill("web").unwrap();
}

#[test]
fn section_3_a_diff_says_what_would_change() {
    let mut world = World::with_web(4);
    let request = |instance_count, scope: &[InstanceRange]| JobUpdateRequest {
        task: version("v2"),
        instance_count,
        settings: UpdateSettings { only_instances: scope.to_vec(), ..queue(1) },
        metadata: Default::default(),
    };
    let shown = |diff: JobDiff| {
        let groups = [diff.add, diff.remove, diff.update, diff.unchanged];
        groups.map(|configs| {
            let mut texts = Vec::new();
            for config in configs {
                let data = &config.task.executor.as_ref().unwrap().data;
                for range in config.instances {
                    texts.push(format!("{data}:{}-{}", range.first, range.last));
                }
            }
            texts.join(" ")
        })
    };
    let diff = |world: &World, count, scope: &[InstanceRange]| {
        shown(world.scheduler.update_diff(request(count, scope)).unwrap())
    };
    assert_eq!(diff(&world, 6, &[]), ["v2:4-5", "", "v1:0-3", ""]);
    assert_eq!(diff(&world, 2, &[]), ["", "v1:2-3", "v1:0-1", ""]);
    assert_eq!(
        diff(&world, 6, &[range(1, 1), range(5, 5)]),
        ["v2:5-5", "", "v1:1-1", "v1:0-0 v1:2-3"]
    );
    // Some instances have the new version already.
    let scope = UpdateSettings { only_instances: vec![range(1, 2)], ..queue(2) };
    world.started(4, scope);
    world.obey();
    assert_eq!(world.web(), ["0:v1:RUNNING", "1:v2:RUNNING", "2:v2:RUNNING", "3:v1:RUNNING"]);
    assert_eq!(diff(&world, 4, &[]), ["", "", "v1:0-0 v1:3-3", "v2:1-2"]);
    // An instance that is being ended is not there any more.
    let job = web();
    world.ask(Request::KillTasks { job, instances: [3].into(), message: None }).unwrap();
    assert_eq!(diff(&world, 4, &[]), ["v2:3-3", "", "v1:0-0", "v2:1-2"]);
    let mut bad = request(1, &[]);
    bad.task.tier = Some("gold".into());
    assert!(world.scheduler.update_diff(bad).is_err());
}

#[test]
fn section_2_every_instance_of_an_update_must_have_an_id_that_its_agent_can_use() {
    let mut world = World::registered();
    let mut task = version("v1");
    // With numbers of one digit the ids just fit.
    task.job = JobKey::new("www", "prod", &"n".repeat(199)).unwrap();
    let said = "bytes too long together";
    let error = world.start(task.clone(), 11, queue(1)).unwrap_err();
    assert!(error.message.contains(said), "{error}");
    world.start(task.clone(), 10, queue(1)).unwrap();
    world.obey();
    task.executor.as_mut().unwrap().data = "v2".into();
    let surge = UpdateSettings { surge: 1, ..queue(1) };
    let error = world.start(task.clone(), 10, surge).unwrap_err();
    assert!(error.message.contains(said), "{error}");
    world.start(task, 10, queue(1)).unwrap();
}

#[test]
fn section_3_a_diff_with_more_instances_than_a_job_may_have_is_refused() {
    let world = World::with_web(1);
    let request = JobUpdateRequest {
        task: version("v2"),
        instance_count: u32::MAX,
        settings: queue(1),
        metadata: Default::default(),
    };
    let error = world.scheduler.update_diff(request).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("a job may have at most 4000"), "{error}");
}

#[test]
fn section_5_users_stop_resume_undo_and_give_up() {
    let mut world = World::with_web(3);
    world.started(3, queue(1));
    assert_eq!(world.act(UpdateAction::Pause), Ok(UpdateStatus::RollForwardPaused));
    assert_eq!(world.act(UpdateAction::Pause), Ok(UpdateStatus::RollForwardPaused));
    // What was begun goes on; nothing else is begun.
    world.obey();
    assert_eq!(world.web(), ["1:v1:RUNNING", "2:v1:RUNNING"]);
    assert_eq!(world.act(UpdateAction::Resume), Ok(UpdateStatus::RollingForward));
    world.obey_once();
    world.obey_once();
    assert_eq!(world.act(UpdateAction::RollBack), Ok(UpdateStatus::RollingBack));
    assert_eq!(world.act(UpdateAction::RollBack), Ok(UpdateStatus::RollingBack));
    assert_eq!(world.act(UpdateAction::Pause), Ok(UpdateStatus::RollBackPaused));
    assert_eq!(world.act(UpdateAction::Resume), Ok(UpdateStatus::RollingBack));
    world.obey();
    assert_eq!(world.at(), UpdateStatus::RolledBack);
    assert_eq!(world.web(), ["0:v1:RUNNING", "1:v1:RUNNING", "2:v1:RUNNING"]);
    for action in UpdateAction::ALL {
        let error = world.act(action).unwrap_err();
        assert_eq!(error.kind, ErrorKind::FailedPrecondition);
        assert!(error.message.contains("it is ROLLED_BACK, which is final"), "{error}");
    }
    world.started(3, queue(1));
    assert_eq!(world.act(UpdateAction::Abort), Ok(UpdateStatus::Aborted));
    world.obey();
    assert_eq!(world.web(), ["1:v1:RUNNING", "2:v1:RUNNING"]);
    let key = UpdateKey { job: web(), id: UpdateId::new("none").unwrap() };
    let act = UpdateRequest::Act { key, action: UpdateAction::Pause, message: None };
    let error = world.ask(Request::Update(act)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, "www/prod/web has no update none");
}

#[test]
fn section_6_so_many_instances_may_fail_and_no_more() {
    for max in 0..3 {
        let mut world = World::with_web(5);
        let settings =
            UpdateSettings { max_failed_instances: max, rollback_on_failure: false, ..queue(1) };
        world.started(5, settings);
        world.obey_but("v2");
        assert_eq!(world.at(), UpdateStatus::Failed, "{max}");
        let tally = world.update().tally();
        assert_eq!((tally.failed, tally.working), (max + 1, 0));
        let message = world.update().events().last().unwrap().message.clone().unwrap();
        assert_eq!(message, format!("Latest failure: instance {max} exited."));
        // The others were not touched.
        let untouched = world.web().iter().filter(|shown| shown.ends_with("v1:RUNNING")).count();
        assert_eq!(untouched, 4 - usize::try_from(max).unwrap());
    }
    // All may fail if all may fail.
    let mut world = World::with_web(2);
    world.started(2, UpdateSettings { max_failed_instances: 2, ..queue(1) });
    world.obey_but("v2");
    assert_eq!(world.at(), UpdateStatus::RolledForward);
    assert_eq!(world.update().tally().failed, 2);
}

#[test]
fn section_7_so_many_failures_of_an_instance_are_forgiven() {
    let mut world = World::with_web(1);
    world.started(1, UpdateSettings { max_per_instance_failures: 2, ..queue(1) });
    world.obey_once();
    for failures in 1..=3 {
        world.offer("A", 100);
        if world.instance(0).unwrap().state == TaskState::Throttled {
            world.wait(600_000);
            world.offer("A", 100);
        }
        assert_eq!(world.at(), UpdateStatus::RollingForward, "after {failures}");
        world.set(0, TaskState::Failed);
        // Nothing forgets them.
        if failures == 1 {
            world.restart();
            world.register();
        }
        if failures == 2 {
            world.act(UpdateAction::Pause).unwrap();
            world.act(UpdateAction::Resume).unwrap();
        }
    }
    assert_eq!(world.statuses().last(), Some(&"ROLLING_BACK"));
    world.obey();
    assert_eq!(world.at(), UpdateStatus::RolledBack);
    assert_eq!(world.web(), ["0:v1:RUNNING"]);
    let events = world.instance_events();
    assert_eq!(events, ["0:UPDATING", "0:UPDATE_FAILED", "0:ROLLING_BACK", "0:ROLLED_BACK"]);
}

#[test]
fn section_7_failures_count_while_an_update_stands_and_act_when_it_goes_on() {
    let mut world = World::with_web(2);
    let settings = UpdateSettings { min_wait_in_running_ms: 60_000, ..queue(1) };
    world.started(2, settings);
    world.obey();
    assert_eq!(world.web(), ["0:v2:RUNNING", "1:v1:RUNNING"]);
    world.act(UpdateAction::Pause).unwrap();
    world.set(0, TaskState::Failed);
    assert_eq!(world.at(), UpdateStatus::RollForwardPaused);
    world.restart();
    world.register();
    world.obey();
    // The run that took its place is not taken for the one that failed.
    world.wait(100_000);
    assert_eq!(world.act(UpdateAction::Resume), Ok(UpdateStatus::RollingBack));
    world.obey();
    world.wait(60_000);
    world.obey();
    world.wait(60_000);
    assert_eq!(world.at(), UpdateStatus::RolledBack);
    assert_eq!(world.web(), ["0:v1:RUNNING", "1:v1:RUNNING"]);
}

#[test]
fn section_7_a_failed_instance_is_not_tried_again() {
    let mut world = World::with_web(3);
    let settings = UpdateSettings { max_failed_instances: 1, ..queue(1) };
    world.started(3, settings);
    world.obey_once();
    world.offer("A", 100);
    world.set(0, TaskState::Failed);
    assert_eq!(world.update().tally().failed, 1);
    world.act(UpdateAction::Pause).unwrap();
    world.restart();
    world.register();
    world.act(UpdateAction::Resume).unwrap();
    world.obey();
    assert_eq!(world.at(), UpdateStatus::RolledForward);
    assert_eq!(world.update().tally().failed, 1);
    let failed = world.instance_events().iter().filter(|event| event.ends_with("FAILED")).count();
    assert_eq!(failed, 1);
}

#[test]
fn section_7_what_the_scheduler_ends_itself_is_no_failure() {
    let mut world = World::with_web(2);
    world.started(2, UpdateSettings { min_wait_in_running_ms: 60_000, ..queue(1) });
    world.obey();
    // Its agent is lost, and the task with it.
    world.set(0, TaskState::Partitioned);
    world.wait(1);
    assert_eq!(world.instance(0).unwrap().state, TaskState::Pending);
    world.obey();
    assert_eq!(world.at(), UpdateStatus::RollingForward);
    // It is lost while it runs, and before it came to its agent.
    world.set(0, TaskState::Lost);
    while world.instance(0).unwrap().state != TaskState::Assigned {
        world.wait(300_000);
        world.offer("A", 100);
    }
    world.set(0, TaskState::Lost);
    assert_eq!(world.update().tally().failed, 0);
    while world.instance(0).unwrap().state != TaskState::Running {
        world.wait(300_000);
        world.obey();
    }
    assert_eq!(world.at(), UpdateStatus::RollingForward);
    // Its host is drained.
    let drain =
        aurora_scheduler_core::MaintenanceRequest::Drain { hosts: ["host-A".into()].into() };
    world.ask(Request::Maintenance(drain)).unwrap();
    assert_eq!(world.instance(0).unwrap().state, TaskState::Draining);
    world.set(0, TaskState::Killed);
    assert_eq!(world.at(), UpdateStatus::RollingForward);
    assert_eq!(world.update().tally().failed, 0);
    // It ends by itself.
    world.wait(600_000);
    world.offer("B", 100);
    world.set(0, TaskState::Running);
    world.set(0, TaskState::Finished);
    assert_eq!(world.at(), UpdateStatus::RollingBack);
}

#[test]
fn section_7_an_instance_is_watched_for_as_long_as_it_has_to_stay_up() {
    let mut world = World::with_web(2);
    world.started(2, UpdateSettings { min_wait_in_running_ms: 10_000, ..queue(1) });
    world.obey();
    world.wait(9_999);
    assert_eq!(world.update().tally().good, 0);
    // Another scheduler knows for how long it has been up.
    world.restart();
    world.register();
    world.wait(1);
    assert_eq!(world.update().tally().good, 1);
    world.obey();
    // A watch begins anew with each run.
    world.wait(5_000);
    world.set(1, TaskState::Partitioned);
    world.wait(1);
    world.obey();
    world.wait(9_000);
    assert_eq!(world.at(), UpdateStatus::RollingForward);
    world.wait(1_000);
    assert_eq!(world.at(), UpdateStatus::RolledForward);
}

#[test]
fn section_7_an_old_task_that_waits_makes_room_at_once() {
    let mut world = World::registered();
    let mut first = job("web", 2, true);
    first.task = version("v1");
    world.create(first).unwrap();
    world.started(2, queue(1));
    assert_eq!(world.web(), ["0:v2:PENDING", "1:v1:PENDING"]);
    assert_eq!(world.tasks("web").len(), 2);
    world.obey();
    assert_eq!(world.at(), UpdateStatus::RolledForward);
}

#[test]
fn section_8_new_instances_come_first_then_changed_ones_then_those_that_go() {
    let mut world = World::with_web(4);
    let job = web();
    world.ask(Request::KillTasks { job, instances: [0].into(), message: None }).unwrap();
    world.obey();
    world.started(3, queue(1));
    world.obey();
    let updating: Vec<String> =
        world.instance_events().into_iter().filter(|event| event.ends_with("UPDATING")).collect();
    assert_eq!(updating, ["0:UPDATING", "1:UPDATING", "2:UPDATING", "3:UPDATING"]);
    assert_eq!(world.web(), ["0:v2:RUNNING", "1:v2:RUNNING", "2:v2:RUNNING"]);
}

#[test]
fn section_8_batches_wait_for_each_other_and_windows_slide() {
    let mut world = World::with_web(4);
    world.started(4, batch(2, false));
    assert_eq!(world.web()[..3], ["0:v1:KILLING", "1:v1:KILLING", "2:v1:RUNNING"]);
    world.set(0, TaskState::Killed);
    world.offer("A", 100);
    world.set(0, TaskState::Running);
    assert_eq!(world.web()[..3], ["0:v2:RUNNING", "1:v1:KILLING", "2:v1:RUNNING"]);
    world.obey();
    world.act(UpdateAction::Abort).unwrap_err();

    let mut world = World::with_web(4);
    world.started(4, queue(2));
    world.set(0, TaskState::Killed);
    world.offer("A", 100);
    world.set(0, TaskState::Running);
    assert_eq!(world.web()[..3], ["0:v2:RUNNING", "1:v1:KILLING", "2:v1:KILLING"]);
}

#[test]
fn section_10_an_update_pauses_before_each_batch_but_the_first() {
    for restart in [false, true] {
        let mut world = World::with_web(5);
        world.started(5, batch(2, true));
        let mut good = Vec::new();
        while !world.at().is_terminal() {
            world.obey();
            if restart {
                world.restart();
                world.register();
            }
            good.push(world.update().tally().good);
            if world.at() == UpdateStatus::RollForwardPaused {
                let last = world.update().events().last().unwrap();
                assert_eq!(last.message.as_deref(), Some("Update auto paused"));
                assert_eq!(world.update().tally().working, 0);
                // Only a resumption lets it go on.
                world.wait(600_000);
                world.obey();
                assert_eq!(world.update().tally().good, *good.last().unwrap());
                if restart {
                    world.restart();
                    world.register();
                }
                world.act(UpdateAction::Resume).unwrap();
            }
        }
        assert_eq!(good, [2, 4, 5]);
        assert_eq!(world.at(), UpdateStatus::RolledForward);
    }
}

#[test]
fn section_10_a_pause_of_a_user_is_not_one_between_batches() {
    let mut world = World::with_web(4);
    world.started(4, batch(2, true));
    world.act(UpdateAction::Pause).unwrap();
    world.obey();
    world.act(UpdateAction::Resume).unwrap();
    world.obey();
    assert_eq!(world.at(), UpdateStatus::RollForwardPaused);
    assert_eq!(world.update().tally().good, 2);
    // Nobody waits between the batches of the way back.
    world.act(UpdateAction::RollBack).unwrap();
    world.obey();
    assert_eq!(world.at(), UpdateStatus::RolledBack);
    assert_eq!(world.statuses().len(), 6);
}

#[test]
fn section_11_an_update_that_needs_pulses_stands_without_them() {
    let mut world = World::with_web(3);
    let settings = UpdateSettings { pulse_timeout_ms: Some(60_000), ..queue(1) };
    world.started(3, settings);
    assert_eq!(world.at(), UpdateStatus::RollForwardAwaitingPulse);
    world.obey();
    assert_eq!(world.web()[0], "0:v1:RUNNING");
    assert_eq!(world.act(UpdateAction::Resume), Ok(UpdateStatus::RollForwardAwaitingPulse));
    assert!(!world.pulse());
    assert_eq!(world.at(), UpdateStatus::RollingForward);
    // A missing pulse is noticed in time, though nothing else happens.
    world.wait(59_999);
    assert_eq!(world.at(), UpdateStatus::RollingForward);
    world.wait(1);
    assert_eq!(world.at(), UpdateStatus::RollForwardAwaitingPulse);
    let last = world.update().events().last().unwrap();
    assert_eq!(last.message.as_deref(), Some("Pulses from external service have timed out."));
    world.pulse();
    world.wait(40_000);
    world.pulse();
    // Another scheduler knows when the last one came.
    world.restart();
    world.register();
    world.wait(40_000);
    assert_eq!(world.at(), UpdateStatus::RollingForward);
    // Pulses count while the update is paused.
    world.act(UpdateAction::Pause).unwrap();
    world.wait(100_000);
    assert_eq!(world.at(), UpdateStatus::RollForwardPaused);
    world.pulse();
    assert_eq!(world.act(UpdateAction::Resume), Ok(UpdateStatus::RollingForward));
    world.wait(70_000);
    assert_eq!(world.act(UpdateAction::Pause), Ok(UpdateStatus::RollForwardPaused));
    assert_eq!(world.act(UpdateAction::Resume), Ok(UpdateStatus::RollForwardAwaitingPulse));
    // The way back needs them as well.
    assert_eq!(world.act(UpdateAction::RollBack), Ok(UpdateStatus::RollBackAwaitingPulse));
    world.pulse();
    world.obey();
    assert_eq!(world.at(), UpdateStatus::RolledBack);
    assert!(world.pulse(), "an update that is over needs no more");
    world.started(3, queue(1));
    assert!(world.pulse(), "nor does one that never did");
}

#[test]
fn section_11_a_missing_pulse_is_noticed_in_time_though_the_clock_went_back() {
    let mut world = World::with_web(3);
    let settings = UpdateSettings { pulse_timeout_ms: Some(60_000), ..queue(1) };
    world.started(3, settings);
    world.pulse();
    world.now = world.now.plus_ms(-600_000);
    world.pulse();
    world.wait(59_999);
    assert_eq!(world.at(), UpdateStatus::RollingForward);
    world.wait(1);
    assert_eq!(world.at(), UpdateStatus::RollForwardAwaitingPulse);
}

#[test]
fn section_12_what_is_undone_is_what_it_was() {
    // Two instances of one version, one of another; one is added, one is removed.
    let mut world = World::with_web(4);
    world.started(4, UpdateSettings { only_instances: vec![range(1, 1)], ..queue(1) });
    world.obey();
    let job = web();
    world.ask(Request::KillTasks { job, instances: [2].into(), message: None }).unwrap();
    world.obey();
    let before = world.web();
    assert_eq!(before, ["0:v1:RUNNING", "1:v2:RUNNING", "3:v1:RUNNING"]);
    world.start(version("v3"), 3, queue(1)).unwrap();
    world.obey();
    assert_eq!(world.web(), ["0:v3:RUNNING", "1:v3:RUNNING", "2:v3:RUNNING"]);
    assert_eq!(world.at(), UpdateStatus::RolledForward);

    let mut world = World::with_web(4);
    world.started(2, batch(4, false));
    world.act(UpdateAction::RollBack).unwrap();
    world.obey();
    assert_eq!(world.web().len(), 4);
    assert!(world.web().iter().all(|shown| shown.ends_with("v1:RUNNING")));
    let back: Vec<String> =
        world.instance_events().into_iter().filter(|e| e.ends_with("ROLLING_BACK")).collect();
    assert_eq!(back, ["3:ROLLING_BACK", "2:ROLLING_BACK", "1:ROLLING_BACK", "0:ROLLING_BACK"]);
}

#[test]
fn section_12_a_way_back_that_fails_is_the_end() {
    let mut world = World::with_web(2);
    world.started(2, queue(1));
    world.obey_once();
    world.offer("A", 100);
    world.set(0, TaskState::Failed);
    assert_eq!(world.at(), UpdateStatus::RollingBack);
    world.obey_but("v1");
    assert_eq!(world.statuses(), ["ROLLING_FORWARD", "ROLLING_BACK", "FAILED"]);
    assert!(world.instance_events().contains(&"0:ROLLBACK_FAILED".to_owned()));
}

#[test]
fn section_15_old_updates_are_forgotten() {
    let mut world = World::with_web(1);
    for number in 0..12 {
        world.start(version(&format!("w{number}")), 1, queue(1)).unwrap();
        world.obey();
        world.wait(1);
    }
    world.start(version("last"), 1, queue(1)).unwrap();
    let count = |world: &World| world.scheduler.state().updates().len();
    assert_eq!(count(&world), 13);
    world.wait(15 * 60_000);
    // Ten that are over, and the one that is not.
    assert_eq!(count(&world), 11);
    assert_eq!(world.scheduler.counters()["job_updates_pruned"], 2);
    world.obey();
    world.wait(31 * 24 * 3_600_000);
    assert_eq!(count(&world), 0);
}

/// L4: found by the simulation.
#[test]
fn a_clock_that_goes_back_makes_a_snapshot_no_other_state() {
    let mut world = World::with_web(2);
    world.started(2, queue(1));
    world.wait(60_000);
    world.act(UpdateAction::Pause).unwrap();
    world.now = world.now.plus_ms(-600_000);
    world.act(UpdateAction::Abort).unwrap();
    let state = world.scheduler.state();
    let mut restored = aurora_scheduler_core::State::default();
    state.to_ops().for_each(|op| restored.apply(&op).unwrap());
    assert_eq!(restored, *state);
}

#[test]
fn updates_are_found_by_what_is_known_of_them() {
    let mut world = World::with_web(1);
    for name in ["a", "b", "c"] {
        world.create(job(name, 1, true)).unwrap();
        world.obey();
        let mut task = version("v2");
        task.job = JobKey::new("www", "prod", name).unwrap();
        world.wait(1);
        world.start(task, 1, queue(1)).unwrap();
    }
    world.obey();
    world.wait(1);
    world.started(1, queue(1));
    let found = |query: UpdateQuery| -> Vec<String> {
        let found = world.scheduler.updates(&query, None, 10);
        found.iter().map(|update| update.update().key.job.name().to_owned()).collect()
    };
    let all = UpdateQuery::default();
    assert_eq!(found(all.clone())[0], "web");
    assert_eq!(found(all.clone()).len(), 4);
    assert_eq!(found(UpdateQuery { role: "www".into(), ..all.clone() }).len(), 4);
    assert_eq!(found(UpdateQuery { role: "ads".into(), ..all.clone() }).len(), 0);
    assert_eq!(found(UpdateQuery { user: "nobody".into(), ..all.clone() }).len(), 0);
    let active = [UpdateStatus::RollingForward].into();
    assert_eq!(found(UpdateQuery { statuses: active, ..all.clone() }), ["web"]);
    let job = Some(JobKey::new("www", "prod", "b").unwrap());
    assert_eq!(found(UpdateQuery { job, ..all.clone() }), ["b"]);
    // Pages hold together whatever changes before them.
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = world.scheduler.updates(&all, after.as_ref(), 1);
        let Some(update) = page.first() else { break };
        let summary = UpdateSummary::from(*update);
        after = Some((summary.modified, summary.key.clone()));
        pages.push(summary.key.job.name().to_owned());
    }
    assert_eq!(pages, found(all));
}

#[test]
fn a_repeated_start_is_one_update() {
    let mut world = World::with_web(1);
    let start = || {
        let request = Box::new(JobUpdateRequest {
            task: version("v2"),
            instance_count: 1,
            settings: queue(1),
            metadata: Default::default(),
        });
        Request::Update(UpdateRequest::Start { request, message: None })
    };
    let first = world.ask_as(Some("id"), start()).unwrap();
    world.restart();
    assert_eq!(world.ask_as(Some("id"), start()).unwrap(), first);
    assert_eq!(world.scheduler.state().updates().len(), 1);
}
