//! What may be written at a cursor: fields, values, names, paths, references in texts, statements.
//!
//! The kind of place decides which part answers: [`fields`] where the name of an argument may stand,
//! [`values`] where the value of a field is expected, [`names`] for what is in scope or behind a dot,
//! [`paths`] in `include` and `load`, [`templates`] within `{{…}}`, [`snippets`] where a statement
//! may begin. Within comments and in ordinary text nothing is proposed.
//!
//! What is typed narrows the answer: the letters left of the cursor must stand in a proposal in
//! their order. So whoever shows the answer asks again when the word changes.

mod describe;
mod expected;
mod fields;
mod given;
mod names;
mod paths;
mod place;
mod snippets;
mod spec;
mod taking;
mod templates;
mod values;

use std::collections::BTreeSet;

use aurora_syntax::Span;

pub use describe::{Origin, documentation};

use crate::source::{FileEdit, FileId};
use crate::workspace::Snapshot;
use place::Place;

/// How many proposals are made at most.
pub const MAX_PROPOSALS: usize = 400;

/// What a proposal is, for the icon that an editor shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletionKind {
    /// A field of a struct, or an argument by its name.
    Field,
    /// One of a few texts.
    Value,
    /// A variable or parameter.
    Variable,
    /// A function.
    Function,
    /// A method of a value.
    Method,
    /// A struct or other type.
    Struct,
    /// A constant, as `MB`.
    Constant,
    /// What stands before a dot and is no value, as `Tasks`.
    Module,
    /// A word of the language.
    Keyword,
    /// Several words or lines at once.
    Snippet,
    /// A file.
    File,
    /// What a template refers to.
    Reference,
}

/// Something that may be written at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What is shown in the list.
    pub label: String,
    /// What it is.
    pub kind: CompletionKind,
    /// Type, default or origin in one line; may be empty.
    pub detail: String,
    /// Where more is said of it: see [`documentation`].
    pub origin: Option<Origin>,
    /// What is replaced: from the start of the word at the cursor to its end.
    pub replaced: Span,
    /// What is inserted.
    pub text: String,
    /// Whether that has places to fill in, as `$1` and `${1:text}`.
    pub is_snippet: bool,
    /// Its place in the list: in the order of these texts.
    pub sort: String,
    /// What typed letters are compared with.
    pub filter: String,
    /// What else is changed in the file, as an `include` that is added.
    pub edits: Vec<FileEdit>,
    /// Whether the language advises against it.
    pub is_deprecated: bool,
    /// Whether there is likely more to complete where the cursor stands after it.
    pub again: bool,
}

impl Completion {
    fn new(label: impl Into<String>, kind: CompletionKind) -> Self {
        let label = label.into();
        Self {
            kind,
            detail: String::new(),
            origin: None,
            replaced: Span::default(),
            text: label.clone(),
            is_snippet: false,
            sort: String::new(),
            filter: label.clone(),
            edits: Vec::new(),
            is_deprecated: false,
            again: false,
            label,
        }
    }

    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    fn of(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    fn inserts(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self.is_snippet = false;
        self
    }

    fn snippet(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self.is_snippet = true;
        self
    }

    fn filter(mut self, text: impl Into<String>) -> Self {
        self.filter = text.into();
        self
    }

    fn again(mut self) -> Self {
        self.again = true;
        self
    }
}

/// How likely something is meant, the most likely first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It fits what is expected, and is at hand.
    Fitting,
    /// A field that must be given.
    Required,
    /// It fits, and is of the language.
    Made,
    /// A field that may be given.
    Optional,
    /// Something to begin with.
    Snippet,
    /// A name of the scope or file.
    Local,
    /// A name of a file of the same namespace.
    Shared,
    /// A word of the language.
    Keyword,
    /// A name of the language.
    Builtin,
    /// It can be had from elsewhere.
    Elsewhere,
    /// The language advises against it.
    Deprecated,
}

/// The proposals as they are found.
struct List {
    replaced: Span,
    /// What stands left of the cursor of what is replaced, in small letters.
    typed: String,
    found: Vec<(Rank, Completion)>,
}

impl List {
    fn new(place: &Place<'_>, replaced: Span) -> Self {
        let typed = Span::new(replaced.start, place.at.min(replaced.end));
        let typed = typed.of(&place.source.text).to_lowercase();
        Self { replaced, typed, found: Vec::new() }
    }

    /// Whether what is typed stands in a text: its letters in their order, the first of them at the
    /// begin of a word.
    fn takes(&self, filter: &str) -> bool {
        let Some(first) = self.typed.chars().next() else { return true };
        let mut before = ' ';
        for (at, letter) in filter.char_indices() {
            let begins =
                !before.is_alphanumeric() || before.is_lowercase() && letter.is_uppercase();
            before = letter;
            if !begins || !letter.to_lowercase().eq(first.to_lowercase()) {
                continue;
            }
            let rest = filter.get(at..).unwrap_or_default();
            let mut letters = rest.chars().flat_map(char::to_lowercase);
            if self.typed.chars().all(|wanted| letters.any(|letter| letter == wanted)) {
                return true;
            }
        }
        false
    }

    fn push(&mut self, rank: Rank, mut proposal: Completion) {
        if self.takes(&proposal.filter) {
            proposal.replaced = self.replaced;
            self.found.push((rank, proposal));
        }
    }

    /// Whether a proposal of that label is there already.
    fn has(&self, label: &str) -> bool {
        self.found.iter().any(|(_, proposal)| proposal.label == label)
    }

    /// The labels of what is there already.
    fn labels(&self) -> BTreeSet<String> {
        self.found.iter().map(|(_, proposal)| proposal.label.clone()).collect()
    }

    /// The place of a proposal in the list, before those that come later in the order of keys. What
    /// begins with the typed letters is meant before what only has them somewhere.
    fn key(&self, rank: Rank, filter: &str) -> (bool, Rank) {
        let begin: String = filter.chars().take(self.typed.chars().count()).collect();
        (begin.to_lowercase() != self.typed, rank)
    }

    fn done(mut self) -> Vec<Completion> {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_cached_key(|(rank, proposal)| self.key(*rank, &proposal.filter));
        found.truncate(MAX_PROPOSALS);
        let proposals = found.into_iter().enumerate();
        proposals
            .map(|(at, (_, mut proposal))| {
                proposal.sort = format!("{at:04}");
                proposal
            })
            .collect()
    }
}

/// What may be written at a byte of a file, the most likely first.
pub fn complete(world: &Snapshot, file: &FileId, at: u32) -> Vec<Completion> {
    let Some(source) = world.file(file) else { return Vec::new() };
    let Some(place) = Place::new(world, source, at) else { return Vec::new() };
    if place.cursor.in_comment() {
        return Vec::new();
    }
    match place.cursor.text() {
        Some(text) => in_text(&place, text),
        None => in_code(&place),
    }
}

fn in_text(place: &Place<'_>, text: crate::cursor::InText) -> Vec<Completion> {
    if let Some(list) = templates::within(place, text) {
        return list.done();
    }
    if text.is_format {
        return Vec::new();
    }
    if let Some(list) = paths::within(place, text) {
        return list.done();
    }
    values::within(place, text).map(List::done).unwrap_or_default()
}

fn in_code(place: &Place<'_>) -> Vec<Completion> {
    if let Some(list) = values::units(place) {
        return list.done();
    }
    let mut list = List::new(place, place.word);
    if place.is_behind_dot() {
        names::members(place, &mut list);
    } else if place.is_new_name() || place.touches_value() {
        // Nobody knows what it will be.
    } else if place.is_module() {
        names::modules(&mut list);
    } else if place.is_behind_value() {
        snippets::operators(place, &mut list);
    } else if place.begins_statement() {
        snippets::statements(place, &mut list);
        if !place.is_in_class() {
            names::all(place, &mut list, &names::Wanted::Statement);
        }
    } else {
        let is_only_fields = fields::arguments(place, &mut list);
        if !is_only_fields {
            values::expressions(place, &mut list);
        }
    }
    list.done()
}
