//! The directory: all users of a tenant. Source: AvePoint's `users/batch`.

use http::Method;

use crate::config::StatusEncoding;
use crate::domain::Tenant;
use crate::upstream::api::client::Endpoint;
use crate::upstream::api::rows::{ListingSize, Rows};
use crate::upstream::api::{ApiError, Cause, Client, Page};
use crate::upstream::http::json::{Text, wire};
use crate::upstream::http::time;

use super::SecurityUser;
use super::security_users::{self, SecurityRows};

/// What remains of a user of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryUser {
    /// What the security listing knows of a user as well.
    pub user: SecurityUser,
    /// The password's age in days.
    pub password_age: Option<i64>,
    /// When the account ends, in seconds since the Unix epoch; `None` where no end is set.
    pub end: Option<i64>,
}

impl DirectoryUser {
    /// What the app registration must be allowed to read them.
    pub const PERMISSION: &'static str = "elements.um.user.read.all";
}

const ENDPOINT: Endpoint = Endpoint {
    method: || Method::POST,
    route: "/um/customers/{customerId}/tenants/{tenantId}/users/batch",
    body: "{}",
    permission: DirectoryUser::PERMISSION,
};

impl Client {
    /// Reads all users of a tenant, and hands each page to `each`, in order. `size` tells what was read until the
    /// end, be it good or bad.
    ///
    /// # Errors
    /// What the request that failed says; or what `each` says of a page.
    pub async fn directory(
        &self,
        tenant: &Tenant,
        size: &mut ListingSize,
        each: impl FnMut(Page<DirectoryUser>) -> Result<(), Cause> + Send,
    ) -> Result<(), ApiError> {
        let rows = DirectoryRows(SecurityRows {
            pseudonyms: &self.pseudonyms,
            encoding: StatusEncoding::Codes,
        });
        self.list(&ENDPOINT, &rows, tenant, size, each).await
    }
}

/// Reads users of the directory.
pub(super) struct DirectoryRows<'a>(pub(super) SecurityRows<'a>);

impl Rows for DirectoryRows<'_> {
    type Row = DirectoryUser;
    type Wire<'de> = Wire<'de>;

    fn row(&self, wire: &Wire<'_>) -> Result<DirectoryUser, &'static str> {
        let end = wire.end_date.as_ref().map(|text| time::read(&text.0));
        Ok(DirectoryUser {
            user: self.0.row(&wire.user)?,
            password_age: wire.age,
            end: end
                .transpose()
                .map_err(|time::NoTime| "has an endDate that is no time")?
                .flatten(),
        })
    }
}

wire! {
    /// The fields that are read of a row.
    pub(super) struct Wire<'de>: "a user of the directory" {
        "age" => age: Option<i64>,
        "endDate" => end_date: Option<Text<'de>>,
        _ => user: security_users::Wire<'de>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::api::personal::Pseudonyms;
    use crate::upstream::http::json::read;

    fn user(row: &str) -> Result<DirectoryUser, &'static str> {
        let rows = DirectoryRows(SecurityRows {
            pseudonyms: &Pseudonyms::default(),
            encoding: StatusEncoding::Codes,
        });
        rows.row(&read(row.as_bytes()).unwrap())
    }

    #[test]
    fn a_row_is_read_with_the_password_s_age_and_the_account_s_end() {
        let row = r#"{"id": "a", "status": [3], "Age": 91, "endDate": "2026-11-22T00:00:00Z", "officePhone": "1"}"#;
        let user = user(row).unwrap();
        assert!(user.user.statuses.contains(3));
        assert_eq!(
            (user.password_age, user.end),
            (Some(91), Some(1_795_305_600))
        );
    }

    #[test]
    fn what_is_not_set_is_not_known() {
        let end = |text: &str| {
            user(&format!(r#"{{"id": "a", "endDate": {text}}}"#))
                .unwrap()
                .end
        };
        for text in [
            "null",
            r#""""#,
            r#""1970-01-01T00:00:00Z""#,
            r#""0001-01-01T00:00:00""#,
        ] {
            assert_eq!(end(text), None, "{text}");
        }
        assert_eq!(
            user(r#"{"id": "a", "age": null}"#).unwrap().password_age,
            None
        );
        assert!(user(r#"{"id": "a", "endDate": "tomorrow"}"#).is_err());
    }
}
