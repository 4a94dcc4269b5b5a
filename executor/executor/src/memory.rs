//! Whether a task was killed for its memory: what the kernel counts in its cgroup.

use std::fs;
use std::path::{Path, PathBuf};

/// A cgroup whose memory is limited.
#[derive(Debug)]
pub(crate) struct Memory {
    folder: PathBuf,
    files: &'static Files,
    /// What was killed before.
    kills: u64,
}

/// The names of what a cgroup tells.
#[derive(Debug)]
pub(crate) struct Files {
    events: &'static str,
    limit: &'static str,
    peak: &'static str,
}

/// What no machine has, in bytes: version 1 says it in the place of `max`.
const UNLIMITED: u64 = 1 << 60;

pub(crate) const V2: Files =
    Files { events: "memory.events", limit: "memory.max", peak: "memory.peak" };
const V1: Files = Files {
    events: "memory.oom_control",
    limit: "memory.limit_in_bytes",
    peak: "memory.max_usage_in_bytes",
};

impl Memory {
    /// The cgroup of this process; none if the kernel counts nothing for it.
    pub(crate) fn find() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
            if controllers.is_empty() {
                Self::at(&Path::new("/sys/fs/cgroup").join(path), &V2)
            } else if controllers.split(',').any(|name| name == "memory") {
                Self::at(&Path::new("/sys/fs/cgroup/memory").join(path), &V1)
            } else {
                None
            }
        })
    }

    /// That whose files are in a folder; none if the kernel counts nothing for it.
    pub(crate) fn at(folder: &Path, files: &'static Files) -> Option<Self> {
        let kills = kills(folder, files)?;
        Some(Self { folder: folder.to_owned(), files, kills })
    }

    /// What there is to tell if something was killed since. Nothing without a limit: it is not this
    /// task's doing then, and the cgroup may be that of others as well.
    pub(crate) fn killed(&self) -> Option<String> {
        let kills = kills(&self.folder, self.files)?.checked_sub(self.kills)?;
        if kills == 0 {
            return None;
        }
        let figure = |name| fs::read_to_string(self.folder.join(name)).ok()?.trim().parse().ok();
        let limit: u64 = figure(self.files.limit).filter(|limit| *limit < UNLIMITED)?;
        let peak: Option<u64> = figure(self.files.peak);
        let peak = peak.map(|peak| format!(", and used up to {peak}")).unwrap_or_default();
        Some(format!("out of memory, {kills} killed by the kernel: it may use {limit} bytes{peak}"))
    }
}

fn kills(folder: &Path, files: &Files) -> Option<u64> {
    let events = fs::read_to_string(folder.join(files.events)).ok()?;
    events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_killed_since_is_told_and_with_its_figures() {
        for files in [&V2, &V1] {
            let folder = tempfile::tempdir().unwrap();
            let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
            assert!(Memory::at(folder.path(), files).is_none());
            write(files.events, "low 0\noom 3\noom_kill 1\n");
            let memory = Memory::at(folder.path(), files).unwrap();
            assert_eq!(memory.killed(), None);
            write(files.events, "low 0\noom 3\noom_kill 3\n");
            let told = "out of memory, 2 killed by the kernel";
            for unlimited in ["max\n", "9223372036854771712\n", "1152921504606846976\n", ""] {
                write(files.limit, unlimited);
                assert_eq!(memory.killed(), None, "{unlimited}");
            }
            write(files.limit, "1000\n");
            assert_eq!(memory.killed(), Some(format!("{told}: it may use 1000 bytes")));
            write(files.peak, "999\n");
            let told = format!("{told}: it may use 1000 bytes, and used up to 999");
            assert_eq!(memory.killed(), Some(told));
        }
    }
}
