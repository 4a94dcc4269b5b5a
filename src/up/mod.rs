//! `aurora up` and `aurora down`: a whole cluster in one process, and the jobs of a file on it.

mod data;
mod detach;
mod down;
mod follow;
mod house;
mod jobs;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use aurora_client::{
    Scheduler,
    registry::{self, Registered},
};
use aurora_daemon::shutdown::{self, Signals};
use aurora_daemon::telemetry;
use aurora_thermos::process::tree;
use rustix::fs::Mode;

pub(crate) use down::DownArgs;

use crate::config::is_stdin;
use crate::failure::{Code, Failure};
use crate::job::File;
use crate::output::note;
use data::DataDir;
use follow::{Follow, Outcome};
use house::{House, Ports};

#[derive(Debug, clap::Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    file: File,
    /// The folder of all state: jobs, sandboxes, output. By default aurora in the XDG state
    /// directory; /var/lib/aurora for root.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Return as soon as the jobs run; `aurora down` stops them.
    #[arg(long, short = 'd')]
    detach: bool,
    /// The address that all parts listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    ip: IpAddr,
    #[command(flatten)]
    ports: Ports,
    /// Do not follow the output of processes.
    #[arg(long)]
    no_logs: bool,
    /// What is logged to standard error, such as info; nothing but errors by default.
    #[arg(long, env = "AURORA_LOG", default_value = "error", value_name = "FILTER")]
    log_filter: String,
    /// Runs the cluster for a command that has returned.
    #[arg(long, hide = true)]
    detached: bool,
}

impl UpArgs {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.detach && is_stdin(&self.file.path) {
            let message = "what is detached reads its file itself: give a file, not -";
            return Err(Failure::new(Code::Usage, message));
        }
        let jobs = jobs::read(&self.file)?;
        if self.detach {
            return detach::run(&self, &jobs);
        }
        telemetry::init(telemetry::Format::Text, &self.log_filter)
            .map_err(|error| Failure::new(Code::Usage, error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Code::Error, format!("failed to start: {error}")))?;
        let result = runtime.block_on(self.run_here(jobs));
        runtime.shutdown_timeout(Duration::from_secs(1));
        result
    }

    async fn run_here(self, jobs: Vec<aurora_eval::ReadyJob>) -> Result<(), Failure> {
        let signals = shutdown::signals().map_err(|error| {
            Failure::new(Code::Error, format!("failed to watch signals: {error}"))
        })?;
        if rustix::process::geteuid().is_root() {
            // The users of roles must reach their sandboxes, whatever root's own files are like.
            rustix::process::umask(Mode::WGRP | Mode::WOTH);
        }
        let data = DataDir::open(self.data_dir.as_deref())?;
        if self.detached {
            data.begin_log()?;
        }
        jobs::tell_users(&jobs, data.path());
        let house = House::start(&data, self.ip, self.ports, &jobs).await?;
        let registered = register(&house, &data, &jobs);
        // Whatever happens from here on, the house is left in good order.
        let result = match &registered {
            Ok(registered) => self.run_jobs(&house, registered, &jobs, &signals).await,
            Err(_) => Ok(Outcome::Stopped),
        };
        let stopped = house.stop(&signals).await;
        registered.map(|registered| registered.remove())?;
        match (stopped, result) {
            // Why a part has ended says more than that it was lost.
            (Err(failure), _) | (Ok(()), Err(failure)) => Err(failure),
            (Ok(()), Ok(Outcome::Failed)) => Err(Failure::said(Code::CommandFailure)),
            (Ok(()), Ok(Outcome::Done | Outcome::Stopped)) => Ok(()),
        }
    }

    async fn run_jobs(
        &self,
        house: &House,
        registered: &Registered,
        jobs: &[aurora_eval::ReadyJob],
        signals: &Signals,
    ) -> Result<Outcome, Failure> {
        let scheduler = Scheduler::at(&registered.scheduler, Duration::from_secs(10))?;
        let mut follow = None;
        let work = async {
            if self.detached {
                jobs::create(&scheduler, jobs).await?;
                Registered { ready: true, ..registered.clone() }.write().map_err(|error| {
                    Failure::new(
                        Code::Error,
                        format!(
                            "failed to register this `aurora up` in {}: {error}",
                            registry::folder().display()
                        ),
                    )
                })?;
                // Its jobs may end, the cluster goes on until it is told to stop.
                std::future::pending::<()>().await;
            }
            note(&format!("Scheduler  {}", house.scheduler_address()));
            note(&format!("Observer   {}", house.observer_address()));
            let logs = !self.no_logs;
            let watched = Follow::open(&scheduler, jobs, house.checkpoints(), logs).await?;
            let follow = follow.insert(watched);
            jobs::create(&scheduler, jobs).await?;
            follow.run(&scheduler).await
        };
        let outcome = tokio::select! {
            outcome = work => outcome?,
            () = signals.stop.cancelled() => Outcome::Stopped,
            () = house.ended() => Outcome::Stopped,
        };
        // A batch job beside services may have failed before somebody stopped it all.
        let failed = follow.is_some_and(|follow| follow.has_failed());
        Ok(if failed { Outcome::Failed } else { outcome })
    }
}

fn register(
    house: &House,
    data: &DataDir,
    jobs: &[aurora_eval::ReadyJob],
) -> Result<Registered, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Code::Error,
            format!(
                "failed to register this `aurora up` in {}: {error}",
                registry::folder().display()
            ),
        )
    };
    let pid = i32::try_from(std::process::id()).map_err(std::io::Error::other).map_err(failed)?;
    let mut clusters: Vec<String> = jobs.iter().map(|job| job.config.cluster.clone()).collect();
    clusters.sort();
    clusters.dedup();
    let registered = Registered {
        pid,
        start_ticks: tree::identify(pid).map_err(failed)?.start_ticks,
        clusters,
        scheduler: house.local_scheduler(),
        observer: house.local_observer(),
        data_dir: data.path().to_owned(),
        ready: false,
    };
    registered.write().map_err(failed)?;
    Ok(registered)
}
