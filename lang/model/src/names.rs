//! The names that files find beside the structs: functions, types, methods, constants (`dsl.md` 1
//! and 6).

use crate::declare::Doc;

/// A name that is no struct.
#[derive(Debug)]
pub struct NameDecl {
    /// The name.
    pub name: &'static str,
    /// Other names of the same.
    pub also: &'static [&'static str],
    /// How it is written.
    pub signature: &'static str,
    /// What it is.
    pub doc: Doc,
}

/// Names that belong together: a section of the reference.
#[derive(Debug)]
pub struct NameGroup {
    /// What they are.
    pub title: &'static str,
    /// What one should know first.
    pub intro: &'static str,
    /// Whether the names are those of values that every file finds.
    pub is_global: bool,
    /// The names.
    pub names: &'static [NameDecl],
}

/// The constants for sizes, in bytes, from small to large.
pub const UNITS: [(&str, i64); 5] =
    [("BYTES", 1), ("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("TB", 1 << 40)];

/// All names of all groups.
pub fn names() -> impl Iterator<Item = &'static NameDecl> {
    GROUPS.iter().flat_map(|group| group.names)
}

macro_rules! names {
    ($($title:literal, $is_global:literal, $intro:literal { $(
        $(#[doc = $doc:literal])+ $name:literal $(| $also:literal)*: $signature:literal
    ),+ $(,)? })+) => {
        /// The names, by group.
        pub static GROUPS: &[NameGroup] = &[$(NameGroup {
            title: $title,
            intro: $intro,
            is_global: $is_global,
            names: &[$(NameDecl {
                name: $name,
                also: &[$($also),*],
                signature: $signature,
                doc: Doc(concat!($($doc, "\n"),+)),
            }),+],
        }),+];
    };
}

names! {
    "Tasks of less text", true, "Each gives a `Task`, or parts of one." {
        /// The constraint that each process starts when the one before it has succeeded, as a list
        /// for `Task.constraints`. Takes processes or their names; results are added up, as in
        /// `order(a, b) + order(a, c)`.
        "order" | "Processes.order": "order(first, second, …) -> [Constraint]",
        /// A task of one process: that name, that command line, 1 core, 1 GB of memory and 1 GB of
        /// disk.
        "SimpleTask" | "Tasks.simple": "SimpleTask(name, command) -> Task",
        /// A task whose processes run in the order in which they are written. Takes what `Task`
        /// takes, except for `constraints`, which it sets itself.
        "SequentialTask": "SequentialTask(processes = […], …) -> Task",
        /// A copy of a task whose processes run in the order in which they are written. The task
        /// must have no constraints of its own.
        "Tasks.sequential": "Tasks.sequential(task) -> Task",
        /// A task that does what all the tasks do, at the same time: it has their processes and
        /// constraints, the sum of their resources and the longest `finalization_wait`. Name, limits
        /// and bindings are the last task's; keywords replace fields.
        "Tasks.combine" | "combine_tasks": "Tasks.combine(task, …, name = …) -> Task",
        /// A task that does what the tasks do, one after the other: every process of a task waits
        /// for all those of the task before. It has the most of each resource and the sum of
        /// `finalization_wait`. Name, limits and bindings are the last task's; keywords replace
        /// fields.
        "Tasks.concat" | "concat_tasks": "Tasks.concat(task, …, name = …) -> Task",
        /// The sum of resources, dimension by dimension. What is absent counts as 0.
        "Units.resources_sum": "Units.resources_sum(resources, …) -> Resources",
        /// The most of each resource, of a list. What is absent counts as 0.
        "Units.resources_max": "Units.resources_max([resources, …]) -> Resources",
        /// The sum of the `finalization_wait` of a list of tasks.
        "Units.finalization_wait_sum": "Units.finalization_wait_sum([task, …]) -> Integer",
        /// The longest `finalization_wait` of a list of tasks.
        "Units.finalization_wait_max": "Units.finalization_wait_max([task, …]) -> Integer",
        /// The processes of all tasks, equal ones once.
        "Units.processes_merge": "Units.processes_merge([task, …]) -> [Process]",
        /// The constraints of all tasks, equal ones once.
        "Units.constraints_merge": "Units.constraints_merge([task, …]) -> [Constraint]",
    }
    "Command-line options", true, "Each gives a text for a command line." {
        /// Options of a Java program: each with one dash, with blanks between them. A text is an
        /// option without a value, a dict or keyword one with a value; without the value if that is
        /// empty, 0, `None` or `False`. `java_options("server", {"cp": "a.jar"})` is
        /// `-server -cp a.jar`.
        "java_options" | "Options.java": "java_options(option, …, name = value, …) -> text",
        /// Options of a Python program: like `java_options`, with one dash for names of one letter
        /// and two for longer ones. `python_options(v = None, port = 80)` is `-v --port 80`.
        "python_options" | "Options.python": "python_options(option, …, name = value, …) -> text",
    }
    "Several files", false, "What a file takes from others. The [library](../stdlib.md) has modules for what is often \
                             written." {
        /// Runs another file in the same namespace: all that it defines is defined here, and it
        /// sees what was defined before. The path is relative to the file in which the call stands.
        "include": "include(\"path.aurora\")",
        /// Takes names from another file, which is run for itself and once only. The path is
        /// relative to the file; `@std//name.aurora` is a module of the library that comes with the
        /// program.
        "load": "load(\"path.aurora\", \"name\", other = \"name\")",
    }
    "Tasks without a cluster", true, "Beside the list `jobs`, or instead of it." {
        /// Gives a task to `aurora thermos run`, which runs it on this machine by itself. Other
        /// commands leave it out.
        "export": "export(task)",
    }
    "Inputs", true, "An evaluation sees nothing of the outside but what is declared, and tells what it has \
               read." {
        /// An environment variable that was allowed with `--env NAME` or in `aurora.toml`. If it is
        /// not set, the default; without a default that is an error.
        "env": "env(\"NAME\", default) -> text",
        /// The name of the user who evaluates the file.
        "user": "user() -> text",
        /// The checksum of a file, in hexadecimal digits: `md5`, `sha1`, `sha224`, `sha256` (if
        /// nothing is said), `sha384` or `sha512`. The path is relative to the file in which the call
        /// stands.
        "file_digest": "file_digest(\"path\", \"sha256\") -> text",
    }
    "Texts", true, "Beside the methods that Python's texts have." {
        /// Parts of a path with `/` between them; a part that begins with `/` begins anew.
        "path_join": "path_join(part, …) -> text",
        /// A text of several lines without the blanks that all of them begin with.
        "dedent": "dedent(text) -> text",
    }
    "Python's modules", false, "What older files import is there under its name; new files need no \
                                import." {
        /// Environment variables: write `env`.
        "os.environ" | "os.getenv": "import os",
        /// The parts of a path in one: write `path_join`.
        "os.path.join": "import os",
        /// Who evaluates the file: write `user()`.
        "getpass.getuser": "import getpass",
        /// A text without the blanks that all its lines begin with: write `dedent`.
        "textwrap.dedent": "import textwrap",
        /// The checksum of a file: write `file_digest`.
        "hashlib": "import hashlib",
        /// Roundings, roots and the like.
        "math": "import math",
        /// Products and chains of lists.
        "itertools": "import itertools",
        /// `json.dumps` and `json.loads`.
        "json": "import json",
    }
    "Structs of one's own", true, "Typed values to bind: their fields are what templates refer to. In a \
                             `class` a field is written `name = Type`, `Required(Type)` or \
                             `Default(Type, value)`." {
        /// A struct of one's own, as `class Profile(Struct):` declares it, without a `class`
        /// statement: fields by name.
        "struct_type": "struct_type(\"Name\", field = Type, …) -> type",
        /// What a `class` is of that declares a struct: `class Profile(Struct):` with a field a
        /// line.
        "Struct": "class Name(Struct): field = Type",
        /// A field that must be given.
        "Required": "Required(Type)",
        /// A field that has a value when it is not given.
        "Default": "Default(Type, value)",
        /// Text. Numbers and booleans become text.
        "String": "String(value)",
        /// A whole number. Fractions of numbers are cut off; a text must be digits, with or without
        /// a sign.
        "Integer": "Integer(value)",
        /// A number, with a fraction or without.
        "Float": "Float(value)",
        /// True or false; of texts, `true`, `1`, `false` and `0` in any letter case.
        "Boolean": "Boolean(value)",
        /// A type: text that is one of a few. `Enum("a", "b")` or `Enum("Name", ("a", "b"))`.
        "Enum": "Enum(\"value\", …) -> type",
        /// A type: a list of values of one type.
        "List": "List(Type) -> type",
        /// A type: a table from keys to values.
        "Map": "Map(KeyType, ValueType) -> type",
        /// A type: one of several types, tried in order.
        "Choice": "Choice([Type, …]) -> type",
        /// A table from references to values, to bind: nested dicts become dotted names.
        "Environment": "Environment({\"name\": value}, name = value) -> scope",
        /// The absent value. Given to a field it takes away what the field has, its default too.
        "Empty": "Empty",
    }
    "Methods", false, "What every struct, list and scalar of the language has. A struct's field is read by \
                       `x.field()`, which replaces the references that are known, and asked for by \
                       `x.has_field()`; `x(field = value)` is a copy with another value." {
        /// A copy in which `{{name}}` stands for the value. What is bound nearer to the text wins
        /// over what is bound further out, a later call over an earlier one, and a struct's own
        /// fields over both. Takes keywords, dicts, `Environment`s and structs, whose fields become
        /// names.
        "bind": "x.bind(name = value, …)",
        /// A copy with names for what nothing else binds: like `bind`, but everything bound already
        /// comes first.
        "in_scope": "x.in_scope(name = value, …)",
        /// Whether the value is whole and of its type, and what is wrong if not.
        "check": "x.check()",
        /// The value with its references replaced, as far as they are known, and the list of those
        /// that are not.
        "interpolate": "x.interpolate()",
        /// The value as plain data, references left as they are.
        "get": "x.get()",
        /// The value as JSON, with its references replaced as far as they are known.
        "json_dumps": "x.json_dumps() -> text",
        /// A struct of JSON. Fields that it does not have are dropped, or refused with
        /// `strict = True`.
        "json_loads": "Type.json_loads(text, strict = False)",
    }
    "Constants", true, "Sizes are in bytes: write `512 * MB`." {
        /// One byte.
        "BYTES": "BYTES = 1",
        /// 1024 bytes.
        "KB": "KB = 1024",
        /// 1024 KB.
        "MB": "MB = 1024 * KB",
        /// 1024 MB.
        "GB": "GB = 1024 * MB",
        /// 1024 GB.
        "TB": "TB = 1024 * GB",
        /// The name of the executor that knows tasks and processes, as in `ExecutorConfig.name`.
        "AURORA_EXECUTOR_NAME": "AURORA_EXECUTOR_NAME = \"AuroraExecutor\"",
    }
    "References", false, "What templates find although nobody binds it, beside the fields around them. What is \
                   bound where a task runs is a page of its own: [contexts](contexts.md)." {
        /// The role of the job.
        "mesos.role": "{{mesos.role}}",
        /// The cluster of the job.
        "mesos.cluster": "{{mesos.cluster}}",
        /// The field of the nearest struct around the text that has it.
        "self": "{{self.field}}",
        /// The field or bound name of what is around the struct, the outermost first.
        "super": "{{super.field}}",
        /// The image of this name and tag by its digest, for `Docker.image`. Commands that show or submit a job look
        /// it up in the registry of its cluster, unless it is bound: `--bind 'docker.image[name][tag]=name@sha256:…'`.
        "docker.image": "{{docker.image[name][tag]}}",
    }
    "Lists that a file defines", false, "Read when the file has been evaluated." {
        /// The jobs of the file. A file without any is refused.
        "jobs": "jobs = [job, …]",
        /// Hook objects, called by the client for jobs with `enable_hooks`.
        "hooks": "hooks = [hook, …]",
    }
}
