//! The figures of the collectors as they stand in the file. Codes are numbers, words are their labels, so what has
//! no documented meaning keeps what it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::collectors::{
    Coverage, Directory, Ending, Exposure, Joins, PartnerCenter, PasswordAge, Protection,
    SecurityUsers,
};
use crate::domain::{BackupModule, Collector, Country, DomainType, SecurityStatus, UserState};

/// More than there are people: no count is larger.
const MOST: u64 = 10_000_000_000;

/// A number of users, rows or pages.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Count(u64);

/// Users by the number of a code.
type ByCode = BTreeMap<i64, Count>;

/// Users by two labels or codes.
type ByTwo<A, B> = BTreeMap<A, BTreeMap<B, Count>>;

impl Count {
    /// The count as it can be read back: of what an API says without bounds, as much as there can be.
    pub(super) fn of(count: u64) -> Self {
        Self(count.min(MOST))
    }
}

impl TryFrom<u64> for Count {
    type Error = &'static str;

    fn try_from(count: u64) -> Result<Self, Self::Error> {
        if count > MOST {
            return Err("a count beyond all bounds");
        }
        Ok(Self(count))
    }
}

impl From<Count> for u64 {
    fn from(count: Count) -> Self {
        count.0
    }
}

/// Of `security_users`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Security {
    users: Count,
    by_status: ByCode,
}

/// Of `directory`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct InDirectory {
    users: Count,
    by_status: ByCode,
    test_users: Count,
    by_password_age: [Count; PasswordAge::ALL.len()],
    ending: [Count; Ending::ALL.len()],
}

/// Of `partner_center`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Partner {
    users: Count,
    by_state: ByTwo<String, String>,
    by_location: BTreeMap<String, Count>,
    other_location: Count,
    unset_location: Count,
    must_change_password: Count,
    synced: Count,
    last_sync: Option<i64>,
    next_purge: Option<i64>,
}

/// Of `protected_users`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Backup {
    users: Count,
    protected: ByCode,
    unprotected: ByCode,
    full: Count,
    partial: Count,
    none: Count,
    exposure: Option<Exposed>,
    missing: BTreeMap<String, Count>,
}

/// What came of matching the protected users with those at risk.
#[derive(Debug, Serialize, Deserialize)]
struct Exposed {
    users: ByCode,
    by_module: ByTwo<i64, i64>,
    unlisted: ByCode,
}

impl From<&SecurityUsers> for Security {
    fn from(figures: &SecurityUsers) -> Self {
        Self {
            users: Count::of(figures.users),
            by_status: by_status(&figures.by_status),
        }
    }
}

impl From<Security> for SecurityUsers {
    fn from(saved: Security) -> Self {
        Self {
            users: saved.users.0,
            by_status: by_code(saved.by_status),
        }
    }
}

impl From<&Directory> for InDirectory {
    fn from(figures: &Directory) -> Self {
        Self {
            users: Count::of(figures.users),
            by_status: by_status(&figures.by_status),
            test_users: Count::of(figures.test_users),
            by_password_age: figures.by_password_age.map(Count::of),
            ending: figures.ending.map(Count::of),
        }
    }
}

impl From<InDirectory> for Directory {
    fn from(saved: InDirectory) -> Self {
        Self {
            users: saved.users.0,
            by_status: by_code(saved.by_status),
            test_users: saved.test_users.0,
            by_password_age: saved.by_password_age.map(u64::from),
            ending: saved.ending.map(u64::from),
        }
    }
}

impl From<&PartnerCenter> for Partner {
    fn from(figures: &PartnerCenter) -> Self {
        let by_state = figures
            .by_state
            .iter()
            .map(|((state, domain_type), users)| {
                (
                    state.label().into_owned(),
                    domain_type.label().into_owned(),
                    *users,
                )
            });
        let by_location = figures.by_location.iter();
        Self {
            users: Count::of(figures.users),
            by_state: by_two(by_state),
            by_location: by_location
                .map(|(country, users)| (country.to_string(), Count::of(*users)))
                .collect(),
            other_location: Count::of(figures.other_location),
            unset_location: Count::of(figures.unset_location),
            must_change_password: Count::of(figures.must_change_password),
            synced: Count::of(figures.synced),
            last_sync: figures.last_sync,
            next_purge: figures.next_purge,
        }
    }
}

impl TryFrom<Partner> for PartnerCenter {
    type Error = &'static str;

    fn try_from(saved: Partner) -> Result<Self, Self::Error> {
        let mut by_state = BTreeMap::new();
        for (state, by_type) in saved.by_state {
            let state: UserState = word(&state)?;
            for (domain_type, users) in by_type {
                let domain_type: DomainType = word(&domain_type)?;
                by_state.insert((state, domain_type), users.0);
            }
        }
        let mut by_location = BTreeMap::new();
        for (country, users) in saved.by_location {
            let country = Country::new(&country).ok_or("a country that is none")?;
            by_location.insert(country, users.0);
        }
        Ok(Self {
            users: saved.users.0,
            by_state,
            by_location,
            other_location: saved.other_location.0,
            unset_location: saved.unset_location.0,
            must_change_password: saved.must_change_password.0,
            synced: saved.synced.0,
            last_sync: saved.last_sync,
            next_purge: saved.next_purge,
        })
    }
}

impl From<(&Protection, &Joins)> for Backup {
    fn from((figures, joins): (&Protection, &Joins)) -> Self {
        let missing = joins.missing.iter();
        Self {
            users: Count::of(figures.users),
            protected: by_module(&figures.protected),
            unprotected: by_module(&figures.unprotected),
            full: Count::of(figures.coverage.full),
            partial: Count::of(figures.coverage.partial),
            none: Count::of(figures.coverage.none),
            exposure: joins.exposure.as_ref().map(Exposed::from),
            missing: missing
                .map(|(collector, users)| (collector.as_str().to_owned(), Count::of(*users)))
                .collect(),
        }
    }
}

impl TryFrom<Backup> for (Protection, Joins) {
    type Error = &'static str;

    fn try_from(saved: Backup) -> Result<Self, Self::Error> {
        let mut missing = BTreeMap::new();
        for (name, users) in saved.missing {
            let mut all = Collector::ALL.iter();
            let collector = all.find(|one| one.as_str() == name);
            missing.insert(*collector.ok_or("a collector that is none")?, users.0);
        }
        let protection = Protection {
            users: saved.users.0,
            protected: by_code(saved.protected),
            unprotected: by_code(saved.unprotected),
            coverage: Coverage {
                full: saved.full.0,
                partial: saved.partial.0,
                none: saved.none.0,
            },
        };
        let joins = Joins {
            exposure: saved.exposure.map(Exposure::from),
            missing,
        };
        Ok((protection, joins))
    }
}

impl From<&Exposure> for Exposed {
    fn from(exposure: &Exposure) -> Self {
        let by_module = exposure.by_module.iter();
        Self {
            users: by_status(&exposure.users),
            by_module: by_two(
                by_module.map(|((status, module), users)| (status.code(), module.code(), *users)),
            ),
            unlisted: by_status(&exposure.unlisted),
        }
    }
}

impl From<Exposed> for Exposure {
    fn from(saved: Exposed) -> Self {
        let by_module = saved.by_module.into_iter().flat_map(|(status, by_module)| {
            let by_module = by_module.into_iter();
            by_module.map(move |(module, users)| ((status.into(), module.into()), users.0))
        });
        Self {
            users: by_code(saved.users),
            by_module: by_module.collect(),
            unlisted: by_code(saved.unlisted),
        }
    }
}

fn by_status(users: &BTreeMap<SecurityStatus, u64>) -> ByCode {
    let users = users.iter();
    users
        .map(|(status, users)| (status.code(), Count::of(*users)))
        .collect()
}

fn by_module(users: &BTreeMap<BackupModule, u64>) -> ByCode {
    let users = users.iter();
    users
        .map(|(module, users)| (module.code(), Count::of(*users)))
        .collect()
}

fn by_code<T: From<i64> + Ord>(saved: ByCode) -> BTreeMap<T, u64> {
    let saved = saved.into_iter();
    saved.map(|(code, users)| (code.into(), users.0)).collect()
}

fn by_two<A: Ord, B: Ord>(users: impl Iterator<Item = (A, B, u64)>) -> ByTwo<A, B> {
    let mut by_two = ByTwo::new();
    for (a, b, users) in users {
        let by_one: &mut BTreeMap<_, _> = by_two.entry(a).or_default();
        by_one.insert(b, Count::of(users));
    }
    by_two
}

/// The word of Partner Center that has this label.
fn word<T>(label: &str) -> Result<T, &'static str>
where
    T: for<'a> From<&'a str> + From<i64> + PartialEq,
{
    const UNKNOWN: &str = "unknown";
    if let Some(number) = label.strip_prefix("unknown_") {
        let number: i64 = number.parse().map_err(|_| "a number that is none")?;
        return Ok(number.into());
    }
    let word = T::from(label);
    if label != UNKNOWN && word == T::from(UNKNOWN) {
        return Err("a word that Partner Center does not have");
    }
    Ok(word)
}
