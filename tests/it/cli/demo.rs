//! The command `demo`.

use avepoint_exporter::domain::Collector;

use crate::cli::OK;
use crate::http::get;
use crate::program::{Program, exporter, until};
use crate::support::Exposition;

/// Starts a small demo on free ports. Returns it with the address of its pages, as it printed it.
pub(super) async fn demo(arguments: &[&str]) -> (Program, String) {
    let common = [
        "demo",
        "--web.listen-address=127.0.0.1:0",
        "--tenants=2",
        "--users=600",
    ];
    let program = Program::start(&mut exporter(common.iter().chain(arguments)));
    let address = until("the demo's address", async || {
        let text = program.stdout();
        let (_, rest) = text.split_once("http://")?;
        let (address, _) = rest.split_once("/metrics ")?;
        Some(address.to_owned())
    })
    .await;
    (program, address)
}

async fn first_round(address: &str) {
    until("the first round", async || {
        (get(address, "/-/ready").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_demo_serves_where_it_says_and_its_figures_move() {
    let (program, address) = demo(&["--evolve=150ms"]).await;
    assert!(program.stdout().contains("changes every 150ms."));
    first_round(&address).await;
    let users = async || {
        let exposition = Exposition::read(&get(&address, "/metrics").await.text());
        let users: Vec<_> = exposition
            .all("avepoint_security_users", &[])
            .map(|(_, users)| users)
            .collect();
        // Ready comes a moment before the figures are rendered.
        (users.len() == 2).then_some(users)
    };
    let first = until("figures", &users).await;
    until("other figures", async || {
        (users().await? != first).then_some(())
    })
    .await;
    // All collectors are on, of all tenants, and discovery too.
    until("all collectors", async || {
        let exposition = Exposition::read(&get(&address, "/metrics").await.text());
        let up = exposition.all("avepoint_collector_up", &[]);
        let up = up.filter(|(_, up)| *up > 0.0).count();
        let all_up = up == 2 * Collector::configured().count();
        let discovered = exposition.get("avepoint_discovery_up", &[]) == Some(1.0);
        (all_up && discovered).then_some(())
    })
    .await;
    program.signal("INT");
    let ended = program.end().await;
    let complaints = ended
        .stderr
        .lines()
        .filter(|line| !line.contains("level=info"));
    assert_eq!(
        (ended.code, complaints.count()),
        (OK, 0),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_world_can_be_told_to_stand_still_and_to_be_another() {
    let (one, address) = demo(&["--evolve=0s", "--seed=7"]).await;
    assert!(one.stdout().contains("The simulated data does not change."));
    first_round(&address).await;
    let world = avepoint_exporter::simulator::World::seeded(7, 2, 600);
    until("the figures of that world", async || {
        let exposition = Exposition::read(&get(&address, "/metrics").await.text());
        let right = world.tenants().iter().all(|tenant| {
            exposition.of(tenant.tenant_id, "avepoint_security_users", &[])
                == Some(tenant.security_count(0) as f64)
        });
        right.then_some(())
    })
    .await;
}
