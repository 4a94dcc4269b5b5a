//! Jobs: created, killed, watched.

use aurora_api::v1;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_scheduler_server::start;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::world::{channel, config, create, job};

fn is_reused(refused: &tonic::Status) -> bool {
    let reason = refused.metadata().get("aurora-reason").unwrap();
    refused.code() == Code::InvalidArgument && reason == "REQUEST_ID_REUSED"
}

#[tokio::test]
async fn a_repeated_call_is_carried_out_once_even_by_the_next_scheduler() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let first = jobs.create_job(create("one", "a")).await.unwrap().into_inner();
    assert_eq!(first.instance_count, 2);
    let again = jobs.create_job(create("one", "a")).await.unwrap().into_inner();
    assert_eq!(again, first);
    let refused = jobs.create_job(create("two", "a")).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists, "{refused}");
    // An id of another kind of request is a mistake of the caller's.
    let kill = v1::KillTasksRequest {
        request_id: Some("one".into()),
        job: job("a").key,
        ..v1::KillTasksRequest::default()
    };
    assert!(is_reused(&jobs.kill_tasks(kill).await.unwrap_err()));
    // So is one of the same kind.
    assert!(is_reused(&jobs.create_job(create("one", "b")).await.unwrap_err()));
    let mut larger = create("one", "a");
    larger.job.as_mut().unwrap().instance_count = 3;
    assert!(is_reused(&jobs.create_job(larger).await.unwrap_err()));
    stop.cancel();
    scheduler.wait().await.unwrap();

    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let after = jobs.create_job(create("one", "a")).await.unwrap().into_inner();
    assert_eq!(after, first);
    assert!(is_reused(&jobs.create_job(create("one", "b")).await.unwrap_err()));
    let list = jobs.list_jobs(v1::ListJobsRequest::default()).await.unwrap().into_inner();
    assert_eq!(list.jobs.len(), 1);
    assert_eq!((list.jobs[0].pending, list.jobs[0].active), (2, 0));
    let pending = v1::StateCount { state: v1::TaskState::Pending as i32, count: 2 };
    assert_eq!(list.jobs[0].states, [pending]);
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn bad_requests_name_what_is_wrong_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let mut none = job("a");
    none.instance_count = 0;
    let mut nameless = job("a");
    nameless.key.as_mut().unwrap().name = "a b".into();
    let mut greedy = job("a");
    greedy.task.as_mut().unwrap().resources.as_mut().unwrap().cpus = f64::NAN;
    for (request, wanted) in [
        (v1::CreateJobRequest::default(), "job"),
        (v1::CreateJobRequest { job: Some(none), request_id: None }, "instance"),
        (v1::CreateJobRequest { job: Some(nameless), request_id: None }, "name"),
        (v1::CreateJobRequest { job: Some(greedy), request_id: None }, "cpus"),
        (create(&"x".repeat(129), "a"), "request_id"),
    ] {
        let refused = jobs.create_job(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains(wanted), "{wanted}: {refused}");
    }
    let list = jobs.list_jobs(v1::ListJobsRequest::default()).await.unwrap().into_inner();
    assert!(list.jobs.is_empty(), "{list:?}");
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn the_message_of_a_kill_is_short() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    jobs.create_job(create("one", "a")).await.unwrap();
    let kill = |length: usize| v1::KillTasksRequest {
        job: job("a").key,
        message: Some("x".repeat(length)),
        ..v1::KillTasksRequest::default()
    };
    let refused = jobs.kill_tasks(kill(1025)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert!(refused.message().contains("message"), "{refused}");
    let killed = jobs.kill_tasks(kill(1024)).await.unwrap().into_inner().killed;
    assert_eq!(killed, [0, 1]);
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn who_watches_is_told_of_every_change() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let request = v1::WatchTasksRequest::default();
    let mut changes = jobs.watch_tasks(request).await.unwrap().into_inner();
    assert!(changes.next().await.unwrap().unwrap().synced, "there is nothing yet");
    jobs.create_job(create("one", "a")).await.unwrap();
    let mut instances = Vec::new();
    while instances.len() < 2 {
        let change = changes.next().await.unwrap().unwrap();
        let task = change.task.unwrap();
        assert_eq!(task.state(), v1::TaskState::Pending);
        instances.push(task.assigned.unwrap().instance);
    }
    instances.sort_unstable();
    assert_eq!(instances, [0, 1]);
    // The stream ends with the scheduler, and says so.
    stop.cancel();
    let last = changes.filter_map(Result::err).next().await.unwrap();
    assert_eq!(last.code(), Code::Unavailable, "{last}");
    scheduler.wait().await.unwrap();
}
