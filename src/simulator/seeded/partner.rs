//! Rows of Partner Center made up from a seed: mostly the people of the directory, a few whom only
//! Partner Center knows, and those who were deleted of late.

use super::super::dates;
use super::super::partner_rows::{PartnerUser, Word};
use super::{Seeded, WHOLE, below, mix, names, phone, pick};

/// Keeps this purpose's hashes apart.
const PARTNER: u64 = 0x9c;
/// One user in so many is known to Partner Center only.
const ONLY_ONE_IN: usize = 60;
/// The share of users who were deleted in the last 30 days.
const DELETED: usize = 300;
/// The share of users who must change their password.
const MUST_CHANGE: usize = 600;
/// The first deleted person; so far away that no other listing gets there.
const FIRST_DELETED: usize = 1 << 30;

impl Seeded {
    pub(in super::super) fn partner_count(&self) -> usize {
        self.known_to_both() + self.users / ONLY_ONE_IN
    }

    fn known_to_both(&self) -> usize {
        self.users - self.users / self.partner_skip
    }

    /// Row `k` of the listing of active users.
    pub(in super::super) fn partner_user(&self, tick: u64, k: usize) -> PartnerUser {
        let both = self.known_to_both();
        let user = if k < both {
            k + k / (self.partner_skip - 1)
        } else {
            self.users + k - both
        };
        self.partner_row(tick, user, "active")
    }

    pub(in super::super) fn deleted_partner_count(&self, tick: u64) -> usize {
        self.users * self.drifted(DELETED, 40, tick) / WHOLE
    }

    /// Row `k` of the listing of deleted users, who went in the last 29 days.
    pub(in super::super) fn deleted_partner_user(&self, tick: u64, k: usize) -> PartnerUser {
        let hash = mix(self.seed ^ !PARTNER, k);
        let deleted = dates::text(self.today - seconds(hash, 29 * 86_400));
        PartnerUser {
            soft_deletion_time: Some(deleted),
            ..self.partner_row(tick, FIRST_DELETED + k, "inactive")
        }
    }

    fn partner_row(&self, tick: u64, user: usize, state: &str) -> PartnerUser {
        let person = self.person(user);
        let hash = mix(self.seed ^ PARTNER, user);
        let (domain_type, synced) = match hash % 20 {
            0 => ("none", false),
            1..9 => ("federated", true),
            9 => ("managed", true),
            // Some answers capitalise their words.
            10 => ("Managed", false),
            _ => ("managed", false),
        };
        let location = match hash / 20 % 20 {
            0 => None,
            1..13 => Some(self.country),
            _ => Some(pick(names::USAGE_LOCATIONS, hash >> 12)),
        };
        let must_change = below(hash >> 8, WHOLE) < self.drifted(MUST_CHANGE, 40, tick);
        let synced_at = self.today - seconds(hash >> 20, 10_000);
        PartnerUser {
            display_name: Some([person.first, " ", person.last].concat()),
            first_name: Some(person.first.to_owned()),
            last_name: Some(person.last.to_owned()),
            usage_location: location.map(str::to_owned),
            state: Some(Word::text(state)),
            user_domain_type: Some(Word::text(domain_type)),
            immutable_id: synced.then(|| format!("immutable-{}", person.id)),
            phone_number: Some(phone("03", hash, hash >> 32)),
            last_directory_sync_time: synced.then(|| dates::text(synced_at)),
            soft_deletion_time: None,
            force_change_password: Some(must_change),
            password: Some(format!("Simulated-Password-{user}!")),
            id: Some(person.id),
            user_principal_name: Some(person.principal_name),
        }
    }
}

/// Some number of seconds below this one.
fn seconds(hash: u64, end: usize) -> i64 {
    i64::try_from(below(hash, end)).unwrap_or(0)
}
