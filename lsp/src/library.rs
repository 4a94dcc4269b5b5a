//! The library's modules and the pages about errors as files.
//!
//! `load("@std//service.aurora", …)` names a text that is part of the program. Editors open files, and
//! only some of them anything else, so going to a definition there leads to a copy in the user's cache
//! folder: read-only, written when it is first needed, in a folder named by the texts.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use aurora_eval::{Code, STD, std_module, std_modules};
use aurora_ide::FileId;

/// The folder of the copies: named by what is in them, so that two versions of the program have one
/// each.
static NAME: LazyLock<String> = LazyLock::new(|| {
    let mut all = crc32fast::Hasher::new();
    for module in std_modules() {
        all.update(module.as_bytes());
        all.update(std_module(module).unwrap_or_default().as_bytes());
    }
    for code in Code::ALL {
        all.update(code.id().as_bytes());
        all.update(code.page().as_bytes());
    }
    format!("texts-{}-{:08x}", env!("CARGO_PKG_VERSION"), all.finalize())
});

/// Where the copies are.
#[derive(Debug)]
pub(crate) struct Library {
    folder: Option<PathBuf>,
    /// What was written, or could not be.
    written: Mutex<BTreeMap<PathBuf, bool>>,
}

impl Library {
    /// Copies below a folder; without one there are none.
    pub(crate) fn new(cache: Option<&Path>) -> Self {
        Self { folder: cache.map(|cache| cache.join(&*NAME)), written: Mutex::default() }
    }

    /// The copy of a module, which is there then.
    pub(crate) fn path(&self, module: &FileId) -> Option<PathBuf> {
        let name = module.name().strip_prefix(STD)?;
        self.copy(Path::new("std").join(name), std_module(name)?)
    }

    /// The copy of the page about a code.
    pub(crate) fn page(&self, code: Code) -> Option<PathBuf> {
        self.copy(Path::new("errors").join(format!("{code}.md")), code.page())
    }

    /// The module whose copy is at a path.
    pub(crate) fn module(&self, path: &Path) -> Option<FileId> {
        let name = path.strip_prefix(self.folder.as_ref()?.join("std")).ok()?.to_str()?;
        std_module(name).map(|_| FileId::new(format!("{STD}{name}")))
    }

    /// A file with what a command came to. Each command and job has one, which is written anew.
    pub(crate) fn result(&self, title: &str, text: &str) -> Option<PathBuf> {
        let name: String =
            title.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).take(100).collect();
        let path = self.folder.as_ref()?.join("results").join(format!("{name}.txt"));
        write(&path, text).is_ok().then_some(path)
    }

    fn copy(&self, name: PathBuf, text: &str) -> Option<PathBuf> {
        let path = self.folder.as_ref()?.join(name);
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = match written.get(&path) {
            Some(is_there) => *is_there,
            None => {
                let is_there = write(&path, text).is_ok();
                written.insert(path.clone(), is_there);
                is_there
            }
        };
        is_there.then_some(path)
    }
}

/// Writes a file that other servers may write at the same time.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if std::fs::read(path).is_ok_and(|found| found == text.as_bytes()) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    let mut permissions = file.as_file().metadata()?.permissions();
    permissions.set_readonly(true);
    file.as_file().set_permissions(permissions)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_leads_to_its_copy_and_back() {
        let cache = tempfile::tempdir().unwrap();
        let library = Library::new(Some(cache.path()));
        let module = FileId::new("@std//service.aurora");
        let path = library.path(&module).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), std_module("service.aurora").unwrap());
        assert!(std::fs::metadata(&path).unwrap().permissions().readonly());
        assert_eq!(library.module(&path), Some(module.clone()));
        assert_eq!(Library::new(Some(cache.path())).path(&module), Some(path));
        for (module, path) in [("@std//none.aurora", "std/none.aurora"), ("/a.aurora", "../a")] {
            assert_eq!(library.path(&FileId::new(module)), None);
            assert_eq!(library.module(&cache.path().join(path)), None);
        }
    }

    #[test]
    fn without_a_place_for_copies_there_are_none() {
        let module = FileId::new("@std//service.aurora");
        assert_eq!(Library::new(None).path(&module), None);
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(Library::new(Some(file.path())).path(&module), None);
    }
}
