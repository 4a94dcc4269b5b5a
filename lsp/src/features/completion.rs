//! What may be written, and what is said of it.

use std::collections::BTreeMap;

use aurora_ide::complete::{self, Completion, CompletionKind, Origin, documentation};
use aurora_ide::source::{FileId, Source};
use tower_lsp::lsp_types::{self as lsp, CompletionItemKind};

use crate::client::Client;
use crate::convert::{View, markdown};

/// What is typed where something can be completed without a letter.
const TRIGGERS: [&str; 9] = [".", "{", "[", "'", "\"", "/", "=", "(", ","];
/// What an editor of VS Code's kind does to complete again.
const AGAIN: &str = "editor.action.triggerSuggest";

/// When it is asked for.
pub(crate) fn options() -> lsp::CompletionOptions {
    lsp::CompletionOptions {
        resolve_provider: Some(true),
        trigger_characters: Some(TRIGGERS.map(str::to_owned).to_vec()),
        ..lsp::CompletionOptions::default()
    }
}

/// What may be written at a byte. What is typed narrows it, so it is asked for anew at each letter.
pub(crate) fn completion(
    view: &View,
    file: &FileId,
    source: &Source,
    at: u32,
    client: &Client,
) -> lsp::CompletionResponse {
    let found = complete::complete(&view.world, file, at);
    let items = found.into_iter().map(|found| item(view, source, found, client)).collect();
    lsp::CompletionResponse::List(lsp::CompletionList { is_incomplete: true, items })
}

fn item(view: &View, source: &Source, found: Completion, client: &Client) -> lsp::CompletionItem {
    let is_snippet = found.is_snippet && client.snippets;
    let text =
        if found.is_snippet && !client.snippets { without_places(&found.text) } else { found.text };
    let edits = found.edits.iter().filter(|edit| edit.location.file == source.id);
    let edits: Vec<lsp::TextEdit> =
        edits.map(|edit| view.text_edit(source, edit.location.span, &edit.text)).collect();
    let again =
        || lsp::Command { title: String::new(), command: AGAIN.to_owned(), arguments: None };
    lsp::CompletionItem {
        kind: Some(kind(found.kind)),
        detail: Some(found.detail).filter(|detail| !detail.is_empty()),
        sort_text: Some(found.sort),
        filter_text: (found.filter != found.label).then_some(found.filter),
        insert_text_format: is_snippet.then_some(lsp::InsertTextFormat::SNIPPET),
        text_edit: Some(view.text_edit(source, found.replaced, &text).into()),
        additional_text_edits: Some(edits).filter(|edits| !edits.is_empty()),
        tags: found.is_deprecated.then(|| vec![lsp::CompletionItemTag::DEPRECATED]),
        command: (found.again && client.completes_again).then(again),
        data: found.origin.and_then(|origin| serde_json::to_value(origin).ok()),
        label: found.label,
        ..lsp::CompletionItem::default()
    }
}

/// The same with what is said of it.
pub(crate) fn resolve(
    view: &View,
    mut item: lsp::CompletionItem,
    client: &Client,
) -> lsp::CompletionItem {
    let origin = item.data.as_ref().and_then(|data| serde_json::from_value(data.clone()).ok());
    let said = origin.and_then(|origin: Origin| documentation(&view.world, &origin));
    let markup = |said| markdown(said, client.completion_markdown);
    item.documentation = said.map(|said| lsp::Documentation::MarkupContent(markup(said)));
    item
}

fn kind(kind: CompletionKind) -> CompletionItemKind {
    match kind {
        CompletionKind::Field => CompletionItemKind::FIELD,
        CompletionKind::Value => CompletionItemKind::ENUM_MEMBER,
        CompletionKind::Variable => CompletionItemKind::VARIABLE,
        CompletionKind::Function => CompletionItemKind::FUNCTION,
        CompletionKind::Method => CompletionItemKind::METHOD,
        CompletionKind::Struct => CompletionItemKind::STRUCT,
        CompletionKind::Constant => CompletionItemKind::CONSTANT,
        CompletionKind::Module => CompletionItemKind::MODULE,
        CompletionKind::Keyword => CompletionItemKind::KEYWORD,
        CompletionKind::Snippet => CompletionItemKind::SNIPPET,
        CompletionKind::File => CompletionItemKind::FILE,
        CompletionKind::Reference => CompletionItemKind::REFERENCE,
    }
}

/// A snippet as text: its places as what stands in them, also where they stand again.
fn without_places(snippet: &str) -> String {
    let mut out = String::with_capacity(snippet.len());
    // The open places, with where they begin, and what stands in those that are complete.
    let mut open: Vec<(&str, usize)> = Vec::new();
    let mut filled: BTreeMap<&str, String> = BTreeMap::new();
    let mut rest = snippet;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        rest = after;
        match letter {
            '\\' => {
                if let Some(escaped) = after.chars().next() {
                    out.push(escaped);
                    rest = &after[escaped.len_utf8()..];
                }
            }
            '$' => {
                let inner = after.strip_prefix('{');
                let number = inner.unwrap_or(after);
                let digits = number.bytes().take_while(u8::is_ascii_digit).count();
                let (number, behind) = number.split_at(digits);
                match (inner, behind.chars().next()) {
                    _ if digits == 0 => out.push('$'),
                    (None, _) => {
                        out.push_str(filled.get(number).map_or("", String::as_str));
                        rest = behind;
                    }
                    (Some(_), Some(':')) => {
                        open.push((number, out.len()));
                        rest = &behind[1..];
                    }
                    (Some(_), Some('}')) => {
                        out.push_str(filled.get(number).map_or("", String::as_str));
                        rest = &behind[1..];
                    }
                    _ => out.push('$'),
                }
            }
            '}' => match open.pop() {
                Some((number, start)) => {
                    filled.insert(number, out[start..].to_owned());
                }
                None => out.push(letter),
            },
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_without_its_places_is_what_stands_in_them() {
        for (snippet, wanted) in [
            ("a", "a"),
            ("name = '$1',$0", "name = '',"),
            ("${1:abc} $2", "abc "),
            ("f(${1:g(${2:x})})", "f(g(x))"),
            ("\\$1 \\} {{${1:x}\\}\\}", "$1 } {{x}}"),
            ("${1} {x} $", " {x} $"),
            ("${name}", "${name}"),
            ("${1:web} = f(name=\"$1\", x=${1})$0", "web = f(name=\"web\", x=web)"),
            ("\\", ""),
            ("${1:\u{e9}}\u{1f600}", "\u{e9}\u{1f600}"),
        ] {
            assert_eq!(without_places(snippet), wanted, "{snippet}");
        }
    }
}
