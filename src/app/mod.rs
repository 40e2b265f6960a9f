//! The exporter put together: polls on one side, pages on the other, the snapshot between them.

mod reload;
mod saving;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prometheus::{Registry, opts, register_int_gauge_with_registry};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::reload::{Reloader, SERVES};
use self::saving::{Saving, Storage};
use crate::config::{Config, ConfigFile};
use crate::domain::Clock;
use crate::exposition::{self, Blocks, Body, Format};
use crate::process::metrics::ProcessMetrics;
use crate::process::systemd;
use crate::scheduler::{Demand, Scheduler};
use crate::server::{self, Asked, Limits, Lock, Pages, Reload, Sources};
use crate::snapshot::Snapshots;
use crate::state::{Saved, StateDir};
use crate::upstream::Stats;

/// Between two renderings there is at least this, and ten times what the last one took: a fleet that
/// publishes all the time costs a tenth of a core, not a whole one.
const RENDER_PAUSE: Duration = Duration::from_millis(100);

/// It is never longer than this, so that a poll's figures are shown within a second of its end.
const LONGEST_RENDER_PAUSE: Duration = Duration::from_millis(500);

/// How long the shutdown waits for the polls to be cancelled, which is at once unless an answer keeps all their threads
/// busy.
const CANCEL: Duration = Duration::from_secs(1);

/// How long the shutdown waits for a refresh token that is being exchanged: with [`CANCEL`], shorter than the
/// time after which the program is ended in any case.
const SETTLE: Duration = Duration::from_secs(3);

/// Connections at once for probes. A few programs on the machine ask, one request each.
const PROBES: usize = 32;

/// How the pages are served.
#[derive(Debug, Clone)]
pub struct Web {
    /// The path of the exposition.
    pub telemetry_path: String,
    /// Maximum number of concurrent scrapes; more get 503.
    pub max_requests: usize,
    /// Who is asked by `POST /-/reload`; `None` where neither that nor `POST /-/poll` is allowed.
    pub reload: Option<Reload>,
    /// What one client may take from the others.
    pub limits: Limits,
    /// TLS, passwords and headers; `None` to serve everybody.
    pub lock: Option<Arc<Lock>>,
}

/// An exporter that has not begun its work.
#[derive(Debug)]
pub struct Exporter {
    scheduler: Scheduler,
    snapshots: Snapshots,
    storage: Storage,
    /// What is known of the APIs and the credentials.
    upstream: Stats,
    registry: Registry,
    clock: Clock,
    reloader: Reloader,
    /// Where the configuration is read again, and who asks for it.
    file: Option<(PathBuf, ConfigFile, mpsc::Receiver<Asked>)>,
    /// Keeps what is known over a restart, where that is wanted.
    saving: Option<Saving>,
    /// Where health and readiness are served by themselves, if somewhere.
    probes: Option<TcpListener>,
}

impl Exporter {
    /// Puts an exporter together. Opens no connection yet.
    ///
    /// # Errors
    /// When TLS or the proxy cannot be set up as configured.
    pub fn new(config: &Config, clock: Clock) -> anyhow::Result<Self> {
        Self::after(&Saved::default(), config, clock)
    }

    /// The same with what an earlier process knew, and for this one to keep what it knows: where and if the
    /// configuration says so.
    ///
    /// # Errors
    /// As [`Exporter::new`].
    pub fn warm(config: &Config, clock: Clock) -> anyhow::Result<Self> {
        let folder = config.state_dir.as_ref();
        let opened = folder.map(|folder| StateDir::open(folder, clock.now()));
        let (folder, saved) = opened.unzip();
        let saved = saved.flatten();
        if let Some(saved) = &saved {
            tracing::info!(saved_at = %saved.written_at, tenants = saved.tenants().count(), "warm start");
        }
        let exporter = Self::after(&saved.unwrap_or_default(), config, clock)?;
        exporter.storage.show(folder.as_ref());
        let saving = Saving {
            folder,
            storage: exporter.storage.clone(),
            in_force: exporter.reloader.in_force(),
            snapshots: exporter.snapshots(),
            clock: exporter.clock.clone(),
        };
        Ok(Self {
            saving: Some(saving),
            ..exporter
        })
    }

    /// Puts an exporter together that goes on from what an earlier process knew.
    fn after(saved: &Saved, config: &Config, clock: Clock) -> anyhow::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessMetrics::new()?))?;
        register_build_info(&registry)?;
        let stats = Stats::register(&registry)?;
        let upstream = stats.clone();
        let reloader = Reloader::new(config, stats.clone(), clock.clone(), &registry)?;
        let (scheduler, snapshots) =
            Scheduler::new(reloader.in_force(), saved, stats, clock.clone(), &registry)?;
        let storage = Storage::register(&registry, upstream.troubles.clone(), clock.clone())?;
        Ok(Self {
            scheduler,
            snapshots,
            storage,
            upstream,
            registry,
            clock,
            reloader,
            file: None,
            saving: None,
            probes: None,
        })
    }

    /// What the polls have found so far, and what they find later.
    pub fn snapshots(&self) -> Snapshots {
        self.snapshots.clone()
    }

    /// Waits until no refresh token is being exchanged, which is never to be cut short; a while at most.
    pub fn settled(&self) -> impl Future<Output = ()> + use<> {
        let in_force = self.reloader.in_force();
        async move {
            let refresh_token = in_force.borrow().clients.refresh_token.clone();
            if let Some(refresh_token) = refresh_token {
                let _ = tokio::time::timeout(SETTLE, refresh_token.settled()).await;
            }
        }
    }

    /// Lets the configuration be read again from this path while the exporter runs: when whoever has what is
    /// returned asks for it, and when files that it names change. `file` is what it was read from.
    pub fn reloading(mut self, path: &Path, file: ConfigFile) -> (Self, Reload) {
        let (reload, asked) = Reload::new();
        self.file = Some((path.to_owned(), file, asked));
        (self, reload)
    }

    /// Serves health and readiness on another socket too, and nothing else there: in plain HTTP without a password,
    /// however the pages are locked.
    pub fn probed_on(self, listener: Option<TcpListener>) -> Self {
        Self {
            probes: listener,
            ..self
        }
    }

    /// Polls on the threads of `polling` and serves on those of the caller, until the shutdown. Where they are not the
    /// same, no page, reload or saving waits for what an upstream sends.
    ///
    /// # Errors
    /// None in practice: the pages' counters are registered once.
    pub async fn run(
        self,
        listeners: Vec<TcpListener>,
        web: Web,
        polling: Handle,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let settled = self.settled();
        // There from the first scrape on: which tenants there are is known before anything is polled.
        let (snapshot, now) = (Arc::clone(&self.snapshots.borrow()), self.clock.now());
        let mut blocks = Blocks::default();
        let mut first = blocks.render(&snapshot, now);
        // Before any poll: of an earlier process.
        first.is_ready |= snapshot.has_fresh(now);
        let (bodies, tenants) = watch::channel(first);
        let sources = Sources {
            tenants,
            snapshots: self.snapshots.clone(),
            storage: self.storage.status(),
            upstream: self.upstream,
            config: self.reloader.text(),
            read_at: self.reloader.read_at(),
            registry: self.registry,
            clock: self.clock.clone(),
            demand: web.reload.is_some().then(|| self.scheduler.demand()),
            reload: web.reload,
        };
        let pages = Pages::new(sources, web.telemetry_path, web.max_requests)?;
        let pages = Arc::new(pages.locked(web.lock));
        let probes = server::serve(
            self.probes.into_iter().collect(),
            Arc::new(pages.probes()),
            Limits {
                connections: PROBES,
                ..web.limits
            },
            shutdown.clone(),
        );
        let publishing =
            shutdown.run_until_cancelled(publish(self.snapshots, blocks, self.clock, bodies));
        let guarding = shutdown.run_until_cancelled(guard(self.scheduler.demand()));
        let polls = polling.spawn(self.scheduler.run(shutdown.clone()));
        let polls = AbortOnDropHandle::new(polls);
        let polling = async {
            let too_late = async {
                shutdown.cancelled().await;
                tokio::time::sleep(CANCEL).await;
            };
            tokio::select! {
                ended = polls => {
                    // A panic of the scheduler ends the program, as one on this side does.
                    if let Err(error) = ended && let Ok(panic) = error.try_into_panic() {
                        resume_unwind(panic);
                    }
                }
                () = too_late => tracing::warn!("cancelled polls still running at the shutdown deadline"),
            }
            settled.await;
        };
        let saving = async {
            if let Some(saving) = self.saving {
                saving.run(shutdown.clone()).await;
            }
        };
        let reloading = async {
            if let Some((path, file, asked)) = self.file {
                let running = self.reloader.run(&path, file, asked);
                shutdown.run_until_cancelled(running).await;
            }
        };
        let stopping = async {
            shutdown.cancelled().await;
            systemd::stopping();
        };
        systemd::ready(SERVES);
        tokio::join!(
            stopping,
            guarding,
            polling,
            saving,
            publishing,
            reloading,
            probes,
            server::serve(listeners, pages, web.limits, shutdown.clone())
        );
        Ok(())
    }

    /// Polls everything once. Returns the exposition and how many polls failed.
    pub async fn poll_once(self) -> (String, u64) {
        let failures = self.scheduler.run_once().await;
        let mut text = exposition::render(&self.snapshots.borrow(), self.clock.now());
        text.push_str(&exposition::render_registry(&self.registry, Format::Text));
        (text, failures)
    }
}

/// Renders each snapshot, and the last one again when figures in it become stale.
async fn publish(
    mut snapshots: Snapshots,
    mut blocks: Blocks,
    clock: Clock,
    bodies: watch::Sender<Body>,
) {
    // Once it is ready it stays so, whatever is polled later.
    let mut is_ready = bodies.borrow().is_ready;
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let now = clock.now();
        let start = Instant::now();
        let next_stale = snapshot.next_stale(now);
        let rendering = tokio::task::spawn_blocking(move || {
            let body = blocks.render(&snapshot, now);
            (body, blocks)
        });
        blocks = match rendering.await {
            Ok((mut body, blocks)) => {
                is_ready |= body.is_ready;
                body.is_ready = is_ready;
                bodies.send_replace(body);
                blocks
            }
            // The series before stay; their panic was logged where it happened.
            Err(error) => {
                tracing::error!(%error, "failed to render the tenants' series");
                Blocks::default()
            }
        };
        let pause = start.elapsed() * 10;
        tokio::time::sleep(pause.clamp(RENDER_PAUSE, LONGEST_RENDER_PAUSE)).await;
        let until_stale = next_stale.map_or(Duration::MAX, |at| at.since(clock.now()));
        // Without a change within it, it is time to leave something out.
        if let Ok(Err(_)) = tokio::time::timeout(until_stale, snapshots.changed()).await {
            return;
        }
    }
}

/// Tells the service manager's watchdog that the exporter is alive, for as long as the loop that polls answers.
async fn guard(demand: Demand) {
    if let Some(pause) = systemd::watchdog() {
        while demand.is_alive().await {
            systemd::alive();
            tokio::time::sleep(pause).await;
        }
    }
}

/// Registers what the exporter was built from.
fn register_build_info(registry: &Registry) -> prometheus::Result<()> {
    let build_info = register_int_gauge_with_registry!(
        opts!(
            "avepoint_exporter_build_info",
            "Always 1: version and build of the exporter in the labels."
        )
        .const_label("version", env!("CARGO_PKG_VERSION"))
        .const_label("revision", env!("BUILD_REVISION"))
        .const_label("rustc_version", env!("BUILD_RUSTC_VERSION"))
        .const_label("target_triple", env!("BUILD_TARGET")),
        registry
    )?;
    build_info.set(1);
    Ok(())
}
