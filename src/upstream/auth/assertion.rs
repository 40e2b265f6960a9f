//! A signed assertion: what a certificate proves itself with. RFC 7523, and AvePoint's and Microsoft's
//! documentation of their token services, which agree on it.

use std::fmt::Write as _;
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64_URL;
use serde::Serialize;

use crate::config::Certificate;
use crate::domain::{Secret, Timestamp};

/// An assertion is used at once; this leaves room for a clock that is behind.
const LIFE: Duration = Duration::from_mins(5);

#[derive(Serialize)]
struct Header<'a> {
    typ: &'a str,
    alg: &'a str,
    kid: &'a str,
    x5t: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: u64,
    nbf: u64,
    exp: u64,
}

/// An assertion that the app registration itself asks this token service. Each has an id of its own, since
/// services refuse one that they have seen.
///
/// # Errors
/// When the system gives no random bytes, or the key does not sign.
pub(super) fn signed(
    certificate: &Certificate,
    client_id: &str,
    audience: &str,
    now: Timestamp,
) -> Result<Secret, Unspecified> {
    let mut id = [0; 16];
    fill(&mut id)?;
    let thumbprint = thumbprint(certificate);
    let header = Header {
        typ: "JWT",
        alg: "RS256",
        kid: &upper_hex(&thumbprint),
        x5t: &BASE64_URL.encode(thumbprint),
    };
    let claims = Claims {
        iss: client_id,
        sub: client_id,
        aud: audience,
        jti: &BASE64_URL.encode(id),
        iat: now.since_unix().as_secs(),
        nbf: now.since_unix().as_secs(),
        exp: now.after(LIFE).since_unix().as_secs(),
    };
    let mut token = format!("{}.{}", part(&header)?, part(&claims)?);
    let key = &certificate.key;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        token.as_bytes(),
        &mut signature,
    )?;
    token.push('.');
    BASE64_URL.encode_string(&signature, &mut token);
    Ok(Secret::from(token))
}

/// What both clouds call a certificate by: SHA-1 of it, in capital hexadecimal digits.
pub(super) fn fingerprint(certificate: &Certificate) -> String {
    upper_hex(&thumbprint(certificate))
}

fn thumbprint(certificate: &Certificate) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, &certificate.der)
        .as_ref()
        .to_vec()
}

fn upper_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to text does not fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

fn part(value: &impl Serialize) -> Result<String, Unspecified> {
    let json = serde_json::to_vec(value).map_err(|_| Unspecified)?;
    Ok(BASE64_URL.encode(json))
}
