//! `aurora update list`.

use std::collections::BTreeSet;
use std::str::FromStr;

use aurora_api::v1;
use aurora_client::{
    Connection, Scheduler,
    updates::{Update, active_statuses},
};
use aurora_model::key::JobKey;
use aurora_model::update::UpdateStatus;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{Output, print, utc};

/// The columns and their widths.
const COLUMNS: [(&str, usize); 6] = [
    ("JOB", 47),
    ("UPDATE ID", 36),
    ("STATUS", 15),
    ("CREATED BY", 11),
    ("STARTED", 19),
    ("LAST MODIFIED", 19),
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which updates: cluster[/role[/environment[/name]]].
    #[arg(value_name = "FILTER")]
    filter: Filter,
    /// Only those of these states, such as ROLLING_FORWARD, or of a kind: active, inactive, blocked, paused,
    /// failed, succeeded, all.
    #[arg(long = "status", value_name = "STATE")]
    states: Vec<States>,
    /// Only those that this user has started.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The same as --output json.
    #[arg(long)]
    write_json: bool,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let cluster = &self.filter.cluster;
        let scheduler = Scheduler::of_cluster(cluster, &self.connection).await?;
        let states: BTreeSet<UpdateStatus> =
            self.states.iter().flat_map(|states| states.0.iter().copied()).collect();
        let found = scheduler.updates(v1::UpdateQuery {
            user: self.user.clone().unwrap_or_default(),
            statuses: states.iter().map(|status| v1::UpdateStatus::from(*status) as i32).collect(),
            ..self.filter.query()
        });
        let found = found.await?.iter().map(Update::read).collect::<Result<Vec<_>, _>>()?;
        let found: Vec<Update> =
            found.into_iter().filter(|update| self.filter.matches(&update.job)).collect();
        if self.write_json || self.output.is_data() {
            return self
                .output
                .print(&found.iter().map(|it| as_json(cluster, it)).collect::<Vec<_>>());
        }
        print(&table(cluster, &found))
    }
}

fn as_json(cluster: &str, update: &Update) -> serde_json::Value {
    json!({
        "job": format!("{cluster}/{}", update.job),
        "id": update.key.id,
        "user": update.user,
        "started": utc(update.created_ms),
        "last_modified": utc(update.modified_ms),
        "status": update.status.name(),
    })
}

/// The rows below their heading; nothing if there are none.
fn table(cluster: &str, updates: &[Update]) -> String {
    if updates.is_empty() {
        return String::new();
    }
    let line = |cells: [&str; 6]| {
        let cells = cells.iter().zip(COLUMNS).map(|(cell, (_, width))| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join(" ").trim_end().to_owned() + "\n"
    };
    updates.iter().fold(line(COLUMNS.map(|(name, _)| name)), |text, update| {
        text + &line([
            &format!("{cluster}/{}", update.job),
            &update.key.id,
            update.status.name(),
            &update.user,
            &utc(update.created_ms),
            &utc(update.modified_ms),
        ])
    })
}

/// `cluster[/role[/environment[/name]]]` (`client.md` 4).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Filter {
    cluster: String,
    /// Role, environment and name, as far as they are given.
    parts: Vec<String>,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not cluster[/role[/environment[/name]]]");
        let mut parts = text.split('/');
        let cluster = parts.next().filter(|part| !part.is_empty()).ok_or_else(wrong)?.to_owned();
        let parts: Vec<String> = parts.map(ToOwned::to_owned).collect();
        if parts.len() > 3 {
            return Err(wrong());
        }
        // What is not given is as good as any.
        let part = |at: usize| parts.get(at).map_or("any", String::as_str);
        JobKey::new(part(0), part(1), part(2)).map_err(|error| error.to_string())?;
        Ok(Self { cluster, parts })
    }
}

impl Filter {
    fn query(&self) -> v1::UpdateQuery {
        if let [role, environment, name] = self.parts.as_slice() {
            let (role, environment, name) = (role.clone(), environment.clone(), name.clone());
            let job = Some(v1::JobKey { role, environment, name });
            return v1::UpdateQuery { job, ..v1::UpdateQuery::default() };
        }
        let role = self.parts.first().cloned().unwrap_or_default();
        v1::UpdateQuery { role, ..v1::UpdateQuery::default() }
    }

    fn matches(&self, job: &JobKey) -> bool {
        let of_job = [job.role(), job.environment(), job.name()];
        self.parts.iter().zip(of_job).all(|(wanted, part)| wanted == part)
    }
}

/// The kinds of states that may be asked for.
pub(crate) const KINDS: [&str; 7] =
    ["active", "inactive", "blocked", "paused", "failed", "succeeded", "all"];

/// A state by name, or those of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
struct States(BTreeSet<UpdateStatus>);

impl FromStr for States {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        use UpdateStatus::{
            Error, Failed, RollBackAwaitingPulse, RollBackPaused, RollForwardAwaitingPulse,
            RollForwardPaused, RolledBack, RolledForward,
        };
        Ok(Self(match text.to_ascii_lowercase().as_str() {
            "active" => active_statuses().collect(),
            "inactive" => UpdateStatus::ALL.into_iter().filter(|it| it.is_terminal()).collect(),
            "all" => UpdateStatus::ALL.into(),
            "blocked" => [RollForwardAwaitingPulse, RollBackAwaitingPulse].into(),
            "paused" => [RollForwardPaused, RollBackPaused].into(),
            "failed" => [Error, Failed, RolledBack].into(),
            "succeeded" => [RolledForward].into(),
            _ => {
                let known = UpdateStatus::from_str(&text.to_ascii_uppercase());
                let known = known.map_err(|error| {
                    format!(
                        "{error}; write a state such as ROLLING_FORWARD, or {}",
                        KINDS.join(", ")
                    )
                })?;
                [known].into()
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_has_up_to_four_parts() {
        let job: JobKey = "www/prod/hello".parse().unwrap();
        for (text, role, matches) in [
            ("c", "", true),
            ("c/www", "www", true),
            ("c/www/prod", "www", true),
            ("c/www/test", "www", false),
            ("c/www/prod/hello", "", true),
            ("c/www/prod/other", "", false),
        ] {
            let filter: Filter = text.parse().unwrap();
            assert_eq!((filter.query().role.as_str(), filter.matches(&job)), (role, matches));
        }
        let whole: Filter = "c/www/prod/hello".parse().unwrap();
        assert_eq!(whole.query().job.unwrap().name, "hello");
        for wrong in ["", "/www", "c/", "c//prod", "c/www/prod/", "c/w/p/h/0", "c/w w"] {
            assert!(wrong.parse::<Filter>().is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn states_go_by_name_and_by_kind() {
        let count = |text: &str| text.parse::<States>().unwrap().0.len();
        let counts =
            ["active", "inactive", "ALL", "blocked", "paused", "failed", "succeeded"].map(count);
        assert_eq!(counts, [6, 5, 11, 2, 2, 3, 1]);
        assert_eq!(count("rolled_back"), 1);
        let error = "rolling".parse::<States>().unwrap_err();
        assert!(error.contains("write a state such as ROLLING_FORWARD"), "{error}");
    }

    #[test]
    fn the_table_has_the_widths_of_the_original() {
        let update = Update {
            key: v1::UpdateKey { job: None, id: "8d5".to_owned() },
            job: "www/prod/hello".parse().unwrap(),
            user: "ann".to_owned(),
            status: UpdateStatus::RollForwardAwaitingPulse,
            created_ms: 1_500_000_000_999,
            modified_ms: 1_500_000_001_000,
            tally: v1::UpdateTally::default(),
        };
        let expected = "\
JOB                                             UPDATE ID                            STATUS          \
CREATED BY  STARTED             LAST MODIFIED
c/www/prod/hello                                8d5                                  \
ROLL_FORWARD_AWAITING_PULSE ann         2017-07-14T02:40:00 2017-07-14T02:40:01
";
        assert_eq!(table("c", &[update]), expected);
        assert_eq!(table("c", &[]), "");
    }
}
