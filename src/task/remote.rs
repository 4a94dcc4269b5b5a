//! `aurora task run`, `ssh` and `scp`: as the original's, through the system's ssh and scp, whose host keys,
//! agents and settings count.

mod run;
mod scp;
mod ssh;

pub(crate) use run::RunArgs;
pub(crate) use scp::ScpArgs;
pub(crate) use ssh::SshArgs;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::process::ExitStatus;

use aurora_api::v1;
use aurora_client::sandbox;
use aurora_client::{Connection, Scheduler};

use crate::failure::{Code, Failure};

/// What the status of a command is taken for that a signal has ended.
const SIGNALLED: u8 = 255;

/// A task, where it is, and the folder of its sandbox there.
#[derive(Debug, Clone)]
struct Place {
    task_id: String,
    instance: u32,
    host: String,
    role: String,
    ports: BTreeMap<String, u32>,
    folder: String,
}

/// Where tasks are. `slave_root` and `slave_run_directory` of the cluster say where the agents have their
/// sandboxes; without them each agent is asked.
async fn places(
    scheduler: &Scheduler,
    cluster: &str,
    connection: &Connection,
    tasks: &[v1::ScheduledTask],
    executor_sandbox: bool,
) -> Result<Vec<Place>, Failure> {
    let folders = connection.agent_folders(cluster)?;
    let Some(first) = tasks.iter().find_map(|task| task.assigned.as_ref()) else {
        return Ok(Vec::new());
    };
    // Whose the folders are.
    let pair = (first.agent_id.clone(), first.agent_host.clone());
    let framework = scheduler.locate_agents(&[pair]).await?.framework_id;
    let roots = match folders.root {
        Some(_) => BTreeMap::new(),
        None => work_dirs(scheduler, tasks).await?,
    };
    let mut found = Vec::new();
    for task in tasks {
        let assigned = task.assigned.clone().unwrap_or_default();
        let root = folders.root.as_ref().or_else(|| roots.get(&assigned.agent_id));
        let root = root.ok_or_else(|| Failure::new(Code::Api, "the scheduler named no agent"))?;
        let inner = if executor_sandbox { "" } else { "/sandbox" };
        let folder = format!(
            "{root}/slaves/{}/frameworks/{framework}/executors/thermos-{}/runs/{}{inner}",
            assigned.agent_id, assigned.task_id, folders.run,
        );
        let role = assigned.task.and_then(|task| task.job).map(|job| job.role).unwrap_or_default();
        found.push(Place {
            task_id: assigned.task_id,
            instance: assigned.instance,
            host: assigned.agent_host,
            role,
            ports: assigned.assigned_ports.into_iter().collect(),
            folder,
        });
    }
    Ok(found)
}

/// The folder of each agent that has some of the tasks. Each is asked once.
async fn work_dirs(
    scheduler: &Scheduler,
    tasks: &[v1::ScheduledTask],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut found = BTreeMap::new();
    let sandboxes = sandbox::of_tasks(scheduler, tasks).await?;
    for (task, sandbox) in tasks.iter().zip(sandboxes) {
        let agent = task.assigned.as_ref().map(|it| it.agent_id.clone()).unwrap_or_default();
        if let Entry::Vacant(agent) = found.entry(agent) {
            agent.insert(sandbox?.work_dir().await?);
        }
    }
    Ok(found)
}

/// A word for a shell.
fn quoted(word: &str) -> Result<String, Failure> {
    let quoted = shlex::try_quote(word).map_err(|error| {
        Failure::new(
            Code::InvalidParameter,
            format!("{word:?} cannot be passed to a shell: {error}"),
        )
    })?;
    Ok(quoted.into_owned())
}

/// The words of options that are given as one.
fn words(option: &str, text: &str) -> Result<Vec<String>, Failure> {
    shlex::split(text).ok_or_else(|| {
        Failure::new(Code::Usage, format!("{option} {text:?} has a quote that does not end"))
    })
}

/// A program that could not be started.
fn not_started(program: &str, error: &std::io::Error) -> Failure {
    Failure::new(Code::Error, format!("failed to start {program}: {error}; is it installed?"))
}

/// What a program ended with.
fn code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(SIGNALLED)
}
