//! The access tokens of one credential, by the permissions that each of them carries.
//!
//! One token carries all permissions, unless their list is too long for one request. Once the service refuses a list of
//! several, each of them has a token of its own, so that a permission that the app registration lacks fails alone. It
//! is requested again as any other failed token, so a permission that is granted later is found.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::{self, HttpSettings};
use crate::upstream::http::stats::Credential;
use crate::upstream::http::transport::Transport;

use super::error::TokenError;
use super::proof::Proof;
use super::refresh_token::RefreshTokenFile;
use super::service::TokenService;
use super::source::{Token, TokenSource};

/// The text `scope` is shorter than this. AvePoint's token service is an `IdentityServer`, which by default refuses a
/// text of more than 300 characters (`InputLengthRestrictions.Scope`) as `invalid_scope`.
const SCOPE_CHARS: usize = 300;

/// Hands out access tokens by permission.
#[derive(Debug)]
pub(in crate::upstream) struct Tokens {
    /// By permission. Those that share a token share the source.
    sources: Mutex<BTreeMap<&'static str, TokenSource>>,
    /// For all endpoints whose permission is not requested by name, as those of Partner Center.
    other: TokenSource,
}

impl Tokens {
    /// Tokens of AvePoint Elements, for endpoints that need these permissions.
    pub(in crate::upstream) fn for_elements(
        config: &config::Elements,
        permissions: &[&'static str],
        transport: Transport,
    ) -> Self {
        let service = TokenService::new(
            Credential::Elements,
            Proof::new(&config.client_id, &config.credential, &config.token_url),
            &config.token_url,
            permissions.join(" "),
            &config.http,
            transport,
        );
        Self::new(TokenSource::new(service, None), permissions)
    }

    /// Tokens of Microsoft Partner Center, for the user whose refresh token this is.
    pub(in crate::upstream) fn for_partner_center(
        config: &config::PartnerCenter,
        refresh_token: Arc<RefreshTokenFile>,
        http: &HttpSettings,
        transport: Transport,
    ) -> Self {
        let source = TokenSource::for_partner_center(config, refresh_token, http, transport);
        Self::new(source, &[])
    }

    /// Tokens of this source's credential, whose scope is the list of these permissions.
    fn new(all: TokenSource, permissions: &[&'static str]) -> Self {
        let mut sources = BTreeMap::new();
        let groups = groups(permissions);
        for group in &groups {
            let source = match &groups[..] {
                [_] => all.clone(),
                _ => all.narrowed(group.join(" ")),
            };
            sources.extend(group.iter().map(|one| (*one, source.clone())));
        }
        Self {
            sources: Mutex::new(sources),
            other: all,
        }
    }

    /// A token that carries this permission and is valid now: see [`TokenSource::token`].
    pub(in crate::upstream) async fn token(
        &self,
        permission: &str,
    ) -> Result<Arc<Token>, TokenError> {
        loop {
            let source = self.source(permission);
            match source.token().await {
                Err(error) if error.refuses_scope() && self.divide(&source, permission) => {}
                token => return token,
            }
        }
    }

    /// Says that the API refuses this token; the next request gets another one, if that may help.
    pub(in crate::upstream) fn reject(&self, refused: &Arc<Token>) {
        // Each source knows its own token.
        for source in self.sources().values() {
            source.reject(refused);
        }
        self.other.reject(refused);
    }

    /// See [`TokenSource::retire`].
    pub(in crate::upstream) fn retire(&self) {
        // It is shared by all sources of the credential.
        self.other.retire();
    }

    fn source(&self, permission: &str) -> TokenSource {
        let sources = self.sources();
        sources.get(permission).unwrap_or(&self.other).clone()
    }

    /// Gives each permission of a refused source a source of its own, if it has several. Returns whether this
    /// permission now has another source.
    fn divide(&self, refused: &TokenSource, permission: &str) -> bool {
        let mut sources = self.sources();
        if refused.scopes().contains(' ') {
            for (permission, source) in sources.iter_mut().filter(|(_, one)| one.is(refused)) {
                *source = refused.narrowed((*permission).to_owned());
            }
        }
        sources
            .get(permission)
            .is_some_and(|source| !source.is(refused))
    }

    fn sources(&self) -> MutexGuard<'_, BTreeMap<&'static str, TokenSource>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The permissions in lists that are each short enough for one request.
fn groups(permissions: &[&'static str]) -> Vec<Vec<&'static str>> {
    let mut groups: Vec<Vec<_>> = Vec::new();
    let mut chars = SCOPE_CHARS;
    for permission in permissions {
        // With the space that joins it to the next.
        let added = permission.len() + 1;
        match groups.last_mut() {
            Some(group) if chars + added <= SCOPE_CHARS => {
                group.push(*permission);
                chars += added;
            }
            _ => {
                groups.push(vec![*permission]);
                chars = added;
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests;
