//! Questions about many tasks.

use std::collections::BTreeSet;

use aurora_model::job::{ScheduledTask, TaskState};
use aurora_scheduler_core::{TaskCursor, TaskQuery};

use crate::world::{World, job};

/// Every page of a query, each as a client asks for it.
fn pages<'a>(world: &'a World, query: &TaskQuery, limit: usize) -> Vec<Vec<&'a ScheduledTask>> {
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let (page, next) = world.scheduler.tasks_page(query, after.as_ref(), limit);
        pages.push(page);
        let Some(next) = next else { return pages };
        after = TaskCursor::parse(&next.to_text());
        assert_eq!(after, Some(next));
    }
}

#[test]
fn a_page_ends_when_it_has_looked_at_enough_and_the_next_one_goes_on() {
    let mut world = World::new();
    for number in 0..8 {
        world.create(job(&format!("j{number}"), 600, true)).unwrap();
    }
    let rare = TaskQuery { instances: BTreeSet::from([599]), ..TaskQuery::default() };
    let found = pages(&world, &rare, 100);
    assert!(found.len() > 1, "no page looks at all 4,800 tasks");
    let all: Vec<_> = found.into_iter().flatten().collect();
    assert_eq!(all.len(), 8);
    assert_eq!(all, world.scheduler.tasks(&rare));

    // What matches nothing ends too.
    let none = TaskQuery { instances: BTreeSet::from([700]), ..TaskQuery::default() };
    let found = pages(&world, &none, 100);
    assert!(found.len() > 1 && found.iter().all(Vec::is_empty), "{}", found.len());

    // Jobs without a task in a wanted state are passed by.
    let running =
        TaskQuery { states: BTreeSet::from([TaskState::Running]), ..TaskQuery::default() };
    assert_eq!(pages(&world, &running, 100), [Vec::<&ScheduledTask>::new()]);
    let waiting =
        TaskQuery { states: BTreeSet::from([TaskState::Pending]), ..TaskQuery::default() };
    assert_eq!(pages(&world, &waiting, 250).concat().len(), 4_800);
}

#[test]
fn what_waits_is_told_some_groups_at_a_time() {
    let mut world = World::new();
    for number in 0..8 {
        world.create(job(&format!("j{number}"), 600, true)).unwrap();
    }
    let (first, next) = world.scheduler.pending_groups_page(None);
    assert_eq!(first.len(), 4, "groups are told whole");
    let (rest, end) = world.scheduler.pending_groups_page(next);
    assert_eq!((rest.len(), end), (4, None));
    assert_eq!([first, rest].concat(), world.scheduler.pending_groups());
}
