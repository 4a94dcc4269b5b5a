//! The paths that `include` and `load` take, and the names that `load` takes.

use std::sync::Arc;

use aurora_syntax::{Kind as Word, Span};

use super::describe::Origin;
use super::names::exported;
use super::place::Place;
use super::{Completion, CompletionKind, List, Rank};
use crate::cursor::{InText, OpenCall};
use crate::names::touches;
use crate::source::Source;
use crate::taking::path_to;
use crate::types::kind_of_definition;
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
    let found = found(place)?;
    let is_closed = literal.literal.end > literal.inner.end;
    let opening = Span::new(literal.literal.start, literal.inner.start);
    let (replaced, quote) = if is_closed {
        (literal.inner, "")
    } else {
        let rest = place.source.slice(Span::new(place.at, literal.inner.end));
        let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let end = place.at + crate::text::offset(length);
        (Span::new(literal.inner.start, end), place.source.slice(opening))
    };
    let mut list = List::new(place, replaced);
    for Found { rank, text, detail, kind, origin } in found {
        let proposal = Completion::new(&text, kind)
            .detail(detail)
            .of(origin)
            .inserts(format!("{text}{quote}"));
        list.push(rank, proposal);
    }
    Some(list)
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '@')
}

/// Proposes the same with quotes, where there are none yet. Says whether it is such a place.
pub(super) fn quoted(place: &Place<'_>, list: &mut List) -> bool {
    if !place.begins_value() {
        return false;
    }
    let Some(all) = found(place) else { return false };
    for Found { rank, text, detail, kind, origin } in all {
        let quoted = place.style.quoted(&text);
        list.push(rank, Completion::new(quoted, kind).detail(detail).of(origin).filter(text));
    }
    true
}

fn found(place: &Place<'_>) -> Option<Vec<Found>> {
    let call = place.calls.first().filter(|_| place.brackets_in_call().is_empty())?;
    match place.source.slice(call.name?) {
        "include" if call.position == 0 => Some(files(place, false)),
        "load" if call.position == 0 => Some(files(place, true)),
        "load" => Some(names(place, call)),
        _ => None,
    }
}

/// The files of the workspace, the nearest first, and the modules of the library.
fn files(place: &Place<'_>, is_load: bool) -> Vec<Found> {
    let own = place.source;
    let is_taken = |file: &Source| {
        let here = own.names.inclusions.iter().zip(&own.targets);
        here.into_iter().any(|(inclusion, target)| {
            target.as_ref() == Some(&file.id) && !touches(inclusion.whole, place.at)
        })
    };
    // What includes the file would include itself.
    let above: Vec<_> = place.world.mains_of(&own.id);
    let proposal = |file: &Arc<Source>| {
        let text = path_to(own, &file.id);
        let steps = text.matches('/').count();
        let rank = match () {
            () if file.id.is_std() => Rank::Made,
            () if is_taken(file) || above.contains(&file.id) => Rank::Deprecated,
            () => Rank::Fitting,
        };
        let detail = first_line(&crate::docs::of_file(file));
        let origin = Origin::File(file.id.name().to_owned());
        (steps, Found { rank, text, detail, kind: CompletionKind::File, origin })
    };
    let mut all: Vec<(usize, Found)> =
        place.world.files().filter(|file| file.id != own.id).map(proposal).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.text.cmp(&b.1.text)));
    let library = place.world.library().filter(|_| is_load).map(proposal);
    all.into_iter().chain(library).map(|(_, found)| found).collect()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The names that the file of a `load` has and the call does not take yet.
fn names(place: &Place<'_>, call: &OpenCall) -> Vec<Found> {
    let source = place.source;
    let tokens = source.tokens();
    let open = tokens.partition_point(|token| token.span.start <= call.open.start);
    let rest = tokens.get(open..).unwrap_or_default();
    let Some(path) = rest.first().filter(|token| token.kind == Word::Str) else {
        return Vec::new();
    };
    let text = source.slice(path.span).trim_matches(['"', '\'']);
    let Some(file) = target(&source.id, text).and_then(|id| place.world.file(&id)) else {
        return Vec::new();
    };
    let ends = |kind: Word| matches!(kind, Word::RParen | Word::Newline | Word::Broken | Word::End);
    let taken: Vec<&str> = rest
        .iter()
        .take_while(|token| !ends(token.kind))
        .filter(|token| token.kind == Word::Str && !touches(token.span, place.at))
        .map(|token| source.slice(token.span).trim_matches(['"', '\'']))
        .collect();
    let all = place.world.with_included(file);
    let mut found: Vec<Found> = Vec::new();
    for definitive in all.iter().flat_map(exported) {
        let name = definitive.name();
        if taken.contains(&name) || found.iter().any(|known| known.text == name) {
            continue;
        }
        let kind = kind_of_definition(place.world, &definitive);
        let (of, rank) = match &kind {
            crate::types::Kind::Function(_) => (CompletionKind::Function, Rank::Fitting),
            crate::types::Kind::OwnConstructor(_) => (CompletionKind::Struct, Rank::Fitting),
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
