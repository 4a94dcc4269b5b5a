use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Child, Command};
use std::time::SystemTime;

use aurora_daemon::metrics::Metrics;
use aurora_mesos::v1;
use prost::Message as _;

use super::plan::Share;
use super::*;
use crate::agent::checkpoint::VERSION;
use crate::agent::executors::Times;
use crate::proto::{CheckpointedTask, Container};

const MINUTE: Duration = Duration::from_mins(1);
/// Nothing is asked for that could end a pass.
const ON: &dyn Fn() -> bool = &|| false;

/// The work folder of an agent that runs nothing.
struct Work {
    folders: Folders,
    executors: Executors,
    numbers: Metrics,
    _lock: File,
}

impl Work {
    fn new(work_dir: &Path) -> Self {
        let (folders, lock) = Folders::open(work_dir).unwrap();
        fs::create_dir_all(folders.slaves()).unwrap();
        let times = Times {
            registration: MINUTE,
            reregistration: MINUTE,
            shutdown_grace: MINUTE,
            recovery: MINUTE,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 5051));
        let info = v1::AgentInfo::default();
        let executors = Executors::recover(info, folders.clone(), times, address).unwrap();
        Self { folders, executors, numbers: Metrics::default(), _lock: lock }
    }

    /// Keeps for ten minutes, failed tasks for twenty, and this share of the disk free.
    fn collector(&self, headroom: f64) -> Collector {
        let headroom = Share::new(headroom).unwrap();
        let policy = Policy { delay: 10 * MINUTE, failed_delay: 20 * MINUTE, headroom };
        let (executors, folders) = (self.executors.clone(), self.folders.clone());
        metrics::with_local_recorder(&self.numbers, || Collector::new(executors, folders, policy))
    }

    fn pass(&self, collector: &mut Collector) {
        collector.looked = None;
        metrics::with_local_recorder(&self.numbers, || collector.pass(ON));
    }

    fn number(&self, name: &str) -> f64 {
        let all = self.numbers.vars();
        *all.get(name).unwrap_or_else(|| panic!("no {name} in {all:?}"))
    }

    fn paths(&self, name: &str) -> (PathBuf, PathBuf) {
        self.folders.container("S1", "F", &format!("thermos-{name}"), name).unwrap()
    }

    /// The remains of a container, with a file of so many bytes.
    fn container(&self, name: &str, bytes: usize, container: Container) -> PathBuf {
        let (sandbox, meta) = self.paths(name);
        checkpoint::make(&sandbox, &meta, name).unwrap();
        fs::write(sandbox.join("data"), vec![1; bytes]).unwrap();
        let container = Container {
            version: VERSION,
            container_id: name.to_owned(),
            sandbox: sandbox.to_str().unwrap().to_owned(),
            ..container
        };
        checkpoint::write(&meta, &container).unwrap();
        sandbox
    }

    /// A container that ended so many minutes ago.
    fn ended(&self, name: &str, minutes_ago: i64, failed: bool, bytes: usize) -> PathBuf {
        let ended_ms = now_ms() - minutes_ago * 60_000;
        self.container(name, bytes, Container { ended_ms, failed, ..Container::default() })
    }

    /// The containers of which the sandbox is there; what is remembered of them is, too.
    fn left(&self) -> Vec<String> {
        let names = |runs: Vec<PathBuf>| -> Vec<String> {
            let name = |run: &PathBuf| run.file_name().unwrap().to_str().unwrap().to_owned();
            runs.iter().map(name).collect()
        };
        let there = |tree: PathBuf| {
            let runs = self.folders.runs().into_iter();
            names(runs.filter(|run| tree.join(run).exists()).collect())
        };
        let left = there(self.folders.slaves());
        assert_eq!(left, there(self.folders.meta()));
        left
    }
}

/// Ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Undoes what was done to a path, however the test ends.
struct Undo(&'static [&'static str], PathBuf);

impl Drop for Undo {
    fn drop(&mut self) {
        // Without it only the removal of the folder fails.
        let _ = Command::new(self.0[0]).args(&self.0[1..]).arg(&self.1).status();
    }
}

/// Says that a test is skipped, past the test runner, which shows nothing of tests that pass.
fn skip(words: &[&str], reason: &str) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    // Without a standard error nobody listens.
    let _ = writeln!(std::io::stderr(), "skipped {name}: {words:?}: {reason}");
}

/// Does something to a path until it is undone; none, with a word, where that may not be done.
fn done(words: &[&str], undo: &'static [&'static str], path: &Path) -> Option<Undo> {
    let ran = Command::new(words[0]).args(&words[1..]).arg(path).output();
    match ran {
        Ok(ran) if ran.status.success() => return Some(Undo(undo, path.to_owned())),
        Ok(ran) => skip(words, &String::from_utf8_lossy(&ran.stderr)),
        Err(error) => skip(words, &error.to_string()),
    }
    None
}

/// A small file system, gone with the test.
fn small_disk(folder: &Path, options: &str) -> Option<Undo> {
    done(&["mount", "-t", "tmpfs", "-o", options, "tmpfs"], &["umount", "-l"], folder)
}

#[test]
fn what_is_old_goes_with_all_that_is_remembered_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let work = Work::new(folder.path());
    let old = work.ended("old", 11, false, 10_000);
    work.ended("young", 9, false, 10);
    work.ended("failed", 19, true, 10);
    work.ended("failed-long-ago", 21, true, 10);
    let mut collector = work.collector(0.0);
    assert_eq!(work.number("agent_sandboxes_removed_age"), 0.0, "there from the start");
    work.pass(&mut collector);
    assert_eq!(work.left(), ["failed", "young"]);
    assert_eq!(work.number("agent_sandboxes_removed_age"), 2.0);
    assert_eq!(work.number("agent_sandboxes_removed_disk"), 0.0);
    assert!(work.number("agent_sandbox_bytes_removed_age") >= 10_000.0);
    assert_eq!(work.number("agent_sandbox_removal_failures"), 0.0);
    assert_eq!(work.number("agent_sandboxes_kept"), 2.0);
    // Not even the folder of its executor.
    assert!(!old.ancestors().nth(2).unwrap().exists());
    assert!(old.ancestors().nth(3).unwrap().exists());
}

#[test]
fn a_full_disk_loses_the_oldest_that_ended_well_and_failed_ones_last() {
    const BIG: usize = 400 << 10;
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = small_disk(folder.path(), "size=4m") else { return };
    let work = Work::new(folder.path());
    let mut collector = work.collector(0.5);
    for (name, minutes_ago, failed) in
        [("a", 5, true), ("b", 3, false), ("c", 4, false), ("d", 1, true)]
    {
        work.ended(name, minutes_ago, failed, BIG);
    }
    work.pass(&mut collector);
    assert_eq!(work.left(), ["a", "b", "c", "d"], "there is room");
    work.ended("e", 2, false, BIG);
    work.ended("f", 0, false, BIG);
    assert!(collector.disk().bytes.usage() > 0.5);
    work.pass(&mut collector);
    assert_eq!(work.left(), ["a", "b", "d", "e", "f"]);
    assert!(collector.disk().bytes.usage() <= 0.5);
    assert_eq!(work.number("agent_sandboxes_removed_disk"), 1.0);
    assert!(work.number("agent_sandbox_bytes_removed_disk") >= 409_600.0);

    // What does not go by itself takes it all.
    fs::write(folder.path().join("others"), vec![1; BIG * 3 + BIG / 2]).unwrap();
    work.pass(&mut collector);
    assert_eq!(work.left(), ["d"], "the oldest failed one goes when no other is left");
    assert!(!collector.was_short);
    fs::write(folder.path().join("more"), vec![1; BIG * 2]).unwrap();
    work.pass(&mut collector);
    assert!(work.left().is_empty() && collector.was_short);
}

#[test]
fn a_disk_without_inodes_loses_sandboxes_too() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = small_disk(folder.path(), "size=8m,nr_inodes=300") else { return };
    let work = Work::new(folder.path());
    let mut collector = work.collector(0.5);
    for (name, minutes_ago) in [("a", 1), ("b", 2), ("c", 3)] {
        let sandbox = work.ended(name, minutes_ago, false, 1);
        for number in 0..40 {
            File::create(sandbox.join(number.to_string())).unwrap();
        }
    }
    work.pass(&mut collector);
    assert_eq!(work.left(), ["a", "b"]);
    assert_eq!(work.number("agent_sandboxes_removed_disk"), 1.0);
}

#[test]
fn what_runs_or_is_still_to_be_told_never_goes() {
    let folder = tempfile::tempdir().unwrap();
    let work = Work::new(folder.path());
    let pending = CheckpointedTask { pending: vec![vec![1].into()], ..Default::default() };
    let ended_ms = now_ms() - 60_000;
    let untold = Container { ended_ms, tasks: vec![pending], ..Container::default() };
    work.container("untold", 10, untold);
    let live = work.container("live", 10, Container::default());
    // Its end was written down, and yet a process of it is there.
    let left = work.ended("left", 100, false, 10);
    work.ended("gone", 1, false, 10);
    let process = |sandbox: &Path| {
        let mut sleep = Command::new("sleep");
        Running(sleep.arg("1000").env("MESOS_SANDBOX", sandbox).spawn().unwrap())
    };
    let processes = [process(&live), process(&left)];
    let mut collector = work.collector(1.0);
    for name in ["live", "untold"] {
        age(&work, name, 60);
    }
    collector.policy.delay = Duration::ZERO;
    collector.policy.failed_delay = Duration::from_hours(2);
    work.pass(&mut collector);
    assert_eq!(work.left(), ["left", "live", "untold"], "whatever the disk asks for");
    collector.policy.failed_delay = Duration::ZERO;
    work.pass(&mut collector);
    assert_eq!(work.left(), ["left", "live"], "nobody is told any more after so long");
    drop(processes);
    work.pass(&mut collector);
    assert!(work.left().is_empty());
}

/// Has nothing changed in a container for so many minutes.
fn age(work: &Work, name: &str, minutes: u32) {
    let at = SystemTime::now() - minutes * MINUTE;
    let (sandbox, meta) = work.paths(name);
    for path in [checkpoint::file(&meta), sandbox, meta] {
        if let Ok(file) = File::open(path) {
            file.set_modified(at).unwrap();
        }
    }
}

#[test]
fn remains_of_which_little_is_known_go_by_age() {
    let folder = tempfile::tempdir().unwrap();
    let work = Work::new(folder.path());
    for name in ["damaged", "newer", "unfinished", "without-memory"] {
        work.ended(name, 100, false, 10);
    }
    let damage = |name: &str| checkpoint::file(&work.paths(name).1);
    fs::write(damage("damaged"), [0xff; 20]).unwrap();
    let newer = Container { version: VERSION + 1, ended_ms: 1, ..Container::default() };
    fs::write(damage("newer"), newer.encode_to_vec()).unwrap();
    fs::remove_file(damage("unfinished")).unwrap();
    fs::remove_dir_all(work.paths("without-memory").1).unwrap();
    let mut collector = work.collector(1.0);
    let sandboxes = |work: &Work| {
        let names = ["damaged", "newer", "unfinished", "without-memory"];
        names.into_iter().filter(|name| work.paths(name).0.exists()).count()
    };
    work.pass(&mut collector);
    assert_eq!(sandboxes(&work), 4, "they have just changed");
    age(&work, "damaged", 30);
    age(&work, "newer", 19);
    age(&work, "unfinished", 30);
    age(&work, "without-memory", 30);
    work.pass(&mut collector);
    assert_eq!(work.left(), ["newer"]);
    assert_eq!(work.number("agent_sandboxes_removed_age"), 3.0);
}

#[test]
fn what_cannot_be_removed_stops_nothing_and_is_tried_again_later() {
    let folder = tempfile::tempdir().unwrap();
    let work = Work::new(folder.path());
    let stuck = work.ended("stuck", 30, false, 10);
    fs::create_dir(stuck.join("mounted")).unwrap();
    let Some(mounted) = small_disk(&stuck.join("mounted"), "size=64k") else { return };
    fs::write(stuck.join("mounted/others"), "x").unwrap();
    work.ended("other", 20, false, 10);
    let mut collector = work.collector(0.0);
    work.pass(&mut collector);
    assert_eq!(work.left(), ["stuck"]);
    assert!(stuck.join("mounted/others").exists() && !stuck.join("data").exists());
    assert_eq!(work.number("agent_sandbox_removal_failures"), 1.0);
    assert_eq!(work.number("agent_sandboxes_kept"), 1.0);
    drop(mounted);
    work.pass(&mut collector);
    assert_eq!(work.left(), ["stuck"], "it is not yet time");
    let soon = |collector: &mut Collector| {
        collector.retries.values_mut().for_each(|retry| retry.at = Instant::now());
    };
    let Some(mounted) = small_disk(&stuck.join("mounted"), "size=64k") else { return };
    soon(&mut collector);
    work.pass(&mut collector);
    assert_eq!(work.number("agent_sandbox_removal_failures"), 2.0);
    assert_eq!(collector.retries.values().next().unwrap().wait, RETRY.0 * 2);
    drop(mounted);
    soon(&mut collector);
    work.pass(&mut collector);
    assert!(work.left().is_empty() && collector.retries.is_empty());
    assert_eq!(work.number("agent_sandboxes_removed_age"), 2.0);
}

#[test]
fn a_link_in_the_place_of_a_sandbox_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let others = folder.path().join("others");
    fs::create_dir(&others).unwrap();
    fs::write(others.join("file"), "x").unwrap();
    let work = Work::new(&folder.path().join("work"));
    let sandbox = work.ended("swapped", 30, false, 10);
    fs::remove_dir_all(&sandbox).unwrap();
    std::os::unix::fs::symlink(&others, &sandbox).unwrap();
    work.pass(&mut work.collector(0.0));
    assert!(others.join("file").exists());
    assert_eq!(work.number("agent_sandbox_removal_failures"), 1.0);
}

#[test]
fn a_pass_ends_when_the_agent_does() {
    let folder = tempfile::tempdir().unwrap();
    let work = Work::new(folder.path());
    work.ended("a", 30, false, 10);
    work.ended("b", 20, false, 10);
    let mut collector = work.collector(0.0);
    collector.pass(&|| true);
    assert_eq!(work.left(), ["a", "b"]);
    let (a, _) = work.paths("a");
    collector.looked = None;
    collector.pass(&|| !a.exists());
    assert!(work.paths("b").0.exists());
    work.pass(&mut collector);
    assert!(work.left().is_empty(), "what was begun is found again");
}
