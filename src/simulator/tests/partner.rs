//! Partner Center and its token service.

use super::*;

const DELETED: &str = "filter=%7B%22Field%22:%22UserStatus%22,%22Value%22:%22Inactive%22,%22Operator%22:%22equals%22%7D";

impl Setup {
    /// Exchanges a refresh token for an access token and the next refresh token.
    async fn refresh(&self, refresh_token: &str) -> Response {
        let form = format!(
            "grant_type=refresh_token&client_id={PARTNER_CLIENT_ID}&client_secret={PARTNER_CLIENT_SECRET}\
             &refresh_token={refresh_token}&scope=https://api.partnercenter.microsoft.com/.default"
        );
        let request = self
            .client
            .post(self.path(Listing::PartnerToken))
            .body(form);
        let request = request.header(header::CONTENT_TYPE, FORM);
        request.send().await.unwrap()
    }

    /// Takes a token for Partner Center.
    async fn sign_in_to_partner(&mut self) {
        let answer = json(self.refresh(FIRST_REFRESH_TOKEN).await).await;
        self.token = answer["access_token"].as_str().unwrap().to_owned();
    }

    /// Asks for a page of users with these headers of Microsoft's, beside the two that each request needs.
    async fn users(&self, query: &str, headers: &[(&str, &str)]) -> Response {
        let url = format!("{}?{query}", self.path(Listing::Partner));
        let mut request = self.client.get(url).bearer_auth(&self.token);
        request = request
            .header("MS-RequestId", ID)
            .header("MS-CorrelationId", ID);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }
}

async fn start_partner(options: Options) -> Setup {
    let mut setup = start(options).await;
    setup.sign_in_to_partner().await;
    setup
}

async fn start_partner_with(fault: Fault) -> Setup {
    let mut setup = start_with(fault).await;
    setup.sign_in_to_partner().await;
    setup
}

/// The page after its byte order mark.
async fn page(response: Response) -> Value {
    let bytes = bytes(response).await.unwrap();
    serde_json::from_slice(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap()).unwrap()
}

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().unwrap()
}

/// Reads a listing by its links and returns the ids of its rows.
async fn read(setup: &Setup, query: &str) -> Vec<String> {
    let (mut query, mut token, mut ids) = (query.to_owned(), None::<String>, Vec::new());
    loop {
        let header = token
            .as_deref()
            .map(|token| ("MS-ContinuationToken", token));
        let page = page(setup.users(&query, header.as_slice()).await).await;
        ids.extend(
            items(&page)
                .iter()
                .map(|row| row["id"].as_str().unwrap().to_owned()),
        );
        let next = &page["links"]["next"];
        if next.is_null() {
            assert_eq!(page["totalCount"], ids.len());
            return ids;
        }
        let uri = next["uri"].as_str().unwrap();
        assert!(
            uri.starts_with("/customers/") && uri.contains("&seekOperation=Next"),
            "{uri}"
        );
        uri.split_once('?').unwrap().1.clone_into(&mut query);
        assert_eq!(next["headers"][0]["key"], "MS-ContinuationToken");
        token = next["headers"][0]["value"].as_str().map(str::to_owned);
        assert_eq!(page["continuationToken"].as_str(), token.as_deref());
    }
}

#[tokio::test]
async fn both_listings_are_read_by_their_links() {
    let mut options = Options::new(World::seeded(1, 2, 1_250));
    options.partner_page_limit = 200;
    let setup = start_partner(options).await;
    let tenant = setup.tenant();
    let expected: Vec<_> = tenant
        .partner_users(0)
        .map(|row| row.id.clone().unwrap())
        .collect();
    assert_eq!(read(&setup, "size=500").await, expected);
    let deleted = tenant.deleted_partner_users(0);
    let deleted: Vec<_> = deleted.map(|row| row.id.clone().unwrap()).collect();
    assert_eq!(read(&setup, &format!("size=7&{DELETED}")).await, deleted);
    let stats = setup.simulator.stats();
    let pages = (expected.len().div_ceil(200), deleted.len().div_ceil(7));
    assert!(pages.0 > 2 && pages.1 > 2);
    let asked = |listing| stats.requests[&(listing, setup.tenant)];
    assert_eq!(asked(Listing::Partner), pages.0 as u64);
    assert_eq!(asked(Listing::DeletedPartner), pages.1 as u64);
    assert_eq!(stats.links_followed, (pages.0 + pages.1 - 2) as u64);
}

#[tokio::test]
async fn a_row_has_all_that_is_personal() {
    let setup = start_partner(Options::new(World::seeded(1, 1, 50))).await;
    let page = page(setup.users("", &[]).await).await;
    let row = &items(&page)[3];
    let expected = setup.tenant().partner_users(0).nth(3).unwrap().into_owned();
    let password = &row["passwordProfile"]["password"];
    assert!(expected.password.is_some());
    assert_eq!(password.as_str(), expected.password.as_deref());
    assert_eq!(
        row["phoneNumber"].as_str(),
        expected.phone_number.as_deref()
    );
    assert_eq!(row["state"], "active");
    let in_directory = setup.tenant().directory_users(0).nth(3).unwrap();
    let name = in_directory.user.user_principal_name.as_deref();
    assert_eq!(row["userPrincipalName"].as_str(), name);
}

#[tokio::test]
async fn each_request_needs_its_two_ids_and_they_are_remembered() {
    let setup = start_partner(Options::new(World::seeded(1, 1, 50))).await;
    let response = setup.users("", &[]).await;
    assert_eq!(response.headers()["MS-CorrelationId"], ID);
    assert_eq!(response.headers()["MS-RequestId"], ID);
    let url = setup.path(Listing::Partner);
    for (name, other) in [
        ("MS-RequestId", "MS-CorrelationId"),
        ("MS-CorrelationId", "MS-RequestId"),
    ] {
        for wrong in [None, Some("7")] {
            let mut request = setup.client.get(&url).bearer_auth(&setup.token);
            request = request.header(other, ID);
            if let Some(wrong) = wrong {
                request = request.header(name, wrong);
            }
            let status = request.send().await.unwrap().status();
            assert_eq!(status, 400, "{name} {wrong:?}");
        }
    }
    let log = setup.simulator.stats().partner_log;
    assert_eq!(log.len(), 5);
    assert_eq!(
        (log[0].listing, log[0].tenant),
        (Listing::Partner, setup.tenant)
    );
    assert_eq!(log[0].request_id.as_deref(), Some(ID));
    assert_eq!(log[1].request_id, None);
    assert_eq!(log[4].correlation_id.as_deref(), Some("7"));
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let mut setup = start_partner(Options::new(World::seeded(1, 2, 50))).await;
    assert_eq!(setup.users("size=501", &[]).await.status(), 400);
    let made_up = [("MS-ContinuationToken", "bWFkZSB1cA==")];
    assert_eq!(
        setup.users("seekOperation=Next", &made_up).await.status(),
        400
    );
    let own = std::mem::replace(&mut setup.tenant, TenantId::from_bits(1));
    assert_eq!(setup.users("", &[]).await.status(), 404);
    setup.tenant = own;
    setup.sign_in(SCOPES).await;
    let refused = setup.users("", &[]).await;
    assert_eq!(refused.status(), 401, "a token of AvePoint's");
}

#[tokio::test]
async fn a_refresh_gives_two_tokens_and_the_old_one_stays_good() {
    let setup = start(Options::new(World::seeded(1, 1, 50))).await;
    for n in 2..5 {
        let answer = json(setup.refresh(FIRST_REFRESH_TOKEN).await).await;
        assert_eq!(
            answer["refresh_token"],
            format!("simulated-refresh-token-{n}")
        );
        assert_eq!(answer["expires_in"], 3600);
    }
    assert_eq!(setup.simulator.good_refresh_tokens().len(), 4);
    let refused = setup.refresh("guessed").await;
    assert_eq!(refused.status(), 400);
    assert_eq!(json(refused).await["error"], "invalid_grant");
    let stats = setup.simulator.stats();
    assert_eq!((stats.refreshes, stats.partner_token_requests), (3, 4));
    assert_eq!(stats.token_requests, 1, "the other service was asked once");
}

#[tokio::test]
async fn the_faults_of_tokens_strike_here_too() {
    let at = |fault, n| Rule::new(fault, When::first(1).after(n).on(Listing::PartnerToken));
    let rules = vec![
        at(Fault::Unavailable, 0),
        at(Fault::Cut, 1),
        at(Fault::SecretEcho, 2),
        Rule::new(Fault::ExpireTokens, When::first(1).on(Listing::Partner)),
    ];
    let mut setup = start_with_rules(rules).await;
    assert_eq!(setup.refresh(FIRST_REFRESH_TOKEN).await.status(), 503);
    assert!(
        bytes(setup.refresh(FIRST_REFRESH_TOKEN).await)
            .await
            .is_err()
    );
    assert_eq!(
        setup.simulator.stats().refreshes,
        1,
        "only the answer was lost"
    );
    let echo = setup.refresh(FIRST_REFRESH_TOKEN).await;
    assert!(json(echo).await.to_string().contains(FIRST_REFRESH_TOKEN));
    for status in [401, 200] {
        setup.sign_in_to_partner().await;
        assert_eq!(setup.users("", &[]).await.status(), status);
    }
}

#[tokio::test]
async fn an_echo_of_secrets_has_the_token_and_a_password() {
    let setup = start_partner_with(Fault::SecretEcho).await;
    let response = setup.users("", &[]).await;
    assert_eq!(response.status(), 400);
    let text = json(response).await.to_string();
    assert!(
        text.contains(&setup.token) && text.contains("Simulated-Password-"),
        "{text}"
    );
}

#[tokio::test]
async fn bodies_are_broken_in_the_form_of_partner_center() {
    let body = async |fault| {
        let setup = start_partner_with(fault).await;
        bytes(setup.users("", &[]).await).await.unwrap()
    };
    let text = body(Fault::Bom).await;
    assert_eq!(text[..4], *b"\xEF\xBB\xBF{", "one mark, as always");
    let text = body(Fault::EmptyRows).await;
    assert!(text.starts_with(br#"{"totalCount":1,"items":[{},{},{},"#));
    let text = body(Fault::Deep).await;
    let error = serde_json::from_slice::<Value>(&text[3..]).unwrap_err();
    assert!(error.to_string().contains("recursion"));
}

#[tokio::test]
async fn faults_that_bend_pages_bend_them_as_said() {
    let bent = async |fault, query: &str| {
        page(start_partner_with(fault).await.users(query, &[]).await).await
    };
    assert_eq!(items(&bent(Fault::Clamp, "size=40").await).len(), 20);

    let setup = start_partner_with(Fault::MoveRows).await;
    let ids = read(&setup, "size=100").await;
    assert_eq!(ids[97..100], ids[100..103]);

    let unknown = bent(Fault::UnknownCodes, "").await;
    assert_eq!(items(&unknown)[0]["state"], 77);
    assert_eq!(items(&unknown)[3]["userDomainType"], "hibernating");

    let nulls = bent(Fault::NullFields, "size=500").await;
    assert_eq!(items(&nulls)[2].get("state"), Some(&Value::Null));
    assert_eq!(items(&nulls)[3].get("usageLocation"), None);
    assert_eq!(nulls["links"]["next"], serde_json::json!({}));

    let rows = bent(Fault::NullRows, "").await;
    assert!(items(&rows)[0].is_object() && items(&rows)[1].is_null());

    let pascal = bent(Fault::PascalCase, "size=5").await;
    assert!(pascal["Items"][0]["UserPrincipalName"].is_string());
    assert!(pascal["Links"]["Next"]["Uri"].is_string());

    let endless = bent(Fault::Endless, "size=500").await;
    assert_eq!(
        (items(&endless).len(), &endless["totalCount"]),
        (500, &1_000.into())
    );
    assert!(endless["links"]["next"]["uri"].is_string());
    let uncounted = bent(Fault::EndlessUncounted, "size=500").await;
    assert_eq!(
        (items(&uncounted).len(), uncounted.get("totalCount")),
        (500, None)
    );

    let away = bent(Fault::ForeignLink, "").await;
    let uri = away["links"]["next"]["uri"].as_str().unwrap();
    assert!(
        uri.starts_with("https://elsewhere.example/v1/customers/"),
        "{uri}"
    );
}

#[tokio::test]
async fn a_strict_service_kills_a_refresh_token_as_soon_as_it_is_used() {
    let rule = Rule::new(Fault::StrictRefresh, When::always().after(1));
    let setup = start_with_rules(vec![rule]).await;
    for status in [200, 200, 400] {
        assert_eq!(setup.refresh(FIRST_REFRESH_TOKEN).await.status(), status);
    }
    let good = setup.simulator.good_refresh_tokens();
    assert_eq!(
        good,
        ["simulated-refresh-token-2", "simulated-refresh-token-3"]
    );
    assert_eq!(setup.refresh(&good[1]).await.status(), 200);
}

#[tokio::test]
async fn a_revoked_refresh_token_is_an_invalid_grant() {
    let setup = start_with_rules(vec![Rule::new(Fault::RevokeRefresh, When::first(1))]).await;
    let refused = setup.refresh(FIRST_REFRESH_TOKEN).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(json(refused).await["error"], "invalid_grant");
    assert_eq!(setup.refresh(FIRST_REFRESH_TOKEN).await.status(), 200);
}

#[tokio::test]
async fn further_headers_in_a_link_are_named_and_noticed() {
    let setup = start_partner_with(Fault::ForeignHeader).await;
    let page = page(setup.users("size=5", &[]).await).await;
    let headers = page["links"]["next"]["headers"].as_array().unwrap();
    let names: Vec<_> = headers
        .iter()
        .map(|header| header["key"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "x-simulated-foreign",
            "Authorization",
            "MS-ContinuationToken"
        ]
    );
    assert_eq!(setup.simulator.stats().foreign_headers, 0);
    setup.users("size=5", &[("X-Simulated-Foreign", "1")]).await;
    assert_eq!(setup.simulator.stats().foreign_headers, 1);
}
