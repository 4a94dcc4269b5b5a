//! A cluster of daemons, each a process of its own that can be killed and started again.

use std::path::PathBuf;

use serde_json::Value;

use super::process::{Process, end_all};
use super::{Home, Ran, free_port, request, wait_for};

/// Seconds that processes have to end when they are told to.
const STOP_TIMEOUT: u64 = 3;

/// How many ports an agent has for tasks. Agents of tests that run at the same time hardly ever have the same
/// ones, as they do not know of each other.
const PORTS: u16 = 50;

/// Scheduler, master, agent and observer.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) home: Home,
    ports: [u16; 4],
    flags: Told,
    pub(crate) scheduler: Process,
    pub(crate) master: Process,
    pub(crate) agent: Process,
    pub(crate) observer: Process,
}

/// What daemons are told besides; they may say what is said anyway in another way.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flags<'a> {
    pub(crate) scheduler: &'a [&'a str],
    pub(crate) master: &'a [&'a str],
    pub(crate) agent: &'a [&'a str],
}

/// The same, for when they start again.
#[derive(Debug)]
struct Told {
    scheduler: Vec<String>,
    master: Vec<String>,
    agent: Vec<String>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        Self::start_with(Flags::default())
    }

    pub(crate) fn start_with(flags: Flags<'_>) -> Self {
        let home = Home::new();
        let flags = Told {
            scheduler: words(flags.scheduler),
            master: words(flags.master),
            agent: words(flags.agent),
        };
        let ports = [free_port(), free_port(), free_port(), free_port()];
        let (master, agent) =
            (master(&home, &ports, &flags.master), agent(&home, &ports, "agent", &flags.agent));
        let (scheduler, observer) =
            (scheduler(&home, &ports, &flags.scheduler), observer(&home, &ports));
        let cluster = Self { home, ports, flags, scheduler, master, agent, observer };
        cluster.wait_registered();
        cluster
    }

    pub(crate) fn scheduler_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    pub(crate) fn master_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    pub(crate) fn agent_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[2])
    }

    pub(crate) fn observer_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[3])
    }

    /// Waits until the scheduler has a master and an offer.
    pub(crate) fn wait_registered(&self) {
        wait_for("the scheduler to get an offer", || {
            let vars = request(&self.scheduler_address(), "GET", "/vars.json", "", "")?;
            let vars: Value = serde_json::from_str(&vars.body).ok()?;
            let registered = vars.get("framework_registered")?.as_f64()? > 0.0;
            let offers = vars.get("outstanding_offers")?.as_f64()? > 0.0;
            (registered && offers).then_some(())
        });
    }

    pub(crate) fn restart_scheduler(&mut self) {
        self.scheduler = scheduler(&self.home, &self.ports, &self.flags.scheduler);
    }

    pub(crate) fn restart_master(&mut self) {
        self.master = master(&self.home, &self.ports, &self.flags.master);
    }

    pub(crate) fn restart_agent(&mut self) {
        self.agent = agent(&self.home, &self.ports, "agent", &self.flags.agent);
    }

    /// Another agent, of a host by this name, which ends with the process that is given.
    pub(crate) fn add_agent(&self, host: &str) -> Process {
        let ports = [self.ports[0], self.ports[1], free_port(), self.ports[3]];
        agent(&self.home, &ports, host, &words(&["--hostname", host]))
    }

    /// The words of a command that go to this scheduler.
    pub(crate) fn words(&self, words: &[&str]) -> Vec<String> {
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        words.push("--scheduler".to_owned());
        words.push(self.scheduler_address());
        words
    }

    /// Runs a command against this scheduler.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.home.run(&self.words(words))
    }

    /// The active tasks of a job, as `job status` gives them.
    pub(crate) fn active(&self, job: &str) -> Vec<Value> {
        let ran = self.run(&["job", "status", job, "-o", "json"]).expect(0);
        ran.json()[0]["active"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until a job has so many running tasks, and gives them.
    pub(crate) fn wait_running(&self, job: &str, count: usize) -> Vec<Value> {
        wait_for(&format!("{count} running tasks of {job}"), || {
            let tasks = self.active(job);
            let all = tasks.len() == count && tasks.iter().all(|task| task["status"] == "RUNNING");
            all.then_some(tasks)
        })
    }

    /// The only active task of a job, once it runs.
    pub(crate) fn running_task(&self, job: &str) -> String {
        task_id(&self.wait_running(job, 1)[0])
    }

    /// The process id of a task's process, once it runs.
    pub(crate) fn pid_of(&self, task: &str) -> i32 {
        wait_for(&format!("the process of {task}"), || {
            let path = format!("/j/process/{task}/main");
            let answer = request(&self.observer_address(), "GET", &path, "", "")?;
            let run: Value = serde_json::from_str(&answer.body).ok()?;
            (run["state"] == "RUNNING").then(|| run["pid"].as_i64()).flatten()
        })
        .try_into()
        .unwrap()
    }

    /// The executor of a task.
    pub(crate) fn executor_of(&self, task: &str) -> i32 {
        let pid = self.pid_of(task);
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let rest = &stat[stat.rfind(')').unwrap() + 2..];
        rest.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for daemon in [&mut self.scheduler, &mut self.master, &mut self.agent, &mut self.observer] {
            daemon.kill();
        }
        end_all(self.home.path());
    }
}

pub(crate) fn task_id(task: &Value) -> String {
    task["assignedTask"]["taskId"].as_str().unwrap().to_owned()
}

fn folder(home: &Home, name: &str) -> String {
    home.path().join(name).to_str().unwrap().to_owned()
}

fn start(home: &Home, words: &[String]) -> Process {
    Process::start(&mut home.aurora(words))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn master(home: &Home, ports: &[u16; 4], flags: &[String]) -> Process {
    let port = ports[1].to_string();
    let mut all = words(&["master", "--port", &port, "--work-dir", &folder(home, "master")]);
    all.extend_from_slice(flags);
    start(home, &all)
}

fn agent(home: &Home, ports: &[u16; 4], work_dir: &str, flags: &[String]) -> Process {
    let (master, port) = (format!("127.0.0.1:{}", ports[1]), ports[2].to_string());
    let first = 31_000 + ports[2] % (1_000 / PORTS) * PORTS;
    let mut all = words(&[
        "agent",
        "--master",
        &master,
        "--port",
        &port,
        "--work-dir",
        &folder(home, work_dir),
        "--resources",
        &format!("cpus:16;mem:16384;disk:20000;ports:[{first}-{}]", first + PORTS - 1),
    ]);
    all.extend_from_slice(flags);
    start(home, &all)
}

fn observer(home: &Home, ports: &[u16; 4]) -> Process {
    let port = ports[3].to_string();
    start(
        home,
        &words(&["observer", "--port", &port, "--checkpoint-root", &folder(home, "thermos")]),
    )
}

fn scheduler(home: &Home, ports: &[u16; 4], flags: &[String]) -> Process {
    let (port, master) = (ports[0].to_string(), format!("127.0.0.1:{}", ports[1]));
    let executor = format!(
        "executor --checkpoint-root {} --stop-timeout-in-secs {STOP_TIMEOUT}",
        folder(home, "thermos")
    );
    let program = PathBuf::from(env!("CARGO_BIN_EXE_aurora"));
    let mut all = words(&[
        "scheduler",
        "--cluster-name",
        "test",
        "--mesos-master-address",
        &master,
        "--http-port",
        &port,
        "--observer-port",
        &ports[3].to_string(),
        "--native-log-file-path",
        &folder(home, "log"),
        "--thermos-executor-path",
        program.to_str().unwrap(),
        "--thermos-executor-flags",
        &executor,
        "--thermos-executor-fetch",
        "false",
        "--thermos-executor-cpu",
        "0.01",
        "--thermos-executor-ram",
        "16",
        "--initial-flapping-task-delay",
        "1",
    ]);
    all.extend_from_slice(flags);
    start(home, &all)
}
