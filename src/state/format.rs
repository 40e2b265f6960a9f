//! The file's contents: what is written of a snapshot, and what of it is believed when it is read again.
//!
//! Not what a change of the configuration brings back anyway (labels, schedules), no counters, and nothing of a user.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use super::figures::{Backup, Count, InDirectory, Partner, Security};
use super::{Saved, SavedDiscovery};
use crate::collectors::Totals;
use crate::config::{
    self, CollectorConfig, CollectorKind, NoOptions, PartnerCenterOptions, SecurityEndpoint,
    SecurityMode, StatusEncoding,
};
use crate::domain::{
    BackupStatus, Collector, CustomerId, ManagementMode, Reason, Tenant, TenantId, TenantSource,
    Timestamp,
};
use crate::snapshot::{CollectorSnapshot, Figures, LastPoll, Snapshot, TenantSnapshot};
use crate::upstream::{Customer, CustomerTenant};

const FORMAT: &str = "avepoint-exporter warm start";
const VERSION: u64 = 1;

/// Two looks at a clock may differ by so much, be it that it was set meanwhile.
const SKEW: Duration = Duration::from_secs(300);

/// The longest `stale_after` that a configuration may have.
const LONGEST_STALE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The longest name that is shown, in characters.
const LONGEST_NAME: usize = 256;

/// Why a file cannot be used. None of it quotes the file.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The operating system does not hand it out.
    #[error("cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// A folder, a pipe or the like.
    #[error("is no file")]
    NoFile,
    /// Nothing that this program writes is so large.
    #[error("is larger than 256MiB")]
    TooLarge,
    /// Cut, changed, or no JSON at all.
    #[error("is damaged at line {line}, column {column}")]
    Damaged {
        /// From 1 on.
        line: usize,
        /// From 1 on.
        column: usize,
    },
    /// JSON of something else.
    #[error("is no warm-start file of this program")]
    Foreign,
    /// What it means is not known yet.
    #[error(
        "is of version {0}, written by a newer exporter than this one, which reads version {VERSION}"
    )]
    Newer(u64),
    /// The clock was wrong then, or is now.
    #[error("was written at a time that is yet to come, {0}; is the clock right?")]
    YetToCome(Timestamp),
    /// What no exporter writes.
    #[error("holds what cannot be: {0}")]
    Implausible(&'static str),
}

/// What says whether the rest can be read.
#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct File {
    format: String,
    version: u64,
    /// Times are since the Unix epoch.
    written_at: Duration,
    tenants: Vec<TenantState>,
    discovery: Option<DiscoveryState>,
}

#[derive(Serialize, Deserialize)]
struct TenantState {
    customer_id: String,
    tenant_id: String,
    customer_name: Option<String>,
    tenant_name: Option<String>,
    #[serde(with = "SourceState")]
    source: TenantSource,
    security_users: Option<CollectorState<SecurityOptions, Security>>,
    directory: Option<CollectorState<(), InDirectory>>,
    partner_center: Option<CollectorState<PartnerOptions, Partner>>,
    protected_users: Option<CollectorState<(), Backup>>,
}

/// A collector with its options, by which its figures are told from those of other options.
#[derive(Serialize, Deserialize)]
struct CollectorState<O, F> {
    options: O,
    interval: Duration,
    stale_after: Duration,
    last_poll: Option<PollState>,
    figures: Option<FiguresState<F>>,
}

#[derive(Serialize, Deserialize)]
struct PollState {
    duration: Duration,
    rows: Count,
    failure: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct FiguresState<F> {
    at: Duration,
    pages: Count,
    totals: F,
}

#[derive(Serialize, Deserialize)]
struct SecurityOptions {
    #[serde(with = "EndpointState")]
    endpoint: SecurityEndpoint,
    #[serde(with = "EncodingState")]
    encoding: StatusEncoding,
    #[serde(with = "ModeState")]
    mode: SecurityMode,
}

#[derive(Serialize, Deserialize)]
struct PartnerOptions {
    top_usage_locations: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "TenantSource", rename_all = "snake_case")]
enum SourceState {
    Config,
    Discovery,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SecurityEndpoint", rename_all = "snake_case")]
enum EndpointState {
    V3,
    Batch,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "StatusEncoding", rename_all = "snake_case")]
enum EncodingState {
    Codes,
    Flags,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SecurityMode", rename_all = "snake_case")]
enum ModeState {
    Scan { exclude_test_users: bool },
    Counts,
}

#[derive(Serialize, Deserialize)]
struct DiscoveryState {
    up: bool,
    at: Duration,
    customers: Vec<CustomerState>,
}

#[derive(Serialize, Deserialize)]
struct CustomerState {
    id: String,
    name: Option<String>,
    backup_status: Option<i64>,
    country: Option<String>,
    management_mode: Option<i64>,
    tenants: Vec<CustomerTenantState>,
}

#[derive(Serialize, Deserialize)]
struct CustomerTenantState {
    id: String,
    name: Option<String>,
}

/// The text of a file.
///
/// # Errors
/// None in practice: it is written into memory.
pub(super) fn write(snapshot: &Snapshot, now: Timestamp) -> serde_json::Result<Vec<u8>> {
    let found = snapshot.discovery.as_ref().and_then(|discovery| {
        let found = discovery.found.as_ref()?;
        Some(DiscoveryState {
            up: discovery.up == Some(true),
            at: past(found.at, now),
            customers: found.listed.iter().map(customer).collect(),
        })
    });
    serde_json::to_vec(&File {
        format: FORMAT.to_owned(),
        version: VERSION,
        written_at: now.since_unix(),
        tenants: snapshot.shown().map(|one| tenant(one, now)).collect(),
        discovery: found,
    })
}

/// A time that has been: one that lies ahead was taken before the clock was set back, and would make figures fresh
/// for ever.
fn past(at: Timestamp, now: Timestamp) -> Duration {
    at.min(now).since_unix()
}

fn tenant(snapshot: &TenantSnapshot, now: Timestamp) -> TenantState {
    let tenant = &snapshot.tenant;
    let of = |collector| snapshot.collector(collector);
    TenantState {
        customer_id: tenant.customer_id.to_string(),
        tenant_id: tenant.tenant_id.to_string(),
        customer_name: tenant.customer_name.clone(),
        tenant_name: tenant.tenant_name.clone(),
        source: tenant.source,
        security_users: of(Collector::SecurityUsers).and_then(|one| match one.config.kind {
            CollectorKind::SecurityUsers(config::SecurityOptions {
                endpoint,
                encoding,
                mode,
            }) => {
                let options = SecurityOptions {
                    endpoint,
                    encoding,
                    mode,
                };
                Some(collector(one, options, now, |totals| match totals {
                    Totals::SecurityUsers(figures) => Some(figures.into()),
                    _ => None,
                }))
            }
            _ => None,
        }),
        directory: of(Collector::Directory).map(|one| {
            collector(one, (), now, |totals| match totals {
                Totals::Directory(figures) => Some(figures.into()),
                _ => None,
            })
        }),
        partner_center: of(Collector::PartnerCenter).and_then(|one| match one.config.kind {
            CollectorKind::PartnerCenter(PartnerCenterOptions {
                top_usage_locations,
            }) => {
                let options = PartnerOptions {
                    top_usage_locations,
                };
                Some(collector(one, options, now, |totals| match totals {
                    Totals::PartnerCenter(figures) => Some(figures.into()),
                    _ => None,
                }))
            }
            _ => None,
        }),
        protected_users: of(Collector::ProtectedUsers).map(|one| {
            collector(one, (), now, |totals| match totals {
                Totals::ProtectedUsers(figures, joins) => Some((figures, joins).into()),
                _ => None,
            })
        }),
    }
}

fn collector<O, F>(
    snapshot: &CollectorSnapshot,
    options: O,
    now: Timestamp,
    totals: impl FnOnce(&Totals) -> Option<F>,
) -> CollectorState<O, F> {
    CollectorState {
        options,
        interval: snapshot.config.interval,
        stale_after: snapshot.config.stale_after,
        last_poll: snapshot.last_poll.map(|poll| PollState {
            duration: poll.duration,
            rows: Count::of(poll.rows),
            failure: poll.failure.map(|reason| reason.as_str().to_owned()),
        }),
        figures: snapshot.figures.as_ref().and_then(|figures| {
            Some(FiguresState {
                at: past(figures.at, now),
                pages: Count::of(figures.pages),
                totals: totals(&figures.totals)?,
            })
        }),
    }
}

fn customer(customer: &Customer) -> CustomerState {
    let tenants = customer.tenants.iter();
    CustomerState {
        id: customer.id.to_string(),
        name: customer.name.clone(),
        backup_status: customer.backup_status.map(BackupStatus::code),
        country: customer.country.clone(),
        management_mode: customer.management_mode.map(ManagementMode::code),
        tenants: tenants
            .map(|tenant| CustomerTenantState {
                id: tenant.id.to_string(),
                name: tenant.name.clone(),
            })
            .collect(),
    }
}

/// What a file's text says.
///
/// # Errors
/// Why it cannot be believed.
pub(super) fn read(text: &[u8], now: Timestamp) -> Result<Saved, Unusable> {
    let damaged = |error: serde_json::Error| Unusable::Damaged {
        line: error.line(),
        column: error.column(),
    };
    let head: Head = serde_json::from_slice(text).map_err(|error| match error.classify() {
        // It is JSON as far as it was read.
        Category::Data => Unusable::Foreign,
        _ => damaged(error),
    })?;
    match head.version {
        _ if head.format.as_deref() != Some(FORMAT) => return Err(Unusable::Foreign),
        Some(VERSION) => {}
        Some(version @ VERSION..) => return Err(Unusable::Newer(version)),
        _ => return Err(Unusable::Foreign),
    }
    let file: File = serde_json::from_slice(text).map_err(damaged)?;
    let written_at = Timestamp::from_unix(file.written_at);
    if written_at > now.after(SKEW) {
        return Err(Unusable::YetToCome(written_at));
    }
    file.read(now).map_err(Unusable::Implausible)
}

impl File {
    fn read(self, now: Timestamp) -> Result<Saved, &'static str> {
        let times = Times {
            written_at: Timestamp::from_unix(self.written_at),
            now,
        };
        let mut ids = BTreeSet::new();
        let mut tenants = Vec::with_capacity(self.tenants.len());
        for tenant in self.tenants {
            let tenant = tenant.read(times)?;
            if !ids.insert(tenant.tenant.tenant_id) {
                return Err("a tenant twice");
            }
            tenants.push(Arc::new(tenant));
        }
        let discovery = self.discovery.map(|one| one.read(times)).transpose()?;
        Ok(Saved {
            written_at: times.written_at.min(now),
            tenants,
            discovery,
        })
    }
}

/// What a time in the file is held against.
#[derive(Clone, Copy)]
struct Times {
    written_at: Timestamp,
    now: Timestamp,
}

impl Times {
    /// A time in the file: no later than the file, and not ahead of now.
    fn read(self, at: Duration) -> Result<Timestamp, &'static str> {
        let at = Timestamp::from_unix(at);
        if at > self.written_at {
            return Err("a time after it was written");
        }
        Ok(at.min(self.now))
    }
}

impl TenantState {
    fn read(self, times: Times) -> Result<TenantSnapshot, &'static str> {
        let tenant = Tenant {
            customer_id: customer_id(&self.customer_id)?,
            tenant_id: tenant_id(&self.tenant_id)?,
            customer_name: name(self.customer_name)?,
            tenant_name: name(self.tenant_name)?,
            // The operator's: the configuration has them.
            labels: BTreeMap::new(),
            source: self.source,
        };
        let security_users = self.security_users.map(|one| {
            let kind = CollectorKind::SecurityUsers(config::SecurityOptions {
                endpoint: one.options.endpoint,
                encoding: one.options.encoding,
                mode: one.options.mode,
            });
            one.read(kind, times, |it| Ok(Totals::SecurityUsers(it.into())))
        });
        let directory = self.directory.map(|one| {
            one.read(CollectorKind::Directory(NoOptions), times, |it| {
                Ok(Totals::Directory(it.into()))
            })
        });
        let partner_center = self.partner_center.map(|one| {
            let kind = CollectorKind::PartnerCenter(PartnerCenterOptions {
                top_usage_locations: one.options.top_usage_locations,
            });
            one.read(kind, times, |it| Ok(Totals::PartnerCenter(it.try_into()?)))
        });
        let protected_users = self.protected_users.map(|one| {
            one.read(CollectorKind::ProtectedUsers(NoOptions), times, |it| {
                let (figures, joins) = it.try_into()?;
                Ok(Totals::ProtectedUsers(figures, joins))
            })
        });
        // In the order of `Collector::ALL`.
        let collectors = [security_users, directory, partner_center, protected_users];
        Ok(TenantSnapshot {
            tenant: Arc::new(tenant),
            collectors: collectors.into_iter().flatten().collect::<Result<_, _>>()?,
        })
    }
}

impl<O, F> CollectorState<O, F> {
    fn read(
        self,
        kind: CollectorKind,
        times: Times,
        totals: impl FnOnce(F) -> Result<Totals, &'static str>,
    ) -> Result<CollectorSnapshot, &'static str> {
        if self.stale_after > LONGEST_STALE || self.interval > self.stale_after {
            return Err("a collector that no configuration allows");
        }
        let last_poll = self.last_poll.map(PollState::read).transpose()?;
        let figures = self.figures.map(|figures| {
            Ok::<_, &'static str>(Figures {
                at: times.read(figures.at)?,
                pages: figures.pages.into(),
                totals: Arc::new(totals(figures.totals)?),
            })
        });
        let config = CollectorConfig {
            interval: self.interval,
            stale_after: self.stale_after,
            kind,
        };
        Ok(CollectorSnapshot {
            last_poll,
            figures: figures.transpose()?,
            ..CollectorSnapshot::new(config)
        })
    }
}

impl PollState {
    fn read(self) -> Result<LastPoll, &'static str> {
        let failure = self.failure.map(|label| {
            let reason = Reason::ALL.iter().find(|one| one.as_str() == label);
            reason.copied().ok_or("a reason that is none")
        });
        Ok(LastPoll {
            duration: self.duration,
            rows: self.rows.into(),
            failure: failure.transpose()?,
        })
    }
}

impl DiscoveryState {
    fn read(self, times: Times) -> Result<SavedDiscovery, &'static str> {
        let customers = self.customers.into_iter().map(CustomerState::read);
        let customers = customers.collect::<Result<Vec<_>, _>>()?;
        if !customers.is_sorted_by(|one, next| one.id < next.id) {
            return Err("customers that are not in order");
        }
        Ok(SavedDiscovery {
            up: self.up,
            at: times.read(self.at)?,
            customers: customers.into(),
        })
    }
}

impl CustomerState {
    fn read(self) -> Result<Customer, &'static str> {
        let tenants = self.tenants.into_iter().map(|tenant| {
            Ok(CustomerTenant {
                id: tenant_id(&tenant.id)?,
                name: name(tenant.name)?,
            })
        });
        Ok(Customer {
            id: customer_id(&self.id)?,
            name: name(self.name)?,
            backup_status: self.backup_status.map(Into::into),
            country: name(self.country)?,
            management_mode: self.management_mode.map(Into::into),
            tenants: tenants.collect::<Result<_, &'static str>>()?,
        })
    }
}

fn customer_id(text: &str) -> Result<CustomerId, &'static str> {
    text.parse().map_err(|_| "a customer without a GUID")
}

fn tenant_id(text: &str) -> Result<TenantId, &'static str> {
    text.parse().map_err(|_| "a tenant without a GUID")
}

/// A name as the configuration and the API may give it.
fn name(name: Option<String>) -> Result<Option<String>, &'static str> {
    let is_none = |name: &String| {
        name.trim().is_empty()
            || name.contains(char::is_control)
            || name.chars().count() > LONGEST_NAME
    };
    if name.as_ref().is_some_and(is_none) {
        return Err("a name that is none");
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
