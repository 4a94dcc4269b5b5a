//! Clients: they ask, ask again under the same id until they are answered, and remember what they were
//! told.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{JobConfiguration, MilliCpus, SlaPolicy, TaskState};
use aurora_model::key::{JobKey, RequestId, Role, TaskId};
use aurora_model::quota::ResourceAggregate;
use aurora_model::update::UpdateKey;
use aurora_scheduler_core::{
    AdminRequest, CronRequest, ErrorKind, Fingerprint, Input, MaintenanceRequest, Request,
    RequestError, RequestMark, Response, Ticket, UpdateAction, UpdateRequest, UpdateResponse,
};

use crate::check::{queries, rules};
use crate::jobs;
use crate::rng::Rng;
use crate::world::{Event, Violation, World, broken};

/// How long an answer may take before the question is asked again, in milliseconds.
const PATIENCE_MS: u64 = 5000;

/// What a client is told.
pub(crate) type Answer = Result<Response, RequestError>;

/// Something a client asks for.
struct Asked {
    kind: &'static str,
    request: Request,
    job: Option<JobKey>,
    /// Granted, it is remembered under its id.
    is_remembered: bool,
    answered: Option<Answer>,
    /// The request whose id it is sent under by mistake: one that was granted.
    named: Option<u64>,
}

/// The id of a request, and what it is.
fn mark(name: u64, content: u64) -> Option<RequestMark> {
    let id = RequestId::new(format!("r{name}")).ok()?;
    Some(RequestMark { id, fingerprint: Fingerprint(u128::from(content).to_be_bytes()) })
}

/// A job as its owner knows it.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) config: JobConfiguration,
    /// The instances that should be.
    pub(crate) wanted: BTreeSet<u32>,
    /// The instances that may be or not: somebody has forced a state upon them.
    pub(crate) unsure: BTreeSet<u32>,
    /// It was updated: which instances there should be depends on how far that came.
    pub(crate) updated: bool,
    /// Some of its ended tasks may have been forgotten before others, whichever ended first.
    pub(crate) pruned: bool,
    /// Its last update.
    update: Option<UpdateKey>,
}

/// All clients.
pub(crate) struct Clients {
    rng: Rng,
    ids: u64,
    asked: BTreeMap<u64, Asked>,
    pub(crate) jobs: BTreeMap<JobKey, Job>,
    /// Jobs about which something was asked and not answered yet: of those nobody asks anything else.
    busy: BTreeSet<JobKey>,
}

impl Clients {
    pub(crate) fn new(rng: Rng) -> Self {
        Self { rng, ids: 0, asked: BTreeMap::new(), jobs: BTreeMap::new(), busy: BTreeSet::new() }
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// The id of a request, and whether it is remembered under it.
    pub(crate) fn request_id(&self, ticket: Ticket) -> Option<(RequestId, bool)> {
        let asked = self.asked.get(&ticket.0).filter(|asked| asked.named.is_none())?;
        Some((RequestId::new(format!("r{}", ticket.0)).ok()?, asked.is_remembered))
    }

    /// What may not be taken for the last word: an answer is still to come.
    pub(crate) fn is_busy(&self, job: &JobKey) -> bool {
        self.busy.contains(job)
    }

    /// What somebody does about updates.
    fn think_of_updates(&mut self) -> Option<Thought> {
        let rng = &mut self.rng;
        let jobs: Vec<(JobKey, Option<UpdateKey>)> =
            self.jobs.iter().map(|(key, job)| (key.clone(), job.update.clone())).collect();
        let (job, update) = rng.pick(&jobs)?.clone();
        let key = match update {
            Some(key) if rng.chance(750) => key,
            _ => {
                // Now and then an update makes the job.
                let job = if rng.chance(100) { jobs::key(rng)? } else { job };
                let request = Box::new(jobs::update(rng, job.clone()));
                let request = UpdateRequest::Start { request, message: None };
                return Some(("update start", Request::Update(request), Some(job)));
            }
        };
        let act = |action| UpdateRequest::Act { key: key.clone(), action, message: None };
        let (kind, request) = match rng.below(16) {
            0..3 => ("update pause", act(UpdateAction::Pause)),
            3..7 => ("update resume", act(UpdateAction::Resume)),
            7 => ("update abort", act(UpdateAction::Abort)),
            8..10 => ("update roll back", act(UpdateAction::RollBack)),
            _ => ("update pulse", UpdateRequest::Pulse(key)),
        };
        Some((kind, Request::Update(request), Some(job)))
    }

    /// What somebody asks for next. `known` are tasks that the scheduler tells of.
    fn think(&mut self, hosts: &[String], known: &[Known]) -> Option<Thought> {
        if self.rng.chance(400) {
            return self.think_of_updates();
        }
        let rng = &mut self.rng;
        let kind = rng.below(100);
        let wanted = |jobs: &BTreeMap<JobKey, Job>| -> Vec<(JobKey, BTreeSet<u32>)> {
            jobs.iter().map(|(key, job)| (key.clone(), job.wanted.clone())).collect()
        };
        Some(match kind {
            0..26 => {
                let key = jobs::key(rng)?;
                let job = jobs::job(rng, key.clone());
                ("create", Request::CreateJob(Box::new(job)), Some(key))
            }
            26..42 => {
                let uncommon = seldom(known);
                let (job, wanted) = match rng.pick(&uncommon) {
                    Some((_, job, _, instance)) if rng.chance(300) => {
                        (job.clone(), [*instance].into())
                    }
                    _ => rng.pick(&wanted(&self.jobs))?.clone(),
                };
                let instances =
                    if rng.chance(600) { BTreeSet::new() } else { subset(rng, &wanted) };
                let message = rng.chance(300).then(|| "not needed".to_owned());
                let request = Request::KillTasks { job: job.clone(), instances, message };
                ("kill", request, Some(job))
            }
            42..48 => {
                let (job, wanted) = rng.pick(&wanted(&self.jobs))?.clone();
                let like = wanted.first().copied().unwrap_or(0);
                let count = u32::try_from(rng.below(4)).unwrap_or(1);
                ("add", Request::AddInstances { job: job.clone(), like, count }, Some(job))
            }
            48..56 => {
                let (job, wanted) = rng.pick(&wanted(&self.jobs))?.clone();
                let instances = subset(rng, &wanted);
                ("restart", Request::RestartTasks { job: job.clone(), instances }, Some(job))
            }
            56..62 => {
                let role = Role::new(rng.pick(&jobs::ROLES)?).ok()?;
                if rng.chance(100) {
                    return Some(("remove quota", Request::RemoveQuota { role }, None));
                }
                let quota = ResourceAggregate {
                    cpus: MilliCpus(rng.below(20) * 1000),
                    ram_mb: rng.below(20) * 1024,
                    disk_mb: rng.below(20) * 1024,
                };
                ("set quota", Request::SetQuota { role, quota }, None)
            }
            62..64 => {
                let key = jobs::key(rng)?;
                let job = jobs::job(rng, key);
                ("validate", Request::ValidateJob(Box::new(job)), None)
            }
            64..76 => {
                let key = jobs::cron_key(rng)?;
                let (kind, request) = match rng.below(8) {
                    0..3 => (
                        "cron schedule",
                        CronRequest::Schedule(Box::new(jobs::cron(rng, key.clone()))),
                    ),
                    3 => (
                        "cron replace",
                        CronRequest::Replace(Box::new(jobs::cron(rng, key.clone()))),
                    ),
                    4 => ("cron deschedule", CronRequest::Deschedule(key.clone())),
                    5 => {
                        let instances = BTreeSet::new();
                        let request =
                            Request::KillTasks { job: key.clone(), instances, message: None };
                        return Some(("cron kill", request, Some(key)));
                    }
                    _ => ("cron start", CronRequest::Start(key.clone())),
                };
                (kind, Request::Cron(request), Some(key))
            }
            76..88 => {
                let mut some: BTreeSet<String> =
                    hosts.iter().filter(|_| rng.chance(200)).cloned().collect();
                some.extend(rng.pick(hosts).cloned());
                let (kind, request) = match rng.below(8) {
                    0 => ("maintenance start", MaintenanceRequest::Start { hosts: some }),
                    1 => ("drain", MaintenanceRequest::Drain { hosts: some }),
                    2 | 3 => {
                        let default_policy =
                            SlaPolicy::Percentage { percentage: 60.0, duration_secs: 60 };
                        let timeout_secs = rng.below(40) * 60;
                        let surge = rng.chance(300);
                        let request = MaintenanceRequest::SlaDrain {
                            hosts: some,
                            default_policy,
                            timeout_secs,
                            surge,
                        };
                        ("sla drain", request)
                    }
                    _ => ("maintenance end", MaintenanceRequest::End { hosts: some }),
                };
                (kind, Request::Maintenance(request), None)
            }
            88..94 => {
                let seldom = seldom(known);
                let from = if rng.chance(600) && !seldom.is_empty() { &seldom } else { known };
                let (task, job, state, instance) = rng.pick(from)?.clone();
                let targets: Vec<TaskState> = rules::targets(state).collect();
                let to = *rng.pick(&targets)?;
                if to == TaskState::Killing
                    && let Some(job) = self.jobs.get_mut(&job)
                {
                    // Whatever comes of it, nobody counts on this one any more.
                    job.unsure.insert(instance);
                }
                let request = AdminRequest::ForceState { task, state: to };
                ("force", Request::Admin(request), Some(job))
            }
            _ => {
                let request = match rng.below(3) {
                    0 => AdminRequest::ReconcileExplicit { batch_size: Some(5) },
                    1 => AdminRequest::ReconcileImplicit,
                    _ => {
                        let key = jobs::key(rng)?;
                        let query = aurora_scheduler_core::TaskQuery::of_job(&key);
                        if let Some(job) = self.jobs.get_mut(&key) {
                            job.pruned = true;
                        }
                        AdminRequest::Prune { query, limit: Some(3) }
                    }
                };
                ("admin", Request::Admin(request), None)
            }
        })
    }
}

/// What somebody asks for: what it is called, the request, and the job that it is about.
type Thought = (&'static str, Request, Option<JobKey>);

/// A task as the scheduler tells of it.
type Known = (TaskId, JobKey, TaskState, u32);

/// Those that are seldom where they are now.
fn seldom(known: &[Known]) -> Vec<Known> {
    use TaskState::{Draining, Partitioned, Preempting, Restarting};
    let is_seldom =
        |state: TaskState| matches!(state, Draining | Partitioned | Preempting | Restarting);
    known.iter().filter(|(_, _, state, _)| is_seldom(*state)).cloned().collect()
}

fn subset(rng: &mut Rng, of: &BTreeSet<u32>) -> BTreeSet<u32> {
    let all: Vec<u32> = of.iter().copied().collect();
    let mut some: BTreeSet<u32> = all.iter().copied().filter(|_| rng.chance(300)).collect();
    if some.is_empty() {
        some.extend(rng.pick(&all).copied());
    }
    some
}

impl World {
    /// A client thinks of something.
    pub(crate) fn act(&mut self) {
        if self.calm {
            return;
        }
        let wait = self.clients.rng.around(self.profile.between_acts_ms);
        self.at(wait, Event::Act);
        let hosts: Vec<String> = self.agents.iter().map(|agent| agent.host.clone()).collect();
        let leader = self.leader.and_then(|leader| self.processes.get(&leader));
        let known: Vec<Known> = leader
            .into_iter()
            .flat_map(|process| process.scheduler.state().tasks())
            .filter(|task| task.state.is_active())
            .map(|task| (task.id().clone(), task.job().clone(), task.state, task.assigned.instance))
            .collect();
        if self.clients.rng.chance(100) {
            self.query(&hosts);
            return;
        }
        let Some(thought) = self.clients.think(&hosts, &known) else { return };
        self.ask(thought);
    }

    /// A client asks what there is. Nothing is said that is not durable, so the question is put
    /// where that is known.
    fn query(&mut self, hosts: &[String]) {
        let Some(process) = self.leader.and_then(|leader| self.processes.get(&leader)) else {
            return;
        };
        let (scheduler, tasks) = (&process.scheduler, &process.watch.tasks);
        let result = queries::check(&mut self.clients.rng, scheduler, tasks, hosts);
        self.cover.path("query");
        if let Err(violation) = result {
            self.found(violation);
        }
    }

    /// A request is made.
    pub(crate) fn ask(&mut self, (kind, request, job): Thought) {
        if let Some(job) = &job
            && !self.clients.busy.insert(job.clone())
        {
            return;
        }
        let id = self.clients.next_id();
        let is_remembered = kind != "validate";
        let asked = Asked { kind, request, job, is_remembered, answered: None, named: None };
        self.clients.asked.insert(id, asked);
        self.send_request(id);
    }

    /// A request is sent to whoever leads, and again as long as there is no answer.
    pub(crate) fn send_request(&mut self, id: u64) {
        let Some(asked) = self.clients.asked.get(&id) else { return };
        if asked.answered.is_none() {
            self.at(PATIENCE_MS, Event::Send { request: id });
        }
        let Some(leader) = self.leader else { return };
        // Now and then somebody still asks the one that led before.
        let old = self.processes.iter().find(|(_, process)| process.deposed).map(|(id, _)| *id);
        let process = old.filter(|_| self.rng.chance(500)).unwrap_or(leader);
        if !self.calm && self.rng.chance(self.profile.drop_per_mille) {
            self.fault("request dropped");
            return;
        }
        let mut delay = self.rng.range(1, 20);
        if !self.calm && self.rng.chance(self.profile.delay_per_mille) {
            self.fault("request delayed");
            delay += self.rng.range(1000, 30_000);
        }
        self.at(delay, Event::Request { request: id, process });
        if !self.calm && self.rng.chance(self.profile.duplicate_per_mille) {
            self.fault("request duplicated");
            let later = self.rng.range(1, 60_000);
            self.at(delay + later, Event::Send { request: id });
        }
    }

    pub(crate) fn take_request(&mut self, id: u64, process: u64) -> Result<(), Violation> {
        let Some(asked) = self.clients.asked.get(&id) else { return Ok(()) };
        // Refusals are not remembered. Whoever was refused does not ask under that id again, and what
        // is still under way does not come, as it would be granted behind the client's back.
        if asked.answered.as_ref().is_some_and(Result::is_err) {
            return Ok(());
        }
        let input = Input::Request {
            ticket: Ticket(id),
            mark: mark(asked.named.unwrap_or(id), id),
            user: "me".to_owned(),
            request: asked.request.clone(),
        };
        self.feed(process, input)
    }

    /// An answer leaves a scheduler.
    pub(crate) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        if !self.calm && self.rng.chance(self.profile.drop_per_mille) {
            self.fault("answer dropped");
            return;
        }
        let delay = self.rng.range(1, 20);
        self.at(delay, Event::Answer { request: ticket.0, answer: Box::new(answer) });
    }

    /// L7: what was granted once is granted again, in the same words.
    pub(crate) fn take_answer(&mut self, id: u64, answer: Answer) -> Result<(), Violation> {
        let Some(asked) = self.clients.asked.get_mut(&id) else { return Ok(()) };
        let kind = asked.kind;
        if let Some(other) = asked.named {
            let is_refused =
                matches!(&answer, Err(RequestError { kind: ErrorKind::RequestIdReused, .. }));
            if !is_refused {
                return broken(
                    "L7",
                    format!("{kind} r{id} came under the id of r{other} and is {answer:?}"),
                );
            }
        }
        match &asked.answered {
            Some(first @ Ok(_)) if asked.is_remembered => {
                if *first != answer {
                    return broken("L7", format!("{kind} r{id} was {first:?} and is {answer:?}"));
                }
                return Ok(());
            }
            Some(_) => return Ok(()),
            None => {}
        }
        asked.answered = Some(answer.clone());
        let is_granted = answer.is_ok() && asked.is_remembered;
        let request = asked.request.clone();
        if let Some(job) = asked.job.clone() {
            self.clients.busy.remove(&job);
        }
        *self.cover.answers.entry((kind, answer.is_ok())).or_default() += 1;
        match &answer {
            Ok(response) => self.clients.learn(request, response),
            Err(error) => {
                self.cover.path(format!("{kind} refused: {:?}", error.kind));
            }
        }
        if !self.calm && self.rng.chance(50) {
            self.fault("request repeated after its answer");
            let later = self.rng.range(1000, 600_000);
            self.at(later, Event::Send { request: id });
        }
        if !self.calm && is_granted && self.rng.chance(20) {
            self.misuse(id);
        }
        Ok(())
    }

    /// Another request is sent under the id of one that was granted.
    fn misuse(&mut self, named: u64) {
        let Some(key) = jobs::key(&mut self.clients.rng) else { return };
        self.fault("request sent under another's id");
        let request = Request::KillTasks { job: key, instances: BTreeSet::new(), message: None };
        let id = self.clients.next_id();
        let asked = Asked {
            kind: "misuse of an id",
            request,
            job: None,
            is_remembered: false,
            answered: None,
            named: Some(named),
        };
        self.clients.asked.insert(id, asked);
        self.send_request(id);
    }
}

impl Clients {
    /// What an answer means for what should be.
    fn learn(&mut self, request: Request, response: &Response) {
        match (request, response) {
            (Request::CreateJob(config), Response::Created { key, instances }) => {
                let wanted = (0..*instances).collect();
                let unsure = BTreeSet::new();
                self.jobs.insert(
                    key.clone(),
                    Job {
                        config: *config,
                        wanted,
                        unsure,
                        updated: false,
                        pruned: false,
                        update: None,
                    },
                );
            }
            (Request::AddInstances { job, .. }, Response::Added { instances }) => {
                if let Some(known) = self.jobs.get_mut(&job) {
                    known.wanted.extend(instances);
                    known.unsure.retain(|instance| !instances.contains(instance));
                }
            }
            (
                Request::Update(UpdateRequest::Start { request, .. }),
                Response::Update(UpdateResponse::Started(key)),
            ) => {
                let known = self.jobs.entry(key.job.clone()).or_insert_with(|| Job {
                    config: JobConfiguration::unscheduled(request.task, request.instance_count),
                    wanted: BTreeSet::new(),
                    unsure: BTreeSet::new(),
                    updated: true,
                    pruned: false,
                    update: None,
                });
                known.updated = true;
                known.update = Some(key.clone());
            }
            (Request::KillTasks { job, instances, .. }, Response::Killed { .. }) => {
                if let Some(known) = self.jobs.get_mut(&job) {
                    known
                        .wanted
                        .retain(|instance| !instances.is_empty() && !instances.contains(instance));
                }
            }
            _ => {}
        }
    }
}
