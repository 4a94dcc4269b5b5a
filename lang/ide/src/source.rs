//! A text with all that is known of it by itself: its tree, its lines, its names.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use aurora_syntax::{Edit, Kind, Parsed, Span, Token};

use crate::names::{Inclusion, Names};
use crate::symbols::Symbol;
use crate::text::{Lines, offset};
use crate::workspace::{normal, target};

/// Names a file: by its path, or as `@std//name.aurora` for a module of the library.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(Arc<str>);

impl FileId {
    /// The file at a path, which should be absolute and without `..`. Bytes of a path that are no
    /// text are replaced: such a file is not found again.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self(path.as_ref().to_string_lossy().into())
    }

    /// The file that an evaluation calls by this name: its path may have `..`, as an `include` was
    /// written.
    pub fn evaluated(name: &str) -> Self {
        if name.starts_with(aurora_eval::STD) {
            Self(name.into())
        } else {
            Self::new(normal(Path::new(name)))
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        Path::new(&*self.0)
    }

    /// Its name, as reports call the file.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether it is a module of the library that comes with the program.
    pub fn is_std(&self) -> bool {
        self.0.starts_with(aurora_eval::STD)
    }
}

impl std::fmt::Display for FileId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file.
    pub file: FileId,
    /// The part.
    pub span: Span,
}

/// A change of a part of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileEdit {
    /// What is replaced.
    pub location: Location,
    /// By what.
    pub text: String,
}

/// A text with the changes of its file; [`None`] if two of them overlap or one is not of the text.
pub fn applied(text: &str, file: &FileId, edits: &[FileEdit]) -> Option<String> {
    let mut edits: Vec<&FileEdit> =
        edits.iter().filter(|edit| edit.location.file == *file).collect();
    edits.sort_by_key(|edit| (edit.location.span.start, edit.location.span.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        let range = edit.location.span.range();
        out.push_str(text.get(at..range.start)?);
        out.push_str(&edit.text);
        text.get(range.clone())?;
        at = range.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// A text that was read. It never changes: an edit makes another one.
#[derive(Debug)]
pub struct Source {
    /// Its file.
    pub id: FileId,
    /// The text.
    pub text: Arc<str>,
    /// The version that the editor calls it; [`None`] if it was read from disk.
    pub version: Option<i32>,
    /// Its lines.
    pub lines: Lines,
    /// Its tree, and what is wrong with it.
    pub parsed: Parsed,
    /// What it defines, uses and includes.
    pub names: Names,
    /// The files that its [`Names::inclusions`] mean, in the same order.
    pub targets: Vec<Option<FileId>>,
    tokens: OnceLock<Vec<Token>>,
    outline: OnceLock<Vec<Symbol>>,
    /// The arguments that are given literals, as places among the tokens, in the order of their names.
    given: OnceLock<Vec<usize>>,
    plain: OnceLock<Vec<Edit>>,
}

impl Source {
    /// Reads a text.
    pub fn new(id: FileId, text: Arc<str>, version: Option<i32>) -> Self {
        let parsed = aurora_syntax::parse(&text);
        Self::of(id, text, version, parsed)
    }

    /// The same file after a change: `replaced` are the bytes of the old text that others took the
    /// place of in the new one.
    pub fn edited(&self, replaced: Range<usize>, text: Arc<str>, version: Option<i32>) -> Self {
        let parsed = aurora_syntax::reparse(self.parsed.clone(), &self.text, replaced, &text);
        Self::of(self.id.clone(), text, version, parsed)
    }

    fn of(id: FileId, text: Arc<str>, version: Option<i32>, parsed: Parsed) -> Self {
        let names = Names::of(&text, &parsed);
        let lines = Lines::of(&text);
        let target = |inclusion: &Inclusion| target(&id, inclusion.path.as_deref()?);
        let targets = names.inclusions.iter().map(target).collect();
        Self {
            id,
            text,
            version,
            lines,
            parsed,
            names,
            targets,
            tokens: OnceLock::new(),
            outline: OnceLock::new(),
            given: OnceLock::new(),
            plain: OnceLock::new(),
        }
    }

    /// The text of a part.
    pub fn slice(&self, span: Span) -> &str {
        span.of(&self.text)
    }

    /// The words and signs, read once somebody asks.
    pub fn tokens(&self) -> &[Token] {
        self.tokens.get_or_init(|| aurora_syntax::tokens(&self.text))
    }

    /// What it consists of, found once somebody asks.
    pub fn outline(&self) -> &[Symbol] {
        self.outline.get_or_init(|| crate::symbols::outline(self))
    }

    /// The literals that are given to arguments of a name, as `name = "text"`: what stands so is found
    /// once somebody asks.
    pub(crate) fn given(&self, argument: &str) -> impl Iterator<Item = &Token> {
        let tokens = self.tokens();
        let name = |at: &usize| self.slice(tokens[*at].span);
        let all = self.given.get_or_init(|| {
            let is_given = |window: &[Token]| {
                let kinds = [Kind::Name, Kind::Eq, Kind::Str];
                window.iter().map(|token| token.kind).eq(kinds)
            };
            let windows = tokens.windows(3).enumerate();
            let mut all: Vec<usize> =
                windows.filter(|(_, window)| is_given(window)).map(|(at, _)| at).collect();
            all.sort_by(|one, other| name(one).cmp(name(other)));
            all
        });
        let from = all.partition_point(|at| name(at) < argument);
        let to = all.partition_point(|at| name(at) <= argument);
        all[from..to].iter().map(|at| &tokens[at + 2])
    }

    /// What writes it in the plain form of the language, as `aurora config migrate` does, found once
    /// somebody asks. A text that does not parse stays as it is.
    pub(crate) fn plain(&self) -> &[Edit] {
        self.plain.get_or_init(|| {
            let mut edits =
                aurora_syntax::migrate(&self.text).map(|found| found.edits).unwrap_or_default();
            // That the byte order mark goes is no change of the language.
            edits.retain(|edit| edit.range.end > self.text_start() as usize);
            edits
        })
    }

    /// Where the text begins, behind a byte order mark if there is one.
    pub fn text_start(&self) -> u32 {
        if self.text.starts_with('\u{feff}') { offset('\u{feff}'.len_utf8()) } else { 0 }
    }

    /// A line without what ends it, and without a byte order mark.
    pub fn line(&self, line: u32) -> Span {
        let Span { start, end } = self.lines.span(line, &self.text);
        let start = start.max(self.text_start());
        Span::new(start, end.max(start))
    }

    /// The lines that a part has for itself, with what ends them; [`None`] if something else stands
    /// on them.
    pub fn own_lines(&self, part: Span) -> Option<Span> {
        let (first, last) = (self.lines.line(part.start), self.lines.line(part.end));
        let before = Span::new(self.line(first).start, part.start);
        let behind = Span::new(part.end, self.line(last).end);
        let is_free = |rest: Span| self.slice(rest).trim().is_empty();
        let end = self.lines.start(last + 1, &self.text);
        (is_free(before) && is_free(behind)).then(|| Span::new(before.start, end))
    }

    /// Whether it defines jobs, and is no part of another file only.
    pub fn defines_jobs(&self) -> bool {
        self.names.in_scope(&self.text, 0, "jobs").next().is_some()
    }

    /// A part of it as a place of the file.
    pub fn at(&self, span: Span) -> Location {
        Location { file: self.id.clone(), span }
    }
}
