//! Puts an observer together.

use std::net::SocketAddr;
use std::sync::Arc;

use aurora_daemon::listen::ListenError;
use aurora_daemon::ops::{self, Ops};
use aurora_daemon::{serve, web};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::flags::Config;
use crate::tasks::Observed;
use crate::usage::ring::TooMany;
use crate::usage::{Sampler, Settings};
use crate::{assets, files, follow, json, pages};

/// Why an observer cannot start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its address cannot be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// It cannot serve.
    #[error("the observer cannot serve: {0}")]
    Serve(#[source] std::io::Error),
    /// A part of it ended without being told to.
    #[error("a part of the observer has ended unexpectedly")]
    Unexpected,
    /// Its intervals make no sense.
    #[error(transparent)]
    Figures(#[from] TooMany),
}

/// An observer that runs.
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

/// Starts an observer, which runs until `stop` is cancelled.
///
/// # Errors
/// The address cannot be used, or an interval of the figures is too short.
pub async fn start(config: Config, stop: CancellationToken) -> Result<Handle, Error> {
    let listener = config.listen.bind()?;
    let address = listener.local_addr().map_err(Error::Serve)?;
    tracing::info!(%address, checkpoint_root = %config.checkpoint_root.display(), "the observer listens");
    let sampler = Sampler::new(Settings {
        enabled: config.collects,
        processes: config.process_interval,
        disk: config.disk_interval,
    })?;
    let observed = Arc::new(Observed::new(
        config.checkpoint_root,
        sampler,
        config.scheduler_url,
        stop.clone(),
    ));
    // Before anything is counted.
    let ops = Ops::new("observer", env!("CARGO_PKG_VERSION"));
    tokio::spawn(Arc::clone(&observed).watch());
    if config.collects {
        tokio::spawn(Arc::clone(&observed).measure_disks());
    }
    let router = pages::router(Arc::clone(&observed))
        .merge(json::router(Arc::clone(&observed)))
        .merge(files::router(Arc::clone(&observed)))
        .merge(follow::router(observed))
        .merge(web::assets())
        .merge(assets::router())
        .merge(ops::router(ops))
        .fallback(pages::unknown);
    let ended = CancellationToken::new();
    let over = ended.clone().drop_guard();
    let running = tokio::spawn(async move {
        let _over = over;
        serve::serve(listener, router, stop).await.map_err(Error::Serve)
    });
    Ok(Handle { address, running, ended })
}
