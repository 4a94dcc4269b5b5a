//! Agents and their executors: they run what they are told to, tell what became of it until that is
//! acknowledged, and fail in the ways machines fail.

use std::collections::{BTreeMap, VecDeque};

use aurora_cluster::master::core::{Output, RunningTask};
use aurora_cluster::resources::Resources;
use aurora_mesos::v1;
use bytes::Bytes;

use crate::rng::Rng;
use crate::world::{Event, Violation, World};

/// When an update is first sent again; the wait doubles.
const RESEND_MS: u64 = 10_000;
/// The longest wait.
const MAX_RESEND_MS: u64 = 600_000;
/// Between two attempts to reach the master.
const REJOIN_MS: u64 = 2000;

/// Something an executor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExecutorStep {
    Starting,
    Running,
    End(v1::TaskState),
}

/// What an agent says to the master.
#[derive(Debug)]
pub(crate) enum FromAgent {
    Update { framework: String, status: Box<v1::TaskStatus> },
}

/// A task on an agent.
#[derive(Debug)]
pub(crate) struct Run {
    framework: String,
    info: v1::TaskInfo,
    /// `role.env.name.instance`.
    pub(crate) instance: String,
    /// Thousandths of CPU, memory and disk, executor included.
    pub(crate) uses: [u64; 3],
    pub(crate) ports: Vec<u64>,
    /// Counts up whenever what it was about to do is void.
    life: u64,
    latest: Option<v1::TaskStatus>,
    pending: VecDeque<v1::TaskStatus>,
    /// Told to end, and on its way.
    ending: bool,
    over: bool,
}

impl Run {
    pub(crate) fn is_alive(&self) -> bool {
        !self.over
    }
}

/// A machine of the cluster.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) host: String,
    pub(crate) id: Option<String>,
    attributes: Vec<v1::Attribute>,
    resources: Vec<v1::Resource>,
    /// Thousandths of CPU, memory and disk.
    pub(crate) has: [u64; 3],
    pub(crate) runs: BTreeMap<String, Run>,
    link: Option<u64>,
    pub(crate) up: bool,
    pub(crate) cut: bool,
    pub(crate) slowness: u64,
    /// When its maintenance begins, as the master has announced.
    pub(crate) leaves_at: Option<u64>,
}

fn text(name: &str, value: &str) -> v1::Attribute {
    v1::Attribute {
        name: name.to_owned(),
        r#type: v1::value::Type::Text as i32,
        text: Some(v1::value::Text { value: value.to_owned() }),
        ..v1::Attribute::default()
    }
}

fn amounts(resources: &[v1::Resource]) -> ([u64; 3], Vec<u64>) {
    let mut amounts = [0; 3];
    let mut ports = Vec::new();
    for resource in resources {
        if let Some(index) = ["cpus", "mem", "disk"].iter().position(|name| *name == resource.name)
            && let Some(scalar) = &resource.scalar
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "amounts of simulated machines are small"
            )]
            let millis = (scalar.value * 1000.0).round() as u64;
            amounts[index] += millis;
        }
        for range in resource.ranges.iter().flat_map(|ranges| &ranges.range) {
            if resource.name == "ports" {
                ports.extend(range.begin..=range.end);
            }
        }
    }
    (amounts, ports)
}

impl Agent {
    /// The machines of a cluster.
    pub(crate) fn some(rng: &mut Rng) -> Vec<Self> {
        let count = rng.range(3, 9);
        (0..count)
            .map(|number| {
                let host = format!("host{number}");
                let rack = format!("rack{}", number % 3);
                let mut attributes = vec![text("host", &host), text("rack", &rack)];
                if rng.chance(300) {
                    attributes.push(text("disk", "ssd"));
                }
                if number + 1 == count && rng.chance(300) {
                    attributes.push(text("dedicated", "www/db"));
                }
                let cpus = rng.range(2, 8);
                let spec =
                    format!("cpus:{cpus};mem:{};disk:20000;ports:[31000-31019]", cpus * 1024);
                let resources =
                    Resources::parse(&spec).map(|all| all.to_mesos(None)).unwrap_or_default();
                let (has, _) = amounts(&resources);
                Self {
                    host,
                    id: None,
                    attributes,
                    resources,
                    has,
                    runs: BTreeMap::new(),
                    link: None,
                    up: true,
                    cut: false,
                    slowness: 0,
                    leaves_at: None,
                }
            })
            .collect()
    }

    /// What the host has, by name.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|attribute| attribute.name == name)?;
        found.text.as_ref().map(|text| text.value.as_str())
    }

    pub(crate) fn attribute_names(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|attribute| attribute.name.as_str())
    }

    fn running(&self) -> Vec<RunningTask> {
        self.runs
            .values()
            .map(|run| RunningTask {
                framework: run.framework.clone(),
                info: run.info.clone(),
                status: run.latest.clone().unwrap_or_default(),
            })
            .collect()
    }
}

impl World {
    /// An agent calls the master, and again until it is there.
    pub(crate) fn join(&mut self, index: usize) {
        let agent = &self.agents[index];
        if !agent.up || agent.link.is_some() {
            return;
        }
        if agent.cut || !self.master.up {
            self.at(REJOIN_MS, Event::Join { agent: index });
            return;
        }
        let info = v1::AgentInfo {
            hostname: agent.host.clone(),
            resources: agent.resources.clone(),
            attributes: agent.attributes.clone(),
            id: agent.id.clone().map(|value| v1::AgentId { value }),
            ..v1::AgentInfo::default()
        };
        let running = agent.running();
        let (id, link) = self.register_agent(index, info, running);
        self.note(|| format!("agent {id} joins"));
        let agent = &mut self.agents[index];
        agent.id = Some(id);
        agent.link = Some(link);
        let tasks: Vec<String> = agent.runs.keys().cloned().collect();
        for task in tasks {
            self.send_first(index, &task, RESEND_MS);
        }
        self.flush_master();
    }

    /// The connection of an agent with the master breaks. The agent notices at once, the master later.
    pub(crate) fn break_link(&mut self, index: usize) {
        let notices = self.rng.range(100, 20_000);
        let agent = &mut self.agents[index];
        let Some(link) = agent.link.take() else { return };
        if let Some(id) = agent.id.clone() {
            self.at(notices, Event::AgentGone { id, link });
        }
        let wait = self.rng.range(50, REJOIN_MS);
        self.at(wait, Event::Join { agent: index });
    }

    /// The machine starts anew: nothing of it is left, and it is another agent.
    pub(crate) fn reboot(&mut self, index: usize, off_ms: u64) {
        self.break_link(index);
        let agent = &mut self.agents[index];
        agent.runs.clear();
        agent.id = None;
        agent.up = false;
        self.at(off_ms, Event::Mend(crate::faults::Fault::AgentDown(index)));
    }

    /// A message of the master arrives.
    pub(crate) fn agent_hears(
        &mut self,
        index: usize,
        link: u64,
        message: Output,
    ) -> Result<(), Violation> {
        if self.agents[index].link != Some(link) {
            return Ok(());
        }
        match message {
            Output::Launch { framework, task, .. } => {
                let framework = framework.id.map(|id| id.value).unwrap_or_default();
                return self.launch(index, framework, *task);
            }
            Output::Kill { task, .. } => self.end(index, &task),
            Output::Acknowledge { task, uuid, .. } => self.acknowledged(index, &task, &uuid),
            Output::Resend { .. } => {
                let tasks: Vec<String> = self.agents[index].runs.keys().cloned().collect();
                for task in tasks {
                    self.send_first(index, &task, RESEND_MS);
                }
            }
            Output::Shutdown { .. } => {
                let tasks: Vec<String> = self.agents[index].runs.keys().cloned().collect();
                for task in tasks {
                    self.end(index, &task);
                }
            }
            Output::Event { .. } | Output::Close { .. } | Output::Remember { .. } => {}
        }
        Ok(())
    }

    fn launch(
        &mut self,
        index: usize,
        framework: String,
        info: v1::TaskInfo,
    ) -> Result<(), Violation> {
        let id = info.task_id.value.clone();
        let host = self.agents[index].host.clone();
        self.note(|| format!("{host} launches {id}"));
        let executor = info.executor.clone().unwrap_or_default();
        let (mut uses, ports) = amounts(&info.resources);
        let (overhead, _) = amounts(&executor.resources);
        for (sum, more) in uses.iter_mut().zip(overhead) {
            *sum += more;
        }
        let run = Run {
            framework,
            instance: executor.source.unwrap_or_default(),
            info,
            uses,
            ports,
            life: 0,
            latest: None,
            pending: VecDeque::new(),
            ending: false,
            over: false,
        };
        let agent = &mut self.agents[index];
        let slowness = 1 + agent.slowness;
        agent.runs.insert(id.clone(), run);
        self.truth.launch(&id, &self.agents[index])?;
        let wait = self.rng.range(50, 4000) * slowness;
        let step = ExecutorStep::Starting;
        self.at(wait, Event::Executor { agent: index, task: id, life: 0, step });
        Ok(())
    }

    /// An executor does what it was about to do.
    pub(crate) fn executor(&mut self, index: usize, task: &str, life: u64, step: ExecutorStep) {
        let Some(run) = self.agents[index].runs.get(task) else { return };
        if run.life != life || run.over {
            return;
        }
        let slowness = 1 + self.agents[index].slowness;
        let name = run.instance.split('.').nth(2).unwrap_or_default().to_owned();
        match step {
            ExecutorStep::Starting => {
                let odd = if self.calm { u64::MAX } else { self.rng.below(100) };
                match odd {
                    // It fails, ends, or is killed by nobody's wish, and never says that it starts.
                    0 => return self.ended(index, task, v1::TaskState::TaskFailed, "no start"),
                    1 => {
                        return self.ended(
                            index,
                            task,
                            v1::TaskState::TaskFinished,
                            "nothing to do",
                        );
                    }
                    2 => return self.ended(index, task, v1::TaskState::TaskKilled, "killed"),
                    3 => return self.later(index, task, 1, ExecutorStep::Running),
                    _ => {}
                }
                let wait = self.rng.range(100, 20_000) * slowness;
                let next = match odd {
                    4..7 => ExecutorStep::End(v1::TaskState::TaskFailed),
                    7 => ExecutorStep::End(v1::TaskState::TaskFinished),
                    8 => ExecutorStep::End(v1::TaskState::TaskKilled),
                    _ => ExecutorStep::Running,
                };
                self.report(index, task, v1::TaskState::TaskStarting, "");
                self.later(index, task, wait, next);
            }
            ExecutorStep::Running => {
                self.report(index, task, v1::TaskState::TaskRunning, "");
                let (wait, end) = self.lifetime(&name);
                self.later(index, task, wait, ExecutorStep::End(end));
            }
            ExecutorStep::End(state) => self.ended(index, task, state, "the process has ended"),
        }
    }

    /// How long a task runs by itself, and what then becomes of it: its job's name says what it is.
    fn lifetime(&mut self, name: &str) -> (u64, v1::TaskState) {
        use v1::TaskState::{TaskFailed, TaskFinished};
        const YEAR: u64 = 31_536_000_000;
        let minute = 60_000;
        if name.starts_with("batch") {
            let end = if self.rng.chance(300) { TaskFailed } else { TaskFinished };
            return (self.rng.around(20 * minute), end);
        }
        if self.calm {
            return (YEAR, TaskFinished);
        }
        if name.starts_with("flap") {
            return (self.rng.around(minute), TaskFailed);
        }
        let end = match self.rng.below(10) {
            0 | 1 => TaskFinished,
            2 => v1::TaskState::TaskKilled,
            _ => TaskFailed,
        };
        (self.rng.around(240 * minute), end)
    }

    fn later(&mut self, index: usize, task: &str, wait: u64, step: ExecutorStep) {
        let Some(run) = self.agents[index].runs.get(task) else { return };
        let life = run.life;
        self.at(wait, Event::Executor { agent: index, task: task.to_owned(), life, step });
    }

    /// An executor is told to end: it does in its own time.
    fn end(&mut self, index: usize, task: &str) {
        let Some(run) = self.agents[index].runs.get_mut(task) else { return };
        if run.over || run.ending {
            return;
        }
        run.ending = true;
        run.life += 1;
        let slowness = 1 + self.agents[index].slowness;
        let mut wait = self.rng.range(10, 8000) * slowness;
        let mut state = v1::TaskState::TaskKilled;
        if !self.calm {
            if self.rng.chance(30) {
                // It hangs for longer than anybody waits.
                wait += self.rng.range(60_000, 900_000);
            }
            if self.rng.chance(100) {
                state = v1::TaskState::TaskFinished;
            } else if self.rng.chance(100) {
                state = v1::TaskState::TaskFailed;
            }
        }
        self.later(index, task, wait, ExecutorStep::End(state));
    }

    /// A task is over.
    pub(crate) fn ended(&mut self, index: usize, task: &str, state: v1::TaskState, why: &str) {
        let host = self.agents[index].host.clone();
        self.note(|| format!("{host}: {task} is over: {}", state.as_str_name()));
        let Some(run) = self.agents[index].runs.get_mut(task) else { return };
        if run.over {
            return;
        }
        run.over = true;
        run.life += 1;
        self.report(index, task, state, why);
    }

    /// An update is written down, and sent when it is its turn.
    fn report(&mut self, index: usize, task: &str, state: v1::TaskState, message: &str) {
        let uuid = self.rng.uuid();
        #[expect(clippy::cast_precision_loss, reason = "Mesos gives times as floats")]
        let seconds = (self.epoch_ms as f64 + self.now as f64) / 1000.0;
        let agent = &mut self.agents[index];
        let Some(run) = agent.runs.get_mut(task) else { return };
        let status = v1::TaskStatus {
            task_id: v1::TaskId { value: task.to_owned() },
            state: state as i32,
            message: (!message.is_empty()).then(|| message.to_owned()),
            source: Some(v1::task_status::Source::Executor as i32),
            agent_id: agent.id.clone().map(|value| v1::AgentId { value }),
            timestamp: Some(seconds),
            uuid: Some(Bytes::copy_from_slice(&uuid)),
            ..v1::TaskStatus::default()
        };
        run.latest = Some(status.clone());
        run.pending.push_back(status);
        if run.pending.len() == 1 {
            self.send_first(index, task, RESEND_MS);
        }
    }

    /// Sends the oldest update of a task that was not acknowledged.
    fn send_first(&mut self, index: usize, task: &str, wait: u64) {
        let agent = &self.agents[index];
        let Some(link) = agent.link else { return };
        let Some(run) = agent.runs.get(task) else { return };
        let Some(status) = run.pending.front() else { return };
        let Some(uuid) = status.uuid.as_ref().and_then(|uuid| uuid.as_ref().try_into().ok()) else {
            return;
        };
        let framework = run.framework.clone();
        let message = FromAgent::Update { framework, status: Box::new(status.clone()) };
        let delay = self.rng.range(1, 5) * (1 + agent.slowness);
        if !self.agents[index].cut {
            self.at(delay, Event::FromAgent { agent: index, link, message });
        }
        let task = task.to_owned();
        self.at(wait, Event::Resend { agent: index, task, uuid, wait });
    }

    pub(crate) fn resend(&mut self, index: usize, task: &str, uuid: [u8; 16], wait: u64) {
        let run = self.agents[index].runs.get(task);
        let first = run.and_then(|run| run.pending.front()).and_then(|status| status.uuid.as_ref());
        if first.is_some_and(|first| first.as_ref() == uuid) {
            self.fault("update sent again");
            self.send_first(index, task, (wait * 2).min(MAX_RESEND_MS));
        }
    }

    fn acknowledged(&mut self, index: usize, task: &str, uuid: &[u8]) {
        let Some(run) = self.agents[index].runs.get_mut(task) else { return };
        let first = run.pending.front().and_then(|status| status.uuid.as_ref());
        if first.is_none_or(|first| first.as_ref() != uuid) {
            return;
        }
        run.pending.pop_front();
        if run.over && run.pending.is_empty() {
            self.agents[index].runs.remove(task);
            return;
        }
        self.send_first(index, task, RESEND_MS);
    }

    /// A running task of an agent ends badly.
    pub(crate) fn kill_executor(&mut self, index: usize) {
        let alive: Vec<String> = self.agents[index]
            .runs
            .iter()
            .filter(|(_, run)| run.is_alive())
            .map(|(id, _)| id.clone())
            .collect();
        if let Some(task) = self.rng.pick(&alive).cloned() {
            self.ended(index, &task, v1::TaskState::TaskFailed, "the executor was killed");
        }
    }

    /// The order of the messages of an agent is that in which they were sent.
    pub(crate) fn agent_with(&self, id: &str) -> Option<(usize, u64)> {
        let index = self.agents.iter().position(|agent| agent.id.as_deref() == Some(id))?;
        Some((index, self.agents[index].link?))
    }
}
