//! The cluster that a command is about.

use aurora_client::{Connection, Scheduler};

use crate::failure::Failure;
use crate::output::{hush, note, print};

/// A cluster, and how its scheduler is reached.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// The cluster.
    #[arg(value_name = "CLUSTER")]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) connection: Connection,
    /// Have the scheduler that is asked answer by itself, whether or not it leads.
    #[arg(long)]
    bypass_leader_redirect: bool,
    /// Tell nothing beside the result.
    #[arg(long, short = 'q')]
    quiet: bool,
}

impl Target {
    pub(super) async fn scheduler(&self) -> Result<Scheduler, Failure> {
        if self.quiet {
            hush();
        }
        let connection =
            Connection { is_direct: self.bypass_leader_redirect, ..self.connection.clone() };
        Ok(Scheduler::of_cluster(&self.name, &connection).await?)
    }
}

/// Where a result goes that the original's client logs.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Stream {
    /// Print the result as Apache Aurora's client does: as log lines on standard error.
    #[arg(
        long,
        env = "AURORA_LEGACY_OUTPUT",
        value_parser = clap::builder::FalseyValueParser::new(),
        action = clap::ArgAction::SetTrue
    )]
    legacy_output: bool,
}

impl Stream {
    /// Prints a line of the result.
    pub(super) fn line(self, line: &str) -> Result<(), Failure> {
        if self.legacy_output {
            note(&format!(" INFO] {line}"));
            Ok(())
        } else {
            print(&format!("{line}\n"))
        }
    }
}
