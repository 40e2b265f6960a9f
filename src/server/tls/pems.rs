//! The texts in PEM that a web configuration names.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::config::web::Pem;

/// A line of the web configuration, and what is wrong with it.
pub(in crate::server) type Wrong = (usize, String);

pub(super) fn wrong(pem: &Pem, message: impl std::fmt::Display) -> Wrong {
    (
        pem.line,
        format!("tls_server_config.{}: {message}", pem.key),
    )
}

/// The certificates of a text, without what cannot be read.
pub(super) fn certificates(pem: &Pem) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(&pem.text)
        .filter_map(Result::ok)
        .collect()
}
