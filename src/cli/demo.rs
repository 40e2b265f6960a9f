//! The simulated upstream as a program: alone (`simulate`), or with an exporter beside it (`demo`).

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use indicatif::MultiProgress;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::flags::WebFlags;
use super::outcome::{Failed, print};
use super::progress::show_first_round;
use crate::app::Exporter;
use crate::config::{Config, Source};
use crate::domain::{Clock, Collector, PromDuration};
use crate::simulator::{
    CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH_TOKEN, Fault, Options, PARTNER_CLIENT_ID,
    PARTNER_CLIENT_SECRET, Rule, Simulator, World,
};

/// A tick of the demo's world.
const DEMO_TICK: Duration = Duration::from_secs(5);

/// The shortest interval that a configuration may have.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// What the simulated upstream can be asked for besides.
pub(super) const ASK_THE_SIMULATOR: &str = "\
Show the requests so far, or raise users of a tenant to high risk:
  curl http://ADDRESS/simulator/stats
  curl --request POST 'http://ADDRESS/simulator/high-risk/TENANT-ID?users=5'";

/// The simulated world and its manners.
#[derive(Debug, Clone, Args)]
pub(super) struct Simulation {
    /// Listen address of the simulated upstream [default: 127.0.0.1:10045; any free port in the demo]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Number of tenants
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one())]
    tenants: usize,
    /// Users per tenant, on average
    #[arg(long, value_name = "N", default_value_t = 500)]
    users: usize,
    /// Seed of the simulated data; the same seed gives the same data
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Delay before each response
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    latency: PromDuration,
    /// Maximum number of rows per page of the simulated upstream
    #[arg(long, value_name = "ROWS", default_value_t = 100, value_parser = at_least_one())]
    page_limit: usize,
    #[arg(long, value_name = "NAME[:N][@TENANT],...", value_delimiter = ',', help = faults_help())]
    faults: Vec<Rule>,
    /// Interval between small changes of the simulated data, 0s for never [default: never; 5s in the demo]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "5s")]
    evolve: Option<PromDuration>,
    /// Time after which faults and changes of the data stop [default: never]
    #[arg(long, value_name = "DURATION")]
    calm_after: Option<PromDuration>,
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

fn faults_help() -> String {
    let names: Vec<_> = Fault::ALL
        .iter()
        .map(|fault| format!("{fault}:{}", fault.usual_rate()))
        .collect();
    format!(
        "Inject a fault into every Nth request (default N shown), or with @TENANT-ID only into that tenant's requests: \
         {}",
        names.join(", ")
    )
}

impl Simulation {
    /// A tick of the world, unless it stands still.
    fn tick(&self, default: Option<Duration>) -> Option<Duration> {
        let tick = self.evolve.map(|tick| tick.0).or(default);
        tick.filter(|tick| !tick.is_zero())
    }

    /// A tick of the demo's world, which moves unless it is told not to.
    fn demo_tick(&self) -> Option<Duration> {
        self.tick(Some(DEMO_TICK))
    }

    /// Starts the simulated upstream on the threads of `polling`, at this port unless the flags name an address.
    async fn start(
        &self,
        default_port: u16,
        tick: Option<Duration>,
        polling: &Handle,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Simulator> {
        let default = SocketAddr::from(([127, 0, 0, 1], default_port));
        let address = self.listen.unwrap_or(default);
        let options = Options {
            rules: self.faults.clone(),
            latency: self.latency.0,
            page_limit: self.page_limit,
            evolve: tick,
            calm_after: self.calm_after.map(|calm| calm.0),
            shutdown,
            ..Options::new(World::seeded(self.seed, self.tenants, self.users))
        };
        let started = polling.spawn(async move {
            let listener = TcpListener::bind(address).await;
            let listener = listener.with_context(|| {
                format!("failed to listen on {address}; choose another with --listen")
            })?;
            Simulator::start(listener, options).context("failed to start the simulated upstream")
        });
        started
            .await
            .context("bug in the exporter; please report it")?
    }

    /// Serves the simulated upstream until the shutdown. Prints a configuration for it on stdout.
    ///
    /// # Errors
    /// When the address is taken.
    pub(super) async fn run(
        &self,
        polling: &Handle,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let tick = self.tick(None);
        let simulator = self.start(10045, tick, polling, shutdown.clone()).await?;
        let text = format!(
            "# For the simulated AvePoint Elements at {}, which stops with its process. To poll it once:\n\
             #   avepoint-exporter poll --config.file=<file with this text>\n{}",
            simulator.url(),
            config_text(&simulator),
        );
        // Who reads it may have gone after the first lines.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
        shutdown.cancelled().await;
        Ok(())
    }

    /// Starts an evolving upstream, and returns it with a configuration that has all collectors on. The
    /// configuration's refresh token is kept in `folder`.
    ///
    /// # Errors
    /// When the address is taken, or the folder cannot be written to.
    async fn start_demo(
        &self,
        folder: &Path,
        polling: &Handle,
        shutdown: CancellationToken,
    ) -> anyhow::Result<(Simulator, Config)> {
        let simulator = self.start(0, self.demo_tick(), polling, shutdown).await?;
        write_private(&folder.join(REFRESH_TOKEN_FILE), FIRST_REFRESH_TOKEN)
            .context("failed to write the demo's refresh token")?;
        let text = elements_text(&simulator)
            + &partner_center_text(&simulator)
            + &demo_collectors(self.demo_tick().unwrap_or(DEMO_TICK));
        let source = Source {
            name: "the demo's configuration",
            base_dir: folder,
            env: &|_| None,
            now: Clock::system().now(),
        };
        let config = Config::parse(&text, &source)?;
        Ok((simulator, config))
    }
}

/// Serves the simulated upstream and an exporter for it until the shutdown.
pub(super) async fn demo(
    web: &WebFlags,
    simulation: &Simulation,
    progress: &MultiProgress,
    polling: Handle,
    shutdown: CancellationToken,
) -> Result<(), Failed> {
    let bound = web.open().await?;
    let folder =
        tempfile::tempdir().context("failed to create a directory for the refresh token")?;
    let (simulator, config) = simulation
        .start_demo(folder.path(), &polling, shutdown.clone())
        .await?;
    let exporter = Exporter::new(&config, Clock::system())?;
    bound.log();
    print(&format!(
        "A simulated AvePoint Elements and Partner Center with {} tenants, and an exporter that polls them:\n\n  \
         {:<46} the metrics for Prometheus\n  \
         {:<46} all pages\n  \
         {:<46} the simulated upstream (client id {CLIENT_ID}, client secret {CLIENT_SECRET})\n\n\
         {} Press Ctrl-C to stop both.\n",
        simulator.world().tenants().len(),
        bound.url(&web.telemetry_path),
        bound.url("/"),
        simulator.url(),
        match simulation.demo_tick() {
            Some(tick) => format!("The simulated data changes every {}.", PromDuration(tick)),
            None => "The simulated data does not change.".to_owned(),
        },
    ))?;
    tokio::spawn(show_first_round(progress.clone(), exporter.snapshots()));
    let exporter = exporter.probed_on(bound.probes);
    Box::pin(exporter.run(bound.pages, web.web(bound.lock), polling, shutdown)).await?;
    Ok(())
}

/// Writes a new file that only its owner can read.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    file.write_all(text.as_bytes())
}

/// The demo polls whenever its world has changed a little, so that its graphs move; often in any case.
fn demo_collectors(tick: Duration) -> String {
    let interval =
        |ticks: u32| PromDuration((tick * ticks).clamp(SHORTEST_INTERVAL, DEMO_TICK * ticks));
    let (often, seldom) = (interval(3), interval(6));
    let mut text = format!("discovery: {{ enabled: true, interval: {seldom} }}\ncollectors:\n");
    for collector in Collector::configured() {
        let is_frequent = collector.default_interval() < FREQUENT;
        let interval = if is_frequent { often } else { seldom };
        let _ = writeln!(
            text,
            "  {collector}: {{ enabled: true, interval: {interval} }}"
        );
    }
    text
}

/// The demo polls listings more often than others whose interval is shorter than this by default.
const FREQUENT: Duration = Duration::from_mins(10);

/// No limit to speak of: the upstream is in the same machine.
const RATE_LIMIT: &str = "{ requests_per_second: 10000, burst: 1000, max_concurrent_requests: 16 }";

/// Where the demo keeps its refresh token.
const REFRESH_TOKEN_FILE: &str = "partner-center.token";

/// How an exporter reaches this upstream's Elements.
fn elements_text(simulator: &Simulator) -> String {
    format!(
        "elements:\n  api_url: {}\n  token_url: {}\n  client_id: {CLIENT_ID}\n  client_secret: {CLIENT_SECRET}\n  \
         rate_limit: {RATE_LIMIT}\n",
        simulator.url(),
        simulator.token_url(),
    )
}

/// How an exporter reaches this upstream's Partner Center.
fn partner_center_text(simulator: &Simulator) -> String {
    format!(
        "partner_center:\n  api_url: {}\n  token_url: {}\n  client_id: {PARTNER_CLIENT_ID}\n  \
         client_secret: {PARTNER_CLIENT_SECRET}\n  refresh_token_file: {REFRESH_TOKEN_FILE}\n  \
         rate_limit: {RATE_LIMIT}\n",
        simulator.partner_api_url(),
        simulator.partner_token_url(),
    )
}

/// A configuration for this upstream that works as it is, and what to add for the rest.
fn config_text(simulator: &Simulator) -> String {
    let mut text = elements_text(simulator);
    let _ = writeln!(
        text,
        "# To enable all collectors and discovery, remove the # below and write {FIRST_REFRESH_TOKEN} into \
         {REFRESH_TOKEN_FILE}."
    );
    let off = Collector::configured().filter(|one| !one.is_on_by_default());
    let off: Vec<_> = off
        .map(|one| format!("{one}: {{ enabled: true }}"))
        .collect();
    let off = off.join(", ");
    let rest = format!("collectors: {{ {off} }}\ndiscovery: {{ enabled: true }}\n");
    for line in (rest + &partner_center_text(simulator)).lines() {
        let _ = writeln!(text, "#{line}");
    }
    text.push_str("tenants:\n");
    for tenant in simulator.world().tenants() {
        // A JSON string is a YAML string, whatever is in it.
        let quoted = |name: &str| serde_json::Value::from(name);
        let _ = writeln!(
            text,
            "  - {{ customer_id: {}, tenant_id: {}, customer_name: {}, tenant_name: {} }}",
            tenant.customer_id,
            tenant.tenant_id,
            quoted(&tenant.customer_name),
            quoted(&tenant.tenant_name),
        );
    }
    text
}
