//! Floor 1: the configuration in force. Everything above sees only these validated types.
//!
//! In the order in which a text passes: `load` takes the file; `outline` finds where each key stands and `read`
//! what is written there, as `raw`, both with `words` for what YAML libraries complain about; `elements`,
//! `collectors` and `tenants` turn it into the types below by means of `checker`, with `files` for what is only
//! named. `source` is what surrounds the text, `problem` what they report.

mod checker;
mod collectors;
mod elements;
mod files;
mod load;
mod outline;
mod problem;
mod raw;
mod read;
mod source;
mod tenants;
mod words;

use std::sync::Arc;
use std::time::Duration;

use url::Url;

pub use self::problem::{ConfigError, Problems};
pub use self::source::Source;
use crate::domain::{Collector, Secret, Tenant};

/// What one process watches, and how.
#[derive(Debug, Clone)]
pub struct Config {
    /// How AvePoint Elements is reached.
    pub elements: Elements,
    /// The tenants in the order of the file, at least one, each tenant id once.
    pub tenants: Vec<TenantConfig>,
}

/// How AvePoint Elements is reached.
#[derive(Debug, Clone)]
pub struct Elements {
    /// Base of the API: an origin, and a path that ends in a slash only where it is nothing else. Default: by
    /// `environment`.
    pub api_url: Url,
    /// The token endpoint. Default: by `environment`.
    pub token_url: Url,
    /// The app registration's id.
    pub client_id: String,
    /// The app registration's secret, already read from where the file said it is.
    pub client_secret: Secret,
    /// Connections and their deadlines.
    pub http: HttpSettings,
    /// How often the API may be asked.
    pub rate_limit: RateLimit,
    /// How much the API may answer.
    pub limits: Limits,
}

/// Connections and their deadlines.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// One request, from connecting to the last byte. Default: 30 s, as far as the other two allow it.
    pub timeout: Duration,
    /// Connecting, TLS included; at most `timeout`. Default: 5 s, or `timeout` if that is shorter.
    pub connect_timeout: Duration,
    /// All tries of one request together, from the first sending on; at least `timeout`. Default: 60 s, or twice
    /// the timeout if that is longer.
    pub retry_deadline: Duration,
    /// PEM text of certificates trusted beside the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// A valid `http://` or `https://` URL of a proxy for all requests; a secret since it may hold a password.
    /// Default: what the environment says.
    pub proxy_url: Option<Secret>,
}

/// How often one API host may be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// Sustained requests per second; from 0.001 to 100000. Default: 10.
    pub requests_per_second: f64,
    /// Requests that may go out at once after a rest, 1 to 100000. Default: 20.
    pub burst: u32,
    /// Requests under way at once, 1 to 1000. Default: 8.
    pub max_concurrent_requests: usize,
}

/// How much the API may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one response, both as sent and decoded, 1 KiB to 1 GiB. Default: 16 MiB.
    pub response_bytes: usize,
    /// Rows of one listing, 1 to 100 million. Default: 1 million.
    pub rows: u64,
}

/// One tenant and what is collected of it.
#[derive(Debug, Clone)]
pub struct TenantConfig {
    /// Ids, names and labels.
    pub tenant: Arc<Tenant>,
    /// The collectors that are on for it, in the order of [`Collector::ALL`].
    pub collectors: Vec<CollectorConfig>,
}

/// One collector of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectorConfig {
    /// The time from one poll to the next, 1 s to 7 days. Default: 5 min for security users, 15 min for protected.
    pub interval: Duration,
    /// The age at which figures leave the exposition; at least `interval`. Default: three intervals.
    pub stale_after: Duration,
    /// Which collector, with its own options.
    pub kind: CollectorKind,
}

/// Which collector, with its own options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectorKind {
    /// The users with security findings.
    SecurityUsers {
        /// Leave users out that are marked as test users.
        exclude_test_users: bool,
    },
    /// The users that Cloud Backup knows.
    ProtectedUsers,
}

impl CollectorKind {
    /// The collector without its options.
    pub const fn collector(self) -> Collector {
        match self {
            Self::SecurityUsers { .. } => Collector::SecurityUsers,
            Self::ProtectedUsers => Collector::ProtectedUsers,
        }
    }
}
