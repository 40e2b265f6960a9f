//! Security users: the users of a tenant with a security finding. Source: AvePoint's `overview/security/users`
//! and its older form `overview/security/users/batch`.

use http::Method;
use url::Url;

use crate::config::{SecurityEndpoint, StatusEncoding};
use crate::domain::{CodeSet, SecurityStatus, TargetId, Tenant, UserKeys};
use crate::upstream::api::client::{Ask, Endpoint};
use crate::upstream::api::personal::Pseudonyms;
use crate::upstream::api::rows::{ListingSize, NOBODY, Rows};
use crate::upstream::api::{ApiError, Cause, Client, Page};
use crate::upstream::http::json::{Text, wire};

use super::listing::read_page;
use super::status::Status;

/// What remains of a security user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityUser {
    /// Who it is.
    pub keys: UserKeys,
    /// The findings, as codes of [`SecurityStatus`].
    pub statuses: CodeSet,
    /// Whether upstream marks the user as one for tests.
    pub is_test_user: bool,
}

impl SecurityUser {
    /// Reads the rows of one page from the body of an answer, as [`Client::security_users`] does with each.
    ///
    /// # Errors
    /// What is wrong with the body, without quoting it.
    pub fn read_page(
        body: &[u8],
        encoding: StatusEncoding,
        pseudonyms: &Pseudonyms,
    ) -> Result<Page<Self>, Cause> {
        let rows = SecurityRows {
            pseudonyms,
            encoding,
        };
        read_page(body, &rows).map_err(Cause::unreadable)
    }

    /// What the app registration must be allowed to read them.
    pub const fn permission(endpoint: SecurityEndpoint) -> &'static str {
        match endpoint {
            SecurityEndpoint::V3 => "elements.um.user.read.all",
            SecurityEndpoint::Batch => "partner.um.user.read.all",
        }
    }
}

fn endpoint(form: SecurityEndpoint) -> Endpoint {
    Endpoint {
        method: || Method::GET,
        route: match form {
            SecurityEndpoint::V3 => {
                "/um/customers/{customerId}/tenants/{tenantId}/overview/security/users"
            }
            SecurityEndpoint::Batch => {
                "/um/customers/{customerId}/tenants/{tenantId}/overview/security/users/batch"
            }
        },
        body: "",
        permission: SecurityUser::permission(form),
    }
}

impl Client {
    /// Reads a tenant's users with security findings, and hands each page to `each`, in order. `size` tells what
    /// was read until the end, be it good or bad.
    ///
    /// # Errors
    /// What the request that failed says; or what `each` says of a page.
    pub async fn security_users(
        &self,
        tenant: &Tenant,
        (form, encoding): (SecurityEndpoint, StatusEncoding),
        size: &mut ListingSize,
        each: impl FnMut(Page<SecurityUser>) -> Result<(), Cause> + Send,
    ) -> Result<(), ApiError> {
        let rows = SecurityRows {
            pseudonyms: &self.pseudonyms,
            encoding,
        };
        self.list(&endpoint(form), &rows, tenant, size, each).await
    }

    /// Asks how many users of a tenant have a finding, or any finding at all, without reading them. `size` counts
    /// what it took.
    ///
    /// # Errors
    /// What the request that failed says; `Decode` when the answer tells no number; `Implausible` when it shows
    /// that the API has not filtered by the finding.
    pub async fn count_security_users(
        &self,
        tenant: &Tenant,
        status: Option<SecurityStatus>,
        size: &mut ListingSize,
    ) -> Result<u64, ApiError> {
        let endpoint = endpoint(SecurityEndpoint::V3);
        let rows = SecurityRows {
            pseudonyms: &self.pseudonyms,
            encoding: StatusEncoding::Codes,
        };
        let url = count_url(self.listing_url(endpoint.route, tenant), status);
        let answered = self
            .call(
                &endpoint,
                &Ask::new(TargetId::Tenant(tenant.tenant_id), url),
                |body| read_page(body, &rows),
            )
            .await?;
        let Some(page) = answered.value else {
            return Ok(0);
        };
        size.add(&page);
        count_in(&page, status)
            .map_err(|cause| self.failed(&endpoint, cause, answered.request_id.as_ref(), None))
    }
}

/// How many requests it takes to count a tenant's security users by finding, and all of them.
pub const COUNT_REQUESTS: u64 = SecurityStatus::KNOWN.len() as u64 + 1;

fn count_url(mut listing: Url, status: Option<SecurityStatus>) -> Url {
    let filter = status.map_or_else(String::new, |status| format!("&status={}", status.code()));
    listing.set_query(Some(&format!("pageIndex=1&pageSize=1{filter}")));
    listing
}

/// The size of a listing by its first page.
fn count_in(page: &Page<SecurityUser>, status: Option<SecurityStatus>) -> Result<u64, Cause> {
    let has_status =
        |user: &SecurityUser| status.is_none_or(|status| user.statuses.contains(status.code()));
    // A filter that the API does not know would give the same number for each finding.
    if !page.rows.iter().all(has_status) {
        return Err(Cause::Implausible(
            "a listing filtered by status holds users without it".to_owned(),
        ));
    }
    match page.total {
        Some(total) if total == 0 || !page.rows.is_empty() => Ok(total),
        Some(_) => Err(Cause::Implausible(
            "totalCount says that there are users, and the first page has none".to_owned(),
        )),
        None => Err(Cause::Decode("there is no totalCount".to_owned())),
    }
}

/// Reads security users.
pub(super) struct SecurityRows<'a> {
    pub(super) pseudonyms: &'a Pseudonyms,
    /// What a single number in `status` means.
    pub(super) encoding: StatusEncoding,
}

impl Rows for SecurityRows<'_> {
    type Row = SecurityUser;
    type Wire<'de> = Wire<'de>;

    fn row(&self, wire: &Wire<'_>) -> Result<SecurityUser, &'static str> {
        let Wire {
            id,
            mail,
            user_principal_name,
            is_test_user,
            status,
        } = wire;
        let keys = self
            .pseudonyms
            .keys(id.as_ref(), mail.as_ref(), user_principal_name.as_ref());
        Ok(SecurityUser {
            keys: keys.ok_or(NOBODY)?,
            statuses: status.codes(self.encoding)?,
            is_test_user: is_test_user.unwrap_or(false),
        })
    }
}

wire! {
    /// The fields that are read of a row.
    pub(super) struct Wire<'de>: "a security user" {
        "id" => id: Option<Text<'de>>,
        "mail" => mail: Option<Text<'de>>,
        "userPrincipalName" => user_principal_name: Option<Text<'de>>,
        "isTestUser" => is_test_user: Option<bool>,
        "status" => status: Status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::http::json::{JsonError, read};

    fn user(row: &str) -> Option<SecurityUser> {
        let rows = SecurityRows {
            pseudonyms: &Pseudonyms::default(),
            encoding: StatusEncoding::Codes,
        };
        rows.row(&read(row.as_bytes()).unwrap()).ok()
    }

    #[track_caller]
    fn check(status: &str, expected: &[i64]) {
        let user = user(&format!(r#"{{"id": "a", "status": {status}}}"#)).unwrap();
        assert_eq!(user.statuses.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_status_is_read_as_a_code_and_as_a_list_of_codes() {
        check("3", &[3]);
        check("[0, 3, 3]", &[0, 3]);
        check("[]", &[]);
        check("null", &[]);
        check("[null, 5]", &[5]);
        check("[4113, -1]", &[4113, -1]);
    }

    #[test]
    fn a_status_of_another_kind_fails_the_page_rather_than_being_shown_as_none() {
        for status in ["\"3\"", "[\"high\"]", "true", "3.5", "{}", "[[3]]"] {
            let row = format!(r#"{{"id": "a", "status": {status}}}"#);
            assert!(
                matches!(
                    read::<Wire<'_>>(row.as_bytes()),
                    Err(JsonError::Unexpected(_))
                ),
                "{status}"
            );
        }
    }

    #[test]
    fn a_user_is_told_apart_by_id_else_mail_else_principal_name() {
        let identity = |row: &str| {
            let keys = user(row)?.keys;
            [keys.id, keys.mail, keys.principal]
                .iter()
                .position(|key| *key == keys.identity())
        };
        assert_eq!(
            identity(r#"{"id": "a", "mail": "b", "userPrincipalName": "c"}"#),
            Some(0)
        );
        assert_eq!(
            identity(r#"{"id": null, "mail": "b", "userPrincipalName": "c"}"#),
            Some(1)
        );
        assert_eq!(identity(r#"{"Id": "", "UserPrincipalName": "c"}"#), Some(2));
        assert_eq!(identity(r#"{"displayName": "d"}"#), None);
    }

    fn page(statuses: &[i64], total: Option<u64>) -> Page<SecurityUser> {
        let rows = statuses.iter().map(|status| SecurityUser {
            keys: UserKeys::default(),
            statuses: CodeSet::from_iter([*status]),
            is_test_user: false,
        });
        Page {
            rows: rows.collect(),
            total,
            next_link: None,
        }
    }

    #[test]
    fn a_count_is_the_total_of_a_listing_that_was_filtered_indeed() {
        let high_risk = Some(SecurityStatus::from(3));
        let count = |statuses: &[i64], total, status| {
            count_in(&page(statuses, total), status).map_err(|cause| cause.reason().as_str())
        };
        assert_eq!(count(&[3], Some(17), high_risk), Ok(17));
        assert_eq!(count(&[], Some(0), high_risk), Ok(0));
        assert_eq!(count(&[4], Some(17), None), Ok(17));
        assert_eq!(count(&[4], Some(17), high_risk), Err("implausible"));
        assert_eq!(count(&[], Some(17), high_risk), Err("implausible"));
        assert_eq!(count(&[3], None, high_risk), Err("decode"));
    }
}
