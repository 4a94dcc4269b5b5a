//! Cases with the original's own results: those that this implementation gets right stay right.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aurora_eval::{Binding, Disk, EvaluatedJob, Options, evaluate};
use serde_json::Value;

/// Cases that need what the language does not have yet.
const NOT_YET: &str = include_str!("../conformance/not_yet.txt");

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

#[test]
fn cases_agree_with_the_original() {
    let not_yet: BTreeSet<&str> = NOT_YET.lines().filter(|line| !line.is_empty()).collect();
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().to_str()?.strip_suffix(".json").map(str::to_owned)
        })
        .collect();
    names.sort();
    assert!(names.len() > 50, "the cases are there");
    let mut wrong = Vec::new();
    for name in &names {
        let outcome =
            std::panic::catch_unwind(|| case(name)).unwrap_or_else(|_| Err("it panics".into()));
        match (outcome, not_yet.contains(name.as_str())) {
            (Ok(()), false) | (Err(_), true) => {}
            (Ok(()), true) => wrong.push(format!("{name}: agrees now: take it off the list")),
            (Err(why), false) => wrong.push(format!("{name}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Compares what must be equal: which jobs are accepted, their keys, their JSON and their requests.
fn case(name: &str) -> Result<(), String> {
    let expected: Value = serde_json::from_str(
        &std::fs::read_to_string(folder().join(format!("{name}.json")))
            .map_err(|e| e.to_string())?,
    )
    .map_err(|e| e.to_string())?;
    let bindings: Vec<Binding> = expected["bindings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|pair| {
            format!("{}={}", pair[0].as_str().unwrap_or(""), pair[1].as_str().unwrap_or(""))
        })
        .map(|text| text.parse().map_err(|e: aurora_eval::BindingError| e.to_string()))
        .collect::<Result<_, _>>()?;
    let path = folder().join(format!("{name}.aurora"));
    let config = match (
        evaluate(&path, &Disk, &Options { bindings, ..Options::default() }),
        &expected["error"],
    ) {
        (Err(_), Value::Object(_)) => return Ok(()),
        (Err(report), _) => return Err(format!("refused: {report}")),
        (Ok(_), Value::Object(error)) => {
            return Err(format!("accepted, but the original says {error:?}"));
        }
        (Ok(config), _) => config,
    };
    let jobs = expected["jobs"].as_array().cloned().unwrap_or_default();
    if jobs.len() != config.jobs().len() {
        return Err(format!("{} jobs instead of {}", config.jobs().len(), jobs.len()));
    }
    let loose = expected["nondeterministic"].as_object().is_some_and(|paths| !paths.is_empty())
        || expected["nondeterministic"].as_array().is_some_and(|paths| !paths.is_empty());
    for (index, (job, expected)) in config.jobs().iter().zip(&jobs).enumerate() {
        compare(job, expected, loose).map_err(|why| format!("jobs[{index}]: {why}"))?;
    }
    Ok(())
}

fn compare(job: &EvaluatedJob, expected: &Value, loose: bool) -> Result<(), String> {
    match (job.ready("oracle"), expected["error"].is_null()) {
        (Err(_), false) => Ok(()),
        (Ok(_), false) => Err(format!("accepted, but the original says {}", expected["error"])),
        (Err(report), true) => Err(format!("refused: {report}")),
        (Ok(_), true) if loose => Ok(()),
        (Ok(ready), true) => {
            let config = serde_json::to_value(&ready.config).map_err(|e| e.to_string())?;
            let difference = differing("", &config, &expected["interpolated"]);
            if let Some(difference) = difference {
                return Err(difference);
            }
            let ports: Vec<&str> = expected["ports"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let asked: Vec<&str> =
                ready.request.task.resources.ports.iter().map(String::as_str).collect();
            if ports != asked {
                return Err(format!("ports {asked:?} instead of {ports:?}"));
            }
            request(&ready.request, &expected["job_configuration"])
        }
    }
}

fn request(ours: &aurora_model::job::JobConfiguration, expected: &Value) -> Result<(), String> {
    let task = &expected["taskConfig"];
    let resource = |kind: &str| {
        task["resources"].as_array().into_iter().flatten().find_map(|r| r.get(kind)).cloned()
    };
    let facts = [
        ("instanceCount", expected["instanceCount"].clone(), Value::from(ours.instance_count)),
        ("owner", expected["owner"]["user"].clone(), Value::from(ours.owner.as_str())),
        ("priority", task["priority"].clone(), Value::from(ours.task.priority)),
        (
            "maxTaskFailures",
            task["maxTaskFailures"].clone(),
            Value::from(ours.task.max_task_failures),
        ),
        ("isService", task["isService"].clone(), Value::from(ours.task.is_service)),
        ("ramMb", resource("ramMb").unwrap_or_default(), Value::from(ours.task.resources.ram_mb)),
        (
            "diskMb",
            resource("diskMb").unwrap_or_default(),
            Value::from(ours.task.resources.disk_mb),
        ),
    ];
    for (name, wanted, got) in facts {
        if let Some(difference) = differing(name, &got, &wanted) {
            return Err(difference);
        }
    }
    let wanted = task["constraints"].as_array().map_or(0, Vec::len);
    if wanted != ours.task.constraints.len() {
        return Err(format!("{} constraints instead of {wanted}", ours.task.constraints.len()));
    }
    Ok(())
}

/// The first place at which two values differ; numbers are compared by value.
fn differing(path: &str, ours: &Value, expected: &Value) -> Option<String> {
    match (ours, expected) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| {
                let absent = Value::Null;
                differing(
                    &format!("{path}.{key}"),
                    a.get(key).unwrap_or(&absent),
                    b.get(key).unwrap_or(&absent),
                )
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(index, (a, b))| differing(&format!("{path}[{index}]"), a, b)),
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (a, b) if a == b => None,
        (a, b) => Some(format!("{path}: {a} instead of {b}")),
    }
}
