//! What can be wrong with an object.

use std::ops::Range;

use crate::Address;
use crate::interpolate::InterpolateError;
use crate::object::Origin;

/// Something about a value that is wrong, and where the value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Of what kind it is.
    pub kind: ProblemKind,
    /// The names of the fields that lead to it; elements of lists and maps as `[n]`.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The innermost call that made a part of it.
    pub origin: Option<Origin>,
    /// The references that lead back to each other, if that is what is wrong.
    pub cycle: Vec<Address>,
    /// Which bytes of the text are at fault, if it is a text and not all of it.
    pub in_text: Option<Range<usize>>,
}

/// The kinds of what can be wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// It cannot be made a value of its type.
    Coercion,
    /// Something between double braces is no address.
    Address,
    /// References lead back to themselves.
    Cycle,
    /// It comes to more than may be.
    Limit,
    /// It must be given, and is not.
    Required,
    /// It is a number or the like, and a reference is left in it.
    Open,
    /// It fits no alternative of a choice.
    Choice,
    /// Something else.
    Other,
}

impl Problem {
    /// A problem without a place in the source.
    pub fn new(kind: ProblemKind, path: Vec<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            path,
            message: message.into(),
            help: None,
            origin: None,
            cycle: Vec::new(),
            in_text: None,
        }
    }
}

/// Why a text cannot be interpolated.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ProblemKind,
    pub(crate) message: String,
    pub(crate) cycle: Vec<Address>,
}

impl Failure {
    pub(crate) fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cycle: Vec::new() }
    }

    pub(crate) fn cycle(text: &str, cycle: Vec<Address>) -> Self {
        InterpolateError::Cycle { text: crate::beginning(text), cycle }.into()
    }
}

impl From<InterpolateError> for Failure {
    fn from(error: InterpolateError) -> Self {
        let kind = match &error {
            InterpolateError::Address(_) => ProblemKind::Address,
            InterpolateError::Cycle { .. } | InterpolateError::Endless { .. } => ProblemKind::Cycle,
            InterpolateError::TooLong { .. } => ProblemKind::Limit,
        };
        let failure = Self::new(kind, error.to_string());
        match error {
            InterpolateError::Cycle { cycle, .. } => Self { cycle, ..failure },
            _ => failure,
        }
    }
}
