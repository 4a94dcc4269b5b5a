//! Who is part of a server set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use zookeeper_client as zk;

use crate::ensemble::ServerSet;
use crate::join::PREFIX;
use crate::member::Member;
use crate::session::{RETRY_REFUSED, Sessions, is_lost, over};

/// The most members that are read; those with the lowest numbers.
const MAX_MEMBERS: usize = 20_000;
/// How many members are asked for at a time.
const AT_ONCE: usize = 64;

/// Whether what is seen of a set is how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness {
    /// It has never been read.
    Unknown,
    /// It was so until ZooKeeper went away.
    Stale,
    /// It cannot be read, for this reason. It is tried again every 15 s.
    Refused(String),
    /// It is so.
    Current,
}

/// What is seen of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Whether it is so.
    pub freshness: Freshness,
    /// The members, by the names of their nodes, and so from the one that joined first. A node that
    /// holds no member is left out.
    pub members: Arc<BTreeMap<String, Member>>,
}

/// Follows who is part of a set, until it is dropped.
#[derive(Debug)]
pub struct Membership {
    view: watch::Receiver<View>,
    _stop: DropGuard,
}

impl Membership {
    /// What is seen, now and from now on. What was seen last stays while ZooKeeper is away.
    pub fn view(&self) -> watch::Receiver<View> {
        self.view.clone()
    }
}

pub(crate) fn start(set: ServerSet) -> Membership {
    let unknown = View { freshness: Freshness::Unknown, members: Arc::default() };
    let (sender, view) = watch::channel(unknown);
    let stop = CancellationToken::new();
    let follower = Follower { path: set.full_path().as_str().to_owned(), set, view: sender };
    let stopped = stop.clone();
    tokio::spawn(async move { stopped.run_until_cancelled(follower.follow()).await });
    Membership { view, _stop: stop.drop_guard() }
}

struct Follower {
    set: ServerSet,
    path: String,
    view: watch::Sender<View>,
}

impl Follower {
    async fn follow(self) {
        let mut sessions = Sessions::new(self.set.ensemble());
        loop {
            let client = sessions.next(|reason| self.say(Freshness::Refused(reason))).await;
            let error = tokio::select! {
                error = self.read(&client) => Some(error),
                () = over(&client) => None,
            };
            tracing::warn!(path = self.path, ?error, "the session is lost");
            self.doubt();
        }
    }

    /// Reads, again and again when something has changed, until the session is lost.
    async fn read(&self, client: &zk::Client) -> zk::Error {
        // Before the first question, so that no loss of the connection after it is missed.
        let mut states = client.state_watcher();
        loop {
            let watcher = match self.read_once(client).await {
                Ok(watcher) => watcher,
                Err(error) if is_lost(&error) => return error,
                Err(error) => {
                    tracing::warn!(path = self.path, %error, "failed to read the server set");
                    self.say(Freshness::Refused(error.to_string()));
                    tokio::time::sleep(RETRY_REFUSED).await;
                    continue;
                }
            };
            let changed = watcher.changed();
            tokio::pin!(changed);
            loop {
                tokio::select! {
                    _ = &mut changed => break,
                    state = states.changed() => match state {
                        // What happened meanwhile is not known before it is read.
                        zk::SessionState::SyncConnected => break,
                        _ => self.doubt(),
                    }
                }
            }
        }
    }

    /// Reads the set, and gives what tells of a change of it.
    async fn read_once(&self, client: &zk::Client) -> Result<zk::OneshotWatcher, zk::Error> {
        loop {
            match client.get_and_watch_children(&self.path).await {
                Ok((names, _, watcher)) => {
                    let members = self.members(client, names).await?;
                    self.view.send_replace(View {
                        freshness: Freshness::Current,
                        members: Arc::new(members),
                    });
                    return Ok(watcher);
                }
                Err(zk::Error::NoNode) => {
                    let (stat, watcher) = client.check_and_watch_stat(&self.path).await?;
                    if stat.is_none() {
                        self.view.send_replace(View {
                            freshness: Freshness::Current,
                            members: Arc::default(),
                        });
                        return Ok(watcher);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the members that are new; nodes of members do not change.
    async fn members(
        &self,
        client: &zk::Client,
        names: Vec<String>,
    ) -> Result<BTreeMap<String, Member>, zk::Error> {
        let names: BTreeSet<String> =
            names.into_iter().filter(|name| name.starts_with(PREFIX)).collect();
        if names.len() > MAX_MEMBERS {
            tracing::warn!(path = self.path, members = names.len(), "too many members to read all");
        }
        let known = Arc::clone(&self.view.borrow().members);
        let mut members = BTreeMap::new();
        let mut new = Vec::new();
        for name in names.into_iter().take(MAX_MEMBERS) {
            match known.get(&name) {
                Some(member) => drop(members.insert(name, member.clone())),
                None => new.push(name),
            }
        }
        let read = new.into_iter().map(async |name| {
            let path = format!("{}/{name}", self.path);
            (client.get_data(&path).await, name)
        });
        let mut read = stream::iter(read).buffer_unordered(AT_ONCE);
        while let Some((data, name)) = read.next().await {
            match data {
                Ok((data, _)) => match Member::from_json(&data) {
                    Ok(member) => drop(members.insert(name, member)),
                    Err(error) => {
                        tracing::warn!(path = self.path, name, %error, "not a member");
                    }
                },
                // It has left meanwhile.
                Err(zk::Error::NoNode) => {}
                Err(error) if is_lost(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(path = self.path, name, %error, "failed to read a member");
                }
            }
        }
        Ok(members)
    }

    /// Nothing is known for sure any more.
    fn doubt(&self) {
        self.view.send_if_modified(|view| {
            let was_current = view.freshness == Freshness::Current;
            if was_current {
                view.freshness = Freshness::Stale;
            }
            was_current
        });
    }

    fn say(&self, freshness: Freshness) {
        self.view.send_modify(|view| view.freshness = freshness);
    }
}
