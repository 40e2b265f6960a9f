//! `certificate`: the certificate of an app registration and its private key, read from where the file says and
//! checked for all that a token service would refuse. Knows nothing of how it is used.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use x509_cert::der::Decode as _;
use zeroize::Zeroizing;

use super::checker::Checker;
use super::exposed::warn_if_exposed;
use super::files::{self, Wanted};
use super::problem::KeyPath;
use super::raw::{self, SecretText, Text};
use super::watched::MAX_FILE;
use crate::domain::{Secret, Timestamp};

mod pem;
mod pkcs12;

/// A certificate that was made just now on a machine whose clock is ahead is valid soon enough.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

const PASSWORD: Wanted = Wanted {
    what: "password of the private key",
    variable: "KEY_PASSWORD",
};

const EXPECTED_FILE: &str = "expected a PKCS#12 file (.pfx, .p12), or PEM with the certificate";

/// A certificate whose private key is at hand.
#[derive(Clone)]
pub struct Certificate {
    /// The file that it was read from.
    pub file: PathBuf,
    /// The certificate as DER.
    pub der: Vec<u8>,
    /// The private key that fits it, RSA of 2048 to 8192 bits; wiped from memory when dropped.
    pub key: RsaKeyPair,
    /// When it expires.
    pub not_after: Timestamp,
}

/// By the certificate and its file alone: no other key fits it.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der && self.file == other.file
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("key", &"[redacted]")
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// What one or two files hold of it.
struct Parts {
    /// In the order of the file, as DER. Others of the chain may be among them.
    certificates: Vec<Vec<u8>>,
    /// `None` for a key that is of no use.
    keys: Vec<Option<RsaKeyPair>>,
}

/// Why a file's content cannot be read.
enum Unreadable {
    NoPassword,
    WrongPassword,
    /// There is a password, and nothing that it would be for.
    NothingEncrypted,
    /// What is wrong with the file, and what was expected.
    Other(String),
}

/// The key of the section that is wrong, and what is wrong with it.
type Fault = (&'static str, String);

/// Reads the certificate that the section at the path names. If it `may_be_expired`, that is no error, since other things
/// work without it.
pub(super) fn check(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: raw::Certificate,
    may_be_expired: bool,
) -> Option<Certificate> {
    let (key, secret) = password(checker, path, raw.password_file, raw.password_env)?;
    let certificate = read(checker, raw.file, raw.key_file, key, secret.as_ref());
    let certificate = certificate.and_then(|(place, certificate)| {
        if certificate.not_after > checker.source.now {
            return Ok(certificate);
        }
        let expired = format!(
            "the certificate in {place} expired at {}",
            certificate.not_after
        );
        if may_be_expired {
            tracing::warn!("{expired}, so all polls that need it will fail; replace it");
            return Ok(certificate);
        }
        Err((
            "file",
            format!("{expired}; expected a certificate that is valid now"),
        ))
    });
    certificate
        .map_err(|(key, message)| checker.report(&path.key(key), message))
        .ok()
}

/// The password, if the section names one, and the key that it stands at, or would; `None` when that was reported.
fn password(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    file: Option<Text>,
    env: Option<SecretText>,
) -> Option<(&'static str, Option<Secret>)> {
    let (key, secret) = match (file, env) {
        (None, None) => return Some(("password_file", None)),
        (Some(file), None) => (
            "password_file",
            files::secret_from_file(checker, &file.0, PASSWORD),
        ),
        (None, Some(env)) => (
            "password_env",
            files::secret_from_env(checker, env.0.expose(), PASSWORD),
        ),
        (Some(_), Some(_)) => {
            for key in ["password_file", "password_env"] {
                let message =
                    "is not the only password; expected at most one of password_file, password_env";
                checker.report(&path.key(key), message);
            }
            return None;
        }
    };
    let secret = checker.take(&path.key(key), secret)?;
    Some((key, Some(secret)))
}

/// The certificate, and the name of its file for messages.
fn read(
    checker: &mut Checker<'_>,
    file: Option<Text>,
    key_file: Option<Text>,
    password_key: &'static str,
    password: Option<&Secret>,
) -> Result<(String, Certificate), Fault> {
    let Some(file) = file else {
        return Err(("file", format!("is missing; {EXPECTED_FILE}")));
    };
    let unreadable = |key, place: &str, why| match why {
        Unreadable::NoPassword => (
            key,
            format!("{place} is protected by a password; expected password_file or password_env"),
        ),
        Unreadable::WrongPassword => (
            password_key,
            format!("is not the password of {place}; expected the password that encrypts it"),
        ),
        Unreadable::NothingEncrypted => (
            password_key,
            format!(
                "is not needed, because the private key in {place} is not encrypted; expected no password"
            ),
        ),
        Unreadable::Other(message) => (key, message),
    };
    let place = files::file_shown(checker, &file.0);
    let bytes = content(checker, "file", &file.0)?;
    // Where the private key was looked for: at which key of the section, and in which file.
    let (mut key_key, mut key_place) = ("file", place.clone());
    let parts = match (pem::is_pem(&bytes), key_file) {
        (true, key_file) => {
            let mut key_bytes = None;
            if let Some(key_file) = key_file {
                (key_key, key_place) = ("key_file", files::file_shown(checker, &key_file.0));
                key_bytes = Some(content(checker, key_key, &key_file.0)?);
            }
            let keys = pem::keys(key_bytes.as_ref().unwrap_or(&bytes), &key_place, password)
                .map_err(|why| unreadable(key_key, &key_place, why))?;
            pem::certificates(&bytes, &place).map(|certificates| Parts { certificates, keys })
        }
        (false, None) => pkcs12::read(&bytes, &place, password),
        (false, Some(_)) => {
            let message = format!(
                "is only for PEM, but {place} is not PEM; expected no key_file, because PKCS#12 contains both"
            );
            return Err(("key_file", message));
        }
    };
    let Parts { certificates, keys } = parts.map_err(|why| unreadable("file", &place, why))?;
    if certificates.is_empty() {
        let message = format!("{place} contains no certificate; {EXPECTED_FILE}");
        return Err(("file", message));
    }
    if keys.is_empty() {
        let message = format!(
            "{key_place} contains no private key; expected it next to the certificate, or as PEM in the file of \
             key_file"
        );
        return Err((key_key, message));
    }
    let keys: Vec<_> = keys.into_iter().flatten().collect();
    if keys.is_empty() {
        let message = format!(
            "the private key in {key_place} cannot be used; expected an RSA key of 2048 to 8192 bits"
        );
        return Err((key_key, message));
    }
    let path = checker.source.base_dir.join(&file.0);
    let certificate = fitting(&path, certificates, &keys, checker.source.now)
        .map_err(|why| ("file", format!("the certificate in {place} {why}")))?;
    let Some(certificate) = certificate else {
        let message = format!(
            "the private key in {key_place} does not belong to the certificate in {place}; expected its key"
        );
        return Err((key_key, message));
    };
    Ok((place, certificate))
}

fn content(
    checker: &mut Checker<'_>,
    key: &'static str,
    name: &str,
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    if name.is_empty() {
        return Err((key, format!("is empty; {EXPECTED_FILE}")));
    }
    let place = files::file_shown(checker, name);
    let bytes = checker.read_file(&place, name, MAX_FILE, EXPECTED_FILE);
    let bytes = bytes
        .map(Zeroizing::new)
        .map_err(|message| (key, message))?;
    let is_pem = pem::is_pem(&bytes);
    if !is_pem || pem::has_key(&bytes) {
        warn_if_exposed(&checker.source.base_dir.join(name));
    }
    Ok(if is_pem {
        files::without_marks(&bytes)
    } else {
        bytes
    })
}

/// The first certificate that one of the keys fits, if it is valid now.
fn fitting(
    file: &Path,
    certificates: Vec<Vec<u8>>,
    keys: &[RsaKeyPair],
    now: Timestamp,
) -> Result<Option<Certificate>, String> {
    for der in certificates {
        let certificate = x509_cert::Certificate::from_der(&der)
            .map_err(|_| format!("is invalid; {EXPECTED_FILE}"))?;
        let fields = certificate.tbs_certificate();
        let public_key = fields
            .subject_public_key_info()
            .subject_public_key
            .raw_bytes();
        let fits = |key: &&RsaKeyPair| key.public_key().as_ref() == public_key;
        let Some(key) = keys.iter().find(fits).cloned() else {
            continue;
        };
        let validity = fields.validity();
        let [not_before, not_after] = [validity.not_before, validity.not_after]
            .map(|time| Timestamp::from_unix(time.to_unix_duration()));
        if now.after(CLOCK_SKEW) < not_before {
            return Err(format!(
                "is not valid before {not_before}; expected a certificate that is valid now ({now} on this machine)"
            ));
        }
        return Ok(Some(Certificate {
            file: file.to_owned(),
            der,
            key,
            not_after,
        }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
