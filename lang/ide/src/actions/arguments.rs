//! Adding arguments to calls, and taking them away, so that the text looks as before.

use aurora_syntax::tree::{Arg, CompKind, ExprKind, PostOp, Star};
use aurora_syntax::{Kind as Word, Span, Token};

use super::Place;
use crate::source::FileEdit;

/// Adds arguments at the end of a call: each `name=value` on a line of its own if the others have
/// lines of their own. [`None`] if there is no place for them.
pub(super) fn add(
    place: &Place<'_>,
    op: &PostOp,
    args: &[Arg],
    new: &[String],
) -> Option<Vec<FileEdit>> {
    let source = place.source;
    let close = Span::new(op.span.end.checked_sub(1)?, op.span.end);
    if new.is_empty() || source.slice(close) != ")" {
        return None;
    }
    let Some(last) = args.last() else {
        let inner = Span::new(op.span.start + 1, close.start);
        if !place.comments(inner).is_empty() {
            return None;
        }
        return Some(vec![place.edit(inner, new.join(", "))]);
    };
    let is_bare = |arg: &Arg| matches!(&arg.value.kind, ExprKind::Comp(comp) if comp.kind == CompKind::Argument);
    if args.iter().any(is_bare) {
        return None;
    }
    // What is unpacked comes last.
    if let Some(table) = args.iter().find(|arg| arg.star == Star::Two) {
        let text: String = new.iter().map(|new| format!("{new}, ")).collect();
        return Some(vec![place.insert(table.span.start, text)]);
    }
    let comma = comma_after(place, last.span.end, close.start);
    let end = comma.map_or(last.span.end, |comma| comma.end);
    let lines = &source.lines;
    let own_lines = lines.line(op.span.start) < lines.line(last.span.start);
    let Some(indent) = place.indent(last.span.start).filter(|_| own_lines) else {
        let text = match comma {
            Some(_) => format!(" {}", new.join(", ")),
            None => format!(", {}", new.join(", ")),
        };
        return Some(vec![place.insert(end, text)]);
    };
    let line_end = place.style.line_end;
    let line = place.line(end);
    if close.start > line.end {
        // The bracket has a line of its own; a comment may stand behind the last argument.
        let mut edits = Vec::new();
        let text: String = new.iter().map(|new| format!("{line_end}{indent}{new},")).collect();
        if comma.is_none() && end < line.end {
            edits.push(place.insert(end, ","));
            edits.push(place.insert(line.end, text));
        } else {
            let comma = if comma.is_none() { "," } else { "" };
            edits.push(place.insert(line.end, format!("{comma}{text}")));
        }
        return Some(edits);
    }
    let text = new.join(&format!(",{line_end}{indent}"));
    let comma = if comma.is_none() { "," } else { "" };
    Some(vec![place.insert(end, format!("{comma}{line_end}{indent}{text}"))])
}

/// The comma right behind an argument.
fn comma_after(place: &Place<'_>, at: u32, before: u32) -> Option<Span> {
    let tokens = place.source.tokens();
    let from = tokens.partition_point(|token| token.span.start < at);
    tokens
        .get(from)
        .filter(|token| token.kind == Word::Comma && token.span.start < before)
        .map(|token| token.span)
}

/// Takes an argument away, with its comma, and its line if nothing else stands there.
pub(super) fn remove(place: &Place<'_>, op: &PostOp, arg: &Arg) -> Option<FileEdit> {
    let close = op.span.end.checked_sub(1)?;
    let tokens = place.source.tokens();
    let first = tokens.partition_point(|token| token.span.start < arg.span.start);
    let before = first.checked_sub(1).and_then(|at| tokens.get(at))?;
    if let Some(comma) = comma_after(place, arg.span.end, close) {
        if let Some(lines) = place.source.own_lines(arg.span.to(comma)) {
            return Some(place.edit(lines, ""));
        }
        let rest = place.source.slice(Span::new(comma.end, place.line(comma.end).end));
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let is_comment = rest.trim_start().starts_with('#');
        let blanks = if is_comment { 0 } else { crate::text::offset(blanks) };
        return Some(place.edit(Span::new(arg.span.start, comma.end + blanks), ""));
    }
    let start = match before {
        Token { kind: Word::Comma, span } => span.start,
        token => token.span.end,
    };
    let gap = Span::new(start, arg.span.start);
    place.comments(gap).is_empty().then(|| place.edit(Span::new(start, arg.span.end), ""))
}
