//! The shortest way through everything: one poll of a small world.

use avepoint_exporter::simulator::{Options, World};

use crate::support::{config, poll, simulator};

#[tokio::test]
async fn one_poll_shows_the_figures_of_each_tenant() {
    let simulator = simulator(Options::new(World::seeded(1, 3, 250))).await;
    let exposition = poll(&config(&simulator, "", "")).await;
    for tenant in simulator.world().tenants() {
        let users = exposition.of(tenant.tenant_id, "avepoint_security_users", &[]);
        assert_eq!(users, Some(tenant.security_count(0) as f64));
        let users = exposition.of(tenant.tenant_id, "avepoint_backup_users", &[]);
        assert_eq!(users, Some(tenant.protected_count() as f64));
        for collector in ["security_users", "protected_users"] {
            assert_eq!(
                exposition.of(
                    tenant.tenant_id,
                    "avepoint_collector_up",
                    &[("collector", collector)]
                ),
                Some(1.0)
            );
        }
    }
    assert_eq!(simulator.stats().token_requests, 1);
}
