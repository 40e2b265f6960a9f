//! Real Prometheus, versions 2 and 3, scrapes behind all locks at once: TLS with certificates of clients, and passwords.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::pair::{FILE, Folder};
use crate::program::until;
use crate::prometheus::{Prometheus, needed};
use crate::{Demo, TENANTS, oracle};

const LOCKS: &str = "\
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: authority.crt
  client_allowed_sans: [client.example]
basic_auth_users:
  alice: $2y$04$Xau5Y0sK2ob/V5BxA0KYM.CobGXG2hFasVxyQr2/m1gVDAx3.11Vy
";

/// A way to scrape.
struct Job {
    name: &'static str,
    /// Keys of its own.
    keys: &'static str,
    certificate: &'static str,
    password: &'static str,
}

const fn right(name: &'static str, keys: &'static str) -> Job {
    Job {
        name,
        keys,
        certificate: "dns",
        password: "secret",
    }
}

impl Job {
    fn text(&self, address: &str, folder: &Path) -> String {
        let Self {
            name,
            keys,
            certificate,
            password,
        } = self;
        let folder = folder.display();
        format!(
            "{{ job_name: {name}, scheme: https, static_configs: [{{ targets: [\"{address}\"] }}], \
             basic_auth: {{ username: alice, password: {password} }}, tls_config: {{ ca_file: {folder}/server.crt, \
             cert_file: {folder}/{certificate}.crt, key_file: {folder}/{certificate}.key }}, {keys} }}"
        )
    }
}

/// All jobs scrape, and know what the world of the demo is, but those that are to be kept out.
async fn check(prometheus: impl AsRef<Path>, inside: &[Job]) {
    let folder = Folder::new();
    folder.configure(LOCKS);
    let flag = format!("--web.config.file={}", folder.path().join(FILE).display());
    let demo = Demo::with_flags(1, &[flag]).await;
    let outside = [
        Job {
            certificate: "email",
            ..right("name-not-allowed", "")
        },
        Job {
            certificate: "stranger",
            ..right("other-authority", "")
        },
        Job {
            password: "wrong",
            ..right("wrong-password", "")
        },
    ];
    let jobs: Vec<_> = inside
        .iter()
        .chain(&outside)
        .map(|job| job.text(&demo.address, folder.path()))
        .collect();
    let prometheus = Prometheus::with_jobs(prometheus.as_ref(), &jobs.join(", "), None).await;
    let figures = oracle::figures(&demo.world);
    for job in inside {
        let name = job.name;
        let last = format!(
            "count(avepoint_exposed_unlisted_users{{status=\"high_risk\", job=\"{name}\"}})"
        );
        until("the figures of all tenants", async || {
            let found = prometheus.query(&last).await;
            (found.first()?.value == TENANTS as f64).then_some(())
        })
        .await;
        for (metric, expected) in &figures {
            let query = format!("{metric}{{job=\"{name}\"}}");
            let found: BTreeMap<_, _> = prometheus
                .query(&query)
                .await
                .into_iter()
                .map(|series| (series.clone().own_labels(), series.value))
                .collect();
            assert_eq!(found, *expected, "{query}");
        }
    }
    for job in &outside {
        let query = format!("up{{job=\"{}\"}}", job.name);
        let up = until("a scrape that fails", async || {
            Some(prometheus.query(&query).await.first()?.value)
        })
        .await;
        assert_eq!(up, 0.0, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_2_scrapes_through_all_locks() {
    needed("prometheus");
    let jobs = [
        right("http-1", "enable_http2: false"),
        right("http-2", "enable_http2: true"),
    ];
    check("prometheus", &jobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_3_scrapes_through_all_locks_in_both_formats() {
    // Where `tests/run` puts it.
    let built = std::env::var_os("PROMETHEUS_3").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/prometheus-3/prometheus"),
        PathBuf::from,
    );
    assert!(
        built.exists(),
        "{} is missing: tests/run e2e builds it",
        built.display()
    );
    let jobs = [
        right(
            "http-1-text",
            "enable_http2: false, scrape_protocols: [PrometheusText0.0.4]",
        ),
        right(
            "http-2-text",
            "enable_http2: true, scrape_protocols: [PrometheusText0.0.4]",
        ),
        right(
            "http-1-openmetrics",
            "enable_http2: false, scrape_protocols: [OpenMetricsText1.0.0]",
        ),
        right(
            "http-2-openmetrics",
            "enable_http2: true, scrape_protocols: [OpenMetricsText1.0.0]",
        ),
        right("as-it-likes", ""),
    ];
    check(built, &jobs).await;
}
