//! `host_deactivate`, `host_activate`, `host_status` and `host_list`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use aurora_client::hosts::{in_file, listed};
use aurora_client::scheduler::maintenance::{Host, HostChange};
use aurora_model::job::Timestamp;
use aurora_model::maintenance::{MaintenanceCause, MaintenanceMode};
use serde_json::{Value, json};

use super::target::{Stream, Target};
use crate::failure::{Code, Failure};
use crate::output::{Output, note, print, utc, warn};

/// Some hosts, which are given one way or the other.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Hosts {
    /// The hosts, such as host-1,host-2.
    #[arg(long, value_name = "HOST,…", value_parser = listed)]
    hosts: Option<BTreeSet<String>>,
    /// A file with a host on each line; empty lines and those that begin with # are skipped.
    #[arg(long, value_name = "FILE")]
    filename: Option<PathBuf>,
}

impl Hosts {
    pub(super) fn names(&self) -> Result<BTreeSet<String>, Failure> {
        match &self.filename {
            Some(file) => Ok(in_file(file)?),
            None => Ok(self.hosts.clone().unwrap_or_default()),
        }
    }
}

/// Fails if some hosts are not known; the others were seen to.
pub(super) fn all_known(unknown: &[String]) -> Result<(), Failure> {
    if unknown.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the scheduler does not know {}: it knows a host once one of its agents has offered something; \
         `aurora admin host_list` shows those",
        unknown.join(", ")
    );
    Err(Failure::new(Code::InvalidParameter, message))
}

/// The failure with the hosts that are known, or that some are not, which is told anyway.
pub(super) fn or_unknown(result: Result<(), Failure>, unknown: &[String]) -> Result<(), Failure> {
    match (result, all_known(unknown)) {
        (Err(failure), Err(beside)) => {
            warn(&beside.to_string());
            Err(failure)
        }
        (Err(failure), Ok(())) | (Ok(()), Err(failure)) => Err(failure),
        (Ok(()), Ok(())) => Ok(()),
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct DeactivateArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ActivateArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    hosts: Hosts,
    #[command(flatten)]
    stream: Stream,
    #[command(flatten)]
    output: Output,
}

impl DeactivateArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        self.common.change(&HostChange::Start).await
    }
}

impl ActivateArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        self.common.change(&HostChange::End).await
    }
}

impl Common {
    async fn change(&self, change: &HostChange) -> Result<(), Failure> {
        let hosts = self.hosts.names()?;
        let scheduler = self.target.scheduler().await?;
        let changed = scheduler.change_hosts(change, &hosts).await?;
        show_modes(&changed.modes, self.stream, self.output)?;
        all_known(&changed.unknown)
    }
}

/// Prints the modes that hosts have now.
pub(super) fn show_modes(
    modes: &[(String, MaintenanceMode)],
    stream: Stream,
    output: Output,
) -> Result<(), Failure> {
    if output.is_data() {
        let row =
            |(host, mode): &(String, MaintenanceMode)| json!({ "host": host, "mode": mode.name() });
        return output.print(&modes.iter().map(row).collect::<Vec<_>>());
    }
    for (host, mode) in modes {
        stream.line(&state_line(host, *mode))?;
    }
    Ok(())
}

/// In the original's words: scripts take the mode from the end.
fn state_line(host: &str, mode: MaintenanceMode) -> String {
    format!("{host} is in state: {mode}")
}

#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    common: Common,
}

impl StatusArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Common { target, hosts, stream, output } = self.common;
        let names = hosts.names()?;
        let (found, unknown) = target.scheduler().await?.hosts(&names).await?;
        if output.is_data() {
            output.print(&found.iter().map(as_json).collect::<Vec<_>>())?;
        } else {
            for host in &found {
                for (task, reason) in &host.waiting {
                    note(&format!("{}: {task} stays: {reason}", host.name));
                }
                stream.line(&state_line(&host.name, host.maintenance.mode))?;
            }
        }
        all_known(&unknown)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: Target,
    /// Only hosts of these modes: NONE, SCHEDULED, DRAINING, DRAINED.
    #[arg(long, value_name = "MODE,…", value_delimiter = ',')]
    mode: Vec<MaintenanceMode>,
    #[command(flatten)]
    output: Output,
}

impl ListArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let is_wanted = |mode: MaintenanceMode| self.mode.is_empty() || self.mode.contains(&mode);
        let scheduler = self.target.scheduler().await?;
        let mut found = scheduler.all_hosts(!is_wanted(MaintenanceMode::None)).await?;
        found.retain(|host| is_wanted(host.maintenance.mode));
        if self.output.is_data() {
            return self.output.print(&found.iter().map(as_json).collect::<Vec<_>>());
        }
        print(&table(&found))
    }
}

/// The rows below their heading; nothing if there are none.
fn table(hosts: &[Host]) -> String {
    let Some(width) = hosts.iter().map(|host| host.name.len()).max() else { return String::new() };
    let width = width.max("HOST".len());
    let mut text = format!(
        "{:width$} {:9} {:>6} {:>7} {:8} {}\n",
        "HOST", "MODE", "TASKS", "WAITING", "BY", "FORCED AT"
    );
    for host in hosts {
        let mode = host.maintenance.mode;
        let by = if mode == MaintenanceMode::None { "" } else { by(host) };
        let forced = forced_at(host).map(|at| utc(at.0)).unwrap_or_default();
        let line = format!(
            "{:width$} {mode:9} {:>6} {:>7} {by:8} {forced}",
            host.name,
            host.tasks,
            host.waiting.len()
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn by(host: &Host) -> &'static str {
    match host.maintenance.cause {
        MaintenanceCause::Operator => "operator",
        MaintenanceCause::Mesos => "mesos",
    }
}

/// From when on its tasks are moved whatever policies say, if it is being drained.
fn forced_at(host: &Host) -> Option<Timestamp> {
    let is_draining = host.maintenance.mode == MaintenanceMode::Draining;
    host.maintenance
        .drain
        .as_ref()
        .filter(|_| is_draining)
        .map(aurora_model::maintenance::Drain::deadline)
}

pub(super) fn as_json(host: &Host) -> Value {
    let waiting = host.waiting.iter().map(|(task, why)| json!({ "task": task, "reason": why }));
    json!({
        "host": host.name,
        "mode": host.maintenance.mode.name(),
        "cause": by(host),
        "tasks": host.tasks,
        "waiting": waiting.collect::<Vec<_>>(),
        "forcedAt": forced_at(host).map(|at| utc(at.0)),
        "unavailableFrom": host.unavailable_from.map(|at| utc(at.0)),
    })
}

/// Tells how a host that is being drained stands.
pub(super) fn tell_progress(host: &Host) {
    let mut line = format!("{}: {}", host.name, host.maintenance.mode);
    if host.maintenance.mode == MaintenanceMode::Draining {
        line.push_str(&format!(", {} tasks left", host.tasks));
        if let Some((task, reason)) = host.waiting.first() {
            line.push_str(&format!(
                ", {} may not be moved yet ({task}: {reason})",
                host.waiting.len()
            ));
        }
        if let Some(at) = forced_at(host) {
            line.push_str(&format!(", by force from {} UTC on", utc(at.0)));
        }
    }
    note(&line);
}

/// Warns of hosts that have tasks still.
pub(super) fn warn_undrained(hosts: &BTreeSet<String>) {
    for host in hosts {
        warn(&format!("{host} is not drained"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aurora_model::maintenance::{Drain, HostMaintenance};

    #[test]
    fn hosts_are_listed_in_columns() {
        let host = |name: &str, mode, drain| Host {
            name: name.to_owned(),
            maintenance: HostMaintenance { mode, cause: MaintenanceCause::Operator, drain },
            tasks: 12,
            waiting: vec![("t".to_owned(), "it must".to_owned())],
            unavailable_from: None,
        };
        let drain = Drain { timeout_secs: 60, ..Drain::at_once(Timestamp(1_500_000_000_000)) };
        let hosts = [
            host("a-host-1", MaintenanceMode::None, None),
            host("b", MaintenanceMode::Draining, Some(drain)),
        ];
        assert_eq!(
            table(&hosts),
            "HOST     MODE       TASKS WAITING BY       FORCED AT\n\
             a-host-1 NONE          12       1\n\
             b        DRAINING      12       1 operator 2017-07-14T02:41:00\n"
        );
        assert_eq!(table(&[]), "");
    }
}
