//! The customers, and which tenants are polled.

use std::borrow::Cow;
use std::collections::BTreeMap;

use avepoint_exporter::simulator::{Customer, Listing, NO_TENANT, Tenant, World};

use super::{Circumstances, Out, Series, guid, named};

const STATUSES: &[(i64, &str)] = &[
    (0, "not_applicable"),
    (1, "working"),
    (2, "failed"),
    (3, "waiting_for_configuration"),
    (4, "multiple_issues"),
    (5, "finished_with_exception"),
    (6, "no_backup_updates"),
];
const MODES: &[(i64, &str)] = &[(0, "customer"), (1, "partner"), (2, "to_be_configured")];

/// A tenant that is polled, and how it is called.
pub(super) struct Polled<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) tenant_name: String,
    pub(super) customer_id: String,
    pub(super) customer_name: String,
    pub(super) source: &'static str,
}

/// Puts out what is known of customers. Returns the tenants that are polled.
pub(super) fn put<'a>(
    world: &'a World,
    how: &Circumstances,
    series: &mut Series,
) -> Vec<Polled<'a>> {
    let mut out = Out {
        common: Vec::new(),
        series,
    };
    let polled = if how.discovery {
        let customers = listing(world, how);
        let up = f64::from(u8::from(customers.is_some()));
        out.put("avepoint_discovery_up", &[], up);
        customers.map_or_else(
            Vec::new,
            |Listed {
                 customers,
                 unsupported,
             }| {
                put_customers(&customers, &mut out);
                out.count("avepoint_tenants", &[("state", "unsupported")], unsupported);
                tenants(world, &customers)
            },
        )
    } else {
        world.tenants().iter().map(from_config).collect()
    };
    out.count("avepoint_tenants", &[("state", "active")], polled.len());
    polled
}

/// The configuration gives no names, so the ids stand for them.
fn from_config(tenant: &Tenant) -> Polled<'_> {
    Polled {
        tenant,
        tenant_name: tenant.tenant_id.to_string(),
        customer_id: tenant.customer_id.to_string(),
        customer_name: tenant.customer_id.to_string(),
        source: "config",
    }
}

/// What the listing says.
#[derive(Default)]
struct Listed {
    /// By id, each once.
    customers: BTreeMap<String, Customer>,
    /// Tenants without an id, and customers without one as their tenants, one at least for each.
    unsupported: usize,
}

/// The customers; nothing when reading them must fail.
fn listing(world: &World, how: &Circumstances) -> Option<Listed> {
    let rows = world.customers().iter().map(Cow::Borrowed);
    let rows = how.read(Listing::Customers, NO_TENANT, rows)?;
    // A customer without an id is nobody's repetition.
    let ids = rows.iter().enumerate();
    let ids: Vec<String> = ids
        .map(|(k, row)| guid(row.id.as_deref()).unwrap_or_else(|| format!("none {k}")))
        .collect();
    if how.pages(Listing::Customers, NO_TENANT).are_idle(&[], &ids) {
        return None;
    }
    let mut listed = Listed::default();
    for row in rows {
        match guid(row.id.as_deref()) {
            Some(id) => _ = listed.customers.entry(id).or_insert(row),
            None => listed.unsupported += row.tenants.iter().flatten().count().max(1),
        }
    }
    let tenants = listed
        .customers
        .values()
        .flat_map(|one| one.tenants.iter().flatten());
    listed.unsupported += tenants
        .filter(|one| guid(one.id.as_deref()).is_none())
        .count();
    Some(listed)
}

/// A name on one line.
fn name(text: Option<&String>) -> Option<String> {
    let name = text?.trim().replace(|c: char| c.is_control(), "");
    (!name.is_empty()).then_some(name)
}

fn put_customers(customers: &BTreeMap<String, Customer>, out: &mut Out<'_>) {
    for (id, customer) in customers {
        let name_or_id = name(customer.organization.as_ref()).unwrap_or_else(|| id.clone());
        let mode = customer.management_mode.map(|mode| {
            let names = named(MODES, [mode].into_iter());
            names[&mode].clone()
        });
        let labels = [
            ("customer_id", &**id),
            ("customer_name", &*name_or_id),
            (
                "country",
                &*name(customer.country_or_region.as_ref()).unwrap_or_default(),
            ),
            ("management_mode", &*mode.unwrap_or_default()),
        ];
        out.put("avepoint_customer_info", &labels, 1.0);
        let Some(is) = customer.job_status else {
            continue;
        };
        for (code, status) in named(STATUSES, [is].into_iter()) {
            let labels = [labels[0], labels[1], ("status", &*status)];
            let is_it = f64::from(u8::from(code == is));
            out.put("avepoint_customer_backup_status", &labels, is_it);
        }
    }
    let without = customers.values().filter(|customer| {
        let mut tenants = customer.tenants.iter().flatten();
        !tenants.any(|tenant| guid(tenant.id.as_deref()).is_some())
    });
    out.count("avepoint_customers_without_tenant", &[], without.count());
    out.count("avepoint_tenants", &[("state", "excluded")], 0);
}

/// The tenants of the customers; one that several have belongs to the first.
fn tenants<'a>(world: &'a World, customers: &BTreeMap<String, Customer>) -> Vec<Polled<'a>> {
    let mut polled: BTreeMap<String, Polled<'a>> = BTreeMap::new();
    for (customer_id, customer) in customers {
        let customer_name = name(customer.organization.as_ref());
        for listed in customer.tenants.iter().flatten() {
            let Some(id) = guid(listed.id.as_deref()) else {
                continue;
            };
            let mut known = world.tenants().iter();
            let tenant = known
                .find(|tenant| tenant.tenant_id.to_string() == id)
                .unwrap();
            polled.entry(id.clone()).or_insert_with(|| Polled {
                tenant,
                tenant_name: name(listed.name.as_ref()).unwrap_or(id),
                customer_id: customer_id.clone(),
                customer_name: customer_name.clone().unwrap_or_else(|| customer_id.clone()),
                source: "discovery",
            });
        }
    }
    polled.into_values().collect()
}
