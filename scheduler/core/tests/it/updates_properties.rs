//! What holds of updates whatever happens (`invariants.md`).

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{MilliCpus, TaskState};
use aurora_model::key::{Role, TaskId};
use aurora_model::quota::ResourceAggregate;
use aurora_model::update::{InstanceConfig, UpdateSettings, UpdateStatus, UpdateStrategy};
use aurora_scheduler_core::{Op, Request, State, UpdateAction, UpdateOp};
use proptest::prelude::*;

use crate::actions::settings;
use crate::updates_world::{version, web};
use crate::world::World;

#[derive(Debug, Clone)]
enum Happening {
    /// Agents do as they are told.
    Run,
    /// The task of an instance comes to a state.
    Task(u32, TaskState),
    Wait(i64),
    Act(UpdateAction),
    Pulse,
    /// Another scheduler takes over with what the log holds.
    TakeOver,
}

fn happening() -> impl Strategy<Value = Happening> {
    let states = vec![
        TaskState::Running,
        TaskState::Failed,
        TaskState::Lost,
        TaskState::Partitioned,
        TaskState::Killed,
    ];
    prop_oneof![
        6 => Just(Happening::Run),
        3 => (0_u32..8, prop::sample::select(states)).prop_map(|(i, s)| Happening::Task(i, s)),
        2 => (0_i64..100_000).prop_map(Happening::Wait),
        2 => prop::sample::select(vec![UpdateAction::Pause, UpdateAction::Resume])
            .prop_map(Happening::Act),
        1 => Just(Happening::Act(UpdateAction::RollBack)),
        2 => Just(Happening::Pulse),
        2 => Just(Happening::TakeOver),
    ]
}

/// What is expected of an update, counted by other means.
#[derive(Default)]
struct Model {
    /// Failures of each instance on the way that the update goes.
    failures: BTreeMap<u32, u32>,
    is_back: bool,
    batches: u32,
}

fn config_of(configs: &[InstanceConfig], instance: u32) -> Option<&InstanceConfig> {
    configs.iter().find(|config| config.iter().any(|known| known == instance))
}

/// The most instances that may be on their way at once.
fn window(settings: &UpdateSettings, surge: u32) -> u32 {
    let size = match &settings.strategy {
        UpdateStrategy::Queue { group_size } | UpdateStrategy::Batch { group_size, .. } => {
            *group_size
        }
        UpdateStrategy::VariableBatch { group_sizes, .. } => *group_sizes.iter().max().unwrap(),
    };
    size.max(settings.canary.map_or(0, |canary| canary.instances)).max(surge)
}

impl Model {
    /// Looks at a step: the status before it, and the ops it made.
    fn check(&mut self, world: &World, before: UpdateStatus, tasks: &State, ops: &[Op]) {
        let update = world.update();
        let settings = update.settings();
        let instructions = &update.update().instructions;
        let mut status = before;
        for op in ops {
            let Op::Update(op) = op else { continue };
            match op {
                // U4: while it stands nothing is begun.
                UpdateOp::Add { instance, .. } => {
                    assert!(status.is_rolling(), "{status}: {instance} is added");
                    // U3.
                    let is_meant = config_of(&instructions.initial, *instance).is_some()
                        || instructions.desired.iter().any(|c| c.iter().any(|i| i == *instance))
                        || instructions.surge.is_some_and(|surge| surge.contains(*instance));
                    assert!(is_meant, "{instance} is not to be touched");
                }
                UpdateOp::Status { event, between_batches, .. } => {
                    // U7: nothing is on its way when a batch is over.
                    if *between_batches {
                        assert_eq!(event.status, UpdateStatus::RollForwardPaused);
                        assert!(settings.strategy.autopauses());
                        assert_eq!(update.tally().working, 0);
                        assert!(update.tally().good + update.tally().failed > 0);
                        self.batches += 1;
                    }
                    status = event.status;
                    if status == UpdateStatus::RollingBack && !self.is_back {
                        self.is_back = true;
                        self.failures.clear();
                    }
                }
                UpdateOp::Failure { instance, .. } => {
                    *self.failures.entry(*instance).or_default() += 1;
                }
                _ => {}
            }
        }
        for op in ops {
            // U4 and U3 for what is stopped: only the update stops tasks here.
            let Op::Transition { id, event } = op else { continue };
            if event.state == TaskState::Killing {
                let task = tasks.task(id).or_else(|| world.scheduler.state().task(id)).unwrap();
                let instance = task.assigned.instance;
                let surge = instructions.surge.is_some_and(|surge| surge.contains(instance));
                assert!(
                    surge
                        || before.is_rolling()
                        || status.is_rolling()
                        || ops
                            .iter()
                            .any(|op| matches!(op, Op::Update(UpdateOp::Status { event, .. })
                        if event.status.is_rolling()))
                );
            }
        }
        // U1.
        let surge = instructions.surge.map_or(0, |surge| u32::try_from(surge.count()).unwrap());
        assert!(update.tally().working <= window(settings, surge), "{:?}", update.tally());
        // U2: exactly the stated count, of each instance and of all.
        let is_canary = |instance: u32| {
            settings.canary.is_some() && !self.is_back && self.failures.get(&instance) == Some(&1)
        };
        let failed = self
            .failures
            .iter()
            .filter(|(i, failures)| {
                **failures > settings.max_per_instance_failures || is_canary(**i)
            })
            .count();
        if update.status().is_rolling() && settings.canary.is_none() {
            assert!(failed <= usize::try_from(settings.max_failed_instances).unwrap());
            assert_eq!(update.tally().failed, u32::try_from(failed).unwrap());
        }
        for failures in self.failures.values() {
            assert!(*failures <= settings.max_per_instance_failures + 1);
        }
        // U6.
        assert!(world.scheduler.state().updates().active().count() <= 1);
        if update.status().is_rolling() {
            assert!(!update.lacks_pulse(world.now));
        }
        // T2.
        let mut running: BTreeMap<u32, Vec<TaskId>> = BTreeMap::new();
        for task in world.tasks("web").iter().filter(|task| task.state == TaskState::Running) {
            running.entry(task.assigned.instance).or_default().push(task.id().clone());
        }
        assert!(running.values().all(|tasks| tasks.len() == 1), "{running:?}");
        // R3.
        let quota = world.scheduler.state().quota("www").unwrap();
        let used: u64 = world.active_web().iter().map(|t| t.assigned.task.resources.cpus.0).sum();
        assert!(used <= quota.cpus.0, "{used} of {quota:?}");
        // L3: the log says the same.
        let mut replayed = State::default();
        world.log.iter().flatten().for_each(|op| replayed.apply(op).unwrap());
        assert_eq!(&replayed, world.scheduler.state());
    }
}

fn run(world: &mut World, happening: &Happening) {
    match happening {
        Happening::Run => {
            world.obey_once();
        }
        Happening::Task(instance, state) => {
            if world.instance(*instance).is_some() {
                world.set(*instance, *state);
            }
        }
        Happening::Wait(ms) => {
            world.wait(*ms);
        }
        Happening::Act(action) => {
            let _ = world.act(*action);
        }
        Happening::Pulse => {
            world.pulse();
        }
        Happening::TakeOver => {
            let mut restored = State::default();
            world.scheduler.state().to_ops().for_each(|op| restored.apply(&op).unwrap());
            assert_eq!(&restored, world.scheduler.state());
            world.take_over(restored);
            world.register();
        }
    }
}

/// A job whose instances differ, within a quota that is just large enough for it and its update.
fn prepared(instances: u32, settings: UpdateSettings, wanted: u32) -> Option<World> {
    let mut world = World::registered();
    let quota = |cpus| ResourceAggregate { cpus: MilliCpus(cpus), ram_mb: 90_000, disk_mb: 90_000 };
    let set = |world: &mut World, cpus| {
        world.ask(Request::SetQuota { role: Role::new("www").unwrap(), quota: quota(cpus) })
    };
    set(&mut world, 1_000_000).unwrap();
    let mut first = crate::world::job("web", instances, true);
    first.task = version("v1");
    first.task.tier = Some("preferred".into());
    world.create(first).unwrap();
    world.obey();
    let mut task = version("v2");
    task.tier = Some("preferred".into());
    task.resources.cpus = MilliCpus(700);
    let surge = u64::from(settings.surge.min(instances.min(wanted)));
    // What each instance may be at most; without it the update would be refused.
    let each: u64 =
        (0..instances.max(wanted)).map(|i| if i < instances { 1000 } else { 700 }).sum();
    set(&mut world, each + 700 * surge).unwrap();
    world.start(task, wanted, settings).ok()?;
    world.scheduler.update_of(&web()).is_some().then_some(world)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn updates_keep_their_promises(
        instances in 1_u32..6,
        wanted in 1_u32..7,
        settings in settings(),
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let Some(mut world) = prepared(instances, settings, wanted) else { return Ok(()) };
        let started = world.now;
        let initial: BTreeMap<u32, String> = world
            .update()
            .update()
            .instructions
            .initial
            .iter()
            .flat_map(|config| config.iter())
            .map(|instance| (instance, "v1".to_owned()))
            .collect();
        let touched: BTreeSet<u32> = world
            .update()
            .update()
            .instructions
            .desired
            .iter()
            .flat_map(|config| config.iter())
            .chain(initial.keys().copied())
            .collect();
        let mut model = Model::default();
        for happening in &happenings {
            let before = world.at();
            if before.is_terminal() {
                break;
            }
            let tasks = world.scheduler.state().clone();
            let from = world.log.len();
            run(&mut world, happening);
            let ops: Vec<Op> = world.log[from..].iter().flatten().cloned().collect();
            model.check(&world, before, &tasks, &ops);
        }
        // Left alone, with pulses and a user who lets it go on, it ends.
        for _ in 0..200 {
            if world.at().is_terminal() {
                break;
            }
            if world.update().settings().pulse_timeout_ms.is_some() {
                world.pulse();
            }
            if world.at().name().ends_with("PAUSED") {
                world.act(UpdateAction::Resume).unwrap();
            }
            world.obey();
            world.wait(50_000);
        }
        prop_assert!(world.at().is_terminal(), "{} since {started:?}", world.at());
        world.obey();
        // U5, and the same for the way forward.
        if world.at() == UpdateStatus::RolledBack && world.update().tally().failed == 0 {
            for instance in touched {
                let found = world.instance(instance).map(|task| {
                    task.assigned.task.executor.as_ref().unwrap().data.clone()
                });
                prop_assert_eq!(found, initial.get(&instance).cloned(), "{}", instance);
            }
        }
        // Nothing that ran beside the others is left.
        if let Some(surge) = world.update().update().instructions.surge {
            for instance in surge.iter() {
                prop_assert!(world.instance(instance).is_none(), "{} is left", instance);
            }
        }
        // The job can be changed again.
        world.kill("web").unwrap();
    }
}
