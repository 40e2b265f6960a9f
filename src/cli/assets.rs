//! The command `assets`: writes the files that come with the program into a folder.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::bundle::{ALERTMANAGER, FOLDERS, File};

/// Writes all files below `out`, in place of those that are there. One of another version, or that somebody has
/// changed, is kept with `.old` after its name. Returns a line of text for each.
///
/// # Errors
/// Which file or folder could not be written, and why.
pub(super) fn write(out: &Path) -> anyhow::Result<Vec<String>> {
    let mut written = Vec::new();
    for folder in FOLDERS {
        let path = out.join(folder.name);
        fs::create_dir_all(&path).with_context(|| {
            format!(
                "failed to create the directory {}; choose another one with --out",
                path.display()
            )
        })?;
        for file in folder.files {
            written.push(replace(&path, file)?);
        }
    }
    written.push(replace(out, &ALERTMANAGER)?);
    Ok(written)
}

/// Replaces a file as a whole: at any moment it is the one before or this one.
fn replace(folder: &Path, file: &File) -> anyhow::Result<String> {
    let path = folder.join(file.name);
    let replaced = || -> io::Result<Option<PathBuf>> {
        let mut new = tempfile::Builder::new()
            .prefix(".avepoint-exporter-")
            // For others to read, such as Prometheus, as far as the user's umask lets them.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            // The kind alone: the text names a file that nobody asked for.
            .map_err(|error| io::Error::from(error.kind()))?;
        // By way of the file, whose errors do not name it.
        new.as_file_mut().write_all(file.text.as_bytes())?;
        new.as_file().sync_all()?;
        let is_another = fs::read(&path).is_ok_and(|before| before != file.text.as_bytes());
        let kept = is_another.then(|| folder.join(format!("{}.old", file.name)));
        if let Some(kept) = &kept {
            fs::copy(&path, kept)?;
        }
        new.persist(&path).map_err(|failed| failed.error)?;
        Ok(kept)
    };
    let kept = replaced().with_context(|| {
        format!(
            "failed to write {}; check free space and permissions, or choose another directory with --out",
            path.display()
        )
    })?;
    let path = path.display();
    Ok(match kept {
        Some(kept) => format!("{path} (previous file kept as {})", kept.display()),
        None => path.to_string(),
    })
}
