//! An exporter that is watched by a Prometheus, and what both say of a failure.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use avepoint_exporter::bundle::RUNBOOKS;
use avepoint_exporter::simulator::{CLIENT_ID, CLIENT_SECRET, Options, Rule, Simulator, World};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::http::get;
use crate::program::{Program, exporter, until};
use crate::prometheus::{Alert, Prometheus};

/// So many scenes at once leave each of them fast enough.
static ROOM: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(8));

/// What is said of a failure.
pub(super) struct Told {
    /// Words of one line of the log.
    pub(super) log: &'static [&'static str],
    /// A query with a result while it lasts.
    pub(super) metric: &'static str,
    /// The trouble in the status, and words of its cause.
    pub(super) trouble: (&'static str, &'static [&'static str]),
    /// Words of its next step.
    pub(super) next_step: &'static str,
    /// The alert about the same, its severity and words of its text.
    pub(super) alert: (&'static str, &'static str, &'static str),
    /// Words of the step in its runbook.
    pub(super) runbook: &'static str,
}

/// A simulated upstream with so many small tenants and these rules.
pub(super) async fn upstream(tenants: usize, rules: Vec<Rule>) -> Simulator {
    let mut options = Options::new(World::seeded(1, tenants, 20));
    options.rules = rules;
    simulator(options).await
}

pub(super) async fn simulator(options: Options) -> Simulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Simulator::start(listener, options).unwrap()
}

/// An address of loopback where nobody listens.
pub(super) fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The section `elements` for this upstream, with deadlines that a test can wait for, and with these lines, which may
/// replace others.
pub(super) fn elements(upstream: &Simulator, lines: &[(&str, &str)]) -> String {
    let mut keys = vec![
        ("api_url", upstream.url()),
        ("token_url", upstream.token_url()),
        ("client_id", CLIENT_ID.to_owned()),
        ("client_secret_file", "elements.secret".to_owned()),
        ("timeout", "1s".to_owned()),
        ("retry_deadline", "1s".to_owned()),
        (
            "rate_limit",
            "{ requests_per_second: 100, burst: 100 }".to_owned(),
        ),
    ];
    for (key, value) in lines {
        keys.retain(|(known, _)| known != key);
        if !value.is_empty() {
            keys.push((key, (*value).to_owned()));
        }
    }
    let lines = keys
        .iter()
        .map(|(key, value)| format!("  {key}: {value}\n"));
    format!("elements:\n{}", lines.collect::<String>())
}

/// Collectors that poll each second, and the tenants of the upstream.
pub(super) fn tenants(upstream: &Simulator) -> String {
    let tenants = upstream.world().tenants().iter();
    let tenants = tenants.map(|one| {
        format!(
            "  - {{ customer_id: {}, tenant_id: {}, customer_name: \"{}\", tenant_name: {} }}\n",
            one.customer_id, one.tenant_id, one.customer_name, one.tenant_name
        )
    });
    format!("{EVERY_SECOND}tenants:\n{}", tenants.collect::<String>())
}

/// A configuration for this upstream and all its tenants; see [`elements`].
pub(super) fn config(upstream: &Simulator, lines: &[(&str, &str)]) -> String {
    elements(upstream, lines) + &tenants(upstream)
}

pub(super) const EVERY_SECOND: &str = "collectors:\n  security_users: { interval: 1s, stale_after: 5s }\n  \
                                       protected_users: { interval: 1s, stale_after: 5s }\n";

/// A folder with a configuration and the right secret.
pub(super) fn folder(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yaml"), config).unwrap();
    write_private(&folder.path().join("elements.secret"), CLIENT_SECRET);
    folder
}

pub(super) fn write_private(file: &PathBuf, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
}

/// A running exporter and its Prometheus.
pub(super) struct Scene {
    pub(super) folder: TempDir,
    pub(super) program: Program,
    pub(super) address: String,
    pub(super) prometheus: Prometheus,
    _room: SemaphorePermit<'static>,
}

impl Scene {
    pub(super) async fn start(config: &str) -> Self {
        Self::start_in(folder(config)).await
    }

    pub(super) async fn start_in(folder: TempDir) -> Self {
        let room = ROOM.acquire().await.unwrap();
        let (program, address) = serve(&folder, "127.0.0.1:0").await;
        let prometheus = Prometheus::start(std::slice::from_ref(&address), None).await;
        Self {
            folder,
            program,
            address,
            prometheus,
            _room: room,
        }
    }

    /// The same for an exporter that does not start: at most a Prometheus that finds nobody.
    pub(super) async fn alone(address: &str) -> (Prometheus, SemaphorePermit<'static>) {
        let room = ROOM.acquire().await.unwrap();
        let address = address.to_owned();
        let prometheus = Prometheus::start(std::slice::from_ref(&address), None).await;
        (prometheus, room)
    }

    pub(super) async fn status(&self) -> Value {
        let answer = get(&self.address, "/api/v1/status").await;
        serde_json::from_str(&answer.text()).unwrap()
    }

    /// Waits until all places say what they should of a failure.
    pub(super) async fn tells(&self, told: &Told) {
        until(
            &format!("a line of the log with {:?}", told.log),
            async || {
                let log = self.program.stderr();
                let mut lines = log.lines();
                let has = |line: &str| told.log.iter().all(|words| line.contains(words));
                lines.any(has).then_some(())
            },
        )
        .await;
        until(told.metric, async || {
            let found = self.prometheus.query(told.metric).await;
            (!found.is_empty()).then_some(())
        })
        .await;
        let (kind, words) = told.trouble;
        let trouble = until(&format!("the trouble {kind} with {words:?}"), async || {
            let status = self.status().await;
            let mut troubles = status["troubles"].as_array()?.iter();
            let is_it = |one: &&Value| {
                let cause = one["cause"].as_str().unwrap();
                one["trouble"] == kind && words.iter().all(|words| cause.contains(words))
            };
            troubles.find(is_it).cloned()
        })
        .await;
        let step = trouble["next_step"].as_str().unwrap();
        assert!(step.contains(told.next_step), "{trouble:#}");
        let alert = alerts(&self.prometheus, told.alert, told.runbook).await;
        assert_eq!(trouble["alert"], alert.labels["alertname"], "{trouble:#}");
        assert_eq!(trouble["severity"], alert.labels["severity"], "{trouble:#}");
        let runbook = get(&self.address, trouble["runbook"].as_str().unwrap()).await;
        assert_eq!(runbook.status, 200);
        assert!(runbook.text().contains(told.runbook), "{}", told.runbook);
    }

    /// Waits until nothing is wrong any more.
    pub(super) async fn is_well(&self) {
        until("the end of all troubles", async || {
            let status = self.status().await;
            status["troubles"].as_array()?.is_empty().then_some(())
        })
        .await;
    }
}

/// Waits for the alert, whose text and runbook say what they should.
pub(super) async fn alerts(
    prometheus: &Prometheus,
    (name, severity, words): (&str, &str, &str),
    step: &str,
) -> Alert {
    let alert = until(&format!("the alert {name} with {words:?}"), async || {
        let alerts = prometheus.firing().await.into_iter();
        alerts
            .filter(|alert| {
                alert.labels["alertname"] == name && alert.labels["severity"] == severity
            })
            .find(|alert| {
                let texts = ["summary", "description"].map(|key| &alert.annotations[key]);
                texts.iter().any(|text| text.contains(words))
            })
    })
    .await;
    let (_, file) = alert.annotations["runbook_url"].rsplit_once('/').unwrap();
    let runbook = RUNBOOKS.file(file).unwrap();
    assert!(runbook.text.contains(step), "{file}: {step}");
    alert
}

/// An exporter that does not run is missed, and the runbook says where to look.
pub(super) async fn exporter_down(prometheus: &Prometheus, step: &str) {
    let alert = (
        "AvePointExporterDown",
        "critical",
        "no AvePoint exporter is scraped",
    );
    alerts(prometheus, alert, step).await;
}

/// Starts `serve` in this folder. Returns it with its address, as its log has it.
pub(super) async fn serve(folder: &TempDir, address: &str) -> (Program, String) {
    let program = start(folder, &[&format!("--web.listen-address={address}")]);
    let address = until("the log to say where it serves", async || {
        let text = program.stderr();
        let (_, rest) = text.split_once("metrics=http://")?;
        let (address, _) = rest.split_once("/metrics")?;
        Some(address.to_owned())
    })
    .await;
    (program, address)
}

pub(super) fn start(folder: &TempDir, arguments: &[&str]) -> Program {
    let mut command = exporter(arguments);
    command.current_dir(folder.path());
    Program::start(&mut command)
}
