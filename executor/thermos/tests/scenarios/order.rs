//! Which process runs when, and what its failure means: scenarios 1 to 10, 18 and 19.

use aurora_thermos::checkpoint::record::Event;
use aurora_thermos::state::{ProcessState, TaskState};
use serde_json::{Value, json};

use crate::place::{Place, ends, gaps, orders, process, span, states, task};

#[test]
fn s01_one_process_says_hello() {
    let place = Place::new(task([process("hello", "echo hello world", json!({}))], json!({})));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    assert_eq!(place.stdout("hello", 0), "hello world\n");
    assert_eq!(place.text(".logs/hello/0/stderr"), "");
    let told: Vec<String> = place
        .records()
        .into_iter()
        .map(|record| match record.event {
            Event::Header(_) => "header".to_owned(),
            Event::Task(event) => event.state.to_string(),
            Event::Process(event) => format!("{} {}", event.process, event.change.state()),
            Event::Runner(_) => "runner".to_owned(),
            Event::Told(told) => format!("told {}", told.state),
        })
        .collect();
    let expected = "header, ACTIVE, hello WAITING, hello FORKED, hello RUNNING, hello SUCCESS, \
                    CLEANING, FINALIZING, SUCCESS";
    assert_eq!(told.join(", "), expected);
}

#[test]
fn s02_layers_start_after_the_layer_before() {
    let names = ["p1", "p2", "p3", "p4", "p5", "p6"];
    let mut all: Vec<[&str; 3]> = Vec::new();
    for a in ["p1", "p2"] {
        for c in ["p3", "p4"] {
            all.extend(["p5", "p6"].map(|e| [a, c, e]));
        }
    }
    let all: Vec<&[&str]> = all.iter().map(<[&str; 3]>::as_slice).collect();
    let place = Place::new(task(names.map(|n| process(n, "true", json!({}))), orders(&all)));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    let spans = names.map(|name| {
        let run = &ended.runs(name)[0];
        assert!(run.forked_ms <= run.started_ms && run.started_ms <= run.stopped_ms);
        span(run)
    });
    for (before, after) in [(0, 2), (0, 3), (1, 2), (1, 3), (2, 4), (2, 5), (3, 4), (3, 5)] {
        assert!(spans[before].1 <= spans[after].0, "{before} {after}");
    }
}

#[test]
fn s03_ports_are_in_the_header() {
    let mut place = Place::new(task([process("p", "echo 31000", json!({}))], json!({})));
    place.setup.ports = [("p".to_owned(), 31_000)].into();
    let ended = place.run();
    assert_eq!(ended.header().unwrap().ports, place.setup.ports);
}

fn most_at_once(spans: &[(i64, i64)]) -> usize {
    let at = |time: i64| spans.iter().filter(|(from, to)| *from <= time && time < *to).count();
    spans.iter().map(|(from, _)| at(*from)).max().unwrap()
}

#[test]
fn s04_one_at_a_time() {
    let names = ["a", "b", "c"];
    let processes = names.map(|name| process(name, "sleep 0.4", json!({})));
    let place = Place::new(task(processes, json!({ "max_concurrency": 1 })));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    let spans = names.map(|name| span(&ended.runs(name)[0]));
    assert!(names.iter().all(|name| ended.runs(name).len() == 1));
    assert_eq!(most_at_once(&spans), 1, "{spans:?}");
    assert!(spans.windows(2).all(|two| two[1].0 - two[0].0 >= 390), "{spans:?}");
}

#[test]
fn s05_two_at_a_time() {
    let names = ["a", "b", "c", "d"];
    let processes = names.map(|name| process(name, "sleep 0.4", json!({})));
    let place = Place::new(task(processes, json!({ "max_concurrency": 2 })));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    let spans = names.map(|name| span(&ended.runs(name)[0]));
    assert_eq!(most_at_once(&spans), 2, "{spans:?}");
    assert!(spans[2].0 >= spans[0].1.min(spans[1].1), "{spans:?}");
}

#[test]
fn s06_a_process_that_succeeds_in_the_end() {
    let third = "echo >> runs; [ $(wc -l < runs) = 3 ]";
    let fields = json!({ "max_failures": 5, "min_duration": 1 });
    let place = Place::new(task([process("p", third, fields)], json!({})));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    assert_eq!(ends(&ended, "p"), "FAILED(1) FAILED(1) SUCCESS");
    assert!(gaps(&ended, "p").iter().all(|gap| *gap >= 999), "{:?}", gaps(&ended, "p"));
}

#[test]
fn s07_a_process_that_fails_too_often() {
    let fields = json!({ "max_failures": 3, "min_duration": 1 });
    let place = Place::new(task([process("p", "exit 1", fields)], json!({})));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Failed));
    assert_eq!(ends(&ended, "p"), "FAILED(1) FAILED(1) FAILED(1)");
    assert!(gaps(&ended, "p").iter().all(|gap| *gap >= 999), "{:?}", gaps(&ended, "p"));
    let mut folders: Vec<_> =
        place.path(".logs/p").read_dir().unwrap().map(|run| run.unwrap().file_name()).collect();
    folders.sort();
    assert_eq!(folders, ["0", "1", "2"]);
}

#[test]
fn s08_what_waits_for_a_failed_process_never_runs() {
    let processes = [("a", "true"), ("b", "exit 1"), ("c", "true")]
        .map(|(name, command)| process(name, command, json!({})));
    let mut fields = orders(&[&["a", "b", "c"]]);
    fields["max_failures"] = 2.into();
    let place = Place::new(task(processes, fields));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Failed));
    assert_eq!(["a", "b", "c"].map(|name| ends(&ended, name)), ["SUCCESS", "FAILED(1)", ""]);
}

#[test]
fn s09_failures_that_do_not_count() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut processes: Vec<Value> =
        names[..3].iter().map(|name| process(name, "exit 1", json!({}))).collect();
    processes.extend(names[3..].iter().map(|name| process(name, "true", json!({}))));
    let place = Place::new(task(processes, json!({ "max_failures": 0 })));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    assert_eq!(
        names.map(|name| ends(&ended, name)),
        ["FAILED(1)", "FAILED(1)", "FAILED(1)", "SUCCESS", "SUCCESS", "SUCCESS"]
    );
}

#[test]
fn s10_so_many_processes_may_fail() {
    for (max_failures, state) in [(2, TaskState::Success), (1, TaskState::Failed)] {
        let processes = [process("a", "exit 1", json!({})), process("b", "true", json!({}))];
        let place = Place::new(task(processes, json!({ "max_failures": max_failures })));
        assert_eq!(place.run().state(), Some(state), "{max_failures}");
    }
}

/// Runs a task that must be refused before anything is written, and gives the message.
fn refused(task: Value) -> String {
    let place = Place::new(task);
    let ended = place.start().wait();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(!place.setup.root.exists());
    assert!(!place.path(".logs").exists());
    ended.stderr
}

#[test]
fn s18_what_never_ends_cannot_be_waited_for() {
    let all = |fields: Value| {
        task(
            [
                process("m", "true", json!({})),
                process("d", "sleep 0.1; exit 1", json!({ "daemon": true })),
                process("e1", "true", json!({ "ephemeral": true })),
                process("e2", "true", json!({ "ephemeral": true })),
            ],
            fields,
        )
    };
    assert!(refused(all(orders(&[&["d", "m"]]))).contains("may not depend upon daemon"));
    assert!(refused(all(orders(&[&["e1", "m"]]))).contains("may not depend upon ephemeral"));
    let fine = Place::new(all(orders(&[&["m", "d"], &["m", "e1"], &["e1", "e2"]])));
    let ended = fine.run();
    assert_eq!(ended.state(), Some(TaskState::Failed), "its daemon fails");
    assert_eq!(states(&ended), "ACTIVE CLEANING FINALIZING FAILED");
    assert_eq!(ended.runs("m")[0].state, ProcessState::Success);
}

#[test]
fn s19_orders_that_cannot_be() {
    let of = |all: &[&[&str]]| {
        task(
            [
                process("m", "true", json!({})),
                process("n", "true", json!({})),
                process("f", "true", json!({ "final": true })),
            ],
            orders(all),
        )
    };
    for (all, why) in [
        (&[&["m", "f"] as &[&str]] as &[&[&str]], "final where the others are not"),
        (&[&["m", "n"], &["n", "m"]], "cycle"),
        (&[&["m", "nosuch"]], "nosuch"),
        (&[&[]], "names no process"),
        (&[&["nosuch"]], "names no process"),
    ] {
        let told = refused(of(all));
        assert!(told.contains(why), "{all:?}: {told}");
    }
}

#[test]
fn a_hundred_run_at_once_and_a_hundred_one_after_the_other() {
    let names: Vec<String> = (0..100).map(|number| format!("p{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // Each waits for the other ninety-nine.
    let all = "touch $$.here; until [ $(ls *.here | wc -l) -eq 100 ]; do sleep 0.1; done";
    for (command, fields) in [(all, json!({})), ("true", orders(&[&names]))] {
        let processes: Vec<_> =
            names.iter().map(|name| process(name, command, json!({}))).collect();
        let place = Place::new(task(processes, fields));
        let ended = place.run();
        assert_eq!(ended.state(), Some(TaskState::Success));
        assert!(names.iter().all(|name| ends(&ended, name) == "SUCCESS"));
        if command == "true" {
            let spans: Vec<_> = names.iter().map(|name| span(&ended.runs(name)[0])).collect();
            assert!(spans.windows(2).all(|two| two[0].1 <= two[1].0));
        }
    }
}
