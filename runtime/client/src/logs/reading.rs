//! Reading what one task has printed, and what it goes on to print.

use std::collections::BTreeMap;

use aurora_thermos::view::Stream;
use tokio::sync::mpsc::Sender;

use super::lines::Splitter;
use super::{Said, Source, Wanted};
use crate::error::{Code, Error};
use crate::sandbox::{Entry, MAX_READ, Sandbox};

/// The folder of a sandbox with what its processes print.
const LOGS: &str = ".logs";
/// How much of a file is looked at for its last lines, in bytes.
const MAX_TAIL: u64 = 64 << 20;

/// The output of one task. Each look passes on what is new.
#[derive(Debug)]
pub struct Reading {
    sandbox: Sandbox,
    wanted: Wanted,
    /// Whether anything was looked at: what comes up later is new.
    begun: bool,
    files: BTreeMap<Source, Place>,
}

/// How far a file is read.
#[derive(Debug, Default)]
struct Place {
    offset: u64,
    /// What the newest of its old files was like.
    rotated: Option<Entry>,
    lines: Splitter,
}

/// A run of a process, with the files in its folder.
struct Run {
    process: String,
    number: u32,
    began_ns: i64,
}

impl Reading {
    /// Nothing is read yet.
    pub fn new(sandbox: Sandbox, wanted: Wanted) -> Self {
        Self { sandbox, wanted, begun: false, files: BTreeMap::new() }
    }

    /// Passes on all that there is.
    ///
    /// # Errors
    /// The agent is out of reach, the sandbox is gone, or a process that is named has printed nothing.
    pub async fn all(&mut self, said: &Sender<Said>) -> Result<(), Error> {
        self.look(said).await?;
        self.finish(said).await;
        for process in &self.wanted.processes {
            if !self.files.keys().any(|source| source.process == *process) {
                let names = self.processes().await?;
                return Err(Error::new(
                    Code::InvalidParameter,
                    format!(
                        "it has no output of a process {process}; there is {}",
                        if names.is_empty() { "none".to_owned() } else { names.join(", ") },
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Passes on what has come since the last look.
    ///
    /// # Errors
    /// The agent is out of reach, or the sandbox is gone.
    pub async fn look(&mut self, said: &Sender<Said>) -> Result<(), Error> {
        for run in self.runs().await? {
            let folder = format!("{LOGS}/{}/{}", run.process, run.number);
            let Some(files) = self.sandbox.list(&folder).await? else { continue };
            for stream in Stream::ALL {
                if self.wanted.has_stream(stream) {
                    self.look_at(&run, stream, &files, said).await?;
                }
            }
        }
        self.begun = true;
        Ok(())
    }

    /// Passes on what is left of lines without an end.
    pub async fn finish(&mut self, said: &Sender<Said>) {
        for (source, place) in &mut self.files {
            if let Some(line) = place.lines.finish() {
                say(said, source, vec![line]).await;
            }
        }
    }

    async fn processes(&self) -> Result<Vec<String>, Error> {
        let Some(found) = self.sandbox.list(LOGS).await? else {
            if self.sandbox.list("").await?.is_none() {
                return Err(Error::new(
                    Code::InvalidParameter,
                    format!(
                        "the sandbox of task {} is not on {} any more, or not yet",
                        self.sandbox.task_id, self.sandbox.host
                    ),
                ));
            }
            return Ok(Vec::new());
        };
        Ok(found.into_iter().filter(Entry::is_folder).map(|entry| entry.name).collect())
    }

    /// The runs to read, those that began first coming first.
    async fn runs(&self) -> Result<Vec<Run>, Error> {
        let mut runs = Vec::new();
        for process in self.processes().await? {
            if !self.wanted.has_process(&process) {
                continue;
            }
            let Some(found) = self.sandbox.list(&format!("{LOGS}/{process}")).await? else {
                continue;
            };
            let mut of_process: Vec<Run> = found
                .into_iter()
                .filter(Entry::is_folder)
                .filter_map(|entry| {
                    let number = entry.name.parse().ok()?;
                    Some(Run { process: process.clone(), number, began_ns: entry.modified_ns })
                })
                .collect();
            of_process.sort_by_key(|run| run.number);
            let last = of_process.last().map_or(0, |run| run.number);
            // One that another has followed since the last look has its last words still to say.
            let is_read = |run: &Run| {
                let known = self
                    .files
                    .keys()
                    .any(|source| source.process == process && source.run == run.number);
                run.number == last
                    || known
                    || (self.begun && run.number > self.last_known(&process))
            };
            of_process.retain(|run| self.wanted.all_runs || is_read(run));
            runs.extend(of_process);
        }
        runs.sort_by(|a, b| {
            (a.began_ns, &a.process, a.number).cmp(&(b.began_ns, &b.process, b.number))
        });
        Ok(runs)
    }

    fn last_known(&self, process: &str) -> u32 {
        let known = self.files.keys().filter(|source| source.process == process);
        known.map(|source| source.run).max().unwrap_or(0)
    }

    async fn look_at(
        &mut self,
        run: &Run,
        stream: Stream,
        files: &[Entry],
        said: &Sender<Said>,
    ) -> Result<(), Error> {
        let name = stream.name();
        let find = |name: &str| files.iter().find(|file| file.name == name && file.is_file());
        let Some(current) = find(name) else { return Ok(()) };
        let newest_old = find(&format!("{name}.1"));
        let source = Source {
            instance: self.sandbox.instance,
            process: run.process.clone(),
            run: run.number,
            stream,
        };
        let path = format!("{LOGS}/{}/{}/{name}", run.process, run.number);
        if !self.files.contains_key(&source) {
            let mut place = Place { rotated: newest_old.cloned(), ..Place::default() };
            // What is found by the first look is old, and maybe not wanted.
            if !self.begun {
                if self.wanted.since_ms.is_some_and(|since| current.modified_ns / 1_000_000 < since)
                {
                    place.offset = current.size;
                } else if let Some(tail) = self.wanted.tail {
                    place.offset = self.tail(&path, current.size, tail).await?;
                } else {
                    for old in old_files(files, name) {
                        let old = format!("{path}.{old}");
                        read(&self.sandbox, &old, 0, &mut place.lines, &source, said).await?;
                    }
                }
            }
            self.files.insert(source.clone(), place);
        }
        let Some(place) = self.files.get_mut(&source) else { return Ok(()) };
        let rotations = rotations(files, name, place.rotated.as_ref());
        for old in (1..=rotations).rev() {
            let path = format!("{path}.{old}");
            read(&self.sandbox, &path, place.offset, &mut place.lines, &source, said).await?;
            place.offset = 0;
        }
        place.rotated = newest_old.cloned();
        if current.size < place.offset {
            // It was cut by the job.
            place.offset = 0;
        }
        if current.size > place.offset {
            let from = place.offset;
            place.offset =
                read(&self.sandbox, &path, from, &mut place.lines, &source, said).await?;
        }
        Ok(())
    }

    /// Where the last `count` lines of a file begin.
    async fn tail(&self, path: &str, size: u64, count: usize) -> Result<u64, Error> {
        let mut end = size;
        let mut lines = 0;
        while end > 0 && size - end < MAX_TAIL {
            let start = end.saturating_sub(MAX_READ);
            let Some(part) = self.sandbox.read(path, start, end - start).await? else {
                return Ok(0);
            };
            for (index, byte) in part.bytes.iter().enumerate().rev() {
                let at = start + index as u64;
                // The end of the last line ends no line before it.
                if *byte == b'\n' && at + 1 < size {
                    lines += 1;
                    if lines == count {
                        return Ok(at + 1);
                    }
                }
            }
            end = start;
        }
        // No line at all, or as many of the last as are looked at.
        Ok(if count == 0 { size } else { end })
    }
}

/// How often a log was rotated since `before` was the newest of its old files; what was the log then has that
/// number now. One that was rotated out of sight counts as the oldest that there is.
fn rotations(files: &[Entry], name: &str, before: Option<&Entry>) -> u32 {
    let numbers = old_files(files, name);
    let oldest = numbers.first().copied().unwrap_or(0);
    let Some(before) = before else { return oldest };
    let is_before = |number: &u32| {
        let now = files.iter().find(|file| file.name == format!("{name}.{number}"));
        now.is_some_and(|now| (now.size, now.modified_ns) == (before.size, before.modified_ns))
    };
    // Where several are alike the least number loses nothing that was read before.
    numbers.iter().rev().find(|number| is_before(number)).map_or(oldest, |number| number - 1)
}

/// The numbers of the old files of a log, the oldest first.
fn old_files(files: &[Entry], name: &str) -> Vec<u32> {
    let number = |file: &Entry| file.name.strip_prefix(name)?.strip_prefix('.')?.parse().ok();
    let mut numbers: Vec<u32> =
        files.iter().filter(|file| file.is_file()).filter_map(number).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers
}

/// Passes on a file from an offset to its end. Gives where it ended.
async fn read(
    sandbox: &Sandbox,
    path: &str,
    mut offset: u64,
    lines: &mut Splitter,
    source: &Source,
    said: &Sender<Said>,
) -> Result<u64, Error> {
    loop {
        let Some(part) = sandbox.read(path, offset, MAX_READ).await? else { return Ok(offset) };
        if part.bytes.is_empty() {
            return Ok(offset);
        }
        offset += part.bytes.len() as u64;
        let whole = lines.push(&part.bytes);
        if !whole.is_empty() {
            say(said, source, whole).await;
        }
        if offset >= part.size {
            return Ok(offset);
        }
    }
}

async fn say(said: &Sender<Said>, source: &Source, lines: Vec<Vec<u8>>) {
    // Who listens no more has seen enough.
    let _ = said.send(Said::Lines(source.clone(), lines)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, size: u64, modified_ns: i64) -> Entry {
        Entry { name: name.to_owned(), size, modified_ns, mode: 0o100_644 }
    }

    #[test]
    fn rotations_are_counted_by_what_the_old_files_were() {
        let before = file("stdout.1", 5, 100);
        let now = |olds: &[(&str, u64, i64)]| -> Vec<Entry> {
            olds.iter().map(|(name, size, at)| file(name, *size, *at)).collect()
        };
        let one = now(&[("stdout", 1, 300), ("stdout.1", 6, 200), ("stdout.2", 5, 100)]);
        assert_eq!(rotations(&one, "stdout", Some(&before)), 1);
        let none = now(&[("stdout", 1, 300), ("stdout.1", 5, 100), ("stdout.2", 5, 90)]);
        assert_eq!(rotations(&none, "stdout", Some(&before)), 0);
        let gone = now(&[("stdout", 1, 300), ("stdout.1", 5, 290), ("stdout.2", 5, 280)]);
        assert_eq!(rotations(&gone, "stdout", Some(&before)), 2);
        assert_eq!(rotations(&one, "stdout", None), 2);
        assert_eq!(rotations(&now(&[("stdout", 1, 1)]), "stdout", None), 0);
        assert_eq!(old_files(&one, "stdout"), [2, 1]);
    }
}
