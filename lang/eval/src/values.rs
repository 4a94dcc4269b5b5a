//! The objects of the language as values of the interpreter.

#![expect(
    unsafe_code,
    reason = "the derives of the interpreter's value traits expand to unsafe impls"
)]
#![allow(
    clippy::panic,
    reason = "of the derives, too: values are never written to the interpreter's page files"
)]

use std::fmt;
use std::sync::Arc;

use allocative::Allocative;
use aurora_template::beginning;
use aurora_template::environment::Environment;
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::dict::DictRef;
use starlark::values::float::StarlarkFloat;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;
use starlark::values::{
    Heap, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, UnpackValue, Value,
    ValueLike, starlark_value,
};

use crate::context::context;
use crate::limits::Budget;
use aurora_template::object::{Kind, Object, Origin, Scope};
use aurora_template::render;
use aurora_template::scope::{resolve, text_form};
use aurora_template::types::{Plain, StructType, Type, TypeMismatch};

/// How deep plain lists and dicts may nest.
const MAX_NESTING: usize = 64;

/// A failure of the language itself, for the diagnostic to place.
pub(crate) fn failure(error: TypeMismatch) -> starlark::Error {
    starlark::Error::new_other(error)
}

fn fail<T>(message: impl Into<String>) -> starlark::Result<T> {
    Err(failure(TypeMismatch::new(message)))
}

/// Where the interpreter is: the call that is being made.
pub(crate) fn here(eval: &Evaluator<'_, '_, '_>) -> Option<Origin> {
    let location = eval.call_stack_top_location()?;
    let span = location.span.begin().get() as usize..location.span.end().get() as usize;
    let context = context(eval).ok()?;
    let (file, span) = context.sources.borrow().place(location.filename(), span);
    Some(Origin { file, span })
}

/// What the evaluation may use up.
pub(crate) fn budget<'a>(eval: &Evaluator<'_, 'a, '_>) -> starlark::Result<&'a Budget> {
    Ok(&context(eval).map_err(failure)?.budget)
}

/// A new object as a value of the interpreter.
pub(crate) fn alloc<'v>(
    object: Object,
    eval: &Evaluator<'v, '_, '_>,
) -> starlark::Result<Value<'v>> {
    budget(eval)?.take_object(&object).map_err(failure)?;
    Ok(eval.heap().alloc(ObjectValue(Some(object))))
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
    if let Some(ty) = TypeValue::from_value(value) {
        return Ok(Plain::Other(format!("the type {} itself", ty.0.name)));
    }
    let mut text = value.to_repr();
    if text.len() > 80 {
        text = value.get_type().to_owned();
    }
    Ok(Plain::Other(text))
}

/// A struct type: calling it makes an object.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct TypeValue(#[allocative(skip)] pub(crate) Arc<StructType>);
starlark_simple_value!(TypeValue);

impl fmt::Display for TypeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

#[starlark_value(type = "struct_type")]
impl<'v> StarlarkValue<'v> for TypeValue {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let origin = here(eval);
        let mut fields = Vec::new();
        for value in positional(args, eval)? {
            match value {
                Plain::Map(entries) => {
                    for (key, value) in entries {
                        let Plain::Text(name) = key else {
                            return fail(format!(
                                "{}: field names are text, got {key}",
                                self.0.name
                            ));
                        };
                        fields.push((name, value));
                    }
                }
                other => {
                    return fail(format!(
                        "{} takes fields by name, such as {}(name = …), got {other}",
                        self.0.name, self.0.name
                    ));
                }
            }
        }
        fields.extend(named(args, eval)?);
        let object = Object::blank(&self.0, origin.clone())
            .with_fields(fields, origin.as_ref())
            .map_err(failure)?;
        alloc(object, eval)
    }
}

/// An object, or `Empty`.
#[derive(Debug, Clone, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct ObjectValue(#[allocative(skip)] pub(crate) Option<Object>);
starlark_simple_value!(ObjectValue);

impl fmt::Display for ObjectValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(object) => f.write_str(&text_form(&resolve(object).object)),
            None => f.write_str("Empty"),
        }
    }
}

#[starlark_value(type = "object")]
impl<'v> StarlarkValue<'v> for ObjectValue {
    fn collect_str(&self, collector: &mut String) {
        collector.push_str(&self.to_string());
    }

    fn equals(&self, other: Value<'v>) -> starlark::Result<bool> {
        let Some(other) = Self::from_value(other) else { return Ok(false) };
        Ok(match (&self.0, &other.0) {
            (Some(a), Some(b)) => {
                a.ty() == b.ty()
                    && render::to_json(&resolve(a).object) == render::to_json(&resolve(b).object)
            }
            (None, None) => true,
            _ => false,
        })
    }

    /// `service(name = …)` is a copy with fields replaced.
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let Some(object) = &self.0 else { return fail("Empty is a value, not a function") };
        if args.positions(eval.heap())?.next().is_some() {
            let object = object.ty().with_article();
            return fail(format!("a copy of {object} takes fields by name only"));
        }
        let origin = here(eval);
        let copy = object.with_fields(named(args, eval)?, origin.as_ref()).map_err(failure)?;
        alloc(copy, eval)
    }

    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        let object = self.0.as_ref()?;
        let action = match attribute {
            "bind" => Action::Bind,
            _ => {
                let Type::Struct(ty) = object.ty() else { return None };
                match attribute.strip_prefix("has_") {
                    Some(field) if ty.position(field).is_some() => Action::Has(field.to_owned()),
                    _ => Action::Get(attribute.to_owned()).known_to(ty)?,
                }
            }
        };
        Some(heap.alloc(MethodValue { object: object.clone(), action }))
    }

    fn dir_attr(&self) -> Vec<String> {
        let mut names = vec!["bind".to_owned()];
        if let Some(Type::Struct(ty)) = self.0.as_ref().map(Object::ty) {
            names.extend(ty.fields.iter().map(|field| field.name.to_string()));
        }
        names
    }

    fn iterate_collect(&self, heap: Heap<'v>) -> starlark::Result<Vec<Value<'v>>> {
        match self.0.as_ref().map(|object| resolve(object).object) {
            Some(object) => match object.kind() {
                Kind::List(items) => {
                    Ok(items.iter().map(|item| heap.alloc(Self(Some(item.clone())))).collect())
                }
                _ => fail(format!("{} is not a list", object.ty().with_article())),
            },
            None => fail("Empty is not a list"),
        }
    }

    fn at(&self, index: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        let Some(object) = self.0.as_ref().map(|object| resolve(object).object) else {
            return fail("Empty has no elements");
        };
        let found = match object.kind() {
            Kind::List(items) => index.unpack_i32().and_then(|index| {
                let index = i64::from(index);
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let index = if index < 0 { index + length } else { index };
                usize::try_from(index).ok().and_then(|index| items.get(index))
            }),
            Kind::Map(entries) => index.unpack_str().and_then(|wanted| {
                entries.iter().find(|(key, _)| text_form(key) == wanted).map(|(_, value)| value)
            }),
            _ => None,
        };
        match found {
            Some(value) => Ok(heap.alloc(Self(Some(value.clone())))),
            None => {
                let object = object.ty().with_article();
                fail(format!("{object} has no element {}", beginning(&index.to_repr())))
            }
        }
    }
}

/// What calling an attribute of an object does.
#[derive(Debug, Clone)]
enum Action {
    Bind,
    Get(String),
    Has(String),
}

impl Action {
    fn known_to(self, ty: &StructType) -> Option<Self> {
        match &self {
            Self::Get(field) if ty.position(field).is_none() => None,
            _ => Some(self),
        }
    }
}

/// An attribute of an object, to be called.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct MethodValue {
    #[allocative(skip)]
    object: Object,
    #[allocative(skip)]
    action: Action,
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
        match &self.action {
            Action::Bind => {
                let scopes = scopes(args, eval)?;
                alloc(self.object.bound(scopes), eval)
            }
            Action::Get(field) => {
                args.no_named_args()?;
                args.no_positional_args(heap)?;
                match resolve(&self.object).object.field(field) {
                    Some(found) => alloc(found.clone(), eval),
                    None => Ok(heap.alloc(ObjectValue(None))),
                }
            }
            Action::Has(field) => {
                args.no_named_args()?;
                args.no_positional_args(heap)?;
                Ok(heap.alloc(self.object.field(field).is_some()))
            }
        }
    }
}

/// The scopes that a call of `bind` adds, nearest first: names before positional ones, later
/// before earlier.
fn scopes<'v>(
    args: &Arguments<'v, '_>,
    eval: &Evaluator<'v, '_, '_>,
) -> starlark::Result<Vec<Scope>> {
    let mut scopes = Vec::new();
    for value in positional(args, eval)? {
        scopes.push(match value {
            Plain::Object(object) => Scope::Object(object),
            Plain::Map(entries) => Scope::Names(Arc::new(names(entries)?)),
            other => {
                return fail(format!("bind takes names, dicts and objects, got {other}"));
            }
        });
    }
    scopes.reverse();
    let named: Vec<(Plain, Plain)> =
        named(args, eval)?.into_iter().map(|(name, value)| (Plain::Text(name), value)).collect();
    if !named.is_empty() {
        scopes.insert(0, Scope::Names(Arc::new(names(named)?)));
    }
    Ok(scopes)
}

/// A table of bindings; nested dicts become longer addresses.
fn names(entries: Vec<(Plain, Plain)>) -> starlark::Result<Environment> {
    let mut table = Environment::default();
    table.add(entries).map_err(failure)?;
    Ok(table)
}
