//! What is wrong or doubtful: at once from the text, and later from its evaluation.
//!
//! What the text tells is said with the codes, places and nearly the words of the evaluation, so that
//! [`merge`] can tell what is the same. It is said only where the evaluation would say it, too, once
//! it comes there: a name that a computed include might define is no mistake.

mod fields;
mod files;
mod hints;
mod unknown;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_eval::{Code, Finding, Severity};
use aurora_syntax::Span;

use crate::index::Index;
use crate::source::{FileEdit, FileId, Location, Source};
use crate::sure::Certain;
use crate::text::offset;
use crate::workspace::Snapshot;

/// How many diagnostics of a file the text alone gives.
const MAX_DIAGNOSTICS: usize = 200;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The file, or a job, cannot be used.
    Error,
    /// It can be used, and does not do what it seems to.
    Warning,
    /// It works, and could be simpler.
    Hint,
}

/// How it is shown besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tag {
    /// Nobody needs it: greyed out.
    Unnecessary,
    /// It is there for old files only: struck through.
    Deprecated,
}

/// Something that is wrong or doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where.
    pub location: Location,
    /// What kind of thing; [`None`] for hints, which the evaluation does not give.
    pub code: Option<Code>,
    /// How much it matters.
    pub level: Level,
    /// What is wrong, in words.
    pub message: String,
    /// What to do about it, in words.
    pub help: Option<String>,
    /// Other places that have to do with it, then the includes and calls that lead there.
    pub related: Vec<Related>,
    /// Ways to mend it, each by itself.
    pub fixes: Vec<Fix>,
    /// How it is shown besides.
    pub tag: Option<Tag>,
    /// The field that is not given to the call at the place, if that is what is wrong.
    pub missing: Option<String>,
}

/// A place that has to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// The place.
    pub location: Location,
    /// What is to say about it.
    pub message: String,
}

/// A way to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What is done, in words.
    pub title: String,
    /// The changes; no two overlap.
    pub edits: Vec<FileEdit>,
}

impl Diagnostic {
    fn new(source: &Source, span: Span, code: Code, message: impl Into<String>) -> Self {
        Self {
            location: source.at(span),
            code: Some(code),
            level: level(code.severity()),
            message: message.into(),
            help: None,
            related: Vec::new(),
            fixes: Vec::new(),
            tag: None,
            missing: None,
        }
    }

    fn hint(source: &Source, span: Span, tag: Tag, message: impl Into<String>) -> Self {
        let hint = Self::new(source, span, Code::UnusedBinding, message);
        Self { code: None, level: Level::Hint, tag: Some(tag), ..hint }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Suggests another word for a part of the place.
    fn meant(mut self, source: &Source, word: Span, near: Option<&str>) -> Self {
        if let Some(near) = near {
            self.help = Some(format!("did you mean `{near}`?"));
            self.fixes.push(Fix {
                title: format!("write `{near}`"),
                edits: vec![FileEdit { location: source.at(word), text: near.to_owned() }],
            });
        }
        self
    }

    /// The same as something doubtful: nobody knows whether the program comes there.
    fn if_reached(self, is_reached: bool) -> Self {
        let level = if is_reached { self.level } else { Level::Warning };
        Self { level, ..self }
    }

    fn of(finding: &Finding, main: &FileId) -> Self {
        let start = aurora_eval::Position { offset: 0, line: 1, column: 1 };
        let nowhere = aurora_eval::Location { file: main.name().to_owned(), start, end: start };
        // What has no place is told where one came from, or at the begin of the file.
        let (place, path) = match (&finding.location, finding.path.split_first()) {
            (Some(place), _) => (place, finding.path.as_slice()),
            (None, Some((first, rest))) => (&first.location, rest),
            (None, None) => (&nowhere, finding.path.as_slice()),
        };
        let related = finding.related.iter().chain(path).map(|label| Related {
            location: location(&label.location),
            message: label.message.clone(),
        });
        let fixes = finding.fixes.iter().map(|fix| Fix {
            title: fix.title.clone(),
            edits: fix
                .edits
                .iter()
                .map(|edit| FileEdit {
                    location: location(&edit.location),
                    text: edit.text.clone(),
                })
                .collect(),
        });
        Self {
            location: location(place),
            code: Some(finding.code),
            level: level(finding.severity),
            message: finding.message.clone(),
            help: finding.help.clone(),
            related: related.collect(),
            fixes: fixes.collect(),
            tag: match finding.code {
                Code::UnusedBinding | Code::RedefinedName => Some(Tag::Unnecessary),
                _ => None,
            },
            missing: finding.missing.clone(),
        }
    }
}

fn level(severity: Severity) -> Level {
    match severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
    }
}

fn location(place: &aurora_eval::Location) -> Location {
    let span = Span::new(offset(place.start.offset), offset(place.end.offset));
    Location { file: FileId::evaluated(&place.file), span }
}

/// What the text of a file tells of what is wrong with it, in the order of the text. Nothing is
/// evaluated.
pub fn syntax(world: &Snapshot, file: &FileId) -> Vec<Diagnostic> {
    let Some(source) = world.file(file) else { return Vec::new() };
    let mut found = written(source);
    let files = world.namespace(source);
    let index = Index::new(world, &files);
    let about = About { world, source, files: &files, index: &index };
    let mut certain = Certain::new(world, &index);
    unknown::names(&about, &mut found);
    files::inclusions(&about, &mut found);
    fields::calls(&about, &mut certain, &mut found);
    hints::hints(&about, &mut certain, &mut found);
    found.sort_by_key(|diagnostic| {
        let Span { start, end } = diagnostic.location.span;
        (start, end, diagnostic.level)
    });
    found.truncate(MAX_DIAGNOSTICS);
    found
}

/// A file that is looked at, and what is around it.
struct About<'a> {
    world: &'a Snapshot,
    source: &'a Arc<Source>,
    /// The files of its namespace, itself first.
    files: &'a [Arc<Source>],
    index: &'a Index<'a>,
}

/// What is no program, and what the language refuses.
fn written(source: &Source) -> Vec<Diagnostic> {
    let parsed = &source.parsed;
    let errors: Vec<_> = parsed.errors.iter().chain(&parsed.refused).cloned().collect();
    if errors.is_empty() {
        return Vec::new();
    }
    let report = aurora_eval::syntax_report(source.id.name(), &source.text, &errors);
    report.findings().iter().map(|finding| Diagnostic::of(finding, &source.id)).collect()
}

/// What is told of files: what their texts tell and what the evaluation of `main` has found, by file,
/// in the order of the text.
pub fn merge(
    main: &FileId,
    syntax: &[Diagnostic],
    evaluated: &[Finding],
) -> BTreeMap<FileId, Vec<Diagnostic>> {
    let evaluated = evaluated.iter().map(|finding| Diagnostic::of(finding, main)).collect();
    let mut all: BTreeMap<FileId, Vec<Diagnostic>> = BTreeMap::new();
    for told in together(evaluated, syntax) {
        all.entry(told.location.file.clone()).or_default().push(told);
    }
    all
}

/// What evaluations have found and what texts tell, in the order of the text. What a text tells is left
/// out where an evaluation has found something of that kind; what is found several times, as in each of
/// several jobs, is told once.
pub fn together(evaluated: Vec<Diagnostic>, written: &[Diagnostic]) -> Vec<Diagnostic> {
    let mut found = evaluated;
    let place = |told: &Diagnostic| (told.location.clone(), told.code);
    // Of several at one place the first counts.
    let places = found.iter().enumerate().rev().map(|(at, told)| (place(told), at));
    let places: BTreeMap<_, usize> = places.collect();
    for told in written {
        match places.get(&place(told)) {
            Some(at) if found[*at].fixes.is_empty() => found[*at].fixes.clone_from(&told.fixes),
            Some(_) => {}
            None => found.push(told.clone()),
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|told| seen.insert((place(told), told.message.clone())));
    found.sort_by_cached_key(place);
    found
}
