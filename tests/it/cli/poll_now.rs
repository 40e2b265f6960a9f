//! Polling one tenant now, as the real program does it.

use avepoint_exporter::simulator::{Fault, Listing, Options, Rule, When, World};

use crate::cli::{Folder, serve};
use crate::http::{get, request};
use crate::program::until;
use crate::support::{Exposition, config_text, simulator};

const LIFECYCLE: &str = "--web.enable-lifecycle";

/// How often each collector of a tenant was polled.
async fn polls(address: &str, tenant: &str) -> [Option<f64>; 2] {
    let shown = Exposition::read(&get(address, "/metrics").await.text());
    ["security_users", "protected_users"].map(|collector| {
        let labels = [("m365_tenant_id", tenant), ("collector", collector)];
        shown.get("avepoint_collector_polls_total", &labels)
    })
}

async fn post(address: &str, query: &str) -> (u16, String) {
    let answer = request("POST", address, &format!("/-/poll{query}"), "").await;
    (answer.status, answer.text())
}

#[tokio::test]
async fn one_tenant_is_polled_now_even_in_quarantine_and_the_others_when_they_are_due() {
    let world = World::seeded(1, 2, 20);
    let ids: Vec<_> = world
        .tenants()
        .iter()
        .map(|one| one.tenant_id.to_string())
        .collect();
    let refused = world.tenants()[0].tenant_id;
    let mut options = Options::new(world);
    // Refused at its first two polls, so that it is in quarantine at the third.
    let when = When::first(2).on(Listing::Security).for_tenant(refused);
    options.rules = vec![Rule::new(Fault::Forbidden, when)];
    let upstream = simulator(options).await;
    let hourly =
        "collectors:\n  security_users: { interval: 1h }\n  protected_users: { interval: 1h }\n";
    let folder = Folder::with(&config_text(&upstream, "", hourly));
    let (program, address) = serve(&folder, &[LIFECYCLE]).await;
    let once = [Some(1.0); 2];
    for id in &ids {
        until("the first round", async || {
            (polls(&address, id).await == once).then_some(())
        })
        .await;
    }
    let quarantined = async || {
        let shown = Exposition::read(&get(&address, "/metrics").await.text());
        let labels = [
            ("m365_tenant_id", ids[0].as_str()),
            ("collector", "security_users"),
        ];
        shown.get("avepoint_collector_quarantined", &labels)
    };
    for (ended, is_in_quarantine) in [(2.0, 1.0), (3.0, 0.0)] {
        let query = format!("?m365_tenant_id={}", ids[0].to_uppercase());
        let (status, text) = post(&address, &query).await;
        assert_eq!(status, 202, "{text}");
        assert!(text.starts_with("polling the tenant now"), "{text}");
        until("the next poll", async || {
            (polls(&address, &ids[0]).await == [Some(ended); 2]).then_some(())
        })
        .await;
        assert_eq!(quarantined().await, Some(is_in_quarantine));
    }
    assert_eq!(polls(&address, &ids[1]).await, once);
    program.signal("TERM");
    let log = program.end().await.stderr;
    let line = format!(
        "message=\"polling the tenant now, as requested\" tenant_id={}",
        ids[0]
    );
    assert!(log.contains(&line), "{log}");
}

#[tokio::test]
async fn what_names_no_tenant_that_is_polled_is_refused_with_what_was_expected() {
    let upstream = simulator(Options::new(World::seeded(1, 1, 20))).await;
    let folder = Folder::with(&config_text(&upstream, "", ""));
    let (_program, address) = serve(&folder, &[LIFECYCLE]).await;
    let id = "00000000-0000-0000-0000-00000000dead";
    for query in [
        String::new(),
        "?m365_tenant_id=".to_owned(),
        "?m365_tenant_id=contoso".to_owned(),
        format!("?tenant_id={id}"),
        format!("?m365_tenant_id={id}&m365_tenant_id={id}"),
    ] {
        let (status, text) = post(&address, &query).await;
        assert_eq!(status, 400, "{query}");
        assert!(
            text.starts_with("expected the query m365_tenant_id=ID"),
            "{text}"
        );
    }
    let (status, text) = post(&address, &format!("?m365_tenant_id={id}")).await;
    assert_eq!(
        (status, text.contains("no tenant with this id")),
        (404, true),
        "{text}"
    );
    assert_eq!(get(&address, "/-/poll").await.status, 405);
    let (_program, address) = serve(&folder, &[]).await;
    let (status, text) = post(&address, &format!("?m365_tenant_id={id}")).await;
    assert_eq!((status, text.contains(LIFECYCLE)), (403, true), "{text}");
}
