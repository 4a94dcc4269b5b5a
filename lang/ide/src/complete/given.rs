//! What files have given already: the texts of a field, the names of processes and jobs, ports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_syntax::{Kind as Word, Token};

use super::place::Place;
use crate::cursor::between_quotes;
use crate::source::Source;
use crate::template;

/// How many files are looked at.
const MAX_FILES: usize = 500;
/// How many texts are proposed.
const MAX_TEXTS: usize = 30;
/// Longer texts are no names that somebody else would write again.
const MAX_LENGTH: usize = 80;

/// The texts that files of the workspace give to arguments of a name, the most frequent first.
pub(super) fn texts(place: &Place<'_>, argument: &str) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in place.world.files().take(MAX_FILES) {
        for literal in file.given(argument) {
            if let Some(text) = plain(file, literal).filter(|_| !is_at(place, file, literal)) {
                *counts.entry(text).or_default() += 1;
            }
        }
    }
    let mut found: Vec<(usize, &str)> =
        counts.into_iter().map(|(text, count)| (count, text)).collect();
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    found.into_iter().take(MAX_TEXTS).map(|(_, text)| text.to_owned()).collect()
}

/// The names of the processes that files of the namespace write out, those of the file first.
pub(super) fn processes(place: &Place<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for file in place.world.namespace(place.source).iter() {
        for call in calls(file, &["Process"]) {
            if let Some(name) = argument(file, call, "name")
                && !is_at(place, file, name)
                && let Some(name) = plain(file, name)
                && seen.insert(name.to_owned())
            {
                found.push(name.to_owned());
            }
        }
    }
    found
}

/// The roles and names of the jobs that files of the workspace write out, as `role/name`.
pub(super) fn jobs(place: &Place<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in place.world.files().take(MAX_FILES) {
        for call in calls(file, &["Job", "Service", "MesosJob"]) {
            let text = |name| argument(file, call, name).and_then(|token| plain(file, token));
            if let (Some(role), Some(name)) = (text("role"), text("name")) {
                found.insert(format!("{role}/{name}"));
            }
        }
    }
    found
}

/// The names of the ports that files refer to or announce.
pub(super) fn ports(place: &Place<'_>) -> BTreeSet<String> {
    let mut found = template::ports(place.world, place.source);
    found.extend(texts(place, "primary_port"));
    found.remove("");
    found
}

/// The tokens behind the opening bracket of each call of one of these names.
fn calls<'a>(file: &'a Arc<Source>, names: &'a [&str]) -> impl Iterator<Item = &'a [Token]> {
    let tokens =
        if names.iter().any(|name| file.text.contains(name)) { file.tokens() } else { &[] };
    tokens.windows(2).enumerate().filter_map(move |(at, window)| {
        let [name, open] = window else { return None };
        let is_it = name.kind == Word::Name
            && open.kind == Word::LParen
            && names.contains(&file.slice(name.span));
        is_it.then(|| tokens.get(at + 2..)).flatten()
    })
}

/// The literal that a call gives to an argument.
fn argument<'a>(file: &Source, call: &'a [Token], wanted: &str) -> Option<&'a Token> {
    let mut depth = 0_usize;
    for (at, token) in call.iter().enumerate() {
        match token.kind {
            Word::LParen | Word::LBracket | Word::LBrace => depth += 1,
            Word::RParen | Word::RBracket | Word::RBrace => depth = depth.checked_sub(1)?,
            Word::Newline | Word::Broken | Word::End => return None,
            Word::Name if depth == 0 && file.slice(token.span) == wanted => {
                let equals = call.get(at + 1)?;
                let value = call.get(at + 2)?;
                if equals.kind == Word::Eq && value.kind == Word::Str {
                    return Some(value);
                }
            }
            _ => {}
        }
    }
    None
}

/// What a literal says, if that is one short line as it is written.
fn plain<'a>(file: &'a Source, token: &Token) -> Option<&'a str> {
    let (prefix, inner) = between_quotes(file, token)?;
    let text = file.slice(inner);
    let is_plain = token.kind == Word::Str
        && prefix.is_empty()
        && !text.is_empty()
        && text.len() <= MAX_LENGTH
        && !text.contains(['\\', '\n', '\r'])
        && !text.contains("{{");
    is_plain.then_some(text)
}

/// Whether a literal is the one at the cursor.
fn is_at(place: &Place<'_>, file: &Source, token: &Token) -> bool {
    file.id == place.source.id && token.span.start < place.at && place.at < token.span.end
}
