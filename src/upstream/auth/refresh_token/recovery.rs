//! Cleaning up after an exporter that was stopped while it exchanged the token.

use crate::domain::Secret;

use super::files::{Exchange, FileError, Files, TokenHash};

/// The state of the files.
#[derive(Debug)]
pub(super) struct Found {
    /// The token in the file.
    pub(super) token: Option<Secret>,
    /// The exchange of the token to be used, if that exporter did not live to see its end.
    pub(super) lost: Option<Exchange>,
}

/// Puts a new token in place if it was written whole, and removes the remains of others. `first` is the token to
/// be used while there is no file.
pub(super) fn recover(files: &Files, first: Option<&Secret>) -> Result<Found, FileError> {
    let mut token = files.read()?;
    let exchange = files.exchange()?;
    let is_exchanged = |token: &Secret| {
        let hash = TokenHash::of(token);
        exchange.as_ref().is_some_and(|one| one.token == hash)
    };
    if let Some(rotated) = files.rotated()?
        && exchange.is_some()
        // Else a person has replaced the file since.
        && token.as_ref().is_none_or(is_exchanged)
    {
        files.install()?;
        tracing::info!(
            file = %files.token.display(),
            "recovered a new refresh token from an interrupted save"
        );
        token = Some(rotated);
    }
    files.discard_rotated()?;
    let is_in_use = token.as_ref().or(first).is_some_and(is_exchanged);
    if !is_in_use {
        files.end_exchange()?;
    }
    Ok(Found {
        token,
        lost: exchange.filter(|_| is_in_use),
    })
}
