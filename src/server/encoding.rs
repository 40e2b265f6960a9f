//! Which encodings of an answer a client accepts.

use http::header::{ACCEPT_ENCODING, HeaderMap};

/// Whether the client accepts gzip (RFC 9110, section 12.5.3).
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut by_star = false;
    let values = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    for offer in values.flat_map(|value| value.split(',')) {
        let mut parts = offer.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let accepted =
            quality.is_none_or(|quality| quality.parse().is_ok_and(|quality: f64| quality > 0.0));
        if coding.eq_ignore_ascii_case("gzip") {
            return accepted;
        }
        by_star |= coding == "*" && accepted;
    }
    by_star
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
        assert_eq!(accepts_gzip(&headers), expected, "{value}");
    }

    #[test]
    fn gzip_is_sent_to_who_accepts_it() {
        check("gzip", true);
        check("deflate, GZIP;q=0.5", true);
        check("*", true);
        check("br, *;q=0.1", true);
        check("", false);
        check("identity", false);
        check("gzip;q=0", false);
        check("gzip; q=0.000, *", false);
        check("*;q=0", false);
        check("gzip;q=nonsense", false);
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
