//! What the master decides: who is offered what, where messages go. No I/O; time is an input, in
//! milliseconds on any clock that only goes forward. Who is offered what is in `offers`, what
//! frameworks call in `calls`.
//!
//! The shell around it has the sockets. What is to be sent is taken with [`Core::take_output`] after
//! whatever was done, in order.

mod calls;
mod offers;

use std::collections::{BTreeMap, BTreeSet};

use aurora_mesos::v1;
use aurora_mesos::v1::scheduler::{Event, event};
use bytes::Bytes;

pub use calls::Refused;

use crate::resources::Resources;

/// Something the shell is to send.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// To a framework's stream.
    Event {
        /// Which framework.
        framework: String,
        /// The event.
        event: Box<Event>,
    },
    /// The end of a framework's stream.
    Close {
        /// Which framework.
        framework: String,
    },
    /// To an agent.
    Launch {
        /// Which agent.
        agent: String,
        /// Whose task.
        framework: Box<v1::FrameworkInfo>,
        /// The task.
        task: Box<v1::TaskInfo>,
    },
    /// To an agent.
    Kill {
        /// Which agent.
        agent: String,
        /// Whose task.
        framework: String,
        /// The task.
        task: String,
        /// How.
        policy: Option<v1::KillPolicy>,
    },
    /// To an agent.
    Acknowledge {
        /// Which agent.
        agent: String,
        /// Whose task.
        framework: String,
        /// The task.
        task: String,
        /// The update.
        uuid: Bytes,
    },
    /// To an agent.
    Shutdown {
        /// Which agent.
        agent: String,
        /// Whose tasks.
        framework: String,
    },
    /// To an agent: what it has of this framework's updates is to be sent again.
    Resend {
        /// Which agent.
        agent: String,
        /// Whose updates.
        framework: String,
    },
    /// This framework must never be taken again, also not by the next master.
    Remember {
        /// The framework.
        removed: String,
    },
}

/// The times that matter to a master, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// How long an agent may be away before it is unreachable.
    pub agent_timeout: u64,
    /// How long after its start a master waits for agents that it does not know.
    pub reregistration: u64,
}

#[derive(Debug)]
struct Framework {
    info: v1::FrameworkInfo,
    connected: bool,
    suppressed: bool,
    /// What was given back: not offered again until then, unless there is more.
    filters: BTreeMap<String, (u64, Resources)>,
    /// When it is removed, if it does not come back.
    deadline: Option<u64>,
}

#[derive(Debug)]
struct Agent {
    info: v1::AgentInfo,
    total: Resources,
    url: v1::Url,
    connected: bool,
    /// When it is unreachable, if it does not come back.
    deadline: Option<u64>,
}

#[derive(Debug)]
struct OpenOffer {
    framework: String,
    agent: String,
    resources: Resources,
}

#[derive(Debug)]
struct Task {
    agent: String,
    executor: String,
    resources: Resources,
    executor_resources: Resources,
    /// The last state that is known, for those who ask. A task that is over is kept, without its
    /// resources, until its framework has acknowledged that: one that was away must not be told
    /// that nobody knows the task.
    status: v1::TaskStatus,
}

impl Task {
    fn is_over(&self) -> bool {
        is_terminal(self.status.state())
    }
}

/// A task that an agent tells of: it runs, or its framework has not acknowledged its end.
#[derive(Debug)]
pub struct RunningTask {
    /// Whose it is.
    pub framework: String,
    /// What was launched.
    pub info: v1::TaskInfo,
    /// The last that is known of it; without a task id if nothing is.
    pub status: v1::TaskStatus,
}

/// A master, as far as it decides.
#[derive(Debug)]
pub struct Core {
    id: String,
    times: Times,
    frameworks: BTreeMap<String, Framework>,
    removed: BTreeSet<String>,
    agents: BTreeMap<String, Agent>,
    /// Agents that were given up, and when (wall clock, nanoseconds).
    unreachable: BTreeMap<String, i64>,
    offers: BTreeMap<String, OpenOffer>,
    tasks: BTreeMap<(String, String), Task>,
    made: u64,
    /// Wall clock, for events: nanoseconds since the Unix epoch.
    pub wall_ns: i64,
    out: Vec<Output>,
}

impl Core {
    /// A master of this id; `removed` are frameworks that earlier ones have removed.
    pub fn new(id: String, removed: BTreeSet<String>, times: Times) -> Self {
        Self {
            id,
            times,
            frameworks: BTreeMap::new(),
            removed,
            agents: BTreeMap::new(),
            unreachable: BTreeMap::new(),
            offers: BTreeMap::new(),
            tasks: BTreeMap::new(),
            made: 0,
            wall_ns: 0,
            out: Vec::new(),
        }
    }

    /// What is to be sent because of the calls since the last time.
    pub fn take_output(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    fn next_id(&mut self, kind: char) -> String {
        self.made += 1;
        format!("{}-{kind}{}", self.id, self.made)
    }

    fn event(&mut self, framework: &str, event: Event) {
        if self.frameworks.get(framework).is_some_and(|framework| framework.connected) {
            let framework = framework.to_owned();
            self.out.push(Output::Event { framework, event: Box::new(event) });
        }
    }

    /// Takes a framework's subscription. Gives its id, or why it is refused.
    ///
    /// # Errors
    /// The text that the framework is told.
    pub fn subscribe(
        &mut self,
        now: u64,
        mut info: v1::FrameworkInfo,
        suppressed: bool,
        master: v1::MasterInfo,
        heartbeat_seconds: f64,
    ) -> Result<String, String> {
        if let Some(refusal) = bad_roles(&info) {
            return Err(refusal);
        }
        let id = match &info.id {
            Some(id) if self.removed.contains(&id.value) => {
                return Err("Framework has been removed".to_owned());
            }
            Some(id) => id.value.clone(),
            None => self.next_id('F'),
        };
        info.id = Some(v1::FrameworkId { value: id.clone() });
        let filters = BTreeMap::new();
        let framework = Framework { info, connected: true, suppressed, filters, deadline: None };
        self.frameworks.insert(id.clone(), framework);
        self.withdraw(|offer| offer.framework == id, false);
        self.event(
            &id,
            Event {
                r#type: Some(event::Type::Subscribed as i32),
                subscribed: Some(event::Subscribed {
                    framework_id: v1::FrameworkId { value: id.clone() },
                    heartbeat_interval_seconds: Some(heartbeat_seconds),
                    master_info: Some(master),
                }),
                ..Event::default()
            },
        );
        let agents: BTreeSet<&String> = self.tasks_of(&id).map(|(_, task)| &task.agent).collect();
        let resend = agents
            .into_iter()
            .map(|agent| Output::Resend { agent: agent.clone(), framework: id.clone() });
        let resend: Vec<Output> = resend.collect();
        self.out.extend(resend);
        self.allocate(now);
        Ok(id)
    }

    fn tasks_of(&self, framework: &str) -> impl Iterator<Item = (&str, &Task)> {
        self.tasks
            .range((framework.to_owned(), String::new())..)
            .take_while(move |((owner, _), _)| owner == framework)
            .map(|((_, task), known)| (task.as_str(), known))
    }

    /// Whether a framework's stream is open.
    pub fn is_connected(&self, framework: &str) -> bool {
        self.frameworks.get(framework).is_some_and(|framework| framework.connected)
    }

    /// Whether a framework was removed for good.
    pub(crate) fn was_removed(&self, framework: &str) -> bool {
        self.removed.contains(framework)
    }

    /// Whether a framework is known.
    pub(crate) fn knows(&self, framework: &str) -> bool {
        self.frameworks.contains_key(framework)
    }

    /// Takes in that a framework's stream has ended.
    pub fn disconnected(&mut self, now: u64, id: &str) {
        let Some(framework) = self.frameworks.get_mut(id) else { return };
        framework.connected = false;
        let timeout = framework.info.failover_timeout.unwrap_or(0.0).clamp(0.0, 1e12);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked just above"
        )]
        let timeout = (timeout * 1000.0) as u64;
        framework.deadline = Some(now.saturating_add(timeout));
        self.withdraw(|offer| offer.framework == id, false);
        self.tick(now);
    }

    /// Ends a framework and all its tasks.
    pub(crate) fn teardown(&mut self, now: u64, id: &str) {
        if self.frameworks.remove(id).is_none() {
            return;
        }
        self.withdraw(|offer| offer.framework == id, false);
        let agents: BTreeSet<String> =
            self.tasks_of(id).map(|(_, task)| task.agent.clone()).collect();
        for agent in agents {
            self.out.push(Output::Shutdown { agent, framework: id.to_owned() });
        }
        self.removed.insert(id.to_owned());
        self.out.push(Output::Remember { removed: id.to_owned() });
        self.out.push(Output::Close { framework: id.to_owned() });
        self.allocate(now);
    }

    /// Lets time pass: frameworks and agents that stay away are given up, filters end.
    pub fn tick(&mut self, now: u64) {
        let late = |deadline: Option<u64>| deadline.is_some_and(|deadline| deadline <= now);
        let gone: Vec<String> = self
            .frameworks
            .iter()
            .filter(|(_, framework)| late(framework.deadline))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            self.teardown(now, &id);
        }
        let lost: Vec<String> = self
            .agents
            .iter()
            .filter(|(_, agent)| late(agent.deadline))
            .map(|(id, _)| id.clone())
            .collect();
        for id in lost {
            self.lose_agent(&id);
        }
        self.allocate(now);
    }

    /// When [`Core::tick`] is due, if ever.
    pub fn next_wakeup(&self) -> Option<u64> {
        let deadlines = self.frameworks.values().filter_map(|framework| framework.deadline);
        let away = self.agents.values().filter_map(|agent| agent.deadline);
        let filters = self
            .frameworks
            .values()
            .filter(|framework| framework.connected && !framework.suppressed)
            .flat_map(|framework| framework.filters.values().map(|(until, _)| *until));
        deadlines.chain(away).chain(filters).min()
    }

    fn lose_agent(&mut self, id: &str) {
        self.agents.remove(id);
        self.unreachable.insert(id.to_owned(), self.wall_ns);
        let tasks: Vec<(String, String)> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.agent == id)
            .map(|(key, _)| key.clone())
            .collect();
        let mut frameworks = BTreeSet::new();
        for key in tasks {
            if self.tasks.remove(&key).is_none_or(|task| task.is_over()) {
                continue;
            }
            let aware = self.is_aware(&key.0);
            let state =
                if aware { v1::TaskState::TaskUnreachable } else { v1::TaskState::TaskLost };
            let message = "The agent has been unreachable for too long";
            let mut status = self.status(&key.1, id, state, message);
            status.reason = Some(v1::task_status::Reason::AgentRemoved as i32);
            status.unreachable_time = Some(v1::TimeInfo { nanoseconds: self.wall_ns });
            self.update(&key.0, status);
            frameworks.insert(key.0);
        }
        for framework in frameworks {
            self.failure(&framework, id, None, None);
        }
    }

    fn is_aware(&self, framework: &str) -> bool {
        use v1::framework_info::capability::Type;
        self.frameworks.get(framework).is_some_and(|framework| {
            framework.info.capabilities.iter().any(|c| c.r#type() == Type::PartitionAware)
        })
    }

    fn status(
        &self,
        task: &str,
        agent: &str,
        state: v1::TaskState,
        message: &str,
    ) -> v1::TaskStatus {
        #[expect(clippy::cast_precision_loss, reason = "Mesos gives times as floats")]
        let seconds = self.wall_ns as f64 / 1e9;
        v1::TaskStatus {
            task_id: v1::TaskId { value: task.to_owned() },
            state: state as i32,
            message: Some(message.to_owned()),
            source: Some(v1::task_status::Source::Master as i32),
            agent_id: (!agent.is_empty()).then(|| v1::AgentId { value: agent.to_owned() }),
            timestamp: Some(seconds),
            ..v1::TaskStatus::default()
        }
    }

    fn update(&mut self, framework: &str, status: v1::TaskStatus) {
        self.event(
            framework,
            Event {
                r#type: Some(event::Type::Update as i32),
                update: Some(event::Update { status }),
                ..Event::default()
            },
        );
    }

    fn failure(
        &mut self,
        framework: &str,
        agent: &str,
        executor: Option<String>,
        status: Option<i32>,
    ) {
        self.event(
            framework,
            Event {
                r#type: Some(event::Type::Failure as i32),
                failure: Some(event::Failure {
                    agent_id: Some(v1::AgentId { value: agent.to_owned() }),
                    executor_id: executor.map(|value| v1::ExecutorId { value }),
                    status,
                }),
                ..Event::default()
            },
        );
    }

    /// Takes an agent in, new or back again. Gives its id.
    pub fn agent_registered(
        &mut self,
        now: u64,
        mut info: v1::AgentInfo,
        address: &str,
        running: Vec<RunningTask>,
    ) -> String {
        let id = match &info.id {
            Some(id) => id.value.clone(),
            None => self.next_id('S'),
        };
        info.id = Some(v1::AgentId { value: id.clone() });
        let (ip, port) = address.rsplit_once(':').unwrap_or((address, "0"));
        let url = v1::Url {
            scheme: "http".to_owned(),
            address: v1::Address {
                hostname: Some(info.hostname.clone()),
                ip: Some(ip.to_owned()),
                port: port.parse().unwrap_or(0),
            },
            path: Some("/slave(1)".to_owned()),
            ..v1::Url::default()
        };
        let total = Resources::of(&info.resources);
        let was_unreachable = self.unreachable.remove(&id).is_some();
        self.withdraw(|offer| offer.agent == id, true);
        self.agents.insert(id.clone(), Agent { info, total, url, connected: true, deadline: None });
        self.take_running(&id, running);
        if was_unreachable {
            self.tell_of_return(&id);
        }
        self.allocate(now);
        id
    }

    /// What an agent says it runs is what it runs: of other tasks it was thought to have, nobody
    /// knows what became of them.
    fn take_running(&mut self, agent: &str, running: Vec<RunningTask>) {
        let told: BTreeSet<(String, String)> = running
            .iter()
            .map(|task| (task.framework.clone(), task.info.task_id.value.clone()))
            .collect();
        let missing: Vec<(String, String)> = self
            .tasks
            .iter()
            .filter(|(key, task)| task.agent == agent && !told.contains(key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in missing {
            if self.tasks.remove(&key).is_none_or(|task| task.is_over()) {
                continue;
            }
            let aware = self.is_aware(&key.0);
            let state = if aware { v1::TaskState::TaskDropped } else { v1::TaskState::TaskLost };
            let mut status =
                self.status(&key.1, agent, state, "The agent does not know the task any more");
            status.reason = Some(v1::task_status::Reason::AgentRestarted as i32);
            self.update(&key.0, status);
        }
        for task in running {
            let id = task.info.task_id.value.clone();
            let status = match task.status.task_id.value.is_empty() {
                true => self.status(&id, agent, v1::TaskState::TaskStaging, ""),
                false => task.status,
            };
            // What still runs uses the agent, whosever it is.
            let task_known = known(agent, &task.info, status);
            if self.removed.contains(&task.framework) {
                let framework = task.framework.clone();
                self.out.push(Output::Shutdown { agent: agent.to_owned(), framework });
                if task_known.is_over() {
                    continue;
                }
            }
            self.tasks.insert((task.framework, id), task_known);
        }
    }

    /// Who was told that an agent's tasks are out of reach is told that they are not.
    fn tell_of_return(&mut self, agent: &str) {
        let back: Vec<(String, v1::TaskStatus)> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.agent == agent && !task.is_over())
            .map(|((framework, _), task)| (framework.clone(), task.status.clone()))
            .collect();
        for (framework, status) in back {
            let status = v1::TaskStatus {
                uuid: None,
                source: Some(v1::task_status::Source::Master as i32),
                reason: Some(v1::task_status::Reason::AgentReregistered as i32),
                message: Some("The agent is in reach again".to_owned()),
                ..status
            };
            self.update(&framework, status);
        }
    }

    /// Takes in that an agent's connection has ended.
    pub fn agent_disconnected(&mut self, now: u64, id: &str) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        agent.connected = false;
        agent.deadline = Some(now.saturating_add(self.times.agent_timeout));
        self.withdraw(|offer| offer.agent == id, true);
    }

    /// Passes an update of an agent on.
    pub fn agent_update(&mut self, now: u64, framework: &str, status: v1::TaskStatus) {
        let key = (framework.to_owned(), status.task_id.value.clone());
        let is_over = is_terminal(status.state());
        // One without a uuid, and one of a removed framework, is never acknowledged.
        if is_over && (status.uuid.is_none() || self.removed.contains(framework)) {
            self.tasks.remove(&key);
        } else if let Some(task) = self.tasks.get_mut(&key)
            // What was sent again does not undo an end that is known already.
            && (is_over || !task.is_over())
        {
            task.status = status.clone();
        }
        self.update(framework, status);
        self.allocate(now);
    }

    /// Passes the end of an executor on.
    pub fn executor_ended(&mut self, framework: &str, agent: &str, executor: &str, status: i32) {
        self.failure(framework, agent, Some(executor.to_owned()), Some(status));
    }

    /// Has a task ended.
    pub(crate) fn kill(
        &mut self,
        now: u64,
        framework: &str,
        task: &str,
        agent: Option<&str>,
        policy: Option<v1::KillPolicy>,
    ) {
        match self.tasks.get(&(framework.to_owned(), task.to_owned())) {
            Some(known) if !known.is_over() => self.out.push(Output::Kill {
                agent: known.agent.clone(),
                framework: framework.to_owned(),
                task: task.to_owned(),
                policy,
            }),
            _ => self.reconcile_one(now, framework, task, agent),
        }
    }

    /// Passes an acknowledgement on.
    pub(crate) fn acknowledge(&mut self, framework: &str, agent: &str, task: &str, uuid: Bytes) {
        let key = (framework.to_owned(), task.to_owned());
        let ends = |task: &Task| task.is_over() && task.status.uuid.as_ref() == Some(&uuid);
        if self.tasks.get(&key).is_some_and(ends) {
            self.tasks.remove(&key);
        }
        if self.agents.contains_key(agent) {
            self.out.push(Output::Acknowledge {
                agent: agent.to_owned(),
                framework: framework.to_owned(),
                task: task.to_owned(),
                uuid,
            });
        }
    }

    /// Says what is known of tasks, of all if none are named.
    pub(crate) fn reconcile(
        &mut self,
        now: u64,
        framework: &str,
        tasks: &[v1::scheduler::call::reconcile::Task],
    ) {
        if tasks.is_empty() {
            let all: Vec<String> = self
                .tasks_of(framework)
                .filter(|(_, task)| !task.is_over())
                .map(|(id, _)| id.to_owned())
                .collect();
            for task in all {
                self.reconcile_one(now, framework, &task, None);
            }
            return;
        }
        for task in tasks {
            let agent = task.agent_id.as_ref().map(|id| id.value.as_str());
            self.reconcile_one(now, framework, &task.task_id.value, agent);
        }
    }

    fn reconcile_one(&mut self, now: u64, framework: &str, task: &str, agent: Option<&str>) {
        use v1::TaskState::{TaskGone, TaskLost, TaskUnknown, TaskUnreachable};
        let aware = self.is_aware(framework);
        let pick = |state| if aware { state } else { TaskLost };
        let known = self.tasks.get(&(framework.to_owned(), task.to_owned()));
        let mut status = match (known, agent) {
            (Some(known), _) => v1::TaskStatus {
                uuid: None,
                source: Some(v1::task_status::Source::Master as i32),
                message: Some("Reconciliation: Latest task state".to_owned()),
                ..known.status.clone()
            },
            (None, Some(agent)) if self.agents.contains_key(agent) => self.status(
                task,
                agent,
                pick(TaskGone),
                "Reconciliation: Task is unknown to the agent",
            ),
            (None, Some(agent)) if self.unreachable.contains_key(agent) => {
                let mut status = self.status(
                    task,
                    agent,
                    pick(TaskUnreachable),
                    "Reconciliation: Task is unreachable",
                );
                let since = self.unreachable.get(agent).copied().unwrap_or_default();
                status.unreachable_time = Some(v1::TimeInfo { nanoseconds: since });
                status
            }
            // Its agent may yet come back.
            (None, _) if now < self.times.reregistration => return,
            (None, agent) => self.status(
                task,
                agent.unwrap_or_default(),
                pick(TaskUnknown),
                "Reconciliation: Task is unknown",
            ),
        };
        status.reason = Some(v1::task_status::Reason::Reconciliation as i32);
        self.update(framework, status);
    }

    /// How many agents, frameworks, tasks and offers there are.
    pub(crate) fn counts(&self) -> [(&'static str, usize); 4] {
        [
            ("agents", self.agents.values().filter(|agent| agent.connected).count()),
            ("frameworks", self.frameworks.values().filter(|f| f.connected).count()),
            ("tasks", self.tasks.values().filter(|task| !task.is_over()).count()),
            ("offers", self.offers.len()),
        ]
    }

    /// The tasks that are thought to use an agent's resources, for those who ask.
    pub fn running_on<'a>(&'a self, agent: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let on_agent = self.tasks.iter().filter(move |(_, task)| task.agent == agent);
        on_agent.filter(|(_, task)| !task.is_over()).map(|((_, id), _)| id.as_str())
    }

    /// The agents, for those who ask.
    pub(crate) fn agents(&self) -> impl Iterator<Item = (&v1::AgentInfo, bool)> {
        self.agents.values().map(|agent| (&agent.info, agent.connected))
    }

    /// The frameworks, for those who ask.
    pub(crate) fn frameworks(&self) -> impl Iterator<Item = (&v1::FrameworkInfo, bool)> {
        self.frameworks.values().map(|framework| (&framework.info, framework.connected))
    }
}

/// Why the roles of a framework are refused, in Mesos's words.
fn bad_roles(info: &v1::FrameworkInfo) -> Option<String> {
    use v1::framework_info::capability::Type;
    let is_multi = info.capabilities.iter().any(|c| c.r#type() == Type::MultiRole);
    if is_multi && info.role.is_some() {
        let text = "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable";
        return Some(text.to_owned());
    }
    if !is_multi && !info.roles.is_empty() {
        let text =
            "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable";
        return Some(text.to_owned());
    }
    let (field, roles) = match is_multi {
        true => ("roles", info.roles.as_slice()),
        false => ("role", info.role.as_slice()),
    };
    let dash = roles.iter().flat_map(|role| role.split('/')).find(|part| part.starts_with('-'));
    dash.map(|part| {
        format!(
            "'FrameworkInfo.{field}' contains invalid role: Role component '{part}' is invalid \
             because it starts with a dash"
        )
    })
}

fn known(agent: &str, task: &v1::TaskInfo, status: v1::TaskStatus) -> Task {
    let executor = task.executor.as_ref();
    Task {
        agent: agent.to_owned(),
        executor: executor.map_or_else(
            || task.task_id.value.clone(),
            |executor| executor.executor_id.value.clone(),
        ),
        resources: Resources::of(&task.resources),
        executor_resources: executor
            .map(|executor| Resources::of(&executor.resources))
            .unwrap_or_default(),
        status,
    }
}

/// Whether a task in this state has ended.
pub(crate) fn is_terminal(state: v1::TaskState) -> bool {
    use v1::TaskState as State;
    matches!(
        state,
        State::TaskFinished
            | State::TaskFailed
            | State::TaskKilled
            | State::TaskError
            | State::TaskLost
            | State::TaskDropped
            | State::TaskGone
            | State::TaskGoneByOperator
    )
}

#[cfg(test)]
mod tests;
