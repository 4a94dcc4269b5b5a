//! What can be followed like a link: the paths of files that are taken in, and addresses in comments.

use aurora_syntax::Span;

use crate::source::{FileId, Source};
use crate::text::offset;
use crate::workspace::Snapshot;

/// How addresses begin.
const SCHEMES: [&str; 2] = ["https://", "http://"];

/// How long an address may be, in bytes; what is longer is none.
const MAX_URL: usize = 2000;

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What is to be clicked on.
    pub span: Span,
    /// Where it leads.
    pub target: LinkTarget,
}

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkTarget {
    /// To a file, or a module of the library.
    File(FileId),
    /// To an address of the web.
    Url(String),
}

/// The links of a file, in the order of the text. A path leads somewhere also if nothing is known of
/// a file there: an editor may make it.
pub fn links(world: &Snapshot, file: &FileId) -> Vec<Link> {
    let Some(source) = world.file(file) else { return Vec::new() };
    let mut found: Vec<Link> = Vec::new();
    for (inclusion, target) in source.names.inclusions.iter().zip(&source.targets) {
        if let Some(target) = target {
            let span = unquoted(source, inclusion.literal);
            found.push(Link { span, target: LinkTarget::File(target.clone()) });
        }
    }
    for comment in &source.parsed.comments {
        found.extend(urls(source, *comment));
    }
    found.sort_by_key(|link| link.span.start);
    found
}

/// What stands between the quotes of a literal.
fn unquoted(source: &Source, literal: Span) -> Span {
    let written = source.slice(literal);
    let inner = written.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let inner = inner.trim_start_matches(['"', '\'']);
    let start = literal.start + offset(written.len() - inner.len());
    let end = start + offset(inner.trim_end_matches(['"', '\'']).len());
    Span::new(start, end)
}

fn urls(source: &Source, comment: Span) -> Vec<Link> {
    let mut found = Vec::new();
    let mut at = comment.start;
    while let Some(rest) = source.text.get(at as usize..comment.end as usize) {
        let starts = SCHEMES.iter().filter_map(|scheme| Some((rest.find(scheme)?, scheme.len())));
        let Some((start, scheme)) = starts.min() else { break };
        let url = address(&rest[start..]);
        let span = Span::new(at + offset(start), at + offset(start + url.len()));
        if url.len() > scheme && url.len() <= MAX_URL {
            found.push(Link { span, target: LinkTarget::Url(url.to_owned()) });
        }
        at = span.end.max(span.start + offset(scheme));
    }
    found
}

/// The address that a text begins with: the signs of the sentence around it are none of it, nor is a
/// bracket that it does not open.
fn address(text: &str) -> &str {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | '`');
    let mut url = text.split(is_end).next().unwrap_or_default();
    while url.len() <= MAX_URL {
        let shorter = match url.chars().next_back() {
            Some('.' | ',' | ';' | ':' | '!' | '?') => true,
            Some(')') => url.matches(')').count() > url.matches('(').count(),
            Some(']') => url.matches(']').count() > url.matches('[').count(),
            _ => false,
        };
        if !shorter {
            return url;
        }
        url = &url[..url.len() - 1];
    }
    url
}
