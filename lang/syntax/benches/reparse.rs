//! What a key costs in an editor: reading all of a file of 5,000 lines, and reading anew after one
//! key in the middle of it.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::ops::Range;

use aurora_syntax::{Parsed, parse, reparse};
use divan::Bencher;

fn main() {
    divan::main();
}

/// Services of ten lines each.
fn text() -> String {
    (0..500)
        .map(|n| {
            format!(
                "server_{n} = Process(\n  name = 'server_{n}',\n  cmdline = './serve --port {{{{thermos.ports[http]}}}}',  # c\n  \
                 max_failures = 3 + {n},\n)\njobs_{n} = [Service(\n  name = 'server_{n}', role = 'www', environment = 'prod',\n  \
                 task = Task(processes = [server_{n}], resources = Resources(cpu = 1.5, ram = {n} * MB)),\n)]\n\n"
            )
        })
        .collect()
}

/// The text, where something is typed, and the text then.
fn typed(key: &str) -> (String, Range<usize>, String) {
    let old = text();
    let at = old.find("'server_250',\n  cmdline").unwrap() + 1;
    let mut new = old.clone();
    new.insert_str(at, key);
    (old, at..at, new)
}

#[divan::bench]
fn all(bencher: Bencher<'_, '_>) {
    let text = text();
    assert_eq!(text.lines().count(), 5000);
    bencher.bench(|| parse(&text));
}

#[divan::bench]
fn copied(bencher: Bencher<'_, '_>) {
    let parsed = parse(&text());
    bencher.bench(|| parsed.clone());
}

fn again(bencher: Bencher<'_, '_>, key: &str) {
    let (old, edit, new) = typed(key);
    let parsed: Parsed = parse(&old);
    bencher
        .with_inputs(|| parsed.clone())
        .bench_values(|parsed| reparse(parsed, &old, edit.clone(), &new));
}

#[divan::bench]
fn after_a_key(bencher: Bencher<'_, '_>) {
    again(bencher, "x");
}

/// A bracket that is never closed: all is read otherwise.
#[divan::bench]
fn after_an_opening_bracket(bencher: Bencher<'_, '_>) {
    again(bencher, "', task = Task(");
}

/// A further key while a bracket is open.
#[divan::bench]
fn after_a_key_behind_an_opening_bracket(bencher: Bencher<'_, '_>) {
    let (_, edit, old) = typed("', task = Task(");
    let at = edit.start + 1;
    let mut new = old.clone();
    new.insert(at, ' ');
    let parsed = parse(&old);
    bencher
        .with_inputs(|| parsed.clone())
        .bench_values(|parsed| reparse(parsed, &old, at..at, &new));
}
