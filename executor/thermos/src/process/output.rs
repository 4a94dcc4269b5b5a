//! What processes print: the directory of a run, and the loggers that copy (`executor.md` 10).

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, fchown, mkdirat, openat, renameat};
use rustix::io::Errno;
use tokio::net::unix::pipe;

use super::spawn::Sink;
use super::user::Credentials;
use crate::spec::{Destination, Logger, Mode as LoggerMode};
use crate::view::Stream;

/// How much is read from a pipe at once, in bytes.
const READ: usize = 64 << 10;

/// Who may look into directories of logs: everybody who gets into the sandbox.
const LOGS: Mode = Mode::from_raw_mode(0o755);

/// The directory that the files of one run go to.
#[derive(Debug)]
pub struct RunDirectory {
    fd: OwnedFd,
    owner: Option<(u32, u32)>,
}

/// Why output cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {name:?}: {source}")]
pub struct OutputError {
    action: &'static str,
    name: String,
    source: io::Error,
}

impl OutputError {
    fn new(action: &'static str, name: impl AsRef<OsStr>, errno: impl Into<io::Error>) -> Self {
        let name = name.as_ref().to_string_lossy().into_owned();
        Self { action, name, source: errno.into() }
    }
}

impl RunDirectory {
    /// Creates `<log_dir>/<process>/<run>`, the last of which is new and belongs to `user`.
    ///
    /// The sandbox belongs to the user too, who may have put anything there: so no symbolic link
    /// below it is followed.
    ///
    /// # Errors
    /// One of the directories cannot be made, or is not a directory.
    pub fn create(
        sandbox: BorrowedFd<'_>,
        log_dir: &str,
        process: &str,
        run: u32,
        user: Option<&Credentials>,
    ) -> Result<Self, OutputError> {
        let run = run.to_string();
        let logs = directory(sandbox, log_dir, false, LOGS)?;
        let logs = directory(logs.as_fd(), process, false, LOGS)?;
        let fd = directory(logs.as_fd(), &run, true, LOGS)?;
        let owner = user.map(|user| (user.uid, user.gid));
        if let Some((uid, gid)) = owner {
            fchown(&fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
                .map_err(|errno| OutputError::new("change the owner of", run, errno))?;
        }
        Ok(Self { fd, owner })
    }

    /// Where the process is to print to, and what has to be copied for it.
    pub fn sink(&self, logger: &Logger, stream: Stream) -> Sink<'_> {
        match (logger.destination, logger.mode) {
            (Destination::File, LoggerMode::Standard) => Sink::File(self.fd.as_fd(), stream.name()),
            (Destination::Console, _) => Sink::Inherit,
            (Destination::File | Destination::Both | Destination::None, _) => Sink::Pipe,
        }
    }

    /// Copies what comes from the other end of `pipe` to where the logger says, until that end is
    /// closed. What cannot be written is dropped with a message in the log, so that the process is
    /// never stopped by it.
    ///
    /// # Errors
    /// The pipe cannot be watched.
    pub fn copy(
        self: std::sync::Arc<Self>,
        logger: &Logger,
        stream: Stream,
        pipe: OwnedFd,
    ) -> Result<impl Future<Output = ()> + Send + use<>, OutputError> {
        let receiver = pipe::Receiver::from_owned_fd(pipe)
            .map_err(|error| OutputError::new("read", "pipe", error))?;
        let rotate = match logger.mode {
            LoggerMode::Standard => None,
            LoggerMode::Rotate { size, backups } => Some((size, backups)),
        };
        let file = match logger.destination {
            Destination::None | Destination::Console => None,
            Destination::File | Destination::Both => LogFile::create(self, stream, rotate)
                .inspect_err(|error| tracing::error!(%error, "output is not kept"))
                .ok(),
        };
        let console = logger.destination == Destination::Both;
        Ok(copy(receiver, file, console.then_some(stream)))
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Makes a directory within another one, unless it may be there already, and opens it.
fn directory(
    parent: BorrowedFd<'_>,
    name: impl AsRef<Path>,
    new: bool,
    mode: Mode,
) -> Result<OwnedFd, OutputError> {
    let name = name.as_ref();
    match mkdirat(parent, name, mode) {
        Ok(()) => {}
        Err(Errno::EXIST) if !new => {}
        Err(errno) => return Err(OutputError::new("create directory", name, errno)),
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    openat(parent, name, flags, Mode::empty())
        .map_err(|errno| OutputError::new("open directory", name, errno))
}

/// Makes a sandbox, which must be new, and opens it. It belongs to `user`, and is nobody else's to look into.
///
/// Whoever may write to its parent can put something else in its place at once: a link is not
/// followed, and what is not empty or not ours is not given away.
///
/// # Errors
/// There is something of its name already, or it cannot be made.
pub fn create_sandbox(path: &Path, user: Option<&Credentials>) -> Result<OwnedFd, OutputError> {
    let fd = directory(rustix::fs::CWD, path, true, Mode::RWXU)?;
    let Some(user) = user.filter(|user| !user.is_current()) else { return Ok(fd) };
    let stat = rustix::fs::fstat(&fd).map_err(|e| OutputError::new("look at", path, e))?;
    let is_ours = Uid::from_raw(stat.st_uid) == rustix::process::geteuid();
    let failed = |errno| OutputError::new("list", path, errno);
    let mut entries = rustix::fs::Dir::read_from(&fd).map_err(failed)?;
    let is_empty = entries
        .all(|entry| entry.is_ok_and(|entry| matches!(entry.file_name().to_bytes(), b"." | b"..")));
    if !is_ours || !is_empty {
        return Err(OutputError::new("take", path, Errno::EXIST));
    }
    fchown(&fd, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))
        .map_err(|errno| OutputError::new("change the owner of", path, errno))?;
    Ok(fd)
}

async fn copy(pipe: pipe::Receiver, mut file: Option<LogFile>, console: Option<Stream>) {
    let mut buffer = vec![0; READ];
    loop {
        let read = match pipe.readable().await {
            Ok(()) => pipe.try_read(&mut buffer),
            Err(error) => Err(error),
        };
        let bytes = match read {
            Ok(0) => return,
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => {
                tracing::error!(%error, "failed to read the output of a process");
                return;
            }
        };
        if let Some(log) = &mut file {
            log.write(bytes);
        }
        let written = match console {
            Some(Stream::Stdout) => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Some(Stream::Stderr) => io::stderr().lock().write_all(bytes),
            None => Ok(()),
        };
        if let Err(error) = written {
            tracing::warn!(%error, "failed to copy the output of a process to the console");
        }
        // A process that prints without end must not keep the others waiting.
        tokio::task::yield_now().await;
    }
}

/// A log file and its backups `name.1`, `name.2`, …, the highest being the oldest.
#[derive(Debug)]
struct LogFile {
    directory: std::sync::Arc<RunDirectory>,
    name: &'static str,
    file: File,
    position: u64,
    rotate: Option<(u64, u32)>,
    complained: bool,
}

impl LogFile {
    fn create(
        directory: std::sync::Arc<RunDirectory>,
        stream: Stream,
        rotate: Option<(u64, u32)>,
    ) -> Result<Self, OutputError> {
        let name = stream.name();
        let file = create(&directory, name)
            .map_err(|errno| OutputError::new("create log file", name, errno))?;
        Ok(Self { directory, name, file, position: 0, rotate, complained: false })
    }

    /// Writes all bytes, beginning a new file whenever one is full.
    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let fits = match self.rotate {
                Some((size, _)) => {
                    usize::try_from(size.saturating_sub(self.position)).unwrap_or(usize::MAX)
                }
                None => usize::MAX,
            };
            let (now, later) = bytes.split_at(fits.min(bytes.len()));
            if let Err(error) = self.file.write_all(now) {
                self.complain("write to", &error);
                return;
            }
            self.position += now.len() as u64;
            bytes = later;
            if let Some((size, backups)) = self.rotate
                && self.position >= size
                && let Err(errno) = self.rotate(backups)
            {
                self.complain("rotate", &errno.into());
                // Going on in the same file loses nothing.
                self.position = 0;
            }
        }
    }

    fn rotate(&mut self, backups: u32) -> Result<(), Errno> {
        let dir = self.directory.as_fd();
        let name = |number| match number {
            0 => self.name.to_owned(),
            number => format!("{}.{number}", self.name),
        };
        for number in (0..backups).rev() {
            match renameat(dir, name(number), dir, name(number + 1)) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        self.file = create(&self.directory, self.name)?;
        self.position = 0;
        Ok(())
    }

    fn complain(&mut self, action: &str, error: &io::Error) {
        if !self.complained {
            self.complained = true;
            tracing::error!(%error, "failed to {action} the log file {:?}", self.name);
        }
    }
}

/// Creates a file anew. Whatever has its name is removed first, so that neither a link that the
/// user put there is followed nor another file of theirs is written to.
fn create(directory: &RunDirectory, name: &str) -> Result<File, Errno> {
    match rustix::fs::unlinkat(directory.as_fd(), name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::APPEND | OFlags::CLOEXEC;
    let file = openat(directory.as_fd(), name, flags, Mode::from_raw_mode(0o644))?;
    if let Some((uid, gid)) = directory.owner {
        fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::{LogFile, RunDirectory};
    use crate::view::Stream;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn what_is_kept_is_the_end_of_what_was_written(
            size in 20..300u64,
            backups in 1..6u32,
            writes in prop::collection::vec(0..700usize, 0..12),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let fd = File::open(folder.path()).unwrap().into();
            let directory = Arc::new(RunDirectory { fd, owner: None });
            let mut log =
                LogFile::create(directory, Stream::Stdout, Some((size, backups))).unwrap();
            let mut written: Vec<u8> = Vec::new();
            for length in writes {
                let from = written.len();
                written.extend((from..from + length).map(|place| (place % 251) as u8));
                log.write(&written[from..]);
            }
            let names = (1..=backups).rev().map(|number| format!("stdout.{number}"));
            let mut kept: Vec<u8> = Vec::new();
            for name in names.filter(|name| folder.path().join(name).exists()) {
                let file = std::fs::read(folder.path().join(name)).unwrap();
                prop_assert_eq!(file.len() as u64, size);
                kept.extend(file);
            }
            let last = std::fs::read(folder.path().join("stdout")).unwrap();
            prop_assert!((last.len() as u64) < size);
            kept.extend(last);
            prop_assert!(written.ends_with(&kept));
            let most = usize::try_from(size * u64::from(backups)).unwrap();
            prop_assert!(kept.len() >= written.len().min(most));
            let older = format!("stdout.{}", backups + 1);
            prop_assert!(!folder.path().join(older).exists());
        }
    }
}
