//! Reading what one task has printed, and what it goes on to print.

use std::collections::BTreeMap;

use aurora_thermos::view::Stream;
use bytes::Bytes;
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
    /// The number of the newest of its old files, and what that was like.
    rotated: Option<(u32, Entry)>,
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
            if !self.sandbox.has_folder("").await? {
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
        let old = old_files(files, name);
        let newest_old = old.last().map(|(number, file)| (*number, (*file).clone()));
        let source = Source {
            instance: self.sandbox.instance,
            process: run.process.clone(),
            run: run.number,
            stream,
        };
        let path = format!("{LOGS}/{}/{}/{name}", run.process, run.number);
        if !self.files.contains_key(&source) {
            // What is found by the first look is old, and maybe not wanted.
            let is_old = |since| current.modified_ns / 1_000_000 < since;
            let skipped = if self.begun {
                None
            } else if self.wanted.since_ms.is_some_and(is_old) {
                Some(current.size)
            } else if let Some(tail) = self.wanted.tail {
                Some(self.tail(&path, current.size, tail).await?)
            } else {
                None
            };
            let place = skipped.map_or_else(Place::default, |offset| Place {
                offset,
                rotated: newest_old.clone(),
                ..Place::default()
            });
            self.files.insert(source.clone(), place);
        }
        let Some(place) = self.files.get_mut(&source) else { return Ok(()) };
        let rotations = rotations(&old, place.rotated.as_ref());
        if rotations > 0 {
            // What was the log is read on, also if it gets its number only now; those since are read whole.
            let since = old.iter().map(|(number, _)| *number).filter(|number| *number < rotations);
            for number in std::iter::once(rotations).chain(since) {
                let path = format!("{path}.{number}");
                read(&self.sandbox, &path, place.offset, &mut place.lines, &source, said).await?;
                place.offset = 0;
            }
        }
        place.rotated = newest_old;
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
        let part = |offset, length| async move {
            let part = self.sandbox.read(path, offset, length).await?;
            Ok(part.map(|part| part.bytes).unwrap_or_default())
        };
        last_lines(size, count, part).await
    }
}

/// Where the last `count` lines begin of a file of this size, of which `part` gives the bytes from an offset on: as
/// many as it likes, and none behind its end. As many of the last as are looked at if those are fewer.
async fn last_lines<Part: Future<Output = Result<Bytes, Error>>>(
    size: u64,
    count: usize,
    part: impl Fn(u64, u64) -> Part,
) -> Result<u64, Error> {
    if count == 0 {
        return Ok(size);
    }
    let mut end = size;
    let mut lines = 0;
    while end > 0 && size - end < MAX_TAIL {
        let start = end.saturating_sub(MAX_READ);
        let mut block = Vec::new();
        loop {
            let at = start + block.len() as u64;
            let bytes = if at < end { part(at, end - at).await? } else { Bytes::new() };
            // That it ends before is so if the job has cut it meanwhile.
            if bytes.is_empty() {
                break;
            }
            block.extend_from_slice(&bytes);
        }
        for (index, byte) in block.iter().enumerate().rev() {
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
    Ok(end)
}

/// How often a log was rotated since `before` was the newest of its old files; what was the log then has that
/// number now. One that was rotated out of sight counts as the oldest that there is.
fn rotations(old: &[(u32, &Entry)], before: Option<&(u32, Entry)>) -> u32 {
    let oldest = old.first().map_or(0, |(number, _)| *number);
    let Some((number, before)) = before else { return oldest };
    let is_before = |now: &Entry| (now.size, now.modified_ns) == (before.size, before.modified_ns);
    // Where several are alike the least number loses nothing that was read before.
    let now = old.iter().rev().find(|(_, now)| is_before(now));
    now.map_or(oldest, |(now, _)| now.saturating_sub(*number))
}

/// The old files of a log with their numbers, the oldest first. Other names are not those of old files.
fn old_files<'a>(files: &'a [Entry], name: &str) -> Vec<(u32, &'a Entry)> {
    let number = |file: &Entry| {
        let digits = file.name.strip_prefix(name)?.strip_prefix('.')?;
        let number: u32 = digits.parse().ok()?;
        (number > 0 && number.to_string() == digits).then_some(number)
    };
    let mut old: Vec<_> = files
        .iter()
        .filter(|file| file.is_file())
        .filter_map(|file| Some((number(file)?, file)))
        .collect();
    old.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
    old
}

/// Passes on a file from an offset to where its end is at the beginning: what is written meanwhile may never end, and is
/// seen by the next look. Gives how far it was read.
async fn read(
    sandbox: &Sandbox,
    path: &str,
    mut offset: u64,
    lines: &mut Splitter,
    source: &Source,
    said: &Sender<Said>,
) -> Result<u64, Error> {
    let mut end = None;
    loop {
        let Some(part) = sandbox.read(path, offset, MAX_READ).await? else { return Ok(offset) };
        let end = *end.get_or_insert(part.size);
        if part.bytes.is_empty() {
            return Ok(offset);
        }
        offset += part.bytes.len() as u64;
        let whole = lines.push(&part.bytes);
        if !whole.is_empty() {
            say(said, source, whole).await;
        }
        if offset >= end {
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
        let before = (1, file("stdout.1", 5, 100));
        let now = |olds: &[(&str, u64, i64)]| -> Vec<Entry> {
            olds.iter().map(|(name, size, at)| file(name, *size, *at)).collect()
        };
        let count = |files: &[Entry], before| rotations(&old_files(files, "stdout"), before);
        let one = now(&[("stdout", 1, 300), ("stdout.1", 6, 200), ("stdout.2", 5, 100)]);
        assert_eq!(count(&one, Some(&before)), 1);
        let none = now(&[("stdout", 1, 300), ("stdout.1", 5, 100), ("stdout.2", 5, 90)]);
        assert_eq!(count(&none, Some(&before)), 0);
        let gone = now(&[("stdout", 1, 300), ("stdout.1", 5, 290), ("stdout.2", 5, 280)]);
        assert_eq!(count(&gone, Some(&before)), 2);
        assert_eq!(count(&one, None), 2);
        assert_eq!(count(&now(&[("stdout", 1, 1)]), None), 0);
        let far = now(&[("stdout", 1, 300), ("stdout.4000000000", 5, 100)]);
        assert_eq!(count(&far, Some(&(4_000_000_000, far[1].clone()))), 0, "nothing has changed");
    }

    #[test]
    fn old_files_are_told_by_their_names() {
        let names = ["stdout", "stdout.2", "stdout.0", "stdout.4000000000", "stdout.1", "stderr.3"];
        let others =
            ["stdout.01", "stdout.+3", "stdout.-1", "stdout.5000000000", "stdout.", "stdout.x"];
        let files: Vec<Entry> = names.iter().chain(&others).map(|name| file(name, 1, 1)).collect();
        let numbers: Vec<u32> =
            old_files(&files, "stdout").iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [4_000_000_000, 2, 1]);
    }

    #[tokio::test]
    async fn last_lines_are_found_in_parts_of_any_size() {
        let text: &[u8] = b"one\ntwo\nthree\nfour";
        for most in [1, 3, 100] {
            let part = |offset: u64, length: u64| async move {
                let rest = text.get(offset as usize..).unwrap_or_default();
                Ok(Bytes::copy_from_slice(&rest[..rest.len().min(length as usize).min(most)]))
            };
            for (count, begin) in [(1, "four"), (2, "three\nfour"), (4, "one\ntwo\nthree\nfour")] {
                let at = last_lines(text.len() as u64, count, part).await.unwrap();
                assert_eq!(&text[at as usize..], begin.as_bytes(), "{count} in parts of {most}");
            }
            assert_eq!(last_lines(text.len() as u64, 9, part).await.unwrap(), 0);
        }
        let part = |_, _| async { Err(Error::new(Code::Error, "nothing is to be read")) };
        assert_eq!(last_lines(1 << 40, 0, part).await.unwrap(), 1 << 40);
    }
}
