//! Hosts that the scheduler empties.

use aurora_api::v1;
use aurora_api::v1::sla_policy::Policy;
use serde_json::Value;

use super::Operator;
use crate::support::cluster::{Cluster, Flags};
use crate::support::proxy::Proxy;
use crate::support::{free_port, role, service, wait_for};

const HOST: &str = "127.0.0.1";

#[test]
fn a30_drains_are_asked_for_and_waited_for() {
    let cluster = Cluster::start();
    let proxy = Proxy::before(&cluster.scheduler_address());
    let operator = Operator::behind(&proxy, &cluster);
    let key = format!("test/{}/prod/slow", role());
    // It takes the executor some seconds to end this one.
    let text = service(&role(), "slow", 1, "trap '' TERM; while :; do sleep 1; done");
    let file = cluster.home.file("slow.aurora", &text);
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    cluster.wait_running(&key, 1);

    let would = operator.out(&["sla_host_drain", "--hosts", HOST, "test", "--dry-run"]);
    assert_eq!(would, format!("Would drain {HOST} of 1 tasks\n"));
    assert_eq!(proxy.calls("SlaDrainHosts"), 0);
    let late = ["sla_host_drain", "--force_drain_timeout=0s", "--wait", "--timeout=0s"];
    let late = operator.run(&[&late[..], &["--hosts", HOST, "test"]].concat()).expect(9);
    assert_eq!(late.out(), format!("{HOST} is in state: DRAINING\n"));
    assert!(late.err().contains("the scheduler goes on"), "{}", late.err());
    assert_eq!((proxy.calls("DrainHosts"), proxy.calls("SlaDrainHosts")), (1, 0));
    let drained = operator.run(&["sla_host_drain", "--hosts", HOST, "test", "--wait"]).expect(0);
    assert_eq!(drained.out(), format!("{HOST} is in state: DRAINED\n"));
    assert!(
        drained.err().contains(&format!("{HOST}: DRAINING, 1 tasks left")),
        "{}",
        drained.err()
    );
    assert!(drained.err().ends_with(&format!("{HOST}: DRAINED\n")), "{}", drained.err());

    let words = [
        "--default_percentage=50.5",
        "--default_duration=10m",
        "--force_drain_timeout=1h30m",
        "--surge",
    ];
    let again = [&["sla_host_drain"][..], &words, &["--hosts", HOST, "test"]].concat();
    assert_eq!(operator.out(&again), format!("{HOST} is in state: DRAINED\n"));
    let sent: Vec<v1::SlaDrainHostsRequest> = proxy.sent("SlaDrainHosts");
    let asked = |at: usize| {
        let sent: &v1::SlaDrainHostsRequest = &sent[at];
        let policy = sent.default_policy.as_ref().and_then(|policy| policy.policy.clone());
        let Some(Policy::Percentage(policy)) = policy else { panic!("{sent:?}") };
        (policy.percentage, policy.duration_secs, sent.timeout_secs, sent.surge)
    };
    assert_eq!(asked(0), (95.0, 1800, 604_800, false));
    assert_eq!(asked(1), (50.5, 600, 5400, true));
}

/// A service of two instances whose policy lets one of them go.
fn protected(name: &str, policy: &str, command: &str) -> String {
    let fields = format!("environment = 'prod', tier = 'preferred', sla_policy = {policy}");
    service(&role(), name, 2, command).replace("environment = 'prod'", &fields)
}

/// The states of a job's instances, by their numbers.
fn states(cluster: &Cluster, key: &str) -> Vec<String> {
    let mut found: Vec<(u64, String)> = cluster
        .active(key)
        .iter()
        .map(|task: &Value| {
            let instance = task["assignedTask"]["instanceId"].as_u64().unwrap();
            (instance, task["status"].as_str().unwrap().to_owned())
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, state)| state).collect()
}

/// SLA-aware maintenance, for each kind of policy, over a restart of the scheduler.
#[test]
fn e1_a_drain_leaves_what_policies_protect_until_it_is_forced() {
    let mut cluster = Cluster::start_with(Flags {
        scheduler: &["--min-required-instances-for-sla-check", "2"],
        ..Flags::default()
    });
    let owner = role();
    Operator::of(&cluster).out(&["increase_quota", "test", &owner, "1.0", "100m", "100m"]);
    // The second instance answers for both: the first may be stopped. In the spelling of Python's.
    let port = free_port();
    let server = cluster.home.file(
        "coordinator.py",
        &format!(
            "import http.server, urllib.parse\n\
             class Answer(http.server.BaseHTTPRequestHandler):\n\
             \x20   def do_POST(self):\n\
             \x20       asked = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)\n\
             \x20       body = b'{{\"drain\":True}}' if asked['task'][0].endswith('/0') else b'{{\"drain\":False}}'\n\
             \x20       self.send_response(200)\n\
             \x20       self.send_header('Content-Length', str(len(body)))\n\
             \x20       self.end_headers()\n\
             \x20       self.wfile.write(body)\n\
             http.server.HTTPServer(('127.0.0.1', {port}), Answer).serve_forever()\n"
        ),
    );
    let serve = format!(
        "if [ {{{{mesos.instance}}}} = 1 ]; then exec python3 {}; else exec sleep 1000; fi",
        server.display()
    );
    let coordinator = format!("CoordinatorSlaPolicy(coordinator_url = 'http://127.0.0.1:{port}')");
    for (name, policy, command) in [
        ("count", "CountSlaPolicy(count = 1, duration_secs = 3)", "exec sleep 1000"),
        ("share", "PercentageSlaPolicy(percentage = 50, duration_secs = 3)", "exec sleep 1000"),
        ("asked", &coordinator, &serve),
    ] {
        let key = format!("test/{owner}/prod/{name}");
        let file = cluster.home.file(&format!("{name}.aurora"), &protected(name, policy, command));
        cluster
            .run(&["job", "create", &key, file.to_str().unwrap(), "--wait-until", "RUNNING"])
            .expect(0);
        cluster.wait_running(&key, 2);
        let mode = |cluster: &Cluster| {
            let words = ["host_status", "--hosts", HOST, "test", "--retry-for", "60"];
            let shown = Operator::of(cluster).out(&words);
            shown.trim_end().rsplit(' ').next().unwrap().to_owned()
        };
        assert_eq!(mode(&cluster), "NONE");
        Operator::of(&cluster).out(&["sla_host_drain", "--hosts", HOST, "test"]);
        cluster.scheduler.kill();
        cluster.restart_scheduler();
        assert_eq!(mode(&cluster), "DRAINING");

        wait_for(&format!("one instance of {name} to go"), || {
            let mut states = states(&cluster, &key);
            if name != "asked" {
                states.sort_unstable();
            }
            (states == ["PENDING", "RUNNING"]).then_some(())
        });
        assert_eq!(mode(&cluster), "DRAINING");
        let shown = Operator::of(&cluster).run(&["host_status", "--hosts", HOST, "test"]).expect(0);
        assert!(shown.err().contains(" stays: "), "why it stays is told: {}", shown.err());
        Operator::of(&cluster).out(&[
            "sla_host_drain",
            "--force_drain_timeout=0s",
            "--hosts",
            HOST,
            "test",
        ]);
        wait_for(&format!("both instances of {name} to go"), || {
            (states(&cluster, &key) == ["PENDING", "PENDING"]).then_some(())
        });
        Operator::of(&cluster).out(&["host_activate", "--hosts", HOST, "test"]);
        cluster.wait_running(&key, 2);
        cluster.run(&["job", "killall", &key]).expect(0);
    }
}
