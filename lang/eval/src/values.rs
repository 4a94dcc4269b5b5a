//! The objects and types of the language as values of the interpreter.

#![expect(
    unsafe_code,
    reason = "the derives of the interpreter's value traits expand to unsafe impls"
)]
#![allow(
    clippy::panic,
    reason = "of the derives, too: values are never written to the interpreter's page files"
)]

mod declare;
mod environment;
mod json;
mod method;
mod object;
mod types;

use crate::context::context;
use std::cell::{Cell, RefCell};

use starlark::environment::GlobalsBuilder;
use starlark::eval::{Arguments, Evaluator};
use starlark::values::dict::DictRef;
use starlark::values::float::StarlarkFloat;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;
use starlark::values::{UnpackValue, Value, ValueLike};

use crate::codes::Code;
use crate::limits::Budget;
use crate::report::interpreter::code_of;
use crate::stdlib;
use aurora_template::object::{Object, Origin};
use aurora_template::scope::{Problem, Resolved, text_form};
use aurora_template::types::{Plain, TypeMismatch};

use environment::EnvironmentValue;
pub(crate) use object::ObjectValue;
pub(crate) use types::TypeValue;

/// How deep plain lists and dicts may nest.
const MAX_NESTING: usize = 64;
/// How much interpolations in the course of one evaluation may cost, in values gone through and
/// references looked up.
const MAX_COST: usize = 50_000_000;

/// Adds the names that make types and tables (`dsl.md` 1).
pub(crate) fn add(builder: &mut GlobalsBuilder) {
    types::add(builder);
    declare::add(builder);
    environment::add(builder);
}

/// A failure of the language itself, for the diagnostic to place.
pub(crate) fn failure(error: TypeMismatch) -> starlark::Error {
    starlark::Error::new_other(error)
}

fn fail<T>(message: impl Into<String>) -> starlark::Result<T> {
    Err(failure(TypeMismatch::new(message)))
}

thread_local! {
    /// What the interpolations of this evaluation have cost. Operators are not told which
    /// evaluation they belong to; but it has its thread to itself.
    static COST: Cell<usize> = const { Cell::new(0) };
    /// Why an object could not be made text. Printing cannot fail, so the next call that can does.
    static UNPRINTED: RefCell<Option<starlark::Error>> = const { RefCell::new(None) };
}

/// Where the interpreter is: the call that is being made.
pub(crate) fn here(eval: &Evaluator<'_, '_, '_>) -> Option<Origin> {
    let location = eval.call_stack_top_location()?;
    let stack;
    let mut location = &location;
    if stdlib::is_in(location) {
        stack = eval.call_stack();
        let calls = stack.frames.iter().filter_map(|frame| frame.location.as_ref());
        location = stdlib::caller(location, calls).unwrap_or(location);
    }
    let span = location.span.begin().get() as usize..location.span.end().get() as usize;
    let (file, span) = context(eval).ok()?.sources.borrow().place(location.filename(), span);
    Some(Origin { file, span })
}

/// What the evaluation may use up.
pub(crate) fn budget<'a>(eval: &Evaluator<'_, 'a, '_>) -> starlark::Result<&'a Budget> {
    if let Some(error) = UNPRINTED.take() {
        return Err(error);
    }
    crate::context::context(eval).map(|context| &context.budget).map_err(failure)
}

/// A new object as a value of the interpreter.
pub(crate) fn alloc<'v>(
    object: Object,
    eval: &Evaluator<'v, '_, '_>,
) -> starlark::Result<Value<'v>> {
    budget(eval)?.take_object(&object).map_err(failure)?;
    Ok(eval.heap().alloc(ObjectValue(Some(object))))
}

/// A copy of a struct with these fields. What is wrong with some of them is told when the file has
/// run, so that all such mistakes of a file are told at once.
fn with_fields<'v>(
    object: &Object,
    fields: Vec<(String, Plain)>,
    eval: &Evaluator<'v, '_, '_>,
) -> starlark::Result<Object> {
    let origin = here(eval);
    let (copy, mismatches) =
        object.with_fitting_fields(fields, origin.as_ref()).map_err(failure)?;
    for mismatch in mismatches {
        if code_of(&mismatch) == Code::LimitExceeded {
            return Err(failure(mismatch));
        }
        let mut error = failure(mismatch);
        if let Some(at) = eval.call_stack_top_location() {
            error.set_span(at.span, &at.file);
        }
        error.set_call_stack(|| eval.call_stack());
        context(eval).map_err(failure)?.note_fault(&error);
    }
    Ok(copy)
}

/// What an interpolation came to, unless it failed.
pub(crate) fn settled(resolved: Resolved) -> starlark::Result<Object> {
    let cost = COST.get().saturating_add(resolved.cost);
    COST.set(cost);
    if cost > MAX_COST {
        return fail("the file looks up more references while it is evaluated than may be");
    }
    match resolved.problems.into_iter().next() {
        None => Ok(resolved.object),
        Some(problem) => Err(failure(mismatch(problem))),
    }
}

/// The text of an object that was interpolated.
fn printed(resolved: Resolved) -> String {
    let as_it_is = resolved.object.clone();
    match settled(resolved) {
        Ok(object) => text_form(&object),
        Err(error) => {
            UNPRINTED.set(Some(error));
            text_form(&as_it_is)
        }
    }
}

/// A problem of a value as a failure of the call that stumbled upon it.
fn mismatch(problem: Problem) -> TypeMismatch {
    let place = problem.path.join(".").replace(".[", "[");
    let message =
        if place.is_empty() { problem.message } else { format!("{place}: {}", problem.message) };
    TypeMismatch { help: problem.help, ..TypeMismatch::new(message) }
}

/// The arguments that a call gives by name, as plain values.
pub(crate) fn named<'v>(
    args: &Arguments<'v, '_>,
    eval: &Evaluator<'v, '_, '_>,
) -> starlark::Result<Vec<(String, Plain)>> {
    let budget = budget(eval)?;
    args.names_map()?
        .into_iter()
        .map(|(name, value)| {
            let name = name.as_str();
            let value = plain(value, budget).map_err(|error| failure(error.within(name)))?;
            Ok((name.to_owned(), value))
        })
        .collect()
}

/// The arguments that a call gives by position, as plain values.
pub(crate) fn positional<'v>(
    args: &Arguments<'v, '_>,
    eval: &Evaluator<'v, '_, '_>,
) -> starlark::Result<Vec<Plain>> {
    let budget = budget(eval)?;
    args.positions(eval.heap())?.map(|value| plain(value, budget).map_err(failure)).collect()
}

/// The arguments that a call gives by position.
fn given<'v>(
    args: &Arguments<'v, '_>,
    eval: &Evaluator<'v, '_, '_>,
) -> starlark::Result<Vec<Value<'v>>> {
    Ok(args.positions(eval.heap())?.collect())
}

/// An interpreter's value as a plain one.
pub(crate) fn plain(value: Value<'_>, budget: &Budget) -> Result<Plain, TypeMismatch> {
    plain_at(value, 0, budget)
}

fn plain_at(value: Value<'_>, depth: usize, budget: &Budget) -> Result<Plain, TypeMismatch> {
    if depth > MAX_NESTING {
        return Err(TypeMismatch::new(format!(
            "lists and dicts stand more than {MAX_NESTING} deep in each other"
        )));
    }
    let text = value.unpack_str();
    budget.take(1, text.map_or(0, str::len))?;
    let list = |items: &[Value<'_>]| {
        items
            .iter()
            .map(|item| plain_at(*item, depth + 1, budget))
            .collect::<Result<_, _>>()
            .map(Plain::List)
    };
    if let Some(object) = ObjectValue::from_value(value) {
        return Ok(match &object.0 {
            Some(object) => Plain::Object(object.clone()),
            None => Plain::Empty,
        });
    }
    if let Some(text) = text {
        return Ok(Plain::Text(text.to_owned()));
    }
    if let Some(truth) = value.unpack_bool() {
        return Ok(Plain::Bool(truth));
    }
    if let Ok(Some(number)) = i64::unpack_value(value) {
        return Ok(Plain::Int(number));
    }
    if let Some(float) = value.downcast_ref::<StarlarkFloat>() {
        return Ok(Plain::Float(float.0));
    }
    if let Some(items) = ListRef::from_value(value) {
        return list(items.content());
    }
    if let Some(items) = TupleRef::from_value(value) {
        return list(items.content());
    }
    if let Some(dict) = DictRef::from_value(value) {
        return dict
            .iter()
            .map(|(key, value)| {
                Ok((plain_at(key, depth + 1, budget)?, plain_at(value, depth + 1, budget)?))
            })
            .collect::<Result<_, _>>()
            .map(Plain::Map);
    }
    if let Some(names) = EnvironmentValue::from_value(value) {
        budget.take(names.0.len(), 0)?;
        return Ok(Plain::Names(names.0.clone()));
    }
    if let Some(ty) = TypeValue::from_value(value) {
        return Ok(Plain::Other(format!("the type {} itself", ty.0)));
    }
    if value.get_type() == "int" {
        let digits = value.to_repr();
        budget.take(0, digits.len())?;
        return Ok(Plain::integer(&digits));
    }
    let kind = value.get_type();
    // Only what is short whatever is in it is printed.
    Ok(Plain::Other(if kind == "NoneType" { "None".to_owned() } else { format!("a {kind}") }))
}
