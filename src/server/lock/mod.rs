//! What a web configuration asks of those who come: TLS, a limit of requests, passwords. It is looked at again at every
//! request, so that a change counts from the next one on; one that is wrong closes every page until it is mended.

mod looks;
mod passwords;
mod rate;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{HeaderMap, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use rustls::ServerConfig;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::looks::Marks;
use self::passwords::{Doorman, Passwords, credentials};
use self::rate::Bucket;
use super::answers::{text, with_header};
use super::parts::Parts;
use super::tls;
use crate::config::warn_if_exposed;
use crate::config::web::{TlsSettings, WebConfig};
use crate::domain::PromDuration;

/// The files are read again after this time even if they look the same: some changes leave no mark on a file.
const READ_EVERY: Duration = Duration::from_secs(1);

/// A web configuration in force, and its file.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// The toolkit takes neither up while it runs; nor does this.
    at_start: AtStart,
    bucket: Option<Mutex<Bucket>>,
    doorman: Doorman,
    state: Mutex<State>,
    /// Held by the one request that reads the files.
    reading: tokio::sync::Mutex<()>,
}

/// What stays as it was at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AtStart {
    has_tls: bool,
    http2: bool,
}

#[derive(Debug)]
struct State {
    /// The last ones that were right.
    rules: Arc<Rules>,
    /// Why the file is refused now.
    refused: Option<String>,
    marks: Marks,
    read_at: Instant,
}

/// What one version of the web configuration asks for.
pub(super) struct Rules {
    config: WebConfig,
    tls: Option<Tls>,
    passwords: Arc<Passwords>,
}

/// TLS as one version of the web configuration asks for it.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) config: Arc<ServerConfig>,
    /// Whether certificates of clients are verified.
    pub(super) verifies: bool,
    /// Cancelled when other clients are let in from now on.
    pub(super) replaced: CancellationToken,
}

/// Says nothing of a secret.
impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules")
            .field("tls", &self.tls.is_some())
            .field("users", &self.config.users.len())
            .finish_non_exhaustive()
    }
}

/// What becomes of a request.
pub(super) enum Verdict {
    /// It is answered, with the headers that these rules ask for.
    Admitted(Arc<Rules>),
    /// It gets this answer.
    Refused(Response<Parts>),
}

impl Lock {
    /// Reads the web configuration at this path. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// All that is wrong with it, with file and line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let marks = Marks::of([path.to_owned()]);
        let (rules, warnings) = Rules::read(path, None, None)?;
        rules.warn(path, &warnings);
        let marks = marks.and(rules.config.files());
        Ok(Self {
            path: path.to_owned(),
            at_start: AtStart {
                has_tls: rules.tls.is_some(),
                http2: rules.config.http2,
            },
            bucket: rules
                .config
                .rate_limit
                .map(|rate| Mutex::new(Bucket::new(rate))),
            doorman: Doorman::default(),
            state: Mutex::new(State {
                rules: Arc::new(rules),
                refused: None,
                marks,
                read_at: Instant::now(),
            }),
            reading: tokio::sync::Mutex::default(),
        })
    }

    /// Whether the pages are served over TLS.
    pub fn has_tls(&self) -> bool {
        self.at_start.has_tls
    }

    /// Whether HTTP/2 is offered.
    pub fn has_http2(&self) -> bool {
        self.at_start.has_tls && self.at_start.http2
    }

    /// How many users there are now.
    pub fn users(&self) -> usize {
        self.state().rules.config.users.len()
    }

    /// Decides on a request by its headers.
    pub(super) async fn decide(&self, headers: &HeaderMap) -> Verdict {
        self.look().await;
        let Some(mut rules) = self.in_force() else {
            return closed();
        };
        if let Some(bucket) = &self.bucket {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            if !bucket.takes_one(Instant::now()) {
                let why = "too many requests; see rate_limit in the web configuration\n";
                return Verdict::Refused(text(StatusCode::TOO_MANY_REQUESTS, why));
            }
        }
        loop {
            let is_known = match credentials(headers) {
                _ if rules.config.users.is_empty() => true,
                Some(credentials) => self.doorman.knows(&rules.passwords, credentials).await,
                None => false,
            };
            // Comparing may have taken a while, in which others were let in or out.
            let Some(now) = self.in_force() else {
                return closed();
            };
            let is_same = Arc::ptr_eq(&now.passwords, &rules.passwords);
            rules = now;
            match (is_same, is_known) {
                (true, true) => return Verdict::Admitted(rules),
                (true, false) => break,
                (false, _) => {}
            }
        }
        let why = "unauthorized; sign in with a user and password of basic_auth_users\n";
        let response = text(StatusCode::UNAUTHORIZED, why);
        let basic = HeaderValue::from_static("Basic");
        let response = with_header(response, WWW_AUTHENTICATE, basic);
        Verdict::Refused(rules.dressed(response))
    }

    /// What the files ask for; `None` while they are wrong.
    fn in_force(&self) -> Option<Arc<Rules>> {
        let state = self.state();
        state.refused.is_none().then(|| Arc::clone(&state.rules))
    }

    /// TLS for the next handshake; `None` where the pages are served without.
    pub(super) async fn tls(&self) -> Option<Tls> {
        self.look().await;
        self.state().rules.tls.clone()
    }

    /// Takes up a change of the files, whether or not they look changed.
    ///
    /// # Errors
    /// Why the files are refused, as they are now.
    pub async fn reread(&self) -> Result<(), String> {
        self.read_again(true).await;
        self.state().refused.clone().map_or(Ok(()), Err)
    }

    /// Takes up a change of the files.
    async fn look(&self) {
        if self.is_due() {
            self.read_again(false).await;
        }
    }

    fn is_due(&self) -> bool {
        let state = self.state();
        state.read_at.elapsed() >= READ_EVERY || state.marks.have_changed()
    }

    async fn read_again(&self, in_any_case: bool) {
        let _reading = self.reading.lock().await;
        // Another request may have read them in the meantime.
        if !in_any_case && !self.is_due() {
            return;
        }
        let (path, before) = (self.path.clone(), Arc::clone(&self.state().rules));
        let at_start = self.at_start;
        let read = tokio::task::spawn_blocking(move || {
            let marks = Marks::of([path.clone()]).and(before.config.files());
            let read = Rules::read(&path, Some(&before), Some(at_start.http2)).and_then(
                |(rules, warnings)| {
                    at_start.check(&rules)?;
                    Ok((rules, warnings))
                },
            );
            (marks, read)
        });
        let Ok((marks, read)) = read.await else {
            // The panic was logged where it happened.
            self.state().refused = Some("bug in the exporter; please report it".to_owned());
            return;
        };
        self.take_up(marks, read);
    }

    fn take_up(&self, marks: Marks, read: Result<(Rules, Vec<String>), String>) {
        let mut state = self.state();
        state.read_at = Instant::now();
        match read {
            Ok((rules, warnings)) => {
                state.marks = marks.and(rules.config.files());
                let was_refused = state.refused.take().is_some();
                let has_changed = rules.config != state.rules.config;
                if has_changed {
                    rules.warn(&self.path, &warnings);
                    if rules.admits_others_than(&state.rules)
                        && let Some(tls) = &state.rules.tls
                    {
                        tls.replaced.cancel();
                    }
                    let is_limit_kept = rules.config.rate_limit == state.rules.config.rate_limit;
                    if !is_limit_kept || rules.config.http2 != state.rules.config.http2 {
                        tracing::warn!(
                            file = %self.path.display(),
                            "rate_limit and http2 of the web configuration are read at the start only; restart the \
                             exporter to apply the change"
                        );
                    }
                    state.rules = Arc::new(rules);
                }
                if has_changed || was_refused {
                    tracing::info!(
                        file = %self.path.display(),
                        users = state.rules.config.users.len(),
                        "web configuration in force"
                    );
                }
            }
            Err(error) => {
                state.marks = marks;
                if state.refused.as_ref() != Some(&error) {
                    tracing::error!(
                        error,
                        "refused the changed web configuration; every page answers 500 until it is right"
                    );
                }
                state.refused = Some(error);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it asks for, as `check` says it.
impl std::fmt::Display for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rules = Arc::clone(&self.state().rules);
        let tls = match &rules.config.tls {
            None => "plain HTTP".to_owned(),
            Some(tls) if self.at_start.http2 => format!("TLS with HTTP/2, {}", tls.client_auth),
            Some(tls) => format!("TLS, {}", tls.client_auth),
        };
        let users = match rules.config.users.len() {
            0 => "no password".to_owned(),
            1 => "1 user with a password".to_owned(),
            users => format!("{users} users with passwords"),
        };
        write!(f, "{}: {tls}; {users}", self.path.display())?;
        if let Some(rate) = rules.config.rate_limit {
            let interval = PromDuration(rate.interval);
            write!(
                f,
                "; a request every {interval}, up to {} at once",
                rate.burst
            )?;
        }
        Ok(())
    }
}

/// What a request gets while the web configuration is wrong.
fn closed() -> Verdict {
    let why = "the web configuration is wrong; see the exporter's log\n";
    Verdict::Refused(text(StatusCode::INTERNAL_SERVER_ERROR, why))
}

impl AtStart {
    /// Sockets that speak TLS cannot stop doing so, nor others begin.
    fn check(self, rules: &Rules) -> Result<(), String> {
        match (self.has_tls, rules.tls.is_some()) {
            (true, false) => Err(
                "tls_server_config is gone from the web configuration; put it back, or restart the exporter to serve \
                 without TLS"
                    .to_owned(),
            ),
            (false, true) => Err(
                "tls_server_config is new in the web configuration; restart the exporter to serve over TLS".to_owned(),
            ),
            _ => Ok(()),
        }
    }
}

impl Rules {
    /// Reads the file and those that it names. What is the same as before is kept, with all that was remembered for it.
    /// HTTP/2 is offered as it was at the start.
    fn read(
        path: &Path,
        before: Option<&Self>,
        http2: Option<bool>,
    ) -> Result<(Self, Vec<String>), String> {
        let config = WebConfig::read(path).map_err(|problems| problems.to_string())?;
        let mut warnings = config.warnings.clone();
        let kept = before.filter(|before| before.config.tls == config.tls);
        let tls = match (kept, &config.tls) {
            (Some(before), _) => before.tls.clone(),
            (None, None) => None,
            (None, Some(settings)) => {
                let built = tls::build(settings, http2.unwrap_or(config.http2), &mut warnings);
                let config = built
                    .map_err(|(line, message)| format!("{}:{line}: {message}", path.display()))?;
                Some(Tls {
                    config,
                    verifies: settings.client_auth.verifies(),
                    replaced: CancellationToken::new(),
                })
            }
        };
        let same_users = before.filter(|before| before.config.users == config.users);
        let passwords = if let Some(before) = same_users {
            Arc::clone(&before.passwords)
        } else {
            let before = before.map(|before| &*before.passwords);
            Arc::new(Passwords::new(config.users.clone(), before))
        };
        let rules = Self {
            config,
            tls,
            passwords,
        };
        Ok((rules, warnings))
    }

    /// Logs what somebody may not expect of this file, and whether others can read the private key.
    fn warn(&self, path: &Path, warnings: &[String]) {
        for warning in warnings {
            tracing::warn!(file = %path.display(), "{warning}");
        }
        if let Some(tls) = &self.config.tls {
            warn_if_exposed(tls.key.file.as_deref().unwrap_or(path));
        }
    }

    /// Whether a client that is connected might not be let in any more.
    fn admits_others_than(&self, before: &Self) -> bool {
        fn admission(tls: &TlsSettings) -> impl PartialEq {
            let authorities = tls.client_ca.as_ref().map(|pem| &pem.text);
            (tls.client_auth, authorities, &tls.client_allowed_sans)
        }
        let [now, before] = [self, before].map(|rules| rules.config.tls.as_ref().map(admission));
        now != before
    }

    /// The answer with the configured headers.
    pub(super) fn dressed(&self, mut response: Response<Parts>) -> Response<Parts> {
        for (name, value) in &self.config.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }
}
