//! An exposition with all of the exporter's own series in it, and the names of all there are.

use std::collections::BTreeSet;
use std::path::Path;

use avepoint_exporter::app::Exporter;
use avepoint_exporter::config::{Config, Source};
use avepoint_exporter::domain::Clock;
use avepoint_exporter::exposition::{Body, Format};
use avepoint_exporter::simulator::{CLIENT_SECRET, Options, PARTNER_CLIENT_SECRET, World};
use regex::Regex;

use super::{pages, scrape};
use crate::support::{PartnerSignIn, config_text, simulator};

/// What an exporter shows that reads everything there is, and signs in by certificates and a refresh token.
pub(crate) async fn full() -> String {
    let simulator = simulator(Options {
        certificate: Some(std::fs::read("tests/certificates/app.der").unwrap()),
        ..Options::new(World::seeded(1, 2, 100))
    })
    .await;
    let partner = PartnerSignIn::to(&simulator);
    let state = tempfile::tempdir().unwrap();
    let sections = partner.section.clone()
        + "collectors: { directory: { enabled: true }, partner_center: { enabled: true } }\n\
           discovery: { enabled: true }\n"
        + &format!("state_dir: {}\n", state.path().display());
    let mut text = config_text(&simulator, "", &sections);
    for secret in [CLIENT_SECRET, PARTNER_CLIENT_SECRET] {
        text = text.replace(
            &format!("client_secret: {secret}"),
            "certificate: { file: app.pem }",
        );
    }
    let source = Source {
        name: "test.yaml",
        base_dir: Path::new("tests/certificates"),
        env: &|_| None,
        now: Clock::system().now(),
    };
    let config = Config::parse(&text, &source).unwrap();
    let exporter = Exporter::warm(&config, Clock::system()).unwrap();
    // A new refresh token cannot be written, which is a failure of the credential though there are access tokens.
    std::fs::create_dir(partner.file.with_extension("rotated")).unwrap();
    let (text, failures) = exporter.poll_once().await;
    assert_eq!(failures, 0);
    // The second one counts the first, since each format has its own.
    let pages = pages(Body::default());
    scrape(&pages, Format::OpenMetrics, "").await;
    text + &scrape(&pages, Format::Text, "").await
}

/// The names of metrics that stand in the sources, each as a string of its own.
pub(crate) fn names_in_the_sources() -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut BTreeSet<String>) {
        let name = Regex::new(r#""((?:avepoint|process)_[a-z0-9_]+)""#).unwrap();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            found.extend(name.captures_iter(&text).map(|found| found[1].to_owned()));
        }
    }
    let mut found = BTreeSet::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    found
}
