//! Scheduler, master, agent and observer in this process.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aurora_cluster::{agent, master};
use aurora_daemon::listen::{self, Listen};
use aurora_daemon::shell::quoted;
use aurora_daemon::shutdown::Signals;
use aurora_eval::ReadyJob;
use clap::{Args, Command};
use tokio_util::sync::CancellationToken;

use super::data::DataDir;
use crate::daemons::failed;
use crate::failure::{Code, Failure};
use crate::job::owner;
use crate::output::note;

/// Seconds that the processes of a task have to end when it is told to.
const STOP_TIMEOUT: u64 = 10;
/// How long executors have, a little longer than their processes.
const GRACE: Duration = Duration::from_secs(STOP_TIMEOUT + 5);
/// How long the daemons may take to end once no task runs.
const CLOSING: Duration = Duration::from_secs(10);

/// The ports; each moves to a free one if it is taken.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Ports {
    /// The port of the scheduler.
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    scheduler_port: u16,
    /// The port of the master.
    #[arg(long, value_name = "PORT", default_value_t = 5050)]
    master_port: u16,
    /// The port of the agent.
    #[arg(long, value_name = "PORT", default_value_t = 5051)]
    agent_port: u16,
    /// The port of the observer.
    #[arg(long, value_name = "PORT", default_value_t = 1338)]
    observer_port: u16,
}

/// A cluster that runs in this process.
#[derive(Debug)]
pub(super) struct House {
    host: String,
    scheduler: SocketAddr,
    observer: SocketAddr,
    scheduler_handle: aurora_scheduler_server::Handle,
    master_handle: master::Handle,
    agent_handle: agent::Handle,
    observer_handle: aurora_observer::Handle,
    checkpoints: PathBuf,
    /// Ends all daemons.
    stop: CancellationToken,
}

impl House {
    pub(super) async fn start(
        data: &DataDir,
        ip: IpAddr,
        ports: Ports,
        jobs: &[ReadyJob],
    ) -> Result<Self, Failure> {
        let scheduler = bind("scheduler", ip, ports.scheduler_port)?;
        let master = bind("master", ip, ports.master_port)?;
        // Executors from before look for the agent where it was.
        let known = data.agent_port(ports.agent_port);
        let agent = match known.and_then(|port| TcpListener::bind((ip, port)).ok()) {
            Some(listener) => listener,
            None => bind("agent", ip, ports.agent_port)?,
        };
        let observer = bind("observer", ip, ports.observer_port)?;
        let address =
            |listener: &TcpListener| listener.local_addr().map_err(|error| failed(&error));
        let (scheduler_at, master_at, observer_at) =
            (address(&scheduler)?, address(&master)?, address(&observer)?);
        let agent_port = address(&agent)?.port();
        data.set_agent_port(ports.agent_port, agent_port).map_err(|error| {
            failed(&format!("failed to write to {}: {error}", data.path().display()))
        })?;
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let host = listen::url_host(ip, &name);
        let stop = CancellationToken::new();
        // If one of them cannot start, those before it end.
        let guard = stop.clone().drop_guard();

        let config = master_config(data, &host, master)?;
        let master_handle =
            master::start(config, stop.clone()).await.map_err(|error| failed(&error))?;
        let config = scheduler_config(data, &host, scheduler, master_at, observer_at, jobs)?;
        let scheduler_handle = aurora_scheduler_server::start(config, stop.clone())
            .await
            .map_err(|error| failed(&error))?;
        let config = agent_config(data, &host, agent, master_at)?;
        let agent_handle =
            agent::start(config, stop.clone()).await.map_err(|error| failed(&error))?;
        let pages = format!("http://{host}:{}", scheduler_at.port());
        let config = aurora_observer::Config {
            scheduler_url: Some(pages),
            ..aurora_observer::Config::new(Listen::Bound(observer), data.thermos())
        };
        let observer_handle =
            aurora_observer::start(config, stop.clone()).await.map_err(|error| failed(&error))?;

        guard.disarm();
        Ok(Self {
            host,
            scheduler: scheduler_at,
            observer: observer_at,
            scheduler_handle,
            master_handle,
            agent_handle,
            observer_handle,
            checkpoints: data.thermos(),
            stop,
        })
    }

    pub(super) fn scheduler_address(&self) -> String {
        format!("http://{}:{}", self.host, self.scheduler.port())
    }

    pub(super) fn observer_address(&self) -> String {
        format!("http://{}:{}", self.host, self.observer.port())
    }

    /// Where this machine reaches the scheduler.
    pub(super) fn local_scheduler(&self) -> String {
        format!("http://{}", reachable(self.scheduler))
    }

    /// Where this machine reaches the observer.
    pub(super) fn local_observer(&self) -> String {
        format!("http://{}", reachable(self.observer))
    }

    /// Where executors write the state of their tasks.
    pub(super) fn checkpoints(&self) -> &Path {
        &self.checkpoints
    }

    /// Waits until a daemon ends although none was told to; [`House::stop`] tells why.
    pub(super) async fn ended(&self) {
        tokio::select! {
            () = self.scheduler_handle.ended() => {}
            () = self.master_handle.ended() => {}
            () = self.agent_handle.ended() => {}
            () = self.observer_handle.ended() => {}
        }
    }

    /// Stops the tasks, then the daemons. The second signal stops the tasks at once.
    pub(super) async fn stop(self, signals: &Signals) -> Result<(), Failure> {
        self.scheduler_handle.pause_launching().await;
        let running = self.agent_handle.running_executors();
        // Without a signal all tasks have ended, and their executors are about to.
        if running > 0 && signals.stop.is_cancelled() {
            let tasks = if running == 1 { "task" } else { "tasks" };
            note(&format!("Stopping {running} {tasks} (Ctrl-C again stops at once)"));
        }
        let forced = tokio::select! {
            () = self.agent_handle.shutdown_executors(GRACE) => false,
            () = signals.force.cancelled() => {
                self.agent_handle.kill_executors();
                self.agent_handle.shutdown_executors(Duration::ZERO).await;
                true
            }
        };
        self.stop.cancel();
        let all = async {
            let scheduler = self.scheduler_handle.wait().await.map_err(|error| failed(&error));
            let agent = self.agent_handle.wait().await.map_err(|error| failed(&error));
            let master = self.master_handle.wait().await.map_err(|error| failed(&error));
            let observer = self.observer_handle.wait().await.map_err(|error| failed(&error));
            scheduler.and(agent).and(master).and(observer)
        };
        let result = tokio::time::timeout(CLOSING, all).await.unwrap_or_else(|_| {
            Err(Failure::new(Code::Error, "the cluster's parts did not end in time"))
        });
        if forced {
            return Err(Failure::new(Code::Interrupted, "stopped at once: tasks were killed"));
        }
        result
    }
}

fn bind(name: &str, ip: IpAddr, port: u16) -> Result<TcpListener, Failure> {
    let (listener, moved) =
        listen::bind_or_free(SocketAddr::new(ip, port)).map_err(|error| failed(&error))?;
    if moved {
        let now = listener.local_addr().map_err(|error| failed(&error))?.port();
        note(&format!("Port {port} is taken: the {name} listens on {now}"));
    }
    Ok(listener)
}

/// A daemon's flags, as its own command line would give them.
fn flags<F: Args>(words: &[&str]) -> Result<F, Failure> {
    let command = F::augment_args(Command::new("up").no_binary_name(true));
    command
        .try_get_matches_from(words)
        .and_then(|matches| F::from_arg_matches(&matches))
        .map_err(|error| failed(&error))
}

fn text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| {
        Failure::new(Code::Usage, format!("the path {} is not UTF-8", path.display()))
    })
}

fn master_config(
    data: &DataDir,
    host: &str,
    listener: TcpListener,
) -> Result<master::Config, Failure> {
    let folder = data.master();
    let words = [
        "--work-dir",
        text(&folder)?,
        "--hostname",
        host,
        // There is one agent, and it is started together with its master.
        "--agent-ping-timeout",
        "5secs",
        "--max-agent-ping-timeouts",
        "2",
    ];
    let config = master::Config::try_from(flags::<master::Flags>(&words)?);
    let config = config.map_err(|error| failed(&error))?;
    Ok(master::Config { listen: Listen::Bound(listener), ..config })
}

fn agent_config(
    data: &DataDir,
    host: &str,
    listener: TcpListener,
    master: SocketAddr,
) -> Result<agent::Config, Failure> {
    let folder = data.agent();
    let master = reachable(master).to_string();
    // The executor keeps a little of it for itself.
    let grace = format!("{}secs", STOP_TIMEOUT + 1);
    let words = [
        "--work-dir",
        text(&folder)?,
        "--hostname",
        host,
        "--master",
        &master,
        "--executor-shutdown-grace-period",
        &grace,
        // The disk of one's own machine is full more often than not, and a failed task is to be looked at.
        "--gc-disk-headroom",
        "0.01",
    ];
    let config = agent::Config::try_from(flags::<agent::Flags>(&words)?);
    let config = config.map_err(|error| failed(&error))?;
    Ok(agent::Config { listen: Listen::Bound(listener), ..config })
}

fn scheduler_config(
    data: &DataDir,
    host: &str,
    listener: TcpListener,
    master: SocketAddr,
    observer: SocketAddr,
    jobs: &[ReadyJob],
) -> Result<aurora_scheduler_server::Config, Failure> {
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(Code::Error, format!("failed to find this program: {error}"))
    })?;
    let owner = owner()?;
    let (log, checkpoints) = (data.scheduler(), data.thermos());
    let (master, observer) = (reachable(master).to_string(), observer.port().to_string());
    let executor = format!(
        "executor --checkpoint-root {} --fallback-to-current-user --stop-timeout-in-secs {STOP_TIMEOUT} \
         --log-filter warn",
        quoted(text(&checkpoints)?)
    );
    let words = [
        "--cluster-name",
        jobs.first().map_or("local", |job| job.config.cluster.as_str()),
        "--mesos-master-address",
        &master,
        "--native-log-file-path",
        text(&log)?,
        "--hostname",
        host,
        "--observer-port",
        &observer,
        // A user without a name runs tasks as himself, too.
        "--executor-user",
        &owner,
        "--thermos-executor-path",
        text(&program)?,
        "--thermos-executor-flags",
        &executor,
        "--thermos-executor-fetch",
        "false",
        "--thermos-executor-cpu",
        "0.01",
        "--thermos-executor-ram",
        "16",
        // One user has the machine to himself.
        "--unset-quota",
        "unlimited",
        // Who tries things out wants to see the next try soon.
        "--initial-flapping-task-delay",
        "1",
        "--max-flapping-task-delay",
        "30",
    ];
    let config = flags::<aurora_scheduler_server::Flags>(&words)?;
    let config = aurora_scheduler_server::Config::try_from(config);
    let config = config.map_err(|error| failed(&error))?;
    Ok(aurora_scheduler_server::Config { listen: Listen::Bound(listener), ..config })
}

/// Where this machine reaches a socket of its own.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => {
            SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), address.port())
        }
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), address.port())
        }
        _ => address,
    }
}
