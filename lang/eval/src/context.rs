//! What an evaluation may see of the outside and what it has seen (`dsl.md` 10): the inputs are
//! declared, and each that is read is recorded.

#![expect(
    unsafe_code,
    reason = "the derives of the interpreter's value traits expand to unsafe impls"
)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use starlark::eval::Evaluator;
use starlark::values::ProvidesStaticType;

use crate::codes::Code;
use crate::engine::{Engine, Loaded, Opened};
use crate::limits::Budget;
use crate::load::Loader;
use crate::python::digest::sha256;
use crate::report::interpreter::Refusal;
use crate::report::{MAX_REPORTS, Report};
use crate::run::OpenFile;
use crate::sources::Sources;
use aurora_template::object::Object;
use aurora_template::types::TypeMismatch;

/// How many lines an evaluation may print.
const MAX_PRINTED: usize = 10_000;
/// How many bytes they may have together.
const MAX_PRINTED_LEN: usize = 1 << 20;
/// The names under which the system tells who the user is. They are the declared input `user`.
const USER_NAMES: [&str; 2] = ["USER", "LOGNAME"];

/// The outside of an evaluation, as far as it is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Who evaluates the file.
    pub user: String,
    /// The environment variables that a file may read; [`None`] is one that is not set.
    pub env: BTreeMap<String, Option<String>>,
    /// The folder outside of which no file is read by functions of the language. If it is empty, it
    /// is the folder of the file that asks.
    pub root: PathBuf,
}

/// What an evaluation has read of its [`Inputs`].
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Reads {
    /// Whether it has asked for the user.
    pub user: bool,
    /// The environment variables that it has read, and whether they were set.
    pub env: BTreeMap<String, bool>,
    /// The files that functions of the language have read, with the SHA-256 of their contents;
    /// [`None`] is a file that was found to be missing.
    pub files: BTreeMap<String, Option<String>>,
    /// The files that were included and loaded, with the SHA-256 of their texts.
    pub included: BTreeMap<String, String>,
}

/// Ends an evaluation from another thread.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ends the evaluation, soon.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the evaluation is to end.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Declared inputs, and the record of what is read of them.
#[derive(Debug, Clone)]
pub(crate) struct Outside(Arc<(Inputs, Mutex<Reads>)>);

impl Outside {
    fn new(inputs: Inputs) -> Self {
        Self(Arc::new((inputs, Mutex::default())))
    }

    fn lock(&self) -> MutexGuard<'_, Reads> {
        self.0.1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who evaluates the file.
    pub(crate) fn user(&self) -> &str {
        self.lock().user = true;
        &self.0.0.user
    }

    /// An environment variable, if it is set.
    pub(crate) fn env(&self, name: &str) -> Result<Option<&str>, Refusal> {
        if let Some(value) = self.0.0.env.get(name) {
            self.lock().env.insert(name.to_owned(), value.is_some());
            return Ok(value.as_deref());
        }
        if USER_NAMES.contains(&name) {
            return Ok(Some(self.user()).filter(|user| !user.is_empty()));
        }
        let name = aurora_template::beginning(name);
        let message =
            format!("the environment variable {name} is not a declared input of this file");
        Err(Refusal::new(Code::UndeclaredInput, message).with_help(format!(
            "allow it with --env {name}, or in the `env` list of the project's aurora.toml; or write \
             {{{{{name}}}}} and pass it with --bind {name}=…"
        )))
    }

    /// Notes that a file was read, or that it is missing.
    pub(crate) fn note_file(&self, path: &Path, sha256: Option<String>) {
        self.lock().files.insert(path.display().to_string(), sha256);
    }

    /// Notes what a part that is not evaluated again has read.
    pub(crate) fn note(&self, reads: &Reads) {
        let mut all = self.lock();
        all.user |= reads.user;
        all.env.extend(reads.env.clone());
        all.files.extend(reads.files.clone());
    }
}

/// The state of an evaluation that the functions of the language work with.
#[derive(ProvidesStaticType)]
pub(crate) struct Context<'a> {
    pub(crate) loader: &'a dyn Loader,
    pub(crate) budget: Budget,
    pub(crate) inputs: Inputs,
    pub(crate) cancel: Cancel,
    /// What keeps the modules that were loaded.
    pub(crate) engine: &'a Engine,
    /// The texts that were read.
    pub(crate) sources: RefCell<Sources>,
    /// The files that are being run, outermost first.
    pub(crate) open: RefCell<Vec<OpenFile>>,
    /// The files that were read besides the main one, in order.
    pub(crate) opened: RefCell<Vec<Opened>>,
    /// The modules that were loaded, by the identity of their files.
    pub(crate) modules: RefCell<BTreeMap<PathBuf, Arc<Loaded>>>,
    /// The same inputs for values that read them by themselves.
    pub(crate) outside: Outside,
    /// What is wrong with the file that is being run and does not keep it from going on.
    pub(crate) faults: RefCell<Vec<Report>>,
    /// The tasks that were exported, in order.
    pub(crate) exported: RefCell<Vec<Object>>,
    printed: RefCell<Vec<String>>,
    printed_len: Cell<usize>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        loader: &'a dyn Loader,
        inputs: Inputs,
        cancel: Cancel,
    ) -> Self {
        Self {
            engine,
            sources: RefCell::default(),
            open: RefCell::default(),
            opened: RefCell::default(),
            modules: RefCell::default(),
            loader,
            budget: Budget::default(),
            outside: Outside::new(inputs.clone()),
            inputs,
            cancel,
            faults: RefCell::default(),
            exported: RefCell::default(),
            printed: RefCell::default(),
            printed_len: Cell::new(0),
        }
    }

    /// What was read so far.
    pub(crate) fn reads(&self) -> Reads {
        self.outside.lock().clone()
    }

    /// The files that were included and loaded so far, by their paths in the project.
    pub(crate) fn included(&self) -> BTreeMap<String, String> {
        let named = |(identity, path, text): &Opened| {
            let root = Some(&self.inputs.root).filter(|root| !root.as_os_str().is_empty());
            let shown = root.and_then(|root| identity.strip_prefix(root).ok()).unwrap_or(path);
            (shown.display().to_string(), sha256(text.as_bytes()))
        };
        self.opened.borrow().iter().map(named).collect()
    }

    /// Keeps what is wrong and does not keep the file from going on. What comes up in every turn of
    /// a loop is kept once.
    pub(crate) fn note_fault(&self, error: &starlark::Error) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() >= MAX_REPORTS {
            return;
        }
        let report = Report::of_interpreter(error, &self.sources.borrow(), "");
        let is_known =
            |known: &Report| (known.place(), known.message()) == (report.place(), report.message());
        if !faults.iter().any(is_known) {
            faults.push(report);
        }
    }

    /// What was printed so far, line by line.
    pub(crate) fn printed(&self) -> Vec<String> {
        self.printed.borrow().clone()
    }

    /// Keeps a line that the file prints.
    pub(crate) fn print(&self, line: &str) -> Result<(), Refusal> {
        let len = self.printed_len.get() + line.len();
        if len > MAX_PRINTED_LEN || self.printed.borrow().len() >= MAX_PRINTED {
            return Err(Refusal::new(
                Code::LimitExceeded,
                format!(
                    "the file prints more than {MAX_PRINTED} lines or {} MB",
                    MAX_PRINTED_LEN >> 20
                ),
            ));
        }
        self.printed_len.set(len);
        self.printed.borrow_mut().push(line.to_owned());
        Ok(())
    }
}

/// The state of the evaluation that calls.
pub(crate) fn context<'a, 'x>(
    eval: &Evaluator<'_, 'a, 'x>,
) -> Result<&'a Context<'x>, TypeMismatch> {
    eval.extra
        .and_then(|extra| extra.downcast_ref::<Context<'x>>())
        .ok_or_else(|| TypeMismatch::new("the evaluation has no limits"))
}
