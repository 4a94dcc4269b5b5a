//! Cases as texts: `$0` marks the cursor, `#- name` begins a file.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use aurora_eval::{Engine, ExportOptions, Inputs, Loader, Options};
use aurora_ide::evaluated::evaluate;
use aurora_ide::{FileEdit, FileId, Location, Snapshot, Source, Span, Workspace};

/// The folder in which the files of a case stand.
pub(crate) const ROOT: &str = "/project";
/// The file of a case that names none.
pub(crate) const MAIN: &str = "main.aurora";

/// Each case with what it is to come to; tells all that come to something else.
pub(crate) fn check(show: impl Fn(&str) -> String, cases: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (case, wanted) in cases {
        let found = show(case);
        if found != *wanted {
            wrong.push_str(&format!("{case}\n  wanted {wanted}\n  found  {found}\n\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// A case: files, and a cursor in one of them.
pub(crate) struct Fixture {
    pub(crate) world: Snapshot,
    pub(crate) workspace: Workspace,
    /// The file with the cursor; without one, the first.
    pub(crate) file: FileId,
    /// The byte at the cursor; without one, 0.
    pub(crate) at: u32,
    files: Files,
}

/// The files of a case, in place of a disk.
#[derive(Default)]
pub(crate) struct Files(BTreeMap<String, String>);

impl Loader for Files {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        let found = path.to_str().and_then(|path| self.0.get(path));
        found.cloned().ok_or_else(|| Error::from(ErrorKind::NotFound))
    }
}

impl Fixture {
    /// Reads a case.
    pub(crate) fn new(case: &str) -> Self {
        let mut files: Vec<(String, String)> = Vec::new();
        for line in case.split_inclusive('\n') {
            match line.strip_prefix("#- ") {
                Some(name) => files.push((name.trim().to_owned(), String::new())),
                None if files.is_empty() => files.push((MAIN.to_owned(), line.to_owned())),
                None => files.last_mut().unwrap().1.push_str(line),
            }
        }
        if files.is_empty() {
            files.push((MAIN.to_owned(), String::new()));
        }
        let mut cursor = (files[0].0.clone(), 0);
        for (name, text) in &mut files {
            if let Some(at) = text.find("$0") {
                text.replace_range(at..at + 2, "");
                cursor = (name.clone(), at);
            }
        }
        let id = |name: &str| FileId::new(format!("{ROOT}/{name}"));
        let mut workspace = Workspace::default();
        for (name, text) in &files {
            workspace.open(id(name), text.clone(), 1);
        }
        let named = files.into_iter().map(|(name, text)| (format!("{ROOT}/{name}"), text));
        Self {
            world: workspace.snapshot(),
            workspace,
            file: id(&cursor.0),
            at: u32::try_from(cursor.1).unwrap(),
            files: Files(named.collect()),
        }
    }

    /// The same after the file with the cursor, and what includes it, was evaluated.
    pub(crate) fn evaluated(case: &str) -> Self {
        let mut fixture = Self::new(case);
        let engine = Engine::default();
        let options = Options {
            inputs: Inputs { user: "me".to_owned(), root: ROOT.into(), ..Inputs::default() },
            ..Options::default()
        };
        for main in fixture.world.mains_of(&fixture.file) {
            let found = evaluate(&fixture.world, &main, &engine, &fixture.files, &options);
            fixture.workspace.set_evaluated(main, Arc::new(found));
        }
        fixture.world = fixture.workspace.snapshot();
        fixture
    }

    /// The same files after changes.
    pub(crate) fn edited(&self, edits: &[FileEdit]) -> Self {
        let world = self.world.edited(edits).unwrap();
        let name =
            |id: &FileId| id.name().trim_start_matches(ROOT).trim_start_matches('/').to_owned();
        let files = world.files().map(|file| format!("#- {}\n{}", name(&file.id), file.text));
        Self { file: self.file.clone(), ..Self::new(&files.collect::<String>()) }
    }

    /// What each file comes to that is run for itself: its jobs as JSON, or what is wrong.
    pub(crate) fn exported(&self) -> String {
        let options = Options {
            inputs: Inputs { user: "me".to_owned(), root: ROOT.into(), ..Inputs::default() },
            ..Options::default()
        };
        let mut out = String::new();
        for file in self.world.files() {
            if !self.world.mains_of(&file.id).contains(&file.id) {
                continue;
            }
            let config = Engine::default().evaluate(file.id.path(), &self.files, &options);
            let mut json = Vec::new();
            aurora_eval::export(config.as_deref(), &ExportOptions::default(), &mut json).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
            out.push_str(&format!("{}: {} {}\n", file.id, json["error"], json["jobs"]));
        }
        out
    }

    /// The file with the cursor.
    pub(crate) fn source(&self) -> &Arc<Source> {
        self.world.file(&self.file).unwrap()
    }

    /// A place as `file:text` for assertions.
    pub(crate) fn shown(&self, location: &Location) -> String {
        let source = self.world.file(&location.file).unwrap();
        let name = location.file.name().trim_start_matches(ROOT).trim_start_matches('/');
        let line = source.lines.line(location.span.start) + 1;
        format!("{name}:{line}:{}", source.slice(location.span))
    }

    /// A part of the file with the cursor as its text.
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.source().slice(span)
    }
}
