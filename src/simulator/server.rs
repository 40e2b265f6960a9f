//! The simulated service as a whole: its options, what its connections share, and the loop that accepts
//! them. Knows nothing of what is asked and answered.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::{Clock, Timestamp};

use super::assertion::{Assertions, Certificate};
use super::credential::Credential;
use super::faults::Rule;
use super::grants::Grants;
use super::identity::{CLIENT_ID, CLIENT_SECRET, Identity, PERMISSIONS};
use super::refresh::{
    PARTNER_CLIENT_ID, PARTNER_CLIENT_SECRET, PARTNER_TENANT, PartnerIdentity, RefreshTokens,
};
use super::stats::Stats;
use super::world::World;

/// When no connection can be accepted (usually for want of file descriptors), the next try comes so late.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How the simulated service behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// What it knows at the start.
    pub world: World,
    /// How it misbehaves; by default not at all.
    pub rules: Vec<Rule>,
    /// It waits so long before each answer; by default not at all.
    pub latency: Duration,
    /// The largest page it gives, in rows; by default 100.
    pub page_limit: usize,
    /// The same for Partner Center; by default 500.
    pub partner_page_limit: usize,
    /// How long a tick of the world is; without it the world stands still at tick 0.
    pub evolve: Option<Duration>,
    /// After this time no fault strikes, and the world stands still; by default never.
    pub calm_after: Option<Duration>,
    /// The permissions of the app that is registered with AvePoint; by default all of upstream's table.
    pub permissions: Vec<String>,
    /// The certificate that is registered for both apps beside their secrets, in DER; by default none.
    pub certificate: Option<Vec<u8>>,
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
            partner_page_limit: 500,
            evolve: None,
            calm_after: None,
            permissions: PERMISSIONS.iter().map(|&name| name.to_owned()).collect(),
            certificate: None,
            token_lifetime: Duration::from_hours(1),
            retry_after: Duration::from_secs(1),
            foreign_origin: "https://elsewhere.example".to_owned(),
            gzip: false,
            clock: Clock::system(),
            shutdown: CancellationToken::new(),
        }
    }
}

/// What all connections share.
pub(super) struct Upstream {
    /// How it behaves. What it knows is `world`, which can be exchanged.
    pub(super) options: Options,
    world: RwLock<Arc<World>>,
    pub(super) identity: Identity,
    pub(super) partner_identity: PartnerIdentity,
    /// Per rule, how many requests matched.
    pub(super) seen: Vec<AtomicU64>,
    pub(super) answered: AtomicU64,
    stats: Mutex<Stats>,
    start: Timestamp,
}

impl Upstream {
    pub(super) fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the service knows now.
    pub(super) fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn world_mut(&self) -> RwLockWriteGuard<'_, Arc<World>> {
        self.world.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what the service knows, as of now, or leaves it as it is when that fails. Requests that are being
    /// answered still see the old world.
    pub(super) fn change_world<T, E>(
        &self,
        change: impl FnOnce(&mut World, u64) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut shared = self.world_mut();
        let mut world = World::clone(&shared);
        let outcome = change(&mut world, self.tick())?;
        *shared = Arc::new(world);
        Ok(outcome)
    }

    /// Whether faults strike no more.
    pub(super) fn is_calm(&self) -> bool {
        let passed = self.options.clock.now().since(self.start);
        self.options.calm_after.is_some_and(|calm| passed >= calm)
    }

    /// How many ticks have passed since the start.
    pub(super) fn tick(&self) -> u64 {
        let Some(period) = self.options.evolve else {
            return 0;
        };
        let passed = self.options.clock.now().since(self.start);
        let passed = passed.min(self.options.calm_after.unwrap_or(Duration::MAX));
        let ticks = passed.as_nanos().checked_div(period.as_nanos());
        ticks.and_then(|ticks| ticks.try_into().ok()).unwrap_or(0)
    }
}

/// A running simulated service. It ends when this is dropped.
#[must_use = "the service ends when this is dropped"]
pub struct Simulator {
    address: SocketAddr,
    world: Arc<World>,
    upstream: Arc<Upstream>,
    /// Ends the service when it is dropped.
    _shutdown: DropGuard,
}

impl Simulator {
    /// Serves on this listener, in tasks of the current runtime.
    ///
    /// # Errors
    ///
    /// When the listener has no local address, or the registered certificate is none.
    pub fn start(listener: TcpListener, mut options: Options) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let shutdown = options.shutdown.child_token();
        let start = options.clock.now();
        let world = Arc::new(std::mem::take(&mut options.world).dated(start));
        let certificate = options.certificate.as_deref().map(Certificate::read);
        let certificate = certificate.transpose()?;
        let credential = |id, secret| Credential {
            id,
            secret,
            assertions: certificate.clone().map(Assertions::new),
        };
        let grants = |name| Grants::new(name, options.token_lifetime, options.clock.clone());
        let upstream = Arc::new(Upstream {
            world: RwLock::new(Arc::clone(&world)),
            identity: Identity {
                credential: credential(CLIENT_ID, CLIENT_SECRET),
                permissions: options.permissions.clone(),
                grants: grants("simulated-token"),
            },
            partner_identity: PartnerIdentity {
                credential: credential(PARTNER_CLIENT_ID, PARTNER_CLIENT_SECRET),
                grants: grants("simulated-partner-token"),
                tokens: RefreshTokens::default(),
            },
            seen: options.rules.iter().map(|_| AtomicU64::new(0)).collect(),
            answered: AtomicU64::new(0),
            stats: Mutex::default(),
            start,
            options,
        });
        tokio::spawn(accept(listener, Arc::clone(&upstream), shutdown.clone()));
        Ok(Self {
            address,
            world,
            upstream,
            _shutdown: shutdown.drop_guard(),
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

    /// The origin of Partner Center's API: the same.
    pub fn partner_api_url(&self) -> String {
        self.url()
    }

    /// The token endpoint of Partner Center.
    pub fn partner_token_url(&self) -> String {
        format!("{}/{PARTNER_TENANT}/oauth2/v2.0/token", self.url())
    }

    /// The refresh tokens that are good now, the oldest first.
    pub fn good_refresh_tokens(&self) -> Vec<String> {
        self.upstream.partner_identity.tokens.good()
    }

    /// What the service was told to know, without the rises that were asked for over HTTP since.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Changes what the service knows. Requests that are being answered still see the old world.
    pub fn set_world(&mut self, world: World) {
        self.world = Arc::new(world.dated(self.upstream.options.clock.now()));
        *self.upstream.world_mut() = Arc::clone(&self.world);
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
