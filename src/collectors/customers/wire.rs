//! The listing of the partner's customers with their tenants. Source: AvePoint's `customers/batch`. Names are the one
//! text of the upstream that is shown; a customer's owner is not read at all.

use std::str::FromStr;

use super::listed::{ListedCustomer, ListedTenant};
use crate::domain::text::is_invisible;
use crate::domain::{BackupStatus, ManagementMode, guid};
use crate::upstream::http::json::{BROKEN, Lenient, List, Object, Text, Word, wire};
use crate::upstream::{Endpoint, Rows};

/// The longest name that is shown, in characters: as long as one in the configuration may be.
const LONGEST_NAME: usize = 256;

pub(super) const ENDPOINT: Endpoint =
    Endpoint::post("/general/customers/batch", "elements.customers.read.all");

/// Reads customers.
pub(super) struct CustomerRows;

impl Rows for CustomerRows {
    /// The error is the number of tenants of a customer that has no id.
    type Row = Result<ListedCustomer, u64>;
    type Wire<'de> = Wire<'de>;

    /// One odd customer must not stop discovery: what cannot be read is missing, or counted.
    fn row(&self, wire: &Wire<'_>) -> Result<Self::Row, &'static str> {
        let mut tenants = Vec::new();
        // Nobody knows how many there are in what is no list.
        let mut unsupported = u64::from(matches!(wire.tenants, Some(Lenient(None))));
        let listed = wire.tenants.iter().filter_map(|tenants| tenants.0.as_ref());
        for tenant in listed.flat_map(|List(tenants)| tenants) {
            match tenant {
                Lenient(Some(None)) => {}
                Lenient(Some(Some(Object(tenant)))) if let Some(id) = id(&tenant.id) => {
                    tenants.push(ListedTenant {
                        id,
                        name: name(&tenant.name),
                    });
                }
                Lenient(_) => unsupported += 1,
            }
        }
        let Some(id) = id(&wire.id) else {
            return Ok(Err(tenants.len() as u64 + unsupported));
        };
        Ok(Ok(ListedCustomer {
            id,
            name: name(&wire.organization),
            backup_status: wire.job_status.0.and_then(|Word(status)| status),
            country: name(&wire.country),
            management_mode: wire.management_mode.0.and_then(|Word(mode)| mode),
            tenants,
            unsupported,
        }))
    }
}

/// An id that is a GUID, and not the one of zeros, which stands for none.
fn id<T: FromStr>(text: &Lenient<Text<'_>>) -> Option<T> {
    let text = &text.0.as_ref()?.0;
    guid(text).filter(|bits| *bits != 0)?;
    text.parse().ok()
}

/// A name as it can be shown: on one line, with all its characters seen and in their order, and not longer than one in
/// the configuration may be. `None` when nothing is left.
fn name(text: &Lenient<Text<'_>>) -> Option<String> {
    let text = text.0.as_ref()?.0.chars();
    let text = text.map(|c| {
        if c == BROKEN {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    });
    let printable = text.filter(|c| !c.is_control() && !is_invisible(*c));
    let name: String = printable.collect();
    // Last of all, so that a name is read as it is when it was kept over a restart.
    let name: String = name.trim().chars().take(LONGEST_NAME).collect();
    let name = name.trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

wire! {
    /// The fields that are read of a row.
    pub(super) struct Wire<'de>: "a customer" {
        "id" => id: Lenient<Text<'de>>,
        "organization" => organization: Lenient<Text<'de>>,
        "jobStatus" => job_status: Lenient<Word<BackupStatus>>,
        "countryOrRegion" => country: Lenient<Text<'de>>,
        "managementMode" => management_mode: Lenient<Word<ManagementMode>>,
        "tenants" => tenants: Option<Lenient<List<Lenient<Option<Object<TenantWire<'de>>>>>>>,
    }
}

wire! {
    /// The fields that are read of a customer's tenant.
    struct TenantWire<'de>: "a tenant of a customer" {
        "id" => id: Lenient<Text<'de>>,
        "name" => name: Lenient<Text<'de>>,
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

    fn read_all(rows: &str) -> Result<Vec<Result<ListedCustomer, u64>>, JsonError> {
        let body = format!(r#"{{"data": [{rows}]}}"#);
        read_page(body.as_bytes(), &CustomerRows).map(|page| page.rows)
    }

    fn read(row: &str) -> ListedCustomer {
        read_all(row).unwrap().remove(0).unwrap()
    }

    #[test]
    fn a_customer_is_read_with_its_tenants_and_without_its_owner() {
        let row = format!(
            r#"{{"id": "{CONTOSO}", "organization": " Contoso ", "ownerEmail": "alice@contoso.example",
                "jobStatus": 4, "countryOrRegion": "Germany", "managementMode": 1,
                "tenants": [{{"id": "{TENANT}", "name": "contoso.onmicrosoft.com"}}, null]}}"#
        );
        let read = read(&row);
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
            unsupported: 0,
        };
        assert_eq!(read, expected);
        assert!(!format!("{read:?}").contains("alice"));
    }

    #[test]
    fn all_but_the_id_may_be_missing() {
        let id: CustomerId = CONTOSO.parse().unwrap();
        let expected = ListedCustomer::bare(id.bits());
        for rest in [
            "",
            r#", "organization": null, "jobStatus": null, "managementMode": null, "tenants": null"#,
            r#", "Organization": " \n ", "CountryOrRegion": "", "Tenants": []"#,
        ] {
            let row = format!(r#"{{"Id": "{CONTOSO}"{rest}}}"#);
            assert_eq!(read(&row), expected, "{rest}");
        }
    }

    #[test]
    fn a_tenant_without_a_guid_is_left_out_and_counted_and_a_customer_without_one_likewise() {
        let bare = "00000000-0000-0000-0000-000000000000";
        let tenants = format!(
            r#"[{{"id": "{TENANT}"}}, {{"id": ""}}, {{"name": "pending"}}, {{"id": "contoso.example"}}, {{"id": 7}},
                {{"id": "{bare}"}}, "tenant", null]"#
        );
        let rows = format!(
            r#"{{"id": "{CONTOSO}", "tenants": {tenants}}}, {{"id": "", "tenants": {tenants}}},
                {{"organization": "Fabrikam"}}, {{"id": "{{{bare}}}", "tenants": "pending"}}"#
        );
        let rows = read_all(&rows).unwrap();
        let contoso = rows[0].as_ref().unwrap();
        assert_eq!((contoso.tenants.len(), contoso.unsupported), (1, 6));
        assert_eq!(rows[1..], [Err(7), Err(0), Err(1)]);
    }

    #[test]
    fn what_is_odd_of_a_customer_is_missing_and_the_rest_counts() {
        let row = format!(
            r#"{{"id": "{{{CONTOSO}}}", "organization": {{"x": 1}}, "jobStatus": [2], "countryOrRegion": 7,
                "managementMode": "Partner", "tenants": [{{"id": "{TENANT}", "name": 9}}]}}"#
        );
        let read = read(&row);
        assert_eq!(
            (read.name, read.backup_status, read.country),
            (None, None, None)
        );
        assert_eq!(read.management_mode, Some(ManagementMode::from(1)));
        assert_eq!(read.tenants[0].id, TENANT.parse().unwrap());
        assert_eq!(read.tenants[0].name, None);
    }

    #[test]
    fn a_job_status_is_read_as_a_number_and_as_text() {
        for (text, label) in [
            ("2", "failed"),
            (r#""2""#, "failed"),
            (r#""FAILED""#, "failed"),
            (r#"" Multiple issues found""#, "multiple_issues"),
            (r#""NoBackupUpdates""#, "no_backup_updates"),
            (r#""Not applicable""#, "not_applicable"),
            (r#""paused""#, "unknown"),
            ("77", "unknown_77"),
        ] {
            let status =
                read(&format!(r#"{{"id": "{CONTOSO}", "jobStatus": {text}}}"#)).backup_status;
            assert_eq!(status.unwrap().label(), label, "{text}");
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
            let customer = read(&row);
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
        let name = read(&row).name.unwrap();
        assert!(name.starts_with("[2JContosoä"), "{name}");
        assert_eq!(name.chars().count(), LONGEST_NAME);
    }
}
