//! `os` and `getpass`: environment variables and the user, both declared inputs.

use std::fmt;

use allocative::Allocative;
use starlark::starlark_simple_value;
use starlark::values::{
    Heap, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value,
    starlark_value,
};

use crate::context::Outside;

use super::super::call::{Call, Res, refuse, refuse_with};
use super::super::native::Kind::{self, General, Refused};
use super::super::native::Native;
use super::super::outside::{env, user};
use super::super::text::kind;
use super::path::PATH;
use super::{Member, Module};

const HERE: Kind = Refused(
    "the folder in which a configuration is evaluated is not known to it",
    "include() and file_digest() take paths relative to the file",
);
const RUN: Kind = Refused(
    "no program is run by a configuration",
    "run it before, and pass what it prints with --bind NAME=… or --env NAME",
);
const MACHINE: Kind = Refused(
    "a configuration does not know the machine on which it is evaluated",
    "pass the value with --bind NAME=… or --env NAME",
);
const FOLDER: Kind = Refused(
    "folders are not looked into by a configuration",
    "name the files, or pass a list with --bind NAME=…",
);

pub(super) const OS: Module = Module {
    name: "os",
    members: &[
        ("environ", Member::Environ),
        ("getenv", Member::Function(General(env))),
        ("path", Member::Module(&PATH)),
        ("sep", Member::Text("/")),
        ("curdir", Member::Text(".")),
        ("pardir", Member::Text("..")),
        ("linesep", Member::Text("\n")),
        ("pathsep", Member::Text(":")),
        ("getlogin", Member::Function(General(user))),
        ("getcwd", Member::Function(HERE)),
        ("getcwdu", Member::Function(HERE)),
        ("chdir", Member::Function(HERE)),
        ("system", Member::Function(RUN)),
        ("popen", Member::Function(RUN)),
        ("uname", Member::Function(MACHINE)),
        ("getuid", Member::Function(MACHINE)),
        ("getpid", Member::Function(MACHINE)),
        ("listdir", Member::Function(FOLDER)),
        ("walk", Member::Function(FOLDER)),
        ("stat", Member::Function(FOLDER)),
    ],
};

pub(super) const GETPASS: Module = Module {
    name: "getpass",
    members: &[
        ("getuser", Member::Function(General(user))),
        (
            "getpass",
            Member::Function(Refused(
                "nobody is asked while a configuration is evaluated",
                "a secret does not belong into a job: let the task fetch it when it runs",
            )),
        ),
    ],
};

const WHOLE: Kind = Refused(
    "the environment as a whole is not an input of a file",
    "name the variables that you need, and allow each with --env NAME",
);

/// `os.environ`: the variables that are declared inputs.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(super) struct Environ(#[allocative(skip)] pub(super) Outside);
starlark_simple_value!(Environ);

impl fmt::Display for Environ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<the environment>")
    }
}

impl Environ {
    fn read(&self, name: Value<'_>) -> Res<Option<String>> {
        match name.unpack_str() {
            Some(name) => Ok(self.0.env(name)?.map(str::to_owned)),
            None => refuse(format!("the name of a variable is text, got {}", kind(name))),
        }
    }
}

#[starlark_value(type = "environ")]
impl<'v> StarlarkValue<'v> for Environ {
    fn at(&self, index: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        match self.read(index)? {
            Some(value) => Ok(heap.alloc(value)),
            None => {
                let name = index.unpack_str().unwrap_or_default();
                refuse_with(
                    format!("the environment variable {name} is not set"),
                    format!("set it, or give a default: os.environ.get({name:?}, \"…\")"),
                )
            }
        }
    }

    fn is_in(&self, other: Value<'v>) -> starlark::Result<bool> {
        Ok(self.read(other)?.is_some())
    }

    fn iterate_collect(&self, _heap: Heap<'v>) -> starlark::Result<Vec<Value<'v>>> {
        refuse_with(
            "the environment as a whole is not an input of a file",
            "name the variables that you need, and allow each with --env NAME",
        )
    }

    fn set_at(&self, _index: Value<'v>, _new_value: Value<'v>) -> starlark::Result<()> {
        refuse_with(
            "the environment is not changed by a configuration",
            "set a variable for a process in its cmdline: 'export NAME=value; …'",
        )
    }

    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        let kind = match attribute {
            "get" => General(env),
            "has_key" => General(has_key),
            "keys" | "values" | "items" | "copy" | "iteritems" | "iterkeys" | "itervalues" => WHOLE,
            _ => return None,
        };
        Some(heap.alloc(Native::new("get", kind)))
    }
}

fn has_key<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let name = call.one()?;
    let name = call.text(name)?;
    Ok(Value::new_bool(call.context()?.outside.env(name)?.is_some()))
}
