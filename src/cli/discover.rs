//! The command `discover`: asks the API once for all customers and tenants, and prints them for the configuration.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Context as _;
use prometheus::Registry;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::flags::ConfigFlags;
use super::outcome::{Failed, print};
use crate::collectors::customers::{Customers, ListedCustomer};
use crate::collectors::{self, Earlier, Listed as _};
use crate::domain::{Clock, Target, Timestamp, name_or_id};
use crate::upstream::{Client, Clients, Progress, Shared, Stats};

pub(super) async fn discover(
    config: &ConfigFlags,
    is_table: bool,
    polling: &Handle,
    shutdown: CancellationToken,
) -> Result<(), Failed> {
    let (elements, collector) = config.read_for_discovery()?;
    let clock = Clock::system();
    let stats =
        Stats::register(&Registry::new()).context("bug in the exporter; please report it")?;
    let permissions: Vec<_> = collectors::permission(collector.kind).into_iter().collect();
    let shared = Shared::new(stats, clock.clone());
    let elements_client =
        Client::elements(&elements, &permissions, &shared).map_err(Failed::Usage)?;
    let clients = Clients {
        elements: elements_client,
        partner_center: None,
        refresh_token: None,
    };
    let partner = Target::Partner(elements.client_id.as_str().into());
    let now = clock.now();
    let poll = polling.spawn(async move {
        let progress = Progress::since(now);
        let earlier = Earlier::default();
        collectors::poll(&clients, &partner, collector.kind, earlier, now, &progress).await
    });
    let polled = shutdown
        .run_until_cancelled(AbortOnDropHandle::new(poll))
        .await;
    let polled = polled
        .ok_or_else(|| {
            anyhow::anyhow!("interrupted before all customers were read; printed nothing")
        })?
        .context("bug in the exporter; please report it")?;
    let found = polled
        .outcome
        .map_err(|error| anyhow::anyhow!("discovery failed: {error}"))?;
    let found = Customers::of(&found.figures).map(|found| found.customers.as_slice());
    let customers = sorted(found.unwrap_or_default());
    print(&if is_table {
        table(&customers)
    } else {
        list(&customers, now)
    })
}

/// By name, as people look for them.
fn sorted(customers: &[ListedCustomer]) -> Vec<ListedCustomer> {
    let mut customers = customers.to_vec();
    customers.sort_by_cached_key(|one| {
        let name = name_or_id(one.name.as_deref(), one.id);
        (name.to_lowercase(), one.id)
    });
    customers
}

/// The key `tenants` of a configuration with all of them.
fn list(customers: &[ListedCustomer], now: Timestamp) -> String {
    // A tenant may be listed once. If several customers have it, discovery takes the one with the lowest id.
    let mut by_id: Vec<_> = customers.iter().collect();
    by_id.sort_by_key(|one| one.id);
    let mut seen = BTreeSet::new();
    let mut own = BTreeSet::new();
    for customer in by_id {
        for tenant in &customer.tenants {
            if seen.insert(tenant.id) {
                own.insert((customer.id, tenant.id));
            }
        }
    }
    let mut text = format!(
        "# {} customers and {} tenants, as listed by the API at {now}.\n",
        customers.len(),
        seen.len()
    );
    text.push_str(if seen.is_empty() {
        "tenants: []\n"
    } else {
        "tenants:\n"
    });
    for customer in customers {
        let name = name_or_id(customer.name.as_deref(), customer.id);
        if customer.tenants.is_empty() {
            let _ = writeln!(text, "  # {}: no tenant that can be polled", quoted(&name));
        }
        for tenant in &customer.tenants {
            if !own.remove(&(customer.id, tenant.id)) {
                let tenant = tenant.id;
                let _ = writeln!(
                    text,
                    "  # {}: tenant {tenant} is listed by another customer too",
                    quoted(&name)
                );
                continue;
            }
            let _ = writeln!(text, "  - customer_id: {}", customer.id);
            if let Some(name) = &customer.name {
                let _ = writeln!(text, "    customer_name: {}", quoted(name));
            }
            let _ = writeln!(text, "    tenant_id: {}", tenant.id);
            if let Some(name) = &tenant.name {
                let _ = writeln!(text, "    tenant_name: {}", quoted(name));
            }
        }
    }
    text
}

/// A line for each tenant, and one for each customer without.
fn table(customers: &[ListedCustomer]) -> String {
    const TITLES: [&str; 4] = ["CUSTOMER", "CUSTOMER ID", "TENANT", "TENANT ID"];
    let mut rows = vec![TITLES.map(str::to_owned)];
    for customer in customers {
        let name = customer.name.clone().unwrap_or_default();
        if customer.tenants.is_empty() {
            rows.push([name, customer.id.to_string(), String::new(), String::new()]);
            continue;
        }
        rows.extend(customer.tenants.iter().map(|tenant| {
            let tenant_name = tenant.name.clone().unwrap_or_default();
            [
                name.clone(),
                customer.id.to_string(),
                tenant_name,
                tenant.id.to_string(),
            ]
        }));
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths = [0, 1, 2, 3].map(width);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

/// A text in double quotes, as YAML reads it, on one line whatever is in it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            c if c.is_alphanumeric() => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::customers::ListedTenant;
    use crate::config::{Config, Source};
    use crate::domain::TenantId;

    fn customer(id: u128, name: Option<&str>, tenants: &[(u128, Option<&str>)]) -> ListedCustomer {
        ListedCustomer {
            name: name.map(str::to_owned),
            tenants: tenants
                .iter()
                .map(|(id, name)| ListedTenant {
                    id: TenantId::from_bits(*id),
                    name: name.map(str::to_owned),
                })
                .collect(),
            ..ListedCustomer::bare(id)
        }
    }

    #[test]
    fn the_list_is_a_configuration_whatever_the_names_are() {
        let names = [
            "Contoso: \"the\" #1",
            "C:\\Contoso",
            "'- Fabrikam",
            "Ångström & Söhne",
            "株式会社",
            "Contoso \u{1f600}",
            "null",
            "{{ .Values }}",
            "%TAG",
        ];
        let mut customers: Vec<_> = names
            .iter()
            .zip(1..)
            .map(|(name, id)| customer(id, Some(name), &[(100 + id, Some(name))]))
            .collect();
        customers.push(customer(50, None, &[(150, None), (101, Some("again"))]));
        customers.push(customer(51, Some("none"), &[]));
        let text = list(&sorted(&customers), Timestamp::default());
        let source = Source {
            name: "test.yaml",
            base_dir: std::path::Path::new("."),
            env: &|_| None,
            now: Timestamp::default(),
        };
        let whole = format!("elements: {{ client_id: a, client_secret: b }}\n{text}");
        let config = Config::parse(&whole, &source).unwrap();
        assert_eq!(config.tenants.len(), names.len() + 1, "{text}");
        for (name, id) in names.iter().zip(1..) {
            let tenants = config.tenants.iter().map(|one| &one.tenant);
            let mut tenants = tenants.filter(|one| one.tenant_id == TenantId::from_bits(100 + id));
            let tenant = tenants.next().unwrap();
            assert_eq!(tenant.customer_name.as_deref(), Some(*name));
            assert_eq!(tenant.tenant_name.as_deref(), Some(*name));
        }
        for line in [
            "# 11 customers and 10 tenants, as listed by the API at 1970-01-01T00:00:00Z.\n",
            "  # \"none\": no tenant that can be polled\n",
            "tenant 00000000-0000-0000-0000-000000000065 is listed by another customer too\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    #[test]
    fn nothing_found_is_an_empty_list() {
        let text = list(&[], Timestamp::default());
        assert!(text.ends_with("\ntenants: []\n"), "{text}");
        assert_eq!(table(&[]), "CUSTOMER  CUSTOMER ID  TENANT  TENANT ID\n");
    }

    #[test]
    fn the_table_has_columns_of_one_width() {
        let customers = [
            customer(1, Some("Contoso"), &[(2, Some("contoso.example"))]),
            customer(3, Some("Ångström"), &[]),
        ];
        let text = table(&sorted(&customers));
        assert_eq!(
            text,
            "CUSTOMER  CUSTOMER ID                           TENANT           TENANT ID\n\
             Contoso   00000000-0000-0000-0000-000000000001  contoso.example  \
             00000000-0000-0000-0000-000000000002\n\
             Ångström  00000000-0000-0000-0000-000000000003\n"
        );
    }
}
