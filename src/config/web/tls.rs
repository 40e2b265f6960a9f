//! `tls_server_config`: what it names is read, and what rustls does not offer is left out.

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::fields::Fields;
use super::tree::{Node, Value};
use crate::config::problem::{KeyPath, Place, Problem};
use crate::config::watched::{self, MAX_FILE};

/// How the pages are served over TLS.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The server's certificate and those that lead to its authority.
    pub certificate: Pem,
    /// The private key of the certificate.
    pub key: Pem,
    /// The authorities of clients; `None` for those of the system.
    pub client_ca: Option<Pem>,
    /// What is asked of a client.
    pub client_auth: ClientAuth,
    /// The alternative names of a certificate, one of which a client's must have; `None` if any will do.
    pub client_allowed_sans: Option<Vec<String>>,
    /// Suites of TLS 1.2, in the order of the file; `None` if that version is not offered.
    pub tls12: Option<Vec<Suite>>,
    /// Whether TLS 1.3 is offered.
    pub tls13: bool,
    /// Groups for the exchange of keys, in the order of the file; `None` for all.
    pub curves: Option<Vec<Curve>>,
}

/// A text in PEM, and where it is from.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem {
    /// The file; `None` if the text is in the configuration itself.
    pub file: Option<PathBuf>,
    /// The text; wiped from memory when dropped.
    pub text: Zeroizing<Vec<u8>>,
    /// The key of the configuration that it belongs to.
    pub key: &'static str,
    /// The line of the web configuration that the key is on.
    pub line: usize,
}

/// What is asked of a client, by Go's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// Nothing.
    #[default]
    NoClientCert,
    /// A certificate, if it has one; any will do.
    RequestClientCert,
    /// A certificate; any will do.
    RequireAnyClientCert,
    /// A certificate of a known authority, if it has one.
    VerifyClientCertIfGiven,
    /// A certificate of a known authority.
    RequireAndVerifyClientCert,
}

impl ClientAuth {
    /// Whether a certificate must be of a known authority.
    pub const fn verifies(self) -> bool {
        matches!(
            self,
            Self::VerifyClientCertIfGiven | Self::RequireAndVerifyClientCert
        )
    }
}

/// What a client needs, in words.
impl fmt::Display for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoClientCert => "without certificates of clients",
            Self::RequestClientCert => {
                "with certificates of clients that have one, of any authority"
            }
            Self::RequireAnyClientCert => "with certificates of all clients, of any authority",
            Self::VerifyClientCertIfGiven => "with verified certificates of clients that have one",
            Self::RequireAndVerifyClientCert => "with verified certificates of all clients",
        })
    }
}

/// A cipher suite of TLS 1.2 that rustls offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Suite {
    EcdheRsaAes128Gcm,
    EcdheRsaAes256Gcm,
    EcdheRsaChaCha20,
    EcdheEcdsaAes128Gcm,
    EcdheEcdsaAes256Gcm,
    EcdheEcdsaChaCha20,
}

impl Suite {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::EcdheEcdsaAes256Gcm,
        Self::EcdheEcdsaAes128Gcm,
        Self::EcdheEcdsaChaCha20,
        Self::EcdheRsaAes256Gcm,
        Self::EcdheRsaAes128Gcm,
        Self::EcdheRsaChaCha20,
    ];
}

/// A group for the exchange of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Curve {
    P256,
    P384,
    X25519,
}

const CLIENT_AUTH: [(&str, ClientAuth); 7] = [
    ("", ClientAuth::NoClientCert),
    ("NoClientCert", ClientAuth::NoClientCert),
    ("RequestClientCert", ClientAuth::RequestClientCert),
    ("RequireAnyClientCert", ClientAuth::RequireAnyClientCert),
    // An older name of the same.
    ("RequireClientCert", ClientAuth::RequireAnyClientCert),
    (
        "VerifyClientCertIfGiven",
        ClientAuth::VerifyClientCertIfGiven,
    ),
    (
        "RequireAndVerifyClientCert",
        ClientAuth::RequireAndVerifyClientCert,
    ),
];

/// What a suite's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NamedSuite {
    Tls12(Suite),
    /// Of TLS 1.2 and earlier, without authenticated encryption.
    Cbc(&'static str),
    /// TLS 1.3 has no choice.
    Tls13,
}

/// The suites of Go's list.
const SUITES: [(&str, NamedSuite); 13] = {
    use NamedSuite::{Cbc, Tls12, Tls13};
    [
        ("TLS_AES_128_GCM_SHA256", Tls13),
        ("TLS_AES_256_GCM_SHA384", Tls13),
        ("TLS_CHACHA20_POLY1305_SHA256", Tls13),
        (
            "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
            Cbc("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
        ),
        (
            "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
            Cbc("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
        ),
        (
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
            Cbc("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
        ),
        (
            "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
            Cbc("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
        ),
        (
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Tls12(Suite::EcdheEcdsaAes128Gcm),
        ),
        (
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            Tls12(Suite::EcdheEcdsaAes256Gcm),
        ),
        (
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            Tls12(Suite::EcdheRsaAes128Gcm),
        ),
        (
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            Tls12(Suite::EcdheRsaAes256Gcm),
        ),
        (
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            Tls12(Suite::EcdheRsaChaCha20),
        ),
        (
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            Tls12(Suite::EcdheEcdsaChaCha20),
        ),
    ]
};

/// What a curve's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NamedCurve {
    Offered(Curve),
    /// rustls has none.
    P521,
}

const CURVES: [(&str, NamedCurve); 4] = [
    ("CurveP256", NamedCurve::Offered(Curve::P256)),
    ("CurveP384", NamedCurve::Offered(Curve::P384)),
    ("CurveP521", NamedCurve::P521),
    ("X25519", NamedCurve::Offered(Curve::X25519)),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

const VERSIONS: [(&str, Version); 4] = [
    ("TLS13", Version::Tls13),
    ("TLS12", Version::Tls12),
    ("TLS11", Version::Tls11),
    ("TLS10", Version::Tls10),
];

const KEYS: [&str; 13] = [
    "cert",
    "key",
    "client_ca",
    "cert_file",
    "key_file",
    "client_auth_type",
    "client_ca_file",
    "cipher_suites",
    "curve_preferences",
    "min_version",
    "max_version",
    "prefer_server_cipher_suites",
    "client_allowed_sans",
];

/// The section as it is written.
#[derive(Default)]
pub(super) struct Section {
    cert: Written,
    key: Written,
    client_ca: Written,
    cert_file: Written,
    key_file: Written,
    client_ca_file: Written,
    client_auth: Option<(ClientAuth, Node, KeyPath)>,
    cipher_suites: Vec<Option<NamedSuite>>,
    curves: Vec<Option<NamedCurve>>,
    min_version: Option<Version>,
    max_version: Option<Version>,
    allowed_sans: Option<Vec<String>>,
    /// Where the section begins, for what belongs to no key.
    at: Option<(Node, KeyPath)>,
}

/// A text, which may be a secret, and where it stands.
#[derive(Default)]
struct Written {
    text: Zeroizing<String>,
    place: Option<Place>,
}

impl Written {
    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl Section {
    /// Takes in the section as it is written.
    pub(super) fn read(&mut self, fields: &mut Fields, node: &Node, path: &KeyPath) {
        self.at = Some((node.clone(), path.clone()));
        fields.section(node, path, &KEYS, &mut |fields, key, node, path| {
            self.take(fields, key, node, path);
        });
    }

    fn take(&mut self, fields: &mut Fields, key: &str, node: &Node, path: &KeyPath) {
        let mut text = || Written {
            text: fields
                .text(node, path)
                .unwrap_or_default()
                .to_owned()
                .into(),
            place: Some(node.place),
        };
        match key {
            "cert" => self.cert = text(),
            "key" => self.key = text(),
            "client_ca" => self.client_ca = text(),
            "cert_file" => self.cert_file = text(),
            "key_file" => self.key_file = text(),
            "client_ca_file" => self.client_ca_file = text(),
            "client_auth_type" => {
                let found = fields.word(node, path, &CLIENT_AUTH);
                self.client_auth = found.map(|found| (found, node.clone(), path.clone()));
            }
            "cipher_suites" => {
                let suites = fields.list(node, path, |fields, node, path| {
                    Some(fields.word(node, path, &SUITES))
                });
                self.cipher_suites = suites.unwrap_or_default();
            }
            "curve_preferences" => {
                let curves = fields.list(node, path, |fields, node, path| {
                    Some(fields.word(node, path, &CURVES))
                });
                self.curves = curves.unwrap_or_default();
            }
            "min_version" => self.min_version = fields.word(node, path, &VERSIONS),
            "max_version" => self.max_version = fields.word(node, path, &VERSIONS),
            "prefer_server_cipher_suites" => {
                // Go has ignored it since 1.17, and so does this.
                let _ = fields.flag(node, path);
            }
            _ => {
                let sans = fields.list(node, path, |fields, node, path| {
                    fields.text(node, path).map(str::to_owned)
                });
                self.allowed_sans = sans;
            }
        }
    }

    /// The settings that the section asks for, with the files that it names read from this folder; `None` if it asks
    /// for no TLS, or asks for what is reported. Adds what is left out to `warnings`.
    pub(super) fn settings(
        self,
        fields: &mut Fields,
        http2: bool,
        folder: &Path,
        warnings: &mut Vec<String>,
    ) -> Option<TlsSettings> {
        let (node, path) = self.at.as_ref()?;
        let client_auth = self.client_auth.as_ref().map(|(found, ..)| *found);
        let has = |inline: &Written, file: &Written| !inline.is_empty() || !file.is_empty();
        let has_cert = has(&self.cert, &self.cert_file);
        let has_key = has(&self.key, &self.key_file);
        let has_ca = has(&self.client_ca, &self.client_ca_file);
        // The toolkit takes an empty word for none.
        let has_auth = self
            .client_auth
            .as_ref()
            .is_some_and(|(_, node, _)| !is_empty(node));
        if !(has_cert || has_key || has_ca || has_auth) {
            return None;
        }
        if !has_cert {
            fields.report(node, path, "has no certificate; expected cert_file or cert");
        }
        if !has_key {
            fields.report(node, path, "has no private key; expected key_file or key");
        }
        let client_auth = client_auth.unwrap_or_default();
        if has_ca && client_auth == ClientAuth::NoClientCert {
            let (node, path) = self
                .client_auth
                .as_ref()
                .map_or((node, path), |(_, node, path)| (node, path));
            let message = "names authorities of clients and asks no client for a certificate; expected \
                           client_auth_type: RequireAndVerifyClientCert";
            fields.report(node, path, message);
        }
        let (tls12, tls13) = self.versions(fields, node, path, warnings);
        self.check_http2(fields, http2, node, path);
        let curves = self.curves(fields, node, path, warnings);
        let mut pem = |inline: &Written, file: &Written, keys: [&'static str; 2]| {
            let [inline_key, file_key] = keys;
            let (key, written) = if file.is_empty() {
                (inline_key, inline)
            } else {
                (file_key, file)
            };
            let place = written.place.unwrap_or(node.place);
            let read = read(written, key, !file.is_empty(), folder);
            let wrong = |message| {
                fields
                    .problems
                    .push(Problem::new(place, &path.key(key), message));
            };
            read.map_err(wrong).ok()
        };
        let certificate = pem(&self.cert, &self.cert_file, ["cert", "cert_file"]);
        let key = pem(&self.key, &self.key_file, ["key", "key_file"]);
        let client_ca = pem(
            &self.client_ca,
            &self.client_ca_file,
            ["client_ca", "client_ca_file"],
        );
        Some(TlsSettings {
            certificate: certificate??,
            key: key??,
            client_ca: client_ca?,
            client_auth,
            client_allowed_sans: self.allowed_sans,
            tls12,
            tls13,
            curves,
        })
    }

    /// The suites of TLS 1.2, if it is offered, and whether TLS 1.3 is.
    fn versions(
        &self,
        fields: &mut Fields,
        node: &Node,
        path: &KeyPath,
        warnings: &mut Vec<String>,
    ) -> (Option<Vec<Suite>>, bool) {
        let min = self.min_version.unwrap_or(Version::Tls12);
        let max = self.max_version.unwrap_or(Version::Tls13);
        let named = |wanted: fn(NamedSuite) -> Option<&'static str>| {
            let names = self
                .cipher_suites
                .iter()
                .flatten()
                .filter_map(move |one| wanted(*one));
            names.collect::<Vec<_>>()
        };
        let cbc = named(|one| match one {
            NamedSuite::Cbc(name) => Some(name),
            NamedSuite::Tls12(_) | NamedSuite::Tls13 => None,
        });
        let mut suites = Vec::new();
        for suite in self.cipher_suites.iter().flatten() {
            if let NamedSuite::Tls12(suite) = suite
                && !suites.contains(suite)
            {
                suites.push(*suite);
            }
        }
        if self.cipher_suites.is_empty() {
            suites = Suite::ALL.to_vec();
        }
        let is_between = |version| min <= version && version <= max;
        let tls12 = (is_between(Version::Tls12) && !suites.is_empty()).then_some(suites);
        let tls13 = is_between(Version::Tls13);
        if tls12.is_none() && !tls13 {
            let message = "no version of TLS is left to offer; expected TLS12 or TLS13 between min_version and \
                           max_version, and for TLS12 a suite with GCM or CHACHA20";
            fields.report(node, path, message);
        }
        if min < Version::Tls12 {
            warnings.push(format!(
                "{path}.min_version: TLS 1.0 and 1.1 are not offered; clients need TLS 1.2 or 1.3"
            ));
        }
        if !cbc.is_empty() {
            warnings.push(format!(
                "{path}.cipher_suites: suites with CBC are not offered: {}",
                cbc.join(", ")
            ));
        }
        if tls12.is_none() && is_between(Version::Tls12) && tls13 {
            warnings.push(format!(
                "{path}.cipher_suites: no suite of TLS 1.2 is left, so only TLS 1.3 is offered"
            ));
        }
        (tls12, tls13)
    }

    /// Go's HTTP/2 refuses to start without the suite that the standard asks for.
    fn check_http2(&self, fields: &mut Fields, http2: bool, node: &Node, path: &KeyPath) {
        let is_required = |suite: &Option<NamedSuite>| {
            matches!(
                suite,
                Some(NamedSuite::Tls12(
                    Suite::EcdheRsaAes128Gcm | Suite::EcdheEcdsaAes128Gcm
                ))
            )
        };
        let is_old = self.min_version != Some(Version::Tls13);
        if http2
            && is_old
            && !self.cipher_suites.is_empty()
            && !self.cipher_suites.iter().any(is_required)
        {
            let message = "HTTP/2 needs a suite with AES_128_GCM in cipher_suites; expected one, or min_version: TLS13, \
                           or http2: false in http_server_config";
            fields.report(node, path, message);
        }
    }

    /// The groups that are left of those that are named; `None` if none is named.
    fn curves(
        &self,
        fields: &mut Fields,
        node: &Node,
        path: &KeyPath,
        warnings: &mut Vec<String>,
    ) -> Option<Vec<Curve>> {
        if self.curves.is_empty() {
            return None;
        }
        let mut curves = Vec::new();
        for curve in self.curves.iter().flatten() {
            if let NamedCurve::Offered(curve) = curve
                && !curves.contains(curve)
            {
                curves.push(*curve);
            }
        }
        if self.curves.contains(&Some(NamedCurve::P521)) {
            warnings.push(format!(
                "{path}.curve_preferences: CurveP521 is not offered"
            ));
        }
        if curves.is_empty() {
            let message = "no curve is left to offer; expected one of CurveP256, CurveP384, X25519 in curve_preferences";
            fields.report(node, path, message);
        }
        Some(curves)
    }
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar { text, .. } if text.is_empty())
}

/// The text of a key, or of the file that it names; `None` if the key has none.
fn read(
    written: &Written,
    key: &'static str,
    is_file: bool,
    folder: &Path,
) -> Result<Option<Pem>, String> {
    if written.is_empty() {
        return Ok(None);
    }
    let (file, text) = if is_file {
        let file = folder.join(&*written.text);
        let place = format!("the file {}", file.display());
        let text = watched::content(&place, &file, MAX_FILE, "expected PEM")?;
        (Some(file), text)
    } else {
        (None, written.text.as_bytes().to_vec())
    };
    Ok(Some(Pem {
        file,
        text: text.into(),
        key,
        line: written.place.map_or(1, |place| place.line),
    }))
}
