//! What all tests need.

use std::sync::OnceLock;
use std::time::Duration;

use aurora_zookeeper::testing::Server;
use aurora_zookeeper::{Endpoint, Ensemble, Member, NodePath, ServerSet, State, Status};
use tokio::sync::watch;
use zookeeper_client as zk;

/// How long anything may take that is waited for, on a machine with a lot to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server for all tests that only want one; each uses paths of its own.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start().unwrap())
}

/// A client beside the one that is tested.
pub(crate) async fn client(connect: &str) -> zk::Client {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match zk::Client::connect(connect).await {
            Ok(client) => return client,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
        }
    }
}

pub(crate) fn set(connect: &str, path: &str) -> ServerSet {
    Ensemble::new(connect)
        .unwrap()
        .with_session_timeout(Duration::from_secs(4))
        .server_set(NodePath::new(path).unwrap())
}

pub(crate) fn member(shard: i64) -> Member {
    Member {
        status: Status::Alive,
        additional_endpoints: [("http".to_owned(), Endpoint::new("box", 31_000))].into(),
        service_endpoint: Endpoint::new("box", 31_000),
        shard: Some(shard),
    }
}

/// Waits until something that is told is as wanted.
pub(crate) async fn wait<T: Clone + std::fmt::Debug>(
    told: &mut watch::Receiver<T>,
    is: impl FnMut(&T) -> bool,
) -> T {
    let waited = tokio::time::timeout(PATIENCE, told.wait_for(is));
    let waited = waited.await.map(|value| value.unwrap().clone());
    waited.unwrap_or_else(|_| panic!("it stays {:?}", told.borrow().clone()))
}

/// Waits until it is joined, and gives the path of the node.
pub(crate) async fn joined(state: &mut watch::Receiver<State>) -> String {
    match wait(state, |state| matches!(state, State::Joined(_))).await {
        State::Joined(path) => path,
        other => panic!("{other:?}"),
    }
}

/// Waits until a node is gone.
pub(crate) async fn gone(client: &zk::Client, path: &str) {
    let waiting = async {
        loop {
            let (stat, watcher) = client.check_and_watch_stat(path).await.unwrap();
            if stat.is_none() {
                return;
            }
            watcher.changed().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}
