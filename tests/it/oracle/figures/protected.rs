//! Users by what is backed up of them.

use std::collections::{BTreeMap, BTreeSet};

use avepoint_exporter::simulator::{Listing, ProtectedUser, Tenant};

use super::people::{Who, once};
use super::{Circumstances, MOST_CODES, Out, named};

const MODULES: &[(i64, &str)] = &[(0, "mailbox"), (2, "onedrive")];

/// A user of the backup listing.
#[derive(Debug, Clone)]
pub(super) struct Backed {
    pub(super) who: Who,
    /// Whether each listed module is protected; one that is listed as both is not.
    pub(super) modules: BTreeMap<i64, bool>,
}

impl Backed {
    fn new(row: ProtectedUser) -> Self {
        let mut modules = BTreeMap::new();
        for module in row.modules.into_iter().flatten() {
            *modules.entry(module.module).or_insert(true) &= module.is_protected;
        }
        Self {
            who: Who::new(row.id, row.email, None),
            modules,
        }
    }

    pub(super) fn coverage(&self) -> &'static str {
        let protected = self.modules.values().filter(|protected| **protected);
        match protected.count() {
            0 => "none",
            n if n == self.modules.len() => "full",
            _ => "partial",
        }
    }
}

/// Puts out the listing's figures. Returns its users, each once; nothing when reading it must fail.
pub(super) fn put(tenant: &Tenant, how: &Circumstances, out: &mut Out<'_>) -> Option<Vec<Backed>> {
    let rows = tenant.protected_users(how.tick);
    let rows = how.read(Listing::Protected, tenant.tenant_id, rows)?;
    let backup = once(
        rows.into_iter().map(Backed::new).collect(),
        Some(how.pages(Listing::Protected, tenant.tenant_id)),
        |user| &user.who,
    )?;
    let codes: BTreeSet<i64> = codes(&backup).collect();
    if codes.len() > MOST_CODES {
        return None;
    }
    out.count("avepoint_backup_users", &[], backup.len());
    for (code, module) in modules(&backup) {
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
        let labels = [("coverage", coverage)];
        out.count("avepoint_backup_users_by_coverage", &labels, users.count());
    }
    Some(backup)
}

fn codes(users: &[Backed]) -> impl Iterator<Item = i64> {
    users.iter().flat_map(|user| user.modules.keys().copied())
}

/// The modules that are shown.
pub(super) fn modules(users: &[Backed]) -> BTreeMap<i64, String> {
    named(MODULES, codes(users))
}
