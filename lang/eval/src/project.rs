//! `aurora.toml`: what holds for all files of a project.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::codes::Code;
use crate::load::{Disk, Loader};
use crate::report::Report;
use crate::sources::Sources;

/// The name of the file.
const NAME: &str = "aurora.toml";

/// A project: the folder of the `aurora.toml` that holds for a file, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The folder. Files of the project read no files outside of it.
    pub root: PathBuf,
    /// The environment variables that files of the project may read.
    pub env: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default)]
    config: ConfigTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigTable {
    #[serde(default)]
    env: Vec<String>,
}

impl Project {
    /// The project of a file: that of the nearest folder above it with an `aurora.toml`; [`None`]
    /// if there is none.
    ///
    /// # Errors
    /// There is one that cannot be used.
    pub fn of(file: &Path) -> Result<Option<Self>, Report> {
        let Ok(file) = std::path::absolute(file) else { return Ok(None) };
        for folder in file.ancestors().skip(1) {
            let path = folder.join(NAME);
            let name = path.display().to_string();
            match Disk.include(&path) {
                Ok(text) => return Self::parse(folder, &name, &text).map(Some),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(Report::new(
                        Code::BadProjectFile,
                        format!("cannot read {name}: {error}"),
                    ));
                }
            }
        }
        Ok(None)
    }

    /// What a project file says; `name` is what reports call it.
    ///
    /// # Errors
    /// It is no TOML, or has settings that there are not.
    fn parse(folder: &Path, name: &str, text: &str) -> Result<Self, Report> {
        let mut sources = Sources::default();
        sources.add(name, text.into());
        let report =
            |message: &str| Report::new(Code::BadProjectFile, format!("{name}: {message}"));
        let content: Content = toml::from_str(text).map_err(|error| {
            let report = report(error.message());
            let report = match error.span() {
                Some(span) => report.at(&sources, name, span, "here"),
                None => report,
            };
            report.with_help("it may hold: [config] with env = [\"NAME\", …]")
        })?;
        let env = content.config.env;
        if let Some(bad) = env.iter().find(|name| !is_variable(name)) {
            let at = text.find(bad.as_str()).unwrap_or_default();
            return Err(report(&format!("{bad:?} is no name of an environment variable"))
                .at(&sources, name, at..at + bad.len(), "here")
                .with_help("name the variable only: its value comes from the environment"));
        }
        Ok(Self { root: folder.to_owned(), env })
    }
}

/// Whether a text can name an environment variable.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_project_file_above_counts() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        let file = inner.join("x.aurora");
        std::fs::write(folder.path().join(NAME), "[config]\nenv = ['A', 'B']\n").unwrap();
        let project = Project::of(&file).unwrap().unwrap();
        assert_eq!((project.root.as_path(), project.env.len()), (folder.path(), 2));
        std::fs::write(inner.join(NAME), "").unwrap();
        let project = Project::of(&file).unwrap().unwrap();
        assert_eq!((project.root, project.env.len()), (inner.clone(), 0));
    }

    #[test]
    fn what_a_project_file_cannot_say_is_pointed_at() {
        for (text, part) in [
            ("[config]\nenvs = []\n", "envs"),
            ("[other]\n", "other"),
            ("[config]\nenv = 'A'\n", "'A'"),
            ("[config]\nenv = ['A=1']\n", "A=1"),
            ("[config\n", "[config\n"),
        ] {
            let report = Project::parse(Path::new("/p"), "aurora.toml", text).unwrap_err();
            assert_eq!(report.code(), Code::BadProjectFile);
            let finding = report.findings().remove(0);
            let place = finding.location.unwrap();
            assert!(
                text[place.start.offset..].starts_with(part.trim_end()) || part.contains('['),
                "{text}: {place:?}"
            );
        }
    }
}
