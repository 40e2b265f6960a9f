//! The collector `directory`: all users of a tenant.

mod metrics;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::join::{CodeCounts, CodeTable, Reference, ReferenceUsers, SeenUsers};
use super::{Collect, Found, Poll, References};
use crate::config::NoOptions;
use crate::domain::{SecurityStatus, Timestamp};
use crate::metric::FiguresMetric;
use crate::upstream::{ApiError, Cause, Page};

use self::wire::{DirectoryRows, DirectoryUser};

/// The collector.
#[derive(Debug)]
pub struct Directory;

impl Collect for Directory {
    type Options = NoOptions;
    type Figures = Figures;

    const METRICS: &'static [FiguresMetric<Figures>] = metrics::METRICS;

    fn permission(_: NoOptions) -> Option<&'static str> {
        Some(wire::ENDPOINT.permission)
    }

    fn is_matched(_: NoOptions) -> bool {
        true
    }

    fn nothing(_: NoOptions, _: References, now: Timestamp) -> Found<Figures> {
        Fold::new(now).finish()
    }

    async fn poll(poll: Poll<'_, Self>) -> Result<Found<Figures>, ApiError> {
        let mut fold = Fold::new(poll.now);
        let rows = DirectoryRows::new(&poll.clients.elements.pseudonyms);
        poll.list(&wire::ENDPOINT, &rows, |page| fold.page(page))
            .await?;
        Ok(fold.finish())
    }
}

/// The figures of one listing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Distinct users.
    pub users: u64,
    /// Users by finding, all known findings included. A user with several counts in each.
    pub by_status: BTreeMap<SecurityStatus, u64>,
    /// Users that are marked as test users.
    pub test_users: u64,
    /// Users by the age of their password. Each is in one band.
    pub by_password_age: [u64; PasswordAge::ALL.len()],
    /// Users whose account ends soon, by when. Each is in one band at most.
    pub ending: [u64; Ending::ALL.len()],
}

/// A band of the age of passwords, in whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordAge {
    /// 0 to 30 days.
    UpTo30,
    /// 31 to 60 days.
    UpTo60,
    /// 61 to 90 days.
    UpTo90,
    /// 91 to 180 days.
    UpTo180,
    /// 181 to 365 days.
    UpTo365,
    /// Over 365 days.
    Over365,
    /// Not said, or less than nothing.
    Unknown,
}

impl PasswordAge {
    /// All of them, in the order of the figures.
    pub const ALL: [Self; 7] = [
        Self::UpTo30,
        Self::UpTo60,
        Self::UpTo90,
        Self::UpTo180,
        Self::UpTo365,
        Self::Over365,
        Self::Unknown,
    ];

    /// The value of the label `password_age`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpTo30 => "0-30d",
            Self::UpTo60 => "31-60d",
            Self::UpTo90 => "61-90d",
            Self::UpTo180 => "91-180d",
            Self::UpTo365 => "181-365d",
            Self::Over365 => "over_365d",
            Self::Unknown => "unknown",
        }
    }

    fn of(days: Option<i64>) -> Self {
        match days {
            Some(0..=30) => Self::UpTo30,
            Some(31..=60) => Self::UpTo60,
            Some(61..=90) => Self::UpTo90,
            Some(91..=180) => Self::UpTo180,
            Some(181..=365) => Self::UpTo365,
            Some(366..) => Self::Over365,
            Some(..0) | None => Self::Unknown,
        }
    }
}

/// A band of the time until an account ends, in whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Within 7 days: less than 8 times 24 hours ahead.
    Within7,
    /// Within 8 to 30 days: less than 31 times 24 hours ahead.
    Within30,
}

impl Ending {
    /// All of them, in the order of the figures.
    pub const ALL: [Self; 2] = [Self::Within7, Self::Within30];

    /// The value of the label `ending`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Within7 => "0-7d",
            Self::Within30 => "8-30d",
        }
    }

    /// The band of an end, both in seconds since the Unix epoch. `None` for what is past, or far ahead.
    fn of(end: i64, now: i64) -> Option<Self> {
        match end.saturating_sub(now) {
            ..=0 => None,
            ahead => match ahead / (24 * 3600) {
                0..=7 => Some(Self::Within7),
                8..=30 => Some(Self::Within30),
                _ => None,
            },
        }
    }
}

/// A listing that is being read.
#[derive(Debug)]
struct Fold {
    /// Seconds since the Unix epoch.
    now: i64,
    seen: SeenUsers,
    statuses: CodeTable,
    counts: CodeCounts,
    figures: Figures,
    active: Vec<Reference>,
}

impl Fold {
    /// Begins a listing that is read now.
    fn new(now: Timestamp) -> Self {
        Self {
            now: i64::try_from(now.since_unix().as_secs()).unwrap_or(i64::MAX),
            seen: SeenUsers::default(),
            statuses: CodeTable::default(),
            counts: CodeCounts::default(),
            figures: Figures::default(),
            active: Vec::new(),
        }
    }

    /// Adds a page. `Limit` when the listing has too many distinct codes.
    fn page(&mut self, page: &Page<DirectoryUser>) -> Result<u64, Cause> {
        self.seen.expect(page.total);
        for DirectoryUser {
            user,
            password_age,
            end,
        } in &page.rows
        {
            if !self.seen.is_first(user.keys.identity()) {
                continue;
            }
            let figures = &mut self.figures;
            self.counts.add(self.statuses.mask(&user.statuses)?);
            figures.test_users += u64::from(user.is_test_user);
            let age = PasswordAge::of(*password_age);
            count(&mut figures.by_password_age, age as usize);
            if let Some(ending) = end.seconds().and_then(|end| Ending::of(end, self.now)) {
                count(&mut figures.ending, ending as usize);
            }
            // Who is about to be deleted has left, and needs no backup any more.
            if !user
                .statuses
                .contains(SecurityStatus::PENDING_DELETION.code())
            {
                self.active.push(Reference {
                    keys: user.keys,
                    statuses: 0,
                });
            }
        }
        Ok(self.seen.len())
    }

    /// Ends the listing: its figures, and the active users.
    fn finish(self) -> Found<Figures> {
        let users = ReferenceUsers::without_statuses(self.active);
        Found {
            figures: Figures {
                users: self.seen.len(),
                by_status: (self.counts).by_code(&self.statuses, SecurityStatus::KNOWN),
                ..self.figures
            },
            users: Some(Arc::new(users)),
        }
    }
}

fn count(bands: &mut [u64], band: usize) {
    if let Some(users) = bands.get_mut(band) {
        *users += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_in_the_band_of_their_whole_days() {
        for (days, band) in [
            (Some(0), "0-30d"),
            (Some(30), "0-30d"),
            (Some(31), "31-60d"),
            (Some(90), "61-90d"),
            (Some(91), "91-180d"),
            (Some(365), "181-365d"),
            (Some(366), "over_365d"),
            (Some(i64::MAX), "over_365d"),
            (Some(-1), "unknown"),
            (None, "unknown"),
        ] {
            assert_eq!(PasswordAge::of(days).as_str(), band, "{days:?}");
        }
    }

    #[test]
    fn accounts_that_end_within_7_or_30_whole_days_are_counted_and_those_that_ended_are_not() {
        const DAY: i64 = 24 * 3600;
        const NOW: i64 = 1_790_000_000;
        for (ahead, band) in [
            (-1, None),
            (0, None),
            (1, Some("0-7d")),
            (8 * DAY - 1, Some("0-7d")),
            (8 * DAY, Some("8-30d")),
            (31 * DAY - 1, Some("8-30d")),
            (31 * DAY, None),
        ] {
            assert_eq!(
                Ending::of(NOW + ahead, NOW).map(Ending::as_str),
                band,
                "{ahead}"
            );
        }
    }
}
