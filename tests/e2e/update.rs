//! Updates of jobs, from the first version to one that is no good.

use serde_json::Value;

use crate::support::cluster::Cluster;
use crate::support::process::Process;
use crate::support::{Home, role, service, wait_for};

/// A service whose instances must stay up for so many seconds.
fn version(home: &Home, file: &str, instances: u32, command: &str, watch_secs: u32) -> String {
    let update =
        format!("update_config = UpdateConfig(watch_secs = {watch_secs}), environment = 'prod'");
    let text = service(&role(), "web", instances, command).replace("environment = 'prod'", &update);
    home.file(file, &text).to_str().unwrap().to_owned()
}

fn job() -> String {
    format!("test/{}/prod/web", role())
}

/// The updates of the job in some states: id and status.
fn updates(cluster: &Cluster, states: &str) -> Vec<(String, String)> {
    let listed = cluster.run(&["update", "list", &job(), "--status", states, "-o", "json"]);
    let text = |update: &Value, field: &str| update[field].as_str().unwrap().to_owned();
    let listed = listed.expect(0).json();
    listed.as_array().unwrap().iter().map(|it| (text(it, "id"), text(it, "status"))).collect()
}

#[test]
fn c86_c91_c92_c99_a_job_comes_to_a_version_and_goes_back_from_one_that_is_no_good() {
    let cluster = Cluster::start();
    let job = job();
    let good = version(&cluster.home, "good.aurora", 2, "exec sleep 1000", 0);
    let bad = version(&cluster.home, "bad.aurora", 2, "exit 3", 5);

    // A job that is not there yet is created.
    let started = cluster.run(&["update", "start", &job, &good, "--wait", "-m", "first"]).expect(0);
    assert!(started.out().ends_with("Current state ROLLED_FORWARD\n"), "{}", started.out());
    assert!(started.err().contains("Job update has started"), "{}", started.err());
    cluster.wait_running(&job, 2);
    let same = cluster.run(&["update", "start", &job, &good]).expect(0);
    assert!(same.out().contains("there is nothing to update"), "{}", same.out());

    let ended = cluster.run(&["update", "start", &job, &bad, "--wait", "-o", "json"]).expect(4);
    let result = ended.json();
    assert_eq!((&result["job"], &result["status"]), (&job.as_str().into(), &"ROLLED_BACK".into()));
    assert!(ended.err().contains("the update has ended as ROLLED_BACK"), "{}", ended.err());
    assert!(ended.err().contains("exec sleep 1000"), "what changes is told: {}", ended.err());
    cluster.wait_running(&job, 2);

    let id = result["id"].as_str().unwrap();
    cluster.run(&["update", "wait", &job, id]).expect(4);
    let info = cluster.run(&["update", "info", &job, id]).expect(0).out();
    for wanted in [
        &format!("Job: {job}, UpdateID: {id}\nStarted "),
        "Current status: ROLLED_BACK\nUpdate events:\n  Status: ROLLING_FORWARD at ",
        "\nInstance events:\n  Instance 0 at ",
        ": INSTANCE_ROLLED_BACK\n",
        "\nMetadata:\n  org.apache.aurora.client.update_id: ",
    ] {
        assert!(info.contains(wanted), "{wanted:?} is not in {info}");
    }
    let info = cluster.run(&["update", "info", &job, id, "--write-json"]).expect(0).json();
    assert_eq!(info["updateId"], id);
    assert_eq!(info["update_events"][0]["status"], "ROLLING_FORWARD");
    assert!(info["started"].is_i64(), "{info}");
    assert_eq!(updates(&cluster, "failed"), [(id.to_owned(), "ROLLED_BACK".to_owned())]);
    assert_eq!(updates(&cluster, "succeeded").len(), 1);
}

#[test]
fn c87_c95_c96_an_update_is_paused_resumed_rolled_back_and_given_up() {
    let cluster = Cluster::start();
    let job = job();
    let first = version(&cluster.home, "first.aurora", 1, "exec sleep 1000", 0);
    // It waits for a place that nobody has.
    let slow = version(&cluster.home, "slow.aurora", 1, "exec sleep 2000", 0);
    let text = std::fs::read_to_string(&slow).unwrap();
    let large = text.replace("cpu = 0.01", "cpu = 1000");
    assert_ne!(large, text);
    std::fs::write(&slow, large).unwrap();
    cluster.run(&["update", "start", &job, &first, "--wait"]).expect(0);
    for verb in ["pause", "resume", "abort", "rollback", "wait", "info"] {
        let refused = cluster.run(&["update", verb, &job]).expect(6).err();
        assert!(refused.contains(&format!("{job} has no active update")), "{refused}");
    }

    let started = cluster.run(&["update", "start", &job, &slow, "-o", "json"]).expect(0).json();
    let id = started["id"].as_str().unwrap().to_owned();
    let shown = cluster.run(&["update", "list", "test", "--status", "active"]).expect(0).out();
    let row: Vec<&str> = shown.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..3], [job.as_str(), &id, "ROLLING_FORWARD"]);
    let other = version(&cluster.home, "other.aurora", 1, "exec sleep 3000", 0);
    let again = cluster.run(&["update", "start", &job, &other]).expect(10).err();
    assert!(again.contains(&id), "which one is in the way: {again}");

    let mut waiting =
        Process::start(&mut cluster.home.aurora(&cluster.words(&["update", "wait", &job])));
    waiting.expect("Current state ROLLING_FORWARD");
    let said =
        |verb: &str| cluster.run(&["update", verb, &job, "-m", "look at it"]).expect(0).out();
    assert_eq!(said("pause"), "Update has been paused.\n");
    waiting.expect("Current state ROLL_FORWARD_PAUSED");
    assert_eq!(updates(&cluster, "paused"), [(id.clone(), "ROLL_FORWARD_PAUSED".to_owned())]);
    let info = cluster.run(&["update", "info", &job]).expect(0).out();
    assert!(info.contains("      message: look at it\n"), "{info}");
    assert_eq!(said("resume"), "Update has been resumed.\n");
    let back = cluster.run(&["update", "rollback", &job, "--wait", "-o", "json"]).expect(0);
    assert_eq!(back.json()["status"], "ROLLED_BACK");
    assert!(back.err().starts_with("Update rollback has started.\n"), "{}", back.err());
    // For who waits for the new version that is the other way.
    assert_eq!(waiting.ended(), 4);

    cluster.run(&["update", "start", &job, &slow]).expect(0);
    let id = updates(&cluster, "active")[0].0.clone();
    assert_eq!(said("abort"), "Update has been aborted.\n");
    let ended = cluster.run(&["update", "wait", &job, &id]).expect(20).err();
    assert!(ended.contains("the update has ended as ABORTED: look at it"), "{ended}");
}

#[test]
fn c93_only_the_instances_that_are_named_are_updated() {
    let cluster = Cluster::start();
    let job = job();
    let first = version(&cluster.home, "first.aurora", 3, "exec sleep 1000", 0);
    let second = version(&cluster.home, "second.aurora", 3, "exec sleep 2000", 0);
    cluster.run(&["update", "start", &job, &first, "--wait"]).expect(0);
    let some = format!("{job}/0,2");
    cluster.run(&["update", "start", &some, &second, "--wait"]).expect(0);
    let commands = || {
        let mut found: Vec<(u64, bool)> = cluster
            .active(&job)
            .iter()
            .map(|task| {
                (
                    task["assignedTask"]["instanceId"].as_u64().unwrap(),
                    task.to_string().contains("sleep 2000"),
                )
            })
            .collect();
        found.sort_unstable();
        found
    };
    wait_for("the instances", || (commands() == [(0, true), (1, false), (2, true)]).then_some(()));
}

#[test]
fn a_wait_outlives_the_scheduler() {
    let mut cluster = Cluster::start();
    let job = job();
    let first = version(&cluster.home, "first.aurora", 1, "exec sleep 1000", 0);
    let second = version(&cluster.home, "second.aurora", 1, "exec sleep 2000", 3);
    cluster.run(&["update", "start", &job, &first, "--wait"]).expect(0);
    let words = cluster.words(&["update", "start", &job, &second, "--wait"]);
    let mut waiting = Process::start(&mut cluster.home.aurora(&words));
    waiting.expect("Current state ROLLING_FORWARD");
    cluster.scheduler.kill();
    cluster.restart_scheduler();
    waiting.expect("Current state ROLLED_FORWARD");
    assert_eq!(waiting.ended(), 0);
}
