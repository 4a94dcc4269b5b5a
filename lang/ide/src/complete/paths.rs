//! The paths that `include` and `load` take, and the names that `load` takes.

use std::collections::BTreeSet;
use std::sync::Arc;

use aurora_syntax::Kind as Word;

use super::describe::Origin;
use super::names::{MAX_KINDS, exported};
use super::place::Place;
use super::{Completion, CompletionKind, List, MAX_PROPOSALS, Rank};
use crate::cursor::{InText, OpenCall};
use crate::names::touches;
use crate::source::{FileId, Source};
use crate::taking::{Taker, path_to};
use crate::types::{Kind, kind_of_definition};
use crate::workspace::target;

/// Something that may stand between quotes.
struct Found {
    rank: Rank,
    text: String,
    detail: String,
    kind: CompletionKind,
    origin: Origin,
}

/// Proposes what stands between the quotes of a path or of a name that is loaded; [`None`] elsewhere.
pub(super) fn within(place: &Place<'_>, literal: InText) -> Option<List> {
    let (replaced, quote) = place.between_quotes(literal);
    let mut list = List::new(place, replaced);
    let found = found(place, &list)?;
    for Found { rank, text, detail, kind, origin } in found {
        let proposal = Completion::new(&text, kind)
            .detail(detail)
            .of(origin)
            .inserts(format!("{text}{quote}"));
        list.push(rank, proposal);
    }
    Some(list)
}

/// Proposes the same with quotes, where there are none yet. Says whether it is such a place.
pub(super) fn quoted(place: &Place<'_>, list: &mut List) -> bool {
    if !place.begins_value() {
        return false;
    }
    let Some(all) = found(place, list) else { return false };
    for Found { rank, text, detail, kind, origin } in all {
        let quoted = place.style.quoted(&text);
        list.push(rank, Completion::new(quoted, kind).detail(detail).of(origin).filter(text));
    }
    true
}

/// What may stand at the place of those that a list takes; [`None`] for another place.
fn found(place: &Place<'_>, list: &List) -> Option<Vec<Found>> {
    let call = place.calls.first().filter(|_| place.brackets_in_call().is_empty())?;
    match place.source.slice(call.name?) {
        "include" if call.position == 0 => Some(files(place, list, false)),
        "load" if call.position == 0 => Some(files(place, list, true)),
        "load" => Some(names(place, list, call)),
        _ => None,
    }
}

/// The files of the workspace, the nearest first, and the modules of the library.
fn files<'a>(place: &Place<'a>, list: &List, is_load: bool) -> Vec<Found> {
    let own = place.source;
    let here = own.names.inclusions.iter().zip(&own.targets);
    let others = here.filter(|(inclusion, _)| !touches(inclusion.whole, place.at));
    let taken: BTreeSet<&FileId> = others.filter_map(|(_, target)| target.as_ref()).collect();
    let taker = Taker::new(place.world, own, place.style);
    let ranked = |file: &'a Arc<Source>| {
        let path = path_to(own, &file.id);
        let rank = match () {
            () if file.id.is_std() => Rank::Made,
            () if taken.contains(&file.id) || !taker.can_take(file, is_load) => Rank::Deprecated,
            () => Rank::Fitting,
        };
        list.takes(&path).then_some((rank, path, file))
    };
    let others = place.world.files().filter(|file| file.id != own.id);
    let library = place.world.library().filter(|_| is_load).map(|file| -> &'a Arc<Source> { file });
    let mut all: Vec<(Rank, String, &Arc<Source>)> = others.filter_map(ranked).collect();
    all.sort_by_cached_key(|(_, path, _)| (path.matches('/').count(), path.clone()));
    all.extend(library.filter_map(ranked));
    // Only what may come into the list is described.
    all.sort_by_cached_key(|(rank, path, _)| list.key(*rank, path));
    all.truncate(MAX_PROPOSALS);
    let proposal = |(rank, text, file): (Rank, String, &Arc<Source>)| {
        let detail = first_line(&crate::docs::of_file(file));
        let origin = Origin::File(file.id.name().to_owned());
        Found { rank, text, detail, kind: CompletionKind::File, origin }
    };
    all.into_iter().map(proposal).collect()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The names that the file of a `load` has and the call does not take yet.
fn names(place: &Place<'_>, list: &List, call: &OpenCall) -> Vec<Found> {
    let source = place.source;
    let tokens = source.tokens();
    let open = tokens.partition_point(|token| token.span.start <= call.open.start);
    let rest = tokens.get(open..).unwrap_or_default();
    let path = rest.first().and_then(|token| place.plain_text(token));
    let file = path.and_then(|path| place.world.file(&target(&source.id, path)?));
    let Some(file) = file else { return Vec::new() };
    let ends = |kind: Word| matches!(kind, Word::RParen | Word::Newline | Word::Broken | Word::End);
    let taken: BTreeSet<&str> = rest
        .iter()
        .take_while(|token| !ends(token.kind))
        .filter(|token| !touches(token.span, place.at))
        .filter_map(|token| place.plain_text(token))
        .collect();
    let mut found: Vec<Found> = Vec::new();
    // What the file includes does not count: a file that is loaded cannot include others.
    let is_wanted = |name: &str| !taken.contains(name) && list.takes(name);
    for (at, definitive) in exported(file, is_wanted).into_iter().enumerate() {
        let name = definitive.name();
        let kind = if at < MAX_KINDS {
            kind_of_definition(place.world, &definitive)
        } else {
            Kind::Unknown
        };
        let (of, rank) = match &kind {
            Kind::Function(_) => (CompletionKind::Function, Rank::Fitting),
            Kind::OwnConstructor(_) => (CompletionKind::Struct, Rank::Fitting),
            _ => (CompletionKind::Variable, Rank::Made),
        };
        found.push(Found {
            rank,
            text: name.to_owned(),
            detail: kind.shown().unwrap_or_default(),
            kind: of,
            origin: Origin::defined(&definitive),
        });
    }
    found
}
