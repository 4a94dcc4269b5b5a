//! A health check by gRPC: `grpc.health.v1.Health/Check`.

use std::time::Duration;

use aurora_daemon::text::{printable, root};
use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONTENT_TYPE, HeaderMap, TE};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;

use crate::http::connect;

/// The most that is read of an answer, in bytes: there is one number in it.
const MAX_ANSWER: usize = 4096;
/// Before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;
const SERVING: i32 = 1;

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Asks a server on this machine how a service is; an empty name stands for the server.
///
/// # Errors
/// It does not say that it serves, or not in time; why, for people.
pub(super) async fn check(port: u16, service: &str, timeout: Duration) -> Result<(), String> {
    let answer = tokio::time::timeout(timeout, ask(port, service)).await;
    let why = match answer.unwrap_or_else(|_late| Err("Error within timeout".to_owned())) {
        Ok(SERVING) => return Ok(()),
        Ok(0) => "the answer was UNKNOWN".to_owned(),
        Ok(2) => "the answer was NOT_SERVING".to_owned(),
        Ok(3) => "the answer was SERVICE_UNKNOWN".to_owned(),
        Ok(other) => format!("the answer was {other}"),
        Err(why) => why,
    };
    let service = if service.is_empty() { String::new() } else { format!("/{service}") };
    Err(format!("Failed to signal grpc://localhost:{port}{service}: {why}"))
}

async fn ask(port: u16, service: &str) -> Result<i32, String> {
    let message = HealthCheckRequest { service: service.to_owned() }.encode_to_vec();
    let length = u32::try_from(message.len()).map_err(|_| "the name is too long".to_owned())?;
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(length);
    body.extend_from_slice(&message);
    let request = Request::post(format!("http://localhost:{port}/grpc.health.v1.Health/Check"))
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .body(Full::new(body.freeze()))
        .map_err(|error| error.to_string())?;
    let stream = connect(port).await.map_err(|error| error.to_string())?;
    let failed = |error: hyper::Error| root(&error);
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(failed)?;
    // It ends when the sender is dropped; its errors come with the answer.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(failed)?;
    if response.status() != StatusCode::OK {
        return Err(format!("HTTP status {}", response.status().as_u16()));
    }
    // What is refused at once has its status in the head, and nothing else.
    let mut went_well = went_well(response.headers())?;
    let mut incoming = response.into_body();
    let mut answer = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(failed)?;
        if let Some(trailers) = frame.trailers_ref() {
            went_well |= self::went_well(trailers)?;
        } else if let Ok(data) = frame.into_data() {
            answer.extend_from_slice(&data);
        }
        if answer.len() > MAX_ANSWER {
            return Err("the answer is too long".to_owned());
        }
    }
    if !went_well {
        return Err("gRPC status 2: the answer ends without its status".to_owned());
    }
    serving_status(&answer.freeze()).ok_or_else(|| "the answer makes no sense".to_owned())
}

/// Whether a server says that the call went well. Without that no answer counts: it may have been cut.
///
/// # Errors
/// It says that it did not; why, for people.
fn went_well(headers: &HeaderMap) -> Result<bool, String> {
    let text = |name: &str| Some(headers.get(name)?.to_str().unwrap_or_default().to_owned());
    match text("grpc-status") {
        None => Ok(false),
        Some(status) if status == "0" => Ok(true),
        Some(status) => {
            let message = printable(&text("grpc-message").unwrap_or_default(), 200, false);
            Err(format!("gRPC status {} {message}", printable(&status, 20, false))
                .trim_end()
                .to_owned())
        }
    }
}

fn serving_status(answer: &Bytes) -> Option<i32> {
    let (prefix, message) = answer.split_at_checked(PREFIX)?;
    let (compressed, length) = prefix.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if *compressed != 0 || usize::try_from(length) != Ok(message.len()) {
        return None;
    }
    Some(HealthCheckResponse::decode(message).ok()?.status)
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};
    use hyper::service::service_fn;
    use tokio::net::TcpListener;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic_health::ServingStatus;

    use super::*;

    #[tokio::test]
    async fn a_real_server_is_understood() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (reporter, service) = tonic_health::server::health_reporter();
        let server = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let serving = tokio::spawn(server);
        reporter.set_service_status("up", ServingStatus::Serving).await;
        reporter.set_service_status("down", ServingStatus::NotServing).await;
        let timeout = Duration::from_secs(20);
        for (service, why) in [
            ("", None),
            ("up", None),
            ("down", Some("down: the answer was NOT_SERVING")),
            ("none", Some("none: gRPC status 5")),
        ] {
            let answer = check(port, service, timeout).await;
            assert_eq!(answer.is_ok(), why.is_none(), "{answer:?}");
            if let (Err(said), Some(why)) = (answer, why) {
                assert!(said.contains(why), "{said}");
            }
        }
        serving.abort();
    }

    type Headers = &'static [(&'static str, &'static str)];

    fn map(headers: Headers) -> HeaderMap {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        headers.iter().map(header).collect()
    }

    /// Serves every connection over HTTP/2 with this answer; with trailers if there are any.
    async fn serve(
        listener: TcpListener,
        head: Headers,
        message: &'static [u8],
        trailers: Option<Headers>,
    ) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(move |_request| async move {
                let body = Full::new(Bytes::from_static(message));
                let trailers = async move { trailers.map(|trailers| Ok(map(trailers))) };
                let mut response = hyper::Response::new(body.with_trailers(trailers));
                response.headers_mut().extend(map(head));
                Ok::<_, std::convert::Infallible>(response)
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // The client leaves when it has heard enough.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        }
    }

    #[tokio::test]
    async fn an_answer_counts_only_with_the_status_that_ends_it() {
        const SERVES: &[u8] = b"\0\0\0\0\x02\x08\x01";
        const GRPC: (&str, &str) = ("content-type", "application/grpc");
        const GOOD: (&str, &str) = ("grpc-status", "0");
        for (head, message, trailers, why) in [
            (&[GRPC][..], SERVES, Some(&[GOOD][..]), None),
            (&[GRPC], SERVES, None, Some("gRPC status 2: the answer ends without its status")),
            (&[GRPC], SERVES, Some(&[]), Some("gRPC status 2: the answer ends without its status")),
            (
                &[GRPC],
                SERVES,
                Some(&[("grpc-status", "14"), ("grpc-message", "away")]),
                Some("gRPC status 14 away"),
            ),
            (&[GRPC, GOOD], b"", None, Some("the answer makes no sense")),
            (&[GRPC], b"", Some(&[GOOD]), Some("the answer makes no sense")),
            (&[("content-type", "text/html")], b"<p>Welcome", None, Some("without its status")),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let answer = tokio::select! {
                answer = check(port, "", Duration::from_secs(20)) => answer,
                () = serve(listener, head, message, trailers) => unreachable!(),
            };
            assert_eq!(answer.is_ok(), why.is_none(), "{answer:?}");
            if let (Err(said), Some(why)) = (answer, why) {
                assert!(said.ends_with(why), "{said}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_such_server_is_no_healthy_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // It takes the connection and says nothing.
        let late = check(port, "", Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(late, format!("Failed to signal grpc://localhost:{port}: Error within timeout"));
        drop(listener);
        let refused = check(port, "x", Duration::from_secs(20)).await.unwrap_err();
        assert!(refused.contains("/x: Connection refused"), "{refused}");
        assert_eq!(serving_status(&Bytes::from_static(b"\0\0\0\0\x02\x08\x01")), Some(1));
        for junk in
            [&b""[..], b"\x01\0\0\0\x02\x08\x01", b"\0\0\0\0\x09\x08\x01", b"\0\0\0\0\x01\xff"]
        {
            assert_eq!(serving_status(&Bytes::copy_from_slice(junk)), None, "{junk:?}");
        }
    }
}
