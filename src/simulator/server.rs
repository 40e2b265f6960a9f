//! The simulated service as a whole: its options, its figures, and the loop that accepts connections.
//! Knows nothing of what is asked and answered.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::domain::{Clock, TenantId, Timestamp};

use super::faults::{Fault, Listing, Rule};
use super::identity::{Identity, PERMISSIONS};
use super::world::World;

/// When no connection can be accepted (usually for want of file descriptors), the next try comes so late.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How the simulated service behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// What it knows.
    pub world: World,
    /// How it misbehaves; by default not at all.
    pub rules: Vec<Rule>,
    /// It waits so long before each answer; by default not at all.
    pub latency: Duration,
    /// The largest page it gives, in rows; by default 100.
    pub page_limit: usize,
    /// How long a tick of the world is; without it the world stands still at tick 0.
    pub evolve: Option<Duration>,
    /// The permissions of the registered app; by default all of upstream's table.
    pub permissions: Vec<String>,
    /// How long tokens live; by default an hour.
    pub token_lifetime: Duration,
    /// What `Retry-After` says, in whole seconds; by default one.
    pub retry_after: Duration,
    /// Where redirects and links of the faults `redirect` and `foreign-link` lead.
    pub foreign_origin: String,
    /// Whether pages are compressed for clients that accept gzip; by default not.
    pub gzip: bool,
    /// What tokens and ticks are timed by; by default the machine's clock.
    pub clock: Clock,
    /// Ends the service; so does dropping the [`Simulator`].
    pub shutdown: CancellationToken,
}

impl Options {
    /// A service that knows this world and behaves well.
    pub fn new(world: World) -> Self {
        Self {
            world,
            rules: Vec::new(),
            latency: Duration::ZERO,
            page_limit: 100,
            evolve: None,
            permissions: PERMISSIONS.iter().map(|&name| name.to_owned()).collect(),
            token_lifetime: Duration::from_hours(1),
            retry_after: Duration::from_secs(1),
            foreign_origin: "https://elsewhere.example".to_owned(),
            gzip: false,
            clock: Clock::system(),
            shutdown: CancellationToken::new(),
        }
    }
}

/// The log of requests ends here: a service may run for days.
const LOG_LENGTH: usize = 10_000;

/// A moment in the life of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It has come.
    Arrived,
    /// Its answer is about to be sent, or nobody waits for it any more.
    Ended,
}

/// What the service has been asked so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests per listing and tenant, well answered or not, known tenants or not.
    pub requests: BTreeMap<(Listing, TenantId), u64>,
    /// Requests for tokens.
    pub token_requests: u64,
    /// Requests for listings that are being answered now.
    pub in_flight: usize,
    /// The most that were at once.
    pub peak_in_flight: usize,
    /// Requests for listings answered with 401.
    pub unauthorized: u64,
    /// Requests for listings whose query was taken from a `nextLink`.
    pub links_followed: u64,
    /// How often each fault struck.
    pub struck: BTreeMap<Fault, u64>,
    /// Requests for listings as they came and ended: the first 10,000 moments.
    pub log: Vec<(Moment, Listing, TenantId)>,
}

impl Stats {
    /// Requests for listings, all tenants together.
    pub fn total_requests(&self) -> u64 {
        self.requests.values().sum()
    }

    pub(super) fn log(&mut self, moment: Moment, listing: Listing, tenant: TenantId) {
        if self.log.len() < LOG_LENGTH {
            self.log.push((moment, listing, tenant));
        }
    }
}

/// What all connections share.
pub(super) struct Upstream {
    pub(super) options: Options,
    pub(super) identity: Identity,
    /// Per rule, how many requests matched.
    pub(super) seen: Vec<AtomicU64>,
    pub(super) answered: AtomicU64,
    pub(super) stats: Mutex<Stats>,
    start: Timestamp,
}

impl Upstream {
    pub(super) fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many ticks have passed since the start.
    pub(super) fn tick(&self) -> u64 {
        let Some(period) = self.options.evolve else {
            return 0;
        };
        let passed = self.options.clock.now().since(self.start);
        let ticks = passed.as_nanos().checked_div(period.as_nanos());
        ticks.and_then(|ticks| ticks.try_into().ok()).unwrap_or(0)
    }
}

/// A running simulated service. It ends when this is dropped.
#[must_use = "the service ends when this is dropped"]
pub struct Simulator {
    address: SocketAddr,
    upstream: Arc<Upstream>,
    shutdown: CancellationToken,
}

impl Simulator {
    /// Serves on this listener, in tasks of the current runtime.
    ///
    /// # Errors
    ///
    /// When the listener has no local address.
    pub fn start(listener: TcpListener, options: Options) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let shutdown = options.shutdown.child_token();
        let upstream = Arc::new(Upstream {
            identity: Identity::new(
                options.permissions.clone(),
                options.token_lifetime,
                options.clock.clone(),
            ),
            seen: options.rules.iter().map(|_| AtomicU64::new(0)).collect(),
            answered: AtomicU64::new(0),
            stats: Mutex::default(),
            start: options.clock.now(),
            options,
        });
        tokio::spawn(accept(listener, Arc::clone(&upstream), shutdown.clone()));
        Ok(Self {
            address,
            upstream,
            shutdown,
        })
    }

    /// The origin of the API, such as `http://127.0.0.1:10045`: the address that the listener is bound to.
    pub fn url(&self) -> String {
        let mut address = self.address;
        // Where it listens on all addresses, this machine reaches it by loopback.
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("http://{address}")
    }

    /// The token endpoint.
    pub fn token_url(&self) -> String {
        format!("{}/connect/token", self.url())
    }

    /// What the service knows.
    pub fn world(&self) -> &World {
        &self.upstream.options.world
    }

    /// The tick that the world stands at.
    pub fn tick(&self) -> u64 {
        self.upstream.tick()
    }

    /// What the service has been asked so far.
    pub fn stats(&self) -> Stats {
        self.upstream.stats().clone()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn accept(listener: TcpListener, upstream: Arc<Upstream>, shutdown: CancellationToken) {
    let serve = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(connection(stream, Arc::clone(&upstream), shutdown.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    };
    shutdown.run_until_cancelled(serve).await;
}

async fn connection(stream: TcpStream, upstream: Arc<Upstream>, shutdown: CancellationToken) {
    // Without it answers are late, nothing worse.
    stream.set_nodelay(true).ok();
    let service = service_fn(|request| {
        let upstream = Arc::clone(&upstream);
        async move { Ok::<_, Infallible>(upstream.answer(request).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A connection that a client or a fault breaks is nothing to report.
    shutdown.run_until_cancelled(connection).await;
}
