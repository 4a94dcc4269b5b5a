//! The stream of events.

use aurora_api::v1;
use aurora_api::v1::cron_jobs_client::CronJobsClient;
use aurora_api::v1::events_client::EventsClient;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_api::v1::maintenance_client::MaintenanceClient;
use aurora_api::v1::quotas_client::QuotasClient;
use aurora_api::v1::updates_client::UpdatesClient;
use aurora_api::v1::watch_events_response::Message;
use aurora_model::key::AgentId;
use aurora_scheduler_core::Op;
use aurora_scheduler_server::start;
use aurora_scheduler_storage::{Log, Store};
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Streaming};

use crate::world::{channel, config, config_with, create, job, soon};

async fn next(stream: &mut Streaming<v1::WatchEventsResponse>) -> Message {
    soon("a message", stream.next()).await.unwrap().unwrap().message.unwrap()
}

async fn next_event(stream: &mut Streaming<v1::WatchEventsResponse>) -> v1::Event {
    loop {
        if let Message::Event(event) = next(stream).await {
            return event;
        }
    }
}

fn version(message: &Message) -> u64 {
    match message {
        Message::Progress(progress) => progress.version,
        other => panic!("not a mark: {other:?}"),
    }
}

fn after(version: u64) -> v1::WatchEventsRequest {
    v1::WatchEventsRequest { after_version: Some(version), ..Default::default() }
}

#[tokio::test]
async fn a_stream_is_taken_up_again_where_it_ended_also_with_the_next_scheduler() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let channel_to = channel(&scheduler).await;
    let mut jobs = JobsClient::new(channel_to.clone());
    let mut events = EventsClient::new(channel_to);
    let mut all = events.watch(v1::WatchEventsRequest::default()).await.unwrap().into_inner();
    let begin = version(&next(&mut all).await);
    jobs.create_job(create("one", "a")).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let event = next_event(&mut all).await;
        let Some(v1::event::Change::Task(task)) = event.change else { panic!("{event:?}") };
        assert_eq!((task.from(), task.to()), (v1::TaskState::Init, v1::TaskState::Pending));
        assert_eq!(task.job, job("a").key);
        seen.push((event.version, task.instance));
    }
    assert_eq!(seen.iter().map(|(_, instance)| *instance).collect::<Vec<_>>(), [0, 1]);
    assert!(seen[0].0 > begin && seen[1].0 > seen[0].0);
    // From the first on there is only the second.
    let mut rest = events.watch(after(seen[0].0)).await.unwrap().into_inner();
    assert_eq!(version(&next(&mut rest).await), seen[0].0);
    assert_eq!(next_event(&mut rest).await.version, seen[1].0);
    stop.cancel();
    scheduler.wait().await.unwrap();

    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let channel_to = channel(&scheduler).await;
    let mut jobs = JobsClient::new(channel_to.clone());
    let mut events = EventsClient::new(channel_to);
    // What the last scheduler did is not there any more: who was not there is told so.
    let mut old = events.watch(after(begin)).await.unwrap().into_inner();
    assert_eq!(version(&next(&mut old).await), begin);
    let Message::Missed(missed) = next(&mut old).await else { panic!("nothing was missed") };
    assert_eq!(missed.from, begin);
    assert!(missed.to >= seen[1].0, "{missed:?} {seen:?}");
    // Then it goes on.
    let kill = v1::KillTasksRequest { job: job("a").key, ..Default::default() };
    jobs.kill_tasks(kill).await.unwrap();
    let event = next_event(&mut old).await;
    assert!(event.version > missed.to, "{event:?}");
    // Who has seen everything misses nothing.
    let mut current = events.watch(after(missed.to)).await.unwrap().into_inner();
    next(&mut current).await;
    assert_eq!(next(&mut current).await, Message::Event(event));
    // A version of another log is refused.
    let refused = events.watch(after(1 << 40)).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    stop.cancel();
    let last = current.filter_map(Result::err).next().await.unwrap();
    assert_eq!(last.code(), Code::Unavailable, "{last}");
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn only_what_is_asked_for_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let channel_to = channel(&scheduler).await;
    let mut jobs = JobsClient::new(channel_to.clone());
    let mut quotas = QuotasClient::new(channel_to.clone());
    let mut events = EventsClient::new(channel_to);
    jobs.create_job(create("one", "a")).await.unwrap();
    jobs.create_job(create("two", "b")).await.unwrap();
    let amounts = v1::ResourceAggregate { cpus: 1.0, ram_mb: 2, disk_mb: 3 };
    let set = v1::SetQuotaRequest { role: "ads".into(), quota: Some(amounts), request_id: None };
    quotas.set_quota(set).await.unwrap();
    let kill = v1::KillTasksRequest { job: job("a").key, ..Default::default() };
    jobs.kill_tasks(kill).await.unwrap();
    let end = v1::SetQuotaRequest { role: "end".into(), quota: Some(amounts), request_id: None };
    quotas.set_quota(end).await.unwrap();
    let all = || after(0);
    for (request, wanted) in [
        (v1::WatchEventsRequest { roles: vec!["ads".into()], ..all() }, "quota ads"),
        (
            v1::WatchEventsRequest { kinds: vec![v1::EventKind::Quota as i32], ..all() },
            "quota ads, quota end",
        ),
        (
            v1::WatchEventsRequest { jobs: vec![job("b").key.unwrap()], ..all() },
            "b/0 PENDING, b/1 PENDING",
        ),
        (
            v1::WatchEventsRequest { kinds: vec![v1::EventKind::Task as i32], ..all() },
            "a/0 PENDING, a/1 PENDING, b/0 PENDING, b/1 PENDING, gone a/0, gone a/1",
        ),
        (
            v1::WatchEventsRequest {
                states: vec![v1::TaskState::Pending as i32],
                roles: vec!["www".into()],
                ..all()
            },
            "a/0 PENDING, a/1 PENDING, b/0 PENDING, b/1 PENDING",
        ),
        (v1::WatchEventsRequest { hosts: vec!["nowhere".into()], ..all() }, ""),
    ] {
        let shown = format!("{request:?}");
        let mut stream = events.watch(request).await.unwrap().into_inner();
        let begin = version(&next(&mut stream).await);
        assert_eq!(begin, 0);
        let mut found = Vec::new();
        // A mark that the reader has come to the end comes when there is nothing else.
        loop {
            let event = match next(&mut stream).await {
                Message::Event(event) => event,
                Message::Progress(progress) => {
                    assert!(progress.version > 0);
                    break;
                }
                Message::Missed(missed) => panic!("{shown}: {missed:?}"),
            };
            match event.change.unwrap() {
                v1::event::Change::Task(task) => found.push(format!(
                    "{}/{} {}",
                    task.job.clone().unwrap().name,
                    task.instance,
                    task.to().as_str_name().trim_start_matches("TASK_STATE_")
                )),
                v1::event::Change::Forgotten(gone) => found.extend(
                    gone.tasks
                        .into_iter()
                        .map(|task| format!("gone {}/{}", task.job.unwrap().name, task.instance)),
                ),
                v1::event::Change::Quota(quota) => found.push(format!("quota {}", quota.role)),
                other => panic!("{other:?}"),
            }
            if found.join(", ") == wanted {
                break;
            }
        }
        assert_eq!(found.join(", "), wanted, "{shown}");
    }
    for (request, wanted) in [
        (v1::WatchEventsRequest { kinds: vec![77], ..all() }, "kinds has the unknown value 77"),
        (v1::WatchEventsRequest { roles: vec!["a b".into()], ..all() }, "invalid role \"a b\""),
        (v1::WatchEventsRequest { states: vec![77], ..all() }, "77"),
    ] {
        let refused = events.watch(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains(wanted), "{wanted}: {refused}");
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn a_reader_that_sleeps_keeps_nobody_waiting_and_is_told_what_it_missed() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let few = config_with(folder.path(), &["--event-buffer", "8"]);
    let scheduler = start(few, stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let mut events = EventsClient::new(channel(&scheduler).await);
    let mut stream = events.watch(v1::WatchEventsRequest::default()).await.unwrap().into_inner();
    let mut last = version(&next(&mut stream).await);
    // Nothing is read meanwhile.
    for (id, name) in [("one", "a"), ("two", "b"), ("three", "c")] {
        let mut large = create(id, name);
        large.job.as_mut().unwrap().instance_count = 2000;
        soon("an answer", jobs.create_job(large)).await.unwrap();
    }
    let (mut seen, mut missed) = (0, 0);
    loop {
        match next(&mut stream).await {
            Message::Event(event) => {
                assert!(event.version > last);
                last = event.version;
                seen += 1;
                let Some(v1::event::Change::Task(task)) = event.change else { panic!("no task") };
                if task.job.unwrap().name == "c" && task.instance == 1999 {
                    break;
                }
            }
            Message::Missed(gone) => {
                assert!(gone.from >= last && gone.to > gone.from, "{gone:?} after {last}");
                missed += gone.to - gone.from;
                last = gone.to;
            }
            Message::Progress(_) => {}
        }
    }
    // Nothing is left out silently: each change is an event or a part of what was missed.
    assert!(missed + seen >= 6000, "{missed} {seen}");
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn updates_cron_jobs_and_modes_of_hosts_have_events() {
    use v1::event::Change;
    let folder = tempfile::tempdir().unwrap();
    write_host(folder.path());
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let to = channel(&scheduler).await;
    JobsClient::new(to.clone()).create_job(create("one", "a")).await.unwrap();
    let kinds = [v1::EventKind::Update, v1::EventKind::Cron, v1::EventKind::Host];
    let request = v1::WatchEventsRequest {
        kinds: kinds.map(|kind| kind as i32).to_vec(),
        ..v1::WatchEventsRequest::default()
    };
    let mut stream = EventsClient::new(to.clone()).watch(request).await.unwrap().into_inner();
    let mut last = version(&next(&mut stream).await);
    let mut told = async || {
        let event = next_event(&mut stream).await;
        assert!(event.version > last, "{event:?}");
        last = event.version;
        event.change.unwrap()
    };

    let mut crons = CronJobsClient::new(to.clone());
    let mut nightly = job("nightly");
    nightly.cron_schedule = Some("0 3 * * *".into());
    nightly.task.as_mut().unwrap().is_service = false;
    let request = v1::ScheduleCronJobRequest { request_id: None, job: Some(nightly) };
    crons.schedule_cron_job(request).await.unwrap();
    let start = v1::StartCronJobRequest { request_id: None, job: job("nightly").key };
    crons.start_cron_job(start).await.unwrap();
    let end = v1::DescheduleCronJobRequest { request_id: None, job: job("nightly").key };
    crons.deschedule_cron_job(end).await.unwrap();
    for wanted in [v1::CronChange::Scheduled, v1::CronChange::Run, v1::CronChange::Descheduled] {
        let Change::Cron(cron) = told().await else { panic!("no event of {wanted:?}") };
        assert_eq!((cron.change(), &cron.job), (wanted, &job("nightly").key));
        assert_eq!(cron.runs.len(), usize::from(wanted == v1::CronChange::Run), "{cron:?}");
    }

    let mut updates = UpdatesClient::new(to.clone());
    let mut task = job("a").task.unwrap();
    task.executor.as_mut().unwrap().data = "v2".into();
    let queue = v1::QueueStrategy { group_size: 1 };
    let update = v1::JobUpdateRequest {
        task: Some(task),
        instance_count: 2,
        settings: Some(v1::UpdateSettings {
            strategy: Some(v1::update_settings::Strategy::Queue(queue)),
            ..v1::UpdateSettings::default()
        }),
        ..v1::JobUpdateRequest::default()
    };
    let start = v1::StartUpdateRequest { update: Some(update), ..Default::default() };
    let key = updates.start_update(start).await.unwrap().into_inner().key;
    let pause = v1::ChangeUpdateRequest { key: key.clone(), ..Default::default() };
    updates.pause_update(pause).await.unwrap();
    let (mut statuses, mut instances) = (Vec::new(), Vec::new());
    while statuses.last() != Some(&v1::UpdateStatus::RollForwardPaused) {
        let Change::Update(update) = told().await else { panic!("no event of an update") };
        assert_eq!(update.key, key);
        statuses.extend(update.status.map(|event| event.status()));
        instances
            .extend(update.instances.into_iter().map(|event| (event.instance, event.action())));
    }
    assert_eq!(statuses, [v1::UpdateStatus::RollingForward, v1::UpdateStatus::RollForwardPaused]);
    assert_eq!(instances.first(), Some(&(0, v1::InstanceAction::Updating)));

    let mut hosts = MaintenanceClient::new(to);
    let names = || vec!["host-a".to_owned()];
    let begin = v1::StartMaintenanceRequest { request_id: None, hosts: names() };
    hosts.start_maintenance(begin).await.unwrap();
    let end = v1::EndMaintenanceRequest { request_id: None, hosts: names() };
    hosts.end_maintenance(end).await.unwrap();
    for wanted in [v1::MaintenanceMode::Scheduled, v1::MaintenanceMode::None] {
        let Change::Host(host) = told().await else { panic!("no event of {wanted:?}") };
        assert_eq!((host.host.as_str(), host.mode()), ("host-a", wanted));
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}

/// A log in which a host has made an offer.
fn write_host(folder: &std::path::Path) {
    let (mut store, _) = Store::open(folder).unwrap();
    let host = Op::PutHost {
        name: "host-a".into(),
        agent: AgentId::new("agent-a").unwrap(),
        address: String::new(),
        attributes: [].into(),
    };
    store.append(&[vec![host]]).unwrap();
}
