//! Which form of an answer a client prefers (RFC 9110, section 12).

use http::HeaderName;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap};

use crate::exposition::Format;

/// Whether the client prefers gzip. On a tie it is gzip, and a client that says nothing of text without it wants it less.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let offers = offers(headers, ACCEPT_ENCODING);
    let of = |coding: &str| best(&offers, |offer| offer.is(coding));
    let by_star = of("*");
    let gzip = of("gzip").or(of("x-gzip")).or(by_star).unwrap_or(0.0);
    let identity = of("identity").or(by_star).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity
}

/// The format of the exposition that the client prefers. OpenMetrics is for those who name it; the text format for all
/// others, also for who accepts neither, as with every exporter.
pub(super) fn preferred_format(headers: &HeaderMap) -> Format {
    let offers = offers(headers, ACCEPT);
    let open_metrics = best(&offers, |offer| {
        offer.is("application/openmetrics-text") && offer.has_version(&["1.0.0"])
    });
    // The names here are the same in both of its versions.
    let text = best(&offers, |offer| {
        offer.is("text/plain") && offer.has_version(&["0.0.4", "1.0.0"])
    });
    let text = text.or_else(|| best(&offers, |offer| offer.is("text/*")));
    let text = text.or_else(|| best(&offers, |offer| offer.is("*/*")));
    match open_metrics {
        Some(quality) if quality > 0.0 && quality >= text.unwrap_or(0.0) => Format::OpenMetrics,
        _ => Format::Text,
    }
}

/// One thing that a client accepts.
struct Offer<'a> {
    what: &'a str,
    version: Option<&'a str>,
    /// From 0, which means never, to 1.
    quality: f64,
}

impl Offer<'_> {
    fn is(&self, what: &str) -> bool {
        self.what.eq_ignore_ascii_case(what)
    }

    /// Whether it wants one of these versions, or any.
    fn has_version(&self, ours: &[&str]) -> bool {
        self.version.is_none_or(|version| ours.contains(&version))
    }
}

/// The quality of the offers for which this holds; `None` without one.
fn best(offers: &[Offer<'_>], holds: impl Fn(&Offer<'_>) -> bool) -> Option<f64> {
    let offers = offers.iter().filter(|offer| holds(offer));
    offers.map(|offer| offer.quality).reduce(f64::max)
}

/// What a client accepts by this header. What cannot be read as a quality is not accepted.
fn offers(headers: &HeaderMap, name: HeaderName) -> Vec<Offer<'_>> {
    let values = headers.get_all(name).into_iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let offers = values.flat_map(|value| value.split(',')).map(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let mut offer = Offer {
            what: parts.next().unwrap_or_default(),
            version: None,
            quality: 1.0,
        };
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            if key.eq_ignore_ascii_case("q") {
                let quality = value.parse().ok();
                offer.quality = quality
                    .filter(|quality| (0.0..=1.0).contains(quality))
                    .unwrap_or(0.0);
            } else if key.eq_ignore_ascii_case("version") {
                offer.version = Some(value.trim_matches('"'));
            }
        }
        offer
    });
    offers.collect()
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
        check("gzip;q=0.5, identity", false);
        check("gzip;q=0.5, identity;q=0.5", true);
        check("identity, *;q=0.5", false);
        check("gzip;q=0.1, *;q=0.5", false);
        check("x-gzip", true);
        check("gzip;q=0.5, *;q=0", true);
        check("gzip;q=2", false);
        check("gzip;q=NaN, gzip;q=inf", false);
        check("*;q=0", false);
        check("gzip;q=nonsense", false);
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
    #[track_caller]
    fn check_format(value: &str, expected: Format) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, value.parse().unwrap());
        assert_eq!(preferred_format(&headers), expected, "{value}");
    }

    #[test]
    fn openmetrics_is_sent_to_who_prefers_it() {
        for prometheus in [
            // 2.42 and 3.12, as captured.
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; Version=\"1.0.0\"; Q=0.1",
            "text/plain;q=0.5, application/openmetrics-text;q=0.5",
            "text/plain;version=0.0.3, application/openmetrics-text;q=0.5",
        ] {
            check_format(prometheus, Format::OpenMetrics);
        }
    }

    #[test]
    fn the_text_format_is_sent_to_all_others() {
        for other in [
            "",
            "*/*",
            "text/*",
            "text/html, */*;q=0.1",
            "application/*",
            "application/json",
            "application/openmetrics-text;version=0.0.1, text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=nonsense",
            "application/openmetrics-text;q=0.5, text/plain",
            "application/openmetrics-text;q=0.5, text/*;q=0.6",
            "application/openmetrics-text;q=0.5, */*;q=0.6",
            // What scrapes by protobuf falls back to text.
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
        ] {
            check_format(other, Format::Text);
        }
        assert_eq!(preferred_format(&HeaderMap::new()), Format::Text);
    }
}
