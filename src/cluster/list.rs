//! `aurora cluster list`.

use aurora_client::{Cluster, Connection, Error};
use serde_json::{Value, json};

use super::{Answer, ask};
use crate::failure::Failure;
use crate::output::{Output, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ask each scheduler whether it is there.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

/// A cluster, where it is, and what its scheduler said if it was asked.
struct Row {
    name: String,
    found: Result<Cluster, Error>,
    answer: Option<Result<Answer, Error>>,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        // Those that are known, not one that is given.
        let connection = Connection { scheduler: None, ..self.connection };
        let row = |name: String| {
            let connection = connection.clone();
            let is_asked = self.check;
            async move {
                let found = connection.find(&name);
                let answer = match &found {
                    Ok(cluster) if is_asked => Some(ask(cluster.clone(), &connection).await),
                    _ => None,
                };
                Row { name, found, answer }
            }
        };
        // All at a time: each takes as long as it takes to find out that it is away.
        let mut asked = tokio::task::JoinSet::new();
        for name in connection.names()? {
            asked.spawn(row(name));
        }
        let mut rows = asked.join_all().await;
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        if self.output.is_data() {
            return self.output.print(&rows.iter().map(Row::json).collect::<Vec<_>>());
        }
        print(&table(&rows.iter().map(Row::cells).collect::<Vec<_>>()))
    }
}

impl Row {
    fn json(&self) -> Value {
        let mut row = match &self.found {
            Ok(cluster) => json!({
                "name": self.name, "from": cluster.origin.to_string(), "at": cluster.place(),
            }),
            Err(error) => json!({ "name": self.name, "error": error.to_string() }),
        };
        match &self.answer {
            Some(Ok(answer)) => row["scheduler"] = answer.json(),
            Some(Err(error)) => row["error"] = error.to_string().into(),
            None => {}
        }
        row
    }

    fn cells(&self) -> [String; 4] {
        let (at, from) = match &self.found {
            Ok(cluster) => (cluster.place(), cluster.origin.to_string()),
            Err(error) => (format!("unusable: {error}"), String::new()),
        };
        let state = match &self.answer {
            Some(Ok(answer)) => format!("reachable, version {}", answer.version),
            Some(Err(error)) => format!("unreachable: {error}"),
            None => String::new(),
        };
        [self.name.clone(), at, from, state]
    }
}

/// Columns, two blanks apart; a line ends with its last text.
fn table(rows: &[[String; 4]]) -> String {
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths = [0, 1, 2, 3].map(width);
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
