//! What stands around a cursor, found from the words before it: it works in text that is not
//! complete.

use std::sync::Arc;

use aurora_syntax::tree::{ExprKind, PostKind};
use aurora_syntax::{Kind as Word, Span, Token, walk};

use crate::names::{Reference, parts, touches};
use crate::source::Source;
use crate::text::offset;
use crate::types::{self, Fields, Kind};
use crate::workspace::Snapshot;

/// A call whose brackets hold the cursor.
#[derive(Debug, Clone)]
pub struct OpenCall {
    /// The opening bracket.
    pub open: Span,
    /// The word right before it: `Process`, the `bind` of `x.bind`.
    pub name: Option<Span>,
    /// What is called.
    pub callee: Kind,
    /// The names of the arguments that are given, in order, that at the cursor included.
    pub named: Vec<Span>,
    /// How many arguments stand before the one at the cursor.
    pub position: usize,
    /// The name of the argument at the cursor, if the cursor stands behind its `=`.
    pub argument: Option<Span>,
    /// Whether nothing of the argument at the cursor, or nothing but a name, is there before the
    /// cursor: the name of an argument may come here.
    pub at_name: bool,
}

impl OpenCall {
    /// The fields that its arguments are, if it makes a struct.
    pub fn fields(&self) -> Option<Fields> {
        types::fields_of(&self.callee)
    }
}

/// A text literal that holds the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InText {
    /// The literal, with prefix and quotes.
    pub literal: Span,
    /// What stands between its quotes.
    pub inner: Span,
    /// Whether it is an f-string.
    pub is_format: bool,
}

/// A reference in a text literal that holds the cursor, complete or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InReference {
    /// From the opening braces to the closing ones, if these are there, or else to the end of the
    /// word at the cursor.
    pub span: Span,
    /// The parts before the one at the cursor.
    pub before: Vec<String>,
    /// The part at the cursor, which may be empty.
    pub part: Span,
    /// Whether that stands in brackets: an index.
    pub is_index: bool,
    /// Whether the closing braces are there.
    pub is_closed: bool,
}

/// A cursor in a file.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    world: &'a Snapshot,
    source: &'a Arc<Source>,
    /// The byte before which it stands.
    pub at: u32,
    /// The tokens that begin before it.
    before: &'a [Token],
}

impl<'a> Cursor<'a> {
    /// A cursor before a byte.
    pub fn new(world: &'a Snapshot, source: &'a Arc<Source>, at: u32) -> Self {
        let tokens = source.tokens();
        let count = tokens.partition_point(|token| token.span.start < at);
        let before = tokens.get(..count).unwrap_or_default();
        Self { world, source, at, before }
    }

    /// The files around it.
    pub fn world(&self) -> &'a Snapshot {
        self.world
    }

    /// The file.
    pub fn source(&self) -> &'a Arc<Source> {
        self.source
    }

    /// Whether it stands in a comment.
    pub fn in_comment(&self) -> bool {
        let comments = &self.source.parsed.comments;
        let from = comments.partition_point(|comment| comment.end < self.at);
        comments.get(from).is_some_and(|comment| comment.start < self.at)
    }

    /// The literal that holds it, between its quotes.
    pub fn text(&self) -> Option<InText> {
        let last = self.before.last()?;
        if !matches!(last.kind, Word::Str | Word::BadStr) {
            return None;
        }
        let (prefix, inner) = between_quotes(self.source, last)?;
        let is_format = prefix.contains(['f', 'F']);
        touches(inner, self.at).then_some(InText { literal: last.span, inner, is_format })
    }

    /// The reference that holds it, in a literal that is no f-string.
    pub fn reference(&self) -> Option<InReference> {
        let text = self.text()?;
        let before = self.source.slice(Span::new(text.inner.start, self.at));
        self.reference_in(text, before.rfind("{{")?, "}}")
    }

    /// The reference that holds it and begins with braces at `open` of what stands between the quotes
    /// of a literal: as many of them as close it.
    pub fn reference_in(&self, text: InText, open: usize, closing: &str) -> Option<InReference> {
        const ENDS: [char; 5] = ['{', '}', '\n', '\r', ' '];
        let written = text.inner.of(&self.source.text);
        let at = (self.at - text.inner.start) as usize;
        let inside = written.get(open + closing.len()..at)?;
        if inside.contains(['{', '}', '\n', '\r']) {
            return None;
        }
        let address = inside.trim_start_matches('&');
        let skipped = inside.len() - address.len();
        let start = address.rfind(['.', '[', ']']).map_or(0, |at| at + 1);
        let is_index = address[..start].ends_with('[');
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let rest = written.get(at..).unwrap_or_default();
        let word = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let rest_of_reference = rest.find(ENDS).unwrap_or(rest.len());
        let is_closed = rest[rest_of_reference..].starts_with(closing);
        let base = text.inner.start + offset(open + closing.len() + skipped);
        let end = if is_closed {
            self.at + offset(rest_of_reference + closing.len())
        } else {
            self.at + offset(word)
        };
        let parts_before =
            parts(&address[..start]).into_iter().map(|part| address[part].to_owned());
        Some(InReference {
            span: Span::new(text.inner.start + offset(open), end),
            before: parts_before.collect(),
            part: Span::new(base + offset(start), self.at + offset(word)),
            is_index,
            is_closed,
        })
    }

    /// The name that it touches, or the empty place where one would stand.
    pub fn word(&self) -> Span {
        match self.before.last() {
            Some(token) if touches(token.span, self.at) && is_word(token, self.source) => {
                token.span
            }
            _ => Span::new(self.at, self.at),
        }
    }

    /// The tokens before it, without the word that it touches.
    pub fn tokens_before(&self) -> &'a [Token] {
        match self.before.split_last() {
            Some((last, rest)) if touches(last.span, self.at) && is_word(last, self.source) => rest,
            _ => self.before,
        }
    }

    /// What stands before the dot right before the word at it, as `Tasks` in `Tasks.con`.
    pub fn owner(&self) -> Option<Kind> {
        let [.., dot] = self.tokens_before() else { return None };
        if dot.kind != Word::Dot {
            return None;
        }
        let mut found = None;
        let scope = self.source.names.scope_at(dot.span.start);
        walk::around(&self.source.parsed.tree, dot.span, &mut |expr| {
            let ExprKind::Postfix(postfix) = &expr.kind else { return };
            let is_here = |op: &&aurora_syntax::tree::PostOp| {
                matches!(op.kind, PostKind::Attr(_)) && op.span.start == dot.span.start
            };
            if postfix.ops.iter().any(|op| is_here(&op)) {
                let before =
                    types::kind_before(self.world, self.source, scope, postfix, dot.span.start);
                found = Some(before);
            }
        });
        found
    }

    /// The calls whose brackets hold it, innermost first. Brackets of lists and tables in between
    /// are passed over; see [`Self::brackets`].
    pub fn calls(&self) -> Vec<OpenCall> {
        self.calls_of(&self.brackets())
    }

    /// Those of open brackets before it, as [`Self::brackets`] gives them, that are calls'.
    pub fn calls_of(&self, brackets: &[usize]) -> Vec<OpenCall> {
        brackets.iter().filter_map(|open| self.call(*open)).collect()
    }

    /// The innermost call, if no other bracket lies between it and the cursor.
    pub fn call_here(&self) -> Option<OpenCall> {
        self.brackets().first().and_then(|open| self.call(*open))
    }

    /// The open brackets before it, innermost first, as places among the tokens before it.
    pub fn brackets(&self) -> Vec<usize> {
        let mut found = Vec::new();
        let mut closed = 0usize;
        let in_text = self.text().is_some();
        for (at, token) in self.before.iter().enumerate().rev() {
            match token.kind {
                // Within brackets there is no end of a line.
                // An open bracket at the end of a text is given up right at the cursor.
                Word::Newline | Word::Broken
                    if token.span.end <= self.at
                        && (!found.is_empty()
                            || closed > 0
                            || in_text
                            || token.span.start < self.at) =>
                {
                    break;
                }
                Word::RParen | Word::RBracket | Word::RBrace if token.span.end <= self.at => {
                    closed += 1
                }
                Word::LParen | Word::LBracket | Word::LBrace => match closed.checked_sub(1) {
                    Some(left) => closed = left,
                    None => found.push(at),
                },
                _ => {}
            }
        }
        found
    }

    fn call(&self, open: usize) -> Option<OpenCall> {
        let token = self.before.get(open)?;
        let name = open.checked_sub(1).and_then(|before| self.before.get(before));
        let is_callee =
            |token: &Token| matches!(token.kind, Word::Name | Word::RParen | Word::RBracket);
        if token.kind != Word::LParen || !name.is_some_and(is_callee) {
            return None;
        }
        let all = self.source.tokens();
        let mut named = Vec::new();
        let (mut position, mut argument, mut depth) = (0, None, 0usize);
        let mut at_name = true;
        // The arguments behind the cursor count for their names only.
        for (at, token) in all.iter().enumerate().skip(open + 1) {
            let is_before = token.span.start < self.at;
            match token.kind {
                Word::LParen | Word::LBracket | Word::LBrace => depth += 1,
                Word::RParen | Word::RBracket | Word::RBrace => match depth.checked_sub(1) {
                    Some(left) => depth = left,
                    None => break,
                },
                Word::Newline | Word::Broken | Word::End => break,
                _ => {}
            }
            let is_name = token.kind == Word::Name
                && depth == 0
                && all.get(at + 1).is_some_and(|next| next.kind == Word::Eq)
                && all
                    .get(at.wrapping_sub(1))
                    .is_some_and(|before| matches!(before.kind, Word::Comma | Word::LParen));
            if is_name {
                named.push(token.span);
            }
            if !is_before {
                continue;
            }
            match token.kind {
                Word::Comma if depth == 0 => {
                    position += 1;
                    (argument, at_name) = (None, true);
                }
                _ if is_name => {
                    let equals = all.get(at + 1).map_or(u32::MAX, |next| next.span.start);
                    if equals < self.at {
                        argument = Some(token.span);
                    }
                }
                Word::Name if touches(token.span, self.at) && depth == 0 => {
                    let before = all.get(at.wrapping_sub(1)).map(|token| token.kind);
                    at_name &= matches!(before, Some(Word::Comma | Word::LParen));
                }
                _ => at_name = false,
            }
        }
        let name = name.filter(|name| name.kind == Word::Name).map(|name| name.span);
        let is_attribute = open.checked_sub(2).is_some_and(|at| self.before[at].kind == Word::Dot);
        let callee = match (types::callee(self.world, self.source, token.span.start), name) {
            // The statement is broken: the tree does not have the call.
            (Kind::Unknown, Some(name)) if !is_attribute => {
                types::kind_of_name(self.world, self.source, name)
            }
            (callee, _) => callee,
        };
        Some(OpenCall {
            open: token.span,
            name,
            callee,
            named,
            position,
            argument,
            at_name: at_name && argument.is_none(),
        })
    }
}

/// The letters before the quotes of a literal, and what stands between these: to the end of a literal
/// that is not closed.
pub(crate) fn between_quotes<'a>(source: &'a Source, literal: &Token) -> Option<(&'a str, Span)> {
    let written = source.slice(literal.span);
    let (prefix, rest) = written.split_at(written.find(['"', '\''])?);
    let quote = rest.get(..1)?;
    let quotes = if rest.starts_with(&quote.repeat(3)) { 3 } else { 1 };
    let start = literal.span.start + offset(prefix.len() + quotes);
    let is_closed = literal.kind == Word::Str;
    let end = if is_closed { literal.span.end - offset(quotes) } else { literal.span.end };
    Some((prefix, Span::new(start, end.max(start))))
}

fn is_word(token: &Token, source: &Source) -> bool {
    let first = token.span.of(&source.text).chars().next();
    token.kind == Word::Name || first.is_some_and(char::is_alphabetic) && token.kind.is_word()
}

/// The reference of a literal at a byte, escaped or not, with which of its parts is touched.
pub fn reference_at(source: &Source, at: u32) -> Option<(&Reference, usize)> {
    let templates = &source.names.templates;
    let from = templates.partition_point(|template| template.literal.end < at);
    let template = templates.get(from).filter(|template| template.literal.start <= at)?;
    let mut references = template.references.iter().chain(&template.escaped);
    let reference = references.find(|reference| touches(reference.span, at))?;
    let part = reference.parts.iter().position(|part| touches(*part, at))?;
    Some((reference, part))
}
