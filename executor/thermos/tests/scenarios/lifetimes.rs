//! Daemons, ephemeral processes and the limit of runs: scenarios 11 to 17.

use aurora_thermos::state::TaskState;
use serde_json::json;

use crate::place::{Place, ends, process, span, task};

#[test]
fn s11_an_ephemeral_process_is_asked_to_end_with_the_others() {
    let place = Place::new(task(
        [
            process("e", "sleep 100", json!({ "ephemeral": true })),
            process("m", "sleep 0.3", json!({})),
        ],
        json!({}),
    ));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    assert_eq!(["e", "m"].map(|name| ends(&ended, name)), ["KILLED(-15)", "SUCCESS"]);
}

#[test]
fn s12_an_ephemeral_process_that_has_failed_fails_nothing() {
    let place = Place::new(task(
        [
            process("e", "exit 1", json!({ "ephemeral": true, "min_duration": 0 })),
            process("m", "sleep 0.5", json!({})),
        ],
        json!({}),
    ));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    assert_eq!(["e", "m"].map(|name| ends(&ended, name)), ["FAILED(1)", "SUCCESS"]);
}

#[test]
fn s13_a_task_of_ephemeral_processes_is_over_at_once() {
    let only = process("e", "sleep 25", json!({ "ephemeral": true }));
    let place = Place::new(task([only], json!({})));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    assert_eq!(ends(&ended, "e"), "", "it is not started in vain");
}

#[test]
fn s14_a_daemon_that_fails_too_often() {
    let first = "[ -e ran ] && exit 1; touch ran";
    let fields = json!({ "daemon": true, "max_failures": 2, "min_duration": 0 });
    let place = Place::new(task([process("d", first, fields)], json!({})));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Failed));
    assert_eq!(ends(&ended, "d"), "SUCCESS FAILED(1) FAILED(1)");
}

#[test]
fn s15_a_daemon_holds_its_task_until_it_has_failed() {
    for (max_failures, state) in [(1, TaskState::Failed), (2, TaskState::Success)] {
        let daemon = json!({ "daemon": true, "max_failures": 2, "min_duration": 1 });
        let place = Place::new(task(
            [process("d", "exit 1", daemon), process("m", "true", json!({}))],
            json!({ "max_failures": max_failures }),
        ));
        let ended = place.run();
        assert_eq!(ended.state(), Some(state), "{max_failures}");
        assert_eq!(["d", "m"].map(|n| ends(&ended, n)), ["FAILED(1) FAILED(1)", "SUCCESS"]);
    }
}

#[test]
fn s16_a_daemon_that_is_ephemeral() {
    let both = json!({ "daemon": true, "ephemeral": true, "min_duration": 0 });
    let place = Place::new(task(
        [
            process("d", "[ -e ran ] && exec sleep 100; touch ran", both),
            process("m", "until [ -e ran ]; do sleep 0.1; done; sleep 1", json!({})),
        ],
        json!({}),
    ));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    assert_eq!(["d", "m"].map(|name| ends(&ended, name)), ["SUCCESS KILLED(-15)", "SUCCESS"]);
}

#[test]
fn s17_a_daemon_runs_a_hundred_times_unless_there_is_no_limit() {
    let counts = "echo >> runs; [ $(wc -l < runs) -lt 110 ]";
    let fields = json!({ "daemon": true, "max_failures": 1, "min_duration": 0 });
    let mut place = Place::new(task([process("d", counts, fields)], json!({})));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Failed));
    assert_eq!(ends(&ended, "d"), ["SUCCESS"; 100].join(" "));
    assert!(ended.runs("d").windows(2).all(|two| span(&two[0]).1 <= span(&two[1]).0));

    place.setup.id = "unlimited".to_owned();
    place.setup.without_run_limit = true;
    std::fs::remove_file(place.path("runs")).unwrap();
    std::fs::remove_dir_all(place.path(".logs")).unwrap();
    let ended = place.run();
    assert_eq!(ended.runs("d").len(), 110);
}
