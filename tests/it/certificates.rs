//! Signing in by certificate, at a service that checks signature, audience, times, thumbprints and reuse.

use std::path::Path;

use avepoint_exporter::config::{Config, Source};
use avepoint_exporter::domain::Clock;
use avepoint_exporter::simulator::{CLIENT_SECRET, Options, PARTNER_CLIENT_SECRET, World};

use crate::support::{Exposition, PartnerSignIn, config_text, poll, simulator};

const COLLECTORS: &str = "collectors: { partner_center: { enabled: true } }\n";

/// Polls everything with this certificate in place of both client secrets. The registered one is `app`.
async fn poll_with(certificate: &str) -> Exposition {
    let registered = std::fs::read("tests/certificates/app.der").unwrap();
    let simulator = simulator(Options {
        certificate: Some(registered),
        ..Options::new(World::seeded(1, 2, 50))
    })
    .await;
    let partner = PartnerSignIn::to(&simulator);
    let text = config_text(&simulator, "", &(partner.section.clone() + COLLECTORS));
    let mut replaced = text.clone();
    for secret in [CLIENT_SECRET, PARTNER_CLIENT_SECRET] {
        let certificate = format!("certificate: {{ {certificate} }}");
        replaced = replaced.replace(&format!("client_secret: {secret}"), &certificate);
    }
    assert!(!replaced.contains("client_secret"), "{replaced}");
    let source = Source {
        name: "test.yaml",
        base_dir: Path::new("tests/certificates"),
        env: &|_| None,
        now: Clock::system().now(),
    };
    poll(&Config::parse(&replaced, &source).unwrap()).await
}

fn credentials(exposition: &Exposition) -> [Option<f64>; 2] {
    ["elements", "partner_center"]
        .map(|credential| exposition.get("avepoint_credential_up", &[("credential", credential)]))
}

#[tokio::test]
async fn both_clouds_take_a_certificate_whatever_file_it_comes_in() {
    for certificate in [
        "file: app.pfx, password_file: password",
        "file: app.pem",
        "file: app.crt, key_file: app.encrypted.key, password_file: password",
    ] {
        let exposition = poll_with(certificate).await;
        assert_eq!(credentials(&exposition), [Some(1.0); 2], "{certificate}");
        let up = exposition.all("avepoint_collector_up", &[]);
        let up: Vec<f64> = up.map(|(_, up)| up).collect();
        assert_eq!(up, [1.0; 6], "{certificate}");
        let expiry = "avepoint_client_certificate_expiry_timestamp_seconds";
        assert_eq!(exposition.all(expiry, &[]).count(), 2, "{certificate}");
    }
}

#[tokio::test]
async fn another_certificate_than_the_registered_one_is_refused() {
    let exposition = poll_with("file: other.crt, key_file: other.key").await;
    assert_eq!(credentials(&exposition), [Some(0.0); 2]);
    for credential in ["elements", "partner_center"] {
        let labels = [("credential", credential), ("reason", "invalid_client")];
        let failures = exposition.get("avepoint_token_request_failures_total", &labels);
        assert_eq!(failures, Some(1.0), "{credential}");
    }
}
