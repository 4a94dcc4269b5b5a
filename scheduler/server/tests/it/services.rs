//! What tools find out about the API by itself.

use aurora_scheduler_server::start;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::world::{channel, config};

const SERVICES: [&str; 10] = [
    "aurora.v1.Admin",
    "aurora.v1.Backups",
    "aurora.v1.Cluster",
    "aurora.v1.CronJobs",
    "aurora.v1.Events",
    "aurora.v1.Jobs",
    "aurora.v1.Maintenance",
    "aurora.v1.Plan",
    "aurora.v1.Quotas",
    "aurora.v1.Updates",
];

#[tokio::test]
async fn tools_find_the_services_and_how_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let channel = channel(&scheduler).await;
    let mut health = HealthClient::new(channel.clone());
    for service in SERVICES.into_iter().chain([""]) {
        let request = HealthCheckRequest { service: service.to_owned() };
        let status = health.check(request).await.unwrap().into_inner().status();
        assert_eq!(status.as_str_name(), "SERVING", "{service}");
    }
    let request = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..ServerReflectionRequest::default()
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let answers = reflection.server_reflection_info(tokio_stream::iter([request])).await.unwrap();
    let ServerReflectionResponse {
        message_response: Some(MessageResponse::ListServicesResponse(list)),
        ..
    } = answers.into_inner().next().await.unwrap().unwrap()
    else {
        panic!("no list of services");
    };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    for wanted in SERVICES.into_iter().chain(["grpc.health.v1.Health"]) {
        assert!(names.iter().any(|name| name == wanted), "{wanted} is not among {names:?}");
    }
    let of_aurora = names.iter().filter(|name| name.starts_with("aurora.v1."));
    assert_eq!(of_aurora.count(), SERVICES.len(), "{names:?}");
    stop.cancel();
    scheduler.wait().await.unwrap();
}
