//! Clients: they ask, ask again under the same id until they are answered, and remember what they were
//! told.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{JobConfiguration, MilliCpus};
use aurora_model::key::{JobKey, RequestId, Role};
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::{Input, Request, RequestError, Response, Ticket};

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
}

/// A job as its owner knows it.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) config: JobConfiguration,
    /// The instances that should be.
    pub(crate) wanted: BTreeSet<u32>,
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
        let asked = self.asked.get(&ticket.0)?;
        Some((RequestId::new(format!("r{}", ticket.0)).ok()?, asked.is_remembered))
    }

    /// What may not be taken for the last word: an answer is still to come.
    pub(crate) fn is_busy(&self, job: &JobKey) -> bool {
        self.busy.contains(job)
    }

    fn think(&mut self) -> Option<(&'static str, Request, Option<JobKey>)> {
        let rng = &mut self.rng;
        match rng.below(100) {
            0..40 => {
                let key = jobs::key(rng)?;
                let job = jobs::job(rng, key.clone());
                Some(("create", Request::CreateJob(Box::new(job)), Some(key)))
            }
            40..75 => {
                let jobs: Vec<(JobKey, BTreeSet<u32>)> =
                    self.jobs.iter().map(|(key, job)| (key.clone(), job.wanted.clone())).collect();
                let (job, wanted) = rng.pick(&jobs)?.clone();
                let instances =
                    if rng.chance(600) { BTreeSet::new() } else { subset(rng, &wanted) };
                let message = rng.chance(300).then(|| "not needed".to_owned());
                let request = Request::KillTasks { job: job.clone(), instances, message };
                Some(("kill", request, Some(job)))
            }
            75..90 => {
                let role = Role::new(rng.pick(&jobs::ROLES)?).ok()?;
                let quota = ResourceAggregate {
                    cpus: MilliCpus(rng.below(20) * 1000),
                    ram_mb: rng.below(20) * 1024,
                    disk_mb: rng.below(20) * 1024,
                };
                Some(("set quota", Request::SetQuota { role, quota }, None))
            }
            _ => {
                let key = jobs::key(rng)?;
                let job = jobs::job(rng, key);
                Some(("validate", Request::ValidateJob(Box::new(job)), None))
            }
        }
    }
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
        let Some((kind, request, job)) = self.clients.think() else { return };
        if let Some(job) = &job
            && !self.clients.busy.insert(job.clone())
        {
            return;
        }
        let id = self.clients.next_id();
        let is_remembered = !matches!(kind, "validate" | "set quota");
        let asked = Asked { kind, request, job, is_remembered, answered: None };
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
        let input = Input::Request {
            ticket: Ticket(id),
            request_id: RequestId::new(format!("r{id}")).ok(),
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
        Ok(())
    }
}

impl Clients {
    /// What an answer means for what should be.
    fn learn(&mut self, request: Request, response: &Response) {
        match (request, response) {
            (Request::CreateJob(config), Response::Created { key, instances }) => {
                let wanted = (0..*instances).collect();
                self.jobs.insert(key.clone(), Job { config: *config, wanted });
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
