//! Command lines that make no sense, help, and clusters by their names: nobody is asked.

use super::Operator;
use crate::support::Home;

#[test]
fn a3_a4_a6_a9_a10_a13_a14_a15_a16_a24_a31_a32_what_makes_no_sense_is_refused_with_what_does() {
    let home = Home::new();
    let operator = Operator::alone(&home);
    let overridden = home.file("overrides", "\ntest/www/prod/web 50\n");
    let overridden = overridden.to_str().unwrap();
    for (words, code, wanted) in [
        (&["query", "c"][..], 2, "asks for all roles"),
        (&["query", "c", "r"], 2, "asks for all jobs"),
        (&["query", "--states", "RUNNING,FAILED", "c", "r", "j"], 2, "asks for FAILED tasks"),
        (
            &["query", "--states=RUNNING,foo"],
            2,
            "the states are INIT, THROTTLED, PENDING, ASSIGNED, STARTING, RUNNING, PREEMPTING, RESTARTING, DRAINING, KILLING, PARTITIONED, FINISHED, FAILED, KILLED, LOST",
        ),
        (&["query", "--states=", "c", "r", "j"], 2, "the states are INIT"),
        (&["query", "--shards=0,x", "c", "r", "j"], 2, "no list of instances"),
        (&["query", "-l", "%nope%", "c", "r", "j"], 2, "it has ancestorId"),
        (&["query", "c", "r", "j", "more"], 2, "unexpected argument 'more'"),
        (&["prune_tasks", "--states", "FAILED,RUNNING", "c"], 2, "has not ended"),
        (&["prune_tasks", "--states", "foo", "c"], 2, "the states are INIT"),
        (&["force_task_state", "c", "t", "foo"], 2, "the states are INIT"),
        (&["set_quota", "c", "r", "1", "1m"], 2, "<DISK>"),
        (&["set_quota", "c", "r", "1", "20X", "1m"], 2, "k, kb, m, mb, g, gb, t or tb"),
        (&["set_quota", "c", "r", "one", "20m", "1m"], 2, "no number of cores"),
        (&["set_quota", "c", "r", "1", "-20m", "1m"], 6, "the RAM of r would be below 0"),
        (&["reconcile_tasks", "-t", "foo", "c"], 2, "explicit, implicit"),
        (&["reconcile_tasks", "-b", "0", "c"], 2, "--batch-size"),
        (&["sla_list_safe_domain", "c", "0", "1h"], 2, "above 0 and up to 100"),
        (&["sla_list_safe_domain", "c", "50", "10"], 2, "no duration"),
        (
            &["sla_list_safe_domain", "test", "50", "1h", "-o", overridden],
            2,
            "is not cluster/role/env/job percent time",
        ),
        (
            &["sla_list_safe_domain", "c", "50", "1h", "-x", "a", "-X", "f"],
            2,
            "cannot be used with",
        ),
        (
            &["sla_list_safe_domain", "c", "50", "1h", "-i", "a", "-I", "f"],
            2,
            "cannot be used with",
        ),
        (&["sla_list_safe_domain", "c", "50", "1h", "--grouping", "rack"], 2, "by_name:REGEX"),
        (&["sla_probe_hosts", "c", "50", "1h"], 2, "--hosts"),
        (&["sla_probe_hosts", "c", "101", "1h", "--hosts", "h"], 2, "up to 100"),
        (
            &["sla_probe_hosts", "c", "50", "1h", "--hosts", "h", "--filename", "f"],
            2,
            "cannot be used with",
        ),
        (
            &["sla_probe_hosts", "c", "50", "1h", "--hosts", "h", "--grouping", "rack"],
            2,
            "by_name:REGEX",
        ),
        (&["host_status", "c"], 2, "--filename"),
        (&["host_status", "--hosts=", "c"], 2, "at least one host"),
        (&["host_activate", "--hosts", "h", "--filename", "f", "c"], 2, "cannot be used with"),
        (
            &["host_deactivate", "--filename", "/nowhere", "c"],
            6,
            "failed to read hosts from /nowhere",
        ),
        (&["host_drain", "--hosts", "h", "--grouping", "rack", "c"], 2, "by_name:REGEX"),
        (
            &[
                "host_drain",
                "--hosts",
                "h",
                "--override_percentage",
                "50",
                "--override_duration",
                "1h",
                "c",
            ],
            2,
            "--override-reason",
        ),
        (
            &["host_drain", "--hosts", "h", "--override_reason", "haste", "c"],
            2,
            "--override-percentage",
        ),
        (
            &["host_drain", "--hosts", "h", "--post_drain_script", "/nowhere", "c"],
            6,
            "--post-drain-script /nowhere cannot be used",
        ),
        (&["sla_host_drain", "--hosts", "h", "--default_percentage", "0", "c"], 2, "above 0"),
        (&["sla_host_drain", "--hosts", "h", "--timeout", "1m", "c"], 2, "--wait"),
        (&["scheduler_stage_recovery", "c"], 2, "<BACKUP>"),
        (&["scheduler_delete_recovery_tasks", "c"], 2, "<TASK,…>"),
        (&["prune_tasks", "c", "--yes", "--dry-run"], 2, "cannot be used with"),
        (&["nope", "c"], 2, "unrecognized subcommand 'nope'"),
        (&[], 2, "host_drain"),
    ] {
        let refused = operator.refused(words, code);
        assert!(refused.contains(wanted), "{words:?}: {wanted:?} is not in {refused}");
    }
}

#[test]
fn a42_help_is_on_standard_output() {
    let home = Home::new();
    let operator = Operator::alone(&home);
    let all = operator.out(&["help"]);
    for command in ["query", "prune_tasks", "sla_host_drain", "scheduler_commit_recovery", "help"] {
        assert!(all.contains(&format!("  {command} ")), "{command} is not in {all}");
    }
    for words in [&["help", "query"][..], &["query", "--help"], &["query", "-h"]] {
        let shown = operator.run(words).expect(0);
        assert!(shown.out().contains("--listformat"), "{words:?}: {}", shown.out());
        assert_eq!(shown.err(), "");
    }
    let with_dashes = operator.out(&["help", "host-drain"]);
    assert_eq!(with_dashes, operator.out(&["help", "host_drain"]));
    for words in [&["query", "--help"][..], &["help", "query"]] {
        assert!(operator.out(words).contains("Usage: aurora_admin query "), "{words:?}");
    }
    let refused = operator.refused(&["host_drain"], 2);
    assert!(refused.contains("Usage: aurora_admin host_drain "), "{refused}");
    let refused = operator.refused(&["qurey"], 2);
    assert!(refused.contains("'query'") && !refused.contains("admin admin"), "{refused}");
    assert!(operator.out(&["--version"]).starts_with("aurora "));
    operator.run(&["help", "nope"]).expect(2);
    operator.run(&["help", "query", "prune_tasks"]).expect(2);
}

#[test]
fn a36_a38_clusters_are_found_by_their_names() {
    let home = Home::new();
    home.file(
        "clusters.json",
        r#"[{"name": "devcluster", "scheduler_uri": "http://127.0.0.1:1", "zk_port": 2181,
             "docker": {"registry": "a b", "tls": true}, "share": 0.5}]"#,
    );
    let operator = Operator::alone(&home);
    // Nobody is there.
    operator.refused(&["get_scheduler", "devcluster", "--no-retry"], 7);

    let shown = operator.run(&["get_cluster_config", "devcluster"]).expect(0);
    assert!(!shown.out().contains('\n'), "one line without an end: {}", shown.out());
    assert_eq!(shown.json()["docker"]["registry"], "a b");
    let lines = |words: &[&str]| {
        let mut lines: Vec<String> = operator.out(words).lines().map(ToOwned::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let expected = [
        "AURORA_CLUSTER_DOCKER_REGISTRY='a b'",
        "AURORA_CLUSTER_DOCKER_TLS=1",
        "AURORA_CLUSTER_NAME=devcluster",
        "AURORA_CLUSTER_SCHEDULER_URI=http://127.0.0.1:1",
        "AURORA_CLUSTER_ZK_PORT=2181",
    ];
    assert_eq!(lines(&["get_cluster_config", "--sh", "devcluster"]), expected);
    let exported = expected.map(|line| format!("export {line}"));
    assert_eq!(lines(&["get_cluster_config", "--sh", "--export", "devcluster"]), exported);
    let alone = operator.run(&["get_cluster_config", "--export", "devcluster"]).expect(0);
    assert_eq!(alone.out(), shown.out());
    assert_eq!(operator.out(&["get_cluster_config", "devcluster", "-o", "text"]), shown.out());
    let json = operator.run(&["get_cluster_config", "devcluster", "-o", "json"]).expect(0);
    assert_eq!(json.json(), shown.json());
    assert!(json.out().ends_with("\n}\n"), "{}", json.out());
    let yaml = operator.out(&["get_cluster_config", "devcluster", "-o", "yaml"]);
    assert!(yaml.contains("docker:\n  registry: a b\n"), "{yaml}");
    let both = operator.refused(&["get_cluster_config", "devcluster", "--sh", "-o", "yaml"], 2);
    assert!(both.contains("--sh is a form by itself"), "{both}");

    for words in [
        &["get_scheduler", "nowhere"][..],
        &["get_cluster_config", "nowhere"],
        &["host_status", "--hosts", "h", "nowhere"],
        &["host_drain", "--hosts", "h", "nowhere"],
        &["query", "nowhere", "r", "j"],
        &["scheduler_backup_now", "nowhere"],
    ] {
        let refused = operator.refused(words, 3);
        assert!(refused.contains("unknown cluster nowhere: known are devcluster"), "{refused}");
    }
}

#[test]
fn shells_complete_the_commands_of_operators_by_their_names() {
    let home = Home::new();
    home.file(
        "clusters.json",
        r#"[{"name": "devcluster", "scheduler_uri": "http://127.0.0.1:1"}]"#,
    );
    let operator = Operator::alone(&home);
    for (typed, wanted) in [
        (&["sla_h"][..], "sla_host_drain"),
        (&["host_drain", "--post"], "--post-drain-script"),
        (&["get_scheduler", "dev"], "devcluster"),
    ] {
        let mut command = operator.command(&["--", "aurora_admin"]);
        let shown = command.args(typed).env("AURORA_COMPLETE", "fish").output().unwrap();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        let offered = shown.lines().map(|line| line.split('\t').next().unwrap());
        assert!(offered.clone().any(|it| it == wanted), "{typed:?}: {wanted} is not in {shown}");
    }
}
