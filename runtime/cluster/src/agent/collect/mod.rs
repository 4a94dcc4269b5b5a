//! Removing what is left of containers that have ended: their sandboxes, and what is remembered of them.
//!
//! `plan` decides, `find` tells what there is. The rest is here: the disk, the deletion, the numbers.
//! All of it blocks.

mod find;
pub(crate) mod plan;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aurora_daemon::deletion::{Deleted, Folder};

use self::find::Found;
use self::plan::{Disk, Ended, Plan, Policy, Reason, Room};
use super::checkpoint::{self, Folders};
use super::executors::{Executors, now_ms};

/// How often what has ended is looked at while the disk has room: at least, and at most.
const LOOK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));
/// When what could not be removed is tried again: the first time, and at most.
const RETRY: (Duration, Duration) = (Duration::from_mins(5), Duration::from_hours(6));

const REMOVED: &str = "agent_sandboxes_removed";
const BYTES_REMOVED: &str = "agent_sandbox_bytes_removed";
const FAILURES: &str = "agent_sandbox_removal_failures";
const KEPT: &str = "agent_sandboxes_kept";
const DISK_USAGE: &str = "agent_disk_usage";
const PASS: &str = "agent_collection";

/// Removes containers that have ended. One at a time for a work folder.
#[derive(Debug)]
pub(crate) struct Collector {
    executors: Executors,
    folders: Folders,
    policy: Policy,
    /// When what has ended was last looked at.
    looked: Option<Instant>,
    /// What could not be removed.
    retries: BTreeMap<PathBuf, Retry>,
    /// Whether the last pass left the disk short of room, because nothing more may go.
    was_short: bool,
}

#[derive(Debug)]
struct Retry {
    at: Instant,
    wait: Duration,
}

impl Collector {
    pub(crate) fn new(executors: Executors, folders: Folders, policy: Policy) -> Self {
        metrics::describe_counter!(REMOVED, "Sandboxes removed, by reason.");
        metrics::describe_counter!(BYTES_REMOVED, "Bytes that this has freed, by reason.");
        metrics::describe_counter!(FAILURES, "Sandboxes that could not be removed, each attempt.");
        metrics::describe_gauge!(KEPT, "Sandboxes of ended executors, as of the last look.");
        metrics::describe_histogram!(PASS, "Time to look at all of them and remove some.");
        metrics::describe_gauge!(DISK_USAGE, "Share of the disk of sandboxes that is used.");
        for reason in Reason::ALL {
            metrics::counter!(REMOVED, "reason" => reason.name()).increment(0);
            metrics::counter!(BYTES_REMOVED, "reason" => reason.name()).increment(0);
        }
        metrics::counter!(FAILURES).increment(0);
        let (looked, retries) = (None, BTreeMap::new());
        Self { executors, folders, policy, looked, retries, was_short: false }
    }

    /// How often a pass looks at what has ended although the disk has room.
    pub(crate) fn interval(&self) -> Duration {
        self.policy.delay.clamp(LOOK.0, LOOK.1)
    }

    /// Looks at the disk, and at what has ended if the disk is short of room or it is time to; removes
    /// what has to go. `is_over` is asked all the while, and ends it early.
    pub(crate) fn pass(&mut self, is_over: &dyn Fn() -> bool) {
        let disk = self.disk();
        let is_short = disk.is_short(self.policy.headroom);
        let is_early = |looked: Instant| looked.elapsed() < self.interval();
        if !is_short && self.looked.is_some_and(is_early) {
            self.was_short = false;
            return;
        }
        let begun = Instant::now();
        self.looked = Some(begun);
        let found = match find::find(&self.folders, &self.executors) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "failed to look for old sandboxes");
                return;
            }
        };
        let (left, is_exhausted) = self.remove_some(found, disk, is_over);
        #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
        metrics::gauge!(KEPT).set(left as f64);
        metrics::histogram!(PASS).record(begun.elapsed().as_secs_f64());
        let is_short = is_exhausted && !is_over() && self.disk().is_short(self.policy.headroom);
        if is_short && !self.was_short {
            tracing::warn!(
                path = %self.folders.slaves().display(),
                "the disk is short of room, and no sandbox is left that may go: free it of something \
                 else, or have less of it kept free by --gc-disk-headroom"
            );
        }
        self.was_short = is_short;
    }

    /// Removes what has to go. Gives how many are left, and whether none of them may go.
    fn remove_some(
        &mut self,
        found: Vec<Found>,
        disk: Disk,
        is_over: &dyn Fn() -> bool,
    ) -> (usize, bool) {
        let mut left = found.len();
        let before = std::mem::take(&mut self.retries);
        let mut candidates = Vec::new();
        for one in found {
            match before.get(&one.run) {
                Some(retry) if retry.at > Instant::now() => {
                    self.retries.insert(one.run, Retry { ..*retry });
                }
                _ => candidates.push(one),
            }
        }
        let now_ms = now_ms();
        let ended: Vec<Ended> = candidates.iter().map(|found| found.ended).collect();
        let mut plan = Plan::new(&self.policy, now_ms, disk, &ended);
        while !is_over()
            && let Some((index, reason)) = plan.next(self.disk())
        {
            let Some(found) = candidates.get(index) else { continue };
            let deleted = self.remove(found, is_over);
            plan.freed(deleted.bytes, deleted.files);
            metrics::counter!(BYTES_REMOVED, "reason" => reason.name()).increment(deleted.bytes);
            if deleted.stopped {
                break;
            }
            let age = found.ended.age(now_ms);
            if deleted.is_all() {
                left -= 1;
                tell_removed(found, age, reason, &deleted);
            } else {
                let wait = before.get(&found.run).map_or(RETRY.0, |retry| retry.wait * 2);
                let wait = wait.min(RETRY.1);
                tell_failed(found, age, reason, &deleted, wait);
                self.retries.insert(found.run.clone(), Retry { at: Instant::now() + wait, wait });
            }
        }
        (left, plan.is_exhausted())
    }

    /// Removes the sandbox of a container, then what is remembered of it, so that what could not be
    /// removed is found again.
    fn remove(&self, found: &Found, is_over: &dyn Fn() -> bool) -> Deleted {
        let mut all = Deleted::default();
        for tree in [self.folders.slaves(), self.folders.meta()] {
            let path = tree.join(&found.run);
            match delete(&tree, &found.run, is_over) {
                Ok(deleted) => {
                    all.bytes += deleted.bytes;
                    all.files += deleted.files;
                    all.errors.extend(deleted.errors);
                    all.stopped |= deleted.stopped;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    all.errors.push(format!("failed to open {}: {error}", path.display()))
                }
            }
            if !all.is_all() {
                return all;
            }
            self.executors.undisturbed(|| checkpoint::prune(&path));
        }
        self.executors.collected(&found.names().1);
        all
    }

    /// The file system of the sandboxes, as it is now. One that cannot be looked at has no limit.
    fn disk(&self) -> Disk {
        let unknown = Room { free: 0, total: 0 };
        let found = match rustix::fs::statvfs(self.folders.slaves()) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, path = %self.folders.slaves().display(), "failed to look how much of the disk is free");
                return Disk { bytes: unknown, inodes: unknown };
            }
        };
        // As `df` has it: what is kept for root is neither free nor used.
        let room = |all: u64, free: u64, available: u64| Room {
            free: available,
            total: all.saturating_sub(free).saturating_add(available),
        };
        let blocks = room(found.f_blocks, found.f_bfree, found.f_bavail);
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        let disk = Disk {
            bytes: Room { free: bytes(blocks.free), total: bytes(blocks.total) },
            inodes: room(found.f_files, found.f_ffree, found.f_favail),
        };
        metrics::gauge!(DISK_USAGE, "of" => "space").set(disk.bytes.usage());
        metrics::gauge!(DISK_USAGE, "of" => "inodes").set(disk.inodes.usage());
        disk
    }
}

fn tell_removed(found: &Found, age: Duration, reason: Reason, deleted: &Deleted) {
    metrics::counter!(REMOVED, "reason" => reason.name()).increment(1);
    let (executor, container) = found.names();
    tracing::info!(
        executor,
        container,
        age_secs = age.as_secs(),
        reason = reason.name(),
        failed = found.ended.failed,
        bytes = deleted.bytes,
        "removed a sandbox"
    );
}

fn tell_failed(found: &Found, age: Duration, reason: Reason, deleted: &Deleted, wait: Duration) {
    metrics::counter!(FAILURES).increment(1);
    let (executor, container) = found.names();
    tracing::warn!(
        executor,
        container,
        age_secs = age.as_secs(),
        reason = reason.name(),
        retry_in_secs = wait.as_secs(),
        "failed to remove a sandbox: {}",
        deleted.errors.join("; ")
    );
}

/// Deletes a folder below another one, which is trusted.
fn delete(tree: &Path, below: &Path, is_over: &dyn Fn() -> bool) -> io::Result<Deleted> {
    Ok(Folder::beneath(File::open(tree)?, below)?.delete(None, is_over))
}

#[cfg(test)]
mod tests;
