//! An agent, as far as one executor can tell.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use aurora_api::v1 as api;
use aurora_mesos::body::{self, ContentType};
use aurora_mesos::v1;
use aurora_mesos::v1::executor::{Call, Event, call, event};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Nothing in these tests takes that long.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Agent {
    pub(crate) folder: tempfile::TempDir,
    /// The executor's own part of it.
    pub(crate) container: PathBuf,
    pub(crate) executor: Child,
    subscription: TcpStream,
    updates: mpsc::UnboundedReceiver<v1::TaskStatus>,
    listening: JoinHandle<()>,
}

impl Agent {
    /// Starts an executor and takes its subscription. The first updates are refused with `refusals`.
    pub(crate) async fn start(flags: &[&str], refusals: &'static [&'static str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), flags, refusals).await
    }

    /// The same in a folder that may have been another executor's.
    pub(crate) async fn start_in(
        folder: tempfile::TempDir,
        flags: &[&str],
        refusals: &'static [&'static str],
    ) -> Self {
        let mut executor = Command::new(program());
        executor.arg("--nosetuid");
        Self::start_by(executor, folder, flags, refusals).await
    }

    /// The same with a command that is, or becomes, the executor.
    pub(crate) async fn start_by(
        mut executor: Command,
        folder: tempfile::TempDir,
        flags: &[&str],
        refusals: &'static [&'static str],
    ) -> Self {
        let container = tempfile::tempdir_in(&folder).unwrap().keep();
        executor.arg("--checkpoint-root").arg(folder.path().join("root")).args(flags);
        executor.env("MESOS_SANDBOX", &container);
        Self::start_program(executor, folder, container, refusals).await
    }

    /// The same with a program that is told where its sandbox is.
    pub(crate) async fn start_program(
        mut program: Command,
        folder: tempfile::TempDir,
        container: PathBuf,
        refusals: &'static [&'static str],
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let executor = program
            .env("MESOS_AGENT_ENDPOINT", listener.local_addr().unwrap().to_string())
            .env("MESOS_FRAMEWORK_ID", "F")
            .env("MESOS_EXECUTOR_ID", "E")
            .env("MESOS_EXECUTOR_AUTHENTICATION_TOKEN", "secret")
            .env("TOLD", "told")
            .env("MESOS_CHECKPOINT", "0")
            .env("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "1secs")
            // Variables need not be text.
            .env("ODD", <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff"))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (subscriptions, mut subscribed) = mpsc::unbounded_channel();
        let (sender, updates) = mpsc::unbounded_channel();
        let listening = tokio::spawn(listen(listener, subscriptions, sender, refusals));
        let subscription = within(subscribed.recv()).await.unwrap();
        let mut agent = Self { folder, container, executor, subscription, updates, listening };
        let subscribed = event::Subscribed::default();
        agent.tell(event::Type::Subscribed, |event| event.subscribed = Some(subscribed)).await;
        agent
    }

    async fn tell(&mut self, ty: event::Type, fill: impl FnOnce(&mut Event)) {
        let mut event = Event { r#type: Some(ty as i32), ..Event::default() };
        fill(&mut event);
        let record = body::encode(&event, ContentType::Protobuf).unwrap();
        let mut text = format!("{}\n", record.len()).into_bytes();
        text.extend_from_slice(&record);
        let mut chunk = format!("{:x}\r\n", text.len()).into_bytes();
        chunk.extend_from_slice(&text);
        chunk.extend_from_slice(b"\r\n");
        self.subscription.write_all(&chunk).await.unwrap();
    }

    pub(crate) async fn launch(&mut self, id: &str, data: Vec<u8>) {
        let task = v1::TaskInfo {
            name: "t".to_owned(),
            task_id: v1::TaskId { value: id.to_owned() },
            data: Some(data.into()),
            ..v1::TaskInfo::default()
        };
        self.tell(event::Type::Launch, |event| event.launch = Some(event::Launch { task })).await;
    }

    pub(crate) async fn shutdown(&mut self) {
        self.tell(event::Type::Shutdown, |_| {}).await;
    }

    pub(crate) async fn kill(&mut self, id: &str, grace: Duration) {
        let nanoseconds = i64::try_from(grace.as_nanos()).unwrap();
        let policy = v1::KillPolicy { grace_period: Some(v1::DurationInfo { nanoseconds }) };
        let kill =
            event::Kill { task_id: v1::TaskId { value: id.to_owned() }, kill_policy: Some(policy) };
        self.tell(event::Type::Kill, |event| event.kill = Some(kill)).await;
    }

    /// Takes the next update and acknowledges it. Gives its task, state and message.
    pub(crate) async fn update(&mut self) -> (String, v1::TaskState, String) {
        let status = within(self.updates.recv()).await.unwrap();
        let told = (
            status.task_id.value.clone(),
            status.state(),
            status.message.clone().unwrap_or_default(),
        );
        let acknowledged =
            event::Acknowledged { task_id: status.task_id, uuid: status.uuid.unwrap() };
        self.tell(event::Type::Acknowledged, |event| event.acknowledged = Some(acknowledged)).await;
        told
    }

    pub(crate) fn no_update_is_left(&mut self) -> bool {
        self.updates.try_recv().is_err()
    }

    /// Goes away for good.
    pub(crate) async fn vanish(self) -> (Child, tempfile::TempDir) {
        self.listening.abort();
        let _ended = self.listening.await;
        drop(self.subscription);
        (self.executor, self.folder)
    }

    /// A pipe in the sandbox, for the task to wait at.
    pub(crate) fn pipe(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let fifo = rustix::fs::FileType::Fifo;
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, mode, 0).unwrap();
        path
    }

    pub(crate) async fn end(&mut self) -> ExitStatus {
        end(&mut self.executor).await
    }
}

/// The executor: the one of this build, unless another one is named.
pub(crate) fn program() -> OsString {
    std::env::var_os("AURORA_TEST_EXECUTOR")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_aurora-executor").into())
}

pub(crate) async fn end(executor: &mut Child) -> ExitStatus {
    within(executor.wait()).await.unwrap()
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.unwrap()
}

/// What the task writes to a pipe.
pub(crate) async fn heard(pipe: PathBuf) -> String {
    aside(move || std::fs::read_to_string(pipe).unwrap()).await
}

/// Does what may wait for ever, as opening a pipe does that nobody else opens: a test that has failed is
/// not held up by it.
async fn aside<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, done) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(act()));
    within(done).await.unwrap()
}

/// Lets a task go on that reads from a pipe.
pub(crate) async fn open(pipe: PathBuf) {
    aside(move || std::fs::write(pipe, "\n").unwrap()).await;
}

async fn listen(
    listener: TcpListener,
    subscriptions: mpsc::UnboundedSender<TcpStream>,
    updates: mpsc::UnboundedSender<v1::TaskStatus>,
    refusals: &[&str],
) {
    let mut refusals = refusals.iter();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        // One connection at a time: an executor has no more than one call under way.
        while let Some(call) = request(&mut stream).await {
            match call.r#type() {
                call::Type::Subscribe => {
                    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\
                                Content-Type: application/x-protobuf\r\n\r\n";
                    stream.write_all(head.as_bytes()).await.unwrap();
                    subscriptions.send(stream).unwrap();
                    break;
                }
                _ => match refusals.next() {
                    Some(refusal) => answer(&mut stream, refusal).await,
                    None => {
                        answer(&mut stream, "202 Accepted").await;
                        updates.send(call.update.unwrap().status).unwrap();
                    }
                },
            }
        }
    }
}

async fn answer(stream: &mut TcpStream, status: &str) {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
}

async fn request(stream: &mut TcpStream) -> Option<Call> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let length = text.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
        let body = &bytes[head + 4..];
        if body.len() == length.parse::<usize>().unwrap() {
            return Some(body::decode(body, ContentType::Protobuf).unwrap());
        }
    }
}

/// What a scheduler hands over: one process.
pub(crate) fn data(id: &str, cmdline: &str) -> Vec<u8> {
    data_of(id, cmdline, json!({}), &[])
}

/// The same with other fields of the job, and ports.
pub(crate) fn data_of(id: &str, cmdline: &str, more: Value, ports: &[(&str, u16)]) -> Vec<u8> {
    let mut job: Value = json!({
        "name": "n", "role": "www", "cluster": "c", "environment": "prod",
        "task": { "name": "t", "processes": [{ "name": "p", "cmdline": cmdline }] },
    });
    let Value::Object(more) = more else { panic!("fields are an object") };
    job.as_object_mut().unwrap().extend(more);
    handed_over(id, job.to_string(), ports)
}

/// The same with any text in the place of the job.
pub(crate) fn handed_over(id: &str, data: String, ports: &[(&str, u16)]) -> Vec<u8> {
    let key = api::JobKey { role: "www".into(), environment: "prod".into(), name: "n".into() };
    let resources =
        api::Resources { cpus: 1.0, ram_mb: 1, disk_mb: 1, ..api::Resources::default() };
    let executor = api::ExecutorConfig { name: "AuroraExecutor".into(), data };
    let ports = ports.iter().map(|(name, port)| ((*name).to_owned(), u32::from(*port)));
    api::AssignedTask {
        task_id: id.into(),
        agent_id: "A".into(),
        agent_host: "box".into(),
        instance: 0,
        assigned_ports: ports.collect(),
        task: Some(api::TaskConfig {
            job: Some(key),
            resources: Some(resources),
            executor: Some(executor),
            ..api::TaskConfig::default()
        }),
    }
    .encode_to_vec()
}

/// A server that the task could be: tells what it is asked, and answers what it is told to.
pub(crate) struct Site {
    pub(crate) port: u16,
    pub(crate) asked: mpsc::UnboundedReceiver<String>,
    serving: JoinHandle<()>,
}

impl Site {
    /// Answers with this status line and body.
    pub(crate) async fn start(status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, asked) = mpsc::unbounded_channel();
        let serving = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if stream.read_buf(&mut head).await.unwrap() == 0 {
                        break;
                    }
                }
                let head = String::from_utf8(head).unwrap();
                // The test may have heard enough.
                let _ = sender.send(head.lines().next().unwrap_or_default().to_owned());
                let length = body.len();
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, asked, serving }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Says that a test is skipped, past the test runner, which shows nothing of tests that pass.
pub(crate) fn skip(reason: &str) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    // Without a standard error nobody listens.
    let _ = writeln!(std::io::stderr(), "skipped {name}: {reason}");
}

/// Quotes a path for the shell.
pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}
