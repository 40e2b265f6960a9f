//! Floor 3: which targets are polled, by what the configuration says and what the API lists. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regex::Regex;

use crate::collectors::customers::{ListedCustomer, ListedTenant};
use crate::config::{CollectorConfig, Config, Discovery, NamePatterns, TenantConfig};
use crate::domain::{Customer, CustomerId, Target, Tenant, TenantId, TenantSource, name_or_id};

/// One target and what is collected of it.
#[derive(Debug, Clone)]
pub struct TargetConfig {
    /// Ids, names and labels.
    pub target: Target,
    /// The collectors that are on for it, in the order of [`crate::domain::Collector::all`].
    pub collectors: Vec<CollectorConfig>,
}

/// The targets to poll, and what the configuration makes of the customers that the API lists.
#[derive(Debug)]
pub struct Fleet {
    /// The partner and its customers, if they have collectors, then the tenants: those of the config in its order,
    /// then those of the API, by id.
    pub targets: Vec<TargetConfig>,
    /// The tenants of the API that the patterns exclude.
    pub excluded: BTreeSet<TenantId>,
    /// The customers whose own name the patterns admit, or of whom a tenant is polled. Whoever excludes a customer
    /// wants no series of it; one without tenants is shown, since its status says why it has none.
    pub customers: Vec<ListedCustomer>,
    /// The tenants that several customers list, each with the customer that it stays with.
    pub contested: BTreeMap<TenantId, CustomerId>,
    discovery: Option<Discovery>,
    /// Whether it is known what the API lists.
    pub was_read: bool,
}

/// Names that were known before, for where neither the configuration nor the API gives one any more.
#[derive(Debug, Default)]
pub struct Names {
    customers: BTreeMap<CustomerId, String>,
    tenants: BTreeMap<TenantId, String>,
}

impl Names {
    /// The names of these tenants and of their customers.
    pub fn of<'a>(tenants: impl IntoIterator<Item = &'a Tenant>) -> Self {
        let mut names = Self::default();
        for tenant in tenants {
            if let Some(name) = &tenant.customer_name {
                names.customers.insert(tenant.customer_id, name.clone());
            }
            if let Some(name) = &tenant.tenant_name {
                names.tenants.insert(tenant.tenant_id, name.clone());
            }
        }
        names
    }

    /// The name of a tenant: the given one, else the last known.
    fn tenant(&self, id: TenantId, given: Option<&String>) -> Option<String> {
        given.or_else(|| self.tenants.get(&id)).cloned()
    }
}

impl Fleet {
    /// Brings together what the configuration says and the customers that the API lists, by id in ascending order.
    ///
    /// Tenants of the config always stay, with the customer, names, labels and collectors that it gives them; the
    /// API adds names where it gives none, and where it gives none either, there are those last `known`. A tenant
    /// that several customers list stays with the first of them. `listed` is `None` as long as they were never read.
    pub fn new(config: &Config, listed: Option<&[ListedCustomer]>, known: &Names) -> Self {
        // What is not asked for is not known.
        let listed = listed.filter(|_| config.discovery.is_some());
        let was_read = listed.is_some();
        let listed = listed.unwrap_or_default();
        let names = customer_names(config, listed, known);
        let (by_id, mut contested) = tenants_of(listed);
        let mut tenants: Vec<TenantConfig> = config
            .tenants
            .iter()
            .map(|one| with_names(one, &names, &by_id, known))
            .collect();
        let in_config: BTreeSet<TenantId> =
            tenants.iter().map(|one| one.tenant.tenant_id).collect();
        // Those stay with the customer that the config names.
        contested.retain(|id, _| !in_config.contains(id));
        let mut excluded = BTreeSet::new();
        let mut customers = Vec::new();
        if let Some(discovery) = &config.discovery {
            for (id, (customer_id, listed)) in by_id {
                if in_config.contains(&id) {
                    continue;
                }
                let tenant = Tenant {
                    customer_id,
                    tenant_id: id,
                    customer_name: names.get(&customer_id).cloned(),
                    tenant_name: known.tenant(id, listed.name.as_ref()),
                    labels: BTreeMap::new(),
                    source: TenantSource::Discovery,
                };
                if admits(discovery, &tenant) {
                    tenants.push(TenantConfig {
                        tenant: Arc::new(tenant),
                        collectors: discovery.collectors.clone(),
                    });
                } else {
                    excluded.insert(id);
                }
            }
            customers = admitted(discovery, listed, &names, &tenants);
        }
        Self {
            targets: targets(config, tenants, &customers, &names),
            excluded,
            customers,
            contested,
            discovery: config.discovery.clone(),
            was_read,
        }
    }

    /// The tenants to poll, with their collectors.
    pub fn tenants(&self) -> impl Iterator<Item = (&Arc<Tenant>, &[CollectorConfig])> {
        let tenants = self.targets.iter();
        tenants.filter_map(|one| Some((one.target.tenant()?, one.collectors.as_slice())))
    }

    /// Whether a target that is not to be polled any more has only disappeared from the API, or may be listed by the
    /// API as soon as that is asked, and is not one that the operator does not want.
    pub fn only_misses(&self, target: &Target) -> bool {
        let Some(discovery) = &self.discovery else {
            return false;
        };
        match target {
            Target::Partner(_) => false,
            Target::Customer(customer) => admits_customer(discovery, &customer.name()),
            Target::Tenant(tenant) => {
                (tenant.source == TenantSource::Discovery || !self.was_read)
                    && !self.excluded.contains(&tenant.tenant_id)
                    && admits(discovery, tenant)
            }
        }
    }
}

/// The customers that the patterns admit, or of whom a tenant is polled.
fn admitted(
    discovery: &Discovery,
    listed: &[ListedCustomer],
    names: &BTreeMap<CustomerId, String>,
    tenants: &[TenantConfig],
) -> Vec<ListedCustomer> {
    let polled: BTreeSet<CustomerId> = tenants.iter().map(|one| one.tenant.customer_id).collect();
    let customers = listed.iter().filter_map(|customer| {
        let name = names.get(&customer.id).cloned();
        let shown = polled.contains(&customer.id)
            || admits_customer(discovery, &name_or_id(name.as_deref(), customer.id));
        shown.then(|| ListedCustomer {
            name,
            ..customer.clone()
        })
    });
    customers.collect()
}

/// The partner, the customers and the tenants with their collectors, if they have some. Customers are those of the
/// tenants, and those that have no tenant at all: these may be the ones without a backup.
fn targets(
    config: &Config,
    tenants: Vec<TenantConfig>,
    customers: &[ListedCustomer],
    names: &BTreeMap<CustomerId, String>,
) -> Vec<TargetConfig> {
    let mut targets = Vec::with_capacity(tenants.len() + 1);
    if !config.partner.is_empty() {
        targets.push(TargetConfig {
            target: Target::Partner(config.elements.client_id.as_str().into()),
            collectors: config.partner.clone(),
        });
    }
    if !config.customers.is_empty() {
        let of_tenants = tenants.iter().map(|one| one.tenant.customer_id);
        let without = customers.iter().filter(|one| one.tenants.is_empty());
        let ids: BTreeSet<_> = of_tenants.chain(without.map(|one| one.id)).collect();
        targets.extend(ids.into_iter().map(|id| TargetConfig {
            target: Target::Customer(Arc::new(Customer {
                id,
                name: names.get(&id).cloned(),
            })),
            collectors: config.customers.clone(),
        }));
    }
    targets.extend(tenants.into_iter().map(|one| TargetConfig {
        target: Target::Tenant(one.tenant),
        collectors: one.collectors,
    }));
    targets
}

/// The names of customers: the first that the config gives, else the API's, else the last known.
fn customer_names(
    config: &Config,
    listed: &[ListedCustomer],
    known: &Names,
) -> BTreeMap<CustomerId, String> {
    let given = config.tenants.iter();
    let given = given.map(|one| (one.tenant.customer_id, &one.tenant.customer_name));
    let listed = listed.iter().map(|customer| (customer.id, &customer.name));
    let mut names = known.customers.clone();
    // What is put in later replaces what was there, so the first comes last.
    let names_by_rank = given.chain(listed).rev();
    names.extend(names_by_rank.filter_map(|(id, name)| Some((id, name.clone()?))));
    names
}

/// Tenants by id, each with its customer.
type Listed<'a> = BTreeMap<TenantId, (CustomerId, &'a ListedTenant)>;

/// The tenants of all customers, and those of them that several customers list.
fn tenants_of(listed: &[ListedCustomer]) -> (Listed<'_>, BTreeMap<TenantId, CustomerId>) {
    let mut by_id = Listed::new();
    let mut contested = BTreeMap::new();
    for customer in listed {
        for tenant in &customer.tenants {
            let (first, _) = by_id.entry(tenant.id).or_insert((customer.id, tenant));
            if *first != customer.id {
                contested.insert(tenant.id, *first);
            }
        }
    }
    (by_id, contested)
}

/// A tenant of the config, with the API's names, or those last known, where the config gives none.
fn with_names(
    config: &TenantConfig,
    customers: &BTreeMap<CustomerId, String>,
    listed: &Listed<'_>,
    known: &Names,
) -> TenantConfig {
    let mut named = config.clone();
    let tenant = Arc::make_mut(&mut named.tenant);
    if tenant.customer_name.is_none() {
        tenant.customer_name = customers.get(&tenant.customer_id).cloned();
    }
    if tenant.tenant_name.is_none() {
        let listed = listed.get(&tenant.tenant_id);
        let listed = listed.and_then(|(_, listed)| listed.name.as_ref());
        tenant.tenant_name = known.tenant(tenant.tenant_id, listed);
    }
    named
}

/// Whether the patterns let a tenant in, by the names that it is shown with.
fn admits(discovery: &Discovery, tenant: &Tenant) -> bool {
    let name = tenant.tenant_name();
    admits_customer(discovery, &tenant.customer_name())
        && lets_in(discovery, |patterns| patterns.tenant_name.as_ref(), &name)
}

fn admits_customer(discovery: &Discovery, name: &str) -> bool {
    lets_in(discovery, |patterns| patterns.customer_name.as_ref(), name)
}

/// The patterns are for whole names: whoever made them has anchored them.
fn lets_in(
    discovery: &Discovery,
    pattern: impl Fn(&NamePatterns) -> Option<&Regex>,
    name: &str,
) -> bool {
    pattern(&discovery.include).is_none_or(|include| include.is_match(name))
        && !pattern(&discovery.exclude).is_some_and(|exclude| exclude.is_match(name))
}

#[cfg(test)]
mod tests;
