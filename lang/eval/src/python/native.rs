//! Functions written in Rust, as values of the interpreter.

#![expect(
    unsafe_code,
    reason = "the derives of the interpreter's value traits expand to unsafe impls"
)]
#![allow(
    clippy::panic,
    reason = "of the derives, too: values are never written to the interpreter's page files"
)]

use std::fmt;

use allocative::Allocative;
use starlark::eval::{Arguments, Evaluator};
use starlark::values::{
    Coerce, Freeze, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Trace,
    Value, ValueLike, starlark_value,
};
use starlark::{starlark_complex_value, starlark_simple_value};

use super::call::{Call, Res, help_as};
use crate::codes::Code;

/// A function of two values.
pub(super) type Binary =
    for<'v> fn(Value<'v>, Value<'v>, &mut Evaluator<'v, '_, '_>) -> Res<Value<'v>>;
/// A function that looks at its arguments itself.
pub(super) type General = for<'v> fn(&mut Call<'v, '_, '_, '_>) -> Res<Value<'v>>;

/// What a function does.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Binary(Binary),
    General(General),
    /// Python has it, the language has not: why, and what to write instead.
    Refused(&'static str, &'static str),
}

/// A function.
#[derive(ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(super) struct Native {
    name: &'static str,
    #[allocative(skip)]
    kind: Kind,
}
starlark_simple_value!(Native);

impl Native {
    pub(super) const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind }
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<built-in function {}>", self.name)
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for Native {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        match self.kind {
            Kind::Binary(run) => {
                args.no_named_args()?;
                let [a, b] = args.positional(eval.heap())?;
                run(a, b, eval)
            }
            Kind::General(run) => run(&mut Call::new(self.name, args, eval)?),
            Kind::Refused(why, help) => help_as(Code::UnsupportedSyntax, why, help),
        }
    }

    fn name_for_call_stack(&self, _me: Value<'v>) -> String {
        self.name.to_owned()
    }

    fn get_attr(&self, attribute: &str, heap: starlark::values::Heap<'v>) -> Option<Value<'v>> {
        match (self.name, attribute) {
            (name, "__name__") => Some(heap.alloc(name)),
            ("chain", "from_iterable") => {
                Some(heap.alloc(Self::new(self.name, Kind::General(super::modules::chain_of))))
            }
            _ => None,
        }
    }
}

/// A function with its first arguments given.
#[derive(
    Debug, Trace, Freeze, Coerce, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic,
)]
#[repr(C)]
pub(super) struct PartialGen<V: starlark::values::ValueLifetimeless> {
    function: V,
    given: V,
    named: V,
}
starlark_complex_value!(pub(super) Partial);

impl<'v> Partial<'v> {
    /// `given` is a tuple, `named` a dict.
    pub(super) fn of(function: Value<'v>, given: Value<'v>, named: Value<'v>) -> Self {
        Self { function, given, named }
    }
}

impl<V: starlark::values::ValueLifetimeless + fmt::Display> fmt::Display for PartialGen<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<functools.partial of {}>", self.function)
    }
}

#[starlark_value(type = "function")]
impl<'v, V: ValueLike<'v>> StarlarkValue<'v> for PartialGen<V>
where
    Self: ProvidesStaticType<'v>,
{
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let mut call = Call::new("partial", args, eval)?;
        let mut given = call.iterate(self.given.to_value())?;
        given.append(&mut call.positional);
        let mut named = call.pairs(self.named.to_value())?;
        for (name, value) in std::mem::take(&mut call.named) {
            named.retain(|(known, _)| known.unpack_str() != Some(name.as_str()));
            named.push((name.to_value(), value));
        }
        let named: Vec<(&str, Value<'v>)> =
            named.iter().filter_map(|(name, value)| Some((name.unpack_str()?, *value))).collect();
        call.eval.eval_function(self.function.to_value(), &given, &named)
    }
}
