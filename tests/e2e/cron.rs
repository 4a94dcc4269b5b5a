//! Cron jobs by hand (`client.md` 8 and 15).

use std::os::unix::fs::PermissionsExt;

use tonic::Code;

use crate::support::cluster::Cluster;
use crate::support::proxy::{Fault, Proxy};
use crate::support::{Ran, role, service};

/// A job of two instances with this schedule.
fn scheduled(name: &str, schedule: &str) -> String {
    let text = service(&role(), name, 2, "exec sleep 1000").replace("Service(", "Job(");
    let fields = format!("cron_schedule = '{schedule}', environment = 'prod'");
    text.replace("environment = 'prod'", &fields)
}

fn key(name: &str) -> String {
    format!("test/{}/prod/{name}", role())
}

#[test]
fn c101_c102_c103_a_job_is_scheduled_shown_started_and_descheduled() {
    let cluster = Cluster::start();
    let owner = role();
    let (nightly, web) = (key("nightly"), key("web"));
    let night = cluster.home.file("night.aurora", &scheduled("nightly", "30 2 * * *"));
    let noon = cluster.home.file("noon.aurora", &scheduled("nightly", "0 12 * * *"));
    let service = cluster.home.file("web.aurora", &service(&owner, "web", 1, "true"));
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();

    // 101
    let refused = cluster.run(&["cron", "schedule", &web, &text(&service)]).expect(4).err();
    assert!(refused.contains("has no cron_schedule"), "{refused}");
    // 103
    cluster.run(&["cron", "show", &nightly]).expect(6);
    cluster.run(&["cron", "start", &nightly]).expect(10);

    let scheduled = cluster.run(&["cron", "schedule", &nightly, &text(&night)]).expect(0).out();
    assert!(scheduled.starts_with(&format!("{nightly} has been scheduled; due next at ")));
    assert!(scheduled.contains("T02:30:00Z"), "{scheduled}");
    let page = format!("{}/scheduler/{owner}/prod/nightly\n", cluster.scheduler_address());
    assert!(scheduled.ends_with(&page), "{scheduled}");
    let shown = cluster.run(&["cron", "show", &nightly]).expect(0);
    assert_eq!(shown.out(), format!("{nightly}\t 30 2 * * *\n"));
    cluster.run(&["cron", "schedule", &nightly, &text(&noon)]).expect(0);
    assert_eq!(
        cluster.run(&["cron", "show", &nightly]).expect(0).out(),
        format!("{nightly}\t 0 12 * * *\n")
    );

    // 102
    let started = cluster.run(&["cron", "start", &nightly]).expect(0);
    assert_eq!(started.out(), "");
    assert!(started.err().contains("with 2 instances has been started"), "{}", started.err());
    cluster.wait_running(&nightly, 2);
    let shown = cluster.run(&["cron", "show", &nightly, "-o", "json"]).expect(0).json();
    assert_eq!((&shown["schedule"], &shown["time_zone"]), (&"0 12 * * *".into(), &"GMT".into()));
    assert_eq!(shown["runs"][0]["instances"], 2);
    // The run before is killed first, which is this job's policy.
    let waits = cluster.run(&["cron", "start", &nightly, "-o", "json"]).expect(0).json();
    assert_eq!((&waits["run"], &waits["instances"]), (&"waiting".into(), &().into()));

    let ended = cluster.run(&["cron", "deschedule", &nightly]).expect(0);
    assert_eq!(ended.out(), "Cron descheduling succeeded.\n");
    cluster.run(&["cron", "show", &nightly]).expect(6);
    let again = cluster.run(&["cron", "deschedule", &nightly]).expect(0).err();
    assert!(again.contains("was not scheduled"), "{again}");
}

#[test]
fn c101_c102_c103_what_is_refused_is_told_and_pages_are_shown() {
    let cluster = Cluster::start();
    let home = &cluster.home;
    let proxy = Proxy::before(&cluster.scheduler_address());
    let browser = home
        .file("browser", &format!("#!/bin/sh\necho \"$1\" >> {}/shown\n", home.path().display()));
    std::fs::set_permissions(&browser, PermissionsExt::from_mode(0o755)).unwrap();
    let run = |words: &[&str]| {
        proxy.forget();
        let address = proxy.address();
        let mut command = home.aurora(&[words, &["--scheduler", &address]].concat());
        Ran(command.env("BROWSER", &browser).output().unwrap())
    };
    let (one, two) = (key("one"), key("two"));
    let one_file = home.file("one.aurora", &scheduled("one", "1 1 * * *"));
    let two_file = home.file("two.aurora", &scheduled("two", "2 2 * * *"));
    let (one_file, two_file) = (one_file.to_str().unwrap(), two_file.to_str().unwrap());
    let broken = home.file("broken.aurora", "jobs = [");
    let missing = home.path().join("missing.aurora");

    // 101: the file comes first, then what the scheduler makes of it.
    for file in [&broken, &missing] {
        run(&["cron", "schedule", &one, file.to_str().unwrap()]).expect(3);
        assert_eq!(proxy.calls("ScheduleCronJob"), 0);
    }
    run(&["cron", "schedule", &one, two_file]).expect(3);
    let refusals = [
        ("ScheduleCronJob", &["cron", "schedule", &one, one_file][..], 10),
        // 102
        ("DescheduleCronJob", &["cron", "deschedule", &one], 10),
        ("StartCronJob", &["cron", "start", &one, "--open-browser"], 10),
        // 103 and 139
        ("GetCronJob", &["cron", "show", &one], 6),
    ];
    for (method, words, code) in refusals {
        proxy.plan(method, 1, Fault::refuse(Code::InvalidArgument, "not today"));
        let refused = run(words).expect(code);
        assert!(refused.err().contains("not today"), "{}", refused.err());
        assert_eq!((refused.out().as_str(), proxy.calls(method)), ("", 1));
    }
    assert!(!home.path().join("shown").exists(), "nothing was done");

    // 103: each job of several has its own schedule; one that is not scheduled has none.
    run(&["cron", "schedule", &one, one_file]).expect(0);
    run(&["cron", "schedule", &two, two_file]).expect(0);
    let web = home.file("web.aurora", &service(&role(), "web", 1, "exec sleep 1000"));
    run(&["job", "create", &key("web"), web.to_str().unwrap()]).expect(0);
    for (key, schedule) in [(&one, "1 1 * * *"), (&two, "2 2 * * *")] {
        assert_eq!(run(&["cron", "show", key]).expect(0).out(), format!("{key}\t {schedule}\n"));
    }
    for none in [key("web"), key("three")] {
        let refused = run(&["cron", "show", &none]).expect(6);
        assert!(!refused.err().is_empty() && refused.out().is_empty(), "{}", refused.err());
    }
    // 102: a run is made, and its job's page shown.
    let started = run(&["cron", "start", &two, "--open-browser", "--config", two_file]).expect(0);
    assert_eq!(started.out(), "");
    let page = format!("{}/scheduler/{}/prod/two\n", cluster.scheduler_address(), role());
    assert_eq!(std::fs::read_to_string(home.path().join("shown")).unwrap(), page);
    cluster.wait_running(&two, 2);
    // What runs goes on without a schedule.
    run(&["cron", "deschedule", &two]).expect(0);
    assert_eq!(cluster.active(&two).len(), 2);
}
