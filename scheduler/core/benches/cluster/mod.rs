//! A cluster for benchmarks: what Mesos and agents would do, in a few lines each, so that the
//! scheduler is what costs time.
//!
//! Each agent makes one offer of all that is free. A launch uses it up, and what is left comes as a
//! new offer; a task that is stopped gives its resources back in a new offer.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{
    AssignedTask, Constraint, ConstraintRule, ExecutorConfig, JobConfiguration, MilliCpus,
    ResourceBag, TaskConfig, TaskResources, TaskState, Timestamp,
};
use aurora_model::key::{AgentId, FrameworkId, JobKey, OfferId, TaskId};
use aurora_scheduler_core::{
    Effect, Input, Offer, PortRange, Request, Scheduler, Settings, State, StatusUpdate, Step,
    Ticket,
};

/// Hosts of one rack.
pub(crate) const RACK: usize = 40;
/// Values of the attribute `pool`.
pub(crate) const POOLS: usize = 5;

struct Agent {
    id: AgentId,
    host: String,
    free: ResourceBag,
    /// How often it has been offered.
    offered: u64,
    offer: Option<OfferId>,
    tasks: Vec<(TaskId, ResourceBag)>,
}

/// See the module.
pub(crate) struct Cluster {
    pub(crate) scheduler: Scheduler,
    pub(crate) now: Timestamp,
    agents: Vec<Agent>,
    /// Agents with something free and no offer.
    to_offer: BTreeSet<usize>,
    overhead: ResourceBag,
    pub(crate) launched: u64,
    pub(crate) killed: u64,
    again: usize,
}

/// The number in an agent's id: looking it up would cost as much as what is measured.
fn number_of(agent: &AgentId) -> usize {
    agent.as_str().rsplit_once('S').unwrap().1.parse().unwrap()
}

/// What every agent has.
pub(crate) fn machine(cores: u64) -> ResourceBag {
    ResourceBag {
        cpus: MilliCpus(cores * 1000),
        ram_mb: cores * 4096,
        disk_mb: cores * 65_536,
        ports: 0,
        gpus: 0,
    }
}

/// Settings under which nothing but placement happens.
pub(crate) fn settings() -> Settings {
    Settings {
        unset_quota: None,
        hold_offers_forever: true,
        preemption_initial_delay_ms: 0,
        max_tasks_per_job: 100_000,
        ..Settings::default()
    }
}

/// A service of one core, 1 GB and 4 GB for each instance.
pub(crate) fn job(role: &str, name: &str, instances: u32) -> JobConfiguration {
    let key = JobKey::new(role, "prod", name).unwrap();
    let resources = TaskResources {
        cpus: MilliCpus(1000),
        ram_mb: 1024,
        disk_mb: 4096,
        ..TaskResources::default()
    };
    let task = TaskConfig {
        is_service: true,
        // About what a small job's description is.
        executor: Some(ExecutorConfig { name: "AuroraExecutor".into(), data: "x".repeat(1500) }),
        ..TaskConfig::plain(key, "bench", resources)
    };
    JobConfiguration::unscheduled(task, instances)
}

pub(crate) fn limit(attribute: &str, limit: i32) -> Constraint {
    Constraint { attribute: attribute.to_owned(), rule: ConstraintRule::Limit(limit) }
}

pub(crate) fn value(attribute: &str, value: &str) -> Constraint {
    let values = BTreeSet::from([value.to_owned()]);
    let rule = ConstraintRule::Value { negated: false, values };
    Constraint { attribute: attribute.to_owned(), rule }
}

impl Cluster {
    /// A cluster in which nothing runs, and a scheduler that is registered.
    pub(crate) fn new(agents: usize, machine: ResourceBag, settings: Settings) -> Self {
        let agents: Vec<Agent> = (0..agents)
            .map(|number| Agent {
                id: AgentId::new(format!("6c2e5a9e-1d0b-4e51-a0a5-4b1d9d1f2f10-S{number}"))
                    .unwrap(),
                host: format!("host-{number}.example.com"),
                free: machine,
                offered: 0,
                offer: None,
                tasks: Vec::new(),
            })
            .collect();
        let overhead = settings.executor_overhead;
        let mut cluster = Self {
            scheduler: Scheduler::new(settings, State::default()),
            now: Timestamp(1_000_000),
            to_offer: (0..agents.len()).collect(),
            agents,
            overhead,
            launched: 0,
            killed: 0,
            again: 0,
        };
        let _ = cluster.put(Input::Started { seed: 1 });
        let _ = cluster.put(Input::Registered { framework_id: FrameworkId::new("F").unwrap() });
        cluster
    }

    pub(crate) fn put(&mut self, input: Input) -> Step {
        self.scheduler.handle(self.now, input)
    }

    /// The creation of a job.
    pub(crate) fn create(job: JobConfiguration) -> Input {
        Input::Request {
            ticket: Ticket(0),
            mark: None,
            user: "bench".into(),
            request: Request::CreateJob(Box::new(job)),
        }
    }

    /// Carries out what the scheduler asks for; gives what tasks say of it.
    pub(crate) fn carry_out(&mut self, effects: Vec<Effect>) -> Vec<Input> {
        let mut said = Vec::new();
        for effect in effects {
            match effect {
                Effect::Launch { tasks, .. } => self.launch(tasks),
                Effect::Decline(_) => {}
                Effect::Kill { task, agent } => {
                    self.killed += 1;
                    if let Some(index) = agent.as_ref().map(number_of) {
                        self.end(index, &task);
                    }
                    said.push(Input::Status(StatusUpdate {
                        task,
                        state: TaskState::Killed,
                        agent,
                        message: None,
                        reason: None,
                        uuid: None,
                    }));
                }
                Effect::Reply { result, .. } => {
                    result.unwrap();
                }
                _ => {}
            }
        }
        said
    }

    fn launch(&mut self, tasks: Vec<AssignedTask>) {
        for task in tasks {
            let Some((agent, _)) = task.agent else { continue };
            let index = number_of(&agent);
            let agent = &mut self.agents[index];
            let uses = task.task.resources.bag().plus(self.overhead);
            assert!(agent.free.covers(&uses), "more was launched than there is");
            agent.free = agent.free.minus(uses);
            agent.offer = None;
            agent.tasks.push((task.task_id, uses));
            self.launched += 1;
            self.to_offer.insert(index);
        }
    }

    fn end(&mut self, index: usize, task: &TaskId) {
        let agent = &mut self.agents[index];
        if let Some(place) = agent.tasks.iter().position(|(id, _)| id == task) {
            let (_, uses) = agent.tasks.swap_remove(place);
            agent.free = agent.free.plus(uses);
            self.to_offer.insert(index);
        }
    }

    /// Offers of what has come free, at most so many at once. What was on offer before is
    /// rescinded.
    pub(crate) fn offers(&mut self, most: usize) -> Vec<Input> {
        let mut inputs = Vec::new();
        let mut offers = Vec::new();
        while offers.len() < most
            && let Some(index) = self.to_offer.pop_first()
        {
            let agent = &mut self.agents[index];
            if let Some(id) = agent.offer.take() {
                inputs.push(Input::Rescinded(id));
            }
            if agent.free.cpus.0 == 0 {
                continue;
            }
            agent.offered += 1;
            let id = OfferId::new(format!("{}-O{}", agent.id, agent.offered)).unwrap();
            agent.offer = Some(id.clone());
            let attribute = |name: &str, value: String| (name.to_owned(), BTreeSet::from([value]));
            offers.push(Offer {
                id,
                agent: agent.id.clone(),
                host: agent.host.clone(),
                address: format!("{}:5051", agent.host),
                attributes: BTreeMap::from([
                    attribute("host", agent.host.clone()),
                    attribute("rack", format!("rack-{}", index / RACK)),
                    attribute("pool", format!("pool-{}", index % POOLS)),
                ]),
                fixed: agent.free,
                revocable: ResourceBag::default(),
                ports: vec![PortRange { begin: 31_000, end: 32_000 }],
                unavailable_from: None,
            });
        }
        if !offers.is_empty() {
            inputs.push(Input::Offers(offers));
        }
        inputs
    }

    /// Has the next agent make its offer anew.
    pub(crate) fn offer_again(&mut self) {
        let next = self.again % self.agents.len();
        self.again += 1;
        self.to_offer.insert(next);
    }

    /// Forgets what the agents have, which is the benchmark's memory and not the scheduler's.
    pub(crate) fn forget(&mut self) {
        for agent in &mut self.agents {
            agent.tasks = Vec::new();
        }
    }

    /// Goes on until nothing happens any more, without a log.
    pub(crate) fn settle(&mut self) {
        let mut inputs = self.offers(500);
        loop {
            let is_due = self.scheduler.next_wakeup().is_some_and(|at| at <= self.now);
            if inputs.is_empty() && !is_due {
                inputs = self.offers(500);
                if inputs.is_empty() {
                    return;
                }
            }
            if inputs.is_empty() {
                inputs.push(Input::Wakeup);
            }
            for input in std::mem::take(&mut inputs) {
                let step = self.put(input);
                inputs.extend(self.carry_out(step.effects));
            }
        }
    }
}
