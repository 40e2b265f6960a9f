//! The command line: what was asked for, and what comes of it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};
use indicatif::MultiProgress;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::Level;

use crate::app::{Exporter, Web};
use crate::assets;
use crate::check;
use crate::config::{Config, ConfigFile};
use crate::domain::{Clock, PromDuration};
use crate::listen::ListenAddress;
use crate::logging::{self, Format};
use crate::progress::show_first_round;
use crate::server::{self, Limits};
use crate::simulated::{ASK_THE_SIMULATOR, Simulation};
use crate::simulator::{CLIENT_ID, CLIENT_SECRET};
use crate::state;

/// Users taken for the size of each listing by `check`.
const ASSUMED_USERS: u64 = 1000;

/// Prometheus exporter for AvePoint Elements: users at risk, users without backup, and users who are both
#[derive(Debug, Parser)]
#[command(name = "avepoint-exporter", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only check the configuration; the same as the command `check`
    #[arg(long = "config.check", global = true)]
    config_check: bool,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Poll and serve the metrics (the default command)
    Serve,
    /// Read the configuration and say what would run, without any connection
    Check {
        /// Users taken for the size of each listing
        #[arg(long, value_name = "N", default_value_t = ASSUMED_USERS)]
        assume_users: u64,
    },
    /// Poll everything once and print the metrics on stdout
    Poll,
    /// Try it out: a simulated upstream and an exporter for it in one process
    #[command(after_help = ASK_THE_SIMULATOR)]
    Demo(Simulation),
    /// Only the simulated upstream; prints a configuration for it on stdout
    #[command(after_help = ASK_THE_SIMULATOR)]
    Simulate(Simulation),
    /// Write the dashboards, rules and runbooks that go with this version, and an example for Alertmanager
    Assets {
        /// The folder for them, made if it is missing; other files of the same names in it are kept as NAME.old
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Flags of several commands; which take them is checked when the command is known.
#[derive(Debug, Args)]
struct Flags {
    /// The configuration [default: config.yaml]
    #[arg(long = "config.file", value_name = "FILE", global = true)]
    config_file: Option<PathBuf>,
    /// Address of the pages; may be given several times [default: :10044]
    #[arg(long = "web.listen-address", value_name = "ADDRESS", global = true)]
    listen_addresses: Vec<ListenAddress>,
    /// Path of the metrics [default: /metrics]
    #[arg(long = "web.telemetry-path", value_name = "PATH", value_parser = telemetry_path, global = true)]
    telemetry_path: Option<String>,
    /// Scrapes at once; more get 503 [default: 40]
    #[arg(long = "web.max-requests", value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..), global = true)]
    max_requests: Option<usize>,
    /// Allow POST /-/reload, which reads the configuration again
    #[arg(long = "web.enable-lifecycle", global = true)]
    enable_lifecycle: bool,
    /// The least grave log lines to write: error, warn, info, debug, trace
    #[arg(
        long = "log.level",
        value_name = "LEVEL",
        default_value = "info",
        global = true
    )]
    log_level: Level,
    /// How log lines are written
    #[arg(long = "log.format", value_name = "FORMAT", value_enum, default_value_t = Format::Logfmt, global = true)]
    log_format: Format,
}

fn telemetry_path(text: &str) -> Result<String, &'static str> {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    if !text.starts_with('/') || !text.chars().all(harmless) {
        return Err("expected a path such as /metrics, of letters, digits, '/', '-', '_' and '.'");
    }
    if server::is_taken(text) {
        return Err("this path shows something else; choose another");
    }
    Ok(text.to_owned())
}

/// Why the program did not do what was asked for.
#[derive(Debug)]
pub enum Failed {
    /// The arguments or the configuration are wrong.
    Usage(anyhow::Error),
    /// Anything else.
    Other(anyhow::Error),
    /// It did not end when it was told to, so nobody may be listening to why.
    Stuck,
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

/// Does what was asked for, until it is done or the shutdown comes.
///
/// # Errors
/// What went wrong, and whose fault it is.
pub async fn run(arguments: Arguments, shutdown: CancellationToken) -> Result<(), Failed> {
    let Arguments {
        command,
        config_check,
        flags,
    } = arguments;
    let progress = MultiProgress::new();
    logging::init(flags.log_format, flags.log_level, progress.clone())
        .context("failed to set up the log")?;
    let command = match command.unwrap_or(Command::Serve) {
        Command::Serve if config_check => Command::Check {
            assume_users: ASSUMED_USERS,
        },
        command => command,
    };
    flags.refuse_what_is_not_for(&command, config_check)?;
    match command {
        Command::Serve => serve(&flags, shutdown).await,
        Command::Check { assume_users } => {
            let (_, config) = read(flags.config_file())?;
            // Without Partner Center, whose refresh token an exporter that runs has locked.
            let checked = Config {
                partner_center: None,
                ..config.clone()
            };
            Exporter::new(&checked, Clock::system()).map_err(Failed::Usage)?;
            let now = Clock::system().now();
            let read = config.state_dir.as_deref();
            let read = read.map_or(Ok(None), |folder| state::read(folder, now));
            print(&check::describe(&config, &read, assume_users))
        }
        Command::Poll => poll(&flags, &progress, shutdown).await,
        Command::Demo(simulation) => Box::pin(demo(&flags, &simulation, &progress, shutdown)).await,
        Command::Simulate(simulation) => Ok(simulation.run(shutdown).await?),
        Command::Assets { out } => {
            let mut said = String::new();
            for written in assets::write(&out)? {
                let _ = writeln!(said, "{written}");
            }
            print(&said)
        }
    }
}

async fn serve(flags: &Flags, shutdown: CancellationToken) -> Result<(), Failed> {
    // Before all else: one that comes too early must not end the program.
    let mut hangups = signal(SignalKind::hangup()).context("failed to listen for signals")?;
    let (file, config) = read(flags.config_file())?;
    // Before the files of state_dir are touched, which may be those of an exporter that has the address already.
    let (listeners, address) = flags.bind().await?;
    let exporter = Exporter::warm(&config, Clock::system()).map_err(Failed::Usage)?;
    let (exporter, reload) = exporter.reloading(flags.config_file(), file);
    let web = Web {
        reload: flags.enable_lifecycle.then(|| reload.clone()),
        ..flags.web()
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config_file = %flags.config_file().display(),
        listed_tenants = config.tenants.len(),
        metrics = address.url(flags.telemetry_path()),
        "avepoint-exporter serves"
    );
    tokio::spawn(async move {
        // What comes of it is logged where it is done.
        while hangups.recv().await.is_some() {
            let _ = reload.ask().await;
        }
    });
    Box::pin(exporter.run(listeners, web, shutdown)).await?;
    tracing::info!("avepoint-exporter ends");
    Ok(())
}

async fn poll(
    flags: &Flags,
    progress: &MultiProgress,
    shutdown: CancellationToken,
) -> Result<(), Failed> {
    let (_, config) = read(flags.config_file())?;
    let exporter = Exporter::new(&config, Clock::system()).map_err(Failed::Usage)?;
    tokio::spawn(show_first_round(progress.clone(), exporter.snapshots()));
    let settled = exporter.settled();
    let polled = shutdown.run_until_cancelled(exporter.poll_once()).await;
    settled.await;
    let Some(polled) = polled else {
        return Err(Failed::Other(anyhow::anyhow!(
            "interrupted; nothing is printed, since not everything was polled"
        )));
    };
    let (text, failures) = polled?;
    print(&text)?;
    if failures > 0 {
        return Err(Failed::Other(anyhow::anyhow!(
            "{failures} polls failed; see the log above"
        )));
    }
    Ok(())
}

async fn demo(
    flags: &Flags,
    simulation: &Simulation,
    progress: &MultiProgress,
    shutdown: CancellationToken,
) -> Result<(), Failed> {
    let (listeners, address) = flags.bind().await?;
    let folder = tempfile::tempdir().context("failed to make a folder for the refresh token")?;
    let (simulator, config) = simulation
        .start_demo(folder.path(), shutdown.clone())
        .await?;
    let exporter = Exporter::new(&config, Clock::system())?;
    print(&format!(
        "A simulated AvePoint Elements and Partner Center with {} tenants, and an exporter that polls them:\n\n  \
         {:<46} what Prometheus scrapes\n  \
         {:<46} all pages\n  \
         {:<46} the simulated upstream (client id {CLIENT_ID}, client secret {CLIENT_SECRET})\n\n\
         {} Ctrl-C ends both.\n",
        simulator.world().tenants().len(),
        address.url(flags.telemetry_path()),
        address.url("/"),
        simulator.url(),
        match simulation.demo_tick() {
            Some(tick) => format!("The world changes every {}.", PromDuration(tick)),
            None => "The world stands still.".to_owned(),
        },
    ))?;
    tokio::spawn(show_first_round(progress.clone(), exporter.snapshots()));
    Box::pin(exporter.run(listeners, flags.web(), shutdown)).await?;
    Ok(())
}

fn read(path: &Path) -> Result<(ConfigFile, Config), Failed> {
    let hint =
        "config.example.yaml shows every key; `avepoint-exporter demo` needs no configuration";
    let wrong = |error| Failed::Usage(anyhow::anyhow!("{error}\n{hint}"));
    let file = ConfigFile::read(path).map_err(wrong)?;
    let config = file.parse().map_err(wrong)?;
    Ok((file, config))
}

impl Flags {
    /// A flag that its command would not look at is a mistake, and said to be one.
    fn refuse_what_is_not_for(&self, command: &Command, config_check: bool) -> Result<(), Failed> {
        let reads_config = matches!(
            command,
            Command::Serve | Command::Check { .. } | Command::Poll
        );
        // What starts a server is checked with the flags that it is started with.
        let serves = matches!(
            command,
            Command::Serve | Command::Check { .. } | Command::Demo(_)
        );
        let web = [
            ("--web.listen-address", !self.listen_addresses.is_empty()),
            ("--web.telemetry-path", self.telemetry_path.is_some()),
            ("--web.max-requests", self.max_requests.is_some()),
        ];
        let unused = [
            ("--config.file", self.config_file.is_some() && !reads_config),
            (
                "--config.check",
                config_check && !matches!(command, Command::Check { .. }),
            ),
            (
                "--web.enable-lifecycle",
                self.enable_lifecycle && !matches!(command, Command::Serve | Command::Check { .. }),
            ),
        ];
        let unused = unused
            .into_iter()
            .chain(web.map(|(flag, given)| (flag, given && !serves)));
        match unused.into_iter().find(|(_, unused)| *unused) {
            Some((flag, _)) => Err(Failed::Usage(anyhow::anyhow!(
                "{flag} does not go with this command; see --help"
            ))),
            None => Ok(()),
        }
    }

    fn config_file(&self) -> &Path {
        self.config_file
            .as_deref()
            .unwrap_or(Path::new("config.yaml"))
    }

    fn telemetry_path(&self) -> &str {
        self.telemetry_path.as_deref().unwrap_or("/metrics")
    }

    /// Takes all addresses. Returns the first one beside, with the port it got.
    async fn bind(&self) -> anyhow::Result<(Vec<TcpListener>, ListenAddress)> {
        let mut listeners = Vec::new();
        let mut first = None;
        let default = [ListenAddress::on_all(10044)];
        let addresses = if self.listen_addresses.is_empty() {
            &default[..]
        } else {
            &self.listen_addresses
        };
        for address in addresses {
            let listener = address.bind().await.with_context(|| {
                format!("failed to listen on {address}; see --web.listen-address")
            })?;
            first.get_or_insert_with(|| address.bound(&listener));
            listeners.push(listener);
        }
        let first = first.context("there is no address to listen on")?;
        Ok((listeners, first))
    }

    fn web(&self) -> Web {
        Web {
            telemetry_path: self.telemetry_path().to_owned(),
            max_requests: self.max_requests.unwrap_or(40),
            reload: None,
            limits: Limits::default(),
        }
    }
}

fn print(text: &str) -> Result<(), Failed> {
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(written.context("failed to write to stdout")?)
}
