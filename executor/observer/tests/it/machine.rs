//! A machine with tasks, told of by checkpoints as executors write them, and an observer of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use aurora_daemon::listen::Listen;
use aurora_observer::{Config, Handle, start};
use aurora_thermos::checkpoint::record::{
    Event, Header, ProcessChange, ProcessEvent, ProcessIdentity, Record, TaskEvent,
};
use aurora_thermos::checkpoint::{Writer, path};
use aurora_thermos::process::tree::{boot_id, identify};
use aurora_thermos::state::TaskState;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// How long anything that should happen may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` finds something; fails with `what` if it never does.
pub(crate) async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A process that ends with the test.
pub(crate) struct Living(pub(crate) std::process::Child);

impl Living {
    /// Runs a script, which has begun when it has printed a line.
    pub(crate) fn sh(script: &str) -> Self {
        use std::io::{BufRead as _, BufReader};
        let mut command = Command::new("sh");
        let mut child = Self(command.args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(child.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{script} has not begun");
        child
    }

    pub(crate) fn identity(&self) -> ProcessIdentity {
        identify(self.0.id().cast_signed()).unwrap()
    }

    /// Waits for its end, at most so long.
    pub(crate) fn wait(&self, at_most: Duration) {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        let id = Pid::from_child(&self.0);
        // It may have ended, and been waited for.
        let Ok(process) = pidfd_open(id, PidfdFlags::empty()) else { return };
        let at_most = Timespec::try_from(at_most).unwrap();
        poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&at_most)).unwrap();
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A task as its runner tells of it.
pub(crate) struct Told {
    writer: Writer,
    second: i64,
    pub(crate) sandbox: PathBuf,
}

impl Told {
    pub(crate) fn say(&mut self, event: Event) -> &mut Self {
        self.second += 1;
        self.writer.append(&Record { time_ms: self.second * 1000, event }).unwrap();
        self
    }

    pub(crate) fn state(&mut self, state: TaskState) -> &mut Self {
        self.say(Event::Task(TaskEvent { state, reason: String::new() }))
    }

    pub(crate) fn process(&mut self, name: &str, run: u32, change: ProcessChange) -> &mut Self {
        self.say(Event::Process(ProcessEvent { process: name.to_owned(), run, change }))
    }

    /// A run from its beginning to where a living process is it.
    pub(crate) fn running(&mut self, name: &str, run: u32, process: ProcessIdentity) -> &mut Self {
        std::fs::create_dir_all(self.logs(name, run)).unwrap();
        self.process(name, run, ProcessChange::Waiting)
            .process(name, run, ProcessChange::Forked)
            .process(name, run, ProcessChange::Running(process))
    }

    pub(crate) fn failed(&mut self, name: &str, run: u32, code: i32) -> &mut Self {
        self.running(name, run, GONE).process(name, run, failed(code))
    }

    /// From CLEANING to an end.
    pub(crate) fn end(&mut self, state: TaskState) -> &mut Self {
        self.state(TaskState::Cleaning).state(state)
    }

    pub(crate) fn logs(&self, name: &str, run: u32) -> PathBuf {
        self.sandbox.join(".logs").join(name).join(run.to_string())
    }
}

/// A process that ended long ago.
pub(crate) const GONE: ProcessIdentity = ProcessIdentity { pid: 1, start_ticks: 1 };

pub(crate) fn failed(code: i32) -> ProcessChange {
    ProcessChange::Failed { exit_code: Some(code), reason: String::new() }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) struct Machine {
    folder: tempfile::TempDir,
    address: SocketAddr,
    stop: CancellationToken,
    observer: Option<Handle>,
    configure: fn(&mut Config),
}

impl Machine {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(configure: fn(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = "127.0.0.1:0".parse().unwrap();
        let stop = CancellationToken::new();
        let mut machine = Self { folder, address, stop, observer: None, configure };
        machine.start().await;
        machine
    }

    async fn start(&mut self) {
        let listen = Listen::Address("127.0.0.1:0".parse().unwrap());
        let mut config = Config::new(listen, self.root());
        (self.configure)(&mut config);
        self.stop = CancellationToken::new();
        let observer = start(config, self.stop.clone()).await.unwrap();
        self.address = observer.addr();
        self.observer = Some(observer);
    }

    /// Ends the observer, and starts another.
    pub(crate) async fn restart(&mut self) {
        self.stop.cancel();
        self.observer.take().unwrap().wait().await.unwrap();
        self.start().await;
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub(crate) fn sandbox(&self, id: &str) -> PathBuf {
        self.folder.path().join(id).join("sandbox")
    }

    pub(crate) fn checkpoint(&self, id: &str) -> PathBuf {
        path(&self.root(), id)
    }

    /// A task whose runner is this process, and has said nothing but that.
    pub(crate) fn task(&self, id: &str) -> Told {
        self.task_of(id, &["p"], |_| {})
    }

    pub(crate) fn task_of(
        &self,
        id: &str,
        processes: &[&str],
        change: impl FnOnce(&mut Header),
    ) -> Told {
        let sandbox = self.sandbox(id);
        std::fs::create_dir_all(&sandbox).unwrap();
        let processes: Vec<Value> =
            processes.iter().map(|name| json!({ "name": name, "cmdline": "true" })).collect();
        let mut header = Header {
            task_id: id.to_owned(),
            task_json: json!({ "name": "t", "processes": processes }).to_string(),
            job: None,
            log_dir: sandbox.join(".logs"),
            sandbox: sandbox.clone(),
            hostname: "box".to_owned(),
            user: "me".to_owned(),
            uid: 0,
            ports: [("http".to_owned(), 31_000)].into(),
            runner: identify(std::process::id().cast_signed()).unwrap(),
            boot_id: boot_id().unwrap(),
        };
        change(&mut header);
        let first = Record { time_ms: 1000, event: Event::Header(Box::new(header)) };
        let mut told =
            Told { writer: Writer::create(&self.root(), id, &first).unwrap(), second: 1, sandbox };
        told.state(TaskState::Active);
        told
    }

    /// A task that failed when its process `p` did.
    pub(crate) fn over(&self, id: &str) -> Told {
        let mut told = self.task(id);
        told.failed("p", 0, 3).end(TaskState::Failed);
        told
    }

    /// What is answered to a request for a path, which need not be text.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: impl AsRef<[u8]>,
        headers: &[&str],
    ) -> Answer {
        let asking = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let mut request = [method.as_bytes(), b" ", path.as_ref(), b" HTTP/1.0\r\n"].concat();
            for header in ["Host: box"].iter().chain(headers) {
                request.extend_from_slice(header.as_bytes());
                request.extend_from_slice(b"\r\n");
            }
            request.extend_from_slice(b"\r\n");
            stream.write_all(&request).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            answer
        };
        let answer = tokio::time::timeout(PATIENCE, asking).await.unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: answer[end + 4..].to_vec() }
    }

    pub(crate) async fn get(&self, path: impl AsRef<[u8]>) -> Answer {
        self.ask("GET", path, &[]).await
    }

    /// A page that is there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.page(path).await).unwrap()
    }

    /// The tasks of a list in its order, with their states.
    pub(crate) async fn listed(&self, list: &str) -> Vec<(String, String)> {
        let listed = self.json(&format!("/j/task_ids/{list}")).await;
        let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
        let tasks = listed["tasks"].as_array().unwrap();
        tasks.iter().map(|row| (text(row, "task_id"), text(row, "state"))).collect()
    }

    pub(crate) async fn expect_missing(&self, path: &str, message: &str) {
        let answer = self.get(path).await;
        let text = answer.text();
        assert_eq!(answer.status, 404, "{path}: {text}");
        assert!(text.contains(message), "{path}: {text}");
    }

    /// A request whose answer has begun, and is not read on.
    pub(crate) async fn begin(&self, path: &str) -> (String, Events) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: box\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut events = Events { stream, unread: Vec::new() };
        let head = events.until("\r\n\r\n").await;
        assert!(head.contains(" 200 "), "{head}");
        (head, events)
    }

    /// Events of a stream, as they come.
    pub(crate) async fn events(&self, path: &str) -> Events {
        let (head, events) = self.begin(path).await;
        assert!(head.contains("text/event-stream"), "{head}");
        events
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A stream of server-sent events.
pub(crate) struct Events {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Events {
    async fn until(&mut self, end: &str) -> String {
        let reading = async {
            loop {
                let found = self.unread.windows(end.len()).position(|part| part == end.as_bytes());
                if let Some(found) = found {
                    let rest = self.unread.split_off(found + end.len());
                    let text = std::mem::replace(&mut self.unread, rest);
                    return String::from_utf8(text).unwrap();
                }
                let mut bytes = [0; 4096];
                let count = self.stream.read(&mut bytes).await.unwrap();
                assert!(count > 0, "the stream has ended");
                self.unread.extend_from_slice(&bytes[..count]);
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap()
    }

    /// The next event: its name, its id and its data.
    pub(crate) async fn next(&mut self) -> (String, String, Value) {
        loop {
            let event = self.until("\n\n").await;
            let fields: BTreeMap<&str, &str> =
                event.lines().filter_map(|line| line.split_once(": ")).collect();
            let field = |name| fields.get(name).copied().unwrap_or_default().to_owned();
            // Others only say that the observer is there.
            if let Some(data) = fields.get("data") {
                return (field("event"), field("id"), serde_json::from_str(data).unwrap());
            }
        }
    }

    /// The next event, which is text that begins like this: all of it, however it is cut.
    pub(crate) async fn expect(&mut self, text: &str) {
        let mut came = String::new();
        while came.len() < text.len() {
            let (name, _, data) = self.next().await;
            assert_eq!(name, "text", "{data}");
            came.push_str(data["text"].as_str().unwrap());
        }
        assert_eq!(came, text);
    }

    pub(crate) async fn expect_event(&mut self, name: &str) -> Value {
        let (found, _, data) = self.next().await;
        assert_eq!(found, name, "{data}");
        data
    }

    pub(crate) async fn expect_end_of_stream(mut self) {
        let reading = async {
            let mut rest = Vec::new();
            self.stream.read_to_end(&mut rest).await.unwrap();
            rest
        };
        assert_eq!(tokio::time::timeout(PATIENCE, reading).await.unwrap(), b"");
    }
}
