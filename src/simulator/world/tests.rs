//! Worlds made up from a seed.

use std::collections::{HashMap, HashSet};

use crate::simulator::rows::{ProtectedUser, Statuses};

use super::{Tenant, World};

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
