//! What cannot be read for other reasons than that it is not there.

use serde_json::json;

use crate::machine::{Machine, Told, failed};
use aurora_thermos::state::TaskState;

/// A task whose sandbox is any folder of this machine.
fn task_in(machine: &Machine, id: &str, folder: &str) -> Told {
    let mut told = machine.task_of(id, &["p"], |header| {
        header.sandbox = folder.into();
        header.log_dir = format!("{folder}/.logs").into();
    });
    told.failed("p", 0, 3).end(TaskState::Failed);
    told
}

#[tokio::test]
async fn what_may_not_be_read_is_refused_and_not_missing() {
    let machine = Machine::new().await;
    // A file that nobody may read, not even root.
    let _told = task_in(&machine, "t", "/proc/sys/vm");
    for route in ["file", "download", "searchfile", "followfile"] {
        let answer = machine.get(format!("/{route}/t/compact_memory?q=a")).await;
        assert_eq!(answer.status, 403, "{route}: {}", answer.text());
        let is_page = answer.head.contains("text/html");
        assert!(!is_page || answer.text().contains("as one who may"), "{}", answer.text());
    }
    let data = machine.get("/filedata/t/compact_memory?offset=0").await;
    assert_eq!(data.status, 403);
    let error: serde_json::Value = serde_json::from_slice(&data.body).unwrap();
    assert!(error["error"].as_str().unwrap().contains("Permission denied"), "{error}");
    assert_eq!(machine.json("/filedata/t/none?offset=0").await, json!({}));
}

#[tokio::test]
async fn what_fails_to_be_read_is_an_error_with_its_cause() {
    let machine = Machine::new().await;
    // Nothing is mapped at the beginning of a process's memory, so that reading there is an error.
    let _told = task_in(&machine, "t", &format!("/proc/{}", std::process::id()));
    let answer = machine.get("/searchfile/t/mem?q=a").await;
    assert_eq!(answer.status, 500, "{}", answer.text());
    let text = answer.text();
    assert!(text.contains("Something is wrong") && text.contains("Input/output error"), "{text}");
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_opened_fails_alone_and_says_why() {
    let machine = Machine::new().await;
    let _good = machine.over("good");
    // A pipe that nobody writes to.
    let pipe = machine.checkpoint("pipe");
    std::fs::create_dir_all(pipe.parent().unwrap()).unwrap();
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
    for path in [
        "/task/pipe",
        "/rawtask/pipe",
        "/process/pipe/p",
        "/logs/pipe/p/0/stdout",
        "/search/pipe/p/0/stdout?q=a",
        "/browse/pipe",
        "/file/pipe/a",
        "/searchfile/pipe/a?q=a",
        "/download/pipe/a",
        "/logdata/pipe/p/0/stdout",
        "/filedata/pipe/a",
        "/follow/pipe/p/0/stdout",
        "/followfile/pipe/a",
        "/j/task/pipe",
        "/j/process/pipe/p",
    ] {
        let answer = machine.get(path).await;
        assert_eq!(answer.status, 500, "{path}: {}", answer.text());
        assert!(answer.text().contains("it is no file"), "{path}: {}", answer.text());
    }
    for path in ["/j/task", "/j/processes"] {
        let both = machine.json(&format!("{path}?task_id=pipe,good")).await;
        assert!(both["good"].is_object() && both.get("pipe").is_none(), "{both}");
    }
}

#[tokio::test]
async fn who_comes_when_too_many_are_there_is_told_to_come_again() {
    let machine = Machine::new().await;
    let mut told = machine.task("t");
    told.process("p", 0, aurora_thermos::checkpoint::record::ProcessChange::Waiting);
    // More than fits between the observer and who does not read.
    std::fs::File::create(told.sandbox.join("huge")).unwrap().set_len(1 << 40).unwrap();
    let mut followers = Vec::new();
    for _ in 0..256 {
        followers.push(machine.events("/followfile/t/huge").await);
    }
    let answer = machine.get("/followfile/t/huge").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.head.contains("retry-after: "), "{}", answer.head);
    drop(followers);
    let mut downloads = Vec::new();
    for _ in 0..aurora_daemon::download::MAX_OPEN {
        downloads.push(machine.begin("/download/t/huge").await);
    }
    let answer = machine.get("/download/t/huge").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("Busy"), "{}", answer.text());
    assert!(answer.head.contains("retry-after: "), "{}", answer.head);
    drop(downloads);
    crate::machine::wait_for("a place", async || {
        let part = machine.ask("GET", "/download/t/huge", &["Range: bytes=0-4"]).await;
        (part.status == 206).then_some(())
    })
    .await;
    told.process("p", 0, failed(1));
}
