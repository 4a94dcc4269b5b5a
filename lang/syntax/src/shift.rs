//! Moves what was read to where its text stands now.

use crate::error::{Edit, SyntaxError};
use crate::lexer::Odd;
use crate::span::Span;
use crate::token::Token;
use crate::tree::{
    Arg, Block, Chain, Clause, Comp, Expr, ExprKind, FPart, ImportName, Op, Param, PostKind,
    PostOp, Postfix, Stmt, StmtKind, StrPiece,
};

/// What has places in a text.
pub(crate) trait Shift {
    /// Moves all of them by a number of bytes.
    fn shift(&mut self, by: i32);
}

impl Shift for Span {
    fn shift(&mut self, by: i32) {
        self.start = self.start.wrapping_add_signed(by);
        self.end = self.end.wrapping_add_signed(by);
    }
}

impl<T: Shift> Shift for [T] {
    fn shift(&mut self, by: i32) {
        self.iter_mut().for_each(|item| item.shift(by));
    }
}

impl<T: Shift> Shift for Vec<T> {
    fn shift(&mut self, by: i32) {
        self.as_mut_slice().shift(by);
    }
}

impl<T: Shift + ?Sized> Shift for Box<T> {
    fn shift(&mut self, by: i32) {
        self.as_mut().shift(by);
    }
}

impl<T: Shift> Shift for Option<T> {
    fn shift(&mut self, by: i32) {
        self.iter_mut().for_each(|item| item.shift(by));
    }
}

impl<T: Shift, const N: usize> Shift for [T; N] {
    fn shift(&mut self, by: i32) {
        self.as_mut_slice().shift(by);
    }
}

impl<A: Shift, B: Shift> Shift for (A, B) {
    fn shift(&mut self, by: i32) {
        self.0.shift(by);
        self.1.shift(by);
    }
}

impl<A: Shift, B: Shift, C: Shift> Shift for (A, B, C) {
    fn shift(&mut self, by: i32) {
        self.0.shift(by);
        self.1.shift(by);
        self.2.shift(by);
    }
}

/// Structs, each with all of its fields, so that none is forgotten: `_` has no place.
macro_rules! structs {
    ($($name:ident { $($field:ident),* $(; $($none:ident),*)? })*) => {
        $(impl Shift for $name {
            fn shift(&mut self, by: i32) {
                let Self { $($field,)* $($($none: _,)*)? } = self;
                $($field.shift(by);)*
            }
        })*
    };
}

structs! {
    Token { span; kind }
    Odd { span; spaces, newline }
    Stmt { span, kind }
    ImportName { name, alias }
    Block { colon, stmts; inline, indent }
    Param { span, name, annotation, default; star }
    Op { span; kind }
    Expr { span, kind }
    Chain { first, rest }
    Postfix { base, ops }
    PostOp { span, kind }
    Arg { span, name, value; star }
    Comp { element, value, clauses; kind }
    StrPiece { span, fields; prefix, quotes, raw, unicode }
}

impl Shift for StmtKind {
    fn shift(&mut self, by: i32) {
        match self {
            Self::Expr(expr) => expr.shift(by),
            Self::Assign { targets, value } => {
                targets.shift(by);
                value.shift(by);
            }
            Self::Augmented { target, op, value } => {
                target.shift(by);
                op.shift(by);
                value.shift(by);
            }
            Self::Annotated { target, annotation, value } => {
                target.shift(by);
                annotation.shift(by);
                value.shift(by);
            }
            Self::If { branches, orelse } => {
                branches.shift(by);
                orelse.shift(by);
            }
            Self::For { target, iterable, body, orelse } => {
                target.shift(by);
                iterable.shift(by);
                body.shift(by);
                orelse.shift(by);
            }
            Self::While { test, body, orelse } => {
                test.shift(by);
                body.shift(by);
                orelse.shift(by);
            }
            Self::Def { name, params, returns, body } => {
                name.shift(by);
                params.shift(by);
                returns.shift(by);
                body.shift(by);
            }
            Self::Class { name, bases, body } => {
                name.shift(by);
                bases.shift(by);
                body.shift(by);
            }
            Self::Return(value) => value.shift(by),
            Self::Del(values) | Self::Raise(values) | Self::Print { values, comma: _ } => {
                values.shift(by);
            }
            Self::Assert { test, message } => {
                test.shift(by);
                message.shift(by);
            }
            Self::Import(names) => names.shift(by),
            Self::From { module, names } => {
                module.shift(by);
                names.shift(by);
            }
            Self::Refused(bodies) => bodies.shift(by),
            Self::Pass | Self::Break | Self::Continue | Self::Error => {}
        }
    }
}

impl Shift for ExprKind {
    fn shift(&mut self, by: i32) {
        match self {
            Self::Name | Self::Int | Self::Float | Self::Error => {}
            Self::Str(pieces) => pieces.shift(by),
            Self::Tuple { items, parens: _ } | Self::List(items) | Self::Set(items) => {
                items.shift(by);
            }
            Self::Paren(inner) | Self::Star(inner) | Self::Backtick(inner) => inner.shift(by),
            Self::Dict(entries) => entries.shift(by),
            Self::Comp(comp) => comp.shift(by),
            Self::Postfix(postfix) => postfix.shift(by),
            Self::Unary { op, operand } => {
                op.shift(by);
                operand.shift(by);
            }
            Self::Power(parts) => parts.shift(by),
            Self::Chain(chain) => chain.shift(by),
            Self::Cond(parts) => parts.shift(by),
            Self::Lambda(parts) => parts.shift(by),
        }
    }
}

impl Shift for PostKind {
    fn shift(&mut self, by: i32) {
        match self {
            Self::Attr(name) => name.shift(by),
            Self::Call(args) => args.shift(by),
            Self::Index(index) => index.shift(by),
            Self::Slice(bounds) => bounds.shift(by),
        }
    }
}

impl Shift for Clause {
    fn shift(&mut self, by: i32) {
        match self {
            Self::For { target, iterable } => {
                target.shift(by);
                iterable.shift(by);
            }
            Self::If(test) => test.shift(by),
        }
    }
}

impl Shift for FPart {
    fn shift(&mut self, by: i32) {
        match self {
            Self::Text(span) => span.shift(by),
            Self::Field { span, value, shown, conversion: _, spec } => {
                span.shift(by);
                value.shift(by);
                shown.shift(by);
                spec.shift(by);
            }
        }
    }
}

impl Shift for SyntaxError {
    fn shift(&mut self, by: i32) {
        let Self { message: _, range, help: _, code: _, fix } = self;
        let move_range = |range: &mut std::ops::Range<usize>| {
            range.start = range.start.wrapping_add_signed(by as isize);
            range.end = range.end.wrapping_add_signed(by as isize);
        };
        move_range(range);
        for Edit { range, text: _ } in fix.iter_mut().flatten() {
            move_range(range);
        }
    }
}
