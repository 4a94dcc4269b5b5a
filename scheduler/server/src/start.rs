//! Puts a scheduler together.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aurora_api::v1::admin_server::AdminServer;
use aurora_api::v1::backups_server::BackupsServer;
use aurora_api::v1::cluster_server::ClusterServer;
use aurora_api::v1::cron_jobs_server::CronJobsServer;
use aurora_api::v1::events_server::EventsServer;
use aurora_api::v1::jobs_server::JobsServer;
use aurora_api::v1::maintenance_server::MaintenanceServer;
use aurora_api::v1::plan_server::PlanServer;
use aurora_api::v1::quotas_server::QuotasServer;
use aurora_api::v1::updates_server::UpdatesServer;
use aurora_daemon::listen::{Listen, ListenError, url_host};
use aurora_daemon::ops::{self, Ops};
use aurora_daemon::{serve, web};
use aurora_mesos::scheduler as mesos;
use aurora_mesos::v1;
use aurora_scheduler_core::{Input, Scheduler, State};
use aurora_scheduler_session::{Identity, Launcher, Session};
use aurora_scheduler_storage::{Backups, FileError, Log, OpenError, Store, StoreError};
use axum::Router;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;

use crate::actor::{self, Core, Ending};
use crate::backups::Keeper;
use crate::coordinator::Coordinators;
use crate::dispatch::Dispatcher;
use crate::event_log::EventLog;
use crate::flags::Config;
use crate::grpc::{Api, Info};
use crate::history::History;
use crate::mesos::connect;
use crate::stats;
use crate::web::{self as pages, Pages};
use crate::webhook;

/// The largest message of the API, in bytes.
const MAX_MESSAGE: usize = 16 << 20;

/// Why a scheduler cannot start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its address cannot be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Its log cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its log cannot be written: it must not go on.
    #[error("the scheduler had to end because its log failed: {0}")]
    Log(#[from] StoreError),
    /// The folder of its backups cannot be used.
    #[error("the backups cannot be kept: {0}")]
    Backups(#[source] FileError),
    /// Its log holds another state than it has.
    #[error(
        "the scheduler has ended because a backup was committed: start it again to have its state"
    )]
    Replaced,
    /// The master wants no more of it.
    #[error(
        "the Mesos master has ended this scheduler: {0}. If the framework was removed, its tasks \
         are gone: move the log away to begin with an empty cluster"
    )]
    Removed(String),
    /// A socket or a thread cannot be had.
    #[error("failed to {action}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A part of it ended without being told to.
    #[error("a part of the scheduler has ended unexpectedly")]
    Unexpected,
}

/// A scheduler that runs.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    core: HandleCore,
    running: JoinHandle<Result<(), Error>>,
    ended: CancellationToken,
}

/// The core of the scheduler that runs at this moment.
#[derive(Clone)]
struct HandleCore(Arc<Mutex<Current>>);

struct Current {
    core: Core,
    /// It is to launch nothing, and neither is one that follows.
    is_paused: bool,
}

impl HandleCore {
    fn new(core: Core) -> Self {
        Self(Arc::new(Mutex::new(Current { core, is_paused: false })))
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has this one and those that follow launch nothing more; gives the one that runs.
    fn pause(&self) -> Core {
        let mut current = self.lock();
        current.is_paused = true;
        current.core.clone()
    }

    /// Another one runs; gives whether it is to launch nothing.
    fn set(&self, core: Core) -> bool {
        let mut current = self.lock();
        current.core = core;
        current.is_paused
    }
}

impl std::fmt::Debug for HandleCore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Core")
    }
}

impl Handle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Launches no more tasks; those that run go on. Returns when that holds.
    pub async fn pause_launching(&self) {
        let core = self.core.pause();
        // A scheduler that has ended launches nothing either.
        if core.put(Input::Launching(false)).await.is_ok() {
            let _ = core.settle().await;
        }
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

/// Starts a scheduler with its log on this machine. It runs until `stop` is cancelled; its tasks
/// run on. When a backup was committed it begins anew with that, at the same address.
///
/// # Errors
/// The log or the backups cannot be opened, or the address cannot be used.
pub async fn start(config: Config, stop: CancellationToken) -> Result<Handle, Error> {
    let (store, state) = open(&config.flags.native_log_file_path).await?;
    // Who connects while one scheduler ends and the next begins waits.
    let config = Config { listen: Listen::Bound(config.listen.bind()?), ..config };
    let first = start_with_log(another(&config)?, Box::new(store), state, stop.clone()).await?;
    let (address, core) = (first.address, first.core.clone());
    let over = CancellationToken::new();
    let guard = over.clone().drop_guard();
    let current = core.clone();
    let running = tokio::spawn(async move {
        let _guard = guard;
        let mut handle = first;
        loop {
            let mut end = std::pin::pin!(handle.wait());
            tokio::select! {
                result = &mut end => match result {
                    Err(Error::Replaced) => {}
                    result => return result,
                },
                () = stop.cancelled() => {
                    // Nobody comes after it: who connects now is refused at once.
                    drop(config);
                    return match end.await {
                        Err(Error::Replaced) => Ok(()),
                        result => result,
                    };
                }
            }
            tracing::info!("starting again with the state of a backup");
            let (store, state) = open(&config.flags.native_log_file_path).await?;
            let config = another(&config)?;
            handle = start_with_log(config, Box::new(store), state, stop.clone()).await?;
            let core = handle.core.lock().core.clone();
            if current.set(core.clone()) {
                // One that has ended meanwhile launches nothing either.
                let _ = core.put(Input::Launching(false)).await;
            }
        }
    });
    Ok(Handle { address, core, running, ended: over })
}

async fn open(folder: &Path) -> Result<(Store, State), Error> {
    let folder = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || Store::open(&folder)).await;
    Ok(opened.map_err(|_| Error::Unexpected)??)
}

fn another(config: &Config) -> Result<Config, Error> {
    config.another().map_err(|source| Error::Io { action: "share the socket", source })
}

/// Starts a scheduler with a log of the caller's, and the state that log holds. When a backup was
/// committed it ends with [`Error::Replaced`], and the log is to be opened again.
///
/// # Errors
/// The backups cannot be opened, or the address cannot be used.
pub async fn start_with_log(
    config: Config,
    log: Box<dyn Log>,
    state: State,
    stop: CancellationToken,
) -> Result<Handle, Error> {
    // First: what is counted before there is anywhere to count is lost.
    let metrics = aurora_daemon::metrics::install();
    crate::counters::register();
    let Config {
        listen,
        flags,
        settings,
        sla,
        credential,
        webhook,
        hostname,
        executor,
        executor_user,
    } = config;
    let listener = listen.bind()?;
    let address = listener
        .local_addr()
        .map_err(|source| Error::Io { action: "look at the socket", source })?;
    let folder = flags.backups.folder(&flags.native_log_file_path);
    let opened = tokio::task::spawn_blocking(move || Backups::open(&folder)).await;
    let backups = opened.map_err(|_| Error::Unexpected)?.map_err(Error::Backups)?;
    let backups = Keeper::new(backups, flags.backups.max_saved_backups);
    tracing::info!(%address, cluster = flags.cluster_name, tasks = state.tasks().count(), "starting");
    let framework = framework(&flags, &hostname, executor_user, address, &state);
    let launcher = Launcher {
        executor,
        executor_flags: flags.thermos_executor_flags.clone(),
        overhead: settings.executor_overhead,
        default_tier: settings.default_tier.clone(),
        revocable_tiers: settings
            .tiers
            .iter()
            .filter(|(_, tier)| tier.revocable)
            .map(|(name, _)| name.clone())
            .collect(),
        revocable_cpus: settings.revocable_cpus,
        revocable_ram: settings.revocable_ram,
        discovery: flags.populate_discovery_info.then(|| flags.cluster_name.clone()),
    };
    let info = Info {
        cluster: flags.cluster_name.clone(),
        default_tier: settings.default_tier.clone(),
        tiers: settings.tiers.keys().cloned().collect(),
        web_url: web_url(address, &hostname),
        observer_port: flags.observer_port,
        stats_url_prefix: flags.viz_job_url_prefix.clone(),
    };
    let version = state.version();
    let timeout = u64::try_from(settings.sla_coordinator_timeout_ms).unwrap_or(1);
    let coordinators =
        Coordinators::new(flags.cluster_name.clone(), Duration::from_millis(timeout));
    let scheduler = Scheduler::new(settings, state);
    let (seed, _) = uuid::Uuid::new_v4().as_u64_pair();
    // The parts end in order: first what brings work in, then the core and its log.
    let inner = CancellationToken::new();
    // Without the part that waits for their end, none may go on.
    let parts = inner.clone().drop_guard();
    let told = webhook.map(|webhook| webhook::start(webhook, &inner));
    let events = EventLog::new(flags.event_buffer, version, told);
    let actor =
        actor::start(scheduler, log, events.clone(), seed, inner.clone()).map_err(|source| {
            Error::Io { action: "start the threads of the core and its log", source }
        })?;
    let core = actor.core.clone();
    let dispatcher = Dispatcher::new(core.clone());

    let mut session = mesos::Config::new(flags.mesos_master_address.clone(), framework);
    session.credential = credential;
    session.backoff_max = Duration::from_secs(5);
    let (calls, session_events) = mesos::start(session, inner.clone());
    let (mesos, listening) = connect(
        calls,
        session_events,
        Session::new(launcher, flags.offer_filter_duration),
        core.clone(),
    );
    let dispatching = tokio::spawn(dispatcher.clone().run(actor.effects, mesos, coordinators));

    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds.max(1)));
    let every = stats::Intervals {
        usage: seconds(flags.async_task_stat_update_interval),
        slots: seconds(flags.async_slot_stat_update_interval),
        sampling: seconds(flags.stat_sampling_interval),
    };
    let samples = flags.stat_retention_period / flags.stat_sampling_interval.max(1);
    let history = History::new(usize::try_from(samples).unwrap_or(usize::MAX));
    let quit = CancellationToken::new();
    let gauges = tokio::spawn(stats::run(core.clone(), metrics.clone(), history.clone(), every));
    let measuring = tokio::spawn(crate::sla::measure(core.clone(), metrics.clone(), sla));
    let keeping =
        tokio::spawn(backups.clone().keep(core.clone(), seconds(flags.backups.backup_interval)));
    let api = Api { core: core.clone(), dispatcher, info, stop: inner.clone(), events, backups };
    let pages = Pages {
        core: core.clone(),
        cluster: flags.cluster_name.as_str().into(),
        observer_port: flags.observer_port,
        stats_url_prefix: flags.viz_job_url_prefix.as_str().into(),
        history: history.clone(),
        quit: quit.clone(),
    };
    let router = router(api, pages).await?;
    let serving = tokio::spawn(serve::serve(listener, router, inner.clone()));

    let mut ended = actor.ended;
    let mut listening = listening;
    let over = CancellationToken::new();
    let guard = over.clone().drop_guard();
    let running = tokio::spawn(async move {
        let _guard = guard;
        let _parts = parts;
        let mut log_ended = None;
        let result = tokio::select! {
            () = stop.cancelled() => Ok(()),
            () = quit.cancelled() => Ok(()),
            // The log's thread ends the rest when it fails.
            written = &mut ended => {
                log_ended = Some(written);
                Err(Error::Unexpected)
            },
            session = &mut listening => match session {
                Ok(Some(message)) => Err(Error::Removed(message)),
                _ => Err(Error::Unexpected),
            },
        };
        inner.cancel();
        gauges.abort();
        keeping.abort();
        measuring.abort();
        listening.abort();
        let served = serving.await;
        // What was taken is on disk before this ends.
        let log_ended = match log_ended {
            Some(known) => known,
            None => ended.await,
        };
        dispatching.abort();
        // What has ended because the log did is not the reason.
        match log_ended {
            Ok(Err(error)) => return Err(Error::Log(error)),
            Ok(Ok(Ending::Replaced)) if result.is_err() => return Err(Error::Replaced),
            _ => {}
        }
        match served {
            Ok(Err(source)) => result.and(Err(Error::Io { action: "serve", source })),
            _ => result,
        }
    });
    Ok(Handle { address, core: HandleCore::new(core), running, ended: over })
}

fn framework(
    flags: &crate::Flags,
    hostname: &str,
    user: String,
    address: SocketAddr,
    state: &State,
) -> v1::FrameworkInfo {
    v1::FrameworkInfo::from(Identity {
        user,
        name: flags.framework_name.clone(),
        id: state.framework_id().map(ToString::to_string),
        failover_timeout: flags.framework_failover_timeout,
        role: flags.mesos_role.clone(),
        hostname: hostname.to_owned(),
        web_url: web_url(address, hostname),
        revocable: flags.receive_revocable_resources,
        gpus: flags.allow_gpu_resource,
    })
}

/// Where people find the pages.
fn web_url(address: SocketAddr, hostname: &str) -> String {
    format!("http://{}:{}", url_host(address.ip(), hostname), address.port())
}

async fn router(api: Api, pages: Pages) -> Result<Router, Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<JobsServer<Api>>().await;
    reporter.set_serving::<ClusterServer<Api>>().await;
    reporter.set_serving::<QuotasServer<Api>>().await;
    reporter.set_serving::<CronJobsServer<Api>>().await;
    reporter.set_serving::<EventsServer<Api>>().await;
    reporter.set_serving::<AdminServer<Api>>().await;
    reporter.set_serving::<BackupsServer<Api>>().await;
    reporter.set_serving::<UpdatesServer<Api>>().await;
    reporter.set_serving::<PlanServer<Api>>().await;
    reporter.set_serving::<MaintenanceServer<Api>>().await;
    let reflection = |error: tonic_reflection::server::Error| Error::Io {
        action: "describe the API",
        source: std::io::Error::other(error.to_string()),
    };
    let describe = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(aurora_api::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = describe().build_v1().map_err(reflection)?;
    let v1alpha = describe().build_v1alpha().map_err(reflection)?;
    let jobs = JobsServer::new(api.clone())
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(usize::MAX);
    let quotas = QuotasServer::new(api.clone()).max_decoding_message_size(MAX_MESSAGE);
    let crons = CronJobsServer::new(api.clone()).max_decoding_message_size(MAX_MESSAGE);
    let plan = PlanServer::new(api.clone()).max_decoding_message_size(MAX_MESSAGE);
    let admin = AdminServer::new(api.clone()).max_decoding_message_size(MAX_MESSAGE);
    let backups = BackupsServer::new(api.clone())
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(usize::MAX);
    let events = EventsServer::new(api.clone()).max_decoding_message_size(MAX_MESSAGE);
    let updates = UpdatesServer::new(api.clone())
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(usize::MAX);
    let maintenance = MaintenanceServer::new(api.clone()).max_decoding_message_size(MAX_MESSAGE);
    let cluster = ClusterServer::new(api).max_decoding_message_size(MAX_MESSAGE);
    let router = pages::router(pages)
        .merge(web::assets())
        .merge(ops::router(Ops::new("scheduler", env!("CARGO_PKG_VERSION"))));
    let router = route(router, jobs);
    let router = route(router, cluster);
    let router = route(router, quotas);
    let router = route(router, crons);
    let router = route(router, admin);
    let router = route(router, backups);
    let router = route(router, plan);
    let router = route(router, events);
    let router = route(router, updates);
    let router = route(router, maintenance);
    let router = route(router, health);
    let router = route(router, v1);
    Ok(route(router, v1alpha).layer(axum::middleware::from_fn(stats::count_answer)))
}

/// Serves a gRPC service beside the pages.
fn route<S>(router: Router, service: S) -> Router
where
    S: NamedService
        + tower::Service<
            axum::extract::Request,
            Response = axum::http::Response<tonic::body::Body>,
            Error = std::convert::Infallible,
        > + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    router.route_service(&format!("/{}/{{*method}}", S::NAME), service)
}

#[cfg(test)]
mod tests {
    use v1::framework_info::capability::Type;

    use super::*;
    use crate::flags::tests::config;

    #[test]
    fn resources_that_may_be_taken_back_are_asked_for_only_if_wanted() {
        for (flags, wanted) in [
            (&[][..], false),
            (&["--receive-revocable-resources"][..], true),
            (&["--receive-revocable-resources=true"][..], true),
            (&["--receive-revocable-resources=false"][..], false),
        ] {
            let flags = config(flags).unwrap().flags;
            let address = SocketAddr::from(([127, 0, 0, 1], 8081));
            let info = framework(&flags, "host", "me".into(), address, &State::default());
            let asked = info.capabilities.iter().any(|c| c.r#type() == Type::RevocableResources);
            assert_eq!(asked, wanted);
        }
    }

    #[test]
    fn agents_with_gpus_are_asked_for_where_jobs_may_have_them() {
        for (flags, wanted) in [(&[][..], false), (&["--allow-gpu-resource"][..], true)] {
            let flags = config(flags).unwrap().flags;
            let address = SocketAddr::from(([127, 0, 0, 1], 8081));
            let info = framework(&flags, "host", "me".into(), address, &State::default());
            let asked = info.capabilities.iter().any(|c| c.r#type() == Type::GpuResources);
            assert_eq!(asked, wanted);
        }
    }
}
