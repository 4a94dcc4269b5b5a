//! What the log keeps, and what it says when it is damaged.

#![allow(clippy::disallowed_methods, reason = "the tests damage files")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

#[path = "../../../core/tests/it/actions.rs"]
mod actions;
mod backups;
mod real;
mod replace;
mod sizes;
mod snapshots;
#[path = "../../../core/tests/it/world.rs"]
#[allow(dead_code, reason = "the core's own tests use the rest")]
mod world;

use std::fs;
use std::path::{Path, PathBuf};

use aurora_model::job::Timestamp;
use aurora_model::key::{AgentId, FrameworkId, RequestId, TaskId};
use aurora_scheduler_core::{Fingerprint, Op, RecordedResponse, State};
use aurora_scheduler_storage::{Log, OpenError, Store, Work, commit, frame};
use proptest::prelude::*;

fn host(n: u32) -> Op {
    Op::PutHost {
        name: format!("host{n}"),
        agent: AgentId::new(format!("agent{n}")).unwrap(),
        address: format!("10.0.0.{n}:5051"),
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
                fingerprint: Some(Fingerprint(
                    [u8::try_from(n % 256).unwrap(); Fingerprint::LENGTH],
                )),
                at: Some(Timestamp(i64::from(n))),
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

/// The names of what is in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The segment that is appended to.
fn segment(folder: &Path) -> PathBuf {
    let last = names(folder).into_iter().rfind(|name| name.starts_with("log-"));
    folder.join(last.unwrap())
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
fn a_change_of_what_is_not_there_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    store.append(&[vec![Op::CountFailure(TaskId::new("t").unwrap())]]).unwrap();
    drop(store);
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { offset: 8, .. }), "{error}");
    assert!(error.to_string().contains("task t is changed but does not exist"), "{error}");
}

#[test]
fn what_a_newer_program_wrote_is_not_taken_for_damage() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let path = segment(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    // A batch with one op of a kind that has the number 99.
    frame::encode(0, 8, &[0x0a, 3, 0x98, 0x06, 1], &mut bytes).unwrap();
    fs::write(&path, bytes).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { offset: 8, .. }), "{error}");
    assert!(error.to_string().contains("was written by a newer program"), "{error}");
}

/// The bytes of ops, as they have to be read for ever.
#[test]
fn logs_from_before_quotas_and_with_them_are_read() {
    let role = aurora_model::key::Role::new("www").unwrap();
    let quota = aurora_model::quota::ResourceAggregate {
        cpus: aurora_model::job::MilliCpus(2500),
        ram_mb: 1024,
        disk_mb: 2,
    };
    let framework: &[u8] = b"\x0a\x03\x0a\x01F";
    let put_quota: &[u8] =
        b"\x0a\x17\x52\x15\x0a\x03www\x12\x0e\x09\0\0\0\0\0\0\x04\x40\x10\x80\x08\x18\x02";
    for (payloads, quotas) in
        [(vec![framework], vec![]), (vec![framework, put_quota], vec![(&role, &quota)])]
    {
        let folder = tempfile::tempdir().unwrap();
        drop(Store::open(folder.path()).unwrap());
        let path = segment(folder.path());
        let mut bytes = fs::read(&path).unwrap();
        for (number, payload) in (0..).zip(payloads) {
            frame::encode(number, bytes.len() as u64, payload, &mut bytes).unwrap();
        }
        fs::write(&path, bytes).unwrap();
        let (mut store, state) = Store::open(folder.path()).unwrap();
        assert_eq!(state.framework_id(), Some(&FrameworkId::new("F").unwrap()));
        assert_eq!(state.quotas().collect::<Vec<_>>(), quotas);
        store.snapshot(&state).unwrap();
        drop(store);
        let (_, restored) = Store::open(folder.path()).unwrap();
        assert_eq!(restored, state);
    }
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

/// L2. A store whose folder is another one's says of nothing that it is written.
#[test]
fn a_store_that_was_taken_over_appends_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let all = steps(9);
    let (mut old, _) = Store::open(folder.path()).unwrap();
    old.append(&all[..3]).unwrap();
    fs::remove_file(folder.path().join("lock")).unwrap();
    let (mut new, replayed) = Store::open(folder.path()).unwrap();
    assert_eq!(replayed, state(&all[..3]));
    let error = old.append(&steps(1)).unwrap_err().to_string();
    assert!(error.contains("is no longer this scheduler's"), "{error}");
    new.append(&all[3..6]).unwrap();
    assert!(old.append(&steps(2)).is_err());
    assert!(old.snapshot(&state(&all[..3])).is_err());
    new.append(&all[6..]).unwrap();
    drop((old, new));
    assert_eq!(Store::open(folder.path()).unwrap().1, state(&all));
}

/// L2. Not even what changes nothing is done by a scheduler whose log is another one's: it rests on what is old.
#[test]
fn nothing_is_released_by_a_store_that_was_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let (mut old, _) = Store::open(folder.path()).unwrap();
    let answer = || [Work::Step { ops: Vec::new(), then: "the answer" }];
    let append = |log: &mut dyn Log, steps: &[Vec<Op>]| log.append(steps);
    let released = commit(&mut old, answer(), append, |_, _| {});
    assert_eq!(released.unwrap(), ["the answer"]);
    fs::remove_file(folder.path().join("lock")).unwrap();
    let (_new, _) = Store::open(folder.path()).unwrap();
    let error = commit(&mut old, answer(), append, |_, _| {}).unwrap_err().to_string();
    assert!(error.contains("is no longer this scheduler's"), "{error}");
    assert!(old.append(&steps(1)).is_err(), "nor does it go on");
}

#[test]
fn a_damaged_middle_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    let path = segment(folder.path());
    store.append(&steps(6)).unwrap();
    let first = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
    store.append(&steps(6)).unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    // Wherever it is: in a length, which hides where the next record is, or in the content.
    for at in [8, 30, first - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = Store::open(folder.path()).unwrap_err();
        assert!(matches!(error, OpenError::Corrupt { offset: 8, .. }), "{error}");
    }
    let mut bytes = whole;
    bytes[8..first].fill(0);
    fs::write(&path, bytes).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    let OpenError::Corrupt { offset, .. } = &error else { panic!("{error}") };
    assert_eq!(*offset, 8);
    assert!(error.to_string().contains("is damaged at byte 8"), "{error}");
}

#[test]
fn a_damaged_middle_of_a_later_segment_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, at_three) = three_records(folder.path());
    store.snapshot(&at_three).unwrap();
    store.append(&steps(1)).unwrap();
    store.append(&steps(1)).unwrap();
    drop(store);
    let path = segment(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { offset: 8, .. }), "{error}");
}

#[test]
fn another_version_and_another_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let path = segment(folder.path());
    fs::write(&path, b"AURORAL\x03").unwrap();
    let error = Store::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("has format 3; this program reads format 2"), "{error}");
    fs::write(&path, b"something else").unwrap();
    let error = Store::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("does not begin as a log"), "{error}");
}

const SNAPSHOT_3: &str = "snapshot-00000000000000000003";
const LOG_0: &str = "log-00000000000000000000";
const LOG_3: &str = "log-00000000000000000003";

/// A log of three records, and the state they make.
fn three_records(folder: &Path) -> (Store, State) {
    let (mut store, _) = Store::open(folder).unwrap();
    for step in steps(3) {
        store.append(&[step]).unwrap();
    }
    (store, state(&steps(3)))
}

#[test]
fn a_snapshot_that_cannot_be_written_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let all = steps(6);
    let (mut store, at_three) = three_records(folder.path());
    // Of its three steps each fails once: writing it, the new segment, giving it its name.
    for (obstacle, action) in [
        ("snapshot-00000000000000000003.tmp", "failed to make"),
        (LOG_3, "failed to make"),
        (SNAPSHOT_3, "failed to rename"),
    ] {
        let obstacle = folder.path().join(obstacle);
        fs::create_dir(&obstacle).unwrap();
        let error = store.snapshot(&at_three).unwrap_err().to_string();
        assert!(error.contains(action), "{error}");
        fs::remove_dir(&obstacle).unwrap();
    }
    assert_eq!(names(folder.path()), ["lock", LOG_0, LOG_3], "nothing unfinished is left");
    assert!(store.since_snapshot() > 0, "it is still due");
    store.append(&all[3..5]).unwrap();
    drop(store);
    let (mut store, replayed) = Store::open(folder.path()).unwrap();
    assert_eq!(replayed, state(&all[..5]));
    store.snapshot(&replayed).unwrap();
    assert_eq!(store.since_snapshot(), 0);
    store.append(&all[5..]).unwrap();
    drop(store);
    assert_eq!(Store::open(folder.path()).unwrap().1, state(&all));
}

#[test]
fn what_is_appended_follows_on_what_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let all = steps(6);
    let (mut store, _) = three_records(folder.path());
    store.append(&all[3..4]).unwrap();
    drop(store);
    // A segment that was begun but never appended to: its next record would be number 3.
    fs::write(folder.path().join(LOG_3), frame::MAGIC).unwrap();
    for step in &all[4..] {
        let (mut store, _) = Store::open(folder.path()).unwrap();
        store.append(std::slice::from_ref(step)).unwrap();
    }
    assert_eq!(Store::open(folder.path()).unwrap().1, state(&all));
}

#[test]
fn a_segment_that_was_not_finished_being_made_is_made_again() {
    for left in [&b""[..], b"AURO", b"AURO\0\0\0\0", &[0; 8]] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LOG_0), left).unwrap();
        let (mut store, empty) = Store::open(folder.path()).unwrap();
        assert_eq!(empty, State::default());
        store.append(&steps(2)).unwrap();
        drop(store);
        assert_eq!(Store::open(folder.path()).unwrap().1, state(&steps(2)));
    }
}

#[test]
fn snapshots_that_were_never_finished_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, expected) = three_records(folder.path());
    drop(store);
    fs::write(folder.path().join("snapshot-00000000000000000002.tmp"), "half").unwrap();
    assert_eq!(Store::open(folder.path()).unwrap().1, expected);
    assert_eq!(names(folder.path()), ["lock", LOG_0]);
}

#[test]
fn folders_are_made_with_those_they_are_in() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b/log");
    drop(Store::open(&deep).unwrap());
    assert_eq!(names(&deep), ["lock", LOG_0]);
}

#[test]
fn many_large_steps_are_several_records() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    let large =
        |n: u32| vec![Op::SaveFrameworkId(FrameworkId::new("x".repeat(9 << 20)).unwrap()), host(n)];
    let all: Vec<Vec<Op>> = (0..5).map(large).collect();
    store.append(&all).unwrap();
    drop(store);
    // The first record ends behind the second step; without the rest nothing was acknowledged.
    let path = segment(folder.path());
    let bytes = fs::read(&path).unwrap();
    let frame::Frame::Whole { length, .. } = frame::decode(&bytes[8..]) else { panic!() };
    assert_eq!(Store::open(folder.path()).unwrap().1, state(&all));
    let mut damaged = bytes;
    damaged[8 + length + 100] ^= 1;
    fs::write(&path, damaged).unwrap();
    assert_eq!(Store::open(folder.path()).unwrap().1, state(&all[..2]));
}

#[test]
fn a_missing_segment_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, empty) = Store::open(folder.path()).unwrap();
    for step in steps(3) {
        store.append(&[step]).unwrap();
    }
    store.snapshot(&empty).unwrap();
    drop(store);
    fs::remove_file(folder.path().join(SNAPSHOT_3)).unwrap();
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

/// Appends groups of steps. Gives the segment, and where in it each of them ends.
fn write_groups(folder: &Path, groups: &[Vec<Vec<Op>>]) -> (PathBuf, Vec<usize>) {
    let (mut store, _) = Store::open(folder).unwrap();
    let path = segment(folder);
    let ends = groups
        .iter()
        .map(|group| {
            store.append(group).unwrap();
            usize::try_from(fs::metadata(&path).unwrap().len()).unwrap()
        })
        .collect();
    (path, ends)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A file that was cut off anywhere holds the groups that are whole, and takes more. What
    /// follows the cut may be zeros, as many as there were bytes or more.
    #[test]
    fn a_torn_end_is_dropped(cut in any::<prop::sample::Index>(), zeros in 0_usize..400) {
        let folder = tempfile::tempdir().unwrap();
        let groups: Vec<Vec<Vec<Op>>> = steps(10).chunks(2).map(<[_]>::to_vec).collect();
        let (path, ends) = write_groups(folder.path(), &groups);
        let mut bytes = fs::read(&path).unwrap();
        let cut = cut.index(bytes.len() + 1);
        bytes.truncate(cut);
        // The head is on disk before anything is appended.
        bytes.resize(if cut < 8 { 8.min(cut + zeros) } else { cut + zeros }, 0);
        fs::write(&path, &bytes).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let (mut store, replayed) = Store::open(folder.path()).unwrap();
        // Its last bytes may have been zeros anyway.
        let less = replayed == state(&groups[..whole].concat());
        prop_assert!(less || replayed == state(&groups[..=whole].concat()));
        let whole = if less { whole } else { whole + 1 };
        store.append(&groups[whole..].concat()).unwrap();
        drop(store);
        prop_assert_eq!(Store::open(folder.path()).unwrap().1, state(&groups.concat()));
    }

    /// Of what was not synced, any part may be missing.
    #[test]
    fn a_hole_in_the_last_group_drops_it(
        from in any::<prop::sample::Index>(),
        length in any::<prop::sample::Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let groups: Vec<Vec<Vec<Op>>> = steps(12).chunks(4).map(<[_]>::to_vec).collect();
        let (path, ends) = write_groups(folder.path(), &groups);
        let mut bytes = fs::read(&path).unwrap();
        let last = &mut bytes[ends[1]..];
        let from = from.index(last.len());
        let hole = &mut last[from..];
        let length = length.index(hole.len()) + 1;
        let hole = &mut hole[..length];
        let had_content = hole.iter().any(|byte| *byte != 0);
        hole.fill(0);
        fs::write(&path, &bytes).unwrap();
        let whole = if had_content { 2 } else { 3 };
        let (mut store, replayed) = Store::open(folder.path()).unwrap();
        prop_assert_eq!(&replayed, &state(&groups[..whole].concat()));
        store.append(&groups[whole..].concat()).unwrap();
        drop(store);
        prop_assert_eq!(Store::open(folder.path()).unwrap().1, state(&groups.concat()));
    }

    /// Of what was synced before something was appended, nothing may be missing.
    #[test]
    fn a_hole_before_the_last_group_is_refused(
        from in any::<prop::sample::Index>(),
        length in any::<prop::sample::Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let groups: Vec<Vec<Vec<Op>>> = steps(12).chunks(4).map(<[_]>::to_vec).collect();
        let (path, ends) = write_groups(folder.path(), &groups);
        let mut bytes = fs::read(&path).unwrap();
        let synced = &mut bytes[8..ends[1]];
        let from = from.index(synced.len());
        let hole = &mut synced[from..];
        let length = length.index(hole.len()) + 1;
        let hole = &mut hole[..length];
        let had_content = hole.iter().any(|byte| *byte != 0);
        hole.fill(0);
        fs::write(&path, &bytes).unwrap();
        let place = if 8 + from < ends[0] { 8 } else { ends[0] as u64 };
        match Store::open(folder.path()) {
            Err(OpenError::Corrupt { offset, .. }) => prop_assert!(had_content && offset == place),
            other => prop_assert!(!had_content, "{:?}", other.map(|(_, state)| state)),
        }
    }

    /// One flipped bit is either refused or was in what a crash may leave.
    #[test]
    fn a_flipped_bit_is_never_taken_for_content(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let folder = tempfile::tempdir().unwrap();
        let all = steps(5);
        let groups: Vec<Vec<Vec<Op>>> = all.iter().map(|step| vec![step.clone()]).collect();
        let (path, _) = write_groups(folder.path(), &groups);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&path, bytes).unwrap();
        if let Ok((_, replayed)) = Store::open(folder.path()) {
            prop_assert_eq!(replayed, state(&all[..4]), "at most the last step is lost");
        }
    }
}
