//! Finding in a file's text what a fault is about.

use std::ops::Range;

use starlark::syntax::AstModule;
use starlark_syntax::syntax::ast::{ArgumentP, AssignTargetP, AstExpr, AstStmt, ExprP, StmtP};

use crate::dialect::DIALECT;

/// The span of the argument `field` of the call at `call`; else that of the called name.
pub(super) fn argument(text: &str, call: &Range<usize>, field: Option<&str>) -> Range<usize> {
    let name_only = || {
        let name = text.get(call.clone()).and_then(|source| source.find('(')).unwrap_or(0);
        if name == 0 { call.clone() } else { call.start..call.start + name }
    };
    let Some(field) = field else { return name_only() };
    let Ok(module) = AstModule::parse("", text.to_owned(), &DIALECT) else { return name_only() };
    let mut found = None;
    module.statement().visit_expr(|expression| find_argument(expression, call, field, &mut found));
    found.unwrap_or_else(name_only)
}

fn find_argument(
    expression: &AstExpr,
    call: &Range<usize>,
    field: &str,
    found: &mut Option<Range<usize>>,
) {
    let span = expression.span.begin().get() as usize..expression.span.end().get() as usize;
    if found.is_some() || span.end < call.start || span.start > call.end {
        return;
    }
    if span == *call
        && let ExprP::Call(_, arguments) = &expression.node
    {
        for argument in &arguments.args {
            if let ArgumentP::Named(name, _) = &argument.node
                && name.node == field
            {
                *found =
                    Some(argument.span.begin().get() as usize..argument.span.end().get() as usize);
            }
        }
        return;
    }
    expression.node.visit_expr(|inner| find_argument(inner, call, field, found));
}

/// Where the last top-level assignment to `name` has its value, or an element of it.
pub(super) fn assigned(text: &str, name: &str, element: Option<usize>) -> Option<Range<usize>> {
    let module = AstModule::parse("", text.to_owned(), &DIALECT).ok()?;
    let statement = module.statement();
    let statements: &[AstStmt] = match &statement.node {
        StmtP::Statements(statements) => statements,
        _ => std::slice::from_ref(statement),
    };
    let value = statements.iter().rev().find_map(|statement| match &statement.node {
        StmtP::Assign(assign) => match &assign.lhs.node {
            AssignTargetP::Identifier(ident) if ident.node.ident == name => Some(&assign.rhs),
            _ => None,
        },
        _ => None,
    })?;
    let value = match (&value.node, element) {
        (ExprP::List(items), Some(index)) => items.get(index).unwrap_or(value),
        _ => value,
    };
    Some(value.span.begin().get() as usize..value.span.end().get() as usize)
}

/// The part `range` of the text that the call at `call` gives for `field`, if it is written as one
/// literal.
pub(super) fn in_literal(
    text: &str,
    call: &Range<usize>,
    field: &str,
    range: &Range<usize>,
) -> Option<Range<usize>> {
    let argument = argument(text, call, Some(field));
    let source = text.get(argument.clone())?;
    let value = source.strip_prefix(field)?.trim_start().strip_prefix('=')?.trim_start();
    let start = argument.end - value.len();
    let (from, to) = (position_in(value, range.start)?, position_in(value, range.end)?);
    (from <= to).then_some(start + from..start + to)
}

/// Where in a literal the byte `wanted` of what it says stands; [`None`] if it is no plain literal.
fn position_in(literal: &str, wanted: usize) -> Option<usize> {
    let unprefixed = literal.trim_start_matches(['u', 'U', 'r', 'R', 'b', 'B']);
    let prefix = &literal[..literal.len() - unprefixed.len()];
    if prefix.len() > 2 {
        return None;
    }
    let raw = prefix.contains(['r', 'R']);
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|q| unprefixed.starts_with(q))?;
    let body = unprefixed.strip_prefix(quote)?;
    let mut said = 0;
    let mut rest = body;
    loop {
        let at = prefix.len() + quote.len() + (body.len() - rest.len());
        if rest.starts_with(quote) {
            // Nothing but the one literal stands there.
            return (said == wanted && rest.len() == quote.len()).then_some(at);
        }
        let first = rest.chars().next()?;
        if said == wanted {
            // The end of the literal is the end of all, too.
            return ends_with_itself(rest, quote, raw).then_some(at);
        }
        let (length, says) = if first == '\\' && !raw {
            escape(rest)?
        } else {
            (first.len_utf8(), first.len_utf8())
        };
        said += says;
        if said > wanted {
            return None;
        }
        rest = rest.get(length..)?;
    }
}

/// Whether the literal whose rest this is goes to the end of the text.
fn ends_with_itself(mut rest: &str, quote: &str, raw: bool) -> bool {
    loop {
        if rest.starts_with(quote) {
            return rest.len() == quote.len();
        }
        let Some(first) = rest.chars().next() else { return false };
        let length = if first == '\\' {
            let next = rest[1..].chars().next().map_or(0, char::len_utf8);
            if raw || next > 0 { 1 + next } else { return false }
        } else {
            first.len_utf8()
        };
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// How long an escape is, and how many bytes it says.
fn escape(text: &str) -> Option<(usize, usize)> {
    let hex = |digits: usize| {
        let code = u32::from_str_radix(text.get(2..2 + digits)?, 16).ok()?;
        Some((2 + digits, char::from_u32(code)?.len_utf8()))
    };
    match text[1..].chars().next()? {
        '\n' => Some((2, 0)),
        'n' | 't' | 'r' | '\\' | '\'' | '"' | 'a' | 'b' | 'f' | 'v' => Some((2, 1)),
        'x' => hex(2),
        'u' => hex(4),
        'U' => hex(8),
        '0'..='7' => {
            let digits =
                text[1..].bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            let code = u32::from_str_radix(text.get(1..1 + digits)?, 8).ok()?;
            Some((1 + digits, char::from_u32(code)?.len_utf8()))
        }
        other => Some((1 + other.len_utf8(), 1 + other.len_utf8())),
    }
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
            (r#"r'\t{{x}}'"#, 2..7, Some("{{x}}")),
            ("'''a\n{{x}}\n'''", 2..7, Some("{{x}}")),
            ("'a' 'b{{x}}'", 2..7, None),
            ("'a{{x}}' % y", 1..6, None),
            ("'{{x}}' + y", 0..5, None),
            ("name", 0..2, None),
        ] {
            let text = format!("P(cmdline = {literal})");
            let found = in_literal(&text, &(0..text.len()), "cmdline", &range);
            assert_eq!(found.map(|range| &text[range]), wanted, "{literal}");
        }
    }
}
