//! Web config files at random over all fields, and clients that touch what they set. It knows nothing about the servers.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::certificates::{CLIENTS, NAMES, ODD_CLIENTS};
use super::client::Client;

/// A web config file, taken apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Config {
    pub(super) tls: Option<Tls>,
    pub(super) http2: Option<bool>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) users: Vec<(&'static str, &'static str)>,
    /// How many requests are answered at all.
    pub(super) burst: Option<u32>,
}

/// Its TLS section.
#[derive(Debug, Clone, Default)]
pub(super) struct Tls {
    pub(super) certificate: &'static str,
    /// Whether certificates and keys stand in the file itself; their texts by their names then.
    pub(super) is_inline: bool,
    pub(super) client_auth: Option<&'static str>,
    pub(super) client_ca: Option<&'static str>,
    pub(super) sans: Option<Vec<&'static str>>,
    pub(super) min: Option<&'static str>,
    pub(super) max: Option<&'static str>,
    pub(super) suites: Vec<&'static str>,
    pub(super) curves: Vec<&'static str>,
}

/// Cipher suites by their names in the file and by OpenSSL's; those of TLS 1.3 have no choice.
pub(super) const SUITES: [(&str, &str); 13] = [
    ("TLS_AES_128_GCM_SHA256", "DEFAULT"),
    ("TLS_AES_256_GCM_SHA384", "DEFAULT"),
    ("TLS_CHACHA20_POLY1305_SHA256", "DEFAULT"),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "ECDHE-ECDSA-AES128-SHA",
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        "ECDHE-ECDSA-AES256-SHA",
    ),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-RSA-CHACHA20-POLY1305",
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ),
];

/// Curves by their names in the file and by OpenSSL's.
const CURVES: [(&str, &str); 4] = [
    ("X25519", "X25519"),
    ("CurveP256", "P-256"),
    ("CurveP384", "P-384"),
    ("CurveP521", "P-521"),
];

const VERSIONS: [&str; 4] = ["TLS10", "TLS11", "TLS12", "TLS13"];

const CLIENT_AUTH: [&str; 7] = [
    "",
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "RequireClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
];

/// The last three are certificates of clients: that of an authority that may sign nothing, and two that are not valid.
const CLIENT_CAS: [&str; 6] = [
    "authority",
    "other-authority",
    "both-authorities",
    "self",
    "self-expired",
    "self-for-servers",
];

const HEADERS: [(&str, &str); 6] = [
    (
        "Strict-Transport-Security",
        "max-age=31536000; includeSubDomains",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "deny"),
    ("X-XSS-Protection", "1; mode=block"),
    (
        "Content-Security-Policy",
        "default-src 'self'; report-uri /é",
    ),
    ("Content-Security-Policy", ""),
];

/// Names with the hashes of their passwords. The one of `xerxes` is 72 times x, the longest that bcrypt looks at;
/// nobody can sign in as `cut` or `odd`.
const USERS: [(&str, &str); 8] = [
    (
        "alice",
        "$2y$04$Xau5Y0sK2ob/V5BxA0KYM.CobGXG2hFasVxyQr2/m1gVDAx3.11Vy",
    ),
    (
        "bob",
        "$2b$04$1FahU9/5B5LgQqgEzfbwD.7zGyb0/3Mp1pombkL1MtDYAniMEBv9i",
    ),
    (
        "ünï",
        "$2a$04$JiqLTIlR4xVjcI6c0ipswuimzPG.RRy3RdN18IrmbeIHXtzEOpbsu",
    ),
    (
        "xerxes",
        "$2a$04$eoclnHHWX3BwGiXjIiejGe6K5Ykqflq4i0SKIfOVT0loR65Jz8mcq",
    ),
    (
        "empty",
        "$2a$04$hZTTqPxek4JTw4fgd3Gw/O23hm.og499s14qEGUY5eP7UuppTzIXC",
    ),
    (
        "",
        "$2y$04$Xau5Y0sK2ob/V5BxA0KYM.CobGXG2hFasVxyQr2/m1gVDAx3.11Vy",
    ),
    (
        "cut",
        "$2y$04$Xau5Y0sK2ob/V5BxA0KYM.CobGXG2hFasVxyQr2/m1gVDAx3.11V",
    ),
    (
        "odd",
        "$2y$04$Xau5Y0sK2ob/V5BxA0KYM.CobGXG2hFasVxyQr2/m1gVDAx3.11Vyz",
    ),
];

const CREDENTIALS: [&str; 15] = [
    "alice:secret",
    "alice:secret",
    "alice:Secret",
    "alice:",
    "Alice:secret",
    "bob:secret",
    "ünï:pässwörd",
    "xerxes:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xerxes:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxand more",
    "empty:",
    ":secret",
    "cut:secret",
    "odd:secret",
    "nobody:secret",
    "nobody:fakepassword",
];

const PATHS: [&str; 3] = ["/metrics", "/-/healthy", "/nothing"];

/// One of these.
fn one<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

/// One of these in so many of a hundred cases.
fn maybe<T: Copy>(rng: &mut Rng, percent: u32, of: &[T]) -> Option<T> {
    (rng.u32(..100) < percent).then(|| one(rng, of))
}

/// Some of these in so many of a hundred cases, in any order, else none.
fn some<T: Copy>(rng: &mut Rng, percent: u32, of: &[T]) -> Vec<T> {
    let mut of = of.to_vec();
    rng.shuffle(&mut of);
    of.truncate(maybe(rng, percent, &[1, 2, 3, of.len()]).unwrap_or(0));
    of
}

impl Tls {
    fn random(rng: &mut Rng) -> Self {
        let suites = some(rng, 35, &SUITES);
        let curves = some(rng, 30, &CURVES);
        let client_auth = maybe(rng, 75, &CLIENT_AUTH);
        // Without it, or with none, an authority is refused.
        let has_ca = client_auth.is_some_and(|name| !["", "NoClientCert"].contains(&name));
        Self {
            certificate: one(rng, &["server", "server", "ec-server"]),
            is_inline: rng.u8(..4) == 0,
            client_auth,
            client_ca: maybe(rng, if has_ca { 90 } else { 3 }, &CLIENT_CAS),
            sans: rng.bool().then(|| some(rng, 90, &NAMES)),
            min: maybe(rng, 40, &VERSIONS),
            max: maybe(rng, 30, &VERSIONS[1..]),
            suites: suites.into_iter().map(|(name, _)| name).collect(),
            curves: curves.into_iter().map(|(name, _)| name).collect(),
        }
    }

    fn value(&self, read: &dyn Fn(&str) -> String) -> Value {
        let mut section = Map::new();
        let mut pem = |key: &str, file: String| {
            if self.is_inline {
                section.insert(key.to_owned(), read(&file).into());
            } else {
                section.insert(format!("{key}_file"), file.into());
            }
        };
        pem("cert", format!("{}.crt", self.certificate));
        pem("key", format!("{}.key", self.certificate));
        if let Some(ca) = self.client_ca {
            pem("client_ca", format!("{ca}.crt"));
        }
        for (key, value) in [
            ("client_auth_type", self.client_auth),
            ("min_version", self.min),
            ("max_version", self.max),
        ] {
            section.extend(value.map(|value| (key.to_owned(), value.into())));
        }
        if let Some(sans) = &self.sans {
            section.insert("client_allowed_sans".to_owned(), json!(sans));
        }
        for (key, list) in [
            ("cipher_suites", &self.suites),
            ("curve_preferences", &self.curves),
        ] {
            if !list.is_empty() {
                section.insert(key.to_owned(), json!(list));
            }
        }
        section.into()
    }
}

impl Config {
    pub(super) fn random(rng: &mut Rng) -> Self {
        Self {
            tls: (rng.u8(..10) > 0).then(|| Tls::random(rng)),
            http2: maybe(rng, 50, &[true, false]),
            headers: some(rng, 40, &HEADERS),
            users: some(rng, 50, &USERS),
            burst: maybe(rng, 10, &[0, 1, 4]),
        }
    }

    /// The file's text; JSON is YAML. What it has in itself is read from the folder's files by `read`.
    pub(super) fn text(&self, read: &dyn Fn(&str) -> String) -> String {
        let mut root = Map::new();
        if let Some(tls) = &self.tls {
            root.insert("tls_server_config".to_owned(), tls.value(read));
        }
        let mut http = Map::new();
        http.extend(self.http2.map(|http2| ("http2".to_owned(), http2.into())));
        if !self.headers.is_empty() {
            let headers: Map<_, _> = self
                .headers
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).into()))
                .collect();
            http.insert("headers".to_owned(), headers.into());
        }
        if !http.is_empty() {
            root.insert("http_server_config".to_owned(), http.into());
        }
        if !self.users.is_empty() {
            let users: Map<_, _> = self
                .users
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).into()))
                .collect();
            root.insert("basic_auth_users".to_owned(), users.into());
        }
        if let Some(burst) = self.burst {
            let limit = json!({ "interval": "1000h", "burst": burst });
            root.insert("rate_limit".to_owned(), limit);
        }
        Value::from(root).to_string()
    }

    /// A client that may have what this file asks for.
    pub(super) fn client(&self, rng: &mut Rng) -> Client {
        let mut client = Client::new(one(rng, &PATHS));
        client.http2 = rng.bool();
        if let Some(tls) = &self.tls {
            client.version = maybe(rng, 40, &["1.0", "1.1", "1.2", "1.2", "1.3", "1.3"]);
            if client.version.is_none_or(|version| version == "1.2") {
                client.suite = maybe(rng, 30, &SUITES).map(|(_, name)| name);
            }
            client.group = maybe(rng, 30, &CURVES).map(|(_, name)| name);
            if tls.client_auth.is_some() {
                client.certificate = match rng.u8(..10) {
                    0..2 => None,
                    2..4 => Some("dns"),
                    4 => Some(one(rng, &ODD_CLIENTS)),
                    _ => Some(one(rng, &CLIENTS)),
                };
            }
        }
        if !self.users.is_empty() || rng.u8(..10) == 0 {
            client.user = maybe(rng, 85, &CREDENTIALS);
        }
        client
    }
}
