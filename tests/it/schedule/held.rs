//! An exporter at work against the simulated service, with time that passes only when the test says so.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use avepoint_exporter::app::{Exporter, Web};
use avepoint_exporter::config::ConfigFile;
use avepoint_exporter::domain::{Clock, Timestamp};
use avepoint_exporter::exposition::render;
use avepoint_exporter::server::{Limits, Reload};
use avepoint_exporter::simulator::{Options, Simulator};
use avepoint_exporter::snapshot::{CollectorSnapshot, Snapshot, Snapshots};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::tenants;
use crate::support::{config, simulator};

/// When the tests begin.
const START: Duration = Duration::from_secs(1_790_000_000);

/// Should what a test waits for never come, time goes on by itself after this, and the wait times out.
const PATIENCE: Duration = Duration::from_secs(30);

/// Timers are exact to a millisecond.
const TICK: Duration = Duration::from_millis(1);

/// Longer than any test lets pass.
const FOR_EVER: Duration = Duration::from_secs(3600 * 24);

/// An exporter that runs. Needs a runtime whose time is paused.
pub(super) struct Held<U = Simulator> {
    pub(super) upstream: U,
    pub(super) clock: Clock,
    snapshots: Snapshots,
    shutdown: CancellationToken,
    /// Paused time jumps to the next timer whenever all tasks wait, be it for a socket; not so while a
    /// blocking task runs. One does until this is dropped.
    _brake: Sender<()>,
}

/// Time that stands still, and a clock that tells it.
pub(super) struct Time {
    clock: Clock,
    brake: Sender<()>,
}

impl Time {
    pub(super) fn hold() -> Self {
        let (brake, released) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || released.recv_timeout(PATIENCE).ok());
        let start = Instant::now();
        let clock = Clock::from_fn(move || Timestamp::from_unix(START + start.elapsed()));
        Self { clock, brake }
    }

    /// What tells it.
    pub(super) fn clock(&self) -> Clock {
        self.clock.clone()
    }
}

impl Held {
    /// Starts the service and the exporter. `elements` and `sections` are parts of the configuration.
    pub(super) async fn start(options: Options, elements: &str, sections: &str) -> Self {
        let time = Time::hold();
        let options = Options {
            clock: time.clock.clone(),
            token_lifetime: FOR_EVER,
            ..options
        };
        let simulator = simulator(options).await;
        let config = config(&simulator, elements, sections);
        let exporter = Exporter::new(&config, time.clock.clone()).unwrap();
        Self::run(time, simulator, exporter)
    }
}

impl<U> Held<U> {
    /// Starts the exporter with the configuration in a file, which can be read again.
    pub(super) fn from_file(time: Time, upstream: U, path: &Path) -> (Self, Reload) {
        let file = ConfigFile::read(path).unwrap();
        let exporter = Exporter::new(&file.parse().unwrap(), time.clock.clone()).unwrap();
        let (exporter, reload) = exporter.reloading(path, file);
        (Self::run(time, upstream, exporter), reload)
    }

    fn run(time: Time, upstream: U, exporter: Exporter) -> Self {
        let snapshots = exporter.snapshots();
        let shutdown = CancellationToken::new();
        let web = Web {
            telemetry_path: "/metrics".to_owned(),
            max_requests: 40,
            reload: None,
            limits: Limits::default(),
            lock: None,
        };
        tokio::spawn(exporter.run(Vec::new(), web, Handle::current(), shutdown.clone()));
        Self {
            upstream,
            clock: time.clock,
            snapshots,
            shutdown,
            _brake: time.brake,
        }
    }

    /// Waits until what is published is like this.
    pub(super) async fn until(&mut self, wanted: impl FnMut(&Arc<Snapshot>) -> bool) {
        let published = self.snapshots.wait_for(wanted);
        let came = tokio::time::timeout(FOR_EVER, published).await;
        assert!(matches!(came, Ok(Ok(_))), "it never came");
    }

    /// Waits until the service was asked like this.
    pub(super) async fn until_asked(&self, wanted: impl Fn(&U) -> bool) {
        #[expect(
            clippy::disallowed_methods,
            reason = "tokio's time stands still while this waits"
        )]
        let start = std::time::Instant::now();
        while !wanted(&self.upstream) {
            assert!(start.elapsed() < PATIENCE, "it was never asked");
            tokio::task::yield_now().await;
        }
    }

    /// Lets time pass.
    pub(super) async fn pass(&self, time: Duration) {
        tokio::time::advance(time).await;
    }

    /// Lets time pass until this, and a little more.
    pub(super) async fn pass_until(&self, time: Timestamp) {
        self.pass(time.since(self.clock.now()) + TICK).await;
    }

    /// Lets all tasks run on until they have nothing more to do, or nearly so.
    pub(super) async fn settle(&self) {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// A collector of the first tenant.
    pub(super) fn collector(&self, place: usize) -> CollectorSnapshot {
        let snapshot = self.snapshot();
        let tenant = tenants(&snapshot)[0];
        tenant.collectors.get(place).unwrap().clone()
    }

    /// Lets time pass until the next poll of the first tenant is due, and waits for its end. Returns which of
    /// the collectors it was.
    pub(super) async fn next_poll(&mut self) -> usize {
        let snapshot = self.snapshot();
        let tenant = tenants(&snapshot)[0];
        let next = tenant.collectors.iter().enumerate();
        let (place, next) = next
            .map(|(place, collector)| (place, collector.next_poll.unwrap()))
            .min_by_key(|(_, next)| *next)
            .unwrap();
        let polls = self.collector(place).polls;
        self.pass_until(next).await;
        self.until(|snapshot| {
            let tenant = tenants(snapshot)[0];
            tenant.collectors.get(place).unwrap().polls > polls
        })
        .await;
        place
    }

    /// The tenants' series at this moment.
    pub(super) fn exposition(&self) -> String {
        render(&self.snapshot(), self.clock.now())
    }
}

impl<U> Drop for Held<U> {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
