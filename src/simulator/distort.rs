//! The faults that change rows, as plain functions of a row and its index, so that an oracle can apply
//! them too. Knows neither HTTP nor JSON.

use super::partner_rows::{PartnerUser, Word};
use super::rows::{
    Customer, DirectoryUser, Module, OlderSecurityUser, ProtectedUser, SecurityUser, Statuses,
};

/// Status codes without a meaning: one that fits beside the known ones, two that do not.
const STATUSES: [i64; 3] = [12, 4113, -1];
/// Bits without a meaning.
const BITS: [u32; 3] = [9, 12, 40];
/// Modules without a meaning.
const MODULES: [i64; 2] = [1, 99];
/// A job status and a management mode without a meaning.
const UNKNOWN_NUMBER: i64 = 77;

/// Adds a code that nobody knows to every third row of the security listing.
pub fn unknown_statuses(row: &mut SecurityUser, k: usize) {
    if !k.is_multiple_of(3) {
        return;
    }
    let mut codes = row
        .statuses
        .as_ref()
        .map_or_else(Vec::new, |statuses| statuses.codes().to_vec());
    codes.extend(STATUSES.get(k / 3 % STATUSES.len()));
    row.statuses = Some(Statuses::Codes(codes));
}

/// The same for the directory.
pub fn unknown_directory_statuses(row: &mut DirectoryUser, k: usize) {
    unknown_statuses(&mut row.user, k);
}

/// Adds a bit that nobody knows to every third row of the older form of the security listing.
pub fn unknown_flags(row: &mut OlderSecurityUser, k: usize) {
    if let (true, Some(bit)) = (k.is_multiple_of(3), BITS.get(k / 3 % BITS.len())) {
        *row.status.get_or_insert_default() |= 1 << bit;
    }
}

/// Gives every third customer a status or a mode that nobody knows.
pub fn unknown_customer_codes(row: &mut Customer, k: usize) {
    match k % 6 {
        0 => row.job_status = Some(UNKNOWN_NUMBER),
        3 => row.management_mode = Some(UNKNOWN_NUMBER),
        _ => {}
    }
}

/// Gives every third row of Partner Center a state or a type of domain that nobody knows, by name or by
/// number.
pub fn unknown_partner_words(row: &mut PartnerUser, k: usize) {
    match k % 12 {
        0 => row.state = Some(Word::Number(UNKNOWN_NUMBER)),
        3 => row.user_domain_type = Some(Word::text("hibernating")),
        6 => row.user_domain_type = Some(Word::Number(-1)),
        9 => row.state = Some(Word::text("Dormant")),
        _ => {}
    }
}

/// Adds a module that nobody knows, protected in every sixth row, to every third row of the backup listing.
pub fn unknown_modules(row: &mut ProtectedUser, k: usize) {
    if let (true, Some(module)) = (k.is_multiple_of(3), MODULES.get(k / 3 % MODULES.len())) {
        row.modules.get_or_insert_default().push(Module {
            module: *module,
            is_protected: k.is_multiple_of(6),
        });
    }
}

/// Takes fields away from a row of the security listing; one that names the user always stays.
pub fn null_security_fields(row: &mut SecurityUser, k: usize) {
    let names = [&row.id, &row.mail, &row.user_principal_name];
    let one_can_go = names.into_iter().flatten().count() > 1;
    match k % 5 {
        0 if one_can_go => row.mail = None,
        1 if one_can_go => row.user_principal_name = None,
        2 => row.statuses = None,
        3 => {
            *row = SecurityUser {
                id: row.id.take(),
                mail: row.mail.take(),
                user_principal_name: row.user_principal_name.take(),
                statuses: row.statuses.take(),
                ..SecurityUser::default()
            }
        }
        _ => {}
    }
}

/// Takes fields away from a row of the backup listing; one that names the user always stays.
pub fn null_protected_fields(row: &mut ProtectedUser, k: usize) {
    match k % 5 {
        0 if row.email.is_some() => row.id = None,
        1 if row.id.is_some() => row.email = None,
        2 => row.modules = None,
        3 => row.display_name = None,
        _ => {}
    }
}

/// Takes fields away from a row of the directory; one that names the user always stays.
pub fn null_directory_fields(row: &mut DirectoryUser, k: usize) {
    null_security_fields(&mut row.user, k);
    if k % 5 == 3 {
        row.office_phone = None;
    }
}

/// Takes fields away from a row of the older form; one that names the user always stays.
pub fn null_older_fields(row: &mut OlderSecurityUser, k: usize) {
    null_security_fields(&mut row.user, k);
    match k % 5 {
        2 => row.status = None,
        3 => row.office_phone = None,
        _ => {}
    }
}

/// Takes fields away from a customer; its id, and those of its tenants, always stay.
pub fn null_customer_fields(row: &mut Customer, k: usize) {
    match k % 5 {
        0 => row.job_status = None,
        1 => row.management_mode = None,
        2 => row.organization = None,
        3 => {
            *row = Customer {
                id: row.id.take(),
                tenants: row.tenants.take(),
                ..Customer::default()
            }
        }
        _ => {
            for tenant in row.tenants.iter_mut().flatten() {
                tenant.name = None;
            }
        }
    }
}

/// Takes fields away from a row of Partner Center; one that names the user always stays.
pub fn null_partner_fields(row: &mut PartnerUser, k: usize) {
    match k % 5 {
        0 if row.user_principal_name.is_some() => row.id = None,
        1 if row.id.is_some() => row.user_principal_name = None,
        2 => (row.state, row.user_domain_type) = (None, None),
        3 => {
            *row = PartnerUser {
                id: row.id.take(),
                user_principal_name: row.user_principal_name.take(),
                state: row.state.take(),
                user_domain_type: row.user_domain_type.take(),
                ..PartnerUser::default()
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::World;

    #[test]
    fn every_row_keeps_a_name_of_its_user() {
        let world = World::seeded(1, 1, 500);
        for tenant in world.tenants() {
            for (k, row) in tenant.security_users(0).enumerate() {
                let mut row = row.into_owned();
                null_security_fields(&mut row, k);
                assert!(row.id.or(row.mail).or(row.user_principal_name).is_some());
            }
            for (k, row) in tenant.protected_users(0).enumerate() {
                let mut row = row.into_owned();
                null_protected_fields(&mut row, k);
                assert!(row.id.or(row.email).is_some());
            }
            for (k, row) in tenant.partner_users(0).enumerate() {
                let mut row = row.into_owned();
                null_partner_fields(&mut row, k);
                assert!(row.id.or(row.user_principal_name).is_some());
            }
        }
        let mut nameless_but_for_mail = SecurityUser {
            mail: Some("a@b.example".to_owned()),
            ..SecurityUser::default()
        };
        null_security_fields(&mut nameless_but_for_mail, 0);
        assert!(nameless_but_for_mail.mail.is_some());
    }

    #[test]
    fn unknown_codes_are_added_to_the_known_ones() {
        let mut row = SecurityUser {
            statuses: Some(Statuses::One(3)),
            ..SecurityUser::default()
        };
        unknown_statuses(&mut row, 1);
        assert_eq!(row.statuses, Some(Statuses::One(3)));
        unknown_statuses(&mut row, 3);
        assert_eq!(row.statuses, Some(Statuses::Codes(vec![3, 4113])));
    }

    #[test]
    fn unknown_bits_are_added_to_the_known_ones() {
        let mut row = OlderSecurityUser {
            status: Some(13),
            ..OlderSecurityUser::default()
        };
        unknown_flags(&mut row, 1);
        assert_eq!(row.status, Some(13));
        unknown_flags(&mut row, 3);
        assert_eq!(row.status, Some(13 + (1 << 12)));
    }
}
