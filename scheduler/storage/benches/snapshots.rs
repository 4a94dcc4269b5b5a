//! What it costs to write a state with updates down and to begin with it, files, decoding and all:
//! the original's benchmark of snapshots (`api-and-http.md` 9.6), whose restore nobody consumed.
//!
//! ```text
//! cargo bench -p aurora-scheduler-storage --bench snapshots
//! ```
//!
//! For a million tasks see `restore` of `placement`.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark that cannot run ends")]

use aurora_scheduler_core::State;
use aurora_scheduler_storage::{Log, Store};
use divan::Bencher;
use divan::counter::ItemsCount;
use tempfile::TempDir;

#[path = "../../core/benches/cluster/mod.rs"]
#[allow(dead_code, reason = "the core's own benches use the rest")]
mod cluster;
#[path = "../../core/benches/updates/mod.rs"]
mod updates;

/// Events of the instances of each update.
const EVENTS: u32 = 10_000;

fn main() {
    divan::main();
}

fn state(count: u32) -> State {
    let mut state = State::default();
    for number in 0..count {
        let (_, ops) = updates::one(number, 1, EVENTS, 10);
        ops.iter().for_each(|op| state.apply(op).unwrap());
    }
    state
}

fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Writes so many updates down.
#[divan::bench(args = [1, 5, 10], max_time = 3)]
fn write(bencher: Bencher<'_, '_>, count: u32) {
    let (folder, state) = (folder(), state(count));
    let (mut store, _) = Store::open(folder.path()).unwrap();
    let items = ItemsCount::new(count * EVENTS);
    bencher.counter(items).bench_local(|| store.snapshot(&state).unwrap());
}

/// Begins with so many updates.
#[divan::bench(args = [1, 5, 10], max_time = 3)]
fn restore(bencher: Bencher<'_, '_>, count: u32) {
    let (folder, state) = (folder(), state(count));
    Store::open(folder.path()).unwrap().0.snapshot(&state).unwrap();
    bencher.counter(ItemsCount::new(count * EVENTS)).bench_local(|| {
        let (_, restored) = Store::open(folder.path()).unwrap();
        assert_eq!(restored.updates().len(), count as usize);
        restored
    });
}
