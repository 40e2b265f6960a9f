//! `partner_center`: how Microsoft Partner Center is reached, and whether its refresh token can be kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use super::checker::Checker;
use super::files::{MAX_SECRET, Wanted, file_shown, secret_from_env, variable_shown};
use super::patience::within;
use super::problem::KeyPath;
use super::shown::shown;
use super::{PartnerCenter, api, credential, raw, watched};
use crate::domain::{Api, Collector, Secret, TenantId, text};

const API_URL: &str = "https://api.partnercenter.microsoft.com";
const SCOPE: &str = "https://api.partnercenter.microsoft.com/.default";

const REFRESH_TOKEN: Wanted = Wanted {
    what: "refresh token",
    variable: "PC_REFRESH_TOKEN",
};

/// Reports collectors that need the section while there is none.
pub(super) fn check_collectors(checker: &mut Checker<'_>, raw: &raw::File) {
    if raw.partner_center.is_some() {
        return;
    }
    let root = KeyPath::default();
    let tenants = raw.tenants.iter().flatten().enumerate();
    let of_tenants = tenants.map(|(index, tenant)| {
        let path = root.key("tenants").index(index);
        (path, &tenant.collectors)
    });
    for (path, collectors) in [(root.clone(), &raw.collectors)]
        .into_iter()
        .chain(of_tenants)
    {
        for collector in Collector::configured().filter(|one| one.api() == Api::PartnerCenter) {
            let schedule = (collectors.as_ref()).and_then(|raw| raw.schedule(collector));
            if schedule.is_some_and(|schedule| schedule.enabled == Some(true)) {
                checker.report(
                    &path.key("collectors").key(collector.as_str()).key("enabled"),
                    "is true, but the section partner_center is missing; expected it next to elements",
                );
            }
        }
    }
}

/// Checks the section; `None` when something of it was reported.
pub(super) fn check(checker: &mut Checker<'_>, raw: raw::PartnerCenter) -> Option<PartnerCenter> {
    let path = KeyPath::default().key("partner_center");
    // All parts are checked before the first `?`, so that each reports what is wrong with it.
    let api_url = api::base_url(checker, &path, raw.api_url.as_deref(), API_URL);
    let tenant = tenant(checker, &path, raw.tenant, raw.token_url.is_some());
    let token_default = format!(
        "https://login.microsoftonline.com/{}/oauth2/v2.0/token",
        tenant.as_deref().unwrap_or("partner.onmicrosoft.com")
    );
    let token_url = api::token_url(checker, &path, raw.token_url.as_deref(), &token_default);
    let client_id = api::client_id(checker, &path, raw.client_id);
    let written = credential::Written {
        client_secret: raw.client_secret,
        client_secret_file: raw.client_secret_file,
        client_secret_env: raw.client_secret_env,
        certificate: raw.certificate,
        // Elements is polled without it.
        may_be_expired: true,
    };
    let credential = credential::check(checker, &path, written);
    let tokens = refresh_token(
        checker,
        &path,
        raw.refresh_token_file,
        raw.refresh_token_env,
    );
    let scope = match raw.scope {
        Some(text) => checker.name(&path.key("scope"), text.0),
        None => Some(SCOPE.to_owned()),
    };
    let rate_limit = api::rate_limit(checker, &path, &raw.rate_limit.unwrap_or_default());
    let (refresh_token_file, first_refresh_token) = tokens?;
    Some(PartnerCenter {
        api_url: api_url?,
        token_url: token_url?,
        client_id: client_id?,
        credential: credential?,
        refresh_token_file,
        first_refresh_token,
        scope: scope?,
        rate_limit: rate_limit?,
    })
}

/// The partner's own tenant, which becomes a part of the token endpoint's path.
fn tenant(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: Option<raw::Text>,
    has_token_url: bool,
) -> Option<String> {
    const EXPECTED: &str =
        "expected the partner's own tenant: a domain such as partner.onmicrosoft.com, or its id";
    let tenant = match raw {
        Some(raw::Text(text)) if text.parse::<TenantId>().is_ok() || is_domain(&text) => Ok(text),
        Some(raw::Text(text)) => Err(format!(
            "{} is neither a domain nor a GUID; {EXPECTED}",
            shown(&text)
        )),
        None if has_token_url => return None,
        None => Err(format!("is missing; {EXPECTED}")),
    };
    checker.take(&path.key("tenant"), tenant)
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

/// Where the refresh token is kept, and the one to begin with while there is no such file.
fn refresh_token(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    file: Option<raw::Text>,
    env: Option<raw::SecretText>,
) -> Option<(PathBuf, Option<Secret>)> {
    let [file_path, env_path] =
        ["refresh_token_file", "refresh_token_env"].map(|key| path.key(key));
    // Even while nobody reads the variable: what stands here may be the token itself.
    let env = match env {
        Some(env) => {
            let name = variable_shown(env.0.expose(), REFRESH_TOKEN);
            checker.take(&env_path, name).map(|_| Some(env))
        }
        None => Some(None),
    };
    let Some(raw::Text(name)) = file else {
        checker.report(
            &file_path,
            "is missing; expected a writable file for the refresh token",
        );
        return None;
    };
    let found = token_file(checker, &name);
    let exists = checker.take(&file_path, found)?;
    let file = checker.source.base_dir.join(&name);
    match (exists, env?) {
        (true, _) => Some((file, None)),
        (false, Some(env)) => {
            let token = secret_from_env(checker, env.0.expose(), REFRESH_TOKEN);
            checker
                .take(&env_path, token)
                .map(|token| (file, Some(token)))
        }
        (false, None) => {
            let message = format!(
                "{} does not exist; expected a file with the refresh token, or refresh_token_env with the name of a \
                 variable with the first token",
                file_shown(checker, &name)
            );
            checker.report(&file_path, message);
            None
        }
    }
}

/// Whether the file is there. It can be written, and if it is there, it holds a token: by the same rule as where the
/// token is read for its exchange.
fn token_file(checker: &Checker<'_>, name: &str) -> Result<bool, String> {
    const EXPECTED: &str = "expected a writable file with the refresh token";
    if name.is_empty() {
        return Err(format!("is empty; {EXPECTED}"));
    }
    let place = file_shown(checker, name);
    let file = checker.source.base_dir.join(name);
    let exists = match within(&file, |file| fs::metadata(file)) {
        Ok(metadata) if metadata.is_file() => true,
        Ok(_) => return Err(format!("{place} is not a regular file; {EXPECTED}")),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => false,
        Err(cause) => return Err(format!("{place} cannot be read: {cause}; {EXPECTED}")),
    };
    if exists {
        let bytes = watched::content(&place, &file, MAX_SECRET, EXPECTED)?;
        let text = text::utf8(bytes).map_err(|wrong| format!("{place} {wrong}; {EXPECTED}"))?;
        let text = Secret::from(text);
        let token = text.expose().trim_ascii();
        if token.is_empty() {
            return Err(format!(
                "{place} is empty; {EXPECTED}, or no file and refresh_token_env"
            ));
        }
        if token.contains(char::is_control) {
            return Err(format!(
                "{place} contains several lines or a control character; {EXPECTED}"
            ));
        }
    }
    // A new token is written beside the file and then put in its place, so its directory is what matters: that of the
    // file itself, where this is a link to it. To try is the only sure way to know; what is tried has no name in the
    // directory, or not for long.
    let file = fs::canonicalize(&file).unwrap_or(file);
    let directory = match file.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    };
    if is_mounted(&file) {
        return Err(format!(
            "{place} cannot be replaced: it is mounted by itself; mount its directory, not the file"
        ));
    }
    if !directory.is_dir() {
        return Err(format!(
            "{place} cannot be written: its directory does not exist; {EXPECTED}"
        ));
    }
    tempfile::tempfile_in(directory).map_err(|cause| {
        // The kind alone: its text names the file of the trial.
        let cause = cause.kind();
        format!("{place} cannot be replaced: {cause} in its directory; {EXPECTED}")
    })?;
    Ok(exists)
}

/// Whether this is where something is mounted. Then a file can be written, but not replaced. A kernel that cannot tell
/// (before Linux 5.8) says no.
fn is_mounted(file: &Path) -> bool {
    statx(CWD, file, AtFlags::empty(), StatxFlags::empty())
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_told_apart_from_other_files() {
        assert!(is_mounted(Path::new("/proc")));
        assert!(!is_mounted(Path::new("/proc/self")));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!is_mounted(file.path()));
        assert!(!is_mounted(Path::new("/nowhere")));
    }
}
