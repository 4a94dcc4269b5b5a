//! Cron jobs by hand.

use crate::support::cluster::Cluster;
use crate::support::{role, service};

#[test]
fn a_job_is_scheduled_shown_started_and_descheduled() {
    let cluster = Cluster::start();
    let owner = role();
    let (nightly, web) = (format!("test/{owner}/prod/nightly"), format!("test/{owner}/prod/web"));
    let config = |schedule: &str| {
        let text = service(&owner, "nightly", 2, "exec sleep 1000").replace("Service(", "Job(");
        let fields = format!("cron_schedule = '{schedule}', environment = 'prod'");
        text.replace("environment = 'prod'", &fields)
    };
    let night = cluster.home.file("night.aurora", &config("30 2 * * *"));
    let noon = cluster.home.file("noon.aurora", &config("0 12 * * *"));
    let service = cluster.home.file("web.aurora", &service(&owner, "web", 1, "true"));
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();

    let refused = cluster.run(&["cron", "schedule", &web, &text(&service)]).expect(4).err();
    assert!(refused.contains("has no cron_schedule"), "{refused}");
    cluster.run(&["cron", "show", &nightly]).expect(6);
    cluster.run(&["cron", "start", &nightly]).expect(10);

    let scheduled = cluster.run(&["cron", "schedule", &nightly, &text(&night)]).expect(0).out();
    assert!(scheduled.starts_with(&format!("{nightly} has been scheduled; due next at ")));
    assert!(scheduled.contains("T02:30:00Z"), "{scheduled}");
    let shown = cluster.run(&["cron", "show", &nightly]).expect(0);
    assert_eq!(shown.out(), format!("{nightly}\t 30 2 * * *\n"));
    cluster.run(&["cron", "schedule", &nightly, &text(&noon)]).expect(0);
    assert_eq!(
        cluster.run(&["cron", "show", &nightly]).expect(0).out(),
        format!("{nightly}\t 0 12 * * *\n")
    );

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
