//! A master, an agent, a framework and an executor of which the test plays the last two.

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
use aurora_mesos::v1::TaskState::{self, TaskRunning};
use aurora_mesos::v1::scheduler::{Call, Event, call, event};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Far below the wait after which an update is sent again unasked.
pub(crate) const SOON: Duration = Duration::from_secs(8);

pub(crate) const FREE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

pub(crate) async fn start_master(
    folder: &Path,
    address: SocketAddr,
) -> (master::Handle, CancellationToken) {
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

/// An agent that removes nothing.
pub(crate) async fn start_agent(
    folder: &Path,
    master: SocketAddr,
    address: SocketAddr,
) -> (agent::Handle, CancellationToken) {
    let stop = CancellationToken::new();
    let config = agent_config(folder, master, address);
    (agent::start(config, stop.clone()).await.unwrap(), stop)
}

pub(crate) fn agent_config(
    folder: &Path,
    master: SocketAddr,
    address: SocketAddr,
) -> agent::Config {
    agent::Config {
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
        gc_failed_delay: Duration::from_secs(600),
        gc_disk_headroom: agent::Share::new(0.0).unwrap(),
        exec: true,
        disk_watch_interval: Duration::from_secs(60),
    }
}

/// A framework that is subscribed.
pub(crate) struct Framework {
    pub(crate) id: String,
    calls: Calls,
    offers: Vec<v1::Offer>,
    events: mpsc::Receiver<scheduler::SessionEvent>,
    _session: DropGuard,
}

impl Framework {
    pub(crate) async fn subscribe(master: SocketAddr, id: Option<&str>) -> Self {
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
        let mut framework = Self { id: String::new(), calls, offers: Vec::new(), events, _session };
        framework.subscribed().await;
        framework
    }

    /// The next event. Offers are kept besides as long as they stand.
    pub(crate) async fn next(&mut self) -> scheduler::SessionEvent {
        let event = tokio::time::timeout(SOON, self.events.recv()).await.unwrap().unwrap();
        match &event {
            scheduler::SessionEvent::Subscribed { .. } => self.offers.clear(),
            scheduler::SessionEvent::Event(event) => {
                let made = event.offers.iter().flat_map(|offers| offers.offers.iter().cloned());
                self.offers.extend(made);
                if let Some(rescind) = &event.rescind {
                    self.offers.retain(|offer| offer.id != rescind.offer_id);
                }
            }
            _ => {}
        }
        event
    }

    pub(crate) async fn subscribed(&mut self) {
        loop {
            if let scheduler::SessionEvent::Subscribed { framework_id, .. } = self.next().await {
                self.id = framework_id.value;
                return;
            }
        }
    }

    pub(crate) async fn event(&mut self, ty: event::Type) -> Event {
        loop {
            if let scheduler::SessionEvent::Event(event) = self.next().await
                && event.r#type() == ty
            {
                return *event;
            }
        }
    }

    /// An offer that was made and not used.
    pub(crate) async fn offer(&mut self) -> v1::Offer {
        while self.offers.is_empty() {
            self.next().await;
        }
        self.offers.remove(0)
    }

    /// The next update.
    pub(crate) async fn update(&mut self) -> v1::TaskStatus {
        self.event(event::Type::Update).await.update.unwrap().status
    }

    pub(crate) async fn acknowledge(&self, status: v1::TaskStatus) {
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

    pub(crate) async fn send(&self, call: Call) {
        self.calls.send(call).await.unwrap();
    }

    /// Runs a task `task` that only is there; the test plays its executor.
    pub(crate) async fn launch(&mut self, agent: SocketAddr) -> Executor {
        self.launch_named(agent, "task", "exec sleep 1000").await
    }

    /// Runs a task with an executor of its name, whose process runs a command; the test plays what
    /// the executor says.
    pub(crate) async fn launch_named(
        &mut self,
        agent: SocketAddr,
        name: &str,
        command: &str,
    ) -> Executor {
        let offer = self.offer().await;
        let executor = v1::ExecutorInfo {
            executor_id: v1::ExecutorId { value: name.to_owned() },
            command: Some(v1::CommandInfo {
                value: Some(command.to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let task = v1::TaskInfo {
            name: name.to_owned(),
            task_id: v1::TaskId { value: name.to_owned() },
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
        let mut executor = Executor::subscribe(agent, &self.id, name);
        tokio::select! {
            () = executor.event(|event| matches!(event, executor::SessionEvent::Launch(_))) => {}
            update = self.update() => panic!("{name} is not launched: {update:?}"),
        }
        executor.send(TaskRunning);
        let running = self.update().await;
        assert_eq!(running.state(), TaskRunning);
        self.acknowledge(running).await;
        executor.acknowledged().await;
        executor
    }
}

pub(crate) struct Executor {
    name: String,
    updates: executor::Updates,
    events: mpsc::Receiver<executor::SessionEvent>,
    _session: DropGuard,
}

impl Executor {
    pub(crate) fn subscribe(agent: SocketAddr, framework: &str, name: &str) -> Self {
        let environment = Environment {
            agent: agent.to_string(),
            framework_id: framework.to_owned(),
            executor_id: name.to_owned(),
            sandbox: "/".into(),
            checkpoint: true,
            recovery_timeout: Duration::from_secs(60),
            backoff_max: Duration::from_millis(100),
            shutdown_grace: Duration::from_secs(1),
        };
        let session = CancellationToken::new();
        let (updates, events) =
            executor::start(&environment, ContentType::Protobuf, session.clone());
        Self { name: name.to_owned(), updates, events, _session: session.drop_guard() }
    }

    pub(crate) fn send(&self, state: TaskState) {
        self.updates.send(v1::TaskStatus {
            task_id: v1::TaskId { value: self.name.clone() },
            state: state as i32,
            ..Default::default()
        });
    }

    pub(crate) async fn event(&mut self, wanted: impl Fn(&executor::SessionEvent) -> bool) {
        loop {
            let event = tokio::time::timeout(SOON, self.events.recv()).await.unwrap().unwrap();
            if wanted(&event) {
                return;
            }
        }
    }

    pub(crate) async fn acknowledged(&mut self) {
        self.event(|event| matches!(event, executor::SessionEvent::Acknowledged { .. })).await;
    }
}
