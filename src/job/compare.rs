//! What a job of a file would change of what runs, instance by instance. Nothing is asked here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anstyle::AnsiColor;
use aurora_model::job::{
    Constraint, ConstraintRule, Container, FetcherUri, Image, JobConfiguration, Preference,
    PreferenceRule, SlaPolicy, TaskConfig,
};
use serde_json::{Map, Value, json};
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices_deadline, group_diff_ops};

/// How many lines around a change are shown.
const CONTEXT: usize = 3;
/// For how long the smallest difference of two texts is looked for.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a job differs from what runs.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Comparison {
    /// Instances that do not run.
    add: BTreeSet<u32>,
    /// Instances that run and would be no more.
    remove: BTreeSet<u32>,
    /// Instances that run otherwise than they would: those that run alike are one.
    update: Vec<Update>,
    /// Instances that run as they would.
    same: BTreeSet<u32>,
    is_cron: bool,
}

/// Instances whose configuration would be replaced.
#[derive(Debug, PartialEq)]
struct Update {
    instances: BTreeSet<u32>,
    running: Value,
    wanted: Value,
}

/// Compares a job, as the scheduler would keep it, with the instances that run; with some of both if
/// these are named.
pub(crate) fn compare(
    wanted: &JobConfiguration,
    running: &BTreeMap<u32, TaskConfig>,
    only: Option<&BTreeSet<u32>>,
) -> Comparison {
    let is_meant = |instance: &u32| only.is_none_or(|only| only.contains(instance));
    let is_cron = wanted.cron_schedule.is_some();
    let mut found = Comparison { is_cron, ..Comparison::default() };
    found.add = (0..wanted.instance_count)
        .filter(|instance| is_meant(instance) && !running.contains_key(instance))
        .collect();
    let meant = shown(&wanted.task);
    let mut groups: Vec<(&TaskConfig, BTreeSet<u32>)> = Vec::new();
    for (instance, task) in running.iter().filter(|(instance, _)| is_meant(instance)) {
        if *instance >= wanted.instance_count {
            found.remove.insert(*instance);
            continue;
        }
        match groups.iter_mut().find(|(of_group, _)| *of_group == task) {
            Some((_, instances)) => {
                instances.insert(*instance);
            }
            None => groups.push((task, BTreeSet::from([*instance]))),
        }
    }
    for (task, instances) in groups {
        let running = shown(task);
        if running == meant {
            found.same.extend(instances);
            continue;
        }
        // Configurations may differ in what has no meaning, such as the order of a table.
        match found.update.iter_mut().find(|update| update.running == running) {
            Some(update) => update.instances.extend(instances),
            None => found.update.push(Update { instances, running, wanted: meant.clone() }),
        }
    }
    found
}

impl Comparison {
    /// Whether anything differs.
    pub(crate) fn has_changes(&self) -> bool {
        !(self.add.is_empty() && self.remove.is_empty() && self.update.is_empty())
    }

    /// The instances of which there is something to tell.
    pub(crate) fn instances(&self) -> BTreeSet<u32> {
        let updated = self.update.iter().flat_map(|update| &update.instances);
        [&self.add, &self.remove, &self.same]
            .into_iter()
            .flatten()
            .chain(updated)
            .copied()
            .collect()
    }

    /// The comparison for people, with colours, in the original's words and order.
    pub(crate) fn text(&self) -> String {
        let mut text = match self.is_cron {
            true => "The next run, compared with the one that is going on, will:\n".to_owned(),
            false => "This job update will:\n".to_owned(),
        };
        for (title, instances) in
            [("add instances:", &self.add), ("remove instances:", &self.remove)]
        {
            if !instances.is_empty() {
                text.push_str(&format!("{title} {}\n", ranges(instances)));
            }
        }
        for update in &self.update {
            let diff = unified(&lines(&update.running), &lines(&update.wanted));
            let instances = ranges(&update.instances);
            text.push_str(&format!("update instances: {instances}\nwith diff:\n\n{diff}\n"));
        }
        if !self.same.is_empty() {
            text.push_str(&format!("not change instances: {}\n", ranges(&self.same)));
        }
        text
    }

    /// The comparison for programs.
    pub(crate) fn json(&self, job: &str) -> Value {
        let update = |update: &Update| {
            let mut changes = Vec::new();
            add_changes("", &update.running, &update.wanted, &mut changes);
            json!({ "instances": update.instances, "changes": changes })
        };
        json!({
            "job": job,
            "add": self.add,
            "remove": self.remove,
            "update": self.update.iter().map(update).collect::<Vec<_>>(),
            "unchanged": self.same,
        })
    }
}

/// Numbers as people write them: `[0-2], [5]`.
fn ranges(instances: &BTreeSet<u32>) -> String {
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

/// A configuration as it is compared and shown: what the executor is told is taken apart, what has
/// no order is sorted.
fn shown(task: &TaskConfig) -> Value {
    let TaskConfig {
        job,
        owner,
        is_service,
        priority,
        max_task_failures,
        production,
        tier,
        resources,
        constraints,
        preferences,
        fetcher_uris,
        task_links,
        contact_email,
        executor,
        metadata,
        partition_policy,
        sla_policy,
        container,
    } = task;
    let mut fetched: Vec<&FetcherUri> = fetcher_uris.iter().collect();
    fetched.sort_by_key(|uri| &uri.value);
    let fetched: Vec<Value> = fetched
        .into_iter()
        .map(|FetcherUri { value, extract, cache, output_file }| {
            json!({ "value": value, "extract": extract, "cache": cache, "output_file": output_file })
        })
        .collect();
    let executor = executor.as_ref().map(|executor| {
        // What is no JSON is for another executor, whose text it is.
        let data: Value = serde_json::from_str(&executor.data)
            .unwrap_or_else(|_| Value::from(executor.data.as_str()));
        json!({ "name": executor.name, "data": data })
    });
    without_nulls(json!({
        "job": job.to_string(),
        "owner": owner,
        "is_service": is_service,
        "priority": priority,
        "max_task_failures": max_task_failures,
        "production": production,
        "tier": tier,
        "resources": {
            "cpus": resources.cpus.cores(),
            "ram_mb": resources.ram_mb,
            "disk_mb": resources.disk_mb,
            "gpus": resources.gpus,
            "ports": resources.ports,
        },
        "constraints": constraints.iter().map(constraint).collect::<Vec<_>>(),
        // Most jobs have none.
        "preferences": (!preferences.is_empty())
            .then(|| preferences.iter().map(preference).collect::<Vec<_>>()),
        "fetcher_uris": fetched,
        "task_links": task_links,
        "contact_email": contact_email,
        "executor": executor,
        "metadata": metadata.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>(),
        "partition_policy": partition_policy.as_ref().map(|policy| {
            json!({ "reschedule": policy.reschedule, "delay_secs": policy.delay_secs })
        }),
        "sla_policy": sla_policy.as_ref().map(sla),
        "container": in_container(container),
    }))
}

/// In the words of the configuration language.
fn constraint(constraint: &Constraint) -> String {
    let rule = match &constraint.rule {
        ConstraintRule::Limit(limit) => format!("limit:{limit}"),
        ConstraintRule::Value { negated, values } => {
            let values = values.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            format!("{}{values}", if *negated { "!" } else { "" })
        }
    };
    format!("{}: {rule}", constraint.attribute)
}

fn preference(preference: &Preference) -> String {
    let rule = match &preference.rule {
        PreferenceRule::Spread => "spread".to_owned(),
        PreferenceRule::Value { negated, values } => {
            let values = values.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            format!("{}{values}", if *negated { "!" } else { "" })
        }
    };
    format!("{}: {rule}, weight {}", preference.attribute, preference.weight)
}

fn sla(policy: &SlaPolicy) -> Value {
    match policy {
        SlaPolicy::Percentage { percentage, duration_secs } => {
            json!({ "percentage": percentage, "duration_secs": duration_secs })
        }
        SlaPolicy::Count { count, duration_secs } => {
            json!({ "count": count, "duration_secs": duration_secs })
        }
        SlaPolicy::Coordinator { coordinator_url, status_key } => {
            json!({ "coordinator_url": coordinator_url, "status_key": status_key })
        }
    }
}

fn in_container(container: &Container) -> Value {
    match container {
        Container::Mesos { image, volumes } => {
            let image = image.as_ref().map(|image| match image {
                Image::Docker { name, tag } => json!({ "docker": format!("{name}:{tag}") }),
                Image::Appc { name, image_id } => json!({ "appc": name, "image_id": image_id }),
            });
            let volumes: Vec<Value> = volumes
                .iter()
                .map(|volume| {
                    json!({
                        "container_path": volume.container_path,
                        "host_path": volume.host_path,
                        "read_only": volume.read_only,
                    })
                })
                .collect();
            json!({ "mesos": { "image": image, "volumes": volumes } })
        }
        Container::Docker { image, parameters } => {
            json!({ "docker": { "image": image, "parameters": parameters } })
        }
    }
}

/// A field without a value is the same as one that is not there.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(entries) => Value::Object(
            entries
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_nulls(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// What differs of two values, by the path to it: `resources.cpus`, `executor.data.task.processes[0]`.
fn add_changes(path: &str, running: &Value, wanted: &Value, to: &mut Vec<Value>) {
    match (running, wanted) {
        (a, b) if a == b => {}
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let of =
                    |entries: &Map<String, Value>| entries.get(name).cloned().unwrap_or_default();
                let dot = if path.is_empty() { "" } else { "." };
                add_changes(&format!("{path}{dot}{name}"), &of(a), &of(b), to);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                add_changes(&format!("{path}[{index}]"), a, b, to);
            }
        }
        (a, b) => to.push(json!({ "path": path, "running": a, "wanted": b })),
    }
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
fn is_nested(value: &Value) -> bool {
    match value {
        Value::Object(entries) => !entries.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn in_line(value: &Value) -> String {
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
    use aurora_model::job::{ExecutorConfig, MilliCpus, TaskResources};
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

    fn text(comparison: &Comparison) -> String {
        anstream::adapter::strip_str(&comparison.text()).to_string()
    }

    #[test]
    fn each_instance_is_in_its_class_and_equal_ones_are_one_group() {
        let new = job(5, "echo new");
        let (old, older) = (job(1, "echo old").task, job(1, "echo older").task);
        let all =
            running(&[(0, &old), (1, &new.task), (2, &older), (3, &old), (7, &old), (8, &old)]);
        let found = compare(&new, &all, None);
        let shown = text(&found);
        let heads: Vec<&str> = shown.lines().filter(|line| line.contains("instances:")).collect();
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
            text(&some),
            "This job update will:\nadd instances: [4]\nremove instances: [8]\n\
             not change instances: [1]\n"
        );
        assert_eq!(some.instances(), BTreeSet::from([1, 4, 8]));
    }

    #[test]
    fn without_any_instance_there_is_only_the_first_line() {
        let found = compare(&job(2, "true"), &BTreeMap::new(), Some(&BTreeSet::new()));
        assert_eq!(text(&found), "This job update will:\n");
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
        assert_eq!(text(&found).lines().collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn what_has_no_order_or_no_value_is_no_change() {
        let new = job(1, "true");
        let mut old = new.task.clone();
        let data = r#"{"name": "hello", "contact": null, "task": {"processes": [
            {"name": "main", "ephemeral": false, "cmdline": "true"}]}}"#;
        old.executor.as_mut().unwrap().data = data.to_owned();
        let found = compare(&new, &running(&[(0, &old)]), None);
        assert_eq!(text(&found), "This job update will:\nnot change instances: [0]\n");
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
        assert_eq!(found.json("c/www/prod/hello"), wanted);
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
        assert!(text(&found).starts_with("The next run, compared with the one that is going on"));
    }
}
