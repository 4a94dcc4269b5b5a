//! What jobs lose with hosts, and hosts that are drained from here, on a cluster of four hosts.

use std::os::unix::fs::PermissionsExt;

use aurora_api::v1;
use nix::sys::signal::Signal;

use super::Operator;
use crate::support::cluster::{Cluster, Flags};
use crate::support::process::Process;
use crate::support::proxy::Proxy;
use crate::support::{Home, role, service, wait_for};

/// The hosts, by name.
const HOSTS: [&str; 4] = ["127.0.0.1", "h2", "h3", "h4"];

/// A cluster of these hosts; its other agents end with what is given beside.
fn fleet() -> (Cluster, Vec<Process>) {
    let cluster = Cluster::start_with(Flags {
        scheduler: &["--unset-quota", "unlimited"],
        ..Flags::default()
    });
    let others = HOSTS[1..].iter().map(|host| cluster.add_agent(host)).collect();
    let operator = Operator::of(&cluster);
    wait_for("all hosts", || {
        let shown = operator.out(&["host_list", "test"]);
        (shown.lines().count() == 1 + HOSTS.len()).then_some(())
    });
    (cluster, others)
}

/// Creates a service with these fields besides, and waits for its instances. Gives its key.
fn create(cluster: &Cluster, name: &str, instances: u32, command: &str, fields: &str) -> String {
    let text = service(&role(), name, instances, command)
        .replace("environment = 'prod'", &format!("environment = 'prod', {fields}"));
    let file = cluster.home.file(&format!("{name}.aurora"), &text);
    let key = format!("test/{}/prod/{name}", role());
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    cluster.wait_running(&key, instances as usize);
    key
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn a14_a15_a16_a17_what_jobs_lose_with_hosts() {
    let (cluster, _agents) = fleet();
    let proxy = Proxy::before(&cluster.scheduler_address());
    let operator = Operator::behind(&proxy, &cluster);
    let spread = "tier = 'preferred', constraints = {'host': 'limit:2'}";
    let key = create(&cluster, "web", 8, "exec sleep 1000", spread);
    // Neither is looked at: the one is not for production, the other is small.
    create(&cluster, "tests", 8, "exec sleep 1000", "tier = 'preemptible'");
    create(&cluster, "small", 7, "exec sleep 1000", "tier = 'preferred'");

    let domain = |words: &[&str]| {
        let mut all = vec!["sla_list_safe_domain", "--min_job_instance_count=8", "test"];
        all.extend(words);
        operator.out(&all)
    };
    assert_eq!(lines(&domain(&["75", "0s"])), HOSTS);
    assert_eq!(domain(&["76", "0s"]), "");
    assert_eq!(domain(&["75", "1h"]), "");
    let row = |host: &str| format!("{host}\t{key}\t75.00\t0");
    assert_eq!(lines(&domain(&["75", "0s", "-l"])), HOSTS.map(row));
    assert_eq!(lines(&domain(&["75", "0s", "-x", "h2"])), ["127.0.0.1", "h3", "h4"]);
    let file = cluster.home.file("hosts", "h2\n\n# h3\n h7\n");
    let file = file.to_str().unwrap();
    assert_eq!(lines(&domain(&["75", "0s", "-X", file])), ["127.0.0.1", "h3", "h4"]);
    assert_eq!(lines(&domain(&["75", "0s", "-i", "h2,h7"])), ["h2"]);
    assert_eq!(lines(&domain(&["75", "0s", "-I", file])), ["h2"]);
    let overridden = cluster.home.file("overrides", &format!("\n{key} 50 0s\n"));
    let overridden = overridden.to_str().unwrap();
    let shown = domain(&["99", "1h", "-l", "-o", overridden]);
    assert_eq!(lines(&shown), HOSTS.map(row));
    let shown = domain(&["99", "1h", "--override_jobs", overridden, "--output", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown[0]["demandedPercentage"], &shown[0]["safe"]), (&50.0.into(), &true.into()));
    // Hosts that are gone together; those that are not included stay.
    assert_eq!(domain(&["75", "0s", "--grouping=none"]), "");
    assert_eq!(lines(&domain(&["50", "0s", "--grouping=by_name:^h[23]"])), HOSTS);
    assert_eq!(lines(&domain(&["50", "0s", "--grouping", "by_name:^h"])), ["127.0.0.1"]);
    assert_eq!(lines(&domain(&["75", "0s", "--grouping=none", "-i", "h2"])), ["h2"]);
    let few = ["sla_list_safe_domain", "test", "1", "0s", "--min_job_instance_count", "9"];
    assert_eq!(operator.out(&few), "");
    // By default jobs of fewer than ten instances are not looked at.
    assert_eq!(operator.out(&["sla_list_safe_domain", "test", "1", "0s"]), "");

    let probe = |words: &[&str]| {
        let mut all = vec!["sla_probe_hosts", "test", "--min_job_instance_count=8"];
        all.extend(words);
        operator.out(&all)
    };
    let row = |host: &str, rest: &str| format!("{host}\t{key}\t{rest}\n");
    assert_eq!(probe(&["75", "0s", "--hosts", "h2"]), row("h2", "75.00\tTrue\t0"));
    assert_eq!(probe(&["76", "0s", "--filename", file]), row("h2", "75.00\tFalse\tn/a"));
    let both = probe(&["76", "0s", "--hosts", "h3,h2", "--grouping", "none"]);
    let rest = "50.00\tFalse\tn/a";
    assert_eq!(both, row("h2", rest) + &row("h3", rest));
    // Nobody has been up for so long, but will have.
    let later = probe(&["50", "1h", "--hosts", "h2"]);
    let (start, seconds) = later.trim_end().rsplit_once('\t').unwrap();
    assert_eq!(format!("{start}\n"), row("h2", "0.00\tFalse"));
    let seconds: f64 = seconds.parse().unwrap();
    assert!((3000.0..=3600.0).contains(&seconds), "{later}");
    assert_eq!(probe(&["50", "1h", "--hosts", "h7"]), "");
    // The jobs of a host are asked for, not the whole cluster.
    proxy.forget();
    probe(&["50", "1h", "--hosts", "h7"]);
    let sent: Vec<v1::ListTasksRequest> = proxy.sent("ListTasks");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].query.as_ref().unwrap().agent_hosts, ["h7"]);
}

#[test]
fn a18_to_a33_a39_hosts_are_drained_from_here() {
    let (cluster, agents) = fleet();
    let proxy = Proxy::before(&cluster.scheduler_address());
    let operator = Operator::behind(&proxy, &cluster);
    let alpha = "tier = 'preferred', constraints = {'host': '127.0.0.1'}";
    let alpha = create(&cluster, "alpha", 2, "exec sleep 1000", alpha);
    // It takes the executor some seconds to end this one.
    let slow = create(
        &cluster,
        "slow",
        1,
        "trap '' TERM; while :; do sleep 1; done",
        "constraints = {'host': 'h2'}",
    );
    modes(&cluster.home, &proxy, &operator);
    unsafe_hosts(&cluster.home, &proxy, &operator, &alpha);
    scripts(&cluster.home, &proxy, &operator);

    // a26: it takes longer than is waited; the scheduler goes on.
    operator.out(&["host_activate", "--hosts", &HOSTS.join(","), "test"]);
    cluster.wait_running(&alpha, 2);
    cluster.wait_running(&slow, 1);
    let words = ["host_drain", "--hosts=h2,h3", "--grouping=none", "--timeout=0s", "test"];
    let late = operator.run(&words).expect(4);
    assert_eq!(late.out(), "h2\n");
    assert!(late.err().contains("h2: DRAINING, 1 tasks left"), "{}", late.err());
    assert!(late.err().contains("h2 is not drained within 0 days; it is still being"));
    wait_for("h2 to be empty", || {
        (operator.out(&["host_status", "--hosts=h2", "test"]) == "h2 is in state: DRAINED\n")
            .then_some(())
    });

    // a25: it is waited for, and the others are not asked about again.
    operator.out(&["host_activate", "--hosts", "h2,h3", "test"]);
    cluster.wait_running(&slow, 1);
    proxy.forget();
    let words = ["host_drain", "--hosts=h2,h3,h4", "--grouping=none", "test"];
    let drained = operator.run(&words).expect(0);
    assert_eq!(drained.out(), "");
    assert_eq!(proxy.calls("DrainHosts"), 1);
    let asked: Vec<v1::GetHostsRequest> = proxy.sent("GetHosts");
    assert!(asked.len() >= 3, "{asked:?}");
    assert_eq!(asked[0].hosts, ["h2", "h3", "h4"]);
    assert!(asked[1..].iter().all(|asked| asked.hosts == ["h2"]), "{asked:?}");
    assert!(drained.err().ends_with("h2: DRAINED\n"), "{}", drained.err());

    // a39: somebody calls it off while the host, whose agent stands still, is waited for.
    operator.out(&["host_activate", "--hosts", "h2,h3,h4", "test"]);
    cluster.wait_running(&slow, 1);
    agents[0].signal(Signal::SIGSTOP);
    let words = ["host_drain", "--hosts=h2,h3", "--grouping=none", "test", "-o", "json"];
    let mut called_off = Process::start(&mut operator.command(&words));
    called_off.expect("h2: DRAINING, 1 tasks left");
    operator.out(&["host_activate", "--hosts=h2", "test"]);
    assert_eq!(called_off.ended(), 4);
    called_off.expect("h2 is not drained: that was called off meanwhile");
    called_off.expect("1 of 2 hosts are not drained");
    called_off.expect("\"calledOff\": [");
}

/// a18, a27, a31, and the list of hosts.
fn modes(home: &Home, proxy: &Proxy, operator: &Operator<'_>) {
    proxy.forget();
    let file = home.file("hosts", "h3\n\n  h4 \n");
    let file = file.to_str().unwrap();
    let shown = operator.out(&["host_deactivate", "--filename", file, "test"]);
    assert_eq!(shown, "h3 is in state: SCHEDULED\nh4 is in state: SCHEDULED\n");
    let sent: Vec<v1::StartMaintenanceRequest> = proxy.sent("StartMaintenance");
    assert_eq!(sent[0].hosts, ["h3", "h4"]);
    let unknown = operator.run(&["host_deactivate", "--hosts=h4, h7,h4", "test"]).expect(6);
    assert_eq!(unknown.out(), "h4 is in state: SCHEDULED\n");
    assert!(unknown.err().contains("the scheduler does not know h7"), "{}", unknown.err());
    let unknown = operator.run(&["host_status", "--hosts=h2,h7", "test"]).expect(6);
    assert_eq!(unknown.out(), "h2 is in state: NONE\n");

    // As the original's script reads it: the sixth word of the last line.
    let legacy = operator.run(&["host_status", "--legacy_output", "--hosts=h3", "test"]).expect(0);
    assert_eq!(
        (legacy.out().as_str(), legacy.err().as_str()),
        ("", " INFO] h3 is in state: SCHEDULED\n")
    );
    assert_eq!(legacy.err().split_whitespace().nth(5), Some("SCHEDULED"));
    let mut command = operator.command(&["host_status", "--hosts=h3", "test"]);
    let by_variable = command.env("AURORA_LEGACY_OUTPUT", "1").output().unwrap();
    assert_eq!(String::from_utf8(by_variable.stderr).unwrap(), legacy.err());

    // a33
    let hushed = ["host_drain", "-q", "--hosts=h7", "test"];
    let hushed = operator.run(&hushed).expect(6);
    assert_eq!(hushed.err().lines().count(), 1, "only why it has failed: {}", hushed.err());
    let told = operator.run(&["host_status", "-v", "--hosts=h3", "test"]).expect(0);
    assert!(told.err().contains("DEBUG] "), "calls are told: {}", told.err());
    assert!(told.err().contains("GetHosts"), "{}", told.err());

    let listed = |mode: &str| {
        let shown = operator.out(&["host_list", "test", "--mode", mode]);
        shown
            .lines()
            .skip(1)
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed("scheduled,drained"), ["h3", "h4"]);
    assert_eq!(listed("NONE"), ["127.0.0.1", "h2"]);
    assert!(listed("DRAINED").is_empty());
    let refused = operator.refused(&["host_list", "test", "--mode", "BROKEN"], 2);
    assert!(refused.contains("use NONE, SCHEDULED, DRAINING or DRAINED"), "{refused}");
    let data = operator.run(&["host_status", "--hosts=127.0.0.1", "test", "-o", "json"]).expect(0);
    assert_eq!((&data.json()[0]["mode"], &data.json()[0]["tasks"]), (&"NONE".into(), &2.into()));

    let shown = operator.out(&["host_activate", "--hosts=h3,h4", "test"]);
    assert_eq!(shown, "h3 is in state: NONE\nh4 is in state: NONE\n");
    let sent: Vec<v1::EndMaintenanceRequest> = proxy.sent("EndMaintenance");
    assert_eq!(sent[0].hosts, ["h3", "h4"]);
}

/// a21, a28: what jobs cannot bear is not done.
fn unsafe_hosts(home: &Home, proxy: &Proxy, operator: &Operator<'_>, alpha: &str) {
    let file = home.path().join("unsafe");
    let file = file.to_str().unwrap();
    let drain = |words: &[&str]| {
        proxy.forget();
        let mut all = vec!["host_drain", "--min_job_instance_count=2", "--unsafe_hosts_file", file];
        all.extend(words);
        operator.run(&all)
    };
    let refused = drain(&["--hosts=127.0.0.1", "test"]).expect(4);
    assert_eq!(refused.out(), "127.0.0.1\n");
    let row = format!("127.0.0.1\t{alpha}\t0.00\tFalse\tn/a");
    assert!(refused.err().contains(&row), "{}", refused.err());
    assert!(refused.err().contains("1 of 1 hosts are not drained"), "{}", refused.err());
    assert_eq!(std::fs::read_to_string(file).unwrap(), "127.0.0.1\n");
    assert_eq!((proxy.calls("StartMaintenance"), proxy.calls("DrainHosts")), (1, 0));

    std::fs::remove_file(file).unwrap();
    let overrides =
        ["--override_percentage=60", "--override_duration=1m", "--override_reason=a fire"];
    let refused = drain(&[&overrides[..], &["--hosts=127.0.0.1", "test"]].concat()).expect(4);
    let warning = "60 % for 1 mins instead of 95 % for 30 mins of 127.0.0.1: a fire";
    assert!(refused.err().contains(warning), "{}", refused.err());
    assert_eq!((proxy.calls("DrainHosts"), refused.out().as_str()), (0, "127.0.0.1\n"));

    let would = drain(&["--hosts=127.0.0.1,h3", "--dry-run", "test"]).expect(0);
    assert_eq!(would.out(), "Would drain h3\n");
    assert!(would.err().contains(&format!("unsafe: {row}")), "{}", would.err());
    assert_eq!((proxy.calls("StartMaintenance"), proxy.calls("DrainHosts")), (0, 0));

    let some = drain(&["--hosts=127.0.0.1,h3", "--grouping=none", "test", "-o", "json"]).expect(4);
    let data = some.json();
    assert_eq!((&data["drained"][0], &data["unsafe"][0]), (&"h3".into(), &"127.0.0.1".into()));
    let sent: Vec<v1::DrainHostsRequest> = proxy.sent("DrainHosts");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].hosts, ["h3"]);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "127.0.0.1\n");
    operator.out(&["host_activate", "--hosts=h3", "test"]);
}

/// a19, a20, a22: small jobs do not count; one host after the other, and the program for each.
fn scripts(home: &Home, proxy: &Proxy, operator: &Operator<'_>) {
    proxy.forget();
    let seen = home.path().join("seen");
    let script = home.file("script", &format!("#!/bin/sh\necho \"$1\" >> {}\n", seen.display()));
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let script = script.to_str().unwrap();
    let hosts = "--hosts=h4,127.0.0.1,h3";
    let words = ["host_drain", hosts, "--post_drain_script", script, "test"];
    let drained = operator.run(&words).expect(0);
    assert_eq!(drained.out(), "");
    let sent: Vec<v1::DrainHostsRequest> = proxy.sent("DrainHosts");
    let sent: Vec<&[String]> = sent.iter().map(|sent| sent.hosts.as_slice()).collect();
    assert_eq!(sent, [["127.0.0.1"], ["h3"], ["h4"]]);
    assert_eq!(std::fs::read_to_string(&seen).unwrap(), "127.0.0.1\nh3\nh4\n");

    // A host that nobody knows is skipped, and said to be.
    proxy.forget();
    let unknown = operator.run(&["host_drain", "--hosts=h7,h3,h4", "test"]).expect(6);
    assert!(unknown.err().contains("does not know h7"), "{}", unknown.err());
    assert_eq!(proxy.calls("DrainHosts"), 2);

    let broken = home.file("script", "#!/bin/sh\nexit 3\n");
    let words =
        ["host_drain", "--hosts=h3", "--post_drain_script", broken.to_str().unwrap(), "test"];
    let failed = operator.run(&words).expect(4);
    assert!(failed.err().contains("of h3 has failed: exit status: 3"), "{}", failed.err());
}
