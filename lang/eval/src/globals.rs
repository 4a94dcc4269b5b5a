//! The names that a file finds: types, units and helpers (`dsl.md` 5 and 6).

#![expect(
    unsafe_code,
    reason = "the derives of the interpreter's value traits expand to unsafe impls"
)]
#![allow(
    clippy::panic,
    reason = "of the derives, too: values are never written to the interpreter's page files"
)]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use starlark::environment::{Globals, GlobalsBuilder};
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::{
    FrozenValue, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value,
    starlark_value,
};

use crate::helpers;
use crate::schema::{Schema, schema};
use crate::values::{self, ObjectValue, TypeValue, failure, positional};
use aurora_template::types::{Plain, Type, TypeMismatch};

/// The struct types.
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(schema);

/// The globals of every file.
pub(crate) static GLOBALS: LazyLock<Globals> = LazyLock::new(|| {
    let mut builder = GlobalsBuilder::standard();
    crate::python::add(&mut builder);
    for (name, ty) in SCHEMA.types() {
        for field in &ty.fields {
            if let Type::Enum(known) = &field.ty {
                builder.set(&known.name, TypeValue(field.ty.clone()));
            }
        }
        builder.set(name, TypeValue(Type::Struct(ty.clone())));
    }
    for (name, ty) in crate::schema::enum_types() {
        builder.set(name, TypeValue(ty));
    }
    for (name, object) in &SCHEMA.objects {
        builder.set(name, ObjectValue(Some(object.clone())));
    }
    for (name, size) in aurora_model::names::UNITS {
        builder.set(name, size);
    }
    // What older files compare it with is `__main__`, which they never are.
    builder.set("__name__", "__builtin__");
    builder.set("AURORA_EXECUTOR_NAME", aurora_model::job::AURORA_EXECUTOR);
    builder.set("Empty", ObjectValue(None));
    values::add(&mut builder);
    helpers::add(&mut builder);
    builder.set("include", IncludeValue);
    builder.set("export", crate::exported::ExportValue);
    builder.build()
});

static BY_NAME: LazyLock<BTreeMap<String, FrozenValue>> =
    LazyLock::new(|| GLOBALS.iter().map(|(name, value)| (name.to_owned(), value)).collect());

/// Whether every file knows a name.
pub fn is_global(name: &str) -> bool {
    BY_NAME.contains_key(name)
}

/// What a name means in every file.
pub(crate) fn global(name: &str) -> Option<FrozenValue> {
    BY_NAME.get(name).copied()
}

/// The names that every file knows, those that only rewritten text uses left out.
pub fn global_names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().map(String::as_str).filter(|name| !name.starts_with("__"))
}

/// Why a configuration cannot use a name of Python that is known, and what to write instead.
pub fn refused(name: &str) -> Option<(&'static str, &'static str)> {
    crate::python::refused(name)
}

/// `include`: runs another file in the same namespace.
#[derive(Debug, ProvidesStaticType, NoSerialize, allocative::Allocative, StarlarkPagablePanic)]
struct IncludeValue;
starlark_simple_value!(IncludeValue);

impl std::fmt::Display for IncludeValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("include")
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for IncludeValue {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        args.no_named_args()?;
        let given = positional(args, eval)?;
        let [Plain::Text(path)] = given.as_slice() else {
            return Err(failure(TypeMismatch::new("include takes the path of a file")));
        };
        crate::run::include(eval, path)?;
        Ok(Value::new_none())
    }
}
