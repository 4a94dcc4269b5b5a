//! How much disk a sandbox takes, as `du` counts it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, statat};

/// The most entries that one walk looks at. A sandbox that has more is said to take what these do.
const MAX_ENTRIES: usize = 2_000_000;
/// The unit of `st_blocks`, in bytes.
const BLOCK: u64 = 512;

/// What all files below a folder take, in bytes: allocated blocks, so that a hole takes nothing; a
/// file with several names once; links by their length, and never followed. What is mounted below
/// is left out, and what cannot be read. `is_over` is asked at every folder and ends the walk with
/// nothing.
///
/// # Errors
/// The folder itself cannot be opened.
pub(crate) fn usage(root: &Path, is_over: impl Fn() -> bool) -> io::Result<Option<u64>> {
    let top = openat2(
        CWD,
        root,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::empty(),
    )?;
    let device = fstat(&top)?.st_dev;
    let mut counted: BTreeSet<u64> = BTreeSet::new();
    let (mut sum, mut entries) = (0_u64, 0_usize);
    let mut folders = vec![PathBuf::from(".")];
    while let Some(folder) = folders.pop() {
        if is_over() {
            return Ok(None);
        }
        // It may have gone, or become a link, since it was listed.
        let Ok((fd, dir)) = open(&top, &folder) else { continue };
        for entry in dir {
            let Ok(entry) = entry else { break };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            entries += 1;
            if entries > MAX_ENTRIES {
                return Ok(Some(sum));
            }
            let Ok(stat) = statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory if stat.st_dev == device => {
                    folders.push(folder.join(OsStr::from_bytes(name.to_bytes())));
                }
                FileType::Directory => {}
                FileType::Symlink => sum += u64::try_from(stat.st_size).unwrap_or(0),
                _ if stat.st_nlink > 1 && !counted.insert(stat.st_ino) => {}
                _ => sum += u64::try_from(stat.st_blocks).unwrap_or(0) * BLOCK,
            }
        }
    }
    Ok(Some(sum))
}

fn open(top: &OwnedFd, folder: &Path) -> rustix::io::Result<(OwnedFd, Dir)> {
    let fd = openat2(
        top,
        folder,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
    )?;
    let dir = Dir::read_from(&fd)?;
    Ok((fd, dir))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    #[test]
    fn os20_holes_take_nothing_links_their_length_and_a_file_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("sandbox");
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        assert_eq!(usage(&root, || false).unwrap(), Some(0));
        let big = root.join("a/b/big");
        std::fs::write(&big, vec![1; 100_000]).unwrap();
        let blocks = std::fs::metadata(&big).unwrap().blocks() * BLOCK;
        assert!(blocks >= 100_000);
        std::fs::hard_link(&big, root.join("again")).unwrap();
        std::fs::File::create(root.join("sparse")).unwrap().set_len(1 << 40).unwrap();
        symlink("/usr", root.join("link")).unwrap();
        assert_eq!(usage(&root, || false).unwrap(), Some(blocks + 4));
        assert_eq!(usage(&root, || true).unwrap(), None);
        symlink(&root, folder.path().join("swapped")).unwrap();
        assert!(usage(&folder.path().join("swapped"), || false).is_err());
        assert!(usage(&folder.path().join("none"), || false).is_err());
    }
}
