//! The flags of several commands, in the groups in which commands take them.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use tokio::net::TcpListener;
use tracing::Level;

use super::outcome::Failed;
use crate::app::Web;
use crate::config::{CollectorConfig, Config, ConfigFile, Elements};
use crate::process::listen::{InvalidAddress, ListenAddress};
use crate::process::logging::Format;
use crate::process::systemd;
use crate::server::{self, Limits, Lock};

/// Flags of the commands that read the configuration.
#[derive(Debug, Args)]
pub(super) struct ConfigFlags {
    /// Configuration file
    #[arg(
        long = "config.file",
        value_name = "FILE",
        default_value = "config.yaml"
    )]
    pub(super) config_file: PathBuf,
}

/// Flags of the commands that serve pages.
#[derive(Debug, Args)]
pub(super) struct WebFlags {
    /// Listen address; can be repeated
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = ":10044"
    )]
    listen_addresses: Vec<ListenAddress>,
    /// Take the sockets that systemd hands over, in place of --web.listen-address
    #[arg(long = "web.systemd-socket")]
    systemd_socket: bool,
    /// Address for /-/healthy and /-/ready only, in plain HTTP and without a password [default: none]
    #[arg(
        long = "web.probe-listen-address",
        value_name = "ADDRESS",
        default_value = "",
        hide_default_value = true
    )]
    probe_listen_address: OptionalAddress,
    /// Path of the metrics page
    #[arg(long = "web.telemetry-path", value_name = "PATH", value_parser = telemetry_path, default_value = "/metrics")]
    pub(super) telemetry_path: String,
    /// Maximum number of concurrent scrapes; more get 503
    #[arg(long = "web.max-requests", value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..), default_value_t = 40)]
    max_requests: usize,
    /// File with TLS, passwords and headers of the pages, in the format of Prometheus' exporter-toolkit
    #[arg(long = "web.config.file", value_name = "FILE", default_value = "")]
    web_config_file: String,
}

/// Flags that `serve` starts with; `check` checks them.
#[derive(Debug, Args)]
pub(super) struct ServeFlags {
    #[command(flatten)]
    pub(super) config: ConfigFlags,
    #[command(flatten)]
    pub(super) web: WebFlags,
    /// Allow POST /-/reload, which reloads the configuration, and POST /-/poll, which polls one tenant now
    #[arg(long = "web.enable-lifecycle")]
    pub(super) enable_lifecycle: bool,
}

/// Flags of all commands.
#[derive(Debug, Args)]
pub(super) struct LogFlags {
    /// Lowest level to log: error, warn, info, debug, trace
    #[arg(
        long = "log.level",
        value_name = "LEVEL",
        default_value = "info",
        global = true
    )]
    pub(super) level: Level,
    /// Log format
    #[arg(long = "log.format", value_name = "FORMAT", value_enum, default_value_t = Format::Logfmt, global = true)]
    pub(super) format: Format,
}

impl ConfigFlags {
    /// Reads the configuration.
    pub(super) fn read(&self) -> Result<(ConfigFile, Config), Failed> {
        let hint = "see config.example.yaml for every key, or run `avepoint-exporter demo`, which needs no configuration";
        let wrong = |error| Failed::Usage(anyhow::anyhow!("{error}\n{hint}"));
        let file = ConfigFile::read(&self.config_file).map_err(wrong)?;
        let config = file.parse().map_err(wrong)?;
        Ok((file, config))
    }

    /// Reads what discovery needs of the configuration, which may name no tenant yet.
    pub(super) fn read_for_discovery(&self) -> Result<(Elements, CollectorConfig), Failed> {
        let wrong = |error| Failed::Usage(anyhow::anyhow!("{error}"));
        let file = ConfigFile::read(&self.config_file).map_err(wrong)?;
        file.parse_for_discovery().map_err(wrong)
    }
}

/// An address, or an empty text for none.
#[derive(Debug, Clone)]
struct OptionalAddress(Option<ListenAddress>);

impl FromStr for OptionalAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let address = (!text.is_empty()).then(|| text.parse());
        Ok(Self(address.transpose()?))
    }
}

/// The sockets that a command serves on.
pub(super) struct Bound {
    /// For all pages.
    pub(super) pages: Vec<TcpListener>,
    /// For health and readiness alone.
    pub(super) probes: Option<TcpListener>,
    /// What locks the pages, if there is a web configuration.
    pub(super) lock: Option<Arc<Lock>>,
    /// The first address of the pages, with the port it got.
    first: ListenAddress,
}

impl Bound {
    /// Logs each address, and what locks it.
    pub(super) fn log(&self) {
        let address =
            |listener: &TcpListener| listener.local_addr().map(tracing::field::display).ok();
        let lock = self.lock.as_ref();
        for listener in &self.pages {
            tracing::info!(
                address = address(listener),
                tls = lock.is_some_and(|lock| lock.has_tls()),
                http2 = lock.is_some_and(|lock| lock.has_http2()),
                users = lock.map_or(0, |lock| lock.users()),
                "listening"
            );
        }
        if let Some(listener) = &self.probes {
            tracing::info!(address = address(listener), "listening for probes");
        }
    }

    /// The address of a page for a browser on this machine.
    pub(super) fn url(&self, path: &str) -> String {
        let has_tls = self.lock.as_ref().is_some_and(|lock| lock.has_tls());
        self.first.url(has_tls, path)
    }
}

impl WebFlags {
    /// Reads the web configuration, and takes all addresses.
    pub(super) async fn open(&self) -> Result<Bound, Failed> {
        let lock = self.lock()?;
        let (mut pages, mut first) = (Vec::new(), None);
        if self.systemd_socket {
            pages = systemd::sockets()?;
            let address = pages.first().and_then(|socket| socket.local_addr().ok());
            first = address.map(ListenAddress::of);
        } else {
            for address in &self.listen_addresses {
                let listener = bind(address, "--web.listen-address").await?;
                first.get_or_insert_with(|| address.bound(&listener));
                pages.push(listener);
            }
        }
        let probes = match &self.probe_listen_address.0 {
            Some(address) => Some(bind(address, "--web.probe-listen-address").await?),
            None => None,
        };
        Ok(Bound {
            pages,
            probes,
            lock,
            first: first.context("no listen address")?,
        })
    }

    /// Reads the web configuration, if there is one.
    pub(super) fn lock(&self) -> Result<Option<Arc<Lock>>, Failed> {
        if self.web_config_file.is_empty() {
            return Ok(None);
        }
        let lock = Lock::read(self.web_config_file.as_ref());
        let lock = lock.map_err(|error| Failed::Usage(anyhow::anyhow!("{error}")))?;
        Ok(Some(Arc::new(lock)))
    }

    pub(super) fn web(&self, lock: Option<Arc<Lock>>) -> Web {
        Web {
            telemetry_path: self.telemetry_path.clone(),
            max_requests: self.max_requests,
            reload: None,
            limits: Limits::default(),
            lock,
        }
    }
}

/// Takes an address that a flag names.
async fn bind(address: &ListenAddress, flag: &str) -> anyhow::Result<TcpListener> {
    let bound = address.bind().await;
    bound.with_context(|| format!("failed to listen on {address}; see {flag}"))
}

fn telemetry_path(text: &str) -> Result<String, &'static str> {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    if !text.starts_with('/') || !text.chars().all(harmless) {
        return Err("expected a path such as /metrics, of letters, digits, '/', '-', '_' and '.'");
    }
    if server::is_taken(text) {
        return Err("another page uses this path; choose another path");
    }
    Ok(text.to_owned())
}
