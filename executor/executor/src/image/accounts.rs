//! The task's user and group in an image, so that programs there find a name for them.
//!
//! An image need not hold the programs that add users, and those of the machine would run on files
//! that are not theirs. So lines are added here, to the two files that every C library reads.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::ImageError;

const GROUPS: &str = "/etc/group";
const USERS: &str = "/etc/passwd";

/// How large these files may be, in bytes.
const MAX_SIZE: u64 = 16 << 20;

/// A user of the machine with the primary group.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) user: String,
    pub(super) group: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// The home that is written down in the image.
    pub(super) home: PathBuf,
}

/// Why an image cannot be made to know a user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountError {
    /// The name is taken by another id.
    #[error("{kind} {name:?} has the id {there} in the image, and {here} on this machine")]
    Name {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Its id in the image; of a user, that of the primary group as well.
        there: String,
        /// The same on the machine.
        here: String,
    },
    /// The id is taken by another name.
    #[error("{kind} {id} is called {there:?} in the image, and {here:?} on this machine")]
    Id {
        /// What it is.
        kind: &'static str,
        /// Its id.
        id: u32,
        /// Its name in the image.
        there: String,
        /// Its name on the machine.
        here: String,
    },
}

impl Account {
    /// Adds what is missing. The root of the calling thread is the image.
    ///
    /// # Errors
    /// The image knows somebody else by that name or id, or its files cannot be changed.
    pub(super) fn add(&self, shell: &str) -> Result<(), ImageError> {
        extend(GROUPS, |text| self.group_line(text))?;
        extend(USERS, |text| self.user_line(text, shell))
    }

    /// The line of the group, unless it is there.
    fn group_line(&self, text: &str) -> Result<Option<String>, AccountError> {
        let kind = "group";
        let there = Entry::of(text, &self.group, self.gid);
        match there {
            None => Ok(Some(format!("{}:x:{}:\n", self.group, self.gid))),
            Some(entry) if entry.name != self.group => Err(AccountError::Id {
                kind,
                id: self.gid,
                there: entry.name.to_owned(),
                here: self.group.clone(),
            }),
            Some(entry) if entry.id != self.gid => Err(AccountError::Name {
                kind,
                name: self.group.clone(),
                there: entry.id.to_string(),
                here: self.gid.to_string(),
            }),
            Some(_same) => Ok(None),
        }
    }

    /// The line of the user, unless it is there.
    fn user_line(&self, text: &str, shell: &str) -> Result<Option<String>, AccountError> {
        let kind = "user";
        let there = Entry::of(text, &self.user, self.uid);
        match there {
            // Nobody can log in: `*` is the hash of no password.
            None => Ok(Some(format!(
                "{}:*:{}:{}::{}:{shell}\n",
                self.user,
                self.uid,
                self.gid,
                self.home.display()
            ))),
            Some(entry) if entry.name != self.user => Err(AccountError::Id {
                kind,
                id: self.uid,
                there: entry.name.to_owned(),
                here: self.user.clone(),
            }),
            Some(entry) if (entry.id, entry.rest) != (self.uid, Some(self.gid)) => {
                let with_group = |uid: u32, gid: Option<u32>| match gid {
                    Some(gid) => format!("{uid} with group {gid}"),
                    None => format!("{uid} without a group"),
                };
                Err(AccountError::Name {
                    kind,
                    name: self.user.clone(),
                    there: with_group(entry.id, entry.rest),
                    here: with_group(self.uid, Some(self.gid)),
                })
            }
            Some(_same) => Ok(None),
        }
    }
}

/// A line of one of the files.
struct Entry<'a> {
    name: &'a str,
    id: u32,
    /// The number after the id: the primary group of a user.
    rest: Option<u32>,
}

impl<'a> Entry<'a> {
    /// The first of that name or, if there is none, the first of that id. Lines that are no entries
    /// are skipped, as C libraries do.
    fn of(text: &'a str, name: &str, id: u32) -> Option<Self> {
        let entries = || text.lines().filter_map(Self::read);
        entries()
            .find(|entry| entry.name == name)
            .or_else(|| entries().find(|entry| entry.id == id))
    }

    fn read(line: &'a str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let id = fields.nth(1)?.parse().ok()?;
        Some(Self { name, id, rest: fields.next().and_then(|gid| gid.parse().ok()) })
    }
}

/// Adds a line to a file, which is made if it is not there.
fn extend(
    file: &'static str,
    line: impl FnOnce(&str) -> Result<Option<String>, AccountError>,
) -> Result<(), ImageError> {
    let failed =
        |source| ImageError::new(format!("add the task's user to {file} of the image"), source);
    if let Some(folder) = Path::new(file).parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut opened = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o644)
        // Whatever the image has there must not hold up the executor.
        .custom_flags(
            (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits().cast_signed(),
        )
        .open(file)
        .map_err(failed)?;
    let found = opened.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(failed(io::Error::other("it is no regular file")));
    }
    if found.len() > MAX_SIZE {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    let mut bytes = Vec::new();
    opened.read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    let Some(line) = line(&text)? else { return Ok(()) };
    let line = if text.is_empty() || text.ends_with('\n') { line } else { format!("\n{line}") };
    opened.write_all(line.as_bytes()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            user: "www".to_owned(),
            group: "web".to_owned(),
            uid: 1001,
            gid: 1002,
            home: "/mnt/mesos/sandbox".into(),
        }
    }

    #[test]
    fn who_is_not_known_is_added() {
        let groups = account().group_line("root:x:0:\n\n# a remark\nodd line\n:x:1002:\n").unwrap();
        assert_eq!(groups.unwrap(), "web:x:1002:\n");
        let users = account().user_line("root:x:0:0:root:/root:/bin/sh\n", "/bin/bash").unwrap();
        assert_eq!(users.unwrap(), "www:*:1001:1002::/mnt/mesos/sandbox:/bin/bash\n");
    }

    #[test]
    fn s77_who_is_known_by_the_same_name_and_id_stays() {
        assert!(account().group_line("other:x:1002:\nweb:x:1002:me\n").unwrap().is_none());
        let users = "toor:x:1001:0::/:/x\nwww:x:1001:1002:Web:/srv:/bin/sh\n";
        assert!(account().user_line(users, "/bin/sh").unwrap().is_none());
    }

    #[test]
    fn s77_a_clash_names_both() {
        for (groups, expected) in [
            ("web:x:5:\n", r#"group "web" has the id 5 in the image, and 1002 on this machine"#),
            (
                "staff:x:1002:\n",
                r#"group 1002 is called "staff" in the image, and "web" on this machine"#,
            ),
        ] {
            assert_eq!(account().group_line(groups).unwrap_err().to_string(), expected);
        }
        let differs = r#"user "www" has the id"#;
        let here = "in the image, and 1001 with group 1002 on this machine";
        for (users, expected) in [
            ("www:x:5:1002::/:/x", format!("{differs} 5 with group 1002 {here}")),
            ("www:x:1001:5::/:/x", format!("{differs} 1001 with group 5 {here}")),
            ("www:x:1001", format!("{differs} 1001 without a group {here}")),
            (
                "app:x:1001:1001::/:/x",
                r#"user 1001 is called "app" in the image, and "www" on this machine"#.to_owned(),
            ),
        ] {
            let error = account().user_line(users, "/bin/sh").unwrap_err().to_string();
            assert_eq!(error, expected);
        }
    }
}
