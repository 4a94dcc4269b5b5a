//! What is left of tasks that have ended goes; what runs, and what failed, stays.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::cluster::{Cluster, Flags, task_id};
use crate::support::{get, request, role, service, wait_for};

/// Creates a job and gives its key.
fn create(cluster: &Cluster, name: &str, kind: &str, command: &str) -> String {
    let text = service(&role(), name, 1, command).replace("Service(", kind);
    let file = cluster.home.file(&format!("{name}.aurora"), &text);
    let key = format!("test/{}/prod/{name}", role());
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    key
}

/// The task of a job that has come to this end.
fn ended(cluster: &Cluster, key: &str, state: &str) -> String {
    wait_for(&format!("{key} to be {state}"), || {
        let ran = cluster.run(&["job", "status", key, "-o", "json"]).expect(0).json();
        let tasks = ran[0]["inactive"].as_array()?.clone();
        tasks.iter().find(|task| task["status"] == state).map(task_id)
    })
}

/// Every folder below another one that has this name.
fn named(folder: &Path, name: &str, depth: usize) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders
        .flat_map(|entry| match entry.file_name() == name {
            true => vec![entry.path()],
            false if depth > 0 => named(&entry.path(), name, depth - 1),
            false => Vec::new(),
        })
        .collect()
}

/// What is there of a task: its executor in the two trees of the agent, its checkpoint.
fn there(cluster: &Cluster, task: &str) -> (bool, bool, bool) {
    let home = cluster.home.path();
    let is_in = |tree: &str| !named(&home.join(tree), &format!("thermos-{task}"), 5).is_empty();
    let checkpoint = home.join("thermos/tasks").join(task);
    (is_in("agent/slaves"), is_in("agent/meta/slaves"), checkpoint.exists())
}

/// The tasks that the observer shows.
fn shown(cluster: &Cluster) -> Vec<String> {
    let body = get(&cluster.observer_address(), "/j/task_ids/all").body;
    let rows: Value = serde_json::from_str(&body).unwrap();
    let rows = rows["tasks"].as_array().unwrap();
    rows.iter().map(|row| row["task_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_task_that_has_ended_leaves_nothing_and_a_failed_one_stays_longer() {
    let mut cluster = Cluster::start_with(Flags {
        agent: &["--gc-delay", "1secs", "--gc-failed-delay", "1weeks"],
        ..Flags::default()
    });
    let live = create(&cluster, "live", "Service(", "exec sleep 1000");
    let live = cluster.running_task(&live);
    let bad = create(&cluster, "bad", "Job(", "false");
    let bad = ended(&cluster, &bad, "FAILED");
    let good = create(&cluster, "good", "Job(", "true");
    let good = ended(&cluster, &good, "FINISHED");
    wait_for("the sandbox to go", || {
        (there(&cluster, &good) == (false, false, true)).then_some(())
    });
    assert!(!shown(&cluster).contains(&good));
    let line = cluster.agent.expect("removed a sandbox");
    for word in [good.as_str(), "reason=\"age\"", "failed=false", "age_secs="] {
        assert!(line.contains(word), "no {word} in {line}");
    }
    let vars = get(&cluster.agent_address(), "/vars").body;
    assert!(vars.contains("agent_sandboxes_removed_age 1\n"), "{vars}");
    assert!(vars.contains("agent_disk_usage_space 0."), "{vars}");

    // Its checkpoint goes with the next executor that ends.
    let next = create(&cluster, "next", "Job(", "true");
    let next = ended(&cluster, &next, "FINISHED");
    wait_for("the checkpoint to go", || (!there(&cluster, &good).2).then_some(()));
    // Another agent keeps what this one did.
    cluster.agent.kill();
    cluster.restart_agent();
    cluster.wait_registered();
    wait_for("the new agent to look", || {
        let vars = request(&cluster.agent_address(), "GET", "/vars", "", "")?.body;
        vars.contains("agent_collection_events").then_some(())
    });
    wait_for("the next one to go", || (!there(&cluster, &next).0).then_some(()));
    assert_eq!(there(&cluster, &bad), (true, true, true));
    assert_eq!(there(&cluster, &live), (true, true, true));
    cluster.pid_of(&live);
    let shown = shown(&cluster);
    assert!(shown.contains(&bad) && shown.contains(&live), "{shown:?}");
}
