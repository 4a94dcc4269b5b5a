//! What holds whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::TaskState;
use aurora_model::key::TaskId;
use aurora_scheduler_core::{Effect, Input, State};
use proptest::prelude::*;

use crate::world::{World, job};

#[derive(Debug, Clone)]
enum Action {
    Create(u8, u8, bool),
    Kill(u8),
    Offer(u8, u8),
    Status(usize, TaskState),
    Wait(i64),
    Disconnect,
    Register,
    Pause(bool),
}

fn action() -> impl Strategy<Value = Action> {
    let state = prop::sample::select(vec![
        TaskState::Starting,
        TaskState::Running,
        TaskState::Running,
        TaskState::Finished,
        TaskState::Failed,
        TaskState::Killed,
        TaskState::Lost,
        TaskState::Partitioned,
    ]);
    prop_oneof![
        (0_u8..3, 1_u8..6, any::<bool>()).prop_map(|(n, i, s)| Action::Create(n, i, s)),
        (0_u8..3).prop_map(Action::Kill),
        (0_u8..3, 1_u8..5).prop_map(|(a, c)| Action::Offer(a, c)),
        (any::<prop::sample::Index>(), state).prop_map(|(i, s)| Action::Status(i.index(1000), s)),
        (any::<prop::sample::Index>(), Just(TaskState::Running))
            .prop_map(|(i, s)| Action::Status(i.index(1000), s)),
        (0_i64..400_000).prop_map(Action::Wait),
        Just(Action::Disconnect),
        Just(Action::Register),
        any::<bool>().prop_map(Action::Pause),
    ]
}

fn run(world: &mut World, action: &Action) -> Vec<Effect> {
    match action {
        Action::Create(name, instances, service) => {
            let mut new = job(&format!("job{name}"), u32::from(*instances), *service);
            new.task.max_task_failures = 3;
            let _ = world.create(new);
            Vec::new()
        }
        Action::Kill(name) => {
            let _ = world.kill(&format!("job{name}"));
            Vec::new()
        }
        Action::Offer(agent, cpus) => world.offer(&format!("A{agent}"), u64::from(*cpus)),
        Action::Status(index, state) => {
            let ids: Vec<TaskId> =
                world.scheduler.state().tasks().map(|t| t.id().clone()).collect();
            if ids.is_empty() {
                Vec::new()
            } else {
                world.status(&ids[index % ids.len()].clone(), *state)
            }
        }
        Action::Wait(ms) => world.wait(*ms),
        Action::Disconnect => world.put(Input::Disconnected),
        Action::Register => world.put(Input::Registered {
            framework_id: aurora_model::key::FrameworkId::new("F").unwrap(),
        }),
        Action::Pause(launch) => world.put(Input::Launching(*launch)),
    }
}

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
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_state_is_what_its_ops_say_and_invariants_hold(
        actions in prop::collection::vec(action(), 1..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut world = World::registered();
        let mut used: BTreeSet<String> = BTreeSet::new();
        let mut at_cut = None;
        let cut = cut.index(actions.len());
        for (index, action) in actions.iter().enumerate() {
            run(&mut world, action);
            check(&world);
            for effect in std::mem::take(&mut world.effects) {
                if let Effect::Launch { offers, tasks } = effect {
                    prop_assert!(!tasks.is_empty());
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
        world.log[..length].iter().flatten().for_each(|op| replayed.apply(op));
        prop_assert_eq!(&replayed, &expected);
        let mut restored = State::default();
        expected.to_ops().for_each(|op| restored.apply(&op));
        prop_assert_eq!(&restored, &expected);
        world.log[length..].iter().flatten().for_each(|op| restored.apply(op));
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
