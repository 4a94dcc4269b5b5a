//! What is told beside the text: hover, signatures, hints, lenses.

use std::collections::BTreeSet;

use aurora_ide::hints::{HintKind, HintOptions, hints};
use aurora_ide::lenses::{self, Lens};
use aurora_ide::signature::{Signature, signature};
use aurora_ide::source::{FileId, Source};
use aurora_ide::text::{Encoding, units};
use aurora_model::key::ClusterJobKey;
use serde_json::json;
use tower_lsp::lsp_types as lsp;

use crate::client::Client;
use crate::cluster;
use crate::convert::{View, markdown};

/// Of how many roles, or clusters, it is told what is left.
const MAX_ROLES: usize = 4;

/// What is told of what stands at a byte.
pub(crate) fn hover(
    view: &View,
    file: &FileId,
    source: &Source,
    at: u32,
    client: &Client,
) -> Option<lsp::Hover> {
    let mut found = aurora_ide::hover::hover(&view.world, file, at)?;
    if !view.said.is_empty() {
        let jobs = lenses::jobs_of_role(&view.world, file, at);
        let left: BTreeSet<_> =
            jobs.iter().filter_map(|job| cluster::left_for(&view.said, job)).collect();
        for left in left.into_iter().take(MAX_ROLES) {
            found.markdown.push_str(&format!("\n\n{left}"));
        }
    }
    Some(lsp::Hover {
        contents: lsp::HoverContents::Markup(markdown(found.markdown, client.hover_markdown)),
        range: Some(view.range(source, found.span)),
    })
}

/// What the call around a byte takes.
pub(crate) fn signature_help(
    view: &View,
    file: &FileId,
    at: u32,
    client: &Client,
) -> Option<lsp::SignatureHelp> {
    let Signature { label, docs, parameters, active } = signature(&view.world, file, at)?;
    let parameters = parameters.into_iter().map(|parameter| {
        let shown = parameter.label.of(&label);
        let offset = |at: u32| {
            // The protocol counts these in UTF-16, whatever is spoken otherwise.
            units(label.get(..at as usize).unwrap_or_default(), Encoding::Utf16)
        };
        lsp::ParameterInformation {
            label: if client.label_offsets {
                let ends = [parameter.label.start, parameter.label.end].map(offset);
                lsp::ParameterLabel::LabelOffsets(ends)
            } else {
                lsp::ParameterLabel::Simple(shown.to_owned())
            },
            documentation: documentation(parameter.docs, client),
        }
    });
    let parameters: Vec<_> = parameters.collect();
    let active_parameter = active.and_then(|active| u32::try_from(active).ok());
    Some(lsp::SignatureHelp {
        signatures: vec![lsp::SignatureInformation {
            documentation: documentation(docs, client),
            parameters: Some(parameters),
            active_parameter,
            label,
        }],
        active_signature: Some(0),
        active_parameter,
    })
}

fn documentation(text: String, client: &Client) -> Option<lsp::Documentation> {
    let markup = || markdown(text.clone(), client.signature_markdown);
    (!text.is_empty()).then(|| lsp::Documentation::MarkupContent(markup()))
}

/// What is shown in the text of a part of a file.
pub(crate) fn inlay_hints(
    view: &View,
    file: &FileId,
    source: &Source,
    range: lsp::Range,
    client: &Client,
) -> Vec<lsp::InlayHint> {
    let options = HintOptions {
        values: view.settings.hint_templates,
        defaults: view.settings.hint_defaults,
        types: view.settings.hint_types,
    };
    let found = hints(&view.world, file, view.span(source, range), options);
    let to_hint = |hint: aurora_ide::hints::Hint| lsp::InlayHint {
        position: view.position(source, hint.at),
        label: lsp::InlayHintLabel::String(hint.label),
        kind: (hint.kind == HintKind::Type).then_some(lsp::InlayHintKind::TYPE),
        text_edits: None,
        tooltip: (!hint.docs.is_empty()).then(|| {
            lsp::InlayHintTooltip::MarkupContent(markdown(hint.docs, client.hover_markdown))
        }),
        padding_left: Some(hint.kind != HintKind::Type),
        padding_right: None,
        data: None,
    };
    found.into_iter().map(to_hint).collect()
}

/// The commands for the jobs of a file.
pub(crate) fn code_lenses(view: &View, file: &FileId, source: &Source) -> Vec<lsp::CodeLens> {
    let mut out = Vec::new();
    for Lens { span, key, more, commands } in lenses::lenses(&view.world, file) {
        let main = commands.first().map(|command| command.file.clone());
        // Editors show it above the line where it begins.
        let start = view.position(source, span.start);
        let range = lsp::Range::new(start, start);
        // Which lines the job has, for commands that are called by their name.
        let data = json!({"lastLine": view.position(source, span.end).line});
        let mut show = |title: String, command: &str, arguments| {
            let command = lsp::Command { title, command: command.to_owned(), arguments };
            out.push(lsp::CodeLens { range, command: Some(command), data: Some(data.clone()) });
        };
        for command in commands {
            let Some(uri) = view.uri(&command.file) else { continue };
            let is_known = command.key.parse::<ClusterJobKey>().is_ok();
            let key = key.as_ref().filter(|key| key.split('/').any(|part| part != "?"));
            let argument = json!({"uri": uri, "job": is_known.then_some(&command.key)});
            let title = match key {
                Some(key) if command.id == "aurora.inspect" => format!("{key}: {}", command.title),
                _ => command.title.to_owned(),
            };
            show(title, command.id, Some(vec![argument]));
        }
        if let Some(key) = &key
            && let Some(uri) = main.and_then(|main| view.uri(&main))
        {
            for told in cluster::of_job(&view.said, key) {
                show(told, "aurora.status", Some(vec![json!({"uri": uri, "job": key})]));
            }
        }
        if more > 0 {
            show(format!("and {more} more jobs"), "", None);
        }
    }
    out
}
