//! The command `check`: what a configuration would do, without opening a connection.

mod load;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use self::load::Load;
use crate::collectors::customers::{ListedCustomer, ListedTenant};
use crate::collectors::{self, ASSUMED_USERS, References};
use crate::config::{CollectorKind, Config, Discovery, NamePatterns, RateLimit};
use crate::domain::{Api, Collector, PromDuration, TargetId, TenantId, TenantSource, Timestamp};
use crate::exposition;
use crate::fleet::{Fleet, Names};
use crate::snapshot::{CollectorSnapshot, Discovered, Figures, LastPoll, Snapshot, TargetSnapshot};
use crate::state::{Saved, Unusable};
use crate::upstream::Peers;

/// What is taken where the state of an earlier process does not tell.
#[derive(Debug, Clone, Copy)]
pub struct Assumed {
    /// The users in a listing.
    pub users: u64,
    /// The number of tenants that discovery finds; `None` to leave them out.
    pub tenants: Option<u32>,
}

impl Default for Assumed {
    fn default() -> Self {
        Self {
            users: ASSUMED_USERS,
            tenants: None,
        }
    }
}

/// Says what would run, by what was `read` where the state is kept, and whether that is `writable`. Returns the text, and
/// whether the rate limit is high enough.
pub fn describe(
    config: &Config,
    read: &Result<Option<Saved>, Unusable>,
    writable: &io::Result<()>,
    assumed: Assumed,
) -> (String, bool) {
    let saved = read.as_ref().ok().and_then(Option::as_ref);
    let known = saved.and_then(Saved::customers);
    let assumed_tenants = assumed.tenants.filter(|_| known.is_none());
    let fleet = match (&config.discovery, assumed_tenants) {
        (Some(discovery), Some(tenants)) => assumed_fleet(config, discovery, tenants),
        _ => fleet(config, saved),
    };
    let sizes = Sizes::new(saved, assumed.users);
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<20} {value}");
    };
    line("API", config.elements.api_url.as_str());
    line("token service", config.elements.token_url.as_str());
    if let Some(proxy) = proxy(config) {
        line("proxy", &proxy);
    }
    line("permissions", &collectors::permissions(config).join(" "));
    if let Some(partner_center) = config.asked_partner_center() {
        line("Partner Center", partner_center.api_url.as_str());
        line("its token service", partner_center.token_url.as_str());
    }
    if let Some(folder) = &config.state_dir {
        line(
            "state_dir",
            &format!("{}: {}", folder.display(), state(read, writable)),
        );
    }
    let discovered_at = known.map(|(_, at)| at);
    line(
        "tenants",
        &tenants(config, &fleet, discovered_at, assumed_tenants),
    );
    let is_discovered = known.is_some() || assumed_tenants.is_some();
    for collector in Collector::configured() {
        line(
            collector.as_str(),
            &every(config, &fleet, collector, is_discovered),
        );
    }
    if config
        .collectors()
        .any(|one| collectors::how(one.kind).mode == "counts")
    {
        line(
            "mode counts",
            "counts security users without reading them; tenants with this mode have no avepoint_exposed_*",
        );
    }
    line(
        "series",
        &format!(
            "{} for tenants{}, plus the exporter's own series",
            series(&fleet),
            if fleet.customers.is_empty() {
                ""
            } else {
                " and customers"
            },
        ),
    );
    let limit = config.elements.rate_limit;
    let mut fits = requests(&mut text, &fleet, Api::Elements, limit, &sizes);
    if let Some(partner_center) = config.asked_partner_center() {
        let limit = partner_center.rate_limit;
        fits &= requests(&mut text, &fleet, Api::PartnerCenter, limit, &sizes);
    }
    (text, fits)
}

/// Says how many requests go to an API, how long a round of them takes, and what to set if they do not fit. Returns
/// whether they do.
fn requests(
    text: &mut String,
    fleet: &Fleet,
    api: Api,
    limit: RateLimit,
    sizes: &Sizes<'_>,
) -> bool {
    let mut load = Load::new(api, limit);
    let (mut targets, mut assumed) = (0, 0);
    for target in &fleet.targets {
        let mut is_assumed = false;
        let asked = target.collectors.iter().filter(|one| {
            let collector = one.kind.collector();
            collector.api() == api && !collector.is_discovery()
        });
        let listings = asked.map(|one| {
            let known = sizes.pages(target.target.id(), one.kind);
            let pages = known.unwrap_or_else(|| {
                is_assumed = true;
                collectors::requests(one.kind, sizes.users)
            });
            (one.kind.collector(), one.interval, pages)
        });
        let listings: Vec<_> = listings.collect();
        load.add(&listings);
        targets += usize::from(!listings.is_empty());
        assumed += usize::from(is_assumed);
    }
    let per_second = load.per_second;
    let allowed = limit.requests_per_second;
    let _ = writeln!(
        text,
        "requests per hour    {:.0} to {api}, {}",
        per_second * 3600.0,
        sizes.told(targets, assumed)
    );
    let _ = writeln!(
        text,
        "requests per second  {per_second:.2} to {api} on average, {allowed} allowed"
    );
    let _ = writeln!(
        text,
        "requests per round   {} to {api}, which take {} at 1s each",
        load.requests,
        PromDuration(load.round())
    );
    let advice = load.advice();
    let fits = advice.is_none();
    text.push_str(&advice.unwrap_or_default());
    fits
}

/// Whom the exporter would poll if it started now.
fn fleet(config: &Config, saved: Option<&Saved>) -> Fleet {
    let customers = saved.and_then(Saved::customers);
    let names = Names::of(saved.into_iter().flat_map(Saved::tenants));
    Fleet::new(config, customers.map(|(customers, _)| customers), &names)
}

/// The same if discovery found this many tenants. Patterns do not count, since nobody knows the names.
fn assumed_fleet(config: &Config, discovery: &Discovery, tenants: u32) -> Fleet {
    let config = Config {
        discovery: Some(Discovery {
            include: NamePatterns::default(),
            exclude: NamePatterns::default(),
            ..discovery.clone()
        }),
        ..config.clone()
    };
    let customers: Vec<_> = (0..tenants)
        .map(|index| {
            // Ids that nobody has.
            let id = u128::MAX - u128::from(index);
            let tenant = ListedTenant {
                id: TenantId::from_bits(id),
                name: None,
            };
            ListedCustomer {
                tenants: vec![tenant],
                ..ListedCustomer::bare(id)
            }
        })
        .collect();
    Fleet::new(&config, Some(&customers), &Names::default())
}

/// The proxy that connections to the APIs go through.
fn proxy(config: &Config) -> Option<String> {
    let elements = &config.elements;
    let urls = [&elements.api_url, &elements.token_url];
    Peers::new(&elements.http, urls).proxy_to(&elements.api_url)
}

/// What came of looking where the state is kept.
fn state(read: &Result<Option<Saved>, Unusable>, writable: &io::Result<()>) -> String {
    let found = match read {
        Ok(Some(saved)) => format!("saved {}", saved.written_at),
        Ok(None) => "empty, nothing saved yet".to_owned(),
        Err(why) => format!("the warm-start file {why}; `serve` will rename and ignore it"),
    };
    match writable {
        Ok(()) => found,
        Err(error) => format!(
            "{found}; it cannot be written ({error}), so a restart will lose the figures: make it writable"
        ),
    }
}

/// What is known of the sizes of listings.
struct Sizes<'a> {
    saved_at: Option<Timestamp>,
    targets: BTreeMap<TargetId, &'a TargetSnapshot>,
    /// What is taken where nothing is known.
    users: u64,
}

impl<'a> Sizes<'a> {
    fn new(saved: Option<&'a Saved>, users: u64) -> Self {
        let targets = saved.into_iter().flat_map(|saved| &saved.targets);
        Self {
            saved_at: saved.map(|saved| saved.written_at),
            targets: targets.map(|one| (one.id(), &**one)).collect(),
            users,
        }
    }

    /// How many requests the last successful poll with these options took; `None` where that is not known.
    fn pages(&self, target: TargetId, kind: CollectorKind) -> Option<u64> {
        let known = self.targets.get(&target)?.collector(kind.collector())?;
        let figures = known.figures.as_ref();
        Some(figures.filter(|_| known.config.kind == kind)?.pages)
    }

    /// Says where the sizes are from, for so many tenants, of which so many have one that is not known.
    fn told(&self, tenants: usize, assumed: usize) -> String {
        let users = self.users;
        match self.saved_at {
            Some(at) if assumed == 0 => format!("based on the sizes of the last polls, saved {at}"),
            Some(at) if assumed < tenants => format!(
                "based on the sizes of the last polls, saved {at}; assuming {users} users per listing for {assumed} of \
                 {tenants} tenants (--assume-users)"
            ),
            _ => format!("assuming {users} users per listing (--assume-users)"),
        }
    }
}

fn tenants(
    config: &Config,
    fleet: &Fleet,
    discovered_at: Option<Timestamp>,
    assumed: Option<u32>,
) -> String {
    let listed = fleet.tenants();
    let listed = listed.filter(|(tenant, _)| tenant.source == TenantSource::Config);
    let listed = listed.count();
    let Some(discovery) = &config.discovery else {
        return listed.to_string();
    };
    let every = PromDuration(discovery.collector.interval);
    if let Some(assumed) = assumed {
        return format!(
            "{listed} listed, assuming {assumed} discovered ones (--assume-tenants); discovery every {every}"
        );
    }
    match discovered_at {
        Some(at) => format!(
            "{listed} listed, {} discovered {at}; discovery every {every}",
            fleet.tenants().count() - listed
        ),
        None => {
            format!(
                "{listed} listed, not counting discovered tenants (--assume-tenants); discovery every {every}"
            )
        }
    }
}

/// For how many targets a collector is on, and how often it polls; for those that are yet to be discovered, too,
/// unless it is known which they are.
fn every(config: &Config, fleet: &Fleet, collector: Collector, is_discovered: bool) -> String {
    let all = fleet.targets.iter().flat_map(|target| &target.collectors);
    let of_collector = all.filter(|one| one.kind.collector() == collector);
    let mut intervals: Vec<_> = of_collector.map(|one| one.interval).collect();
    intervals.sort_unstable();
    let plural = if intervals.len() == 1 { "" } else { "s" };
    let targets = format!("{} {}{plural}", intervals.len(), collector.unit());
    let listed = match (intervals.first(), intervals.last()) {
        (Some(shortest), Some(longest)) if shortest == longest => {
            Some(format!("{targets}, every {}", PromDuration(*shortest)))
        }
        (Some(shortest), Some(longest)) => Some(format!(
            "{targets}, every {} to {}",
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
                "each discovered tenant, every {}",
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

/// How many series the targets and these customers have, when each listing was read and holds no unknown codes:
/// counted in the exposition of such listings.
fn series(fleet: &Fleet) -> usize {
    let now = Timestamp::from_unix(Duration::from_secs(1));
    let targets = fleet.targets.iter().map(|target| {
        let mut references = References::new();
        // Nothing is known of discovery before it has found customers.
        let is_known =
            |kind: CollectorKind| !fleet.customers.is_empty() || !kind.collector().is_discovery();
        let collectors = target.collectors.iter().filter(|one| is_known(one.kind));
        let collectors = collectors.map(|config| {
            let kind = config.kind;
            let references_of_this = if kind.collector().comes_last() {
                references.clone()
            } else {
                References::new()
            };
            let found = collectors::nothing(kind, references_of_this, now);
            references.extend(found.users.map(|users| (kind.collector(), users)));
            CollectorSnapshot {
                figures: Some(Figures {
                    at: now,
                    unreadable_dates: 0,
                    pages: 0,
                    totals: Arc::new(found.figures),
                    is_restored: false,
                }),
                last_poll: Some(LastPoll {
                    duration: Duration::ZERO,
                    rows: 0,
                    failure: None,
                }),
                next_poll: Some(now),
                ..CollectorSnapshot::new(*config)
            }
        });
        Arc::new(TargetSnapshot {
            target: target.target.clone(),
            collectors: collectors.collect(),
        })
    });
    let snapshot = Snapshot {
        targets: targets.collect(),
        gone: Vec::new(),
        discovered: Some(Arc::new(Discovered {
            customers: fleet.customers.clone(),
            excluded: 0,
        })),
    };
    exposition::render(&snapshot, now)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .count()
}
