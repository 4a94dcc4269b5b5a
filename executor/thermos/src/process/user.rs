//! Who processes run as.

use std::ffi::{CString, OsString};
use std::io;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// A user of the machine, with all that a process needs to become them. It is looked up before a
/// process is forked: in the forked copy nothing but system calls may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// All groups, the primary one too.
    pub groups: Vec<u32>,
}

/// Why a user cannot be looked up.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The primary group has no name.
    #[error("group {gid} of user {user:?} has no name on this machine")]
    Group {
        /// Whose group it is.
        user: String,
        /// The group.
        gid: u32,
    },
    /// There is none of that name.
    #[error("user {0:?} does not exist on this machine")]
    Unknown(String),
    /// The user database cannot be asked.
    #[error("failed to look up user {name:?}: {source}")]
    Lookup {
        /// Who was looked for.
        name: String,
        /// The cause.
        source: io::Error,
    },
}

impl Credentials {
    /// Looks a user up by name.
    ///
    /// # Errors
    /// There is none, or the user database cannot be asked.
    pub fn lookup(name: &str) -> Result<Self, UserError> {
        let failed =
            |errno: nix::Error| UserError::Lookup { name: name.to_owned(), source: errno.into() };
        let unknown = || UserError::Unknown(name.to_owned());
        let c_name = CString::new(name).map_err(|_nul| unknown())?;
        let user = found(User::from_name(name)).map_err(failed)?.ok_or_else(unknown)?;
        let groups = getgrouplist(&c_name, user.gid).map_err(failed)?;
        Ok(Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
        })
    }

    /// Who this process runs as. A user id without a name is its own name.
    ///
    /// # Errors
    /// The user database cannot be asked.
    pub fn current() -> Result<Self, UserError> {
        let (uid, gid) = (Uid::effective(), Gid::effective());
        let failed =
            |errno: nix::Error| UserError::Lookup { name: uid.to_string(), source: errno.into() };
        let name = found(User::from_uid(uid)).map_err(failed)?;
        let name = name.map_or_else(|| uid.to_string(), |user| user.name);
        let groups = nix::unistd::getgroups().map_err(failed)?;
        Ok(Self {
            name,
            uid: uid.as_raw(),
            gid: gid.as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
        })
    }

    /// The name of the primary group.
    ///
    /// # Errors
    /// It has none, or the user database cannot be asked.
    pub fn group_name(&self) -> Result<String, UserError> {
        let failed =
            |errno: nix::Error| UserError::Lookup { name: self.name.clone(), source: errno.into() };
        let group = found(Group::from_gid(Gid::from_raw(self.gid))).map_err(failed)?;
        let missing = || UserError::Group { user: self.name.clone(), gid: self.gid };
        group.map(|group| group.name).ok_or_else(missing)
    }

    /// Whether this process may become another user.
    pub fn may_switch() -> bool {
        Uid::effective().is_root()
    }

    /// Whether a process of this one already runs as this user.
    pub fn is_current(&self) -> bool {
        Uid::effective().as_raw() == self.uid
    }

    /// The variables that tell a program who it runs as.
    pub fn environment(&self) -> [(OsString, OsString); 2] {
        ["LOGNAME", "USER"].map(|variable| (variable.into(), self.name.clone().into()))
    }
}

/// Who was found; nobody where there is no file of users or groups, as in a bare container.
fn found<T>(result: nix::Result<Option<T>>) -> nix::Result<Option<T>> {
    match result {
        Err(nix::Error::ENOENT) => Ok(None),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Credentials, UserError};

    #[test]
    fn a_user_is_known_or_named_in_the_error() {
        let root = Credentials::lookup("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
        assert_eq!(root.group_name().unwrap(), "root");
        let nameless = Credentials { gid: 4_000_000_123, ..root };
        assert!(matches!(nameless.group_name(), Err(UserError::Group { gid: 4_000_000_123, .. })));
        let error = Credentials::lookup("no-such-user").unwrap_err();
        assert!(matches!(error, UserError::Unknown(name) if name == "no-such-user"));
    }
}
