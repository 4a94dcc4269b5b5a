//! `string`: constants, and functions that are methods of texts today.

use starlark::values::Value;

use super::super::call::{Call, Res, refuse};
use super::super::methods::method;
use super::super::native::Kind::{General, Refused};
use super::{Member, Module};

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

const METHOD: Member = Member::Function(General(on_text));

pub(super) const STRING: Module = Module {
    name: "string",
    members: &[
        ("ascii_letters", Member::Text(LETTERS)),
        ("letters", Member::Text(LETTERS)),
        ("ascii_lowercase", Member::Text(LOWER)),
        ("lowercase", Member::Text(LOWER)),
        ("ascii_uppercase", Member::Text(UPPER)),
        ("uppercase", Member::Text(UPPER)),
        ("digits", Member::Text("0123456789")),
        ("hexdigits", Member::Text("0123456789abcdefABCDEF")),
        ("octdigits", Member::Text("01234567")),
        ("punctuation", Member::Text("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")),
        ("whitespace", Member::Text("\t\n\x0b\x0c\r ")),
        ("join", Member::Function(General(join))),
        ("split", METHOD),
        ("replace", METHOD),
        ("upper", METHOD),
        ("lower", METHOD),
        ("strip", METHOD),
        ("lstrip", METHOD),
        ("rstrip", METHOD),
        ("capitalize", METHOD),
        ("zfill", METHOD),
        ("ljust", METHOD),
        ("rjust", METHOD),
        ("center", METHOD),
        ("find", METHOD),
        ("count", METHOD),
        (
            "Template",
            Member::Function(Refused(
                "there is no string.Template",
                "write 'text %(name)s' % {'name': value}, or bind {{name}}",
            )),
        ),
    ],
};

fn on_text<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    if call.positional.is_empty() {
        return refuse(format!("{}() takes a text", call.name));
    }
    let text = call.positional.remove(0);
    call.text(text)?;
    method(call.name, text, call)
}

fn join<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [words, separator] = call.args(["words", "sep"], 1)?;
    let separator = separator.unwrap_or_else(|| call.alloc(" "));
    call.text(separator)?;
    call.positional.extend(words);
    method("join", separator, call)
}
