use std::collections::BTreeSet;

use aurora_model::json_schema::json_schema;
use regex_lite::Regex;
use serde_json::{Value, json};

/// What is wrong with `json` by `schema`, for the keywords that our schema has; any other keyword
/// is an error of the test.
fn faults(root: &Value, schema: &Value, json: &Value, place: &str, found: &mut Vec<String>) {
    let fault = |found: &mut Vec<String>, what: String| found.push(format!("{place}: {what}"));
    let fits = |schema: &Value| {
        let mut inner = Vec::new();
        faults(root, schema, json, place, &mut inner);
        inner
    };
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "deprecated" => {}
            "$ref" => {
                let path = rule.as_str().unwrap().strip_prefix('#').unwrap();
                let target = root.pointer(path).unwrap_or_else(|| panic!("{place}: {path}"));
                faults(root, target, json, place, found);
            }
            "type" => {
                let kinds = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                let is_of = |kind: &Value| match kind.as_str().unwrap() {
                    "object" => json.is_object(),
                    "array" => json.is_array(),
                    "string" => json.is_string(),
                    "boolean" => json.is_boolean(),
                    "number" => json.is_number(),
                    "integer" => json.as_f64().is_some_and(|number| number.fract() == 0.0),
                    other => panic!("{place}: type {other}"),
                };
                if !kinds.iter().any(is_of) {
                    fault(found, format!("{json} is no {rule}"));
                }
            }
            "properties" => {
                for (name, inner) in rule.as_object().unwrap() {
                    if let Some(value) = json.get(name) {
                        faults(root, inner, value, &format!("{place}.{name}"), found);
                    }
                }
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object();
                for (name, value) in json.as_object().into_iter().flatten() {
                    if known.is_some_and(|known| known.contains_key(name)) {
                        continue;
                    }
                    if *rule == json!(false) {
                        fault(found, format!("{name} is unknown"));
                    } else {
                        faults(root, rule, value, &format!("{place}.{name}"), found);
                    }
                }
            }
            "required" => {
                for name in rule.as_array().unwrap() {
                    if json.is_object() && json.get(name.as_str().unwrap()).is_none() {
                        fault(found, format!("{name} is missing"));
                    }
                }
            }
            "items" => {
                for (index, item) in json.as_array().into_iter().flatten().enumerate() {
                    faults(root, rule, item, &format!("{place}[{index}]"), found);
                }
            }
            "anyOf" => {
                let tried: Vec<_> = rule.as_array().unwrap().iter().map(&fits).collect();
                if tried.iter().all(|inner| !inner.is_empty()) {
                    fault(found, format!("no alternative fits: {tried:?}"));
                }
            }
            "enum" => {
                if !rule.as_array().unwrap().contains(json) {
                    fault(found, format!("{json} is none of {rule}"));
                }
            }
            "pattern" => {
                let pattern = Regex::new(rule.as_str().unwrap()).unwrap();
                if json.as_str().is_some_and(|text| !pattern.is_match(text)) {
                    fault(found, format!("{json} does not match {rule}"));
                }
            }
            "minimum" | "maximum" | "exclusiveMinimum" => {
                let (number, limit) = (json.as_f64(), rule.as_f64().unwrap());
                let is_outside = |number: f64| match keyword.as_str() {
                    "minimum" => number < limit,
                    "maximum" => number > limit,
                    _ => number <= limit,
                };
                if number.is_some_and(is_outside) {
                    fault(found, format!("{json} is out of bounds"));
                }
            }
            "if" => {
                let branch = if fits(rule).is_empty() { "then" } else { "else" };
                faults(root, &schema[branch], json, place, found);
            }
            "then" | "else" => {}
            other => panic!("{place}: the test knows no {other}"),
        }
    }
}

fn faults_of(json: &Value) -> Vec<String> {
    let schema = json_schema();
    let mut found = Vec::new();
    faults(&schema, &schema, json, "", &mut found);
    found
}

fn job() -> Value {
    json!({
        "cluster": "local", "role": "www", "environment": "prod", "name": "web",
        "instances": "{{instances}}",
        "service": true,
        "task": {
            "name": "web",
            "processes": [{
                "name": "web", "cmdline": "run {{thermos.ports[http]}}", "final": false,
                "logger": {"mode": "rotate", "rotate": {"log_size": 1000}},
            }],
            "resources": {"cpu": 0.5, "ram": 64 << 20, "disk": "{{disk}}"},
        },
        "cron_collision_policy": "cancel_new",
        "update_config": {"batch_size": " 7 ", "update_strategy": {"batch_sizes": [1, 2]}},
        "health_check_config": {"health_checker": {"shell": {"shell_command": "true"}}},
        "constraints": {"host": "limit:1"},
        "announce": {"portmap": {"http": 80, "aurora": "http"}},
        "sla_policy": {"percentage": 95.5, "duration_secs": 60},
        "container": {"image": {"name": "n", "tag": "t"}, "volumes": []},
    })
}

#[test]
fn jobs_as_json_are_taken() {
    for json in [job(), json!({"jobs": [job(), job()]}), json!({"jobs": []})] {
        let found = faults_of(&json);
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn what_is_wrong_is_told() {
    for (path, value, said) in [
        ("/instancs", json!(1), "instancs is unknown"),
        ("/cluster", Value::Null, "is no"),
        ("/role", json!("a b"), "does not match"),
        ("/instances", json!(1.5), "no alternative fits"),
        ("/instances", json!("many"), "no alternative fits"),
        ("/service", json!("yes"), "no alternative fits"),
        ("/task/processes/0/final_", json!(true), "final_ is unknown"),
        ("/task/processes/0/name", json!("a/b"), "does not match"),
        ("/task/resources/cpu", json!(0), "out of bounds"),
        ("/task/resources/ram", json!(128), "out of bounds"),
        ("/task/processes/0/logger/mode", json!("rotated"), "no alternative fits"),
        ("/cron_collision_policy", json!("NEVER"), "does not match"),
        ("/container", json!({"volume": []}), "no alternative fits"),
        ("/sla_policy", json!({"percentage": 101, "duration_secs": 1}), "no alternative fits"),
        ("/update_config/update_strategy/batch_sizes", json!([0]), "no alternative fits"),
    ] {
        let mut json = job();
        let (parent, name) = path.rsplit_once('/').unwrap();
        json.pointer_mut(parent).unwrap()[name] = value;
        let found = faults_of(&json);
        assert!(found.iter().any(|fault| fault.contains(said)), "{path}: {found:?}");
        let file = faults_of(&json!({"jobs": [json]}));
        assert!(!file.is_empty(), "{path} in a list");
    }
    let mut json = job();
    json.as_object_mut().unwrap().remove("task");
    assert!(faults_of(&json).iter().any(|fault| fault.contains("\"task\" is missing")));
}

/// Every description and default of the declarations is there, and each default is valid itself.
#[test]
fn every_field_carries_its_documentation_and_default() {
    let schema = json_schema();
    let mut seen = BTreeSet::new();
    for decl in aurora_model::catalog::structs() {
        for field in decl.fields {
            let place = format!("/$defs/{}/properties/{}", decl.name, field.name);
            let inner = schema.pointer(&place).unwrap_or_else(|| panic!("{place}"));
            assert_eq!(inner["description"], json!(field.doc.to_string()), "{place}");
            if let Some(default) = field.default() {
                let mut found = Vec::new();
                faults(&schema, inner, &default, &place, &mut found);
                assert!(found.is_empty(), "{found:?}");
                assert_eq!(inner["default"], default);
                seen.insert(place);
            }
        }
    }
    assert!(seen.len() > 40, "{seen:?}");
}
