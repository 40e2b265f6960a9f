//! Collectors with their options, for all tenants and for one.

use super::*;
use crate::domain::Collector;

const PARTNER_CENTER: &str = "partner_center: { tenant: partner.example, client_id: app, client_secret_env: SECRET, refresh_token_file: pc.token }\n";

/// The collectors in force for the one tenant, in a file with the section `partner_center`.
fn with_partner_center(all: &str, own: &str) -> Vec<CollectorConfig> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pc.token"), "t0k3n").unwrap();
    let text = PARTNER_CENTER.to_owned() + &text_with_collectors(all, own);
    parse_in(folder.path(), &text)
        .unwrap()
        .tenants
        .remove(0)
        .collectors
}

/// The options of the security users with these keys, for all tenants and for the one.
fn security_options(all: &str, own: &str) -> SecurityOptions {
    let all = format!("security_users: {{ {all} }}");
    let own = format!("security_users: {{ {own} }}");
    match collectors(&all, &own)[0].kind {
        CollectorKind::SecurityUsers(options) => options,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_collectors_can_be_on_at_once_and_keep_their_order() {
    let collectors = with_partner_center(
        "directory: { enabled: true }",
        "partner_center: { enabled: true, stale_after: 1d }",
    );
    let found: Vec<_> = collectors
        .iter()
        .map(|config| {
            let [interval, stale_after] =
                [config.interval, config.stale_after].map(|time| time.as_secs() / 60);
            (config.kind.collector(), interval, stale_after)
        })
        .collect();
    let expected = [
        (Collector::SecurityUsers, 5, 15),
        (Collector::Directory, 60, 180),
        (Collector::PartnerCenter, 60, 1440),
        (Collector::ProtectedUsers, 15, 45),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_tenant_has_its_own_number_of_usage_locations() {
    #[track_caller]
    fn check(all: &str, own: &str, top_usage_locations: usize) {
        let expected = CollectorKind::PartnerCenter(PartnerCenterOptions {
            top_usage_locations,
        });
        let all = format!("partner_center: {{ enabled: true, {all} }}");
        let own = format!("partner_center: {{ {own} }}");
        let found = with_partner_center(&all, &own);
        assert!(found.iter().any(|one| one.kind == expected), "{found:?}");
    }
    check("", "", 10);
    check("top_usage_locations: 3", "", 3);
    check("top_usage_locations: 3", "top_usage_locations: 0", 0);
    check("", "top_usage_locations: 250", 250);
}

#[test]
fn what_a_status_means_follows_the_endpoint_unless_it_is_set() {
    use SecurityEndpoint::{Batch, V3};
    use StatusEncoding::{Codes, Flags};
    #[track_caller]
    fn check(all: &str, own: &str, expected: (SecurityEndpoint, StatusEncoding)) {
        let found = security_options(all, own);
        assert_eq!((found.endpoint, found.encoding), expected, "{all} {own}");
    }
    check("", "", (V3, Codes));
    check("endpoint: v3, status_encoding: flags", "", (V3, Flags));
    check("endpoint: batch", "", (Batch, Flags));
    check("endpoint: batch, status_encoding: auto", "", (Batch, Flags));
    check(
        "endpoint: batch, status_encoding: codes",
        "",
        (Batch, Codes),
    );
    check("endpoint: batch", "endpoint: v3", (V3, Codes));
    check("", "endpoint: batch", (Batch, Flags));
    check("status_encoding: codes", "endpoint: batch", (Batch, Codes));
    let own = "endpoint: batch, status_encoding: auto";
    check("status_encoding: codes", own, (Batch, Flags));
}

#[test]
fn a_tenant_is_counted_when_it_takes_back_what_contradicts_that() {
    #[track_caller]
    fn check(all: &str, own: &str) {
        let counts = SecurityOptions {
            endpoint: SecurityEndpoint::V3,
            encoding: StatusEncoding::Codes,
            mode: SecurityMode::Counts,
        };
        assert_eq!(security_options(all, own), counts, "{all} {own}");
    }
    check("mode: counts", "");
    check("", "mode: counts");
    check(
        "mode: counts, exclude_test_users: false, status_encoding: auto",
        "interval: 1h",
    );
    check(
        "exclude_test_users: true",
        "mode: counts, exclude_test_users: false",
    );
    check(
        "status_encoding: flags",
        "mode: counts, status_encoding: auto",
    );
    check("endpoint: batch", "mode: counts, endpoint: v3");
}
