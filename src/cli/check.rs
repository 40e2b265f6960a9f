//! The command `check`: what a configuration would do, without opening a connection.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::collectors::{
    self, DirectoryFold, PartnerCenterFold, ProtectedUsersFold, References, SecurityUsersFold,
    Totals,
};
use crate::config::{
    CollectorConfig, CollectorKind, Config, PartnerCenterOptions, RateLimit, SecurityMode,
    SecurityOptions,
};
use crate::discovery::{Fleet, Names};
use crate::domain::{Collector, PromDuration, TenantId, TenantSource, Timestamp};
use crate::exposition;
use crate::snapshot::{Discovered, DiscoverySnapshot, Figures, LastPoll, Snapshot, TenantSnapshot};
use crate::state::{Saved, SavedDiscovery, Unusable};
use crate::upstream::{Api, COUNT_REQUESTS, Customer, pages_of, partner_pages_of};

/// Says what would run, by what was `read` where the state is kept. `users` is taken for the size of each listing that
/// is not known from there.
pub fn describe(config: &Config, read: &Result<Option<Saved>, Unusable>, users: u64) -> String {
    let saved = read.as_ref().ok().and_then(Option::as_ref);
    let fleet = fleet(config, saved);
    let polled = Config {
        tenants: fleet.tenants,
        ..config.clone()
    };
    let config = &polled;
    let sizes = Sizes::new(saved, users);
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
    if let Some(folder) = &config.state_dir {
        line(
            "state_dir",
            &format!("{}: {}", folder.display(), state(read)),
        );
    }
    let discovered = saved.and_then(|saved| saved.discovery.as_ref());
    line("tenants", &tenants(config, discovered));
    for collector in Collector::configured() {
        line(
            collector.as_str(),
            &every(config, collector, discovered.is_some()),
        );
    }
    if config.collectors().any(|one| {
        matches!(one.kind, CollectorKind::SecurityUsers(_)) && !collectors::is_matched(one.kind)
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
            "{} of tenants{}, and those of the exporter itself",
            series(config, fleet.customers.clone()),
            if fleet.customers.is_empty() {
                ""
            } else {
                " and customers"
            },
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
            requests(&mut text, config, api, limit, &sizes);
        }
    }
    text
}

/// Says how many requests go to an API, and whether they fit.
fn requests(text: &mut String, config: &Config, api: Api, limit: RateLimit, sizes: &Sizes<'_>) {
    // From zero, since the sum of nothing is -0.
    let mut per_second = 0.0;
    let (mut tenants, mut assumed) = (0, 0);
    for tenant in &config.tenants {
        let asks = |one: &&CollectorConfig| one.kind.collector().api() == api;
        let collectors: Vec<_> = tenant.collectors.iter().filter(asks).collect();
        let mut is_assumed = false;
        for one in &collectors {
            let known = sizes.pages(tenant.tenant.tenant_id, one.kind);
            let pages = known.unwrap_or_else(|| {
                is_assumed = true;
                pages(one.kind, sizes.users)
            });
            per_second += pages as f64 / one.interval.as_secs_f64();
        }
        tenants += usize::from(!collectors.is_empty());
        assumed += usize::from(is_assumed);
    }
    let allowed = limit.requests_per_second;
    let _ = writeln!(
        text,
        "requests per hour    {:.0} to {api}, {}",
        per_second * 3600.0,
        sizes.told(tenants, assumed)
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

/// Whom the exporter would poll if it started now.
fn fleet(config: &Config, saved: Option<&Saved>) -> Fleet {
    let discovery = saved.and_then(|saved| saved.discovery.as_ref());
    let tenants = saved.into_iter().flat_map(|saved| &saved.tenants);
    let names = Names::of(tenants.map(|one| &*one.tenant));
    Fleet::new(config, discovery.map(|found| &*found.customers), &names)
}

/// What came of looking where the state is kept.
fn state(read: &Result<Option<Saved>, Unusable>) -> String {
    match read {
        Ok(Some(saved)) => format!("saved {}", saved.written_at),
        Ok(None) => "nothing is saved there yet".to_owned(),
        Err(why) => format!("the warm-start file {why}; `serve` would set it aside"),
    }
}

/// What is known of the sizes of listings.
struct Sizes<'a> {
    saved_at: Option<Timestamp>,
    tenants: BTreeMap<TenantId, &'a TenantSnapshot>,
    /// What is taken where nothing is known.
    users: u64,
}

impl<'a> Sizes<'a> {
    fn new(saved: Option<&'a Saved>, users: u64) -> Self {
        let tenants = saved.into_iter().flat_map(|saved| &saved.tenants);
        Self {
            saved_at: saved.map(|saved| saved.written_at),
            tenants: tenants.map(|one| (one.tenant.tenant_id, &**one)).collect(),
            users,
        }
    }

    /// How many requests the last successful poll with these options took; `None` where that is not known.
    fn pages(&self, tenant: TenantId, kind: CollectorKind) -> Option<u64> {
        let known = self.tenants.get(&tenant)?.collector(kind.collector())?;
        let figures = known.figures.as_ref();
        Some(figures.filter(|_| known.config.kind == kind)?.pages)
    }

    /// Says where the sizes are from, for so many tenants, of which so many have one that is not known.
    fn told(&self, tenants: usize, assumed: usize) -> String {
        let users = self.users;
        match self.saved_at {
            Some(at) if assumed == 0 => format!("by the sizes of the last polls, saved {at}"),
            Some(at) if assumed < tenants => format!(
                "by the sizes of the last polls, saved {at}, but for listings of {assumed} of {tenants} tenants, taken \
                 with {users} users each (--assume-users)"
            ),
            _ => format!("with {users} users in each listing (--assume-users)"),
        }
    }
}

fn all(config: &Config) -> impl Iterator<Item = &CollectorConfig> {
    config.tenants.iter().flat_map(|tenant| &tenant.collectors)
}

fn of(config: &Config, collector: Collector) -> impl Iterator<Item = &CollectorConfig> {
    all(config).filter(move |one| one.kind.collector() == collector)
}

fn tenants(config: &Config, discovered: Option<&SavedDiscovery>) -> String {
    let all = config.tenants.iter();
    let listed = all.filter(|one| one.tenant.source == TenantSource::Config);
    let listed = listed.count();
    let Some(discovery) = &config.discovery else {
        return listed.to_string();
    };
    let every = PromDuration(discovery.collector.interval);
    match discovered {
        Some(found) => format!(
            "{listed} listed, {} discovered {}; discovery every {every}",
            config.tenants.len() - listed,
            found.at
        ),
        None => format!(
            "{listed} listed; others are discovered every {every}, and are not part of the figures below"
        ),
    }
}

/// For how many tenants a collector is on, and how often it polls; for those that are yet to be discovered, too,
/// unless it is known which they are.
fn every(config: &Config, collector: Collector, is_discovered: bool) -> String {
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
    let discovery = config.discovery.iter();
    let is_open = !is_discovered || listed.is_none();
    let discovery = discovery.filter(|_| is_open);
    let discovered = discovery
        .flat_map(|one| &one.collectors)
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
        CollectorKind::SecurityUsers(SecurityOptions {
            mode: SecurityMode::Counts,
            ..
        }) => COUNT_REQUESTS,
        CollectorKind::PartnerCenter(_) => partner_pages_of(users),
        _ => pages_of(users),
    }
}

/// How many series the tenants and these customers have, when each listing was read and holds no unknown codes:
/// counted in the exposition of such listings.
fn series(config: &Config, customers: Vec<Customer>) -> usize {
    let now = Timestamp::from_unix(Duration::from_secs(1));
    let mut snapshot = Snapshot::new(config);
    if !customers.is_empty() {
        snapshot.discovery = Some(Arc::new(DiscoverySnapshot {
            stale_after: Duration::MAX,
            polls: 1,
            failures: BTreeMap::new(),
            up: Some(true),
            last_failure: None,
            found: Some(Discovered {
                at: now,
                listed: Arc::default(),
                customers,
                excluded: 0,
            }),
        }));
    }
    for tenant in &mut snapshot.tenants {
        let mut references = References::new();
        for collector in &mut Arc::make_mut(tenant).collectors {
            let kind = collector.config.kind;
            let (totals, users) = match kind {
                CollectorKind::Customers(_) => continue,
                CollectorKind::SecurityUsers(SecurityOptions { mode, .. }) => {
                    let exclude_test_users = mode
                        == SecurityMode::Scan {
                            exclude_test_users: true,
                        };
                    let (totals, users) = SecurityUsersFold::new(exclude_test_users).finish();
                    (Totals::SecurityUsers(totals), Some(users))
                }
                CollectorKind::Directory(_) => {
                    let (totals, users) = DirectoryFold::new(now).finish();
                    (Totals::Directory(totals), Some(users))
                }
                CollectorKind::PartnerCenter(PartnerCenterOptions {
                    top_usage_locations,
                }) => {
                    let (totals, users) =
                        PartnerCenterFold::new(top_usage_locations, None).finish();
                    (Totals::PartnerCenter(totals), Some(users))
                }
                CollectorKind::ProtectedUsers(_) => {
                    let references = std::mem::take(&mut references);
                    let (protection, joins) = ProtectedUsersFold::new(references).finish();
                    (Totals::ProtectedUsers(protection, joins), None)
                }
            };
            if let Some(users) = users.filter(|_| collectors::is_matched(kind)) {
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
