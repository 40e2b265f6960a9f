//! The figures of a listing, counted from the world's plain data, to be compared with what is shown.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use avepoint_exporter::domain::TenantId;
use avepoint_exporter::simulator::{Listing, ProtectedUser, SecurityUser, Tenant};

use crate::support::Exposition;

/// Values by metric and label values, such as `avepoint_backup_users_by_module mailbox true`.
pub(super) type Figures = BTreeMap<String, f64>;

const STATUSES: [&str; 9] = [
    "mfa_disabled",
    "sign_in_blocked",
    "password_expired",
    "high_risk",
    "medium_risk",
    "compliance",
    "inactive",
    "pending_deletion",
    "test_user",
];

/// All figures that are shown of a tenant's listing; empty when none is.
pub(super) fn shown(exposition: &Exposition, tenant: TenantId, listing: Listing) -> Figures {
    let names: &[&str] = match listing {
        Listing::Protected => &[
            "avepoint_backup_users",
            "avepoint_backup_users_by_module",
            "avepoint_backup_users_by_coverage",
        ],
        _ => &[
            "avepoint_security_users",
            "avepoint_security_users_by_status",
        ],
    };
    let mut figures = Figures::new();
    for name in names {
        for (labels, value) in exposition.all(name, &[("m365_tenant_id", &tenant.to_string())]) {
            let mut key = (*name).to_owned();
            for (_, value) in labels.iter().filter(|(name, _)| !name.starts_with("m365_")) {
                key = format!("{key} {value}");
            }
            figures.insert(key, value);
        }
    }
    figures
}

/// What should be shown of a tenant's listing when nothing is wrong with it.
pub(super) fn of(tenant: &Tenant, listing: Listing) -> Figures {
    match listing {
        Listing::Protected => protected(tenant.protected_users(0).map(Cow::into_owned)),
        _ => security(tenant.security_users(0).map(Cow::into_owned)),
    }
}

/// What should be shown of these rows.
pub(super) fn security(rows: impl Iterator<Item = SecurityUser>) -> Figures {
    let mut figures = Figures::from([("avepoint_security_users".to_owned(), 0.0)]);
    for status in STATUSES {
        figures.insert(format!("avepoint_security_users_by_status {status}"), 0.0);
    }
    let mut seen = BTreeSet::new();
    for row in rows {
        if !seen.insert(identity([row.id, row.mail, row.user_principal_name])) {
            continue;
        }
        count(&mut figures, "avepoint_security_users".to_owned());
        let codes: BTreeSet<i64> = row
            .statuses
            .iter()
            .flat_map(|s| s.codes().to_vec())
            .collect();
        for code in codes {
            let known = usize::try_from(code)
                .ok()
                .and_then(|code| STATUSES.get(code));
            let label = known.map_or_else(|| format!("unknown_{code}"), |&name| name.to_owned());
            count(
                &mut figures,
                format!("avepoint_security_users_by_status {label}"),
            );
        }
    }
    figures
}

/// What should be shown of these rows.
pub(super) fn protected(rows: impl Iterator<Item = ProtectedUser>) -> Figures {
    let mut figures = Figures::from([("avepoint_backup_users".to_owned(), 0.0)]);
    for coverage in ["full", "partial", "none"] {
        figures.insert(format!("avepoint_backup_users_by_coverage {coverage}"), 0.0);
    }
    // A module is shown with both of its sides as soon as there is one.
    let module = |figures: &mut Figures, label: &str| {
        for side in ["true", "false"] {
            let key = format!("avepoint_backup_users_by_module {label} {side}");
            figures.entry(key).or_insert(0.0);
        }
    };
    module(&mut figures, "mailbox");
    module(&mut figures, "onedrive");
    let mut seen = BTreeSet::new();
    for row in rows {
        if !seen.insert(identity([row.id, row.email, None])) {
            continue;
        }
        count(&mut figures, "avepoint_backup_users".to_owned());
        let modules = row.modules.unwrap_or_default();
        let good = modules.iter().filter(|module| module.is_protected).count();
        let coverage = match good {
            0 => "none",
            _ if good == modules.len() => "full",
            _ => "partial",
        };
        count(
            &mut figures,
            format!("avepoint_backup_users_by_coverage {coverage}"),
        );
        for one in modules {
            let label = match one.module {
                0 => "mailbox".to_owned(),
                2 => "onedrive".to_owned(),
                other => format!("unknown_{other}"),
            };
            module(&mut figures, &label);
            count(
                &mut figures,
                format!(
                    "avepoint_backup_users_by_module {label} {}",
                    one.is_protected
                ),
            );
        }
    }
    figures
}

fn count(figures: &mut Figures, key: String) {
    *figures.entry(key).or_insert(0.0) += 1.0;
}

/// What tells a user from others: the id, else the first of the addresses, in lower case.
fn identity([id, mail, principal]: [Option<String>; 3]) -> String {
    id.or_else(|| mail.or(principal).map(|address| address.to_lowercase()))
        .unwrap()
}
