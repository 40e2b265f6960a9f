//! A Prometheus of our own on loopback, and its HTTP API.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use avepoint_exporter::bundle::{File, RULES};
use regex::Regex;
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
        "{tool} is missing: apt-get install --no-install-recommends prometheus prometheus-alertmanager"
    );
}

/// Starts a program on a free port of loopback, and waits until its log says that it is ready. Returns it with its
/// address.
pub(crate) async fn on_a_free_port(
    ready: &str,
    command: impl Fn(&str) -> Command,
) -> (Program, String) {
    // Free a moment ago; should someone else take it meanwhile, another is tried.
    for _ in 0..3 {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let mut program = Program::start(&mut command(&address));
        let is_up = until(ready, async || {
            if program.stderr().contains(ready) {
                return Some(true);
            }
            program.status().map(|_| false)
        })
        .await;
        if is_up {
            return (program, address);
        }
        assert!(
            program.stderr().contains("address already in use"),
            "{}",
            program.stderr()
        );
    }
    panic!("no port stays free");
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

/// A rule and how its evaluation went.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Evaluated {
    pub(crate) name: String,
    pub(crate) health: String,
    pub(crate) last_error: Option<String>,
}

/// An alert as its rule has it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Alert {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    state: String,
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

/// Rules that are evaluated each second, and alerts that need not hold for longer before they fire. Those that no
/// longer hold go on as long as they do.
fn hurried(file: &File) -> String {
    let pause = Regex::new(r"(?m)^( +)(for|interval): \S+$").unwrap();
    assert!(pause.is_match(file.text), "{} is in no hurry", file.name);
    pause.replace_all(file.text, "${1}${2}: 1s").into_owned()
}

impl Prometheus {
    /// Starts one that scrapes these addresses each second, and waits until it answers. It has the rules of the
    /// repository. Their alerts go to the Alertmanager at that address.
    pub(crate) async fn start(targets: &[String], alertmanager: Option<&str>) -> Self {
        needed("prometheus");
        let job = format!("{{ job_name: avepoint, static_configs: [{{ targets: {targets:?} }}] }}");
        Self::with_jobs("prometheus", &job, alertmanager).await
    }

    /// The same by another program of its kind, with these jobs, which a comma separates.
    pub(crate) async fn with_jobs(
        prometheus: impl AsRef<OsStr>,
        jobs: &str,
        alertmanager: Option<&str>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in RULES.files {
            std::fs::write(folder.path().join(file.name), hurried(file)).unwrap();
        }
        let names: Vec<_> = RULES.files.iter().map(|file| file.name).collect();
        let config = folder.path().join("prometheus.yml");
        let alertmanagers: Vec<_> = alertmanager.into_iter().collect();
        let text = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             rule_files: {names:?}\n\
             scrape_configs: [{jobs}]\n\
             alerting: {{ alertmanagers: [{{ static_configs: [{{ targets: {alertmanagers:?} }}] }}] }}\n"
        );
        std::fs::write(&config, text).unwrap();
        let (program, address) =
            on_a_free_port("Server is ready to receive web requests", |address| {
                let mut command = Command::new(&prometheus);
                command.arg(format!("--config.file={}", config.display()));
                command.arg(format!(
                    "--storage.tsdb.path={}",
                    folder.path().join("data").display()
                ));
                command.arg(format!("--web.listen-address={address}"));
                command
            })
            .await;
        Self {
            address,
            program,
            _folder: folder,
        }
    }

    /// All rules, as of their last evaluation.
    pub(crate) async fn rules(&self) -> Vec<Evaluated> {
        #[derive(Deserialize)]
        struct Answer {
            data: Groups,
        }
        #[derive(Deserialize)]
        struct Groups {
            groups: Vec<Group>,
        }
        #[derive(Deserialize)]
        struct Group {
            rules: Vec<Evaluated>,
        }
        let answer = get(&self.address, "/api/v1/rules").await;
        let answer: Answer = serde_json::from_slice(&answer.body).unwrap();
        let groups = answer.data.groups.into_iter();
        groups.flat_map(|group| group.rules).collect()
    }

    /// The alerts that fire now.
    pub(crate) async fn firing(&self) -> Vec<Alert> {
        #[derive(Deserialize)]
        struct Answer {
            data: Alerts,
        }
        #[derive(Deserialize)]
        struct Alerts {
            alerts: Vec<Alert>,
        }
        let answer = get(&self.address, "/api/v1/alerts").await;
        let answer: Answer = serde_json::from_slice(&answer.body).unwrap();
        let mut alerts = answer.data.alerts;
        alerts.retain(|alert| alert.state == "firing");
        alerts
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
