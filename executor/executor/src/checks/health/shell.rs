//! A health check by a command (`executor.md` 15.2).

use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use aurora_daemon::text::printable;
use aurora_thermos::checkpoint::record::ProcessIdentity;
use aurora_thermos::process::children::{Children, Exit};
use aurora_thermos::process::image::{Image, Place};
use aurora_thermos::process::spawn::{Launch, Sink, launch};
use aurora_thermos::process::tree;
use aurora_thermos::process::user::Credentials;
use rustix::process::Signal;
use tokio::net::unix::pipe;
use tokio::time::Instant;

/// What is kept of what a command prints, and of the command itself, in bytes.
const KEPT: usize = 1000;
/// How long what was printed may take to arrive after the command has ended: some process that got
/// away may hold the other end of the pipe.
const DRAIN: Duration = Duration::from_millis(200);

/// Where commands run, and as whom: like the task's processes.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) children: Children,
    pub(crate) sandbox: Arc<OwnedFd>,
    /// The file system in which commands run, if it is not the machine's.
    pub(crate) image: Option<Arc<Image>>,
    /// Who to become; `None` to stay who this process is.
    pub(crate) user: Option<Credentials>,
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// Runs a command. It passes if that ends with 0 in time.
///
/// # Errors
/// It does not; why, for people.
pub(super) async fn check(
    command: &str,
    timeout: Duration,
    surroundings: &Surroundings,
) -> Result<(), String> {
    let deadline = Instant::now() + timeout;
    let broken = |error: &dyn std::fmt::Display| format!("Internal health check error: {error}");
    // One pipe for both, so that what is printed comes in its order.
    let script = format!("exec 2>&1\n{command}");
    let launched = launch(
        &surroundings.children,
        &Launch {
            command: &script,
            environment: &surroundings.environment,
            place: Place::new(surroundings.image.as_deref(), surroundings.sandbox.as_fd()),
            user: surroundings.user.as_ref(),
            stdout: Sink::Pipe,
            stderr: Sink::Inherit,
        },
    )
    .map_err(|error| broken(&error))?;
    let _session = Session(launched.child.identity);
    let pipe = launched.stdout.ok_or_else(|| broken(&"its output cannot be read"))?;
    let pipe = pipe::Receiver::from_owned_fd(pipe).map_err(|error| broken(&error))?;
    let mut output = Output::default();
    let exit = {
        let reading = output.read(&pipe);
        tokio::pin!(reading);
        let mut exit = launched.child.exit;
        let ended = async {
            tokio::select! {
                exit = &mut exit => return exit,
                () = &mut reading => {}
            }
            exit.await
        };
        tokio::time::timeout_at(deadline, ended)
            .await
            .map_err(|_late| "Health check timed out.".to_owned())?
            .map_err(|_closed| broken(&"nobody knows how the command ended"))?
    };
    if exit == Exit::Code(0) {
        return Ok(());
    }
    // What it printed last may still be in the pipe.
    let _drained = tokio::time::timeout(DRAIN, output.read(&pipe)).await;
    let status = match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => -signal,
    };
    Err(format!(
        "Command '{}' returned non-zero exit status {status} with output '{}'",
        printable(command, KEPT, true),
        printable(&String::from_utf8_lossy(&output.kept), KEPT, true),
    ))
}

/// A command that runs. Whether it is late or no longer wanted, it ends with all it has started.
struct Session(ProcessIdentity);

impl Drop for Session {
    fn drop(&mut self) {
        // The rest of its session is ended when its leader is collected.
        if let Err(error) = tree::signal(self.0, Signal::KILL) {
            tracing::warn!(%error, pid = self.0.pid, "failed to end a health check");
        }
    }
}

/// What a command has printed, as far as it is kept.
#[derive(Debug, Default)]
struct Output {
    kept: Vec<u8>,
}

impl Output {
    /// Reads until the other end is closed. More than is kept is read as well, so that the command
    /// is not held up.
    async fn read(&mut self, pipe: &pipe::Receiver) {
        let mut buffer = [0; 4096];
        loop {
            let read = match pipe.readable().await {
                Ok(()) => pipe.try_read(&mut buffer),
                Err(error) => Err(error),
            };
            match read {
                Ok(0) => return,
                Ok(read) => {
                    let room = (KEPT + 1).saturating_sub(self.kept.len()).min(read);
                    self.kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    tracing::warn!(%error, "failed to read what a health check prints");
                    return;
                }
            }
        }
    }
}
