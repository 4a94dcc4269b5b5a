//! `get_cluster_config` and `get_scheduler`.

use serde_json::Value;

use super::target::Target;
use crate::cluster::Answer;
use crate::failure::{Code, Failure};
use crate::output::{Format, Output, print};

#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    target: Target,
    /// As assignments of a shell.
    #[arg(long)]
    sh: bool,
    /// With --sh: with `export` before each.
    #[arg(long)]
    export: bool,
    /// The form of the result on standard output: text is JSON in one line, as Apache Aurora's client prints it,
    /// or with --sh an assignment on each line.
    #[arg(long, short = 'o', value_enum, default_value_t, value_name = "FORM")]
    output: Format,
}

impl ConfigArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let output = Output { output: self.output };
        if self.sh && output.is_data() {
            return Err(Failure::new(
                Code::Usage,
                "--sh is a form by itself: it cannot be used with --output json or yaml",
            ));
        }
        let entry = self.target.connection.entry(&self.target.name)?;
        if output.is_data() {
            return output.print(&entry);
        }
        if !self.sh {
            return print(&entry.to_string());
        }
        let mut lines = Vec::new();
        assign("AURORA_CLUSTER", &entry, &mut lines);
        let export = if self.export { "export " } else { "" };
        print(&lines.into_iter().map(|line| format!("{export}{line}\n")).collect::<String>())
    }
}

/// The assignments that a value comes to: maps and lists are flattened. Fractions and nulls are left out.
fn assign(name: &str, value: &Value, lines: &mut Vec<String>) {
    let text = match value {
        Value::Object(fields) => {
            return fields.iter().for_each(|(key, value)| {
                assign(&format!("{name}_{}", shouted(key)), value, lines)
            });
        }
        Value::Array(values) => {
            return values
                .iter()
                .enumerate()
                .for_each(|(at, value)| assign(&format!("{name}_{at}"), value, lines));
        }
        Value::Bool(is_set) => u8::from(*is_set).to_string(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        Value::Number(_) | Value::Null => return,
    };
    lines.push(format!("{name}={}", quoted(&text)));
}

/// A key as part of a variable's name.
fn shouted(key: &str) -> String {
    key.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect()
}

/// A text as a word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%_-+=:,./".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r#"'"'"'"#))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct SchedulerArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

impl SchedulerArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = Answer::of(&self.target.scheduler().await?).await?;
        if self.output.is_data() {
            return self.output.print(&found.json());
        }
        print(&format!("Found leading scheduler at: {}\n", found.address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a36_a_shell_can_read_it() {
        let entry = json!({
            "name": "dev",
            "zk_port": 2181,
            "hosts": ["a", {"b-c": true}],
            "note": "it's here",
            "empty": "",
            "share": 0.5,
            "none": null,
        });
        let mut lines = Vec::new();
        assign("AURORA_CLUSTER", &entry, &mut lines);
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "AURORA_CLUSTER_EMPTY=''",
                "AURORA_CLUSTER_HOSTS_0=a",
                "AURORA_CLUSTER_HOSTS_1_B_C=1",
                "AURORA_CLUSTER_NAME=dev",
                "AURORA_CLUSTER_NOTE='it'\"'\"'s here'",
                "AURORA_CLUSTER_ZK_PORT=2181",
            ]
        );
    }
}
