//! What has a say in the state of a task beside its processes: health, resources, the announcer
//! (`executor.md` 15.1).
//!
//! Each check runs by itself and says its verdict whenever that changes. All begin when the task's
//! processes have been started, and are stopped before these are told to end.

pub(crate) mod disk;
pub(crate) mod health;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What a check says of its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing: it has no opinion on whether the task runs.
    None,
    /// It is not known yet whether the task is well.
    Starting,
    /// The task is well; how, for people.
    Running(String),
    /// The task has to end; why, for people. Once said, it stays.
    Failed(String),
}

/// With this a check says its verdict.
#[derive(Debug, Clone)]
pub(crate) struct Say {
    place: usize,
    verdicts: watch::Sender<Vec<Verdict>>,
}

impl Say {
    /// Says a verdict. After [`Verdict::Failed`] nothing counts that is said.
    pub(crate) fn verdict(&self, verdict: Verdict) {
        self.verdicts.send_if_modified(|all| match all.get_mut(self.place) {
            Some(Verdict::Failed(_)) | None => false,
            Some(said) if *said == verdict => false,
            Some(said) => {
                *said = verdict;
                true
            }
        });
    }
}

/// The checks of one task.
#[derive(Debug)]
pub(crate) struct Checks {
    said: watch::Sender<Vec<Verdict>>,
    verdicts: watch::Receiver<Vec<Verdict>>,
    stop: CancellationToken,
    running: Vec<(&'static str, JoinHandle<()>)>,
}

impl Checks {
    /// No checks.
    pub(crate) fn new() -> Self {
        let (said, verdicts) = watch::channel(Vec::new());
        Self { said, verdicts, stop: CancellationToken::new(), running: Vec::new() }
    }

    /// Starts a check, which is asked after those that were started before. Until it says something
    /// else, `first` stands. It ends soon after it is told to stop.
    pub(crate) fn start<F>(
        &mut self,
        name: &'static str,
        first: Verdict,
        check: impl FnOnce(Say, CancellationToken) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        self.said.send_modify(|all| all.push(first));
        let say = Say { place: self.running.len(), verdicts: self.said.clone() };
        self.running.push((name, tokio::spawn(check(say, self.stop.child_token()))));
    }

    /// What they say together: who wants the task to end has its way; then whoever is not sure yet;
    /// then the first to whom the task is well.
    pub(crate) fn verdict(&self) -> Verdict {
        together(&self.verdicts.borrow())
    }

    /// Waits until one says something else.
    pub(crate) async fn changed(&mut self) {
        // The sender is kept here, so this waits for a change.
        let _ = self.verdicts.changed().await;
    }

    /// Tells all to stop, and waits until they have, but no longer than until `late`.
    pub(crate) async fn stop(&mut self, late: impl Future<Output = ()>) {
        self.stop.cancel();
        tokio::pin!(late);
        while let Some((name, check)) = self.running.last_mut() {
            tokio::select! {
                biased;
                ended = check => {
                    if let Err(error) = ended {
                        tracing::error!(check = name, %error, "a check has failed");
                    }
                    self.running.pop();
                }
                () = &mut late => break,
            }
        }
        for (name, check) in self.running.drain(..).filter(|(_, check)| !check.is_finished()) {
            tracing::error!(check = name, "a check does not stop");
            check.abort();
        }
    }
}

fn together(verdicts: &[Verdict]) -> Verdict {
    let failed = verdicts.iter().find(|verdict| matches!(verdict, Verdict::Failed(_)));
    let starting = || verdicts.iter().find(|verdict| **verdict == Verdict::Starting);
    let running = || verdicts.iter().find(|verdict| matches!(verdict, Verdict::Running(_)));
    failed.or_else(starting).or_else(running).cloned().unwrap_or(Verdict::None)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::*;

    #[test]
    fn s72_who_wants_an_end_has_it_and_who_is_not_sure_holds_up() {
        let running = || Verdict::Running("well".to_owned());
        let failed = || Verdict::Failed("ill".to_owned());
        for (all, expected) in [
            (vec![running(), failed()], failed()),
            (vec![failed(), running()], failed()),
            (vec![running(), Verdict::Starting], Verdict::Starting),
            (vec![Verdict::Starting, running()], Verdict::Starting),
            (vec![Verdict::None, running()], running()),
            (vec![running(), Verdict::None], running()),
            (vec![Verdict::None], Verdict::None),
            (vec![], Verdict::None),
        ] {
            assert_eq!(together(&all), expected, "{all:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn s72_an_end_that_was_asked_for_stays() {
        let mut checks = Checks::new();
        checks.start("recovers", Verdict::Starting, |say, stop| async move {
            say.verdict(Verdict::Failed("ill".to_owned()));
            say.verdict(Verdict::Running("well".to_owned()));
            stop.cancelled().await;
        });
        checks.changed().await;
        tokio::task::yield_now().await;
        assert_eq!(checks.verdict(), Verdict::Failed("ill".to_owned()));
        checks.stop(sleep(Duration::from_secs(1))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_stop_is_left_behind() {
        let mut checks = Checks::new();
        let (sender, mut stopped) = tokio::sync::oneshot::channel();
        checks.start("quick", Verdict::None, |_say, stop| async move {
            stop.cancelled().await;
            sender.send(()).unwrap();
        });
        checks.start("deaf", Verdict::None, |_say, _stop| std::future::pending());
        let began = Instant::now();
        checks.stop(sleep(Duration::from_secs(3))).await;
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        assert_eq!(stopped.try_recv(), Ok(()), "one that is deaf holds up no other");
    }
}
