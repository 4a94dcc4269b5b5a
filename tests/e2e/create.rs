//! What goes wrong while a job is created, and what becomes of its tier (`client.md` 6, 11 and 15).

use serde_json::Value;
use tonic::Code;

use crate::job::{World, assert_says, key};
use crate::support::proxy::Fault;
use crate::support::{role, service};

#[test]
fn c16_c19_c26_what_goes_wrong_is_told_with_what_was_done() {
    let world = World::start();
    let create = |name: &str, more: &[&str]| {
        let file = world.file(name, &service(&role(), name, 1, "exec sleep 1000"));
        world.run(&[&["job", "create", &key(name), &file][..], more].concat())
    };
    let waits = ["--wait-until", "RUNNING"];

    // 26, D19: an error within the scheduler is one line, before anything was done and after.
    for (method, created) in [("GetInfo", 0), ("CreateJob", 1)] {
        world.proxy.plan(method, 1, Fault::refuse(Code::Internal, "a mistake"));
        let failed = create("inner", &waits).expect(10);
        assert_eq!(failed.out(), "");
        assert_eq!(failed.err().lines().count(), 1, "{}", failed.err());
        assert_says(&failed.err(), "error: the scheduler at ");
        assert_says(&failed.err(), "has failed: a mistake");
        assert_eq!(world.proxy.calls("CreateJob"), created);
    }

    // 16: looking is tried again for as long as everything is; what was created is not created again.
    let was_created = |name: &str| format!("error: {} was created; ", key(name));
    world.proxy.plan("WatchTasks", 1, Fault::LostBefore);
    let blind = create("blind", &waits).expect(7);
    assert_says(&blind.err(), &was_created("blind"));
    assert_eq!((world.proxy.calls("CreateJob"), world.proxy.calls("WatchTasks")), (1, 1));
    world.proxy.plan("WatchTasks", 2, Fault::LostBefore);
    create("again", &["--wait-until", "RUNNING", "--retry-for", "60"]).expect(0);
    assert_eq!((world.proxy.calls("CreateJob"), world.proxy.calls("WatchTasks")), (1, 3));

    // 19, D24: what cannot be seen is not taken for an end.
    for method in ["WatchTasks", "ListTasks"] {
        world.proxy.plan(method, 1, Fault::refuse(Code::InvalidArgument, "look away"));
        let unseen = create(&method.to_lowercase(), &waits).expect(10);
        assert_says(&unseen.err(), &was_created(&method.to_lowercase()));
        assert_says(&unseen.err(), "look away");
        assert_eq!((unseen.out(), world.proxy.calls("CreateJob")), (String::new(), 1));
    }
    // Who does not wait needs no look.
    create("quick", &[]).expect(0);
    let methods = ["ListTasks", "StreamTasks", "WatchTasks"];
    assert_eq!(methods.map(|method| world.proxy.calls(method)), [0; 3]);
    // The same of instances that were added.
    world.proxy.plan("WatchTasks", 1, Fault::refuse(Code::InvalidArgument, "look away"));
    let words = ["job", "add", &format!("{}/0", key("quick")), "2"];
    let unseen = world.run(&[&words[..], &waits].concat()).expect(10);
    assert_says(
        &unseen.err(),
        &format!("error: instances [1, 2] were added to {}; look away", key("quick")),
    );
    // What can be done with a job that is there is told.
    let twice = create("quick", &[]).expect(4);
    twice.says(&format!(
        "Job already exists: {}/prod/quick; change it with `aurora deploy`",
        role()
    ));
    twice.says("or end it first with `aurora job killall`");
}

#[test]
fn c29_production_and_tier_come_to_the_same() {
    let world = World::start();
    let quota = format!("test/{}", role());
    world.cluster.run(&["quota", "set", &quota, "10", "1GB", "1GB"]).expect(0);
    // What the file says, and what comes of it: without a tier the one that fits, otherwise what the tier says.
    for (name, says, tier, production) in [
        ("neither", "", "preemptible", false),
        ("no", "production = False,", "preemptible", false),
        ("yes", "production = True,", "preferred", true),
        ("lower", "production = True, tier = 'preemptible',", "preemptible", false),
        ("higher", "production = False, tier = 'preferred',", "preferred", true),
    ] {
        let text = service(&role(), name, 1, "exec sleep 1000");
        let file =
            world.file(name, &text.replace("instances = 1,", &format!("instances = 1, {says}")));
        world.run(&["job", "create", &key(name), &file]).expect(0);
        let task = &world.cluster.active(&key(name))[0]["assignedTask"]["task"];
        let found = (&task["tier"], &task["production"]);
        assert_eq!(found, (&Value::from(tier), &Value::from(production)), "{name}");
    }
}
