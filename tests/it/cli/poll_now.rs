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
    let mut options = Options::new(world);
    // Refused at its first poll.
    options.rules = vec![Rule::new(
        Fault::Forbidden,
        When::first(1).on(Listing::Security),
    )];
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
    let (status, text) = post(
        &address,
        &format!("?m365_tenant_id={}", ids[0].to_uppercase()),
    )
    .await;
    assert_eq!(
        (status, text.starts_with("polling the tenant now")),
        (202, true),
        "{text}"
    );
    until("the second poll", async || {
        (polls(&address, &ids[0]).await == [Some(2.0); 2]).then_some(())
    })
    .await;
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
