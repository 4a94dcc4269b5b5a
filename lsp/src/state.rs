//! What the server knows: the files, what the user has set, and how far diagnostics have come.
//!
//! One lock guards it. It is held to take a [`View`], and to change a text, which is read anew then;
//! never while something else is worked out, awaited or, but for a file that is closed or included for
//! the first time, read from the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use aurora_eval::{Cancel, Disk};
use aurora_ide::diagnostics::Diagnostic;
use aurora_ide::source::{FileId, Source};
use aurora_ide::text::Encoding;
use aurora_ide::{Snapshot, Workspace};
use tokio::sync::Notify;
use tower_lsp::lsp_types::{
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    SemanticToken, Url,
};

use crate::Options;
use crate::changes::apply;
use crate::client::Client;
use crate::cluster::Lookout;
use crate::convert::{View, file_id};
use crate::diagnostics::{Outcome, Published};
use crate::library::Library;
use crate::log::Log;
use crate::settings::Settings;
use crate::transport::words_of;

/// How long nothing must have been typed before files are evaluated.
const PAUSE: Duration = Duration::from_millis(50);

/// What the client calls the files that it holds.
pub(crate) type Uris = BTreeMap<FileId, Url>;

/// All there is, shared by the requests and the threads that work beside them.
#[derive(Debug)]
pub(crate) struct Core {
    state: Mutex<State>,
    /// There may be something to evaluate.
    pub(crate) work: Condvar,
    /// There may be something to publish.
    pub(crate) publish: Notify,
    pub(crate) log: Arc<Log>,
    pub(crate) library: Arc<Library>,
    pub(crate) options: Options,
    /// What schedulers say.
    pub(crate) lookout: Lookout,
    /// What was agreed upon when the client came.
    pub(crate) client: OnceLock<Client>,
}

/// What changes.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) workspace: Workspace,
    snapshot: Option<Snapshot>,
    /// The texts that the client holds, as it has told them: also those of the library, which count
    /// for nothing, and one that could not be read.
    documents: BTreeMap<FileId, Document>,
    uris: Arc<Uris>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) folders: Vec<PathBuf>,
    /// Counts the changes of anything that an evaluation depends on.
    pub(crate) generation: u64,
    /// Counts those of settings and `aurora.toml`.
    pub(crate) settings_generation: u64,
    /// The generation for which all is evaluated.
    pub(crate) settled: u64,
    /// When evaluation may begin.
    pub(crate) due: Option<Instant>,
    /// Ends the evaluation that runs.
    pub(crate) running: Option<Cancel>,
    /// The file that was changed last.
    pub(crate) latest: Option<FileId>,
    /// What the files with jobs came to.
    pub(crate) outcomes: BTreeMap<FileId, Arc<Outcome>>,
    /// What the client was told last.
    pub(crate) published: BTreeMap<FileId, Published>,
    /// What texts alone tell of the files that the client holds, with the revision of the workspace
    /// of which that is true.
    pub(crate) written: BTreeMap<FileId, (u64, Arc<[Diagnostic]>)>,
    /// The files whose texts have changed since.
    pub(crate) edited: BTreeSet<FileId>,
    /// The files of which evaluations tell something else since.
    pub(crate) touched: BTreeSet<FileId>,
    /// The tokens that the client has of the files that it holds, by a name that it says.
    tokens: BTreeMap<FileId, (String, Vec<SemanticToken>)>,
    tokens_given: u64,
    /// Whether an evaluation has come to something else since the client was told to ask again.
    pub(crate) is_news: bool,
    pub(crate) is_stopped: bool,
}

#[derive(Debug)]
struct Document {
    text: Arc<str>,
    version: i32,
}

impl Core {
    pub(crate) fn new(options: Options, log: Log) -> Self {
        Self {
            state: Mutex::default(),
            work: Condvar::new(),
            publish: Notify::new(),
            log: Arc::new(log),
            library: Arc::new(Library::new(options.cache.as_deref())),
            options,
            lookout: Lookout::default(),
            client: OnceLock::new(),
        }
    }

    /// The state. A panic while it was held has changed nothing halfway: texts are replaced as a
    /// whole.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the client can, and what was agreed upon.
    pub(crate) fn client(&self) -> Client {
        self.client.get().cloned().unwrap_or_default()
    }

    fn encoding(&self) -> Encoding {
        self.client.get().map(|client| client.encoding).unwrap_or_default()
    }

    /// The files as they are now.
    pub(crate) fn view(&self) -> View {
        let encoding = self.encoding();
        let mut state = self.lock();
        View {
            world: state.snapshot(),
            encoding,
            settings: state.settings.clone(),
            library: self.library.clone(),
            uris: state.uris.clone(),
            said: self.lookout.said(),
        }
    }

    /// The file that a URI means.
    pub(crate) fn file_id(&self, uri: &Url) -> FileId {
        file_id(uri, &self.library)
    }

    /// The client opens a file.
    pub(crate) fn open(&self, params: DidOpenTextDocumentParams) {
        let document = params.text_document;
        let id = self.file_id(&document.uri);
        let mut state = self.lock();
        Arc::make_mut(&mut state.uris).insert(id.clone(), document.uri);
        self.set_text(&mut state, id, document.text.into(), document.version, None);
        self.changed(&mut state, Duration::ZERO);
    }

    /// The client changes a file.
    pub(crate) fn change(&self, params: DidChangeTextDocumentParams) {
        let id = self.file_id(&params.text_document.uri);
        let version = params.text_document.version;
        let encoding = self.encoding();
        let mut state = self.lock();
        let Some(document) = state.documents.get(&id) else {
            self.log.line(&format!("a change of {id}, which is not open"));
            return;
        };
        let changed = apply(&document.text, params.content_changes, encoding);
        self.set_text(&mut state, id, changed.text.into(), version, changed.replaced);
        self.changed(&mut state, PAUSE);
    }

    /// The client closes a file.
    pub(crate) fn close(&self, params: &DidCloseTextDocumentParams) {
        let id = self.file_id(&params.text_document.uri);
        let mut state = self.lock();
        state.documents.remove(&id);
        state.tokens.remove(&id);
        state.written.remove(&id);
        Arc::make_mut(&mut state.uris).remove(&id);
        state.workspace.close(&id, &Disk);
        state.workspace.follow(&Disk);
        state.touched.insert(id);
        self.changed(&mut state, Duration::ZERO);
    }

    fn set_text(
        &self,
        state: &mut State,
        id: FileId,
        text: Arc<str>,
        version: i32,
        replaced: Option<std::ops::Range<usize>>,
    ) {
        let document = Document { text: text.clone(), version };
        state.documents.insert(id.clone(), document);
        if id.is_std() {
            return;
        }
        let old = state.workspace.file(&id).filter(|_| state.workspace.is_open(&id)).cloned();
        let read = || match (&old, &replaced) {
            (Some(old), Some(replaced)) => {
                old.edited(replaced.clone(), text.clone(), Some(version))
            }
            _ => Source::new(id.clone(), text.clone(), Some(version)),
        };
        match self.guarded(&format!("reading {id}"), read) {
            Some(source) => {
                let is_known = |target: &FileId| state.workspace.file(target).is_some();
                let is_complete = source.targets.iter().flatten().all(is_known);
                state.workspace.change(source);
                if !is_complete {
                    state.workspace.follow(&Disk);
                }
            }
            None => {
                // Nothing is known of such a text; the next may be better.
                state.workspace.change(Source::new(id.clone(), "".into(), Some(version)));
            }
        }
        state.latest = Some(id.clone());
        state.edited.insert(id);
    }

    /// Does something whose panic must not end the thread that does it; [`None`] if it panicked, which
    /// the log says.
    pub(crate) fn guarded<T>(&self, what: &str, work: impl FnOnce() -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(work));
        let told = |panic: &Box<dyn std::any::Any + Send>| {
            self.log.line(&format!("{what} panicked: {}", words_of(&**panic)));
        };
        result.inspect_err(told).ok()
    }

    /// Something is other than it was: what is being evaluated is out of date.
    pub(crate) fn changed(&self, state: &mut State, pause: Duration) {
        state.generation += 1;
        state.snapshot = None;
        state.due = Some(Instant::now() + pause);
        if let Some(cancel) = state.running.take() {
            cancel.cancel();
        }
        self.work.notify_all();
        self.publish.notify_one();
    }

    /// Whether evaluations have told something new since this was asked last.
    pub(crate) fn take_refresh(&self) -> bool {
        std::mem::take(&mut self.lock().is_news)
    }

    /// Keeps the tokens that the client is given, and says by what name.
    pub(crate) fn keep_tokens(&self, file: FileId, tokens: Vec<SemanticToken>) -> String {
        let mut state = self.lock();
        state.tokens_given += 1;
        let name = state.tokens_given.to_string();
        // Of a file that was closed meanwhile nobody asks again.
        if state.documents.contains_key(&file) {
            state.tokens.insert(file, (name.clone(), tokens));
        }
        name
    }

    /// The tokens of a file that the client was given by a name, if they were the last.
    pub(crate) fn kept_tokens(&self, file: &FileId, name: &str) -> Option<Vec<SemanticToken>> {
        let mut state = self.lock();
        let (_, tokens) = state.tokens.remove(file).filter(|(known, _)| known == name)?;
        Some(tokens)
    }

    /// The user has set something else.
    pub(crate) fn set_settings(&self, settings: Settings) {
        // What is set first may be what is so by default: nobody has looked for the clusters yet.
        let is_known = self.lock().settings_generation > 0;
        let old = self.lock().settings.clone();
        if is_known && *old == settings {
            return;
        }
        let names = (!is_known || old.clusters != settings.clusters).then(|| {
            let clusters = Some(settings.clusters.as_str()).filter(|path| !path.is_empty());
            (self.options.clusters)(clusters.map(std::path::Path::new))
        });
        let mut state = self.lock();
        match names {
            Some(Ok(names)) => state.workspace.set_clusters(names),
            Some(Err(reason)) => self.log.line(&reason),
            None => {}
        }
        let outside = settings.bindings.iter().map(|binding| binding.address.to_string()).collect();
        state.workspace.set_outside(outside);
        state.settings = Arc::new(settings);
        state.settings_generation += 1;
        self.changed(&mut state, Duration::ZERO);
    }

    /// Everything comes to its end.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.is_stopped = true;
        self.changed(&mut state, Duration::ZERO);
    }
}

impl State {
    /// The files as they are now.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        self.snapshot.get_or_insert_with(|| self.workspace.snapshot()).clone()
    }

    /// The workspace was changed in a way that no evaluation depends on.
    pub(crate) fn forget_snapshot(&mut self) {
        self.snapshot = None;
    }

    /// The version of a file that the client holds.
    pub(crate) fn version(&self, id: &FileId) -> Option<i32> {
        self.documents.get(id).map(|document| document.version)
    }
}

impl State {
    /// Forgets what files came to that have read others which are none of the language's. Says whether
    /// there are such.
    pub(crate) fn forget_data(&mut self) -> bool {
        let count = self.outcomes.len();
        self.outcomes.retain(|_, outcome| !outcome.reads_data());
        self.outcomes.len() < count
    }
}
