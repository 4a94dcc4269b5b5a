//! Changes that are offered at a place.

use aurora_ide::actions::{Action, ActionKind, actions};
use aurora_ide::source::{FileId, Source};
use tower_lsp::lsp_types as lsp;

use crate::convert::View;
use crate::diagnostics::{diagnostic, known};
use crate::state::Core;

/// What is offered of them.
pub(crate) fn options() -> lsp::CodeActionProviderCapability {
    lsp::CodeActionProviderCapability::Options(lsp::CodeActionOptions {
        code_action_kinds: Some(ActionKind::ALL.map(kind).to_vec()),
        ..lsp::CodeActionOptions::default()
    })
}

/// The changes that can be made at a part of a file, of the kinds that the client wants.
pub(crate) fn code_actions(
    core: &Core,
    view: &View,
    file: &FileId,
    source: &Source,
    part: lsp::Range,
    only: Option<&[lsp::CodeActionKind]>,
) -> lsp::CodeActionResponse {
    let client = core.client();
    if !client.code_actions {
        // Older clients take commands only, and these are changes.
        return Vec::new();
    }
    let told = known(core, view, file);
    let is_wanted = |offered: &ActionKind| {
        let offered = kind(*offered);
        only.is_none_or(|only| only.iter().any(|wanted| is_of(offered.as_str(), wanted.as_str())))
    };
    let kinds: Vec<ActionKind> = ActionKind::ALL.into_iter().filter(is_wanted).collect();
    let to_action = |action: Action| {
        let mends = action.mends.and_then(|at| diagnostic(core, view, told.get(at)?));
        lsp::CodeActionOrCommand::CodeAction(lsp::CodeAction {
            title: action.title,
            kind: Some(kind(action.kind)),
            diagnostics: mends.map(|mended| vec![mended]),
            edit: Some(view.workspace_edit(&action.edits, client.versioned_edits)),
            is_preferred: Some(action.is_preferred).filter(|is| *is),
            ..lsp::CodeAction::default()
        })
    };
    let all = actions(&view.world, file, view.span(source, part), &told, &kinds);
    all.into_iter().map(to_action).collect()
}

fn kind(kind: ActionKind) -> lsp::CodeActionKind {
    match kind {
        ActionKind::QuickFix => lsp::CodeActionKind::QUICKFIX,
        ActionKind::Extract => lsp::CodeActionKind::REFACTOR_EXTRACT,
        ActionKind::Inline => lsp::CodeActionKind::REFACTOR_INLINE,
        ActionKind::Rewrite => lsp::CodeActionKind::REFACTOR_REWRITE,
        ActionKind::Source => lsp::CodeActionKind::SOURCE,
    }
}

/// Whether a kind is another, or one of those below it: `refactor.extract` is a `refactor`.
fn is_of(kind: &str, wanted: &str) -> bool {
    let rest = kind.strip_prefix(wanted);
    wanted.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
