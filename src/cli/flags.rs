//! The flags of several commands.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use tokio::net::TcpListener;
use tracing::Level;

use super::outcome::Failed;
use crate::app::Web;
use crate::config::{Config, ConfigFile};
use crate::process::listen::ListenAddress;
use crate::process::logging::Format;
use crate::server::{self, Limits};

/// Flags of several commands; which take them is checked when the command is known.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// The configuration [default: config.yaml]
    #[arg(long = "config.file", value_name = "FILE", global = true)]
    pub(super) config_file: Option<PathBuf>,
    /// Address of the pages; may be given several times [default: :10044]
    #[arg(long = "web.listen-address", value_name = "ADDRESS", global = true)]
    pub(super) listen_addresses: Vec<ListenAddress>,
    /// Path of the metrics [default: /metrics]
    #[arg(long = "web.telemetry-path", value_name = "PATH", value_parser = telemetry_path, global = true)]
    pub(super) telemetry_path: Option<String>,
    /// Scrapes at once; more get 503 [default: 40]
    #[arg(long = "web.max-requests", value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..), global = true)]
    pub(super) max_requests: Option<usize>,
    /// Allow POST /-/reload, which reads the configuration again
    #[arg(long = "web.enable-lifecycle", global = true)]
    pub(super) enable_lifecycle: bool,
    /// The least grave log lines to write: error, warn, info, debug, trace
    #[arg(
        long = "log.level",
        value_name = "LEVEL",
        default_value = "info",
        global = true
    )]
    pub(super) log_level: Level,
    /// How log lines are written
    #[arg(long = "log.format", value_name = "FORMAT", value_enum, default_value_t = Format::Logfmt, global = true)]
    pub(super) log_format: Format,
}

impl Flags {
    /// Reads the configuration.
    pub(super) fn read_config(&self) -> Result<(ConfigFile, Config), Failed> {
        let hint =
            "config.example.yaml shows every key; `avepoint-exporter demo` needs no configuration";
        let wrong = |error| Failed::Usage(anyhow::anyhow!("{error}\n{hint}"));
        let file = ConfigFile::read(self.config_file()).map_err(wrong)?;
        let config = file.parse().map_err(wrong)?;
        Ok((file, config))
    }

    pub(super) fn config_file(&self) -> &Path {
        self.config_file
            .as_deref()
            .unwrap_or(Path::new("config.yaml"))
    }

    pub(super) fn telemetry_path(&self) -> &str {
        self.telemetry_path.as_deref().unwrap_or("/metrics")
    }

    /// Takes all addresses. Returns the first one beside, with the port it got.
    pub(super) async fn bind(&self) -> anyhow::Result<(Vec<TcpListener>, ListenAddress)> {
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

    pub(super) fn web(&self) -> Web {
        Web {
            telemetry_path: self.telemetry_path().to_owned(),
            max_requests: self.max_requests.unwrap_or(40),
            reload: None,
            limits: Limits::default(),
        }
    }
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
