//! Worlds made up from a seed.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::domain::{CustomerId, TenantId, Timestamp};
use crate::simulator::partner_rows::Word;
use crate::simulator::rows::{OlderSecurityUser, ProtectedUser, SecurityUser, Statuses};

use super::World;
use crate::simulator::CannotRise;
use crate::simulator::tenant::Tenant;

fn lower(text: Option<&String>) -> Option<String> {
    text.map(|text| text.to_ascii_lowercase())
}

fn have(tenant: &Tenant, tick: u64, code: i64) -> usize {
    let rows = tenant.security_users(tick);
    rows.filter(|row| row.statuses.as_ref().unwrap().codes().contains(&code))
        .count()
}

#[test]
fn a_world_is_a_pure_function_of_seed_and_tick() {
    let (one, same) = (World::seeded(7, 3, 200), World::seeded(7, 3, 200));
    for (tenant, again) in one.tenants().iter().zip(same.tenants()) {
        assert_eq!(tenant.tenant_id, again.tenant_id);
        for tick in [0, 17, 5_000] {
            assert!(tenant.security_users(tick).eq(again.security_users(tick)));
            assert!(tenant.protected_users(tick).eq(again.protected_users(tick)));
            assert!(tenant.directory_users(tick).eq(again.directory_users(tick)));
            assert!(tenant.partner_users(tick).eq(again.partner_users(tick)));
            let deleted = tenant.deleted_partner_users(tick);
            assert!(deleted.eq(again.deleted_partner_users(tick)));
        }
    }
    let other = World::seeded(8, 3, 200);
    assert_ne!(one.tenants()[0].tenant_id, other.tenants()[0].tenant_id);
}

#[test]
fn the_same_person_is_in_both_listings() {
    let world = World::seeded(11, 1, 2_000);
    let tenant = &world.tenants()[0];
    let (mut by_id, mut by_name) = (HashMap::new(), HashMap::new());
    for row in tenant.security_users(0) {
        let row = row.into_owned();
        by_id.insert(row.id.clone().unwrap(), row.clone());
        by_name.extend(lower(row.mail.as_ref()).map(|name| (name, row.clone())));
        by_name.insert(lower(row.user_principal_name.as_ref()).unwrap(), row);
    }
    assert_eq!(by_id.len(), tenant.security_count(0));
    let (mut matched, mut without_id, mut other_case) = (0, 0, 0);
    for row in tenant.protected_users(0) {
        let email = row.email.as_ref().unwrap();
        let named = by_name.get(&email.to_ascii_lowercase());
        if let Some(id) = &row.id {
            assert_eq!(by_id.get(id), named);
        }
        matched += usize::from(named.is_some());
        without_id += usize::from(row.id.is_none() && named.is_some());
        other_case += usize::from(email.to_ascii_lowercase() != *email);
    }
    // All flagged users but those whom the backup listing skips: one in 7 to 14.
    let flagged = tenant.security_count(0);
    assert!((flagged * 6 / 7 - 1..flagged * 14 / 15 + 1).contains(&matched));
    assert!(without_id > 0 && other_case > 0);
}

#[test]
fn shares_are_believable_and_differ_by_tenant() {
    let world = World::seeded(5, 12, 3_000);
    let mut flagged_shares = HashSet::new();
    for tenant in world.tenants() {
        let users = tenant.protected_count() * 11 / 10;
        let flagged = tenant.security_count(0);
        assert!((0.3..0.5).contains(&(flagged as f64 / users as f64)));
        let high = have(tenant, 0, 3) as f64 / flagged as f64;
        assert!((0.003..0.04).contains(&high), "{high}");
        assert!(have(tenant, 0, 0) > flagged / 2);
        assert!(have(tenant, 0, 4) > have(tenant, 0, 3));
        flagged_shares.insert(flagged * 1000 / users);
    }
    assert!(flagged_shares.len() > 5);
}

#[test]
fn some_rows_are_odd_as_upstream_rows_are() {
    let world = World::seeded(5, 1, 3_000);
    let tenant = &world.tenants()[0];
    let codes = |of: fn(&Statuses) -> bool| {
        let rows = tenant.security_users(0);
        rows.filter(|row| of(row.statuses.as_ref().unwrap()))
            .count()
    };
    assert!(codes(|statuses| statuses.codes().is_empty()) > 0);
    assert!(codes(|statuses| statuses.codes().len() > 1) > 0);
    assert!(codes(|statuses| matches!(statuses, Statuses::One(_))) > 0);
    assert!(tenant.security_users(0).any(|row| row.mail.is_none()));
    for length in 0..=2 {
        let of_length = |row: &ProtectedUser| {
            row.modules
                .as_ref()
                .is_some_and(|modules| modules.len() == length)
        };
        assert!(
            tenant.protected_users(0).any(|row| of_length(&row)),
            "{length}"
        );
    }
}

#[test]
fn an_evolving_world_moves_a_little_at_a_time() {
    let world = World::seeded(2, 1, 5_000);
    let tenant = &world.tenants()[0];
    let flagged: Vec<usize> = (0..300).map(|tick| tenant.security_count(tick)).collect();
    let (low, high) = (flagged.iter().min().unwrap(), flagged.iter().max().unwrap());
    assert!(high - low > flagged[0] / 5, "from {low} to {high}");
    let steps = flagged.windows(2).map(|pair| pair[0].abs_diff(pair[1]));
    assert!(steps.max().unwrap() < flagged[0] / 30);
    let risky: HashSet<usize> = (0..100).map(|tick| have(tenant, tick * 3, 3)).collect();
    assert!(risky.len() > 5, "{risky:?}");
}

#[test]
fn a_rise_adds_so_many_high_risk_users_and_changes_nobody_else() {
    let (before, mut world) = (World::seeded(3, 2, 400), World::seeded(3, 2, 400));
    let id = world.tenants()[0].tenant_id;
    let high = have(&before.tenants()[0], 0, 3);
    for (users, expected) in [(1, high + 1), (60, high + 61), (0, high + 61)] {
        assert_eq!(world.raise_high_risk(id, 0, users), Ok(expected));
        assert_eq!(have(&world.tenants()[0], 0, 3), expected);
    }
    let (one, other) = (&before.tenants()[0], &world.tenants()[0]);
    for code in (0..9).filter(|code| *code != 3) {
        assert_eq!(have(one, 0, code), have(other, 0, code), "{code}");
    }
    let found = |k: &usize| other.has_status(0, *k, 3);
    assert_eq!(
        (0..other.security_count(0)).filter(found).count(),
        high + 61
    );
    assert_eq!(high_in_directory(other), high + 61);
    let (one, other) = (&before.tenants()[1], &world.tenants()[1]);
    assert!(one.security_users(0).eq(other.security_users(0)));
}

fn high_in_directory(tenant: &Tenant) -> usize {
    let rows = tenant.directory_users(0);
    rows.filter(|row| row.user.statuses.as_ref().unwrap().codes().contains(&3))
        .count()
}

#[test]
fn a_rise_that_cannot_be_says_why_and_changes_nothing() {
    let mut world = World::seeded(3, 1, 400);
    let id = world.tenants()[0].tenant_id;
    let (high, all) = (
        have(&world.tenants()[0], 0, 3),
        world.tenants()[0].security_count(0),
    );
    let unknown = TenantId::from_bits(7);
    assert_eq!(
        world.raise_high_risk(unknown, 0, 1),
        Err(CannotRise::NoTenant(unknown))
    );
    assert_eq!(
        world.raise_high_risk(id, 0, all - high + 1),
        Err(CannotRise::TooMany(all - high))
    );
    assert_eq!(have(&world.tenants()[0], 0, 3), high);
    assert_eq!(world.raise_high_risk(id, 0, all - high), Ok(all));
    let given = Tenant::given(CustomerId::from_bits(1), id, Vec::new(), Vec::new());
    assert_eq!(
        World::given(vec![given]).raise_high_risk(id, 0, 1),
        Err(CannotRise::Given)
    );
}

#[test]
fn a_status_is_found_without_making_up_the_row() {
    let world = World::seeded(9, 1, 1_000);
    let tenant = &world.tenants()[0];
    for code in -1..10 {
        let found = (0..tenant.security_count(4)).filter(|k| tenant.has_status(4, *k, code));
        assert_eq!(found.count(), have(tenant, 4, code));
    }
}

#[test]
fn a_world_may_be_empty_or_tiny() {
    for users in 0..20 {
        for tenant in World::seeded(1, 3, users).tenants() {
            assert!(tenant.security_users(0).count() <= tenant.security_count(0));
            assert_eq!(tenant.protected_users(0).count(), tenant.protected_count());
            assert_eq!(tenant.directory_users(0).count(), tenant.directory_count());
            assert_eq!(tenant.partner_users(0).count(), tenant.partner_count());
        }
    }
    assert!(World::seeded(1, 0, 5).tenants().is_empty());
}

#[test]
fn ids_and_names_are_distinct_and_every_fifth_tenant_shares_its_customer() {
    let world = World::seeded(1, 200, 10);
    let tenants = world.tenants();
    let distinct = |of: fn(&Tenant) -> String| tenants.iter().map(of).collect::<HashSet<_>>();
    assert_eq!(distinct(|t| t.tenant_id.to_string()).len(), 200);
    assert_eq!(distinct(|t| t.tenant_name.clone()).len(), 200);
    assert_eq!(distinct(|t| t.customer_id.to_string()).len(), 160);
    assert_eq!(distinct(|t| t.customer_name.clone()).len(), 160);
    assert_eq!(tenants[3].customer_id, tenants[4].customer_id);
    assert_ne!(tenants[4].customer_id, tenants[5].customer_id);
}

#[test]
fn the_security_listing_is_the_flagged_part_of_the_directory_in_either_form() {
    let world = World::seeded(11, 1, 2_000);
    let tenant = &world.tenants()[0];
    for tick in [0, 50] {
        let flagged = tenant.security_count(tick);
        assert_eq!(tenant.older_security_count(tick), flagged);
        let forms = tenant
            .security_users(tick)
            .zip(tenant.older_security_users(tick));
        for ((form, older), directory) in forms.zip(tenant.directory_users(tick)) {
            let mut of_directory = directory.user.clone();
            of_directory.statuses = form.statuses.clone();
            assert_eq!(*form, of_directory);
            let codes = form.statuses.as_ref().unwrap().codes();
            assert_eq!(
                directory.user.statuses,
                Some(Statuses::Codes(codes.to_vec()))
            );
            let bits = codes.iter().map(|code| 1 << code).sum::<i64>();
            assert_eq!((&older.user, older.status), (&*form, Some(bits)));
            assert_eq!(older.office_phone, directory.office_phone);
        }
        let mut rest = tenant.directory_users(tick).skip(flagged);
        assert!(rest.all(|row| row.user.statuses == Some(Statuses::Codes(Vec::new()))));
    }
}

#[test]
fn a_directory_has_passwords_of_all_ages_and_accounts_that_end_soon() {
    let now = Duration::from_secs(1_800_000_000);
    let world = World::seeded(3, 1, 3_000).dated(Timestamp::from_unix(now));
    let tenant = &world.tenants()[0];
    let ages = |range: std::ops::Range<i64>| {
        let rows = tenant.directory_users(0);
        rows.filter(|row| row.user.age.is_some_and(|age| range.contains(&age)))
            .count()
    };
    for range in [0..31, 31..61, 61..91, 91..181, 181..366, 366..2_000] {
        assert!(ages(range.clone()) > 30, "{range:?}");
    }
    assert!(tenant.directory_users(0).any(|row| row.user.age.is_none()));
    assert!(
        tenant
            .directory_users(0)
            .any(|row| row.user.is_test_user == Some(true))
    );

    let now = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let (mut absent, mut not_set, mut hours) = (0, 0, Vec::new());
    for row in tenant.directory_users(0) {
        match row.user.end_date.as_deref() {
            None => absent += 1,
            Some("1970-01-01T00:00:00Z") => not_set += 1,
            Some(date) => {
                hours.push((date.parse::<jiff::Timestamp>().unwrap() - now).get_seconds() / 3600);
            }
        }
    }
    let between = |from: i64, to: i64| {
        hours
            .iter()
            .filter(|hour| (from..to).contains(hour))
            .count()
    };
    assert!(absent > 30 && not_set > 2_000);
    assert!(between(-24 * 400, 0) > 30);
    assert!(between(1, 24 * 7) > 30);
    assert!(between(24 * 7, 24 * 30) > 30);
    assert!(between(24 * 30, 24 * 500) > 30);
}

#[test]
fn partner_center_knows_mostly_the_people_of_the_directory() {
    let now = Duration::from_secs(1_800_000_000);
    let world = World::seeded(3, 1, 3_000).dated(Timestamp::from_unix(now));
    let tenant = &world.tenants()[0];
    let names: HashMap<_, _> = tenant
        .directory_users(0)
        .map(|row| (row.user.id.clone(), row.user.user_principal_name.clone()))
        .collect();
    let (mut both, mut without_location, mut synced, mut must_change) = (0, 0, 0, 0);
    let mut domains = HashSet::new();
    for row in tenant.partner_users(0) {
        if let Some(name) = names.get(&row.id) {
            assert_eq!(row.user_principal_name, *name);
            both += 1;
        }
        assert_eq!(row.state, Some(Word::text("active")));
        assert!(row.soft_deletion_time.is_none() && row.password.is_some());
        domains.insert(format!("{:?}", row.user_domain_type));
        without_location += usize::from(row.usage_location.is_none());
        synced += usize::from(row.last_directory_sync_time.is_some());
        must_change += usize::from(row.force_change_password == Some(true));
    }
    assert!((2_800..3_000).contains(&both) && tenant.partner_count() > both);
    assert_eq!(domains.len(), 4, "{domains:?}");
    assert!(without_location > 30 && synced > 300 && must_change > 30);

    let deleted: Vec<_> = tenant.deleted_partner_users(0).collect();
    assert!(deleted.len() > 30);
    let now = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    for row in deleted {
        assert_eq!(row.state, Some(Word::text("inactive")));
        assert!(!names.contains_key(&row.id));
        let gone: jiff::Timestamp = row.soft_deletion_time.as_ref().unwrap().parse().unwrap();
        assert!((1..30 * 86_400).contains(&(now - gone).get_seconds()));
    }
}

#[test]
fn customers_name_their_tenants_and_some_have_none() {
    let world = World::seeded(1, 20, 10);
    assert_eq!(world.tenants().len(), 20);
    let (mut named, mut without) = (Vec::new(), 0);
    for customer in world.customers() {
        let tenants = customer.tenants.as_ref().unwrap();
        without += usize::from(tenants.is_empty());
        for tenant in tenants {
            let id: TenantId = tenant.id.as_ref().unwrap().parse().unwrap();
            let customer_id: CustomerId = customer.id.as_ref().unwrap().parse().unwrap();
            assert!(world.tenant_of(customer_id, id).is_some());
            assert_eq!(
                tenant.name.as_ref(),
                Some(&world.tenant(id).unwrap().tenant_name)
            );
            named.push(id);
        }
    }
    let tenants: Vec<_> = world
        .tenants()
        .iter()
        .map(|tenant| tenant.tenant_id)
        .collect();
    assert_eq!((named, without), (tenants, 3));
}

#[test]
fn a_tenant_is_found_under_each_customer_that_names_it() {
    let (owner, other, id) = (
        CustomerId::from_bits(1),
        CustomerId::from_bits(2),
        TenantId::from_bits(3),
    );
    let tenant = Tenant::given(owner, id, Vec::new(), Vec::new());
    let mut customers = World::given(vec![tenant.clone()]).customers().to_vec();
    assert!(
        World::given(vec![tenant.clone()])
            .tenant_of(other, id)
            .is_none()
    );
    customers[0].id = Some(other.to_string());
    let world = World::given_with(customers, vec![tenant]);
    assert!(world.tenant_of(owner, id).is_some() && world.tenant_of(other, id).is_some());
    assert!(world.tenant_of(CustomerId::from_bits(4), id).is_none());
}

#[test]
fn given_rows_are_in_the_older_form_too_unless_others_are_given() {
    let row = SecurityUser {
        statuses: Some(Statuses::Codes(vec![0, 2, 3, 63, -1])),
        ..SecurityUser::default()
    };
    let tenant = Tenant::given(
        CustomerId::from_bits(1),
        TenantId::from_bits(2),
        vec![row],
        Vec::new(),
    );
    let statuses = |tenant: &Tenant| {
        let rows = tenant.older_security_users(0);
        rows.map(|row| row.status).collect::<Vec<_>>()
    };
    assert_eq!(statuses(&tenant), [Some(13)]);
    let given = OlderSecurityUser {
        status: Some(4113),
        ..OlderSecurityUser::default()
    };
    let tenant = tenant.with_older_security(vec![given; 2]);
    assert_eq!(statuses(&tenant), [Some(4113); 2]);
    assert!(tenant.has_older_status(0, 1, 4) && !tenant.has_older_status(0, 1, 3));
}
