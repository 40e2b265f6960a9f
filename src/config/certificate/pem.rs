//! Certificates and private keys in PEM.

use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::Decode as _;
use rustls_pki_types::pem::{PemObject as _, SectionKind};
use zeroize::Zeroizing;

use super::Unreadable;
use crate::domain::Secret;

/// One section, as DER.
type Section = (SectionKind, Vec<u8>);

const BEGIN: &str = "-----BEGIN ";

const BEGIN_ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END_ENCRYPTED: &str = "-----END ENCRYPTED PRIVATE KEY-----";

/// The header of keys that were encrypted by OpenSSL's old way of doing so, which stretches no password.
const OLD_ENCRYPTION: &str = "Proc-Type: 4,ENCRYPTED";

const CONVERT: &str = "expected a key encrypted with PBES2; convert it with: openssl pkcs8 -topk8 \
                       -v2 aes-256-cbc -in old.key -out new.key";

/// Whether the file is PEM at all.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    contains(bytes, BEGIN)
}

/// Whether PEM has a private key of any kind, encrypted or not.
pub(super) fn has_key(bytes: &[u8]) -> bool {
    contains(bytes, "PRIVATE KEY-----")
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// The certificates, as DER.
pub(super) fn certificates(bytes: &[u8], place: &str) -> Result<Vec<Vec<u8>>, Unreadable> {
    let mut certificates = Vec::new();
    for section in Section::pem_slice_iter(bytes) {
        let (kind, der) = section.map_err(|_| broken(place))?;
        let der = Zeroizing::new(der);
        if kind == SectionKind::Certificate {
            certificates.push(der.to_vec());
        }
    }
    Ok(certificates)
}

/// The private keys; `None` for each that is no RSA key of a good size.
pub(super) fn keys(
    bytes: &[u8],
    place: &str,
    password: Option<&Secret>,
) -> Result<Vec<Option<RsaKeyPair>>, Unreadable> {
    let text = String::from_utf8_lossy(bytes);
    if text.contains(OLD_ENCRYPTION) {
        return Err(Unreadable::Other(format!(
            "the private key in {place} is encrypted in OpenSSL's legacy format; {CONVERT}"
        )));
    }
    if text.contains(BEGIN_ENCRYPTED) {
        return decrypted(&text, place, password).map(|key| vec![key]);
    }
    let mut keys = Vec::new();
    for section in Section::pem_slice_iter(bytes) {
        let (kind, der) = section.map_err(|_| broken(place))?;
        let der = Zeroizing::new(der);
        keys.extend(match kind {
            SectionKind::PrivateKey => Some(RsaKeyPair::from_pkcs8(&der).ok()),
            SectionKind::RsaPrivateKey => Some(RsaKeyPair::from_der(&der).ok()),
            SectionKind::EcPrivateKey => Some(None),
            _ => None,
        });
    }
    if password.is_some() && !keys.is_empty() {
        return Err(Unreadable::NothingEncrypted);
    }
    Ok(keys)
}

/// The first encrypted private key.
fn decrypted(
    text: &str,
    place: &str,
    password: Option<&Secret>,
) -> Result<Option<RsaKeyPair>, Unreadable> {
    use pkcs8::Error;
    use pkcs8::pkcs5::Error as Scheme;

    let password = password.ok_or(Unreadable::NoPassword)?;
    let (_, rest) = text
        .split_once(BEGIN_ENCRYPTED)
        .ok_or_else(|| broken(place))?;
    let (base64, _) = rest
        .split_once(END_ENCRYPTED)
        .ok_or_else(|| broken(place))?;
    let base64: String = base64.split_ascii_whitespace().collect();
    let der = BASE64_STANDARD.decode(base64).map_err(|_| broken(place))?;
    let foreign = || {
        Unreadable::Other(format!(
            "the private key in {place} uses an unsupported encryption; {CONVERT}"
        ))
    };
    let encrypted = EncryptedPrivateKeyInfoRef::from_der(&der).map_err(|_| foreign())?;
    match encrypted.decrypt(password.expose()) {
        Ok(key) => Ok(RsaKeyPair::from_pkcs8(key.as_bytes()).ok()),
        // One wrong password in 256 leaves a padding that looks right, and behind it no key.
        Err(Error::EncryptedPrivateKey(Scheme::DecryptFailed) | Error::Asn1(_)) => {
            Err(Unreadable::WrongPassword)
        }
        Err(_) => Err(foreign()),
    }
}

fn broken(place: &str) -> Unreadable {
    Unreadable::Other(format!(
        "{place} is invalid PEM; expected complete sections, from -----BEGIN …----- to -----END …-----"
    ))
}
