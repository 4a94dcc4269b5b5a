//! What the log keeps, and what it says when it is damaged.

#![allow(clippy::disallowed_methods, reason = "the tests damage files")]

use std::fs;
use std::path::{Path, PathBuf};

use aurora_model::job::{TaskEvent, TaskState, Timestamp};
use aurora_model::key::{AgentId, FrameworkId, RequestId, TaskId};
use aurora_scheduler_core::{Op, RecordedResponse, State};
use aurora_scheduler_storage::{Log, OpenError, Store};
use proptest::prelude::*;

fn host(n: u32) -> Op {
    Op::PutHost {
        name: format!("host{n}"),
        agent: AgentId::new(format!("agent{n}")).unwrap(),
        attributes: [("rack".to_owned(), [format!("r{n}")].into())].into(),
    }
}

fn steps(count: u32) -> Vec<Vec<Op>> {
    (0..count)
        .map(|n| match n % 3 {
            0 => vec![host(n)],
            1 => vec![Op::SaveFrameworkId(FrameworkId::new(format!("F{n}")).unwrap()), host(n)],
            _ => vec![Op::PutRequest {
                id: RequestId::new(format!("r{n}")).unwrap(),
                response: RecordedResponse::Killed { instances: vec![n] },
            }],
        })
        .collect()
}

fn state(steps: &[Vec<Op>]) -> State {
    let mut state = State::default();
    steps.iter().flatten().for_each(|op| state.apply(op).unwrap());
    state
}

fn segment(folder: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("log-"))
        .collect();
    files.sort();
    files.pop().unwrap()
}

#[test]
fn what_was_appended_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let all = steps(10);
    let (mut store, empty) = Store::open(folder.path()).unwrap();
    assert_eq!(empty, State::default());
    store.append(&all[..4]).unwrap();
    store.append(&all[4..]).unwrap();
    drop(store);
    let (mut store, replayed) = Store::open(folder.path()).unwrap();
    assert_eq!(replayed, state(&all));
    store.snapshot(&replayed).unwrap();
    let more = steps(13);
    store.append(&more[10..]).unwrap();
    drop(store);
    let (_, replayed) = Store::open(folder.path()).unwrap();
    assert_eq!(replayed, state(&more));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "lock, snapshot, one segment");
}

#[test]
fn every_kind_of_op_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let id = TaskId::new("t").unwrap();
    let event = TaskEvent {
        timestamp: Timestamp(7),
        state: TaskState::Partitioned,
        message: Some("m".into()),
        scheduler: None,
    };
    let ops = vec![
        Op::Transition { id: id.clone(), event },
        Op::Assign {
            id: id.clone(),
            agent: AgentId::new("a").unwrap(),
            host: "h".into(),
            ports: [("http".to_owned(), 31_000)].into(),
        },
        Op::CountFailure(id.clone()),
        Op::Reschedule { ancestor: id.clone(), id: TaskId::new("u").unwrap() },
        Op::Remove(vec![id]),
    ];
    let (mut store, _) = Store::open(folder.path()).unwrap();
    store.append(&[ops]).unwrap();
    drop(store);
    // They are about tasks that are not there, so they change nothing; that they are read is what
    // counts here. Tasks go through the log in the scheduler's own tests.
    assert_eq!(Store::open(folder.path()).unwrap().1, State::default());
}

#[test]
fn only_one_process_has_it_open() {
    let folder = tempfile::tempdir().unwrap();
    let open = Store::open(folder.path()).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains(&format!("in use by process {}", std::process::id())),
        "{error}"
    );
    drop(open);
    assert!(Store::open(folder.path()).is_ok());
}

#[test]
fn a_damaged_middle_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    store.append(&steps(6)).unwrap();
    drop(store);
    let path = segment(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    let OpenError::Corrupt { offset, .. } = &error else { panic!("{error}") };
    assert_eq!(*offset, 8);
    assert!(error.to_string().contains("is damaged at byte 8"), "{error}");
}

#[test]
fn another_version_and_another_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let path = segment(folder.path());
    fs::write(&path, b"AURORAL\x02").unwrap();
    let error = Store::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("has format 2; this program reads format 1"), "{error}");
    fs::write(&path, b"something else").unwrap();
    let error = Store::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("does not begin as a log"), "{error}");
}

#[test]
fn a_missing_segment_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, empty) = Store::open(folder.path()).unwrap();
    store.append(&steps(3)).unwrap();
    store.snapshot(&empty).unwrap();
    drop(store);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("snapshot-") {
            fs::remove_file(path).unwrap();
        }
    }
    let error = Store::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("records 0 to 2 are missing"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("log")).unwrap_err().to_string();
    assert!(error.contains("failed to make the folder"), "{error}");
}

#[test]
fn a_failed_append_ends_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    store.append(&steps(1)).unwrap();
    let huge = vec![Op::SaveFrameworkId(FrameworkId::new("x".repeat(257 << 20)).unwrap())];
    let error = store.append(&[huge]).unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
    let error = store.append(&steps(1)).unwrap_err();
    assert!(error.to_string().contains("failed before"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A file that was cut off anywhere holds the steps that are whole, and takes more. Zeros after
    /// the last whole one are what a machine that lost power may leave.
    #[test]
    fn a_torn_end_is_dropped(cut in any::<prop::sample::Index>(), zeros in 0_usize..30) {
        let folder = tempfile::tempdir().unwrap();
        let all = steps(5);
        let (mut store, _) = Store::open(folder.path()).unwrap();
        let path = segment(folder.path());
        let mut ends = Vec::new();
        for step in &all {
            store.append(std::slice::from_ref(step)).unwrap();
            ends.push(usize::try_from(fs::metadata(&path).unwrap().len()).unwrap());
        }
        drop(store);
        let mut bytes = fs::read(&path).unwrap();
        let cut = cut.index(bytes.len() + 1);
        bytes.truncate(cut);
        if ends.contains(&cut) {
            bytes.resize(cut + zeros, 0);
        }
        fs::write(&path, &bytes).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let (mut store, replayed) = Store::open(folder.path()).unwrap();
        prop_assert_eq!(&replayed, &state(&all[..whole]));
        store.append(&all[whole..]).unwrap();
        drop(store);
        prop_assert_eq!(Store::open(folder.path()).unwrap().1, state(&all));
    }

    /// One flipped bit is either refused or was in what a crash may leave.
    #[test]
    fn a_flipped_bit_is_never_taken_for_content(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let folder = tempfile::tempdir().unwrap();
        let all = steps(5);
        let (mut store, _) = Store::open(folder.path()).unwrap();
        store.append(&all).unwrap();
        drop(store);
        let path = segment(folder.path());
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&path, bytes).unwrap();
        if let Ok((_, replayed)) = Store::open(folder.path()) {
            prop_assert_eq!(replayed, state(&all[..4]), "at most the last step is lost");
        }
    }
}
