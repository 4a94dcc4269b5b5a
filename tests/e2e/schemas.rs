//! What commands print as JSON and YAML, held to the schemas of docs/schemas.

mod operators;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use boon::{Compiler, Schemas};
use serde_json::Value;

use crate::support::cluster::Cluster;
use crate::support::process::Process;
use crate::support::{Ran, role, service};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas")
}

/// A schema as it is meant for these tests: what it does not know must not be printed.
fn closed(schema: Value) -> Value {
    match schema {
        Value::Object(mut fields) => {
            if fields.contains_key("properties") && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            Value::Object(fields.into_iter().map(|(name, value)| (name, closed(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(closed).collect()),
        other => other,
    }
}

/// A command that goes well; those about files know no scheduler.
#[track_caller]
fn ran(cluster: &Cluster, words: &[&str]) -> Ran {
    let ran = if words[0] == "config" { cluster.home.run(words) } else { cluster.run(words) };
    ran.expect(0)
}

/// Holds documents to the schemas, and remembers which were used.
#[derive(Default)]
struct Book {
    used: BTreeSet<String>,
}

impl Book {
    fn check(&mut self, name: &str, document: &Value) {
        let path = folder().join(format!("{name}.json"));
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("http://localhost/schema.json", closed(schema)).unwrap();
        let index = compiler.compile("http://localhost/schema.json", &mut schemas).unwrap();
        if let Err(error) = schemas.validate(document, index) {
            panic!("{name}: {error:#}\n{document:#}");
        }
        self.used.insert(name.to_owned());
    }

    /// Holds what a command prints to its schema.
    fn run(&mut self, name: &str, cluster: &Cluster, words: &[&str]) -> Value {
        let json = ran(cluster, &[words, &["--output", "json"]].concat()).json();
        self.check(name, &json);
        json
    }

    /// The same of a command that changes nothing: its YAML says what its JSON does.
    fn both(&mut self, name: &str, cluster: &Cluster, words: &[&str]) -> Value {
        let json = self.run(name, cluster, words);
        let yaml = ran(cluster, &[words, &["--output", "yaml"]].concat()).out();
        let yaml: Value = serde_saphyr::from_str(&yaml).unwrap();
        self.check(name, &yaml);
        assert_eq!(yaml.to_string(), json.to_string(), "{name}");
        json
    }

    /// Fails if there is a schema that nothing is held to, of those whose names are meant.
    fn finish(&self, is_meant: impl Fn(&str) -> bool) {
        let there: BTreeSet<String> = std::fs::read_dir(folder())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .filter(|name| is_meant(name))
            .collect();
        assert_eq!(self.used, there);
    }
}

/// Whether a schema is of an operator's command, which has a test of its own.
fn is_of_operators(name: &str) -> bool {
    name.starts_with("admin-")
}

#[test]
fn each_command_prints_what_its_schema_says() {
    let cluster = Cluster::start();
    let (mut book, role) = (Book::default(), role());
    let file = |name: &str, text: &str| cluster.home.file(name, text).to_str().unwrap().to_owned();
    let key = |name: &str| format!("test/{role}/prod/{name}");
    let text = |name: &str, command: &str, more: &str| {
        service(&role, name, 2, command)
            .replace("environment = 'prod'", &format!("environment = 'prod'{more}"))
    };
    let more = ", update_config = UpdateConfig(watch_secs = 3), constraints = {'host': 'limit:9', 'x': '!y'}, \
                metadata = [Metadata(key = 'a', value = 'b')], contact = 'a@example.com'";
    let (web, wait) = (key("web"), key("wait"));
    let one = file("one.aurora", &text("web", "exec sleep 1000", more));
    let two = file("two.aurora", &text("web", "exec sleep 2000", more));
    // It waits for room.
    let large = text("wait", "true", "").replace("cpu = 0.01", "cpu = 1000");
    let large = file("large.aurora", &large);
    let cron = text("cron", "true", ", cron_schedule = '0 3 * * *', tier = 'preferred'");
    let cron = file("cron.aurora", &cron.replace("Service(", "Job("));

    book.both("config-list", &cluster, &["config", "list", &one]);
    // For the cron job, which is of a tier that counts.
    book.run("quota-set", &cluster, &["quota", "set", &format!("test/{role}"), "4", "4GB", "4GB"]);
    book.both("job-plan", &cluster, &["plan", &web, &one]);
    book.both("job-plan", &cluster, &["plan", &key("cron"), &cron]);
    book.both("job-diff", &cluster, &["diff", &web, &one]);
    book.run("deploy", &cluster, &["deploy", &web, &one, "--yes"]);
    // Nothing is left to do.
    book.run("deploy", &cluster, &["deploy", &web, &one, "--yes"]);
    book.run("job-create", &cluster, &["job", "create", &wait, &large]);
    cluster.wait_running(&web, 2);
    book.both("job-list", &cluster, &["job", "list", "test"]);
    book.both("job-plan", &cluster, &["plan", &web, &two]);
    book.both("job-diff", &cluster, &["diff", &web, &two]);
    book.run("update-start", &cluster, &["update", "start", &web, &one]);
    let started = book.run("update-start", &cluster, &["update", "start", &web, &two]);
    let id = started["id"].as_str().unwrap().to_owned();
    book.run("update-change", &cluster, &["update", "pause", &web, "-m", "lunch"]);
    book.run("update-change", &cluster, &["update", "resume", &web]);
    book.run("update-change", &cluster, &["update", "wait", &web, &id]);
    book.both("update-list", &cluster, &["update", "list", "test"]);
    book.both("update-info", &cluster, &["update", "info", &web, &id]);
    let killed = book.run("job-kill", &cluster, &["job", "kill", &format!("{web}/1")]);
    assert_eq!(killed["killed"], serde_json::json!([1]));
    let all = book.both("dry-run", &cluster, &["job", "killall", &web, "--dry-run"]);
    assert_eq!(all["instances"], serde_json::json!([0]));
    book.both("dry-run", &cluster, &["job", "restart", &web, "--dry-run"]);
    book.both("job-plan", &cluster, &["update", "start", &web, &one, "--dry-run"]);
    book.both("job-plan", &cluster, &["cron", "schedule", &key("cron"), &cron, "--dry-run"]);
    book.run(
        "job-add",
        &cluster,
        &["job", "add", &format!("{web}/0"), "1", "--wait-until", "RUNNING"],
    );
    book.run("job-wait", &cluster, &["job", "wait", &web, "--for", "running"]);
    book.run(
        "job-restart",
        &cluster,
        &["job", "restart", &format!("{web}/0"), "--watch-secs", "0"],
    );
    book.run("sla-task-up-count", &cluster, &["sla", "get-task-up-count", &web]);
    book.run("sla-job-uptime", &cluster, &["sla", "get-job-uptime", &web]);
    book.both("why", &cluster, &["why", &wait]);
    book.both("why", &cluster, &["why", &web]);
    let dead = key("dead");
    let fails =
        file("dead.aurora", &text("dead", "echo no >&2; exit 3", "").replace("Service(", "Job("));
    cluster.run(&["job", "create", &dead, &fails, "--wait-until", "FINISHED"]).expect(0);
    book.both("why", &cluster, &["why", &dead]);
    cluster
        .home
        .file("clusters.json", "[{\"name\": \"test\", \"scheduler_uri\": \"http://127.0.0.1:1\"}]");
    book.both("cluster-list", &cluster, &["cluster", "list"]);
    book.both("cluster-show", &cluster, &["cluster", "show", "test"]);
    book.run("version", &cluster, &["version"]);
    // Active and ended tasks, and some that wait.
    book.both("job-status", &cluster, &["job", "status", "test"]);
    book.both("job-status", &cluster, &["job", "status", "test/nobody"]);
    book.both("quota-get", &cluster, &["quota", "get", &format!("test/{role}")]);
    // Lines that go on: of tasks, and of an update that is over.
    let words = cluster.words(&["job", "status", &web, "--watch", "-o", "json"]);
    let mut watching = Process::start(&mut cluster.home.aurora(&words));
    let line = watching.expect("\"instance\":0");
    book.check("job-status-watch", &serde_json::from_str(&line).unwrap());
    watching.kill();
    let words = ["update", "info", &web, &id, "--watch", "-o", "json"];
    let lines = cluster.run(&words).expect(0).out();
    assert!(lines.contains("INSTANCE_UPDATED") && lines.contains("ROLLED_FORWARD"), "{lines}");
    for line in lines.lines() {
        book.check("update-info-watch", &serde_json::from_str(line).unwrap());
    }
    book.run("cron-schedule", &cluster, &["cron", "schedule", &key("cron"), &cron]);
    book.run("cron-start", &cluster, &["cron", "start", &key("cron")]);
    book.run("cron-show", &cluster, &["cron", "show", &key("cron")]);
    let production = text("prod", "true", ", tier = 'preferred'");
    let production = file("prod.aurora", &production);
    book.both("job-plan", &cluster, &["plan", &key("prod"), &production]);
    book.run("cron-deschedule", &cluster, &["cron", "deschedule", &key("cron")]);

    book.finish(|name| !is_of_operators(name));
}
