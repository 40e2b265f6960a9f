//! Two APIs, of which one does not answer.

use std::fs;

use avepoint_exporter::domain::{Collector, Unit};
use avepoint_exporter::simulator::{
    FIRST_REFRESH_TOKEN, Fault, Listing, Options, PARTNER_CLIENT_ID, PARTNER_CLIENT_SECRET, Rule,
    When, World,
};

use super::held::{Held, Time};
use super::tenants;
use crate::support::{config_text, simulator};

#[tokio::test(start_paused = true)]
async fn an_api_that_hangs_does_not_hold_up_the_polls_of_the_other() {
    // More tenants than listings that are read at once, of both APIs together.
    let world = World::seeded(1, 40, 20);
    let options = Options {
        rules: vec![Rule::new(Fault::Hang, When::always().on(Listing::Partner))],
        ..Options::new(world)
    };
    let time = Time::hold();
    let simulator = simulator(options).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), FIRST_REFRESH_TOKEN).unwrap();
    let sections = format!(
        "partner_center:\n  api_url: {}\n  token_url: {}\n  client_id: {PARTNER_CLIENT_ID}\n  \
         client_secret: {PARTNER_CLIENT_SECRET}\n  refresh_token_file: token\n\
         collectors: {{ partner_center: {{ enabled: true }} }}\n",
        simulator.partner_api_url(),
        simulator.partner_token_url(),
    );
    let path = folder.path().join("config.yaml");
    let elements = "  rate_limit: { requests_per_second: 1000, burst: 1000 }\n";
    fs::write(&path, config_text(&simulator, elements, &sections)).unwrap();
    let (mut held, _reload) = Held::from_file(time, simulator, &path);

    let start = held.clock.now();
    held.until(|now| {
        tenants(now).iter().all(|tenant| {
            let security = tenant.collector(Collector::SecurityUsers).unwrap();
            security.figures.is_some()
        })
    })
    .await;
    assert_eq!(held.clock.now(), start, "nobody waited for Partner Center");
    let snapshot = held.snapshot();
    let mut partner_center = snapshot
        .polled(Unit::Tenant)
        .map(|tenant| tenant.collector(Collector::PartnerCenter).unwrap());
    assert!(partner_center.all(|one| one.last_poll.is_none()));
}
