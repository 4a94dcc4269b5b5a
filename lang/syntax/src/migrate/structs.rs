//! `class X(Struct): …` becomes `X = struct_type("X", …)`.

use super::Migrator;
use crate::span::Span;
use crate::tree::{Block, Expr, ExprKind, Stmt, StmtKind};
use crate::walk::{Node, nodes};

impl Migrator<'_> {
    /// Rewrites a class whose body has fields only.
    pub(super) fn class(&mut self, span: Span, name: Span, bases: &[Expr], body: &Block) {
        let head = Span::new(span.start, body.colon.end);
        let plain = matches!(bases, [base] if self.word(base.span) == "Struct");
        if !plain {
            let base = bases.first().map_or("", |base| self.word(base.span));
            self.note(
                head,
                format!("this class has the fields of {base} and no others: use {base} itself"),
            );
            return;
        }
        if let Some(other) = body.stmts.iter().find(|stmt| !is_field(stmt)) {
            self.note(
                other.span,
                "a struct's type has fields only, so this class was left as it is",
            );
            return;
        }
        if let Some(value) = body.stmts.iter().find_map(|stmt| self.no_type(stmt)) {
            self.note(
                value,
                "a struct's type has fields only, and this is no type, so this class was left as it \
                 was: take it out of the class",
            );
            return;
        }
        if let Some(inner) = self.uses_field(body) {
            self.note(
                inner,
                "a field uses another one, so this class was left as it is: give the value a name \
                 before the class",
            );
            return;
        }
        if !self.is_free("struct_type", head) {
            return;
        }
        let name = self.word(name);
        if body.inline {
            self.inline(head, name, body);
        } else {
            self.lines(head, name, body);
        }
    }

    /// The value of a statement that a class leaves out, as it is no type.
    fn no_type(&self, stmt: &Stmt) -> Option<Span> {
        let value = match &stmt.kind {
            StmtKind::Assign { value, .. } | StmtKind::Annotated { value: Some(value), .. } => {
                value
            }
            _ => return None,
        };
        let is_constant =
            value.kind == ExprKind::Name && self.constants.contains(self.word(value.span));
        (is_constant || is_no_type(self.text, value)).then_some(value.span)
    }

    fn inline(&mut self, head: Span, name: &str, body: &Block) {
        let start = body.stmts.first().map_or(head.end, |stmt| stmt.span.start);
        let call = format!("{name} = struct_type(\"{name}\"");
        let mut gap = Span::new(head.start, start);
        let mut text = call;
        for stmt in &body.stmts {
            if let Some((target, value)) = field(stmt) {
                text.push_str(", ");
                self.edit(Span::new(gap.start, stmt.span.start), std::mem::take(&mut text));
                self.edit(Span::new(target.end, value.start), "=");
                gap = Span::new(stmt.span.end, stmt.span.end);
            }
        }
        let end = body.stmts.last().map_or(head.end, |stmt| stmt.span.end);
        text.push(')');
        self.edit(Span::new(gap.start, end), text);
    }

    fn lines(&mut self, head: Span, name: &str, body: &Block) {
        let last = body.stmts.last().map_or(head.end, |stmt| stmt.span.end);
        let start = self.text[..head.start as usize].rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let outer = self.text[start..head.start as usize].trim_start_matches('\u{feff}');
        let mut column = 0;
        for character in outer.chars() {
            column = if character == '\t' { (column / 8 + 1) * 8 } else { column + 1 };
        }
        let end = self.line_end(last);
        self.after(end, &format!("\n{})", " ".repeat(column)));
        let inner = " ".repeat(body.indent as usize);
        self.edit(head, format!("{name} = struct_type(\n{inner}\"{name}\","));
        for (at, stmt) in body.stmts.iter().enumerate() {
            let next = body.stmts.get(at + 1);
            match &stmt.kind {
                StmtKind::Pass => match self.whole_line(stmt.span) {
                    Some(line) if next.is_some() => self.edit(line, ""),
                    _ => self.edit(stmt.span, ""),
                },
                StmtKind::Expr(expr) => self.comment(expr, &inner),
                _ => {
                    if let Some((target, value)) = field(stmt) {
                        self.edit(Span::new(target.end, value.start), "=");
                        self.after(stmt.span.end, ",");
                    }
                }
            }
            // A `;` that follows.
            let end = next.map_or_else(
                || self.line_end(stmt.span.end),
                |next| next.span.start.min(self.line_end(stmt.span.end)),
            );
            let gap = self.word(Span::new(stmt.span.end, end));
            let code = gap.split('#').next().unwrap_or_default();
            if let Some(semicolon) = code.find(';') {
                let at = stmt.span.end + u32::try_from(semicolon).unwrap_or(0);
                self.edit(Span::new(at, at + 1), "");
            }
        }
    }

    fn line_end(&self, at: u32) -> u32 {
        let rest = self.text.get(at as usize..).unwrap_or_default();
        let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
        at + u32::try_from(length).unwrap_or(0)
    }

    /// A text that stands for itself says what a reader should know: a comment.
    fn comment(&mut self, expr: &Expr, indent: &str) {
        let ExprKind::Str(pieces) = &expr.kind else { return };
        let value = crate::literal::value(self.text, pieces).value;
        let lines: Vec<String> = value
            .trim()
            .lines()
            .map(|line| format!("# {}", line.trim()).trim_end().to_owned())
            .collect();
        self.edit(expr.span, lines.join(&format!("\n{indent}")));
    }

    /// Where a field's value uses another field.
    fn uses_field(&self, body: &Block) -> Option<Span> {
        let mut names = std::collections::BTreeSet::new();
        for stmt in &body.stmts {
            let mut found = None;
            let value = match &stmt.kind {
                StmtKind::Assign { targets, .. } if targets.len() == 1 => stmt,
                StmtKind::Annotated { .. } => stmt,
                _ => continue,
            };
            let own = field(value).map(|(target, _)| target);
            nodes(std::slice::from_ref(value), &mut |node| {
                if let Node::Expr(expr) = node
                    && matches!(expr.kind, ExprKind::Name)
                    && Some(expr.span) != own
                    && names.contains(self.word(expr.span))
                {
                    found = Some(expr.span);
                }
                true
            });
            if found.is_some() {
                return found;
            }
            if let Some(own) = own
                && !names.insert(self.word(own))
            {
                // Given twice, which no call takes.
                return Some(own);
            }
        }
        None
    }
}

/// Whether an expression is something else than a type for sure.
pub(super) fn is_no_type(text: &str, value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Paren(inner) => is_no_type(text, inner),
        ExprKind::Name => matches!(value.span.of(text), "True" | "False" | "None"),
        ExprKind::Cond(cond) => is_no_type(text, &cond.0) || is_no_type(text, &cond.2),
        ExprKind::Postfix(_) | ExprKind::Error => false,
        _ => true,
    }
}

/// The place of a field's name, and of its value.
fn field(stmt: &Stmt) -> Option<(Span, Span)> {
    match &stmt.kind {
        StmtKind::Assign { targets, value } => match targets.as_slice() {
            [Expr { kind: ExprKind::Name, span }] => Some((*span, value.span)),
            _ => None,
        },
        StmtKind::Annotated { target, value: Some(value), .. } => {
            matches!(target.kind, ExprKind::Name).then_some((target.span, value.span))
        }
        _ => None,
    }
}

fn is_field(stmt: &Stmt) -> bool {
    match &stmt.kind {
        StmtKind::Pass => true,
        StmtKind::Expr(Expr { kind: ExprKind::Str(pieces), .. }) => {
            pieces.iter().all(|piece| piece.fields.is_none())
        }
        StmtKind::Assign { value, .. } | StmtKind::Annotated { value: Some(value), .. } => {
            field(stmt).is_some()
                && !matches!(value.kind, ExprKind::Tuple { parens: false, .. } | ExprKind::Str(_))
        }
        _ => false,
    }
}
