//! Places in an image, whatever its links say.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, open, openat, openat2};
use rustix::io::Errno;

/// The root of an image. Its links lead to places in it: one that leads elsewhere in the machine is below the
/// root all the same, and magic links, as procfs has them, lead nowhere.
pub(super) struct Root(OwnedFd);

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Root {
    /// The root of this thread.
    pub(super) fn open() -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(open("/", flags, Mode::empty())?))
    }

    /// A folder of this absolute path, made with those around it if it is not there.
    pub(super) fn folder(&self, path: &Path) -> io::Result<OwnedFd> {
        match self.find(path, OFlags::DIRECTORY) {
            Err(Errno::NOENT) => {}
            found => return Ok(found?),
        }
        let (parent, name) = self.around(path)?;
        mkdirat(&parent, name, Mode::from_raw_mode(0o755))?;
        // What was made just now is no link.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&parent, name, flags, Mode::empty())?)
    }

    /// A file of this absolute path, made empty, with the folders around it, if it is not there.
    pub(super) fn file(&self, path: &Path) -> io::Result<OwnedFd> {
        match self.find(path, OFlags::empty()) {
            Err(Errno::NOENT) => {}
            found => return Ok(found?),
        }
        let (parent, name) = self.around(path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&parent, name, flags, Mode::from_raw_mode(0o644))?)
    }

    /// Makes a folder directly below the root.
    pub(super) fn make_folder(&self, name: &str) -> io::Result<()> {
        Ok(mkdirat(&self.0, name, Mode::from_raw_mode(0o755))?)
    }

    fn find(&self, path: &Path, more: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::PATH | OFlags::CLOEXEC | more;
        openat2(&self.0, path, flags, Mode::empty(), resolve)
    }

    /// The folder that holds a path, and the path's name in it.
    fn around<'a>(&self, path: &'a Path) -> io::Result<(OwnedFd, &'a std::ffi::OsStr)> {
        let named = match path.components().next_back() {
            Some(Component::Normal(name)) => path.parent().map(|parent| (parent, name)),
            _ => None,
        };
        let (parent, name) = named.ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.folder(parent)?, name))
    }
}
