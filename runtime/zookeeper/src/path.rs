//! Paths of nodes.

use std::fmt;

/// The longest path, in bytes.
const MAX_LEN: usize = 1024;

/// Why a text is no path of a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin at the root.
    #[error("{0:?} is no path in ZooKeeper: it has to begin with /")]
    Relative(String),
    /// It names nothing below the root.
    #[error("{0:?} is no path in ZooKeeper: it names nothing")]
    Root(String),
    /// ZooKeeper takes no such name.
    #[error("{path:?} is no path in ZooKeeper: {name:?} is no name")]
    Name {
        /// The whole.
        path: String,
        /// What is wrong in it.
        name: String,
    },
    /// It is too long.
    #[error("a path of {0} bytes is too long: {MAX_LEN} are allowed")]
    TooLong(usize),
}

/// The path of a node below the root, with single slashes, none at its end, at most 1024 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodePath(String);

impl NodePath {
    /// Reads a path. Repeated slashes count as one, and one at the end as none.
    ///
    /// # Errors
    /// It is relative, is the root, is too long, or holds a name that ZooKeeper refuses: `.`, `..`,
    /// or one with control characters.
    pub fn new(text: &str) -> Result<Self, PathError> {
        if text.len() > MAX_LEN {
            return Err(PathError::TooLong(text.len()));
        }
        if !text.starts_with('/') {
            return Err(PathError::Relative(text.to_owned()));
        }
        let mut path = String::with_capacity(text.len());
        for name in text.split('/').filter(|name| !name.is_empty()) {
            if name == "." || name == ".." || name.chars().any(is_refused) {
                return Err(PathError::Name { path: text.to_owned(), name: name.to_owned() });
            }
            path.push('/');
            path.push_str(name);
        }
        if path.is_empty() {
            return Err(PathError::Root(text.to_owned()));
        }
        Ok(Self(path))
    }

    /// As ZooKeeper takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This path seen from the root, if its own root is `root`.
    pub(crate) fn below(&self, root: Option<&Self>) -> Self {
        Self(format!("{}{}", root.map_or("", Self::as_str), self.0))
    }

    /// The path itself and all above it, but for the root, the longest first.
    pub(crate) fn upwards(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.as_str()), |path| {
            path.rsplit_once('/').map(|(above, _)| above).filter(|above| !above.is_empty())
        })
    }
}

/// What ZooKeeper takes in no name.
fn is_refused(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}')
}

impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_single_and_none_is_at_the_end() {
        for text in ["/a/b", "//a///b", "/a/b/", "/a//b//"] {
            assert_eq!(NodePath::new(text).unwrap().as_str(), "/a/b", "{text}");
        }
    }

    #[test]
    fn what_zookeeper_would_refuse_is_refused() {
        assert!(matches!(NodePath::new("a/b"), Err(PathError::Relative(_))));
        assert!(matches!(NodePath::new(""), Err(PathError::Relative(_))));
        assert!(matches!(NodePath::new("//"), Err(PathError::Root(_))));
        for name in [".", "..", "a\0", "\u{7f}", "\u{e000}", "\u{ffff}"] {
            let error = NodePath::new(&format!("/a/{name}/b")).unwrap_err();
            assert!(matches!(error, PathError::Name { .. }), "{name:?}: {error}");
        }
        let long = format!("/{}", "a".repeat(MAX_LEN));
        assert_eq!(NodePath::new(&long), Err(PathError::TooLong(MAX_LEN + 1)));
        assert!(NodePath::new("/a/...").is_ok());
    }

    #[test]
    fn a_path_knows_what_is_above_it() {
        let path = NodePath::new("/a/bc/d").unwrap();
        assert_eq!(path.upwards().collect::<Vec<_>>(), ["/a/bc/d", "/a/bc", "/a"]);
        let root = NodePath::new("/root/x").unwrap();
        assert_eq!(path.below(Some(&root)).as_str(), "/root/x/a/bc/d");
        assert_eq!(path.below(None), path);
    }
}
