//! What may happen to a scheduler, drawn at random.

use aurora_model::job::TaskState;
use aurora_model::key::TaskId;
use aurora_scheduler_core::{Effect, Input};
use proptest::prelude::*;

use crate::world::{World, job};

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Create(u8, u8, bool),
    Kill(u8),
    Offer(u8, u8),
    Status(usize, TaskState),
    Wait(i64),
    Disconnect,
    Register,
    Pause(bool),
    Restart,
}

pub(crate) fn action() -> impl Strategy<Value = Action> {
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
        Just(Action::Restart),
    ]
}

pub(crate) fn run(world: &mut World, action: &Action) -> Vec<Effect> {
    match action {
        Action::Create(name, instances, service) => {
            let mut new = job(&format!("job{name}"), u32::from(*instances), *service);
            new.task.max_task_failures = 3;
            new.task.resources.ports.insert("http".into());
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
        Action::Register => world.register(),
        Action::Restart => world.restart(),
        Action::Pause(launch) => world.put(Input::Launching(*launch)),
    }
}
