//! Evaluates files, and keeps what it has evaluated: a file whose texts and inputs are what they
//! were is not run again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use starlark::environment::{FrozenModule, Module};

use crate::context::{Cancel, Context, Inputs, Reads};
use crate::job::{Binding, Config, exported, jobs};
use crate::limits::on_large_stack;
use crate::load::Loader;
use crate::report::Report;
use crate::run::{OpenFile, run_in};
use crate::sources::Sources;

/// How many results, and how many loaded modules, an engine keeps.
const MAX_KEPT: usize = 256;

/// What an evaluation is given beside its files.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What is bound on every job, from outside.
    pub bindings: Vec<Binding>,
    /// What the file may ask for.
    pub inputs: Inputs,
    /// Ends the evaluation.
    pub cancel: Cancel,
    /// Whether tasks are asked for: those that the file exports, each as the task of a job that has
    /// nothing else of its own; or, if it exports none, those of its jobs.
    pub tasks: bool,
}

/// Evaluates files. One that lives long, as that of an editor, does not evaluate anew what has not
/// changed.
#[derive(Debug, Default)]
pub struct Engine {
    loaded: Mutex<BTreeMap<PathBuf, Arc<Loaded>>>,
    kept: Mutex<BTreeMap<PathBuf, Arc<Kept>>>,
}

/// A file as it was read: what is the same for every path to it, the path, the text.
pub(crate) type Opened = (PathBuf, PathBuf, Arc<str>);

/// A module that was loaded.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The file as reports name it.
    pub(crate) name: Arc<str>,
    /// Its own text and those of what it loads in turn.
    pub(crate) files: Vec<Opened>,
    pub(crate) module: FrozenModule,
    pub(crate) sources: Sources,
    pub(crate) inputs: Inputs,
    pub(crate) reads: Reads,
}

/// What a file came to.
#[derive(Debug)]
struct Kept {
    text: Arc<str>,
    files: Vec<Opened>,
    bindings: Vec<Binding>,
    inputs: Inputs,
    tasks: bool,
    config: Arc<Config>,
}

/// Evaluates a file and binds its jobs.
///
/// # Errors
/// The file, or one it includes or loads, cannot be read, is no program, fails, or defines no jobs.
pub fn evaluate(
    path: &Path,
    loader: &dyn Loader,
    options: &Options,
) -> Result<Arc<Config>, Report> {
    Engine::default().evaluate(path, loader, options)
}

/// The same for a text that is no file, such as one that comes through a pipe; `name` is what
/// reports call it. It cannot include or load files beside it.
///
/// # Errors
/// See [`evaluate`].
pub fn evaluate_text(
    name: &str,
    text: &str,
    loader: &dyn Loader,
    options: &Options,
) -> Result<Arc<Config>, Report> {
    let engine = Engine::default();
    on_large_stack(|| {
        let context = Context::new(&engine, loader, options.inputs.clone(), options.cancel.clone());
        run(&context, OpenFile::stream(name), name, text, options)
    })
}

impl Engine {
    /// Evaluates a file and binds its jobs, or gives what it came to before if nothing has changed.
    ///
    /// # Errors
    /// See [`evaluate`].
    pub fn evaluate(
        &self,
        path: &Path,
        loader: &dyn Loader,
        options: &Options,
    ) -> Result<Arc<Config>, Report> {
        let name = path.display().to_string();
        let text = loader.read(path).map_err(|error| Report::unreadable(&name, &error))?;
        if let Some(config) = self.unchanged(path, &text, loader, options) {
            return Ok(config);
        }
        on_large_stack(|| {
            let context =
                Context::new(self, loader, options.inputs.clone(), options.cancel.clone());
            let main = OpenFile::main(&context, path);
            let config = run(&context, main, &name, &text, options)?;
            // What a function has read of a file is not compared.
            if config.reads().files.is_empty() {
                self.keep(path, text, &context, options, config.clone());
            }
            Ok(config)
        })
    }

    fn unchanged(
        &self,
        path: &Path,
        text: &str,
        loader: &dyn Loader,
        options: &Options,
    ) -> Option<Arc<Config>> {
        let kept = lock(&self.kept).get(path)?.clone();
        let same = *kept.text == *text
            && kept.bindings == options.bindings
            && kept.inputs == options.inputs
            && kept.tasks == options.tasks
            && kept.files.iter().all(|file| is_unchanged(file, loader));
        same.then(|| kept.config.clone())
    }

    fn keep(
        &self,
        path: &Path,
        text: String,
        context: &Context<'_>,
        options: &Options,
        config: Arc<Config>,
    ) {
        let mut files = context.opened.borrow().clone();
        files.sort_by(|a, b| a.0.cmp(&b.0));
        files.dedup_by(|a, b| a.0 == b.0);
        let kept = Kept {
            text: text.into(),
            files,
            bindings: options.bindings.clone(),
            inputs: options.inputs.clone(),
            tasks: options.tasks,
            config,
        };
        insert(&self.kept, path.to_owned(), Arc::new(kept));
    }

    /// The module of a file, if it and what it loads have not changed since.
    pub(crate) fn loaded(&self, identity: &Path, context: &Context<'_>) -> Option<Arc<Loaded>> {
        let loaded = lock(&self.loaded).get(identity)?.clone();
        let same = loaded.inputs == context.inputs
            && loaded.reads.files.is_empty()
            && loaded.files.iter().all(|file| is_unchanged(file, context.loader));
        same.then_some(loaded)
    }

    pub(crate) fn keep_loaded(&self, identity: PathBuf, loaded: Arc<Loaded>) {
        insert(&self.loaded, identity, loaded);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn insert<T>(kept: &Mutex<BTreeMap<PathBuf, T>>, key: PathBuf, value: T) {
    let mut kept = lock(kept);
    if kept.len() >= MAX_KEPT && !kept.contains_key(&key) {
        kept.pop_first();
    }
    kept.insert(key, value);
}

fn is_unchanged((_, path, text): &Opened, loader: &dyn Loader) -> bool {
    loader.include(path).is_ok_and(|now| now == **text)
}

fn run(
    context: &Context<'_>,
    main: OpenFile,
    name: &str,
    text: &str,
    options: &Options,
) -> Result<Arc<Config>, Report> {
    let items = Module::with_temp_heap(|module| {
        run_in(context, &module, main, text)?;
        if options.tasks && !context.exported.borrow().is_empty() {
            return exported(context);
        }
        jobs(&module, name, context)
    });
    let reads = Reads { included: context.included(), ..context.reads() };
    let items = match items {
        Ok(items) => items,
        Err(report) => return Err(report.with_reads(reads)),
    };
    let sources = Arc::new(context.sources.borrow().clone());
    let seen = (reads.clone(), context.printed());
    Config::new(items, name, &sources, &options.bindings, seen)
        .map(Arc::new)
        .map_err(|report| report.with_reads(reads))
}
