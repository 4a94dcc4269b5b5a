//! What is known only where a task runs (`executor.md` 3), for one that no cluster runs.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::config::Task;
use aurora_template::{Address, InterpolateError, interpolate};
use serde_json::Value;

/// What the references of a task to the place where it runs become.
#[derive(Debug)]
pub(super) struct Names<'a> {
    pub(super) task_id: &'a str,
    pub(super) user: &'a str,
    pub(super) hostname: &'a str,
    pub(super) ports: &'a BTreeMap<String, u16>,
}

/// The task with everything bound; or why it cannot be, in words for people.
pub(super) fn bind(task: &Task, names: &Names<'_>) -> Result<Task, String> {
    let known = names.known();
    let mut json = serde_json::to_value(task).map_err(|error| error.to_string())?;
    let mut unbound = BTreeSet::new();
    texts(&mut json, &known, &mut unbound).map_err(|error| error.to_string())?;
    if !unbound.is_empty() {
        let unbound: Vec<String> = unbound.iter().map(|name| format!("{{{{{name}}}}}")).collect();
        return Err(format!("nothing is bound to {}", unbound.join(", ")));
    }
    serde_json::from_value(json).map_err(|error| error.to_string())
}

impl Names<'_> {
    fn known(&self) -> BTreeMap<Address, String> {
        let fixed = [
            ("thermos.task_id", self.task_id),
            ("thermos.user", self.user),
            // It is the only one.
            ("mesos.instance", "0"),
            ("mesos.hostname", self.hostname),
        ];
        let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let ports = self.ports.iter();
        let ports = ports.map(|(name, port)| (format!("thermos.ports[{name}]"), port.to_string()));
        fixed
            .into_iter()
            .chain(ports)
            .filter_map(|(name, value)| Some((name.parse().ok()?, value)))
            .collect()
    }
}

fn texts(
    json: &mut Value,
    known: &BTreeMap<Address, String>,
    unbound: &mut BTreeSet<Address>,
) -> Result<(), InterpolateError> {
    match json {
        Value::String(text) if text.contains("{{") => {
            let done = interpolate::<InterpolateError>(text, |name| Ok(known.get(name).cloned()))?;
            unbound.extend(done.unbound);
            *text = done.text;
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| texts(item, known, unbound))?,
        Value::Object(fields) => {
            fields.values_mut().try_for_each(|value| texts(value, known, unbound))?;
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_to_the_place_are_bound_and_others_named() {
        let task = |cmdline: &str| -> Task {
            let json = serde_json::json!({
                "name": "t", "processes": [{ "name": "p", "cmdline": cmdline }],
            });
            serde_json::from_value(json).unwrap()
        };
        let ports = [("http".to_owned(), 80)].into();
        let names = Names { task_id: "id", user: "me", hostname: "box", ports: &ports };
        let all = "{{thermos.task_id}} {{thermos.user}} {{thermos.ports[http]}} \
                   {{mesos.instance}}@{{mesos.hostname}}";
        let bound = bind(&task(all), &names).unwrap();
        assert_eq!(bound.processes[0].cmdline, "id me 80 0@box");
        let error = bind(&task("{{thermos.ports[admin]}}"), &names).unwrap_err();
        assert_eq!(error, "nothing is bound to {{thermos.ports[admin]}}");
    }
}
