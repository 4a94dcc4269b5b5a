//! Backups, and the way back to one.

use super::Operator;
use crate::support::cluster::{Cluster, task_id};
use crate::support::{role, service};

fn web(cluster: &Cluster, instances: u32, command: &str) -> (String, String) {
    let file = cluster.home.file("web.aurora", &service(&role(), "web", instances, command));
    (format!("test/{}/prod/web", role()), file.to_str().unwrap().to_owned())
}

/// The names that `scheduler_list_backups` shows below its first line.
fn listed(operator: &Operator<'_>) -> Vec<String> {
    let shown = operator.out(&["scheduler_list_backups", "test"]);
    let mut lines = shown.lines().map(ToOwned::to_owned);
    let first = lines.next().unwrap();
    let names: Vec<String> = lines.collect();
    assert_eq!(first, format!("{} available backups:", names.len()));
    names
}

#[test]
fn a37_a40_a41_a_backup_is_staged_looked_at_changed_and_given_up() {
    let cluster = Cluster::start();
    let operator = Operator::of(&cluster);
    let (key, file) = web(&cluster, 3, "exec sleep 1000");
    cluster.run(&["job", "create", &key, &file]).expect(0);
    let ids: Vec<String> = cluster.wait_running(&key, 3).iter().map(task_id).collect();
    assert_eq!(listed(&operator), [""; 0]);
    let none = operator.refused(&["scheduler_commit_recovery", "test"], 10);
    assert!(none.contains("staged"), "{none}");

    let backup = operator.out(&["scheduler_backup_now", "test"]);
    let backup = backup.trim_end();
    assert!(backup.starts_with("scheduler-backup-"), "{backup}");
    assert_eq!(listed(&operator), [backup]);
    for absent in ["scheduler-backup-none", "scheduler-backup-2001-01-01-00-00"] {
        let refused = operator.refused(&["scheduler_stage_recovery", "test", absent], 6);
        assert!(refused.contains(absent), "{refused}");
        assert!(refused.contains("`aurora admin scheduler_list_backups` tells which"), "{refused}");
    }
    let staged = operator.out(&["scheduler_stage_recovery", "test", backup]);
    assert_eq!(staged, format!("{backup} is staged with 3 tasks; nothing has changed yet\n"));
    operator.refused(&["scheduler_stage_recovery", "test", backup], 10);
    let list = operator.run(&["scheduler_list_backups", "test", "-o", "yaml"]).expect(0).out();
    assert!(list.contains(&format!("staged: {backup}")), "{list}");

    let owner = role();
    let row = |at: usize| format!("{owner}\tweb\t{at}\tRUNNING\t{}\n", ids[at]);
    let shown = operator.out(&["scheduler_print_recovery_tasks", "test"]);
    assert_eq!(shown, format!("ROLE\tJOB\tSHARD\tSTATUS\tTASK ID\n{}{}{}", row(0), row(1), row(2)));
    let two = format!("{},{}", ids[0], ids[2]);
    let shown = operator.out(&["scheduler_delete_recovery_tasks", "test", &two]);
    assert_eq!(shown, "2 tasks are forgotten in the backup that is staged\n");
    let shown = operator.run(&["scheduler_print_recovery_tasks", "test", "--legacy_output"]);
    let shown = shown.expect(0);
    assert_eq!(shown.out(), "");
    assert_eq!(shown.err(), format!(" INFO] ROLE\tJOB\tSHARD\tSTATUS\tTASK ID\n INFO] {}", row(1)));

    let would = operator.out(&["scheduler_commit_recovery", "test", "--dry-run"]);
    let wanted = format!("Would replace the state of test by {backup} with 1 active tasks\n");
    assert_eq!(would, wanted);
    operator.out(&["scheduler_unload_recovery", "test"]);
    operator.refused(&["scheduler_unload_recovery", "test"], 10);
    assert_eq!(cluster.wait_running(&key, 3).len(), 3, "nothing has happened");
    operator.out(&["scheduler_snapshot", "test"]);
    let log = std::fs::read_dir(cluster.home.path().join("log")).unwrap();
    let names: Vec<_> = log.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        names.iter().any(|name| name.to_str().unwrap().starts_with("snapshot-")),
        "the state is not written down: {names:?}"
    );
}

#[test]
fn e25_a_scheduler_whose_log_is_gone_goes_back_to_a_backup() {
    let mut cluster = Cluster::start();
    let (key, file) = web(&cluster, 1, "exec sleep 1000");
    cluster.run(&["update", "start", &key, &file, "--wait"]).expect(0);
    let updates = cluster.run(&["update", "list", "test", "--write-json"]).expect(0).json();
    let (job, id) = (&updates[0]["job"], updates[0]["id"].as_str().unwrap());
    assert_eq!(job, &key);
    Operator::of(&cluster).out(&["scheduler_backup_now", "test"]);

    cluster.scheduler.kill();
    let log = cluster.home.path().join("log");
    for entry in std::fs::read_dir(&log).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "backups" {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    cluster.restart_scheduler();
    cluster.wait_registered();
    cluster.run(&["update", "info", &key, id]).expect(6);

    let operator = Operator::of(&cluster);
    let newest = listed(&operator).pop().unwrap();
    operator.out(&["scheduler_stage_recovery", "test", &newest]);
    let done = operator.out(&["scheduler_commit_recovery", "test"]);
    assert!(done.contains("has taken the place of the live state"), "{done}");
    let info = cluster.run(&["update", "info", &key, id, "--retry-for", "60"]).expect(0).out();
    assert!(info.contains("ROLLED_FORWARD"), "{info}");
    cluster.wait_running(&key, 1);
}
