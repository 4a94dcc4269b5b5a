//! How much of the disk a folder takes, as `du` counts it (`executor.md` 15.4, 18).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, statat};

/// The most entries that one walk looks at.
const MAX_ENTRIES: usize = 4_000_000;
/// The unit of `st_blocks`, in bytes.
const BLOCK: u64 = 512;

/// What a walk has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// What was seen takes so many bytes.
    pub bytes: u64,
    /// Whether all was seen: there may be more than is looked at.
    pub is_all: bool,
}

/// What all files below a folder take: allocated blocks, so that a hole takes nothing; a file with
/// several names once; links by their length, and never followed. Folders take nothing. What is mounted
/// below is left out, and what cannot be read. So is the entry `keep` of the folder itself.
///
/// `is_over` is asked at every folder and ends the walk with nothing. Blocks.
///
/// # Errors
/// The folder itself cannot be read.
pub fn used(
    top: impl AsFd,
    keep: Option<&OsStr>,
    is_over: impl Fn() -> bool,
) -> io::Result<Option<Used>> {
    let top = top.as_fd();
    let device = fstat(top)?.st_dev;
    let mut counted: BTreeSet<u64> = BTreeSet::new();
    let (mut bytes, mut entries) = (0_u64, 0_usize);
    let mut folders = vec![PathBuf::from(".")];
    let mut is_top = true;
    while let Some(folder) = folders.pop() {
        if is_over() {
            return Ok(None);
        }
        let (fd, dir) = match open(top, &folder) {
            Ok(opened) => opened,
            Err(errno) if is_top => return Err(errno.into()),
            // It may have gone, or become a link, since it was listed.
            Err(_) => continue,
        };
        for entry in dir {
            // A folder that vanishes while it is read has nothing in it.
            let Ok(entry) = entry else { break };
            let name = entry.file_name();
            let os_name = OsStr::from_bytes(name.to_bytes());
            if matches!(name.to_bytes(), b"." | b"..") || (is_top && keep == Some(os_name)) {
                continue;
            }
            entries += 1;
            if entries > MAX_ENTRIES {
                return Ok(Some(Used { bytes, is_all: false }));
            }
            let Ok(stat) = statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let size = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    if stat.st_dev == device {
                        folders.push(folder.join(os_name));
                    }
                    continue;
                }
                FileType::Symlink => u64::try_from(stat.st_size).unwrap_or(0),
                _ if stat.st_nlink > 1 && !counted.insert(stat.st_ino) => 0,
                _ => u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(BLOCK),
            };
            bytes = bytes.saturating_add(size);
        }
        is_top = false;
    }
    Ok(Some(Used { bytes, is_all: true }))
}

/// Each folder is opened from the top, so that one that is deep takes no more open files than another.
fn open(top: BorrowedFd<'_>, folder: &Path) -> rustix::io::Result<(OwnedFd, Dir)> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let fd = openat2(top, folder, flags, Mode::empty(), resolve)?;
    let dir = Dir::read_from(&fd)?;
    Ok((fd, dir))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    fn bytes(path: &Path, keep: Option<&str>) -> u64 {
        let found =
            used(File::open(path).unwrap(), keep.map(OsStr::new), || false).unwrap().unwrap();
        assert!(found.is_all);
        found.bytes
    }

    #[test]
    fn os20_holes_take_nothing_links_their_length_and_a_file_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        assert_eq!(bytes(root, None), 0);
        let big = root.join("a/b/big");
        std::fs::write(&big, vec![1; 100_000]).unwrap();
        let blocks = std::fs::metadata(&big).unwrap().blocks() * BLOCK;
        assert!(blocks >= 100_000);
        std::fs::hard_link(&big, root.join("again")).unwrap();
        File::create(root.join("sparse")).unwrap().set_len(1 << 40).unwrap();
        symlink("/usr", root.join("link")).unwrap();
        assert_eq!(bytes(root, None), blocks + 4);
        assert_eq!(bytes(root, Some("link")), blocks);
        assert_eq!(used(File::open(root).unwrap(), None, || true).unwrap(), None);
    }

    #[test]
    fn what_is_deep_counts_too() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d/".repeat(500));
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("file"), vec![1; 100_000]).unwrap();
        assert!(bytes(folder.path(), None) >= 100_000);
    }
}
