//! Puts an agent together.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aurora_daemon::listen::ListenError;
use aurora_daemon::ops::{self, Ops};
use aurora_daemon::serve;
use aurora_mesos::v1;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::checkpoint::Folders;
use super::collect::Collector;
use super::collect::plan::Policy;
use super::executors::{Executors, Times};
use super::files::Root;
use super::flags::Config;
use super::sessions::{self, Sessions};
use super::{files, http, link, operator};
use crate::resources::Resources;

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How long frameworks have to acknowledge the last updates when all executors were told to end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why an agent cannot start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its address cannot be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Its folder cannot be used.
    #[error("failed to use the folder {}: {source}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot serve.
    #[error("the agent cannot serve: {0}")]
    Serve(#[source] std::io::Error),
    /// A part of it ended without being told to.
    #[error("a part of the agent has ended unexpectedly")]
    Unexpected,
}

/// An agent that runs.
pub struct Handle {
    address: SocketAddr,
    executors: Executors,
    running: JoinHandle<Result<(), Error>>,
    ended: CancellationToken,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Handle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Tells all executors to end and waits until they have, and until their last updates have
    /// arrived as far as somebody takes them. Those that have not ended in time are killed. None is
    /// started from here on.
    pub async fn shutdown_executors(&self, grace: Duration) {
        let all = &self.executors;
        all.blocking(move |all| all.shut_down_all(grace)).await;
        while all.blocking(Executors::running).await.unwrap_or(0) > 0 {
            tokio::time::sleep(TICK / 5).await;
        }
        let last = async {
            while all.blocking(Executors::unacknowledged).await.unwrap_or(0) > 0 {
                tokio::time::sleep(TICK / 5).await;
            }
        };
        // Without a scheduler they are sent again by the next agent.
        let _ = tokio::time::timeout(LAST_WORDS, last).await;
    }

    /// How many executors run.
    pub fn running_executors(&self) -> usize {
        self.executors.running()
    }

    /// Kills all executors.
    pub fn kill_executors(&self) {
        self.executors.kill_all();
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

/// Starts an agent, which runs until `stop` is cancelled. Its executors run on, and the next agent
/// in the same folder finds them again.
///
/// # Errors
/// The address or the folder cannot be used.
pub async fn start(config: Config, stop: CancellationToken) -> Result<Handle, Error> {
    let folder = |source| Error::Folder { path: config.work_dir.clone(), source };
    let (folders, lock) = Folders::open(&config.work_dir).map_err(folder)?;
    std::fs::create_dir_all(folders.slaves()).map_err(folder)?;
    let listener = config.listen.bind()?;
    let address = listener.local_addr().map_err(Error::Serve)?;
    let id = folders.agent_id().map_err(folder)?;
    let resources = config.resources.or(Resources::of_machine(&config.work_dir));
    let info = v1::AgentInfo {
        hostname: config.hostname,
        port: Some(i32::from(address.port())),
        resources: resources.to_mesos(None),
        attributes: config.attributes,
        id: id.map(|value| v1::AgentId { value }),
    };
    let times = Times {
        registration: config.registration_timeout,
        reregistration: config.reregistration_timeout,
        shutdown_grace: config.shutdown_grace,
        recovery: config.recovery_timeout,
    };
    let policy = Policy {
        delay: config.gc_delay,
        failed_delay: config.gc_failed_delay,
        headroom: config.gc_disk_headroom,
    };
    let slaves = folders.slaves();
    let left = sessions::end_left(&slaves).map_err(folder)?;
    if left > 0 {
        tracing::info!(left, "ended what commands of before had left behind");
    }
    let executors = Executors::recover(info, folders.clone(), times, address).map_err(folder)?;
    let collector = Collector::new(executors.clone(), folders, policy);
    tracing::info!(%address, work_dir = %config.work_dir.display(), "the agent listens");
    let root = {
        let executors = executors.clone();
        Root::new(slaves, move || executors.agent_id())
    };
    let work_dir = std::path::absolute(&config.work_dir).map_err(folder)?;
    let told = vec![v1::Flag {
        name: "work_dir".to_owned(),
        value: Some(work_dir.to_string_lossy().into_owned()),
    }];
    let sessions = Sessions::new(config.exec, stop.clone());
    let router = http::router(executors.clone())
        .merge(operator::router(executors.clone(), root.clone(), sessions, told))
        .merge(files::router(root))
        .merge(ops::router(Ops::new("agent", env!("CARGO_PKG_VERSION"))));
    let parts = [
        tokio::spawn(tick(executors.clone())),
        tokio::spawn(join(executors.clone(), config.master, stop.clone())),
    ];
    let every = config.disk_watch_interval.min(collector.interval());
    let collecting = Collecting::start(collector, every);
    let fetching = executors.clone();
    let ended = CancellationToken::new();
    let over = ended.clone().drop_guard();
    let running = tokio::spawn(async move {
        let _over = over;
        run(listener, router, stop, parts, collecting, &fetching, lock).await
    });
    Ok(Handle { address, executors, running, ended })
}

async fn run(
    listener: std::net::TcpListener,
    router: axum::Router,
    stop: CancellationToken,
    parts: [JoinHandle<()>; 2],
    collecting: Collecting,
    executors: &Executors,
    _lock: File,
) -> Result<(), Error> {
    let served = serve::serve(listener, router, stop).await;
    for part in parts {
        part.abort();
    }
    // The next agent must meet neither.
    executors.close().await;
    collecting.end().await;
    served.map_err(Error::Serve)
}

/// Joins the master once the executors from before have had their chance to come back: what has
/// not by then is not told as running.
async fn join(executors: Executors, master: String, stop: CancellationToken) {
    while executors.blocking(Executors::is_recovering).await.unwrap_or(false) {
        tokio::time::sleep(TICK / 5).await;
    }
    link::run(executors, master, stop).await;
}

async fn tick(executors: Executors) {
    let mut timer = tokio::time::interval(TICK);
    loop {
        timer.tick().await;
        let Some(running) = executors
            .blocking(|all| {
                all.tick();
                all.running()
            })
            .await
        else {
            return;
        };
        #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
        metrics::gauge!("agent_executors").set(running as f64);
    }
}

/// What removes old sandboxes, from time to time, on threads that may wait.
struct Collecting {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Collecting {
    fn start(collector: Collector, every: Duration) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let collector = Arc::new(Mutex::new(collector));
        let task = tokio::spawn(async move {
            let mut timer = tokio::time::interval(every);
            // A pass may take long: the next begins when it is over.
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stopped.run_until_cancelled(timer.tick()).await.is_some() {
                let (stopped, collector) = (stopped.clone(), Arc::clone(&collector));
                let pass = tokio::task::spawn_blocking(move || {
                    // What it remembers between passes only spares it work.
                    let mut collector = collector.lock().unwrap_or_else(PoisonError::into_inner);
                    collector.pass(&|| stopped.is_cancelled());
                });
                if let Err(error) = pass.await {
                    tracing::error!(%error, "failed to look for old sandboxes");
                }
            }
        });
        Self { stop, task }
    }

    /// Has it end, and waits until it has.
    async fn end(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "removing old sandboxes has ended unexpectedly");
        }
    }
}
