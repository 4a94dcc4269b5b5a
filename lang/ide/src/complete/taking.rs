//! Names of other files and of the library, with the `include` or `load` that takes them.

use std::collections::BTreeSet;
use std::sync::Arc;

use aurora_syntax::Span;

use super::names::{Wanted, exported, proposal};
use super::place::Place;
use super::{Completion, List, Rank};
use crate::builtin::builtin;
use crate::source::{FileEdit, FileId, Source};
use crate::style::escaped;
use crate::taking::{Taker, path_to};
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
    let mut files: Vec<&Arc<Source>> = place.world.library().collect();
    files.extend(place.world.files().take(MAX_FILES));
    let taker = Taker::new(place.world, place.source, place.style);
    let is_wanted =
        |name: &str| list.takes(name) && !known.contains(name) && builtin(name).is_none();
    let mut proposals = Vec::new();
    'files: for file in files.into_iter().filter(|file| !shared.contains(&file.id)) {
        // Without a letter only the library is looked through, and for what fits.
        if list.typed.is_empty() && !(file.id.is_std() && wanted.is_made()) {
            continue;
        }
        for found in exported(file, is_wanted) {
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
            let Some(edit) = taker.take(place.statement_start(), file, found.name()) else {
                break;
            };
            let rank = if fits { Rank::Made } else { Rank::Elsewhere };
            let path = path_to(place.source, &file.id);
            let found = proposal(place, &found, &kind).detail(path);
            proposals.push((rank, taken(list.replaced, edit, found)));
            if proposals.len() == MAX_NAMES {
                break 'files;
            }
        }
    }
    proposals.into_iter().for_each(|(rank, proposal)| list.push(rank, proposal));
}

/// A name with what takes it from its file.
fn taken(replaced: Span, edit: FileEdit, mut proposal: Completion) -> Completion {
    if edit.location.span.start >= replaced.start {
        // Nothing stands before the word: an edit of its own would touch it.
        let text = if proposal.is_snippet { escaped(&edit.text) } else { edit.text };
        proposal.text.insert_str(0, &text);
    } else {
        proposal.edits.push(edit);
    }
    proposal
}
