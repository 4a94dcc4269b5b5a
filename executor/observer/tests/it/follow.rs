//! Files as they grow.

use std::io::Write as _;

use aurora_thermos::checkpoint::record::ProcessChange;
use aurora_thermos::state::TaskState;
use serde_json::json;

use crate::machine::{Living, Machine};

#[tokio::test]
async fn os25_growth_truncation_and_rotation_are_followed_until_the_task_ends() {
    let machine = Machine::new().await;
    let process = Living::sh("echo; exec sleep 1000");
    let mut told = machine.task("t");
    told.running("p", 0, process.identity());
    let path = told.logs("p", 0).join("stdout");
    std::fs::write(&path, "before\n").unwrap();
    let append = |text: &[u8]| {
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(text).unwrap();
    };
    let mut events = machine.events("/follow/t/p/0/stdout").await;
    let mut all = machine.events("/followfile/t/.logs/p/0/stdout?offset=0").await;
    append(b"more\n");
    events.expect("more\n").await;
    all.expect("before\nmore\n").await;
    // A character that is written in two pieces.
    append(b"\xc3");
    append(b"\xa9\n");
    events.expect("é\n").await;
    all.expect("é\n").await;

    std::fs::write(&path, "new\n").unwrap();
    assert_eq!(events.expect_event("restart").await, json!({ "why": "truncated" }));
    events.expect("new\n").await;

    append(b"last of the old\n");
    std::fs::rename(&path, path.with_extension("1")).unwrap();
    std::fs::write(&path, "first of the new\n").unwrap();
    events.expect("last of the old\n").await;
    assert_eq!(events.expect_event("restart").await, json!({ "why": "rotated" }));
    events.expect("first of the new\n").await;

    append(b"goodbye\n");
    told.process("p", 0, ProcessChange::Success).end(TaskState::Success);
    events.expect("goodbye\n").await;
    events.expect_event("end").await;
    events.expect_end_of_stream().await;
}

#[tokio::test]
async fn who_was_cut_off_goes_on_where_that_was() {
    let machine = Machine::new().await;
    let process = Living::sh("echo; exec sleep 1000");
    let mut told = machine.task("t");
    told.running("p", 0, process.identity());
    let path = told.logs("p", 0).join("stdout");
    std::fs::write(&path, "one\n").unwrap();
    let mut events = machine.events("/follow/t/p/0/stdout?offset=0").await;
    let (_, id, _) = events.next().await;
    drop(events);
    std::fs::write(&path, "one\ntwo\n").unwrap();
    let (inode, offset) = id.split_once('-').unwrap();
    let query = format!("/follow/t/p/0/stdout?inode={inode}&offset={offset}");
    machine.events(&query).await.expect("two\n").await;
    // The file is another one now.
    std::fs::rename(&path, path.with_extension("1")).unwrap();
    std::fs::write(&path, "three\n").unwrap();
    let mut events = machine.events(&query).await;
    assert_eq!(events.expect_event("restart").await, json!({ "why": "rotated" }));
    events.expect("three\n").await;
}

#[tokio::test]
async fn a_file_that_is_not_there_yet_is_waited_for() {
    let machine = Machine::new().await;
    let process = Living::sh("echo; exec sleep 1000");
    let mut told = machine.task("t");
    told.running("p", 0, process.identity());
    let mut events = machine.events("/follow/t/p/0/stderr").await;
    std::fs::write(told.logs("p", 0).join("stderr"), "here\n").unwrap();
    events.expect("here\n").await;
}

#[tokio::test]
async fn what_leads_out_of_the_sandbox_is_not_followed() {
    let machine = Machine::new().await;
    let told = machine.over("t");
    std::os::unix::fs::symlink("/etc/passwd", told.logs("p", 0).join("stdout")).unwrap();
    assert_eq!(machine.get("/follow/t/p/0/stdout?offset=0").await.status, 404);
    assert_eq!(machine.get("/followfile/t/../x").await.status, 404);
    assert_eq!(machine.get("/follow/t/p/0/bogus").await.status, 404);
    assert_eq!(machine.get("/follow/none/p/0/stdout").await.status, 404);
}

#[tokio::test]
async fn followers_end_with_the_observer() {
    let mut machine = Machine::new().await;
    let process = Living::sh("echo; exec sleep 1000");
    let mut told = machine.task("t");
    told.running("p", 0, process.identity());
    let events = machine.events("/follow/t/p/0/stdout").await;
    machine.restart().await;
    events.expect_end_of_stream().await;
}
