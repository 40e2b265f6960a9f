//! Files as OpenSSL writes them, from `tests/certificates`, through a whole configuration.

use std::path::Path;

use aws_lc_rs::digest;

use super::*;
use crate::config::{ClientCredential, Config, Source};

/// 2027-01-01; the certificates were made in November 2026.
const NOW: u64 = 1_798_761_600;

/// SHA-1 of the certificate in `app.crt`, as `openssl x509 -fingerprint` tells it.
const APP: [u8; 20] = [
    0xD2, 0x40, 0xC6, 0xF6, 0x54, 0x4A, 0xEA, 0xFE, 0xAB, 0xD9, 0xBD, 0xE0, 0xA1, 0x9F, 0xA6, 0x02,
    0xFB, 0x57, 0xC6, 0xEA,
];

fn read_at(now: u64, keys: &str) -> Result<Certificate, String> {
    let text = format!(
        "elements: {{ client_id: app, certificate: {{ {keys} }} }}\ntenants: [{{ customer_id: \
         966f35cc-61f4-4070-819c-25cdbcf82a07, tenant_id: 0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec }}]\n"
    );
    let source = Source {
        name: "c.yaml",
        base_dir: &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates"),
        env: &|name| match name {
            "PASSWORD" => Some("s3cr3t".to_owned()),
            "WRONG" => Some("hunter2".to_owned()),
            _ => None,
        },
        now: Timestamp::from_unix(Duration::from_secs(now)),
    };
    let config = Config::parse(&text, &source).map_err(|error| error.to_string())?;
    match config.elements.credential {
        ClientCredential::Certificate(certificate) => Ok(certificate),
        ClientCredential::Secret { .. } => panic!("no certificate"),
    }
}

#[track_caller]
fn assert_is_app(keys: &str) {
    let certificate = read_at(NOW, keys).unwrap();
    let thumbprint = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &certificate.der);
    assert_eq!(thumbprint.as_ref(), APP, "{keys}");
    assert_eq!(certificate.not_after.to_string(), "2126-10-29T03:32:11Z");
}

/// The key that is wrong, and what about it.
#[track_caller]
fn assert_refused(keys: &str, key: &str, message: &str) {
    assert_refused_at(NOW, keys, key, message);
}

#[track_caller]
fn assert_refused_at(now: u64, keys: &str, key: &str, message: &str) {
    let error = read_at(now, keys).unwrap_err();
    let (place, _) = error.split_once(key).unwrap_or_else(|| panic!("{error}"));
    assert!(place.starts_with("c.yaml:1:"), "{error}");
    assert!(error.contains(message), "{error}");
    assert!(error.contains("; expected "), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(!error.contains("s3cr3t") && !error.contains("hunter2"));
}

#[test]
fn pem_in_one_file_or_two_is_read_whatever_form_the_key_has() {
    assert_is_app("file: app.pem");
    assert_is_app("file: app.crt, key_file: app.key");
    assert_is_app("file: app.crt, key_file: app.pkcs1.key");
    assert_is_app("file: app.pem, key_file: app.pem");
}

#[test]
fn pem_and_a_password_that_windows_wrote_are_read_with_a_mark_wherever_files_were_joined() {
    let folder = tempfile::tempdir().unwrap();
    let original = |name: &str| std::fs::read(format!("tests/certificates/{name}")).unwrap();
    let marked = |names: &[&str]| {
        let parts = names.iter().map(|name| {
            let text = String::from_utf8(original(name)).unwrap();
            format!("\u{feff}{}", text.replace('\n', "\r\n"))
        });
        parts.collect::<String>()
    };
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let both = write("both", marked(&["app.crt", "app.key"]));
    let certificate = write("certificate", marked(&["other.crt", "app.crt"]));
    let key = write("key", marked(&["app.encrypted.key"]));
    let password = write("password", marked(&["password"]));
    assert_is_app(&format!("file: {both}"));
    assert_is_app(&format!(
        "file: {certificate}, key_file: {key}, password_file: {password}"
    ));
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain(marked(&["app.crt"]).encode_utf16().skip(1))
        .flat_map(u16::to_be_bytes)
        .collect();
    let path = folder.path().join("utf16");
    std::fs::write(&path, utf16).unwrap();
    assert_refused(
        &format!("file: {}", path.display()),
        "elements.certificate.file: ",
        "is UTF-16 text; save it again as UTF-8; expected",
    );
}

#[test]
fn an_encrypted_pem_key_is_opened_by_its_password() {
    assert_is_app("file: app.crt, key_file: app.encrypted.key, password_file: password");
    assert_is_app("file: app.crt, key_file: app.encrypted.key, password_env: PASSWORD");
}

#[test]
fn of_several_certificates_the_one_that_fits_the_key_is_taken() {
    assert_is_app("file: chain.crt, key_file: app.key");
}

#[cfg(feature = "pfx")]
#[test]
fn pkcs12_is_read_in_its_modern_and_its_legacy_form_and_with_an_empty_password() {
    assert_is_app("file: app.pfx, password_file: password");
    assert_is_app("file: app.legacy.pfx, password_env: PASSWORD");
    assert_is_app("file: app.empty.pfx");
}

#[cfg(feature = "pfx")]
#[test]
fn pkcs12_that_cannot_be_opened_is_refused_where_the_mistake_is() {
    let wrong = "elements.certificate.password_env: is not the password of";
    assert_refused("file: app.pfx, password_env: WRONG", wrong, "");
    assert_refused("file: app.legacy.pfx, password_env: WRONG", wrong, "");
    assert_refused("file: app.empty.pfx, password_env: WRONG", wrong, "");
    assert_refused(
        "file: app.pfx, password_file: password.wrong",
        "elements.certificate.password_file: is not the password of",
        "",
    );
    let file = "elements.certificate.file: ";
    assert_refused(
        "file: app.pfx",
        file,
        "protected by a password; expected password_file or",
    );
    assert_refused("file: app.legacy.pfx", file, "protected by a password");
    assert_refused(
        "file: app.rc4.pfx, password_env: PASSWORD",
        file,
        "openssl pkcs12 -in old.pfx",
    );
    assert_refused(
        "file: nokey.pfx, password_env: PASSWORD",
        file,
        "contains no private key",
    );
    assert_refused(
        "file: app.pfx, key_file: app.key, password_env: PASSWORD",
        "elements.certificate.key_file: is only for PEM",
        "",
    );
}

#[cfg(not(feature = "pfx"))]
#[test]
fn without_the_feature_pkcs12_is_refused_with_the_command_that_converts_it() {
    assert_refused(
        "file: app.pfx, password_env: PASSWORD",
        "elements.certificate.file: ",
        "(feature pfx); expected PEM; convert it with: openssl pkcs12",
    );
}

#[test]
fn a_pem_key_that_cannot_be_opened_is_refused_with_what_to_do() {
    let pair = |key: &str| format!("file: app.crt, key_file: {key}");
    let key_file = "elements.certificate.key_file: ";
    assert_refused(
        &pair("app.encrypted.key"),
        key_file,
        "protected by a password",
    );
    assert_refused(
        &pair("app.encrypted.key, password_env: WRONG"),
        "elements.certificate.password_env: is not the password of",
        "",
    );
    for key in ["app.old.key", "app.pbes1.key"] {
        let keys = pair(&format!("{key}, password_env: PASSWORD"));
        assert_refused(&keys, key_file, "openssl pkcs8 -topk8");
    }
    assert_refused(
        &pair("app.key, password_env: PASSWORD"),
        "elements.certificate.password_env: is not needed",
        "",
    );
}

#[test]
fn a_key_that_is_missing_or_does_not_fit_is_refused() {
    let file = "elements.certificate.file: ";
    let key_file = "elements.certificate.key_file: ";
    assert_refused("file: app.crt", file, "contains no private key");
    assert_refused(
        "file: app.crt, key_file: other.crt",
        key_file,
        "contains no private key",
    );
    assert_refused(
        "file: app.crt, key_file: other.key",
        key_file,
        "does not belong to the certificate",
    );
    assert_refused("file: app.key", file, "contains no certificate");
    for bad in ["small", "ec"] {
        let keys = format!("file: {bad}.crt, key_file: {bad}.key");
        assert_refused(&keys, key_file, "expected an RSA key of 2048 to 8192 bits");
    }
}

#[test]
fn a_file_that_is_no_certificate_is_refused() {
    let file = "elements.certificate.file: ";
    assert_refused("file: make", file, "; expected");
    assert_refused("file: ../../Cargo.toml", file, "; expected");
    assert_refused("file: app.der", file, "; expected");
    assert_refused("file: nowhere.pem", file, "cannot be read: No such file");
    assert_refused("file: ''", file, "is empty");
    assert_refused(
        "key_file: app.key",
        "elements.certificate.file: is missing",
        "",
    );
    assert_refused(
        "file: app.crt, key_file: nowhere.key",
        "elements.certificate.key_file: ",
        "cannot be read: No such file",
    );
}

#[test]
fn two_passwords_are_refused_at_both_and_one_that_is_no_name_is_not_shown() {
    let error = read_at(
        NOW,
        "file: app.pfx, password_file: password, password_env: PASSWORD",
    );
    let error = error.unwrap_err();
    assert_eq!(error.matches("is not the only password").count(), 2);
    let inline = read_at(NOW, "file: app.pfx, password_env: hunter2").unwrap_err();
    assert!(inline.contains("the environment variable of this name is not set"));
    assert!(!inline.contains("hunter2"));
}

#[test]
fn a_certificate_is_refused_when_it_has_expired_or_does_not_begin_within_five_minutes() {
    let made = 1_795_318_331;
    let keys = "file: app.pem";
    assert!(read_at(made - 300, keys).is_ok());
    let file = "elements.certificate.file: ";
    assert_refused_at(
        made - 301,
        keys,
        file,
        "is not valid before 2026-11-22T03:32:11Z",
    );
    let expiry = 4_948_918_331;
    assert!(read_at(expiry - 1, keys).is_ok());
    assert_refused_at(expiry, keys, file, "expired at 2126-10-29T03:32:11Z");
}

#[test]
fn the_key_is_never_printed() {
    let certificate = read_at(NOW, "file: app.pem").unwrap();
    let printed = format!("{certificate:?}");
    assert!(printed.contains("[redacted]"), "{printed}");
    assert!(printed.len() < 200, "{printed}");
}

#[test]
fn an_expired_certificate_of_partner_center_is_no_reason_to_stop_what_works_without_it() {
    let source = Source {
        name: "config.yaml",
        base_dir: Path::new("tests/certificates"),
        env: &|_| None,
        now: Timestamp::from_unix(Duration::from_secs(4_948_918_331)),
    };
    let text = "elements: { client_id: a, client_secret: b }\npartner_center: { tenant: contoso.example, client_id: \
                c, certificate: { file: app.pem }, refresh_token_file: password }\ndiscovery: { enabled: true }\n";
    let config = Config::parse(text, &source).unwrap();
    let partner_center = config.partner_center.unwrap();
    let ClientCredential::Certificate(certificate) = partner_center.credential else {
        panic!("{:?}", partner_center.credential)
    };
    assert_eq!(certificate.not_after, source.now);
}
