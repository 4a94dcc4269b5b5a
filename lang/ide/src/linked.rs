//! Places that are changed together while one of them is edited.

use aurora_syntax::Span;

use crate::entity::{Entity, entity_at};
use crate::references::occurrences;
use crate::source::FileId;
use crate::workspace::Snapshot;

/// The places that stand for what is at a byte and are edited together with it, all with the same
/// text: those of a name of a function, and those of a bound name within one statement. None if there
/// are others elsewhere, which would be left behind: to change these, too, is what renaming is for.
pub fn linked_ranges(world: &Snapshot, file: &FileId, at: u32) -> Vec<Span> {
    let Some(source) = world.file(file) else { return Vec::new() };
    let Some((here, entity)) = entity_at(world, source, at) else { return Vec::new() };
    if !matches!(entity, Entity::Local { .. } | Entity::Bound { .. }) {
        return Vec::new();
    }
    let tree = &source.parsed.tree;
    let around =
        tree.iter().find(|stmt| stmt.span.start <= here.start && here.end <= stmt.span.end);
    let Some(around) = around else { return Vec::new() };
    let found = occurrences(world, &entity);
    let spans: Vec<Span> = found.all.iter().map(|found| found.location.span).collect();
    let is_within = found.all.iter().all(|found| {
        let Span { start, end } = found.location.span;
        found.location.file == *file && around.span.start <= start && end <= around.span.end
    });
    let is_same = |span: &Span| source.slice(*span) == source.slice(here);
    if !is_within || !found.doubtful.is_empty() || spans.len() < 2 || !spans.iter().all(is_same) {
        return Vec::new();
    }
    spans
}
