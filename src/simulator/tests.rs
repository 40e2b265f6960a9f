//! The simulated service as a client sees it, over a socket. The client is `reqwest`, bare.

mod faults;
mod listings;
mod partner;
mod tokens;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Body, Client, Method, Response, StatusCode, header, redirect::Policy};
use serde_json::Value;
use tokio::net::TcpListener;

use super::*;
use crate::domain::{Clock, CustomerId, TenantId, Timestamp};

const FORM: &str = "application/x-www-form-urlencoded";
const SCOPES: &str = "elements.um.user.read.all+partner.um.user.read.all+\
                      elements.cbprotected.read.all+elements.customers.read.all";
const ID: &str = "5151a7ed-0000-4000-8000-000000000001";

/// A simulator, a client, a token, and the first tenant of the world.
struct Setup {
    simulator: Simulator,
    client: Client,
    token: String,
    customer: CustomerId,
    tenant: TenantId,
}

async fn start(options: Options) -> Setup {
    let first = &options.world.tenants()[0];
    let (customer, tenant) = (first.customer_id, first.tenant_id);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::builder().redirect(Policy::none()).no_proxy();
    let mut setup = Setup {
        simulator: Simulator::start(listener, options).unwrap(),
        client: client.build().unwrap(),
        token: String::new(),
        customer,
        tenant,
    };
    setup.sign_in(SCOPES).await;
    setup
}

/// A simulator that breaks these rules.
async fn start_with_rules(rules: Vec<Rule>) -> Setup {
    let mut options = Options::new(World::seeded(1, 2, 250));
    options.rules = rules;
    start(options).await
}

async fn start_with(fault: Fault) -> Setup {
    start_with_rules(vec![Rule::new(fault, When::always())]).await
}

/// A clock that shows these seconds.
pub(super) fn clock(seconds: &Arc<AtomicU64>) -> Clock {
    let seconds = Arc::clone(seconds);
    Clock::from_fn(move || {
        Timestamp::from_unix(Duration::from_secs(seconds.load(Ordering::Relaxed)))
    })
}

impl Setup {
    async fn ask_token(&self, secret: &str, scopes: &str) -> Response {
        let form = format!(
            "grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={secret}&scope={scopes}"
        );
        let request = self.client.post(self.simulator.token_url()).body(form);
        let request = request.header(header::CONTENT_TYPE, FORM);
        request.send().await.unwrap()
    }

    /// Takes a token for these scopes; none where they are refused.
    async fn sign_in(&mut self, scopes: &str) {
        let answer = json(self.ask_token(CLIENT_SECRET, scopes).await).await;
        self.token = answer["access_token"].as_str().unwrap_or("").to_owned();
    }

    fn path(&self, listing: Listing) -> String {
        let (url, customer, tenant) = (self.simulator.url(), self.customer, self.tenant);
        let (area, rest) = match listing {
            Listing::Security => ("um", "overview/security/users"),
            Listing::OlderSecurity => ("um", "overview/security/users/batch"),
            Listing::Directory => ("um", "users/batch"),
            Listing::Protected => ("general", "cloud-backup-m365/users/batch"),
            Listing::Customers => {
                return format!("{url}/partner/external/v3/general/customers/batch");
            }
            Listing::Partner | Listing::DeletedPartner => {
                let url = self.simulator.partner_api_url();
                return format!("{url}/v1/customers/{tenant}/users");
            }
            Listing::Token => return self.simulator.token_url(),
            Listing::PartnerToken => return self.simulator.partner_token_url(),
        };
        format!("{url}/partner/external/v3/{area}/customers/{customer}/tenants/{tenant}/{rest}")
    }

    async fn get(&self, query: &str) -> Response {
        self.ask(Listing::Security, query, "").await
    }

    /// Asks for a page of AvePoint, in the way of its listing.
    async fn ask(&self, listing: Listing, query: &str, body: impl Into<Body>) -> Response {
        let url = format!("{}{query}", self.path(listing));
        let request = match listing {
            Listing::Security | Listing::OlderSecurity => self.client.get(url),
            _ => self
                .client
                .post(url)
                .header(header::CONTENT_TYPE, "application/json")
                .body(body),
        };
        request.bearer_auth(&self.token).send().await.unwrap()
    }

    /// The page of the security listing that is asked for so.
    async fn page(&self, query: &str) -> Value {
        json(self.get(query).await).await
    }

    /// The page of any listing of AvePoint that is asked for so.
    async fn page_of(&self, listing: Listing, query: &str) -> Value {
        json(self.ask(listing, query, "{}").await).await
    }

    /// The first page of a listing of AvePoint that is filtered by a body.
    async fn filtered(&self, listing: Listing, body: impl Into<Body>) -> Value {
        json(self.ask(listing, "", body).await).await
    }

    fn tenant(&self) -> &Tenant {
        self.simulator.world().tenant(self.tenant).unwrap()
    }
}

async fn bytes(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut all = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

async fn json(response: Response) -> Value {
    serde_json::from_slice(&bytes(response).await.unwrap()).unwrap()
}

fn ids(page: &Value) -> Vec<String> {
    let rows = page["data"].as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn many_connections_are_served_at_once() {
    let setup = Arc::new(start(Options::new(World::seeded(1, 2, 250))).await);
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let setup = Arc::clone(&setup);
        clients.spawn(async move { setup.page("").await["data"].is_array() });
    }
    assert!(clients.join_all().await.into_iter().all(|whole| whole));
    assert_eq!(setup.simulator.stats().total_requests(), 200);
    assert_eq!(setup.simulator.stats().in_flight, 0);
}

#[tokio::test]
async fn the_clock_moves_the_world_and_ends_tokens() {
    let seconds = Arc::new(AtomicU64::new(1_000));
    let mut options = Options::new(World::seeded(1, 1, 2_000));
    options.evolve = Some(Duration::from_secs(5));
    options.clock = clock(&seconds);
    let setup = start(options).await;
    assert_eq!(setup.simulator.tick(), 0);
    seconds.store(1_104, Ordering::Relaxed);
    assert_eq!(setup.simulator.tick(), 20);
    let total = setup.page("").await["metadata"]["totalCount"].clone();
    assert_eq!(total, setup.tenant().security_count(20));
    assert_ne!(total, setup.tenant().security_count(0));
    seconds.store(1_000 + 3_600, Ordering::Relaxed);
    assert_eq!(setup.get("").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn after_a_time_faults_strike_no_more_and_the_world_stands_still() {
    let seconds = Arc::new(AtomicU64::new(1_000));
    let mut options = Options::new(World::seeded(1, 1, 2_000));
    options.evolve = Some(Duration::from_secs(5));
    options.calm_after = Some(Duration::from_secs(100));
    options.rules = vec![Rule::new(Fault::Unavailable, When::always())];
    options.clock = clock(&seconds);
    let setup = start(options).await;
    let mut seen = Vec::new();
    for at in [1_000, 1_099, 1_100, 1_500] {
        seconds.store(at, Ordering::Relaxed);
        seen.push((
            setup.simulator.tick(),
            setup.get("").await.status().as_u16(),
        ));
    }
    assert_eq!(seen, [(0, 503), (19, 503), (20, 200), (20, 200)]);
}

#[tokio::test]
async fn other_processes_see_what_the_service_was_asked() {
    let setup = start_with_rules(vec![Rule::new(Fault::Unavailable, When::first(1))]).await;
    for _ in 0..3 {
        setup.get("").await;
    }
    let url = format!("{}/simulator/stats", setup.simulator.url());
    let told = json(setup.client.get(url).send().await.unwrap()).await;
    assert_eq!(told["requests"], 3);
    assert_eq!(told["token_requests"], 1);
    assert_eq!(told["struck"], serde_json::json!({ "unavailable": 1 }));
}

#[tokio::test]
async fn users_become_high_risk_when_other_processes_ask_for_it() {
    let setup = start(Options::new(World::seeded(1, 1, 400))).await;
    let high_risk = async || {
        let page = setup.page("?status=3&pageSize=1").await;
        page["metadata"]["totalCount"].as_u64().unwrap()
    };
    let ask = async |method, path: String| {
        let url = format!("{}/simulator/high-risk/{path}", setup.simulator.url());
        let answer = setup.client.request(method, url).send().await.unwrap();
        (answer.status().as_u16(), json(answer).await)
    };
    let (tenant, before) = (setup.tenant, high_risk().await);
    let (status, told) = ask(Method::POST, format!("{tenant}?users=5")).await;
    assert_eq!(
        (status, &told["high_risk_users"]),
        (200, &(before + 5).into())
    );
    assert_eq!(high_risk().await, before + 5);
    for (method, path, expected, why) in [
        (Method::GET, format!("{tenant}?users=5"), 405, "only POST"),
        (Method::POST, format!("{tenant}"), 400, "?users=5"),
        (Method::POST, format!("{tenant}?users=-1"), 400, "?users=5"),
        (Method::POST, "x?users=5".to_owned(), 400, "tenant's id"),
        (Method::POST, format!("{ID}?users=5"), 404, "no tenant"),
        (Method::POST, format!("{tenant}?users=9999"), 409, "only 1"),
    ] {
        let (status, told) = ask(method, path).await;
        let message = told["message"].as_str().unwrap();
        assert!(
            status == expected && message.contains(why),
            "{status} {message}"
        );
    }
    assert_eq!(high_risk().await, before + 5);
}

#[tokio::test]
async fn a_dropped_simulator_serves_no_more() {
    let setup = start(Options::new(World::seeded(1, 1, 10))).await;
    let url = setup.path(Listing::Security);
    drop(setup.simulator);
    // The socket closes when the runtime gets to its task.
    while setup.client.get(&url).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
}
