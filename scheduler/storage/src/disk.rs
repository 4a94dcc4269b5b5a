//! What the log asks of a disk, so that the same code runs on one that is simulated with its faults.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// A place with folders and files. What was written is on it for good once the file was synced; what
/// a folder holds, once the folder was.
pub trait Disk: Debug + Send {
    /// A file that is appended to.
    type File: DiskFile + 'static;
    /// The right to use a folder. Ends when it is dropped, and with the process.
    type Lock: Debug + Send;

    /// Makes a folder and those it is in; when this returns they are there for good.
    ///
    /// # Errors
    /// The folder cannot be made.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;

    /// Takes the lock that the file `path` stands for; or says who has it.
    ///
    /// # Errors
    /// The file cannot be used.
    fn lock(&self, path: &Path) -> io::Result<Result<Self::Lock, String>>;

    /// Whether `path` still stands for this lock: another file may have taken its place.
    ///
    /// # Errors
    /// The disk does not say.
    fn holds(&self, lock: &Self::Lock, path: &Path) -> io::Result<bool>;

    /// The names of what a folder holds that can be told as text, in no order.
    ///
    /// # Errors
    /// The folder cannot be read.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// All of a file.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Makes an empty file, or empties the one that is there.
    ///
    /// # Errors
    /// It cannot be made.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// Gives a file another name. One that has that name is gone.
    ///
    /// # Errors
    /// It cannot be renamed.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// It cannot be removed.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes durable which files a folder holds.
    ///
    /// # Errors
    /// It is not known whether it is.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// A file that is appended to.
pub trait DiskFile: Debug + Send {
    /// Writes at the end.
    ///
    /// # Errors
    /// Not all was written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes durable what was appended.
    ///
    /// # Errors
    /// It is not known whether it is, and syncing once more would not tell.
    fn sync(&mut self) -> io::Result<()>;
}

/// The disks of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    type File = File;
    type Lock = File;

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // A folder is there after a loss of power if the one it is in is on disk.
        for parent in missing.into_iter().filter_map(Path::parent) {
            let here = Path::new(".");
            self.sync_folder(if parent.as_os_str().is_empty() { here } else { parent })?;
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Result<File, String>> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // Only to say who it is.
                let _ = (&file).take(32).read_to_string(&mut holder);
                return Ok(Err(holder.trim().to_owned()));
            }
            Err(errno) => return Err(errno.into()),
        }
        file.set_len(0)?;
        file.write_all(std::process::id().to_string().as_bytes())?;
        Ok(Ok(file))
    }

    fn holds(&self, lock: &File, path: &Path) -> io::Result<bool> {
        let mine = rustix::fs::fstat(lock)?;
        match rustix::fs::stat(path) {
            Ok(there) => Ok((mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into_string()));
        names.filter_map(|name: io::Result<_>| name.map(Result::ok).transpose()).collect()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

impl DiskFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
