//! How many steps are made durable in a second, by how many are appended together. A step is what
//! the creation of a job with one instance makes.
//!
//! ```text
//! cargo bench -p aurora-scheduler-storage
//! ```
//!
//! The log is written below `target/`: what counts is the disk that is under it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark that cannot run ends")]

use aurora_scheduler_core::Op;
use aurora_scheduler_storage::{Log, Store};
use divan::Bencher;
use divan::counter::ItemsCount;

#[path = "../../core/tests/it/world.rs"]
#[allow(dead_code, reason = "the core's own tests use the rest")]
mod world;

fn main() {
    divan::main();
}

#[divan::bench(args = [1, 16, 256])]
fn append(bencher: Bencher<'_, '_>, group: usize) {
    let mut world = world::World::registered();
    world.create(world::job("web", 1, true)).unwrap();
    let step: Vec<Op> = world.log.pop().unwrap();
    let steps = vec![step; group];
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    bencher.counter(ItemsCount::new(group)).bench_local(|| store.append(&steps).unwrap());
}
