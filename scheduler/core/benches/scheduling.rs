//! What the core itself costs: the shapes of the original's benchmarks (`api-and-http.md` 9), with
//! what those measured by accident measured on purpose, and those of kube-scheduler's.
//!
//! ```text
//! cargo bench -p aurora-scheduler-core
//! ```
//!
//! There is no log here: see `placement` of `aurora-scheduler-storage` for what is durable.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark that cannot run ends")]

#[allow(dead_code, reason = "the benchmark of the log uses the rest")]
mod cluster;
#[allow(dead_code, reason = "the benchmark of snapshots uses the rest")]
mod updates;

use aurora_model::job::{JobConfiguration, MilliCpus, ResourceBag, TaskState};
use aurora_model::key::JobKey;
use aurora_model::update::UpdateKey;
use aurora_scheduler_core::{
    Effect, Input, Op, Request, Scheduler, Settings, State, StatusUpdate, TaskQuery, Ticket, Tier,
};
use cluster::{Cluster, job, limit, machine, settings, value};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

/// A host of the original's benchmarks: one of its tasks fills it.
fn original_host() -> ResourceBag {
    ResourceBag {
        cpus: MilliCpus(8000),
        ram_mb: 16 * 1024,
        disk_mb: 256 * 1024,
        ..ResourceBag::default()
    }
}

/// A task of the original's benchmarks.
fn original_job(role: &str, name: &str, instances: u32, tier: &str) -> JobConfiguration {
    let mut job = job(role, name, instances);
    job.task.tier = Some(tier.to_owned());
    job.task.resources.cpus = MilliCpus(6000);
    job.task.resources.ram_mb = 8 * 1024;
    job.task.resources.disk_mb = 128 * 1024;
    job
}

fn run(cluster: &mut Cluster, job: JobConfiguration) {
    let step = cluster.put(Cluster::create(job));
    cluster.carry_out(step.effects);
    cluster.settle();
}

/// Hosts of which a share, in percent, is filled with production tasks of the same role, and another
/// with preemptible ones of another role.
fn original(hosts: u32, siblings: u32, victims: u32) -> Cluster {
    let mut cluster = Cluster::new(hosts as usize, original_host(), settings());
    cluster.settle();
    for (role, name, share, tier) in
        [("jmh", "sibling", siblings, "preferred"), ("victim", "victim", victims, "preemptible")]
    {
        let instances = hosts * share / 100;
        if instances > 0 {
            run(&mut cluster, original_job(role, name, instances, tier));
        }
    }
    cluster
}

fn waiting(change: impl Fn(&mut JobConfiguration)) -> JobConfiguration {
    let mut job = original_job("jmh", "benchmark", 1, "preferred");
    change(&mut job);
    job
}

/// Ten new tasks each time, in a cluster that fills as it runs.
#[divan::bench(args = [5_000, 200_000], max_time = 5)]
fn fill_cluster(bencher: Bencher<'_, '_>, hosts: u32) {
    let mut cluster = original(hosts, 1, 1);
    let mut number = 0;
    bencher.counter(ItemsCount::new(10_u32)).bench_local(|| {
        number += 1;
        let job = original_job("jmh", &format!("job-{number}"), 10, "preferred");
        let step = cluster.put(Cluster::create(job));
        cluster.carry_out(step.effects)
    });
}

/// A task that fits nowhere, when it first looks: every offer is looked at.
#[divan::bench(args = ["resources", "value", "limit"], max_time = 2)]
fn mismatch_cold(bencher: Bencher<'_, '_>, what: &str) {
    let mut cluster = original(1_000, 25, 25);
    let mut number = 0;
    bencher.bench_local(|| {
        number += 1;
        let mut job = mismatched(what);
        job.key = JobKey::new("jmh", "prod", &format!("job-{number}")).unwrap();
        job.task.job = job.key.clone();
        let key = job.key.clone();
        let _ = black_box(cluster.put(Cluster::create(job)));
        kill(&mut cluster, key);
    });
}

fn mismatched(what: &str) -> JobConfiguration {
    waiting(|job| match what {
        "resources" => job.task.resources.cpus = MilliCpus(32_000),
        "value" => drop(job.task.constraints.insert(value("host", "denied"))),
        _ => drop(job.task.constraints.insert(limit("host", 0))),
    })
}

fn kill(cluster: &mut Cluster, job: JobKey) {
    let step = cluster.put(Input::Request {
        ticket: Ticket(0),
        mark: None,
        user: "bench".into(),
        request: Request::KillTasks { job, instances: [].into(), message: None },
    });
    cluster.carry_out(step.effects);
}

/// The same when one offer has changed since it last looked.
#[divan::bench(args = ["resources", "value", "limit"], max_time = 2)]
fn mismatch_warm(bencher: Bencher<'_, '_>, what: &str) {
    let mut cluster = original(1_000, 25, 25);
    let step = cluster.put(Cluster::create(mismatched(what)));
    cluster.carry_out(step.effects);
    bencher.with_inputs(|| ()).bench_local_values(|()| {
        cluster.offer_again();
        for input in cluster.offers(1) {
            let _ = black_box(cluster.put(input));
        }
    });
}

/// A task that is created when nothing is on offer.
#[divan::bench(max_time = 2)]
fn full_cluster(bencher: Bencher<'_, '_>) {
    let mut cluster = original(10_000, 10, 90);
    let mut number = 0;
    bencher.bench_local(|| {
        number += 1;
        let job = original_job("jmh", &format!("job-{number}"), 1, "preferred");
        let key = job.key.clone();
        let _ = black_box(cluster.put(Cluster::create(job)));
        kill(&mut cluster, key);
    });
}

/// A search for room on all hosts: in vain, and with success for each of the tasks.
#[divan::bench(args = [("in vain", 1), ("in vain", 10), ("in vain", 100), ("in vain", 1000),
    ("found", 1), ("found", 10), ("found", 100), ("found", 1000)], max_time = 5)]
fn preemptor(bencher: Bencher<'_, '_>, (what, tasks): (&str, u32)) {
    bencher
        .with_inputs(|| {
            let mut cluster = original(10_000, 10, 90);
            let mut job = original_job("jmh", "benchmark", tasks, "preferred");
            if what == "in vain" {
                job.task.constraints.insert(value("host", "denied"));
            }
            let _ = cluster.put(Cluster::create(job));
            cluster.now = cluster.now.plus_ms(3 * 60_000);
            cluster
        })
        .bench_local_values(|mut cluster| {
            // Each wakeup makes room for a few.
            let mut made = 0;
            for _ in 0..tasks.div_ceil(5) {
                let step = cluster.put(Input::Wakeup);
                let kills =
                    step.effects.iter().filter(|effect| matches!(effect, Effect::Kill { .. }));
                made += u32::try_from(kills.count()).unwrap();
                cluster.now = cluster.now.plus_ms(1);
            }
            assert_eq!(made, if what == "found" { tasks } else { 0 });
            cluster
        });
}

/// A job of so many instances is created; nothing is on offer.
#[divan::bench(args = [1_000, 10_000, 50_000], max_time = 5)]
fn insert_pending(bencher: Bencher<'_, '_>, instances: u32) {
    bencher
        .counter(ItemsCount::new(instances))
        .with_inputs(|| (Cluster::new(1, machine(1), settings()), job("jmh", "job", instances)))
        .bench_local_values(|(mut cluster, job)| {
            let step = cluster.put(Cluster::create(job));
            (cluster, step)
        });
}

/// So many waiting tasks are killed, which forgets them.
#[divan::bench(args = [1_000, 10_000, 50_000], max_time = 5)]
fn delete(bencher: Bencher<'_, '_>, instances: u32) {
    bencher
        .counter(ItemsCount::new(instances))
        .with_inputs(|| {
            let mut cluster = Cluster::new(1, machine(1), settings());
            let _ = cluster.put(Cluster::create(job("jmh", "job", instances)));
            cluster
        })
        .bench_local_values(|mut cluster| {
            kill(&mut cluster, JobKey::new("jmh", "prod", "job").unwrap());
            cluster
        });
}

/// A thousand tasks report that they run.
#[divan::bench(max_time = 5)]
fn status_updates(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(1000_u32))
        .with_inputs(|| {
            let mut cluster = Cluster::new(100, machine(32), settings());
            run(&mut cluster, job("jmh", "job", 1000));
            let ids: Vec<_> =
                cluster.scheduler.state().tasks().map(|task| task.id().clone()).collect();
            (cluster, ids)
        })
        .bench_local_values(|(mut cluster, ids)| {
            for task in ids {
                let state = TaskState::Running;
                let (agent, message, reason, uuid) = (None, None, None, None);
                let update = StatusUpdate { task, state, agent, message, reason, uuid };
                let _ = black_box(cluster.put(Input::Status(update)));
            }
            assert_eq!(cluster.scheduler.state().counts()[&TaskState::Running], 1000);
            cluster
        });
}

/// One job with so many tasks: all of it, and one instance of it.
#[divan::bench(args = [10_000, 50_000, 100_000], max_time = 3)]
fn fetch_all(bencher: Bencher<'_, '_>, tasks: u32) {
    let mut cluster = Cluster::new(1, machine(1), settings());
    let _ = cluster.put(Cluster::create(job("jmh", "job", tasks)));
    bencher.bench_local(|| cluster.scheduler.tasks(&TaskQuery::default()).len());
}

/// See [`fetch_all`].
#[divan::bench(args = [10_000, 50_000, 100_000], max_time = 3)]
fn fetch_instance(bencher: Bencher<'_, '_>, tasks: u32) {
    let mut cluster = Cluster::new(1, machine(1), settings());
    let _ = cluster.put(Cluster::create(job("jmh", "job", tasks)));
    let key = JobKey::new("jmh", "prod", "job").unwrap();
    let query = TaskQuery { instances: [0].into(), ..TaskQuery::of_job(&key) };
    bencher.bench_local(|| {
        let found = cluster.scheduler.tasks(&query);
        assert_eq!(found.len(), 1);
        found[0].id().clone()
    });
}

/// An update with so many events of instances: finding it, and a copy of it as a client is given.
#[divan::bench(args = [("find", 1_000), ("find", 5_000), ("find", 10_000), ("copy", 1_000),
    ("copy", 5_000), ("copy", 10_000)], max_time = 2)]
fn fetch_update_by_events(bencher: Bencher<'_, '_>, (what, events): (&str, u32)) {
    fetch_update(bencher, what, updates::one(0, 1, events, 10));
}

/// The same with so many configurations from before it.
#[divan::bench(args = [("find", 1), ("find", 10), ("find", 100), ("find", 1_000), ("copy", 1_000)],
    max_time = 2)]
fn fetch_update_by_configurations(bencher: Bencher<'_, '_>, (what, configs): (&str, u32)) {
    fetch_update(bencher, what, updates::one(0, configs, 5_000, 10));
}

/// The same with so much metadata.
#[divan::bench(args = [("find", 10), ("find", 100), ("find", 1_000), ("find", 10_000),
    ("copy", 10_000)], max_time = 2)]
fn fetch_update_by_metadata(bencher: Bencher<'_, '_>, (what, metadata): (&str, u32)) {
    fetch_update(bencher, what, updates::one(0, 1, 5_000, metadata));
}

fn fetch_update(bencher: Bencher<'_, '_>, what: &str, (key, ops): (UpdateKey, Vec<Op>)) {
    let mut state = State::default();
    ops.iter().for_each(|op| state.apply(op).unwrap());
    let scheduler = Scheduler::new(settings(), state);
    match what {
        "find" => bencher.bench_local(|| {
            let found = scheduler.update(black_box(&key)).unwrap();
            found.instance_events().len()
        }),
        _ => bencher.bench_local(|| scheduler.update(&key).cloned()),
    }
}

/// So many roles with five jobs of 200 tasks each, of which none is made one by one.
fn roles(count: u32) -> Scheduler {
    let mut state = State::default();
    for (role, name) in (0..count).flat_map(|role| (0..5).map(move |name| (role, name))) {
        let job = job(&format!("role-{role}"), &format!("job-{name}"), 200);
        let mut cluster = Cluster::new(1, machine(1), settings());
        let step = cluster.put(Cluster::create(job));
        let made = step.ops.iter().filter(|op| matches!(op, Op::PutTasks { .. }));
        made.for_each(|op| state.apply(op).unwrap());
    }
    assert_eq!(state.len(), count as usize * 1000);
    Scheduler::new(settings(), state)
}

/// What one role's jobs do.
#[divan::bench(args = [1, 10, 100, 500], max_time = 3)]
fn role_jobs(bencher: Bencher<'_, '_>, count: u32) {
    let scheduler = roles(count);
    bencher.bench_local(|| scheduler.jobs_page("role-0", None, 100).len());
}

/// What the jobs of all roles do, a page after the other as the server asks.
#[divan::bench(args = [1, 10, 100, 500], max_time = 3)]
fn role_summary(bencher: Bencher<'_, '_>, count: u32) {
    let scheduler = roles(count);
    bencher.bench_local(|| {
        let mut after: Option<JobKey> = None;
        let mut found = 0;
        loop {
            let page = scheduler.jobs_page("", after.as_ref(), 500);
            let Some((last, _)) = page.last() else { return found };
            after = Some(last.clone());
            found += page.len();
        }
    });
}

/// Every task of so many roles, copied a page after the other as the server asks.
#[divan::bench(args = [1, 10, 100], max_time = 5)]
fn tasks_status(bencher: Bencher<'_, '_>, count: u32) {
    let scheduler = roles(count);
    bencher.counter(ItemsCount::new(count * 1000)).bench_local(|| {
        let (query, mut after, mut found) = (TaskQuery::default(), None, 0);
        loop {
            let (page, next) = scheduler.tasks_page(&query, after.as_ref(), 250);
            found += black_box(page.into_iter().cloned().collect::<Vec<_>>()).len();
            after = next;
            if after.is_none() {
                return found;
            }
        }
    });
}

/// A state is made of its snapshot: what a start costs apart from reading and decoding.
#[divan::bench(args = [100_000], max_time = 5)]
fn restore(bencher: Bencher<'_, '_>, tasks: u32) {
    let mut cluster = Cluster::new(1, machine(1), settings());
    for number in 0..tasks / 1000 {
        let _ = cluster.put(Cluster::create(job("jmh", &format!("job-{number}"), 1000)));
    }
    let ops: Vec<_> = cluster.scheduler.state().to_ops().collect();
    bencher.counter(ItemsCount::new(tasks)).bench_local(|| {
        let mut state = State::default();
        for op in &ops {
            state.apply(op).unwrap();
        }
        state
    });
}

/// kube-scheduler's preemption: 5,000 nodes are full, four tasks on each, and each of a thousand new
/// ones needs another to be stopped.
#[divan::bench(max_time = 5)]
fn kube_preemption(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(1000_u32))
        .with_inputs(|| {
            let tiers = [("preemptible", true), ("preferred", false)].map(|(name, preemptible)| {
                (name.to_owned(), Tier { preemptible, revocable: false })
            });
            let settings = Settings { preemption_delay_ms: 1, tiers: tiers.into(), ..settings() };
            // Each task has its executor beside it.
            let mut cluster = Cluster::new(5_000, machine(5), settings);
            for number in 0..20 {
                let mut job = job("kube", &format!("old-{number}"), 1000);
                job.task.tier = Some("preemptible".into());
                run(&mut cluster, job);
            }
            assert_eq!(cluster.launched, 20_000);
            cluster
        })
        .bench_local_values(|mut cluster| {
            let mut job = job("kube", "new", 1000);
            job.task.tier = Some("preferred".into());
            run(&mut cluster, job);
            while cluster.launched < 21_000 {
                cluster.now = cluster.now.plus_ms(1);
                cluster.settle();
            }
            cluster
        });
}

/// kube-scheduler's shapes: a thousand tasks come into a cluster of 5,000 nodes.
#[divan::bench(args = ["plain", "hard spread", "one a host", "node constraint"], max_time = 5)]
fn kube(bencher: Bencher<'_, '_>, shape: &str) {
    let mut cluster = Cluster::new(5_000, machine(32), settings());
    cluster.settle();
    let mut number = 0;
    bencher.counter(ItemsCount::new(1000_u32)).bench_local(|| {
        number += 1;
        let mut job = job("kube", &format!("job-{number}"), 1000);
        match shape {
            "hard spread" => drop(job.task.constraints.insert(limit("rack", 8))),
            "one a host" => drop(job.task.constraints.insert(limit("host", 1))),
            "node constraint" => drop(job.task.constraints.insert(value("pool", "pool-1"))),
            _ => {}
        }
        let key = job.key.clone();
        run(&mut cluster, job);
        // Room for the next ones.
        kill(&mut cluster, key);
        cluster.settle();
    });
}
