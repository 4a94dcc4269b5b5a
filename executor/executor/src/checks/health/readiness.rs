//! Whether a task that runs takes work: what the original did not know.

use aurora_model::config::ReadinessConfig;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Asker, count, interval};

/// The answers so far. Pure.
#[derive(Debug)]
struct Gate {
    max_failures: u64,
    min_successes: u64,
    /// In a row.
    successes: u64,
    /// In a row.
    failures: u64,
    is_open: bool,
}

impl Gate {
    fn new(config: &ReadinessConfig) -> Self {
        Self {
            max_failures: count(config.max_consecutive_failures),
            min_successes: count(config.min_consecutive_successes),
            successes: 0,
            failures: 0,
            is_open: false,
        }
    }

    /// Takes in whether an answer was right. Gives whether the task is ready.
    fn answered(&mut self, right: bool) -> bool {
        if right {
            self.failures = 0;
            self.successes = self.successes.saturating_add(1);
            self.is_open |= self.successes >= self.min_successes;
        } else {
            self.successes = 0;
            self.failures = self.failures.saturating_add(1);
            self.is_open &= self.failures <= self.max_failures;
        }
        self.is_open
    }
}

/// Asks until told to stop, and says in `ready` whether the task is.
pub(crate) async fn watch(
    config: ReadinessConfig,
    asker: Asker,
    ready: watch::Sender<bool>,
    stop: CancellationToken,
) {
    let mut gate = Gate::new(&config);
    let interval = interval(config.interval_secs);
    loop {
        let Some(answer) = stop.run_until_cancelled(asker.ask()).await else { return };
        let is_ready = gate.answered(answer.is_ok());
        let changed = ready.send_if_modified(|was| std::mem::replace(was, is_ready) != is_ready);
        match (changed, answer) {
            (true, Ok(())) => tracing::info!("the task is ready"),
            (true, Err(reason)) => tracing::warn!(reason, "the task is not ready any more"),
            (false, Err(reason)) => {
                tracing::debug!(reason, "the task answers that it is not ready")
            }
            (false, Ok(())) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::sync::Arc;

    use aurora_thermos::process::children::Children;
    use tokio::net::TcpListener;

    use super::*;
    use crate::checks::health::{Checker, Surroundings};

    #[tokio::test]
    async fn it_follows_what_the_task_answers() {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Arc::new(OwnedFd::from(std::fs::File::open(folder.path()).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let surroundings = Surroundings {
            children: Children::adopt().unwrap(),
            sandbox,
            image: None,
            user: None,
            environment: Vec::new(),
        };
        let asker = Asker::new(Checker::Tcp(port), 20.0, Arc::new(surroundings));
        let (sender, mut ready) = watch::channel(false);
        let stop = CancellationToken::new();
        let config = ReadinessConfig { interval_secs: 0.1, ..ReadinessConfig::default() };
        let watching = tokio::spawn(watch(config, asker, sender, stop.clone()));
        let patience = std::time::Duration::from_secs(30);
        tokio::time::timeout(patience, ready.wait_for(|ready| *ready)).await.unwrap().unwrap();
        drop(listener);
        tokio::time::timeout(patience, ready.wait_for(|ready| !ready)).await.unwrap().unwrap();
        stop.cancel();
        watching.await.unwrap();
    }

    #[test]
    fn it_opens_after_right_answers_and_closes_after_wrong_ones() {
        let config = ReadinessConfig {
            max_consecutive_failures: 1,
            min_consecutive_successes: 2,
            ..ReadinessConfig::default()
        };
        let mut gate = Gate::new(&config);
        let answers = "TFTTFTFFTT";
        let open: String = answers
            .chars()
            .map(|answer| if gate.answered(answer == 'T') { 'o' } else { '-' })
            .collect();
        assert_eq!(open, "---oooo--o");
    }
}
