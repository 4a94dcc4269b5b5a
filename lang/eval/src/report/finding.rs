//! Reports as plain data, for programs: the JSON, SARIF and an editor are made of this.

use serde::Serialize;

use super::{Place, Repair, Report};
use crate::codes::{Code, Severity};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in words.
    pub message: String,
    /// Where. What is about no text, such as a file that cannot be read, has no place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// Other places that have to do with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Label>,
    /// The includes and calls that lead to the place, innermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<Label>,
    /// What to do about it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Ways to mend it, each by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fixes: Vec<Fix>,
    /// The field that is not given to the call at the place, if that is the fault. Programs that read
    /// the JSON have it in the help.
    #[serde(skip)]
    pub missing: Option<String>,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The file, as it was named.
    pub file: String,
    /// Where it begins.
    pub start: Position,
    /// Where it ends: the first character that is not part of it.
    pub end: Position,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// Bytes before it.
    pub offset: usize,
    /// Its line, from 1.
    pub line: usize,
    /// Its column, from 1, in Unicode characters.
    pub column: usize,
}

/// A place and what is to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// The place.
    pub location: Location,
    /// The words.
    pub message: String,
}

/// Changes of one file that mend a fault together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What is done, in words.
    pub title: String,
    /// The changes; no two overlap.
    pub edits: Vec<Edit>,
}

/// What is put in the place of a part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// What is replaced.
    pub location: Location,
    /// By what.
    pub text: String,
}

impl Finding {
    pub(super) fn of(report: &Report) -> Self {
        let content = &report.0;
        Self {
            code: content.code,
            severity: content.code.severity(),
            message: content.message.clone(),
            location: content.place.as_ref().map(Place::location),
            related: content.related.iter().map(Place::to_label).collect(),
            path: content.path.iter().map(Place::to_label).collect(),
            help: content.help.clone(),
            fixes: content.fixes.iter().map(Repair::to_fix).collect(),
            missing: content.missing.clone(),
        }
    }
}

impl Place {
    fn location(&self) -> Location {
        location(self.source.name(), self.text(), &self.span)
    }

    fn to_label(&self) -> Label {
        Label { location: self.location(), message: self.label.clone() }
    }
}

impl Repair {
    fn to_fix(&self) -> Fix {
        let edits = self.edits.iter().map(|(span, text)| Edit {
            location: location(self.source.name(), self.source.inner(), span),
            text: text.clone(),
        });
        Fix { title: self.title.clone(), edits: edits.collect() }
    }
}

fn location(file: &str, text: &str, span: &std::ops::Range<usize>) -> Location {
    Location {
        file: file.to_owned(),
        start: Position::of(text, span.start),
        end: Position::of(text, span.end.max(span.start)),
    }
}

impl Position {
    fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset.min(text.len())).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            offset: before.len(),
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            // A byte order mark stands in no column.
            column: before[line_start..].trim_start_matches('\u{feff}').chars().count() + 1,
        }
    }
}
