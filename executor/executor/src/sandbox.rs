//! Where the processes of a task live, and who they are (`executor.md` 4).

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aurora_thermos::process::output::give_to;
use aurora_thermos::process::user::{Credentials, UserError};

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

/// Makes the sandbox of a task within the folder that the agent has made for it.
pub(crate) fn create(container: &Path, user: &Credentials) -> Result<PathBuf, SandboxError> {
    let path = container.join("sandbox");
    let failed = |source| SandboxError::Create { path: path.clone(), source };
    match std::fs::DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(failed(error));
        }
        _ => {}
    }
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).map_err(failed)?;
    if !user.is_current() {
        for folder in [container, &path] {
            give_to(folder, user).map_err(|source| SandboxError::Give {
                path: folder.to_owned(),
                user: user.name.clone(),
                source,
            })?;
        }
    }
    Ok(path)
}
