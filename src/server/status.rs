//! The page `/api/v1/status`: what is wrong, and the state of the exporter and of every collector of each tenant, as JSON.
//! It shows no figure of any user.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::domain::{Reason, Target, Timestamp, Unit};
use crate::snapshot::{CollectorSnapshot, LastFailure, Snapshot};
use crate::troubles::Trouble;
use crate::upstream::{ListingSize, Stats};

use super::troubles::{self, FoundTrouble};

/// Renders the snapshot as of this moment.
pub(super) fn render(
    snapshot: &Snapshot,
    own: &Own,
    now: Timestamp,
) -> serde_json::Result<Vec<u8>> {
    let polled = snapshot.targets.iter().map(|one| (&**one, false));
    let gone = snapshot.gone.iter().map(|one| (&**one, true));
    let mut status = Status {
        version: env!("CARGO_PKG_VERSION"),
        now: Time(now),
        totals: Totals::of(snapshot, now),
        troubles: troubles::of(snapshot, &own.upstream, now)
            .into_iter()
            .map(TroubleStatus::of)
            .collect(),
        discovery: DiscoveryStatus::of(snapshot),
        credentials: credentials(&own.upstream),
        apis: apis(&own.upstream),
        reload: ReloadStatus::of(own),
        storage: own.storage.as_ref(),
        partner: Vec::new(),
        customers: Vec::new(),
        tenants: Vec::new(),
    };
    for (known, gone) in polled.chain(gone) {
        let collectors = known.with_health();
        let collectors = collectors
            .map(|one| CollectorStatus::of(one, now))
            .collect();
        match &known.target {
            Target::Partner(_) => status.partner = collectors,
            Target::Customer(customer) => status.customers.push(CustomerStatus {
                customer_id: customer.id.to_string(),
                customer_name: customer.name.as_deref(),
                gone,
                collectors,
            }),
            Target::Tenant(tenant) => status.tenants.push(TenantStatus {
                tenant_id: tenant.tenant_id.to_string(),
                tenant_name: tenant.tenant_name.as_deref(),
                customer_id: tenant.customer_id.to_string(),
                customer_name: tenant.customer_name.as_deref(),
                source: tenant.source.as_str(),
                gone,
                collectors,
            }),
        }
    }
    serde_json::to_vec(&status)
}

/// What the status shows besides the snapshot.
#[derive(Debug)]
pub(super) struct Own {
    /// What is known of the APIs and the credentials, and what is wrong.
    pub(super) upstream: Stats,
    pub(super) storage: Option<StorageStatus>,
    /// When the configuration in force was read.
    pub(super) read_at: Timestamp,
}

/// Where figures are kept over a restart, and how the last write there or its trial went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StorageStatus {
    /// The directory `state_dir`.
    #[serde(rename = "state_dir")]
    pub folder: PathBuf,
    /// What is wrong with it; `None` if nothing is.
    pub error: Option<String>,
}

#[derive(Serialize)]
struct Status<'a> {
    version: &'static str,
    now: Time,
    totals: Totals,
    /// Worst first.
    troubles: Vec<TroubleStatus>,
    discovery: Option<DiscoveryStatus<'a>>,
    credentials: Vec<CredentialStatus>,
    apis: Vec<ApiStatus>,
    reload: ReloadStatus,
    storage: Option<&'a StorageStatus>,
    /// The collectors of the partner, except discovery.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    partner: Vec<CollectorStatus<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    customers: Vec<CustomerStatus<'a>>,
    tenants: Vec<TenantStatus<'a>>,
}

/// Something that is wrong.
#[derive(Serialize)]
struct TroubleStatus {
    severity: &'static str,
    trouble: &'static str,
    /// What is in trouble, such as a credential, an API or a collector.
    subject: &'static str,
    reason: Option<&'static str>,
    cause: String,
    since: Option<Time>,
    next_step: &'static str,
    alert: &'static str,
    /// The path of the runbook here.
    runbook: String,
    /// Some of the tenants or customers that are affected, and how many there are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    examples: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    affected: Option<usize>,
}

impl TroubleStatus {
    fn of(found: FoundTrouble) -> Self {
        let FoundTrouble {
            trouble,
            subject,
            reason,
            cause,
            since,
            examples,
            affected,
        } = found;
        let alert = trouble.alert();
        Self {
            severity: trouble.severity().as_str(),
            trouble: trouble.as_str(),
            subject,
            reason: Some(reason).filter(|reason| !reason.is_empty()),
            cause,
            since: since.map(Time),
            next_step: troubles::next_step(trouble, reason),
            alert,
            runbook: format!("/runbooks/{alert}.md"),
            examples,
            affected: Some(affected).filter(|affected| *affected > 0),
        }
    }
}

#[derive(Serialize)]
struct CredentialStatus {
    credential: String,
    up: Option<bool>,
    reasons: Vec<String>,
    access_token_expires: Option<Time>,
    refresh_token_saved: Option<Time>,
    certificate_file: Option<PathBuf>,
    certificate_expires: Option<Time>,
}

fn credentials(upstream: &Stats) -> Vec<CredentialStatus> {
    let mut certificates = upstream.certificates();
    let states = upstream.credentials().into_iter();
    states
        .map(|(credential, state)| {
            let certificate = certificates.remove(&*credential);
            let (file, expires) = certificate.map(|one| (one.file, Time(one.at))).unzip();
            CredentialStatus {
                credential,
                up: state.up,
                reasons: state.reasons,
                access_token_expires: state.token_expiry.and_then(Time::of_seconds),
                refresh_token_saved: state.refresh_token_saved.and_then(Time::of_seconds),
                certificate_file: file,
                certificate_expires: expires,
            }
        })
        .collect()
}

#[derive(Serialize)]
struct ApiStatus {
    api: String,
    rate_limit_requests_per_second: Option<f64>,
    required_requests_per_second: Option<f64>,
    capacity_requests_per_second: Option<f64>,
    clock_skew_seconds: Option<f64>,
}

fn apis(upstream: &Stats) -> Vec<ApiStatus> {
    let states = upstream.apis().into_iter();
    states
        .map(|(api, state)| ApiStatus {
            api,
            rate_limit_requests_per_second: state.rate_limit,
            required_requests_per_second: state.required,
            capacity_requests_per_second: state.capacity,
            clock_skew_seconds: state.clock_skew,
        })
        .collect()
}

/// How the last reading of the configuration went.
#[derive(Serialize)]
struct ReloadStatus {
    up: bool,
    last_success: Time,
    error: Option<String>,
}

impl ReloadStatus {
    fn of(own: &Own) -> Self {
        let troubles = own.upstream.troubles.now().into_iter();
        let mut refused = troubles.filter(|(trouble, ..)| *trouble == Trouble::Reload);
        let error = refused.next().map(|(_, _, noted)| noted.cause);
        Self {
            up: error.is_none(),
            last_success: Time(own.read_at),
            error,
        }
    }
}

/// The number of tenants and collectors that need a look. Tenants that are gone count as such only.
#[derive(Serialize, Default)]
struct Totals {
    tenants: usize,
    gone: usize,
    collectors: usize,
    failing: usize,
    stale: usize,
    quarantined: usize,
    never_polled: usize,
}

impl Totals {
    fn of(snapshot: &Snapshot, now: Timestamp) -> Self {
        let mut totals = Self {
            tenants: snapshot.polled(Unit::Tenant).count(),
            gone: snapshot.gone.len(),
            ..Self::default()
        };
        for one in snapshot.targets.iter().flat_map(|one| one.with_health()) {
            totals.collectors += 1;
            totals.failing += usize::from(one.up() == Some(false));
            totals.stale += usize::from(one.figures.is_some() && one.fresh(now).is_none());
            totals.quarantined += usize::from(one.quarantined);
            totals.never_polled += usize::from(one.last_poll.is_none());
        }
        totals
    }
}

#[derive(Serialize)]
struct DiscoveryStatus<'a> {
    up: Option<bool>,
    last_success: Option<Time>,
    last_failure: Option<Failure<'a>>,
    running: Option<Running>,
    customers: Option<usize>,
    excluded: Option<u64>,
}

impl<'a> DiscoveryStatus<'a> {
    fn of(snapshot: &'a Snapshot) -> Option<Self> {
        let discovery = snapshot.discovery()?;
        let discovered = snapshot.discovered.as_ref();
        Some(Self {
            up: discovery.up(),
            last_success: discovery.figures.as_ref().map(|found| Time(found.at)),
            last_failure: discovery.last_failure.as_ref().map(Failure::of),
            running: Running::of(discovery),
            customers: discovered.map(|found| found.customers.len()),
            excluded: discovered.map(|found| found.excluded),
        })
    }
}

#[derive(Serialize)]
struct CustomerStatus<'a> {
    customer_id: String,
    customer_name: Option<&'a str>,
    gone: bool,
    collectors: Vec<CollectorStatus<'a>>,
}

#[derive(Serialize)]
struct TenantStatus<'a> {
    tenant_id: String,
    tenant_name: Option<&'a str>,
    customer_id: String,
    customer_name: Option<&'a str>,
    source: &'static str,
    gone: bool,
    collectors: Vec<CollectorStatus<'a>>,
}

#[derive(Serialize)]
struct CollectorStatus<'a> {
    collector: &'static str,
    up: Option<bool>,
    /// Why the last poll failed, even one before a restart.
    reason: Option<&'static str>,
    fresh: bool,
    quarantined: bool,
    last_success: Option<Time>,
    last_failure: Option<Failure<'a>>,
    next_poll: Option<Time>,
    running: Option<Running>,
    rows: Option<u64>,
    duration_seconds: Option<f64>,
    polls: u64,
    failures: u64,
    skipped_polls: u64,
    interval_seconds: f64,
    stale_after_seconds: f64,
}

impl<'a> CollectorStatus<'a> {
    fn of(known: &'a CollectorSnapshot, now: Timestamp) -> Self {
        Self {
            collector: known.collector().as_str(),
            up: known.up(),
            reason: known
                .last_poll
                .and_then(|poll| poll.failure)
                .map(Reason::as_str),
            fresh: known.fresh(now).is_some(),
            quarantined: known.quarantined,
            last_success: known.figures.as_ref().map(|figures| Time(figures.at)),
            last_failure: known.last_failure.as_ref().map(Failure::of),
            next_poll: known.next_poll.map(Time),
            running: Running::of(known),
            rows: known.last_poll.map(|poll| poll.rows),
            duration_seconds: known.last_poll.map(|poll| poll.duration.as_secs_f64()),
            polls: known.polls,
            failures: known.failed(),
            skipped_polls: known.skipped,
            interval_seconds: known.config.interval.as_secs_f64(),
            stale_after_seconds: known.config.stale_after.as_secs_f64(),
        }
    }
}

/// A poll that runs: how far it is.
#[derive(Serialize)]
struct Running {
    since: Time,
    pages: u64,
    rows: u64,
}

impl Running {
    fn of(known: &CollectorSnapshot) -> Option<Self> {
        let progress = known.under_way.progress()?;
        let ListingSize { rows, pages, .. } = progress.size();
        Some(Self {
            since: Time(progress.began()),
            pages,
            rows,
        })
    }
}

#[derive(Serialize)]
struct Failure<'a> {
    at: Time,
    reason: &'static str,
    message: &'a str,
}

impl<'a> Failure<'a> {
    fn of(failure: &'a LastFailure) -> Self {
        Self {
            at: Time(failure.at),
            reason: failure.reason.as_str(),
            message: &failure.message,
        }
    }
}

/// A time of day as RFC 3339 has it, in UTC.
struct Time(Timestamp);

impl Time {
    /// This many seconds after the Unix epoch; `None` for what is no time.
    fn of_seconds(seconds: f64) -> Option<Self> {
        let since_epoch = Duration::try_from_secs_f64(seconds).ok()?;
        Some(Self(Timestamp::from_unix(since_epoch)))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.3}", self.0))
    }
}
