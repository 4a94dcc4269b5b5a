//! The observer from the outside: checkpoints and sandboxes in, pages and JSON out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]
#![allow(clippy::disallowed_methods, reason = "tests of a shell crate")]

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use aurora_daemon::listen::Listen;
use aurora_observer::{Config, start};
use aurora_thermos::checkpoint::record::{
    Event, Header, ProcessChange, ProcessEvent, ProcessIdentity, Record, TaskEvent,
};
use aurora_thermos::checkpoint::{Writer, tasks_dir};
use aurora_thermos::process::tree::{boot_id, identify};
use aurora_thermos::state::TaskState;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

struct Machine {
    folder: tempfile::TempDir,
    address: SocketAddr,
}

impl Machine {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = Listen::Address("127.0.0.1:0".parse().unwrap());
        let config = Config::new(address, folder.path().join("root"));
        let observer = start(config, CancellationToken::new()).await.unwrap();
        Self { folder, address: observer.addr() }
    }

    fn sandbox(&self, id: &str) -> PathBuf {
        self.folder.path().join(id).join("sandbox")
    }

    /// A task with one run of one process, as far as `events` of its story go.
    fn task(&self, id: &str, boot_id: &str, events: usize) -> PathBuf {
        let sandbox = self.sandbox(id);
        let logs = sandbox.join(".logs/p/0");
        std::fs::create_dir_all(&logs).unwrap();
        let header = Header {
            task_id: id.to_owned(),
            task_json: r#"{"name":"t","processes":[{"name":"p","cmdline":"true"}]}"#.to_owned(),
            job: None,
            log_dir: sandbox.join(".logs"),
            sandbox: sandbox.clone(),
            hostname: "box".to_owned(),
            user: "me".to_owned(),
            uid: 0,
            ports: [("http".to_owned(), 31_000)].into(),
            runner: identify(std::process::id().cast_signed()).unwrap(),
            boot_id: boot_id.to_owned(),
        };
        let process =
            |change| Event::Process(ProcessEvent { process: "p".to_owned(), run: 0, change });
        let state = |state| Event::Task(TaskEvent { state, reason: String::new() });
        let story = [
            state(TaskState::Active),
            process(ProcessChange::Waiting),
            process(ProcessChange::Forked),
            process(ProcessChange::Running(ProcessIdentity { pid: 1, start_ticks: 1 })),
            process(ProcessChange::Failed { exit_code: Some(3), reason: String::new() }),
            state(TaskState::Cleaning),
            state(TaskState::Failed),
        ];
        let first = Record { time_ms: 1000, event: Event::Header(Box::new(header)) };
        let root = self.folder.path().join("root");
        let mut writer = Writer::create(&root, id, &first).unwrap();
        for (event, second) in story.into_iter().take(events).zip(2..) {
            writer.append(&Record { time_ms: second * 1000, event }).unwrap();
        }
        logs
    }

    /// Gives the status, the head and the body of the answer.
    async fn get(&self, path: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    async fn json(&self, path: &str) -> Value {
        let (status, _, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn ids(&self, which: &str) -> Vec<(String, String)> {
        let listed = self.json(&format!("/j/task_ids/{which}")).await;
        let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
        let mut ids: Vec<_> = listed["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (text(row, "task_id"), text(row, "state")))
            .collect();
        ids.sort();
        ids
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[tokio::test]
async fn lists_tell_what_runs_from_what_is_over_lost_or_damaged() {
    let machine = Machine::new().await;
    for path in ["/", "/main/active", "/j/task_ids", "/j/task"] {
        assert_eq!(machine.get(path).await.0, 200, "{path} without a task");
    }
    let boot = boot_id().unwrap();
    machine.task("runs", &boot, 4);
    machine.task("over", &boot, 7);
    machine.task("rebooted", "another boot", 4);
    let tasks = tasks_dir(&machine.folder.path().join("root"));
    std::fs::write(tasks.join("stray"), "").unwrap();
    std::fs::create_dir_all(tasks.join("odd/checkpoint")).unwrap();
    assert_eq!(machine.ids("active").await, pairs(&[("runs", "ACTIVE")]));
    let finished = pairs(&[("odd", "unknown"), ("over", "FAILED"), ("rebooted", "LOST")]);
    assert_eq!(machine.ids("finished").await, finished);
    let counts = machine.json("/j/task_id_count").await;
    assert_eq!(counts, json!({ "active": 1, "finished": 3, "all": 4 }));
    for path in ["/", "/main/finished", "/task/rebooted"] {
        assert_eq!(machine.get(path).await.0, 200, "{path}");
    }
    let lost = machine.json("/j/task/rebooted").await;
    assert_eq!(lost["rebooted"]["state"], "LOST");
    assert_eq!(lost["rebooted"]["state_timestamp"], 5);
    let some = machine.json("/j/task?task_id=over,odd,none").await;
    assert_eq!(some.as_object().unwrap().keys().collect::<Vec<_>>(), ["over"]);
    let latest = machine.json("/j/processes?task_id=over,odd").await;
    assert_eq!(latest["over"]["p"]["return_code"], 3);
    assert_eq!(latest["odd"], json!({}));
    let run = machine.json("/j/process/over/p/-1").await;
    assert_eq!((&run["state"], &run["process_run"]), (&json!("FAILED"), &json!(0)));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let machine = Machine::new().await;
    machine.task("t", &boot_id().unwrap(), 7);
    for path in [
        "/main/bogus",
        "/main/active/x",
        "/task/none",
        "/process/t/none",
        "/browse/none",
        "/logs/t/p/0/bogus",
        "/nosuch",
        "/j/task_ids/bogus",
        "/j/task/none",
        "/j/process/t/p/x",
    ] {
        assert_eq!(machine.get(path).await.0, 404, "{path}");
    }
    assert_eq!(machine.json("/j/process/t/p/7").await, json!({}));
    assert_eq!(machine.json("/logdata/none/p/0/stdout").await, json!({}));
}

#[tokio::test]
async fn output_is_given_in_parts() {
    let machine = Machine::new().await;
    let logs = machine.task("t", &boot_id().unwrap(), 7);
    std::fs::write(logs.join("stdout"), "start\néabc").unwrap();
    std::fs::write(logs.join("stderr"), "<&>").unwrap();
    let table = [
        ("", json!({ "offset": 11, "length": 0 })),
        ("?offset=-1", json!({ "offset": 11, "length": 0 })),
        ("?offset=0", json!({ "offset": 0, "length": 11, "data": "start\néabc" })),
        ("?offset=0&length=7", json!({ "offset": 0, "length": 7, "data": "start\n\u{fffd}" })),
        ("?offset=999", json!({ "offset": 11, "length": 0 })),
        ("?offset=8&length=-7", json!({ "offset": 8, "length": 3, "data": "abc" })),
        ("?offset=-3", json!({})),
        ("?offset=abc", json!({})),
    ];
    for (query, expected) in table {
        let path = format!("/logdata/t/p/0/stdout{query}");
        assert_eq!(machine.json(&path).await, expected, "{query}");
    }
    let escaped = machine.json("/filedata/t/.logs/p/0/stderr?offset=0").await;
    assert_eq!(escaped["data"], "&lt;&amp;&gt;");
}

#[tokio::test]
async fn nothing_but_the_sandbox_is_served() {
    let machine = Machine::new().await;
    let logs = machine.task("t", &boot_id().unwrap(), 7);
    let sandbox = machine.sandbox("t");
    std::fs::write(sandbox.join("file"), "0123456789").unwrap();
    symlink("/etc/passwd", sandbox.join("out")).unwrap();
    symlink("/etc/passwd", logs.join("stdout")).unwrap();
    std::fs::create_dir(sandbox.with_file_name("sandbox-evil")).unwrap();
    std::fs::write(sandbox.with_file_name("sandbox-evil").join("s"), "secret").unwrap();

    let (status, head, body) = machine.get("/download/t/file").await;
    assert_eq!((status, body.as_str()), (200, "0123456789"));
    assert!(head.contains("\r\ncontent-length: 10"), "{head}");
    assert_eq!(machine.json("/filedata/t/file?offset=2&length=3").await["data"], "234");
    for (path, status) in [
        ("/download/t/out", 404),
        ("/browse/t/out", 404),
        ("/browse/t/../sandbox-evil/s", 404),
        ("/download/t/..%2fsandbox-evil%2fs", 404),
    ] {
        assert_eq!(machine.get(path).await.0, status, "{path}");
    }
    assert_eq!(machine.json("/filedata/t/out?offset=0").await, json!({}));
    assert_eq!(machine.json("/logdata/t/p/0/stdout?offset=0").await, json!({}));

    // The whole sandbox is another one now.
    std::fs::rename(&sandbox, sandbox.with_file_name("moved")).unwrap();
    symlink(Path::new("/etc"), &sandbox).unwrap();
    assert_eq!(machine.json("/filedata/t/passwd?offset=0").await, json!({}));
    for path in ["/browse/t", "/download/t/passwd"] {
        assert_eq!(machine.get(path).await.0, 404, "{path}");
    }
}
