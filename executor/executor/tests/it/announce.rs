//! Tasks that are announced in a real ZooKeeper.

use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use aurora_mesos::v1::TaskState;
use aurora_zookeeper::testing::{Server, free_port};
use aurora_zookeeper::{Endpoint, Ensemble, Freshness, Member, NodePath, ServerSet, Status, View};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::agent::{Agent, data_of, heard, open, quoted, within};

const PORTS: [(&str, u16); 2] = [("http", 31_000), ("admin", 31_001)];

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start().unwrap())
}

/// An executor that announces below this root.
async fn agent(connect: &str, root: &str, more: &[&str]) -> Agent {
    let flags = ["--announcer-ensemble", connect, "--announcer-serverset-path", root];
    Agent::start(&[&flags, more].concat(), &[]).await
}

fn announced(more: &Value) -> Value {
    let mut announcer = json!({ "primary_port": "http", "portmap": { "aurora": "http" } });
    announcer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "announce": announcer })
}

fn set(path: &str) -> ServerSet {
    Ensemble::new(&server().connect_string()).unwrap().server_set(NodePath::new(path).unwrap())
}

async fn wait(view: &mut watch::Receiver<View>, is: impl FnMut(&View) -> bool) -> View {
    within(view.wait_for(is)).await.unwrap().clone()
}

/// How many members there are now.
async fn count(set: &ServerSet) -> usize {
    let membership = set.watch();
    wait(&mut membership.view(), |view| view.freshness == Freshness::Current).await.members.len()
}

#[tokio::test]
async fn s75_a_task_is_announced_until_just_before_its_processes_are_told_to_end() {
    let set = set("/told/www/prod/n");
    let membership = set.watch();
    let mut view = membership.view();
    let mut agent =
        agent(&server().connect_string(), "/told", &["--announcer-hostname", "h.example"]).await;
    let (told, go) = (agent.pipe("told"), agent.pipe("go"));
    let task = format!(
        "trap 'echo told > {}; read x < {}; exit' TERM; while :; do sleep 0.05; done",
        quoted(&told),
        quoted(&go)
    );
    agent.launch("a", data_of("a", &task, announced(&json!({})), &PORTS)).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    assert_eq!(agent.update().await.1, TaskState::TaskRunning);
    let seen = wait(&mut view, |view| view.members.len() == 1).await;
    let on = |port| Endpoint::new("h.example", port);
    let member = Member {
        status: Status::Alive,
        additional_endpoints: [("http", 31_000), ("admin", 31_001), ("aurora", 31_000)]
            .map(|(name, port)| (name.to_owned(), on(port)))
            .into(),
        service_endpoint: on(31_000),
        shard: Some(0),
    };
    assert_eq!(seen.members.get("member_0000000000"), Some(&member));
    agent.kill("a", Duration::from_secs(60)).await;
    heard(told).await;
    assert_eq!(count(&set).await, 0);
    open(go).await;
    assert_eq!(agent.update().await.1, TaskState::TaskKilled);
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s75_a_task_is_announced_when_it_is_healthy() {
    let set = set("/healthy/www/prod/n");
    let mut agent = agent(&server().connect_string(), "/healthy", &[]).await;
    let (asked, go) = (agent.pipe("asked"), agent.pipe("go"));
    let check = format!("echo asked > {}; read x < {}", quoted(&asked), quoted(&go));
    let mut more = announced(&json!({}));
    more["health_check_config"] = json!({
        "health_checker": { "shell": { "shell_command": check } },
        "initial_interval_secs": 20.0, "interval_secs": 20.0, "timeout_secs": 20.0,
    });
    agent.launch("a", data_of("a", "sleep 1000", more, &PORTS)).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    heard(asked).await;
    assert_eq!(count(&set).await, 0);
    open(go).await;
    assert_eq!(agent.update().await.1, TaskState::TaskRunning);
    let membership = set.watch();
    wait(&mut membership.view(), |view| view.members.len() == 1).await;
    agent.kill("a", Duration::from_secs(1)).await;
    assert_eq!(agent.update().await.1, TaskState::TaskKilled);
    assert_eq!(count(&set).await, 0);
}

#[tokio::test]
async fn s75_a_task_fails_and_says_so_if_zookeeper_is_not_there() {
    let connect = format!("127.0.0.1:{}", free_port().unwrap());
    let mut agent = agent(&connect, "/aurora", &[]).await;
    let mut more = announced(&json!({}));
    more["health_check_config"] = json!({ "initial_interval_secs": 0.0 });
    agent.launch("a", data_of("a", "sleep 1000", more, &PORTS)).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    assert_eq!(agent.update().await.1, TaskState::TaskRunning);
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    let why = format!("{connect}: Connection refused (os error 111)");
    assert_eq!(message, format!("Creating Announcer Serverset timed out. {why}"));
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s75_a_task_that_is_killed_before_the_connection_ends_as_any_other() {
    let connect = format!("127.0.0.1:{}", free_port().unwrap());
    let mut agent = agent(&connect, "/aurora", &[]).await;
    agent.launch("a", data_of("a", "sleep 1000", announced(&json!({})), &PORTS)).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    assert_eq!(agent.update().await.1, TaskState::TaskRunning);
    agent.kill("a", Duration::from_secs(10)).await;
    let (_, state, message) = agent.update().await;
    assert_eq!((state, message.as_str()), (TaskState::TaskKilled, "Instructed to kill task."));
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s75_a_path_of_the_job_needs_permission() {
    let custom = announced(&json!({ "zk_path": "/custom//instance-{{mesos.instance}}" }));
    let connect = server().connect_string();
    let mut refused = agent(&connect, "/aurora", &[]).await;
    refused.launch("a", data_of("a", "sleep 1000", custom.clone(), &PORTS)).await;
    assert_eq!(refused.update().await.1, TaskState::TaskStarting);
    let (_, state, message) = refused.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    assert!(message.contains("--announcer-allow-custom-serverset-path"), "{message}");
    let mut taken = agent(&connect, "/aurora", &["--announcer-allow-custom-serverset-path"]).await;
    taken.launch("a", data_of("a", "sleep 1000", custom, &PORTS)).await;
    let membership = set("/custom/instance-0").watch();
    wait(&mut membership.view(), |view| view.members.len() == 1).await;
    taken.kill("a", Duration::from_secs(1)).await;
    wait(&mut membership.view(), |view| view.members.is_empty()).await;
}

#[tokio::test]
async fn s75_the_node_of_an_executor_that_dies_goes_with_its_session() {
    let membership = set("/dies/www/prod/n").watch();
    let mut view = membership.view();
    let mut agent = agent(&server().connect_string(), "/dies", &[]).await;
    agent.launch("a", data_of("a", "sleep 1000", announced(&json!({})), &PORTS)).await;
    wait(&mut view, |view| view.members.len() == 1).await;
    agent.executor.start_kill().unwrap();
    agent.end().await;
    wait(&mut view, |view| view.members.is_empty()).await;
}

#[tokio::test]
async fn s75_an_executor_with_a_wrong_auth_file_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.json");
    std::fs::write(&file, r#"{"auth":[{"scheme":"digest","credential":["hush"]}]}"#).unwrap();
    let ended = tokio::process::Command::new(env!("CARGO_BIN_EXE_aurora-executor"))
        .arg("--announcer-zookeeper-auth-config")
        .arg(&file)
        .stdin(Stdio::null())
        .output();
    let ended = within(ended).await.unwrap();
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("auth.json") && !said.contains("hush"), "{said}");
}
