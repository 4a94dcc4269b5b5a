//! What goes into a command and comes out of it: pipes, or a terminal.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use aurora_mesos::v1::agent::process_io::data::Type;
use axum::body::Bytes;
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Input, Size};

/// The most that one record of output holds, in bytes.
const CHUNK: usize = 32 << 10;
/// The most that is read once a command is over, in bytes: what a pipe holds at most. More is not its own.
const MAX_LEFT: usize = 1 << 20;

/// Our ends.
#[derive(Debug)]
pub(super) enum Streams {
    Pipes {
        stdin: OwnedFd,
        stdout: OwnedFd,
        stderr: OwnedFd,
    },
    /// The terminal's other side.
    Terminal(OwnedFd),
}

impl Streams {
    /// Passes input in and output out, until there can be no more output or nobody takes it. Once it is `over`
    /// what is there already is all: somebody who got away may still hold the streams open.
    pub(super) async fn pass(
        self,
        inputs: mpsc::Receiver<Input>,
        events: mpsc::Sender<Bytes>,
        record: impl Fn(Type, Bytes) -> Bytes,
        over: CancellationToken,
    ) {
        let to = Printer { events, record, over };
        let passed = match self {
            Self::Pipes { stdin, stdout, stderr } => pipes(stdin, stdout, stderr, inputs, to).await,
            Self::Terminal(terminal) => through(terminal, inputs, to).await,
        };
        if let Err(error) = passed {
            tracing::error!(%error, "failed to pass on what a command prints");
        }
    }
}

async fn pipes(
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
    inputs: mpsc::Receiver<Input>,
    to: Printer<impl Fn(Type, Bytes) -> Bytes>,
) -> io::Result<()> {
    let (stdin, stdout, stderr) = (writable(stdin)?, readable(stdout)?, readable(stderr)?);
    // One that has closed its outputs may still read.
    let fed = async {
        tokio::select! {
            // A command that reads no more is no failure.
            _ = feed_pipe(stdin, inputs) => {}
            () = to.over.cancelled() => {}
        }
    };
    let printed = async {
        tokio::try_join!(to.print(&stdout, Type::Stdout), to.print(&stderr, Type::Stderr))
    };
    let (printed, ()) = tokio::join!(printed, fed);
    printed.map(|_| ())
}

async fn through(
    terminal: OwnedFd,
    mut inputs: mpsc::Receiver<Input>,
    to: Printer<impl Fn(Type, Bytes) -> Bytes>,
) -> io::Result<()> {
    let terminal = watched(terminal, Interest::READABLE | Interest::WRITABLE)?;
    let fed = async {
        while let Some(input) = inputs.recv().await {
            let taken = match input {
                Input::Bytes(bytes) => write_all(&terminal, &bytes).await,
                Input::Size(size) => resize(&terminal, size),
            };
            if taken.is_err() {
                break;
            }
        }
        // A terminal has no end of input but a key.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        printed = to.print(&terminal, Type::Stdout) => printed,
        () = fed => Ok(()),
    }
}

async fn feed_pipe(stdin: AsyncFd<OwnedFd>, mut inputs: mpsc::Receiver<Input>) -> io::Result<()> {
    while let Some(input) = inputs.recv().await {
        if let Input::Bytes(bytes) = input {
            write_all(&stdin, &bytes).await?;
        }
    }
    Ok(())
}

/// Where output goes.
struct Printer<R> {
    events: mpsc::Sender<Bytes>,
    record: R,
    over: CancellationToken,
}

impl<R: Fn(Type, Bytes) -> Bytes> Printer<R> {
    /// Passes on what is printed until its end, or until nobody takes it.
    async fn print(&self, from: &AsyncFd<OwnedFd>, ty: Type) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        let mut left = MAX_LEFT;
        while left > 0 {
            let count = match rustix::io::read(from, &mut chunk[..]) {
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) if self.over.is_cancelled() => return Ok(()),
                Err(Errno::AGAIN) => {
                    tokio::select! {
                        ready = from.readable() => ready?.clear_ready(),
                        () = self.over.cancelled() => {}
                    }
                    continue;
                }
                // So a terminal ends that nobody has open any more.
                Err(Errno::IO) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            if count == 0 {
                return Ok(());
            }
            if self.over.is_cancelled() {
                left = left.saturating_sub(count);
            }
            let bytes = Bytes::copy_from_slice(chunk.get(..count).unwrap_or_default());
            if self.events.send((self.record)(ty, bytes)).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

async fn write_all(to: &AsyncFd<OwnedFd>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let mut ready = to.writable().await?;
        if let Ok(written) = ready.try_io(|to| Ok(rustix::io::write(to, bytes)?)) {
            bytes = bytes.get(written?..).unwrap_or_default();
        }
    }
    Ok(())
}

fn resize(terminal: impl AsFd, size: Size) -> io::Result<()> {
    Ok(rustix::termios::tcsetwinsize(terminal, winsize(size))?)
}

pub(super) fn winsize(size: Size) -> rustix::termios::Winsize {
    rustix::termios::Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    watched(fd, Interest::READABLE)
}

fn writable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    watched(fd, Interest::WRITABLE)
}

#[expect(unsafe_code, reason = "the only constructor that is not deprecated")]
fn watched(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    // SAFETY: An `OwnedFd` always gives the same descriptor, which is open as long as it lives.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}
