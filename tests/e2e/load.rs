//! Loading a configuration: what is read, what is refused, with which status (`client.md` 11 and 15).

use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::proxy::{Fault, Proxy};
use crate::support::{Home, Ran, role};

const KEY: &str = "c/www/prod/web";

/// A service of two instances with more fields.
fn job(more: &str) -> String {
    format!(
        "jobs = [Service(cluster = 'c', role = 'www', environment = 'prod', name = 'web', instances = 2, \
         task = Task(processes = [Process(name = 'p', cmdline = 'echo {{{{mesos.instance}}}}')], \
         resources = Resources(cpu = 1, ram = 64 * MB, disk = 64 * MB)), {more})]\n"
    )
}

/// Runs a command on the job of a text, without any scheduler.
fn on(text: &str, words: &[&str]) -> Ran {
    let home = Home::new();
    let file = home.file("web.aurora", text);
    let words: Vec<&str> = words
        .iter()
        .map(|word| if *word == "FILE" { file.to_str().unwrap() } else { word })
        .collect();
    home.run(&words)
}

#[track_caller]
fn refused(text: &str, words: &[&str], why: &str) {
    let ran = on(text, words).expect(3);
    let said =
        ran.err().split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    assert!(said.contains(why), "{why:?} is not in {said}");
    assert_eq!(ran.out(), "", "nothing is printed of what cannot be used");
}

#[test]
fn c83_c84_c152_c153_what_cannot_be_submitted_ends_with_3() {
    let inspect = &["inspect", KEY, "FILE"];
    for (more, why) in [
        // 83 and 153: these ended with 1 (D9).
        (
            "update_config = UpdateConfig(max_total_failures = 2)",
            "must be less than the number of instances (2)",
        ),
        (
            "constraints = {'dedicated': 'www/x'}, update_config = UpdateConfig(max_total_failures = -1)",
            "update_config",
        ),
        ("update_config = UpdateConfig(watch_secs = -1)", "watch_secs: it cannot be less than 0"),
        (
            "health_check_config = HealthCheckConfig(interval_secs = -1)",
            "interval_secs: it cannot be less than 0",
        ),
        (
            "health_check_config = HealthCheckConfig(initial_interval_secs = -1)",
            "initial_interval_secs",
        ),
        (
            "health_check_config = HealthCheckConfig(max_consecutive_failures = -1)",
            "max_consecutive_failures",
        ),
        (
            "health_check_config = HealthCheckConfig(min_consecutive_successes = -1)",
            "min_consecutive_successes",
        ),
        // 84
        ("contact = '{{profile.mail}}'", "nothing is bound to {{profile.mail}}"),
        // 152
        (
            "announce = Announcer(portmap = {'http': 8080})",
            "only dedicated jobs may have static ports",
        ),
        ("announce = Announcer(portmap = {'http': 'a', 'a': 'http'})", "cycle"),
        ("constraints = {'host': 'limit:x'}", "\"x\" is not a number: use limit:N"),
        ("cron_collision_policy = 'SOMETIMES'", "SOMETIMES"),
    ] {
        refused(&job(more), inspect, why);
    }
    let many = job(
        "constraints = {'dedicated': 'www/x'}, update_config = UpdateConfig(max_total_failures = 3)",
    );
    refused(
        &many.replace("instances = 2", "instances = 200"),
        inspect,
        "set max_total_failures to 4 or more",
    );
    // Zero is fine for each.
    let zeros = "update_config = UpdateConfig(watch_secs = 0), health_check_config = HealthCheckConfig(\
                 initial_interval_secs = 0, interval_secs = 0, max_consecutive_failures = 0, min_consecutive_successes = 0)";
    on(&job(zeros), inspect).expect(0);
}

#[test]
fn c7_c21_c22_c23_c27_c28_c84_a_file_is_found_bound_and_searched() {
    let inspect = &["inspect", KEY, "FILE"];
    refused("jobs = [", inspect, "syntax-error");
    refused("jobs = []\n", inspect, "no jobs");
    refused("x = 1\n", inspect, "no jobs");
    refused(&job("").replace("name = 'web'", "name = 'other'"), inspect, "c/www/prod/other");
    let one = job("");
    let twice = format!("{one}jobs = jobs + jobs\n");
    refused(&twice, inspect, "ambiguous");
    for (missing, field) in [
        ("role = 'www', ", "role"),
        ("cluster = 'c', ", "cluster"),
        ("environment = 'prod', ", "environment"),
    ] {
        refused(&one.replace(missing, ""), inspect, field);
    }
    let open =
        job("contact = '{{profile.mail}}', metadata = [Metadata(key = 'k', value = '{{v}}')]");
    refused(&open, inspect, "nothing is bound to");
    // Only the first = counts.
    let bound =
        ["inspect", KEY, "FILE", "--bind", "profile.mail=-x=y=", "--bind", "v=1", "-o", "json"];
    let bound = on(&open, &bound).expect(0).json();
    assert_eq!((&bound["contact"], &bound["metadata"][0]["value"]), (&json!("-x=y="), &json!("1")));
    assert!(!bound.to_string().contains("{{profile"), "{bound}");
    // 7
    on(&open, &["inspect", KEY, "FILE", "--bind", "nope"]).expect(2);
    on(&open, &["inspect", KEY, "FILE", "--bind", "1x=nope"]).expect(2);
    // A file that is not there.
    for words in [
        &["inspect", KEY, "none"][..],
        &["inspect", KEY, "none", "--read-json"],
        &["config", "list", "none"],
        &["config", "list", "none", "--read-json"],
    ] {
        let said = on("", words).expect(3).err();
        assert!(said.contains("cannot read none"), "{said}");
    }
}

#[test]
fn c85_production_without_a_tier_is_warned_of() {
    let inspect = &["inspect", KEY, "FILE"];
    let warned = on(&job("production = True"), inspect).expect(0);
    assert!(warned.err().contains("`production` is deprecated"), "{}", warned.err());
    let silent = on(&job("production = True, tier = 'preferred'"), inspect).expect(0);
    assert_eq!(silent.err(), "");
}

#[test]
fn c94_c131_to_c134_what_an_update_sends_is_checked_when_one_is_meant() {
    let settings = |more: &str| {
        let exported = on(&job(more), &["config", "export", "FILE"]).expect(0).json();
        exported["jobs"][0]["update_settings"].clone()
    };
    for (config, strategy, size) in [
        (
            "update_strategy = QueueUpdateStrategy(batch_size = 2)",
            json!({ "queueStrategy": { "groupSize": 2 } }),
            1,
        ),
        (
            "update_strategy = BatchUpdateStrategy(batch_size = 2, autopause_after_batch = True)",
            json!({ "batchStrategy": { "groupSize": 2, "autopauseAfterBatch": true } }),
            1,
        ),
        (
            "update_strategy = VariableBatchUpdateStrategy(batch_sizes = [1, 2])",
            json!({ "varBatchStrategy": { "groupSizes": [1, 2], "autopauseAfterBatch": false } }),
            1,
        ),
        ("batch_size = 3", json!({ "queueStrategy": { "groupSize": 3 } }), 3),
        (
            "batch_size = 3, wait_for_batch_completion = True",
            json!({ "batchStrategy": { "groupSize": 3, "autopauseAfterBatch": false } }),
            3,
        ),
    ] {
        let sent = settings(&format!("update_config = UpdateConfig({config})"));
        assert_eq!(sent["updateStrategy"], strategy, "{config}");
        if !config.starts_with("update_strategy") {
            assert_eq!(sent["updateGroupSize"], size, "{config}");
        }
    }
    // D8: refused by the file, whether or not a scheduler is there.
    for (config, why) in [
        ("pulse_interval_secs = 30", "pulse_interval_secs"),
        ("batch_size = 0", "batch_size"),
        (
            "update_strategy = VariableBatchUpdateStrategy(batch_sizes = [])",
            "there must be a size for batches",
        ),
        ("batch_size = 3, update_strategy = QueueUpdateStrategy(batch_size = 2)", "batch_size"),
        (
            "wait_for_batch_completion = True, update_strategy = QueueUpdateStrategy(batch_size = 2)",
            "wait_for_batch_completion",
        ),
    ] {
        let text = job(&format!("update_config = UpdateConfig({config})"));
        for words in [
            &["update", "start", KEY, "FILE"][..],
            &["deploy", KEY, "FILE", "--yes"],
            &["plan", KEY, "FILE"],
            &["diff", KEY, "FILE"],
        ] {
            refused(&text, words, why);
        }
        // It can be looked at; and a check of the file finds it.
        on(&text, &["inspect", KEY, "FILE"]).expect(0);
        let found = on(&text, &["config", "check", "FILE"]).expect(3).out();
        let found =
            found.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert!(found.contains(why), "{why:?} is not in {found}");
    }
}

#[test]
fn json_is_read_wherever_a_file_is() {
    let home = Home::new();
    let file = home.file("web.aurora", &job("tier = 'preemptible'"));
    let file = file.to_str().unwrap();
    let text = home.run(&["inspect", KEY, file]).expect(0).out();
    let one = home.run(&["inspect", KEY, file, "-o", "json"]).expect(0).out();
    let list = home.file("list.json", &format!("{{\"jobs\": [{one}]}}"));
    let one = home.file("one.json", &one);
    for json in [&one, &list] {
        let json = json.to_str().unwrap();
        assert_eq!(home.run(&["inspect", KEY, json, "--read-json"]).expect(0).out(), text);
        let keys = home.run(&["config", "list", json, "--read-json"]).expect(0).out();
        assert_eq!(keys, format!("jobs=[{KEY}]\n"));
    }
    home.file("wrong.json", "{\"jobs\": [");
    let wrong = home.path().join("wrong.json");
    let said = home.run(&["inspect", KEY, wrong.to_str().unwrap(), "--read-json"]).expect(3).err();
    assert!(said.contains("is no JSON"), "{said}");
}

#[test]
fn c24_c30_c77_c100_c151_what_the_scheduler_says_while_a_job_is_submitted() {
    let cluster = Cluster::start();
    let home = &cluster.home;
    let key = format!("test/{}/prod/web", role());
    let text =
        |more: &str| job(more).replace("'c'", "'test'").replace("'www'", &format!("'{}'", role()));
    let file = |text: &str| home.file("web.aurora", text).to_str().unwrap().to_owned();
    let plain = file(&text(""));
    let proxy = Proxy::before(&cluster.scheduler_address());
    let spoiled = |code: tonic::Code, words: &[&str]| {
        proxy.plan("PlanJob", 1, Fault::refuse(code, "not today"));
        proxy.run(home, &[words, &[&key, &plain]].concat())
    };
    // 77
    for words in [&["diff"][..], &["plan"]] {
        let said = spoiled(tonic::Code::OutOfRange, words).expect(10).err();
        assert!(said.contains("not today"), "{said}");
    }
    // 30, D7: a login that is refused is no fault of the file.
    spoiled(tonic::Code::Unauthenticated, &["plan"]).expect(30);
    spoiled(tonic::Code::PermissionDenied, &["update", "start"]).expect(30);
    assert_eq!(proxy.calls("StartUpdate"), 0);
    // 151: tiers are the scheduler's.
    let unknown = file(&text("tier = 'nonsense'"));
    let said = cluster.run(&["plan", &key, &unknown]).expect(3).err();
    assert!(said.contains("nonsense"), "{said}");
    // 24 and 100
    let cron = text("cron_schedule = '0 3 * * *'").replace("Service(", "Job(");
    let cron = file(&cron);
    let said = cluster.run(&["job", "create", &key, &cron]).expect(4).err();
    assert!(said.contains("aurora cron schedule"), "{said}");
    let said = proxy.run(home, &["update", "start", &key, &cron]).expect(4).err();
    assert_eq!(proxy.calls("StartUpdate"), 0);
    assert!(said.contains("aurora cron schedule"), "{said}");
}
