//! The functions and types of Python that configurations use, in a line each: they have no page of
//! ours, since they are Python's.

/// A function or type of Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PythonDecl {
    /// The name.
    pub name: &'static str,
    /// How it is called.
    pub signature: &'static str,
    /// What it does.
    pub doc: &'static str,
}

macro_rules! table {
    ($($name:literal $signature:literal $doc:literal)+) => {
        /// All of them, in the order of the alphabet.
        pub static TABLE: &[PythonDecl] =
            &[$(PythonDecl { name: $name, signature: $signature, doc: $doc }),+];
    };
}

table! {
    "False" "False" "What is not so."
    "None" "None" "Nothing."
    "True" "True" "What is so."
    "abs" "abs(x)" "A number without its sign."
    "all" "all(iterable)" "Whether every element is true."
    "any" "any(iterable)" "Whether an element is true."
    "basestring" "basestring" "The type of texts, for `isinstance`."
    "bin" "bin(x)" "A whole number in base 2, as text."
    "bool" "bool(x)" "Whether a value is true: not empty, 0, `None` or `False`."
    "bytes" "bytes(x)" "Bytes of a text or of numbers."
    "callable" "callable(x)" "Whether a value can be called."
    "chr" "chr(code)" "The character of a number."
    "cmp" "cmp(x, y)" "-1, 0 or 1: how two values are ordered."
    "dict" "dict(mapping, name = value, …)" "A dict of a mapping or list of pairs, and of names."
    "dir" "dir(x)" "The names of a value's attributes."
    "divmod" "divmod(x, y)" "The whole quotient and the rest."
    "enumerate" "enumerate(sequence, start = 0)" "The elements, each with its number, as pairs."
    "fail" "fail(message, …)" "Ends the evaluation with a message."
    "filter" "filter(function, iterable)" "The elements for which the function is true."
    "float" "float(x)" "A number, of a number or a text."
    "format" "format(value, format_spec)" "A value as text, in a format such as `\"05d\"`."
    "frozenset" "frozenset(iterable)" "A set."
    "getattr" "getattr(object, name, default)" "The attribute of that name."
    "hasattr" "hasattr(object, name)" "Whether there is an attribute of that name."
    "hash" "hash(text)" "A number made of a text."
    "hex" "hex(x)" "A whole number in base 16, as text."
    "int" "int(x, base = 10)" "A whole number, of a number or a text."
    "isinstance" "isinstance(object, type)" "Whether a value is of a type, or of one of a tuple of types."
    "len" "len(x)" "How many elements or characters there are."
    "list" "list(iterable)" "A list of the elements."
    "long" "long(x, base = 10)" "A whole number: `int`."
    "map" "map(function, iterable, …)" "What the function makes of each element, as a list."
    "max" "max(iterable, key = function)" "The largest element, or argument."
    "min" "min(iterable, key = function)" "The smallest element, or argument."
    "object" "object" "The type of everything, for `isinstance`."
    "oct" "oct(x)" "A whole number in base 8, as text."
    "ord" "ord(character)" "The number of a character."
    "pow" "pow(x, y, z)" "`x ** y`, of which the rest to `z` if that is given."
    "print" "print(value, …, sep = \" \")" "Prints a line, which is shown with the result."
    "range" "range(start, stop, step = 1)" "The numbers from the start, or 0, to before the stop, as a list."
    "reduce" "reduce(function, sequence, initial)" "What is left when the function has put the elements together, two by two."
    "repr" "repr(x)" "A value as a file would have it."
    "reversed" "reversed(sequence)" "The elements, the last first, as a list."
    "round" "round(number, ndigits = 0)" "A number with so many digits behind the point; halves go away from zero."
    "set" "set(iterable)" "A set of the elements."
    "sorted" "sorted(iterable, cmp, key, reverse = False)" "The elements in order, as a list."
    "str" "str(object)" "A value as text."
    "sum" "sum(sequence, start = 0)" "The sum of numbers, or of lists."
    "tuple" "tuple(iterable)" "A tuple of the elements."
    "type" "type(x)" "The type of a value."
    "unichr" "unichr(code)" "The character of a number: `chr`."
    "unicode" "unicode(object)" "A value as text: `str`."
    "xrange" "xrange(start, stop, step = 1)" "`range`."
    "zip" "zip(iterable, …)" "The first elements as a tuple, the second ones, and so on, as a list."
}

/// A method of Python's texts, lists, dicts or sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodDecl {
    /// What it is a method of: `text`, `list`, `dict` or `set`.
    pub of: &'static str,
    /// The name.
    pub name: &'static str,
    /// How it is called.
    pub signature: &'static str,
    /// What it does.
    pub doc: &'static str,
}

macro_rules! methods {
    ($($of:literal { $($name:literal $signature:literal $doc:literal)+ })+) => {
        /// The methods, by what they are methods of.
        pub static METHODS: &[MethodDecl] = &[$($(
            MethodDecl { of: $of, name: $name, signature: $signature, doc: $doc }
        ),+),+];
    };
}

methods! {
    "text" {
        "capitalize" "capitalize()" "The text with its first letter large and the others small."
        "center" "center(width, fill = \" \")" "The text in the middle of so many characters."
        "count" "count(part, start, end)" "How often a part is there."
        "endswith" "endswith(end)" "Whether the text ends so, or with one of a tuple of texts."
        "find" "find(part, start, end)" "Where a part begins; -1 if it is not there."
        "format" "format(value, …, name = value, …)" "The text with values in place of `{}`, `{0}` and `{name}`."
        "index" "index(part, start, end)" "Where a part begins; an error if it is not there."
        "isalnum" "isalnum()" "Whether there are only letters and digits."
        "isalpha" "isalpha()" "Whether there are only letters."
        "isdigit" "isdigit()" "Whether there are only digits."
        "islower" "islower()" "Whether no letter is large."
        "isspace" "isspace()" "Whether there are only blanks."
        "isupper" "isupper()" "Whether no letter is small."
        "join" "join(texts)" "Texts in one, with this one between them."
        "ljust" "ljust(width, fill = \" \")" "The text at the left of so many characters."
        "lower" "lower()" "The text in small letters."
        "lstrip" "lstrip(characters)" "The text without blanks, or these characters, at its beginning."
        "partition" "partition(separator)" "What is before the first separator, the separator, what is behind it."
        "replace" "replace(old, new, count)" "The text with one part in place of another."
        "rfind" "rfind(part, start, end)" "Where a part begins last; -1 if it is not there."
        "rindex" "rindex(part, start, end)" "Where a part begins last; an error if it is not there."
        "rjust" "rjust(width, fill = \" \")" "The text at the right of so many characters."
        "rpartition" "rpartition(separator)" "What is before the last separator, the separator, what is behind it."
        "rsplit" "rsplit(separator, maxsplit)" "The parts between separators, or blanks, the last ones first taken apart."
        "rstrip" "rstrip(characters)" "The text without blanks, or these characters, at its end."
        "split" "split(separator, maxsplit)" "The parts between separators, or blanks."
        "splitlines" "splitlines(keepends = False)" "The lines."
        "startswith" "startswith(beginning)" "Whether the text begins so, or with one of a tuple of texts."
        "strip" "strip(characters)" "The text without blanks, or these characters, at both ends."
        "swapcase" "swapcase()" "The text with small letters for large ones, and large for small."
        "title" "title()" "The text with the first letter of each word large."
        "upper" "upper()" "The text in large letters."
        "zfill" "zfill(width)" "The text with zeros before its digits, so many characters long."
    }
    "list" {
        "append" "append(element)" "Adds an element."
        "count" "count(element)" "How often an element is there."
        "extend" "extend(iterable)" "Adds elements."
        "index" "index(element, start, end)" "Where an element is first; an error if it is not there."
        "insert" "insert(index, element)" "Puts an element before the one at a place."
        "pop" "pop(index = -1)" "Takes an element away, and gives it."
        "remove" "remove(element)" "Takes the first such element away."
        "reverse" "reverse()" "Puts the elements the other way round."
        "sort" "sort(cmp, key, reverse = False)" "Puts the elements in order."
    }
    "dict" {
        "clear" "clear()" "Takes all entries away."
        "copy" "copy()" "A dict of the same entries."
        "get" "get(key, default)" "The value of a key, or the default, or `None`."
        "has_key" "has_key(key)" "Whether there is such a key."
        "items" "items()" "The keys with their values, as pairs."
        "keys" "keys()" "The keys."
        "pop" "pop(key, default)" "Takes an entry away, and gives its value."
        "setdefault" "setdefault(key, default)" "The value of a key, which becomes the default if there is none."
        "update" "update(mapping, name = value, …)" "Takes over entries."
        "values" "values()" "The values."
    }
    "set" {
        "add" "add(element)" "Adds an element."
        "copy" "copy()" "A set of the same elements."
        "remove" "remove(element)" "Takes an element away."
        "union" "union(iterable)" "A set of the elements of both."
        "update" "update(iterable, …)" "Adds elements."
    }
}

/// How the functions are called that files import from modules.
pub fn of_module(name: &str) -> Option<&'static str> {
    Some(match name {
        "os.getenv" => "os.getenv(name, default = None)",
        "os.path.join" => "os.path.join(part, …)",
        "getpass.getuser" => "getpass.getuser()",
        "textwrap.dedent" => "textwrap.dedent(text)",
        _ => return None,
    })
}

/// A method of a kind of value, or of whatever kind has it first.
pub fn method(of: Option<&str>, name: &str) -> Option<&'static MethodDecl> {
    METHODS.iter().find(|decl| decl.name == name && of.is_none_or(|of| of == decl.of))
}

/// A function or type of Python by its name.
pub fn python(name: &str) -> Option<&'static PythonDecl> {
    let at = TABLE.binary_search_by(|decl| decl.name.cmp(name)).ok()?;
    TABLE.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::{Builtin, builtins};

    /// Namespaces, whose members are documented, and names that older files may see.
    const OTHERS: [&str; 10] = [
        "MustacheParser",
        "Namable",
        "Options",
        "Processes",
        "Ref",
        "Tasks",
        "Type",
        "TypeCheck",
        "TypeFactory",
        "Units",
    ];

    #[test]
    fn every_name_of_python_is_told_of_or_refused() {
        for (name, builtin) in builtins() {
            let is_python = matches!(builtin, Builtin::Python) && !OTHERS.contains(&name);
            let told = python(name).is_some() || aurora_eval::refused(name).is_some();
            assert!(!is_python || told, "{name}");
        }
        for decl in TABLE {
            assert!(crate::builtin::builtin(decl.name).is_some(), "{}", decl.name);
            assert!(aurora_eval::refused(decl.name).is_none(), "{}", decl.name);
            assert!(decl.signature.starts_with(decl.name), "{}", decl.name);
        }
        assert!(TABLE.is_sorted_by_key(|decl| decl.name));
    }

    #[test]
    fn every_method_is_there() {
        for decl in METHODS {
            assert!(decl.signature.starts_with(decl.name), "{}", decl.name);
            let value = match decl.of {
                "text" => "\"\"",
                "list" => "[]",
                "dict" => "{}",
                _ => "set()",
            };
            // More arguments than any takes: the call fails, but not for want of the method.
            let text = format!("{value}.{}(no_such = 1)\n", decl.name);
            let found = aurora_eval::evaluate_text(
                "x.aurora",
                &text,
                &aurora_eval::Disk,
                &aurora_eval::Options::default(),
            );
            if let Err(report) = found {
                assert_ne!(report.code(), aurora_eval::Code::UnknownAttribute, "{text}{report:?}");
            }
        }
    }
}
