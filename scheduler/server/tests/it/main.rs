//! A whole scheduler but for its Mesos: sockets, log and API are real.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests talk to sockets and files, and fail by panicking"
)]

mod cron;

use std::path::Path;

use aurora_api::v1;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_api::v1::quotas_client::QuotasClient;
use aurora_scheduler_core::{Op, State};
use aurora_scheduler_server::{Config, Error, Flags, Handle, start, start_with_log};
use aurora_scheduler_storage::{Log, Store, StoreError};
use clap::{Args, Command, FromArgMatches};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

fn config(folder: &Path) -> Config {
    let words = [
        "--cluster-name",
        "test",
        // Nobody is there: tasks wait.
        "--mesos-master-address",
        "127.0.0.1:1",
        "--http-port",
        "0",
        "--native-log-file-path",
        folder.to_str().unwrap(),
        "--thermos-executor-path",
        "/bin/true",
    ];
    let command = Flags::augment_args(Command::new("test").no_binary_name(true));
    let matches = command.try_get_matches_from(words).unwrap();
    Config::try_from(Flags::from_arg_matches(&matches).unwrap()).unwrap()
}

async fn channel(scheduler: &Handle) -> Channel {
    Channel::from_shared(format!("http://{}", scheduler.addr())).unwrap().connect().await.unwrap()
}

fn job(name: &str) -> v1::JobConfiguration {
    let key = v1::JobKey { role: "www".into(), environment: "prod".into(), name: name.into() };
    v1::JobConfiguration {
        key: Some(key.clone()),
        owner: "me".into(),
        task: Some(v1::TaskConfig {
            job: Some(key),
            owner: "me".into(),
            is_service: true,
            max_task_failures: 1,
            resources: Some(v1::Resources {
                cpus: 0.1,
                ram_mb: 16,
                disk_mb: 16,
                ..v1::Resources::default()
            }),
            executor: Some(v1::ExecutorConfig { name: "AuroraExecutor".into(), data: "{}".into() }),
            ..v1::TaskConfig::default()
        }),
        instance_count: 2,
        ..v1::JobConfiguration::default()
    }
}

fn create(id: &str, name: &str) -> v1::CreateJobRequest {
    v1::CreateJobRequest { request_id: Some(id.into()), job: Some(job(name)) }
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
    assert_eq!(jobs.kill_tasks(kill).await.unwrap_err().code(), Code::InvalidArgument);
    stop.cancel();
    scheduler.wait().await.unwrap();

    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let after = jobs.create_job(create("one", "a")).await.unwrap().into_inner();
    assert_eq!(after, first);
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
    let refused = jobs.kill_tasks(kill(4097)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert!(refused.message().contains("message"), "{refused}");
    let killed = jobs.kill_tasks(kill(4096)).await.unwrap().into_inner().killed;
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

/// The JSON of a page.
async fn page(scheduler: &Handle, path: &str) -> serde_json::Value {
    let mut stream = tokio::net::TcpStream::connect(scheduler.addr()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn quotas_are_set_told_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let channel_to = channel(&scheduler).await;
    let (mut jobs, mut quotas) =
        (JobsClient::new(channel_to.clone()), QuotasClient::new(channel_to));
    let get = || v1::GetQuotaRequest { role: "www".into() };
    let zero = Some(v1::ResourceAggregate::default());
    let unset = quotas.get_quota(get()).await.unwrap().into_inner();
    let expected = v1::GetQuotaResponse {
        quota: zero,
        is_limited: true,
        production_shared: zero,
        non_production_shared: zero,
        production_dedicated: zero,
        non_production_dedicated: zero,
        ..v1::GetQuotaResponse::default()
    };
    assert_eq!(unset, expected);
    let mut production = create("one", "a");
    production.job.as_mut().unwrap().task.as_mut().unwrap().tier = Some("preferred".into());
    let refused = jobs.create_job(production.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains("CPU quota exceeded by 0.20 core(s)"), "{refused}");
    assert!(refused.message().contains("aurora quota set test/www 0.2 32MB 32MB"), "{refused}");

    let amounts = |cpus, ram_mb, disk_mb| Some(v1::ResourceAggregate { cpus, ram_mb, disk_mb });
    let set = |quota| v1::SetQuotaRequest { role: "www".into(), quota, request_id: None };
    for (request, wanted) in [
        (set(None), "quota is missing"),
        (set(amounts(-1.0, 0, 0)), "quota.cpus is out of range: -1"),
        (set(amounts(f64::NAN, 0, 0)), "quota.cpus is out of range: NaN"),
        (set(amounts(0.0, u64::MAX, 0)), "quota.ram_mb is out of range"),
        (
            v1::SetQuotaRequest { role: "a b".into(), quota: zero, request_id: None },
            "invalid role \"a b\"",
        ),
        (
            v1::SetQuotaRequest { role: String::new(), quota: zero, request_id: None },
            "invalid role \"\"",
        ),
    ] {
        let refused = quotas.set_quota(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains(wanted), "{wanted}: {refused}");
    }
    let nobody = v1::GetQuotaRequest { role: " ".into() };
    assert_eq!(quotas.get_quota(nobody).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(page(&scheduler, "/quotas").await, serde_json::json!({}));

    quotas.set_quota(set(amounts(1.5, 64, 32))).await.unwrap();
    quotas.set_quota(set(amounts(1.5, 64, 32))).await.unwrap();
    let other =
        v1::SetQuotaRequest { role: "ads".into(), quota: amounts(1.0, 2, 3), request_id: None };
    quotas.set_quota(other).await.unwrap();
    jobs.create_job(production).await.unwrap();
    let refused = quotas.set_quota(set(zero)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    stop.cancel();
    scheduler.wait().await.unwrap();

    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut quotas = QuotasClient::new(channel(&scheduler).await);
    let kept = quotas.get_quota(get()).await.unwrap().into_inner();
    let expected = v1::GetQuotaResponse {
        quota: amounts(1.5, 64, 32),
        is_set: true,
        production_shared: amounts(0.2, 32, 32),
        ..expected
    };
    assert_eq!(kept, expected);
    let www = serde_json::json!({ "cpu_cores": 1.5, "ram_mb": 64, "disk_mb": 32 });
    let ads = serde_json::json!({ "cpu_cores": 1.0, "ram_mb": 2, "disk_mb": 3 });
    for (path, expected) in [
        ("/quotas", serde_json::json!({ "ads": ads, "www": www })),
        ("/quotas?role=www", serde_json::json!({ "www": www })),
        ("/quotas?role=nobody", serde_json::json!({})),
    ] {
        assert_eq!(page(&scheduler, path).await, expected, "{path}");
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn what_waits_is_told_by_group() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    jobs.create_job(create("one", "a")).await.unwrap();
    let groups = page(&scheduler, "/pendingtasks").await;
    let [group] = groups.as_array().unwrap().as_slice() else { panic!("{groups}") };
    assert_eq!(group["name"], "www/prod/a");
    assert_eq!(group["taskIds"].as_array().unwrap().len(), 2);
    assert_eq!((&group["penaltyMs"], &group["reason"]), (&0.into(), &"[]".into()));
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn tools_find_the_services_and_how_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let channel = channel(&scheduler).await;
    let mut health = HealthClient::new(channel.clone());
    for service in ["", "aurora.v1.Jobs", "aurora.v1.Cluster", "aurora.v1.Quotas"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let status = health.check(request).await.unwrap().into_inner().status();
        assert_eq!(status.as_str_name(), "SERVING", "{service}");
    }
    let request = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..ServerReflectionRequest::default()
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let answers = reflection.server_reflection_info(tokio_stream::iter([request])).await.unwrap();
    let ServerReflectionResponse {
        message_response: Some(MessageResponse::ListServicesResponse(list)),
        ..
    } = answers.into_inner().next().await.unwrap().unwrap()
    else {
        panic!("no list of services");
    };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    for wanted in
        ["aurora.v1.Jobs", "aurora.v1.Quotas", "aurora.v1.Cluster", "grpc.health.v1.Health"]
    {
        assert!(names.iter().any(|name| name == wanted), "{wanted} is not among {names:?}");
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}

/// A log on a disk that takes so many groups of steps and no more.
struct Failing {
    store: Store,
    left: usize,
}

impl Log for Failing {
    fn append(&mut self, steps: &[Vec<Op>]) -> Result<(), StoreError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| StoreError::Failed("disk".into()))?;
        self.store.append(steps)
    }

    fn snapshot(&mut self, state: &State) -> Result<(), StoreError> {
        self.store.snapshot(state)
    }

    fn since_snapshot(&self) -> u64 {
        self.store.since_snapshot()
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_not_acknowledged_and_ends_the_scheduler() {
    let folder = tempfile::tempdir().unwrap();
    let (store, state) = Store::open(folder.path()).unwrap();
    let log = Box::new(Failing { store, left: 1 });
    let scheduler =
        start_with_log(config(folder.path()), log, state, CancellationToken::new()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    jobs.create_job(create("one", "a")).await.unwrap();
    let lost = jobs.create_job(create("two", "b")).await.unwrap_err();
    assert!(matches!(lost.code(), Code::Unavailable | Code::Unknown), "{lost}");
    let error = scheduler.wait().await.unwrap_err();
    assert!(matches!(error, Error::Log(_)), "{error}");
    // The next one has what was acknowledged, and nothing else.
    let (_, state) = Store::open(folder.path()).unwrap();
    let names: Vec<&str> = state.jobs().map(|job| job.name()).collect();
    assert_eq!(names, ["a"]);
}
