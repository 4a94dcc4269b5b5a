//! What an executor says when all does not go its way.

use std::time::Duration;

use aurora_mesos::v1::TaskState;
use serde_json::json;
use tokio::process::Command;

use crate::agent::{Agent, data, data_of, handed_over, program, skip};

async fn only_word(data: Vec<u8>) -> String {
    let mut agent = Agent::start(&[], &[]).await;
    agent.launch("a", data).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    assert!(agent.end().await.success());
    message
}

#[tokio::test]
async fn s54_what_is_no_job_fails_and_what_is_no_task_does_not_even_start() {
    let begins = "Could not deserialize Thermos task from AssignedTask: ";
    let message = only_word(handed_over("a", "{".to_owned(), &[])).await;
    let expected = format!("{begins}Could not deserialize thermos config: ");
    assert!(message.starts_with(&expected), "{message}");
    let message = only_word(handed_over("a", String::new(), &[])).await;
    assert_eq!(message, format!("{begins}Task did not have a thermos config!"));
    let mut agent = Agent::start(&[], &[]).await;
    agent.launch("a", b"junk".to_vec()).await;
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    assert_eq!(message, "Could not deserialize task.");
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s57_one_kill_is_one_end_and_others_are_nothing() {
    let mut agent = Agent::start(&[], &[]).await;
    agent.kill("a", Duration::ZERO).await;
    agent.launch("a", data("a", "sleep 1000")).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    assert_eq!(agent.update().await.1, TaskState::TaskRunning);
    agent.kill("b", Duration::ZERO).await;
    agent.kill("a", Duration::from_secs(20)).await;
    agent.kill("a", Duration::from_secs(20)).await;
    let (_, state, message) = agent.update().await;
    assert_eq!((state, message.as_str()), (TaskState::TaskKilled, "Instructed to kill task."));
    // Nothing comes after it: the executor ends when it is acknowledged.
    assert!(agent.end().await.success());
    assert!(agent.no_update_is_left());
}

#[tokio::test]
async fn s59_told_to_shut_down_it_kills_its_task() {
    let mut agent = Agent::start(&[], &[]).await;
    agent.launch("a", data("a", "sleep 1000")).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    assert_eq!(agent.update().await.1, TaskState::TaskRunning);
    agent.shutdown().await;
    let (_, state, message) = agent.update().await;
    assert_eq!((state, message.as_str()), (TaskState::TaskKilled, "Told to shut down executor."));
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s60_a_sandbox_that_cannot_be_made_fails_the_task() {
    let mut agent = Agent::start(&[], &[]).await;
    std::fs::write(agent.container.join("sandbox"), "in the way").unwrap();
    agent.launch("a", data("a", "true")).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    let begins = "Failed to initialize sandbox: Failed to create the sandbox";
    assert!(message.starts_with(begins), "{message}");
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s61_a_checkpoint_that_cannot_be_begun_fails_the_task() {
    let begins = "Task initialization failed: ";
    // Its folder cannot be made.
    let mut agent = Agent::start(&[], &[]).await;
    std::fs::write(agent.folder.path().join("root"), "in the way").unwrap();
    agent.launch("a", data("a", "true")).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    assert!(message.starts_with(begins) && message.contains("root"), "{message}");
    assert!(agent.end().await.success());
    // What is there is damaged.
    let mut agent = Agent::start(&[], &[]).await;
    let checkpoint = aurora_thermos::checkpoint::path(&agent.folder.path().join("root"), "a");
    std::fs::create_dir_all(checkpoint.parent().unwrap()).unwrap();
    std::fs::write(&checkpoint, [0xff; 100]).unwrap();
    agent.launch("a", data("a", "true")).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    assert!(message.starts_with(begins) && message.contains("checkpoint"), "{message}");
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s77_a_user_who_is_not_there_fails_the_task_unless_another_may_stand_in() {
    if !aurora_thermos::process::user::Credentials::may_switch() {
        return skip("it is root who becomes another user");
    }
    let any_user = || (Command::new(program()), tempfile::tempdir().unwrap());
    let (executor, folder) = any_user();
    let flags = ["--execute-as-user", "nobody-of-this-name"];
    let mut agent = Agent::start_by(executor, folder, &flags, &[]).await;
    agent.launch("a", data("a", "true")).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    let begins =
        "Failed to initialize sandbox: Could not create sandbox because user does not exist: ";
    assert!(message.starts_with(begins), "{message}");
    assert!(agent.end().await.success());
    let (executor, folder) = any_user();
    let flags = [&flags[..], &["--fallback-to-current-user"]].concat();
    let mut agent = Agent::start_by(executor, folder, &flags, &[]).await;
    agent.launch("a", data("a", "true")).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskRunning);
    let remark = "running as user root: there is no user nobody-of-this-name here";
    assert_eq!(message, remark);
}

#[tokio::test]
async fn s76_what_stands_for_nothing_and_what_leads_around_fail_the_task() {
    let message = only_word(data("a", "{{a[{{mesos.instance}}]}}")).await;
    let begins = "Could not deserialize Thermos task from AssignedTask: ";
    assert!(message.starts_with(&format!("{begins}Got invalid task: ")), "{message}");
    let message = only_word(data("a", "{{thermos.ports[admin]}}")).await;
    let expected = format!("{begins}Got invalid task: Unexpected unbound refs: ");
    assert!(message.starts_with(&expected), "{message}");
    let around = json!({ "announce": { "portmap": { "a": "b", "b": "a" } } });
    let message = only_word(data_of("a", "true", around, &[])).await;
    assert_eq!(message, format!("{begins}Found cycle in portmap!"));
    let command = json!({ "health_check_config": { "health_checker": {
        "shell": { "shell_command": "{{thermos.ports[none]}}" },
    }}});
    let message = only_word(data_of("a", "true", command, &[])).await;
    assert!(message.contains("{{thermos.ports[none]}}"), "{message}");
}
