//! A way to a server that can be cut, or go dead.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Whoever comes waits, and hears nothing.
    Dead,
}

/// Ends with its connections when it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    way: watch::Sender<Way>,
    /// How many connections have come through so far.
    pub(crate) connections: watch::Receiver<usize>,
    /// Changed to end the connections that there are.
    cut: watch::Sender<u64>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (way, ways) = watch::channel(Way::Open);
        let (count, connections) = watch::channel(0);
        let (cut, cuts) = watch::channel(0);
        let task = tokio::spawn(async move {
            loop {
                let (inner, _) = listener.accept().await.unwrap();
                let (ways, cuts, count) = (ways.clone(), cuts.clone(), count.clone());
                tokio::spawn(pass(inner, server, ways, cuts, count));
            }
        });
        Self { address, way, connections, cut, task }
    }

    /// Lets nothing through any more, and closes nothing.
    pub(crate) fn go_dead(&self) {
        self.way.send_replace(Way::Dead);
    }

    /// Lets everything through again; what has waited is closed.
    pub(crate) fn recover(&self) {
        self.cut();
        self.way.send_replace(Way::Open);
    }

    /// Closes the connections that there are.
    pub(crate) fn cut(&self) {
        self.cut.send_modify(|cut| *cut += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}

async fn pass(
    mut inner: TcpStream,
    server: SocketAddr,
    mut ways: watch::Receiver<Way>,
    mut cuts: watch::Receiver<u64>,
    count: watch::Sender<usize>,
) {
    cuts.mark_unchanged();
    let passing = async {
        if *ways.borrow_and_update() == Way::Open {
            let Ok(mut outer) = TcpStream::connect(server).await else { return };
            count.send_modify(|count| *count += 1);
            tokio::select! {
                _ = copy_bidirectional(&mut inner, &mut outer) => return,
                _ = ways.wait_for(|way| *way == Way::Dead) => {}
            }
            // Both ends stay open, and hear nothing.
            let _held = outer;
            std::future::pending::<()>().await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = passing => {}
        _ = cuts.changed() => {}
    }
}
