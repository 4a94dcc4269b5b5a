//! Commands that wait: for instances, for updates, and what ends them (`client.md` 7, 13, 15 and 18).

use std::os::unix::process::CommandExt;

use nix::sys::signal::Signal::SIGINT;
use tonic::Code;

use crate::support::cluster::Cluster;
use crate::support::process::Process;
use crate::support::proxy::{Fault, Proxy};
use crate::support::{Ran, role, service};

fn key(name: &str) -> String {
    format!("test/{}/prod/{name}", role())
}

fn file(cluster: &Cluster, name: &str, text: &str) -> String {
    cluster.home.file(&format!("{name}.aurora"), text).to_str().unwrap().to_owned()
}

/// Creates a job. Gives its key.
fn create(cluster: &Cluster, name: &str, text: &str) -> String {
    let file = file(cluster, name, text);
    cluster.run(&["job", "create", &key(name), &file]).expect(0);
    key(name)
}

fn batch(name: &str, command: &str) -> String {
    service(&role(), name, 1, command).replace("Service(", "Job(")
}

#[test]
fn a_condition_is_waited_for() {
    let cluster = Cluster::start();
    let wait = |key: &str, condition: &str, more: &[&str]| -> Ran {
        cluster.run(&[&["job", "wait", key, "--for", condition], more].concat())
    };
    let web = create(&cluster, "web", &service(&role(), "web", 3, "exec sleep 1000"));
    assert_eq!(wait(&web, "running", &[]).expect(0).out(), format!("{web} is running\n"));
    assert_eq!(cluster.active(&web).iter().filter(|task| task["status"] == "RUNNING").count(), 3);
    let json = wait(&web, "healthy", &["--stable-for", "1s", "-o", "json"]).expect(0).json();
    assert_eq!(json, serde_json::json!({ "job": web, "condition": "healthy" }));
    wait(&format!("{web}/0,2"), "RUNNING", &[]).expect(0);

    // What cannot come is not waited for, what is not there neither.
    let late = wait(&web, "finished", &["--timeout", "1s"]).expect(9).err();
    assert!(late.contains("is not so far after 1s: instance 0 is RUNNING"), "{late}");
    assert!(wait(&format!("{web}/7"), "running", &[]).expect(6).err().contains("[7]"));
    wait(&key("nothing"), "running", &[]).expect(6);
    wait(&key("nothing"), "gone", &[]).expect(0);
    wait(&web, "update", &[]).expect(6);

    let good = create(&cluster, "good", &batch("good", "exit 0"));
    wait(&good, "finished", &[]).expect(0);
    let bad = create(&cluster, "bad", &batch("bad", "echo oh no >&2; exit 3"));
    wait(&bad, "ended", &[]).expect(0);
    for condition in ["finished", "running"] {
        let never = wait(&bad, condition, &[]).expect(4).err();
        assert!(never.contains("instance 0 is FAILED") && never.contains("exit code 3"), "{never}");
    }

    // An instance that comes and goes is never well for long enough.
    let flaky = create(&cluster, "flaky", &service(&role(), "flaky", 1, "sleep 0.5; exit 1"));
    let late = wait(&flaky, "healthy", &["--stable-for", "4s", "--timeout", "4s"]);
    late.expect(9);
    let never = wait(&flaky, "healthy", &["--timeout", "4s"]).expect(2).err();
    assert!(never.contains("before anything has been well for 10s"), "{never}");

    // Somebody waits while somebody else kills.
    let words = cluster.words(&["job", "wait", &web, "--for", "gone"]);
    let mut waiting = Process::start(&mut cluster.home.aurora(&words));
    cluster.run(&["job", "killall", &web, "--no-batching"]).expect(0);
    assert_eq!(waiting.ended(), 0);
    waiting.expect(&format!("{web} is gone"));

    // A creation that is waited for has its limit too, and says what is missing.
    let large = service(&role(), "large", 1, "true").replace("cpu = 0.01", "cpu = 1000");
    let large = file(&cluster, "large", &large);
    let words =
        ["job", "create", &key("large"), &large, "--wait-until", "RUNNING", "--timeout", "2s"];
    let late = cluster.run(&words).expect(9).err();
    assert!(late.contains("instance 0 is PENDING (") && late.contains("CPU"), "{late}");
}

#[test]
fn c25_c154_a_wait_is_ended_by_ctrl_c_and_nothing_is_undone() {
    let cluster = Cluster::start();
    let large = service(&role(), "large", 1, "true").replace("cpu = 0.01", "cpu = 1000");
    let large = file(&cluster, "large", &large);
    let job = key("large");
    let end = |words: &[&str], seen: &str| {
        let words = cluster.words(words);
        let mut process = Process::start(&mut cluster.home.aurora(&words));
        process.expect(seen);
        process.signal(SIGINT);
        assert_eq!(process.ended(), 130);
        let lines = process.lines();
        let errors = lines.iter().filter(|line| line.starts_with("error: ")).count();
        assert!(
            errors == 1 && lines.last().unwrap().starts_with("error: interrupted"),
            "{lines:#?}"
        );
    };
    // c154 and E-10's way through: the update goes on.
    end(&["update", "start", &job, &large, "--wait"], "Current state ROLLING_FORWARD");
    end(&["update", "wait", &job], "Current state ROLLING_FORWARD");
    cluster.run(&["update", "info", &job]).expect(0);
    end(&["job", "status", &job, "--watch"], "PENDING");
    cluster.run(&["update", "abort", &job]).expect(0);
    end(&["job", "restart", &job], "Restarting instances [0]");
    assert_eq!(cluster.active(&job).len(), 1);

    // c25: before anything was sent nothing is sent. The scheduler gives no answer to who asks whose it is.
    let proxy = Proxy::before(&cluster.scheduler_address());
    proxy.plan("GetInfo", 1, Fault::Silent);
    let other = file(&cluster, "other", &service(&role(), "other", 1, "true"));
    let address = proxy.address();
    let words = ["job", "create", &key("other"), &other, "--scheduler", &address];
    let mut process = Process::start(cluster.home.aurora(&words).process_group(0));
    crate::support::wait_for("the question", || (proxy.calls("GetInfo") == 1).then_some(()));
    process.signal(SIGINT);
    assert_eq!(process.ended(), 130);
    assert_eq!(proxy.calls("CreateJob"), 0);
}

#[test]
fn c95_c97_an_update_is_waited_for_as_long_as_is_said() {
    let cluster = Cluster::start();
    let web = key("web");
    let update = "update_config = UpdateConfig(watch_secs = 0), environment = 'prod'";
    let version = |name: &str, seconds: u32| {
        let text = service(&role(), "web", 2, &format!("exec sleep {seconds}"));
        file(&cluster, name, &text.replace("environment = 'prod'", update))
    };
    let first = version("first", 1000);
    // c97: a line for each state, in their order.
    let started = cluster.run(&["update", "start", &web, &first, "--wait"]).expect(0);
    let states: Vec<String> = started
        .out()
        .lines()
        .filter_map(|line| line.strip_prefix("Current state ").map(ToOwned::to_owned))
        .collect();
    assert_eq!(states, ["ROLLING_FORWARD", "ROLLED_FORWARD"]);
    // The last update counts for who waits for one.
    cluster.run(&["job", "wait", &web, "--for", "update"]).expect(0);

    // D15: options of before are taken, and said to have no effect, once each.
    let second = version("second", 2000);
    let words =
        ["update", "start", &web, &second, "--strict", "--healthcheck-interval-seconds", "3"];
    let started = cluster.run(&[&words[..], &["--wait"]].concat()).expect(0).err();
    assert_eq!(started.matches("has no effect").count(), 2, "{started}");

    let large = version("large", 3000);
    let text = std::fs::read_to_string(&large).unwrap().replace("cpu = 0.01", "cpu = 1000");
    std::fs::write(&large, text).unwrap();
    let words = ["update", "start", &web, &large, "--wait", "--timeout", "2s"];
    let late = cluster.run(&words).expect(9).err();
    assert!(late.contains("is not over after 2s; it goes on"), "{late}");
    cluster.run(&["update", "wait", &web, "--timeout", "1s"]).expect(9);
    cluster.run(&["job", "wait", &web, "--for", "update", "--timeout", "1s"]).expect(9);

    // The events as they come, as lines of text and of JSON, until it is over.
    let words = cluster.words(&["update", "info", &web, "--watch", "-o", "json"]);
    let mut json = Process::start(&mut cluster.home.aurora(&words));
    json.expect("\"ROLLING_FORWARD\"");
    let words = cluster.words(&["update", "info", &web, "--watch"]);
    let mut text = Process::start(&mut cluster.home.aurora(&words));
    text.expect("Status: ROLLING_FORWARD");
    cluster.run(&["update", "rollback", &web, "-m", "no room"]).expect(0);
    assert_eq!((json.ended(), text.ended()), (0, 0));
    text.expect("message: no room");
    text.expect("Status: ROLLED_BACK");
    let lines = json.lines();
    let events: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["status"] == "ROLLED_BACK"), "{events:#?}");
    assert!(events.iter().any(|event| event["action"] == "INSTANCE_ROLLING_BACK"), "{events:#?}");

    // c95: what the scheduler refuses is no success.
    let proxy = Proxy::before(&cluster.scheduler_address());
    proxy.plan("ListUpdates", 1, Fault::refuse(Code::InvalidArgument, "not now"));
    proxy.run(&cluster.home, &["update", "wait", &web]).expect(10);
    // c97
    proxy.run(&cluster.home, &["update", "wait", &web]).expect(6);
}

#[test]
fn a_wait_goes_on_when_the_scheduler_comes_back() {
    let mut cluster = Cluster::start();
    let slow = create(&cluster, "slow", &batch("slow", "sleep 6"));
    cluster.wait_running(&slow, 1);
    let words =
        cluster.words(&["job", "wait", &slow, "--for", "finished", "--timeout", "60s", "-v"]);
    let mut waiting = Process::start(&mut cluster.home.aurora(&words));
    // It has begun to wait: the connection is what is lost, not the beginning.
    waiting.expect("WatchTasks");
    cluster.scheduler.kill();
    cluster.restart_scheduler();
    assert_eq!(waiting.ended(), 0, "{:?}", waiting.lines());
    let watches = waiting.lines().iter().filter(|line| line.contains("WatchTasks")).count();
    assert!(watches > 1, "what was lost is begun again: {:?}", waiting.lines());
}
