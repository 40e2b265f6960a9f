//! The command `check`: what a configuration would do, without opening a connection.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::collectors::{ProtectedUsersFold, SecurityUsersFold, Totals};
use crate::config::{CollectorKind, Config, SecurityMode};
use crate::domain::{Collector, PromDuration, Timestamp};
use crate::exposition;
use crate::snapshot::{Figures, LastPoll, Snapshot};
use crate::upstream::pages_of;

/// Says what would run. `users` is taken for the size of each listing.
pub fn describe(config: &Config, users: u64) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "API                  {}", config.elements.api_url);
    let _ = writeln!(text, "token service        {}", config.elements.token_url);
    let _ = writeln!(text, "tenants              {}", config.tenants.len());
    for collector in Collector::ALL {
        let configs = config.tenants.iter().flat_map(|tenant| &tenant.collectors);
        let mut intervals: Vec<_> = configs
            .filter(|one| one.kind.collector() == *collector)
            .map(|one| one.interval)
            .collect();
        let tenants = intervals.len();
        intervals.sort_unstable();
        intervals.dedup();
        let every = match intervals.as_slice() {
            [] => "off".to_owned(),
            [interval] => format!("{tenants} tenants, every {}", PromDuration(*interval)),
            [shortest, .., longest] => {
                format!(
                    "{tenants} tenants, every {} to {}",
                    PromDuration(*shortest),
                    PromDuration(*longest)
                )
            }
        };
        let _ = writeln!(text, "{:<20} {every}", collector.as_str());
    }
    let per_second: f64 = config
        .tenants
        .iter()
        .flat_map(|tenant| &tenant.collectors)
        .map(|collector| pages_of(users) as f64 / collector.interval.as_secs_f64())
        .sum();
    let allowed = config.elements.rate_limit.requests_per_second;
    let _ = writeln!(
        text,
        "series               {} of tenants, and those of the exporter itself",
        series(config)
    );
    let _ = writeln!(
        text,
        "requests per hour    {:.0}, with {users} users in each listing (--assume-users)",
        per_second * 3600.0
    );
    let _ = writeln!(
        text,
        "requests per second  {per_second:.2} on average, {allowed} allowed"
    );
    if per_second > allowed {
        let _ = writeln!(
            text,
            "This does not fit: raise elements.rate_limit.requests_per_second if AvePoint allows it, or lengthen the \
             intervals of collectors by a factor of {:.1}.",
            per_second / allowed
        );
    }
    text
}

/// How many series the tenants have, when each listing was read and holds no unknown codes: counted in
/// the exposition of such listings.
fn series(config: &Config) -> usize {
    let now = Timestamp::from_unix(Duration::from_secs(1));
    let mut snapshot = Snapshot::new(config);
    for tenant in &mut snapshot.tenants {
        let mut flagged = None;
        for collector in &mut Arc::make_mut(tenant).collectors {
            let totals = match collector.config.kind {
                CollectorKind::SecurityUsers { mode, .. } => {
                    let exclude_test_users = mode
                        == SecurityMode::Scan {
                            exclude_test_users: true,
                        };
                    let (totals, users) = SecurityUsersFold::new(exclude_test_users).finish();
                    flagged = Some(Arc::new(users));
                    Totals::SecurityUsers(totals)
                }
                CollectorKind::Directory | CollectorKind::PartnerCenter { .. } => continue,
                CollectorKind::ProtectedUsers => {
                    let (protection, exposure) = ProtectedUsersFold::new(flagged.take()).finish();
                    Totals::ProtectedUsers {
                        protection,
                        exposure,
                    }
                }
            };
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
