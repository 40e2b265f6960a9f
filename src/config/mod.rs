//! Floor 1: the configuration in force. Everything above sees only these validated types.
//!
//! In the order in which a text passes: `load` takes the file; `outline` finds where each key stands and `read`
//! what is written there, as `raw`, both with `words` for what YAML libraries complain about; `elements`,
//! `partner_center` (with `api` and `credential` for what these two share), `collectors` (with `schedule` and
//! `options`), `discovery` and `tenants` turn it into the types below by means of `checker`, with `files` and
//! `certificate` for what is only named, read with `patience`; `exposed` warns of others who can. `watched` notices when that changes; `problem` is what
//! they report, with what `shown` lets them quote.

mod api;
mod certificate;
mod checker;
mod collectors;
mod credential;
mod discovery;
mod elements;
mod exposed;
mod files;
mod in_force;
mod load;
mod options;
mod outline;
mod partner_center;
mod patience;
mod problem;
mod raw;
mod read;
mod schedule;
mod shown;
mod tenants;
mod watched;
pub mod web;
mod words;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Serialize};
use url::Url;

pub use self::certificate::Certificate;
pub use self::checker::Source;
pub use self::exposed::warn_if_exposed;
pub use self::load::ConfigFile;
pub use self::options::{
    NoOptions, PartnerCenterOptions, SecurityEndpoint, SecurityMode, SecurityOptions,
    StatusEncoding,
};
pub use self::problem::{ConfigError, Problems};
pub use self::watched::ReadFile;
use crate::domain::{Api, Collector, Secret, Tenant, collectors};

/// What one process watches, and how.
#[derive(Debug, Clone)]
pub struct Config {
    /// How AvePoint Elements is reached.
    pub elements: Elements,
    /// How Microsoft Partner Center is reached; always there when the collector of that name is on somewhere.
    pub partner_center: Option<PartnerCenter>,
    /// The collectors of the partner that are on, among them that of discovery.
    pub partner: Vec<CollectorConfig>,
    /// The collectors that are on for each customer.
    pub customers: Vec<CollectorConfig>,
    /// Tenants from the API beside the list; `None` when that is off.
    pub discovery: Option<Discovery>,
    /// The tenants in the order of the file, each tenant id once; at least one, unless there is discovery.
    pub tenants: Vec<TenantConfig>,
    /// The folder of the warm-start file; `None` where nothing is kept over a restart. It need not exist.
    pub state_dir: Option<PathBuf>,
    /// The files that it names and that were read for it: secrets, certificates, authorities.
    pub files: Vec<ReadFile>,
    /// All of it as YAML for people, with defaults and without secrets.
    pub text: Arc<str>,
}

impl Config {
    /// All collectors that are on: of the partner, of its customers, of the tenants in the file, and of those that
    /// are discovered.
    pub fn collectors(&self) -> impl Iterator<Item = &CollectorConfig> {
        let of_tenants = self.tenants.iter().flat_map(|tenant| &tenant.collectors);
        let of_discovered = self.discovery.iter().flat_map(|one| &one.collectors);
        let of_others = self.partner.iter().chain(&self.customers);
        of_others.chain(of_tenants).chain(of_discovered)
    }

    /// How Partner Center is reached, if a collector asks it.
    pub fn asked_partner_center(&self) -> Option<&PartnerCenter> {
        let asks = |one: &CollectorConfig| one.kind.collector().api() == Api::PartnerCenter;
        let partner_center = self.partner_center.as_ref();
        partner_center.filter(|_| self.collectors().any(asks))
    }
}

/// How AvePoint Elements is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Elements {
    /// Base of the API: an origin, and a path that ends in a slash only where it is nothing else. Default: by
    /// `environment`.
    pub api_url: Url,
    /// The token endpoint. Default: by `environment`.
    pub token_url: Url,
    /// The app registration's id.
    pub client_id: String,
    /// What proves that a request comes from the app registration.
    pub credential: ClientCredential,
    /// Connections and their deadlines.
    pub http: HttpSettings,
    /// How often the API may be asked.
    pub rate_limit: RateLimit,
    /// How much the API may answer.
    pub limits: Limits,
}

/// What proves to a token service that a request comes from the app registration; already read from where the
/// file said it is.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientCredential {
    /// A client secret.
    Secret {
        /// Its text.
        secret: Secret,
        /// The file that it was read from; `None` for one of the configuration itself or of the environment.
        file: Option<PathBuf>,
    },
    /// A certificate, whose key signs an assertion for each token request.
    Certificate(Certificate),
}

/// How Microsoft Partner Center is reached. Its deadlines, limits, proxy and authorities are those of `elements`.
#[derive(Debug, Clone, PartialEq)]
pub struct PartnerCenter {
    /// Base of the API: an origin, and a path that ends in a slash only where it is nothing else.
    pub api_url: Url,
    /// The token endpoint. Default: that of Microsoft for the partner's tenant.
    pub token_url: Url,
    /// The app registration's id.
    pub client_id: String,
    /// What proves that a request comes from the app registration.
    pub credential: ClientCredential,
    /// Where the refresh token is kept: read at the start, and written whenever Microsoft hands out a new one.
    pub refresh_token_file: PathBuf,
    /// The refresh token to begin with, while there is no such file.
    pub first_refresh_token: Option<Secret>,
    /// What access tokens are asked for.
    pub scope: String,
    /// How often the API may be asked.
    pub rate_limit: RateLimit,
}

impl PartnerCenter {
    /// Whether another configuration asks the same API in the same way. The token to begin with does not matter: it
    /// is there only until the file is.
    pub fn is_same_client(&self, other: &Self) -> bool {
        let settled = |one: &Self| Self {
            first_refresh_token: None,
            ..one.clone()
        };
        settled(self) == settled(other)
    }
}

/// Which tenants of the API are watched, and how.
#[derive(Debug, Clone)]
pub struct Discovery {
    /// The collector that reads the API's customers, 1 s to 7 days apart. Default: 1 h.
    pub collector: CollectorConfig,
    /// Only tenants with such names.
    pub include: NamePatterns,
    /// No tenant with such names: one that fits is enough.
    pub exclude: NamePatterns,
    /// The collectors that are on for tenants which the file does not list, in the order of [`Collector::all`].
    pub collectors: Vec<CollectorConfig>,
}

/// Patterns for whole names; `None` where the file has none.
#[derive(Debug, Clone, Default)]
pub struct NamePatterns {
    /// For the customer's name.
    pub customer_name: Option<Regex>,
    /// For the tenant's name.
    pub tenant_name: Option<Regex>,
}

/// Connections and their deadlines.
#[derive(Debug, Clone, PartialEq)]
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

impl RateLimit {
    /// Requests about one target that may be under way at once: half, so that a host that hangs on one target does not
    /// hang on all.
    pub fn of_one_target(self) -> usize {
        (self.max_concurrent_requests / 2).max(1)
    }
}

/// How much the API may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one response, both as sent and decoded, 1 KiB to 1 GiB. Default: 16 MiB.
    pub response_bytes: usize,
    /// Rows of one listing, 1 to 100 million. Default: 1 million.
    pub rows: u64,
    /// Whether listings are read to their end whatever they say of their length. Default: no.
    pub ignore_totals: bool,
}

/// One tenant and what is collected of it.
#[derive(Debug, Clone)]
pub struct TenantConfig {
    /// Ids, names and labels.
    pub tenant: Arc<Tenant>,
    /// The collectors that are on for it, in the order of [`Collector::all`].
    pub collectors: Vec<CollectorConfig>,
}

/// One collector of one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectorConfig {
    /// The time from one poll to the next, 1 s to 7 days. Default: [`Collector::default_interval`].
    pub interval: Duration,
    /// The age at which figures leave the exposition; at least `interval`. Default: three intervals.
    pub stale_after: Duration,
    /// Which collector, with its own options.
    pub kind: CollectorKind,
}

macro_rules! kinds {
    ($($variant:ident $key:ident $options:ident $facts:tt)*) => {
        /// Which collector, with its own options.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum CollectorKind {
            $(
                #[doc = concat!("The collector `", stringify!($key), "`.")]
                $variant($options),
            )*
        }

        impl CollectorKind {
            /// The collector without its options.
            pub const fn collector(self) -> Collector {
                match self {
                    $(Self::$variant(_) => Collector::$variant,)*
                }
            }
        }
    };
}
collectors!(all kinds);
