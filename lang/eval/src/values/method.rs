//! What can be asked of an object: `bind`, `check`, its fields and the like.

use std::fmt;

use allocative::Allocative;
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::dict::AllocDict;
use starlark::values::tuple::AllocTuple;
use starlark::values::{
    Heap, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value,
    starlark_value,
};

use super::environment::{EnvironmentValue, scopes};
use super::object::ObjectValue;
use super::{alloc, budget, failure, json, settled};
use aurora_template::object::{Kind, Object};
use aurora_template::render::{check_whole, message_of, to_json};
use aurora_template::scope::{resolve, resolve_field};
use aurora_template::types::{Plain, Type};

/// What calling an attribute of an object does.
#[derive(Debug, Clone)]
pub(super) enum Action {
    /// Puts scopes in front.
    Bind,
    /// Puts scopes behind.
    InScope,
    /// The object itself: it does not change.
    Copy,
    /// Plain data, as it stands.
    Get,
    Check,
    Interpolate,
    JsonDumps,
    /// A field, interpolated.
    Field(String),
    /// Whether a field is there.
    Has(String),
}

impl Action {
    pub(super) const NAMES: [&str; 7] =
        ["bind", "in_scope", "copy", "get", "check", "interpolate", "json_dumps"];

    /// What every object has; these names are no fields.
    pub(super) fn of_every_object(name: &str) -> Option<Self> {
        Some(match name {
            "bind" => Self::Bind,
            "in_scope" => Self::InScope,
            "copy" => Self::Copy,
            "get" => Self::Get,
            "check" => Self::Check,
            "interpolate" => Self::Interpolate,
            "json_dumps" => Self::JsonDumps,
            _ => return None,
        })
    }
}

/// An attribute of an object, to be called.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(super) struct MethodValue {
    #[allocative(skip)]
    pub(super) object: Object,
    #[allocative(skip)]
    pub(super) action: Action,
}
starlark_simple_value!(MethodValue);

impl fmt::Display for MethodValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a method of {}", self.object.ty())
    }
}

#[starlark_value(type = "object_method")]
impl<'v> StarlarkValue<'v> for MethodValue {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let heap = eval.heap();
        let object = &self.object;
        match &self.action {
            Action::Bind => return alloc(object.bound(scopes(args, eval)?), eval),
            Action::InScope => return alloc(object.in_scope(scopes(args, eval)?), eval),
            // Its options are about looks.
            Action::JsonDumps => {
                let text = json::text_of(&to_json(&settled(resolve(object))?));
                budget(eval)?.take(1, text.len()).map_err(failure)?;
                return Ok(heap.alloc(text));
            }
            _ => {}
        }
        args.no_named_args()?;
        args.no_positional_args(heap)?;
        match &self.action {
            Action::Field(field) => match resolve_field(object, field) {
                Some(found) => alloc(settled(found)?, eval),
                None => Ok(heap.alloc(ObjectValue(None))),
            },
            Action::Has(field) => Ok(heap.alloc(object.field(field).is_some())),
            Action::Get => {
                let size = object.size();
                budget(eval)?.take(size.parts, size.text).map_err(failure)?;
                Ok(data(object, heap))
            }
            Action::Check => {
                let problem = check_whole(object).into_iter().next();
                let message = problem.map(|problem| message_of(object.ty(), &problem));
                Ok(heap.alloc(CheckValue { message }))
            }
            Action::Interpolate => {
                let resolved = resolve(object);
                let open: Vec<String> = resolved.unbound.iter().map(ToString::to_string).collect();
                let object = alloc(settled(resolved)?, eval)?;
                let open = open.into_iter().map(|address| heap.alloc(address));
                let open: Vec<Value<'v>> = open.collect();
                Ok(heap.alloc((object, open)))
            }
            Action::Copy | Action::Bind | Action::InScope | Action::JsonDumps => {
                alloc(object.clone(), eval)
            }
        }
    }
}

/// An object as the interpreter's own data, as it stands, absent fields left out.
fn data<'v>(object: &Object, heap: Heap<'v>) -> Value<'v> {
    match (object.kind(), object.ty()) {
        (Kind::Scalar(value), _) => plain_data(value, heap),
        (Kind::Choice(value), _) => plain_data(value, heap),
        (Kind::List(items), _) => {
            let items: Vec<Value<'v>> = items.iter().map(|item| data(item, heap)).collect();
            heap.alloc(AllocTuple(items))
        }
        (Kind::Map(entries), _) => {
            let entries: Vec<(Value<'v>, Value<'v>)> = entries
                .iter()
                // Keys are scalars, or what has no hash and stands as its text.
                .map(|(key, value)| match key.kind() {
                    Kind::Scalar(key) => (plain_key(key, heap), data(value, heap)),
                    _ => (heap.alloc(aurora_template::scope::text_form(key)), data(value, heap)),
                })
                .collect();
            heap.alloc(AllocDict(entries))
        }
        (Kind::Struct(fields), Type::Struct(ty)) => {
            let fields: Vec<(Value<'v>, Value<'v>)> = fields
                .iter()
                .zip(&ty.fields)
                .filter_map(|(value, field)| {
                    Some((heap.alloc(&*field.name), data(value.as_ref()?, heap)))
                })
                .collect();
            heap.alloc(AllocDict(fields))
        }
        (Kind::Struct(_), _) => Value::new_none(),
    }
}

fn plain_key<'v>(key: &Plain, heap: Heap<'v>) -> Value<'v> {
    match key {
        Plain::Text(_) | Plain::Int(_) | Plain::Float(_) | Plain::Bool(_) => plain_data(key, heap),
        other => heap.alloc(other.text()),
    }
}

fn plain_data<'v>(value: &Plain, heap: Heap<'v>) -> Value<'v> {
    match value {
        Plain::Text(text) => heap.alloc(text.as_str()),
        Plain::Int(number) => heap.alloc(*number),
        Plain::Big(digits) => heap.alloc(digits.as_str()),
        Plain::Float(number) => heap.alloc(*number),
        Plain::Bool(value) => Value::new_bool(*value),
        Plain::List(items) => {
            let items: Vec<Value<'v>> = items.iter().map(|item| plain_data(item, heap)).collect();
            heap.alloc(AllocTuple(items))
        }
        Plain::Map(entries) => {
            let entries: Vec<(Value<'v>, Value<'v>)> = entries
                .iter()
                .map(|(key, value)| (plain_key(key, heap), plain_data(value, heap)))
                .collect();
            heap.alloc(AllocDict(entries))
        }
        Plain::Object(object) => data(object, heap),
        Plain::Names(names) => heap.alloc(EnvironmentValue(names.clone())),
        Plain::Empty => heap.alloc(ObjectValue(None)),
        Plain::Other(_) => Value::new_none(),
    }
}

/// What a check came to.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct CheckValue {
    message: Option<String>,
}
starlark_simple_value!(CheckValue);

impl fmt::Display for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            None => f.write_str("TypeCheck(OK)"),
            Some(message) => write!(f, "TypeCheck(FAILED): {message}"),
        }
    }
}

#[starlark_value(type = "type_check")]
impl<'v> StarlarkValue<'v> for CheckValue {
    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        let answer = match attribute {
            "ok" => Answer::Ok(self.message.is_none()),
            "message" => Answer::Message(self.message.clone().unwrap_or_default()),
            _ => return None,
        };
        Some(heap.alloc(AnswerValue(answer)))
    }
}

#[derive(Debug, Allocative)]
enum Answer {
    Ok(bool),
    Message(String),
}

/// `ok` or `message` of a check, to be called.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct AnswerValue(Answer);
starlark_simple_value!(AnswerValue);

impl fmt::Display for AnswerValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Answer::Ok(_) => "ok",
            Answer::Message(_) => "message",
        })
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for AnswerValue {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        args.no_named_args()?;
        args.no_positional_args(eval.heap())?;
        Ok(match &self.0 {
            Answer::Ok(ok) => Value::new_bool(*ok),
            Answer::Message(message) => eval.heap().alloc(message.as_str()),
        })
    }
}
