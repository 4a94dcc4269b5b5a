//! Tasks, quotas and reconciliation by hand.

use std::io::{Read, Write};
use std::process::Stdio;

use aurora_api::v1;
use tonic::Code;

use super::Operator;
use crate::support::cluster::{Cluster, task_id};
use crate::support::proxy::{Call, Fault, Proxy};
use crate::support::{Home, get, role, service, wait_for};

/// A job that ends.
fn once(home: &Home, name: &str) -> String {
    let text = service(&role(), name, 2, "true").replace("Service(", "Job(");
    home.file(&format!("{name}.aurora"), &text).to_str().unwrap().to_owned()
}

fn web(cluster: &Cluster) -> String {
    let key = format!("test/{}/prod/web", role());
    let file = cluster.home.file("web.aurora", &service(&role(), "web", 2, "exec sleep 1000"));
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    cluster.wait_running(&key, 2);
    key
}

#[test]
fn a1_to_a8_a11_a12_a34_a35_e6_e21_tasks_and_quotas_are_seen_to_by_hand() {
    let cluster = Cluster::start();
    let proxy = Proxy::before(&cluster.scheduler_address());
    let operator = Operator::behind(&proxy, &cluster);
    let key = web(&cluster);
    let owner = role();

    queries(&cluster, &proxy, &operator, &owner);
    quotas(&proxy, &operator);
    reconciliation(&proxy, &operator);
    prunes(&cluster, &proxy, &operator, &owner);
    forced_states(&cluster, &operator, &key);

    // a11, e21: by the name of the cluster, not where its pages are.
    let entry = serde_json::json!([{
        "name": "here", "scheduler_uri": proxy.address(), "proxy_url": "http://pages.example.com",
    }]);
    cluster.home.file("clusters.json", &entry.to_string());
    let found = Operator::alone(&cluster.home).out(&["get_scheduler", "here"]);
    assert_eq!(found, format!("Found leading scheduler at: {}\n", proxy.address()));

    // a34: who is not let in is told so by the code.
    proxy.require("authorization", "Bearer let-me-in");
    operator.refused(&["query", "test", &owner, "web"], 30);
}

/// a2, a3, a5, a6; e6.
fn queries(cluster: &Cluster, proxy: &Proxy, operator: &Operator<'_>, owner: &str) {
    let shown = operator.out(&["query", "test", owner, "web"]);
    assert_eq!(shown, format!("{owner}/web/0 RUNNING\n{owner}/web/1 RUNNING\n"));
    let sent: Vec<v1::ListTasksRequest> = proxy.sent("ListTasks");
    let query = sent.last().unwrap().query.clone().unwrap();
    assert_eq!((query.role.as_str(), query.name.as_str()), (owner, "web"));
    assert_eq!(query.states, [v1::TaskState::Running as i32]);
    assert!(query.instances.is_empty() && query.environment.is_empty(), "{query:?}");

    let one = ["query", "-l", "%taskId% %slaveHost%", "--shards=1", "test", owner, "web"];
    let shown = operator.out(&one);
    let ids: Vec<String> =
        cluster.wait_running(&format!("test/{owner}/prod/web"), 2).iter().map(task_id).collect();
    let id = shown.strip_suffix(" 127.0.0.1\n").unwrap();
    assert!(id.contains("-web-1-") && ids.iter().any(|it| it == id), "{shown} of {ids:?}");
    // e6: as the original's script asks, and what it does with it.
    let first = operator.out(&[
        "query",
        "-l",
        "%taskId%",
        "--shards=0",
        "--states=RUNNING",
        "test",
        owner,
        "web",
    ]);
    let page = format!("/task/{}", first.trim_end());
    assert_eq!(get(&cluster.observer_address(), &page).status, 200);
    let text = operator.out(&["query", "-l", "%data%", "--shards=0", "test", owner, "web"]);
    assert!(text.contains("exec sleep 1000"), "{text}");

    assert_eq!(operator.out(&["query", "--env", "test", "test", owner, "web"]), "");
    assert_eq!(operator.out(&["query", "--env", "prod", "test", owner, "web"]).lines().count(), 2);
    let data = operator.run(&["query", "test", owner, "web", "-o", "json"]).expect(0).json();
    assert_eq!(data[1]["assignedTask"]["instanceId"], 1);
    assert!(data[1]["assignedTask"]["task"]["container"]["mesos"].is_object(), "{data}");

    // a35; 121 of the client's.
    proxy.forget();
    let direct = operator.out(&["query", "--bypass-leader-redirect", "test", owner, "web"]);
    let is_direct = |call: &Call| {
        call.headers.get("bypass-leader-redirect").is_some_and(|value| value == "true")
    };
    assert!(proxy.calls("*") >= 2 && proxy.of("*").iter().all(is_direct));
    proxy.forget();
    assert_eq!(operator.out(&["query", "test", owner, "web"]), direct);
    assert!(!proxy.of("*").iter().any(is_direct));

    // a3: what may be more than was meant is not even asked for.
    proxy.forget();
    for words in [
        &["query", "test"][..],
        &["query", "test", owner],
        &["query", "--states", "FAILED", "test", owner, "web"],
    ] {
        assert!(operator.refused(words, 2).contains("--force"));
    }
    assert_eq!(proxy.calls("*"), 0);
    assert_eq!(operator.out(&["query", "--force", "test"]).lines().count(), 2);
    assert_eq!(operator.out(&["query", "--force", "--states=FAILED", "test", owner, "web"]), "");

    proxy.plan("ListTasks", 1, Fault::refuse(Code::Internal, "the storage has failed"));
    let refused = operator.refused(&["query", "test", owner, "web"], 10);
    assert!(refused.contains("the storage has failed"), "{refused}");
}

/// a7, a8.
fn quotas(proxy: &Proxy, operator: &Operator<'_>) {
    let set = |words: &[&str]| {
        proxy.forget();
        let shown = operator.out(words);
        let sent: Vec<v1::SetQuotaRequest> = proxy.sent("SetQuota");
        assert_eq!(sent.len(), 1, "{words:?}");
        let quota = sent[0].quota.unwrap();
        (shown, quota.cpus, quota.ram_mb, quota.disk_mb)
    };
    let (shown, cpus, ram, disk) = set(&["set_quota", "test", "x", "1.5", "1048576", "1g"]);
    assert_eq!((cpus, ram, disk), (1.5, 1, 1024));
    assert_eq!(
        shown,
        "Quota of x was: CPU: 0.0 core(s), RAM: 0 MB, Disk: 0 MB\n\
         Set quota of x to: CPU: 1.5 core(s), RAM: 1 MB, Disk: 1024 MB\n"
    );
    set(&["set_quota", "test", "y", "5", "20480mb", "40GB"]);
    let (_, cpus, ram, disk) = set(&["increase_quota", "test", "y", "-1", "1m", "1m"]);
    assert_eq!((cpus, ram, disk), (4.0, 20481, 40961));
    let (_, cpus, ram, disk) = set(&["increase_quota", "test", "y", "0.5", "-1m", "-1G"]);
    assert_eq!((cpus, ram, disk), (4.5, 20480, 40961 - 1024));

    proxy.forget();
    let refused = operator.refused(&["increase_quota", "test", "y", "-5", "0", "0"], 6);
    assert!(refused.contains("the CPU of y would be below 0; nothing was done"), "{refused}");
    let would = operator.out(&["increase_quota", "test", "y", "1", "0", "0", "--dry-run"]);
    assert!(would.contains("Would set quota of y to: CPU: 5.5 core(s)"), "{would}");
    assert_eq!(proxy.calls("SetQuota"), 0);
    let legacy = operator.run(&["set_quota", "test", "y", "0", "0m", "0m", "--legacy_output"]);
    let legacy = legacy.expect(0);
    assert_eq!(legacy.out(), "");
    assert!(legacy.err().starts_with(" INFO] Quota of y was: CPU: 4.5"), "{}", legacy.err());
    proxy.plan("GetQuota", 1, Fault::refuse(Code::Internal, "not today"));
    assert!(
        operator.refused(&["increase_quota", "test", "y", "1", "0", "0"], 10).contains("not today")
    );
}

/// a12.
fn reconciliation(proxy: &Proxy, operator: &Operator<'_>) {
    proxy.forget();
    let shown = operator.out(&["reconcile_tasks", "test"]);
    assert_eq!(shown, "Explicit reconciliation of 2 tasks has begun\n");
    operator.out(&["reconcile_tasks", "-b", "500", "test"]);
    operator.out(&["reconcile_tasks", "--type=explicit", "--batch_size=7", "test"]);
    let sent: Vec<v1::ReconcileExplicitRequest> = proxy.sent("ReconcileExplicit");
    let sizes: Vec<Option<u32>> = sent.iter().map(|sent| sent.batch_size).collect();
    assert_eq!(sizes, [None, Some(500), Some(7)]);
    let shown = operator.out(&["reconcile_tasks", "-t", "implicit", "test"]);
    assert_eq!(shown, "Implicit reconciliation has begun\n");
    assert_eq!((proxy.calls("ReconcileExplicit"), proxy.calls("ReconcileImplicit")), (3, 1));
}

/// a1, and the question on a terminal.
fn prunes(cluster: &Cluster, proxy: &Proxy, operator: &Operator<'_>, owner: &str) {
    for name in ["first", "second", "third"] {
        let (key, file) = (format!("test/{owner}/prod/{name}"), once(&cluster.home, name));
        cluster.run(&["job", "create", &key, &file, "--wait-until", "FINISHED"]).expect(0);
    }
    let ended = || operator.out(&["query", "--force", "--states=FINISHED", "test"]).lines().count();
    assert_eq!(ended(), 6);
    proxy.forget();
    let would = operator.out(&["prune_tasks", "test", "--limit", "5", "--dry-run"]);
    assert_eq!(would, "Would prune 5 tasks (of 6 FINISHED)\n");
    let none = ["prune_tasks", "--states=FAILED", &format!("--role={owner}"), "--env=prod", "test"];
    assert_eq!(operator.out(&[&none[..], &["--dry_run"]].concat()), "Would prune no tasks\n");
    assert_eq!(proxy.calls("PruneTasks"), 0);

    assert_eq!(operator.out(&[&none[..], &["--limit", "5"]].concat()), "Tasks pruned: 0\n");
    let sent: Vec<v1::PruneTasksRequest> = proxy.sent("PruneTasks");
    let query = sent[0].query.clone().unwrap();
    assert_eq!((query.role.as_str(), query.environment.as_str()), (owner, "prod"));
    assert_eq!((query.states, sent[0].limit), (vec![v1::TaskState::Failed as i32], Some(5)));
    // Who is no terminal is not asked.
    let pruned = operator.run(&["prune_tasks", "--limit=2", "test", "-o", "json"]).expect(0);
    assert_eq!(pruned.json()["pruned"], 2);
    assert_eq!(ended(), 4);

    let words = ["prune_tasks", "--states", "FINISHED", "test"];
    let (code, shown) = on_a_terminal(operator, &words, "n\n");
    assert_eq!(code, 4, "{shown}");
    let question = "This forgets 4 tasks (of 4 FINISHED) of test. Go on? [y/N]";
    assert!(shown.contains(question) && shown.contains("nothing was done"), "{shown}");
    assert_eq!(ended(), 4);
    assert_eq!(on_a_terminal(operator, &words, "\n").0, 4);
    let (code, shown) = on_a_terminal(operator, &[&words[..], &["-y"]].concat(), "");
    assert!(code == 0 && !shown.contains("Go on?"), "{shown}");
    assert_eq!(ended(), 0);
    assert_eq!(on_a_terminal(operator, &words, "yes\n").0, 0);
}

/// Runs a command whose input and errors are a terminal, and types. Gives its code and what the terminal shows.
fn on_a_terminal(operator: &Operator<'_>, words: &[&str], typed: &str) -> (i32, String) {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut command = operator.command(words);
    command
        .stdin(Stdio::from(terminal.slave.try_clone().unwrap()))
        .stderr(Stdio::from(terminal.slave))
        .stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    // The command has the only ends of the other side now.
    drop(command);
    let mut terminal = std::fs::File::from(terminal.master);
    terminal.write_all(typed.as_bytes()).unwrap();
    let mut shown = Vec::new();
    let mut buffer = [0; 4096];
    // It fails when nobody has the other side any more.
    while let Ok(read @ 1..) = terminal.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..read]);
    }
    (child.wait().unwrap().code().unwrap(), String::from_utf8_lossy(&shown).into_owned())
}

fn forced_states(cluster: &Cluster, operator: &Operator<'_>, key: &str) {
    let task = task_id(&cluster.wait_running(key, 2)[0]);
    let would = operator.out(&["force_task_state", "test", &task, "lost", "--dry-run"]);
    assert_eq!(would, format!("Would have {task} go from RUNNING to LOST\n"));
    let shown = operator.out(&["force_task_state", "test", &task, "LOST"]);
    assert_eq!(shown, format!("{task} was RUNNING and is LOST\n"));
    // It is replaced.
    wait_for("another run", || {
        let now = cluster.active(key);
        (now.len() == 2 && now.iter().all(|one| task_id(one) != task)).then_some(())
    });
    let refused = operator.refused(&["force_task_state", "test", "no-such-task", "LOST"], 6);
    assert!(refused.contains("no-such-task"), "{refused}");
}

/// While the scheduler waits for a master it answers those who look.
#[test]
fn e27_tasks_are_shown_while_there_is_no_master() {
    let mut cluster = Cluster::start();
    web(&cluster);
    cluster.master.kill();
    cluster.scheduler.kill();
    cluster.restart_scheduler();
    let owner = role();
    let words = ["query", "--bypass-leader-redirect", "test", &owner, "web", "--retry-for", "60"];
    let shown = Operator::of(&cluster).out(&words);
    assert_eq!(shown, format!("{owner}/web/0 RUNNING\n{owner}/web/1 RUNNING\n"));
    let vars = get(&cluster.scheduler_address(), "/vars.json").body;
    let vars: serde_json::Value = serde_json::from_str(&vars).unwrap();
    assert_eq!(vars["framework_registered"].as_f64(), Some(0.0), "it has a master");
}
