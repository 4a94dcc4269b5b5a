//! The modules of Python's library that files use, as far as they stay within declared inputs.

#![expect(
    unsafe_code,
    reason = "the derives of the interpreter's value traits expand to unsafe impls"
)]
#![allow(
    clippy::panic,
    reason = "of the derives, too: values are never written to the interpreter's page files"
)]

mod collections;
mod hashlib;
mod itertools;
mod json;
mod math;
mod operator;
mod os;
pub(super) mod path;
mod re;
mod refused;
mod string;
pub(super) mod textwrap;

pub(super) use itertools::chain_of;
pub(super) use refused::Absent;

use std::fmt;

use allocative::Allocative;
use starlark::starlark_simple_value;
use starlark::values::{
    Heap, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value,
    starlark_value,
};

use crate::codes::Code;
use crate::context::Outside;
use crate::globals::GLOBALS;
use aurora_template::beginning;
use aurora_template::types::nearest;

use super::call::{Call, Res, help_as, refuse_as, refuse_with};
use super::native::{Kind, Native};
use super::types::{Builtin, PyType};

/// A module.
pub(super) struct Module {
    name: &'static str,
    members: &'static [(&'static str, Member)],
}

/// What a module has.
#[derive(Clone, Copy)]
enum Member {
    Function(Kind),
    Float(f64),
    Int(i64),
    Text(&'static str),
    Type(Builtin),
    Module(&'static Module),
    Environ,
}

const MODULES: [&Module; 15] = [
    &os::OS,
    &path::PATH,
    &os::GETPASS,
    &textwrap::TEXTWRAP,
    &math::MATH,
    &itertools::ITERTOOLS,
    &operator::FUNCTOOLS,
    &collections::COLLECTIONS,
    &string::STRING,
    &json::JSON,
    &hashlib::HASHLIB,
    &operator::COPY,
    &operator::OPERATOR,
    &re::RE,
    &refused::SYS,
];

/// Modules in which the original keeps the names that every file has.
const OWN: [&str; 5] = ["pystachio", "apache", "twitter", "gen", "__future__"];

/// `import module`, or `from module import attribute`.
pub(super) fn import<'v>(
    name: &str,
    attribute: Option<&str>,
    call: &mut Call<'v, '_, '_, '_>,
) -> Res<Value<'v>> {
    let package = name.split('.').next().unwrap_or(name);
    if OWN.contains(&package) {
        return own(name, attribute, call);
    }
    let wanted = if name == "posixpath" { "os.path" } else { name };
    let Some(module) = MODULES.into_iter().find(|module| module.name == wanted) else {
        return match (refused::absent(name), attribute) {
            (Some(absent), Some("*")) => absent.refuse(),
            (Some(absent), _) => Ok(call.alloc(absent)),
            (None, _) => {
                refused::refuse_module(name, MODULES.into_iter().map(|module| module.name))
            }
        };
    };
    let outside = call.context()?.outside.clone();
    let module = ModuleValue { module, outside };
    match attribute {
        None => Ok(call.alloc(module)),
        Some("*") => refuse_with(
            format!("not everything of {name} can be imported at once"),
            format!("name what you use: from {name} import …"),
        ),
        Some(attribute) => match module.member(attribute, call.eval.heap()) {
            Some(value) => Ok(value),
            None => {
                let known = module.module.members.iter().map(|(name, _)| *name);
                let message = format!("{name} has no `{}`", beginning(attribute));
                match nearest(attribute, known) {
                    Some(near) => {
                        help_as(Code::UnknownAttribute, message, format!("did you mean `{near}`?"))
                    }
                    None => refuse_as(Code::UnknownAttribute, message),
                }
            }
        },
    }
}

/// The language's own names are there without import.
fn own<'v>(name: &str, attribute: Option<&str>, call: &Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    match (name, attribute) {
        ("__future__", Some("division")) => refuse_with(
            "`/` of two whole numbers always rounds down in a configuration",
            "write 1.0 * a / b, or float(a) / b, for a fraction",
        ),
        ("__future__", _) | (_, None | Some("*")) => Ok(call.alloc(OwnModule)),
        (_, Some(attribute)) => Ok(global(attribute).unwrap_or_else(|| call.alloc(OwnModule))),
    }
}

fn global<'v>(name: &str) -> Option<Value<'v>> {
    GLOBALS.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_value())
}

/// A module of the original: its names are those of every file.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct OwnModule;
starlark_simple_value!(OwnModule);

impl fmt::Display for OwnModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<module of the language>")
    }
}

#[starlark_value(type = "module")]
impl<'v> StarlarkValue<'v> for OwnModule {
    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        // Another name is that of a module within.
        global(attribute).or_else(|| Some(heap.alloc(Self)))
    }
}

/// A module, to take names from.
#[derive(ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct ModuleValue {
    #[allocative(skip)]
    module: &'static Module,
    #[allocative(skip)]
    outside: Outside,
}
starlark_simple_value!(ModuleValue);

impl ModuleValue {
    fn member<'v>(&self, name: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        let (name, member) = self.module.members.iter().find(|(known, _)| *known == name)?;
        Some(match member {
            Member::Function(kind) => heap.alloc(Native::new(name, *kind)),
            Member::Float(value) => heap.alloc(*value),
            Member::Int(value) => heap.alloc(*value),
            Member::Text(value) => heap.alloc(*value),
            Member::Type(ty) => heap.alloc(PyType(*ty)),
            Member::Module(module) => heap.alloc(Self { module, outside: self.outside.clone() }),
            Member::Environ => heap.alloc(os::Environ(self.outside.clone())),
        })
    }
}

impl fmt::Debug for ModuleValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ModuleValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<module '{}'>", self.module.name)
    }
}

#[starlark_value(type = "module")]
impl<'v> StarlarkValue<'v> for ModuleValue {
    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        self.member(attribute, heap)
    }

    fn dir_attr(&self) -> Vec<String> {
        self.module.members.iter().map(|(name, _)| (*name).to_owned()).collect()
    }
}
