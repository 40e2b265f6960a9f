//! AvePoint's token service: gives access tokens for client credentials. Knows nothing of listings and
//! sockets.

use crate::domain::Timestamp;

use super::credential::Credential;
use super::form::{Form, Refusal};
use super::grants::{Grant, Grants};

/// The id of the one registered app.
pub const CLIENT_ID: &str = "5151a7ed-0000-4000-8000-a0e901070001";
/// The secret of the one registered app. It opens nothing but a simulator.
pub const CLIENT_SECRET: &str = "simulated-secret-that-opens-nothing";
/// The longest `scope` that an `IdentityServer` takes by default.
const MAX_SCOPE: usize = 300;

/// All permissions of upstream's table.
pub const PERMISSIONS: &[&str] = &[
    "elements.um.user.read.all",
    "partner.um.user.read.all",
    "elements.cbprotected.read.all",
    "elements.customers.read.all",
    "elements.license.read.all",
    "elements.jobs.read.all",
    "elements.rm.read.all",
    "elements.wm.read.all",
];

/// The token service.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) credential: Credential,
    pub(super) permissions: Vec<String>,
    pub(super) grants: Grants,
}

impl Identity {
    /// Gives a token for a form-encoded request to this address.
    ///
    /// # Errors
    ///
    /// `invalid_request` when a field is missing, repeated or empty, `unsupported_grant_type`,
    /// `invalid_client` for wrong credentials, `invalid_scope` when the app lacks a permission.
    pub(super) fn give(
        &self,
        form: &[u8],
        audience: &str,
        now: Timestamp,
    ) -> Result<Grant, Refusal> {
        let form = Form::read(form);
        if form.field("grant_type")? != "client_credentials" {
            return Err(Refusal::UNSUPPORTED_GRANT_TYPE);
        }
        self.credential.check(&form, audience, now)?;
        let scope = form.field("scope")?;
        let known = |scope: &str| self.permissions.iter().any(|known| known == scope);
        if scope.len() > MAX_SCOPE || !scope.split(' ').all(known) {
            return Err(Refusal::INVALID_SCOPE);
        }
        Ok(self.grants.give(scope))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::assertion::Assertions;
    use super::super::assertion::tests::{NOW, Signer};
    use super::super::credential::ASSERTION_TYPE;
    use super::*;
    use crate::domain::Clock;

    const HERE: &str = "http://127.0.0.1:1/connect/token";
    const NOW_HERE: Timestamp = Timestamp::from_unix(Duration::from_secs(NOW));

    fn identity(assertions: Option<Assertions>) -> Identity {
        Identity {
            credential: Credential {
                id: CLIENT_ID,
                secret: CLIENT_SECRET,
                assertions,
            },
            permissions: vec!["a.read".to_owned(), "b.read".to_owned()],
            grants: Grants::new("token", Duration::from_mins(1), Clock::system()),
        }
    }

    /// The scope that was given, or `error` of the refusal.
    fn asked(identity: &Identity, form: &str) -> Result<String, &'static str> {
        let given = identity.give(form.as_bytes(), HERE, NOW_HERE);
        given
            .map(|grant| grant.scope)
            .map_err(|refusal| refusal.name)
    }

    #[test]
    fn credentials_are_really_checked() {
        let form = format!(
            "grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}\
             &scope=a.read+b.read"
        );
        let given = asked(&identity(None), &form);
        assert_eq!(given.as_deref(), Ok("a.read b.read"));
        for (right, wrong, expected) in [
            ("&scope=a.read+b.read", "", "invalid_request"),
            ("a.read+b.read", "", "invalid_request"),
            ("client_secret=", "other=", "invalid_request"),
            ("&scope", "&client_id=x&scope", "invalid_request"),
            ("&scope", "&client_assertion=x&scope", "invalid_request"),
            (CLIENT_SECRET, "x", "invalid_client"),
            (CLIENT_ID, "x", "invalid_client"),
            ("b.read", "c.read", "invalid_scope"),
            ("client_credentials", "password", "unsupported_grant_type"),
            ("grant_type=", "other=", "invalid_request"),
        ] {
            let form = form.replace(right, wrong);
            assert_eq!(asked(&identity(None), &form), Err(expected), "{form}");
        }
    }

    #[test]
    fn a_signed_assertion_is_as_good_as_the_secret() {
        let signer = Signer::new();
        let form = |audience: &str, jti: &str, kind: &str| {
            let assertion = signer.assertion(CLIENT_ID, audience, jti);
            format!(
                "grant_type=client_credentials&client_id={CLIENT_ID}&scope=a.read\
                 &client_assertion_type={kind}&client_assertion={assertion}"
            )
        };
        let service = identity(Some(signer.assertions()));
        let right = form(HERE, "1", ASSERTION_TYPE);
        assert_eq!(asked(&service, &right), Ok("a.read".to_owned()));
        assert_eq!(
            asked(&service, &right),
            Err("invalid_client"),
            "it was used"
        );
        let elsewhere = form("https://elsewhere.example/", "2", ASSERTION_TYPE);
        assert_eq!(asked(&service, &elsewhere), Err("invalid_client"));
        let other_kind = form(HERE, "3", "saml2-bearer");
        assert_eq!(asked(&service, &other_kind), Err("invalid_request"));
        let unregistered = asked(&identity(None), &form(HERE, "4", ASSERTION_TYPE));
        assert_eq!(unregistered, Err("invalid_client"));
    }
}
