//! Where processes run: on the machine, or in a file system of their own.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// A file system of its own, which is the only one that its processes see.
#[derive(Debug)]
pub struct Image {
    /// The folder that it was made of, as the machine names it. Errors name it.
    pub path: PathBuf,
    /// A mount namespace whose root it is (`/proc/PID/ns/mnt`, opened). It is gone with this and
    /// the last process in it.
    pub namespace: OwnedFd,
    /// The folder that processes start in, as they name it.
    pub directory: PathBuf,
    /// The shell, as they name it.
    pub shell: &'static str,
}

/// Where a process runs.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// On the machine, in this directory.
    Machine(BorrowedFd<'a>),
    /// In an image, which may be entered by root only.
    Image(&'a Image),
}

impl<'a> Place<'a> {
    /// In the image if there is one, on the machine in this directory otherwise.
    pub fn new(image: Option<&'a Image>, directory: BorrowedFd<'a>) -> Self {
        image.map_or(Self::Machine(directory), Self::Image)
    }
}
