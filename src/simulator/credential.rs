//! A registered app and how it proves itself to a token service: by its secret or by its certificate.
//! Knows nothing of what it asks for.

use super::assertion::Assertions;
use super::form::{Form, Refusal};
use crate::domain::Timestamp;

/// What `client_assertion_type` must say (RFC 7523, 2.2).
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The one registered app of a token service.
#[derive(Debug)]
pub(super) struct Credential {
    pub(super) id: &'static str,
    pub(super) secret: &'static str,
    /// Verifies by the registered certificate, if there is one.
    pub(super) assertions: Option<Assertions>,
}

impl Credential {
    /// Checks who asks. `audience` is the address that was asked.
    ///
    /// # Errors
    ///
    /// `invalid_request` for a wrong form, `invalid_client` for anybody but the app.
    pub(super) fn check(
        &self,
        form: &Form<'_>,
        audience: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let id = form.field("client_id")?;
        let secret = form.optional("client_secret")?;
        let assertion = form.optional("client_assertion")?;
        if id != self.id {
            return Err(Refusal::invalid_client("there is no such app"));
        }
        match (secret, assertion) {
            (Some(secret), None) if secret == self.secret => Ok(()),
            (Some(_), None) => Err(Refusal::invalid_client("the secret is wrong")),
            (None, Some(assertion)) => {
                if form.field("client_assertion_type")? != ASSERTION_TYPE {
                    return Err(Refusal::INVALID_REQUEST);
                }
                let Some(assertions) = &self.assertions else {
                    return Err(Refusal::invalid_client("the app has no certificate"));
                };
                assertions
                    .verify(assertion, id, audience, now)
                    .map_err(Refusal::invalid_client)
            }
            // Neither, or both (RFC 6749, 2.3).
            _ => Err(Refusal::INVALID_REQUEST),
        }
    }
}
