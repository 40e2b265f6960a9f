//! The figures that are right, counted the simplest way from what the simulated service knows. Shares no
//! code with the exporter: it works on text, scans lists, and has its own tables of names.

mod customers;
mod dates;
mod directory;
mod partner_center;
mod people;
mod protected;
mod security;

use std::borrow::Cow;
use std::collections::BTreeMap;

use avepoint_exporter::domain::TenantId;
use avepoint_exporter::simulator::{Distort, Fault, Listing, World};

use self::customers::Polled;

/// Samples by name and labels.
pub(crate) type Series = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Every metric that the oracle knows.
pub(crate) const NAMES: &[&str] = &[
    "avepoint_tenants",
    "avepoint_tenant_info",
    "avepoint_customer_info",
    "avepoint_customer_backup_status",
    "avepoint_customers_without_tenant",
    "avepoint_discovery_up",
    "avepoint_security_users",
    "avepoint_security_users_by_status",
    "avepoint_directory_users",
    "avepoint_directory_users_by_status",
    "avepoint_directory_test_users",
    "avepoint_directory_users_by_password_age",
    "avepoint_directory_accounts_ending",
    "avepoint_partner_center_users",
    "avepoint_partner_center_users_by_state",
    "avepoint_partner_center_users_by_usage_location",
    "avepoint_partner_center_force_password_change_users",
    "avepoint_partner_center_synced_users",
    "avepoint_partner_center_last_directory_sync_timestamp_seconds",
    "avepoint_partner_center_next_purge_timestamp_seconds",
    "avepoint_backup_users",
    "avepoint_backup_users_by_module",
    "avepoint_backup_users_by_coverage",
    "avepoint_backup_missing_users",
    "avepoint_exposed_users",
    "avepoint_exposed_users_by_module",
    "avepoint_exposed_unlisted_users",
    "avepoint_collector_up",
];

/// More distinct codes fail a listing.
const MOST_CODES: usize = 64;

/// How the users with findings are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// Row by row.
    Scan {
        endpoint: &'static str,
        status_encoding: &'static str,
        exclude_test_users: bool,
    },
    /// By the totals of filtered listings.
    Counts,
}

/// What stands between the service's rows and the exporter, as far as figures depend on it.
#[derive(Debug, Clone)]
pub(crate) struct Circumstances {
    /// The largest page that the service gives.
    pub(crate) page_limit: usize,
    /// The same for Partner Center.
    pub(crate) partner_page_limit: usize,
    /// Faults that strike at each request.
    pub(crate) faults: Vec<Fault>,
    /// The one listing of a tenant that they strike at, or all of them.
    pub(crate) struck: Option<(Listing, TenantId)>,
    /// Whether what they strike at cannot be read.
    pub(crate) fails: bool,
    pub(crate) security: Security,
    pub(crate) directory: bool,
    /// Whether that collector is on, and how many locations it tells apart.
    pub(crate) partner_center: Option<usize>,
    pub(crate) discovery: bool,
    /// The tick at which all listings are read.
    pub(crate) tick: u64,
}

impl Default for Circumstances {
    fn default() -> Self {
        Self {
            page_limit: 100,
            partner_page_limit: 500,
            faults: Vec::new(),
            struck: None,
            fails: false,
            security: Security::Scan {
                endpoint: "v3",
                status_encoding: "auto",
                exclude_test_users: false,
            },
            directory: false,
            partner_center: None,
            discovery: false,
            tick: 0,
        }
    }
}

/// How a listing is paged.
struct Pages {
    /// Of a full page.
    rows: usize,
    has_links: bool,
}

impl Pages {
    /// Whether too many of them bring nobody new, beside those who were known `before`: a page's index is not heeded
    /// then, or links lead nowhere.
    fn are_idle(&self, before: &[String], identities: &[String]) -> bool {
        // A link is followed a few times, and the last page has none.
        let (most, last) = if self.has_links { (4, 1) } else { (0, 0) };
        let all = [before, identities].concat();
        let mut idle = 0;
        (0..(identities.len().saturating_sub(last)) / self.rows).any(|page| {
            let (from, to) = (page * self.rows, (page + 1) * self.rows);
            let known = &all[..if page == 0 { 0 } else { before.len() + from }];
            let is_idle = identities[from..to].iter().all(|who| known.contains(who));
            idle = if is_idle { idle + 1 } else { 0 };
            idle > most
        })
    }
}

impl Circumstances {
    fn strikes_at(&self, listing: Listing, tenant: TenantId) -> bool {
        self.struck.is_none_or(|(struck, at)| match struck {
            Listing::PartnerToken => {
                matches!(listing, Listing::Partner | Listing::DeletedPartner)
            }
            // Of all permissions, only that of the protected users is ever refused.
            Listing::Token => listing == Listing::Protected,
            _ => (struck, at) == (listing, tenant),
        })
    }

    /// The rows of a listing as they come; nothing when reading it must fail.
    fn read<'a, T: Distort + Clone + 'a>(
        &self,
        listing: Listing,
        tenant: TenantId,
        rows: impl Iterator<Item = Cow<'a, T>>,
    ) -> Option<Vec<T>> {
        let rows = rows.map(Cow::into_owned);
        if !self.strikes_at(listing, tenant) {
            return Some(rows.collect());
        }
        if self.fails {
            return None;
        }
        let bent = rows.enumerate().map(|(k, mut row)| {
            row.distort(k, &self.faults);
            row
        });
        Some(self.delivered(bent.collect(), listing))
    }

    /// How a listing is paged.
    fn pages(&self, listing: Listing, tenant: TenantId) -> Pages {
        let is_struck = self.strikes_at(listing, tenant);
        let has_links = matches!(listing, Listing::Partner | Listing::DeletedPartner)
            || (is_struck && self.faults.contains(&Fault::NextLink));
        Pages {
            rows: self.page_of(listing, is_struck),
            has_links,
        }
    }

    /// Rows of a full page, of a listing that faults strike at or not.
    fn page_of(&self, listing: Listing, is_struck: bool) -> usize {
        let page = match listing {
            Listing::Partner | Listing::DeletedPartner => self.partner_page_limit.min(500),
            _ => self.page_limit.min(100),
        };
        if is_struck && self.faults.contains(&Fault::Clamp) {
            return (page / 2).max(1);
        }
        page
    }

    /// The rows in the order in which pages bring them. Rows that move down once the first page was read bring
    /// its last ones again, and the listing's last ones never.
    fn delivered<T: Clone>(&self, rows: Vec<T>, listing: Listing) -> Vec<T> {
        let page = self.page_of(listing, true);
        if !self.faults.contains(&Fault::MoveRows) {
            return rows;
        }
        let moved = page.min(3);
        let first = rows.iter().take(page);
        let rest = rows.iter().skip(page - moved);
        first.chain(rest).take(rows.len()).cloned().collect()
    }
}

/// All series that there should be after one poll of everything at this time, in seconds since the epoch.
pub(crate) fn expected(world: &World, how: &Circumstances, now: i64) -> Series {
    let mut series = Series::new();
    for polled in customers::put(world, how, &mut series) {
        put_tenant(&polled, how, now, &mut Out::of(&polled, &mut series));
    }
    series
}

fn put_tenant(polled: &Polled<'_>, how: &Circumstances, now: i64, out: &mut Out<'_>) {
    let facts = [
        ("customer_id", &*polled.customer_id),
        ("customer_name", &*polled.customer_name),
        ("source", polled.source),
    ];
    out.put("avepoint_tenant_info", &facts, 1.0);
    let tenant = polled.tenant;
    let flagged = security::put(tenant, how, out);
    let mut references = BTreeMap::new();
    if how.directory {
        references.insert("directory", directory::put(tenant, how, now, out));
    }
    if let Some(top) = how.partner_center {
        let active = partner_center::put(tenant, how, top, out);
        references.insert("partner_center", active);
    }
    let backup = protected::put(tenant, how, out);
    out.up("protected_users", backup.is_some());
    let Some(backup) = backup else {
        return;
    };
    if let Some(flagged) = flagged {
        security::put_exposure(&flagged, &backup, how, out);
    }
    for (reference, active) in references {
        if let Some(active) = active {
            let missing = active.iter().filter(|who| who.look_up(&backup).is_none());
            let labels = [("reference", reference)];
            out.count("avepoint_backup_missing_users", &labels, missing.count());
        }
    }
}

/// The codes that are shown: the known ones, and those that occur.
fn named(known: &[(i64, &str)], occurring: impl Iterator<Item = i64>) -> BTreeMap<i64, String> {
    let mut names: BTreeMap<i64, String> = occurring
        .map(|code| (code, format!("unknown_{code}")))
        .collect();
    names.extend(known.iter().map(|(code, name)| (*code, (*name).to_owned())));
    names
}

/// A GUID in small letters, without braces.
fn guid(text: Option<&str>) -> Option<String> {
    let text = text?;
    let text = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or(text);
    let is_guid = text.len() == 36
        && text.chars().enumerate().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        });
    is_guid.then(|| text.to_lowercase())
}

/// Where series go that have some labels in common.
struct Out<'a> {
    common: Vec<(&'static str, String)>,
    series: &'a mut Series,
}

impl<'a> Out<'a> {
    fn of(polled: &Polled<'_>, series: &'a mut Series) -> Self {
        let id = polled.tenant.tenant_id.to_string();
        let name = polled.tenant_name.clone();
        Self {
            common: vec![("m365_tenant_id", id), ("m365_tenant_name", name)],
            series,
        }
    }

    fn up(&mut self, collector: &str, is_up: bool) {
        let labels = [("collector", collector)];
        self.put("avepoint_collector_up", &labels, f64::from(u8::from(is_up)));
    }

    fn count(&mut self, name: &str, labels: &[(&str, &str)], users: usize) {
        self.put(name, labels, users as f64);
    }

    fn put(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let own = labels
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let labels = (self.common.iter().cloned().chain(own))
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let before = self.series.insert((name.to_owned(), labels), value);
        assert_eq!(before, None, "the oracle counted {name} twice");
    }
}
