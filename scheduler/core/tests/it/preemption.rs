//! Room for the important, told as stories.

use aurora_model::job::{JobConfiguration, MilliCpus, SlaPolicy, TaskState};
use aurora_model::key::{AgentId, JobKey, TaskId};
use aurora_scheduler_core::{Effect, Input, Settings, StatusUpdate};

use crate::world::{World, job, launched};

const DELAY: i64 = 3 * 60_000;

fn preferred(name: &str, cpus: u64) -> JobConfiguration {
    let mut job = job(name, 1, true);
    job.task.tier = Some("preferred".into());
    job.task.resources.cpus = MilliCpus(cpus * 1000);
    job
}

fn sized(name: &str, cpus: u64, ram_mb: u64) -> JobConfiguration {
    let mut job = job(name, 1, true);
    job.task.resources.cpus = MilliCpus(cpus * 1000);
    job.task.resources.ram_mb = ram_mb;
    job
}

fn world() -> World {
    let mut world = World::with(Settings {
        executor_overhead: Default::default(),
        unset_quota: None,
        transient_timeout_ms: 24 * 3_600_000,
        // What is offered stays so, however long something waits.
        hold_offers_forever: true,
        ..Settings::default()
    });
    world.register();
    world
}

fn killed(effects: &[Effect]) -> Vec<TaskId> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Kill { task, .. } => Some(task.clone()),
            _ => None,
        })
        .collect()
}

/// An agent reports that a task has ended as it was told to.
fn dies(world: &mut World, id: &TaskId) {
    world.put(Input::Status(StatusUpdate {
        task: id.clone(),
        state: TaskState::Killed,
        agent: Some(AgentId::new("A").unwrap()),
        message: None,
        reason: None,
        uuid: None,
    }));
}

#[test]
fn room_is_made_after_a_while_and_kept_for_whom_it_was_made() {
    let mut world = world();
    world.offer("A", 2);
    world.create(sized("batch", 2, 100)).unwrap();
    let victim = world.task_in("batch", TaskState::Assigned);
    world.create(preferred("web", 2)).unwrap();
    assert_eq!(killed(&world.wait(DELAY - 1)), []);
    let effects = world.wait(1);
    assert_eq!(killed(&effects), std::slice::from_ref(&victim));
    let waiting = world.task_in("web", TaskState::Pending);
    let message = world.tasks("batch")[0].latest_event().unwrap().message.clone().unwrap();
    assert_eq!(message, format!("Stopped to make room for {waiting}"));
    let ends = |name: &str| {
        let job = JobKey::new("www", "prod", name).unwrap();
        let ends = world.scheduler.ends().jobs().get(&job).copied().unwrap_or_default();
        (ends.preempted, ends.preemptor)
    };
    assert_eq!((ends("batch"), ends("web")), ((1, 0), (0, 1)));
    // Nobody is stopped twice for it, however long it takes.
    assert_eq!(killed(&world.wait(30_000)), []);
    dies(&mut world, &victim);
    assert_eq!(world.shown("batch"), ["0:KILLED", "0:PENDING"]);
    assert_eq!(launched(&world.offer("A", 2)), [waiting]);
    assert_eq!(world.shown("batch"), ["0:KILLED", "0:PENDING"]);
    assert_eq!(world.scheduler.counters()["preemptor_tasks_preempted_non_prod"], 1);
}

#[test]
fn nobody_is_stopped_before_what_is_free_can_be_known() {
    let mut world = world();
    world.offer("A", 2);
    world.create(sized("batch", 2, 100)).unwrap();
    let victim = world.task_in("batch", TaskState::Assigned);
    world.create(preferred("web", 2)).unwrap();
    // It has waited for long, but nobody has had time to offer anything.
    world.put(Input::Disconnected);
    assert_eq!(killed(&world.wait(10 * DELAY)), []);
    assert_eq!(killed(&world.register()), []);
    assert_eq!(killed(&world.wait(1)), []);
    // The same with another scheduler.
    world.restart();
    world.wait(1);
    assert_eq!(killed(&world.register()), []);
    assert_eq!(killed(&world.wait(DELAY - 1)), []);
    // Still nothing is free.
    assert_eq!(killed(&world.wait(1)), [victim]);
}

#[test]
fn what_was_kept_is_free_again_after_a_while() {
    let mut world = world();
    world.offer("A", 2);
    world.create(sized("batch", 2, 100)).unwrap();
    let victim = world.task_in("batch", TaskState::Assigned);
    world.create(preferred("web", 2)).unwrap();
    world.wait(DELAY);
    dies(&mut world, &victim);
    // One core is not enough for whom it is kept, and kept all the same.
    world.create(sized("small", 1, 100)).unwrap();
    assert_eq!(launched(&world.offer("A", 1)), []);
    let reason = world.scheduler.pending_reason(&world.task_in("small", TaskState::Pending));
    assert_eq!(reason.unwrap(), "Host is reserved for another task");
    assert_eq!(launched(&world.wait(DELAY)), [world.task_in("small", TaskState::Assigned)]);
}

#[test]
fn only_those_are_stopped_who_are_in_the_way() {
    let mut world = world();
    let offer = world.an_offer("A", 3);
    world.put(Input::Offers(vec![offer]));
    // Together they fill the agent's memory; the one with more CPU has little of it.
    let mut jobs = vec![sized("cpu", 2, 100), sized("ram", 1, 9_000)];
    world.create(jobs.remove(0)).unwrap();
    world.offer("A", 1);
    world.create(jobs.remove(0)).unwrap();
    let mut big = preferred("big", 1);
    big.task.resources.ram_mb = 8_000;
    world.create(big).unwrap();
    assert_eq!(killed(&world.wait(DELAY)), [world.task_in("ram", TaskState::Preempting)]);
    assert_eq!(world.shown("cpu"), ["0:ASSIGNED"]);
}

#[test]
fn nobody_is_stopped_in_vain_or_for_an_equal() {
    let mut world = world();
    world.offer("A", 2);
    world.create(sized("batch", 2, 100)).unwrap();
    // Too large even for the empty agent.
    world.create(preferred("huge", 3)).unwrap();
    // No more important than who runs, or only within another role.
    world.create(sized("equal", 2, 100)).unwrap();
    let mut other = sized("other", 2, 100);
    other.key = JobKey::new("ads", "prod", "other").unwrap();
    other.task.job = other.key.clone();
    other.task.priority = 10;
    world.create(other).unwrap();
    assert_eq!(killed(&world.wait(3 * DELAY)), []);
    let mut important = sized("important", 2, 100);
    important.task.priority = 1;
    world.create(important).unwrap();
    world.wait(DELAY);
    assert_eq!(world.shown("batch"), ["0:PREEMPTING"]);
}

#[test]
fn production_and_what_its_policy_protects_stay() {
    let mut world = world();
    world.offer("A", 2);
    world.create(preferred("web", 2)).unwrap();
    let mut important = preferred("important", 2);
    important.task.priority = 10;
    world.create(important).unwrap();
    assert_eq!(killed(&world.wait(3 * DELAY)), []);

    let mut world = World::with(Settings {
        executor_overhead: Default::default(),
        unset_quota: None,
        sla_aware_kill_non_prod: true,
        min_required_instances_for_sla_check: 1,
        hold_offers_forever: true,
        ..Settings::default()
    });
    world.register();
    let mut protected = job("batch", 2, true);
    protected.task.resources.cpus = MilliCpus(2000);
    protected.task.sla_policy = Some(SlaPolicy::Count { count: 1, duration_secs: 0 });
    world.offer("A", 4);
    world.create(protected).unwrap();
    let ids: Vec<TaskId> = world.tasks("batch").iter().map(|task| task.id().clone()).collect();
    for id in &ids {
        world.status(id, TaskState::Running);
    }
    world.wait(1000);
    world.create(preferred("web", 4)).unwrap();
    assert_eq!(killed(&world.wait(DELAY)), [], "both would have to go, and one has to stay");
    world.create(preferred("small", 2)).unwrap();
    assert_eq!(killed(&world.wait(DELAY)).len(), 1);
}

#[test]
fn a_trial_says_how_many_would_fit_and_why_not_more() {
    let mut world = world();
    world.offer("A", 4);
    world.offer("B", 2);
    let mut config = job("web", 1, true).task;
    config.resources.cpus = MilliCpus(2000);
    let before = world.scheduler.state().clone();
    let trial = world.scheduler.trial(world.now, &config, 3);
    assert_eq!((trial.fits, trial.reason), (3, None));
    let trial = world.scheduler.trial(world.now, &config, 5);
    assert_eq!(trial.fits, 3);
    let mut config = job("web", 1, true).task;
    config.constraints.insert(aurora_model::job::Constraint {
        attribute: "host".into(),
        rule: aurora_model::job::ConstraintRule::Limit(1),
    });
    let trial = world.scheduler.trial(world.now, &config, 5);
    assert_eq!(trial.fits, 2);
    let reason = trial.reason.unwrap();
    assert_eq!(reason.hosts, 2);
    assert_eq!(reason.vetoes[0].hosts, 2);
    assert!(reason.hint.unwrap().contains("a higher limit than host = limit:1"));
    assert_eq!(*world.scheduler.state(), before);
}
