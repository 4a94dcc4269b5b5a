//! Sessions, one after the other: what joining and watching have in common.

use std::time::Duration;

use zookeeper_client as zk;

use crate::backoff::{Attempt, Backoff, random};
use crate::ensemble::Ensemble;

/// The wait before a new session, which doubles while none comes up.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
/// The longest wait before a new session.
const BACKOFF_MAX: Duration = Duration::from_secs(5 * 60);
/// How long the end of a session is waited for.
const CLOSING: Duration = Duration::from_secs(2);

/// Makes sessions.
pub(crate) struct Sessions {
    ensemble: Ensemble,
    backoff: Backoff,
    /// How long to wait before the next.
    wait: Duration,
}

impl Sessions {
    pub(crate) fn new(ensemble: &Ensemble) -> Self {
        Self {
            ensemble: ensemble.clone(),
            backoff: Backoff::new(BACKOFF_MIN, BACKOFF_MAX),
            wait: Duration::ZERO,
        }
    }

    /// A new session, however long that takes. Calls `refused` with the reason when the servers do
    /// not take who asks.
    pub(crate) async fn next(&mut self, mut refused: impl FnMut(String)) -> zk::Client {
        loop {
            tokio::time::sleep(self.wait).await;
            let connected = self.ensemble.connect().await;
            let attempt = match &connected {
                Ok(_) => Attempt::Session,
                Err(zk::Error::AuthFailed) => Attempt::Refused,
                Err(_) => Attempt::Unanswered,
            };
            self.wait = self.backoff.after(attempt, random());
            match connected {
                Ok(client) => return client,
                Err(error) if attempt == Attempt::Refused => {
                    let servers = self.ensemble.servers();
                    tracing::warn!(servers, %error, "ZooKeeper refuses the credentials");
                    refused(error.to_string());
                }
                Err(error) => {
                    let servers = self.ensemble.servers();
                    tracing::warn!(servers, %error, "failed to connect to ZooKeeper");
                }
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
