//! The collector `security_users`: users by finding.

use std::collections::BTreeMap;

use crate::domain::SecurityStatus;
use crate::upstream::{Cause, Page, SecurityUser};

use super::codes::{CodeCounts, CodeTable};
use super::matching::{Reference, ReferenceUsers};
use super::seen::SeenUsers;

/// The figures of one listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityUsers {
    /// Distinct users in the listing.
    pub users: u64,
    /// Users by finding, all known findings included. A user with several counts in each.
    pub by_status: BTreeMap<SecurityStatus, u64>,
}

/// The figures of a listing that is being read.
#[derive(Debug, Default)]
pub struct SecurityUsersFold {
    exclude_test_users: bool,
    seen: SeenUsers,
    users: u64,
    statuses: CodeTable,
    counts: CodeCounts,
    flagged: Vec<Reference>,
}

impl SecurityUsersFold {
    /// Begins a listing. Users that are marked as test users may be left out of all figures.
    pub fn new(exclude_test_users: bool) -> Self {
        Self {
            exclude_test_users,
            ..Self::default()
        }
    }

    /// Adds a page.
    ///
    /// # Errors
    /// `Limit` when the listing has too many distinct codes.
    pub fn page(&mut self, page: &Page<SecurityUser>) -> Result<(), Cause> {
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
        Ok(())
    }

    /// Ends the listing: its figures, and the users with findings.
    pub fn finish(self) -> (SecurityUsers, ReferenceUsers) {
        // With test users left out, none is counted as such: that is no zero, it is no figure.
        let shown = |status: &SecurityStatus| {
            !(self.exclude_test_users && *status == SecurityStatus::TEST_USER)
        };
        let known: Vec<_> = SecurityStatus::KNOWN
            .iter()
            .copied()
            .filter(shown)
            .collect();
        let by_status = self.counts.by_code(&self.statuses, known.iter().copied());
        let totals = SecurityUsers {
            users: self.users,
            by_status,
        };
        (
            totals,
            ReferenceUsers::new(self.flagged, self.statuses, known),
        )
    }
}
