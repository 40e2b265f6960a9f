//! `elements`: how AvePoint Elements is reached.

use std::ops::RangeInclusive;
use std::time::Duration;

use url::Url;

use super::checker::{Checker, Value};
use super::problem::KeyPath;
use super::{Elements, HttpSettings, Limits, api, credential, files, raw};
use crate::domain::{ByteSize, PromDuration, Secret};

/// The environments with the base of their API and their token endpoint. The first is the default.
const ENVIRONMENTS: [(&str, [&str; 2]); 4] = [
    (
        "commercial",
        [
            "https://graph.avepointonlineservices.com",
            "https://identity.avepointonlineservices.com/connect/token",
        ],
    ),
    (
        "us_government",
        [
            "https://graph-gov.avepointonlineservices.com",
            "https://identity-gov.avepointonlineservices.com/connect/token",
        ],
    ),
    (
        "aos2",
        [
            "https://graph-aos2.avepointonlineservices.com",
            "https://identity-aos2.avepointonlineservices.com/connect/token",
        ],
    ),
    (
        "fedramp",
        [
            "https://graphusgovapi.online15.net",
            "https://identity.online15.net/connect/token",
        ],
    ),
];

const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_DEADLINE: Duration = Duration::from_mins(1);

/// Bounds of the three deadlines, in milliseconds: above zero, and at most a day, since more is a slip of the pen.
const DEADLINES: RangeInclusive<u64> = 1..=24 * 3_600_000;

/// Checks `elements`; what it returns is only complete when nothing was reported.
pub(super) fn check(checker: &mut Checker<'_>, raw: raw::Elements) -> Option<Elements> {
    let path = KeyPath::default().key("elements");
    // All parts are checked before the first `?`, so that each reports what is wrong with it.
    let environment = raw.environment.as_deref();
    let environment = checker.word(&path.key("environment"), environment, &ENVIRONMENTS);
    // With an unknown environment the explicit URLs are still checked.
    let [api_default, token_default] = environment.given().unwrap_or(ENVIRONMENTS[0].1);
    let api_url = api::base_url(checker, &path, raw.api_url.as_deref(), api_default);
    let token_url = api::token_url(checker, &path, raw.token_url.as_deref(), token_default);
    let client_id = api::client_id(checker, &path, raw.client_id);
    let deadlines = deadlines(
        checker,
        &path,
        [&raw.timeout, &raw.connect_timeout, &raw.retry_deadline].map(Option::as_deref),
    );
    let written = credential::Written {
        client_secret: raw.client_secret,
        client_secret_file: raw.client_secret_file,
        client_secret_env: raw.client_secret_env,
        certificate: raw.certificate,
        // Nothing works without Elements.
        may_be_expired: false,
    };
    let credential = credential::check(checker, &path, written);
    let rate_limit = api::rate_limit(checker, &path, &raw.rate_limit.unwrap_or_default());
    let limits = limits(
        checker,
        &path.key("limits"),
        &raw.limits.unwrap_or_default(),
    );
    let ca_pem = raw.ca_file.and_then(|file| {
        let pem = files::ca(checker, &file.0);
        checker.take(&path.key("ca_file"), pem)
    });
    let proxy_url = raw
        .proxy_url
        .and_then(|url| checker.take(&path.key("proxy_url"), proxy(url.0)));
    let [connect_timeout, timeout, retry_deadline] = deadlines?;
    Some(Elements {
        api_url: api_url?,
        token_url: token_url?,
        client_id: client_id?,
        credential: credential?,
        http: HttpSettings {
            timeout,
            connect_timeout,
            retry_deadline,
            ca_pem,
            proxy_url,
        },
        rate_limit: rate_limit?,
        limits: limits?,
    })
}

/// A proxy's URL; it may hold a password, so no message shows it.
fn proxy(secret: Secret) -> Result<Secret, String> {
    const EXPECTED: &str = "expected a URL such as http://proxy:3128";
    let fault = match Url::parse(secret.expose()) {
        Err(error) => format!("is not a URL ({error})"),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            "does not start with http:// or https://".to_owned()
        }
        Ok(url) if url.path() != "/" || url.query().is_some() || url.fragment().is_some() => {
            "contains more than host and port".to_owned()
        }
        Ok(_) => return Ok(secret),
    };
    Err(format!("{fault}; {EXPECTED}"))
}

/// The three deadlines, shortest first. One that is left out follows the others, so that setting one alone is
/// never an error: `timeout` gives way to both, `connect_timeout` is at most the timeout, and `retry_deadline`
/// leaves room for a second try.
fn deadlines(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: [Option<&str>; 3],
) -> Option<[Duration; 3]> {
    let [timeout_path, connect_path, retry_path] =
        ["timeout", "connect_timeout", "retry_deadline"].map(|key| path.key(key));
    let [timeout, connect, retry] = raw;
    let timeout = checker.duration(&timeout_path, timeout, DEADLINES);
    let connect = checker.duration(&connect_path, connect, DEADLINES);
    let retry = checker.duration(&retry_path, retry, DEADLINES);
    if [timeout, connect, retry].contains(&Value::Wrong) {
        return None;
    }
    let timeout = timeout.given().unwrap_or_else(|| {
        TIMEOUT
            .min(retry.given().unwrap_or(TIMEOUT))
            .max(connect.given().unwrap_or_default())
    });
    let connect = connect.given().unwrap_or(CONNECT_TIMEOUT.min(timeout));
    let retry = retry.given().unwrap_or(RETRY_DEADLINE.max(timeout * 2));
    let [connect_text, timeout_text, retry_text] = [connect, timeout, retry].map(PromDuration);
    if connect > timeout {
        checker.report(
            &connect_path,
            format!("{connect_text} is longer than {timeout_path} ({timeout_text}); expected connect_timeout <= timeout"),
        );
    }
    if timeout > retry {
        checker.report(
            &retry_path,
            format!("{retry_text} is shorter than {timeout_path} ({timeout_text}); expected timeout <= retry_deadline"),
        );
    }
    Some([connect, timeout, retry])
}

fn limits(checker: &mut Checker<'_>, path: &KeyPath, raw: &raw::Limits) -> Option<Limits> {
    // 1 KiB holds an empty listing and an error's text; 1 GiB is what a 64-bit machine may still hold.
    let bounds = ByteSize(1 << 10)..=ByteSize(1 << 30);
    let bytes = match raw.response_bytes.as_deref() {
        Some(text) => checker.measure(&path.key("response_bytes"), text, &bounds),
        None => Some(ByteSize(16 << 20)),
    };
    let rows = checker.whole(&path.key("rows"), raw.rows.unwrap_or(1e6), 1..=100_000_000);
    Some(Limits {
        response_bytes: bytes?.0,
        rows: rows?.into(),
        ignore_totals: raw.ignore_totals.unwrap_or(false),
    })
}
