//! Modules that a configuration cannot use, and what to write instead. Real files import some that
//! they never use: of those that Python brings along, only the use is refused.

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
use starlark::starlark_simple_value;
use starlark::values::{
    Heap, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value,
    starlark_value,
};

use crate::codes::Code;
use aurora_template::beginning;
use aurora_template::types::nearest;

use super::super::call::{Res, help_as};
use super::super::native::Kind::Refused;
use super::{Member, Module};

const HERMETIC: &str = "a configuration gives the same jobs wherever and whenever it is evaluated";
const PASS: &str =
    "pass the value with --bind NAME=…, or as an environment variable with --env NAME";

/// Of `sys` there is what does not depend on the machine.
pub(super) const SYS: Module = Module {
    name: "sys",
    members: &[
        ("maxint", Member::Int(i64::MAX)),
        ("argv", Member::Function(Refused(HERMETIC, PASS))),
        (
            "exit",
            Member::Function(Refused("a file does not end the program", "use assert or raise")),
        ),
        ("path", Member::Function(Refused(HERMETIC, "include() takes paths relative to the file"))),
    ],
};

/// A module of Python that is not there, or a name within it.
#[derive(Debug, Clone, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(in crate::python) struct Absent {
    message: String,
    help: &'static str,
}
starlark_simple_value!(Absent);

impl Absent {
    /// Why it cannot be used.
    pub(in crate::python) fn refuse<T>(&self) -> Res<T> {
        help_as(Code::UnknownModule, self.message.clone(), self.help)
    }
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<module that is not there>")
    }
}

#[starlark_value(type = "module")]
impl<'v> StarlarkValue<'v> for Absent {
    fn get_attr(&self, _attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        Some(heap.alloc(self.clone()))
    }

    fn invoke(
        &self,
        _me: Value<'v>,
        _args: &Arguments<'v, '_>,
        _eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        self.refuse()
    }
}

/// The stand-in for a module of Python that is not there; [`None`] if Python has none of that name.
pub(super) fn absent(name: &str) -> Option<Absent> {
    let package = name.split('.').next().unwrap_or(name);
    let (why, help) = match package {
        "random" | "uuid" | "secrets" | "time" | "datetime" | "calendar" | "socket"
        | "platform" | "pwd" | "grp" | "locale" => (HERMETIC, PASS),
        "subprocess" | "commands" | "popen2" | "pexpect" | "sh" | "git" => (
            "no program is run by a configuration",
            "run it before, and pass what it prints with --bind NAME=… or --env NAME",
        ),
        "urllib" | "urllib2" | "urlparse" | "httplib" | "requests" | "http" | "ssl" | "ftplib" => {
            ("nothing is fetched by a configuration", PASS)
        }
        "shutil" | "tempfile" | "glob" | "io" | "pathlib" | "fileinput" | "zipfile" | "tarfile"
        | "yaml" | "ConfigParser" | "configparser" | "csv" | "pickle" | "StringIO" => (
            "files are not read by a configuration",
            "for a checksum write file_digest(\"path\", \"md5\"); for values include() a file",
        ),
        "md5" | "sha" => ("its functions are in hashlib", "write import hashlib"),
        "argparse" | "base64" | "codecs" | "contextlib" | "decimal" | "errno" | "fnmatch"
        | "fractions" | "inspect" | "logging" | "optparse" | "pprint" | "signal" | "stat"
        | "struct" | "threading" | "traceback" | "types" | "warnings" => {
            ("a configuration does without it", PASS)
        }
        _ => return None,
    };
    Some(Absent { message: format!("the module {package} is not there: {why}"), help })
}

/// Why there is no such module.
pub(super) fn refuse_module<'v>(
    name: &str,
    known: impl Iterator<Item = &'static str>,
) -> Res<Value<'v>> {
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "for another file of this project write include(\"path\") or \
                 load(\"path\", \"name\")"
            .to_owned(),
    };
    help_as(Code::UnknownModule, format!("there is no module {}", beginning(name)), help)
}
