//! The end-to-end scenarios of Apache Aurora's own test scripts that are about no single command (`client.md` 16, by
//! their numbers); the others stand beside the commands that they are about.

use serde_json::Value;

use crate::mesos::{Mesos, executor, scheduler};
use crate::support::cluster::{Cluster, Flags, task_id};
use crate::support::{free_port, get, request, role, service, skip, wait_for};

/// The states of a job's active instances, by instance.
fn states(cluster: &Cluster, job: &str) -> Vec<String> {
    cluster.active(job).iter().map(|task| task["status"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the active instances of a job are in these states.
fn wait_states(cluster: &Cluster, job: &str, wanted: &[&str]) {
    wait_for(&format!("{job} to be {wanted:?}"), || (states(cluster, job) == wanted).then_some(()));
}

#[test]
fn e2_instances_of_lost_agents_are_replaced_as_their_job_says() {
    let mut cluster = Cluster::start_with(Flags {
        master: &["--agent-ping-timeout", "500ms", "--max-agent-ping-timeouts", "2"],
        ..Flags::default()
    });
    let user = role();
    let job = |name: &str, policy: &str| {
        let text = service(&user, name, 1, "exec sleep 1000")
            .replace("environment = 'prod'", &format!("environment = 'prod'{policy}"));
        let file = cluster.home.file(&format!("{name}.aurora"), &text);
        let key = format!("test/{user}/prod/{name}");
        cluster.run(&["update", "start", &key, file.to_str().unwrap(), "--wait"]).expect(0);
        key
    };
    let usual = job("usual", "");
    let stays = job("stays", ", partition_policy = PartitionPolicy(reschedule = False)");
    let late = job("late", ", partition_policy = PartitionPolicy(delay_secs = 86400)");

    cluster.agent.kill();
    wait_states(&cluster, &usual, &["PENDING"]);
    wait_states(&cluster, &stays, &["PARTITIONED"]);
    wait_states(&cluster, &late, &["PARTITIONED"]);
    let lost = cluster.run(&["job", "status", &usual, "-o", "json"]).expect(0).json();
    assert_eq!(lost[0]["inactive"][0]["status"], "LOST", "{lost:#}");

    // It comes back with what it ran; nobody has to be asked to look.
    cluster.restart_agent();
    wait_states(&cluster, &stays, &["RUNNING"]);
    wait_states(&cluster, &late, &["RUNNING"]);
    wait_states(&cluster, &usual, &["RUNNING"]);
    for key in [&usual, &stays, &late] {
        cluster.run(&["job", "killall", key, "--no-batching"]).expect(0);
    }
}

#[test]
fn e5_e6_e17_pages_of_a_running_job_and_its_task_are_there() {
    let cluster = Cluster::start();
    let user = role();
    let key = format!("test/{user}/prod/web");
    let file = cluster.home.file("web.aurora", &service(&user, "web", 1, "exec sleep 1000"));
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    let task = cluster.running_task(&key);
    let scheduler = cluster.scheduler_address();
    for path in [
        "/leaderhealth",
        "/scheduler",
        &format!("/scheduler/{user}"),
        &format!("/scheduler/{user}/prod/web"),
    ] {
        assert_eq!(get(&scheduler, path).status, 200, "{path}");
    }
    assert_eq!(get(&scheduler, "/health").body.trim(), "OK");
    let observer = cluster.observer_address();
    assert_eq!(get(&observer, "/").status, 200);
    wait_for("the observer's page of the task", || {
        let page = request(&observer, "GET", &format!("/task/{task}"), "", "")?;
        (page.status == 200 && page.body.contains(&task)).then_some(())
    });
}

/// Creates a job, looks at it as the observer shows it, and kills it as the original's scripts do.
fn create_see_and_kill(cluster: &Cluster, name: &str, text: &str) {
    let file = cluster.home.file(&format!("{name}.aurora"), text);
    let key = format!("test/{}/prod/{name}", role());
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    let task = cluster.running_task(&key);
    wait_for("the observer's page of the task", || {
        let page = request(&cluster.observer_address(), "GET", &format!("/task/{task}"), "", "")?;
        (page.status == 200).then_some(())
    });
    // The first is not there, and that is no failure.
    cluster.run(&["job", "kill", &format!("{key}/1"), "-m", "not needed"]).expect(0);
    cluster.run(&["job", "killall", &key, "-m", "no more needed"]).expect(0);
    let ended = cluster.run(&["job", "status", &key, "-o", "json"]).expect(0).json();
    let events = ended[0]["inactive"][0]["taskEvents"].as_array().unwrap();
    let killing = events.iter().find(|event| event["status"] == "KILLING").unwrap();
    assert!(
        killing["message"].as_str().unwrap().contains("no more needed"),
        "why is not told: {killing}"
    );
}

#[test]
fn e19_a_revocable_job_takes_what_its_cluster_has_for_it() {
    let text = service(&role(), "spare", 1, "exec sleep 1000")
        .replace("environment = 'prod'", "environment = 'prod', tier = 'revocable'");
    let flags = ["--enable-revocable-cpus", "false"];
    let cluster = Cluster::start_with(Flags { scheduler: &flags, ..Flags::default() });
    create_see_and_kill(&cluster, "spare", &text);

    skip("the embedded agent lends nothing that it may take back: only that is said is tried");
    let cluster = Cluster::start();
    let file = cluster.home.file("spare.aurora", &text);
    let key = format!("test/{}/prod/spare", role());
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    wait_for("the reason", || {
        let why = cluster.run(&["why", &key]).expect(0).out();
        why.contains("Insufficient: CPU (asks for 0.02, 0.0 free)").then_some(())
    });
    cluster.run(&["job", "killall", &key]).expect(0);
}

#[test]
fn e19_jobs_of_other_kinds_run_and_end_for_a_reason() {
    let cluster = Cluster::start_with(Flags {
        scheduler: &["--allow-gpu-resource", "true"],
        agent: &["--resources", "cpus:4;mem:4096;disk:20000;gpus:2;ports:[31000-32000]"],
        ..Flags::default()
    });
    let user = role();
    let plain = service(&user, "plain", 1, "exec sleep 1000");
    let gpu =
        service(&user, "gpu", 1, "exec sleep 1000").replace("cpu = 0.01", "cpu = 0.01, gpu = 1");
    for (name, text) in [("plain", plain), ("gpu", gpu)] {
        create_see_and_kill(&cluster, name, &text);
    }
}

/// A scheduler on a real Mesos, and what it is asked.
struct OnMesos {
    mesos: Mesos,
    address: String,
    scheduler: crate::support::process::Process,
}

impl OnMesos {
    fn start(flags: &[&str]) -> Option<Self> {
        let mesos = Mesos::start()?;
        let port = free_port();
        let executor = executor();
        let scheduler = scheduler(&mesos, port, executor.to_str().unwrap(), "", flags);
        scheduler.expect("registered");
        Some(Self { mesos, address: format!("http://127.0.0.1:{port}"), scheduler })
    }

    fn run(&self, words: &[&str]) -> crate::support::Ran {
        self.mesos.home.run(&[words, &["--scheduler", &self.address]].concat())
    }

    /// The states of the active tasks of a job.
    fn states(&self, job: &str) -> Vec<String> {
        let status = self.run(&["job", "status", job, "-o", "json"]).expect(0).json();
        let active = status[0]["active"].as_array().cloned().unwrap_or_default();
        active.iter().map(|task| task["status"].as_str().unwrap().to_owned()).collect()
    }

    /// Posts to Mesos's master.
    fn post(&self, path: &str, body: &str) {
        let master = self.mesos.address();
        let answer =
            request(&master, "POST", path, "Content-Type: application/json\r\n", body).unwrap();
        assert!((200..300).contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
    }
}

impl Drop for OnMesos {
    fn drop(&mut self) {
        self.scheduler.kill();
    }
}

#[test]
fn e7_mesos_knows_where_tasks_serve() {
    let Some(on) = OnMesos::start(&["--populate-discovery-info"]) else { return };
    let key = "devcluster/www-data/devel/web";
    on.run(&["job", "create", key, "examples/http_service.aurora", "--wait-until", "RUNNING"])
        .expect(0);
    let tasks: Value =
        serde_json::from_str(&get(&on.mesos.address(), "/master/tasks").body).unwrap();
    let task = &tasks["tasks"].as_array().unwrap()[0];
    let discovery = &task["discovery"];
    assert_eq!(discovery["name"], "web.devel.www-data", "{task:#}");
    assert_eq!(discovery["environment"], "devel");
    assert_eq!(discovery["location"], "devcluster");
    assert_eq!(discovery["visibility"], "CLUSTER");
    let status = on.run(&["job", "status", key, "-o", "json"]).expect(0).json();
    let mut ours = status[0]["active"].as_array().unwrap().iter();
    let ours = ours.find(|ours| task["id"] == task_id(ours)).unwrap();
    let port = &discovery["ports"]["ports"][0];
    assert_eq!(port["name"], "http", "{discovery:#}");
    assert_eq!(port["number"], ours["assignedTask"]["assignedPorts"]["http"]);
    assert_eq!(port["protocol"], "TCP");
    on.run(&["job", "killall", key, "--no-batching"]).expect(0);
}

#[test]
fn e18_what_mesos_maintains_is_left_when_it_is_time_and_not_before() {
    let Some(on) = OnMesos::start(&["--unavailability-threshold", "10secs"]) else { return };
    let key = "devcluster/www-data/prod/hello";
    on.run(&["job", "create", key, "examples/hello_world.aurora", "--wait-until", "RUNNING"])
        .expect(0);
    let state: Value =
        serde_json::from_str(&get(&on.mesos.address(), "/master/slaves").body).unwrap();
    let agent = &state["slaves"][0];
    let window = |start_s: i64| {
        let machine = serde_json::json!({
            "hostname": agent["hostname"],
            "ip": agent["pid"].as_str().unwrap().split(['@', ':']).nth(1).unwrap(),
        });
        serde_json::json!({ "windows": [{
            "machine_ids": [machine],
            "unavailability": { "start": { "nanoseconds": start_s * 1_000_000_000 } },
        }] })
    };
    let now = i64::try_from(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(),
    )
    .unwrap();
    on.post("/maintenance/schedule", &window(now + 25).to_string());
    let host = || {
        let hosts = on.run(&["admin", "host_list", "devcluster", "-o", "json"]).expect(0).json();
        hosts[0].clone()
    };
    wait_for("it to be told to operators", || {
        let host = host();
        host["unavailableFrom"].is_string().then(|| assert_eq!(host["mode"], "NONE", "{host}"))
    });
    assert_eq!(on.states(key), ["RUNNING"], "it is not time yet");
    wait_for("the task to leave", || (on.states(key) == ["PENDING"]).then_some(()));
    let left = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(left.as_secs() as i64 >= now + 14, "it has left before its time");
    let left = host();
    assert_eq!((&left["cause"], &left["tasks"]), (&"mesos".into(), &0.into()), "{left}");
    on.post("/maintenance/schedule", "{}");
    wait_for("the task to come back", || (on.states(key) == ["RUNNING"]).then_some(()));
    on.run(&["job", "killall", key, "--no-batching"]).expect(0);
}
