//! What was found as SARIF 2.1.0, which code hosts show beside the lines of a change.

use std::path::Path;

use serde_json::{Value, json};

use super::{Checked, Edit, Finding, Fix, Label, Location};
use crate::codes::{Code, Severity};

/// A SARIF log of one run. Files within `base` are named from there, as code hosts want it. `pages`
/// is where the pages about codes stand on the web, if they do.
pub fn sarif(files: &[Checked], base: &Path, pages: Option<&str>) -> Value {
    let mut used: Vec<Code> = files.iter().flat_map(|f| &f.findings).map(|f| f.code).collect();
    used.sort_unstable();
    used.dedup();
    let log = Log { base, used: &used };
    let results: Vec<Value> = files
        .iter()
        .flat_map(|checked| checked.findings.iter().map(|finding| log.result(checked, finding)))
        .collect();
    let mut driver = json!({
        "name": "aurora",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": used.iter().map(|code| rule(*code, pages)).collect::<Vec<_>>(),
    });
    if let Some(pages) = pages {
        driver["informationUri"] = pages.into();
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: Code, pages: Option<&str>) -> Value {
    let mut rule = json!({
        "id": code.id(),
        "name": camel(code.id()),
        "shortDescription": { "text": sentence(code.title()) },
        "fullDescription": { "text": sentence(code.title()) },
        "help": { "text": code.page(), "markdown": code.page() },
        "defaultConfiguration": { "level": level(code.severity()) },
        "properties": { "tags": ["aurora"] },
    });
    if let Some(pages) = pages {
        rule["helpUri"] = format!("{}/{}.md", pages.trim_end_matches('/'), code.id()).into();
    }
    rule
}

/// A name as rules of SARIF have it: `UnknownField`.
fn camel(id: &str) -> String {
    id.split('-')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}

fn sentence(title: &str) -> String {
    let mut letters = title.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().to_string() + letters.as_str() + ".")
        .unwrap_or_default()
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

struct Log<'a> {
    base: &'a Path,
    used: &'a [Code],
}

impl Log<'_> {
    fn result(&self, checked: &Checked, finding: &Finding) -> Value {
        let text = match &finding.help {
            Some(help) => format!("{}\n\nHelp: {help}", finding.message),
            None => finding.message.clone(),
        };
        // A result without a place is not shown anywhere: what is about no line is about the file.
        let place = match &finding.location {
            Some(location) => self.physical(location),
            None => json!({
                "artifactLocation": { "uri": self.uri(&checked.file) },
                "region": { "startLine": 1 },
            }),
        };
        let mut result = json!({
            "ruleId": finding.code.id(),
            "level": level(finding.severity),
            "message": { "text": text },
            "locations": [{ "physicalLocation": place }],
        });
        if let Ok(index) = self.used.binary_search(&finding.code) {
            result["ruleIndex"] = index.into();
        }
        let related: Vec<Value> = finding
            .related
            .iter()
            .chain(&finding.path)
            .enumerate()
            .map(|(id, label)| self.related(id, label))
            .collect();
        if !related.is_empty() {
            result["relatedLocations"] = related.into();
        }
        if !finding.fixes.is_empty() {
            result["fixes"] = finding.fixes.iter().map(|fix| self.fix(fix)).collect();
        }
        result
    }

    fn related(&self, id: usize, label: &Label) -> Value {
        json!({
            "id": id,
            "physicalLocation": self.physical(&label.location),
            "message": { "text": label.message },
        })
    }

    fn fix(&self, fix: &Fix) -> Value {
        let mut changes: Vec<(&str, Vec<Value>)> = Vec::new();
        for Edit { location, text } in &fix.edits {
            let replacement = json!({
                "deletedRegion": region(location),
                "insertedContent": { "text": text },
            });
            match changes.iter_mut().find(|(file, _)| *file == location.file) {
                Some((_, replacements)) => replacements.push(replacement),
                None => changes.push((&location.file, vec![replacement])),
            }
        }
        let changes: Vec<Value> = changes
            .into_iter()
            .map(|(file, replacements)| {
                json!({
                    "artifactLocation": { "uri": self.uri(file) },
                    "replacements": replacements,
                })
            })
            .collect();
        json!({ "description": { "text": sentence(&fix.title) }, "artifactChanges": changes })
    }

    fn physical(&self, location: &Location) -> Value {
        json!({
            "artifactLocation": { "uri": self.uri(&location.file) },
            "region": region(location),
        })
    }

    /// A file's name as a reference of the web, from the base if it lies within.
    fn uri(&self, file: &str) -> String {
        let path = Path::new(file);
        let path = path.strip_prefix(self.base).unwrap_or(path);
        let path = path.strip_prefix(".").unwrap_or(path);
        let mut uri = if path.is_absolute() { "file://".to_owned() } else { String::new() };
        for byte in path.to_string_lossy().bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                    uri.push(char::from(byte));
                }
                _ => uri.push_str(&format!("%{byte:02X}")),
            }
        }
        uri
    }
}

fn region(location: &Location) -> Value {
    json!({
        "startLine": location.start.line,
        "startColumn": location.start.column,
        "endLine": location.end.line,
        "endColumn": location.end.column,
        "byteOffset": location.start.offset,
        "byteLength": location.end.offset - location.start.offset,
    })
}
