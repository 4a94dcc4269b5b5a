//! Files that are looked at together, with one table of the names at their top.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::names::{DefId, hash};
use crate::source::Source;

/// A list of files.
#[derive(Debug, Default)]
pub struct Files {
    all: Vec<Arc<Source>>,
    /// What the files define at their top, in the order of hashes, files and texts; made once
    /// somebody asks.
    top: OnceLock<Vec<Top>>,
}

/// A definition at the top of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Top {
    hash: u64,
    file: usize,
    id: DefId,
}

impl Files {
    /// A list of these.
    pub fn new(all: Vec<Arc<Source>>) -> Self {
        Self { all, top: OnceLock::new() }
    }

    /// The definitions of a name at the top of the files, in the order of files and texts: places
    /// among the files and their definitions.
    pub fn at_top<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (usize, DefId)> + 'a {
        let wanted = hash(name);
        let top = self.top.get_or_init(|| self.table());
        let from = top.partition_point(|top| top.hash < wanted);
        let same = top[from..].iter().take_while(move |top| top.hash == wanted);
        same.filter(move |top| {
            let source = &self.all[top.file];
            source.slice(source.names.definitions[top.id].name) == name
        })
        .map(|top| (top.file, top.id))
    }

    fn table(&self) -> Vec<Top> {
        let of_file = |(file, source): (usize, &'_ Arc<Source>)| {
            let all = source.names.top().to_vec().into_iter();
            all.map(move |(hash, id)| Top { hash, file, id })
        };
        let mut top: Vec<Top> = self.all.iter().enumerate().flat_map(of_file).collect();
        top.sort_unstable();
        top
    }
}

impl Deref for Files {
    type Target = [Arc<Source>];

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}
