//! Runs files: one namespace into which `include` brings others, and modules that `load` takes
//! names from (`dsl.md` 7).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use starlark::environment::{FrozenModule, Module};
use starlark::eval::{Evaluator, FileLoader};

use crate::codes::Code;
use crate::context::Context;
use crate::dialect;
use crate::engine::Loaded;
use crate::globals::{GLOBALS, is_global};
use crate::report::Report;
use crate::stdlib;

/// How deep files may include or load files.
const MAX_FILE_DEPTH: usize = 32;
/// How many files one evaluation may read.
const MAX_FILES: usize = 1000;
/// Calls and turns of loops after which an evaluation is stopped.
pub(crate) const MAX_TICKS: u64 = 20_000_000;
/// Bytes of the interpreter's heap after which an evaluation is stopped.
pub(crate) const MAX_HEAP: usize = 512 << 20;
/// How far the interpreter's own limit lies behind: it minds it only now and then, and does not say
/// where. That of memory is twice this one, which a collection may come to at once.
const SLACK_TICKS: u64 = 10_000;
/// How deep functions may call functions.
const MAX_CALLS: usize = 200;

/// A file that is being run.
#[derive(Debug)]
pub(crate) struct OpenFile {
    /// Where it is; [`None`] for a stream and for a module of the library.
    pub(crate) path: Option<PathBuf>,
    /// The same for every path that leads to it.
    identity: PathBuf,
    /// As reports name it.
    name: Arc<str>,
    /// Whether `load` brought it.
    pub(crate) is_loaded: bool,
}

impl OpenFile {
    /// The main file.
    pub(crate) fn main(context: &Context<'_>, path: &Path) -> Self {
        Self {
            path: Some(path.to_owned()),
            identity: context.loader.identity(path),
            name: path.display().to_string().into(),
            is_loaded: false,
        }
    }

    /// A main file that has no place, such as a stream.
    pub(crate) fn stream(name: &str) -> Self {
        Self { path: None, identity: PathBuf::from(name), name: name.into(), is_loaded: false }
    }
}

/// Runs a file, and everything it includes and loads, into a module of its own.
pub(crate) fn run_in(
    context: &Context<'_>,
    module: &Module<'_>,
    file: OpenFile,
    text: &str,
) -> Result<(), Report> {
    let modules = Modules(context);
    let mut evaluator = Evaluator::new(module);
    evaluator.extra = Some(context);
    evaluator.set_loader(&modules);
    // The collector goes from value to value by calling itself, as deep as lists stand in lists,
    // which is deeper than any stack; and values of the calls around an include() are not known
    // to it. The limit of memory counts what it might have freed.
    evaluator.disable_gc();
    let cancel = context.cancel.clone();
    evaluator.set_check_cancelled(Box::new(move || cancel.is_cancelled()));
    evaluator
        .set_max_callstack_size(MAX_CALLS)
        .and_then(|()| evaluator.set_max_tick_count(MAX_TICKS + SLACK_TICKS))
        .and_then(|()| evaluator.set_max_heap_size(2 * MAX_HEAP))
        .map_err(|error| {
            Report::new(
                Code::EvaluationError,
                format!("{}: cannot limit the evaluation: {error}", file.name),
            )
        })?;
    run_open(context, &mut evaluator, file, text)
}

/// Runs a file into the module of an evaluator.
fn run_open(
    context: &Context<'_>,
    evaluator: &mut Evaluator<'_, '_, '_>,
    file: OpenFile,
    text: &str,
) -> Result<(), Report> {
    let name = file.name.clone();
    let text: Arc<str> = text.into();
    context.sources.borrow_mut().add(&name, text.clone());
    // What a file that is included, now or later, defines is only known once it has run.
    let known = |wanted: &str| is_global(wanted);
    let ast = dialect::parse(context, &name, &text, &known)?;
    context.open.borrow_mut().push(file);
    let outer = context.faults.take();
    let result = evaluator.eval_module(ast, &GLOBALS);
    let faults = context.faults.replace(outer);
    context.open.borrow_mut().pop();
    let end = result.map(|_| ()).map_err(|error| {
        if let Some(Carried { report, is_loaded }) = carried(&error) {
            let Some(span) = error.span().filter(|_| is_loaded) else { return report };
            let place = span.span.begin().get() as usize..span.span.end().get() as usize;
            let sources = context.sources.borrow();
            let (file, place) = sources.place(span.filename(), place);
            return report.brought_in(&sources, &file, place, "loaded here");
        }
        Report::of_interpreter(&error, &context.sources.borrow(), &name)
    });
    together(faults, end)
}

/// What is wrong with a file that could go on, and what it ended with.
fn together(mut faults: Vec<Report>, end: Result<(), Report>) -> Result<(), Report> {
    if let Err(report) = end {
        match report.code() {
            // Nobody waits for what was found before.
            Code::Cancelled => return Err(report),
            // These may come of a field that is not there because its value was wrong.
            Code::EvaluationError
            | Code::FailedByFile
            | Code::UnknownAttribute
            | Code::WrongType
                if !faults.is_empty() => {}
            _ => faults.push(report),
        }
    }
    Report::all(faults).map_or(Ok(()), Err)
}

/// `include(path)`: runs another file into the same module, as if it stood here.
pub(crate) fn include(evaluator: &mut Evaluator<'_, '_, '_>, target: &str) -> starlark::Result<()> {
    let context = crate::context::context(evaluator).map_err(crate::values::failure)?;
    included(context, evaluator, target).map_err(|report| carry(report, false))
}

fn included(
    context: &Context<'_>,
    evaluator: &mut Evaluator<'_, '_, '_>,
    target: &str,
) -> Result<(), Report> {
    let at = crate::values::here(evaluator);
    let place = |report: Report| match &at {
        Some(at) => {
            report.at(&context.sources.borrow(), &at.file, at.span.clone(), "included here")
        }
        None => report,
    };
    if context.open.borrow().last().is_some_and(|file| file.is_loaded) {
        return Err(place(
            Report::new(Code::BadInclude, "a module that is loaded cannot include() files")
                .with_help("write load(\"file.aurora\", \"name\") to take names from another file"),
        ));
    }
    let path = context.sibling(target).map_err(place)?;
    let identity = context.loader.identity(&path);
    context
        .check_opening(&identity)
        .and_then(|()| context.check_root(&path, &identity))
        .map_err(place)?;
    let name = path.display().to_string();
    let text =
        context.read(&path, &identity).map_err(|error| place(Report::unreadable(&name, &error)))?;
    let file = OpenFile { path: Some(path), identity, name: name.into(), is_loaded: false };
    // What cannot even be read is pointed at here; what is wrong inside is reached through here.
    run_open(context, evaluator, file, &text).map_err(|report| match &at {
        Some(at) => {
            report.through(&context.sources.borrow(), &at.file, at.span.clone(), "included here")
        }
        None => report,
    })
}

/// Finds the modules that files load.
struct Modules<'a, 'x>(&'a Context<'x>);

impl FileLoader for Modules<'_, '_> {
    fn load(&self, target: &str) -> starlark::Result<FrozenModule> {
        self.module(target).map_err(|report| carry(report, true))
    }
}

impl Modules<'_, '_> {
    fn module(&self, target: &str) -> Result<FrozenModule, Report> {
        let context = self.0;
        let (file, text) = self.find(target)?;
        if let Some(loaded) = context.loaded(&file.identity) {
            return Ok(loaded.module.clone());
        }
        context.check_opening(&file.identity)?;
        let before = context.opened.borrow().len();
        let text = match text {
            Some(text) => text.into(),
            None => {
                let path = Path::new(&*file.name);
                context.check_root(path, &file.identity)?;
                context
                    .read(path, &file.identity)
                    .map_err(|error| Report::unreadable(&file.name, &error))?
            }
        };
        let (identity, name) = (file.identity.clone(), file.name.clone());
        let module = Module::with_temp_heap(|module| {
            run_in(context, &module, file, &text)?;
            module.freeze().map_err(|error| {
                Report::new(Code::EvaluationError, format!("{target}: cannot be loaded: {error:?}"))
            })
        })?;
        context.keep_loaded(identity, name, before, module.clone());
        Ok(module)
    }

    /// The file that a path means in the file that loads it, and its text if it is the library's.
    fn find(&self, target: &str) -> Result<(OpenFile, Option<&'static str>), Report> {
        if let Some(name) = target.strip_prefix(stdlib::PREFIX) {
            let Some(text) = stdlib::module(name) else {
                let near = aurora_template::types::nearest(name, stdlib::names());
                let help = match near {
                    Some(near) => format!("did you mean {}{near}?", stdlib::PREFIX),
                    None => format!(
                        "the library has {}",
                        stdlib::names().collect::<Vec<_>>().join(", ")
                    ),
                };
                return Err(Report::new(
                    Code::UnreadableFile,
                    format!("there is no module {target} in the library"),
                )
                .with_help(help));
            };
            let file = OpenFile {
                path: None,
                identity: PathBuf::from(target),
                name: target.into(),
                is_loaded: true,
            };
            return Ok((file, Some(text)));
        }
        let path = self.0.sibling(target)?;
        let identity = self.0.loader.identity(&path);
        let name = path.display().to_string().into();
        Ok((OpenFile { path: Some(path), identity, name, is_loaded: true }, None))
    }
}

impl Context<'_> {
    /// The path that `target` means in the file that is being run.
    fn sibling(&self, target: &str) -> Result<PathBuf, Report> {
        let open = self.open.borrow();
        let Some(folder) = open.last().and_then(|file| file.path.as_deref()) else {
            return Err(Report::new(
                Code::BadInclude,
                format!("{target} cannot be found from here"),
            )
            .with_help(
                "a text that is read from a stream has no place to look from: give the file's path",
            ));
        };
        Ok(folder.parent().unwrap_or(Path::new("")).join(target))
    }

    fn check_opening(&self, identity: &Path) -> Result<(), Report> {
        let open = self.open.borrow();
        if let Some(first) = open.iter().position(|file| file.identity == identity) {
            let mut round: Vec<&str> = open[first..].iter().map(|file| &*file.name).collect();
            let again = round[0];
            round.push(again);
            return Err(Report::new(
                Code::IncludeCycle,
                format!("files lead back to themselves: {}", round.join(" -> ")),
            ));
        }
        if open.len() >= MAX_FILE_DEPTH {
            return Err(Report::new(
                Code::LimitExceeded,
                format!("files include files more than {MAX_FILE_DEPTH} deep"),
            ));
        }
        if self.opened.borrow().len() >= MAX_FILES {
            return Err(Report::new(
                Code::LimitExceeded,
                format!("more than {MAX_FILES} files are read"),
            ));
        }
        Ok(())
    }

    /// Whether a file may be read: only those of the project.
    fn check_root(&self, path: &Path, identity: &Path) -> Result<(), Report> {
        let root = &self.inputs.root;
        if !root.as_os_str().is_empty() && !identity.starts_with(self.loader.identity(root)) {
            return Err(Report::new(
                Code::OutsideRoot,
                format!("{} is outside of {}", path.display(), root.display()),
            )
            .with_help(
                "a configuration reads files of its own project only: move the file there, or \
                     put an aurora.toml into a folder that holds both",
            ));
        }
        Ok(())
    }

    fn read(&self, path: &Path, identity: &Path) -> std::io::Result<Arc<str>> {
        let text: Arc<str> = self.loader.include(path)?.into();
        self.opened.borrow_mut().push((identity.to_owned(), path.to_owned(), text.clone()));
        Ok(text)
    }

    /// The module of a file, if this evaluation has it or an earlier one of the same engine has.
    fn loaded(&self, identity: &Path) -> Option<Arc<Loaded>> {
        let known = self.modules.borrow().get(identity).cloned();
        let loaded = known.or_else(|| self.engine.loaded(identity, self))?;
        self.sources.borrow_mut().extend(&loaded.sources);
        self.outside.note(&loaded.reads);
        // A module depends on what it loads, whoever loaded that first.
        self.opened.borrow_mut().extend(loaded.files.iter().cloned());
        self.modules.borrow_mut().insert(identity.to_owned(), loaded.clone());
        Some(loaded)
    }

    /// The module that was made of a file, by the name of the file.
    pub(crate) fn loaded_file(&self, name: &str) -> Option<Arc<Loaded>> {
        self.modules.borrow().values().find(|loaded| *loaded.name == *name).cloned()
    }

    fn keep_loaded(&self, identity: PathBuf, name: Arc<str>, before: usize, module: FrozenModule) {
        let files = self.opened.borrow().get(before..).unwrap_or_default().to_vec();
        let loaded = Arc::new(Loaded {
            name,
            files,
            module,
            sources: self.sources.borrow().clone(),
            inputs: self.inputs.clone(),
            reads: self.reads(),
        });
        self.engine.keep_loaded(identity.clone(), loaded.clone());
        self.modules.borrow_mut().insert(identity, loaded);
    }
}

/// A report on its way through the interpreter.
#[derive(Debug)]
struct Carried {
    report: Report,
    /// Whether the file at fault was loaded, and the interpreter knows where.
    is_loaded: bool,
}

/// The same as an error of the interpreter, which is shared.
#[derive(Debug, thiserror::Error)]
#[error("a file failed")]
struct Carrier(Mutex<Option<Carried>>);

fn carry(report: Report, is_loaded: bool) -> starlark::Error {
    starlark::Error::new_other(Carrier(Mutex::new(Some(Carried { report, is_loaded }))))
}

fn carried(error: &starlark::Error) -> Option<Carried> {
    let starlark::ErrorKind::Other(cause) = error.kind() else { return None };
    cause.downcast_ref::<Carrier>()?.0.lock().ok()?.take()
}
