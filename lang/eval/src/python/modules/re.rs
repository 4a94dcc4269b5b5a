//! `re`: patterns that are matched in time linear in the text, so without looking around and
//! without references back.

use std::fmt;
use std::sync::Arc;

use allocative::Allocative;
use regex::{Regex, RegexBuilder};
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::{
    Heap, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value, ValueLike,
    starlark_value,
};

use crate::codes::Code;
use aurora_template::beginning;

use super::super::call::{Call, Res, check, check_text, dict, refuse, refuse_as, refuse_with};
use super::super::native::Kind::General;
use super::super::number::{Number, number};
use super::{Member, Module};

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 10_000;
/// How large a pattern may become when it is compiled, in bytes.
const MAX_COMPILED: usize = 256 << 10;
/// The longest text that is searched, in bytes.
const MAX_SEARCHED: usize = 256 << 10;
/// How many bytes are looked at, at most, to find all places: from each to the end of the text.
const MAX_WORK: usize = 1 << 30;

const IGNORE_CASE: i64 = 2;
const MULTI_LINE: i64 = 8;
const DOT_ALL: i64 = 16;
const VERBOSE: i64 = 64;

pub(super) const RE: Module = Module {
    name: "re",
    members: &[
        ("I", Member::Int(IGNORE_CASE)),
        ("IGNORECASE", Member::Int(IGNORE_CASE)),
        ("M", Member::Int(MULTI_LINE)),
        ("MULTILINE", Member::Int(MULTI_LINE)),
        ("S", Member::Int(DOT_ALL)),
        ("DOTALL", Member::Int(DOT_ALL)),
        ("X", Member::Int(VERBOSE)),
        ("VERBOSE", Member::Int(VERBOSE)),
        ("U", Member::Int(0)),
        ("UNICODE", Member::Int(0)),
        ("compile", Member::Function(General(compile))),
        ("escape", Member::Function(General(escape))),
        ("match", Member::Function(General(|call| with_pattern(call, Action::Match)))),
        ("search", Member::Function(General(|call| with_pattern(call, Action::Search)))),
        ("sub", Member::Function(General(|call| with_pattern(call, Action::Sub)))),
        ("split", Member::Function(General(|call| with_pattern(call, Action::Split)))),
        ("findall", Member::Function(General(|call| with_pattern(call, Action::FindAll)))),
        ("finditer", Member::Function(General(|call| with_pattern(call, Action::FindEach)))),
    ],
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Match,
    Search,
    Sub,
    Split,
    FindAll,
    FindEach,
}

/// A pattern, and the same at the beginning of a text only.
#[derive(Debug)]
struct Compiled {
    anywhere: Regex,
    at_start: Regex,
    text: String,
}

fn compiled(pattern: &str, flags: i64) -> Res<Compiled> {
    if pattern.len() > MAX_PATTERN {
        return refuse(format!("a pattern may have {MAX_PATTERN} bytes"));
    }
    // The end of the text is written differently.
    let mut translated = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        translated.push(c);
        if c == '\\'
            && let Some(next) = chars.next()
        {
            translated.push(if next == 'Z' { 'z' } else { next });
        }
    }
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .case_insensitive(flags & IGNORE_CASE != 0)
            .multi_line(flags & MULTI_LINE != 0)
            .dot_matches_new_line(flags & DOT_ALL != 0)
            .ignore_whitespace(flags & VERBOSE != 0)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED)
            .nest_limit(100)
            .build()
    };
    // Behind a comment the bracket would not count.
    let anchored = format!("\\A(?:{translated}\n)");
    let anchored = if flags & VERBOSE != 0 { anchored } else { format!("\\A(?:{translated})") };
    match (build(&translated), build(&anchored)) {
        (Ok(anywhere), Ok(at_start)) => {
            Ok(Compiled { anywhere, at_start, text: pattern.to_owned() })
        }
        (Err(error), _) | (_, Err(error)) => {
            let message = match error {
                regex::Error::CompiledTooBig(_) => "it becomes too large".to_owned(),
                other => {
                    let text = other.to_string();
                    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
                }
            };
            refuse_with(
                format!("the pattern {:?} is refused: {message}", beginning(pattern)),
                "patterns have no (?=…), (?<…) and no \\1; replace(), split() and startswith() of \
                 texts may do",
            )
        }
    }
}

fn pattern_of<'v>(
    value: Value<'v>,
    flags: Option<Value<'v>>,
    call: &Call<'v, '_, '_, '_>,
) -> Res<Arc<Compiled>> {
    if let Some(pattern) = value.downcast_ref::<Pattern>() {
        return Ok(pattern.0.clone());
    }
    let flags = flags.map_or(Ok(0), |flags| call.int(flags))?;
    compiled(call.text(value)?, flags).map(Arc::new)
}

fn compile<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [pattern, flags] = call.args(["pattern", "flags"], 1)?;
    let pattern = pattern_of(pattern.unwrap_or(Value::new_none()), flags, call)?;
    Ok(call.alloc(Pattern(pattern)))
}

fn escape<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let text = call.one()?;
    let text = call.text(text)?;
    let mut out = String::new();
    for c in text.chars() {
        if !c.is_alphanumeric() && c != '_' {
            out.push('\\');
        }
        out.push(c);
    }
    call.new_text(&out)
}

/// A function whose first argument is the pattern, and whose last its flags.
fn with_pattern<'v>(call: &mut Call<'v, '_, '_, '_>, action: Action) -> Res<Value<'v>> {
    let mut flags = None;
    call.named.retain(|(name, value)| {
        if name.as_str() == "flags" {
            flags = Some(*value);
        }
        name.as_str() != "flags"
    });
    let before_flags = match action {
        Action::Sub => 4,
        Action::Split => 3,
        _ => 2,
    };
    if call.positional.len() == before_flags + 1 {
        flags = call.positional.pop();
    }
    if call.positional.is_empty() {
        return refuse(format!("{}() takes a pattern and a text", call.name));
    }
    let pattern = call.positional.remove(0);
    let pattern = pattern_of(pattern, flags, call)?;
    apply(&pattern, action, call)
}

fn apply<'v>(
    pattern: &Compiled,
    action: Action,
    call: &mut Call<'v, '_, '_, '_>,
) -> Res<Value<'v>> {
    if action == Action::Sub {
        return substitute(pattern, call);
    }
    let (text, most) = match action {
        Action::Split => {
            let [text, most] = call.args(["string", "maxsplit"], 1)?;
            let most = most.map_or(Ok(0), |most| call.count(most))?;
            (text.unwrap_or(Value::new_none()), if most == 0 { usize::MAX } else { most })
        }
        _ => (call.exactly(["string"])?[0], usize::MAX),
    };
    let text = searched(text, call)?;
    match action {
        Action::Match | Action::Search => {
            let regex = if action == Action::Match { &pattern.at_start } else { &pattern.anywhere };
            let found = regex.captures(text).map(|found| Match::of(&found, regex));
            Ok(found.map_or(Value::new_none(), |found| call.alloc(found)))
        }
        Action::FindEach => {
            let mut all = Vec::new();
            for found in pattern.anywhere.captures_iter(text) {
                check_work(all.len(), text, call)?;
                all.push(call.alloc(Match::of(&found, &pattern.anywhere)));
            }
            call.list(all)
        }
        Action::FindAll => {
            let mut all = Vec::new();
            for found in pattern.anywhere.captures_iter(text) {
                check_work(all.len(), text, call)?;
                let groups: Vec<&str> =
                    found.iter().map(|group| group.map_or("", |group| group.as_str())).collect();
                all.push(match groups.as_slice() {
                    [whole] => call.alloc(*whole),
                    [_, one] => call.alloc(*one),
                    [_, several @ ..] => {
                        let several: Vec<Value<'v>> =
                            several.iter().map(|group| call.alloc(*group)).collect();
                        call.tuple(&several)?
                    }
                    [] => continue,
                });
            }
            call.list(all)
        }
        Action::Split | Action::Sub => {
            let mut pieces = Vec::new();
            let mut from = 0;
            let found = pattern.anywhere.captures_iter(text);
            let found = found.filter(|f| f.get(0).is_some_and(|whole| !whole.is_empty()));
            for found in found.take(most) {
                let Some(whole) = found.get(0) else { continue };
                check_work(pieces.len(), text, call)?;
                pieces.push(call.alloc(&text[from..whole.start()]));
                for group in found.iter().skip(1) {
                    pieces
                        .push(group.map_or(Value::new_none(), |group| call.alloc(group.as_str())));
                }
                from = whole.end();
            }
            pieces.push(call.alloc(&text[from..]));
            call.list(pieces)
        }
    }
}

fn searched<'v>(text: Value<'v>, call: &Call<'v, '_, '_, '_>) -> Res<&'v str> {
    let text = call.text(text)?;
    if text.len() > MAX_SEARCHED {
        return refuse_as(
            Code::LimitExceeded,
            format!("patterns are searched in texts of at most {} KB", MAX_SEARCHED >> 10),
        );
    }
    Ok(text)
}

fn check_work(found: usize, text: &str, call: &mut Call<'_, '_, '_, '_>) -> Res<()> {
    check(call.eval)?;
    if found.saturating_mul(text.len()) > MAX_WORK {
        return refuse_as(
            Code::LimitExceeded,
            format!("the pattern is found more than {found} times"),
        );
    }
    Ok(())
}

fn substitute<'v>(pattern: &Compiled, call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [new, text, most] = call.args(["repl", "string", "count"], 2)?;
    let new = new.unwrap_or(Value::new_none());
    let text = searched(text.unwrap_or(Value::new_none()), call)?;
    let most = most.map_or(Ok(0), |most| call.count(most))?;
    let most = if most == 0 { usize::MAX } else { most };
    let mut out = String::new();
    let mut from = 0;
    for (index, found) in pattern.anywhere.captures_iter(text).take(most).enumerate() {
        let Some(whole) = found.get(0) else { continue };
        check_work(index, text, call)?;
        out.push_str(&text[from..whole.start()]);
        match new.unpack_str() {
            Some(new) => expand(new, &found, &mut out)?,
            None => {
                let found = call.alloc(Match::of(&found, &pattern.anywhere));
                let made = call.call(new, &[found])?;
                out.push_str(call.text(made)?);
            }
        }
        check_text(out.len())?;
        from = whole.end();
    }
    out.push_str(&text[from..]);
    call.new_text(&out)
}

/// Writes a replacement, in which `\1` and `\g<name>` are groups.
fn expand(new: &str, found: &regex::Captures<'_>, out: &mut String) -> Res<()> {
    let mut rest = new;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(c) = rest.chars().next() else {
            out.push('\\');
            break;
        };
        if c.is_ascii_digit() {
            let len = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
            group_text(&rest[..len], found, out)?;
            rest = &rest[len..];
        } else if let Some((name, after)) =
            rest.strip_prefix("g<").and_then(|after| after.split_once('>'))
        {
            group_text(name, found, out)?;
            rest = after;
        } else {
            match c {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                '\\' => out.push('\\'),
                other => {
                    out.push('\\');
                    out.push(other);
                }
            }
            rest = &rest[c.len_utf8()..];
        }
        check_text(out.len())?;
    }
    out.push_str(rest);
    Ok(())
}

fn group_text(name: &str, found: &regex::Captures<'_>, out: &mut String) -> Res<()> {
    let group = match name.parse::<usize>() {
        Ok(index) if index < found.len() => found.get(index),
        Ok(_) => return refuse(format!("the pattern has no group {name}")),
        Err(_) => found.name(name),
    };
    out.push_str(group.map_or("", |group| group.as_str()));
    Ok(())
}

/// A compiled pattern.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct Pattern(#[allocative(skip)] Arc<Compiled>);
starlark_simple_value!(Pattern);

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<pattern {:?}>", self.0.text)
    }
}

#[starlark_value(type = "pattern")]
impl<'v> StarlarkValue<'v> for Pattern {
    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        let action = match attribute {
            "match" => Action::Match,
            "search" => Action::Search,
            "sub" => Action::Sub,
            "split" => Action::Split,
            "findall" => Action::FindAll,
            "finditer" => Action::FindEach,
            "pattern" => return Some(heap.alloc(self.0.text.as_str())),
            _ => return None,
        };
        Some(heap.alloc(PatternMethod(self.0.clone(), action)))
    }
}

#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct PatternMethod(#[allocative(skip)] Arc<Compiled>, #[allocative(skip)] Action);
starlark_simple_value!(PatternMethod);

impl fmt::Display for PatternMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<method of a pattern>")
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for PatternMethod {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        apply(&self.0, self.1, &mut Call::new("pattern", args, eval)?)
    }
}

/// A group of a match: its name, its text, where it begins and ends in characters.
#[derive(Debug, Clone)]
struct Group {
    name: Option<String>,
    found: Option<(String, i64, i64)>,
}

/// What a pattern has found.
#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct Match(#[allocative(skip)] Arc<Vec<Group>>);
starlark_simple_value!(Match);

impl Match {
    fn of(found: &regex::Captures<'_>, regex: &Regex) -> Self {
        let groups = found.iter().zip(regex.capture_names()).map(|(group, name)| Group {
            name: name.map(str::to_owned),
            found: group.map(|group| {
                let size = |len: usize| i64::try_from(len).unwrap_or(i64::MAX);
                (group.as_str().to_owned(), size(group.start()), size(group.end()))
            }),
        });
        Self(Arc::new(groups.collect()))
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<match>")
    }
}

#[starlark_value(type = "match")]
impl<'v> StarlarkValue<'v> for Match {
    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        let part = match attribute {
            "group" => Part::Group,
            "groups" => Part::Groups,
            "groupdict" => Part::Named,
            "start" => Part::Start,
            "end" => Part::End,
            "span" => Part::Span,
            _ => return None,
        };
        Some(heap.alloc(MatchMethod(self.0.clone(), part)))
    }
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Group,
    Groups,
    Named,
    Start,
    End,
    Span,
}

#[derive(Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct MatchMethod(#[allocative(skip)] Arc<Vec<Group>>, #[allocative(skip)] Part);
starlark_simple_value!(MatchMethod);

impl fmt::Display for MatchMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<method of a match>")
    }
}

impl MatchMethod {
    fn group(&self, wanted: Value<'_>) -> Res<&Group> {
        let found = match (number(wanted), wanted.unpack_str()) {
            (Some(Number::Int(index)), _) => {
                usize::try_from(index).ok().and_then(|index| self.0.get(index))
            }
            (_, Some(name)) => self.0.iter().find(|group| group.name.as_deref() == Some(name)),
            _ => None,
        };
        match found {
            Some(group) => Ok(group),
            None => refuse(format!("the pattern has no group {}", beginning(&wanted.to_repr()))),
        }
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for MatchMethod {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let mut call = Call::new("group", args, eval)?;
        let heap = call.eval.heap();
        let none = Value::new_none();
        let text = |group: &Group, missing| {
            group.found.as_ref().map_or(missing, |(text, ..)| heap.alloc(text.as_str()))
        };
        match self.1 {
            Part::Group => {
                let wanted = std::mem::take(&mut call.positional);
                let wanted = if wanted.is_empty() { vec![heap.alloc(0)] } else { wanted };
                let mut found = Vec::new();
                for wanted in wanted {
                    found.push(text(self.group(wanted)?, none));
                }
                if let [one] = found.as_slice() { Ok(*one) } else { call.tuple(&found) }
            }
            Part::Groups => {
                let [missing] = call.args(["default"], 0)?;
                let missing = missing.unwrap_or(none);
                let found: Vec<Value<'v>> =
                    self.0.iter().skip(1).map(|group| text(group, missing)).collect();
                call.tuple(&found)
            }
            Part::Named => {
                let [missing] = call.args(["default"], 0)?;
                let missing = missing.unwrap_or(none);
                let named: Vec<_> = self
                    .0
                    .iter()
                    .filter_map(|group| {
                        Some((heap.alloc(group.name.as_deref()?), text(group, missing)))
                    })
                    .collect();
                dict(named, call.eval)
            }
            Part::Start | Part::End | Part::Span => {
                let [wanted] = call.args(["group"], 0)?;
                let group = self.group(wanted.unwrap_or_else(|| heap.alloc(0)))?;
                let (start, end) = group.found.as_ref().map_or((-1, -1), |(_, s, e)| (*s, *e));
                match self.1 {
                    Part::Start => Ok(heap.alloc(start)),
                    Part::End => Ok(heap.alloc(end)),
                    _ => Ok(heap.alloc((start, end))),
                }
            }
        }
    }
}
