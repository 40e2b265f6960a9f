//! The simulated service as a client sees it, over a socket. The client is `reqwest`, bare.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, header, redirect::Policy};
use serde_json::Value;
use tokio::net::TcpListener;

use super::*;
use crate::domain::{Clock, CustomerId, TenantId, Timestamp};

const FORM: &str = "application/x-www-form-urlencoded";
const SCOPES: &str = "elements.um.user.read.all+elements.cbprotected.read.all";

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
    let answer = json(setup.ask_token(CLIENT_SECRET, SCOPES).await).await;
    setup.token = answer["access_token"].as_str().unwrap_or("").to_owned();
    setup
}

async fn start_with(fault: Fault) -> Setup {
    let mut options = Options::new(World::seeded(1, 2, 250));
    options.rules = vec![Rule::new(fault, When::always())];
    start(options).await
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

    fn path(&self, listing: Listing) -> String {
        let (area, rest) = match listing {
            Listing::Protected => ("general", "cloud-backup-m365/users/batch"),
            _ => ("um", "overview/security/users"),
        };
        let (url, customer, tenant) = (self.simulator.url(), self.customer, self.tenant);
        format!("{url}/partner/external/v3/{area}/customers/{customer}/tenants/{tenant}/{rest}")
    }

    async fn get(&self, query: &str) -> Response {
        let url = format!("{}{query}", self.path(Listing::Security));
        let request = self.client.get(url).bearer_auth(&self.token);
        request.send().await.unwrap()
    }

    async fn post(&self, query: &str, body: &'static str) -> Response {
        let url = format!("{}{query}", self.path(Listing::Protected));
        let request = self.client.post(url).bearer_auth(&self.token).body(body);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        request.send().await.unwrap()
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
async fn pages_agree_with_the_world() {
    let setup = start(Options::new(World::seeded(1, 2, 250))).await;
    let expected: Vec<_> = setup
        .tenant()
        .security_users(0)
        .map(|row| row.id.clone().unwrap())
        .collect();
    let mut seen = Vec::new();
    for index in 1.. {
        let page = json(setup.get(&format!("?pageIndex={index}&pageSize=30")).await).await;
        assert_eq!(page["metadata"]["totalCount"], expected.len());
        assert_eq!(page["metadata"]["pageSize"], 30);
        if ids(&page).is_empty() {
            break;
        }
        seen.extend(ids(&page));
    }
    assert_eq!(seen, expected);

    let page = json(setup.post("", "{}").await).await;
    assert_eq!(page["metadata"]["pageSize"], 50);
    assert_eq!(
        page["metadata"]["totalCount"],
        setup.tenant().protected_count()
    );
    let expected = setup.tenant().protected_user(0, 7).unwrap().into_owned();
    assert_eq!(page["data"][7]["email"].as_str(), expected.email.as_deref());
    let modules = page["data"][7]["moduleStatus"].as_array().unwrap();
    assert_eq!(modules.len(), expected.modules.unwrap().len());
    assert_eq!(
        setup.simulator.stats().total_requests(),
        seen.len().div_ceil(30) as u64 + 2
    );
}

#[tokio::test]
async fn filters_pick_rows() {
    let setup = start(Options::new(World::seeded(1, 2, 250))).await;
    let page = json(setup.get("?status=3&pageSize=1").await).await;
    let high = setup.tenant().security_users(0);
    let high = high
        .filter(|row| row.statuses.as_ref().unwrap().codes().contains(&3))
        .count();
    assert_eq!(page["metadata"]["totalCount"], high);
    let page = json(
        setup
            .post("", r#"{"userEmails":["nobody@x.example"]}"#)
            .await,
    )
    .await;
    assert_eq!(page["metadata"]["totalCount"], 0);
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let mut setup = start(Options::new(World::seeded(1, 2, 50))).await;
    for query in [
        "?pageIndex=0",
        "?pageSize=0",
        "?pageSize=x",
        "?status=high",
        "?pageIndex=-1",
    ] {
        assert_eq!(setup.get(query).await.status(), 400, "{query}");
    }
    for body in ["", "[", r#"{"userEmails":1}"#] {
        assert_eq!(setup.post("", body).await.status(), 400, "{body}");
    }
    let url = setup.path(Listing::Security);
    let response = setup
        .client
        .post(&url)
        .bearer_auth(&setup.token)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    let response = setup.client.get(format!("{url}/x")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.headers().contains_key("request-id"));
    let own = std::mem::replace(
        &mut setup.tenant,
        setup.simulator.world().tenants()[1].tenant_id,
    );
    assert_eq!(
        setup.get("").await.status(),
        StatusCode::NOT_FOUND,
        "another customer's tenant"
    );
    setup.tenant = TenantId::from_bits(1);
    assert_eq!(setup.get("").await.status(), StatusCode::NOT_FOUND);
    setup.tenant = own;
    setup.token = "guessed".to_owned();
    assert_eq!(setup.get("").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(setup.simulator.stats().unauthorized, 1);
}

#[tokio::test]
async fn tokens_are_given_for_what_the_app_may() {
    let mut options = Options::new(World::seeded(1, 1, 50));
    options.permissions = vec!["elements.um.user.read.all".to_owned()];
    let mut setup = start(options).await;
    assert_eq!(setup.token, "", "the second scope is not the app's");
    let refused = setup.ask_token("wrong", "elements.um.user.read.all").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(json(refused).await["error"], "invalid_client");
    let given = json(
        setup
            .ask_token(CLIENT_SECRET, "elements.um.user.read.all")
            .await,
    )
    .await;
    assert_eq!(given["expires_in"], 3600);
    setup.token = given["access_token"].as_str().unwrap().to_owned();
    assert_eq!(setup.get("").await.status(), StatusCode::OK);
    assert_eq!(setup.post("", "{}").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(setup.simulator.stats().token_requests, 3);
}

#[tokio::test]
async fn tokens_that_die_early_stay_dead() {
    let mut options = Options::new(World::seeded(1, 1, 50));
    options.rules = vec![Rule::new(Fault::ExpireTokens, When::first(1).after(1))];
    let mut setup = start(options).await;
    assert_eq!(setup.get("").await.status(), StatusCode::OK);
    assert_eq!(setup.get("").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(setup.get("").await.status(), StatusCode::UNAUTHORIZED);
    let answer = json(setup.ask_token(CLIENT_SECRET, SCOPES).await).await;
    setup.token = answer["access_token"].as_str().unwrap().to_owned();
    assert_eq!(setup.get("").await.status(), StatusCode::OK);
    assert_eq!(setup.simulator.stats().struck[&Fault::ExpireTokens], 1);
}

#[tokio::test]
async fn the_token_service_misbehaves_when_named() {
    let mut options = Options::new(World::seeded(1, 1, 50));
    options.rules = vec![Rule::new(
        Fault::Unavailable,
        When::first(2).on(Listing::Token),
    )];
    let setup = start(options).await;
    let status = setup.ask_token(CLIENT_SECRET, SCOPES).await.status();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let status = setup.ask_token(CLIENT_SECRET, SCOPES).await.status();
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn many_connections_are_served_at_once() {
    let setup = Arc::new(start(Options::new(World::seeded(1, 2, 250))).await);
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let setup = Arc::clone(&setup);
        clients.spawn(async move { json(setup.get("").await).await["data"].is_array() });
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
    let now = Arc::clone(&seconds);
    options.clock = Clock::from_fn(move || {
        Timestamp::from_unix(Duration::from_secs(now.load(Ordering::Relaxed)))
    });
    let setup = start(options).await;
    assert_eq!(setup.simulator.tick(), 0);
    seconds.store(1_104, Ordering::Relaxed);
    assert_eq!(setup.simulator.tick(), 20);
    let total = json(setup.get("").await).await["metadata"]["totalCount"].clone();
    assert_eq!(total, setup.tenant().security_count(20));
    assert_ne!(total, setup.tenant().security_count(0));
    seconds.store(1_000 + 3_600, Ordering::Relaxed);
    assert_eq!(setup.get("").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn faults_that_leave_no_page_answer_with_their_status() {
    for (fault, status) in [
        (Fault::Throttle, 429),
        (Fault::ThrottleDate, 429),
        (Fault::ExpireTokens, 401),
        (Fault::Unavailable, 503),
        (Fault::InternalError, 500),
        (Fault::BadGateway, 502),
        (Fault::GatewayTimeout, 504),
        (Fault::Unauthorized, 401),
        (Fault::Forbidden, 403),
        (Fault::NotFound, 404),
        (Fault::BadRequest, 400),
        (Fault::Redirect, 302),
        (Fault::SecretEcho, 400),
        (Fault::NotJson, 200),
    ] {
        let setup = start_with(fault).await;
        let response = setup.get("").await;
        assert_eq!(response.status(), status, "{fault}");
        let head = |name| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap())
        };
        match fault {
            Fault::Throttle => assert_eq!(head("retry-after"), Some("1")),
            Fault::ThrottleDate => {
                httpdate::parse_http_date(head("retry-after").unwrap()).unwrap();
            }
            Fault::Redirect => {
                assert!(
                    head("location")
                        .unwrap()
                        .starts_with("https://elsewhere.example/partner")
                );
            }
            Fault::SecretEcho => assert!(head("request-id").unwrap().contains(&setup.token)),
            Fault::NotJson => assert_eq!(head("content-type"), Some("text/html")),
            _ => {}
        }
        assert_eq!(setup.simulator.stats().struck[&fault], 1);
    }
}

#[tokio::test]
async fn broken_bodies_are_broken_as_said() {
    let setup = start_with(Fault::Cut).await;
    let response = setup.get("").await;
    let promised = response.content_length().unwrap();
    assert!(promised > 0 && bytes(response).await.is_err());

    let setup = start_with(Fault::Truncate).await;
    let response = setup.get("").await;
    let promised = response.content_length().unwrap();
    let text = bytes(response).await.unwrap();
    assert_eq!(text.len() as u64, promised);
    assert!(serde_json::from_slice::<Value>(&text).unwrap_err().is_eof());

    let setup = start_with(Fault::Slow).await;
    let mut response = setup.get("").await;
    assert!(response.content_length().unwrap() > 1_000);
    assert_eq!(response.chunk().await.unwrap().unwrap().len(), 1);

    let setup = start_with(Fault::Oversized).await;
    let response = setup.get("").await;
    assert_eq!(response.content_length(), None);
    assert!(bytes(response).await.unwrap().len() > 64 << 20);

    let setup = start_with(Fault::GzipBomb).await;
    let response = setup.get("").await;
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    assert!(bytes(response).await.unwrap().len() < 1 << 20);

    let setup = start_with(Fault::Bom).await;
    let text = bytes(setup.get("").await).await.unwrap();
    assert_eq!(text[..4], *b"\xEF\xBB\xBF{");

    let setup = start_with(Fault::Deep).await;
    let text = bytes(setup.get("").await).await.unwrap();
    assert!(
        serde_json::from_slice::<Value>(&text)
            .unwrap_err()
            .to_string()
            .contains("recursion")
    );
}

#[tokio::test]
async fn a_hanging_request_stays_in_flight_until_the_client_goes() {
    let setup = start_with(Fault::Hang).await;
    let in_flight = |wanted| {
        let setup = &setup;
        async move {
            while setup.simulator.stats().in_flight != wanted {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::select! {
        response = setup.get("") => panic!("answered with {}", response.status()),
        () = in_flight(1) => {}
    }
    in_flight(0).await;
    assert_eq!(setup.simulator.stats().peak_in_flight, 1);
}

#[tokio::test]
async fn faults_that_bend_pages_bend_them_as_said() {
    let page = json(start_with(Fault::Clamp).await.get("?pageSize=40").await).await;
    assert_eq!(
        (&page["metadata"]["pageSize"], ids(&page).len()),
        (&20.into(), 20)
    );

    let setup = start_with(Fault::MoveRows).await;
    let first = json(setup.get("?pageSize=10").await).await;
    let second = json(setup.get("?pageSize=10&pageIndex=2").await).await;
    assert_eq!(ids(&first)[7..], ids(&second)[..3]);
    assert_eq!(
        first["metadata"]["totalCount"],
        second["metadata"]["totalCount"]
    );

    let page = json(start_with(Fault::UnknownCodes).await.get("").await).await;
    assert!(
        page["data"][0]["status"]
            .as_array()
            .unwrap()
            .contains(&12.into())
    );
    let page = json(start_with(Fault::UnknownCodes).await.post("", "{}").await).await;
    assert!(
        page["data"][0]["moduleStatus"]
            .to_string()
            .contains(r#""module":1"#)
    );

    let page = json(start_with(Fault::NullFields).await.get("").await).await;
    assert_eq!(page["data"][2].get("status"), Some(&Value::Null));
    assert_eq!(page["data"][7].get("status"), None);

    let page = json(start_with(Fault::NullRows).await.get("").await).await;
    let rows = page["data"].as_array().unwrap();
    assert!(rows[0].is_object() && rows[1].is_null() && rows[2].is_object());
    let page = bytes(start_with(Fault::EmptyRows).await.get("").await).await;
    let page = page.unwrap();
    assert!(page.starts_with(br#"{"data":[{},{},{},"#) && page.len() > 12_000_000);

    let page = json(start_with(Fault::PascalCase).await.get("").await).await;
    assert!(page["Data"][0]["UserPrincipalName"].is_string());
    assert!(page["Metadata"]["TotalCount"].is_number());

    let setup = start_with(Fault::Endless).await;
    let page = json(setup.get("?pageIndex=1000&pageSize=100").await).await;
    assert_eq!(ids(&page).len(), 100);
    assert_eq!(page["metadata"]["totalCount"], 100_100);
    let page = json(
        start_with(Fault::EndlessUncounted)
            .await
            .post("?pageIndex=9", "{}")
            .await,
    )
    .await;
    assert_eq!(page["metadata"].get("totalCount"), None);
    assert_eq!(page["data"].as_array().unwrap().len(), 50);

    let response = start_with(Fault::NoContent)
        .await
        .get("?pageIndex=100")
        .await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert!(bytes(response).await.unwrap().is_empty());
}

#[tokio::test]
async fn links_lead_to_the_next_page_or_away() {
    let setup = start_with(Fault::NextLink).await;
    let first = json(setup.get("?pageSize=60").await).await;
    let link = first["nextLink"].as_str().unwrap();
    assert!(link.starts_with(&setup.simulator.url()), "{link}");
    let (_, query) = link.split_once('?').unwrap();
    let second = json(setup.get(&format!("?{query}")).await).await;
    assert_eq!(second["metadata"]["pageIndex"], 2);
    assert_eq!(second.get("nextLink"), None, "the last page");
    assert_eq!(setup.simulator.stats().links_followed, 1);

    let page = json(start_with(Fault::ForeignLink).await.get("").await).await;
    let link = page["nextLink"].as_str().unwrap();
    assert!(
        link.starts_with("https://elsewhere.example/partner/external/v3/um/"),
        "{link}"
    );
}

#[tokio::test]
async fn given_rows_are_served_as_they_are_and_compressed_on_request() {
    let row = SecurityUser {
        mail: Some("a@b.example".to_owned()),
        statuses: Some(Statuses::One(6)),
        ..SecurityUser::default()
    };
    let (customer, tenant) = (CustomerId::from_bits(1), TenantId::from_bits(2));
    let tenant = Tenant::given(customer, tenant, vec![row; 3], Vec::new());
    let mut options = Options::new(World::given(vec![tenant]));
    options.gzip = true;
    options.page_limit = 2;
    let setup = start(options).await;
    let page = json(setup.get("?pageSize=100").await).await;
    assert_eq!(page["metadata"]["pageSize"], 2);
    assert_eq!(page["data"][1]["status"], 6);
    assert_eq!(page["data"][1].as_object().unwrap().len(), 2);

    let request = setup
        .client
        .get(setup.path(Listing::Security))
        .bearer_auth(&setup.token);
    let request = request.header(header::ACCEPT_ENCODING, "gzip");
    let zipped = bytes(request.send().await.unwrap()).await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(zipped.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap()["metadata"]["pageSize"],
        2
    );
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
