//! What the interpreter has to say, in plain words.

use starlark::codemap::FileSpan;
use starlark::errors::Frame;

use super::{Report, shortened, words};
use crate::codes::Code;
use crate::sources::Sources;
use crate::stdlib;
use aurora_template::object::Origin;
use aurora_template::types::TypeMismatch;

/// How many calls that led to an error are shown.
const MAX_FRAMES: usize = 4;

/// A function of the language does not go on: why, under which code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<Refusal> for starlark::Error {
    fn from(refusal: Refusal) -> Self {
        Self::new_other(refusal)
    }
}

impl Report {
    pub(crate) fn of_interpreter(error: &starlark::Error, sources: &Sources, file: &str) -> Self {
        use starlark::ErrorKind as Kind;
        let mut report =
            Self::new(Code::EvaluationError, format!("{}", error.without_diagnostic()));
        let (Kind::Fail(cause)
        | Kind::StackOverflow(cause)
        | Kind::Value(cause)
        | Kind::Function(cause)
        | Kind::Scope(cause)
        | Kind::Parser(cause)
        | Kind::Internal(cause)
        | Kind::Native(cause)
        | Kind::Other(cause)) = error.kind()
        else {
            return report;
        };
        report.0.code = match error.kind() {
            Kind::Fail(_) => Code::FailedByFile,
            Kind::StackOverflow(_) => Code::LimitExceeded,
            Kind::Scope(_) => Code::UnknownName,
            Kind::Parser(_) => Code::SyntaxError,
            Kind::Function(_) => Code::WrongArguments,
            _ => Code::EvaluationError,
        };
        if let Kind::Fail(_) = error.kind()
            && let Some(said) = report.0.message.strip_prefix("fail: ")
        {
            report.0.message = said.to_owned();
        }
        let mut frames: Vec<&Frame> = error.call_stack().frames.iter().collect();
        let calls = frames.iter().filter_map(|frame| frame.location.as_ref());
        let caller = error.span().and_then(|span| stdlib::caller(span, calls));
        let span = caller.or(error.span());
        if let Some(mismatch) = cause.downcast_ref::<TypeMismatch>() {
            report = report.of_mismatch(mismatch);
            if let Some(span) = span {
                let origin = origin(span, sources);
                let field = mismatch.field.as_deref();
                report = report.at_field(sources, Some(&origin), field);
                if let Some(field) = field {
                    report = report.with_suggestion_for(field);
                }
            }
        } else {
            let mut word = None;
            if let Some(refusal) = cause.downcast_ref::<Refusal>() {
                report.0.code = refusal.code;
                report.0.message = shortened(refusal.message.clone());
                report.0.help.clone_from(&refusal.help);
            } else if let Some(meaning) = words::meaning(&report.0.message) {
                report.0.code = meaning.code;
                report.0.message = meaning.message;
                report.0.help = meaning.help;
                word = meaning.word;
            }
            if let Some(span) = span {
                let Origin { file, span } = origin(span, sources);
                // The library begins what it says with the name of the argument that is at fault.
                let argument = caller.and(report.0.message.split_once(": "));
                let argument = argument.map(|(name, _)| name.to_owned());
                report = match argument {
                    Some(argument) => {
                        let origin = Origin { file, span };
                        report.at_field(sources, Some(&origin), Some(&argument))
                    }
                    None => report.at(sources, &file, span, "here"),
                };
                report = match word {
                    Some(word) => report.at_word(&word).with_suggestion_for(&word),
                    None => report.with_suggestion(),
                };
            } else {
                report.0.message = format!("{file}: {}", report.0.message);
            }
        }
        // Functions that only the rewritten text calls mean nothing to who wrote the file; that a
        // file was included is told by who includes it.
        frames.retain(|frame| !frame.name.starts_with("__au_") && frame.name != "include");
        // Within the library nobody has anything to look for.
        frames.retain(|frame| {
            let location = frame.location.as_ref();
            caller.is_none() || location.is_some_and(|at| !stdlib::is_in(at))
        });
        // A call that failed itself is what the report points at already.
        if frames.last().is_some_and(|frame| frame.location.as_ref() == span) {
            frames.pop();
        }
        for frame in frames.iter().rev().take(MAX_FRAMES) {
            if let Some(location) = &frame.location {
                let Origin { file, span } = origin(location, sources);
                let label = format!("in `{}`, called here", frame.name);
                report = report.through(sources, &file, span, &label);
            }
        }
        report
    }

    /// Says why a value is not of its type.
    pub(crate) fn of_mismatch(mut self, mismatch: &TypeMismatch) -> Self {
        self.0.code = code_of(mismatch);
        self.0.message = shortened(mismatch.message.clone());
        self.0.help.clone_from(&mismatch.help);
        self
    }
}

/// The code of a value that is not of its type.
pub(crate) fn code_of(mismatch: &TypeMismatch) -> Code {
    if mismatch.message.contains(" has no field `") {
        Code::UnknownField
    } else if mismatch.message.contains(" cannot be bound to ") {
        Code::BadBinding
    } else if mismatch.no_value.is_some() {
        Code::BadEnumValue
    } else if mismatch.message.contains("more than") {
        Code::LimitExceeded
    } else {
        Code::TypeMismatch
    }
}

fn origin(span: &FileSpan, sources: &Sources) -> Origin {
    let range = span.span.begin().get() as usize..span.span.end().get() as usize;
    let (file, span) = sources.place(span.filename(), range);
    Origin { file, span }
}
