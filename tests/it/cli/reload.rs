//! Reading the configuration again, by SIGHUP and by HTTP, and discovery, as the real program does them.

use std::fs;

use crate::api::Api;
use crate::cli::{FAILED, Folder, OK, serve};
use crate::http::{get, request};
use crate::program::{Program, until};
use crate::support::Exposition;

const SUCCESSFUL: &str = "avepoint_exporter_config_last_reload_successful";
const SUCCEEDED_AT: &str = "avepoint_exporter_config_last_reload_success_timestamp_seconds";
const LIFECYCLE: &str = "--web.enable-lifecycle";

fn tenants(ids: &[u8]) -> String {
    let lines = ids.iter().map(|id| {
        format!(
            "  - {{ customer_id: 00000000-0000-0000-0000-000000000001, tenant_id: 00000000-0000-0000-0000-00000000000{id} }}\n"
        )
    });
    format!("tenants:\n{}", lines.collect::<String>())
}

/// A folder with a configuration of these sections for this upstream, and with its secret.
fn folder(api: &Api, sections: &str) -> Folder {
    let folder = Folder::with(&api.config(sections));
    fs::write(folder.folder.path().join("secret"), "right").unwrap();
    folder
}

async fn scrape(address: &str) -> Exposition {
    Exposition::read(&get(address, "/metrics").await.text())
}

/// Waits until these tenants, and no others, have figures.
async fn until_shown(address: &str, ids: &[u8]) -> Exposition {
    until("the tenants", async || {
        let shown = scrape(address).await;
        let mut have: Vec<String> = shown
            .all("avepoint_backup_users", &[])
            .map(|(labels, _)| labels["m365_tenant_id"].clone())
            .collect();
        have.sort();
        let wanted = ids
            .iter()
            .map(|id| format!("00000000-0000-0000-0000-00000000000{id}"));
        (have == wanted.collect::<Vec<_>>()).then_some(shown)
    })
    .await
}

/// How often a tenant's protected users were polled.
fn polls(shown: &Exposition, id: u8) -> Option<f64> {
    let id = format!("00000000-0000-0000-0000-00000000000{id}");
    let labels = [
        ("m365_tenant_id", id.as_str()),
        ("collector", "protected_users"),
    ];
    shown.get("avepoint_collector_polls_total", &labels)
}

async fn end(program: Program) -> String {
    program.signal("TERM");
    let ended = program.end().await;
    assert_eq!(ended.code, OK, "{}", ended.stderr);
    ended.stderr
}

#[tokio::test]
async fn a_hangup_reloads_and_a_bad_file_changes_nothing_and_says_why() {
    let api = Api::start().await;
    let folder = folder(&api, &tenants(&[1, 2]));
    let (program, address) = serve(&folder, &[]).await;
    let first = until_shown(&address, &[1, 2]).await;
    assert_eq!(first.get(SUCCESSFUL, &[]), Some(1.0));

    fs::write(folder.config(), api.config(&tenants(&[2, 3]))).unwrap();
    program.signal("HUP");
    let second = until_shown(&address, &[2, 3]).await;
    assert_eq!(polls(&second, 1), None);
    assert_eq!(
        polls(&second, 2),
        Some(1.0),
        "it was polled before, and is not due"
    );
    assert_eq!(second.get(SUCCESSFUL, &[]), Some(1.0));
    // The exporter's own series may be older than the tenants'.
    let second_at = until("the time of the reload", async || {
        let second_at = scrape(&address).await.get(SUCCEEDED_AT, &[]);
        (second_at > first.get(SUCCEEDED_AT, &[])).then_some(second_at)
    })
    .await;

    fs::write(folder.config(), api.config("tenants: none\n")).unwrap();
    program.signal("HUP");
    let third = until("the refusal", async || {
        let shown = scrape(&address).await;
        (shown.get(SUCCESSFUL, &[]) == Some(0.0)).then_some(shown)
    })
    .await;
    assert_eq!(third.get(SUCCEEDED_AT, &[]), second_at);
    until_shown(&address, &[2, 3]).await;

    fs::write(folder.config(), api.config(&tenants(&[2]))).unwrap();
    program.signal("HUP");
    let last = until_shown(&address, &[2]).await;
    assert_eq!(polls(&last, 2), Some(1.0));
    until("the success", async || {
        (scrape(&address).await.get(SUCCESSFUL, &[]) == Some(1.0)).then_some(())
    })
    .await;
    let log = end(program).await;
    assert_eq!(log.matches("configuration reloaded").count(), 2, "{log}");
    assert_eq!(
        log.matches("the previous one stays in force").count(),
        1,
        "{log}"
    );
    assert!(log.contains("config.yaml:7:10: tenants: "), "{log}");
}

#[tokio::test]
async fn a_post_reloads_where_the_flag_allows_it_and_answers_with_the_error() {
    let api = Api::start().await;
    let folder = folder(&api, &tenants(&[1]));
    let (program, address) = serve(&folder, &[LIFECYCLE]).await;
    until_shown(&address, &[1]).await;
    let post = || request("POST", &address, "/-/reload", "Content-Length: 0\r\n");

    fs::write(folder.config(), api.config(&tenants(&[2]))).unwrap();
    let answer = post().await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "configuration reloaded\n")
    );
    until_shown(&address, &[2]).await;

    fs::write(folder.config(), "elements: []\n").unwrap();
    let answer = post().await;
    assert_eq!(answer.status, 500);
    assert!(
        answer.text().contains("config.yaml:1:11: elements"),
        "{}",
        answer.text()
    );
    until("the refusal", async || {
        (scrape(&address).await.get(SUCCESSFUL, &[]) == Some(0.0)).then_some(())
    })
    .await;
    until_shown(&address, &[2]).await;

    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let answer = request(method, &address, "/-/reload", "").await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("POST")),
            "{method}"
        );
    }

    // All who ask at once are answered, each after a reading of its own.
    fs::write(folder.config(), api.config(&tenants(&[3]))).unwrap();
    let (a, b, c) = tokio::join!(post(), post(), post());
    assert_eq!([a.status, b.status, c.status], [200, 200, 200]);
    let shown = until_shown(&address, &[3]).await;
    assert_eq!(polls(&shown, 3), Some(1.0));
    assert_eq!(
        end(program).await.matches("configuration reloaded").count(),
        4
    );
}

#[tokio::test]
async fn a_post_without_the_flag_is_refused_and_the_flag_named() {
    let api = Api::start().await;
    let folder = folder(&api, &tenants(&[1]));
    let (program, address) = serve(&folder, &[]).await;
    until_shown(&address, &[1]).await;
    fs::write(folder.config(), api.config(&tenants(&[2]))).unwrap();
    let answer = request("POST", &address, "/-/reload", "Content-Length: 0\r\n").await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains(LIFECYCLE), "{}", answer.text());
    until_shown(&address, &[1]).await;
    assert!(!end(program).await.contains("reloaded"));
}

#[tokio::test]
async fn a_poll_discovers_first_and_fails_when_that_does() {
    let api = Api::start().await;
    api.state().customers = Some(vec![(5, "Contoso", vec![(2, "contoso")])]);
    let sections = format!("discovery: {{ enabled: true }}\n{}", tenants(&[1]));
    let folder = folder(&api, &sections);
    let polled = folder.start(&["poll"]).end().await;
    assert_eq!(polled.code, OK, "{}", polled.stderr);
    let shown = Exposition::read(&polled.stdout);
    assert_eq!(shown.all("avepoint_backup_users", &[]).count(), 2);
    let found = [
        ("m365_tenant_name", "contoso"),
        ("customer_name", "Contoso"),
    ];
    assert_eq!(shown.get("avepoint_tenant_info", &found), Some(1.0));

    api.state().customers = None;
    let polled = folder.start(&["poll"]).end().await;
    assert_eq!(polled.code, FAILED);
    let shown = Exposition::read(&polled.stdout);
    assert_eq!(shown.all("avepoint_backup_users", &[]).count(), 1);
    assert_eq!(shown.get("avepoint_discovery_up", &[]), Some(0.0));
    assert!(
        polled.stderr.contains("elements.customers.read.all"),
        "{}",
        polled.stderr
    );
    assert!(
        polled.stderr.contains("1 polls failed"),
        "{}",
        polled.stderr
    );
}
