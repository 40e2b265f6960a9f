use std::fmt::Write as _;
use std::fs;

use rcgen::{CertificateParams, KeyPair};

use super::*;

const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

/// A folder with a certificate, its key, and a web configuration of this text.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    fs::write(folder.path().join("web.pem"), certificate.pem()).unwrap();
    fs::write(folder.path().join("web.key"), key.serialize_pem()).unwrap();
    folder
}

/// What comes of a text: the web configuration, or what is wrong, without the name of the folder.
fn read(text: &str) -> Result<WebConfig, String> {
    let folder = folder();
    let file = folder.path().join("web.yml");
    fs::write(&file, text).unwrap();
    let place = format!("{}/", folder.path().display());
    WebConfig::read(&file).map_err(|problems| problems.to_string().replace(&place, ""))
}

/// A text whose `tls_server_config` has these lines beside certificate and key.
fn tls(lines: &str) -> String {
    let lines = lines.replace('\n', "\n  ");
    format!("tls_server_config:\n  cert_file: web.pem\n  key_file: web.key\n  {lines}\n")
}

#[track_caller]
fn accepted(text: &str) -> WebConfig {
    read(text).unwrap_or_else(|problems| panic!("{text}\n{problems}"))
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    match read(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(problems) => assert_eq!(problems, expected, "{text}"),
    }
}

#[test]
fn a_file_with_nothing_in_it_asks_for_nothing() {
    for text in [
        "",
        "\n# nothing\n",
        "---\n",
        "{}",
        "tls_server_config:\n",
        "tls_server_config: {min_version: TLS13, cipher_suites: [TLS_AES_128_GCM_SHA256]}",
        "tls_server_config: {client_auth_type: ''}",
        "basic_auth_users:\n",
        "rate_limit:\n",
        "rate_limit: {interval: 0, burst: 3}",
        "rate_limit: {interval: -1s}",
        "\u{feff}{}",
        "{}\n---\n- the second document\n",
    ] {
        let config = accepted(text);
        assert!(config.tls.is_none() && config.users.is_empty(), "{text}");
        assert!(
            config.headers.is_empty() && config.rate_limit.is_none(),
            "{text}"
        );
        assert!(config.http2, "{text}");
    }
}

#[test]
fn an_empty_section_of_http_switches_http2_off() {
    for text in [
        "http_server_config:\n",
        "http_server_config: {http2:}",
        "http_server_config: {http2: off}",
        "http_server_config: {http2: n}",
    ] {
        assert!(!accepted(text).http2, "{text}");
    }
    for yes in ["y", "Yes", "on", "TRUE", "true"] {
        assert!(accepted(&format!("http_server_config: {{http2: {yes}}}")).http2);
    }
}

#[test]
fn every_key_is_read() {
    let text = format!(
        "{}http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Content-Security-Policy:\n    \
         Strict-Transport-Security: max-age=1\nrate_limit: {{interval: 1m30s, burst: 0x10}}\n\
         basic_auth_users: {{amy: {HASH}, 7: {HASH}}}\n",
        tls(
            "client_ca_file: web.pem\nclient_auth_type: RequireClientCert\nclient_allowed_sans: [a, 1, ~]\n\
             min_version: TLS12\nmax_version:\nprefer_server_cipher_suites: no\n\
             cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n\
             curve_preferences: [X25519, CurveP256]"
        ),
    );
    let config = accepted(&text);
    let settings = config.tls.as_ref().unwrap();
    assert_eq!(settings.client_auth, ClientAuth::RequireAnyClientCert);
    assert_eq!(settings.tls12, Some(vec![Suite::EcdheRsaAes128Gcm]));
    assert!(settings.tls13);
    assert_eq!(settings.curves, Some(vec![Curve::X25519, Curve::P256]));
    let sans = ["a", "1", ""].map(str::to_owned).to_vec();
    assert_eq!(settings.client_allowed_sans, Some(sans));
    assert_eq!(config.files().count(), 3);
    let mut users: Vec<_> = config.users.keys().collect();
    users.sort();
    assert_eq!(users, ["7", "amy"]);
    let headers = config.headers.iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let expected: [(&str, &[u8]); 3] = [
        ("x-frame-options", b"deny"),
        ("content-security-policy", b""),
        ("strict-transport-security", b"max-age=1"),
    ];
    assert_eq!(headers, expected);
    let interval = Duration::from_secs(90);
    assert_eq!(
        config.rate_limit,
        Some(RequestRate {
            interval,
            burst: 16
        })
    );
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn certificates_may_stand_in_the_file_itself() {
    let folder = folder();
    let [cert, key] = ["web.pem", "web.key"].map(|name| {
        let text = fs::read_to_string(folder.path().join(name)).unwrap();
        text.replace('\n', "\n    ")
    });
    let text = format!("tls_server_config:\n  cert: |\n    {cert}\n  key: |\n    {key}\n");
    let settings = accepted(&text).tls.unwrap();
    assert!(
        settings
            .certificate
            .text
            .starts_with(b"-----BEGIN CERTIFICATE-----\n")
    );
    assert_eq!((settings.key.file, settings.key.key), (None, "key"));
    // A file counts more.
    let both = text.replace("  cert: |", "  cert_file: web.pem\n  cert: |");
    assert!(accepted(&both).tls.unwrap().certificate.file.is_some());
}

#[test]
fn merges_count_in_the_order_of_the_file() {
    let text = format!(
        "tls_server_config: &tls\n  <<: &base {{cert_file: web.pem, key_file: web.key, min_version: TLS13}}\n  \
         min_version: TLS12\nbasic_auth_users:\n  <<: [{{a: {HASH}}}, {{b: {HASH}}}]\n"
    );
    let config = accepted(&text);
    assert!(config.tls.unwrap().tls12.is_some());
    assert_eq!(config.users.len(), 2);
}

#[test]
fn what_rustls_has_not_is_left_out_with_a_warning() {
    let check = |lines: &str, tls12: bool, expected: &[&str]| {
        let config = accepted(&format!(
            "{}http_server_config: {{http2: false}}",
            tls(lines)
        ));
        let settings = config.tls.unwrap();
        assert_eq!(
            (settings.tls12.is_some(), settings.tls13),
            (tls12, true),
            "{lines}"
        );
        let expected: Vec<_> = expected
            .iter()
            .map(|one| format!("tls_server_config.{one}"))
            .collect();
        assert_eq!(config.warnings, expected, "{lines}");
    };
    check(
        "min_version: TLS10",
        true,
        &["min_version: TLS 1.0 and 1.1 are not offered; clients need TLS 1.2 or 1.3"],
    );
    check(
        "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]",
        false,
        &[
            "cipher_suites: suites with CBC are not offered: TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
            "cipher_suites: no suite of TLS 1.2 is left, so only TLS 1.3 is offered",
        ],
    );
    check(
        "cipher_suites: [TLS_AES_256_GCM_SHA384]",
        false,
        &["cipher_suites: no suite of TLS 1.2 is left, so only TLS 1.3 is offered"],
    );
    check(
        "curve_preferences: [CurveP521, CurveP384]",
        true,
        &["curve_preferences: CurveP521 is not offered"],
    );
    check("cipher_suites: []", true, &[]);
    check("cipher_suites:", true, &[]);
    check("min_version: TLS13", false, &[]);
}

#[test]
fn nothing_that_could_be_offered_is_refused() {
    const NO_VERSION: &str = "web.yml:2:3: tls_server_config: no version of TLS is left to offer; expected TLS12 or \
                              TLS13 between min_version and max_version, and for TLS12 a suite with GCM or CHACHA20";
    for lines in [
        "max_version: TLS11\nmin_version: TLS10",
        "min_version: TLS13\nmax_version: TLS12",
        "max_version: TLS12\ncipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA]",
    ] {
        let text = format!("{}http_server_config: {{http2: no}}", tls(lines));
        refused(&text, NO_VERSION);
    }
    refused(
        &tls("curve_preferences: [CurveP521]"),
        "web.yml:2:3: tls_server_config: no curve is left to offer; expected one of CurveP256, CurveP384, X25519 in \
         curve_preferences",
    );
}

#[test]
fn http2_needs_the_suite_of_its_standard() {
    const NEEDS: &str = "web.yml:2:3: tls_server_config: HTTP/2 needs a suite with AES_128_GCM in cipher_suites; \
                         expected one, or min_version: TLS13, or http2: false in http_server_config";
    let suites = "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]";
    refused(&tls(suites), NEEDS);
    refused(&tls("cipher_suites: [TLS_AES_128_GCM_SHA256]"), NEEDS);
    accepted(&tls(&format!("{suites}\nmin_version: TLS13")));
    accepted(&format!(
        "{}http_server_config: {{http2: false}}",
        tls(suites)
    ));
    // Without TLS there is no HTTP/2.
    accepted(&format!("tls_server_config: {{{suites}}}"));
}

#[test]
fn each_fault_is_named_with_its_line_and_word() {
    for (text, expected) in [
        (
            "tls_server_confg: {}",
            "1:1: tls_server_confg: unknown key; expected one of tls_server_config, http_server_config, rate_limit, \
             basic_auth_users",
        ),
        (
            "- a",
            "1:1: is a list; expected a mapping of keys (\"key: value\")",
        ),
        (
            "text",
            "1:1: is a single value; expected a mapping of keys (\"key: value\")",
        ),
        (
            "rate_limit: {}\nrate_limit: {}",
            "2:1: rate_limit: is a duplicate key, first on line 1; expected each key once",
        ),
        (
            "rate_limit: {interval: 1x}",
            "1:24: rate_limit.interval: \"1x\"; expected a duration, such as 100ms or 1s",
        ),
        (
            "rate_limit: {burst: \"1\"}",
            "1:21: rate_limit.burst: \"1\"; expected a whole number, such as 20",
        ),
        (
            "rate_limit: {burst: [1]}",
            "1:21: rate_limit.burst: is a list; expected a whole number, such as 20",
        ),
        (
            "http_server_config: {http2: 'true'}",
            "1:29: http_server_config.http2: is neither true nor false; expected true or false, without quotes",
        ),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: allow",
            "3:22: http_server_config.headers.X-Frame-Options: expected deny or sameorigin",
        ),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options:",
            "3:5: http_server_config.headers.X-Frame-Options: expected deny or sameorigin",
        ),
        (
            "http_server_config:\n  headers:\n    x-frame-options: deny",
            "3:22: http_server_config.headers.x-frame-options: cannot be configured; expected one of \
             Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection, \
             Content-Security-Policy",
        ),
        (
            "http_server_config:\n  headers:\n    X-XSS-Protection: \"\\0\"",
            "3:23: http_server_config.headers.X-XSS-Protection: has a control character; expected printable text",
        ),
        (
            "basic_auth_users: {amy: secret}",
            "1:25: basic_auth_users.amy: is not a bcrypt hash; expected one such as that of htpasswd -nBC 10, from \
             $2y$ on",
        ),
        (
            "basic_auth_users: {amy: }",
            "1:20: basic_auth_users.amy: is not a bcrypt hash; expected one such as that of htpasswd -nBC 10, from \
             $2y$ on",
        ),
        (
            "basic_auth_users: [amy]",
            "1:19: basic_auth_users: is a list; expected a mapping of names (\"name: value\")",
        ),
        (
            "tls_server_config:\n  key_file: web.key",
            "2:3: tls_server_config: has no certificate; expected cert_file or cert",
        ),
        (
            "tls_server_config:\n  cert_file: web.pem",
            "2:3: tls_server_config: has no private key; expected key_file or key",
        ),
        (
            "tls_server_config:\n  cert_file: none.pem\n  key_file: web.key",
            "2:14: tls_server_config.cert_file: the file none.pem cannot be read: No such file or directory (os error \
             2); expected PEM",
        ),
        (
            "a: *b",
            "1:4: an alias (*) without its anchor; expected a value, in quotes if it starts with an asterisk",
        ),
        (
            "<<: 1",
            "1:5: <<: is a single value; expected an alias (*) of a mapping",
        ),
    ] {
        refused(text, &format!("web.yml:{expected}"));
    }
}

#[test]
fn each_fault_of_tls_is_named_with_its_line_and_word() {
    for (line, expected) in [
        (
            "min_version: TLS14",
            "min_version: \"TLS14\" is unknown; expected one of TLS13, TLS12, TLS11, TLS10",
        ),
        (
            "max_version: 1.2",
            "max_version: the value (not shown, it may be a secret) is unknown; expected one of TLS13, TLS12, TLS11, \
             TLS10",
        ),
        (
            "curve_preferences: P256",
            "curve_preferences: is a single value; expected a list (\"- value\")",
        ),
        (
            "client_auth_type: Requires",
            "client_auth_type: \"Requires\" is unknown; expected one of NoClientCert, RequestClientCert, \
             RequireAnyClientCert, RequireClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert",
        ),
        (
            "client_allowed_sans: a",
            "client_allowed_sans: is a single value; expected a list (\"- value\")",
        ),
        (
            "certs: a",
            "certs: unknown key; expected one of cert, key, client_ca, cert_file, key_file, \
         client_auth_type, client_ca_file, cipher_suites, curve_preferences, min_version, max_version, \
         prefer_server_cipher_suites, client_allowed_sans",
        ),
    ] {
        let column = line.find(": ").unwrap() + 5;
        let column = if line.starts_with("certs") { 3 } else { column };
        refused(
            &tls(line),
            &format!("web.yml:4:{column}: tls_server_config.{expected}"),
        );
    }
    refused(
        &tls("client_ca_file: web.pem"),
        "web.yml:2:3: tls_server_config: names authorities of clients and asks no client for a certificate; expected \
         client_auth_type: RequireAndVerifyClientCert",
    );
}

#[test]
fn aliases_cannot_fill_the_memory() {
    let mut text = "a: &a0 [x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        writeln!(text, "b{level}: &a{level} [{before}]").unwrap();
    }
    let problems = read(&text).err().unwrap();
    assert!(
        problems.ends_with("stand for too much; expected few or none"),
        "{problems}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = folder();
    let problems = WebConfig::read(folder.path()).err().unwrap().to_string();
    let expected = format!("{}:1:1: the file cannot be read", folder.path().display());
    assert!(problems.starts_with(&expected), "{problems}");
    fs::write(folder.path().join("web.yml"), b"a: \xff").unwrap();
    let problems = WebConfig::read(&folder.path().join("web.yml"))
        .err()
        .unwrap();
    assert!(problems.to_string().contains("not UTF-8"), "{problems}");
}

#[test]
fn passwords_that_nobody_can_give_are_warned_of() {
    let broken = HASH.replace('X', "!");
    let text = format!(
        "basic_auth_users:\n  amy: {broken}\n  'a:b': {HASH}\n  ben: {}",
        HASH.replace("$10$", "$15$")
    );
    assert_eq!(
        accepted(&text).warnings,
        [
            "basic_auth_users.amy is not a whole bcrypt hash: no password fits it",
            "basic_auth_users.… has a colon in its name: nobody can sign in with it",
            "basic_auth_users.ben has cost 15: each wrong password keeps a processor busy for seconds or more; costs up \
             to 14 are usual",
        ]
    );
}
