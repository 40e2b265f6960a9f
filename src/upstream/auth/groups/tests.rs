//! Which tokens a service is asked for when it refuses some permissions.

use std::time::Duration;

use super::*;
use crate::config::ClientCredential;
use crate::domain::Secret;
use crate::upstream::auth::scripted::{Form, NOW, Reply, Service, grants, refuses, service};

const PERMISSIONS: [&str; 3] = ["a.read", "b.read", "c.read"];
const ALL: &str = "a.read b.read c.read";

/// Tokens for three permissions, and the service that issues them.
struct SignIn {
    peer: Service,
    tokens: Tokens,
}

impl SignIn {
    async fn to(reply: impl FnMut(&Form) -> Reply + Send + 'static) -> Self {
        let peer = Service::start(reply).await;
        let secret = ClientCredential::Secret {
            secret: Secret::from("the-secret".to_owned()),
            file: None,
        };
        let service = TokenService {
            scopes: ALL.to_owned(),
            ..service(Credential::Elements, &peer.url, &secret, NOW)
        };
        let tokens = Tokens::new(TokenSource::new(service, None), &PERMISSIONS);
        Self { peer, tokens }
    }

    /// The error of a token for this permission, if there is one.
    async fn error(&self, permission: &str) -> Option<String> {
        let token = self.tokens.token(permission).await;
        token.err().map(|error| error.to_string())
    }

    /// The error of a token that is refused.
    async fn refusal(&self, permission: &str) -> String {
        self.error(permission).await.unwrap()
    }

    /// The scopes that were requested.
    fn asked(&self) -> Vec<String> {
        let asked = self.peer.asked().into_iter();
        asked
            .map(|mut form| form.remove("scope").unwrap())
            .collect()
    }

    /// Whether the credential is shown as up.
    fn is_up(&self) -> bool {
        let up = &self.tokens.other.stats().credential_up;
        up.with_label_values(&["elements"]).get() == 1
    }

    fn failures(&self, reason: &str) -> u64 {
        let failures = &self.tokens.other.stats().token_failures;
        failures.with_label_values(&["elements", reason]).get()
    }
}

fn granted(is_granted: bool) -> Reply {
    if is_granted {
        grants("r")
    } else {
        refuses("invalid_scope")
    }
}

/// A service for an app registration that lacks this permission.
fn without(permission: &'static str) -> impl FnMut(&Form) -> Reply {
    move |form| granted(!form["scope"].contains(permission))
}

/// Lets this time pass in an instant.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn permissions_that_are_granted_together_share_one_token() {
    let at = SignIn::to(|_| grants("r")).await;
    for permission in PERMISSIONS {
        assert_eq!(at.error(permission).await, None);
    }
    assert_eq!(at.asked(), [ALL]);
    assert!(at.is_up());
}

#[tokio::test]
async fn a_refused_permission_fails_alone_and_with_its_name() {
    let at = SignIn::to(without("b.read")).await;
    for _ in 0..2 {
        assert_eq!(at.error("a.read").await, None);
        assert_eq!(
            at.refusal("b.read").await,
            "the token service refuses the scope (invalid_scope): b.read; the app registration lacks this permission: \
             add it in Elements under Settings > API app registration, or disable the collectors that need it"
        );
        assert_eq!(at.error("c.read").await, None);
    }
    assert_eq!(at.asked(), [ALL, "a.read", "b.read", "c.read"]);
    assert_eq!(at.failures("invalid_scope"), 2);
    assert!(!at.is_up(), "one of three is refused");
}

#[tokio::test]
async fn however_many_wait_each_list_of_permissions_is_requested_once() {
    let at = SignIn::to(without("b.read")).await;
    let polls = PERMISSIONS.iter().cycle().take(60);
    let outcomes = polls.map(async |one| (*one, at.error(one).await.is_some()));
    for (permission, failed) in futures_util::future::join_all(outcomes).await {
        assert_eq!(failed, permission == "b.read");
    }
    let mut asked = at.asked();
    asked.sort();
    assert_eq!(asked, ["a.read", ALL, "b.read", "c.read"]);
}

#[tokio::test]
async fn a_service_that_refuses_every_permission_is_asked_once_for_each_and_again_a_minute_later() {
    let at = SignIn::to(|_| refuses("invalid_scope")).await;
    for round in 1..=3 {
        for _ in 0..2 {
            for permission in PERMISSIONS {
                let text = at.refusal(permission).await;
                assert!(
                    text.contains(&format!("(invalid_scope): {permission};")),
                    "{text}"
                );
            }
        }
        assert_eq!(at.asked().len(), 1 + 3 * round);
        assert!(!at.is_up());
        pass(Duration::from_secs(61)).await;
    }
}

#[tokio::test]
async fn a_permission_that_is_granted_later_is_found_by_a_request_for_it_alone() {
    let mut asked = 0;
    let at = SignIn::to(move |form| {
        asked += 1;
        granted(!form["scope"].contains("b.read") || asked >= 5)
    });
    let at = at.await;
    for permission in PERMISSIONS {
        assert_eq!(at.error(permission).await.is_some(), permission == "b.read");
    }
    pass(Duration::from_secs(59)).await;
    at.refusal("b.read").await;
    assert_eq!(at.asked().len(), 4, "not yet again");
    pass(Duration::from_secs(2)).await;
    assert_eq!(at.error("b.read").await, None);
    assert_eq!(at.asked()[4..], ["b.read"]);
    assert!(at.is_up(), "no request is refused any more");
}

#[tokio::test]
async fn a_request_for_one_permission_that_fails_otherwise_says_so_and_leaves_the_others_alone() {
    let at = SignIn::to(|form| match &*form["scope"] {
        "a.read" => refuses("invalid_client"),
        "b.read" => Some((404, String::new())),
        "c.read" => grants("r"),
        _ => refuses("invalid_scope"),
    });
    let at = at.await;
    assert!(at.refusal("a.read").await.contains("(invalid_client)"));
    assert!(at.refusal("b.read").await.contains("returned 404"));
    assert_eq!(at.error("c.read").await, None);
    assert_eq!(at.asked().len(), 4);
    let reasons = ["invalid_scope", "invalid_client", "not_found"];
    assert_eq!(reasons.map(|reason| at.failures(reason)), [1, 1, 1]);
}

#[tokio::test]
async fn a_service_that_fails_is_not_asked_for_each_permission() {
    let at = SignIn::to(|_| refuses("invalid_client")).await;
    for permission in PERMISSIONS {
        assert!(at.refusal(permission).await.contains("(invalid_client)"));
    }
    assert_eq!(at.asked(), [ALL]);
}

#[tokio::test]
async fn a_token_that_the_api_refuses_is_renewed_for_its_own_permission_only() {
    let at = SignIn::to(without("b.read")).await;
    let token = at.tokens.token("a.read").await.unwrap();
    assert_eq!(at.error("c.read").await, None);
    at.tokens.reject(&token);
    for permission in ["a.read", "c.read"] {
        assert_eq!(at.error(permission).await, None);
    }
    assert_eq!(at.asked(), [ALL, "a.read", "c.read", "a.read"]);
}

#[tokio::test]
async fn a_permission_that_nobody_announced_is_answered_as_the_whole_list_is() {
    let at = SignIn::to(without("b.read")).await;
    assert_eq!(at.error("a.read").await, None);
    let text = at.refusal("z.read").await;
    assert!(text.contains("at least one of these permissions"), "{text}");
}

#[test]
fn a_list_of_permissions_is_split_below_the_limit_of_the_service() {
    let names = |length, count| vec![&*"p".repeat(length).leak(); count];
    for (permissions, expected) in [
        (vec![], vec![]),
        (names(299, 1), vec![1]),
        // Too long whatever is done: the service may see it differently.
        (names(400, 2), vec![1, 1]),
        (names(149, 2), vec![2]),
        (names(150, 2), vec![1, 1]),
        (names(29, 23), vec![10, 10, 3]),
    ] {
        let groups = groups(&permissions);
        let lengths: Vec<_> = groups.iter().map(Vec::len).collect();
        assert_eq!(lengths, expected);
        for group in groups.iter().filter(|group| group.len() > 1) {
            assert!(group.join(" ").len() < 300);
        }
    }
}

#[tokio::test]
async fn each_group_of_a_long_list_has_a_token_of_its_own() {
    let peer = Service::start(|_| grants("r")).await;
    let secret = ClientCredential::Secret {
        secret: Secret::from("the-secret".to_owned()),
        file: None,
    };
    let long: [&str; 2] = ["a", "b"].map(|one| &*one.repeat(200).leak());
    let service = service(Credential::Elements, &peer.url, &secret, NOW);
    let tokens = Tokens::new(TokenSource::new(service, None), &long);
    for permission in long {
        tokens.token(permission).await.unwrap();
    }
    let asked = peer.asked().into_iter();
    let asked: Vec<_> = asked
        .map(|mut form| form.remove("scope").unwrap())
        .collect();
    assert_eq!(asked, long);
}

#[tokio::test]
async fn what_comes_of_a_request_after_another_client_is_in_force_is_not_shown() {
    let sign_in = SignIn::to(|_| refuses("invalid_client")).await;
    let stats = sign_in.tokens.other.stats().clone();
    let up = stats.credential_up.with_label_values(&["elements"]);
    // The other client has signed in meanwhile.
    up.set(1);
    sign_in.tokens.retire();
    sign_in.refusal(PERMISSIONS[0]).await;
    assert!(sign_in.is_up());
    assert_eq!(sign_in.failures("invalid_client"), 1, "it is counted");
    assert!(stats.troubles.now().is_empty());
}
