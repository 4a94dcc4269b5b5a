//! Webhooks, against a server of this machine.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aurora_api::v1;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_scheduler_server::start;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::world::{ask, channel, config_with, create, job, soon};

#[derive(Clone)]
struct Receiver {
    seen: mpsc::UnboundedSender<(HeaderMap, Value)>,
    /// What is answered, one after the other; then OK.
    answers: Arc<Mutex<Vec<StatusCode>>>,
    /// How long the first answers take.
    slow: Arc<Mutex<Vec<Duration>>>,
}

async fn receive(State(to): State<Receiver>, headers: HeaderMap, body: String) -> StatusCode {
    let wait = to.slow.lock().unwrap().pop();
    if let Some(wait) = wait {
        tokio::time::sleep(wait).await;
    }
    to.seen.send((headers, serde_json::from_str(&body).unwrap())).unwrap();
    to.answers.lock().unwrap().pop().unwrap_or(StatusCode::OK)
}

/// A server, its address, and what it is sent.
async fn server(
    answers: &[StatusCode],
    slow: &[Duration],
) -> (String, mpsc::UnboundedReceiver<(HeaderMap, Value)>) {
    let (seen, received) = mpsc::unbounded_channel();
    let (answers, slow) = (answers.iter().rev().copied(), slow.iter().rev().copied());
    let receiver = Receiver {
        seen,
        answers: Arc::new(Mutex::new(answers.collect())),
        slow: Arc::new(Mutex::new(slow.collect())),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/hook", post(receive)).with_state(receiver);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/hook"), received)
}

fn file(folder: &Path, url: &str, statuses: &[&str]) -> PathBuf {
    let path = folder.join("webhook.json");
    let content = json!({
        "targetURL": url,
        "timeoutMsec": 500,
        "headers": { "X-Token": "secret" },
        "statuses": statuses,
    });
    std::fs::write(&path, content.to_string()).unwrap();
    path
}

async fn with_webhook(
    url: &str,
    statuses: &[&str],
    stop: &CancellationToken,
) -> (tempfile::TempDir, aurora_scheduler_server::Handle) {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), url, statuses);
    let config =
        config_with(&folder.path().join("log"), &["--webhook-config", path.to_str().unwrap()]);
    let scheduler = start(config, stop.clone()).await.unwrap();
    (folder, scheduler)
}

#[tokio::test]
async fn tasks_that_go_to_the_states_asked_for_are_told_whole() {
    let (url, mut received) = server(&[], &[]).await;
    let stop = CancellationToken::new();
    let (_folder, scheduler) = with_webhook(&url, &["PENDING"], &stop).await;
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    jobs.create_job(create("one", "a")).await.unwrap();
    let kill = v1::KillTasksRequest { job: job("a").key, ..Default::default() };
    jobs.kill_tasks(kill).await.unwrap();
    let mut instances = Vec::new();
    for _ in 0..2 {
        let (headers, body) = soon("a webhook", received.recv()).await.unwrap();
        assert_eq!(headers["x-token"], "secret");
        assert_eq!(headers["content-type"], "application/json");
        let sent: i64 = headers["timestamp"].to_str().unwrap().parse().unwrap();
        assert!(sent > 1_500_000_000_000, "{sent}");
        assert_eq!(body["oldState"], "INIT");
        let task = &body["task"];
        assert_eq!(task["status"], "PENDING");
        assert_eq!(task["taskEvents"][0]["status"], "PENDING");
        assert_eq!(task["assignedTask"]["task"]["job"]["name"], "a");
        assert_eq!(task["assignedTask"]["task"]["resources"][1], json!({ "ramMb": 16 }));
        instances.push(task["assignedTask"]["instanceId"].as_u64().unwrap());
    }
    instances.sort_unstable();
    assert_eq!(instances, [0, 1]);
    // The kills are not told: the next thing is the next job.
    jobs.create_job(create("two", "b")).await.unwrap();
    let (_, body) = soon("a webhook", received.recv()).await.unwrap();
    assert_eq!(body["task"]["assignedTask"]["task"]["job"]["name"], "b");
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_unless_it_is_refused_for_good() {
    // One that fails, one that is too busy, one that takes too long; then it is taken.
    let answers = [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::TOO_MANY_REQUESTS];
    let slow = [Duration::ZERO, Duration::ZERO, Duration::from_secs(5)];
    let (url, mut received) = server(&answers, &slow).await;
    let stop = CancellationToken::new();
    let (_folder, scheduler) = with_webhook(&url, &["PENDING"], &stop).await;
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let mut one = create("one", "a");
    one.job.as_mut().unwrap().instance_count = 1;
    jobs.create_job(one).await.unwrap();
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(soon("a webhook", received.recv()).await.unwrap().1);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    stop.cancel();
    scheduler.wait().await.unwrap();

    let (url, mut received) = server(&[StatusCode::BAD_REQUEST], &[]).await;
    let stop = CancellationToken::new();
    let (_folder, scheduler) = with_webhook(&url, &["PENDING"], &stop).await;
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    for (id, name) in [("one", "a"), ("two", "b")] {
        let mut request = create(id, name);
        request.job.as_mut().unwrap().instance_count = 1;
        jobs.create_job(request).await.unwrap();
        let (_, body) = soon("a webhook", received.recv()).await.unwrap();
        assert_eq!(body["task"]["assignedTask"]["task"]["job"]["name"], name);
    }
    let (_, _, vars) = ask(&scheduler, "GET", "/vars", "").await;
    for name in ["webhooks_attempts", "webhooks_success", "webhooks_errors", "webhooks_user_errors"]
    {
        let line = vars.lines().find(|line| line.starts_with(name)).unwrap();
        let value: f64 = line.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(value >= 1.0, "{line}");
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_keeps_nobody_waiting() {
    let stop = CancellationToken::new();
    let (_folder, scheduler) = with_webhook("http://127.0.0.1:1/", &["*"], &stop).await;
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    for number in 0..5 {
        let request = create(&number.to_string(), &format!("job{number}"));
        soon("an answer", jobs.create_job(request)).await.unwrap();
    }
    stop.cancel();
    soon("the end", scheduler.wait()).await.unwrap();
}
