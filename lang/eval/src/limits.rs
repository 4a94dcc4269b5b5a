//! What evaluating a file may use up: a file that is wrong, or hostile, is refused; it does not end
//! the process.

#![expect(
    unsafe_code,
    reason = "the derives of the interpreter's value traits expand to unsafe impls"
)]

use std::cell::Cell;

use starlark::values::ProvidesStaticType;

use crate::codes::Code;
use crate::report::Report;
use aurora_template::object::{Kind, Object};
use aurora_template::types::TypeMismatch;

/// The stack of an evaluation, of which only what is used takes memory. Parser, interpreter and
/// templates go as deep as what they work on; this is enough for whatever the other limits let pass.
const STACK: usize = 256 << 20;
/// How deep objects may hold objects: what is bound to an object counts, too.
const MAX_DEPTH: usize = 100;
/// How often one object may be bound to something.
const MAX_SCOPES: usize = 1000;
/// How many values the objects of one evaluation may be made of.
const MAX_PARTS: usize = 2_000_000;
/// How many bytes of text the objects of one evaluation may hold.
const MAX_TEXT: usize = 512 << 20;

/// How many elements the functions of the language may look at or move, in one evaluation. One call
/// may do as much as millions of turns of a loop do.
const MAX_WORK: u64 = 500_000_000;
/// How many bytes of a text are as much work as one element.
const TEXT_WORK: usize = 4;

/// Runs something on a thread with a large stack.
pub(crate) fn on_large_stack<T: Send>(
    run: impl FnOnce() -> Result<T, Report> + Send,
) -> Result<T, Report> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("evaluate".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, run)
            .map_err(|error| {
                Report::new(
                    Code::EvaluationError,
                    format!("cannot start a thread to evaluate: {error}"),
                )
            })?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What the objects of one evaluation have used up.
#[derive(Debug, Default, ProvidesStaticType)]
pub(crate) struct Budget {
    parts: Cell<usize>,
    text: Cell<usize>,
    work: Cell<u64>,
    beside: Cell<usize>,
}

impl Budget {
    /// Accounts for elements that are looked at or moved.
    pub(crate) fn work(&self, elements: usize) {
        self.work.set(self.work.get().saturating_add(elements as u64));
    }

    /// Accounts for a text that is read or made.
    pub(crate) fn read(&self, text: &str) {
        self.work(text.len() / TEXT_WORK);
    }

    /// Whether the functions of the language have done more than they may.
    pub(crate) fn is_worked_up(&self) -> bool {
        self.work.get() > MAX_WORK
    }

    /// Accounts for memory that values take beside the interpreter's heap.
    pub(crate) fn hold(&self, bytes: usize) {
        self.beside.set(self.beside.get().saturating_add(bytes));
    }

    /// The memory that values take beside the interpreter's heap, in bytes.
    pub(crate) fn beside(&self) -> usize {
        self.beside.get()
    }

    /// Accounts for values that were made.
    pub(crate) fn take(&self, parts: usize, text: usize) -> Result<(), TypeMismatch> {
        self.parts.set(self.parts.get().saturating_add(parts));
        self.text.set(self.text.get().saturating_add(text));
        if self.parts.get() > MAX_PARTS {
            return Err(TypeMismatch::new(format!(
                "the values of this file are made of more than {MAX_PARTS} parts"
            )));
        }
        if self.text.get() > MAX_TEXT {
            return Err(TypeMismatch::new(format!(
                "the texts of this file have more than {} MB",
                MAX_TEXT >> 20
            )));
        }
        Ok(())
    }

    /// Accounts for an object that was made, whose plain values are accounted for.
    pub(crate) fn take_object(&self, object: &Object) -> Result<(), TypeMismatch> {
        if object.depth() > MAX_DEPTH {
            return Err(TypeMismatch::new(format!(
                "objects are held by objects more than {MAX_DEPTH} deep"
            )));
        }
        if object.scopes().len() > MAX_SCOPES {
            return Err(TypeMismatch::new(format!(
                "an object is bound more than {MAX_SCOPES} times"
            )));
        }
        let size = object.size();
        if size.parts > MAX_PARTS || size.text > MAX_TEXT {
            return Err(TypeMismatch::new(format!(
                "an object is made of more than {MAX_PARTS} parts or {} MB of text",
                MAX_TEXT >> 20
            )));
        }
        let fields = match object.kind() {
            // A field takes as much room as its pointer does: files of ten thousand jobs have many.
            Kind::Struct(fields) => fields.len() / 8,
            _ => 0,
        };
        self.take(1 + fields + object.scopes().len(), 0)
    }
}
