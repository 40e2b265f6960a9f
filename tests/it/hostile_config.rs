//! Configurations that nobody means well: secrets in wrong places, towers of brackets, arbitrary text.

use std::path::Path;
use std::time::Duration;

use avepoint_exporter::config::{Config, ConfigError, Source};
use avepoint_exporter::domain::Timestamp;
use proptest::prelude::*;

use crate::support::cases;

const TENANT: &str = "tenants: [{ customer_id: 966f35cc-61f4-4070-819c-25cdbcf82a07, tenant_id: 0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec }]\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    let source = Source {
        name: "config.yaml",
        base_dir: Path::new("/nonexistent"),
        env: &|name| (name == "SECRET").then(|| "s3cr3t".to_owned()),
        now: Timestamp::default(),
    };
    Config::parse(text, &source)
}

#[test]
fn a_planted_secret_shows_up_nowhere() {
    let places = [
        "client_secret: 471147114711",
        "client_secret: hunter2",
        "client_secret: hunter2, client_secret_env: SECRET",
        "client_secret: [hunter2]",
        "client_secret: { hunter2: hunter2 }",
        "client_secret: { hunter2: 1, hunter2: 2 }",
        "client_secret: { ? [hunter2] : 1 }",
        "client_secret: !hunter2 x",
        "client_secret: *hunter2",
        "client_secret: &hunter2",
        "client_secret: %hunter2",
        "client_secret: 'hunter2",
        "client_secret: \"\\hunter2\"",
        "client_secret:hunter2",
        "client_secret: x: hunter2",
        "client_secret: hunter2, client_secret: hunter2",
        "client_secret_env: hunter2-",
        "client_secret_env: hunter2",
        "client_secret_env: [hunter2]",
        "client_secret_file: hunter2",
        "client_secret_file: [hunter2]",
        "client_secret_env: SECRET, proxy_url: 'ftp://user:hunter2@proxy'",
        "client_secret_env: SECRET, proxy_url: 'http://user:hunter2@proxy:x'",
        "client_secret_env: SECRET, proxy_url: 'http://user:hunter2@proxy:3128'",
        "client_secret_env: SECRET, proxy_url: 'user:hunter2@proxy'",
        "client_secret_env: SECRET, proxy_url: { hunter2: x }",
        "client_secret_env: SECRET, api_url: 'https://hunter2@example.com'",
        "client_secret_env: SECRET, token_url: 'hunter2://hunter2@example.com'",
        "client_secret_env: SECRET, token_url: 'https://example.com/?hunter2'",
        "client_secret_env: SECRET, timeout: [hunter2]",
        "client_secret_env: SECRET, limits: hunter2",
    ];
    let elements = "elements: { client_id: app, client_secret_env: SECRET }";
    for place in places {
        check_nothing_shown(&format!(
            "elements: {{ client_id: app, {place} }}\n{TENANT}"
        ));
        check_nothing_shown(&format!(
            "elements:\n  client_id: app\n  {}\n{TENANT}",
            place.replace(", ", "\n  ")
        ));
        check_nothing_shown(&format!(
            "{elements}\npartner_center: {{ tenant: a.example, client_id: app, {place} }}\n{TENANT}"
        ));
    }
}

#[test]
fn a_refresh_token_in_the_wrong_place_shows_up_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pc.token");
    let name = file.display();
    let places = [
        "refresh_token: hunter2".to_owned(),
        "refresh_token_file: hunter2".to_owned(),
        "refresh_token_file: 0.hunter2/x".to_owned(),
        "refresh_token_file: [hunter2]".to_owned(),
        "refresh_token_file: { hunter2: x }".to_owned(),
        "refresh_token_file:hunter2".to_owned(),
        format!("refresh_token_file: {name}, refresh_token_env: 0.hunter2"),
        format!("refresh_token_file: {name}, refresh_token_env: hunter2"),
        format!("refresh_token_file: {name}, refresh_token_env: 471147114711"),
        format!("refresh_token_file: {name}, refresh_token_env: [hunter2]"),
        format!("refresh_token_file: {name}, refresh_token_env: {{ hunter2: hunter2 }}"),
        format!("refresh_token_file: {name}, refresh_token_env: {{ hunter2: 1, hunter2: 2 }}"),
        format!("refresh_token_file: {name}, refresh_token_env: !hunter2 x"),
        format!("refresh_token_file: {name}, refresh_token_env: *hunter2"),
        format!("refresh_token_file: {name}, refresh_token_env: &hunter2"),
        format!("refresh_token_file: {name}, refresh_token_env: 'hunter2"),
        format!("refresh_token_file: {name}, refresh_token_env: x: hunter2"),
        format!("refresh_token_file: {name}, refresh_token_env: SECRET"),
        format!("refresh_token_file: {name}, token_url: 'https://hunter2@example.com'"),
        format!("refresh_token_file: {name}, token_url: 'https://example.com/?hunter2'"),
        format!("refresh_token_file: {name}, api_url: 'hunter2://example.com'"),
    ];
    for content in [
        None,
        Some("hunter2-471147114711"),
        Some("hunter2\nhunter2"),
        Some("\n"),
    ] {
        match content {
            Some(content) => std::fs::write(&file, content).unwrap(),
            None => assert!(!file.exists()),
        }
        for place in &places {
            check_nothing_shown(&format!(
                "elements: {{ client_id: app, client_secret_env: SECRET }}\n\
                 partner_center: {{ tenant: a.example, client_id: app, client_secret_env: SECRET, {place} }}\n{TENANT}"
            ));
        }
    }
}

/// Neither the configuration nor the error shows one of the planted secrets.
#[track_caller]
fn check_nothing_shown(text: &str) {
    let outcome = parse(text);
    let shown = match &outcome {
        Ok(config) => format!("{config:?} {config:#?}"),
        Err(error) => format!("{error} {error:?} {error:#?}"),
    };
    for secret in ["hunter2", "471147114711", "s3cr3t"] {
        assert!(!shown.contains(secret), "{text}{shown}");
    }
}

#[test]
fn a_long_text_of_anything_is_read_in_bounded_time() {
    for part in [
        "[",
        "{a: ",
        "a: [",
        "{? ",
        "[{",
        "[a,",
        "- ",
        "? ",
        "&a ",
        "!a ",
        "*a ",
        "a: &a [*a]\n",
        "x",
        "x ",
        "x\n",
        "'",
        "\"\\n",
        "a: b\n",
        "- a\n",
        "- a: b\n",
        "# x\n",
        "\n",
        "|\n a\n",
        "---\n",
        "%YAML 1.2\n",
        "\t",
        "é",
        ": ",
        ",",
    ] {
        for start in ["", "[", "\"", "a: ", "tenants: [&a x, ", "tenants:\n"] {
            let text = start.to_owned() + &part.repeat((256 << 10) / part.len());
            let begin = tokio::time::Instant::now();
            assert!(parse(&text).is_err());
            let took = begin.elapsed();
            assert!(
                took < Duration::from_secs(10),
                "{start:?} and {part:?} took {took:?}"
            );
        }
    }
}

/// Pieces from which broken configurations are made.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "elements:",
        "client_id: app",
        "client_secret: x",
        "timeout: 1s",
        "tenants:",
        "- ",
        "tenant_id: ",
        "labels: ",
        "{",
        "}",
        "[",
        "]",
        "\n",
        "\n  ",
        "\n    ",
        ": ",
        ", ",
        "&a ",
        "*a",
        "!t ",
        "? ",
        "|",
        ">",
        "'",
        "\"",
        "#",
        "---",
        "...",
        "\t",
        "~",
        "<<",
        "0x",
        "1e999",
        ".nan",
        "-",
        "\u{85}",
        "\u{2028}",
        "é",
        "\0",
        "%",
        "collectors: ",
        "partner_center: ",
        "refresh_token_file: x",
        "discovery: ",
        "include: ",
        "customer_name: \"(\"",
        "mode: counts",
        "security_users: ",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn no_text_makes_the_reader_panic(text in prop_oneof![any::<String>(), pieces()]) {
        if let Err(error) = parse(&text) {
            let message = error.to_string();
            prop_assert!(!message.is_empty());
            for line in message.lines() {
                prop_assert!(line.starts_with("config.yaml:"), "{}", message);
            }
        }
    }
}
