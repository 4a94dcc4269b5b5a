//! Where a scenario takes place: a folder of its own with a sandbox and a checkpoint root.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora_thermos::checkpoint;
use aurora_thermos::checkpoint::read_from;
use aurora_thermos::checkpoint::record::Record;
use aurora_thermos::history::Run;
use aurora_thermos::process::tree;
use aurora_thermos::state::{ProcessState, TaskState};
use aurora_thermos::view::{Task, Tasks};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::{Value, json};

use crate::runner::Setup;

/// The variable that tells the file with a [`Setup`].
pub(crate) const SETUP: &str = "AURORA_TEST_RUNNER_SETUP";

/// How long anything may take before a test gives up waiting. The machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Place {
    folder: tempfile::TempDir,
    pub(crate) setup: Setup,
}

impl Place {
    pub(crate) fn new(task: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = folder.path().join("sandbox");
        std::fs::create_dir(&sandbox).unwrap();
        let setup = Setup {
            root: folder.path().join("root"),
            id: "t".to_owned(),
            sandbox,
            task,
            user: None,
            ports: [].into(),
            grace_ms: 60_000,
            without_run_limit: false,
            logger: (String::new(), String::new(), 0, 0),
        };
        Self { folder, setup }
    }

    pub(crate) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.setup.sandbox.join(below)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn text(&self, below: &str) -> String {
        let path = self.path(below);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    }

    pub(crate) fn stdout(&self, process: &str, run: u32) -> String {
        self.text(&format!(".logs/{process}/{run}/stdout"))
    }

    /// Starts a runner, which ends with this value.
    pub(crate) fn start(&self) -> Runner {
        self.start_by(Command::new(std::env::current_exe().unwrap()))
    }

    /// Starts a runner that cannot write files of more than so many KiB.
    pub(crate) fn start_with_small_files(&self, kib: u32) -> Runner {
        let mut command = Command::new("bash");
        let limits = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
        command.arg("-c").arg(limits).arg(std::env::current_exe().unwrap());
        self.start_by(command)
    }

    fn start_by(&self, mut command: Command) -> Runner {
        let setup = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        serde_json::to_writer(&setup, &self.setup).unwrap();
        let out = |stream: &str| {
            let name = format!("{}.{stream}", setup.path().display());
            (File::create(&name).unwrap(), PathBuf::from(name))
        };
        let (stdout, stdout_path) = out("out");
        let (stderr, stderr_path) = out("err");
        let child = command
            .args(["--exact", "runner_of_a_scenario", "--nocapture", "--test-threads=1", "-q"])
            .env(SETUP, setup.path())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap();
        Runner { child, _setup: setup, stdout_path, stderr_path }
    }

    /// Runs the task to its end, of which nothing may be left.
    pub(crate) fn run(&self) -> Arc<Task> {
        let ended = self.start().wait();
        self.ended(&ended)
    }

    /// The task, whose runner must have ended in good order.
    pub(crate) fn ended(&self, ended: &Ended) -> Arc<Task> {
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(self.left(), Vec::<i32>::new(), "processes are left");
        let task = self.task();
        assert!(task.state().is_some_and(TaskState::is_terminal));
        for name in task.process_names() {
            assert!(task.runs(&name).iter().all(|run| run.state.is_terminal()), "{name}");
        }
        task
    }

    pub(crate) fn task(&self) -> Arc<Task> {
        let task = Tasks::new(&self.setup.root).get(&self.setup.id).unwrap().unwrap();
        assert_eq!(task.damage(), None);
        task
    }

    pub(crate) fn checkpoint(&self) -> PathBuf {
        checkpoint::path(&self.setup.root, &self.setup.id)
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let file = File::open(self.checkpoint()).unwrap();
        read_from(&file, 0, |record| {
            records.push(record);
            Ok(())
        })
        .unwrap();
        records
    }

    /// Waits until a file is there, which a process makes when it is ready.
    pub(crate) fn wait_for_file(&self, below: &str) {
        let path = self.path(below);
        wait_until(below, || path.exists());
    }

    /// Waits until the task is in a state, with a run of `process` in another.
    pub(crate) fn wait_for(&self, state: TaskState, process: &str, of_process: ProcessState) {
        let tasks = Tasks::new(&self.setup.root);
        wait_until(&format!("{state}, {process} {of_process}"), || {
            tasks.get(&self.setup.id).unwrap().is_some_and(|task| {
                task.state() == Some(state)
                    && task.runs(process).last().is_some_and(|run| run.state == of_process)
            })
        });
    }

    /// The processes of the task that live: its sandbox is their home.
    pub(crate) fn left(&self) -> Vec<i32> {
        let home = format!("HOME={}", self.setup.sandbox.display()).into_bytes();
        let mut left = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
            let is_ours = environment.split(|byte| *byte == 0).any(|variable| variable == home);
            if is_ours && tree::stat(pid).is_ok_and(|stat| !stat.zombie) {
                left.push(pid);
            }
        }
        left
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for pid in self.left() {
            if let Ok(identity) = tree::identify(pid) {
                let _gone = tree::signal(identity, Signal::KILL);
            }
        }
    }
}

pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) struct Runner {
    child: Child,
    _setup: tempfile::NamedTempFile,
    stdout_path: PathBuf,
    stderr_path: PathBuf,
}

pub(crate) struct Ended {
    /// None if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Runner {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, but no longer than this; it is not collected.
    pub(crate) fn ends_within(&self, time: Duration) -> bool {
        let process = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()).unwrap();
        let time = Timespec::try_from(time).unwrap();
        poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&time)).unwrap() > 0
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub(crate) fn wait(mut self) -> Ended {
        let mut status = None;
        wait_until("the end of a runner", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        Ended {
            code: status.and_then(|status| status.code()),
            stdout: std::fs::read_to_string(&self.stdout_path).unwrap(),
            stderr: std::fs::read_to_string(&self.stderr_path).unwrap(),
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // It has ended already, unless the test has failed.
        let _ended = self.child.kill();
        let _collected = self.child.wait();
    }
}

/// A process with `fields` over what most scenarios want.
pub(crate) fn process(name: &str, cmdline: &str, fields: Value) -> Value {
    let mut process = json!({ "name": name, "cmdline": cmdline });
    over(&mut process, fields);
    process
}

/// A task of these processes.
pub(crate) fn task(processes: impl Into<Vec<Value>>, fields: Value) -> Value {
    let mut task = json!({ "name": "t", "processes": processes.into() });
    over(&mut task, fields);
    task
}

fn over(object: &mut Value, fields: Value) {
    if let Value::Object(fields) = fields {
        object.as_object_mut().unwrap().extend(fields);
    }
}

/// Orders between processes.
pub(crate) fn orders(orders: &[&[&str]]) -> Value {
    let constraints: Vec<Value> = orders.iter().map(|order| json!({ "order": order })).collect();
    json!({ "constraints": constraints })
}

/// How the runs of a process ended: `SUCCESS`, `FAILED(1)`, `KILLED(-15)`.
pub(crate) fn ends(task: &Task, process: &str) -> String {
    let runs: Vec<String> = task.runs(process).iter().map(end).collect();
    runs.join(" ")
}

fn end(run: &Run) -> String {
    match run.return_code() {
        Some(0) | None => run.state.to_string(),
        Some(code) => format!("{}({code})", run.state),
    }
}

/// The states of a task: `ACTIVE CLEANING FINALIZING SUCCESS`.
pub(crate) fn states(task: &Task) -> String {
    let states: Vec<&str> =
        task.history().statuses().iter().map(|status| status.state.name()).collect();
    states.join(" ")
}

/// When a run started and ended, in milliseconds.
pub(crate) fn span(run: &Run) -> (i64, i64) {
    (run.started_ms.unwrap(), run.stopped_ms.unwrap())
}

/// The gaps between the end of each run and the start of the next, in milliseconds.
pub(crate) fn gaps(task: &Task, process: &str) -> Vec<i64> {
    task.runs(process).windows(2).map(|two| span(&two[1]).0 - span(&two[0]).1).collect()
}
