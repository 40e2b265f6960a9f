//! The pages and who may ask for them how.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, HeaderMap, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use prometheus::{IntCounterVec, Registry, register_int_counter_vec_with_registry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use url::form_urlencoded;

use crate::bundle::{FOLDERS, Folder};
use crate::domain::{Clock, TenantId, Timestamp};
use crate::exposition::{Body, Own};
use crate::scheduler::Demand;
use crate::snapshot::Snapshots;
use crate::upstream::Stats;

use super::answers::{
    JSON, TEXT, encoded, html, not_allowed, respond, text, too_many, with_header,
};
use super::encoding::{accepts_gzip, preferred_format};
use super::files;
use super::lock::{Lock, Verdict};
use super::parts::Parts;
use super::reload::Reload;
use super::status::{self, StorageStatus};
use super::traffic::{Connection, Traffic};

/// The exporter is ready after this time in any case: a tenant that hangs must not keep the others from
/// being scraped.
const READY_AFTER: Duration = Duration::from_secs(120);

/// What the pages show.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The tenants' series, rendered.
    pub tenants: watch::Receiver<Body>,
    /// The snapshot, for people and scripts.
    pub snapshots: Snapshots,
    /// How saving for a restart goes; `None` without it.
    pub storage: watch::Receiver<Option<StorageStatus>>,
    /// What is known of the APIs and the credentials, and what is wrong.
    pub upstream: Stats,
    /// The configuration in force, as YAML.
    pub config: watch::Receiver<Arc<str>>,
    /// When the configuration in force was read.
    pub read_at: watch::Receiver<Timestamp>,
    /// The exporter's own series.
    pub registry: Registry,
    /// Tells the time of day.
    pub clock: Clock,
    /// Reads the configuration again; `None` where nobody may ask for that.
    pub reload: Option<Reload>,
    /// Polls a tenant at once; `None` where nobody may ask for that.
    pub demand: Option<Demand>,
}

/// The pages of the exporter.
#[derive(Debug, Clone)]
pub struct Pages {
    sources: Sources,
    own: Arc<Own>,
    telemetry_path: String,
    scrapes: Arc<Semaphore>,
    lock: Option<Arc<Lock>>,
    started: Timestamp,
    /// Once ready, always ready.
    was_ready: Arc<AtomicBool>,
    requests: IntCounterVec,
    /// Whether these are only health and readiness.
    are_probes: bool,
}

impl Pages {
    /// The pages, with the exposition at `telemetry_path`, and at most `max_requests` times at once this and the
    /// status.
    ///
    /// # Errors
    /// When the registry holds the counter of requests already.
    pub fn new(
        sources: Sources,
        telemetry_path: String,
        max_requests: usize,
    ) -> prometheus::Result<Self> {
        let requests = register_int_counter_vec_with_registry!(
            "avepoint_exporter_http_requests_total",
            "HTTP requests that the exporter answered.",
            &["handler", "code"],
            sources.registry
        )?;
        Ok(Self {
            started: sources.clock.now(),
            was_ready: Arc::default(),
            own: Arc::new(Own::new(sources.registry.clone())),
            sources,
            telemetry_path,
            scrapes: Arc::new(Semaphore::new(max_requests)),
            lock: None,
            requests,
            are_probes: false,
        })
    }

    /// The same behind the locks of a web configuration, if there is one.
    #[must_use]
    pub fn locked(self, lock: Option<Arc<Lock>>) -> Self {
        Self { lock, ..self }
    }

    /// The locks of a web configuration.
    pub(super) fn lock(&self) -> Option<&Lock> {
        self.lock.as_deref()
    }

    /// Of these pages health and readiness alone, for those who cannot open the locks of the others.
    pub fn probes(&self) -> Self {
        Self {
            are_probes: true,
            lock: None,
            ..self.clone()
        }
    }

    /// Answers a request. Its body is of no interest.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Parts> {
        let (request, _) = request.into_parts();
        let path = request.uri.path();
        let handler = if path == self.telemetry_path {
            "metrics"
        } else {
            handler(path).unwrap_or("other")
        };
        let handler = match handler {
            "healthy" | "ready" => handler,
            _ if self.are_probes => "other",
            _ => handler,
        };
        let response = match self.decide(&request).await {
            None => self.page(handler, &request).await,
            Some(Verdict::Admitted(rules)) => rules.dressed(self.page(handler, &request).await),
            Some(Verdict::Refused(response)) => response,
        };
        self.requests
            .with_label_values(&[handler, response.status().as_str()])
            .inc();
        let nosniff = HeaderValue::from_static("nosniff");
        let response = with_header(response, X_CONTENT_TYPE_OPTIONS, nosniff);
        if request.method != Method::HEAD {
            return response;
        }
        // hyper leaves the body out over HTTP/1, but not over HTTP/2.
        let (head, body) = response.into_parts();
        let (body, length) = body.left_out();
        with_header(
            Response::from_parts(head, body),
            CONTENT_LENGTH,
            length.into(),
        )
    }

    /// What the web configuration says of a request, if there is one.
    async fn decide(&self, request: &http::request::Parts) -> Option<Verdict> {
        match &self.lock {
            Some(lock) => Some(lock.decide(&request.headers).await),
            None => None,
        }
    }

    /// The page of a handler.
    async fn page(&self, handler: &str, request: &http::request::Parts) -> Response<Parts> {
        let path = request.uri.path();
        let reads = matches!(request.method, Method::GET | Method::HEAD);
        match handler {
            "other" if self.are_probes => text(
                StatusCode::NOT_FOUND,
                "not found; this address has only /-/healthy and /-/ready\n",
            ),
            "other" => not_found(),
            "reload" if request.method == Method::POST => self.reload().await,
            "poll" if request.method == Method::POST => self.poll(request.uri.query()).await,
            "reload" | "poll" => not_allowed("POST", "only POST is allowed\n"),
            _ if !reads => not_allowed("GET, HEAD", "only GET and HEAD are allowed\n"),
            "metrics" => match self.place(request).await {
                Some(permit) => self.metrics(permit, &request.headers),
                None => too_many(),
            },
            "status" => match self.place(request).await {
                Some(permit) => self.status(permit, accepts_gzip(&request.headers)).await,
                None => too_many(),
            },
            "config" => match self.place(request).await {
                Some(permit) => self.config(permit, accepts_gzip(&request.headers)).await,
                None => too_many(),
            },
            "ready" => self.ready(),
            "healthy" => text(StatusCode::OK, "avepoint-exporter is healthy\n"),
            "root" => self.root(),
            _ => files::folder(path).map_or_else(not_found, |(folder, rest)| {
                files::answer(folder, rest, accepts_gzip(&request.headers))
            }),
        }
    }

    async fn reload(&self) -> Response<Parts> {
        let Some(reload) = &self.sources.reload else {
            return disabled("reload");
        };
        let reloaded = reload.ask().await;
        if let Some(lock) = &self.lock
            && let Err(error) = lock.reread().await
        {
            let why = format!(
                "the web configuration is wrong, so every page answers 500 until it is right:\n{error}\n"
            );
            return respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, why);
        }
        match reloaded {
            Ok(()) => text(StatusCode::OK, "configuration reloaded\n"),
            Err(error) => respond(
                StatusCode::INTERNAL_SERVER_ERROR,
                TEXT,
                format!(
                    "failed to reload the configuration; the previous one stays in force:\n{error}\n"
                ),
            ),
        }
    }

    async fn poll(&self, query: Option<&str>) -> Response<Parts> {
        let Some(demand) = &self.sources.demand else {
            return disabled("polling a tenant");
        };
        let Some(tenant) = query.and_then(tenant_in) else {
            let why = "expected the query m365_tenant_id=ID with the id of one tenant\n";
            return text(StatusCode::BAD_REQUEST, why);
        };
        match demand.poll(tenant).await {
            Some(true) => text(
                StatusCode::ACCEPTED,
                "polling the tenant now; /api/v1/status shows the result\n",
            ),
            Some(false) => text(
                StatusCode::NOT_FOUND,
                "no tenant with this id is polled; /api/v1/status lists all tenants\n",
            ),
            None => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "the exporter is shutting down\n",
            ),
        }
    }

    fn metrics(&self, permit: OwnedSemaphorePermit, headers: &HeaderMap) -> Response<Parts> {
        let (format, gzip) = (preferred_format(headers), accepts_gzip(headers));
        let own = self.own.packed(format);
        let tenants = self.sources.tenants.borrow();
        let body = Parts::packed([tenants.form(format), &own], gzip).holding(permit);
        let content_type = HeaderValue::from_static(format.content_type());
        let vary = HeaderValue::from_static("Accept, Accept-Encoding");
        with_header(encoded(body, content_type, gzip), VARY, vary)
    }

    async fn status(&self, permit: OwnedSemaphorePermit, gzip: bool) -> Response<Parts> {
        let snapshot = Arc::clone(&self.sources.snapshots.borrow());
        let own = status::Own {
            upstream: self.sources.upstream.clone(),
            storage: self.sources.storage.borrow().clone(),
            read_at: *self.sources.read_at.borrow(),
        };
        let now = self.sources.clock.now();
        let render = move || status::render(&snapshot, &own, now).ok().map(Bytes::from);
        current(render, JSON, gzip, permit).await
    }

    async fn config(&self, permit: OwnedSemaphorePermit, gzip: bool) -> Response<Parts> {
        let config = Arc::clone(&self.sources.config.borrow());
        let render = move || Some(Bytes::copy_from_slice(config.as_bytes()));
        current(render, files::YAML, gzip, permit).await
    }

    /// A place among the large answers that are rendered and sent at once.
    async fn place(&self, request: &http::request::Parts) -> Option<OwnedSemaphorePermit> {
        let traffic = request.extensions.get::<Arc<Traffic>>();
        match traffic.zip(request.extensions.get::<Arc<Connection>>()) {
            Some((traffic, connection)) => traffic.take(&self.scrapes, connection).await,
            None => Arc::clone(&self.scrapes).try_acquire_owned().ok(),
        }
    }

    fn ready(&self) -> Response<Parts> {
        // By the pages that are served, not by the snapshot: it is rendered a moment later.
        let has_figures = self.sources.tenants.borrow().is_ready;
        let is_late = self.sources.clock.now().since(self.started) >= READY_AFTER;
        let is_ready = has_figures || is_late;
        if self.was_ready.fetch_or(is_ready, Ordering::Relaxed) || is_ready {
            text(StatusCode::OK, "avepoint-exporter is ready\n")
        } else {
            text(
                StatusCode::SERVICE_UNAVAILABLE,
                "the first round of polls is still running\n",
            )
        }
    }

    fn root(&self) -> Response<Parts> {
        let metrics = &self.telemetry_path;
        let mut content = format!(
            "<p>Version {}.</p>\n<ul>\n\
             <li><a href=\"{metrics}\">{metrics}</a>: the metrics for Prometheus</li>\n\
             <li><a href=\"/api/v1/status\">/api/v1/status</a>: the state of every collector of each tenant, as \
             JSON</li>\n\
             <li><a href=\"/config\">/config</a>: the configuration in force, with defaults and without secrets</li>\n\
             <li><a href=\"/-/healthy\">/-/healthy</a>: 200 while the exporter serves</li>\n\
             <li><a href=\"/-/ready\">/-/ready</a>: 200 after the first poll of every listing and after discovery, \
             immediately after a warm start, or after 2 minutes</li>\n\
             <li>/-/reload: reloads the configuration on POST, with --web.enable-lifecycle</li>\n\
             <li>/-/poll?m365_tenant_id=ID: polls one tenant now on POST, with --web.enable-lifecycle</li>\n",
            env!("CARGO_PKG_VERSION"),
        );
        for Folder { name, purpose, .. } in FOLDERS {
            let _ = writeln!(
                content,
                "<li><a href=\"/{name}/\">/{name}/</a>: {purpose}</li>"
            );
        }
        content.push_str("</ul>\n");
        html("avepoint-exporter", &content)
    }
}

/// A page that differs from one moment to the next, and has some megabytes for a large fleet, which are not to hold up the
/// scrapes.
async fn current(
    render: impl FnOnce() -> Option<Bytes> + Send + 'static,
    content_type: HeaderValue,
    gzip: bool,
    permit: OwnedSemaphorePermit,
) -> Response<Parts> {
    let rendered =
        tokio::task::spawn_blocking(move || Some(Parts::of_text(render()?, gzip).holding(permit)));
    let Ok(Some(body)) = rendered.await else {
        let why = "failed to render the page; see the log\n";
        return text(StatusCode::INTERNAL_SERVER_ERROR, why);
    };
    let response = encoded(body, content_type, gzip);
    with_header(
        response,
        CACHE_CONTROL,
        HeaderValue::from_static("no-store"),
    )
}

/// The tenant that a query names, if it names one and nothing else.
fn tenant_in(query: &str) -> Option<TenantId> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (name, id) = pairs.next()?;
    let is_one = name == "m365_tenant_id" && pairs.next().is_none();
    is_one.then(|| id.parse().ok())?
}

fn disabled(what: &str) -> Response<Parts> {
    let why = format!(
        "{what} over HTTP is disabled; start `serve` with --web.enable-lifecycle to enable it\n"
    );
    respond(StatusCode::FORBIDDEN, TEXT, why)
}

fn not_found() -> Response<Parts> {
    text(StatusCode::NOT_FOUND, "not found; / lists all pages\n")
}

/// The page at a path, except the exposition, whose path is configured.
fn handler(path: &str) -> Option<&'static str> {
    match path {
        "/" => Some("root"),
        "/api/v1/status" => Some("status"),
        "/config" => Some("config"),
        "/-/healthy" => Some("healthy"),
        "/-/ready" => Some("ready"),
        "/-/reload" => Some("reload"),
        "/-/poll" => Some("poll"),
        _ => files::folder(path).map(|(folder, _)| folder.name),
    }
}

/// Whether there is a page at this path, so that the exposition cannot be there.
pub fn is_taken(path: &str) -> bool {
    handler(path).is_some()
}
