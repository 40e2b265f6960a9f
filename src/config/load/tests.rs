//! What good configurations become, and that files are read within their bounds.

mod collectors;
mod discovery;
mod partner_center;
mod watched;

use std::fs;
use std::time::Duration;

use super::*;
use crate::config::{
    ClientCredential, CollectorConfig, CollectorKind, Limits, NoOptions, PartnerCenterOptions,
    RateLimit, SecurityEndpoint, SecurityMode, SecurityOptions, StatusEncoding,
};
use crate::domain::Timestamp;

const TENANT: &str = "tenants: [{ customer_id: 966f35cc-61f4-4070-819c-25cdbcf82a07, tenant_id: 0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec }]\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    parse_in(Path::new("/nonexistent"), text)
}

/// Reads a text whose relative paths start from this folder.
fn parse_in(folder: &Path, text: &str) -> Result<Config, ConfigError> {
    let source = Source {
        name: "config.yaml",
        base_dir: folder,
        env: &|name| (name == "SECRET").then(|| "s3cr3t".to_owned()),
        now: Timestamp::default(),
    };
    Config::parse(text, &source)
}

/// Reads a file and what it names.
fn load(file: &Path) -> Result<Config, ConfigError> {
    ConfigFile::read(file)?.parse()
}

fn client_secret(credential: &ClientCredential) -> &str {
    let ClientCredential::Secret { secret, .. } = credential else {
        panic!("no client secret")
    };
    secret.expose()
}

/// A whole configuration with these further keys below `elements`.
fn with_elements(keys: &str) -> Result<Config, ConfigError> {
    parse(&format!(
        "elements: {{ client_id: app, client_secret_env: SECRET, {keys} }}\n{TENANT}"
    ))
}

/// A whole configuration with these collectors, for all tenants and for the one.
fn text_with_collectors(all: &str, own: &str) -> String {
    let tenant = TENANT.replace(" }]", &format!(", collectors: {{ {own} }} }}]"));
    format!(
        "elements: {{ client_id: app, client_secret_env: SECRET }}\ncollectors: {{ {all} }}\n{tenant}"
    )
}

fn collectors(all: &str, own: &str) -> Vec<CollectorConfig> {
    let config = parse(&text_with_collectors(all, own)).unwrap();
    config.tenants.into_iter().next().unwrap().collectors
}

const fn security(interval: u64, stale_after: u64, exclude_test_users: bool) -> CollectorConfig {
    CollectorConfig {
        interval: Duration::from_mins(interval),
        stale_after: Duration::from_mins(stale_after),
        kind: CollectorKind::SecurityUsers(SecurityOptions {
            endpoint: SecurityEndpoint::V3,
            encoding: StatusEncoding::Codes,
            mode: SecurityMode::Scan { exclude_test_users },
        }),
    }
}

const fn protected(interval: u64, stale_after: u64) -> CollectorConfig {
    CollectorConfig {
        interval: Duration::from_mins(interval),
        stale_after: Duration::from_mins(stale_after),
        kind: CollectorKind::ProtectedUsers(NoOptions),
    }
}

#[test]
fn what_is_left_out_gets_its_default() {
    let Config {
        elements, tenants, ..
    } = with_elements("").unwrap();
    assert_eq!(
        elements.api_url.as_str(),
        "https://graph.avepointonlineservices.com/"
    );
    assert_eq!(
        elements.token_url.as_str(),
        "https://identity.avepointonlineservices.com/connect/token"
    );
    assert_eq!(elements.client_id, "app");
    assert_eq!(client_secret(&elements.credential), "s3cr3t");
    assert_eq!(elements.http.timeout, Duration::from_secs(30));
    assert_eq!(elements.http.connect_timeout, Duration::from_secs(5));
    assert_eq!(elements.http.retry_deadline, Duration::from_mins(1));
    assert!(elements.http.ca_pem.is_none() && elements.http.proxy_url.is_none());
    let rate_limit = RateLimit {
        requests_per_second: 10.0,
        burst: 20,
        max_concurrent_requests: 8,
    };
    assert_eq!(elements.rate_limit, rate_limit);
    let limits = Limits {
        ignore_totals: false,
        response_bytes: 16 << 20,
        rows: 1_000_000,
    };
    assert_eq!(elements.limits, limits);
    assert_eq!(tenants.len(), 1);
    assert_eq!(
        tenants[0].collectors,
        [security(5, 15, false), protected(15, 45)]
    );
    let tenant = &tenants[0].tenant;
    assert_eq!(
        tenant.customer_name(),
        "966f35cc-61f4-4070-819c-25cdbcf82a07"
    );
    assert_eq!(tenant.tenant_name(), "0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec");
    assert!(tenant.labels.is_empty());
}

#[test]
fn an_explicit_url_wins_over_the_environment() {
    let urls = |keys: &str| {
        let elements = with_elements(keys).unwrap().elements;
        [elements.api_url, elements.token_url].map(String::from)
    };
    assert_eq!(
        urls("environment: fedramp"),
        [
            "https://graphusgovapi.online15.net/",
            "https://identity.online15.net/connect/token"
        ]
    );
    assert_eq!(
        urls("environment: us_government, api_url: 'https://example.com/base//'"),
        [
            "https://example.com/base",
            "https://identity-gov.avepointonlineservices.com/connect/token"
        ]
    );
    for host in ["127.0.0.1", "127.8.9.10", "[::1]", "localhost"] {
        let keys = format!("api_url: 'http://{host}:8080', token_url: 'http://{host}:8080/token'");
        assert_eq!(urls(&keys)[1], format!("http://{host}:8080/token"));
    }
}

#[test]
fn one_deadline_alone_never_contradicts_the_defaults_of_the_others() {
    #[track_caller]
    fn check(keys: &str, expected: [u64; 3]) {
        let http = with_elements(keys).unwrap().elements.http;
        let found = [http.connect_timeout, http.timeout, http.retry_deadline];
        assert_eq!(found, expected.map(Duration::from_secs), "{keys}");
    }
    check("timeout: 90s", [5, 90, 180]);
    check("timeout: 2s", [2, 2, 60]);
    check("retry_deadline: 20s", [5, 20, 20]);
    check("retry_deadline: 3s", [3, 3, 3]);
    check("connect_timeout: 40s", [40, 40, 80]);
    check("timeout: 60s, retry_deadline: 60s", [5, 60, 60]);
}

#[test]
fn a_tenant_overrides_single_keys_of_its_collectors() {
    let both = [security(5, 15, false), protected(15, 45)];
    assert_eq!(collectors("", "security_users: { enabled: true }"), both);
    assert_eq!(
        collectors("security_users: { enabled: false }", ""),
        both[1..]
    );
    assert_eq!(
        collectors("", "protected_users: { enabled: false }"),
        both[..1]
    );
    assert_eq!(
        collectors(
            "security_users: { interval: 10m, exclude_test_users: true }, protected_users: { enabled: false, stale_after: 3h }",
            "security_users: { interval: 20m, exclude_test_users: false }, protected_users: { enabled: true }",
        ),
        [security(20, 60, false), protected(15, 180)]
    );
    // One tenant without collectors is fine while another has some.
    let off = "{ security_users: { enabled: false }, protected_users: { enabled: false } }";
    let second = format!(
        ", {{ customer_id: 966f35cc-61f4-4070-819c-25cdbcf82a07, tenant_id: 0c7715b3-bc2f-4c4c-a8a0-f3634dcfaced, collectors: {off} }}]"
    );
    let text = format!(
        "elements: {{ client_id: app, client_secret_env: SECRET }}\n{}",
        TENANT.replace(']', &second)
    );
    assert!(parse(&text).unwrap().tenants[1].collectors.is_empty());
}

#[test]
fn an_anchor_may_be_used_again() {
    let text = format!("elements: {{ client_id: &app app, client_secret: *app }}\n{TENANT}");
    let elements = parse(&text).unwrap().elements;
    assert_eq!(client_secret(&elements.credential), "app");
}

#[test]
fn a_missing_file_is_told_from_an_unreadable_one() {
    let folder = tempfile::tempdir().unwrap();
    let missing = load(&folder.path().join("config.yaml")).unwrap_err();
    assert!(matches!(&missing, ConfigError::NotFound { file } if file.ends_with("config.yaml")));
    assert!(missing.to_string().ends_with("config.yaml: no such file"));
    let unreadable = load(folder.path()).unwrap_err();
    assert!(matches!(unreadable, ConfigError::Unreadable { .. }));
}

#[test]
fn a_file_is_read_up_to_its_bound_and_as_utf_8() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    let text = format!("elements: {{ client_id: app, client_secret: s3cr3t }}\n{TENANT}#");
    let filled = text.clone() + &"x".repeat((1 << 20) - text.len());
    fs::write(&file, &filled).unwrap();
    assert!(load(&file).is_ok());
    let check = |bytes: Vec<u8>, expected: &str| {
        fs::write(&file, bytes).unwrap();
        let message = load(&file).unwrap_err().to_string();
        assert_eq!(message, format!("{}:{expected}", file.display()));
    };
    check(
        (filled + "x").into(),
        "1:1: the file is larger than 1MiB; expected a smaller file",
    );
    let message = "the file is not UTF-8 text; expected UTF-8 without a byte order mark";
    check(
        b"# \xc3\xa4\n# \xc3\xa4 \xe4\n".into(),
        &format!("2:5: {message}"),
    );
    check(b"\xffe".into(), &format!("1:1: {message}"));
    for utf16 in [b"\xff\xfee\0", b"\xfe\xff\0e"] {
        let message = "the file is UTF-16 text; expected UTF-8: save it again as UTF-8, without a byte order mark";
        check(utf16.into(), &format!("1:1: {message}"));
    }
}

#[test]
fn authorities_are_read_with_a_mark_wherever_files_were_joined() {
    let folder = tempfile::tempdir().unwrap();
    let pem = ["app.crt", "other.crt"].map(|name| {
        let text = fs::read_to_string(format!("tests/certificates/{name}")).unwrap();
        text.replace('\n', "\r\n")
    });
    fs::write(
        folder.path().join("ca.pem"),
        format!("\u{feff}{}\u{feff}{}", pem[0], pem[1]),
    )
    .unwrap();
    let text =
        format!("elements: {{ client_id: app, client_secret: x, ca_file: ca.pem }}\n{TENANT}");
    let config = parse_in(folder.path(), &text).unwrap();
    assert_eq!(
        config.elements.http.ca_pem.unwrap(),
        pem.concat().into_bytes()
    );
}

#[test]
fn a_secret_file_lies_beside_the_config_and_loses_one_line_break() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    fs::write(
        &file,
        format!("elements: {{ client_id: app, client_secret_file: app.secret }}\n{TENANT}"),
    )
    .unwrap();
    let secret = |text: &[u8]| {
        fs::write(folder.path().join("app.secret"), text).unwrap();
        load(&file).map(|config| client_secret(&config.elements.credential).to_owned())
    };
    assert_eq!(secret(b"s3cr3t\n").unwrap(), "s3cr3t");
    assert_eq!(secret(b"\xef\xbb\xbfs3cr3t\r\n").unwrap(), "s3cr3t");
    assert!(secret(b"\xef\xbb\xbf\r\n").is_err());
    assert!(secret(b"s3cr3t\n\n").is_err());
    assert_eq!(secret(&vec![b'x'; 64 << 10]).unwrap().len(), 64 << 10);
    let message = secret(&vec![b'x'; (64 << 10) + 1]).unwrap_err().to_string();
    assert!(message.contains("is larger than 64KiB"), "{message}");
}
