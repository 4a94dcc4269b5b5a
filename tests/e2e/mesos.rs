//! The same scheduler and executor on a real Mesos, where one can be started.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use aurora_zookeeper::testing::Server;
use aurora_zookeeper::{Ensemble, NodePath, View};
use serde_json::Value;

use crate::life::{BASE, life_cycle};
use crate::support::files::FileServer;
use crate::support::process::{Process, end_all};
use crate::support::{Home, PATIENCE, free_port, request, skip, wait_for};

/// A real master and agent.
pub(crate) struct Mesos {
    tools: PathBuf,
    pub(crate) home: Home,
    port: u16,
}

impl Mesos {
    /// None where no Mesos can be started: the variable names the folder of `start` and `stop`.
    pub(crate) fn start() -> Option<Self> {
        let tools = std::env::var_os("AURORA_TEST_MESOS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/mesos"),
            PathBuf::from,
        );
        if !tools.join("start").exists() {
            skip("no Mesos here; AURORA_TEST_MESOS names the folder of its `start`");
            return None;
        }
        // What it needs is fetched and built once, which must not be done by two at a time.
        static PREPARED: Once = Once::new();
        PREPARED.call_once(|| {
            let prepared = Command::new(tools.join("start")).arg("--prepare").output().unwrap();
            assert!(prepared.status.success(), "{}", String::from_utf8_lossy(&prepared.stderr));
        });
        let mesos = Self { tools, home: Home::new(), port: free_port() };
        mesos.run(
            "start",
            &[
                "--daemon",
                "--clean",
                "--port",
                &mesos.port.to_string(),
                "--agent-port",
                &free_port().to_string(),
            ],
        );
        Some(mesos)
    }

    /// The master's address.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn run(&self, tool: &str, words: &[&str]) {
        let work = self.home.path().join("mesos");
        let ran = Command::new(self.tools.join(tool))
            .args(words)
            .arg("--work-dir")
            .arg(&work)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{tool}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

impl Drop for Mesos {
    fn drop(&mut self) {
        // Also after a failure, when anything may be amiss.
        let work = self.home.path().join("mesos");
        let _ = Command::new(self.tools.join("stop")).arg("--work-dir").arg(&work).output();
        end_all(self.home.path());
    }
}

/// The executor as a file of this machine.
pub(crate) fn executor() -> PathBuf {
    let executor = Path::new(env!("CARGO_BIN_EXE_aurora")).with_file_name("aurora-executor");
    assert!(executor.exists(), "build all packages first: {} is missing", executor.display());
    executor
}

/// A scheduler of this Mesos. Flags of the executor, then of the scheduler.
pub(crate) fn scheduler(
    mesos: &Mesos,
    port: u16,
    executor: &str,
    executor_flags: &str,
    flags: &[&str],
) -> Process {
    let checkpoints = mesos.home.path().join("thermos");
    let log = mesos.home.path().join("log");
    let words = [
        "scheduler",
        "--cluster-name",
        "devcluster",
        "--mesos-master-address",
        &format!("127.0.0.1:{}", mesos.port),
        "--http-port",
        &port.to_string(),
        "--native-log-file-path",
        log.to_str().unwrap(),
        "--thermos-executor-path",
        executor,
        "--thermos-executor-flags",
        &format!("--checkpoint-root {} {executor_flags}", checkpoints.display()),
    ];
    Process::start(&mut mesos.home.aurora(&[&words[..], flags].concat()))
}

#[test]
fn the_same_files_run_on_a_real_mesos() {
    let Some(mesos) = Mesos::start() else { return };
    let port = free_port();
    let address = format!("http://127.0.0.1:{port}");
    let executor = executor();
    let executor = executor.to_str().unwrap();
    let mut running = scheduler(&mesos, port, executor, "", &[]);
    running.expect("registered");
    let run = |words: &[&str]| mesos.home.run(&[words, &["--scheduler", &address]].concat());
    let examples = [
        ("examples/hello_world.aurora", "devcluster/www-data/prod/hello", "RUNNING"),
        ("examples/http_service.aurora", "devcluster/www-data/devel/web", "RUNNING"),
        ("examples/batch.aurora", "devcluster/www-data/devel/batch", "FINISHED"),
    ];
    for (file, key, until) in examples {
        run(&["job", "create", key, file, "--wait-until", until]).expect(0);
    }
    let failing = "devcluster/www-data/devel/failing";
    run(&["job", "create", failing, "examples/failing.aurora", "--wait-until", "FINISHED"])
        .expect(0);
    let status = |key: &str| run(&["job", "status", key, "-o", "json"]).expect(0).json();
    assert_eq!(status(examples[2].1)[0]["inactive"][0]["status"], "FINISHED");
    let failed = status(failing)[0]["inactive"].clone();
    assert_eq!(failed.as_array().unwrap().len(), 2, "{failed:#?}");
    assert!(failed.as_array().unwrap().iter().all(|run| run["status"] == "FAILED"), "{failed:#?}");
    let hello = status(examples[0].1)[0]["active"][0]["assignedTask"]["taskId"].clone();
    let web: Value = status(examples[1].1);
    for task in web[0]["active"].as_array().unwrap() {
        let port = &task["assignedTask"]["assignedPorts"]["http"];
        wait_for("the page", || {
            let page = request(&format!("127.0.0.1:{port}"), "GET", "/", "", "")?;
            page.body.contains("Hello from instance").then_some(())
        });
    }

    // What it prints, and its files, are read from Mesos's agent as from ours.
    let says_hello = || {
        let ran = run(&["task", "logs", examples[0].1]);
        let line = "0/hello | hello world from instance 0\n";
        (ran.code() == 0 && ran.out().contains(line)).then_some(())
    };
    wait_for("the output", says_hello);
    let file = format!("{}/0:.logs/hello/0/stdout", examples[0].1);
    assert!(run(&["task", "cp", &file, "-"]).expect(0).out().starts_with("hello world"));

    // The next scheduler takes over: same framework, same tasks.
    running.kill();
    let mut running = scheduler(&mesos, port, executor, "", &[]);
    running.expect("registered");
    let after = wait_for("the scheduler", || {
        let ran = run(&["job", "status", examples[0].1, "-o", "json"]);
        (ran.code() == 0).then(|| ran.json())
    });
    assert_eq!(after[0]["active"][0]["assignedTask"]["taskId"], hello);

    // The agent dies and comes back: same task.
    mesos.run("stop", &["--kill", "agent-0"]);
    mesos.run("start", &["--daemon", "agent-0"]);
    assert_eq!(status(examples[0].1)[0]["active"][0]["assignedTask"]["taskId"], hello);

    for (_, key, _) in &examples[..2] {
        run(&["job", "killall", key, "--no-batching"]).expect(0);
    }
    // Both ended as they were told to, by the scheduler and the agent that came back.
    let ended = status(examples[0].1);
    assert_eq!(ended[0]["active"].as_array().unwrap().len(), 0);
    assert_eq!(ended[0]["inactive"][0]["assignedTask"]["taskId"], hello);
    assert_eq!(ended[0]["inactive"][0]["status"], "KILLED");
    wait_for("the output of a task that has ended", says_hello);
    running.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(running.ended(), 0);
}

/// A site that is well as long as a file is in its folder, and announced meanwhile.
fn site(folder: &Path) -> String {
    format!(
        r#"
site = Process(
  name="site",
  cmdline="exec python3 -m http.server --bind 127.0.0.1 --directory {} {{{{thermos.ports[health]}}}}",
)
jobs = [Service(
  cluster="devcluster", role="www-data", environment="devel", name="site",
  task=Task(processes=[site], resources=Resources(cpu=0.1, ram=32*MB, disk=32*MB)),
  health_check_config=HealthCheckConfig(interval_secs=1, timeout_secs=5),
  announce=Announcer(primary_port="health"),
)]
"#,
        folder.display()
    )
}

#[test]
fn an_executor_that_is_fetched_asks_and_announces_its_task() {
    let Some(mesos) = Mesos::start() else { return };
    let executor = executor();
    let files = FileServer::start(executor.parent().unwrap());
    let zookeeper = Server::start().unwrap();
    let port = free_port();
    let flags = format!("--announcer-ensemble {}", zookeeper.connect_string());
    let address = files.address("aurora-executor");
    let running = scheduler(&mesos, port, &address, &flags, &[]);
    running.expect("registered");
    let folder = mesos.home.path().join("www");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("health"), "ok").unwrap();
    let config = mesos.home.file("site.aurora", &site(&folder));
    let address = format!("http://127.0.0.1:{port}");
    let run = |words: &[&str]| mesos.home.run(&[words, &["--scheduler", &address]].concat());
    let key = "devcluster/www-data/devel/site";
    let create = ["job", "create", key, config.to_str().unwrap(), "--wait-until", "RUNNING"];
    run(&create).expect(0);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let set = Ensemble::new(&zookeeper.connect_string())
        .unwrap()
        .server_set(NodePath::new("/aurora/www-data/devel/site").unwrap());
    let membership = runtime.block_on(async { set.watch() });
    let mut view = membership.view();
    let mut until = |count: usize| {
        let is = |view: &View| view.members.len() == count;
        let seen = async { tokio::time::timeout(PATIENCE, view.wait_for(is)).await };
        runtime.block_on(seen).unwrap().unwrap().clone()
    };
    let status = || run(&["job", "status", key, "-o", "json"]).expect(0).json();
    let task: Value = status()[0]["active"][0]["assignedTask"].clone();
    let member = until(1).members.values().next().unwrap().clone();
    assert_eq!(Value::from(member.service_endpoint.port), task["assignedPorts"]["health"]);

    // It is ill, so it ends, is announced no more, and says why.
    std::fs::remove_file(folder.join("health")).unwrap();
    until(0);
    let why = wait_for("the end", || {
        let ended = status()[0]["inactive"][0].clone();
        let last = ended["taskEvents"].as_array()?.last()?.clone();
        (ended["status"] == "FAILED").then_some(last)
    });
    let message = why["message"].as_str().unwrap();
    assert!(message.starts_with("Failed health check! Response differs"), "{why}");
    run(&["job", "killall", key, "--no-batching"]).expect(0);
}

#[test]
fn e4_e9_e10_e11_e12_hold_on_a_real_mesos() {
    let Some(mesos) = Mesos::start() else { return };
    let port = free_port();
    let address = format!("http://127.0.0.1:{port}");
    let executor = executor();
    let executor = executor.to_str().unwrap();
    let mut running = scheduler(&mesos, port, executor, "", &[]);
    running.expect("registered");
    let run = |words: &[&str]| mesos.home.run(&[words, &["--scheduler", &address]].concat());
    let mut restart = || {
        running.kill();
        running = scheduler(&mesos, port, executor, "", &[]);
        running.expect("registered");
    };
    life_cycle(&mesos.home, "devcluster", "www-data", BASE, &run, &mut restart);
}
