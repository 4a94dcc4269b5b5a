//! Serving HTTP/1.1 and HTTP/2 on one socket until told to stop.

use std::net::TcpListener;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long a client may take to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How HTTP/2 begins (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How often a client that has sent a part of [`PREFACE`] is looked at again.
const PREFACE_CHECK: Duration = Duration::from_millis(20);
/// Connections at the same time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 4096;
/// How long open requests may go on after the stop.
const DRAIN: Duration = Duration::from_secs(2);
/// How long a client may leave unread what was sent to it.
const UNREAD: Duration = Duration::from_secs(60);
/// How often a silent HTTP/2 connection is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Serves `router` until `stop` is cancelled; then open requests have a moment to end.
///
/// # Errors
/// The socket cannot be used. Connections that fail end by themselves.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut connections: JoinSet<()> = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => accepted,
            Some(_) = connections.join_next(), if connections.len() >= MAX_CONNECTIONS => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many open files, or a client that has gone: neither is a reason to end.
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        settle(&stream, UNREAD);
        // Handlers may ask who has connected.
        let service = router.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        });
        let service = TowerToHyperService::new(service);
        let stop = stop.clone();
        connections.spawn(async move {
            let begun = tokio::select! {
                begun = tokio::time::timeout(HEADER_TIMEOUT, begins(&stream)) => begun,
                () = stop.cancelled() => return,
            };
            if !matches!(begun, Ok(Ok(true))) {
                return;
            }
            let mut builder = Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            builder
                .http2()
                .timer(TokioTimer::new())
                .keep_alive_interval(KEEP_ALIVE)
                .max_concurrent_streams(1024);
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
            tokio::pin!(connection);
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection has failed");
                    }
                    return;
                }
                () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            // Streams never end by themselves.
            let _ = tokio::time::timeout(DRAIN, connection).await;
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Has small answers not wait for more to come, and the kernel end a connection whose client reads nothing
/// for so long (`TCP_USER_TIMEOUT` of tcp(7)): nobody else notices, and what is sent holds files open.
fn settle(stream: &tokio::net::TcpStream, unread: Duration) {
    let unread = u32::try_from(unread.as_millis()).unwrap_or(u32::MAX);
    let set = stream.set_nodelay(true).and_then(|()| Ok(set_tcp_user_timeout(stream, unread)?));
    if let Err(error) = set {
        tracing::debug!(%error, "a connection has gone before it was served");
    }
}

/// Waits until a client has sent enough to tell which HTTP it speaks. `false` if it has gone.
/// What finds that out later waits without an end, and every connection counts.
async fn begins(stream: &tokio::net::TcpStream) -> std::io::Result<bool> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut seen).await?;
        let seen = seen.get(..length).unwrap_or_default();
        if length == 0 || length == PREFACE.len() || !PREFACE.starts_with(seen) {
            return Ok(length > 0);
        }
        // Peeking again gives at once what was there before.
        tokio::time::sleep(PREFACE_CHECK).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    // The clock goes on by itself when there is nothing else to do.
    #[tokio::test(start_paused = true)]
    async fn who_does_not_say_anything_is_hung_up_on() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, router, stop.clone()));
        for beginning in ["", "P", "PRI * HTTP/2.0\r\n"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(beginning.as_bytes()).await.unwrap();
            let read = tokio::time::timeout(HEADER_TIMEOUT * 3, stream.read(&mut [0; 64])).await;
            // Hung up on, with or without a reset.
            assert!(matches!(read, Ok(Ok(0) | Err(_))), "{beginning:?}: {read:?}");
        }
        tokio::time::resume();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
        // Neither does a silent one keep the daemon from ending.
        let _silent = TcpStream::connect(address).await.unwrap();
        stop.cancel();
        serving.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_reads_nothing_is_hung_up_on() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        settle(&stream, Duration::from_millis(200));
        let writing = async {
            loop {
                if let Err(error) = stream.write_all(&[0; 1 << 16]).await {
                    return error;
                }
            }
        };
        let error = tokio::time::timeout(Duration::from_secs(60), writing).await.unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    }
}
