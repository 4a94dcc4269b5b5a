//! Which instances a restart takes for well (`client.md` 13.2 and 15); `job.rs` has how it goes on.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal::SIGINT;
use serde_json::json;
use tonic::Code;

use crate::job::{World, assert_says};
use crate::support::cluster::task_id;
use crate::support::process::Process;
use crate::support::proxy::Fault;
use crate::support::wait_for;

#[test]
fn c54_c60_c61_c63_c64_a_restart_watches_each_instance() {
    let world = World::start();
    let well = |instance: u32| world.cluster.home.path().join(format!("well-{instance}"));
    for instance in 0..3 {
        std::fs::write(well(instance), "").unwrap();
    }
    let home = world.cluster.home.path().display().to_string();
    let command = format!("test -e {home}/well-{{{{mesos.instance}}}} || exit 3; exec sleep 1000");
    let web = world.create("web", 3, &command);
    let first = format!("{web}/0");
    let id = || task_id(&world.cluster.active(&web)[0]);

    // 60: the same run for long enough. It is told, not asked for.
    let begin = Instant::now();
    let done = world.run(&["job", "restart", &first, "--watch-secs", "2", "-o", "json"]).expect(0);
    assert!(begin.elapsed() >= Duration::from_secs(2));
    assert_eq!(done.json()["restarted"], json!([0]));
    assert_eq!((world.restarted(), world.proxy.calls("WatchTasks")), (vec![vec![0]], 1));

    // 61: another run takes its place while it is watched.
    let before = id();
    let words = ["job", "restart", &first, "--watch-secs", "1000", "-v"];
    let mut watching = Process::start(&mut world.cluster.home.aurora(&world.cluster.words(&words)));
    watching.expect("WatchTasks: answered");
    wait_for("the new run", || {
        let tasks = world.cluster.active(&web);
        (tasks.len() == 3 && task_id(&tasks[0]) != before && tasks[0]["status"] == "RUNNING")
            .then_some(())
    });
    world.run(&["job", "restart", &first, "--watch-secs", "0"]).expect(0);
    assert_eq!(watching.ended(), 4, "{:?}", watching.lines());
    watching.expect("Instance 0 is not well: ");
    watching.expect_last(&format!("error: instances [0] of {web} have not come up well"));

    // 63: of several one fails, and it alone is named.
    std::fs::remove_file(well(1)).unwrap();
    let words = ["job", "restart", &web, "--batch-size", "3", "--watch-secs", "1"];
    let failed = world.run(&[&words[..], &["-o", "json"]].concat()).expect(4);
    let result = failed.json();
    assert_eq!(world.restarted(), [[0, 1, 2]]);
    assert_eq!((&result["restarted"], &result["left"]), (&json!([0, 2]), &json!([])));
    assert_eq!(result["failed"].as_array().unwrap().len(), 1, "{result}");
    assert_eq!(result["failed"][0]["instance"], 1);
    assert_says(result["failed"][0]["reason"].as_str().unwrap(), "it has ended as FAILED");
    // 54, of a look on the way: the first is answered, the one before the next try is not.
    world.proxy.plan("ListTasks", 1, Fault::Late(Duration::ZERO));
    world.proxy.plan("ListTasks", 1, Fault::refuse(Code::InvalidArgument, "no questions"));
    let second = format!("{web}/1");
    let words = ["job", "restart", &second, "--max-per-instance-failures", "1"];
    let refused = world.run(&words).expect(10);
    assert_says(&refused.err(), "error: no questions");
    assert_eq!((refused.out(), world.restarted()), (String::new(), vec![vec![1]]));
    std::fs::write(well(1), "").unwrap();
    world.cluster.wait_running(&web, 3);

    // 64: one that is ended before its restart is answered does not watch.
    let before = id();
    world.proxy.forget();
    world.proxy.plan("RestartTasks", 1, Fault::Silent);
    let proxy = world.proxy.address();
    let words = ["job", "restart", &first, "--scheduler", &proxy];
    let mut ended = Process::start(&mut world.cluster.home.aurora(&words));
    wait_for("the restart", || (world.proxy.calls("RestartTasks") == 1).then_some(()));
    ended.signal(SIGINT);
    assert_eq!(ended.ended(), 130);
    assert_eq!((world.proxy.calls("WatchTasks"), id()), (0, before));
}
