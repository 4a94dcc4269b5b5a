//! Placements a second through the scheduler's core and its log, each batch on disk before its
//! launches go out; the memory of a task; how long questions wait while tasks are placed.
//!
//! ```text
//! cargo bench -p aurora-scheduler-storage --bench placement [-- NAME…]
//! ```
//!
//! The core runs on one thread and the log on another, with the queues and batches of the server's
//! actor. The log lies below `target/`: what counts is the disk that is under it. What agents and the
//! master would do is done by the core's thread between steps, and counted as its time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    unsafe_code,
    reason = "a benchmark: it reads clocks, counts memory, and ends at whatever goes wrong"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use aurora_model::job::{JobConfiguration, TaskState, Timestamp};
use aurora_model::key::JobKey;
use aurora_scheduler_core::{Effect, Input, Op, Settings, StatusUpdate, TaskQuery, Tier};
use aurora_scheduler_storage::{Log, Store};

#[path = "../../core/benches/cluster/mod.rs"]
#[allow(dead_code, reason = "the core's own benches use the rest")]
mod cluster;

use cluster::{Cluster, job, limit, machine, settings, value};

/// Counts the bytes that are in use.
struct Counting;

static IN_USE: AtomicI64 = AtomicI64::new(0);

// SAFETY: everything is left to the system's allocator; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// As in the server's actor.
const UNWRITTEN: usize = 1024;
const GROUP: usize = 512;

/// Instances of a job.
const JOB: u32 = 1000;
/// Jobs whose tasks may wait at the same time.
const JOBS_AT_ONCE: u64 = 4;

type Answer = Box<dyn FnOnce() + Send>;
type Query = Box<dyn FnOnce(&aurora_scheduler_core::Scheduler) -> Answer + Send>;

enum Work {
    Step(Vec<Op>, Vec<Effect>),
    Answer(Answer),
}

/// The log's thread: many steps with one sync, and then their effects.
fn write(
    mut log: impl Log,
    work: mpsc::Receiver<Work>,
    released: mpsc::Sender<Vec<Effect>>,
    written: &AtomicU64,
) {
    while let Ok(first) = work.recv() {
        let first = match first {
            Work::Answer(answer) => {
                answer();
                continue;
            }
            step @ Work::Step(..) => step,
        };
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(more) = work.try_recv()
        {
            group.push(more);
        }
        let mut steps = Vec::new();
        let mut then = Vec::new();
        for item in group {
            match item {
                Work::Step(ops, effects) => {
                    if !ops.is_empty() {
                        steps.push(ops);
                    }
                    then.push(Ok(effects));
                }
                Work::Answer(answer) => then.push(Err(answer)),
            }
        }
        if !steps.is_empty() {
            log.append(&steps).unwrap();
        }
        for item in then {
            match item {
                Ok(effects) => {
                    let _ = released.send(effects);
                    written.fetch_add(1, Ordering::Release);
                }
                Err(answer) => answer(),
            }
        }
    }
}

/// A core with its log.
struct Through {
    cluster: Cluster,
    work: mpsc::SyncSender<Work>,
    released: mpsc::Receiver<Vec<Effect>>,
    queries: Option<mpsc::Receiver<Query>>,
    /// How many steps have gone to the log, and how many of them are on disk.
    sent: u64,
    written: Arc<AtomicU64>,
    /// How long each step of the core took.
    steps: Vec<Duration>,
    /// Whether tasks report that they start and run.
    runs: bool,
    writer: Option<std::thread::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

/// The log is written to its end before its folder goes.
impl Drop for Through {
    fn drop(&mut self) {
        self.work = mpsc::sync_channel(0).0;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Through {
    fn new(cluster: Cluster) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (store, _) = Store::open(folder.path()).unwrap();
        let (work, to_write) = mpsc::sync_channel(UNWRITTEN);
        let (release, released) = mpsc::channel();
        let written = Arc::new(AtomicU64::new(0));
        let count = written.clone();
        let writer = Some(std::thread::spawn(move || write(store, to_write, release, &count)));
        Self {
            cluster,
            work,
            released,
            queries: None,
            sent: 0,
            written,
            steps: Vec::new(),
            runs: false,
            writer,
            _folder: folder,
        }
    }

    fn step(&mut self, input: Input) {
        let began = Instant::now();
        let step = self.cluster.put(input);
        self.steps.push(began.elapsed());
        if !step.ops.is_empty() || !step.effects.is_empty() {
            self.sent += 1;
            self.work.send(Work::Step(step.ops, step.effects)).unwrap();
        }
        if let Some(queries) = &self.queries {
            while let Ok(query) = queries.try_recv() {
                let answer = query(&self.cluster.scheduler);
                // As with the actor, the answer comes when what it may rest on is on disk.
                if self.written.load(Ordering::Acquire) == self.sent {
                    answer();
                } else {
                    self.work.send(Work::Answer(answer)).unwrap();
                }
            }
        }
    }

    /// Places jobs until so many tasks have been launched; gives how long it took.
    fn place(&mut self, mut jobs: impl Iterator<Item = JobConfiguration>, tasks: u64) -> Duration {
        let began = Instant::now();
        let start = self.cluster.now;
        let target = self.cluster.launched + tasks;
        let mut created = self.cluster.launched;
        let mut inputs: std::collections::VecDeque<Input> = Default::default();
        while self.cluster.launched < target {
            self.cluster.now =
                start.plus_ms(i64::try_from(began.elapsed().as_millis()).unwrap() + 1);
            if created < target
                && created < self.cluster.launched + JOBS_AT_ONCE * u64::from(JOB)
                && let Some(job) = jobs.next()
            {
                created += u64::from(job.instance_count);
                inputs.push_back(Cluster::create(job));
            }
            while let Ok(effects) = self.released.try_recv() {
                self.take(effects, &mut inputs);
            }
            inputs.extend(self.cluster.offers(500));
            if let Some(input) = inputs.pop_front() {
                self.step(input);
                continue;
            }
            if self.cluster.scheduler.next_wakeup().is_some_and(|at| at <= self.cluster.now) {
                self.step(Input::Wakeup);
                continue;
            }
            // Nothing to do until something has been written, or a timer is due.
            if let Ok(effects) = self.released.recv_timeout(Duration::from_millis(1)) {
                self.take(effects, &mut inputs);
            }
            assert!(
                began.elapsed() < Duration::from_secs(300),
                "{} of {target}",
                self.cluster.launched
            );
        }
        began.elapsed()
    }

    fn take(&mut self, effects: Vec<Effect>, inputs: &mut std::collections::VecDeque<Input>) {
        if self.runs {
            for effect in &effects {
                let Effect::Launch { tasks, .. } = effect else { continue };
                for state in [TaskState::Starting, TaskState::Running] {
                    inputs.extend(tasks.iter().map(|task| {
                        Input::Status(StatusUpdate {
                            task: task.task_id.clone(),
                            state,
                            agent: task.agent.as_ref().map(|(agent, _)| agent.clone()),
                            message: None,
                            reason: None,
                            uuid: Some(vec![7; 16]),
                        })
                    }));
                }
            }
        }
        inputs.extend(self.cluster.carry_out(effects));
    }
}

/// Fills a cluster without a log.
fn filled(agents: usize, tasks: u32, settings: Settings) -> Cluster {
    let mut cluster = Cluster::new(agents, machine(32), settings);
    for number in 0..tasks / JOB {
        let input =
            Cluster::create(job(&format!("role-{}", number % 100), &format!("old-{number}"), JOB));
        let step = cluster.put(input);
        let said = cluster.carry_out(step.effects);
        assert!(said.is_empty());
        cluster.settle();
    }
    assert_eq!(cluster.launched, u64::from(tasks));
    cluster
}

fn report(name: &str, placed: u64, took: Duration) {
    println!(
        "{name:<40} {:>8.0} a second ({placed} in {:.2} s)",
        placed as f64 / took.as_secs_f64(),
        took.as_secs_f64()
    );
}

fn jobs(change: impl Fn(u32, &mut JobConfiguration)) -> impl Iterator<Item = JobConfiguration> {
    (0..).map(move |number| {
        let mut job = job(&format!("role-{}", number % 10), &format!("new-{number}"), JOB);
        change(number, &mut job);
        job
    })
}

/// 50,000 tasks on 5,000 agents.
fn shapes(wanted: impl Fn(&str) -> bool) {
    type Change = fn(u32, &mut JobConfiguration);
    let shapes: [(&str, Change); 6] = [
        ("plain", |_, _| {}),
        ("rack-limit", |_, job| {
            job.task.constraints.insert(limit("rack", 10));
        }),
        ("host-limit-1", |_, job| {
            job.task.constraints.insert(limit("host", 1));
        }),
        ("value-constraint", |number, job| {
            let pool = format!("pool-{}", number as usize % cluster::POOLS);
            job.task.constraints.insert(value("pool", &pool));
        }),
        ("spread-preference", |_, job| {
            job.task.preferences.insert(aurora_model::job::Preference {
                attribute: "rack".into(),
                rule: aurora_model::job::PreferenceRule::Spread,
                weight: 1,
            });
        }),
        ("plain-and-running", |_, _| {}),
    ];
    for (name, change) in shapes {
        if !wanted(name) {
            continue;
        }
        let mut through = Through::new(Cluster::new(5_000, machine(32), settings()));
        through.runs = name == "plain-and-running";
        let took = through.place(jobs(change), 50_000);
        report(name, 50_000, took);
    }
}

/// 5,000 agents full of tasks that may be stopped; each of 10,000 new ones needs room made.
fn preempting() {
    let settings = Settings {
        preemption_delay_ms: 1,
        tiers: [("preemptible", true), ("preferred", false)]
            .map(|(name, preemptible)| (name.to_owned(), Tier { preemptible, revocable: false }))
            .into(),
        ..settings()
    };
    let mut cluster = Cluster::new(5_000, machine(10), settings);
    for number in 0..40 {
        let step = cluster.put(Cluster::create(job("old", &format!("old-{number}"), JOB)));
        cluster.carry_out(step.effects);
        cluster.settle();
    }
    assert_eq!(cluster.launched, 40_000);
    let killed = cluster.killed;
    let mut through = Through::new(cluster);
    let took = through.place(jobs(|_, job| job.task.tier = Some("preferred".into())), 10_000);
    let killed = through.cluster.killed - killed;
    assert!((10_000..=10_500).contains(&killed), "{killed} were stopped for 10,000");
    report("preempting", 10_000, took);
}

/// The rate at which the last 20,000 tasks come into a cluster.
fn scale(agents: usize, tasks: u32) -> f64 {
    let cluster = filled(agents, tasks - 20_000, settings());
    let mut through = Through::new(cluster);
    let took = through.place(jobs(|_, _| {}), 20_000);
    report(&format!("to {tasks} tasks on {agents} agents"), 20_000, took);
    20_000.0 / took.as_secs_f64()
}

/// How long questions wait at a million tasks while others are placed.
fn questions() {
    let cluster = filled(50_000, 900_000, settings());
    let mut through = Through::new(cluster);
    let (ask, queries) = mpsc::channel::<Query>();
    through.queries = Some(queries);
    let done = Arc::new(AtomicU64::new(0));
    let is_done = done.clone();
    let asking = std::thread::spawn(move || {
        let mut waits: [Vec<Duration>; 3] = Default::default();
        let mut number = 0_usize;
        while is_done.load(Ordering::Relaxed) == 0 {
            let kind = number % 3;
            let (tell, told) = mpsc::channel();
            let began = Instant::now();
            let query: Query = Box::new(move |scheduler| {
                let role = format!("role-{}", number % 100);
                let found = match kind {
                    0 => scheduler.jobs_page(&role, None, 100).len(),
                    1 => {
                        let key =
                            JobKey::new(&role, "prod", &format!("old-{}", number % 100)).unwrap();
                        scheduler.tasks(&TaskQuery::of_job(&key)).len()
                    }
                    _ => {
                        let hosts = [format!("host-{}.example.com", number % 50_000)].into();
                        scheduler.tasks(&TaskQuery { hosts, ..TaskQuery::default() }).len()
                    }
                };
                assert!(kind == 2 || found > 0);
                Box::new(move || {
                    let _ = tell.send(());
                })
            });
            if ask.send(query).is_err() {
                break;
            }
            if told.recv_timeout(Duration::from_secs(1)).is_ok() {
                waits[kind].push(began.elapsed());
            }
            number += 1;
            std::thread::sleep(Duration::from_millis(1));
        }
        waits
    });
    let took = through.place(jobs(|_, _| {}), 100_000);
    done.store(1, Ordering::Relaxed);
    report("to 1000000 tasks, being asked", 100_000, took);
    through.queries = None;
    through.steps.sort();
    let at = |share: f64| {
        through.steps[((through.steps.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3
    };
    println!(
        "{:<40} {:>5} steps: median {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        "a step of the core",
        through.steps.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    let names = ["a page of a role's jobs", "one job's tasks", "one agent's tasks"];
    for (name, mut waits) in names.into_iter().zip(asking.join().unwrap()) {
        waits.sort();
        let at =
            |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        println!(
            "{name:<40} {:>5} asked: median {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
            waits.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}

/// What a snapshot of a million tasks costs: to be written, and to begin with.
fn restore() {
    let cluster = filled(50_000, 1_000_000, settings());
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    let began = Instant::now();
    store.snapshot(cluster.scheduler.state()).unwrap();
    report("tasks written to a snapshot", 1_000_000, began.elapsed());
    drop(store);
    drop(cluster);
    let began = Instant::now();
    let (_store, state) = Store::open(folder.path()).unwrap();
    report("tasks read from a snapshot", 1_000_000, began.elapsed());
    assert_eq!(state.len(), 1_000_000);
}

/// The memory of tasks that run, of jobs with 1,000 instances.
fn memory() {
    let mut cluster = Cluster::new(10_000, machine(32), settings());
    cluster.settle();
    let mut before = 0;
    for number in 0..200 {
        if number == 100 {
            before = IN_USE.load(Ordering::Relaxed);
        }
        let step = cluster.put(Cluster::create(job("www", &format!("web-{number}"), JOB)));
        cluster.carry_out(step.effects);
        cluster.settle();
        let ids: Vec<_> = {
            let key = JobKey::new("www", "prod", &format!("web-{number}")).unwrap();
            cluster.scheduler.state().active_of(&key).map(|task| task.id().clone()).collect()
        };
        for state in [TaskState::Starting, TaskState::Running] {
            for task in &ids {
                let _ = cluster.put(Input::Status(StatusUpdate {
                    task: task.clone(),
                    state,
                    agent: None,
                    message: None,
                    reason: None,
                    uuid: None,
                }));
            }
        }
        cluster.forget();
    }
    let used = IN_USE.load(Ordering::Relaxed) - before;
    println!(
        "{:<40} {:>8.0} bytes for each of 100,000 tasks that run",
        "memory",
        used as f64 / 100_000.0
    );
    assert_eq!(cluster.now, Timestamp(1_000_000));
}

fn main() {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with("--bench")).collect();
    // `cargo test --benches` only asks whether it builds.
    if words.iter().any(|word| word == "--test") {
        return;
    }
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    shapes(wanted);
    if wanted("preempting") {
        preempting();
    }
    if wanted("memory") {
        memory();
    }
    if wanted("scale") {
        let small = scale(5_000, 50_000);
        let large = scale(50_000, 1_000_000);
        println!("{:<40} {:>8.0} % of the rate", "twenty times the cluster", large / small * 100.0);
    }
    if wanted("restore") {
        restore();
    }
    if wanted("questions") {
        questions();
    }
}
