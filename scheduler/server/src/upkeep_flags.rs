//! The flags of what is done by the clock: asking Mesos how tasks are, and forgetting.

use aurora_scheduler_core::{MAX_RECONCILED_AT_ONCE, Settings};

use crate::flags::{FlagsError, positive, whole_seconds};

/// What an operator can choose of upkeep, by the original's names.
#[derive(Debug, Clone, clap::Args)]
pub struct UpkeepFlags {
    /// When after its start the scheduler first asks Mesos for the state of tasks by the clock.
    #[arg(long, value_name = "DURATION", default_value = "1mins", value_parser = whole_seconds)]
    pub reconciliation_initial_delay: u32,
    /// How often the state of every task that an agent should have is asked for.
    #[arg(long, value_name = "DURATION", default_value = "60mins", value_parser = whole_seconds)]
    pub reconciliation_explicit_interval: u32,
    /// How often Mesos is asked to tell the state of every task that it knows.
    #[arg(long, value_name = "DURATION", default_value = "60mins", value_parser = whole_seconds)]
    pub reconciliation_implicit_interval: u32,
    /// How much later than for the tasks that should be there Mesos is asked for those that it knows.
    #[arg(long, value_name = "DURATION", default_value = "30mins", value_parser = whole_seconds)]
    pub reconciliation_schedule_spread: u32,
    /// Tasks that are asked about at once, 10000 at most.
    #[arg(long, value_name = "COUNT", default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_RECONCILED_AT_ONCE)))]
    pub reconciliation_explicit_batch_size: u32,
    /// How long after some tasks the next ones are asked about.
    #[arg(long, value_name = "DURATION", default_value = "5secs", value_parser = whole_seconds)]
    pub reconciliation_explicit_batch_interval: u32,
    /// How long ended tasks are remembered.
    #[arg(long, value_name = "DURATION", default_value = "2days", value_parser = whole_seconds)]
    pub history_prune_threshold: u32,
    /// How long ended tasks are remembered however many a job has.
    #[arg(long, value_name = "DURATION", default_value = "1hrs", value_parser = whole_seconds)]
    pub history_min_retention_threshold: u32,
    /// Ended tasks of each job that are remembered.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub history_max_per_job_threshold: usize,
}

impl UpkeepFlags {
    /// These choices in place of the defaults.
    pub(crate) fn choose(&self, settings: Settings) -> Result<Settings, FlagsError> {
        positive(&[
            ("reconciliation-explicit-interval", self.reconciliation_explicit_interval),
            ("reconciliation-implicit-interval", self.reconciliation_implicit_interval),
            ("reconciliation-explicit-batch-interval", self.reconciliation_explicit_batch_interval),
        ])?;
        let ms = |seconds: u32| i64::from(seconds) * 1000;
        Ok(Settings {
            reconciliation_initial_delay_ms: ms(self.reconciliation_initial_delay),
            reconciliation_explicit_interval_ms: ms(self.reconciliation_explicit_interval),
            reconciliation_implicit_interval_ms: ms(self.reconciliation_implicit_interval),
            reconciliation_spread_ms: ms(self.reconciliation_schedule_spread),
            reconciliation_batch_size: usize::try_from(self.reconciliation_explicit_batch_size)
                .unwrap_or(usize::MAX),
            reconciliation_batch_interval_ms: ms(self.reconciliation_explicit_batch_interval),
            history_prune_threshold_ms: ms(self.history_prune_threshold),
            history_min_retention_ms: ms(self.history_min_retention_threshold),
            history_max_per_job: self.history_max_per_job_threshold,
            ..settings
        })
    }
}
