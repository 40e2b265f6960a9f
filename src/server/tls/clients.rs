//! Certificates of clients, and which of them are let in: what Go's `crypto/tls` does by the same names.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_CLIENT_AUTH};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, SubjectAltName};

use super::pems::{Wrong, certificates, wrong};
use crate::config::web::{ClientAuth, TlsSettings};

/// Who is let in by a certificate.
#[derive(Debug)]
pub(super) struct Clients {
    auth: ClientAuth,
    authorities: Vec<Authority>,
    /// By the authorities that were valid when it was made; `None` if there were none.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// What clients are told, so that they can choose among their certificates.
    hints: Vec<DistinguishedName>,
    allowed_sans: Option<Vec<String>>,
    provider: Arc<CryptoProvider>,
}

/// A certificate among those of authorities.
#[derive(Debug)]
struct Authority {
    der: CertificateDer<'static>,
    /// Whether it may have signed those of clients. Otherwise it stands for itself alone.
    signs: bool,
    /// The seconds since 1970 within which it is valid.
    valid: (u64, u64),
}

impl Clients {
    /// By these settings; `None` where no client is asked for a certificate.
    pub(super) fn new(
        settings: &TlsSettings,
        provider: &Arc<CryptoProvider>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, Wrong> {
        let auth = settings.client_auth;
        if auth == ClientAuth::NoClientCert {
            return Ok(None);
        }
        let is_verified = auth.verifies();
        let authorities: Vec<_> = match &settings.client_ca {
            Some(pem) => certificates(pem),
            // As in Go, which takes the authorities of the system where none are named.
            None if is_verified => {
                warnings.push(format!(
                    "tls_server_config.client_auth_type: {auth:?} without client_ca_file accepts each client \
                     certificate of all authorities that this system trusts"
                ));
                rustls_native_certs::load_native_certs().certs
            }
            None => Vec::new(),
        };
        let authorities: Vec<_> = authorities
            .into_iter()
            .filter_map(Authority::read)
            .collect();
        if let Some(pem) = &settings.client_ca
            && authorities.is_empty()
        {
            warnings.push(format!(
                "tls_server_config.{} holds no certificate: no client's certificate is accepted",
                pem.key
            ));
        }
        if !is_verified {
            warnings.push(format!(
                "tls_server_config.client_auth_type: {auth:?} accepts certificates of any authority; \
                 RequireAndVerifyClientCert accepts only those of yours"
            ));
        }
        let mut clients = Self {
            auth,
            authorities,
            verifier: None,
            hints: Vec::new(),
            allowed_sans: settings.client_allowed_sans.clone(),
            provider: Arc::clone(provider),
        };
        let verifier = clients.verifier(|_| true);
        let pem = settings.client_ca.as_ref().unwrap_or(&settings.certificate);
        clients.verifier = verifier.map_err(|error| wrong(pem, error))?;
        if settings.client_ca.is_some()
            && let Some(verifier) = &clients.verifier
        {
            clients.hints = verifier.root_hint_subjects().to_vec();
        }
        Ok(Some(clients))
    }

    /// What verifies chains up to these authorities; `None` if none of them signs.
    fn verifier(
        &self,
        wanted: impl Fn(&Authority) -> bool,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
        let mut roots = RootCertStore::empty();
        let signing = self.authorities.iter().filter(|one| one.signs);
        roots.add_parsable_certificates(
            signing.filter(|one| wanted(one)).map(|one| one.der.clone()),
        );
        if roots.is_empty() {
            return Ok(None);
        }
        let provider = Arc::clone(&self.provider);
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let verifier = verifier.map_err(|error| error.to_string())?;
        Ok(Some(verifier))
    }

    /// Whether a chain of trust leads to the certificate.
    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let is_it = |one: &&Authority| *one.der == **certificate;
        if let Some(authority) = self.authorities.iter().find(is_it) {
            return authority.verify_itself(now);
        }
        let is_valid = |one: &Authority| one.is_valid(now).is_ok();
        let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        // Go lets nobody in by an authority that has expired.
        let verifier = if self.authorities.iter().all(is_valid) {
            self.verifier.clone()
        } else {
            self.verifier(is_valid).map_err(|_| unknown())?
        };
        let verifier = verifier.ok_or_else(unknown)?;
        verifier
            .verify_client_cert(certificate, intermediates, now)
            .map(drop)
    }

    /// Whether the certificate has one of the names that are let in.
    fn check_names(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let Some(allowed) = &self.allowed_sans else {
            return Ok(());
        };
        let bad = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
        let certificate = Certificate::from_der(certificate).map_err(bad)?;
        let names = extension::<SubjectAltName>(&certificate)?;
        let names = names.into_iter().flat_map(|names| names.0);
        if names
            .filter_map(|name| shown(&name))
            .any(|name| allowed.contains(&name))
        {
            Ok(())
        } else {
            Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            ))
        }
    }
}

impl Authority {
    /// `None` for what is no certificate.
    fn read(der: CertificateDer<'static>) -> Option<Self> {
        let certificate = Certificate::from_der(&der).ok()?;
        let constraints = extension::<BasicConstraints>(&certificate).ok()?;
        let fields = certificate.tbs_certificate();
        let signs = match constraints {
            Some(constraints) => constraints.ca,
            // There was no such extension before version 3.
            None => fields.version() != x509_cert::Version::V3,
        };
        let validity = fields.validity();
        let seconds = |time: &x509_cert::time::Time| time.to_unix_duration().as_secs();
        let valid = (seconds(&validity.not_before), seconds(&validity.not_after));
        Some(Self { der, signs, valid })
    }

    fn is_valid(&self, now: UnixTime) -> Result<(), Error> {
        let (from, to) = self.valid;
        if now.as_secs() < from {
            Err(Error::InvalidCertificate(CertificateError::NotValidYet))
        } else if now.as_secs() > to {
            Err(Error::InvalidCertificate(CertificateError::Expired))
        } else {
            Ok(())
        }
    }

    /// Verifies it as the certificate of a client. webpki refuses a client that is its own authority, Go does not.
    fn verify_itself(&self, now: UnixTime) -> Result<(), Error> {
        self.is_valid(now)?;
        let bad = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
        let certificate = Certificate::from_der(&self.der).map_err(bad)?;
        let purposes = extension::<ExtendedKeyUsage>(&certificate)?;
        let is_for_clients = purposes.is_none_or(|purposes| {
            let mut purposes = purposes.0.iter();
            purposes.any(|one| [ID_KP_CLIENT_AUTH, ANY_EXTENDED_KEY_USAGE].contains(one))
        });
        if is_for_clients {
            Ok(())
        } else {
            Err(Error::InvalidCertificate(CertificateError::InvalidPurpose))
        }
    }
}

/// Whether a certificate has expired, or cannot be read. A session may be resumed long after its certificate was
/// verified.
pub(in crate::server) fn has_expired(certificate: &CertificateDer<'_>) -> bool {
    Certificate::from_der(certificate).map_or(true, |certificate| {
        let end = certificate.tbs_certificate().validity().not_after;
        end.to_unix_duration().as_secs() < UnixTime::now().as_secs()
    })
}

/// An extension of a certificate, if it has it.
fn extension<'a, T>(certificate: &'a Certificate) -> Result<Option<T>, Error>
where
    T: x509_cert::der::Decode<'a> + x509_cert::der::oid::AssociatedOid,
{
    let found = certificate.tbs_certificate().get_extension::<T>();
    found
        .map(|found| found.map(|(_, extension)| extension))
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))
}

/// An alternative name as Go writes it; `None` for kinds that Go leaves out.
fn shown(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name)
        | GeneralName::Rfc822Name(name)
        | GeneralName::UniformResourceIdentifier(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
            // Go writes an address of IPv4 in IPv6 as one of IPv4.
            address
                .ok()
                .map(|address| address.to_canonical().to_string())
        }
        _ => None,
    }
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        matches!(
            self.auth,
            ClientAuth::RequireAnyClientCert | ClientAuth::RequireAndVerifyClientCert
        )
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.auth.verifies() {
            self.verify(certificate, intermediates, now)?;
        }
        self.check_names(certificate)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
