//! A Prometheus of our own on loopback, and its HTTP API.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;

use crate::http::get;
use crate::program::{Program, until};

/// Fails the test with the way to get the tool when it is missing.
pub(crate) fn needed(tool: &str) {
    let found = Command::new(tool)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(
        found.is_ok_and(|status| status.success()),
        "{tool} is missing: apt-get install --no-install-recommends prometheus"
    );
}

/// Prometheus. It ends, and what it stored goes, when this is dropped.
pub(crate) struct Prometheus {
    address: String,
    program: Program,
    _folder: TempDir,
}

/// A series and its value.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Series {
    /// The labels but for those that Prometheus adds.
    pub(crate) fn own_labels(mut self) -> BTreeMap<String, String> {
        for name in ["__name__", "job", "instance"] {
            self.labels.remove(name);
        }
        self.labels
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Data>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

impl Prometheus {
    /// Starts one that scrapes this address each second, and waits until it answers.
    pub(crate) async fn start(target: &str) -> Self {
        needed("prometheus");
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let scrape = format!(
            "global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - job_name: avepoint\n    static_configs: [{{ targets: ['{target}'] }}]\n"
        );
        std::fs::write(&config, scrape).unwrap();
        // Free a moment ago; should someone else take it meanwhile, it is tried again.
        for _ in 0..3 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap().to_string();
            drop(free);
            let mut command = Command::new("prometheus");
            command.arg(format!("--config.file={}", config.display()));
            command.arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ));
            command.arg(format!("--web.listen-address={address}"));
            let mut program = Program::start(&mut command);
            let is_up = until("Prometheus to answer", async || {
                if program
                    .stderr()
                    .contains("Server is ready to receive web requests")
                {
                    return Some(true);
                }
                program.status().map(|_| false)
            })
            .await;
            if is_up {
                return Self {
                    address,
                    program,
                    _folder: folder,
                };
            }
            assert!(
                program.stderr().contains("address already in use"),
                "{}",
                program.stderr()
            );
        }
        panic!("no port stays free");
    }

    /// The result of an instant query. Fails the test when it is refused.
    pub(crate) async fn query(&self, query: &str) -> Vec<Series> {
        let encoded = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("query", query)
            .finish();
        let answer = get(&self.address, &format!("/api/v1/query?{encoded}")).await;
        let answer: Answer = serde_json::from_slice(&answer.body).unwrap_or_else(|error| {
            panic!("{error}: {}\n{}", answer.text(), self.program.stderr())
        });
        assert_eq!(answer.error, None, "{query}");
        let series = answer.data.unwrap().result.into_iter().map(|one| Series {
            labels: one.metric,
            value: one.value.1.parse().unwrap(),
        });
        series.collect()
    }
}
