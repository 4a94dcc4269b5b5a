//! Copying files out of sandboxes, and into them.
//!
//! Out of one they come as the agent serves files; what lies in a sandbox is the job's, so that links are not
//! followed and no name leads out of the folder that is written. Into one they go as an archive to `tar`, run
//! beside the task as its user: it can write what the task can.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

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

/// Writes a file of a sandbox.
///
/// # Errors
/// There is none, or it cannot be read or written.
pub async fn write_to(sandbox: &Sandbox, from: &Below, to: &mut impl Write) -> Result<u64, Error> {
    let mut offset = 0;
    loop {
        let Some(part) = sandbox.read(&from.0, offset, MAX_READ).await? else {
            return Err(absent(sandbox, from));
        };
        to.write_all(&part.bytes).map_err(|error| failed("write what was read", &error))?;
        offset += part.bytes.len() as u64;
        if part.bytes.is_empty() || offset >= part.size {
            to.flush().map_err(|error| failed("write what was read", &error))?;
            return Ok(offset);
        }
    }
}

/// Copies a file or a folder of a sandbox to this machine: into `to` if that is a folder, otherwise to it.
/// Gives what was left out, as it is neither.
///
/// # Errors
/// There is none, or it cannot be read or written.
pub async fn fetch(sandbox: &Sandbox, from: &Below, to: &Path) -> Result<Vec<String>, Error> {
    let Some((parent, name)) = from.split() else {
        let name = to.is_dir().then(|| PathBuf::from(&sandbox.task_id));
        let to = name.map_or_else(|| to.to_owned(), |name| to.join(name));
        return folder(sandbox, "", &to).await;
    };
    let listed = sandbox.list(parent).await?.unwrap_or_default();
    let entry = listed.into_iter().find(|entry| entry.name == name);
    let entry = entry.ok_or_else(|| absent(sandbox, from))?;
    let to = if to.is_dir() { to.join(name) } else { to.to_owned() };
    if entry.is_folder() {
        return folder(sandbox, &from.0, &to).await;
    }
    if !entry.is_file() {
        return Err(Error::new(
            Code::InvalidParameter,
            format!("{} of task {} is neither a file nor a folder", from.0, sandbox.task_id),
        ));
    }
    file(sandbox, from, &entry, &to).await.map(|()| Vec::new())
}

async fn folder(sandbox: &Sandbox, below: &str, to: &Path) -> Result<Vec<String>, Error> {
    let mut left_out = Vec::new();
    let mut waiting = vec![(below.to_owned(), to.to_owned(), 0)];
    while let Some((below, to, depth)) = waiting.pop() {
        if depth > MAX_DEPTH {
            let text = format!("{below} is more than {MAX_DEPTH} folders deep");
            return Err(Error::new(Code::CommandFailure, text));
        }
        make_folder(&to)?;
        let listed = sandbox.list(&below).await?;
        let Some(listed) = listed else { return Err(absent(sandbox, &Below(below))) };
        for entry in listed {
            let name = &entry.name;
            let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            let is_name = !name.is_empty() && name != "." && name != ".." && !name.contains('/');
            if is_name && entry.is_folder() {
                waiting.push((path, to.join(name), depth + 1));
            } else if is_name && entry.is_file() {
                file(sandbox, &Below(path), &entry, &to.join(name)).await?;
            } else {
                left_out.push(path);
            }
        }
    }
    Ok(left_out)
}

fn make_folder(to: &Path) -> Result<(), Error> {
    match fs::create_dir(to) {
        // Nothing in a sandbox can have put it there: what is fetched holds no links.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && to.is_dir() => Ok(()),
        made => made.map_err(|error| failed(&format!("make the folder {}", to.display()), &error)),
    }
}

async fn file(sandbox: &Sandbox, from: &Below, entry: &Entry, to: &Path) -> Result<(), Error> {
    let failed = |error: &std::io::Error| failed(&format!("write {}", to.display()), error);
    let mode = entry.mode & 0o777;
    let made = File::options().write(true).create(true).truncate(true).mode(mode).open(to);
    let mut made = made.map_err(|error| failed(&error))?;
    write_to(sandbox, from, &mut made).await?;
    // That of one that was there is replaced too.
    made.set_permissions(fs::Permissions::from_mode(mode)).map_err(|error| failed(&error))
}

/// Copies a file or a folder of this machine into a sandbox: into `to` if that is a folder, otherwise to it.
///
/// # Errors
/// It cannot be read, or not be written there.
pub async fn send(sandbox: &Sandbox, from: &Path, to: &Below) -> Result<(), Error> {
    let unreadable = |error: &std::io::Error| failed(&format!("read {}", from.display()), error);
    let from = fs::canonicalize(from).map_err(|error| unreadable(&error))?;
    let own_name = from.file_name().map(|name| name.to_string_lossy().into_owned());
    let (parent, name) = destination(sandbox, to, own_name).await?;
    let into = format!("./{parent}");
    let words = ["tar", "-x", "-f", "-", "-C", &into, "--no-same-owner"].map(str::to_owned);
    let command = exec::start(sandbox, &words, None).await?;
    let input = command.input.clone();
    let packing = tokio::task::spawn_blocking(move || pack(&from, &name, input));
    finish(sandbox, command).await?;
    match packing.await {
        Ok(packed) => packed.map_err(|error| failed("pack what is to be copied", &error)),
        Err(error) => Err(Error::new(Code::Error, format!("packing has failed: {error}"))),
    }
}

/// Writes what can be read to a file in a sandbox.
///
/// # Errors
/// It cannot be read, or not be written there.
pub async fn send_stream(
    sandbox: &Sandbox,
    mut from: impl std::io::Read + Send + 'static,
    to: &Below,
) -> Result<(), Error> {
    let (parent, name) = destination(sandbox, to, None).await?;
    let path = if parent.is_empty() { format!("./{name}") } else { format!("./{parent}/{name}") };
    let words = ["bash", "-c", r#"cat > "$1""#, "bash", &path].map(str::to_owned);
    let command = exec::start(sandbox, &words, None).await?;
    let mut input = Sink(command.input.clone());
    let copying = tokio::task::spawn_blocking(move || {
        std::io::copy(&mut from, &mut input)?;
        input.end()
    });
    finish(sandbox, command).await?;
    match copying.await {
        Ok(copied) => copied.map_err(|error| failed("read what is to be copied", &error)),
        Err(error) => Err(Error::new(Code::Error, format!("reading has failed: {error}"))),
    }
}

/// The folder that something goes to, and its name there.
async fn destination(
    sandbox: &Sandbox,
    to: &Below,
    own_name: Option<String>,
) -> Result<(String, String), Error> {
    if let Some(name) = own_name
        && sandbox.list(&to.0).await?.is_some()
    {
        return Ok((to.0.clone(), name));
    }
    let Some((parent, name)) = to.split() else {
        let text = "the sandbox is a folder: say which file in it is meant";
        return Err(Error::new(Code::InvalidParameter, text));
    };
    if sandbox.list(parent).await?.is_none() {
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

fn pack(from: &Path, name: &str, input: Sender<Input>) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(Sink(input));
    archive.follow_symlinks(false);
    if from.is_dir() {
        archive.append_dir_all(name, from)?;
    } else {
        archive.append_path_with_name(from, name)?;
    }
    archive.into_inner()?.end()
}

/// The standard input of a command.
struct Sink(Sender<Input>);

impl Sink {
    fn end(&mut self) -> std::io::Result<()> {
        // One that has ended says itself why.
        let _ = self.0.blocking_send(Input::Bytes(Bytes::new()));
        Ok(())
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
}
