//! The collector `protected_users`: users by what Cloud Backup protects of them, matched with the target's other
//! listings.

mod metrics;
mod wire;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::join::{CodeCounts, CodeTable, Exposure, Matching, SeenUsers};
use super::{Collect, Found, Poll, References};
use crate::config::NoOptions;
use crate::domain::{BackupModule, Collector, Timestamp};
use crate::metric::FiguresMetric;
use crate::upstream::{ApiError, Cause, Page};

use self::wire::{ProtectedRows, ProtectedUser};

/// The collector.
#[derive(Debug)]
pub struct ProtectedUsers;

impl Collect for ProtectedUsers {
    type Options = NoOptions;
    type Figures = Figures;

    const METRICS: &'static [FiguresMetric<Figures>] = metrics::METRICS;

    fn permission(_: NoOptions) -> Option<&'static str> {
        Some(wire::ENDPOINT.permission)
    }

    fn nothing(_: NoOptions, references: References, _: Timestamp) -> Found<Figures> {
        Found {
            figures: Fold::new(references).finish(),
            users: None,
        }
    }

    fn joined(figures: &Figures) -> Vec<Collector> {
        let Joins { exposure, missing } = &figures.joins;
        let exposure = exposure.iter().map(|_| Collector::SecurityUsers);
        exposure.chain(missing.keys().copied()).collect()
    }

    fn forget_joins(figures: &mut Figures, others: &[Collector]) {
        let Joins { exposure, missing } = &mut figures.joins;
        missing.retain(|collector, _| !others.contains(collector));
        if others.contains(&Collector::SecurityUsers) {
            *exposure = None;
        }
    }

    async fn poll(mut poll: Poll<'_, Self>) -> Result<Found<Figures>, ApiError> {
        let mut fold = Fold::new(std::mem::take(&mut poll.references));
        let rows = ProtectedRows(&poll.clients.elements.pseudonyms);
        poll.list(&wire::ENDPOINT, &rows, |page| fold.page(page))
            .await?;
        Ok(Found {
            figures: fold.finish(),
            users: None,
        })
    }
}

/// The figures of one listing, and what came of matching it with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Who is backed up.
    pub protection: Protection,
    /// Who else is at risk or active, and not backed up.
    pub joins: Joins,
}

/// Who is backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// Distinct users in the listing.
    pub users: u64,
    /// Users that list a module as protected, by module, all known modules included.
    pub protected: BTreeMap<BackupModule, u64>,
    /// Users that list a module as not protected, by module, all known modules included.
    pub unprotected: BTreeMap<BackupModule, u64>,
    /// Users by how much of what they list is protected.
    pub coverage: Coverage,
}

/// Users by how many of their listed modules are protected. Each user is in one of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Coverage {
    /// All of them.
    pub full: u64,
    /// Some of them.
    pub partial: u64,
    /// None of them, or the user lists none.
    pub none: u64,
}

/// The figures of a listing that is being read.
#[derive(Debug, Default)]
struct Fold {
    seen: SeenUsers,
    modules: CodeTable,
    protected: CodeCounts,
    unprotected: CodeCounts,
    coverage: Coverage,
    matchings: BTreeMap<Collector, Matching>,
}

/// What came of matching a backup listing with the tenant's other listings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Joins {
    /// Who is at risk and not backed up; `None` when there was no listing of users with findings.
    pub exposure: Option<Exposure>,
    /// How many users of a listing of all users are not in the backup listing.
    pub missing: BTreeMap<Collector, u64>,
}

impl Fold {
    /// Begins a listing, matched against these users.
    fn new(references: References) -> Self {
        let matchings = references
            .into_iter()
            .map(|(collector, users)| (collector, Matching::new(users)));
        Self {
            matchings: matchings.collect(),
            ..Self::default()
        }
    }

    /// Adds a page. Returns how many distinct users there are so far.
    ///
    /// # Errors
    /// `Limit` when the listing has too many distinct codes.
    fn page(&mut self, page: &Page<ProtectedUser>) -> Result<u64, Cause> {
        self.seen.expect(page.total);
        for user in &page.rows {
            if !self.seen.is_first(user.keys.identity()) {
                continue;
            }
            let protected = self.modules.mask(&user.protected)?;
            let unprotected = self.modules.mask(&user.unprotected)?;
            self.protected.add(protected);
            self.unprotected.add(unprotected);
            match (protected, unprotected) {
                (0, _) => self.coverage.none += 1,
                (_, 0) => self.coverage.full += 1,
                _ => self.coverage.partial += 1,
            }
            for matching in self.matchings.values_mut() {
                matching.listed(&user.keys, protected, unprotected);
            }
        }
        Ok(self.seen.len())
    }

    /// Ends the listing: its figures, and the joins with what it was matched against.
    fn finish(self) -> Figures {
        let by_module = |counts: &CodeCounts| counts.by_code(&self.modules, BackupModule::KNOWN);
        let protection = Protection {
            users: self.seen.len(),
            protected: by_module(&self.protected),
            unprotected: by_module(&self.unprotected),
            coverage: self.coverage,
        };
        let mut joins = Joins::default();
        for (collector, matching) in &self.matchings {
            if *collector == Collector::SecurityUsers {
                joins.exposure = Some(Exposure::new(matching, &self.modules));
            } else {
                joins.missing.insert(*collector, matching.missing());
            }
        }
        Figures { protection, joins }
    }
}
