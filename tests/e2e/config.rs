//! `aurora config …`: files by themselves.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::support::{Home, Ran};

const GOOD: &str = "task = SimpleTask('hello', 'echo {{greeting}}').bind(greeting = 'hi')\n\
    jobs = [Service(cluster = 'c', role = 'www', environment = 'prod', name = 'hello', task = task)]\n";

fn check(home: &Home, words: &[&str]) -> Ran {
    home.run(&[&["config", "check"], words].concat())
}

#[test]
fn the_status_of_a_check_tells_errors_warnings_and_neither_apart() {
    let home = Home::new();
    let good = home.file("good.aurora", GOOD);
    let doubtful = home
        .file("doubtful.aurora", &GOOD.replace("task = task", "task = task, production = True"));
    let bad = home.file("bad.aurora", &GOOD.replace("task = task", "tsak = task, instances = 'x'"));
    let [good, doubtful, bad] = [&good, &doubtful, &bad].map(|file| file.to_str().unwrap());
    let ran = check(&home, &["--deny-warnings", good]).expect(0);
    assert_eq!(ran.out(), "1 file: no errors, no warnings\n");
    let ran = check(&home, &[good, doubtful]).expect(0);
    assert!(ran.out().contains("production-without-tier"), "{}", ran.out());
    check(&home, &["--deny-warnings", doubtful]).expect(1);
    // The standard input can be read once.
    check(&home, &["-", "-"]).expect(2);
    let ran = check(&home, &[bad, good, "none.aurora"]).expect(3);
    for part in ["unknown-field", "did you mean `task`?", "unreadable-file", "3 files: 2 errors"] {
        assert!(ran.out().contains(part), "{part:?} is not in:\n{}", ran.out());
    }
}

#[test]
fn a_check_is_told_to_programs_as_json_and_sarif() {
    let home = Home::new();
    let bad = home.file("bad.aurora", &GOOD.replace("SimpleTask", "SimpelTask"));
    let bad = bad.to_str().unwrap();
    let json = check(&home, &["--output", "json", bad]).expect(3).json();
    assert_eq!((&json["version"], &json["errors"]), (&1.into(), &1.into()), "{json:#}");
    let finding = &json["files"][0]["findings"][0];
    assert_eq!(finding["code"], "unknown-name");
    assert_eq!(finding["location"]["start"]["column"], 8);
    let edit = &finding["fixes"][0]["edits"][0];
    assert_eq!(edit["text"], "SimpleTask", "{json:#}");
    let sarif = check(&home, &["--output", "sarif", bad]).expect(3).json();
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "unknown-name");
    let result = &run["results"][0];
    assert_eq!((&result["ruleId"], &result["ruleIndex"]), (&"unknown-name".into(), &0.into()));
    let change = &result["fixes"][0]["artifactChanges"][0];
    assert_eq!(change["replacements"][0]["insertedContent"]["text"], "SimpleTask", "{sarif:#}");
}

#[test]
fn comments_allow_warnings() {
    let home = Home::new();
    let doubtful = GOOD.replace("task = task)]", "task = task,\n    production = True)\n]");
    for (text, status) in [
        (doubtful.clone(), 1),
        (format!("# aurora: allow production-without-tier\n{doubtful}"), 0),
        (doubtful.replace("True)", "True)  # aurora: allow production-without-tier"), 0),
        (doubtful.replace("True)", "True)  # aurora: allow production-without-teer"), 1),
    ] {
        let file = home.file("doubtful.aurora", &text);
        check(&home, &["--deny-warnings", file.to_str().unwrap()]).expect(status);
    }
}

#[test]
fn c106_jobs_are_listed_and_things_explained() {
    let home = Home::new();
    let good = home.file("good.aurora", GOOD);
    let parts = home.file("parts.aurora", "X = 1\n");
    let list = |file: &std::path::Path| home.run(&["config", "list", file.to_str().unwrap()]);
    assert_eq!(list(&good).expect(0).out(), "jobs=[c/www/prod/hello]\n");
    assert_eq!(list(&parts).expect(0).out(), "jobs=[]\n");
    // In the order of the file, with what is bound; none, and what cannot be read.
    let several = GOOD.replace("jobs = [", "other = ").replace(")]\n", ")\n")
        + "jobs = [other(name = 'z'), other(name = 'a'), other(name = '{{third}}')]\n";
    let several = home.file("several.aurora", &several);
    let words = ["config", "list", several.to_str().unwrap(), "--bind", "third=m"];
    let listed = home.run(&words).expect(0).out();
    assert_eq!(listed, "jobs=[c/www/prod/z, c/www/prod/a, c/www/prod/m]\n");
    assert_eq!(list(&home.file("none.aurora", "jobs = []\n")).expect(0).out(), "jobs=[]\n");
    for (text, why) in [("jobs = [", "syntax-error"), ("jobs = [x]\n", "unknown-name")] {
        let broken = list(&home.file("broken.aurora", text)).expect(3);
        assert!(broken.err().contains(why) && broken.out().is_empty(), "{}", broken.err());
    }
    let missing = list(&home.path().join("missing.aurora")).expect(3).err();
    assert!(missing.contains("cannot read"), "{missing}");
    let nameless = home.file("nameless.aurora", &GOOD.replace("environment = 'prod', ", ""));
    list(&nameless).expect(3);
    for name in ["Job", "instances", "unknown-field"] {
        let ran = home.run(&["config", "explain", name]).expect(0);
        assert!(ran.out().contains(name), "{}", ran.out());
    }
    home.run(&["config", "explain", "nothing-such"]).expect(6);
    assert!(home.run(&["config", "schema"]).expect(0).json().is_object());
}

#[test]
fn a_file_reads_the_environment_as_far_as_it_is_declared() {
    let home = Home::new();
    let text = format!("import os\nx = os.environ['PATH']\n{GOOD}");
    let file = home.file("reads.aurora", &text);
    let file = file.to_str().unwrap();
    let ran = check(&home, &[file]).expect(3);
    assert!(ran.out().contains("undeclared-input"), "{}", ran.out());
    check(&home, &[file, "--env", "PATH"]).expect(0);
    check(&home, &[file, "--env", "PATH=x"]).expect(2);
    home.file("aurora.toml", "[config]\nenv = ['PATH']\n");
    check(&home, &[file]).expect(0);
    home.run(&["job", "inspect", "c/www/prod/hello", file]).expect(0);
    home.file("aurora.toml", "[config]\nenvs = ['PATH']\n");
    let ran = check(&home, &[file]).expect(3);
    assert!(ran.out().contains("bad-project-file") && ran.out().contains("envs"), "{}", ran.out());
}

#[test]
fn files_are_laid_out_and_migrated_in_place() {
    let home = Home::new();
    let ugly = home.file("ugly.aurora", &format!("x  =  1   # why\n{GOOD}"));
    std::fs::set_permissions(&ugly, PermissionsExt::from_mode(0o640)).unwrap();
    let link = ugly.with_file_name("link.aurora");
    std::os::unix::fs::symlink(&ugly, &link).unwrap();
    let name = link.to_str().unwrap();
    let before = std::fs::read_to_string(&ugly).unwrap();
    home.run(&["config", "fmt", "--check", name]).expect(1);
    let diff = home.run(&["config", "fmt", "--diff", name]).expect(0);
    assert!(
        diff.out().contains("-x  =  1   # why\n") && diff.out().contains("\n+x = 1  # why\n"),
        "{}",
        diff.out()
    );
    assert_eq!(std::fs::read_to_string(&ugly).unwrap(), before);
    home.run(&["config", "fmt", name]).expect(0);
    home.run(&["config", "fmt", "--check", name]).expect(0);
    assert_eq!(std::fs::metadata(&ugly).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());

    let old = home.file("old.aurora", &format!("print 'x'\n{GOOD}"));
    let name = old.to_str().unwrap();
    let diff = home.run(&["config", "migrate", name]).expect(0);
    assert!(diff.out().contains("-print 'x'"), "{}", diff.out());
    home.run(&["config", "migrate", "--in-place", name]).expect(0);
    assert!(!std::fs::read_to_string(&old).unwrap().contains("print 'x'"));
    let broken = home.file("broken.aurora", "x = (\n");
    let ran = home.run(&["config", "fmt", broken.to_str().unwrap(), name]).expect(3);
    assert!(ran.err().contains("syntax-error"), "{}", ran.err());
}

#[test]
fn the_standard_input_is_a_file_too() {
    for (words, wanted) in [
        (["config", "list", "-"].as_slice(), "jobs=[c/www/prod/hello]\n"),
        (&["config", "check", "-"], "1 file: no errors, no warnings\n"),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_aurora"))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(GOOD.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), wanted);
    }
}

#[test]
fn an_export_lists_what_was_read() {
    let home = Home::new();
    home.file("common.aurora", "greeting = 'hi'\n");
    let text = format!("include('common.aurora')\n{GOOD}");
    let file = home.file("main.aurora", &text);
    let ran = home.run(&["config", "export", file.to_str().unwrap()]).expect(0);
    let inputs = &ran.json()["inputs"];
    let included = inputs["included"].as_object().unwrap();
    let (name, sha256) = included.iter().next().unwrap();
    assert!(name.ends_with("common.aurora"), "{inputs}");
    assert_eq!(sha256.as_str().map(str::len), Some(64), "{inputs}");
    assert_eq!(inputs["user"], false);
    // Jobs that are refused are an answer; a file that is not there is none.
    home.run(&["config", "export", "none.aurora"]).expect(3);
}

#[test]
fn what_a_file_prints_is_shown_beside_the_result() {
    let home = Home::new();
    let file = home.file("a.aurora", &format!("print 'made for', 3\n{GOOD}"));
    let ran = home.run(&["config", "list", file.to_str().unwrap()]).expect(0);
    assert_eq!(ran.out(), "jobs=[c/www/prod/hello]\n");
    assert_eq!(ran.err(), "made for 3\n");
}
