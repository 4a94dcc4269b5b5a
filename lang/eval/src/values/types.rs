//! The types of the language as values of the interpreter, and what makes new ones.

use std::fmt;

use allocative::Allocative;
use starlark::environment::GlobalsBuilder;
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;
use starlark::values::{
    Heap, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value,
    starlark_value,
};

use super::{alloc, budget, fail, failure, given, here, json, named, positional, with_fields};
use aurora_template::object::Object;
use aurora_template::types::{Plain, StructType, Type};

/// Names of the original's library that files may see there and that mean nothing here.
const NOT_HERE: [&str; 6] =
    ["Namable", "Ref", "MustacheParser", "Type", "TypeCheck", "TypeFactory"];

pub(super) fn add(builder: &mut GlobalsBuilder) {
    for ty in [Type::String, Type::Integer, Type::Float, Type::Boolean] {
        builder.set(&ty.to_string(), TypeValue(ty.clone()));
    }
    for maker in [Maker::Enum, Maker::Choice, Maker::List, Maker::Map] {
        builder.set(maker.name(), MakerValue(maker));
    }
    for name in NOT_HERE {
        builder.set(name, MakerValue(Maker::NotHere(name)));
    }
}

/// A type: calling it makes an object.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct TypeValue(#[allocative(skip)] pub(crate) Type);
starlark_simple_value!(TypeValue);

impl fmt::Display for TypeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[starlark_value(type = "struct_type")]
impl<'v> StarlarkValue<'v> for TypeValue {
    fn equals(&self, other: Value<'v>) -> starlark::Result<bool> {
        Ok(Self::from_value(other).is_some_and(|other| self.0 == other.0))
    }

    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        matches!((&self.0, attribute), (Type::Struct(_), "json_loads"))
            .then(|| heap.alloc(MakerValue(Maker::JsonLoads(self.0.clone()))))
    }

    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let origin = here(eval);
        if let Type::Struct(ty) = &self.0 {
            let object = structure(ty, args, eval)?;
            return alloc(object, eval);
        }
        args.no_named_args()?;
        let mut values = positional(args, eval)?;
        let value = match (&self.0, values.len()) {
            (_, 1) => values.remove(0),
            (Type::Map(_), _) => Plain::List(values),
            (ty, _) => return fail(format!("{ty} takes one value")),
        };
        let value = match (&self.0, value) {
            (Type::Map(_), Plain::List(pairs)) => entries(pairs, &self.0)?,
            (_, value) => value,
        };
        let object = self.0.build(value, origin.as_ref()).map_err(failure)?;
        alloc(object, eval)
    }
}

/// The entries of a map that is given by pairs.
fn entries(pairs: Vec<Plain>, ty: &Type) -> starlark::Result<Plain> {
    // One pair alone is given as it is, several as a list of them.
    let one = matches!(&*pairs, [first, _] if !matches!(first, Plain::List(_)));
    let pairs = if one { vec![Plain::List(pairs)] } else { pairs };
    let pair = |pair: Plain| match pair {
        Plain::List(pair) => match <[Plain; 2]>::try_from(pair) {
            Ok([key, value]) => Ok((key, value)),
            Err(other) => {
                fail(format!("{ty} takes pairs of key and value, got {} values", other.len()))
            }
        },
        other => fail(format!("{ty} takes a dict or pairs of key and value, got {other}")),
    };
    pairs.into_iter().map(pair).collect::<starlark::Result<_>>().map(Plain::Map)
}

/// A struct made of dicts and names; later ones win.
fn structure<'v>(
    ty: &std::sync::Arc<StructType>,
    args: &Arguments<'v, '_>,
    eval: &Evaluator<'v, '_, '_>,
) -> starlark::Result<Object> {
    let origin = here(eval);
    let mut fields = Vec::new();
    for value in positional(args, eval)? {
        let Plain::Map(entries) = value else {
            return fail(format!(
                "{} takes fields by name, such as {}(name = …), or a dict of them, got {value}",
                ty.name, ty.name
            ));
        };
        for (key, value) in entries {
            let Plain::Text(name) = key else {
                return fail(format!("{}: field names are text, got {key}", ty.name));
            };
            fields.push((name, value));
        }
    }
    fields.extend(named(args, eval)?);
    with_fields(&Object::blank(ty, origin), fields, eval)
}

/// What makes types, and objects in other ways than by a call of their type.
#[derive(Debug, Clone)]
enum Maker {
    Enum,
    Choice,
    List,
    Map,
    JsonLoads(Type),
    NotHere(&'static str),
}

impl Maker {
    fn name(&self) -> &'static str {
        match self {
            Self::Enum => "Enum",
            Self::Choice => "Choice",
            Self::List => "List",
            Self::Map => "Map",
            Self::JsonLoads(_) => "json_loads",
            Self::NotHere(name) => name,
        }
    }
}

#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct MakerValue(#[allocative(skip)] Maker);
starlark_simple_value!(MakerValue);

impl fmt::Display for MakerValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for MakerValue {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let given = given(args, eval)?;
        let ty = match &self.0 {
            Maker::JsonLoads(ty) => return json_loads(ty, args, eval),
            Maker::NotHere(name) => {
                return fail(format!(
                    "{name} is part of the original's library, not of the language"
                ));
            }
            Maker::Enum => {
                args.no_named_args()?;
                enumeration(&given)?
            }
            Maker::Choice => {
                args.no_named_args()?;
                choice(&given)?
            }
            Maker::List => {
                args.no_named_args()?;
                match &*given {
                    [element] => Type::list(type_of(*element, "List")?).map_err(failure)?,
                    _ => return fail("List takes one type: List(String)"),
                }
            }
            Maker::Map => {
                args.no_named_args()?;
                match &*given {
                    [key, value] => Type::map(type_of(*key, "Map")?, type_of(*value, "Map")?)
                        .map_err(failure)?,
                    _ => return fail("Map takes two types: Map(String, Integer)"),
                }
            }
        };
        budget(eval)?.take(1, 0).map_err(failure)?;
        Ok(eval.heap().alloc(TypeValue(ty)))
    }
}

/// The type that a value is.
pub(super) fn type_of(value: Value<'_>, who: &str) -> starlark::Result<Type> {
    match TypeValue::from_value(value) {
        Some(ty) => Ok(ty.0.clone()),
        None => fail(format!(
            "{who} takes types, such as String and List(Integer), got a {}",
            value.get_type()
        )),
    }
}

fn texts<'v>(values: &[Value<'v>]) -> starlark::Result<Vec<&'v str>> {
    let text = |value: &Value<'v>| match value.unpack_str() {
        Some(text) => Ok(text),
        None => fail(format!("the values of an Enum are text, got a {}", value.get_type())),
    };
    values.iter().map(text).collect()
}

/// `Enum('a', 'b')` and `Enum('Name', ('a', 'b'))`.
fn enumeration(given: &[Value<'_>]) -> starlark::Result<Type> {
    let (name, values) = match given {
        [] => return fail("Enum takes the values that there are: Enum(\"a\", \"b\")"),
        [name, values] if values.unpack_str().is_none() => {
            let Some(values) = TupleRef::from_value(*values) else {
                return fail("the values of an Enum are a tuple: Enum(\"Name\", (\"a\", \"b\"))");
            };
            (Some(texts(&[*name])?[0]), texts(values.content())?)
        }
        values => (None, texts(values)?),
    };
    Type::one_of(name, &values).map_err(failure)
}

/// `Choice([A, B])` and `Choice('Name', [A, B])`.
fn choice(given: &[Value<'_>]) -> starlark::Result<Type> {
    let (name, alternatives) = match given {
        [alternatives] => (None, *alternatives),
        [name, alternatives] => (name.unpack_str(), *alternatives),
        _ => return fail("Choice takes a list of types: Choice([String, Integer])"),
    };
    let list = ListRef::from_value(alternatives).map(ListRef::content);
    let list = list.or_else(|| TupleRef::from_value(alternatives).map(TupleRef::content));
    let Some(list) = list else {
        return fail("the alternatives of a Choice are a list of types");
    };
    if list.is_empty() {
        return fail("a Choice has at least one alternative");
    }
    let types = list.iter().map(|ty| type_of(*ty, "Choice")).collect::<starlark::Result<_>>()?;
    Type::choice(name, types).map_err(failure)
}

fn json_loads<'v>(
    ty: &Type,
    args: &Arguments<'v, '_>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> starlark::Result<Value<'v>> {
    let mut strict = false;
    let mut text = None;
    for value in positional(args, eval)? {
        match value {
            Plain::Text(given) if text.is_none() => text = Some(given),
            Plain::Bool(given) => strict = given,
            other => return fail(format!("json_loads takes a text, got {other}")),
        }
    }
    for (name, value) in named(args, eval)? {
        match (&*name, value) {
            ("strict", Plain::Bool(value)) => strict = value,
            ("json_string" | "s", Plain::Text(given)) => text = Some(given),
            _ => return fail(format!("json_loads takes a text and `strict`, not `{name}`")),
        }
    }
    let Some(text) = text else { return fail("json_loads takes a text") };
    budget(eval)?.take(text.len() / 2, text.len()).map_err(failure)?;
    let plain = json::plain(json::parse(&text).map_err(failure)?, Some(ty), strict);
    let origin = here(eval);
    let object = ty.build(plain, origin.as_ref()).map_err(failure)?;
    alloc(object, eval)
}
