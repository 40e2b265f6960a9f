//! The way to the upstream through TLS: a terminator with a certificate of our own stands before the simulator.

use std::path::Path;
use std::sync::Arc;

use avepoint_exporter::config::{Config, Source};
use avepoint_exporter::domain::Timestamp;
use avepoint_exporter::simulator::{Options, Simulator, World};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::program::{Ended, Program, exporter};
use crate::support::{Exposition, config_text, poll, simulator};

/// Speaks TLS as `localhost` before the simulator. Returns its port and its authority's certificate in PEM.
async fn terminator(simulator: &Simulator) -> (u16, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let port = speaking_tls(simulator, certificate.der().clone(), &key).await;
    (port, authority_certificate.pem())
}

/// Speaks TLS before the simulator with a certificate of a CA that it issued to itself. Returns its port.
async fn self_signed(simulator: &Simulator) -> u16 {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    speaking_tls(simulator, certificate.der().clone(), &key).await
}

/// Speaks TLS before the simulator with this certificate. Returns its port.
async fn speaking_tls(
    simulator: &Simulator,
    certificate: CertificateDer<'static>,
    key: &KeyPair,
) -> u16 {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    let acceptor = TlsAcceptor::from(Arc::new(tls.unwrap()));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let upstream = simulator.url().trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
            tokio::spawn(async move {
                // A client that does not trust us ends the handshake.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let mut upstream = TcpStream::connect(upstream).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut upstream).await;
                }
            });
        }
    });
    port
}

/// Polls once with the real program, without a `ca_file`. `api_url` and `token_url` lie at these addresses.
async fn run(simulator: &Simulator, api_url: &str, token_url: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let short = "  timeout: 1s\n  retry_deadline: 1s\n";
    let here = simulator.url();
    let text = config_text(simulator, short, "")
        .replace(&format!("api_url: {here}"), &format!("api_url: {api_url}"))
        .replace(
            &format!("token_url: {here}"),
            &format!("token_url: {token_url}"),
        );
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    let arguments = ["poll", "--log.level=warn", "--config.file", &path];
    Program::start(&mut exporter(arguments)).end().await
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_leads_to_ca_file() {
    let simulator = simulator(Options::new(World::seeded(1, 1, 50))).await;
    let (unknown, _) = terminator(&simulator).await;
    let own = self_signed(&simulator).await;
    let here = simulator.url();
    for (port, name) in [(unknown, "UnknownIssuer"), (own, "CaUsedAsEndEntity")] {
        let inspected = format!("https://localhost:{port}");
        for (api_url, token_url) in [(&inspected, &here), (&here, &inspected)] {
            let ended = run(&simulator, api_url, token_url).await;
            for words in [
                &*format!("({name})"),
                "elements.ca_file",
                "a proxy that inspects TLS",
            ] {
                assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
            }
            assert!(!ended.stderr.contains("invalid peer"), "{}", ended.stderr);
        }
    }
}

async fn poll_over_tls(trust: bool) -> (Simulator, Exposition) {
    let simulator = simulator(Options::new(World::seeded(1, 1, 50))).await;
    let (port, pem) = terminator(&simulator).await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ca.pem"), pem).unwrap();
    let elements = if trust { "  ca_file: ca.pem\n" } else { "" };
    let elements = format!("  timeout: 1s\n  retry_deadline: 1s\n{elements}");
    let text = config_text(&simulator, &elements, "");
    let text = text.replace(&simulator.url(), &format!("https://localhost:{port}"));
    let source = Source {
        name: "tls.yaml",
        base_dir: directory.path(),
        env: &|_| None,
        now: Timestamp::default(),
    };
    let config = Config::parse(&text, &source).unwrap();
    assert_eq!(config.elements.api_url.scheme(), "https");
    let exposition = poll(&config).await;
    (simulator, exposition)
}

#[tokio::test]
async fn an_authority_in_ca_file_is_trusted_beside_the_systems() {
    let (simulator, exposition) = poll_over_tls(true).await;
    let tenant = &simulator.world().tenants()[0];
    let users = exposition.of(tenant.tenant_id, "avepoint_security_users", &[]);
    assert_eq!(users, Some(tenant.security_count(0) as f64));
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_whose_certificate_is_not_trusted() {
    let (simulator, exposition) = poll_over_tls(false).await;
    let failures = exposition.get(
        "avepoint_token_request_failures_total",
        &[("reason", "connection")],
    );
    assert_eq!(failures, Some(1.0));
    assert_eq!(simulator.stats().token_requests, 0);
    assert_eq!(
        exposition.get(
            "avepoint_poll_failures_total",
            &[("collector", "security_users"), ("reason", "credential")]
        ),
        Some(1.0)
    );
}

#[test]
fn a_proxy_address_with_a_password_shows_nothing_of_it() {
    let text = "elements:\n  client_id: x\n  client_secret: y\n  proxy_url: http://user:hunter2@proxy.example:3128\ntenants:\n  \
                - { customer_id: 966f35cc-61f4-4070-819c-25cdbcf82a07, tenant_id: 0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec }\n";
    let source = Source {
        name: "proxy.yaml",
        base_dir: Path::new("."),
        env: &|_| None,
        now: Timestamp::default(),
    };
    let config = Config::parse(text, &source).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}
