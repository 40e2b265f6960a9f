//! The command `assets`: writes the files that come with the program into a folder.

use std::borrow::Cow;
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use url::Url;

use crate::bundle::{ALERTMANAGER, FOLDERS};

/// Where alerts lead to in the repository.
const RUNBOOKS_URL: &str =
    "https://github.com/avepoint-exporter/avepoint-exporter/blob/main/docs/runbooks/";

/// Reads the address of the folder of runbooks.
pub(super) fn runbook_url(text: &str) -> Result<Url, &'static str> {
    const EXPECTED: &str = "expected a URL such as http://exporter.example.com:10044/runbooks";
    let mut url: Url = text.parse().map_err(|_| EXPECTED)?;
    let is_plain = url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !is_plain {
        return Err(EXPECTED);
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// Writes all files below `out`, in place of those that are there. One of another version, or that somebody has
/// changed, is kept with `.old` after its name. Alerts lead to the runbooks at `runbook_url`, if there is one. Returns a
/// line of text for each.
///
/// # Errors
/// Which file or folder could not be written, and why.
pub(super) fn write(out: &Path, runbook_url: Option<&Url>) -> anyhow::Result<Vec<String>> {
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
            let text = match runbook_url {
                Some(url) => Cow::Owned(file.text.replace(RUNBOOKS_URL, url.as_str())),
                None => Cow::Borrowed(file.text),
            };
            written.push(replace(&path, file.name, &text)?);
        }
    }
    written.push(replace(out, ALERTMANAGER.name, ALERTMANAGER.text)?);
    Ok(written)
}

/// Replaces a file as a whole: at any moment it is the one before or this one.
fn replace(folder: &Path, name: &str, text: &str) -> anyhow::Result<String> {
    let path = folder.join(name);
    let replaced = || -> io::Result<Option<PathBuf>> {
        let mut new = tempfile::Builder::new()
            .prefix(".avepoint-exporter-")
            // For others to read, such as Prometheus, as far as the user's umask lets them.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            // The kind alone: the text names a file that nobody asked for.
            .map_err(|error| io::Error::from(error.kind()))?;
        // By way of the file, whose errors do not name it.
        new.as_file_mut().write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        let is_another = fs::read(&path).is_ok_and(|before| before != text.as_bytes());
        let kept = is_another.then(|| folder.join(format!("{name}.old")));
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
