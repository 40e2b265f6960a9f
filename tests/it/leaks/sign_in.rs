//! What proves to a token service who asks: refresh tokens and certificates.

use avepoint_exporter::simulator::{
    CLIENT_SECRET, FIRST_REFRESH_TOKEN, Fault, Listing, Options, PARTNER_CLIENT_SECRET, Rule, When,
};

use super::planted::{partner_center, world};
use super::tap::Tap;
use super::{HASTY, check, check_all, folder, outputs};
use crate::program::{Program, exporter};
use crate::support::{config_text, simulator};

/// The password of `app.pfx`.
const PASSWORD: &str = "s3cr3t";

fn certificates(name: &str) -> String {
    format!("{}/tests/certificates/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn a_refresh_token_that_is_refused_is_not_shown() {
    let upstream = simulator(Options::new(world(2))).await;
    let tap = Tap::before(&upstream.url()).await;
    let config = config_text(&upstream, HASTY, &partner_center(&upstream));
    let config = config.replace(&upstream.url(), &tap.url());
    let outputs = outputs(&config, "planted-refresh-token", "json").await;
    check_all(&outputs);
    let sent = "refresh_token=planted-refresh-token";
    assert!(tap.seen().contains(sent), "{}", tap.seen());
    let told = |(_, text): &(_, String)| text.contains("must consent again");
    assert!(outputs.iter().any(told));
}

#[tokio::test]
async fn what_a_token_service_sends_back_of_a_request_is_not_shown() {
    let mut options = Options::new(world(2));
    options.rules = [Listing::PartnerToken, Listing::Token]
        .map(|listing| Rule::new(Fault::SecretEcho, When::always().on(listing)))
        .to_vec();
    let upstream = simulator(options).await;
    let tap = Tap::before(&upstream.url()).await;
    let config = config_text(&upstream, HASTY, &partner_center(&upstream));
    let config = config.replace(&upstream.url(), &tap.url());
    check_all(&outputs(&config, FIRST_REFRESH_TOKEN, "logfmt").await);
    let seen = tap.seen();
    let echoed: Vec<_> = seen
        .lines()
        .filter(|line| line.contains(r#""message":""#))
        .collect();
    for secret in [CLIENT_SECRET, PARTNER_CLIENT_SECRET, FIRST_REFRESH_TOKEN] {
        assert!(echoed.iter().any(|line| line.contains(secret)), "{seen}");
    }
}

#[tokio::test]
async fn a_file_that_holds_more_than_a_refresh_token_is_not_quoted() {
    let upstream = simulator(Options::new(world(2))).await;
    let config = config_text(&upstream, HASTY, &partner_center(&upstream));
    for (token, why) in [
        ("planted-token\nplanted-token", "several lines"),
        ("planted-token\x07planted", "a control character"),
        (&"planted-token".repeat(10_000), "larger than 64KiB"),
    ] {
        let folder = folder(&config, token);
        let mut poll = exporter(["poll", "--log.level=trace"]);
        let ended = Program::start(poll.current_dir(folder.path())).end().await;
        assert_eq!(ended.code, Some(64));
        check(why, &ended.stderr);
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn the_password_of_a_certificate_and_what_it_signs_are_not_shown() {
    let upstream = simulator(Options {
        certificate: Some(std::fs::read(certificates("app.der")).unwrap()),
        // Otherwise nothing fails.
        rules: vec![Rule::new(
            Fault::Forbidden,
            When::always().on(Listing::Protected),
        )],
        ..Options::new(world(2))
    })
    .await;
    let tap = Tap::before(&upstream.url()).await;
    let secret = format!("client_secret: {CLIENT_SECRET}");
    let certificate = |password_file: &str| {
        let certificate = format!(
            "certificate: {{ file: {}, password_file: {} }}",
            certificates("app.pfx"),
            password_file
        );
        config_text(&upstream, HASTY, "")
            .replace(&secret, &certificate)
            .replace(&upstream.url(), &tap.url())
    };
    let password_file = certificates("password");
    assert!(std::fs::read_to_string(&password_file).is_ok_and(|text| text.trim() == PASSWORD));
    let outputs = outputs(&certificate(&password_file), "none", "logfmt").await;
    check_all(&outputs);
    for (what, text) in &outputs {
        // An assertion is base64 of JSON.
        for secret in [PASSWORD, "eyJ"] {
            assert!(!text.contains(secret), "{what} holds {secret}: {text}");
        }
    }
    let seen = tap.seen();
    assert!(seen.contains("client_assertion=eyJ"), "{seen}");
    assert!(seen.contains("Bearer simulated-token-"), "{seen}");

    let folder = folder(&certificate("wrong"), "none");
    std::fs::write(folder.path().join("wrong"), "planted-password").unwrap();
    let mut poll = exporter(["poll", "--log.level=trace"]);
    let ended = Program::start(poll.current_dir(folder.path())).end().await;
    assert_eq!(ended.code, Some(64));
    check("the refusal", &ended.stderr);
    assert!(ended.stderr.contains("password"), "{}", ended.stderr);
}
