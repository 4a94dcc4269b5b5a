use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aurora_mesos::body::ContentType;
use aurora_mesos::v1;
use aurora_mesos::v1::executor::{Call, call};
use bytes::Bytes;
use prost::Message;
use tokio::sync::mpsc;

use super::{CallRefused, Executors, Times};
use crate::agent::checkpoint::Folders;
use crate::agent::collect::Collector;
use crate::agent::collect::plan::{Policy, Share};
use crate::agent::{cgroup, leftovers};
use crate::api;
use crate::proto::AgentMessage;
use crate::proto::agent_message::Kind;

const UUIDS: [&[u8; 16]; 3] = [b"0000000000000000", b"1111111111111111", b"2222222222222222"];

struct Agent {
    all: Executors,
    sent: mpsc::UnboundedReceiver<AgentMessage>,
}

impl Agent {
    /// An agent that is registered with a master.
    fn start(work_dir: &std::path::Path) -> Self {
        let (folders, _lock) = Folders::open(work_dir).unwrap();
        let times = Times {
            registration: Duration::from_secs(60),
            reregistration: Duration::from_secs(60),
            shutdown_grace: Duration::from_secs(5),
            recovery: Duration::from_secs(60),
        };
        let id = folders.agent_id().unwrap().map(|value| v1::AgentId { value });
        let info = v1::AgentInfo { hostname: "host".to_owned(), id, ..Default::default() };
        let address = SocketAddr::from(([127, 0, 0, 1], 5051));
        let all = Executors::recover(info, folders, times, address).unwrap();
        let (sender, sent) = mpsc::unbounded_channel();
        all.registered("S1", sender).unwrap();
        Self { all, sent }
    }

    /// Launches a task with an executor that runs `command`.
    fn launch(&self, executor: &str, task: &str, command: &str) {
        self.launch_fetching(executor, task, command, &[]);
    }

    /// The same with an executor that needs files.
    fn launch_fetching(&self, executor: &str, task: &str, command: &str, uris: &[&str]) {
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap().unwrap();
        let framework = v1::FrameworkInfo {
            user: user.name,
            id: Some(v1::FrameworkId { value: "F".to_owned() }),
            checkpoint: Some(true),
            ..Default::default()
        };
        let info = v1::ExecutorInfo {
            executor_id: v1::ExecutorId { value: executor.to_owned() },
            command: Some(v1::CommandInfo {
                value: Some(command.to_owned()),
                uris: uris.iter().map(|uri| fetched(uri)).collect(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let task = v1::TaskInfo {
            task_id: v1::TaskId { value: task.to_owned() },
            executor: Some(info),
            ..Default::default()
        };
        self.all.launch(framework, task);
    }

    /// Removes everything that may go, without any delay or room.
    fn collect(&self) {
        let policy = Policy {
            delay: Duration::ZERO,
            failed_delay: Duration::ZERO,
            headroom: Share::new(1.0).unwrap(),
        };
        Collector::new(self.all.clone(), self.all.0.folders.clone(), policy).pass(&|| false);
    }

    fn subscribe(&self, executor: &str) -> (api::Events, axum::response::Response) {
        let (events, answer) = api::stream(ContentType::Protobuf);
        let subscribe = Some(call::Subscribe::default());
        self.all.subscribe(Call { subscribe, ..to(executor) }, events.clone()).unwrap();
        (events, answer)
    }

    fn update(&self, state: v1::TaskState, uuid: &[u8; 16]) -> Result<(), CallRefused> {
        let status = v1::TaskStatus {
            task_id: v1::TaskId { value: "task".to_owned() },
            state: state as i32,
            source: Some(v1::task_status::Source::Executor as i32),
            uuid: Some(Bytes::copy_from_slice(uuid)),
            ..Default::default()
        };
        self.all.update(Call { update: Some(call::Update { status }), ..to("executor") })
    }

    fn acknowledge(&self, uuid: &[u8; 16]) {
        self.all.acknowledge("F", "task", &Bytes::copy_from_slice(uuid));
    }

    /// The states that were sent to the master.
    fn told(&mut self) -> Vec<v1::TaskState> {
        let mut told = Vec::new();
        while let Ok(message) = self.sent.try_recv() {
            if let Some(Kind::Update(update)) = message.kind {
                told.push(v1::TaskStatus::decode(update.status).unwrap().state());
            }
        }
        told
    }

    /// What the master is told that the agent has.
    fn registers(&self) -> Vec<v1::TaskState> {
        let running = self.all.register().running.into_iter();
        running.map(|task| v1::TaskStatus::decode(task.status).unwrap().state()).collect()
    }

    async fn executor_ends(&mut self) {
        loop {
            let message = self.sent.recv().await.unwrap();
            if matches!(message.kind, Some(Kind::ExecutorEnded(_))) {
                return;
            }
        }
    }

    fn folders(&self, executor: &str) -> (PathBuf, PathBuf) {
        let inner = self.all.lock();
        let executor = &inner.executors[&("F".to_owned(), executor.to_owned())];
        (executor.sandbox.clone(), executor.meta.clone())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.all.kill_all();
        for executor in self.all.lock().executors.values() {
            super::end_cgroup(executor.cgroup.as_deref(), &executor.container);
        }
    }
}

fn fetched(uri: &str) -> v1::command_info::Uri {
    v1::command_info::Uri { value: uri.to_owned(), executable: Some(true), ..Default::default() }
}

/// A server that takes connections and never answers.
fn silent() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/executor", listener.local_addr().unwrap());
    (listener, address)
}

fn to(executor: &str) -> Call {
    Call {
        framework_id: v1::FrameworkId { value: "F".to_owned() },
        executor_id: v1::ExecutorId { value: executor.to_owned() },
        ..Default::default()
    }
}

#[tokio::test]
async fn an_update_is_taken_once_and_only_if_it_is_on_disk() {
    use v1::TaskState::{TaskFinished, TaskRunning, TaskStarting};
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path());
    agent.launch("executor", "task", "exec sleep 1000");
    assert_eq!(agent.update(TaskStarting, UUIDS[0]), Err(CallRefused::NotSubscribed));
    let (_events, _answer) = agent.subscribe("executor");

    let (_, meta) = agent.folders("executor");
    let away = meta.with_extension("away");
    fs::rename(&meta, &away).unwrap();
    assert_eq!(agent.update(TaskStarting, UUIDS[0]), Err(CallRefused::NotWritten));
    assert_eq!(agent.told(), []);
    fs::rename(&away, &meta).unwrap();

    for (state, uuid) in [(TaskStarting, UUIDS[0]), (TaskRunning, UUIDS[1])] {
        agent.update(state, uuid).unwrap();
    }
    assert_eq!(agent.told(), [TaskStarting], "one at a time");
    agent.acknowledge(UUIDS[0]);
    assert_eq!(agent.told(), [TaskRunning]);
    agent.update(TaskFinished, UUIDS[2]).unwrap();
    // As an executor does that has missed the acknowledgement.
    agent.update(TaskStarting, UUIDS[0]).unwrap();
    assert_eq!(agent.registers(), [TaskFinished]);
    agent.all.resend("F");
    assert_eq!(agent.told(), [TaskRunning]);
    agent.acknowledge(UUIDS[1]);
    assert_eq!(agent.told(), [TaskFinished]);
    assert_eq!(agent.registers(), [TaskFinished], "its end is not acknowledged");
    agent.acknowledge(UUIDS[2]);
    assert_eq!(agent.registers(), []);
    assert_eq!(agent.all.unacknowledged(), 0);
}

#[tokio::test]
async fn an_agent_finds_its_executors_and_their_updates_again() {
    use v1::TaskState::{TaskFailed, TaskRunning};
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path());
    agent.launch("executor", "task", "exec sleep 1000");
    agent.launch("gone", "other", "exec sleep 1000");
    let (_events, _answer) = agent.subscribe("executor");
    agent.update(TaskRunning, UUIDS[0]).unwrap();
    agent.acknowledge(UUIDS[0]);
    {
        // One whose process was started, but could not be remembered.
        let mut inner = agent.all.lock();
        let gone = inner.executors.get_mut(&("F".to_owned(), "gone".to_owned())).unwrap();
        let process = gone.process.take();
        gone.save().unwrap();
        gone.process = process;
    }

    let mut next = Agent::start(folder.path());
    assert!(next.all.is_recovering());
    let (live, _) = agent.folders("executor");
    for agent in [&agent, &next] {
        agent.collect();
        assert!(live.exists(), "it runs");
    }
    assert_eq!(next.told(), [TaskFailed]);
    assert_eq!(next.all.running(), 1);
    next.subscribe("executor");
    assert!(!next.all.is_recovering());
    // Known from before, though acknowledged.
    next.update(TaskRunning, UUIDS[0]).unwrap();
    assert_eq!(next.told(), []);
    let (sandbox, _) = agent.folders("gone");
    assert_eq!(leftovers::end(&sandbox).unwrap(), 0, "nothing of it was left");
}

#[tokio::test]
async fn nothing_of_an_executor_outlives_it() {
    if cgroup::parent().is_none() {
        eprintln!("skipped: no cgroups can be made here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path());
    let pid = folder.path().join("pid");
    let command = format!(
        "env -i setsid /bin/sh -c 'echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000' & \
         until [ -e {0} ]; do :; done",
        pid.display()
    );
    agent.launch("executor", "task", &command);
    agent.executor_ends().await;
    let pid = fs::read_to_string(&pid).unwrap();
    let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");

    // Its sandbox is kept until its last update is acknowledged and its time is over.
    let (sandbox, meta) = agent.folders("executor");
    agent.collect();
    assert!(sandbox.exists());
    let uuid = {
        let inner = agent.all.lock();
        let executor = inner.executors.values().next().unwrap();
        executor.tasks["task"].pending[0].uuid.clone().unwrap()
    };
    agent.all.acknowledge("F", "task", &uuid);
    agent.collect();
    assert!(!sandbox.exists() && !meta.exists());
    let frameworks = sandbox.ancestors().nth(5).unwrap();
    assert_eq!(frameworks.file_name().unwrap(), "frameworks");
    assert_eq!(fs::read_dir(frameworks).unwrap().count(), 0);
}

#[tokio::test]
async fn the_updates_of_a_removed_framework_are_not_kept() {
    use v1::TaskState::{TaskKilled, TaskRunning};
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path());
    agent.launch("executor", "task", "exec sleep 1000");
    let (_events, _answer) = agent.subscribe("executor");
    agent.update(TaskRunning, UUIDS[0]).unwrap();
    agent.told();
    agent.all.shut_down_framework("F");
    assert_eq!(agent.all.unacknowledged(), 0);
    agent.update(TaskKilled, UUIDS[1]).unwrap();
    assert_eq!(agent.told(), [TaskKilled], "the master's books");
    assert_eq!((agent.all.unacknowledged(), agent.registers()), (0, Vec::new()));
}

#[tokio::test]
async fn killing_one_task_before_it_was_delivered_leaves_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path());
    agent.launch("executor", "task", "exec sleep 1000");
    agent.launch("executor", "other", "");
    agent.all.kill("F", "task", None);
    assert_eq!(agent.told(), [v1::TaskState::TaskKilled]);
    let is_doomed = |agent: &Agent| {
        let inner = agent.all.lock();
        let deadline = inner.executors.values().next().unwrap().deadline.unwrap().0;
        deadline < Instant::now() + Duration::from_secs(10)
    };
    assert!(!is_doomed(&agent));
    agent.all.kill("F", "other", None);
    assert!(is_doomed(&agent));
}

#[tokio::test]
async fn refusals_are_those_of_mesos() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path());
    agent.launch("executor", "task", "exec sleep 1000");
    let router = crate::agent::http::router(agent.all.clone());
    api::recorded::replay(&router, "executor", "F", "").await;
}

#[tokio::test]
async fn an_executor_that_does_not_come_back_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path());
    agent.launch("executor", "task", "exec sleep 1000");
    let mut next = Agent::start(folder.path());
    for executor in next.all.lock().executors.values_mut() {
        executor.deadline.as_mut().unwrap().0 = Instant::now();
    }
    next.all.tick();
    loop {
        let message = next.sent.recv().await.unwrap();
        let Some(Kind::Update(update)) = message.kind else { continue };
        let status = v1::TaskStatus::decode(update.status).unwrap();
        assert_eq!(status.state(), v1::TaskState::TaskFailed);
        let reason = v1::task_status::Reason::ExecutorReregistrationTimeout;
        assert_eq!(status.reason(), reason);
        return;
    }
}

#[tokio::test]
async fn it_is_remembered_that_a_task_failed() {
    use v1::TaskState::{TaskFailed, TaskFinished, TaskKilled, TaskLost, TaskRunning};
    for (state, failed) in
        [(TaskFailed, true), (TaskLost, true), (TaskFinished, false), (TaskKilled, false)]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut agent = Agent::start(folder.path());
        agent.launch("executor", "task", "exec sleep 1000");
        let (_events, _answer) = agent.subscribe("executor");
        let (_, meta) = agent.folders("executor");
        agent.update(TaskRunning, UUIDS[0]).unwrap();
        agent.acknowledge(UUIDS[0]);
        agent.update(state, UUIDS[1]).unwrap();
        agent.acknowledge(UUIDS[1]);
        agent.all.kill_all();
        agent.executor_ends().await;
        let container = crate::agent::checkpoint::read(&meta).unwrap().unwrap();
        assert!(container.tasks.is_empty() && container.ended_ms > 0, "{container:?}");
        assert_eq!(container.failed, failed, "{state:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_is_started_and_what_cannot_be_had_fails_its_task() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path());
    let router = axum::Router::new()
        .route("/executor", axum::routing::get(|| async { "#!/bin/sh\ntouch ran\n" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    let program = "exec \"$MESOS_SANDBOX/executor\"";
    agent.launch_fetching("good", "task", program, &[&format!("{server}/executor")]);
    agent.executor_ends().await;
    assert!(agent.folders("good").0.join("ran").exists());
    agent.launch_fetching("bad", "other", program, &[&format!("{server}/missing")]);
    let update = loop {
        if let Some(Kind::Update(update)) = agent.sent.recv().await.unwrap().kind {
            let status = v1::TaskStatus::decode(update.status).unwrap();
            if status.task_id.value == "other" {
                break status;
            }
        }
    };
    assert_eq!(update.state(), v1::TaskState::TaskFailed);
    let message = format!("failed to fetch \"{server}/missing\": the answer is 404 Not Found");
    assert!(update.message().ends_with(&message), "{}", update.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_is_fetched_holds_up_nobody_and_may_be_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path());
    let (_listener, silent) = silent();
    agent.launch_fetching("executor", "task", "true", &[&silent]);
    agent.launch("another", "other", "exec sleep 1000");
    assert!(agent.all.lock().executors[&("F".to_owned(), "another".to_owned())].process.is_some());
    assert_eq!(agent.all.running(), 2);
    agent.all.kill("F", "task", None);
    let told = agent.sent.recv().await.unwrap();
    let Some(Kind::Update(update)) = told.kind else { panic!("{told:?}") };
    let state = v1::TaskStatus::decode(update.status).unwrap().state();
    assert_eq!(state, v1::TaskState::TaskKilled);
    while agent.all.running() == 2 {
        tokio::task::yield_now().await;
    }
    agent.launch_fetching("third", "third", "true", &[&silent]);
    // All are told to end, and nothing is waited for that was not started.
    agent.all.shut_down_all(Duration::ZERO);
    while agent.all.running() > 0 {
        agent.all.tick();
        tokio::task::yield_now().await;
    }
    assert!(!agent.folders("third").0.join("stdout").exists(), "it was never started");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_has_not_fetched_when_it_ends_fails_in_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path());
    let (_listener, silent) = silent();
    agent.launch_fetching("executor", "task", "true", &[&silent]);
    agent.all.close().await;
    assert_eq!(agent.all.running(), 1);
    let next = Agent::start(folder.path());
    assert_eq!(next.all.running(), 0);
    assert_eq!(next.registers(), [v1::TaskState::TaskFailed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_cannot_be_written_down_is_known_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path());
    agent.launch("executor", "task", "exec sleep 1000");
    let (_, meta) = agent.folders("executor");
    // As on a disk that is full, nothing can be written there.
    fs::rename(&meta, meta.with_extension("gone")).unwrap();
    fs::write(&meta, "").unwrap();
    agent.all.kill_all();
    agent.executor_ends().await;
    assert_eq!(agent.all.unwritten(), [].into());
    let told = agent.all.register().running.remove(0);
    let update = v1::TaskStatus::decode(told.status).unwrap().uuid.unwrap();
    agent.all.acknowledge("F", "task", &update);
    let known: Vec<(i64, bool)> = agent.all.unwritten().into_values().collect();
    assert!(matches!(known[..], [(ended_ms, true)] if ended_ms > 0), "{known:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_ends_at_its_start_is_told_with_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path());
    agent.launch("executor", "task", "echo unknown flag >&2; exit 2");
    agent.executor_ends().await;
    let told = agent.all.register().running.remove(0);
    let expected = "Executor exited with status 2 before it had subscribed at the agent; its stderr ends: \
                    unknown flag";
    assert_eq!(v1::TaskStatus::decode(told.status).unwrap().message(), expected);
}
