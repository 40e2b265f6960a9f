//! Whom to watch, by made-up configurations and listings.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config::{CollectorConfig, CollectorKind, NoOptions, Source};
use crate::domain::TargetId;

/// The tenant 1 of the customer 1, without names.
const NAMELESS: &str = "  - { customer_id: 00000000-0000-0000-0000-000000000001, tenant_id: 00000000-0000-0000-0000-000000000001 }\n";

/// The same with names of its own, and a collector less.
const NAMED: &str = "  - customer_id: 00000000-0000-0000-0000-000000000001\n    \
    tenant_id: 00000000-0000-0000-0000-000000000001\n    customer_name: Our Contoso\n    tenant_name: our.contoso\n    \
    labels: { sla: gold }\n    collectors: { protected_users: { enabled: false } }\n";

/// A collector that is polled every hour, whatever it reads.
fn hourly(kind: CollectorKind) -> CollectorConfig {
    CollectorConfig {
        interval: Duration::from_secs(3600),
        stale_after: Duration::from_secs(3 * 3600),
        kind,
    }
}

/// A configuration with these tenants, with discovery that lets all in.
fn config(tenants: &str) -> Config {
    let text = format!("elements: {{ client_id: a, client_secret: b }}\ntenants:\n{tenants}");
    let source = Source {
        name: "test.yaml",
        base_dir: Path::new("."),
        env: &|_| None,
        now: crate::domain::Timestamp::default(),
    };
    let mut config = Config::parse(&text, &source).unwrap();
    let all = Config::parse(&text.replace(tenants, NAMELESS), &source).unwrap();
    config.discovery = Some(Discovery {
        collector: hourly(CollectorKind::Customers(NoOptions)),
        include: NamePatterns::default(),
        exclude: NamePatterns::default(),
        collectors: all.tenants[0].collectors.clone(),
    });
    config
}

/// The same with these patterns: of the customer's and the tenant's name, empty for none.
fn with_patterns(include: [&str; 2], exclude: [&str; 2]) -> Config {
    let patterns = |texts: [&str; 2]| {
        let [customer_name, tenant_name] = texts
            .map(|text| (!text.is_empty()).then(|| Regex::new(&format!("^(?:{text})$")).unwrap()));
        NamePatterns {
            customer_name,
            tenant_name,
        }
    };
    let mut config = config(NAMELESS);
    let discovery = config.discovery.as_mut().unwrap();
    discovery.include = patterns(include);
    discovery.exclude = patterns(exclude);
    config
}

fn name(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A customer with these tenants; one without a name has an empty one.
fn customer(id: u128, text: &str, tenants: &[(u128, &str)]) -> ListedCustomer {
    ListedCustomer {
        name: name(text),
        tenants: tenants
            .iter()
            .map(|(id, text)| ListedTenant {
                id: TenantId::from_bits(*id),
                name: name(text),
            })
            .collect(),
        ..ListedCustomer::bare(id)
    }
}

/// The tenants of a fleet: their number and that of their customer, and both names.
fn tenants(fleet: &Fleet) -> Vec<(u128, u128, String, String)> {
    let tenants = fleet.tenants().map(|(tenant, _)| {
        (
            tenant.tenant_id.bits(),
            tenant.customer_id.bits(),
            tenant.tenant_name().into_owned(),
            tenant.customer_name().into_owned(),
        )
    });
    tenants.collect()
}

fn id(bits: u128) -> String {
    TenantId::from_bits(bits).to_string()
}

/// Whom to watch, when no names were known before.
fn fleet_of(config: &Config, listed: Option<&[ListedCustomer]>) -> Fleet {
    Fleet::new(config, listed, &Names::default())
}

#[test]
fn without_discovery_the_list_of_the_config_stands() {
    let mut config = config(NAMELESS);
    config.discovery = None;
    let fleet = fleet_of(
        &config,
        Some(&[customer(1, "Contoso", &[(1, "contoso"), (2, "")])]),
    );
    assert_eq!(tenants(&fleet), [(1, 1, id(1), id(1))]);
    assert!(fleet.customers.is_empty());
    assert!(!fleet.only_misses(&fleet.targets[0].target));
}

#[test]
fn tenants_of_the_api_come_after_those_of_the_config_with_the_collectors_for_all() {
    let listed = [
        customer(2, "Fabrikam", &[(9, "fabrikam"), (4, "")]),
        customer(3, "", &[(5, "nobody")]),
    ];
    let config = config(NAMED);
    let fleet = fleet_of(&config, Some(&listed));
    let text = str::to_owned;
    assert_eq!(
        tenants(&fleet),
        [
            (1, 1, text("our.contoso"), text("Our Contoso")),
            (4, 2, id(4), text("Fabrikam")),
            (5, 3, text("nobody"), id(3)),
            (9, 2, text("fabrikam"), text("Fabrikam")),
        ]
    );
    let discovery = config.discovery.unwrap();
    let (own, collectors) = fleet.tenants().next().unwrap();
    assert_eq!(collectors.len(), 1);
    assert_eq!(own.source, TenantSource::Config);
    for (tenant, collectors) in fleet.tenants().skip(1) {
        assert_eq!(collectors, discovery.collectors);
        assert_eq!(tenant.source, TenantSource::Discovery);
    }
}

#[test]
fn names_are_those_of_the_config_else_those_of_the_api() {
    let listed = [customer(1, "Contoso", &[(1, "contoso"), (2, "second")])];
    let text = str::to_owned;
    assert_eq!(
        tenants(&fleet_of(&config(NAMELESS), Some(&listed))),
        [
            (1, 1, text("contoso"), text("Contoso")),
            (2, 1, text("second"), text("Contoso")),
        ]
    );
    // What the operator calls a customer, it is called everywhere.
    let fleet = fleet_of(&config(NAMED), Some(&listed));
    assert_eq!(
        tenants(&fleet),
        [
            (1, 1, text("our.contoso"), text("Our Contoso")),
            (2, 1, text("second"), text("Our Contoso")),
        ]
    );
    assert_eq!(fleet.customers[0].name.as_deref(), Some("Our Contoso"));
    assert_eq!(fleet.tenants().next().unwrap().0.labels["sla"], "gold");
}

#[test]
fn patterns_let_tenants_in_and_out_but_for_those_of_the_config() {
    let listed = [
        customer(1, "Test Contoso", &[(1, "lab.contoso"), (2, "contoso")]),
        customer(
            2,
            "Fabrikam",
            &[(3, "lab.fabrikam"), (4, "fabrikam"), (5, "")],
        ),
        customer(3, "", &[(6, "adatum")]),
    ];
    let check = |include, exclude, polled: &[u128], customers: &[u128]| {
        let fleet = fleet_of(&with_patterns(include, exclude), Some(&listed));
        let ids: Vec<_> = tenants(&fleet).iter().map(|(id, ..)| *id).collect();
        assert_eq!(ids, polled, "{include:?} {exclude:?}");
        let excluded: Vec<_> = (1..=6).filter(|id| !polled.contains(id)).collect();
        let left_out: Vec<_> = fleet.excluded.iter().map(|id| id.bits()).collect();
        assert_eq!(left_out, excluded);
        let shown: Vec<_> = fleet.customers.iter().map(|one| one.id.bits()).collect();
        assert_eq!(shown, customers, "{include:?} {exclude:?}");
    };
    check(["", ""], ["", ""], &[1, 2, 3, 4, 5, 6], &[1, 2, 3]);
    check([".*", ".*"], ["", ""], &[1, 2, 3, 4, 5, 6], &[1, 2, 3]);
    check(["", ""], ["Test .*", ""], &[1, 3, 4, 5, 6], &[1, 2, 3]);
    check(
        ["", ""],
        ["Test", "contoso|lab"],
        &[1, 3, 4, 5, 6],
        &[1, 2, 3],
    );
    check(["Fabrikam", ""], ["", "lab.*"], &[1, 4, 5], &[1, 2]);
    check(["", r".*\..*"], ["", ""], &[1, 3], &[1, 2, 3]);
    // A name that nobody knows is the id.
    check(["0+-.*3", ""], ["", ""], &[1, 6], &[1, 3]);
}

#[test]
fn a_tenant_that_several_customers_list_stays_with_the_first() {
    let listed = [
        customer(2, "First", &[(7, "seven"), (7, "seven again")]),
        customer(3, "Second", &[(7, "other"), (8, "eight"), (1, "")]),
    ];
    let fleet = fleet_of(&config(NAMELESS), Some(&listed));
    let text = str::to_owned;
    assert_eq!(
        tenants(&fleet),
        [
            (1, 1, id(1), id(1)),
            (7, 2, text("seven"), text("First")),
            (8, 3, text("eight"), text("Second")),
        ]
    );
    let contested = [(TenantId::from_bits(7), CustomerId::from_bits(2))];
    assert_eq!(fleet.contested, contested.into());
}

#[test]
fn a_customer_without_tenants_is_shown_unless_it_is_excluded() {
    let listed = [customer(2, "Fabrikam", &[]), customer(3, "Test", &[])];
    let fleet = fleet_of(&with_patterns(["", ""], ["Test", ""]), Some(&listed));
    assert_eq!(fleet.customers, listed[..1]);
}

#[test]
fn a_tenant_that_disappears_is_told_apart_from_one_that_is_not_wanted() {
    let before = [customer(2, "Fabrikam", &[(3, "three"), (4, "four")])];
    let excludes = with_patterns(["", ""], ["", "four"]);
    let targets = fleet_of(&config(NAMELESS), Some(&before)).targets;
    let [own, three, four] = [0, 1, 2].map(|at| targets[at].target.clone());
    let gone = fleet_of(&config(NAMELESS), Some(&[customer(2, "Fabrikam", &[])]));
    assert!(gone.only_misses(&three));
    assert!(!gone.only_misses(&own), "it was removed from the file");
    let gone = fleet_of(&excludes, Some(&[]));
    assert!(gone.only_misses(&three));
    assert!(!gone.only_misses(&four), "it is excluded now");
    let renamed = [customer(2, "Fabrikam", &[(3, "four"), (4, "three")])];
    assert!(!fleet_of(&excludes, Some(&renamed)).only_misses(&three));
    let mut off = config(NAMELESS);
    off.discovery = None;
    assert!(!fleet_of(&off, Some(&[])).only_misses(&three));
}

#[test]
fn the_partner_and_its_customers_come_first_where_they_have_collectors() {
    let listed = [
        customer(2, "Fabrikam", &[(3, "three")]),
        customer(4, "Adatum", &[]),
        customer(5, "Excluded", &[]),
        customer(6, "Tailspin", &[(7, "seven")]),
    ];
    let mut config = with_patterns(["", ""], ["Excluded", "seven"]);
    config.partner = vec![hourly(CollectorKind::Customers(NoOptions))];
    // There is none of customers yet, and how they are made does not depend on which it is.
    config.customers = vec![hourly(CollectorKind::Directory(NoOptions))];
    let fleet = fleet_of(&config, Some(&listed));
    let ids: Vec<_> = fleet.targets.iter().map(|one| one.target.id()).collect();
    let customer = |bits| TargetId::Customer(CustomerId::from_bits(bits));
    let tenant = |bits| TargetId::Tenant(TenantId::from_bits(bits));
    // Not the customer that is excluded, nor the one whose tenants all are.
    assert_eq!(
        ids,
        [
            TargetId::Partner,
            customer(1),
            customer(2),
            customer(4),
            tenant(1),
            tenant(3)
        ]
    );
    assert_eq!(fleet.targets[0].target.seed(), b"a");
    let names = fleet.targets[1..4].iter();
    let names: Vec<_> = names.map(|one| one.target.labels()[1].1.clone()).collect();
    assert_eq!(names, [id(1), "Fabrikam".to_owned(), "Adatum".to_owned()]);
    // One that only disappears stays a while; one that is excluded from now on does not.
    let gone = fleet_of(&config, Some(&[]));
    assert!(gone.only_misses(&fleet.targets[3].target));
    assert!(!gone.only_misses(&fleet.targets[0].target));
    let excluding = fleet_of(&with_patterns(["", ""], ["Adatum", ""]), Some(&[]));
    assert!(!excluding.only_misses(&fleet.targets[3].target));
}

#[test]
fn a_name_that_nobody_gives_any_more_is_the_last_known() {
    let known = [
        tenant_named(1, 1, "was.contoso", "Was Contoso"),
        tenant_named(2, 1, "was.second", "Was Contoso"),
    ];
    let known = Names::of(&known);
    let text = str::to_owned;
    let listed = [customer(1, "", &[(1, "contoso"), (2, "")])];
    assert_eq!(
        tenants(&Fleet::new(&config(NAMELESS), Some(&listed), &known)),
        [
            (1, 1, text("contoso"), text("Was Contoso")),
            (2, 1, text("was.second"), text("Was Contoso")),
        ]
    );
    let listed = [customer(1, "Contoso", &[])];
    assert_eq!(
        tenants(&Fleet::new(&config(NAMELESS), Some(&listed), &known)),
        [(1, 1, text("was.contoso"), text("Contoso"))]
    );
    let named = Fleet::new(&config(NAMED), None, &known);
    assert_eq!(
        tenants(&named),
        [(1, 1, text("our.contoso"), text("Our Contoso"))]
    );
    let mut off = config(NAMELESS);
    off.discovery = None;
    assert_eq!(
        tenants(&Fleet::new(&off, None, &known)),
        [(1, 1, text("was.contoso"), text("Was Contoso"))]
    );
}

fn tenant_named(id: u128, customer: u128, tenant_name: &str, customer_name: &str) -> Tenant {
    Tenant {
        customer_name: name(customer_name),
        tenant_name: name(tenant_name),
        ..Tenant::bare(customer, id)
    }
}
