//! Reports as `miette` shows them to people.

use std::fmt;

use miette::{
    Diagnostic, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};

use super::{Place, Report};
use crate::codes::Severity;

/// How many bytes of a file are shown around a place. Only lines that nobody wrote by hand, such as
/// those of generated JSON, are longer.
const MOST_SHOWN: usize = 4096;
/// How much is shown before and behind the place if not all around it is.
const BESIDE: usize = 200;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Report {}

impl Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.0.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity() {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.place.as_ref().map(|place| place as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.0.place.as_ref()?;
        let beside = self.0.related.iter().filter(|related| related.is_in_file_of(place));
        Some(Box::new(std::iter::once(place).chain(beside).map(Place::as_label)))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let place = self.0.place.as_ref();
        let elsewhere = self
            .0
            .related
            .iter()
            .filter(move |related| place.is_none_or(|place| !related.is_in_file_of(place)))
            .chain(&self.0.path)
            .map(|place| place as &dyn Diagnostic);
        let others = self.0.others.iter().map(|report| report as &dyn Diagnostic);
        let mut all = elsewhere.chain(others).peekable();
        all.peek()?;
        Some(Box::new(all))
    }
}

impl Place {
    fn is_in_file_of(&self, other: &Self) -> bool {
        self.source.name() == other.source.name()
    }

    fn as_label(&self) -> LabeledSpan {
        LabeledSpan::new_with_span(Some(self.label.clone()), self.span.clone())
    }
}

/// The text, with columns that count characters: those of `miette` count bytes; long lines
/// are cut.
impl SourceCode for Place {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let all = self.source.read_span(span, lines_before, lines_after)?;
        let text = self.text();
        let (first, last) = (all.span().offset(), all.span().offset() + all.span().len());
        let (mut start, mut end) = (first, last);
        if last - first > MOST_SHOWN {
            start = text.floor_char_boundary(span.offset().saturating_sub(BESIDE)).max(first);
            end = span.offset() + span.len().min(MOST_SHOWN) + BESIDE;
            end = text.floor_char_boundary(end).min(last);
        }
        let skipped = text.get(first..start).unwrap_or_default().matches('\n').count();
        let before = text.get(..start).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let column = line.trim_start_matches('\u{feff}').chars().count();
        Ok(Box::new(MietteSpanContents::new_named(
            self.source.name().to_owned(),
            text.as_bytes().get(start..end).unwrap_or_default(),
            (start, end - start).into(),
            all.line() + skipped,
            column,
            all.line_count(),
        )))
    }
}

/// A step on the way to a fault is shown with the text around it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

impl std::error::Error for Place {}

impl Diagnostic for Place {
    fn severity(&self) -> Option<miette::Severity> {
        Some(miette::Severity::Advice)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let here = LabeledSpan::new_with_span(Some("here".to_owned()), self.span.clone());
        Some(Box::new(std::iter::once(here)))
    }
}
