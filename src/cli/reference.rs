//! The whole of `--help` in one file, docs/cli-reference.md: for readers, and so that no change of it goes
//! unseen.

use std::fmt::Write as _;
use std::path::Path;

use super::command;

/// How wide its lines are.
const WIDTH: usize = 100;

fn reference() -> String {
    let mut text = String::from(
        "# All commands and their options\n\nWhat `--help` says of each command. A test keeps this page; \
         `UPDATE_REFERENCE=1 cargo test -p aurora reference` writes it anew.\n",
    );
    let mut tree = command().term_width(WIDTH).disable_help_subcommand(true);
    tree.build();
    pages(&mut tree, "aurora", &mut text);
    text
}

fn pages(command: &mut clap::Command, path: &str, text: &mut String) {
    let help = command.render_long_help().to_string();
    let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let _ = write!(text, "\n## `{path}`\n\n```text\n{}\n```\n", help.trim_end());
    for below in command.get_subcommands_mut().filter(|it| !it.is_hide_set()) {
        let path = format!("{path} {}", below.get_name());
        pages(below, &path, text);
    }
}

#[test]
fn the_reference_is_what_help_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli-reference.md");
    let wanted = reference();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = wanted.lines().zip(found.lines()).position(|(a, b)| a != b);
    assert!(
        wanted == found,
        "docs/cli-reference.md differs from --help, first in line {differs:?}: look at the change, then \
         UPDATE_REFERENCE=1 cargo test -p aurora reference"
    );
}
