//! The files that are known: those that are open in the editor, and those on disk beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use aurora_eval::{Loader, STD};

use crate::evaluated::Evaluated;
use crate::files::Files;
use crate::source::{FileEdit, FileId, Source, applied};

/// How many files a workspace holds. What is beyond is read only when it is included by one of them.
pub const MAX_FILES: usize = 5000;
/// How deep folders are searched.
const MAX_DEPTH: usize = 16;
/// The ending of the language's files.
const ENDING: &str = "aurora";
/// Folders in which nobody keeps configurations.
const SKIPPED: [&str; 3] = ["node_modules", "target", "__pycache__"];

/// The modules of the library, which every workspace has.
static LIBRARY: LazyLock<BTreeMap<FileId, Arc<Source>>> = LazyLock::new(|| {
    let module = |name: &str| {
        let id = FileId::new(format!("{STD}{name}"));
        let text = aurora_eval::std_module(name).unwrap_or_default();
        (id.clone(), Arc::new(Source::new(id, text.into(), None)))
    };
    aurora_eval::std_modules().map(module).collect()
});

/// The files of an editor. It is changed in one place; what works with it takes a [`Snapshot`].
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    files: BTreeMap<FileId, Arc<Source>>,
    /// The files that the editor holds: what is on disk does not matter.
    open: BTreeSet<FileId>,
    evaluated: BTreeMap<FileId, Arc<Evaluated>>,
    /// What files came to before, for those that come to nothing now.
    before: BTreeMap<FileId, Arc<Evaluated>>,
    clusters: Arc<[String]>,
    /// The names that are bound from outside, as by `--bind`.
    outside: Arc<[String]>,
    /// The files that include a file, with whether they take it into their namespace: found once
    /// somebody asks, and again when a file takes in others.
    includers: Arc<OnceLock<Includers>>,
    /// See [`Snapshot::revision`].
    revision: u64,
}

/// The files as they are at one moment. Cheap to make and to clone, it never changes.
#[derive(Debug, Clone)]
pub struct Snapshot {
    workspace: Arc<Workspace>,
    /// See [`Snapshot::namespace`].
    shared: Arc<Mutex<Shared>>,
}

type Includers = BTreeMap<FileId, Vec<(FileId, bool)>>;

/// What files share, as far as somebody has asked.
#[derive(Debug, Default)]
struct Shared {
    /// What is taken in by files that nothing takes in.
    below: BTreeMap<(Edges, Vec<FileId>), Arc<Files>>,
    of_file: [BTreeMap<FileId, Arc<Files>>; 2],
}

/// How files take in others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edges {
    /// By `include`: all names are shared.
    Include = 0,
    /// By `include` or `load`: values are shared.
    Any = 1,
}

impl Workspace {
    /// The files as they are now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { workspace: Arc::new(self.clone()), shared: Arc::default() }
    }

    /// The editor opens a file, or replaces its whole text.
    pub fn open(&mut self, id: FileId, text: String, version: i32) {
        self.change(Source::new(id, text.into(), Some(version)));
    }

    /// The editor holds a file with this text.
    pub fn change(&mut self, source: Source) {
        self.open.insert(source.id.clone());
        self.put(source);
    }

    fn put(&mut self, source: Source) {
        self.revision += 1;
        let known = self.files.get(&source.id);
        if !known.is_some_and(|known| takes_the_same(known, &source)) {
            self.includers = Arc::default();
        }
        self.files.insert(source.id.clone(), Arc::new(source));
    }

    fn take(&mut self, id: &FileId) -> bool {
        let was_there = self.files.remove(id).is_some();
        if was_there {
            self.revision += 1;
            self.includers = Arc::default();
        }
        was_there
    }

    /// The editor closes a file: from now on the text on disk counts, if there is one.
    pub fn close(&mut self, id: &FileId, loader: &dyn Loader) {
        self.open.remove(id);
        self.take(id);
        self.forget_evaluated(id);
        self.refresh(id, loader);
    }

    /// Whether the editor holds a file.
    pub fn is_open(&self, id: &FileId) -> bool {
        self.open.contains(id)
    }

    /// A file on disk was read: that counts unless the editor holds the file. Says whether it changes
    /// anything.
    pub fn read(&mut self, source: Source) -> bool {
        let known = self.files.get(&source.id);
        if source.id.is_std()
            || self.is_open(&source.id)
            || known.is_some_and(|known| known.text == source.text)
        {
            return false;
        }
        self.put(source);
        true
    }

    /// A file is no longer on disk: that counts unless the editor holds it. Says whether it changes
    /// anything.
    pub fn remove(&mut self, id: &FileId) -> bool {
        !self.is_open(id) && self.take(id)
    }

    /// Whether fewer than [`MAX_FILES`] are known.
    pub fn has_room(&self) -> bool {
        self.files.len() < MAX_FILES
    }

    /// Reads a file on disk again that the editor does not hold. Says whether that changes anything.
    pub fn refresh(&mut self, id: &FileId, loader: &dyn Loader) -> bool {
        if self.is_open(id) || id.is_std() {
            return false;
        }
        match loader.include(id.path()) {
            Ok(text) if self.files.get(id).is_some_and(|known| *known.text == *text) => false,
            Ok(text) => {
                self.put(Source::new(id.clone(), text.into(), None));
                true
            }
            // It is gone, or cannot be read: the evaluation says so where it is included.
            Err(_) => self.take(id),
        }
    }

    /// Reads the files that known files include and that are not known yet.
    pub fn follow(&mut self, loader: &dyn Loader) {
        let mut missing: Vec<FileId> = self
            .files
            .values()
            .flat_map(|source| source.targets.iter().flatten().cloned())
            .collect();
        let mut tried = BTreeSet::new();
        while let Some(id) = missing.pop() {
            if self.file(&id).is_some() || !self.has_room() || !tried.insert(id.clone()) {
                continue;
            }
            if self.refresh(&id, loader)
                && let Some(source) = self.files.get(&id)
            {
                missing.extend(source.targets.iter().flatten().cloned());
            }
        }
    }

    /// A known file.
    pub fn file(&self, id: &FileId) -> Option<&Arc<Source>> {
        self.files.get(id).or_else(|| LIBRARY.get(id))
    }

    /// What a file came to. If that is nothing, what it came to before is kept as well.
    pub fn set_evaluated(&mut self, id: FileId, evaluated: Arc<Evaluated>) {
        let has_jobs = evaluated.config.is_some();
        let old = self.evaluated.insert(id.clone(), evaluated);
        if has_jobs {
            self.before.remove(&id);
        } else if let Some(old) = old.filter(|old| old.config.is_some()) {
            self.before.insert(id, old);
        }
    }

    /// Forgets what a file came to.
    pub fn forget_evaluated(&mut self, id: &FileId) {
        self.evaluated.remove(id);
        self.before.remove(id);
    }

    /// The names that are bound from outside, for completion.
    pub fn set_outside(&mut self, names: Vec<String>) {
        self.outside = names.into();
    }

    /// The names of the clusters that may be written, for completion.
    pub fn set_clusters(&mut self, names: Vec<String>) {
        self.clusters = names.into();
    }
}

impl Snapshot {
    /// A known file.
    pub fn file(&self, id: &FileId) -> Option<&Arc<Source>> {
        self.workspace.file(id)
    }

    /// The known files of the user, those of the library left out.
    pub fn files(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.workspace.files.values()
    }

    /// Counts the changes of files: of two snapshots of one workspace with the same number, all that
    /// texts alone tell is the same.
    pub fn revision(&self) -> u64 {
        self.workspace.revision
    }

    /// Whether there may be more files than are known: no more than [`MAX_FILES`] are read.
    pub fn is_full(&self) -> bool {
        !self.workspace.has_room()
    }

    /// Whether the editor holds a file.
    pub fn is_open(&self, id: &FileId) -> bool {
        self.workspace.open.contains(id)
    }

    /// The files that the editor holds.
    pub fn open_files(&self) -> impl Iterator<Item = &FileId> {
        self.workspace.open.iter()
    }

    /// The modules of the library.
    pub fn library(&self) -> impl Iterator<Item = &'static Arc<Source>> {
        LIBRARY.values()
    }

    /// The files as they would be after changes; [`None`] if two of them overlap or one is of no text.
    pub fn edited(&self, edits: &[FileEdit]) -> Option<Self> {
        let mut workspace = (*self.workspace).clone();
        let files: BTreeSet<&FileId> = edits.iter().map(|edit| &edit.location.file).collect();
        for id in files {
            let source = self.file(id)?;
            let text = applied(&source.text, id, edits)?;
            workspace.change(Source::new(id.clone(), text.into(), source.version));
        }
        Some(workspace.snapshot())
    }

    /// The names that are bound from outside.
    pub fn outside(&self) -> &[String] {
        &self.workspace.outside
    }

    /// The names of the clusters.
    pub fn clusters(&self) -> &[String] {
        &self.workspace.clusters
    }

    /// What a file came to when it was last evaluated.
    pub fn evaluated(&self, id: &FileId) -> Option<&Arc<Evaluated>> {
        self.workspace.evaluated.get(id)
    }

    /// The jobs that a file came to when it last came to any: while it is being changed they are
    /// still what one knows of it.
    pub fn last_jobs(&self, id: &FileId) -> Option<&Arc<Evaluated>> {
        self.workspace.before.get(id).or_else(|| self.evaluated(id))
    }

    /// All that was evaluated, by the file with the jobs.
    pub fn all_evaluated(&self) -> impl Iterator<Item = (&FileId, &Arc<Evaluated>)> {
        self.workspace.evaluated.iter()
    }

    /// The files that include or load a file, directly, each with whether it takes the file into its
    /// own namespace.
    pub fn includers(&self, id: &FileId) -> impl Iterator<Item = (&Arc<Source>, bool)> {
        let all = self.workspace.includers.get_or_init(|| {
            let mut includers = Includers::new();
            for source in self.files() {
                for (inclusion, target) in source.names.inclusions.iter().zip(&source.targets) {
                    if let Some(target) = target {
                        let entry = (source.id.clone(), inclusion.loaded.is_none());
                        includers.entry(target.clone()).or_default().push(entry);
                    }
                }
            }
            includers
        });
        let of_file = all.get(id).into_iter().flatten();
        of_file.filter_map(|(id, is_include)| Some((self.file(id)?, *is_include)))
    }

    /// A file, the files that include or load it, and those that do so with these, each once.
    pub fn above(&self, source: &Arc<Source>) -> Vec<Arc<Source>> {
        reachable(vec![source.clone()], |source| {
            self.takers(&source.id, Edges::Any).cloned().collect()
        })
    }

    /// The files whose evaluation runs a file: itself, and what includes or loads it, directly or
    /// not, as far as nothing includes them in turn.
    pub fn mains_of(&self, id: &FileId) -> Vec<FileId> {
        let Some(source) = self.file(id) else { return Vec::new() };
        let all = self.above(source);
        let is_main = |source: &&Arc<Source>| {
            source.defines_jobs() || self.includers(&source.id).next().is_none()
        };
        all.iter().filter(is_main).map(|source| source.id.clone()).collect()
    }

    /// The files whose names a file shares, itself first: those that it includes, those that include
    /// it or an includer of it, and what these include.
    pub fn namespace(&self, source: &Arc<Source>) -> Vec<Arc<Source>> {
        let all = self.shared(source, Edges::Include);
        let others = all.iter().filter(|file| !Arc::ptr_eq(file, source));
        std::iter::once(source).chain(others).cloned().collect()
    }

    /// The files of [`Self::namespace`] in no order of their own. Files with the same answer are
    /// given the same one.
    pub(crate) fn namespace_files(&self, source: &Arc<Source>) -> Arc<Files> {
        self.shared(source, Edges::Include)
    }

    /// The files that are run together with a file, itself among them: as [`Self::namespace`], with
    /// those that are loaded. Only in these can values of the file be seen, or come from. Files with
    /// the same answer are given the same one.
    pub fn related(&self, source: &Arc<Source>) -> Arc<Files> {
        self.shared(source, Edges::Any)
    }

    /// The files that a file takes in, directly.
    fn taken<'a>(
        &'a self,
        source: &'a Source,
        edges: Edges,
    ) -> impl Iterator<Item = &'a Arc<Source>> {
        let all = source.names.inclusions.iter().zip(&source.targets);
        all.filter(move |(inclusion, _)| edges == Edges::Any || inclusion.loaded.is_none())
            .filter_map(|(_, target)| self.file(target.as_ref()?))
    }

    fn takers<'a>(&'a self, id: &'a FileId, edges: Edges) -> impl Iterator<Item = &'a Arc<Source>> {
        let all = self.includers(id);
        all.filter(move |(_, is_include)| edges == Edges::Any || *is_include)
            .map(|(source, _)| source)
    }

    fn shared(&self, source: &Arc<Source>, edges: Edges) -> Arc<Files> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = shared.of_file[edges as usize].get(&source.id) {
            return found.clone();
        }
        let takers = |file: &Arc<Source>| self.takers(&file.id, edges).cloned().collect();
        let taken = |file: &Arc<Source>| self.taken(file, edges).cloned().collect();
        let above = reachable(vec![source.clone()], takers);
        let is_top = |file: &&Arc<Source>| self.takers(&file.id, edges).next().is_none();
        let tops: Vec<Arc<Source>> = above.iter().filter(is_top).cloned().collect();
        let found = if tops.is_empty() {
            // The files lead back to themselves.
            Arc::new(Files::new(reachable(above, taken)))
        } else {
            let key = (edges, tops.iter().map(|file| file.id.clone()).collect());
            let below = shared.below.entry(key);
            below.or_insert_with(|| Arc::new(Files::new(reachable(tops, taken)))).clone()
        };
        shared.of_file[edges as usize].insert(source.id.clone(), found.clone());
        found
    }
}

/// Whether two texts of a file take in the same files in the same way.
fn takes_the_same(old: &Source, new: &Source) -> bool {
    let is_load = |source: &Source| {
        let all = source.names.inclusions.iter().map(|inclusion| inclusion.loaded.is_some());
        all.collect::<Vec<_>>()
    };
    old.targets == new.targets && is_load(old) == is_load(new)
}

/// Files, and those that `next` gives for one of them, and so on, each once.
fn reachable(
    from: Vec<Arc<Source>>,
    next: impl Fn(&Arc<Source>) -> Vec<Arc<Source>>,
) -> Vec<Arc<Source>> {
    let mut seen: BTreeSet<FileId> = from.iter().map(|source| source.id.clone()).collect();
    let mut found = from;
    let mut at = 0;
    while let Some(source) = found.get(at).cloned() {
        at += 1;
        for other in next(&source) {
            if seen.insert(other.id.clone()) {
                found.push(other);
            }
        }
    }
    found
}

/// The file that a path in a file's `include` or `load` means.
pub fn target(from: &FileId, path: &str) -> Option<FileId> {
    if path.is_empty() || path.contains('\0') {
        return None;
    }
    if path.starts_with(STD) {
        return Some(FileId::new(path));
    }
    let folder = from.path().parent()?;
    Some(FileId::new(normal(&folder.join(path))))
}

/// A path without `.` and `..`, as its text says.
pub fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The `.aurora` files under a folder, in order: at most [`MAX_FILES`], hidden folders and those of
/// other tools left out. Links to folders are not followed.
pub fn find_files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if kind.is_dir() {
                let skipped = name.starts_with('.') || SKIPPED.contains(&&*name);
                if depth < MAX_DEPTH && !skipped {
                    folders.push((path, depth + 1));
                }
            } else if path.extension().is_some_and(|ending| ending == ENDING) {
                found.push(path);
                if found.len() >= MAX_FILES {
                    found.sort();
                    return found;
                }
            }
        }
    }
    found.sort();
    found
}
