//! Commands that are about one job of one cluster.

use aurora_client::{Connection, Scheduler};
use aurora_model::key::ClusterJobKey;

use crate::failure::Failure;
use crate::output::Output;

/// A job that is there, its scheduler, and the form of the result.
#[derive(Debug, clap::Args)]
pub(crate) struct OneJob {
    /// The job: cluster/role/environment/name.
    #[arg(value_name = "JOB")]
    pub(crate) key: ClusterJobKey,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl OneJob {
    /// The scheduler of its cluster.
    pub(crate) async fn scheduler(&self) -> Result<Scheduler, Failure> {
        Ok(Scheduler::of_cluster(&self.key.cluster, &self.connection).await?)
    }
}
