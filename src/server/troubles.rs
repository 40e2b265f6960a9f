//! What is wrong now, worst first, each with its cause, its beginning and the next step: what the exporter has noted, and
//! what the snapshot says of the polls.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::{Api, Collector, PromDuration, Target, Timestamp, Unit};
use crate::snapshot::{CollectorSnapshot, Snapshot, TargetSnapshot};
use crate::troubles::{Noted, Trouble};
use crate::upstream::Stats;

/// Minimum share and number of a collector's tenants for which the fleet is blind, as in the alert.
const BLIND_SHARE: f64 = 0.5;
const BLIND_TENANTS: usize = 3;

/// Remaining lifetimes of a certificate, as in the alerts.
const SOON: Duration = Duration::from_hours(7 * 24);
const MONTH: Duration = Duration::from_hours(30 * 24);

/// The most names that a trouble gives as examples.
const EXAMPLES: usize = 5;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundTrouble {
    pub(super) trouble: Trouble,
    /// What is in trouble, such as a credential, an API or a collector.
    pub(super) subject: &'static str,
    /// As a word of the closed lists; empty where there is one reason only.
    pub(super) reason: &'static str,
    /// For people.
    pub(super) cause: String,
    /// `None` if that is not known.
    pub(super) since: Option<Timestamp>,
    /// Some of the targets that are affected.
    pub(super) examples: Vec<String>,
    /// How many are; 0 where it is not a matter of targets.
    pub(super) affected: usize,
}

/// All that is wrong, worst first; of the same kind, what affects most.
pub(super) fn of(snapshot: &Snapshot, upstream: &Stats, now: Timestamp) -> Vec<FoundTrouble> {
    let mut found: Vec<_> = upstream.troubles.now().into_iter().map(noted).collect();
    found.extend(certificates(upstream, now));
    found.extend(discovery(snapshot));
    found.extend(no_tenants(snapshot));
    found.extend(vanished(snapshot));
    for collector in Collector::configured() {
        let polled = Polled::of(snapshot, collector, now);
        let failing = polled.by_reason();
        found.extend(polled.blind(&failing));
        found.extend(polled.failing(failing));
        found.extend(polled.stale());
    }
    found.sort_by(|a, b| {
        let key = |one: &FoundTrouble| (one.trouble.severity(), one.trouble);
        key(a).cmp(&key(b)).then(b.affected.cmp(&a.affected))
    });
    found
}

/// What to do about polls that do not fail and do not come in time.
const LATE: &str = "Polls are late: check whether the rate limit is high enough for all intervals.";

/// What to do about a trouble of this reason.
pub(super) fn next_step(trouble: Trouble, reason: &str) -> &'static str {
    match trouble {
        Trouble::NoTenants => {
            "Check discovery's include and exclude patterns, the customer scope of the app registration, and the list \
             of tenants."
        }
        Trouble::CertificateSoon | Trouble::Certificate => {
            "Create a new certificate, add it to the app registration, and replace the file."
        }
        Trouble::RateLimitTooLow => {
            "Raise the rate limit, or lengthen the intervals, as the cause says."
        }
        Trouble::Throttled => {
            "Lower rate_limit.requests_per_second of this API, and see whether another program uses the same app \
             registration."
        }
        Trouble::FleetBlind if reason.is_empty() => LATE,
        Trouble::Stale => LATE,
        Trouble::Vanished => {
            "If the customer has not left, check the customer scope of the app registration, and the tenant's \
             connection in Elements."
        }
        Trouble::Clock => "Synchronise the clock of this machine.",
        Trouble::Reload => {
            "Correct the configuration and reload, or correct the file: it is read again within 30 seconds."
        }
        Trouble::Storage => {
            "Make state_dir writable: is the disk full, read-only, or owned by another user? Give each exporter its own."
        }
        Trouble::Mfa => {
            "Consent again with multi-factor authentication, and write the new token to \
             partner_center.refresh_token_file."
        }
        Trouble::Discovery if reason == "implausible" => {
            "Check the customer scope of the app registration; if the customers are really gone, follow the runbook."
        }
        Trouble::Credential
        | Trouble::PartnerCenterCredential
        | Trouble::RefreshTokenNotStored
        | Trouble::Discovery
        | Trouble::FleetBlind
        | Trouble::Collector => step_for(reason),
    }
}

/// What to do about requests that fail for this reason.
fn step_for(reason: &str) -> &'static str {
    match reason {
        "invalid_client" => {
            "Compare the client id and the credential with the app registration, and renew the credential if it has \
             expired."
        }
        "invalid_scope" => {
            "Add the permission to the app registration, or disable the collectors that need it."
        }
        "invalid_grant" => {
            "Let a user with the role Admin agent consent again, and write the new refresh token to \
             partner_center.refresh_token_file."
        }
        "storage" => {
            "Make the directory of partner_center.refresh_token_file writable; if the file is gone, write a token to it."
        }
        "credential" => "Correct the credential first: without an access token nothing is polled.",
        "unauthorized" => {
            "Check that api_url and token_url belong to the same environment, and that the app registration is active."
        }
        "forbidden" => {
            "Check the permissions and the customer scope of the app registration, and the trusted IP addresses; then \
             reload to end quarantines."
        }
        "not_found" => "Check customer_id and tenant_id; then reload to end quarantines.",
        "throttled" => {
            "If one target alone is throttled, lengthen its intervals; otherwise lower rate_limit of this API."
        }
        "timeout" => {
            "Measure how long the API takes from this machine; if it is only slow, raise timeout and retry_deadline."
        }
        "connection" => {
            "Check name resolution, firewall, proxy and certificates between this machine and the host in the cause."
        }
        "unavailable" => {
            "Look at the provider's service status; the exporter tries again by itself."
        }
        "limit" => "Raise the limit that the cause names, if the response may be that large.",
        "implausible" => {
            "Compare the numbers in the cause with the web interface; if the totals of your account are always wrong, set \
             elements.limits.ignore_totals."
        }
        _ => "Report it to the exporter's project, with the log.",
    }
}

fn noted((trouble, subject, noted): (Trouble, &'static str, Noted)) -> FoundTrouble {
    let Noted {
        reason,
        cause,
        since,
    } = noted;
    FoundTrouble {
        trouble,
        subject,
        reason,
        cause,
        since: Some(since),
        examples: Vec::new(),
        affected: 0,
    }
}

/// Certificates that expire soon. Partner Center is a side collector, for which nobody is called.
fn certificates(upstream: &Stats, now: Timestamp) -> impl Iterator<Item = FoundTrouble> {
    let certificates = upstream.certificates().into_iter();
    certificates.filter_map(move |(credential, certificate)| {
        let left = certificate.at.since(now);
        let (trouble, threshold) = if left < SOON && credential == "elements" {
            (Trouble::CertificateSoon, SOON)
        } else if left < MONTH {
            (Trouble::Certificate, MONTH)
        } else {
            return None;
        };
        let (file, at) = (certificate.file.display(), certificate.at);
        let verb = if left.is_zero() { "expired" } else { "expires" };
        Some(FoundTrouble {
            trouble,
            subject: credential,
            reason: "",
            cause: format!("the certificate in {file} {verb} at {at}"),
            since: Some(Timestamp::from_unix(
                at.since_unix().saturating_sub(threshold),
            )),
            examples: Vec::new(),
            affected: 0,
        })
    })
}

fn discovery(snapshot: &Snapshot) -> Option<FoundTrouble> {
    let discovery = snapshot.discovery()?;
    let failure = discovery.last_failure.as_ref();
    let failure = failure.filter(|_| discovery.up() == Some(false))?;
    Some(FoundTrouble {
        trouble: Trouble::Discovery,
        subject: "discovery",
        reason: failure.reason.as_str(),
        cause: failure.message.to_string(),
        since: discovery.failing_since,
        examples: Vec::new(),
        affected: 0,
    })
}

fn no_tenants(snapshot: &Snapshot) -> Option<FoundTrouble> {
    let discovery = snapshot.discovery();
    let is_known = discovery.is_none_or(CollectorSnapshot::was_polled);
    let is_none = is_known && snapshot.polled(Unit::Tenant).next().is_none();
    is_none.then(|| FoundTrouble {
        trouble: Trouble::NoTenants,
        subject: "tenants",
        reason: "",
        cause: match snapshot.discovered.as_ref().map(|found| found.excluded) {
            None => "no tenant is known".to_owned(),
            Some(0) => "discovery found no tenant".to_owned(),
            Some(excluded) => {
                format!("discovery.include and discovery.exclude exclude all {excluded} tenants")
            }
        },
        since: None,
        examples: Vec::new(),
        affected: 0,
    })
}

/// Tenants that discovery found before, until their last figures are withdrawn.
fn vanished(snapshot: &Snapshot) -> Option<FoundTrouble> {
    // Before discovery has answered, nothing is missing.
    snapshot.discovered.as_ref()?;
    let tenants = snapshot.gone.iter().map(|one| &one.target);
    let tenants: Vec<_> = tenants.filter(|one| one.tenant().is_some()).collect();
    let count = tenants.len();
    (count > 0).then(|| FoundTrouble {
        trouble: Trouble::Vanished,
        subject: "tenants",
        reason: "",
        cause: format!("discovery no longer finds {count} of the tenants that it found before"),
        since: None,
        examples: tenants
            .into_iter()
            .take(EXAMPLES)
            .map(Target::name)
            .collect(),
        affected: count,
    })
}

/// A collector of all targets that it is polled for.
struct Polled<'a> {
    collector: Collector,
    targets: Vec<(&'a TargetSnapshot, &'a CollectorSnapshot)>,
    now: Timestamp,
}

/// Targets that have something in common.
type Group<'a> = Vec<(&'a TargetSnapshot, &'a CollectorSnapshot)>;

/// Targets whose last poll failed, by the reason.
type ByReason<'a> = BTreeMap<&'static str, Group<'a>>;

impl<'a> Polled<'a> {
    fn of(snapshot: &'a Snapshot, collector: Collector, now: Timestamp) -> Self {
        let targets = snapshot.polled(collector.unit());
        Self {
            collector,
            targets: targets
                .filter_map(|target| Some((&**target, target.collector(collector)?)))
                .collect(),
            now,
        }
    }

    /// By the reason why the last poll failed.
    fn by_reason(&self) -> ByReason<'a> {
        let mut groups = ByReason::new();
        for (target, polled) in &self.targets {
            if let Some(reason) = polled.last_poll.and_then(|poll| poll.failure) {
                let group = groups.entry(reason.as_str()).or_default();
                group.push((target, polled));
            }
        }
        groups
    }

    /// Of most tenants nothing is known, or not for long.
    fn blind(&self, failing: &ByReason<'_>) -> Option<FoundTrouble> {
        let is_blind = |one: &CollectorSnapshot| {
            one.up() == Some(false) || (one.was_polled() && one.fresh(self.now).is_none())
        };
        let blind: Group<'_> = self
            .targets
            .iter()
            .filter(|(_, one)| is_blind(one))
            .copied()
            .collect();
        let (few, all) = (blind.len(), self.targets.len());
        let is_most = few >= BLIND_TENANTS && few as f64 > BLIND_SHARE * all as f64;
        // Partner Center is a side collector.
        let is_of_interest =
            self.collector.unit() == Unit::Tenant && self.collector.api() == Api::Elements;
        if !is_of_interest || !is_most {
            return None;
        }
        let most = failing.iter().max_by_key(|(_, group)| group.len());
        // A reason of a few says nothing of the others, whose polls are late.
        let most = most.filter(|(_, group)| 2 * group.len() >= few);
        let (reason, message) = most.map_or(("", None), |(reason, group)| (*reason, cause(group)));
        let message = message.map(|message| format!(": {message}"));
        let text = format!(
            "{few} of {all} tenants fail or have no fresh figures{}",
            message.unwrap_or_default()
        );
        let mut found = self.found(Trouble::FleetBlind, reason, text, &blind);
        // When it became most of them is not known: one may have failed for months.
        found.since = None;
        Some(found)
    }

    /// Polls that fail, by reason.
    fn failing(&self, by_reason: ByReason<'_>) -> impl Iterator<Item = FoundTrouble> {
        by_reason.into_iter().map(|(reason, group)| {
            let text = cause(&group).unwrap_or_else(|| {
                "the last poll before the restart failed; the next one is yet to end".to_owned()
            });
            self.found(Trouble::Collector, reason, text, &group)
        })
    }

    /// Figures that are withdrawn, though the last poll succeeded.
    fn stale(&self) -> Option<FoundTrouble> {
        let is_stale = |one: &CollectorSnapshot| {
            one.up() == Some(true) && one.was_polled() && one.fresh(self.now).is_none()
        };
        let stale: Group<'_> = self
            .targets
            .iter()
            .filter(|(_, one)| is_stale(one))
            .copied()
            .collect();
        let (_, first) = stale.first()?;
        let after = PromDuration(first.config.stale_after);
        let text = format!("figures are older than {after} and withdrawn, though no poll failed");
        let mut found = self.found(Trouble::Stale, "", text, &stale);
        found.since = stale.iter().filter_map(|(_, one)| one.stale_at()).min();
        Some(found)
    }

    fn found(
        &self,
        trouble: Trouble,
        reason: &'static str,
        cause: String,
        group: &Group<'_>,
    ) -> FoundTrouble {
        let names = group.iter().map(|(target, _)| target.target.name());
        FoundTrouble {
            trouble,
            subject: self.collector.as_str(),
            reason,
            cause,
            since: group.iter().filter_map(|(_, one)| one.failing_since).min(),
            examples: names.take(EXAMPLES).collect(),
            affected: group.len(),
        }
    }
}

/// What the last of these polls failed with, as an example for all.
fn cause(group: &Group<'_>) -> Option<String> {
    let failures = group
        .iter()
        .filter_map(|(_, one)| one.last_failure.as_ref());
    let last = failures.max_by_key(|failure| failure.at)?;
    Some(last.message.to_string())
}
