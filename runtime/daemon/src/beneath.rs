//! Files below a folder, for those who may see that folder and nothing else.
//!
//! What lies in a sandbox is the job's: it may swap a file for a link to anything at any time. So
//! the kernel resolves each path (`openat2`, `RESOLVE_BENEATH`), and what is read is what was
//! opened. The calls are short and block; [`blocking`] keeps them off the reactor.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags, Stat, fstat, openat2, statat};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

/// The most that [`read`] gives, in bytes.
pub const MAX_READ: u64 = 1 << 20;
/// The most entries that [`list`] gives.
pub const MAX_ENTRIES: usize = 10_000;

/// An entry of a folder, as `ls -l` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name; bytes that are not UTF-8 are replaced.
    pub name: String,
    /// Kind and permissions, such as `drwxr-xr-x`.
    pub mode: String,
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

    fn new(name: String, stat: &Stat) -> Self {
        Self {
            name,
            mode: mode_text(stat.st_mode),
            #[allow(clippy::useless_conversion, reason = "its width depends on the machine")]
            links: stat.st_nlink.into(),
            user: user_name(stat.st_uid),
            group: group_name(stat.st_gid),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: stat.st_mtime,
        }
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
        Ok(openat2(&self.0, below, flags, Mode::empty(), resolve)?)
    }

    /// Opens a regular file below; links lead nowhere outside.
    ///
    /// # Errors
    /// It is not there, outside, no regular file ([`io::ErrorKind::NotFound`]), or not to be read.
    pub fn file(&self, below: &Path) -> io::Result<File> {
        let file = File::from(self.at(below, OFlags::RDONLY)?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// The entries of a folder below by name, at most [`MAX_ENTRIES`].
    ///
    /// # Errors
    /// It is not there, outside, no folder, or not to be read.
    pub fn list(&self, below: &Path) -> io::Result<Vec<Entry>> {
        let folder = self.at(below, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if entries.len() == MAX_ENTRIES {
                break;
            }
            // It may have gone since it was listed.
            let Ok(stat) = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            entries.push(Entry::new(name.to_string_lossy().into_owned(), &stat));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
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
pub fn list(root: &Path, below: &Path) -> io::Result<Vec<Entry>> {
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

/// The answer that sends a file, as long as it is now, to be saved under the last part of `path`.
pub fn download(file: File, path: &str) -> Response {
    let length = match file.metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) => {
            return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
        }
    };
    let name: String = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') { c } else { '_' })
        .collect();
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    let now = tokio::fs::File::from_std(file).take(length);
    let body = Body::from_stream(ReaderStream::new(now));
    (headers, body).into_response()
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

fn user_name(uid: u32) -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid));
    user.ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

fn group_name(gid: u32) -> String {
    let group = nix::unistd::Group::from_gid(nix::unistd::Gid::from_raw(gid));
    group.ok().flatten().map_or_else(|| gid.to_string(), |group| group.name)
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
        for other in ["fifo", "sub", "none"] {
            assert_eq!(text(other).unwrap_err().kind(), io::ErrorKind::NotFound, "{other}");
        }
        assert!(list(&root, Path::new("..")).is_err());
        let swapped = folder.path().join("swapped");
        symlink("/etc", &swapped).unwrap();
        assert!(open_file(&swapped, Path::new("passwd")).is_err(), "the root is a link");
        assert!(list(&swapped, Path::new("")).is_err());
        let entries = list(&root, Path::new("")).unwrap();
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["absolute", "fifo", "file", "relative", "sub"]);
        assert!(entries[0].mode.starts_with('l') && entries[4].is_folder());
    }
}
