//! Functions of Python that a configuration cannot use, and what to write instead.

use super::native::Kind::Refused;

const NO_FILES: &str = "files are not read while a configuration is evaluated";
const NO_CODE: &str = "text is not run as code";
const NO_TABLES: &str = "the names of a file are not a dict";
const NO_ITERATORS: &str = "there are no iterators that are taken step by step";

pub(super) const TABLE: super::Table = &[
    (
        "open",
        Refused(
            NO_FILES,
            "for the checksum of a file write file_digest(\"path\", \"md5\"); for values of another \
             file include() it",
        ),
    ),
    ("file", Refused(NO_FILES, "for the checksum of a file write file_digest(\"path\", \"md5\")")),
    ("execfile", Refused(NO_CODE, "write include(\"path\")")),
    ("eval", Refused(NO_CODE, "int(), float() and json.loads() read values from text")),
    ("exec", Refused(NO_CODE, "write include(\"path\") for a file")),
    ("compile", Refused(NO_CODE, "write include(\"path\") for a file")),
    (
        "input",
        Refused("nobody is asked while a configuration is evaluated", "pass it with --bind name=…"),
    ),
    (
        "raw_input",
        Refused("nobody is asked while a configuration is evaluated", "pass it with --bind name=…"),
    ),
    (
        "globals",
        Refused(
            NO_TABLES,
            "give the name a value in every case, or keep such values in a dict of your own",
        ),
    ),
    (
        "vars",
        Refused(NO_TABLES, "name the values: text.format(role = role), or keep them in a dict"),
    ),
    (
        "locals",
        Refused(NO_TABLES, "name the values: text.format(role = role), or keep them in a dict"),
    ),
    ("iter", Refused(NO_ITERATORS, "go over the value itself, or over list(value)")),
    ("next", Refused(NO_ITERATORS, "take an element: list(value)[0]")),
    ("__import__", Refused("modules are not imported by name", "write import os, or include()")),
    ("setattr", Refused("objects do not change", "make a changed copy: job(name = 'other')")),
    ("delattr", Refused("objects do not change", "make a changed copy: job(field = Empty)")),
    ("id", Refused("values have no address that stays the same", "compare the values with ==")),
    ("exit", Refused("a file does not end the program", "use assert or raise to refuse it")),
    ("quit", Refused("a file does not end the program", "use assert or raise to refuse it")),
    ("super", Refused("structs have no methods", "list the fields of a struct again")),
    ("property", Refused("structs have no methods", "declare a field, or write a function")),
    ("staticmethod", Refused("structs have no methods", "write a function outside of the class")),
    ("classmethod", Refused("structs have no methods", "write a function outside of the class")),
];
