//! `Environment`: a table of names as a value of the interpreter.

use std::fmt;
use std::sync::Arc;

use allocative::Allocative;
use starlark::environment::GlobalsBuilder;
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::{
    NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value, starlark_value,
};

use super::{budget, fail, failure, named, positional};
use aurora_template::environment::Environment;
use aurora_template::object::{Kind, Scope};
use aurora_template::types::Plain;

pub(super) fn add(builder: &mut GlobalsBuilder) {
    builder.set("Environment", MakeEnvironment);
}

/// A table of names.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct EnvironmentValue(#[allocative(skip)] pub(super) Arc<Environment>);
starlark_simple_value!(EnvironmentValue);

impl fmt::Display for EnvironmentValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|(name, _)| name).take(20).collect();
        write!(f, "Environment({})", names.join(", "))
    }
}

#[starlark_value(type = "Environment")]
impl<'v> StarlarkValue<'v> for EnvironmentValue {
    fn equals(&self, other: Value<'v>) -> starlark::Result<bool> {
        Ok(Self::from_value(other).is_some_and(|other| self.0 == other.0))
    }
}

#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct MakeEnvironment;
starlark_simple_value!(MakeEnvironment);

impl fmt::Display for MakeEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for MakeEnvironment {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let mut table = Environment::default();
        for value in positional(args, eval)? {
            add_to(&mut table, value, "Environment")?;
        }
        table.add(named_entries(args, eval)?).map_err(failure)?;
        budget(eval)?.take(table.len(), 0).map_err(failure)?;
        Ok(eval.heap().alloc(EnvironmentValue(Arc::new(table))))
    }
}

fn add_to(table: &mut Environment, value: Plain, who: &str) -> starlark::Result<()> {
    match value {
        Plain::Map(entries) => table.add(entries).map_err(failure),
        Plain::Names(names) => table.merge(&names).map_err(failure),
        other => fail(format!("{who} takes names and dicts, got {other}")),
    }
}

fn named_entries<'v>(
    args: &Arguments<'v, '_>,
    eval: &Evaluator<'v, '_, '_>,
) -> starlark::Result<Vec<(Plain, Plain)>> {
    let named = named(args, eval)?;
    Ok(named.into_iter().map(|(name, value)| (Plain::Text(name), value)).collect())
}

/// The scopes that a call of `bind` adds, nearest first: names before positional ones, later
/// before earlier.
pub(super) fn scopes<'v>(
    args: &Arguments<'v, '_>,
    eval: &Evaluator<'v, '_, '_>,
) -> starlark::Result<Vec<Scope>> {
    let mut scopes = Vec::new();
    let named = named_entries(args, eval)?;
    if !named.is_empty() {
        scopes.push(scope(Plain::Map(named))?);
    }
    for value in positional(args, eval)?.into_iter().rev() {
        scopes.push(scope(value)?);
    }
    Ok(scopes.into_iter().filter(|scope| !is_empty(scope)).collect())
}

fn is_empty(scope: &Scope) -> bool {
    matches!(scope, Scope::Names(names) if names.is_empty())
}

/// What references are looked up in, if a value is bound as a whole.
pub(super) fn scope(value: Plain) -> starlark::Result<Scope> {
    match value {
        Plain::Map(entries) => {
            let mut table = Environment::default();
            table.add(entries).map_err(failure)?;
            Ok(Scope::Names(Arc::new(table)))
        }
        Plain::Names(names) => Ok(Scope::Names(names)),
        Plain::Object(object)
            if matches!(object.kind(), Kind::Struct(_) | Kind::List(_) | Kind::Map(_)) =>
        {
            Ok(Scope::Object(object))
        }
        other => fail(format!(
            "what is bound is names, dicts, structs, lists and maps of the language, got {other}"
        )),
    }
}
