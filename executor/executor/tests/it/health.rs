//! Tasks whose health is checked.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use aurora_mesos::v1::TaskState;
use aurora_thermos::process::tree::{identify, is_alive};
use aurora_thermos::process::user::Credentials;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::agent::{Agent, Site, data_of, heard, open, program, quoted, skip, within};

const WELL: &str = "Task is healthy.";

/// Checks ten times a second; two failures are forgiven in the beginning.
fn checked(checker: Value) -> Value {
    json!({ "health_check_config": {
        "health_checker": checker, "initial_interval_secs": 0.15, "interval_secs": 0.1,
        "timeout_secs": 20.0,
    }})
}

fn by_command(command: &str) -> Value {
    checked(json!({ "shell": { "shell_command": command } }))
}

#[tokio::test]
async fn s64_what_never_answers_well_fails_without_having_run() {
    let site = Site::start("200 OK", "not ok").await;
    let mut agent = Agent::start(&[], &[]).await;
    let more = checked(json!({ "http": {} }));
    agent.launch("a", data_of("a", "sleep 1000", more, &[("health", site.port)])).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    let why = "Failed health check! Response differs from expected response (expected \"ok\", got \
               \"not ok\")";
    assert_eq!(message, why);
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s64_what_answers_well_runs_when_it_has_and_ends_when_it_does() {
    let mut site = Site::start("200 OK", "OK\n").await;
    let mut agent = Agent::start(&[], &[]).await;
    let go = agent.pipe("go");
    let more = checked(json!({ "http": { "endpoint": "/is/{{mesos.instance}}/well" } }));
    let ports = [("health", site.port)];
    agent.launch("a", data_of("a", &format!("read < {}", quoted(&go)), more, &ports)).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    let (_, state, message) = agent.update().await;
    assert_eq!((state, message.as_str()), (TaskState::TaskRunning, WELL));
    assert_eq!(within(site.asked.recv()).await.unwrap(), "GET /is/0/well HTTP/1.1");
    open(go).await;
    let (_, state, message) = agent.update().await;
    assert_eq!((state, message.as_str()), (TaskState::TaskFinished, "Task finished."));
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s70_while_it_snoozes_nothing_is_checked_and_all_counts_as_well() {
    let mut agent = Agent::start(&[], &[]).await;
    let (go, ready) = (agent.pipe("go"), agent.pipe("ready"));
    let (go_quoted, ready_quoted) = (quoted(&go), quoted(&ready));
    // A check that begins before it snoozes ends when it does.
    let task = format!(
        "touch .healthchecksnooze snoozed; echo > {ready_quoted}; read < {go_quoted}; \
         rm .healthchecksnooze; sleep 1000"
    );
    let more = by_command("until test -e snoozed; do sleep 0.01; done; exit 1");
    agent.launch("a", data_of("a", &task, more, &[])).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    heard(ready).await;
    let (_, state, message) = agent.update().await;
    assert_eq!((state, message.as_str()), (TaskState::TaskRunning, WELL));
    open(go).await;
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    assert!(message.contains("returned non-zero exit status 1"), "{message}");
}

#[tokio::test]
async fn s71_a_command_that_fails_is_told_with_what_it_printed() {
    for (command, tells) in [
        (
            "echo out; echo err >&2; exit 3",
            "Command 'echo out; echo err >&2; exit 3' returned non-zero exit status 3 with output \
             'out\nerr\n'",
        ),
        ("kill -9 $$", "Command 'kill -9 $$' returned non-zero exit status -9 with output ''"),
    ] {
        let mut agent = Agent::start(&[], &[]).await;
        agent.launch("a", data_of("a", "sleep 1000", by_command(command), &[])).await;
        assert_eq!(agent.update().await.1, TaskState::TaskStarting);
        let (_, state, message) = agent.update().await;
        assert_eq!(state, TaskState::TaskFailed);
        assert_eq!(message, format!("Failed health check! {tells}"));
        assert!(agent.end().await.success());
    }
}

#[tokio::test]
async fn s71_a_command_that_is_late_ends_with_all_it_has_started() {
    let mut agent = Agent::start(&[], &[]).await;
    let pids = agent.pipe("pids");
    let command = format!("sleep 1000 & echo $$ $! > {}; wait", quoted(&pids));
    let mut more = by_command(&command);
    more["health_check_config"]["timeout_secs"] = json!(0.5);
    more["health_check_config"]["initial_interval_secs"] = json!(0);
    agent.launch("a", data_of("a", "sleep 1000", more, &[])).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    let pids = heard(pids).await;
    let pids: Vec<i32> = pids.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    let processes: Vec<_> = pids.iter().filter_map(|pid| identify(*pid).ok()).collect();
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    assert_eq!(message, "Failed health check! Health check timed out.");
    assert!(agent.end().await.success());
    assert!(!processes.into_iter().any(is_alive));
}

#[tokio::test]
async fn s71_a_command_runs_in_the_sandbox_and_knows_what_processes_know() {
    let mut agent = Agent::start(&[], &[]).await;
    let told = agent.pipe("told");
    let command = format!(
        "test -e told || {{ touch told; echo {{{{thermos.ports[http]}}}} {{{{mesos.instance}}}} \
         {{{{thermos.task_id}}}} \"$(basename \"$HOME\")\" \"$(test . -ef \"$HOME\" && echo home)\" \
         > {}; }}",
        quoted(&told)
    );
    let more = by_command(&command);
    agent.launch("a", data_of("a", "sleep 1000", more, &[("http", 31_007)])).await;
    assert_eq!(heard(told).await, "31007 0 a sandbox home\n");
    for state in [TaskState::TaskStarting, TaskState::TaskRunning] {
        assert_eq!(agent.update().await.1, state);
    }
    agent.kill("a", Duration::from_secs(20)).await;
    assert_eq!(agent.update().await.1, TaskState::TaskKilled);
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s71_a_command_runs_as_the_user_of_the_task_unless_the_flag_says_otherwise() {
    if !Credentials::may_switch() {
        return skip("it is root who becomes another user");
    }
    for (more, who) in [(&[][..], "nobody nogroup\n"), (&["--nosetuid-health-checks"], "root ")] {
        let folder = tempfile::tempdir().unwrap();
        let executor = Command::new(program());
        let flags = [&["--execute-as-user", "nobody"], more].concat();
        let mut agent = Agent::start_by(executor, folder, &flags, &[]).await;
        let (told, process) = (agent.pipe("told"), agent.pipe("process"));
        for path in [agent.folder.path(), &told, &process] {
            std::fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
        }
        let says = "echo $(id -un) $(id -Gn) >";
        // Only the first says it: nobody listens any more then.
        let check = format!("mkdir asked || exit 0; {says} {}", quoted(&told));
        let task = format!("{says} {}; sleep 1000", quoted(&process));
        agent.launch("a", data_of("a", &task, by_command(&check), &[])).await;
        assert_eq!(heard(process).await, "nobody nogroup\n");
        let checked = heard(told).await;
        assert!(checked.starts_with(who), "{checked}");
    }
}

#[tokio::test]
async fn s74_a_task_is_asked_to_end_before_it_is_made_to() {
    let mut site = Site::start("404 Not Found", "").await;
    let mut agent = Agent::start(&[], &[]).await;
    let more = json!({
        "health_check_config": { "health_checker": { "shell": { "shell_command": "true" } } },
        "lifecycle": { "http": {
            "port": "admin", "graceful_shutdown_endpoint": "/bye", "shutdown_endpoint": "/now",
            "graceful_shutdown_wait_secs": 0, "shutdown_wait_secs": 0,
        }},
    });
    agent.launch("a", data_of("a", "sleep 1000", more, &[("admin", site.port)])).await;
    for state in [TaskState::TaskStarting, TaskState::TaskRunning] {
        assert_eq!(agent.update().await.1, state);
    }
    agent.kill("a", Duration::from_secs(20)).await;
    let (_, state, message) = agent.update().await;
    assert_eq!((state, message.as_str()), (TaskState::TaskKilled, "Instructed to kill task."));
    for request in ["POST /bye HTTP/1.1", "POST /now HTTP/1.1"] {
        assert_eq!(within(site.asked.recv()).await.unwrap(), request);
    }
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s74_one_that_ends_when_it_is_asked_is_not_asked_again() {
    let mut site = Site::start("200 OK", "").await;
    let mut agent = Agent::start(&[], &[]).await;
    let go = agent.pipe("go");
    let more = json!({
        "health_check_config": { "health_checker": { "shell": { "shell_command": "true" } } },
        "lifecycle": { "http": { "graceful_shutdown_wait_secs": 1000 } },
    });
    let task = format!("read < {}", quoted(&go));
    agent.launch("a", data_of("a", &task, more, &[("health", site.port)])).await;
    for state in [TaskState::TaskStarting, TaskState::TaskRunning] {
        assert_eq!(agent.update().await.1, state);
    }
    agent.kill("a", Duration::from_secs(1000)).await;
    assert_eq!(within(site.asked.recv()).await.unwrap(), "POST /quitquitquit HTTP/1.1");
    open(go).await;
    let (_, state, message) = agent.update().await;
    assert_eq!((state, message.as_str()), (TaskState::TaskKilled, "Instructed to kill task."));
    assert!(site.asked.try_recv().is_err());
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn a_port_that_takes_connections_is_well_and_one_that_is_not_there_keeps_a_task_from_starting()
 {
    let site = Site::start("200 OK", "").await;
    let mut agent = Agent::start(&[], &[]).await;
    let more = checked(json!({ "tcp": { "port": "db" } }));
    agent.launch("a", data_of("a", "sleep 1000", more.clone(), &[("db", site.port)])).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    let (_, state, message) = agent.update().await;
    assert_eq!((state, message.as_str()), (TaskState::TaskRunning, WELL));
    agent.kill("a", Duration::from_secs(20)).await;
    assert_eq!(agent.update().await.1, TaskState::TaskKilled);
    assert!(agent.end().await.success());
    let mut agent = Agent::start(&[], &[]).await;
    agent.launch("a", data_of("a", "sleep 1000", more, &[])).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    assert!(message.ends_with("asks the port \"db\", which it does not have"), "{message}");
}

#[tokio::test]
async fn s73_what_writes_more_than_it_may_fails() {
    let mut agent = Agent::start(&[], &[]).await;
    let path = agent.container.join("sandbox");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("big"), vec![1; 3 << 20]).unwrap();
    let resources = json!({ "cpu": 1.0, "ram": 1 << 20, "disk": 1 << 20 });
    let process = json!({ "name": "p", "cmdline": "sleep 1000" });
    let more = json!({ "task": { "name": "t", "processes": [process], "resources": resources } });
    agent.launch("a", data_of("a", "", more, &[])).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    let (_, mut state, mut message) = agent.update().await;
    if state == TaskState::TaskRunning {
        (_, state, message) = agent.update().await;
    }
    assert_eq!(state, TaskState::TaskFailed);
    let begins = "Disk limit exceeded.  Reserved 1048576 bytes vs used 3";
    assert!(message.starts_with(begins), "{message}");
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn a_task_that_fails_is_told_with_what_it_wrote_last() {
    let mut agent = Agent::start(&[], &[]).await;
    let task = "printf 'one\\ntwo\\n\\nthree\\n\\033[1mfour\\n' >&2; exit 3";
    agent.launch("a", data_of("a", task, json!({}), &[])).await;
    for state in [TaskState::TaskStarting, TaskState::TaskRunning] {
        assert_eq!(agent.update().await.1, state);
    }
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    let told = "process \"p\" failed with exit code 3; its stderr ends: two | three | \
                \\u{1b}[1mfour";
    assert_eq!(message, told);
    // What the job has put in the place of the file is not read.
    let mut agent = Agent::start(&[], &[]).await;
    let task = "ln -sf /etc/hostname .logs/p/0/stderr; exit 3";
    agent.launch("a", data_of("a", task, json!({}), &[])).await;
    while agent.update().await.1 != TaskState::TaskRunning {}
    let (_, _, message) = agent.update().await;
    assert_eq!(message, "process \"p\" failed with exit code 3");
}

#[tokio::test]
async fn what_is_not_well_at_once_runs_as_soon_as_it_is() {
    let mut agent = Agent::start(&[], &[]).await;
    let (asked, go) = (agent.pipe("asked"), agent.pipe("go"));
    let task = format!("read < {}; touch well; sleep 1000", quoted(&go));
    let check = format!(
        "test -e well || {{ test -e asked || {{ touch asked; echo > {}; }}; exit 1; }}",
        quoted(&asked)
    );
    let mut more = by_command(&check);
    more["health_check_config"]["interval_secs"] = json!(1000);
    more["health_check_config"]["initial_interval_secs"] = json!(1000);
    agent.launch("a", data_of("a", &task, more, &[])).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    heard(asked).await;
    open(go).await;
    let (_, state, message) = agent.update().await;
    assert_eq!((state, message.as_str()), (TaskState::TaskRunning, WELL));
}
