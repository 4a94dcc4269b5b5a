//! What would change: `aurora plan` and `aurora diff` against what really runs.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::{Ran, role, service};

/// A service of this many instances, with more fields of its job.
fn job(name: &str, instances: u32, command: &str, more: &str) -> String {
    // Nothing here is about how long instances are watched.
    let with =
        format!("environment = 'prod', update_config = UpdateConfig(watch_secs = 0), {more}");
    service(&role(), name, instances, command).replace("environment = 'prod',", &with)
}

fn key(name: &str) -> String {
    format!("test/{}/prod/{name}", role())
}

#[test]
fn a_plan_tells_of_instances_quota_and_room_and_is_held_to() {
    let cluster = Cluster::start();
    let home = &cluster.home;
    let key = key("web");
    let write = |text: &str| home.file("web.aurora", text).to_str().unwrap().to_owned();
    let first = job("web", 3, "echo one\nexec sleep 1000", "contact = 'a@example.com',");
    let file = write(&first);
    let plan = |more: &[&str]| cluster.run(&[&["plan", &key, &file], more].concat());

    // A job that is not there yet.
    let new = plan(&["--detailed-exitcode"]).expect(2).out();
    for wanted in [
        &format!("{key} would be created:\n  + [0-2] new\n"),
        "\nPlacement: 3 of 3 instances would find a place at once.\n",
        "\nPlan: 3 to add, 0 to change, 0 to remove, 0 unchanged.\nPlan id: ",
    ] {
        assert!(new.contains(wanted), "{wanted:?} is not in {new}");
    }
    cluster.run(&["update", "start", &key, &file, "--wait"]).expect(0);
    cluster.wait_running(&key, 3);
    let same = plan(&["--detailed-exitcode"]).expect(0).out();
    assert!(
        same.starts_with(&format!("{key} is what the file says:\n  = [0-2] as they are\n")),
        "{same}"
    );
    assert_eq!(plan(&["-o", "json"]).expect(0).json()["action"], "none");

    // Fields, texts line by line, and what comes and goes.
    write(&job(
        "web",
        4,
        "echo two\nexec sleep 1000",
        "metadata = [Metadata(key = 'a', value = 'b')],",
    ));
    let changed = plan(&[]).expect(0).out();
    for wanted in [
        "  + [3] new\n  ~ [0-2] changed\n",
        "\nInstances [0-2]:\n  - contact_email: a@example.com\n",
        "  ~ executor.data.task.processes[0].cmdline:\n",
        "\n      -echo one\n      +echo two\n       exec sleep 1000\n",
        "\nPlan: 1 to add, 3 to change, 0 to remove, 0 unchanged.\n",
    ] {
        assert!(changed.contains(wanted), "{wanted:?} is not in {changed}");
    }
    let told = plan(&["-o", "json"]).expect(0).json();
    assert_eq!((&told["job"], &told["action"]), (&json!(key), &json!("update")));
    assert_eq!(told["counts"], json!({ "add": 1, "change": 3, "remove": 0, "unchanged": 0 }));
    assert_eq!((&told["add"], &told["update"][0]["instances"]), (&json!([3]), &json!([0, 1, 2])));
    assert_eq!((&told["quota"], &told["refused"]), (&json!(null), &json!([])));
    assert_eq!(told["placement"]["fits"], 4);
    let paths = told["update"][0]["changes"].to_string();
    assert!(paths.contains("executor.data.task.processes[0].cmdline"), "{paths}");
    let yaml = plan(&["-o", "yaml"]).expect(0).out();
    assert!(yaml.contains(&format!("job: {key}\n")), "{yaml}");

    // Only what was planned is started.
    let id = told["id"].as_str().unwrap().to_owned();
    write(&job("web", 5, "echo two\nexec sleep 1000", ""));
    let other = cluster.run(&["update", "start", &key, &file, "--check-plan", &id]).expect(4).err();
    assert!(other.contains("what would be submitted is not what was planned"), "{other}");
    write(&job(
        "web",
        4,
        "echo two\nexec sleep 1000",
        "metadata = [Metadata(key = 'a', value = 'b')],",
    ));
    assert_eq!(plan(&["-o", "json"]).expect(0).json()["id"], id, "the same again");
    cluster.run(&["job", "kill", &format!("{key}/2")]).expect(0);
    let since = cluster.run(&["update", "start", &key, &file, "--check-plan", &id]).expect(4).err();
    assert!(since.contains("what runs has changed since it was planned"), "{since}");
    let id = plan(&["-o", "json"]).expect(0).json()["id"].as_str().unwrap().to_owned();
    cluster.run(&["update", "start", &key, &file, "--check-plan", &id, "--wait"]).expect(0);
    cluster.wait_running(&key, 4);
    let wrong =
        cluster.run(&["update", "start", &key, &file, "--check-plan", "latest"]).expect(2).err();
    assert!(wrong.contains("give what `aurora plan` says it is"), "{wrong}");

    // What has no room, and what has no quota.
    let large = job("big", 40, "true", "tier = 'preferred',").replace("cpu = 0.01", "cpu = 1");
    let file = home.file("big.aurora", &large).to_str().unwrap().to_owned();
    let big =
        cluster.run(&["plan", &self::key("big"), &file, "--detailed-exitcode"]).expect(2).out();
    for wanted in [
        &format!("\nQuota of {}:\n  CPU:  0.0 -> 40.0 core(s), of 0.0\n", role()),
        " of 40 instances would find a place at once; the others would wait: ",
        "1 host has room for some of them only",
        "\nAs things are, this would be refused: it exceeds the quota of ",
    ] {
        assert!(big.contains(wanted), "{wanted:?} is not in {big}");
    }
    let refused = cluster.run(&["deploy", &self::key("big"), &file, "--yes"]).expect(4).err();
    assert!(refused.contains("was not deployed: it exceeds the quota"), "{refused}");
    cluster.run(&["quota", "set", &format!("test/{}", role()), "50", "50GB", "50GB"]).expect(0);
    let fits = cluster.run(&["plan", &self::key("big"), &file, "-o", "json"]).expect(0).json();
    assert_eq!(
        (&fits["quota"]["limit"]["cpus"], &fits["quota"]["exceeded_by"]),
        (&json!(50.0), &json!(null))
    );
    assert!(fits["placement"]["fits"].as_u64().unwrap() < 40, "{fits}");
}

#[test]
fn c75_c76_c78_c79_c80_differences_are_shown_by_the_program_of_choice() {
    let cluster = Cluster::start();
    let home = &cluster.home;
    let key = key("web");
    let constraints = |text: &str| format!("constraints = {{{text}}},");
    let file = |name: &str, text: &str| home.file(name, text).to_str().unwrap().to_owned();
    let one = job("web", 2, "exec sleep 1000", &constraints("'a': '!x,y', 'b': '!z'"));
    let one = file("one.aurora", &one);
    cluster.run(&["update", "start", &key, &one, "--wait"]).expect(0);
    let viewed = |viewer: &str, file: &str| -> Ran {
        let words = cluster.words(&["diff", &key, file]);
        Ran(home.aurora(&words).env("DIFF_VIEWER", viewer).output().unwrap())
    };

    // 75, 76: nothing differs but the order of what has none.
    let same = "This job update will:\nnot change instances: [0-1]\n";
    let turned = job("web", 2, "exec sleep 1000", &constraints("'b': '!z', 'a': '!x,y'"));
    let turned = file("turned.aurora", &turned);
    assert_eq!(cluster.run(&["job", "diff", &key, &turned]).expect(0).out(), same);

    // 79: the program is given what runs first; 0 and 1 are no failures.
    let two = job("web", 2, "exec sleep 2000", &constraints("'a': '!x,y', 'b': '!z'"));
    let two = file("two.aurora", &two);
    let shown = viewed("diff", &two).expect(0).out();
    for wanted in ["update instances: [0-1]\nwith diff:\n\n", "\n<", "exec sleep 1000", "\n>"] {
        assert!(shown.contains(wanted), "{wanted:?} is not in {shown}");
    }
    let script = home.file("viewer", "#!/bin/sh\necho told >&2\nexit 3\n");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let failed = viewed(script.to_str().unwrap(), &two).expect(4).err();
    assert!(failed.contains("has failed (exit status: 3): told"), "{failed}");
    let missing = viewed("no-such-viewer", &two).expect(4).err();
    assert!(missing.contains("no-such-viewer, which DIFF_VIEWER names"), "{missing}");
    // Where nothing differs there is nothing to show.
    assert_eq!(viewed("no-such-viewer", &one).expect(0).out(), same);

    // 80: with what another job runs.
    let other = file("other.aurora", &job("other", 1, "exec sleep 1000", ""));
    let from = cluster.run(&["diff", &self::key("other"), &other, "--from", &key]).expect(0).out();
    assert!(from.contains("remove instances: [1]\nupdate instances: [0]\n"), "{from}");

    // 78: of a cron job, its next run; a plan tells of its schedule too.
    let cron = |schedule: &str| {
        let text = job("nightly", 1, "true", &format!("cron_schedule = '{schedule}',"));
        file("nightly.aurora", &text.replace("Service(", "Job("))
    };
    let nightly = self::key("nightly");
    let path = cron("0 3 * * *");
    let first = cluster.run(&["plan", &nightly, &path]).expect(0).out();
    assert!(first.contains("would be scheduled:\n  + [0] new\n"), "{first}");
    assert!(first.contains("\nSchedule:\n  "), "{first}");
    cluster.run(&["cron", "schedule", &nightly, &path]).expect(0);
    cluster.run(&["plan", &nightly, &path, "--detailed-exitcode"]).expect(0);
    let path = cron("30 3 * * *");
    let later = cluster.run(&["plan", &nightly, &path, "--detailed-exitcode"]).expect(2).out();
    assert!(later.contains("  ~ cron_schedule: 0 3 * * * -> 30 3 * * *\n"), "{later}");

    // A wrong command line is not taken for a difference.
    cluster.run(&["plan", &key, "--detailed-exitcode"]).expect(1);
    cluster.run(&["plan", &key]).expect(2);
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let cluster = Cluster::start();
    let home = &cluster.home;
    let key = key("web");
    let file = |text: &str| home.file("web.aurora", text).to_str().unwrap().to_owned();
    let path = file(&job("web", 2, "exec sleep 1000", ""));
    let said = cluster.run(&["job", "create", &key, &path, "--dry-run"]).expect(0).out();
    assert!(said.contains("would be created:\n  + [0-1] new\n"), "{said}");
    assert!(cluster.active(&key).is_empty());
    cluster.run(&["job", "create", &key, &path]).expect(0);
    let before = cluster.wait_running(&key, 2);
    let again = cluster.run(&["job", "create", &key, &path, "--dry-run"]).expect(4).err();
    assert!(again.contains("cannot be created, only updated"), "{again}");
    let path = file(&job("web", 2, "exec sleep 2000", ""));
    let said = cluster.run(&["update", "start", &key, &path, "--dry-run"]).expect(0).out();
    assert!(said.contains("  ~ [0-1] changed\n"), "{said}");
    for (words, wanted) in [
        (
            &["job", "kill", &format!("{key}/1,5")][..],
            format!("Would kill instances [1] of {key}\n"),
        ),
        (&["job", "killall", &key], format!("Would kill instances [0, 1] of {key}\n")),
        (&["job", "restart", &key], format!("Would restart instances [0, 1] of {key}\n")),
    ] {
        assert_eq!(cluster.run(&[words, &["--dry-run"]].concat()).expect(0).out(), wanted);
    }
    let nightly = self::key("nightly");
    let text =
        job("nightly", 1, "true", "cron_schedule = '0 3 * * *',").replace("Service(", "Job(");
    let said =
        cluster.run(&["cron", "schedule", &nightly, &file(&text), "--dry-run"]).expect(0).out();
    assert!(said.contains("would be scheduled"), "{said}");
    cluster.run(&["cron", "show", &nightly]).expect(6);
    let ids = |tasks: &[serde_json::Value]| {
        tasks.iter().map(crate::support::cluster::task_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&cluster.active(&key)), ids(&before), "nothing was done");
    assert_eq!(cluster.run(&["update", "list", &key]).expect(0).out(), "");
}
