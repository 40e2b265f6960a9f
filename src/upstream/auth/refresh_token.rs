//! A refresh token that is kept in a file and exchanged for a new one with each access token, as RFC 6749 has it
//! in section 6. Microsoft leaves the old one valid; a stricter service does not, so nothing here relies on it.
//!
//! In this order, each step done durably before the next: note that the token is being exchanged, ask, write the
//! new token beside the old one, rename it over that, remove the note, hand out the access token. Whenever the
//! process dies, the next one finds the old token, or the new one, or the new one beside the old. Where it finds
//! the old one and the note, the service may have given out a new one that is lost; then it can say so.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::config;
use crate::domain::{Secret, Timestamp};

use super::answer::AccessToken;
use super::error::{LostRotation, Problem, TokenError};
use super::service::{Denied, Grant, TokenService};

use files::{Exchange, FileError, Files, NoLock, TokenHash};
use recovery::{Found, recover};
use state::{Refused, State, Unwritten};

mod files;
mod recovery;
mod state;

/// The least time between two tries to write a new token that could not be written. Each use of the token tries.
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Why a refresh token cannot be kept in a file.
#[derive(Debug, thiserror::Error)]
pub enum RefreshTokenFileError {
    /// Another process exchanges the same token.
    #[error(
        "the refresh token in {} is locked by {holder} ({}); only one process may use it: stop that process, or give \
         this one its own token and file (partner_center.refresh_token_file)",
        file.display(), lock.display()
    )]
    InUse {
        /// The token's file.
        file: PathBuf,
        /// The file that is locked.
        lock: PathBuf,
        /// Who holds it.
        holder: String,
    },
    /// There is neither a file nor a start value.
    #[error(
        "no refresh token: {} does not exist and there is no first token; write one to that file, or to the \
         environment variable named by partner_center.refresh_token_env",
        file.display()
    )]
    NoToken {
        /// The token's file.
        file: PathBuf,
    },
    /// Something about the files is wrong.
    #[error(
        "the refresh token cannot be saved: {0}; put partner_center.refresh_token_file into a writable, persistent \
         directory"
    )]
    Unusable(String),
}

/// A refresh token, kept in a file that no other process may use meanwhile.
#[derive(Debug)]
pub struct RefreshTokenFile {
    /// As configured.
    path: PathBuf,
    files: Files,
    /// The token to begin with while there is no file.
    first: std::sync::Mutex<Option<Secret>>,
    /// Held while a token is being exchanged: two exchanges at once would make one token out of two.
    state: Mutex<State>,
    is_unsaved: AtomicBool,
    /// The tasks that exchange it.
    exchanging: TaskTracker,
    /// Locked while it is open.
    _lock: std::fs::File,
}

impl RefreshTokenFile {
    /// Locks the file, cleans up after an earlier exporter, and makes sure that a new token can be
    /// written. `first` is the token to begin with while there is no file.
    ///
    /// # Errors
    /// When another process uses the file, when there is no token at all, and when the file or its directory
    /// cannot be read and written.
    pub fn open(path: &Path, first: Option<Secret>) -> Result<Arc<Self>, RefreshTokenFileError> {
        let unusable = |error: FileError| RefreshTokenFileError::Unusable(error.to_string());
        let files = Files::around(path).map_err(unusable)?;
        let lock = files.lock().map_err(|error| match error {
            NoLock::Taken(holder) => RefreshTokenFileError::InUse {
                file: path.to_owned(),
                lock: files.lock.clone(),
                holder,
            },
            NoLock::Failed(error) => unusable(error),
        })?;
        let Found { token, lost } = recover(&files, first.as_ref()).map_err(unusable)?;
        files.probe().map_err(unusable)?;
        if token.is_none() && first.is_none() {
            return Err(RefreshTokenFileError::NoToken {
                file: path.to_owned(),
            });
        }
        let state = State {
            seen: token.as_ref().map(TokenHash::of),
            unwritten: None,
            lost: lost.map(|Exchange { token, since }| (token, LostRotation::Stopped(since))),
            refused: None,
        };
        Ok(Arc::new(Self {
            path: path.to_owned(),
            files,
            first: std::sync::Mutex::new(first),
            state: Mutex::new(state),
            is_unsaved: AtomicBool::new(false),
            exchanging: TaskTracker::new(),
            _lock: lock,
        }))
    }

    /// The store for this configuration: the one that is kept already if it is of the same file, however its path
    /// is written, else a new one. It is kept over a reload, since its lock bars this process too.
    ///
    /// # Errors
    /// As [`RefreshTokenFile::open`].
    pub fn keep_or_open(
        kept: Option<&Arc<Self>>,
        config: &config::PartnerCenter,
    ) -> Result<Arc<Self>, RefreshTokenFileError> {
        let first = config.first_refresh_token.clone();
        let files = Files::around(&config.refresh_token_file);
        let is_same = |kept: &&Arc<Self>| {
            let files = files.as_ref();
            files.is_ok_and(|files| files.token == kept.files.token)
        };
        match kept.filter(is_same) {
            Some(kept) => {
                *kept.first() = first;
                Ok(Arc::clone(kept))
            }
            None => Self::open(&config.refresh_token_file, first),
        }
    }

    fn first(&self) -> std::sync::MutexGuard<'_, Option<Secret>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the token that is in the file was put there; `None` while there is no file.
    pub(super) fn written(&self) -> Option<Timestamp> {
        self.files.written()
    }

    /// Waits until no exchange is under way or about to begin. The shutdown waits for this a while, since the new
    /// token of an exchange that is cut short may be lost.
    pub async fn settled(&self) {
        // Only a closed tracker can be waited for. It still takes tasks.
        self.exchanging.close();
        self.exchanging.wait().await;
    }

    /// Spawns a task that calls [`Self::exchange`].
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        exchanging: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.exchanging.spawn(exchanging)
    }

    /// An access token for the refresh token, which is exchanged on that occasion. Once begun, it must not be
    /// cancelled, so it is called in a task of [`Self::spawn`]: see [`Self::settled`].
    pub(super) async fn exchange(&self, service: &TokenService) -> Result<AccessToken, TokenError> {
        let mut state = self.state.lock().await;
        let cannot = |text| service.error(Problem::RefreshTokenFile(text));
        self.write_again(&mut state, service, Duration::ZERO);
        let token = self.current(&mut state).map_err(cannot)?;
        let hash = TokenHash::of(&token);
        if let Some(refused) = state.refusal_of(&hash) {
            return Err(refused);
        }
        let since = service.clock.now();
        // A token that is in memory alone needs no note: the file's own has one, and a restart finds that.
        if state.unwritten.is_none() && state.lost_of(&hash).is_none() {
            let exchange = Exchange {
                token: hash.clone(),
                since,
            };
            self.files.begin_exchange(&exchange).map_err(|error| {
                cannot(format!(
                    "{error}; sent no request, so the token in {} stays valid; make the directory writable",
                    self.path.display()
                ))
            })?;
        }
        match service.ask(Grant::RefreshToken(&token)).await {
            // From here to the end nothing waits, so that nothing can be cancelled between the answer and its
            // being stored. Some milliseconds of a disk once an hour are worth that.
            Ok(mut granted) => {
                let new = granted.refresh_token.take();
                self.granted(&mut state, &hash, new, service);
                service.access_token(granted)
            }
            Err(denied) => Err(self.denied(&mut state, hash, since, denied)),
        }
    }

    /// Whether the token in use is in memory alone, since it could not be written.
    pub(super) fn is_unsaved(&self) -> bool {
        self.is_unsaved.load(Ordering::Relaxed)
    }

    /// Tries again to write a new token that could not be written, unless it was just tried.
    pub(super) fn tend(&self, service: &TokenService) {
        if let Ok(mut state) = self.state.try_lock() {
            self.write_again(&mut state, service, WRITE_AGAIN_AFTER);
        }
    }

    fn granted(
        &self,
        state: &mut MutexGuard<'_, State>,
        old: &TokenHash,
        new: Option<Secret>,
        service: &TokenService,
    ) {
        state.refused = None;
        if let Some(new) = new
            && (TokenHash::of(&new) != *old || state.seen.is_none())
        {
            state.unwritten = Some(Unwritten {
                token: new,
                tried: Instant::now(),
            });
        }
        if state.unwritten.is_some() {
            self.write_again(state, service, Duration::ZERO);
        } else {
            state.lost = None;
            self.end_exchange();
        }
    }

    fn denied(
        &self,
        state: &mut State,
        token: TokenHash,
        since: Timestamp,
        denied: Denied,
    ) -> TokenError {
        let Denied {
            mut error,
            in_doubt,
        } = denied;
        if in_doubt && state.lost_of(&token).is_none() {
            state.lost = Some((token.clone(), LostRotation::Unanswered(since)));
        }
        let lost = state.lost_of(&token);
        if lost.is_none() && state.unwritten.is_none() {
            self.end_exchange();
        }
        if let Problem::InvalidGrant(codes) = error.problem {
            error.problem = Problem::RefreshTokenRefused {
                file: self.path.clone(),
                lost,
                codes,
            };
            state.refused = Some(Refused {
                token,
                at: Instant::now(),
                error: error.clone(),
            });
        }
        error
    }

    fn current(&self, state: &mut State) -> Result<Secret, String> {
        let first = self.first().clone();
        state.current(&self.files, first.as_ref())
    }

    /// Writes the token that is not written yet, if there is one and the last try is at least `after` ago.
    fn write_again(&self, state: &mut State, service: &TokenService, after: Duration) {
        let due = |unwritten: &Unwritten| unwritten.tried.elapsed() >= after;
        if !state.unwritten.as_ref().is_some_and(due) {
            return;
        }
        // What a person put there meanwhile wins; finding it drops the other.
        let _ = self.current(state);
        let Some(unwritten) = &mut state.unwritten else {
            self.is_unsaved.store(false, Ordering::Relaxed);
            return;
        };
        unwritten.tried = Instant::now();
        match self.files.store(&unwritten.token) {
            Ok(()) => {
                state.seen = Some(TokenHash::of(&unwritten.token));
                state.unwritten = None;
                state.lost = None;
                self.is_unsaved.store(false, Ordering::Relaxed);
                self.end_exchange();
                let labels = [service.credential.as_str()];
                let rotation = service
                    .stats
                    .refresh_token_rotation
                    .with_label_values(&labels);
                rotation.set(service.clock.now().as_secs_f64());
            }
            Err(error) => {
                self.is_unsaved.store(true, Ordering::Relaxed);
                tracing::error!(
                    parent: None,
                    %error,
                    "failed to save the new refresh token, it will be lost if the exporter stops; make the directory of \
                     partner_center.refresh_token_file writable (the exporter retries)"
                );
            }
        }
    }

    fn end_exchange(&self) {
        if let Err(error) = self.files.end_exchange() {
            tracing::warn!(parent: None, %error, "failed to remove the note about the refresh token's exchange");
        }
    }
}

#[cfg(test)]
mod tests;
