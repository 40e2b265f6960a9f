//! What the figures of a world must be: counted from its rows by the plainest code, apart from the exporter's.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use avepoint_exporter::simulator::{ProtectedUser, SecurityUser, Tenant, World};

pub(crate) type Labels = BTreeMap<String, String>;
type Figures = BTreeMap<&'static str, BTreeMap<Labels, f64>>;

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
const MODULES: [(i64, &str); 2] = [(0, "mailbox"), (2, "onedrive")];

/// The labels of a tenant's series.
pub(crate) fn labels(tenant: &Tenant, more: &[(&str, &str)]) -> Labels {
    let id = tenant.tenant_id.to_string();
    let own = [
        ("m365_tenant_id", id.as_str()),
        ("m365_tenant_name", &tenant.tenant_name),
    ];
    own.iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn lower(text: Option<&String>) -> Option<String> {
    text.map(|text| text.to_lowercase())
}

/// The row of the backup listing that is this user's.
fn backup<'a>(user: &SecurityUser, rows: &'a [ProtectedUser]) -> Option<&'a ProtectedUser> {
    let by_id = || {
        rows.iter()
            .find(|row| row.id.is_some() && row.id == user.id)
    };
    let by_address = |address: Option<String>| {
        address.and_then(|address| {
            rows.iter()
                .find(|row| lower(row.email.as_ref()).as_ref() == Some(&address))
        })
    };
    by_id()
        .or_else(|| by_address(lower(user.mail.as_ref())))
        .or_else(|| by_address(lower(user.user_principal_name.as_ref())))
}

/// The modules that a row lists with this protection.
fn modules(row: &ProtectedUser, is_protected: bool) -> BTreeSet<i64> {
    let listed = row.modules.iter().flatten();
    listed
        .filter(|module| module.is_protected == is_protected)
        .map(|module| module.module)
        .collect()
}

fn codes(user: &SecurityUser) -> &[i64] {
    user.statuses
        .as_ref()
        .map_or(&[], |statuses| statuses.codes())
}

/// All figures of a world that stands still. Nobody is in a listing of such a world twice.
pub(crate) fn figures(world: &World) -> Figures {
    let mut figures = Figures::new();
    let mut put = |name, labels, value: usize| {
        figures
            .entry(name)
            .or_default()
            .insert(labels, value as f64);
    };
    for (state, tenants) in [
        ("active", world.tenants().len()),
        ("excluded", 0),
        ("unsupported", 0),
    ] {
        put(
            "avepoint_tenants",
            [("state".to_owned(), state.to_owned())].into(),
            tenants,
        );
    }
    for tenant in world.tenants() {
        let facts = [
            ("customer_id", &*tenant.customer_id.to_string()),
            ("customer_name", &tenant.customer_name),
            ("source", "discovery"),
        ];
        put("avepoint_tenant_info", labels(tenant, &facts), 1);

        let users: Vec<_> = tenant.security_users(0).map(Cow::into_owned).collect();
        let rows: Vec<_> = tenant.protected_users(0).map(Cow::into_owned).collect();
        put("avepoint_security_users", labels(tenant, &[]), users.len());
        put("avepoint_backup_users", labels(tenant, &[]), rows.len());

        let count =
            |fits: &dyn Fn(&ProtectedUser) -> bool| rows.iter().filter(|row| fits(row)).count();
        for (code, module) in MODULES {
            for (is_protected, text) in [(true, "true"), (false, "false")] {
                put(
                    "avepoint_backup_users_by_module",
                    labels(tenant, &[("module", module), ("protected", text)]),
                    count(&|row| modules(row, is_protected).contains(&code)),
                );
            }
        }
        let some = |row: &ProtectedUser, is_protected| !modules(row, is_protected).is_empty();
        for (coverage, users) in [
            ("full", count(&|row| some(row, true) && !some(row, false))),
            ("partial", count(&|row| some(row, true) && some(row, false))),
            ("none", count(&|row| !some(row, true))),
        ] {
            let labels = labels(tenant, &[("coverage", coverage)]);
            put("avepoint_backup_users_by_coverage", labels, users);
        }

        for (code, status) in (0..).zip(STATUSES) {
            let flagged: Vec<_> = users
                .iter()
                .filter(|user| codes(user).contains(&code))
                .collect();
            let own = labels(tenant, &[("status", status)]);
            put(
                "avepoint_security_users_by_status",
                own.clone(),
                flagged.len(),
            );
            let found: Vec<_> = flagged.iter().map(|user| backup(user, &rows)).collect();
            let exposed = found
                .iter()
                .filter(|row| row.is_none_or(|row| !some(row, true) || some(row, false)));
            put("avepoint_exposed_users", own.clone(), exposed.count());
            let unlisted = found.iter().filter(|row| row.is_none()).count();
            put("avepoint_exposed_unlisted_users", own, unlisted);
            for (code, module) in MODULES {
                let unprotected = found
                    .iter()
                    .flatten()
                    .filter(|row| modules(row, false).contains(&code));
                put(
                    "avepoint_exposed_users_by_module",
                    labels(tenant, &[("status", status), ("module", module)]),
                    unprotected.count(),
                );
            }
        }
    }
    figures
}
