//! What the values that a file writes come to in the jobs that use them, told for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use aurora_model::config::Job;
use aurora_model::declare::{FieldDecl, Rule};
use aurora_model::names::UNITS;
use aurora_syntax::tree::{Arg, Expr, ExprKind, PostKind};
use aurora_syntax::{Kind as Word, Span, walk};

use crate::builtin::Builtin;
use crate::declaration::beginning;
use crate::evaluated::JobValue;
use crate::names::touches;
use crate::resolve::{Meaning, meaning};
use crate::source::Source;
use crate::text::offset;
use crate::types::expression_at;
use crate::workspace::Snapshot;

/// How many jobs are listed.
const MAX_JOBS: usize = 8;
/// How much of a value is shown, in bytes.
const MAX_SHOWN: usize = 1000;
/// How deep numbers are worked out.
const MAX_DEPTH: usize = 32;

/// Values with the jobs in which they hold, in the order of the jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grouped(Vec<(String, Vec<Arc<str>>)>);

/// What the values in a part of a file come to, by where they stand now.
#[derive(Debug, Default)]
pub struct Values<'a>(BTreeMap<Span, Vec<&'a JobValue>>);

/// What the values come to that stand in a part of a file, in every file that was evaluated and uses
/// it. What was changed since the evaluation is left out.
pub fn values_in<'a>(world: &'a Snapshot, source: &Source, part: Span) -> Values<'a> {
    let mut found: BTreeMap<Span, Vec<&JobValue>> = BTreeMap::new();
    let mut parts: BTreeMap<Span, Vec<(String, Span)>> = BTreeMap::new();
    for main in world.mains_of(&source.id) {
        let Some(evaluated) = world.last_jobs(&main) else { continue };
        let Some(moves) = evaluated.moves(source) else { continue };
        for value in evaluated.values(&source.id) {
            let span = Span::new(offset(value.value.span.start), offset(value.value.span.end));
            let Some(mut span) = moves.now(span) else { continue };
            if span.end < part.start || part.end < span.start {
                continue;
            }
            if let Some(step) = part_of(value) {
                let parts = parts.entry(span).or_insert_with(|| parts_at(source, span));
                let Some((_, part)) = parts.iter().find(|(key, _)| key == step) else { continue };
                span = *part;
            }
            found.entry(span).or_default().push(value);
        }
    }
    Values(found)
}

/// Which element of a list or table a value is, if it is one.
fn part_of(value: &JobValue) -> Option<&str> {
    value.value.path.last()?.strip_prefix('[')?.strip_suffix(']')
}

/// The elements of a list by their numbers, the values of a table by their keys.
fn parts_at(source: &Source, span: Span) -> Vec<(String, Span)> {
    match expression_at(source, span).map(|expr| &expr.kind) {
        Some(ExprKind::List(items)) => {
            items.iter().enumerate().map(|(at, item)| (at.to_string(), item.span)).collect()
        }
        Some(ExprKind::Dict(entries)) => entries
            .iter()
            .filter_map(|(key, value)| match &key.kind {
                ExprKind::Str(pieces) => {
                    Some((aurora_syntax::value(&source.text, pieces).value, value.span))
                }
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

impl Values<'_> {
    /// What stands at exactly this place.
    pub fn at(&self, span: Span) -> Grouped {
        let all = self.0.get(&span).into_iter().flatten();
        Grouped::of(all.map(|value| (value.value.value.clone(), value.job.clone())))
    }

    /// The field of the language that what stands there is given for.
    pub fn field_at(&self, span: Span) -> Option<&'static FieldDecl> {
        self.0.get(&span)?.iter().find_map(|value| field_of_path(&value.value.path))
    }
}

/// The field of a job that a way through its structs leads to.
fn field_of_path(path: &[String]) -> Option<&'static FieldDecl> {
    let mut here = vec![Job::DECL];
    let mut found = None;
    for step in path.iter().filter(|step| !step.starts_with('[')) {
        let field = here.iter().find_map(|decl| decl.field(step))?;
        here = field.ty.structs();
        found = Some(field);
    }
    found
}

impl Grouped {
    /// Puts equal values together.
    pub fn of(values: impl IntoIterator<Item = (String, Arc<str>)>) -> Self {
        let mut all: Vec<(String, Vec<Arc<str>>)> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for (value, job) in values {
            let at = *places.entry(value).or_insert_with_key(|value| {
                all.push((value.clone(), Vec::new()));
                all.len() - 1
            });
            // A job may use a value in several places, one after the other.
            if all[at].1.last() != Some(&job) {
                all[at].1.push(job);
            }
        }
        Self(all)
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many different values there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The value, if it is the same in all jobs.
    pub fn only(&self) -> Option<&str> {
        match self.0.as_slice() {
            [(value, _)] => Some(value),
            _ => None,
        }
    }

    /// The same with something else in place of each value; what becomes nothing is left out.
    #[must_use]
    pub fn map(&self, change: impl Fn(&str) -> Option<String>) -> Self {
        let changed = self.0.iter().filter_map(|(value, jobs)| Some((change(value)?, jobs)));
        Self::of(changed.flat_map(|(value, jobs)| {
            jobs.iter().map(move |job| (value.clone(), job.clone())).collect::<Vec<_>>()
        }))
    }

    /// The values with their jobs as Markdown, at most eight jobs named, of each value one before
    /// more of another; numbers with the unit of the field that they are given for.
    pub fn markdown(&self, field: Option<&FieldDecl>) -> String {
        let mut left = MAX_JOBS.saturating_sub(self.0.len());
        let total: usize = self.0.iter().map(|(_, jobs)| jobs.len()).sum();
        let mut lines = Vec::new();
        let mut listed = 0;
        for (value, jobs) in self.0.iter().take(MAX_JOBS) {
            let more = left.min(jobs.len() - 1);
            left -= more;
            let mut named: Vec<String> =
                jobs.iter().take(1 + more).map(|job| format!("`{job}`")).collect();
            listed += jobs.len();
            if jobs.len() > named.len() {
                named.push(format!("and {} more", jobs.len() - named.len()));
            }
            lines.push((shown(value, field), named.join(", ")));
        }
        match (lines.as_slice(), self.0.len()) {
            ([], _) => String::new(),
            ([(value, jobs)], 1) if value.starts_with("```") => format!("{value}\n\nin {jobs}"),
            ([(value, jobs)], 1) => format!("{value} in {jobs}"),
            (lines, _) => {
                let item = |(value, jobs): &(String, String)| match value.starts_with("```") {
                    true => format!("- {jobs}:\n  {}", value.replace('\n', "\n  ")),
                    false => format!("- {value} in {jobs}"),
                };
                let mut lines: Vec<String> = lines.iter().map(item).collect();
                if total > listed {
                    lines.push(format!("- and {} more", total - listed));
                }
                lines.join("\n")
            }
        }
    }
}

/// A value as code, with the unit that people read it in.
fn shown(value: &str, field: Option<&FieldDecl>) -> String {
    let code = code(value);
    match field.and_then(|field| human(field, value)) {
        Some(human) => format!("{code} ({human})"),
        None => code,
    }
}

/// Any text as code in Markdown.
pub fn code(text: &str) -> String {
    let cut = beginning(text, MAX_SHOWN);
    let rest = if cut.len() < text.len() { "…" } else { "" };
    let mut longest = 0;
    let mut run = 0;
    for c in cut.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    if cut.contains(['\n', '\r']) {
        let fence = "`".repeat(3.max(longest + 1));
        return format!("{fence}\n{}{rest}\n{fence}", cut.trim_end_matches(['\n', '\r']));
    }
    if cut.is_empty() {
        return "`\"\"`".to_owned();
    }
    let fence = "`".repeat(longest + 1);
    let blank = if longest > 0 || cut.starts_with(' ') || cut.ends_with(' ') { " " } else { "" };
    format!("{fence}{blank}{cut}{rest}{blank}{fence}")
}

/// A number with the unit that people read it in: `512 MB`, `1 min 30 s`. [`None`] if the field has
/// no unit, or the number is as easy to read as it is.
pub fn human(field: &FieldDecl, value: &str) -> Option<String> {
    let number: i64 = value.trim().parse().ok()?;
    if field.rules.contains(&Rule::Bytes) {
        return bytes(number);
    }
    if field.rules.contains(&Rule::Seconds) {
        return seconds(number);
    }
    None
}

fn bytes(number: i64) -> Option<String> {
    let (name, unit) = UNITS.iter().rev().find(|(_, unit)| *unit > 1 && number >= *unit)?;
    // Hundredths are enough; whether they are all is told.
    let hundredths = (i128::from(number) * 100 + i128::from(*unit) / 2) / i128::from(*unit);
    let is_exact = hundredths * i128::from(*unit) == i128::from(number) * 100;
    let mut text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    Some(format!("{}{text} {name}", if is_exact { "" } else { "about " }))
}

fn seconds(number: i64) -> Option<String> {
    if number < 60 {
        return None;
    }
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let mut left = number;
    let mut parts = Vec::new();
    for (name, unit) in units {
        if left >= unit {
            parts.push(format!("{} {name}", left / unit));
            left %= unit;
        }
    }
    Some(parts.join(" "))
}

/// The whole number that an expression is, if it is made of numbers and units alone.
pub fn constant(world: &Snapshot, source: &Arc<Source>, expr: &Expr) -> Option<i64> {
    worked_out(world, source, expr, MAX_DEPTH)
}

fn worked_out(world: &Snapshot, source: &Arc<Source>, expr: &Expr, depth: usize) -> Option<i64> {
    let depth = depth.checked_sub(1)?;
    match &expr.kind {
        ExprKind::Int => source.slice(expr.span).parse().ok(),
        ExprKind::Paren(inner) => worked_out(world, source, inner, depth),
        ExprKind::Name => {
            let scope = source.names.scope_at(expr.span.start);
            let name = source.slice(expr.span);
            let (_, unit) = UNITS.iter().find(|(unit, _)| *unit == name)?;
            match meaning(world, source, scope, name)? {
                Meaning::Builtin(_, Builtin::Name(_)) => Some(*unit),
                _ => None,
            }
        }
        ExprKind::Chain(chain) => {
            let mut value = worked_out(world, source, &chain.first, depth)?;
            for (op, operand) in &chain.rest {
                let operand = worked_out(world, source, operand, depth)?;
                value = match op.kind {
                    Word::Star => value.checked_mul(operand)?,
                    Word::Plus => value.checked_add(operand)?,
                    Word::Minus => value.checked_sub(operand)?,
                    _ => return None,
                };
            }
            Some(value)
        }
        _ => None,
    }
}

/// The innermost argument that holds a byte, its name or its value, with the bracket of its call.
pub fn argument_at(source: &Source, at: u32) -> Option<(u32, &Arg)> {
    let mut found = None;
    walk::around(&source.parsed.tree, Span::new(at, at), &mut |expr| {
        let ExprKind::Postfix(postfix) = &expr.kind else { return };
        for op in postfix.ops.iter().filter(|op| touches(op.span, at)) {
            let PostKind::Call(args) = &op.kind else { continue };
            if let Some(arg) = args.iter().find(|arg| touches(arg.span, at)) {
                found = Some((op.span.start, arg));
            }
        }
    });
    found
}

/// What each reference of a text came to, read off what the whole text came to: where it stands in
/// the file, and its value. Empty if that can be read in more than one way.
pub fn references_in(source: &Source, expr: &Expr, whole: &str) -> Vec<(Span, String)> {
    let ExprKind::Str(pieces) = &expr.kind else { return Vec::new() };
    if pieces.iter().any(|piece| piece.fields.is_some()) {
        return Vec::new();
    }
    let written = aurora_syntax::value(&source.text, pieces);
    let text = written.value.as_str();
    let ranges: Vec<_> = aurora_template::references(text).map(|(_, range)| range).collect();
    let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else { return Vec::new() };
    // What stands between the references, which has to be there in the same order.
    let between = ranges.windows(2).map(|pair| &text[pair[0].end..pair[1].start]);
    let between: Vec<&str> = between.collect();
    let inner = whole
        .strip_prefix(&text[..first.start])
        .and_then(|rest| rest.strip_suffix(&text[last.end..]));
    let Some(inner) = inner else { return Vec::new() };
    let (Some(from_left), Some(from_right)) =
        (split_left(inner, &between), split_right(inner, &between))
    else {
        return Vec::new();
    };
    if from_left != from_right {
        return Vec::new();
    }
    let place = |at: usize| offset(written.place(at));
    ranges
        .iter()
        .zip(from_left)
        .map(|(range, value)| {
            (Span::new(place(range.start), place(range.end - 1) + 1), value.to_owned())
        })
        .collect()
}

fn split_left<'t>(mut text: &'t str, between: &[&str]) -> Option<Vec<&'t str>> {
    let mut parts = Vec::new();
    for separator in between {
        let (part, rest) = text.split_once(separator)?;
        parts.push(part);
        text = rest;
    }
    parts.push(text);
    Some(parts)
}

fn split_right<'t>(mut text: &'t str, between: &[&str]) -> Option<Vec<&'t str>> {
    let mut parts = Vec::new();
    for separator in between.iter().rev() {
        let (rest, part) = text.rsplit_once(separator)?;
        parts.push(part);
        text = rest;
    }
    parts.push(text);
    parts.reverse();
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, of: &str) -> &'static FieldDecl {
        crate::builtin::struct_decl(of).and_then(|decl| decl.field(name)).unwrap()
    }

    #[test]
    fn numbers_are_told_in_units_that_people_read() {
        for (name, of, value, wanted) in [
            ("ram", "Resources", "536870912", Some("512 MB")),
            ("ram", "Resources", "1610612736", Some("1.5 GB")),
            ("ram", "Resources", "1000000000", Some("about 953.67 MB")),
            ("ram", "Resources", "512", None),
            ("ram", "Resources", "{{x}}", None),
            ("ram", "Resources", "9223372036854775807", Some("about 8388608 TB")),
            ("finalization_wait", "Task", "90", Some("1 min 30 s")),
            ("finalization_wait", "Task", "90061", Some("1 d 1 h 1 min 1 s")),
            ("finalization_wait", "Task", "30", None),
            ("instances", "Job", "3600", None),
        ] {
            assert_eq!(human(field(name, of), value).as_deref(), wanted, "{name} {value}");
        }
    }

    #[test]
    fn any_text_can_be_code() {
        for (text, wanted) in [
            ("a", "`a`"),
            ("", "`\"\"`"),
            ("a`b", "`` a`b ``"),
            (" a", "`  a `"),
            ("a\nb\n", "```\na\nb\n```"),
            ("```\n", "````\n```\n````"),
        ] {
            assert_eq!(code(text), wanted);
        }
        assert!(code(&"\u{e9}".repeat(2000)).ends_with("…`"));
    }

    #[test]
    fn equal_values_are_told_once_and_few_jobs_are_named() {
        let job = |n: usize| Arc::from(format!("c/r/e/j{n}"));
        let told = |values: &[&str]| {
            let all = values.iter().enumerate().map(|(n, value)| ((*value).to_owned(), job(n)));
            Grouped::of(all).markdown(None)
        };
        assert_eq!(told(&[]), "");
        assert_eq!(told(&["a"]), "`a` in `c/r/e/j0`");
        assert_eq!(told(&["a", "a"]), "`a` in `c/r/e/j0`, `c/r/e/j1`");
        assert_eq!(told(&["a", "b", "a"]), "- `a` in `c/r/e/j0`, `c/r/e/j2`\n- `b` in `c/r/e/j1`");
        assert!(told(&["a"; 11]).ends_with("`c/r/e/j7`, and 3 more"));
        let uneven: Vec<&str> = ["a"; 10].into_iter().chain(["b", "b"]).collect();
        let uneven = told(&uneven);
        assert!(
            uneven.contains("`c/r/e/j6`, and 3 more\n- `b` in `c/r/e/j10`, and 1 more"),
            "{uneven}"
        );
        let many = told(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]);
        assert!(many.ends_with("\n- `h` in `c/r/e/j7`\n- and 2 more"), "{many}");
        assert_eq!(
            told(&["a\nb", "c"]),
            "- `c/r/e/j0`:\n  ```\n  a\n  b\n  ```\n- `c` in `c/r/e/j1`"
        );
    }

    #[test]
    fn references_are_read_off_the_whole_if_that_is_possible_in_one_way() {
        for (text, whole, wanted) in [
            ("x = 'a {{b}} c'", "a 1 c", "{{b}}=1"),
            ("x = '{{a}}-{{b}}'", "1-2", "{{a}}=1 {{b}}=2"),
            ("x = '{{a}}-{{b}}'", "1-2-3", ""),
            ("x = '{{a}}{{b}}'", "12", ""),
            ("x = 'a\\n{{b}}' ' c'", "a\n1 c", "{{b}}=1"),
            ("x = 'a {{b}} c'", "other", ""),
            ("x = 'a'", "a", ""),
            ("x = f'a {{b}}'", "a 1", ""),
        ] {
            let id = crate::FileId::new("/x.aurora");
            let source = Source::new(id, format!("{text}\n").into(), None);
            let expr = expression_at(&source, Span::new(4, offset(text.len()))).unwrap();
            let found: Vec<String> = references_in(&source, expr, whole)
                .into_iter()
                .map(|(span, value)| format!("{}={value}", source.slice(span)))
                .collect();
            assert_eq!(found.join(" "), wanted, "{text}");
        }
    }
}
