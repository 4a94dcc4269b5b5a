//! The arguments of a call, and the bounds of what it may make.

use starlark::collections::SmallMap;
use starlark::eval::{Arguments, Evaluator};
use starlark::values::dict::{AllocDict, Dict, DictRef};
use starlark::values::list::ListRef;
use starlark::values::tuple::{AllocTuple, TupleRef};
use starlark::values::{StringValue, UnpackValue, Value};

use crate::codes::Code;
use crate::context::{Context, context};
use crate::report::interpreter::Refusal;
use crate::run::{MAX_HEAP, MAX_TICKS};
use crate::values::failure;

use super::text;

pub(super) type Res<T> = starlark::Result<T>;

/// The longest text that an operation makes.
pub(super) const MAX_TEXT: usize = 16 << 20;
/// The longest list that an operation makes.
pub(super) const MAX_ITEMS: usize = 2_000_000;

/// An error that says what is wrong.
pub(super) fn refuse<T>(message: impl Into<String>) -> Res<T> {
    refuse_as(Code::EvaluationError, message)
}

/// An error that says what to do, too.
pub(super) fn refuse_with<T>(message: impl Into<String>, help: impl Into<String>) -> Res<T> {
    help_as(Code::EvaluationError, message, help)
}

/// An error of a kind of its own.
pub(super) fn refuse_as<T>(code: Code, message: impl Into<String>) -> Res<T> {
    Err(Refusal::new(code, message).into())
}

/// An error of a kind of its own that says what to do, too.
pub(super) fn help_as<T>(
    code: Code,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Res<T> {
    Err(Refusal::new(code, message).with_help(help).into())
}

/// Refuses a text before it is made.
pub(super) fn check_text(len: usize) -> Res<()> {
    if len > MAX_TEXT {
        return refuse_as(
            Code::LimitExceeded,
            format!("the result is a text of {len} bytes; a text may have {} MB", MAX_TEXT >> 20),
        );
    }
    Ok(())
}

/// Refuses a list before it is made.
pub(super) fn check_items(len: usize) -> Res<()> {
    if len > MAX_ITEMS {
        return refuse_as(
            Code::LimitExceeded,
            format!("the result is a list of {len} elements; a list may have {MAX_ITEMS}"),
        );
    }
    Ok(())
}

/// How many bytes an entry of a dict or set takes: it is not on the interpreter's heap.
const ENTRY: usize = 40;

/// Accounts for elements that are looked at or moved, and refuses to go on as [`check`] does.
pub(super) fn work(elements: usize, eval: &mut Evaluator<'_, '_, '_>) -> Res<()> {
    context(eval).map_err(failure)?.budget.work(elements);
    check(eval)
}

/// The same for a text that is read or made.
pub(super) fn read(text: &str, eval: &mut Evaluator<'_, '_, '_>) -> Res<()> {
    context(eval).map_err(failure)?.budget.read(text);
    check(eval)
}

/// Refuses to go on when time or memory is used up, or nobody waits for the result any more.
pub(super) fn check(eval: &mut Evaluator<'_, '_, '_>) -> Res<()> {
    let context = context(eval).map_err(failure)?;
    if context.cancel.is_cancelled() {
        return refuse_as(Code::Cancelled, "the evaluation was cancelled");
    }
    if context.budget.is_worked_up() {
        return help_as(
            Code::LimitExceeded,
            "the functions that the file calls have too much to do",
            "a loop goes through a long list or text in each of its turns: make a dict of the list, \
             or go through it once",
        );
    }
    if eval.get_total_tick_count() > MAX_TICKS {
        return refuse_as(
            Code::LimitExceeded,
            format!("the file takes more than {MAX_TICKS} calls and turns of loops"),
        );
    }
    if eval.heap().peak_allocated_bytes().saturating_add(context.budget.beside()) > MAX_HEAP {
        return out_of_memory();
    }
    Ok(())
}

/// Refuses what is about to take this many bytes more than there are.
pub(super) fn room(bytes: usize, eval: &mut Evaluator<'_, '_, '_>) -> Res<()> {
    let beside = context(eval).map_err(failure)?.budget.beside();
    let taken = eval.heap().allocated_bytes().saturating_add(beside);
    if taken.saturating_add(bytes) > MAX_HEAP { out_of_memory() } else { Ok(()) }
}

fn out_of_memory<T>() -> Res<T> {
    refuse_as(
        Code::LimitExceeded,
        format!("the file takes more than {} MB of memory", MAX_HEAP >> 20),
    )
}

/// A new list.
pub(super) fn list<'v>(items: Vec<Value<'v>>, eval: &mut Evaluator<'v, '_, '_>) -> Res<Value<'v>> {
    check_items(items.len())?;
    work(items.len(), eval)?;
    Ok(eval.heap().alloc(items))
}

/// A new tuple.
pub(super) fn tuple<'v>(items: &[Value<'v>], eval: &mut Evaluator<'v, '_, '_>) -> Res<Value<'v>> {
    check_items(items.len())?;
    work(items.len(), eval)?;
    Ok(eval.heap().alloc(AllocTuple(items.iter().copied())))
}

/// A new text.
pub(super) fn new_text<'v>(text: &str, eval: &mut Evaluator<'v, '_, '_>) -> Res<Value<'v>> {
    check_text(text.len())?;
    read(text, eval)?;
    Ok(eval.heap().alloc(text))
}

/// The elements that a `for` goes over.
pub(super) fn items<'v>(value: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> Res<Vec<Value<'v>>> {
    if let Some(list) = ListRef::from_value(value) {
        work(list.content().len(), eval)?;
        return Ok(list.content().to_vec());
    }
    if let Some(tuple) = TupleRef::from_value(value) {
        return Ok(tuple.content().to_vec());
    }
    let heap = eval.heap();
    if let Some(text) = value.unpack_str() {
        check_items(text.len())?;
        work(text.len(), eval)?;
        return Ok(text.chars().map(|c| heap.alloc(c)).collect());
    }
    if let Some(dict) = DictRef::from_value(value) {
        work(dict.len(), eval)?;
        return Ok(dict.keys().collect());
    }
    if matches!(value.get_type(), "int" | "float" | "bool" | "NoneType" | "function") {
        return refuse_as(
            Code::WrongType,
            format!("{} has no elements to go over", text::kind(value)),
        );
    }
    let mut found = Vec::new();
    for item in value.iterate(heap)? {
        check_items(found.len() + 1)?;
        found.push(item);
    }
    work(found.len(), eval)?;
    Ok(found)
}

/// The keys and values of a dict, or of a sequence of pairs.
pub(super) fn pairs<'v>(
    value: Value<'v>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Vec<(Value<'v>, Value<'v>)>> {
    if let Some(dict) = DictRef::from_value(value) {
        work(dict.len(), eval)?;
        return Ok(dict.iter().collect());
    }
    let mut found = Vec::new();
    for item in items(value, eval)? {
        let pair = items(item, eval)?;
        let [key, value] = pair.as_slice() else {
            return refuse(format!("a dict is made of pairs, got {} elements", pair.len()));
        };
        found.push((*key, *value));
    }
    Ok(found)
}

/// A new dict.
pub(super) fn dict<'v>(
    entries: impl IntoIterator<Item = (Value<'v>, Value<'v>)>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Value<'v>> {
    check(eval)?;
    let mut map = SmallMap::new();
    for (key, value) in entries {
        map.insert_hashed(hashed(key)?, value);
    }
    check_items(map.len())?;
    hold(map.len(), eval)?;
    Ok(eval.heap().alloc(Dict::new(map)))
}

/// Accounts for the entries of a new dict or set.
pub(super) fn hold(entries: usize, eval: &mut Evaluator<'_, '_, '_>) -> Res<()> {
    context(eval).map_err(failure)?.budget.hold(entries.saturating_mul(ENTRY));
    work(entries, eval)
}

/// A value as a key of dicts and sets.
pub(super) fn hashed(key: Value<'_>) -> Res<starlark::collections::Hashed<Value<'_>>> {
    key.get_hashed().or_else(|_| {
        refuse_as(Code::WrongType, format!("{} cannot be a key: it can change", text::kind(key)))
    })
}

/// A call of a function.
pub(super) struct Call<'v, 'a, 'e, 'c> {
    pub(super) name: &'static str,
    pub(super) positional: Vec<Value<'v>>,
    pub(super) named: Vec<(StringValue<'v>, Value<'v>)>,
    pub(super) eval: &'c mut Evaluator<'v, 'a, 'e>,
}

impl<'v, 'a, 'e, 'c> Call<'v, 'a, 'e, 'c> {
    pub(super) fn new(
        name: &'static str,
        args: &Arguments<'v, '_>,
        eval: &'c mut Evaluator<'v, 'a, 'e>,
    ) -> Res<Self> {
        let positional = args.positions(eval.heap())?.collect();
        let named = args.names_map()?.into_iter().collect();
        Ok(Self { name, positional, named, eval })
    }

    /// The arguments under their names; the first `required` must be there.
    pub(super) fn args<const N: usize>(
        &mut self,
        names: [&str; N],
        required: usize,
    ) -> Res<[Option<Value<'v>>; N]> {
        let mut found = [None; N];
        if self.positional.len() > N {
            return refuse_as(
                Code::WrongArguments,
                format!(
                    "{}() takes {} ({} given)",
                    self.name,
                    match N {
                        0 => "no arguments".to_owned(),
                        1 => "at most 1 argument".to_owned(),
                        n => format!("at most {n} arguments"),
                    },
                    self.positional.len()
                ),
            );
        }
        for (slot, value) in found.iter_mut().zip(self.positional.drain(..)) {
            *slot = Some(value);
        }
        for (name, value) in self.named.drain(..) {
            let Some(position) = names.iter().position(|known| *known == name.as_str()) else {
                return refuse_as(
                    Code::WrongArguments,
                    format!("{}() takes no argument `{}`", self.name, name.as_str()),
                );
            };
            if found[position].replace(value).is_some() {
                return refuse_as(
                    Code::WrongArguments,
                    format!("{}() got `{}` twice", self.name, name.as_str()),
                );
            }
        }
        if let Some(missing) = found.iter().take(required).position(Option::is_none) {
            return refuse_as(
                Code::WrongArguments,
                format!("{}() needs the argument `{}`", self.name, names[missing]),
            );
        }
        Ok(found)
    }

    /// Exactly the arguments that are needed.
    pub(super) fn exactly<const N: usize>(&mut self, names: [&str; N]) -> Res<[Value<'v>; N]> {
        Ok(self.args(names, N)?.map(|value| value.unwrap_or(Value::new_none())))
    }

    /// The one argument.
    pub(super) fn one(&mut self) -> Res<Value<'v>> {
        let [value] = self.exactly(["x"])?;
        Ok(value)
    }

    pub(super) fn no_named(&self) -> Res<()> {
        match self.named.first() {
            Some((name, _)) => refuse_as(
                Code::WrongArguments,
                format!("{}() takes no argument `{}`", self.name, name.as_str()),
            ),
            None => Ok(()),
        }
    }

    pub(super) fn context(&self) -> Res<&'a Context<'e>> {
        context(self.eval).map_err(failure)
    }

    pub(super) fn text(&self, value: Value<'v>) -> Res<&'v str> {
        match value.unpack_str() {
            Some(text) => Ok(text),
            None => refuse_as(
                Code::WrongType,
                format!("{}() takes text, got {}", self.name, text::kind(value)),
            ),
        }
    }

    pub(super) fn int(&self, value: Value<'v>) -> Res<i64> {
        if let Some(truth) = value.unpack_bool() {
            return Ok(i64::from(truth));
        }
        match i64::unpack_value(value) {
            Ok(Some(number)) => Ok(number),
            _ => refuse_as(
                Code::WrongType,
                format!("{}() takes a whole number, got {}", self.name, text::kind(value)),
            ),
        }
    }

    /// A number of things, 0 if it is negative.
    pub(super) fn count(&self, value: Value<'v>) -> Res<usize> {
        Ok(usize::try_from(self.int(value)?.max(0)).unwrap_or(usize::MAX))
    }

    pub(super) fn iterate(&mut self, value: Value<'v>) -> Res<Vec<Value<'v>>> {
        items(value, self.eval)
    }

    /// The first elements; counting without end is not followed further.
    pub(super) fn iterate_up_to(&mut self, value: Value<'v>, most: usize) -> Res<Vec<Value<'v>>> {
        if value.get_type() != "range" {
            return self.iterate(value);
        }
        let mut found = Vec::new();
        for item in value.iterate(self.eval.heap())?.take(most) {
            check_items(found.len() + 1)?;
            found.push(item);
        }
        Ok(found)
    }

    pub(super) fn pairs(&mut self, value: Value<'v>) -> Res<Vec<(Value<'v>, Value<'v>)>> {
        pairs(value, self.eval)
    }

    pub(super) fn call(&mut self, function: Value<'v>, args: &[Value<'v>]) -> Res<Value<'v>> {
        self.eval.eval_function(function, args, &[])
    }

    pub(super) fn alloc(&self, value: impl starlark::values::AllocValue<'v>) -> Value<'v> {
        self.eval.heap().alloc(value)
    }

    pub(super) fn list(&mut self, items: Vec<Value<'v>>) -> Res<Value<'v>> {
        list(items, self.eval)
    }

    pub(super) fn tuple(&mut self, items: &[Value<'v>]) -> Res<Value<'v>> {
        tuple(items, self.eval)
    }

    pub(super) fn new_text(&mut self, text: &str) -> Res<Value<'v>> {
        new_text(text, self.eval)
    }

    pub(super) fn texts<T: AsRef<str>>(
        &mut self,
        texts: impl IntoIterator<Item = T>,
    ) -> Res<Value<'v>> {
        let heap = self.eval.heap();
        let items = texts.into_iter().map(|text| heap.alloc(text.as_ref())).collect();
        self.list(items)
    }

    /// The arguments given by name, as a dict.
    pub(super) fn named_dict(&mut self) -> Value<'v> {
        let named = std::mem::take(&mut self.named);
        self.alloc(AllocDict(named.into_iter().map(|(name, value)| (name.to_value(), value))))
    }
}
