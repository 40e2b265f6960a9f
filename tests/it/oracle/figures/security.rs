//! Users with findings, and who of them is exposed.

use std::collections::{BTreeMap, BTreeSet};

use avepoint_exporter::simulator::{
    Distort, Listing, OlderSecurityUser, SecurityUser, Statuses, Tenant,
};

use super::people::{Who, once};
use super::protected::{Backed, modules};
use super::{Circumstances, MOST_CODES, Out, Security, named};

pub(super) const STATUSES: &[(i64, &str)] = &[
    (0, "mfa_disabled"),
    (1, "sign_in_blocked"),
    (2, "password_expired"),
    (3, "high_risk"),
    (4, "medium_risk"),
    (5, "compliance"),
    (6, "inactive"),
    (7, "pending_deletion"),
    (TEST_USER, "test_user"),
];
const TEST_USER: i64 = 8;

/// A user of a listing that tells of findings.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) who: Who,
    pub(super) is_marked: bool,
    pub(super) statuses: BTreeSet<i64>,
}

impl Person {
    /// The user of a row; nothing for a number that means nothing.
    pub(super) fn new(row: &SecurityUser, flags: bool) -> Option<Self> {
        let statuses = match &row.statuses {
            None => Some(BTreeSet::new()),
            Some(Statuses::Codes(codes)) => Some(codes.iter().copied().collect()),
            Some(Statuses::One(number)) => one_number(*number, flags),
        };
        Some(Self::of(row, statuses?))
    }

    fn older(row: &OlderSecurityUser, flags: bool) -> Option<Self> {
        let statuses = match row.status {
            None => Some(BTreeSet::new()),
            Some(number) => one_number(number, flags),
        };
        Some(Self::of(&row.user, statuses?))
    }

    fn of(row: &SecurityUser, statuses: BTreeSet<i64>) -> Self {
        let SecurityUser {
            id,
            mail,
            user_principal_name,
            is_test_user,
            ..
        } = row.clone();
        Self {
            who: Who::new(id, mail, user_principal_name),
            is_marked: is_test_user == Some(true),
            statuses,
        }
    }
}

fn one_number(number: i64, flags: bool) -> Option<BTreeSet<i64>> {
    if !flags {
        return Some(BTreeSet::from([number]));
    }
    let bits = format!("{number:b}");
    let bits = bits.chars().rev().zip(0..).filter(|(bit, _)| *bit == '1');
    (number >= 0).then(|| bits.map(|(_, code)| code).collect())
}

/// All codes of these users.
pub(super) fn codes(users: &[Person]) -> BTreeSet<i64> {
    users
        .iter()
        .flat_map(|user| user.statuses.clone())
        .collect()
}

/// Puts out the listing's figures. Returns its users, where it was read row by row.
pub(super) fn put(tenant: &Tenant, how: &Circumstances, out: &mut Out<'_>) -> Option<Vec<Person>> {
    if how.security == Security::Counts {
        let counted = counted(tenant, how);
        out.up("security_users", counted.is_some());
        if let Some((users, by_status)) = counted {
            out.count("avepoint_security_users", &[], users);
            for (status, users) in by_status {
                let labels = [("status", status)];
                out.count("avepoint_security_users_by_status", &labels, users);
            }
        }
        return None;
    }
    let users = listing(tenant, how);
    out.up("security_users", users.is_some());
    let users = users?;
    out.count("avepoint_security_users", &[], users.len());
    for (code, label) in statuses(&users, how) {
        let those = users.iter().filter(|user| user.statuses.contains(&code));
        let labels = [("status", &*label)];
        out.count("avepoint_security_users_by_status", &labels, those.count());
    }
    Some(users)
}

/// The users of the listing, each once; nothing when reading it must fail.
fn listing(tenant: &Tenant, how: &Circumstances) -> Option<Vec<Person>> {
    let Security::Scan {
        endpoint,
        status_encoding,
        exclude_test_users,
    } = how.security
    else {
        return None;
    };
    let is_older = endpoint == "batch";
    let flags = match status_encoding {
        "auto" => is_older,
        encoding => encoding == "flags",
    };
    let id = tenant.tenant_id;
    let listing = if is_older {
        Listing::OlderSecurity
    } else {
        Listing::Security
    };
    let users: Option<Vec<Person>> = if is_older {
        let rows = tenant.older_security_users(how.tick);
        let rows = how.read(Listing::OlderSecurity, id, rows)?;
        rows.iter().map(|row| Person::older(row, flags)).collect()
    } else {
        let rows = tenant.security_users(how.tick);
        let rows = how.read(Listing::Security, id, rows)?;
        rows.iter().map(|row| Person::new(row, flags)).collect()
    };
    let mut users = once(users?, Some(how.pages(listing, id)), |user| &user.who)?;
    users.retain(|user| {
        let is_test_user = user.is_marked || user.statuses.contains(&TEST_USER);
        !(exclude_test_users && is_test_user)
    });
    (codes(&users).len() <= MOST_CODES).then_some(users)
}

/// How many rows the listing has in all and by finding; nothing when one of the rows that prove the filter is wrong.
fn counted(tenant: &Tenant, how: &Circumstances) -> Option<(usize, BTreeMap<&'static str, usize>)> {
    let rows: Vec<SecurityUser> = tenant
        .security_users(how.tick)
        .map(std::borrow::Cow::into_owned)
        .collect();
    let count = |wanted: &dyn Fn(&[i64]) -> bool| {
        let has = |row: &SecurityUser| {
            wanted(
                row.statuses
                    .as_ref()
                    .map_or(&[], |statuses| statuses.codes()),
            )
        };
        let first = rows.iter().position(has);
        if let Some(k) = first {
            let mut shown = rows[k].clone();
            shown.distort(k, &how.faults);
            if !has(&shown) || !Person::new(&shown, false)?.who.is_anybody() {
                return None;
            }
        }
        Some(rows.iter().filter(|row| has(row)).count())
    };
    let mut by_status = BTreeMap::new();
    for (code, status) in STATUSES {
        by_status.insert(*status, count(&|codes| codes.contains(code))?);
    }
    Some((count(&|_| true)?, by_status))
}

/// The findings that are shown.
fn statuses(users: &[Person], how: &Circumstances) -> BTreeMap<i64, String> {
    let mut shown = named(STATUSES, codes(users).into_iter());
    if let Security::Scan {
        exclude_test_users: true,
        ..
    } = how.security
    {
        shown.remove(&TEST_USER);
    }
    shown
}

pub(super) fn put_exposure(
    flagged: &[Person],
    backup: &[Backed],
    how: &Circumstances,
    out: &mut Out<'_>,
) {
    let exposed: Vec<(&Person, Option<&Backed>)> = flagged
        .iter()
        .map(|user| (user, user.who.look_up(backup)))
        .filter(|(_, found)| found.is_none_or(|found| found.coverage() != "full"))
        .collect();
    for (code, status) in statuses(flagged, how) {
        let of_status: Vec<_> = exposed
            .iter()
            .filter(|(user, _)| user.statuses.contains(&code))
            .collect();
        let labels = [("status", &*status)];
        out.count("avepoint_exposed_users", &labels, of_status.len());
        let unlisted = of_status.iter().filter(|(_, found)| found.is_none());
        out.count("avepoint_exposed_unlisted_users", &labels, unlisted.count());
        for (code, module) in modules(backup) {
            let unprotected = of_status.iter().filter(|(_, found)| {
                found.is_some_and(|found| found.modules.get(&code) == Some(&false))
            });
            out.count(
                "avepoint_exposed_users_by_module",
                &[("status", &status), ("module", &module)],
                unprotected.count(),
            );
        }
    }
}
