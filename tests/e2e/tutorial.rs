//! The tutorial, done as it says.

use std::path::Path;
use std::process::Command;

use crate::support::Home;
use crate::support::process::{assert_nothing_left, end_all};

/// A block of the page that is to be done.
#[derive(Debug)]
enum Step {
    /// Write a file.
    File { name: String, text: String },
    /// Run a command and find these texts in what it prints, in this order.
    Run { line: usize, command: String, expected: Vec<String>, last_fails: bool },
}

/// What the fenced blocks of a page ask for: those that say `file=NAME`, and those of `console`.
fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let block: Vec<(usize, &str)> =
            lines.by_ref().take_while(|(_, line)| !line.starts_with("```")).collect();
        if let Some((_, name)) = info.split_once(" file=") {
            let text = block.iter().map(|(_, line)| format!("{line}\n")).collect();
            steps.push(Step::File { name: name.to_owned(), text });
        } else if info.starts_with("console") {
            let last_fails = info.ends_with(" fails");
            for (number, line) in block {
                match (line.strip_prefix("$ "), steps.last_mut()) {
                    (Some(command), _) => steps.push(Step::Run {
                        line: number + 1,
                        command: command.to_owned(),
                        expected: Vec::new(),
                        last_fails: false,
                    }),
                    (None, Some(Step::Run { expected, .. })) => expected.push(line.to_owned()),
                    (None, _) => panic!("line {}: what printed this?", number + 1),
                }
            }
            if let Some(Step::Run { last_fails: fails, .. }) = steps.last_mut() {
                *fails = last_fails;
            }
        }
    }
    steps
}

/// Whether a line holds what is expected of it; `…` stands for anything.
fn holds(line: &str, expected: &str) -> bool {
    let mut rest = line;
    expected.trim().split('…').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

fn run(home: &Home, folder: &Path, step: &Step) {
    match step {
        Step::File { name, text } => std::fs::write(folder.join(name), text).unwrap(),
        Step::Run { line, command, expected, last_fails } => {
            let program = Path::new(env!("CARGO_BIN_EXE_aurora")).parent().unwrap();
            // The words of `aurora` come from the shell, its surroundings from the test.
            let known: Command = home.aurora::<&str>(&[]);
            // What is waited for in vain must not stop the tests for good.
            let mut shell = Command::new("timeout");
            shell.args(["60", "sh", "-c", command]).current_dir(folder).env_clear();
            for (name, value) in known.get_envs() {
                shell.env(name, value.unwrap());
            }
            let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
            let output = shell.env("PATH", path).output().unwrap();
            let printed =
                [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
            let printed = printed.concat();
            assert_eq!(!output.status.success(), *last_fails, "line {line}: {command}\n{printed}");
            let mut lines = printed.lines();
            for text in expected {
                assert!(
                    lines.any(|line| holds(line, text)),
                    "line {line}: {command}\nno {text:?}, or not in this place, in:\n{printed}"
                );
            }
        }
    }
}

#[test]
fn every_step_of_the_tutorial_does_what_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tutorial.md");
    let steps = steps(&std::fs::read_to_string(page).unwrap());
    assert!(steps.len() > 20, "{steps:#?}");
    let home = Home::new();
    let folder = home.path().join("tutorial");
    std::fs::create_dir(&folder).unwrap();
    // Whatever fails, the cluster is not left behind.
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for step in &steps {
            run(&home, &folder, step);
        }
    }));
    if let Err(panic) = done {
        end_all(home.path());
        std::panic::resume_unwind(panic);
    }
    assert_nothing_left(home.path());
}
