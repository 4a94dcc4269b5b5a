//! What kind of place the cursor stands at.

use std::sync::Arc;

use aurora_syntax::tree::{Stmt, StmtKind};
use aurora_syntax::{Kind as Word, Span, Token, walk};

use crate::cursor::{Cursor, InText, OpenCall, between_quotes};
use crate::names::{DefKind, Names, ScopeId, touches};
use crate::source::Source;
use crate::style::Style;
use crate::text::offset;
use crate::workspace::Snapshot;

/// A tab goes to the next multiple of this.
const TAB: u32 = 8;

/// An open bracket around the cursor that is no call's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bracket<'a> {
    /// Its sign; [`Word::Bad`] for that of an index.
    pub(super) kind: Word,
    /// Whether the cursor stands behind a colon in it: at the value of a key.
    pub(super) is_value: bool,
    /// That key, if it is a text.
    pub(super) key: Option<&'a str>,
}

/// A cursor with what stands around it.
pub(super) struct Place<'a> {
    pub(super) world: &'a Snapshot,
    pub(super) source: &'a Arc<Source>,
    pub(super) cursor: Cursor<'a>,
    /// The byte before which the cursor stands.
    pub(super) at: u32,
    /// The name that the cursor is in or behind, or the empty place where one would stand.
    pub(super) word: Span,
    /// How the file is written.
    pub(super) style: Style,
    /// Where names are looked up.
    pub(super) scope: ScopeId,
    /// The calls around the cursor, innermost first.
    pub(super) calls: Vec<OpenCall>,
    /// The tokens before the word or the literal at the cursor.
    lead: &'a [Token],
    /// The open brackets, innermost first, as places among the tokens.
    brackets: Vec<usize>,
    /// The statements whose blocks hold the cursor, from the outermost.
    blocks: Vec<&'a Stmt>,
    /// The statements beside the one at the cursor, up to it.
    beside: &'a [Stmt],
}

impl<'a> Place<'a> {
    /// The place before a byte; [`None`] for one that is not in the file.
    pub(super) fn new(world: &'a Snapshot, source: &'a Arc<Source>, at: u32) -> Option<Self> {
        let mut at = at;
        while !source.text.is_char_boundary(at as usize) {
            if at as usize > source.text.len() {
                return None;
            }
            at -= 1;
        }
        let cursor = Cursor::new(world, source, at);
        let lead = match cursor.text() {
            Some(text) => {
                let before = cursor.tokens_before();
                let count = before.partition_point(|token| token.span.start < text.literal.start);
                before.get(..count).unwrap_or_default()
            }
            None => cursor.tokens_before(),
        };
        let (blocks, beside) = blocks_around(source, at);
        let brackets = cursor.brackets();
        Some(Self {
            world,
            source,
            at,
            word: cursor.word(),
            style: Style::of(source),
            scope: scope_of(&source.names, &blocks, at),
            calls: cursor.calls_of(&brackets),
            lead,
            brackets,
            blocks,
            beside,
            cursor,
        })
    }

    /// The word or sign before the one at the cursor.
    pub(super) fn before(&self) -> Option<Token> {
        self.lead.last().copied()
    }

    fn before_is(&self, kinds: &[Word]) -> bool {
        self.before().is_some_and(|token| kinds.contains(&token.kind))
    }

    /// The word or sign behind what is replaced.
    pub(super) fn behind(&self, replaced: Span) -> Option<Token> {
        let tokens = self.source.tokens();
        let next = tokens.partition_point(|token| token.span.start < replaced.end.max(self.at));
        tokens.get(next).copied()
    }

    /// Whether a bracket follows right behind what is replaced.
    pub(super) fn is_called(&self, replaced: Span) -> bool {
        self.source.text.as_bytes().get(replaced.end as usize) == Some(&b'(')
    }

    /// Whether the cursor stands behind a dot.
    pub(super) fn is_behind_dot(&self) -> bool {
        self.before_is(&[Word::Dot])
    }

    /// The number before the cursor, if nothing else is between.
    pub(super) fn number(&self) -> Option<Span> {
        let last = self.before()?;
        matches!(last.kind, Word::Int | Word::Float).then_some(last.span)
    }

    /// Whether a `*` with a value before it stands before the cursor.
    pub(super) fn is_behind_times(&self) -> bool {
        let [.., value, times] = self.lead else { return false };
        times.kind == Word::Star && is_value_end(value.kind)
    }

    /// Whether the cursor stands right behind something that is complete, without a word of its own.
    pub(super) fn touches_value(&self) -> bool {
        self.word.is_empty()
            && self
                .before()
                .is_some_and(|token| is_value_end(token.kind) && touches(token.span, self.at))
    }

    /// Whether a name is made up here, of which nobody knows anything.
    pub(super) fn is_new_name(&self) -> bool {
        use Word::{
            As, Break, Class, Comma, Continue, Def, For, LParen, Lambda, Pass, Star, StarStar,
        };
        if self.before_is(&[Def, Class, As, For, Lambda, Pass, Break, Continue]) {
            return true;
        }
        if self.before_is(&[Word::Import]) && self.line().any(|token| token.kind == Word::From) {
            return true;
        }
        self.is_in_parameters() && self.before_is(&[LParen, Comma, Star, StarStar])
    }

    fn is_in_parameters(&self) -> bool {
        self.opener(2) == Some(Word::Def)
    }

    /// Whether the cursor stands between the parentheses of a class.
    pub(super) fn is_in_bases(&self) -> bool {
        self.opener(2) == Some(Word::Class)
    }

    /// The kind of the token so many places before the innermost bracket.
    fn opener(&self, before: usize) -> Option<Word> {
        let open = self.brackets.first()?.checked_sub(before)?;
        self.source.tokens().get(open).map(|token| token.kind)
    }

    /// Whether a module of Python may stand here.
    pub(super) fn is_module(&self) -> bool {
        self.before_is(&[Word::Import, Word::From])
    }

    /// Whether a value ends before the cursor, so that an operator may follow.
    pub(super) fn is_behind_value(&self) -> bool {
        let Some(last) = self.before() else { return false };
        // `print value` is a statement.
        let is_print = last.kind == Word::Name
            && self.source.slice(last.span) == "print"
            && self.line().count() == 1;
        is_value_end(last.kind) && !is_print
    }

    /// Whether a value may begin where the cursor, or the literal that holds it, stands.
    pub(super) fn begins_value(&self) -> bool {
        use Word::{Colon, Comma, Else, Eq, LBrace, LBracket, LParen, Plus, PlusEq, Return};
        self.before_is(&[Eq, LParen, LBracket, LBrace, Comma, Colon, Else, Plus, PlusEq, Return])
    }

    /// The tokens of the line before the word, the last first.
    fn line(&self) -> impl Iterator<Item = &'a Token> {
        let ends = |token: &&Token| {
            use Word::{Broken, Dedent, Indent, Newline, Semi};
            !matches!(token.kind, Broken | Dedent | Indent | Newline | Semi)
        };
        self.lead.iter().rev().take_while(ends)
    }

    /// Whether a statement may begin here.
    pub(super) fn begins_statement(&self) -> bool {
        if !self.brackets.is_empty() {
            return false;
        }
        match self.before() {
            None => true,
            Some(token) if token.kind == Word::Colon => self.line().last().is_some_and(|first| {
                use Word::{Class, Def, Elif, Else, For, If, While};
                matches!(first.kind, Class | Def | Elif | Else | For | If | While)
            }),
            Some(_) => self.line().next().is_none(),
        }
    }

    /// Whether something in brackets holds the cursor.
    pub(super) fn is_in_brackets(&self) -> bool {
        !self.brackets.is_empty()
    }

    /// Whether the line of the cursor stands in the body of a class.
    pub(super) fn is_in_class(&self) -> bool {
        matches!(
            self.blocks.iter().rev().map(|stmt| &stmt.kind).find(|kind| is_definition(kind)),
            Some(StmtKind::Class { .. })
        )
    }

    /// Whether it stands in the body of a function.
    pub(super) fn is_in_function(&self) -> bool {
        self.blocks.iter().any(|stmt| matches!(stmt.kind, StmtKind::Def { .. }))
    }

    /// Whether it stands in a loop of the innermost function.
    pub(super) fn is_in_loop(&self) -> bool {
        let inner = self.blocks.iter().rev().take_while(|stmt| !is_definition(&stmt.kind));
        inner
            .into_iter()
            .any(|stmt| matches!(stmt.kind, StmtKind::For { .. } | StmtKind::While { .. }))
    }

    /// Whether `else` or `elif` may follow.
    pub(super) fn is_behind_if(&self) -> bool {
        let column = column(self.source, self.at);
        let line = self.source.lines.start(self.source.lines.line(self.at), &self.source.text);
        let before = self.beside.iter().rev().find(|stmt| stmt.span.start < line);
        before.is_some_and(|stmt| {
            matches!(stmt.kind, StmtKind::If { orelse: None, .. })
                && column_of(self.source, stmt.span.start) == column
        })
    }

    /// Whether it stands in no block.
    pub(super) fn is_outermost(&self) -> bool {
        self.blocks.is_empty() && column(self.source, self.at) == 0 && self.line().next().is_none()
    }

    /// Where the statement at the cursor, or the outermost one that holds it, begins.
    pub(super) fn statement_start(&self) -> u32 {
        if let Some(first) = self.blocks.first() {
            return first.span.start;
        }
        self.line().last().map_or(self.at.min(self.word.start), |first| first.span.start)
    }

    /// The name that the statement at the cursor assigns to.
    pub(super) fn assigned(&self) -> Option<&'a str> {
        let mut first_two = [None; 2];
        for token in self.line() {
            first_two = [Some(token), first_two[0]];
        }
        let [Some(name), Some(sign)] = first_two else { return None };
        let is_it = name.kind == Word::Name && matches!(sign.kind, Word::Eq | Word::PlusEq);
        is_it.then(|| self.source.slice(name.span))
    }

    /// The brackets between the cursor and the innermost call, or all if there is none: the
    /// outermost first.
    pub(super) fn brackets_in_call(&self) -> Vec<Bracket<'a>> {
        let tokens = self.source.tokens();
        let call = self.calls.first().map(|call| call.open.start);
        let mut within = Vec::new();
        let mut end = self.lead.len();
        for at in &self.brackets {
            let Some(token) = tokens.get(*at) else { break };
            if Some(token.span.start) == call {
                break;
            }
            within.push(self.bracket(*at, tokens.get(at + 1..end).unwrap_or_default()));
            end = *at;
        }
        within.reverse();
        within
    }

    fn bracket(&self, at: usize, inside: &[Token]) -> Bracket<'a> {
        let tokens = self.source.tokens();
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let is_index = before.is_some_and(|before| is_value_end(before.kind));
        let kind = tokens.get(at).map_or(Word::Bad, |token| token.kind);
        let mut found =
            Bracket { kind: if is_index { Word::Bad } else { kind }, is_value: false, key: None };
        let (mut depth, mut last) = (0_usize, None);
        for token in inside {
            match token.kind {
                Word::LParen | Word::LBracket | Word::LBrace => depth += 1,
                Word::RParen | Word::RBracket | Word::RBrace => depth = depth.saturating_sub(1),
                Word::Comma if depth == 0 => (found.is_value, found.key) = (false, None),
                Word::Colon if depth == 0 => {
                    found.is_value = true;
                    found.key = last.and_then(|key: &Token| self.plain_text(key));
                }
                _ => {}
            }
            last = Some(token);
        }
        found
    }

    /// What a literal says, between its quotes.
    pub(super) fn plain_text(&self, token: &Token) -> Option<&'a str> {
        let literal = Some(token).filter(|token| token.kind == Word::Str)?;
        between_quotes(self.source, literal).map(|(_, inner)| self.source.slice(inner))
    }

    /// What a proposal for all that stands between quotes replaces, and the quotes that it adds where
    /// they are missing.
    pub(super) fn between_quotes(&self, text: InText) -> (Span, &'a str) {
        if text.literal.end > text.inner.end {
            return (text.inner, "");
        }
        let is_part =
            |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | ':' | '@');
        let rest = self.source.slice(Span::new(self.at, text.inner.end));
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let opening = self.source.slice(Span::new(text.literal.start, text.inner.start));
        let quotes = opening.trim_start_matches(char::is_alphabetic);
        (Span::new(text.inner.start, self.at + offset(length)), quotes)
    }

    /// The names and dots before a bracket, as `jobs.append`.
    pub(super) fn dotted(&self, open: u32) -> Option<String> {
        let tokens = self.source.tokens();
        let count = tokens.partition_point(|token| token.span.start < open);
        let before = tokens.get(..count)?.iter().rev();
        let chain = before.take_while(|token| matches!(token.kind, Word::Name | Word::Dot));
        let start = chain.last()?.span.start;
        Some(self.source.slice(Span::new(start, open)).to_owned())
    }

    /// Whether the word at the cursor is the first of its line.
    pub(super) fn is_first_of_line(&self) -> bool {
        let line = self.source.lines.line(self.at);
        self.before().is_none_or(|token| self.source.lines.line(token.span.end) < line)
    }
}

fn is_definition(kind: &StmtKind) -> bool {
    matches!(kind, StmtKind::Def { .. } | StmtKind::Class { .. })
}

const fn is_value_end(kind: Word) -> bool {
    use Word::{BadStr, Float, Int, Name, RBrace, RBracket, RParen, Str};
    matches!(kind, BadStr | Float | Int | Name | RBrace | RBracket | RParen | Str)
}

/// The statements whose blocks hold a byte, and those before it in the innermost of these blocks. A
/// line of its own belongs where its indentation says, whether something stands on it or not.
fn blocks_around(source: &Source, at: u32) -> (Vec<&Stmt>, &[Stmt]) {
    let line = source.lines.start(source.lines.line(at), &source.text);
    let column = column(source, at);
    let mut stmts = source.parsed.tree.as_slice();
    let mut found = Vec::new();
    loop {
        let earlier =
            |stmt: &Stmt| stmt.span.start < line || stmt.span.start < at && at <= stmt.span.end;
        let count = stmts.partition_point(earlier);
        let before = stmts.get(..count).unwrap_or_default();
        let Some(last) = before.last() else { return (found, before) };
        let held = at <= last.span.end && last.span.start < at;
        if !held && column <= column_of(source, last.span.start) {
            return (found, before);
        }
        let blocks = walk::blocks(last);
        let Some(block) = blocks.into_iter().rev().find(|block| block.colon.end <= at) else {
            return (found, before);
        };
        // What stands behind an inline block is no part of it; one without anything is only begun.
        if block.inline && !block.stmts.is_empty() && !held {
            return (found, before);
        }
        found.push(last);
        stmts = &block.stmts;
    }
}

fn scope_of(names: &Names, blocks: &[&Stmt], at: u32) -> ScopeId {
    let of_text = names.scope_at(at);
    let block = blocks.iter().rev().find_map(|stmt| match stmt.kind {
        StmtKind::Def { name, .. } | StmtKind::Class { name, .. } => Some(name),
        _ => None,
    });
    let definition = block.and_then(|name| {
        let from = names.definitions.partition_point(|found| found.name.start < name.start);
        names.definitions.get(from).filter(|found| {
            found.name == name && matches!(found.kind, DefKind::Function | DefKind::Struct)
        })
    });
    // Scopes that stand in others come after them.
    definition.and_then(|found| found.inner).map_or(of_text, |inner| inner.max(of_text))
}

/// How far the line of a byte is indented; up to the byte if nothing else stands before it.
fn column(source: &Source, at: u32) -> u32 {
    let line = source.lines.span(source.lines.line(at), &source.text);
    let before = Span::new(line.start, line.end.min(at.max(line.start)));
    blanks(source.slice(before))
}

/// How far the line of a byte is indented.
fn column_of(source: &Source, at: u32) -> u32 {
    blanks(source.slice(source.lines.span(source.lines.line(at), &source.text)))
}

fn blanks(line: &str) -> u32 {
    let mut column = 0;
    for byte in line.bytes() {
        match byte {
            b' ' => column += 1,
            b'\t' => column = (column / TAB + 1) * TAB,
            _ => break,
        }
    }
    column
}
