//! Between which words and signs a blank stands.

use crate::token::{Kind, Token};

struct Frame {
    open: Kind,
    /// Whether it is an index.
    index: bool,
    /// Lambdas whose colon is still to come.
    lambdas: usize,
}

/// For each token, whether a blank stands before it when it is not the first of its line.
pub(super) fn blanks(text: &str, tokens: &[Token]) -> Vec<bool> {
    let mut frames = vec![Frame { open: Kind::End, index: false, lambdas: 0 }];
    let mut out = Vec::with_capacity(tokens.len());
    let mut prev: Option<Token> = None;
    let mut statement = true;
    // Whether what follows stands close to the token before.
    let mut close = true;
    let mut ticked = false;
    for (at, token) in tokens.iter().enumerate() {
        let kind = token.kind;
        if matches!(kind, Kind::Newline | Kind::Broken | Kind::Indent | Kind::Dedent | Kind::End) {
            out.push(false);
            (prev, statement, close) = (None, true, true);
            continue;
        }
        let printing = prev.is_some_and(|p| p.kind == Kind::Name && p.span.of(text) == "print")
            && tokens.get(at.wrapping_sub(2)).is_none_or(|before| starts_statement(before.kind));
        let after_value = prev.is_some_and(|p| ends_value(p.kind, ticked)) && !printing;
        let frame = frames.last_mut();
        let in_lambda = frame.as_ref().is_some_and(|frame| frame.lambdas > 0);
        let open = frame.as_ref().map_or(Kind::End, |frame| frame.open);
        let index = frame.as_ref().is_some_and(|frame| frame.index);
        let prefix = match kind {
            Kind::Minus | Kind::Plus | Kind::Star | Kind::StarStar => !after_value,
            Kind::Tilde => true,
            Kind::At => statement,
            _ => false,
        };
        let named = kind == Kind::Eq && (open == Kind::LParen || in_lambda);
        let unit = kind == Kind::Star
            && prev.is_some_and(|p| matches!(p.kind, Kind::Int | Kind::Float))
            && tokens.get(at + 1).is_some_and(|next| is_unit(next.span.of(text)));
        let blank = match kind {
            Kind::RParen | Kind::RBracket | Kind::RBrace | Kind::Comma | Kind::Semi => false,
            Kind::Colon => false,
            Kind::Dot => prev.is_some_and(|p| p.kind == Kind::Int),
            Kind::LParen if printing => false,
            Kind::LParen | Kind::LBracket => !close && !after_value,
            Kind::Backtick => !ticked && !close,
            _ if named || unit => false,
            _ => !close,
        };
        out.push(blank);
        close = prefix || named || unit || kind == Kind::Dot;
        statement = kind == Kind::Semi;
        match kind {
            Kind::LParen | Kind::LBracket | Kind::LBrace => {
                frames.push(Frame {
                    open: kind,
                    index: kind == Kind::LBracket && after_value,
                    lambdas: 0,
                });
                close = true;
            }
            Kind::RParen | Kind::RBracket | Kind::RBrace if frames.len() > 1 => {
                frames.pop();
            }
            Kind::Backtick => {
                ticked = !ticked;
                close = ticked;
            }
            Kind::Lambda => {
                if let Some(frame) = frames.last_mut() {
                    frame.lambdas += 1;
                }
            }
            Kind::Colon if in_lambda => {
                if let Some(frame) = frames.last_mut() {
                    frame.lambdas -= 1;
                }
            }
            Kind::Colon if index => close = true,
            Kind::Colon if open == Kind::End => statement = true,
            _ => {}
        }
        prev = Some(*token);
    }
    out
}

const fn starts_statement(before: Kind) -> bool {
    matches!(
        before,
        Kind::Newline | Kind::Broken | Kind::Indent | Kind::Dedent | Kind::Semi | Kind::Colon
    )
}

/// Whether a value may end with it, so that a bracket calls or indexes, and `-` subtracts.
pub(super) const fn ends_value(kind: Kind, ticked: bool) -> bool {
    match kind {
        Kind::Name
        | Kind::Int
        | Kind::Float
        | Kind::Str
        | Kind::RParen
        | Kind::RBracket
        | Kind::RBrace
        | Kind::Ellipsis => true,
        Kind::Backtick => !ticked,
        _ => false,
    }
}

fn is_unit(name: &str) -> bool {
    matches!(name, "BYTES" | "KB" | "MB" | "GB" | "TB")
}
