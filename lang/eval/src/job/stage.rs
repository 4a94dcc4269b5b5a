//! The steps that a job goes through, and what may be wrong at each (`dsl.md` 8).

use std::fmt;
use std::ops::Range;

use aurora_model::rules::ConvertError;
use aurora_template::object::Origin;
use aurora_template::scope::{Problem, ProblemKind};

use crate::codes::{Code, of_field};

/// A group of steps. What goes wrong in an earlier one is what is wrong with the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// What must be given, and everything below `task` (step 1).
    Construct,
    /// Updates, announcement and what is deprecated (steps 4 to 6).
    ClientValidation,
    /// The types of all fields (step 7).
    Check,
    /// The rules of the request (step 8).
    Convert,
}

impl Stage {
    /// Its name in `config export`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Construct => "construct",
            Self::ClientValidation => "client_validation",
            Self::Check => "check",
            Self::Convert => "convert",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that is wrong with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) stage: Stage,
    pub(crate) code: Code,
    /// The names of the fields that lead to it; elements of lists as `[n]`.
    pub(crate) path: Vec<String>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// Whether the message does not say which field it is about.
    pub(crate) is_nameless: bool,
    /// The innermost call that made a part of it, if it is known.
    pub(crate) origin: Option<Origin>,
    /// Which bytes of the text are at fault, if it is a text and not all of it.
    pub(crate) in_text: Option<Box<Range<usize>>>,
}

impl Fault {
    /// A fault of the field at `path`, which is written like `task.processes[0].name`.
    pub(crate) fn at(stage: Stage, path: &str, message: impl Into<String>) -> Self {
        let path = path.replace('[', ".[");
        Self {
            stage,
            code: Code::InvalidJob,
            path: path.split('.').filter(|step| !step.is_empty()).map(str::to_owned).collect(),
            message: message.into(),
            help: None,
            is_nameless: false,
            origin: None,
            in_text: None,
        }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn coded(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// A rule of the request that is broken.
    pub(crate) fn of_rule(error: ConvertError) -> Self {
        let code = of_field(&error.field, &error.message);
        Self::at(Stage::Convert, &error.field, error.message).coded(code)
    }

    pub(crate) fn of(stage: Stage, problem: Problem) -> Self {
        let missing = match (problem.kind, problem.path.last()) {
            (ProblemKind::Required, Some(field)) => Some(format!("add `{field} = …`")),
            _ => None,
        };
        Self {
            stage,
            code: code_of(&problem),
            path: problem.path,
            message: problem.message,
            help: problem.help.or(missing),
            is_nameless: true,
            origin: problem.origin,
            in_text: problem.in_text.map(Box::new),
        }
    }

    /// Where it is, as messages say it.
    pub(crate) fn place(&self) -> String {
        self.path.join(".").replace(".[", "[")
    }
}

/// What kind of problem it is.
fn code_of(problem: &Problem) -> Code {
    match problem.kind {
        ProblemKind::Cycle => Code::ReferenceCycle,
        ProblemKind::Open => Code::UnboundReference,
        ProblemKind::Required => Code::MissingField,
        ProblemKind::Address => Code::BadReference,
        ProblemKind::Limit => Code::LimitExceeded,
        ProblemKind::Coercion | ProblemKind::Choice | ProblemKind::Other => Code::BadValue,
    }
}
