//! Pages of AvePoint, when nothing is wrong with them.

use std::io::Read;

use super::*;

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
        let page = setup.page(&format!("?pageIndex={index}&pageSize=30")).await;
        assert_eq!(page["metadata"]["totalCount"], expected.len());
        assert_eq!(page["metadata"]["pageSize"], 30);
        if ids(&page).is_empty() {
            break;
        }
        seen.extend(ids(&page));
    }
    assert_eq!(seen, expected);

    let page = setup.page_of(Listing::Protected, "").await;
    assert_eq!(page["metadata"]["pageSize"], 50);
    assert_eq!(
        page["metadata"]["totalCount"],
        setup.tenant().protected_count()
    );
    let expected = setup
        .tenant()
        .protected_users(0)
        .nth(7)
        .unwrap()
        .into_owned();
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
    let page = setup.page("?status=3&pageSize=1").await;
    let high = setup.tenant().security_users(0);
    let high = high
        .filter(|row| row.statuses.as_ref().unwrap().codes().contains(&3))
        .count();
    assert_eq!(page["metadata"]["totalCount"], high);
    let page = setup
        .filtered(Listing::Protected, r#"{"userEmails":["nobody@x.example"]}"#)
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
        let refused = setup.ask(Listing::Protected, "", body).await;
        assert_eq!(refused.status(), 400, "{body}");
    }
    let url = setup.path(Listing::Security);
    let request = setup.client.post(&url).bearer_auth(&setup.token);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    let response = setup.client.get(format!("{url}/x")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.headers().contains_key("request-id"));
    let own = setup.tenant;
    let of_another_customer = setup.simulator.world().tenants()[1].tenant_id;
    for tenant in [of_another_customer, TenantId::from_bits(1)] {
        setup.tenant = tenant;
        assert_eq!(setup.get("").await.status(), StatusCode::NOT_FOUND);
    }
    setup.tenant = own;
    setup.token = "guessed".to_owned();
    assert_eq!(setup.get("").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(setup.simulator.stats().unauthorized, 1);
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
    let page = setup.page("?pageSize=100").await;
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
async fn the_older_form_lists_the_same_users_with_bits_and_numbers() {
    let setup = start(Options::new(World::seeded(1, 2, 250))).await;
    let older = setup.page_of(Listing::OlderSecurity, "").await;
    let current = setup.page("").await;
    assert_eq!(ids(&older), ids(&current));
    assert_eq!(older["metadata"], current["metadata"]);
    let rows = |page: &Value| page["data"].as_array().unwrap().clone();
    for (older, current) in rows(&older).iter().zip(rows(&current)) {
        let codes = match &current["status"] {
            Value::Array(codes) => codes.clone(),
            one => vec![one.clone()],
        };
        let bits: i64 = codes.iter().map(|code| 1 << code.as_i64().unwrap()).sum();
        assert_eq!(older["status"], bits);
        assert_eq!(older["countryRegion"], current["countryOrRegion"]);
        assert!(older["officePhone"].is_string() && current.get("officePhone").is_none());
        assert!(older["startDate"].as_i64().unwrap() > 0);
        if current["endDate"] == "1970-01-01T00:00:00Z" {
            assert_eq!(older["endDate"], 0);
        }
    }
    let count = async |query| {
        let page = setup.page_of(Listing::OlderSecurity, query).await;
        page["metadata"]["totalCount"].as_u64().unwrap()
    };
    let (some, more) = (count("?status=2").await, count("?status=2&status=3").await);
    assert!(0 < some && some < more && more < count("").await);
    for query in [
        "?status=6",
        "?status=2&status=8",
        "?status=-1",
        "?status=2,3",
    ] {
        let response = setup.ask(Listing::OlderSecurity, query, "").await;
        assert_eq!(response.status(), 400, "{query}");
    }
}

#[tokio::test]
async fn the_directory_lists_all_users_or_those_that_are_named() {
    let setup = start(Options::new(World::seeded(1, 2, 250))).await;
    let page = setup.page_of(Listing::Directory, "?pageSize=100").await;
    assert_eq!(
        page["metadata"]["totalCount"],
        setup.tenant().directory_count()
    );
    let flagged = setup.page("?pageSize=50").await;
    assert_eq!(
        ids(&page)[..50],
        ids(&flagged),
        "the first of all users are those with findings"
    );
    let row = &page["data"][0];
    assert!(row["status"].is_array() && row["officePhone"].is_string());
    assert!(row["isTestUser"].is_boolean());

    let none = setup
        .filtered(Listing::Directory, r#"{"userIds":["nobody"]}"#)
        .await;
    assert_eq!(none["metadata"]["totalCount"], 0);
    let wanted = ids(&page)[7].to_uppercase();
    let body = format!(r#"{{"userIds":["{wanted}"]}}"#);
    let one = setup.filtered(Listing::Directory, body).await;
    assert_eq!(ids(&one), ids(&page)[7..8]);
}

#[tokio::test]
async fn customers_are_listed_and_can_change() {
    let mut setup = start(Options::new(World::seeded(1, 12, 10))).await;
    let page = setup.page_of(Listing::Customers, "?pageSize=4").await;
    let customers = setup.simulator.world().customers();
    assert_eq!(page["metadata"]["totalCount"], customers.len());
    assert_eq!(page["data"].as_array().unwrap().len(), 4);
    let second = setup
        .page_of(Listing::Customers, "?pageSize=4&pageIndex=2")
        .await;
    assert_eq!(second["data"][0]["id"].as_str(), customers[4].id.as_deref());
    assert_eq!(
        page["data"][0]["tenants"][0]["id"],
        setup.tenant.to_string()
    );
    assert!(page["data"][0]["ownerEmail"].is_string());
    let body = format!(r#"{{"customerIds":["{}"]}}"#, setup.customer);
    let one = setup.filtered(Listing::Customers, body).await;
    assert_eq!(one["metadata"]["totalCount"], 1);
    let stats = setup.simulator.stats();
    assert_eq!(stats.requests[&(Listing::Customers, NO_TENANT)], 3);

    setup
        .simulator
        .set_world(World::given_with(Vec::new(), Vec::new()));
    let none = setup.page_of(Listing::Customers, "").await;
    assert_eq!(none["metadata"]["totalCount"], 0);
    assert!(setup.simulator.world().tenants().is_empty());
    assert_eq!(setup.get("").await.status(), StatusCode::NOT_FOUND);
    setup.simulator.set_world(World::seeded(1, 1, 10));
    assert_eq!(setup.get("").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn each_listing_needs_its_own_permission() {
    for (listing, permission) in [
        (Listing::Security, "elements.um.user.read.all"),
        (Listing::OlderSecurity, "partner.um.user.read.all"),
        (Listing::Directory, "elements.um.user.read.all"),
        (Listing::Protected, "elements.cbprotected.read.all"),
        (Listing::Customers, "elements.customers.read.all"),
    ] {
        let mut setup = start(Options::new(World::seeded(1, 1, 10))).await;
        let others = SCOPES.split('+').filter(|scope| *scope != permission);
        let others = others.collect::<Vec<_>>().join("+");
        for (scopes, status) in [(&*others, 403), (permission, 200)] {
            setup.sign_in(scopes).await;
            let answer = setup.ask(listing, "", "{}").await;
            assert_eq!(answer.status(), status, "{listing:?}");
        }
    }
}

#[tokio::test]
async fn a_huge_world_takes_no_memory_for_its_users() {
    let setup = start(Options::new(World::seeded(1, 1_000, 5_000))).await;
    let page = setup
        .page_of(Listing::Directory, "?pageIndex=40&pageSize=100")
        .await;
    assert_eq!(ids(&page).len(), 100);
    let tenant = setup.tenant();
    let size = size_of_val(tenant) + format!("{tenant:?}").len();
    assert!(
        size < 10_000,
        "{size} bytes stand for {} users",
        tenant.directory_count()
    );
}
