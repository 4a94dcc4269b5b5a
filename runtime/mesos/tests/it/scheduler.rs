use std::net::SocketAddr;
use std::time::Duration;

use aurora_mesos::body::{self, ContentType};
use aurora_mesos::scheduler::{Calls, Config, SessionEvent, start};
use aurora_mesos::v1::scheduler::{Call, Event, call, event};
use aurora_mesos::{CallError, STREAM_ID_HEADER, recordio, v1};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// A request to a master, to be answered by the test.
struct Asked {
    call: Call,
    stream_id: Option<String>,
    answer: oneshot::Sender<Response>,
}

/// A master whose answers the test gives.
struct Master {
    address: SocketAddr,
    asked: mpsc::Receiver<Asked>,
}

impl Master {
    async fn start(ty: ContentType) -> Self {
        let (sender, asked) = mpsc::channel(16);
        let router = Router::new().route("/api/v1/scheduler", post(ask)).with_state((ty, sender));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, asked }
    }

    async fn next(&mut self) -> Asked {
        self.asked.recv().await.unwrap()
    }
}

async fn ask(
    State((ty, sender)): State<(ContentType, mpsc::Sender<Asked>)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = body::decode(&body, ty).unwrap();
    let stream_id = headers.get(STREAM_ID_HEADER).map(|id| id.to_str().unwrap().to_owned());
    let (answer, answered) = oneshot::channel();
    sender.send(Asked { call, stream_id, answer }).await.unwrap();
    answered.await.unwrap()
}

impl Asked {
    fn framework(&self) -> Option<&str> {
        self.call.framework_id.as_ref().map(|id| id.value.as_str())
    }

    fn redirect(self, to: SocketAddr) {
        let location = format!("//{to}/master/api/v1/scheduler");
        let answer = (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]);
        self.answer.send(answer.into_response()).unwrap();
    }

    /// Answers with a stream. What is sent to it are bytes of it; it ends with the sender.
    fn stream(self, id: &str) -> mpsc::UnboundedSender<Bytes> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let records = tokio_stream::wrappers::UnboundedReceiverStream::new(receiver);
        let body = Body::from_stream(records.map(Ok::<_, std::convert::Infallible>));
        let answer = ([(STREAM_ID_HEADER, id)], body).into_response();
        self.answer.send(answer).unwrap();
        sender
    }
}

fn record(event: &Event) -> Bytes {
    recordio::frame(&body::encode(event, ContentType::Protobuf).unwrap())
}

fn subscribed(framework: &str, heartbeat: f64) -> Bytes {
    record(&Event {
        r#type: Some(event::Type::Subscribed as i32),
        subscribed: Some(event::Subscribed {
            framework_id: v1::FrameworkId { value: framework.to_owned() },
            heartbeat_interval_seconds: Some(heartbeat),
            master_info: None,
        }),
        ..Event::default()
    })
}

fn config(masters: &[&Master]) -> Config {
    let framework =
        v1::FrameworkInfo { user: "root".into(), name: "test".into(), ..Default::default() };
    let masters = masters.iter().map(|master| master.address.to_string()).collect();
    Config {
        backoff_min: Duration::ZERO,
        backoff_max: Duration::ZERO,
        ..Config::new(masters, framework)
    }
}

fn session(config: Config) -> (Calls, mpsc::Receiver<SessionEvent>) {
    start(config, CancellationToken::new())
}

fn revive() -> Call {
    Call { r#type: Some(call::Type::Revive as i32), ..Call::default() }
}

#[tokio::test]
async fn a_session_finds_the_leader_and_comes_back_as_the_same_framework() {
    let mut follower = Master::start(ContentType::Protobuf).await;
    let mut leader = Master::start(ContentType::Protobuf).await;
    let (calls, mut events) = session(config(&[&follower]));
    assert_eq!(calls.send(revive()).await, Err(CallError::NotSubscribed));

    follower.next().await.redirect(leader.address);
    let asked = leader.next().await;
    assert_eq!((asked.framework(), asked.stream_id.as_deref()), (None, None));
    let stream = asked.stream("S1");
    stream.send(subscribed("F", 15.0)).unwrap();
    let Some(SessionEvent::Subscribed { framework_id, .. }) = events.recv().await else { panic!() };
    assert_eq!(framework_id.value, "F");

    drop(stream);
    let Some(SessionEvent::Disconnected { .. }) = events.recv().await else { panic!() };
    follower.next().await.redirect(leader.address);
    let asked = leader.next().await;
    assert_eq!(asked.framework(), Some("F"));
    let info = &asked.call.subscribe.as_ref().unwrap().framework_info;
    assert_eq!(info.id.as_ref().unwrap().value, "F");
    let stream = asked.stream("S2");
    stream.send(subscribed("F", 15.0)).unwrap();
    let Some(SessionEvent::Subscribed { .. }) = events.recv().await else { panic!() };

    let sending = tokio::spawn(async move { calls.send(revive()).await });
    let asked = leader.next().await;
    assert_eq!((asked.framework(), asked.stream_id.as_deref()), (Some("F"), Some("S2")));
    asked.answer.send(StatusCode::ACCEPTED.into_response()).unwrap();
    assert_eq!(sending.await.unwrap(), Ok(()));

    let error = event::Error { message: "Framework failed over".to_owned() };
    let error =
        Event { r#type: Some(event::Type::Error as i32), error: Some(error), ..Event::default() };
    stream.send(record(&error)).unwrap();
    let ended = SessionEvent::Ended { message: "Framework failed over".to_owned() };
    assert_eq!(events.recv().await, Some(ended));
    assert_eq!(events.recv().await, None);
}

#[tokio::test]
async fn a_silent_master_is_left_for_the_next() {
    let mut first = Master::start(ContentType::Protobuf).await;
    let mut second = Master::start(ContentType::Protobuf).await;
    let (_calls, mut events) = session(config(&[&first, &second]));
    let silent = first.next().await.stream("S1");
    silent.send(subscribed("F", 0.02)).unwrap();
    let Some(SessionEvent::Subscribed { .. }) = events.recv().await else { panic!() };
    let Some(SessionEvent::Disconnected { reason }) = events.recv().await else { panic!() };
    assert!(reason.contains("has been silent for 60ms"), "{reason}");
    assert_eq!(second.next().await.framework(), Some("F"));
}

#[tokio::test]
async fn a_recorded_subscription_is_understood_however_it_is_cut() {
    let recorded = include_bytes!("data/subscription.recordio");
    for size in [recorded.len(), 7] {
        let mut master = Master::start(ContentType::Json).await;
        let config = Config { content_type: ContentType::Json, ..config(&[&master]) };
        let (_calls, mut events) = session(config);
        let stream = master.next().await.stream("S1");
        for piece in recorded.chunks(size) {
            stream.send(Bytes::from_static(piece)).unwrap();
        }
        drop(stream);
        let Some(SessionEvent::Subscribed { framework_id, master }) = events.recv().await else {
            panic!()
        };
        assert!(framework_id.value.ends_with("-0000"), "{framework_id:?}");
        assert_eq!(master.unwrap().hostname.as_deref(), Some("localhost"));
        let mut offers = 0;
        while let Some(SessionEvent::Event(event)) = events.recv().await {
            let offer = &event.offers.unwrap().offers[0];
            let cpus = offer.resources.iter().find(|resource| resource.name == "cpus").unwrap();
            assert!(cpus.scalar.unwrap().value > 0.0);
            offers += 1;
        }
        assert_eq!(offers, 3);
    }
}
