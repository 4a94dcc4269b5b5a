//! Tasks that are shown, and jobs that are found by patterns (`client.md` 4, 6 and 15).

use aurora_api::v1;
use serde_json::{Value, json};
use tonic::Code;

use crate::job::{World, assert_says, key};
use crate::support::proxy::Fault;
use crate::support::{Ran, role, service};

const HOUR_MS: i64 = 3_600_000;

/// What the original prints of a task, made of the same as JSON, in a time zone so many hours east.
fn told(task: &Value, hours: i64) -> String {
    let (assigned, config) = (&task["assignedTask"], &task["assignedTask"]["task"]);
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let mut text = format!(
        "\tTask role: {}, env: prod, name: {}, instance: {}, status: {} on {}\n\
         \t  CPU: 0.01 core(s), RAM: 8 MB, Disk: 8 MB",
        role(),
        word(&config["job"]["name"]),
        assigned["instanceId"],
        word(&task["status"]),
        word(&assigned["slaveHost"]),
    );
    match assigned["assignedPorts"]["http"].as_u64() {
        Some(port) => text += &format!(", Port: http\n\t  assigned ports: http: {port}\n"),
        None => text += "\n",
    }
    text += "\t  failure count: 0 (max 1)\n\t  events:\n";
    for event in task["taskEvents"].as_array().unwrap() {
        let ms = event["timestamp"].as_i64().unwrap() + hours * HOUR_MS;
        let time = jiff::Timestamp::from_millisecond(ms).unwrap().strftime("%Y-%m-%d %H:%M:%S");
        let message = event["message"].as_str().unwrap_or("None");
        text += &format!("\t   {time} {}: {message}\n", word(&event["status"]));
    }
    if config["metadata"] != json!([]) {
        text += "\t  metadata:\n\t\t(key: 'k', value: 'v')\n\t\t(key: 'other', value: 'one')\n";
    }
    text
}

#[test]
fn c65_c66_c67_tasks_are_shown_in_the_originals_words_and_for_programs() {
    let world = World::start();
    let text = service(&role(), "web", 3, "echo {{thermos.ports[http]}}; exec sleep 1000");
    let metadata = "environment = 'prod', \
                    metadata = [Metadata(key = 'k', value = 'v'), Metadata(key = 'other', value = 'one')]";
    let web = world.create_from("web", &text.replace("environment = 'prod'", metadata));
    let plain = world.create("plain", 1, "exec sleep 1000");
    world.run(&["job", "kill", &format!("{web}/1"), "-m", "not this one"]).expect(0);

    // 67: names, not numbers, of states; booleans; by instance.
    let shown = world.run(&["job", "status", &web, "-o", "json"]).expect(0);
    assert_eq!(world.run(&["job", "status", &web, "--write-json"]).expect(0).out(), shown.out());
    assert!(
        shown.out().starts_with("[\n  {\n    \""),
        "two blanks for each level: {}",
        shown.out()
    );
    let jobs = shown.json();
    assert_eq!((jobs.as_array().unwrap().len(), &jobs[0]["job"]), (1, &json!(web)));
    let [active, inactive] = ["active", "inactive"].map(|it| jobs[0][it].as_array().unwrap());
    let instances =
        |of: &[Value]| of.iter().map(|it| it["assignedTask"]["instanceId"].clone()).collect();
    let (active_ids, inactive_ids): (Vec<_>, Vec<_>) = (instances(active), instances(inactive));
    assert_eq!((active_ids, inactive_ids), (vec![json!(0), json!(2)], vec![json!(1)]));
    let states = |task: &Value| -> Vec<String> {
        let events = task["taskEvents"].as_array().unwrap();
        assert!(events.is_sorted_by_key(|event| event["timestamp"].as_i64().unwrap()), "{task:#}");
        events.iter().map(|event| event["status"].as_str().unwrap().to_owned()).collect()
    };
    for task in active.iter().chain(inactive) {
        let config = &task["assignedTask"]["task"];
        assert_eq!((&config["isService"], &config["production"]), (&json!(true), &json!(false)));
        assert_eq!((&task["failureCount"], &task["timesPartitioned"]), (&json!(0), &json!(0)));
        assert!(task["assignedTask"]["assignedPorts"]["http"].is_u64(), "{task:#}");
        assert!(config["resources"].as_array().unwrap().contains(&json!({ "namedPort": "http" })));
        assert_eq!(states(task)[..2], ["PENDING", "ASSIGNED"], "{task:#}");
    }
    assert_eq!(
        (&active[0]["status"], &inactive[0]["status"]),
        (&json!("RUNNING"), &json!("KILLED"))
    );
    assert_eq!(states(&active[0]).last().unwrap(), "RUNNING");
    assert!(states(&inactive[0]).ends_with(&["KILLING".to_owned(), "KILLED".to_owned()]));

    // 65 and 66, in the time of who asks.
    let status = |key: &str, zone: &str| -> String {
        let words = world.cluster.words(&["job", "status", key]);
        let mut command = world.cluster.home.aurora(&words);
        Ran(command.env("TZ", zone).output().unwrap()).expect(0).out()
    };
    for (zone, hours) in [("UTC", 0), ("JST-9", 9)] {
        let wanted = format!(
            "Active tasks (2):\n{}{}Inactive tasks (1):\n{}\n",
            told(&active[0], hours),
            told(&active[1], hours),
            told(&inactive[0], hours),
        );
        assert_says(&wanted, "not this one");
        assert_eq!(status(&web, zone), wanted.replace("\nnot this one", " not this one"));
    }
    let task = &world.cluster.active(&plain)[0];
    let wanted = format!("Active tasks (1):\n{}Inactive tasks (0):\n\n", told(task, 0));
    assert!(!wanted.contains("metadata") && !wanted.contains("orts"), "{wanted}");
    assert_eq!(status(&plain, "UTC"), wanted);
    // Of several jobs each is named.
    let both = status("test", "UTC");
    assert!(both.starts_with(&format!("{plain}\n{wanted}{web}\nActive tasks (2):\n")), "{both}");
}

/// Jobs that find no place, of roles that nobody need be.
fn create(world: &World, role: &str, environment: &str, name: &str) {
    let text = service(role, name, 1, "true")
        .replace("cpu = 0.01", "cpu = 1000")
        .replace("'prod'", &format!("'{environment}'"));
    let file = world.file(name, &text);
    world
        .cluster
        .run(&["job", "create", &format!("test/{role}/{environment}/{name}"), &file])
        .expect(0);
}

#[test]
fn c68_to_c73_c139_to_c141_jobs_are_found_by_patterns() {
    let world = World::start();
    for (role, environment, name) in [
        ("shop", "devel", "hello"),
        ("shop", "prod", "hallo"),
        ("shop", "prod", "hello"),
        ("shops", "prod", "other"),
        ("stop", "prod", "hello"),
    ] {
        create(&world, role, environment, name);
    }
    let list = |pattern: &str| -> Vec<String> {
        let listed = world.run(&["job", "list", pattern]).expect(0);
        assert_eq!(listed.err(), "");
        listed.out().lines().map(|line| line.strip_prefix("test/").unwrap().to_owned()).collect()
    };
    // Whose jobs the scheduler was asked for.
    let roles = || -> Vec<String> {
        let sent: Vec<v1::ListJobsRequest> = world.proxy.sent("ListJobs");
        sent.into_iter().map(|call| call.role).collect()
    };
    let all = [
        "shop/devel/hello",
        "shop/prod/hallo",
        "shop/prod/hello",
        "shops/prod/other",
        "stop/prod/hello",
    ];
    assert_eq!(list("test"), all);
    assert_eq!(roles(), [""]);
    assert_eq!(list("test/shop"), all[..3]);
    assert_eq!(roles(), ["shop"]);

    // 68: one question for the jobs, one for the tasks of each that matches.
    let status = |pattern: &str| -> Vec<String> {
        let shown = world.run(&["job", "status", pattern, "-o", "json"]).expect(0).json();
        let jobs = shown.as_array().unwrap().iter();
        jobs.map(|job| job["job"].as_str().unwrap()["test/".len()..].to_owned()).collect()
    };
    assert_eq!(status("test/s*op/prod/h*"), [all[1], all[2], all[4]]);
    assert_eq!((roles(), world.proxy.calls("ListTasks")), (vec![String::new()], 3));
    assert_eq!(status("test/shop/*/hello"), [all[0], all[2]]);
    assert_eq!((roles(), world.proxy.calls("ListTasks")), (vec!["shop".to_owned()], 2));
    // 140, D26: other signs make a pattern, too, and of a role as well. 141: beside a *.
    assert_eq!(status("test/shop/prod/h?llo"), all[1..3]);
    assert_eq!(roles(), ["shop"]);
    assert_eq!(list("test/s[a-h]op/prod/h[!a]llo"), [all[2]]);
    assert_eq!(roles(), [""]);
    assert_eq!(list("test/*/prod/h?llo"), [all[1], all[2], all[4]]);
    assert_eq!(roles(), [""]);

    // 69
    for more in [&[][..], &["-o", "json"]] {
        world.proxy.plan("ListTasks", 1, Fault::refuse(Code::InvalidArgument, "no questions"));
        let words = [&["job", "status", "test/shop/prod/hello"], more].concat();
        let refused = world.run(&words).expect(6);
        assert_eq!((refused.out(), refused.err().contains("no questions")), (String::new(), true));
    }
    // 139
    for words in [["job", "list", "test/*"], ["job", "status", "test/*"]] {
        world.proxy.plan("ListJobs", 1, Fault::refuse(Code::InvalidArgument, "no questions"));
        let refused = world.run(&words).expect(4);
        assert_eq!((refused.out(), refused.err().contains("no questions")), (String::new(), true));
    }
    world.proxy.plan("GetCronJob", 1, Fault::refuse(Code::InvalidArgument, "no questions"));
    let refused = world.run(&["cron", "show", "test/shop/prod/hello"]).expect(6);
    assert_eq!(refused.err(), "error: no questions\n");

    // 70 and 71: what is left out is a *.
    for (pattern, whole) in [
        ("test/nobody", "test/nobody/*/*"),
        ("test/nobody/prod", "test/nobody/prod/*"),
        ("test/*/prod/none", "test/*/prod/none"),
    ] {
        let none = world.run(&["job", "status", pattern]).expect(6);
        assert_eq!(none.err(), format!("error: found no jobs matching {whole}\n"));
        assert_eq!(none.out(), "");
        let none = world.run(&["job", "status", pattern, "--write-json"]).expect(0);
        assert_eq!(none.json(), json!({ "jobspec": whole, "error": "No matching jobs found" }));
        assert!(list(pattern).is_empty());
    }
    // 72, D10: a whole key is looked for, too.
    assert_eq!(list("test/shop/prod/hello"), [all[2]]);
    assert!(list("test/shop/prod/hullo").is_empty());
    assert_eq!(roles(), ["shop"]);
}

#[test]
fn c73_every_cluster_or_one_and_no_pattern_of_clusters() {
    let world = World::start();
    let web = key("web");
    create(&world, &role(), "prod", "web");
    let entries = ["east", "west"].map(|name| {
        format!("{{\"name\": \"{name}\", \"scheduler_uri\": \"{}\"}}", world.proxy.address())
    });
    world.cluster.home.file("clusters.json", &format!("[{}]", entries.join(", ")));
    let run = |words: &[&str]| world.cluster.home.run(words);
    for wrong in ["we*", "w?st", "**"] {
        for verb in ["list", "status"] {
            let refused = run(&["job", verb, wrong]).expect(3).err();
            assert_says(&refused, wrong);
        }
    }
    assert!(world.proxy.all().is_empty(), "{:?}", world.proxy.all());

    // All that are known.
    let [east, west] = ["east", "west"].map(|name| web.replace("test/", &format!("{name}/")));
    assert_eq!(run(&["job", "list", "*"]).expect(0).out(), format!("{east}\n{west}\n"));
    let shown = run(&["job", "status", "*/*/prod/w*", "-o", "json"]).expect(0).json();
    let keys = |shown: &Value| -> Vec<Value> {
        shown.as_array().unwrap().iter().map(|job| job["job"].clone()).collect()
    };
    assert_eq!(keys(&shown), [east.clone(), west.clone()]);
    assert_says(&run(&["job", "status", "*/nobody"]).expect(6).err(), "matching */nobody/*/*");
    assert_says(&run(&["job", "status", "*", "--watch"]).expect(2).err(), "one cluster");
    // One that is away hides none of the others.
    let away = "{\"name\": \"away\", \"scheduler_uri\": \"http://127.0.0.1:1\"}".to_owned();
    let entries = [&[away], &entries[..]].concat();
    world.cluster.home.file("clusters.json", &format!("[{}]", entries.join(", ")));
    for words in [&["job", "list", "*"][..], &["job", "status", "*", "-o", "json"]] {
        let some = run(&[words, &["--no-retry"]].concat()).expect(7);
        assert!(some.out().contains(&east) && some.out().contains(&west), "{}", some.out());
        assert_says(&some.err(), "not all is shown: of away nothing is known");
    }
    assert_says(&run(&["job", "status", "*/nobody", "--no-retry"]).expect(7).err(), "of away");
    // One that is given is the only one.
    assert_eq!(world.run(&["job", "list", "*"]).expect(0).out(), format!("{web}\n"));
}
