//! The interpreter's messages in plain words.

use crate::codes::Code;

/// What the interpreter means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// The word of the file that is at fault, if one is.
    pub(super) word: Option<String>,
}

/// The meaning of a message; [`None`] if it is clear enough as it stands.
pub(super) fn meaning(message: &str) -> Option<Meaning> {
    let parts: Vec<&str> = message.split('`').collect();
    let shape: Vec<&str> = parts.iter().copied().step_by(2).collect();
    let said: Vec<&str> = parts.iter().copied().skip(1).step_by(2).collect();
    let simple = |code, message: String, help: Option<String>| {
        Some(Meaning { code, message, help, word: None })
    };
    match (shape.as_slice(), said.as_slice()) {
        (["Variable ", " not found" | " not found, did you mean ", ..], [name, near @ ..]) => {
            Some(Meaning {
                code: Code::UnknownName,
                message: format!("`{name}` is not defined"),
                help: near.first().map(|near| did_you_mean(near)),
                word: Some((*name).to_owned()),
            })
        }
        (["Local variable " | "Module variable is not set: ", ..], [name]) => simple(
            Code::UnknownName,
            format!("`{name}` is used before it is defined"),
            Some(format!("define `{name}` above this line, on every way that leads here")),
        ),
        (["Object of type ", " has no attribute ", ..], [ty, name, near @ ..]) => Some(Meaning {
            code: Code::UnknownAttribute,
            message: format!("{} has no attribute `{name}`", kind(ty)),
            help: near.first().map(|near| did_you_mean(near)),
            word: Some((*name).to_owned()),
        }),
        (
            ["Operation ", " not supported for types ", " and ", ""],
            ["compare" | "cmp()" | "<>", left, right],
        ) => simple(
            Code::WrongType,
            format!("neither of {} and {} is the greater", kind(left), kind(right)),
            Some(
                "compare values of one kind: int(…) makes a number of text, and `is None` asks \
                 for None"
                    .to_owned(),
            ),
        ),
        (["Operation ", " not supported for types ", " and ", ""], [op, left, right]) => {
            let texts = [*left, *right].contains(&"string");
            let numbers = [*left, *right].iter().any(|ty| matches!(*ty, "int" | "float"));
            simple(
                Code::WrongType,
                format!("`{op}` does not work on {} and {}", kind(left), kind(right)),
                (texts && numbers && *op == "+").then(|| {
                    "write str(…) around the number to make it text, or int(…) around the text to \
                     make it a number"
                        .to_owned()
                }),
            )
        }
        (["Operation ", " not supported on type ", ""], [op, "object"])
            if op.starts_with('.') && op.ends_with('=') =>
        {
            let field = &op[1..op.len() - 1];
            simple(
                Code::WrongType,
                format!("the object cannot be changed: `{field}` cannot be assigned to"),
                Some(format!("make a copy with another value: task = task({field} = …)")),
            )
        }
        (["Operation ", " not supported on type ", ""], [op, ty]) => simple(
            Code::WrongType,
            match *op {
                "call()" => format!("{} cannot be called like a function", kind(ty)),
                "[]" => format!("{} has no elements to be asked for with [ ]", kind(ty)),
                "(iter)" => format!("{} cannot be gone through", kind(ty)),
                op => format!("`{op}` does not work on {}", kind(ty)),
            },
            None,
        ),
        (["Missing required parameter ", ""], [name]) => simple(
            Code::WrongArguments,
            format!("the argument `{name}` is missing"),
            Some(format!("add `{name} = …`")),
        ),
        (["Missing named-only parameter ", " for call to ", ..], [name, function, ..])
        | (["Missing parameter ", " for call to ", ..], [name, function, ..]) => simple(
            Code::WrongArguments,
            // Functions of files are called `file.aurora.name`.
            format!(
                "`{}` needs the argument `{name}`",
                function.rsplit('.').next().unwrap_or_default()
            ),
            Some(format!("add `{name} = …`")),
        ),
        (["Found ", " extra named parameter(s) for call to ", ..], [name, ..]) => Some(Meaning {
            code: Code::WrongArguments,
            message: format!("the function takes no argument `{name}`"),
            help: None,
            word: Some((*name).to_owned()),
        }),
        (["Module has no symbol ", near @ ..], [name, ..]) => Some(Meaning {
            code: Code::UnknownName,
            message: format!("the module defines no `{name}`"),
            help: near
                .first()
                .filter(|near| near.contains("did you mean"))
                .and(said.get(1))
                .map(|near| did_you_mean(near)),
            word: Some((*name).to_owned()),
        }),
        (["Argument ", " occurs more than once"], [name]) => {
            simple(Code::WrongArguments, format!("the argument `{name}` is given twice"), None)
        }
        (
            ["Type of parameter ", " doesn't match, expected ", ", actual ", ""],
            [name, wanted, got],
        ) => simple(
            Code::WrongType,
            format!("`{name}` must be {}, got {}", kind(wanted), kind(got)),
            None,
        ),
        (["Expected ", ", but got ", ..], [wanted, got, ..]) => {
            simple(Code::WrongType, format!("expected {}, got {}", kind(wanted), kind(got)), None)
        }
        (["Index ", " is out of bound"], [index]) => simple(
            Code::EvaluationError,
            format!("there is no element {index}: the list is shorter (the first is element 0)"),
            None,
        ),
        (["Key ", " was not found"], [key]) => {
            simple(Code::EvaluationError, format!("the dict has no key {key}"), None)
        }
        (["Value of type ", " is not hashable"], [ty]) => simple(
            Code::WrongType,
            format!("{} cannot be a key of a dict", kind(ty)),
            Some("keys are text and numbers; write a tuple instead of a list".to_owned()),
        ),
        _ => unquoted(message),
    }
}

/// Messages without a quoted word.
fn unquoted(message: &str) -> Option<Meaning> {
    let (code, words) = if message.starts_with("Evaluation cancelled") {
        (Code::Cancelled, "the evaluation was stopped")
    } else if message.starts_with("Heap memory limit") {
        (Code::LimitExceeded, "the file needs more memory than an evaluation may have")
    } else if message.starts_with("Starlark call stack overflow")
        || message.starts_with("Too many recursion levels")
    {
        (Code::LimitExceeded, "functions call functions too deep: does one call itself for ever?")
    } else if message.starts_with("Execution duration limit") {
        (Code::LimitExceeded, "the file takes more calls and turns of loops than it may")
    } else if message.contains("extra positional argument")
        || message.starts_with("Wrong number of positional arguments")
    {
        (Code::WrongArguments, message)
    } else {
        return None;
    };
    Some(Meaning { code, message: words.to_owned(), help: None, word: None })
}

fn did_you_mean(near: &str) -> String {
    format!("did you mean `{near}`?")
}

/// A type of the interpreter as people call it.
fn kind(ty: &str) -> String {
    let words = match ty {
        "string" | "str" => "text",
        "int" => "a whole number",
        "float" => "a number",
        "bool" => "True or False",
        "NoneType" | "None" => "None",
        "list" => "a list",
        "dict" => "a dict",
        "tuple" => "a tuple",
        "set" => "a set",
        "function" | "native_function" => "a function",
        "object" => "the object",
        "struct_type" => "the struct itself",
        "range" => "a range",
        other => return format!("`{other}`"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_become_plain() {
        for (message, code, plain) in [
            ("Variable `x` not found", Code::UnknownName, "`x` is not defined"),
            (
                "Variable `xs` not found, did you mean `x`?",
                Code::UnknownName,
                "`xs` is not defined",
            ),
            (
                "Object of type `list` has no attribute `push`",
                Code::UnknownAttribute,
                "a list has no attribute `push`",
            ),
            (
                "Operation `+` not supported for types `string` and `int`",
                Code::WrongType,
                "`+` does not work on text and a whole number",
            ),
            (
                "Operation `call()` not supported on type `string`",
                Code::WrongType,
                "text cannot be called like a function",
            ),
            (
                "Operation `compare` not supported for types `NoneType` and `int`",
                Code::WrongType,
                "neither of None and a whole number is the greater",
            ),
            (
                "Operation `.name=` not supported on type `object`",
                Code::WrongType,
                "the object cannot be changed: `name` cannot be assigned to",
            ),
            ("Missing required parameter `a`", Code::WrongArguments, "the argument `a` is missing"),
        ] {
            let meaning = meaning(message).unwrap();
            assert_eq!((meaning.code, &*meaning.message), (code, plain));
        }
        assert_eq!(meaning("something `else`"), None);
    }
}
