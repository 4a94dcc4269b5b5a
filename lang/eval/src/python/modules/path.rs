//! `os.path`: texts that are paths.

use starlark::values::Value;
use starlark::values::list::ListRef;

use super::super::call::{Call, Res, check_text, refuse};
use super::super::native::Kind::{self, General, Refused};
use super::super::outside::exists;
use super::{Member, Module};

const HOME: Kind = Refused(
    "the folders of who evaluates a configuration are not known to it",
    "write the path as it is where the task runs; a shell there knows $HOME",
);

pub(in super::super) const PATH: Module = Module {
    name: "os.path",
    members: &[
        ("join", Member::Function(General(join))),
        ("basename", Member::Function(General(|call| piece(call, |path| split(path).1)))),
        ("dirname", Member::Function(General(|call| piece(call, |path| split(path).0)))),
        ("split", Member::Function(General(|call| pair(call, split)))),
        ("splitext", Member::Function(General(|call| pair(call, split_extension)))),
        ("normpath", Member::Function(General(normpath))),
        ("isabs", Member::Function(General(is_absolute))),
        ("commonprefix", Member::Function(General(common_prefix))),
        ("exists", Member::Function(General(exists))),
        ("isfile", Member::Function(General(exists))),
        ("sep", Member::Text("/")),
        ("abspath", Member::Function(General(abspath))),
        ("realpath", Member::Function(General(abspath))),
        ("expanduser", Member::Function(HOME)),
        ("expandvars", Member::Function(HOME)),
    ],
};

/// Puts paths behind each other; an absolute one begins anew.
pub(in super::super) fn join<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    call.no_named()?;
    if call.positional.is_empty() {
        return refuse(format!("{}() takes at least one path", call.name));
    }
    let mut path = String::new();
    for (index, part) in std::mem::take(&mut call.positional).into_iter().enumerate() {
        let part = call.text(part)?;
        check_text(path.len() + part.len() + 1)?;
        if part.starts_with('/') || index == 0 {
            path.clear();
        } else if !path.is_empty() && !path.ends_with('/') {
            path.push('/');
        }
        path.push_str(part);
    }
    call.new_text(&path)
}

fn split(path: &str) -> (&str, &str) {
    let at = path.rfind('/').map_or(0, |at| at + 1);
    let (folder, name) = path.split_at(at);
    let trimmed = folder.trim_end_matches('/');
    (if trimmed.is_empty() { folder } else { trimmed }, name)
}

fn split_extension(path: &str) -> (&str, &str) {
    let name = path.rfind('/').map_or(0, |at| at + 1);
    match path[name..].rfind('.') {
        Some(dot) if !path[name..name + dot].trim_start_matches('.').is_empty() => {
            path.split_at(name + dot)
        }
        _ => (path, ""),
    }
}

fn piece<'v>(call: &mut Call<'v, '_, '_, '_>, take: fn(&str) -> &str) -> Res<Value<'v>> {
    let path = call.one()?;
    let path = call.text(path)?;
    call.new_text(take(path))
}

fn pair<'v>(call: &mut Call<'v, '_, '_, '_>, take: fn(&str) -> (&str, &str)) -> Res<Value<'v>> {
    let path = call.one()?;
    let (a, b) = take(call.text(path)?);
    let pieces = [call.alloc(a), call.alloc(b)];
    call.tuple(&pieces)
}

fn is_absolute<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let path = call.one()?;
    Ok(Value::new_bool(call.text(path)?.starts_with('/')))
}

fn normpath<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let path = call.one()?;
    let path = call.text(path)?;
    call.new_text(&normal(path))
}

fn abspath<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let path = call.one()?;
    let path = call.text(path)?;
    if !path.starts_with('/') {
        return super::super::call::refuse_with(
            format!("{}() of a relative path depends on where it is evaluated", call.name),
            "include() and file_digest() take paths relative to the file",
        );
    }
    call.new_text(&normal(path))
}

fn normal(path: &str) -> String {
    // Two slashes at the beginning, and just two, have a meaning of their own.
    let root = match path.len() - path.trim_start_matches('/').len() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part != ".." || parts.last().map_or(root.is_empty(), |last| *last == "..") {
            parts.push(part);
        } else {
            parts.pop();
        }
    }
    let path = format!("{root}{}", parts.join("/"));
    if path.is_empty() { ".".to_owned() } else { path }
}

fn common_prefix<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let paths = call.one()?;
    if ListRef::from_value(paths).is_none() && paths.get_type() != "tuple" {
        return refuse("commonprefix() takes a list of paths");
    }
    let mut common: Option<String> = None;
    for path in call.iterate(paths)? {
        let path = call.text(path)?;
        common = Some(match common {
            Some(common) => common
                .chars()
                .zip(path.chars())
                .take_while(|(a, b)| a == b)
                .map(|(a, _)| a)
                .collect(),
            None => path.to_owned(),
        });
    }
    call.new_text(&common.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_as_by_python() {
        for (path, folder, name) in
            [("a/b", "a", "b"), ("/a", "/", "a"), ("a/", "a", ""), ("a", "", "a"), ("//", "//", "")]
        {
            assert_eq!(split(path), (folder, name), "{path}");
        }
        for (path, stem, extension) in [
            ("a.tar.gz", "a.tar", ".gz"),
            (".bashrc", ".bashrc", ""),
            ("a.b/c", "a.b/c", ""),
            ("x/..a", "x/..a", ""),
        ] {
            assert_eq!(split_extension(path), (stem, extension), "{path}");
        }
        for (path, expected) in [
            ("a//b/../c/.", "a/c"),
            ("../a/../..", "../.."),
            ("/../a", "/a"),
            ("", "."),
            ("//a", "//a"),
            ("a/..", "."),
        ] {
            assert_eq!(normal(path), expected, "{path}");
        }
    }
}
