//! Objects of the language as values of the interpreter.

use std::fmt;

use allocative::Allocative;
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::{
    Heap, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value,
    starlark_value,
};

use super::method::{Action, MethodValue};
use super::{alloc, environment, fail, failure, named, plain, printed, settled, with_fields};
use crate::limits::Budget;
use aurora_template::beginning;
use aurora_template::object::{Kind, Object};
use aurora_template::render::same;
use aurora_template::scope::{resolve, text_form};
use aurora_template::types::{Plain, Type};

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

impl ObjectValue {
    /// The object as text, interpolated at this moment.
    pub(crate) fn text(&self) -> starlark::Result<String> {
        match &self.0 {
            Some(object) => Ok(text_form(&settled(resolve(object))?)),
            None => Ok(self.to_string()),
        }
    }

    fn object(&self, what: &str) -> starlark::Result<&Object> {
        match &self.0 {
            Some(object) => Ok(object),
            None => fail(format!("Empty {what}")),
        }
    }

    /// The elements of a list, or the keys of a map, interpolated.
    fn elements(&self) -> starlark::Result<Vec<Object>> {
        let object = settled(resolve(self.object("is not a list")?))?;
        match object.kind() {
            Kind::List(items) => Ok(items.clone()),
            Kind::Map(entries) => Ok(entries.iter().map(|(key, _)| key.clone()).collect()),
            _ => fail(format!("{} is not a list", object.ty().with_article())),
        }
    }
}

fn alloc_all<'v>(objects: Vec<Object>, heap: Heap<'v>) -> Vec<Value<'v>> {
    objects.into_iter().map(|object| heap.alloc(ObjectValue(Some(object)))).collect()
}

/// The value as an object of a type, interpolated; [`None`] if it cannot be one.
fn as_type(value: Value<'_>, ty: &Type) -> Option<Object> {
    let value = plain(value, &Budget::default()).ok()?;
    if matches!(&value, Plain::Object(object) if object.ty() != ty) {
        return None;
    }
    settled(resolve(&ty.build(value, None).ok()?)).ok()
}

#[starlark_value(type = "object")]
impl<'v> StarlarkValue<'v> for ObjectValue {
    fn collect_str(&self, collector: &mut String) {
        match &self.0 {
            Some(object) => collector.push_str(&printed(resolve(object))),
            None => collector.push_str("Empty"),
        }
    }

    fn equals(&self, other: Value<'v>) -> starlark::Result<bool> {
        let Some(other) = Self::from_value(other) else { return Ok(false) };
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => {
                let same_type = match (a.ty(), b.ty()) {
                    (Type::Struct(a), Type::Struct(b)) => a.same_fields(b),
                    (a, b) => a == b,
                };
                Ok(same_type && (a.is(b) || same(&settled(resolve(a))?, &settled(resolve(b))?)))
            }
            (None, None) => Ok(true),
            _ => Ok(false),
        }
    }

    /// `service(name = …)` is a copy with fields replaced.
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let object = self.object("is a value, not a function")?;
        if args.positions(eval.heap())?.next().is_some() {
            let object = object.ty().with_article();
            return fail(format!("a copy of {object} takes fields by name only"));
        }
        alloc(with_fields(object, named(args, eval)?, eval)?, eval)
    }

    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        let object = self.0.as_ref()?;
        let action = match Action::of_every_object(attribute) {
            Some(action) => action,
            None => {
                let Type::Struct(ty) = object.ty() else { return None };
                match attribute.strip_prefix("has_") {
                    Some(field) if ty.position(field).is_some() => Action::Has(field.to_owned()),
                    _ => {
                        ty.position(attribute)?;
                        Action::Field(attribute.to_owned())
                    }
                }
            }
        };
        Some(heap.alloc(MethodValue { object: object.clone(), action }))
    }

    fn dir_attr(&self) -> Vec<String> {
        let mut names: Vec<String> = Action::NAMES.map(str::to_owned).to_vec();
        if let Some(Type::Struct(ty)) = self.0.as_ref().map(Object::ty) {
            names.extend(ty.fields.iter().map(|field| field.name.to_string()));
        }
        names
    }

    fn iterate_collect(&self, heap: Heap<'v>) -> starlark::Result<Vec<Value<'v>>> {
        Ok(alloc_all(self.elements()?, heap))
    }

    fn is_in(&self, other: Value<'v>) -> starlark::Result<bool> {
        let ty = match self.object("holds nothing")?.ty() {
            Type::List(element) => &**element,
            Type::Map(types) => &types.0,
            other => return fail(format!("{} holds no elements", other.with_article())),
        };
        let Some(wanted) = as_type(other, ty) else { return Ok(false) };
        Ok(self.elements()?.iter().any(|element| same(element, &wanted)))
    }

    fn at(&self, index: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        let object = settled(resolve(self.object("has no elements")?))?;
        let found = match (object.ty(), object.kind()) {
            (_, Kind::List(items)) => index.unpack_i32().and_then(|index| {
                let index = i64::from(index);
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let index = if index < 0 { index + length } else { index };
                usize::try_from(index).ok().and_then(|index| items.get(index))
            }),
            (Type::Map(types), Kind::Map(entries)) => as_type(index, &types.0).and_then(|wanted| {
                entries.iter().rev().find(|(key, _)| same(key, &wanted)).map(|(_, value)| value)
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

    fn slice(
        &self,
        start: Option<Value<'v>>,
        stop: Option<Value<'v>>,
        stride: Option<Value<'v>>,
        heap: Heap<'v>,
    ) -> starlark::Result<Value<'v>> {
        if !matches!(self.object("has no elements")?.ty(), Type::List(_)) {
            return fail("only a list can be sliced");
        }
        heap.alloc(alloc_all(self.elements()?, heap)).slice(start, stop, stride, heap)
    }

    /// `template % names` binds and interpolates at once.
    fn percent(&self, other: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        let object = self.object("cannot be bound to")?;
        let scope = environment::scope(plain(other, &Budget::default()).map_err(failure)?)?;
        let bound = settled(resolve(&object.bound(vec![scope])))?;
        Ok(heap.alloc(Self(Some(bound))))
    }
}
