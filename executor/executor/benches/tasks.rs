//! What a task costs: times from its launch on, and the memory of its executor. `benches/executor` runs
//! it.
//!
//! The executor is the real program, at an agent that takes its calls and has nothing else to do. Times
//! are taken here, so that what the agent takes to hear of something counts.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a benchmark")]
#![allow(clippy::disallowed_methods, reason = "a benchmark of a shell crate")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aurora_mesos::v1::TaskState;
use serde_json::{Value, json};

#[path = "../tests/it/agent.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use the rest")]
mod agent;

use agent::{Agent, handed_over, heard, open, quoted};

/// How often each is done.
const ROUNDS: usize = 15;

fn task(processes: &[Value], order: &[String]) -> Vec<u8> {
    let job = json!({
        "name": "n", "role": "www", "cluster": "c", "environment": "prod",
        "task": {
            "name": "t", "processes": processes, "max_failures": 1,
            "constraints": if order.is_empty() { json!([]) } else { json!([{ "order": order }]) },
        },
    });
    handed_over("a", job.to_string(), &[])
}

fn process(name: &str, cmdline: &str) -> Value {
    json!({ "name": name, "cmdline": cmdline })
}

fn many(count: usize, cmdline: &str) -> (Vec<Value>, Vec<String>) {
    let names: Vec<String> = (0..count).map(|number| format!("p{number:03}")).collect();
    (names.iter().map(|name| process(name, cmdline)).collect(), names)
}

/// From the launch until the task has ended well.
async fn until_finished(data: Vec<u8>) -> Duration {
    let mut agent = Agent::start(&[], &[]).await;
    let began = Instant::now();
    agent.launch("a", data).await;
    loop {
        match agent.update().await.1 {
            TaskState::TaskFinished => return began.elapsed(),
            TaskState::TaskStarting | TaskState::TaskRunning => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn until_the_first_process() -> Duration {
    let mut agent = Agent::start(&[], &[]).await;
    let pipe = agent.pipe("begun");
    let begun = tokio::spawn(heard(pipe.clone()));
    let command = format!("echo > {}; sleep 1000", quoted(&pipe));
    let began = Instant::now();
    agent.launch("a", task(&[process("p", &command)], &[])).await;
    begun.await.unwrap();
    let took = began.elapsed();
    agent.kill("a", Duration::ZERO).await;
    while agent.update().await.1 != TaskState::TaskKilled {}
    took
}

/// From the end of a process until the agent hears what has become of its task.
async fn until_an_end_is_told() -> Duration {
    let mut agent = Agent::start(&[], &[]).await;
    let go = agent.pipe("go");
    let command = format!("read < {}; exit 3", quoted(&go));
    agent.launch("a", task(&[process("p", &command)], &[])).await;
    while agent.update().await.1 != TaskState::TaskRunning {}
    open(go).await;
    let began = Instant::now();
    assert_eq!(agent.update().await.1, TaskState::TaskFailed);
    began.elapsed()
}

/// From a kill until the agent hears that the task has ended.
async fn until_a_kill_is_done() -> Duration {
    let mut agent = Agent::start(&[], &[]).await;
    agent.launch("a", task(&[process("p", "exec sleep 1000")], &[])).await;
    while agent.update().await.1 != TaskState::TaskRunning {}
    let began = Instant::now();
    agent.kill("a", Duration::from_secs(60)).await;
    assert_eq!(agent.update().await.1, TaskState::TaskKilled);
    began.elapsed()
}

/// An executor whose task runs, with so many processes.
async fn running(processes: usize) -> Agent {
    let mut agent = Agent::start(&[], &[]).await;
    let (all, _) = many(processes, "exec sleep 1000");
    agent.launch("a", task(&all, &[])).await;
    while agent.update().await.1 != TaskState::TaskRunning {}
    agent
}

async fn end(mut agent: Agent) {
    agent.kill("a", Duration::ZERO).await;
    while agent.update().await.1 != TaskState::TaskKilled {}
}

/// The memory of an executor in kilobytes. Of what it shares with others it has its share (PSS).
fn memory(agent: &Agent) -> f64 {
    let pid = agent.executor.id().unwrap();
    let text = std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/smaps_rollup"))).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

/// Starts so many executors at once, each with a task of one process. Gives the time until all run, the
/// memory of all, and the time until all are killed.
async fn at_once(tasks: usize) -> (Duration, f64, Duration) {
    let began = Instant::now();
    let agents = futures_of((0..tasks).map(|_| running(1))).await;
    let started = began.elapsed();
    let memory = agents.iter().map(memory).sum();
    let began = Instant::now();
    futures_of(agents.into_iter().map(end)).await;
    (started, memory, began.elapsed())
}

/// Waits for all of these beside each other.
async fn futures_of<T: Send + 'static>(
    all: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut tasks: tokio::task::JoinSet<T> = all.collect();
    let mut done = Vec::new();
    while let Some(result) = tasks.join_next().await {
        done.push(result.unwrap());
    }
    done
}

/// How long a process takes that writes 1 GB, as its output is kept.
async fn a_gigabyte(logger: Value) -> Duration {
    let mut writer = process("p", "head -c 1000000000 /dev/zero");
    writer["logger"] = logger;
    until_finished(task(&[writer], &[])).await
}

fn report(name: &str, unit: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let at = |share: usize| values.get((values.len() - 1) * share / 100).copied().unwrap();
    println!("{name:<50} {:>9.1} {unit} ({:.1} to {:.1})", at(50), at(0), at(100));
}

async fn timed(name: &str, rounds: usize, what: impl AsyncFn() -> Duration) {
    let mut values = Vec::new();
    for _ in 0..rounds {
        values.push(what().await.as_secs_f64() * 1e3);
    }
    report(name, "ms", values);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    timed("launch until the first process runs", ROUNDS, until_the_first_process).await;
    let date = || until_finished(task(&[process("p", "date")], &[]));
    timed("launch until FINISHED, `date`", ROUNDS, async || date().await).await;
    let (chain, order) = many(10, "true");
    timed("a chain of 10 times `true`", ROUNDS, async || {
        until_finished(task(&chain, &order)).await
    })
    .await;
    let (all, order) = many(100, "true");
    timed("100 times `true` at once", 5, async || until_finished(task(&all, &[])).await).await;
    timed("a chain of 100 times `true`", 5, async || until_finished(task(&all, &order)).await)
        .await;
    timed("the end of a process until FAILED is heard", ROUNDS, until_an_end_is_told).await;
    timed("a kill until KILLED is heard", ROUNDS, until_a_kill_is_done).await;
    for processes in [1, 10, 100] {
        let mut values = Vec::new();
        for _ in 0..5 {
            let agent = running(processes).await;
            values.push(memory(&agent));
            end(agent).await;
        }
        report(&format!("memory with {processes} processes (PSS)"), "kB", values);
    }
    let (mut started, mut memory, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        let (start, kilobytes, end) = at_once(200).await;
        started.push(start.as_secs_f64() * 1e3);
        memory.push(kilobytes / 200.0);
        ended.push(end.as_secs_f64() * 1e3);
    }
    report("200 tasks at once until all run", "ms", started);
    report("memory of each (PSS)", "kB", memory);
    report("200 kills at once until all are heard", "ms", ended);
    let rotated = json!({ "mode": "rotate", "rotate": { "log_size": 100 << 20, "backups": 5 } });
    let file = || a_gigabyte(json!({ "mode": "standard" }));
    timed("1 GB of output to a file", 3, async || file().await).await;
    timed("1 GB of output to rotated files", 3, async || a_gigabyte(rotated.clone()).await).await;
}
