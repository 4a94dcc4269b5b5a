//! Asking a task how it is, again and again (`executor.md` 15.2 and 15.3).

mod ask;
mod grpc;
pub(crate) mod readiness;
mod shell;
mod verdict;

use std::time::Duration;

use aurora_model::config::HealthCheckConfig;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::verdict::{Health, MIN_INTERVAL_SECS, Machine, TOO_LATE};
use crate::checks::{Say, Verdict};

pub(crate) use self::ask::{Asker, Checker, NoPort, choose, choose_one};
pub(crate) use self::shell::Surroundings;

/// What is said of a task that nobody asks.
pub(crate) const ASSUMED: &str = "No health-check defined, task is assumed healthy.";
const HEALTHY: &str = "Task is healthy.";

/// How soon a task that is starting is asked again: sooner than its job says, so that it runs as
/// soon as it is well. Only a right answer counts then.
const SOON: Duration = Duration::from_millis(500);

/// The longest time that a file can ask for, in seconds: three years.
const MAX_SECS: f64 = 1e8;

/// Checks until told to stop, or until the task is unhealthy.
pub(crate) async fn watch(
    config: HealthCheckConfig,
    asker: Asker,
    say: Say,
    stop: CancellationToken,
) {
    watch_by(config, || asker.ask(), say, stop).await;
}

async fn watch_by<F: Future<Output = Result<(), String>>>(
    config: HealthCheckConfig,
    ask: impl Fn() -> F,
    say: Say,
    stop: CancellationToken,
) {
    let mut machine = Machine::new(&config);
    let interval = interval(config.interval_secs);
    let mut last_wrong = None;
    while machine.asks_again() {
        let Some(answer) = stop.run_until_cancelled(ask()).await else { return };
        match &answer {
            Ok(()) => tracing::debug!("the task is well"),
            Err(reason) => {
                tracing::warn!(reason, "the task is not well");
                last_wrong = Some(reason.clone());
            }
        }
        let was_wrong = answer.is_err();
        machine.answered(answer);
        let due = Instant::now() + interval;
        if was_wrong && *machine.health() == Health::Starting {
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                right = right_soon(&ask, &stop) => {
                    if !right {
                        return;
                    }
                    machine.answered_early();
                }
            }
        }
        match machine.health() {
            Health::Starting => {}
            Health::Healthy => say.verdict(Verdict::Running(HEALTHY.to_owned())),
            Health::Unhealthy(_) => break,
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(due) => {}
        }
    }
    if let Health::Unhealthy(reason) = machine.health() {
        let last = last_wrong.filter(|_| reason == TOO_LATE);
        let last = last.map(|last| format!(" The last that failed: {last}")).unwrap_or_default();
        say.verdict(Verdict::Failed(format!("Failed health check! {reason}{last}")));
    }
}

/// Asks until the answer is right, which it gives, or until told to stop.
async fn right_soon<F: Future<Output = Result<(), String>>>(
    ask: &impl Fn() -> F,
    stop: &CancellationToken,
) -> bool {
    let mut pause = SOON;
    loop {
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep(pause) => {}
        }
        let began = Instant::now();
        match stop.run_until_cancelled(ask()).await {
            Some(Ok(())) => return true,
            Some(Err(_)) => {}
            None => return false,
        }
        // What takes long to ask is not asked all the time.
        pause = SOON.max(began.elapsed());
    }
}

/// How long until it is asked again, of what a file gives in seconds.
fn interval(secs: f64) -> Duration {
    seconds(secs.max(MIN_INTERVAL_SECS))
}

/// A number that a file gives; one below 0 counts as 0.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A time that a file gives in seconds.
fn seconds(secs: f64) -> Duration {
    Duration::from_secs_f64(if secs.is_nan() { MAX_SECS } else { secs.clamp(0.0, MAX_SECS) })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::checks::Checks;

    /// What a task with these answers is at last, and when it was asked, in milliseconds.
    async fn asked(config: HealthCheckConfig, answers: &str) -> (Verdict, Vec<u128>) {
        let mut answers: Vec<char> = answers.chars().rev().collect();
        answers.insert(0, '-');
        let (answers, times) = (Mutex::new(answers), Arc::new(Mutex::new(Vec::new())));
        let (began, asked_at) = (Instant::now(), times.clone());
        let mut checks = Checks::new();
        checks.start("health", Verdict::Starting, |say, stop| async move {
            let ask = || {
                let answer = answers.lock().unwrap().pop().unwrap();
                if answer != '-' {
                    asked_at.lock().unwrap().push(began.elapsed().as_millis());
                }
                async move {
                    match answer {
                        'T' => Ok(()),
                        'F' => Err("wrong".to_owned()),
                        _ => std::future::pending().await,
                    }
                }
            };
            watch_by(config, ask, say, stop).await;
        });
        tokio::time::sleep(Duration::from_secs(1000)).await;
        let verdict = checks.verdict();
        checks.stop(tokio::time::sleep(Duration::from_secs(1))).await;
        let times = times.lock().unwrap().clone();
        (verdict, times)
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_answer_that_comes_early_uses_up_no_attempt_and_delays_none() {
        let config = HealthCheckConfig {
            initial_interval_secs: 15.0,
            interval_secs: 10.0,
            max_consecutive_failures: 0,
            min_consecutive_successes: 1,
            ..HealthCheckConfig::default()
        };
        let well = Verdict::Running(HEALTHY.to_owned());
        let times = vec![0, 500, 10_000, 20_000];
        assert_eq!(asked(config.clone(), "FTFT").await, (well.clone(), times.clone()));
        // The third that is due is forgiven no more.
        let ill = Verdict::Failed("Failed health check! wrong".to_owned());
        assert_eq!(asked(config.clone(), "FTFF").await, (ill, times));
        // One that has to succeed twice has the attempts it would have without those between.
        let twice = HealthCheckConfig {
            max_consecutive_failures: 1,
            min_consecutive_successes: 2,
            ..config
        };
        let times = vec![0, 500, 10_000, 10_500, 20_000, 20_500, 30_000, 30_500, 40_000];
        assert_eq!(asked(twice, "FTFTFTFTT").await, (well, times));
    }
}
