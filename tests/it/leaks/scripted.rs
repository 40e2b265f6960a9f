//! An upstream that answers with what no simulator of a real service would: planted text in the place of
//! everything, also where HTTP has no place for it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const TOKEN: &str = r#"{"access_token":"planted-token","expires_in":3600,"token_type":"Bearer","refresh_token":"planted-refresh-token"}"#;

/// Bodies that are no page of AvePoint's, sent with 200 unless they begin with `HTTP/`.
pub(super) const PAGES: &[&str] = &[
    r#"{"data":[{"id":"planted","status":"planted","moduleStatus":3}]}"#,
    r#"{"data":[{"id":"planted","status":["planted"],"moduleStatus":"planted"}]}"#,
    r#"{"data":[{"id":"planted","status":{"planted":1},"moduleStatus":[{"module":"planted","isProtected":true}]}]}"#,
    r#"{"data":[{"id":"planted","status":"x, expected planted at line 1 column 2","moduleStatus":[{"module":0,"isProtected":"planted"}]}]}"#,
    r#"{"data":[{"id":"planted","isTestUser":"planted","moduleStatus":{"planted":1}}]}"#,
    r#"{"data":[{"id":["planted"]}]}"#,
    r#"{"data":[{"id":{"planted":"planted"}}]}"#,
    r#"{"data":[{"displayName":"planted"}]}"#,
    r#"{"data":["planted"]}"#,
    r#"{"data":"planted"}"#,
    r#"{"data":{"planted":[]}}"#,
    r#"{"planted":"planted"}"#,
    r#""planted""#,
    r"planted",
    r#"["planted"]"#,
    r#"{"data":[{"id":"planted"#,
    r#"{"data":[{"id":"planted\x"}]}"#,
    r#"{"data":[{"id":"planted"}],"metadata":"planted"}"#,
    r#"{"data":[{"id":"planted"}],"metadata":{"totalCount":"planted"}}"#,
    r#"{"data":[{"id":"planted"}],"nextLink":{"planted":1}}"#,
    r#"{"data":[{"id":"planted"}],"nextLink":"https://planted.example/planted?planted=planted"}"#,
    r#"{"data":[{"id":"planted"}],"metadata":{"nextLink":"http://[planted"}}"#,
    r#"{"data":[{"id":"planted"}],"nextLink":"https://planted:planted@127.0.0.1/"}"#,
    "HTTP/1.1 400 planted\r\nrequest-id: planted\r\nContent-Length: 7\r\n\r\nplanted",
    "HTTP/1.1 400 planted\r\nrequest-id: Bearer planted-token\r\nContent-Length: 7\r\n\r\nplanted",
    "HTTP/1.1 401 planted\r\nWWW-Authenticate: planted\r\nContent-Length: 7\r\n\r\nplanted",
    "HTTP/1.1 403 planted\r\nrequest-id: planted\r\nContent-Length: 7\r\n\r\nplanted",
    "HTTP/1.1 404 planted\r\nContent-Length: 7\r\n\r\nplanted",
    "HTTP/1.1 418 planted\r\nContent-Length: 7\r\n\r\nplanted",
    "HTTP/1.1 429 planted\r\nRetry-After: planted\r\nContent-Length: 7\r\n\r\nplanted",
    "HTTP/1.1 500 planted\r\nContent-Length: 7\r\n\r\nplanted",
    "HTTP/1.1 302 planted\r\nLocation: https://planted.example/planted\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 302 planted\r\nLocation: planted://\x01planted\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 299 planted\r\nContent-Length: 7\r\n\r\nplanted",
    "HTTP/1.1 200 OK\r\nContent-Encoding: planted\r\nContent-Length: 7\r\n\r\nplanted",
    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nplanted",
    "HTTP/1.1 200 OK\r\nContent-Length: planted\r\n\r\nplanted",
    "HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\nplanted",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nplanted\r\nplanted",
    "HTTP/1.1 200 OK\r\nplanted\x01planted: planted\r\n\r\nplanted",
    "HTTP/1.1 planted planted\r\n\r\nplanted",
    "HTTP/planted\r\n\r\nplanted",
];

/// The same for Partner Center.
pub(super) const PARTNER_PAGES: &[&str] = &[
    r#"{"items":[{"id":"planted","lastDirectorySyncTime":"planted"}]}"#,
    r#"{"items":[{"id":"planted","softDeletionTime":"planted"}]}"#,
    r#"{"items":[{"id":"planted","passwordProfile":{"password":"planted","forceChangePassword":"planted"}}]}"#,
    r#"{"items":[{"id":"planted","passwordProfile":{"password":"planted"},"state":{"planted":1}}]}"#,
    r#"{"items":[{"id":"planted","userDomainType":["planted"]}]}"#,
    r#"{"items":[{"id":["planted"]}]}"#,
    r#"{"items":[{"displayName":"planted","passwordProfile":{"password":"planted"}}]}"#,
    r#"{"items":["planted"]}"#,
    r#"{"items":"planted"}"#,
    r#"{"planted":"planted"}"#,
    r"planted",
    r#"{"items":[{"id":"planted","passwordProfile":{"password":"planted"#,
    r#"{"items":[{"id":"planted\x"}]}"#,
    r#"{"items":[{"id":"planted"}],"links":"planted"}"#,
    r#"{"items":[{"id":"planted"}],"links":{"next":"planted"}}"#,
    r#"{"items":[{"id":"planted"}],"links":{"next":{"uri":"https://planted.example/planted?planted=planted"}}}"#,
    r#"{"items":[{"id":"planted"}],"links":{"next":{"uri":"http://[planted"}}}"#,
    r#"{"items":[{"id":"planted"}],"links":{"next":{"uri":"/customers/planted","headers":[{"key":"MS-ContinuationToken","value":"planted\u0001"}]}}}"#,
    "HTTP/1.1 400 planted\r\nMS-RequestId: planted\r\nMS-CorrelationId: planted\r\nContent-Length: 7\r\n\r\nplanted",
    "HTTP/1.1 403 planted\r\nMS-RequestId: Bearer planted-token\r\nContent-Length: 53\r\n\r\n{\"code\":900420,\"description\":\"planted\",\"data\":[\"p\"]}",
    "HTTP/1.1 401 planted\r\nWWW-Authenticate: planted\r\nContent-Length: 7\r\n\r\nplanted",
    "HTTP/1.1 302 planted\r\nLocation: https://planted.example/planted\r\nContent-Length: 0\r\n\r\n",
];

/// Answers of the token service that hold no token to use, in the same form.
pub(super) const TOKENS: &[&str] = &[
    "planted",
    r#"{"access_token":["planted"],"expires_in":3600}"#,
    r#"{"access_token":"planted\nplanted","expires_in":3600,"token_type":"Bearer"}"#,
    r#"{"access_token":"planted","expires_in":"planted","token_type":"planted"}"#,
    r#"{"access_token":"planted-token","expires_in":3600,"token_type":"planted"}"#,
    "HTTP/1.1 400 planted\r\nrequest-id: planted\r\nContent-Length: 59\r\n\r\n{\"error\":\"planted\",\"error_description\":\"planted planted ok\"}",
    "HTTP/1.1 401 planted\r\nContent-Length: 61\r\n\r\n{\"error\":\"invalid_client\",\"error_description\":\"planted-secret\"}",
    "HTTP/1.1 302 planted\r\nLocation: https://planted.example/planted\r\nContent-Length: 0\r\n\r\n",
    "HTTP/planted\r\n\r\nplanted",
];

/// The upstream. It ends when it is dropped.
pub(super) struct Scripted {
    url: String,
    pages: &'static [&'static str],
    sent: Arc<Mutex<BTreeSet<usize>>>,
    _tasks: JoinSet<()>,
}

impl Scripted {
    /// Gives a good token, and to tenant `n` page `n`, whatever is asked about it.
    pub(super) async fn with_pages(pages: &'static [&'static str]) -> Self {
        Self::start(TOKEN, pages).await
    }

    /// Gives this token.
    pub(super) async fn with_token(token: &'static str) -> Self {
        Self::start(token, PAGES).await
    }

    async fn start(token: &'static str, pages: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sent = Arc::<Mutex<BTreeSet<usize>>>::default();
        let all = Arc::clone(&sent);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, token, pages, Arc::clone(&all)));
            }
        });
        Self {
            url,
            pages,
            sent,
            _tasks: tasks,
        }
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// The answers that nobody asked for.
    pub(super) fn unsent(&self) -> Vec<usize> {
        let sent = self.sent.lock().unwrap();
        (0..self.pages.len())
            .filter(|n| !sent.contains(n))
            .collect()
    }
}

/// Answers one request; its head comes in one piece from loopback, and its body is of no interest.
async fn answer(
    mut stream: TcpStream,
    token: &'static str,
    pages: &'static [&'static str],
    sent: Arc<Mutex<BTreeSet<usize>>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    let n = stream.read(&mut buffer).await.unwrap_or(0);
    let head = String::from_utf8_lossy(&buffer[..n]).into_owned();
    let body = if head.starts_with("POST /token ") {
        token
    } else {
        // AvePoint's path of a tenant goes on with its id, and so does Partner Center's.
        let tenant = head
            .split_once("/tenants/")
            .or_else(|| head.split_once("/v1/customers/"));
        let Some((_, rest)) = tenant else {
            return;
        };
        assert!(
            head.to_lowercase().contains("bearer planted-token"),
            "{head}"
        );
        let n = usize::from_str_radix(&rest[..8], 16).unwrap();
        sent.lock().unwrap().insert(n);
        pages[n]
    };
    let text = if body.starts_with("HTTP/") {
        body.to_owned()
    } else {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
    // Until the client has closed too: closing with its bytes unread would be a reset.
    while let Ok(1..) = stream.read(&mut buffer).await {}
}
