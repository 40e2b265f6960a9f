//! Tokens of AvePoint, and certificates.

use super::super::assertion::tests::{NOW, Signer};
use super::*;

#[tokio::test]
async fn tokens_are_given_for_what_the_app_may() {
    let mut options = Options::new(World::seeded(1, 1, 50));
    options.permissions = vec!["elements.um.user.read.all".to_owned()];
    let mut setup = start(options).await;
    assert_eq!(setup.token, "", "the second scope is not the app's");
    let refused = setup.ask_token("wrong", "elements.um.user.read.all").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(json(refused).await["error"], "invalid_client");
    setup.sign_in("elements.um.user.read.all").await;
    assert_eq!(setup.get("").await.status(), StatusCode::OK);
    let refused = setup.ask(Listing::Protected, "", "{}").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(setup.simulator.stats().token_requests, 3);
}

#[tokio::test]
async fn tokens_that_die_early_stay_dead() {
    let rule = Rule::new(Fault::ExpireTokens, When::first(1).after(1));
    let mut setup = start_with_rules(vec![rule]).await;
    assert_eq!(setup.get("").await.status(), StatusCode::OK);
    assert_eq!(setup.get("").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(setup.get("").await.status(), StatusCode::UNAUTHORIZED);
    setup.sign_in(SCOPES).await;
    assert_eq!(setup.get("").await.status(), StatusCode::OK);
    assert_eq!(setup.simulator.stats().struck[&Fault::ExpireTokens], 1);
}

#[tokio::test]
async fn the_token_service_misbehaves_when_named() {
    let when = When::first(2).on(Listing::Token);
    let setup = start_with_rules(vec![Rule::new(Fault::Unavailable, when)]).await;
    let status = setup.ask_token(CLIENT_SECRET, SCOPES).await.status();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let status = setup.ask_token(CLIENT_SECRET, SCOPES).await.status();
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_certificate_signs_in_at_the_address_that_is_asked() {
    let signer = Signer::new();
    let mut options = Options::new(World::seeded(1, 1, 50));
    options.certificate = Some(signer.der.clone());
    options.clock = Clock::from_fn(|| Timestamp::from_unix(Duration::from_secs(NOW)));
    let setup = start(options).await;
    let ask = async |url: String, audience: &str, id: &str, jti: &str, rest: &str| {
        let assertion = signer.assertion(id, audience, jti);
        let form = format!(
            "{rest}&client_id={id}&client_assertion={assertion}\
             &client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        let request = setup.client.post(url).body(form);
        let request = request.header(header::CONTENT_TYPE, FORM);
        json(request.send().await.unwrap()).await
    };
    let (url, partner_url) = (
        setup.simulator.token_url(),
        setup.simulator.partner_token_url(),
    );
    let rest = "grant_type=client_credentials&scope=elements.um.user.read.all";
    let given = ask(url.clone(), &url, CLIENT_ID, "1", rest).await;
    assert_eq!(given["token_type"], "Bearer");
    assert_eq!(given["expires_in"], 3600);
    for (audience, jti) in [(&url, "1"), (&partner_url, "2")] {
        let refused = ask(url.clone(), audience, CLIENT_ID, jti, rest).await;
        assert_eq!(refused["error"], "invalid_client", "{audience} {jti}");
    }
    let rest = "grant_type=refresh_token&scope=https://api.partnercenter.microsoft.com/.default\
                &refresh_token=simulated-refresh-token-1";
    let given = ask(
        partner_url.clone(),
        &partner_url,
        PARTNER_CLIENT_ID,
        "3",
        rest,
    )
    .await;
    assert_eq!(given["refresh_token"], "simulated-refresh-token-2");
    let refused = ask(partner_url.clone(), &url, PARTNER_CLIENT_ID, "4", rest).await;
    assert_eq!(refused["error"], "invalid_client");
}

#[tokio::test]
async fn a_service_does_not_start_with_a_certificate_that_is_none() {
    let mut options = Options::new(World::default());
    options.certificate = Some(b"none".to_vec());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = Simulator::start(listener, options).err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}
