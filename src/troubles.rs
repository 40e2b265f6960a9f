//! Floor 0: what is wrong now, and since when. Who finds a trouble notes it here, and its end; the status shows them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::Timestamp;

/// How soon somebody must act: as the alert about the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// At any time of day.
    Critical,
    /// On the next working day.
    Warning,
}

impl Severity {
    /// As alerts have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
        }
    }
}

macro_rules! troubles {
    ($($(#[$doc:meta])* $name:ident => ($label:literal, $severity:ident, $alert:literal)),+ $(,)?) => {
        /// The kinds of trouble, worst first.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Trouble {
            $($(#[$doc])* $name),+
        }

        impl Trouble {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As scripts read it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $label),+
                }
            }

            /// How soon somebody must act.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity),+
                }
            }

            /// The alert about the same, after which its runbook is called.
            pub const fn alert(self) -> &'static str {
                match self {
                    $(Self::$name => $alert),+
                }
            }
        }
    };
}

troubles! {
    /// The token service gives no token for `elements`.
    Credential => ("credential", Critical, "AvePointCredentialRefused"),
    /// Nothing is polled.
    NoTenants => ("no_tenants", Critical, "AvePointNoTenants"),
    /// A collector knows nothing of most tenants.
    FleetBlind => ("fleet_blind", Critical, "AvePointFleetBlind"),
    /// The certificate of `elements` expires within a week, or has expired.
    CertificateSoon => ("certificate_expires_soon", Critical, "AvePointCertificateExpiresSoon"),
    /// The customers and tenants are not known, or not as they are now.
    Discovery => ("discovery", Warning, "AvePointDiscoveryFailing"),
    /// There is no token for Partner Center.
    PartnerCenterCredential => (
        "partner_center_credential", Warning, "AvePointPartnerCenterCredentialRefused"
    ),
    /// The new refresh token is in memory alone.
    RefreshTokenNotStored => ("refresh_token_not_stored", Warning, "AvePointRefreshTokenNotStored"),
    /// The intervals need more requests than are possible.
    RateLimitTooLow => ("rate_limit_too_low", Warning, "AvePointRateLimitTooLow"),
    /// The API throttles the whole fleet.
    Throttled => ("throttled", Warning, "AvePointApiThrottled"),
    /// The polls of a collector fail.
    Collector => ("collector", Warning, "AvePointCollectorFailing"),
    /// Figures were withdrawn, though no poll failed.
    Stale => ("stale", Warning, "AvePointDataStale"),
    /// Discovery no longer finds tenants that it found.
    Vanished => ("tenants_vanished", Warning, "AvePointTenantsVanished"),
    /// This machine's clock differs from the API's.
    Clock => ("clock", Warning, "AvePointClockSkewed"),
    /// The configuration or a file that it names was refused.
    Reload => ("reload", Warning, "AvePointReloadFailed"),
    /// What is known is not kept over a restart.
    Storage => ("storage", Warning, "AvePointStateDirFailing"),
    /// A certificate expires within a month.
    Certificate => ("certificate_expiring", Warning, "AvePointCertificateExpiring"),
    /// Microsoft will refuse the sign-in to Partner Center.
    Mfa => ("mfa", Warning, "AvePointPartnerCenterMfaNotCompliant"),
}

/// A trouble of which it is known when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Why, as a word of a closed list; empty where there is one reason only.
    pub reason: &'static str,
    /// Why, for people.
    pub cause: String,
    /// When it was seen first.
    pub since: Timestamp,
}

/// The troubles that were noted. All copies are the same.
#[derive(Debug, Clone, Default)]
pub struct Troubles(Arc<Mutex<Known>>);

/// By what is in trouble, such as the name of an API.
type Known = BTreeMap<(Trouble, &'static str), Noted>;

impl Troubles {
    /// Notes a trouble of this subject. One that is known keeps its beginning. Returns whether it is new.
    pub fn begin(
        &self,
        trouble: Trouble,
        subject: &'static str,
        reason: &'static str,
        cause: String,
        now: Timestamp,
    ) -> bool {
        let mut known = self.known();
        let before = known.len();
        let noted = known.entry((trouble, subject)).or_insert(Noted {
            reason,
            cause: String::new(),
            since: now,
        });
        (noted.reason, noted.cause) = (reason, cause);
        known.len() > before
    }

    /// Notes that this subject has this trouble no longer. Returns whether it had.
    pub fn end(&self, trouble: Trouble, subject: &'static str) -> bool {
        self.known().remove(&(trouble, subject)).is_some()
    }

    /// Those of now, worst first, with their subjects.
    pub fn now(&self) -> Vec<(Trouble, &'static str, Noted)> {
        let known = self.known();
        known
            .iter()
            .map(|((trouble, subject), noted)| (*trouble, *subject, noted.clone()))
            .collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // It is left whole at any moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(Duration::from_secs(seconds))
    }

    #[test]
    fn a_trouble_keeps_its_beginning_until_it_ends_whatever_its_cause_becomes() {
        let troubles = Troubles::default();
        let copy = troubles.clone();
        let begin = |reason, now| {
            troubles.begin(Trouble::Clock, "elements", reason, reason.into(), at(now))
        };
        assert!(begin("a", 1));
        assert!(!begin("b", 2));
        let noted = |reason: &'static str, since| {
            let (cause, since) = (reason.to_owned(), at(since));
            let noted = Noted {
                reason,
                cause,
                since,
            };
            vec![(Trouble::Clock, "elements", noted)]
        };
        assert_eq!(copy.now(), noted("b", 1));
        assert!(!copy.end(Trouble::Clock, "partner_center"));
        assert_eq!(copy.now().len(), 1);
        assert!(copy.end(Trouble::Clock, "elements"));
        assert_eq!(troubles.now(), []);
        assert!(begin("a", 3));
        assert_eq!(copy.now(), noted("a", 3));
    }

    #[test]
    fn worse_troubles_come_first_and_each_has_a_runbook() {
        let severities = Trouble::ALL.iter().map(|one| one.severity());
        assert!(severities.is_sorted());
        for trouble in Trouble::ALL {
            let name = format!("{}.md", trouble.alert());
            assert!(crate::bundle::RUNBOOKS.file(&name).is_some(), "{name}");
        }
    }
}
