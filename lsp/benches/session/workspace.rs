//! The files of the workspace, and how they are typed in.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// How many files the first one includes.
const FILES: usize = 200;
/// How many lines all files have together.
const LINES: usize = 5000;
/// What only an evaluation tells of the first file, and of the others.
pub(crate) const EVALUATED: [&str; 2] = ["production-without-tier", "unused-binding"];
/// How the lines begin of which that is told.
pub(crate) const MARKS: [&str; 2] = ["  production = True,", ").bind(nobody = 1)"];

/// The texts as the editor has them: the first includes all others.
pub(crate) struct Workspace {
    root: PathBuf,
    pub(crate) files: Vec<(String, String)>,
}

impl Workspace {
    /// Writes the files.
    pub(crate) fn generate(root: &Path) -> Self {
        let mut files = Vec::new();
        let mut main = String::new();
        for n in 0..FILES {
            let mut text = String::new();
            let _ = write!(
                text,
                "class Profile{n}(Struct):\n  heap = Default(String, '{n}m')\n  threads = Default(Integer, {n})\n\n\
                 profile_{n} = Profile{n}(threads = 4)\n\n\
                 server_{n} = Process(\n  name = 'server-{n}',\n  \
                 cmdline = './serve --port {{{{thermos.ports[http]}}}} --heap {{{{profile_{n}.heap}}}}',\n  \
                 max_failures = 3,\n).bind(nobody = 1)\n\n\
                 def task_{n}(name):\n  return SequentialTask(\n    name = name,\n    processes = [server_{n}],\n    \
                 resources = Resources(cpu = 1.5, ram = 512 * MB, disk = 1 * GB),\n  )\n"
            );
            let _ = writeln!(main, "include('lib/part_{n}.aurora')");
            files.push((format!("lib/part_{n}.aurora"), text));
        }
        main.push_str("\njobs = []\n\n");
        let used: usize = files.iter().map(|(_, text)| text.lines().count()).sum();
        let mut n = 0;
        while used + main.lines().count() + 12 <= LINES {
            let part = n % FILES;
            let _ = write!(
                main,
                "# The service number {n}.\njobs.append(Service(\n  cluster = 'devcluster',\n  role = 'www-data',\n  \
                 environment = 'prod',\n  name = 'service-{n}',\n  instances = 3,\n  \
                 task = task_{part}('service-{n}'),\n).bind(profile_{part} = profile_{part}))\n\n"
            );
            n += 1;
        }
        main = main.replacen("  instances = 3,\n", &format!("{}\n", MARKS[0]), 1);
        while used + main.lines().count() < LINES {
            main.push_str("# The end.\n");
        }
        files.insert(0, ("main.aurora".to_owned(), main));
        let root = root.join("project");
        for (name, text) in &files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self { root, files }
    }

    pub(crate) fn lines(&self) -> usize {
        self.files.iter().map(|(_, text)| text.lines().count()).sum()
    }

    /// The URI of the folder.
    pub(crate) fn folder(&self) -> String {
        format!("file://{}", self.root.display())
    }

    pub(crate) fn uri(&self, file: usize) -> String {
        format!("file://{}", self.root.join(&self.files[file].0).display())
    }

    /// Which of the files a URI means.
    pub(crate) fn file(&self, uri: &str) -> Option<usize> {
        (0..self.files.len()).find(|file| self.uri(*file) == uri)
    }
}
