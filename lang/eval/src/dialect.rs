//! The text of a file as the interpreter takes it.

use aurora_syntax::SyntaxError;
use starlark::syntax::{AstModule, Dialect, DialectTypes};

use crate::codes::Code;
use crate::context::Context;
use crate::report::{MAX_REPORTS, Report};
use crate::sources::Sources;

/// The language: Starlark with statements at the top of a file. What else files write is rewritten
/// before the interpreter sees it, f-strings too.
pub(crate) const DIALECT: Dialect = Dialect {
    enable_keyword_only_arguments: true,
    enable_positional_only_arguments: true,
    enable_top_level_stmt: true,
    enable_types: DialectTypes::ParseOnly,
    ..Dialect::Standard
};

/// Parses a file whose text the context has, and notes there how places in what the interpreter is
/// given lead back to it. `is_known` tells the names that need not be looked up when they are used.
pub(crate) fn parse(
    context: &Context<'_>,
    file: &str,
    text: &str,
    is_known: &dyn Fn(&str) -> bool,
) -> Result<AstModule, Report> {
    let parsed = aurora_syntax::parse(text);
    if parsed.errors.is_empty() {
        let desugared = aurora_syntax::desugar(&parsed, text, is_known);
        drop(parsed);
        if desugared.errors.is_empty() {
            context.sources.borrow_mut().set_map(file, desugared.map);
            return AstModule::parse(file, desugared.text, &DIALECT)
                .map_err(|error| Report::of_interpreter(&error, &context.sources.borrow(), file));
        }
        return Err(refused(&desugared.errors, &context.sources.borrow(), file));
    }
    Err(refused(&parsed.errors, &context.sources.borrow(), file))
}

/// The reports of a text that is not of the language, as one. `name` is what they call the text.
pub fn syntax_report(name: &str, text: &str, errors: &[SyntaxError]) -> Report {
    let mut sources = Sources::default();
    sources.add(name, text.into());
    refused(errors, &sources, name)
}

/// The same of a text that is known.
fn refused(errors: &[SyntaxError], sources: &Sources, file: &str) -> Report {
    let reports = errors.iter().take(MAX_REPORTS).map(|error| {
        let mut report = Report::new(code(error.code), &error.message).at(
            sources,
            file,
            error.range.clone(),
            "here",
        );
        if let Some(help) = &error.help {
            report = report.with_help(help);
        }
        match &error.fix {
            Some(edits) => {
                let edits = edits.iter().map(|edit| (edit.range.clone(), edit.text.clone()));
                let title = error.help.as_deref().unwrap_or("repair it");
                report.with_fix(sources, file, title, edits.collect())
            }
            None => report,
        }
    });
    Report::all(reports.collect())
        .unwrap_or_else(|| Report::new(Code::SyntaxError, format!("{file} is no program")))
}

fn code(code: &str) -> Code {
    match code.strip_prefix("syntax/").unwrap_or(code) {
        "too-large" | "too-deep" | "too-long" => Code::LimitExceeded,
        "class-is-no-struct" => Code::UnsupportedSyntax,
        name if name.starts_with("no-") => Code::UnsupportedSyntax,
        _ => Code::SyntaxError,
    }
}
