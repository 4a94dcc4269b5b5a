//! Killing, giving up, and processes that are killed by others: scenarios 25 to 28, 41 and 42.

use std::time::{Duration, Instant};

use aurora_thermos::process::tree;
use aurora_thermos::state::{ProcessState, TaskState};
use aurora_thermos::view::Task;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::environment::{nobody, open_up};
use crate::finals::DEAF;
use crate::place::{Place, ends, process, states, task, wait_until};

/// `m` with a final process `f`.
fn with_final(m: &str, f: &str) -> Value {
    let last = process("f", f, json!({ "final": true }));
    task([process("m", m, json!({ "min_duration": 1 })), last], json!({}))
}

fn ends_of_both(task: &Task) -> [String; 2] {
    ["m", "f"].map(|name| ends(task, name))
}

#[test]
fn s25_a_kill_lets_the_final_process_run() {
    for signal in [Signal::USR1, Signal::INT] {
        let place = Place::new(with_final("exec sleep 60", "true"));
        let runner = place.start();
        place.wait_for(TaskState::Active, "m", ProcessState::Running);
        runner.signal(signal);
        let ended = place.ended(&runner.wait());
        assert_eq!(states(&ended), "ACTIVE CLEANING FINALIZING KILLED");
        assert_eq!(ends_of_both(&ended), ["KILLED(-15)", "SUCCESS"]);
        assert_eq!(ended.history().statuses()[3].reason, "asked to");
    }
}

#[test]
fn s26_a_kill_has_its_own_time() {
    let mut place =
        Place::new(task([process("y", DEAF, json!({}))], json!({ "finalization_wait": 300 })));
    place.setup.grace_ms = 1_000;
    let runner = place.start();
    place.wait_for_file("deaf");
    runner.signal(Signal::USR1);
    let ended = place.ended(&runner.wait());
    assert_eq!(states(&ended), "ACTIVE CLEANING KILLED");
    assert_eq!(ends(&ended, "y"), "KILLED(-9)");
    let statuses = ended.history().statuses();
    let took = statuses[2].time_ms - statuses[1].time_ms;
    assert!((990..3000).contains(&took), "{took}");
}

#[test]
fn s26a_a_kill_lets_a_final_process_go_on() {
    let place = Place::new(with_final("true", "until [ -e go ]; do sleep 0.05; done"));
    let runner = place.start();
    place.wait_for(TaskState::Finalizing, "f", ProcessState::Running);
    runner.signal(Signal::USR1);
    // The kill was taken when its signal is not pending any more.
    crate::place::wait_until("the signal to be taken", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", runner.pid())).unwrap();
        status
            .lines()
            .filter(|line| line.starts_with("ShdPnd") || line.starts_with("SigPnd"))
            .all(|line| line.trim_end().ends_with("0000000000000000"))
    });
    std::fs::write(place.path("go"), "").unwrap();
    let ended = place.ended(&runner.wait());
    assert_eq!(ends_of_both(&ended), ["SUCCESS", "SUCCESS"]);
    assert_eq!(ended.state(), Some(TaskState::Killed));
}

#[test]
fn s26a_a_final_process_that_outlives_the_time_of_a_kill_is_ended() {
    let mut place = Place::new(with_final("true", "exec sleep 60"));
    place.setup.grace_ms = 500;
    let runner = place.start();
    place.wait_for(TaskState::Finalizing, "f", ProcessState::Running);
    runner.signal(Signal::USR1);
    let ended = place.ended(&runner.wait());
    assert_eq!(ends_of_both(&ended), ["SUCCESS", "KILLED(-9)"]);
    assert_eq!(ended.state(), Some(TaskState::Killed));
}

#[test]
fn s26b_giving_up_ends_final_processes_at_once() {
    let place = Place::new(with_final("true", "exec sleep 60"));
    let runner = place.start();
    place.wait_for(TaskState::Finalizing, "f", ProcessState::Running);
    let began = Instant::now();
    runner.signal(Signal::USR2);
    let ended = place.ended(&runner.wait());
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(ends_of_both(&ended), ["SUCCESS", "KILLED(-9)"]);
    assert_eq!(ended.state(), Some(TaskState::Lost));
}

#[test]
fn s26d_a_process_may_end_in_its_own_way() {
    let own = "trap 'echo t' TERM; sleep 60 & touch ready; wait; echo after";
    let place = Place::new(task([process("m", own, json!({}))], json!({})));
    let runner = place.start();
    place.wait_for_file("ready");
    runner.signal(Signal::USR1);
    let ended = place.ended(&runner.wait());
    assert_eq!(ends(&ended, "m"), "SUCCESS");
    assert_eq!(ended.state(), Some(TaskState::Killed));
    assert_eq!(place.stdout("m", 0), "t\nafter\n");
}

#[test]
fn s26e_a_kill_reaches_the_programs_of_a_script() {
    let prog =
        "#!/bin/bash\ntrap 'echo handled; exit' TERM; touch ready; while :; do sleep 0.1; done";
    let place = Place::new(task([process("m", "./prog; echo done", json!({}))], json!({})));
    let path = place.path("prog");
    std::fs::write(&path, prog).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let runner = place.start();
    place.wait_for_file("ready");
    runner.signal(Signal::USR1);
    let ended = place.ended(&runner.wait());
    assert_eq!(ends(&ended, "m"), "KILLED(-15)");
    assert!(place.stdout("m", 0).contains("handled"));
}

#[test]
fn s26f_giving_up_does_not_wait_for_a_kill() {
    let place = Place::new(task([process("y", DEAF, json!({}))], json!({})));
    let runner = place.start();
    place.wait_for_file("deaf");
    runner.signal(Signal::USR1);
    place.wait_for(TaskState::Cleaning, "y", ProcessState::Running);
    let began = Instant::now();
    runner.signal(Signal::USR2);
    let ended = place.ended(&runner.wait());
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(states(&ended), "ACTIVE CLEANING LOST");
    assert_eq!(ends(&ended, "y"), "KILLED(-9)");
}

#[test]
fn s27_giving_up_skips_the_final_process() {
    let place = Place::new(with_final(DEAF, "true"));
    let runner = place.start();
    place.wait_for_file("deaf");
    let began = Instant::now();
    runner.signal(Signal::USR2);
    let ended = place.ended(&runner.wait());
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(states(&ended), "ACTIVE CLEANING LOST");
    assert_eq!(ends_of_both(&ended), ["KILLED(-9)", ""]);
    assert_eq!(ended.history().statuses()[2].reason, "given up");
}

#[test]
fn s28_a_process_that_somebody_kills_is_run_again() {
    let once = "[ -e ran ] && exit 0; touch ran; sleep 30; true";
    let place = Place::new(with_final(once, "true"));
    let runner = place.start();
    place.wait_for_file("ran");
    place.wait_for(TaskState::Active, "m", ProcessState::Running);
    let shell = place.task().runs("m")[0].process.unwrap();
    tree::signal(shell, Signal::KILL).unwrap();
    let ended = place.ended(&runner.wait());
    assert_eq!(ends(&ended, "m"), "KILLED(-9) SUCCESS");
    assert_eq!(ended.state(), Some(TaskState::Success));
}

#[test]
fn s41_what_a_process_leaves_behind_ends_with_it() {
    let leaves = "sleep 300 & echo $! > pid; exit 0";
    let waits = "read pid < pid; while [ -e /proc/$pid ]; do sleep 0.05; done";
    let mut fields = crate::place::orders(&[&["m", "n"]]);
    fields["finalization_wait"] = 60.into();
    let place =
        Place::new(task([process("m", leaves, json!({})), process("n", waits, json!({}))], fields));
    assert_eq!(place.run().state(), Some(TaskState::Success));
}

#[test]
fn s42_an_orphan_lives_until_the_task_cleans_up() {
    let orphan = "trap 'echo asked > asked; exit' TERM; touch ready; while :; do sleep 0.05; done";
    let leaves = format!("(setsid bash -c {orphan:?} &); until [ -e ready ]; do sleep 0.05; done");
    let place = Place::new(task(
        [process("m", &leaves, json!({})), process("n", "[ ! -e asked ]", json!({}))],
        crate::place::orders(&[&["m", "n"]]),
    ));
    assert_eq!(place.run().state(), Some(TaskState::Success));
    assert_eq!(place.text("asked"), "asked\n");
}

#[test]
fn what_multiplies_is_ended_as_long_as_its_number_is_limited() {
    let Some(nobody) = nobody() else { return };
    // Each is a session of its own, and another takes the place of each that is gone.
    let bomb = "ulimit -u 150; touch .logs/m/0/ready; \
                exec perl -MPOSIX -e '$SIG{TERM} = q(IGNORE); while (1) { fork; setsid }'";
    let mut place = Place::new(task([process("m", bomb, json!({}))], json!({})));
    place.setup.user = Some(nobody.name);
    place.setup.grace_ms = 500;
    open_up(&place);
    let runner = place.start();
    place.wait_for_file(".logs/m/0/ready");
    wait_until("many processes", || place.left().len() > 100);
    runner.signal(Signal::USR1);
    let ended = place.ended(&runner.wait());
    assert_eq!(ended.state(), Some(TaskState::Killed));
}
