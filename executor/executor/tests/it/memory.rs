//! Tasks that the kernel kills for their memory, in a real cgroup.

use std::path::{Path, PathBuf};

use aurora_mesos::v1::TaskState;
use tokio::process::Command;

use crate::agent::{Agent, data, program, skip};

/// A debug build of the executor fits in, what the task wants does not.
const LIMIT: u64 = 96 << 20;

/// Becomes a command within a cgroup.
const ENTER: &str = r#"echo $$ > "$0/cgroup.procs" && exec "$@""#;

/// A cgroup that goes with this, when nothing is left in it.
struct Cgroup(PathBuf);

impl Cgroup {
    /// One whose memory is limited.
    fn new() -> Result<Self, String> {
        let root = Path::new("/sys/fs/cgroup");
        let name = format!("aurora-executor-test-{}", std::process::id());
        let is_v2 = root.join("cgroup.controllers").exists();
        let (folder, limits) = if is_v2 {
            (root.join(name), ["memory.max", "memory.swap.max"])
        } else {
            (root.join("memory").join(name), ["memory.limit_in_bytes", "memory.swappiness"])
        };
        let failed = |what: &Path, error: std::io::Error| format!("{}: {error}", what.display());
        std::fs::create_dir(&folder).map_err(|error| failed(&folder, error))?;
        let group = Self(folder);
        for (file, value) in limits.into_iter().zip([LIMIT, 0]) {
            let file = group.0.join(file);
            std::fs::write(&file, value.to_string()).map_err(|error| failed(&file, error))?;
        }
        let mut enter = std::process::Command::new("bash");
        match enter.args(["-c", ENTER]).arg(&group.0).arg("true").status() {
            Ok(status) if status.success() => Ok(group),
            entered => Err(format!("a process cannot be put into it: {entered:?}")),
        }
    }

    /// A command that becomes the executor within it.
    fn executor(&self) -> Command {
        let mut shell = Command::new("bash");
        shell.args(["-c", ENTER]).arg(&self.0).arg(program()).arg("--nosetuid");
        shell
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir(&self.0) {
            eprintln!("failed to remove {}: {error}", self.0.display());
        }
    }
}

#[tokio::test]
async fn a_task_that_is_killed_for_its_memory_is_told_so_with_the_figures() {
    let group = match Cgroup::new() {
        Ok(group) => group,
        Err(reason) => return skip(&reason),
    };
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start_by(group.executor(), folder, &[], &[]).await;
    // A line that never ends is kept whole.
    agent.launch("a", data("a", "tail -n 1 < /dev/zero")).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    assert_eq!(agent.update().await.1, TaskState::TaskRunning);
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    let told = format!("out of memory, 1 killed by the kernel: it may use {LIMIT} bytes");
    assert!(message.contains(&told), "{message}");
    assert!(agent.end().await.success());
}
