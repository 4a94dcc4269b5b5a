//! What the user has set: from `initializationOptions` and `workspace/didChangeConfiguration`.

use std::collections::BTreeMap;

use aurora_eval::Binding;
use serde_json::Value;

/// The settings, below `aurora` in those of the editor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `clusters`: the clusters.json whose names are offered; empty for those of the client.
    pub(crate) clusters: String,
    /// `env`: variables that files may read besides those of the project, with their values.
    pub(crate) env: BTreeMap<String, String>,
    /// `bindings`: names of configurations that are bound to texts, as by `--bind`.
    pub(crate) bindings: Vec<Binding>,
    /// `user`: who the files find to be their user; empty for who runs the server.
    pub(crate) user: String,
    /// `hints.templates`: whether what references come to is shown beside them.
    pub(crate) hint_templates: bool,
    /// `hints.defaults`: whether defaults of fields that are not given are shown.
    pub(crate) hint_defaults: bool,
    /// `hints.types`: whether the structs that names mean are shown.
    pub(crate) hint_types: bool,
    /// `cluster.enabled`: whether schedulers are asked about the jobs of open files.
    pub(crate) ask_clusters: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clusters: String::new(),
            env: BTreeMap::new(),
            bindings: Vec::new(),
            user: String::new(),
            hint_templates: true,
            hint_defaults: false,
            hint_types: false,
            ask_clusters: false,
        }
    }
}

impl Settings {
    /// Reads settings, and what is wrong with them. What is not said, or cannot be read, is as it is
    /// by default.
    pub(crate) fn read(value: &Value) -> (Self, Vec<String>) {
        let value = value.get("aurora").unwrap_or(value);
        let mut wrong = Vec::new();
        let mut settings = Self::default();
        text(value, "/clusters", &mut settings.clusters, &mut wrong);
        text(value, "/user", &mut settings.user, &mut wrong);
        flag(value, "/hints/templates", &mut settings.hint_templates, &mut wrong);
        flag(value, "/hints/defaults", &mut settings.hint_defaults, &mut wrong);
        flag(value, "/hints/types", &mut settings.hint_types, &mut wrong);
        flag(value, "/cluster/enabled", &mut settings.ask_clusters, &mut wrong);
        texts(value, "/env", &mut wrong, |name, value| {
            let is_name = is_variable(name);
            if is_name {
                settings.env.insert(name.to_owned(), value.to_owned());
            }
            is_name
        });
        texts(value, "/bindings", &mut wrong, |name, value| {
            let binding = format!("{name}={value}").parse().ok();
            let binding = binding.filter(|_| !name.contains('='));
            let is_name = binding.is_some();
            settings.bindings.extend(binding);
            is_name
        });
        (settings, wrong)
    }
}

/// Reads a table of texts; `take` says whether a name can be one.
fn texts(
    value: &Value,
    path: &str,
    wrong: &mut Vec<String>,
    mut take: impl FnMut(&str, &str) -> bool,
) {
    match value.pointer(path) {
        None | Some(Value::Null) => {}
        Some(Value::Object(entries)) => {
            for (name, value) in entries {
                match value {
                    Value::String(value) if take(name, value) => {}
                    Value::String(_) => wrong.push(format!("{}: {name:?} is no name", named(path))),
                    _ => wrong.push(format!("{}: {name:?} has no text as its value", named(path))),
                }
            }
        }
        Some(_) => wrong.push(format!("{} is no table of texts", named(path))),
    }
}

/// Whether a text can name an environment variable.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

fn text(value: &Value, path: &str, to: &mut String, wrong: &mut Vec<String>) {
    match value.pointer(path) {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => text.trim().clone_into(to),
        Some(_) => wrong.push(format!("{} is no text", named(path))),
    }
}

fn flag(value: &Value, path: &str, to: &mut bool, wrong: &mut Vec<String>) {
    match value.pointer(path) {
        None | Some(Value::Null) => {}
        Some(Value::Bool(is_set)) => *to = *is_set,
        Some(_) => wrong.push(format!("{} is neither true nor false", named(path))),
    }
}

fn named(path: &str) -> String {
    format!("aurora{}", path.replace('/', "."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_set_counts_and_what_is_wrong_is_told() {
        let (settings, wrong) = Settings::read(&json!({"aurora": {
            "clusters": " /c.json ", "env": {"A": "1", "B=": "2", "C": 3}, "server": {"path": 1},
            "bindings": {"folder": "a=b", "x y": "1", "z=": "1", "p.q": 2},
            "hints": {"templates": false, "defaults": "yes"}, "cluster": {"enabled": true}}}));
        let wanted = Settings {
            clusters: "/c.json".to_owned(),
            env: [("A".to_owned(), "1".to_owned())].into(),
            bindings: vec!["folder=a=b".parse().unwrap()],
            hint_templates: false,
            ask_clusters: true,
            ..Settings::default()
        };
        assert_eq!(settings, wanted);
        let wanted = [
            "aurora.hints.defaults is neither true nor false",
            "aurora.env: \"B=\" is no name",
            "aurora.env: \"C\" has no text as its value",
            "aurora.bindings: \"p.q\" has no text as its value",
            "aurora.bindings: \"x y\" is no name",
            "aurora.bindings: \"z=\" is no name",
        ];
        assert_eq!(wrong, wanted);
    }

    #[test]
    fn settings_may_be_missing() {
        for nothing in [json!(null), json!({}), json!({"aurora": null}), json!([1]), json!("x")] {
            assert_eq!(Settings::read(&nothing), (Settings::default(), Vec::new()));
        }
    }
}
