//! `aurora thermos inspect`.

use super::source::Source;
use crate::failure::Failure;
use crate::job::owner;
use crate::output::print_json;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Who the task is to run as, as far as the file asks [default: who runs this].
    #[arg(long, value_name = "USER")]
    user: Option<String>,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Failure> {
        let user = self.user.map_or_else(owner, Ok)?;
        print_json(&self.source.choose(&user)?.task)
    }
}
