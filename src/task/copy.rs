//! `aurora task cp`.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use aurora_client::Connection;
use aurora_client::copy::{Below, Copied, fetch, send, send_stream, write_to};
use aurora_client::keys::InstanceKey;
use rustix::fs::FileType;

use super::{any, running};
use crate::failure::{Code, Failure};
use crate::lines::clean;
use crate::live::{Line, Progress};
use crate::output::warn;

/// How long a copy may take before it is shown how far it has come.
const MOMENT: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to copy: cluster/role/environment/name/0:PATH in the sandbox of an instance, a path of this
    /// machine, or - for standard input.
    #[arg(value_name = "SOURCE")]
    source: Side,
    /// Where to: the same, - for standard output.
    #[arg(value_name = "DESTINATION")]
    destination: Side,
    #[command(flatten)]
    connection: Connection,
}

/// One side of a copy.
#[derive(Debug, Clone)]
enum Side {
    Here(PathBuf),
    Stream,
    There(Box<InstanceKey>, Below),
}

impl FromStr for Side {
    type Err = String;

    /// What has a `:` behind a key is in a sandbox; `./a:b` is a file of this machine.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Stream);
        }
        match text.split_once(':') {
            Some((key, path)) if !key.starts_with(['.', '/']) => {
                Ok(Self::There(Box::new(key.parse()?), path.parse()?))
            }
            _ => Ok(Self::Here(text.into())),
        }
    }
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match (&self.source, &self.destination) {
            (Side::There(key, path), Side::Here(to)) => {
                let sandbox = any(key, &self.connection).await?;
                let copied = Copied::default();
                tell(&shown(&copied, fetch(&sandbox, path, to, &copied)).await?);
                Ok(())
            }
            (Side::There(key, path), Side::Stream) => {
                let sandbox = any(key, &self.connection).await?;
                let copied = Copied::default();
                let mut out = io::stdout().lock();
                let writing = write_to(&sandbox, path, &mut out, &copied);
                // What is printed, here or by whoever reads it, is not to be mixed with anything.
                let is_seen = !is_file(&io::stdout());
                let written = if is_seen { writing.await } else { shown(&copied, writing).await };
                Ok(written?)
            }
            (Side::Here(from), Side::There(key, path)) => {
                let sandbox = running(key, &self.connection).await?;
                let copied = Copied::default();
                tell(&shown(&copied, send(&sandbox, from, path, &copied)).await?);
                Ok(())
            }
            (Side::Stream, Side::There(key, path)) => {
                let sandbox = running(key, &self.connection).await?;
                let copied = Copied::default();
                let sending = send_stream(&sandbox, io::stdin(), path, &copied);
                // Nor is what is typed.
                let is_typed = io::stdin().is_terminal();
                let sent = if is_typed { sending.await } else { shown(&copied, sending).await };
                Ok(sent?)
            }
            _ => Err(Failure::new(
                Code::Usage,
                "one side must be in a sandbox, as cluster/role/environment/name/0:path, and the other one \
                 not",
            )),
        }
    }
}

/// Whether a stream is a file, so that nobody else is at it.
fn is_file(stream: &impl AsFd) -> bool {
    rustix::fs::fstat(stream).is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_file())
}

/// Shows on a terminal how far a copy has come, if it takes longer than a moment.
async fn shown<T>(copied: &Copied, copying: impl Future<Output = T>) -> T {
    tokio::pin!(copying);
    if let Ok(done) = tokio::time::timeout(MOMENT, &mut copying).await {
        return done;
    }
    let mut live = Progress::default().on_stderr();
    let done = live.during(copying, |_| vec![Line::new(line(copied.bytes()))]).await;
    // What is told of it begins where the line was.
    live.clear();
    done
}

/// In the largest unit of which there is one.
fn line(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(shift, _)| bytes >> shift > 0) {
        Some((shift, unit)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit} copied", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes copied"),
    }
}

fn tell(left_out: &[String]) {
    for path in left_out {
        warn(&format!("{} is neither a file nor a folder, and was left out", clean(path)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_in_the_largest_unit() {
        for (bytes, wanted) in [
            (0, "0 bytes copied"),
            (1023, "1023 bytes copied"),
            (1024, "1.0 KiB copied"),
            (1_600_000, "1.5 MiB copied"),
            (5 << 30, "5.0 GiB copied"),
            (u64::MAX, "17179869183.9 GiB copied"),
        ] {
            assert_eq!(line(bytes), wanted);
        }
    }
}
