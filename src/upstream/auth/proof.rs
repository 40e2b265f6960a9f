//! How a client proves to a token service who it is.

use url::Url;

use crate::config::{Certificate, ClientCredential};
use crate::domain::{Secret, Timestamp};

use super::assertion;
use super::error::Problem;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Proves that a token request comes from the app registration.
#[derive(Debug, Clone)]
pub(super) struct Proof {
    client_id: String,
    credential: ClientCredential,
    /// The token endpoint, as assertions are made out to it.
    audience: Url,
}

impl Proof {
    pub(super) fn new(client_id: &str, credential: &ClientCredential, token_url: &Url) -> Self {
        Self {
            client_id: client_id.to_owned(),
            credential: credential.clone(),
            audience: token_url.clone(),
        }
    }

    /// The fields of one token request that prove it; another one needs others.
    pub(super) fn fields(&self, now: Timestamp) -> Result<Vec<(&'static str, Secret)>, Problem> {
        let client_id = ("client_id", Secret::from(self.client_id.clone()));
        Ok(match &self.credential {
            ClientCredential::Secret { secret, .. } => {
                vec![client_id, ("client_secret", secret.clone())]
            }
            ClientCredential::Certificate(certificate) => {
                if now >= certificate.not_after {
                    return Err(Problem::CertificateExpired {
                        file: certificate.file.clone(),
                        at: certificate.not_after,
                    });
                }
                let assertion =
                    assertion::signed(certificate, &self.client_id, self.audience.as_str(), now)
                        .map_err(|_| Problem::Unsigned)?;
                let kind = Secret::from(ASSERTION_TYPE.to_owned());
                vec![
                    client_id,
                    ("client_assertion_type", kind),
                    ("client_assertion", assertion),
                ]
            }
        })
    }

    /// The certificate, if it proves by one.
    pub(super) fn certificate(&self) -> Option<&Certificate> {
        match &self.credential {
            ClientCredential::Secret { .. } => None,
            ClientCredential::Certificate(certificate) => Some(certificate),
        }
    }

    /// As messages speak of it, with its file.
    pub(super) fn name(&self) -> String {
        match &self.credential {
            ClientCredential::Secret { file: None, .. } => "secret".to_owned(),
            ClientCredential::Secret {
                file: Some(file), ..
            } => format!("secret (file {})", file.display()),
            ClientCredential::Certificate(certificate) => {
                let fingerprint = assertion::fingerprint(certificate);
                let file = certificate.file.display();
                format!("certificate (file {file}, SHA-1 thumbprint {fingerprint})")
            }
        }
    }
}
