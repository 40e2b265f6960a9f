//! For tests: a token service on loopback that answers as it is told to, and what is needed to ask it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus::Registry;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;
use url::form_urlencoded;

use super::proof::Proof;
use super::refresh_token::RefreshTokenFile;
use super::service::TokenService;
use super::source::TokenSource;
use crate::config::{
    Certificate, ClientCredential, Config, HttpSettings, PartnerCenter, RateLimit, Source,
};
use crate::domain::{Clock, Secret, Timestamp};
use crate::upstream::http::stats::{Credential, Stats};
use crate::upstream::http::transport::Transport;

/// 2027-01-01.
pub(super) const NOW: Timestamp = Timestamp::from_unix(Duration::from_secs(1_798_761_600));

/// The fields of a token request.
pub(super) type Form = BTreeMap<String, String>;

/// What is answered: status and body, or `None` to hang up.
pub(super) type Reply = Option<(u16, String)>;

/// A token service that answers by a function of the request.
pub(super) struct Service {
    pub(super) url: Url,
    asked: Arc<Mutex<Vec<Form>>>,
}

impl Service {
    pub(super) async fn start(reply: impl FnMut(&Form) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let reply = Arc::new(Mutex::new(reply));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, reply) = (Arc::clone(&seen), Arc::clone(&reply));
                tokio::spawn(async move {
                    let answer = |form: Form| {
                        let answer = (reply.lock().unwrap())(&form);
                        seen.lock().unwrap().push(form);
                        answer
                    };
                    serve(stream, answer).await;
                });
            }
        });
        let url = format!("http://127.0.0.1:{port}/token").parse().unwrap();
        Self { url, asked }
    }

    /// The requests so far.
    pub(super) fn asked(&self) -> Vec<Form> {
        self.asked.lock().unwrap().clone()
    }
}

/// Answers one request, and closes the connection.
async fn serve(stream: TcpStream, reply: impl FnOnce(Form) -> Reply) {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let form = form_urlencoded::parse(&body).into_owned().collect();
    if let Some((status, body)) = reply(form) {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} Any\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        let _ = stream.get_mut().write_all(answer.as_bytes()).await;
    }
}

/// A success, with a refresh token.
#[expect(clippy::unnecessary_wraps, reason = "one of the replies")]
pub(super) fn grants(refresh_token: &str) -> Reply {
    let body = format!(
        r#"{{"access_token": "access", "expires_in": 3600, "refresh_token": "{refresh_token}"}}"#
    );
    Some((200, body))
}

/// A refusal.
#[expect(clippy::unnecessary_wraps, reason = "one of the replies")]
pub(super) fn refuses(error: &str) -> Reply {
    Some((400, format!(r#"{{"error": "{error}"}}"#)))
}

/// A service that hands out `token-2` for `token-1`, and so on, and kills the old one at once.
pub(super) fn strict() -> impl FnMut(&Form) -> Reply {
    let mut valid = 1;
    move |form| {
        if form["refresh_token"] != format!("token-{valid}") {
            return refuses("invalid_grant");
        }
        valid += 1;
        grants(&format!("token-{valid}"))
    }
}

/// The configuration for Partner Center with this token service.
pub(super) fn partner_center(token_url: &Url, file: PathBuf, first: Option<&str>) -> PartnerCenter {
    PartnerCenter {
        api_url: "http://127.0.0.1:1".parse().unwrap(),
        token_url: token_url.clone(),
        client_id: "the-app".to_owned(),
        credential: ClientCredential::Secret {
            secret: Secret::from("the-secret".to_owned()),
            file: None,
        },
        refresh_token_file: file,
        first_refresh_token: first.map(|token| Secret::from(token.to_owned())),
        scope: "the-scope".to_owned(),
        rate_limit: RateLimit {
            requests_per_second: 10.0,
            burst: 20,
            max_concurrent_requests: 8,
        },
    }
}

/// What signs in to Partner Center with this refresh token, with one try for each request.
pub(super) fn source(
    config: &PartnerCenter,
    store: &Arc<RefreshTokenFile>,
    stats: &Stats,
) -> TokenSource {
    let http = http(Duration::ZERO);
    let transport = transport(&http, &config.token_url, stats.clone(), NOW);
    TokenSource::for_partner_center(config, Arc::clone(store), &http, transport)
}

/// A way to ask this token service, with several tries for each request.
pub(super) fn service(
    credential: Credential,
    token_url: &Url,
    proof: &ClientCredential,
    now: Timestamp,
) -> TokenService {
    let http = http(Duration::from_secs(60));
    let mut service = TokenService::new(
        credential,
        Proof::new("the-app", proof, token_url),
        token_url,
        "the-scope".to_owned(),
        &http,
        transport(&http, token_url, stats(), now),
    );
    service.policy.first_wait = Duration::from_millis(1);
    service
}

fn http(retry_deadline: Duration) -> HttpSettings {
    HttpSettings {
        timeout: Duration::from_secs(10),
        retry_deadline,
        ..parse("client_secret: x").elements.http
    }
}

fn transport(http: &HttpSettings, token_url: &Url, stats: Stats, now: Timestamp) -> Transport {
    let clock = Clock::from_fn(move || now);
    Transport::new(http, [token_url, token_url], stats, clock).unwrap()
}

pub(super) fn stats() -> Stats {
    Stats::register(&Registry::new()).unwrap()
}

/// The certificate in `tests/certificates/app.pem`.
pub(super) fn certificate() -> Certificate {
    match parse("certificate: { file: app.pem }").elements.credential {
        ClientCredential::Certificate(certificate) => certificate,
        ClientCredential::Secret { .. } => panic!("no certificate"),
    }
}

fn parse(credential: &str) -> Config {
    let text = format!(
        "elements: {{ client_id: app, api_url: 'http://127.0.0.1:1', {credential} }}\ntenants: [{{ customer_id: \
         966f35cc-61f4-4070-819c-25cdbcf82a07, tenant_id: 0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec }}]\n"
    );
    let source = Source {
        name: "test.yaml",
        base_dir: &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates"),
        env: &|_| None,
        now: NOW,
    };
    Config::parse(&text, &source).unwrap()
}
