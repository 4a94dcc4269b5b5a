//! What the processes of tasks have printed: `.logs/PROCESS/RUN/stdout` and `stderr` of their sandboxes.
//!
//! [`Reading`] reads one task, [`follow`] the tasks of a job as they come and go. What is read is passed on
//! through a channel that holds little, so that memory is bounded by it whatever is printed.

mod follow;
mod lines;
mod reading;

use std::collections::BTreeSet;

use aurora_thermos::view::Stream;

use crate::error::Error;
use crate::sandbox::Sandbox;

pub use follow::{follow, latest};
pub use reading::Reading;

/// The longest line that is passed on whole, in bytes; a longer one comes in pieces.
pub const MAX_LINE: usize = 16 << 10;

/// Which output is meant.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The processes; all if none is named.
    pub processes: BTreeSet<String>,
    /// One of the two streams, or both.
    pub stream: Option<Stream>,
    /// Only files to which something was printed since then, in milliseconds since the epoch.
    pub since_ms: Option<i64>,
    /// Of each file the last lines only.
    pub tail: Option<usize>,
    /// The runs of a process before its last one, too.
    pub all_runs: bool,
}

impl Wanted {
    fn has_process(&self, name: &str) -> bool {
        self.processes.is_empty() || self.processes.contains(name)
    }

    fn has_stream(&self, stream: Stream) -> bool {
        self.stream.is_none_or(|wanted| wanted == stream)
    }
}

/// Who has printed something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The instance.
    pub instance: u32,
    /// The process.
    pub process: String,
    /// Its run, from 0 on.
    pub run: u32,
    /// Where to.
    pub stream: Stream,
}

/// What comes of reading.
#[derive(Debug)]
pub enum Said {
    /// Lines, without their ends.
    Lines(Source, Vec<Vec<u8>>),
    /// An instance cannot be read, or not any more.
    Trouble(u32, Error),
}

/// The last lines that the last run of a process has printed to one stream; none if it has printed nothing.
///
/// # Errors
/// The agent is out of reach, or the sandbox is gone.
pub async fn last_lines(
    sandbox: &Sandbox,
    process: &str,
    stream: Stream,
    count: usize,
) -> Result<Vec<String>, Error> {
    let wanted = Wanted {
        processes: [process.to_owned()].into(),
        stream: Some(stream),
        tail: Some(count),
        ..Wanted::default()
    };
    let (said, mut hears) = tokio::sync::mpsc::channel(1);
    let mut reading = Reading::new(sandbox.clone(), wanted);
    let read = async move { reading.all(&said).await };
    let heard = async {
        let mut all = Vec::new();
        while let Some(said) = hears.recv().await {
            if let Said::Lines(_, lines) = said {
                all.extend(lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()));
            }
        }
        all
    };
    let (read, all) = tokio::join!(read, heard);
    read.map(|()| all)
}
