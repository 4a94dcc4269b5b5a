//! What a kill asks for, and what becomes of instances that do not end (`client.md` 6, 13.1 and 15).

use nix::sys::signal::Signal::{self, SIGCONT, SIGSTOP};

use crate::hooks;
use crate::job::{World, assert_says, key};
use crate::support::{role, service, wait_for};

/// Creates a job that finds no place: its instances end as soon as they are told to. Gives its key.
fn waiting(world: &World, name: &str, instances: u32) -> String {
    let text = service(&role(), name, instances, "true").replace("cpu = 0.01", "cpu = 1000");
    let file = world.file(name, &text);
    world.cluster.run(&["job", "create", &key(name), &file]).expect(0);
    key(name)
}

/// What is printed of batches that have ended.
fn told(batches: &[Vec<u32>]) -> String {
    batches.iter().map(|batch| format!("Successfully killed instances {batch:?}\n")).collect()
}

#[test]
fn c32_c33_c35_c36_c44_c45_many_instances_are_killed_in_batches() {
    let world = World::start();
    let many = waiting(&world, "many", 20);
    let these = |instances: &str| format!("{many}/{instances}");

    // 35: a call for each, and a wait for each call.
    let each = world.run(&["job", "kill", &these("0-19")]).expect(0);
    let batches: Vec<Vec<u32>> = (0..20).map(|instance| vec![instance]).collect();
    assert_eq!(world.killed(), batches);
    assert_eq!(world.proxy.calls("WatchTasks"), 20);
    assert_eq!(each.out(), told(&batches) + "Job kill succeeded\n");

    // 36 and 45
    waiting(&world, "many", 20);
    let all = world.run(&["job", "killall", &many, "--batch-size", "7"]).expect(0);
    let batches: [Vec<u32>; 3] = [0..7, 7..14, 14..20].map(Vec::from_iter);
    assert_eq!(world.killed(), batches);
    assert_eq!(all.out(), told(&batches) + "Job killall succeeded\n");
    waiting(&world, "many", 20);
    world.run(&["job", "kill", &these("0,2,4-6"), "--batch-size=5"]).expect(0);
    assert_eq!(world.killed(), [[0, 2, 4, 5, 6]]);

    // 32 and 33: one call and one wait; those that are not active are left out, which is no failure.
    let some = world.run(&["job", "kill", &these("1,2,7-9,77"), "--no-batching"]).expect(0);
    assert_eq!(world.killed(), [[1, 7, 8, 9]]);
    assert_eq!(world.proxy.calls("WatchTasks"), 1);
    assert_eq!(some.out(), told(&[vec![1, 7, 8, 9]]) + "Job kill succeeded\n");

    // 44: no instance is named. What was killed is told all the same.
    let all = world.run(&["job", "killall", &many, "--no-batching"]).expect(0);
    assert_eq!(world.killed(), [Vec::<u32>::new()]);
    let rest: Vec<u32> = [3].into_iter().chain(10..20).collect();
    assert_eq!(all.out(), told(&[rest]) + "Job killall succeeded\n");
    assert!(world.instances(&many).is_empty());
    // So one that comes between the look and the kill, here by a hook, does not survive it.
    let few = waiting(&world, "few", 2);
    let (aurora, address) = (env!("CARGO_BIN_EXE_aurora"), world.cluster.scheduler_address());
    let add = format!("exec {aurora} job add {few}/0 1 --scheduler {address}");
    hooks::write(&world.cluster.home, &[("late", &add, &["pre-call kill_job"])]);
    let all = world.run(&["job", "killall", &few, "--no-batching"]).expect(0);
    assert_eq!(all.out(), told(&[vec![0, 1, 2]]) + "Job killall succeeded\n");
    assert!(world.instances(&few).is_empty());
}

#[test]
fn c39_c40_instances_that_do_not_end_in_time_are_counted() {
    let world = World::start();
    let other = world.cluster.add_agent("other");
    let limit = "environment = 'prod', constraints = {'host': 'limit:3'}";
    let text = service(&role(), "web", 6, "exec sleep 1000");
    let web = world.create_from("web", &text.replace("environment = 'prod'", limit));
    let signal = |signal: Signal| {
        world.cluster.agent.signal(signal);
        other.signal(signal);
    };

    // 39: an agent that stands still ends nothing. One batch may be late, so two are begun.
    signal(SIGSTOP);
    let some = format!("{web}/0-4");
    let words = ["job", "kill", &some, "--max-total-failures=1", "--timeout", "300ms"];
    let late = world.run(&words).expect(4);
    assert_eq!(world.killed(), [[0], [1]]);
    assert_eq!(late.out(), "");
    let wanted = format!(
        "Instances [0] were not killed in time\nInstances [1] were not killed in time\n\
         error: instances [0, 1] of {web} have not ended within 300ms\n"
    );
    assert_eq!(late.err(), wanted);
    signal(SIGCONT);
    wait_for("the end of two", || (world.instances(&web) == [2, 3, 4, 5]).then_some(()));

    // 40: as many as may are late; those of the other agent are killed all the same.
    let tasks = world.cluster.active(&web);
    let of = |is_other: bool| -> Vec<u32> {
        let tasks = tasks.iter().map(|task| &task["assignedTask"]);
        let tasks = tasks.filter(|task| (task["slaveHost"] == "other") == is_other);
        tasks.map(|task| u32::try_from(task["instanceId"].as_u64().unwrap()).unwrap()).collect()
    };
    let (mut late, fine) = (of(false), of(true));
    assert!(!late.is_empty() && !fine.is_empty(), "{tasks:#?}");
    // Each that is late costs its time: one is enough.
    for surplus in late.split_off(1) {
        world.run(&["job", "kill", &format!("{web}/{surplus}")]).expect(0);
    }
    world.cluster.agent.signal(SIGSTOP);
    let words = ["job", "killall", &web, "--max-total-failures", "1", "--timeout", "10s"];
    let killed = world.run(&words).expect(4);
    assert_eq!(world.killed().len(), fine.len() + 1);
    let fine: Vec<Vec<u32>> = fine.into_iter().map(|instance| vec![instance]).collect();
    assert_eq!(killed.out(), told(&fine));
    assert_says(
        &killed.err(),
        &format!("error: instances {late:?} of {web} have not ended within 10s\n"),
    );

    // All at once, it is a matter of time alone.
    let words = ["job", "killall", &web, "--no-batching", "--timeout", "300ms"];
    let killed = world.run(&words).expect(9);
    assert_eq!((world.killed().len(), killed.out()), (1, String::new()));
    world.cluster.agent.signal(SIGCONT);
    wait_for("the end of all", || world.instances(&web).is_empty().then_some(()));
}

#[test]
fn c20_c41_c50_c55_a_job_that_is_being_updated_is_left_alone() {
    let world = World::start();
    let text = service(&role(), "web", 1, "true").replace("cpu = 0.01", "cpu = 1000");
    let (web, file) = (key("web"), world.file("web", &text));
    world.cluster.run(&["update", "start", &web, &file]).expect(0);
    let first = format!("{web}/0");
    // 41: however many failures are put up with.
    let some = ["--max-total-failures", "5"];
    for (words, more, code) in [
        (&["job", "create", &web, &file][..], &["--wait-until", "RUNNING"][..], 4),
        (&["job", "killall", &web], &some, 10),
        (&["job", "killall", &web, "--no-batching"], &some, 10),
        (&["job", "kill", &first], &some, 10),
        (&["job", "add", &first, "1"], &["--wait-until", "RUNNING"], 10),
        (&["job", "restart", &web], &some, 10),
    ] {
        let refused = world.run(&[words, more].concat()).expect(code);
        assert_says(&refused.err(), "prod/web is being updated: update ");
        assert_says(&refused.err(), "Wait for its end, or abort it first");
        assert_eq!(refused.out(), "");
        let changes = ["CreateJob", "KillTasks", "AddInstances", "RestartTasks"];
        let calls: usize = changes.iter().map(|method| world.proxy.calls(method)).sum();
        assert_eq!((calls, world.proxy.calls("WatchTasks")), (1, 0), "{words:?}");
    }
    assert_eq!(world.instances(&web), [0]);
}
