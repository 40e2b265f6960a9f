//! Where the exporter's answer may be another one than the toolkit's: the whole list, each with its reason. In all of
//! them the exporter lets in fewer clients, but for one fault of the toolkit's.
//!
//! Two more are tested where files change: while its file is wrong, the exporter answers 500 to all who get through to
//! it, and the toolkit closes their connections; a plain listener whose file asks for TLS answers 500, and the toolkit
//! goes on without TLS. The texts of answers are not compared.

use super::certificates::ODD_CLIENTS;
use super::client::Client;
use super::random::{Config, Tls};

/// Something that the toolkit offers and the exporter does not.
pub(super) struct Difference<T: ?Sized> {
    pub(super) reason: &'static str,
    applies: fn(&Config, &T) -> bool,
}

/// Files that the toolkit serves with and the exporter refuses at its start: nobody could be served, or nobody by
/// what rustls has.
pub(super) const FILES: &[Difference<Tls>] = &[
    Difference {
        reason: "rustls has no TLS before 1.2, and no version in between may be left out",
        applies: |_, tls| {
            tls.max.is_some_and(|max| max < "TLS12") || tls.min > tls.max.or(Some("TLS13"))
        },
    },
    Difference {
        reason: "rustls has no CBC suites, and TLS 1.2 has no suites of TLS 1.3: without TLS 1.3 nothing remains",
        applies: |_, tls| {
            let is_usable = |suite: &&str| suite.contains("WITH") && !suite.ends_with("_SHA");
            tls.max == Some("TLS12") && !tls.suites.is_empty() && !tls.suites.iter().any(is_usable)
        },
    },
    Difference {
        reason: "rustls has no P-521",
        applies: |_, tls| tls.curves == ["CurveP521"],
    },
];

/// Requests that the toolkit may answer and that get no answer from the exporter.
pub(super) const REQUESTS: &[Difference<Client>] = &[
    Difference {
        reason: "rustls has no TLS before 1.2",
        applies: |_, client| client.version.is_some_and(|version| version < "1.2"),
    },
    Difference {
        reason: "rustls has no CBC suites",
        applies: |_, client| client.suite.is_some_and(|suite| suite.ends_with("-SHA")),
    },
    Difference {
        reason: "rustls has no P-521",
        applies: |_, client| client.group == Some("P-521"),
    },
    Difference {
        reason: "webpki takes no client certificates of X.509 version 1, none for any purpose, and none of authorities, \
                 but for those that are the configured authority themselves",
        applies: |_, client| {
            client
                .certificate
                .is_some_and(|name| ODD_CLIENTS.contains(&name))
        },
    },
];

/// Requests that the toolkit closes the connection on by mistake, and that get an answer from the exporter.
pub(super) const FAULTS: &[Difference<Client>] = &[Difference {
    reason: "with allowed names, the toolkit panics over a client without a certificate, though it need not have one",
    applies: |config, client| {
        let is_optional = |tls: &Tls| {
            let optional = ["RequestClientCert", "VerifyClientCertIfGiven"];
            tls.sans.is_some() && tls.client_auth.is_some_and(|auth| optional.contains(&auth))
        };
        client.certificate.is_none() && config.tls.as_ref().is_some_and(is_optional)
    },
}];

/// The first of the list that applies.
pub(super) fn agreed<T: ?Sized>(
    list: &[Difference<T>],
    config: &Config,
    what: &T,
) -> Option<&'static str> {
    let found = list.iter().find(|one| (one.applies)(config, what));
    found.map(|one| one.reason)
}
