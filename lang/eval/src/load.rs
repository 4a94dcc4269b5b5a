//! Reads files and runs them: one namespace, into which `include` brings others (`dsl.md` 7).

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use starlark::environment::Module;
use starlark::eval::Evaluator;
use starlark::syntax::{AstModule, Dialect};
use starlark_syntax::syntax::ast::{ArgumentP, AstLiteral, AstStmt, ExprP, StmtP};

use crate::context::{Cancel, Context, Inputs};
use crate::globals::GLOBALS;
use crate::limits::too_deep;
use crate::report::Report;

/// The largest file that is read, in bytes.
pub const MAX_FILE_LEN: u64 = 8 << 20;
/// How deep files may include files.
const MAX_INCLUDE_DEPTH: usize = 32;
/// How many files one evaluation may read.
const MAX_FILES: usize = 1000;
/// Calls and turns of loops after which an evaluation is stopped.
const MAX_TICKS: u64 = 20_000_000;
/// Bytes of the interpreter's heap after which an evaluation is stopped.
const MAX_HEAP: usize = 512 << 20;
/// How deep functions may call functions.
const MAX_CALLS: usize = 200;

/// The language: Starlark with statements at the top of a file. No text with `f"{…}"`, which would
/// read the braces of a reference as its own.
pub(crate) const DIALECT: Dialect = Dialect {
    enable_load: false,
    enable_keyword_only_arguments: true,
    enable_top_level_stmt: true,
    ..Dialect::Standard
};

/// Where files come from. An editor gives the text on the screen, a command that on disk.
pub trait Loader: Sync {
    /// The text of a file.
    ///
    /// # Errors
    /// Why it cannot be read; the path is added by the caller.
    fn read(&self, path: &Path) -> std::io::Result<String>;

    /// The text of a file that another one includes. Its path is that of the folder of the other
    /// with the text of the include behind it, as it is.
    ///
    /// # Errors
    /// Why it cannot be read; the path is added by the caller.
    fn include(&self, path: &Path) -> std::io::Result<String> {
        self.read(path)
    }

    /// The bytes of a file that a function of the language asks for, to be read once.
    ///
    /// # Errors
    /// Why it cannot be read; the path is added by the caller.
    fn open(&self, path: &Path) -> std::io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(std::io::Cursor::new(self.include(path)?.into_bytes())))
    }

    /// The same for every path that leads to the same file, so that a file that includes itself
    /// can be told.
    fn identity(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

/// Reads files from disk, at most [`MAX_FILE_LEN`] bytes each.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Loader for Disk {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        let file = std::fs::File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(std::io::Error::new(std::io::ErrorKind::IsADirectory, "it is a directory"));
        }
        let mut text = String::new();
        file.take(MAX_FILE_LEN + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE_LEN {
            return Err(std::io::Error::new(
                std::io::ErrorKind::FileTooLarge,
                format!("it is larger than {} MB", MAX_FILE_LEN >> 20),
            ));
        }
        Ok(text)
    }

    /// Pipes and devices, which a person may name on the command line, are not followed: reading
    /// them may wait for ever, or do something.
    fn include(&self, path: &Path) -> std::io::Result<String> {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "it is not a regular file",
            ));
        }
        self.read(path)
    }

    fn open(&self, path: &Path) -> std::io::Result<Box<dyn Read + '_>> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "it is not a regular file",
            ));
        }
        Ok(Box::new(std::fs::File::open(path)?))
    }

    fn identity(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_owned())
    }
}

/// The texts that were read, for reports to show.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sources(BTreeMap<Arc<str>, Arc<str>>);

impl Sources {
    pub(crate) fn text(&self, file: &str) -> Option<Arc<str>> {
        self.0.get(file).cloned()
    }
}

/// Runs files into one module.
pub(crate) struct Runner<'a> {
    pub(crate) loader: &'a dyn Loader,
    pub(crate) sources: Sources,
    pub(crate) context: Context<'a>,
    /// The identities of the files that are being run, outermost first.
    open: Vec<PathBuf>,
    read: usize,
    /// Of [`MAX_TICKS`], what is left for the files to come.
    ticks: u64,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(loader: &'a dyn Loader) -> Self {
        Self {
            loader,
            sources: Sources::default(),
            context: Context::new(loader, Inputs::default(), Cancel::default()),
            open: Vec::new(),
            read: 0,
            ticks: MAX_TICKS,
        }
    }

    /// Runs a file and, where they stand, those it includes.
    pub(crate) fn run(&mut self, module: &Module<'_>, path: &Path) -> Result<(), Report> {
        let text = self.loader.read(path);
        self.run_text(module, path, text)
    }

    fn run_text(
        &mut self,
        module: &Module<'_>,
        path: &Path,
        text: std::io::Result<String>,
    ) -> Result<(), Report> {
        let text = self.note(path, text)?;
        let file = path.display().to_string();
        let ast = self.parse(&file, &text)?;
        let includes = includes(ast.statement());
        if includes.is_empty() {
            return self.evaluate(module, &file, ast);
        }
        self.open.push(self.loader.identity(path));
        // What an included file defines must be known before the text after it is compiled: the
        // text is run in parts, each with the others blanked out, so that places stay what they are.
        let mut from = 0;
        for Include { span, target } in includes {
            self.evaluate_part(module, &file, &text, from..span.start)?;
            let inner = path.parent().unwrap_or(Path::new("")).join(&target);
            self.check_include(&inner, &file, &span)?;
            let text = self.loader.include(&inner);
            self.run_text(module, &inner, text).map_err(|report| {
                if report.is_unreadable() {
                    report.at(&self.sources, &file, span.clone(), "included here")
                } else {
                    report
                }
            })?;
            from = span.end;
        }
        self.evaluate_part(module, &file, &text, from..text.len())?;
        self.open.pop();
        Ok(())
    }

    fn note(&mut self, path: &Path, text: std::io::Result<String>) -> Result<Arc<str>, Report> {
        let file = path.display().to_string();
        let text = text.map_err(|error| Report::unreadable(&file, &error))?;
        let text: Arc<str> = text.strip_prefix('\u{feff}').unwrap_or(&text).into();
        self.sources.0.insert(file.into(), text.clone());
        self.read += 1;
        Ok(text)
    }

    fn check_include(&self, inner: &Path, file: &str, span: &Range<usize>) -> Result<(), Report> {
        let identity = self.loader.identity(inner);
        let message = if self.open.contains(&identity) {
            format!("{} includes itself", inner.display())
        } else if self.open.len() >= MAX_INCLUDE_DEPTH {
            format!("files include files more than {MAX_INCLUDE_DEPTH} deep")
        } else if self.read >= MAX_FILES {
            format!("more than {MAX_FILES} files are included")
        } else {
            return Ok(());
        };
        Err(Report::new(message).at(&self.sources, file, span.clone(), "included here"))
    }

    fn parse(&self, file: &str, text: &str) -> Result<AstModule, Report> {
        if let Some((message, span)) = too_deep(file, text) {
            return Err(Report::new(message).at(&self.sources, file, span, "here"));
        }
        AstModule::parse(file, text.to_owned(), &DIALECT)
            .map_err(|error| Report::of_interpreter(&error, &self.sources, file))
    }

    fn evaluate_part(
        &mut self,
        module: &Module<'_>,
        file: &str,
        text: &str,
        part: Range<usize>,
    ) -> Result<(), Report> {
        let blank = |outside: &str| -> String {
            // One blank for each byte, so that offsets are kept.
            outside.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect()
        };
        // A part may begin in the middle of a line, after the `)` of an include: blanks there
        // would be an indentation.
        let start = part.start;
        let rest = text.get(start..part.end).unwrap_or_default();
        let skipped = rest.len() - rest.trim_start_matches([' ', '\t', ';']).len();
        let (before, inside) = (start + skipped, &rest[skipped..]);
        if inside.trim().is_empty() {
            return Ok(());
        }
        let mut padded = blank(&text[..before]);
        if !inside.starts_with(['\n', '#']) && before > 0 && !padded.ends_with('\n') {
            return Err(Report::new("include() must stand on a line of its own").at(
                &self.sources,
                file,
                before..before + inside.lines().next().unwrap_or_default().len(),
                "this follows an include()",
            ));
        }
        padded.push_str(inside);
        let ast = self.parse(file, &padded)?;
        self.evaluate(module, file, ast)
    }

    fn evaluate(&mut self, module: &Module<'_>, file: &str, ast: AstModule) -> Result<(), Report> {
        let mut evaluator = Evaluator::new(module);
        evaluator.extra = Some(&self.context);
        let cancel = self.context.cancel.clone();
        evaluator.set_check_cancelled(Box::new(move || cancel.is_cancelled()));
        evaluator
            .set_max_callstack_size(MAX_CALLS)
            .and_then(|()| evaluator.set_max_tick_count(self.ticks.max(1)))
            .and_then(|()| evaluator.set_max_heap_size(MAX_HEAP))
            .map_err(|error| {
                Report::new(format!("{file}: cannot limit the evaluation: {error}"))
            })?;
        let result = evaluator.eval_module(ast, &GLOBALS).map(|_| ());
        let ticks = evaluator.get_total_tick_count();
        drop(evaluator);
        let exhausted = ticks > self.ticks;
        self.ticks = self.ticks.saturating_sub(ticks);
        result.map_err(|error| {
            let report = Report::of_interpreter(&error, &self.sources, file);
            if exhausted {
                report.with_message(format!(
                    "the file takes more than {MAX_TICKS} calls and turns of loops"
                ))
            } else {
                report
            }
        })
    }
}

struct Include {
    span: Range<usize>,
    target: String,
}

/// The `include("…")` statements at the top of a file.
fn includes(statement: &AstStmt) -> Vec<Include> {
    let mut found = Vec::new();
    let statements: &[AstStmt] = match &statement.node {
        StmtP::Statements(statements) => statements,
        _ => std::slice::from_ref(statement),
    };
    for statement in statements {
        if let StmtP::Expression(expression) = &statement.node
            && let ExprP::Call(callee, arguments) = &expression.node
            && let ExprP::Identifier(name) = &callee.node
            && name.node.ident == "include"
            && let [argument] = arguments.args.as_slice()
            && let ArgumentP::Positional(value) = &argument.node
            && let ExprP::Literal(AstLiteral::String(target)) = &value.node
        {
            found.push(Include {
                span: expression.span.begin().get() as usize..expression.span.end().get() as usize,
                target: target.node.clone(),
            });
        }
    }
    found
}
