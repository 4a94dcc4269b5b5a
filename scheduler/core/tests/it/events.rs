//! What those who watch are told, and the versions that they go by.

use std::collections::BTreeSet;

use aurora_model::job::{MilliCpus, TaskState};
use aurora_model::key::Role;
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::{Change, Event, Input, Request, Settings, State, Ticket};

use crate::world::{World, job};

/// Handles an input and gives its events.
fn put(world: &mut World, input: Input) -> Vec<Event> {
    let step = world.scheduler.handle(world.now, input);
    world.log.push(step.ops);
    step.events
}

fn ask(world: &mut World, request: Request) -> Vec<Event> {
    let (ticket, user) = (Ticket(1), "me".to_owned());
    put(world, Input::Request { ticket, mark: None, user, request })
}

fn shown(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .map(|event| match &event.change {
            Change::Task(moved) => format!(
                "{}/{} {}>{} {}",
                moved.job.name(),
                moved.instance,
                moved.from,
                moved.to,
                moved.host.as_deref().unwrap_or("-")
            ),
            Change::Forgotten(tasks) => format!("forgotten {}", tasks.len()),
            Change::Host { name, .. } => format!("host {name}"),
            Change::Quota { role, .. } => format!("quota {role}"),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn every_change_is_told_once_with_a_version_of_its_own() {
    let mut world = World::registered();
    let offer = world.an_offer("A", 4);
    let told = put(&mut world, Input::Offers(vec![offer]));
    assert_eq!(shown(&told), ["host host-A"]);
    let told = ask(&mut world, Request::CreateJob(Box::new(job("web", 1, true))));
    assert_eq!(shown(&told), ["web/0 INIT>PENDING -", "web/0 PENDING>ASSIGNED host-A"]);
    assert!(told[0].version < told[1].version);
    assert_eq!(told[1].version, world.scheduler.state().version());
    let quota = ResourceAggregate { cpus: MilliCpus(1), ram_mb: 2, disk_mb: 3 };
    let role = Role::new("www").unwrap();
    let set = Request::SetQuota { role: role.clone(), quota };
    assert_eq!(shown(&ask(&mut world, set.clone())), ["quota www"]);
    assert_eq!(shown(&ask(&mut world, set)), [] as [&str; 0], "nothing has changed");
    // A waiting task that is killed is forgotten at once.
    let mut large = job("large", 1, false);
    large.task.resources.cpus = MilliCpus(100_000);
    ask(&mut world, Request::CreateJob(Box::new(large)));
    let kill = Request::KillTasks {
        job: job("large", 1, false).key,
        instances: BTreeSet::new(),
        message: None,
    };
    let told = ask(&mut world, kill);
    assert_eq!(shown(&told).last().map(String::as_str), Some("forgotten 1"));
}

#[test]
fn versions_go_on_over_a_snapshot_and_a_replay() {
    let (mut world, id) = World::with_running(job("web", 1, true));
    world.status(&id, TaskState::Failed);
    let state = world.scheduler.state().clone();
    assert_ne!(state.version(), 0);
    let mut replayed = State::default();
    world.log.iter().flatten().for_each(|op| replayed.apply(op).unwrap());
    assert_eq!(replayed.version(), state.version());
    let mut restored = State::default();
    state.to_ops().for_each(|op| restored.apply(&op).unwrap());
    assert_eq!(restored.version(), state.version());
    world.take_over(restored);
    let told = ask(&mut world, Request::CreateJob(Box::new(job("next", 1, false))));
    assert!(told[0].version > state.version());
}

#[test]
fn whole_tasks_are_told_of_states_that_are_asked_for() {
    let told_whole = BTreeSet::from([TaskState::Pending]);
    let mut world = World::with(Settings { told_whole, ..Settings::default() });
    world.register();
    world.offer("A", 4);
    let told = ask(&mut world, Request::CreateJob(Box::new(job("web", 1, true))));
    let whole: Vec<Option<TaskState>> = told
        .iter()
        .map(|event| match &event.change {
            Change::Task(moved) => moved.task.as_ref().map(|task| task.state),
            _ => None,
        })
        .collect();
    assert_eq!(whole, [Some(TaskState::Pending), None]);
}
