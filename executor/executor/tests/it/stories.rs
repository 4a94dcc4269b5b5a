//! What an executor does.

use std::fs::File;
use std::time::Duration;

use aurora_mesos::v1::TaskState;
use aurora_thermos::process::tree::{identify, is_alive};
use rustix::process::{Pid, Signal, kill_process};

use crate::agent::{Agent, data, end, heard, open, quoted, within};

fn told(id: &str, state: TaskState, message: &str) -> (String, TaskState, String) {
    (id.to_owned(), state, message.to_owned())
}

const HEALTHY: &str = "No health-check defined, task is assumed healthy.";

#[tokio::test]
async fn s52_s55_a_task_runs_a_second_is_refused_and_the_executor_ends_when_all_is_said() {
    let mut agent = Agent::start(&[], &[]).await;
    let go = agent.pipe("go");
    agent.launch("a", data("a", &format!("read < {}", quoted(&go)))).await;
    agent.launch("early", data("early", "true")).await;
    let refusal = "Task already running on this executor: a";
    assert_eq!(agent.update().await, told("a", TaskState::TaskStarting, ""));
    assert_eq!(agent.update().await, told("early", TaskState::TaskLost, refusal));
    assert_eq!(agent.update().await, told("a", TaskState::TaskRunning, HEALTHY));
    agent.launch("b", data("b", "true")).await;
    assert_eq!(agent.update().await, told("b", TaskState::TaskLost, refusal));
    open(go).await;
    assert_eq!(agent.update().await, told("a", TaskState::TaskFinished, "Task finished."));
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn updates_that_are_refused_are_sent_again_in_their_order() {
    let mut agent = Agent::start(&[], &["503 Service Unavailable"; 3]).await;
    agent.launch("a", data("a", "true")).await;
    for state in [TaskState::TaskStarting, TaskState::TaskRunning, TaskState::TaskFinished] {
        assert_eq!(agent.update().await.1, state);
    }
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn an_update_that_is_not_understood_does_not_hold_up_those_after_it() {
    let mut agent = Agent::start(&[], &["400 Bad Request"]).await;
    agent.launch("a", data("a", "true")).await;
    for state in [TaskState::TaskRunning, TaskState::TaskFinished] {
        assert_eq!(agent.update().await.1, state);
    }
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn what_cannot_be_read_never_starts() {
    let mut agent = Agent::start(&[], &[]).await;
    agent.launch("a", b"junk".to_vec()).await;
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed);
    assert!(message.contains("Could not deserialize"), "{message}");
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s57a_what_does_not_listen_has_its_time_once_and_no_kill_policy_lengthens_it() {
    let mut agent = Agent::start(&["--stop-timeout-in-secs", "0"], &[]).await;
    let ready = agent.pipe("ready");
    let deaf = format!("trap '' TERM; echo > {}; while :; do sleep 1000; done", quoted(&ready));
    agent.launch("a", data("a", &deaf)).await;
    agent.update().await;
    agent.update().await;
    heard(ready).await;
    agent.kill("a", Duration::from_secs(3600)).await;
    let killed = told("a", TaskState::TaskKilled, "Instructed to kill task.");
    assert_eq!(agent.update().await, killed);
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s59_a_signal_shuts_it_down() {
    let mut agent = Agent::start(&[], &[]).await;
    agent.launch("a", data("a", "sleep 1000")).await;
    agent.update().await;
    agent.update().await;
    let pid = i32::try_from(agent.executor.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    let killed = told("a", TaskState::TaskKilled, "Told to shut down executor.");
    assert_eq!(agent.update().await, killed);
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn s56_the_shells_of_a_task_die_with_its_executor() {
    let mut agent = Agent::start(&[], &[]).await;
    let (held, never) = (agent.pipe("held"), agent.pipe("never"));
    // The pipe is at its end when nothing has it open for writing any more.
    let task = format!("exec 3> {}; echo up >&3; read < {}", quoted(&held), quoted(&never));
    agent.launch("a", data("a", &task)).await;
    let (up, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let listening = tokio::task::spawn_blocking(move || {
        for line in std::io::BufRead::lines(std::io::BufReader::new(File::open(held).unwrap())) {
            up.send(line.unwrap()).unwrap();
        }
    });
    assert_eq!(within(lines.recv()).await.as_deref(), Some("up"));
    agent.executor.start_kill().unwrap();
    within(listening).await.unwrap();
    assert!(!agent.end().await.success());
}

#[tokio::test]
async fn without_its_agent_it_ends_and_leaves_nothing_behind() {
    let mut agent = Agent::start(&[], &[]).await;
    let ready = agent.pipe("ready");
    let deaf = format!(
        "trap '' TERM; setsid sleep 1000 & echo $$ $! > {}; while :; do sleep 1000; done",
        quoted(&ready)
    );
    agent.launch("a", data("a", &deaf)).await;
    agent.update().await;
    agent.update().await;
    let pids = heard(ready).await;
    let processes: Vec<_> =
        pids.split_whitespace().map(|pid| identify(pid.parse().unwrap()).unwrap()).collect();
    assert_eq!(processes.len(), 2);
    let (mut executor, _folder) = within(agent.vanish()).await;
    assert!(end(&mut executor).await.success());
    assert!(!processes.into_iter().any(is_alive));
}

#[tokio::test]
async fn the_checkpoint_of_a_collected_sandbox_is_removed() {
    let mut agent = Agent::start(&[], &[]).await;
    agent.launch("a", data("a", "true")).await;
    while agent.update().await.1 != TaskState::TaskFinished {}
    assert!(agent.end().await.success());
    assert!(agent.folder.path().join("root/tasks/a").exists(), "its sandbox is still there");
    std::fs::remove_dir_all(agent.container).unwrap();
    let mut agent = Agent::start_in(agent.folder, &[], &[]).await;
    agent.launch("b", data("b", "true")).await;
    while agent.update().await.1 != TaskState::TaskFinished {}
    assert!(agent.end().await.success());
    assert!(!agent.folder.path().join("root/tasks/a").exists());
    assert!(agent.folder.path().join("root/tasks/b").exists());
}

#[tokio::test]
async fn s49_flags_say_how_output_is_kept_of_what_does_not_say_so_itself() {
    let flags = ["--runner-logger-mode=rotate", "--runner-rotate-log-size-mb=1"];
    let mut agent =
        Agent::start(&[&flags[..], &["--runner-rotate-log-backups=1"]].concat(), &[]).await;
    agent.launch("a", data("a", "head -c 2000000 /dev/zero")).await;
    while agent.update().await.1 != TaskState::TaskFinished {}
    assert!(agent.end().await.success());
    let logs = agent.container.join("sandbox/.logs/p/0");
    let length = |name: &str| std::fs::metadata(logs.join(name)).unwrap().len();
    assert_eq!((length("stdout.1"), length("stdout")), (1 << 20, 2_000_000 - (1 << 20)));
}

#[tokio::test]
async fn s49a_a_word_that_says_nothing_about_output_ends_the_start() {
    let mut start = tokio::process::Command::new(env!("CARGO_BIN_EXE_aurora-executor"));
    let ended = within(start.arg("--runner-logger-mode=sometimes").output()).await.unwrap();
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("standard, rotate"));
}

#[tokio::test]
async fn s44_processes_have_the_variables_of_the_executor_if_a_flag_says_so() {
    for (flags, expected) in [(&["--preserve_env"][..], "told E \n"), (&[], "  \n")] {
        let mut agent = Agent::start(flags, &[]).await;
        let out = agent.pipe("out");
        let told = tokio::spawn(heard(out.clone()));
        let ask = format!(
            "[ $HOME = \"$PWD\" ] && echo \"${{TOLD-}} ${{MESOS_EXECUTOR_ID-}} ${{MESOS_EXECUTOR_AUTHENTICATION_TOKEN-}}\" > {}",
            quoted(&out)
        );
        agent.launch("a", data("a", &ask)).await;
        assert_eq!(told.await.unwrap(), expected);
        while agent.update().await.1 != TaskState::TaskFinished {}
        assert!(agent.end().await.success());
    }
}
