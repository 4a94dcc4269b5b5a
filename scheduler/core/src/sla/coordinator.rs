//! Questions to the outside services that decide for some jobs (`scheduler.md` 11).
//!
//! A service is asked about one task at a time: what it answers rests on what it sees, and it must
//! see what came of its last "yes" before it gives another. Questions do not survive a restart: who
//! still wants to know asks again.

use std::collections::BTreeMap;
use std::ops::Bound;

use aurora_model::job::ScheduledTask;
use aurora_model::key::TaskId;

use super::{SlaPurpose, SlaVerdict};
use crate::input::Effect;
use crate::maintenance::MaintenanceTimer;
use crate::scheduler::Turn;
use crate::timers::Timer;

/// How much longer than the shell this waits for an answer, in milliseconds.
const GRACE_MS: i64 = 10_000;

/// Which question an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuestionId(pub u64);

/// A question to a coordinator: may this task be stopped?
#[derive(Debug, Clone, PartialEq)]
pub struct CoordinatorQuestion {
    /// Given back with the answer.
    pub id: QuestionId,
    /// Where it is asked.
    pub url: String,
    /// The key of its answer that holds the verdict.
    pub status_key: String,
    /// The task that is to be stopped.
    pub task: ScheduledTask,
    /// What else it is told.
    pub params: BTreeMap<String, String>,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoordinatorAnswer {
    /// The task may be stopped.
    Allowed,
    /// It may not, for now.
    Denied,
    /// There is no answer, for this reason.
    Failed(String),
}

/// The questions that are open, and those that wait for their turn.
#[derive(Debug, Default)]
pub(crate) struct Coordinators {
    open: BTreeMap<QuestionId, Question>,
    asked: u64,
    /// Who waits for a coordinator, by its URL and in the order in which they came. Never with a URL
    /// that nobody waits for.
    waiting: BTreeMap<String, BTreeMap<u64, Waiting>>,
    /// The place of each of them.
    places: BTreeMap<Waiting, (String, u64)>,
    came: u64,
}

/// A task that is to be stopped, and what for.
type Waiting = (TaskId, SlaPurpose);

#[derive(Debug)]
struct Question {
    url: String,
    task: TaskId,
    purpose: SlaPurpose,
}

impl Coordinators {
    fn is_asked(&self, url: &str) -> bool {
        self.open.values().any(|question| question.url == url)
    }

    /// Waits for a coordinator. Who waits already keeps its place.
    fn wait(&mut self, url: &str, task: &TaskId, purpose: SlaPurpose) {
        let who = (task.clone(), purpose);
        if self.places.get(&who).is_some_and(|(known, _)| known == url) {
            return;
        }
        self.leave(&who);
        self.came += 1;
        self.places.insert(who.clone(), (url.to_owned(), self.came));
        self.waiting.entry(url.to_owned()).or_default().insert(self.came, who);
    }

    fn leave(&mut self, who: &Waiting) {
        let Some((url, place)) = self.places.remove(who) else { return };
        if let Some(queue) = self.waiting.get_mut(&url) {
            queue.remove(&place);
            if queue.is_empty() {
                self.waiting.remove(&url);
            }
        }
    }

    /// Who is next: of the coordinators that are not being asked the first after one, round and round,
    /// so that none keeps the others waiting.
    fn next_after(&self, url: &str) -> Option<&Waiting> {
        let after = self.waiting.range::<str, _>((Bound::Excluded(url), Bound::Unbounded));
        let up_to = self.waiting.range::<str, _>((Bound::Unbounded, Bound::Included(url)));
        let mut free = after.chain(up_to).filter(|(url, _)| !self.is_asked(url));
        free.next().and_then(|(_, queue)| queue.values().next())
    }
}

impl Turn<'_> {
    /// Asks a coordinator, unless it or too many others are being asked: then it is asked in turn.
    pub(super) fn ask_coordinator(
        &mut self,
        id: &TaskId,
        url: &str,
        status_key: &str,
        purpose: SlaPurpose,
    ) -> SlaVerdict {
        let most = self.scheduler.settings.max_parallel_coordinated_maintenance;
        let Coordinators { open, .. } = &self.scheduler.coordinators;
        let busy = match open.values().find(|question| question.url == url) {
            Some(question) if question.task == *id && question.purpose == purpose => {
                return SlaVerdict::Asked;
            }
            Some(question) => {
                Some(format!("its coordinator is being asked about {}", question.task))
            }
            None if open.len() >= most => Some("too many coordinators are being asked".to_owned()),
            None => None,
        };
        if let Some(reason) = busy {
            self.scheduler.count("sla_coordinator_lock_starvation", 1);
            self.scheduler.coordinators.wait(url, id, purpose);
            return SlaVerdict::busy(reason);
        }
        let Some(task) = self.scheduler.state.task(id).cloned() else { return SlaVerdict::Allowed };
        let params = self.sla_params(&purpose);
        let coordinators = &mut self.scheduler.coordinators;
        coordinators.leave(&(id.clone(), purpose.clone()));
        coordinators.asked += 1;
        let question_id = QuestionId(coordinators.asked);
        let question = Question { url: url.to_owned(), task: id.clone(), purpose };
        coordinators.open.insert(question_id, question);
        let wait = self.scheduler.settings.sla_coordinator_timeout_ms.saturating_add(GRACE_MS);
        self.after(wait, Timer::Maintenance(MaintenanceTimer::Unanswered(question_id)));
        self.step.effects.push(Effect::AskCoordinator(Box::new(CoordinatorQuestion {
            id: question_id,
            url: url.to_owned(),
            status_key: status_key.to_owned(),
            task,
            params,
        })));
        SlaVerdict::Asked
    }

    /// A question has its answer. One that is not open any more is not waited for.
    pub(crate) fn coordinator_answered(&mut self, id: QuestionId, answer: CoordinatorAnswer) {
        let Some(question) = self.scheduler.coordinators.open.remove(&id) else { return };
        let denial = match answer {
            CoordinatorAnswer::Allowed => None,
            CoordinatorAnswer::Denied => Some("its coordinator does not allow it now".to_owned()),
            CoordinatorAnswer::Failed(reason) => {
                Some(format!("its coordinator gave no answer: {reason}"))
            }
        };
        // What is done of a "yes" is done before the next question is asked.
        self.sla_answered(&question.purpose, &question.task, denial);
        self.ask_next(question.url);
    }

    /// There is room for another question: those whose turn it is may ask. Who does not want to know
    /// any more is passed over.
    fn ask_next(&mut self, mut url: String) {
        let most = self.scheduler.settings.max_parallel_coordinated_maintenance;
        while self.scheduler.coordinators.open.len() < most
            && let Some(who) = self.scheduler.coordinators.next_after(&url).cloned()
        {
            if let Some((next, _)) = self.scheduler.coordinators.places.get(&who) {
                url = next.clone();
            }
            self.scheduler.coordinators.leave(&who);
            self.sla_may_ask(&who.1, &who.0);
        }
    }

    /// A question has waited for too long.
    pub(crate) fn coordinator_unanswered(&mut self, id: QuestionId) {
        self.coordinator_answered(id, CoordinatorAnswer::Failed("the time is up".to_owned()));
    }
}
