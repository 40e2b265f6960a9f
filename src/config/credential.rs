//! What proves to a token service who is asking: a client secret, or a certificate. Every section that signs in
//! somewhere has these keys.

use super::checker::Checker;
use super::files::{self, Wanted};
use super::problem::KeyPath;
use super::raw::{self, SecretText, Text};
use super::{ClientCredential, certificate};
use crate::domain::Secret;

const CLIENT_SECRET: Wanted = Wanted {
    what: "client secret",
    variable: "CLIENT_SECRET",
};

/// The keys for a credential, as a section has them.
pub(super) struct Written {
    pub(super) client_secret: Option<SecretText>,
    pub(super) client_secret_file: Option<Text>,
    pub(super) client_secret_env: Option<SecretText>,
    pub(super) certificate: Option<raw::Certificate>,
    /// Whether an expired certificate is no reason to stop.
    pub(super) may_be_expired: bool,
}

/// Reads the credential of the section at the path, from the one place that it gives.
pub(super) fn check(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    written: Written,
) -> Option<ClientCredential> {
    const EXPECTED: &str =
        "expected exactly one of client_secret_file, client_secret_env, client_secret, certificate";
    let Written {
        client_secret: inline,
        client_secret_file: file,
        client_secret_env: env,
        certificate,
        may_be_expired,
    } = written;
    let place = file
        .as_ref()
        .map(|file| checker.source.base_dir.join(&file.0));
    let (key, secret) = match (file, env, inline, certificate) {
        (Some(file), None, None, None) => (
            "client_secret_file",
            files::secret_from_file(checker, &file.0, CLIENT_SECRET),
        ),
        (None, Some(env), None, None) => (
            "client_secret_env",
            files::secret_from_env(checker, env.0.expose(), CLIENT_SECRET),
        ),
        (None, None, Some(inline), None) => ("client_secret", not_empty(inline.0)),
        (None, None, None, Some(raw)) => {
            return certificate::check(checker, &path.key("certificate"), raw, may_be_expired)
                .map(ClientCredential::Certificate);
        }
        (None, None, None, None) => {
            checker.report(path, format!("has no credential; {EXPECTED}"));
            return None;
        }
        (file, env, inline, certificate) => {
            let given = [
                file.map(|_| "client_secret_file"),
                env.map(|_| "client_secret_env"),
                inline.map(|_| "client_secret"),
                certificate.map(|_| "certificate"),
            ];
            for key in given.into_iter().flatten() {
                let message = format!("is not the only credential; {EXPECTED}");
                checker.report(&path.key(key), message);
            }
            return None;
        }
    };
    let secret = checker.take(&path.key(key), secret)?;
    Some(ClientCredential::Secret {
        secret,
        file: place,
    })
}

fn not_empty(secret: Secret) -> Result<Secret, String> {
    if secret.expose().trim().is_empty() {
        return Err("is empty; expected the client secret's text".to_owned());
    }
    Ok(secret)
}
