use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as threads;

use aurora_model::job::{
    ExecutorConfig, JobConfiguration, MilliCpus, ResourceBag, TaskConfig, TaskResources, TaskState,
};
use aurora_model::key::{AgentId, FrameworkId, JobKey, OfferId, Role};
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::{Offer, Op, Request, Scope, Settings, State, TaskQuery, Ticket};
use aurora_scheduler_storage::{Snapshot, Store};
use futures::FutureExt;

use super::*;

/// How long something may take that is bound to come.
const DEADLINE: Duration = Duration::from_secs(20);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.unwrap()
}

/// A log in which a snapshot is always due and never works.
struct Full(Arc<AtomicU64>);

impl Log for Full {
    fn append(&mut self, _: &[Vec<Op>]) -> Result<(), StoreError> {
        Ok(())
    }

    fn check(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn begin_snapshot(&mut self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(StoreError::TooLarge { length: 0 })
    }

    fn end_snapshot(&mut self, written: Result<(), StoreError>) -> Result<(), StoreError> {
        written
    }

    fn replace(&mut self, _: &State) -> Result<(), StoreError> {
        Err(StoreError::SnapshotBegun)
    }

    fn since_snapshot(&self) -> u64 {
        u64::MAX
    }
}

fn key(name: &str) -> JobKey {
    JobKey::new("www", "prod", name).unwrap()
}

fn request(number: u64, request: Request) -> Input {
    Input::Request { ticket: Ticket(number), mark: None, user: "me".to_owned(), request }
}

fn kill(name: &str) -> Request {
    Request::KillTasks { job: key(name), instances: [].into(), message: None }
}

#[tokio::test]
async fn a_failed_snapshot_ends_nothing_and_is_not_tried_at_every_step() {
    let tries = Arc::new(AtomicU64::new(0));
    let stop = CancellationToken::new();
    let scheduler = Scheduler::new(Settings::default(), State::default());
    let log = Box::new(Full(tries.clone()));
    let mut running = start(scheduler, log, EventLog::new(1, 0, None), 1, stop.clone()).unwrap();
    for number in 0..100 {
        running.core.put(request(number, kill("web"))).await.unwrap();
        let reply = soon(running.effects.recv()).await.unwrap();
        assert!(
            matches!(reply[..], [Effect::Reply { ticket, .. }] if ticket == Ticket(number)),
            "{reply:?}"
        );
    }
    assert_eq!(tries.load(Ordering::Relaxed), 1);
    stop.cancel();
    assert!(soon(running.ended).await.unwrap().is_ok());
}

/// A log whose first snapshot is written by something that panics.
struct Fragile {
    has_panicked: bool,
}

struct FragileSnapshot {
    panics: bool,
}

impl Log for Fragile {
    fn append(&mut self, _: &[Vec<Op>]) -> Result<(), StoreError> {
        Ok(())
    }

    fn check(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn begin_snapshot(&mut self) -> Result<Box<dyn Snapshot>, StoreError> {
        let panics = !std::mem::replace(&mut self.has_panicked, true);
        Ok(Box::new(FragileSnapshot { panics }))
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

impl Snapshot for FragileSnapshot {
    fn write(&mut self, _: &State) -> Result<(), StoreError> {
        assert!(!self.panics, "a mistake in what writes snapshots");
        Ok(())
    }
}

#[tokio::test]
async fn a_panic_of_what_writes_a_snapshot_is_a_failure_and_the_next_one_is_written() {
    let stop = CancellationToken::new();
    let scheduler = Scheduler::new(Settings::default(), State::default());
    let log = Box::new(Fragile { has_panicked: false });
    let running = start(scheduler, log, EventLog::new(1, 0, None), 1, stop.clone()).unwrap();
    let error = soon(running.core.snapshot()).await.unwrap().unwrap_err();
    assert_eq!(error, "failed to write a snapshot: its thread panicked");
    assert_eq!(soon(running.core.snapshot()).await.unwrap(), Ok(()));
    stop.cancel();
    assert!(soon(running.ended).await.unwrap().is_ok());
}

/// A log that appends when it is let, and whose snapshots are written when they are let.
struct Held {
    store: Store,
    append: threads::Receiver<()>,
    write: Arc<Mutex<threads::Receiver<()>>>,
}

struct HeldSnapshot(Box<dyn Snapshot>, Arc<Mutex<threads::Receiver<()>>>);

impl Log for Held {
    fn append(&mut self, steps: &[Vec<Op>]) -> Result<(), StoreError> {
        // Whoever lets it go has gone: the test has failed or is over.
        let _ = self.append.recv();
        self.store.append(steps)
    }

    fn check(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn begin_snapshot(&mut self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(HeldSnapshot(self.store.begin_snapshot()?, self.write.clone())))
    }

    fn end_snapshot(&mut self, written: Result<(), StoreError>) -> Result<(), StoreError> {
        self.store.end_snapshot(written)
    }

    fn replace(&mut self, state: &State) -> Result<(), StoreError> {
        self.store.replace(state)
    }

    fn since_snapshot(&self) -> u64 {
        self.store.since_snapshot()
    }
}

impl Snapshot for HeldSnapshot {
    fn write(&mut self, state: &State) -> Result<(), StoreError> {
        let _ = self.1.lock().unwrap().recv();
        self.0.write(state)
    }
}

/// A scheduler whose log is held back.
struct World {
    core: Core,
    effects: mpsc::Receiver<Vec<Effect>>,
    events: EventLog,
    append: threads::Sender<()>,
    write: threads::Sender<()>,
    ended: oneshot::Receiver<Result<Ending, StoreError>>,
    stop: CancellationToken,
    folder: tempfile::TempDir,
    tickets: u64,
}

type Asked<T> = Pin<Box<dyn Future<Output = Result<T, Ended>> + Send>>;

impl World {
    fn new() -> Self {
        let state = populated();
        let folder = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(folder.path()).unwrap();
        store.append(&[state.to_ops().collect()]).unwrap();
        let (append, may_append) = threads::channel();
        let (write, may_write) = threads::channel();
        let log = Held { store, append: may_append, write: Arc::new(Mutex::new(may_write)) };
        let stop = CancellationToken::new();
        let events = EventLog::new(1000, state.version(), None);
        let scheduler = Scheduler::new(Settings::default(), state);
        let Running { core, effects, ended } =
            start(scheduler, Box::new(log), events.clone(), 1, stop.clone()).unwrap();
        Self { core, effects, events, append, write, ended, stop, folder, tickets: 100 }
    }

    /// Puts a request, and waits until the core has handled it; of the log there is nothing.
    async fn request(&mut self, what: Request) {
        self.tickets += 1;
        let before = self.core.ask_of(|s| (s.state().version(), 0));
        let before = soon(before).await.unwrap().0;
        self.core.put(request(self.tickets, what)).await.unwrap();
        let handled = async {
            while self.core.ask_of(|s| (s.state().version(), 0)).await.unwrap().0 == before {
                tokio::task::yield_now().await;
            }
        };
        soon(handled).await;
        assert!(self.effects.try_recv().is_err(), "nothing is told before it is durable");
    }

    /// Lets the log append once, which brings the reply.
    async fn let_go(&mut self) {
        self.append.send(()).unwrap();
        let wanted = Ticket(self.tickets);
        let reply = async {
            loop {
                let effects = self.effects.recv().await.unwrap();
                let is_it = |effect: &Effect| matches!(effect, Effect::Reply { ticket, .. } if *ticket == wanted);
                if effects.iter().any(is_it) {
                    return;
                }
            }
        };
        soon(reply).await;
    }

    /// What is asked has been looked at, and its answer is not told.
    async fn waits<T>(&self, mut asked: Asked<T>) -> Asked<T> {
        assert!(asked.as_mut().now_or_never().is_none());
        // This comes after it, and rests on nothing.
        soon(self.core.ask_of(|_| ((), 0))).await.unwrap();
        assert!(asked.as_mut().now_or_never().is_none(), "it is told before it is durable");
        asked
    }

    fn tasks(&self, query: TaskQuery) -> Asked<Vec<TaskState>> {
        let core = self.core.clone();
        Box::pin(async move {
            let found = core.tasks(&Arc::new(query), None, 10).await?.found;
            Ok(found.iter().map(|found| found.task.state).collect())
        })
    }

    fn tasks_of(&self, key: &JobKey) -> Asked<Vec<TaskState>> {
        self.tasks(TaskQuery::of_job(key))
    }

    fn tasks_on(&self, host: &str) -> Asked<Vec<TaskState>> {
        self.tasks(TaskQuery { hosts: [host.to_owned()].into(), ..Default::default() })
    }

    fn jobs(&self, role: &'static str) -> Asked<usize> {
        let core = self.core.clone();
        Box::pin(async move { Ok(core.jobs(role, None, 10, true).await?.found.len()) })
    }

    fn job(&self, key: &JobKey) -> Asked<(bool, u64)> {
        let (core, key) = (self.core.clone(), key.clone());
        Box::pin(async move {
            let (job, version) = core.job(key).await?;
            Ok((job.is_some(), version))
        })
    }

    fn all(&self) -> Asked<()> {
        let core = self.core.clone();
        Box::pin(async move { core.ask(|_| ()).await })
    }

    async fn end(self) -> tempfile::TempDir {
        self.stop.cancel();
        drop(self.append);
        soon(self.ended).await.unwrap().unwrap();
        self.folder
    }
}

pub(crate) fn job(key: &JobKey) -> JobConfiguration {
    let resources = TaskResources {
        cpus: MilliCpus(1000),
        ram_mb: 100,
        disk_mb: 100,
        ..TaskResources::default()
    };
    let task = TaskConfig {
        is_service: true,
        executor: Some(ExecutorConfig { name: "AuroraExecutor".into(), data: "{}".into() }),
        ..TaskConfig::plain(key.clone(), "me", resources)
    };
    JobConfiguration::unscheduled(task, 1)
}

fn offer(number: u64) -> Offer {
    let host = format!("host{number}");
    Offer {
        id: OfferId::new(format!("offer{number}")).unwrap(),
        agent: AgentId::new(format!("agent{number}")).unwrap(),
        attributes: [("host".to_owned(), [host.clone()].into())].into(),
        host,
        address: "10.0.0.1:5051".to_owned(),
        fixed: ResourceBag {
            cpus: MilliCpus(1500),
            ram_mb: 1000,
            disk_mb: 1000,
            ..Default::default()
        },
        revocable: ResourceBag::default(),
        ports: Vec::new(),
        unavailable_from: None,
    }
}

fn other() -> JobKey {
    JobKey::new("ops", "prod", "other").unwrap()
}

fn waiting() -> JobKey {
    JobKey::new("dev", "prod", "waiting").unwrap()
}

/// Of each of three roles a job: the first on host1, the second on host2, the third waits.
fn populated() -> State {
    let mut scheduler = Scheduler::new(Settings::default(), State::default());
    let mut at = 1_000_000;
    let mut put = |input| {
        at += 1;
        let _ = scheduler.handle(Timestamp(at), input);
    };
    put(Input::Started { seed: 1 });
    put(Input::Registered { framework_id: FrameworkId::new("F").unwrap() });
    for (number, key) in (1..).zip([key("web"), other(), waiting()]) {
        put(request(number, Request::CreateJob(Box::new(job(&key)))));
        if number < 3 {
            put(Input::Offers(vec![offer(number)]));
        }
    }
    let counts = scheduler.state().counts();
    assert_eq!((counts[&TaskState::Assigned], counts[&TaskState::Pending]), (2, 1));
    scheduler.state().clone()
}

#[tokio::test]
async fn an_answer_waits_for_what_it_rests_on_and_for_nothing_else() {
    let mut world = World::new();
    let durable = world.events.version();
    world.request(kill("web")).await;
    let job = world.waits(world.job(&key("web"))).await;
    let tasks = world.waits(world.tasks_of(&key("web"))).await;
    let role =
        world.waits(world.tasks(TaskQuery { role: "www".into(), ..Default::default() })).await;
    let jobs = world.waits(world.jobs("www")).await;
    let host = world.waits(world.tasks_on("host1")).await;
    let all = world.waits(world.all()).await;
    let every = world.waits(world.jobs("")).await;
    // Why a task waits may be because of any other.
    let reason = world.waits(world.tasks_of(&waiting())).await;
    // What was not touched is told at once, and as of what is durable.
    assert_eq!(soon(world.job(&other())).await, Ok((true, durable)));
    assert_eq!(soon(world.job(&waiting())).await, Ok((true, durable)));
    assert_eq!(soon(world.tasks_of(&other())).await, Ok(vec![TaskState::Assigned]));
    assert_eq!(soon(world.jobs("ops")).await, Ok(1));
    assert_eq!(soon(world.tasks_on("host2")).await, Ok(vec![TaskState::Assigned]));
    assert_eq!(soon(world.tasks_on("host9")).await, Ok(vec![]));
    assert_eq!(
        soon(world.job(&JobKey::new("ops", "prod", "none").unwrap())).await,
        Ok((false, durable))
    );
    assert_eq!(soon(world.jobs("nobody")).await, Ok(0));
    world.let_go().await;
    let (found, version) = soon(job).await.unwrap();
    assert!(found && version > durable && version <= world.events.version());
    assert_eq!(soon(tasks).await, Ok(vec![TaskState::Killing]));
    assert_eq!(soon(role).await, Ok(vec![TaskState::Killing]));
    assert_eq!(soon(host).await, Ok(vec![TaskState::Killing]));
    assert_eq!(soon(reason).await, Ok(vec![TaskState::Pending]));
    assert_eq!((soon(jobs).await, soon(every).await, soon(all).await), (Ok(1), Ok(3), Ok(())));
    world.end().await;
}

#[tokio::test]
async fn nobody_is_told_that_something_is_gone_before_that_is_durable() {
    let mut world = World::new();
    let durable = world.events.version();
    let query = Arc::new(TaskQuery::of_job(&waiting()));
    let found = soon(world.core.tasks(&query, None, 10)).await.unwrap().found;
    let id = found[0].task.id().clone();
    let gone = Request::KillTasks { job: waiting(), instances: [].into(), message: None };
    world.request(gone).await;
    let job = world.waits(world.job(&waiting())).await;
    let tasks = world.waits(world.tasks_of(&waiting())).await;
    let jobs = world.waits(world.jobs("dev")).await;
    let (core, wanted) = (world.core.clone(), id.clone());
    let named: Asked<bool> = Box::pin(async move {
        let found = core.tasks_now(vec![wanted], &Arc::new(TaskQuery::default())).await?;
        Ok(found[0].1.is_none())
    });
    let named = world.waits(named).await;
    let listed = TaskQuery { task_ids: [id].into(), ..Default::default() };
    let listed = world.waits(world.tasks(listed)).await;
    assert_eq!(soon(world.job(&other())).await, Ok((true, durable)));
    assert_eq!(soon(world.jobs("www")).await, Ok(1));
    world.let_go().await;
    let (found, version) = soon(job).await.unwrap();
    assert!(!found && version > durable);
    assert_eq!((soon(jobs).await, soon(named).await), (Ok(0), Ok(true)));
    assert_eq!((soon(tasks).await, soon(listed).await), (Ok(vec![]), Ok(vec![])));
    world.end().await;
}

#[tokio::test]
async fn a_quota_waits_with_its_role() {
    let mut world = World::new();
    let role = Role::new("www").unwrap();
    let quota = ResourceAggregate { cpus: MilliCpus(5000), ..Default::default() };
    world.request(Request::SetQuota { role, quota }).await;
    let core = world.core.clone();
    let quota_of = move |role: &'static str| -> Asked<bool> {
        let core = core.clone();
        Box::pin(async move {
            let is_set = core.ask_of(move |s| {
                (s.role_quota(role).set.is_some(), s.state().touched(Scope::Role(role)))
            });
            is_set.await.map(|(is_set, _)| is_set)
        })
    };
    let mine = world.waits(quota_of("www")).await;
    assert_eq!(soon(quota_of("ops")).await, Ok(false));
    world.let_go().await;
    assert_eq!(soon(mine).await, Ok(true));
    world.end().await;
}

#[tokio::test]
async fn who_asks_is_told_when_the_log_ends() {
    let mut world = World::new();
    world.request(kill("web")).await;
    let job = world.waits(world.job(&key("web"))).await;
    world.stop.cancel();
    drop(world.append);
    soon(world.ended).await.unwrap().unwrap();
    // It was written to its end, so it may be told.
    assert!(soon(job).await.is_ok());
    assert_eq!(soon(world.core.ask(|_| ())).await, Err(Ended));
}

#[tokio::test]
async fn steps_are_written_while_a_snapshot_is() {
    let mut world = World::new();
    let core = world.core.clone();
    let mut first: Asked<_> = Box::pin(async move { core.snapshot().await });
    assert!(first.as_mut().now_or_never().is_none());
    world.request(kill("web")).await;
    world.let_go().await;
    // One that is asked for meanwhile is of a later state: it is written after the first.
    let core = world.core.clone();
    let mut second: Asked<_> = Box::pin(async move { core.snapshot().await });
    assert!(second.as_mut().now_or_never().is_none());
    let gone = Request::KillTasks { job: other(), instances: [].into(), message: None };
    world.request(gone).await;
    world.let_go().await;
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    let expected = soon(world.core.ask(|s| s.state().clone())).await.unwrap();
    world.write.send(()).unwrap();
    assert_eq!(soon(first).await, Ok(Ok(())));
    assert!(second.as_mut().now_or_never().is_none());
    world.write.send(()).unwrap();
    assert_eq!(soon(second).await, Ok(Ok(())));
    let folder = world.end().await;
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 3, "the lock, the second snapshot, and the segment after it");
    assert_eq!(Store::open(folder.path()).unwrap().1, expected);
}
