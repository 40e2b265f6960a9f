//! The command line: what was asked for, and what comes of it.

mod assets;
pub mod check;
mod demo;
mod discover;
mod flags;
mod outcome;
mod poll;
mod probe;
mod progress;
mod serve;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use indicatif::MultiProgress;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::demo::{ASK_THE_SIMULATOR, Simulation, demo};
use self::discover::discover;
use self::flags::{ConfigFlags, LogFlags, ServeFlags, WebFlags};
use self::outcome::print;
use self::poll::poll;
use self::probe::Probe;
use self::serve::serve;
use crate::app::Exporter;
use crate::collectors::ASSUMED_USERS;
use crate::config::{Config, warn_if_exposed};
use crate::domain::Clock;
use crate::process::{files, logging, memory};
use crate::state;

pub use self::outcome::Failed;

/// Prometheus exporter for AvePoint Elements: users at risk, users without backup, and users who are both
#[derive(Debug, Parser)]
#[command(name = "avepoint-exporter", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    default: Serve,
    #[command(flatten)]
    log: LogFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Poll and serve the metrics (the default command)
    Serve(Serve),
    /// Validate the configuration and summarize it, without opening a connection
    Check {
        /// Users per listing to assume where the size is unknown
        #[arg(long, value_name = "N", default_value_t = ASSUMED_USERS)]
        assume_users: u64,
        /// Discovered tenants to assume if it is not known which ones the API lists
        #[arg(long, value_name = "N")]
        assume_tenants: Option<u32>,
        #[command(flatten)]
        serve: Serve,
    },
    /// Poll everything once and print the metrics on stdout
    Poll(ConfigFlags),
    /// Ask the API once for all customers and tenants, and print them as `tenants:` of a configuration
    Discover {
        /// Print a table instead
        #[arg(long)]
        table: bool,
        #[command(flatten)]
        config: ConfigFlags,
    },
    /// Run a simulated upstream and an exporter for it in one process
    #[command(after_help = ASK_THE_SIMULATOR)]
    Demo {
        #[command(flatten)]
        simulation: Simulation,
        #[command(flatten)]
        web: WebFlags,
    },
    /// Run only the simulated upstream; print a configuration for it on stdout
    #[command(after_help = ASK_THE_SIMULATOR)]
    Simulate(Simulation),
    /// Ask a running exporter whether it is healthy: exit with 0 if it is, 1 if not
    Probe(Probe),
    /// Write this version's dashboards, rules and runbooks, and an example for Alertmanager
    Assets {
        /// Target directory, created if missing; changed files are kept as NAME.old
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Where the alerts' links to runbooks lead, such as `http://exporter.example.com:10044/runbooks`
        #[arg(long, value_name = "URL", value_parser = assets::runbook_url)]
        runbook_url: Option<Url>,
    },
}

#[derive(Debug, Args)]
struct Serve {
    /// Check the configuration and exit; same as the command `check`
    #[arg(long = "config.check")]
    config_check: bool,
    #[command(flatten)]
    flags: ServeFlags,
}

impl Arguments {
    /// Reads the command line, which begins with the name of the program. Flags before the command mean the same as
    /// those after it; of one that stands on both sides, the latter counts.
    ///
    /// # Errors
    /// What to print instead: help, the version, or which argument is wrong.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut arguments: Vec<_> = arguments.into_iter().collect();
        let are_moved = command_first(&mut arguments);
        let command = Self::command().args_override_self(are_moved);
        Self::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }
}

/// Moves the command before the flags that precede it: clap would take these for the default command's. Returns whether
/// there are such flags.
fn command_first(arguments: &mut [OsString]) -> bool {
    let before = clap::Command::new("before the command").allow_external_subcommands(true);
    let before = LogFlags::augment_args(Serve::augment_args(before));
    // Help and wrong flags stay where they are, for the answer to be the program's and not a command's.
    if let Ok(found) = before.try_get_matches_from(&*arguments)
        && let Some((command, after)) = found.subcommand()
        && Arguments::command().find_subcommand(command).is_some()
    {
        let after = after.get_many::<OsString>("").map_or(0, Iterator::count);
        let place = arguments.len().saturating_sub(after + 1);
        if let Some(flags_and_command) = arguments.get_mut(1..=place) {
            flags_and_command.rotate_right(1);
            return place > 1;
        }
    }
    false
}

/// Does what was asked for, until it is done or the shutdown comes. What deals with an upstream, or is one, runs on the
/// threads of `polling`.
///
/// # Errors
/// What went wrong, and whose fault it is.
pub async fn run(
    arguments: Arguments,
    polling: Handle,
    shutdown: CancellationToken,
) -> Result<(), Failed> {
    let Arguments {
        command,
        default,
        log,
    } = arguments;
    let progress = MultiProgress::new();
    logging::init(log.format, log.level, progress.clone()).context("failed to set up the log")?;
    if let Err(error) = memory::protect() {
        tracing::warn!(
            %error,
            "cannot protect the memory of this process, so a crash could write secrets to a core file; allow prctl and \
             setrlimit"
        );
    }
    if let Err(error) = files::raise_limit() {
        tracing::debug!(%error, "cannot raise the limit of open files");
    }
    match command.unwrap_or(Command::Serve(default)) {
        Command::Serve(Serve {
            config_check: true,
            flags,
        }) => check(&flags, check::Assumed::default()),
        Command::Serve(Serve { flags, .. }) => serve(&flags, polling, shutdown).await,
        Command::Check {
            assume_users: users,
            assume_tenants: tenants,
            serve,
        } => check(&serve.flags, check::Assumed { users, tenants }),
        Command::Poll(config) => poll(&config, &progress, &polling, shutdown).await,
        Command::Discover { table, config } => discover(&config, table, &polling, shutdown).await,
        Command::Demo { simulation, web } => {
            Box::pin(demo(&web, &simulation, &progress, polling, shutdown)).await
        }
        Command::Simulate(simulation) => Ok(simulation.run(&polling, shutdown).await?),
        Command::Probe(probe) => Ok(probe.run().await?),
        Command::Assets { out, runbook_url } => {
            let mut said = String::new();
            for written in assets::write(&out, runbook_url.as_ref())? {
                let _ = writeln!(said, "{written}");
            }
            print(&said)
        }
    }
}

fn check(flags: &ServeFlags, assumed: check::Assumed) -> Result<(), Failed> {
    let (_, config) = flags.config.read()?;
    let lock = flags.web.lock()?;
    // An exporter that runs makes it private by itself.
    if let Some(partner_center) = &config.partner_center {
        warn_if_exposed(&partner_center.refresh_token_file);
    }
    // Without Partner Center, whose refresh token an exporter that runs has locked.
    let checked = Config {
        partner_center: None,
        ..config.clone()
    };
    Exporter::new(&checked, Clock::system()).map_err(Failed::Usage)?;
    let now = Clock::system().now();
    let read = config.state_dir.as_deref();
    let read = read.map_or(Ok(None), |folder| state::read(folder, now));
    let writable = config.state_dir.as_deref().map_or(Ok(()), state::probe);
    let (text, fits) = check::describe(&config, &read, &writable, assumed);
    print(&text)?;
    if let Some(lock) = lock {
        print(&format!("{:<20} {lock}\n", "web configuration"))?;
    }
    if fits {
        Ok(())
    } else {
        Err(Failed::DoesNotFit)
    }
}
