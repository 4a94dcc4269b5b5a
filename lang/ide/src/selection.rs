//! What a selection grows to, step by step: a word, a reference in a text, the text, an argument, a
//! call, a statement, a block, the file.

use aurora_syntax::tree::{Expr, ExprKind, FPart, PostKind, Stmt, StmtKind, StrPiece};
use aurora_syntax::{Kind as Word, Span, walk};

use crate::names::touches;
use crate::source::{FileId, Source};
use crate::text::offset;
use crate::workspace::Snapshot;

/// The parts of a file that hold a place, from the smallest to the file. Each is larger than the one
/// before.
pub fn ranges(world: &Snapshot, file: &FileId, at: u32) -> Vec<Span> {
    let Some(source) = world.file(file) else { return Vec::new() };
    let at = at.min(offset(source.text.len()));
    let mut ranges = Ranges { source, at, found: Vec::new() };
    ranges.add(Span::new(0, offset(source.text.len())));
    ranges.comments();
    ranges.words();
    ranges.block(&source.parsed.tree);
    ranges.nested()
}

struct Ranges<'a> {
    source: &'a Source,
    at: u32,
    found: Vec<Span>,
}

impl Ranges<'_> {
    fn add(&mut self, span: Span) {
        if touches(span, self.at) && !span.is_empty() {
            self.found.push(span);
        }
    }

    /// Those that stand one in the other, from the smallest on. Of two that overlap, as the words on
    /// both sides of the cursor do not, the first found counts.
    fn nested(mut self) -> Vec<Span> {
        self.found.sort_by_key(|span| span.len());
        let mut chain: Vec<Span> = Vec::new();
        for span in self.found {
            let holds = chain.last().is_none_or(|last| {
                span.start <= last.start && last.end <= span.end && span != *last
            });
            if holds {
                chain.push(span);
            }
        }
        chain
    }

    fn comments(&mut self) {
        let comments = &self.source.parsed.comments;
        let from = comments.partition_point(|comment| comment.end < self.at);
        let Some(here) = comments.get(from).filter(|comment| touches(**comment, self.at)) else {
            return;
        };
        let text = self.source.slice(*here);
        self.add(word_in(text, here.start, self.at));
        self.add(*here);
        // The comments above and below it.
        let line = |comment: &Span| self.source.lines.line(comment.start);
        let follow = |one: &Span, other: &Span| line(one) + 1 == line(other);
        let before = comments[..=from].windows(2).rev().take_while(|p| follow(&p[0], &p[1]));
        let after = comments[from..].windows(2).take_while(|pair| follow(&pair[0], &pair[1]));
        let (first, last) = (from - before.count(), from + after.count());
        self.add(comments[first].to(comments[last]));
    }

    /// The word at the place, and the brackets around it, as the words alone tell them.
    fn words(&mut self) {
        let tokens = self.source.tokens();
        let from = tokens.partition_point(|token| token.span.end < self.at);
        let to = tokens.partition_point(|token| token.span.start <= self.at).max(from);
        for token in &tokens[from..to] {
            let is_word = token.kind == Word::Name
                || token.kind.is_word()
                || matches!(token.kind, Word::Int | Word::Float);
            if is_word {
                self.add(token.span);
            }
        }
        let mut open = Vec::new();
        for token in tokens {
            match token.kind {
                Word::LParen | Word::LBracket | Word::LBrace => open.push(token.span),
                Word::RParen | Word::RBracket | Word::RBrace => {
                    if let Some(start) = open.pop() {
                        self.brackets(start.to(token.span));
                    }
                }
                _ => {}
            }
        }
    }

    fn brackets(&mut self, whole: Span) {
        if !touches(whole, self.at) {
            return;
        }
        self.add(whole);
        let inner = Span::new(whole.start + 1, whole.end.saturating_sub(1).max(whole.start + 1));
        let text = self.source.slice(inner);
        let start = inner.start + offset(text.len() - text.trim_start().len());
        self.add(Span::new(start, start + offset(text.trim().len())));
    }

    fn block(&mut self, stmts: &[Stmt]) {
        if let [first, .., last] = stmts {
            self.add(first.span.to(last.span));
        }
        let from = stmts.partition_point(|stmt| stmt.span.end < self.at);
        let to = stmts.partition_point(|stmt| stmt.span.start <= self.at).max(from);
        for stmt in &stmts[from..to] {
            self.add(stmt.span);
            if let StmtKind::Def { params, .. } = &stmt.kind {
                params.iter().for_each(|param| self.add(param.span));
            }
            walk::expressions(stmt, &mut |expr| self.expression(expr));
            for block in walk::blocks(stmt) {
                self.block(&block.stmts);
            }
        }
    }

    fn expression(&mut self, expr: &Expr) {
        if !touches(expr.span, self.at) {
            return;
        }
        self.add(expr.span);
        match &expr.kind {
            ExprKind::Postfix(postfix) => {
                for op in &postfix.ops {
                    self.add(postfix.base.span.to(op.span));
                    let PostKind::Call(args) = &op.kind else { continue };
                    args.iter().for_each(|arg| self.add(arg.span));
                }
            }
            ExprKind::Dict(entries) => {
                entries.iter().for_each(|(key, value)| self.add(key.span.to(value.span)));
            }
            ExprKind::Chain(chain) => {
                chain.rest.iter().for_each(|(_, part)| self.add(chain.first.span.to(part.span)));
            }
            ExprKind::Str(pieces) => pieces.iter().for_each(|piece| self.literal(piece)),
            _ => {}
        }
        walk::parts(expr, &mut |part| self.expression(part));
    }

    fn literal(&mut self, piece: &StrPiece) {
        if !touches(piece.span, self.at) {
            return;
        }
        self.add(piece.span);
        let inner = piece.inner();
        self.add(inner);
        if let Some(fields) = &piece.fields {
            self.fields(fields);
        }
        if !touches(inner, self.at) {
            return;
        }
        self.add(word_in(self.source.slice(inner), inner.start, self.at));
        let line = self.source.lines.line(self.at);
        let line = self.source.lines.span(line, &self.source.text);
        let shown = Span::new(line.start.max(inner.start), line.end.min(inner.end));
        let text = self.source.slice(shown);
        let start = shown.start + offset(text.len() - text.trim_start().len());
        self.add(Span::new(start, start + offset(text.trim().len())));
        let templates = &self.source.names.templates;
        let template = templates.iter().find(|template| template.literal == piece.span);
        for reference in template.iter().flat_map(|template| &template.references) {
            self.add(reference.span);
            if let ([first, ..], [.., last]) = (&*reference.parts, &*reference.parts) {
                self.add(first.to(*last));
                reference.parts.iter().for_each(|part| self.add(first.to(*part)));
                reference.parts.iter().for_each(|part| self.add(*part));
            }
        }
    }

    fn fields(&mut self, parts: &[FPart]) {
        for part in parts {
            if let FPart::Field { span, spec, .. } = part {
                self.add(*span);
                self.fields(spec);
            }
        }
    }
}

/// The word of a text at a place: what stands between blanks would be too much of a command.
fn word_in(text: &str, start: u32, at: u32) -> Span {
    let at = (at.saturating_sub(start) as usize).min(text.len());
    let (Some(before), Some(after)) = (text.get(..at), text.get(at..)) else {
        return Span::new(start, start);
    };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let left = before.len() - before.trim_end_matches(is_word).len();
    let right = after.len() - after.trim_start_matches(is_word).len();
    Span::new(start + offset(at - left), start + offset(at + right))
}
