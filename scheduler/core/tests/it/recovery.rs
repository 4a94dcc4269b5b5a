//! Going back to a state that was kept.

use aurora_model::key::FrameworkId;
use aurora_scheduler_core::{Op, Recovery, State, TaskQuery};

use crate::world::{World, job};

#[test]
fn tasks_that_are_not_wanted_back_leave_no_trace() {
    let mut world = World::new();
    world.create(job("a", 3, true)).unwrap();
    world.create(job("b", 2, true)).unwrap();
    let kept = world.scheduler.state().clone();
    let mut recovery = Recovery::new(kept.clone());
    let (page, next) = recovery.tasks_page(&TaskQuery::default(), None, 4);
    assert_eq!(page.len(), 4);
    let (rest, end) = recovery.tasks_page(&TaskQuery::default(), next.as_ref(), 4);
    assert_eq!((rest.len(), end), (1, None));
    let unwanted =
        TaskQuery { name: "a".to_owned(), instances: [0, 2, 7].into(), ..TaskQuery::default() };
    assert_eq!(recovery.remove_tasks(&unwanted), Ok(2));
    assert_eq!(recovery.remove_tasks(&unwanted), Ok(0));
    let left: Vec<(&str, u32)> =
        recovery.state().tasks().map(|task| (task.job().name(), task.assigned.instance)).collect();
    assert_eq!(left, [("a", 1), ("b", 0), ("b", 1)]);
    assert_eq!(recovery.state().counts().values().sum::<u64>(), 3);
    assert_eq!(kept.len(), 5, "what it was made of is as it was");
    // A snapshot of it is the same state.
    let mut again = State::default();
    recovery.state().frozen().to_ops().for_each(|op| again.apply(&op).unwrap());
    assert_eq!(again, *recovery.state());
}

#[test]
fn what_comes_after_a_live_state_has_its_id_and_a_later_version() {
    let id = |name: &str| FrameworkId::new(name).unwrap();
    let with = |name: &str, version: u64| {
        let mut state = State::default();
        state.apply(&Op::SaveFrameworkId(id(name))).unwrap();
        state.apply(&Op::Version(version)).unwrap();
        state
    };
    for (kept, live) in [(5, 100), (100, 5), (7, 7)] {
        let mut next = with("old", kept).frozen();
        let live = with("live", live);
        next.succeed(&live).unwrap();
        assert_eq!(next.framework_id(), Some(&id("live")));
        assert!(next.version() > live.version() && next.version() > kept);
    }
    let mut next = with("old", 5);
    next.succeed(&State::default()).unwrap();
    assert_eq!(next.framework_id(), Some(&id("old")), "a scheduler without an id has none to give");
}
