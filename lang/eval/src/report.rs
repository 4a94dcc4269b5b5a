//! What is wrong with a file, as a diagnostic that points at it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use starlark::codemap::FileSpan;
use starlark::errors::Frame;
use starlark::syntax::AstModule;
use starlark_syntax::syntax::ast::{ArgumentP, AssignTargetP, AstExpr, AstStmt, ExprP, StmtP};

use crate::dialect::DIALECT;
use crate::sources::Sources;
use aurora_template::object::Origin;
use aurora_template::types::TypeMismatch;

/// How many calls that led to an error are shown.
const MAX_FRAMES: usize = 4;
/// How many characters of a message are shown: it may hold a value of the file.
const MAX_MESSAGE: usize = 1000;
/// How many things that are wrong with one job are shown.
pub(crate) const MAX_REPORTS: usize = 20;

/// What is wrong with a configuration: a message, where it stands, what to do about it.
#[derive(Debug)]
pub struct Report {
    message: String,
    source: Option<Box<NamedSource<Arc<str>>>>,
    labels: Vec<LabeledSpan>,
    help: Option<String>,
    related: Vec<Report>,
    unreadable: bool,
}

impl Report {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: shortened(message.into()),
            source: None,
            labels: Vec::new(),
            help: None,
            related: Vec::new(),
            unreadable: false,
        }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = shortened(message.into());
        self
    }

    pub(crate) fn at(
        mut self,
        sources: &Sources,
        file: &str,
        span: Range<usize>,
        label: &str,
    ) -> Self {
        if let Some(text) = sources.text(file) {
            self.source = Some(Box::new(NamedSource::new(file, text)));
            self.labels = vec![LabeledSpan::new_with_span(Some(label.to_owned()), span)];
        }
        self
    }

    /// Points at the argument `field` of the call that made an object, or at the call's name if
    /// the field was not given there.
    pub(crate) fn at_field(
        self,
        sources: &Sources,
        origin: Option<&Origin>,
        field: Option<&str>,
    ) -> Self {
        let Some(origin) = origin else { return self };
        let Some(text) = sources.text(&origin.file) else { return self };
        let span = argument(&text, &origin.span, field);
        self.at(sources, &origin.file, span, "here")
    }

    /// Points at what the file assigns to `name`, or at one element of the list that it is.
    pub(crate) fn at_assignment(
        self,
        sources: &Sources,
        file: &str,
        name: &str,
        element: Option<usize>,
    ) -> Self {
        let span = sources.text(file).and_then(|text| assigned(&text, name, element));
        match span {
            Some(span) => self.at(sources, file, span, "here"),
            None => self,
        }
    }

    /// Several reports as one: the first, with the others behind it.
    pub(crate) fn all(mut reports: Vec<Self>) -> Option<Self> {
        if reports.is_empty() {
            return None;
        }
        let mut first = reports.remove(0);
        first.related.append(&mut reports);
        Some(first)
    }

    /// A file that could not be read.
    pub(crate) fn unreadable(file: &str, error: &std::io::Error) -> Self {
        let mut report = Self::new(format!("cannot read {file}: {error}"));
        report.unreadable = true;
        report
    }

    pub(crate) fn is_unreadable(&self) -> bool {
        self.unreadable && self.labels.is_empty()
    }

    pub(crate) fn of_interpreter(error: &starlark::Error, sources: &Sources, file: &str) -> Self {
        use starlark::ErrorKind as Kind;
        let (Kind::Fail(cause)
        | Kind::StackOverflow(cause)
        | Kind::Value(cause)
        | Kind::Function(cause)
        | Kind::Scope(cause)
        | Kind::Parser(cause)
        | Kind::Internal(cause)
        | Kind::Native(cause)
        | Kind::Other(cause)) = error.kind()
        else {
            return Self::new(format!("{}", error.without_diagnostic()));
        };
        let mut report = Self::new(format!("{}", error.without_diagnostic()));
        let span = error.span();
        let is_parse_error = matches!(error.kind(), Kind::Parser(_));
        if let Some(mismatch) = cause.downcast_ref::<TypeMismatch>() {
            report.message = shortened(mismatch.message.clone());
            report.help.clone_from(&mismatch.help);
            if let Some(span) = span {
                let origin = origin(span, sources);
                report = report.at_field(sources, Some(&origin), mismatch.field.as_deref());
            }
        } else if let Some(span) = span {
            let Origin { file, span } = origin(span, sources);
            if report.help.is_none() {
                report.help =
                    sources.text(&file).and_then(|text| python_help(&text, &span, is_parse_error));
            }
            report = report.at(sources, &file, span, "here");
        } else {
            report.message = format!("{file}: {}", report.message);
        }
        let mut frames: Vec<&Frame> = error.call_stack().frames.iter().collect();
        // A call that failed itself is what the report points at already.
        if frames.last().is_some_and(|frame| frame.location.as_ref() == error.span()) {
            frames.pop();
        }
        for frame in frames.iter().rev().take(MAX_FRAMES) {
            if let Some(location) = &frame.location {
                let Origin { file, span } = origin(location, sources);
                report.related.push(
                    Self::new(format!("in `{}`, called here", frame.name))
                        .at(sources, &file, span, "here"),
                );
            }
        }
        report
    }
}

fn origin(span: &FileSpan, sources: &Sources) -> Origin {
    let range = span.span.begin().get() as usize..span.span.end().get() as usize;
    let (file, span) = sources.place(span.filename(), range);
    Origin { file, span }
}

/// The span of the argument `field` of the call at `call`; else that of the called name.
fn argument(text: &str, call: &Range<usize>, field: Option<&str>) -> Range<usize> {
    let name_only = || {
        let name = text.get(call.clone()).and_then(|source| source.find('(')).unwrap_or(0);
        if name == 0 { call.clone() } else { call.start..call.start + name }
    };
    let Some(field) = field else { return name_only() };
    let Ok(module) = AstModule::parse("", text.to_owned(), &DIALECT) else { return name_only() };
    let mut found = None;
    module.statement().visit_expr(|expression| find_argument(expression, call, field, &mut found));
    found.unwrap_or_else(name_only)
}

fn find_argument(
    expression: &AstExpr,
    call: &Range<usize>,
    field: &str,
    found: &mut Option<Range<usize>>,
) {
    let span = expression.span.begin().get() as usize..expression.span.end().get() as usize;
    if found.is_some() || span.end < call.start || span.start > call.end {
        return;
    }
    if span == *call
        && let ExprP::Call(_, arguments) = &expression.node
    {
        for argument in &arguments.args {
            if let ArgumentP::Named(name, _) = &argument.node
                && name.node == field
            {
                *found =
                    Some(argument.span.begin().get() as usize..argument.span.end().get() as usize);
            }
        }
        return;
    }
    expression.node.visit_expr(|inner| find_argument(inner, call, field, found));
}

/// Where the last top-level assignment to `name` has its value, or an element of it.
fn assigned(text: &str, name: &str, element: Option<usize>) -> Option<Range<usize>> {
    let module = AstModule::parse("", text.to_owned(), &DIALECT).ok()?;
    let statement = module.statement();
    let statements: &[AstStmt] = match &statement.node {
        StmtP::Statements(statements) => statements,
        _ => std::slice::from_ref(statement),
    };
    let value = statements.iter().rev().find_map(|statement| match &statement.node {
        StmtP::Assign(assign) => match &assign.lhs.node {
            AssignTargetP::Identifier(ident) if ident.node.ident == name => Some(&assign.rhs),
            _ => None,
        },
        _ => None,
    })?;
    let value = match (&value.node, element) {
        (ExprP::List(items), Some(index)) => items.get(index).unwrap_or(value),
        _ => value,
    };
    Some(value.span.begin().get() as usize..value.span.end().get() as usize)
}

fn shortened(message: String) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

/// What to write instead of Python that this language does not have.
fn python_help(text: &str, span: &Range<usize>, is_parse_error: bool) -> Option<String> {
    const NO_PRINT: &str =
        "nothing can be printed: to see what a job comes to, use `aurora job inspect`";
    if !is_parse_error {
        return (text.get(span.clone())? == "print").then(|| NO_PRINT.to_owned());
    }
    let line_start = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(line_start..)?.lines().next()?.trim_start();
    let word = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
    let help = match word {
        "import" | "from" => {
            "modules cannot be imported: pass what the file needs with --bind, or include() another file"
        }
        "class" => "classes cannot be declared: bind a dict, such as .bind(profile = {\"cpu\": 1})",
        "while" => "`while` is not in this language: use `for … in range(…)`",
        "try" | "raise" | "assert" => {
            "exceptions are not in this language: use fail(\"…\") to refuse a value"
        }
        "with" => "files cannot be opened: a configuration depends on nothing but its own files",
        "print" => NO_PRINT,
        _ if text.get(span.start..)?.starts_with(['f', 'F'])
            && text.get(span.clone())?.len() > 2 =>
        {
            "f\"…\" is not in this language: use {{…}} with .bind(), or \"%s\" % value"
        }
        _ => return None,
    };
    Some(help.to_owned())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

impl Diagnostic for Report {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_deref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = LabeledSpan>>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        (!self.related.is_empty()).then(|| {
            Box::new(self.related.iter().map(|report| report as &dyn Diagnostic))
                as Box<dyn Iterator<Item = &dyn Diagnostic>>
        })
    }
}
