//! Jobs that are written as JSON instead of in the language (`dsl.md` 7.1).

use aurora_template::types::Plain;
use serde_json::Value;

/// The plain value of JSON.
pub(super) fn plain(json: Value) -> Plain {
    match json {
        Value::Null => Plain::Other("None".to_owned()),
        Value::Bool(value) => Plain::Bool(value),
        Value::Number(number) => number_of(&number),
        Value::String(text) => Plain::Text(text),
        Value::Array(items) => Plain::List(items.into_iter().map(plain).collect()),
        Value::Object(entries) => Plain::Map(
            entries.into_iter().map(|(key, value)| (Plain::Text(key), plain(value))).collect(),
        ),
    }
}

fn number_of(number: &serde_json::Number) -> Plain {
    match (number.as_i64(), number.as_f64()) {
        (Some(number), _) => Plain::Int(number),
        (None, Some(float)) => Plain::Float(float),
        (None, None) => Plain::Other(number.to_string()),
    }
}

/// Whether the fields of a JSON document are a task's and not a job's, nor a list of jobs.
pub(super) fn is_task(fields: &serde_json::Map<String, Value>) -> bool {
    !fields.contains_key("jobs") && !fields.contains_key("task")
}

/// The jobs of a JSON document: those of its list `jobs`, or the document itself.
pub(super) fn jobs(json: Value) -> Vec<Plain> {
    match json {
        Value::Object(mut entries) if entries.contains_key("jobs") => {
            match entries.remove("jobs") {
                Some(Value::Array(jobs)) => jobs.into_iter().map(plain).collect(),
                other => other.map(plain).into_iter().collect(),
            }
        }
        one => vec![plain(one)],
    }
}
