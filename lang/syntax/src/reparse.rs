//! Reads a text anew after a change, where it has to.

use std::ops::Range;

use crate::lexer;
use crate::parser::{Line, MAX_TEXT, Parsed, Part, parse, read};
use crate::shift::Shift;
use crate::span::Span;
use crate::token::Token;

/// What [`parse`] gives for a text of which an earlier version was read, for less than reading all
/// of it: `old` is what was read of `old_text`, and `new_text` is that with the bytes of `edit`
/// replaced.
///
/// Statements of the file itself that begin at the first column are places at which reading can
/// begin and end: no bracket and no block is open, and nothing before them has a meaning for them.
/// Reading begins at the last such place whose own first word the change cannot have altered, or one
/// before it, since what is told of a statement may name the first word after it. It ends at the
/// first place behind the change where a statement begins in both texts, with no bracket, text or
/// block open in the new one; so an opened bracket or quote, or a line that moves into a block, is
/// read as far as its effect goes. What stands before is kept as it is, what stands after is moved.
///
/// All of the text is read anew where a change at one place can have an effect at any other: when
/// something stays open to the end of the text, which begins to be or no longer is so; when so many
/// mistakes are noted that some are left out; and when `new_text` is not `old_text` so changed.
pub fn reparse(old: Parsed, old_text: &str, edit: Range<usize>, new_text: &str) -> Parsed {
    let Some(change) = Change::new(old_text, &edit, new_text) else {
        return parse(new_text);
    };
    if old.raw.is_full() || (old.recovered && !lexer::ends_open(new_text)) {
        return parse(new_text);
    }
    let first = change.first_line(&old.lines);
    let start = first.map_or(0, |line| line.token.span.start as usize);
    let behind = old.lines.partition_point(|line| (line.token.span.start as usize) < edit.end);
    let rest = old.lines.get(behind..).unwrap_or_default();
    let Some(lexed) = lexer::lex_from(new_text, start, old.recovered, rest, change.by) else {
        return parse(new_text);
    };
    let stop = lexed.stop;
    // An `else` that belonged to nothing may belong to what was changed.
    let (new, true) = read(new_text, lexed) else {
        return parse(new_text);
    };
    let last = stop.and_then(|stop| rest.get(stop)).copied();
    let merged = merge(old, new, first, last, change.by);
    if merged.raw.is_full() {
        return parse(new_text);
    }
    merged.told(new_text)
}

/// Those of [`tokens`](crate::tokens) that the statement around a place is made of, without lexing
/// the rest: `parsed` is what was read of the text.
pub fn tokens_around(parsed: &Parsed, text: &str, at: usize) -> Vec<Token> {
    let next = parsed.lines.partition_point(|line| line.token.span.start as usize <= at);
    let start = match next.checked_sub(1).and_then(|line| parsed.lines.get(line)) {
        Some(line) if next > 1 => line.token.span.start as usize,
        // What stands before the first statement has no line of its own.
        _ => 0,
    };
    let rest = parsed.lines.get(next..).unwrap_or_default();
    let Some(lexed) = lexer::lex_from(text, start, parsed.recovered, rest, 0) else {
        return lexer::tokens(text);
    };
    let mut tokens = lexed.tokens;
    if lexed.stop.is_some() {
        // The first word of the next statement.
        tokens.remove(tokens.len().saturating_sub(2));
    }
    tokens
}

struct Change<'a> {
    old_text: &'a str,
    start: usize,
    /// By how many bytes what stands behind it has moved.
    by: i32,
}

impl<'a> Change<'a> {
    /// The change, if it is one.
    fn new(old_text: &'a str, edit: &Range<usize>, new_text: &str) -> Option<Self> {
        if old_text.len() > MAX_TEXT || new_text.len() > MAX_TEXT {
            return None;
        }
        let (old, new) = (old_text.as_bytes(), new_text.as_bytes());
        let tail = old.get(edit.end..)?;
        let is_change = edit.start <= edit.end
            && new.get(..edit.start)? == old.get(..edit.start)?
            && new.get(edit.start..)?.ends_with(tail);
        let by = i32::try_from(new.len()).ok()? - i32::try_from(old.len()).ok()?;
        is_change.then_some(Self { old_text, start: edit.start, by })
    }

    /// The line with which reading begins; none is the start of the text.
    fn first_line(&self, lines: &[Line]) -> Option<Line> {
        let at = |line: &Line| line.token.span.start as usize;
        let within = lines.partition_point(|line| at(line) <= self.start).checked_sub(1)?;
        let Line { token, .. } = lines.get(within)?;
        // What stands before the end of a line does not depend on what follows it.
        let between = self.old_text.as_bytes().get(token.span.end as usize..self.start);
        let other_line =
            between.is_some_and(|between| between.iter().any(|byte| matches!(byte, b'\n' | b'\r')));
        let index = if other_line { within } else { within.checked_sub(1)? };
        // What stands before the first line has no line of its own.
        if index == 0 { None } else { lines.get(index).copied() }
    }
}

/// What was read before a line, of what was changed, and from a line on.
fn merge(old: Parsed, new: Part, first: Option<Line>, last: Option<Line>, by: i32) -> Parsed {
    let Parsed { mut tree, mut comments, mut odd, mut lines, mut raw, recovered, .. } = old;
    let start = first.map_or(0, |line| line.token.span.start);
    let kept = |line: Option<Line>| line.map_or((0, 0, 0), |l| (l.stmts, l.errors, l.refused));
    let before = kept(first);
    let after = match last {
        Some(last) => kept(Some(last)),
        None => (tree.len(), raw.errors.len(), raw.refused.len()),
    };
    let end = last.map_or(u32::MAX, |line| line.token.span.start);

    // The lines count what stands before them.
    let grown = (
        before.0 + new.tree.len(),
        before.1 + new.raw.errors.len(),
        before.2 + new.raw.refused.len(),
    );
    let from = lines.partition_point(|line| line.token.span.start < start);
    let to = lines.partition_point(|line| line.token.span.start < end);
    for line in lines.iter_mut().skip(to) {
        line.token.shift(by);
        line.stmts = line.stmts - after.0 + grown.0;
        line.errors = line.errors - after.1 + grown.1;
        line.refused = line.refused - after.2 + grown.2;
    }
    let new_lines = new.lines.into_iter().map(|line| Line {
        stmts: line.stmts + before.0,
        errors: line.errors + before.1,
        refused: line.refused + before.2,
        ..line
    });
    lines.splice(from.min(to)..to, new_lines);

    replace(&mut tree, before.0..after.0, new.tree, by);
    replace(&mut raw.errors, before.1..after.1, new.raw.errors, by);
    replace(&mut raw.refused, before.2..after.2, new.raw.refused, by);
    let places = |span: &Span| span.start;
    let range = within(&comments, start, end, places);
    replace(&mut comments, range, new.comments, by);
    let range = within(&odd, start, end, |odd| odd.span.start);
    replace(&mut odd, range, new.odd, by);
    // These stand in the order in which they were found, which is not always that of their places.
    let (start, end) = (start as usize, end as usize);
    let mut lexed = new.raw.lexed;
    let mut before = Vec::new();
    for mut error in raw.lexed {
        if error.range.start < start {
            before.push(error);
        } else if error.range.start >= end {
            error.shift(by);
            lexed.push(error);
        }
    }
    before.append(&mut lexed);
    raw.lexed = before;
    Parsed { tree, comments, odd, lines, raw, recovered, ..Parsed::default() }
}

/// Puts items in the place of others, and moves those behind.
fn replace<T: Shift>(items: &mut Vec<T>, range: Range<usize>, new: Vec<T>, by: i32) {
    let range = range.start.min(items.len())..range.end.min(items.len());
    if by != 0 {
        items.iter_mut().skip(range.end).for_each(|item| item.shift(by));
    }
    items.splice(range.start.min(range.end)..range.end, new);
}

/// Those of sorted items that begin from one place to before another.
fn within<T>(items: &[T], start: u32, end: u32, at: impl Fn(&T) -> u32) -> Range<usize> {
    let from = items.partition_point(|item| at(item) < start);
    from..items.partition_point(|item| at(item) < end).max(from)
}
