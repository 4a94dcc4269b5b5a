use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use aurora_cluster::resources::Resources;
use aurora_cluster::{agent, master};
use aurora_daemon::listen::Listen;
use aurora_mesos::body::ContentType;
use aurora_mesos::executor::{self, Environment};
use aurora_mesos::scheduler::{self, Calls};
use aurora_mesos::v1;
use aurora_mesos::v1::TaskState::{self, TaskFinished, TaskRunning};
use aurora_mesos::v1::scheduler::{Call, Event, call, event};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Far below the wait after which an update is sent again unasked.
const SOON: Duration = Duration::from_secs(8);

const FREE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

async fn start_master(folder: &Path, address: SocketAddr) -> (master::Handle, CancellationToken) {
    let stop = CancellationToken::new();
    let config = master::Config {
        listen: Listen::Address(address),
        work_dir: folder.join("master"),
        hostname: "localhost".to_owned(),
        agent_timeout: Duration::from_secs(60),
        agent_reregister_timeout: Duration::from_secs(60),
    };
    (master::start(config, stop.clone()).await.unwrap(), stop)
}

async fn start_agent(
    folder: &Path,
    master: SocketAddr,
    address: SocketAddr,
) -> (agent::Handle, CancellationToken) {
    let stop = CancellationToken::new();
    let config = agent::Config {
        master: master.to_string(),
        listen: Listen::Address(address),
        work_dir: folder.join("agent"),
        hostname: "localhost".to_owned(),
        resources: Resources::parse("cpus:2;mem:200;disk:100;ports:[31000-31009]").unwrap(),
        attributes: Vec::new(),
        registration_timeout: Duration::from_secs(60),
        reregistration_timeout: Duration::from_secs(60),
        shutdown_grace: Duration::from_millis(100),
        recovery_timeout: Duration::from_secs(60),
        gc_delay: Duration::from_secs(600),
    };
    (agent::start(config, stop.clone()).await.unwrap(), stop)
}

/// A framework that is subscribed.
struct Framework {
    id: String,
    calls: Calls,
    events: mpsc::Receiver<scheduler::SessionEvent>,
    _session: DropGuard,
}

impl Framework {
    async fn subscribe(master: SocketAddr, id: Option<&str>) -> Self {
        use v1::framework_info::{Capability, capability::Type};
        let me = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap().unwrap();
        let info = v1::FrameworkInfo {
            user: me.name,
            name: "test".to_owned(),
            id: id.map(|value| v1::FrameworkId { value: value.to_owned() }),
            failover_timeout: Some(60.0),
            checkpoint: Some(true),
            capabilities: vec![Capability { r#type: Some(Type::PartitionAware as i32) }],
            ..Default::default()
        };
        let session = CancellationToken::new();
        let config = scheduler::Config::new(vec![master.to_string()], info);
        let (calls, events) = scheduler::start(config, session.clone());
        let _session = session.drop_guard();
        let mut framework = Self { id: String::new(), calls, events, _session };
        framework.subscribed().await;
        framework
    }

    async fn next(&mut self) -> scheduler::SessionEvent {
        tokio::time::timeout(SOON, self.events.recv()).await.unwrap().unwrap()
    }

    async fn subscribed(&mut self) {
        loop {
            if let scheduler::SessionEvent::Subscribed { framework_id, .. } = self.next().await {
                self.id = framework_id.value;
                return;
            }
        }
    }

    async fn event(&mut self, ty: event::Type) -> Event {
        loop {
            if let scheduler::SessionEvent::Event(event) = self.next().await
                && event.r#type() == ty
            {
                return *event;
            }
        }
    }

    async fn offer(&mut self) -> v1::Offer {
        self.event(event::Type::Offers).await.offers.unwrap().offers.remove(0)
    }

    /// The next update.
    async fn update(&mut self) -> v1::TaskStatus {
        self.event(event::Type::Update).await.update.unwrap().status
    }

    async fn acknowledge(&self, status: v1::TaskStatus) {
        let acknowledge = call::Acknowledge {
            agent_id: status.agent_id.unwrap(),
            task_id: status.task_id,
            uuid: status.uuid.unwrap(),
        };
        self.send(Call {
            r#type: Some(call::Type::Acknowledge as i32),
            acknowledge: Some(acknowledge),
            ..Call::default()
        })
        .await;
    }

    async fn send(&self, call: Call) {
        self.calls.send(call).await.unwrap();
    }

    /// Runs a task; the test plays its executor.
    async fn launch(&mut self, agent: SocketAddr) -> Executor {
        let offer = self.offer().await;
        let executor = v1::ExecutorInfo {
            executor_id: v1::ExecutorId { value: "executor".to_owned() },
            command: Some(v1::CommandInfo {
                value: Some("exec sleep 1000".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let task = v1::TaskInfo {
            name: "task".to_owned(),
            task_id: v1::TaskId { value: "task".to_owned() },
            agent_id: offer.agent_id.clone(),
            executor: Some(executor),
            resources: Resources::parse("cpus:1;mem:100").unwrap().to_mesos(None),
            ..Default::default()
        };
        let launch = v1::offer::operation::Launch { task_infos: vec![task] };
        let operation = v1::offer::Operation {
            r#type: Some(v1::offer::operation::Type::Launch as i32),
            launch: Some(launch),
            ..Default::default()
        };
        let accept =
            call::Accept { offer_ids: vec![offer.id], operations: vec![operation], filters: None };
        self.send(Call {
            r#type: Some(call::Type::Accept as i32),
            accept: Some(accept),
            ..Call::default()
        })
        .await;
        let mut executor = Executor::subscribe(agent, &self.id);
        executor.event(|event| matches!(event, executor::SessionEvent::Launch(_))).await;
        executor.send(TaskRunning);
        let running = self.update().await;
        assert_eq!(running.state(), TaskRunning);
        self.acknowledge(running).await;
        executor.acknowledged().await;
        executor
    }
}

struct Executor {
    updates: executor::Updates,
    events: mpsc::Receiver<executor::SessionEvent>,
    _session: DropGuard,
}

impl Executor {
    fn subscribe(agent: SocketAddr, framework: &str) -> Self {
        let environment = Environment {
            agent: agent.to_string(),
            framework_id: framework.to_owned(),
            executor_id: "executor".to_owned(),
            sandbox: "/".into(),
            checkpoint: true,
            recovery_timeout: Duration::from_secs(60),
            backoff_max: Duration::from_millis(100),
            shutdown_grace: Duration::from_secs(1),
        };
        let session = CancellationToken::new();
        let (updates, events) =
            executor::start(&environment, ContentType::Protobuf, session.clone());
        Self { updates, events, _session: session.drop_guard() }
    }

    fn send(&self, state: TaskState) {
        self.updates.send(v1::TaskStatus {
            task_id: v1::TaskId { value: "task".to_owned() },
            state: state as i32,
            ..Default::default()
        });
    }

    async fn event(&mut self, wanted: impl Fn(&executor::SessionEvent) -> bool) {
        loop {
            let event = tokio::time::timeout(SOON, self.events.recv()).await.unwrap().unwrap();
            if wanted(&event) {
                return;
            }
        }
    }

    async fn acknowledged(&mut self) {
        self.event(|event| matches!(event, executor::SessionEvent::Acknowledged { .. })).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_comes_back_hears_at_once_what_it_missed() {
    let folder = tempfile::tempdir().unwrap();
    let (master, _stop) = start_master(folder.path(), FREE).await;
    let (agent, _stop) = start_agent(folder.path(), master.addr(), FREE).await;
    let mut framework = Framework::subscribe(master.addr(), None).await;
    let mut executor = framework.launch(agent.addr()).await;
    let id = framework.id.clone();
    drop(framework);
    executor.send(TaskFinished);
    executor.acknowledged().await;

    let mut framework = Framework::subscribe(master.addr(), Some(&id)).await;
    let finished = framework.update().await;
    assert_eq!((finished.state(), framework.id.as_str()), (TaskFinished, id.as_str()));
    framework.acknowledge(finished).await;
    agent.shutdown_executors(Duration::ZERO).await;
    assert_eq!(framework.event(event::Type::Failure).await.failure.unwrap().status, Some(9));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ends_while_its_agent_is_away_has_not_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (master, _stop) = start_master(folder.path(), FREE).await;
    let (agent, stop) = start_agent(folder.path(), master.addr(), FREE).await;
    let address = agent.addr();
    let mut framework = Framework::subscribe(master.addr(), None).await;
    let executor = framework.launch(address).await;
    stop.cancel();
    agent.wait().await.unwrap();
    executor.send(TaskFinished);

    let (agent, _stop) = start_agent(folder.path(), master.addr(), address).await;
    let mut told = Vec::new();
    while told.last() != Some(&TaskFinished) {
        // The first again, if its acknowledgement had not reached the agent before it ended.
        let update = framework.update().await;
        told.push(update.state());
        framework.acknowledge(update).await;
    }
    told.dedup();
    assert!([&[TaskFinished][..], &[TaskRunning, TaskFinished]].contains(&&*told), "{told:?}");
    agent.shutdown_executors(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_master_is_told_what_runs_and_can_end_it() {
    let folder = tempfile::tempdir().unwrap();
    let (master, stop) = start_master(folder.path(), FREE).await;
    let address = master.addr();
    let (agent, _stop) = start_agent(folder.path(), address, FREE).await;
    let mut framework = Framework::subscribe(address, None).await;
    let mut executor = framework.launch(agent.addr()).await;
    stop.cancel();
    master.wait().await.unwrap();

    let (_master, _stop) = start_master(folder.path(), address).await;
    framework.subscribed().await;
    let offer = framework.offer().await;
    let cpus = Resources::parse("cpus:1").unwrap();
    let free = Resources::of(&offer.resources);
    assert!(free.covers(&cpus) && !free.covers(&cpus.plus(&cpus)), "{free:?}");
    let kill = call::Kill {
        task_id: v1::TaskId { value: "task".to_owned() },
        agent_id: None,
        kill_policy: None,
    };
    framework
        .send(Call { r#type: Some(call::Type::Kill as i32), kill: Some(kill), ..Call::default() })
        .await;
    executor.event(|event| matches!(event, executor::SessionEvent::Kill { .. })).await;
    executor.send(TaskState::TaskKilled);
    let killed = framework.update().await;
    assert_eq!(killed.state(), TaskState::TaskKilled);
    framework.acknowledge(killed).await;
    agent.shutdown_executors(Duration::ZERO).await;
}
