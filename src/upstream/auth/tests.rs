//! What token services are sent, and what their refusals become.

use std::time::Duration;

use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64_URL;
use serde_json::{Value, json};

use super::scripted::{Form, NOW, Reply, Service, certificate, grants, refuses, service};
use super::service::Grant;
use crate::config::ClientCredential;
use crate::domain::Secret;
use crate::upstream::http::fault::Fault;
use crate::upstream::http::retry::Failure;
use crate::upstream::http::stats::Credential;
use crate::upstream::http::transport::{Answer, NoAnswer};
use crate::upstream::http::trust::Untrusted;

fn secret() -> ClientCredential {
    ClientCredential::Secret {
        secret: Secret::from("the-secret".to_owned()),
        file: None,
    }
}

/// What the service is sent in the tries of one request.
async fn sent(
    proof: &ClientCredential,
    grant: Grant<'_>,
    reply: impl FnMut(&Form) -> Reply + Send + 'static,
) -> Vec<Form> {
    let peer = Service::start(reply).await;
    let asking = service(Credential::Elements, &peer.url, proof, NOW);
    asking.ask(grant).await.unwrap();
    peer.asked()
}

async fn error(credential: Credential, proof: &ClientCredential, refusal: &'static str) -> String {
    let peer = Service::start(move |_| refuses(refusal)).await;
    let asking = service(credential, &peer.url, proof, NOW);
    let denied = asking.ask(Grant::ClientCredentials).await.unwrap_err();
    assert_eq!(peer.asked().len(), 1, "a refusal is final");
    assert!(!denied.in_doubt);
    denied.error.to_string()
}

fn form<const N: usize>(fields: [(&str, &str); N]) -> Form {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    fields.into_iter().map(own).collect()
}

/// A part of a signed assertion.
fn json_of(part: &str) -> Value {
    serde_json::from_slice(&BASE64_URL.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_client_secret_is_sent_with_what_is_asked_for() {
    let [asked] = &sent(&secret(), Grant::ClientCredentials, |_| grants("r")).await[..] else {
        panic!("not asked once")
    };
    let expected = [
        ("grant_type", "client_credentials"),
        ("client_id", "the-app"),
        ("client_secret", "the-secret"),
        ("scope", "the-scope"),
    ];
    assert_eq!(*asked, form(expected));

    let token = Secret::from("the-token".to_owned());
    let [asked] = &sent(&secret(), Grant::RefreshToken(&token), |_| grants("r")).await[..] else {
        panic!("not asked once")
    };
    let expected = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "the-token"),
        ("client_id", "the-app"),
        ("client_secret", "the-secret"),
        ("scope", "the-scope"),
    ];
    assert_eq!(*asked, form(expected));
}

#[tokio::test]
async fn a_certificate_signs_an_assertion_made_out_to_the_token_service() {
    let peer = Service::start(|_| grants("r")).await;
    let certificate = certificate();
    let public_key = certificate.key.public_key().as_ref().to_vec();
    let proof = ClientCredential::Certificate(certificate);
    let asking = service(Credential::Elements, &peer.url, &proof, NOW);
    asking.ask(Grant::ClientCredentials).await.unwrap();

    let mut asked = peer.asked().remove(0);
    let assertion = asked.remove("client_assertion").unwrap();
    let expected = [
        ("grant_type", "client_credentials"),
        ("client_id", "the-app"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("scope", "the-scope"),
    ];
    assert_eq!(asked, form(expected));

    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let expected = json!({
        "typ": "JWT",
        "alg": "RS256",
        "kid": "D240C6F6544AEAFEABD9BDE0A19FA602FB57C6EA",
        "x5t": "0kDG9lRK6v6r2b3goZ-mAvtXxuo",
    });
    assert_eq!(json_of(header), expected);
    let mut claims = json_of(claims);
    let id = claims.as_object_mut().unwrap().remove("jti").unwrap();
    assert!(id.as_str().unwrap().len() >= 16, "{id}");
    let now = NOW.since_unix().as_secs();
    let expected = json!({
        "iss": "the-app",
        "sub": "the-app",
        "aud": peer.url.as_str(),
        "iat": now,
        "nbf": now,
        "exp": now + 300,
    });
    assert_eq!(claims, expected);
    let signature = BASE64_URL.decode(signature).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key)
        .verify(signed.as_bytes(), &signature)
        .unwrap();
}

#[tokio::test]
async fn each_try_has_an_assertion_of_its_own() {
    let mut tries = 0;
    let proof = ClientCredential::Certificate(certificate());
    let asked = sent(&proof, Grant::ClientCredentials, move |_| {
        tries += 1;
        match tries {
            1 => Some((503, String::new())),
            2 => None,
            _ => grants("r"),
        }
    });
    let asked = asked.await;
    let id = |form: &Form| {
        let claims = form["client_assertion"].split('.').nth(1).unwrap();
        json_of(claims)["jti"].to_string()
    };
    let mut ids: Vec<_> = asked.iter().map(id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((asked.len(), ids.len()), (3, 3));
}

#[tokio::test]
async fn with_an_expired_certificate_nothing_is_asked() {
    let peer = Service::start(|_| grants("r")).await;
    let certificate = certificate();
    let expiry = certificate.not_after;
    let file = certificate.file.clone();
    let proof = ClientCredential::Certificate(certificate);
    let asking = service(Credential::PartnerCenter, &peer.url, &proof, expiry);
    let denied = asking.ask(Grant::ClientCredentials).await.unwrap_err();
    assert_eq!(
        denied.error.to_string(),
        format!(
            "the client certificate in {} expired at 2126-10-29T03:32:11Z; add a new certificate to the app \
             registration in Microsoft Entra under App registrations, and replace that file \
             (partner_center.certificate)",
            file.display()
        )
    );
    assert!(!denied.in_doubt);
    assert_eq!(peer.asked().len(), 0);
}

#[tokio::test]
async fn a_refusal_says_what_is_refused_and_where_to_mend_it() {
    assert_eq!(
        error(Credential::Elements, &secret(), "invalid_client").await,
        "the token service refuses the client id or its secret (invalid_client); compare elements.client_id and \
         the credential with Elements under Settings > API app registration, and check whether the credential has \
         expired"
    );
    let proof = ClientCredential::Certificate(certificate());
    let text = error(Credential::PartnerCenter, &proof, "unauthorized_client").await;
    assert!(
        text.contains(
            "/tests/certificates/app.pem, SHA-1 thumbprint D240C6F6544AEAFEABD9BDE0A19FA602FB57C6EA) (unauthorized_client)"
        ),
        "{text}"
    );
    assert!(text.contains("compare partner_center.client_id"), "{text}");
    let text = error(Credential::PartnerCenter, &secret(), "invalid_scope").await;
    assert!(
        text.contains("(invalid_scope): the-scope; check partner_center.scope"),
        "{text}"
    );
    let text = error(Credential::PartnerCenter, &secret(), "hunter2").await;
    assert_eq!(
        text,
        "the token service returned 400; check partner_center.tenant and partner_center.token_url"
    );
}

#[tokio::test]
async fn a_problem_of_the_service_that_passes_is_asked_about_again() {
    for (status, body) in [
        (
            400,
            r#"{"error": "temporarily_unavailable", "error_codes": [90033]}"#,
        ),
        (200, r#"{"error": "temporarily_unavailable"}"#),
        (400, r#"{"error": "server_error"}"#),
        (200, r#"{"error": "slow_down"}"#),
        (401, r#"{"error": "slow_down"}"#),
        (408, ""),
        (429, ""),
        (503, r#"{"error": "server_error"}"#),
        (529, ""),
    ] {
        let (mut tries, proof) = (0, secret());
        let asked = sent(&proof, Grant::ClientCredentials, move |_| {
            tries += 1;
            if tries < 3 {
                Some((status, body.to_owned()))
            } else {
                grants("r")
            }
        });
        assert_eq!(asked.await.len(), 3, "{status} {body}");
    }
}

#[tokio::test]
async fn a_problem_that_does_not_pass_by_the_deadline_is_named_by_its_code() {
    let peer = Service::start(|_| refuses("temporarily_unavailable")).await;
    let mut asking = service(Credential::Elements, &peer.url, &secret(), NOW);
    asking.policy.deadline = Duration::ZERO;
    let denied = asking.ask(Grant::ClientCredentials).await.unwrap_err();
    assert_eq!(
        denied.error.to_string(),
        "the token service has a problem: status 400 (temporarily_unavailable)"
    );
    assert_eq!(denied.error.problem.reason(), "unavailable");
}

#[tokio::test]
async fn a_request_that_may_have_been_carried_out_is_in_doubt() {
    let no_body = |status| Some((status, String::new()));
    for (reply, in_doubt) in [
        (None, true),
        (no_body(503), true),
        (no_body(501), true),
        (Some((200, "{\"access_token\"".to_owned())), true),
        (Some((200, "{}".to_owned())), true),
        (refuses("server_error"), true),
        (no_body(302), false),
        (no_body(429), false),
        (no_body(404), false),
    ] {
        let expected = format!("{reply:?}");
        let peer = Service::start(move |_| reply.clone()).await;
        let mut asking = service(Credential::Elements, &peer.url, &secret(), NOW);
        asking.policy.deadline = Duration::ZERO;
        let denied = asking.ask(Grant::ClientCredentials).await.unwrap_err();
        assert_eq!(denied.in_doubt, in_doubt, "{expected}");
    }
}

#[test]
fn each_failure_has_a_message() {
    let url = "http://127.0.0.1:1/token".parse().unwrap();
    let asking = service(Credential::Elements, &url, &secret(), NOW);
    let judged = |answer| asking.judge(answer, Duration::from_secs(30)).unwrap_err();
    let answer = |status, text: &str| Ok(Answer::of(status, text));
    let none = |fault| Err(NoAnswer::of(fault));
    for (answer, message) in [
        (
            answer(200, r#"{"access_token""#),
            "unexpected response from the token service: it ends at line 1 column 15",
        ),
        (
            answer(200, "{}"),
            "unexpected response from the token service: it contains no access_token",
        ),
        (
            answer(200, &format!(r#"{{"x":{}"#, "[".repeat(1000))),
            "unexpected response from the token service: nested too deeply at line 1 column 132",
        ),
        (
            answer(200, r#"{"access_token": " "}"#),
            "unexpected response from the token service: its access_token is empty",
        ),
        (
            answer(200, r#"{"error": "slow_down"}"#),
            "the token service has a problem: status 200 (slow_down), retry after 7s",
        ),
        (
            answer(200, r#"{"error": "unsupported_grant_type"}"#),
            "the token service returned 200 (unsupported_grant_type)",
        ),
        (
            answer(200, r#"{"error": "invalid_grant", "error_codes": [70008]}"#),
            "the token service refuses the grant (invalid_grant, AADSTS70008)",
        ),
        (answer(204, ""), "the token service returned 204"),
        (
            answer(302, ""),
            "the token service sent a redirect; not followed",
        ),
        (answer(401, ""), "the token service returned 401"),
        (
            answer(401, r#"{"error": "invalid_grant"}"#),
            "the token service refuses the grant (invalid_grant)",
        ),
        (
            answer(
                400,
                r#"{"error": "temporarily_unknown", "error_codes": [90033]}"#,
            ),
            "the token service returned 400 (temporarily_unknown, AADSTS90033)",
        ),
        (
            answer(429, ""),
            "the token service returned 429, retry after 7s",
        ),
        (
            answer(501, ""),
            "the token service has a problem: status 501, retry after 7s",
        ),
        (
            answer(
                429,
                r#"{"error": "invalid_request", "error_codes": [50196]}"#,
            ),
            "the token service returned 429 (invalid_request, AADSTS50196), retry after 7s",
        ),
        (
            answer(500, r#"{"error": "invalid_resource"}"#),
            "the token service has a problem: status 500 (invalid_resource), retry after 7s",
        ),
        (answer(600, ""), "the token service returned 600"),
        (
            none(Fault::Timeout("api.example:443".to_owned())),
            "no complete response from the token service api.example:443 within 30s",
        ),
        (
            none(Fault::Connection(
                "login.example:443".to_owned(),
                "refused".to_owned(),
            )),
            "connection to the token service login.example:443 failed: refused",
        ),
        (
            none(Fault::Untrusted(
                "login.example:443".to_owned(),
                Untrusted::UnknownIssuer,
            )),
            "connection to the token service login.example:443 failed: the server's certificate is issued by an unknown CA (UnknownIssuer)",
        ),
        (
            none(Fault::TooLarge { max_bytes: 5 }),
            "the token service's response is too large",
        ),
    ] {
        assert_eq!(judged(answer).problem.to_string(), message);
    }
    // Another try would bring no token either.
    assert_eq!(judged(answer(204, "")).failure, Failure::Final);
}

#[test]
fn an_untrusted_certificate_names_the_setting_and_leaves_no_doubt() {
    let url = "http://127.0.0.1:1/token".parse().unwrap();
    for untrusted in [Untrusted::UnknownIssuer, Untrusted::SelfSigned] {
        for credential in [Credential::Elements, Credential::PartnerCenter] {
            let asking = service(credential, &url, &secret(), NOW);
            let fault = Err(NoAnswer::of(Fault::Untrusted(String::new(), untrusted)));
            let failed = asking.judge(fault, Duration::ZERO).unwrap_err();
            assert!(!failed.problem.leaves_doubt(), "nothing was sent");
            assert_eq!(failed.problem.reason(), "connection");
            let text = asking.error(failed.problem).to_string();
            for words in ["elements.ca_file", "a proxy that inspects TLS"] {
                assert!(text.contains(words), "{text}");
            }
            assert!(!text.contains("proxy_url"), "{text}");
        }
    }
}

#[test]
fn each_code_that_asks_for_a_person_is_an_invalid_grant() {
    let url = "http://127.0.0.1:1/token".parse().unwrap();
    let asking = service(Credential::PartnerCenter, &url, &secret(), NOW);
    for code in [
        "invalid_grant",
        "interaction_required",
        "consent_required",
        "login_required",
    ] {
        let body = format!(r#"{{"error": "{code}", "error_codes": [65001]}}"#);
        let answer = Ok(Answer::of(400, &body));
        let problem = asking.judge(answer, Duration::ZERO).unwrap_err().problem;
        assert_eq!(problem.reason(), "invalid_grant");
        let expected = format!("the token service refuses the grant ({code}, AADSTS65001)");
        assert_eq!(problem.to_string(), expected);
    }
}
