//! Names of other files and of the library, with the `include` or `load` that takes them.

use std::collections::BTreeSet;
use std::sync::Arc;

use aurora_syntax::Span;

use super::names::{Wanted, exported, proposal};
use super::place::Place;
use super::{Completion, List, Rank};
use crate::builtin::builtin;
use crate::source::{FileId, Source};
use crate::style::escaped;
use crate::taking::{path_to, taking};
use crate::types::{self, Kind};

/// How many names of other files are proposed.
const MAX_NAMES: usize = 100;
/// How many files are looked at.
const MAX_FILES: usize = 1000;

/// Proposes names of files that are not in the namespace: those that fit, and those that have the
/// typed letters.
pub(super) fn names(place: &Place<'_>, list: &mut List, wanted: &Wanted, known: &BTreeSet<&str>) {
    let shared = place.world.namespace(place.source);
    let shared: BTreeSet<&FileId> = shared.iter().map(|file| &file.id).collect();
    let files: Vec<&Arc<Source>> = place
        .world
        .library()
        .map(|file| &*file)
        .chain(place.world.files().take(MAX_FILES))
        .collect();
    let mut left = MAX_NAMES;
    for file in files.into_iter().filter(|file| !shared.contains(&file.id)) {
        // Without a letter only the library is looked through, and for what fits.
        if list.typed.is_empty() && !(file.id.is_std() && wanted.is_made()) {
            continue;
        }
        for found in exported(file) {
            let name = found.name();
            if known.contains(name) || builtin(name).is_some() || !list.takes(name) {
                continue;
            }
            let kind = types::kind_of_definition(place.world, &found);
            let fits = match &kind {
                Kind::Function(_) => {
                    let result = types::result_of_call(place.world, &found.source, kind.clone());
                    wanted.is_made_by(&result)
                }
                kind => wanted.takes(kind),
            };
            if list.typed.is_empty() && !fits {
                continue;
            }
            let Some(rest) = left.checked_sub(1) else { return };
            left = rest;
            let rank = if fits { Rank::Made } else { Rank::Elsewhere };
            let path = path_to(place.source, &file.id);
            let found = proposal(place, &found, &kind).detail(path);
            list.push(rank, taken(place, list.replaced, file, found));
        }
    }
}

/// A name with what takes it from its file.
fn taken(
    place: &Place<'_>,
    replaced: Span,
    file: &Arc<Source>,
    mut proposal: Completion,
) -> Completion {
    let edit = taking(place.source, place.style, place.statement_start(), file, &proposal.label);
    if edit.location.span.start >= replaced.start {
        // Nothing stands before the word: an edit of its own would touch it.
        let text = if proposal.is_snippet { escaped(&edit.text) } else { edit.text };
        proposal.text.insert_str(0, &text);
    } else {
        proposal.edits.push(edit);
    }
    proposal
}
