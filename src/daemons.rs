//! Each daemon alone: `aurora scheduler | master | agent | observer | executor`.

use std::fmt::Display;
use std::future::Future;

use aurora_daemon::shutdown;
use aurora_daemon::telemetry;
use tokio_util::sync::CancellationToken;

use crate::failure::{Code, Failure};

/// What is logged, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Logging {
    /// What is logged, such as info or warn,aurora_cluster=debug.
    #[arg(long, env = "AURORA_LOG", default_value = "info", value_name = "FILTER")]
    pub(crate) log_filter: String,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) log_format: telemetry::Format,
}

/// A daemon's flags with those that all share.
#[derive(Debug, clap::Args)]
pub(crate) struct Daemon<F: clap::Args> {
    #[command(flatten)]
    flags: F,
    #[command(flatten)]
    logging: Logging,
}

/// A failure of a daemon.
pub(crate) fn failed(error: &impl Display) -> Failure {
    Failure::new(Code::Error, error.to_string())
}

/// Runs a daemon until a signal, or until it fails.
fn run<Running, Wait, E>(
    logging: &Logging,
    start: impl FnOnce(CancellationToken) -> Running,
) -> Result<(), Failure>
where
    Running: Future<Output = Result<Wait, E>>,
    Wait: Future<Output = Result<(), E>>,
    E: Display,
{
    telemetry::init(logging.log_format, &logging.log_filter)
        .map_err(|error| Failure::new(Code::Usage, error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    let result = runtime.block_on(async {
        let signals = shutdown::signals().map_err(|error| failed(&error))?;
        let wait = start(signals.stop.clone()).await.map_err(|error| failed(&error))?;
        tokio::select! {
            ended = wait => ended.map_err(|error| failed(&error)),
            () = signals.force.cancelled() => Err(Failure::new(Code::Interrupted, "stopped at once")),
        }
    });
    // What hangs in a blocking call must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}

/// Flags that make no sense.
fn usage(error: &impl Display) -> Failure {
    Failure::new(Code::Usage, error.to_string())
}

pub(crate) fn scheduler(args: Daemon<aurora_scheduler_server::Flags>) -> Result<(), Failure> {
    let config =
        aurora_scheduler_server::Config::try_from(args.flags).map_err(|error| usage(&error))?;
    run(&args.logging, |stop| async {
        aurora_scheduler_server::start(config, stop)
            .await
            .map(aurora_scheduler_server::Handle::wait)
    })
}

pub(crate) fn master(args: Daemon<aurora_cluster::master::Flags>) -> Result<(), Failure> {
    let config =
        aurora_cluster::master::Config::try_from(args.flags).map_err(|error| usage(&error))?;
    run(&args.logging, |stop| async {
        aurora_cluster::master::start(config, stop).await.map(aurora_cluster::master::Handle::wait)
    })
}

pub(crate) fn agent(args: Daemon<aurora_cluster::agent::Flags>) -> Result<(), Failure> {
    let config =
        aurora_cluster::agent::Config::try_from(args.flags).map_err(|error| usage(&error))?;
    run(&args.logging, |stop| async {
        aurora_cluster::agent::start(config, stop).await.map(aurora_cluster::agent::Handle::wait)
    })
}

pub(crate) fn observer(args: Daemon<aurora_observer::Flags>) -> Result<(), Failure> {
    let config = aurora_observer::Config::from(args.flags);
    run(&args.logging, |stop| async {
        aurora_observer::start(config, stop).await.map(aurora_observer::Handle::wait)
    })
}

pub(crate) fn executor(args: Daemon<aurora_executor::Flags>) -> Result<(), Failure> {
    telemetry::init(args.logging.log_format, &args.logging.log_filter)
        .map_err(|error| Failure::new(Code::Usage, error.to_string()))?;
    // One thread: the task's processes end with the thread that starts them.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    let result = runtime.block_on(aurora_executor::run(args.flags, std::env::vars_os()));
    // What hangs in a blocking call must not keep the process.
    runtime.shutdown_background();
    result.map_err(|error| failed(&error))
}
