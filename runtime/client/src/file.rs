//! Files that people write, such as tokens and lists: read whole, if they are not too long.

use std::fs::{File, Metadata};
use std::io::{Error, Read as _, Result};
use std::path::Path;

/// The bytes of a file, and what is known of it; an error if it is longer than that many bytes.
pub(crate) fn read(path: &Path, max_len: u64) -> Result<(Vec<u8>, Metadata)> {
    let file = File::open(path)?;
    // Of the file that is read, whatever its name is given to meanwhile.
    let known = file.metadata()?;
    let mut bytes = Vec::new();
    // One more tells a file that is too long, whatever its size is said to be.
    file.take(max_len + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_len {
        return Err(Error::other(format!("it is longer than {max_len} bytes")));
    }
    Ok((bytes, known))
}

/// The same of a file that holds text.
pub(crate) fn read_text(path: &Path, max_len: u64) -> Result<(String, Metadata)> {
    let (bytes, known) = read(path, max_len)?;
    let text = String::from_utf8(bytes).map_err(|_| Error::other("it is no text in UTF-8"))?;
    Ok((text, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_or_no_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "four").unwrap();
        assert_eq!(read_text(&file, 4).unwrap().0, "four");
        assert_eq!(read(&file, 3).unwrap_err().to_string(), "it is longer than 3 bytes");
        std::fs::write(&file, [0xff]).unwrap();
        assert_eq!(read_text(&file, 4).unwrap_err().to_string(), "it is no text in UTF-8");
        // It says that it is empty.
        assert!(read(Path::new("/proc/self/status"), 10).is_err());
    }
}
