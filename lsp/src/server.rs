//! What the client asks and tells, one method each. Each takes what it works with before it waits for
//! anything: see [`crate::transport::serve`].

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use aurora_ide::source::{FileId, Source};
use serde_json::Value;
use tokio::task::JoinHandle;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::lsp_types::notification::LogTrace;
use tower_lsp::lsp_types::{self as lsp, Url};
use tower_lsp::{Client as Connection, LanguageServer};

use crate::client::{Client, folders};
use crate::convert::View;
use crate::diagnostics::publications;
use crate::settings::Settings;
use crate::state::Core;
use crate::transport::words_of;
use crate::watch::{Job, paths, registration};
use crate::{commands, features};

/// The server of one client.
#[derive(Debug)]
pub(crate) struct Server {
    connection: Connection,
    pub(crate) core: Arc<Core>,
    jobs: Mutex<mpsc::Sender<Job>>,
}

/// Starts what tells the client what it has not asked for.
pub(crate) fn start(
    connection: &Connection,
    core: &Arc<Core>,
    mut traces: tokio::sync::mpsc::Receiver<lsp::LogTraceParams>,
) {
    let (to_client, told) = (connection.clone(), core.clone());
    tokio::spawn(async move {
        loop {
            told.publish.notified().await;
            // One at a time and in order: what is told last is newest.
            for publication in publications(&told) {
                let lsp::PublishDiagnosticsParams { uri, diagnostics, version } = publication;
                to_client.publish_diagnostics(uri, diagnostics, version).await;
            }
            refresh(&to_client, &told);
        }
    });
    let to_client = connection.clone();
    tokio::spawn(async move {
        while let Some(trace) = traces.recv().await {
            to_client.send_notification::<LogTrace>(trace).await;
        }
    });
}

/// Has the client ask again for what an evaluation tells, once there is a new one.
fn refresh(connection: &Connection, core: &Core) {
    let client = core.client();
    if !core.take_refresh() {
        return;
    }
    // The client answers when it likes; nobody waits.
    if client.refresh_hints {
        let connection = connection.clone();
        tokio::spawn(async move { connection.inlay_hint_refresh().await });
    }
    if client.refresh_lenses {
        let connection = connection.clone();
        tokio::spawn(async move { connection.code_lens_refresh().await });
    }
}

/// Work on another thread, which is taken back if it has not begun when nobody waits any more.
struct Work<T>(JoinHandle<T>);

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Server {
    pub(crate) fn new(connection: Connection, core: Arc<Core>, jobs: mpsc::Sender<Job>) -> Self {
        Self { connection, core, jobs: Mutex::new(jobs) }
    }

    /// `$/setTrace`.
    pub(crate) async fn set_trace(&self, params: lsp::SetTraceParams) {
        self.core.log.set_trace(params.value);
    }

    fn job(&self, job: Job) {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody takes it once the server stops.
        let _ = jobs.send(job);
    }

    /// Works something out on another thread.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let mut work = Work(tokio::task::spawn_blocking(work));
        (&mut work.0).await.map_err(|error| match error.try_into_panic() {
            Ok(panic) => {
                let words = words_of(&*panic);
                self.core.log.line(&format!("panicked: {words}"));
                Error { message: words.into(), ..Error::internal_error() }
            }
            Err(_) => Error::request_cancelled(),
        })
    }

    /// Asks something of a file as it is now; [`None`] if it is not known.
    async fn ask<T: Send + 'static>(
        &self,
        uri: &Url,
        ask: impl FnOnce(&View, &FileId, &Arc<Source>) -> T + Send + 'static,
    ) -> Result<Option<T>> {
        let view = self.core.view();
        let id = self.core.file_id(uri);
        let Some(source) = view.world.file(&id).cloned() else { return Ok(None) };
        self.work(move || ask(&view, &id, &source)).await.map(Some)
    }

    /// Asks something of a place of a file.
    async fn at<T: Send + 'static>(
        &self,
        place: lsp::TextDocumentPositionParams,
        ask: impl FnOnce(&View, &FileId, &Arc<Source>, u32) -> T + Send + 'static,
    ) -> Result<Option<T>> {
        self.ask(&place.text_document.uri, move |view, id, source| {
            let at = view.offset(source, place.position);
            ask(view, id, source, at)
        })
        .await
    }

    fn configure(&self, value: &Value) {
        configure(&self.core, value);
    }
}

fn configure(core: &Core, value: &Value) {
    let (settings, wrong) = Settings::read(value);
    for wrong in wrong {
        core.log.line(&format!("settings: {wrong}"));
    }
    core.set_settings(settings);
}

#[tower_lsp::async_trait]
impl LanguageServer for Server {
    async fn initialize(&self, params: lsp::InitializeParams) -> Result<lsp::InitializeResult> {
        let (client, encoding) = Client::of(&params);
        // A client that comes twice is refused before.
        let _ = self.core.client.set(client.clone());
        if let Some(trace) = params.trace {
            self.core.log.set_trace(trace);
        }
        self.core.lock().folders = folders(&params);
        self.configure(&params.initialization_options.unwrap_or_default());
        if let Some(info) = &params.client_info {
            let version = info.version.as_deref().unwrap_or_default();
            self.core.log.line(&format!("client {} {version}", info.name));
        }
        Ok(lsp::InitializeResult {
            capabilities: features::capabilities(&client, encoding),
            server_info: Some(lsp::ServerInfo {
                name: "aurora".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
        })
    }

    async fn initialized(&self, _: lsp::InitializedParams) {
        let folders = self.core.lock().folders.clone();
        folders.into_iter().for_each(|folder| self.job(Job::Opened(folder)));
        let (connection, core, client) =
            (self.connection.clone(), self.core.clone(), self.core.client());
        // It waits for the client, which nothing that is done in order may.
        tokio::spawn(async move {
            if client.watch
                && let Some(registration) = registration()
                && let Err(error) = connection.register_capability(vec![registration]).await
            {
                core.log.line(&format!("the client watches no files: {error}"));
            }
            if client.configuration {
                ask_configuration(&connection, &core).await;
            }
        });
    }

    async fn shutdown(&self) -> Result<()> {
        Ok(())
    }

    async fn did_open(&self, params: lsp::DidOpenTextDocumentParams) {
        self.core.open(params);
    }

    async fn did_change(&self, params: lsp::DidChangeTextDocumentParams) {
        self.core.change(params);
    }

    async fn did_close(&self, params: lsp::DidCloseTextDocumentParams) {
        self.core.close(&params);
    }

    async fn did_save(&self, params: lsp::DidSaveTextDocumentParams) {
        for path in paths(std::iter::once(params.text_document.uri)) {
            self.job(Job::Saved(path));
        }
    }

    async fn did_change_configuration(&self, params: lsp::DidChangeConfigurationParams) {
        if params.settings.is_object() || !self.core.client().configuration {
            self.configure(&params.settings);
            return;
        }
        let (connection, core) = (self.connection.clone(), self.core.clone());
        tokio::spawn(async move { ask_configuration(&connection, &core).await });
    }

    async fn did_change_workspace_folders(&self, params: lsp::DidChangeWorkspaceFoldersParams) {
        let closed = paths(params.event.removed.into_iter().map(|folder| folder.uri));
        let opened = paths(params.event.added.into_iter().map(|folder| folder.uri));
        {
            let mut state = self.core.lock();
            state.folders.retain(|folder| !closed.contains(folder));
            state.folders.extend(opened.iter().cloned());
        }
        closed.into_iter().for_each(|folder| self.job(Job::Closed(folder)));
        opened.into_iter().for_each(|folder| self.job(Job::Opened(folder)));
    }

    async fn did_change_watched_files(&self, params: lsp::DidChangeWatchedFilesParams) {
        self.job(Job::Changed(paths(params.changes.into_iter().map(|change| change.uri))));
    }

    async fn execute_command(&self, params: lsp::ExecuteCommandParams) -> Result<Option<Value>> {
        commands::run(self, &self.connection, params).await
    }
}

/// Asks the client for its settings.
async fn ask_configuration(connection: &Connection, core: &Core) {
    let item = lsp::ConfigurationItem { scope_uri: None, section: Some("aurora".to_owned()) };
    match connection.configuration(vec![item]).await {
        Ok(values) => {
            // Where nothing is set, what it has said at the beginning holds.
            if let Some(value) = values.first().filter(|value| value.is_object()) {
                configure(core, value);
            }
        }
        Err(error) => core.log.line(&format!("the client has no settings: {error}")),
    }
}
