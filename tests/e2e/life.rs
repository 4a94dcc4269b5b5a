//! The life of a service and of two awkward tasks, as the original's acceptance script has them (`client.md` 16).

use serde_json::Value;

use crate::support::cluster::{Cluster, task_id};
use crate::support::{Home, Ran, request, role, wait_for};

/// A server that is well once it has answered so often, each second; or never. It cannot be asked by HTTP to
/// end, so nobody waits long for that.
fn server(cluster: &str, role: &str, cpu: &str, update: &str, health: &str) -> String {
    format!(
        r#"
class Profile(Struct):
  instances = Default(Integer, 1)

server = Process(
  name = "server",
  cmdline = "mkdir -p www && printf ok > www/health && exec python3 -m http.server --bind 127.0.0.1 --directory www {{{{thermos.ports[health]}}}}",
)
jobs = [Service(
  cluster = "{cluster}", role = "{role}", environment = "test", name = "http_example",
  instances = "{{{{profile.instances}}}}",
  task = Task(processes = [server], resources = Resources(cpu = {cpu}, ram = 32 * MB, disk = 64 * MB)),
  update_config = UpdateConfig({update}),
  health_check_config = HealthCheckConfig(interval_secs = 1, initial_interval_secs = 20, {health}),
  lifecycle = LifecycleConfig(http = HttpLifecycleConfig(graceful_shutdown_wait_secs = 1, shutdown_wait_secs = 1)),
).bind(profile = Profile())]
"#
    )
}

/// In what the jobs of E-4 differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant {
    /// The settings of its updates.
    update: &'static str,
    /// For how long a restart watches it.
    watch: &'static str,
    /// Looks at the update that adds two instances to the first one.
    check: fn(&Value),
}

/// Two instances at a time.
pub(crate) const BASE: Variant = Variant {
    update: "watch_secs = 0, batch_size = 2",
    watch: "--watch-secs=10",
    check: |update| {
        let [one, two] = [1, 2].map(|instance| course(update, instance));
        assert!(two.0 <= one.1, "not both at once: {update:#}");
    },
};

/// Each instance runs for a while before it counts as good.
const WATCHED: Variant = Variant {
    update: "watch_secs = 2, batch_size = 2",
    watch: "--watch-secs=1",
    check: |update| {
        for (began, ended) in [1, 2].map(|instance| course(update, instance)) {
            assert!(ended - began >= 2_000, "it was not watched: {update:#}");
        }
    },
};

/// One instance, then two at a time.
const BATCHES: Variant = Variant {
    update: "watch_secs = 0, update_strategy = VariableBatchUpdateStrategy(batch_sizes = [1, 2])",
    watch: "--watch-secs=1",
    check: |update| {
        let [one, two] = [1, 2].map(|instance| course(update, instance));
        assert!(one.1 <= two.0, "both at once: {update:#}");
    },
};

/// When an instance was taken up by an update, and when it was good, in milliseconds.
fn course(update: &Value, instance: u64) -> (i64, i64) {
    let at = |action: &str| {
        let mut events = update["instance_update_events"].as_array().unwrap().iter();
        let is = |event: &&Value| event["instance"] == instance && event["action"] == action;
        events.find(is).unwrap_or_else(|| panic!("{action} of {instance}: {update:#}"))["timestamp"]
            .as_i64()
            .unwrap()
    };
    (at("INSTANCE_UPDATING"), at("INSTANCE_UPDATED"))
}

/// E-9 to E-12 on some cluster, in their place in E-4.
pub(crate) fn life_cycle(
    home: &Home,
    cluster: &str,
    role: &str,
    variant: Variant,
    run: &dyn Fn(&[&str]) -> Ran,
    restart_scheduler: &mut dyn FnMut(),
) {
    let key = format!("{cluster}/{role}/test/http_example");
    let file = |name: &str, text: &str| home.file(name, text).to_str().unwrap().to_owned();
    let base = server(cluster, role, "0.05", variant.update, "min_consecutive_successes = 1");
    let base = file("base.aurora", &base);
    let three = "watch_secs = 0, batch_size = 3";
    let slow = |cpu: &str| server(cluster, role, cpu, three, "min_consecutive_successes = 6");
    let updated = file("updated.aurora", &slow("0.04"));
    let again = file("again.aurora", &slow("0.03"));
    // It is never well, and twice wrong is enough.
    let bad = "health_checker = HealthCheckerConfig(shell = ShellHealthChecker(shell_command = 'exit 1')), \
               max_consecutive_failures = 1";
    let bad = server(cluster, role, "0.05", "watch_secs = 0, batch_size = 2", bad)
        .replace("initial_interval_secs = 20", "initial_interval_secs = 1");
    let bad = file("bad.aurora", &bad);
    let status = |id: &str| {
        let info = run(&["update", "info", &key, id]).expect(0).out();
        info.lines()
            .find_map(|line| line.strip_prefix("Current status: ").map(ToOwned::to_owned))
            .unwrap()
    };
    let active = || -> Vec<Value> {
        let ran = run(&["job", "status", &key, "-o", "json"]).expect(0);
        ran.json()[0]["active"].as_array().cloned().unwrap_or_default()
    };
    let start = |file: &str, more: &[&str]| -> String {
        let words = [&["update", "start", &key, file, "-o", "json"], more].concat();
        run(&words).expect(0).json()["id"].as_str().unwrap().to_owned()
    };

    // E-4: what is in the file, of which no scheduler is asked, then what has become of it.
    assert_eq!(home.run(&["config", "list", &base]).expect(0).out(), format!("jobs=[{key}]\n"));
    let inspected = home.run(&["job", "inspect", &key, &base, "--bind", "profile.instances=1"]);
    let inspected = inspected.expect(0).out();
    assert!(inspected.contains("  name:       'http_example'\n"), "{inspected}");
    run(&["job", "create", &key, &base, "--wait-until", "RUNNING"]).expect(0);
    let listed = run(&["job", "list", &format!("{cluster}/{role}/test")]).expect(0).out();
    assert!(listed.lines().any(|line| line == key), "{listed}");
    let shown = run(&["job", "status", &key]).expect(0).out();
    assert!(shown.contains("name: http_example, instance: 0, status: RUNNING on "), "{shown}");
    let before = task_id(&active()[0]);
    // E-9
    run(&["job", "restart", "--batch-size=2", variant.watch, &key]).expect(0);
    assert_ne!(task_id(&active()[0]), before);

    // E-10: instances are added and taken away, and what stays is left alone.
    let kept = task_id(&active()[0]);
    for (instances, count) in [("3", 3), ("1", 1), ("3", 3)] {
        let id = start(&base, &["--bind", &format!("profile.instances={instances}")]);
        run(&["update", "wait", &key, &id]).expect(0);
        assert_eq!(status(&id), "ROLLED_FORWARD");
        if count == 3 {
            let info = run(&["update", "info", &key, &id, "--write-json"]).expect(0);
            (variant.check)(&info.json());
        }
        run(&["job", "wait", &key, "--for", "update"]).expect(0);
        let tasks = active();
        assert_eq!(tasks.len(), count, "{tasks:#?}");
        assert!(tasks.iter().all(|task| task["status"] == "RUNNING"), "{tasks:#?}");
        assert_eq!(task_id(&tasks[0]), kept);
    }

    // E-11: an update outlives the scheduler, and is paused and resumed.
    let mut interrupted = |file: &str| {
        let id = start(file, &["--bind", "profile.instances=3"]);
        assert_eq!(status(&id), "ROLLING_FORWARD");
        run(&["admin", "scheduler_snapshot", cluster]).expect(0);
        restart_scheduler();
        assert_eq!(status(&id), "ROLLING_FORWARD");
        run(&["update", "pause", &key, "--message=a look"]).expect(0);
        assert_eq!(status(&id), "ROLL_FORWARD_PAUSED");
        run(&["update", "resume", &key]).expect(0);
        assert_eq!(status(&id), "ROLLING_FORWARD");
        run(&["update", "wait", &key, &id]).expect(0);
        assert_eq!(status(&id), "ROLLED_FORWARD");
    };
    interrupted(&updated);

    // E-12: one that is no good is undone.
    let id = start(&bad, &["--bind", "profile.instances=2"]);
    run(&["update", "wait", &key, &id]).expect(4);
    assert_eq!(status(&id), "ROLLED_BACK");
    let why = run(&["why", &key]).expect(0).out();
    assert!(why.contains(&format!("Update {id} is ROLLED_BACK")), "{why}");
    // E-11 again: what was undone is in nobody's way.
    interrupted(&again);

    run(&["job", "kill", &format!("{key}/1")]).expect(0);
    run(&["job", "killall", &key]).expect(0);
    assert!(active().is_empty());
    // E-4: killing one that there never was is no error.
    run(&["job", "kill", &format!("{key}/77")]).expect(0);
    run(&["quota", "get", &format!("{cluster}/{role}")]).expect(0);
}

/// The whole life of a variant on daemons of its own.
fn live(variant: Variant) {
    let cluster = std::cell::RefCell::new(Cluster::start());
    let home = Home::new();
    let run = |words: &[&str]| cluster.borrow().run(words);
    let mut restart = || {
        let mut cluster = cluster.borrow_mut();
        cluster.scheduler.kill();
        cluster.restart_scheduler();
        cluster.wait_registered();
    };
    life_cycle(&home, "test", &role(), variant, &run, &mut restart);
}

#[test]
fn e3_the_version_is_that_of_the_program() {
    let home = Home::new();
    let told = home.run(&["--version"]).expect(0);
    assert_eq!(told.out() + &told.err(), format!("aurora {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn e4_e9_e10_e11_e12_a_service_is_restarted_resized_updated_and_brought_back() {
    live(BASE);
}

#[test]
fn e4_e9_e10_e11_e12_so_is_one_whose_instances_are_watched() {
    live(WATCHED);
}

#[test]
fn e4_e9_e10_e11_e12_so_is_one_that_is_updated_in_batches() {
    live(BATCHES);
}

/// Creates a job and waits until it runs and the observer shows it.
fn create(cluster: &Cluster, key: &str, file: &str, bindings: &[String]) {
    let mut words = vec!["job", "create", key, file, "--wait-until", "RUNNING"];
    for binding in bindings {
        words.extend(["--bind", binding]);
    }
    cluster.run(&words).expect(0);
    let task = cluster.running_task(key);
    wait_for("the page of the task", || {
        let page = request(&cluster.observer_address(), "GET", &format!("/task/{task}"), "", "")?;
        (page.status == 200).then_some(())
    });
    cluster.run(&["job", "status", key]).expect(0);
}

#[test]
fn e23_a_final_process_runs_when_the_main_one_has_ended_beside_a_daemon() {
    let cluster = Cluster::start();
    let stop = cluster.home.path().join("stop");
    let text = format!(
        r#"
daemon = Process(name = "daemon", cmdline = "while true; do sleep 1; done", ephemeral = True, daemon = True)
main = Process(name = "main", cmdline = "until [ -e {{{{stop_file}}}} ]; do sleep 0.1; done")
final = Process(name = "final", cmdline = "rm {{{{stop_file}}}}", final = True)
jobs = [Job(
  cluster = "test", role = "{}", environment = "test", name = "ephemeral",
  task = Task(processes = [daemon, main, final], resources = Resources(cpu = 0.05, ram = 16 * MB, disk = 16 * MB)),
)]
"#,
        role()
    );
    let file = cluster.home.file("ephemeral.aurora", &text);
    let key = format!("test/{}/test/ephemeral", role());
    create(&cluster, &key, file.to_str().unwrap(), &[format!("stop_file={}", stop.display())]);
    std::fs::write(&stop, "").unwrap();
    wait_for("the final process", || (!stop.exists()).then_some(()));
    cluster.run(&["job", "wait", &key, "--for", "finished", "--timeout", "60s"]).expect(0);
}

#[test]
fn e24_what_has_made_itself_a_daemon_is_told_to_end() {
    let cluster = Cluster::start();
    let (term, ready) = (cluster.home.file("term", ""), cluster.home.path().join("ready"));
    let text = format!(
        r#"
main = Process(name = "main", cmdline = "exec sleep 1000")
daemon = Process(name = "daemon", cmdline = """
cat > daemon.py <<EOF
import os, signal, sys, time
if os.fork(): sys.exit(0)
os.setsid()
if os.fork(): sys.exit(0)
def end(*_):
    os.unlink("{{{{term_file}}}}")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open("{{{{ready_file}}}}", "w").close()
while True: time.sleep(1)
EOF
exec python3 daemon.py
""")
jobs = [Service(
  cluster = "test", role = "{}", environment = "test", name = "daemonize",
  task = Task(processes = [main, daemon], resources = Resources(cpu = 0.05, ram = 32 * MB, disk = 16 * MB)),
)]
"#,
        role()
    );
    let file = cluster.home.file("daemonize.aurora", &text);
    let key = format!("test/{}/test/daemonize", role());
    let bindings = [("term_file", &term), ("ready_file", &ready)]
        .map(|(name, path)| format!("{name}={}", path.display()));
    create(&cluster, &key, file.to_str().unwrap(), &bindings);
    wait_for("the daemon", || ready.exists().then_some(()));
    assert!(term.exists());
    cluster.run(&["job", "kill", &format!("{key}/1")]).expect(0);
    cluster.run(&["job", "killall", &key]).expect(0);
    wait_for("the end of the daemon", || (!term.exists()).then_some(()));
}
