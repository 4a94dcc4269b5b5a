//! `reconcile_tasks`.

use serde_json::json;

use super::target::Target;
use crate::failure::Failure;
use crate::number;
use crate::output::{Output, print, warn};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Mesos is asked about every task that an agent should have.
    Explicit,
    /// Mesos tells of every task that it knows.
    Implicit,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Who begins.
    #[arg(long = "type", short = 't', value_enum, default_value_t = Kind::Explicit, value_name = "TYPE")]
    kind: Kind,
    /// How many tasks are asked about at once; without it, as many as the scheduler likes.
    #[arg(
        long,
        short = 'b',
        value_name = "NUMBER",
        value_parser = number::from::<u32>(1)
    )]
    batch_size: Option<u32>,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = self.target.scheduler().await?;
        let (kind, tasks) = match self.kind {
            Kind::Explicit => {
                ("explicit", Some(scheduler.reconcile_explicit(self.batch_size).await?))
            }
            Kind::Implicit => {
                if self.batch_size.is_some() {
                    warn("--batch-size means nothing for implicit reconciliation");
                }
                scheduler.reconcile_implicit().await?;
                ("implicit", None)
            }
        };
        if self.output.is_data() {
            return self.output.print(&json!({ "type": kind, "tasks": tasks }));
        }
        print(&match tasks {
            Some(tasks) => format!("Explicit reconciliation of {tasks} tasks has begun\n"),
            None => "Implicit reconciliation has begun\n".to_owned(),
        })
    }
}
