//! The pages about codes: each has one, and its files show what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aurora_eval::{Code, Finding, Loader, Options, Severity, evaluate};

/// Codes that no file by itself brings about; they are shown by tests of their own.
const NOT_OF_A_FILE: [Code; 5] = [
    Code::OutsideRoot,
    Code::Cancelled,
    Code::JobNotFound,
    Code::AmbiguousJob,
    Code::BadProjectFile,
];

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors")
}

struct Files(BTreeMap<PathBuf, String>);

impl Loader for Files {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        self.0
            .get(path)
            .cloned()
            .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::NotFound, "no such file"))
    }
}

/// The files of a section: the first is the main one, others begin with their name in a comment.
fn files(page: &str, section: &str) -> Files {
    let (_, rest) = page.split_once(&format!("\n## {section}\n")).unwrap_or_default();
    let section = rest.split("\n## ").next().unwrap_or_default();
    let texts = section.split("```python\n").skip(1).filter_map(|block| block.split("```").next());
    Files(
        texts
            .enumerate()
            .map(|(index, text)| {
                let name = match index {
                    0 => "job.aurora",
                    _ => text.lines().next().unwrap().trim_start_matches("# "),
                };
                (PathBuf::from(name), text.to_owned())
            })
            .collect(),
    )
}

fn check(files: &Files) -> Vec<Finding> {
    let reports = match evaluate(Path::new("job.aurora"), files, &Options::default()) {
        Ok(config) => config.check("me", None),
        Err(report) => report.apart(),
    };
    reports.iter().flat_map(|report| report.findings()).collect()
}

#[test]
fn each_code_has_a_page_and_each_page_a_code() {
    let known: BTreeSet<String> = Code::ALL.iter().map(|code| code.id().to_owned()).collect();
    let found: BTreeSet<String> = std::fs::read_dir(pages())
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().path().file_name()?.to_str()?.to_owned()))
        .filter_map(|name| Some(name.strip_suffix(".md")?.to_owned()))
        .filter(|name| name != "README")
        .collect();
    assert_eq!(found, known);
    let index = std::fs::read_to_string(pages().join("README.md")).unwrap();
    for code in Code::ALL {
        let id = code.id();
        assert!(code.page().starts_with(&format!("# {id}\n")), "{id}");
        let row = format!("| [{id}]({id}.md) | {} |", code.title());
        assert!(index.contains(&row), "docs/errors/README.md has no row {row}");
    }
}

#[test]
fn the_files_on_the_pages_show_what_the_pages_say() {
    let mut wrong = Vec::new();
    for code in Code::ALL {
        if NOT_OF_A_FILE.contains(code) {
            continue;
        }
        let found = check(&files(code.page(), "Wrong"));
        if !found.iter().any(|finding| finding.code == *code) {
            wrong.push(format!("{code}: the wrong file gives {found:#?}"));
        }
        let left: Vec<Finding> = check(&files(code.page(), "Right"))
            .into_iter()
            .filter(|finding| finding.code == *code || finding.severity == Severity::Error)
            .collect();
        if !left.is_empty() {
            wrong.push(format!("{code}: the right file gives {left:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
