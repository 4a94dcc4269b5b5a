//! What many tasks on one machine cost: time of pages, memory, and processor time of the sampler.
//! `benches/observer` runs it.
//!
//! This program writes the checkpoints and is the runner of the tasks that live; the observer is
//! another process of it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]
#![allow(clippy::disallowed_methods, reason = "a benchmark of a shell crate")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aurora_daemon::listen::Listen;
use aurora_observer::{Config, start};
use aurora_thermos::checkpoint::Writer;
use aurora_thermos::checkpoint::record::{
    Event, Header, JobInstance, ProcessChange, ProcessEvent, ProcessIdentity, Record, TaskEvent,
};
use aurora_thermos::process::tree::{boot_id, identify};
use aurora_thermos::state::TaskState;
use tokio_util::sync::CancellationToken;

/// Tasks in all.
const TASKS: u32 = 1000;
/// Those of them that live.
const LIVE: u32 = 200;
/// Processes of each task.
const PROCESSES: u32 = 3;
/// How often each page is asked for.
const ROUNDS: u32 = 50;
/// How long the observer is left alone, so that it samples only.
const QUIET: Duration = Duration::from_secs(20);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("serve") => serve(Path::new(arguments.get(2).unwrap())),
        _ => measure(),
    }
}

/// The observer, until its input ends.
fn serve(root: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listen = Listen::Address("127.0.0.1:0".parse().unwrap());
        let mut config = Config::new(listen, root.to_owned());
        // Ten times as often as by default.
        config.process_interval = Duration::from_secs(2);
        let observer = start(config, CancellationToken::new()).await.unwrap();
        println!("{}", observer.addr());
        let ended = tokio::task::spawn_blocking(|| {
            let _ = std::io::stdin().read(&mut [0]);
        });
        ended.await.unwrap();
    });
    runtime.shutdown_background();
}

struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let mut living = Vec::new();
    for number in 0..TASKS {
        write(folder.path(), number, &mut living);
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["serve".as_ref(), folder.path().join("root").as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Ending)
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address: SocketAddr = line.trim().parse().unwrap();
    let process = procfs::process::Process::new(child.0.id().cast_signed()).unwrap();
    let used = || {
        let stat = process.stat().unwrap();
        stat.utime + stat.stime
    };
    println!("{TASKS} tasks, {LIVE} of them live, with {PROCESSES} processes each");
    let task = format!("/task/{}", id(0));
    for (name, path) in [
        ("the index page", "/"),
        ("1,000 tasks on one page", "/main/all/0/1000"),
        ("1,000 tasks as JSON", "/j/task_ids/all/0/1000"),
        ("a task's page", &task),
    ] {
        let first = ask(address, path);
        let before = used();
        let mut times: Vec<Duration> = (0..ROUNDS).map(|_| ask(address, path)).collect();
        times.sort_unstable();
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        let computed = seconds(used() - before) * 1000.0 / f64::from(ROUNDS);
        println!(
            "{name}: first {first:.1?}, median {median:.1?}, worst {worst:.1?}; {computed:.1} ms of a processor each"
        );
    }
    let before = used();
    std::thread::sleep(QUIET);
    let busy = seconds(used() - before) / QUIET.as_secs_f64();
    println!("sampling each 2 s: {:.2} % of one processor", busy * 100.0);
    let status = process.status().unwrap();
    let mb = |kb: Option<u64>| kb.unwrap_or(0) / 1024;
    println!("memory: {} MB, at most {} MB", mb(status.vmrss), mb(status.vmhwm));
}

#[expect(clippy::cast_precision_loss, reason = "a few seconds")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / procfs::ticks_per_second() as f64
}

fn id(number: u32) -> String {
    format!("www-prod-service-{number}-0000-1111-2222-3333")
}

fn write(folder: &Path, number: u32, living: &mut Vec<Ending>) {
    let sandbox: PathBuf = folder.join(id(number)).join("sandbox");
    std::fs::create_dir_all(sandbox.join(".logs")).unwrap();
    let processes: Vec<serde_json::Value> = (0..PROCESSES)
        .map(|process| serde_json::json!({ "name": format!("p{process}"), "cmdline": "sleep 100000 " .repeat(20) }))
        .collect();
    let header = Header {
        task_id: id(number),
        task_json: serde_json::json!({ "name": "service", "processes": processes }).to_string(),
        job: Some(JobInstance {
            role: "www".to_owned(),
            environment: "prod".to_owned(),
            name: "service".to_owned(),
            instance: number,
        }),
        log_dir: sandbox.join(".logs"),
        sandbox,
        hostname: "box".to_owned(),
        user: "www".to_owned(),
        uid: 0,
        ports: [("http".to_owned(), 31_000), ("admin".to_owned(), 31_001)].into(),
        runner: identify(std::process::id().cast_signed()).unwrap(),
        boot_id: boot_id().unwrap(),
    };
    let time_ms = 1_800_000_000_000 + i64::from(number);
    let record = |event| Record { time_ms, event };
    let first = record(Event::Header(Box::new(header)));
    let mut writer = Writer::create(&folder.join("root"), &id(number), &first).unwrap();
    let state = |state| Event::Task(TaskEvent { state, reason: String::new() });
    let mut events = vec![state(TaskState::Active)];
    for process in 0..PROCESSES {
        let identity = if number < LIVE {
            let child = Command::new("sleep").arg("100000").spawn().map(Ending).unwrap();
            let identity = identify(child.0.id().cast_signed()).unwrap();
            living.push(child);
            identity
        } else {
            ProcessIdentity { pid: 1, start_ticks: 1 }
        };
        let name = format!("p{process}");
        let mut changes =
            vec![ProcessChange::Waiting, ProcessChange::Forked, ProcessChange::Running(identity)];
        if number >= LIVE {
            changes.push(ProcessChange::Success);
        }
        events.extend(
            changes.into_iter().map(|change| {
                Event::Process(ProcessEvent { process: name.clone(), run: 0, change })
            }),
        );
    }
    if number >= LIVE {
        events.extend([state(TaskState::Cleaning), state(TaskState::Success)]);
    }
    for event in events {
        writer.append(&record(event)).unwrap();
    }
}

fn ask(address: SocketAddr, path: &str) -> Duration {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: box\r\n\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.0 200"), "{path}");
    begun.elapsed()
}
