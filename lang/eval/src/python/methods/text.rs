//! The methods of texts.

use starlark::values::Value;
use starlark::values::tuple::TupleRef;

use crate::values::ObjectValue;
use aurora_template::beginning;

use super::super::call::{Call, Res, check_items, check_text, read, refuse, refuse_with};
use super::super::format::{Values, format};
use super::super::spec::{Align, pad};
use super::super::text::kind;
use super::collections::bounds;

pub(super) fn method<'v>(
    name: &str,
    receiver: Value<'v>,
    call: &mut Call<'v, '_, '_, '_>,
) -> Res<Option<Value<'v>>> {
    let text = receiver.unpack_str().unwrap_or_default();
    read(text, call.eval)?;
    if let Some(value) = about(name, text, call)? {
        return Ok(Some(value));
    }
    if let Some(value) = parts(name, text, call)? {
        return Ok(Some(value));
    }
    let changed = match name {
        "upper" => no_args(call, || text.to_uppercase())?,
        "lower" => no_args(call, || text.to_lowercase())?,
        "title" => no_args(call, || title(text))?,
        "capitalize" => no_args(call, || capitalize(text))?,
        "swapcase" => no_args(call, || swapcase(text))?,
        "strip" | "lstrip" | "rstrip" => strip(name, text, call)?,
        "zfill" => {
            let [width] = call.exactly(["width"])?;
            let (sign, digits) = match text.strip_prefix(['-', '+']) {
                Some(digits) => text.split_at(text.len() - digits.len()),
                None => ("", text),
            };
            pad(sign, digits, '0', Align::Inside, call.count(width)?)?
        }
        "ljust" | "rjust" | "center" => justify(name, text, call)?,
        "expandtabs" => {
            let [size] = call.args(["tabsize"], 0)?;
            let size = size.map_or(Ok(8), |size| call.count(size))?;
            expand_tabs(text, size)?
        }
        "replace" => replace(text, call)?,
        "join" => join(text, call)?,
        "format" => {
            let (positional, named) =
                (std::mem::take(&mut call.positional), std::mem::take(&mut call.named));
            format(text, &Values { positional: &positional, named: &named }, call.eval)?
        }
        // All text is UTF-8.
        "encode" | "decode" => {
            let [encoding, _] = call.args(["encoding", "errors"], 0)?;
            let encoding = encoding.map_or(Ok("utf-8"), |value| call.text(value))?;
            match encoding.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
                "utf8" | "ascii" | "usascii" => return Ok(Some(receiver)),
                _ => {
                    return refuse_with(
                        format!("the encoding {:?} is not known", beginning(encoding)),
                        "all text is UTF-8",
                    );
                }
            }
        }
        "translate" => {
            return refuse_with(
                "translate() is not supported",
                "use replace(), once for each character",
            );
        }
        _ => return Ok(None),
    };
    call.new_text(&changed).map(Some)
}

fn no_args(call: &mut Call<'_, '_, '_, '_>, run: impl FnOnce() -> String) -> Res<String> {
    call.args([], 0)?;
    Ok(run())
}

/// What a text is like, and where something is in it.
fn about<'v>(name: &str, text: &str, call: &mut Call<'v, '_, '_, '_>) -> Res<Option<Value<'v>>> {
    let truth = match name {
        "isalnum" => all(text, char::is_alphanumeric),
        "isalpha" => all(text, char::is_alphabetic),
        "isdigit" => all(text, |c| c.is_ascii_digit()),
        "isspace" => all(text, char::is_whitespace),
        "islower" => text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase),
        "isupper" => text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase),
        "istitle" => text.chars().any(char::is_alphabetic) && title(text) == text,
        "startswith" | "endswith" => return affix(name, text, call).map(Some),
        "find" | "rfind" | "index" | "rindex" | "count" => {
            return locate(name, text, call).map(Some);
        }
        _ => return Ok(None),
    };
    call.args([], 0)?;
    Ok(Some(Value::new_bool(truth)))
}

fn all(text: &str, is: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(is)
}

/// The part of a text between two indexes that count characters, and how many stand before it.
fn part<'t, 'v>(
    text: &'t str,
    start: Option<Value<'v>>,
    end: Option<Value<'v>>,
    call: &Call<'v, '_, '_, '_>,
) -> Res<(&'t str, usize)> {
    if start.is_none() && end.is_none() {
        return Ok((text, 0));
    }
    let len = text.chars().count();
    let range = bounds(len, start, end, call)?;
    let at = |index: usize| text.char_indices().nth(index).map_or(text.len(), |(at, _)| at);
    Ok((&text[at(range.start)..at(range.end)], range.start))
}

fn affix<'v>(name: &str, text: &str, call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [wanted, start, end] = call.args(["prefix", "start", "end"], 1)?;
    let wanted = wanted.unwrap_or(Value::new_none());
    let (text, _) = part(text, start, end, call)?;
    let alternatives = match TupleRef::from_value(wanted) {
        Some(tuple) => tuple.content().to_vec(),
        None => vec![wanted],
    };
    for alternative in alternatives {
        let Some(alternative) = alternative.unpack_str() else {
            return refuse(format!("{name}() takes text, got {}", kind(alternative)));
        };
        let found = match name {
            "startswith" => text.starts_with(alternative),
            _ => text.ends_with(alternative),
        };
        if found {
            return Ok(Value::new_bool(true));
        }
    }
    Ok(Value::new_bool(false))
}

fn locate<'v>(name: &str, text: &str, call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [wanted, start, end] = call.args(["sub", "start", "end"], 1)?;
    let wanted = text_argument(name, wanted)?;
    let (inside, before) = part(text, start, end, call)?;
    if name == "count" {
        let count = inside.matches(wanted).count();
        return Ok(call.alloc(i64::try_from(count).unwrap_or(i64::MAX)));
    }
    let found = match name {
        "find" | "index" => inside.find(wanted),
        _ => inside.rfind(wanted),
    };
    match found {
        Some(at) => {
            let index = before + inside[..at].chars().count();
            Ok(call.alloc(i64::try_from(index).unwrap_or(i64::MAX)))
        }
        None if name.ends_with("find") => Ok(call.alloc(-1)),
        None => refuse_with(
            format!("{:?} is not in the text", beginning(wanted)),
            "find() gives -1 where index() fails",
        ),
    }
}

fn text_argument<'v>(name: &str, value: Option<Value<'v>>) -> Res<&'v str> {
    let value = value.unwrap_or(Value::new_none());
    match value.unpack_str() {
        Some(text) => Ok(text),
        None => refuse(format!("{name}() takes text, got {}", kind(value))),
    }
}

/// The methods that take a text apart.
fn parts<'v>(name: &str, text: &str, call: &mut Call<'v, '_, '_, '_>) -> Res<Option<Value<'v>>> {
    let pieces: Vec<&str> = match name {
        "split" | "rsplit" => {
            let [separator, most] = call.args(["sep", "maxsplit"], 0)?;
            let most = match most {
                Some(most) => usize::try_from(call.int(most)?).ok(),
                None => None,
            };
            match separator.filter(|value| !value.is_none()) {
                Some(separator) => {
                    let separator = text_argument(name, Some(separator))?;
                    if separator.is_empty() {
                        return refuse("split() takes a separator that is not empty");
                    }
                    check_items(text.matches(separator).count().min(most.unwrap_or(usize::MAX)))?;
                    split_at(text, separator, most, name == "rsplit")
                }
                None => {
                    let count = text.split_whitespace().count();
                    check_items(count.min(most.unwrap_or(usize::MAX)))?;
                    split_blanks(text, most, name == "rsplit")
                }
            }
        }
        "splitlines" => {
            let [keep] = call.args(["keepends"], 0)?;
            check_items(text.matches(['\n', '\r']).count())?;
            lines(text, keep.is_some_and(Value::to_bool))
        }
        "partition" | "rpartition" => {
            let [separator] = call.exactly(["sep"])?;
            let separator = text_argument(name, Some(separator))?;
            if separator.is_empty() {
                return refuse(format!("{name}() takes a separator that is not empty"));
            }
            let found = if name == "partition" {
                text.split_once(separator)
            } else {
                text.rsplit_once(separator)
            };
            let pieces = match found {
                Some((before, after)) => [before, separator, after],
                None if name == "partition" => [text, "", ""],
                None => ["", "", text],
            };
            let pieces = pieces.map(|piece| call.alloc(piece));
            return call.tuple(&pieces).map(Some);
        }
        _ => return Ok(None),
    };
    call.texts(pieces).map(Some)
}

fn split_at<'t>(text: &'t str, separator: &str, most: Option<usize>, right: bool) -> Vec<&'t str> {
    match (most, right) {
        (None, _) => text.split(separator).collect(),
        (Some(most), false) => text.splitn(most.saturating_add(1), separator).collect(),
        (Some(most), true) => {
            let mut pieces: Vec<&str> = text.rsplitn(most.saturating_add(1), separator).collect();
            pieces.reverse();
            pieces
        }
    }
}

fn split_blanks(text: &str, most: Option<usize>, right: bool) -> Vec<&str> {
    let Some(most) = most else { return text.split_whitespace().collect() };
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while pieces.len() < most && !rest.is_empty() {
        let found =
            if right { rest.rfind(char::is_whitespace) } else { rest.find(char::is_whitespace) };
        let Some(at) = found else { break };
        let width = rest[at..].chars().next().map_or(1, char::len_utf8);
        if right {
            pieces.push(&rest[at + width..]);
            rest = rest[..at].trim_end();
        } else {
            pieces.push(&rest[..at]);
            rest = rest[at..].trim_start();
        }
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    if right {
        pieces.reverse();
    }
    pieces
}

fn lines(text: &str, keep: bool) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let ending =
            if rest[end..].starts_with("\r\n") { 2 } else { usize::from(end < rest.len()) };
        found.push(&rest[..if keep { end + ending } else { end }]);
        rest = &rest[end + ending..];
    }
    found
}

fn title(text: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().collect::<String>() + &chars.as_str().to_lowercase(),
        None => String::new(),
    }
}

fn swapcase(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_uppercase() {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
    }
    out
}

fn strip(name: &str, text: &str, call: &mut Call<'_, '_, '_, '_>) -> Res<String> {
    let [chars] = call.args(["chars"], 0)?;
    let chars: Option<Vec<char>> = match chars.filter(|value| !value.is_none()) {
        Some(chars) => Some(text_argument(name, Some(chars))?.chars().collect()),
        None => None,
    };
    let strip = |c: char| chars.as_ref().map_or(c.is_whitespace(), |chars| chars.contains(&c));
    let mut rest = text;
    if name != "rstrip" {
        rest = rest.trim_start_matches(strip);
    }
    if name != "lstrip" {
        rest = rest.trim_end_matches(strip);
    }
    Ok(rest.to_owned())
}

fn justify(name: &str, text: &str, call: &mut Call<'_, '_, '_, '_>) -> Res<String> {
    let [width, fill] = call.args(["width", "fillchar"], 1)?;
    let width = call.count(width.unwrap_or(Value::new_none()))?;
    let fill = match fill {
        Some(fill) => {
            let mut chars = text_argument(name, Some(fill))?.chars();
            match (chars.next(), chars.next()) {
                (Some(fill), None) => fill,
                _ => return refuse(format!("{name}() fills with one character")),
            }
        }
        None => ' ',
    };
    match name {
        "ljust" => pad("", text, fill, Align::Left, width),
        "rjust" => pad("", text, fill, Align::Right, width),
        _ => {
            // The odd blank goes where Python 2 puts it.
            let len = text.chars().count();
            let missing = width.saturating_sub(len);
            let left = missing / 2 + (missing & width & 1);
            let half = pad("", text, fill, Align::Right, len + left)?;
            pad("", &half, fill, Align::Left, width)
        }
    }
}

fn expand_tabs(text: &str, size: usize) -> Res<String> {
    let mut out = String::new();
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' => {
                let blanks = if size == 0 { 0 } else { size - column % size };
                check_text(out.len().saturating_add(blanks))?;
                out.push_str(&" ".repeat(blanks));
                column += blanks;
            }
            '\n' | '\r' => {
                out.push(c);
                column = 0;
            }
            c => {
                out.push(c);
                column += 1;
            }
        }
    }
    Ok(out)
}

fn replace(text: &str, call: &mut Call<'_, '_, '_, '_>) -> Res<String> {
    let [old, new, most] = call.args(["old", "new", "count"], 2)?;
    let (old, new) = (text_argument("replace", old)?, text_argument("replace", new)?);
    let most = match most {
        Some(most) => usize::try_from(call.int(most)?).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    let found = text.matches(old).count().min(most);
    let growth = new.len().saturating_sub(old.len()).saturating_mul(found);
    check_text(text.len().saturating_add(growth))?;
    Ok(text.replacen(old, new, most))
}

fn join(separator: &str, call: &mut Call<'_, '_, '_, '_>) -> Res<String> {
    let [pieces] = call.exactly(["iterable"])?;
    let pieces = call.iterate(pieces)?;
    let mut out = String::new();
    for (index, piece) in pieces.into_iter().enumerate() {
        let Some(text) = piece.unpack_str() else {
            let message = format!("join() takes texts, but element {index} is {}", kind(piece));
            let help = if ObjectValue::from_value(piece).is_some() {
                "take the text of each: [str(x) for x in …], or name them in a template"
            } else {
                "make text of each: [str(x) for x in …]"
            };
            return refuse_with(message, help);
        };
        if index > 0 {
            out.push_str(separator);
        }
        check_text(out.len() + text.len())?;
        out.push_str(text);
    }
    Ok(out)
}
