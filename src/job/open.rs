//! `aurora job open`.

use std::str::FromStr;

use aurora_client::{Connection, Scheduler};

use crate::browser;
use crate::failure::Failure;
use crate::output::print;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is shown: cluster[/role[/environment[/name]]].
    #[arg(value_name = "KEY")]
    place: Place,
    #[command(flatten)]
    connection: Connection,
}

impl Args {
    /// Prints where the page is, for those without a browser, and shows it.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = Scheduler::of_cluster(&self.place.cluster, &self.connection).await?;
        let page = format!("{}{}", scheduler.pages().await, self.place.path);
        print(&format!("{page}\n"))?;
        browser::open(&page)
    }
}

/// A cluster, and the path of a page of its scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    cluster: String,
    path: String,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not cluster[/role[/environment[/name]]]");
        let mut parts = text.split('/');
        let cluster = parts.next().filter(|part| !part.is_empty()).ok_or_else(wrong)?.to_owned();
        let mut path = String::new();
        for (index, part) in parts.enumerate() {
            if index > 2 || !aurora_model::key::is_identifier(part) {
                return Err(wrong());
            }
            path.push('/');
            path.push_str(part);
        }
        Ok(Self { cluster, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_up_to_four_parts() {
        for (text, cluster, path) in
            [("c", "c", ""), ("c/r", "c", "/r"), ("c/r/e", "c", "/r/e"), ("c/r/e/n", "c", "/r/e/n")]
        {
            let (cluster, path) = (cluster.to_owned(), path.to_owned());
            assert_eq!(text.parse(), Ok(Place { cluster, path }), "{text}");
        }
        for wrong in ["", "/r", "c/", "c/r/e/n/0", "c/r?x", "c/a b", "c/r/"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong:?} was taken");
        }
    }
}
