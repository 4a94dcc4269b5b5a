//! Asking a task how it is, again and again (`executor.md` 15.2 and 15.3).

mod ask;
mod grpc;
pub(crate) mod readiness;
mod shell;
mod verdict;

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use aurora_model::config::HealthCheckConfig;
use rustix::fs::{AtFlags, FileType, statat};
use tokio_util::sync::CancellationToken;

use self::verdict::{Health, MIN_INTERVAL_SECS, Machine, TOO_LATE};
use crate::checks::{Say, Verdict};

pub(crate) use self::ask::{Asker, Checker, NoPort, choose, choose_one};
pub(crate) use self::shell::Surroundings;

/// What is said of a task that nobody asks.
pub(crate) const ASSUMED: &str = "No health-check defined, task is assumed healthy.";
const HEALTHY: &str = "Task is healthy.";

/// While a file of this name is in the sandbox, every check counts as passed and none is made.
const SNOOZE: &str = ".healthchecksnooze";

/// The longest time that a file can ask for, in seconds: three years.
const MAX_SECS: f64 = 1e8;

/// Checks until told to stop, or until the task is unhealthy.
pub(crate) async fn watch(
    config: HealthCheckConfig,
    asker: Asker,
    sandbox: Arc<OwnedFd>,
    say: Say,
    stop: CancellationToken,
) {
    let mut machine = Machine::new(&config);
    let interval = seconds(config.interval_secs.max(MIN_INTERVAL_SECS));
    let mut last_wrong = None;
    while machine.asks_again() {
        let answer = if is_snoozed(&sandbox) {
            tracing::info!("snoozing: the health check counts as passed");
            Ok(())
        } else {
            tokio::select! {
                () = stop.cancelled() => return,
                answer = asker.ask() => answer,
            }
        };
        match &answer {
            Ok(()) => tracing::debug!("the task is well"),
            Err(reason) => {
                tracing::warn!(reason, "the task is not well");
                last_wrong = Some(reason.clone());
            }
        }
        machine.answered(answer);
        match machine.health() {
            Health::Starting => {}
            Health::Healthy => say.verdict(Verdict::Running(HEALTHY.to_owned())),
            Health::Unhealthy(_) => break,
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
    if let Health::Unhealthy(reason) = machine.health() {
        let last = last_wrong.filter(|_| reason == TOO_LATE);
        let last = last.map(|last| format!(" The last that failed: {last}")).unwrap_or_default();
        say.verdict(Verdict::Failed(format!("Failed health check! {reason}{last}")));
    }
}

/// A time that a file gives in seconds.
fn seconds(secs: f64) -> Duration {
    Duration::from_secs_f64(if secs.is_nan() { MAX_SECS } else { secs.clamp(0.0, MAX_SECS) })
}

/// Looks without following a link: the sandbox is its job's, who may put anything there.
fn is_snoozed(sandbox: &OwnedFd) -> bool {
    statat(sandbox.as_fd(), SNOOZE, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile)
}
