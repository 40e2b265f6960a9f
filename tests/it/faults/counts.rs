//! The mode that counts security users without reading them.

use std::path::Path;

use avepoint_exporter::config::{Config, Source};
use avepoint_exporter::domain::{CustomerId, TenantId, Timestamp};
use avepoint_exporter::simulator::{Listing, World};

use super::{failure, options, pages, requests};
use crate::api::Api;
use crate::support::{config, poll, simulator};

const COUNTS: &str = "collectors: { security_users: { mode: counts } }\n";

#[tokio::test]
async fn counting_costs_ten_requests_however_many_users_a_tenant_has() {
    for users in [0, 1, 20_000] {
        let simulator = simulator(options(World::seeded(1, 1, users), &[])).await;
        let only = COUNTS.replace(" } }", " }, protected_users: { enabled: false } }");
        let exposition = poll(&config(&simulator, "", &only)).await;
        let tenant = &simulator.world().tenants()[0];
        let id = tenant.tenant_id;
        assert_eq!(failure(&exposition, id, Listing::Security), None);
        assert_eq!(requests(&simulator, id, Listing::Security), 10);
        let shown = exposition.of(id, "avepoint_security_users", &[]);
        assert_eq!(shown, Some(tenant.security_count(0) as f64));
        assert!(users < 20_000 || pages(tenant, Listing::Security) > 10);
    }
}

#[tokio::test]
async fn an_api_that_ignores_the_filter_fails_the_poll_as_implausible() {
    // It gives the same user whatever is asked.
    let api = Api::start().await;
    let (customer, tenant) = (CustomerId::from_bits(1), TenantId::from_bits(2));
    let tenants =
        format!("{COUNTS}tenants: [{{ customer_id: {customer}, tenant_id: {tenant} }}]\n");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "right").unwrap();
    let source = Source {
        name: "test.yaml",
        base_dir: Path::new(folder.path()),
        env: &|_| None,
        now: Timestamp::default(),
    };
    let exposition = poll(&Config::parse(&api.config(&tenants), &source).unwrap()).await;
    let failed = failure(&exposition, tenant, Listing::Security);
    assert_eq!(failed.as_deref(), Some("implausible"));
    assert_eq!(exposition.of(tenant, "avepoint_security_users", &[]), None);
    assert!(
        exposition
            .of(tenant, "avepoint_backup_users", &[])
            .is_some()
    );
}
