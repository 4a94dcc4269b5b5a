//! What is proposed at a cursor, and what the file is once a proposal was taken.

mod fields;
mod names;
mod references;
mod statements;

use aurora_ide::complete::{Completion, complete};

use crate::fixture::Fixture;

fn proposals(case: &str) -> (Fixture, Vec<Completion>) {
    let mut fixture = Fixture::new(case);
    fixture.workspace.set_clusters(vec!["devcluster".to_owned(), "west".to_owned()]);
    fixture.world = fixture.workspace.snapshot();
    let found = complete(&fixture.world, &fixture.file, fixture.at);
    (fixture, found)
}

/// Each case with labels in the order in which they are proposed: all of them, or the first if `…`
/// stands at the end. `+label` is anywhere, `-label` nowhere.
fn check(cases: &[(&str, &str)]) {
    for (case, wanted) in cases {
        let (_, found) = proposals(case);
        let labels: Vec<&str> = found.iter().map(|proposal| &*proposal.label).collect();
        let mut first = Vec::new();
        let mut is_begin = false;
        for wanted in wanted.split(", ").filter(|wanted| !wanted.is_empty()) {
            if let Some(label) = wanted.strip_prefix('+') {
                assert!(labels.contains(&label), "{label} is not in {labels:?}\n{case}");
                is_begin = true;
            } else if let Some(label) = wanted.strip_prefix('-') {
                assert!(!labels.contains(&label), "{label} is in {labels:?}\n{case}");
                is_begin = true;
            } else if wanted == "…" {
                is_begin = true;
            } else {
                first.push(wanted);
            }
        }
        let shown = if is_begin { &labels[..first.len().min(labels.len())] } else { &labels[..] };
        assert_eq!(shown, first, "{labels:?}\n{case}");
        assert!(found.is_sorted_by(|a, b| a.sort < b.sort), "{case}");
    }
}

/// Each case with the label of a proposal and the file once it was taken.
fn taken(cases: &[(&str, &str, &str)]) {
    for (case, label, wanted) in cases {
        let (fixture, found) = proposals(case);
        let proposal = found.iter().find(|proposal| proposal.label == *label);
        let Some(proposal) = proposal else {
            let labels: Vec<&str> = found.iter().map(|proposal| &*proposal.label).collect();
            panic!("{label} is not in {labels:?}\n{case}");
        };
        let mut changes = vec![(proposal.replaced, proposal.text.clone())];
        changes.extend(proposal.edits.iter().map(|edit| {
            assert_eq!(edit.location.file, fixture.file, "{case}");
            (edit.location.span, edit.text.clone())
        }));
        changes.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        for pair in changes.windows(2) {
            assert!(pair[1].0.end < pair[0].0.start, "changes touch: {changes:?}\n{case}");
        }
        let mut text = fixture.source().text.to_string();
        for (span, new) in changes {
            text.replace_range(span.range(), &new);
        }
        assert_eq!(text, *wanted, "{case}");
    }
}

/// The detail of a proposal.
fn detail(case: &str, label: &str) -> String {
    let (_, found) = proposals(case);
    let proposal = found.iter().find(|proposal| proposal.label == label);
    proposal.unwrap_or_else(|| panic!("{label}\n{case}")).detail.clone()
}
