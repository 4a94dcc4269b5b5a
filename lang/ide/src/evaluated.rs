//! What a file comes to when it is evaluated: what is wrong with it, and the values of its texts.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aurora_eval::{Config, Engine, Finding, Loader, Options, Severity, WrittenValue};
use aurora_syntax::Span;

use crate::source::{FileId, Source};
use crate::text::offset;
use crate::workspace::{Snapshot, normal};

/// What one file came to.
#[derive(Debug)]
pub struct Evaluated {
    /// Its jobs; [`None`] if it came to nothing.
    pub config: Option<Arc<Config>>,
    /// What is wrong or doubtful, in the file and those that it includes.
    pub findings: Vec<Finding>,
    /// The texts of the files that were read; [`None`] for one that could not be.
    texts: Texts,
    reads_data: bool,
    values: OnceLock<JobValues>,
}

/// The values of jobs, by the files that write them.
type JobValues = BTreeMap<FileId, Vec<JobValue>>;

type Texts = BTreeMap<FileId, Option<Arc<str>>>;

/// What a value that a file writes comes to in one job.
#[derive(Debug, Clone)]
pub struct JobValue {
    /// The job's key, `?` for what is not known of it.
    pub job: Arc<str>,
    /// What is written where, and what it comes to.
    pub value: WrittenValue,
}

/// Evaluates a file and checks its jobs. The texts are those of the editor where it holds a file, and
/// of the loader elsewhere.
///
/// A file that defines no jobs is well if others include it, or could.
pub fn evaluate(
    snapshot: &Snapshot,
    main: &FileId,
    engine: &Engine,
    loader: &dyn Loader,
    options: &Options,
) -> Evaluated {
    let overlay = Overlay::new(snapshot, loader);
    let (config, reports) = match engine.evaluate(main.path(), &overlay, options) {
        Ok(config) => {
            let reports = config.check(&options.inputs.user, None);
            (Some(config), reports)
        }
        Err(report) => (None, report.apart()),
    };
    let defines_jobs = snapshot.file(main).is_some_and(|source| source.defines_jobs());
    let findings = reports
        .iter()
        .flat_map(aurora_eval::Report::findings)
        .filter(|finding| defines_jobs || finding.code != aurora_eval::Code::NoJobs)
        .collect();
    let texts = overlay.texts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let reads_data = overlay.data.into_inner();
    Evaluated { config, findings, texts, reads_data, values: OnceLock::new() }
}

/// The files as an editor has them: what it holds, and what is beneath. It notes what is read.
pub struct Overlay<'a> {
    world: &'a Snapshot,
    beneath: &'a dyn Loader,
    texts: Mutex<Texts>,
    data: AtomicBool,
}

impl<'a> Overlay<'a> {
    /// The files of the editor over those of a loader.
    pub fn new(world: &'a Snapshot, beneath: &'a dyn Loader) -> Self {
        Self { world, beneath, texts: Mutex::default(), data: false.into() }
    }

    fn text(
        &self,
        path: &Path,
        read: impl FnOnce(&dyn Loader) -> std::io::Result<String>,
    ) -> std::io::Result<String> {
        let id = FileId::new(normal(path));
        let known = self.world.file(&id);
        let found = match known {
            Some(source) if self.world.is_open(&id) => Ok(source.text.to_string()),
            _ => read(self.beneath),
        };
        let text = found.as_ref().ok().map(|text| match known {
            Some(source) if *source.text == **text => source.text.clone(),
            _ => text.as_str().into(),
        });
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).insert(id, text);
        found
    }
}

impl Loader for Overlay<'_> {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        self.text(path, |beneath| beneath.read(path))
    }

    fn include(&self, path: &Path) -> std::io::Result<String> {
        self.text(path, |beneath| beneath.include(path))
    }

    fn open(&self, path: &Path) -> std::io::Result<Box<dyn Read + '_>> {
        self.data.store(true, Ordering::Relaxed);
        let id = FileId::new(normal(path));
        match self.world.file(&id).filter(|_| self.world.is_open(&id)) {
            Some(source) => Ok(Box::new(source.text.as_bytes())),
            None => self.beneath.open(path),
        }
    }

    fn identity(&self, path: &Path) -> PathBuf {
        self.beneath.identity(path)
    }
}

impl Evaluated {
    /// Whether something is wrong, and not only doubtful.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The files that were run, with the texts that they had; [`None`] for one that could not be
    /// read.
    pub fn texts(&self) -> impl Iterator<Item = (&FileId, Option<&Arc<str>>)> {
        self.texts.iter().map(|(id, text)| (id, text.as_ref()))
    }

    /// Whether a file was run, or is missing to be.
    pub fn has_read(&self, id: &FileId) -> bool {
        self.texts.contains_key(id)
    }

    /// Whether functions of the language have read other files, which [`Self::is_current`] does not
    /// look at.
    pub fn reads_data(&self) -> bool {
        self.reads_data
    }

    /// Whether the files that were run are as they were.
    pub fn is_current(&self, world: &Snapshot) -> bool {
        self.texts.iter().all(|(id, then)| match (then, world.file(id)) {
            (Some(then), Some(now)) => Arc::ptr_eq(then, &now.text) || **then == *now.text,
            (None, None) => true,
            _ => false,
        })
    }

    /// What the values of a file come to, each in every job that uses it. Worked out once, when
    /// somebody asks, unless [`Self::work_out`] has done it before.
    pub fn values(&self, file: &FileId) -> &[JobValue] {
        let values = self.values.get_or_init(|| self.all_values(&|| true).unwrap_or_default());
        values.get(file).map(Vec::as_slice).unwrap_or_default()
    }

    /// Works out what the values of all files come to, so that nobody who asks has to wait for it:
    /// job by job, as long as `goes_on` says so. Says whether it has come to its end.
    pub fn work_out(&self, goes_on: &dyn Fn() -> bool) -> bool {
        if self.values.get().is_some() {
            return true;
        }
        let Some(values) = self.all_values(goes_on) else { return false };
        self.values.get_or_init(|| values);
        true
    }

    fn all_values(&self, goes_on: &dyn Fn() -> bool) -> Option<JobValues> {
        let mut by_name: BTreeMap<Arc<str>, Vec<JobValue>> = BTreeMap::new();
        for job in self.config.iter().flat_map(|config| config.jobs()) {
            if !goes_on() {
                return None;
            }
            let key: Arc<str> = job.key_text().into();
            for value in job.written_values() {
                let file = by_name.entry(value.file.clone()).or_default();
                file.push(JobValue { job: key.clone(), value });
            }
        }
        let mut all = JobValues::new();
        for (name, values) in by_name {
            // Two names may lead to one file.
            all.entry(FileId::evaluated(&name)).or_default().extend(values);
        }
        Some(all)
    }

    /// Where a part of a text as it was evaluated stands in the text as it is now; [`None`] if it
    /// was changed since.
    pub fn now(&self, source: &Source, then: Span) -> Option<Span> {
        self.moves(source)?.now(then)
    }

    /// The same for many parts: the two texts are compared once. [`None`] if the evaluation did not
    /// know the file.
    pub fn moves(&self, source: &Source) -> Option<Moves> {
        let old = self.texts.get(&source.id)?.as_ref()?;
        if Arc::ptr_eq(old, &source.text) {
            return Some(Moves::none(old));
        }
        Some(Moves::between(old, &source.text))
    }
}

/// How places move from an old text to a new one: what stands before the first difference of the two
/// stays, what stands behind the last one moves along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moves {
    /// How many bytes at the beginning are the same.
    before: u32,
    /// The first byte of the old text from which on all is the same.
    after: u32,
    /// How long the texts are.
    lens: (u32, u32),
}

impl Moves {
    fn none(text: &str) -> Self {
        let len = offset(text.len());
        Self { before: len, after: len, lens: (len, len) }
    }

    fn between(old: &str, new: &str) -> Self {
        let same = |(a, b): &(u8, u8)| a == b;
        let before = old.bytes().zip(new.bytes()).take_while(same).count();
        let rest = old.len().min(new.len()) - before;
        let after = old.bytes().rev().zip(new.bytes().rev()).take(rest).take_while(same).count();
        let after = offset(old.len() - after);
        Self { before: offset(before), after, lens: (offset(old.len()), offset(new.len())) }
    }

    /// Where a part of the old text stands in the new one, if the difference is outside of it or within
    /// it: it is the same thing, which may say something else now.
    pub fn around(&self, then: Span) -> Option<Span> {
        let is_within = then.start <= self.before && self.after <= then.end;
        let (old, new) = self.lens;
        let grown = || Span::new(then.start, new - (old - then.end.min(old)).min(new));
        self.now(then).or_else(|| is_within.then(grown))
    }

    /// Where a part of the old text stands in the new one, if the difference does not touch it.
    pub fn now(&self, then: Span) -> Option<Span> {
        if then.end <= self.before {
            return Some(then);
        }
        if then.start < self.after {
            return None;
        }
        let (old, new) = self.lens;
        let place = |at: u32| new - (old - at.min(old)).min(new);
        Some(Span::new(place(then.start), place(then.end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_move_with_the_text_around_them() {
        let (old, new) = ("abc def ghi", "abc more def ghi");
        for (part, wanted) in [
            (Span::new(0, 3), Some(Span::new(0, 3))),
            (Span::new(8, 11), Some(Span::new(13, 16))),
            (Span::new(2, 6), None),
        ] {
            assert_eq!(Moves::between(old, new).now(part), wanted);
        }
        let moves = Moves::between("f(abc) g", "f(abXc) g");
        for (part, wanted) in [
            (Span::new(0, 6), Some(Span::new(0, 7))),
            (Span::new(7, 8), Some(Span::new(8, 9))),
            (Span::new(2, 5), Some(Span::new(2, 6))),
        ] {
            assert_eq!(moves.around(part), wanted);
        }
        let moves = Moves::between("f(abc) g", "f(ab g");
        assert_eq!(moves.around(Span::new(2, 5)), None);
        let moves = Moves::between("aXa", "aa");
        assert_eq!(moves.now(Span::new(2, 3)), Some(Span::new(1, 2)));
        assert_eq!(Moves::between("", "a").now(Span::new(0, 0)), Some(Span::new(0, 0)));
        assert_eq!(Moves::none("ab").now(Span::new(0, 2)), Some(Span::new(0, 2)));
    }
}
