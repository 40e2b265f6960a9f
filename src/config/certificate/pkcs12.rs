//! Certificates with their private keys in PKCS#12, by the crate that the cargo feature `pfx` brings.

use super::{Parts, Unreadable};
use crate::domain::Secret;

/// Certificates and private keys. Without a password, the file must have been made with an empty one or with none.
#[cfg(feature = "pfx")]
pub(super) fn read(
    bytes: &[u8],
    place: &str,
    password: Option<&Secret>,
) -> Result<Parts, Unreadable> {
    use aws_lc_rs::signature::RsaKeyPair;
    use p12_keystore::Pkcs12Archive;
    use p12_keystore::error::Error;

    let archive = Pkcs12Archive::from_pkcs12(bytes, password.map_or("", Secret::expose));
    let archive = archive.map_err(|error| match error {
        // The second and third are of files without a checksum.
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) if password.is_some() => {
            Unreadable::WrongPassword
        }
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => Unreadable::NoPassword,
        Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm => {
            Unreadable::Other(format!(
                "{place} uses an unsupported encryption; expected PBES2 or PEM; convert it with: openssl pkcs12 -in \
                 old.pfx -out new.pem"
            ))
        }
        _ => Unreadable::Other(format!(
            "{place} is neither PKCS#12 nor PEM; {}",
            super::EXPECTED_FILE
        )),
    })?;
    let certificates = archive.certs.iter().map(|bag| bag.cert.as_der().to_vec());
    let keys = archive
        .keys
        .iter()
        .map(|bag| RsaKeyPair::from_pkcs8(bag.key.as_der()).ok());
    Ok(Parts {
        certificates: certificates.collect(),
        keys: keys.collect(),
    })
}

/// Without the feature, a word on what to do instead.
#[cfg(not(feature = "pfx"))]
pub(super) fn read(_: &[u8], place: &str, _: Option<&Secret>) -> Result<Parts, Unreadable> {
    Err(Unreadable::Other(format!(
        "{place} is not PEM, and this build cannot read PKCS#12 (feature pfx); expected PEM; convert it with: openssl \
         pkcs12 -in app.pfx -out app.pem"
    )))
}
