//! The program against real parts: a Prometheus that scrapes the demo, whose HTTP API then tells the right figures,
//! an Alertmanager that notifies of them, and a foreign identity provider to sign in to. Needs `prometheus`, `promtool`,
//! `prometheus-alertmanager`, `node` and what `tests/run` installs. The program is the one that `AVEPOINT_EXPORTER_BIN` names, else the one
//! that this build made.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "inside tests a panic is the report; clippy.toml reaches only functions marked as tests"
)]
#![expect(clippy::float_cmp, reason = "figures are counts, told exactly")]

mod alerting;
mod alertmanager;
mod dashboards;
#[path = "../it/http.rs"]
#[expect(dead_code, reason = "shared with tests/it, which uses the rest")]
mod http;
mod identity;
mod oracle;
#[path = "../it/program.rs"]
mod program;
mod prometheus;
#[path = "../it/promql.rs"]
#[expect(dead_code, reason = "shared with tests/it, which uses the rest")]
mod promql;
mod rules;
mod walks;
#[path = "../it/web_cases.rs"]
#[expect(dead_code, reason = "shared with tests/it, which uses the rest")]
mod web_cases;
mod web_config;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use avepoint_exporter::simulator::World;

use self::http::get;
use self::program::{Program, exporter, until};
use self::prometheus::{Prometheus, needed};

const TENANTS: usize = 12;
const USERS: usize = 200;

/// A demo whose world stands still, and the addresses of its pages and its upstream.
struct Demo {
    program: Program,
    address: String,
    simulator: String,
    world: World,
}

impl Demo {
    async fn start(seed: u64) -> Self {
        Self::with_flags(seed, &[]).await
    }

    async fn with_flags(seed: u64, flags: &[String]) -> Self {
        let mut command = exporter([
            "demo".to_owned(),
            "--web.listen-address=127.0.0.1:0".to_owned(),
            // A world that stands still is polled as often as one that moves so fast: each 6 and 12 seconds.
            "--evolve=2s".to_owned(),
            "--calm-after=0s".to_owned(),
            format!("--seed={seed}"),
            format!("--tenants={TENANTS}"),
            format!("--users={USERS}"),
        ]);
        let program = Program::start(command.args(flags));
        let (address, simulator) = until("the demo's addresses", async || {
            let text = program.stdout();
            let url = |what: &str| {
                let line = text.lines().find(|line| line.contains(what))?;
                let (_, rest) = line.split_once("://")?;
                rest.split_once(' ')
            };
            let (metrics, _) = url("the metrics for Prometheus")?;
            let (simulator, _) = url("the simulated upstream")?;
            let address = metrics.strip_suffix("/metrics")?;
            Some((address.to_owned(), simulator.to_owned()))
        })
        .await;
        Self {
            program,
            address,
            simulator,
            world: World::seeded(seed, TENANTS, USERS),
        }
    }

    /// Starts a Prometheus that scrapes it, and waits until it knows all figures.
    async fn scraped(&self) -> Prometheus {
        self.scraped_by(None).await
    }

    /// The same with the Alertmanager at this address.
    async fn scraped_by(&self, alertmanager: Option<&str>) -> Prometheus {
        let prometheus = Prometheus::start(std::slice::from_ref(&self.address), alertmanager).await;
        let last = "count(avepoint_exposed_unlisted_users{status=\"high_risk\"})";
        until("the figures of all tenants", async || {
            let found = prometheus.query(last).await;
            (found.first()?.value == TENANTS as f64).then_some(())
        })
        .await;
        prometheus
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_knows_the_figures_of_the_world() {
    for seed in [1, 4711] {
        let demo = Demo::start(seed).await;
        let prometheus = demo.scraped().await;
        assert_eq!(prometheus.query("up").await[0].value, 1.0);
        let figures = oracle::figures(&demo.world);
        assert!(figures.len() > 9);
        for (name, expected) in figures {
            let found: BTreeMap<_, _> = prometheus
                .query(name)
                .await
                .into_iter()
                .map(|series| {
                    let value = series.value;
                    (series.own_labels(), value)
                })
                .collect();
            assert!(expected.values().any(|value| *value > 0.0), "{name}");
            assert_eq!(found, expected, "{name} with seed {seed}");
        }
        demo.program.signal("TERM");
        assert_eq!(demo.program.end().await.code, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_of_tenants_join_to_figures_one_to_one() {
    let demo = Demo::start(1).await;
    let prometheus = demo.scraped().await;
    let figures = oracle::figures(&demo.world);
    let joined = prometheus
        .query(
            "max without (instance, pod, container, endpoint, namespace, service, node, source) (avepoint_tenant_info) \
             * on (m365_tenant_id) group_left () max by (m365_tenant_id) (avepoint_exposed_users{status=\"high_risk\"})",
        )
        .await;
    assert_eq!(joined.len(), TENANTS);
    for series in joined {
        let tenant = demo
            .world
            .tenants()
            .iter()
            .find(|tenant| tenant.tenant_id.to_string() == series.labels["m365_tenant_id"])
            .unwrap();
        assert_eq!(series.labels["customer_name"], tenant.customer_name);
        let labels = oracle::labels(tenant, &[("status", "high_risk")]);
        assert_eq!(series.value, figures["avepoint_exposed_users"][&labels]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_nothing_to_say_about_the_exposition() {
    needed("promtool");
    let demo = Demo::start(1).await;
    until("the first round", async || {
        (get(&demo.address, "/-/ready").await.status == 200).then_some(())
    })
    .await;
    let text = until("the figures", async || {
        let text = get(&demo.address, "/metrics").await.text();
        text.contains("\navepoint_exposed_users{").then_some(text)
    })
    .await;
    let (status, said) = promtool(&text);
    assert_eq!((status, said.as_str()), (Some(0), ""));
    // It would say so.
    let (status, said) = promtool("# HELP a b\n# TYPE a counter\na 1\n");
    assert!(status != Some(0) && said.contains("_total"), "{said}");
}

/// What `promtool check metrics` makes of an exposition.
fn promtool(text: &str) -> (Option<i32>, String) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}
