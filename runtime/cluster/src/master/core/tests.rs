use std::collections::BTreeSet;

use aurora_mesos::v1;
use aurora_mesos::v1::scheduler::event;
use bytes::Bytes;

use super::{Core, Output, RunningTask, Times};
use crate::resources::Resources;

const UUID: &[u8; 16] = b"0123456789abcdef";

struct Cluster {
    core: Core,
    framework: String,
    agent: String,
}

fn info(id: Option<&str>) -> v1::FrameworkInfo {
    use v1::framework_info::{Capability, capability::Type};
    v1::FrameworkInfo {
        user: "root".to_owned(),
        name: "test".to_owned(),
        id: id.map(|id| v1::FrameworkId { value: id.to_owned() }),
        failover_timeout: Some(10.0),
        capabilities: vec![Capability { r#type: Some(Type::PartitionAware as i32) }],
        ..Default::default()
    }
}

fn agent_info(id: Option<&str>) -> v1::AgentInfo {
    v1::AgentInfo {
        hostname: "host".to_owned(),
        id: id.map(|id| v1::AgentId { value: id.to_owned() }),
        resources: resources("cpus:4;mem:1000;ports:[31000-31009]"),
        ..Default::default()
    }
}

fn resources(text: &str) -> Vec<v1::Resource> {
    Resources::parse(text).unwrap().to_mesos(None)
}

fn status(task: &str, state: v1::TaskState, uuid: Option<&[u8; 16]>) -> v1::TaskStatus {
    v1::TaskStatus {
        task_id: v1::TaskId { value: task.to_owned() },
        state: state as i32,
        uuid: uuid.map(|uuid| Bytes::copy_from_slice(uuid)),
        ..Default::default()
    }
}

impl Cluster {
    /// A master with one framework and one agent.
    fn new() -> Self {
        let times = Times { agent_timeout: 75_000, reregistration: 600_000 };
        let mut core = Core::new("M".to_owned(), BTreeSet::new(), times);
        let framework = subscribe(&mut core, 0, None);
        let agent = core.agent_registered(0, agent_info(None), "10.0.0.1:5051", Vec::new());
        Self { core, framework, agent }
    }

    fn task(&self, id: &str, needs: &str) -> v1::TaskInfo {
        v1::TaskInfo {
            name: id.to_owned(),
            task_id: v1::TaskId { value: id.to_owned() },
            agent_id: v1::AgentId { value: self.agent.clone() },
            resources: resources(needs),
            executor: Some(v1::ExecutorInfo {
                executor_id: v1::ExecutorId { value: format!("executor-{id}") },
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn running(&self, id: &str, state: v1::TaskState) -> RunningTask {
        RunningTask {
            framework: self.framework.clone(),
            info: self.task(id, "cpus:1;mem:100"),
            status: status(id, state, Some(UUID)),
        }
    }

    fn register(&mut self, now: u64, running: Vec<RunningTask>) {
        let id = self.agent.clone();
        self.core.agent_registered(now, agent_info(Some(&id)), "10.0.0.1:5051", running);
    }

    /// The offers that were made since the last look.
    fn offers(&mut self) -> Vec<v1::Offer> {
        self.core.take_output().into_iter().flat_map(offers).collect()
    }

    fn accept(&mut self, offers: &[&v1::OfferId], tasks: Vec<v1::TaskInfo>) -> Vec<Output> {
        let operation = v1::offer::Operation {
            launch: Some(v1::offer::operation::Launch { task_infos: tasks }),
            ..Default::default()
        };
        let offers: Vec<v1::OfferId> = offers.iter().map(|&id| id.clone()).collect();
        let framework = self.framework.clone();
        self.core.accept(0, &framework, &offers, &[operation], 0.0);
        self.core.take_output()
    }

    /// Launches a task that takes one CPU, and lets it run.
    fn launch(&mut self, id: &str) {
        let offer = self.core.offers.keys().next().cloned().unwrap();
        let offer = v1::OfferId { value: offer };
        let out = self.accept(&[&offer], vec![self.task(id, "cpus:1;mem:100")]);
        assert!(out.iter().any(|output| matches!(output, Output::Launch { .. })), "{out:?}");
        self.update(id, v1::TaskState::TaskRunning, b"0000000000000000");
    }

    fn update(&mut self, id: &str, state: v1::TaskState, uuid: &[u8; 16]) {
        let framework = self.framework.clone();
        self.core.agent_update(0, &framework, status(id, state, Some(uuid)));
    }

    /// What the framework was told of tasks since the last look.
    fn told(&mut self) -> Vec<(String, v1::TaskState)> {
        updates(self.core.take_output())
    }

    fn reconcile(&mut self, id: &str) -> Vec<(String, v1::TaskState)> {
        self.core.take_output();
        let task = v1::scheduler::call::reconcile::Task {
            task_id: v1::TaskId { value: id.to_owned() },
            agent_id: Some(v1::AgentId { value: self.agent.clone() }),
        };
        let framework = self.framework.clone();
        self.core.reconcile(0, &framework, &[task]);
        self.told()
    }

    fn free_cpus(&self) -> f64 {
        let mut free = self.core.free().remove(&self.agent).unwrap();
        for offer in self.core.offers.values() {
            free = free.plus(&offer.resources);
        }
        let cpus = free.to_mesos(None).into_iter().find(|resource| resource.name == "cpus");
        cpus.and_then(|cpus| cpus.scalar).map_or(0.0, |scalar| scalar.value)
    }
}

fn subscribe(core: &mut Core, now: u64, id: Option<&str>) -> String {
    core.subscribe(now, info(id), false, v1::MasterInfo::default(), 15.0).unwrap()
}

fn offers(output: Output) -> Vec<v1::Offer> {
    match output {
        Output::Event { event, .. } => event.offers.map(|offers| offers.offers).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn updates(output: Vec<Output>) -> Vec<(String, v1::TaskState)> {
    output
        .into_iter()
        .filter_map(|output| match output {
            Output::Event { event, .. } => event.update,
            _ => None,
        })
        .map(|update| (update.status.task_id.value.clone(), update.status.state()))
        .collect()
}

fn one(id: &str, state: v1::TaskState) -> Vec<(String, v1::TaskState)> {
    vec![(id.to_owned(), state)]
}

#[test]
fn offers_come_go_and_are_filtered() {
    let mut cluster = Cluster::new();
    let framework = cluster.framework.clone();
    let offer = cluster.offers().pop().unwrap();
    assert_eq!(offer.agent_id.value, cluster.agent);
    cluster.core.decline(0, &framework, &[offer.id], 0.0);
    assert!(cluster.offers().is_empty());
    cluster.core.tick(1_000);
    let offer = cluster.offers().pop().unwrap();
    cluster.core.decline(1_000, &framework, &[offer.id], 4.0);
    assert!(cluster.offers().is_empty());
    assert_eq!(cluster.core.next_wakeup(), Some(5_000));
    cluster.core.tick(4_999);
    assert!(cluster.offers().is_empty());
    cluster.core.tick(5_000);
    let offer = cluster.offers().pop().unwrap();

    cluster.core.decline(5_000, &framework, &[offer.id], 1_000.0);
    cluster.core.suppress(&framework);
    cluster.core.tick(2_000_000);
    assert!(cluster.offers().is_empty(), "suppressed");
    cluster.core.revive(2_000_000, &framework);
    let offer = cluster.offers().pop().unwrap();
    cluster.core.decline(2_000_000, &framework, &[offer.id], 1_000.0);
    cluster.core.revive(2_000_000, &framework);
    assert_eq!(cluster.offers().len(), 1, "reviving clears filters");

    let agent = cluster.agent.clone();
    cluster.core.agent_disconnected(2_000_000, &agent);
    let out = cluster.core.take_output();
    let rescinded =
        |output: &Output| matches!(output, Output::Event { event, .. } if event.rescind.is_some());
    assert!(out.iter().any(rescinded), "{out:?}");
}

#[test]
fn an_offer_is_used_once_and_by_its_framework() {
    let mut cluster = Cluster::new();
    let offer = cluster.offers().pop().unwrap();
    let other = subscribe(&mut cluster.core, 0, None);
    let mine = std::mem::replace(&mut cluster.framework, other);

    let out = cluster.accept(&[&offer.id], vec![cluster.task("a", "cpus:1;mem:100")]);
    assert_eq!(updates(out), one("a", v1::TaskState::TaskDropped));

    // Its owner still has it, but naming it twice does not make more of it.
    cluster.framework = mine;
    let out = cluster.accept(&[&offer.id, &offer.id], vec![cluster.task("b", "cpus:8;mem:100")]);
    assert_eq!(updates(out), one("b", v1::TaskState::TaskDropped));
    let offer = cluster.core.offers.keys().next().cloned().unwrap();
    cluster.framework = cluster.core.offers[&offer].framework.clone();
    let offer = v1::OfferId { value: offer };
    let out = cluster.accept(
        &[&offer],
        vec![
            cluster.task("c", "cpus:3;mem:100;ports:[31000-31004]"),
            cluster.task("d", "cpus:1.5;mem:100"),
            cluster.task("e", "cpus:0.5;mem:100;ports:[31004-31004]"),
            cluster.task("f", "cpus:1;mem:100;ports:[31005-31005]"),
        ],
    );
    let refused = [("d", v1::TaskState::TaskError), ("e", v1::TaskState::TaskError)];
    let refused: Vec<_> = refused.map(|(id, state)| (id.to_owned(), state)).into();
    assert_eq!(updates(out), refused);
}

#[test]
fn task_groups_are_refused_aloud() {
    let mut cluster = Cluster::new();
    let offer = cluster.offers().pop().unwrap();
    let task_group = v1::TaskGroupInfo { tasks: vec![cluster.task("a", "cpus:1;mem:100")] };
    let launch = v1::offer::operation::LaunchGroup { executor: Default::default(), task_group };
    let operation = v1::offer::Operation { launch_group: Some(launch), ..Default::default() };
    let framework = cluster.framework.clone();
    cluster.core.accept(0, &framework, &[offer.id], &[operation], 0.0);
    assert_eq!(cluster.told(), one("a", v1::TaskState::TaskError));
}

#[test]
fn an_end_is_known_until_it_is_acknowledged() {
    use v1::TaskState::{TaskFinished, TaskGone, TaskRunning};
    let mut cluster = Cluster::new();
    cluster.launch("a");
    assert_eq!(cluster.free_cpus(), 3.0);
    let framework = cluster.framework.clone();
    cluster.core.disconnected(0, &framework);
    cluster.update("a", TaskFinished, UUID);
    // An earlier update that is sent again changes nothing.
    cluster.update("a", TaskRunning, b"0000000000000000");
    assert_eq!(cluster.free_cpus(), 4.0, "what has ended uses nothing");

    subscribe(&mut cluster.core, 0, Some(&framework));
    let agent = cluster.agent.clone();
    let resend = Output::Resend { agent: agent.clone(), framework: framework.clone() };
    assert!(cluster.core.take_output().contains(&resend));
    assert_eq!(cluster.reconcile("a"), one("a", TaskFinished));
    cluster.core.reconcile(0, &framework, &[]);
    assert!(cluster.told().is_empty(), "implicit reconciliation is about live tasks");
    cluster.core.kill(0, &framework, "a", None, None);
    assert_eq!(cluster.told(), one("a", TaskFinished));

    cluster.core.acknowledge(&framework, &agent, "a", Bytes::from_static(b"0000000000000000"));
    assert_eq!(cluster.reconcile("a"), one("a", TaskFinished));
    cluster.core.acknowledge(&framework, &agent, "a", Bytes::copy_from_slice(UUID));
    assert_eq!(cluster.reconcile("a"), one("a", TaskGone));
}

#[test]
fn an_agent_that_comes_back_says_what_it_has() {
    use v1::TaskState::{TaskDropped, TaskFinished, TaskRunning, TaskStaging};
    let mut cluster = Cluster::new();
    for id in ["done", "lost", "on"] {
        cluster.launch(id);
    }
    let agent = cluster.agent.clone();
    cluster.core.agent_disconnected(0, &agent);
    cluster.core.take_output();
    let done = cluster.running("done", TaskFinished);
    let on = cluster.running("on", TaskRunning);
    let silent =
        RunningTask { status: v1::TaskStatus::default(), ..cluster.running("silent", TaskRunning) };
    cluster.register(1, vec![done, on, silent]);
    // Of the one that is over the agent's own update tells.
    assert_eq!(cluster.told(), one("lost", TaskDropped));
    assert_eq!(cluster.free_cpus(), 2.0);
    assert_eq!(cluster.reconcile("done"), one("done", TaskFinished));
    assert_eq!(cluster.reconcile("silent"), one("silent", TaskStaging));
}

#[test]
fn an_unreachable_agent_is_told_of_and_so_is_its_return() {
    use v1::TaskState::{TaskRunning, TaskUnreachable};
    let mut cluster = Cluster::new();
    cluster.launch("a");
    let agent = cluster.agent.clone();
    cluster.core.agent_disconnected(1_000, &agent);
    cluster.core.take_output();
    cluster.core.tick(75_999);
    assert!(cluster.told().is_empty());
    cluster.core.tick(76_000);
    assert_eq!(cluster.told(), one("a", TaskUnreachable));
    assert_eq!(cluster.reconcile("a"), one("a", TaskUnreachable));
    let on = cluster.running("a", TaskRunning);
    cluster.register(80_000, vec![on]);
    let back = cluster.core.take_output().into_iter().find_map(|output| match output {
        Output::Event { event, .. } => event.update.map(|update| update.status),
        _ => None,
    });
    let back = back.unwrap();
    assert_eq!(back.state(), TaskRunning);
    assert_eq!(back.reason(), v1::task_status::Reason::AgentReregistered);
    assert_eq!((back.uuid, back.source), (None, Some(v1::task_status::Source::Master as i32)));
}

#[test]
fn a_framework_that_stays_away_is_removed_with_its_tasks() {
    let mut cluster = Cluster::new();
    cluster.launch("a");
    let (framework, agent) = (cluster.framework.clone(), cluster.agent.clone());
    cluster.core.disconnected(0, &framework);
    cluster.core.tick(9_999);
    subscribe(&mut cluster.core, 9_999, Some(&framework));
    cluster.core.disconnected(20_000, &framework);
    cluster.core.take_output();
    cluster.core.tick(30_000);
    let out = cluster.core.take_output();
    for expected in [
        Output::Shutdown { agent: agent.clone(), framework: framework.clone() },
        Output::Remember { removed: framework.clone() },
    ] {
        assert!(out.contains(&expected), "{out:?}");
    }
    let again = cluster.core.subscribe(
        30_000,
        info(Some(&framework)),
        false,
        v1::MasterInfo::default(),
        15.0,
    );
    assert_eq!(again, Err("Framework has been removed".to_owned()));

    // What it runs until it has ended is not offered, and not kept when it has.
    assert_eq!(cluster.free_cpus(), 3.0);
    let on = cluster.running("a", v1::TaskState::TaskRunning);
    cluster.register(30_000, vec![on]);
    let out = cluster.core.take_output();
    assert!(out.contains(&Output::Shutdown { agent, framework: framework.clone() }));
    assert_eq!(cluster.free_cpus(), 3.0);
    cluster.update("a", v1::TaskState::TaskKilled, UUID);
    assert_eq!(cluster.free_cpus(), 4.0);
    assert!(cluster.core.tasks.is_empty());
}

#[test]
fn frameworks_hear_of_the_end_of_an_executor() {
    let mut cluster = Cluster::new();
    cluster.launch("a");
    cluster.core.take_output();
    let (framework, agent) = (cluster.framework.clone(), cluster.agent.clone());
    cluster.core.executor_ended(&framework, &agent, "executor-a", 9);
    let out = cluster.core.take_output();
    let failure = out.into_iter().find_map(|output| match output {
        Output::Event { event, .. } if event.r#type() == event::Type::Failure => event.failure,
        _ => None,
    });
    assert_eq!(failure.and_then(|failure| failure.status), Some(9));
}
