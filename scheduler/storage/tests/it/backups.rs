//! Backups hold what was written, and are refused when they do not.

use std::fs;
use std::path::Path;

use aurora_model::key::FrameworkId;
use aurora_scheduler_core::{Op, State};
use aurora_scheduler_storage::{BackupError, BackupName, Backups, OpenError, StoreError};

use crate::{names, state, steps};

fn name(text: &str) -> BackupName {
    text.parse().unwrap()
}

/// Of the first seconds of a year.
fn at(second: u32) -> BackupName {
    name(&format!("scheduler-backup-2026-01-01-00-00-{second:02}"))
}

fn write(folder: &Path, second: u32) -> BackupName {
    Backups::open(folder).unwrap().write(at(second), &state(&steps(second)), 48).unwrap()
}

#[test]
fn a_backup_holds_the_state_and_is_named_after_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("made").join("here");
    let backups = Backups::open(&here).unwrap();
    let written = state(&steps(9));
    let at = BackupName::of(1_767_323_045_678).unwrap();
    assert_eq!(at.to_string(), "scheduler-backup-2026-01-02-03-04-05");
    assert_eq!(at.ms(), 1_767_323_045_000);
    // Another one in the same second, and one of it frozen.
    let first = backups.write(at, &written, 48).unwrap();
    let second = backups.write(at, &written.frozen(), 48).unwrap();
    assert_eq!((first, second.ms()), (at, at.ms() + 1000));
    assert_eq!(backups.list().unwrap(), [first, second]);
    assert_eq!(names(&here), [first.to_string(), second.to_string()]);
    for backup in [first, second] {
        assert_eq!(backups.read(backup).unwrap(), written);
    }
}

#[test]
fn names_lead_nowhere_else() {
    for text in [
        "",
        "..",
        "scheduler-backup-",
        "../scheduler-backup-2026-01-01-00-00-00",
        "scheduler-backup-2026-01-01-00-00-00/..",
        "scheduler-backup-2026-01-01-00-00-00.tmp",
        "scheduler-backup-2026-01-01-00-00-00 ",
        " scheduler-backup-2026-01-01-00-00-00",
        "scheduler-backup-2026-1-1-0-0-0",
        "scheduler-backup-2026-13-01-00-00-00",
        "scheduler-backup-2026-02-30-00-00-00",
        "scheduler-backup-2026-01-01-00-00",
        "scheduler-backup-+2026-01-01-00-00-00",
        "scheduler-backup--001-01-01-00-00-00",
        "/scheduler-backup-2026-01-01-00-00-00",
    ] {
        let error = text.parse::<BackupName>().unwrap_err();
        assert!(error.to_string().contains("is not the name of a backup"), "{text}: {error}");
    }
    assert_eq!(BackupName::of(i64::MAX), None);
    assert_eq!(BackupName::of(-100_000_000_000_000), None);
}

#[test]
fn the_oldest_make_room_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    for second in 1..=3 {
        write(folder.path(), second);
    }
    fs::write(folder.path().join("notes"), "mine").unwrap();
    let backups = Backups::open(folder.path()).unwrap();
    backups.write(at(4), &State::default(), 2).unwrap();
    assert_eq!(backups.list().unwrap(), [at(3), at(4)]);
    assert!(folder.path().join("notes").exists());
    // One that cannot be written leaves the others, and nothing of itself.
    let mut huge = State::default();
    let id = FrameworkId::new("x".repeat(257 << 20)).unwrap();
    huge.apply(&Op::SaveFrameworkId(id)).unwrap();
    let failed = backups.write(at(5), &huge, 2).unwrap_err();
    assert!(matches!(failed, StoreError::TooLarge { .. }), "{failed}");
    assert_eq!(names(folder.path()), ["notes".to_owned(), at(3).to_string(), at(4).to_string()]);
    // A clock that was set back does not cost the newest.
    assert_eq!(backups.write(at(1), &State::default(), 2).unwrap(), at(1));
    assert_eq!(backups.list().unwrap(), [at(1), at(4)]);
}

#[test]
fn what_was_never_finished_goes_when_the_folder_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let unfinished = format!("{}.tmp", at(1));
    for name in [&unfinished, "other.tmp"] {
        fs::write(folder.path().join(name), "half").unwrap();
    }
    assert_eq!(Backups::open(folder.path()).unwrap().list().unwrap(), []);
    assert_eq!(names(folder.path()), ["other.tmp"]);
}

#[test]
fn a_backup_that_is_not_what_was_written_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let backup = write(folder.path(), 9);
    let backups = Backups::open(folder.path()).unwrap();
    assert!(matches!(backups.read(at(1)), Err(BackupError::NotFound(missing)) if missing == at(1)));
    let path = folder.path().join(backup.to_string());
    let whole = fs::read(&path).unwrap();
    let changed = (0..whole.len()).filter(|at| *at != 7).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    });
    let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
    let longer = [[&whole[..], &whole[..]].concat(), [&whole[..], &[0]].concat()];
    for bytes in changed.chain(cut).chain(longer) {
        fs::write(&path, bytes).unwrap();
        let error = backups.read(backup).unwrap_err();
        assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(&backup.to_string()), "{error}");
    }
    let mut newer = whole.clone();
    newer[7] += 1;
    fs::write(&path, newer).unwrap();
    let error = backups.read(backup).unwrap_err();
    assert!(matches!(error, BackupError::Open(OpenError::Version { .. })), "{error}");
    fs::write(&path, whole).unwrap();
    assert_eq!(backups.read(backup).unwrap(), state(&steps(9)));
}
