//! What an operator can choose. Names and defaults are those of the original's flags
//! (`scheduler.md`); all times are in milliseconds.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::TaskState;
use regex_lite::Regex;

/// The most instances that an operator may let a job have. What is done to a job as a whole, such as
/// a kill, is one step and one record of the log, which takes no record of more than 256 MiB.
pub const MAX_TASKS_PER_JOB: u32 = 100_000;

/// The most missed runs of a cron job that an operator may have made up for: all of them wait in
/// memory, and are one record of the log.
pub const MAX_CRON_CATCH_UP: u32 = 10_000;

/// The choices.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The name of the cluster, for what people are told to do.
    pub cluster_name: String,
    /// The name that events are recorded under.
    pub scheduler_host: String,
    /// Instances that a job may have; at most [`MAX_TASKS_PER_JOB`].
    pub max_tasks_per_job: u32,
    /// The environments that jobs may have (`-allowed_job_environments`).
    pub environments: Environments,
    /// What the executor needs beside the task.
    pub executor_overhead: aurora_model::job::ResourceBag,
    /// The tiers by name.
    pub tiers: BTreeMap<String, Tier>,
    /// The tier of a job that names none.
    pub default_tier: String,
    /// The quota of a role for which none was set; without it such a role is not limited.
    pub unset_quota: Option<aurora_model::quota::ResourceAggregate>,
    /// How long an offer is held (`-min_offer_hold_time`).
    pub min_offer_hold_ms: i64,
    /// A random time that is added to it (`-offer_hold_jitter_window`).
    pub offer_hold_jitter_ms: i64,
    /// Whether offers are held until they are used (`-hold_offers_forever`).
    pub hold_offers_forever: bool,
    /// What decides between agents (`-offer_order`).
    pub offer_order: Vec<crate::placement::OfferOrder>,
    /// Whether tasks of revocable tiers use CPU that can be taken away
    /// (`-enable_revocable_cpus`).
    pub revocable_cpus: bool,
    /// Whether they use such memory (`-enable_revocable_ram`).
    pub revocable_ram: bool,
    /// Whether tasks are stopped to make room for more important ones (`-enable_preemptor`).
    pub enable_preemptor: bool,
    /// How long a task waits before others are stopped for it (`-preemption_delay`).
    pub preemption_delay_ms: i64,
    /// How long after a search that found none room is searched for again
    /// (`-preemption_slot_search_interval`).
    pub preemption_search_interval_ms: i64,
    /// How long after a registration nobody is stopped for others, as what is free only comes to be
    /// known (`-preemption_slot_search_initial_delay`).
    pub preemption_initial_delay_ms: i64,
    /// Tasks of one group for which room is made at once
    /// (`-preemption_reservation_max_batch_size`).
    pub preemption_batch_size: usize,
    /// How long an agent is kept for the task that others were stopped for
    /// (`-offer_reservation_duration`).
    pub offer_reservation_ms: i64,
    /// Whether production tasks may be stopped for more important production tasks of their role.
    pub preempt_production: bool,
    /// Tasks of one group that are placed before it is the next group's turn
    /// (`-max_tasks_per_schedule_attempt`).
    pub max_tasks_per_schedule_attempt: usize,
    /// How much a step looks at agents for places, in passes of an agent that is full; to see whether
    /// one takes a task counts as eight. What is not looked at is in the next step. The default is
    /// about a millisecond's worth.
    pub looks_per_step: u64,
    /// A run shorter than this is flapping (`-flapping_task_threshold`).
    pub flapping_threshold_ms: i64,
    /// The first penalty for flapping (`-initial_flapping_task_delay`).
    pub initial_flapping_delay_ms: i64,
    /// The longest (`-max_flapping_task_delay`).
    pub max_flapping_delay_ms: i64,
    /// How long a task may be on its way (`-transient_task_state_timeout`).
    pub transient_timeout_ms: i64,
    /// When an unanswered kill is first repeated (`-initial_task_kill_retry_interval`).
    pub initial_kill_retry_ms: i64,
    /// When the first periodic reconciliation is (`-reconciliation_initial_delay`).
    pub reconciliation_initial_delay_ms: i64,
    /// Between explicit reconciliations (`-reconciliation_explicit_interval`).
    pub reconciliation_explicit_interval_ms: i64,
    /// Between implicit ones (`-reconciliation_implicit_interval`).
    pub reconciliation_implicit_interval_ms: i64,
    /// How much later than the explicit ones (`-reconciliation_schedule_spread`).
    pub reconciliation_spread_ms: i64,
    /// Tasks asked about at once (`-reconciliation_explicit_batch_size`).
    pub reconciliation_batch_size: usize,
    /// Between two such batches (`-reconciliation_explicit_batch_interval`).
    pub reconciliation_batch_interval_ms: i64,
    /// How long ended tasks are remembered (`-history_prune_threshold`).
    pub history_prune_threshold_ms: i64,
    /// How long they are remembered at least (`-history_min_retention_threshold`).
    pub history_min_retention_ms: i64,
    /// Ended tasks remembered per job (`-history_max_per_job_threshold`).
    pub history_max_per_job: usize,
    /// Whether jobs may ask for GPUs (`-allow_gpu_resource`).
    pub allow_gpu_resource: bool,
    /// Whether jobs may mount folders of hosts (`-allow_container_volumes`).
    pub allow_container_volumes: bool,
    /// The time zone of cron jobs that name none (`-cron_timezone`).
    pub cron_time_zone: String,
    /// How many missed runs of a cron job are made up for at most, if it asks for all; at most
    /// [`MAX_CRON_CATCH_UP`]. What is on time runs whatever this is.
    pub cron_catch_up_limit: u32,
    /// How long before its maintenance a host takes no tasks (`-unavailability_threshold`).
    pub unavailability_threshold_ms: i64,
    /// The states of which events carry the whole task, for webhooks.
    pub told_whole: BTreeSet<TaskState>,
    /// Failures that an update may forgive to all its instances together
    /// (`-max_update_instance_failures`).
    pub max_update_instance_failures: u64,
    /// Whether the agent of an instance is kept for what replaces it (`-enable_update_affinity`).
    pub enable_update_affinity: bool,
    /// For how long (`-update_affinity_reservation_hold_time`).
    pub update_affinity_hold_ms: i64,
    /// How long an update waits before it asks an SLA policy again
    /// (`-sla_aware_kill_retry_min_delay`).
    pub sla_retry_min_ms: i64,
    /// How long at most (`-sla_aware_kill_retry_max_delay`).
    pub sla_retry_max_ms: i64,
    /// Between two times that old updates are forgotten (`-job_update_history_pruning_interval`).
    pub update_history_interval_ms: i64,
    /// How long updates are remembered (`-job_update_history_pruning_threshold`).
    pub update_history_threshold_ms: i64,
    /// Ended updates remembered per job (`-job_update_history_per_job_threshold`).
    pub update_history_per_job: usize,
    /// How often what keeps drains from going on is looked at again
    /// (`-host_maintenance_polling_interval`).
    pub host_maintenance_polling_ms: i64,
    /// Whether policies protect jobs that are not for production too (`-sla_aware_kill_non_prod`).
    pub sla_aware_kill_non_prod: bool,
    /// Instances below which policies by percentage or count protect nothing
    /// (`-min_required_instances_for_sla_check`).
    pub min_required_instances_for_sla_check: u32,
    /// The longest time that a policy may want an instance to have run (`-max_sla_duration_secs`).
    pub max_sla_duration_secs: u64,
    /// Coordinators that are asked at the same time (`-max_parallel_coordinated_maintenance`).
    pub max_parallel_coordinated_maintenance: usize,
    /// How long a coordinator may take to answer (`-sla_coordinator_timeout`).
    pub sla_coordinator_timeout_ms: i64,
}

impl Settings {
    /// How long an ended task is remembered if its job has not too many.
    pub(crate) fn history_ms(&self) -> i64 {
        self.history_prune_threshold_ms.max(self.history_min_retention_ms)
    }
}

/// The environments that jobs may have.
#[derive(Debug, Clone, Default)]
pub struct Environments(Option<Regex>);

/// A regular expression cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no regular expression: {1}")]
pub struct BadPattern(String, String);

impl Environments {
    /// What is allowed if nothing else is said.
    pub const DEFAULT: &str = r"^(prod|devel|test|staging\d*)$";

    /// Those whose whole name matches a regular expression.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(pattern: &str) -> Result<Self, BadPattern> {
        if pattern == Self::DEFAULT {
            return Ok(Self(None));
        }
        // By itself first: `a)|(?:b` would end what is put around it.
        let whole = Regex::new(pattern).and_then(|_| Regex::new(&format!("^(?:{pattern})$")));
        let regex = whole.map_err(|error| BadPattern(pattern.to_owned(), error.to_string()))?;
        Ok(Self(Some(regex)))
    }

    /// Whether a job may have this environment.
    pub fn allow(&self, name: &str) -> bool {
        match &self.0 {
            Some(regex) => regex.is_match(name),
            None => {
                let number = name.strip_prefix("staging");
                matches!(name, "prod" | "devel" | "test")
                    || number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
            }
        }
    }

    /// What is allowed, in words.
    pub(crate) fn allowed(&self) -> String {
        match &self.0 {
            Some(regex) => format!("use one that matches {}", regex.as_str()),
            None => "use prod, devel, test, or staging with an optional number".to_owned(),
        }
    }
}

/// They allow what they allow.
impl PartialEq for Environments {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref().map(Regex::as_str) == other.0.as_ref().map(Regex::as_str)
    }
}

/// What a tier means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// Whether its tasks may be stopped to make room.
    pub preemptible: bool,
    /// Whether they use resources that can be taken away.
    pub revocable: bool,
}

impl Default for Settings {
    fn default() -> Self {
        const SECOND: i64 = 1000;
        const MINUTE: i64 = 60 * SECOND;
        const HOUR: i64 = 60 * MINUTE;
        let tier =
            |name: &str, preemptible, revocable| (name.to_owned(), Tier { preemptible, revocable });
        Self {
            cluster_name: "devcluster".to_owned(),
            scheduler_host: "localhost".to_owned(),
            max_tasks_per_job: 4000,
            environments: Environments::default(),
            executor_overhead: aurora_model::job::ResourceBag {
                cpus: aurora_model::job::MilliCpus(250),
                ram_mb: 128,
                ..Default::default()
            },
            tiers: BTreeMap::from([
                tier("preemptible", true, false),
                tier("preferred", false, false),
                tier("revocable", true, true),
            ]),
            default_tier: "preemptible".to_owned(),
            unset_quota: Some(aurora_model::quota::ResourceAggregate::default()),
            min_offer_hold_ms: 5 * MINUTE,
            offer_hold_jitter_ms: MINUTE,
            hold_offers_forever: false,
            offer_order: vec![crate::placement::OfferOrder::Random],
            revocable_cpus: true,
            revocable_ram: false,
            enable_preemptor: true,
            preemption_delay_ms: 3 * MINUTE,
            preemption_search_interval_ms: MINUTE,
            preemption_initial_delay_ms: 3 * MINUTE,
            preemption_batch_size: 5,
            offer_reservation_ms: 3 * MINUTE,
            preempt_production: false,
            max_tasks_per_schedule_attempt: 5,
            looks_per_step: 16_000,
            flapping_threshold_ms: 5 * MINUTE,
            initial_flapping_delay_ms: 30 * SECOND,
            max_flapping_delay_ms: 5 * MINUTE,
            transient_timeout_ms: 5 * MINUTE,
            initial_kill_retry_ms: 15 * SECOND,
            reconciliation_initial_delay_ms: MINUTE,
            reconciliation_explicit_interval_ms: HOUR,
            reconciliation_implicit_interval_ms: HOUR,
            reconciliation_spread_ms: HOUR / 2,
            reconciliation_batch_size: 1000,
            reconciliation_batch_interval_ms: 5 * SECOND,
            history_prune_threshold_ms: 48 * HOUR,
            history_min_retention_ms: HOUR,
            history_max_per_job: 100,
            allow_gpu_resource: false,
            allow_container_volumes: false,
            cron_time_zone: "GMT".to_owned(),
            cron_catch_up_limit: 100,
            unavailability_threshold_ms: 6 * MINUTE,
            told_whole: BTreeSet::new(),
            max_update_instance_failures: 20_000,
            enable_update_affinity: false,
            update_affinity_hold_ms: 3 * MINUTE,
            sla_retry_min_ms: MINUTE,
            sla_retry_max_ms: 5 * MINUTE,
            update_history_interval_ms: 15 * MINUTE,
            update_history_threshold_ms: 30 * 24 * HOUR,
            update_history_per_job: 10,
            host_maintenance_polling_ms: MINUTE,
            sla_aware_kill_non_prod: false,
            min_required_instances_for_sla_check: 20,
            max_sla_duration_secs: 2 * 60 * 60,
            max_parallel_coordinated_maintenance: 10,
            sla_coordinator_timeout_ms: MINUTE,
        }
    }
}
