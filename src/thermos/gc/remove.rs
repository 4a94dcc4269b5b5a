//! Deleting and measuring folders whose content is not to be trusted: all is done below open
//! folders, no link is followed, and no other file system is entered.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use aurora_thermos::disk;
use rustix::fs::{
    AtFlags, CWD, Dir, Mode, OFlags, RenameFlags, ResolveFlags, fstat, openat2, renameat_with,
    unlinkat,
};
use rustix::io::Errno;

/// How deep folders are gone into at once. What lies deeper is brought up first.
const MAX_DEPTH: usize = 64;
/// How often that is done before it is given up.
const MAX_PASSES: usize = 10_000;
/// How many things that could not be deleted are told.
const MAX_ERRORS: usize = 20;

/// A folder, and where it hangs.
#[derive(Debug)]
pub(super) struct Folder {
    parent: OwnedFd,
    name: OsString,
    fd: OwnedFd,
}

fn folder_at(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    Ok(openat2(parent, name, flags, Mode::empty(), resolve)?)
}

impl Folder {
    /// Opens a folder. No part of its path may be a link.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let (Some(parent), Some(name), true) =
            (path.parent(), path.file_name(), path.is_absolute())
        else {
            return Err(io::Error::other("this is no path of a folder to delete"));
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = openat2(CWD, parent, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
        let fd = folder_at(parent.as_fd(), name)?;
        Ok(Self { parent, name: name.to_owned(), fd })
    }

    /// The user id of its owner.
    pub(super) fn owner(&self) -> io::Result<u32> {
        Ok(fstat(&self.fd)?.st_uid)
    }

    /// Whether there is anything in it but the entry `keep`; or if that cannot be seen.
    pub(super) fn has_more_than(&self, keep: Option<&OsStr>) -> bool {
        names(self.fd.as_fd()).map_or(true, |names| names.iter().any(|name| keep != Some(os(name))))
    }

    /// How many bytes of the disk its content takes, but for the entry `keep`. What cannot be
    /// looked at does not count.
    pub(super) fn size(&self, keep: Option<&OsStr>) -> u64 {
        let found = disk::used(&self.fd, keep, || false).ok().flatten();
        found.map_or(0, |found| found.bytes)
    }

    /// Deletes all that is in it, but for the entry `keep`; and itself if there is none to keep.
    ///
    /// # Errors
    /// What could not be deleted, and why. All else is.
    pub(super) fn delete(&self, keep: Option<&OsStr>) -> Result<(), Vec<String>> {
        let mut deletion = Deletion { top: self.fd.as_fd(), moved: 0, errors: Vec::new() };
        for _ in 0..MAX_PASSES {
            let before = deletion.moved;
            deletion.clear(self.fd.as_fd(), Path::new(""), keep, 0);
            if deletion.moved == before {
                break;
            }
        }
        if deletion.errors.is_empty()
            && keep.is_none()
            && let Err(errno) = unlinkat(&self.parent, &self.name, AtFlags::REMOVEDIR)
        {
            deletion.failed(Path::new(&self.name), errno.into());
        }
        if deletion.errors.is_empty() { Ok(()) } else { Err(deletion.errors) }
    }
}

/// The names in a folder.
fn names(folder: BorrowedFd<'_>) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    Ok(names)
}

fn os(name: &CString) -> &OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(name.to_bytes())
}

struct Deletion<'a> {
    top: BorrowedFd<'a>,
    /// How many folders were brought up to the top.
    moved: u64,
    errors: Vec<String>,
}

impl Deletion<'_> {
    fn failed(&mut self, path: &Path, error: io::Error) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(format!("failed to delete {}: {error}", path.display()));
        }
    }

    fn clear(&mut self, folder: BorrowedFd<'_>, path: &Path, keep: Option<&OsStr>, depth: usize) {
        let names = match names(folder) {
            Ok(names) => names,
            Err(error) => return self.failed(path, error),
        };
        for name in &names {
            let name = os(name);
            if keep == Some(name) {
                continue;
            }
            let path = path.join(name);
            match unlinkat(folder, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => continue,
                // What a folder answers.
                Err(Errno::ISDIR | Errno::PERM) => {}
                Err(errno) => {
                    self.failed(&path, errno.into());
                    continue;
                }
            }
            if depth == MAX_DEPTH {
                self.bring_up(folder, name, &path);
                continue;
            }
            let inner = match folder_at(folder, name) {
                Ok(inner) => inner,
                Err(error) => {
                    self.failed(&path, error);
                    continue;
                }
            };
            let failed_before = self.errors.len();
            let moved_before = self.moved;
            self.clear(inner.as_fd(), &path, None, depth + 1);
            match unlinkat(folder, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                // Why it is not empty has been said.
                Err(Errno::NOTEMPTY)
                    if self.errors.len() > failed_before || self.moved > moved_before => {}
                Err(errno) => self.failed(&path, errno.into()),
            }
        }
    }

    /// Moves a folder to the top, whence the next pass gets deeper into it.
    fn bring_up(&mut self, folder: BorrowedFd<'_>, name: &OsStr, path: &Path) {
        for _ in 0..MAX_PASSES {
            self.moved += 1;
            let new = format!(".deep-{}", self.moved);
            match renameat_with(folder, name, self.top, &new, RenameFlags::NOREPLACE) {
                Ok(()) => return,
                Err(Errno::EXIST) => {}
                Err(errno) => return self.failed(path, errno.into()),
            }
        }
        self.failed(path, Errno::EXIST.into());
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn all_goes_but_what_links_lead_to_and_what_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let sandbox = home.join("sandbox");
        std::fs::create_dir_all(sandbox.join("a/b")).unwrap();
        std::fs::create_dir_all(sandbox.join(".logs/p/0")).unwrap();
        std::fs::create_dir_all(home.join("others")).unwrap();
        std::fs::write(home.join("others/secret"), "x").unwrap();
        std::fs::write(sandbox.join("a/b/file"), vec![1; 10_000]).unwrap();
        std::fs::write(sandbox.join(".logs/p/0/stdout"), "said").unwrap();
        symlink(home.join("others"), sandbox.join("a/link")).unwrap();
        symlink("/nowhere", sandbox.join("dangling")).unwrap();
        let folder = Folder::open(&sandbox).unwrap();
        let logs = OsStr::new(".logs");
        assert!(folder.size(Some(logs)) >= 10_000);
        folder.delete(Some(logs)).unwrap();
        let left: Vec<_> =
            std::fs::read_dir(&sandbox).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".logs"]);
        folder.delete(None).unwrap();
        assert!(!sandbox.exists());
        assert!(home.join("others/secret").exists());
        symlink(home.join("others"), home.join("swapped")).unwrap();
        assert!(Folder::open(&home.join("swapped")).is_err());
        assert!(Folder::open(&home.join("swapped/inner")).is_err());
        for path in ["/", "relative", "/.."] {
            assert!(Folder::open(Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn folders_in_folders_go_however_deep_they_are() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let sandbox = home.join("sandbox");
        std::fs::create_dir(&sandbox).unwrap();
        let mut folder: OwnedFd = std::fs::File::open(&sandbox).unwrap().into();
        for _ in 0..4 * MAX_DEPTH {
            rustix::fs::mkdirat(&folder, "d", Mode::RWXU).unwrap();
            folder = folder_at(folder.as_fd(), OsStr::new("d")).unwrap();
        }
        drop(folder);
        let folder = Folder::open(&sandbox).unwrap();
        folder.size(None);
        folder.delete(None).unwrap();
        assert!(!sandbox.exists());
    }
}
