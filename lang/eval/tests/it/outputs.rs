//! What is found, as programs read it.

use std::path::Path;

use crate::files::Files;
use aurora_eval::{Checked, Options, Summary, evaluate, sarif};
use serde_json::Value;

const JOB: &str = "include('parts ü.aurora')\n\
    jobs = [Service(cluster = 'c', role = 'r', environment = 'e', name = 'n',\n\
    \u{20}   task = make('é {{x}}'), production = True, tier = Empty)]\n";

/// A file with a warning, and one that fails in an included file, in a function.
fn checked() -> Vec<Checked> {
    let files = Files(&[
        ("/p/warns.aurora", JOB),
        ("/p/fails.aurora", "include('wrong.aurora')\n"),
        (
            "/p/parts ü.aurora",
            "def make(text):\n    return SimpleTask('n', text).bind(x = 1, y = 2)\n",
        ),
        ("/p/wrong.aurora", "def f():\n    return Job(naem = 'x')\n\nj = f()\n"),
    ]);
    ["/p/warns.aurora", "/p/fails.aurora", "/p/none.aurora"]
        .into_iter()
        .map(|file| {
            let reports = match evaluate(Path::new(file), &files, &Options::default()) {
                Ok(config) => config.check("me", None),
                Err(report) => report.apart(),
            };
            let findings = reports.iter().flat_map(|report| report.findings()).collect();
            Checked { file: file.to_owned(), findings }
        })
        .collect()
}

#[test]
fn the_json_is_as_its_schema_says() {
    let files = checked();
    let json = serde_json::to_value(Summary::of(&files)).unwrap();
    let schema: Value =
        serde_json::from_str(include_str!("../../../../docs/errors/findings.schema.json")).unwrap();
    let mut wrong = Vec::new();
    validate(&schema, &schema, &json, "", &mut wrong);
    assert_eq!(wrong, Vec::<String>::new(), "{json:#}");
    // Each optional part is there once at least, or the above says nothing about it.
    let text = json.to_string();
    for part in ["related", "path", "help", "fixes", "location"] {
        assert!(part == "related" || text.contains(&format!("\"{part}\":")), "{part}: {json:#}");
    }
    let mut broken = json;
    broken["files"][0]["findings"][0]["severity"] = "bad".into();
    broken["files"][0]["more"] = 1.into();
    validate(&schema, &schema, &broken, "", &mut wrong);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
}

/// What of a value is not as a schema says, as far as our schema goes.
fn validate(root: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    if let Some(target) = schema["$ref"].as_str() {
        let target = root.pointer(target.trim_start_matches('#')).unwrap();
        return validate(root, target, value, at, wrong);
    }
    let of_type = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64(),
        _ => true,
    };
    let allowed = schema["enum"].as_array().is_none_or(|values| values.contains(value))
        && schema.get("const").is_none_or(|wanted| wanted == value);
    if !of_type || !allowed {
        wrong.push(format!("{at}: {value}"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            wrong.push(format!("{at}: no {name}"));
        }
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(known) => validate(root, known, inner, &format!("{at}/{name}"), wrong),
            None => wrong.push(format!("{at}: {name} is not known")),
        }
    }
    for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
        validate(root, &schema["items"], inner, &format!("{at}/{index}"), wrong);
    }
}

/// What version 2.1.0 of SARIF and code hosts ask for.
#[test]
fn the_sarif_is_as_code_hosts_want_it() {
    let log = sarif(&checked(), Path::new("/p"), Some("https://example.org/errors"));
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for rule in rules {
        let id = rule["id"].as_str().unwrap();
        assert_eq!(rule["helpUri"], format!("https://example.org/errors/{id}.md"));
        assert!(rule["help"]["markdown"].as_str().unwrap().starts_with("# "), "{rule:#}");
        assert!(rule["shortDescription"]["text"].is_string());
        assert!(
            ["error", "warning"].contains(&rule["defaultConfiguration"]["level"].as_str().unwrap())
        );
    }
    let results = run["results"].as_array().unwrap();
    assert!(results.len() >= 4, "{log:#}");
    let mut fixes = 0;
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let places = result["locations"].as_array().unwrap();
        let related = result["relatedLocations"].as_array().into_iter().flatten();
        for place in places.iter().chain(related) {
            let place = &place["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().unwrap();
            // Relative to the root of the project, without blanks or letters beyond ASCII.
            assert!(uri.is_ascii() && !uri.contains([' ', ':']) && !uri.starts_with('/'), "{uri}");
            assert_region(&place["region"]);
        }
        for fix in result["fixes"].as_array().into_iter().flatten() {
            for change in fix["artifactChanges"].as_array().unwrap() {
                for replacement in change["replacements"].as_array().unwrap() {
                    assert_region(&replacement["deletedRegion"]);
                    assert!(replacement["insertedContent"]["text"].is_string());
                    fixes += 1;
                }
            }
        }
    }
    assert!(fixes > 0, "{log:#}");
    let wrong = results.iter().find(|result| result["ruleId"] == "unknown-field").unwrap();
    let uri = |place: &Value| place["physicalLocation"]["artifactLocation"]["uri"].clone();
    assert_eq!(uri(&wrong["locations"][0]), "wrong.aurora");
    let path: Vec<Value> = wrong["relatedLocations"].as_array().unwrap().iter().map(uri).collect();
    assert_eq!(path.last().unwrap(), "fails.aurora", "{wrong:#}");
}

fn assert_region(region: &Value) {
    let line = |name: &str| region[name].as_u64();
    assert!(line("startLine").unwrap() >= 1, "{region}");
    if let Some(end) = line("endLine") {
        assert!(end >= line("startLine").unwrap(), "{region}");
        assert!(line("startColumn").unwrap() >= 1 && line("endColumn").unwrap() >= 1, "{region}");
    }
}
