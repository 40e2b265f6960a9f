//! Partner Center's token service: gives an access token and a new refresh token for each refresh
//! token. Knows nothing of listings and sockets.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::Timestamp;

use super::credential::Credential;
use super::form::{Form, Refusal};
use super::grants::{Grant, Grants};

/// The partner's own tenant.
pub const PARTNER_TENANT: &str = "simulated-partner.onmicrosoft.com";
/// The id of the app that is registered there.
pub const PARTNER_CLIENT_ID: &str = "5151a7ed-0000-4000-8000-a0e901070002";
/// The secret of that app. It opens nothing but a simulator.
pub const PARTNER_CLIENT_SECRET: &str = "simulated-partner-secret-that-opens-nothing";
/// The refresh token that is good from the start.
pub const FIRST_REFRESH_TOKEN: &str = "simulated-refresh-token-1";

/// What all refresh tokens begin with; a number follows.
const NAME: &str = "simulated-refresh-token-";
/// The scope that must be asked for.
const SCOPE: &str = "https://api.partnercenter.microsoft.com/.default";

/// The token service.
#[derive(Debug)]
pub(super) struct PartnerIdentity {
    pub(super) credential: Credential,
    pub(super) grants: Grants,
    pub(super) tokens: RefreshTokens,
}

/// The refresh tokens that are good, by their numbers. The last that was given is always one of them.
#[derive(Debug)]
pub(super) struct RefreshTokens(Mutex<BTreeSet<u64>>);

impl Default for RefreshTokens {
    fn default() -> Self {
        Self(Mutex::new(BTreeSet::from([1])))
    }
}

impl RefreshTokens {
    /// Those that are good, the oldest first.
    pub(super) fn good(&self) -> Vec<String> {
        let good = self.numbers();
        good.iter().map(|n| format!("{NAME}{n}")).collect()
    }

    /// A new token for a good one, which dies if the service is strict.
    fn refresh(&self, token: &str, strict: bool) -> Option<String> {
        let number = token.strip_prefix(NAME)?.parse().ok()?;
        let mut good = self.numbers();
        if !good.contains(&number) {
            return None;
        }
        let next = good.last()? + 1;
        if strict {
            good.remove(&number);
        }
        good.insert(next);
        Some(format!("{NAME}{next}"))
    }

    fn numbers(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartnerIdentity {
    /// Gives an access token and a refresh token for a form-encoded request to this address. The old
    /// refresh token stays good, as Microsoft's do, unless the service is strict.
    ///
    /// # Errors
    ///
    /// `invalid_request` when a field is missing, repeated or empty, `unsupported_grant_type`,
    /// `invalid_client` for wrong credentials, `invalid_scope` for any scope but Partner Center's,
    /// `invalid_grant` for a refresh token that is not good.
    pub(super) fn refresh(
        &self,
        form: &[u8],
        audience: &str,
        now: Timestamp,
        strict: bool,
    ) -> Result<(Grant, String), Refusal> {
        let form = Form::read(form);
        if form.field("grant_type")? != "refresh_token" {
            return Err(Refusal::UNSUPPORTED_GRANT_TYPE);
        }
        self.credential.check(&form, audience, now)?;
        if form.field("scope")? != SCOPE {
            return Err(Refusal::INVALID_SCOPE);
        }
        let token = self.tokens.refresh(form.field("refresh_token")?, strict);
        let token = token.ok_or(Refusal::INVALID_GRANT)?;
        Ok((self.grants.give(SCOPE), token))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::Clock;

    #[test]
    fn wrong_requests_are_refused() {
        let form = format!(
            "grant_type=refresh_token&client_id={PARTNER_CLIENT_ID}&client_secret={PARTNER_CLIENT_SECRET}\
             &scope={SCOPE}&refresh_token={FIRST_REFRESH_TOKEN}"
        );
        for (right, wrong, expected) in [
            (FIRST_REFRESH_TOKEN, "guessed", "invalid_grant"),
            (
                FIRST_REFRESH_TOKEN,
                "simulated-refresh-token-2",
                "invalid_grant",
            ),
            (FIRST_REFRESH_TOKEN, "", "invalid_request"),
            (PARTNER_CLIENT_SECRET, "x", "invalid_client"),
            (PARTNER_CLIENT_ID, "x", "invalid_client"),
            (SCOPE, "openid", "invalid_scope"),
            ("=refresh_token", "=password", "unsupported_grant_type"),
        ] {
            let service = PartnerIdentity {
                credential: Credential {
                    id: PARTNER_CLIENT_ID,
                    secret: PARTNER_CLIENT_SECRET,
                    assertions: None,
                },
                grants: Grants::new("token", Duration::from_mins(1), Clock::system()),
                tokens: RefreshTokens::default(),
            };
            let form = form.replace(right, wrong);
            let given = service.refresh(form.as_bytes(), "", Timestamp::default(), false);
            assert_eq!(given.unwrap_err().name, expected, "{form}");
        }
    }
}
