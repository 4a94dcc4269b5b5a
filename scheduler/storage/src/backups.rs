//! States that are kept beside the log, to go back to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use aurora_scheduler_core::State;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};

use crate::disk::{Disk, OsDisk};
use crate::store::{
    FileError, OpenError, Snapshot, SnapshotFile, StoreError, UNFINISHED, failed, read_snapshot,
    remove,
};

/// How a backup is named, after the original (`storage-and-ha.md` 8), which has no seconds.
const FORMAT: &str = "scheduler-backup-%Y-%m-%d-%H-%M-%S";

/// The name of a backup, which says when it was made: `scheduler-backup-YYYY-MM-DD-hh-mm-ss`, in UTC. It
/// is that of a file, and never a path that leads elsewhere. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackupName(DateTime);

/// A text is not the name of a backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a backup, scheduler-backup-YYYY-MM-DD-hh-mm-ss")]
pub struct BadName(pub String);

impl BackupName {
    /// Of a time in milliseconds since 1970; nothing for one that has no year of four digits.
    pub fn of(ms: i64) -> Option<Self> {
        Self::new(Offset::UTC.to_datetime(Timestamp::from_millisecond(ms).ok()?))
    }

    fn new(time: DateTime) -> Option<Self> {
        let time = time.with().subsec_nanosecond(0).build().ok()?;
        (time.year() >= 0).then_some(Self(time))
    }

    /// The time it tells, in milliseconds since 1970.
    pub fn ms(self) -> i64 {
        Offset::UTC.to_timestamp(self.0).map_or(i64::MAX, Timestamp::as_millisecond)
    }

    /// A second later.
    fn next(self) -> Self {
        Self(self.0.saturating_add(1.second()))
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime(FORMAT))
    }
}

impl FromStr for BackupName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let name = DateTime::strptime(FORMAT, text).ok().and_then(Self::new);
        name.filter(|name| name.to_string() == text).ok_or_else(|| BadName(text.to_owned()))
    }
}

/// Why a backup cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is none of this name.
    #[error("there is no backup {0}")]
    NotFound(BackupName),
    /// It is not what was written.
    #[error("the backup {} is damaged at byte {offset}: {reason}; take another one", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The file cannot be read, or not by this program.
    #[error(transparent)]
    Open(OpenError),
}

/// A folder of backups.
#[derive(Debug, Clone)]
pub struct Backups<D: Disk = OsDisk> {
    disk: D,
    folder: PathBuf,
}

impl Backups {
    /// Uses a folder, which is made if it is not there.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(folder: &Path) -> Result<Self, FileError> {
        Self::open_on(OsDisk, folder)
    }
}

impl<D: Disk> Backups<D> {
    /// Uses a folder of the disk, which is made if it is not there. What was never finished being
    /// written is removed: one process at a time may use the folder.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open_on(disk: D, folder: &Path) -> Result<Self, FileError> {
        disk.make_folder(folder).map_err(failed("make the folder", folder))?;
        let backups = Self { disk, folder: folder.to_owned() };
        for name in backups.names()? {
            let unfinished = Path::new(&name)
                .file_stem()
                .and_then(|stem| stem.to_str())
                .is_some_and(|stem| name == format!("{stem}.{UNFINISHED}") && is_name(stem));
            if unfinished {
                remove(&backups.disk, &folder.join(name));
            }
        }
        Ok(backups)
    }

    /// The backups that are there, oldest first. Other files are left out.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> Result<Vec<BackupName>, FileError> {
        let mut found: Vec<BackupName> =
            self.names()?.iter().filter_map(|name| name.parse().ok()).collect();
        found.sort();
        Ok(found)
    }

    /// Writes a backup named after a time, or the first second after it that no other is named
    /// after. When this returns it is on disk, and of the others only the newest are left, so that
    /// there are `keep` with it. The state may be frozen ([`State::frozen`]).
    ///
    /// # Errors
    /// It cannot be written. The others are all there then, and nothing is left of it.
    pub fn write(
        &self,
        at: BackupName,
        state: &State,
        keep: usize,
    ) -> Result<BackupName, StoreError> {
        let others = self.list()?;
        let mut name = at;
        while others.binary_search(&name).is_ok() {
            name = name.next();
        }
        let path = self.path(name);
        let temporary = path.with_extension(UNFINISHED);
        if let Err(error) = self.write_file(&temporary, &path, state) {
            remove(&self.disk, &temporary);
            return Err(error);
        }
        let surplus = (others.len() + 1).saturating_sub(keep).min(others.len());
        others.iter().take(surplus).for_each(|old| remove(&self.disk, &self.path(*old)));
        Ok(name)
    }

    fn write_file(&self, temporary: &Path, path: &Path, state: &State) -> Result<(), StoreError> {
        let file = self.disk.create(temporary).map_err(failed("make", temporary))?;
        SnapshotFile { file, path: temporary.to_owned() }.write(state)?;
        self.disk.rename(temporary, path).map_err(failed("rename", temporary))?;
        Ok(self.disk.sync_folder(&self.folder).map_err(failed("sync", &self.folder))?)
    }

    /// The state that a backup holds, whole.
    ///
    /// # Errors
    /// There is no such backup, or it cannot be read.
    pub fn read(&self, name: BackupName) -> Result<State, BackupError> {
        let mut state = State::default();
        match read_snapshot(&self.disk, &self.path(name), &mut state) {
            Ok(()) => Ok(state),
            Err(OpenError::File(error)) if error.source.kind() == std::io::ErrorKind::NotFound => {
                Err(BackupError::NotFound(name))
            }
            Err(OpenError::Corrupt { path, offset, reason }) => {
                Err(BackupError::Damaged { path, offset, reason })
            }
            Err(error) => Err(BackupError::Open(error)),
        }
    }

    fn path(&self, name: BackupName) -> PathBuf {
        self.folder.join(name.to_string())
    }

    fn names(&self) -> Result<Vec<String>, FileError> {
        self.disk.list(&self.folder).map_err(failed("read the folder", &self.folder))
    }
}

fn is_name(text: &str) -> bool {
    text.parse::<BackupName>().is_ok()
}
