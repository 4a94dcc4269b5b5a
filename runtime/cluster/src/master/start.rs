//! Puts a master together.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use aurora_daemon::listen::ListenError;
use aurora_daemon::ops::{self, Ops};
use aurora_daemon::{fsutil, serve};
use aurora_mesos::v1;
use futures::Stream;
use prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::core::{RunningTask, Times};
use super::flags::Config;
use super::http::{self, Api};
use super::shell::Shell;
use crate::proto::agent_message::Kind;
use crate::proto::registry_server::{Registry, RegistryServer};
use crate::proto::{self, AgentMessage, MasterMessage};

/// The largest message of an agent, in bytes: all that it runs.
const MAX_MESSAGE: usize = 256 << 20;

/// Why a master cannot start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its address cannot be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Its folder cannot be used.
    #[error("failed to {action} {}: {source}", .path.display())]
    Folder {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// It cannot serve.
    #[error("the master cannot serve: {0}")]
    Serve(#[source] std::io::Error),
    /// A part of it ended without being told to.
    #[error("a part of the master has ended unexpectedly")]
    Unexpected,
}

/// A master that runs.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    running: JoinHandle<Result<(), Error>>,
    ended: CancellationToken,
}

impl Handle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has ended, for whatever reason; [`Handle::wait`] tells which.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It did not end because it was told to.
    pub async fn wait(self) -> Result<(), Error> {
        self.running.await.unwrap_or(Err(Error::Unexpected))
    }
}

/// Starts a master, which runs until `stop` is cancelled. Agents and frameworks find the next one
/// by themselves.
///
/// # Errors
/// The address or the folder cannot be used.
pub async fn start(config: Config, stop: CancellationToken) -> Result<Handle, Error> {
    let Config { listen, work_dir, hostname, agent_timeout, agent_reregister_timeout } = config;
    fsutil::private_folder(&work_dir).map_err(|source| Error::Folder {
        action: "make the folder",
        path: work_dir.clone(),
        source,
    })?;
    let registry = work_dir.join("registry.json");
    let removed = read_registry(&registry)?;
    let listener = listen.bind()?;
    let address = listener.local_addr().map_err(Error::Serve)?;
    let id = uuid::Uuid::new_v4().to_string();
    let ms =
        |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let times =
        Times { agent_timeout: ms(agent_timeout), reregistration: ms(agent_reregister_timeout) };
    let shell = Shell::new(id.clone(), removed, times, registry);
    let info = master_info(id, address, hostname);
    tracing::info!(%address, "the master listens");
    let registry = RegistryServer::new(Service { shell: shell.clone(), stop: stop.clone() })
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    let router = http::router(Api { shell: shell.clone(), info })
        .merge(ops::router(Ops::new("master", env!("CARGO_PKG_VERSION"))))
        .route_service("/aurora.cluster.v1.Registry/{*method}", registry);
    let ticking = tokio::spawn(shell.clone().run());
    let gauges = tokio::spawn(read_gauges(shell));
    let ended = CancellationToken::new();
    let over = ended.clone().drop_guard();
    let running = tokio::spawn(async move {
        let _over = over;
        let served = serve::serve(listener, router, stop).await;
        ticking.abort();
        gauges.abort();
        served.map_err(Error::Serve)
    });
    Ok(Handle { address, running, ended })
}

fn read_registry(path: &Path) -> Result<BTreeSet<String>, Error> {
    #[derive(serde::Deserialize)]
    struct File {
        removed: BTreeSet<String>,
    }
    let failed = |source| Error::Folder { action: "read", path: path.to_owned(), source };
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice::<File>(&text)
            .map(|file| file.removed)
            .map_err(|error| failed(std::io::Error::other(error))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(failed(error)),
    }
}

fn master_info(id: String, address: SocketAddr, hostname: String) -> v1::MasterInfo {
    let ip = match address.ip() {
        std::net::IpAddr::V4(ip) => u32::from_le_bytes(ip.octets()),
        std::net::IpAddr::V6(_) => 0,
    };
    v1::MasterInfo {
        id,
        ip,
        port: u32::from(address.port()),
        pid: Some(format!("master@{address}")),
        hostname: Some(hostname.clone()),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        address: Some(v1::Address {
            hostname: Some(hostname),
            ip: Some(address.ip().to_string()),
            port: i32::from(address.port()),
        }),
        ..v1::MasterInfo::default()
    }
}

async fn read_gauges(shell: Shell) {
    let mut timer = tokio::time::interval(std::time::Duration::from_secs(1));
    loop {
        timer.tick().await;
        for (name, count) in shell.with(|inner, _| inner.core.counts()) {
            #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
            metrics::gauge!(format!("master_{name}")).set(count as f64);
        }
    }
}

struct Service {
    shell: Shell,
    stop: CancellationToken,
}

#[tonic::async_trait]
impl Registry for Service {
    type JoinStream = Pin<Box<dyn Stream<Item = Result<MasterMessage, Status>> + Send>>;

    async fn join(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::JoinStream>, Status> {
        let mut messages = request.into_inner();
        let first = messages.message().await?.and_then(|message| message.kind);
        let Some(Kind::Register(register)) = first else {
            return Err(Status::invalid_argument("the first message must be `register`"));
        };
        let info = v1::AgentInfo::decode(register.agent).map_err(unreadable)?;
        let running = register
            .running
            .into_iter()
            .map(|running| {
                Ok(RunningTask {
                    framework: running.framework_id,
                    info: v1::TaskInfo::decode(running.task).map_err(unreadable)?,
                    status: v1::TaskStatus::decode(running.status).map_err(unreadable)?,
                })
            })
            .collect::<Result<Vec<_>, Status>>()?;
        let address = format!("{}:{}", register.address, register.port);
        let (sender, receiver) = mpsc::unbounded_channel();
        let agent = self.shell.with(|inner, now| {
            // The agent's messages may begin as soon as it is registered.
            let id = match &info.id {
                Some(id) => {
                    inner.agent_joined(&id.value, sender.clone());
                    inner.core.agent_registered(now, info, &address, running)
                }
                None => {
                    let id = inner.core.agent_registered(now, info, &address, running);
                    inner.agent_joined(&id, sender.clone());
                    id
                }
            };
            let registered = proto::Registered { agent_id: id.clone() };
            let kind = Some(proto::master_message::Kind::Registered(registered));
            // The receiver is at hand.
            let _ = sender.send(Ok(MasterMessage { kind }));
            id
        });
        tracing::info!(agent, address, "an agent has registered");
        let (shell, stop) = (self.shell.clone(), self.stop.clone());
        tokio::spawn(async move {
            loop {
                let message = tokio::select! {
                    message = messages.message() => message,
                    () = stop.cancelled() => break,
                };
                match message {
                    Ok(Some(message)) => take(&shell, &agent, message),
                    Ok(None) => break,
                    Err(status) => {
                        tracing::debug!(agent, %status, "an agent's connection has failed");
                        break;
                    }
                }
            }
            tracing::info!(agent, "an agent is not connected any more");
            shell.with(|inner, now| inner.agent_left(now, &agent, &sender));
        });
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(receiver))))
    }
}

fn unreadable(error: prost::DecodeError) -> Status {
    Status::invalid_argument(format!("unreadable message: {error}"))
}

fn take(shell: &Shell, agent: &str, message: AgentMessage) {
    match message.kind {
        Some(Kind::Update(update)) => match v1::TaskStatus::decode(update.status) {
            Ok(status) => {
                shell.with(|inner, now| inner.core.agent_update(now, &update.framework_id, status));
            }
            Err(error) => tracing::error!(agent, %error, "an agent sent an unreadable update"),
        },
        Some(Kind::ExecutorEnded(ended)) => shell.with(|inner, _| {
            inner.core.executor_ended(&ended.framework_id, agent, &ended.executor_id, ended.status);
        }),
        Some(Kind::Register(_)) | None => {}
    }
}
