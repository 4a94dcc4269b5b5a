//! Where ZooKeeper is, and who is asking.

use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;
use zookeeper_client as zk;

use crate::access::Access;
use crate::join::{self, Joined};
use crate::member::{Member, MemberError};
use crate::membership::{self, Membership};
use crate::path::{NodePath, PathError};

/// How long ZooKeeper keeps the nodes of a client that it does not hear of, unless told otherwise.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// The port of servers for which none is given.
const DEFAULT_PORT: u16 = 2181;
/// The most servers that are taken.
const MAX_SERVERS: usize = 64;

/// How long a server has to take a connection when it is looked why there is no session.
const DIAGNOSIS: Duration = Duration::from_secs(1);

/// Why a text does not say where ZooKeeper is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectStringError {
    /// One of its parts is no server.
    #[error("{0:?} is not a server of ZooKeeper: HOST:PORT is wanted, and a comma between two")]
    Server(String),
    /// There are too many.
    #[error("{0} servers of ZooKeeper are too many: {MAX_SERVERS} are taken")]
    TooMany(usize),
    /// What follows the servers is no path.
    #[error(transparent)]
    Path(#[from] PathError),
}

/// An ensemble of ZooKeeper servers, and how to talk to it.
#[derive(Debug, Clone)]
pub struct Ensemble {
    servers: String,
    root: Option<NodePath>,
    session_timeout: Duration,
    access: Access,
}

impl Ensemble {
    /// Reads `HOST[:PORT],…[/ROOT]`: its servers, by default on port 2181, and the node below which
    /// all paths are.
    ///
    /// # Errors
    /// It is nothing like that.
    pub fn new(connect: &str) -> Result<Self, ConnectStringError> {
        let (servers, root) = match connect.find('/').map(|at| connect.split_at(at)) {
            Some((servers, "/")) => (servers, None),
            Some((servers, root)) => (servers, Some(NodePath::new(root)?)),
            None => (connect, None),
        };
        let servers: Vec<String> = servers.split(',').map(server).collect::<Result<_, _>>()?;
        if servers.len() > MAX_SERVERS {
            return Err(ConnectStringError::TooMany(servers.len()));
        }
        Ok(Self {
            servers: servers.join(","),
            root,
            session_timeout: SESSION_TIMEOUT,
            access: Access::default(),
        })
    }

    /// How long nodes outlive a client that is not heard of. Servers have limits of their own.
    #[must_use]
    pub fn with_session_timeout(self, session_timeout: Duration) -> Self {
        Self { session_timeout, ..self }
    }

    /// Who asks, and what others may do with what is made.
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// A server set of this ensemble.
    pub fn server_set(&self, path: NodePath) -> ServerSet {
        ServerSet { ensemble: self.clone(), path }
    }

    /// Begins a session. Takes no longer than its timeout.
    pub(crate) async fn connect(&self) -> Result<zk::Client, zk::Error> {
        let connector = zk::Client::connector().with_session_timeout(self.session_timeout);
        self.access.introduce(connector).connect(&self.servers).await
    }

    /// What each of the servers makes of a connection, for people. Takes a second at most.
    pub(crate) async fn diagnose(&self) -> String {
        let servers = self.servers.split(',').map(async |server| {
            let connecting = tokio::net::TcpStream::connect(server);
            match tokio::time::timeout(DIAGNOSIS, connecting).await {
                Ok(Ok(_connection)) => format!("{server} takes connections"),
                Ok(Err(error)) => format!("{server}: {error}"),
                Err(_late) => format!("{server} does not answer"),
            }
        });
        join_all(servers).await.join("; ")
    }

    /// The servers.
    pub(crate) fn servers(&self) -> &str {
        &self.servers
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }
}

/// Checks one server, and names its port.
fn server(text: &str) -> Result<String, ConnectStringError> {
    let wrong = || ConnectStringError::Server(text.to_owned());
    let text = text.trim();
    let (host, port) = match text.rsplit_once(':') {
        // The colons of an IPv6 address are within brackets.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
        _ => (text, DEFAULT_PORT),
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            !host.is_empty() && host.chars().all(is_of_name)
        }
    };
    if port == 0 || !is_host {
        return Err(wrong());
    }
    Ok(format!("{host}:{port}"))
}

/// A path of an ensemble where servers of one kind say where they are.
#[derive(Debug, Clone)]
pub struct ServerSet {
    ensemble: Ensemble,
    path: NodePath,
}

impl ServerSet {
    /// Becomes part of the set until [`Joined::leave`].
    ///
    /// # Errors
    /// What the member says is too long.
    pub fn join(&self, member: &Member) -> Result<Joined, MemberError> {
        self.join_while(member, watch::channel(true).1)
    }

    /// Connects, and is part of the set while `wanted` holds true.
    ///
    /// # Errors
    /// What the member says is too long.
    pub fn join_while(
        &self,
        member: &Member,
        wanted: watch::Receiver<bool>,
    ) -> Result<Joined, MemberError> {
        Ok(join::start(self.clone(), member.to_json()?, wanted))
    }

    /// Follows who is part of the set.
    pub fn watch(&self) -> Membership {
        membership::start(self.clone())
    }

    /// Why there is no session, as far as it can be seen: what each of the servers makes of a
    /// connection, for people. Takes a second at most.
    pub async fn diagnose(&self) -> String {
        self.ensemble.diagnose().await
    }

    /// The path of the set below the root of its ensemble.
    pub fn path(&self) -> &NodePath {
        &self.path
    }

    pub(crate) fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    /// The path as servers know it.
    pub(crate) fn full_path(&self) -> NodePath {
        self.path.below(self.ensemble.root.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_their_root_are_read() {
        for (text, servers, root) in [
            ("zk", "zk:2181", None),
            ("zk1:2181,zk2:2182, 10.0.0.1:1", "zk1:2181,zk2:2182,10.0.0.1:1", None),
            ("[::1]:2181,[fe80::1]", "[::1]:2181,[fe80::1]:2181", None),
            ("zk:1/", "zk:1", None),
            ("zk:1,zk:2//a/b/", "zk:1,zk:2", Some("/a/b")),
        ] {
            let ensemble = Ensemble::new(text).unwrap();
            assert_eq!(ensemble.servers, servers, "{text}");
            assert_eq!(ensemble.root.as_ref().map(NodePath::as_str), root, "{text}");
        }
    }

    #[tokio::test]
    async fn what_each_server_makes_of_a_connection_is_told() {
        let bound = |_| std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let [open, closed] = [0, 1].map(bound);
        let [a, b] = [&open, &closed].map(|listener| listener.local_addr().unwrap());
        drop(closed);
        let told = Ensemble::new(&format!("{a},{b}/root")).unwrap().diagnose().await;
        let expected = format!("{a} takes connections; {b}: Connection refused");
        assert!(told.starts_with(&expected), "{told}");
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in
            ["", ",", "zk:", "zk:0", "zk:65536", ":1", "a b:1", "tcp://zk:1", "::1", "[x]:1"]
        {
            let error = Ensemble::new(text);
            assert!(matches!(error, Err(ConnectStringError::Server(_))), "{text}: {error:?}");
        }
        assert!(matches!(Ensemble::new("zk/../a"), Err(ConnectStringError::Path(_))));
        let many = ["zk"; MAX_SERVERS + 1].join(",");
        assert_eq!(Ensemble::new(&many).unwrap_err(), ConnectStringError::TooMany(65));
    }
}
