//! What evaluating a file may use up: a file that is wrong, or hostile, is refused; it does not end
//! the process.

#![expect(
    unsafe_code,
    reason = "the derives of the interpreter's value traits expand to unsafe impls"
)]

use std::cell::Cell;
use std::ops::Range;

use starlark::values::ProvidesStaticType;
use starlark_syntax::codemap::CodeMap;
use starlark_syntax::lexer::{Lexer, Token};

use crate::codes::Code;
use crate::dialect::DIALECT;
use crate::report::Report;
use aurora_template::object::{Kind, Object};
use aurora_template::types::TypeMismatch;

/// The stack of an evaluation, of which only what is used takes memory. Parser, interpreter and
/// templates go as deep as what they work on; this is enough for whatever the other limits let pass.
const STACK: usize = 256 << 20;
/// How deep brackets may stand in brackets.
const MAX_BRACKETS: usize = 200;
/// How deep blocks may stand in blocks.
const MAX_BLOCKS: usize = 100;
/// How many words and signs one expression may have, those within its commas aside.
const MAX_EXPRESSION: usize = 4000;
/// How many `elif` a file may have: the interpreter takes each for a block within the last.
const MAX_ELIFS: usize = 1000;

/// How deep objects may hold objects: what is bound to an object counts, too.
const MAX_DEPTH: usize = 100;
/// How often one object may be bound to something.
const MAX_SCOPES: usize = 1000;
/// How many values the objects of one evaluation may be made of.
const MAX_PARTS: usize = 2_000_000;
/// How many bytes of text the objects of one evaluation may hold.
const MAX_TEXT: usize = 512 << 20;

/// Runs something on a thread with a large stack.
pub(crate) fn on_large_stack<T: Send>(
    run: impl FnOnce() -> Result<T, Report> + Send,
) -> Result<T, Report> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("evaluate".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, run)
            .map_err(|error| {
                Report::new(
                    Code::EvaluationError,
                    format!("cannot start a thread to evaluate: {error}"),
                )
            })?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What nests too deeply in a text to be parsed, and where.
pub(crate) fn too_deep(file: &str, text: &str) -> Option<(String, Range<usize>)> {
    let lexer = Lexer::new(text, &DIALECT, CodeMap::new(file.to_owned(), text.to_owned()));
    // The words of the expression so far, for each open bracket and around them.
    let mut words = vec![0];
    let mut all_words = 0;
    let (mut blocks, mut elifs) = (0_usize, 0);
    for lexeme in lexer {
        // What is no token the parser reports.
        let Ok((start, token, end)) = lexeme else { break };
        let mut counted = true;
        match token {
            Token::Comment(_) => continue,
            Token::OpeningRound | Token::OpeningSquare | Token::OpeningCurly => words.push(0),
            Token::ClosingRound | Token::ClosingSquare | Token::ClosingCurly if words.len() > 1 => {
                all_words -= words.pop().unwrap_or_default();
            }
            Token::Comma | Token::Newline | Token::Semicolon => {
                if let Some(last) = words.last_mut() {
                    all_words -= std::mem::take(last);
                }
                counted = false;
            }
            Token::Indent => blocks += 1,
            Token::Dedent => blocks = blocks.saturating_sub(1),
            Token::Elif => elifs += 1,
            _ => {}
        }
        if counted && let Some(last) = words.last_mut() {
            *last += 1;
            all_words += 1;
        }
        let message = if words.len() > MAX_BRACKETS {
            format!("brackets stand more than {MAX_BRACKETS} deep in brackets")
        } else if all_words > MAX_EXPRESSION {
            format!("the expression has more than {MAX_EXPRESSION} parts")
        } else if blocks > MAX_BLOCKS {
            format!("blocks stand more than {MAX_BLOCKS} deep in blocks")
        } else if elifs > MAX_ELIFS {
            format!("the file has more than {MAX_ELIFS} times `elif`")
        } else {
            continue;
        };
        return Some((message, start..end));
    }
    None
}

/// What the objects of one evaluation have used up.
#[derive(Debug, Default, ProvidesStaticType)]
pub(crate) struct Budget {
    parts: Cell<usize>,
    text: Cell<usize>,
}

impl Budget {
    /// Accounts for values that were made.
    pub(crate) fn take(&self, parts: usize, text: usize) -> Result<(), TypeMismatch> {
        self.parts.set(self.parts.get().saturating_add(parts));
        self.text.set(self.text.get().saturating_add(text));
        if self.parts.get() > MAX_PARTS {
            return Err(TypeMismatch::new(format!(
                "the values of this file are made of more than {MAX_PARTS} parts"
            )));
        }
        if self.text.get() > MAX_TEXT {
            return Err(TypeMismatch::new(format!(
                "the texts of this file have more than {} MB",
                MAX_TEXT >> 20
            )));
        }
        Ok(())
    }

    /// Accounts for an object that was made, whose plain values are accounted for.
    pub(crate) fn take_object(&self, object: &Object) -> Result<(), TypeMismatch> {
        if object.depth() > MAX_DEPTH {
            return Err(TypeMismatch::new(format!(
                "objects are held by objects more than {MAX_DEPTH} deep"
            )));
        }
        if object.scopes().len() > MAX_SCOPES {
            return Err(TypeMismatch::new(format!(
                "an object is bound more than {MAX_SCOPES} times"
            )));
        }
        let size = object.size();
        if size.parts > MAX_PARTS || size.text > MAX_TEXT {
            return Err(TypeMismatch::new(format!(
                "an object is made of more than {MAX_PARTS} parts or {} MB of text",
                MAX_TEXT >> 20
            )));
        }
        let fields = match object.kind() {
            Kind::Struct(fields) => fields.len(),
            _ => 0,
        };
        self.take(1 + fields + object.scopes().len(), 0)
    }
}
