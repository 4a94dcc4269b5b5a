//! That each flag reaches the core, and that none is forgotten.

use std::collections::BTreeSet;

use aurora_scheduler_core::Settings;

use super::tests::{config, parse};

/// Flags with another value than their default, and the one line of the settings that is then
/// another one. Nothing else changes.
const FLAGS: &[(&str, &str)] = &[
    ("max_tasks_per_job=7", "max_tasks_per_job: 7"),
    ("min_offer_hold_time=7secs", "min_offer_hold_ms: 7000"),
    ("offer_hold_jitter_window=7secs", "offer_hold_jitter_ms: 7000"),
    ("hold_offers_forever=true", "hold_offers_forever: true"),
    ("enable_revocable_cpus=false", "revocable_cpus: false"),
    ("enable_revocable_ram=true", "revocable_ram: true"),
    ("enable_preemptor=false", "enable_preemptor: false"),
    ("preemption_delay=7secs", "preemption_delay_ms: 7000"),
    ("preemption_slot_search_interval=7secs", "preemption_search_interval_ms: 7000"),
    ("preemption_slot_search_initial_delay=7secs", "preemption_initial_delay_ms: 7000"),
    ("preemption_reservation_max_batch_size=7", "preemption_batch_size: 7"),
    ("offer_reservation_duration=7secs", "offer_reservation_ms: 7000"),
    ("preempt_production_tasks=true", "preempt_production: true"),
    ("max_tasks_per_schedule_attempt=7", "max_tasks_per_schedule_attempt: 7"),
    ("flapping_task_threshold=7secs", "flapping_threshold_ms: 7000"),
    ("initial_flapping_task_delay=7secs", "initial_flapping_delay_ms: 7000"),
    ("max_flapping_task_delay=7secs", "max_flapping_delay_ms: 7000"),
    ("transient_task_state_timeout=7secs", "transient_timeout_ms: 7000"),
    ("initial_task_kill_retry_interval=7secs", "initial_kill_retry_ms: 7000"),
    ("reconciliation_initial_delay=7secs", "reconciliation_initial_delay_ms: 7000"),
    ("reconciliation_explicit_interval=7secs", "reconciliation_explicit_interval_ms: 7000"),
    ("reconciliation_implicit_interval=7secs", "reconciliation_implicit_interval_ms: 7000"),
    ("reconciliation_schedule_spread=7secs", "reconciliation_spread_ms: 7000"),
    ("reconciliation_explicit_batch_size=7", "reconciliation_batch_size: 7"),
    ("reconciliation_explicit_batch_interval=7secs", "reconciliation_batch_interval_ms: 7000"),
    ("history_prune_threshold=7secs", "history_prune_threshold_ms: 7000"),
    ("history_min_retention_threshold=7secs", "history_min_retention_ms: 7000"),
    ("history_max_per_job_threshold=7", "history_max_per_job: 7"),
    ("allow_gpu_resource=true", "allow_gpu_resource: true"),
    ("allow_container_volumes=true", "allow_container_volumes: true"),
    ("cron_timezone=Europe/Rome", "cron_time_zone: \"Europe/Rome\""),
    ("cron_catch_up_limit=7", "cron_catch_up_limit: 7"),
    ("unavailability_threshold=7secs", "unavailability_threshold_ms: 7000"),
    ("max_update_instance_failures=7", "max_update_instance_failures: 7"),
    ("enable_update_affinity=true", "enable_update_affinity: true"),
    ("update_affinity_reservation_hold_time=7secs", "update_affinity_hold_ms: 7000"),
    ("sla_aware_kill_retry_min_delay=7secs", "sla_retry_min_ms: 7000"),
    ("sla_aware_kill_retry_max_delay=7secs", "sla_retry_max_ms: 7000"),
    ("job_update_history_pruning_interval=7secs", "update_history_interval_ms: 7000"),
    ("job_update_history_pruning_threshold=7secs", "update_history_threshold_ms: 7000"),
    ("job_update_history_per_job_threshold=7", "update_history_per_job: 7"),
    ("host_maintenance_polling_interval=7secs", "host_maintenance_polling_ms: 7000"),
    ("sla_aware_kill_non_prod=true", "sla_aware_kill_non_prod: true"),
    ("min_required_instances_for_sla_check=7", "min_required_instances_for_sla_check: 7"),
    ("max_sla_duration_secs=7secs", "max_sla_duration_secs: 7"),
    ("max_parallel_coordinated_maintenance=7", "max_parallel_coordinated_maintenance: 7"),
    ("sla_coordinator_timeout=7secs", "sla_coordinator_timeout_ms: 7000"),
];

/// Settings that other tests look at: they are not of one line, or no flag's alone.
const OTHERS: [&str; 10] = [
    "cluster_name",
    "scheduler_host",
    "environments",
    "executor_overhead",
    "tiers",
    "default_tier",
    "unset_quota",
    "offer_order",
    "told_whole",
    "looks_per_step",
];

/// The fields, a line each as `name: value`; what belongs to a field of several lines is left out.
fn lines(settings: &Settings) -> BTreeSet<String> {
    format!("{settings:#?}")
        .lines()
        .filter_map(|line| {
            line.strip_prefix("    ").filter(|line| !line.starts_with([' ', '}', ']', ')']))
        })
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect()
}

fn name(line: &str) -> &str {
    line.split(':').next().unwrap_or_default()
}

#[test]
fn each_flag_changes_its_setting_and_nothing_else() {
    let default = lines(&config(&[]).unwrap().settings);
    for (flag, wanted) in FLAGS {
        let (name, value) = flag.split_once('=').unwrap();
        let flag = format!("--{}={value}", name.replace('_', "-"));
        let chosen = lines(&config(&[&flag]).unwrap().settings);
        let changed: Vec<&str> = chosen.difference(&default).map(String::as_str).collect();
        assert_eq!(changed, [*wanted], "{flag}");
    }
}

#[test]
fn every_setting_has_a_flag() {
    let named: BTreeSet<&str> = FLAGS.iter().map(|(_, line)| name(line)).chain(OTHERS).collect();
    let default = lines(&Settings::default());
    let all: BTreeSet<&str> = default.iter().map(|line| name(line)).collect();
    assert_eq!(all, named);
}

#[test]
fn the_defaults_of_the_flags_are_those_of_the_core() {
    let same = |settings: Settings| Settings {
        cluster_name: String::new(),
        scheduler_host: String::new(),
        ..settings
    };
    assert_eq!(same(config(&[]).unwrap().settings), same(Settings::default()));
}

#[test]
fn what_must_be_more_than_nothing_is() {
    for flag in [
        "reconciliation-explicit-interval",
        "reconciliation-implicit-interval",
        "reconciliation-explicit-batch-interval",
        "async-task-stat-update-interval",
        "async-slot-stat-update-interval",
        "stat-sampling-interval",
        "max-update-instance-failures",
        "backup-interval",
        "max-saved-backups",
    ] {
        let error = config(&[&format!("--{flag}=0")]).unwrap_err().to_string();
        assert_eq!(error, format!("--{flag} is out of range: 0"));
    }
}

#[test]
fn what_has_bounds_is_within_them() {
    for (flag, least, most) in [
        ("max-tasks-per-job", 1, 100_000),
        ("cron-catch-up-limit", 0, 10_000),
        ("reconciliation-explicit-batch-size", 1, 10_000),
    ] {
        let is_taken = |value: i64| parse(&[&format!("--{flag}={value}")]).is_ok();
        for (value, expected) in
            [(least - 1, false), (least, true), (most, true), (most + 1, false)]
        {
            assert_eq!(is_taken(value), expected, "--{flag}={value}");
        }
    }
}

#[test]
fn environments_are_those_that_match() {
    let allowed = |pattern: &str, name: &str| {
        let flag = format!("--allowed-job-environments={pattern}");
        config(&[&flag]).unwrap().settings.environments.allow(name)
    };
    for (pattern, name, is_allowed) in [
        ("^(prod|qa)$", "qa", true),
        ("^(prod|qa)$", "devel", false),
        // All of it must match, as with the original.
        ("qa", "qa2", false),
        ("qa|prod", "prod", true),
        ("qa|prod", "prod2", false),
        (".*", "anything", true),
    ] {
        assert_eq!(allowed(pattern, name), is_allowed, "{pattern} {name}");
    }
    assert!(parse(&["--allowed-job-environments=qa)|(?:prod"]).is_err(), "it is none by itself");
    let default = config(&[]).unwrap().settings.environments;
    let all = ["prod", "devel", "test", "staging", "staging12", "stagingx", "qa", "production"];
    let are: Vec<&str> = all.into_iter().filter(|name| default.allow(name)).collect();
    assert_eq!(are, ["prod", "devel", "test", "staging", "staging12"]);
}
