//! `text.format(…)` and `format(value, spec)`.

use starlark::eval::Evaluator;
use starlark::values::float::StarlarkFloat;
use starlark::values::{Heap, StringValue, Value, ValueLike};

use aurora_template::beginning;

use super::call::{Res, check_text, refuse, refuse_with};
use super::number::{Number, number};
use super::spec::{Align, digits, float_digits, leading_number, pad, sign, with_commas};
use super::text::{kind, repr_of, str_of};

/// The values that a text is filled with.
pub(super) struct Values<'v, 'a> {
    pub(super) positional: &'a [Value<'v>],
    pub(super) named: &'a [(StringValue<'v>, Value<'v>)],
}

/// How fields without a name are counted.
#[derive(Default)]
struct Numbering {
    next: usize,
    given: bool,
}

/// Fills the fields of a text.
pub(super) fn format<'v>(
    text: &str,
    values: &Values<'v, '_>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<String> {
    fill(text, values, &mut Numbering::default(), 2, eval)
}

fn fill<'v>(
    text: &str,
    values: &Values<'v, '_>,
    numbering: &mut Numbering,
    depth: usize,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
        } else if brace == "}" {
            return refuse_with("a single '}' in the text of format()", "write }} for a brace");
        } else {
            let Some(end) = closing(after) else {
                return refuse_with("a single '{' in the text of format()", "write {{ for a brace");
            };
            out.push_str(&field(&after[..end], values, numbering, depth, eval)?);
            rest = &after[end + 1..];
        }
        check_text(out.len())?;
    }
    out.push_str(rest);
    check_text(out.len())?;
    Ok(out)
}

fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// One field: its value, `!` and a conversion, `:` and a format, which may have fields itself.
fn field<'v>(
    text: &str,
    values: &Values<'v, '_>,
    numbering: &mut Numbering,
    depth: usize,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<String> {
    if depth == 0 {
        return refuse("fields stand too deep in fields in the text of format()");
    }
    // An index in brackets may hold either sign.
    let mut in_brackets = false;
    let end = text
        .find(|c| {
            match c {
                '[' => in_brackets = true,
                ']' => in_brackets = false,
                _ => {}
            }
            !in_brackets && (c == '!' || c == ':')
        })
        .unwrap_or(text.len());
    let (path, mut rest) = text.split_at(end);
    let mut value = find(path, values, numbering, eval)?;
    let heap = eval.heap();
    if let Some(after) = rest.strip_prefix('!') {
        let conversion = after.chars().next();
        value = match conversion {
            Some('r') => heap.alloc(repr_of(value, heap)?),
            Some('s') => heap.alloc(str_of(value, heap)?),
            _ => return refuse("format() knows the conversions !s and !r"),
        };
        rest = &after[1..];
        if !rest.is_empty() && !rest.starts_with(':') {
            return refuse("format() expects ':' after a conversion");
        }
    }
    let spec = rest.strip_prefix(':').unwrap_or("");
    if spec.contains(['{', '}']) {
        let spec = fill(spec, values, numbering, depth - 1, eval)?;
        return format_value(value, &spec, heap);
    }
    format_value(value, spec, heap)
}

/// The value that a path such as `0.name[key]` leads to.
fn find<'v>(
    path: &str,
    values: &Values<'v, '_>,
    numbering: &mut Numbering,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Value<'v>> {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (first, mut rest) = path.split_at(end);
    let index = if first.is_empty() {
        if numbering.given {
            return refuse("format() mixes {} with numbered fields");
        }
        numbering.next += 1;
        Some(numbering.next - 1)
    } else if first.bytes().all(|b| b.is_ascii_digit()) {
        if numbering.next > 0 {
            return refuse("format() mixes {} with numbered fields");
        }
        numbering.given = true;
        Some(first.parse().unwrap_or(usize::MAX))
    } else {
        None
    };
    let found = match index {
        Some(index) => values.positional.get(index).copied(),
        None => values.named.iter().find(|(name, _)| name.as_str() == first).map(|(_, v)| *v),
    };
    let Some(mut value) = found else {
        return match index {
            Some(index) => refuse(format!(
                "format() has {} values, but the text asks for number {index}, counted from 0",
                values.positional.len()
            )),
            None => refuse_with(
                format!("format() is not given `{}`", beginning(first)),
                "give it by name, and write {{ and }} for braces that are no field",
            ),
        };
    };
    let heap = eval.heap();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            value = value.get_attr_error(&after[..end], heap)?;
            rest = &after[end..];
        } else {
            let Some(end) = rest.find(']') else {
                return refuse("a '[' in the text of format() is not closed");
            };
            let key = &rest[1..end];
            let index = match key.parse::<i32>() {
                Ok(number) if key.bytes().all(|b| b.is_ascii_digit()) => heap.alloc(number),
                _ => heap.alloc(key),
            };
            value = value.at(index, heap)?;
            rest = &rest[end + 1..];
        }
    }
    Ok(value)
}

#[derive(Default)]
struct Spec {
    fill: Option<char>,
    align: Option<Align>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    comma: bool,
    precision: Option<usize>,
    conversion: Option<char>,
}

impl Spec {
    fn parse(text: &str) -> Res<Self> {
        let mut spec = Self::default();
        let mut chars = text.chars();
        let (first, second) = (chars.next(), chars.next());
        let mut rest = text;
        if let (Some(fill), Some(align)) = (first, second.and_then(align)) {
            spec.fill = Some(fill);
            spec.align = Some(align);
            rest = &text[fill.len_utf8() + 1..];
        } else if let Some(align) = first.and_then(align) {
            spec.align = Some(align);
            rest = &text[1..];
        }
        if let Some(sign) = rest.chars().next().filter(|c| "+- ".contains(*c)) {
            spec.sign = Some(sign);
            rest = &rest[1..];
        }
        let mut flag = |sign: char| match rest.strip_prefix(sign) {
            Some(after) => {
                rest = after;
                true
            }
            None => false,
        };
        spec.alternate = flag('#');
        spec.zero = flag('0');
        let (width, after) = leading_number(rest)?;
        spec.width = width.unwrap_or(0);
        rest = after;
        if let Some(after) = rest.strip_prefix(',') {
            spec.comma = true;
            rest = after;
        }
        if let Some(after) = rest.strip_prefix('.') {
            let (precision, after) = leading_number(after)?;
            let Some(precision) = precision else {
                return refuse("the format lacks the digits behind its point");
            };
            spec.precision = Some(precision);
            rest = after;
        }
        let mut chars = rest.chars();
        spec.conversion = chars.next();
        if chars.next().is_some() {
            return refuse(format!("the format {:?} is not understood", beginning(text)));
        }
        Ok(spec)
    }

    fn signed(&self, negative: bool) -> String {
        sign(negative, self.sign == Some('+'), self.sign == Some(' '))
    }

    fn pad(&self, prefix: &str, body: &str, usual: Align) -> Res<String> {
        let (fill, usual) = if self.zero { ('0', Align::Inside) } else { (' ', usual) };
        pad(prefix, body, self.fill.unwrap_or(fill), self.align.unwrap_or(usual), self.width)
    }
}

fn align(c: char) -> Option<Align> {
    Some(match c {
        '<' => Align::Left,
        '>' => Align::Right,
        '^' => Align::Center,
        '=' => Align::Inside,
        _ => return None,
    })
}

/// `format(value, spec)`.
pub(super) fn format_value<'v>(value: Value<'v>, spec: &str, heap: Heap<'v>) -> Res<String> {
    if spec.is_empty() {
        return str_of(value, heap);
    }
    let parsed = Spec::parse(spec)?;
    let unknown =
        || refuse(format!("{} cannot be formatted by {:?}", kind(value), beginning(spec)));
    let Some(given) = number(value) else {
        if !matches!(parsed.conversion, None | Some('s'))
            || parsed.comma
            || parsed.sign.is_some()
            || parsed.align == Some(Align::Inside)
        {
            return unknown();
        }
        let text = str_of(value, heap)?;
        let text: String = match parsed.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text,
        };
        return pad(
            "",
            &text,
            parsed.fill.unwrap_or(if parsed.zero { '0' } else { ' ' }),
            parsed.align.unwrap_or(Align::Left),
            parsed.width,
        );
    };
    let float = value.downcast_ref::<StarlarkFloat>().is_some();
    match parsed.conversion {
        Some('d' | 'b' | 'o' | 'x' | 'X' | 'c') if float => unknown(),
        Some('c') => match given {
            Number::Int(code) => match u32::try_from(code).ok().and_then(char::from_u32) {
                Some(c) => parsed.pad("", &c.to_string(), Align::Left),
                None => unknown(),
            },
            _ => unknown(),
        },
        Some('d' | 'b' | 'o' | 'x' | 'X') => whole(given, &parsed),
        Some('n') | None if !float => whole(given, &parsed),
        Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'n' | '%') | None => {
            floating(given.float()?, &parsed)
        }
        Some(_) => unknown(),
    }
}

fn whole(number: Number, spec: &Spec) -> Res<String> {
    if spec.precision.is_some() {
        return refuse("a whole number has no precision in a format");
    }
    let number = number.truncated()?;
    let conversion = spec.conversion.unwrap_or('d');
    let mut body = digits(&number, conversion);
    if spec.comma {
        body = with_commas(&body);
    }
    let mut prefix = spec.signed(number.sign() == num_bigint::Sign::Minus);
    if spec.alternate && "boxX".contains(conversion) {
        prefix.push('0');
        prefix.push(conversion);
    }
    spec.pad(&prefix, &body, Align::Right)
}

fn floating(value: f64, spec: &Spec) -> Res<String> {
    let mut body = match spec.conversion {
        Some('%') => float_digits(value * 100.0, 'f', spec.precision, spec.alternate)? + "%",
        Some('n') => float_digits(value, 'g', spec.precision, spec.alternate)?,
        Some(conversion) => float_digits(value, conversion, spec.precision, spec.alternate)?,
        None => {
            // As `g`, but with a point.
            let text = float_digits(value, 'g', Some(spec.precision.unwrap_or(12)), false)?;
            if text.bytes().all(|b| b.is_ascii_digit()) { text + ".0" } else { text }
        }
    };
    if spec.comma {
        body = with_commas(&body);
    }
    let negative = value.is_sign_negative() && !value.is_nan();
    spec.pad(&spec.signed(negative), &body, Align::Right)
}
