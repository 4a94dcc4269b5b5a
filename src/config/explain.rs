//! `aurora config explain`.

use crate::failure::{Code, Failure};
use crate::output::print;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to explain, such as Job, instances, Task.max_failures, order or unknown-field.
    #[arg(value_name = "NAME")]
    name: String,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Failure> {
        if let Some(code) = aurora_eval::Code::of(&self.name) {
            return print(code.page());
        }
        match aurora_model::docs::explain(&self.name) {
            Ok(text) => print(&(text.trim_end().to_owned() + "\n")),
            Err(near) => {
                let mut message = format!("there is nothing called {:?} to explain", self.name);
                if !near.is_empty() {
                    message.push_str(&format!(": did you mean {}?", near.join(" or ")));
                }
                Err(Failure::new(Code::InvalidParameter, message))
            }
        }
    }
}
