use std::io::Write as _;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use aurora_cluster::agent;
use aurora_mesos::v1::TaskState::{self, TaskFailed, TaskFinished, TaskKilled};
use aurora_mesos::v1::scheduler::event;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, inotify};
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

/// Tells when something is removed below the folders of an agent's executors.
struct Removals(OwnedFd);

impl Removals {
    fn of(work_dir: &Path) -> Self {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK);
        let watch = watch.unwrap();
        let mut folders = vec![work_dir.join("slaves")];
        while let Some(folder) = folders.pop() {
            let flags = inotify::WatchFlags::DELETE | inotify::WatchFlags::MOVED_FROM;
            inotify::add_watch(&watch, &folder, flags).unwrap();
            let inner = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
            // The links to the latest container are none of these.
            folders.extend(inner.filter(|e| e.file_type().unwrap().is_dir()).map(|e| e.path()));
        }
        Self(watch)
    }

    /// Waits until so much is gone that `is_so`. Blocks.
    fn until(&self, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + SOON;
        while !is_so() {
            let left = deadline.saturating_duration_since(Instant::now()).try_into().unwrap();
            let told = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&left)).unwrap();
            assert!(told > 0, "too much is still there");
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut all = inotify::Reader::new(&self.0, &mut buffer);
            while all.next().is_ok() {}
        }
    }
}

/// Runs a task that fills half a megabyte of the disk, to its end.
async fn run(
    framework: &mut Framework,
    agent: &agent::Handle,
    folder: &Path,
    name: &str,
    end: TaskState,
) {
    let pipe = folder.join(name);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let command = format!("head -c 524288 /dev/zero > data && read end < {}", pipe.display());
    let mut executor = framework.launch_named(agent.addr(), name, &command).await;
    executor.send(end);
    let ended = framework.update().await;
    assert_eq!(ended.state(), end);
    framework.acknowledge(ended).await;
    executor.acknowledged().await;
    // It is opened when the other end is, which is after all has been written.
    let told = tokio::task::spawn_blocking(move || std::fs::write(pipe, "end\n"));
    tokio::time::timeout(SOON, told).await.unwrap().unwrap().unwrap();
    framework.event(event::Type::Failure).await;
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
    let fills: [(&str, usize, &[&str]); 4] = [
        ("others", 800, &["live", "a", "c", "d", "e"]),
        ("more", 900, &["live", "a", "d"]),
        ("most", 700, &["live", "d"]),
        ("all", 700, &["live"]),
    ];
    for (name, kib, left) in fills {
        let removals = Removals::of(&work_dir);
        fill(name, kib);
        tokio::task::block_in_place(|| removals.until(|| there() == left));
    }
    agent.shutdown_executors(Duration::ZERO).await;
}
