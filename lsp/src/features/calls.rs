//! Who calls what. What an item is goes to the client and comes back in its `data`.

use aurora_ide::Span;
use aurora_ide::calls::{self, Call, Item, ItemKind};
use aurora_ide::source::{FileId, Location};
use serde_json::{Value, json};
use tower_lsp::lsp_types as lsp;

use crate::convert::View;

const KINDS: [(ItemKind, &str, lsp::SymbolKind); 6] = [
    (ItemKind::File, "file", lsp::SymbolKind::FILE),
    (ItemKind::Function, "function", lsp::SymbolKind::FUNCTION),
    (ItemKind::Jobs, "jobs", lsp::SymbolKind::ARRAY),
    (ItemKind::Job, "job", lsp::SymbolKind::MODULE),
    (ItemKind::Task, "task", lsp::SymbolKind::NAMESPACE),
    (ItemKind::Process, "process", lsp::SymbolKind::METHOD),
];

fn to_item(view: &View, item: &Item) -> Option<lsp::CallHierarchyItem> {
    let place = |span| view.location(&Location { file: item.file.clone(), span });
    let whole = place(item.whole)?;
    let (_, word, kind) = KINDS.iter().find(|(kind, ..)| *kind == item.kind)?;
    let data = json!({
        "kind": word,
        "file": item.file.name(),
        "whole": [item.whole.start, item.whole.end],
        "selection": [item.selection.start, item.selection.end],
    });
    Some(lsp::CallHierarchyItem {
        name: item.name.clone(),
        kind: *kind,
        tags: None,
        detail: None,
        uri: whole.uri,
        range: whole.range,
        selection_range: place(item.selection)?.range,
        data: Some(data),
    })
}

/// The item that the client gives back.
fn of_item(item: &lsp::CallHierarchyItem) -> Option<Item> {
    let data = item.data.as_ref()?;
    let span = |name: &str| {
        let at = |index: usize| u32::try_from(data.get(name)?.get(index)?.as_u64()?).ok();
        let (start, end) = (at(0)?, at(1)?);
        (start <= end).then(|| Span::new(start, end))
    };
    let word = data.get("kind").and_then(Value::as_str)?;
    Some(Item {
        kind: KINDS.iter().find(|(_, known, _)| *known == word)?.0,
        name: item.name.clone(),
        file: FileId::new(data.get("file")?.as_str()?),
        whole: span("whole")?,
        selection: span("selection")?,
    })
}

/// The item at a byte.
pub(crate) fn prepare(view: &View, file: &FileId, at: u32) -> Option<Vec<lsp::CallHierarchyItem>> {
    let item = calls::item_at(&view.world, file, at)?;
    Some(vec![to_item(view, &item)?])
}

fn ranges(view: &View, file: &FileId, places: &[Span]) -> Vec<lsp::Range> {
    let Some(source) = view.world.file(file) else { return Vec::new() };
    places.iter().map(|place| view.range(source, *place)).collect()
}

/// Who calls an item.
pub(crate) fn incoming(
    view: &View,
    item: &lsp::CallHierarchyItem,
) -> Option<Vec<lsp::CallHierarchyIncomingCall>> {
    let to_call = |Call { item, places }: Call| {
        let from_ranges = ranges(view, &item.file, &places);
        Some(lsp::CallHierarchyIncomingCall { from: to_item(view, &item)?, from_ranges })
    };
    let found = calls::incoming(&view.world, &of_item(item)?);
    Some(found.into_iter().filter_map(to_call).collect())
}

/// What an item calls.
pub(crate) fn outgoing(
    view: &View,
    item: &lsp::CallHierarchyItem,
) -> Option<Vec<lsp::CallHierarchyOutgoingCall>> {
    let item = of_item(item)?;
    let to_call = |Call { item: to, places }: Call| {
        let from_ranges = ranges(view, &item.file, &places);
        Some(lsp::CallHierarchyOutgoingCall { to: to_item(view, &to)?, from_ranges })
    };
    let found = calls::outgoing(&view.world, &item);
    Some(found.into_iter().filter_map(to_call).collect())
}
