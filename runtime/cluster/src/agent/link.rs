//! The agent's connection with its master.

use std::time::{Duration, Instant};

use aurora_mesos::v1;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

use super::executors::Executors;
use crate::proto::master_message::Kind;
use crate::proto::registry_client::RegistryClient;
use crate::proto::{AgentMessage, MasterMessage, agent_message};

/// Between two attempts to reach the master: from the first to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How long one attempt may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a silent connection is asked whether it is still there, and how long it has to answer.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));
/// The largest message, in bytes.
const MAX_MESSAGE: usize = 256 << 20;

/// Why there is no connection while the process ends.
const ENDING: &str = "the agent is about to end";

/// Keeps the agent connected until it is told to stop.
pub(crate) async fn run(executors: Executors, master: String, stop: CancellationToken) {
    let mut wait = RETRY.0;
    loop {
        let began = Instant::now();
        let result = tokio::select! {
            result = connect(&executors, &master) => result,
            () = stop.cancelled() => return,
        };
        executors.blocking(Executors::link_lost).await;
        if began.elapsed() > RETRY.1 {
            // It was connected, however that ended.
            wait = RETRY.0;
        }
        match result {
            Ok(()) => tracing::info!(master, "the master has ended the connection"),
            Err(reason) => tracing::warn!(master, reason, "not connected to the master"),
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
        wait = (wait * 2).min(RETRY.1);
    }
}

async fn connect(executors: &Executors, master: &str) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        text
    };
    let channel: Channel = Endpoint::from_shared(format!("http://{master}"))
        .map_err(|error| text(&error))?
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(KEEP_ALIVE.0)
        .keep_alive_timeout(KEEP_ALIVE.1)
        .keep_alive_while_idle(true)
        .connect()
        .await
        .map_err(|error| text(&error))?;
    let (sender, receiver) = mpsc::unbounded_channel();
    let register = executors.blocking(Executors::register).await.ok_or(ENDING)?;
    let register = agent_message::Kind::Register(register);
    // The receiver is at hand.
    let _ = sender.send(AgentMessage { kind: Some(register) });
    let mut client = RegistryClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    let mut messages = client
        .join(UnboundedReceiverStream::new(receiver))
        .await
        .map_err(|status| status.message().to_owned())?
        .into_inner();
    while let Some(message) = messages.message().await.map_err(|status| text(&status))? {
        let sender = sender.clone();
        executors.blocking(move |all| take(all, &sender, message)).await.ok_or(ENDING)??;
    }
    Ok(())
}

fn take(
    executors: &Executors,
    sender: &mpsc::UnboundedSender<AgentMessage>,
    message: MasterMessage,
) -> Result<(), String> {
    let unreadable = |error: prost::DecodeError| format!("unreadable message: {error}");
    match message.kind {
        Some(Kind::Registered(registered)) => {
            tracing::info!(agent = registered.agent_id, "registered");
            executors
                .registered(&registered.agent_id, sender.clone())
                .map_err(|error| format!("failed to write down the agent's id: {error}"))?;
        }
        Some(Kind::Launch(launch)) => {
            let framework = v1::FrameworkInfo::decode(launch.framework).map_err(unreadable)?;
            let task = v1::TaskInfo::decode(launch.task).map_err(unreadable)?;
            executors.launch(framework, task);
        }
        Some(Kind::Kill(kill)) => {
            let policy = match kill.policy.is_empty() {
                true => None,
                false => Some(v1::KillPolicy::decode(kill.policy).map_err(unreadable)?),
            };
            executors.kill(&kill.framework_id, &kill.task_id, policy);
        }
        Some(Kind::Acknowledge(acknowledge)) => {
            executors.acknowledge(
                &acknowledge.framework_id,
                &acknowledge.task_id,
                &acknowledge.uuid,
            );
        }
        Some(Kind::ShutdownFramework(shutdown)) => {
            executors.shut_down_framework(&shutdown.framework_id);
        }
        Some(Kind::Resend(resend)) => executors.resend(&resend.framework_id),
        None => {}
    }
    Ok(())
}
