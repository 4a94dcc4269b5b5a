//! Whether tasks may be stopped (`scheduler.md` 11), as drains ask.

use aurora_model::job::{SlaPolicy, TaskState};
use aurora_model::maintenance::MaintenanceMode;
use aurora_model::update::{UpdateSettings, UpdateStatus, UpdateStrategy};
use aurora_scheduler_core::{
    CoordinatorAnswer, CoordinatorQuestion, Effect, ErrorKind, Input, MaintenanceRequest,
    QuestionId, Settings,
};

use crate::upkeep::{MINUTE, coordinator, percentage, settings};
use crate::world::{World, job};

const HOUR_SECS: u64 = 3600;

fn questions(effects: &[Effect]) -> Vec<CoordinatorQuestion> {
    let asked = effects.iter().filter_map(|effect| match effect {
        Effect::AskCoordinator(question) => Some((**question).clone()),
        _ => None,
    });
    asked.collect()
}

fn answer(world: &mut World, id: QuestionId, answer: CoordinatorAnswer) -> Vec<Effect> {
    world.put(Input::CoordinatorAnswered { id, answer })
}

#[test]
fn decisions_of_one_step_add_up() {
    let mut world = World::with_service(&[10, 10], Some(percentage(90.0, 60)));
    world.sla_drain(&["host-A", "host-B"], percentage(0.0, 0), HOUR_SECS);
    // Two of twenty may be down, wherever they are.
    assert_eq!(world.count_in(TaskState::Draining), 2);
    assert_eq!(world.count_in(TaskState::Running), 18);
    let reasons = world.reasons("host-B");
    assert_eq!(reasons.len(), 10);
    assert!(reasons[0].contains("18 of the 20 instances"), "{}", reasons[0]);
    assert!(reasons[0].contains("60 s"), "{}", reasons[0]);
}

#[test]
fn a_drain_goes_on_as_soon_as_the_policy_allows() {
    let mut world = World::with_service(&[2, 18], Some(percentage(95.0, 30)));
    world.sla_drain(&["host-A"], percentage(0.0, 0), HOUR_SECS);
    assert_eq!(world.count_in(TaskState::Draining), 1);
    world.end_all();
    world.offer("C", 20);
    world.wait(1);
    world.run_placed();
    // The replacement must have run for more than 30 seconds.
    world.wait(30_000);
    assert_eq!(world.count_in(TaskState::Draining), 0);
    assert_eq!(world.reasons("host-A").len(), 1);
    world.wait(1);
    assert_eq!(world.count_in(TaskState::Draining), 1);
    world.end_all();
    assert_eq!(world.mode("host-A"), MaintenanceMode::Drained);
}

#[test]
fn a_job_that_shrinks_lets_a_drain_go_on() {
    // 23 of 25 must be up, and two are not; of 23 one may be missing.
    let policy = SlaPolicy::Count { count: 23, duration_secs: 0 };
    let mut world = World::with_service(&[3, 22], Some(policy));
    let starting = world.on("host-B")[0].clone();
    world.status(&starting, TaskState::Lost);
    let other = world.on("host-B")[0].clone();
    world.status(&other, TaskState::Lost);
    world.sla_drain(&["host-A"], percentage(0.0, 0), HOUR_SECS);
    assert_eq!(world.count_in(TaskState::Draining), 0);
    let pending: Vec<u32> = world
        .tasks("web")
        .iter()
        .filter(|task| task.state == TaskState::Pending)
        .map(|task| task.assigned.instance)
        .collect();
    world.kill_instances("web", &pending);
    // 23 are left, all up: the count that cannot be met is read as all but one.
    assert_eq!(world.count_in(TaskState::Draining), 1);
}

#[test]
fn small_jobs_and_those_not_for_production_are_not_protected() {
    let mut world = World::with_service(&[19], None);
    world.sla_drain(&["host-A"], percentage(100.0, 60), HOUR_SECS);
    assert_eq!(world.count_in(TaskState::Draining), 19);

    for (is_aware, drained) in [(false, 25), (true, 1)] {
        let mut world = World::with(Settings { sla_aware_kill_non_prod: is_aware, ..settings() });
        world.register();
        world.offer("A", 25);
        world.create(job("web", 25, true)).unwrap();
        world.run_placed();
        world.wait(10 * MINUTE);
        world.sla_drain(&["host-A"], percentage(100.0, 60), HOUR_SECS);
        assert_eq!(world.count_in(TaskState::Draining), drained);
    }
}

#[test]
fn a_task_that_serves_nobody_never_keeps_its_host() {
    let mut world = World::with_service(&[3, 17], Some(percentage(95.0, 60)));
    let [starting, flapping, up] = world.on("host-A").try_into().unwrap();
    for id in [&starting, &flapping] {
        world.status(id, TaskState::Failed);
    }
    // Both come back to the host; one fails again and again.
    world.offer("A", 2);
    let replacements = world.ids_in(&[TaskState::Assigned]);
    assert_eq!(replacements.len(), 2);
    world.status(&replacements[0], TaskState::Starting);
    world.status(&replacements[1], TaskState::Running);
    world.wait(1000);
    world.status(&replacements[1], TaskState::Failed);
    world.wait(5 * MINUTE);
    world.offer("A", 1);
    let again = world.ids_in(&[TaskState::Assigned]);
    assert_eq!(again.len(), 1);
    world.status(&again[0], TaskState::Running);
    world.wait(1000);
    // Two others are down: nothing that is up may be stopped.
    for id in world.on("host-B").into_iter().take(2) {
        world.status(&id, TaskState::Lost);
    }
    world.sla_drain(&["host-A"], percentage(0.0, 0), HOUR_SECS);
    let draining = world.ids_in(&[TaskState::Draining]);
    assert_eq!(draining.len(), 2, "{:?}", world.shown("web"));
    assert!(draining.contains(&replacements[0]) && draining.contains(&again[0]));
    assert_eq!(world.reasons("host-A").len(), 1);
    assert_eq!(world.scheduler.state().task(&up).unwrap().state, TaskState::Running);
    // When what is up breaks, its host is left at once.
    world.status(&up, TaskState::Starting);
    world.status(&up, TaskState::Failed);
    world.end_all();
    assert_eq!(world.mode("host-A"), MaintenanceMode::Drained);
}

#[test]
fn a_run_that_has_just_begun_is_not_taken_for_broken() {
    let mut world = World::with(settings());
    world.register();
    let mut service = job("web", 20, true);
    service.task.tier = Some("preferred".into());
    service.task.sla_policy = Some(percentage(90.0, 300));
    world.offer("A", 20);
    world.create(service).unwrap();
    world.run_placed();
    world.wait(1000);
    world.sla_drain(&["host-A"], percentage(0.0, 0), HOUR_SECS);
    assert_eq!(world.count_in(TaskState::Draining), 0);
    world.wait(299_001);
    assert_eq!(world.count_in(TaskState::Draining), 2);
}

#[test]
fn a_coordinator_is_asked_about_one_task_at_a_time() {
    let mut world = World::with_service(&[3], Some(coordinator("http://c/")));
    world.effects.clear();
    world.sla_drain(&["host-A"], percentage(0.0, 0), HOUR_SECS);
    let asked = questions(&world.effects);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].url, "http://c/");
    assert_eq!(asked[0].status_key, "drain");
    assert_eq!(asked[0].params["forceMaintenanceCountdownMs"], "3600000");
    assert_eq!(world.count_in(TaskState::Draining), 0);
    // What a "yes" allows is done before the next question is asked.
    let effects = answer(&mut world, asked[0].id, CoordinatorAnswer::Allowed);
    let state = |world: &World, question: &CoordinatorQuestion| {
        world.scheduler.state().task(question.task.id()).unwrap().state
    };
    assert_eq!(state(&world, &asked[0]), TaskState::Draining);
    let second = questions(&effects);
    assert_eq!(second.len(), 1);
    assert_ne!(second[0].task.id(), asked[0].task.id());
    // After a "no" it is the next one's turn; the same one is asked about again a minute later.
    let third = questions(&answer(&mut world, second[0].id, CoordinatorAnswer::Denied));
    assert_eq!(third.len(), 1);
    assert_ne!(third[0].task.id(), second[0].task.id());
    let failed = CoordinatorAnswer::Failed("it is asleep".into());
    assert!(questions(&answer(&mut world, third[0].id, failed)).is_empty());
    let reasons = world.reasons("host-A");
    assert!(reasons.iter().any(|reason| reason.contains("does not allow it")), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("it is asleep")), "{reasons:?}");
    assert!(questions(&world.wait(MINUTE - 1)).is_empty());
    assert_eq!(questions(&world.wait(1)).len(), 1);
}

#[test]
fn a_coordinator_that_says_nothing_is_given_up_and_its_late_word_is_void() {
    let mut world = World::with_service(&[1], Some(coordinator("http://c/")));
    world.effects.clear();
    world.sla_drain(&["host-A"], percentage(0.0, 0), HOUR_SECS);
    let first = questions(&world.effects).remove(0);
    assert!(questions(&world.wait(70_000)).is_empty());
    assert!(world.reasons("host-A")[0].contains("the time is up"));
    answer(&mut world, first.id, CoordinatorAnswer::Allowed);
    assert_eq!(world.count_in(TaskState::Draining), 0);
    assert_eq!(questions(&world.wait(MINUTE)).len(), 1);
}

#[test]
fn a_yes_for_what_is_not_wanted_any_more_does_nothing() {
    let mut world = World::with_service(&[1], Some(coordinator("http://c/")));
    world.effects.clear();
    world.sla_drain(&["host-A"], percentage(0.0, 0), HOUR_SECS);
    let question = questions(&world.effects).remove(0);
    world.end("host-A");
    answer(&mut world, question.id, CoordinatorAnswer::Allowed);
    assert_eq!(world.count_in(TaskState::Running), 1);
}

#[test]
fn only_so_many_coordinators_are_asked_at_a_time() {
    let mut world = World::with(Settings { max_parallel_coordinated_maintenance: 2, ..settings() });
    world.register();
    for name in ["a", "b", "c", "d"] {
        world.offer("A", 1);
        let mut service = job(name, 1, true);
        service.task.tier = Some("preferred".into());
        service.task.sla_policy = Some(coordinator(&format!("http://{name}/")));
        world.create(service).unwrap();
    }
    world.run_placed();
    world.wait(MINUTE);
    world.effects.clear();
    world.sla_drain(&["host-A"], percentage(0.0, 0), HOUR_SECS);
    let asked = questions(&world.effects);
    assert_eq!(asked.len(), 2);
    let next = questions(&answer(&mut world, asked[1].id, CoordinatorAnswer::Allowed));
    assert_eq!(next.len(), 1);
    let next = questions(&answer(&mut world, asked[0].id, CoordinatorAnswer::Denied));
    assert_eq!(next.len(), 1);
    assert!(world.scheduler.counters()["sla_coordinator_lock_starvation"] > 0);
}

#[test]
fn the_turn_of_a_task_that_has_ended_is_passed_over() {
    for end in [TaskState::Failed, TaskState::Killing] {
        let mut world = World::with_service(&[3], Some(coordinator("http://c/")));
        world.effects.clear();
        world.sla_drain(&["host-A"], percentage(0.0, 0), HOUR_SECS);
        let first = questions(&world.effects).remove(0);
        let waiting: Vec<_> =
            world.on("host-A").into_iter().filter(|id| id != first.task.id()).collect();
        let gone = world.scheduler.state().task(&waiting[0]).unwrap().assigned.instance;
        match end {
            TaskState::Killing => world.kill_instances("web", &[gone]),
            _ => _ = world.status(&waiting[0], end),
        }
        let next = questions(&answer(&mut world, first.id, CoordinatorAnswer::Denied));
        assert_eq!(next[0].task.id(), &waiting[1]);
        let illegal = world.scheduler.counters().get("scheduler_illegal_task_state_transitions");
        assert_eq!(illegal.copied().unwrap_or(0), 0, "{end}");
        let status = world.scheduler.host_status("host-A").unwrap();
        assert!(status.waiting.iter().all(|task| task.id != waiting[0]), "{end}");
    }
}

#[test]
fn a_coordinator_need_not_be_asked_about_what_does_not_run() {
    let mut world = World::with(settings());
    world.register();
    world.offer("A", 1);
    let mut service = job("web", 1, true);
    service.task.tier = Some("preferred".into());
    service.task.sla_policy = Some(coordinator("http://c/"));
    world.create(service).unwrap();
    world.effects.clear();
    world.sla_drain(&["host-A"], percentage(0.0, 0), HOUR_SECS);
    assert!(questions(&world.effects).is_empty());
    assert_eq!(world.count_in(TaskState::Draining), 1);
}

#[test]
fn policies_that_make_no_sense_are_refused_by_name() {
    let refused = |policy: SlaPolicy, instances: u32, tier: &str| {
        let mut world = World::with(settings());
        let mut service = job("web", instances, true);
        service.task.tier = Some(tier.into());
        service.task.sla_policy = Some(policy);
        match world.create(service) {
            Ok(_) => String::new(),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Invalid);
                error.message
            }
        }
    };
    let count = |count| SlaPolicy::Count { count, duration_secs: 60 };
    for (policy, instances, tier, expected) in [
        (percentage(95.0, 60), 20, "preferred", ""),
        (count(19), 20, "preferred", ""),
        (coordinator("http://c"), 1, "preferred", ""),
        (percentage(95.0, 60), 20, "preemptible", "not for production"),
        (percentage(95.0, 60), 19, "preferred", "at least 20 instances"),
        (percentage(95.1, 60), 20, "preferred", "lets none be stopped"),
        (percentage(100.5, 60), 20, "preferred", "not between 0 and 100"),
        (percentage(f64::NAN, 60), 20, "preferred", "not between 0 and 100"),
        (count(20), 20, "preferred", "at most 19"),
        (percentage(90.0, 7201), 20, "preferred", "at most 7200 s"),
        (coordinator(" "), 1, "preferred", "no URL"),
        (coordinator("https://c/"), 1, "preferred", "must begin with http:// and a host"),
        (coordinator("c:8080/sla"), 1, "preferred", "cannot be asked at \"c:8080/sla\""),
        (coordinator("http:///sla"), 1, "preferred", "must begin with http:// and a host"),
        (coordinator("http://c/a b"), 1, "preferred", "cannot be asked"),
    ] {
        let message = refused(policy.clone(), instances, tier);
        assert!(message.contains(expected), "{policy:?}: {message}");
        assert_eq!(message.is_empty(), expected.is_empty(), "{policy:?}: {message}");
    }
    let mut world = World::with_service(&[1], None);
    let request = MaintenanceRequest::SlaDrain {
        hosts: ["host-A".into()].into(),
        default_policy: percentage(-1.0, 0),
        timeout_secs: 1,
        surge: false,
    };
    assert!(world.maintain(request).unwrap_err().message.contains("between 0 and 100"));
}

#[test]
fn a_drain_and_an_update_draw_on_one_account() {
    let mut world = World::with_service(&[10, 10], Some(percentage(95.0, 60)));
    let mut next = world.tasks("web")[0].assigned.task.as_ref().clone();
    next.executor.as_mut().unwrap().data = "v2".to_owned();
    let settings = UpdateSettings {
        strategy: UpdateStrategy::Queue { group_size: 5 },
        sla_aware: true,
        ..UpdateSettings::default()
    };
    let down = |world: &World| 20 - world.count_in(TaskState::Running);
    world.start(next, 20, settings).unwrap();
    assert_eq!(down(&world), 1);
    world.sla_drain(&["host-A"], percentage(0.0, 0), HOUR_SECS);
    assert_eq!(down(&world), 1, "what the update has stopped, the drain cannot stop again");
    // Both go on in turn, and never is more than one down.
    for round in 0..1000 {
        world.end_all();
        assert!(down(&world) <= 1, "{round}");
        if world.count_in(TaskState::Pending) > 0 {
            world.offer("C", 1);
        }
        world.run_placed();
        world.wait(20_000);
        assert!(down(&world) <= 1, "{round}");
    }
    assert_eq!(world.mode("host-A"), MaintenanceMode::Drained);
    assert_eq!(world.at(), UpdateStatus::RolledForward);
}
