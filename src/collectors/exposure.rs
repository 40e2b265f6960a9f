//! The join: users with a finding who are not backed up. The users with findings are kept as keys between
//! polls; the backup listing is matched against them while it is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{BackupModule, SecurityStatus, UserKey, UserKeys};

use super::codes::{CodeCounts, CodeTable, Mask};

/// Users at risk and not backed up, by finding. All known findings and modules are included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// Users who are not in the backup listing, or list no module, or list one that is not protected.
    pub users: BTreeMap<SecurityStatus, u64>,
    /// Those of them who list this module as not protected.
    pub by_module: BTreeMap<(SecurityStatus, BackupModule), u64>,
    /// Those of them who are not in the backup listing.
    pub unlisted: BTreeMap<SecurityStatus, u64>,
}

/// A user with at least one finding: 32 bytes.
#[derive(Debug)]
pub(super) struct Flagged {
    pub(super) keys: UserKeys,
    pub(super) statuses: Mask,
}

/// The users with findings of one security listing: at most 40 bytes for each.
#[derive(Debug)]
pub struct FlaggedUsers {
    /// In the order of their ids.
    users: Vec<Flagged>,
    /// Places in `users`, in the order of their mail addresses; those without one are left out.
    by_mail: Vec<u32>,
    /// Places in `users`, in the order of their principal names; those whose mail address is the same, as
    /// it is for most, are left out.
    by_principal: Vec<u32>,
    statuses: CodeTable,
    /// The findings that are shown even where nobody has them.
    known: Vec<SecurityStatus>,
}

impl FlaggedUsers {
    pub(super) fn new(
        mut users: Vec<Flagged>,
        statuses: CodeTable,
        known: Vec<SecurityStatus>,
    ) -> Self {
        users.sort_unstable_by_key(|user| user.keys.id);
        users.shrink_to_fit();
        let by_mail = order(&users, |keys| keys.mail);
        let by_principal = order(&users, principal_if_different);
        Self {
            users,
            by_mail,
            by_principal,
            statuses,
            known,
        }
    }
}

fn principal_if_different(keys: &UserKeys) -> Option<UserKey> {
    keys.principal.filter(|_| keys.principal != keys.mail)
}

/// The places of the users that have this key, in its order.
fn order(users: &[Flagged], key: fn(&UserKeys) -> Option<UserKey>) -> Vec<u32> {
    let mut keyed: Vec<(UserKey, u32)> = users
        .iter()
        .zip(0..)
        .filter_map(|(user, place)| Some((key(&user.keys)?, place)))
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, place)| place).collect()
}

/// By which of its keys a user with findings was found in the backup listing. A better one replaces a lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum FoundBy {
    #[default]
    Nothing,
    Principal,
    Mail,
    Id,
}

/// What the backup listing says of a user with findings.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    by: FoundBy,
    protected: bool,
    unprotected: Mask,
}

/// A backup listing that is being matched.
#[derive(Debug)]
pub(super) struct ExposureJoin {
    flagged: Arc<FlaggedUsers>,
    /// For each of the users with findings, in their order.
    found: Vec<Found>,
}

impl ExposureJoin {
    pub(super) fn new(flagged: Arc<FlaggedUsers>) -> Self {
        let found = vec![Found::default(); flagged.users.len()];
        Self { flagged, found }
    }

    /// Matches a user of the backup listing: by id; failing that by mail address, then by principal name.
    pub(super) fn listed(&mut self, keys: &UserKeys, protected: Mask, unprotected: Mask) {
        let found = |by| Found {
            by,
            protected: protected != 0,
            unprotected,
        };
        let FlaggedUsers {
            users,
            by_mail,
            by_principal,
            ..
        } = &*self.flagged;
        if let Some(id) = keys.id
            && let Ok(place) = users.binary_search_by_key(&Some(id), |user| user.keys.id)
        {
            improve(&mut self.found, place, found(FoundBy::Id));
        }
        if let Some(mail) = keys.mail {
            for place in equal(users, by_mail, mail, |keys| keys.mail) {
                improve(&mut self.found, place, found(FoundBy::Mail));
            }
            for place in equal(users, by_principal, mail, |keys| keys.principal) {
                improve(&mut self.found, place, found(FoundBy::Principal));
            }
        }
    }

    /// Counts. `modules` is the backup listing's table of codes.
    pub(super) fn finish(self, modules: &CodeTable) -> Exposure {
        let FlaggedUsers {
            users,
            statuses,
            known,
            ..
        } = &*self.flagged;
        let mut exposed = CodeCounts::default();
        let mut unlisted = CodeCounts::default();
        let mut by_module: Vec<(i64, Mask, CodeCounts)> = modules
            .iter()
            .map(|(code, mask)| (code, mask, CodeCounts::default()))
            .collect();
        for (user, found) in users.iter().zip(&self.found) {
            let fully_protected = found.protected && found.unprotected == 0;
            if fully_protected {
                continue;
            }
            exposed.add(user.statuses);
            if found.by == FoundBy::Nothing {
                unlisted.add(user.statuses);
            }
            for (_, _, counts) in by_module
                .iter_mut()
                .filter(|(_, mask, _)| found.unprotected & mask != 0)
            {
                counts.add(user.statuses);
            }
        }
        let by_status =
            |counts: &CodeCounts| counts.by_code::<SecurityStatus>(statuses, known.iter().copied());
        let mut counts_by_module: BTreeMap<BackupModule, BTreeMap<SecurityStatus, u64>> =
            BackupModule::KNOWN
                .iter()
                .map(|module| (*module, by_status(&CodeCounts::default())))
                .collect();
        counts_by_module.extend(
            by_module
                .iter()
                .map(|(code, _, counts)| ((*code).into(), by_status(counts))),
        );
        Exposure {
            users: by_status(&exposed),
            by_module: counts_by_module
                .into_iter()
                .flat_map(|(module, counts)| {
                    counts
                        .into_iter()
                        .map(move |(status, n)| ((status, module), n))
                })
                .collect(),
            unlisted: by_status(&unlisted),
        }
    }
}

/// Takes what was found by a better key; among equals the first in page order wins.
fn improve(found: &mut [Found], place: usize, better: Found) {
    if let Some(found) = found.get_mut(place).filter(|found| found.by < better.by) {
        *found = better;
    }
}

/// The places of the users whose key is this one, by an order made with [`order`].
fn equal<'a>(
    users: &'a [Flagged],
    order: &'a [u32],
    wanted: UserKey,
    key: fn(&UserKeys) -> Option<UserKey>,
) -> impl Iterator<Item = usize> + 'a {
    let key_at = move |place: &u32| users.get(*place as usize).and_then(|user| key(&user.keys));
    let start = order.partition_point(|place| key_at(place) < Some(wanted));
    let rest = order.get(start..).unwrap_or_default();
    rest.iter()
        .take_while(move |place| key_at(place) == Some(wanted))
        .map(|place| *place as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CodeSet;

    const HIGH_RISK: i64 = 3;
    const MAILBOX: i64 = 0;

    fn keys(id: u64, mail: u64, principal: u64) -> UserKeys {
        UserKeys {
            id: UserKey::new(id),
            mail: UserKey::new(mail),
            principal: UserKey::new(principal),
        }
    }

    /// One flagged user against a backup listing of (id, mail, protected): is the user exposed, and unlisted?
    #[track_caller]
    fn check(user: UserKeys, listing: &[(u64, u64, bool)], exposed: u64, unlisted: u64) {
        let mut statuses = CodeTable::default();
        let mask = statuses.mask(&CodeSet::from_iter([HIGH_RISK])).unwrap();
        let others = (100..200).map(|n| Flagged {
            keys: keys(n, n + 1000, n + 2000),
            statuses: 0,
        });
        let users = others
            .chain([Flagged {
                keys: user,
                statuses: mask,
            }])
            .collect();
        let flagged = FlaggedUsers::new(users, statuses, SecurityStatus::KNOWN.to_vec());
        let mut join = ExposureJoin::new(Arc::new(flagged));
        let mut modules = CodeTable::default();
        let module = modules.mask(&CodeSet::from_iter([MAILBOX])).unwrap();
        for (id, mail, is_protected) in listing {
            let (protected, unprotected) = if *is_protected {
                (module, 0)
            } else {
                (0, module)
            };
            join.listed(&keys(*id, *mail, 0), protected, unprotected);
        }
        let exposure = join.finish(&modules);
        let high_risk = SecurityStatus::from(HIGH_RISK);
        assert_eq!(
            (exposure.users[&high_risk], exposure.unlisted[&high_risk]),
            (exposed, unlisted)
        );
        assert_eq!(
            exposure.by_module[&(high_risk, MAILBOX.into())],
            exposed - unlisted
        );
    }

    #[test]
    fn a_user_is_found_by_id_else_by_mail_else_by_principal_name() {
        check(keys(1, 2, 3), &[(1, 0, true)], 0, 0);
        check(keys(1, 2, 3), &[(9, 2, true)], 0, 0);
        check(keys(1, 2, 3), &[(0, 3, true)], 0, 0);
        check(keys(1, 2, 2), &[(0, 2, true)], 0, 0);
        check(keys(0, 0, 3), &[(0, 3, false)], 1, 0);
        check(
            keys(1, 2, 3),
            &[(9, 9, true), (0, 1, true), (2, 0, true)],
            1,
            1,
        );
    }

    #[test]
    fn the_better_match_wins_in_whatever_order_the_rows_come() {
        for (by_id, by_mail, by_principal) in [(true, false, false), (false, true, true)] {
            let rows = [(1, 0, by_id), (9, 2, by_mail), (8, 3, by_principal)];
            let exposed = u64::from(!by_id);
            check(keys(1, 2, 3), &rows, exposed, 0);
            check(keys(1, 2, 3), &[rows[2], rows[1], rows[0]], exposed, 0);
        }
    }

    #[test]
    fn among_equal_matches_the_first_in_page_order_wins() {
        check(keys(1, 2, 3), &[(8, 2, true), (9, 2, false)], 0, 0);
        check(keys(1, 2, 3), &[(8, 2, false), (9, 2, true)], 1, 0);
    }

    #[test]
    fn a_key_that_a_user_lacks_matches_nothing() {
        check(keys(1, 0, 0), &[(0, 2, true)], 1, 1);
        check(keys(0, 2, 0), &[(5, 0, true)], 1, 1);
    }

    #[test]
    fn forty_bytes_are_kept_for_a_user_at_most() {
        assert_eq!(size_of::<Flagged>() + 2 * size_of::<u32>(), 40);
    }
}
