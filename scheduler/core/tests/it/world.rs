//! A scheduler with hands: what a shell and a cluster would do, in a few lines each.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{
    ExecutorConfig, JobConfiguration, MilliCpus, ResourceBag, ScheduledTask, TaskConfig,
    TaskResources, TaskState, Timestamp,
};
use aurora_model::key::{AgentId, FrameworkId, JobKey, OfferId, RequestId, TaskId};
use aurora_scheduler_core::{
    Effect, Fingerprint, Input, Offer, Op, PortRange, Request, RequestError, RequestMark, Response,
    Scheduler, Settings, State, StatusUpdate, TaskQuery, Ticket,
};

/// A request under an id; what it asks for is told apart by what it looks like.
pub(crate) fn mark(id: &str, request: &Request) -> RequestMark {
    let print = format!("{request:?}").bytes().fold(0xcbf2_9ce4_8422_2325_u128, |print, byte| {
        (print ^ u128::from(byte)).wrapping_mul((1 << 88) | 0x13b)
    });
    RequestMark { id: RequestId::new(id).unwrap(), fingerprint: Fingerprint(print.to_be_bytes()) }
}

pub(crate) struct World {
    pub(crate) scheduler: Scheduler,
    pub(crate) now: Timestamp,
    pub(crate) log: Vec<Vec<Op>>,
    pub(crate) effects: Vec<Effect>,
    /// Every offer that was ever made.
    pub(crate) offers: BTreeMap<OfferId, Offer>,
    settings: Settings,
    /// Where the next scheduler's randomness comes from: ids are never drawn twice.
    seed: u64,
}

pub(crate) fn job(name: &str, instances: u32, service: bool) -> JobConfiguration {
    let key = JobKey::new("www", "prod", name).unwrap();
    let resources = TaskResources {
        cpus: MilliCpus(1000),
        ram_mb: 100,
        disk_mb: 100,
        ..TaskResources::default()
    };
    let task = TaskConfig {
        is_service: service,
        executor: Some(ExecutorConfig { name: "AuroraExecutor".into(), data: "{}".into() }),
        ..TaskConfig::plain(key, "me", resources)
    };
    JobConfiguration::unscheduled(task, instances)
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Settings { executor_overhead: ResourceBag::default(), ..Default::default() })
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let mut world = Self {
            scheduler: Scheduler::new(settings.clone(), State::default()),
            now: Timestamp(1_000_000),
            log: Vec::new(),
            effects: Vec::new(),
            offers: BTreeMap::new(),
            settings,
            seed: 42,
        };
        world.put(Input::Started { seed: world.seed });
        world
    }

    /// A scheduler made of what this one has written down takes its place.
    pub(crate) fn restart(&mut self) -> Vec<Effect> {
        let state = self.scheduler.state().clone();
        self.take_over(state)
    }

    /// A scheduler with another one's state takes its place.
    pub(crate) fn take_over(&mut self, state: State) -> Vec<Effect> {
        self.scheduler = Scheduler::new(self.settings.clone(), state);
        self.seed += 1;
        self.put(Input::Started { seed: self.seed })
    }

    pub(crate) fn register(&mut self) -> Vec<Effect> {
        self.put(Input::Registered { framework_id: FrameworkId::new("F").unwrap() })
    }

    pub(crate) fn registered() -> Self {
        let mut world = Self::new();
        world.register();
        world
    }

    /// Handles an input, keeps the ops and gives the effects.
    pub(crate) fn put(&mut self, input: Input) -> Vec<Effect> {
        let step = self.scheduler.handle(self.now, input);
        self.log.push(step.ops);
        self.effects.extend(step.effects.clone());
        step.effects
    }

    pub(crate) fn wait(&mut self, ms: i64) -> Vec<Effect> {
        self.now = self.now.plus_ms(ms);
        self.put(Input::Wakeup)
    }

    pub(crate) fn ask(&mut self, request: Request) -> Result<Response, RequestError> {
        self.ask_as(None, request)
    }

    pub(crate) fn ask_as(
        &mut self,
        id: Option<&str>,
        request: Request,
    ) -> Result<Response, RequestError> {
        let effects = self.put(Input::Request {
            ticket: Ticket(1),
            mark: id.map(|id| mark(id, &request)),
            user: "tester".into(),
            request,
        });
        effects
            .into_iter()
            .find_map(|effect| match effect {
                Effect::Reply { result, .. } => Some(result),
                _ => None,
            })
            .expect("every request is answered")
    }

    pub(crate) fn create(&mut self, job: JobConfiguration) -> Result<Response, RequestError> {
        self.ask(Request::CreateJob(Box::new(job)))
    }

    pub(crate) fn kill(&mut self, name: &str) -> Result<Response, RequestError> {
        self.ask(Request::KillTasks {
            job: JobKey::new("www", "prod", name).unwrap(),
            instances: BTreeSet::new(),
            message: None,
        })
    }

    pub(crate) fn offer(&mut self, agent: &str, cpus: u64) -> Vec<Effect> {
        let offer = self.an_offer(agent, cpus);
        self.put(Input::Offers(vec![offer]))
    }

    pub(crate) fn an_offer(&mut self, agent: &str, cpus: u64) -> Offer {
        let number = self.offers.len();
        let id = OfferId::new(format!("O{}", number + 1)).unwrap();
        // A master offers no port twice at the same time.
        let begin = 31_000 + 10 * u16::try_from(number).unwrap();
        let offer = Offer {
            id: id.clone(),
            agent: AgentId::new(agent).unwrap(),
            host: format!("host-{agent}"),
            address: format!("host-{agent}:5051"),
            attributes: BTreeMap::from([
                ("host".to_owned(), BTreeSet::from([format!("host-{agent}")])),
                ("rack".to_owned(), BTreeSet::from(["a".to_owned()])),
            ]),
            fixed: ResourceBag {
                cpus: MilliCpus(cpus * 1000),
                ram_mb: 10_000,
                disk_mb: 10_000,
                ..Default::default()
            },
            revocable: ResourceBag::default(),
            ports: vec![PortRange { begin, end: begin + 9 }],
            unavailable_from: None,
        };
        self.offers.insert(id, offer.clone());
        offer
    }

    pub(crate) fn status(&mut self, task: &TaskId, state: TaskState) -> Vec<Effect> {
        self.put(Input::Status(StatusUpdate {
            task: task.clone(),
            state,
            agent: Some(AgentId::new("A").unwrap()),
            message: None,
            reason: None,
            uuid: Some(vec![1; 16]),
        }))
    }

    /// The job's tasks as `instance:STATE`, oldest first.
    pub(crate) fn shown(&self, name: &str) -> Vec<String> {
        self.tasks(name)
            .iter()
            .map(|task| format!("{}:{}", task.assigned.instance, task.state))
            .collect()
    }

    pub(crate) fn tasks(&self, name: &str) -> Vec<&ScheduledTask> {
        self.scheduler.tasks(&TaskQuery::of_job(&JobKey::new("www", "prod", name).unwrap()))
    }

    /// The job's only task in a state.
    pub(crate) fn task_in(&self, name: &str, state: TaskState) -> TaskId {
        let found: Vec<&ScheduledTask> =
            self.tasks(name).into_iter().filter(|task| task.state == state).collect();
        assert_eq!(found.len(), 1, "{:?}", self.shown(name));
        found[0].id().clone()
    }

    /// A job with one task that runs on agent A.
    pub(crate) fn with_running(job: JobConfiguration) -> (Self, TaskId) {
        let name = job.key.name().to_owned();
        let mut world = Self::registered();
        world.offer("A", 4);
        world.create(job).unwrap();
        let id = world.task_in(&name, TaskState::Assigned);
        world.status(&id, TaskState::Starting);
        world.status(&id, TaskState::Running);
        (world, id)
    }
}

pub(crate) fn launched(effects: &[Effect]) -> Vec<TaskId> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Launch { tasks, .. } => Some(tasks.iter().map(|task| task.task_id.clone())),
            _ => None,
        })
        .flatten()
        .collect()
}
