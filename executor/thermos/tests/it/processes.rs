//! Tasks that run. They run one after the other: this process is the parent of all that they
//! leave behind.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aurora_thermos::checkpoint::record::Header;
use aurora_thermos::history::Run;
use aurora_thermos::process::children::Children;
use aurora_thermos::process::tree::{boot_id, identify};
use aurora_thermos::runner::{self, Command, Config, End, LOG_DIR};
use aurora_thermos::spec::TaskSpec;
use aurora_thermos::state::TaskState;
use aurora_thermos::view::{Task, Tasks};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

struct Place {
    folder: tempfile::TempDir,
    children: Children,
    _alone: MutexGuard<'static, ()>,
}

impl Place {
    fn new() -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sandbox")).unwrap();
        Self { folder, children: Children::adopt().unwrap(), _alone: alone }
    }

    fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join("sandbox").join(below)
    }

    fn text(&self, below: &str) -> String {
        std::fs::read_to_string(self.path(below)).unwrap()
    }

    /// A pipe by which the task tells something, and waits until it was heard.
    fn pipe(&self, name: &str) -> tokio::task::JoinHandle<String> {
        let path = self.path(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        tokio::task::spawn_blocking(move || std::fs::read_to_string(path).unwrap())
    }

    fn config(&self, task: &Value) -> Config {
        let sandbox = self.path("");
        let header = Header {
            task_id: "t".to_owned(),
            task_json: task.to_string(),
            job: None,
            log_dir: sandbox.join(LOG_DIR),
            hostname: "box".to_owned(),
            user: "me".to_owned(),
            uid: 0,
            ports: [].into(),
            runner: identify(std::process::id().cast_signed()).unwrap(),
            boot_id: boot_id().unwrap(),
            sandbox: sandbox.clone(),
        };
        Config {
            checkpoint_root: self.folder.path().join("root"),
            header,
            sandbox: File::open(sandbox).unwrap().into(),
            task: TaskSpec::new(&serde_json::from_value(task.clone()).unwrap()).unwrap(),
            user: None,
            image: None,
            environment: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
        }
    }

    fn start(&self, task: &Value) -> (mpsc::UnboundedSender<Command>, impl Future<Output = End>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        let (sender, _started) = oneshot::channel();
        let running =
            tokio::spawn(runner::run(self.config(task), self.children.clone(), receiver, sender));
        (commands, async { running.await.unwrap().unwrap() })
    }

    async fn run(&self, task: Value) -> End {
        let (_commands, end) = self.start(&task);
        end.await
    }

    fn task(&self) -> std::sync::Arc<Task> {
        Tasks::new(self.folder.path().join("root")).get("t").unwrap().unwrap()
    }

    fn ends(&self, process: &str) -> Vec<Option<i32>> {
        self.task().runs(process).iter().map(Run::return_code).collect()
    }

    fn is_empty(&self) -> bool {
        self.children.living().unwrap().is_empty()
    }
}

fn ended(state: TaskState, reason: &str) -> End {
    End { state, reason: reason.to_owned(), survivors: Vec::new() }
}

fn process(name: &str, cmdline: &str) -> Value {
    json!({ "name": name, "cmdline": cmdline, "min_duration": 0 })
}

#[tokio::test]
async fn processes_run_in_order_and_print_to_their_files() {
    let place = Place::new();
    let mut last = process("last", "cat said");
    last["final"] = true.into();
    let end = place
        .run(json!({
            "name": "t",
            "processes": [
                process("b", "echo b >> said"),
                process("a", "echo a >> said; echo out; echo err >&2"),
                last,
            ],
            "constraints": [{ "order": ["a", "b"] }],
        }))
        .await;
    assert_eq!(end, ended(TaskState::Success, ""));
    assert_eq!(place.text(".logs/last/0/stdout"), "a\nb\n");
    assert_eq!(place.text(".logs/a/0/stdout"), "out\n");
    assert_eq!(place.text(".logs/a/0/stderr"), "err\n");
    assert_eq!(place.task().state(), Some(TaskState::Success));
    assert!(place.is_empty());
}

#[tokio::test]
async fn a_failed_run_is_tried_again_until_it_has_failed_too_often() {
    let place = Place::new();
    let mut twice = process("p", "exit 3");
    twice["max_failures"] = 2.into();
    let end = place.run(json!({ "name": "t", "processes": [twice] })).await;
    assert_eq!(end.state, TaskState::Failed);
    assert!(end.reason.contains("exit code 3"), "{}", end.reason);
    assert_eq!(place.ends("p"), [Some(3), Some(3)]);
}

#[tokio::test]
async fn a_signal_without_a_name_ends_a_run_like_any_other() {
    let place = Place::new();
    let dies_once = "[ -e died ] && exit 0; touch died; kill -34 $$";
    let end = place.run(json!({ "name": "t", "processes": [process("p", dies_once)] })).await;
    assert_eq!(end.state, TaskState::Success);
    assert_eq!(place.ends("p"), [Some(-34), Some(0)]);
}

#[tokio::test]
async fn nothing_outlives_a_kill() {
    let place = Place::new();
    let ready = place.pipe("ready");
    // One in a session of its own that does not want to end, one whose parents are gone, and one
    // that is never the same process for long.
    let stubborn = "
        setsid bash -c 'trap \"\" TERM; while :; do sleep 1000; done' &
        (setsid bash -c 'sleep 1000 & echo' | cat) &
        chain() { (chain &) ; }
        export -f chain
        setsid bash -c chain &
        echo > ready
        sleep 1000";
    let task = json!({ "name": "t", "processes": [process("p", stubborn)] });
    let (commands, end) = place.start(&task);
    ready.await.unwrap();
    let grace = Duration::from_millis(100);
    commands.send(Command::Kill { reason: "asked to".to_owned(), grace }).unwrap();
    let end = end.await;
    assert_eq!(end, ended(TaskState::Killed, "asked to"));
    assert!(place.is_empty());
    assert!(place.task().runs("p").iter().all(|run| run.state.is_terminal()));
}

#[tokio::test]
async fn what_outlives_its_grace_is_killed_and_written_down_before_the_task_ends() {
    let place = Place::new();
    let ready = place.pipe("ready");
    let deaf = "trap '' TERM; echo > ready; while :; do sleep 1000; done";
    let task = json!({ "name": "t", "processes": [process("p", deaf)] });
    let (commands, end) = place.start(&task);
    ready.await.unwrap();
    commands.send(Command::Kill { reason: "now".to_owned(), grace: Duration::ZERO }).unwrap();
    assert_eq!(end.await.state, TaskState::Killed);
    assert_eq!(place.ends("p"), [Some(-9)]);
    assert!(place.is_empty());
}

#[tokio::test]
async fn output_that_is_copied_is_whole() {
    let place = Place::new();
    let mut loud = process("p", "head -c 3000000 /dev/zero; head -c 70000 /dev/zero >&2");
    loud["logger"] = json!({ "mode": "rotate", "rotate": { "log_size": 1_000_000, "backups": 3 } });
    let end = place.run(json!({ "name": "t", "processes": [loud] })).await;
    assert_eq!(end.state, TaskState::Success);
    let length = |name: &str| std::fs::metadata(place.path(".logs/p/0").join(name)).unwrap().len();
    let names = ["stdout", "stdout.1", "stdout.2", "stdout.3", "stderr"];
    assert_eq!(names.map(length), [0, 1_000_000, 1_000_000, 1_000_000, 70_000]);
}

#[tokio::test]
async fn a_stranger_who_holds_the_output_does_not_hold_the_task() {
    let place = Place::new();
    let (told, held) = (place.pipe("told"), place.path("held"));
    nix::unistd::mkfifo(&held, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut quiet = process("p", "echo $$ > told; read < held");
    quiet["logger"] = json!({ "mode": "rotate" });
    let task = json!({ "name": "t", "processes": [quiet] });
    let (_commands, end) = place.start(&task);
    let pid = told.await.unwrap();
    let stdout = format!("/proc/{}/fd/1", pid.trim());
    let output = File::options().write(true).open(stdout).unwrap();
    tokio::task::spawn_blocking(move || std::fs::write(held, "\n").unwrap()).await.unwrap();
    assert_eq!(end.await.state, TaskState::Success);
    drop(output);
}

#[tokio::test]
async fn what_a_job_puts_in_the_place_of_its_logs_is_not_opened() {
    let place = Place::new();
    let trap =
        "mkdir -p .logs/pipe/0 .logs/link; mkfifo .logs/pipe/0/stdout; ln -s /tmp .logs/link/0";
    let mut after: Vec<Value> = ["pipe", "link"].map(|name| process(name, "echo here")).into();
    for process in &mut after {
        process["max_failures"] = 2.into();
    }
    after.push(process("trap", trap));
    let end = place
        .run(json!({
            "name": "t",
            "processes": after,
            "constraints": [{ "order": ["trap", "pipe"] }, { "order": ["trap", "link"] }],
        }))
        .await;
    assert_eq!(end.state, TaskState::Success, "{}", end.reason);
    for name in ["pipe", "link"] {
        assert_eq!(place.ends(name), [None, Some(0)]);
        assert_eq!(place.text(&format!(".logs/{name}/1/stdout")), "here\n");
    }
}

#[tokio::test]
async fn a_link_in_the_place_of_the_sandbox_is_not_followed() {
    let place = Place::new();
    let swap = "mkdir ../other; mv ../sandbox ../moved; ln -s other ../sandbox";
    let end = place
        .run(json!({
            "name": "t",
            "processes": [process("swap", swap), process("p", "pwd -P")],
            "constraints": [{ "order": ["swap", "p"] }],
        }))
        .await;
    assert_eq!(end.state, TaskState::Success, "{}", end.reason);
    let moved = place.folder.path().join("moved");
    let said = std::fs::read_to_string(moved.join(".logs/p/0/stdout")).unwrap();
    assert_eq!(Path::new(said.trim()), moved.canonicalize().unwrap());
    assert!(!place.folder.path().join("other/.logs").exists());
}
