//! Struct types that a file declares (`dsl.md` 1.3).

use std::fmt;

use allocative::Allocative;
use starlark::environment::GlobalsBuilder;
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;
use starlark::values::{
    NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value, starlark_value,
};

use super::types::{TypeValue, type_of};
use super::{budget, fail, failure, given, plain};
use aurora_template::types::{Field, Plain, StructType, Type, TypeMismatch};

pub(super) fn add(builder: &mut GlobalsBuilder) {
    for declarer in [
        Declarer::Struct,
        Declarer::Default,
        Declarer::Required,
        Declarer::Class,
        Declarer::StructType,
    ] {
        builder.set(declarer.name(), DeclarerValue(declarer));
    }
}

/// What a field of a declared struct is.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct SpecValue {
    #[allocative(skip)]
    ty: Type,
    /// Absent for a field that must be given.
    #[allocative(skip)]
    default: Option<Plain>,
}
starlark_simple_value!(SpecValue);

impl fmt::Display for SpecValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.default {
            Some(value) => write!(f, "Default({}, {value})", self.ty),
            None => write!(f, "Required({})", self.ty),
        }
    }
}

#[starlark_value(type = "field_spec")]
impl<'v> StarlarkValue<'v> for SpecValue {}

/// The functions that declare.
#[derive(Debug, Clone, Copy)]
enum Declarer {
    Struct,
    Default,
    Required,
    Class,
    StructType,
}

impl Declarer {
    fn name(self) -> &'static str {
        match self {
            Self::Struct => "Struct",
            Self::Default => "Default",
            Self::Required => "Required",
            Self::Class => "__au_class",
            Self::StructType => "struct_type",
        }
    }
}

#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct DeclarerValue(#[allocative(skip)] Declarer);
starlark_simple_value!(DeclarerValue);

impl fmt::Display for DeclarerValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for DeclarerValue {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let budget = budget(eval)?;
        let heap = eval.heap();
        let given = given(args, eval)?;
        match (self.0, &*given) {
            (Declarer::Struct, _) => {
                fail("Struct is what declared structs are made of: class Name(Struct)")
            }
            (Declarer::Default, [ty, value]) => {
                args.no_named_args()?;
                let ty = type_of(*ty, "Default")?;
                let value = plain(*value, budget).map_err(failure)?;
                // What does not fit is told where it is written.
                Field::with_default("", ty.clone(), value.clone())
                    .map_err(|error| failure(TypeMismatch { field: None, ..error }))?;
                Ok(heap.alloc(SpecValue { ty, default: Some(value) }))
            }
            (Declarer::Default, _) => fail("Default takes a type and a value: Default(Integer, 1)"),
            (Declarer::Required, [ty]) => {
                args.no_named_args()?;
                Ok(heap.alloc(SpecValue { ty: type_of(*ty, "Required")?, default: None }))
            }
            (Declarer::Required, _) => fail("Required takes a type: Required(String)"),
            (Declarer::Class, [name, bases, fields]) => {
                args.no_named_args()?;
                let ty = class(*name, *bases, *fields)?;
                let Type::Struct(made) = &ty else { return Ok(heap.alloc(TypeValue(ty))) };
                budget.take(1 + made.fields.len(), 0).map_err(failure)?;
                Ok(heap.alloc(TypeValue(ty)))
            }
            (Declarer::StructType, [name]) => {
                let Some(name) = name.unpack_str() else {
                    return fail(
                        "struct_type takes the name of the type first: struct_type(\"Profile\", …)",
                    );
                };
                let names = args.names_map()?;
                let fields = names
                    .into_iter()
                    .map(|(field, spec)| match field_of(field.as_str(), spec)? {
                        Some(field) => Ok(field),
                        None => Err(failure(
                            TypeMismatch::new(format!(
                                "a field is a type, Required(type) or Default(type, value), got a {}",
                                spec.get_type()
                            ))
                            .within(field.as_str()),
                        )),
                    })
                    .collect::<starlark::Result<Vec<_>>>()?;
                budget.take(1 + fields.len(), 0).map_err(failure)?;
                let ty = StructType::new(name, fields).map_err(failure)?;
                Ok(heap.alloc(TypeValue(Type::Struct(ty))))
            }
            (Declarer::Class | Declarer::StructType, _) => {
                fail("a struct type has a name and fields: struct_type(\"Profile\", name = String)")
            }
        }
    }
}

/// The field that a spec declares; [`None`] if it is no spec.
fn field_of(name: &str, spec: Value<'_>) -> starlark::Result<Option<Field>> {
    if let Some(ty) = TypeValue::from_value(spec) {
        return Ok(Some(Field::optional(name, ty.0.clone())));
    }
    let Some(spec) = SpecValue::from_value(spec) else { return Ok(None) };
    Ok(Some(match &spec.default {
        Some(value) => {
            Field::with_default(name, spec.ty.clone(), value.clone()).map_err(failure)?
        }
        None => Field::required(name, spec.ty.clone()),
    }))
}

fn items<'v>(value: Value<'v>) -> &'v [Value<'v>] {
    let list = ListRef::from_value(value).map(ListRef::content);
    list.or_else(|| TupleRef::from_value(value).map(TupleRef::content)).unwrap_or_default()
}

/// `class Name(Struct): …`; a class whose base is a declared struct has its fields, and no others.
fn class(name: Value<'_>, bases: Value<'_>, fields: Value<'_>) -> starlark::Result<Type> {
    let name = name.unpack_str().unwrap_or_default();
    let [base] = items(bases) else {
        return fail(format!("class {name} must be declared as class {name}(Struct)"));
    };
    let declared = if let Some(base) = TypeValue::from_value(*base) {
        let Type::Struct(base) = &base.0 else {
            return fail(format!("class {name} cannot be made of the type {}", base.0));
        };
        base.fields.clone()
    } else if matches!(DeclarerValue::from_value(*base), Some(DeclarerValue(Declarer::Struct))) {
        let mut declared = Vec::new();
        for field in items(fields) {
            let [field, spec] = items(*field) else { continue };
            let Some(field) = field.unpack_str() else { continue };
            declared.extend(field_of(field, *spec)?);
        }
        declared
    } else {
        return fail(format!("class {name} must be declared as class {name}(Struct)"));
    };
    Ok(Type::Struct(StructType::new(name, declared).map_err(failure)?))
}
