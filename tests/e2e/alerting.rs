//! From the simulated upstream to the pager: users become high risk there, and a notification says so; the exporter
//! dies, and one notification says that, while those about its tenants are held back.

use avepoint_exporter::bundle::{ALERTMANAGER, RUNBOOKS};

use crate::Demo;
use crate::alertmanager::{Alert, Alertmanager};
use crate::http::request;
use crate::program::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_rise_reaches_the_pager_and_an_exporter_that_is_down_silences_the_rest() {
    let alertmanager = Alertmanager::start(ALERTMANAGER.text).await;
    let demo = Demo::start(1).await;
    let prometheus = demo.scraped_by(Some(&alertmanager.address)).await;
    let tenant = &demo.world.tenants()[3];
    let (id, customer) = (tenant.tenant_id.to_string(), tenant.customer_id.to_string());
    let figure = format!(
        "tenant_status:avepoint_security_users_by_status:max{{m365_tenant_id=\"{id}\", status=\"high_risk\"}}"
    );
    let before = until("the recorded figure", async || {
        Some(prometheus.query(&figure).await.first()?.value)
    })
    .await;

    // The first users of the listing, so all on one page: they rise at once.
    let answer = request(
        "POST",
        &demo.simulator,
        &format!("/simulator/high-risk/{id}?users=7"),
        "",
    )
    .await;
    let now: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(now["high_risk_users"].as_f64(), Some(before + 7.0));

    let of_tenant = [("m365_tenant_id", id.as_str())];
    let rise = "AvePointHighRiskUsersRising";
    let alert = until("the pager to get the alert about the rise", async || {
        alertmanager.webhook.firing("on-call", rise, &of_tenant)
    })
    .await;
    assert_eq!(alert.labels["severity"], "critical");
    // The pager may be off at night, and the tenant has no ticket system.
    until("the operators to be told too", async || {
        alertmanager.webhook.firing("operations", rise, &of_tenant)
    })
    .await;
    assert_eq!(alert.labels["customer_id"], customer);
    for name in ["m365_tenant_name", "customer_name", "instance"] {
        assert!(!alert.labels.contains_key(name), "{alert:?}");
    }
    assert_eq!(
        alert.annotations["summary"],
        format!(
            "{} ({}): users at high risk up by 7",
            tenant.customer_name, tenant.tenant_name
        )
    );
    has_a_runbook(&alert);

    let address = demo.address.clone();
    demo.program.signal("KILL");
    let down = until(
        "the pager to get the alert about the exporter",
        async || {
            let of_it = [("instance", &*address)];
            alertmanager
                .webhook
                .firing("on-call", "AvePointExporterDown", &of_it)
        },
    )
    .await;
    assert_eq!(down.labels["severity"], "critical");
    has_a_runbook(&down);
    until("the alert about the rise to be held back", async || {
        let inhibited = alertmanager.inhibited().await;
        inhibited
            .iter()
            .any(|held| {
                held.labels["alertname"] == rise
                    && held.labels["m365_tenant_id"] == id
                    && !held.status.inhibited_by.is_empty()
            })
            .then_some(())
    })
    .await;
}

#[track_caller]
fn has_a_runbook(alert: &Alert) {
    let url = &alert.annotations["runbook_url"];
    let (_, name) = url.rsplit_once('/').unwrap();
    assert_eq!(name, format!("{}.md", alert.labels["alertname"]));
    assert!(RUNBOOKS.file(name).is_some(), "there is no runbook {name}");
}
