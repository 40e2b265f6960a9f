//! The listing of all users of a tenant. Source: AvePoint's `users/batch`.

use crate::config::StatusEncoding;
use crate::upstream::http::json::{MaybeWhole, wire};
use crate::upstream::http::time::Moment;
use crate::upstream::{ElementsUser, Endpoint, Pseudonyms, Rows, UserRows, UserWire};

/// What remains of a user of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DirectoryUser {
    /// What the security listing knows of a user as well.
    pub(super) user: ElementsUser,
    /// The password's age in days.
    pub(super) password_age: Option<i64>,
    /// When the account ends.
    pub(super) end: Moment,
}

pub(super) const ENDPOINT: Endpoint = Endpoint::post(
    "/um/customers/{customerId}/tenants/{tenantId}/users/batch",
    "elements.um.user.read.all",
);

/// Reads users of the directory.
pub(super) struct DirectoryRows<'a>(UserRows<'a>);

impl<'a> DirectoryRows<'a> {
    pub(super) fn new(pseudonyms: &'a Pseudonyms) -> Self {
        Self(UserRows {
            pseudonyms,
            encoding: StatusEncoding::Codes,
        })
    }
}

impl Rows for DirectoryRows<'_> {
    type Row = DirectoryUser;
    type Wire<'de> = Wire<'de>;

    fn row(&self, wire: &Wire<'_>) -> Result<DirectoryUser, &'static str> {
        Ok(DirectoryUser {
            user: self.0.row(&wire.user)?,
            password_age: wire.age.to_i64(),
            end: wire.end_date,
        })
    }

    fn unreadable_dates(row: &DirectoryUser) -> u64 {
        row.end.unreadable()
    }
}

wire! {
    /// The fields that are read of a row.
    pub(super) struct Wire<'de>: "a user of the directory" {
        "age" => age: MaybeWhole,
        "endDate" => end_date: Moment,
        _ => user: UserWire<'de>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::check_allocations;
    use crate::upstream::http::json::read;

    fn user(row: &str) -> Result<DirectoryUser, &'static str> {
        let pseudonyms = Pseudonyms::default();
        DirectoryRows::new(&pseudonyms).row(&read(row.as_bytes()).unwrap())
    }

    #[test]
    fn a_row_is_read_with_the_password_s_age_and_the_account_s_end() {
        let row = r#"{"id": "a", "status": [3], "Age": 91, "endDate": "2026-11-22T00:00:00Z", "officePhone": "1"}"#;
        let user = user(row).unwrap();
        assert!(user.user.statuses.contains(3));
        assert_eq!(
            (user.password_age, user.end),
            (Some(91), Moment::At(1_795_305_600))
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
            assert_eq!(end(text), Moment::Missing, "{text}");
        }
        assert_eq!(
            user(r#"{"id": "a", "age": null}"#).unwrap().password_age,
            None
        );
        let odd = user(r#"{"id": "a", "endDate": "tomorrow", "age": "N/A"}"#).unwrap();
        assert_eq!((odd.end, odd.password_age), (Moment::Unreadable, None));
        assert_eq!(DirectoryRows::unreadable_dates(&odd), 1);
    }

    #[test]
    fn a_row_is_read_without_an_allocation() {
        let pseudonyms = Pseudonyms::default();
        let rows = DirectoryRows::new(&pseudonyms);
        check_allocations(
            &rows,
            r#"{"id": "a", "mail": "A@contoso.example", "status": [0, 3, 8], "x": [{"y": "z"}],
                "age": 3, "endDate": "2026-11-22T00:00:00Z"}"#,
        );
    }
}
