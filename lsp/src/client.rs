//! What the client can do, as it has said when it came.

use std::path::PathBuf;

use aurora_ide::text::Encoding;
use tower_lsp::lsp_types::{InitializeParams, MarkupKind, PositionEncodingKind};

use crate::convert::{encoding, path};

/// What was agreed upon.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    /// In what units places are counted.
    pub(crate) encoding: Encoding,
    /// Whether it answers `workspace/configuration`.
    pub(crate) configuration: bool,
    /// Whether it watches files when it is asked to.
    pub(crate) watch: bool,
    /// Whether it asks again for hints and lenses when it is told to.
    pub(crate) refresh_hints: bool,
    pub(crate) refresh_lenses: bool,
    /// The same of colours, which depend on what other files define.
    pub(crate) refresh_tokens: bool,
    /// Whether it shows a document when it is asked to.
    pub(crate) show_document: bool,
    /// Whether it shows what commands come to by itself.
    pub(crate) shows_results: bool,
    /// Whether completions may have places to go through.
    pub(crate) snippets: bool,
    /// Whether it has the command by which editors of VS Code's kind complete again.
    pub(crate) completes_again: bool,
    /// Whether definitions, declarations and those of types may say from where they lead.
    pub(crate) definition_links: bool,
    pub(crate) declaration_links: bool,
    pub(crate) type_links: bool,
    /// Whether it shows Markdown in hovers, beside completions and in signatures.
    pub(crate) hover_markdown: bool,
    pub(crate) completion_markdown: bool,
    pub(crate) signature_markdown: bool,
    /// Whether symbols of a document may stand in one another.
    pub(crate) nested_symbols: bool,
    /// Whether it takes only whole lines as folds.
    pub(crate) whole_folds: bool,
    /// Whether signatures may say which part of the label a parameter is.
    pub(crate) label_offsets: bool,
    /// Whether code actions may be more than commands.
    pub(crate) code_actions: bool,
    /// Whether changes of files may carry versions.
    pub(crate) versioned_edits: bool,
}

impl Client {
    /// Reads what a client says of itself, with the name of the encoding that is spoken.
    pub(crate) fn of(params: &InitializeParams) -> (Self, PositionEncodingKind) {
        let can = &params.capabilities;
        let general = can.general.as_ref();
        let offered = general.and_then(|general| general.position_encodings.as_deref());
        let (encoding, kind) = encoding(offered);
        let workspace = can.workspace.as_ref();
        let text = can.text_document.as_ref();
        let window = can.window.as_ref();
        let is = |found: Option<bool>| found.unwrap_or(false);
        let client = Self {
            encoding,
            configuration: is(workspace.and_then(|it| it.configuration)),
            watch: is(
                workspace.and_then(|it| it.did_change_watched_files.as_ref()?.dynamic_registration)
            ),
            refresh_hints: is(workspace.and_then(|it| it.inlay_hint.as_ref()?.refresh_support)),
            refresh_lenses: is(workspace.and_then(|it| it.code_lens.as_ref()?.refresh_support)),
            refresh_tokens: is(
                workspace.and_then(|it| it.semantic_tokens.as_ref()?.refresh_support)
            ),
            show_document: window
                .and_then(|it| it.show_document.as_ref())
                .is_some_and(|it| it.support),
            shows_results: is(can
                .experimental
                .as_ref()
                .and_then(|it| it.get("auroraResults")?.as_bool())),
            snippets: is(text
                .and_then(|it| it.completion.as_ref()?.completion_item.as_ref()?.snippet_support)),
            completes_again: can
                .experimental
                .as_ref()
                .and_then(|it| it.get("commands")?.get("commands")?.as_array())
                .is_some_and(|known| known.iter().any(|it| it == "editor.action.triggerSuggest")),
            definition_links: is(text.and_then(|it| it.definition.as_ref()?.link_support)),
            declaration_links: is(text.and_then(|it| it.declaration.as_ref()?.link_support)),
            type_links: is(text.and_then(|it| it.type_definition.as_ref()?.link_support)),
            hover_markdown: takes_markdown(
                text.and_then(|it| it.hover.as_ref()?.content_format.as_ref()),
            ),
            completion_markdown: takes_markdown(text.and_then(|it| {
                it.completion.as_ref()?.completion_item.as_ref()?.documentation_format.as_ref()
            })),
            signature_markdown: takes_markdown(text.and_then(|it| {
                let signature = it.signature_help.as_ref()?.signature_information.as_ref()?;
                signature.documentation_format.as_ref()
            })),
            nested_symbols: is(text
                .and_then(|it| it.document_symbol.as_ref()?.hierarchical_document_symbol_support)),
            whole_folds: is(text.and_then(|it| it.folding_range.as_ref()?.line_folding_only)),
            label_offsets: is(text.and_then(|it| {
                let signature = it.signature_help.as_ref()?.signature_information.as_ref()?;
                signature.parameter_information.as_ref()?.label_offset_support
            })),
            code_actions: text
                .and_then(|it| it.code_action.as_ref()?.code_action_literal_support.as_ref())
                .is_some(),
            versioned_edits: is(
                workspace.and_then(|it| it.workspace_edit.as_ref()?.document_changes)
            ),
        };
        (client, kind)
    }
}

/// Whether a client takes Markdown. One that says nothing is of the time before it could say so, and
/// is sent what it was sent then.
fn takes_markdown(formats: Option<&Vec<MarkupKind>>) -> bool {
    formats.is_none_or(|formats| formats.contains(&MarkupKind::Markdown))
}

/// The folders that are open.
pub(crate) fn folders(params: &InitializeParams) -> Vec<PathBuf> {
    let several = params.workspace_folders.iter().flatten().map(|folder| &folder.uri);
    let mut found: Vec<PathBuf> = several.filter_map(path).collect();
    if found.is_empty() {
        #[allow(deprecated, reason = "what older clients say")]
        let one = params.root_uri.as_ref().and_then(path);
        found.extend(one);
    }
    found
}
