//! The figures that are right, counted the simplest way from what the simulated service knows. Shares no
//! code with the exporter: it works on text, scans lists, and has its own tables of names.

use std::collections::{BTreeMap, BTreeSet};

use avepoint_exporter::simulator::{
    Fault, ProtectedUser, SecurityUser, Tenant, null_protected_fields, null_security_fields,
    unknown_modules, unknown_statuses,
};

/// Samples by name and labels.
pub(super) type Series = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Every metric that the oracle knows.
pub(super) const NAMES: &[&str] = &[
    "avepoint_security_users",
    "avepoint_security_users_by_status",
    "avepoint_backup_users",
    "avepoint_backup_users_by_module",
    "avepoint_backup_users_by_coverage",
    "avepoint_exposed_users",
    "avepoint_exposed_users_by_module",
    "avepoint_exposed_unlisted_users",
    "avepoint_collector_up",
];

const STATUSES: &[(i64, &str)] = &[
    (0, "mfa_disabled"),
    (1, "sign_in_blocked"),
    (2, "password_expired"),
    (3, "high_risk"),
    (4, "medium_risk"),
    (5, "compliance"),
    (6, "inactive"),
    (7, "pending_deletion"),
    (TEST_USER, "test_user"),
];
const TEST_USER: i64 = 8;
const MODULES: &[(i64, &str)] = &[(0, "mailbox"), (2, "onedrive")];

/// More distinct codes fail a listing.
const MOST_CODES: usize = 64;

/// What stands between the service's rows and the exporter, as far as figures depend on it.
#[derive(Debug, Clone)]
pub(super) struct Circumstances {
    /// The largest page that the service gives.
    pub(super) page_limit: usize,
    /// Faults that strike at each request.
    pub(super) faults: Vec<Fault>,
    /// Whether the exporter leaves test users out.
    pub(super) exclude_test_users: bool,
    /// The tick at which both listings are read.
    pub(super) tick: u64,
}

/// All series of a tenant that there should be after one poll of both listings.
pub(super) fn expected(tenant: &Tenant, how: &Circumstances) -> Series {
    let flagged = security_listing(tenant, how);
    let backup = backup_listing(tenant, how);
    let mut out = Out::new(tenant);
    let up = |listing: bool| f64::from(u8::from(listing));
    out.put(
        "avepoint_collector_up",
        &[("collector", "security_users")],
        up(flagged.is_some()),
    );
    out.put(
        "avepoint_collector_up",
        &[("collector", "protected_users")],
        up(backup.is_some()),
    );
    if let Some(flagged) = &flagged {
        out.count("avepoint_security_users", &[], flagged.len());
        for (code, label) in statuses(flagged, how) {
            let users = flagged.iter().filter(|user| user.statuses.contains(&code));
            out.count(
                "avepoint_security_users_by_status",
                &[("status", &label)],
                users.count(),
            );
        }
    }
    if let Some(backup) = &backup {
        put_backup(backup, &mut out);
    }
    if let (Some(flagged), Some(backup)) = (&flagged, &backup) {
        put_exposure(flagged, backup, how, &mut out);
    }
    out.series
}

fn put_backup(backup: &[Backed], out: &mut Out) {
    out.count("avepoint_backup_users", &[], backup.len());
    for (code, module) in modules(backup) {
        for (protected, text) in [(true, "true"), (false, "false")] {
            let users = backup
                .iter()
                .filter(|user| user.modules.get(&code) == Some(&protected));
            out.count(
                "avepoint_backup_users_by_module",
                &[("module", &module), ("protected", text)],
                users.count(),
            );
        }
    }
    for coverage in ["full", "partial", "none"] {
        let users = backup.iter().filter(|user| user.coverage() == coverage);
        out.count(
            "avepoint_backup_users_by_coverage",
            &[("coverage", coverage)],
            users.count(),
        );
    }
}

fn put_exposure(flagged: &[Person], backup: &[Backed], how: &Circumstances, out: &mut Out) {
    let exposed: Vec<(&Person, Option<&Backed>)> = flagged
        .iter()
        .map(|user| (user, look_up(user, backup)))
        .filter(|(_, found)| found.is_none_or(|found| found.coverage() != "full"))
        .collect();
    for (code, status) in statuses(flagged, how) {
        let of_status: Vec<_> = exposed
            .iter()
            .filter(|(user, _)| user.statuses.contains(&code))
            .collect();
        out.count(
            "avepoint_exposed_users",
            &[("status", &status)],
            of_status.len(),
        );
        let unlisted = of_status.iter().filter(|(_, found)| found.is_none());
        out.count(
            "avepoint_exposed_unlisted_users",
            &[("status", &status)],
            unlisted.count(),
        );
        for (code, module) in modules(backup) {
            let unprotected = of_status.iter().filter(|(_, found)| {
                found.is_some_and(|found| found.modules.get(&code) == Some(&false))
            });
            out.count(
                "avepoint_exposed_users_by_module",
                &[("status", &status), ("module", &module)],
                unprotected.count(),
            );
        }
    }
}

/// A user of the security listing.
#[derive(Debug, Clone)]
struct Person {
    id: Option<String>,
    mail: Option<String>,
    principal: Option<String>,
    is_test_user: bool,
    statuses: BTreeSet<i64>,
}

/// A user of the backup listing.
#[derive(Debug, Clone)]
struct Backed {
    id: Option<String>,
    mail: Option<String>,
    /// Whether each listed module is protected; one that is listed as both is not.
    modules: BTreeMap<i64, bool>,
}

impl Backed {
    fn coverage(&self) -> &'static str {
        let protected = self.modules.values().filter(|protected| **protected);
        match protected.count() {
            0 => "none",
            n if n == self.modules.len() => "full",
            _ => "partial",
        }
    }
}

/// The users of the security listing, each once; nothing when reading it must fail.
fn security_listing(tenant: &Tenant, how: &Circumstances) -> Option<Vec<Person>> {
    let rows = tenant.security_users(how.tick).enumerate().map(|(k, row)| {
        let mut row = row.into_owned();
        if how.faults.contains(&Fault::UnknownCodes) {
            unknown_statuses(&mut row, k);
        }
        if how.faults.contains(&Fault::NullFields) {
            null_security_fields(&mut row, k);
        }
        person(row)
    });
    let rows = delivered(rows.collect(), how);
    let mut users = once(rows, |user| (&user.id, &user.mail, &user.principal))?;
    users.retain(|user| !(how.exclude_test_users && user.is_test_user));
    let codes: BTreeSet<i64> = users
        .iter()
        .flat_map(|user| user.statuses.clone())
        .collect();
    (codes.len() <= MOST_CODES).then_some(users)
}

/// The users of the backup listing, each once; nothing when reading it must fail.
fn backup_listing(tenant: &Tenant, how: &Circumstances) -> Option<Vec<Backed>> {
    let rows = tenant
        .protected_users(how.tick)
        .enumerate()
        .map(|(k, row)| {
            let mut row = row.into_owned();
            if how.faults.contains(&Fault::UnknownCodes) {
                unknown_modules(&mut row, k);
            }
            if how.faults.contains(&Fault::NullFields) {
                null_protected_fields(&mut row, k);
            }
            backed(row)
        });
    let rows = delivered(rows.collect(), how);
    let users = once(rows, |user| (&user.id, &user.mail, &None))?;
    let codes: BTreeSet<i64> = users
        .iter()
        .flat_map(|user| user.modules.keys().copied())
        .collect();
    (codes.len() <= MOST_CODES).then_some(users)
}

fn person(row: SecurityUser) -> Person {
    let statuses: BTreeSet<i64> = row
        .statuses
        .iter()
        .flat_map(|statuses| statuses.codes().to_vec())
        .collect();
    Person {
        id: text(row.id),
        mail: text(row.mail).map(|mail| without_case(&mail)),
        principal: text(row.user_principal_name).map(|name| without_case(&name)),
        is_test_user: row.is_test_user == Some(true) || statuses.contains(&TEST_USER),
        statuses,
    }
}

fn backed(row: ProtectedUser) -> Backed {
    let mut modules = BTreeMap::new();
    for module in row.modules.into_iter().flatten() {
        *modules.entry(module.module).or_insert(true) &= module.is_protected;
    }
    Backed {
        id: text(row.id),
        mail: text(row.email).map(|mail| without_case(&mail)),
        modules,
    }
}

/// Empty text names nobody.
fn text(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Letter for letter in lower case; Greek has two small letters for one capital.
fn without_case(address: &str) -> String {
    let lower = address.chars().flat_map(char::to_lowercase);
    lower.map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// The rows in the order in which pages bring them. Rows that move down once the first page was read bring
/// its last ones again, and the listing's last ones never.
fn delivered<T: Clone>(rows: Vec<T>, how: &Circumstances) -> Vec<T> {
    let mut page = how.page_limit.min(100);
    if how.faults.contains(&Fault::Clamp) {
        page = (page / 2).max(1);
    }
    if !how.faults.contains(&Fault::MoveRows) {
        return rows;
    }
    let moved = page.min(3);
    let first = rows.iter().take(page);
    let rest = rows.iter().skip(page - moved);
    first.chain(rest).take(rows.len()).cloned().collect()
}

/// Each user's first row; nothing when there is a row that names nobody.
fn once<T>(
    rows: Vec<T>,
    names: impl Fn(&T) -> (&Option<String>, &Option<String>, &Option<String>),
) -> Option<Vec<T>> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for row in rows {
        let (id, mail, principal) = names(&row);
        let who = match (id, mail, principal) {
            (Some(id), _, _) => format!("id {id}"),
            (None, Some(address), _) | (None, None, Some(address)) => format!("address {address}"),
            (None, None, None) => return None,
        };
        if seen.insert(who) {
            kept.push(row);
        }
    }
    Some(kept)
}

/// The backup listing's row for a user: by id; failing that by mail address, then by principal name.
fn look_up<'a>(user: &Person, backup: &'a [Backed]) -> Option<&'a Backed> {
    let by_id = backup
        .iter()
        .find(|row| row.id.is_some() && row.id == user.id);
    let by_address = |address: &Option<String>| {
        backup
            .iter()
            .find(|row| row.mail.is_some() && row.mail == *address)
    };
    by_id
        .or_else(|| by_address(&user.mail))
        .or_else(|| by_address(&user.principal))
}

/// The findings that are shown: the known ones, and those that occur.
fn statuses(users: &[Person], how: &Circumstances) -> BTreeMap<i64, String> {
    let occurring = users.iter().flat_map(|user| user.statuses.clone());
    let mut shown = named(STATUSES, occurring);
    if how.exclude_test_users {
        shown.remove(&TEST_USER);
    }
    shown
}

fn modules(users: &[Backed]) -> BTreeMap<i64, String> {
    named(
        MODULES,
        users.iter().flat_map(|user| user.modules.keys().copied()),
    )
}

fn named(known: &[(i64, &str)], occurring: impl Iterator<Item = i64>) -> BTreeMap<i64, String> {
    let mut names: BTreeMap<i64, String> = occurring
        .map(|code| (code, format!("unknown_{code}")))
        .collect();
    names.extend(known.iter().map(|(code, name)| (*code, (*name).to_owned())));
    names
}

/// The series of one tenant.
struct Out {
    tenant: [(String, String); 2],
    series: Series,
}

impl Out {
    fn new(tenant: &Tenant) -> Self {
        // The configuration gives no names, so the ids stand for them.
        let id = tenant.tenant_id.to_string();
        Self {
            tenant: [
                ("m365_tenant_id".to_owned(), id.clone()),
                ("m365_tenant_name".to_owned(), id),
            ],
            series: Series::new(),
        }
    }

    fn count(&mut self, name: &str, labels: &[(&str, &str)], users: usize) {
        self.put(name, labels, users as f64);
    }

    fn put(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let own = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let labels = self.tenant.iter().cloned().chain(own).collect();
        let before = self.series.insert((name.to_owned(), labels), value);
        assert_eq!(before, None, "the oracle counted {name} twice");
    }
}
