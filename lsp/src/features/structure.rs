//! How a file is made: symbols, folds, selections, layout.

use aurora_ide::folding::{FoldKind, folds};
use aurora_ide::formatting;
use aurora_ide::source::{FileEdit, FileId, Source};
use aurora_ide::symbols::{self, Found, Symbol, SymbolKind};
use tower_lsp::lsp_types as lsp;

use crate::convert::View;

/// How many symbols of a workspace are given.
const MAX_SYMBOLS: usize = 256;

fn kind(kind: SymbolKind) -> lsp::SymbolKind {
    match kind {
        SymbolKind::Job => lsp::SymbolKind::MODULE,
        SymbolKind::Task => lsp::SymbolKind::NAMESPACE,
        SymbolKind::Process => lsp::SymbolKind::METHOD,
        SymbolKind::Object => lsp::SymbolKind::OBJECT,
        SymbolKind::Class => lsp::SymbolKind::STRUCT,
        SymbolKind::Field => lsp::SymbolKind::FIELD,
        SymbolKind::Function => lsp::SymbolKind::FUNCTION,
        SymbolKind::Variable => lsp::SymbolKind::VARIABLE,
    }
}

/// The symbols of a file: one in the other, or in a row for clients that know only that.
pub(crate) fn document_symbols(
    view: &View,
    file: &FileId,
    source: &Source,
    is_nested: bool,
) -> lsp::DocumentSymbolResponse {
    let found = symbols::document(&view.world, file);
    if is_nested {
        let all = found.into_iter().map(|symbol| nested(view, source, symbol));
        return lsp::DocumentSymbolResponse::Nested(all.collect());
    }
    let mut out = Vec::new();
    if let Some(uri) = view.uri(file) {
        flat(view, source, &uri, found, None, &mut out);
    }
    lsp::DocumentSymbolResponse::Flat(out)
}

#[allow(deprecated, reason = "the protocol's types have fields that are")]
fn nested(view: &View, source: &Source, symbol: Symbol) -> lsp::DocumentSymbol {
    let children: Vec<_> =
        symbol.children.into_iter().map(|child| nested(view, source, child)).collect();
    lsp::DocumentSymbol {
        name: named(symbol.name),
        detail: Some(symbol.detail).filter(|detail| !detail.is_empty()),
        kind: kind(symbol.kind),
        tags: None,
        deprecated: None,
        range: view.range(source, symbol.whole),
        selection_range: view.range(source, symbol.selection),
        children: Some(children).filter(|children| !children.is_empty()),
    }
}

/// Editors refuse all symbols of a file if one has no name.
fn named(name: String) -> String {
    if name.trim().is_empty() { "?".to_owned() } else { name }
}

fn flat(
    view: &View,
    source: &Source,
    uri: &lsp::Url,
    symbols: Vec<Symbol>,
    container: Option<&str>,
    out: &mut Vec<lsp::SymbolInformation>,
) {
    for symbol in symbols {
        let location = lsp::Location::new(uri.clone(), view.range(source, symbol.whole));
        out.push(information(&symbol.name, symbol.kind, location, container.map(str::to_owned)));
        flat(view, source, uri, symbol.children, Some(&symbol.name), out);
    }
}

#[allow(deprecated, reason = "the protocol's types have fields that are")]
fn information(
    name: &str,
    of: SymbolKind,
    location: lsp::Location,
    container_name: Option<String>,
) -> lsp::SymbolInformation {
    lsp::SymbolInformation {
        name: named(name.to_owned()),
        kind: kind(of),
        tags: None,
        deprecated: None,
        location,
        container_name,
    }
}

/// The symbols of all files that fit what is typed.
pub(crate) fn workspace_symbols(view: &View, query: &str) -> Vec<lsp::SymbolInformation> {
    let found = symbols::workspace(&view.world, query, MAX_SYMBOLS);
    let to_information = |found: Found| {
        let location = view.location(&found.location)?;
        let of = found.container.or(Some(found.detail).filter(|detail| !detail.is_empty()));
        Some(information(&found.name, found.kind, location, of))
    };
    found.into_iter().filter_map(to_information).collect()
}

/// The parts of a file that can be folded.
pub(crate) fn folding_ranges(
    view: &View,
    file: &FileId,
    source: &Source,
    whole_lines: bool,
) -> Vec<lsp::FoldingRange> {
    let found = folds(&view.world, file).into_iter().map(|fold| {
        let lsp::Range { start, end } = view.range(source, fold.span);
        lsp::FoldingRange {
            start_line: start.line,
            start_character: (!whole_lines).then_some(start.character),
            end_line: end.line,
            end_character: (!whole_lines).then_some(end.character),
            kind: match fold.kind {
                FoldKind::Code => None,
                FoldKind::Comment => Some(lsp::FoldingRangeKind::Comment),
                FoldKind::Imports => Some(lsp::FoldingRangeKind::Imports),
                FoldKind::Region => Some(lsp::FoldingRangeKind::Region),
            },
            collapsed_text: None,
        }
    });
    found.collect()
}

/// The parts that hold each of some places, from the smallest on.
pub(crate) fn selection_ranges(
    view: &View,
    file: &FileId,
    source: &Source,
    places: &[lsp::Position],
) -> Vec<lsp::SelectionRange> {
    let of_place = |place: &lsp::Position| {
        let parts = aurora_ide::selection::ranges(&view.world, file, view.offset(source, *place));
        let around = parts.iter().rev().fold(None, |parent, part| {
            let range = view.range(source, *part);
            Some(lsp::SelectionRange { range, parent: parent.map(Box::new) })
        });
        // Each place has an answer.
        around
            .unwrap_or(lsp::SelectionRange { range: lsp::Range::new(*place, *place), parent: None })
    };
    places.iter().map(of_place).collect()
}

/// The changes that lay a file out, or the part of it.
pub(crate) fn formatting(
    view: &View,
    file: &FileId,
    source: &Source,
    part: Option<lsp::Range>,
) -> Vec<lsp::TextEdit> {
    let edits = match part {
        None => formatting::document(&view.world, file),
        Some(part) => formatting::range(&view.world, file, view.span(source, part)),
    };
    let to_edit = |edit: FileEdit| view.text_edit(source, edit.location.span, &edit.text);
    edits.into_iter().map(to_edit).collect()
}
