//! Deleting folders whose content is not to be trusted: all is done below open folders, no link is
//! followed, and no other file system is entered.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Stat, chmod, fchmod,
    fstat, openat2, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

/// How deep folders are gone into at once. What lies deeper is brought up first.
const MAX_DEPTH: usize = 64;
/// How often that is done before it is given up.
const MAX_PASSES: usize = 10_000;
/// How many things that could not be deleted are told.
const MAX_ERRORS: usize = 20;
/// The unit of `st_blocks`, in bytes.
const BLOCK: u64 = 512;

/// How a folder that is entered is resolved.
const INSIDE: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_XDEV);

/// A folder, and where it hangs.
#[derive(Debug)]
pub struct Folder {
    parent: OwnedFd,
    name: OsString,
    fd: OwnedFd,
}

/// What a deletion has done.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// How many bytes of the disk are free again, in allocated blocks as `du` counts them. A file
    /// that has other names frees nothing.
    pub bytes: u64,
    /// How many files and folders are gone.
    pub files: u64,
    /// What could not be deleted, and why: the first 20.
    pub errors: Vec<String>,
    /// Whether it was told to end before all was deleted.
    pub stopped: bool,
}

impl Deleted {
    /// Whether nothing is left.
    pub fn is_all(&self) -> bool {
        self.errors.is_empty() && !self.stopped
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Folder {
    /// Opens a folder. No part of its path may be a link.
    ///
    /// # Errors
    /// It is not there, no folder, not to be opened, or something is mounted on it.
    pub fn open(path: &Path) -> io::Result<Self> {
        if !path.is_absolute() {
            return Err(no_path());
        }
        let (parent, name) = split(path)?;
        let parent = parent_at(CWD, parent, ResolveFlags::NO_SYMLINKS)?;
        let fd = folder_at(parent.as_fd(), name)?;
        Ok(Self { parent, name: name.to_owned(), fd })
    }

    /// Opens a folder below an open one, to be deleted: one that its owner, who is this process's
    /// user, has closed to himself is made his again. No part of its path may be a link, or a place
    /// where something is mounted.
    ///
    /// # Errors
    /// Those of [`Folder::open`]; it is not below `top`.
    pub fn beneath(top: impl AsFd, path: &Path) -> io::Result<Self> {
        let (parent, name) = split(path)?;
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let parent = parent_at(top.as_fd(), parent, INSIDE)?;
        let fd = enter(parent.as_fd(), name)?;
        Ok(Self { parent, name: name.to_owned(), fd })
    }

    /// The user id of its owner.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn owner(&self) -> io::Result<u32> {
        Ok(fstat(&self.fd)?.st_uid)
    }

    /// Whether there is anything in it but the entry `keep`; or if that cannot be seen.
    pub fn has_more_than(&self, keep: Option<&OsStr>) -> bool {
        let other = |name: io::Result<CString>| name.map_or(true, |name| keep != Some(os(&name)));
        names(self.fd.as_fd()).map_or(true, |mut names| names.any(other))
    }

    /// Deletes all that is in it, but for the entry `keep`; and itself if there is none to keep. What
    /// cannot be deleted is left, and everything else goes.
    ///
    /// `is_over` is asked at every file, and ends it early. Blocks.
    pub fn delete(&self, keep: Option<&OsStr>, is_over: &dyn Fn() -> bool) -> Deleted {
        let mut deletion = Deletion {
            top: self.fd.as_fd(),
            moved: 0,
            tried: 0,
            done: Deleted::default(),
            is_over,
        };
        let mode = fstat(&self.fd).map(|stat| Mode::from_raw_mode(stat.st_mode));
        own(self.fd.as_fd());
        for _ in 0..MAX_PASSES {
            let before = deletion.moved;
            deletion.clear(self.fd.as_fd(), Path::new(""), keep, 0);
            if deletion.moved == before || deletion.done.stopped {
                break;
            }
        }
        if deletion.done.is_all() && keep.is_none() {
            match unlinkat(&self.parent, &self.name, AtFlags::REMOVEDIR) {
                Ok(()) => deletion.done.files += 1,
                Err(Errno::NOENT) => {}
                Err(errno) => deletion.failed(Path::new(&self.name), errno.into()),
            }
        }
        // What stays is for whom it was.
        if let (Ok(mode), true) = (mode, keep.is_some()) {
            let _ = fchmod(&self.fd, mode);
        }
        deletion.done
    }
}

fn no_path() -> io::Error {
    io::Error::other("this is no path of a folder to delete")
}

fn split(path: &Path) -> io::Result<(&Path, &OsStr)> {
    path.parent().zip(path.file_name()).ok_or_else(no_path)
}

fn parent_at(top: BorrowedFd<'_>, path: &Path, resolve: ResolveFlags) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat2(top, path, flags, Mode::empty(), resolve).map_err(told)
}

fn folder_at(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat2(parent, name, flags, Mode::empty(), INSIDE).map_err(told)
}

/// Opens a folder to delete what is in it.
fn enter(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let folder = match folder_at(parent, name) {
        Err(error) if error.raw_os_error() == Some(Errno::ACCESS.raw_os_error()) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let closed = openat2(parent, name, flags, Mode::empty(), INSIDE).map_err(told)?;
            // By this name it is what was opened, whatever has come into its place.
            chmod(format!("/proc/self/fd/{}", closed.as_raw_fd()), Mode::RWXU)?;
            folder_at(parent, name)?
        }
        opened => opened?,
    };
    own(folder.as_fd());
    Ok(folder)
}

/// Lets the owner of a folder delete what is in it, as programs make folders that nobody may write to.
fn own(folder: BorrowedFd<'_>) {
    let closed = |stat: &Stat| !Mode::from_raw_mode(stat.st_mode).contains(Mode::RWXU);
    if fstat(folder).as_ref().is_ok_and(closed) {
        // Who may not is told so when something is deleted from it.
        let _ = fchmod(folder, Mode::RWXU);
    }
}

/// An error with what to do about it, where there is something.
fn told(errno: Errno) -> io::Error {
    match errno {
        Errno::XDEV => io::Error::new(
            io::ErrorKind::CrossesDevices,
            "something is mounted there; it can go once that is unmounted",
        ),
        Errno::PERM => io::Error::new(
            io::ErrorKind::PermissionDenied,
            "not permitted; `lsattr` shows whether it is immutable, `chattr -i -a` ends that",
        ),
        errno => errno.into(),
    }
}

/// The names in a folder, some at a time: there may be more than fit into memory.
fn names(folder: BorrowedFd<'_>) -> io::Result<impl Iterator<Item = io::Result<CString>>> {
    let names = Dir::read_from(folder)?.map(|entry| Ok(entry?.file_name().to_owned()));
    let itself = |name: &CString| matches!(name.to_bytes(), b"." | b"..");
    Ok(names.filter(move |name| !name.as_ref().is_ok_and(itself)))
}

fn os(name: &CString) -> &OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(name.to_bytes())
}

struct Deletion<'a> {
    top: BorrowedFd<'a>,
    /// How many folders were brought up to the top, and how many names were tried for that.
    moved: u64,
    tried: u64,
    done: Deleted,
    is_over: &'a dyn Fn() -> bool,
}

impl Deletion<'_> {
    fn failed(&mut self, path: &Path, error: io::Error) {
        if self.done.errors.len() < MAX_ERRORS {
            self.done.errors.push(format!("failed to delete {}: {error}", path.display()));
        }
    }

    fn clear(&mut self, folder: BorrowedFd<'_>, path: &Path, keep: Option<&OsStr>, depth: usize) {
        let names = match names(folder) {
            Ok(names) => names,
            Err(error) => return self.failed(path, error),
        };
        for name in names {
            let name = match &name {
                Ok(name) => os(name),
                Err(error) => {
                    return self.failed(path, io::Error::new(error.kind(), error.to_string()));
                }
            };
            if keep == Some(name) {
                continue;
            }
            if self.done.stopped || (self.is_over)() {
                self.done.stopped = true;
                return;
            }
            let path = path.join(name);
            let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(errno) => {
                    self.failed(&path, errno.into());
                    continue;
                }
            };
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                self.remove_folder(folder, name, &path, depth);
                continue;
            }
            match unlinkat(folder, name, AtFlags::empty()) {
                Ok(()) => {
                    self.done.files += 1;
                    if stat.st_nlink == 1 {
                        let blocks = u64::try_from(stat.st_blocks).unwrap_or(0);
                        self.done.bytes += blocks.saturating_mul(BLOCK);
                    }
                }
                Err(Errno::NOENT) => {}
                Err(errno) => self.failed(&path, told(errno)),
            }
        }
    }

    fn remove_folder(&mut self, folder: BorrowedFd<'_>, name: &OsStr, path: &Path, depth: usize) {
        if depth == MAX_DEPTH {
            self.bring_up(folder, name, path);
            return;
        }
        let inner = match enter(folder, name) {
            Ok(inner) => inner,
            Err(error) => return self.failed(path, error),
        };
        let failed_before = self.done.errors.len();
        let moved_before = self.moved;
        self.clear(inner.as_fd(), path, None, depth + 1);
        if self.done.stopped {
            return;
        }
        match unlinkat(folder, name, AtFlags::REMOVEDIR) {
            Ok(()) => self.done.files += 1,
            Err(Errno::NOENT) => {}
            // Why it is not empty has been said.
            Err(Errno::NOTEMPTY)
                if self.done.errors.len() > failed_before || self.moved > moved_before => {}
            Err(errno) => self.failed(path, told(errno)),
        }
    }

    /// Moves a folder to the top, whence the next pass gets deeper into it.
    fn bring_up(&mut self, folder: BorrowedFd<'_>, name: &OsStr, path: &Path) {
        // Whoever moves a folder elsewhere has to be able to write to it.
        if let Err(error) = enter(folder, name) {
            return self.failed(path, error);
        }
        for _ in 0..MAX_PASSES {
            self.tried += 1;
            let new = format!(".deep-{}", self.tried);
            match renameat_with(folder, name, self.top, &new, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    self.moved += 1;
                    return;
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return self.failed(path, errno.into()),
            }
        }
        self.failed(path, Errno::EXIST.into());
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write as _;
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown, symlink};
    use std::process::Command;

    use super::*;

    /// A folder, and one in it to be deleted.
    fn sandbox() -> (tempfile::TempDir, std::path::PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let sandbox = home.path().canonicalize().unwrap().join("sandbox");
        std::fs::create_dir(&sandbox).unwrap();
        (home, sandbox)
    }

    fn never() -> bool {
        false
    }

    #[test]
    fn all_goes_but_what_links_lead_to_and_what_is_kept() {
        let (_home, sandbox) = sandbox();
        let home = sandbox.parent().unwrap();
        std::fs::create_dir_all(sandbox.join("a/b")).unwrap();
        std::fs::create_dir_all(sandbox.join(".logs/p/0")).unwrap();
        std::fs::create_dir_all(home.join("others")).unwrap();
        std::fs::write(home.join("others/secret"), "x").unwrap();
        std::fs::write(sandbox.join("a/b/file"), vec![1; 10_000]).unwrap();
        let blocks = std::fs::metadata(sandbox.join("a/b/file")).unwrap().blocks() * BLOCK;
        std::fs::write(home.join("others/elsewhere"), vec![1; 10_000]).unwrap();
        std::fs::hard_link(home.join("others/elsewhere"), sandbox.join("a/also")).unwrap();
        std::fs::write(sandbox.join(".logs/p/0/stdout"), "said").unwrap();
        symlink(home.join("others"), sandbox.join("a/link")).unwrap();
        symlink("/nowhere", sandbox.join("dangling")).unwrap();
        let folder = Folder::open(&sandbox).unwrap();
        let logs = OsStr::new(".logs");
        let deleted = folder.delete(Some(logs), &never);
        assert!(deleted.is_all(), "{deleted:?}");
        assert_eq!((deleted.bytes, deleted.files), (blocks, 6), "the other name frees nothing");
        let left: Vec<_> =
            std::fs::read_dir(&sandbox).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".logs"]);
        assert!(folder.delete(None, &never).is_all());
        assert!(!sandbox.exists());
        assert!(home.join("others/secret").exists());
        symlink(home.join("others"), home.join("swapped")).unwrap();
        let top = std::fs::File::open(home).unwrap();
        for path in ["swapped", "swapped/inner"] {
            assert!(Folder::open(&home.join(path)).is_err(), "{path}");
            assert!(Folder::beneath(&top, Path::new(path)).is_err(), "{path}");
        }
        for path in ["/", "relative", "/.."] {
            assert!(Folder::open(Path::new(path)).is_err(), "{path}");
        }
        for path in ["/", "", "..", "../x", "others/..", "/usr/lib"] {
            assert!(Folder::beneath(&top, Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn folders_in_folders_go_however_deep_they_are() {
        let (_home, sandbox) = sandbox();
        let mut folder: OwnedFd = std::fs::File::open(&sandbox).unwrap().into();
        for _ in 0..4 * MAX_DEPTH {
            rustix::fs::mkdirat(&folder, "d", Mode::RWXU).unwrap();
            folder = folder_at(folder.as_fd(), OsStr::new("d")).unwrap();
        }
        drop(folder);
        let deleted = Folder::open(&sandbox).unwrap().delete(None, &never);
        assert!(deleted.is_all(), "{deleted:?}");
        assert!(!sandbox.exists());
    }

    #[test]
    fn it_ends_when_it_is_told_to_and_goes_on_the_next_time() {
        let (_home, sandbox) = sandbox();
        for name in 0..10 {
            std::fs::create_dir(sandbox.join(name.to_string())).unwrap();
            std::fs::write(sandbox.join(format!("{name}/file")), "x").unwrap();
        }
        let folder = Folder::open(&sandbox).unwrap();
        let left = Cell::new(5);
        let deleted = folder.delete(None, &|| left.replace(left.get() - 1) == 0);
        assert!(deleted.stopped && !deleted.is_all() && deleted.errors.is_empty(), "{deleted:?}");
        assert!((2..=5).contains(&deleted.files), "{deleted:?}");
        assert!(folder.delete(None, &never).is_all());
        assert!(!sandbox.exists());
    }

    #[test]
    fn folders_that_their_owner_has_closed_go_too() {
        // Everything is open to root: as another user on this thread alone, who has no such right.
        let (home, sandbox) = sandbox();
        let nobody = nix::unistd::Uid::from_raw(65534);
        let is_root = nix::unistd::Uid::effective().is_root();
        if is_root {
            chown(home.path(), Some(nobody.as_raw()), None).unwrap();
            chown(&sandbox, Some(nobody.as_raw()), None).unwrap();
            nix::unistd::setfsuid(nobody);
        }
        std::fs::create_dir(sandbox.join("cache")).unwrap();
        std::fs::write(sandbox.join("cache/module"), "x").unwrap();
        std::fs::DirBuilder::new().mode(0o000).create(sandbox.join("closed")).unwrap();
        for (folder, mode) in [(sandbox.join("cache"), 0o555), (sandbox.clone(), 0o000)] {
            std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(mode))
                .unwrap();
        }
        assert!(std::fs::read_dir(&sandbox).is_err(), "it is open after all");
        let top = std::fs::File::open(home.path()).unwrap();
        let deleted = Folder::beneath(&top, Path::new("sandbox")).unwrap().delete(None, &never);
        if is_root {
            nix::unistd::setfsuid(nix::unistd::Uid::from_raw(0));
        }
        assert!(deleted.is_all(), "{deleted:?}");
        assert!(!sandbox.exists());
    }

    /// Undoes what was done to a path, however the test ends.
    struct Undo(&'static [&'static str], std::path::PathBuf);

    impl Drop for Undo {
        fn drop(&mut self) {
            // Without it only the removal of the folder fails.
            let _ = Command::new(self.0[0]).args(&self.0[1..]).arg(&self.1).status();
        }
    }

    /// Says that a test is skipped, past the test runner, which shows nothing of tests that pass.
    fn skip(reason: &str) {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        // Without a standard error nobody listens.
        let _ = writeln!(std::io::stderr(), "skipped {name}: {reason}");
    }

    fn does(words: &[&str], path: &Path) -> Result<(), String> {
        let ran = Command::new(words[0]).args(&words[1..]).arg(path).output();
        let ran = ran.map_err(|error| error.to_string())?;
        if ran.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&ran.stderr).into_owned())
    }

    #[test]
    fn what_is_mounted_stays_and_everything_else_goes() {
        let (_home, sandbox) = sandbox();
        let mounted = sandbox.join("mounted");
        std::fs::create_dir(&mounted).unwrap();
        std::fs::write(sandbox.join("file"), "x").unwrap();
        if let Err(reason) = does(&["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs"], &mounted) {
            skip(&format!("cannot mount: {reason}"));
            return;
        }
        let undo = Undo(&["umount", "-l"], mounted.clone());
        std::fs::write(mounted.join("others"), "x").unwrap();
        let folder = Folder::open(&sandbox).unwrap();
        let deleted = folder.delete(None, &never);
        assert_eq!(deleted.errors.len(), 1, "{deleted:?}");
        assert!(deleted.errors[0].contains("mounted: something is mounted"), "{deleted:?}");
        assert!(mounted.join("others").exists() && !sandbox.join("file").exists());
        assert!(Folder::open(&mounted).is_err());
        drop(undo);
        assert!(folder.delete(None, &never).is_all());
        assert!(!sandbox.exists());
    }

    #[test]
    fn what_is_immutable_stays_and_everything_else_goes() {
        let (_home, sandbox) = sandbox();
        let file = sandbox.join("a");
        std::fs::write(&file, "x").unwrap();
        std::fs::write(sandbox.join("b"), "x").unwrap();
        if let Err(reason) = does(&["chattr", "+i"], &file) {
            skip(&format!("cannot make a file immutable: {reason}"));
            return;
        }
        let undo = Undo(&["chattr", "-i"], file.clone());
        let folder = Folder::open(&sandbox).unwrap();
        let deleted = folder.delete(None, &never);
        assert_eq!(deleted.errors.len(), 1, "{deleted:?}");
        assert!(deleted.errors[0].contains("lsattr"), "{deleted:?}");
        assert!(file.exists() && !sandbox.join("b").exists());
        drop(undo);
        assert!(folder.delete(None, &never).is_all());
    }
}
