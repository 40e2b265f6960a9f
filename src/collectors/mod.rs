//! Floor 3: listings become figures. Each collector folds the pages of its listing while they are read; the
//! joins are made on the way. Pure but for [`poll`], which asks the clients for the pages.

mod codes;
mod directory;
mod exposure;
mod matching;
mod partner_center;
mod protected_users;
mod security_users;
mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{CollectorKind, Config, PartnerCenterOptions, SecurityMode, SecurityOptions};
use crate::domain::{Collector, SecurityStatus, Tenant, Timestamp};
use crate::upstream::{
    ApiError, Clients, Customer, DirectoryUser, ListingSize, ProtectedUser, SecurityUser,
};

pub use directory::{Directory, DirectoryFold, Ending, PasswordAge};
pub use exposure::Exposure;
pub use matching::ReferenceUsers;
pub use partner_center::{PartnerCenter, PartnerCenterFold};
pub use protected_users::{Coverage, Joins, ProtectedUsersFold, Protection};
pub use security_users::{SecurityUsers, SecurityUsersFold};

/// What one poll has found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Totals {
    /// Of the collector `security_users`.
    SecurityUsers(SecurityUsers),
    /// Of the collector `directory`.
    Directory(Directory),
    /// Of the collector `partner_center`.
    PartnerCenter(PartnerCenter),
    /// Of the collector `protected_users`: who is backed up, and what came of matching that with the others.
    ProtectedUsers(Protection, Joins),
}

impl Totals {
    /// The same without what came of matching with these listings, as if there had been none.
    #[must_use]
    pub fn without_joins(&self, lost: &[Collector]) -> Self {
        let mut totals = self.clone();
        if let Self::ProtectedUsers(_, joins) = &mut totals {
            for collector in lost {
                joins.missing.remove(collector);
                if *collector == Collector::SecurityUsers {
                    joins.exposure = None;
                }
            }
        }
        totals
    }
}

/// A poll that has ended.
#[derive(Debug)]
pub struct Polled {
    /// What was read until the end, be it good or bad.
    pub size: ListingSize,
    /// The figures, and the users that the next poll of the protected users is matched against.
    pub outcome: Result<(Totals, Option<Arc<ReferenceUsers>>), ApiError>,
}

/// The users that a poll of the protected users is matched against, by the collector that found them: those of
/// its last successful poll.
pub type References = BTreeMap<Collector, Arc<ReferenceUsers>>;

/// What earlier polls of a tenant have found that a poll goes on from.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    /// The users of the tenant's other listings, as far as these are fresh.
    pub references: References,
    /// The figures of the collector's own last successful poll.
    pub totals: Option<Arc<Totals>>,
}

/// The permission in Elements that a collector's endpoint needs.
const fn permission(kind: CollectorKind) -> Option<&'static str> {
    match kind {
        CollectorKind::Customers(_) => Some(Customer::PERMISSION),
        CollectorKind::SecurityUsers(options) => Some(SecurityUser::permission(options.endpoint)),
        CollectorKind::Directory(_) => Some(DirectoryUser::PERMISSION),
        CollectorKind::PartnerCenter(_) => None,
        CollectorKind::ProtectedUsers(_) => Some(ProtectedUser::PERMISSION),
    }
}

/// What the app registration in Elements must be allowed for all that is configured, each once, in order.
pub fn permissions(config: &Config) -> Vec<&'static str> {
    let permissions: BTreeSet<_> = config
        .collectors()
        .filter_map(|one| permission(one.kind))
        .collect();
    permissions.into_iter().collect()
}

/// Whether a collector reads rows that the protected users are matched against.
pub const fn is_matched(kind: CollectorKind) -> bool {
    match kind {
        CollectorKind::SecurityUsers(options) => {
            matches!(options.mode, SecurityMode::Scan { .. })
        }
        CollectorKind::Directory(_) | CollectorKind::PartnerCenter(_) => true,
        CollectorKind::Customers(_) | CollectorKind::ProtectedUsers(_) => false,
    }
}

/// Reads one listing of a tenant and folds it.
pub async fn poll(
    clients: &Clients,
    tenant: &Tenant,
    kind: CollectorKind,
    earlier: Earlier,
    now: Timestamp,
) -> Polled {
    let mut size = ListingSize::default();
    let outcome = read(clients, tenant, kind, earlier, now, &mut size).await;
    Polled {
        size,
        outcome: outcome.map(|(totals, users)| (totals, users.map(Arc::new))),
    }
}

async fn read(
    clients: &Clients,
    tenant: &Tenant,
    kind: CollectorKind,
    earlier: Earlier,
    now: Timestamp,
    size: &mut ListingSize,
) -> Result<(Totals, Option<ReferenceUsers>), ApiError> {
    let elements = &clients.elements;
    Ok(match kind {
        CollectorKind::Customers(_) => unreachable!("discovery reads them"),
        CollectorKind::SecurityUsers(SecurityOptions {
            endpoint,
            encoding,
            mode: SecurityMode::Scan { exclude_test_users },
        }) => {
            let mut fold = SecurityUsersFold::new(exclude_test_users);
            elements
                .security_users(tenant, (endpoint, encoding), size, |page| fold.page(&page))
                .await?;
            let (totals, users) = fold.finish();
            (Totals::SecurityUsers(totals), Some(users))
        }
        CollectorKind::SecurityUsers(SecurityOptions {
            mode: SecurityMode::Counts,
            ..
        }) => {
            let mut by_status = BTreeMap::new();
            for status in SecurityStatus::KNOWN.iter().copied() {
                let users = elements
                    .count_security_users(tenant, Some(status), size)
                    .await?;
                by_status.insert(status, users);
            }
            let users = elements.count_security_users(tenant, None, size).await?;
            (
                Totals::SecurityUsers(SecurityUsers { users, by_status }),
                None,
            )
        }
        CollectorKind::Directory(_) => {
            let mut fold = DirectoryFold::new(now);
            elements
                .directory(tenant, size, |page| fold.page(&page))
                .await?;
            let (totals, users) = fold.finish();
            (Totals::Directory(totals), Some(users))
        }
        CollectorKind::PartnerCenter(PartnerCenterOptions {
            top_usage_locations,
        }) => {
            let before = earlier.totals.as_deref().and_then(|totals| match totals {
                Totals::PartnerCenter(before) => Some(before),
                _ => None,
            });
            let mut fold = PartnerCenterFold::new(top_usage_locations, before);
            let Some(client) = &clients.partner_center else {
                unreachable!("a configuration with this collector has the client's settings")
            };
            client
                .partner_center_users(tenant, size, |page, deleted| fold.page(&page, deleted))
                .await?;
            let (totals, users) = fold.finish();
            (Totals::PartnerCenter(totals), Some(users))
        }
        CollectorKind::ProtectedUsers(_) => {
            let mut fold = ProtectedUsersFold::new(earlier.references);
            elements
                .protected_users(tenant, size, |page| fold.page(&page))
                .await?;
            let (protection, joins) = fold.finish();
            (Totals::ProtectedUsers(protection, joins), None)
        }
    })
}
