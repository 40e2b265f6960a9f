//! Verifies what a client signs with its certificate's key instead of sending a secret: a JWT in the
//! form that upstream asks for (RFC 7523). Knows nothing of forms and tokens.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use x509_cert::der::Decode as _;

use crate::domain::Timestamp;

/// An assertion is good for so many seconds at most.
const LONGEST: u64 = 600;
/// A client's clock may be so far ahead.
const LEEWAY: Duration = Duration::from_mins(1);

/// The registered certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Its RSA key, as the certificate has it.
    key: Vec<u8>,
    /// Its SHA-1 thumbprint in upper-case hexadecimal.
    kid: String,
    /// The same in base64url without padding.
    x5t: String,
}

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it is none.
    pub(super) fn read(der: &[u8]) -> io::Result<Self> {
        let certificate = x509_cert::Certificate::from_der(der).map_err(|error| {
            let text = format!("the registered certificate cannot be read: {error}");
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        let key = certificate.tbs_certificate().subject_public_key_info();
        let thumbprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, der);
        let hex = thumbprint.as_ref().iter().map(|byte| format!("{byte:02X}"));
        Ok(Self {
            key: key.subject_public_key.raw_bytes().to_vec(),
            kid: hex.collect(),
            x5t: BASE64URL.encode(thumbprint),
        })
    }
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    kid: String,
    x5t: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    jti: String,
    iat: u64,
    nbf: u64,
    exp: u64,
}

/// The assertions of one token service.
#[derive(Debug)]
pub(super) struct Assertions {
    certificate: Certificate,
    /// The ids that were used, and when each assertion expires and its id can be forgotten.
    used: Mutex<BTreeMap<String, u64>>,
}

impl Assertions {
    pub(super) fn new(certificate: Certificate) -> Self {
        Self {
            certificate,
            used: Mutex::default(),
        }
    }

    /// Verifies an assertion of this client for this audience.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn verify(
        &self,
        assertion: &str,
        client_id: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let (signed, signature) = assertion.rsplit_once('.').ok_or("it is not a JWT")?;
        let (header, claims) = signed.split_once('.').ok_or("it is not a JWT")?;
        let header: Header = decoded(header).ok_or("its header cannot be read")?;
        if header.typ != "JWT" || header.alg != "RS256" {
            return Err("it is not a JWT with RS256");
        }
        if header.kid != self.certificate.kid || header.x5t != self.certificate.x5t {
            return Err("its thumbprint is not the registered certificate's");
        }
        let signature = BASE64URL.decode(signature);
        let signature = signature.map_err(|_| "its signature cannot be read")?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.certificate.key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| "its signature is wrong")?;
        let claims: Claims = decoded(claims).ok_or("its claims cannot be read")?;
        if claims.iss != client_id || claims.sub != client_id {
            return Err("its issuer or its subject is not the client");
        }
        if claims.aud != audience {
            return Err("its audience is not this token service");
        }
        let latest = now.after(LEEWAY).since_unix().as_secs();
        if claims.nbf > latest || claims.iat > latest {
            return Err("it is not valid yet");
        }
        let now = now.since_unix().as_secs();
        if claims.exp <= now {
            return Err("it has expired");
        }
        if claims.exp > claims.iat.min(claims.nbf).saturating_add(LONGEST) {
            return Err("it is valid for more than 10 minutes");
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, expires| now < *expires);
        match used.insert(claims.jti, claims.exp) {
            Some(_) => Err("its id was used before"),
            None => Ok(()),
        }
    }
}

fn decoded<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&BASE64URL.decode(part).ok()?).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
    use serde_json::{Value, json};

    pub(in super::super) const NOW: u64 = 1_800_000_000;
    const AUDIENCE: &str = "http://127.0.0.1:1/connect/token";

    /// A key, and a certificate of it.
    pub(in super::super) struct Signer {
        key: RsaKeyPair,
        pub(in super::super) der: Vec<u8>,
    }

    impl Signer {
        pub(in super::super) fn new() -> Self {
            let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
            let certificate = rcgen::CertificateParams::new(["app.example".to_owned()]).unwrap();
            Self {
                key: RsaKeyPair::from_pkcs8(pair.serialized_der()).unwrap(),
                der: certificate.self_signed(&pair).unwrap().der().to_vec(),
            }
        }

        /// What verifies by the certificate.
        pub(in super::super) fn assertions(&self) -> Assertions {
            Assertions::new(Certificate::read(&self.der).unwrap())
        }

        /// An assertion that is right.
        pub(in super::super) fn assertion(&self, client: &str, audience: &str, id: &str) -> String {
            self.sign(&self.header(), &claims(client, audience, id))
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let part = |value: &Value| BASE64URL.encode(value.to_string());
            let signed = format!("{}.{}", part(header), part(claims));
            let mut signature = vec![0; self.key.public_modulus_len()];
            let random = SystemRandom::new();
            self.key
                .sign(
                    &RSA_PKCS1_SHA256,
                    &random,
                    signed.as_bytes(),
                    &mut signature,
                )
                .unwrap();
            format!("{signed}.{}", BASE64URL.encode(signature))
        }

        /// The header that upstream asks for. The thumbprints are made here in another way than above.
        fn header(&self) -> Value {
            let thumbprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.der);
            let number = thumbprint.as_ref().iter();
            let kid = number.fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            let x5t = base64::engine::general_purpose::URL_SAFE.encode(thumbprint);
            json!({
                "typ": "JWT",
                "alg": "RS256",
                "kid": kid.to_uppercase(),
                "x5t": x5t.trim_end_matches('='),
            })
        }
    }

    /// Claims that are right.
    fn claims(client_id: &str, audience: &str, jti: &str) -> Value {
        json!({
            "iss": client_id, "sub": client_id, "aud": audience, "jti": jti,
            "iat": NOW, "nbf": NOW, "exp": NOW + 300,
        })
    }

    fn verify(assertions: &Assertions, assertion: &str) -> Result<(), &'static str> {
        let now = Timestamp::from_unix(Duration::from_secs(NOW));
        assertions.verify(assertion, "client", AUDIENCE, now)
    }

    #[test]
    fn an_assertion_is_really_verified() {
        let signer = Signer::new();
        let assertions = signer.assertions();
        let verify_with = |fields: &[(&str, Value)]| {
            let (mut header, mut body) = (signer.header(), claims("client", AUDIENCE, "1"));
            for (name, value) in fields {
                let is_of_header = header.get(name).is_some();
                let part = if is_of_header { &mut header } else { &mut body };
                part[*name] = value.clone();
            }
            verify(&assertions, &signer.sign(&header, &body))
        };
        let thumbprint = "its thumbprint is not the registered certificate's";
        let client = "its issuer or its subject is not the client";
        let audience = "its audience is not this token service";
        let long = "it is valid for more than 10 minutes";
        for (name, value, expected) in [
            ("typ", json!("at+jwt"), "it is not a JWT with RS256"),
            ("alg", json!("none"), "it is not a JWT with RS256"),
            ("kid", json!("00"), thumbprint),
            ("x5t", json!("AA"), thumbprint),
            ("iss", json!("x"), client),
            ("sub", json!("x"), client),
            ("aud", json!("http://127.0.0.1:1/"), audience),
            ("nbf", json!(NOW + 61), "it is not valid yet"),
            ("iat", json!(NOW + 61), "it is not valid yet"),
            ("exp", json!(NOW), "it has expired"),
            ("exp", json!(NOW + 601), long),
            ("iat", json!(NOW - 301), long),
            ("jti", json!(null), "its claims cannot be read"),
        ] {
            assert_eq!(verify_with(&[(name, value)]), Err(expected), "{name}");
        }
        for text in ["", "a.b", "a.b.c"] {
            assert!(verify(&assertions, text).is_err(), "{text}");
        }
        let ahead = json!(NOW + 60);
        assert_eq!(
            verify_with(&[("nbf", ahead.clone()), ("iat", ahead)]),
            Ok(())
        );
    }

    #[test]
    fn an_assertion_of_another_key_is_refused() {
        let (signer, other) = (Signer::new(), Signer::new());
        let assertions = signer.assertions();
        let [one, two] = ["1", "2"].map(|id| signer.assertion("client", AUDIENCE, id));
        let (_, signature) = one.rsplit_once('.').unwrap();
        let (text, _) = two.rsplit_once('.').unwrap();
        let changed = format!("{text}.{signature}");
        let forged = other.sign(&signer.header(), &claims("client", AUDIENCE, "1"));
        for assertion in [forged, changed] {
            let verified = verify(&assertions, &assertion);
            assert_eq!(verified, Err("its signature is wrong"));
        }
    }

    #[test]
    fn an_assertion_is_good_once() {
        let signer = Signer::new();
        let assertions = signer.assertions();
        let assertion = signer.assertion("client", AUDIENCE, "1");
        assert_eq!(verify(&assertions, &assertion), Ok(()));
        let used = Err("its id was used before");
        assert_eq!(verify(&assertions, &assertion), used);
        let next = signer.assertion("client", AUDIENCE, "2");
        assert_eq!(verify(&assertions, &next), Ok(()));
    }
}
