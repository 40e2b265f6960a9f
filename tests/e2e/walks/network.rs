//! The way to the token service.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::scene::{Scene, Told, config, nobody, upstream};

/// What is said if there is no connection to the token service.
async fn no_connection(lines: &[(&str, &str)], words: &'static [&'static str], step: &'static str) {
    let upstream = upstream(3, Vec::new()).await;
    let config = config(&upstream, lines);
    let scene = Scene::start(&config).await;
    let runbook = match step {
        "" => {
            "`connection`, `timeout`: can the exporter's machine reach the token endpoint? Check DNS, proxy and firewall"
        }
        step => step,
    };
    scene
        .tells(&Told {
            log: words,
            metric: "avepoint_credential_failing{credential=\"elements\", reason=\"connection\"} == 1",
            trouble: ("credential", &words[1..]),
            next_step: "Check name resolution, firewall, proxy and certificates",
            alert: ("AvePointCredentialRefused", "critical", "connection"),
            runbook,
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_service_that_is_down() {
    let url = format!("http://{}/connect/token", nobody());
    no_connection(
        &[("token_url", &url)],
        &[
            "token request failed",
            "connection to the token service 127.0.0.1:",
            "check elements.token_url, the network and the proxy",
        ],
        "",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_cannot_be_resolved() {
    no_connection(
        &[("token_url", "https://login.contoso.invalid/connect/token")],
        &[
            "token request failed",
            "connection to the token service login.contoso.invalid:443 failed",
            "check elements.token_url, the network and the proxy",
        ],
        "",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_down() {
    let proxy = format!("http://user:hunter2@{}", nobody());
    no_connection(
        &[
            ("token_url", "https://login.contoso.invalid/connect/token"),
            ("proxy_url", &proxy),
        ],
        &[
            "token request failed",
            "connection to the token service login.contoso.invalid:443 through the proxy 127.0.0.1:",
            "(elements.proxy_url) failed",
        ],
        "",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_ca_that_nobody_knows() {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(tls.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The exporter ends the handshake.
            drop(acceptor.accept(stream).await);
        }
    });
    let url = format!("https://localhost:{port}/connect/token");
    no_connection(
        &[("token_url", &url)],
        &[
            "token request failed",
            "connection to the token service localhost:",
            "(UnknownIssuer)",
            "set elements.ca_file",
        ],
        "`elements.ca_file` to the certificate of the proxy's CA",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_service_that_is_at_another_address() {
    let upstream = upstream(3, Vec::new()).await;
    let url = format!("{}/somewhere/else", upstream.url());
    let config = config(&upstream, &[("token_url", &url)]);
    let scene = Scene::start(&config).await;
    scene
        .tells(&Told {
            log: &[
                "token request failed",
                "reason=not_found",
                "the token service returned 404",
                "check elements.token_url and elements.environment",
            ],
            metric: "avepoint_credential_failing{credential=\"elements\", reason=\"not_found\"} == 1",
            trouble: ("credential", &["the token service returned 404"]),
            next_step: "",
            alert: ("AvePointCredentialRefused", "critical", "not_found"),
            runbook: "`unauthorized` or `not_found`: check `environment` and `token_url`",
        })
        .await;
}
