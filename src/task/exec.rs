//! `aurora task exec` and `shell`. The exit codes are those of docker: the command's own, and 125 if it could
//! not be run, or is lost.

use std::io::{self, Read as _};
use std::process::ExitCode;

use aurora_client::Connection;
use aurora_client::exec::{self, Ended, Input, Output, Running};
use aurora_client::keys::InstanceKey;
use bytes::Bytes;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::running;
use super::terminal::{self, Raw};
use crate::failure::{Code, Failure};

/// The command could not be run, or how it ended is not known.
const NOT_RUN: u8 = 125;
/// What is added to the number of the signal that has ended a command.
const SIGNALLED: u8 = 128;
/// Ends who writes to nobody.
const SIGPIPE: u8 = 13;
/// How much input is read at once, in bytes.
const CHUNK: usize = 32 << 10;

#[derive(Debug, clap::Args)]
pub(crate) struct ExecArgs {
    /// The instance: cluster/role/environment/name/0.
    #[arg(value_name = "JOB/INSTANCE")]
    key: InstanceKey,
    /// Pass standard input on to the command.
    #[arg(long, short)]
    interactive: bool,
    /// Give the command a terminal.
    #[arg(long, short)]
    tty: bool,
    /// The command and its arguments, behind --.
    #[arg(value_name = "COMMAND", required = true, last = true)]
    command: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShellArgs {
    /// The instance: cluster/role/environment/name/0.
    #[arg(value_name = "JOB/INSTANCE")]
    key: InstanceKey,
    #[command(flatten)]
    connection: Connection,
}

/// What is to be run, and how.
struct Session {
    command: Vec<String>,
    interactive: bool,
    tty: bool,
}

impl ExecArgs {
    pub(super) async fn run(self) -> ExitCode {
        let session =
            Session { command: self.command, interactive: self.interactive, tty: self.tty };
        session.run(&self.key, &self.connection).await
    }
}

impl ShellArgs {
    pub(super) async fn run(self) -> ExitCode {
        // At a terminal it is for people, otherwise for what is piped into it.
        let tty = terminal::is_there();
        let session = Session { command: vec!["bash".to_owned()], interactive: true, tty };
        session.run(&self.key, &self.connection).await
    }
}

impl Session {
    async fn run(self, key: &InstanceKey, connection: &Connection) -> ExitCode {
        match self.attempt(key, connection).await {
            Ok(Ended::Exited(status)) => ExitCode::from(status),
            Ok(Ended::Signalled(signal)) => ExitCode::from(SIGNALLED.saturating_add(signal)),
            Err(failure) => {
                failure.print();
                if failure.code == Code::Interrupted {
                    return failure.code.into();
                }
                ExitCode::from(NOT_RUN)
            }
        }
    }

    async fn attempt(&self, key: &InstanceKey, connection: &Connection) -> Result<Ended, Failure> {
        let broken = |error: io::Error| {
            Failure::new(Code::Error, format!("failed to use the terminal: {error}"))
        };
        if self.tty && !terminal::is_there() {
            return Err(Failure::new(
                Code::Usage,
                "standard input is no terminal, so that --tty makes no sense; leave it out",
            ));
        }
        let size = if self.tty { Some(terminal::size().map_err(broken)?) } else { None };
        let sandbox = running(key, connection).await?;
        let command = exec::start(&sandbox, &self.command, size).await?;
        // Whoever is told to end puts the terminal back first.
        let told = Told::listen()?;
        let takes_keys = self.tty && self.interactive;
        let raw = if takes_keys { Some(Raw::take().map_err(broken)?) } else { None };
        let ended = self.attend(command, told).await;
        // Before anything is said.
        drop(raw);
        ended
    }

    /// Passes on what is typed and printed, until the command ends.
    async fn attend(&self, mut command: Running, mut told: Told) -> Result<Ended, Failure> {
        let mut resized = listen(SignalKind::window_change())?;
        self.type_into(command.input.clone());
        loop {
            tokio::select! {
                output = command.next() => {
                    let written = match output? {
                        Some(Output::Stdout(bytes)) => write(io::stdout().lock(), &bytes)?,
                        Some(Output::Stderr(bytes)) => write(io::stderr().lock(), &bytes)?,
                        None => break,
                    };
                    if !written {
                        return Ok(Ended::Signalled(SIGPIPE));
                    }
                }
                _ = resized.recv(), if self.tty => {
                    if let Ok(size) = terminal::size() {
                        let to = command.input.clone();
                        // Beside the output, which must go on; one that has ended has no terminal any more.
                        tokio::spawn(async move { to.send(Input::Size(size)).await });
                    }
                }
                () = told.any() => {
                    let text = "told to end; the command has ended with that";
                    return Err(Failure::new(Code::Interrupted, text));
                }
            }
        }
        Ok(command.ended().await?)
    }

    /// Passes standard input on, and its end.
    fn type_into(&self, input: mpsc::Sender<Input>) {
        if !self.interactive {
            // A terminal has no end of input. Otherwise it is the end at once, as of /dev/null: there is room.
            if !self.tty {
                let _ = input.try_send(Input::Bytes(Bytes::new()));
            }
            return;
        }
        // Beside the output: a command may print before it reads more. Reading cannot be given up, and the
        // thread ends with the process.
        std::thread::spawn(move || {
            let mut chunk = vec![0; CHUNK];
            loop {
                let bytes = match io::stdin().lock().read(&mut chunk) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Ok(count) => Bytes::copy_from_slice(chunk.get(..count).unwrap_or_default()),
                    Err(_) => Bytes::new(),
                };
                let is_end = bytes.is_empty();
                if input.blocking_send(Input::Bytes(bytes)).is_err() || is_end {
                    return;
                }
            }
        });
    }
}

/// The signals that tell this process to end. The command ends with the connection.
struct Told {
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Told {
    fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind)
        .map_err(|error| Failure::new(Code::Error, format!("failed to wait for signals: {error}")))
}

/// Passes on what the command prints. Gives whether somebody takes it.
fn write(mut to: impl io::Write, bytes: &[u8]) -> Result<bool, Failure> {
    match to.write_all(bytes).and_then(|()| to.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(
            Code::Error,
            format!("failed to pass on what the command prints: {error}"),
        )),
    }
}
