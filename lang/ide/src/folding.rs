//! Parts of a file that can be folded away: blocks, what stands in brackets, long texts, comments.

use std::collections::BTreeMap;

use aurora_syntax::tree::{ExprKind, PostKind, Stmt, StmtKind};
use aurora_syntax::{Kind as Word, Span, walk};

use crate::source::{FileId, Source};
use crate::workspace::Snapshot;

/// What is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoldKind {
    /// A block, or what stands in brackets or quotes.
    Code,
    /// Comments.
    Comment,
    /// What brings in other files and modules.
    Imports,
    /// What stands between `# region` and `# endregion`.
    Region,
}

/// A part that can be folded: the line of its begin stays, the others up to that of its end go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// The part.
    pub span: Span,
    /// What it is.
    pub kind: FoldKind,
}

/// The parts of a file that can be folded, in the order of their first lines: at most one begins on
/// a line, the largest.
pub fn folds(world: &Snapshot, file: &FileId) -> Vec<Fold> {
    let Some(source) = world.file(file) else { return Vec::new() };
    let mut folder = Folder { source, found: BTreeMap::new() };
    folder.imports(&source.parsed.tree);
    folder.blocks(&source.parsed.tree);
    folder.tokens();
    folder.comments();
    folder.found.into_values().collect()
}

struct Folder<'a> {
    source: &'a Source,
    /// By the line on which they begin.
    found: BTreeMap<u32, Fold>,
}

impl Folder<'_> {
    fn add(&mut self, span: Span, kind: FoldKind) {
        let lines = &self.source.lines;
        let (first, last) = (lines.line(span.start), lines.line(span.end));
        if first >= last {
            return;
        }
        let fold = Fold { span, kind };
        let known = self.found.entry(first).or_insert(fold);
        if known.span.end < span.end {
            *known = fold;
        }
    }

    /// Lines of `include`, `load` and `import` that follow one another.
    fn imports(&mut self, stmts: &[Stmt]) {
        let is_import = |stmt: &Stmt| match &stmt.kind {
            StmtKind::Import(_) | StmtKind::From { .. } => true,
            StmtKind::Expr(expr) => match &expr.kind {
                ExprKind::Postfix(postfix) => {
                    let name = self.source.slice(postfix.base.span);
                    let is_call = matches!(
                        postfix.ops.as_slice(),
                        [op] if matches!(op.kind, PostKind::Call(_))
                    );
                    matches!(name, "include" | "load") && is_call
                }
                _ => false,
            },
            _ => false,
        };
        let groups = stmts.chunk_by(|one, other| is_import(one) && is_import(other));
        let groups: Vec<Span> = groups
            .filter_map(|group| match group {
                [first, .., last] => Some(first.span.to(last.span)),
                _ => None,
            })
            .collect();
        groups.into_iter().for_each(|group| self.add(group, FoldKind::Imports));
    }

    fn blocks(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            for block in walk::blocks(stmt) {
                if let Some(last) = block.stmts.last() {
                    // What begins the block may go over several lines: the last of them stays.
                    self.add(block.colon.to(last.span), FoldKind::Code);
                }
                self.blocks(&block.stmts);
            }
        }
    }

    /// Brackets and texts, as the words alone tell them: these are there in every text.
    fn tokens(&mut self) {
        let mut open = Vec::new();
        for token in self.source.tokens() {
            match token.kind {
                Word::LParen | Word::LBracket | Word::LBrace => open.push(token.span),
                Word::RParen | Word::RBracket | Word::RBrace => {
                    if let Some(start) = open.pop() {
                        self.add(self.within(start.to(token.span), token.span), FoldKind::Code);
                    }
                }
                Word::Str => {
                    let end = Span::new(token.span.end.saturating_sub(3), token.span.end);
                    self.add(self.within(token.span, end), FoldKind::Code);
                }
                _ => {}
            }
        }
    }

    /// A part without its last line, if nothing but brackets stand before `closer` there: these stay
    /// in sight.
    fn within(&self, whole: Span, closer: Span) -> Span {
        let lines = &self.source.lines;
        let line = lines.line(closer.start);
        let start = lines.start(line, &self.source.text);
        let before = self.source.slice(Span::new(start, closer.start));
        if line > 0 && before.trim_matches([')', ']', '}', ' ', '\t']).is_empty() {
            let end = lines.span(line - 1, &self.source.text).end;
            return Span::new(whole.start, end.max(whole.start));
        }
        whole
    }

    /// Comments that stand on lines of their own, one below the other, and regions.
    fn comments(&mut self) {
        let source = self.source;
        let mut regions = Vec::new();
        let mut run: Option<Span> = None;
        for comment in &source.parsed.comments {
            let line = source.lines.line(comment.start);
            let start = source.lines.start(line, &source.text);
            let is_alone = source.slice(Span::new(start, comment.start)).trim().is_empty();
            let text = source.slice(*comment).trim_start_matches('#').trim();
            if text == "endregion" || text.starts_with("endregion ") {
                if let Some(begin) = regions.pop() {
                    self.add(Span::new(begin, comment.end), FoldKind::Region);
                }
                self.end_run(&mut run);
                continue;
            }
            if text == "region" || text.starts_with("region ") {
                regions.push(comment.start);
                self.end_run(&mut run);
                continue;
            }
            if !is_alone {
                self.end_run(&mut run);
                continue;
            }
            match &mut run {
                Some(run) if source.lines.line(run.end) + 1 == line => run.end = comment.end,
                _ => {
                    self.end_run(&mut run);
                    run = Some(*comment);
                }
            }
        }
        self.end_run(&mut run);
    }

    fn end_run(&mut self, run: &mut Option<Span>) {
        if let Some(run) = run.take() {
            self.add(run, FoldKind::Comment);
        }
    }
}
