//! A text with all that is known of it by itself: its tree, its lines, its names.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use aurora_syntax::{Parsed, Span, Token};

use crate::names::{Inclusion, Names};
use crate::symbols::Symbol;
use crate::text::Lines;
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
    tokens: std::sync::OnceLock<Vec<Token>>,
    outline: std::sync::OnceLock<Vec<Symbol>>,
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
            tokens: std::sync::OnceLock::new(),
            outline: std::sync::OnceLock::new(),
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

    /// A part of it as a place of the file.
    pub fn at(&self, span: Span) -> Location {
        Location { file: self.id.clone(), span }
    }
}
