//! What is said about files that are wrong, word for word.

use std::path::Path;

use aurora_eval::{Loader, Report, evaluate};
use miette::{GraphicalReportHandler, GraphicalTheme};

/// Files in memory.
struct Files<'a>(&'a [(&'a str, &'a str)]);

impl Loader for Files<'_> {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        self.0
            .iter()
            .find(|(name, _)| Path::new(name) == path)
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::NotFound, "no such file"))
    }
}

fn report(files: &[(&str, &str)]) -> Report {
    match evaluate(Path::new("job.aurora"), &Files(files), &[]) {
        Err(report) => report,
        Ok(config) => config
            .jobs()
            .iter()
            .find_map(|job| job.ready("someone").err())
            .expect("something is wrong with it"),
    }
}

fn shown(text: &str) -> String {
    let mut out = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .render_report(&mut out, &report(&[("job.aurora", text)]))
        .unwrap();
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// A job with one line changed.
fn job(resources: &str, cmdline: &str, extra: &str) -> String {
    format!(
        r#"hello = Process(name = "hello", cmdline = "{cmdline}")
task = Task(
    processes = [hello],
    resources = Resources({resources}),
)
jobs = [Service(
    cluster = "devcluster", role = "www-data", environment = "prod", name = "hello",
    task = task,{extra}
)]
"#
    )
}

const FINE: &str = "cpu = 0.1, ram = 16 * MB, disk = 16 * MB";

#[test]
fn a_syntax_error() {
    insta::assert_snapshot!(shown("x = [1,\njobs = x)\n"));
}

#[test]
fn python_that_is_not_in_the_language() {
    insta::assert_snapshot!(shown("import os\njobs = []\n"));
}

#[test]
fn an_unknown_field() {
    insta::assert_snapshot!(shown(&job(FINE, "echo", "\n    instancs = 3,")));
}

#[test]
fn a_missing_field() {
    insta::assert_snapshot!(shown(&job("cpu = 0.1, ram = 16 * MB", "echo", "")));
}

#[test]
fn a_wrong_type() {
    insta::assert_snapshot!(shown(&job(FINE, "echo", "\n    instances = \"three\",")));
}

#[test]
fn a_wrong_struct() {
    insta::assert_snapshot!(shown(&job(FINE, "echo", "\n    update_config = hello,")));
}

#[test]
fn resources_without_a_unit() {
    insta::assert_snapshot!(shown(&job("cpu = 0.1, ram = 16, disk = 16 * MB", "echo", "")));
}

#[test]
fn a_reference_that_nothing_is_bound_to() {
    insta::assert_snapshot!(shown(&job(FINE, "echo {{profile.name}}", "")));
}

#[test]
fn braces_of_another_language() {
    insta::assert_snapshot!(shown(&job(FINE, "awk '{{print $1}}'", "")));
}

#[test]
fn a_field_that_refers_to_itself() {
    insta::assert_snapshot!(shown(&job(FINE, "echo", "\n    contact = \"{{contact}}\",")));
}

#[test]
fn a_bad_order() {
    let text = job(FINE, "echo", "").replace(
        "processes = [hello],",
        "processes = [hello], constraints = order(\"hello\", \"helo\"),",
    );
    insta::assert_snapshot!(shown(&text));
}

#[test]
fn an_error_within_a_function() {
    insta::assert_snapshot!(shown("def f(x):\n    return x + 1\n\njobs = [f(\"a\")]\n"));
}

#[test]
fn no_jobs() {
    insta::assert_snapshot!(shown("job = 1\n"));
}

#[test]
fn a_missing_include() {
    insta::assert_snapshot!(shown("include(\"other.aurora\")\njobs = []\n"));
}

#[test]
fn includes_share_one_namespace_and_keep_their_places() {
    let outer = format!(
        "include('parts/base.aurora')\n{}",
        job("cpu = CPU, ram = RAM, disk = RAM", "x", "")
    );
    let files = [
        ("job.aurora", outer.as_str()),
        ("parts/base.aurora", "include('../units.aurora')\nCPU = 0.5\n"),
        ("units.aurora", "RAM = 64 * MB\n"),
    ];
    let config = evaluate(Path::new("job.aurora"), &Files(&files), &[]).unwrap();
    let ready = config.jobs()[0].ready("someone").unwrap();
    assert_eq!(
        (ready.request.task.resources.cpus.0, ready.request.task.resources.ram_mb),
        (500, 64)
    );

    let report =
        report(&[("job.aurora", "include('a.aurora')\n"), ("a.aurora", "include('job.aurora')\n")]);
    assert!(report.to_string().contains("includes itself"), "{report}");
}

#[test]
fn hostile_files_are_stopped() {
    for (text, message) in [
        ("def f():\n    f()\nf()\n", "stack"),
        (
            "x = [0]\nfor i in x:\n    pass\ndef g():\n    for i in range(1000000000):\n        pass\ng()\n",
            "tick",
        ),
        ("jobs = [[[[[]]]]]\n", "must be a job"),
        ("jobs = 3\n", "must be a list"),
        ("a = {}\na['a'] = a\njobs = [Job(a)]\n", ""),
    ] {
        let report = report(&[("job.aurora", text)]);
        assert!(report.to_string().to_lowercase().contains(message), "{text}: {report}");
    }
    let doubling = job(FINE, "{{a0}}", "").replace(
        "task = task,",
        "task = task.bind({\"a%d\" % i: (\"{{a%d}}\" % (i + 1)) * 2 for i in range(60)}),",
    );
    assert!(report(&[("job.aurora", doubling.as_str())]).to_string().contains("longer than"));
}
