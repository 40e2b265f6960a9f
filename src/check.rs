//! The command `check`: what a configuration would do, without opening a connection.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::collectors::{
    self, DirectoryFold, PartnerCenterFold, ProtectedUsersFold, References, SecurityUsersFold,
    Totals,
};
use crate::config::{CollectorConfig, CollectorKind, Config, RateLimit, SecurityMode};
use crate::domain::{Collector, PromDuration, Timestamp};
use crate::exposition;
use crate::snapshot::{Figures, LastPoll, Snapshot};
use crate::upstream::{Api, COUNT_REQUESTS, pages_of, partner_pages_of};

/// Says what would run. `users` is taken for the size of each listing.
pub fn describe(config: &Config, users: u64) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<20} {value}");
    };
    line("API", config.elements.api_url.as_str());
    line("token service", config.elements.token_url.as_str());
    line("permissions", &collectors::permissions(config).join(" "));
    if let Some(partner_center) = config.asked_partner_center() {
        line("Partner Center", partner_center.api_url.as_str());
        line("its token service", partner_center.token_url.as_str());
    }
    line("tenants", &tenants(config));
    for collector in Collector::ALL {
        line(collector.as_str(), &every(config, *collector));
    }
    if config.collectors().any(|one| {
        matches!(one.kind, CollectorKind::SecurityUsers { .. }) && !one.kind.is_matched()
    }) {
        line(
            "mode counts",
            "counts security users and does not read them: where it is set, there is no join with the backup listing \
             (avepoint_exposed_*)",
        );
    }
    line(
        "series",
        &format!(
            "{} of tenants, and those of the exporter itself",
            series(config)
        ),
    );
    let apis = [
        (Api::Elements, Some(config.elements.rate_limit)),
        (
            Api::PartnerCenter,
            config.asked_partner_center().map(|it| it.rate_limit),
        ),
    ];
    for (api, limit) in apis {
        if let Some(limit) = limit {
            requests(&mut text, config, api, limit, users);
        }
    }
    text
}

/// Says how many requests go to an API, and whether they fit.
fn requests(text: &mut String, config: &Config, api: Api, limit: RateLimit, users: u64) {
    let per_second: f64 = all(config)
        .filter(|one| collectors::api(one.kind.collector()) == api)
        .map(|one| pages(one.kind, users) as f64 / one.interval.as_secs_f64())
        // From zero, since the sum of nothing is -0.
        .fold(0.0, |all, one| all + one);
    let allowed = limit.requests_per_second;
    let _ = writeln!(
        text,
        "requests per hour    {:.0} to {api}, with {users} users in each listing (--assume-users)",
        per_second * 3600.0
    );
    let _ = writeln!(
        text,
        "requests per second  {per_second:.2} to {api} on average, {allowed} allowed"
    );
    if per_second > allowed {
        let _ = writeln!(
            text,
            "This does not fit: raise {api}.rate_limit.requests_per_second if the API allows it, or lengthen the \
             intervals of collectors by a factor of {:.1}.",
            per_second / allowed
        );
    }
}

fn all(config: &Config) -> impl Iterator<Item = &CollectorConfig> {
    config.tenants.iter().flat_map(|tenant| &tenant.collectors)
}

fn of(config: &Config, collector: Collector) -> impl Iterator<Item = &CollectorConfig> {
    all(config).filter(move |one| one.kind.collector() == collector)
}

fn tenants(config: &Config) -> String {
    let listed = config.tenants.len();
    match &config.discovery {
        None => listed.to_string(),
        Some(discovery) => format!(
            "{listed} listed; others are discovered every {}, and are not part of the figures below",
            PromDuration(discovery.interval)
        ),
    }
}

/// For how many tenants a collector is on, and how often it polls.
fn every(config: &Config, collector: Collector) -> String {
    let mut intervals: Vec<_> = of(config, collector).map(|one| one.interval).collect();
    let tenants = number_of_tenants(intervals.len());
    intervals.sort_unstable();
    let listed = match (intervals.first(), intervals.last()) {
        (Some(shortest), Some(longest)) if shortest == longest => {
            Some(format!("{tenants}, every {}", PromDuration(*shortest)))
        }
        (Some(shortest), Some(longest)) => Some(format!(
            "{tenants}, every {} to {}",
            PromDuration(*shortest),
            PromDuration(*longest)
        )),
        _ => None,
    };
    let discovered = config.discovery.iter().flat_map(|one| &one.collectors);
    let discovered = discovered
        .filter(|one| one.kind.collector() == collector)
        .map(|one| {
            format!(
                "each that is discovered, every {}",
                PromDuration(one.interval)
            )
        });
    let all: Vec<_> = listed.into_iter().chain(discovered).collect();
    if all.is_empty() {
        "off".to_owned()
    } else {
        all.join("; ")
    }
}

fn number_of_tenants(tenants: usize) -> String {
    let plural = if tenants == 1 { "" } else { "s" };
    format!("{tenants} tenant{plural}")
}

/// How many requests a poll takes of a listing of so many users.
fn pages(kind: CollectorKind, users: u64) -> u64 {
    match kind {
        CollectorKind::SecurityUsers {
            mode: SecurityMode::Counts,
            ..
        } => COUNT_REQUESTS,
        CollectorKind::PartnerCenter { .. } => partner_pages_of(users),
        _ => pages_of(users),
    }
}

/// How many series the tenants have, when each listing was read and holds no unknown codes: counted in
/// the exposition of such listings.
fn series(config: &Config) -> usize {
    let now = Timestamp::from_unix(Duration::from_secs(1));
    let mut snapshot = Snapshot::new(config);
    for tenant in &mut snapshot.tenants {
        let mut references = References::new();
        for collector in &mut Arc::make_mut(tenant).collectors {
            let kind = collector.config.kind;
            let (totals, users) = match kind {
                CollectorKind::SecurityUsers { mode, .. } => {
                    let exclude_test_users = mode
                        == SecurityMode::Scan {
                            exclude_test_users: true,
                        };
                    let (totals, users) = SecurityUsersFold::new(exclude_test_users).finish();
                    (Totals::SecurityUsers(totals), Some(users))
                }
                CollectorKind::Directory => {
                    let (totals, users) = DirectoryFold::new(now).finish();
                    (Totals::Directory(totals), Some(users))
                }
                CollectorKind::PartnerCenter {
                    top_usage_locations,
                } => {
                    let (totals, users) =
                        PartnerCenterFold::new(top_usage_locations, None).finish();
                    (Totals::PartnerCenter(totals), Some(users))
                }
                CollectorKind::ProtectedUsers => {
                    let references = std::mem::take(&mut references);
                    let (protection, joins) = ProtectedUsersFold::new(references).finish();
                    (Totals::ProtectedUsers(protection, joins), None)
                }
            };
            if let Some(users) = users.filter(|_| kind.is_matched()) {
                references.insert(kind.collector(), Arc::new(users));
            }
            collector.figures = Some(Figures {
                at: now,
                pages: 0,
                totals: Arc::new(totals),
            });
            collector.last_poll = Some(LastPoll {
                duration: Duration::ZERO,
                rows: 0,
                failure: None,
            });
            collector.next_poll = Some(now);
        }
    }
    exposition::render(&snapshot, now)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .count()
}
