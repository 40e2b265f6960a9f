//! `tenants`: whom to watch, with names, labels and the collectors in force for each.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::Arc;

use super::checker::Checker;
use super::collectors::Collectors;
use super::problem::KeyPath;
use super::shown::{is_plausible_key, shown};
use super::{TenantConfig, raw};
use crate::domain::{CustomerId, InvalidId, Tenant, TenantId, TenantSource, Unit};

/// Names that the operator's labels may not take: what scrapers and their environments attach to a target, and
/// what our own series carry. In order.
const RESERVED_LABELS: [&str; 56] = [
    "alertname",
    "alertstate",
    "api",
    "cluster",
    "code",
    "collector",
    "container",
    "country",
    "coverage",
    "credential",
    "customer",
    "customer_id",
    "customer_name",
    "domain_type",
    "ending",
    "endpoint",
    "env",
    "exclude_test_users",
    "handler",
    "instance",
    "job",
    "le",
    "m365_tenant_id",
    "m365_tenant_name",
    "management_mode",
    "mode",
    "module",
    "namespace",
    "node",
    "owner",
    "password_age",
    "pod",
    "prometheus",
    "prometheus_replica",
    "protected",
    "reason",
    "receiver",
    "reference",
    "region",
    "replica",
    "revision",
    "route",
    "rustc_version",
    "service",
    "severity",
    "source",
    "source_endpoint",
    "state",
    "status",
    "target",
    "target_triple",
    "tenant",
    "tenant_id",
    "usage_location",
    "version",
    "within",
];

/// Checks `tenants`; what it returns is only complete when nothing was reported.
pub(super) fn check(
    checker: &mut Checker<'_>,
    raw: Vec<raw::Tenant>,
    collectors: &Collectors,
    is_discovering: bool,
) -> Vec<TenantConfig> {
    let path = KeyPath::default().key("tenants");
    if raw.is_empty() && !is_discovering {
        checker.report(
            &path,
            "has no tenants; expected at least one with customer_id and tenant_id, or discovery.enabled: true",
        );
    }
    let mut lines = HashMap::new();
    let mut tenants = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let path = path.index(index);
        tenants.extend(check_one(checker, &path, raw, collectors, &mut lines));
    }
    tenants
}

fn check_one(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: raw::Tenant,
    collectors: &Collectors,
    lines: &mut HashMap<TenantId, usize>,
) -> Option<TenantConfig> {
    let customer_id = id::<CustomerId>(
        checker,
        &path.key("customer_id"),
        raw.customer_id.as_deref(),
    );
    let tenant_id_path = path.key("tenant_id");
    let tenant_id = id::<TenantId>(checker, &tenant_id_path, raw.tenant_id.as_deref());
    if let Some(id) = tenant_id {
        let line = checker.place(&tenant_id_path).line;
        if let Some(first) = lines.get(&id) {
            let message =
                format!("{id} is listed twice, first on line {first}; expected each tenant once");
            checker.report(&tenant_id_path, message);
        } else {
            lines.insert(id, line);
        }
    }
    let customer_name = raw
        .customer_name
        .and_then(|name| checker.name(&path.key("customer_name"), name.0));
    let tenant_name = raw
        .tenant_name
        .and_then(|name| checker.name(&path.key("tenant_name"), name.0));
    let labels = labels(checker, &path.key("labels"), raw.labels.unwrap_or_default());
    let collectors = collectors.for_tenant(
        checker,
        &path.key("collectors"),
        &raw.collectors.unwrap_or_default(),
    );
    let (customer_id, tenant_id) = (customer_id?, tenant_id?);
    Some(TenantConfig {
        tenant: Arc::new(Tenant {
            customer_id,
            tenant_id,
            customer_name,
            tenant_name,
            labels,
            source: TenantSource::Config,
        }),
        collectors: collectors.in_force(Unit::Tenant),
    })
}

fn id<T: FromStr<Err = InvalidId>>(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    text: Option<&str>,
) -> Option<T> {
    let id = match text {
        None => Err(
            "is missing; expected a GUID such as 0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec".to_owned(),
        ),
        Some(text) => text
            .parse()
            .map_err(|error| format!("{} is {error}", shown(text))),
    };
    checker.take(path, id)
}

fn labels(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: BTreeMap<String, raw::Text>,
) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (name, value) in raw {
        let path = path.key(&name);
        if let Err(fault) = label_name(&name) {
            checker.report(&path, fault);
        } else if let Some(value) = checker.name(&path, value.0) {
            labels.insert(name, value);
        }
    }
    labels
}

fn label_name(name: &str) -> Result<(), String> {
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.len() <= super::checker::MAX_NAME;
    if !valid {
        Err(format!(
            "{} is not a label name; expected letters, digits and underscores, no digit first",
            shown(name)
        ))
    } else if name.starts_with("__") {
        let name = if is_plausible_key(name) { name } else { "…" };
        Err(format!(
            "the label name {name} starts with two underscores, which Prometheus reserves; expected another name"
        ))
    } else if RESERVED_LABELS.contains(&name) {
        Err(format!(
            "the label name {name} is reserved for Prometheus targets or this exporter; expected another name such as \
             x_{name}"
        ))
    } else {
        Ok(())
    }
}
