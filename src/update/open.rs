//! `aurora update open`.

use aurora_client::{Connection, Scheduler};
use aurora_model::key::ClusterJobKey;

use crate::browser;
use crate::failure::Failure;
use crate::output::print;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job: cluster/role/environment/name.
    #[arg(value_name = "JOB")]
    key: ClusterJobKey,
    #[command(flatten)]
    connection: Connection,
}

impl Args {
    /// Prints where the page is, for those without a browser, and shows it.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = Scheduler::of_cluster(&self.key.cluster, &self.connection).await?;
        let page = scheduler.page_of(&self.key.job).await;
        print(&format!("{page}\n"))?;
        browser::open(&page)
    }
}
