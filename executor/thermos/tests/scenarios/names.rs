//! Names, text and programs that are not there: scenarios 37 to 40.

use aurora_thermos::state::TaskState;
use serde_json::json;

use crate::place::{Place, ends, process, task};

#[test]
fn s37_names_are_used_as_they_are() {
    let names = ["café", "a b"];
    let place = Place::new(task(names.map(|n| process(n, "echo here", json!({}))), json!({})));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success));
    for name in names {
        assert_eq!(ends(&ended, name), "SUCCESS");
        assert_eq!(place.stdout(name, 0), "here\n");
    }
}

#[test]
fn s37_names_that_cannot_be_used_are_refused() {
    let long = "x".repeat(256);
    let bad = ["a/b", ".a", "", "a\0b", "a\nb", "..", long.as_str()];
    let twice = vec!["a", "a"];
    for names in bad.into_iter().map(|name| vec![name]).chain([twice]) {
        let processes: Vec<_> = names.iter().map(|n| process(n, "true", json!({}))).collect();
        let place = Place::new(task(processes, json!({})));
        let ended = place.start().wait();
        assert_eq!(ended.code, Some(2), "{names:?}");
        assert!(ended.stderr.contains("process"), "{names:?}: {}", ended.stderr);
        assert!(!place.setup.root.exists());
    }
}

#[test]
fn s38_text_is_kept_byte_for_byte() {
    let place =
        Place::new(task([process("p", "printf 'naïve – 日本\\377'", json!({}))], json!({})));
    assert_eq!(place.run().state(), Some(TaskState::Success));
    let printed = std::fs::read(place.path(".logs/p/0/stdout")).unwrap();
    assert_eq!(printed, [("naïve – 日本").as_bytes(), &[0xff]].concat());
}

#[test]
fn s39_a_program_that_is_not_there() {
    let place = Place::new(task([process("p", "nosuchcmd", json!({}))], json!({})));
    let ended = place.run();
    assert_eq!(ends(&ended, "p"), "FAILED(127)");
    assert_eq!(ended.state(), Some(TaskState::Failed));
    assert!(place.text(".logs/p/0/stderr").contains("nosuchcmd: command not found"));
}

#[test]
fn s40_an_unknown_user_is_refused_before_anything_is_written() {
    let mut place = Place::new(task([process("p", "true", json!({}))], json!({})));
    place.setup.user = Some("no-such-user".to_owned());
    let ended = place.start().wait();
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("user \"no-such-user\" does not exist"), "{}", ended.stderr);
    assert!(!place.setup.root.exists());
}
