//! Own values as those of the protocol, and back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aurora_ide::source::{FileEdit, FileId, Location, Source};
use aurora_ide::text::{Encoding, LineColumn, Lines};
use aurora_ide::workspace::normal;
use aurora_ide::{Snapshot, Span};
use tower_lsp::lsp_types::{self as lsp, PositionEncodingKind, Url};

use crate::cluster::Said;
use crate::library::Library;
use crate::settings::Settings;
use crate::state::Uris;

/// The encoding that is spoken: the first of the client's that is known here.
pub(crate) fn encoding(
    offered: Option<&[PositionEncodingKind]>,
) -> (Encoding, PositionEncodingKind) {
    let known = |kind: &PositionEncodingKind| match kind.as_str() {
        "utf-8" => Some((Encoding::Utf8, PositionEncodingKind::UTF8)),
        "utf-16" => Some((Encoding::Utf16, PositionEncodingKind::UTF16)),
        "utf-32" => Some((Encoding::Utf32, PositionEncodingKind::UTF32)),
        _ => None,
    };
    let mut offered = offered.unwrap_or_default().iter();
    offered.find_map(known).unwrap_or((Encoding::Utf16, PositionEncodingKind::UTF16))
}

/// The file that a URI means. One that is no file, such as a text that was never saved, is named by
/// the URI itself.
pub(crate) fn file_id(uri: &Url, library: &Library) -> FileId {
    match path(uri) {
        Some(path) => library.module(&path).unwrap_or_else(|| FileId::new(path)),
        None => FileId::new(uri.as_str()),
    }
}

/// The path that a URI means; [`None`] if it is that of no file.
pub(crate) fn path(uri: &Url) -> Option<PathBuf> {
    let is_file = uri.scheme() == "file";
    uri.to_file_path().ok().filter(|_| is_file).map(|path| normal(&path))
}

/// The files as they were when a request came, and how to speak of them.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) world: Snapshot,
    pub(crate) encoding: Encoding,
    pub(crate) settings: Arc<Settings>,
    pub(crate) library: Arc<Library>,
    /// What the client calls the files that it holds.
    pub(crate) uris: Arc<Uris>,
    /// What schedulers have said of the jobs.
    pub(crate) said: Arc<Said>,
}

impl View {
    /// What the client calls a file; [`None`] if it cannot open it.
    pub(crate) fn uri(&self, file: &FileId) -> Option<Url> {
        if let Some(uri) = self.uris.get(file) {
            return Some(uri.clone());
        }
        if file.is_std() {
            return Url::from_file_path(self.library.path(file)?).ok();
        }
        Url::from_file_path(file.path()).or_else(|()| Url::parse(file.name()).map_err(drop)).ok()
    }

    /// The byte that a place means.
    pub(crate) fn offset(&self, source: &Source, position: lsp::Position) -> u32 {
        let place = LineColumn { line: position.line, column: position.character };
        source.lines.offset(&source.text, place, self.encoding)
    }

    /// The bytes that a range means.
    pub(crate) fn span(&self, source: &Source, range: lsp::Range) -> Span {
        let (start, end) = (self.offset(source, range.start), self.offset(source, range.end));
        Span::new(start.min(end), start.max(end))
    }

    /// Where a byte stands.
    pub(crate) fn position(&self, source: &Source, at: u32) -> lsp::Position {
        position(&source.lines, &source.text, at, self.encoding)
    }

    /// Where a part stands.
    pub(crate) fn range(&self, source: &Source, span: Span) -> lsp::Range {
        lsp::Range::new(self.position(source, span.start), self.position(source, span.end))
    }

    /// Where a part of any file stands; [`None`] if there is no such file.
    pub(crate) fn location(&self, location: &Location) -> Option<lsp::Location> {
        let uri = self.uri(&location.file)?;
        if let Some(source) = self.world.file(&location.file) {
            return Some(lsp::Location::new(uri, self.range(source, location.span)));
        }
        // A file that is none of the language's, such as aurora.toml.
        let text = read(location.file.path())?;
        let lines = Lines::of(&text);
        let at = |at| position(&lines, &text, at, self.encoding);
        let range = lsp::Range::new(at(location.span.start), at(location.span.end));
        Some(lsp::Location::new(uri, range))
    }

    /// A change of a file.
    pub(crate) fn text_edit(&self, source: &Source, span: Span, text: &str) -> lsp::TextEdit {
        lsp::TextEdit::new(self.range(source, span), text.to_owned())
    }

    /// Changes of files, with the versions that they are for if the client knows these. Those of the
    /// library are left out.
    pub(crate) fn workspace_edit(
        &self,
        edits: &[FileEdit],
        is_versioned: bool,
    ) -> lsp::WorkspaceEdit {
        let mut files: BTreeMap<Url, (Option<i32>, Vec<lsp::TextEdit>)> = BTreeMap::new();
        for edit in edits.iter().filter(|edit| !edit.location.file.is_std()) {
            let file = &edit.location.file;
            let (Some(source), Some(uri)) = (self.world.file(file), self.uri(file)) else {
                continue;
            };
            let change = self.text_edit(source, edit.location.span, &edit.text);
            files.entry(uri).or_insert((source.version, Vec::new())).1.push(change);
        }
        if !is_versioned {
            let changes = files.into_iter().map(|(uri, (_, edits))| (uri, edits)).collect();
            return lsp::WorkspaceEdit { changes: Some(changes), ..Default::default() };
        }
        let of_file = |(uri, (version, edits)): (Url, (Option<i32>, Vec<lsp::TextEdit>))| {
            lsp::TextDocumentEdit {
                text_document: lsp::OptionalVersionedTextDocumentIdentifier { uri, version },
                edits: edits.into_iter().map(lsp::OneOf::Left).collect(),
            }
        };
        let changes = files.into_iter().map(of_file).collect();
        lsp::WorkspaceEdit {
            document_changes: Some(lsp::DocumentChanges::Edits(changes)),
            ..lsp::WorkspaceEdit::default()
        }
    }
}

fn position(lines: &Lines, text: &str, at: u32, encoding: Encoding) -> lsp::Position {
    let LineColumn { line, column } = lines.place(text, at, encoding);
    lsp::Position::new(line, column)
}

fn read(path: &Path) -> Option<String> {
    aurora_eval::Loader::include(&aurora_eval::Disk, path).ok()
}

/// A text of Markdown; for a client that does not show it, without its signs.
pub(crate) fn markdown(value: String, is_shown: bool) -> lsp::MarkupContent {
    if is_shown {
        return lsp::MarkupContent { kind: lsp::MarkupKind::Markdown, value };
    }
    let mut plain = String::with_capacity(value.len());
    let mut in_code = false;
    for line in value.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
            continue;
        }
        if in_code {
            plain.push_str(line);
        } else {
            plain.push_str(&line.replace("**", "").replace('`', ""));
        }
        plain.push('\n');
    }
    lsp::MarkupContent { kind: lsp::MarkupKind::PlainText, value: plain.trim_end().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_plain_for_who_does_not_show_it() {
        let text = "**Job.name**: `String`\n\n```aurora\nx = a**b\n```\n- one";
        let plain = markdown(text.to_owned(), false);
        assert_eq!(plain.kind, lsp::MarkupKind::PlainText);
        assert_eq!(plain.value, "Job.name: String\n\nx = a**b\n- one");
        assert_eq!(markdown(text.to_owned(), true).value, text);
    }

    #[test]
    fn files_are_the_same_however_their_uris_are_written() {
        let library = Library::new(None);
        for (uri, wanted) in [
            ("file:///a/b.aurora", "/a/b.aurora"),
            ("file:///a%20b/%C3%A9.aurora", "/a b/\u{e9}.aurora"),
            ("file:///a b/\u{e9}.aurora", "/a b/\u{e9}.aurora"),
            ("file:///a/../b/./c.aurora", "/b/c.aurora"),
            ("file:///a%2Fb.aurora", "/a/b.aurora"),
            ("file://localhost/a.aurora", "/a.aurora"),
            ("untitled:Untitled-1", "untitled:Untitled-1"),
            ("git:/a.aurora?x", "git:/a.aurora?x"),
        ] {
            assert_eq!(file_id(&Url::parse(uri).unwrap(), &library).name(), wanted, "{uri}");
        }
    }

    #[test]
    fn the_first_encoding_that_both_know_is_spoken() {
        let kinds = |names: &[&str]| -> Vec<PositionEncodingKind> {
            names.iter().map(|name| (*name).to_owned().into()).collect()
        };
        for (offered, wanted) in [
            (None, Encoding::Utf16),
            (Some(kinds(&[])), Encoding::Utf16),
            (Some(kinds(&["utf-8", "utf-16"])), Encoding::Utf8),
            (Some(kinds(&["utf-7", "utf-32", "utf-8"])), Encoding::Utf32),
        ] {
            let (found, kind) = encoding(offered.as_deref());
            assert_eq!(found, wanted);
            let is_named = matches!(
                (found, kind.as_str()),
                (Encoding::Utf8, "utf-8")
                    | (Encoding::Utf16, "utf-16")
                    | (Encoding::Utf32, "utf-32")
            );
            assert!(is_named);
        }
    }
}
