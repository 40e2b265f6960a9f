//! Files that a configuration was read from, and whether they have changed since. Knows nothing of what is in them.

use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::patience::{self, within};
use crate::domain::{ByteSize, text};

/// No file that a configuration names is read if it is larger. All public authorities together take a quarter of this.
pub(super) const MAX_FILE: ByteSize = ByteSize(1 << 20);

/// A file's bytes, or `None` when there are more than `max`.
///
/// # Errors
///
/// What the operating system says, or that it takes too long.
pub(super) fn read_capped(file: &Path, max: ByteSize) -> io::Result<Option<Vec<u8>>> {
    within(file, move |file| capped(file, max))
}

fn capped(file: &Path, max: ByteSize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let file = patience::open(file)?;
    // Before the first byte too: a pipe that nobody has opened for writing yet looks as if it had ended.
    patience::wait_for_more(&file)?;
    let mut most = (&file).take(max.0 as u64 + 1);
    while let Err(error) = most.read_to_end(&mut bytes) {
        if error.kind() != io::ErrorKind::WouldBlock {
            return Err(error);
        }
        patience::wait_for_more(&file)?;
    }
    Ok((bytes.len() <= max.0).then_some(bytes))
}

/// A file's bytes, or what is wrong with the file, which is `place` in messages.
pub(super) fn content(
    place: &str,
    file: &Path,
    max: ByteSize,
    expected: &str,
) -> Result<Vec<u8>, String> {
    let bytes = read_capped(file, max)
        .map_err(|cause| format!("{place} cannot be read: {cause}; {expected}"))?
        .ok_or_else(|| format!("{place} is larger than {max}; {expected}"))?;
    if text::is_utf16(&bytes) {
        return Err(format!("{place} {}; {expected}", text::IS_UTF16));
    }
    Ok(bytes)
}

/// A file that the configuration names, such as that of a client secret, as it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct ReadFile {
    /// Where it lies.
    pub path: PathBuf,
    digest: u64,
}

impl ReadFile {
    pub(super) fn new(path: &Path, bytes: &[u8]) -> Self {
        Self {
            path: path.to_owned(),
            digest: digest(bytes),
        }
    }

    /// Whether it holds something else now. A file that is gone or cannot be read has not changed: it may be in
    /// the middle of being replaced. Blocks for as long as the disk takes.
    pub fn has_changed(&self) -> bool {
        let bytes = within(&self.path, |path| {
            // What was read from a pipe does not come again.
            let is_file = fs::metadata(path)?.is_file();
            is_file.then(|| capped(path, MAX_FILE)).transpose()
        });
        let bytes = bytes.ok().flatten();
        bytes.is_some_and(|bytes| bytes.is_none_or(|bytes| digest(&bytes) != self.digest))
    }

    /// Whether there is no such file any more. Blocks for as long as the disk takes.
    pub fn is_gone(&self) -> bool {
        let found = within(&self.path, |path| fs::metadata(path));
        found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }
}

/// Without the digest: it says little, but something, of a secret.
impl fmt::Debug for ReadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadFile").field(&self.path).finish()
    }
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_changed_when_it_holds_something_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.secret");
        fs::write(&path, "one").unwrap();
        let file = ReadFile::new(&path, &read_capped(&path, MAX_FILE).unwrap().unwrap());
        assert!(!file.has_changed());
        fs::write(&path, "one").unwrap();
        assert!(!file.has_changed());
        fs::write(&path, "two").unwrap();
        assert!(file.has_changed());
        fs::write(&path, vec![b'x'; 2 << 20]).unwrap();
        assert!(file.has_changed());
        assert!(!file.is_gone());
        fs::remove_file(&path).unwrap();
        assert!(!file.has_changed() && file.is_gone());
        fs::create_dir(&path).unwrap();
        assert!(!file.has_changed());
        assert!(format!("{file:?}").ends_with("app.secret\")"), "{file:?}");
    }
}
