//! TLS, passwords and headers by a web configuration, and changes of it while the exporter runs.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use avepoint_exporter::app::Web;
use avepoint_exporter::server::Lock;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, RootCertStore};

use crate::http::{Answer, exchange};
use crate::server::{Server, web};

/// The hash of `secret` with the lowest cost.
const HASH: &str = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

const TLS: &str = "tls_server_config: {cert_file: web.pem, key_file: web.key}\n";

/// An authority of clients, and certificates of it.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate with its key.
struct Pair {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn issues(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        Pair {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A server with a web configuration, whose folder holds a certificate for `localhost` too.
struct Locked {
    server: Server,
    folder: TempDir,
    lock: Arc<Lock>,
    authority: Authority,
}

impl Locked {
    async fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let pair = authority.issues("localhost");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("web.pem", &pair.certificate);
        write("web.key", &pair.key);
        write("ca.pem", &authority.pem);
        write("web.yml", text);
        let lock = Lock::read(&folder.path().join("web.yml")).unwrap();
        let lock = Arc::new(lock);
        let web = Web {
            lock: Some(Arc::clone(&lock)),
            ..web()
        };
        Self {
            server: Server::starved(1, web).await,
            folder,
            lock,
            authority,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.server.address).await.unwrap()
    }

    /// A client that trusts the server, with or without a certificate.
    fn client(&self, pair: Option<&Pair>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        let der = CertificateDer::from_pem_slice(self.authority.pem.as_bytes());
        roots.add(der.unwrap()).unwrap();
        let client = ClientConfig::builder().with_root_certificates(roots);
        let client = match pair {
            None => client.with_no_client_auth(),
            Some(pair) => {
                let chain = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                client.with_client_auth_cert(vec![chain], key).unwrap()
            }
        };
        TlsConnector::from(Arc::new(client))
    }

    async fn over_tls(&self, client: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").unwrap();
        client.connect(name, self.connect().await).await
    }
}

fn authorization(user: &str, password: &str) -> String {
    let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {encoded}\r\n")
}

/// A request on a connection that stays open. `None` if it was closed.
async fn ask<S>(stream: &mut S, path: &str, headers: &str) -> Option<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let text = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    stream.write_all(text.as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    loop {
        let mut more = [0; 4096];
        match stream.read(&mut more).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&more[..n]),
        }
        if let Some(answer) = Answer::read(&bytes) {
            let length: usize = answer.header("content-length").unwrap().parse().unwrap();
            if answer.body.len() == length {
                return Some(answer);
            }
        }
    }
}

#[tokio::test]
async fn without_a_password_there_is_no_page_and_each_answer_has_the_headers() {
    let headers = "http_server_config: {headers: {X-Frame-Options: deny}}";
    let locked = Locked::start(&format!("basic_auth_users: {{amy: {HASH}}}\n{headers}")).await;
    let mut stream = locked.connect().await;
    let right = authorization("amy", "secret");
    for (path, status) in [
        ("/metrics", 200),
        ("/-/healthy", 200),
        ("/-/ready", 503),
        ("/", 200),
        ("/api/v1/status", 200),
        ("/nothing", 404),
        ("/-/reload", 405),
    ] {
        for (headers, expected) in [
            ("", 401),
            (&*authorization("amy", "Secret"), 401),
            (&*authorization("ben", "secret"), 401),
            (&*right, status),
        ] {
            let answer = ask(&mut stream, path, headers).await.unwrap();
            assert_eq!(answer.status, expected, "{path} {headers}");
            assert_eq!(answer.header("x-frame-options"), Some("deny"), "{path}");
            let asks = (expected == 401).then_some("Basic");
            assert_eq!(answer.header("www-authenticate"), asks, "{path}");
        }
    }
}

#[tokio::test]
async fn the_limit_of_requests_counts_those_without_a_password_and_adds_no_headers() {
    let locked = Locked::start(&format!(
        "rate_limit: {{interval: 1h, burst: 2}}\nbasic_auth_users: {{amy: {HASH}}}\n\
         http_server_config: {{headers: {{X-Frame-Options: deny}}}}"
    ))
    .await;
    let mut stream = locked.connect().await;
    let right = authorization("amy", "secret");
    for (headers, expected) in [("", 401), (&*right, 200), (&*right, 429), ("", 429)] {
        let answer = ask(&mut stream, "/-/healthy", headers).await.unwrap();
        assert_eq!(answer.status, expected);
        let dressed = answer.header("x-frame-options").is_some();
        assert_eq!(dressed, expected != 429);
    }
    locked.write("web.yml", "rate_limit: {interval: 1x}");
    let answer = ask(&mut stream, "/-/healthy", &right).await.unwrap();
    assert_eq!(
        (answer.status, answer.header("x-frame-options")),
        (500, None)
    );
}

#[tokio::test]
async fn a_change_counts_from_the_next_request_on_on_open_connections_too() {
    let users = |names: &[&str]| {
        let users = names.iter().map(|name| format!("{name}: {HASH}"));
        format!(
            "basic_auth_users: {{{}}}",
            users.collect::<Vec<_>>().join(", ")
        )
    };
    let locked = Locked::start(&users(&["amy", "ben"])).await;
    let mut stream = locked.connect().await;
    let mut check = async |user: &str, expected: u16| {
        let answer = ask(&mut stream, "/-/healthy", &authorization(user, "secret")).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, expected, "{user}");
        answer
    };
    check("amy", 200).await;
    locked.write("web.yml", &users(&["ben"]));
    check("amy", 401).await;
    check("ben", 200).await;
    // Twice wrong in different ways, and right again.
    for wrong in [
        "basic_auth_users: {ben: secret}",
        "x",
        &*TLS.replace("web.pem", "none.pem"),
    ] {
        locked.write("web.yml", wrong);
        check("ben", 500).await;
        assert!(locked.lock.reread().await.is_err());
    }
    locked.write("web.yml", &users(&["amy"]));
    check("amy", 200).await;
    check("ben", 401).await;
    // Without its file, nothing is served.
    fs::remove_file(locked.file("web.yml")).unwrap();
    check("amy", 500).await;
    locked.write(
        "web.yml",
        "http_server_config: {headers: {X-Frame-Options: deny}}",
    );
    let answer = check("nobody", 200).await;
    assert_eq!(answer.header("x-frame-options"), Some("deny"));
    locked.write("web.yml", TLS);
    check("amy", 500).await;
    let told = locked.lock.reread().await.unwrap_err();
    assert!(
        told.ends_with("restart the exporter to serve over TLS"),
        "{told}"
    );
}

#[tokio::test]
async fn a_certificate_is_replaced_and_tls_is_not_taken_away_while_it_runs() {
    let locked = Locked::start(TLS).await;
    let client = locked.client(None);
    let served = async || {
        let mut stream = locked.over_tls(&client).await.unwrap();
        let answer = ask(&mut stream, "/-/healthy", "").await.unwrap();
        let certificates = stream.get_ref().1.peer_certificates().unwrap();
        (answer.status, certificates[0].clone().into_owned())
    };
    let (status, first) = served().await;
    assert_eq!(status, 200);
    let pair = locked.authority.issues("localhost");
    // The key of another certificate, as between the two writes of a replacement.
    locked.write("web.pem", &pair.certificate);
    assert_eq!(served().await, (500, first.clone()));
    locked.write("web.key", &pair.key);
    let (status, second) = served().await;
    assert_eq!((status, second == first), (200, false));
    locked.write("web.yml", "{}");
    assert_eq!(served().await, (500, second));
    let told = locked.lock.reread().await.unwrap_err();
    assert!(told.contains("tls_server_config is gone"), "{told}");
}

#[tokio::test]
async fn clients_are_let_in_by_their_certificates_as_by_the_words_of_go() {
    let locked = Locked::start(TLS).await;
    let other = Authority::new();
    let known = locked.authority.issues("known");
    let stranger = other.issues("known");
    let own = {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["own".to_owned()]).unwrap();
        Pair {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    };
    locked.write(
        "ca.pem",
        &format!("{}{}", locked.authority.pem, own.certificate),
    );
    let clients = [None, Some(&known), Some(&stranger), Some(&own)];
    for (settings, expected) in [
        ("client_auth_type: NoClientCert", [true, true, true, true]),
        (
            "client_auth_type: RequestClientCert",
            [true, true, true, true],
        ),
        (
            "client_auth_type: RequireAnyClientCert",
            [false, true, true, true],
        ),
        (
            "client_auth_type: RequireClientCert",
            [false, true, true, true],
        ),
        (
            "client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem",
            [true, true, false, true],
        ),
        (
            "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem",
            [false, true, false, true],
        ),
        (
            "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, client_allowed_sans: [own]",
            [false, false, false, true],
        ),
        (
            "client_auth_type: RequestClientCert, client_allowed_sans: [known]",
            [true, true, true, false],
        ),
        (
            "client_auth_type: RequestClientCert, client_allowed_sans: []",
            [true, false, false, false],
        ),
        (
            "client_auth_type: RequireAndVerifyClientCert, client_ca_file: web.key",
            [false, false, false, false],
        ),
    ] {
        let text = TLS.replace(
            "key_file: web.key",
            &format!("key_file: web.key, {settings}"),
        );
        locked.write("web.yml", &text);
        locked.lock.reread().await.unwrap();
        for (pair, expected) in clients.iter().zip(expected) {
            let client = locked.client(*pair);
            // Over TLS 1.3 a client learns only when it reads that it is not let in.
            let answer = match locked.over_tls(&client).await {
                Ok(mut stream) => ask(&mut stream, "/-/healthy", "").await,
                Err(_) => None,
            };
            assert_eq!(answer.is_some(), expected, "{settings}");
        }
    }
}

#[tokio::test]
async fn with_other_clients_no_session_is_resumed_and_open_connections_end() {
    let text = TLS.replace(
        "key_file: web.key",
        "key_file: web.key, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem",
    );
    let locked = Locked::start(&text).await;
    let client = locked.client(Some(&locked.authority.issues("known")));
    let mut first = locked.over_tls(&client).await.unwrap();
    assert!(ask(&mut first, "/-/healthy", "").await.is_some());
    let mut resumed = locked.over_tls(&client).await.unwrap();
    assert!(ask(&mut resumed, "/-/healthy", "").await.is_some());
    assert_eq!(
        resumed.get_ref().1.handshake_kind(),
        Some(HandshakeKind::Resumed)
    );
    // A change of other things leaves both alone.
    locked.write("web.yml", &format!("{text}basic_auth_users: {{}}\n"));
    locked.lock.reread().await.unwrap();
    assert!(ask(&mut resumed, "/-/healthy", "").await.is_some());
    let mut again = locked.over_tls(&client).await.unwrap();
    assert_eq!(
        again.get_ref().1.handshake_kind(),
        Some(HandshakeKind::Resumed)
    );
    assert!(ask(&mut again, "/-/healthy", "").await.is_some());
    locked.write("ca.pem", &Authority::new().pem);
    assert!(locked.lock.reread().await.is_ok());
    let refused = match locked.over_tls(&client).await {
        Ok(mut stream) => ask(&mut stream, "/-/healthy", "").await,
        Err(_) => None,
    };
    assert!(refused.is_none());
    let mut rest = Vec::new();
    let _ = again.read_to_end(&mut rest).await;
    assert!(ask(&mut again, "/-/healthy", "").await.is_none());
}

#[tokio::test]
async fn http2_is_offered_over_tls_unless_it_is_switched_off() {
    for (http, expected) in [
        ("", [Some("h2"), Some("http/1.1"), Some("h2"), None]),
        (
            "http_server_config: {http2: false}",
            [None, Some("http/1.1"), Some("http/1.1"), None],
        ),
    ] {
        let locked = Locked::start(&format!("{TLS}{http}")).await;
        let offers: [&[&str]; 4] = [&["h2"], &["http/1.1"], &["http/1.1", "h2"], &[]];
        for (offer, expected) in offers.iter().zip(expected) {
            let mut config = (**locked.client(None).config()).clone();
            config.alpn_protocols = offer.iter().map(|name| name.as_bytes().to_vec()).collect();
            let client = TlsConnector::from(Arc::new(config));
            let stream = locked.over_tls(&client).await;
            // Who offers only what the server has not is not let in.
            let agreed = stream.ok().and_then(|stream| {
                let agreed = stream.get_ref().1.alpn_protocol()?;
                Some(String::from_utf8(agreed.to_vec()).unwrap())
            });
            assert_eq!(agreed.as_deref(), expected, "{offer:?}");
        }
    }
}

#[tokio::test]
async fn who_speaks_plain_http_to_tls_is_told_so() {
    let locked = Locked::start(TLS).await;
    let answer = exchange(&locked.server.address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = Answer::read(&answer).unwrap();
    assert_eq!(answer.status, 400);
    assert_eq!(answer.text(), "this address speaks TLS; use https://\n");
}
