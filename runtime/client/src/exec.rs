//! Commands in the sandboxes of running tasks, through their agents.
//!
//! The agent runs a command as the task's user for as long as the connection of [`start`] lives. The calls are
//! those by which Mesos debugs containers, so that an agent of Mesos takes them too.

use aurora_mesos::CallError;
use aurora_mesos::v1;
use aurora_mesos::v1::agent::{ProcessIo, call, process_io};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::{Code, Error};
use crate::sandbox::Sandbox;

/// Pieces of input that wait to be sent.
const UNSENT: usize = 16;
/// Gives a command what the processes of its task have: their folder, variables and profile.
const SCRIPT: &str = r#"cd sandbox || exit 125
export HOME="$PWD" USER="$(id -un)" LOGNAME="$(id -un)"
if [ -f .thermos_profile ]; then export BASH_ENV="$PWD/.thermos_profile"; . ./.thermos_profile; fi
exec "$@""#;

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters of a line.
    pub columns: u16,
}

/// What a command is sent.
#[derive(Debug)]
pub enum Input {
    /// For its standard input. No bytes are its end.
    Bytes(Bytes),
    /// Its terminal has another size.
    Size(Size),
}

/// What a command prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// To its standard output, or its terminal.
    Stdout(Bytes),
    /// To its standard error.
    Stderr(Bytes),
}

/// How a command has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this status.
    Exited(u8),
    /// By this signal.
    Signalled(u8),
}

/// A command that runs, and ends when this is dropped.
pub struct Running {
    output: BoxStream<'static, std::io::Result<ProcessIo>>,
    /// Where its input goes. Dropped, it is the end of the input.
    pub input: mpsc::Sender<Input>,
    feeding: JoinHandle<()>,
    waiting: JoinHandle<Result<Option<i32>, CallError>>,
    sandbox: Sandbox,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("task", &self.sandbox.task_id).finish_non_exhaustive()
    }
}

/// Runs a command beside the processes of a task, with a terminal of this size if there is one.
///
/// # Errors
/// The task does not run, or its agent is out of reach or refuses.
pub async fn start(
    sandbox: &Sandbox,
    command: &[String],
    terminal: Option<Size>,
) -> Result<Running, Error> {
    let container = v1::ContainerId {
        value: format!("exec-{}", uuid::Uuid::new_v4()),
        parent: Some(Box::new(container(sandbox).await?)),
    };
    let arguments = ["bash", "-c", SCRIPT, "bash"]
        .into_iter()
        .map(str::to_owned)
        .chain(command.iter().cloned());
    let session = call::LaunchNestedContainerSession {
        container_id: container.clone(),
        command: Some(v1::CommandInfo {
            shell: Some(false),
            value: Some("/bin/bash".to_owned()),
            arguments: arguments.collect(),
            environment: terminal.map(|_| v1::Environment { variables: vec![term()] }),
            ..v1::CommandInfo::default()
        }),
        container: terminal.map(|size| v1::ContainerInfo {
            r#type: v1::container_info::Type::Mesos as i32,
            tty_info: Some(tty(size)),
            ..v1::ContainerInfo::default()
        }),
    };
    let output = sandbox.agent.session(session).await.map_err(|error| sandbox.failure(&error))?;
    let (input, inputs) = mpsc::channel(UNSENT);
    let (agent, to) = (sandbox.agent.clone(), container.clone());
    let feeding = tokio::spawn(async move { feed(&agent, to, inputs).await });
    let agent = sandbox.agent.clone();
    let waiting = tokio::spawn(async move { agent.wait(container).await });
    Ok(Running { output: output.boxed(), input, feeding, waiting, sandbox: sandbox.clone() })
}

/// The container of a task's executor.
async fn container(sandbox: &Sandbox) -> Result<v1::ContainerId, Error> {
    let containers = sandbox.agent.containers().await.map_err(|error| sandbox.failure(&error))?;
    let executor = sandbox.executor_id();
    let is_it = |found: &v1::agent::response::get_containers::Container| {
        found.executor_id.value == executor && found.framework_id.value == sandbox.framework_id
    };
    let found = containers.into_iter().find(is_it).ok_or_else(|| {
        Error::new(
            Code::InvalidParameter,
            format!("task {} does not run any more on {}", sandbox.task_id, sandbox.host),
        )
    })?;
    Ok(found.container_id)
}

/// What kind of terminal it is: that of who asks.
fn term() -> v1::environment::Variable {
    let term = std::env::var("TERM").unwrap_or_else(|_| "xterm".to_owned());
    v1::environment::Variable { name: "TERM".to_owned(), value: Some(term), ..Default::default() }
}

fn tty(size: Size) -> v1::TtyInfo {
    let window_size =
        v1::tty_info::WindowSize { rows: u32::from(size.rows), columns: u32::from(size.columns) };
    v1::TtyInfo { window_size: Some(window_size) }
}

/// Sends what comes to the command, and the end of it.
async fn feed(
    agent: &aurora_mesos::agent::Agent,
    container: v1::ContainerId,
    mut inputs: mpsc::Receiver<Input>,
) {
    let (records, sent) = mpsc::channel(1);
    let passing = async move {
        while let Some(input) = inputs.recv().await {
            if records.send(record(input)).await.is_err() {
                return;
            }
        }
        // It may have ended.
        let _ = records.send(record(Input::Bytes(Bytes::new()))).await;
    };
    // A command that has ended takes no more: how it ended is what counts.
    let (_, _) = tokio::join!(agent.attach_input(container, sent), passing);
}

fn record(input: Input) -> ProcessIo {
    match input {
        Input::Bytes(bytes) => ProcessIo {
            r#type: Some(process_io::Type::Data as i32),
            data: Some(process_io::Data {
                r#type: Some(process_io::data::Type::Stdin as i32),
                data: Some(bytes),
            }),
            ..ProcessIo::default()
        },
        Input::Size(size) => ProcessIo {
            r#type: Some(process_io::Type::Control as i32),
            control: Some(process_io::Control {
                r#type: Some(process_io::control::Type::TtyInfo as i32),
                tty_info: Some(tty(size)),
                ..process_io::Control::default()
            }),
            ..ProcessIo::default()
        },
    }
}

impl Running {
    /// What it prints next; nothing after all of it.
    ///
    /// # Errors
    /// The agent is lost.
    pub async fn next(&mut self) -> Result<Option<Output>, Error> {
        loop {
            let Some(io) = self.output.next().await else { return Ok(None) };
            let io = io.map_err(|error| {
                Error::new(
                    Code::Network,
                    format!(
                        "lost the agent of {} while the command ran, which has ended with that: {error}",
                        self.sandbox.host
                    ),
                )
            })?;
            let Some(data) = io.data else { continue };
            let bytes = data.data.clone().unwrap_or_default();
            match data.r#type() {
                process_io::data::Type::Stdout => return Ok(Some(Output::Stdout(bytes))),
                process_io::data::Type::Stderr => return Ok(Some(Output::Stderr(bytes))),
                process_io::data::Type::Stdin | process_io::data::Type::Unknown => {}
            }
        }
    }

    /// How it ended. To be called after all that it printed was taken.
    ///
    /// # Errors
    /// The agent does not know.
    pub async fn ended(mut self) -> Result<Ended, Error> {
        let unknown = || {
            Error::new(
                Code::Api,
                format!("the agent of {} does not tell how the command ended", self.sandbox.host),
            )
        };
        let status = match (&mut self.waiting).await {
            Ok(Ok(status)) => status.ok_or_else(unknown)?,
            Ok(Err(error)) => return Err(self.sandbox.failure(&error)),
            Err(_) => return Err(unknown()),
        };
        let byte = |number: i32| u8::try_from(number & 0xff).unwrap_or(u8::MAX);
        Ok(match status & 0x7f {
            0 => Ended::Exited(byte(status >> 8)),
            signal => Ended::Signalled(byte(signal)),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.feeding.abort();
        self.waiting.abort();
    }
}
