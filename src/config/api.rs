//! What the sections of all APIs have in common: URLs, the app registration, the rate limit. The paths are those of
//! the section.

use url::{Host, Url};

use super::checker::Checker;
use super::problem::KeyPath;
use super::{RateLimit, raw};

/// The id of the app registration.
pub(super) fn client_id(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: Option<raw::Text>,
) -> Option<String> {
    let path = path.key("client_id");
    if let Some(text) = raw {
        return checker.name(&path, text.0);
    }
    checker.report(
        &path,
        "is missing; expected the client id of the app registration",
    );
    None
}

/// Base of the API, whose path ends in a slash only where it is nothing else.
pub(super) fn base_url(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    text: Option<&str>,
    default: &str,
) -> Option<Url> {
    let url = https_url(text, default).map(|mut url| {
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&base);
        url
    });
    checker.take(&path.key("api_url"), url)
}

/// The token endpoint.
pub(super) fn token_url(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    text: Option<&str>,
    default: &str,
) -> Option<Url> {
    checker.take(&path.key("token_url"), https_url(text, default))
}

/// A URL to send credentials to. No message shows the text: what is not allowed in it may be a password.
fn https_url(text: Option<&str>, default: &str) -> Result<Url, String> {
    let url = Url::parse(text.unwrap_or(default))
        .map_err(|error| format!("is not a URL ({error}); expected one such as {default}"))?;
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let has_user_info = !url.username().is_empty() || url.password().is_some();
    let fault = match url.scheme() {
        "https" | "http" if has_user_info => "contains a user name or password",
        "https" | "http" if url.query().is_some() => "contains a query (?)",
        "https" | "http" if url.fragment().is_some() => "contains a fragment (#)",
        "https" => return Ok(url),
        "http" if loopback => return Ok(url),
        "http" => "is http:// to a remote host, which would send the secret unencrypted",
        _ => "does not start with https://",
    };
    Err(format!(
        "{fault}; expected a URL such as {default} (http:// only to a loopback address)"
    ))
}

/// How often the API may be asked.
pub(super) fn rate_limit(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::RateLimit,
) -> Option<RateLimit> {
    let path = path.key("rate_limit");
    // Below one request in 1000 s nothing would ever be read; above the upper bounds is no rate limit any more.
    let rate = checker.number(
        &path.key("requests_per_second"),
        raw.requests_per_second.unwrap_or(10.0),
        &(0.001..=100_000.0),
    );
    let burst = checker.whole(&path.key("burst"), raw.burst.unwrap_or(20.0), 1..=100_000);
    let concurrent = checker.whole(
        &path.key("max_concurrent_requests"),
        raw.max_concurrent_requests.unwrap_or(8.0),
        1..=1000,
    );
    Some(RateLimit {
        requests_per_second: rate?,
        burst: burst?,
        max_concurrent_requests: usize::try_from(concurrent?).ok()?,
    })
}
