//! What the client asks and tells, one method each. Each takes what it works with before it waits for
//! anything: see [`crate::transport::serve`].

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use aurora_ide::Snapshot;
use aurora_ide::navigate::{self, Way};
use aurora_ide::source::{FileId, Source};
use serde_json::Value;
use tokio::task::JoinHandle;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::lsp_types::notification::LogTrace;
use tower_lsp::lsp_types::{self as lsp, Url};
use tower_lsp::{Client as Connection, LanguageServer};

use crate::client::{Client, folders};
use crate::convert::View;
use crate::diagnostics::publish_all;
use crate::features::{actions, calls, completion, navigation, reading, structure, tokens};
use crate::settings::Settings;
use crate::state::Core;
use crate::transport::words_of;
use crate::watch::{Job, paths, registration};
use crate::{STACK, cluster, commands, features};

/// The server of one client.
#[derive(Debug)]
pub(crate) struct Server {
    connection: Connection,
    pub(crate) core: Arc<Core>,
    jobs: Mutex<mpsc::Sender<Job>>,
}

/// Starts what tells the client what it has not asked for.
///
/// # Errors
/// There is no thread for it.
pub(crate) fn start(
    connection: &Connection,
    core: &Arc<Core>,
    mut traces: tokio::sync::mpsc::Receiver<lsp::LogTraceParams>,
) -> std::io::Result<()> {
    let (to_client, told) = (connection.clone(), core.clone());
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("aurora-tell".to_owned())
        .stack_size(STACK)
        .spawn(move || runtime.block_on(publish_all(&told, &to_client)))?;
    tokio::spawn(cluster::follow(connection.clone(), core.clone()));
    let to_client = connection.clone();
    tokio::spawn(async move {
        while let Some(trace) = traces.recv().await {
            to_client.send_notification::<LogTrace>(trace).await;
        }
    });
    Ok(())
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

    /// Where what stands at a place leads.
    async fn way(
        &self,
        place: lsp::TextDocumentPositionParams,
        find: fn(&Snapshot, &FileId, u32) -> Option<Way>,
        with_links: bool,
    ) -> Result<Option<lsp::GotoDefinitionResponse>> {
        self.at(place, move |view, id, source, at| {
            navigation::way(view, source, find(&view.world, id, at), with_links)
        })
        .await
        .flat()
    }

    async fn tokens(
        &self,
        uri: &Url,
        part: Option<lsp::Range>,
    ) -> Result<Option<Vec<lsp::SemanticToken>>> {
        self.ask(uri, move |view, id, source| tokens::semantic_tokens(view, id, source, part)).await
    }

    fn configure(&self, value: &Value) {
        configure(&self.core, value);
    }
}

/// An answer that there is not is the same as one of a file that there is not.
trait Flat<T> {
    fn flat(self) -> Result<Option<T>>;
}

impl<T> Flat<T> for Result<Option<Option<T>>> {
    fn flat(self) -> Result<Option<T>> {
        self.map(Option::flatten)
    }
}

fn configure(core: &Core, value: &Value) {
    let (settings, wrong) = Settings::read(value);
    core.log.hide(settings.env.values().map(String::as_str));
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
        let _ = self.core.client.set(client);
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
            capabilities: features::capabilities(encoding),
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

    async fn completion(
        &self,
        params: lsp::CompletionParams,
    ) -> Result<Option<lsp::CompletionResponse>> {
        let client = self.core.client();
        self.at(params.text_document_position, move |view, id, source, at| {
            completion::completion(view, id, source, at, &client)
        })
        .await
    }

    async fn completion_resolve(&self, item: lsp::CompletionItem) -> Result<lsp::CompletionItem> {
        let view = self.core.view();
        let client = self.core.client();
        self.work(move || completion::resolve(&view, item, &client)).await
    }

    async fn hover(&self, params: lsp::HoverParams) -> Result<Option<lsp::Hover>> {
        let place = params.text_document_position_params;
        let client = self.core.client();
        self.at(place, move |view, id, source, at| reading::hover(view, id, source, at, &client))
            .await
            .flat()
    }

    async fn signature_help(
        &self,
        params: lsp::SignatureHelpParams,
    ) -> Result<Option<lsp::SignatureHelp>> {
        let client = self.core.client();
        self.at(params.text_document_position_params, move |view, id, _, at| {
            reading::signature_help(view, id, at, &client)
        })
        .await
        .flat()
    }

    async fn inlay_hint(
        &self,
        params: lsp::InlayHintParams,
    ) -> Result<Option<Vec<lsp::InlayHint>>> {
        let client = self.core.client();
        self.ask(&params.text_document.uri, move |view, id, source| {
            reading::inlay_hints(view, id, source, params.range, &client)
        })
        .await
    }

    async fn code_lens(&self, params: lsp::CodeLensParams) -> Result<Option<Vec<lsp::CodeLens>>> {
        self.ask(&params.text_document.uri, |view, id, source| {
            reading::code_lenses(view, id, source)
        })
        .await
    }

    async fn goto_definition(
        &self,
        params: lsp::GotoDefinitionParams,
    ) -> Result<Option<lsp::GotoDefinitionResponse>> {
        let with_links = self.core.client().definition_links;
        self.way(params.text_document_position_params, navigate::definition, with_links).await
    }

    async fn goto_declaration(
        &self,
        params: lsp::GotoDefinitionParams,
    ) -> Result<Option<lsp::GotoDefinitionResponse>> {
        let with_links = self.core.client().declaration_links;
        self.way(params.text_document_position_params, navigate::declaration, with_links).await
    }

    async fn goto_type_definition(
        &self,
        params: lsp::GotoDefinitionParams,
    ) -> Result<Option<lsp::GotoDefinitionResponse>> {
        let with_links = self.core.client().type_links;
        self.way(params.text_document_position_params, navigate::type_definition, with_links).await
    }

    async fn references(&self, params: lsp::ReferenceParams) -> Result<Option<Vec<lsp::Location>>> {
        let with_declarations = params.context.include_declaration;
        self.at(params.text_document_position, move |view, id, _, at| {
            navigation::references(view, id, at, with_declarations)
        })
        .await
    }

    async fn document_highlight(
        &self,
        params: lsp::DocumentHighlightParams,
    ) -> Result<Option<Vec<lsp::DocumentHighlight>>> {
        self.at(params.text_document_position_params, |view, id, source, at| {
            navigation::highlights(view, id, source, at)
        })
        .await
    }

    async fn document_link(
        &self,
        params: lsp::DocumentLinkParams,
    ) -> Result<Option<Vec<lsp::DocumentLink>>> {
        self.ask(&params.text_document.uri, |view, id, source| {
            navigation::document_links(view, id, source)
        })
        .await
    }

    async fn prepare_rename(
        &self,
        params: lsp::TextDocumentPositionParams,
    ) -> Result<Option<lsp::PrepareRenameResponse>> {
        self.at(params, |view, id, source, at| navigation::prepare_rename(view, id, source, at))
            .await?
            .transpose()
    }

    async fn rename(&self, params: lsp::RenameParams) -> Result<Option<lsp::WorkspaceEdit>> {
        let is_versioned = self.core.client().versioned_edits;
        self.at(params.text_document_position, move |view, id, _, at| {
            navigation::rename(view, id, at, &params.new_name, is_versioned)
        })
        .await?
        .transpose()
    }

    async fn linked_editing_range(
        &self,
        params: lsp::LinkedEditingRangeParams,
    ) -> Result<Option<lsp::LinkedEditingRanges>> {
        self.at(params.text_document_position_params, |view, id, source, at| {
            navigation::linked_ranges(view, id, source, at)
        })
        .await
        .flat()
    }

    async fn prepare_call_hierarchy(
        &self,
        params: lsp::CallHierarchyPrepareParams,
    ) -> Result<Option<Vec<lsp::CallHierarchyItem>>> {
        let place = params.text_document_position_params;
        self.at(place, |view, id, _, at| calls::prepare(view, id, at)).await.flat()
    }

    async fn incoming_calls(
        &self,
        params: lsp::CallHierarchyIncomingCallsParams,
    ) -> Result<Option<Vec<lsp::CallHierarchyIncomingCall>>> {
        let view = self.core.view();
        self.work(move || calls::incoming(&view, &params.item)).await
    }

    async fn outgoing_calls(
        &self,
        params: lsp::CallHierarchyOutgoingCallsParams,
    ) -> Result<Option<Vec<lsp::CallHierarchyOutgoingCall>>> {
        let view = self.core.view();
        self.work(move || calls::outgoing(&view, &params.item)).await
    }

    async fn document_symbol(
        &self,
        params: lsp::DocumentSymbolParams,
    ) -> Result<Option<lsp::DocumentSymbolResponse>> {
        let is_nested = self.core.client().nested_symbols;
        self.ask(&params.text_document.uri, move |view, id, source| {
            structure::document_symbols(view, id, source, is_nested)
        })
        .await
    }

    async fn symbol(
        &self,
        params: lsp::WorkspaceSymbolParams,
    ) -> Result<Option<Vec<lsp::SymbolInformation>>> {
        let view = self.core.view();
        self.work(move || Some(structure::workspace_symbols(&view, &params.query))).await
    }

    async fn folding_range(
        &self,
        params: lsp::FoldingRangeParams,
    ) -> Result<Option<Vec<lsp::FoldingRange>>> {
        let whole_lines = self.core.client().whole_folds;
        self.ask(&params.text_document.uri, move |view, id, source| {
            structure::folding_ranges(view, id, source, whole_lines)
        })
        .await
    }

    async fn selection_range(
        &self,
        params: lsp::SelectionRangeParams,
    ) -> Result<Option<Vec<lsp::SelectionRange>>> {
        self.ask(&params.text_document.uri, move |view, id, source| {
            structure::selection_ranges(view, id, source, &params.positions)
        })
        .await
    }

    async fn code_action(
        &self,
        params: lsp::CodeActionParams,
    ) -> Result<Option<lsp::CodeActionResponse>> {
        let core = self.core.clone();
        self.ask(&params.text_document.uri, move |view, id, source| {
            let only = params.context.only.as_deref();
            actions::code_actions(&core, view, id, source, params.range, only)
        })
        .await
    }

    async fn formatting(
        &self,
        params: lsp::DocumentFormattingParams,
    ) -> Result<Option<Vec<lsp::TextEdit>>> {
        self.ask(&params.text_document.uri, |view, id, source| {
            structure::formatting(view, id, source, None)
        })
        .await
    }

    async fn range_formatting(
        &self,
        params: lsp::DocumentRangeFormattingParams,
    ) -> Result<Option<Vec<lsp::TextEdit>>> {
        self.ask(&params.text_document.uri, move |view, id, source| {
            structure::formatting(view, id, source, Some(params.range))
        })
        .await
    }

    async fn semantic_tokens_full(
        &self,
        params: lsp::SemanticTokensParams,
    ) -> Result<Option<lsp::SemanticTokensResult>> {
        let uri = params.text_document.uri;
        let Some(data) = self.tokens(&uri, None).await? else { return Ok(None) };
        let result_id = Some(self.core.keep_tokens(self.core.file_id(&uri), data.clone()));
        Ok(Some(lsp::SemanticTokens { result_id, data }.into()))
    }

    async fn semantic_tokens_full_delta(
        &self,
        params: lsp::SemanticTokensDeltaParams,
    ) -> Result<Option<lsp::SemanticTokensFullDeltaResult>> {
        let uri = params.text_document.uri;
        let Some(data) = self.tokens(&uri, None).await? else { return Ok(None) };
        let file = self.core.file_id(&uri);
        let old = self.core.kept_tokens(&file, &params.previous_result_id);
        let result_id = Some(self.core.keep_tokens(file, data.clone()));
        Ok(Some(match old {
            Some(old) => {
                let edits = tokens::difference(&old, data);
                lsp::SemanticTokensDelta { result_id, edits }.into()
            }
            None => lsp::SemanticTokens { result_id, data }.into(),
        }))
    }

    async fn semantic_tokens_range(
        &self,
        params: lsp::SemanticTokensRangeParams,
    ) -> Result<Option<lsp::SemanticTokensRangeResult>> {
        let data = self.tokens(&params.text_document.uri, Some(params.range)).await?;
        Ok(data.map(|data| lsp::SemanticTokens { result_id: None, data }.into()))
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
