//! Where the processes of a task live, and who they are (`executor.md` 4).

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use aurora_thermos::process::user::{Credentials, UserError};
use rustix::fs::{Gid, Mode, OFlags, Uid, fchmod, fchown, fstat, mkdirat, open, openat};
use rustix::io::Errno;

use crate::Flags;

/// Why a task has no place to run.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// There is no user to run as.
    #[error("Could not create sandbox because user does not exist: {0}")]
    User(#[from] UserError),
    /// The folder cannot be made.
    #[error("Failed to create the sandbox {}: {source}", .path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder cannot be given to its user.
    #[error("Failed to give the sandbox {} to user {user}: {source}", .path.display())]
    Give {
        /// The folder.
        path: PathBuf,
        /// The user.
        user: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Who the processes run as, and what there is to say about it.
pub(crate) struct Identity {
    pub(crate) user: Credentials,
    pub(crate) remark: Option<String>,
}

/// Who the processes of a role run as.
pub(crate) fn identity(role: &str, flags: &Flags) -> Result<Identity, SandboxError> {
    let current = || Credentials::current().map_err(SandboxError::from);
    if flags.nosetuid {
        return Ok(Identity { user: current()?, remark: None });
    }
    let wanted = flags.execute_as_user.as_deref().unwrap_or(role);
    if !Credentials::may_switch() {
        let user = current()?;
        let remark = (user.name != wanted)
            .then(|| format!("running as user {}, who may not become {wanted}", user.name));
        return Ok(Identity { user, remark });
    }
    match Credentials::lookup(wanted) {
        Ok(user) => Ok(Identity { user, remark: None }),
        Err(UserError::Unknown(_)) if flags.fallback_to_current_user => {
            let user = current()?;
            let remark = format!("running as user {}: there is no user {wanted} here", user.name);
            Ok(Identity { user, remark: Some(remark) })
        }
        Err(error) => Err(error.into()),
    }
}

/// The folder that the processes of a task run in.
#[derive(Debug)]
pub(crate) struct Sandbox {
    pub(crate) path: PathBuf,
    /// The folder that was made, whatever becomes of its name.
    pub(crate) folder: OwnedFd,
}

/// Makes the sandbox of a task within the folder that the agent has made for it.
///
/// That folder stays ours: a job to whom it belonged could put a link in the sandbox's place, and
/// have others follow it.
pub(crate) fn create(container: &Path, user: &Credentials) -> Result<Sandbox, SandboxError> {
    let path = container.join("sandbox");
    let failed = |errno: Errno| SandboxError::Create { path: path.clone(), source: errno.into() };
    let given = |errno: Errno| SandboxError::Give {
        path: path.clone(),
        user: user.name.clone(),
        source: errno.into(),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let outer = open(container, flags, Mode::empty()).map_err(failed)?;
    let private = Mode::RWXU;
    match mkdirat(&outer, "sandbox", private) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed(errno)),
    }
    let folder = openat(&outer, "sandbox", flags | OFlags::NOFOLLOW, Mode::empty());
    let folder = folder.map_err(failed)?;
    fchmod(&folder, private).map_err(failed)?;
    if !user.is_current() {
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        fchown(&folder, Some(uid), Some(gid)).map_err(given)?;
        // The user must get through to it.
        let mode = Mode::from_raw_mode(fstat(&outer).map_err(given)?.st_mode);
        let passable = Mode::XGRP | Mode::XOTH;
        if !mode.contains(passable) {
            fchmod(&outer, mode | passable).map_err(given)?;
        }
    }
    Ok(Sandbox { path, folder })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn the_job_gets_the_sandbox_and_not_the_folder_around_it() {
        let container = tempfile::tempdir().unwrap();
        let mut user = Credentials::current().unwrap();
        if Credentials::may_switch() {
            (user.uid, user.gid) = (12_345, 12_345);
        }
        let as_agents_make_it = std::fs::Permissions::from_mode(0o750);
        std::fs::set_permissions(container.path(), as_agents_make_it).unwrap();
        let around = std::fs::metadata(container.path()).unwrap();
        let sandbox = create(container.path(), &user).unwrap();
        let made = std::fs::metadata(&sandbox.path).unwrap();
        assert_eq!((made.uid(), made.permissions().mode() & 0o7777), (user.uid, 0o700));
        let found = std::fs::metadata(container.path()).unwrap();
        assert_eq!((found.uid(), found.gid()), (around.uid(), around.gid()));
        if Credentials::may_switch() {
            assert_eq!(found.permissions().mode() & 0o7777, 0o751);
        }
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        let container = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/tmp", container.path().join("sandbox")).unwrap();
        let user = Credentials::current().unwrap();
        assert!(matches!(create(container.path(), &user), Err(SandboxError::Create { .. })));
    }
}
