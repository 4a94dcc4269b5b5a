//! The tree of a file. Names and numbers have no text of their own: it is at their place.

use crate::span::Span;
use crate::token::Kind;

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Stmt {
    /// From its first word to its last, without comment and line end.
    pub span: Span,
    /// What it does.
    pub kind: StmtKind,
}

/// The kinds of statements.
#[derive(Debug, Clone, PartialEq)]
pub enum StmtKind {
    /// An expression for its effect.
    Expr(Expr),
    /// `a = b = value`.
    Assign {
        /// What is assigned to, in order.
        targets: Vec<Expr>,
        /// The value.
        value: Expr,
    },
    /// `a += value`.
    Augmented {
        /// What is changed.
        target: Expr,
        /// The sign, `=` included.
        op: Op,
        /// The value.
        value: Expr,
    },
    /// `a: type = value`.
    Annotated {
        /// What is assigned to.
        target: Expr,
        /// Its type.
        annotation: Expr,
        /// The value, if there is one.
        value: Option<Expr>,
    },
    /// `if`, each `elif`, and `else`.
    If {
        /// The conditions with what they guard.
        branches: Vec<(Expr, Block)>,
        /// After `else`.
        orelse: Option<Block>,
    },
    /// `for target in iterable`.
    For {
        /// What is assigned to.
        target: Expr,
        /// What is gone over.
        iterable: Expr,
        /// What is repeated.
        body: Block,
        /// After `else`: refused.
        orelse: Option<Block>,
    },
    /// `while`.
    While {
        /// The condition.
        test: Expr,
        /// What is repeated.
        body: Block,
        /// After `else`: refused.
        orelse: Option<Block>,
    },
    /// A function.
    Def {
        /// Its name.
        name: Span,
        /// Its parameters.
        params: Vec<Param>,
        /// From the `->` to before the colon.
        returns: Option<Span>,
        /// What it does.
        body: Block,
    },
    /// A struct type.
    Class {
        /// Its name.
        name: Span,
        /// What stands in parentheses.
        bases: Vec<Expr>,
        /// The fields.
        body: Block,
    },
    /// `return`.
    Return(Option<Expr>),
    /// `pass`.
    Pass,
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `del`.
    Del(Vec<Expr>),
    /// `assert`.
    Assert {
        /// What must be true.
        test: Expr,
        /// What is said otherwise.
        message: Option<Expr>,
    },
    /// `raise`, with what follows, commas in between.
    Raise(Vec<Expr>),
    /// `print` as a statement.
    Print {
        /// What is printed.
        values: Vec<Expr>,
        /// Whether a comma ends it.
        comma: bool,
    },
    /// `import a.b as c, d`.
    Import(Vec<ImportName>),
    /// `from a.b import c as d`.
    From {
        /// The module.
        module: Span,
        /// Its names; none is `*`.
        names: Vec<ImportName>,
    },
    /// What the language refuses; the bodies are kept.
    Refused(Vec<Block>),
    /// What could not be read.
    Error,
}

/// A name of an import.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportName {
    /// The name, with its dots.
    pub name: Span,
    /// What it is called here.
    pub alias: Option<Span>,
}

/// What stands under a colon.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The colon.
    pub colon: Span,
    /// Whether it stands on the line of its colon.
    pub inline: bool,
    /// The column at which its lines begin.
    pub indent: u32,
    /// The statements.
    pub stmts: Vec<Stmt>,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// All of it.
    pub span: Span,
    /// Its stars.
    pub star: Star,
    /// Its name; none for a lone `*`, for `/`, and for a tuple.
    pub name: Option<Span>,
    /// From its colon on.
    pub annotation: Option<Span>,
    /// The value if none is given.
    pub default: Option<Expr>,
}

/// The stars before a parameter or an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Star {
    /// None.
    No,
    /// `*`.
    One,
    /// `**`.
    Two,
}

/// An operator and its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Op {
    /// Its first sign. `not in` is [`Kind::Not`], `is not` is [`Kind::IsNot`].
    pub kind: Kind,
    /// Where it stands.
    pub span: Span,
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// From its first byte to its last.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// The kinds of expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A name.
    Name,
    /// A whole number.
    Int,
    /// A number with a point or an exponent.
    Float,
    /// Text: literals that stand one after the other.
    Str(Box<[StrPiece]>),
    /// `a, b`, in parentheses or not.
    Tuple {
        /// Its elements.
        items: Vec<Expr>,
        /// Whether it stands in parentheses.
        parens: bool,
    },
    /// An expression in parentheses.
    Paren(Box<Expr>),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{a, b}`.
    Set(Vec<Expr>),
    /// `{key: value}`.
    Dict(Vec<(Expr, Expr)>),
    /// A comprehension.
    Comp(Box<Comp>),
    /// What follows a value: attributes, calls, indices.
    Postfix(Box<Postfix>),
    /// `-a`, `not a`, …
    Unary {
        /// The sign.
        op: Op,
        /// What it applies to.
        operand: Box<Expr>,
    },
    /// `a ** b`.
    Power(Box<(Expr, Op, Expr)>),
    /// Operators of one rank one after the other: `a + b - c`, `a < b < c`, `a and b`.
    Chain(Box<Chain>),
    /// `value if test else other`.
    Cond(Box<(Expr, Expr, Expr)>),
    /// `lambda`.
    Lambda(Box<(Vec<Param>, Expr)>),
    /// `*a`, `**a` where it is refused.
    Star(Box<Expr>),
    /// A value between backticks.
    Backtick(Box<Expr>),
    /// What is refused, or could not be read.
    Error,
}

/// Operators of one rank.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The first operand.
    pub first: Expr,
    /// Each operator with its right side.
    pub rest: Vec<(Op, Expr)>,
}

/// A value and what follows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Postfix {
    /// The value.
    pub base: Expr,
    /// What follows.
    pub ops: Vec<PostOp>,
}

/// One thing that follows a value.
#[derive(Debug, Clone, PartialEq)]
pub struct PostOp {
    /// From its dot or opening bracket on.
    pub span: Span,
    /// What it is.
    pub kind: PostKind,
}

/// The kinds of what may follow a value.
#[derive(Debug, Clone, PartialEq)]
pub enum PostKind {
    /// `.name`: the name's place.
    Attr(Span),
    /// `(…)`.
    Call(Vec<Arg>),
    /// `[index]`.
    Index(Box<Expr>),
    /// `[a:b:c]`.
    Slice(Box<[Option<Expr>; 3]>),
}

/// An argument.
#[derive(Debug, Clone, PartialEq)]
pub struct Arg {
    /// All of it.
    pub span: Span,
    /// Its stars.
    pub star: Star,
    /// Its name.
    pub name: Option<Span>,
    /// Its value.
    pub value: Expr,
}

/// The kinds of comprehensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompKind {
    /// `[…]`.
    List,
    /// `{…}`.
    Set,
    /// `{key: value …}`.
    Dict,
    /// `(…)`.
    Generator,
    /// Without brackets, as the only argument of a call.
    Argument,
}

/// A comprehension.
#[derive(Debug, Clone, PartialEq)]
pub struct Comp {
    /// Its brackets.
    pub kind: CompKind,
    /// The element, or the key.
    pub element: Expr,
    /// The value of a key.
    pub value: Option<Expr>,
    /// `for` and `if`.
    pub clauses: Vec<Clause>,
}

/// A part of a comprehension.
#[derive(Debug, Clone, PartialEq)]
pub enum Clause {
    /// `for target in iterable`.
    For {
        /// What is assigned to.
        target: Expr,
        /// What is gone over.
        iterable: Expr,
    },
    /// `if test`.
    If(Expr),
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub struct StrPiece {
    /// All of it, prefix and quotes included.
    pub span: Span,
    /// How many bytes the prefix has.
    pub prefix: u8,
    /// How many quotes begin it: one or three.
    pub quotes: u8,
    /// Whether backslashes stand for themselves.
    pub raw: bool,
    /// Whether it is `u'…'`.
    pub unicode: bool,
    /// The parts of an f-string.
    pub fields: Option<Box<[FPart]>>,
}

impl StrPiece {
    /// What stands between the quotes.
    pub fn inner(&self) -> Span {
        let quotes = u32::from(self.quotes);
        let start = self.span.start + u32::from(self.prefix) + quotes;
        Span::new(start, self.span.end.saturating_sub(quotes).max(start))
    }
}

/// A part of an f-string.
#[derive(Debug, Clone, PartialEq)]
pub enum FPart {
    /// Text, with its escapes and doubled braces.
    Text(Span),
    /// `{value!r:spec}`.
    Field {
        /// All of it, braces included.
        span: Span,
        /// The value.
        value: Expr,
        /// The text of `value =`, which is printed before it.
        shown: Option<Span>,
        /// `r`, `s`, `a` or nothing.
        conversion: Option<char>,
        /// The format.
        spec: Vec<FPart>,
    },
}
