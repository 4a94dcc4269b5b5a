//! Copying files out of sandboxes, and into them.
//!
//! Out of one they come as the agent serves files; what lies in a sandbox is the job's, so that links are not
//! followed and no name leads out of the folder that is written. Into one they go as an archive to `tar`, run
//! beside the task as its user: it can write what the task can.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinError;

use crate::error::{Code, Error};
use crate::exec::{self, Ended, Input, Output, Running};
use crate::sandbox::{Entry, MAX_READ, Sandbox};

/// The deepest folder that is copied, and the most that is kept of what a failed command says, in bytes.
const MAX_DEPTH: usize = 64;
const MAX_WORDS: usize = 4096;
/// How much is sent at once, in bytes.
const CHUNK: usize = 32 << 10;

/// A path in a sandbox, without a beginning `/` and with no way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below(String);

impl std::str::FromStr for Below {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        for part in Path::new(text).components() {
            match part {
                Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
                Component::CurDir => {}
                Component::ParentDir => {
                    return Err(format!("{text:?} may lead out of the sandbox: leave out .."));
                }
                Component::RootDir | Component::Prefix(_) => {
                    return Err(format!(
                        "{text:?} is not below the sandbox: paths begin in it, without a /"
                    ));
                }
            }
        }
        Ok(Self(parts.join("/")))
    }
}

impl Below {
    /// The folder that it lies in, and its name there; nothing for the sandbox itself.
    fn split(&self) -> Option<(&str, &str)> {
        if self.0.is_empty() {
            return None;
        }
        Some(self.0.rsplit_once('/').unwrap_or(("", &self.0)))
    }
}

/// How many bytes of files have been copied, for who looks at it meanwhile.
#[derive(Debug, Clone, Default)]
pub struct Copied(Arc<AtomicU64>);

impl Copied {
    /// So many by now.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Writes a file of a sandbox, as long as it is at the beginning: what is written into it meanwhile may never end.
///
/// # Errors
/// There is none, or it cannot be read or written.
pub async fn write_to(
    sandbox: &Sandbox,
    from: &Below,
    to: &mut impl Write,
    copied: &Copied,
) -> Result<(), Error> {
    let mut offset = 0;
    let mut end = None;
    loop {
        let Some(part) = sandbox.read(&from.0, offset, MAX_READ).await? else {
            return Err(absent(sandbox, from));
        };
        let end = *end.get_or_insert(part.size);
        let left = usize::try_from(end - offset).unwrap_or(usize::MAX);
        let bytes = &part.bytes[..part.bytes.len().min(left)];
        to.write_all(bytes).map_err(|error| failed("write what was read", &error))?;
        offset += bytes.len() as u64;
        copied.add(bytes.len());
        if bytes.is_empty() || offset >= end {
            to.flush().map_err(|error| failed("write what was read", &error))?;
            return Ok(());
        }
    }
}

/// Copies a file or a folder of a sandbox to this machine: into `to` if that is a folder, otherwise to it.
/// Gives what was left out, as it is neither.
///
/// # Errors
/// There is none, or it cannot be read or written.
pub async fn fetch(
    sandbox: &Sandbox,
    from: &Below,
    to: &Path,
    copied: &Copied,
) -> Result<Vec<String>, Error> {
    let Some((parent, name)) = from.split() else {
        let name = to.is_dir().then(|| PathBuf::from(&sandbox.task_id));
        let to = name.map_or_else(|| to.to_owned(), |name| to.join(name));
        return folder(sandbox, "", None, &to, copied).await;
    };
    let entry = sandbox.find(parent, name).await?;
    let entry = entry.ok_or_else(|| absent(sandbox, from))?;
    let to = if to.is_dir() { to.join(name) } else { to.to_owned() };
    if entry.is_folder() {
        return folder(sandbox, &from.0, Some(entry.mode), &to, copied).await;
    }
    if !entry.is_file() {
        return Err(Error::new(
            Code::InvalidParameter,
            format!("{} of task {} is neither a file nor a folder", from.0, sandbox.task_id),
        ));
    }
    file(sandbox, from, &entry, &to, copied).await.map(|()| Vec::new())
}

/// The sandbox itself has no entry that tells its mode: what it goes to is like any new folder.
async fn folder(
    sandbox: &Sandbox,
    below: &str,
    mode: Option<u32>,
    to: &Path,
    copied: &Copied,
) -> Result<Vec<String>, Error> {
    let mut left_out = Vec::new();
    let mut modes = Vec::new();
    let mut waiting = vec![(below.to_owned(), mode, to.to_owned(), 0)];
    while let Some((below, mode, to, depth)) = waiting.pop() {
        if depth > MAX_DEPTH {
            let text = format!("{below} is more than {MAX_DEPTH} folders deep");
            return Err(Error::new(Code::CommandFailure, text));
        }
        make_folder(&to, mode.is_some())?;
        let listed = sandbox.list(&below).await?;
        let Some(listed) = listed else { return Err(absent(sandbox, &Below(below))) };
        for entry in listed {
            let name = &entry.name;
            let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            let is_name = !name.is_empty() && name != "." && name != ".." && !name.contains('/');
            if is_name && entry.is_folder() {
                waiting.push((path, Some(entry.mode), to.join(name), depth + 1));
            } else if is_name && entry.is_file() {
                file(sandbox, &Below(path), &entry, &to.join(name), copied).await?;
            } else {
                left_out.push(path);
            }
        }
        modes.extend(mode.map(|mode| (to, mode & 0o777)));
    }
    // After all that is in them, as one may allow no writing.
    for (to, mode) in modes.into_iter().rev() {
        fs::set_permissions(&to, fs::Permissions::from_mode(mode))
            .map_err(|error| failed(&format!("set the mode of {}", to.display()), &error))?;
    }
    Ok(left_out)
}

fn make_folder(to: &Path, is_private: bool) -> Result<(), Error> {
    let mode = if is_private { 0o700 } else { 0o777 };
    match fs::DirBuilder::new().mode(mode).create(to) {
        // Nothing in a sandbox can have put it there: what is fetched holds no links.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && to.is_dir() => Ok(()),
        made => made.map_err(|error| failed(&format!("make the folder {}", to.display()), &error)),
    }
}

async fn file(
    sandbox: &Sandbox,
    from: &Below,
    entry: &Entry,
    to: &Path,
    copied: &Copied,
) -> Result<(), Error> {
    let failed = |error: &std::io::Error| failed(&format!("write {}", to.display()), error);
    let mode = entry.mode & 0o777;
    let made = File::options().write(true).create(true).truncate(true).mode(mode).open(to);
    let mut made = made.map_err(|error| failed(&error))?;
    // That of one that was there is replaced too, before others may read in it what they should not.
    made.set_permissions(fs::Permissions::from_mode(mode)).map_err(|error| failed(&error))?;
    write_to(sandbox, from, &mut made, copied).await
}

/// Copies a file or a folder of this machine into a sandbox: into `to` if that is a folder, otherwise to it.
/// Gives what was left out, as it is neither.
///
/// # Errors
/// It cannot be read, or not be written there.
pub async fn send(
    sandbox: &Sandbox,
    from: &Path,
    to: &Below,
    copied: &Copied,
) -> Result<Vec<String>, Error> {
    let from = fs::canonicalize(from).map_err(|error| {
        let failed = failed(&format!("read {}", from.display()), &error);
        match error.kind() {
            std::io::ErrorKind::NotFound => Error::new(Code::InvalidParameter, failed.to_string()),
            _ => failed,
        }
    })?;
    if !from.is_dir() && !from.is_file() {
        let text = format!("{} is neither a file nor a folder", from.display());
        return Err(Error::new(Code::InvalidParameter, text));
    }
    let own_name = from.file_name().map(|name| name.to_string_lossy().into_owned());
    let (parent, name) = destination(sandbox, to, own_name).await?;
    let into = format!("./{parent}");
    let words = ["tar", "-x", "-p", "-f", "-", "-C", &into, "--no-same-owner"].map(str::to_owned);
    let command = exec::start(sandbox, &words, None).await?;
    let input = Sink(command.input.clone(), copied.clone());
    let packing = tokio::task::spawn_blocking(move || {
        let packed = pack(&from, &name, input.clone());
        input.end();
        packed
    });
    let finished = finish(sandbox, command).await;
    outcome(packing.await, finished, "pack what is to be copied")
}

/// Writes what can be read to a file in a sandbox.
///
/// # Errors
/// It cannot be read, or not be written there.
pub async fn send_stream(
    sandbox: &Sandbox,
    mut from: impl std::io::Read + Send + 'static,
    to: &Below,
    copied: &Copied,
) -> Result<(), Error> {
    let (parent, name) = destination(sandbox, to, None).await?;
    let path = if parent.is_empty() { format!("./{name}") } else { format!("./{parent}/{name}") };
    let words = ["bash", "-c", r#"cat > "$1""#, "bash", &path].map(str::to_owned);
    let command = exec::start(sandbox, &words, None).await?;
    let mut input = Sink(command.input.clone(), copied.clone());
    let copying = tokio::task::spawn_blocking(move || {
        let copied = std::io::copy(&mut from, &mut input);
        input.end();
        copied.map(drop)
    });
    let finished = finish(sandbox, command).await;
    if finished.is_err() && !copying.is_finished() {
        // More to read may never come.
        return finished;
    }
    outcome(copying.await, finished, "read what is to be copied")
}

/// What came of a copy. Where both sides have failed it is this one that knows why, unless it only saw the
/// other one end.
fn outcome<T>(
    here: Result<std::io::Result<T>, JoinError>,
    there: Result<(), Error>,
    what: &str,
) -> Result<T, Error> {
    let here =
        here.map_err(|error| Error::new(Code::Error, format!("failed to {what}: {error}")))?;
    match (here, there) {
        (Err(error), Err(there)) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(there),
        (Err(error), _) => Err(failed(what, &error)),
        (Ok(done), there) => there.map(|()| done),
    }
}

/// The folder that something goes to, and its name there.
async fn destination(
    sandbox: &Sandbox,
    to: &Below,
    own_name: Option<String>,
) -> Result<(String, String), Error> {
    if let Some(name) = own_name
        && sandbox.has_folder(&to.0).await?
    {
        return Ok((to.0.clone(), name));
    }
    let Some((parent, name)) = to.split() else {
        let text = "the sandbox is a folder: say which file in it is meant";
        return Err(Error::new(Code::InvalidParameter, text));
    };
    if !sandbox.has_folder(parent).await? {
        return Err(absent(sandbox, &Below(parent.to_owned())));
    }
    Ok((parent.to_owned(), name.to_owned()))
}

/// Waits for a command that writes, which says nothing unless it fails.
async fn finish(sandbox: &Sandbox, mut command: Running) -> Result<(), Error> {
    let mut words = Vec::new();
    while let Some(output) = command.next().await? {
        let (Output::Stdout(bytes) | Output::Stderr(bytes)) = output;
        words.extend(bytes.iter().take(MAX_WORDS - words.len().min(MAX_WORDS)));
    }
    match command.ended().await? {
        Ended::Exited(0) => Ok(()),
        ended => {
            let words = String::from_utf8_lossy(&words);
            Err(Error::new(
                Code::CommandFailure,
                format!(
                    "failed to write into the sandbox of task {}: {}",
                    sandbox.task_id,
                    if words.trim().is_empty() {
                        format!("{ended:?}")
                    } else {
                        words.trim().to_owned()
                    },
                ),
            ))
        }
    }
}

/// Writes an archive of a file or a folder. Gives what was left out of it.
fn pack(from: &Path, name: &str, to: impl Write) -> std::io::Result<Vec<String>> {
    let mut archive = tar::Builder::new(to);
    let mut left_out = Vec::new();
    let mut waiting = vec![(from.to_owned(), PathBuf::from(name))];
    // What lies in a folder follows it before anything else does: tar then sets the folder's mode.
    while let Some((from, name)) = waiting.pop() {
        let kind = fs::symlink_metadata(&from).map_err(|error| naming(&from, &error))?.file_type();
        if kind.is_dir() {
            append(&mut archive, &from, &name)?;
            for entry in fs::read_dir(&from).map_err(|error| naming(&from, &error))? {
                let entry = entry.map_err(|error| naming(&from, &error))?;
                waiting.push((entry.path(), name.join(entry.file_name())));
            }
        } else if kind.is_file() {
            append(&mut archive, &from, &name)?;
        } else {
            left_out.push(from.display().to_string());
        }
    }
    archive.into_inner()?.flush()?;
    Ok(left_out)
}

fn append(archive: &mut tar::Builder<impl Write>, from: &Path, name: &Path) -> std::io::Result<()> {
    let mut append = || {
        let file = File::open(from)?;
        let found = file.metadata()?;
        let mut header = tar::Header::new_gnu();
        header.set_metadata(&found);
        header.set_mode(found.permissions().mode() & 0o777);
        if found.is_dir() {
            return archive.append_data(&mut header, name, std::io::empty());
        }
        append_content(archive, &mut header, name, file)
    };
    append().map_err(|error| naming(from, &error))
}

/// As much as its header says, although it may grow or shrink meanwhile.
fn append_content(
    archive: &mut tar::Builder<impl Write>,
    header: &mut tar::Header,
    name: &Path,
    content: impl Read,
) -> std::io::Result<()> {
    let mut content = content.take(header.size()?);
    archive.append_data(header, name, &mut content)?;
    match content.limit() {
        0 => Ok(()),
        missing => Err(std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            format!("it has become shorter by {missing} bytes while it was read"),
        )),
    }
}

fn naming(path: &Path, error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The standard input of a command, and how much has gone into it.
#[derive(Clone)]
struct Sink(Sender<Input>, Copied);

impl Sink {
    fn end(&self) {
        // A command that has ended says itself why.
        let _ = self.0.blocking_send(Input::Bytes(Bytes::new()));
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let some = bytes.get(..bytes.len().min(CHUNK)).unwrap_or_default();
        if some.is_empty() {
            return Ok(0);
        }
        let sent = self.0.blocking_send(Input::Bytes(Bytes::copy_from_slice(some)));
        sent.map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
        self.1.add(some.len());
        Ok(some.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn absent(sandbox: &Sandbox, below: &Below) -> Error {
    let path = if below.0.is_empty() { "." } else { &below.0 };
    Error::new(
        Code::InvalidParameter,
        format!(
            "there is no {path} in the sandbox of task {} on {}",
            sandbox.task_id, sandbox.host
        ),
    )
}

fn failed(what: &str, error: &std::io::Error) -> Error {
    Error::new(Code::Error, format!("failed to {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_sandbox() {
        let below = |text: &str| text.parse::<Below>();
        assert_eq!(below("a/./b//c").unwrap(), Below("a/b/c".to_owned()));
        assert_eq!(below("").unwrap(), Below(String::new()));
        assert_eq!(below("a").unwrap().split(), Some(("", "a")));
        assert_eq!(below("a/b").unwrap().split(), Some(("a", "b")));
        for (wrong, why) in
            [("../x", "leave out .."), ("a/../../x", "leave out .."), ("/etc", "without a /")]
        {
            assert!(below(wrong).unwrap_err().contains(why), "{wrong}");
        }
    }

    #[test]
    fn archives_hold_files_and_folders_with_their_modes() {
        let base = tempfile::tempdir().unwrap();
        let from = base.path().join("d");
        fs::create_dir_all(from.join("e")).unwrap();
        fs::write(from.join("e/two"), "two").unwrap();
        std::os::unix::fs::symlink("e", from.join("link")).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
        let set = |path: &str, mode| {
            fs::set_permissions(from.join(path), fs::Permissions::from_mode(mode)).unwrap();
        };
        set("e/two", 0o4751);
        set("e", 0o577);
        set("", 0o711);
        let mut bytes = Vec::new();
        let mut left_out = pack(&from, "renamed", &mut bytes).unwrap();
        drop(socket);
        left_out.sort_unstable();
        let path = |name: &str| from.join(name).display().to_string();
        assert_eq!(left_out, [path("link"), path("socket")]);
        let found: Vec<(String, u32)> = tar::Archive::new(&*bytes)
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.path().unwrap().to_string_lossy().into_owned();
                (name.trim_end_matches('/').to_owned(), entry.header().mode().unwrap())
            })
            .collect();
        let wanted = [("renamed", 0o711), ("renamed/e", 0o577), ("renamed/e/two", 0o751)];
        assert_eq!(found, wanted.map(|(name, mode)| (name.to_owned(), mode)));
        set("e", 0o700);
    }

    #[test]
    fn files_that_change_while_they_are_packed_harm_nothing() {
        let packed = |size: u64, content: &[u8]| {
            let mut archive = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_size(size);
            append_content(&mut archive, &mut header, Path::new("f"), content)?;
            archive.into_inner()
        };
        let grown = packed(3, b"and what came later").unwrap();
        let mut entries = tar::Archive::new(&*grown);
        let mut content = String::new();
        let mut entry = entries.entries().unwrap().next().unwrap().unwrap();
        entry.read_to_string(&mut content).unwrap();
        assert_eq!(content, "and");
        let shorter = packed(10, b"less").unwrap_err();
        assert!(shorter.to_string().contains("shorter by 6 bytes"), "{shorter}");
    }

    #[test]
    fn the_side_that_knows_why_a_copy_failed_is_heard() {
        let there = || Err(Error::new(Code::CommandFailure, "there"));
        let here = |kind: std::io::ErrorKind| Ok(Err::<(), _>(std::io::Error::new(kind, "here")));
        let text = |here, there| outcome(here, there, "copy").unwrap_err().to_string();
        assert!(text(here(std::io::ErrorKind::IsADirectory), there()).contains("here"));
        assert!(text(here(std::io::ErrorKind::BrokenPipe), there()).contains("there"));
        assert!(text(here(std::io::ErrorKind::BrokenPipe), Ok(())).contains("here"));
        assert!(text(Ok(Ok(())), there()).contains("there"));
    }
}
