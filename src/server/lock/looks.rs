//! Whether files look as they did: by what the file system says of them, which costs a microsecond each.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// What the file system says of some files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Marks(Vec<(PathBuf, Option<Mark>)>);

/// Device and number of a file, its size, and when its content and its entry were last changed.
type Mark = [i128; 5];

impl Marks {
    /// Those of these files, as they are now.
    pub(super) fn of(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let mark = |file: PathBuf| {
            let mark = mark(&file);
            (file, mark)
        };
        Self(files.into_iter().map(mark).collect())
    }

    /// The same, with those files beside that are not among them yet.
    pub(super) fn and<'a>(mut self, files: impl Iterator<Item = &'a PathBuf>) -> Self {
        for file in files {
            if !self.0.iter().any(|(known, _)| known == file) {
                self.0.push((file.clone(), mark(file)));
            }
        }
        self
    }

    /// Whether one of them looks different now.
    pub(super) fn have_changed(&self) -> bool {
        self.0.iter().any(|(file, before)| mark(file) != *before)
    }
}

fn mark(file: &PathBuf) -> Option<Mark> {
    let found = fs::metadata(file).ok()?;
    let time = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Some([
        found.dev().into(),
        found.ino().into(),
        found.size().into(),
        time(found.mtime(), found.mtime_nsec()),
        time(found.ctime(), found.ctime_nsec()),
    ])
}
