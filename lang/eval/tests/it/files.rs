//! Files in memory.

use std::path::{Component, Path, PathBuf};

use aurora_eval::Loader;

/// Files in memory.
pub(crate) struct Files<'a>(pub(crate) &'a [(&'a str, &'a str)]);

impl Loader for Files<'_> {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        let path = self.identity(path);
        self.0
            .iter()
            .find(|(name, _)| Path::new(name) == path)
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::NotFound, "no such file"))
    }

    /// There are no links here: `..` is the folder before.
    fn identity(&self, path: &Path) -> PathBuf {
        let mut plain = PathBuf::new();
        for component in path.components() {
            match component {
                Component::ParentDir => _ = plain.pop(),
                Component::CurDir => {}
                other => plain.push(other),
            }
        }
        plain
    }
}
