//! The faults that change rows, by a row and its index alone, so that an oracle can apply them too. Knows
//! neither HTTP nor JSON.

use super::faults::Fault;
use super::partner_rows::{PartnerUser, Word};
use super::rows::{
    Customer, CustomerTenant, DirectoryUser, Module, OlderSecurityUser, ProtectedUser,
    SecurityUser, Statuses,
};
use crate::domain::TenantId;

/// Status codes without a meaning: one that fits beside the known ones, two that do not.
const STATUSES: [i64; 3] = [12, 4113, -1];
/// Bits without a meaning.
const BITS: [u32; 3] = [9, 12, 40];
/// Modules without a meaning.
const MODULES: [i64; 2] = [1, 99];
/// A job status and a management mode without a meaning.
const UNKNOWN_NUMBER: i64 = 77;

/// A row that faults change. `k` is its index in its listing.
pub trait Distort {
    /// Adds a code, or a word, that nobody knows to every third row.
    fn unknown_codes(&mut self, k: usize);

    /// Takes fields away; one that names the user or the customer always stays.
    fn null_fields(&mut self, k: usize);

    /// Writes ids that are GUIDs in capitals, in braces or as they are, in turn.
    fn respelled_ids(&mut self, k: usize);

    /// Writes times in other forms, in turn: a day of the United States, and none.
    fn odd_dates(&mut self, _k: usize) {}

    /// Gives every third customer a tenant without an id.
    fn half_set_up(&mut self, _k: usize) {}

    /// Leaves the row as these faults do.
    fn distort(&mut self, k: usize, faults: &[Fault]) {
        if faults.contains(&Fault::UnknownCodes) {
            self.unknown_codes(k);
        }
        if faults.contains(&Fault::NullFields) {
            self.null_fields(k);
        }
        if faults.contains(&Fault::RespelledIds) {
            self.respelled_ids(k);
        }
        if faults.contains(&Fault::OddDates) {
            self.odd_dates(k);
        }
        if faults.contains(&Fault::HalfSetUp) {
            self.half_set_up(k);
        }
    }
}

fn respelled(id: &mut Option<String>, k: usize) {
    if let Some(id) = id.as_mut().filter(|id| id.parse::<TenantId>().is_ok()) {
        match k % 3 {
            0 => {}
            1 => *id = id.to_uppercase(),
            _ => *id = format!("{{{id}}}"),
        }
    }
}

/// Of a time like `2026-11-22T00:00:00Z`.
fn odd(date: &mut Option<String>, k: usize) {
    let Some(text) = date else { return };
    let day: Option<Vec<&str>> = text.get(..10).map(|day| day.split('-').collect());
    match (k % 3, day.as_deref()) {
        (1, Some([year, month, day])) => *date = Some(format!("{month}-{day}-{year}T12:00:00Z")),
        (2, Some(_)) => *date = Some("soon".to_owned()),
        _ => {}
    }
}

impl Distort for SecurityUser {
    fn respelled_ids(&mut self, k: usize) {
        respelled(&mut self.id, k);
    }

    fn odd_dates(&mut self, k: usize) {
        odd(&mut self.end_date, k);
    }

    fn unknown_codes(&mut self, k: usize) {
        if !k.is_multiple_of(3) {
            return;
        }
        let statuses = self.statuses.as_ref();
        let mut codes = statuses.map_or_else(Vec::new, |statuses| statuses.codes().to_vec());
        codes.extend(STATUSES.get(k / 3 % STATUSES.len()));
        self.statuses = Some(Statuses::Codes(codes));
    }

    fn null_fields(&mut self, k: usize) {
        let names = [&self.id, &self.mail, &self.user_principal_name];
        let one_can_go = names.into_iter().flatten().count() > 1;
        match k % 5 {
            0 if one_can_go => self.mail = None,
            1 if one_can_go => self.user_principal_name = None,
            2 => self.statuses = None,
            3 => {
                *self = Self {
                    id: self.id.take(),
                    mail: self.mail.take(),
                    user_principal_name: self.user_principal_name.take(),
                    statuses: self.statuses.take(),
                    ..Self::default()
                }
            }
            _ => {}
        }
    }
}

impl Distort for DirectoryUser {
    fn respelled_ids(&mut self, k: usize) {
        self.user.respelled_ids(k);
    }

    fn odd_dates(&mut self, k: usize) {
        self.user.odd_dates(k);
    }

    fn unknown_codes(&mut self, k: usize) {
        self.user.unknown_codes(k);
    }

    fn null_fields(&mut self, k: usize) {
        self.user.null_fields(k);
        if k % 5 == 3 {
            self.office_phone = None;
        }
    }
}

impl Distort for OlderSecurityUser {
    fn respelled_ids(&mut self, k: usize) {
        self.user.respelled_ids(k);
    }

    fn odd_dates(&mut self, k: usize) {
        self.user.odd_dates(k);
    }

    fn unknown_codes(&mut self, k: usize) {
        if let (true, Some(bit)) = (k.is_multiple_of(3), BITS.get(k / 3 % BITS.len())) {
            *self.status.get_or_insert_default() |= 1 << bit;
        }
    }

    fn null_fields(&mut self, k: usize) {
        self.user.null_fields(k);
        match k % 5 {
            2 => self.status = None,
            3 => self.office_phone = None,
            _ => {}
        }
    }
}

impl Distort for Customer {
    fn respelled_ids(&mut self, k: usize) {
        respelled(&mut self.id, k);
        for tenant in self.tenants.iter_mut().flatten() {
            respelled(&mut tenant.id, k);
        }
    }

    fn half_set_up(&mut self, k: usize) {
        if k.is_multiple_of(3) {
            self.tenants.get_or_insert_default().push(CustomerTenant {
                id: None,
                name: Some("pending".to_owned()),
            });
        }
    }

    fn unknown_codes(&mut self, k: usize) {
        match k % 6 {
            0 => self.job_status = Some(UNKNOWN_NUMBER),
            3 => self.management_mode = Some(UNKNOWN_NUMBER),
            _ => {}
        }
    }

    // The ids of its tenants stay too.
    fn null_fields(&mut self, k: usize) {
        match k % 5 {
            0 => self.job_status = None,
            1 => self.management_mode = None,
            2 => self.organization = None,
            3 => {
                *self = Self {
                    id: self.id.take(),
                    tenants: self.tenants.take(),
                    ..Self::default()
                }
            }
            _ => {
                for tenant in self.tenants.iter_mut().flatten() {
                    tenant.name = None;
                }
            }
        }
    }
}

impl Distort for PartnerUser {
    fn respelled_ids(&mut self, k: usize) {
        respelled(&mut self.id, k);
    }

    fn odd_dates(&mut self, k: usize) {
        odd(&mut self.last_directory_sync_time, k);
        odd(&mut self.soft_deletion_time, k);
    }

    fn unknown_codes(&mut self, k: usize) {
        match k % 12 {
            0 => self.state = Some(Word::Number(UNKNOWN_NUMBER)),
            3 => self.user_domain_type = Some(Word::text("hibernating")),
            6 => self.user_domain_type = Some(Word::Number(-1)),
            9 => self.state = Some(Word::text("Dormant")),
            _ => {}
        }
    }

    fn null_fields(&mut self, k: usize) {
        match k % 5 {
            0 if self.user_principal_name.is_some() => self.id = None,
            1 if self.id.is_some() => self.user_principal_name = None,
            2 => (self.state, self.user_domain_type) = (None, None),
            3 => {
                *self = Self {
                    id: self.id.take(),
                    user_principal_name: self.user_principal_name.take(),
                    state: self.state.take(),
                    user_domain_type: self.user_domain_type.take(),
                    ..Self::default()
                }
            }
            _ => {}
        }
    }
}

impl Distort for ProtectedUser {
    fn respelled_ids(&mut self, k: usize) {
        respelled(&mut self.id, k);
    }

    fn unknown_codes(&mut self, k: usize) {
        if let (true, Some(module)) = (k.is_multiple_of(3), MODULES.get(k / 3 % MODULES.len())) {
            self.modules.get_or_insert_default().push(Module {
                module: *module,
                is_protected: k.is_multiple_of(6),
            });
        }
    }

    fn null_fields(&mut self, k: usize) {
        match k % 5 {
            0 if self.email.is_some() => self.id = None,
            1 if self.id.is_some() => self.email = None,
            2 => self.modules = None,
            3 => self.display_name = None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::simulator::World;

    #[test]
    fn every_row_keeps_a_name_of_its_user() {
        let world = World::seeded(1, 1, 500);
        let tenant = &world.tenants()[0];
        for (k, mut row) in tenant.security_users(0).map(Cow::into_owned).enumerate() {
            row.null_fields(k);
            assert!(row.id.or(row.mail).or(row.user_principal_name).is_some());
        }
        for (k, mut row) in tenant.protected_users(0).map(Cow::into_owned).enumerate() {
            row.null_fields(k);
            assert!(row.id.or(row.email).is_some());
        }
        for (k, mut row) in tenant.partner_users(0).map(Cow::into_owned).enumerate() {
            row.null_fields(k);
            assert!(row.id.or(row.user_principal_name).is_some());
        }
        let mut nameless_but_for_mail = SecurityUser {
            mail: Some("a@b.example".to_owned()),
            ..SecurityUser::default()
        };
        nameless_but_for_mail.null_fields(0);
        assert!(nameless_but_for_mail.mail.is_some());
    }

    #[test]
    fn unknown_codes_are_added_to_the_known_ones() {
        let mut row = SecurityUser {
            statuses: Some(Statuses::One(3)),
            ..SecurityUser::default()
        };
        row.unknown_codes(1);
        assert_eq!(row.statuses, Some(Statuses::One(3)));
        row.unknown_codes(3);
        assert_eq!(row.statuses, Some(Statuses::Codes(vec![3, 4113])));
    }

    #[test]
    fn unknown_bits_are_added_to_the_known_ones() {
        let mut row = OlderSecurityUser {
            status: Some(13),
            ..OlderSecurityUser::default()
        };
        row.unknown_codes(1);
        assert_eq!(row.status, Some(13));
        row.unknown_codes(3);
        assert_eq!(row.status, Some(13 + (1 << 12)));
    }
}
