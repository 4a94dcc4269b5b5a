//! The mount namespace of a task.
//!
//! It is made by a thread of its own: that thread leaves the namespace of the executor, makes the
//! image its root and lets go of all else before it looks at anything in the image. From then on the kernel
//! resolves every path, links included, below that root; but for the magic links of procfs, which lead to
//! wherever a process is. So what is looked for where a procfs may be is a [`Root`]'s to find.

#![expect(unsafe_code, reason = "a thread has to leave the executor's mount namespace")]

mod root;

use std::ffi::CStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    Access, AtFlags, CWD, FileType, Mode, access, chmodat, makedev, mknodat, symlinkat,
};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount,
    mount_change, move_mount, open_tree, unmount,
};
use rustix::process::{chdir, fchdir, pivot_root};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use self::root::Root;
use super::ImageError;
use super::accounts::Account;

/// Shells, the better one first.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];

/// Files of the machine that programs in an image need to find others by name.
const COPIES: [&str; 3] = ["/etc/resolv.conf", "/etc/hosts", "/etc/hostname"];

/// What is mounted besides, as Mesos does for containers: kind, place, flags and data.
const SYSTEM: [(&str, &str, MountFlags, Option<&CStr>); 5] = {
    let plain = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);
    [
        ("proc", "/proc", plain, None),
        ("sysfs", "/sys", plain.union(MountFlags::RDONLY), None),
        ("tmpfs", "/dev", MountFlags::NOSUID, Some(c"mode=755")),
        (
            "devpts",
            "/dev/pts",
            MountFlags::NOSUID.union(MountFlags::NOEXEC),
            Some(c"newinstance,ptmxmode=0666,mode=620"),
        ),
        ("tmpfs", "/dev/shm", MountFlags::NOSUID.union(MountFlags::NODEV), Some(c"mode=1777")),
    ]
};

/// Devices that everybody may use: name, major and minor number.
const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// Links in `/dev`: name and where it leads.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// What a task sees.
#[derive(Debug)]
pub(super) struct Content<'a> {
    /// The folder that is its root.
    pub(super) image: &'a Path,
    /// What of the machine appears in it, in this order.
    pub(super) binds: &'a [Bind],
    /// Who is to be known in it.
    pub(super) account: Option<&'a Account>,
}

/// A file or folder of the machine that appears in an image.
#[derive(Debug)]
pub(super) struct Bind {
    /// As the machine names it.
    pub(super) source: PathBuf,
    /// As the image names it: an absolute path.
    pub(super) target: PathBuf,
    pub(super) read_only: bool,
}

/// What was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) namespace: OwnedFd,
    pub(super) shell: &'static str,
}

/// Makes a mount namespace.
///
/// # Errors
/// The kernel refuses, or the image does not hold what is needed.
pub(super) fn make(content: &Content<'_>) -> Result<Made, ImageError> {
    let made = std::thread::scope(|scope| scope.spawn(|| within(content)).join());
    made.unwrap_or_else(|_panic| {
        Err(ImageError::of("mount the image")(io::Error::other("it was not finished")))
    })
}

/// Runs on a thread of its own, which is of no use for anything else afterwards.
fn within(content: &Content<'_>) -> Result<Made, ImageError> {
    // SAFETY: only the mounts, root and working directory of this thread are set apart, no
    // descriptors.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::FS) }
        .map_err(ImageError::of("make a mount namespace"))?;
    // That of this thread alone.
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    let namespace = File::open("/proc/thread-self/ns/mnt")
        .map_err(ImageError::of("open the mount namespace"))?;
    // Nothing that is mounted here may get to the machine.
    let downstream = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", downstream).map_err(ImageError::of("set the mounts of the task apart"))?;
    let image = detached(content.image)?;
    // Whoever may give a job an image must not become root by a file in it.
    restrict(&image, NOSUID | NODEV)
        .map_err(ImageError::of("take privileges from the files of the image"))?;
    let binds = content.binds.iter().map(Source::open).collect::<Result<Vec<_>, _>>()?;
    let copies = COPIES.into_iter().filter_map(read).collect::<Result<Vec<_>, _>>()?;

    enter(&image, content.image)
        .map_err(ImageError::of(format!("make {} the root", content.image.display())))?;
    let shell = SHELLS.into_iter().find(|shell| is_program(shell));
    let shell = shell.ok_or_else(|| ImageError::NoShell(content.image.to_owned()))?;
    if let Some(account) = content.account {
        account.add(shell)?;
    }
    for (path, text) in copies {
        replace(path, &text).map_err(ImageError::of(format!("write {path} of the image")))?;
    }
    let root = Root::open().map_err(ImageError::of("open the root of the image"))?;
    mount_system(&root)?;
    for (bind, source) in content.binds.iter().zip(binds) {
        let from = bind.source.display();
        let to = bind.target.display();
        source
            .attach(bind, &root)
            .map_err(ImageError::of(format!("mount {from} at {to} of the image")))?;
    }
    Ok(Made { namespace: namespace.into(), shell })
}

/// The mount of a file or folder, with all that is mounted below it, which is nowhere yet.
fn detached(path: &Path) -> Result<OwnedFd, ImageError> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    open_tree(CWD, path, flags).map_err(ImageError::of(format!("mount {}", path.display())))
}

/// Makes a mount the root of the namespace and of this thread. Nothing else stays.
fn enter(image: &OwnedFd, path: &Path) -> io::Result<()> {
    move_mount(image, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    fchdir(image)?;
    // The old root comes to lie on the new one, from where it is taken away.
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    Ok(())
}

/// Attributes of mounts, as `mount_setattr(2)` has them.
const RDONLY: u64 = 1;
const NOSUID: u64 = 2;
const NODEV: u64 = 4;

/// Adds attributes to those of a mount and of all that are mounted below it.
fn restrict(mount: &OwnedFd, attributes: u64) -> io::Result<()> {
    // The kernel's `struct mount_attr`: what is set, what is cleared, propagation, user namespace.
    let change = [attributes, 0, 0, 0u64];
    // SAFETY: reads the record, which has the size that is told, and an empty text.
    let done = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            nix::libc::AT_EMPTY_PATH | nix::libc::AT_RECURSIVE,
            change.as_ptr(),
            size_of_val(&change),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn is_program(path: &str) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file()) && access(path, Access::EXEC_OK).is_ok()
}

/// A file of the machine, unless it has none of that name.
fn read(path: &'static str) -> Option<Result<(&'static str, Vec<u8>), ImageError>> {
    match fs::read(path) {
        Ok(text) => Some(Ok((path, text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(ImageError::of(format!("read {path}"))(error))),
    }
}

/// Writes a new file in the place of what is there, such as a link that leads nowhere.
fn replace(path: &str, text: &[u8]) -> io::Result<()> {
    if let Some(folder) = Path::new(path).parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text)
}

/// Mounts what programs expect of a system.
fn mount_system(root: &Root) -> Result<(), ImageError> {
    for (kind, place, flags, data) in SYSTEM {
        let folder = root.folder(Path::new(place));
        let folder = folder.map_err(ImageError::of(format!("make {place} in the image")))?;
        // By its descriptor: no path leads anywhere else.
        fchdir(&folder)
            .and_then(|()| mount(kind, ".", kind, flags, data))
            .and_then(|()| chdir("/"))
            .map_err(ImageError::of(format!("mount {place} of the image")))?;
    }
    fill_dev(root).map_err(ImageError::of("fill /dev of the image"))?;
    make_tmp(root).map_err(ImageError::of("make /tmp in the image"))
}

fn fill_dev(root: &Root) -> io::Result<()> {
    let dev = root.folder(Path::new("/dev"))?;
    for (name, major, minor) in DEVICES {
        let everybody = Mode::from_raw_mode(0o666);
        mknodat(&dev, name, FileType::CharacterDevice, everybody, makedev(major, minor))?;
        chmodat(&dev, name, everybody, AtFlags::empty())?;
    }
    for (name, target) in LINKS {
        symlinkat(target, &dev, name)?;
    }
    Ok(())
}

fn make_tmp(root: &Root) -> io::Result<()> {
    match root.make_folder("tmp") {
        Ok(()) => Ok(chmodat(root, "tmp", Mode::from_raw_mode(0o1777), AtFlags::empty())?),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The mount of a [`Bind`], which is nowhere yet.
struct Source {
    mount: OwnedFd,
    is_folder: bool,
}

impl Source {
    fn open(bind: &Bind) -> Result<Self, ImageError> {
        let path = &bind.source;
        // A volume may be named through a link; the agent's mount is where it leads.
        let path = path.canonicalize().map_err(ImageError::of(format!(
            "find {}, to be mounted in the image",
            path.display()
        )))?;
        let mount = detached(&path)?;
        if bind.read_only {
            let action = format!("have {} only read in the image", path.display());
            restrict(&mount, RDONLY).map_err(ImageError::of(action))?;
        }
        Ok(Self { mount, is_folder: path.is_dir() })
    }

    /// Mounts it, at a place that is made if it is not there.
    fn attach(self, bind: &Bind, root: &Root) -> io::Result<()> {
        let target =
            if self.is_folder { root.folder(&bind.target)? } else { root.file(&bind.target)? };
        let flags =
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        Ok(move_mount(&self.mount, "", &target, "", flags)?)
    }
}
