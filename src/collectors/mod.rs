//! Floor 3: listings become figures. Each collector folds the pages of its listing while they are read; the
//! join is made on the way. Pure but for [`poll`], which asks the client for the pages.

mod codes;
mod exposure;
mod protected_users;
mod security_users;
mod seen;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{CollectorKind, SecurityMode};
use crate::domain::{Collector, Tenant};
use crate::upstream::{ApiError, Cause, Clients, ListingSize, ProtectedUser, SecurityUser};

pub use exposure::{Exposure, FlaggedUsers};
pub use protected_users::{Coverage, ProtectedUsersFold, Protection};
pub use security_users::{SecurityUsers, SecurityUsersFold};

/// What one poll has found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Totals {
    /// Of the collector `security_users`.
    SecurityUsers(SecurityUsers),
    /// Of the collector `protected_users`.
    ProtectedUsers {
        /// Who is backed up.
        protection: Protection,
        /// Who is at risk and not backed up; `None` when there was no listing to match against.
        exposure: Option<Exposure>,
    },
}

impl Totals {
    /// The same without what was matched against other listings, as if there had been none.
    #[must_use]
    pub fn without_joins(&self) -> Self {
        match self {
            Self::ProtectedUsers { protection, .. } => Self::ProtectedUsers {
                protection: protection.clone(),
                exposure: None,
            },
            other @ Self::SecurityUsers(_) => other.clone(),
        }
    }
}

/// A poll that has ended.
#[derive(Debug)]
pub struct Polled {
    /// What was read until the end, be it good or bad.
    pub size: ListingSize,
    /// The figures, and the users that the next poll of the protected users is matched against.
    pub outcome: Result<(Totals, Option<Arc<FlaggedUsers>>), ApiError>,
}

/// The users that a poll of the protected users is matched against, by the collector that found them: those of
/// its last successful poll.
pub type References = BTreeMap<Collector, Arc<FlaggedUsers>>;

/// The permission that a collector's endpoint needs.
pub const fn permission(kind: CollectorKind) -> &'static str {
    match kind {
        CollectorKind::SecurityUsers { .. }
        | CollectorKind::Directory
        | CollectorKind::PartnerCenter { .. } => SecurityUser::PERMISSION,
        CollectorKind::ProtectedUsers => ProtectedUser::PERMISSION,
    }
}

/// Reads one listing of a tenant and folds it. `references` are the users of the tenant's other listings, as far
/// as these are fresh.
pub async fn poll(
    clients: &Clients,
    tenant: &Tenant,
    kind: CollectorKind,
    mut references: References,
) -> Polled {
    let client = &clients.elements;
    let mut size = ListingSize::default();
    let outcome = match kind {
        CollectorKind::SecurityUsers { mode, .. } => {
            let exclude_test_users = mode
                == SecurityMode::Scan {
                    exclude_test_users: true,
                };
            let mut fold = SecurityUsersFold::new(exclude_test_users);
            let end = client
                .security_users(tenant, &mut size, |page| fold.page(&page))
                .await;
            end.map(|()| {
                let (totals, flagged) = fold.finish();
                (Totals::SecurityUsers(totals), Some(Arc::new(flagged)))
            })
        }
        CollectorKind::Directory | CollectorKind::PartnerCenter { .. } => Err(ApiError {
            route: "",
            cause: Cause::NotFound,
            request_id: None,
        }),
        CollectorKind::ProtectedUsers => {
            let mut fold = ProtectedUsersFold::new(references.remove(&Collector::SecurityUsers));
            let end = client
                .protected_users(tenant, &mut size, |page| fold.page(&page))
                .await;
            end.map(|()| {
                let (protection, exposure) = fold.finish();
                (
                    Totals::ProtectedUsers {
                        protection,
                        exposure,
                    },
                    None,
                )
            })
        }
    };
    Polled { size, outcome }
}
