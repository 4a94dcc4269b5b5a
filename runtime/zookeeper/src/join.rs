//! Being part of a server set (`executor.md` 17.3 to 17.5).

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use zookeeper_client as zk;

use crate::backoff::RETRY_REFUSED;
use crate::ensemble::ServerSet;
use crate::session::{Sessions, close, is_lost, over};

/// What the names of members begin with; ZooKeeper adds ten digits.
pub(crate) const PREFIX: &str = "member_";
/// The shortest time between two nodes of one member.
const REJOIN: Duration = Duration::from_millis(500);
/// How long until a question is asked again that a lost connection has left without an answer.
const RECHECK: Duration = Duration::from_millis(200);
/// How long leaving may take. What is left then ends with the session.
const LEAVING: Duration = Duration::from_secs(3);
/// How often parents are made anew that somebody deletes meanwhile.
const ATTEMPTS: usize = 3;

/// How a membership is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There has been no session yet, or it is over and there is no new one.
    Connecting,
    /// There is a session, and no membership is wanted or it is about to begin.
    Connected,
    /// There is a node: its full path. It stays while the connection is lost for less than the
    /// session's timeout.
    Joined(String),
    /// ZooKeeper grants no session, for this reason: the credentials are wrong. It is asked again
    /// every 15 s.
    Rejected(String),
    /// There is a session, in which ZooKeeper does not let the node be made, for this reason. It is
    /// asked again every 15 s.
    Refused(String),
    /// It has left.
    Left,
}

/// A membership that is kept until it is left. Dropping it leaves too, without waiting.
#[derive(Debug)]
pub struct Joined {
    state: watch::Receiver<State>,
    stop: DropGuard,
    keeper: JoinHandle<()>,
}

impl Joined {
    /// How it is, now and from now on.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Leaves, for good: whatever was on its way, no node comes later. Takes 3 s at most; if
    /// ZooKeeper is away, the node goes with the session.
    pub async fn leave(self) {
        let Self { stop, mut keeper, .. } = self;
        drop(stop);
        if tokio::time::timeout(LEAVING, &mut keeper).await.is_err() {
            keeper.abort();
        }
    }
}

pub(crate) fn start(set: ServerSet, data: Vec<u8>, wanted: watch::Receiver<bool>) -> Joined {
    let (state, seen) = watch::channel(State::Connecting);
    let stop = CancellationToken::new();
    let keeper = Keeper { prefix: format!("{}/{PREFIX}", set.full_path()), set, data, state };
    let keeper = tokio::spawn(keeper.keep(wanted, stop.clone()));
    Joined { state: seen, stop: stop.drop_guard(), keeper }
}

struct Keeper {
    set: ServerSet,
    prefix: String,
    data: Vec<u8>,
    state: watch::Sender<State>,
}

/// What a wait within a session has come to.
enum Next {
    /// The node is to be made, again or for the first time.
    Again,
    /// The session is of no use any more.
    Lost,
}

impl Keeper {
    async fn keep(self, mut wanted: watch::Receiver<bool>, stop: CancellationToken) {
        let mut sessions = Sessions::new(self.set.ensemble());
        loop {
            self.say(State::Connecting);
            let connecting = sessions.next(|reason| self.say(State::Rejected(reason)));
            let client = match stop.run_until_cancelled(connecting).await {
                Some(client) => client,
                None => break,
            };
            self.say(State::Connected);
            let holding = self.hold(&client, &mut wanted);
            let is_over = stop.run_until_cancelled(holding).await.is_some();
            // Also when it is not known what became of a node: no session, no node.
            close(client).await;
            if !is_over {
                break;
            }
        }
        self.say(State::Left);
    }

    /// Keeps a node while one is wanted, until the session is lost.
    async fn hold(&self, client: &zk::Client, wanted: &mut watch::Receiver<bool>) {
        let mut earliest = Instant::now();
        loop {
            if !*wanted.borrow() {
                self.say(State::Connected);
            }
            until(wanted, true, client).await;
            tokio::time::sleep_until(earliest).await;
            if !*wanted.borrow() && !client.state().is_terminated() {
                continue;
            }
            earliest = Instant::now() + REJOIN;
            let next = match self.create(client).await {
                Ok(path) => self.stay(client, wanted, path).await,
                Err(error) if is_lost(&error) => Err(error),
                Err(error) => {
                    self.refused(&error);
                    tokio::select! {
                        () = tokio::time::sleep(RETRY_REFUSED) => Ok(Next::Again),
                        () = until(wanted, false, client) => Ok(Next::Again),
                        () = over(client) => Ok(Next::Lost),
                    }
                }
            };
            match next {
                Ok(Next::Again) => {}
                Ok(Next::Lost) => return,
                Err(error) => {
                    tracing::warn!(set = %self.set.path(), %error, "the session is lost");
                    return;
                }
            }
        }
    }

    /// Makes the node, and its parents if need be; gives its path.
    async fn create(&self, client: &zk::Client) -> Result<String, zk::Error> {
        let acls = self.set.ensemble().access().acls();
        let options = zk::CreateMode::EphemeralSequential.with_acls(acls);
        let mut attempts = 0..ATTEMPTS;
        loop {
            match client.create(&self.prefix, &self.data, &options).await {
                Ok((_, sequence)) => return Ok(format!("{}{sequence}", self.prefix)),
                Err(zk::Error::NoNode) if attempts.next().is_some() => {
                    self.create_parents(client).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes what is missing of the set's path. What is there is not asked for: who may not make
    /// it may still make what is below.
    async fn create_parents(&self, client: &zk::Client) -> Result<(), zk::Error> {
        let acls = self.set.ensemble().access().acls();
        let options = zk::CreateMode::Persistent.with_acls(acls);
        let path = self.set.full_path();
        let mut missing = Vec::new();
        for path in path.upwards() {
            if client.check_stat(path).await?.is_some() {
                break;
            }
            missing.push(path);
        }
        for path in missing.into_iter().rev() {
            match client.create(path, &[], &options).await {
                Ok(_) | Err(zk::Error::NodeExists) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Is a member until the node is gone or not wanted.
    async fn stay(
        &self,
        client: &zk::Client,
        wanted: &mut watch::Receiver<bool>,
        path: String,
    ) -> Result<Next, zk::Error> {
        tracing::info!(path, "joined the server set");
        self.say(State::Joined(path.clone()));
        loop {
            let (stat, watcher) = match client.check_and_watch_stat(&path).await {
                Ok(seen) => seen,
                // The node outlives the connection, and the question may be asked again.
                Err(error) if is_lost(&error) && !client.state().is_terminated() => {
                    tokio::time::sleep(RECHECK).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if stat.is_none() {
                tracing::warn!(path, "somebody has deleted the node of this member");
                self.say(State::Connected);
                return Ok(Next::Again);
            }
            tokio::select! {
                event = watcher.changed() => {
                    if event.event_type == zk::EventType::Session {
                        tracing::warn!(path, state = %event.session_state, "the session is over");
                        return Ok(Next::Lost);
                    }
                }
                () = until(wanted, false, client) => break,
            }
        }
        match client.delete(&path, None).await {
            Ok(()) | Err(zk::Error::NoNode) => {
                tracing::info!(path, "left the server set");
                Ok(Next::Again)
            }
            Err(error) => Err(error),
        }
    }

    fn refused(&self, error: &zk::Error) {
        let reason = format!("failed to create {}: {error}", self.prefix);
        tracing::warn!(reason, "ZooKeeper does not let this member in");
        self.say(State::Refused(reason));
    }

    fn say(&self, state: State) {
        self.state.send_if_modified(|said| {
            let changes = *said != state;
            *said = state;
            changes
        });
    }
}

/// Waits until membership is wanted or not, as `is`, or the session is over. A wish that nobody can
/// change any more stays.
async fn until(wanted: &mut watch::Receiver<bool>, is: bool, client: &zk::Client) {
    tokio::select! {
        changed = wanted.wait_for(|wanted| *wanted == is) => {
            if changed.is_ok() {
                return;
            }
        }
        () = over(client) => return,
    }
    over(client).await;
}
