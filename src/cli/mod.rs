//! The command line: what was asked for, and what comes of it.

mod assets;
pub mod check;
mod demo;
mod flags;
mod outcome;
mod poll;
mod progress;
mod serve;

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use indicatif::MultiProgress;
use tokio_util::sync::CancellationToken;

use self::demo::{ASK_THE_SIMULATOR, Simulation, demo};
use self::flags::Flags;
use self::outcome::print;
use self::poll::poll;
use self::serve::serve;
use crate::app::Exporter;
use crate::config::Config;
use crate::domain::Clock;
use crate::process::logging;
use crate::state;

pub use self::outcome::Failed;

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
            let (_, config) = flags.read_config()?;
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
}
