//! The listing of the partner's customers with their tenants. Source: AvePoint's `customers/batch`. Names are the one
//! text of the upstream that is shown; a customer's owner is not read at all.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;

use super::{ListedCustomer, ListedTenant};
use crate::domain::{BackupStatus, CustomerId, ManagementMode, Target};
use crate::upstream::http::json::{List, Object, Text, wire};
use crate::upstream::{ApiError, Cause, Client, Endpoint, ListingSize, Page, Rows};

/// The most customers that there may be, and the most tenants that all of them together may have. Each has series
/// and tenants are polled; a partner has some thousands.
const MOST: usize = 50_000;

/// The most distinct codes of one kind in a listing. Each becomes series for ever, and far fewer are documented.
const MOST_CODES: usize = 64;

/// The longest name that is shown, in characters: as long as one in the configuration may be.
const LONGEST_NAME: usize = 256;

/// The permission that the listing needs.
pub(super) const PERMISSION: &str = "elements.customers.read.all";

const ENDPOINT: Endpoint = Endpoint {
    method: || Method::POST,
    route: "/general/customers/batch",
    body: "{}",
    permission: PERMISSION,
};

/// Reads all customers, by id in ascending order. One that is on several pages counts once. `check` judges them as a
/// whole. `Limit` for more tenants or codes than any real listing has.
pub(super) async fn read(
    elements: &Client,
    target: &Target,
    size: &mut ListingSize,
    check: impl FnOnce(&[ListedCustomer]) -> Result<(), Cause>,
) -> Result<Vec<ListedCustomer>, ApiError> {
    let mut all = Read::default();
    elements
        .list(&ENDPOINT, &CustomerRows, target, size, |page| {
            all.page(page)
        })
        .await?;
    let customers: Vec<_> = all.by_id.into_values().collect();
    check(&customers).map_err(|cause| elements.failed(&ENDPOINT, cause, None, None))?;
    Ok(customers)
}

/// The customers of the pages read so far.
#[derive(Debug, Default)]
struct Read {
    by_id: BTreeMap<CustomerId, ListedCustomer>,
    tenants: usize,
    statuses: BTreeSet<BackupStatus>,
    modes: BTreeSet<ManagementMode>,
}

impl Read {
    fn page(&mut self, page: Page<ListedCustomer>) -> Result<(), Cause> {
        for customer in page.rows {
            self.tenants += customer.tenants.len();
            self.statuses.extend(customer.backup_status);
            self.modes.extend(customer.management_mode);
            self.by_id.entry(customer.id).or_insert(customer);
        }
        if self.by_id.len().max(self.tenants) > MOST {
            return Err(Cause::Limit(format!(
                "there are more than {MOST} customers or tenants"
            )));
        }
        if self.statuses.len().max(self.modes.len()) > MOST_CODES {
            return Err(Cause::Limit(format!(
                "the listing has more than {MOST_CODES} distinct codes"
            )));
        }
        Ok(())
    }
}

/// Reads customers.
struct CustomerRows;

impl Rows for CustomerRows {
    type Row = ListedCustomer;
    type Wire<'de> = Wire<'de>;

    fn row(&self, wire: &Wire<'_>) -> Result<ListedCustomer, &'static str> {
        let id = wire.id.as_ref().and_then(|id| id.0.parse().ok());
        let tenants = wire.tenants.iter().flat_map(|List(tenants)| tenants);
        let tenants = tenants.flatten().map(|Object(tenant)| {
            Some(ListedTenant {
                id: tenant.id.as_ref()?.0.parse().ok()?,
                name: name(tenant.name.as_ref()),
            })
        });
        Ok(ListedCustomer {
            id: id.ok_or("has an id that is not a GUID")?,
            name: name(wire.organization.as_ref()),
            backup_status: wire.job_status.map(BackupStatus::from),
            country: name(wire.country.as_ref()),
            management_mode: wire.management_mode.map(ManagementMode::from),
            tenants: tenants
                .collect::<Option<_>>()
                .ok_or("has a tenant whose id is not a GUID")?,
        })
    }
}

/// A name as it can be shown: on one line, and not longer than one in the configuration may be. `None` when
/// nothing is left.
fn name(text: Option<&Text<'_>>) -> Option<String> {
    let printable = text?.0.chars().filter(|c| !c.is_control());
    let name: String = printable.collect();
    // Last of all, so that a name is read as it is when it was kept over a restart.
    let name: String = name.trim().chars().take(LONGEST_NAME).collect();
    let name = name.trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

wire! {
    /// The fields that are read of a row.
    struct Wire<'de>: "a customer" {
        "id" => id: Option<Text<'de>>,
        "organization" => organization: Option<Text<'de>>,
        "jobStatus" => job_status: Option<i64>,
        "countryOrRegion" => country: Option<Text<'de>>,
        "managementMode" => management_mode: Option<i64>,
        "tenants" => tenants: Option<List<Option<Object<TenantWire<'de>>>>>,
    }
}

wire! {
    /// The fields that are read of a customer's tenant.
    struct TenantWire<'de>: "a tenant of a customer" {
        "id" => id: Option<Text<'de>>,
        "name" => name: Option<Text<'de>>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Reason, TenantId};
    use crate::upstream::http::json::JsonError;
    use crate::upstream::read_elements_page as read_page;

    const CONTOSO: &str = "966f35cc-61f4-4070-819c-25cdbcf82a07";
    const TENANT: &str = "0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec";

    fn read(rows: &str) -> Result<Vec<ListedCustomer>, JsonError> {
        let body = format!(r#"{{"data": [{rows}]}}"#);
        read_page(body.as_bytes(), &CustomerRows).map(|page| page.rows)
    }

    fn customer(id: u128) -> ListedCustomer {
        ListedCustomer {
            id: CustomerId::from_bits(id),
            name: None,
            backup_status: None,
            country: None,
            management_mode: None,
            tenants: Vec::new(),
        }
    }

    fn page(rows: Vec<ListedCustomer>) -> Page<ListedCustomer> {
        Page {
            rows,
            ..Page::empty()
        }
    }

    #[test]
    fn a_customer_is_read_with_its_tenants_and_without_its_owner() {
        let row = format!(
            r#"{{"id": "{CONTOSO}", "organization": " Contoso ", "ownerEmail": "alice@contoso.example",
                "jobStatus": 4, "countryOrRegion": "Germany", "managementMode": 1,
                "tenants": [{{"id": "{TENANT}", "name": "contoso.onmicrosoft.com"}}, null]}}"#
        );
        let read = read(&row).unwrap();
        let expected = ListedCustomer {
            id: CONTOSO.parse().unwrap(),
            name: Some("Contoso".to_owned()),
            backup_status: Some(BackupStatus::from(4)),
            country: Some("Germany".to_owned()),
            management_mode: Some(ManagementMode::from(1)),
            tenants: vec![ListedTenant {
                id: TENANT.parse().unwrap(),
                name: Some("contoso.onmicrosoft.com".to_owned()),
            }],
        };
        assert_eq!(read, [expected]);
        assert!(!format!("{read:?}").contains("alice"));
    }

    #[test]
    fn all_but_the_id_may_be_missing() {
        let id: CustomerId = CONTOSO.parse().unwrap();
        for rest in [
            "",
            r#", "organization": null, "jobStatus": null, "managementMode": null, "tenants": null"#,
            r#", "Organization": " \n ", "CountryOrRegion": "", "Tenants": []"#,
        ] {
            let row = format!(r#"{{"Id": "{CONTOSO}"{rest}}}"#);
            assert_eq!(read(&row).unwrap(), [customer(id.bits())], "{rest}");
        }
    }

    #[test]
    fn a_row_without_ids_fails_the_page_and_is_not_quoted() {
        let customer = "has an id that is not a GUID";
        let tenant = "has a tenant whose id is not a GUID";
        for (row, fault) in [
            (r#"{"organization": "Contoso"}"#.to_owned(), customer),
            (r#"{"id": "contoso"}"#.to_owned(), customer),
            (
                format!(r#"{{"id": "{CONTOSO}", "tenants": [{{"name": "contoso"}}]}}"#),
                tenant,
            ),
            (
                format!(r#"{{"id": "{CONTOSO}", "tenants": [{{"id": "contoso"}}]}}"#),
                tenant,
            ),
        ] {
            let error = JsonError::Unexpected(format!("row 1 of the page {fault}"));
            assert_eq!(read(&row), Err(error), "{row}");
        }
    }

    #[test]
    fn a_name_is_shown_on_one_line_and_cut_off_where_it_is_too_long() {
        let long = format!("\u{1b}[2J\\nCon\\ttoso{}", "ä".repeat(1000));
        let long = long.replace('\u{1b}', "\\u001b");
        let row = format!(r#"{{"id": "{CONTOSO}", "organization": "{long}"}}"#);
        let name = read(&row).unwrap().remove(0).name.unwrap();
        assert!(name.starts_with("[2JContosoä"), "{name}");
        assert_eq!(name.chars().count(), LONGEST_NAME);
    }

    #[test]
    fn a_customer_on_two_pages_counts_once_and_the_first_time() {
        let mut all = Read::default();
        let first = ListedCustomer {
            name: Some("first".to_owned()),
            ..customer(2)
        };
        all.page(page(vec![first.clone(), customer(1)])).unwrap();
        all.page(page(vec![customer(2)])).unwrap();
        let read: Vec<_> = all.by_id.into_values().collect();
        assert_eq!(read, [customer(1), first]);
    }

    #[test]
    fn more_customers_tenants_or_codes_than_any_real_listing_has_are_refused() {
        let tenants = |count| ListedCustomer {
            tenants: vec![
                ListedTenant {
                    id: TenantId::from_bits(1),
                    name: None
                };
                count
            ],
            ..customer(1)
        };
        let mut all = Read::default();
        all.page(page(vec![tenants(MOST)])).unwrap();
        let error = all.page(page(vec![tenants(1)])).unwrap_err();
        assert_eq!(error.reason(), Reason::Limit);

        let mut all = Read::default();
        let most = 1..=MOST as u128;
        all.page(page(most.map(customer).collect())).unwrap();
        let error = all.page(page(vec![customer(0)])).unwrap_err();
        assert_eq!(error.reason(), Reason::Limit);

        let coded = |code| ListedCustomer {
            backup_status: Some(BackupStatus::from(code)),
            ..customer(1)
        };
        let mut all = Read::default();
        all.page(page((100..164).map(coded).collect())).unwrap();
        let error = all.page(page(vec![coded(1)])).unwrap_err();
        assert_eq!(error.reason(), Reason::Limit);
    }
}
