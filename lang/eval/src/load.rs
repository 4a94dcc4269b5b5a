//! Where the texts of files come from.

use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
pub const MAX_FILE_LEN: u64 = 8 << 20;
/// Where files come from. An editor gives the text on the screen, a command that on disk.
pub trait Loader: Sync {
    /// The text of a file.
    ///
    /// # Errors
    /// Why it cannot be read; the path is added by the caller.
    fn read(&self, path: &Path) -> std::io::Result<String>;

    /// The text of a file that another one includes. Its path is that of the folder of the other
    /// with the text of the include behind it, as it is.
    ///
    /// # Errors
    /// Why it cannot be read; the path is added by the caller.
    fn include(&self, path: &Path) -> std::io::Result<String> {
        self.read(path)
    }

    /// The bytes of a file that a function of the language asks for, to be read once.
    ///
    /// # Errors
    /// Why it cannot be read; the path is added by the caller.
    fn open(&self, path: &Path) -> std::io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(std::io::Cursor::new(self.include(path)?.into_bytes())))
    }

    /// The same for every path that leads to the same file, so that a file that includes itself
    /// can be told.
    fn identity(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

/// Bytes as the text of a file.
///
/// # Errors
/// They are no UTF-8; it says where.
pub fn text_of(bytes: Vec<u8>) -> std::io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        let before = good.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let column = String::from_utf8_lossy(before).chars().count() + 1;
        std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            format!("it is not UTF-8 text: line {line}, column {column} is where it is not"),
        )
    })
}

/// Reads files from disk, at most [`MAX_FILE_LEN`] bytes each.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Loader for Disk {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        let file = std::fs::File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(std::io::Error::new(std::io::ErrorKind::IsADirectory, "it is a directory"));
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE_LEN + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_LEN {
            return Err(std::io::Error::new(
                std::io::ErrorKind::FileTooLarge,
                format!("it is larger than {} MB", MAX_FILE_LEN >> 20),
            ));
        }
        text_of(bytes)
    }

    /// Pipes and devices, which a person may name on the command line, are not followed: reading
    /// them may wait for ever, or do something.
    fn include(&self, path: &Path) -> std::io::Result<String> {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "it is not a regular file",
            ));
        }
        self.read(path)
    }

    fn open(&self, path: &Path) -> std::io::Result<Box<dyn Read + '_>> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "it is not a regular file",
            ));
        }
        Ok(Box::new(std::fs::File::open(path)?))
    }

    fn identity(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_owned())
    }
}
