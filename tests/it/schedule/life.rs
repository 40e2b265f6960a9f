//! The life of tenants while the exporter runs: found, gone and back by discovery; changed by a reload.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use avepoint_exporter::server::Reload;
use avepoint_exporter::simulator::{CLIENT_SECRET, Options, World};
use avepoint_exporter::snapshot::{Snapshot, TargetSnapshot};
use tempfile::TempDir;

use super::held::{Held, Time};
use super::tenants;
use crate::api::{Api, Customer};
use crate::support::{Exposition, config, config_text, poll, simulator};

const HOUR: Duration = Duration::from_secs(3600);

/// One tenant of the file: 1, of the customer 1.
const LISTED: &str = "tenants:\n  - { customer_id: 00000000-0000-0000-0000-000000000001, tenant_id: 00000000-0000-0000-0000-000000000001 }\n";

const DISCOVERY: &str = "discovery: { enabled: true, exclude: { customer_name: \"Test.*\" } }\n";

/// An exporter whose configuration can be changed.
struct Fleet {
    held: Held<Api>,
    reload: Reload,
    folder: TempDir,
}

impl Fleet {
    /// Starts with these sections of the configuration and these customers.
    async fn start(sections: &str, customers: &[Customer]) -> Self {
        Self::with_secret("right", sections, customers).await
    }

    async fn with_secret(secret: &str, sections: &str, customers: &[Customer]) -> Self {
        let time = Time::hold();
        let api = Api::start().await;
        api.state().customers = Some(customers.to_vec());
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), secret).unwrap();
        let path = folder.path().join("config.yaml");
        fs::write(&path, api.config(sections)).unwrap();
        let (held, reload) = Held::from_file(time, api, &path);
        Self {
            held,
            reload,
            folder,
        }
    }

    /// A fleet of which the API listed the tenants 7 and 8 first, and then 7 alone; with what is known of 8.
    async fn with_one_gone(sections: &str) -> (Self, Arc<TargetSnapshot>) {
        let both = vec![(7, "seven"), (8, "eight")];
        let mut fleet = Self::start(sections, &[(5, "Contoso", both)]).await;
        fleet.first_round().await;
        fleet.held.upstream.state().customers = Some(vec![(5, "Contoso", vec![(7, "seven")])]);
        fleet.next_discovery().await;
        let gone = Arc::clone(&fleet.held.snapshot().gone[0]);
        (fleet, gone)
    }

    fn write(&self, sections: &str) {
        let text = self.held.upstream.config(sections);
        fs::write(self.folder.path().join("config.yaml"), text).unwrap();
    }

    /// What is shown now.
    fn shown(&self) -> Exposition {
        Exposition::read(&self.held.exposition())
    }

    /// The tenants that have a series of this name.
    fn tenants_with(&self, name: &str) -> Vec<u128> {
        let shown = self.shown();
        let ids = shown.all(name, &[]).map(|(labels, _)| {
            let id: avepoint_exporter::domain::TenantId = labels["m365_tenant_id"].parse().unwrap();
            id.bits()
        });
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        ids
    }

    async fn first_round(&mut self) {
        self.held.until(|now| now.first_round_ended()).await;
    }

    /// Lets time pass until the customers were read once more.
    async fn next_discovery(&mut self) {
        let ended = polls(&self.held.snapshot());
        for _ in 0..400 {
            if polls(&self.held.snapshot()) > ended {
                return;
            }
            self.held.pass(Duration::from_secs(20)).await;
            self.held.settle().await;
        }
        panic!("there was no discovery");
    }
}

fn polls(snapshot: &Snapshot) -> u64 {
    snapshot.discovery().unwrap().polls
}

#[tokio::test(start_paused = true)]
async fn tenants_are_found_at_the_start_beside_those_of_the_file() {
    let customers = [
        (5, "Contoso", vec![(7, "contoso"), (8, "lab")]),
        (6, "Test lab", vec![(9, "test")]),
        (4, "Bare", vec![]),
    ];
    let sections = format!("{DISCOVERY}{LISTED}");
    let mut fleet = Fleet::start(&sections, &customers).await;
    fleet.first_round().await;
    assert_eq!(fleet.tenants_with("avepoint_tenant_info"), [1, 7, 8]);
    assert_eq!(fleet.tenants_with("avepoint_backup_users"), [1, 7, 8]);
    assert_eq!(fleet.held.upstream.asked_of(9), 0);
    let shown = fleet.shown();
    for (name, labels, value) in [
        ("avepoint_tenants", [("state", "active")], Some(3.0)),
        ("avepoint_tenants", [("state", "excluded")], Some(1.0)),
        ("avepoint_tenant_info", [("source", "config")], Some(1.0)),
        (
            "avepoint_customer_info",
            [("customer_name", "Contoso")],
            Some(1.0),
        ),
        (
            "avepoint_customer_info",
            [("customer_name", "Bare")],
            Some(1.0),
        ),
        (
            "avepoint_customer_info",
            [("customer_name", "Test lab")],
            None,
        ),
        (
            "avepoint_discovery_failures_total",
            [("reason", "forbidden")],
            Some(0.0),
        ),
    ] {
        assert_eq!(shown.get(name, &labels), value, "{name} {labels:?}");
    }
    assert_eq!(
        shown.get("avepoint_customers_without_tenant", &[]),
        Some(1.0)
    );
    assert_eq!(shown.get("avepoint_discovery_up", &[]), Some(1.0));
    let found = [("source", "discovery"), ("m365_tenant_name", "contoso")];
    assert_eq!(shown.get("avepoint_tenant_info", &found), Some(1.0));
    assert!(!fleet.held.exposition().contains("planted"));
}

#[tokio::test(start_paused = true)]
async fn a_first_discovery_that_fails_leaves_the_tenants_of_the_file_and_counts_as_tried() {
    let sections = format!("{DISCOVERY}{LISTED}");
    let mut fleet = Fleet::start(&sections, &[]).await;
    fleet.held.upstream.state().customers = None;
    fleet.first_round().await;
    assert_eq!(fleet.tenants_with("avepoint_backup_users"), [1]);
    let shown = fleet.shown();
    assert_eq!(shown.get("avepoint_discovery_up", &[]), Some(0.0));
    let forbidden = [("reason", "forbidden")];
    assert_eq!(
        shown.get("avepoint_discovery_failures_total", &forbidden),
        Some(1.0)
    );
    assert_eq!(shown.all("avepoint_customer_info", &[]).count(), 0);
    assert_eq!(
        shown.get("avepoint_tenants", &[("state", "excluded")]),
        None
    );

    fleet.held.upstream.state().customers = Some(vec![(5, "Contoso", vec![(7, "contoso")])]);
    // Not after an hour: without it some tenants are not polled at all.
    fleet.held.pass(Duration::from_secs(61)).await;
    fleet.held.until(|now| polls(now) == 2).await;
    fleet.first_round().await;
    assert_eq!(fleet.tenants_with("avepoint_backup_users"), [1, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_disappears_is_polled_no_more_and_goes_with_its_last_figures() {
    let sections =
        "discovery: { enabled: true }\ncollectors: { protected_users: { stale_after: 20h } }\n";
    let (mut fleet, gone) = Fleet::with_one_gone(sections).await;
    let asked = fleet.held.upstream.asked_of(8);
    fleet.held.pass(HOUR / 2).await;
    fleet.held.settle().await;
    assert_eq!(fleet.held.upstream.asked_of(8), asked);
    assert!(fleet.held.upstream.asked_of(7) > asked);
    assert_eq!(fleet.tenants_with("avepoint_backup_users"), [7, 8]);
    assert_eq!(fleet.tenants_with("avepoint_tenant_info"), [7, 8]);
    assert_eq!(
        fleet.tenants_with("avepoint_security_users"),
        [7],
        "stale by itself"
    );
    let active = [("state", "active")];
    assert_eq!(fleet.shown().get("avepoint_tenants", &active), Some(1.0));

    fleet.held.pass_until(gone.stale_at().unwrap()).await;
    fleet.held.until(|now| now.gone.is_empty()).await;
    let text = fleet.held.exposition();
    assert!(
        !text.contains("00000000-0000-0000-0000-000000000008"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_comes_back_goes_on_where_it_was() {
    let sections = "discovery: { enabled: true, interval: 1m }\n";
    let (mut fleet, gone) = Fleet::with_one_gone(sections).await;
    let both = vec![(7, "seven"), (8, "eight")];
    fleet.held.upstream.state().customers = Some(vec![(5, "Contoso", both)]);
    fleet.next_discovery().await;
    let snapshot = fleet.held.snapshot();
    assert!(snapshot.gone.is_empty());
    let back = &tenants(&snapshot)[1];
    assert_eq!(back.target, gone.target);
    for (back, gone) in back.collectors.iter().zip(&gone.collectors) {
        assert!(back.polls >= gone.polls && back.figures.is_some());
        assert!(back.next_poll.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn one_failed_discovery_changes_nothing_and_an_empty_one_is_a_failure() {
    let customers = vec![(5, "Contoso", vec![(7, "seven")])];
    let mut fleet = Fleet::start("discovery: { enabled: true }\n", &customers).await;
    fleet.first_round().await;
    let failures = |fleet: &Fleet, reason| {
        let labels = [("reason", reason)];
        fleet
            .shown()
            .get("avepoint_discovery_failures_total", &labels)
    };
    for (answer, reason) in [
        (None, "forbidden"),
        (Some(vec![]), "implausible"),
        (Some(vec![(5, "Contoso", vec![])]), "implausible"),
    ] {
        let before = failures(&fleet, reason).unwrap();
        fleet.held.upstream.state().customers = answer;
        fleet.next_discovery().await;
        assert_eq!(failures(&fleet, reason), Some(before + 1.0));
        assert_eq!(fleet.shown().get("avepoint_discovery_up", &[]), Some(0.0));
        assert_eq!(fleet.tenants_with("avepoint_tenant_info"), [7]);
        assert!(fleet.held.snapshot().gone.is_empty());
    }
    // What was found is stale after three intervals; the tenant itself is polled on.
    let snapshot = fleet.held.snapshot();
    let found = snapshot.discovery().unwrap().figures.as_ref();
    let found_at = found.unwrap().at;
    fleet.held.pass_until(found_at.after(HOUR * 3)).await;
    assert_eq!(fleet.shown().all("avepoint_customer_info", &[]).count(), 0);
    let asked = fleet.held.upstream.asked_of(7);
    fleet.held.upstream.state().customers = Some(customers);
    fleet.next_discovery().await;
    assert!(fleet.held.upstream.asked_of(7) > asked);
    assert_eq!(fleet.shown().get("avepoint_discovery_up", &[]), Some(1.0));
    assert_eq!(fleet.shown().all("avepoint_customer_info", &[]).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reload_changes_what_has_changed_and_nothing_else() {
    let customers = [(5, "Contoso", vec![(7, "seven"), (8, "eight")])];
    let sections = format!("discovery: {{ enabled: true }}\n{LISTED}");
    let mut fleet = Fleet::start(&sections, &customers).await;
    fleet.first_round().await;
    let before = fleet.held.snapshot();
    let asked = fleet.held.upstream.state().asked.clone();

    // The tenant 1 goes, 2 comes, 8 is excluded, and 7 stays.
    let changed = "discovery: { enabled: true, exclude: { tenant_name: eight } }\n".to_owned()
        + &LISTED.replace(
            "tenant_id: 00000000-0000-0000-0000-000000000001",
            "tenant_id: 00000000-0000-0000-0000-000000000002",
        );
    fleet.write(&changed);
    fleet.reload.ask().await.unwrap();
    fleet.held.until(|now| tenants(now).len() == 2).await;
    fleet.first_round().await;
    assert_eq!(fleet.tenants_with("avepoint_tenant_info"), [2, 7]);
    assert_eq!(fleet.tenants_with("avepoint_collector_up"), [2, 2, 7, 7]);
    assert_eq!(fleet.tenants_with("avepoint_backup_users"), [2, 7]);
    let snapshot = fleet.held.snapshot();
    assert!(snapshot.gone.is_empty());
    for (now, before) in tenants(&snapshot)[1]
        .collectors
        .iter()
        .zip(&tenants(&before)[1].collectors)
    {
        assert_eq!((now.polls, now.next_poll), (before.polls, before.next_poll));
        let [now, before] = [now, before].map(|one| one.figures.as_ref().unwrap().at);
        assert_eq!(now, before);
    }
    // Neither another token nor another discovery was needed.
    let now = fleet.held.upstream.state().asked.clone();
    for what in ["token", "customers", "00000000-0000-0000-0000-000000000007"] {
        assert_eq!(now[what], asked[what], "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn discovery_is_switched_on_and_off_by_a_reload() {
    let customers = [(5, "Contoso", vec![(7, "seven")])];
    let mut fleet = Fleet::start(LISTED, &customers).await;
    fleet.first_round().await;
    assert_eq!(fleet.held.upstream.discoveries(), 0);
    assert!(!fleet.held.exposition().contains("avepoint_discovery"));
    fleet.write(&format!("{DISCOVERY}{LISTED}"));
    fleet.reload.ask().await.unwrap();
    fleet.held.until(|now| tenants(now).len() == 2).await;
    fleet.first_round().await;
    assert_eq!(fleet.tenants_with("avepoint_backup_users"), [1, 7]);
    fleet.write(LISTED);
    fleet.reload.ask().await.unwrap();
    fleet.held.until(|now| tenants(now).len() == 1).await;
    assert_eq!(fleet.tenants_with("avepoint_backup_users"), [1]);
    assert!(!fleet.held.exposition().contains("avepoint_discovery"));
}

#[tokio::test(start_paused = true)]
async fn a_reload_of_a_bad_file_says_why_and_changes_nothing() {
    let mut fleet = Fleet::start(LISTED, &[]).await;
    fleet.first_round().await;
    let before = fleet.held.exposition();
    fleet.write("tenants: []\n");
    let error = fleet.reload.ask().await.unwrap_err();
    assert!(
        error.contains("config.yaml:") && error.contains("tenants"),
        "{error}"
    );
    fs::remove_file(fleet.folder.path().join("config.yaml")).unwrap();
    let error = fleet.reload.ask().await.unwrap_err();
    assert!(error.contains("no such file"), "{error}");
    fleet.held.settle().await;
    assert_eq!(fleet.held.exposition(), before);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_changes_is_used_within_15_seconds_whatever_became_of_the_file_that_names_it()
{
    let sections = format!(
        "collectors: {{ security_users: {{ interval: 1h }}, protected_users: {{ enabled: false }} }}\n{LISTED}"
    );
    let mut fleet = Fleet::with_secret("old", &sections, &[]).await;
    fleet.first_round().await;
    let refused = fleet.held.snapshot();
    assert!(tenants(&refused)[0].collectors[0].figures.is_none());
    let tokens = |fleet: &Fleet| fleet.held.upstream.state().asked["token"];
    let asked = tokens(&fleet);
    fleet.write("this is being edited");
    fs::write(fleet.folder.path().join("secret"), "right\n").unwrap();
    fleet.held.pass(Duration::from_secs(15)).await;
    // What is in force has changed, and with it what is published.
    fleet.held.until(|now| !Arc::ptr_eq(now, &refused)).await;
    fleet.held.next_poll().await;
    let read = fleet.held.snapshot();
    assert!(tenants(&read)[0].collectors[0].figures.is_some());
    assert_eq!(tokens(&fleet), asked + 1);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_is_replaced_is_used_within_15_seconds() {
    let ours = |name: &str| fs::read(format!("tests/certificates/{name}")).unwrap();
    let time = Time::hold();
    let options = Options {
        certificate: Some(ours("app.der")),
        clock: time.clock(),
        ..Options::new(World::seeded(1, 1, 20))
    };
    let simulator = simulator(options).await;
    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("app.pem");
    fs::write(&pem, [ours("other.crt"), ours("other.key")].concat()).unwrap();
    let text = config_text(&simulator, "", "").replace(
        &format!("client_secret: {CLIENT_SECRET}"),
        "certificate: { file: app.pem }",
    );
    let path = folder.path().join("config.yaml");
    fs::write(&path, text).unwrap();
    let (mut held, _reload) = Held::from_file(time, simulator, &path);
    held.until(|now| now.first_round_ended()).await;
    let refused = held.snapshot();
    assert!(tenants(&refused)[0].collectors[0].figures.is_none());

    fs::write(&pem, ours("app.pem")).unwrap();
    held.pass(Duration::from_secs(15)).await;
    held.until(|now| !Arc::ptr_eq(now, &refused)).await;
    let polled = held.next_poll().await;
    assert!(
        tenants(&held.snapshot())[0].collectors[polled]
            .figures
            .is_some()
    );
}

#[tokio::test]
async fn what_an_api_is_to_be_asked_is_the_pages_of_all_listings_in_their_intervals_and_of_discovery()
 {
    let simulator = simulator(Options::new(World::seeded(7, 230, 3))).await;
    let sections = "discovery: { enabled: true, interval: 10s }\ncollectors:\n  security_users: { interval: 20s }\n  \
                    protected_users: { enabled: false }\n";
    let shown = poll(&config(&simulator, "", sections)).await;
    let (tenants, customers) = (
        simulator.world().tenants().len(),
        simulator.world().customers().len(),
    );
    assert!(customers > 100, "{customers} are one page");
    // None of the security listings is longer than a page of 100.
    let required = tenants as f64 / 20.0 + customers.div_ceil(100) as f64 / 10.0;
    let labels = [("api", "elements")];
    let told = shown.get("avepoint_api_required_requests_per_second", &labels);
    assert!(
        (told.unwrap() - required).abs() < 1e-6,
        "{told:?}, and not {required}"
    );
}

#[tokio::test]
async fn all_tenants_of_the_simulated_service_are_found_by_their_names() {
    let simulator = simulator(Options::new(World::seeded(7, 130, 3))).await;
    let mut config = config(&simulator, "", "discovery: { enabled: true }\n");
    config.tenants.truncate(1);
    let shown = poll(&config).await;
    for tenant in simulator.world().tenants() {
        let id = tenant.tenant_id;
        let customer = tenant.customer_id.to_string();
        let labels = [
            ("m365_tenant_name", tenant.tenant_name.as_str()),
            ("customer_id", &customer),
            ("customer_name", &tenant.customer_name),
        ];
        assert_eq!(shown.of(id, "avepoint_tenant_info", &labels), Some(1.0));
        assert!(shown.of(id, "avepoint_backup_users", &[]).is_some());
    }
    assert_eq!(shown.all("avepoint_tenant_info", &[]).count(), 130);
    assert_eq!(
        shown
            .all("avepoint_tenant_info", &[("source", "config")])
            .count(),
        1
    );
}
