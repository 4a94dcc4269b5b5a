use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aurora_cluster::agent;
use aurora_mesos::v1::TaskState::{self, TaskFailed, TaskFinished, TaskKilled};
use aurora_mesos::v1::scheduler::event;
use tokio_util::sync::CancellationToken;

use crate::support::{FREE, Framework, SOON, agent_config, start_master};

/// A small file system; gone with the test, however that ends.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None, with a word, where none can be mounted.
    fn mount(folder: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir(folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder);
        let reason = match mount.output() {
            Ok(ran) if ran.status.success() => return Some(Self(folder.to_owned())),
            Ok(ran) => String::from_utf8_lossy(&ran.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        // Past the test runner, which shows nothing of tests that pass.
        let _ = writeln!(std::io::stderr(), "skipped {name}: cannot mount: {reason}");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Without it only the removal of the folder fails.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The sandbox of the only container of an executor; none if it is gone.
fn sandbox(work_dir: &Path, executor: &str) -> Option<PathBuf> {
    let only = |folder: PathBuf| -> Option<PathBuf> {
        Some(std::fs::read_dir(folder).ok()?.next()?.ok()?.path())
    };
    let framework = only(only(work_dir.join("slaves"))?.join("frameworks"))?;
    let runs = framework.join("executors").join(executor).join("runs");
    runs.join("latest").canonicalize().ok()
}

/// Waits until something is there.
async fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, looking).await.unwrap_or_else(|_| panic!("no {what}"))
}

/// Writes half a megabyte, and ends when it is told to.
const FILL: &str = "head -c 524288 /dev/zero > data && mkfifo end && read end < end";

/// Runs a task that fills some of the disk, to its end.
async fn run(
    framework: &mut Framework,
    agent: &agent::Handle,
    folder: &Path,
    name: &str,
    end: TaskState,
) {
    let mut executor = framework.launch_named(agent.addr(), name, FILL).await;
    executor.send(end);
    let ended = framework.update().await;
    assert_eq!(ended.state(), end);
    framework.acknowledge(ended).await;
    executor.acknowledged().await;
    let work_dir = folder.join("agent");
    let pipe = wait_for("pipe", || {
        let pipe = sandbox(&work_dir, name)?.join("end");
        pipe.exists().then_some(pipe)
    })
    .await;
    tokio::task::spawn_blocking(move || std::fs::write(pipe, "end\n")).await.unwrap().unwrap();
    wait_for("end of the executor", || (agent.running_executors() <= 1).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_takes_finished_tasks_first_and_never_one_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let work_dir = folder.path().join("agent");
    let Some(_disk) = SmallDisk::mount(&work_dir, "4m") else { return };
    let (master, _stop) = start_master(folder.path(), FREE).await;
    let start = async |address| {
        let stop = CancellationToken::new();
        let config = agent::Config {
            // Up to three megabytes may be used.
            gc_disk_headroom: agent::Share::new(0.25).unwrap(),
            disk_watch_interval: Duration::from_millis(100),
            ..agent_config(folder.path(), master.addr(), address)
        };
        (agent::start(config, stop.clone()).await.unwrap(), stop)
    };
    let (agent, stop) = start(FREE).await;
    let address = agent.addr();
    let mut framework = Framework::subscribe(master.addr(), None).await;
    let _live = framework.launch_named(address, "live", "exec sleep 1000").await;
    for (name, end) in [("a", TaskFailed), ("b", TaskFinished), ("c", TaskKilled)] {
        run(&mut framework, &agent, folder.path(), name, end).await;
    }
    let there = || {
        let all = ["live", "a", "b", "c", "d", "e"];
        all.into_iter().filter(|name| sandbox(&work_dir, name).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(there(), ["live", "a", "b", "c"], "there is room");
    // Another agent remembers which of them failed.
    framework.offer().await;
    stop.cancel();
    agent.wait().await.unwrap();
    let (agent, _stop) = start(address).await;
    // It is registered.
    framework.event(event::Type::Rescind).await;
    run(&mut framework, &agent, folder.path(), "d", TaskFailed).await;
    run(&mut framework, &agent, folder.path(), "e", TaskFinished).await;
    assert_eq!(there(), ["live", "a", "b", "c", "d", "e"], "it is about to be full");

    let fill = |name: &str, kib: usize| {
        std::fs::write(work_dir.join(name), vec![1; kib << 10]).unwrap();
    };
    let left = async |all: &[&str]| {
        wait_for("room", || (there() == all).then_some(())).await;
    };
    fill("others", 800);
    left(&["live", "a", "c", "d", "e"]).await;
    fill("more", 900);
    left(&["live", "a", "d"]).await;
    fill("most", 700);
    left(&["live", "d"]).await;
    fill("all", 700);
    left(&["live"]).await;
    agent.shutdown_executors(Duration::ZERO).await;
}
