//! What holds whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::cron::{CronOutcome, Schedule};
use aurora_model::job::{
    AssignedTask, CronCatchUp, CronCollisionPolicy, ResourceBag, ScheduledTask, TaskState,
    Timestamp,
};
use aurora_model::key::{JobKey, OfferId};
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::{Consumption, CronRequest, Effect, Request, Settings, State};
use proptest::prelude::*;

use crate::actions::{action, run};
use crate::world::World;

fn check(world: &World) {
    let mut live: BTreeMap<(String, u32), u32> = BTreeMap::new();
    for task in world.scheduler.state().tasks() {
        assert_ne!(task.state, TaskState::Init, "no task is left half made");
        assert_eq!(task.latest_event().map(|event| event.state), Some(task.state));
        if task.state.is_active() {
            *live.entry((task.job().to_string(), task.assigned.instance)).or_default() += 1;
        }
        if task.state.is_slave_assigned() {
            assert!(task.assigned.agent.is_some(), "a task on an agent knows which");
        }
        let waits = matches!(task.state, TaskState::Pending | TaskState::Throttled);
        assert_eq!(world.scheduler.pending_reason(task.id()).is_some(), waits);
    }
    for (instance, count) in live {
        assert!(count <= 1, "{instance:?} is there {count} times");
    }
    check_quota(world);
}

/// R3. What is used is what the tasks say, however it was counted; of it, what counts against the
/// quota never exceeds it.
fn check_quota(world: &World) {
    let class = |production: bool, dedicated: bool| {
        let is_meant = |task: &&ScheduledTask| {
            let config = &task.assigned.task;
            let has = config.constraints.iter().any(|c| c.attribute == "dedicated");
            task.state.is_active() && (config.production, has) == (production, dedicated)
        };
        let tasks = world.scheduler.state().tasks().filter(is_meant);
        let mut jobs: BTreeMap<&JobKey, ResourceBag> = BTreeMap::new();
        for task in tasks {
            let sum = jobs.entry(task.job()).or_default();
            *sum = sum.plus(task.assigned.task.resources.bag());
        }
        // There is always room for a run of a cron job.
        for (key, cron) in world.scheduler.state().crons().iter() {
            if (cron.job.task.production, false) == (production, dedicated) {
                let run = cron.job.task.resources.bag().times(cron.job.instance_count.into());
                let sum = jobs.entry(key).or_default();
                *sum = sum.max(run);
            }
        }
        let sum = jobs.into_values().fold(ResourceBag::default(), ResourceBag::plus);
        ResourceAggregate { cpus: sum.cpus, ram_mb: sum.ram_mb, disk_mb: sum.disk_mb }
    };
    let expected = Consumption {
        production_shared: class(true, false),
        non_production_shared: class(false, false),
        production_dedicated: class(true, true),
        non_production_dedicated: class(false, true),
    };
    let role = world.scheduler.role_quota("www");
    // What updates may still need counts before it is used.
    if world.scheduler.state().updates().active().next().is_none() {
        assert_eq!(role.consumption, expected);
    }
    let (limit, used) = (role.limit.unwrap(), expected.production_shared);
    assert!(
        used.cpus <= limit.cpus && used.ram_mb <= limit.ram_mb && used.disk_mb <= limit.disk_mb,
        "{used:?} of {limit:?}"
    );
}

/// What is launched, executors included, is no more than what was offered, port by port.
fn check_room(world: &World, offers: &[OfferId], tasks: &[AssignedTask]) {
    let overhead = Settings::default().executor_overhead;
    let used = tasks.iter().fold(ResourceBag::default(), |sum, task| {
        sum.plus(task.task.resources.bag()).plus(overhead)
    });
    let offers: Vec<_> = offers.iter().map(|id| &world.offers[id]).collect();
    let has = offers.iter().fold(ResourceBag::default(), |sum, offer| sum.plus(offer.fixed));
    assert!(
        used.cpus <= has.cpus && used.ram_mb <= has.ram_mb && used.disk_mb <= has.disk_mb,
        "{used:?} of {has:?}"
    );
    let mut ports = BTreeSet::new();
    for port in tasks.iter().flat_map(|task| task.assigned_ports.values()) {
        let mut ranges = offers.iter().flat_map(|offer| &offer.ports);
        assert!(ranges.any(|range| (range.begin..=range.end).contains(port)), "{port}");
        assert!(ports.insert(port), "{port} is used twice");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_state_is_what_its_ops_say_and_invariants_hold(
        actions in prop::collection::vec(action(), 1..80),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut world = World::with(Settings::default());
        world.register();
        let mut used: BTreeSet<String> = BTreeSet::new();
        let mut at_cut = None;
        let cut = cut.index(actions.len());
        for (index, action) in actions.iter().enumerate() {
            run(&mut world, action);
            check(&world);
            for effect in std::mem::take(&mut world.effects) {
                if let Effect::Launch { offers, tasks } = effect {
                    prop_assert!(!tasks.is_empty());
                    check_room(&world, &offers, &tasks);
                    for offer in offers {
                        prop_assert!(used.insert(offer.to_string()), "an offer is used once");
                    }
                    let agents: BTreeSet<_> = tasks.iter().map(|task| task.agent.clone()).collect();
                    prop_assert_eq!(agents.len(), 1);
                }
            }
            if index == cut {
                at_cut = Some((world.log.len(), world.scheduler.state().clone()));
            }
        }
        // From any prefix of the log, and from a snapshot with what came after it.
        let (length, expected) = at_cut.unwrap();
        let mut replayed = State::default();
        world.log[..length].iter().flatten().for_each(|op| replayed.apply(op).unwrap());
        prop_assert_eq!(&replayed, &expected);
        let mut restored = State::default();
        expected.to_ops().for_each(|op| restored.apply(&op).unwrap());
        prop_assert_eq!(&restored, &expected);
        world.log[length..].iter().flatten().for_each(|op| restored.apply(op).unwrap());
        prop_assert_eq!(&restored, world.scheduler.state());
    }

    #[test]
    fn the_same_inputs_give_the_same_steps(actions in prop::collection::vec(action(), 1..30)) {
        let mut one = World::registered();
        let mut two = World::registered();
        for action in &actions {
            prop_assert_eq!(run(&mut one, action), run(&mut two, action));
        }
        prop_assert_eq!(one.log, two.log);
    }
}

/// C1. Every due time of a job that was always there is run once, or skipped once with a reason.
fn check_dues(cron: &aurora_scheduler_core::CronStatus, dues: &[Timestamp]) {
    let mut told: Vec<Timestamp> = cron.queue.iter().map(|due| due.due).collect();
    for run in &cron.runs {
        match run.outcome {
            CronOutcome::Started { .. } => told.push(run.due),
            CronOutcome::Skipped { last, count, .. } => {
                let row = dues.iter().filter(|due| (run.due..=last).contains(due));
                let row: Vec<Timestamp> = row.copied().collect();
                assert_eq!(row.len() as u64, count, "{run:?}");
                told.extend(row);
            }
        }
    }
    told.sort();
    assert_eq!(told, dues);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn each_due_time_is_run_once_or_skipped_with_a_reason(
        policy in prop::sample::select(vec![
            CronCollisionPolicy::KillExisting,
            CronCollisionPolicy::CancelNew,
        ]),
        catch_up in prop::sample::select(vec![
            CronCatchUp::RunLatest,
            CronCatchUp::RunAll,
            CronCatchUp::Skip,
        ]),
        limit in 0_u32..5,
        // What happens, and how long nothing else does. Half of what is drawn is away meanwhile.
        events in prop::collection::vec((0_u8..5, any::<bool>(), 0_i64..400_000), 1..40),
    ) {
        let settings = Settings { cron_catch_up_limit: limit, ..Settings::default() };
        let mut world = World::with(settings);
        world.register();
        let mut cron = crate::world::job("cron", 1, false);
        cron.cron_schedule = Some("*/2 * * * *".into());
        (cron.cron_collision_policy, cron.cron_catch_up) = (policy, catch_up);
        let key = cron.key.clone();
        let start = world.now;
        world.ask(Request::Cron(CronRequest::Schedule(Box::new(cron)))).unwrap();
        for (event, is_away, wait) in events {
            let ids: Vec<_> =
                world.scheduler.state().active_of(&key).map(|task| task.id().clone()).collect();
            match event {
                0 => drop(world.offer("A", 4)),
                1 => ids.iter().for_each(|id| drop(world.status(id, TaskState::Running))),
                2 => ids.iter().for_each(|id| drop(world.status(id, TaskState::Finished))),
                3 => ids.iter().for_each(|id| drop(world.status(id, TaskState::Killed))),
                _ => drop(world.kill("cron")),
            }
            if is_away {
                world.now = world.now.plus_ms(wait);
                world.restart();
                world.register();
            } else {
                world.wait(wait);
            }
            let status = world.scheduler.cron(&key).unwrap();
            let schedule: Schedule = "*/2 * * * *".parse().unwrap();
            let zone = "UTC".parse().unwrap();
            let dues: Vec<Timestamp> =
                schedule.after(start, &zone).take_while(|due| *due <= world.now).collect();
            if status.runs.len() < 50 {
                check_dues(&status, &dues);
            }
            // C2. Never two runs at a time.
            prop_assert!(world.scheduler.state().active_of(&key).count() <= 1);
            prop_assert!(status.next.is_some_and(|next| next > world.now));
            prop_assert!(status.queue.len() <= usize::try_from(limit).unwrap().max(1));
        }
    }
}
