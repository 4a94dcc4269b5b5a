//! Why a task has failed, as far as it can be seen from what it leaves behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aurora_daemon::text::{LAST_LINES, last_lines};
use aurora_thermos::logs;
use aurora_thermos::runner::LOG_DIR;
use aurora_thermos::state::ProcessState;
use aurora_thermos::view::{Stream, Task, Tasks, log_path};

use crate::memory::Memory;

/// How long the search may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where to look.
#[derive(Debug)]
pub(crate) struct Autopsy {
    pub(crate) checkpoint_root: PathBuf,
    pub(crate) task_id: String,
    pub(crate) sandbox: PathBuf,
    pub(crate) memory: Option<Memory>,
}

impl Autopsy {
    /// What there is to add to the reason of a task that has failed; nothing if nothing is found.
    pub(crate) async fn look(self) -> String {
        let search = tokio::task::spawn_blocking(move || self.search());
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                tracing::error!(%error, "the search for the cause has failed");
                String::new()
            }
            Err(_late) => {
                tracing::warn!("the search for the cause takes too long");
                String::new()
            }
        }
    }

    fn search(&self) -> String {
        let mut found = String::new();
        if let Some(killed) = self.memory.as_ref().and_then(Memory::killed) {
            found.push_str("; ");
            found.push_str(&killed);
        }
        let lines = self.last_words();
        if !lines.is_empty() {
            found.push_str("; its stderr ends: ");
            found.push_str(&lines);
        }
        found
    }

    /// The last lines of what the process that failed first has written to its standard error.
    fn last_words(&self) -> String {
        let task = match Tasks::new(&self.checkpoint_root).get(&self.task_id) {
            Ok(Some(task)) => task,
            Ok(None) => return String::new(),
            Err(error) => {
                tracing::warn!(%error, "failed to look for the process that failed");
                return String::new();
            }
        };
        let Some((process, run)) = failed_first(&task) else { return String::new() };
        let path = log_path(Path::new(LOG_DIR), &process, run, Stream::Stderr);
        // A process need not keep a file.
        let Ok((bytes, _)) = logs::tail(&self.sandbox, &path, LAST_LINES) else {
            return String::new();
        };
        last_lines(&bytes)
    }
}

/// The process whose failure was the first, and its last run that failed.
fn failed_first(task: &Task) -> Option<(String, u32)> {
    let names = task.process_names();
    let failures = names.into_iter().filter_map(|name| {
        let failed = |run: &&aurora_thermos::view::Run| run.state == ProcessState::Failed;
        let runs = task.runs(&name);
        let first = runs.iter().find(failed)?.stopped_ms?;
        let last = runs.iter().rfind(failed)?.number;
        Some((first, name, last))
    });
    failures.min().map(|(_, name, last)| (name, last))
}
