//! The file system of a task that has an image (`executor.md` 4).
//!
//! The agent lays the image out beside the sandbox, as the folder `taskfs`, and starts the executor
//! outside of it. The task's processes get a mount namespace whose root the image is, with the
//! sandbox, the volumes and what programs expect of a system mounted in it. The machine's own files
//! are not in that namespace, so nothing in the image can lead to them; and as nobody else is in it,
//! it is gone with the executor and the task's processes, whatever becomes of these.

mod accounts;
mod mounts;

use std::path::{Component, Path, PathBuf};

use aurora_model::job::Volume;
use aurora_thermos::process::image::Image;
use aurora_thermos::process::user::{Credentials, UserError};

use self::accounts::{Account, AccountError};
use self::mounts::{Bind, Content};
use crate::Flags;

/// The folder that the agent lays the image out in. The scheduler names it so.
const TASKFS: &str = "taskfs";

/// Why a task cannot run in its image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// Only root may mount.
    #[error(
        "the executor runs as user {0}, and only root can mount an image: start the agent as root"
    )]
    NotRoot(String),
    /// The agent has not laid out the image.
    #[error(
        "the agent has not provided it: there is no folder {}; agents need --image_providers and \
         --isolation=filesystem/linux,docker/runtime,volume/image", .0.display()
    )]
    Missing(PathBuf),
    /// A volume would be a part of the image.
    #[error("the volume {0} lies in the folder of the image: give it another container path")]
    Volume(String),
    /// The image can only be read.
    #[error(
        "failed to {action}: the image can only be read; agents need \
         --image_provisioner_backend=overlay or copy"
    )]
    ReadOnly {
        /// What was being done.
        action: String,
    },
    /// The task's user and group cannot be looked up.
    #[error(transparent)]
    User(#[from] UserError),
    /// The task's user cannot be made known in the image.
    #[error("{0}: use another image, or start the executor with --no-create-user")]
    Account(#[from] AccountError),
    /// There is nothing that could run a command.
    #[error("the image {} has no shell: neither /bin/bash nor /bin/sh is in it", .0.display())]
    NoShell(PathBuf),
    /// The kernel refuses something, or the image does not allow it.
    #[error("failed to {action}: {source}")]
    Failed {
        /// What was being done.
        action: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl ImageError {
    fn new(action: String, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { action },
            _ => Self::Failed { action, source },
        }
    }

    /// Makes an error of the kernel's one that says what was being done.
    fn of<E: Into<std::io::Error>>(action: impl Into<String>) -> impl FnOnce(E) -> Self {
        let action = action.into();
        move |source| Self::new(action, source.into())
    }
}

/// Makes the file system of a task out of the image that its agent has laid out in `container`.
/// `sandbox` is its sandbox there; it appears at the operator's `--sandbox-mount-point`.
///
/// # Errors
/// The task cannot run in its image.
pub(crate) fn prepare(
    container: &Path,
    sandbox: &Path,
    volumes: &[Volume],
    user: &Credentials,
    flags: &Flags,
) -> Result<Image, ImageError> {
    if !Credentials::may_switch() {
        return Err(ImageError::NotRoot(user.name.clone()));
    }
    // Volumes are named from here as well.
    let container = container
        .canonicalize()
        .map_err(ImageError::of(format!("find {}", container.display())))?;
    let path = container.join(TASKFS);
    if !std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
        return Err(ImageError::Missing(path));
    }
    let mut binds = vec![Bind {
        source: sandbox.to_owned(),
        target: flags.sandbox_mount_point.clone(),
        read_only: false,
    }];
    for volume in volumes {
        match is_of_image(volume) {
            (false, _) => binds.push(Bind {
                // The agent has mounted it there.
                source: container.join(&volume.container_path),
                target: Path::new("/").join(&volume.container_path),
                read_only: volume.read_only,
            }),
            (true, true) => {}
            // What root writes in the image would be written to the machine.
            (true, false) => return Err(ImageError::Volume(volume.container_path.clone())),
        }
    }
    // What is mounted later hides what is below it.
    binds.sort_by_key(|bind| bind.target.components().count());
    let account = if flags.nosetuid || flags.no_create_user {
        None
    } else {
        Some(Account {
            user: user.name.clone(),
            group: user.group_name()?,
            uid: user.uid,
            gid: user.gid,
            home: flags.sandbox_mount_point.clone(),
        })
    };
    let made = mounts::make(&Content { image: &path, binds: &binds, account: account.as_ref() })?;
    Ok(Image {
        path,
        namespace: made.namespace,
        directory: flags.sandbox_mount_point.clone(),
        shell: made.shell,
    })
}

/// Whether a volume is mounted into the folder of the image, and whether it is the image itself.
fn is_of_image(volume: &Volume) -> (bool, bool) {
    let mut parts = Path::new(&volume.container_path)
        .components()
        .filter(|part| !matches!(part, Component::RootDir | Component::CurDir));
    let within = parts.next() == Some(Component::Normal(TASKFS.as_ref()));
    (within, within && parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Args {
        #[command(flatten)]
        flags: Flags,
    }

    #[test]
    fn s62_nobody_but_root_mounts_an_image() {
        let not_root = || {
            // It changes this thread alone, and nothing if this is not root anyway.
            let nobody = rustix::thread::Uid::from_raw(65_534);
            let _ = rustix::thread::set_thread_res_uid(nobody, nobody, nobody);
            let folder = std::env::temp_dir();
            let user = Credentials::current().unwrap();
            let flags = Args::parse_from(["executor"]).flags;
            prepare(&folder, &folder, &[], &user, &flags).unwrap_err().to_string()
        };
        let error = std::thread::spawn(not_root).join().unwrap();
        assert!(error.contains("only root can mount an image: start the agent as root"), "{error}");
    }

    #[test]
    fn a_mount_point_is_a_plain_path_below_the_root() {
        let flag = |path: &str| Args::try_parse_from(["executor", "--sandbox-mount-point", path]);
        assert_eq!(flag("/here").unwrap().flags.sandbox_mount_point, Path::new("/here"));
        for path in ["", "/", "here", "/a/../b", "/a:b", "/a\nb"] {
            let error = flag(path).unwrap_err().to_string();
            assert!(error.contains("must be an absolute path below /"), "{path:?}: {error}");
        }
    }

    #[test]
    fn the_image_is_no_volume_in_itself() {
        let volume = |path: &str| Volume {
            container_path: path.to_owned(),
            host_path: String::new(),
            read_only: false,
        };
        for (path, expected) in [
            ("taskfs", (true, true)),
            ("/taskfs", (true, true)),
            ("./taskfs/", (true, true)),
            ("taskfs/etc", (true, false)),
            ("taskfs2", (false, false)),
            ("/data/taskfs", (false, false)),
            ("/", (false, false)),
        ] {
            assert_eq!(is_of_image(&volume(path)), expected, "{path}");
        }
    }

    #[test]
    fn an_image_that_can_only_be_read_is_told_with_what_agents_need() {
        let action = "write /etc/hosts of the image";
        let error = ImageError::of(action)(rustix::io::Errno::ROFS).to_string();
        let expected = "failed to write /etc/hosts of the image: the image can only be read; agents \
                        need --image_provisioner_backend=overlay or copy";
        assert_eq!(error, expected);
    }
}
