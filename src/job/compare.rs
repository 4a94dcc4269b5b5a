//! A comparison of a job with what runs, as people and programs read it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anstyle::AnsiColor;
use aurora_client::compare::{Comparison, Update};
use serde_json::{Value, json};
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices_deadline, group_diff_ops};

/// How many lines around a change are shown.
const CONTEXT: usize = 3;
/// For how long the smallest difference of two texts is looked for.
const PATIENCE: Duration = Duration::from_secs(1);

/// A comparison for people, with colours, in the original's words and order.
pub(crate) fn text(found: &Comparison) -> String {
    let mut text = heads(found);
    for update in &found.update {
        text.push_str(&update_text(update, &diff(&update.running, &update.wanted)));
    }
    text + &tail(found)
}

/// What stands before the updates: what is compared, and what comes and goes.
pub(crate) fn heads(found: &Comparison) -> String {
    let mut text = match found.is_cron {
        true => "The next run, compared with the one that is going on, will:\n".to_owned(),
        false => "This job update will:\n".to_owned(),
    };
    for (title, instances) in [("add instances:", &found.add), ("remove instances:", &found.remove)]
    {
        if !instances.is_empty() {
            text.push_str(&format!("{title} {}\n", ranges(instances)));
        }
    }
    text
}

/// Instances that run alike, with how they differ from what they would be.
pub(crate) fn update_text(update: &Update, diff: &str) -> String {
    format!("update instances: {}\nwith diff:\n\n{diff}\n", ranges(&update.instances))
}

/// What stands behind the updates: what stays.
pub(crate) fn tail(found: &Comparison) -> String {
    if found.same.is_empty() {
        return String::new();
    }
    format!("not change instances: {}\n", ranges(&found.same))
}

/// A comparison for programs.
pub(crate) fn json(found: &Comparison, job: &str) -> Value {
    json!({
        "job": job,
        "add": found.add,
        "remove": found.remove,
        "update": updates(found),
        "unchanged": found.same,
    })
}

/// The instances that would be something else, for programs.
pub(crate) fn updates(found: &Comparison) -> Vec<Value> {
    let update = |it: &Update| json!({ "instances": it.instances, "changes": it.changes() });
    found.update.iter().map(update).collect()
}

/// How two values differ, line by line, with colours.
pub(crate) fn diff(running: &Value, wanted: &Value) -> String {
    unified(&lines(running), &lines(wanted))
}

/// The same of a field by itself, whose texts are taken as they are: one that is not there has no lines.
pub(crate) fn field_diff(running: &Value, wanted: &Value) -> String {
    unified(&bare_lines(running), &bare_lines(wanted))
}

fn bare_lines(value: &Value) -> Vec<Line> {
    let line = |text| Line { text: escaped(text), within: String::new() };
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => text.split('\n').map(line).collect(),
        other => lines(other),
    }
}

/// A value as plain lines.
pub(crate) fn plain_text(value: &Value) -> String {
    lines(value).into_iter().fold(String::new(), |text, line| text + &line.text + "\n")
}

/// Numbers as people write them: `[0-2], [5]`.
pub(crate) fn ranges(instances: &BTreeSet<u32>) -> String {
    let mut all: Vec<(u32, u32)> = Vec::new();
    for instance in instances {
        match all.last_mut() {
            Some((_, last)) if *last + 1 == *instance => *last = *instance,
            _ => all.push((*instance, *instance)),
        }
    }
    let shown = |(first, last): &(u32, u32)| match first == last {
        true => format!("[{first}]"),
        false => format!("[{first}-{last}]"),
    };
    all.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// A line of a configuration, and the path to what it is a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    text: String,
    within: String,
}

/// A value as lines: fields by name, the one that is called `name` first.
fn lines(value: &Value) -> Vec<Line> {
    let mut out = Vec::new();
    write(value, 0, "", &mut out);
    out
}

fn write(value: &Value, indent: usize, within: &str, out: &mut Vec<Line>) {
    let space = " ".repeat(indent);
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<(&String, &Value)> = entries.iter().collect();
            entries.sort_by_key(|(name, _)| (*name != "name", *name));
            for (name, value) in entries {
                let dot = if within.is_empty() { "" } else { "." };
                let path = format!("{within}{dot}{name}");
                write_item(
                    &format!("{space}{}:", plain(name)),
                    value,
                    indent + 2,
                    (within, &path),
                    out,
                );
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{within}[{index}]");
                if is_nested(item) {
                    let first = out.len();
                    write(item, indent + 2, &path, out);
                    if let Some(line) = out.get_mut(first) {
                        line.text.replace_range(indent..=indent, "-");
                    }
                } else {
                    write_item(&format!("{space}-"), item, indent + 2, (within, &path), out);
                }
            }
        }
        scalar => out
            .push(Line { text: format!("{space}{}", in_line(scalar)), within: within.to_owned() }),
    }
}

/// Writes what stands behind a name or a dash.
fn write_item(
    head: &str,
    value: &Value,
    indent: usize,
    (within, path): (&str, &str),
    out: &mut Vec<Line>,
) {
    let mut line = |text: String, within: &str| out.push(Line { text, within: within.to_owned() });
    match value {
        Value::String(text) if text.contains('\n') => {
            line(format!("{head} |"), within);
            for part in text.split('\n') {
                line(format!("{}{}", " ".repeat(indent), escaped(part)), path);
            }
        }
        value if is_nested(value) => {
            line(head.to_owned(), within);
            write(value, indent, path, out);
        }
        value => line(format!("{head} {}", in_line(value)), within),
    }
}

/// Whether a value takes lines of its own.
pub(crate) fn is_nested(value: &Value) -> bool {
    match value {
        Value::Object(entries) => !entries.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

pub(crate) fn in_line(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        other => other.to_string(),
    }
}

/// A text without quotes, unless it could be taken for something else.
fn plain(text: &str) -> String {
    let is_other = text.trim() != text
        || text.is_empty()
        || text.contains(char::is_control)
        || serde_json::from_str::<Value>(text).is_ok();
    if is_other { Value::from(text).to_string() } else { text.to_owned() }
}

/// A text that is safe to be shown on a terminal.
fn escaped(text: &str) -> String {
    let shown = |c: char| match c.is_control() && c != '\t' {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// The lines that differ, old ones first, with what stands around them.
fn unified(running: &[Line], wanted: &[Line]) -> String {
    let texts = |lines: &[Line]| lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>();
    let (old, new) = (texts(running), texts(wanted));
    let until = Instant::now() + PATIENCE;
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(until));
    let (cyan, red, green) = (AnsiColor::Cyan, AnsiColor::Red, AnsiColor::Green);
    let mut text = String::new();
    let mut push = |colour: Option<AnsiColor>, line: String| {
        let style = colour.map(AnsiColor::on_default).unwrap_or_default();
        text.push_str(&format!("{style}{line}{style:#}\n"));
    };
    for hunk in group_diff_ops(ops, CONTEXT) {
        push(Some(cyan), header(&hunk, running, wanted));
        for op in &hunk {
            let (old, new) = (&old[op.old_range()], &new[op.new_range()]);
            if op.tag() == DiffTag::Equal {
                old.iter().for_each(|line| push(None, format!(" {line}")));
                continue;
            }
            old.iter().for_each(|line| push(Some(red), format!("-{line}")));
            new.iter().for_each(|line| push(Some(green), format!("+{line}")));
        }
    }
    text
}

/// `@@ -3,7 +3,7 @@` with the path to what is changed first.
fn header(hunk: &[DiffOp], running: &[Line], wanted: &[Line]) -> String {
    let ends = |range: fn(&DiffOp) -> std::ops::Range<usize>| {
        let start = hunk.first().map_or(0, |op| range(op).start);
        let end = hunk.last().map_or(start, |op| range(op).end);
        // As `diff` counts: from 1, but for what is empty.
        (if start == end { start } else { start + 1 }, end - start)
    };
    let ((old, old_len), (new, new_len)) = (ends(DiffOp::old_range), ends(DiffOp::new_range));
    let changed = hunk.iter().find(|op| op.tag() != DiffTag::Equal);
    let within = changed.and_then(|op| {
        let line = running.get(op.old_range()).and_then(<[Line]>::first);
        line.or_else(|| wanted.get(op.new_range())?.first())
    });
    let within = within.map_or("", |line| line.within.as_str());
    format!("@@ -{old},{old_len} +{new},{new_len} @@ {}", escaped(within)).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use aurora_client::compare::compare;
    use aurora_model::job::{
        ExecutorConfig, JobConfiguration, MilliCpus, TaskConfig, TaskResources,
    };
    use aurora_model::key::JobKey;

    use super::*;

    fn job(instances: u32, cmdline: &str) -> JobConfiguration {
        let key: JobKey = "www/prod/hello".parse().unwrap();
        let data = json!({ "task": { "processes": [
            { "cmdline": cmdline, "name": "main", "ephemeral": false }] }, "name": "hello" });
        let task = TaskConfig {
            is_service: true,
            tier: Some("preemptible".to_owned()),
            executor: Some(ExecutorConfig {
                name: "AuroraExecutor".to_owned(),
                data: data.to_string(),
            }),
            ..TaskConfig::plain(
                key,
                "me",
                TaskResources { cpus: MilliCpus(500), ..TaskResources::default() },
            )
        };
        JobConfiguration::unscheduled(task, instances)
    }

    fn running(of: &[(u32, &TaskConfig)]) -> BTreeMap<u32, TaskConfig> {
        of.iter().map(|(instance, task)| (*instance, (*task).clone())).collect()
    }

    fn shown(comparison: &Comparison) -> String {
        anstream::adapter::strip_str(&super::text(comparison)).to_string()
    }

    #[test]
    fn each_instance_is_in_its_class_and_equal_ones_are_one_group() {
        let new = job(5, "echo new");
        let (old, older) = (job(1, "echo old").task, job(1, "echo older").task);
        let all =
            running(&[(0, &old), (1, &new.task), (2, &older), (3, &old), (7, &old), (8, &old)]);
        let found = compare(&new, &all, None);
        let all_shown = shown(&found);
        let heads: Vec<&str> =
            all_shown.lines().filter(|line| line.contains("instances:")).collect();
        assert_eq!(
            heads,
            [
                "add instances: [4]",
                "remove instances: [7-8]",
                "update instances: [0], [3]",
                "update instances: [2]",
                "not change instances: [1]"
            ]
        );
        assert!(found.has_changes());
        // Those that are named alone.
        let some = compare(&new, &all, Some(&BTreeSet::from([1, 4, 8, 9])));
        assert_eq!(
            shown(&some),
            "This job update will:\nadd instances: [4]\nremove instances: [8]\n\
             not change instances: [1]\n"
        );
        assert_eq!(some.instances(), BTreeSet::from([1, 4, 8]));
    }

    #[test]
    fn without_any_instance_there_is_only_the_first_line() {
        let found = compare(&job(2, "true"), &BTreeMap::new(), Some(&BTreeSet::new()));
        assert_eq!(shown(&found), "This job update will:\n");
        assert!(!found.has_changes());
    }

    #[test]
    fn a_change_is_shown_with_what_is_around_it_and_where_it_is() {
        let mut new = job(1, "echo one\necho three\n");
        new.task.resources.cpus = MilliCpus(750);
        let old = job(1, "echo one\necho two\n").task;
        let found = compare(&new, &running(&[(0, &old)]), None);
        let wanted = [
            "This job update will:",
            "update instances: [0]",
            "with diff:",
            "",
            "@@ -11,7 +11,7 @@ executor.data.task.processes[0].cmdline",
            "         - name: main",
            "           cmdline: |",
            "             echo one",
            "-            echo two",
            "+            echo three",
            "             ",
            "           ephemeral: false",
            " fetcher_uris: []",
            "@@ -23,7 +23,7 @@ resources",
            " priority: 0",
            " production: false",
            " resources:",
            "-  cpus: 0.5",
            "+  cpus: 0.75",
            "   disk_mb: 0",
            "   gpus: 0",
            "   ports: []",
            "",
        ];
        assert_eq!(shown(&found).lines().collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn what_has_no_order_or_no_value_is_no_change() {
        let new = job(1, "true");
        let mut old = new.task.clone();
        let data = r#"{"name": "hello", "contact": null, "task": {"processes": [
            {"name": "main", "ephemeral": false, "cmdline": "true"}]}}"#;
        old.executor.as_mut().unwrap().data = data.to_owned();
        let found = compare(&new, &running(&[(0, &old)]), None);
        assert_eq!(shown(&found), "This job update will:\nnot change instances: [0]\n");
    }

    #[test]
    fn programs_are_told_what_differs_by_its_path() {
        let mut new = job(2, "echo new");
        new.task.contact_email = Some("a@example.com".to_owned());
        new.task.resources.ports = BTreeSet::from(["http".to_owned()]);
        let old = job(1, "echo old").task;
        let found = compare(&new, &running(&[(0, &old)]), None);
        let change = |path: &str, running: Value, wanted: Value| json!({ "path": path, "running": running, "wanted": wanted });
        let wanted = json!({
            "job": "c/www/prod/hello",
            "add": [1],
            "remove": [],
            "update": [{ "instances": [0], "changes": [
                change("contact_email", Value::Null, json!("a@example.com")),
                change(
                    "executor.data.task.processes[0].cmdline",
                    json!("echo old"),
                    json!("echo new"),
                ),
                change("resources.ports", json!([]), json!(["http"])),
            ] }],
            "unchanged": [],
        });
        assert_eq!(json(&found, "c/www/prod/hello"), wanted);
    }

    #[test]
    fn texts_are_shown_so_that_nothing_is_taken_for_something_else() {
        let value = json!({
            "number": 1, "text": "1", "blank": " x", "none": "", "escape": "\u{1b}[31m",
            "lines": "a\n\u{1b}b\n", "list": ["a", ["b", "c"], {}], "deep": {"name": "n", "a": []},
        });
        let shown: Vec<String> = lines(&value).into_iter().map(|line| line.text).collect();
        assert_eq!(
            shown,
            [
                r#"blank: " x""#,
                "deep:",
                "  name: n",
                "  a: []",
                r#"escape: "\u001b[31m""#,
                "lines: |",
                "  a",
                r"  \u{1b}b",
                "  ",
                "list:",
                "  - a",
                "  - - b",
                "    - c",
                "  - {}",
                r#"none: """#,
                "number: 1",
                r#"text: "1""#,
            ]
        );
    }

    #[test]
    fn the_next_run_of_a_cron_job_is_compared_with_the_one_that_goes_on() {
        let mut new = job(1, "true");
        new.cron_schedule = Some("* * * * *".to_owned());
        let found = compare(&new, &running(&[(0, &new.task)]), None);
        assert!(shown(&found).starts_with("The next run, compared with the one that is going on"));
    }
}
