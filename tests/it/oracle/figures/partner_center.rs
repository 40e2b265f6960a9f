//! A tenant's users as Partner Center knows them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use avepoint_exporter::simulator::{Listing, PartnerUser, Tenant, Word};

use super::people::{Who, once};
use super::{Circumstances, MOST_CODES, Out, dates};

const STATES: &[&str] = &["active", "inactive"];
const DOMAIN_TYPES: &[&str] = &["none", "managed", "federated"];
const KEPT: i64 = 30 * 86_400;

/// A user of one of the two listings.
struct Known {
    who: Who,
    state: String,
    domain_type: String,
    is_deleted: bool,
    location: String,
    must_change: bool,
    synced: Option<i64>,
    deleted: Option<i64>,
}

impl Known {
    /// The user of a row; nothing for an active one among the deleted ones, since the filter was not heeded then.
    fn new(row: PartnerUser, in_deleted: bool) -> Option<Self> {
        let state = word(row.state.as_ref(), STATES);
        if in_deleted && state == "active" {
            return None;
        }
        Some(Self {
            who: Who::new(row.id, None, row.user_principal_name),
            is_deleted: in_deleted || state == "inactive",
            state,
            domain_type: word(row.user_domain_type.as_ref(), DOMAIN_TYPES),
            location: location(row.usage_location.as_deref().unwrap_or_default()),
            must_change: row.force_change_password == Some(true),
            synced: dates::seconds(row.last_directory_sync_time.as_deref()),
            deleted: dates::seconds(row.soft_deletion_time.as_deref()),
        })
    }
}

fn word(word: Option<&Word>, known: &[&str]) -> String {
    match word {
        Some(Word::Number(number)) => format!("unknown_{number}"),
        Some(Word::Text(text)) if known.contains(&&*text.to_lowercase()) => text.to_lowercase(),
        _ => "unknown".to_owned(),
    }
}

fn location(text: &str) -> String {
    let is_country = text.len() == 2 && text.chars().all(|c| c.is_ascii_alphabetic());
    match text {
        "" => "unset".to_owned(),
        _ if is_country => text.to_uppercase(),
        _ => "other".to_owned(),
    }
}

/// Puts out the figures of both listings. Returns the active users; nothing when reading them must fail.
pub(super) fn put(
    tenant: &Tenant,
    how: &Circumstances,
    top: usize,
    out: &mut Out<'_>,
) -> Option<Vec<Who>> {
    let users = listings(tenant, how);
    out.up("partner_center", users.is_some());
    let users = users?;
    for ((state, domain_type), count) in by_state(&users) {
        let labels = [("state", &*state), ("domain_type", &*domain_type)];
        out.count("avepoint_partner_center_users_by_state", &labels, count);
    }
    let (deleted, active): (Vec<Known>, Vec<Known>) =
        users.into_iter().partition(|user| user.is_deleted);
    out.count("avepoint_partner_center_users", &[], active.len());
    put_locations(&active, top, out);
    let must_change = active.iter().filter(|user| user.must_change).count();
    out.count(
        "avepoint_partner_center_force_password_change_users",
        &[],
        must_change,
    );
    let synced = active.iter().filter_map(|user| user.synced);
    out.count(
        "avepoint_partner_center_synced_users",
        &[],
        synced.clone().count(),
    );
    if let Some(last) = synced.max() {
        let name = "avepoint_partner_center_last_directory_sync_timestamp_seconds";
        out.put(name, &[], last as f64);
    }
    if let Some(oldest) = deleted.iter().filter_map(|user| user.deleted).min() {
        let name = "avepoint_partner_center_next_purge_timestamp_seconds";
        out.put(name, &[], (oldest + KEPT) as f64);
    }
    Some(active.into_iter().map(|user| user.who).collect())
}

/// The users of both listings, each once, where it comes first; nothing when reading them must fail.
fn listings(tenant: &Tenant, how: &Circumstances) -> Option<Vec<Known>> {
    let id = tenant.tenant_id;
    let plain = how.read(Listing::Partner, id, tenant.partner_users(how.tick))?;
    let deleted = tenant.deleted_partner_users(how.tick);
    let deleted = how.read(Listing::DeletedPartner, id, deleted)?;
    let known = |rows: Vec<_>, deleted| -> Option<(Vec<Known>, Vec<String>)> {
        let known: Option<Vec<Known>> = rows
            .into_iter()
            .map(|row| Known::new(row, deleted))
            .collect();
        let known = known?;
        let identities: Option<_> = known.iter().map(|user| user.who.identity()).collect();
        Some((known, identities?))
    };
    let (mut users, before) = known(plain, false)?;
    let (deleted, after) = known(deleted, true)?;
    users.extend(deleted);
    if how.pages(Listing::Partner, id).are_idle(&[], &before)
        || how
            .pages(Listing::DeletedPartner, id)
            .are_idle(&before, &after)
    {
        return None;
    }
    let users = once(users, None, |user| &user.who)?;
    (by_state(&users).len() <= MOST_CODES).then_some(users)
}

fn by_state(users: &[Known]) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for state in STATES {
        for domain_type in DOMAIN_TYPES {
            counts.insert(((*state).to_owned(), (*domain_type).to_owned()), 0);
        }
    }
    for user in users {
        let key = (user.state.clone(), user.domain_type.clone());
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// The largest locations by themselves, ties by alphabet, and the rest together.
fn put_locations(active: &[Known], top: usize, out: &mut Out<'_>) {
    let at = |location: &str| {
        active
            .iter()
            .filter(|user| user.location == location)
            .count()
    };
    let occurring: BTreeSet<&str> = active.iter().map(|user| &*user.location).collect();
    let mut countries: Vec<&str> = occurring
        .into_iter()
        .filter(|location| location.len() == 2)
        .collect();
    countries.sort_by_key(|country| Reverse(at(country)));
    countries.truncate(top);
    let told_apart: usize = countries.iter().map(|country| at(country)).sum();
    let other = active.len() - told_apart - at("unset");
    let mut put = |location, users| {
        let labels = [("usage_location", location)];
        out.count(
            "avepoint_partner_center_users_by_usage_location",
            &labels,
            users,
        );
    };
    for country in countries {
        put(country, at(country));
    }
    put("other", other);
    put("unset", at("unset"));
}
