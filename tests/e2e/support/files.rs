//! A web server of files.

use std::path::Path;
use std::process::Command;

use super::process::Process;

/// A web server of the files in a folder.
pub(crate) struct FileServer {
    // Ended with this.
    _process: Process,
    address: String,
}

impl FileServer {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut command = Command::new("python3");
        command.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0", "--directory"]);
        let process = Process::start(command.arg(folder));
        let line = process.expect("Serving HTTP on");
        let address = line.split(['(', ')']).nth(1).unwrap().trim_end_matches('/').to_owned();
        Self { _process: process, address }
    }

    /// Where a file is.
    pub(crate) fn address(&self, file: &str) -> String {
        format!("{}/{file}", self.address)
    }
}
