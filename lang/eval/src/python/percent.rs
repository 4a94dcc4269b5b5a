//! `format % values`, by Python 2's whole rules.

use starlark::eval::Evaluator;
use starlark::values::Value;
use starlark::values::dict::DictRef;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;

use aurora_template::beginning;

use super::call::{Res, check, check_text, refuse, refuse_with};
use super::number::{Number, number};
use super::spec::{Align, digits, float_digits, leading_number, pad, sign};
use super::text::{kind, repr_of, str_of};

#[derive(Default)]
struct Flags {
    left: bool,
    plus: bool,
    blank: bool,
    alternate: bool,
    zero: bool,
}

/// The values of a format, taken one after the other.
struct Values<'v> {
    all: Vec<Value<'v>>,
    next: usize,
    /// What names are looked up in.
    mapping: Option<Value<'v>>,
    named: bool,
}

impl<'v> Values<'v> {
    fn of(value: Value<'v>) -> Self {
        let all = match TupleRef::from_value(value) {
            Some(tuple) => tuple.content().to_vec(),
            None => vec![value],
        };
        let mapping = DictRef::from_value(value).map(|_| value);
        Self { all, next: 0, mapping, named: false }
    }

    fn take(&mut self) -> Res<Value<'v>> {
        let found = self.all.get(self.next).copied();
        self.next += 1;
        match found {
            Some(value) => Ok(value),
            None => refuse_with(
                format!("the text has more `%` than there are values ({})", self.all.len()),
                "give one value for each, or write %% for a percent sign",
            ),
        }
    }

    fn count(&mut self, what: &str) -> Res<i64> {
        match number(self.take()?) {
            Some(Number::Int(count)) => Ok(count),
            _ => refuse(format!("`*` takes the {what} from a value that is a whole number")),
        }
    }
}

/// The text that a format makes of a value, or of the values of a tuple.
pub(super) fn percent<'v>(
    format: &str,
    value: Value<'v>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<String> {
    check(eval)?;
    let mut values = Values::of(value);
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = convert(&rest[at + 1..], &mut values, &mut out, eval)?;
        check_text(out.len())?;
    }
    out.push_str(rest);
    let unused = !values.named && values.next < values.all.len();
    if unused && values.mapping.is_none() && ListRef::from_value(value).is_none() {
        return refuse_with(
            format!("the text has {} `%` for {} values", values.next, values.all.len()),
            "not all values find their place in the text: add a %s for each",
        );
    }
    Ok(out)
}

/// Writes one conversion, whose `%` is behind us; gives what follows it.
fn convert<'f, 'v>(
    text: &'f str,
    values: &mut Values<'v>,
    out: &mut String,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<&'f str> {
    let mut rest = text;
    let mut named = None;
    if let Some(inside) = rest.strip_prefix('(') {
        let Some(end) = closing(inside) else {
            return refuse(format!("`%({}` has no closing bracket", beginning(inside)));
        };
        named = Some(look_up(&inside[..end], values, eval)?);
        rest = &inside[end + 1..];
    }
    let mut flags = Flags::default();
    while let Some(c) = rest.chars().next() {
        match c {
            '-' => flags.left = true,
            '+' => flags.plus = true,
            ' ' => flags.blank = true,
            '#' => flags.alternate = true,
            '0' => flags.zero = true,
            _ => break,
        }
        rest = &rest[1..];
    }
    let width;
    if let Some(after) = rest.strip_prefix('*') {
        let count = values.count("width")?;
        flags.left |= count < 0;
        width = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        rest = after;
    } else {
        let (number, after) = leading_number(rest)?;
        width = number.unwrap_or(0);
        rest = after;
    }
    let mut precision = None;
    if let Some(after) = rest.strip_prefix('.') {
        if let Some(after) = after.strip_prefix('*') {
            precision =
                Some(usize::try_from(values.count("precision")?.max(0)).unwrap_or(usize::MAX));
            rest = after;
        } else {
            let (number, after) = leading_number(after)?;
            precision = Some(number.unwrap_or(0));
            rest = after;
        }
    }
    rest = rest.strip_prefix(['h', 'l', 'L']).unwrap_or(rest);
    let Some(conversion) = rest.chars().next() else {
        return refuse_with("the text ends within a `%` conversion", "write %% for a percent sign");
    };
    let after = &rest[conversion.len_utf8()..];
    if conversion == '%' {
        out.push('%');
        return Ok(after);
    }
    if !"diouxXeEfFgGcrs".contains(conversion) {
        return refuse_with(
            format!("`%{conversion}` is no conversion"),
            "use %s for text, %d for whole numbers, %f for floats, %% for a percent sign",
        );
    }
    let value = match named {
        Some(value) => value,
        None => values.take()?,
    };
    let heap = eval.heap();
    let text = match conversion {
        's' => cut(str_of(value, heap)?, precision),
        'r' => cut(repr_of(value, heap)?, precision),
        'c' => character(value)?,
        _ => {
            let laid_out = numeric(value, conversion, &flags, precision, width)?;
            check_text(out.len() + laid_out.len())?;
            out.push_str(&laid_out);
            return Ok(after);
        }
    };
    check_text(out.len() + text.len())?;
    let align = if flags.left { Align::Left } else { Align::Right };
    out.push_str(&pad("", &text, ' ', align, width)?);
    Ok(after)
}

/// Where the bracket ends that was opened before `text`; brackets in it count.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn look_up<'v>(
    name: &str,
    values: &mut Values<'v>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Value<'v>> {
    values.named = true;
    let Some(mapping) = values.mapping else {
        let given = match values.all.as_slice() {
            [one] => kind(*one),
            all => format!("a tuple of {}", all.len()),
        };
        return refuse_with(
            format!("`%({})` takes its value from a dict, got {given}", beginning(name)),
            "write … % {'name': value}, or dict(name = value)",
        );
    };
    let key = eval.heap().alloc(name);
    let found = DictRef::from_value(mapping).and_then(|dict| dict.get(key).ok().flatten());
    match found {
        Some(value) => Ok(value),
        None => refuse(format!("the dict has no {:?}", beginning(name))),
    }
}

fn cut(text: String, precision: Option<usize>) -> String {
    match precision {
        Some(count) => text.chars().take(count).collect(),
        None => text,
    }
}

fn character(value: Value<'_>) -> Res<String> {
    let mut chars = value.unpack_str().unwrap_or_default().chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return Ok(c.to_string());
    }
    if let Some(Number::Int(code)) = number(value)
        && let Some(c) = u32::try_from(code).ok().and_then(char::from_u32)
    {
        return Ok(c.to_string());
    }
    refuse(format!("`%c` takes one character or its number, got {}", kind(value)))
}

fn numeric(
    value: Value<'_>,
    conversion: char,
    flags: &Flags,
    precision: Option<usize>,
    width: usize,
) -> Res<String> {
    let Some(number) = number(value) else {
        return refuse_with(
            format!("`%{conversion}` takes a number, got {}", kind(value)),
            "use %s for text, or int() and float() to make a number of it",
        );
    };
    let (negative, prefix, body);
    if "eEfFgG".contains(conversion) {
        let float = number.float()?;
        negative = float.is_sign_negative() && !float.is_nan();
        body = float_digits(float, conversion, precision, flags.alternate)?;
        prefix = "";
    } else {
        let whole = number.truncated()?;
        negative = whole.sign() == num_bigint::Sign::Minus;
        let mut digits = digits(&whole, conversion);
        if let Some(precision) = precision {
            digits = pad("", &digits, '0', Align::Right, precision)?;
        }
        prefix = match conversion {
            'x' if flags.alternate => "0x",
            'X' if flags.alternate => "0X",
            'o' if flags.alternate && !digits.starts_with('0') => "0",
            _ => "",
        };
        body = digits;
    }
    let prefix = sign(negative, flags.plus, flags.blank) + prefix;
    let (fill, align) = match (flags.left, flags.zero) {
        (true, _) => (' ', Align::Left),
        (false, true) => ('0', Align::Inside),
        (false, false) => (' ', Align::Right),
    };
    pad(&prefix, &body, fill, align, width)
}
