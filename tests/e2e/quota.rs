//! Quotas: from the job that is refused to the one that runs.

use serde_json::json;
use tonic::Code;

use crate::support::cluster::Cluster;
use crate::support::proxy::{Fault, Proxy};
use crate::support::{get, role, service};

/// A service of the tier that counts against the quota.
fn production(name: &str, instances: u32) -> String {
    service(&role(), name, instances, "exec sleep 1000")
        .replace("environment = 'prod'", "environment = 'prod', tier = 'preferred'")
}

#[test]
fn c104_a_role_gets_what_its_quota_grants_and_no_more() {
    let mut cluster = Cluster::start();
    let owner = format!("test/{}", role());
    let (web, more) = (format!("{owner}/prod/web"), format!("{owner}/prod/more"));
    let web_file = cluster.home.file("web.aurora", &production("web", 2));
    let more_file = cluster.home.file("more.aurora", &production("more", 1));
    let (web_file, more_file) = (web_file.to_str().unwrap(), more_file.to_str().unwrap());

    let refused = cluster.run(&["job", "create", &web, web_file]).expect(4).err();
    for wanted in [
        "Insufficient resource quota: CPU quota exceeded by 0.02 core(s); RAM quota exceeded by \
         16.00 MB; disk quota exceeded by 16.00 MB",
        &format!("aurora quota set {owner} 0.02 16MB 16MB"),
    ] {
        assert!(refused.contains(wanted), "{wanted} is not in {refused}");
    }
    let unset = cluster.run(&["quota", "get", &owner]).expect(0);
    let zero = "  CPU: 0.0 core(s)\n  RAM: 0 MB\n  Disk: 0 MB\n";
    assert_eq!(
        unset.out(),
        format!(
            "Allocated:\n{zero}Production shared pool resources consumed:\n{zero}\
             Production dedicated pool resources consumed:\n{zero}\
             Non-production shared pool resources consumed:\n{zero}\
             Non-production dedicated pool resources consumed:\n{zero}"
        )
    );
    assert!(unset.err().contains(&format!("No quota is set for {owner}")), "{}", unset.err());

    // What it says is what it takes.
    let set = cluster.run(&["quota", "set", &owner, "0.02", "16MB", "16MB"]).expect(0);
    let expected = format!("Quota of {owner} set: CPU: 0.02 core(s), RAM: 16 MB, Disk: 16 MB\n");
    assert_eq!(set.out(), expected);
    cluster.run(&["job", "create", &web, web_file, "--wait-until", "RUNNING"]).expect(0);
    let refused = cluster.run(&["job", "create", &more, more_file]).expect(4).err();
    assert!(refused.contains("CPU quota exceeded by 0.01 core(s)"), "{refused}");

    // A scheduler that died knows it all again.
    cluster.scheduler.kill();
    cluster.restart_scheduler();
    cluster.wait_registered();
    let amounts = |cpus: f64, megabytes: u64| {
        json!({ "resources": [
            { "numCpus": cpus }, { "ramMb": megabytes }, { "diskMb": megabytes }
        ] })
    };
    let expected = json!({
        "quota": amounts(0.02, 16),
        "isSet": true,
        "isLimited": true,
        "prodSharedConsumption": amounts(0.02, 16),
        "nonProdSharedConsumption": amounts(0.0, 0),
        "prodDedicatedConsumption": amounts(0.0, 0),
        "nonProdDedicatedConsumption": amounts(0.0, 0),
    });
    let pretty = cluster.run(&["quota", "get", &owner, "-o", "json"]).expect(0);
    assert_eq!(pretty.json(), expected);
    let line = cluster.run(&["quota", "get", "--write-json", &owner]).expect(0);
    assert_eq!((line.json(), line.out().lines().count()), (expected, 1));
    let page = get(&cluster.scheduler_address(), &format!("/quotas?role={}", role()));
    let page: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    let expected = json!({ "cpu_cores": 0.02, "ram_mb": 16, "disk_mb": 16 });
    assert_eq!(page[role()], expected);

    let refused = cluster.run(&["quota", "set", &owner, "0.01", "1GB", "1GB"]).expect(4).err();
    assert!(refused.contains("cannot be less than what its production tasks use"), "{refused}");
    cluster.run(&["job", "killall", &web]).expect(0);
    // What the scheduler refuses to tell is no quota of nothing.
    let proxy = Proxy::before(&cluster.scheduler_address());
    for words in [&["quota", "get", &owner][..], &["quota", "get", &owner, "--write-json"]] {
        proxy.plan("GetQuota", 1, Fault::refuse(Code::InvalidArgument, "not today"));
        let refused = proxy.run(&cluster.home, words).expect(10);
        assert!(refused.err().contains("not today"), "{}", refused.err());
        assert_eq!(refused.out(), "");
    }
    let none = cluster.run(&["quota", "set", &owner, "0", "0m", "0m", "-o", "json"]).expect(0);
    assert_eq!(none.json(), json!({ "role": owner, "quota": amounts(0.0, 0) }));
    cluster.run(&["job", "create", &more, more_file]).expect(4);
}

#[test]
fn what_makes_no_sense_is_refused_with_what_does() {
    let home = crate::support::Home::new();
    for (words, wanted) in [
        (&["set", "c/r", "-1", "1MB", "1MB"][..], "'-1' for '<CPU>': give cores from 0"),
        (&["set", "c/r", "NaN", "1MB", "1MB"], "'NaN' for '<CPU>'"),
        (&["set", "c/r", "1", "1024", "1MB"], "Give 1024MB or 1024B (bytes)"),
        (&["set", "c/r", "1", "1MB", "-1"], "'-1' for '<DISK>'"),
        (&["set", "c/r", "1", "1MB", "0.1MB"], "0.1MB is 0.1 MB: give a whole number of MB"),
        (&["get", "c"], "\"c\" is not cluster/role"),
        (&["get", "c/r/prod"], "\"c/r/prod\" is not cluster/role"),
        (&["get", "c/a b"], "invalid role \"a b\""),
    ] {
        let words: Vec<&str> = std::iter::once("quota").chain(words.iter().copied()).collect();
        let refused = home.run(&words).expect(2).err();
        assert!(refused.contains(wanted), "{wanted} is not in {refused}");
    }
    // Nobody is there: said, with what to do.
    let unknown = home.run(&["quota", "get", "nowhere/www"]).expect(3).err();
    assert!(unknown.contains("unknown cluster nowhere"), "{unknown}");
}
