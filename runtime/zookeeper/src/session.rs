//! Sessions, one after the other: what joining and watching have in common.

use std::time::Duration;

use tokio::time::Instant;
use zookeeper_client as zk;

use crate::backoff::{Backoff, random};
use crate::ensemble::Ensemble;

/// The wait before a new session, which doubles while none comes up.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
/// The longest wait before a new session.
const BACKOFF_MAX: Duration = Duration::from_secs(5 * 60);
/// How long until something is asked again that was refused.
pub(crate) const RETRY_REFUSED: Duration = Duration::from_secs(15);
/// How long the end of a session is waited for.
const CLOSING: Duration = Duration::from_secs(2);
/// How exactly the time without a connection is counted.
const TICK: Duration = Duration::from_secs(1);

/// Makes sessions.
pub(crate) struct Sessions {
    ensemble: Ensemble,
    backoff: Backoff,
    is_first: bool,
}

impl Sessions {
    pub(crate) fn new(ensemble: &Ensemble) -> Self {
        Self {
            ensemble: ensemble.clone(),
            backoff: Backoff::new(BACKOFF_MIN, BACKOFF_MAX),
            is_first: true,
        }
    }

    /// A new session, however long that takes. Calls `refused` with the reason when the servers do
    /// not take who asks.
    pub(crate) async fn next(&mut self, mut refused: impl FnMut(String)) -> zk::Client {
        loop {
            if !std::mem::take(&mut self.is_first) {
                let wait = self.backoff.next(random());
                // However short the last session was, the next begins within about a second.
                tokio::time::sleep(wait).await;
            }
            let servers = self.ensemble.servers();
            match self.ensemble.connect().await {
                Ok(client) => {
                    self.backoff.reset();
                    return client;
                }
                Err(error @ zk::Error::AuthFailed) => {
                    tracing::warn!(servers, %error, "ZooKeeper refuses the credentials");
                    refused(error.to_string());
                    tokio::time::sleep(RETRY_REFUSED).await;
                }
                Err(error) => tracing::warn!(servers, %error, "failed to connect to ZooKeeper"),
            }
        }
    }
}

/// Whether a session is of no more use after this: it is over, or it is not known what it did.
pub(crate) fn is_lost(error: &zk::Error) -> bool {
    !matches!(
        error,
        zk::Error::BadArguments(_)
            | zk::Error::NoNode
            | zk::Error::NoAuth
            | zk::Error::BadVersion
            | zk::Error::NoChildrenForEphemerals
            | zk::Error::NodeExists
            | zk::Error::NotEmpty
            | zk::Error::InvalidAcl
            | zk::Error::NotReadOnly
            | zk::Error::QuotaExceeded
            | zk::Error::Throttled
            | zk::Error::MarshallingError
            | zk::Error::Unimplemented
    )
}

/// Waits until a session is over.
pub(crate) async fn over(client: &zk::Client) {
    let mut states = client.state_watcher();
    let mut state = client.state();
    while !state.is_terminated() {
        state = states.changed().await;
    }
}

/// Ends a session, and with it all its ephemeral nodes, after everything that was asked within it.
/// If the servers are away it ends later, by itself or by its timeout.
pub(crate) async fn close(client: zk::Client) {
    let mut states = client.state_watcher();
    let mut state = client.state();
    drop(client);
    let closed = async {
        while !state.is_terminated() {
            state = states.changed().await;
        }
    };
    if tokio::time::timeout(CLOSING, closed).await.is_err() {
        tracing::warn!("ZooKeeper does not answer; the session ends by its timeout");
    }
}

/// Counts how long there is no connection, in the gauge `zookeeper_disconnected_seconds`.
pub(crate) struct Absence {
    since: Option<Instant>,
    total: Duration,
}

impl Absence {
    /// There is no connection yet.
    pub(crate) fn new() -> Self {
        Self { since: Some(Instant::now()), total: Duration::ZERO }
    }

    fn count(&mut self, connected: bool) {
        let now = Instant::now();
        if let Some(since) = self.since {
            let away = now.saturating_duration_since(since);
            self.total += away;
            metrics::gauge!("zookeeper_disconnected_seconds").increment(away.as_secs_f64());
        }
        self.since = (!connected).then_some(now);
    }

    /// Counts while something is awaited that goes on without a connection.
    pub(crate) async fn during<T>(&mut self, connecting: impl Future<Output = T>) -> T {
        tokio::pin!(connecting);
        loop {
            match tokio::time::timeout(TICK, &mut connecting).await {
                Ok(done) => {
                    self.count(true);
                    return done;
                }
                Err(_) => self.count(false),
            }
        }
    }

    /// Counts while something is awaited that a session is used for.
    pub(crate) async fn within<T>(
        &mut self,
        mut states: zk::StateWatcher,
        used: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(used);
        let mut connected = true;
        let mut before = self.total;
        loop {
            tokio::select! {
                done = &mut used => {
                    self.count(false);
                    return done;
                }
                state = states.changed() => {
                    connected = state == zk::SessionState::SyncConnected;
                    self.count(connected);
                    if connected {
                        let away = self.total.saturating_sub(before);
                        before = self.total;
                        tracing::info!(?away, "connected to ZooKeeper again");
                    }
                }
                () = tokio::time::sleep(TICK), if !connected => self.count(false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn s75_the_time_without_a_connection_is_counted() {
        let mut absence = Absence::new();
        tokio::time::sleep(Duration::from_millis(300)).await;
        absence.during(tokio::time::sleep(Duration::from_millis(3_500))).await;
        assert_eq!(absence.total, Duration::from_millis(3_800));
        // There is one now.
        tokio::time::sleep(Duration::from_secs(5)).await;
        absence.count(false);
        assert_eq!(absence.total, Duration::from_millis(3_800));
        tokio::time::sleep(Duration::from_millis(200)).await;
        absence.count(true);
        assert_eq!(absence.total, Duration::from_secs(4));
    }
}
