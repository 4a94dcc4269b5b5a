//! The flags of updates.

use aurora_scheduler_core::Settings;

use crate::flags::{FlagsError, positive, whole_seconds};

/// What an operator can choose of updates, by the original's names.
#[derive(Debug, Clone, clap::Args)]
pub struct UpdateFlags {
    /// Failures that an update may forgive to all its instances together.
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    pub max_update_instance_failures: u64,
    /// Whether the agent of an instance that is replaced is kept for what replaces it.
    #[arg(long, value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true")]
    pub enable_update_affinity: bool,
    /// For how long it is kept at most.
    #[arg(long, value_name = "DURATION", default_value = "3mins", value_parser = whole_seconds)]
    pub update_affinity_reservation_hold_time: u32,
    /// How long an update waits at first before it asks an SLA policy again, if nothing happens that may
    /// let it agree.
    #[arg(long, value_name = "DURATION", default_value = "1mins", value_parser = whole_seconds)]
    pub sla_aware_kill_retry_min_delay: u32,
    /// How long an update waits at most before it asks an SLA policy again, if nothing happens.
    #[arg(long, value_name = "DURATION", default_value = "5mins", value_parser = whole_seconds)]
    pub sla_aware_kill_retry_max_delay: u32,
    /// Updates of each job that are remembered when they are over.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub job_update_history_per_job_threshold: usize,
    /// How often updates are forgotten that are old or too many.
    #[arg(long, value_name = "DURATION", default_value = "15mins", value_parser = whole_seconds)]
    pub job_update_history_pruning_interval: u32,
    /// How long updates are remembered that are over.
    #[arg(long, value_name = "DURATION", default_value = "30days", value_parser = whole_seconds)]
    pub job_update_history_pruning_threshold: u32,
}

impl UpdateFlags {
    /// These choices in place of the defaults.
    pub(crate) fn choose(&self, settings: Settings) -> Result<Settings, FlagsError> {
        // What is done again and again at once keeps everything else waiting.
        positive(&[
            ("sla-aware-kill-retry-min-delay", self.sla_aware_kill_retry_min_delay),
            ("sla-aware-kill-retry-max-delay", self.sla_aware_kill_retry_max_delay),
            ("job-update-history-pruning-interval", self.job_update_history_pruning_interval),
        ])?;
        if self.max_update_instance_failures == 0 {
            let (flag, value) = ("max-update-instance-failures", "0".to_owned());
            return Err(FlagsError::Range { flag, value });
        }
        let ms = |seconds: u32| i64::from(seconds) * 1000;
        Ok(Settings {
            max_update_instance_failures: self.max_update_instance_failures,
            enable_update_affinity: self.enable_update_affinity,
            update_affinity_hold_ms: ms(self.update_affinity_reservation_hold_time),
            sla_retry_min_ms: ms(self.sla_aware_kill_retry_min_delay),
            sla_retry_max_ms: ms(self.sla_aware_kill_retry_max_delay),
            update_history_per_job: self.job_update_history_per_job_threshold,
            update_history_interval_ms: ms(self.job_update_history_pruning_interval),
            update_history_threshold_ms: ms(self.job_update_history_pruning_threshold),
            ..settings
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::flags::tests::config;

    #[test]
    fn flags_of_updates_are_heeded_and_checked() {
        let settings = config(&[
            "--enable-update-affinity",
            "--update-affinity-reservation-hold-time=1mins",
            "--job-update-history-per-job-threshold=3",
        ])
        .unwrap()
        .settings;
        assert!(settings.enable_update_affinity);
        assert_eq!(
            (settings.update_affinity_hold_ms, settings.update_history_per_job),
            (60_000, 3)
        );
        let error = config(&["--sla-aware-kill-retry-min-delay=0secs"]).unwrap_err().to_string();
        assert_eq!(error, "--sla-aware-kill-retry-min-delay is out of range: 0");
    }
}
