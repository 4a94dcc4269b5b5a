//! Cases with the original's own results: those that this implementation gets right stay right.
//!
//! What is compared is what the original's answer holds: which files and jobs are refused and at
//! which stage; keys, interpolated jobs, open references, ports, requests and update settings of
//! those that are not. Messages are ours.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aurora_eval::{Binding, Disk, ExportOptions, Inputs, Options, evaluate, evaluate_json, export};
use serde_json::Value;

/// What the original says where it has crashed.
const CRASHES: [&str; 6] =
    ["AttributeError", "TypeError", "IndexError", "KeyError", "UnboundLocalError", "RuntimeError"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// The names of the cases.
fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().to_str()?.strip_suffix(".aurora").map(str::to_owned)
        })
        .collect();
    names.sort();
    assert!(names.len() > 50, "the cases are there");
    names
}

#[test]
fn cases_agree_with_the_original() {
    let mut wrong = Vec::new();
    for name in names() {
        let outcome =
            std::panic::catch_unwind(|| case(&name)).unwrap_or_else(|_| vec!["it panics".into()]);
        if !outcome.is_empty() {
            wrong.push(format!("{name}: {}", outcome.join("\n    ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the arguments of a case ask for.
#[derive(Default)]
struct Arguments {
    all: Vec<String>,
    bindings: Vec<Binding>,
    is_json: bool,
    pick: Option<String>,
}

impl Arguments {
    fn of(name: &str) -> Self {
        let text =
            std::fs::read_to_string(folder().join(format!("{name}.args"))).unwrap_or_default();
        let mut arguments = Self::default();
        let mut words = text.lines().filter(|line| !line.is_empty());
        while let Some(word) = words.next() {
            arguments.all.push(word.to_owned());
            match word {
                "--json" => arguments.is_json = true,
                "--bind" | "--job" => {
                    let value = words.next().unwrap();
                    arguments.all.push(value.to_owned());
                    if word == "--bind" {
                        arguments.bindings.push(value.parse().unwrap());
                    } else {
                        arguments.pick = Some(value.to_owned());
                    }
                }
                other => panic!("unknown argument {other}"),
            }
        }
        arguments
    }
}

/// What we make of a case.
fn ours(name: &str) -> Value {
    let arguments = Arguments::of(name);
    let inputs = Inputs { user: "oracle".to_owned(), ..Inputs::default() };
    let options = Options { bindings: arguments.bindings, inputs, ..Options::default() };
    let path = folder().join(format!("{name}.aurora"));
    let config = if arguments.is_json {
        evaluate_json(name, &std::fs::read_to_string(&path).unwrap(), &options)
    } else {
        evaluate(&path, &Disk, &options)
    };
    let mut out = Vec::new();
    let options =
        ExportOptions { owner: "oracle".to_owned(), args: arguments.all, pick: arguments.pick };
    export(config.as_deref(), &options, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// Every place at which we and the original differ.
fn case(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
    let theirs: Value = serde_json::from_str(&text).unwrap();
    let ours = ours(name);
    let mut differences = Differences { volatile: volatile(&theirs), found: Vec::new() };
    for field in ["args", "bindings"] {
        differences.compare(&ours[field], &theirs[field], field);
    }
    if ours["error"]["stage"] != theirs["error"]["stage"] {
        return vec![format!("error: {} instead of {}", ours["error"], theirs["error"])];
    }
    if !theirs["error"].is_null() {
        return Vec::new();
    }
    let none = Vec::new();
    let pairs = (ours["jobs"].as_array(), theirs["jobs"].as_array().unwrap_or(&none));
    let (Some(our_jobs), their_jobs) = pairs else { return vec!["no jobs".to_owned()] };
    if our_jobs.len() != their_jobs.len() {
        return vec![format!("{} jobs instead of {}", our_jobs.len(), their_jobs.len())];
    }
    for (index, (ours, theirs)) in our_jobs.iter().zip(their_jobs).enumerate() {
        differences.compare_job(ours, theirs, &format!(".jobs[{index}]"));
    }
    differences.compare(&ours["pick"]["ok"], &theirs["pick"]["ok"], "pick.ok");
    differences.found
}

/// What changes from run to run in the original, by place; true if only the order does.
fn volatile(theirs: &Value) -> BTreeMap<String, bool> {
    let entries = theirs["nondeterministic"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .map(|entry| {
            let path = entry["path"].as_array().unwrap().iter().map(|step| match step {
                Value::String(name) => format!(".{name}"),
                step => format!("[{step}]"),
            });
            (path.collect(), entry["kind"] == "order")
        })
        .collect()
}

struct Differences {
    volatile: BTreeMap<String, bool>,
    found: Vec<String>,
}

impl Differences {
    fn compare_job(&mut self, ours: &Value, theirs: &Value, place: &str) {
        let (mine, original) = (&ours["error"], &theirs["error"]);
        let message = original["message"].as_str().unwrap_or_default();
        if mine.is_null() && message.starts_with("Unknown schema attribute") {
            // A dict that fits a later alternative of a choice may be accepted.
            return;
        }
        let crashed = CRASHES.iter().any(|class| original["class"] == *class);
        if mine.is_null() != original.is_null() || (!crashed && mine["stage"] != original["stage"])
        {
            self.found.push(format!("{place}.error: {mine} instead of {original}"));
            return;
        }
        let fields: &[&str] = if original.is_null() {
            &["key", "interpolated", "unbound", "ports", "job_configuration", "update_settings"]
        } else if crashed {
            &[]
        } else {
            &["key", "interpolated", "unbound", "ports", "job_configuration"]
        };
        for field in fields {
            // What the original did not get to, or crashed at, we may have.
            if !theirs[field].is_null() {
                self.compare(&ours[field], &theirs[field], &format!("{place}.{field}"));
            }
        }
    }

    /// Notes where two values differ. A float may be any number of the same value; a whole number is
    /// no float.
    fn compare(&mut self, ours: &Value, theirs: &Value, place: &str) {
        match self.volatile.get(place) {
            Some(true) => {
                let sorted = |value: &Value| {
                    let mut members: Vec<String> =
                        value.as_array().into_iter().flatten().map(ToString::to_string).collect();
                    members.sort();
                    members
                };
                if sorted(ours) != sorted(theirs) {
                    self.found.push(format!("{place}: other members: {ours}, not {theirs}"));
                }
                return;
            }
            Some(false) => return,
            None => {}
        }
        match (ours, theirs) {
            (Value::Object(a), Value::Object(b)) => {
                let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for key in keys {
                    match (a.get(key), b.get(key)) {
                        (Some(a), Some(b)) => self.compare(a, b, &format!("{place}.{key}")),
                        (a, b) => self.found.push(format!("{place}.{key}: {a:?} instead of {b:?}")),
                    }
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (index, (a, b)) in a.iter().zip(b).enumerate() {
                    self.compare(a, b, &format!("{place}[{index}]"));
                }
            }
            (Value::Number(a), Value::Number(b)) if is_same_number(a, b) => {}
            (a, b) if a == b => {}
            (a, b) => self.found.push(format!("{place}: {a} instead of {b}")),
        }
    }
}

fn is_same_number(ours: &serde_json::Number, theirs: &serde_json::Number) -> bool {
    let whole = |number: &serde_json::Number| !number.to_string().contains(['.', 'e', 'E']);
    let (Some(a), Some(b)) = (ours.as_f64(), theirs.as_f64()) else { return false };
    match (whole(ours), whole(theirs)) {
        (true, true) => ours == theirs,
        (false, true) => false,
        _ => (a - b).abs() <= 1e-12 * a.abs().max(b.abs()),
    }
}

#[test]
fn what_is_exported_can_be_read_again() {
    let mut count = 0;
    for name in names() {
        // There an escape has become a reference, which is one when it is read again; and a default
        // that was taken away is there again.
        if name == "escapes" || name == "defaults_and_empty" {
            continue;
        }
        for job in ours(&name)["jobs"].as_array().into_iter().flatten() {
            if !job["error"].is_null() {
                continue;
            }
            let options = Options::default();
            let text = job["interpolated"].to_string();
            let config = evaluate_json(&name, &text, &options);
            let mut out = Vec::new();
            let owner = ExportOptions { owner: "oracle".to_owned(), ..ExportOptions::default() };
            export(config.as_deref(), &owner, &mut out).unwrap();
            let again: Value = serde_json::from_slice(&out).unwrap();
            assert!(again["error"].is_null(), "{name}: {}", again["error"]);
            for field in ["error", "key", "interpolated", "unbound", "ports", "job_configuration"] {
                assert_eq!(again["jobs"][0][field], job[field], "{name}: {}: {field}", job["key"]);
            }
            count += 1;
        }
    }
    assert!(count > 100, "only {count} jobs are exported");
}
