//! The collector `partner_center`: a tenant's users as Microsoft Partner Center knows them.

mod metrics;
mod wire;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::join::{Reference, ReferenceUsers, SeenUsers};
use super::{Collect, Found, How, Poll, References, pairs};
use crate::config::PartnerCenterOptions;
use crate::domain::{Country, DomainType, Timestamp, UserState};
use crate::metric::FiguresMetric;
use crate::upstream::{ApiError, Cause, Page, partner_pages_of};

use self::wire::{PartnerUser, UsageLocation};

/// The collector.
#[derive(Debug)]
pub struct PartnerCenter;

impl Collect for PartnerCenter {
    type Options = PartnerCenterOptions;
    type Figures = Figures;

    const METRICS: &'static [FiguresMetric<Figures>] = metrics::METRICS;

    fn permission(_: PartnerCenterOptions) -> Option<&'static str> {
        None
    }

    fn how(_: PartnerCenterOptions) -> How {
        How {
            // Of Partner Center's API.
            source_endpoint: "v1",
            ..How::default()
        }
    }

    fn is_matched(_: PartnerCenterOptions) -> bool {
        true
    }

    /// The number of usage locations is a matter of the figures alone.
    fn finds_same_users(_: PartnerCenterOptions, _: PartnerCenterOptions) -> bool {
        true
    }

    fn requests(_: PartnerCenterOptions, rows: u64) -> u64 {
        // And one for the deleted users.
        partner_pages_of(rows) + 1
    }

    fn nothing(options: PartnerCenterOptions, _: References, _: Timestamp) -> Found<Figures> {
        Fold::new(options.top_usage_locations, None).finish()
    }

    async fn poll(poll: Poll<'_, Self>) -> Result<Found<Figures>, ApiError> {
        // Once chosen, usage locations stay until the exporter is restarted.
        let earlier = poll.earlier.filter(|(_, is_restored)| !is_restored);
        let earlier = earlier.map(|(figures, _)| figures);
        let mut fold = Fold::new(poll.options.top_usage_locations, earlier);
        let Some(client) = &poll.clients.partner_center else {
            unreachable!("a configuration with this collector has the client's settings")
        };
        let target = poll.target;
        wire::read(client, target, poll.progress, |page, deleted| {
            fold.page(page, deleted)
        })
        .await?;
        Ok(fold.finish())
    }
}

/// The most distinct pairs of state and domain type that a tenant may have. Six are documented.
const MOST_STATES: usize = 64;

/// So long a deleted user is kept, in seconds. Source: Microsoft's documentation of deleted users.
const KEPT_AFTER_DELETION: i64 = 30 * 24 * 3600;

/// The figures of both listings. Of active users, unless said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Distinct users.
    pub users: u64,
    /// Users by state and domain type, deleted ones included; all documented pairs are there.
    #[serde(with = "pairs")]
    pub by_state: BTreeMap<(UserState, DomainType), u64>,
    /// Users by the locations that are told apart.
    pub by_location: BTreeMap<Country, u64>,
    /// Users at other locations.
    pub other_location: u64,
    /// Users without a location.
    pub unset_location: u64,
    /// Users who must change their password at the next sign-in.
    pub must_change_password: u64,
    /// Users who are brought in line with the customer's own directory.
    pub synced: u64,
    /// The newest time at which that was done, in seconds since the Unix epoch.
    pub last_sync: Option<i64>,
    /// When the next deleted user is gone for good, in seconds since the Unix epoch.
    pub next_purge: Option<i64>,
}

/// Listings that are being read.
#[derive(Debug)]
struct Fold {
    top: usize,
    chosen: BTreeSet<Country>,
    seen: SeenUsers,
    /// All locations are told apart until the end.
    figures: Figures,
    active: Vec<Reference>,
}

impl Fold {
    /// Begins the listings. `top` locations are told apart: those of the poll `before`, so that no series of theirs
    /// ends, and beside them the largest.
    fn new(top: usize, before: Option<&Figures>) -> Self {
        let documented = UserState::KNOWN.iter().flat_map(|state| {
            let types = DomainType::KNOWN.iter();
            types.map(|domain_type| ((*state, *domain_type), 0))
        });
        Self {
            top,
            chosen: before.map_or_else(BTreeSet::new, |before| {
                before.by_location.keys().copied().collect()
            }),
            seen: SeenUsers::default(),
            figures: Figures {
                by_state: documented.collect(),
                ..Figures::default()
            },
            active: Vec::new(),
        }
    }

    /// Adds a page of the users who exist, or of the `deleted` ones. Returns how many distinct users there are so far.
    /// `Limit` when there are too many distinct states; `Implausible` when the filter for deleted users was ignored.
    fn page(&mut self, page: &Page<PartnerUser>, deleted: bool) -> Result<u64, Cause> {
        for user in &page.rows {
            if deleted && user.state == UserState::Active {
                return Err(Cause::Implausible(
                    "a listing filtered by deleted users contains active ones".to_owned(),
                ));
            }
            if !self.seen.is_first(user.keys.identity()) {
                continue;
            }
            let by_state = &mut self.figures.by_state;
            *by_state.entry((user.state, user.domain_type)).or_default() += 1;
            if by_state.len() > MOST_STATES {
                return Err(Cause::Limit(format!(
                    "the listing has more than {MOST_STATES} distinct states"
                )));
            }
            // By the listing, unless the row says otherwise: should the words for the state change upstream, users
            // must not vanish from all figures.
            if deleted || user.state == UserState::Inactive {
                let purge = user
                    .deleted
                    .seconds()
                    .map(|at| at.saturating_add(KEPT_AFTER_DELETION));
                let next_purge = &mut self.figures.next_purge;
                *next_purge = [*next_purge, purge].into_iter().flatten().min();
            } else {
                self.active(user);
            }
        }
        Ok(self.seen.len())
    }

    fn active(&mut self, user: &PartnerUser) {
        let figures = &mut self.figures;
        figures.users += 1;
        match user.usage_location {
            UsageLocation::Unset => figures.unset_location += 1,
            UsageLocation::Other => figures.other_location += 1,
            UsageLocation::Country(country) => {
                *figures.by_location.entry(country).or_default() += 1;
            }
        }
        figures.must_change_password += u64::from(user.must_change_password);
        figures.synced += u64::from(user.last_sync.seconds().is_some());
        figures.last_sync = figures.last_sync.max(user.last_sync.seconds());
        self.active.push(Reference {
            keys: user.keys,
            statuses: 0,
        });
    }

    /// Ends the listings: their figures, and the active users.
    fn finish(self) -> Found<Figures> {
        let mut figures = self.figures;
        let mut others = std::mem::take(&mut figures.by_location);
        for country in self.chosen {
            let users = others.remove(&country).unwrap_or(0);
            figures.by_location.insert(country, users);
        }
        // The largest of the others fill up what is told apart; of equal ones the first by alphabet.
        let mut others: Vec<_> = others.into_iter().collect();
        others.sort_by_key(|(_, users)| Reverse(*users));
        let room = self.top.saturating_sub(figures.by_location.len());
        let mut others = others.into_iter();
        figures.by_location.extend(others.by_ref().take(room));
        figures.other_location += others.map(|(_, users)| users).sum::<u64>();
        let users = ReferenceUsers::without_statuses(self.active);
        Found {
            figures,
            users: Some(Arc::new(users)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::wire::Moment;
    use super::*;
    use crate::domain::{UserKey, UserKeys};

    fn user(id: u64, location: &str) -> PartnerUser {
        PartnerUser {
            keys: UserKeys {
                id: UserKey::new(id),
                ..UserKeys::default()
            },
            state: UserState::Active,
            domain_type: DomainType::Managed,
            usage_location: Country::new(location)
                .map_or(UsageLocation::Unset, UsageLocation::Country),
            must_change_password: false,
            last_sync: Moment::Missing,
            deleted: Moment::Missing,
        }
    }

    fn fold(
        top: usize,
        before: Option<&Figures>,
        active: &[PartnerUser],
        deleted: &[PartnerUser],
    ) -> Figures {
        let mut fold = Fold::new(top, before);
        for (rows, is_deleted) in [(active, false), (deleted, true)] {
            let page = Page::of(rows.to_vec());
            fold.page(&page, is_deleted).unwrap();
        }
        fold.finish().figures
    }

    fn at(locations: &[&str]) -> Vec<PartnerUser> {
        (1..)
            .zip(locations)
            .map(|(id, location)| user(id, location))
            .collect()
    }

    fn told_apart(figures: &Figures) -> Vec<(&str, u64)> {
        figures
            .by_location
            .iter()
            .map(|(country, users)| (country.as_str(), *users))
            .collect()
    }

    #[test]
    fn the_largest_locations_are_told_apart_ties_by_alphabet_and_stay() {
        let first = fold(2, None, &at(&["US", "DE", "FR", "US", "", "FR", "DE"]), &[]);
        assert_eq!(told_apart(&first), [("DE", 2), ("FR", 2)]);
        assert_eq!((first.other_location, first.unset_location), (2, 1));
        let later = fold(2, Some(&first), &at(&["US", "US", "US", "FR"]), &[]);
        assert_eq!(told_apart(&later), [("DE", 0), ("FR", 1)]);
        assert_eq!(later.other_location, 3);
        let more = fold(3, Some(&first), &at(&["US", "US", "AT", "AT"]), &[]);
        assert_eq!(told_apart(&more), [("AT", 2), ("DE", 0), ("FR", 0)]);
    }

    #[test]
    fn a_user_who_is_deleted_while_the_listings_are_read_counts_once() {
        let moved = user(1, "US");
        let deleted = PartnerUser {
            state: UserState::Inactive,
            deleted: Moment::At(1000),
            ..user(2, "US")
        };
        let deleted_too = PartnerUser {
            state: UserState::Inactive,
            ..moved.clone()
        };
        let figures = fold(
            1,
            None,
            std::slice::from_ref(&moved),
            &[deleted_too, deleted],
        );
        assert_eq!(figures.users, 1);
        assert_eq!(
            figures.by_state[&(UserState::Active, DomainType::Managed)],
            1
        );
        assert_eq!(
            figures.by_state[&(UserState::Inactive, DomainType::Managed)],
            1
        );
        assert_eq!(figures.next_purge, Some(1000 + 2_592_000));
    }

    #[test]
    fn a_listing_of_deleted_users_that_has_active_ones_was_not_filtered() {
        let mut fold = Fold::new(1, None);
        let page = Page::of(vec![user(1, "US")]);
        fold.page(&page, false).unwrap();
        let error = fold.page(&page, true).unwrap_err();
        assert_eq!(error.reason().as_str(), "implausible");
    }

    #[test]
    fn users_whose_state_has_a_new_name_are_counted_by_the_listing_that_they_are_in() {
        let renamed = |id| PartnerUser {
            state: UserState::Number(7),
            ..user(id, "US")
        };
        let figures = fold(1, None, &[renamed(1)], &[renamed(2)]);
        assert_eq!(figures.users, 1);
        assert_eq!(
            figures.by_state[&(UserState::Number(7), DomainType::Managed)],
            2
        );
    }

    #[test]
    fn the_newest_sync_and_the_oldest_deletion_count() {
        let synced = |id, at| PartnerUser {
            last_sync: Moment::of(at),
            must_change_password: true,
            ..user(id, "US")
        };
        let deleted = |id, at| PartnerUser {
            state: UserState::Inactive,
            deleted: Moment::of(at),
            ..user(id, "US")
        };
        let figures = fold(
            1,
            None,
            &[synced(1, 5), synced(2, 9), synced(3, 0)],
            &[deleted(4, 0), deleted(5, 70), deleted(6, 60)],
        );
        assert_eq!(
            (
                figures.synced,
                figures.last_sync,
                figures.must_change_password
            ),
            (2, Some(9), 3)
        );
        assert_eq!(figures.next_purge, Some(60 + 2_592_000));
    }
}
