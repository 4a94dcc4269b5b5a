//! `host_drain`: hosts are emptied from here, one group after the other.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aurora_client::drain::{Outcome, Terms, Told, drain_group, judge};
use aurora_client::duration;
use aurora_client::hosts::Grouping;
use aurora_client::scheduler::maintenance::HostChange;
use aurora_client::sla::Demand;
use serde_json::json;

use super::consent::Consent;
use super::hosts::{Hosts, all_known, or_unknown, tell_progress};
use super::safety::{percentage, row};
use super::target::Target;
use crate::failure::{Code, Failure};
use crate::number;
use crate::output::{Output, note, print, warn};

/// What jobs must keep if nothing else is said.
const DEFAULT: Demand = Demand { percent: 95.0, duration: Duration::from_secs(30 * 60) };

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    hosts: Hosts,
    /// A program that is run with the name of each host that has been emptied.
    #[arg(long, value_name = "PROGRAM")]
    post_drain_script: Option<PathBuf>,
    /// Which hosts are emptied at the same time: by_host, none (all), or by_name:REGEX.
    #[arg(long, value_name = "HOW", default_value = "by_host")]
    grouping: Grouping,
    /// How many percent of the instances of a job must be up, instead of 95.
    #[arg(
        long,
        value_name = "PERCENT",
        value_parser = percentage,
        requires_all = ["override_duration", "override_reason"]
    )]
    override_percentage: Option<f64>,
    /// How long they must have been up, instead of 30m.
    #[arg(
        long,
        value_name = "TIME",
        value_parser = duration::parse,
        requires_all = ["override_percentage", "override_reason"]
    )]
    override_duration: Option<Duration>,
    /// Why, to be logged.
    #[arg(
        long,
        value_name = "TEXT",
        requires_all = ["override_percentage", "override_duration"]
    )]
    override_reason: Option<String>,
    /// Write the hosts that were not emptied to a file.
    #[arg(long, value_name = "FILE")]
    unsafe_hosts_file: Option<PathBuf>,
    /// Jobs with fewer production instances are not looked at.
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = number::from::<usize>(0))]
    min_job_instance_count: usize,
    /// How long a group may take.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = crate::timeout::duration)]
    timeout: Duration,
    /// This command always waits; taken as sla_host_drain's is.
    #[arg(long, hide = true)]
    wait: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let hosts = self.hosts.names()?;
        let script = self.script()?;
        let scheduler = self.target.scheduler().await?;
        let terms = self.terms(&hosts);
        if self.consent.dry_run || self.consent.asks() {
            let (found, unknown) = scheduler.hosts(&hosts).await?;
            if self.consent.dry_run {
                let known = found.into_iter().map(|host| host.name);
                let (mut would, mut unsafe_hosts) = (BTreeSet::new(), BTreeSet::new());
                for group in self.grouping.groups(known) {
                    let judged = judge(&scheduler, &group, terms).await?;
                    for (host, prediction) in &judged.unsafe_hosts {
                        note(&format!("unsafe: {}", row(&self.target.name, host, prediction)));
                    }
                    unsafe_hosts.extend(judged.unsafe_hosts.into_iter().map(|(host, _)| host));
                    would.extend(judged.safe);
                }
                if self.output.is_data() {
                    self.output.print(&json!({
                        "wouldDrain": would, "unsafe": unsafe_hosts, "unknown": unknown,
                    }))?;
                } else {
                    print(&would.iter().fold(String::new(), |text, host| {
                        text + &format!("Would drain {host}\n")
                    }))?;
                }
                return all_known(&unknown);
            }
            let tasks: u64 = found.iter().map(|host| u64::from(host.tasks)).sum();
            self.consent
                .ask(&format!(
                    "This moves up to {tasks} tasks away from {} hosts of {}.",
                    found.len(),
                    self.target.name
                ))
                .await?;
        }
        // No task moves from one of the hosts to another.
        let started = scheduler.change_hosts(&HostChange::Start, &hosts).await?;
        let mut all = Outcome::default();
        let mut failed_scripts = Vec::new();
        for group in self.grouping.groups(started.modes.into_iter().map(|(host, _)| host)) {
            let outcome = drain_group(&scheduler, &group, terms, |told| self.tell(&told)).await?;
            if let Some(script) = &script {
                for host in &outcome.drained {
                    if let Err(reason) = run_script(script, host).await {
                        warn(&format!("{} of {host} has failed: {reason}", script.display()));
                        failed_scripts.push(host.clone());
                    }
                }
            }
            all.drained.extend(outcome.drained);
            all.unsafe_hosts.extend(outcome.unsafe_hosts);
            all.late.extend(outcome.late);
            all.called_off.extend(outcome.called_off);
        }
        self.show(&all, &started.unknown, &failed_scripts)?;
        or_unknown(verdict(&all, failed_scripts.len()), &started.unknown)
    }

    /// The program, which must be there before anything is done.
    fn script(&self) -> Result<Option<PathBuf>, Failure> {
        let Some(script) = &self.post_drain_script else { return Ok(None) };
        match std::fs::canonicalize(script) {
            Ok(found) if found.is_file() => Ok(Some(found)),
            Ok(_) => Err(Failure::new(
                Code::InvalidParameter,
                format!("--post-drain-script {} is no file", script.display()),
            )),
            Err(error) => Err(Failure::new(
                Code::InvalidParameter,
                format!("--post-drain-script {} cannot be used: {error}", script.display()),
            )),
        }
    }

    /// What jobs must keep. What is not the usual is told, with the reason.
    fn terms(&self, hosts: &BTreeSet<String>) -> Terms {
        let demand = Demand {
            percent: self.override_percentage.unwrap_or(DEFAULT.percent),
            duration: self.override_duration.unwrap_or(DEFAULT.duration),
        };
        if let Some(reason) = &self.override_reason {
            warn(&format!(
                "{} % for {} instead of {} % for {} of {}: {reason}",
                demand.percent,
                duration::shown(demand.duration),
                DEFAULT.percent,
                duration::shown(DEFAULT.duration),
                hosts.iter().cloned().collect::<Vec<_>>().join(", "),
            ));
        }
        Terms { demand, min_instances: self.min_job_instance_count, patience: self.timeout }
    }

    fn tell(&self, told: &Told<'_>) {
        match told {
            Told::Unsafe(host, prediction) => {
                warn(&format!(
                    "{host} is not drained, for what would be left of a job: {}",
                    row(&self.target.name, host, prediction)
                ));
            }
            Told::Host(host) => tell_progress(host),
        }
    }

    /// Prints the hosts that were not drained, one on each line, and writes them to the file.
    fn show(&self, all: &Outcome, unknown: &[String], failed: &[String]) -> Result<(), Failure> {
        for host in &all.late {
            warn(&format!(
                "{host} is not drained within {}; it is still being",
                duration::shown(self.timeout)
            ));
        }
        for host in &all.called_off {
            warn(&format!("{host} is not drained: that was called off meanwhile"));
        }
        let left: BTreeSet<&String> =
            all.unsafe_hosts.iter().chain(&all.late).chain(&all.called_off).collect();
        let lines: String = left.iter().map(|host| format!("{host}\n")).collect();
        if let Some(file) = self.unsafe_hosts_file.as_ref().filter(|_| !left.is_empty())
            && let Err(error) = std::fs::write(file, &lines)
        {
            warn(&format!("failed to write {}: {error}", file.display()));
        }
        if self.output.is_data() {
            return self.output.print(&json!({
                "drained": all.drained,
                "unsafe": all.unsafe_hosts,
                "late": all.late,
                "calledOff": all.called_off,
                "unknown": unknown,
                "failedScripts": failed,
            }));
        }
        print(&lines)
    }
}

/// Fails unless all hosts are drained and the program has not failed.
fn verdict(all: &Outcome, failed_scripts: usize) -> Result<(), Failure> {
    let left = all.unsafe_hosts.len() + all.late.len() + all.called_off.len();
    let message = match (left, failed_scripts) {
        (0, 0) => return Ok(()),
        (0, failed) => {
            format!("all hosts are drained; the program has failed for {failed} of them")
        }
        (left, _) => format!("{left} of {} hosts are not drained", left + all.drained.len()),
    };
    Err(Failure::new(Code::CommandFailure, message))
}

/// Runs the program to its end.
async fn run_script(script: &Path, host: &str) -> Result<(), String> {
    let status = tokio::process::Command::new(script)
        .arg(host)
        .stdin(std::process::Stdio::null())
        // What it prints is not this command's result.
        .stdout(std::io::stderr())
        .status()
        .await
        .map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}
