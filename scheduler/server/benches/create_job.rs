//! Acknowledged `CreateJob` calls per second: a whole scheduler with its log on disk, every answer
//! after its sync, for a growing number of clients that each wait for one answer after the other.
//!
//! `cargo bench -p aurora-scheduler-server --bench create_job`; the log lies in the target folder,
//! so that its disk is what counts.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark: it reads clocks, and ends at whatever goes wrong"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use aurora_api::v1;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_scheduler_server::{Config, Flags};
use clap::{Args, Command, FromArgMatches};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

/// Clients at once, and the calls that they make together.
const ROUNDS: [(u32, u32); 4] = [(1, 500), (16, 4_000), (64, 8_000), (256, 16_000)];

fn config(folder: &Path) -> Config {
    let words = [
        "--cluster-name",
        "bench",
        // Nobody: what is measured is the log.
        "--mesos-master-address",
        "127.0.0.1:1",
        "--http-port",
        "0",
        "--native-log-file-path",
        folder.to_str().unwrap(),
        "--thermos-executor-path",
        "/bin/true",
    ];
    let command = Flags::augment_args(Command::new("bench").no_binary_name(true));
    let matches = command.try_get_matches_from(words).unwrap();
    Config::try_from(Flags::from_arg_matches(&matches).unwrap()).unwrap()
}

fn job(name: String) -> v1::JobConfiguration {
    let key = v1::JobKey { role: "bench".into(), environment: "prod".into(), name };
    v1::JobConfiguration {
        key: Some(key.clone()),
        owner: "bench".into(),
        task: Some(v1::TaskConfig {
            job: Some(key),
            owner: "bench".into(),
            is_service: true,
            max_task_failures: 1,
            resources: Some(v1::Resources {
                cpus: 0.1,
                ram_mb: 16,
                disk_mb: 16,
                ..v1::Resources::default()
            }),
            executor: Some(v1::ExecutorConfig {
                name: "AuroraExecutor".into(),
                // About what a small job's description is.
                data: "x".repeat(1500),
            }),
            ..v1::TaskConfig::default()
        }),
        instance_count: 1,
        ..v1::JobConfiguration::default()
    }
}

async fn round(channel: &Channel, clients: u32, calls: u32) -> Duration {
    let began = Instant::now();
    let each = calls / clients;
    let clients: Vec<_> = (0..clients)
        .map(|client| {
            let mut jobs = JobsClient::new(channel.clone());
            tokio::spawn(async move {
                for call in 0..each {
                    let request = v1::CreateJobRequest {
                        request_id: Some(format!("{each}-{client}-{call}")),
                        job: Some(job(format!("job-{each}-{client}-{call}"))),
                    };
                    jobs.create_job(request).await.unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    began.elapsed()
}

#[tokio::main]
async fn main() {
    // `cargo test --benches` only asks whether it builds.
    if std::env::args().any(|word| word == "--test") {
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let stop = CancellationToken::new();
    let scheduler =
        aurora_scheduler_server::start(config(folder.path()), stop.clone()).await.unwrap();
    let channel = Channel::from_shared(format!("http://{}", scheduler.addr()))
        .unwrap()
        .connect()
        .await
        .unwrap();
    for (clients, calls) in ROUNDS {
        let took = round(&channel, clients, calls).await;
        println!(
            "{clients:>4} clients: {:>7.0} acknowledged CreateJob calls per second",
            f64::from(calls) / took.as_secs_f64()
        );
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}
