//! What the tests share: a simulator on loopback, a configuration for it, and a reader of expositions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use avepoint_exporter::app::Exporter;
use avepoint_exporter::config::{Config, Source};
use avepoint_exporter::domain::{Clock, TenantId, Timestamp};
use avepoint_exporter::simulator::{
    CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH_TOKEN, Options, PARTNER_CLIENT_ID,
    PARTNER_CLIENT_SECRET, Simulator, Tenant,
};
use proptest::test_runner::{Config as Cases, RngSeed};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// How many random cases a property is tried with. They are the same ones at each run, unless `PROPTEST_RNG_SEED`
/// or `PROPTEST_CASES` asks for others or more.
pub(crate) fn cases(usual: u32) -> Cases {
    let asked = Cases::default();
    Cases {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() {
            asked.cases
        } else {
            usual
        },
        rng_seed: match asked.rng_seed {
            RngSeed::Random => RngSeed::Fixed(0xa7e9_0147),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        // The seed brings a failure back.
        failure_persistence: None,
        max_shrink_iters: 10_000,
        max_shrink_time: 60_000,
        ..asked
    }
}

/// Starts a simulated upstream on a free port of loopback.
pub(crate) async fn simulator(options: Options) -> Simulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Simulator::start(listener, options).unwrap()
}

/// A configuration for all tenants of the simulated upstream. `elements` are more lines of that section
/// (each begins with two spaces), `sections` more sections.
pub(crate) fn config_text(simulator: &Simulator, elements: &str, sections: &str) -> String {
    config_text_for(simulator, simulator.world().tenants(), elements, sections)
}

fn config_text_for(
    simulator: &Simulator,
    tenants: &[Tenant],
    elements: &str,
    sections: &str,
) -> String {
    let mut text = format!(
        "elements:\n  api_url: {}\n  token_url: {}\n  client_id: {CLIENT_ID}\n  client_secret: {CLIENT_SECRET}\n{elements}{sections}tenants:\n",
        simulator.url(),
        simulator.token_url(),
    );
    for tenant in tenants {
        writeln!(
            text,
            "  - {{ customer_id: {}, tenant_id: {} }}",
            tenant.customer_id, tenant.tenant_id
        )
        .unwrap();
    }
    text
}

/// The same, read.
pub(crate) fn config(simulator: &Simulator, elements: &str, sections: &str) -> Config {
    config_for(simulator, simulator.world().tenants(), elements, sections)
}

/// The same for these tenants.
pub(crate) fn config_for(
    simulator: &Simulator,
    tenants: &[Tenant],
    elements: &str,
    sections: &str,
) -> Config {
    let fast = "  rate_limit: { requests_per_second: 10000, burst: 1000 }\n";
    let elements = if elements.contains("rate_limit") {
        elements.to_owned()
    } else {
        format!("{fast}{elements}")
    };
    let text = config_text_for(simulator, tenants, &elements, sections);
    let source = Source {
        name: "test.yaml",
        base_dir: Path::new("."),
        env: &|_| None,
        now: Timestamp::default(),
    };
    Config::parse(&text, &source).unwrap()
}

/// A sign-in to the simulated Partner Center. One exporter at a time may use it, as its refresh token's file is
/// locked; the file ends with it.
pub(crate) struct PartnerSignIn {
    /// The section of the configuration.
    pub(crate) section: String,
    /// Where the refresh token is kept.
    pub(crate) file: PathBuf,
    _folder: TempDir,
}

impl PartnerSignIn {
    pub(crate) fn to(simulator: &Simulator) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("refresh-token");
        std::fs::write(&file, FIRST_REFRESH_TOKEN).unwrap();
        // Else the exporter warns of it.
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let section = format!(
            "partner_center:\n  client_id: {PARTNER_CLIENT_ID}\n  client_secret: {PARTNER_CLIENT_SECRET}\n  \
             api_url: {}\n  token_url: {}\n  refresh_token_file: {}\n  \
             rate_limit: {{ requests_per_second: 10000, burst: 1000 }}\n",
            simulator.partner_api_url(),
            simulator.partner_token_url(),
            file.display(),
        );
        Self {
            section,
            file,
            _folder: folder,
        }
    }
}

/// Polls everything once and reads the exposition.
pub(crate) async fn poll(config: &Config) -> Exposition {
    poll_by(config, Clock::system()).await
}

/// The same by this clock.
pub(crate) async fn poll_by(config: &Config, clock: Clock) -> Exposition {
    let (text, _) = Exporter::new(config, clock).unwrap().poll_once().await;
    Exposition::read(&text)
}

/// The samples of an exposition, by name and labels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exposition {
    samples: BTreeMap<(String, BTreeMap<String, String>), f64>,
}

impl Exposition {
    /// Reads the text format. Fails the test on anything that is not in it.
    pub(crate) fn read(text: &str) -> Self {
        let mut samples = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (_, value) = line.rsplit_once(' ').unwrap_or_default();
            let before = samples.insert(
                read_series(line),
                value
                    .parse()
                    .unwrap_or_else(|_| panic!("no number: {line}")),
            );
            assert!(before.is_none(), "a series stands twice: {line}");
        }
        Self { samples }
    }

    /// All samples of a metric whose labels include these.
    pub(crate) fn all<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = (&'a BTreeMap<String, String>, f64)> + 'a {
        let wanted = move |have: &BTreeMap<String, String>| {
            labels
                .iter()
                .all(|(name, value)| have.get(*name).is_some_and(|have| have == value))
        };
        let named = self
            .samples
            .iter()
            .filter(move |((have, _), _)| have == name);
        named
            .filter(move |((_, have), _)| wanted(have))
            .map(|((_, have), value)| (have, *value))
    }

    /// The one sample of a metric whose labels include these, if there is one.
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.all(name, labels);
        let value = found.next().map(|(_, value)| value);
        assert!(
            found.next().is_none(),
            "several samples of {name} have {labels:?}"
        );
        value
    }

    /// The one sample of a tenant's metric, if there is one.
    pub(crate) fn of(&self, tenant: TenantId, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let id = tenant.to_string();
        let labels: Vec<_> = labels
            .iter()
            .copied()
            .chain([("m365_tenant_id", id.as_str())])
            .collect();
        self.get(name, &labels)
    }

    /// The names of all metrics that have samples.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.samples.keys().map(|(name, _)| name.as_str())
    }
}

/// Reads the name and the labels of a sample's line.
pub(crate) fn read_series(line: &str) -> (String, BTreeMap<String, String>) {
    let (series, _) = line
        .rsplit_once(' ')
        .unwrap_or_else(|| panic!("no value: {line}"));
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let labels = labels.strip_suffix('}').unwrap_or(labels);
    (name.to_owned(), read_labels(labels))
}

fn read_labels(mut text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text
            .split_once("=\"")
            .unwrap_or_else(|| panic!("no label: {text}"));
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next() {
                Some((at, '"')) => break at,
                Some((_, '\\')) => value.push(match chars.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, c @ ('"' | '\\'))) => c,
                    other => panic!("no escape: {other:?}"),
                }),
                Some((_, c)) => value.push(c),
                None => panic!("no end of a label's value: {text}"),
            }
        };
        labels.insert(name.to_owned(), value);
        text = rest
            .get(end + 1..)
            .unwrap_or_default()
            .trim_start_matches(',');
    }
    labels
}
