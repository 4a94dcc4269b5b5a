//! Functions that read declared inputs: the user, environment variables, files under the root.

use std::path::{Component, Path, PathBuf};

use starlark::values::Value;

use crate::codes::Code;
use crate::load::Loader;
use crate::values::here;
use aurora_template::beginning;
use aurora_template::types::nearest;

use super::call::{Call, Res, help_as, refuse_as, refuse_with};
use super::digest::{Hasher, NAMES, read_into};
use super::modules::{path, textwrap};
use super::native::Kind::General;

/// The largest file of which a checksum is made, in bytes.
const MAX_DIGESTED: u64 = 1 << 30;

pub(super) const TABLE: super::Table = &[
    ("env", General(env)),
    ("user", General(user)),
    ("path_join", General(path::join)),
    ("dedent", General(textwrap::dedent)),
    ("file_digest", General(file_digest)),
];

/// `env(name, default)`: an environment variable that is a declared input.
pub(super) fn env<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [name, default] = call.args(["name", "default"], 1)?;
    let name = call.text(name.unwrap_or(Value::new_none()))?;
    let value = call.context()?.outside.env(name)?;
    match (value, default) {
        (Some(value), _) => Ok(call.alloc(value)),
        (None, Some(default)) => Ok(default),
        (None, None) if call.name == "env" => refuse_with(
            format!("the environment variable {name} is not set"),
            format!("set it, or give a default: env({name:?}, \"…\")"),
        ),
        (None, None) => Ok(Value::new_none()),
    }
}

/// Who evaluates the file.
pub(super) fn user<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    call.args([], 0)?;
    let user = call.context()?.outside.user();
    if user.is_empty() {
        return refuse_with("it is not known who evaluates this file", "pass --user NAME");
    }
    Ok(call.alloc(user))
}

/// A file that a function names, under the root, and the name under which it is recorded.
pub(super) fn under_root(text: &str, call: &Call<'_, '_, '_, '_>) -> Res<(PathBuf, PathBuf)> {
    let context = call.context()?;
    let file = here(call.eval).map(|origin| PathBuf::from(&*origin.file)).unwrap_or_default();
    let folder = file.parent().unwrap_or(Path::new(""));
    let root = &context.inputs.root;
    let root = if root.as_os_str().is_empty() { folder } else { root.as_path() };
    let path = normal(&folder.join(text));
    let found = place(context.loader, &path);
    let base = place(context.loader, &normal(root));
    let inside = if base.as_os_str().is_empty() {
        // In the current folder, if that has no name.
        found.is_relative() && !found.starts_with("..")
    } else {
        found.starts_with(&base)
    };
    if text.is_empty() || !inside {
        return help_as(
            Code::OutsideRoot,
            format!("{} is outside of the project's folder", beginning(text)),
            "only files under the folder with the project's aurora.toml, or that of the file, are read",
        );
    }
    let known = found.strip_prefix(&base).unwrap_or(&found).to_owned();
    Ok((path, known))
}

/// Where a path leads, whether or not a file is there.
fn place(loader: &dyn Loader, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() {
        let here = loader.identity(Path::new("."));
        return if here == Path::new(".") { PathBuf::new() } else { here };
    }
    let found = loader.identity(path);
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if found == path => place(loader, parent).join(name),
        _ => found,
    }
}

/// A path without `.`, and with `..` taken where it can be.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(out.components().next_back(), Some(Component::Normal(_))) =>
            {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// `file_digest(path, algorithm)`: the checksum of a file, in hexadecimal.
fn file_digest<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [path, algorithm] = call.args(["path", "algorithm"], 1)?;
    let text = call.text(path.unwrap_or(Value::new_none()))?;
    let algorithm = algorithm.map_or(Ok("sha256"), |algorithm| call.text(algorithm))?;
    let (Some(wanted), Some(record)) = (Hasher::named(algorithm), Hasher::named("sha256")) else {
        let message = format!("there is no checksum {:?}", beginning(algorithm));
        let known = format!("use one of {}", NAMES.join(", "));
        let near = nearest(algorithm, NAMES.into_iter());
        return refuse_with(message, near.map_or(known, |near| format!("did you mean {near:?}?")));
    };
    let (path, known) = under_root(text, call)?;
    let context = call.context()?;
    let mut hashers = [wanted, record];
    let read = context.loader.open(&path).and_then(|mut reader| {
        read_into(&mut *reader, &mut hashers, MAX_DIGESTED, &|| !context.cancel.is_cancelled())
    });
    let [wanted, record] = hashers;
    match read {
        Ok(Some(())) => {
            context.outside.note_file(&known, Some(record.hex()));
            call.new_text(&wanted.hex())
        }
        Ok(None) if context.cancel.is_cancelled() => {
            refuse_as(Code::Cancelled, "the evaluation was cancelled")
        }
        Ok(None) => refuse_as(
            Code::LimitExceeded,
            format!("{text} is larger than {} MB", MAX_DIGESTED >> 20),
        ),
        Err(error) => {
            if error.kind() == std::io::ErrorKind::NotFound {
                context.outside.note_file(&known, None);
            }
            refuse_as(Code::UnreadableFile, format!("cannot read {}: {error}", beginning(text)))
        }
    }
}

/// `os.path.exists(path)`.
pub(super) fn exists<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let path = call.one()?;
    let text = call.text(path)?;
    let (path, known) = under_root(text, call)?;
    let context = call.context()?;
    let mut hashers: Vec<Hasher> = Hasher::named("sha256").into_iter().collect();
    let read = context.loader.open(&path).and_then(|mut reader| {
        read_into(&mut *reader, &mut hashers, MAX_DIGESTED, &|| !context.cancel.is_cancelled())
    });
    let sha256 = match read {
        Ok(Some(())) => hashers.pop().map(Hasher::hex),
        Ok(None) => {
            return refuse_as(
                Code::LimitExceeded,
                format!("{} is too large to be looked at", beginning(text)),
            );
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return refuse_as(
                Code::UnreadableFile,
                format!("cannot read {}: {error}", beginning(text)),
            );
        }
    };
    let found = sha256.is_some();
    context.outside.note_file(&known, sha256);
    Ok(Value::new_bool(found))
}
