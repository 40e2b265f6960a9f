//! One request, one answer: connections, deadlines and bounds on what is read. Knows nothing of tries,
//! tokens or JSON.

use std::error::Error as _;
use std::io::Read as _;
use std::time::Duration;

use anyhow::Context as _;
use flate2::bufread::MultiGzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use reqwest::redirect;
use tokio::time::Instant;
use url::Url;

use crate::config::Elements;
use crate::domain::{Clock, Timestamp};

use super::request_id::RequestId;
use super::retry::Failure;
use super::stats::{Api, Stats};

/// Of an answer that is no success, at most this much is read (and thrown away), so that its connection
/// can be used again.
const ERROR_BODY_BYTES: usize = 64 * 1024;

/// The connections to all hosts.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    client: reqwest::Client,
    stats: Stats,
    clock: Clock,
}

/// A request, as far as it differs from others.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) api: Api,
    /// The path with placeholders for ids, for metrics and logs.
    pub(super) route: &'static str,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: &'a [u8],
    /// The most that is read of the answer, both as sent and decoded.
    pub(super) max_bytes: usize,
    /// From connecting to the last byte.
    pub(super) timeout: Duration,
}

/// An answer with its whole body.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) request_id: Option<RequestId>,
    pub(super) retry_after: Option<Duration>,
    /// Decoded. Of an answer that is no success it may be cut short.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    Timeout,
    Connection(String),
    /// Larger than asked for.
    TooLarge {
        max_bytes: usize,
    },
    /// The compressed body ends in the middle.
    Truncated,
    /// The body's encoding is broken, or one that was not offered.
    Encoding(&'static str),
}

impl NoAnswer {
    /// What it means for another try.
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Timeout | Self::Connection(_) => Failure::NoAnswer,
            Self::Truncated => Failure::CutBody,
            Self::TooLarge { .. } | Self::Encoding(_) => Failure::Final,
        }
    }
}

impl Transport {
    /// # Errors
    /// When TLS cannot be set up with the given certificates or the proxy's address is none.
    pub(super) fn new(config: &Elements, stats: Stats, clock: Clock) -> anyhow::Result<Self> {
        let client = match builder(config)?.build() {
            // A machine without a store of root certificates, such as an empty container.
            Err(error) if error.is_builder() => {
                let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
                let roots = roots
                    .iter()
                    .map(|der| reqwest::Certificate::from_der(der))
                    .collect::<Result<Vec<_>, _>>()?;
                let client = builder(config)?
                    .tls_certs_only(roots.into_iter().chain(extra_roots(config)?))
                    .build();
                tracing::warn!(
                    "this machine has no certificate store; trusting the bundled root certificates"
                );
                client
            }
            client => client,
        };
        Ok(Self {
            client: client.context("failed to set up the HTTP client")?,
            stats,
            clock,
        })
    }

    /// Sends a request and reads its whole answer.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Answer, NoAnswer> {
        let Request {
            api,
            route,
            timeout,
            ..
        } = request;
        let in_flight = InFlight::new(&self.stats, api);
        let start = Instant::now();
        let mut code = None;
        let answer = match tokio::time::timeout(timeout, self.exchange(request, &mut code)).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer::Timeout),
        };
        drop(in_flight);
        let code = code.map_or_else(
            || "none".to_owned(),
            |code: StatusCode| code.as_u16().to_string(),
        );
        self.stats
            .requests
            .with_label_values(&[api.as_str(), route, &code])
            .inc();
        let duration = self
            .stats
            .request_duration
            .with_label_values(&[api.as_str(), route]);
        duration.observe(start.elapsed().as_secs_f64());
        if let Ok(answer) = &answer {
            let bytes = self
                .stats
                .response_bytes
                .with_label_values(&[api.as_str(), route]);
            bytes.inc_by(answer.body.len() as u64);
        }
        answer
    }

    async fn exchange(
        &self,
        request: Request<'_>,
        code: &mut Option<StatusCode>,
    ) -> Result<Answer, NoAnswer> {
        let mut response = self
            .client
            .request(request.method, request.url)
            .headers(request.headers)
            .header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))
            .body(request.body.to_vec())
            .send()
            .await
            .map_err(connection)?;
        let status = response.status();
        *code = Some(status);
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let request_id = header("request-id").and_then(RequestId::from_header);
        let retry_after =
            header(RETRY_AFTER.as_str()).and_then(|value| retry_after(value, self.clock.now()));
        let success = status.is_success();
        let gzip = match header(CONTENT_ENCODING.as_str()) {
            None | Some("identity") => false,
            Some("gzip") => true,
            // What a failure says beside its status is of use for tokens only, and never needed.
            Some(_) if !success => false,
            Some(_) => {
                return Err(NoAnswer::Encoding(
                    "it is encoded in a way that was not offered",
                ));
            }
        };
        let max_bytes = if success {
            request.max_bytes
        } else {
            request.max_bytes.min(ERROR_BODY_BYTES)
        };
        let mut body = Vec::new();
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Err(error) if success => return Err(connection(error)),
                Ok(None) | Err(_) => break,
            };
            if body.len() + chunk.len() > max_bytes {
                if success {
                    return Err(NoAnswer::TooLarge { max_bytes });
                }
                break;
            }
            body.extend_from_slice(&chunk);
        }
        // A 204 may say how the body is encoded that it does not have.
        if gzip && !body.is_empty() {
            body = match gunzip(&body, max_bytes) {
                Err(_) if !success => Vec::new(),
                decoded => decoded?,
            };
        }
        Ok(Answer {
            status,
            request_id,
            retry_after,
            body,
        })
    }
}

fn builder(config: &Elements) -> anyhow::Result<reqwest::ClientBuilder> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("avepoint-exporter/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(config.http.connect_timeout)
        .redirect(redirect::Policy::none())
        // So that the rate limiter and the counters see every try.
        .retry(reqwest::retry::never())
        .tls_certs_merge(extra_roots(config)?);
    if let Some(proxy) = &config.http.proxy_url {
        // The error would quote the address, which may hold a password.
        let proxy = reqwest::Proxy::all(proxy.expose())
            .map_err(|_| anyhow::anyhow!("elements.proxy_url is no address"))?;
        builder = builder.proxy(proxy);
    } else if [&config.api_url, &config.token_url]
        .iter()
        .all(|url| url.scheme() == "http")
    {
        // Plain HTTP goes to loopback only, where no proxy of the environment leads.
        builder = builder.no_proxy();
    }
    Ok(builder)
}

fn extra_roots(config: &Elements) -> anyhow::Result<Vec<reqwest::Certificate>> {
    match &config.http.ca_pem {
        Some(pem) => {
            reqwest::Certificate::from_pem_bundle(pem).context("failed to read elements.ca_file")
        }
        None => Ok(Vec::new()),
    }
}

/// An error of the HTTP client without the address (its ids have fields of their own in the log).
fn connection(error: reqwest::Error) -> NoAnswer {
    if error.is_timeout() {
        return NoAnswer::Timeout;
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    NoAnswer::Connection(text)
}

/// Both forms of `Retry-After`: seconds, or a date.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    let date = Timestamp::from_unix(date.duration_since(std::time::UNIX_EPOCH).ok()?);
    Some(date.since(now))
}

/// Decompresses a body of one or more gzip members, at most to `max_bytes`.
fn gunzip(body: &[u8], max_bytes: usize) -> Result<Vec<u8>, NoAnswer> {
    let mut decoded = Vec::new();
    let bound = u64::try_from(max_bytes)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    match MultiGzDecoder::new(body)
        .take(bound)
        .read_to_end(&mut decoded)
    {
        Ok(_) if decoded.len() > max_bytes => Err(NoAnswer::TooLarge { max_bytes }),
        Ok(_) => Ok(decoded),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(NoAnswer::Truncated),
        Err(_) => Err(NoAnswer::Encoding("its gzip encoding is broken")),
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
    use super::*;
    use std::io::Write as _;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_gzip_body_is_bounded_after_decompression() {
        let bomb = gzip(&vec![b' '; 10_000_000]);
        assert!(bomb.len() < 100_000);
        assert!(matches!(
            gunzip(&bomb, 1_000_000),
            Err(NoAnswer::TooLarge {
                max_bytes: 1_000_000
            })
        ));
        assert_eq!(gunzip(&bomb, 10_000_000).unwrap().len(), 10_000_000);
    }

    #[test]
    fn several_gzip_members_are_one_body() {
        let body = [gzip(b"{\"a\":"), gzip(b"1}")].concat();
        assert_eq!(gunzip(&body, 100).unwrap(), b"{\"a\":1}");
    }

    #[test]
    fn a_gzip_body_that_ends_early_is_told_apart_from_a_broken_one() {
        let whole = gzip(b"some text that is long enough to be cut in the middle");
        assert!(matches!(
            gunzip(&whole[..whole.len() - 12], 100),
            Err(NoAnswer::Truncated)
        ));
        assert!(matches!(
            gunzip(b"no gzip at all", 100),
            Err(NoAnswer::Encoding(_))
        ));
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = Timestamp::from_unix(Duration::from_secs(784_111_777));
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after(" 0 ", now), Some(Duration::ZERO));
        assert_eq!(
            retry_after("Sun, 06 Nov 1994 08:51:37 GMT", now),
            Some(Duration::from_secs(120))
        );
        assert_eq!(
            retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now),
            Some(Duration::ZERO)
        );
        for nonsense in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(retry_after(nonsense, now), None, "{nonsense}");
        }
    }
}
