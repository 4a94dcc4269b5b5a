//! Following what a process prints, as `tail -f` does.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;

/// The most that one call reads, in bytes.
const CHUNK: usize = 64 << 10;

/// Reads a file as it grows. The file need not be there yet; one that is rotated or truncated is
/// read from its beginning again.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    file: Option<(File, u64)>,
    offset: u64,
}

impl Follower {
    /// Follows a file from its beginning.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), file: None, offset: 0 }
    }

    /// Follows a file from what is its end now.
    pub fn from_end(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        // A file that is not there yet will be new altogether.
        let offset = std::fs::metadata(&path).map_or(0, |found| found.len());
        Self { path, file: None, offset }
    }

    /// What has been added since the last call, at most 64 KiB of it; empty if nothing.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Ok(file) => {
                    let inode = file.metadata()?.ino();
                    Some((file, inode))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            };
        }
        let Some((file, inode)) = &self.file else { return Ok(Vec::new()) };
        if file.metadata()?.len() < self.offset {
            self.offset = 0;
        }
        let mut bytes = vec![0; CHUNK];
        let read = file.read_at(&mut bytes, self.offset)?;
        bytes.truncate(read);
        self.offset += read as u64;
        if read == 0 {
            // Everything of this file has been read: has another one taken its name?
            let moved = std::fs::metadata(&self.path).is_ok_and(|found| found.ino() != *inode);
            if moved {
                self.file = None;
                self.offset = 0;
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Follower;

    #[test]
    fn growth_rotation_and_absence_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stdout");
        let mut follower = Follower::new(&path);
        assert!(follower.read().unwrap().is_empty());
        std::fs::write(&path, "one").unwrap();
        assert_eq!(follower.read().unwrap(), b"one");
        assert!(follower.read().unwrap().is_empty());
        std::fs::rename(&path, folder.path().join("stdout.1")).unwrap();
        std::fs::write(&path, "two").unwrap();
        assert!(follower.read().unwrap().is_empty());
        assert_eq!(follower.read().unwrap(), b"two");
    }
}
