//! A snapshot is written while the log goes on, and whatever happens meanwhile loses nothing.

use std::fs;
use std::path::Path;

use aurora_model::key::FrameworkId;
use aurora_scheduler_core::{Op, State};
use aurora_scheduler_storage::{Log, Snapshot, Store, StoreError};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::{names, state, steps};

/// What another process would find after a crash at this moment.
pub(crate) fn crashed(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in names(folder).into_iter().filter(|name| name != "lock") {
        fs::copy(folder.join(&name), copy.path().join(&name)).unwrap();
    }
    copy
}

/// Opens a folder, sees that it holds these steps, and that it takes more.
fn check(folder: &Path, all: &[Vec<Op>]) {
    let (mut store, found) = Store::open(folder).unwrap();
    assert_eq!(found, state(all));
    let more = steps(u32::try_from(all.len()).unwrap() + 1);
    store.append(&more[all.len()..]).unwrap();
    drop(store);
    assert_eq!(Store::open(folder).unwrap().1, state(&more));
    let left = names(folder);
    assert!(!left.iter().any(|name| name.ends_with("tmp")), "{left:?}");
}

const SNAPSHOT: &str = "snapshot-00000000000000000003";
const UNFINISHED: &str = "snapshot-00000000000000000003.tmp";

#[test]
fn a_crash_at_any_moment_of_a_snapshot_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let all = steps(9);
    let (mut store, _) = Store::open(here).unwrap();
    for step in &all[..3] {
        store.append(std::slice::from_ref(step)).unwrap();
    }
    let mut moments = Vec::new();
    let mut snapshot = store.begin_snapshot().unwrap();
    moments.push((3, crashed(here)));
    store.append(&all[3..5]).unwrap();
    moments.push((5, crashed(here)));
    snapshot.write(&state(&all[..3])).unwrap();
    moments.push((5, crashed(here)));
    let whole = fs::read(here.join(UNFINISHED)).unwrap();
    for cut in [0, 5, 8, whole.len() / 2, whole.len() - 1] {
        let torn = crashed(here);
        fs::write(torn.path().join(UNFINISHED), &whole[..cut]).unwrap();
        moments.push((5, torn));
    }
    store.append(&all[5..7]).unwrap();
    moments.push((7, crashed(here)));
    // It has its name, and what it replaces is still there, all of it or a part.
    for gone in [&[][..], &["log-00000000000000000000"]] {
        let named = crashed(here);
        fs::rename(named.path().join(UNFINISHED), named.path().join(SNAPSHOT)).unwrap();
        gone.iter().for_each(|name| fs::remove_file(named.path().join(name)).unwrap());
        moments.push((7, named));
    }
    store.end_snapshot(Ok(())).unwrap();
    moments.push((7, crashed(here)));
    assert_eq!(names(here), ["lock", "log-00000000000000000003", SNAPSHOT]);
    store.append(&all[7..]).unwrap();
    moments.push((9, crashed(here)));
    for (count, folder) in moments {
        check(folder.path(), &all[..count]);
    }
    drop(store);
    check(here, &all);
}

#[test]
fn what_is_appended_meanwhile_is_in_no_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let all = steps(6);
    let (mut store, _) = Store::open(folder.path()).unwrap();
    store.append(&all[..3]).unwrap();
    let written = store.begin_snapshot().unwrap().write(&state(&all[..3]));
    store.append(&all[3..]).unwrap();
    let before = store.since_snapshot();
    store.end_snapshot(written).unwrap();
    let after = store.since_snapshot();
    assert!(0 < after && after < before, "{before}, {after}");
    store.snapshot(&state(&all)).unwrap();
    assert_eq!(store.since_snapshot(), 0);
}

#[test]
fn a_snapshot_that_fails_leaves_the_log_whole() {
    let folder = tempfile::tempdir().unwrap();
    let all = steps(9);
    let (mut store, _) = Store::open(folder.path()).unwrap();
    store.append(&all[..3]).unwrap();
    let mut snapshot = store.begin_snapshot().unwrap();
    let mut huge = State::default();
    let name = FrameworkId::new("x".repeat(257 << 20)).unwrap();
    huge.apply(&Op::SaveFrameworkId(name)).unwrap();
    let failed = snapshot.write(&huge);
    assert!(matches!(failed, Err(StoreError::TooLarge { .. })), "{failed:?}");
    store.append(&all[3..6]).unwrap();
    assert!(matches!(store.end_snapshot(failed), Err(StoreError::TooLarge { .. })));
    assert_eq!(names(folder.path()).len(), 3, "the lock and two segments");
    assert!(store.since_snapshot() > 0, "it is still due");
    check(crashed(folder.path()).path(), &all[..6]);
    store.snapshot(&state(&all[..6])).unwrap();
    store.append(&all[6..]).unwrap();
    drop(store);
    assert_eq!(names(folder.path()).len(), 3, "the lock, a snapshot and a segment");
    check(folder.path(), &all);
}

#[test]
fn there_is_one_snapshot_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let all = steps(3);
    let (mut store, _) = Store::open(folder.path()).unwrap();
    store.append(&all).unwrap();
    assert!(matches!(store.end_snapshot(Ok(())), Err(StoreError::NoSnapshot)));
    let mut first = store.begin_snapshot().unwrap();
    assert!(matches!(store.begin_snapshot().err(), Some(StoreError::SnapshotBegun)));
    let written = first.write(&state(&all));
    store.end_snapshot(written).unwrap();
    assert!(store.begin_snapshot().is_ok());
}

/// L2. Nor does it end a snapshot there, or remove what the other one is writing.
#[test]
fn a_store_that_was_taken_over_ends_no_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let all = steps(3);
    let (mut old, _) = Store::open(folder.path()).unwrap();
    old.append(&all).unwrap();
    let mut late = old.begin_snapshot().unwrap();
    fs::remove_file(folder.path().join("lock")).unwrap();
    let (mut new, replayed) = Store::open(folder.path()).unwrap();
    let mut snapshot = new.begin_snapshot().unwrap();
    let written = late.write(&State::default());
    assert!(matches!(old.end_snapshot(written), Err(StoreError::TakenOver(_))));
    let written = snapshot.write(&replayed);
    new.end_snapshot(written).unwrap();
    drop((old, new));
    check(folder.path(), &all);
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Append,
    Begin,
    Write,
    End,
    Fail,
    Crash,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// In whatever order it comes to them.
    #[test]
    fn what_was_appended_is_found_whatever_becomes_of_snapshots(
        acts in prop::collection::vec(
            prop::sample::select(vec![
                Act::Append,
                Act::Append,
                Act::Begin,
                Act::Write,
                Act::End,
                Act::Fail,
                Act::Crash,
            ]),
            1..40,
        ),
    ) {
        let all = steps(40);
        let mut folder = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(folder.path()).unwrap();
        let mut done = 0;
        let mut begun: Option<(Box<dyn Snapshot>, State, bool)> = None;
        for act in acts {
            match act {
                Act::Append => {
                    store.append(&all[done..=done]).unwrap();
                    done += 1;
                }
                Act::Begin if begun.is_none() => {
                    let frozen = state(&all[..done]).frozen();
                    begun = Some((store.begin_snapshot().unwrap(), frozen, false));
                }
                Act::Write => if let Some((snapshot, frozen, written @ false)) = &mut begun {
                    snapshot.write(frozen).unwrap();
                    *written = true;
                },
                Act::End => if let Some((.., true)) = begun {
                    begun = None;
                    store.end_snapshot(Ok(())).unwrap();
                },
                Act::Fail => if begun.take().is_some() {
                    store.end_snapshot(Err(StoreError::TooLarge { length: 0 })).unwrap_err();
                },
                Act::Crash => {
                    begun = None;
                    folder = crashed(folder.path());
                    let (again, found) = Store::open(folder.path()).unwrap();
                    prop_assert_eq!(found, state(&all[..done]));
                    store = again;
                }
                Act::Begin => {}
            }
        }
        drop(store);
        prop_assert_eq!(Store::open(folder.path()).unwrap().1, state(&all[..done]));
    }
}
