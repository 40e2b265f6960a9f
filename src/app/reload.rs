//! Puts the first configuration in force, and each later one that is read while the exporter runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prometheus::{
    Gauge, IntGauge, Registry, register_gauge_with_registry, register_int_gauge_with_registry,
};
use tokio::sync::{mpsc, watch};
use tokio::task;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::subscriber::NoSubscriber;

use crate::collectors;
use crate::config::{CollectorConfig, Config, ConfigFile};
use crate::domain::{Clock, Timestamp};
use crate::process::systemd;
use crate::scheduler::InForce;
use crate::server::Asked;
use crate::troubles::Trouble;
use crate::upstream::{Client, Clients, RefreshTokenFile, Shared, Stats};

/// The time between two looks at the files of secrets.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// What the service manager shows of an exporter at work.
pub(super) const SERVES: &str = "polling and serving";

/// What it shows after a reload that failed.
const REFUSED: &str =
    "the last reload failed, see the log; the previous configuration stays in force";

/// Puts configurations in force: the first one, and each later one that is read when somebody asks for it or when files
/// that the text names have changed. One reading follows the other, and one that fails changes nothing.
#[derive(Debug)]
pub(super) struct Reloader {
    in_force: watch::Sender<Arc<InForce>>,
    shared: Shared,
    /// What is in force, for people.
    text: watch::Sender<Arc<str>>,
    /// When what is in force was read.
    read_at: watch::Sender<Timestamp>,
    successful: IntGauge,
    succeeded_at: Gauge,
    /// Why the file was refused when it was last read.
    refused: Option<String>,
    /// The text that was refused then. A file that it names may have been the reason, so it is tried again.
    again: Option<Arc<ConfigFile>>,
    /// Why the text in force was refused with the files that it names as they are now.
    files_refused: Option<String>,
    /// Whether one of these files was missing at the last look.
    is_missing: bool,
}

/// What has become of the files that the configuration names.
enum Seen {
    AsRead,
    /// With the names of those that have changed.
    Changed(Box<Config>, String),
    Missing(PathBuf),
}

impl Reloader {
    /// Puts the first configuration in force.
    ///
    /// # Errors
    /// When TLS or the proxy cannot be set up as configured; when the registry holds the same series already.
    pub(super) fn new(
        config: &Config,
        stats: Stats,
        clock: Clock,
        registry: &Registry,
    ) -> anyhow::Result<Self> {
        let successful = register_int_gauge_with_registry!(
            "avepoint_exporter_config_last_reload_successful",
            "1 if the last read configuration and its files were accepted, 0 if not.",
            registry
        )?;
        successful.set(1);
        let succeeded_at = register_gauge_with_registry!(
            "avepoint_exporter_config_last_reload_success_timestamp_seconds",
            "Time at which the configuration in force was read, in seconds since the Unix epoch.",
            registry
        )?;
        let now = clock.now();
        succeeded_at.set(now.as_secs_f64());
        let shared = Shared::new(stats, clock);
        let clients = build_clients(config, None, &shared)?;
        let config = config.clone();
        Ok(Self {
            text: watch::Sender::new(Arc::clone(&config.text)),
            in_force: watch::Sender::new(Arc::new(InForce {
                config,
                clients,
                reloads: 0,
            })),
            shared,
            successful,
            succeeded_at,
            refused: None,
            again: None,
            read_at: watch::Sender::new(now),
            files_refused: None,
            is_missing: false,
        })
    }

    /// The configuration in force as YAML without secrets, now and later.
    pub(super) fn text(&self) -> watch::Receiver<Arc<str>> {
        self.text.subscribe()
    }

    /// When the configuration in force was read, now and later.
    pub(super) fn read_at(&self) -> watch::Receiver<Timestamp> {
        self.read_at.subscribe()
    }

    /// The configuration in force and its clients, now and later.
    pub(super) fn in_force(&self) -> watch::Receiver<Arc<InForce>> {
        self.in_force.subscribe()
    }

    /// Reads the file at this path again whenever somebody asks for it, and looks at the files that its text names every
    /// [`LOOK_EVERY`]. `file` is the text in force.
    pub(super) async fn run(
        mut self,
        path: &Path,
        file: ConfigFile,
        mut asked: mpsc::Receiver<Asked>,
    ) {
        let mut file = Arc::new(file);
        let mut looks = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(asked) = asked.recv() => {
                    let outcome = self.reload(path).await;
                    let outcome = outcome.map(|read| file = read);
                    // The receiver may be gone by now.
                    let _ = asked.send(outcome);
                }
                _ = looks.tick() => {
                    if let Some(accepted) = self.try_again().await {
                        file = accepted;
                    }
                    self.look(&file).await;
                }
            }
        }
    }

    /// Shows whether the texts and files that were read last are all in force.
    fn show(&self) {
        let error = self.refused.as_ref().or(self.files_refused.as_ref());
        self.successful.set(error.is_none().into());
        let troubles = &self.shared.stats.troubles;
        match error {
            Some(error) => {
                let now = self.shared.clock.now();
                troubles.begin(Trouble::Reload, "configuration", "", error.clone(), now);
            }
            None => {
                troubles.end(Trouble::Reload, "configuration");
            }
        }
    }

    /// Reads the file and the files that it names, puts them in force, and returns the text.
    async fn reload(&mut self, path: &Path) -> Result<Arc<ConfigFile>, String> {
        systemd::reloading();
        let path = path.to_owned();
        let read = blocking(move || Ok(Arc::new(ConfigFile::read(&path)?))).await;
        self.again = read.as_ref().ok().cloned();
        let outcome = match &read {
            Ok(file) => {
                let file = Arc::clone(file);
                self.load(move || Ok(file.parse()?)).await
            }
            Err(error) => Err(error.clone()),
        };
        if let Err(error) = &outcome {
            tracing::error!(
                error,
                "failed to reload the configuration; the previous one stays in force"
            );
        }
        self.refused = outcome.as_ref().err().cloned();
        self.show();
        systemd::ready(if outcome.is_ok() { SERVES } else { REFUSED });
        outcome.and(read)
    }

    /// Puts the text that was refused at the last reload in force, if it is right by now, and returns it.
    async fn try_again(&mut self) -> Option<Arc<ConfigFile>> {
        let file = Arc::clone(self.again.as_ref()?);
        let text = Arc::clone(&file);
        // What it would warn of was said at the reload.
        let quietly =
            move || tracing::subscriber::with_default(NoSubscriber::new(), || text.parse());
        self.load(move || Ok(quietly()?)).await.ok()?;
        self.refused = None;
        self.show();
        systemd::ready(SERVES);
        Some(file)
    }

    /// Parses a text that somebody asked for, and puts it in force.
    async fn load(
        &mut self,
        parse: impl FnOnce() -> anyhow::Result<Config> + Send + 'static,
    ) -> Result<(), String> {
        let config = blocking(parse).await?;
        let listed_tenants = config.tenants.len();
        self.put_in_force(config, true)?;
        self.again = None;
        tracing::info!(listed_tenants, "configuration reloaded");
        Ok(())
    }

    /// Puts the text in force again with the files that it names, when these have changed. A file may be missing while
    /// somebody replaces it, but not at two looks: the exporter could not start again.
    async fn look(&mut self, file: &Arc<ConfigFile>) {
        let in_force = Arc::clone(&self.in_force.borrow());
        let file = Arc::clone(file);
        let was_missing = std::mem::take(&mut self.is_missing);
        let read = blocking(move || {
            let changed = in_force.config.changed_files();
            let changed: Vec<_> = changed.map(|path| path.display().to_string()).collect();
            if !changed.is_empty() {
                return Ok(Seen::Changed(Box::new(file.parse()?), changed.join(", ")));
            }
            Ok(match in_force.config.missing_file() {
                None => Seen::AsRead,
                Some(path) => Seen::Missing(path.to_owned()),
            })
        });
        let outcome = read.await.and_then(|seen| match seen {
            Seen::AsRead => Ok(None),
            Seen::Changed(config, files) => self.put_in_force(*config, false).map(|()| Some(files)),
            Seen::Missing(path) => {
                self.is_missing = true;
                Err(format!("{} is missing; put it back", path.display()))
            }
        });
        match outcome {
            Ok(changed) => {
                if let Some(files) = changed {
                    tracing::info!(
                        files,
                        "changed files named in the configuration are now in force"
                    );
                }
                if self.files_refused.take().is_some() {
                    tracing::info!("files named in the configuration are accepted again");
                }
            }
            Err(_) if self.is_missing && !was_missing => {}
            // Said once, and not at each look.
            Err(error) if self.files_refused.as_ref() == Some(&error) => {}
            Err(error) => {
                tracing::error!(
                    error,
                    "refused changed files named in the configuration; the previous ones stay in force"
                );
                self.files_refused = Some(error);
            }
        }
        self.show();
    }

    fn put_in_force(&mut self, config: Config, is_asked_for: bool) -> Result<(), String> {
        let before = Arc::clone(&self.in_force.borrow());
        let clients = build_clients(&config, Some(&before), &self.shared)
            .map_err(|error| format!("{error:#}"))?;
        let is_kept = |old: &Arc<Client>| clients.all().any(|new| Arc::ptr_eq(old, new));
        let replaced = before.clients.all().filter(|old| !is_kept(old));
        replaced.for_each(|client| client.retire());
        if before.clients.partner_center.is_some() && clients.partner_center.is_none() {
            self.shared.stats.end_partner_center();
        }
        self.text.send_replace(Arc::clone(&config.text));
        self.in_force.send_replace(Arc::new(InForce {
            config,
            clients,
            reloads: before.reloads + u64::from(is_asked_for),
        }));
        let now = self.shared.clock.now();
        self.succeeded_at.set(now.as_secs_f64());
        self.read_at.send_replace(now);
        self.files_refused = None;
        Ok(())
    }
}

/// Does what waits for the disk, beside the other tasks.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> Result<T, String> {
    match task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(|error| format!("{error:#}")),
        // The panic itself was logged where it happened.
        Err(_) => Err("bug in the exporter; please report it".to_owned()),
    }
}

/// The clients for a configuration. Those that are in force stay, with their access tokens and their place in the
/// rate limit, where the configuration changes nothing for them.
fn build_clients(
    config: &Config,
    before: Option<&InForce>,
    shared: &Shared,
) -> anyhow::Result<Clients> {
    let needed = collectors::permissions(config);
    let same_elements = before.filter(|before| before.config.elements == config.elements);
    let elements = match same_elements {
        Some(before) if collectors::permissions(&before.config) == needed => {
            Arc::clone(&before.clients.elements)
        }
        _ => Client::elements(&config.elements, &needed, shared)?,
    };
    let (mut partner_center, mut refresh_token) = (None, None);
    if let Some(settings) = config.asked_partner_center() {
        let kept = before.and_then(|before| before.clients.refresh_token.as_ref());
        let file = RefreshTokenFile::keep_or_open(kept, settings)?;
        let same = same_elements
            .filter(|before| {
                let known = before.config.partner_center.as_ref();
                known.is_some_and(|known| known.is_same_client(settings))
            })
            .and_then(|before| before.clients.partner_center.clone());
        partner_center = Some(match same {
            Some(client) => client,
            None => Client::partner_center(settings, &config.elements, Arc::clone(&file), shared)?,
        });
        refresh_token = Some(file);
    }
    pause_at_most_an_interval(config, &elements);
    if let Some(client) = &partner_center {
        pause_at_most_an_interval(config, client);
    }
    Ok(Clients {
        elements,
        partner_center,
        refresh_token,
    })
}

/// An API that asks to be left alone with a tenant is asked again when the next poll is due, however much longer it
/// wanted that: the figures would be gone by then.
fn pause_at_most_an_interval(config: &Config, client: &Client) {
    let asks = |one: &&CollectorConfig| {
        let collector = one.kind.collector();
        collector.api() == client.api() && !collector.is_discovery()
    };
    let intervals = config.collectors().filter(asks).map(|one| one.interval);
    client.pause_at_most(intervals.min().unwrap_or(Duration::MAX));
}

#[cfg(test)]
mod tests;
