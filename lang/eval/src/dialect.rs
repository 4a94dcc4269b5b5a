//! The text of a file as the interpreter takes it.

use starlark::syntax::{AstModule, Dialect, DialectTypes};

use std::ops::Range;

use crate::codes::Code;
use crate::context::Context;
use crate::limits::too_deep;
use crate::report::Report;

/// The language: Starlark with statements at the top of a file. What else files write is rewritten
/// before the interpreter sees it, f-strings too.
pub(crate) const DIALECT: Dialect = Dialect {
    enable_keyword_only_arguments: true,
    enable_positional_only_arguments: true,
    enable_top_level_stmt: true,
    enable_types: DialectTypes::ParseOnly,
    ..Dialect::Standard
};

#[derive(Debug)]
pub(crate) struct SpanMap;
impl SpanMap {
    pub(crate) fn original(&self, span: Range<usize>) -> Range<usize> {
        span
    }
}

/// Parses a file that the context knows; `is_known` tells the names that need not be looked up
/// when they are used.
pub(crate) fn parse(
    context: &Context<'_>,
    file: &str,
    text: &str,
    _is_known: &dyn Fn(&str) -> bool,
) -> Result<AstModule, Report> {
    if let Some((message, span)) = too_deep(file, text) {
        return Err(Report::new(Code::LimitExceeded, message).at(
            &context.sources.borrow(),
            file,
            span,
            "here",
        ));
    }
    context.sources.borrow_mut().set_map(file, SpanMap);
    AstModule::parse(file, text.to_owned(), &DIALECT)
        .map_err(|error| Report::of_interpreter(&error, &context.sources.borrow(), file))
}
