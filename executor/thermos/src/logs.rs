//! Following what a process prints, as `tail -f` does.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

/// The most that one call reads, in bytes.
const CHUNK: usize = 64 << 10;

/// Reads a file as it grows. The file need not be there yet; one that is rotated or truncated is
/// read from its beginning again.
///
/// The file's directory belongs to the job, who may put anything there: no link is followed out of
/// the root, and nothing but a regular file is read.
#[derive(Debug)]
pub struct Follower {
    root: PathBuf,
    below: PathBuf,
    file: Option<(File, u64)>,
    offset: u64,
}

impl Follower {
    /// Follows a file below a directory from its beginning.
    pub fn new(root: impl Into<PathBuf>, below: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), below: below.into(), file: None, offset: 0 }
    }

    /// Follows a file from what is its end now.
    pub fn from_end(root: impl Into<PathBuf>, below: impl Into<PathBuf>) -> Self {
        Self::near_end(root, below, 0)
    }

    /// Follows a file from so many bytes before what is its end now.
    pub fn near_end(root: impl Into<PathBuf>, below: impl Into<PathBuf>, before: u64) -> Self {
        let mut follower = Self::new(root, below);
        // A file that is not there yet will be new altogether.
        let found = follower.open().and_then(|file| file.metadata());
        follower.offset = found.map_or(0, |found| found.len().saturating_sub(before));
        follower
    }

    fn open(&self) -> io::Result<File> {
        open(&self.root, &self.below)
    }

    /// What has been added since the last call, at most 64 KiB of it; empty if nothing.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        let current = match self.open() {
            Ok(file) => {
                let inode = file.metadata()?.ino();
                Some((file, inode))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let (file, moved) = match (self.file.take(), current) {
            // Another file has the name now. It was looked up before the old one is read, so
            // nothing comes to the old one when that has been read to its end.
            (Some(old), Some(new)) if old.1 != new.1 => (old, Some(new)),
            (Some(old), _) => (old, None),
            (None, Some(new)) => (new, None),
            (None, None) => return Ok(Vec::new()),
        };
        let mut bytes = self.read_on(&file.0)?;
        self.file = Some(file);
        if bytes.is_empty()
            && let Some(new) = moved
        {
            self.offset = 0;
            bytes = self.read_on(&new.0)?;
            self.file = Some(new);
        }
        Ok(bytes)
    }

    fn read_on(&mut self, file: &File) -> io::Result<Vec<u8>> {
        if file.metadata()?.len() < self.offset {
            self.offset = 0;
        }
        let mut bytes = vec![0; CHUNK];
        let read = file.read_at(&mut bytes, self.offset)?;
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

    use super::Follower;

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
