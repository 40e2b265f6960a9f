//! The web configuration (`--web.config.file`): TLS, passwords, headers and a limit of requests, in the format of
//! Prometheus' exporter-toolkit, version 0.17, and with its meaning. What the toolkit's `web/tls_config.go` and
//! `web/handler.go` accept is accepted here, except what rustls does not offer.

mod fields;
mod tls;
mod tree;
mod users;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};

use self::fields::Fields;
use self::tls::Section;
pub use self::tls::{ClientAuth, Curve, Pem, Suite, TlsSettings};
use self::tree::{Node, Value};
pub use self::users::{BCRYPT_BASE64, PasswordHash};
use super::problem::{KeyPath, Place, Problem, Problems};
use super::read;
use super::watched::{self, MAX_FILE};

/// How the pages are served, and to which clients.
#[derive(Clone, PartialEq, Eq)]
pub struct WebConfig {
    /// TLS; `None` for plain HTTP.
    pub tls: Option<TlsSettings>,
    /// Whether HTTP/2 is offered, which it is over TLS only.
    pub http2: bool,
    /// Headers of every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// `None` for no limit.
    pub rate_limit: Option<RequestRate>,
    /// The users and the hashes of their passwords. Without any, nobody is asked for a password.
    pub users: HashMap<String, PasswordHash>,
    /// What is accepted, and is not what somebody may expect.
    pub warnings: Vec<String>,
}

/// A limit of requests: a bucket of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRate {
    /// The time in which one more request is allowed.
    pub interval: Duration,
    /// How many requests may come at once; without any, none is allowed.
    pub burst: u32,
}

const SECTIONS: [&str; 4] = [
    "tls_server_config",
    "http_server_config",
    "rate_limit",
    "basic_auth_users",
];

/// The headers that may be set, and the values that those may have which do not take any.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

/// A hash of a higher cost keeps a processor busy for seconds at each wrong password.
const USUAL_COST: u32 = 14;

impl WebConfig {
    /// Reads the file at this path, and those that it names. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// All that is wrong with them, each with its place.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let wrong = |problems| Problems::new(&file, problems);
        let of_file = |message| wrong(vec![Problem::of_document(Place::START, message)]);
        let expected = "expected a web configuration in YAML";
        let bytes = watched::content("the file", path, MAX_FILE, expected).map_err(of_file)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| of_file(format!("the file is not UTF-8; {expected}")))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        // A file in the current folder has an empty one.
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(text, folder).map_err(wrong)
    }

    /// Reads a text whose relative paths start at this folder.
    fn parse(text: &str, folder: &Path) -> Result<Self, Vec<Problem>> {
        // Some end a line, or the text, to the toolkit alone: a key after one would be hidden from this reader.
        if let Some(problem) = read::foreign_character(text) {
            return Err(vec![problem]);
        }
        let root = tree::read(text).map_err(|problem| vec![problem])?;
        let mut fields = Fields::default();
        let mut draft = Draft::default();
        // An empty value is nothing, as no value is.
        if let Some(root) = root.filter(|root| !matches!(root.value, Value::Null)) {
            let path = KeyPath::default();
            fields.section(&root, &path, &SECTIONS, &mut |fields, key, node, path| {
                draft.take(fields, key, node, path);
            });
        }
        let config = draft.finish(&mut fields, folder);
        if fields.problems.is_empty()
            && let Some(config) = config
        {
            Ok(config)
        } else {
            Err(fields.problems)
        }
    }

    /// The files that were read for it, without the web configuration itself.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let tls = self.tls.iter();
        let pems = tls.flat_map(|tls| {
            [
                Some(&tls.certificate),
                Some(&tls.key),
                tls.client_ca.as_ref(),
            ]
        });
        pems.flatten().filter_map(|pem| pem.file.as_ref())
    }
}

/// What is read so far.
struct Draft {
    tls: Section,
    http2: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
    interval: i64,
    burst: i64,
    users: HashMap<String, PasswordHash>,
    warnings: Vec<String>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            tls: Section::default(),
            http2: true,
            headers: Vec::new(),
            interval: 0,
            burst: 0,
            users: HashMap::new(),
            warnings: Vec::new(),
        }
    }
}

impl Draft {
    fn take(&mut self, fields: &mut Fields, section: &str, node: &Node, path: &KeyPath) {
        let is_null = matches!(node.value, Value::Null);
        match section {
            "basic_auth_users" if is_null => self
                .warnings
                .push(format!("{path} is empty: no password is required")),
            "basic_auth_users" => self.read_users(fields, node, path),
            // An empty section is one whose values are all zero, to the toolkit: this one switches HTTP/2 off.
            "http_server_config" if is_null => self.http2 = false,
            _ if is_null => {}
            "tls_server_config" => self.tls.read(fields, node, path),
            "http_server_config" => self.read_http(fields, node, path),
            _ => {
                let keys = ["interval", "burst"];
                fields.section(node, path, &keys, &mut |fields, key, node, path| {
                    if key == "burst" {
                        self.burst = fields.whole(node, path).unwrap_or_default();
                    } else {
                        self.interval = fields.nanoseconds(node, path).unwrap_or_default();
                    }
                });
            }
        }
    }

    fn read_http(&mut self, fields: &mut Fields, node: &Node, path: &KeyPath) {
        let keys = ["http2", "headers"];
        fields.section(node, path, &keys, &mut |fields, key, node, path| {
            if key == "http2" {
                self.http2 = fields.flag(node, path).unwrap_or_default();
                return;
            }
            for entry in fields.texts(node, path) {
                let path = path.key(entry.name);
                match header(entry.name, entry.text) {
                    Ok(header) => self.headers.push(header),
                    Err(message) => fields.report(entry.node, &path, message),
                }
            }
        });
    }

    fn read_users(&mut self, fields: &mut Fields, node: &Node, path: &KeyPath) {
        for entry in fields.texts(node, path) {
            let path = path.key(entry.name);
            let hash = match PasswordHash::parse(entry.text) {
                Ok(hash) => hash,
                Err(message) => {
                    fields.report(entry.node, &path, message);
                    continue;
                }
            };
            if !hash.is_complete() {
                self.warnings.push(format!(
                    "{path} is not a whole bcrypt hash: no password fits it"
                ));
            }
            if entry.name.contains(':') {
                self.warnings.push(format!(
                    "{path} has a colon in its name: nobody can sign in with it"
                ));
            }
            if hash.cost > USUAL_COST {
                self.warnings.push(format!(
                    "{path} has cost {}: each wrong password keeps a processor busy for seconds or more; costs up to \
                     {USUAL_COST} are usual",
                    hash.cost
                ));
            }
            self.users.insert(entry.name.to_owned(), hash);
        }
    }

    fn finish(mut self, fields: &mut Fields, folder: &Path) -> Option<WebConfig> {
        let before = fields.problems.len();
        let tls = self
            .tls
            .settings(fields, self.http2, folder, &mut self.warnings);
        let interval = u64::try_from(self.interval)
            .ok()
            .filter(|interval| *interval > 0);
        (fields.problems.len() == before).then(|| WebConfig {
            tls,
            http2: self.http2,
            headers: self.headers,
            rate_limit: interval.map(|interval| RequestRate {
                interval: Duration::from_nanos(interval),
                burst: u32::try_from(self.burst.max(0)).unwrap_or(u32::MAX),
            }),
            users: self.users,
            warnings: self.warnings,
        })
    }
}

/// A header that may be set, with its value.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let Some((_, allowed)) = HEADERS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = HEADERS.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "cannot be configured; expected one of {}",
            known.join(", ")
        ));
    };
    if !allowed.is_empty() && !allowed.contains(&value) {
        return Err(format!("expected {}", allowed.join(" or ")));
    }
    // A line break becomes a space, as in Go.
    let value = value.replace(['\r', '\n'], " ");
    let value = HeaderValue::from_str(value.trim())
        .or_else(|_| HeaderValue::from_bytes(value.trim().as_bytes()));
    let name = HeaderName::from_bytes(name.as_bytes());
    match (name, value) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err("has a control character; expected printable text".to_owned()),
    }
}

#[cfg(test)]
mod tests;
