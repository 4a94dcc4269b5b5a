//! Who is part of a server set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use zookeeper_client as zk;

use crate::backoff::RETRY_REFUSED;
use crate::ensemble::ServerSet;
use crate::join::PREFIX;
use crate::member::Member;
use crate::session::{Sessions, is_lost, over};

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
    /// What is seen is so, but there are members that cannot be read, for this reason. It is tried
    /// again every 15 s.
    Incomplete(String),
    /// It is so, and there is no more.
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
            let (watcher, has_failed) = match self.read_once(client).await {
                Ok(read) => read,
                Err(error) if is_lost(&error) => return error,
                Err(error) => {
                    tracing::warn!(path = self.path, %error, "failed to read the server set");
                    self.say(Freshness::Refused(error.to_string()));
                    tokio::time::sleep(RETRY_REFUSED).await;
                    continue;
                }
            };
            let changed = watcher.changed();
            let again = tokio::time::sleep(RETRY_REFUSED);
            tokio::pin!(changed, again);
            loop {
                tokio::select! {
                    _ = &mut changed => break,
                    () = &mut again, if has_failed => break,
                    state = states.changed() => match state {
                        // What happened meanwhile is not known before it is read.
                        zk::SessionState::SyncConnected => break,
                        _ => self.doubt(),
                    }
                }
            }
        }
    }

    /// Reads the set. Gives what tells of a change of it, and whether a member could not be read.
    async fn read_once(
        &self,
        client: &zk::Client,
    ) -> Result<(zk::OneshotWatcher, bool), zk::Error> {
        loop {
            match client.get_and_watch_children(&self.path).await {
                Ok((names, _, watcher)) => {
                    let (names, too_many) = pick(names, MAX_MEMBERS);
                    let (members, failed) = self.members(client, names).await?;
                    let has_failed = failed.is_some();
                    let unread = failed.or(too_many);
                    if let Some(reason) = &unread {
                        tracing::warn!(path = self.path, reason, "not all members can be read");
                    }
                    let freshness = unread.map_or(Freshness::Current, Freshness::Incomplete);
                    self.view.send_replace(View { freshness, members: Arc::new(members) });
                    return Ok((watcher, has_failed));
                }
                Err(zk::Error::NoNode) => {
                    let (stat, watcher) = client.check_and_watch_stat(&self.path).await?;
                    if stat.is_none() {
                        self.view.send_replace(View {
                            freshness: Freshness::Current,
                            members: Arc::default(),
                        });
                        return Ok((watcher, false));
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the members that are new; nodes of members do not change. Gives all that is known, and
    /// why one that is there is not.
    async fn members(
        &self,
        client: &zk::Client,
        names: BTreeSet<String>,
    ) -> Result<(BTreeMap<String, Member>, Option<String>), zk::Error> {
        let mut failed = None;
        let known = Arc::clone(&self.view.borrow().members);
        let mut members = BTreeMap::new();
        let mut new = Vec::new();
        for name in names {
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
                    failed.get_or_insert_with(|| format!("failed to read {name}: {error}"));
                }
            }
        }
        Ok((members, failed))
    }

    /// Nothing is known for sure any more.
    fn doubt(&self) {
        self.view.send_if_modified(|view| {
            let was_so = matches!(view.freshness, Freshness::Current | Freshness::Incomplete(_));
            if was_so {
                view.freshness = Freshness::Stale;
            }
            was_so
        });
    }

    fn say(&self, freshness: Freshness) {
        self.view.send_modify(|view| view.freshness = freshness);
    }
}

/// The names of members, but no more than `max`; and what there is to say if there are more.
fn pick(names: Vec<String>, max: usize) -> (BTreeSet<String>, Option<String>) {
    let mut names: BTreeSet<String> =
        names.into_iter().filter(|name| name.starts_with(PREFIX)).collect();
    let count = names.len();
    let Some(first_left) = names.iter().nth(max).cloned() else { return (names, None) };
    names.split_off(&first_left);
    (names, Some(format!("{count} members are too many: {max} are read")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_members_the_first_are_read_and_that_is_said() {
        let names = || ["member_3", "other", "member_1", "member_2"].map(str::to_owned).to_vec();
        let all = BTreeSet::from(["member_1", "member_2", "member_3"].map(str::to_owned));
        assert_eq!(pick(names(), 3), (all, None));
        let first = BTreeSet::from(["member_1", "member_2"].map(str::to_owned));
        let reason = "3 members are too many: 2 are read".to_owned();
        assert_eq!(pick(names(), 2), (first, Some(reason)));
    }
}
