//! An Alertmanager of our own on loopback, and the webhook that it notifies.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_yaml::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::http::get;
use crate::program::Program;
use crate::prometheus::{needed, on_a_free_port};

/// A notification, as Alertmanager sends it to a webhook.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Notification {
    pub(crate) receiver: String,
    pub(crate) alerts: Vec<Alert>,
}

/// An alert in a notification.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Alert {
    pub(crate) status: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
}

/// An alert that Alertmanager holds back.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Held {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) status: HeldStatus,
}

/// Why it does.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HeldStatus {
    pub(crate) inhibited_by: Vec<String>,
}

/// What a webhook was sent so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Webhook {
    notifications: Arc<Mutex<Vec<Notification>>>,
}

impl Webhook {
    /// Listens on a free port. Returns the webhook with its URL.
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let webhook = Self::default();
        let all = webhook.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let all = all.clone();
                let service = service_fn(move |request: http::Request<Incoming>| {
                    let all = all.clone();
                    async move {
                        let body = request.into_body().collect().await?.to_bytes();
                        let notification = serde_json::from_slice(&body).unwrap();
                        all.notifications.lock().unwrap().push(notification);
                        Ok::<_, hyper::Error>(http::Response::new(Empty::<Bytes>::new()))
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        (webhook, url)
    }

    /// The first alert of this name, sent to this receiver, that fires and has these labels.
    pub(crate) fn firing(
        &self,
        receiver: &str,
        name: &str,
        labels: &[(&str, &str)],
    ) -> Option<Alert> {
        let all = self.notifications.lock().unwrap();
        let wanted = |alert: &&Alert| {
            alert.status == "firing"
                && alert.labels["alertname"] == name
                && labels
                    .iter()
                    .all(|(name, value)| alert.labels.get(*name).is_some_and(|have| have == value))
        };
        let mut sent_there = all.iter().filter(|sent| sent.receiver == receiver);
        sent_there.find_map(|sent| sent.alerts.iter().find(wanted).cloned())
    }
}

/// Alertmanager. It ends, and what it stored goes, when this is dropped.
pub(crate) struct Alertmanager {
    pub(crate) address: String,
    pub(crate) webhook: Webhook,
    _program: Program,
    _folder: TempDir,
}

impl Alertmanager {
    /// Starts one with this configuration, whose receivers are all replaced by one webhook, and which waits neither for
    /// more alerts to send together nor for office hours.
    pub(crate) async fn start(config: &str) -> Self {
        needed("prometheus-alertmanager");
        let (webhook, url) = Webhook::start().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alertmanager.yml");
        std::fs::write(&file, adapted(config, &url)).unwrap();
        let (program, address) = on_a_free_port("Listening on", |address| {
            let mut command = Command::new("prometheus-alertmanager");
            command.arg(format!("--config.file={}", file.display()));
            command.arg(format!("--storage.path={}", folder.path().display()));
            command.arg(format!("--web.listen-address={address}"));
            // It looks for no peers.
            command.arg("--cluster.listen-address=");
            command
        })
        .await;
        Self {
            address,
            webhook,
            _program: program,
            _folder: folder,
        }
    }

    /// The alerts that are held back since others fire.
    pub(crate) async fn inhibited(&self) -> Vec<Held> {
        let path = "/api/v2/alerts?inhibited=true&active=false&silenced=false&unprocessed=false";
        let answer = get(&self.address, path).await;
        serde_json::from_slice(&answer.body)
            .unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
    }
}

/// The configuration with all receivers at this URL, and without its pauses.
fn adapted(config: &str, url: &str) -> String {
    let mut config: Value = serde_yaml::from_str(config).unwrap();
    for receiver in config["receivers"].as_sequence_mut().unwrap() {
        let name = receiver["name"].as_str().unwrap();
        let ours = format!("{{ name: {name}, webhook_configs: [{{ url: '{url}' }}] }}");
        *receiver = serde_yaml::from_str(&ours).unwrap();
    }
    if let Value::Mapping(all) = &mut config {
        // What the receivers took from it.
        all.remove("global");
        all.remove("templates");
    }
    hurry(&mut config["route"]);
    serde_yaml::to_string(&config).unwrap()
}

/// Takes the pauses from a route and those below it.
fn hurry(route: &mut Value) {
    let Value::Mapping(fields) = route else {
        panic!("no route: {route:?}");
    };
    fields.remove("active_time_intervals");
    fields.insert("group_wait".into(), "100ms".into());
    fields.insert("group_interval".into(), "1s".into());
    if let Some(routes) = fields.get_mut("routes") {
        routes.as_sequence_mut().unwrap().iter_mut().for_each(hurry);
    }
}
