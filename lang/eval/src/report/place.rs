//! Finding in a file's text what a fault is about.

use std::ops::Range;

use aurora_syntax::tree::{Arg, ExprKind, PostKind, StmtKind};
use aurora_syntax::{Parsed, Span};
use aurora_template::object::Origin;

use crate::sources::Sources;
use aurora_syntax::walk;

/// The span of the argument `field` of the call at `call`; else that of the called name.
pub(super) fn argument(
    parsed: &Parsed,
    text: &str,
    call: &Range<usize>,
    field: Option<&str>,
) -> Range<usize> {
    if let Some(argument) = field.and_then(|field| named(parsed, text, call, field)) {
        return argument.span.range();
    }
    let name = text.get(call.clone()).and_then(|source| source.find('(')).unwrap_or(0);
    if name == 0 { call.clone() } else { call.start..call.start + name }
}

/// Where a byte range of the text that the call at `call` gives for `field` is written, if it is
/// written as literals.
pub(super) fn in_literal(
    parsed: &Parsed,
    text: &str,
    call: &Range<usize>,
    field: &str,
    range: &Range<usize>,
) -> Option<Range<usize>> {
    let mut value = &named(parsed, text, call, field)?.value;
    while let ExprKind::Paren(inner) = &value.kind {
        value = inner;
    }
    let ExprKind::Str(pieces) = &value.kind else { return None };
    if pieces.iter().any(|piece| piece.fields.is_some()) {
        return None;
    }
    let literal = aurora_syntax::value(text, pieces);
    if range.end > literal.value.len() || range.is_empty() {
        return None;
    }
    // The end may stand in another literal than what comes after it.
    let start = literal.place(range.start);
    let end = literal.place(range.end - 1) + 1;
    (start < end).then_some(start..end)
}

/// Where the value stands that the call at `origin` gives for `field`.
pub(crate) fn written_argument(
    sources: &Sources,
    origin: &Origin,
    field: &str,
) -> Option<Range<usize>> {
    let (text, parsed) = sources.parsed(&origin.file)?;
    named(&parsed, &text, &origin.span, field).map(|argument| argument.value.span.range())
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The argument `field` of the call at `call`.
fn named<'t>(parsed: &'t Parsed, text: &str, call: &Range<usize>, field: &str) -> Option<&'t Arg> {
    let mut found = None;
    let place = Span::new(offset(call.start), offset(call.end));
    walk::around(&parsed.tree, place, &mut |expression| {
        let ExprKind::Postfix(postfix) = &expression.kind else { return };
        if expression.span.start as usize != call.start {
            return;
        }
        let op = postfix.ops.iter().find(|op| op.span.end as usize == call.end);
        if let Some(op) = op
            && let PostKind::Call(arguments) = &op.kind
        {
            let named = |wanted: &str| {
                let is_it = |arg: &&Arg| arg.name.is_some_and(|name| name.of(text) == wanted);
                arguments.iter().find(is_it)
            };
            let called = Span::new(expression.span.start, op.span.start).of(text);
            found = named(field).or_else(|| {
                let (parameter, position) = of_simple_task(called.trim(), field)?;
                let positional = arguments.get(position).filter(|arg| arg.name.is_none());
                named(parameter).or(positional)
            });
        }
    });
    found
}

/// Which parameter of `SimpleTask` becomes a field, by its name and its place.
fn of_simple_task(called: &str, field: &str) -> Option<(&'static str, usize)> {
    match (called, field) {
        ("SimpleTask" | "Tasks.simple", "name") => Some(("name", 0)),
        ("SimpleTask" | "Tasks.simple", "cmdline") => Some(("command", 1)),
        _ => None,
    }
}

/// Where the last top-level assignment to `name` has its value, or an element of it.
pub(super) fn assigned(
    parsed: &Parsed,
    text: &str,
    name: &str,
    element: Option<usize>,
) -> Option<Range<usize>> {
    let value = parsed.tree.iter().rev().find_map(|statement| match &statement.kind {
        StmtKind::Assign { targets, value } => targets
            .iter()
            .any(|target| target.kind == ExprKind::Name && target.span.of(text) == name)
            .then_some(value),
        _ => None,
    })?;
    let value = match (&value.kind, element) {
        (ExprKind::List(items), Some(index)) => items.get(index).unwrap_or(value),
        _ => value,
    };
    Some(value.span.range())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_text_is_found_in_its_literal() {
        for (literal, range, wanted) in [
            (r#""echo {{x}}""#, 5..10, Some("{{x}}")),
            (r#"'{{x}}'"#, 0..5, Some("{{x}}")),
            (r#"'\t\x41é{{x}}'"#, 4..9, Some("{{x}}")),
            (r#"u'\u00e9{{x}}'"#, 2..7, Some("{{x}}")),
            (r#"r'\t{{x}}'"#, 2..7, Some("{{x}}")),
            ("'''a\n{{x}}\n'''", 2..7, Some("{{x}}")),
            ("'a' 'b{{x}}'", 2..7, Some("{{x}}")),
            ("('a'\n  'b{{x}}')", 2..7, Some("{{x}}")),
            ("'a{{x}}' % y", 1..6, None),
            ("'{{x}}' + y", 0..5, None),
            ("name", 0..2, None),
        ] {
            let text = format!("p = f(q, [P(a = 1, cmdline = {literal})])(2)");
            let call = text.find("P(").unwrap_or(0)..text.find(")])").unwrap_or(0) + 1;
            let parsed = aurora_syntax::parse(&text);
            let found = in_literal(&parsed, &text, &call, "cmdline", &range);
            assert_eq!(found.map(|range| &text[range]), wanted, "{literal}");
        }
    }

    #[test]
    fn arguments_are_found_in_the_call_that_is_meant() {
        let text = "def f():\n    if x:\n        return a(x = 1)(x = b(x = 2), y = 3)\n\
                    SimpleTask('a', 'b')\nTasks.simple(command = 'c', name = 'd')\n";
        let parsed = aurora_syntax::parse(text);
        for (call, field, wanted) in [
            ("a(x = 1)", "x", "x = 1"),
            ("a(x = 1)(x = b(x = 2), y = 3)", "x", "x = b(x = 2)"),
            ("a(x = 1)(x = b(x = 2), y = 3)", "y", "y = 3"),
            ("b(x = 2)", "x", "x = 2"),
            ("b(x = 2)", "z", "b"),
            ("SimpleTask('a', 'b')", "cmdline", "'b'"),
            ("Tasks.simple(command = 'c', name = 'd')", "cmdline", "command = 'c'"),
            ("Tasks.simple(command = 'c', name = 'd')", "name", "name = 'd'"),
        ] {
            let start = text.find(call).unwrap_or(0);
            let found = argument(&parsed, text, &(start..start + call.len()), Some(field));
            assert_eq!(&text[found], wanted, "{call}");
        }
    }
}
