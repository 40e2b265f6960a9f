//! TLS: the web configuration's settings as rustls takes them.

mod clients;
mod pems;

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{Error, InconsistentKeys, ServerConfig, SupportedCipherSuite};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use self::clients::Clients;
pub(super) use self::clients::has_expired;
use self::pems::{Wrong, certificates, wrong};
use crate::config::web::{Curve, Suite, TlsSettings};

/// What rustls serves with by these settings, with or without HTTP/2. What nobody may expect is added to `warnings`.
///
/// # Errors
/// What is wrong with the certificate, the key or the authorities, and what was expected, with its line.
pub(super) fn build(
    settings: &TlsSettings,
    http2: bool,
    warnings: &mut Vec<String>,
) -> Result<Arc<ServerConfig>, Wrong> {
    let provider = Arc::new(provider(settings));
    let certified = certified(settings, &provider)?;
    let mut versions = Vec::new();
    if settings.tls13 {
        versions.push(&TLS13);
    }
    if settings.tls12.is_some() {
        versions.push(&TLS12);
    }
    let clients = Clients::new(settings, &provider, warnings)?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|error| wrong(&settings.certificate, error.to_string()))?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(Arc::new(clients)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    let protocols: &[&[u8]] = if http2 {
        &[b"h2", b"http/1.1"]
    } else {
        &[b"http/1.1"]
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// The ciphers and groups that the settings leave.
fn provider(settings: &TlsSettings) -> CryptoProvider {
    let mut provider = default_provider();
    let tls12 = settings.tls12.iter().flatten().map(|one| suite(*one));
    provider
        .cipher_suites
        .retain(|suite| suite.tls13().is_some());
    provider.cipher_suites.extend(tls12);
    if let Some(curves) = &settings.curves {
        provider.kx_groups = curves.iter().map(|curve| group(*curve)).collect();
    }
    provider
}

const fn suite(suite: Suite) -> SupportedCipherSuite {
    match suite {
        Suite::EcdheRsaAes128Gcm => cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        Suite::EcdheRsaAes256Gcm => cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        Suite::EcdheRsaChaCha20 => cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        Suite::EcdheEcdsaAes128Gcm => cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        Suite::EcdheEcdsaAes256Gcm => cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        Suite::EcdheEcdsaChaCha20 => cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    }
}

fn group(curve: Curve) -> &'static dyn SupportedKxGroup {
    match curve {
        Curve::P256 => kx_group::SECP256R1,
        Curve::P384 => kx_group::SECP384R1,
        Curve::X25519 => kx_group::X25519,
    }
}

/// The certificate with its key.
fn certified(settings: &TlsSettings, provider: &CryptoProvider) -> Result<CertifiedKey, Wrong> {
    let (pem, key_pem) = (&settings.certificate, &settings.key);
    let certificates = certificates(pem);
    if certificates.is_empty() {
        let message = "there is no certificate; expected PEM with -----BEGIN CERTIFICATE-----";
        return Err(wrong(pem, message));
    }
    let key = PrivateKeyDer::from_pem_slice(&key_pem.text).map_err(|_| {
        let message = "there is no private key; expected one in PEM, without a password";
        wrong(key_pem, message)
    })?;
    CertifiedKey::from_der(certificates, key, provider).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            let message = "the private key is that of another certificate; expected that of the first one in ";
            wrong(key_pem, format!("{message}{}", pem.key))
        }
        Error::InvalidCertificate(_) => {
            let message = "the first certificate is unusable; expected X.509 of version 3 in PEM";
            wrong(pem, message)
        }
        _ => wrong(
            key_pem,
            "the private key is unusable; expected RSA of 2048 to 8192 bits, ECDSA (P-256, P-384, P-521) or Ed25519",
        ),
    })
}
