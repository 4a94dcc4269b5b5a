//! A Mesos master that takes a subscription, makes offers, and has nothing else to say.

use std::convert::Infallible;

use aurora_mesos::v1;
use aurora_mesos::v1::scheduler::{Call, Event, call, event};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::StreamExt;
use prost::Message;

/// Gives its address. It is gone with the test's runtime.
pub(crate) async fn start(offers: Vec<v1::Offer>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new().route("/api/v1/scheduler", post(called)).with_state(offers);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn called(State(offers): State<Vec<v1::Offer>>, body: Bytes) -> Response {
    if Call::decode(body).unwrap().r#type() != call::Type::Subscribe {
        return StatusCode::ACCEPTED.into_response();
    }
    let subscribed = Event {
        r#type: Some(event::Type::Subscribed as i32),
        subscribed: Some(event::Subscribed {
            framework_id: v1::FrameworkId { value: "F".into() },
            heartbeat_interval_seconds: None,
            master_info: None,
        }),
        ..Event::default()
    };
    let offers = Event {
        r#type: Some(event::Type::Offers as i32),
        offers: Some(event::Offers { offers }),
        ..Event::default()
    };
    let records = [subscribed, offers].map(|event| Ok::<_, Infallible>(record(&event)));
    let body = futures::stream::iter(records).chain(futures::stream::pending());
    let headers =
        [(header::CONTENT_TYPE.as_str(), "application/x-protobuf"), ("Mesos-Stream-Id", "s")];
    (headers, Body::from_stream(body)).into_response()
}

fn record(event: &Event) -> Bytes {
    let event = event.encode_to_vec();
    let mut record = format!("{}\n", event.len()).into_bytes();
    record.extend(event);
    record.into()
}

/// What an agent offers.
pub(crate) fn offer(agent: &str, host: &str, cpus: f64) -> v1::Offer {
    let scalar = |name: &str, value| v1::Resource {
        name: name.into(),
        r#type: v1::value::Type::Scalar as i32,
        scalar: Some(v1::value::Scalar { value }),
        ..v1::Resource::default()
    };
    let ports = v1::Resource {
        name: "ports".into(),
        r#type: v1::value::Type::Ranges as i32,
        ranges: Some(v1::value::Ranges {
            range: vec![v1::value::Range { begin: 31_000, end: 31_001 }],
        }),
        ..v1::Resource::default()
    };
    let rack = v1::Attribute {
        name: "rack".into(),
        r#type: v1::value::Type::Text as i32,
        text: Some(v1::value::Text { value: "r1".into() }),
        ..v1::Attribute::default()
    };
    v1::Offer {
        id: v1::OfferId { value: format!("offer-of-{agent}") },
        framework_id: v1::FrameworkId { value: "F".into() },
        agent_id: v1::AgentId { value: agent.into() },
        hostname: host.into(),
        resources: vec![scalar("cpus", cpus), scalar("mem", 1024.0), scalar("disk", 2048.0), ports],
        attributes: vec![rack],
        ..v1::Offer::default()
    }
}
