//! `aurora task ssh`.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use aurora_client::keys::InstancesKey;
use aurora_client::{Connection, Scheduler};
use tokio::process::{Child, Command};

use super::super::{none, tasks};
use super::{Place, code, not_started, places, quoted, words};
use crate::failure::{Code, Failure};

#[derive(Debug, clap::Args)]
pub(crate) struct SshArgs {
    /// The job, or an instance of it: cluster/role/environment/name[/0]. Without an instance it is any that
    /// runs.
    #[arg(value_name = "JOB[/INSTANCE]")]
    key: InstancesKey,
    /// The user to be there instead of the job's role.
    #[arg(long = "ssh-user", short = 'l', value_name = "USER")]
    user: Option<String>,
    /// More options of ssh, as in --ssh-options='-v -p 2222'.
    #[arg(long, value_name = "OPTIONS", default_value = "", allow_hyphen_values = true)]
    ssh_options: String,
    /// Be in the folder of the executor instead of that of the task.
    #[arg(long)]
    executor_sandbox: bool,
    /// Lead a port of this machine to the instance's port of that name; may be repeated.
    #[arg(short = 'L', long = "tunnels", value_name = "PORT:NAME")]
    tunnels: Vec<String>,
    /// Run this instead of a shell. The instance must be named.
    #[arg(long, short, value_name = "COMMAND")]
    command: Option<String>,
    /// Write the process id of ssh to this file.
    #[arg(long, short, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

/// A port of this machine that leads to one of the instance.
struct Tunnel {
    port: u16,
    name: String,
}

impl FromStr for Tunnel {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let found = text.split_once(':').filter(|(_, name)| !name.is_empty());
        let found = found.and_then(|(port, name)| Some((port.parse().ok()?, name.to_owned())));
        let (port, name) = found.ok_or_else(|| {
            let text = format!("the tunnel {text:?} is not PORT:NAME, such as 8080:http");
            Failure::new(Code::InvalidParameter, text)
        })?;
        Ok(Self { port, name })
    }
}

impl Tunnel {
    fn option(&self, place: &Place) -> Result<String, Failure> {
        let remote = place.ports.get(&self.name).ok_or_else(|| {
            let known: Vec<&str> = place.ports.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Failure::new(
                Code::InvalidParameter,
                format!("instance {} has no port {}; there is {known}", place.instance, self.name),
            )
        })?;
        Ok(format!("{}:{}:{remote}", self.port, place.host))
    }
}

impl SshArgs {
    pub(in super::super) async fn run(self) -> Result<ExitCode, Failure> {
        if self.command.is_some() && self.key.instances.is_none() {
            return Err(Failure::new(
                Code::InvalidParameter,
                format!("--command needs an instance, such as {}/0", self.key.job),
            ));
        }
        let options = words("--ssh-options", &self.ssh_options)?;
        let tunnels: Vec<Tunnel> =
            self.tunnels.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let job = &self.key.job;
        let scheduler = Scheduler::of_cluster(&job.cluster, &self.connection).await?;
        let mut found = tasks(&scheduler, &job.job, self.key.instances.as_ref(), true).await?;
        found.truncate(1);
        let places =
            places(&scheduler, &job.cluster, &self.connection, &found, self.executor_sandbox)
                .await?;
        let Some(place) = places.first() else {
            return Err(none(&scheduler, job, None, "has no such task that runs").await);
        };
        let mut ssh = Command::new("ssh");
        ssh.arg("-t").args(&options);
        for tunnel in &tunnels {
            ssh.arg("-L").arg(tunnel.option(place)?);
        }
        let user = self.user.as_deref().unwrap_or(&place.role);
        let command = self.command.as_deref().unwrap_or("bash");
        ssh.arg(format!("{user}@{}", place.host))
            .arg(format!("cd {};{command}", quoted(&place.folder)?));
        // Made first: without it nothing is started.
        let pid_file = match &self.pid_file {
            Some(path) => {
                Some((path, File::create(path).map_err(|error| unwritten(path, &error))?))
            }
            None => None,
        };
        let mut child = ssh.spawn().map_err(|error| not_started("ssh", &error))?;
        if let (Some((path, mut file)), Some(pid)) = (pid_file, child.id())
            && let Err(error) = file.write_all(pid.to_string().as_bytes())
        {
            end(&mut child).await?;
            return Err(unwritten(path, &error));
        }
        let status = child.wait().await.map_err(|error| not_started("ssh", &error))?;
        Ok(ExitCode::from(code(status)))
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    let text = format!("failed to write the process id to {}: {error}", path.display());
    Failure::new(Code::Error, text)
}

/// Ends ssh so that it gives the terminal back as it was.
async fn end(ssh: &mut Child) -> Result<(), Failure> {
    let unended =
        |error: &std::io::Error| Failure::new(Code::Error, format!("failed to end ssh: {error}"));
    let pid = ssh.id().and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .map_err(|error| unended(&error.into()))?;
    }
    ssh.wait().await.map(drop).map_err(|error| unended(&error))
}
