//! The collector `security_users`: the users of a tenant by security finding.

mod metrics;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::join::{CodeCounts, CodeTable, Reference, ReferenceUsers, SeenUsers};
use super::{Collect, Found, How, Poll, References};
use crate::config::{SecurityEndpoint, SecurityMode, SecurityOptions};
use crate::domain::{SecurityStatus, Timestamp};
use crate::metric::FiguresMetric;
use crate::upstream::{ApiError, Cause, ElementsUser, Page, UserRows, pages_of};

pub use self::wire::read_page;

/// The collector.
#[derive(Debug)]
pub struct SecurityUsers;

impl Collect for SecurityUsers {
    type Options = SecurityOptions;
    type Figures = Figures;

    const METRICS: &'static [FiguresMetric<Figures>] = metrics::METRICS;

    fn permission(options: SecurityOptions) -> Option<&'static str> {
        Some(wire::endpoint(options.endpoint).permission)
    }

    fn how(options: SecurityOptions) -> How {
        How {
            mode: match options.mode {
                SecurityMode::Scan { .. } => "scan",
                SecurityMode::Counts => "counts",
            },
            source_endpoint: match options.endpoint {
                SecurityEndpoint::V3 => "v3",
                SecurityEndpoint::Batch => "batch",
            },
            exclude_test_users: excludes_test_users(options),
        }
    }

    fn is_matched(options: SecurityOptions) -> bool {
        options.mode != SecurityMode::Counts
    }

    fn requests(options: SecurityOptions, rows: u64) -> u64 {
        match options.mode {
            SecurityMode::Scan { .. } => pages_of(rows),
            // For each finding, and for all users.
            SecurityMode::Counts => SecurityStatus::KNOWN.len() as u64 + 1,
        }
    }

    fn nothing(options: SecurityOptions, _: References, _: Timestamp) -> Found<Figures> {
        let found = Fold::new(excludes_test_users(options)).finish();
        Found {
            users: found.users.filter(|_| Self::is_matched(options)),
            ..found
        }
    }

    async fn poll(poll: Poll<'_, Self>) -> Result<Found<Figures>, ApiError> {
        if poll.options.mode == SecurityMode::Counts {
            return counts(poll).await;
        }
        let mut fold = Fold::new(excludes_test_users(poll.options));
        let rows = UserRows {
            pseudonyms: &poll.clients.elements.pseudonyms,
            encoding: poll.options.encoding,
        };
        let endpoint = wire::endpoint(poll.options.endpoint);
        poll.list(&endpoint, &rows, |page| fold.page(page)).await?;
        Ok(fold.finish())
    }
}

fn excludes_test_users(options: SecurityOptions) -> bool {
    let excluding = SecurityMode::Scan {
        exclude_test_users: true,
    };
    options.mode == excluding
}

/// Asks for the number of users with each finding, without reading them.
async fn counts(poll: Poll<'_, SecurityUsers>) -> Result<Found<Figures>, ApiError> {
    let Poll {
        clients,
        target,
        progress,
        ..
    } = poll;
    let mut by_status = BTreeMap::new();
    for status in SecurityStatus::KNOWN.iter().copied() {
        let users = wire::count(&clients.elements, target, Some(status), progress).await?;
        by_status.insert(status, users);
    }
    let users = wire::count(&clients.elements, target, None, progress).await?;
    Ok(Found {
        figures: Figures { users, by_status },
        users: None,
    })
}

/// The figures of one listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Distinct users in the listing.
    pub users: u64,
    /// Users by finding, all known findings included. A user with several counts in each.
    pub by_status: BTreeMap<SecurityStatus, u64>,
}

/// The figures of a listing that is being read.
#[derive(Debug, Default)]
pub struct Fold {
    exclude_test_users: bool,
    seen: SeenUsers,
    users: u64,
    statuses: CodeTable,
    counts: CodeCounts,
    flagged: Vec<Reference>,
}

impl Fold {
    /// Begins a listing. Users that are marked as test users may be left out of all figures.
    pub fn new(exclude_test_users: bool) -> Self {
        Self {
            exclude_test_users,
            ..Self::default()
        }
    }

    /// Adds a page. Returns how many distinct users there are so far.
    ///
    /// # Errors
    /// `Limit` when the listing has too many distinct codes.
    pub fn page(&mut self, page: &Page<ElementsUser>) -> Result<u64, Cause> {
        self.seen.expect(page.total);
        for user in &page.rows {
            // First this: a user who is left out for the first row is left out for good.
            if !self.seen.is_first(user.keys.identity()) {
                continue;
            }
            let is_test_user =
                user.is_test_user || user.statuses.contains(SecurityStatus::TEST_USER.code());
            if self.exclude_test_users && is_test_user {
                continue;
            }
            self.users += 1;
            let statuses = self.statuses.mask(&user.statuses)?;
            self.counts.add(statuses);
            if statuses != 0 {
                self.flagged.push(Reference {
                    keys: user.keys,
                    statuses,
                });
            }
        }
        Ok(self.seen.len())
    }

    /// Ends the listing: its figures, and the users with findings.
    pub fn finish(self) -> Found<Figures> {
        // With test users left out, none is counted as such: that is no zero, it is no figure.
        let shown = |status: &SecurityStatus| {
            !(self.exclude_test_users && *status == SecurityStatus::TEST_USER)
        };
        let known: Vec<_> = SecurityStatus::KNOWN
            .iter()
            .copied()
            .filter(shown)
            .collect();
        let figures = Figures {
            users: self.users,
            by_status: self.counts.by_code(&self.statuses, &known),
        };
        let users = ReferenceUsers::new(self.flagged, self.statuses, known);
        Found {
            figures,
            users: Some(Arc::new(users)),
        }
    }
}
