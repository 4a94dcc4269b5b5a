//! Commands that only say what they would do.

use aurora_model::key::ClusterJobKey;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{Output, print};

/// Whether nothing is done.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct DryRun {
    /// Ask the scheduler what would be done, say so, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Says to which instances something would be done.
pub(crate) fn would(
    what: &str,
    key: &ClusterJobKey,
    instances: &[u32],
    output: Output,
) -> Result<(), Failure> {
    if output.is_data() {
        return output
            .print(&json!({ "job": key.to_string(), "would": what, "instances": instances }));
    }
    match instances.is_empty() {
        true => print(&format!("Nothing of {key} is active: there is nothing to {what}\n")),
        false => print(&format!("Would {what} instances {instances:?} of {key}\n")),
    }
}
