//! The state of a refresh token in memory: the newest token, and the outcome of its exchange.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Secret;
use crate::upstream::auth::error::{LostRotation, TokenError};

use super::files::{Files, TokenHash};

/// The least time between two tries of a token that the service has refused.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_hours(1);

#[derive(Debug)]
pub(super) struct State {
    /// What the file held when it was last read or written.
    pub(super) seen: Option<TokenHash>,
    /// A newer token that could not be written.
    pub(super) unwritten: Option<Unwritten>,
    /// An exchange whose new token may be lost.
    pub(super) lost: Option<(TokenHash, LostRotation)>,
    pub(super) refused: Option<Refused>,
}

#[derive(Debug)]
pub(super) struct Unwritten {
    pub(super) token: Secret,
    pub(super) tried: Instant,
}

#[derive(Debug)]
pub(super) struct Refused {
    pub(super) token: TokenHash,
    pub(super) at: Instant,
    pub(super) error: TokenError,
}

impl State {
    /// The token to use: the newest of ours, unless a person has replaced the file since. `first` is the one
    /// to begin with while there is no file.
    pub(super) fn current(
        &mut self,
        files: &Files,
        first: Option<&Secret>,
    ) -> Result<Secret, String> {
        let Some(token) = files.read().map_err(|error| error.to_string())? else {
            let newest = self.unwritten.as_ref().map(|unwritten| &unwritten.token);
            return newest.or(first).cloned().ok_or_else(|| {
                format!(
                    "the file {} no longer exists; write a refresh token to it",
                    files.token.display()
                )
            });
        };
        let hash = TokenHash::of(&token);
        if self.seen.as_ref() != Some(&hash) {
            self.seen = Some(hash);
            self.unwritten = None;
        }
        let newest = self.unwritten.as_ref().map(|unwritten| &unwritten.token);
        Ok(newest.unwrap_or(&token).clone())
    }

    /// The error that this token got, if that was not long ago.
    pub(super) fn refusal_of(&self, token: &TokenHash) -> Option<TokenError> {
        let refused = self.refused.as_ref()?;
        let holds = refused.token == *token && refused.at.elapsed() < PAUSE_AFTER_REFUSAL;
        holds.then(|| TokenError {
            repeated: true,
            ..refused.error.clone()
        })
    }

    pub(super) fn lost_of(&self, token: &TokenHash) -> Option<LostRotation> {
        let (of, lost) = self.lost.as_ref()?;
        (of == token).then_some(*lost)
    }
}
