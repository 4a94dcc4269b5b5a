//! What the real scheduler writes down, it finds again.

use std::fs;

use aurora_scheduler_core::{Op, State};
use aurora_scheduler_storage::{Log, Store};
use proptest::prelude::*;

use crate::actions::{action, run};
use crate::segment;
use crate::world::World;

/// What is done with the log beside appending to it.
#[derive(Debug, Clone, Copy)]
enum Keep {
    Append,
    Snapshot,
    Reopen,
}

fn keep() -> impl Strategy<Value = Keep> {
    prop_oneof![8 => Just(Keep::Append), 1 => Just(Keep::Snapshot), 1 => Just(Keep::Reopen)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_state_is_found_again_from_any_prefix(
        actions in prop::collection::vec((action(), keep()), 1..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(folder.path()).unwrap();
        let mut world = World::registered();
        // Where the segment ended, and what the state was then.
        let mut ends: Vec<(u64, State)> = Vec::new();
        for (action, keep) in &actions {
            run(&mut world, action);
            let steps: Vec<Vec<Op>> =
                std::mem::take(&mut world.log).into_iter().filter(|ops| !ops.is_empty()).collect();
            store.append(&steps).unwrap();
            let state = world.scheduler.state();
            match keep {
                Keep::Append => {}
                Keep::Snapshot => {
                    store.snapshot(state).unwrap();
                    ends.clear();
                }
                Keep::Reopen => {
                    drop(store);
                    let (again, replayed) = Store::open(folder.path()).unwrap();
                    prop_assert_eq!(&replayed, state);
                    store = again;
                }
            }
            let length = fs::metadata(segment(folder.path())).unwrap().len();
            ends.push((length, state.clone()));
        }
        drop(store);
        let (length, first) = (ends[ends.len() - 1].0, ends[0].0);
        let cut = first + cut.index(usize::try_from(length - first).unwrap() + 1) as u64;
        let file = fs::OpenOptions::new().write(true).open(segment(folder.path())).unwrap();
        file.set_len(cut).unwrap();
        let expected = ends.iter().rfind(|(end, _)| *end <= cut).unwrap();
        let (_, replayed) = Store::open(folder.path()).unwrap();
        prop_assert_eq!(&replayed, &expected.1);
    }
}
