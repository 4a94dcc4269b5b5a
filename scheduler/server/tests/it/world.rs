//! A scheduler to talk to.

use std::path::Path;
use std::time::Duration;

use aurora_api::v1;
use aurora_scheduler_server::{Config, Flags, Handle};
use clap::{Args, Command, FromArgMatches};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::transport::Channel;

pub(crate) fn config(folder: &Path) -> Config {
    config_with(folder, &[])
}

pub(crate) fn config_with(folder: &Path, more: &[&str]) -> Config {
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
    let command =
        Flags::augment_args(Command::new("test").no_binary_name(true).args_override_self(true));
    let matches = command.try_get_matches_from(words.iter().chain(more)).unwrap();
    Config::try_from(Flags::from_arg_matches(&matches).unwrap()).unwrap()
}

pub(crate) async fn channel(scheduler: &Handle) -> Channel {
    Channel::from_shared(format!("http://{}", scheduler.addr())).unwrap().connect().await.unwrap()
}

pub(crate) fn job(name: &str) -> v1::JobConfiguration {
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

pub(crate) fn create(id: &str, name: &str) -> v1::CreateJobRequest {
    v1::CreateJobRequest { request_id: Some(id.into()), job: Some(job(name)) }
}

/// The status, the head and the body of an answer.
pub(crate) async fn ask(
    scheduler: &Handle,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, String, String) {
    ask_with(scheduler, method, path, "", body).await
}

/// The same with headers, each of which ends its line.
async fn ask_with(
    scheduler: &Handle,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> (u16, String, String) {
    let mut stream = tokio::net::TcpStream::connect(scheduler.addr()).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    (status, head.to_owned(), if is_chunked { joined(body) } else { body.to_owned() })
}

/// The chunks of a body together. One that breaks off has no last chunk.
fn joined(body: &str) -> String {
    let mut whole = String::new();
    let mut rest = body;
    loop {
        let (size, after) = rest.split_once("\r\n").expect("the body breaks off");
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return whole;
        }
        let (chunk, after) = after.split_at(size);
        whole.push_str(chunk);
        rest = after.strip_prefix("\r\n").unwrap();
    }
}

/// Waits for something, but not for ever.
pub(crate) async fn soon<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .unwrap_or_else(|_| panic!("{what} did not come"))
}

/// The JSON of a page.
pub(crate) async fn page(scheduler: &Handle, path: &str) -> serde_json::Value {
    let (status, _, body) = ask(scheduler, "GET", path, "").await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

/// The JSON that is at a path for who wants no page, and its status.
pub(crate) async fn json_at(scheduler: &Handle, path: &str) -> (u16, serde_json::Value) {
    let (status, _, body) =
        ask_with(scheduler, "GET", path, "accept: application/json\r\n", "").await;
    let found = serde_json::from_str(&body);
    (status, found.unwrap_or_else(|error| panic!("{path}: {error}: {body}")))
}
