//! What tasks use.

use std::time::Duration;

use aurora_thermos::checkpoint::record::ProcessChange;
use aurora_thermos::state::TaskState;
use serde_json::json;

use crate::machine::{Living, Machine, failed, wait_for};

/// Does nothing, and is what it was when it printed: one that has just become another program may have no memory yet.
const IDLE: &str = "echo; kill -STOP $$";
const BUSY: &str = "echo; while :; do :; done";

#[tokio::test]
async fn figures_are_sampled_over_time_and_drawn() {
    let machine = Machine::with(|config| {
        config.process_interval = Duration::from_secs(1);
        config.disk_interval = Duration::from_secs(1);
    })
    .await;
    let process = Living::sh(BUSY);
    let mut told = machine.task("t");
    told.running("p", 0, process.identity());
    std::fs::write(told.sandbox.join("file"), vec![1; 1 << 20]).unwrap();
    let row = wait_for("a rate", async || {
        let listed = machine.json("/j/task_ids/active").await;
        let row = listed["tasks"][0].clone();
        (row["cpu"].as_f64() > Some(0.0) && row["disk"].as_u64() >= Some(1 << 20)).then_some(row)
    })
    .await;
    assert_eq!(row["status"], "running");
    let run = machine.json("/j/process/t/p").await;
    assert!(run["used"]["user"].as_f64() > Some(0.0), "{run}");
    let pictures = |page: &str| page.matches("<svg").count();
    wait_for("pictures", async || {
        let (task, process) = (machine.page("/task/t").await, machine.page("/process/t/p").await);
        (pictures(&task) == 3 && pictures(&process) == 2).then_some(())
    })
    .await;
    let page = machine.page("/task/t").await;
    assert!(page.contains("role=\"img\" aria-label=\"CPU: "), "{page}");
    // They stay to be seen when the task has ended, and what its sandbox took in the end.
    std::fs::write(told.sandbox.join("last"), vec![1; 1 << 20]).unwrap();
    told.process("p", 0, ProcessChange::Success);
    told.end(TaskState::Success);
    assert_eq!(pictures(&machine.page("/task/t").await), 3);
    let figures = async || machine.json("/j/task/t").await["t"]["resource_consumption"].clone();
    let ended = figures().await;
    assert_eq!((&ended["cpu"], &ended["ram"]), (&json!(0.0), &json!(0)));
    assert!(ended["disk"].as_u64() >= Some(1 << 20), "{ended}");
    wait_for("the last size", async || {
        (figures().await["disk"].as_u64() >= Some(2 << 20)).then_some(())
    })
    .await;
    let shown = machine.page("/task/t").await;
    assert!(shown.contains("<dt>Disk</dt>"), "{shown}");
}

#[tokio::test]
async fn whoever_looks_often_adds_no_points() {
    // Nothing is sampled after the observer has begun, though some points would be remembered.
    let machine = Machine::with(|config| config.process_interval = Duration::from_secs(600)).await;
    let process = Living::sh(IDLE);
    let mut told = machine.task("t");
    for run in 0..3 {
        told.running("p", run, process.identity());
        // A run that nobody looked at yet is looked at.
        let ram = machine.json("/j/process/t/p").await["used"]["ram"].as_u64();
        assert!(ram > Some(0), "run {run}");
        for path in ["/task/t", "/process/t/p", "/"] {
            assert!(!machine.page(path).await.contains("<svg"), "run {run}: {path}");
        }
        told.process("p", run, failed(1));
    }
}

#[tokio::test]
async fn os21_without_collection_all_figures_are_nothing() {
    let machine = Machine::with(|config| {
        config.collects = false;
        config.process_interval = Duration::from_secs(1);
    })
    .await;
    let process = Living::sh(BUSY);
    let mut told = machine.task("t");
    told.running("p", 0, process.identity());
    std::fs::write(told.sandbox.join("file"), vec![1; 1 << 20]).unwrap();
    let figures = &machine.json("/j/task/t").await["t"]["resource_consumption"];
    for figure in ["cpu", "ram", "disk"] {
        assert_eq!(figures[figure].as_f64(), Some(0.0), "{figure}");
    }
    let used = &machine.json("/j/process/t/p").await["used"];
    assert_eq!((&used["cpu"], &used["ram"]), (&json!(0.0), &json!(0)));
    assert!(!machine.page("/task/t").await.contains("<svg"));
    // Tasks are counted all the same. No other observer of this program has as many.
    let _more: Vec<_> = (0..6).map(|number| machine.task(&format!("more{number}"))).collect();
    wait_for("the count", async || {
        let metrics = machine.page("/metrics").await;
        metrics.contains("observer_tasks{state=\"active\"} 7\n").then_some(())
    })
    .await;
}

#[tokio::test]
async fn os23_a_process_that_has_gone_uses_nothing() {
    let machine = Machine::with(|config| config.process_interval = Duration::from_secs(1)).await;
    let process = Living::sh(IDLE);
    let mut told = machine.task("t");
    told.running("p", 0, process.identity());
    assert!(machine.json("/j/process/t/p").await["used"]["ram"].as_u64() > Some(0));
    drop(process);
    // Its checkpoint does not say so yet.
    wait_for("the next sample", async || {
        let used = machine.json("/j/process/t/p").await["used"]["ram"].as_u64();
        (used == Some(0)).then_some(())
    })
    .await;
}
