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
        "client_secret_env: SECRET, timeout: hunter2",
        "client_secret_env: SECRET, environment: hunter2",
        "client_secret_env: SECRET, hunter2: x",
        "client_secret_env: SECRET, hunter2:",
        "client_secret_env: SECRET, limits: { hunter2: x }",
        "client_secret_env: SECRET, limits: { response_bytes: hunter2 }",
        "client_secret_env: SECRET, limits: { rows: 471147114711 }",
        "client_secret_env: SECRET, rate_limit: { burst: 471147114711 }",
        "client_secret_env: SECRET, ca_file: hunter2",
        "client_secret_env: SECRET, scope: \"hunter2\\n\"",
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
fn a_secret_in_place_of_a_key_or_a_value_of_any_section_shows_up_nowhere() {
    let head = "elements: { client_id: app, client_secret_env: SECRET }\n";
    for section in [
        "hunter2: x",
        "hunter2: [x]",
        "collectors: { hunter2: { enabled: true } }",
        "collectors: { security_users: { endpoint: hunter2, mode: hunter2, interval: hunter2 } }",
        "collectors: { partner_center: { top_usage_locations: 471147114711 } }",
        "discovery: { include: { customer_name: 'hunter2(' }, interval: hunter2 }",
        "partner_center: { tenant: hunter2, hunter2: x }",
        "partner_center: { tenant: hunter2, client_id: app, client_secret_env: HUNTER2_471147114711 }",
    ] {
        check_nothing_shown(&format!("{head}{section}\n{TENANT}"));
    }
    for keys in [
        "labels: { hunter2: [x] }",
        "labels: { hunter2: 1 }",
        "labels: { hunter2: }",
        "labels: { hunter2-a: x }",
        "labels: { __hunter2: x }",
        "labels: { hunter2: x, hunter2: x }",
        "collectors: { directory: { stale_after: hunter2 } }",
        "hunter2: x",
    ] {
        let tenant = TENANT.replace(" }]", &format!(", {keys} }}]"));
        check_nothing_shown(&format!("{head}{tenant}"));
    }
    let tenant = TENANT.replace("966f35cc", "hunter2");
    check_nothing_shown(&format!("{head}{tenant}"));
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

/// The most memory that reading the text takes at once, and the outcome.
fn measured(text: &str) -> (u64, Result<Config, ConfigError>) {
    let mut outcome = None;
    let memory = allocation_counter::measure(|| outcome = Some(parse(text)));
    (memory.bytes_max, outcome.unwrap())
}

/// A list of tenants with different ids, each with these further keys.
fn tenants(count: usize, keys: &str) -> String {
    use std::fmt::Write as _;
    let mut text = "tenants:\n".to_owned();
    for n in 0..count {
        let id = format!("{n:08}-61f4-4070-819c-25cdbcf82a07");
        writeln!(text, "- {{customer_id: *c, tenant_id: {id}{keys}}}").unwrap();
    }
    text
}

const HEAD: &str =
    "elements: { client_id: &c 966f35cc-61f4-4070-819c-25cdbcf82a07, client_secret_env: SECRET }\n";

#[test]
fn aliases_that_stand_for_too_much_are_refused_at_the_one_that_is_too_much() {
    use std::fmt::Write as _;
    let labels = labels("l");
    let tenant = "customer_id: 966f35cc-61f4-4070-819c-25cdbcf82a07, tenant_id: 0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec";
    let flat = format!(
        "{HEAD}tenants:\n- &t {{ {tenant}, labels: {{ {labels} }} }}\n{}",
        "- *t\n".repeat(4000)
    );
    let inner = format!(
        "{HEAD}tenants:\n- {{ {tenant}, labels: &l {{ {labels} }} }}\n{}",
        format!("- {{ {tenant}, labels: *l }}\n").repeat(4000)
    );
    let merged = inner.replace("labels: *l", "<<: *l");
    let text = format!(
        "{HEAD}tenants:\n- {{ {tenant}, labels: {{ a: &l \"{}\" }} }}\n{}",
        "x".repeat(100_000),
        format!("- {{ {tenant}, labels: {{ a: *l }} }}\n").repeat(2000)
    );
    let mut nested = format!("{HEAD}a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    let mut many = HEAD.to_owned();
    for n in 1..20 {
        let alias = format!("*a{}", n - 1);
        writeln!(nested, "a{n}: &a{n} [{}]", [alias.as_str(); 9].join(", ")).unwrap();
    }
    for n in 0..200 {
        writeln!(many, "a{n}: &a{n} [{}]", "x, ".repeat(500)).unwrap();
        let alias = format!("*a{n}");
        writeln!(many, "b{n}: [{}]", vec![alias.as_str(); 500].join(", ")).unwrap();
    }
    for (kind, text) in [
        ("flat", flat),
        ("inner", inner),
        ("merged", merged),
        ("text", text),
        ("nested", nested),
        ("many", many),
    ] {
        let (memory, outcome) = measured(&text);
        let message = outcome.unwrap_err().to_string();
        let (place, why) = message.split_once(": ").unwrap();
        assert!(
            why.starts_with("the aliases (*) up to here stand for more than 16MiB; expected "),
            "{kind}: {message}"
        );
        assert!(
            place.starts_with("config.yaml:") && place.matches(':').count() == 2,
            "{kind}: {message}"
        );
        assert!(memory < 100 << 20, "{kind} took {memory} bytes");
    }
}

#[test]
fn what_aliases_may_stand_for_takes_bounded_memory() {
    let shapes = [
        // Just within the bound: tiny labels, wrong labels, tenants with nothing in them.
        format!(
            "tenants: [{{ labels: &l {{ {} }} }}, {}]",
            labels("a"),
            "{ labels: *l }, ".repeat(400)
        ),
        format!(
            "tenants: [{{ labels: &l {{ {} }} }}, {}]",
            labels("a-"),
            "{ labels: *l }, ".repeat(400)
        ),
        format!("tenants: [&t {{}}, {}]", "*t, ".repeat(200_000)),
        format!("tenants: [{}]", "{}, ".repeat(250_000)),
    ];
    for shape in shapes {
        let (memory, outcome) = measured(&format!("{HEAD}{shape}\n"));
        assert!(outcome.is_err());
        assert!(memory < 400 << 20, "{}… took {memory} bytes", &shape[..60]);
    }
}

fn labels(start: &str) -> String {
    let labels = (0..1000).map(|n| format!("{start}{n}: v"));
    labels.collect::<Vec<_>>().join(", ")
}

#[test]
fn ten_thousand_tenants_with_aliases_for_all_that_they_share_are_read() {
    let options = "collectors: &o { security_users: { enabled: true, interval: 10m, stale_after: 1h, endpoint: v3, \
                   mode: scan, status_encoding: auto, exclude_test_users: true }, \
                   protected_users: { enabled: true, interval: 10m, stale_after: 1h }, \
                   directory: { enabled: true, interval: 10m, stale_after: 1h } }\n";
    let first = "discovery: { include: { tenant_name: &l \"x.*\" } }\n";
    let text = format!(
        "{HEAD}{options}{first}{}",
        tenants(10_000, ", collectors: *o, labels: {a: *l, b: *l}")
    );
    let (memory, outcome) = measured(&text);
    assert_eq!(outcome.unwrap().tenants.len(), 10_000);
    assert!(memory < 400 << 20, "{memory} bytes");
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
