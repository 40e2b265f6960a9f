//! Answers that are right but look otherwise than expected: what each fault of this kind is by itself stands in
//! `table`; here they come together.

use avepoint_exporter::domain::{CustomerId, TenantId};
use avepoint_exporter::simulator::{
    Fault, Listing, Rule, SecurityUser, Statuses, Tenant, When, World,
};

use super::figures::{self, shown};
use super::{failure, options, pages, requests, rows, start, world};
use crate::support::{config, poll, simulator};

const BOTH: [Listing; 2] = [Listing::Security, Listing::Protected];

/// Faults that change nothing of what an answer says.
const HARMLESS: [Fault; 4] = [
    Fault::PascalCase,
    Fault::Bom,
    Fault::NextLink,
    Fault::NoContent,
];

#[tokio::test]
async fn compressed_answers_give_the_same_figures() {
    let mut bytes = Vec::new();
    for gzip in [false, true] {
        let mut options = options(world(), &[]);
        options.gzip = gzip;
        let simulator = simulator(options).await;
        let exposition = poll(&config(&simulator, "", "")).await;
        for tenant in simulator.world().tenants() {
            for listing in BOTH {
                let shown = shown(&exposition, tenant.tenant_id, listing);
                assert_eq!(shown, figures::of(tenant, listing));
            }
        }
        let decoded = exposition.all("avepoint_api_response_bytes_total", &[("api", "elements")]);
        bytes.push(
            decoded
                .map(|(_, value)| value.to_string())
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(bytes[0], bytes[1], "counted after decompression");
}

#[tokio::test]
async fn odd_but_legal_answers_together_give_the_same_figures() {
    let rules = HARMLESS.map(|fault| Rule::new(fault, When::always()));
    let mut options = options(world(), &rules);
    options.page_limit = 30;
    options.gzip = true;
    let simulator = simulator(options).await;
    let exposition = poll(&config(&simulator, "", "")).await;
    let mut links = 0;
    for tenant in simulator.world().tenants() {
        for listing in BOTH {
            let shown = shown(&exposition, tenant.tenant_id, listing);
            assert_eq!(shown, figures::of(tenant, listing));
            let asked = requests(&simulator, tenant.tenant_id, listing);
            assert_eq!(asked, rows(tenant, listing).div_ceil(30) as u64);
            links += asked - 1;
        }
    }
    assert_eq!(
        simulator.stats().links_followed,
        links,
        "each page but the first"
    );
}

#[tokio::test]
async fn a_user_who_comes_on_two_pages_is_counted_once() {
    let simulator = start(&[Rule::new(Fault::MoveRows, When::always())]).await;
    let exposition = poll(&config(&simulator, "", "")).await;
    for tenant in simulator.world().tenants() {
        for listing in BOTH {
            assert!(pages(tenant, listing) > 1);
            let total = rows(tenant, listing);
            let name = match listing {
                Listing::Protected => "avepoint_backup_users",
                _ => "avepoint_security_users",
            };
            let users = exposition.of(tenant.tenant_id, name, &[]);
            assert_eq!(
                users,
                Some((total - 3) as f64),
                "three came twice, three never"
            );
            let labels = [("collector", super::collector(listing))];
            let rows = exposition.of(tenant.tenant_id, "avepoint_collector_last_rows", &labels);
            assert_eq!(rows, Some(total as f64), "repeated ones are rows too");
            assert_eq!(failure(&exposition, tenant.tenant_id, listing), None);
        }
    }
}

#[tokio::test]
async fn codes_without_a_meaning_are_shown_by_their_numbers() {
    let simulator = start(&[Rule::new(Fault::UnknownCodes, When::always())]).await;
    let exposition = poll(&config(&simulator, "", "")).await;
    let tenant = simulator.world().tenants()[0].tenant_id;
    for status in ["unknown_12", "unknown_4113", "unknown_-1"] {
        for name in [
            "avepoint_security_users_by_status",
            "avepoint_exposed_users",
        ] {
            let users = exposition.of(tenant, name, &[("status", status)]);
            assert!(users.is_some_and(|users| users > 0.0), "{name} {status}");
        }
    }
    for module in ["unknown_1", "unknown_99"] {
        for protected in ["true", "false"] {
            let labels = [("module", module), ("protected", protected)];
            let users = exposition.of(tenant, "avepoint_backup_users_by_module", &labels);
            assert!(users.is_some(), "{module}");
        }
    }
}

#[tokio::test]
async fn a_status_is_read_as_one_code_and_as_a_list_and_users_are_told_apart_by_any_name() {
    let user =
        |id: Option<&str>, mail: Option<&str>, principal: Option<&str>, statuses| SecurityUser {
            id: id.map(str::to_owned),
            mail: mail.map(str::to_owned),
            user_principal_name: principal.map(str::to_owned),
            statuses,
            ..SecurityUser::default()
        };
    let list = |codes: &[i64]| Some(Statuses::Codes(codes.to_vec()));
    let users = vec![
        user(Some("1"), Some("a@x.example"), None, Some(Statuses::One(3))),
        user(Some("2"), Some("a@x.example"), None, list(&[3, 3, 0])),
        user(None, Some("B@x.example"), None, list(&[6])),
        user(None, Some("b@X.example"), None, list(&[3])),
        user(None, None, Some("c@x.example"), None),
        user(Some(""), None, Some("C@X.EXAMPLE"), list(&[3])),
        user(Some("1"), Some("d@x.example"), None, list(&[5])),
    ];
    let (customer, tenant) = (CustomerId::from_bits(1), TenantId::from_bits(2));
    let world = World::given(vec![Tenant::given(customer, tenant, users, Vec::new())]);
    let simulator = simulator(options(world, &[])).await;
    let exposition = poll(&config(&simulator, "", "")).await;
    assert_eq!(
        exposition.of(tenant, "avepoint_security_users", &[]),
        Some(4.0)
    );
    for (status, users) in [
        ("high_risk", 2.0),
        ("mfa_disabled", 1.0),
        ("inactive", 1.0),
        ("compliance", 0.0),
    ] {
        let labels = [("status", status)];
        let shown = exposition.of(tenant, "avepoint_security_users_by_status", &labels);
        assert_eq!(shown, Some(users), "{status}");
    }
}
