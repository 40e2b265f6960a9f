//! The join: users with a finding who are not backed up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::collectors::pairs;
use crate::domain::{BackupModule, SecurityStatus};

use super::codes::{CodeCounts, CodeTable, Mask};
use super::matching::{Matching, ReferenceUsers};

/// Users at risk and not backed up, by finding. All known findings and modules are included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    /// Users who are not in the backup listing, or list no module, or list one that is not protected.
    pub users: BTreeMap<SecurityStatus, u64>,
    /// Those of them who list this module as not protected.
    #[serde(with = "pairs")]
    pub by_module: BTreeMap<(SecurityStatus, BackupModule), u64>,
    /// Those of them who are not in the backup listing.
    pub unlisted: BTreeMap<SecurityStatus, u64>,
}

impl Exposure {
    /// Counts the users with findings that were matched against a backup listing, whose table of codes `modules` is.
    pub(in crate::collectors) fn new(matching: &Matching, modules: &CodeTable) -> Self {
        let ReferenceUsers {
            statuses, known, ..
        } = &*matching.reference;
        let mut exposed = CodeCounts::default();
        let mut unlisted = CodeCounts::default();
        // A known module that the listing does not have has no bit, so it counts nobody.
        let known_modules = BackupModule::KNOWN.iter().map(|module| (*module, 0));
        let listed_modules = modules.iter().map(|(code, mask)| (code.into(), mask));
        let mut by_module: BTreeMap<BackupModule, (Mask, CodeCounts)> = known_modules
            .chain(listed_modules)
            .map(|(module, mask)| (module, (mask, CodeCounts::default())))
            .collect();
        for (findings, found) in matching.pairs() {
            if found.is_protected() {
                continue;
            }
            exposed.add(findings);
            if !found.is_listed() {
                unlisted.add(findings);
            }
            for (mask, counts) in by_module.values_mut() {
                if found.unprotected & *mask != 0 {
                    counts.add(findings);
                }
            }
        }
        let by_status = |counts: &CodeCounts| counts.by_code::<SecurityStatus>(statuses, known);
        let by_module = by_module.iter().flat_map(|(module, (_, counts))| {
            let by_status = by_status(counts).into_iter();
            by_status.map(move |(status, users)| ((status, *module), users))
        });
        Self {
            users: by_status(&exposed),
            by_module: by_module.collect(),
            unlisted: by_status(&unlisted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use super::super::matching::Reference;
    use crate::domain::{CodeSet, UserKey, UserKeys};

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
        let others = (100..200).map(|n| Reference {
            keys: keys(n, n + 1000, n + 2000),
            statuses: 0,
        });
        let users = others
            .chain([Reference {
                keys: user,
                statuses: mask,
            }])
            .collect();
        let flagged = ReferenceUsers::new(users, statuses, SecurityStatus::KNOWN.to_vec());
        let mut matching = Matching::new(Arc::new(flagged));
        let mut modules = CodeTable::default();
        let module = modules.mask(&CodeSet::from_iter([MAILBOX])).unwrap();
        for (id, mail, is_protected) in listing {
            let (protected, unprotected) = if *is_protected {
                (module, 0)
            } else {
                (0, module)
            };
            matching.listed(&keys(*id, *mail, 0), protected, unprotected);
        }
        let exposure = Exposure::new(&matching, &modules);
        let high_risk = SecurityStatus::from(HIGH_RISK);
        assert_eq!(
            matching.missing(),
            100 + unlisted,
            "none of the others is listed"
        );
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
}
