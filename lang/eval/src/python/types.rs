//! Python's types as values: they make values, and tell what a value is.

#![expect(
    unsafe_code,
    reason = "the derives of the interpreter's value traits expand to unsafe impls"
)]
#![allow(
    clippy::panic,
    reason = "of the derives, too: values are never written to the interpreter's page files"
)]

use std::fmt;
use std::sync::LazyLock;

use allocative::Allocative;
use starlark::collections::StarlarkHasher;
use starlark::environment::{Globals, GlobalsBuilder, LibraryExtension};
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::tuple::TupleRef;
use starlark::values::{
    Heap, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value, ValueLike,
    starlark_value,
};

use crate::codes::Code;
use crate::values::{ObjectValue, TypeValue};

use super::call::{Call, Res, refuse, refuse_as, refuse_with};
use super::number::{Number, number, parse_int};
use super::text::{kind, str_of, type_name};

/// A type of Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Builtin {
    Str,
    Unicode,
    Basestring,
    Int,
    Long,
    Float,
    Bool,
    List,
    Dict,
    Tuple,
    Set,
    Frozenset,
    Object,
    Type,
}

pub(super) const ALL: [Builtin; 14] = [
    Builtin::Str,
    Builtin::Unicode,
    Builtin::Basestring,
    Builtin::Int,
    Builtin::Long,
    Builtin::Float,
    Builtin::Bool,
    Builtin::List,
    Builtin::Dict,
    Builtin::Tuple,
    Builtin::Set,
    Builtin::Frozenset,
    Builtin::Object,
    Builtin::Type,
];

impl Builtin {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Unicode => "unicode",
            Self::Basestring => "basestring",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::List => "list",
            Self::Dict => "dict",
            Self::Tuple => "tuple",
            Self::Set => "set",
            Self::Frozenset => "frozenset",
            Self::Object => "object",
            Self::Type => "type",
        }
    }

    /// Whether a value is of this type. There is one type of text and one of whole numbers.
    fn holds(self, value: Value<'_>) -> bool {
        let of = value.get_type();
        match self {
            Self::Str | Self::Unicode | Self::Basestring => of == "string",
            Self::Int | Self::Long => matches!(of, "int" | "bool"),
            Self::Object => true,
            Self::Type => {
                value.downcast_ref::<PyType>().is_some() || TypeValue::from_value(value).is_some()
            }
            Self::Set | Self::Frozenset => of == "set",
            other => of == other.name(),
        }
    }
}

/// A type of Python, to be called.
#[derive(Debug, Clone, Copy, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(super) struct PyType(#[allocative(skip)] pub(super) Builtin);
starlark_simple_value!(PyType);

impl fmt::Display for PyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<type '{}'>", self.0.name())
    }
}

#[starlark_value(type = "type")]
impl<'v> StarlarkValue<'v> for PyType {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        construct(self.0, &mut Call::new(self.0.name(), args, eval)?)
    }

    fn name_for_call_stack(&self, _me: Value<'v>) -> String {
        self.0.name().to_owned()
    }

    fn equals(&self, other: Value<'v>) -> starlark::Result<bool> {
        // `type(x) == "list"` is how Starlark asks.
        Ok(match other.unpack_str() {
            Some(name) => name == self.0.name() || (self.0 == Builtin::Str && name == "string"),
            None => other.downcast_ref::<Self>().is_some_and(|other| other.0 == self.0),
        })
    }

    fn write_hash(&self, hasher: &mut StarlarkHasher) -> starlark::Result<()> {
        use std::hash::Hash;
        self.0.hash(hasher);
        Ok(())
    }

    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        match attribute {
            "__name__" => Some(heap.alloc(self.0.name())),
            _ if attribute.starts_with('_') => None,
            _ => Some(heap.alloc(Unbound { ty: self.0, method: attribute.to_owned() })),
        }
    }
}

/// A method of a type that is given what it works on, such as `str.upper`.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct Unbound {
    #[allocative(skip)]
    ty: Builtin,
    method: String,
}
starlark_simple_value!(Unbound);

impl fmt::Display for Unbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<method {}.{}>", self.ty.name(), self.method)
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for Unbound {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let mut call = Call::new("method", args, eval)?;
        if self.ty == Builtin::Dict && self.method == "fromkeys" {
            let [keys, value] = call.args(["keys", "value"], 1)?;
            let keys = call.iterate(keys.unwrap_or(Value::new_none()))?;
            let value = value.unwrap_or(Value::new_none());
            return super::call::dict(keys.into_iter().map(|key| (key, value)), call.eval);
        }
        if call.positional.is_empty() || !self.ty.holds(call.positional[0]) {
            return refuse(format!(
                "{}.{} needs a {} to work on",
                self.ty.name(),
                self.method,
                self.ty.name()
            ));
        }
        let receiver = call.positional.remove(0);
        super::methods::method(&self.method, receiver, &mut call)
    }
}

fn construct<'v>(ty: Builtin, call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    match ty {
        Builtin::Str | Builtin::Unicode => {
            let [value, _, _] = call.args(["object", "encoding", "errors"], 0)?;
            match value {
                Some(value) if value.unpack_str().is_some() => Ok(value),
                Some(value) => {
                    let text = str_of(value, call.eval.heap())?;
                    call.new_text(&text)
                }
                None => call.new_text(""),
            }
        }
        Builtin::Int | Builtin::Long => int(call),
        Builtin::Float => float(call),
        Builtin::Bool => {
            let [value] = call.args(["x"], 0)?;
            Ok(Value::new_bool(value.is_some_and(Value::to_bool)))
        }
        Builtin::List => {
            let items = sequence(call)?;
            call.list(items)
        }
        Builtin::Tuple => {
            let items = sequence(call)?;
            call.tuple(&items)
        }
        Builtin::Set | Builtin::Frozenset => {
            let items = sequence(call)?;
            set_of(items, call.eval)
        }
        Builtin::Dict => dict(call),
        Builtin::Type => {
            let value = call.one()?;
            Ok(type_of(value, call))
        }
        Builtin::Basestring | Builtin::Object => refuse_with(
            format!("{}() makes nothing", ty.name()),
            "declare a struct of your own: class Profile(Struct): …",
        ),
    }
}

fn sequence<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Vec<Value<'v>>> {
    let [value] = call.args(["iterable"], 0)?;
    match value {
        Some(value) => call.iterate(value),
        None => Ok(Vec::new()),
    }
}

fn dict<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    if call.positional.len() > 1 {
        return refuse("dict() takes one mapping or list of pairs, and names");
    }
    let mut entries = match call.positional.first() {
        Some(value) => {
            let value = *value;
            call.pairs(value)?
        }
        None => Vec::new(),
    };
    entries.extend(call.named.drain(..).map(|(name, value)| (name.to_value(), value)));
    super::call::dict(entries, call.eval)
}

/// Sets are the interpreter's own, which only its own function makes.
static SETS: LazyLock<Globals> =
    LazyLock::new(|| GlobalsBuilder::new().with(|b| LibraryExtension::SetType.add(b)).build());

/// A new set.
pub(super) fn set_of<'v>(
    items: Vec<Value<'v>>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Value<'v>> {
    super::call::hold(items.len(), eval)?;
    let items = super::call::list(items, eval)?;
    match SETS.iter().find(|(name, _)| *name == "set") {
        Some((_, make)) => eval.eval_function(make.to_value(), &[items], &[]),
        None => refuse("there are no sets"),
    }
}

fn int<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [value, base] = call.args(["x", "base"], 0)?;
    let Some(value) = value else { return Ok(call.alloc(0)) };
    if let Some(text) = value.unpack_str() {
        let base = match base {
            Some(base) => match u32::try_from(call.int(base)?) {
                Ok(base) if base == 0 || (2..=36).contains(&base) => base,
                _ => return refuse("int() takes a base between 2 and 36, or 0"),
            },
            None => 10,
        };
        let mut digits = text.trim();
        if call.name == "long" {
            digits = digits.strip_suffix(['l', 'L']).unwrap_or(digits);
        }
        return match parse_int(digits, base)? {
            Some(number) => Ok(Number::Big(number).alloc(call.eval.heap())),
            None => refuse(format!(
                "{}() cannot read {:?} as a whole number in base {base}",
                call.name,
                aurora_template::beginning(text)
            )),
        };
    }
    if base.is_some() {
        return refuse(format!("{}() takes a base for text only", call.name));
    }
    match number(value) {
        Some(number) => Ok(Number::Big(number.truncated()?).alloc(call.eval.heap())),
        None => not_a_number(call.name, value),
    }
}

fn float<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [value] = call.args(["x"], 0)?;
    let Some(value) = value else { return Ok(call.alloc(0.0)) };
    if let Some(text) = value.unpack_str() {
        return match text.trim().parse::<f64>() {
            Ok(number) => Ok(call.alloc(number)),
            Err(_) => refuse(format!(
                "float() cannot read {:?} as a number",
                aurora_template::beginning(text)
            )),
        };
    }
    match number(value) {
        Some(number) => Ok(call.alloc(number.float()?)),
        None => not_a_number("float", value),
    }
}

fn not_a_number<'v>(name: &str, value: Value<'v>) -> Res<Value<'v>> {
    let message = format!("{name}() takes text or a number, got {}", kind(value));
    if ObjectValue::from_value(value).is_some() {
        return refuse_with(message, format!("take its text first: {name}(str(…))"));
    }
    refuse(message)
}

/// `type(value)`.
fn type_of<'v>(value: Value<'v>, call: &Call<'v, '_, '_, '_>) -> Value<'v> {
    if let Some(object) = ObjectValue::from_value(value).and_then(|object| object.0.as_ref()) {
        let name = object.ty().to_string();
        if let Some(ty) = call.eval.module().get(&name) {
            return ty;
        }
        return match crate::globals::GLOBALS.iter().find(|(known, _)| *known == name) {
            Some((_, ty)) => ty.to_value(),
            None => call.alloc(name),
        };
    }
    let name = type_name(value);
    match ALL.into_iter().find(|ty| ty.name() == name) {
        Some(builtin) => call.alloc(PyType(builtin)),
        None => call.alloc(name),
    }
}

/// `isinstance(value, type)`, where the type may be a tuple of types.
pub(super) fn is_instance<'v>(value: Value<'v>, ty: Value<'v>) -> Res<bool> {
    let mut types = vec![ty];
    while let Some(ty) = types.pop() {
        match TupleRef::from_value(ty) {
            Some(tuple) => {
                super::call::check_items(types.len() + tuple.len())?;
                types.extend(tuple.iter());
            }
            None if is_of(value, ty)? => return Ok(true),
            None => {}
        }
    }
    Ok(false)
}

fn is_of<'v>(value: Value<'v>, ty: Value<'v>) -> Res<bool> {
    if let Some(ty) = ty.downcast_ref::<PyType>() {
        return Ok(ty.0.holds(value));
    }
    if ty.unpack_str().is_some()
        || number(ty).is_some()
        || ty.is_none()
        || matches!(ty.get_type(), "list" | "dict" | "object")
    {
        return refuse_as(
            Code::WrongType,
            format!("isinstance() takes a type or a tuple of types, got {}", kind(ty)),
        );
    }
    let object = ObjectValue::from_value(value).and_then(|object| object.0.as_ref());
    Ok(object.is_some_and(|object| object.ty().to_string() == ty.to_str()))
}
