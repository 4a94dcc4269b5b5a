//! Updates of jobs, over a socket.

use aurora_api::v1;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_api::v1::updates_client::UpdatesClient;
use aurora_scheduler_server::start;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::Channel;

use crate::world::{channel, config, create, job};

type Client = UpdatesClient<Channel>;

/// The job with other words for its executor.
fn request(name: &str, version: &str) -> v1::JobUpdateRequest {
    let mut task = job(name).task.unwrap();
    task.executor.as_mut().unwrap().data = version.to_owned();
    let queue = v1::QueueStrategy { group_size: 1 };
    v1::JobUpdateRequest {
        task: Some(task),
        instance_count: 2,
        settings: Some(v1::UpdateSettings {
            strategy: Some(v1::update_settings::Strategy::Queue(queue)),
            rollback_on_failure: true,
            canary: Some(v1::Canary { instances: 1, watch_ms: 5 }),
            ..v1::UpdateSettings::default()
        }),
        metadata: vec![v1::Metadata { key: "ticket".into(), value: "7".into() }],
    }
}

async fn begin(updates: &mut Client, name: &str, version: &str) -> Option<v1::UpdateKey> {
    let update = Some(request(name, version));
    let start = v1::StartUpdateRequest { update, message: Some("why".into()), request_id: None };
    updates.start_update(start).await.unwrap().into_inner().key
}

/// Why a call has failed, for programs.
fn reason(status: &tonic::Status) -> &str {
    status.metadata().get("aurora-reason").unwrap().to_str().unwrap()
}

fn change(key: &v1::UpdateKey) -> v1::ChangeUpdateRequest {
    let message = Some("because".into());
    v1::ChangeUpdateRequest { key: Some(key.clone()), message, request_id: None }
}

#[tokio::test]
async fn an_update_is_started_stopped_told_and_kept() {
    use v1::UpdateStatus as Is;
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let to = channel(&scheduler).await;
    let (mut jobs, mut updates) = (JobsClient::new(to.clone()), UpdatesClient::new(to));
    jobs.create_job(create("one", "a")).await.unwrap();
    // What it would change.
    let diff = v1::GetUpdateDiffRequest { update: Some(request("a", "v2")) };
    let diff = updates.get_update_diff(diff).await.unwrap().into_inner();
    assert_eq!(diff.update[0].instances, [v1::InstanceRange { first: 0, last: 1 }]);
    assert!(diff.add.is_empty() && diff.remove.is_empty() && diff.unchanged.is_empty());
    assert_eq!(begin(&mut updates, "a", "{}").await, None, "it is that already");

    let update = Some(request("a", "v2"));
    let message = Some("why".to_owned());
    let first = v1::StartUpdateRequest { update, message, request_id: Some("start".into()) };
    let key = updates.start_update(first.clone()).await.unwrap().into_inner().key.unwrap();
    let again = updates.start_update(first.clone()).await.unwrap().into_inner().key;
    assert_eq!(again, Some(key.clone()));
    let id = Some("start".to_owned());
    let other = v1::ChangeUpdateRequest { request_id: id, ..change(&key) };
    let reused = updates.pause_update(other).await.unwrap_err();
    assert_eq!((reused.code(), reason(&reused)), (Code::InvalidArgument, "REQUEST_ID_REUSED"));
    let nobody = v1::UpdateKey { id: "nobody".into(), ..key.clone() };
    let get = v1::GetUpdateRequest { key: Some(nobody) };
    let unknown = updates.get_update(get).await.unwrap_err();
    assert_eq!((unknown.code(), reason(&unknown)), (Code::NotFound, "NOT_FOUND"));
    let other = v1::StartUpdateRequest { request_id: None, ..first };
    let refused = updates.start_update(other).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert!(refused.message().contains(&key.id), "{refused}");
    let kill = v1::KillTasksRequest { job: job("a").key, ..v1::KillTasksRequest::default() };
    let refused = jobs.kill_tasks(kill).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");

    let status = updates.pause_update(change(&key)).await.unwrap().into_inner().status();
    assert_eq!(status, Is::RollForwardPaused);
    let pulse = v1::PulseUpdateRequest { key: Some(key.clone()) };
    assert!(updates.pulse_update(pulse).await.unwrap().into_inner().finished);
    stop.cancel();
    scheduler.wait().await.unwrap();

    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut updates = UpdatesClient::new(channel(&scheduler).await);
    let get = v1::GetUpdateRequest { key: Some(key.clone()) };
    let found = updates.get_update(get.clone()).await.unwrap().into_inner();
    let summary = found.summary.unwrap();
    assert_eq!((summary.status(), summary.user.as_str()), (Is::RollForwardPaused, "UNSECURE"));
    assert_eq!(summary.metadata, request("a", "v2").metadata);
    assert_eq!(summary.tally, Some(v1::UpdateTally { total: 2, working: 1, good: 0, failed: 0 }));
    let settings = found.update.unwrap().instructions.unwrap().settings;
    assert_eq!(settings, request("a", "v2").settings);
    let events: Vec<(Is, Option<&str>)> =
        found.events.iter().map(|event| (event.status(), event.message.as_deref())).collect();
    let expected = [(Is::RollingForward, Some("why")), (Is::RollForwardPaused, Some("because"))];
    assert_eq!(events, expected);
    assert_eq!(found.instance_events[0].action(), v1::InstanceAction::Updating);

    let status = updates.resume_update(change(&key)).await.unwrap().into_inner().status();
    assert_eq!(status, Is::RollingForward);
    let status = updates.roll_back_update(change(&key)).await.unwrap().into_inner().status();
    assert_eq!(status, Is::RollingBack);
    let status = updates.abort_update(change(&key)).await.unwrap().into_inner().status();
    assert_eq!(status, Is::Aborted);
    let refused = updates.resume_update(change(&key)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn updates_are_listed_a_page_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut updates = UpdatesClient::new(channel(&scheduler).await);
    let mut begun = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        begun.push(begin(&mut updates, name, "v1").await.unwrap());
    }
    updates.abort_update(change(&begun[0])).await.unwrap();
    let mut listed = Vec::new();
    let mut token = String::new();
    loop {
        let request = v1::ListUpdatesRequest { page_size: 2, page_token: token, query: None };
        let page = updates.list_updates(request).await.unwrap().into_inner();
        assert!(page.updates.len() <= 2);
        listed.extend(page.updates.into_iter().filter_map(|update| update.key));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    // The one that changed last is the first.
    assert_eq!(listed[0], begun[0]);
    let sorted = |mut keys: Vec<v1::UpdateKey>| {
        keys.sort_by_key(|key| key.id.clone());
        keys
    };
    assert_eq!(sorted(listed), sorted(begun.clone()));
    let query = |query: v1::UpdateQuery| v1::ListUpdatesRequest {
        query: Some(query),
        ..v1::ListUpdatesRequest::default()
    };
    let aborted = vec![v1::UpdateStatus::Aborted as i32];
    for (wanted, count) in [
        (v1::UpdateQuery { statuses: aborted, ..v1::UpdateQuery::default() }, 1),
        (v1::UpdateQuery { role: "www".into(), ..v1::UpdateQuery::default() }, 5),
        (v1::UpdateQuery { role: "ads".into(), ..v1::UpdateQuery::default() }, 0),
        (v1::UpdateQuery { job: job("c").key, ..v1::UpdateQuery::default() }, 1),
        (v1::UpdateQuery { key: Some(begun[1].clone()), ..v1::UpdateQuery::default() }, 1),
        (v1::UpdateQuery { user: "nobody".into(), ..v1::UpdateQuery::default() }, 0),
    ] {
        let found = updates.list_updates(query(wanted)).await.unwrap().into_inner();
        assert_eq!((found.updates.len(), found.next_page_token.as_str()), (count, ""));
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn an_id_and_an_update_in_the_way_are_told_by_trailers() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let to = channel(&scheduler).await;
    let (mut jobs, mut updates) = (JobsClient::new(to.clone()), UpdatesClient::new(to));
    jobs.create_job(create("one", "a")).await.unwrap();
    let key = begin(&mut updates, "a", "v2").await.unwrap();
    let again = v1::StartUpdateRequest {
        update: Some(request("a", "v3")),
        ..v1::StartUpdateRequest::default()
    };
    let refused = updates.start_update(again).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::FailedPrecondition, "JOB_UPDATING"));
    let named = refused.metadata().get("aurora-update").unwrap().to_str().unwrap();
    assert_eq!(named, format!("www/prod/a/{}", key.id));
    // What was paused under an id is not aborted under it.
    let change = v1::ChangeUpdateRequest { request_id: Some("id".into()), ..change(&key) };
    let paused = updates.pause_update(change.clone()).await.unwrap().into_inner();
    let refused = updates.abort_update(change.clone()).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::InvalidArgument, "REQUEST_ID_REUSED"));
    let other = v1::ChangeUpdateRequest { message: None, ..change.clone() };
    assert_eq!(reason(&updates.pause_update(other).await.unwrap_err()), "REQUEST_ID_REUSED");
    assert_eq!(updates.pause_update(change).await.unwrap().into_inner(), paused);
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn bad_requests_about_updates_name_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut updates = UpdatesClient::new(channel(&scheduler).await);
    let start_with = |change: fn(&mut v1::JobUpdateRequest)| {
        let mut update = request("a", "v1");
        change(&mut update);
        v1::StartUpdateRequest { update: Some(update), ..v1::StartUpdateRequest::default() }
    };
    for (request, wanted) in [
        (v1::StartUpdateRequest::default(), "update is missing"),
        (start_with(|update| update.settings = None), "update.settings is missing"),
        (start_with(|update| update.task = None), "update.task is missing"),
        (
            start_with(|update| update.settings.as_mut().unwrap().strategy = None),
            "update.settings.strategy is missing",
        ),
        (start_with(|update| update.instance_count = 4001), "at most 4000"),
        (start_with(|update| update.task.as_mut().unwrap().is_service = false), "not a service"),
    ] {
        let refused = updates.start_update(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains(wanted), "{wanted}: {refused}");
    }
    let key = v1::UpdateKey { job: job("a").key, id: "none".into() };
    let refused = updates.pause_update(change(&key)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "{refused}");
    let get = v1::GetUpdateRequest { key: Some(key.clone()) };
    assert_eq!(updates.get_update(get).await.unwrap_err().code(), Code::NotFound);
    let nameless = v1::UpdateKey { id: String::new(), ..key.clone() };
    let refused = updates.pause_update(change(&nameless)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    let long = v1::ChangeUpdateRequest { message: Some("x".repeat(1025)), ..change(&key) };
    let refused = updates.pause_update(long).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    let page = v1::ListUpdatesRequest { page_token: "x".into(), ..Default::default() };
    let refused = updates.list_updates(page).await.unwrap_err();
    assert!(refused.message().contains("page_token"), "{refused}");
    let query = v1::UpdateQuery { statuses: vec![99], ..v1::UpdateQuery::default() };
    let list = v1::ListUpdatesRequest { query: Some(query), ..v1::ListUpdatesRequest::default() };
    assert_eq!(updates.list_updates(list).await.unwrap_err().code(), Code::InvalidArgument);
    stop.cancel();
    scheduler.wait().await.unwrap();
}
