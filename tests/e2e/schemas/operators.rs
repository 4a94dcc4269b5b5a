//! What the commands of operators print, all of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Book, is_of_operators};
use crate::support::cluster::{Cluster, Flags, task_id};
use crate::support::{role, service, wait_for};

const HOST: &str = "127.0.0.1";
const OTHER_HOST: &str = "h2";

/// An operator, what is printed for whom is held to the schemas.
struct Operator<'a> {
    cluster: &'a Cluster,
    book: Book,
    /// The commands that were run.
    commands: BTreeSet<String>,
}

impl Operator<'_> {
    /// The words of a command whose schema has its name.
    fn words<'a>(&mut self, words: &[&'a str]) -> (String, Vec<&'a str>) {
        self.commands.insert(words[0].to_owned());
        (format!("admin-{}", words[0].replace('_', "-")), [&["admin"][..], words].concat())
    }

    fn run(&mut self, words: &[&str]) -> Value {
        let (name, words) = self.words(words);
        self.book.run(&name, self.cluster, &words)
    }

    fn both(&mut self, words: &[&str]) -> Value {
        let (name, words) = self.words(words);
        self.book.both(&name, self.cluster, &words)
    }

    /// A command that prints what another one does.
    fn run_like(&mut self, like: &str, words: &[&str]) -> Value {
        let (_, words) = self.words(words);
        self.book.run(&format!("admin-{like}"), self.cluster, &words)
    }

    /// The same of one that changes nothing.
    fn both_like(&mut self, like: &str, words: &[&str]) -> Value {
        let (_, words) = self.words(words);
        self.book.both(&format!("admin-{like}"), self.cluster, &words)
    }

    /// A command that has a result though it fails.
    fn fails(&mut self, words: &[&str], code: i32) -> Value {
        let (name, words) = self.words(words);
        let ran = self.cluster.run(&[&words[..], &["--output", "json"]].concat()).expect(code);
        self.book.check(&name, &ran.json());
        ran.json()
    }
}

#[test]
fn each_command_of_operators_prints_what_its_schema_says() {
    let cluster = Cluster::start_with(Flags {
        scheduler: &[
            "--unset-quota",
            "unlimited",
            "--allow-container-volumes",
            "--min-required-instances-for-sla-check",
            "2",
        ],
        ..Flags::default()
    });
    let _other = cluster.add_agent(OTHER_HOST);
    let mut operator =
        Operator { cluster: &cluster, book: Book::default(), commands: BTreeSet::new() };
    let web = create_jobs(&cluster);
    tasks(&mut operator);
    quotas_and_clusters(&mut operator);
    hosts(&mut operator, &web);
    backups(&mut operator);

    let told = cluster.home.run(&["admin", "help"]).expect(0).out();
    let commands: BTreeSet<String> = told
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // What a command does may take more than a line.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect();
    assert_eq!(operator.commands, commands);
    operator.book.finish(is_of_operators);
}

/// A service that runs, a job that has ended, and some that wait for room, in all that a task may have. Gives the
/// service's key.
fn create_jobs(cluster: &Cluster) -> String {
    let role = role();
    let create = |name: &str, text: &str, more: &str, until: &str| {
        let text = text.replace("environment = 'prod'", &format!("environment = 'prod'{more}"));
        let file = cluster.home.file(&format!("{name}.aurora"), &text);
        let key = format!("test/{role}/prod/{name}");
        let words = ["job", "create", &key, file.to_str().unwrap(), "--wait-until", until];
        cluster.run(&words).expect(0);
        key
    };
    let more = ", tier = 'preferred', constraints = {'host': 'limit:1', 'x': '!y'}, \
                metadata = [Metadata(key = 'a', value = 'b')], contact = 'a@example.com'";
    let web = create("web", &service(&role, "web", 2, "exec sleep 1000"), more, "RUNNING");
    let once = service(&role, "once", 2, "true").replace("Service(", "Job(");
    create("once", &once, "", "FINISHED");
    for (name, more) in [
        (
            "mesos",
            ", container = Mesos(image = DockerImage(name = 'tiny', tag = '1'), volumes = [Volume(
               container_path = '/a', host_path = '/b', mode = 'RO')]), tier = 'preferred',
               sla_policy = CountSlaPolicy(count = 1, duration_secs = 3)",
        ),
        (
            "appc",
            ", container = Mesos(image = AppcImage(name = 'tiny', image_id = 'sha512-1')),
               tier = 'preferred', partition_policy = PartitionPolicy(reschedule = False),
               sla_policy = PercentageSlaPolicy(percentage = 50, duration_secs = 3)",
        ),
        (
            "asked",
            ", tier = 'preferred', sla_policy = CoordinatorSlaPolicy(
               coordinator_url = 'http://127.0.0.1:1')",
        ),
    ] {
        let large = service(&role, name, 2, "true").replace("cpu = 0.01", "cpu = 1000");
        create(name, &large, more, "PENDING");
    }
    web
}

fn tasks(operator: &mut Operator<'_>) {
    let role = role();
    let found = operator.both(&["query", "test", &role, "web"]);
    assert_eq!(found.as_array().unwrap().len(), 2);
    operator.both(&["query", "test", &role, "no-such-job"]);
    let all = ["query", "test", "--force", "--states", "PENDING,RUNNING,FINISHED"];
    let all = operator.both(&all);
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 10);

    let would = operator.both(&["prune_tasks", "test", "--limit", "1", "--dry-run"]);
    assert_eq!((&would["wouldPrune"], &would["states"]["FINISHED"]), (&1.into(), &2.into()));
    assert_eq!(operator.run(&["prune_tasks", "test"])["pruned"], 2);

    // One that follows a run that was short is not protected from a drain: on the other host it does not matter.
    let of = |job: &str, host: Value| {
        let is_of = |task: &&Value| {
            task["assignedTask"]["task"]["job"]["name"] == job
                && task["assignedTask"]["slaveHost"] == host
        };
        task_id(all.iter().find(is_of).unwrap())
    };
    let (web, waiting) = (of("web", OTHER_HOST.into()), of("asked", Value::Null));
    let would = operator.both(&["force_task_state", "test", &web, "LOST", "--dry-run"]);
    assert_eq!((&would["from"], &would["dryRun"]), (&"RUNNING".into(), &true.into()));
    let done = operator.run(&["force_task_state", "test", &web, "LOST"]);
    assert_eq!((&done["to"], &done["dryRun"]), (&"LOST".into(), &false.into()));
    // Nothing is left to remember of a task that is nowhere.
    let done = operator.run(&["force_task_state", "test", &waiting, "KILLING"]);
    assert_eq!(done["to"], Value::Null);

    let done = operator.run(&["reconcile_tasks", "test"]);
    assert!(done["tasks"].is_u64(), "{done}");
    assert_eq!(operator.run(&["reconcile_tasks", "test", "-t", "implicit"])["tasks"], Value::Null);
}

fn quotas_and_clusters(operator: &mut Operator<'_>) {
    let would = ["set_quota", "test", "other", "1.5", "1g", "1g", "--dry-run"];
    assert_eq!(operator.both(&would)["dryRun"], true);
    operator.run(&["set_quota", "test", "other", "1.5", "1g", "1g"]);
    let more = ["increase_quota", "test", "other", "1", "1g", "1g"];
    let more = operator.run_like("set-quota", &more);
    assert_eq!(more["before"]["resources"][0]["numCpus"], 1.5);
    assert_eq!(more["quota"]["resources"][0]["numCpus"], 2.5);

    let found = operator.both(&["get_scheduler", "test"]);
    let address = operator.cluster.scheduler_address();
    assert_eq!((&found["address"], &found["cluster"]), (&address.clone().into(), &"test".into()));
    // One that no file names.
    assert_eq!(operator.both(&["get_cluster_config", "test"])["scheduler_uri"], address);
    operator
        .cluster
        .home
        .file("clusters.json", "[{\"name\": \"test\", \"share\": 0.5, \"zk\": [\"a\", null]}]");
    assert_eq!(operator.both(&["get_cluster_config", "test"])["zk"][0], "a");
}

fn hosts(operator: &mut Operator<'_>, web: &str) {
    operator.cluster.wait_running(web, 2);
    operator.both(&["host_status", "test", "--hosts", HOST]);
    operator.both_like("host-status", &["host_list", "test"]);
    operator.both_like("host-status", &["host_list", "test", "--mode", "DRAINED"]);
    let few = ["--min-job-instance-count", "2"];
    let probe = |time| ["sla_probe_hosts", "test", "51", time, "--hosts", HOST];
    let rows = operator.both(&[&probe("0s")[..], &few].concat());
    assert_eq!((&rows[0]["safe"], &rows[0]["safeInSecs"]), (&false.into(), &Value::Null));
    let domain = |percent| ["sla_list_safe_domain", "test", percent, "0s"];
    let rows = operator.both_like("sla-probe-hosts", &[&domain("50")[..], &few].concat());
    assert_eq!((&rows[0]["host"], &rows[1]["host"]), (&HOST.into(), &OTHER_HOST.into()));
    let none = operator.both_like("sla-probe-hosts", &[&domain("51")[..], &few].concat());
    assert_eq!(none, json!([]));

    for (command, mode) in [("host_deactivate", "SCHEDULED"), ("host_activate", "NONE")] {
        let done = operator.run_like("host-modes", &[command, "test", "--hosts", HOST]);
        assert_eq!(done[0]["mode"], mode);
    }
    let drain = [&["host_drain", "test", "--hosts", HOST], &few[..]].concat();
    let would = operator.both(&[&drain[..], &["--dry-run"]].concat());
    assert_eq!(would["unsafe"][0], HOST);
    assert_eq!(operator.fails(&drain, 4)["unsafe"][0], HOST);

    // Two instances are enough to be looked at, and neither may go.
    let drain = ["sla_host_drain", "test", "--hosts", HOST];
    operator.both_like("host-status", &[&drain[..], &["--dry-run"]].concat());
    assert_eq!(operator.run_like("host-modes", &drain)[0]["mode"], "DRAINING");
    let status = wait_for("it to be told to wait", || {
        let status = operator.run(&["host_status", "test", "--hosts", HOST]);
        (status[0]["waiting"].as_array().unwrap().len() == 1).then_some(status)
    });
    assert!(status[0]["forcedAt"].is_string(), "{status}");
    operator.both_like("host-status", &["host_list", "test", "--mode", "DRAINING"]);
    operator.run_like("host-modes", &["host_activate", "test", "--hosts", HOST]);
    let drained = operator.run(&["host_drain", "test", "--hosts", HOST]);
    assert_eq!(drained["drained"][0], HOST);
    let drain = ["host_drain", "test", "--hosts", "h2,h7", "--post-drain-script", "/bin/false"];
    let failed = operator.fails(&drain, 4);
    assert_eq!((&failed["failedScripts"][0], &failed["unknown"][0]), (&"h2".into(), &"h7".into()));
    operator.run_like("host-modes", &["host_activate", "test", "--hosts", "127.0.0.1,h2"]);
    operator.cluster.wait_running(web, 2);
}

fn backups(operator: &mut Operator<'_>) {
    assert_eq!(operator.run(&["scheduler_snapshot", "test"])["snapshot"], true);
    let none = operator.both(&["scheduler_list_backups", "test"]);
    assert_eq!((&none["backups"], &none["staged"]), (&json!([]), &Value::Null));
    let backup = operator.run(&["scheduler_backup_now", "test"])["backup"].clone();
    let backup = backup.as_str().unwrap();
    operator.run(&["scheduler_stage_recovery", "test", backup]);
    assert_eq!(operator.both(&["scheduler_list_backups", "test"])["staged"], backup);
    operator.run(&["scheduler_unload_recovery", "test"]);
    operator.run(&["scheduler_stage_recovery", "test", backup]);
    let tasks = operator.both(&["scheduler_print_recovery_tasks", "test"]);
    let task = tasks.as_array().unwrap().iter().find(|task| task["status"] == "PENDING").unwrap();
    let task = task["taskId"].as_str().unwrap();
    let done = operator.run(&["scheduler_delete_recovery_tasks", "test", task]);
    assert_eq!(done["deleted"], 1);
    let would = operator.both(&["scheduler_commit_recovery", "test", "--dry-run"]);
    assert_eq!(would["wouldCommit"], backup);
    assert_eq!(would["activeTasks"], tasks.as_array().unwrap().len() - 1);
    assert_eq!(operator.run(&["scheduler_commit_recovery", "test"])["committed"], true);
}
