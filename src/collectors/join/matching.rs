//! Finding the users of one listing in another. The users of the first are kept between polls as keys; the backup
//! listing is matched against them while it is read.

use std::sync::Arc;

use crate::domain::{SecurityStatus, UserKey, UserKeys};

use super::codes::{CodeTable, Mask};

/// A user to be found.
#[derive(Debug)]
pub(in crate::collectors) struct Reference {
    pub(in crate::collectors) keys: UserKeys,
    /// What is the matter with the user, as codes of the listing's table; nothing in listings that do not say.
    pub(in crate::collectors) statuses: Mask,
}

/// The users of one listing who are to be found in the backup listing: at most 40 bytes for each. Keys lie close
/// together, since a search among those of many users waits for memory at nearly each of its steps.
#[derive(Debug)]
pub struct ReferenceUsers {
    /// In ascending order, which gives each user a place.
    ids: Vec<Option<UserKey>>,
    /// What is the matter with each user, in the same order.
    findings: Vec<Mask>,
    mails: Addresses,
    /// Those of users whose mail address is the same, as it is for most, are left out.
    principals: Addresses,
    pub(in crate::collectors) statuses: CodeTable,
    /// The findings that are shown even where nobody has them.
    pub(in crate::collectors) known: Vec<SecurityStatus>,
}

impl ReferenceUsers {
    pub(in crate::collectors) fn new(
        mut users: Vec<Reference>,
        statuses: CodeTable,
        known: Vec<SecurityStatus>,
    ) -> Self {
        users.sort_unstable_by_key(|user| user.keys.id);
        Self {
            mails: Addresses::new(&users, |keys| keys.mail),
            principals: Addresses::new(&users, |keys| {
                keys.principal.filter(|_| keys.principal != keys.mail)
            }),
            ids: users.iter().map(|user| user.keys.id).collect(),
            findings: users.iter().map(|user| user.statuses).collect(),
            statuses,
            known,
        }
    }

    /// Users of a listing that says nothing of findings.
    pub(in crate::collectors) fn without_statuses(users: Vec<Reference>) -> Self {
        Self::new(users, CodeTable::default(), Vec::new())
    }
}

/// One address of each user that has it.
#[derive(Debug)]
struct Addresses {
    /// In ascending order.
    keys: Vec<UserKey>,
    /// The places of their users.
    places: Vec<u32>,
}

impl Addresses {
    fn new(users: &[Reference], key: fn(&UserKeys) -> Option<UserKey>) -> Self {
        let mut keyed: Vec<(UserKey, u32)> = users
            .iter()
            .zip(0..)
            .filter_map(|(user, place)| Some((key(&user.keys)?, place)))
            .collect();
        keyed.sort_unstable();
        let (keys, places) = keyed.into_iter().unzip();
        Self { keys, places }
    }

    /// The places of the users who have this address.
    fn places_of(&self, wanted: UserKey) -> impl Iterator<Item = usize> + '_ {
        let start = self.keys.partition_point(|key| *key < wanted);
        let keys = self.keys.get(start..).unwrap_or_default();
        let places = self.places.get(start..).unwrap_or_default();
        keys.iter()
            .zip(places)
            .take_while(move |(key, _)| **key == wanted)
            .map(|(_, place)| *place as usize)
    }
}

/// By which of its keys a user was found in the backup listing. A better one replaces a lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum FoundBy {
    #[default]
    Nothing,
    Principal,
    Mail,
    Id,
}

/// What the backup listing says of a user.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::collectors) struct Found {
    by: FoundBy,
    protected: bool,
    /// The modules listed as not protected, as codes of the backup listing's table.
    pub(in crate::collectors) unprotected: Mask,
}

impl Found {
    pub(in crate::collectors) fn is_listed(self) -> bool {
        self.by != FoundBy::Nothing
    }

    /// Whether the backup listing has the user with all listed modules protected, and at least one.
    pub(in crate::collectors) fn is_protected(self) -> bool {
        self.protected && self.unprotected == 0
    }
}

/// A backup listing that is being matched.
#[derive(Debug)]
pub(in crate::collectors) struct Matching {
    pub(in crate::collectors) reference: Arc<ReferenceUsers>,
    /// For each of the reference's users, in their order.
    found: Vec<Found>,
}

impl Matching {
    pub(in crate::collectors) fn new(reference: Arc<ReferenceUsers>) -> Self {
        let found = vec![Found::default(); reference.ids.len()];
        Self { reference, found }
    }

    /// What is the matter with each of the reference's users, and what the backup listing says of the same.
    pub(in crate::collectors) fn pairs(&self) -> impl Iterator<Item = (Mask, Found)> {
        let findings = self.reference.findings.iter().copied();
        findings.zip(self.found.iter().copied())
    }

    /// How many of the reference's users are not in the backup listing at all.
    pub(in crate::collectors) fn missing(&self) -> u64 {
        let missing = self.found.iter().filter(|found| !found.is_listed());
        missing.count() as u64
    }

    /// Matches a user of the backup listing: by id; failing that by mail address, then by principal name.
    pub(in crate::collectors) fn listed(
        &mut self,
        keys: &UserKeys,
        protected: Mask,
        unprotected: Mask,
    ) {
        let found = |by| Found {
            by,
            protected: protected != 0,
            unprotected,
        };
        let ReferenceUsers {
            ids,
            mails,
            principals,
            ..
        } = &*self.reference;
        if let Some(place) = keys.id.and_then(|id| ids.binary_search(&Some(id)).ok()) {
            improve(&mut self.found, place, found(FoundBy::Id));
        }
        if let Some(mail) = keys.mail {
            for place in mails.places_of(mail) {
                improve(&mut self.found, place, found(FoundBy::Mail));
            }
            for place in principals.places_of(mail) {
                improve(&mut self.found, place, found(FoundBy::Principal));
            }
        }
    }
}

/// Takes what was found by a better key; among equals the first in page order wins.
fn improve(found: &mut [Found], place: usize, better: Found) {
    if let Some(found) = found.get_mut(place).filter(|found| found.by < better.by) {
        *found = better;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_bytes_are_kept_for_a_user_at_most() {
        let users = (1..=1000).map(|n| Reference {
            keys: UserKeys {
                id: UserKey::new(n),
                mail: UserKey::new(n + 1000),
                principal: UserKey::new(n + 2000),
            },
            statuses: 0,
        });
        let mut kept = None;
        let info = allocation_counter::measure(|| {
            kept = Some(ReferenceUsers::without_statuses(users.collect()));
        });
        assert_eq!(info.bytes_current, 40 * 1000);
    }
}
