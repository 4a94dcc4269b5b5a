//! What is wrong with a file, as a diagnostic that points at it.

mod finding;
pub(crate) mod interpreter;
mod json;
mod place;
mod sarif;
mod terminal;
mod words;

use std::ops::Range;
use std::sync::Arc;

use miette::NamedSource;

pub use crate::report::finding::{Edit, Finding, Fix, Label, Location, Position};

pub(crate) use place::written_argument;

pub use crate::report::json::{Checked, Summary};
pub use crate::report::sarif::sarif;

use crate::codes::{Code, Severity};
use crate::context::Reads;
use crate::sources::Sources;
use aurora_template::object::Origin;

/// How many characters of a message are shown: it may hold a value of the file.
const MAX_MESSAGE: usize = 1000;
/// How many things that are wrong with one job are shown.
pub(crate) const MAX_REPORTS: usize = 20;

/// What is wrong with a configuration: what, where it stands, how one comes there, what to do about
/// it. One may stand for several: what else is wrong follows the first.
#[derive(Debug, Clone)]
pub struct Report(Box<Content>);

#[derive(Debug, Clone)]
struct Content {
    code: Code,
    message: String,
    /// Where the fault is.
    place: Option<Place>,
    /// Places that have to do with it.
    related: Vec<Place>,
    /// The includes and calls that lead there, innermost first.
    path: Vec<Place>,
    help: Option<String>,
    fixes: Vec<Repair>,
    /// What else is wrong.
    others: Vec<Report>,
    /// The field that is not given, if that is the fault.
    missing: Option<String>,
    /// What the evaluation had read when it failed.
    reads: Option<Reads>,
}

/// A part of a file, and what is to say about it.
#[derive(Debug, Clone)]
struct Place {
    source: NamedSource<Arc<str>>,
    span: Range<usize>,
    label: String,
}

impl Place {
    fn text(&self) -> &str {
        self.source.inner()
    }
}

/// A way to mend it: what is put into which parts of a file.
#[derive(Debug, Clone)]
struct Repair {
    title: String,
    source: NamedSource<Arc<str>>,
    edits: Vec<(Range<usize>, String)>,
}

impl Report {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Content {
            code,
            message: shortened(message.into()),
            place: None,
            related: Vec::new(),
            path: Vec::new(),
            help: None,
            fixes: Vec::new(),
            others: Vec::new(),
            missing: None,
            reads: None,
        }))
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Says which field is not given.
    pub(crate) fn with_missing(mut self, field: &str) -> Self {
        self.0.missing = Some(field.to_owned());
        self
    }

    /// Says what the evaluation had read when it failed.
    pub(crate) fn with_reads(mut self, reads: Reads) -> Self {
        self.0.reads = Some(reads);
        self
    }

    /// Points at a part of a file.
    pub(crate) fn at(
        mut self,
        sources: &Sources,
        file: &str,
        span: Range<usize>,
        label: &str,
    ) -> Self {
        if let Some(place) = Place::of(sources, file, span, label) {
            self.0.place = Some(place);
        }
        self
    }

    /// Points at something else that has to do with it.
    pub(crate) fn near(
        mut self,
        sources: &Sources,
        file: &str,
        span: Range<usize>,
        label: &str,
    ) -> Self {
        self.0.related.extend(Place::of(sources, file, span, label));
        self
    }

    /// Adds the next step outward of the includes and calls that lead to the place.
    pub(crate) fn through(
        mut self,
        sources: &Sources,
        file: &str,
        span: Range<usize>,
        label: &str,
    ) -> Self {
        let step = Place::of(sources, file, span, label);
        for other in &mut self.0.others {
            other.0.path.extend(step.clone());
        }
        self.0.path.extend(step);
        self
    }

    /// Points at the statement that brought a file in: as the place, if there is none yet, or as the
    /// next step outward.
    pub(crate) fn brought_in(
        self,
        sources: &Sources,
        file: &str,
        span: Range<usize>,
        label: &str,
    ) -> Self {
        if self.0.place.is_none() {
            self.at(sources, file, span, label)
        } else {
            self.through(sources, file, span, label)
        }
    }

    /// Offers a change of the file that mends it.
    pub(crate) fn with_fix(
        mut self,
        sources: &Sources,
        file: &str,
        title: impl Into<String>,
        edits: Vec<(Range<usize>, String)>,
    ) -> Self {
        let fits = |text: &str| edits.iter().all(|(span, _)| text.get(span.clone()).is_some());
        if let Some(text) = sources.text(file).filter(|text| fits(text)) {
            let source = NamedSource::new(file, text);
            self.0.fixes.push(Repair { title: title.into(), source, edits });
        }
        self
    }

    /// Points at the argument `field` of the call that made an object, or at the call's name if
    /// the field was not given there.
    pub(crate) fn at_field(
        self,
        sources: &Sources,
        origin: Option<&Origin>,
        field: Option<&str>,
    ) -> Self {
        let Some(origin) = origin else { return self };
        let Some((text, parsed)) = sources.parsed(&origin.file) else { return self };
        let span = place::argument(&parsed, &text, &origin.span, field);
        self.at(sources, &origin.file, span, "here")
    }

    /// Points at a part of the text that was given for `field`: `in_text` counts its bytes. Where
    /// the text is not written as one plain literal, the reference that the message names is looked
    /// for in the argument.
    pub(crate) fn at_text(
        self,
        sources: &Sources,
        origin: Option<&Origin>,
        field: Option<&str>,
        in_text: Option<&Range<usize>>,
    ) -> Self {
        let named = reference_in(&self.0.message).map(str::to_owned);
        let mut report = self.at_field(sources, origin, field);
        if let Some(named) = named {
            report = report.at_word_near(&named, origin);
        }
        let (Some(origin), Some(field), Some(range)) = (origin, field, in_text) else {
            return report;
        };
        let Some((text, parsed)) = sources.parsed(&origin.file) else { return report };
        match place::in_literal(&parsed, &text, &origin.span, field, range) {
            Some(span) => report.at(sources, &origin.file, span, "here"),
            None => report,
        }
    }

    /// Points at what the file assigns to `name`, or at one element of the list that it is.
    pub(crate) fn at_assignment(
        self,
        sources: &Sources,
        file: &str,
        name: &str,
        element: Option<usize>,
    ) -> Self {
        let span = sources
            .parsed(file)
            .and_then(|(text, parsed)| place::assigned(&parsed, &text, name, element));
        match span {
            Some(span) => self.at(sources, file, span, "here"),
            None => self,
        }
    }

    /// Points besides at an element of the list that a file assigns to a name.
    pub(crate) fn near_assignment(
        self,
        sources: &Sources,
        file: &str,
        (name, element): (&str, usize),
        label: &str,
    ) -> Self {
        let span = sources
            .parsed(file)
            .and_then(|(text, parsed)| place::assigned(&parsed, &text, name, Some(element)));
        match span {
            Some(span) => self.near(sources, file, span, label),
            None => self,
        }
    }

    /// Points at a word within the place, as far to its end as it stands.
    pub(crate) fn at_word(mut self, word: &str) -> Self {
        if let Some(place) = &mut self.0.place
            && let Some(at) = place.text().get(place.span.clone()).and_then(|t| t.rfind(word))
        {
            let start = place.span.start + at;
            place.span = start..start + word.len();
        }
        self
    }

    /// Points at a word within the place, or else within the call that gave the value.
    fn at_word_near(mut self, word: &str, call: Option<&Origin>) -> Self {
        let Some(place) = &mut self.0.place else { return self };
        for span in [Some(place.span.clone()), call.map(|call| call.span.clone())] {
            let Some(span) = span else { continue };
            if let Some(at) = place.text().get(span.clone()).and_then(|text| text.find(word)) {
                let start = span.start + at;
                place.span = start..start + word.len();
                break;
            }
        }
        self
    }

    /// Offers to write `name` in place of what the report points at, if the help suggests one. The
    /// place may go on behind the name, as an argument `name = value` does.
    pub(crate) fn with_suggestion_for(mut self, name: &str) -> Self {
        let suggested = self.0.help.as_deref().and_then(suggestion);
        let (Some(suggested), Some(place)) = (suggested, &self.0.place) else { return self };
        let quoted = |quote: char| {
            let found = place.text().get(place.span.clone())?.strip_prefix(quote)?;
            found.strip_prefix(name)?.starts_with(quote).then_some(1)
        };
        let skipped = match place.text().get(place.span.clone()) {
            Some(text) if text.starts_with(name) => Some(0),
            _ => quoted('"').or_else(|| quoted('\'')),
        };
        let Some(skipped) = skipped else { return self };
        let start = place.span.start + skipped;
        let repair = Repair {
            title: format!("write `{suggested}`"),
            source: place.source.clone(),
            edits: vec![(start..start + name.len(), suggested.to_owned())],
        };
        self.0.fixes.push(repair);
        self
    }

    /// The same with what the help says to write in place of the reference, or the number without a
    /// unit, that the report points at.
    pub(crate) fn with_rewriting(mut self) -> Self {
        let Some(place) = &self.0.place else { return self };
        let Some(here) = place.text().get(place.span.clone()) else { return self };
        let help = self.0.help.as_deref().unwrap_or_default();
        let reference = here.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        let meant = match reference {
            Some(inner) => {
                meant_reference(inner, help).map(|meant| (0, format!("{{{{{meant}}}}}")))
            }
            None => with_unit(here, &self.0.message),
        };
        let Some((skipped, meant)) = meant else { return self };
        let span = place.span.start + skipped..place.span.end;
        let repair = Repair {
            title: format!("write `{meant}`"),
            source: place.source.clone(),
            edits: vec![(span, meant)],
        };
        self.0.fixes.push(repair);
        self
    }

    /// The same if the report points at nothing but a name.
    pub(crate) fn with_suggestion(self) -> Self {
        let here = self.0.place.as_ref().and_then(|place| place.text().get(place.span.clone()));
        let is_name = |text: &&str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        match here.filter(is_name).map(str::to_owned) {
            Some(name) if !name.is_empty() => self.with_suggestion_for(&name),
            _ => self,
        }
    }

    /// Several reports as one: the first, with the others behind it.
    pub(crate) fn all(reports: Vec<Self>) -> Option<Self> {
        let mut reports = reports.into_iter();
        let mut first = reports.next()?;
        for mut other in reports {
            let inner = std::mem::take(&mut other.0.others);
            first.0.others.push(other);
            first.0.others.extend(inner);
        }
        Some(first)
    }

    /// Each thing that is wrong as a report of its own.
    pub fn apart(mut self) -> Vec<Self> {
        let others = std::mem::take(&mut self.0.others);
        let mut all = vec![self];
        all.extend(others);
        all
    }

    /// The file and the byte that it points at.
    pub(crate) fn place(&self) -> Option<(&str, usize)> {
        self.0.place.as_ref().map(|place| (place.source.name(), place.span.start))
    }

    /// A file that could not be read.
    pub(crate) fn unreadable(file: &str, error: &std::io::Error) -> Self {
        Self::new(Code::UnreadableFile, format!("cannot read {file}: {error}"))
    }

    /// What is wrong, or the first of it.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// How bad it is, or the first of it.
    pub fn severity(&self) -> Severity {
        self.0.code.severity()
    }

    /// The message of the first.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the evaluation had read when it failed; [`None`] if there was none.
    pub fn reads(&self) -> Option<&Reads> {
        self.0.reads.as_ref()
    }

    /// All that is wrong, as plain data.
    pub fn findings(&self) -> Vec<Finding> {
        std::iter::once(self).chain(&self.0.others).map(Finding::of).collect()
    }
}

impl Place {
    fn of(sources: &Sources, file: &str, span: Range<usize>, label: &str) -> Option<Self> {
        let text = sources.text(file)?;
        let span = span.start.min(text.len())..span.end.min(text.len());
        let source = NamedSource::new(file, text);
        Some(Self { source, span, label: label.to_owned() })
    }
}

/// The reference that a message names.
fn reference_in(message: &str) -> Option<&str> {
    let start = message.find("{{")?;
    let end = start + message[start..].find("}}")? + 2;
    message.get(start..end)
}

/// The name in a help of the form "did you mean `name`?".
fn suggestion(help: &str) -> Option<&str> {
    let (_, rest) = help.split_once("did you mean `")?;
    rest.split_once('`').map(|(name, _)| name)
}

/// What a reference is to be instead, as the help says.
fn meant_reference(inner: &str, help: &str) -> Option<String> {
    // Blanks are what is wrong with it.
    if inner.contains(char::is_whitespace) {
        let plain: String = inner.split_whitespace().collect();
        return plain.parse::<aurora_template::Address>().ok().map(|_| plain);
    }
    let begins = ["did you mean {{", "write {{", "ports are written {{"];
    let rest = begins.iter().find_map(|begin| help.strip_prefix(begin))?;
    rest.split_once("}}").map(|(meant, _)| meant.to_owned())
}

/// An argument that is a number of bytes, which were meant to be megabytes: where its value begins,
/// and what that should be.
fn with_unit(argument: &str, message: &str) -> Option<(usize, String)> {
    if !message.ends_with("with a unit such as 64 * MB") {
        return None;
    }
    let (_, value) = argument.split_once('=')?;
    let value = value.trim_start();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| (argument.len() - value.len(), format!("{value} * MB")))
}

fn shortened(message: String) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}
