//! By when a task that is to end has to be over, and what of that time is for what.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// By when a task that is to end has to be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Until when its checks may take to stop: a quarter of what time there is.
    pub(crate) checks_until: Instant,
    /// Until when it is only asked: half of what time there is. What does not listen has the other
    /// half to end upon a signal.
    pub(crate) ask_until: Instant,
    /// When nothing of it may live any more.
    pub(crate) end_by: Instant,
}

impl Limits {
    /// Those of a task that has the time from `now` to `end_by`.
    pub(crate) fn new(now: Instant, end_by: Instant) -> Self {
        let left = end_by.saturating_duration_since(now);
        Self { checks_until: now + left / 4, ask_until: now + left / 2, end_by }
    }

    /// How long it may live from now on.
    pub(crate) fn left(&self) -> Duration {
        self.end_by.saturating_duration_since(Instant::now())
    }
}

/// Waits until then; for ever if there is no such time.
pub(crate) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The limits of a task, if anybody has set any. They may come nearer at any time.
pub(crate) type Watched = watch::Receiver<Option<Limits>>;

/// Waits until this part of the time is over; for ever while there are no limits.
pub(crate) async fn reached(mut limits: Watched, part: impl Fn(&Limits) -> Instant) {
    loop {
        let at = limits.borrow_and_update().as_ref().map(&part);
        tokio::select! {
            () = sleep_until(at) => return,
            Ok(()) = limits.changed() => {}
        }
    }
}

/// Waits for something, but not beyond this part of the time.
pub(crate) async fn until<T>(
    limits: Watched,
    part: impl Fn(&Limits) -> Instant,
    what: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        () = reached(limits, part) => None,
        done = what => Some(done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn s74_half_of_a_time_that_was_shortened_is_for_asking() {
        let began = Instant::now();
        let (sender, limits) = watch::channel(None);
        let asking = tokio::time::sleep(Duration::from_secs(50));
        let waiting = tokio::spawn(until(limits, |limits| limits.ask_until, asking));
        tokio::task::yield_now().await;
        for secs in [18, 6] {
            sender.send_replace(Some(Limits::new(began, began + Duration::from_secs(secs))));
        }
        assert_eq!(waiting.await.unwrap(), None);
        assert_eq!(began.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn without_limits_all_is_waited_for() {
        let (sender, limits) = watch::channel(None);
        let hour = Duration::from_secs(3600);
        let waited = until(limits.clone(), |limits| limits.end_by, tokio::time::sleep(hour));
        assert_eq!(waited.await, Some(()));
        // Nobody can set any now.
        drop(sender);
        let waited = until(limits, |limits| limits.end_by, tokio::time::sleep(hour));
        assert_eq!(waited.await, Some(()));
    }
}
