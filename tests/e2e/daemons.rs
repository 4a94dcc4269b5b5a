//! Each daemon alone: what operators look at.

use nix::sys::signal::Signal;

use crate::support::cluster::Cluster;
use crate::support::{Home, get, request, role, service};

#[test]
fn every_daemon_tells_how_it_is_and_stops_when_told() {
    let mut cluster = Cluster::start();
    let file = cluster.home.file("svc.aurora", &service(&role(), "svc", 1, "exec sleep 1000"));
    let key = format!("test/{}/prod/svc", role());
    cluster
        .run(&["job", "create", &key, file.to_str().unwrap(), "--wait-until", "RUNNING"])
        .expect(0);
    let master = cluster.master_address();
    let agent = cluster.agent_address();
    for address in [cluster.scheduler_address(), master, agent, cluster.observer_address()] {
        assert_eq!(get(&address, "/health").status, 200);
        assert_eq!(get(&address, "/vars").status, 200);
        let metrics = get(&address, "/metrics");
        assert!(metrics.head.contains("text/plain"), "{}", metrics.head);
        assert!(metrics.body.contains("# TYPE"), "{}", metrics.body);
        assert!(get(&address, "/version").body.contains(env!("CARGO_PKG_VERSION")));
    }
    let metrics = get(&cluster.scheduler_address(), "/metrics").body;
    assert!(metrics.contains("task_store"), "{metrics}");
    // SIGTERM ends each in good order, and the task runs on.
    let task = cluster.running_task(&key);
    let pid = cluster.pid_of(&task);
    for daemon in
        [&mut cluster.scheduler, &mut cluster.observer, &mut cluster.agent, &mut cluster.master]
    {
        daemon.signal(Signal::SIGTERM);
        assert_eq!(daemon.ended(), 0, "{}", daemon.lines().join("\n"));
    }
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn logs_can_be_json() {
    let home = Home::new();
    let folder = home.path().join("master");
    let words =
        ["master", "--port", "0", "--work-dir", folder.to_str().unwrap(), "--log-format", "json"];
    let mut master = crate::support::process::Process::start(&mut home.aurora(&words));
    let line = master.expect("listens");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "INFO");
    assert!(line["address"].as_str().unwrap().starts_with("127.0.0.1:"));
    master.signal(Signal::SIGTERM);
    assert_eq!(master.ended(), 0);
}

#[test]
fn pages_that_are_not_there_say_so() {
    let cluster = Cluster::start();
    let (scheduler, observer) = (cluster.scheduler_address(), cluster.observer_address());
    for (address, path) in [
        (&scheduler, "/scheduler/nobody"),
        (&scheduler, "/scheduler/a/b/c"),
        (&scheduler, "/scheduler/%00/b/c"),
        (&scheduler, "/none"),
        (&observer, "/task/none"),
        (&observer, "/task/..%2f..%2fetc"),
        (&observer, "/process/none/none"),
        (&observer, "/browse/none"),
        (&observer, "/main/bogus"),
        (&observer, "/main/active/x"),
        (&observer, "/j/task/none"),
        (&observer, "/j/task_ids/bogus"),
        (&observer, "/none"),
    ] {
        assert_eq!(get(address, path).status, 404, "{path}");
    }
    assert_eq!(request(&observer, "POST", "/task/x", "", "").unwrap().status, 405);
}
