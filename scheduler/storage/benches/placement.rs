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
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    unsafe_code,
    reason = "a benchmark: it reads clocks, counts memory, and ends at whatever goes wrong"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use aurora_model::job::{JobConfiguration, TaskState, Timestamp};
use aurora_model::key::{AgentId, JobKey};
use aurora_scheduler_core::{
    Effect, Input, Op, Scheduler, Scope, Settings, State, StatusUpdate, Step, TaskQuery, Tier,
};
use aurora_scheduler_storage::{Log, Snapshot, Store, StoreError};

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

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        IN_USE.fetch_add(size as i64 - layout.size() as i64, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
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

/// Tells an answer; is told whether it had to wait for the log.
type Answer = Box<dyn FnOnce(bool) + Send>;
/// Gives the version that the answer rests on, and the answer.
type Query = Box<dyn FnOnce(&Scheduler) -> (u64, Answer) + Send>;

struct Work {
    ops: Vec<Op>,
    effects: Vec<Effect>,
    version: u64,
}

/// The version up to which everything is durable, and the answers that wait for a later one, as the
/// actor has them.
#[derive(Default)]
struct Answers(Mutex<(u64, BTreeMap<u64, Vec<Answer>>)>);

impl Answers {
    fn tell(&self, rests_on: u64, answer: Answer) {
        let mut inner = self.0.lock().unwrap();
        if inner.0 < rests_on {
            inner.1.entry(rests_on).or_default().push(answer);
            return;
        }
        drop(inner);
        answer(false);
    }

    fn release(&self, version: u64) {
        let mut inner = self.0.lock().unwrap();
        inner.0 = version;
        let later = inner.1.split_off(&(version + 1));
        let due = std::mem::replace(&mut inner.1, later);
        drop(inner);
        due.into_values().flatten().for_each(|answer| answer(true));
    }
}

/// The log's thread: many steps with one sync, and then their effects.
fn write(
    mut log: impl Log,
    work: mpsc::Receiver<Work>,
    released: mpsc::Sender<Vec<Effect>>,
    answers: &Answers,
) {
    while let Ok(first) = work.recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(more) = work.try_recv()
        {
            group.push(more);
        }
        let mut steps = Vec::new();
        let mut then = Vec::new();
        let mut last = 0;
        for Work { ops, effects, version } in group {
            if !ops.is_empty() {
                steps.push(ops);
            }
            then.push(effects);
            last = version;
        }
        if !steps.is_empty() {
            log.append(&steps).unwrap();
        }
        for effects in then {
            let _ = released.send(effects);
        }
        answers.release(last);
    }
}

/// A log on a disk that takes so long for each append, whatever is in it.
struct Slow(Duration);

impl Log for Slow {
    fn append(&mut self, _: &[Vec<Op>]) -> Result<(), StoreError> {
        std::thread::sleep(self.0);
        Ok(())
    }

    fn check(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn begin_snapshot(&mut self) -> Result<Box<dyn Snapshot>, StoreError> {
        Err(StoreError::NoSnapshot)
    }

    fn end_snapshot(&mut self, written: Result<(), StoreError>) -> Result<(), StoreError> {
        written
    }

    fn replace(&mut self, _: &State) -> Result<(), StoreError> {
        Err(StoreError::SnapshotBegun)
    }

    fn since_snapshot(&self) -> u64 {
        0
    }
}

#[repr(C)]
#[derive(Default)]
struct Timespec {
    seconds: i64,
    nanos: i64,
}

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

/// How long this thread has been on a processor: what others keep it waiting for does not count.
fn own_time() -> Duration {
    const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
    let mut time = Timespec::default();
    // SAFETY: the structure is that of 64-bit Linux, and outlives the call.
    let failed = unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0);
    Duration::new(time.seconds as u64, time.nanos as u32)
}

/// A core with its log.
struct Through {
    cluster: Cluster,
    work: mpsc::SyncSender<Work>,
    released: mpsc::Receiver<Vec<Effect>>,
    queries: Option<mpsc::Receiver<Query>>,
    answers: Arc<Answers>,
    /// How long each step of the core took, and how much of that it was on a processor, by what it was
    /// given.
    steps: BTreeMap<&'static str, Vec<(Duration, Duration)>>,
    /// Whether tasks report that they start and run.
    runs: bool,
    writer: Option<std::thread::JoinHandle<()>>,
    _folder: Option<tempfile::TempDir>,
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
        Self::over(cluster, store, Some(folder))
    }

    fn over(cluster: Cluster, log: impl Log + 'static, folder: Option<tempfile::TempDir>) -> Self {
        let (work, to_write) = mpsc::sync_channel(UNWRITTEN);
        let (release, released) = mpsc::channel();
        let answers = Arc::new(Answers::default());
        // What the cluster was filled with counts as durable.
        answers.release(cluster.scheduler.state().version());
        let due = answers.clone();
        let writer = Some(std::thread::spawn(move || write(log, to_write, release, &due)));
        Self {
            cluster,
            work,
            released,
            queries: None,
            answers,
            steps: BTreeMap::new(),
            runs: false,
            writer,
            _folder: folder,
        }
    }

    fn step(&mut self, input: Input) {
        let what = match &input {
            Input::Request { .. } => "of that, one that creates a job",
            Input::Offers(_) => "of that, one that is given offers",
            _ => "of that, one of another kind",
        };
        let (began, own) = (Instant::now(), own_time());
        let Step { ops, effects, .. } = self.cluster.put(input);
        let took = (began.elapsed(), own_time() - own);
        self.steps.entry(what).or_default().push(took);
        if !ops.is_empty() || !effects.is_empty() {
            let version = self.cluster.scheduler.state().version();
            self.work.send(Work { ops, effects, version }).unwrap();
        }
        self.answer();
    }

    /// As with the actor, an answer comes when what it rests on is on disk.
    fn answer(&self) {
        let Some(queries) = &self.queries else { return };
        while let Ok(query) = queries.try_recv() {
            let (rests_on, answer) = query(&self.cluster.scheduler);
            self.answers.tell(rests_on, answer);
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
            self.answer();
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

/// A job that is there before anything is measured.
fn old_job(number: u32) -> JobConfiguration {
    job(&format!("role-{}", number % 100), &format!("old-{number}"), JOB)
}

/// Fills a cluster without a log.
fn filled(agents: usize, tasks: u32, settings: Settings) -> Cluster {
    let mut cluster = Cluster::new(agents, machine(32), settings);
    for number in 0..tasks / JOB {
        let step = cluster.put(Cluster::create(old_job(number)));
        let said = cluster.carry_out(step.effects);
        assert!(said.is_empty());
        cluster.settle();
    }
    assert_eq!(cluster.launched, u64::from(tasks));
    cluster
}

fn report(name: &str, placed: u64, took: Duration) {
    println!(
        "{name:<50} {:>8.0} a second ({placed} in {:.2} s)",
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
    let own: Duration = through.steps.values().flatten().map(|(_, own)| *own).sum();
    report("  of the core's own time", 20_000, own);
    20_000.0 / took.as_secs_f64()
}

/// How many of them there are, half, 99 of 100, and the longest, in milliseconds.
fn shares(times: &mut [Duration]) -> String {
    times.sort();
    let Some(last) = times.len().checked_sub(1) else { return "0 times".to_owned() };
    let at = |share: f64| times[(last as f64 * share) as usize].as_secs_f64() * 1e3;
    let (half, most, longest) = (at(0.5), at(0.99), at(1.0));
    format!(
        "{:>5} times: median {half:.2} ms, p99 {most:.2} ms, longest {longest:.2} ms",
        times.len()
    )
}

/// How many tasks a large cluster has.
const MILLION: u32 = 1_000_000;
/// How many more are placed while questions are asked.
const ASKED: u32 = 200_000;

/// What is asked, in turn.
const QUESTIONS: [&str; 3] = ["a page of a role's jobs", "one job's tasks", "one agent's tasks"];

/// A question about what a number stands for.
fn question(number: usize, scheduler: &Scheduler) -> u64 {
    let state = scheduler.state();
    let role = format!("role-{}", number % 100);
    match number % QUESTIONS.len() {
        0 => {
            assert!(!scheduler.jobs_page(&role, None, 100).is_empty());
            state.touched(Scope::Role(&role))
        }
        1 => {
            let key = JobKey::new(&role, "prod", &format!("old-{}", number % 100)).unwrap();
            assert!(!scheduler.tasks(&TaskQuery::of_job(&key)).is_empty());
            state.touched(Scope::Job(&key))
        }
        _ => {
            let hosts = [format!("host-{}.example.com", number % 50_000)].into();
            let query = TaskQuery { hosts, ..TaskQuery::default() };
            let _ = scheduler.tasks(&query);
            scheduler.tasks_touched(&query)
        }
    }
}

/// How long questions wait at a million tasks while others are placed: those about what rests, and
/// those about what is just being placed.
fn questions() {
    let cluster = filled(50_000, MILLION, settings());
    let mut through = Through::new(cluster);
    let (ask, queries) = mpsc::channel::<Query>();
    through.queries = Some(queries);
    let done = Arc::new(AtomicU64::new(0));
    let is_done = done.clone();
    let asking = std::thread::spawn(move || {
        let mut waits: [(Vec<Duration>, Vec<Duration>); 3] = Default::default();
        let mut number = 0_usize;
        while is_done.load(Ordering::Relaxed) == 0 {
            let (tell, told) = mpsc::channel();
            let began = Instant::now();
            let query: Query = Box::new(move |scheduler| {
                let answer: Answer = Box::new(move |waited| {
                    let _ = tell.send(waited);
                });
                (question(number, scheduler), answer)
            });
            if ask.send(query).is_err() {
                break;
            }
            if let Ok(waited) = told.recv_timeout(Duration::from_secs(1)) {
                let (all, of_log) = &mut waits[number % QUESTIONS.len()];
                all.push(began.elapsed());
                if waited {
                    of_log.push(began.elapsed());
                }
            }
            number += 1;
            std::thread::sleep(Duration::from_millis(1));
        }
        waits
    });
    let took = through.place(jobs(|_, _| {}), u64::from(ASKED));
    done.store(1, Ordering::Relaxed);
    report(&format!("to {} tasks, being asked", MILLION + ASKED), u64::from(ASKED), took);
    through.queries = None;
    let (mut steps, mut own): (Vec<_>, Vec<_>) = through.steps.values().flatten().copied().unzip();
    println!("{:<50} {}", "a step of the core", shares(&mut steps));
    println!("{:<50} {}", "a step of the core, on a processor", shares(&mut own));
    for (what, steps) in &through.steps {
        let mut own: Vec<_> = steps.iter().map(|(_, own)| *own).collect();
        println!("{:<50} {}", what, shares(&mut own));
    }
    for (name, (mut all, mut of_log)) in QUESTIONS.into_iter().zip(asking.join().unwrap()) {
        println!("{:<50} {}", name, shares(&mut all));
        println!("{:<50} {}", format!("{name}, for the log"), shares(&mut of_log));
    }
}

/// A thousand tasks report that they run, and the log takes so long for each append.
fn statuses() {
    for latency in [5, 25, 100] {
        let mut cluster = Cluster::new(100, machine(32), settings());
        let step = cluster.put(Cluster::create(job("www", "web", JOB)));
        cluster.carry_out(step.effects);
        cluster.settle();
        let tasks: Vec<_> =
            cluster.scheduler.state().tasks().map(|task| task.assigned.clone()).collect();
        let mut through = Through::over(cluster, Slow(Duration::from_millis(latency)), None);
        let began = Instant::now();
        for task in tasks {
            through.step(Input::Status(StatusUpdate {
                task: task.task_id,
                state: TaskState::Running,
                agent: task.agent.map(|(agent, _)| agent),
                message: None,
                reason: None,
                uuid: Some(vec![7; 16]),
            }));
        }
        let acknowledged = || {
            let effects = through.released.recv().unwrap();
            effects.iter().filter(|effect| matches!(effect, Effect::Acknowledge { .. })).count()
        };
        let mut left = JOB as usize;
        while left > 0 {
            left -= acknowledged();
        }
        let counts = through.cluster.scheduler.state().counts();
        assert_eq!(counts[&TaskState::Running], u64::from(JOB));
        let name = format!("statuses, a log of {latency} ms");
        report(&name, u64::from(JOB), began.elapsed());
    }
}

/// What a snapshot of a million tasks costs: to be made, to be written, the log meanwhile, and to
/// begin with.
fn restore() {
    let cluster = filled(50_000, MILLION, settings());
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    let began = Instant::now();
    let frozen = cluster.scheduler.state().frozen();
    println!("{:<50} {}", "a state is frozen", shares(&mut [began.elapsed()]));
    let step = vec![vec![Op::PutHost {
        name: "host".into(),
        agent: AgentId::new("agent").unwrap(),
        address: "10.0.0.1:5051".into(),
        attributes: [("data".to_owned(), ["x".repeat(100_000)].into())].into(),
    }]];
    let append = |store: &mut Store| {
        let began = Instant::now();
        store.append(&step).unwrap();
        began.elapsed()
    };
    let mut alone: Vec<Duration> = (0..200).map(|_| append(&mut store)).collect();
    println!("{:<50} {}", "an append of 100 kB", shares(&mut alone));
    let began = Instant::now();
    let mut snapshot = store.begin_snapshot().unwrap();
    let writing = std::thread::spawn(move || {
        let written = snapshot.write(&frozen);
        (written, began.elapsed())
    });
    let mut beside = Vec::new();
    while !writing.is_finished() {
        beside.push(append(&mut store));
    }
    let (written, took) = writing.join().unwrap();
    report("tasks written to a snapshot", MILLION.into(), took);
    println!("{:<50} {}", "an append of 100 kB beside it", shares(&mut beside));
    let began = Instant::now();
    store.end_snapshot(written).unwrap();
    println!("{:<50} {}", "a snapshot is ended", shares(&mut [began.elapsed()]));
    drop(store);
    drop(cluster);
    let began = Instant::now();
    let (_store, state) = Store::open(folder.path()).unwrap();
    report("tasks read from a snapshot", MILLION.into(), began.elapsed());
    assert_eq!(state.len(), MILLION as usize);
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
        "{:<50} {:>8.0} bytes for each of 100,000 tasks that run",
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
        let large = scale(50_000, MILLION);
        println!("{:<50} {:>8.0} % of the rate", "twenty times the cluster", large / small * 100.0);
    }
    if wanted("statuses") {
        statuses();
    }
    if wanted("restore") {
        restore();
    }
    if wanted("questions") {
        questions();
    }
}
