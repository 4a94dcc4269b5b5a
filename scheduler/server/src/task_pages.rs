//! Pages of tasks, and of why they wait.

use aurora_api::v1;
use aurora_model::job::ScheduledTask;
use aurora_scheduler_core::TaskCursor;
use prost::Message;

use crate::pages::fit;
use crate::queries::{self, Found, Tasks};

/// A page as it is sent, and where the next one begins. It may end before the one that was found.
pub(crate) fn tasks(
    page: Tasks,
    without_executor_data: bool,
) -> (v1::ListTasksResponse, Option<TaskCursor>) {
    let Tasks { found, mut next, version } = page;
    let all = found
        .iter()
        .map(|found| (task_to_proto(&found.task, without_executor_data), reason_of(found)));
    let size = |(task, reason): &(v1::ScheduledTask, Option<v1::PendingReason>)| {
        task.encoded_len() + reason.as_ref().map_or(0, Message::encoded_len)
    };
    let (sent, is_cut) = fit(all, size);
    if is_cut {
        next = found.get(sent.len() - 1).map(|last| TaskCursor::of(&last.task));
    }
    let (tasks, reasons): (_, Vec<_>) = sent.into_iter().unzip();
    let answer = v1::ListTasksResponse {
        tasks,
        pending_reasons: reasons.into_iter().flatten().collect(),
        next_page_token: next.as_ref().map(TaskCursor::to_text).unwrap_or_default(),
        version,
    };
    (answer, next)
}

/// Why the tasks of a page wait, of those that do.
pub(crate) fn reasons(page: &Tasks) -> v1::GetPendingReasonsResponse {
    let all = page.found.iter().filter_map(|found| Some((&found.task, reason_of(found)?)));
    let (sent, is_cut) = fit(all, |(_, reason)| reason.encoded_len());
    let last = sent.last().filter(|_| is_cut).map(|(task, _)| TaskCursor::of(task));
    let next = last.as_ref().or(page.next.as_ref());
    v1::GetPendingReasonsResponse {
        next_page_token: next.map(TaskCursor::to_text).unwrap_or_default(),
        reasons: sent.into_iter().map(|(_, reason)| reason).collect(),
    }
}

fn reason_of(found: &Found) -> Option<v1::PendingReason> {
    found.reason.as_ref().map(|reason| queries::reason_to_proto(found.task.id(), reason))
}

pub(crate) fn task_to_proto(
    task: &ScheduledTask,
    without_executor_data: bool,
) -> v1::ScheduledTask {
    let mut sent = v1::ScheduledTask::from(task);
    if without_executor_data
        && let Some(config) = sent.assigned.as_mut().and_then(|assigned| assigned.task.as_mut())
        && let Some(executor) = &mut config.executor
    {
        executor.data.clear();
    }
    sent
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aurora_model::key::JobKey;
    use aurora_scheduler_core::{
        Input, PendingReason, Request, Scheduler, Settings, State, TaskQuery, Ticket,
    };

    use super::*;

    /// What clients take if they are not told to take more.
    const USUAL_LIMIT: usize = 4 << 20;

    /// Tasks that wait, all for a reason as long as this.
    fn waiting(tasks: u32, bytes: usize) -> Tasks {
        let mut job = crate::actor::tests::job(&JobKey::new("www", "prod", "web").unwrap());
        job.instance_count = tasks;
        let mut scheduler = Scheduler::new(Settings::default(), State::default());
        let request = Request::CreateJob(Box::new(job));
        let input =
            Input::Request { ticket: Ticket(1), mark: None, user: "me".to_owned(), request };
        let step = scheduler.handle(crate::actor::now(), input);
        assert!(!step.ops.is_empty());
        let reason =
            Arc::new(PendingReason { text: "x".repeat(bytes), ..PendingReason::default() });
        let all = scheduler.tasks(&TaskQuery::default());
        let found: Vec<Found> = all
            .into_iter()
            .map(|task| Found { task: task.clone(), reason: Some(reason.clone()) })
            .collect();
        assert_eq!(found.len(), tasks as usize);
        Tasks { found, next: None, version: 7 }
    }

    #[test]
    fn reasons_count_in_the_size_of_a_page() {
        let page = waiting(1_000, 10_000);
        let cursors: Vec<String> =
            page.found.iter().map(|found| TaskCursor::of(&found.task).to_text()).collect();
        let why = reasons(&page);
        let (list, next) = tasks(page, false);
        assert!(list.encoded_len() < USUAL_LIMIT, "{}", list.encoded_len());
        assert!(why.encoded_len() < USUAL_LIMIT, "{}", why.encoded_len());
        assert!(list.tasks.len() > 250 && list.tasks.len() == list.pending_reasons.len());
        // The next page begins after the last one that is sent.
        assert_eq!(list.next_page_token, cursors[list.tasks.len() - 1]);
        assert_eq!(next.unwrap().to_text(), list.next_page_token);
        assert_eq!(why.next_page_token, cursors[why.reasons.len() - 1]);

        let small = waiting(10, 10);
        assert_eq!(reasons(&small).next_page_token, "");
        assert_eq!(tasks(small, false).0.next_page_token, "");
    }
}
