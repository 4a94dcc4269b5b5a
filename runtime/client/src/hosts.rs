//! Hosts that people name: sets of them, and which of them go together (`admin.md` 1 and 5).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

use crate::error::{Code, Error};

/// The longest file of names, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// The names in a list such as `a,b`.
///
/// # Errors
/// A text that says so if there are none.
pub fn listed(text: &str) -> Result<BTreeSet<String>, String> {
    let names: BTreeSet<String> =
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.is_empty() {
        return Err("name at least one host, such as host-1,host-2".to_owned());
    }
    Ok(names)
}

/// The names in a file, one on each line. Empty lines and those that begin with # say nothing.
///
/// # Errors
/// If it cannot be read, or names nobody.
pub fn in_file(path: &Path) -> Result<BTreeSet<String>, Error> {
    let wrong = |reason: &str| {
        Error::new(
            Code::InvalidParameter,
            format!("failed to read hosts from {}: {reason}", path.display()),
        )
    };
    let text = bounded(path).map_err(|reason| wrong(&reason))?;
    let names: BTreeSet<String> = lines(&text).map(|(_, line)| line.to_owned()).collect();
    if names.is_empty() {
        return Err(wrong("it names none; give one on each line"));
    }
    Ok(names)
}

/// The lines of a text that say something, trimmed, with their numbers.
pub fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(str::trim).zip(1..).map(|(line, number)| (number, line));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// A small text file.
///
/// # Errors
/// Why it cannot be read.
pub fn bounded(path: &Path) -> Result<String, String> {
    let read = crate::file::read_text(path, MAX_FILE);
    read.map(|(text, _)| text).map_err(|error| error.to_string())
}

/// Which hosts go together.
#[derive(Debug, Clone, Default)]
pub enum Grouping {
    /// Each by itself.
    #[default]
    ByHost,
    /// All together.
    None,
    /// Those in whose names the expression finds the same.
    ByName(Box<regex::Regex>),
}

impl FromStr for Grouping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "by_host" => Ok(Self::ByHost),
            None if text == "none" => Ok(Self::None),
            Some(("by_name", pattern)) => {
                let pattern = regex::Regex::new(pattern);
                let pattern = pattern
                    .map_err(|error| format!("{text:?} has no regular expression: {error}"))?;
                Ok(Self::ByName(Box::new(pattern)))
            }
            _ => Err(format!(
                "unknown grouping {text:?}: use by_host, none, or by_name:REGEX such as \
                 by_name:^rack[0-9]+"
            )),
        }
    }
}

impl Grouping {
    /// The group of a host.
    fn of(&self, host: &str) -> String {
        match self {
            Self::ByHost => host.to_owned(),
            Self::None => String::new(),
            // Its first group if it has one. Where it finds nothing the host is alone.
            Self::ByName(pattern) => pattern
                .captures(host)
                .and_then(|found| found.get(1).or_else(|| found.get(0)))
                .map_or_else(|| host.to_owned(), |found| found.as_str().to_owned()),
        }
    }

    /// The groups of some hosts, by the groups' names.
    pub fn groups(&self, hosts: impl IntoIterator<Item = String>) -> Vec<BTreeSet<String>> {
        let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for host in hosts {
            groups.entry(self.of(&host)).or_default().insert(host);
        }
        groups.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(grouping: &str, hosts: &[&str]) -> Vec<Vec<String>> {
        let grouping: Grouping = grouping.parse().unwrap();
        let groups = grouping.groups(hosts.iter().map(|host| (*host).to_owned()));
        groups.into_iter().map(|group| group.into_iter().collect()).collect()
    }

    #[test]
    fn a29_groups_go_by_name() {
        let hosts = ["rack2-b", "rack1-a", "rack2-a", "odd"];
        assert_eq!(groups("by_host", &hosts), [["odd"], ["rack1-a"], ["rack2-a"], ["rack2-b"]]);
        assert_eq!(groups("none", &hosts), [["odd", "rack1-a", "rack2-a", "rack2-b"]]);
        let racks: [&[&str]; 3] = [&["odd"], &["rack1-a"], &["rack2-a", "rack2-b"]];
        assert_eq!(groups("by_name:^rack[0-9]+", &hosts), racks);
        let rows: [&[&str]; 3] = [&["rack1-a", "rack2-a"], &["rack2-b"], &["odd"]];
        assert_eq!(groups("by_name:-(.)$", &hosts), rows);
        for (wrong, wanted) in [("by_rack", "by_name:REGEX"), ("by_name:(", "regular expression")] {
            let refused = wrong.parse::<Grouping>().unwrap_err();
            assert!(refused.contains(wanted), "{refused}");
        }
    }

    #[test]
    fn a31_names_are_trimmed_and_what_says_nothing_is_skipped() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(listed("b, a,,b "), Ok(names(&["a", "b"])));
        assert!(listed(" ,").unwrap_err().contains("such as host-1,host-2"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts");
        std::fs::write(&file, "h1\n\n # not h0\n h2 \r\n").unwrap();
        assert_eq!(in_file(&file).unwrap(), names(&["h1", "h2"]));
        std::fs::write(&file, "\n").unwrap();
        assert!(in_file(&file).unwrap_err().to_string().contains("it names none"));
        let missing = in_file(&folder.path().join("none")).unwrap_err();
        assert_eq!(missing.code, Code::InvalidParameter);
    }
}
