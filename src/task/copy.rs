//! `aurora task cp`.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use aurora_client::Connection;
use aurora_client::copy::{Below, fetch, send, send_stream, write_to};
use aurora_client::keys::InstanceKey;

use super::{any, running};
use crate::failure::{Code, Failure};
use crate::lines::clean;
use crate::output::warn;

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
                tell(&fetch(&sandbox, path, to).await?);
                Ok(())
            }
            (Side::There(key, path), Side::Stream) => {
                let sandbox = any(key, &self.connection).await?;
                write_to(&sandbox, path, &mut io::stdout().lock()).await?;
                Ok(())
            }
            (Side::Here(from), Side::There(key, path)) => {
                let sandbox = running(key, &self.connection).await?;
                tell(&send(&sandbox, from, path).await?);
                Ok(())
            }
            (Side::Stream, Side::There(key, path)) => {
                let sandbox = running(key, &self.connection).await?;
                Ok(send_stream(&sandbox, io::stdin(), path).await?)
            }
            _ => Err(Failure::new(
                Code::Usage,
                "one side must be in a sandbox, as cluster/role/environment/name/0:path, and the other one \
                 not",
            )),
        }
    }
}

fn tell(left_out: &[String]) {
    for path in left_out {
        warn(&format!("{} is neither a file nor a folder, and was left out", clean(path)));
    }
}
