//! The listing of the partner's customers with their tenants. Source: AvePoint's `customers/batch`. Names are the one
//! text of the upstream that is shown; a customer's owner is not read at all.

use super::listed::{ListedCustomer, ListedTenant};
use crate::domain::text::is_invisible;
use crate::domain::{BackupStatus, ManagementMode};
use crate::upstream::http::json::{List, Object, Text, wire};
use crate::upstream::{Endpoint, Rows};

/// The longest name that is shown, in characters: as long as one in the configuration may be.
const LONGEST_NAME: usize = 256;

pub(super) const ENDPOINT: Endpoint =
    Endpoint::post("/general/customers/batch", "elements.customers.read.all");

/// Reads customers.
pub(super) struct CustomerRows;

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

/// A name as it can be shown: on one line, with all its characters seen and in their order, and not longer than one in
/// the configuration may be. `None` when nothing is left.
fn name(text: Option<&Text<'_>>) -> Option<String> {
    let printable = text?
        .0
        .chars()
        .filter(|c| !c.is_control() && !is_invisible(*c));
    let name: String = printable.collect();
    // Last of all, so that a name is read as it is when it was kept over a restart.
    let name: String = name.trim().chars().take(LONGEST_NAME).collect();
    let name = name.trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

wire! {
    /// The fields that are read of a row.
    pub(super) struct Wire<'de>: "a customer" {
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
    use crate::domain::CustomerId;
    use crate::upstream::http::json::JsonError;
    use crate::upstream::read_elements_page as read_page;

    const CONTOSO: &str = "966f35cc-61f4-4070-819c-25cdbcf82a07";
    const TENANT: &str = "0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec";

    fn read(rows: &str) -> Result<Vec<ListedCustomer>, JsonError> {
        let body = format!(r#"{{"data": [{rows}]}}"#);
        read_page(body.as_bytes(), &CustomerRows).map(|page| page.rows)
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
        let expected = [ListedCustomer::bare(id.bits())];
        for rest in [
            "",
            r#", "organization": null, "jobStatus": null, "managementMode": null, "tenants": null"#,
            r#", "Organization": " \n ", "CountryOrRegion": "", "Tenants": []"#,
        ] {
            let row = format!(r#"{{"Id": "{CONTOSO}"{rest}}}"#);
            assert_eq!(read(&row).unwrap(), expected, "{rest}");
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
    fn a_name_has_no_characters_that_nobody_sees() {
        for (sent, shown) in [
            ("\u{202e}osotnoC\u{202c}", Some("osotnoC")),
            ("Con\u{200b}to\u{200d}so\u{feff}", Some("Contoso")),
            ("Contoso\u{2028}up 1\u{2029}", Some("Contosoup 1")),
            ("\u{2067}\u{2069} \u{ad}", None),
            ("Café ❤\u{fe0f} שלום", Some("Café ❤\u{fe0f} שלום")),
        ] {
            let row = format!(
                r#"{{"id": "{CONTOSO}", "organization": "{sent}", "countryOrRegion": "{sent}",
                    "tenants": [{{"id": "{TENANT}", "name": "{sent}"}}]}}"#
            );
            let customer = read(&row).unwrap().remove(0);
            let names = [
                customer.name.as_deref(),
                customer.country.as_deref(),
                customer.tenants[0].name.as_deref(),
            ];
            assert_eq!(names, [shown; 3], "{sent:?}");
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
}
