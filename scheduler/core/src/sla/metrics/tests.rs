use aurora_model::job::{MilliCpus, TaskResources};

use super::*;
use TaskState::*;

const NOW: i64 = 1_000_000;

fn config(name: &str, production: bool, cpus: u64) -> Arc<TaskConfig> {
    let resources = TaskResources {
        cpus: MilliCpus(cpus),
        ram_mb: 1025,
        disk_mb: 65_537,
        ..Default::default()
    };
    Arc::new(TaskConfig {
        is_service: true,
        production,
        ..TaskConfig::plain(JobKey::new("www", "prod", name).unwrap(), "me", resources)
    })
}

fn sample(name: &str, instance: u32, events: &[(i64, TaskState)]) -> SlaSample {
    SlaSample {
        config: config(name, true, 1000),
        instance,
        state: events.last().map_or(Init, |(_, state)| *state),
        events: events.iter().map(|(at, state)| (Timestamp(*at), *state)).collect(),
    }
}

fn compute(samples: &[SlaSample]) -> BTreeMap<String, f64> {
    let metrics = SlaMetrics { interval_ms: 100_000, ..SlaMetrics::default() };
    metrics.compute(samples, Timestamp(NOW))
}

#[test]
fn uptimes_are_those_that_so_many_instances_have_at_least() {
    let run = |instance, up_ms| sample("web", instance, &[(0, Pending), (NOW - up_ms, Running)]);
    let gauges = compute(&[
        run(0, 10_999),
        run(1, 20_000),
        run(2, 30_000),
        run(3, 40_000),
        run(4, 50_000),
        sample("web", 5, &[(0, Running), (5, Failed)]),
    ]);
    assert_eq!(gauges["sla_www/prod/web_job_uptime_50.00_sec"], 30.0);
    assert_eq!(gauges["sla_www/prod/web_job_uptime_75.00_sec"], 20.0);
    assert_eq!(gauges["sla_www/prod/web_job_uptime_90.00_sec"], 14.0);
    assert_eq!(gauges["sla_www/prod/web_job_uptime_95.00_sec"], 12.0);
    assert_eq!(gauges["sla_www/prod/web_job_uptime_99.00_sec"], 10.4);
    let none = compute(&[sample("web", 0, &[(0, Pending)])]);
    assert_eq!(none["sla_www/prod/web_job_uptime_50.00_sec"], 0.0);
}

#[test]
fn medians_are_of_what_was_reached_in_the_window() {
    let life = |instance, assigned, starting, running| {
        let events =
            [(900_000, Pending), (assigned, Assigned), (starting, Starting), (running, Running)];
        sample("web", instance, &events)
    };
    let gauges = compute(&[
        life(0, 900_010, 900_020, 900_030),
        life(1, 900_020, 900_040, 900_060),
        life(2, 900_030, 900_060, NOW),
        // An ended one does not count, nor does one that began before the window.
        sample("web", 3, &[(900_000, Pending), (990_000, Assigned), (990_001, Lost)]),
        sample("web", 4, &[(0, Pending), (899_999, Assigned)]),
    ]);
    for group in ["www/prod/web", "cluster", "cpu_small", "ram_medium", "disk_xxlarge"] {
        assert_eq!(gauges[&format!("sla_{group}_mtta_ms")], 20.0, "{group}");
        assert_eq!(gauges[&format!("sla_{group}_mtts_ms")], 40.0, "{group}");
        // The window ends before now.
        assert_eq!(gauges[&format!("sla_{group}_mttr_ms")], 45.0, "{group}");
    }
}

#[test]
fn a_task_that_never_waited_spoils_nothing() {
    // With this history the original stops measuring for good.
    let gauges = compute(&[
        sample("web", 0, &[(950_000, Running)]),
        sample("web", 1, &[(950_000, Pending), (950_007, Running)]),
    ]);
    assert_eq!(gauges["sla_cluster_mttr_ms"], 7.0);
    assert_eq!(compute(&[sample("web", 0, &[])])["sla_cluster_mttr_ms"], 0.0);
}

#[test]
fn coming_back_from_a_partition_is_not_the_end_of_a_wait() {
    let gauges = compute(&[sample(
        "web",
        0,
        &[(0, Pending), (10, Running), (950_000, Partitioned), (960_000, Running)],
    )]);
    assert_eq!(gauges["sla_cluster_mttr_ms"], 0.0);
}

#[test]
fn the_cluster_answers_for_what_it_takes_down() {
    let percent = |events: &[&[(i64, TaskState)]]| {
        let samples: Vec<SlaSample> =
            events.iter().map(|events| sample("web", 0, events)).collect();
        let gauges = compute(&samples);
        assert_eq!(
            gauges["sla_cluster_platform_uptime_percent"],
            gauges["sla_www/prod/web_platform_uptime_percent"]
        );
        gauges["sla_cluster_platform_uptime_percent"]
    };
    let up = (0, Running);
    // Half the window down, until the replacement runs.
    let back = [(950_000, Pending), (960_000, Assigned), (970_000, Starting), (NOW - 1, Running)];
    for cause in [Lost, Draining, Preempting, Killed] {
        let value = percent(&[&[up, (950_000, cause)], &back]);
        assert!((50.0..50.01).contains(&value), "{cause}: {value}");
    }
    // What a user does, or the task itself, is nobody's fault.
    for cause in [Killing, Restarting, Failed, Finished] {
        assert_eq!(percent(&[&[up, (950_000, cause)], &back]), 100.0, "{cause}");
    }
    assert_eq!(percent(&[&[up, (940_000, Killing), (950_000, Killed)]]), 100.0);
    assert_eq!(percent(&[&[up, (950_000, Partitioned)]]), 100.0);
    assert_eq!(percent(&[&[(0, Pending)]]), 100.0);
    assert_eq!(percent(&[&[up, (0, Lost)]]), 0.0);
    // 25 s up, 75 s down.
    assert_eq!(percent(&[&[up, (925_000, Lost)]]), 25.0);
    assert_eq!(percent(&[&[up, (925_000, Draining), (926_000, Killed)]]), 25.0);
}

#[test]
fn groups_are_those_that_have_tasks() {
    let mut other = sample("batch", 0, &[(0, Pending), (10, Running)]);
    other.config = config("batch", false, 16_001);
    let samples = [sample("web", 0, &[(0, Pending), (10, Running)]), other];
    let all = SlaMetrics {
        interval_ms: 1000,
        production: SlaCategory::ALL.into(),
        non_production: [SlaCategory::Medians].into(),
    };
    let gauges = all.compute(&samples, Timestamp(NOW));
    assert!(gauges.contains_key("sla_cpu_xxlarge_mtta_ms_nonprod"));
    assert!(gauges.contains_key("sla_www/prod/batch_mtts_ms_nonprod"));
    assert!(!gauges.contains_key("sla_cpu_xxlarge_mtta_ms"));
    assert!(!gauges.contains_key("sla_www/prod/batch_platform_uptime_percent_nonprod"));
    assert!(!gauges.contains_key("sla_www/prod/batch_mtts_ms"));
    // Five uptimes, platform uptime and three medians of the job; the latter four of the cluster;
    // three medians of three sizes. Then 3 + 3 + 9 medians.
    assert_eq!(gauges.len(), 9 + 4 + 9 + 15);
    // What is gone is not shown any more.
    let gauges = all.compute(&samples[..1], Timestamp(NOW));
    assert!(!gauges.keys().any(|name| name.contains("batch")));
    let nothing = all.compute(&[], Timestamp(NOW));
    assert_eq!(nothing["sla_cluster_platform_uptime_percent"], 100.0);
}

#[test]
fn categories_are_read_by_their_names() {
    for category in SlaCategory::ALL {
        assert_eq!(category.name().parse(), Ok(category));
    }
    let error = "MEDIAN".parse::<SlaCategory>().unwrap_err();
    assert!(error.contains("\"MEDIAN\"") && error.contains("PLATFORM_UPTIME"), "{error}");
}
