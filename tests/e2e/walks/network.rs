//! The way to the token service.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use avepoint_exporter::domain::Clock;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::scene::{Scene, Told, config, folder, nobody, upstream};

/// A token service that no name server knows.
const ELSEWHERE: &str = "https://login.contoso.invalid/connect/token";

const RUNBOOK: &str = "`connection`, `timeout`: can the exporter's machine reach the token endpoint? Check DNS, proxy \
                       and firewall";

/// What is said if there is no connection to the token service: the words in the log and in the cause of the status.
async fn no_connection(lines: &[(&str, &str)], words: &'static [&'static str]) {
    no_connection_with(lines, None, words, RUNBOOK).await;
}

/// The same with a CA in the file `ca.pem`, and with other words of the runbook.
async fn no_connection_with(
    lines: &[(&str, &str)],
    ca: Option<&str>,
    words: &'static [&'static str],
    runbook: &'static str,
) {
    let upstream = upstream(3, Vec::new()).await;
    let folder = folder(&config(&upstream, lines));
    if let Some(ca) = ca {
        fs::write(folder.path().join("ca.pem"), ca).unwrap();
    }
    let scene = Scene::start_in(folder).await;
    scene
        .tells(&Told {
            log: words,
            metric: "avepoint_credential_failing{credential=\"elements\", reason=\"connection\"} == 1",
            trouble: ("credential", words),
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
            "connection to the token service 127.0.0.1:",
            "check elements.token_url, the network and the proxy",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_cannot_be_resolved() {
    no_connection(
        &[("token_url", ELSEWHERE)],
        &[
            "connection to the token service login.contoso.invalid:443 failed",
            "check elements.token_url, the network and the proxy",
        ],
    )
    .await;
}

/// What is said of a proxy at this address.
async fn proxy(address: &str, words: &'static [&'static str]) {
    let proxy = format!("http://user:hunter2@{address}");
    no_connection(&[("token_url", ELSEWHERE), ("proxy_url", &proxy)], words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_down() {
    let words = &[
        "connection to the token service login.contoso.invalid:443 through the proxy 127.0.0.1:",
        "(elements.proxy_url) failed",
    ];
    proxy(&nobody(), words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_whose_name_cannot_be_resolved() {
    let words = &[
        "login.contoso.invalid:443 through the proxy proxy.fabrikam.invalid:3128 (elements.proxy_url) failed",
    ];
    proxy("proxy.fabrikam.invalid:3128", words).await;
}

/// A proxy that gives this answer to all who want a tunnel.
async fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_wants_a_password() {
    let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    let words = &[
        "login.contoso.invalid:443 through the proxy 127.0.0.1:",
        "(elements.proxy_url) failed",
        "proxy authorization required",
    ];
    proxy(&answering(answer).await, words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_and_one_that_is_none() {
    let words = &[
        "login.contoso.invalid:443 through the proxy 127.0.0.1:",
        "(elements.proxy_url) failed",
    ];
    for answer in [
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n<html>Welcome</html>",
    ] {
        proxy(&answering(answer).await, words).await;
    }
}

/// A server on loopback that speaks TLS with this certificate. Returns its token endpoint.
async fn speaking_tls(certificate: CertificateDer<'static>, key: &KeyPair) -> String {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    let acceptor = TlsAcceptor::from(Arc::new(tls.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The exporter ends the handshake.
            drop(acceptor.accept(stream).await);
        }
    });
    format!("https://localhost:{port}/connect/token")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_ca_that_nobody_knows() {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let url = speaking_tls(certificate.der().clone(), &key).await;
    let words = &[
        "connection to the token service localhost:",
        "(UnknownIssuer)",
        "set elements.ca_file",
    ];
    let runbook = "`elements.ca_file` to the certificate of the proxy's CA";
    no_connection_with(&[("token_url", &url)], None, words, runbook).await;
}

/// What is said of a certificate with these fields, of a CA that the exporter trusts.
async fn certificate(params: CertificateParams, words: &'static [&'static str]) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let ca = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let url = speaking_tls(certificate.der().clone(), &key).await;
    let lines = [("token_url", &*url), ("ca_file", "ca.pem")];
    no_connection_with(&lines, Some(&ca), words, RUNBOOK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_name() {
    let params = CertificateParams::new(["login.fabrikam.example".to_owned()]).unwrap();
    let words = &[
        "connection to the token service localhost:",
        "certificate not valid for name",
        "login.fabrikam.example",
    ];
    certificate(params, words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_server_that_has_expired() {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let now = Clock::system().now().since_unix();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_after = epoch + now - Duration::from_secs(3600);
    let words = &[
        "connection to the token service localhost:",
        "certificate expired",
    ];
    certificate(params, words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_service_that_is_at_another_address() {
    let upstream = upstream(3, Vec::new()).await;
    let url = format!("{}/somewhere/else", upstream.url());
    let scene = Scene::start(&config(&upstream, &[("token_url", &url)])).await;
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
