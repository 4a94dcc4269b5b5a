//! Semantic tokens: five numbers each, counted from the token before.

use aurora_ide::source::{FileId, Source};
use aurora_ide::text::units;
use aurora_ide::tokens::{self, Modifiers, TokenKind};
use tower_lsp::lsp_types::{self as lsp, SemanticToken};

use crate::convert::View;

/// What tokens there are, and how they are given.
pub(crate) fn options() -> lsp::SemanticTokensOptions {
    lsp::SemanticTokensOptions {
        legend: lsp::SemanticTokensLegend {
            token_types: TokenKind::ALL.map(|kind| kind.name().to_owned().into()).to_vec(),
            token_modifiers: Modifiers::NAMES.map(|name| name.to_owned().into()).to_vec(),
        },
        range: Some(true),
        full: Some(lsp::SemanticTokensFullOptions::Delta { delta: Some(true) }),
        ..lsp::SemanticTokensOptions::default()
    }
}

/// The tokens of a file, or of a part of it.
pub(crate) fn semantic_tokens(
    view: &View,
    file: &FileId,
    source: &Source,
    part: Option<lsp::Range>,
) -> Vec<SemanticToken> {
    let found = match part {
        None => tokens::full(&view.world, file),
        Some(part) => tokens::range(&view.world, file, view.span(source, part)),
    };
    let mut before = lsp::Position::new(0, 0);
    let mut out = Vec::with_capacity(found.len());
    for token in found {
        let start = view.position(source, token.span.start);
        let is_same_line = start.line == before.line;
        let kind = TokenKind::ALL.iter().position(|kind| *kind == token.kind).unwrap_or_default();
        out.push(SemanticToken {
            delta_line: start.line - before.line,
            delta_start: if is_same_line {
                start.character - before.character
            } else {
                start.character
            },
            length: units(source.slice(token.span), view.encoding),
            token_type: u32::try_from(kind).unwrap_or_default(),
            token_modifiers_bitset: token.modifiers.0,
        });
        before = start;
    }
    out
}

/// What makes one row of tokens of another: what is between their common beginning and end.
pub(crate) fn difference(
    old: &[SemanticToken],
    new: Vec<SemanticToken>,
) -> Vec<lsp::SemanticTokensEdit> {
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = (old.len() - start).min(new.len() - start);
    let same = |(a, b): &(&SemanticToken, &SemanticToken)| a == b;
    let end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(same).count();
    if start == old.len() && start == new.len() {
        return Vec::new();
    }
    // The protocol counts numbers, of which a token has five.
    let numbers = |tokens: usize| u32::try_from(tokens * 5).unwrap_or(u32::MAX);
    let data: Vec<SemanticToken> = new[start..new.len() - end].to_vec();
    vec![lsp::SemanticTokensEdit {
        start: numbers(start),
        delete_count: numbers(old.len() - end - start),
        data: Some(data).filter(|data| !data.is_empty()),
    }]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(lengths: &[u32]) -> Vec<SemanticToken> {
        let token = |length: &u32| SemanticToken { length: *length, ..SemanticToken::default() };
        lengths.iter().map(token).collect()
    }

    proptest! {
        #[test]
        fn a_difference_makes_the_new_of_the_old(
            old in proptest::collection::vec(0u32..3, 0..8),
            new in proptest::collection::vec(0u32..3, 0..8),
        ) {
            let (mut made, new) = (tokens(&old), tokens(&new));
            for edit in difference(&tokens(&old), new.clone()) {
                prop_assert!(edit.start % 5 == 0 && edit.delete_count % 5 == 0);
                let start = edit.start as usize / 5;
                let end = start + edit.delete_count as usize / 5;
                made.splice(start..end, edit.data.unwrap_or_default());
            }
            prop_assert_eq!(made, new);
        }
    }
}
