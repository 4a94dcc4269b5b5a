//! Files below a folder, for those who may see that folder and nothing else.
//!
//! What lies in a sandbox is the job's: it may swap a file for a link to anything at any time. So
//! the kernel resolves each path (`openat2`, `RESOLVE_BENEATH`), and what is read is what was
//! opened. The calls are short and block; [`blocking`] keeps them off the reactor. [`status`] says
//! what HTTP calls a failure.

use std::collections::{BTreeMap, BinaryHeap};
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::FileExt;
use std::path::Path;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags, Stat, fstat, openat2, statat};
use rustix::io::Errno;

/// The most that [`read`] gives, in bytes.
pub const MAX_READ: u64 = 1 << 20;
/// The most entries that [`list`] gives.
pub const MAX_ENTRIES: usize = 10_000;
/// The most entries that [`list`] counts.
pub const MAX_COUNTED: usize = 1_000_000;
/// How often a path is looked up that was renamed meanwhile.
const LOOKUPS: u32 = 16;

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Those of its entries that come first by name, at most [`MAX_ENTRIES`].
    pub entries: Vec<Entry>,
    /// How many entries it has. There may be more than [`MAX_COUNTED`].
    pub total: usize,
}

impl Listing {
    /// Whether it has more entries than are told.
    pub fn is_cut(&self) -> bool {
        self.total > MAX_ENTRIES
    }
}

/// An entry of a folder, as `ls -l` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// Kind and permissions, such as `drwxr-xr-x`.
    pub mode: String,
    /// The same as a number, as `st_mode` has it.
    pub raw_mode: u32,
    /// Hard links.
    pub links: u64,
    /// Its owner: a name, or a number if it has none.
    pub user: String,
    /// Its group: a name, or a number if it has none.
    pub group: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed: seconds since the Unix epoch.
    pub modified: i64,
}

impl Entry {
    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.mode.starts_with('d')
    }

    fn new(name: CString, stat: &Stat, names: &mut Names) -> Self {
        Self {
            name: OsString::from_vec(name.into_bytes()),
            mode: mode_text(stat.st_mode),
            raw_mode: stat.st_mode,
            #[allow(clippy::useless_conversion, reason = "its width depends on the machine")]
            links: stat.st_nlink.into(),
            user: names.user(stat.st_uid),
            group: names.group(stat.st_gid),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: stat.st_mtime,
        }
    }
}

/// The names of users and groups, each asked for once.
#[derive(Debug, Default)]
struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    fn user(&mut self, uid: u32) -> String {
        let find = || {
            let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid));
            user.ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
        };
        self.users.entry(uid).or_insert_with(find).clone()
    }

    fn group(&mut self, gid: u32) -> String {
        let find = || {
            let group = nix::unistd::Group::from_gid(nix::unistd::Gid::from_raw(gid));
            group.ok().flatten().map_or_else(|| gid.to_string(), |group| group.name)
        };
        self.groups.entry(gid).or_insert_with(find).clone()
    }
}

/// A folder that files are served from.
#[derive(Debug)]
pub struct Folder(OwnedFd);

impl Folder {
    /// Opens a folder. What it lies in is trusted; the folder itself must not be a link, as somebody
    /// may have put one in its place.
    ///
    /// # Errors
    /// It is not there, no folder, or not to be opened.
    pub fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(openat2(CWD, root, flags, Mode::empty(), ResolveFlags::empty())?))
    }

    /// The user whom it belongs to.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn owner(&self) -> io::Result<u32> {
        Ok(fstat(&self.0)?.st_uid)
    }

    /// Itself, opened to be read.
    ///
    /// # Errors
    /// It is not to be read.
    pub fn reading(&self) -> io::Result<OwnedFd> {
        self.at(Path::new(""), OFlags::RDONLY | OFlags::DIRECTORY)
    }

    fn at(&self, below: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        // A fifo must not stop the daemon.
        let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut lookups = 1;
        loop {
            match openat2(&self.0, below, flags, Mode::empty(), resolve) {
                // Something was renamed, so that the kernel cannot tell whether `..` leads outside.
                Err(Errno::AGAIN) if lookups < LOOKUPS => lookups += 1,
                opened => return Ok(opened?),
            }
        }
    }

    /// Opens a regular file below; links lead nowhere outside.
    ///
    /// # Errors
    /// It is not there, outside, a folder ([`io::ErrorKind::IsADirectory`]), anything else that is no
    /// regular file ([`io::ErrorKind::NotFound`]), or not to be read.
    pub fn file(&self, below: &Path) -> io::Result<File> {
        let file = File::from(self.at(below, OFlags::RDONLY)?);
        match file.metadata()?.file_type() {
            kind if kind.is_file() => Ok(file),
            kind if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// What a folder below holds, by name.
    ///
    /// # Errors
    /// It is not there, outside, no folder, or not to be read.
    pub fn list(&self, below: &Path) -> io::Result<Listing> {
        let folder = self.at(below, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let (first, total) = first_names(&folder, MAX_ENTRIES)?;
        let mut names = Names::default();
        let mut entries = Vec::with_capacity(first.len());
        for name in first {
            match statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => entries.push(Entry::new(name, &stat, &mut names)),
                // It has gone since its name was read.
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Listing { entries, total })
    }
}

/// The names that come first in a folder, in order, at most so many; and how many there are, as far as
/// [`MAX_COUNTED`] allows.
fn first_names(folder: &OwnedFd, at_most: usize) -> io::Result<(Vec<CString>, usize)> {
    let mut first = BinaryHeap::new();
    let mut total = 0;
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        total += 1;
        if first.len() < at_most {
            first.push(name.to_owned());
        } else if let Some(mut last) = first.peek_mut()
            && name < last.as_c_str()
        {
            name.clone_into(&mut last);
        }
        if total == MAX_COUNTED {
            break;
        }
    }
    Ok((first.into_sorted_vec(), total))
}

/// [`Folder::file`] of the folder `root`.
///
/// # Errors
/// Theirs.
pub fn open_file(root: &Path, below: &Path) -> io::Result<File> {
    Folder::open(root)?.file(below)
}

/// [`Folder::list`] of the folder `root`.
///
/// # Errors
/// Theirs.
pub fn list(root: &Path, below: &Path) -> io::Result<Listing> {
    Folder::open(root)?.list(below)
}

/// A part of a file: what there is from `offset` on, at most `length` and [`MAX_READ`] bytes.
///
/// # Errors
/// The file cannot be read.
pub fn read(file: &File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length.min(MAX_READ)).unwrap_or(0)];
    let count = file.read_at(&mut bytes, offset)?;
    bytes.truncate(count);
    Ok(bytes)
}

/// What HTTP calls a failure to read below a folder: 404 if there is nothing that may be seen, 403 if it
/// is not to be read, 503 if this process has too much to do, and 500 if something is broken, as a disk.
pub fn status(error: &io::Error) -> StatusCode {
    let cause = cause(error);
    match Errno::from_io_error(cause) {
        Some(
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::ISDIR
            | Errno::INVAL
            | Errno::NAMETOOLONG
            | Errno::LOOP
            // It leads outside.
            | Errno::XDEV
            // It is a socket, or a device that is not there.
            | Errno::NXIO
            | Errno::NODEV,
        ) => StatusCode::NOT_FOUND,
        Some(Errno::ACCESS | Errno::PERM) => StatusCode::FORBIDDEN,
        Some(
            Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS | Errno::AGAIN | Errno::BUSY,
        ) => StatusCode::SERVICE_UNAVAILABLE,
        Some(_) => StatusCode::INTERNAL_SERVER_ERROR,
        None => match cause.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidInput => StatusCode::NOT_FOUND,
            io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
            io::ErrorKind::ResourceBusy => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

/// [`status`], which is logged with `what` could not be read unless there is nothing that may be seen.
pub fn logged_status(error: &io::Error, what: impl std::fmt::Display) -> StatusCode {
    let status = status(error);
    if status != StatusCode::NOT_FOUND {
        tracing::warn!(%error, %what, "failed to answer a request");
    }
    status
}

/// Says of an answer that there is too much to do when to come again.
pub fn later(mut answer: Response) -> Response {
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
    }
    answer
}

/// The first of the errors that led to this one.
fn cause(error: &io::Error) -> &io::Error {
    let mut first = error;
    let mut next = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            first = io;
            next = io.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
        } else {
            next = error.source();
        }
    }
    first
}

/// Does something that blocks on a thread that may.
///
/// # Errors
/// What `act` gives, or that it panicked.
pub async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(act).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn mode_text(mode: u32) -> String {
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o010_000 => 'p',
        0o140_000 => 's',
        0o020_000 => 'c',
        0o060_000 => 'b',
        _ => '-',
    };
    let bits = "rwxrwxrwx"
        .chars()
        .enumerate()
        .map(|(place, letter)| if mode & (0o400 >> place) == 0 { '-' } else { letter });
    std::iter::once(kind).chain(bits).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_outside_of_the_root_can_be_reached() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("sandbox");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::create_dir_all(folder.path().join("sandbox-evil")).unwrap();
        std::fs::write(folder.path().join("sandbox-evil/secret"), "no").unwrap();
        std::fs::write(root.join("file"), "yes").unwrap();
        symlink("/etc/passwd", root.join("absolute")).unwrap();
        symlink("../sandbox-evil/secret", root.join("relative")).unwrap();
        symlink("../file", root.join("sub/inside")).unwrap();
        nix::unistd::mkfifo(&root.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();

        let text = |below: &str| {
            open_file(&root, Path::new(below)).and_then(|file| read(&file, 0, MAX_READ))
        };
        assert_eq!(text("file").unwrap(), b"yes");
        assert_eq!(text("sub/inside").unwrap(), b"yes");
        for outside in
            ["absolute", "relative", "../sandbox-evil/secret", "/etc/passwd", "sub/../../x"]
        {
            assert!(text(outside).is_err(), "{outside} was reached");
        }
        for other in ["fifo", "none"] {
            assert_eq!(text(other).unwrap_err().kind(), io::ErrorKind::NotFound, "{other}");
        }
        assert_eq!(text("sub").unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert!(list(&root, Path::new("..")).is_err());
        let swapped = folder.path().join("swapped");
        symlink("/etc", &swapped).unwrap();
        assert!(open_file(&swapped, Path::new("passwd")).is_err(), "the root is a link");
        assert!(list(&swapped, Path::new("")).is_err());
        let Listing { entries, total } = list(&root, Path::new("")).unwrap();
        assert_eq!(total, 5);
        let names: Vec<&OsStr> = entries.iter().map(|entry| entry.name.as_os_str()).collect();
        assert_eq!(names, ["absolute", "fifo", "file", "relative", "sub"]);
        assert!(entries[0].mode.starts_with('l') && entries[4].is_folder());
    }
    #[test]
    fn of_a_large_folder_those_are_told_that_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let names = [b"d" as &[u8], b"b", b"\xff", b"a\n", b"c"];
        for name in names {
            std::fs::write(folder.path().join(OsStr::from_bytes(name)), "").unwrap();
        }
        let open = || OwnedFd::from(File::open(folder.path()).unwrap());
        let first = |at_most| {
            let (first, total) = first_names(&open(), at_most).unwrap();
            assert_eq!(total, 5);
            first.into_iter().map(CString::into_bytes).collect::<Vec<_>>()
        };
        assert_eq!(first(3), [b"a\n" as &[u8], b"b", b"c"]);
        assert_eq!(first(9), [b"a\n" as &[u8], b"b", b"c", b"d", b"\xff"]);
        assert_eq!(first(0), [] as [&[u8]; 0]);
    }

    #[test]
    fn a_failure_is_called_what_its_first_cause_is() {
        let of = |errno: Errno| status(&errno.into());
        for errno in [Errno::NOENT, Errno::NOTDIR, Errno::XDEV, Errno::LOOP, Errno::NAMETOOLONG] {
            assert_eq!(of(errno), StatusCode::NOT_FOUND, "{errno}");
        }
        assert_eq!(of(Errno::ACCESS), StatusCode::FORBIDDEN);
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::AGAIN] {
            assert_eq!(of(errno), StatusCode::SERVICE_UNAVAILABLE, "{errno}");
        }
        assert_eq!(of(Errno::IO), StatusCode::INTERNAL_SERVER_ERROR);
        let inner = io::Error::from(Errno::MFILE);
        let outer = io::Error::other(io::Error::other(inner));
        assert_eq!(status(&outer), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status(&io::Error::other("a panic")), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(status(&io::ErrorKind::NotFound.into()), StatusCode::NOT_FOUND);
        assert_eq!(status(&File::open("\0").unwrap_err()), StatusCode::NOT_FOUND);
    }
}
