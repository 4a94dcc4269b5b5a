//! What operators force.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aurora_api::v1;
use aurora_api::v1::admin_client::AdminClient;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_model::job::{JobConfiguration, TaskEvent, TaskState as AuroraState, Timestamp};
use aurora_model::key::TaskId;
use aurora_scheduler_core::{Op, TaskRecord};
use aurora_scheduler_server::start;
use aurora_scheduler_storage::{Log, Store};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::world::{channel, config, create, job, page, soon};

fn force(id: &str, task: &str, state: v1::TaskState) -> v1::ForceTaskStateRequest {
    v1::ForceTaskStateRequest {
        request_id: Some(id.into()),
        task_id: task.into(),
        state: state as i32,
    }
}

#[tokio::test]
async fn forced_states_are_told_truthfully_and_ended_tasks_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let mut admin = AdminClient::new(channel(&scheduler).await);
    let mut request = create("one", "a");
    request.job.as_mut().unwrap().task.as_mut().unwrap().is_service = false;
    jobs.create_job(request).await.unwrap();
    let list = || v1::ListTasksRequest::default();
    let tasks = jobs.list_tasks(list()).await.unwrap().into_inner().tasks;
    let id = |index: usize| tasks[index].assigned.as_ref().unwrap().task_id.clone();
    let states = [v1::TaskState::Assigned, v1::TaskState::Running, v1::TaskState::Finished];
    let mut before = v1::TaskState::Pending;
    for state in states {
        let request = force(state.as_str_name(), &id(0), state);
        let forced = admin.force_task_state(request.clone()).await.unwrap().into_inner();
        assert_eq!((forced.from(), forced.to()), (before, state));
        // The same call again is answered as before.
        let again = admin.force_task_state(request).await.unwrap().into_inner();
        assert_eq!(again, forced);
        before = state;
    }
    let tasks_now = jobs.list_tasks(list()).await.unwrap().into_inner().tasks;
    let message = tasks_now[0].events.last().unwrap().message.clone();
    assert_eq!(message.as_deref(), Some("Transition forced by UNSECURE"));
    for (request, code, wanted) in [
        (force("x", "nobody", v1::TaskState::Lost), Code::NotFound, "there is no task nobody"),
        (
            force("y", &id(0), v1::TaskState::Running),
            Code::FailedPrecondition,
            "is FINISHED: it cannot go to RUNNING",
        ),
        (force("z", "", v1::TaskState::Lost), Code::InvalidArgument, "empty"),
        (force("w", &id(0), v1::TaskState::Unspecified), Code::InvalidArgument, "state"),
    ] {
        let refused = admin.force_task_state(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.message().contains(wanted), "{wanted}: {refused}");
    }

    let prune =
        |query, limit| v1::PruneTasksRequest { query: Some(query), limit, request_id: None };
    let active =
        v1::TaskQuery { states: vec![v1::TaskState::Pending as i32], ..Default::default() };
    let refused = admin.prune_tasks(prune(active, None)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("PENDING"), "{refused}");
    let none = admin.prune_tasks(prune(v1::TaskQuery::default(), Some(0))).await.unwrap();
    assert_eq!(none.into_inner(), v1::PruneTasksResponse { pruned: 0, has_more: true });
    // No states at all are no reason to forget what has not ended.
    let pruned = admin.prune_tasks(prune(v1::TaskQuery::default(), None)).await.unwrap();
    assert_eq!(pruned.into_inner(), v1::PruneTasksResponse { pruned: 1, has_more: false });
    let left = jobs.list_tasks(list()).await.unwrap().into_inner().tasks;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].state(), v1::TaskState::Pending);

    // Nobody is there to be asked.
    let refused = admin.reconcile_implicit(v1::ReconcileImplicitRequest::default()).await;
    assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
    let none = v1::ReconcileExplicitRequest { batch_size: Some(0), request_id: None };
    let refused = admin.reconcile_explicit(none).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");

    admin.snapshot(v1::SnapshotRequest {}).await.unwrap();
    let files = std::fs::read_dir(folder.path()).unwrap();
    let names: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name.starts_with("snapshot")), "{names:?}");
    stop.cancel();
    scheduler.wait().await.unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let found = jobs.get_job(v1::GetJobRequest { job: job("a").key }).await.unwrap().into_inner();
    assert_eq!(found.job.unwrap().pending, 1);
    stop.cancel();
    scheduler.wait().await.unwrap();
}

/// A log in which jobs have only just come to their end.
fn write_ended(folder: &Path, jobs: u32, instances: u32) {
    let (mut store, _) = Store::open(folder).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let timestamp = Timestamp(i64::try_from(now).unwrap());
    let event = |state| TaskEvent { timestamp, state, message: None, scheduler: None };
    let ended = |number: u32| {
        let config = JobConfiguration::try_from(job(&format!("job{number}"))).unwrap().task;
        let tasks = (0..instances).map(|instance| TaskRecord {
            id: TaskId::new(format!("task-{number}-{instance}")).unwrap(),
            instance,
            state: AuroraState::Finished,
            agent: None,
            ports: BTreeMap::new(),
            failure_count: 0,
            times_partitioned: 0,
            events: vec![event(AuroraState::Pending), event(AuroraState::Finished)],
            ancestor: None,
        });
        Op::PutTasks { config: Arc::new(config), tasks: tasks.collect() }
    };
    store.append(&[(0..jobs).map(ended).collect()]).unwrap();
}

#[tokio::test]
async fn who_watches_is_not_overrun_when_many_tasks_are_pruned() {
    const TASKS: u64 = 10_000;
    let folder = tempfile::tempdir().unwrap();
    write_ended(folder.path(), 20, 500);
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let request = v1::WatchTasksRequest::default();
    let mut changes = jobs.watch_tasks(request).await.unwrap().into_inner();
    let mut seen = 0;
    while !soon("a task", changes.message()).await.unwrap().unwrap().synced {
        seen += 1;
    }
    assert_eq!(seen, TASKS);
    // It does not read meanwhile.
    let mut admin = AdminClient::new(channel(&scheduler).await);
    let prune = admin.prune_tasks(v1::PruneTasksRequest::default());
    assert_eq!(soon("an answer", prune).await.unwrap().into_inner().pruned, TASKS);
    for _ in 0..TASKS {
        let change = soon("a change", changes.message()).await.unwrap().unwrap();
        assert!(change.deleted, "{change:?}");
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn lists_come_in_pages_also_if_no_size_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    write_ended(folder.path(), 3, 500);
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let first = jobs.list_tasks(v1::ListTasksRequest::default()).await.unwrap().into_inner();
    assert_eq!(first.tasks.len(), 1000);
    let next = v1::ListTasksRequest {
        page_token: first.next_page_token,
        ..v1::ListTasksRequest::default()
    };
    let second = jobs.list_tasks(next).await.unwrap().into_inner();
    assert_eq!((second.tasks.len(), second.next_page_token.as_str()), (500, ""));
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn bad_ends_are_shown_by_the_names_of_their_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let mut admin = AdminClient::new(channel(&scheduler).await);
    jobs.create_job(create("one", "ends")).await.unwrap();
    let tasks = jobs.list_tasks(v1::ListTasksRequest::default()).await.unwrap().into_inner().tasks;
    for (task, end) in tasks.iter().zip([v1::TaskState::Failed, v1::TaskState::Lost]) {
        let id = &task.assigned.as_ref().unwrap().task_id;
        for state in [v1::TaskState::Assigned, v1::TaskState::Running, end] {
            let request = force(&format!("{id}{state:?}"), id, state);
            admin.force_task_state(request).await.unwrap();
        }
    }
    for name in ["tasks_FAILED_www/prod/ends", "tasks_LOST_www/prod/ends"] {
        soon(name, async {
            while page(&scheduler, "/vars.json").await.get(name).and_then(|it| it.as_f64())
                != Some(1.0)
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}
