//! `aurora why`: what instances wait for and what they died of.

use serde_json::Value;

use crate::support::cluster::Cluster;
use crate::support::{role, service, wait_for};

fn key(name: &str) -> String {
    format!("test/{}/prod/{name}", role())
}

fn create(cluster: &Cluster, name: &str, text: &str) -> String {
    let file = cluster.home.file(&format!("{name}.aurora"), text);
    cluster.run(&["job", "create", &key(name), file.to_str().unwrap()]).expect(0);
    key(name)
}

#[track_caller]
fn assert_says(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted:?} is not in:\n{text}");
    }
}

#[test]
fn why_a_job_waits_or_has_died_is_told() {
    let mut cluster = Cluster::start();
    let why = |cluster: &Cluster, key: &str| cluster.run(&["why", key]).expect(0).out();

    // It waits for room that nobody has.
    let large = service(&role(), "large", 3, "true").replace("cpu = 0.01", "cpu = 1000");
    let large = create(&cluster, "large", &large);
    let told = wait_for("the reason", || {
        let told = why(&cluster, &large);
        told.contains("too little CPU").then_some(told).or_else(|| {
            let told = why(&cluster, &large);
            told.contains("Insufficient").then_some(told)
        })
    });
    assert_says(
        &told,
        &[&large, "Instances 0-2 are PENDING for", "waits: ", "CPU", "next: ask for less"],
    );
    let json = cluster.run(&["job", "why", &format!("{large}/1"), "-o", "json"]).expect(0).json();
    let case = &json["instances"][0];
    assert_eq!((&case["instances"], &case["condition"]), (&"1".into(), &"waiting".into()));
    assert_eq!(case["waits"]["vetoes"][0]["kind"], "resources");
    assert_eq!(json["update"], Value::Null);

    // It died, with a status and last words.
    let failing = service(
        &role(),
        "failing",
        1,
        "for i in 1 2 3 4 5 6 7 8; do echo line $i >&2; done; echo disk is full >&2; exit 7",
    );
    let failing = create(&cluster, "failing", &failing.replace("Service(", "Job("));
    cluster.run(&["job", "wait", &failing, "--for", "ended"]).expect(0);
    let told = why(&cluster, &failing);
    assert_says(
        &told,
        &[
            "Instance 0 has ended as FAILED",
            "failed with exit code 7",
            // More than the executor has told the scheduler.
            "    stderr | line 1\n    stderr | line 2\n",
            "stderr | disk is full",
            "what happened to that run:",
            "next: ",
        ],
    );
    let yaml = cluster.run(&["why", &failing, "-o", "yaml"]).expect(0).out();
    assert_says(&yaml, &["exit_code: 7", "condition: dead"]);
    let json = cluster.run(&["why", &failing, "-o", "json"]).expect(0).json();
    let death = &json["instances"][0]["death"];
    assert_eq!((&death["exit_code"], &death["stderr"][8]), (&7.into(), &"disk is full".into()));

    // Without its agent there is what the executor has said.
    cluster.agent.kill();
    let told = why(&cluster, &failing);
    assert_says(&told, &["stderr | disk is full", "no more of its stderr can be read: "]);
    cluster.restart_agent();
    cluster.wait_registered();

    // It dies again and again.
    let flapping = create(&cluster, "flapping", &service(&role(), "flapping", 1, "exit 127"));
    let told = wait_for("the second end", || {
        let told = why(&cluster, &flapping);
        (told.contains("THROTTLED") && told.contains("times so far")).then_some(told)
    });
    assert_says(&told, &["begun anew later", "exit code 127", "a command is not there"]);

    // An update that was undone, beside what runs well.
    let version = |name: &str, command: &str| {
        let update = "update_config = UpdateConfig(watch_secs = 3), environment = 'prod'";
        let text = service(&role(), "web", 1, command).replace("environment = 'prod'", update);
        cluster.home.file(name, &text).to_str().unwrap().to_owned()
    };
    let web = key("web");
    let good = version("good.aurora", "exec sleep 1000");
    cluster.run(&["update", "start", &web, &good, "--wait"]).expect(0);
    assert!(!why(&cluster, &web).contains("Update"), "{}", why(&cluster, &web));
    let bad = version("bad.aurora", "exit 3");
    cluster.run(&["update", "start", &web, &bad, "--wait"]).expect(4);
    assert_says(
        &why(&cluster, &web),
        &["is ROLLED_BACK", "instance 0 has failed in it", "aurora update info"],
    );

    // A cron job, and what is not there.
    let nightly = service(&role(), "nightly", 1, "true").replace("Service(", "Job(");
    let nightly = nightly
        .replace("environment = 'prod'", "cron_schedule = '30 2 * * *', environment = 'prod'");
    let file = cluster.home.file("nightly.aurora", &nightly);
    cluster.run(&["cron", "schedule", &key("nightly"), file.to_str().unwrap()]).expect(0);
    assert_says(
        &why(&cluster, &key("nightly")),
        &["Cron job, \"30 2 * * *\": due next at ", "T02:30:00Z"],
    );
    let none = cluster.run(&["why", &key("nothing")]).expect(6).err();
    assert_says(&none, &["has no tasks", "aurora job list test"]);
}
