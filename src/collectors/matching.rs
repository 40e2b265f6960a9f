//! Finding the users of one listing in another. The users of the first are kept between polls as keys; the backup
//! listing is matched against them while it is read.

use std::sync::Arc;

use crate::domain::{SecurityStatus, UserKey, UserKeys};

use super::codes::{CodeTable, Mask};

/// A user to be found: 32 bytes.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) keys: UserKeys,
    /// What is the matter with the user, as codes of the listing's table; nothing in listings that do not say.
    pub(super) statuses: Mask,
}

/// The users of one listing who are to be found in the backup listing: at most 40 bytes for each.
#[derive(Debug)]
pub struct ReferenceUsers {
    /// In the order of their ids.
    pub(super) users: Vec<Reference>,
    /// Places in `users`, in the order of their mail addresses; those without one are left out.
    by_mail: Vec<u32>,
    /// Places in `users`, in the order of their principal names; those whose mail address is the same, as
    /// it is for most, are left out.
    by_principal: Vec<u32>,
    pub(super) statuses: CodeTable,
    /// The findings that are shown even where nobody has them.
    pub(super) known: Vec<SecurityStatus>,
}

impl ReferenceUsers {
    pub(super) fn new(
        mut users: Vec<Reference>,
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

    /// Users of a listing that says nothing of findings.
    pub(super) fn without_statuses(users: Vec<Reference>) -> Self {
        Self::new(users, CodeTable::default(), Vec::new())
    }
}

fn principal_if_different(keys: &UserKeys) -> Option<UserKey> {
    keys.principal.filter(|_| keys.principal != keys.mail)
}

/// The places of the users that have this key, in its order.
fn order(users: &[Reference], key: fn(&UserKeys) -> Option<UserKey>) -> Vec<u32> {
    let mut keyed: Vec<(UserKey, u32)> = users
        .iter()
        .zip(0..)
        .filter_map(|(user, place)| Some((key(&user.keys)?, place)))
        .collect();
    keyed.sort_unstable();
    let mut places: Vec<u32> = keyed.into_iter().map(|(_, place)| place).collect();
    // They stand in the room that the keys took, four times what they need.
    places.shrink_to_fit();
    places
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
pub(super) struct Found {
    by: FoundBy,
    protected: bool,
    /// The modules listed as not protected, as codes of the backup listing's table.
    pub(super) unprotected: Mask,
}

impl Found {
    pub(super) fn is_listed(self) -> bool {
        self.by != FoundBy::Nothing
    }

    /// Whether the backup listing has the user with all listed modules protected, and at least one.
    pub(super) fn is_protected(self) -> bool {
        self.protected && self.unprotected == 0
    }
}

/// A backup listing that is being matched.
#[derive(Debug)]
pub(super) struct Matching {
    pub(super) reference: Arc<ReferenceUsers>,
    /// For each of the reference's users, in their order.
    found: Vec<Found>,
}

impl Matching {
    pub(super) fn new(reference: Arc<ReferenceUsers>) -> Self {
        let found = vec![Found::default(); reference.users.len()];
        Self { reference, found }
    }

    /// The reference's users, and what the backup listing says of each.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&Reference, &Found)> {
        self.reference.users.iter().zip(&self.found)
    }

    /// How many of the reference's users are not in the backup listing at all.
    pub(super) fn missing(&self) -> u64 {
        let missing = self.found.iter().filter(|found| !found.is_listed());
        missing.count() as u64
    }

    /// Matches a user of the backup listing: by id; failing that by mail address, then by principal name.
    pub(super) fn listed(&mut self, keys: &UserKeys, protected: Mask, unprotected: Mask) {
        let found = |by| Found {
            by,
            protected: protected != 0,
            unprotected,
        };
        let ReferenceUsers {
            users,
            by_mail,
            by_principal,
            ..
        } = &*self.reference;
        if let Some(id) = keys.id {
            let id_at = |place: usize| users.get(place).and_then(|user| user.keys.id);
            let place = first_not_below(users.len(), id, id_at);
            if id_at(place) == Some(id) {
                improve(&mut self.found, place, found(FoundBy::Id));
            }
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
}

/// Takes what was found by a better key; among equals the first in page order wins.
fn improve(found: &mut [Found], place: usize, better: Found) {
    if let Some(found) = found.get_mut(place).filter(|found| found.by < better.by) {
        *found = better;
    }
}

/// The places of the users whose key is this one, by an order made with [`order`].
fn equal<'a>(
    users: &'a [Reference],
    order: &'a [u32],
    wanted: UserKey,
    key: fn(&UserKeys) -> Option<UserKey>,
) -> impl Iterator<Item = usize> + 'a {
    let key_at = move |place: &u32| users.get(*place as usize).and_then(|user| key(&user.keys));
    let start = first_not_below(order.len(), wanted, |at| order.get(at).and_then(key_at));
    let rest = order.get(start..).unwrap_or_default();
    rest.iter()
        .take_while(move |place| key_at(place) == Some(wanted))
        .map(|place| *place as usize)
}

/// So often a place is guessed before the search goes on by halves.
const GUESSES: usize = 8;

/// The first of so many places, in the order of their keys, whose key is not below the wanted one; `places` where
/// there is none.
///
/// Keys are hashes and lie evenly, so that a key tells about where it stands: that takes four or five looks into a
/// listing of 10,000 users, where halves take fourteen, each of them a wait for memory. Many places with one key, or
/// with none, lead guesses astray; what they leave is searched by halves.
fn first_not_below(
    places: usize,
    wanted: UserKey,
    key_at: impl Fn(usize) -> Option<UserKey>,
) -> usize {
    // Without the lower bits, products of keys and places fit their type.
    let coarse = |key: Option<UserKey>| key.map_or(0, |key| key.get() >> 32);
    let target = coarse(Some(wanted));
    // What is wanted is at `low` or beyond, up to `high`; their keys are not below `least` and not above `most`.
    let (mut low, mut high) = (0, places);
    let (mut least, mut most) = (0, u64::from(u32::MAX));
    let mut looks = 0;
    while low < high {
        let rest = high - low - 1;
        let ahead = if looks < GUESSES {
            let share = (target - least).saturating_mul(rest as u64) / (most - least).max(1);
            usize::try_from(share).map_or(rest, |share| share.min(rest))
        } else {
            rest / 2
        };
        looks += 1;
        let key = key_at(low + ahead);
        if key < Some(wanted) {
            low += ahead + 1;
            least = coarse(key);
        } else {
            high = low + ahead;
            most = coarse(key);
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_key_is_found_however_keys_lie(
            mut keys in prop::collection::vec(prop_oneof![any::<u64>(), 0..3_u64, u64::MAX - 2..=u64::MAX], 0..500),
            wanted in prop_oneof![any::<u64>(), 0..3_u64, u64::MAX - 2..=u64::MAX],
            repeated in 0..500_usize,
        ) {
            // Some of those that are there are asked for, and one is there many times.
            let wanted = keys.get(repeated).copied().unwrap_or(wanted).max(1);
            keys.extend(keys.first().copied().map_or(Vec::new(), |key| vec![key; repeated]));
            keys.sort_unstable();
            let wanted = UserKey::new(wanted).unwrap();
            let key_at = |place: usize| UserKey::new(keys[place]);
            let place = keys.partition_point(|key| UserKey::new(*key) < Some(wanted));
            prop_assert_eq!(first_not_below(keys.len(), wanted, key_at), place);
        }
    }

    #[test]
    fn few_looks_find_a_key_in_a_long_listing_and_keys_that_lie_badly_cost_few_more() {
        let looks = |keys: &[u64], wanted: u64| {
            let looks = std::cell::Cell::new(0);
            first_not_below(keys.len(), UserKey::new(wanted).unwrap(), |place| {
                looks.set(looks.get() + 1);
                UserKey::new(keys[place])
            });
            looks.get()
        };
        let mut random = fastrand::Rng::with_seed(1);
        let mut even: Vec<u64> = (0..10_000).map(|_| random.u64(1..)).collect();
        even.sort_unstable();
        let all: u32 = even.iter().map(|key| looks(&even, *key)).sum();
        assert!(all < 5 * 10_000, "{all} looks for 10,000 keys");
        let mut astray = vec![0; 10_000];
        astray.extend((1..10_000).map(|n| u64::MAX - 10_000 + n));
        let most = astray.iter().map(|key| looks(&astray, (*key).max(1))).max();
        assert!(most.unwrap() < 8 + 16, "{most:?} looks for one key");
    }

    #[test]
    fn forty_bytes_are_kept_for_a_user_at_most() {
        assert_eq!(size_of::<Reference>() + 2 * size_of::<u32>(), 40);
    }

    #[test]
    fn nothing_is_kept_but_the_users() {
        let users = (1..=1000).map(|user| Reference {
            keys: UserKeys {
                id: UserKey::new(user),
                mail: UserKey::new(2 * user),
                principal: UserKey::new(3 * user),
            },
            statuses: 0,
        });
        let kept = ReferenceUsers::without_statuses(users.collect());
        let rooms = [
            kept.users.capacity(),
            kept.by_mail.capacity(),
            kept.by_principal.capacity(),
        ];
        assert_eq!(rooms, [1000; 3]);
    }
}
