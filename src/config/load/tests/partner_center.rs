//! The section `partner_center`, and the file of the refresh token.

use super::*;
use crate::config::PartnerCenter;

/// The section with these further keys, from a folder that holds these files.
fn section(keys: &str, files: &[(&str, &str)]) -> Result<PartnerCenter, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let section = format!(
        "partner_center: {{ client_id: pc, client_secret_env: SECRET, refresh_token_file: pc.token, {keys} }}\n"
    );
    let text = section + &text_with_collectors("", "");
    let outcome = parse_in(folder.path(), &text);
    let mut left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    assert_eq!(left, names, "the check leaves nothing behind");
    outcome.map(|config| config.partner_center.unwrap())
}

const TOKEN: &[(&str, &str)] = &[("pc.token", "from-the-file\n")];

#[test]
fn what_the_section_leaves_out_gets_its_default() {
    let found = section("tenant: partner.onmicrosoft.com", TOKEN).unwrap();
    assert_eq!(
        found.api_url.as_str(),
        "https://api.partnercenter.microsoft.com/"
    );
    assert_eq!(
        found.token_url.as_str(),
        "https://login.microsoftonline.com/partner.onmicrosoft.com/oauth2/v2.0/token"
    );
    assert_eq!(found.client_id, "pc");
    assert_eq!(client_secret(&found.credential), "s3cr3t");
    assert_eq!(
        found.scope,
        "https://api.partnercenter.microsoft.com/.default"
    );
    assert_eq!(found.rate_limit.burst, 20);
    assert!(found.refresh_token_file.is_absolute());
    assert!(found.refresh_token_file.ends_with("pc.token"));
    assert!(found.first_refresh_token.is_none());
}

#[test]
fn the_tenant_is_a_domain_or_an_id_and_a_token_url_does_without() {
    let token_url = |keys: &str| section(keys, TOKEN).map(|found| String::from(found.token_url));
    for tenant in [
        "partner.onmicrosoft.com",
        "xn--bcher-kva.example",
        "0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec",
    ] {
        let expected = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token");
        assert_eq!(token_url(&format!("tenant: {tenant}")).unwrap(), expected);
    }
    let other = "https://login.partner.microsoftonline.cn/x/oauth2/v2.0/token";
    assert_eq!(token_url(&format!("token_url: '{other}'")).unwrap(), other);
    let keys = format!("tenant: a.example, token_url: '{other}'");
    assert_eq!(token_url(&keys).unwrap(), other);
    for tenant in [
        "common",
        "..",
        ".",
        "a..b",
        ".example",
        "a.",
        "-a.example",
        "a-.example",
        "a_b.example",
        "bücher.example",
        "a.example/x",
        "a.example?x",
        "a.example#x",
        "a%2e.example",
        "' a.example'",
    ] {
        assert!(token_url(&format!("tenant: {tenant}")).is_err(), "{tenant}");
    }
    let long = format!("{}example", "a.".repeat(124));
    assert!(token_url(&format!("tenant: {long}")).is_err());
}

#[test]
fn the_first_refresh_token_is_read_only_while_there_is_no_file() {
    let first = |keys: &str, files| {
        let found = section(&format!("tenant: a.example, {keys}"), files)?;
        Ok::<_, ConfigError>(
            found
                .first_refresh_token
                .map(|token| token.expose().to_owned()),
        )
    };
    let set = "refresh_token_env: SECRET";
    assert_eq!(first(set, &[]).unwrap().as_deref(), Some("s3cr3t"));
    assert_eq!(first(set, TOKEN).unwrap(), None);
    assert_eq!(first("refresh_token_env: NOT_SET", TOKEN).unwrap(), None);
    assert!(first("refresh_token_env: NOT_SET", &[]).is_err());
    assert!(first("", &[]).is_err());
    assert!(first(set, &[("pc.token", " \n")]).is_err());
}

#[test]
fn a_section_without_keys_is_none() {
    let text = format!("partner_center:\n{}", text_with_collectors("", ""));
    assert!(parse(&text).unwrap().partner_center.is_none());
}
