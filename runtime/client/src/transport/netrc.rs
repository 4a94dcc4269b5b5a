//! Users and passwords of hosts, as `~/.netrc` has them for many programs.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::error::{Code, Error};

/// The longest file, in bytes.
const MAX_LEN: u64 = 1 << 20;

/// The entries of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Netrc {
    entries: Vec<Entry>,
    /// Whether others than the user may read it.
    is_open: bool,
}

#[derive(Default, PartialEq, Eq)]
struct Entry {
    /// None for every host that has no entry before this one.
    host: Option<String>,
    login: String,
    password: String,
}

/// Shows no password.
impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Netrc {
    /// Reads a file, which may be missing unless it must be there.
    pub(crate) fn read(file: &Path, must_be: bool) -> Result<Self, Error> {
        let wrong = |why: &dyn std::fmt::Display| {
            let message = format!("failed to read {}: {why}", file.display());
            Error::new(Code::InvalidConfiguration, message)
        };
        let (text, known) = match crate::file::read_text(file, MAX_LEN) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_be => {
                return Ok(Self::default());
            }
            Err(error) => return Err(wrong(&error)),
        };
        let mode = known.permissions().mode();
        let entries = parse(&text).map_err(|why| wrong(&why))?;
        Ok(Self { entries, is_open: mode & 0o077 != 0 })
    }

    /// `USER:PASSWORD` of a host; an error if others could have read it. What is meant for all other hosts is
    /// for one that was found only: anybody could name another.
    pub(crate) fn login(
        &self,
        file: &Path,
        host: &str,
        is_found: bool,
    ) -> Result<Option<String>, Error> {
        let is_for = |entry: &&Entry| match &entry.host {
            Some(of) => of.eq_ignore_ascii_case(host),
            None => is_found,
        };
        let Some(entry) = self.entries.iter().find(is_for) else { return Ok(None) };
        if entry.login.is_empty() && entry.password.is_empty() {
            return Ok(None);
        }
        if self.is_open {
            let file = file.display();
            return Err(Error::new(
                Code::InvalidConfiguration,
                format!(
                    "{file} has the password of {host} and others may read it: chmod 600 {file}"
                ),
            ));
        }
        Ok(Some(format!("{}:{}", entry.login, entry.password)))
    }
}

fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut words = words(text)?.into_iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("nothing follows the last {word:?}"));
        match word.as_str() {
            "default" => entries.push(Entry::default()),
            "machine" => {
                entries.push(Entry { host: Some(value()?), ..Entry::default() });
            }
            "login" | "password" | "account" => {
                let value = value()?;
                let Some(entry) = entries.last_mut() else {
                    return Err(format!("{word:?} stands before the first \"machine\""));
                };
                match word.as_str() {
                    "login" => entry.login = value,
                    "password" => entry.password = value,
                    _ => {}
                }
            }
            // It may be a password out of place: it is not shown.
            _ => {
                return Err("only machine, default, login, password, account and macdef are known"
                    .to_owned());
            }
        }
    }
    Ok(entries)
}

/// The words of a file, without comments and macros. One in quotes may hold blanks, and `\` before what is
/// meant as it is.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            if rest.starts_with('#') && words.last().is_none_or(|last| last != "password") {
                break;
            }
            let (word, after) = match rest.strip_prefix('"') {
                Some(quoted) => unquote(quoted)?,
                None => {
                    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                    (rest[..end].to_owned(), &rest[end..])
                }
            };
            if word == "macdef" {
                // Up to an empty line.
                lines.by_ref().find(|line| line.trim().is_empty());
                break;
            }
            words.push(word);
            rest = after.trim_start();
        }
    }
    Ok(words)
}

fn unquote(text: &str) -> Result<(String, &str), String> {
    let mut word = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((word, &text[at + 1..])),
            '\\' => word.extend(chars.next().map(|(_, c)| c)),
            _ => word.push(c),
        }
    }
    Err("a quote is not closed in its line".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_their_host() {
        let text = "# mine\nmachine a login me password s3 # x\nmachine b\n  login you\n  account z\n  \
                    password \"two \\\" words\"\nmacdef init\ncd /\nmachine c\n\ndefault login any \
                    password #1\n";
        let netrc = Netrc { entries: parse(text).unwrap(), is_open: false };
        let login = |host| netrc.login(Path::new("f"), host, true).unwrap().unwrap();
        assert_eq!([login("a"), login("B"), login("c")], ["me:s3", "you:two \" words", "any:#1"]);
        assert!(!format!("{netrc:?}").contains("s3"));
        // One that only a redirect names.
        let sent = |host| netrc.login(Path::new("f"), host, false).unwrap();
        assert_eq!((sent("a").as_deref(), sent("c")), (Some("me:s3"), None));
        let netrc = Netrc { entries: parse("machine a\ndefault login x").unwrap(), is_open: false };
        assert_eq!(netrc.login(Path::new("f"), "a", true).unwrap(), None);
    }

    #[test]
    fn what_others_may_read_is_not_used() {
        let entries = || parse("machine a login me password secret").unwrap();
        let open = Netrc { entries: entries(), is_open: true };
        let refused = open.login(Path::new("/h/.netrc"), "a", true).unwrap_err().to_string();
        assert!(
            refused.ends_with("chmod 600 /h/.netrc") && !refused.contains("secret"),
            "{refused}"
        );
        assert_eq!(open.login(Path::new("f"), "b", true).unwrap(), None);
    }

    #[test]
    fn what_is_wrong_is_said_without_what_is_secret() {
        for text in ["machine", "login x", "machine a secret", "machine a password \"secret"] {
            let wrong = parse(text).unwrap_err();
            assert!(!wrong.contains("secret"), "{wrong}");
        }
    }
}
