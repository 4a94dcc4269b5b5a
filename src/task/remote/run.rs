//! `aurora task run`.

use std::io::{self, IsTerminal as _};
use std::process::Stdio;
use std::sync::LazyLock;

use aurora_client::keys::InstancesKey;
use aurora_client::{Connection, Scheduler};
use regex::{Captures, Regex};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::task::JoinSet;

use super::super::{none, tasks};
use super::{Place, not_started, places, quoted, words};
use crate::failure::{Code, Failure};
use crate::lines::clean;
use crate::number;
use crate::output::{print, warn};

/// The most that is kept of each output of a host until it has finished, in bytes; the rest is let go.
const MAX_OUTPUT: usize = 4 << 20;
/// How much is read at once, in bytes.
const CHUNK: usize = 32 << 10;

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The job, or instances of it: cluster/role/environment/name[/0,2-4].
    #[arg(value_name = "JOB[/INSTANCES]")]
    key: InstancesKey,
    /// The command, for a shell there. {{mesos.instance}}, {{thermos.task_id}} and {{thermos.ports[NAME]}} are
    /// replaced.
    #[arg(value_name = "COMMAND")]
    command: String,
    /// Run it on so many hosts at a time.
    #[arg(long, short = 't', value_name = "COUNT", default_value_t = 1, value_parser = number::between::<u16>(1, 256))]
    threads: u16,
    /// The user to be there instead of the job's role.
    #[arg(long = "ssh-user", short = 'l', value_name = "USER")]
    user: Option<String>,
    /// More options of ssh, as in --ssh-options='-v -p 2222'.
    #[arg(long, value_name = "OPTIONS", default_value = "", allow_hyphen_values = true)]
    ssh_options: String,
    /// Run it in the folder of the executor instead of that of the task.
    #[arg(long)]
    executor_sandbox: bool,
    #[command(flatten)]
    connection: Connection,
}

impl RunArgs {
    pub(in super::super) async fn run(self) -> Result<(), Failure> {
        let options = words("--ssh-options", &self.ssh_options)?;
        let job = &self.key.job;
        let scheduler = Scheduler::of_cluster(&job.cluster, &self.connection).await?;
        let found = tasks(&scheduler, &job.job, self.key.instances.as_ref(), true).await?;
        if found.is_empty() {
            return Err(none(&scheduler, job, None, "has no tasks that run").await);
        }
        let places =
            places(&scheduler, &job.cluster, &self.connection, &found, self.executor_sandbox)
                .await?;
        let mut failed = 0;
        let mut running = JoinSet::new();
        let all = places.len();
        let mut waiting = places.into_iter();
        loop {
            while running.len() < usize::from(self.threads)
                && let Some(place) = waiting.next()
            {
                let user = self.user.as_deref().unwrap_or(&place.role);
                let text =
                    format!("cd {};{}", quoted(&place.folder)?, filled(&self.command, &place));
                let mut ssh = Command::new("ssh");
                ssh.args(["-n", "-q"]).args(&options);
                ssh.arg(format!("{user}@{}", place.host)).arg(text);
                running.spawn(on_host(ssh, place));
            }
            let Some(ended) = running.join_next().await else { break };
            let ended = ended.map_err(|error| Failure::new(Code::Error, error.to_string()))?;
            failed += usize::from(!ended?);
        }
        if failed > 0 {
            return Err(Failure::new(
                Code::CommandFailure,
                format!("the command has failed on {failed} of {all} instances"),
            ));
        }
        Ok(())
    }
}

/// Runs ssh and prints what came, when all has come. Gives whether it went well.
async fn on_host(mut ssh: Command, place: Place) -> Result<bool, Failure> {
    ssh.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let failed = |error: io::Error| not_started("ssh", &error);
    let mut child = ssh.spawn().map_err(failed)?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err) = tokio::try_join!(read(out), read(err)).map_err(failed)?;
    let status = child.wait().await.map_err(failed)?;
    let bytes = [out.kept, err.kept].concat();
    let text = String::from_utf8_lossy(&bytes);
    // A host that prints nothing has a line too, as the original's.
    let is_terminal = io::stdout().is_terminal();
    // What reads it instead of a terminal wants it as it was.
    let shown = |line: &str| if is_terminal { clean(line) } else { line.to_owned() };
    let lines = text.trim_end_matches('\n').split('\n');
    print(&lines.fold(String::new(), |mut all, line| {
        all.push_str(&format!("{}:  {}\n", place.host, shown(line)));
        all
    }))?;
    let (instance, host) = (place.instance, &place.host);
    for (name, lost) in [("output", out.lost), ("standard error", err.lost)] {
        if lost > 0 {
            let kept = MAX_OUTPUT >> 20;
            warn(&format!(
                "instance {instance} on {host}: of its {name} the first {kept} MiB are shown, {lost} bytes are not"
            ));
        }
    }
    if !status.success() {
        warn(&format!("instance {instance} on {host}: {status}"));
    }
    Ok(status.success())
}

/// What came through a pipe.
#[derive(Debug, Default)]
struct Came {
    kept: Vec<u8>,
    /// How many bytes came after those.
    lost: u64,
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Came> {
    let mut came = Came::default();
    let Some(mut pipe) = pipe else { return Ok(came) };
    let mut part = vec![0; CHUNK];
    loop {
        let count = pipe.read(&mut part).await?;
        if count == 0 {
            return Ok(came);
        }
        let kept = count.min(MAX_OUTPUT - came.kept.len());
        came.kept.extend_from_slice(&part[..kept]);
        came.lost += (count - kept) as u64;
    }
}

/// A command with what is known of a task; what is not stays as it was typed.
fn filled(command: &str, place: &Place) -> String {
    static REFERENCE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\{\{\s*([a-z_.]+)(?:\[([^\]]*)\])?\s*\}\}").ok());
    let Some(reference) = REFERENCE.as_ref() else { return command.to_owned() };
    let fill = |found: &Captures<'_>| {
        let index = found.get(2).map(|index| index.as_str());
        let value = match (&found[1], index) {
            ("mesos.instance", None) => Some(place.instance.to_string()),
            ("thermos.task_id", None) => Some(place.task_id.clone()),
            ("thermos.ports", Some(name)) => place.ports.get(name).map(ToString::to_string),
            _ => None,
        };
        value.unwrap_or_else(|| found[0].to_owned())
    };
    reference.replace_all(command, fill).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_too_much_is_let_go_and_counted() {
        let came = read(Some(tokio::io::repeat(b'x').take(MAX_OUTPUT as u64 + 7))).await.unwrap();
        assert_eq!((came.kept.len(), came.lost), (MAX_OUTPUT, 7));
        let came = read(Some(&b"all"[..])).await.unwrap();
        assert_eq!((&came.kept[..], came.lost), (&b"all"[..], 0));
    }

    #[test]
    fn references_are_filled_and_others_stay() {
        let place = Place {
            task_id: "17-r-e-n-3".to_owned(),
            instance: 3,
            host: "h".to_owned(),
            role: "r".to_owned(),
            ports: [("http".to_owned(), 31000)].into(),
            folder: "/f".to_owned(),
        };
        let text = "{{mesos.instance}} {{thermos.task_id}} {{thermos.ports[http]}} {{thermos.ports[x]}} {{a.b}}";
        assert_eq!(filled(text, &place), "3 17-r-e-n-3 31000 {{thermos.ports[x]}} {{a.b}}");
    }
}
