//! Where output goes: scenarios 43 and 48 to 50.

use std::time::{Duration, Instant};

use aurora_thermos::state::TaskState;
use serde_json::{Value, json};

use crate::place::{Place, ends, process, task};

fn logger(destination: &str, mode: &str, rotate: Value) -> Value {
    let mut logger = json!({ "destination": destination, "mode": mode });
    if !rotate.is_null() {
        logger["rotate"] = rotate;
    }
    json!({ "logger": logger })
}

/// The sizes of the files of a run, by name.
fn sizes(place: &Place, process: &str) -> Vec<(String, u64)> {
    let mut sizes: Vec<(String, u64)> = place
        .path(format!(".logs/{process}/0"))
        .read_dir()
        .unwrap()
        .map(|file| {
            let file = file.unwrap();
            (file.file_name().into_string().unwrap(), file.metadata().unwrap().len())
        })
        .collect();
    sizes.sort();
    sizes
}

#[test]
fn s43_a_process_ends_with_its_shell_wherever_its_output_goes() {
    for fields in [
        json!({}),
        logger("both", "standard", Value::Null),
        logger("none", "standard", Value::Null),
        logger("file", "rotate", Value::Null),
    ] {
        let place = Place::new(task(
            [process("p", "sleep 60 & echo x; exit 0", fields.clone())],
            json!({}),
        ));
        let began = Instant::now();
        assert_eq!(place.run().state(), Some(TaskState::Success), "{fields}");
        assert!(began.elapsed() < Duration::from_secs(5), "{fields}");
    }
}

#[test]
fn a_process_that_closes_its_output_goes_on() {
    for fields in
        [json!({}), logger("both", "standard", Value::Null), logger("file", "rotate", Value::Null)]
    {
        let closes = "echo begun; exec >&- 2>&-; sleep 0.2; touch gone-on; exit 4";
        let place = Place::new(task([process("p", closes, fields.clone())], json!({})));
        let ended = place.run();
        assert_eq!(ended.state(), Some(TaskState::Failed), "{fields}");
        assert_eq!(ends(&ended, "p"), "FAILED(4)", "{fields}");
        assert_eq!(place.stdout("p", 0), "begun\n", "{fields}");
        assert_eq!(place.text("gone-on"), "");
    }
}

#[test]
fn s48_standard_logs_are_one_file() {
    let place = Place::new(task([process("p", "head -c 200M /dev/zero", json!({}))], json!({})));
    assert_eq!(place.run().state(), Some(TaskState::Success));
    assert_eq!(sizes(&place, "p"), [("stderr".into(), 0), ("stdout".into(), 200 << 20)]);
}

#[test]
fn s48_flags_rotate_by_size_and_count() {
    let loud = process("p", "head -c 2000000 /dev/zero", json!({}));
    let mut place = Place::new(task([loud], json!({})));
    place.setup.logger = ("".to_owned(), "rotate".to_owned(), 1, 1);
    assert_eq!(place.run().state(), Some(TaskState::Success));
    assert_eq!(
        sizes(&place, "p"),
        [
            ("stderr".into(), 0),
            ("stdout".into(), 2_000_000 - (1 << 20)),
            ("stdout.1".into(), 1 << 20),
        ]
    );
}

#[test]
fn s48_rotation_keeps_every_byte_of_the_tail_in_order() {
    let policy = json!({ "log_size": 100_000, "backups": 5 });
    let counts = process("p", "seq 1 150000", logger("file", "rotate", policy));
    let place = Place::new(task([counts], json!({})));
    assert_eq!(place.run().state(), Some(TaskState::Success));
    let written: String = (1..=150_000).map(|number| format!("{number}\n")).collect();
    let mut kept = String::new();
    for name in ["stdout.5", "stdout.4", "stdout.3", "stdout.2", "stdout.1", "stdout"] {
        kept += &place.text(&format!(".logs/p/0/{name}"));
    }
    assert_eq!(kept.len(), 500_000 + written.len() % 100_000);
    assert!(written.ends_with(&kept));
    assert!(!place.path(".logs/p/0/stdout.6").exists());
}

#[test]
fn s49_a_process_with_a_logger_takes_nothing_from_the_flags() {
    let loud = "head -c 2000000 /dev/zero";
    let mut place = Place::new(task(
        [
            process("own", loud, logger("file", "rotate", Value::Null)),
            process("flags", loud, json!({})),
        ],
        json!({}),
    ));
    place.setup.logger = (String::new(), "rotate".to_owned(), 1, 1);
    assert_eq!(place.run().state(), Some(TaskState::Success));
    assert_eq!(sizes(&place, "own"), [("stderr".into(), 0), ("stdout".into(), 2_000_000)]);
    assert_eq!(sizes(&place, "flags").len(), 3);
}

#[test]
fn s49a_unknown_words_are_refused() {
    for (destination, mode, word) in [("nowhere", "", "nowhere"), ("file", "spin", "spin")] {
        let mut place = Place::new(task([process("p", "true", json!({}))], json!({})));
        place.setup.logger = (destination.to_owned(), mode.to_owned(), 0, 0);
        let ended = place.start().wait();
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
        assert!(!place.setup.root.exists());
    }
}

#[test]
fn s50_console_both_and_none() {
    let both = |name: &str| format!("echo {name}-out; echo {name}-err >&2");
    let names = ["console", "none", "both"];
    let processes =
        names.map(|name| process(name, &both(name), logger(name, "standard", Value::Null)));
    let place = Place::new(task(processes, json!({})));
    let ended = place.start().wait();
    assert_eq!(place.ended(&ended).state(), Some(TaskState::Success));
    for (name, on_console, in_files) in
        [("console", true, false), ("none", false, false), ("both", true, true)]
    {
        let said = |text: &str, stream: &str| text.contains(&format!("{name}-{stream}\n"));
        assert_eq!(said(&ended.stdout, "out"), on_console, "{name}: {}", ended.stdout);
        assert_eq!(said(&ended.stderr, "err"), on_console, "{name}: {}", ended.stderr);
        let files = sizes(&place, name);
        assert_eq!(!files.is_empty(), in_files, "{name}: {files:?}");
    }
    assert_eq!(place.text(".logs/both/0/stdout"), "both-out\n");
    assert_eq!(place.text(".logs/both/0/stderr"), "both-err\n");
}
