//! Questions to the outside services that decide for some jobs (`scheduler.md` 11).
//!
//! A service is asked about one task at a time: what it answers rests on what it sees, and it must
//! see what came of its last "yes" before it gives another. Questions do not survive a restart: who
//! still wants to know asks again.

use std::collections::BTreeMap;

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

/// The questions that are open.
#[derive(Debug, Default)]
pub(crate) struct Coordinators {
    open: BTreeMap<QuestionId, Question>,
    asked: u64,
}

#[derive(Debug)]
struct Question {
    url: String,
    task: TaskId,
    purpose: SlaPurpose,
}

impl Turn<'_> {
    /// Asks a coordinator, unless it or too many others are being asked.
    pub(super) fn ask_coordinator(
        &mut self,
        task: &ScheduledTask,
        url: &str,
        status_key: &str,
        purpose: SlaPurpose,
    ) -> SlaVerdict {
        let open = &self.scheduler.coordinators.open;
        if let Some(question) = open.values().find(|question| question.url == url) {
            if question.task == *task.id() && question.purpose == purpose {
                return SlaVerdict::Asked;
            }
            let reason = format!("its coordinator is being asked about {}", question.task);
            self.scheduler.count("sla_coordinator_lock_starvation", 1);
            return SlaVerdict::busy(reason);
        }
        if open.len() >= self.scheduler.settings.max_parallel_coordinated_maintenance {
            self.scheduler.count("sla_coordinator_lock_starvation", 1);
            return SlaVerdict::busy("too many coordinators are being asked".to_owned());
        }
        self.scheduler.coordinators.asked += 1;
        let id = QuestionId(self.scheduler.coordinators.asked);
        let params = self.sla_params(&purpose);
        let question = Question { url: url.to_owned(), task: task.id().clone(), purpose };
        self.scheduler.coordinators.open.insert(id, question);
        let wait = self.scheduler.settings.sla_coordinator_timeout_ms.saturating_add(GRACE_MS);
        self.after(wait, Timer::Maintenance(MaintenanceTimer::Unanswered(id)));
        self.step.effects.push(Effect::AskCoordinator(Box::new(CoordinatorQuestion {
            id,
            url: url.to_owned(),
            status_key: status_key.to_owned(),
            task: task.clone(),
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
        self.maintenance_may_ask();
    }

    /// A question has waited for too long.
    pub(crate) fn coordinator_unanswered(&mut self, id: QuestionId) {
        self.coordinator_answered(id, CoordinatorAnswer::Failed("the time is up".to_owned()));
    }
}
