//! From one place to others: definitions, references, links, other names.

use aurora_ide::links::{LinkTarget, links};
use aurora_ide::navigate::{Destination, Way};
use aurora_ide::references::{self, Occurrence};
use aurora_ide::rename;
use aurora_ide::source::{FileId, Location, Source};
use tower_lsp::jsonrpc::{Error, ErrorCode};
use tower_lsp::lsp_types as lsp;

use crate::convert::View;

/// Where something leads: with the place that leads there, for clients that know that.
pub(crate) fn way(
    view: &View,
    source: &Source,
    way: Option<Way>,
    with_links: bool,
) -> Option<lsp::GotoDefinitionResponse> {
    let Way { from, to } = way?;
    let location =
        |place: &Destination, span| view.location(&Location { file: place.file.clone(), span });
    if !with_links {
        let found = to.iter().filter_map(|place| location(place, place.name));
        return Some(lsp::GotoDefinitionResponse::Array(found.collect()));
    }
    let origin = view.range(source, from);
    let found = to.iter().filter_map(|place| {
        let whole = location(place, place.whole)?;
        Some(lsp::LocationLink {
            origin_selection_range: Some(origin),
            target_uri: whole.uri,
            target_range: whole.range,
            target_selection_range: location(place, place.name)?.range,
        })
    });
    Some(lsp::GotoDefinitionResponse::Link(found.collect()))
}

/// All places that mean the same.
pub(crate) fn references(
    view: &View,
    file: &FileId,
    at: u32,
    with_declarations: bool,
) -> Vec<lsp::Location> {
    let found = references::references(&view.world, file, at, with_declarations);
    found.iter().filter_map(|found| view.location(&found.location)).collect()
}

/// Those of the file itself.
pub(crate) fn highlights(
    view: &View,
    file: &FileId,
    source: &Source,
    at: u32,
) -> Vec<lsp::DocumentHighlight> {
    let to_highlight = |found: Occurrence| lsp::DocumentHighlight {
        range: view.range(source, found.location.span),
        kind: Some(if found.is_write {
            lsp::DocumentHighlightKind::WRITE
        } else {
            lsp::DocumentHighlightKind::READ
        }),
    };
    references::highlights(&view.world, file, at).into_iter().map(to_highlight).collect()
}

/// What can be clicked on.
pub(crate) fn document_links(
    view: &View,
    file: &FileId,
    source: &Source,
) -> Vec<lsp::DocumentLink> {
    let to_link = |link: aurora_ide::links::Link| {
        let target = match link.target {
            LinkTarget::File(file) => view.uri(&file)?,
            LinkTarget::Url(url) => lsp::Url::parse(&url).ok()?,
        };
        Some(lsp::DocumentLink {
            range: view.range(source, link.span),
            target: Some(target),
            tooltip: None,
            data: None,
        })
    };
    links(&view.world, file).into_iter().filter_map(to_link).collect()
}

fn refused(refusal: rename::Refusal) -> Error {
    // `RequestFailed`: editors show the words.
    Error { message: refusal.0.into(), ..Error::new(ErrorCode::ServerError(-32803)) }
}

/// What can have another name at a byte.
pub(crate) fn prepare_rename(
    view: &View,
    file: &FileId,
    source: &Source,
    at: u32,
) -> Result<lsp::PrepareRenameResponse, Error> {
    let found = rename::prepare(&view.world, file, at).map_err(refused)?;
    Ok(lsp::PrepareRenameResponse::RangeWithPlaceholder {
        range: view.range(source, found.span),
        placeholder: found.name,
    })
}

/// The changes that give it that name.
pub(crate) fn rename(
    view: &View,
    file: &FileId,
    at: u32,
    name: &str,
    is_versioned: bool,
) -> Result<lsp::WorkspaceEdit, Error> {
    let edits = rename::rename(&view.world, file, at, name).map_err(refused)?;
    Ok(view.workspace_edit(&edits, is_versioned))
}

/// The places that are edited together.
pub(crate) fn linked_ranges(
    view: &View,
    file: &FileId,
    source: &Source,
    at: u32,
) -> Option<lsp::LinkedEditingRanges> {
    let found = aurora_ide::linked::linked_ranges(&view.world, file, at);
    let ranges: Vec<lsp::Range> = found.iter().map(|span| view.range(source, *span)).collect();
    (!ranges.is_empty()).then_some(lsp::LinkedEditingRanges { ranges, word_pattern: None })
}
