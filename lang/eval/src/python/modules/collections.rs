//! `collections`: dicts that are dicts here, and tuples with names.

use std::fmt;
use std::sync::Arc;

use allocative::Allocative;
use starlark::eval::{Arguments, Evaluator};
use starlark::values::tuple::TupleRef;
use starlark::values::{
    Coerce, Freeze, Heap, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue,
    Trace, Value, ValueLike, starlark_value,
};
use starlark::{starlark_complex_value, starlark_simple_value};

use super::super::call::{Call, Res, refuse, refuse_with};
use super::super::native::Kind::{General, Refused};
use super::super::types::Builtin;
use super::{Member, Module};

pub(super) const COLLECTIONS: Module = Module {
    name: "collections",
    members: &[
        // Dicts keep their order.
        ("OrderedDict", Member::Type(Builtin::Dict)),
        ("namedtuple", Member::Function(General(named_tuple))),
        (
            "defaultdict",
            Member::Function(Refused(
                "there is no defaultdict",
                "write d.setdefault(key, []).append(value), or d[key] = d.get(key, 0) + 1",
            )),
        ),
        (
            "Counter",
            Member::Function(Refused("there is no Counter", "write d[key] = d.get(key, 0) + 1")),
        ),
        ("deque", Member::Function(Refused("there is no deque", "use a list"))),
    ],
};

fn named_tuple<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [name, fields, _, _] = call.args(["typename", "field_names", "verbose", "rename"], 2)?;
    let name = call.text(name.unwrap_or(Value::new_none()))?.to_owned();
    let fields = fields.unwrap_or(Value::new_none());
    let mut names = Vec::new();
    if let Some(text) = fields.unpack_str() {
        names.extend(text.replace(',', " ").split_whitespace().map(str::to_owned));
    } else {
        for field in call.iterate(fields)? {
            names.push(call.text(field)?.to_owned());
        }
    }
    for (index, field) in names.iter().enumerate() {
        let word = field.chars().all(|c| c.is_alphanumeric() || c == '_')
            && field.starts_with(|c: char| c.is_alphabetic());
        if !word || names[..index].contains(field) {
            return refuse(format!(
                "namedtuple() cannot have a field {:?}",
                aurora_template::beginning(field)
            ));
        }
    }
    Ok(call.alloc(NamedType(Arc::new(Shape { name, fields: names }))))
}

#[derive(Debug, Allocative)]
struct Shape {
    name: String,
    fields: Vec<String>,
}

/// What `namedtuple` makes: a type of tuples.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct NamedType(#[allocative(skip)] Arc<Shape>);
starlark_simple_value!(NamedType);

impl fmt::Display for NamedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

#[starlark_value(type = "named_tuple_type")]
impl<'v> StarlarkValue<'v> for NamedType {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let mut call = Call::new("namedtuple", args, eval)?;
        let Shape { name, fields } = &*self.0;
        let mut values: Vec<Option<Value<'v>>> = call.positional.drain(..).map(Some).collect();
        if values.len() > fields.len() {
            return refuse(format!("{name} has {} fields, got {}", fields.len(), values.len()));
        }
        values.resize(fields.len(), None);
        for (given, value) in std::mem::take(&mut call.named) {
            match fields.iter().position(|field| field == given.as_str()) {
                Some(position) if values[position].is_none() => values[position] = Some(value),
                Some(_) => return refuse(format!("{name} got `{}` twice", given.as_str())),
                None => return refuse(format!("{name} has no field `{}`", given.as_str())),
            }
        }
        if let Some(missing) = values.iter().position(Option::is_none) {
            return refuse(format!("{name} needs the field `{}`", fields[missing]));
        }
        let values: Vec<Value<'v>> = values.into_iter().flatten().collect();
        let values = call.tuple(&values)?;
        Ok(call.alloc(NamedTuple { shape: self.0.clone(), values }))
    }

    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        match attribute {
            "_fields" => Some(heap.alloc(self.0.fields.clone())),
            "__name__" => Some(heap.alloc(self.0.name.as_str())),
            _ => None,
        }
    }
}

/// A tuple whose elements have names.
#[derive(
    Debug, Trace, Freeze, Coerce, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic,
)]
#[repr(C)]
struct NamedTupleGen<V: starlark::values::ValueLifetimeless> {
    #[trace(unsafe_ignore)]
    #[freeze(identity)]
    #[allocative(skip)]
    shape: Arc<Shape>,
    values: V,
}
starlark_complex_value!(NamedTuple);

impl<V: starlark::values::ValueLifetimeless + fmt::Display> fmt::Display for NamedTupleGen<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.shape.name, self.values)
    }
}

impl<'v, V: ValueLike<'v>> NamedTupleGen<V> {
    fn content(&self) -> &'v [Value<'v>] {
        TupleRef::from_value(self.values.to_value()).map_or(&[][..], |tuple| tuple.content())
    }
}

#[starlark_value(type = "named_tuple")]
impl<'v, V: ValueLike<'v>> StarlarkValue<'v> for NamedTupleGen<V>
where
    Self: ProvidesStaticType<'v>,
{
    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        if attribute == "_fields" {
            return Some(heap.alloc(self.shape.fields.clone()));
        }
        let position = self.shape.fields.iter().position(|field| field == attribute)?;
        self.content().get(position).copied()
    }

    fn dir_attr(&self) -> Vec<String> {
        self.shape.fields.clone()
    }

    fn at(&self, index: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        self.values.to_value().at(index, heap)
    }

    fn length(&self) -> starlark::Result<i32> {
        self.values.to_value().length()
    }

    fn iterate_collect(&self, _heap: Heap<'v>) -> starlark::Result<Vec<Value<'v>>> {
        Ok(self.content().to_vec())
    }

    fn equals(&self, other: Value<'v>) -> starlark::Result<bool> {
        match NamedTuple::from_value(other) {
            Some(other) => self.values.to_value().equals(other.values),
            None => self.values.to_value().equals(other),
        }
    }

    fn set_attr(&self, attribute: &str, _new_value: Value<'v>) -> starlark::Result<()> {
        refuse_with(
            format!("{} does not change: `{attribute}` cannot be set", self.shape.name),
            "make another one",
        )
    }
}
