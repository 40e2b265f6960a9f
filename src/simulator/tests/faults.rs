//! Faults, each as a client meets it.

use super::*;

/// A page of a service that has this fault at each request.
async fn bent(fault: Fault, listing: Listing, query: &str) -> Value {
    start_with(fault).await.page_of(listing, query).await
}

#[tokio::test]
async fn faults_that_leave_no_page_answer_with_their_status() {
    for (fault, status) in [
        (Fault::Throttle, 429),
        (Fault::ThrottleDate, 429),
        (Fault::ThrottleFraction, 429),
        (Fault::ThrottleList, 429),
        (Fault::ThrottleForbidden, 403),
        (Fault::RequestTimeout, 408),
        (Fault::Overloaded, 529),
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
            Fault::Throttle
            | Fault::ThrottleForbidden
            | Fault::RequestTimeout
            | Fault::Overloaded => assert_eq!(head("retry-after"), Some("1")),
            Fault::ThrottleFraction => assert_eq!(head("retry-after"), Some("1.128")),
            Fault::ThrottleList => {
                let values = response.headers().get_all("retry-after").iter();
                assert_eq!(values.collect::<Vec<_>>(), ["0", "0, 1s"]);
            }
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
    let error = serde_json::from_slice::<Value>(&text).unwrap_err();
    assert!(error.to_string().contains("recursion"));
}

#[tokio::test]
async fn a_hanging_request_stays_in_flight_until_the_client_goes() {
    let setup = start_with(Fault::Hang).await;
    let in_flight = async |wanted| {
        while setup.simulator.stats().in_flight != wanted {
            tokio::task::yield_now().await;
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
    let page = bent(Fault::Clamp, Listing::Security, "?pageSize=40").await;
    assert_eq!(
        (&page["metadata"]["pageSize"], ids(&page).len()),
        (&20.into(), 20)
    );

    let setup = start_with(Fault::MoveRows).await;
    let first = setup.page("?pageSize=10").await;
    let second = setup.page("?pageSize=10&pageIndex=2").await;
    assert_eq!(ids(&first)[7..], ids(&second)[..3]);
    assert_eq!(
        first["metadata"]["totalCount"],
        second["metadata"]["totalCount"]
    );

    for listing in [Listing::Security, Listing::Directory] {
        let page = bent(Fault::UnknownCodes, listing, "").await;
        let codes = page["data"][0]["status"].as_array().unwrap();
        assert!(codes.contains(&12.into()));
    }
    let page = bent(Fault::UnknownCodes, Listing::Protected, "").await;
    let modules = page["data"][0]["moduleStatus"].to_string();
    assert!(modules.contains(r#""module":1"#));

    let page = bent(Fault::NullFields, Listing::Security, "").await;
    assert_eq!(page["data"][2].get("status"), Some(&Value::Null));
    assert_eq!(page["data"][7].get("status"), None);

    let page = bent(Fault::NullRows, Listing::Security, "").await;
    let rows = page["data"].as_array().unwrap();
    assert!(rows[0].is_object() && rows[1].is_null() && rows[2].is_object());
    let page = bytes(start_with(Fault::EmptyRows).await.get("").await).await;
    let page = page.unwrap();
    assert!(page.starts_with(br#"{"data":[{},{},{},"#) && page.len() > 12_000_000);

    let page = bent(Fault::PascalCase, Listing::Security, "").await;
    assert!(page["Data"][0]["UserPrincipalName"].is_string());
    assert!(page["Metadata"]["TotalCount"].is_number());

    let setup = start_with(Fault::Endless).await;
    let page = setup.page("?pageIndex=1000&pageSize=100").await;
    assert_eq!(ids(&page).len(), 100);
    assert_eq!(page["metadata"]["totalCount"], 100_100);
    let page = bent(Fault::EndlessUncounted, Listing::Protected, "?pageIndex=9").await;
    assert_eq!(page["metadata"].get("totalCount"), None);
    assert_eq!(page["data"].as_array().unwrap().len(), 50);

    let setup = start_with(Fault::NoContent).await;
    let response = setup.get("?pageIndex=100").await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert!(bytes(response).await.unwrap().is_empty());
}

#[tokio::test]
async fn links_lead_to_the_next_page_or_away() {
    let setup = start_with(Fault::NextLink).await;
    let first = setup.page("?pageSize=60").await;
    let link = first["nextLink"].as_str().unwrap();
    assert!(link.starts_with(&setup.simulator.url()), "{link}");
    let (_, query) = link.split_once('?').unwrap();
    let second = setup.page(&format!("?{query}")).await;
    assert_eq!(second["metadata"]["pageIndex"], 2);
    assert_eq!(second.get("nextLink"), None, "the last page");
    assert_eq!(setup.simulator.stats().links_followed, 1);

    let page = bent(Fault::ForeignLink, Listing::Security, "").await;
    let link = page["nextLink"].as_str().unwrap();
    assert!(
        link.starts_with("https://elsewhere.example/partner/external/v3/um/"),
        "{link}"
    );

    let setup = start_with(Fault::LongLink).await;
    let page = setup.page("?pageSize=60").await;
    let link = page["nextLink"].as_str().unwrap();
    assert!(link.starts_with(&setup.simulator.url()) && link.len() > 1 << 16);
}

#[tokio::test]
async fn the_further_listings_are_bent_too() {
    for listing in [Listing::OlderSecurity, Listing::Directory] {
        let page = bent(Fault::Clamp, listing, "").await;
        assert_eq!(page["metadata"]["pageSize"], 25);
        let page = bent(Fault::NullFields, listing, "").await;
        assert_eq!(page["data"][2].get("status"), Some(&Value::Null));
        let page = bent(Fault::PascalCase, listing, "").await;
        assert!(page["Data"][0]["OfficePhone"].is_string());
        let page = bent(Fault::Endless, listing, "").await;
        assert_eq!(page["metadata"]["totalCount"], 100);
        let page = bent(Fault::NextLink, listing, "").await;
        let link = page["nextLink"].as_str().unwrap();
        assert!(link.contains("/batch?pageIndex=2"));
    }
    let page = bent(Fault::UnknownCodes, Listing::OlderSecurity, "").await;
    assert_eq!(page["data"][0]["status"].as_i64().unwrap() >> 9 & 1, 1);
    let page = bent(Fault::UnknownCodes, Listing::Customers, "").await;
    assert_eq!(page["data"][0]["jobStatus"], 77);
    let page = bent(Fault::NullFields, Listing::Customers, "").await;
    assert_eq!(page["data"][0]["jobStatus"], Value::Null);
    assert!(page["data"][0]["id"].is_string());
    let page = bent(Fault::Endless, Listing::Customers, "").await;
    assert_eq!(ids(&page).len(), 50, "the given rows start over");
    let setup = start_with(Fault::NoContent).await;
    let response = setup.ask(Listing::Customers, "?pageIndex=9", "{}").await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
}
