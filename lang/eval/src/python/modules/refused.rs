//! Modules that a configuration cannot use, and what to write instead.

use starlark::values::Value;

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

/// Why there is no such module.
pub(super) fn refuse_module<'v>(
    name: &str,
    known: impl Iterator<Item = &'static str>,
) -> Res<Value<'v>> {
    let package = name.split('.').next().unwrap_or(name);
    let (message, help) = match package {
        "random" | "uuid" | "secrets" | "time" | "datetime" | "calendar" | "socket"
        | "platform" | "pwd" | "grp" | "locale" => {
            (format!("the module {package} is not there: {HERMETIC}"), PASS.to_owned())
        }
        "subprocess" | "commands" | "popen2" | "pexpect" | "sh" | "git" => (
            format!("the module {package} is not there: no program is run by a configuration"),
            "run it before, and pass what it prints with --bind NAME=… or --env NAME".to_owned(),
        ),
        "urllib" | "urllib2" | "urlparse" | "httplib" | "requests" | "http" | "ssl" | "ftplib" => (
            format!("the module {package} is not there: nothing is fetched by a configuration"),
            PASS.to_owned(),
        ),
        "shutil" | "tempfile" | "glob" | "io" | "pathlib" | "fileinput" | "zipfile" | "tarfile"
        | "yaml" | "ConfigParser" | "configparser" | "csv" | "pickle" | "StringIO" => (
            format!("the module {package} is not there: files are not read by a configuration"),
            "for a checksum write file_digest(\"path\", \"md5\"); for values include() a file"
                .to_owned(),
        ),
        "md5" | "sha" => {
            (format!("the module {package} is not there"), "write import hashlib".to_owned())
        }
        _ => {
            let help = match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "for another file of this project write include(\"path\") or \
                         load(\"path\", \"name\")"
                    .to_owned(),
            };
            (format!("there is no module {}", beginning(name)), help)
        }
    };
    help_as(Code::UnknownModule, message, help)
}
