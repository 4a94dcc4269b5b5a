//! The texts that an evaluation has read, for places in them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use aurora_syntax::Parsed;

use aurora_syntax::SpanMap;

/// The texts that were read, by the names of their files.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sources(BTreeMap<Arc<str>, Source>);

#[derive(Debug, Clone)]
struct Source {
    text: Arc<str>,
    /// From what the interpreter was given to the text; [`None`] until it was.
    map: Option<Arc<SpanMap>>,
    /// The text's tree, once somebody has asked for it.
    parsed: OnceLock<Arc<Parsed>>,
}

impl Sources {
    pub(crate) fn text(&self, file: &str) -> Option<Arc<str>> {
        self.0.get(file).map(|source| source.text.clone())
    }

    /// The text of a file and its tree.
    pub(crate) fn parsed(&self, file: &str) -> Option<(Arc<str>, Arc<Parsed>)> {
        let source = self.0.get(file)?;
        let parsed = source.parsed.get_or_init(|| Arc::new(aurora_syntax::parse(&source.text)));
        Some((source.text.clone(), parsed.clone()))
    }

    /// The names and texts of the user's files: not those of the library.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        let all = self.0.iter().map(|(name, source)| (name, &source.text));
        all.filter(|(name, _)| !name.starts_with('@'))
    }

    pub(crate) fn add(&mut self, file: &str, text: Arc<str>) {
        self.0.insert(file.into(), Source { text, map: None, parsed: OnceLock::new() });
    }

    pub(crate) fn set_map(&mut self, file: &str, map: SpanMap) {
        if let Some(source) = self.0.get_mut(file) {
            source.map = Some(Arc::new(map));
        }
    }

    /// Takes over what another evaluation has read.
    pub(crate) fn extend(&mut self, other: &Self) {
        for (file, source) in &other.0 {
            self.0.entry(file.clone()).or_insert_with(|| source.clone());
        }
    }

    /// The file and the place in its text of a place in what the interpreter was given.
    pub(crate) fn place(&self, file: &str, span: Range<usize>) -> (Arc<str>, Range<usize>) {
        match self.0.get_key_value(file) {
            Some((file, Source { map: Some(map), .. })) => (file.clone(), map.original(span)),
            Some((file, _)) => (file.clone(), span),
            None => (file.into(), span),
        }
    }
}
