//! `sla_host_drain`: the scheduler empties hosts.

use std::collections::BTreeSet;
use std::time::Duration;

use aurora_client::duration;
use aurora_client::scheduler::maintenance::HostChange;
use aurora_model::job::SlaPolicy;
use aurora_model::maintenance::MaintenanceMode;

use super::consent::Consent;
use super::hosts::{
    Hosts, all_known, as_json, or_unknown, show_modes, tell_progress, warn_undrained,
};
use super::safety::percentage;
use super::target::{Stream, Target};
use crate::failure::{Code, Failure};
use crate::output::{Output, note, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    hosts: Hosts,
    /// How many percent of the instances of a job without an SLA policy of its own must be up.
    #[arg(long, value_name = "PERCENT", default_value = "95", value_parser = percentage)]
    default_percentage: f64,
    /// How long they must have been up.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration::parse)]
    default_duration: Duration,
    /// What is left after so long is moved whatever policies say; 0s moves all of it now.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration::parse)]
    force_drain_timeout: Duration,
    /// Start services of a single instance elsewhere before they are stopped.
    #[arg(long)]
    surge: bool,
    /// Wait until the hosts are empty.
    #[arg(long)]
    wait: bool,
    /// How long to wait; without it, as long as it takes.
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = crate::timeout::duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    stream: Stream,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let names = self.hosts.names()?;
        let scheduler = self.target.scheduler().await?;
        if self.consent.dry_run || self.consent.asks() {
            let (found, unknown) = scheduler.hosts(&names).await?;
            if self.consent.dry_run {
                if self.output.is_data() {
                    self.output.print(&found.iter().map(as_json).collect::<Vec<_>>())?;
                } else {
                    for host in &found {
                        print(&format!("Would drain {} of {} tasks\n", host.name, host.tasks))?;
                    }
                }
                return all_known(&unknown);
            }
            let tasks: u64 = found.iter().map(|host| u64::from(host.tasks)).sum();
            self.consent
                .ask(&format!(
                    "This moves {tasks} tasks away from {} hosts of {}.",
                    found.len(),
                    self.target.name
                ))
                .await?;
        }
        let changed = scheduler.change_hosts(&self.change(), &names).await?;
        let known: BTreeSet<String> = changed.modes.iter().map(|(host, _)| host.clone()).collect();
        let mut modes = changed.modes;
        if self.wait {
            let undrained = scheduler.wait_drained(&known, self.timeout, tell_progress).await?;
            let (hosts, _) = scheduler.hosts(&known).await?;
            modes = hosts.into_iter().map(|host| (host.name, host.maintenance.mode)).collect();
            show_modes(&modes, self.stream, self.output)?;
            return or_unknown(self.judge(&modes, &undrained), &changed.unknown);
        }
        show_modes(&modes, self.stream, self.output)?;
        if modes.iter().any(|(_, mode)| *mode == MaintenanceMode::Draining) {
            note("The scheduler goes on by itself; see `aurora admin host_status`.");
        }
        all_known(&changed.unknown)
    }

    fn change(&self) -> HostChange {
        if self.force_drain_timeout.is_zero() {
            return HostChange::Drain;
        }
        HostChange::SlaDrain {
            default_policy: SlaPolicy::Percentage {
                percentage: self.default_percentage,
                duration_secs: self.default_duration.as_secs(),
            },
            timeout: self.force_drain_timeout,
            surge: self.surge,
        }
    }

    /// Fails if hosts have tasks still.
    fn judge(
        &self,
        modes: &[(String, MaintenanceMode)],
        undrained: &BTreeSet<String>,
    ) -> Result<(), Failure> {
        if undrained.is_empty() {
            return Ok(());
        }
        warn_undrained(undrained);
        let goes_on = modes
            .iter()
            .any(|(host, mode)| undrained.contains(host) && *mode == MaintenanceMode::Draining);
        Err(if goes_on {
            Failure::new(Code::Timeout, "not all hosts are drained yet; the scheduler goes on")
        } else {
            Failure::new(Code::CommandFailure, "the drain was called off meanwhile")
        })
    }
}
