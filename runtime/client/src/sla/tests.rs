//! The vectors of the specification.

use std::sync::Arc;

use aurora_model::job::{AssignedTask, TaskConfig, TaskEvent, TaskResources};
use aurora_model::key::{AgentId, TaskId};

use super::*;

const NOW: Timestamp = Timestamp(1_000_000_000);

fn uptimes(seconds: &[u64]) -> Uptimes {
    seconds.iter().copied().collect()
}

fn demand(percent: f64, seconds: u64) -> Demand {
    Demand { percent, duration: Duration::from_secs(seconds) }
}

/// A running task of a job, on a host, up for so long.
fn task(job: &str, instance: u32, host: &str, up_secs: i64, production: bool) -> ScheduledTask {
    let key: JobKey = job.parse().unwrap();
    let mut config = TaskConfig::plain(key.clone(), "me", TaskResources::default());
    config.production = production;
    let event = |state, timestamp| TaskEvent { timestamp, state, message: None, scheduler: None };
    ScheduledTask {
        assigned: AssignedTask {
            task_id: TaskId::for_instance(&key.instance(instance), "x"),
            agent: Some((AgentId::new("agent").unwrap(), host.into())),
            task: Arc::new(config),
            assigned_ports: BTreeMap::new(),
            instance,
        },
        state: TaskState::Running,
        failure_count: 0,
        times_partitioned: 0,
        events: vec![
            event(TaskState::Pending, Timestamp(0)),
            // Half a second more, which does not count.
            event(TaskState::Running, NOW.plus_ms(-up_secs * 1000 - 500)),
            event(TaskState::Running, NOW),
        ],
        ancestor: None,
    }
}

/// 20 instances on 5 hosts: instance i on host i mod 5, up for 100·(i+1) seconds.
fn twenty() -> Fleet {
    let tasks: Vec<ScheduledTask> = (0..20)
        .map(|i| task("www/prod/web", i, &format!("host{}", i % 5), i64::from(i + 1) * 100, true))
        .collect();
    Fleet::of(&tasks, 10, NOW)
}

fn hosts(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What is told of each host: percent, whether that is enough, and when it is.
fn probe(fleet: &Fleet, names: &[&str], wanted: Demand) -> Vec<(String, f64, bool, Option<u64>)> {
    let found = fleet.probe(&hosts(names), |_| wanted);
    found.into_iter().map(|(host, it)| (host, it.percent, it.is_safe, it.safe_in)).collect()
}

#[test]
fn c143_percentiles_and_counts() {
    let four = uptimes(&[400, 100, 300, 200]);
    for (percent, seconds) in [(10.0, 400), (50.0, 200), (99.0, 100), (30.0, 300), (95.5, 100)] {
        assert_eq!(four.percentile(percent), seconds, "{percent}");
    }
    assert_eq!(Uptimes::default().percentile(50.0), 0);
    let up = |seconds| uptimes(&[600, 900, 100, 200]).percent_up(Duration::from_secs(seconds), 4);
    assert_eq!([up(300), up(600), up(601), up(0)], [50.0, 50.0, 25.0, 100.0]);
    assert_eq!(Uptimes::default().percent_up(Duration::from_secs(1), 0), 0.0);
}

#[test]
fn an_instance_is_up_from_its_first_run_on() {
    let mut tasks = vec![task("www/prod/web", 0, "h", 90, true)];
    assert_eq!(Uptimes::of(&tasks, NOW), uptimes(&[90]));
    tasks[0].events.truncate(1);
    assert!(Uptimes::of(&tasks, NOW).is_empty());
    // A clock that goes back.
    tasks[0].events[0] = TaskEvent {
        timestamp: NOW.plus_ms(5000),
        state: TaskState::Running,
        message: None,
        scheduler: None,
    };
    assert_eq!(Uptimes::of(&tasks, NOW), uptimes(&[0]));
}

#[test]
fn the_wait_until_enough_are_up() {
    let four = uptimes(&[100, 200, 300, 400]);
    let five = uptimes(&[100, 200, 300, 400, 500]);
    for (up, percent, seconds, total, expected) in [
        (&four, 75.0, 200, 4, Some(0)),
        (&four, 25.0, 450, 4, Some(50)),
        (&four, 80.0, 250, 4, Some(150)),
        (&four, 95.0, 200, 5, None),
        (&five, 50.0, 350, 5, Some(50)),
        (&five, 90.0, 150, 5, Some(50)),
        (&Uptimes::default(), 50.0, 1, 0, None),
        (&Uptimes::default(), 50.0, 1, 4, None),
    ] {
        let wait = up.wait(percent, Duration::from_secs(seconds), total);
        assert_eq!(wait, expected, "{percent} % of {total} for {seconds} s");
    }
}

#[test]
fn a16_what_is_left_without_a_host() {
    let tasks: Vec<ScheduledTask> = [("h1", 100), ("h2", 200), ("h3", 300), ("h4", 400)]
        .into_iter()
        .zip(0..)
        .map(|((host, up), i)| task("www/prod/web", i, host, up, true))
        .collect();
    let fleet = Fleet::of(&tasks, 4, NOW);
    assert_eq!(
        probe(&fleet, &["h1"], demand(75.0, 300)),
        [("h1".to_owned(), 50.0, false, Some(100))]
    );
    assert_eq!(probe(&fleet, &["h1"], demand(80.0, 300)), [("h1".to_owned(), 50.0, false, None)]);

    let twenty = twenty();
    let wanted = demand(80.0, 600);
    assert_eq!(probe(&twenty, &["host0"], wanted), [("host0".to_owned(), 60.0, false, Some(400))]);
    assert_eq!(probe(&twenty, &["host1"], wanted), [("host1".to_owned(), 60.0, false, Some(500))]);
    let both = probe(&twenty, &["host0", "host1"], demand(60.0, 600));
    let row = |host: &str| (host.to_owned(), 45.0, false, Some(300));
    assert_eq!(both, [row("host0"), row("host1")]);
    assert_eq!(probe(&twenty, &["nowhere"], wanted), []);
}

#[test]
fn a17_a23_only_large_production_jobs_count_and_groups_go_as_a_whole() {
    let web = |i: u32, host: &str, up| task("www/prod/web", i, host, up, true);
    let racks = [web(0, "a1", 100), web(1, "a2", 200), web(2, "b1", 100), web(3, "b2", 200)];
    let fleet = Fleet::of(&racks, 4, NOW);
    let row = |host: &str| (host.to_owned(), 25.0, false, Some(100));
    for rack in [["a1", "a2"], ["b1", "b2"]] {
        assert_eq!(probe(&fleet, &rack, demand(50.0, 200)), rack.map(row));
    }
    assert!(probe(&fleet, &["a1"], demand(50.0, 200)).iter().all(|row| row.2), "one alone is safe");
    assert!(Fleet::of(&racks, 5, NOW).hosts().is_empty());
    let tests: Vec<ScheduledTask> =
        (0..9).map(|i| task("www/test/web", i, "h", 100, false)).collect();
    assert!(Fleet::of(&tests, 1, NOW).hosts().is_empty());
}

#[test]
fn a14_hosts_that_can_be_lost() {
    let fleet = twenty();
    let names = ["host0", "host1", "host2", "host3", "host4"];
    assert_eq!(fleet.hosts(), hosts(&names));
    for name in names {
        assert_eq!(probe(&fleet, &[name], demand(40.0, 600))[0].1, 60.0);
        assert!(probe(&fleet, &[name], demand(40.0, 600))[0].2);
        assert!(!probe(&fleet, &[name], demand(99.0, 3600))[0].2);
    }
    // All of them at once.
    assert!(probe(&fleet, &names, demand(1.0, 1)).iter().all(|row| row.1 == 0.0 && !row.2));
}
