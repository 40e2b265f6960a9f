//! One request, one answer: connections, deadlines and bounds on the size of an answer. It knows nothing of tries,
//! tokens or statuses.

use std::error::Error as _;
use std::time::Duration;

use anyhow::Context as _;
use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use reqwest::redirect;
use tokio::time::Instant;
use url::Url;

use crate::config::HttpSettings;
use crate::domain::{Api, Clock, PromDuration};

use super::body::{Body, TooLarge};
use super::clock_skew;
use super::encoding;
use super::fault::Fault;
use super::peer::{Peers, ignores_environment};
use super::request_id::RequestId;
use super::retry_after::retry_after;
use super::stats::Stats;
use super::trust::Untrusted;

/// The most that is read (and thrown away) of an answer without success, so that its connection can be used
/// again.
const ERROR_BODY_BYTES: usize = 64 * 1024;

/// The longest that reading it may take.
const ERROR_BODY_TIME: Duration = Duration::from_secs(1);

/// The headers in which AvePoint, Partner Center and Microsoft's token service name a request.
const REQUEST_IDS: [&str; 3] = ["request-id", "ms-requestid", "x-ms-request-id"];

/// The header in which Partner Center tells of multi-factor authentication, when it is asked to.
const MFA_COMPLIANT: &str = "ismfacompliant";

/// The longest text of an error that is shown.
const ERROR_TEXT_CHARS: usize = 200;

/// The connections to all hosts.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    client: reqwest::Client,
    connect_timeout: Duration,
    peers: Peers,
    pub(crate) stats: Stats,
    pub(crate) clock: Clock,
}

/// A request, as far as it differs from others.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) api: Api,
    /// The path with placeholders for ids, for metrics and logs.
    pub(crate) route: &'static str,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: &'a [u8],
    /// The most that is read of the answer, both as sent and decoded.
    pub(crate) max_bytes: usize,
    /// From connecting to the last byte.
    pub(crate) timeout: Duration,
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) request_id: Option<RequestId>,
    pub(crate) retry_after: Option<Duration>,
    /// Whether Partner Center says that the user of the token signed in with a second factor, where it says so.
    pub(crate) is_mfa_compliant: Option<bool>,
    /// Decoded. It may be cut short unless the answer is a success.
    pub(crate) body: Body,
}

/// There is no answer, or none that could be read to its end.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    pub(crate) fault: Fault,
    /// If the answer's head came.
    pub(crate) request_id: Option<RequestId>,
}

#[cfg(test)]
impl Answer {
    /// An answer that asks to wait seven seconds.
    pub(crate) fn of(status: u16, text: &str) -> Self {
        let mut body = Body::new(text.len(), 0);
        body.add(text.as_bytes()).unwrap();
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            request_id: None,
            retry_after: Some(Duration::from_secs(7)),
            is_mfa_compliant: None,
            body,
        }
    }
}

#[cfg(test)]
impl NoAnswer {
    pub(crate) fn of(fault: Fault) -> Self {
        Self {
            fault,
            request_id: None,
        }
    }
}

/// The head of an answer, as far as it matters beside the body.
struct Head {
    status: StatusCode,
    request_id: Option<RequestId>,
}

impl Transport {
    /// Connections to these addresses.
    ///
    /// # Errors
    /// When TLS cannot be set up with the given certificates or the proxy's address is none.
    pub(crate) fn new(
        config: &HttpSettings,
        urls: [&Url; 2],
        stats: Stats,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let client = match builder(config, urls)?.build() {
            // Perhaps a machine without a store of root certificates, such as an empty container.
            Err(error) if error.is_builder() => {
                let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
                let roots = roots
                    .iter()
                    .map(|der| reqwest::Certificate::from_der(der))
                    .collect::<Result<Vec<_>, _>>()?;
                let client = builder(config, urls)?
                    .tls_certs_only(roots.into_iter().chain(extra_roots(config)?))
                    .build();
                if client.is_ok() {
                    tracing::warn!(
                        "no system certificate store; using the bundled root certificates"
                    );
                }
                client
            }
            client => client,
        };
        Ok(Self {
            client: client.context("failed to set up TLS; check elements.ca_file")?,
            connect_timeout: config.connect_timeout,
            peers: Peers::new(config, urls),
            stats,
            clock,
        })
    }

    /// Sends a request and reads its whole answer.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Answer, NoAnswer> {
        let Request {
            api,
            route,
            timeout,
            ..
        } = request;
        let url = request.url.clone();
        let in_flight = InFlight::new(&self.stats, api);
        let start = Instant::now();
        let mut head = None;
        let exchange = self.exchange(request, &mut head);
        let answer = tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or(Err(Fault::Timeout(String::new())));
        drop(in_flight);
        let code = head
            .as_ref()
            .map_or("none", |head: &Head| head.status.as_str());
        self.stats
            .requests
            .with_label_values(&[api.as_str(), route, code])
            .inc();
        self.stats.took(api, route, start.elapsed(), answer.is_ok());
        if let Ok(answer) = &answer {
            let bytes = self
                .stats
                .response_bytes
                .with_label_values(&[api.as_str(), route]);
            bytes.inc_by(answer.body.len() as u64);
        }
        answer.map_err(|fault| NoAnswer {
            fault: fault.with(|| self.peers.to(&url)),
            request_id: head.and_then(|head| head.request_id),
        })
    }

    async fn exchange(
        &self,
        request: Request<'_>,
        head: &mut Option<Head>,
    ) -> Result<Answer, Fault> {
        let sent = self
            .client
            .request(request.method, request.url)
            .headers(request.headers)
            .header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))
            .body(request.body.to_vec())
            .send();
        let api = request.api;
        let response = sent.await.map_err(|error| self.unconnected(error))?;
        let status = response.status();
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let request_id = REQUEST_IDS
            .iter()
            .find_map(|name| RequestId::from_header(header(name)?));
        *head = Some(Head {
            status,
            request_id: request_id.clone(),
        });
        let now = self.clock.now();
        let theirs = clock_skew::time_of(response.headers());
        if let Some(theirs) = theirs {
            self.stats.saw_clock(api, now, theirs);
        }
        let retry_after = retry_after(response.headers(), theirs.unwrap_or(now));
        let is_mfa_compliant =
            header(MFA_COMPLIANT).and_then(|value| value.trim().to_ascii_lowercase().parse().ok());
        let body = if status.is_success() {
            whole_body(response, request.max_bytes).await?
        } else {
            // It is of use for tokens only, and never needed: the status counts even if the body cannot be read.
            let body = whole_body(response, request.max_bytes.min(ERROR_BODY_BYTES));
            tokio::time::timeout(ERROR_BODY_TIME, body)
                .await
                .ok()
                .and_then(Result::ok)
                .unwrap_or_else(|| Body::new(0, 0))
        };
        Ok(Answer {
            status,
            request_id,
            retry_after,
            is_mfa_compliant,
            body,
        })
    }

    /// Why a request was not answered at all.
    fn unconnected(&self, error: reqwest::Error) -> Fault {
        if error.is_connect() && error.is_timeout() {
            let patience = PromDuration(self.connect_timeout);
            return Fault::connection(format!(
                "no connection within {patience} (elements.connect_timeout)"
            ));
        }
        broken(error)
    }
}

/// Reads a body to its end, and decodes it.
async fn whole_body(mut response: reqwest::Response, max_bytes: usize) -> Result<Body, Fault> {
    let layers = encoding::layers(response.headers());
    let mut body = Body::new(max_bytes, response.content_length().unwrap_or(0));
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        body.add(&chunk)
            .map_err(|TooLarge| Fault::TooLarge { max_bytes })?;
    }
    // A 204 may say how the body is encoded that it does not have.
    if !body.is_empty() {
        for _ in 0..layers? {
            body = encoding::gunzip(&body, max_bytes)?;
        }
    }
    Ok(body)
}

fn builder(config: &HttpSettings, urls: [&Url; 2]) -> anyhow::Result<reqwest::ClientBuilder> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("avepoint-exporter/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(config.connect_timeout)
        .redirect(redirect::Policy::none())
        // So that the rate limiter and the counters see every try.
        .retry(reqwest::retry::never())
        .tls_certs_merge(extra_roots(config)?);
    if let Some(proxy) = &config.proxy_url {
        // The error would quote the address, which may hold a password.
        let proxy = reqwest::Proxy::all(proxy.expose())
            .map_err(|_| anyhow::anyhow!("elements.proxy_url is not a valid URL"))?;
        builder = builder.proxy(proxy);
    } else if ignores_environment(urls) {
        builder = builder.no_proxy();
    }
    Ok(builder)
}

fn extra_roots(config: &HttpSettings) -> anyhow::Result<Vec<reqwest::Certificate>> {
    match &config.ca_pem {
        Some(pem) => {
            reqwest::Certificate::from_pem_bundle(pem).context("failed to read elements.ca_file")
        }
        None => Ok(Vec::new()),
    }
}

/// An error of the HTTP client, by its first cause and without the address (its ids have fields of their own
/// in the log). Cut to a length that fits a line: a certificate may be for very many names.
fn broken(error: reqwest::Error) -> Fault {
    if error.is_timeout() {
        return Fault::Timeout(String::new());
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    match Untrusted::read(&text) {
        Some(untrusted) => Fault::Untrusted(String::new(), untrusted),
        None => Fault::connection(text.chars().take(ERROR_TEXT_CHARS).collect()),
    }
}

/// Counts a request as under way until it is dropped, also when its poll is cancelled.
struct InFlight(prometheus::IntGauge);

impl InFlight {
    fn new(stats: &Stats, api: Api) -> Self {
        let gauge = stats.in_flight.with_label_values(&[api.as_str()]);
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_server_that_sends_interim_answers_for_ever_is_left_at_the_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}/", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let flood = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Without a request, an answer is no answer.
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            let heads = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(1000);
            // It ends once nobody reads any more.
            while stream.write_all(heads.as_bytes()).await.is_ok() {}
        });
        let timeout = Duration::from_millis(100);
        let config = HttpSettings {
            timeout,
            connect_timeout: Duration::from_secs(5),
            retry_deadline: timeout,
            ca_pem: None,
            proxy_url: None,
        };
        let stats = Stats::register(&Registry::new()).unwrap();
        let transport = Transport::new(&config, [&url, &url], stats, Clock::system()).unwrap();
        let request = Request {
            api: Api::Elements,
            route: "/",
            method: Method::GET,
            url: url.clone(),
            headers: HeaderMap::new(),
            body: &[],
            max_bytes: 100,
            timeout,
        };
        let failed = transport.send(request).await.unwrap_err();
        assert!(matches!(failed.fault, Fault::Timeout(_)), "{failed:?}");
        flood.await.unwrap();
    }
}
