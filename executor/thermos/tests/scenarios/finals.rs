//! Final processes and the time they have: scenarios 20 to 24 and 26c.

use aurora_thermos::state::TaskState;
use serde_json::{Value, json};

use crate::place::{Place, ends, orders, process, span, states, task};

fn last(name: &str, cmdline: &str, fields: Value) -> Value {
    let mut last = process(name, cmdline, fields);
    last["final"] = true.into();
    last
}

#[test]
fn s20_a_final_process_runs_last() {
    let place = Place::new(task(
        [process("m", "true", json!({})), last("f", "true", json!({}))],
        json!({}),
    ));
    let ended = place.run();
    assert_eq!(states(&ended), "ACTIVE CLEANING FINALIZING SUCCESS");
    assert_eq!(["m", "f"].map(|name| ends(&ended, name)), ["SUCCESS", "SUCCESS"]);
    let finalizing = &ended.history().statuses()[2];
    assert!(ended.runs("f")[0].waiting_ms >= finalizing.time_ms);
}

#[test]
fn s20a_without_time_no_final_process_runs() {
    let place = Place::new(task(
        [process("m", "true", json!({})), last("f", "true", json!({}))],
        json!({ "finalization_wait": 0 }),
    ));
    let ended = place.run();
    assert_eq!(states(&ended), "ACTIVE CLEANING SUCCESS");
    assert_eq!(["m", "f"].map(|name| ends(&ended, name)), ["SUCCESS", ""]);
}

#[test]
fn s21_a_final_process_runs_though_the_task_has_failed() {
    let place = Place::new(task(
        [process("m", "exit 1", json!({})), last("f", "true", json!({}))],
        json!({}),
    ));
    let ended = place.run();
    assert_eq!(states(&ended), "ACTIVE CLEANING FINALIZING FAILED");
    assert_eq!(ends(&ended, "f"), "SUCCESS");
}

#[test]
fn s22_a_final_process_that_fails_fails_nothing() {
    let place = Place::new(task(
        [
            process("m", "true", json!({})),
            last("f1", "exit 1", json!({})),
            last("f2", "true", json!({})),
        ],
        orders(&[&["f1", "f2"]]),
    ));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    assert_eq!(["f1", "f2"].map(|name| ends(&ended, name)), ["FAILED(1)", ""]);
}

#[test]
fn s23_a_final_process_is_tried_again() {
    let place = Place::new(task(
        [
            process("m", "true", json!({})),
            last("f1", "exit 1", json!({ "max_failures": 2, "min_duration": 1 })),
            last("f2", "true", json!({})),
        ],
        json!({}),
    ));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    assert_eq!(["f1", "f2"].map(|n| ends(&ended, n)), ["FAILED(1) FAILED(1)", "SUCCESS"]);
}

/// A process that does not end when it is asked to, and makes the file `deaf` when it is so far.
pub(crate) const DEAF: &str = "trap '' TERM; touch deaf; while :; do sleep 0.1; done";

#[test]
fn s24_what_does_not_end_takes_the_time_of_the_final_processes() {
    let place = Place::new(task(
        [
            process("x", "until [ -e deaf ]; do sleep 0.1; done; exit 1", json!({})),
            process("y", DEAF, json!({})),
            last("f", "true", json!({})),
        ],
        json!({ "finalization_wait": 1 }),
    ));
    let ended = place.run();
    assert_eq!(states(&ended), "ACTIVE CLEANING FAILED");
    assert_eq!(["x", "y", "f"].map(|name| ends(&ended, name)), ["FAILED(1)", "KILLED(-9)", ""]);
    let statuses = ended.history().statuses();
    let took = statuses[2].time_ms - statuses[1].time_ms;
    assert!((990..3000).contains(&took), "{took}");
}

#[test]
fn s26c_a_final_process_that_takes_too_long_is_ended() {
    let place = Place::new(task(
        [process("m", "true", json!({})), last("f", "exec sleep 30", json!({}))],
        json!({ "finalization_wait": 1 }),
    ));
    let ended = place.run();
    assert_eq!(states(&ended), "ACTIVE CLEANING FINALIZING SUCCESS");
    assert_eq!(ends(&ended, "f"), "KILLED(-9)");
    let (from, to) = span(&ended.runs("f")[0]);
    assert!(to - from < 3000);
}
