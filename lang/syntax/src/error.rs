//! What is wrong with a text.

use std::ops::Range;

use crate::span::Span;

/// A change of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced.
    pub range: Range<usize>,
    /// What comes in its place.
    pub text: String,
}

/// Why a text is not of the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong, and what was expected.
    pub message: String,
    /// Where.
    pub range: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
    /// A stable name of the kind of error: `syntax/…`.
    pub code: &'static str,
    /// How to repair it, where that is mechanical.
    pub fix: Option<Vec<Edit>>,
}

impl SyntaxError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>, span: Span) -> Self {
        Self { message: message.into(), range: span.range(), help: None, code, fix: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn fix(mut self, span: Span, text: impl Into<String>) -> Self {
        self.fix.get_or_insert_default().push(Edit { range: span.range(), text: text.into() });
        self
    }
}

/// Every code of a [`SyntaxError`].
pub const CODES: &[&str] = &[
    code::TOO_LARGE,
    code::TOO_DEEP,
    code::TOO_LONG,
    code::CHARACTER,
    code::NUMBER,
    code::ESCAPE,
    code::STRING,
    code::CLOSE,
    code::BRACKET,
    code::INDENT,
    code::NO_INDENT,
    code::DEDENT,
    code::UNEXPECTED,
    code::TARGET,
    code::ARGUMENTS,
    code::PLACE,
    code::TRY,
    code::WITH,
    code::YIELD,
    code::ASYNC,
    code::DECORATOR,
    code::GLOBAL,
    code::CLASS,
    code::STAR,
    code::EXEC,
    code::WALRUS,
    code::OPERATOR,
    code::DEL,
    code::LOOP_ELSE,
    code::IMPORT,
    code::PRINT,
    code::PARAMETER,
    code::RAISE,
];

/// The codes, one for each kind of error.
pub mod code {
    /// The text is too large.
    pub const TOO_LARGE: &str = "syntax/too-large";
    /// Brackets or blocks stand too deep within others.
    pub const TOO_DEEP: &str = "syntax/too-deep";
    /// One expression has too many parts.
    pub const TOO_LONG: &str = "syntax/too-long";
    /// A character that begins nothing.
    pub const CHARACTER: &str = "syntax/unexpected-character";
    /// A number that is none.
    pub const NUMBER: &str = "syntax/bad-number";
    /// An escape in a text that is none.
    pub const ESCAPE: &str = "syntax/bad-escape";
    /// A text without its closing quote.
    pub const STRING: &str = "syntax/unterminated-string";
    /// A bracket that is never closed.
    pub const CLOSE: &str = "syntax/unclosed-bracket";
    /// A closing bracket that fits no opening one.
    pub const BRACKET: &str = "syntax/mismatched-bracket";
    /// A line that stands further right than the one before.
    pub const INDENT: &str = "syntax/unexpected-indent";
    /// A line that should stand further right.
    pub const NO_INDENT: &str = "syntax/expected-indent";
    /// A line that lies between the lines around it.
    pub const DEDENT: &str = "syntax/inconsistent-indent";
    /// A word or sign that does not belong where it stands.
    pub const UNEXPECTED: &str = "syntax/unexpected-token";
    /// Something is assigned to what cannot be assigned to.
    pub const TARGET: &str = "syntax/not-assignable";
    /// Arguments or parameters in the wrong order, or twice.
    pub const ARGUMENTS: &str = "syntax/bad-arguments";
    /// `return` outside of a function, `break` outside of a loop.
    pub const PLACE: &str = "syntax/wrong-place";
    /// `try`.
    pub const TRY: &str = "syntax/no-try";
    /// `with`.
    pub const WITH: &str = "syntax/no-with";
    /// `yield`.
    pub const YIELD: &str = "syntax/no-yield";
    /// `async` and `await`.
    pub const ASYNC: &str = "syntax/no-async";
    /// `@name` before a definition.
    pub const DECORATOR: &str = "syntax/no-decorator";
    /// `global` and `nonlocal`.
    pub const GLOBAL: &str = "syntax/no-global";
    /// A class that is more than a struct's declaration.
    pub const CLASS: &str = "syntax/class-is-no-struct";
    /// `*` and `**` where the language does not unpack.
    pub const STAR: &str = "syntax/no-unpacking";
    /// `exec`.
    pub const EXEC: &str = "syntax/no-exec";
    /// `:=`.
    pub const WALRUS: &str = "syntax/no-assignment-expression";
    /// An operator that the language does not have.
    pub const OPERATOR: &str = "syntax/no-operator";
    /// `del` of something else than an element.
    pub const DEL: &str = "syntax/no-del";
    /// `else` after a loop.
    pub const LOOP_ELSE: &str = "syntax/no-loop-else";
    /// A relative import, or one that cannot be.
    pub const IMPORT: &str = "syntax/no-import";
    /// `print` to a file.
    pub const PRINT: &str = "syntax/no-print-to";
    /// A tuple as a parameter.
    pub const PARAMETER: &str = "syntax/no-tuple-parameter";
    /// `raise` without an exception.
    pub const RAISE: &str = "syntax/no-raise";
}
