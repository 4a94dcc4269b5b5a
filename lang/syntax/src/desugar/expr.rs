//! Expressions.

use std::collections::BTreeSet;

use super::{Found, Rewriter, names, reserved};
use crate::error::{SyntaxError, code};
use crate::literal;
use crate::span::Span;
use crate::token::Kind;
use crate::tree::{
    Arg, Chain, Clause, Comp, CompKind, Expr, ExprKind, Op, Param, PostKind, PostOp, Star,
};

/// How many comparisons may be chained.
const MAX_COMPARISONS: usize = 50;

/// Methods of text, lists and tables, some of which Starlark lacks or has otherwise.
fn is_method(name: &str) -> bool {
    matches!(
        name,
        "replace"
            | "join"
            | "format"
            | "upper"
            | "lower"
            | "title"
            | "capitalize"
            | "swapcase"
            | "split"
            | "rsplit"
            | "splitlines"
            | "strip"
            | "lstrip"
            | "rstrip"
            | "zfill"
            | "ljust"
            | "rjust"
            | "center"
            | "expandtabs"
            | "extend"
            | "update"
            | "copy"
            | "items"
            | "keys"
            | "values"
            | "iteritems"
            | "iterkeys"
            | "itervalues"
            | "has_key"
            | "sort"
            | "reverse"
            | "index"
            | "count"
            | "find"
            | "decode"
            | "encode"
            | "translate"
            | "partition"
            | "rpartition"
            | "isalnum"
            | "isalpha"
            | "isdigit"
            | "islower"
            | "isupper"
            | "isspace"
            | "startswith"
            | "endswith"
            | "setdefault"
            | "insert"
            | "pop"
            | "remove"
            | "rfind"
            | "rindex"
            | "union"
            | "intersection"
            | "difference"
            | "symmetric_difference"
    )
}

/// The function that stands for an operator.
pub(super) fn operator(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Plus => "__au_add",
        Kind::Minus => "__au_sub",
        Kind::Star => "__au_mul",
        Kind::Slash => "__au_div",
        Kind::SlashSlash => "__au_floordiv",
        Kind::Percent => "__au_mod",
        Kind::LShift => "__au_lshift",
        Kind::Pipe => "__au_or",
        Kind::Amp => "__au_and",
        Kind::Caret => "__au_xor",
        _ => return None,
    })
}

/// What stands around the operands of a comparison that a function makes.
struct Comparing {
    before: &'static str,
    after: &'static str,
}

/// How an argument, or the place of one, is written.
enum Rank {
    Positional,
    Named,
    List,
    Table,
}

impl Rewriter<'_> {
    /// An expression; a tuple gets the parentheses that it lacks.
    pub(super) fn value(&mut self, expr: &Expr) {
        if matches!(expr.kind, ExprKind::Tuple { parens: false, .. }) && !self.ends_open(expr) {
            self.writer.before(expr.span, "(");
            self.expr(expr);
            self.writer.after(expr.span, ")");
        } else {
            self.expr(expr);
        }
    }

    /// Whether it is a tuple without parentheses that ends with a comma, which Starlark refuses.
    fn ends_open(&self, expr: &Expr) -> bool {
        matches!(expr.kind, ExprKind::Tuple { parens: false, .. })
            && self.word(expr.span).ends_with(',')
    }

    fn closed(&mut self, expr: &Expr, write: impl FnOnce(&mut Self)) {
        let open = self.ends_open(expr);
        if open {
            self.writer.before(expr.span, "(");
        }
        write(self);
        if open {
            self.writer.after(expr.span, ")");
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr) {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Name => self.name(span),
            ExprKind::Int => self.int(span),
            ExprKind::Float => self.float(span),
            ExprKind::Str(pieces) => self.string(span, pieces),
            ExprKind::Tuple { items, .. } | ExprKind::List(items) => {
                self.closed(expr, |writer| items.iter().for_each(|item| writer.expr(item)));
            }
            ExprKind::Paren(inner) | ExprKind::Star(inner) => self.expr(inner),
            ExprKind::Dict(entries) => self.dict(span, entries),
            ExprKind::Set(items) => {
                self.open(span, "__au_set([");
                items.iter().for_each(|item| self.expr(item));
                self.close(span, "])");
            }
            ExprKind::Comp(comp) => self.comp(span, comp),
            ExprKind::Postfix(postfix) => self.postfix(&postfix.base, &postfix.ops),
            ExprKind::Unary { operand, .. } => self.expr(operand),
            ExprKind::Power(power) => {
                let (base, op, exponent) = &**power;
                self.writer.before(span, "__au_pow(");
                self.expr(base);
                self.writer.replace(op.span, ",");
                self.expr(exponent);
                self.writer.after(span, ")");
            }
            ExprKind::Chain(chain) => self.chain(span, chain),
            ExprKind::Cond(cond) => {
                let (value, test, other) = &**cond;
                self.expr(value);
                self.expr(test);
                self.expr(other);
            }
            ExprKind::Lambda(lambda) => {
                let (params, body) = &**lambda;
                self.params(params);
                let mut scope = names::Names::new();
                names::parameters(self.text, params, &mut scope);
                self.scopes.push(scope);
                self.expr(body);
                self.scopes.pop();
            }
            ExprKind::Backtick(inner) => {
                self.open(span, "repr(");
                self.value(inner);
                self.close(span, ")");
            }
            ExprKind::Error => {}
        }
    }

    /// Writes something in the place of the first sign of a range.
    fn open(&mut self, span: Span, text: &str) {
        self.writer.before(span, text);
        self.writer.skip_to(span.start + 1);
    }

    /// Writes something in the place of the last sign of a range.
    fn close(&mut self, span: Span, text: &str) {
        self.writer.copy_to(span.end - 1);
        self.writer.write(text, span);
        self.writer.skip_to(span.end);
    }

    /// A table. Of entries with the same key Python takes the last, and Starlark none.
    fn dict(&mut self, span: Span, entries: &[(Expr, Expr)]) {
        let mut keys = BTreeSet::new();
        let distinct = entries.len() < 2
            || entries.iter().all(|(key, _)| match &key.kind {
                ExprKind::Int => keys.insert(self.word(key.span).to_owned()),
                ExprKind::Str(pieces) if pieces.iter().all(|piece| piece.fields.is_none()) => {
                    keys.insert(format!("'{}", literal::value(self.text, pieces).value))
                }
                _ => false,
            });
        if distinct {
            for (key, value) in entries {
                self.expr(key);
                self.expr(value);
            }
            return;
        }
        let dict = match self.find("dict") {
            Found::Plain => "dict([",
            Found::Late => "__au_name(\"dict\")([",
        };
        self.open(span, dict);
        for (key, value) in entries {
            self.writer.before(key.span, "(");
            self.expr(key);
            self.writer.copy_to(key.span.end);
            let gap = Span::new(key.span.end, value.span.start);
            let lines = self.word(gap).bytes().filter(|byte| *byte == b'\n').count();
            self.writer.replace(gap, &format!(", {}", "\n".repeat(lines)));
            self.expr(value);
            self.writer.after(value.span, ")");
        }
        self.close(span, "])");
    }

    fn comp(&mut self, span: Span, comp: &Comp) {
        match comp.kind {
            CompKind::List | CompKind::Dict => {}
            CompKind::Set => self.open(span, "__au_set(["),
            CompKind::Generator => self.open(span, "["),
            CompKind::Argument => self.writer.before(span, "["),
        }
        let mut scope = names::Names::new();
        names::clauses(self.text, &comp.clauses, &mut scope);
        self.scopes.push(scope);
        self.expr(&comp.element);
        if let Some(value) = &comp.value {
            self.expr(value);
        }
        for (at, clause) in comp.clauses.iter().enumerate() {
            match clause {
                Clause::For { target, iterable } => {
                    self.target(target);
                    // The first one does not see the names that the comprehension defines.
                    let scope = if at == 0 { self.scopes.pop() } else { None };
                    self.iterable(iterable);
                    self.scopes.extend(scope);
                    self.writer.write(" if __au_tick()", iterable.span);
                }
                Clause::If(test) => self.expr(test),
            }
        }
        self.scopes.pop();
        match comp.kind {
            CompKind::List | CompKind::Dict => {}
            CompKind::Set => self.close(span, "])"),
            CompKind::Generator => self.close(span, "]"),
            CompKind::Argument => self.writer.after(span, "]"),
        }
    }

    /// What a loop goes over.
    pub(super) fn iterable(&mut self, expr: &Expr) {
        self.writer.before(expr.span, "__au_iter(");
        self.value(expr);
        self.writer.after(expr.span, ")");
    }

    /// What is assigned to.
    pub(super) fn target(&mut self, target: &Expr) {
        match &target.kind {
            ExprKind::Name => self.defines(target.span),
            ExprKind::Tuple { items, .. } | ExprKind::List(items) => {
                self.closed(target, |writer| items.iter().for_each(|item| writer.target(item)));
            }
            ExprKind::Paren(inner) => self.target(inner),
            _ => self.expr(target),
        }
    }

    pub(super) fn params(&mut self, params: &[Param]) {
        for param in params {
            if let Some(name) = param.name {
                self.defines(name);
            }
            if let Some(annotation) = param.annotation {
                self.writer.replace(annotation, "");
            }
            if let Some(default) = &param.default {
                self.expr(default);
            }
        }
    }

    fn chain(&mut self, span: Span, chain: &Chain) {
        let Some((op, right)) = chain.rest.first() else { return self.expr(&chain.first) };
        if op.kind.is_comparison() {
            return match chain.rest.len() {
                1 => self.compared(span, chain, *op, right),
                _ => self.comparisons(span, chain),
            };
        }
        let numbers = std::iter::once(&chain.first).chain(chain.rest.iter().map(|(_, e)| e));
        let numbers_only = numbers.clone().all(|operand| matches!(operand.kind, ExprKind::Int));
        let plain = chain.rest.iter().all(|(op, _)| {
            let safe = !matches!(op.kind, Kind::Slash | Kind::LShift);
            self.function(op.kind).is_none() || (numbers_only && safe)
        });
        if plain {
            numbers.for_each(|operand| self.expr(operand));
            return;
        }
        self.writer.copy_to(span.start);
        for (op, right) in chain.rest.iter().rev() {
            let function = self.function(op.kind).unwrap_or_default();
            self.writer.write(&format!("{function}("), chain.first.span.to(right.span));
        }
        self.expr(&chain.first);
        for (op, right) in &chain.rest {
            if self.function(op.kind).is_some() {
                self.writer.replace(op.span, ",");
            }
            self.expr(right);
            self.writer.copy_to(right.span.end);
            self.writer.write(")", chain.first.span.to(right.span));
        }
    }

    /// The function for an operator, if Starlark's own does not do.
    pub(super) fn function(&self, kind: Kind) -> Option<&'static str> {
        if kind == Kind::Slash && self.division { None } else { operator(kind) }
    }

    /// Whether it is one of the four values among which Python says `True == 1`, and Starlark not.
    fn is_bool_or_like(&self, expr: &Expr) -> bool {
        match expr.kind {
            ExprKind::Name => matches!(self.word(expr.span), "True" | "False"),
            ExprKind::Int => matches!(self.word(expr.span), "0" | "1"),
            _ => false,
        }
    }

    /// The function for a comparison, if Starlark's own does not do: it says `True != 1`, and what it
    /// does with long or deep values has no limit. Beside what is written out it has.
    fn comparing(&self, op: Op, left: Option<&Expr>, right: Option<&Expr>) -> Option<Comparing> {
        let is = |expr: Option<&Expr>, what: fn(&Self, &Expr) -> bool| {
            expr.is_some_and(|expr| what(self, expr))
        };
        let is_number = is(left, Self::is_bool_or_like) || is(right, Self::is_bool_or_like);
        let is_written = is(left, Self::is_small) || is(right, Self::is_small);
        let (before, after) = match op.kind {
            Kind::EqEq if is_number || !is_written => ("__au_eq(", ")"),
            Kind::Ne | Kind::LtGt if is_number || !is_written => ("__au_ne(", ")"),
            Kind::Is if !is_written => ("__au_eq(", ")"),
            Kind::IsNot if !is_written => ("__au_ne(", ")"),
            Kind::Lt if !is_written => ("__au_lt(", ")"),
            Kind::Le if !is_written => ("__au_le(", ")"),
            Kind::Gt if !is_written => ("__au_gt(", ")"),
            Kind::Ge if !is_written => ("__au_ge(", ")"),
            Kind::In if !is(right, Self::is_display) => ("__au_in(", ")"),
            Kind::Not if !is(right, Self::is_display) => ("(not __au_in(", "))"),
            _ => return None,
        };
        Some(Comparing { before, after })
    }

    /// Whether it is a literal of one number or text, or None.
    fn is_small(&self, expr: &Expr) -> bool {
        match expr.kind {
            ExprKind::Int | ExprKind::Float | ExprKind::Str(_) => true,
            ExprKind::Name => matches!(self.word(expr.span), "None" | "True" | "False"),
            _ => false,
        }
    }

    /// Whether it is a list or table whose elements are such literals, or a text.
    fn is_display(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Tuple { items, .. } | ExprKind::List(items) | ExprKind::Set(items) => {
                items.iter().all(|item| self.is_small(item))
            }
            ExprKind::Paren(inner) => self.is_display(inner),
            ExprKind::Str(_) => true,
            _ => false,
        }
    }

    fn compared(&mut self, span: Span, chain: &Chain, op: Op, right: &Expr) {
        let Some(Comparing { before, after }) = self.comparing(op, Some(&chain.first), Some(right))
        else {
            self.expr(&chain.first);
            self.comparison(op);
            return self.expr(right);
        };
        self.writer.before(span, before);
        self.expr(&chain.first);
        self.writer.replace(op.span, ",");
        self.expr(right);
        self.writer.after(span, after);
    }

    fn comparison(&mut self, op: Op) {
        match op.kind {
            Kind::Is => self.writer.replace(op.span, "=="),
            Kind::IsNot | Kind::LtGt => self.writer.replace(op.span, "!="),
            _ => {}
        }
    }

    /// Writes an operand out of its order.
    pub(super) fn elsewhere(&mut self, expr: &Expr) {
        self.writer.skip_to(expr.span.start);
        self.expr(expr);
        self.writer.copy_to(expr.span.end);
    }

    /// A comparison of two operands that are written by `left` and `right`.
    fn elsewhere_compared(
        &mut self,
        op: Op,
        (left, right): (Option<&Expr>, Option<&Expr>),
        names: (&str, &str),
    ) {
        let function = self.comparing(op, left, right);
        if let Some(function) = &function {
            self.writer.write(function.before, op.span);
        }
        self.operand(left, names.0, op.span);
        match function {
            Some(_) => self.writer.write(", ", op.span),
            None => {
                self.writer.write(" ", op.span);
                self.writer.skip_to(op.span.start);
                self.comparison(op);
                self.writer.copy_to(op.span.end);
                self.writer.write(" ", op.span);
            }
        }
        self.operand(right, names.1, op.span);
        if let Some(function) = function {
            self.writer.write(function.after, op.span);
        }
    }

    fn operand(&mut self, operand: Option<&Expr>, name: &str, span: Span) {
        match operand {
            Some(operand) => self.elsewhere(operand),
            None => self.writer.write(name, span),
        }
    }

    /// `a < b < c`: each operand is computed once, and `c` only if `a < b`.
    fn comparisons(&mut self, span: Span, chain: &Chain) {
        if chain.rest.len() > MAX_COMPARISONS {
            let message = format!("more than {MAX_COMPARISONS} comparisons are chained");
            self.error(SyntaxError::new(code::TOO_LONG, message, span));
            return;
        }
        let (last, inner) = match chain.rest.split_last() {
            Some((last, inner)) => (last, inner),
            None => return,
        };
        self.writer.copy_to(span.start);
        if inner.iter().all(|(_, operand)| is_simple(operand)) {
            self.writer.write("(", span);
            let mut left = &chain.first;
            for (at, (op, right)) in chain.rest.iter().enumerate() {
                if at > 0 {
                    self.writer.write(" and ", op.span);
                }
                self.elsewhere_compared(*op, (Some(left), Some(right)), ("", ""));
                left = right;
            }
            self.writer.write(")", span);
        } else {
            for (op, _) in inner {
                self.writer.write("(lambda __au_l, __au_r: ", span);
                self.elsewhere_compared(*op, (None, None), ("__au_l", "__au_r"));
                self.writer.write(" and ", span);
            }
            self.elsewhere_compared(last.0, (None, Some(&last.1)), ("__au_r", ""));
            for (at, (_, right)) in inner.iter().enumerate().rev() {
                self.writer.write(")(", span);
                if at == 0 {
                    self.elsewhere(&chain.first);
                } else {
                    self.writer.write("__au_r", span);
                }
                self.writer.write(", ", span);
                self.elsewhere(right);
                self.writer.write(")", span);
            }
        }
        self.writer.skip_to(span.end);
    }

    /// A value and what follows it.
    pub(super) fn postfix(&mut self, base: &Expr, ops: &[PostOp]) {
        self.writer.copy_to(base.span.start);
        for (at, op) in ops.iter().enumerate().rev() {
            let PostKind::Attr(name) = op.kind else { continue };
            let name = self.word(name);
            if let Some(call) = method_call(name, ops.get(at + 1)) {
                let span = base.span.to(call.span);
                self.writer.write(&format!("__au_call(\"{name}\", "), span);
            } else if reserved(name).is_some() {
                self.writer.write("getattr(", base.span.to(op.span));
            }
        }
        self.expr(base);
        let mut at = 0;
        while let Some(op) = ops.get(at) {
            match &op.kind {
                PostKind::Attr(name) => {
                    let name = self.word(*name);
                    if let Some(call) = method_call(name, ops.get(at + 1))
                        && let PostKind::Call(args) = &call.kind
                    {
                        let head = Span::new(op.span.start, call.span.start + 1);
                        self.writer.replace(head, if args.is_empty() { "" } else { ", " });
                        self.args(args);
                        self.writer.copy_to(call.span.end);
                        at += 1;
                    } else if reserved(name).is_some() {
                        self.writer.replace(op.span, &format!(", \"{name}\")"));
                    }
                }
                PostKind::Call(args) => self.args(args),
                PostKind::Index(index) => self.value(index),
                PostKind::Slice(bounds) => {
                    bounds.iter().flatten().for_each(|bound| self.value(bound));
                }
            }
            at += 1;
        }
    }

    fn rank(&self, arg: &Arg) -> Rank {
        match (arg.star, arg.name) {
            (Star::One, _) => Rank::List,
            (Star::Two, _) => Rank::Table,
            (Star::No, Some(name)) if reserved(self.word(name)).is_some() => Rank::Table,
            (Star::No, Some(_)) => Rank::Named,
            (Star::No, None) => Rank::Positional,
        }
    }

    pub(super) fn args(&mut self, args: &[Arg]) {
        let ranks = || args.iter().map(|arg| self.rank(arg) as u8);
        let reserved = args.iter().filter(|arg| self.has_reserved_name(arg));
        let (count, first_reserved) = (reserved.clone().count(), reserved.clone().next());
        if count == 0 && ranks().is_sorted() {
            args.iter().for_each(|arg| self.expr(&arg.value));
            return;
        }
        // Starlark takes named arguments before `*` and `**` only.
        let mut order: Vec<(u8, &Arg)> = ranks().zip(args).collect();
        order.sort_by_key(|(rank, _)| *rank);
        let (Some(first), Some(last)) = (args.first(), args.last()) else { return };
        self.writer.copy_to(first.span.start);
        let mut left = count;
        for (at, (_, arg)) in order.iter().enumerate() {
            if at > 0 {
                self.writer.write(", ", arg.span);
            }
            if !self.has_reserved_name(arg) {
                self.writer.skip_to(arg.span.start);
                self.expr(&arg.value);
                self.writer.copy_to(arg.span.end);
                continue;
            }
            // Names that Starlark keeps to itself are the keys of a table.
            let name = arg.name.map_or("", |name| self.word(name));
            let open = if left == count { "**{" } else { "" };
            self.writer.write(&format!("{open}\"{name}\": "), arg.span);
            self.elsewhere(&arg.value);
            left -= 1;
            if left == 0 {
                self.writer.write("}", arg.span);
            }
        }
        self.writer.skip_to(last.span.end);
        if let Some(arg) = first_reserved
            && args.iter().any(|arg| arg.star == Star::Two)
        {
            let name = arg.name.map_or("", |name| self.word(name));
            let error = SyntaxError::new(
                code::ARGUMENTS,
                format!("an argument named `{name}` does not stand beside `**`"),
                arg.span,
            )
            .help(format!("put it into the table before the call: table[\"{name}\"] = value"));
            self.error(error);
        }
    }

    fn has_reserved_name(&self, arg: &Arg) -> bool {
        arg.name.is_some_and(|name| reserved(self.word(name)).is_some())
    }
}

/// The call of an attribute that is a method of text, lists or tables.
fn method_call<'t>(name: &str, next: Option<&'t PostOp>) -> Option<&'t PostOp> {
    next.filter(|op| matches!(op.kind, PostKind::Call(_)) && is_method(name))
}

/// Whether computing it twice is the same as once.
pub(crate) fn is_simple(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Name | ExprKind::Int | ExprKind::Float | ExprKind::Str(_) => true,
        ExprKind::Paren(inner) => is_simple(inner),
        ExprKind::Unary { operand, .. } => matches!(operand.kind, ExprKind::Int | ExprKind::Float),
        ExprKind::Postfix(postfix) => {
            matches!(postfix.base.kind, ExprKind::Name)
                && postfix.ops.iter().all(|op| matches!(op.kind, PostKind::Attr(_)))
        }
        _ => false,
    }
}
