//! `aurora down`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aurora_client::registry::{self, Registered};
use aurora_thermos::process::tree;
use rustix::process::Signal;

use super::data;
use crate::failure::{Code, Failure};
use crate::output::note;

/// How long an `aurora up` may take to end its tasks and itself.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, clap::Args)]
pub(crate) struct DownArgs {
    /// Stop the one with this data directory; needed if several run.
    #[arg(long, value_name = "DIR", conflicts_with = "all")]
    data_dir: Option<PathBuf>,
    /// Stop all that run.
    #[arg(long)]
    all: bool,
    /// Kill the tasks at once.
    #[arg(long)]
    force: bool,
}

impl DownArgs {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let running = registry::running().map_err(|error| {
            Failure::new(Code::Error, format!("failed to look for running `aurora up`: {error}"))
        })?;
        let chosen = match &self.data_dir {
            Some(folder) => {
                let folder = data::locate(Some(folder))?;
                let folder = folder.canonicalize().map_err(|error| {
                    Failure::new(
                        Code::InvalidParameter,
                        format!("failed to find the data directory {}: {error}", folder.display()),
                    )
                })?;
                let (chosen, others): (Vec<_>, Vec<_>) =
                    running.into_iter().partition(|up| up.data_dir == folder);
                if chosen.is_empty() {
                    note(&format!("No `aurora up` uses {}", folder.display()));
                    for up in others {
                        note(&format!("One uses {}", up.data_dir.display()));
                    }
                    return Ok(());
                }
                chosen
            }
            None => running,
        };
        if chosen.len() > 1 && !self.all {
            let folders: Vec<String> =
                chosen.iter().map(|up| format!("  --data-dir {}", up.data_dir.display())).collect();
            return Err(Failure::new(
                Code::InvalidParameter,
                format!("several `aurora up` run; give --all, or one of\n{}", folders.join("\n")),
            ));
        }
        if chosen.is_empty() {
            note("No `aurora up` runs");
        }
        chosen.iter().try_for_each(|up| self.stop(up))
    }

    fn stop(&self, up: &Registered) -> Result<(), Failure> {
        let signal = || match tree::signal(up.process(), Signal::TERM) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::new(
                Code::Error,
                format!("failed to stop process {}: {error}", up.pid),
            )),
            _ => Ok(()),
        };
        signal()?;
        let begun = Instant::now();
        let mut forced = false;
        while tree::is_alive(up.process()) {
            if self.force && !forced && begun.elapsed() > 5 * LOOK {
                signal()?;
                forced = true;
            }
            if begun.elapsed() > PATIENCE {
                return Err(Failure::new(
                    Code::Timeout,
                    format!(
                        "process {} has not ended within {} s; --force kills its tasks",
                        up.pid,
                        PATIENCE.as_secs()
                    ),
                ));
            }
            std::thread::sleep(LOOK);
        }
        note(&format!("Stopped the cluster in {}", up.data_dir.display()));
        Ok(())
    }
}
