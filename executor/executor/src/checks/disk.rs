//! How much of the disk a task uses (`executor.md` 15.4).

use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::{Say, Verdict};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(60);
/// How deep folders are looked into: each level holds one open file.
const MAX_DEPTH: usize = 128;
/// How many entries are looked at each time.
const MAX_ENTRIES: usize = 4_000_000;
/// The size of a block in what the kernel says of files, in bytes.
const BLOCK: u64 = 512;

/// Looks until told to stop, or until the sandbox holds more than `limit` bytes.
pub(crate) async fn watch(limit: u64, sandbox: Arc<OwnedFd>, say: Say, stop: CancellationToken) {
    loop {
        let (folder, stopped) = (sandbox.clone(), stop.clone());
        let walk = tokio::task::spawn_blocking(move || used(&folder, &stopped));
        let walked = tokio::select! {
            () = stop.cancelled() => return,
            walked = walk => walked,
        };
        match walked {
            Ok(Ok(used)) => {
                if let Some(reason) = exceeded(limit, used) {
                    say.verdict(Verdict::Failed(reason));
                    return;
                }
            }
            Ok(Err(error)) => tracing::warn!(%error, "failed to look at the sandbox"),
            Err(error) => tracing::error!(%error, "failed to measure the sandbox"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

fn exceeded(limit: u64, used: u64) -> Option<String> {
    (used > limit)
        .then(|| format!("Disk limit exceeded.  Reserved {limit} bytes vs used {used} bytes."))
}

/// The bytes that are allocated for what is in a folder: of a file with several names once, of a
/// link for itself, and nothing of what is mounted there.
fn used(folder: &OwnedFd, stop: &CancellationToken) -> Result<u64, Errno> {
    let device = fstat(folder)?.st_dev;
    let mut linked = BTreeSet::new();
    let mut sum = 0_u64;
    let mut seen = 0;
    let mut open = vec![Dir::read_from(folder.as_fd())?];
    while let Some(dir) = open.last_mut() {
        let Some(entry) = dir.read() else {
            open.pop();
            continue;
        };
        // A folder that vanishes while it is read has nothing in it.
        let Ok(entry) = entry else {
            open.pop();
            continue;
        };
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        seen += 1;
        if seen > MAX_ENTRIES || stop.is_cancelled() {
            tracing::warn!(seen, "the sandbox is not measured to its end");
            break;
        }
        let parent = dir.fd()?;
        // What has gone meanwhile uses nothing.
        let Ok(found) = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if found.st_dev != device {
            continue;
        }
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let inner = openat(parent, name, flags, Mode::empty()).and_then(Dir::new);
                match inner {
                    Ok(inner) if open.len() < MAX_DEPTH => open.push(inner),
                    Ok(_) => tracing::warn!("a folder is too deep to be measured"),
                    Err(error) => tracing::debug!(%error, "a folder cannot be measured"),
                }
            }
            _ if found.st_nlink > 1 && !linked.insert(found.st_ino) => {}
            FileType::Symlink => {
                sum = sum.saturating_add(u64::try_from(found.st_size).unwrap_or(0));
            }
            _ => {
                let blocks = u64::try_from(found.st_blocks).unwrap_or(0);
                sum = sum.saturating_add(blocks.saturating_mul(BLOCK));
            }
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s73_more_than_the_limit_is_too_much_and_as_much_is_not() {
        let message = "Disk limit exceeded.  Reserved 1000 bytes vs used 1001 bytes.";
        assert_eq!(exceeded(1000, 1001).as_deref(), Some(message));
        assert_eq!(exceeded(1000, 1000), None);
    }

    #[test]
    fn what_is_in_folders_counts_once_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("big"), vec![1; 1 << 20]).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("file"), vec![1; 100_000]).unwrap();
        std::fs::hard_link(deep.join("file"), folder.path().join("again")).unwrap();
        let fd = OwnedFd::from(std::fs::File::open(folder.path()).unwrap());
        let found = used(&fd, &CancellationToken::new()).unwrap();
        assert!((100_000..200_000).contains(&found), "{found}");
    }

    #[test]
    fn what_is_too_deep_ends_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d/".repeat(MAX_DEPTH + 20));
        std::fs::create_dir_all(&deep).unwrap();
        let fd = OwnedFd::from(std::fs::File::open(folder.path()).unwrap());
        used(&fd, &CancellationToken::new()).unwrap();
    }
}
