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
use tokio::time::Instant;
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

/// How soon a task that is starting is asked again: sooner than its job says, so that it runs as
/// soon as it is well. Only a right answer counts then.
const SOON: Duration = Duration::from_millis(500);

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
    let mut early = None;
    while machine.asks_again() {
        let answer = match early.take() {
            Some(early) => Some(early),
            None => answer(&asker, &sandbox, &stop).await,
        };
        let Some(answer) = answer else { return };
        match &answer {
            Ok(()) => tracing::debug!("the task is well"),
            Err(reason) => {
                tracing::warn!(reason, "the task is not well");
                last_wrong = Some(reason.clone());
            }
        }
        let was_wrong = answer.is_err();
        machine.answered(answer);
        let is_due = tokio::time::sleep(interval);
        match machine.health() {
            Health::Starting if was_wrong => {
                tokio::select! {
                    () = is_due => {}
                    right = right_soon(&asker, &sandbox, &stop) => {
                        if !right {
                            return;
                        }
                        // What is due by now is that answer.
                        early = Some(Ok(()));
                    }
                }
                continue;
            }
            Health::Starting => {}
            Health::Healthy => say.verdict(Verdict::Running(HEALTHY.to_owned())),
            Health::Unhealthy(_) => break,
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = is_due => {}
        }
    }
    if let Health::Unhealthy(reason) = machine.health() {
        let last = last_wrong.filter(|_| reason == TOO_LATE);
        let last = last.map(|last| format!(" The last that failed: {last}")).unwrap_or_default();
        say.verdict(Verdict::Failed(format!("Failed health check! {reason}{last}")));
    }
}

/// Asks once, unless it snoozes; nothing if it was told to stop.
async fn answer(
    asker: &Asker,
    sandbox: &OwnedFd,
    stop: &CancellationToken,
) -> Option<Result<(), String>> {
    if is_snoozed(sandbox) {
        tracing::info!("snoozing: the health check counts as passed");
        return Some(Ok(()));
    }
    tokio::select! {
        () = stop.cancelled() => None,
        answer = asker.ask() => Some(answer),
    }
}

/// Asks until the answer is right, which it gives, or until told to stop.
async fn right_soon(asker: &Asker, sandbox: &OwnedFd, stop: &CancellationToken) -> bool {
    let mut pause = SOON;
    loop {
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep(pause) => {}
        }
        let began = Instant::now();
        match answer(asker, sandbox, stop).await {
            Some(Ok(())) => return true,
            Some(Err(_)) => {}
            None => return false,
        }
        // What takes long to ask is not asked all the time.
        pause = SOON.max(began.elapsed());
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
