//! `aurora deploy`: from a pipeline and from a terminal, repeated, interrupted, and without a scheduler for a while.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::process::Process;
use crate::support::proxy::{Fault, Proxy};
use crate::support::tmux::Terminal;
use crate::support::{Ran, role, service, wait_for};

fn key(name: &str) -> String {
    format!("test/{}/prod/{name}", role())
}

/// Writes a service whose instances must stay up for so many seconds, and gives the file's path.
fn write(cluster: &Cluster, instances: u32, command: &str, watch_secs: u32) -> String {
    let update =
        format!("update_config = UpdateConfig(watch_secs = {watch_secs}), environment = 'prod'");
    let text = service(&role(), "web", instances, command).replace("environment = 'prod'", &update);
    cluster.home.file("web.aurora", &text).to_str().unwrap().to_owned()
}

/// The summary that a deployment has written.
fn summary(cluster: &Cluster) -> Value {
    serde_json::from_slice(&std::fs::read(cluster.home.path().join("summary.json")).unwrap())
        .unwrap()
}

fn statuses(cluster: &Cluster) -> Vec<String> {
    let listed = cluster.run(&["update", "list", &key("web"), "-o", "json"]).expect(0).json();
    let status = |it: &Value| it["status"].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(status).collect()
}

/// Starts a deployment that a pipeline would, which goes on beside the test.
fn start(cluster: &Cluster, more: &[&str]) -> Process {
    let file = cluster.home.path().join("web.aurora");
    let key = key("web");
    let words = [&["deploy", &key, file.to_str().unwrap(), "--yes"], more].concat();
    Process::start(&mut cluster.home.aurora(&cluster.words(&words)))
}

#[test]
fn a_service_is_deployed_again_and_again() {
    let cluster = Cluster::start();
    let key = key("web");
    let path = cluster.home.path().join("summary.json");
    let path = path.to_str().unwrap();
    let file = write(&cluster, 2, "exec sleep 1000", 0);
    let deploy = |more: &[&str]| -> Ran {
        cluster.run(&[&["deploy", &key, &file, "--yes", "--summary", path], more].concat())
    };

    // Nobody can be asked here.
    let unasked = cluster.run(&["deploy", &key, &file]).expect(2).err();
    assert!(unasked.contains("give --yes"), "{unasked}");

    let first = deploy(&["-m", "version 1"]).expect(0);
    assert!(first.out().contains("would be created:\n  + [0-1] new\n"), "{}", first.out());
    assert!(
        first.out().contains(&format!("\n{key} has been deployed. Its page: http://")),
        "{}",
        first.out()
    );
    assert!(first.err().contains("ROLLED_FORWARD: 2 of 2 done"), "{}", first.err());
    let told = summary(&cluster);
    for (field, wanted) in [
        ("version", json!(1)),
        ("job", json!(key)),
        ("result", json!("deployed")),
        ("exit_code", json!(0)),
        ("status", json!("ROLLED_FORWARD")),
        ("changes", json!({ "add": 2, "change": 0, "remove": 0, "unchanged": 0 })),
        ("instances", json!({ "total": 2, "good": 2, "failed": 0 })),
        ("message", json!(null)),
    ] {
        assert_eq!(told[field], wanted, "{field} of {told}");
    }
    cluster.wait_running(&key, 2);
    let info =
        cluster.run(&["update", "info", &key, told["update_id"].as_str().unwrap()]).expect(0).out();
    assert!(info.contains("message: version 1\n"), "{info}");

    // Nothing to change is no failure and no update.
    let again = deploy(&["-o", "json"]).expect(0);
    assert_eq!(again.json()["result"], "unchanged");
    assert_eq!(again.json(), summary(&cluster), "both are the same");
    assert_eq!(statuses(&cluster), ["ROLLED_FORWARD"]);

    // What was planned otherwise is not deployed.
    let plan = |file: &str| {
        let plan = cluster.run(&["plan", &key, file, "-o", "json"]).expect(0).json();
        plan["id"].as_str().unwrap().to_owned()
    };
    write(&cluster, 1, "exec sleep 2000", 0);
    let id = plan(&file);
    write(&cluster, 2, "exec sleep 2000", 0);
    let refused = deploy(&["--check-plan", &id]).expect(4).err();
    assert!(refused.contains("is not what was planned"), "{refused}");
    assert_eq!(
        (&summary(&cluster)["result"], &summary(&cluster)["exit_code"]),
        (&json!("refused"), &json!(4))
    );
    deploy(&["--check-plan", &plan(&file), "-o", "yaml"]).expect(0);
    assert_eq!(summary(&cluster)["changes"]["change"], 2);

    // What is no good is rolled back, and that is told.
    write(&cluster, 2, "exit 3", 5);
    let bad = deploy(&["-o", "json"]).expect(4);
    assert_eq!(
        (&bad.json()["result"], &bad.json()["status"]),
        (&json!("rolled_back"), &json!("ROLLED_BACK"))
    );
    // What it came to on the way there is told, not what became of the way back.
    assert_eq!(bad.json()["instances"], json!({ "total": 2, "good": 0, "failed": 1 }));
    assert!(bad.err().contains("ROLLED_BACK: 2 of 2 rolled back"), "{}", bad.err());
    assert!(
        bad.err().contains("is not what the file says: the update has ended as ROLLED_BACK"),
        "{}",
        bad.err()
    );
    let message = bad.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("exited. `aurora update info "), "{message}");
    cluster.wait_running(&key, 2);

    // A file that cannot be used leaves a summary, too.
    cluster.home.file("web.aurora", "jobs = [");
    deploy(&[]).expect(3);
    assert_eq!(
        (&summary(&cluster)["result"], &summary(&cluster)["exit_code"]),
        (&json!("error"), &json!(3))
    );
}

#[test]
fn a_deployment_that_goes_on_is_joined_and_outlives_its_scheduler() {
    let mut cluster = Cluster::start();
    let key = key("web");
    let file = write(&cluster, 1, "exec sleep 1000", 0);
    cluster.run(&["deploy", &key, &file, "--yes"]).expect(0);

    // It is not over before it has run for a while.
    let plan = || {
        let plan = cluster.run(&["plan", &key, &file, "-o", "json"]).expect(0).json();
        plan["id"].as_str().unwrap().to_owned()
    };
    write(&cluster, 1, "exec sleep 3000", 8);
    let other_plan = plan();
    write(&cluster, 1, "exec sleep 2000", 12);
    let planned = plan();
    let step = ["--idempotency-key", "commit-1", "--check-plan", &planned];
    let mut first = start(&cluster, &step);
    first.expect("ROLLING_FORWARD: ");
    // What was planned is not what runs any more, by this very deployment.
    wait_for("another plan", || (plan() != planned).then_some(()));
    // A step that is repeated follows; without a key of its own, or with another, it is not the same.
    let mut second = start(&cluster, &step);
    second.expect("This deployment goes on already, as update ");
    let words = ["deploy", &key, &file, "--yes", "--idempotency-key", "commit-1"];
    let other = cluster.run(&[&words[..], &["--check-plan", &other_plan]].concat());
    let other = other.expect(4).err();
    assert!(other.contains("is not what was planned"), "{other}");
    let other = cluster.run(&["deploy", &key, &file, "--yes", "--idempotency-key", "commit-2"]);
    let other = other.expect(4).err();
    assert!(other.contains("with the idempotency key commit-1"), "{other}");
    let started = cluster.run(&[
        "deploy",
        &key,
        &file,
        "--yes",
        "--no-wait",
        "--idempotency-key",
        "commit-1",
    ]);
    assert!(started.expect(0).out().contains("is being deployed"));

    cluster.scheduler.kill();
    cluster.restart_scheduler();
    for process in [&mut first, &mut second] {
        process.expect("ROLLED_FORWARD: 1 of 1 done");
        assert_eq!(process.ended(), 0, "{:?}", process.lines());
    }
    assert_eq!(statuses(&cluster), ["ROLLED_FORWARD", "ROLLED_FORWARD"]);

    // The content is the key of who gives none.
    write(&cluster, 1, "exec sleep 3000", 8);
    let mut first = start(&cluster, &[]);
    first.expect("ROLLING_FORWARD: ");
    let mut second = start(&cluster, &[]);
    second.expect("This deployment goes on already");
    for process in [&mut first, &mut second] {
        assert_eq!(process.ended(), 0, "{:?}", process.lines());
    }
    // The key of something else does not make it that.
    write(&cluster, 1, "exec sleep 4000", 8);
    let mut first = start(&cluster, &["--idempotency-key", "k"]);
    first.expect("ROLLING_FORWARD: ");
    write(&cluster, 1, "exec sleep 5000", 8);
    let other =
        cluster.run(&["deploy", &key, &file, "--yes", "--idempotency-key", "k"]).expect(4).err();
    assert!(other.contains("brings the job to something else"), "{other}");
    assert_eq!(first.ended(), 0);
    assert_eq!(statuses(&cluster).len(), 4);
}

/// One that ends while a repeated step makes up its mind has left nothing to do.
#[test]
fn a_deployment_may_end_while_it_is_repeated() {
    let cluster = Cluster::start();
    let key = key("web");
    let file = write(&cluster, 2, "exec sleep 1000", 0);
    cluster.run(&["deploy", &key, &file, "--yes"]).expect(0);
    // The second instance is still what it was when the step is repeated.
    write(&cluster, 2, "exec sleep 2000", 4);
    let plan = cluster.run(&["plan", &key, &file, "-o", "json"]).expect(0).json();
    let planned = plan["id"].as_str().unwrap();
    let mut first = start(&cluster, &["--check-plan", planned]);
    first.expect("ROLLING_FORWARD: ");
    let proxy = Proxy::before(&cluster.scheduler_address());
    let address = proxy.address();
    // The look that comes after the plan.
    proxy.plan("ListUpdates", 1, Fault::Late(Duration::ZERO));
    proxy.plan("ListUpdates", 1, Fault::Late(Duration::from_secs(30)));
    let words = ["deploy", &key, &file, "--yes", "--check-plan", planned, "--scheduler", &address];
    let mut second = Process::start(&mut cluster.home.aurora(&words));
    wait_for("the question", || (proxy.calls("ListUpdates") == 2).then_some(()));
    assert_eq!(statuses(&cluster)[0], "ROLLING_FORWARD");
    for process in [&mut first, &mut second] {
        assert_eq!(process.ended(), 0, "{:?}", process.lines());
    }
    second.expect("there is nothing to deploy");
    assert_eq!(statuses(&cluster).len(), 2);
}

#[test]
fn a_deployment_is_left_paused_or_aborted_when_its_time_is_over_or_it_is_interrupted() {
    let cluster = Cluster::start();
    let key = key("web");
    let file = write(&cluster, 1, "exec sleep 1000", 0);
    cluster.run(&["deploy", &key, &file, "--yes"]).expect(0);
    write(&cluster, 1, "exec sleep 2000", 600);
    let path = cluster.home.path().join("summary.json");
    let timed_out = |more: &[&str]| {
        let words = [
            "deploy",
            &key,
            &file,
            "--yes",
            "--timeout",
            "5s",
            "--summary",
            path.to_str().unwrap(),
        ];
        let said = cluster.run(&[&words, more].concat()).expect(9).err();
        assert_eq!(
            (&summary(&cluster)["result"], &summary(&cluster)["exit_code"]),
            (&json!("timed_out"), &json!(9))
        );
        said
    };
    // What was done of it last is what the summary tells.
    let status = || {
        let now = statuses(&cluster)[0].clone();
        assert_eq!(summary(&cluster)["status"], json!(now));
        now
    };
    let said = timed_out(&[]);
    assert!(
        said.contains("it is not over after 5s: update ") && said.contains("goes on by itself"),
        "{said}"
    );
    assert_eq!(status(), "ROLLING_FORWARD");
    let said = timed_out(&["--on-timeout", "pause"]);
    assert!(said.contains("was paused; `aurora update resume"), "{said}");
    assert_eq!(status(), "ROLL_FORWARD_PAUSED");
    // Who follows what is paused is told what lets it go on, as is who does not wait.
    let resume = format!("is paused; `aurora update resume {key}` lets it go on");
    let words = ["deploy", &key, &file, "--yes", "--no-wait"];
    let joined = cluster.run(&words).expect(0).err();
    assert_eq!(joined.matches(&resume).count(), 1, "{joined}");
    let said = timed_out(&["--on-timeout", "abort"]);
    assert_eq!(said.matches(&resume).count(), 1, "{said}");
    assert!(said.contains("was aborted"), "{said}");
    assert_eq!(status(), "ABORTED");

    // Without a terminal it is left, unless it was said otherwise.
    write(&cluster, 1, "exec sleep 3000", 600);
    for (signal, more, after) in [
        (Signal::SIGINT, &[][..], "ROLLING_FORWARD"),
        (Signal::SIGTERM, &["--on-interrupt", "pause"], "ROLL_FORWARD_PAUSED"),
        (Signal::SIGINT, &["--on-interrupt", "abort"], "ABORTED"),
    ] {
        let more = [more, &["--summary", path.to_str().unwrap()]].concat();
        let mut process = start(&cluster, &more);
        process.expect(": 0 of 1 done");
        process.signal(signal);
        assert_eq!(process.ended(), 130, "{:?}", process.lines());
        assert_eq!(status(), after);
    }
}

/// What is interrupted before it begins has changed nothing; what was asked for is heard of first, unless whoever
/// interrupts does not want to wait for that.
#[test]
fn an_interruption_is_heeded_when_it_is_known_what_has_begun() {
    let cluster = Cluster::start();
    write(&cluster, 1, "exec sleep 1000", 600);
    let proxy = Proxy::before(&cluster.scheduler_address());
    let address = proxy.address();
    let path = cluster.home.path().join("summary.json");
    let (file, key) = (cluster.home.path().join("web.aurora"), key("web"));
    let words = ["deploy", &key, file.to_str().unwrap(), "--yes", "--scheduler", &address];
    let words = [&words[..], &["--summary", path.to_str().unwrap()]].concat();
    let deploy = || Process::start(&mut cluster.home.aurora(&words));
    let asked = |method: &str, times: usize| {
        wait_for(method, || (proxy.calls(method) >= times).then_some(()));
    };

    // A registry that says nothing is asked for an image before anything else.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let entry = format!(
        "[{{\"name\": \"test\", \"scheduler_uri\": \"{address}\", \"docker_registry\": \"http://{}\"}}]",
        silent.local_addr().unwrap()
    );
    let clusters = cluster.home.file("registry.json", &entry);
    let image = ", container = Docker(image = '{{docker.image[a][1]}}')";
    let text = service(&role(), "web", 1, "true")
        .replace("environment = 'prod'", &format!("environment = 'prod'{image}"));
    let boxed = cluster.home.file("boxed.aurora", &text);
    let words = ["deploy", &key, boxed.to_str().unwrap(), "--yes", "--clusters"];
    let summary_file = ["--summary", path.to_str().unwrap()];
    let words = [&words[..], &[clusters.to_str().unwrap()], &summary_file].concat();
    let mut process = Process::start(&mut cluster.home.aurora(&words));
    process.expect("Looking up the image a:1");
    let _asked = silent.accept().unwrap();
    process.signal(Signal::SIGINT);
    process.expect("interrupted before anything was begun");
    assert_eq!(process.ended(), 130);
    assert_eq!(summary(&cluster)["result"], "interrupted");

    proxy.plan("ListUpdates", 1, Fault::Silent);
    let mut process = deploy();
    asked("ListUpdates", 1);
    process.signal(Signal::SIGTERM);
    process.expect("interrupted before anything was begun");
    assert_eq!(process.ended(), 130);
    assert_eq!(summary(&cluster)["result"], "interrupted");
    assert!(statuses(&cluster).is_empty());

    proxy.plan("StartUpdate", 1, Fault::Silent);
    let mut process = deploy();
    asked("StartUpdate", 1);
    process.signal(Signal::SIGTERM);
    process.expect("interrupt again not to wait for the answer");
    process.signal(Signal::SIGINT);
    process.expect("whether the deployment has begun is not known; `aurora update list ");
    assert_eq!(process.ended(), 130);
    assert!(statuses(&cluster).is_empty());

    proxy.plan("StartUpdate", 1, Fault::Late(Duration::from_secs(10)));
    let mut process = deploy();
    asked("StartUpdate", 2);
    process.signal(Signal::SIGTERM);
    process.expect("interrupt again not to wait for the answer");
    process.expect("goes on by itself");
    assert_eq!(process.ended(), 130);
    assert_eq!(summary(&cluster)["result"], "interrupted");
    assert!(summary(&cluster)["update_id"].is_string(), "{}", summary(&cluster));
    assert_eq!(statuses(&cluster), ["ROLLING_FORWARD"]);
}

#[test]
fn batch_jobs_run_to_their_end_and_cron_jobs_are_scheduled() {
    let cluster = Cluster::start();
    let batch = |name: &str, command: &str, more: &str| {
        let text = service(&role(), name, 2, command).replace("Service(", "Job(");
        let text = text.replace("environment = 'prod'", &format!("environment = 'prod'{more}"));
        cluster.home.file(&format!("{name}.aurora"), &text).to_str().unwrap().to_owned()
    };
    let good = batch("good", "echo {{mesos.instance}}", "");
    let ran = cluster.run(&["deploy", &key("good"), &good, "--yes", "-o", "json"]).expect(0).json();
    assert_eq!(
        (&ran["result"], &ran["instances"]),
        (&json!("finished"), &json!({ "total": 2, "good": 2, "failed": 0 }))
    );
    let bad = batch("bad", "test {{mesos.instance}} = 0", "");
    let ran = cluster.run(&["deploy", &key("bad"), &bad, "--yes", "-o", "json"]).expect(4);
    assert_eq!(ran.json()["instances"], json!({ "total": 2, "good": 1, "failed": 1 }));
    assert!(ran.err().contains("1 of 2 instances of"), "{}", ran.err());
    // The same run is not made twice by who says that it is the same.
    let once = ["deploy", &key("good"), &good, "--yes", "--idempotency-key", "build-7"];
    cluster.run(&once).expect(0);
    let runs = || {
        cluster.run(&["job", "status", &key("good"), "-o", "json"]).expect(0).json()[0]["inactive"]
            .as_array()
            .unwrap()
            .len()
    };
    let before = runs();
    cluster.run(&once).expect(0);
    assert_eq!(runs(), before, "nothing has run again");

    let nightly = batch("nightly", "true", ", cron_schedule = '0 3 * * *'");
    let deploy = || {
        cluster.run(&["deploy", &key("nightly"), &nightly, "--yes", "-o", "json"]).expect(0).json()
    };
    assert_eq!(deploy()["result"], "scheduled");
    assert_eq!(deploy()["result"], "unchanged");
    batch("nightly", "true", ", cron_schedule = '0 4 * * *'");
    assert_eq!(deploy()["result"], "scheduled");
    let shown = cluster.run(&["cron", "show", &key("nightly")]).expect(0).out();
    assert!(shown.contains("0 4 * * *"), "{shown}");
    // Instances that still run are not replaced.
    let long = batch("good", "exec sleep 1000", "");
    cluster.run(&["deploy", &key("good"), &long, "--yes", "--no-wait"]).expect(0);
    let other = batch("good", "exec sleep 2000", "");
    let refused = cluster.run(&["deploy", &key("good"), &other, "--yes"]).expect(4).err();
    assert!(refused.contains("was not deployed"), "{refused}");
    wait_for("the instances", || (cluster.active(&key("good")).len() == 2).then_some(()));
}

#[test]
fn on_a_terminal_it_asks_before_it_begins_and_when_it_is_interrupted() {
    let cluster = Cluster::start();
    let key = key("web");
    let file = write(&cluster, 1, "exec sleep 1000", 600);
    let words = cluster.words(&["deploy", &key, &file]);
    let deploy = || Terminal::start(&cluster.home, &words, 120, 40);
    let status = || statuses(&cluster)[0].clone();

    let terminal = deploy();
    terminal.expect("Deploy this? [y/N]");
    terminal.press("Enter");
    terminal.expect("was not deployed: nobody said yes");
    terminal.expect("status 4");
    assert!(statuses(&cluster).is_empty());

    let terminal = deploy();
    terminal.expect("Deploy this? [y/N]");
    terminal.press("y");
    terminal.press("Enter");
    terminal.expect("0 of 1 done");
    terminal.press("C-c");
    terminal.expect("Shall it be [l]eft, [p]aused or [a]borted?");
    terminal.press("x");
    terminal.press("Enter");
    terminal.expect("Type l, p or a.");
    terminal.press("p");
    terminal.press("Enter");
    terminal.expect("was paused; `aurora update resume");
    terminal.expect("status 130");
    assert_eq!(status(), "ROLL_FORWARD_PAUSED");

    // What goes on already needs no answer; a second Ctrl-C leaves it at once.
    let terminal = deploy();
    terminal.expect("This deployment goes on already");
    terminal.expect("0 of 1 done");
    terminal.press("C-c");
    terminal.expect("Shall it be");
    terminal.press("C-c");
    terminal.expect("goes on by itself; `aurora update wait");
    terminal.expect("status 130");
    assert_eq!(status(), "ROLL_FORWARD_PAUSED");

    let terminal = deploy();
    terminal.expect("0 of 1 done");
    terminal.press("C-c");
    terminal.expect("Shall it be");
    terminal.press("a");
    terminal.press("Enter");
    terminal.expect("was aborted");
    terminal.expect("status 130");
    assert_eq!(status(), "ABORTED");
}
