//! What the configuration names and does not hold: secrets in files and in the environment, certificates.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::checker::Checker;
use super::exposed::warn_if_exposed;
use super::patience::within;
use super::shown::{is_path, is_plausible};
use super::watched::MAX_FILE;
use crate::domain::text::{self, BYTE_ORDER_MARK};
use crate::domain::{ByteSize, Secret};

/// No secret is longer; a larger file is the wrong file.
pub(super) const MAX_SECRET: ByteSize = ByteSize(64 << 10);

/// Which secret is read, as messages speak of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Such as `client secret`.
    pub(super) what: &'static str,
    /// The name of an environment variable for it.
    pub(super) variable: &'static str,
}

/// The secret that a file holds.
pub(super) fn secret_from_file(
    checker: &mut Checker<'_>,
    name: &str,
    wanted: Wanted,
) -> Result<Secret, String> {
    let expected = format!("expected a file with only the {}", wanted.what);
    if name.is_empty() {
        return Err(format!("is empty; {expected}"));
    }
    let place = file_shown(checker, name);
    let bytes = checker.read_file(&place, name, MAX_SECRET, &expected)?;
    warn_if_exposed(&checker.source.base_dir.join(name));
    text::utf8(bytes)
        .and_then(|text| one_line(&text))
        .map_err(|wrong| format!("{place} {wrong}; {expected}"))
}

/// The secret that is this one line of text, or what is wrong with it. The line may end with a line break, since
/// most of what writes secrets puts one there.
fn one_line(text: &str) -> Result<Secret, &'static str> {
    let line = text
        .strip_suffix("\r\n")
        .or_else(|| text.strip_suffix('\n'))
        .unwrap_or(text);
    if line.trim().is_empty() {
        return Err("is empty");
    }
    if line.contains(char::is_control) {
        return Err("contains several lines or a control character");
    }
    Ok(Secret::from(line.to_owned()))
}

/// The file as messages show it. What neither looks like a path nor is that of a file may be the secret itself, in the
/// wrong place: then only the directory is named.
pub(super) fn file_shown(checker: &Checker<'_>, name: &str) -> String {
    let base = checker.source.base_dir;
    let file = base.join(name);
    if is_path(name) || within(&file, |file| fs::symlink_metadata(file)).is_ok() {
        return format!("the file {}", quoted(&file));
    }
    let base = if base.as_os_str().is_empty() {
        Path::new(".")
    } else {
        base
    };
    format!("the file of this name in the directory {}", quoted(base))
}

/// The secret that an environment variable holds.
pub(super) fn secret_from_env(
    checker: &Checker<'_>,
    name: &str,
    wanted: Wanted,
) -> Result<Secret, String> {
    let shown = variable_shown(name, wanted)?;
    (checker.source.env)(name)
        .ok_or("is not set, or is not UTF-8")
        // PowerShell 5.1 reads a mark into a variable where it was told that the file is plain UTF-8.
        .and_then(|text| one_line(text.trim_start_matches(BYTE_ORDER_MARK)))
        .map_err(|wrong| format!("{shown} {wrong}; expected the {} in it", wanted.what))
}

/// The environment variable as messages show it, or why it can be none.
pub(super) fn variable_shown(name: &str, wanted: Wanted) -> Result<String, String> {
    let is_name = |letter: fn(&u8) -> bool| {
        !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
            && name
                .bytes()
                .all(|b| letter(&b) || b.is_ascii_digit() || b == b'_')
    };
    if !is_name(u8::is_ascii_alphabetic) {
        return Err(format!(
            "is not the name of an environment variable; expected a name such as {}, not the secret itself",
            wanted.variable
        ));
    }
    // People put the secret itself here. One of letters and digits has small letters, as good as always.
    Ok(if is_name(u8::is_ascii_uppercase) && is_plausible(name) {
        format!("the environment variable {name}")
    } else {
        "the environment variable of this name".to_owned()
    })
}

/// The folder for what is kept over a restart: one that is there, or that can be made later.
pub(super) fn state_dir(base: &Path, name: &str) -> Result<PathBuf, String> {
    const EXPECTED: &str = "expected a writable directory, or one that the exporter can create";
    if name.trim().is_empty() {
        return Err(format!("is empty; {EXPECTED}"));
    }
    let folder = base.join(name);
    let shown = quoted(&folder);
    match within(&folder, |folder| fs::metadata(folder)) {
        Ok(metadata) if metadata.is_dir() => Ok(folder),
        Ok(_) => Err(format!("{shown} is not a directory; {EXPECTED}")),
        Err(cause) if cause.kind() == ErrorKind::NotADirectory => Err(format!(
            "a parent of {shown} is not a directory; {EXPECTED}"
        )),
        Err(cause) if cause.kind() == ErrorKind::InvalidInput => {
            Err(format!("{shown} is not a valid path; {EXPECTED}"))
        }
        Err(cause) if cause.kind() == ErrorKind::TimedOut => {
            Err(format!("{shown} cannot be read: {cause}; {EXPECTED}"))
        }
        // It may come to be there, or to be writable, while the exporter runs.
        Err(_) => Ok(folder),
    }
}

/// A path in quotes, without anything that could break a line.
fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}

/// The PEM text of a file with at least one certificate.
pub(super) fn ca(checker: &mut Checker<'_>, name: &str) -> Result<Vec<u8>, String> {
    const EXPECTED: &str = "expected a file with PEM certificates (-----BEGIN CERTIFICATE-----)";
    let place = file_shown(checker, name);
    let bytes = checker.read_file(&place, name, MAX_FILE, EXPECTED)?;
    let bytes = without_marks(&bytes).to_vec();
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        count += 1;
        certificate
            .map_err(|_| format!("certificate {count} in {place} is invalid; {EXPECTED}"))?;
    }
    if count == 0 {
        return Err(format!("{place} contains no certificate; {EXPECTED}"));
    }
    Ok(bytes)
}

/// PEM without byte order marks. There is one at each place where such files were joined, and the section behind it
/// would not be found.
pub(super) fn without_marks(mut pem: &[u8]) -> Zeroizing<Vec<u8>> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let mut kept = Zeroizing::new(Vec::with_capacity(pem.len()));
    while let [byte, rest @ ..] = pem {
        pem = pem.strip_prefix(MARK).unwrap_or_else(|| {
            kept.push(*byte);
            rest
        });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_dropped_wherever_files_were_joined() {
        for (pem, kept) in [
            (&b""[..], &b""[..]),
            (b"\xef\xbb\xbfa\xef\xbb\xbf\xef\xbb\xbfb", b"ab"),
            (b"\xef\xbb\xef\xbb\xbf\xbf", b"\xef\xbb\xbf"),
            (b"a\xef\xbb", b"a\xef\xbb"),
        ] {
            assert_eq!(*without_marks(pem), kept);
        }
    }

    #[test]
    fn a_secret_is_one_line_with_or_without_its_break() {
        for text in ["hunter2", "hunter2\n", "hunter2\r\n"] {
            assert_eq!(one_line(text).unwrap().expose(), "hunter2");
        }
        assert_eq!(one_line(" hunter2 ").unwrap().expose(), " hunter2 ");
        for text in ["", "\n", " \r\n"] {
            assert_eq!(one_line(text).unwrap_err(), "is empty");
        }
        for text in ["hunter2\n\n", "hunter2\nhunter2", "hunter2\r", "\0hunter2"] {
            let wrong = one_line(text).unwrap_err();
            assert_eq!(wrong, "contains several lines or a control character");
        }
    }
}
