//! The words and signs of a text.

use crate::span::Span;

/// A word or sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub span: Span,
}

macro_rules! kinds {
    (words { $($word:ident $spelling:literal)* } signs { $($sign:ident $sign_spelling:literal)* }) => {
        /// What a token is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Kind {
            Name, Int, Float, Str, BadStr, Newline, Broken, Indent, Dedent, End, Bad, IsNot,
            $($word,)*
            $($sign,)*
        }

        impl Kind {
            /// The keyword that a word is.
            pub(crate) fn word(text: &str) -> Option<Self> {
                match text {
                    $($spelling => Some(Self::$word),)*
                    _ => None,
                }
            }

            /// How it is written, or what it is.
            pub fn shown(self) -> &'static str {
                match self {
                    Self::Name => "a name",
                    Self::Int | Self::Float => "a number",
                    Self::Str | Self::BadStr => "a text",
                    Self::Newline | Self::Broken => "the end of the line",
                    Self::Indent => "a line further right",
                    Self::Dedent => "the end of the block",
                    Self::End => "the end of the file",
                    Self::Bad => "an unknown character",
                    Self::IsNot => "`is not`",
                    $(Self::$word => concat!("`", $spelling, "`"),)*
                    $(Self::$sign => concat!("`", $sign_spelling, "`"),)*
                }
            }

            /// Whether it is a keyword.
            pub fn is_word(self) -> bool {
                matches!(self, $(Self::$word)|*)
            }
        }
    };
}

kinds! {
    words {
        And "and" As "as" Assert "assert" Break "break" Class "class" Continue "continue" Def "def"
        Del "del" Elif "elif" Else "else" Except "except" Finally "finally" For "for" From "from"
        Global "global" If "if" Import "import" In "in" Is "is" Lambda "lambda" Not "not" Or "or"
        Pass "pass" Raise "raise" Return "return" Try "try" While "while" With "with" Yield "yield"
    }
    signs {
        LParen "(" RParen ")" LBracket "[" RBracket "]" LBrace "{" RBrace "}"
        Comma "," Colon ":" Semi ";" Dot "." Backtick "`" At "@" Eq "=" Arrow "->" Walrus ":="
        Ellipsis "..." Tilde "~" Bang "!"
        Plus "+" Minus "-" Star "*" StarStar "**" Slash "/" SlashSlash "//" Percent "%"
        Amp "&" Pipe "|" Caret "^" LShift "<<" RShift ">>"
        Lt "<" Gt ">" Le "<=" Ge ">=" EqEq "==" Ne "!=" LtGt "<>"
        PlusEq "+=" MinusEq "-=" StarEq "*=" StarStarEq "**=" SlashEq "/=" SlashSlashEq "//="
        PercentEq "%=" AmpEq "&=" PipeEq "|=" CaretEq "^=" LShiftEq "<<=" RShiftEq ">>=" AtEq "@="
    }
}

impl Kind {
    /// Whether it compares, or is the first word of `not in`.
    pub const fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Lt
                | Self::Gt
                | Self::Le
                | Self::Ge
                | Self::EqEq
                | Self::Ne
                | Self::LtGt
                | Self::In
                | Self::Is
                | Self::IsNot
                | Self::Not
        )
    }

    /// The sign a text begins with, and its length: the longest that there is.
    pub(crate) fn sign(bytes: &[u8]) -> Option<(Self, u32)> {
        let at = |i: usize| bytes.get(i).copied().unwrap_or(0);
        let (a, b, c) = (at(0), at(1), at(2));
        Some(match (a, b, c) {
            (b'*', b'*', b'=') => (Self::StarStarEq, 3),
            (b'/', b'/', b'=') => (Self::SlashSlashEq, 3),
            (b'<', b'<', b'=') => (Self::LShiftEq, 3),
            (b'>', b'>', b'=') => (Self::RShiftEq, 3),
            (b'.', b'.', b'.') => (Self::Ellipsis, 3),
            (b'*', b'*', _) => (Self::StarStar, 2),
            (b'/', b'/', _) => (Self::SlashSlash, 2),
            (b'<', b'<', _) => (Self::LShift, 2),
            (b'>', b'>', _) => (Self::RShift, 2),
            (b'<', b'=', _) => (Self::Le, 2),
            (b'>', b'=', _) => (Self::Ge, 2),
            (b'<', b'>', _) => (Self::LtGt, 2),
            (b'=', b'=', _) => (Self::EqEq, 2),
            (b'!', b'=', _) => (Self::Ne, 2),
            (b'-', b'>', _) => (Self::Arrow, 2),
            (b':', b'=', _) => (Self::Walrus, 2),
            (b'+', b'=', _) => (Self::PlusEq, 2),
            (b'-', b'=', _) => (Self::MinusEq, 2),
            (b'*', b'=', _) => (Self::StarEq, 2),
            (b'/', b'=', _) => (Self::SlashEq, 2),
            (b'%', b'=', _) => (Self::PercentEq, 2),
            (b'&', b'=', _) => (Self::AmpEq, 2),
            (b'|', b'=', _) => (Self::PipeEq, 2),
            (b'^', b'=', _) => (Self::CaretEq, 2),
            (b'@', b'=', _) => (Self::AtEq, 2),
            (b'(', ..) => (Self::LParen, 1),
            (b')', ..) => (Self::RParen, 1),
            (b'[', ..) => (Self::LBracket, 1),
            (b']', ..) => (Self::RBracket, 1),
            (b'{', ..) => (Self::LBrace, 1),
            (b'}', ..) => (Self::RBrace, 1),
            (b',', ..) => (Self::Comma, 1),
            (b':', ..) => (Self::Colon, 1),
            (b';', ..) => (Self::Semi, 1),
            (b'.', ..) => (Self::Dot, 1),
            (b'`', ..) => (Self::Backtick, 1),
            (b'@', ..) => (Self::At, 1),
            (b'=', ..) => (Self::Eq, 1),
            (b'~', ..) => (Self::Tilde, 1),
            (b'!', ..) => (Self::Bang, 1),
            (b'+', ..) => (Self::Plus, 1),
            (b'-', ..) => (Self::Minus, 1),
            (b'*', ..) => (Self::Star, 1),
            (b'/', ..) => (Self::Slash, 1),
            (b'%', ..) => (Self::Percent, 1),
            (b'&', ..) => (Self::Amp, 1),
            (b'|', ..) => (Self::Pipe, 1),
            (b'^', ..) => (Self::Caret, 1),
            (b'<', ..) => (Self::Lt, 1),
            (b'>', ..) => (Self::Gt, 1),
            _ => return None,
        })
    }

    /// The bracket that closes this one.
    pub(crate) fn closer(self) -> Option<Self> {
        match self {
            Self::LParen => Some(Self::RParen),
            Self::LBracket => Some(Self::RBracket),
            Self::LBrace => Some(Self::RBrace),
            _ => None,
        }
    }
}
