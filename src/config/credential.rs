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
}

/// Reads the credential of the section at the path, from the one place that it gives.
pub(super) fn check(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    written: Written,
) -> Option<ClientCredential> {
    const EXPECTED: &str =
        "expected exactly one of client_secret_file, client_secret_env, client_secret, certificate";
    let file_path = path.key("client_secret_file");
    let env_path = path.key("client_secret_env");
    let inline_path = path.key("client_secret");
    let certificate_path = path.key("certificate");
    let Written {
        client_secret: inline,
        client_secret_file: file,
        client_secret_env: env,
        certificate,
    } = written;
    match (file, env, inline, certificate) {
        (Some(file), None, None, None) => {
            let secret = files::secret_from_file(checker, &file.0, CLIENT_SECRET);
            checker
                .take(&file_path, secret)
                .map(ClientCredential::Secret)
        }
        (None, Some(env), None, None) => {
            let secret = files::secret_from_env(checker, env.0.expose(), CLIENT_SECRET);
            checker
                .take(&env_path, secret)
                .map(ClientCredential::Secret)
        }
        (None, None, Some(secret), None) => {
            let secret = not_empty(secret.0);
            checker
                .take(&inline_path, secret)
                .map(ClientCredential::Secret)
        }
        (None, None, None, Some(raw)) => {
            certificate::check(checker, &certificate_path, raw).map(ClientCredential::Certificate)
        }
        (None, None, None, None) => {
            checker.report(path, format!("has no credential; {EXPECTED}"));
            None
        }
        (file, env, inline, certificate) => {
            let given = [
                file.map(|_| file_path),
                env.map(|_| env_path),
                inline.map(|_| inline_path),
                certificate.map(|_| certificate_path),
            ];
            for path in given.into_iter().flatten() {
                checker.report(&path, format!("is not the only credential; {EXPECTED}"));
            }
            None
        }
    }
}

fn not_empty(secret: Secret) -> Result<Secret, String> {
    if secret.expose().trim().is_empty() {
        return Err("is empty; expected the client secret's text".to_owned());
    }
    Ok(secret)
}
