//! Instances that are added, killed and restarted, and pages that are shown (`client.md` 6, 13 and 15).

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use aurora_api::v1;
use tonic::Code;

use crate::support::cluster::{Cluster, task_id};
use crate::support::proxy::{Fault, Proxy};
use crate::support::{Home, Ran, role, service, wait_for};

/// A scheduler behind a proxy, and a browser that writes down what it is shown.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) proxy: Proxy,
    browser: PathBuf,
}

impl World {
    pub(crate) fn start() -> Self {
        let cluster = Cluster::start();
        let proxy = Proxy::before(&cluster.scheduler_address());
        let browser = cluster.home.path().join("browser");
        let script = format!("#!/bin/sh\necho \"$1\" >> {}/shown\n", cluster.home.path().display());
        std::fs::write(&browser, script).unwrap();
        std::fs::set_permissions(&browser, PermissionsExt::from_mode(0o755)).unwrap();
        Self { cluster, proxy, browser }
    }

    /// Creates a job and waits until it runs. Gives its key.
    pub(crate) fn create(&self, name: &str, instances: u32, command: &str) -> String {
        self.create_from(name, &service(&role(), name, instances, command))
    }

    pub(crate) fn create_from(&self, name: &str, text: &str) -> String {
        let key = key(name);
        let file = self.file(name, text);
        self.cluster.run(&["job", "create", &key, &file, "--wait-until", "RUNNING"]).expect(0);
        key
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.cluster.home.file(&format!("{name}.aurora"), text);
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command through the proxy, which has forgotten all before.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.proxy.forget();
        let proxy = self.proxy.address();
        let words = [words, &["--scheduler", &proxy]].concat();
        let mut command = self.cluster.home.aurora(&words);
        Ran(command.env("BROWSER", &self.browser).output().unwrap())
    }

    /// The instances of each call of a method that was made by the last command.
    pub(crate) fn killed(&self) -> Vec<Vec<u32>> {
        let sent: Vec<v1::KillTasksRequest> = self.proxy.sent("KillTasks");
        sent.into_iter().map(|call| call.instances).collect()
    }

    /// The same of restarts.
    pub(crate) fn restarted(&self) -> Vec<Vec<u32>> {
        let sent: Vec<v1::RestartTasksRequest> = self.proxy.sent("RestartTasks");
        sent.into_iter().map(|call| call.instances).collect()
    }

    /// The pages that the browser was shown since this was asked last.
    fn shown(&self) -> Vec<String> {
        let path = self.cluster.home.path().join("shown");
        let shown = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        shown.lines().map(ToOwned::to_owned).collect()
    }

    fn page(&self, key: &str) -> String {
        let path = key.strip_prefix("test").unwrap();
        format!("{}/scheduler{path}", self.cluster.scheduler_address())
    }

    /// The numbers of a job's active instances.
    pub(crate) fn instances(&self, key: &str) -> Vec<u64> {
        let instance = |task: &serde_json::Value| task["assignedTask"]["instanceId"].as_u64();
        self.cluster.active(key).iter().map(|task| instance(task).unwrap()).collect()
    }
}

pub(crate) fn key(name: &str) -> String {
    format!("test/{}/prod/{name}", role())
}

#[track_caller]
pub(crate) fn assert_says(text: &str, wanted: &str) {
    assert!(text.contains(wanted), "{wanted:?} is not in:\n{text}");
}

#[test]
fn c48_c49_c50_c57_c135_instances_are_added() {
    let world = World::start();
    let web = world.create("web", 2, "exec sleep 1000");
    let (first, second) = (format!("{web}/0"), format!("{web}/1"));

    // c48: like instance 1, and only the new ones are waited for.
    let added = world.run(&["job", "add", &second, "2", "--wait-until", "RUNNING"]).expect(0);
    assert_eq!(added.out(), "");
    let sent: Vec<v1::AddInstancesRequest> = world.proxy.sent("AddInstances");
    assert_eq!((sent.len(), sent[0].like, sent[0].count), (1, 1, 2));
    let watched: Vec<v1::WatchTasksRequest> = world.proxy.sent("WatchTasks");
    assert_eq!(watched[0].query.as_ref().unwrap().instances, [2, 3]);
    assert_eq!(world.cluster.wait_running(&web, 4).len(), 4);

    // c49
    let refused = world.run(&["job", "add", &format!("{web}/9"), "1"]).expect(6).err();
    assert_says(&refused, &format!("instance 9 of {web} is not active"));
    assert_eq!(world.proxy.calls("AddInstances"), 0);
    // c50
    world.proxy.plan("AddInstances", 1, Fault::refuse(Code::FailedPrecondition, "it is locked"));
    assert_says(&world.run(&["job", "add", &first, "1"]).expect(10).err(), "it is locked");
    // c135
    world.proxy.plan("ListTasks", 1, Fault::refuse(Code::InvalidArgument, "no questions"));
    world.run(&["job", "add", &first, "1"]).expect(6);
    assert_eq!(world.proxy.calls("AddInstances"), 0);
    // c3 and D27
    for (like, count) in [(&first, "0"), (&first, "-1"), (&web, "1"), (&format!("{web}/0-1"), "1")]
    {
        world.run(&["job", "add", like, count]).expect(2);
    }
    assert_eq!(world.instances(&web), [0, 1, 2, 3]);

    // A file that cannot be used ends it before anything is done; a result for programs.
    world.run(&["job", "add", &first, "1", "--config", "nothing"]).expect(3);
    assert_eq!(world.instances(&web), [0, 1, 2, 3]);
    let added = world.run(&["job", "add", &first, "1", "-o", "json"]).expect(0);
    assert_eq!(added.json(), serde_json::json!({ "job": web, "added": [4] }));
    // c57 of add: the page is shown.
    world.run(&["job", "add", &first, "1", "--open-browser"]).expect(0);
    assert_eq!(world.shown(), [world.page(&web)]);
}

#[test]
fn c31_to_c46_c135_to_c138_instances_are_killed() {
    let world = World::start();
    let web = world.create("web", 8, "exec sleep 1000");
    let these = |instances: &str| format!("{web}/{instances}");

    // c31
    assert_says(&world.run(&["job", "kill", &web]).expect(6).err(), "killall");
    // c34
    let strict = world.run(&["job", "kill", &these("0,77"), "--strict"]).expect(6).err();
    assert_says(&strict, "instances [77]");
    assert!(world.killed().is_empty());
    // c135
    world.proxy.plan("ListTasks", 1, Fault::refuse(Code::InvalidArgument, "no questions"));
    world.run(&["job", "kill", &these("0")]).expect(6);
    assert!(world.killed().is_empty());
    // D1
    for size in ["0", "-1"] {
        world.run(&["job", "kill", &these("0"), "--batch-size", size]).expect(2);
    }
    // c43: a configuration that cannot be used, or does not have the job, holds the kill back.
    let missing = world.cluster.home.path().join("missing.aurora");
    world.run(&["job", "kill", &these("0"), "--config", missing.to_str().unwrap()]).expect(3);
    let other = world.file("other", &service(&role(), "other", 1, "true"));
    world.run(&["job", "killall", &web, "--config", &other]).expect(3);
    assert!(world.proxy.all().is_empty(), "{:?}", world.proxy.all());

    // c36, c42 and c43: in batches, with the message, with a configuration that is right.
    let own = format!("{}/web.aurora", world.cluster.home.path().display());
    let words =
        ["job", "kill", &these("0-4"), "--batch-size", "2", "-m", "too many", "--config", &own];
    let killed = world.run(&words).expect(0);
    assert_eq!(world.killed(), [vec![0, 1], vec![2, 3], vec![4]]);
    assert_eq!(
        killed.out(),
        "Successfully killed instances [0, 1]\nSuccessfully killed instances [2, 3]\n\
         Successfully killed instances [4]\nJob kill succeeded\n"
    );
    let sent: Vec<v1::KillTasksRequest> = world.proxy.sent("KillTasks");
    assert!(sent.iter().all(|call| call.message.as_deref() == Some("too many")));
    // c38 and c46
    let none = world.run(&["job", "kill", &these("0,1"), "--open-browser"]).expect(0);
    assert_eq!(none.out(), "Job kill succeeded\n");
    assert!(world.killed().is_empty());
    assert_eq!(world.shown(), [world.page(&web)]);
    // c41: a refusal ends it at once, whatever may fail.
    world.proxy.plan("KillTasks", 1, Fault::refuse(Code::FailedPrecondition, "it is locked"));
    let words = ["job", "killall", &web, "--max-total-failures", "5"];
    assert_says(&world.run(&words).expect(10).err(), "it is locked");
    assert_eq!(world.killed().len(), 1);
    // c137, D24: what cannot be seen is not taken for an end.
    world.proxy.plan("WatchTasks", 1, Fault::refuse(Code::InvalidArgument, "look away"));
    let unseen = world.run(&["job", "kill", &these("5")]).expect(10);
    assert_says(
        &unseen.err(),
        &format!("error: instances [5] of {web} were told to end; look away"),
    );
    assert_eq!(unseen.out(), "");
    // c32, c44 and c136
    world.proxy.plan("KillTasks", 1, Fault::refuse(Code::InvalidArgument, "no"));
    world.run(&["job", "killall", &web, "--no-batching"]).expect(10);
    world.run(&["job", "killall", &web, "--no-batching"]).expect(0);
    assert_eq!(world.killed(), [Vec::<u32>::new()], "all, whichever there are by now");
    assert!(world.instances(&web).is_empty());
    // c37 and c138, D2
    let none = world.run(&["job", "killall", &web]).expect(0);
    assert_eq!(none.out(), "Job killall succeeded\n");
    assert_says(&none.err(), "has no active tasks to kill");
    world.run(&["job", "killall", &web, "--strict"]).expect(6);
}

#[test]
fn c47_the_number_in_an_sla_policy_is_told_to_stay() {
    let world = World::start();
    let policy = "sla_policy = CountSlaPolicy(count = 2, duration_secs = 60), environment = 'prod'";
    let text = service(&role(), "web", 22, "exec sleep 1000")
        .replace("environment = 'prod'", policy)
        .replace("prod'", "prod', tier = 'preferred'");
    let quota = format!("test/{}", role());
    world.cluster.run(&["quota", "set", &quota, "10", "1GB", "1GB"]).expect(0);
    let web = world.create_from("web", &text);
    let warning = "WARNING: the job's SLA policy asks for 2 instances; it is not adjusted";
    let added = world.run(&["job", "add", &format!("{web}/0"), "1"]).expect(0).out();
    assert!(added.starts_with(warning), "{added}");
    let killed = world.run(&["job", "kill", &format!("{web}/22")]).expect(0).out();
    assert!(killed.starts_with(warning), "{killed}");
    let killed = world.run(&["job", "kill", &format!("{web}/2"), "-o", "json"]).expect(0);
    assert_eq!(killed.json()["killed"], serde_json::json!([2]));
    assert_says(&killed.err(), "SLA policy");
    let all = world.run(&["job", "killall", &web]).expect(0).out();
    assert!(!all.contains("SLA"), "{all}");
}

#[test]
fn c51_to_c59_c62_c135_instances_are_restarted() {
    let world = World::start();
    let marker = world.cluster.home.file("well", "");
    let command = format!("test -e {} || exit 3; exec sleep 1000", marker.display());
    let web = world.create("web", 5, &command);
    let ids = || -> Vec<String> { world.cluster.active(&web).iter().map(task_id).collect() };

    // c51 and c52: each instance anew, two at a time, and well before the next.
    let before = ids();
    let words = ["job", "restart", &web, "--batch-size", "2", "--watch-secs", "1"];
    let done = world.run(&words).expect(0);
    assert_eq!(world.restarted(), [vec![0, 1], vec![2, 3], vec![4]]);
    assert_eq!(done.out(), format!("Job {web} restarted successfully\n"));
    let after = ids();
    assert!(after.len() == 5 && before.iter().all(|id| !after.contains(id)), "{after:?}");
    // c56
    let strict = world.run(&["job", "restart", &format!("{web}/0,9"), "--strict"]).expect(6).err();
    assert_says(&strict, "instances [9]");
    assert!(world.restarted().is_empty());
    // c53
    world.run(&["job", "restart", &web, "--max-total-failures=-1"]).expect(6);
    assert!(world.proxy.all().is_empty());
    // D1
    world.run(&["job", "restart", &web, "--batch-size", "0"]).expect(2);
    // c54 and c135
    world.proxy.plan("ListTasks", 1, Fault::refuse(Code::InvalidArgument, "no questions"));
    assert_says(&world.run(&["job", "restart", &web]).expect(10).err(), "no questions");
    assert!(world.restarted().is_empty());
    // c55
    world.proxy.plan("RestartTasks", 1, Fault::refuse(Code::FailedPrecondition, "it is locked"));
    let refused = world.run(&["job", "restart", &web]).expect(10);
    assert_says(&refused.err(), "it is locked");
    assert_eq!(refused.out(), "");
    // c57, and D15.
    let some = format!("{web}/1,3");
    let ignored = ["--force", "--healthcheck-interval-seconds", "1"];
    let words = ["job", "restart", &some, "--watch-secs", "0", "--open-browser"];
    let done = world.run(&[&words[..], &ignored].concat()).expect(0);
    assert_eq!(world.restarted(), [[1], [3]]);
    assert_eq!(world.shown(), [world.page(&web)]);
    assert_eq!(done.err().matches("has no effect").count(), 2, "{}", done.err());
    // A restart is done once however often it is asked for.
    world.proxy.plan("RestartTasks", 1, Fault::LostAfter);
    let words = ["job", "restart", &format!("{web}/0"), "--watch-secs", "0", "--retry-for", "60"];
    world.run(&words).expect(0);
    let sent: Vec<v1::RestartTasksRequest> = world.proxy.sent("RestartTasks");
    assert!(sent.len() == 2 && sent[0] == sent[1], "{sent:?}");

    // c59, D3: an instance that does not come up well is told, and ends it.
    std::fs::remove_file(&marker).unwrap();
    let words = ["job", "restart", &web, "--watch-secs", "20"];
    let failed = world.run(&words).expect(4);
    assert_eq!(world.restarted(), [[0]]);
    assert_eq!(failed.out(), "");
    for wanted in [
        "Instance 0 is not well: it has ended as FAILED",
        &format!("instances [0] of {web} have not come up well; [1, 2, 3, 4] were not restarted"),
    ] {
        assert_says(&failed.err(), wanted);
    }
    // c59, D25: as often as it may fail, and once more, though others may fail too.
    let one = format!("{web}/1");
    let often = ["--max-per-instance-failures", "2", "--max-total-failures", "1", "-o", "json"];
    let words = ["job", "restart", &one, "--watch-secs", "20"];
    let tolerated = world.run(&[&words[..], &often].concat()).expect(0);
    assert_eq!(world.restarted(), [[1], [1], [1]]);
    let result = tolerated.json();
    assert_eq!(
        (&result["failed"][0]["instance"], &result["restarted"]),
        (&1.into(), &serde_json::json!([]))
    );

    // c62, D4: one that never comes back is waited for as long as is said.
    let large = service(&role(), "large", 1, "exec sleep 1000").replace("cpu = 0.01", "cpu = 1000");
    let file = world.file("large", &large);
    world.cluster.run(&["job", "create", &key("large"), &file]).expect(0);
    let late = world.run(&["job", "restart", &key("large"), "--timeout", "2s"]).expect(9).err();
    assert_says(&late, "is not over after 2s: [0] are not done");

    // c58
    world.cluster.run(&["job", "killall", &web, "--no-batching"]).expect(0);
    let none = world.run(&["job", "restart", &web]).expect(0);
    assert_says(&none.err(), "has no active tasks to restart");
    assert!(!none.err().contains("did you mean"), "{}", none.err());
    assert_eq!(world.proxy.all().len(), 4, "how it is, whose scheduler it is, and what is like it");
}

#[test]
fn c12_c17_c57_c74_pages_are_shown() {
    let world = World::start();
    let owner = role();
    let file = world.file("web", &service(&owner, "web", 1, "exec sleep 1000"));
    let web = key("web");

    // c74: nothing is done to a job.
    for place in ["test", &format!("test/{owner}"), &format!("test/{owner}/prod"), &web] {
        let opened = world.run(&["job", "open", place]).expect(0);
        assert_eq!(opened.out(), format!("{}\n", world.page(place)));
        assert_eq!(world.shown(), [world.page(place)]);
        let other = world.proxy.all().into_iter().find(|call| !call.path.ends_with("/GetInfo"));
        assert!(other.is_none(), "{other:?}");
    }
    // c12, and c74 of more parts than there are.
    world.run(&["job", "open"]).expect(2);
    world.run(&["job", "open", &format!("{web}/0")]).expect(2);
    world.run(&["job", "open", "nocluster/a"]).expect(3);
    assert_eq!(
        world.run(&["update", "open", &web]).expect(0).out(),
        format!("{}\n", world.page(&web))
    );
    world.shown();

    // c17
    world.run(&["job", "create", &web, &file, "--open-browser"]).expect(0);
    assert_eq!(world.shown(), [world.page(&web)]);
    let next = world.file("next", &service(&owner, "web", 1, "exec sleep 2000"));
    world.run(&["update", "start", &web, &next, "--open-browser", "--strict"]).expect(0);
    assert_eq!(world.shown(), [world.page(&web)]);

    // Without a browser the page is told, and what was done has been done.
    let words = |words: &[&str]| -> Ran {
        let words = world.cluster.words(words);
        let mut command = world.cluster.home.aurora(&words);
        Ran(command.env("BROWSER", "/nowhere/browser").output().unwrap())
    };
    let refused = words(&["job", "open", &web]).expect(1);
    assert_eq!(refused.out(), format!("{}\n", world.page(&web)));
    assert_says(&refused.err(), "name one with $BROWSER");
    let killed = words(&["job", "killall", &key("other"), "--open-browser"]).expect(0);
    assert_says(&killed.err(), "failed to show");
}

#[test]
fn c15_c18_a_job_is_created_once_and_what_is_waited_for_is_seen() {
    let world = World::start();
    let file = world.file("web", &service(&role(), "web", 2, "exec sleep 1000"));
    let web = key("web");
    // c18
    world.proxy.plan("CreateJob", 1, Fault::refuse(Code::InvalidArgument, "not like this"));
    let refused = world.run(&["job", "create", &web, &file, "--wait-until", "RUNNING"]).expect(4);
    assert_says(&refused.err(), "not like this");
    assert_eq!((world.proxy.calls("CreateJob"), world.proxy.calls("WatchTasks")), (1, 0));
    // c15: one creation, one stream instead of polls.
    let created = world.run(&["job", "create", &web, &file, "--wait-until", "RUNNING"]).expect(0);
    assert_eq!((world.proxy.calls("CreateJob"), world.proxy.calls("WatchTasks")), (1, 1));
    assert_eq!(created.out(), format!("Job create succeeded: job url={}\n", world.page(&web)));
    assert_eq!(world.cluster.wait_running(&web, 2).len(), 2);

    // A job as JSON, which the original writes with `job inspect --write-json`.
    let json = format!(
        r#"{{"jobs": [{{"cluster": "test", "role": "{}", "environment": "prod", "name": "json",
            "task": {{"name": "json", "processes": [{{"name": "main", "cmdline": "exec sleep 1000"}}],
            "resources": {{"cpu": 0.01, "ram": 8388608, "disk": 8388608}}}}}}]}}"#,
        role()
    );
    let json = world.cluster.home.file("job.json", &json);
    let words = ["job", "create", &key("json"), json.to_str().unwrap(), "--read-json"];
    world.run(&words).expect(0);
    wait_for("the job of a JSON file", || (world.instances(&key("json")) == [0]).then_some(()));
}

/// The key and the instances are looked at before anything else.
#[test]
fn c1_to_c6_keys_are_refused_before_anything_is_asked() {
    let home = Home::new();
    for words in [
        // c1
        &["job", "kill", "c/r/e/n/3-0"][..],
        &["job", "restart", "c/r/e/n/0,3-0"],
        &["update", "start", "c/r/e/n/x", "none"],
        // c2
        &["job", "kill", ""],
        &["job", "restart", ""],
        // c3
        &["job", "add", "c/r/e/n", "1"],
        &["job", "add", "c/r/e/n/0-1", "1"],
        // c4 and c5
        &["job", "killall", "c/r"],
        &["job", "killall", "c/r/e"],
        &["job", "killall", "c/r/e/n/0"],
        &["update", "pause", "c/r/e"],
        &["cron", "start", "c/r/e/n/0"],
        &["job", "killall", "c/r r/e/n"],
        // c6
        &["job", "list", "c/r/e/n/0"],
        &["update", "list", "c/r/e/n/0"],
        &["job", "restart", "c/r/e"],
        &["job", "wait", "c/r/e/n"],
        &["job", "wait", "c/r/e/n", "--for", "luck"],
        &["job", "wait", "c/r/e/n", "--for", "running", "--timeout", "soon"],
    ] {
        home.run(words).expect(2);
    }
    // c73: only the parts after the cluster are patterns.
    home.run(&["job", "list", "dev*"]).expect(3);
}
