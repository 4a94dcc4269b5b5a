//! Following what a process prints, as `tail -f` does.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

/// The most that one call reads, in bytes.
const CHUNK: usize = 64 << 10;

/// What has come to a file that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// More of it, at most 64 KiB.
    Bytes(Vec<u8>),
    /// What comes next is from the beginning of a file.
    Restart(Restart),
}

/// Why a file is read from its beginning again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// It is shorter than what was read of it.
    Truncated,
    /// Another file has its name, and the old one was read to its end.
    Rotated,
}

/// Reads a file as it grows. The file need not be there yet; one that is rotated or truncated is
/// read from its beginning again.
pub struct Follower {
    open: Box<dyn Fn() -> io::Result<File> + Send + Sync>,
    held: Option<Held>,
    /// Which file the offset is of, if that is known before it is opened.
    expected: Option<u64>,
    offset: u64,
}

/// A file, and what tells it from another one of its name.
#[derive(Debug)]
struct Held {
    file: File,
    inode: u64,
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { open: _, held, expected, offset } = self;
        f.debug_struct("Follower")
            .field("held", held)
            .field("expected", expected)
            .field("offset", offset)
            .finish()
    }
}

impl Follower {
    /// Follows a file below a directory from its beginning.
    ///
    /// The file's directory belongs to the job, who may put anything there: no link is followed out
    /// of the root, and nothing but a regular file is read.
    pub fn new(root: impl Into<PathBuf>, below: impl Into<PathBuf>) -> Self {
        let (root, below) = (root.into(), below.into());
        Self::of(move || open(&root, &below), 0, None)
    }

    /// Follows a file from what is its end now.
    pub fn from_end(root: impl Into<PathBuf>, below: impl Into<PathBuf>) -> Self {
        Self::near_end(root, below, 0)
    }

    /// Follows a file from so many bytes before what is its end now.
    pub fn near_end(root: impl Into<PathBuf>, below: impl Into<PathBuf>, before: u64) -> Self {
        let mut follower = Self::new(root, below);
        // A file that is not there yet will be new altogether.
        let found = (follower.open)().and_then(|file| file.metadata());
        follower.offset = found.map_or(0, |found| found.len().saturating_sub(before));
        follower
    }

    /// Follows what `open` opens, from an offset on. `inode` is that of the file that the offset is
    /// of, if that is known: another one is read from its beginning.
    pub fn of(
        open: impl Fn() -> io::Result<File> + Send + Sync + 'static,
        offset: u64,
        inode: Option<u64>,
    ) -> Self {
        Self { open: Box::new(open), held: None, expected: inode, offset }
    }

    /// Where it reads on, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The inode of the file that is read; none until there is one.
    pub fn inode(&self) -> Option<u64> {
        self.held.as_ref().map(|held| held.inode)
    }

    /// What has been added since the last call, at most 64 KiB of it; empty if nothing.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        let came = match self.step()? {
            Some(Came::Restart(_)) => self.step()?,
            came => came,
        };
        match came {
            Some(Came::Bytes(bytes)) => Ok(bytes),
            Some(Came::Restart(_)) | None => Ok(Vec::new()),
        }
    }

    /// What has come since the last call; nothing if nothing has.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn step(&mut self) -> io::Result<Option<Came>> {
        // Looked up before the old file is read: after that nothing comes to the old one.
        let current = self.look()?;
        let known = self.inode().or(self.expected);
        if let Some(new) = current {
            if known.is_some_and(|known| known != new.inode) {
                let rest = self.read_held()?;
                if !rest.is_empty() {
                    return Ok(Some(Came::Bytes(rest)));
                }
                (self.held, self.offset) = (Some(new), 0);
                return Ok(Some(Came::Restart(Restart::Rotated)));
            }
            self.held = Some(new);
        }
        let Some(held) = &self.held else { return Ok(None) };
        if held.file.metadata()?.len() < self.offset {
            self.offset = 0;
            return Ok(Some(Came::Restart(Restart::Truncated)));
        }
        let bytes = self.read_held()?;
        Ok((!bytes.is_empty()).then_some(Came::Bytes(bytes)))
    }

    fn look(&self) -> io::Result<Option<Held>> {
        match (self.open)() {
            Ok(file) => {
                let inode = file.metadata()?.ino();
                Ok(Some(Held { file, inode }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read_held(&mut self) -> io::Result<Vec<u8>> {
        let Some(held) = &self.held else { return Ok(Vec::new()) };
        let mut bytes = vec![0; CHUNK];
        let read = held.file.read_at(&mut bytes, self.offset)?;
        bytes.truncate(read);
        self.offset += read as u64;
        Ok(bytes)
    }
}

/// Opens a regular file below a directory whose content is not to be trusted.
fn open(root: &Path, below: &Path) -> io::Result<File> {
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::open(root, folder, Mode::empty())?;
    // Opening a pipe must not wait for its other end.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let file = File::from(openat2(root, below, flags, Mode::empty(), resolve)?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// The end of a file below a directory, at most `len` bytes of it, and whether that is all of it. As
/// with [`Follower`], no link leads out of the directory.
///
/// # Errors
/// There is no such file, or it cannot be read.
pub fn tail(root: &Path, below: &Path, len: u64) -> io::Result<(Vec<u8>, bool)> {
    let file = open(root, below)?;
    let from = file.metadata()?.len().saturating_sub(len);
    let mut bytes = Vec::new();
    let mut end = &file;
    end.seek(SeekFrom::Start(from))?;
    end.take(len).read_to_end(&mut bytes)?;
    Ok((bytes, from == 0))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{Came, Follower, Restart};

    #[test]
    fn growth_rotation_and_absence_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stdout");
        let mut follower = Follower::new(folder.path(), "stdout");
        assert!(follower.read().unwrap().is_empty());
        let mut first = std::fs::File::create(&path).unwrap();
        first.write_all(b"one").unwrap();
        assert_eq!(follower.read().unwrap(), b"one");
        assert!(follower.read().unwrap().is_empty());
        first.write_all(b"more").unwrap();
        std::fs::rename(&path, folder.path().join("stdout.1")).unwrap();
        std::fs::write(&path, "two").unwrap();
        assert_eq!(follower.read().unwrap(), b"more", "the end of the old file is not lost");
        assert_eq!(follower.read().unwrap(), b"two");
        std::fs::write(&path, "3").unwrap();
        assert_eq!(follower.read().unwrap(), b"3", "a file that was cut begins anew");
        let mut late = Follower::from_end(folder.path(), "stdout");
        assert!(late.read().unwrap().is_empty());
    }

    #[test]
    fn why_a_file_is_read_anew_is_told_and_where_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let open = move |path: &std::path::Path| {
            let path = path.to_owned();
            move || std::fs::File::open(&path)
        };
        let bytes = |text: &str| Some(Came::Bytes(text.into()));
        std::fs::write(&path, "one").unwrap();
        let mut follower = Follower::of(open(&path), 1, None);
        assert_eq!(follower.inode(), None);
        assert_eq!(follower.step().unwrap(), bytes("ne"));
        assert_eq!(follower.step().unwrap(), None);
        let (inode, offset) = (follower.inode().unwrap(), follower.offset());
        assert_eq!(offset, 3);
        std::fs::write(&path, "x").unwrap();
        assert_eq!(follower.step().unwrap(), Some(Came::Restart(Restart::Truncated)));
        assert_eq!(follower.step().unwrap(), bytes("x"));
        std::fs::rename(&path, path.with_extension("1")).unwrap();
        std::fs::write(&path, "new").unwrap();
        assert_eq!(follower.step().unwrap(), Some(Came::Restart(Restart::Rotated)));
        assert_eq!(follower.step().unwrap(), bytes("new"));
        // Who comes again with an offset of the old file begins with the new one.
        let mut resumed = Follower::of(open(&path), offset, Some(inode));
        assert_eq!(resumed.step().unwrap(), Some(Came::Restart(Restart::Rotated)));
        assert_eq!(resumed.step().unwrap(), bytes("new"));
        let mut resumed = Follower::of(open(&path), 2, follower.inode());
        assert_eq!(resumed.step().unwrap(), bytes("w"));
    }

    #[test]
    fn neither_links_to_the_outside_nor_pipes_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("sandbox");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(folder.path().join("secret"), "no").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
        nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(Follower::new(&root, "link").read().is_err());
        assert!(Follower::new(&root, "pipe").read().unwrap().is_empty());
        std::os::unix::fs::symlink(folder.path(), folder.path().join("swapped")).unwrap();
        assert!(Follower::new(folder.path().join("swapped"), "secret").read().is_err());
    }
}
